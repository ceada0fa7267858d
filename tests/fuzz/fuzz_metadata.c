/*
 * Metadata: records as they stand in the log, and snapshots.
 *
 * Behind a first byte that is even: framed records, each after two bytes of
 * length, replayed into a delta as at a start.  Behind an odd one: the bytes of
 * a snapshot or a piece of the log.
 */
#include "base/base.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/log.h"
#include "meta/delta.h"
#include "meta/image.h"
#include "meta/metadata_record.h"
#include "meta/metadata_snapshot.h"
#include "wire/generated/metadata_partition_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(void *context, struct slice value)
{
	struct delta *delta = context;
	struct metadata_record record;
	struct arena arena;
	const char *reason;
	int result;

	arena_init(&arena, (size_t)1 << 26);
	result = metadata_record_decode(value, &arena, &record, &reason);
	if (result == 0)
		result = delta_replay(delta, &record);
	arena_reset(&arena);
	return result;
}

static int
replay_snapshot(void *context, const struct metadata_snapshot_record *record)
{
	return record->control ? 0 : replay(context, record->value);
}

static int
replay_values(struct delta *delta, struct slice in)
{
	while (in.len >= 2) {
		size_t len = be16_get(in.data);

		in.data += 2;
		in.len -= 2;
		len = MIN(len, in.len);
		if (replay(delta, slice_of(in.data, len)) != 0)
			return -1;
		in.data += len;
		in.len -= len;
	}
	return 0;
}

/* A partition comes back as it is from the record that a snapshot has. */
static void
check_partition(const struct partition_image *partition)
{
	const struct partition_image *again;
	struct kp_partition_record record;

	partition_image_record(partition, &record);
	again = partition_image_new(&record);
	assert(again != NULL);
	assert(again->leader == partition->leader);
	assert(again->leader_epoch == partition->leader_epoch);
	assert(again->replicas.count == partition->replicas.count);
	assert(again->isr.count == partition->isr.count);
	partition_image_unref(again);
}

static void
check_image(const struct image *image)
{
	const struct topic_image *topic;
	size_t topics = 0, partitions = 0;

	for (size_t at = 0; (topic = image_topic_next(image, &at)) != NULL;) {
		assert(image_topic(image, topic->name) == topic);
		assert(image_topic_by_id(image, topic->id) == topic);
		assert(image_topic_colliding(image, topic->name) != NULL);
		assert(topic_image_name_valid(topic->name, NULL));
		assert(topic->partitions_count > 0);
		for (int32_t i = 0; i < topic->partitions_count; i++)
			check_partition(topic->partitions[i]);
		partitions += (size_t)topic->partitions_count;
		topics++;
	}
	assert(topics == image_topics_count(image));
	assert(partitions == image_partitions_count(image));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image *image;
	struct delta *delta;
	bool damaged;
	int result;

	log_set_level(LOG_FATAL);
	if (size == 0)
		return 0;
	image = image_new();
	delta = delta_new(image);
	if (data[0] & 1)
		result = metadata_snapshot_walk(slice_of(data + 1, size - 1),
		    replay_snapshot, delta, &damaged);
	else
		result = replay_values(delta, slice_of(data + 1, size - 1));
	if (result == 0 && delta_check(delta) == 0) {
		image_apply(image, delta);
		check_image(image);
		delta_free(delta);
		delta = delta_of_image(image);
		assert(delta->topics_count == image_topics_count(image));
	}
	delta_free(delta);
	image_free(image);
	return 0;
}
