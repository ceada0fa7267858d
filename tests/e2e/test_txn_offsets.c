/*
 * Offsets in transactions by plain frames.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "e2e/txn_fixture.h"
#include "wire/generated/delete_groups.h"
#include "wire/generated/offset_commit.h"
#include "wire/generated/offset_fetch.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TXN_TEST(offsets_wait_for_the_end),
		TXN_TEST(offsets_need_their_partition_in_the_transaction),
		TXN_TEST(a_group_that_refuses_is_in_the_transaction),
		TXN_TEST(the_later_commit_wins),
		TXN_TEST(a_deleted_group_stays_deleted),
	};

	return cmocka_run_group_tests(
	    tests, txn_fixture_start, txn_fixture_stop);
}
