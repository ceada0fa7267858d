/*
 * Transactions by plain frames: what each API answers in each state, what
 * readers see, and what is left after a kill.  Beside it: test_txn_producers,
 * test_txn_offsets, test_txn_admin, test_txn_stalls.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/raw_topic.h"
#include "e2e/txn_fixture.h"
#include "wire/generated/add_partitions_to_txn.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/describe_transactions.h"
#include "wire/generated/fetch.h"

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

/* --- Readers (25) --------------------------------------------------------- */

static void
readers_stop_at_the_oldest_open_transaction(void **state)
{
	struct raw_txn *older = *state, *newer;
	const struct kp_fetch_response_partition *found;
	int64_t begun;
	void *other;

	txn_fixture_setup(&other);
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
	txn_fixture_teardown(&other);
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
	raw_client_init(&producer->client, txn_fixture_broker());
}

static void
an_open_transaction_survives_a_kill(void **state)
{
	struct raw_txn *producer = *state;
	int64_t started_ms = clock_monotonic_ms();
	enum kp_error error;

	raw_txn_begin(producer);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	broker_process_kill(txn_fixture_broker());
	broker_process_restart(txn_fixture_broker());
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
			broker_process_kill(txn_fixture_broker());
		else
			broker_process_stop(txn_fixture_broker());
		broker_process_restart(txn_fixture_broker());
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TXN_TEST(old_clients_keep_their_epoch),
		TXN_TEST(nothing_was_begun),
		TXN_TEST(all_partitions_or_none_are_added),
		TXN_TEST(other_epochs_are_fenced),
		TXN_TEST(batches_add_their_partitions),
		TXN_TEST(an_abort_of_nothing_raises_the_epoch),
		TXN_TEST(a_batch_right_behind_the_end_waits),
		TXN_TEST(a_beginning_in_the_middle_is_out_of_order),
		TXN_TEST(readers_stop_at_the_oldest_open_transaction),
		TXN_TEST(batches_that_are_refused),
		TXN_TEST(a_late_batch_opens_nothing),
		TXN_TEST(a_deleted_topic_does_not_hold_up_the_end),
		TXN_TEST(the_feature_is_told),
		TXN_TEST(an_open_transaction_survives_a_kill),
		TXN_TEST(a_decided_transaction_ends_after_a_kill),
	};

	return cmocka_run_group_tests(
	    tests, txn_fixture_start, txn_fixture_stop);
}
