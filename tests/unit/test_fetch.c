/* Fetch, ListOffsets and OffsetForLeaderEpoch, over real connections. */
#include "unit/api_rig.h"

#include <fcntl.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "net/network.h"
#include "store/log.h"
#include "wire/batch_builder.h"
#include "wire/control_record.h"
#include "wire/generated/delete_records.h"
#include "wire/generated/fetch.h"
#include "wire/generated/list_offsets.h"
#include "wire/generated/offset_for_leader_epoch.h"

/* A test may have what is in memory read by the pool as well. */
static atomic_bool cold;

static bool
try_resolve(struct log_read *read, struct worker_pool *pool,
    enum kp_error *error)
{
	*error = KP_NONE;
	return !atomic_load(&cold) && log_read_try_resolve(read, pool, error);
}

#define log_read_try_resolve try_resolve
#include "api/fetch_read.c"
#undef log_read_try_resolve

#define KEY KP_FETCH_KEY
#define PARTITIONS 3

struct setting {
	struct api_rig rig;
	struct api_client client;
	struct uuid id;
	struct partition *partitions[PARTITIONS];
	/* A request for the first partition from offset 0, to be changed. */
	struct kp_fetch_request body;
	struct kp_fetch_request_topic topic;
	struct kp_fetch_request_partition wanted[PARTITIONS + 1];
};

static int
setup(void **state)
{
	struct setting *setting = xcalloc(1, sizeof(*setting));

	log_set_level(LOG_ERROR);
	api_rig_init(&setting->rig, false);
	setting->id = api_rig_topic(&setting->rig, "topic", PARTITIONS);
	for (int32_t i = 0; i < PARTITIONS; i++)
		setting->partitions[i] =
		    api_rig_partition(&setting->rig, "topic", i);
	api_client_init(&setting->client, &setting->rig);
	kp_defaults(&kp_fetch_request, &setting->body);
	setting->body.replica_id = -1;
	setting->body.replica_state.replica_id = -1;
	setting->body.min_bytes = 1;
	setting->body.max_bytes = 1 << 20;
	setting->body.session_epoch = -1;
	setting->body.topics = &setting->topic;
	setting->body.topics_count = 1;
	setting->topic.topic = slice_str("topic");
	setting->topic.topic_id = setting->id;
	setting->topic.partitions = setting->wanted;
	setting->topic.partitions_count = 1;
	for (int32_t i = 0; i <= PARTITIONS; i++) {
		kp_defaults_struct(
		    &kp_fetch_request_partition_struct, &setting->wanted[i]);
		setting->wanted[i].partition = i;
		setting->wanted[i].partition_max_bytes = 1 << 20;
	}
	*state = setting;
	return 0;
}

static int
teardown(void **state)
{
	struct setting *setting = *state;

	for (int32_t i = 0; i < PARTITIONS; i++)
		partition_unref(setting->partitions[i]);
	api_client_fini(&setting->client);
	api_rig_fini(&setting->rig);
	free(setting);
	return 0;
}

/* Append a batch as a coordinator does; its size. */
static size_t
append_bytes(struct setting *setting, int32_t partition, struct buf *bytes)
{
	struct partition_append append = {
		.node_id = RIG_NODE,
		.origin = LOG_COORDINATOR,
		.data = bytes->data,
		.len = bytes->len,
	};

	assert_int_equal(
	    partition_append(setting->partitions[partition], &append), KP_NONE);
	buf_fini(bytes);
	return append.len;
}

/* Append a batch of count records of 100 bytes; its size. */
static size_t
append_with(struct setting *setting, int32_t partition, int count,
    int64_t timestamp, const struct batch_options *options)
{
	static const uint8_t value[100];
	struct batch_builder builder;
	struct buf bytes;

	buf_init(&bytes, 1 << 24);
	batch_builder_init(&builder, options, &bytes);
	for (int i = 0; i < count; i++)
		assert_int_equal(
		    batch_builder_add(&builder, timestamp + i, SLICE_NULL,
			slice_of(value, sizeof(value))),
		    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	return append_bytes(setting, partition, &bytes);
}

static size_t
append_at(
    struct setting *setting, int32_t partition, int count, int64_t timestamp)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;

	return append_with(setting, partition, count, timestamp, &options);
}

/* Append one record of a producer's transaction. */
static size_t
append_in_txn(struct setting *setting, int64_t producer_id, int32_t sequence)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;

	options.producer_id = producer_id;
	options.producer_epoch = 0;
	options.base_sequence = sequence;
	options.transactional = true;
	return append_with(setting, 0, 1, 1000, &options);
}

static size_t
append_marker(struct setting *setting, int64_t producer_id, bool commit)
{
	struct control_record_marker marker = {
		.producer_id = producer_id,
		.commit = commit,
	};
	struct buf bytes;

	buf_init(&bytes, 1 << 10);
	assert_int_equal(
	    control_record_marker_append(&marker, 0, 0, 2000, &bytes), 0);
	return append_bytes(setting, 0, &bytes);
}

static size_t
append(struct setting *setting, int32_t partition, int count)
{
	return append_at(setting, partition, count, 1000);
}

static struct kp_fetch_response *
fetch_all(struct setting *setting, int16_t version)
{
	return api_client_call(&setting->client, KEY, version, &setting->body);
}

static const struct kp_fetch_response_partition *
fetch_at(struct setting *setting, int16_t version)
{
	struct kp_fetch_response *response = fetch_all(setting, version);

	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->responses_count, 1);
	return response->responses[0].partitions;
}

/* --- Records ----------------------------------------------------------- */

static void
every_version(void **state)
{
	struct setting *setting = *state;
	size_t len = append(setting, 0, 3);

	for (int16_t version = 4; version <= 18; version++) {
		const struct kp_fetch_response_partition *answer =
		    fetch_at(setting, version);
		struct batch batch;

		assert_int_equal(answer->error_code, KP_NONE);
		assert_int_equal(answer->high_watermark, 3);
		assert_int_equal(answer->last_stable_offset, 3);
		assert_int_equal(answer->records.bytes.len, len);
		assert_int_equal(batch_read(answer->records.bytes, &batch), 0);
		assert_int_equal(batch.base_offset, 0);
		assert_int_equal(batch.record_count, 3);
		assert_int_equal(answer->aborted_transactions_count, -1);
	}
	setting->body.isolation_level = 1;
	assert_int_equal(fetch_at(setting, 12)->aborted_transactions_count, 0);
}

/* Large answers leave by another way than small ones. */
static void
sizes_of_answers(void **state)
{
	struct setting *setting = *state;
	size_t total = 0;

	for (int i = 0; i < 300; i++)
		total += append(setting, 0, 20);
	setting->body.max_bytes = 1 << 30;
	setting->wanted[0].partition_max_bytes = 1 << 30;
	assert_int_equal(fetch_at(setting, 12)->records.bytes.len, total);
	for (int64_t offset = 0; offset < 6000; offset += 77) {
		const struct kp_fetch_response_partition *answer;
		struct batch batch;

		setting->wanted[0].fetch_offset = offset;
		setting->wanted[0].partition_max_bytes = 50000;
		answer = fetch_at(setting, 12);
		assert_int_equal(answer->error_code, KP_NONE);
		assert_int_equal(batch_read(answer->records.bytes, &batch), 0);
		assert_int_equal(batch.base_offset, offset / 20 * 20);
		assert_true(batch_crc_valid(
		    slice_of(answer->records.bytes.data, batch.size_bytes)));
		assert_true(answer->records.bytes.len <= 50000);
	}
}

static void
the_first_batch_is_whole(void **state)
{
	struct setting *setting = *state;
	struct kp_fetch_response *response;
	size_t len = append(setting, 0, 10);

	append(setting, 1, 10);
	setting->topic.partitions_count = 2;
	setting->body.max_bytes = 10;
	response = fetch_all(setting, 12);
	assert_int_equal(
	    response->responses[0].partitions[0].records.bytes.len, len);
	assert_int_equal(
	    response->responses[0].partitions[1].records.bytes.len, 0);
	assert_int_equal(
	    response->responses[0].partitions[1].high_watermark, 10);
	setting->body.max_bytes = 0;
	assert_int_equal(fetch_at(setting, 12)->records.bytes.len, len);
	setting->body.max_bytes = 1 << 20;
	setting->wanted[0].partition_max_bytes = 0;
	assert_int_equal(fetch_at(setting, 12)->records.bytes.len, len);
}

static void
errors_of_partitions(void **state)
{
	struct setting *setting = *state;
	const struct kp_fetch_response_partition *answer;

	append(setting, 0, 2);
	setting->wanted[0].fetch_offset = 3;
	answer = fetch_at(setting, 12);
	assert_int_equal(answer->error_code, KP_OFFSET_OUT_OF_RANGE);
	assert_int_equal(answer->high_watermark, -1);
	assert_int_equal(answer->log_start_offset, -1);
	assert_int_equal(answer->aborted_transactions_count, -1);
	assert_false(slice_is_null(answer->records.bytes));
	setting->wanted[0].fetch_offset = -1;
	assert_int_equal(
	    fetch_at(setting, 12)->error_code, KP_OFFSET_OUT_OF_RANGE);
	setting->wanted[0].fetch_offset = 0;
	setting->wanted[0].current_leader_epoch = 5;
	assert_int_equal(
	    fetch_at(setting, 12)->error_code, KP_UNKNOWN_LEADER_EPOCH);
	setting->wanted[0].current_leader_epoch = -1;
	setting->wanted[0].partition_max_bytes = -1;
	assert_int_equal(
	    fetch_at(setting, 12)->error_code, KP_UNKNOWN_SERVER_ERROR);
	setting->wanted[0].partition = 9;
	answer = fetch_at(setting, 12);
	assert_int_equal(answer->error_code, KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(answer->aborted_transactions_count, 0);
	setting->topic.topic_id = (struct uuid){ { 4 } };
	assert_int_equal(
	    fetch_at(setting, 13)->error_code, KP_UNKNOWN_TOPIC_ID);
	setting->body.isolation_level = 7;
	assert_int_equal(
	    fetch_all(setting, 13)->error_code, KP_UNKNOWN_SERVER_ERROR);
}

static void
a_reader_that_parted_is_told(void **state)
{
	struct setting *setting = *state;
	const struct kp_fetch_response_partition *answer;

	append(setting, 0, 4);
	setting->wanted[0].fetch_offset = 4;
	setting->wanted[0].last_fetched_epoch = 3;
	assert_int_equal(
	    fetch_at(setting, 12)->error_code, KP_OFFSET_OUT_OF_RANGE);
	setting->wanted[0].last_fetched_epoch = 0;
	answer = fetch_at(setting, 12);
	assert_int_equal(answer->error_code, KP_NONE);
	assert_int_equal(answer->diverging_epoch.end_offset, -1);
}

/* Who says that he is a follower is one, and not this broker itself. */
static void
only_followers_read_as_such(void **state)
{
	struct setting *setting = *state;

	append(setting, 0, 1);
	setting->body.replica_id = RIG_NODE + 1;
	setting->body.replica_state.replica_id = RIG_NODE + 1;
	assert_int_equal(
	    fetch_at(setting, 12)->error_code, KP_NOT_LEADER_OR_FOLLOWER);
	setting->body.replica_id = RIG_NODE;
	setting->body.replica_state.replica_id = RIG_NODE;
	assert_int_equal(
	    fetch_at(setting, 12)->error_code, KP_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(
	    fetch_at(setting, 17)->error_code, KP_NOT_LEADER_OR_FOLLOWER);
}

/* A closed segment is read by its index, and the read ends with it. */
static void
older_segments(void **state)
{
	struct setting *setting = *state;
	struct log *log = setting->partitions[0]->log;
	size_t first = append(setting, 0, 5);
	size_t second;

	log_lock(log);
	assert_int_equal(log_roll(log, clock_wall_ms()), 0);
	log_unlock(log);
	second = append(setting, 0, 6);
	setting->body.min_bytes = 1 << 20;
	setting->body.max_wait_ms = 20000;
	assert_int_equal(fetch_at(setting, 12)->records.bytes.len, first);
	setting->body.min_bytes = 1;
	setting->wanted[0].fetch_offset = 5;
	assert_int_equal(fetch_at(setting, 12)->records.bytes.len, second);
}

/* Let the system forget what it has of the log's files. */
static void
forget_pages(struct log *log)
{
	struct log_read read = {
		.upper_bound = INT64_MAX, .max_bytes = 1, .min_one_batch = true
	};

	assert_int_equal(log_flush_all(log), 0);
	log_lock(log);
	assert_int_equal(log_read(log, &read), KP_NONE);
	log_unlock(log);
	assert_int_equal(log_read_resolve(&read), KP_NONE);
	assert_int_equal(posix_fadvise(read.fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	log_read_release(&read);
}

/* Several clients at once, on partitions whose segments have left memory. */
static void
cold_data_is_read(void **state)
{
	struct setting *setting = *state;
	struct api_client other;
	struct kp_fetch_response *response;
	size_t total[PARTITIONS] = { 0 };

	for (int32_t i = 0; i < PARTITIONS; i++) {
		struct log *log = setting->partitions[i]->log;

		for (int j = 0; j < 50; j++)
			total[i] += append(setting, i, 100);
		log_lock(log);
		assert_int_equal(log_roll(log, clock_wall_ms()), 0);
		log_unlock(log);
		append(setting, i, 1);
		forget_pages(log);
		/* Twice, so that indexes are given up as well. */
		log_tidy(log, clock_monotonic_ms());
		log_tidy(log, clock_monotonic_ms());
	}
	setting->topic.partitions_count = PARTITIONS;
	setting->body.max_bytes = 1 << 30;
	api_client_init(&other, &setting->rig);
	api_client_send(&other, KEY, 12, &setting->body);
	for (int round = 0; round < 2; round++) {
		response = fetch_all(setting, 12);
		for (int32_t i = 0; i < PARTITIONS; i++)
			assert_int_equal(response->responses[0]
					     .partitions[i]
					     .records.bytes.len,
			    total[i]);
	}
	response = api_client_receive(&other, KEY, 12);
	assert_int_equal(
	    response->responses[0].partitions[2].records.bytes.len, total[2]);
	api_client_fini(&other);
}

/* --- Waiting ----------------------------------------------------------- */

static void
data_ends_the_wait(void **state)
{
	struct setting *setting = *state;
	struct kp_fetch_response *response;

	setting->body.max_wait_ms = 20000;
	setting->topic.partitions_count = PARTITIONS;
	api_client_send(&setting->client, KEY, 12, &setting->body);
	assert_true(api_client_quiet(&setting->client, 30));
	append(setting, 2, 1);
	response = api_client_receive(&setting->client, KEY, 12);
	assert_true(response->responses[0].partitions[2].records.bytes.len > 0);

	/* As many bytes as were asked for. */
	setting->body.min_bytes = 1000;
	for (int32_t i = 0; i < PARTITIONS; i++)
		setting->wanted[i].fetch_offset = i == 2;
	api_client_send(&setting->client, KEY, 12, &setting->body);
	append(setting, 0, 1);
	append(setting, 1, 1);
	assert_true(api_client_quiet(&setting->client, 30));
	append(setting, 2, 10);
	response = api_client_receive(&setting->client, KEY, 12);
	for (int32_t i = 0; i < PARTITIONS; i++)
		assert_true(
		    response->responses[0].partitions[i].records.bytes.len > 0);
}

/*
 * What a part of a batch would fill up is there as far as min_bytes counts,
 * although the answer ends with a whole one.
 */
static void
a_full_partition_ends_the_wait(void **state)
{
	struct setting *setting = *state;
	size_t len = append(setting, 0, 5);

	for (int i = 0; i < 100; i++)
		append(setting, 0, 5);
	setting->body.max_wait_ms = INT32_MAX;
	setting->body.min_bytes = (int32_t)len * 5 / 2;
	setting->wanted[0].partition_max_bytes = setting->body.min_bytes;
	/* At the tail, whose places are in memory, and far from it. */
	setting->wanted[0].fetch_offset = 98 * 5;
	assert_int_equal(fetch_at(setting, 12)->records.bytes.len, 2 * len);
	setting->body.min_bytes = 10000;
	setting->wanted[0].partition_max_bytes = setting->body.min_bytes;
	setting->wanted[0].fetch_offset = 0;
	len = fetch_at(setting, 12)->records.bytes.len;
	assert_in_range(len, 1, 9999);
}

static void
time_ends_the_wait(void **state)
{
	struct setting *setting = *state;
	int64_t began = clock_monotonic_ms();
	const struct kp_fetch_response_partition *answer;

	setting->body.max_wait_ms = 60;
	answer = fetch_at(setting, 12);
	assert_true(clock_monotonic_ms() - began >= 60);
	assert_int_equal(answer->error_code, KP_NONE);
	assert_int_equal(answer->records.bytes.len, 0);
	assert_int_equal(answer->high_watermark, 0);
}

static void
errors_end_the_wait(void **state)
{
	struct setting *setting = *state;
	int64_t began = clock_monotonic_ms();

	setting->body.max_wait_ms = 20000;
	setting->wanted[0].fetch_offset = 9;
	setting->topic.partitions_count = 2;
	assert_int_equal(
	    fetch_at(setting, 12)->error_code, KP_OFFSET_OUT_OF_RANGE);
	/* Only partitions that are not there: nothing to wait for. */
	setting->wanted[0].partition = 77;
	setting->topic.partitions_count = 1;
	assert_int_equal(
	    fetch_at(setting, 12)->error_code, KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_true(clock_monotonic_ms() - began < 10000);
	/* Beside a good one they do not count. */
	setting->wanted[1].partition = 0;
	setting->topic.partitions_count = 2;
	setting->body.max_wait_ms = 60;
	began = clock_monotonic_ms();
	fetch_all(setting, 12);
	assert_true(clock_monotonic_ms() - began >= 60);
}

static void
deletion_ends_the_wait(void **state)
{
	struct setting *setting = *state;
	struct kp_fetch_response *response;
	int16_t error;

	setting->body.max_wait_ms = 20000;
	api_client_send(&setting->client, KEY, 13, &setting->body);
	assert_true(api_client_quiet(&setting->client, 30));
	api_rig_delete(&setting->rig, setting->id);
	response = api_client_receive(&setting->client, KEY, 13);
	error = response->responses[0].partitions[0].error_code;
	/* The partition goes before its topic's id; either may be seen. */
	assert_true(error == KP_UNKNOWN_TOPIC_OR_PARTITION ||
	    error == KP_UNKNOWN_TOPIC_ID);
}

static void
clients_may_leave_while_waiting(void **state)
{
	struct setting *setting = *state;
	struct api_client other;

	setting->body.max_wait_ms = 20000;
	for (int i = 0; i < 20; i++) {
		api_client_init(&other, &setting->rig);
		api_client_send(&other, KEY, 12, &setting->body);
		if (i % 2 == 0)
			assert_true(api_client_quiet(&other, 2));
		api_client_fini(&other);
	}
	append(setting, 0, 1);
	assert_true(fetch_at(setting, 12)->records.bytes.len > 0);
}

static atomic_int unblocked;

struct blocker {
	struct task task;
	struct api_rig *rig;
};

static void
block(struct task *task)
{
	struct api_rig *rig = CONTAINER_OF(task, struct blocker, task)->rig;

	pthread_mutex_lock(&rig->mutex);
	while (rig->held)
		pthread_cond_wait(&rig->changed, &rig->mutex);
	pthread_mutex_unlock(&rig->mutex);
	atomic_fetch_add(&unblocked, 1);
}

static struct network_counters
counters_of(const struct setting *setting)
{
	struct network_counters counters;

	network_counters(setting->rig.network, &counters);
	return counters;
}

/* Both threads of the pool are held up while the client goes away. */
static void
clients_may_leave_while_the_pool_reads(void **state)
{
	struct setting *setting = *state;
	struct blocker blockers[2];
	struct api_client other;

	append(setting, 0, 1);
	atomic_store(&unblocked, 0);
	atomic_store(&cold, true);
	api_rig_hold(&setting->rig, true);
	for (int i = 0; i < 2; i++) {
		blockers[i] = (struct blocker){ .task.run = block,
			.rig = &setting->rig };
		worker_pool_post(
		    setting->rig.server.cold_reads, &blockers[i].task);
	}
	setting->body.min_bytes = 1 << 20;
	setting->body.max_wait_ms = INT32_MAX;
	api_client_init(&other, &setting->rig);
	api_client_send(&other, KEY, 12, &setting->body);
	while (counters_of(setting).frames == 0)
		sched_yield();
	api_client_fini(&other);
	while (counters_of(setting).closed == 0)
		sched_yield();
	/* Once the read is done nobody waits: the rig stops in time. */
	api_rig_hold(&setting->rig, false);
	while (atomic_load(&unblocked) < 2)
		sched_yield();
	atomic_store(&cold, false);
	setting->body.max_wait_ms = 0;
	assert_true(fetch_at(setting, 12)->records.bytes.len > 0);
}

/* --- Transactions ------------------------------------------------------ */

static void
expect_aborted(const struct kp_fetch_response_partition *answer, int32_t at,
    int64_t producer_id, int64_t first_offset)
{
	assert_in_range(at, 0, answer->aborted_transactions_count - 1);
	assert_int_equal(
	    answer->aborted_transactions[at].producer_id, producer_id);
	assert_int_equal(
	    answer->aborted_transactions[at].first_offset, first_offset);
}

static void
open_transactions_are_not_read(void **state)
{
	struct setting *setting = *state;
	const struct kp_fetch_response_partition *answer;
	size_t plain = append(setting, 0, 1);
	size_t total = plain;

	total += append_in_txn(setting, 7, 0);
	total += append_in_txn(setting, 8, 0);
	total += append_marker(setting, 8, false);
	answer = fetch_at(setting, 12);
	assert_int_equal(answer->records.bytes.len, total);
	assert_int_equal(answer->high_watermark, 4);
	assert_int_equal(answer->last_stable_offset, 1);
	assert_int_equal(answer->aborted_transactions_count, -1);

	setting->body.isolation_level = 1;
	answer = fetch_at(setting, 12);
	assert_int_equal(answer->records.bytes.len, plain);
	assert_int_equal(answer->high_watermark, 4);
	assert_int_equal(answer->last_stable_offset, 1);
	assert_int_equal(answer->aborted_transactions_count, 0);

	total += append_marker(setting, 7, true);
	answer = fetch_at(setting, 12);
	assert_int_equal(answer->records.bytes.len, total);
	assert_int_equal(answer->last_stable_offset, 5);
	assert_int_equal(answer->aborted_transactions_count, 1);
	expect_aborted(answer, 0, 8, 2);
	/* Behind its marker nobody needs to know of it. */
	setting->wanted[0].fetch_offset = 4;
	assert_int_equal(fetch_at(setting, 12)->aborted_transactions_count, 0);
	setting->wanted[0].fetch_offset = 0;
}

/* The marker of what is read may be segments ahead. */
static void
aborts_are_found_in_later_segments(void **state)
{
	struct setting *setting = *state;
	struct log *log = setting->partitions[0]->log;
	const struct kp_fetch_response_partition *answer;

	append_in_txn(setting, 7, 0);
	for (int i = 0; i < 3; i++) {
		log_lock(log);
		assert_int_equal(log_roll(log, 0), 0);
		log_unlock(log);
		append(setting, 0, 1);
	}
	append_in_txn(setting, 7, 1);
	append_marker(setting, 7, false);
	log_lock(log);
	assert_int_equal(log_roll(log, 0), 0);
	log_unlock(log);
	append_in_txn(setting, 7, 2);
	append_marker(setting, 7, false);

	setting->body.isolation_level = 1;
	answer = fetch_at(setting, 12);
	assert_int_equal(answer->last_stable_offset, 8);
	assert_int_equal(answer->aborted_transactions_count, 1);
	expect_aborted(answer, 0, 7, 0);
	/* The index has been written and dropped since. */
	assert_int_equal(log_tidy(log, 0), INT64_MAX);
	assert_int_equal(log_tidy(log, 0), INT64_MAX);
	answer = fetch_at(setting, 12);
	assert_int_equal(answer->aborted_transactions_count, 1);
	expect_aborted(answer, 0, 7, 0);
	setting->wanted[0].fetch_offset = 6;
	answer = fetch_at(setting, 12);
	assert_int_equal(answer->aborted_transactions_count, 1);
	expect_aborted(answer, 0, 7, 6);
}

static void
the_end_of_a_transaction_ends_the_wait(void **state)
{
	struct setting *setting = *state;
	struct kp_fetch_response *response;

	setting->body.isolation_level = 1;
	setting->body.max_wait_ms = 20000;
	append_in_txn(setting, 7, 0);
	api_client_send(&setting->client, KEY, 12, &setting->body);
	for (int32_t i = 1; i < 20; i++)
		append_in_txn(setting, 7, i);
	assert_true(api_client_quiet(&setting->client, 30));
	append_marker(setting, 7, true);
	response = api_client_receive(&setting->client, KEY, 12);
	assert_true(response->responses[0].partitions[0].records.bytes.len > 0);
	assert_int_equal(
	    response->responses[0].partitions[0].last_stable_offset, 21);
}

/* --- Sessions ---------------------------------------------------------- */

static void
sessions_tell_what_is_new(void **state)
{
	struct setting *setting = *state;
	struct kp_fetch_response *response;
	int32_t id;

	append(setting, 1, 1);
	setting->topic.partitions_count = PARTITIONS;
	setting->body.session_epoch = 0;
	response = fetch_all(setting, 12);
	id = response->session_id;
	assert_true(id > 0);
	assert_int_equal(response->responses[0].partitions_count, PARTITIONS);

	/* The client has read partition 1; nothing else is new. */
	setting->body.session_id = id;
	setting->body.session_epoch = 1;
	setting->topic.partitions = &setting->wanted[1];
	setting->topic.partitions_count = 1;
	setting->wanted[1].fetch_offset = 1;
	response = fetch_all(setting, 12);
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->session_id, id);
	assert_int_equal(response->responses_count, 0);

	/* Something new in a partition that is not named any more. */
	append(setting, 2, 1);
	setting->body.topics_count = 0;
	setting->body.session_epoch = 2;
	response = fetch_all(setting, 12);
	assert_int_equal(response->responses_count, 1);
	assert_int_equal(response->responses[0].partitions_count, 1);
	assert_int_equal(
	    response->responses[0].partitions[0].partition_index, 2);
	assert_true(slice_equal_str(response->responses[0].topic, "topic"));

	/* The same epoch again, then a session that is not there. */
	assert_int_equal(
	    fetch_all(setting, 12)->error_code, KP_INVALID_FETCH_SESSION_EPOCH);
	setting->body.session_epoch = 3;
	assert_int_equal(fetch_all(setting, 13)->error_code,
	    KP_FETCH_SESSION_TOPIC_ID_ERROR);
	setting->body.session_id = id ^ 1;
	response = fetch_all(setting, 12);
	assert_int_equal(response->error_code, KP_FETCH_SESSION_ID_NOT_FOUND);
	assert_int_equal(response->session_id, 0);
}

static void
sessions_wait_too(void **state)
{
	struct setting *setting = *state;
	struct kp_fetch_response *response;

	setting->topic.partitions_count = PARTITIONS;
	setting->body.session_epoch = 0;
	response = fetch_all(setting, 17);
	setting->body.session_id = response->session_id;
	setting->body.session_epoch = 1;
	setting->body.topics_count = 0;
	setting->body.max_wait_ms = 20000;
	api_client_send(&setting->client, KEY, 17, &setting->body);
	assert_true(api_client_quiet(&setting->client, 30));
	append(setting, 1, 1);
	response = api_client_receive(&setting->client, KEY, 17);
	assert_int_equal(response->responses_count, 1);
	assert_int_equal(
	    response->responses[0].partitions[0].partition_index, 1);
	assert_true(uuid_equal(response->responses[0].topic_id, setting->id));
}

/* --- Lookups ----------------------------------------------------------- */

static const struct kp_list_offsets_response_partition *
list_at(struct setting *setting, int16_t version, int64_t timestamp)
{
	struct kp_list_offsets_request_partition partition;
	struct kp_list_offsets_request_topic topic = {
		.name = slice_str("topic"),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_list_offsets_request body;
	struct kp_list_offsets_response *response;

	kp_defaults_struct(
	    &kp_list_offsets_request_partition_struct, &partition);
	kp_defaults(&kp_list_offsets_request, &body);
	partition.timestamp = timestamp;
	body.replica_id = -1;
	body.topics = &topic;
	body.topics_count = 1;
	response = api_client_call(
	    &setting->client, KP_LIST_OFFSETS_KEY, version, &body);
	assert_int_equal(response->topics_count, 1);
	assert_int_equal(response->topics[0].partitions_count, 1);
	return response->topics[0].partitions;
}

static void
offsets_are_listed(void **state)
{
	struct setting *setting = *state;
	const struct kp_list_offsets_response_partition *found;

	append_at(setting, 0, 3, 1000);
	append_at(setting, 0, 3, 2000);
	for (int16_t version = 1; version <= 11; version++) {
		assert_int_equal(list_at(setting, version, -1)->offset, 6);
		assert_int_equal(list_at(setting, version, -2)->offset, 0);
		found = list_at(setting, version, 1500);
		assert_int_equal(found->offset, 3);
		assert_int_equal(found->timestamp, 2000);
		assert_int_equal(list_at(setting, version, 9999)->offset, -1);
		assert_int_equal(list_at(setting, version, -7)->error_code,
		    KP_UNSUPPORTED_VERSION);
	}
	assert_int_equal(list_at(setting, 7, -3)->offset, 5);
	assert_int_equal(
	    list_at(setting, 6, -3)->error_code, KP_UNSUPPORTED_VERSION);
	assert_int_equal(list_at(setting, 8, -4)->offset, 0);
	found = list_at(setting, 9, -5);
	assert_int_equal(found->error_code, KP_NONE);
	assert_int_equal(found->offset, -1);
	assert_int_equal(
	    list_at(setting, 10, -6)->error_code, KP_UNSUPPORTED_VERSION);
	assert_int_equal(list_at(setting, 11, INT64_MIN)->error_code,
	    KP_UNSUPPORTED_VERSION);
}

static void
listed_twice_is_refused(void **state)
{
	struct setting *setting = *state;
	struct kp_list_offsets_request_partition partitions[3];
	struct kp_list_offsets_request_topic topic = {
		.name = slice_str("topic"),
		.partitions = partitions,
		.partitions_count = 3,
	};
	struct kp_list_offsets_request body;
	struct kp_list_offsets_response *response;

	kp_defaults(&kp_list_offsets_request, &body);
	body.replica_id = -1;
	body.topics = &topic;
	body.topics_count = 1;
	for (int i = 0; i < 3; i++) {
		kp_defaults_struct(
		    &kp_list_offsets_request_partition_struct, &partitions[i]);
		partitions[i].partition_index = i == 1;
		partitions[i].timestamp = -1;
	}
	response =
	    api_client_call(&setting->client, KP_LIST_OFFSETS_KEY, 7, &body);
	assert_int_equal(response->topics[0].partitions_count, 2);
	assert_int_equal(
	    response->topics[0].partitions[0].error_code, KP_INVALID_REQUEST);
	assert_int_equal(response->topics[0].partitions[1].error_code, KP_NONE);
}

static const struct kp_delete_records_response_partition *
delete_at(struct setting *setting, int64_t offset)
{
	struct kp_delete_records_request_partition partition = { 0, offset };
	struct kp_delete_records_request_topic topic = {
		.name = slice_str("topic"),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_delete_records_request body = { &topic, 1, 1000 };
	struct kp_delete_records_response *response =
	    api_client_call(&setting->client, KP_DELETE_RECORDS_KEY, 2, &body);

	return response->topics[0].partitions;
}

static void
records_are_deleted(void **state)
{
	struct setting *setting = *state;

	append(setting, 0, 4);
	append(setting, 0, 4);
	assert_int_equal(
	    delete_at(setting, 9)->error_code, KP_OFFSET_OUT_OF_RANGE);
	assert_int_equal(
	    delete_at(setting, -2)->error_code, KP_OFFSET_OUT_OF_RANGE);
	assert_int_equal(delete_at(setting, 3)->low_watermark, 3);
	assert_int_equal(delete_at(setting, 1)->low_watermark, 3);
	assert_int_equal(
	    fetch_at(setting, 12)->error_code, KP_OFFSET_OUT_OF_RANGE);
	assert_int_equal(list_at(setting, 4, -2)->offset, 3);
	setting->wanted[0].fetch_offset = 3;
	assert_int_equal(fetch_at(setting, 12)->log_start_offset, 3);
	assert_int_equal(delete_at(setting, -1)->low_watermark, 8);
	api_rig_config(&setting->rig, "topic", "cleanup.policy", "compact");
	assert_int_equal(
	    delete_at(setting, -1)->error_code, KP_POLICY_VIOLATION);
	assert_int_equal(delete_at(setting, -1)->low_watermark, -1);
}

static void
epoch_ends_are_told(void **state)
{
	struct setting *setting = *state;
	struct kp_offset_for_leader_epoch_request_partition partition;
	struct kp_offset_for_leader_epoch_request_topic topic = {
		.topic = slice_str("topic"),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_offset_for_leader_epoch_request body = { -1, &topic, 1 };

	append(setting, 0, 4);
	for (int16_t version = 2; version <= 4; version++) {
		struct kp_offset_for_leader_epoch_response *response;

		partition =
		    (struct kp_offset_for_leader_epoch_request_partition){ 0,
			    -1, 0 };
		response = api_client_call(&setting->client,
		    KP_OFFSET_FOR_LEADER_EPOCH_KEY, version, &body);
		assert_int_equal(
		    response->topics[0].partitions[0].leader_epoch, 0);
		assert_int_equal(
		    response->topics[0].partitions[0].end_offset, 4);
		partition.leader_epoch = 5;
		response = api_client_call(&setting->client,
		    KP_OFFSET_FOR_LEADER_EPOCH_KEY, version, &body);
		assert_int_equal(
		    response->topics[0].partitions[0].error_code, KP_NONE);
		assert_int_equal(
		    response->topics[0].partitions[0].end_offset, -1);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_version),
		TEST(sizes_of_answers),
		TEST(the_first_batch_is_whole),
		TEST(errors_of_partitions),
		TEST(a_reader_that_parted_is_told),
		TEST(only_followers_read_as_such),
		TEST(older_segments),
		TEST(cold_data_is_read),
		TEST(data_ends_the_wait),
		TEST(a_full_partition_ends_the_wait),
		TEST(time_ends_the_wait),
		TEST(errors_end_the_wait),
		TEST(deletion_ends_the_wait),
		TEST(clients_may_leave_while_waiting),
		TEST(clients_may_leave_while_the_pool_reads),
		TEST(open_transactions_are_not_read),
		TEST(aborts_are_found_in_later_segments),
		TEST(the_end_of_a_transaction_ends_the_wait),
		TEST(sessions_tell_what_is_new),
		TEST(sessions_wait_too),
		TEST(offsets_are_listed),
		TEST(listed_twice_is_refused),
		TEST(records_are_deleted),
		TEST(epoch_ends_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
