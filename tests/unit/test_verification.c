/*
 * Guards of transactional batches: when a log gives one, for how long it is
 * good, and what order it keeps.
 */
#include "unit/unit.h"

#include "store/producer_state.h"
#include "store/verification.h"

static struct verification_start
start_of(int64_t producer_id, int16_t epoch, int32_t sequence)
{
	return (struct verification_start){
		.producer_id = producer_id,
		.producer_epoch = epoch,
		.base_sequence = sequence,
		.now_ms = 1000,
	};
}

static uint64_t
begin(struct verifications *all, int64_t producer_id, int16_t epoch,
    int32_t sequence)
{
	struct verification_start start =
	    start_of(producer_id, epoch, sequence);

	return verification_begin(all, &start);
}

static void
a_guard_is_good_until_the_end(void **state UNUSED)
{
	struct verifications all;
	uint64_t guard;

	verification_all_init(&all);
	guard = begin(&all, 5, 0, 3);
	assert_int_not_equal(guard, VERIFICATION_NONE);
	assert_int_equal(begin(&all, 5, 0, 4), guard);
	assert_int_not_equal(begin(&all, 6, 0, 0), guard);
	verification_end(&all, 5);
	assert_null(verification_find(&all, 5));
	assert_non_null(verification_find(&all, 6));
	assert_int_not_equal(begin(&all, 5, 0, 4), guard);
	verification_all_fini(&all);
}

static void
the_lowest_sequence_of_an_epoch_counts(void **state UNUSED)
{
	struct verifications all;

	verification_all_init(&all);
	begin(&all, 5, 1, 7);
	begin(&all, 5, 1, 3);
	begin(&all, 5, 1, 9);
	assert_int_equal(verification_find(&all, 5)->lowest_sequence, 3);
	begin(&all, 5, 0, 0);
	assert_int_equal(verification_find(&all, 5)->lowest_sequence, 3);
	assert_int_equal(verification_find(&all, 5)->producer_epoch, 1);
	begin(&all, 5, 2, 4);
	assert_int_equal(verification_find(&all, 5)->lowest_sequence, 4);
	verification_all_fini(&all);
}

static void
they_expire_and_are_not_too_many(void **state UNUSED)
{
	struct verifications all;

	verification_all_init(&all);
	for (int64_t id = 0; id <= VERIFICATIONS_MAX; id++)
		begin(&all, id, 0, 0);
	assert_int_equal(all.count, VERIFICATIONS_MAX);
	assert_null(verification_find(&all, 0));
	assert_non_null(verification_find(&all, VERIFICATIONS_MAX));
	verification_all_expire(&all, 1000 + 99, 100);
	assert_int_equal(all.count, VERIFICATIONS_MAX);
	verification_all_expire(&all, 1000 + 100, 100);
	assert_int_equal(all.count, 0);
	verification_all_fini(&all);
}

static enum kp_error
check(const struct producer_state *state, int16_t epoch,
    int32_t coordinator_epoch, bool epoch_each)
{
	const struct producer_marker marker = {
		.producer_id = 5,
		.producer_epoch = epoch,
		.coordinator_epoch = coordinator_epoch,
	};

	return producer_state_check_marker(state, &marker, epoch_each);
}

static void
markers_have_a_high_epoch(void **state UNUSED)
{
	const struct producer_append batch = {
		.producer_id = 5, .producer_epoch = 3, .transactional = true
	};
	const struct producer_marker marker = {
		.producer_id = 5, .producer_epoch = 3, .coordinator_epoch = 2
	};
	struct producer_state producers;

	producer_state_init(&producers);
	assert_int_equal(check(&producers, 0, 0, true), KP_NONE);
	producer_state_update(&producers, &batch);
	assert_int_equal(
	    check(&producers, 2, 0, false), KP_INVALID_PRODUCER_EPOCH);
	assert_int_equal(check(&producers, 3, 0, false), KP_NONE);
	assert_int_equal(
	    check(&producers, 3, 0, true), KP_INVALID_PRODUCER_EPOCH);
	assert_int_equal(check(&producers, 4, 0, true), KP_NONE);
	producer_state_update_marker(&producers, &marker);
	assert_int_equal(check(&producers, 3, 2, true), KP_NONE);
	assert_int_equal(
	    check(&producers, 3, 1, true), KP_TRANSACTION_COORDINATOR_FENCED);
	assert_int_equal(
	    check(&producers, 2, 1, true), KP_INVALID_PRODUCER_EPOCH);
	producer_state_fini(&producers);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guard_is_good_until_the_end),
		cmocka_unit_test(the_lowest_sequence_of_an_epoch_counts),
		cmocka_unit_test(they_expire_and_are_not_too_many),
		cmocka_unit_test(markers_have_a_high_epoch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
