/*
 * Producers of transactions by plain frames: how they begin, are fenced, come
 * back, time out, and run out of epochs.
 */
#include "unit/unit.h"

#include "e2e/txn_fixture.h"
#include "wire/generated/describe_producers.h"
#include "wire/generated/init_producer_id.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TXN_TEST(epochs_go_up_with_each_beginning),
		TXN_TEST(beginnings_that_are_refused),
		TXN_TEST(another_instance_fences),
		TXN_TEST(a_producer_comes_back_to_its_own),
		TXN_TEST(a_transaction_times_out),
		TXN_TEST(an_old_client_times_out),
	};
	const struct CMUnitTest exhausting[] = {
		TXN_TEST(an_exhausted_producer_gets_another_id),
		TXN_TEST(an_exhausted_producer_begins_anew),
		TXN_TEST(an_exhausted_producer_is_fenced),
	};

	return cmocka_run_group_tests(
	    tests, txn_fixture_start, txn_fixture_stop) +
	    cmocka_run_group_tests(
		exhausting, txn_fixture_start_quick, txn_fixture_stop);
}
