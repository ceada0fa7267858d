/* Partitions: append, the high watermark, those who wait for it, reads. */
#include "unit/store_fixture.h"

#include "base/arena.h"
#include "base/clock.h"
#include "broker/long_poll.h"
#include "broker/partition.h"
#include "net/loop.h"
#include "store/flusher.h"
#include "wire/batch_builder.h"

#include <errno.h>
#include <pthread.h>

#define NODE 1

/* A partition on a log, a flusher whose syncs can be held, and a loop. */
struct rig {
	struct fixture store;
	struct partition_context context;
	struct topic_settings settings;
	struct partition_topic *topic;
	struct partition *partition;
	struct loop *loop;
	struct arena arena;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool held;
};

static void
hold_sync(void *context, enum disk_operation operation, const char *path UNUSED)
{
	struct rig *rig = context;

	if (operation != DISK_FDATASYNC && operation != DISK_FSYNC)
		return;
	pthread_mutex_lock(&rig->mutex);
	while (rig->held)
		pthread_cond_wait(&rig->changed, &rig->mutex);
	pthread_mutex_unlock(&rig->mutex);
}

static void
rig_hold(struct rig *rig, bool held)
{
	pthread_mutex_lock(&rig->mutex);
	rig->held = held;
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->mutex);
}

static void
rig_lead(struct rig *rig, int32_t leader, int32_t epoch)
{
	static const int32_t replicas[] = { NODE, 2 };
	struct partition_state state = {
		.leader = leader,
		.leader_epoch = epoch,
		.partition_epoch = epoch,
		.replicas = replicas,
		.replicas_count = 2,
		.isr_count = 1,
	};

	partition_apply(rig->partition, &state);
}

static int
setup(void **state, bool acked)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	fixture_init(&rig->store);
	pthread_mutex_init(&rig->mutex, NULL);
	pthread_cond_init(&rig->changed, NULL);
	rig->store.fault.hook = hold_sync;
	rig->store.fault.hook_context = rig;
	rig->context.flusher = flusher_new();
	rig->context.flush_acked = acked;
	topic_settings_init(&rig->settings);
	rig->topic = partition_topic_new(
	    slice_str("topic"), (struct uuid){ { 1 } }, false);
	rig->partition = partition_new(
	    &rig->context, rig->topic, 0, rig->store.log, &rig->settings);
	rig_lead(rig, NODE, 3);
	rig->loop = loop_new(0);
	assert_non_null(rig->loop);
	arena_init(&rig->arena, 1 << 20);
	*state = rig;
	return 0;
}

static int
setup_os(void **state)
{
	return setup(state, false);
}

static int
setup_acked(void **state)
{
	return setup(state, true);
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	rig_hold(rig, false);
	flusher_free(rig->context.flusher);
	partition_unref(rig->partition);
	partition_topic_unref(rig->topic);
	loop_free(rig->loop);
	arena_reset(&rig->arena);
	fixture_fini(&rig->store);
	free(rig);
	return 0;
}

static void
rig_configure(struct rig *rig)
{
	partition_configure(rig->partition, &rig->settings);
}

/* --- Appending --------------------------------------------------------- */

static enum kp_error
append_bytes(
    struct rig *rig, struct buf *bytes, struct partition_append *append)
{
	*append = (struct partition_append){
		.node_id = NODE,
		.origin = LOG_CLIENT,
		.data = bytes->data,
		.len = bytes->len,
		.produce_version = 9,
		.arena = &rig->arena,
	};
	return partition_append(rig->partition, append);
}

static enum kp_error
append_batch(struct rig *rig, const struct fixture_batch *batch,
    struct partition_append *append)
{
	struct buf bytes;
	enum kp_error error;

	buf_init(&bytes, 1 << 24);
	fixture_batch(&bytes, batch);
	error = append_bytes(rig, &bytes, append);
	buf_fini(&bytes);
	return error;
}

static struct partition_append
must_append(struct rig *rig, int count)
{
	struct partition_append append;

	assert_int_equal(
	    append_batch(
		rig, &(struct fixture_batch){ .count = count }, &append),
	    KP_NONE);
	return append;
}

static void
os_commits_at_once(void **state)
{
	struct rig *rig = *state;
	struct partition_append append = must_append(rig, 3);

	assert_int_equal(append.base_offset, 0);
	assert_int_equal(append.last_offset, 2);
	assert_int_equal(append.log_append_time_ms, -1);
	assert_int_equal(append.log_start_offset, 0);
	assert_true(append.committed);
	assert_int_equal(partition_high_watermark(rig->partition), 3);
	append = must_append(rig, 2);
	assert_int_equal(append.base_offset, 3);
	assert_int_equal(partition_high_watermark(rig->partition), 5);
}

static void
errors_of_appends(void **state)
{
	struct rig *rig = *state;
	struct partition_append append;
	struct fixture_batch batch = { .count = 1, .value_len = 5000 };

	rig->settings.max_message_bytes = 1000;
	rig_configure(rig);
	assert_int_equal(
	    append_batch(rig, &batch, &append), KP_MESSAGE_TOO_LARGE);
	assert_int_equal(append.log_start_offset, -1);
	assert_int_equal(append.base_offset, -1);

	/* A time that is too far ahead is told by record. */
	batch = (struct fixture_batch){ .count = 3,
		.timestamp_ms = clock_wall_ms() + 7200000 };
	assert_int_equal(
	    append_batch(rig, &batch, &append), KP_INVALID_TIMESTAMP);
	assert_int_equal(append.log_start_offset, 0);
	assert_int_equal(append.record_errors_count, 3);
	assert_int_equal(append.record_errors[2].index, 2);

	/* Null keys on a compacted topic. */
	rig->settings.log.cleanup_compact = true;
	rig_configure(rig);
	batch = (struct fixture_batch){ .count = 2 };
	assert_int_equal(append_batch(rig, &batch, &append), KP_INVALID_RECORD);
	assert_int_equal(append.record_errors_count, 2);
	assert_int_equal(partition_log_end_offset(rig->partition), 0);
}

static void
only_the_leader_appends(void **state)
{
	struct rig *rig = *state;
	struct partition_append append;
	struct fixture_batch batch = { .count = 1 };

	rig_lead(rig, 2, 4);
	assert_int_equal(
	    append_batch(rig, &batch, &append), KP_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(append.leader.id, 2);
	assert_int_equal(append.leader.epoch, 4);
	rig_lead(rig, NODE, 5);
	must_append(rig, 1);
	partition_delete(rig->partition);
	assert_int_equal(
	    append_batch(rig, &batch, &append), KP_UNKNOWN_TOPIC_OR_PARTITION);
}

static void
too_few_replicas(void **state)
{
	struct rig *rig = *state;
	struct partition_append append = { .node_id = NODE,
		.origin = LOG_CLIENT,
		.all_replicas = true,
		.arena = &rig->arena };
	struct buf bytes;

	rig->settings.min_insync_replicas = 2;
	rig_configure(rig);
	buf_init(&bytes, 1 << 20);
	fixture_batch(&bytes, &(struct fixture_batch){ .count = 1 });
	append.data = bytes.data;
	append.len = bytes.len;
	assert_int_equal(
	    partition_append(rig->partition, &append), KP_NOT_ENOUGH_REPLICAS);
	assert_int_equal(append.log_start_offset, 0);
	append.all_replicas = false;
	assert_int_equal(partition_append(rig->partition, &append), KP_NONE);
	buf_fini(&bytes);
}

/* With one replica, that one is enough whatever the topic asks for. */
static void
no_more_replicas_are_asked_for_than_there_are(void **state)
{
	struct rig *rig = *state;
	const int32_t replicas[] = { NODE };
	const struct partition_state alone = { .leader = NODE,
		.leader_epoch = 4,
		.partition_epoch = 4,
		.replicas = replicas,
		.replicas_count = 1,
		.isr_count = 1 };
	struct partition_append append = { .node_id = NODE,
		.origin = LOG_CLIENT,
		.all_replicas = true,
		.arena = &rig->arena };
	struct buf bytes;

	rig->settings.min_insync_replicas = 2;
	rig_configure(rig);
	partition_apply(rig->partition, &alone);
	buf_init(&bytes, 1 << 20);
	fixture_batch(&bytes, &(struct fixture_batch){ .count = 1 });
	append.data = bytes.data;
	append.len = bytes.len;
	assert_int_equal(partition_append(rig->partition, &append), KP_NONE);
	buf_fini(&bytes);
}

static void
repeats_are_not_appended(void **state)
{
	struct rig *rig = *state;
	struct partition_append append;
	struct fixture_batch batch = {
		.count = 2, .has_producer = true, .producer_id = 7
	};

	assert_int_equal(append_batch(rig, &batch, &append), KP_NONE);
	assert_false(append.duplicate);
	must_append(rig, 1);
	assert_int_equal(append_batch(rig, &batch, &append), KP_NONE);
	assert_true(append.duplicate);
	assert_true(append.committed);
	assert_int_equal(append.base_offset, 0);
	assert_int_equal(append.last_offset, 1);
	assert_int_equal(partition_log_end_offset(rig->partition), 3);

	batch.base_sequence = 9;
	assert_int_equal(append_batch(rig, &batch, &append),
	    KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(append.log_start_offset, 0);
}

/* --- What is stored ---------------------------------------------------- */

static struct batch
stored_batch(struct rig *rig, int64_t offset)
{
	struct batch batch;
	uint8_t *data;
	size_t len;

	assert_int_equal(
	    fixture_read(&rig->store, offset, 1, &data, &len), KP_NONE);
	assert_int_equal(batch_read(slice_of(data, len), &batch), 0);
	assert_true(batch_crc_valid(slice_of(data, batch.size_bytes)));
	free(data);
	return batch;
}

static void
stored_with_offset_and_epoch(void **state)
{
	struct rig *rig = *state;
	struct batch batch;

	must_append(rig, 4);
	rig_lead(rig, NODE, 8);
	must_append(rig, 2);
	batch = stored_batch(rig, 4);
	assert_int_equal(batch.base_offset, 4);
	assert_int_equal(batch.leader_epoch, 8);
	assert_int_equal(stored_batch(rig, 0).leader_epoch, 3);
}

static void
append_time_is_stored(void **state)
{
	struct rig *rig = *state;
	int64_t before = clock_wall_ms();
	struct partition_append append;
	struct batch batch;

	rig->settings.timestamp_type = BATCH_APPEND_TIME;
	rig_configure(rig);
	append = must_append(rig, 3);
	batch = stored_batch(rig, 0);
	assert_true(batch_has_append_time(&batch));
	assert_true(batch.max_timestamp >= before);
	assert_int_equal(append.log_append_time_ms, batch.max_timestamp);
}

static void
the_topics_codec_is_stored(void **state)
{
	struct rig *rig = *state;
	struct batch batch;

	rig->settings.compression = COMPRESSION_ZSTD;
	rig_configure(rig);
	must_append(rig, 5);
	batch = stored_batch(rig, 0);
	assert_int_equal(batch_codec(&batch), COMPRESSION_ZSTD);
	assert_int_equal(batch.record_count, 5);
	must_append(rig, 1);
	assert_int_equal(fixture_count_records(&rig->store, 0, 1 << 20), 6);
}

/* The same records in a batch of their own; what it takes in the log. */
static int64_t
bytes_at_level(struct rig *rig, enum compression codec, int level)
{
	const char words[] = "what is said here is said there, and there too";
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct partition_append append;
	struct batch_builder builder;
	uint8_t value[4096];
	struct buf bytes;

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)words[i * i / 7 % (sizeof(words) - 1)];
	rig->settings.compression = (int)codec;
	rig->settings.compression_level = level;
	rig_configure(rig);
	buf_init(&bytes, 1 << 20);
	batch_builder_init(&builder, &options, &bytes);
	assert_int_equal(batch_builder_add(&builder, 0,
			     SLICE_NULL, slice_of(value, sizeof(value))),
	    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	assert_int_equal(append_bytes(rig, &bytes, &append), KP_NONE);
	buf_fini(&bytes);
	return stored_batch(rig, append.base_offset).size_bytes;
}

static void
the_topics_level_is_taken(void **state)
{
	struct rig *rig = *state;

	assert_true(bytes_at_level(rig, COMPRESSION_GZIP, 9) <
	    bytes_at_level(rig, COMPRESSION_GZIP, 1));
	assert_true(bytes_at_level(rig, COMPRESSION_LZ4, 17) <
	    bytes_at_level(rig, COMPRESSION_LZ4, 1));
	assert_true(bytes_at_level(rig, COMPRESSION_ZSTD, 22) <
	    bytes_at_level(rig, COMPRESSION_ZSTD, -100));
}

/* --- The high watermark ------------------------------------------------ */

struct waiting {
	struct hw_waiter waiter;
	int runs;
};

static void
on_committed(struct task *task)
{
	struct wakeup *wakeup = CONTAINER_OF(task, struct wakeup, task);
	struct hw_waiter *waiter =
	    CONTAINER_OF(wakeup, struct hw_waiter, wakeup);

	CONTAINER_OF(waiter, struct waiting, waiter)->runs++;
}

static bool
wait_for(struct rig *rig, struct waiting *waiting, int64_t offset)
{
	*waiting =
	    (struct waiting){ .waiter.offset = offset, .waiter.node_id = NODE };
	wakeup_init(&waiting->waiter.wakeup, rig->loop, on_committed);
	return partition_wait_hw(rig->partition, &waiting->waiter);
}

/* Run the loop until it was woken. */
static void
loop_until(struct rig *rig, const int *runs)
{
	while (*runs == 0)
		loop_step(rig->loop, true);
}

/* What a run without syncs said was committed waits for its sync as well. */
static void
acked_takes_no_watermark_on_trust(void **state)
{
	struct rig *rig = *state;
	struct waiting waiting;

	partition_unref(rig->partition);
	fixture_must_append(&rig->store, &(struct fixture_batch){ .count = 3 });
	log_lock(rig->store.log);
	log_high_watermark_set(rig->store.log, 3);
	log_unlock(rig->store.log);
	rig_hold(rig, true);
	rig->partition = partition_new(&rig->context, rig->topic, 0,
	    rig->store.log, &rig->settings);
	rig_lead(rig, NODE, 4);
	assert_int_equal(partition_high_watermark(rig->partition), 0);
	assert_true(wait_for(rig, &waiting, 3));
	rig_hold(rig, false);
	loop_until(rig, &waiting.runs);
	assert_int_equal(waiting.waiter.result, KP_NONE);
	assert_int_equal(partition_high_watermark(rig->partition), 3);
}

static void
acked_waits_for_the_sync(void **state)
{
	struct rig *rig = *state;
	struct partition_append append;
	struct waiting first, second;

	rig_hold(rig, true);
	append = must_append(rig, 2);
	assert_false(append.committed);
	assert_int_equal(partition_high_watermark(rig->partition), 0);
	must_append(rig, 1);
	/* Later ones may come first. */
	assert_true(wait_for(rig, &second, 3));
	assert_true(wait_for(rig, &first, 2));
	assert_int_equal(first.runs, 0);
	rig_hold(rig, false);
	loop_until(rig, &second.runs);
	loop_until(rig, &first.runs);
	assert_int_equal(first.waiter.result, KP_NONE);
	assert_int_equal(second.waiter.result, KP_NONE);
	assert_int_equal(partition_high_watermark(rig->partition), 3);
	assert_false(wait_for(rig, &first, 3));
	assert_int_equal(first.waiter.result, KP_NONE);
	assert_int_equal(first.runs, 0);
}

/* UnifiedLog.append of Kafka syncs before it returns. */
static void
so_many_messages_wait_for_their_sync(void **state)
{
	struct rig *rig = *state;
	struct partition_append append;
	struct waiting waiting;

	rig->settings.log.flush_messages = 3;
	rig_configure(rig);
	rig_hold(rig, true);
	append = must_append(rig, 2);
	assert_true(append.committed);
	assert_false(append.awaits_flush);
	append = must_append(rig, 1);
	assert_false(append.committed);
	assert_true(append.awaits_flush);
	append = must_append(rig, 1);
	assert_true(append.awaits_flush);
	assert_int_equal(partition_high_watermark(rig->partition), 2);
	assert_true(wait_for(rig, &waiting, 4));
	rig_hold(rig, false);
	loop_until(rig, &waiting.runs);
	assert_int_equal(waiting.waiter.result, KP_NONE);
	assert_int_equal(partition_high_watermark(rig->partition), 4);
}

static void
readers_see_what_is_committed(void **state)
{
	struct rig *rig = *state;
	struct waiting waiting;
	struct partition_read read = { .node_id = NODE,
		.leader_only = true,
		.current_leader_epoch = -1,
		.last_fetched_epoch = -1,
		.max_bytes = 1 << 20,
		.min_one_batch = true };

	rig_hold(rig, true);
	must_append(rig, 1);
	assert_int_equal(partition_read(rig->partition, &read), KP_NONE);
	assert_int_equal(read.data.len, 0);
	assert_int_equal(read.high_watermark, 0);
	read.isolation = PARTITION_READ_ALL;
	assert_int_equal(partition_read(rig->partition, &read), KP_NONE);
	assert_true(read.data.len > 0);
	log_read_release(&read.data);
	assert_true(wait_for(rig, &waiting, 1));
	rig_hold(rig, false);
	loop_until(rig, &waiting.runs);
	read.isolation = PARTITION_READ_UNCOMMITTED;
	assert_int_equal(partition_read(rig->partition, &read), KP_NONE);
	assert_true(read.data.len > 0);
	assert_int_equal(read.high_watermark, 1);
	log_read_release(&read.data);
}

static void
waiters_are_told_of_trouble(void **state)
{
	struct rig *rig = *state;
	struct waiting waiting;

	rig_hold(rig, true);
	must_append(rig, 1);
	assert_true(wait_for(rig, &waiting, 1));
	/* Another epoch of the same leader changes nothing. */
	rig_lead(rig, NODE, 4);
	loop_step(rig->loop, false);
	assert_int_equal(waiting.runs, 0);
	rig_lead(rig, 2, 5);
	loop_until(rig, &waiting.runs);
	assert_int_equal(waiting.waiter.result, KP_NOT_LEADER_OR_FOLLOWER);
	assert_false(wait_for(rig, &waiting, 1));
	assert_int_equal(waiting.waiter.result, KP_NOT_LEADER_OR_FOLLOWER);

	rig_lead(rig, NODE, 6);
	assert_true(wait_for(rig, &waiting, 1));
	partition_delete(rig->partition);
	loop_until(rig, &waiting.runs);
	assert_int_equal(waiting.waiter.result, KP_UNKNOWN_TOPIC_OR_PARTITION);
}

static void
failed_sync_tells_waiters(void **state)
{
	struct rig *rig = *state;
	struct partition_append append;
	struct waiting waiting;
	struct fixture_batch batch = { .count = 1 };

	rig_hold(rig, true);
	must_append(rig, 1);
	assert_true(wait_for(rig, &waiting, 1));
	disk_fault_fail_all(&rig->store.fault, DISK_FDATASYNC, NULL, 0, EIO);
	rig_hold(rig, false);
	loop_until(rig, &waiting.runs);
	assert_int_equal(waiting.waiter.result, KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(partition_high_watermark(rig->partition), 0);
	assert_int_equal(
	    append_batch(rig, &batch, &append), KP_KAFKA_STORAGE_ERROR);
	disk_fault_clear(&rig->store.fault);
}

static void
waiting_can_end_early(void **state)
{
	struct rig *rig = *state;
	struct waiting waiting;

	rig_hold(rig, true);
	must_append(rig, 1);
	assert_true(wait_for(rig, &waiting, 1));
	assert_true(partition_unwait_hw(rig->partition, &waiting.waiter));
	assert_false(partition_unwait_hw(rig->partition, &waiting.waiter));
	assert_true(wait_for(rig, &waiting, 1));
	rig_lead(rig, 2, 5);
	assert_false(partition_unwait_hw(rig->partition, &waiting.waiter));
	loop_until(rig, &waiting.runs);
	assert_int_equal(waiting.runs, 1);
}

/* --- Reading ----------------------------------------------------------- */

static enum kp_error
read_at(struct rig *rig, int64_t offset, int32_t current_epoch,
    int32_t last_epoch, struct partition_read *read)
{
	enum kp_error error;

	*read = (struct partition_read){
		.node_id = NODE,
		.leader_only = true,
		.offset = offset,
		.current_leader_epoch = current_epoch,
		.last_fetched_epoch = last_epoch,
		.max_bytes = 1 << 20,
		.min_one_batch = true,
	};
	error = partition_read(rig->partition, read);
	if (error == KP_NONE)
		log_read_release(&read->data);
	return error;
}

static void
epochs_are_compared(void **state)
{
	struct rig *rig = *state;
	struct partition_read read;

	must_append(rig, 5);
	rig_lead(rig, NODE, 6);
	must_append(rig, 5);
	assert_int_equal(read_at(rig, 0, 5, -1, &read), KP_FENCED_LEADER_EPOCH);
	assert_int_equal(read.high_watermark, -1);
	assert_int_equal(
	    read_at(rig, 0, 7, -1, &read), KP_UNKNOWN_LEADER_EPOCH);
	assert_int_equal(read_at(rig, 0, 6, -1, &read), KP_NONE);
	assert_int_equal(read.high_watermark, 10);
	assert_int_equal(
	    read_at(rig, 11, -1, -1, &read), KP_OFFSET_OUT_OF_RANGE);
	assert_int_equal(
	    read_at(rig, -1, -1, -1, &read), KP_OFFSET_OUT_OF_RANGE);
	assert_int_equal(read_at(rig, 10, -1, -1, &read), KP_NONE);

	/* A reader whose log goes on in an epoch that ended here. */
	assert_int_equal(read_at(rig, 7, -1, 3, &read), KP_NONE);
	assert_int_equal(read.diverging_epoch, 3);
	assert_int_equal(read.diverging_end_offset, 5);
	assert_int_equal(read_at(rig, 5, -1, 3, &read), KP_NONE);
	assert_int_equal(read.diverging_epoch, -1);
	assert_int_equal(read_at(rig, 5, -1, 9, &read), KP_OFFSET_OUT_OF_RANGE);
}

static struct partition_offset
find_at(struct rig *rig, int64_t timestamp)
{
	struct partition_lookup lookup = { .node_id = NODE,
		.leader_only = true,
		.current_leader_epoch = -1,
		.timestamp = timestamp };
	struct partition_offset found;

	assert_int_equal(
	    partition_find_offset(rig->partition, &lookup, &found), KP_NONE);
	return found;
}

static void
offsets_are_found(void **state)
{
	struct rig *rig = *state;
	struct partition_append append;
	struct partition_offset found = find_at(rig, -1);
	struct leader_epoch_end end;

	assert_int_equal(found.offset, 0);
	assert_int_equal(find_at(rig, -3).offset, -1);
	assert_int_equal(
	    append_batch(rig,
		&(struct fixture_batch){ .count = 3, .timestamp_ms = 1000 },
		&append),
	    KP_NONE);
	rig_lead(rig, NODE, 4);
	assert_int_equal(
	    append_batch(rig,
		&(struct fixture_batch){ .count = 3, .timestamp_ms = 2000 },
		&append),
	    KP_NONE);
	found = find_at(rig, -1);
	assert_int_equal(found.offset, 6);
	assert_int_equal(found.timestamp, -1);
	assert_int_equal(found.leader_epoch, 4);
	found = find_at(rig, -2);
	assert_int_equal(found.offset, 0);
	assert_int_equal(found.leader_epoch, 3);
	found = find_at(rig, -3);
	assert_int_equal(found.offset, 5);
	assert_int_equal(found.timestamp, 2002);
	found = find_at(rig, 1001);
	assert_int_equal(found.offset, 1);
	assert_int_equal(found.timestamp, 1001);
	assert_int_equal(found.leader_epoch, 3);
	assert_int_equal(find_at(rig, 1500).offset, 3);
	assert_int_equal(find_at(rig, 3000).offset, -1);
	assert_int_equal(find_at(rig, -5).offset, -1);

	assert_int_equal(
	    partition_find_epoch_end(rig->partition, NODE, -1, 3, &end),
	    KP_NONE);
	assert_int_equal(end.epoch, 3);
	assert_int_equal(end.end_offset, 3);
	assert_int_equal(
	    partition_find_epoch_end(rig->partition, NODE, 3, 3, &end),
	    KP_FENCED_LEADER_EPOCH);
	assert_int_equal(end.end_offset, -1);
}

/* A new leader does not know the end before its log is committed. */
static void
the_end_is_unknown_at_first(void **state)
{
	struct rig *rig = *state;
	struct partition_lookup lookup = { .node_id = NODE,
		.leader_only = true,
		.current_leader_epoch = -1,
		.timestamp = -1 };
	struct partition_offset found;
	struct waiting waiting;

	rig_hold(rig, true);
	must_append(rig, 2);
	rig_lead(rig, NODE, 4);
	assert_int_equal(partition_find_offset(rig->partition, &lookup, &found),
	    KP_OFFSET_NOT_AVAILABLE);
	lookup.timestamp = 5000;
	assert_int_equal(partition_find_offset(rig->partition, &lookup, &found),
	    KP_OFFSET_NOT_AVAILABLE);
	lookup.timestamp = -2;
	assert_int_equal(
	    partition_find_offset(rig->partition, &lookup, &found), KP_NONE);
	assert_true(wait_for(rig, &waiting, 2));
	rig_hold(rig, false);
	loop_until(rig, &waiting.runs);
	assert_int_equal(find_at(rig, -1).offset, 2);
}

/* --- Long polls -------------------------------------------------------- */

struct polling {
	struct long_poll poll;
	struct long_poll_part parts[1];
	int runs;
};

static void
on_wakeup(struct task *task)
{
	struct wakeup *wakeup = CONTAINER_OF(task, struct wakeup, task);
	struct long_poll *poll = CONTAINER_OF(wakeup, struct long_poll, wakeup);

	CONTAINER_OF(poll, struct polling, poll)->runs++;
	long_poll_unpark(poll);
}

static struct partition_seen
seen_now(struct rig *rig)
{
	struct partition_read read;

	assert_int_equal(read_at(rig, 0, -1, -1, &read), KP_NONE);
	return read.seen;
}

static void
poll_start(struct rig *rig, struct polling *polling, struct partition_seen seen,
    int64_t missing_bytes, int64_t room_bytes)
{
	polling->runs = 0;
	long_poll_init(&polling->poll, rig->loop, on_wakeup, polling->parts, 1,
	    missing_bytes);
	long_poll_add(&polling->poll, rig->partition, seen, room_bytes);
	long_poll_park(&polling->poll);
}

static int
poll_runs(struct rig *rig, const struct polling *polling)
{
	loop_step(rig->loop, false);
	loop_step(rig->loop, false);
	return polling->runs;
}

static void
poll_wakes_at_its_bytes(void **state)
{
	struct rig *rig = *state;
	struct polling polling;
	struct partition_seen seen;
	int64_t size;

	must_append(rig, 1);
	size = log_size_bytes(rig->store.log);
	poll_start(rig, &polling, seen_now(rig), 2 * size, 1 << 20);
	must_append(rig, 1);
	assert_int_equal(poll_runs(rig, &polling), 0);
	must_append(rig, 1);
	must_append(rig, 1);
	assert_int_equal(poll_runs(rig, &polling), 1);
	must_append(rig, 1);
	assert_int_equal(poll_runs(rig, &polling), 1);
	assert_false(long_poll_claim(&polling.poll));

	/* What came between the read and the parking counts. */
	seen = seen_now(rig);
	must_append(rig, 1);
	poll_start(rig, &polling, seen, 1, 1 << 20);
	assert_int_equal(poll_runs(rig, &polling), 1);

	/* One partition counts up to what may be had of it. */
	poll_start(rig, &polling, seen_now(rig), size, size - 1);
	for (int i = 0; i < 5; i++)
		must_append(rig, 1);
	assert_int_equal(poll_runs(rig, &polling), 0);
	assert_true(long_poll_claim(&polling.poll));
	long_poll_unpark(&polling.poll);
}

static void
poll_wakes_on_changes(void **state)
{
	struct rig *rig = *state;
	struct polling polling;
	struct partition_seen seen = seen_now(rig);

	poll_start(rig, &polling, seen, 1, 100);
	rig_lead(rig, 2, 4);
	assert_int_equal(poll_runs(rig, &polling), 1);
	/* Also when the change was before the parking. */
	poll_start(rig, &polling, seen, 1, 100);
	assert_int_equal(poll_runs(rig, &polling), 1);
	rig_lead(rig, NODE, 5);
	poll_start(rig, &polling, seen_now(rig), 1, 100);
	partition_delete(rig->partition);
	assert_int_equal(poll_runs(rig, &polling), 1);
}

/* Marks merge when there are many, and nothing is forgotten by that. */
static void
poll_counts_what_is_synced(void **state)
{
	struct rig *rig = *state;
	struct polling polling;
	int64_t size;

	rig_hold(rig, true);
	must_append(rig, 1);
	size = log_size_bytes(rig->store.log);
	poll_start(rig, &polling, seen_now(rig), 20 * size, 1 << 20);
	for (int i = 1; i < 20; i++)
		must_append(rig, 1);
	assert_int_equal(poll_runs(rig, &polling), 0);
	rig_hold(rig, false);
	loop_until(rig, &polling.runs);
	assert_int_equal(partition_high_watermark(rig->partition), 20);
}

#define TEST_OS(f) cmocka_unit_test_setup_teardown(f, setup_os, teardown)
#define TEST_ACKED(f) cmocka_unit_test_setup_teardown(f, setup_acked, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OS(os_commits_at_once),
		TEST_OS(errors_of_appends),
		TEST_OS(only_the_leader_appends),
		TEST_OS(too_few_replicas),
		TEST_OS(no_more_replicas_are_asked_for_than_there_are),
		TEST_OS(repeats_are_not_appended),
		TEST_OS(stored_with_offset_and_epoch),
		TEST_OS(append_time_is_stored),
		TEST_OS(the_topics_codec_is_stored),
		TEST_OS(the_topics_level_is_taken),
		TEST_ACKED(acked_takes_no_watermark_on_trust),
		TEST_ACKED(acked_waits_for_the_sync),
		TEST_OS(so_many_messages_wait_for_their_sync),
		TEST_ACKED(readers_see_what_is_committed),
		TEST_ACKED(waiters_are_told_of_trouble),
		TEST_ACKED(failed_sync_tells_waiters),
		TEST_ACKED(waiting_can_end_early),
		TEST_OS(epochs_are_compared),
		TEST_OS(offsets_are_found),
		TEST_ACKED(the_end_is_unknown_at_first),
		TEST_OS(poll_wakes_at_its_bytes),
		TEST_OS(poll_wakes_on_changes),
		TEST_ACKED(poll_counts_what_is_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
