/*
 * The checker of transactions' histories finds each kind of anomaly.
 */
#include "../faults/txn_view.c"

#include "unit/unit.h"

/* Producer 0 did these, with records in turn in two partitions. */
static const struct {
	enum txn_outcome outcome;
	int8_t records_count;
	bool has_offset;
	bool visible;
} done[] = {
	{ TXN_COMMITTED, 3, true, true },
	{ TXN_ABORTED, 2, true, false },
	{ TXN_UNKNOWN, 3, true, true },
	{ TXN_UNKNOWN, 2, true, false },
	{ TXN_COMMITTED, 1, false, true },
};

#define GROUP_AT 3

struct rig {
	struct txn_history *history;
	struct txn_view view;
	int64_t committed[TXN_PRODUCERS];
};

static void
add(struct rig *rig, int32_t partition, int32_t txn, int32_t index)
{
	int32_t fields[] = { 0, txn, index, done[txn].records_count };
	struct txn_view_partition *records = &rig->view.partitions[partition];
	uint8_t value[TXN_VALUE_MIN];

	for (size_t i = 0; i < COUNT_OF(fields); i++)
		be32_put(value + 4 * i, (uint32_t)fields[i]);
	assert_int_equal(txn_view_add(&rig->view, partition,
			     (int64_t)(2 * records->count),
			     slice_of(value, sizeof(value))),
	    0);
}

static int
setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));
	struct txn_producer *producer;

	rig->history = xcalloc(1, sizeof(*rig->history));
	producer = &rig->history->producers[0];
	for (int32_t i = 0; i < (int32_t)COUNT_OF(done); i++) {
		producer->txns[i].outcome = (int8_t)done[i].outcome;
		producer->txns[i].records_count = done[i].records_count;
		producer->txns[i].has_offset = done[i].has_offset;
		for (int32_t j = 0; done[i].visible &&
		     j < done[i].records_count;
		     j++)
			add(rig, j % 2, i, j);
	}
	producer->count = COUNT_OF(done);
	for (int32_t i = 0; i < TXN_PRODUCERS; i++)
		rig->committed[i] = -1;
	rig->committed[0] = GROUP_AT;
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	txn_view_fini(&rig->view);
	free(rig->history);
	free(rig);
	return 0;
}

static void
expect(const struct rig *rig, const char *text)
{
	char *what = txn_view_check(&rig->view, rig->history, rig->committed);

	if (what == NULL || strstr(what, text) == NULL)
		fail_msg("not \"%s\", but \"%s\"", text,
		    what == NULL ? "" : what);
	free(what);
}

static void
nothing_is_found_where_nothing_is(void **state)
{
	struct rig *rig = *state;

	assert_null(
	    txn_view_check(&rig->view, rig->history, rig->committed));
	assert_int_equal(txn_view_count(&rig->view), 7);
}

static void
what_is_lost_is_found(void **state)
{
	struct rig *rig = *state;

	rig->view.partitions[0].count--;
	expect(rig, "transaction 4 of 1 records was committed, and not all");
}

static void
what_is_torn_is_found(void **state)
{
	struct rig *rig = *state;

	rig->view.partitions[1].count--;
	expect(rig, "transaction 2 of 3 records is there in parts");
}

static void
what_was_aborted_is_found(void **state)
{
	struct rig *rig = *state;

	rig->history->producers[0].txns[2].outcome = TXN_ABORTED;
	expect(rig, "transaction 2 of 3 records was aborted");
}

static void
what_is_there_twice_is_found(void **state)
{
	struct rig *rig = *state;

	add(rig, 1, 4, 0);
	expect(rig, "record 0 of producer 0's transaction 4 is there a second");
}

static void
what_has_another_order_is_found(void **state)
{
	struct rig *rig = *state;

	add(rig, 1, 1, 0);
	expect(rig, "transaction 1 comes behind its transaction 2");
}

static void
what_nobody_wrote_is_found(void **state)
{
	struct rig *rig = *state;

	rig->view.partitions[0].records[0].count = 2;
	expect(rig, "record 0 of producer 0's transaction 0 is none");
}

static void
offsets_without_records_are_found(void **state)
{
	struct rig *rig = *state;

	rig->committed[0] = 4;
	expect(rig, "group is at 4, its last transaction with an offset at 3");
	rig->committed[0] = 1;
	expect(rig, "group is at 1");
	rig->committed[0] = GROUP_AT;
	rig->committed[1] = 1;
	expect(rig, "producer 1's group is at 1");
}

static void
readers_that_differ_are_found(void **state)
{
	struct rig *rig = *state;
	struct rig *other;
	void *second;
	char *what;

	assert_int_equal(setup(&second), 0);
	other = second;
	assert_null(txn_view_differ(&rig->view, &other->view));
	other->view.partitions[1].records[0].offset++;
	what = txn_view_differ(&rig->view, &other->view);
	assert_non_null(what);
	free(what);
	other->view.partitions[1].records[0].offset--;
	other->view.partitions[0].count--;
	what = txn_view_differ(&rig->view, &other->view);
	assert_non_null(what);
	free(what);
	teardown(&second);
}

static void
values_that_are_none_are_refused(void **state)
{
	struct rig *rig = *state;
	uint8_t value[TXN_VALUE_MIN] = { 0 };

	/* No records in the transaction of which this is one. */
	assert_int_equal(txn_view_add(&rig->view, 0, 0,
			     slice_of(value, sizeof(value))),
	    -1);
	value[15] = 1;
	assert_int_equal(txn_view_add(&rig->view, 0, 0,
			     slice_of(value, sizeof(value) - 1)),
	    -1);
	value[3] = TXN_PRODUCERS;
	assert_int_equal(txn_view_add(&rig->view, 0, 0,
			     slice_of(value, sizeof(value))),
	    -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_found_where_nothing_is),
		TEST(what_is_lost_is_found),
		TEST(what_is_torn_is_found),
		TEST(what_was_aborted_is_found),
		TEST(what_is_there_twice_is_found),
		TEST(what_has_another_order_is_found),
		TEST(what_nobody_wrote_is_found),
		TEST(offsets_without_records_are_found),
		TEST(readers_that_differ_are_found),
		TEST(values_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
