/* Which transactions hold the last stable offset back. */
#include "unit/unit.h"

#include "store/open_txns.c"

static void
the_earliest_counts(void **state UNUSED)
{
	struct open_txns txns;
	int64_t first;

	open_txns_init(&txns);
	assert_int_equal(open_txns_first_unstable(&txns), OPEN_TXNS_NONE);
	open_txns_begin(&txns, 1, 10);
	open_txns_begin(&txns, 2, 20);
	open_txns_begin(&txns, 3, 30);
	assert_int_equal(open_txns_first_ongoing(&txns), 10);
	assert_true(open_txns_end(&txns, 2, 35, &first));
	assert_int_equal(first, 20);
	assert_int_equal(open_txns_first_ongoing(&txns), 10);
	assert_true(open_txns_end(&txns, 1, 40, &first));
	assert_int_equal(open_txns_first_ongoing(&txns), 30);

	/* A marker that is not below the high watermark may still go. */
	assert_int_equal(open_txns_first_unstable(&txns), 10);
	open_txns_settle(&txns, 36);
	assert_int_equal(open_txns_first_unstable(&txns), 10);
	open_txns_settle(&txns, 40);
	assert_int_equal(open_txns_first_unstable(&txns), 10);
	open_txns_settle(&txns, 41);
	assert_int_equal(open_txns_first_unstable(&txns), 30);
	open_txns_clear(&txns);
	assert_int_equal(open_txns_first_unstable(&txns), OPEN_TXNS_NONE);
	open_txns_fini(&txns);
}

static void
markers_may_end_nothing(void **state UNUSED)
{
	struct open_txns txns;
	int64_t first = 77;

	open_txns_init(&txns);
	assert_false(open_txns_end(&txns, 1, 5, &first));
	open_txns_begin(&txns, 1, 10);
	assert_false(open_txns_end(&txns, 2, 12, &first));
	assert_int_equal(first, 77);
	assert_int_equal(open_txns_first_unstable(&txns), 10);
	open_txns_fini(&txns);
}

static void
snapshots_have_any_order(void **state UNUSED)
{
	static const int64_t firsts[] = { 50, 20, 90, 10, 40 };
	struct open_txns txns;
	int64_t first;

	open_txns_init(&txns);
	for (size_t i = 0; i < COUNT_OF(firsts); i++)
		open_txns_begin(&txns, (int64_t)i, firsts[i]);
	assert_int_equal(open_txns_first_ongoing(&txns), 10);
	assert_true(open_txns_end(&txns, 3, 100, &first));
	assert_true(open_txns_end(&txns, 1, 101, &first));
	open_txns_settle(&txns, 102);
	assert_int_equal(open_txns_first_unstable(&txns), 40);
	open_txns_fini(&txns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_earliest_counts),
		cmocka_unit_test(markers_may_end_nothing),
		cmocka_unit_test(snapshots_have_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
