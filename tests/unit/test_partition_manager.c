/* The partition manager: metadata becomes partitions. */
#include "unit/api_rig.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/partition_manager.h"
#include "meta/delta.h"
#include "store/log.h"
#include "store/log_manager.h"
#include "unit/temp_dir.h"
#include "wire/batch_builder.h"

/* How far the clock is put forward; there are threads that read it. */
static _Atomic int64_t ahead_ms;

static int64_t
read_ms(clockid_t id)
{
	struct timespec time;

	assert_int_equal(clock_gettime(id, &time), 0);
	return atomic_load(&ahead_ms) + (int64_t)time.tv_sec * 1000 +
	    time.tv_nsec / 1000000;
}

static int64_t
wall_ms(void *context UNUSED)
{
	return read_ms(CLOCK_REALTIME);
}

static int64_t
monotonic_us(void *context UNUSED)
{
	return read_ms(CLOCK_MONOTONIC) * 1000;
}

static const struct clock_source forward_clock = { wall_ms, monotonic_us,
	NULL };

static int
setup(void **state)
{
	struct api_rig *rig = xmalloc(sizeof(*rig));

	log_set_level(LOG_ERROR);
	clock_install(&forward_clock);
	api_rig_init(rig, false);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	api_rig_fini(*state);
	clock_install(NULL);
	free(*state);
	return 0;
}

static bool
has(struct api_rig *rig, const char *topic, int32_t index)
{
	struct partition *partition = partition_manager_find(
	    rig->server.partitions, slice_str(topic), index);

	partition_unref(partition);
	return partition != NULL;
}

static enum kp_error
append_one(struct partition *partition, int64_t *offset)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	struct partition_append append = { .node_id = RIG_NODE,
		.origin = LOG_COORDINATOR };
	struct buf bytes;
	enum kp_error error;

	buf_init(&bytes, 4096);
	batch_builder_init(&builder, &options, &bytes);
	assert_int_equal(
	    batch_builder_add(&builder, 1, SLICE_NULL, slice_str("v")), 0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	append.data = bytes.data;
	append.len = bytes.len;
	error = partition_append(partition, &append);
	*offset = append.base_offset;
	buf_fini(&bytes);
	return error;
}

static void
topics_are_found(void **state)
{
	struct api_rig *rig = *state;
	struct uuid id = api_rig_topic(rig, "a", 2);
	struct uuid other = { { 1 } };
	struct partition *partition;

	api_rig_topic(rig, "b", 1);
	assert_true(has(rig, "a", 0));
	assert_true(has(rig, "a", 1));
	assert_false(has(rig, "a", 2));
	assert_false(has(rig, "a", -1));
	assert_false(has(rig, "c", 0));
	assert_true(has(rig, "b", 0));
	assert_int_equal(partition_manager_count(rig->server.partitions), 3);
	partition = partition_manager_find_by_id(rig->server.partitions, id, 1);
	assert_non_null(partition);
	assert_true(slice_equal_str(partition_topic(partition), "a"));
	assert_int_equal(partition_index(partition), 1);
	assert_int_equal(partition_leader(partition).id, RIG_NODE);
	partition_unref(partition);
	assert_null(
	    partition_manager_find_by_id(rig->server.partitions, other, 0));
}

static void
topics_grow(void **state)
{
	struct api_rig *rig = *state;
	struct uuid id = api_rig_topic(rig, "a", 1);
	struct partition *partition = api_rig_partition(rig, "a", 0);
	int64_t offset;

	assert_int_equal(append_one(partition, &offset), KP_NONE);
	api_rig_grow(rig, id, 1, 4);
	assert_true(has(rig, "a", 3));
	assert_int_equal(partition_manager_count(rig->server.partitions), 4);
	/* The old one is the same as before. */
	assert_int_equal(append_one(partition, &offset), KP_NONE);
	assert_int_equal(offset, 1);
	partition_unref(partition);
}

/* What the log manager asks for some seconds after something failed. */
static void
try_again(struct api_rig *rig)
{
	struct delta *delta;
	struct uuid *topics;
	size_t count;

	/* The first time may be the one that finds out what there is to do. */
	for (int i = 0; i < 2; i++) {
		atomic_fetch_add(&ahead_ms, 2000);
		log_manager_tick(rig->logs);
	}
	topics = partition_manager_lacking(rig->server.partitions, &count);
	delta = delta_of_topics(rig->image, topics, count);
	partition_manager_apply(rig->server.partitions, delta);
	delta_free(delta);
	free(topics);
}

/* A log that could not be made is made later, without a change. */
static void
what_could_not_be_made_is_tried_again(void **state)
{
	struct api_rig *rig = *state;
	char *path = xasprintf("%s/a-1", rig->directory);
	struct partition *partition;
	int64_t offset;

	log_set_level(LOG_FATAL);
	temp_dir_put(rig->directory, "a-1", "in the way");
	api_rig_topic(rig, "a", 2);
	assert_true(has(rig, "a", 0));
	assert_false(has(rig, "a", 1));
	api_rig_topic(rig, "b", 1);
	assert_true(has(rig, "b", 0));
	try_again(rig);
	assert_false(has(rig, "a", 1));
	assert_int_equal(unlink(path), 0);
	assert_false(has(rig, "a", 1));
	try_again(rig);
	assert_true(has(rig, "a", 1));
	assert_int_equal(partition_manager_count(rig->server.partitions), 3);
	partition = api_rig_partition(rig, "a", 1);
	assert_int_equal(partition_leader(partition).id, RIG_NODE);
	assert_int_equal(append_one(partition, &offset), KP_NONE);
	partition_unref(partition);
	free(path);
}

/* One that never was anywhere may be made anywhere, also when tried again. */
static void
what_is_tried_again_is_still_new(void **state)
{
	struct api_rig *rig = *state;
	char *path = xasprintf("%s/a-0", rig->directory);

	log_set_level(LOG_FATAL);
	api_rig_topic(rig, "before", 1);
	rig->assigned = (struct uuid){ { 0x77, 9 } };
	temp_dir_put(rig->directory, "a-0", "in the way");
	api_rig_topic(rig, "a", 1);
	assert_false(has(rig, "a", 0));
	assert_int_equal(unlink(path), 0);
	try_again(rig);
	assert_true(has(rig, "a", 0));
	free(path);
}

static void
deleted_topics_refuse(void **state)
{
	struct api_rig *rig = *state;
	struct uuid id = api_rig_topic(rig, "a", 2);
	struct partition *old = api_rig_partition(rig, "a", 0);
	struct partition *new;
	int64_t offset;

	assert_int_equal(append_one(old, &offset), KP_NONE);
	api_rig_delete(rig, id);
	assert_false(has(rig, "a", 0));
	assert_int_equal(partition_manager_count(rig->server.partitions), 0);
	assert_int_equal(
	    append_one(old, &offset), KP_UNKNOWN_TOPIC_OR_PARTITION);
	/* The name is free at once, for a topic that is another one. */
	api_rig_topic(rig, "a", 1);
	new = api_rig_partition(rig, "a", 0);
	assert_ptr_not_equal(new, old);
	assert_int_equal(partition_log_end_offset(new), 0);
	assert_int_equal(append_one(new, &offset), KP_NONE);
	assert_int_equal(offset, 0);
	partition_unref(new);
	partition_unref(old);
}

static void
configs_reach_partitions(void **state)
{
	struct api_rig *rig = *state;
	struct partition *partition;

	api_rig_topic(rig, "a", 1);
	partition = api_rig_partition(rig, "a", 0);
	assert_int_equal(partition->settings.max_message_bytes, 1048588);
	assert_int_equal(
	    partition->settings.compression, TOPIC_COMPRESSION_PRODUCER);
	api_rig_config(rig, "a", "max.message.bytes", "777");
	api_rig_config(rig, "a", "compression.type", "lz4");
	api_rig_config(rig, "a", "cleanup.policy", "compact");
	api_rig_config(rig, "a", "message.timestamp.type", "LogAppendTime");
	assert_int_equal(partition->settings.max_message_bytes, 777);
	assert_int_equal(partition->settings.compression, COMPRESSION_LZ4);
	assert_int_equal(partition->settings.timestamp_type, BATCH_APPEND_TIME);
	assert_true(log_settings(partition->log)->cleanup_compact);
	/* The brokers' keys count, too, where a topic has none of its own. */
	api_rig_config(rig, NULL, "log.retention.ms", "7");
	api_rig_config(rig, NULL, "message.max.bytes", "8");
	api_rig_config(rig, NULL, "producer.id.expiration.ms", "9");
	assert_int_equal(log_settings(partition->log)->retention_ms, 7);
	assert_int_equal(
	    log_settings(partition->log)->producer_id_expiration_ms, 9);
	assert_int_equal(partition->settings.max_message_bytes, 777);
	partition_unref(partition);
	/* A topic that comes later has the defaults. */
	api_rig_topic(rig, "b", 1);
	partition = api_rig_partition(rig, "b", 0);
	assert_int_equal(partition->settings.max_message_bytes, 8);
	api_rig_config(rig, NULL, "message.max.bytes", NULL);
	assert_int_equal(partition->settings.max_message_bytes, 1048588);
	partition_unref(partition);
}

static void
many_topics(void **state)
{
	enum { TOPICS = 300 };
	struct api_rig *rig = *state;
	struct uuid ids[TOPICS];
	char name[16];

	for (int i = 0; i < TOPICS; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		ids[i] = api_rig_topic(rig, name, 2);
	}
	for (int i = 0; i < TOPICS; i += 2)
		api_rig_delete(rig, ids[i]);
	for (int i = 0; i < TOPICS; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		assert_int_equal(has(rig, name, 1), i % 2);
	}
	assert_int_equal(
	    partition_manager_count(rig->server.partitions), TOPICS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(topics_are_found),
		TEST(topics_grow),
		TEST(what_could_not_be_made_is_tried_again),
		TEST(what_is_tried_again_is_still_new),
		TEST(deleted_topics_refuse),
		TEST(configs_reach_partitions),
		TEST(many_topics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
