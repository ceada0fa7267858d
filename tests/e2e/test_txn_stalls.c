/*
 * Transactions whose outcome is written down but not certain yet, because the
 * syncs of the broker are held: what others are told meanwhile, and how a
 * start ends them after a kill in just that moment.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/sync_gate.h"
#include "e2e/txn_fixture.h"
#include "wire/generated/describe_producers.h"
#include "wire/generated/end_txn.h"

/* What automake takes for a test that was left out. */
#define EXIT_LEFT_OUT 77

static int
stop_broker(void **state)
{
	sync_gate_open();
	return txn_fixture_stop(state);
}

/* Another connection of the same producer. */
static struct raw_txn
twin_of(const struct raw_txn *producer)
{
	struct raw_txn twin = *producer;

	raw_client_init(&twin.client, txn_fixture_broker());
	return twin;
}

/* EndTxn, whose answer cannot come before the gate opens. */
static void
begin_end(struct raw_txn *producer, int version)
{
	const struct kp_end_txn_request request = {
		.transactional_id = slice_str(producer->id),
		.producer_id = producer->producer_id,
		.producer_epoch = producer->epoch,
		.committed = true,
	};

	raw_client_request(&producer->client, KP_END_TXN_KEY, (int16_t)version,
	    version, &request);
}

/* (12) A client of older versions does not wait for the end. */
static void
an_old_client_comes_back_while_it_ends(void **state)
{
	struct raw_txn *producer = *state;
	int64_t started_ms = clock_monotonic_ms();
	const struct kp_end_txn_response *ended;
	struct raw_txn twin;
	enum kp_error error;

	raw_txn_begin(producer);
	twin = twin_of(producer);
	assert_int_equal(raw_txn_add(producer, 0), KP_NONE);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_OLD, 0), KP_NONE);
	sync_gate_close();
	begin_end(producer, END_OLD);
	while ((error = raw_txn_produce(&twin, PRODUCE_OLD, 1)) ==
	    KP_TRANSACTION_ABORTABLE)
		raw_txn_pause(started_ms);
	assert_int_equal(error, KP_NOT_ENOUGH_REPLICAS);
	assert_int_equal(raw_txn_add_as(&twin, 3, twin.producer_id, 0,
			     RAW_TXN_TOPIC, 1),
	    KP_CONCURRENT_TRANSACTIONS);
	assert_int_equal(
	    raw_txn_end(&twin, END_OLD, true), KP_CONCURRENT_TRANSACTIONS);
	sync_gate_open();
	ended = raw_client_response(
	    &producer->client, KP_END_TXN_KEY, END_OLD, END_OLD);
	assert_int_equal(ended->error_code, KP_NONE);
	assert_int_equal(raw_txn_add(producer, 1), KP_NONE);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_OLD, 1), KP_NONE);
	assert_int_equal(raw_txn_end(producer, END_OLD, true), KP_NONE);
	raw_client_fini(&twin.client);
}

static int32_t
coordinator_epoch(struct raw_txn *producer, int32_t partition)
{
	return raw_txn_known_producer(
	    producer, partition, producer->producer_id)
	    ->coordinator_epoch;
}

/* It is decided when nothing of its epoch is let in any more. */
static void
await_decision(struct raw_txn *twin)
{
	int64_t started_ms = clock_monotonic_ms();
	enum kp_error error;

	while ((error = raw_txn_commit_offsets(twin, 3, "g", -1, 1)) ==
	    KP_INVALID_TXN_STATE)
		raw_txn_pause(started_ms);
	assert_int_equal(error, KP_INVALID_PRODUCER_EPOCH);
}

/* (28) What was decided is carried out by the next run, in its own name. */
static void
a_kill_between_the_outcome_and_the_markers(void **state)
{
	struct raw_txn *producer = *state;
	struct raw_txn twin;
	int32_t before;

	raw_txn_begin(producer);
	assert_int_equal(raw_txn_produce(producer, PRODUCE_EACH, 0), KP_NONE);
	assert_int_equal(raw_txn_end(producer, END_EACH, true), KP_NONE);
	raw_txn_expect_state(producer, "CompleteCommit");
	before = coordinator_epoch(producer, 0);
	for (int32_t i = 0; i < RAW_TXN_PARTITIONS; i++)
		raw_txn_produce_patiently(producer, i);
	twin = twin_of(producer);
	sync_gate_close();
	begin_end(producer, END_EACH);
	await_decision(&twin);
	broker_process_kill(txn_fixture_broker());
	sync_gate_open();
	broker_process_restart(txn_fixture_broker());
	raw_client_fini(&twin.client);
	raw_client_fini(&producer->client);
	raw_client_init(&producer->client, txn_fixture_broker());
	assert_int_equal(raw_txn_end_patiently(producer, END_EACH,
			     producer->producer_id, 1, true),
	    KP_NONE);
	assert_int_equal(producer->epoch, 2);
	raw_txn_expect_state(producer, "CompleteCommit");
	for (int32_t i = 0; i < RAW_TXN_PARTITIONS; i++) {
		assert_true(coordinator_epoch(producer, i) > before);
		assert_int_equal(raw_txn_stable_end(producer, i),
		    raw_txn_log_end(producer, i));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TXN_TEST(an_old_client_comes_back_while_it_ends),
		TXN_TEST(a_kill_between_the_outcome_and_the_markers),
	};

	if (!sync_gate_init()) {
		puts("left out: syncs cannot be held here, for want of "
		     "seccomp's user notifications");
		return EXIT_LEFT_OUT;
	}
	return cmocka_run_group_tests(tests, txn_fixture_start, stop_broker);
}
