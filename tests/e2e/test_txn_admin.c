/*
 * Transactions as administrators see them, and end them, by plain frames.
 */
#include "unit/unit.h"

#include "e2e/txn_fixture.h"
#include "wire/generated/describe_producers.h"
#include "wire/generated/list_transactions.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TXN_TEST(transactions_are_listed),
		TXN_TEST(markers_need_a_higher_epoch),
		TXN_TEST(a_marker_makes_its_producer_known),
	};

	return cmocka_run_group_tests(
	    tests, txn_fixture_start, txn_fixture_stop);
}
