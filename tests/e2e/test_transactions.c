/*
 * Transactions by plain frames: what each API answers in each state, what
 * readers see, and what is left after a kill.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "e2e/raw_txn.h"
#include "wire/error.h"
#include "wire/generated/add_offsets_to_txn.h"
#include "wire/generated/add_partitions_to_txn.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/delete_groups.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/describe_producers.h"
#include "wire/generated/describe_transactions.h"
#include "wire/generated/end_txn.h"
#include "wire/generated/fetch.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/init_producer_id.h"
#include "wire/generated/list_offsets.h"
#include "wire/generated/list_transactions.h"
#include "wire/generated/offset_commit.h"
#include "wire/generated/offset_fetch.h"
#include "wire/generated/produce.h"
#include "wire/generated/txn_offset_commit.h"
#include "wire/generated/write_txn_markers.h"

static struct broker_process broker;

static int
start_with(const char *flush)
{
	struct raw_client client;
	struct kp_find_coordinator_request request = { .key = slice_str("g") };

	broker_process_start(&broker, "--override", flush, "--override",
	    "group.initial.rebalance.delay.ms=0", "--override",
	    "transaction.abort.timed.out.transaction.cleanup.interval.ms=50",
	    "--override", "transaction.max.timeout.ms=70000", NULL);
	raw_client_init(&client, &broker);
	raw_topic_create(&client, RAW_TXN_TOPIC, RAW_TXN_PARTITIONS);
	for (int8_t type = 0; type < 2; type++) {
		request.key_type = type;
		raw_client_call(&client, KP_FIND_COORDINATOR_KEY, 3, &request);
	}
	raw_client_fini(&client);
	return 0;
}

static int
start_broker(void **state UNUSED)
{
	return start_with("klamm.flush=acked");
}

/* Where very many epochs are to be raised. */
static int
start_quick_broker(void **state UNUSED)
{
	return start_with("klamm.flush=os");
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

static int
make_producer(void **state)
{
	*state = raw_txn_new(&broker);
	return 0;
}

static int
free_producer(void **state)
{
	raw_txn_free(*state);
	return 0;
}

/* --- InitProducerId (1, 2, 14, 15) ---------------------------------------- */

static void
epochs_go_up_with_each_beginning(void **state)
{
	struct raw_txn *producer = *state;
	int64_t producer_id;

	raw_txn_begin(producer);
	assert_int_equal(producer->epoch, 0);
	producer_id = producer->producer_id;
	raw_txn_begin(producer);
	assert_int_equal(producer->producer_id, producer_id);
	assert_int_equal(producer->epoch, 1);
	assert_int_equal(raw_txn_init(producer, 5, producer_id, 1), KP_NONE);
	assert_int_equal(producer->epoch, 2);
	assert_int_equal(raw_txn_init(producer, 5, producer_id, 1), KP_NONE);
	assert_int_equal(producer->epoch, 2);
	assert_int_equal(
	    raw_txn_init(producer, 5, producer_id, 0), KP_PRODUCER_FENCED);
	assert_int_equal(raw_txn_init(producer, 3, producer_id, 0),
	    KP_INVALID_PRODUCER_EPOCH);
	assert_int_equal(
	    raw_txn_init(producer, 5, producer_id + 1, 2), KP_PRODUCER_FENCED);
}

static void
beginnings_that_are_refused(void **state)
{
	struct raw_txn *producer = *state;
	struct kp_init_producer_id_request request = {
		.transactional_id = slice_str(""),
		.transaction_timeout_ms = 1,
		.producer_id = -1,
		.producer_epoch = -1,
	};

	assert_int_equal(raw_txn_init(producer, 5, 1, -1), KP_INVALID_REQUEST);
	assert_int_equal(raw_txn_init(producer, 5, -1, 1), KP_INVALID_REQUEST);
	producer->timeout_ms = 0;
	assert_int_equal(
	    raw_txn_init(producer, 5, -1, -1), KP_INVALID_TRANSACTION_TIMEOUT);
	producer->timeout_ms = 70001;
	assert_int_equal(
	    raw_txn_init(producer, 5, -1, -1), KP_INVALID_TRANSACTION_TIMEOUT);
	assert_int_equal(raw_txn_call(producer, INIT_PRODUCER_ID,
			     init_producer_id, 5, &request)
			     ->error_code,
	    KP_INVALID_REQUEST);
	request.transactional_id = SLICE_NULL;
	request.transaction_timeout_ms = -5;
	assert_int_equal(raw_txn_call(producer, INIT_PRODUCER_ID,
			     init_producer_id, 5, &request)
			     ->error_code,
	    KP_NONE);
}

static void
another_instance_fences(void **state)
{
	struct raw_txn *producer = *state, zombie;
	int64_t begun = raw_txn_log_end(producer, 0);

	raw_txn_begin(producer);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	zombie = *producer;
	assert_int_equal(
	    raw_txn_init(producer, 5, -1, -1), KP_CONCURRENT_TRANSACTIONS);
	assert_int_equal(raw_txn_init_patiently(producer, -1, -1), KP_NONE);
	assert_int_equal(producer->producer_id, zombie.producer_id);
	assert_int_equal(producer->epoch, zombie.epoch + 2);
	assert_int_equal(raw_txn_stable_end(producer, 0), begun + 2);
	assert_int_equal(raw_txn_known_producer(producer, 0, zombie.producer_id)
			     ->producer_epoch,
	    zombie.epoch + 1);
	assert_int_equal(raw_txn_produce(&zombie, PRODUCE_OLD, 0),
	    KP_INVALID_PRODUCER_EPOCH);
	assert_int_equal(raw_txn_produce(&zombie, PRODUCE_EACH, 0),
	    KP_INVALID_PRODUCER_EPOCH);
	assert_int_equal(
	    raw_txn_end(&zombie, END_EACH, true), KP_PRODUCER_FENCED);
	assert_int_equal(
	    raw_txn_end(&zombie, 1, true), KP_INVALID_PRODUCER_EPOCH);
	assert_int_equal(raw_txn_commit_offsets(&zombie, 5, "zombie", -1, 1),
	    KP_INVALID_PRODUCER_EPOCH);
	assert_int_equal(raw_txn_commit_offsets(&zombie, 3, "zombie", -1, 1),
	    KP_INVALID_PRODUCER_EPOCH);
}

static void
a_producer_comes_back_to_its_own(void **state)
{
	struct raw_txn *producer = *state;
	int64_t producer_id;

	raw_txn_begin(producer);
	producer_id = producer->producer_id;
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	assert_int_equal(raw_txn_init(producer, 5, producer_id, 0),
	    KP_CONCURRENT_TRANSACTIONS);
	assert_int_equal(
	    raw_txn_init_patiently(producer, producer_id, 0), KP_NONE);
	assert_int_equal(producer->epoch, 1);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	/* A stale one is told so only when the transaction is aborted. */
	assert_int_equal(raw_txn_init(producer, 5, producer_id, 0),
	    KP_CONCURRENT_TRANSACTIONS);
	raw_txn_expect_state(producer, "CompleteAbort");
	producer->epoch = 5;
	assert_int_equal(
	    raw_txn_init(producer, 5, producer_id, 5), KP_PRODUCER_FENCED);
}

/* --- Rounds (3 to 13) ----------------------------------------------------- */

static void
old_clients_keep_their_epoch(void **state)
{
	struct raw_txn *producer = *state;

	raw_txn_begin(producer);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(raw_txn_add(producer, 0), KP_NONE);
		assert_int_equal(
		    raw_txn_produce(producer, PRODUCE_OLD, 0), KP_NONE);
		assert_int_equal(
		    raw_txn_end(producer, END_OLD, i != 1), KP_NONE);
		assert_int_equal(raw_txn_end_patiently(producer, END_OLD,
				     producer->producer_id, 0, i != 1),
		    KP_NONE);
		assert_int_equal(raw_txn_end(producer, END_OLD, i == 1),
		    KP_INVALID_TXN_STATE);
		assert_true(raw_txn_is_in(
		    producer, i != 1 ? "CompleteCommit" : "CompleteAbort"));
		assert_int_equal(raw_txn_describe(producer)->producer_epoch, 0);
	}
}

static void
nothing_was_begun(void **state)
{
	struct raw_txn *producer = *state;

	raw_txn_begin(producer);
	assert_int_equal(
	    raw_txn_end(producer, END_OLD, true), KP_INVALID_TXN_STATE);
	assert_int_equal(
	    raw_txn_end(producer, END_OLD, false), KP_INVALID_TXN_STATE);
	assert_int_equal(raw_txn_produce(producer, 9, 0), KP_INVALID_TXN_STATE);
	assert_int_equal(
	    raw_txn_produce(producer, 10, 0), KP_INVALID_TXN_STATE);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_OLD, 0),
	    KP_TRANSACTION_ABORTABLE);
	assert_true(raw_txn_is_in(producer, "Empty"));
	assert_int_equal(raw_txn_partitions_in(producer), 0);
}

static void
all_partitions_or_none_are_added(void **state)
{
	struct raw_txn *producer = *state;
	int32_t here[] = { 0, 9 }, none[] = { 0 };
	struct kp_add_partitions_to_txn_request_topic topics[] = {
		{ slice_str(RAW_TXN_TOPIC), here, 2 },
		{ slice_str("none"), none, 1 },
	};
	struct kp_add_partitions_to_txn_request request = {
		.v3_and_below_transactional_id = slice_str(producer->id),
		.v3_and_below_topics = topics,
		.v3_and_below_topics_count = 2,
	};
	const struct kp_add_partitions_to_txn_response_topic *told;

	raw_txn_begin(producer);
	request.v3_and_below_producer_id = producer->producer_id;
	told = raw_txn_call(
	    producer, ADD_PARTITIONS_TO_TXN, add_partitions_to_txn, 3, &request)
		   ->results_by_topic_v3_and_below;
	assert_int_equal(told[0].results_by_partition[0].partition_error_code,
	    KP_OPERATION_NOT_ATTEMPTED);
	assert_int_equal(told[0].results_by_partition[1].partition_error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(told[1].results_by_partition[0].partition_error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_true(raw_txn_is_in(producer, "Empty"));
	assert_int_equal(raw_txn_add_as(producer, 3, producer->producer_id, 0,
			     "__consumer_offsets", 0),
	    KP_TOPIC_AUTHORIZATION_FAILED);
}

static void
other_epochs_are_fenced(void **state)
{
	struct raw_txn *producer = *state;
	int64_t id;

	raw_txn_begin(producer);
	raw_txn_begin(producer);
	id = producer->producer_id;
	for (int epoch = 0; epoch <= 2; epoch += 2) {
		assert_int_equal(
		    raw_txn_add_as(producer, 1, id, epoch, RAW_TXN_TOPIC, 0),
		    KP_INVALID_PRODUCER_EPOCH);
		assert_int_equal(
		    raw_txn_add_as(producer, 2, id, epoch, RAW_TXN_TOPIC, 0),
		    KP_PRODUCER_FENCED);
		assert_int_equal(raw_txn_end_as(producer, 1, id, epoch, true),
		    KP_INVALID_PRODUCER_EPOCH);
		assert_int_equal(raw_txn_end_as(producer, 2, id, epoch, true),
		    KP_PRODUCER_FENCED);
		assert_int_equal(raw_txn_add_offsets(producer, 1, epoch, "g"),
		    KP_INVALID_PRODUCER_EPOCH);
		assert_int_equal(raw_txn_add_offsets(producer, 2, epoch, "g"),
		    KP_PRODUCER_FENCED);
	}
	assert_int_equal(
	    raw_txn_add_as(producer, 3, id + 1000000, 1, RAW_TXN_TOPIC, 0),
	    KP_INVALID_PRODUCER_ID_MAPPING);
	assert_int_equal(raw_txn_end_as(producer, 4, id + 1000000, 1, true),
	    KP_INVALID_PRODUCER_ID_MAPPING);
	strcpy(producer->id, "nobody's");
	assert_int_equal(raw_txn_end(producer, END_EACH, true),
	    KP_INVALID_PRODUCER_ID_MAPPING);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0),
	    KP_INVALID_PRODUCER_ID_MAPPING);
}

static void
batches_add_their_partitions(void **state)
{
	struct raw_txn *producer = *state;
	int64_t id;

	raw_txn_begin(producer);
	id = producer->producer_id;
	for (int32_t i = 0; i < RAW_TXN_PARTITIONS; i++)
		assert_int_equal(
		    raw_txn_produce(producer, PRODUCE_EACH, i), KP_NONE);
	assert_int_equal(raw_txn_partitions_in(producer), RAW_TXN_PARTITIONS);
	assert_true(raw_txn_is_in(producer, "Ongoing"));
	assert_int_equal(raw_txn_end(producer, END_EACH, true), KP_NONE);
	assert_int_equal(producer->producer_id, id);
	assert_int_equal(producer->epoch, 1);
	raw_txn_expect_state(producer, "CompleteCommit");
	/* The same once more, as after a lost answer. */
	assert_int_equal(
	    raw_txn_end_as(producer, END_EACH, id, 0, true), KP_NONE);
	assert_int_equal(producer->epoch, 1);
	assert_int_equal(raw_txn_end_as(producer, END_EACH, id, 0, false),
	    KP_INVALID_TXN_STATE);
	assert_int_equal(raw_txn_end_as(producer, END_EACH, id, 1, true),
	    KP_INVALID_TXN_STATE);
	assert_int_equal(
	    raw_txn_end_as(producer, END_EACH, id, 1, false), KP_NONE);
	assert_int_equal(producer->epoch, 2);
}

static void
an_abort_of_nothing_raises_the_epoch(void **state)
{
	struct raw_txn *producer = *state;
	int64_t ends[RAW_TXN_PARTITIONS];

	raw_txn_begin(producer);
	for (int32_t i = 0; i < RAW_TXN_PARTITIONS; i++)
		ends[i] = raw_txn_log_end(producer, i);
	assert_int_equal(
	    raw_txn_end(producer, END_EACH, true), KP_INVALID_TXN_STATE);
	assert_int_equal(raw_txn_end(producer, END_EACH, false), KP_NONE);
	assert_int_equal(producer->epoch, 1);
	raw_txn_expect_state(producer, "CompleteAbort");
	for (int32_t i = 0; i < RAW_TXN_PARTITIONS; i++)
		assert_int_equal(raw_txn_log_end(producer, i), ends[i]);
}

static void
a_batch_right_behind_the_end_waits(void **state)
{
	struct raw_txn *producer = *state;
	enum kp_error error;

	raw_txn_begin(producer);
	for (int i = 0; i < 20; i++) {
		for (int32_t p = 0; p < RAW_TXN_PARTITIONS; p++)
			raw_txn_produce_patiently(producer, p);
		assert_int_equal(
		    raw_txn_end(producer, END_EACH, true), KP_NONE);
	}
	raw_txn_produce_patiently(producer, 0);
	assert_int_equal(raw_txn_end(producer, END_EACH, false), KP_NONE);
	error = raw_txn_commit_offsets(producer, 5, "behind", -1, 1);
	assert_true(error == KP_NONE || error == KP_CONCURRENT_TRANSACTIONS);
}

static void
a_beginning_in_the_middle_is_out_of_order(void **state)
{
	struct raw_txn *producer = *state;
	int64_t begun = raw_txn_log_end(producer, 2);

	raw_txn_begin(producer);
	assert_int_equal(raw_txn_produce_sequence(producer, PRODUCE_EACH, 2, 5),
	    KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(raw_txn_partitions_in(producer), 1);
	assert_int_equal(raw_txn_end(producer, END_EACH, true), KP_NONE);
	raw_txn_expect_state(producer, "CompleteCommit");
	assert_int_equal(raw_txn_log_end(producer, 2), begun + 1);
}

/* --- Epochs run out (16 to 18) -------------------------------------------- */

#define AT_ONCE 1000

/* Raise the epoch so often, without waiting for each answer. */
static void
epochs_raise(struct raw_txn *producer, int count)
{
	struct kp_init_producer_id_request request = {
		.transactional_id = slice_str(producer->id),
		.transaction_timeout_ms = RAW_TXN_TIMEOUT_MS,
		.producer_id = -1,
		.producer_epoch = -1,
	};
	const struct kp_init_producer_id_response *response;

	for (int i = 0; i < count; i++)
		raw_client_request(
		    &producer->client, KP_INIT_PRODUCER_ID_KEY, 5, i, &request);
	for (int i = 0; i < count; i++) {
		response = raw_client_response(
		    &producer->client, KP_INIT_PRODUCER_ID_KEY, 5, i);
		assert_int_equal(response->error_code, KP_NONE);
		producer->epoch = response->producer_epoch;
	}
}

static void
epochs_use_up(struct raw_txn *producer)
{
	raw_txn_begin(producer);
	while (producer->epoch < 32765)
		epochs_raise(producer, MIN(AT_ONCE, 32765 - producer->epoch));
	assert_int_equal(producer->epoch, 32765);
}

static void
an_exhausted_producer_gets_another_id(void **state)
{
	struct raw_txn *producer = *state;
	int64_t old, next;

	epochs_use_up(producer);
	old = producer->producer_id;
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	assert_int_equal(raw_txn_end(producer, END_EACH, true), KP_NONE);
	assert_int_equal(producer->producer_id, old);
	assert_int_equal(producer->epoch, 32766);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	assert_int_equal(raw_txn_end(producer, END_EACH, true), KP_NONE);
	next = producer->producer_id;
	assert_int_not_equal(next, old);
	assert_int_equal(producer->epoch, 0);
	assert_int_equal(
	    raw_txn_end_patiently(producer, END_EACH, old, 32766, true),
	    KP_NONE);
	assert_int_equal(producer->producer_id, next);
	assert_int_equal(producer->epoch, 0);
	assert_int_equal(
	    raw_txn_known_producer(producer, 0, old)->producer_epoch, 32767);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	assert_int_equal(raw_txn_end_as(producer, END_EACH, old, 32766, true),
	    KP_INVALID_PRODUCER_ID_MAPPING);
	assert_int_equal(raw_txn_end(producer, END_EACH, true), KP_NONE);
}

static void
an_exhausted_producer_begins_anew(void **state)
{
	struct raw_txn *producer = *state;
	int64_t old, next;

	epochs_use_up(producer);
	raw_txn_begin(producer);
	old = producer->producer_id;
	assert_int_equal(producer->epoch, 32766);
	assert_int_equal(raw_txn_init(producer, 5, old, 32766), KP_NONE);
	next = producer->producer_id;
	assert_int_not_equal(next, old);
	assert_int_equal(producer->epoch, 0);
	assert_int_equal(raw_txn_init(producer, 5, old, 32766), KP_NONE);
	assert_int_equal(producer->producer_id, next);
	assert_int_equal(producer->epoch, 0);
}

static void
an_exhausted_producer_is_fenced(void **state)
{
	struct raw_txn *producer = *state;
	int64_t old;

	epochs_use_up(producer);
	raw_txn_begin(producer);
	old = producer->producer_id;
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	assert_int_equal(raw_txn_init_patiently(producer, -1, -1), KP_NONE);
	assert_int_not_equal(producer->producer_id, old);
	assert_int_equal(producer->epoch, 1);
	assert_int_equal(
	    raw_txn_init(producer, 5, old, 32766), KP_PRODUCER_FENCED);
}

/* --- Timeouts (19, 20) ---------------------------------------------------- */

static void
a_transaction_times_out(void **state)
{
	struct raw_txn *producer = *state;
	int64_t id;

	producer->timeout_ms = 100;
	raw_txn_begin(producer);
	id = producer->producer_id;
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	raw_txn_expect_state(producer, "CompleteAbort");
	assert_int_equal(
	    raw_txn_end(producer, END_EACH, true), KP_INVALID_TXN_STATE);
	assert_int_equal(raw_txn_end(producer, END_EACH, false), KP_NONE);
	assert_int_equal(producer->producer_id, id);
	assert_int_equal(producer->epoch, 1);
}

static void
an_old_client_times_out(void **state)
{
	struct raw_txn *producer = *state;

	producer->timeout_ms = 100;
	raw_txn_begin(producer);
	assert_int_equal(raw_txn_add(producer, 0), KP_NONE);
	raw_txn_expect_state(producer, "CompleteAbort");
	assert_int_equal(
	    raw_txn_end(producer, END_OLD, true), KP_PRODUCER_FENCED);
	assert_int_equal(
	    raw_txn_end(producer, 1, true), KP_INVALID_PRODUCER_EPOCH);
	assert_int_equal(
	    raw_txn_init(producer, 5, producer->producer_id, 0), KP_NONE);
	assert_int_equal(producer->epoch, 1);
}

/* --- Offsets (21 to 24) --------------------------------------------------- */

static const struct kp_offset_fetch_response_partition *
fetch_offset(struct raw_txn *producer, const char *group, bool stable)
{
	int32_t indexes[] = { 0 };
	struct kp_offset_fetch_request_topic topics[] = {
		{ slice_str(RAW_TXN_TOPIC), indexes, 1 },
	};
	struct kp_offset_fetch_request request = {
		.group_id = slice_str(group),
		.topics = topics,
		.topics_count = 1,
		.require_stable = stable,
	};
	const struct kp_offset_fetch_response *response =
	    raw_txn_call(producer, OFFSET_FETCH, offset_fetch, 7, &request);

	return &response->topics[0].partitions[0];
}

static void
offsets_wait_for_the_end(void **state)
{
	struct raw_txn *producer = *state;
	char group[64];

	for (int commit = 0; commit < 2; commit++) {
		snprintf(group, sizeof(group), "%s-%d", producer->id, commit);
		raw_txn_begin(producer);
		assert_int_equal(
		    raw_txn_commit_offsets(producer, 5, group, -1, 5), KP_NONE);
		assert_int_equal(raw_txn_partitions_in(producer), 1);
		assert_int_equal(
		    fetch_offset(producer, group, true)->error_code,
		    KP_UNSTABLE_OFFSET_COMMIT);
		assert_int_equal(
		    fetch_offset(producer, group, false)->committed_offset, -1);
		assert_int_equal(
		    raw_txn_end(producer, END_EACH, commit), KP_NONE);
		raw_txn_expect_state(
		    producer, commit ? "CompleteCommit" : "CompleteAbort");
		assert_int_equal(
		    fetch_offset(producer, group, true)->committed_offset,
		    commit ? 5 : -1);
	}
}

static void
offsets_need_their_partition_in_the_transaction(void **state)
{
	struct raw_txn *producer = *state;
	const char *group = producer->id;

	raw_txn_begin(producer);
	assert_int_equal(raw_txn_commit_offsets(producer, 3, group, -1, 1),
	    KP_INVALID_TXN_STATE);
	assert_int_equal(raw_txn_commit_offsets(producer, 4, group, -1, 1),
	    KP_TRANSACTION_ABORTABLE);
	assert_int_equal(
	    raw_txn_add_offsets(producer, 3, producer->epoch, group), KP_NONE);
	assert_int_equal(
	    raw_txn_commit_offsets(producer, 3, group, -1, 1), KP_NONE);
	assert_int_equal(raw_txn_end(producer, END_OLD, true), KP_NONE);
	raw_txn_expect_state(producer, "CompleteCommit");
	assert_int_equal(
	    fetch_offset(producer, group, true)->committed_offset, 1);
}

static void
a_group_that_refuses_is_in_the_transaction(void **state)
{
	struct raw_txn *producer = *state;

	raw_txn_begin(producer);
	assert_int_equal(
	    raw_txn_commit_offsets(producer, 5, producer->id, 3, 1),
	    KP_ILLEGAL_GENERATION);
	assert_true(raw_txn_is_in(producer, "Ongoing"));
	assert_int_equal(raw_txn_end(producer, END_EACH, false), KP_NONE);
}

static void
the_later_commit_wins(void **state)
{
	struct raw_txn *producer = *state;
	struct kp_offset_commit_request_partition partitions[] = {
		{ 0, 99, -1, SLICE_NULL },
	};
	struct kp_offset_commit_request_topic topics[] = {
		{ .name = slice_str(RAW_TXN_TOPIC),
		    .partitions = partitions,
		    .partitions_count = 1 },
	};
	struct kp_offset_commit_request request = {
		.group_id = slice_str(producer->id),
		.generation_id_or_member_epoch = -1,
		.member_id = slice_str(""),
		.retention_time_ms = -1,
		.topics = topics,
		.topics_count = 1,
	};

	raw_txn_begin(producer);
	assert_int_equal(
	    raw_txn_commit_offsets(producer, 5, producer->id, -1, 5), KP_NONE);
	assert_int_equal(
	    raw_txn_call(producer, OFFSET_COMMIT, offset_commit, 8, &request)
		->topics[0]
		.partitions[0]
		.error_code,
	    KP_NONE);
	assert_int_equal(raw_txn_end(producer, END_EACH, true), KP_NONE);
	raw_txn_expect_state(producer, "CompleteCommit");
	assert_int_equal(
	    fetch_offset(producer, producer->id, true)->committed_offset, 99);
}

static void
a_deleted_group_stays_deleted(void **state)
{
	struct raw_txn *producer = *state;
	struct slice groups[] = { slice_str(producer->id) };
	struct kp_delete_groups_request request = { groups, 1 };

	raw_txn_begin(producer);
	assert_int_equal(
	    raw_txn_commit_offsets(producer, 5, producer->id, -1, 5), KP_NONE);
	assert_int_equal(
	    raw_txn_call(producer, DELETE_GROUPS, delete_groups, 1, &request)
		->results[0]
		.error_code,
	    KP_NONE);
	assert_int_equal(raw_txn_end(producer, END_EACH, true), KP_NONE);
	raw_txn_expect_state(producer, "CompleteCommit");
	assert_int_equal(
	    fetch_offset(producer, producer->id, true)->committed_offset, -1);
}

/* --- Readers (25) --------------------------------------------------------- */

static void
readers_stop_at_the_oldest_open_transaction(void **state)
{
	struct raw_txn *older = *state, *newer;
	const struct kp_fetch_response_partition *found;
	int64_t begun;
	void *other;

	make_producer(&other);
	newer = other;
	raw_txn_begin(older);
	raw_txn_begin(newer);
	begun = raw_txn_log_end(older, 1);
	assert_int_equal(raw_txn_stable_end(older, 1), begun);
	assert_int_equal(raw_txn_produce(older, PRODUCE_EACH, 1), KP_NONE);
	assert_int_equal(raw_txn_produce(newer, PRODUCE_EACH, 1), KP_NONE);
	assert_int_equal(raw_txn_end(newer, END_EACH, true), KP_NONE);
	raw_txn_expect_state(newer, "CompleteCommit");
	assert_int_equal(raw_txn_log_end(older, 1), begun + 3);
	assert_int_equal(raw_txn_stable_end(older, 1), begun);
	found = raw_txn_fetch(older, 1, begun, 1);
	assert_int_equal(found->records.len, 0);
	assert_int_equal(found->last_stable_offset, begun);
	found = raw_txn_fetch(older, 1, begun + 2, 1);
	assert_int_equal(found->error_code, KP_NONE);
	assert_int_equal(found->records.len, 0);
	assert_int_equal(raw_txn_end(older, END_EACH, false), KP_NONE);
	raw_txn_expect_state(older, "CompleteAbort");
	assert_int_equal(raw_txn_stable_end(older, 1), begun + 4);
	for (int64_t offset = begun; offset <= begun + 3; offset += 3) {
		found = raw_txn_fetch(older, 1, offset, 1);
		assert_int_equal(found->aborted_transactions_count, 1);
		assert_int_equal(found->aborted_transactions[0].producer_id,
		    older->producer_id);
		assert_int_equal(
		    found->aborted_transactions[0].first_offset, begun);
	}
	assert_int_equal(
	    raw_txn_fetch(older, 1, begun, 0)->aborted_transactions_count, -1);
	free_producer(&other);
}

/* --- ListTransactions (32) ------------------------------------------------ */

static const struct kp_list_transactions_response *
list(struct raw_txn *producer, int version,
    const struct kp_list_transactions_request *request)
{
	return raw_txn_call(
	    producer, LIST_TRANSACTIONS, list_transactions, version, request);
}

/* Does the list have the producer's id, and nothing that it must not have? */
static bool
is_listed(struct raw_txn *producer,
    const struct kp_list_transactions_request *request)
{
	const struct kp_list_transactions_response *response =
	    list(producer, 2, request);

	assert_int_equal(response->error_code, KP_NONE);
	for (int32_t i = 0; i < response->transaction_states_count; i++)
		if (slice_equal_str(
			response->transaction_states[i].transactional_id,
			producer->id))
			return true;
	return false;
}

static void
transactions_are_listed(void **state)
{
	struct raw_txn *producer = *state;
	struct slice states[] = { slice_str("Ongoing"), slice_str("ongoing") };
	struct kp_list_transactions_request request = { .duration_filter = -1 };
	const struct kp_list_transactions_response *response;

	raw_txn_begin(producer);
	assert_true(is_listed(producer, &request));
	request.state_filters = states;
	request.state_filters_count = 2;
	assert_false(is_listed(producer, &request));
	response = list(producer, 0, &request);
	assert_int_equal(response->unknown_state_filters_count, 1);
	assert_true(
	    slice_equal_str(response->unknown_state_filters[0], "ongoing"));
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	assert_true(is_listed(producer, &request));
	request.state_filters = states + 1;
	request.state_filters_count = 1;
	assert_int_equal(
	    list(producer, 2, &request)->transaction_states_count, 0);
	request.state_filters_count = 0;
	request.producer_id_filters = &producer->producer_id;
	request.producer_id_filters_count = 1;
	assert_int_equal(
	    list(producer, 2, &request)->transaction_states_count, 1);
	request.duration_filter = 1000000;
	assert_false(is_listed(producer, &request));
	request.duration_filter = -1;
	request.transactional_id_pattern = slice_str("id");
	assert_false(is_listed(producer, &request));
	request.transactional_id_pattern = slice_str("id-[0-9]+");
	assert_true(is_listed(producer, &request));
	request.transactional_id_pattern = slice_str("id-(");
	assert_int_equal(list(producer, 2, &request)->error_code,
	    KP_INVALID_REGULAR_EXPRESSION);
	assert_int_equal(raw_txn_end(producer, END_EACH, false), KP_NONE);
}

/* --- Markers from outside (26, 27) ---------------------------------------- */

static void
markers_need_a_higher_epoch(void **state)
{
	struct raw_txn *producer = *state;
	int64_t id, end;

	raw_txn_begin(producer);
	raw_txn_begin(producer);
	id = producer->producer_id;
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	assert_int_equal(
	    raw_txn_mark(producer, 2, 0, id, 1, 0), KP_INVALID_PRODUCER_EPOCH);
	assert_int_equal(
	    raw_txn_mark(producer, 2, 0, id, 0, 0), KP_INVALID_PRODUCER_EPOCH);
	assert_int_equal(raw_txn_mark(producer, 2, 9, id, 5, 0),
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	/* As an administrator ends a transaction that hangs. */
	assert_int_equal(
	    raw_txn_known_producer(producer, 0, id)->current_txn_start_offset,
	    raw_txn_log_end(producer, 0) - 1);
	assert_int_equal(raw_txn_mark(producer, 1, 0, id, 1, 7), KP_NONE);
	assert_int_equal(
	    raw_txn_known_producer(producer, 0, id)->current_txn_start_offset,
	    -1);
	end = raw_txn_log_end(producer, 0);
	assert_int_equal(raw_txn_mark(producer, 2, 0, id, 1, 7), KP_NONE);
	assert_int_equal(raw_txn_log_end(producer, 0), end + 1);
	assert_int_equal(raw_txn_mark(producer, 1, 0, id, 1, 6),
	    KP_TRANSACTION_COORDINATOR_FENCED);
	assert_int_equal(
	    raw_txn_known_producer(producer, 0, id)->coordinator_epoch, 7);
}

static void
a_marker_makes_its_producer_known(void **state)
{
	struct raw_txn *producer = *state;
	const struct kp_describe_producers_response_active_producer *told;

	assert_null(raw_txn_known_producer(producer, 2, 7777777));
	assert_int_equal(raw_txn_mark(producer, 1, 2, 7777777, 3, 1), KP_NONE);
	told = raw_txn_known_producer(producer, 2, 7777777);
	assert_non_null(told);
	assert_int_equal(told->producer_epoch, 3);
	assert_int_equal(told->last_sequence, -1);
	assert_int_equal(
	    raw_txn_mark(producer, 1, 2, -1, 3, 1), KP_INVALID_REQUEST);
}

/* --- What else a batch may not do (33) ------------------------------------ */

static void
batches_that_are_refused(void **state)
{
	struct raw_txn *producer = *state;

	raw_txn_begin(producer);
	assert_int_equal(raw_txn_send_batch(producer, PRODUCE_EACH, 0,
			     SLICE_NULL, raw_txn_batch(producer, 0, true)),
	    KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	assert_int_equal(raw_txn_send_batch(producer, PRODUCE_EACH, 0,
			     SLICE_NULL, raw_txn_batch(producer, 1, false)),
	    KP_INVALID_TXN_STATE);
	assert_int_equal(raw_txn_end(producer, END_EACH, false), KP_NONE);
	raw_txn_expect_state(producer, "CompleteAbort");
	assert_int_equal(raw_txn_send_batch(producer, PRODUCE_EACH, 0,
			     SLICE_NULL, raw_txn_batch(producer, 0, false)),
	    KP_NONE);
}

/* What an old guard was for: the transaction is over when the batch comes. */
static void
a_late_batch_opens_nothing(void **state)
{
	struct raw_txn *producer = *state, late;

	raw_txn_begin(producer);
	assert_int_equal(raw_txn_add(producer, 0), KP_NONE);
	late = *producer;
	assert_int_equal(raw_txn_end(producer, END_OLD, false), KP_NONE);
	raw_txn_expect_state(producer, "CompleteAbort");
	assert_int_equal(
	    raw_txn_produce(&late, PRODUCE_OLD, 0), KP_TRANSACTION_ABORTABLE);
	assert_int_equal(
	    raw_txn_stable_end(producer, 0), raw_txn_log_end(producer, 0));
}

/* --- Topics that go ------------------------------------------------------- */

static void
a_deleted_topic_does_not_hold_up_the_end(void **state)
{
	struct raw_txn *producer = *state;
	struct slice names[] = { slice_str(producer->id) };
	struct kp_delete_topics_request request = {
		.topic_names = names,
		.topic_names_count = 1,
		.timeout_ms = 30000,
	};

	raw_topic_create(&producer->client, producer->id, 1);
	raw_txn_begin(producer);
	assert_int_equal(raw_txn_add(producer, 0), KP_NONE);
	assert_int_equal(raw_txn_add_as(producer, 3, producer->producer_id, 0,
			     producer->id, 0),
	    KP_NONE);
	assert_int_equal(
	    raw_txn_call(producer, DELETE_TOPICS, delete_topics, 5, &request)
		->responses[0]
		.error_code,
	    KP_NONE);
	assert_int_equal(raw_txn_end(producer, END_OLD, true), KP_NONE);
	raw_txn_expect_state(producer, "CompleteCommit");
}

/* --- The feature ---------------------------------------------------------- */

static void
the_feature_is_told(void **state)
{
	struct raw_txn *producer = *state;
	struct kp_api_versions_request request = {
		.client_software_name = slice_str("test"),
		.client_software_version = slice_str("1"),
	};
	const struct kp_api_versions_response *response =
	    raw_txn_call(producer, API_VERSIONS, api_versions, 4, &request);
	int16_t level = -1;

	for (int32_t i = 0; i < response->finalized_features_count; i++)
		if (slice_equal_str(response->finalized_features[i].name,
			"transaction.version"))
			level =
			    response->finalized_features[i].max_version_level;
	assert_int_equal(level, 2);
}

/* --- Kills (28, 29); they come last --------------------------------------- */

static void
reconnect(struct raw_txn *producer)
{
	raw_client_fini(&producer->client);
	raw_client_init(&producer->client, &broker);
}

static void
an_open_transaction_survives_a_kill(void **state)
{
	struct raw_txn *producer = *state;
	int64_t started_ms = clock_monotonic_ms();
	enum kp_error error;

	raw_txn_begin(producer);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	broker_process_kill(&broker);
	broker_process_restart(&broker);
	reconnect(producer);
	assert_true(raw_txn_is_in(producer, "Ongoing"));
	while ((error = raw_txn_produce(producer, PRODUCE_EACH, 0)) ==
	    KP_NOT_ENOUGH_REPLICAS)
		raw_txn_pause(started_ms);
	assert_int_equal(error, KP_NONE);
	assert_int_equal(raw_txn_end(producer, END_EACH, true), KP_NONE);
	raw_txn_expect_state(producer, "CompleteCommit");
	assert_int_equal(
	    raw_txn_stable_end(producer, 0), raw_txn_log_end(producer, 0));
}

/* Whatever was written when it ends: the transaction ends as was decided. */
static void
a_decided_transaction_ends_after_a_kill(void **state)
{
	struct raw_txn *producer = *state;
	int16_t epoch;

	raw_txn_begin(producer);
	for (int i = 0; i < 6; i++) {
		for (int32_t p = 0; p < RAW_TXN_PARTITIONS; p++)
			raw_txn_produce_patiently(producer, p);
		epoch = producer->epoch;
		assert_int_equal(
		    raw_txn_end(producer, END_EACH, true), KP_NONE);
		if (i % 2 == 0)
			broker_process_kill(&broker);
		else
			broker_process_stop(&broker);
		broker_process_restart(&broker);
		reconnect(producer);
		assert_int_equal(raw_txn_end_patiently(producer, END_EACH,
				     producer->producer_id, epoch, true),
		    KP_NONE);
		assert_int_equal(producer->epoch, epoch + 1);
		for (int32_t p = 0; p < RAW_TXN_PARTITIONS; p++)
			assert_int_equal(raw_txn_stable_end(producer, p),
			    raw_txn_log_end(producer, p));
	}
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_producer, free_producer)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(epochs_go_up_with_each_beginning),
		TEST(beginnings_that_are_refused),
		TEST(another_instance_fences),
		TEST(a_producer_comes_back_to_its_own),
		TEST(old_clients_keep_their_epoch),
		TEST(nothing_was_begun),
		TEST(all_partitions_or_none_are_added),
		TEST(other_epochs_are_fenced),
		TEST(batches_add_their_partitions),
		TEST(an_abort_of_nothing_raises_the_epoch),
		TEST(a_batch_right_behind_the_end_waits),
		TEST(a_beginning_in_the_middle_is_out_of_order),
		TEST(a_transaction_times_out),
		TEST(an_old_client_times_out),
		TEST(offsets_wait_for_the_end),
		TEST(offsets_need_their_partition_in_the_transaction),
		TEST(a_group_that_refuses_is_in_the_transaction),
		TEST(the_later_commit_wins),
		TEST(a_deleted_group_stays_deleted),
		TEST(readers_stop_at_the_oldest_open_transaction),
		TEST(transactions_are_listed),
		TEST(markers_need_a_higher_epoch),
		TEST(a_marker_makes_its_producer_known),
		TEST(batches_that_are_refused),
		TEST(a_late_batch_opens_nothing),
		TEST(a_deleted_topic_does_not_hold_up_the_end),
		TEST(the_feature_is_told),
		TEST(an_open_transaction_survives_a_kill),
		TEST(a_decided_transaction_ends_after_a_kill),
	};

	const struct CMUnitTest exhausting[] = {
		TEST(an_exhausted_producer_gets_another_id),
		TEST(an_exhausted_producer_begins_anew),
		TEST(an_exhausted_producer_is_fenced),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker) +
	    cmocka_run_group_tests(exhausting, start_quick_broker, stop_broker);
}
