/*
 * What the machine has.
 */
#include "unit/unit.h"

#include "base/machine.c"

static void
a_share_of_time_counts_in_whole_processors(void **state UNUSED)
{
	assert_int_equal(quota_processors("max 100000\n"), INT_MAX);
	assert_int_equal(quota_processors("200000 100000\n"), 2);
	assert_int_equal(quota_processors("150000 100000\n"), 2);
	assert_int_equal(quota_processors("1000 100000\n"), 1);
	assert_int_equal(quota_processors(""), INT_MAX);
	assert_int_equal(quota_processors("-1 100000"), INT_MAX);
	assert_int_equal(quota_processors("1 0"), INT_MAX);
	assert_int_equal(quota_processors("9000000000000000000 1"), INT_MAX);
}

/* One processor of many is one, whatever is online. */
static void
affinity_counts(void **state UNUSED)
{
	cpu_set_t all, one;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all)) {
			CPU_SET(i, &one);
			break;
		}
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(machine_processors_usable(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	assert_true(machine_processors_usable() >= 1);
	assert_true(machine_processors_usable() <= machine_processors());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_share_of_time_counts_in_whole_processors),
		cmocka_unit_test(affinity_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
