/* The hash of a group's topics, against what Kafka's own classes make. */
#include "unit/unit.h"

#include <stdio.h>

#include "base/bytes.h"
#include "coord/topics_hash.h"
#include "meta/partition_image.h"
#include "meta/topic_image.h"
#include "wire/codec.h"
#include "wire/generated/metadata_partition_record.h"

#define GOLDEN SRCDIR "/tests/coord/topics-hashes.tsv"
#define TOPICS_MAX 4
#define RACKS_MAX 3

/* A topic of the golden file: each partition has a replica in each rack. */
struct topic {
	char name[256];
	uint64_t id[2];
	int partitions;
	char racks[256]; /* with commas between; "-" is a broker without one */
};

/* The i-th rack of the topic's. */
static struct slice
rack_of(int32_t broker_id, void *context)
{
	const struct topic *topic = context;
	const char *at = topic->racks;

	for (int32_t i = 0; i < broker_id; i++)
		at = strchr(at, ',') + 1;
	if (*at == '-')
		return SLICE_NULL;
	return slice_of(at, strcspn(at, ","));
}

static int32_t
racks_count(const struct topic *topic)
{
	int32_t count = 1;

	for (const char *at = topic->racks; *at != '\0'; at++)
		count += *at == ',';
	return count;
}

static struct topic_image *
make(const struct topic *topic)
{
	int32_t replicas[RACKS_MAX] = { 0, 1, 2 };
	struct uuid directories[RACKS_MAX] = { { { 0 } } };
	struct kp_partition_record record;
	struct topic_image *image;
	struct uuid id;

	be64_put(id.bytes, topic->id[0]);
	be64_put(id.bytes + 8, topic->id[1]);
	image = topic_image_new(slice_str(topic->name), id);
	kp_defaults(&kp_partition_record, &record);
	record.topic_id = id;
	record.replicas = replicas;
	record.replicas_count = racks_count(topic);
	record.directories = directories;
	record.directories_count = record.replicas_count;
	for (int i = 0; i < topic->partitions; i++) {
		record.partition_id = i;
		assert_int_equal(topic_image_set_partition(
				     image, i, partition_image_new(&record)),
		    0);
	}
	return image;
}

/* The hash of one group of the file's, whose lines end with its own. */
static void
check_group(struct topic *topics, int count, int64_t expected)
{
	struct topics_hash hash;

	topics_hash_init(&hash, rack_of, NULL);
	for (int i = 0; i < count; i++) {
		struct topic_image *image = make(&topics[i]);

		hash.context = &topics[i];
		topics_hash_add(&hash, image);
		topic_image_unref(image);
	}
	assert_int_equal(topics_hash_end(&hash), expected);
}

static void
hashes_are_kafkas(void **state UNUSED)
{
	struct topic topics[TOPICS_MAX];
	FILE *file = fopen(GOLDEN, "re");
	char line[1024];
	int count = 0, groups = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		struct topic *topic = &topics[count];
		unsigned long long id[2];
		long long expected;

		if (line[0] == '#')
			continue;
		if (sscanf(line, "group\t%lld", &expected) == 1) {
			check_group(topics, count, expected);
			groups++;
			count = 0;
			continue;
		}
		assert_true(count < TOPICS_MAX);
		assert_int_equal(
		    sscanf(line, "%255[^\t]\t%llx\t%llx\t%d\t%255[^\n]",
			topic->name, &id[0], &id[1], &topic->partitions,
			topic->racks),
		    5);
		topic->id[0] = id[0];
		topic->id[1] = id[1];
		count++;
	}
	fclose(file);
	assert_int_equal(groups, 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_kafkas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
