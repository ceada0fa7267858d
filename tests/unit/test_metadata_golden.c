/*
 * Metadata logs that Apache Kafka 4.3.1 wrote: what its own tools said of
 * topics, configs, features, ACLs, credentials and quotas must be in the
 * image, and this node must be able to take the directory over.
 *
 * tests/store/logdirs/NAME.metadata.json.gz is what Kafka said.
 */
#include "unit/meta_rig.h"

#include <jansson.h>
#include <zlib.h>

#include "base/log.h"
#include "meta/configs.h"
#include "meta/metadata_record.h"
#include "store/disk_posix.h"
#include "store/meta_properties.h"
#include "unit/temp_dir.h"

struct golden {
	struct meta_rig rig;
	char *root;
	json_t *expected;
};

static json_t *
load_expected(const char *archive)
{
	char *path = xasprintf("%s/tests/store/logdirs/%s.metadata.json.gz",
	    SRCDIR, archive);
	gzFile file = gzopen(path, "rb");
	char *text = xmalloc(1 << 16);
	json_t *json;
	int n;

	assert_non_null(file);
	n = gzread(file, text, 1 << 16);
	assert_in_range(n, 1, (1 << 16) - 1);
	gzclose(file);
	json = json_loadb(text, (size_t)n, 0, NULL);
	assert_non_null(json);
	free(text);
	free(path);
	return json;
}

static void
read_identity(struct golden *golden)
{
	struct meta_rig *rig = &golden->rig;
	struct meta_properties meta;
	char *why;

	meta_properties_init(&meta);
	assert_int_equal(meta_properties_read(&meta, disk_posix(),
			     rig->directory, &why),
	    0);
	assert_string_equal(meta.cluster_id,
	    json_string_value(
		json_object_get(golden->expected, "cluster_id")));
	rig->directory_id = meta.directory_id;
	rig->log_settings.directory_id = meta.directory_id;
	meta_properties_fini(&meta);
}

/* The rig over the unpacked archive instead of a directory of its own. */
static void
golden_init(struct golden *golden, const char *archive, const char *directory)
{
	struct meta_rig *rig = &golden->rig;
	char *command;

	meta_rig_init(rig);
	golden->root = temp_dir_make();
	command = xasprintf("tar xzf '%s/tests/store/logdirs/%s.tar.gz' -C "
			    "'%s'",
	    SRCDIR, archive, golden->root);
	assert_int_equal(system(command), 0);
	free(command);
	temp_dir_remove(rig->directory);
	rig->directory = xasprintf("%s/%s", golden->root, directory);
	rig->log_settings.log_dir = rig->directory;
	golden->expected = load_expected(archive);
	read_identity(golden);
}

static void
golden_fini(struct golden *golden)
{
	meta_rig_fini(&golden->rig);
	json_decref(golden->expected);
	temp_dir_remove(golden->root);
}

static void
check_features(struct golden *golden)
{
	json_t *features = json_object_get(golden->expected, "features");
	const char *name;
	json_t *level;
	size_t count;

	image_features(golden->rig.image, &count);
	assert_int_equal(count, json_object_size(features));
	json_object_foreach(features, name, level)
		assert_int_equal(image_feature(golden->rig.image, name),
		    json_integer_value(level));
	assert_int_equal(controller_kraft_version(golden->rig.controller),
	    json_integer_value(
		json_object_get(golden->expected, "kraft_version")));
}

static void
check_set(const struct config_set *set, json_t *values)
{
	const char *key;
	json_t *value;

	assert_int_equal(set == NULL ? 0 : set->count,
	    json_object_size(values));
	json_object_foreach(values, key, value)
		assert_true(slice_equal_str(
		    config_set_get(set, slice_str(key)),
		    json_string_value(value)));
}

static void
check_topics(struct golden *golden)
{
	json_t *topics = json_object_get(golden->expected, "topics");
	const char *name;
	json_t *expected;

	assert_int_equal(image_topics_count(golden->rig.image),
	    json_object_size(topics));
	json_object_foreach(topics, name, expected) {
		const struct topic_image *topic =
		    meta_rig_find(&golden->rig, name);
		char id[UUID_TEXT_LEN + 1];

		assert_non_null(topic);
		uuid_format(topic->id, id);
		assert_string_equal(id,
		    json_string_value(json_object_get(expected, "id")));
		assert_int_equal(topic->partitions_count,
		    json_integer_value(
			json_object_get(expected, "partitions")));
		check_set(image_configs(golden->rig.image, IMAGE_CONFIG_TOPIC,
			      slice_str(name)),
		    json_object_get(expected, "configs"));
	}
}

/* What Kafka shows for a broker has the cluster's defaults in it. */
static void
check_broker(struct golden *golden, json_t *values)
{
	const char *key;
	json_t *value;

	json_object_foreach(values, key, value)
		assert_true(slice_equal_str(
		    configs_broker(golden->rig.configs, key),
		    json_string_value(value)));
}

static void
check_configs(struct golden *golden)
{
	json_t *configs = json_object_get(golden->expected, "configs");
	const struct image *image = golden->rig.image;
	const char *resource;
	json_t *values;

	json_object_foreach(configs, resource, values) {
		const char *name = strchr(resource, ':') + 1;

		if (strcmp(resource, "BROKER:1") == 0)
			check_broker(golden, values);
		else if (strcmp(resource, "BROKER:") == 0)
			check_set(image_configs(image, IMAGE_CONFIG_BROKER,
				      slice_str(name)),
			    values);
		else if (strncmp(resource, "GROUP", 5) == 0)
			check_set(image_configs(image, IMAGE_CONFIG_GROUP,
				      slice_str(name)),
			    values);
		else
			check_set(
			    image_configs(image, IMAGE_CONFIG_CLIENT_METRICS,
				slice_str(name)),
			    values);
	}
}

static size_t
count_kept(const struct image *image, int16_t api_key)
{
	const struct image_kept *kept;
	size_t count = 0;

	for (size_t at = 0; (kept = image_kept_next(image, &at)) != NULL;)
		count += kept->api_key == api_key;
	return count;
}

static void
check_kept(struct golden *golden)
{
	static const struct {
		const char *name;
		int16_t api_key;
	} kinds[] = {
		{ "acls", METADATA_RECORD_ACCESS_CONTROL_ENTRY },
		{ "scram", METADATA_RECORD_USER_SCRAM_CREDENTIAL },
		{ "quotas", METADATA_RECORD_CLIENT_QUOTA },
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		assert_int_equal(
		    count_kept(golden->rig.image, kinds[i].api_key),
		    json_integer_value(json_object_get(golden->expected,
			kinds[i].name)));
}

static void
check_all(struct golden *golden)
{
	check_features(golden);
	check_topics(golden);
	check_configs(golden);
	check_kept(golden);
}

/* After a start every partition is led here, by its only replica. */
static void
check_leaders(struct golden *golden)
{
	const struct topic_image *topic;

	for (size_t at = 0; (topic = image_topic_next(golden->rig.image,
				 &at)) != NULL;) {
		for (int32_t i = 0; i < topic->partitions_count; i++) {
			const struct partition_image *partition =
			    topic->partitions[i];

			assert_int_equal(partition->leader, META_RIG_NODE);
			assert_int_equal(partition->isr.count, 1);
			assert_int_equal(partition->elr.count, 0);
			assert_int_equal(partition->last_known_elr.count, 0);
		}
	}
}

static void
take_over(const char *archive, const char *directory)
{
	struct golden golden;

	golden_init(&golden, archive, directory);
	assert_int_equal(meta_rig_load(&golden.rig), 0);
	check_all(&golden);
	meta_rig_stop(&golden.rig);
	/* Twice with us, with a snapshot of ours in between. */
	golden.rig.log_settings.snapshot_bytes = 1;
	for (int i = 0; i < 2; i++) {
		meta_rig_start(&golden.rig);
		check_all(&golden);
		check_leaders(&golden);
		meta_rig_stop(&golden.rig);
	}
	assert_int_equal(meta_rig_load(&golden.rig), 0);
	check_all(&golden);
	check_leaders(&golden);
	golden_fini(&golden);
}

static void
a_clean_directory(void **state UNUSED)
{
	take_over("clean", "data");
}

static void
a_killed_directory(void **state UNUSED)
{
	take_over("killed", "data0");
}

static void
a_torn_directory(void **state UNUSED)
{
	take_over("torn", "data");
}

static void
a_directory_of_an_older_release(void **state UNUSED)
{
	take_over("old-features", "data");
}

static void
compacted_directories(void **state UNUSED)
{
	take_over("compact-1", "data");
	take_over("compact-crash", "data");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clean_directory),
		cmocka_unit_test(a_killed_directory),
		cmocka_unit_test(a_torn_directory),
		cmocka_unit_test(a_directory_of_an_older_release),
		cmocka_unit_test(compacted_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
