#include "e2e/raw_txn.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "unit/unit.h"
#include "wire/batch_builder.h"
#include "wire/generated/add_offsets_to_txn.h"
#include "wire/generated/add_partitions_to_txn.h"
#include "wire/generated/describe_producers.h"
#include "wire/generated/describe_transactions.h"
#include "wire/generated/end_txn.h"
#include "wire/generated/fetch.h"
#include "wire/generated/init_producer_id.h"
#include "wire/generated/list_offsets.h"
#include "wire/generated/produce.h"
#include "wire/generated/txn_offset_commit.h"
#include "wire/generated/write_txn_markers.h"

#define DEADLINE_MS 30000
#define RETRY_US 5000

struct raw_txn *
raw_txn_new(const struct broker_process *broker)
{
	static int number;
	struct raw_txn *producer = xcalloc(1, sizeof(*producer));

	raw_client_init(&producer->client, broker);
	snprintf(producer->id, sizeof(producer->id), "id-%d", number++);
	producer->producer_id = -1;
	producer->epoch = -1;
	producer->timeout_ms = RAW_TXN_TIMEOUT_MS;
	return producer;
}

void
raw_txn_free(struct raw_txn *producer)
{
	raw_client_fini(&producer->client);
	free(producer);
}

void
raw_txn_pause(int64_t started_ms)
{
	assert_true(clock_monotonic_ms() - started_ms < DEADLINE_MS);
	usleep(RETRY_US);
}

/* --- Calls --------------------------------------------------------------- */

enum kp_error
raw_txn_init(
    struct raw_txn *producer, int version, int64_t producer_id, int epoch)
{
	struct kp_init_producer_id_request request = {
		.transactional_id = slice_str(producer->id),
		.transaction_timeout_ms = producer->timeout_ms,
		.producer_id = producer_id,
		.producer_epoch = (int16_t)epoch,
	};
	const struct kp_init_producer_id_response *response = raw_txn_call(
	    producer, INIT_PRODUCER_ID, init_producer_id, version, &request);

	if (response->error_code != KP_NONE) {
		assert_int_equal(response->producer_id, -1);
		assert_int_equal(response->producer_epoch, -1);
		return (enum kp_error)response->error_code;
	}
	producer->producer_id = response->producer_id;
	producer->epoch = response->producer_epoch;
	memset(producer->sequences, 0, sizeof(producer->sequences));
	return KP_NONE;
}

void
raw_txn_begin(struct raw_txn *producer)
{
	assert_int_equal(raw_txn_init(producer, 5, -1, -1), KP_NONE);
}

/* Again and again while a transaction ends. */
enum kp_error
raw_txn_init_patiently(struct raw_txn *producer, int64_t producer_id, int epoch)
{
	int64_t started_ms = clock_monotonic_ms();
	enum kp_error error;

	while ((error = raw_txn_init(producer, 5, producer_id, epoch)) ==
	    KP_CONCURRENT_TRANSACTIONS)
		raw_txn_pause(started_ms);
	return error;
}

enum kp_error
raw_txn_add_as(struct raw_txn *producer, int version, int64_t producer_id,
    int epoch, const char *topic, int32_t partition)
{
	int32_t partitions[] = { partition };
	struct kp_add_partitions_to_txn_request_topic topics[] = {
		{ slice_str(topic), partitions, 1 },
	};
	struct kp_add_partitions_to_txn_request request = {
		.v3_and_below_transactional_id = slice_str(producer->id),
		.v3_and_below_producer_id = producer_id,
		.v3_and_below_producer_epoch = (int16_t)epoch,
		.v3_and_below_topics = topics,
		.v3_and_below_topics_count = 1,
	};
	const struct kp_add_partitions_to_txn_response *response =
	    raw_txn_call(producer, ADD_PARTITIONS_TO_TXN, add_partitions_to_txn,
		version, &request);

	assert_int_equal(response->results_by_topic_v3_and_below_count, 1);
	return (enum kp_error)response->results_by_topic_v3_and_below[0]
	    .results_by_partition[0]
	    .partition_error_code;
}

enum kp_error
raw_txn_add(struct raw_txn *producer, int32_t partition)
{
	int64_t started_ms = clock_monotonic_ms();
	enum kp_error error;

	while ((error = raw_txn_add_as(producer, 3, producer->producer_id,
		    producer->epoch, RAW_TXN_TOPIC, partition)) ==
	    KP_CONCURRENT_TRANSACTIONS)
		raw_txn_pause(started_ms);
	return error;
}

/* One record in a batch of the producer, transactional or not. */
struct slice
raw_txn_batch(struct raw_txn *producer, int32_t sequence, bool transactional)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	struct slice batch;
	struct buf out;

	options.producer_id = producer->producer_id;
	options.producer_epoch = producer->epoch;
	options.base_sequence = sequence;
	options.transactional = transactional;
	buf_init(&out, 1024);
	batch_builder_init(&builder, &options, &out);
	assert_int_equal(batch_builder_add(&builder, clock_wall_ms(),
			     SLICE_NULL, slice_str(producer->id)),
	    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	batch = arena_copy(&producer->client.arena, buf_slice(&out));
	buf_fini(&out);
	return batch;
}

enum kp_error
raw_txn_send_batch(struct raw_txn *producer, int version, int32_t partition,
    struct slice id, struct slice batch)
{
	struct kp_produce_request_partition partitions[] = {
		{ partition, { .bytes = batch, .len = batch.len } },
	};
	struct kp_produce_request_topic topics[] = {
		{ .name = slice_str(RAW_TXN_TOPIC),
		    .partition_data = partitions,
		    .partition_data_count = 1 },
	};
	struct kp_produce_request request = {
		.transactional_id = id,
		.acks = -1,
		.timeout_ms = 30000,
		.topic_data = topics,
		.topic_data_count = 1,
	};
	const struct kp_produce_response *response =
	    raw_txn_call(producer, PRODUCE, produce, version, &request);

	return (enum kp_error)response->responses[0]
	    .partition_responses[0]
	    .error_code;
}

enum kp_error
raw_txn_produce_sequence(
    struct raw_txn *producer, int version, int32_t partition, int32_t sequence)
{
	return raw_txn_send_batch(producer, version, partition,
	    slice_str(producer->id), raw_txn_batch(producer, sequence, true));
}

enum kp_error
raw_txn_produce(struct raw_txn *producer, int version, int32_t partition)
{
	enum kp_error error = raw_txn_produce_sequence(
	    producer, version, partition, producer->sequences[partition]);

	producer->sequences[partition] += error == KP_NONE;
	return error;
}

enum kp_error
raw_txn_end_as(struct raw_txn *producer, int version, int64_t producer_id,
    int epoch, bool commit)
{
	struct kp_end_txn_request request = {
		.transactional_id = slice_str(producer->id),
		.producer_id = producer_id,
		.producer_epoch = (int16_t)epoch,
		.committed = commit,
	};
	const struct kp_end_txn_response *response =
	    raw_txn_call(producer, END_TXN, end_txn, version, &request);

	if (response->error_code == KP_NONE && version >= END_EACH) {
		if (response->producer_epoch != producer->epoch)
			memset(producer->sequences, 0,
			    sizeof(producer->sequences));
		producer->producer_id = response->producer_id;
		producer->epoch = response->producer_epoch;
	}
	return (enum kp_error)response->error_code;
}

enum kp_error
raw_txn_end(struct raw_txn *producer, int version, bool commit)
{
	return raw_txn_end_as(
	    producer, version, producer->producer_id, producer->epoch, commit);
}

/* Again and again while markers are written. */
enum kp_error
raw_txn_end_patiently(struct raw_txn *producer, int version,
    int64_t producer_id, int epoch, bool commit)
{
	int64_t started_ms = clock_monotonic_ms();
	enum kp_error error;

	while ((error = raw_txn_end_as(producer, version, producer_id, epoch,
		    commit)) == KP_CONCURRENT_TRANSACTIONS)
		raw_txn_pause(started_ms);
	return error;
}

const struct kp_describe_transactions_response_transaction_state *
raw_txn_describe(struct raw_txn *producer)
{
	struct slice ids[] = { slice_str(producer->id) };
	struct kp_describe_transactions_request request = { ids, 1 };
	const struct kp_describe_transactions_response *response =
	    raw_txn_call(producer, DESCRIBE_TRANSACTIONS, describe_transactions,
		0, &request);

	assert_int_equal(response->transaction_states_count, 1);
	return &response->transaction_states[0];
}

bool
raw_txn_is_in(struct raw_txn *producer, const char *name)
{
	return slice_equal_str(
	    raw_txn_describe(producer)->transaction_state, name);
}

void
raw_txn_expect_state(struct raw_txn *producer, const char *name)
{
	int64_t started_ms = clock_monotonic_ms();

	while (!raw_txn_is_in(producer, name))
		raw_txn_pause(started_ms);
}

int
raw_txn_partitions_in(struct raw_txn *producer)
{
	const struct kp_describe_transactions_response_transaction_state *told =
	    raw_txn_describe(producer);
	int count = 0;

	for (int32_t i = 0; i < told->topics_count; i++)
		count += told->topics[i].partitions_count;
	return count;
}

/* The end of a partition, or of what is stable in it. */
static int64_t
end_offset(struct raw_txn *producer, int32_t partition, int8_t isolation)
{
	struct kp_list_offsets_request_partition partitions[] = {
		{ partition, -1, -1 },
	};
	struct kp_list_offsets_request_topic topics[] = {
		{ slice_str(RAW_TXN_TOPIC), partitions, 1 },
	};
	struct kp_list_offsets_request request = {
		.replica_id = -1,
		.isolation_level = isolation,
		.topics = topics,
		.topics_count = 1,
	};
	const struct kp_list_offsets_response *response =
	    raw_txn_call(producer, LIST_OFFSETS, list_offsets, 4, &request);

	assert_int_equal(response->topics[0].partitions[0].error_code, KP_NONE);
	return response->topics[0].partitions[0].offset;
}

int64_t
raw_txn_log_end(struct raw_txn *producer, int32_t partition)
{
	return end_offset(producer, partition, 0);
}

int64_t
raw_txn_stable_end(struct raw_txn *producer, int32_t partition)
{
	return end_offset(producer, partition, 1);
}

const struct kp_fetch_response_partition *
raw_txn_fetch(struct raw_txn *producer, int32_t partition, int64_t offset,
    int8_t isolation)
{
	struct kp_fetch_request_partition partitions[] = {
		{ .partition = partition,
		    .current_leader_epoch = -1,
		    .fetch_offset = offset,
		    .last_fetched_epoch = -1,
		    .partition_max_bytes = 1 << 20 },
	};
	struct kp_fetch_request_topic topics[] = {
		{ .topic = slice_str(RAW_TXN_TOPIC),
		    .partitions = partitions,
		    .partitions_count = 1 },
	};
	struct kp_fetch_request request = {
		.replica_id = -1,
		.max_bytes = 1 << 20,
		.isolation_level = isolation,
		.session_epoch = -1,
		.topics = topics,
		.topics_count = 1,
		.rack_id = slice_str(""),
	};
	const struct kp_fetch_response *response =
	    raw_txn_call(producer, FETCH, fetch, 12, &request);

	return &response->responses[0].partitions[0];
}

const struct kp_describe_producers_response_active_producer *
raw_txn_known_producer(
    struct raw_txn *producer, int32_t partition, int64_t producer_id)
{
	int32_t indexes[] = { partition };
	struct kp_describe_producers_request_topic topics[] = {
		{ slice_str(RAW_TXN_TOPIC), indexes, 1 },
	};
	struct kp_describe_producers_request request = { topics, 1 };
	const struct kp_describe_producers_response *response = raw_txn_call(
	    producer, DESCRIBE_PRODUCERS, describe_producers, 0, &request);
	const struct kp_describe_producers_response_partition *told =
	    &response->topics[0].partitions[0];

	assert_int_equal(told->error_code, KP_NONE);
	for (int32_t i = 0; i < told->active_producers_count; i++)
		if (told->active_producers[i].producer_id == producer_id)
			return &told->active_producers[i];
	return NULL;
}

enum kp_error
raw_txn_mark(struct raw_txn *producer, int version, int32_t partition,
    int64_t producer_id, int epoch, int32_t coordinator_epoch)
{
	int32_t indexes[] = { partition };
	struct kp_write_txn_markers_request_topic topics[] = {
		{ slice_str(RAW_TXN_TOPIC), indexes, 1 },
	};
	struct kp_write_txn_markers_request_marker markers[] = {
		{ .producer_id = producer_id,
		    .producer_epoch = (int16_t)epoch,
		    .topics = topics,
		    .topics_count = 1,
		    .coordinator_epoch = coordinator_epoch,
		    .transaction_version = 2 },
	};
	struct kp_write_txn_markers_request request = { markers, 1 };
	const struct kp_write_txn_markers_response *response = raw_txn_call(
	    producer, WRITE_TXN_MARKERS, write_txn_markers, version, &request);

	assert_int_equal(response->markers_count, 1);
	assert_int_equal(response->markers[0].producer_id, producer_id);
	return (enum kp_error)response->markers[0]
	    .topics[0]
	    .partitions[0]
	    .error_code;
}

enum kp_error
raw_txn_commit_offsets(struct raw_txn *producer, int version, const char *group,
    int32_t generation, int64_t offset)
{
	struct kp_txn_offset_commit_request_partition partitions[] = {
		{ 0, offset, -1, SLICE_NULL },
	};
	struct kp_txn_offset_commit_request_topic topics[] = {
		{ slice_str(RAW_TXN_TOPIC), partitions, 1 },
	};
	struct kp_txn_offset_commit_request request = {
		.transactional_id = slice_str(producer->id),
		.group_id = slice_str(group),
		.producer_id = producer->producer_id,
		.producer_epoch = producer->epoch,
		.generation_id = generation,
		.member_id = slice_str(""),
		.topics = topics,
		.topics_count = 1,
	};
	const struct kp_txn_offset_commit_response *response = raw_txn_call(
	    producer, TXN_OFFSET_COMMIT, txn_offset_commit, version, &request);

	return (enum kp_error)response->topics[0].partitions[0].error_code;
}

enum kp_error
raw_txn_add_offsets(
    struct raw_txn *producer, int version, int epoch, const char *group)
{
	struct kp_add_offsets_to_txn_request request = {
		.transactional_id = slice_str(producer->id),
		.producer_id = producer->producer_id,
		.producer_epoch = (int16_t)epoch,
		.group_id = slice_str(group),
	};

	return (enum kp_error)raw_txn_call(
	    producer, ADD_OFFSETS_TO_TXN, add_offsets_to_txn, version, &request)
	    ->error_code;
}

/* The broker waits a little for the end, and a slow disk may take longer. */
void
raw_txn_produce_patiently(struct raw_txn *producer, int32_t partition)
{
	int64_t started_ms = clock_monotonic_ms();
	enum kp_error error;

	while ((error = raw_txn_produce(producer, PRODUCE_EACH, partition)) ==
	    KP_CONCURRENT_TRANSACTIONS)
		raw_txn_pause(started_ms);
	assert_int_equal(error, KP_NONE);
}
