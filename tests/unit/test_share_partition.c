/* Share partitions: who gets which records, and what becomes of them. */
#include "unit/unit.h"

#include "broker/share_partition.h"

#include <stdio.h>

#define LOCK_MS 30000

struct rig {
	struct share_partition *partition;
	struct share_partition_limits limits;
	struct share_partition_acquire acquire;
	struct share_partition_change change;
	int64_t now_ms;
};

static const struct share_partition_batch tens[] = {
	{ 0, 9, false },
	{ 10, 19, false },
	{ 20, 29, false },
	{ 30, 39, false },
};

static void
rig_init(struct rig *rig)
{
	*rig = (struct rig){
		.partition = share_partition_new(),
		.limits = {
			.deliveries_max = 5,
			.locks_max = 2000,
			.lock_ms = LOCK_MS,
			.renewable = true,
		},
		.now_ms = 1000,
	};
	assert_int_equal(share_partition_load(rig->partition, 0, NULL, 0), 0);
}

static void
rig_fini(struct rig *rig)
{
	free(rig->acquire.ranges);
	share_partition_change_fini(&rig->change);
	share_partition_free(rig->partition);
}

static void
acquire_in(struct rig *rig, const char *member,
    const struct share_partition_batch *batches, size_t count, int32_t max,
    bool exact)
{
	free(rig->acquire.ranges);
	rig->acquire = (struct share_partition_acquire){
		.member = slice_str(member),
		.exact = exact,
		.batch_size = 1000,
		.records_max = max,
		.fetch_offset = share_partition_next_offset(rig->partition),
		.batches = batches,
		.batches_count = count,
		.now_ms = rig->now_ms,
	};
	share_partition_acquire(rig->partition, &rig->limits, &rig->acquire);
}

/* From the next offset's batch on, all four batches of ten. */
static void
acquire(struct rig *rig, const char *member, int32_t max, bool exact)
{
	size_t from = (size_t)share_partition_next_offset(rig->partition) / 10;

	acquire_in(rig, member, tens + MIN(from, COUNT_OF(tens)),
	    COUNT_OF(tens) - MIN(from, COUNT_OF(tens)), max, exact);
}

static void
got(const struct rig *rig, size_t index, int64_t first, int64_t last,
    int count)
{
	assert_true(index < rig->acquire.ranges_count);
	assert_int_equal(rig->acquire.ranges[index].first_offset, first);
	assert_int_equal(rig->acquire.ranges[index].last_offset, last);
	assert_int_equal(rig->acquire.ranges[index].delivery_count, count);
}

static void
got_one(const struct rig *rig, int64_t first, int64_t last, int count)
{
	assert_int_equal(rig->acquire.ranges_count, 1);
	assert_int_equal(rig->acquire.records, last - first + 1);
	got(rig, 0, first, last, count);
}

static enum kp_error
ack_types(struct rig *rig, const char *member, int64_t first, int64_t last,
    const int8_t *types, int32_t count)
{
	struct share_partition_ack ack = { first, last, types, count };

	share_partition_change_fini(&rig->change);
	memset(&rig->change, 0, sizeof(rig->change));
	return share_partition_acknowledge(rig->partition, &rig->limits,
	    slice_str(member), &ack, 1, rig->now_ms, &rig->change);
}

static enum kp_error
ack(struct rig *rig, const char *member, int64_t first, int64_t last,
    int8_t type)
{
	return ack_types(rig, member, first, last, &type, 1);
}

static void
complete(struct rig *rig, bool persisted)
{
	share_partition_complete(rig->partition, &rig->limits, rig->change.id,
	    persisted, rig->now_ms);
}

static void
ack_done(struct rig *rig, const char *member, int64_t first, int64_t last,
    int8_t type)
{
	assert_int_equal(ack(rig, member, first, last, type), KP_NONE);
	complete(rig, true);
}

static void
spans(const struct rig *rig, int64_t start, int64_t end)
{
	assert_int_equal(share_partition_start_offset(rig->partition), start);
	assert_int_equal(share_partition_end_offset(rig->partition), end);
}

/* (seen): three wanted of batches of ten are all of the first. */
static void
acquire_goes_to_the_end_of_a_batch(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 3, false);
	got_one(&rig, 0, 9, 1);
	spans(&rig, 0, 9);
	acquire(&rig, "b", 11, false);
	got_one(&rig, 10, 29, 1);
	assert_int_equal(share_partition_next_offset(rig.partition), 30);
	rig_fini(&rig);
}

/* (seen): three wanted are three; who comes next gets the rest. */
static void
exact_acquire_tears_a_batch(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 3, true);
	got_one(&rig, 0, 2, 1);
	spans(&rig, 0, 9);
	assert_int_equal(share_partition_next_offset(rig.partition), 3);
	acquire(&rig, "b", 4, true);
	got_one(&rig, 3, 6, 1);
	acquire(&rig, "c", 100, false);
	assert_int_equal(rig.acquire.ranges_count, 2);
	got(&rig, 0, 7, 9, 1);
	got(&rig, 1, 10, 39, 1);
	rig_fini(&rig);
}

static void
batch_size_splits_what_is_acquired(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig.acquire = (struct share_partition_acquire){
		.member = slice_str("a"),
		.batch_size = 15,
		.records_max = 100,
		.batches = tens,
		.batches_count = COUNT_OF(tens),
	};
	share_partition_acquire(rig.partition, &rig.limits, &rig.acquire);
	assert_int_equal(rig.acquire.ranges_count, 2);
	got(&rig, 0, 0, 19, 1);
	got(&rig, 1, 20, 39, 1);
	assert_int_equal(rig.acquire.records, 40);
	rig_fini(&rig);
}

static void
nothing_is_acquired_twice(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 100, false);
	acquire_in(&rig, "b", tens, COUNT_OF(tens), 100, false);
	assert_int_equal(rig.acquire.ranges_count, 0);
	acquire_in(&rig, "a", tens, COUNT_OF(tens), 100, false);
	assert_int_equal(rig.acquire.ranges_count, 0);
	rig_fini(&rig);
}

static void
acknowledged_records_move_the_start(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 40, false);
	ack_done(&rig, "a", 5, 9, SHARE_PARTITION_ACCEPT);
	spans(&rig, 0, 39);
	assert_int_equal(share_partition_complete_count(rig.partition), 5);
	ack_done(&rig, "a", 0, 4, SHARE_PARTITION_REJECT);
	spans(&rig, 10, 39);
	assert_int_equal(share_partition_complete_count(rig.partition), 0);
	ack_done(&rig, "a", 10, 39, SHARE_PARTITION_ACCEPT);
	spans(&rig, 40, 40);
	assert_int_equal(share_partition_next_offset(rig.partition), 40);
	rig_fini(&rig);
}

static void
types_may_be_given_for_each_record(void **state)
{
	static const int8_t types[] = { 1, 1, 2, 3, 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 5, true);
	assert_int_equal(ack_types(&rig, "a", 0, 4, types, 5), KP_NONE);
	assert_int_equal(rig.change.states_count, 3);
	assert_int_equal(rig.change.states[0].last_offset, 1);
	assert_int_equal(
	    rig.change.states[0].state, SHARE_PARTITION_ACKNOWLEDGED);
	assert_int_equal(rig.change.states[1].first_offset, 2);
	assert_int_equal(
	    rig.change.states[1].state, SHARE_PARTITION_AVAILABLE);
	assert_int_equal(rig.change.states[1].delivery_count, 1);
	assert_int_equal(rig.change.states[2].first_offset, 3);
	assert_int_equal(rig.change.states[2].last_offset, 4);
	assert_int_equal(rig.change.states[2].state, SHARE_PARTITION_ARCHIVED);
	assert_int_equal(rig.change.start_offset, 0);
	assert_int_equal(rig.change.delivery_complete_count, 4);
	complete(&rig, true);
	spans(&rig, 2, 9);
	acquire(&rig, "b", 1, true);
	got_one(&rig, 2, 2, 2);
	rig_fini(&rig);
}

static void
wrong_acknowledgements_change_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	assert_int_equal(ack(&rig, "a", 0, 0, 1), KP_INVALID_RECORD_STATE);
	acquire(&rig, "a", 10, false);
	acquire(&rig, "b", 10, false);
	assert_int_equal(ack(&rig, "b", 0, 9, 1), KP_INVALID_RECORD_STATE);
	assert_int_equal(ack(&rig, "c", 0, 9, 1), KP_INVALID_RECORD_STATE);
	assert_int_equal(ack(&rig, "a", 5, 15, 1), KP_INVALID_RECORD_STATE);
	assert_int_equal(rig.change.states_count, 0);
	assert_int_equal(ack(&rig, "b", 15, 20, 1), KP_INVALID_REQUEST);
	assert_int_equal(ack(&rig, "b", 30, 30, 1), KP_INVALID_REQUEST);
	ack_done(&rig, "a", 0, 9, SHARE_PARTITION_ACCEPT);
	ack_done(&rig, "b", 10, 19, SHARE_PARTITION_ACCEPT);
	rig_fini(&rig);
}

/* One wrong range takes the right ones before it along. */
static void
acknowledgements_are_all_or_nothing(void **state)
{
	static const int8_t accept = SHARE_PARTITION_ACCEPT;
	struct share_partition_ack acks[] = {
		{ 0, 3, &accept, 1 },
		{ 5, 12, &accept, 1 },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 10, false);
	acquire(&rig, "b", 10, false);
	assert_int_equal(
	    share_partition_acknowledge(rig.partition, &rig.limits,
		slice_str("a"), acks, 2, rig.now_ms, &rig.change),
	    KP_INVALID_RECORD_STATE);
	assert_int_equal(rig.change.states_count, 0);
	acks[1].last_offset = 9;
	assert_int_equal(
	    share_partition_acknowledge(rig.partition, &rig.limits,
		slice_str("a"), acks, 2, rig.now_ms, &rig.change),
	    KP_NONE);
	assert_int_equal(rig.change.states_count, 2);
	complete(&rig, true);
	spans(&rig, 4, 19);
	rig_fini(&rig);
}

static void
offsets_below_the_start_are_ignored(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 20, false);
	ack_done(&rig, "a", 0, 9, SHARE_PARTITION_ACCEPT);
	assert_int_equal(ack(&rig, "a", 0, 9, 1), KP_NONE);
	assert_int_equal(rig.change.id, 0);
	ack_done(&rig, "a", 5, 14, SHARE_PARTITION_ACCEPT);
	spans(&rig, 15, 19);
	rig_fini(&rig);
}

/* Until it was persisted a change can neither be repeated nor seen. */
static void
change_under_way_is_nobodys(void **state)
{
	struct share_partition_change change = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 40, false);
	assert_int_equal(ack(&rig, "a", 0, 9, 2), KP_NONE);
	change = rig.change;
	rig.change = (struct share_partition_change){ 0 };
	assert_int_equal(ack(&rig, "a", 0, 9, 1), KP_INVALID_RECORD_STATE);
	acquire_in(&rig, "b", tens, COUNT_OF(tens), 10, false);
	assert_int_equal(rig.acquire.ranges_count, 0);
	share_partition_complete(
	    rig.partition, &rig.limits, change.id, true, rig.now_ms);
	share_partition_change_fini(&change);
	acquire(&rig, "b", 10, false);
	got_one(&rig, 0, 9, 2);
	rig_fini(&rig);
}

static void
change_that_fails_is_taken_back(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 40, false);
	assert_int_equal(ack(&rig, "a", 0, 39, 1), KP_NONE);
	complete(&rig, false);
	spans(&rig, 0, 39);
	assert_int_equal(share_partition_complete_count(rig.partition), 0);
	assert_int_equal(ack(&rig, "a", 0, 39, 1), KP_NONE);
	rig.now_ms += LOCK_MS;
	complete(&rig, false);
	acquire(&rig, "b", 40, false);
	got_one(&rig, 0, 39, 2);
	rig_fini(&rig);
}

/* (seen): the fifth release ends it. */
static void
record_is_delivered_so_often(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	for (int i = 1; i <= 5; i++) {
		acquire(&rig, "a", 1, true);
		got_one(&rig, 0, 0, i);
		ack_done(&rig, "a", 0, 0, SHARE_PARTITION_RELEASE);
		spans(&rig, i < 5 ? 0 : 1, 9);
	}
	acquire(&rig, "a", 1, true);
	got_one(&rig, 1, 1, 1);
	rig_fini(&rig);
}

static void
locks_end(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	assert_int_equal(
	    share_partition_next_deadline(rig.partition), INT64_MAX);
	acquire(&rig, "a", 10, false);
	assert_int_equal(share_partition_next_deadline(rig.partition),
	    rig.now_ms + LOCK_MS);
	share_partition_expire(rig.partition, &rig.limits,
	    rig.now_ms + LOCK_MS - 1, &rig.change);
	assert_int_equal(rig.change.states_count, 0);
	rig.now_ms += LOCK_MS;
	share_partition_expire(
	    rig.partition, &rig.limits, rig.now_ms, &rig.change);
	assert_int_equal(rig.change.states_count, 1);
	assert_int_equal(rig.change.id, 0);
	assert_int_equal(
	    rig.change.states[0].state, SHARE_PARTITION_AVAILABLE);
	assert_int_equal(ack(&rig, "a", 0, 9, 1), KP_INVALID_RECORD_STATE);
	acquire(&rig, "b", 10, false);
	got_one(&rig, 0, 9, 2);
	rig_fini(&rig);
}

static void
lock_is_renewed(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 10, false);
	rig.now_ms += 1000;
	assert_int_equal(
	    ack(&rig, "a", 0, 4, SHARE_PARTITION_RENEW), KP_NONE);
	assert_int_equal(rig.change.states_count, 0);
	rig.now_ms += LOCK_MS - 1000;
	share_partition_expire(
	    rig.partition, &rig.limits, rig.now_ms, &rig.change);
	assert_int_equal(rig.change.states_count, 1);
	assert_int_equal(rig.change.states[0].first_offset, 5);
	rig.limits.renewable = false;
	assert_int_equal(ack(&rig, "a", 0, 4, SHARE_PARTITION_RENEW),
	    KP_INVALID_RECORD_STATE);
	ack_done(&rig, "a", 0, 4, SHARE_PARTITION_ACCEPT);
	spans(&rig, 5, 9);
	rig_fini(&rig);
}

static void
member_that_goes_gives_back(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 10, false);
	acquire(&rig, "b", 10, false);
	ack_done(&rig, "a", 3, 5, SHARE_PARTITION_ACCEPT);
	share_partition_change_fini(&rig.change);
	rig.change.id = 0;
	share_partition_release(
	    rig.partition, &rig.limits, slice_str("a"), &rig.change);
	assert_int_equal(rig.change.states_count, 2);
	assert_int_not_equal(rig.change.id, 0);
	complete(&rig, true);
	acquire_in(&rig, "c", tens, COUNT_OF(tens), 20, false);
	assert_int_equal(rig.acquire.ranges_count, 3);
	got(&rig, 0, 0, 2, 2);
	got(&rig, 1, 6, 9, 2);
	got(&rig, 2, 20, 39, 1);
	rig_fini(&rig);
}

/* At the cap only what is in flight already can be acquired. */
static void
locks_have_a_maximum(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig.limits.locks_max = 20;
	acquire(&rig, "a", 15, false);
	got_one(&rig, 0, 19, 1);
	assert_false(
	    share_partition_can_acquire(rig.partition, &rig.limits));
	acquire_in(&rig, "b", tens, COUNT_OF(tens), 15, false);
	assert_int_equal(rig.acquire.ranges_count, 0);
	ack_done(&rig, "a", 5, 9, SHARE_PARTITION_RELEASE);
	assert_true(share_partition_can_acquire(rig.partition, &rig.limits));
	acquire_in(&rig, "b", tens, COUNT_OF(tens), 15, false);
	got_one(&rig, 5, 9, 2);
	rig_fini(&rig);
}

static void
fail_all(struct rig *rig, int64_t first, int64_t last, int times)
{
	for (int i = 0; i < times; i++) {
		acquire_in(rig, "a", tens, 1, 100, false);
		ack_done(rig, "a", first, last, SHARE_PARTITION_RELEASE);
	}
}

/* What failed often comes in ever smaller parts, at last alone. */
static void
poison_is_handed_out_in_small_parts(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	fail_all(&rig, 0, 9, 3);
	acquire_in(&rig, "a", tens, COUNT_OF(tens), 100, false);
	got_one(&rig, 0, 4, 4);
	ack_done(&rig, "a", 0, 4, SHARE_PARTITION_RELEASE);
	acquire_in(&rig, "a", tens, COUNT_OF(tens), 100, false);
	got_one(&rig, 0, 0, 5);
	acquire_in(&rig, "a", tens, COUNT_OF(tens), 100, false);
	got_one(&rig, 1, 1, 5);
	rig_fini(&rig);
}

/* Poison is not mixed with what is in order. */
static void
poison_waits_for_the_next_acquisition(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire_in(&rig, "b", tens, 1, 10, false);
	for (int i = 0; i < 3; i++) {
		acquire_in(&rig, "a", tens + 1, 1, 100, false);
		got_one(&rig, 10, 19, i + 1);
		ack_done(&rig, "a", 10, 19, SHARE_PARTITION_RELEASE);
	}
	ack_done(&rig, "b", 0, 9, SHARE_PARTITION_RELEASE);
	acquire_in(&rig, "a", tens, COUNT_OF(tens), 100, false);
	got_one(&rig, 0, 9, 2);
	rig_fini(&rig);
}

static void
aborted_batches_are_archived(void **state)
{
	static const struct share_partition_batch batches[] = {
		{ 0, 9, true },
		{ 10, 19, false },
		{ 20, 29, true },
		{ 30, 39, false },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire_in(&rig, "a", batches, 4, 100, false);
	assert_int_equal(rig.acquire.ranges_count, 2);
	assert_int_equal(rig.acquire.records, 20);
	got(&rig, 0, 10, 19, 1);
	got(&rig, 1, 30, 39, 1);
	spans(&rig, 10, 39);
	ack_done(&rig, "a", 10, 19, SHARE_PARTITION_ACCEPT);
	spans(&rig, 30, 39);
	rig_fini(&rig);
}

/* Available records that the cleaner took are not waited for. */
static void
stale_records_are_archived(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	acquire(&rig, "a", 20, false);
	ack_done(&rig, "a", 0, 19, SHARE_PARTITION_RELEASE);
	assert_int_equal(share_partition_next_offset(rig.partition), 0);
	acquire_in(&rig, "a", tens + 1, 3, 100, false);
	assert_int_equal(rig.acquire.ranges_count, 2);
	got(&rig, 0, 10, 19, 2);
	spans(&rig, 10, 39);
	rig_fini(&rig);
}

/* A batch whose first records are below the start is acquired from there. */
static void
batch_is_entered_in_its_middle(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	assert_int_equal(share_partition_load(rig.partition, 14, NULL, 0), 0);
	spans(&rig, 14, 14);
	acquire_in(&rig, "a", tens + 1, 1, 100, false);
	got_one(&rig, 14, 19, 1);
	spans(&rig, 14, 19);
	rig_fini(&rig);
}

static void
log_start_takes_records_away(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	share_partition_log_start(rig.partition, 3);
	spans(&rig, 3, 3);
	acquire(&rig, "a", 40, false);
	got_one(&rig, 3, 39, 1);
	share_partition_log_start(rig.partition, 15);
	spans(&rig, 15, 39);
	ack_done(&rig, "a", 3, 19, SHARE_PARTITION_ACCEPT);
	spans(&rig, 20, 39);
	assert_int_equal(ack(&rig, "a", 20, 39, 1), KP_NONE);
	share_partition_log_start(rig.partition, 50);
	spans(&rig, 50, 50);
	complete(&rig, false);
	spans(&rig, 50, 50);
	share_partition_log_start(rig.partition, 10);
	spans(&rig, 50, 50);
	rig_fini(&rig);
}

/* What was acquired and never persisted is available again. */
static void
loaded_gaps_are_available(void **state)
{
	static const struct share_partition_state states[] = {
		{ 10, 14, SHARE_PARTITION_ACKNOWLEDGED, 1 },
		{ 25, 29, SHARE_PARTITION_AVAILABLE, 2 },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig);
	assert_int_equal(
	    share_partition_load(rig.partition, 5, states, 2), 0);
	spans(&rig, 5, 29);
	assert_int_equal(share_partition_next_offset(rig.partition), 5);
	assert_int_equal(share_partition_complete_count(rig.partition), 5);
	acquire_in(&rig, "a", tens, 4, 100, false);
	assert_int_equal(rig.acquire.ranges_count, 4);
	got(&rig, 0, 5, 9, 1);
	got(&rig, 1, 15, 24, 1);
	got(&rig, 2, 25, 29, 3);
	got(&rig, 3, 30, 39, 1);
	rig_fini(&rig);
}

/* A gap is acquired as new records are: to the end of a record batch. */
static void
loaded_gap_is_acquired_in_parts(void **state)
{
	static const struct share_partition_state states[] = {
		{ 35, 39, SHARE_PARTITION_ACKNOWLEDGED, 1 },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig);
	assert_int_equal(
	    share_partition_load(rig.partition, 0, states, 1), 0);
	acquire_in(&rig, "a", tens, 4, 3, false);
	got_one(&rig, 0, 9, 1);
	acquire(&rig, "a", 3, true);
	got_one(&rig, 10, 12, 1);
	acquire(&rig, "a", 100, false);
	assert_int_equal(rig.acquire.ranges_count, 2);
	got(&rig, 0, 13, 19, 1);
	got(&rig, 1, 20, 34, 1);
	rig_fini(&rig);
}

/* Of a gap, too, what the log has lost is not delivered. */
static void
loaded_gap_may_be_stale(void **state)
{
	static const struct share_partition_state states[] = {
		{ 20, 29, SHARE_PARTITION_AVAILABLE, 1 },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig);
	assert_int_equal(
	    share_partition_load(rig.partition, 0, states, 1), 0);
	acquire_in(&rig, "b", tens, 1, 100, false);
	got_one(&rig, 0, 9, 1);
	acquire_in(&rig, "a", tens + 2, 1, 100, false);
	got_one(&rig, 20, 29, 2);
	ack_done(&rig, "b", 0, 9, SHARE_PARTITION_RELEASE);
	acquire_in(&rig, "b", tens, 3, 100, false);
	got_one(&rig, 0, 9, 2);
	spans(&rig, 0, 29);
	rig_fini(&rig);
}

static void
loaded_states_are_judged(void **state)
{
	static const struct share_partition_state bad[][2] = {
		{ { 10, 9, SHARE_PARTITION_AVAILABLE, 1 },
		    { 10, 19, SHARE_PARTITION_AVAILABLE, 1 } },
		{ { 10, 19, SHARE_PARTITION_AVAILABLE, 1 },
		    { 19, 29, SHARE_PARTITION_AVAILABLE, 1 } },
		{ { 10, 19, (enum share_partition_record)3, 1 },
		    { 20, 29, SHARE_PARTITION_AVAILABLE, 1 } },
		{ { -2, 19, SHARE_PARTITION_AVAILABLE, 1 },
		    { 20, 29, SHARE_PARTITION_AVAILABLE, 1 } },
		{ { 10, 19, SHARE_PARTITION_AVAILABLE, -1 },
		    { 20, 29, SHARE_PARTITION_AVAILABLE, 1 } },
		{ { 10, 19, SHARE_PARTITION_AVAILABLE, 1 },
		    { 20, INT64_MAX, SHARE_PARTITION_AVAILABLE, 1 } },
	};
	static const struct share_partition_state done[] = {
		{ 0, 9, SHARE_PARTITION_ACKNOWLEDGED, 1 },
		{ 10, 19, SHARE_PARTITION_ARCHIVED, 5 },
		{ 20, 24, SHARE_PARTITION_ACQUIRED, 1 },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(
		    share_partition_load(rig.partition, 0, bad[i], 2), -1);
	assert_int_equal(
	    share_partition_load(rig.partition, -2, NULL, 0), -1);
	assert_int_equal(share_partition_load(rig.partition, 5, done, 3), 0);
	spans(&rig, 20, 24);
	assert_int_equal(share_partition_next_offset(rig.partition), 20);
	rig_fini(&rig);
}

/* A member that owns nothing takes no memory for long. */
static void
members_come_and_go(void **state)
{
	char member[16];
	struct rig rig;

	(void)state;
	rig_init(&rig);
	for (int i = 0; i < 100; i++) {
		snprintf(member, sizeof(member), "m%d", i);
		acquire(&rig, member, 1, true);
		got_one(&rig, 0, 0, i % 4 + 1);
		ack_done(&rig, member, 0, 0, SHARE_PARTITION_RELEASE);
		if (i % 4 == 3)
			assert_int_equal(share_partition_load(
			    rig.partition, 0, NULL, 0), 0);
	}
	rig_fini(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acquire_goes_to_the_end_of_a_batch),
		cmocka_unit_test(exact_acquire_tears_a_batch),
		cmocka_unit_test(batch_size_splits_what_is_acquired),
		cmocka_unit_test(nothing_is_acquired_twice),
		cmocka_unit_test(acknowledged_records_move_the_start),
		cmocka_unit_test(types_may_be_given_for_each_record),
		cmocka_unit_test(wrong_acknowledgements_change_nothing),
		cmocka_unit_test(acknowledgements_are_all_or_nothing),
		cmocka_unit_test(offsets_below_the_start_are_ignored),
		cmocka_unit_test(change_under_way_is_nobodys),
		cmocka_unit_test(change_that_fails_is_taken_back),
		cmocka_unit_test(record_is_delivered_so_often),
		cmocka_unit_test(locks_end),
		cmocka_unit_test(lock_is_renewed),
		cmocka_unit_test(member_that_goes_gives_back),
		cmocka_unit_test(locks_have_a_maximum),
		cmocka_unit_test(poison_is_handed_out_in_small_parts),
		cmocka_unit_test(poison_waits_for_the_next_acquisition),
		cmocka_unit_test(aborted_batches_are_archived),
		cmocka_unit_test(stale_records_are_archived),
		cmocka_unit_test(batch_is_entered_in_its_middle),
		cmocka_unit_test(log_start_takes_records_away),
		cmocka_unit_test(loaded_gaps_are_available),
		cmocka_unit_test(loaded_gap_is_acquired_in_parts),
		cmocka_unit_test(loaded_gap_may_be_stale),
		cmocka_unit_test(loaded_states_are_judged),
		cmocka_unit_test(members_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
