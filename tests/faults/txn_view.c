#include "faults/txn_view.h"

#include "base/bytes.h"

void
txn_view_init(struct txn_view *view)
{
	memset(view, 0, sizeof(*view));
}

void
txn_view_fini(struct txn_view *view)
{
	for (int32_t i = 0; i < TXN_PARTITIONS; i++)
		free(view->partitions[i].records);
}

size_t
txn_view_count(const struct txn_view *view)
{
	size_t count = 0;

	for (int32_t i = 0; i < TXN_PARTITIONS; i++)
		count += view->partitions[i].count;
	return count;
}

static void
push(struct txn_view_partition *partition, struct txn_record record)
{
	if (partition->count == partition->capacity) {
		partition->capacity = MAX(2 * partition->capacity, 1024);
		partition->records = xrealloc(partition->records,
		    partition->capacity * sizeof(*partition->records));
	}
	partition->records[partition->count++] = record;
}

int
txn_view_add(struct txn_view *view, int32_t partition, int64_t offset,
    struct slice value)
{
	int32_t fields[4];

	if (value.len < TXN_VALUE_MIN)
		return -1;
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		fields[i] = (int32_t)be32_get(value.data + 4 * i);
	if (fields[0] < 0 || fields[0] >= TXN_PRODUCERS || fields[1] < 0 ||
	    fields[1] >= TXN_COUNT_MAX || fields[3] > TXN_RECORDS_MAX ||
	    fields[2] < 0 || fields[2] >= fields[3])
		return -1;
	push(&view->partitions[partition],
	    (struct txn_record){
		.offset = offset,
		.producer = (int8_t)fields[0],
		.txn = fields[1],
		.index = (int8_t)fields[2],
		.count = (int8_t)fields[3],
	    });
	return 0;
}

/* --- Two views ----------------------------------------------------------- */

static bool
records_equal(const struct txn_record *a, const struct txn_record *b)
{
	return a->offset == b->offset && a->producer == b->producer &&
	    a->txn == b->txn && a->index == b->index && a->count == b->count;
}

char *
txn_view_differ(const struct txn_view *a, const struct txn_view *b)
{
	for (int32_t p = 0; p < TXN_PARTITIONS; p++) {
		const struct txn_view_partition *x = &a->partitions[p];
		const struct txn_view_partition *y = &b->partitions[p];

		for (size_t i = 0; i < MIN(x->count, y->count); i++)
			if (!records_equal(&x->records[i], &y->records[i]))
				return xasprintf("partition %d, offset %lld: "
						 "another reader saw "
						 "something else",
				    p, (long long)x->records[i].offset);
		if (x->count != y->count)
			return xasprintf("partition %d: one reader saw %zu "
					 "records, another one %zu",
			    p, x->count, y->count);
	}
	return NULL;
}

/* --- A view and the history ---------------------------------------------- */

/* Which records of a transaction were seen, a bit each. */
typedef uint16_t seen_mask;

static seen_mask
whole(int32_t count)
{
	return (seen_mask)((1U << count) - 1);
}

/* In the order of a partition nothing of a producer comes back. */
static bool
is_behind(const struct txn_record *record, const struct txn_record *last)
{
	return record->txn > last->txn ||
	    (record->txn == last->txn && record->index > last->index);
}

static char *
mark_record(const struct txn_record *record, int32_t partition,
    const struct txn *txn, seen_mask *seen)
{
	if (record->count != txn->records_count ||
	    (*seen >> record->index & 1) != 0)
		return xasprintf("partition %d, offset %lld: record %d of "
				 "producer %d's transaction %d %s",
		    partition, (long long)record->offset, record->index,
		    record->producer, record->txn,
		    record->count == txn->records_count ?
			"is there a second time" :
			"is none of its records");
	*seen |= (seen_mask)(1U << record->index);
	return NULL;
}

static char *
mark_partition(const struct txn_view *view, int32_t partition,
    const struct txn_history *history, seen_mask *seen[TXN_PRODUCERS])
{
	const struct txn_view_partition *records =
	    &view->partitions[partition];
	struct txn_record last[TXN_PRODUCERS];
	char *what = NULL;

	for (int32_t i = 0; i < TXN_PRODUCERS; i++)
		last[i] = (struct txn_record){ .txn = -1 };
	for (size_t i = 0; what == NULL && i < records->count; i++) {
		const struct txn_record *record = &records->records[i];
		int8_t producer = record->producer;

		if (!is_behind(record, &last[producer]))
			return xasprintf("partition %d, offset %lld: producer "
					 "%d's transaction %d comes behind "
					 "its transaction %d",
			    partition, (long long)record->offset, producer,
			    record->txn, last[producer].txn);
		last[producer] = *record;
		what = mark_record(record, partition,
		    &history->producers[producer].txns[record->txn],
		    &seen[producer][record->txn]);
	}
	return what;
}

static char *
check_txn(const struct txn *txn, int32_t producer, int32_t number,
    seen_mask seen)
{
	enum txn_outcome outcome = (enum txn_outcome)atomic_load(&txn->outcome);
	const char *what = NULL;

	if (outcome == TXN_COMMITTED && seen != whole(txn->records_count))
		what = "was committed, and not all of it is there";
	else if (outcome == TXN_ABORTED && seen != 0)
		what = "was aborted, and some of it is there";
	else if (seen != 0 && seen != whole(txn->records_count))
		what = "is there in parts";
	return what == NULL ? NULL :
			      xasprintf("producer %d's transaction %d of %d "
					"records %s (seen: %x)",
				  producer, number, txn->records_count, what,
				  seen);
}

static char *
check_producer(const struct txn_producer *producer, int32_t index,
    const seen_mask *seen, int64_t committed)
{
	int32_t count = atomic_load(&producer->count);
	int64_t expected = -1;

	for (int32_t i = 0; i < count; i++) {
		const struct txn *txn = &producer->txns[i];
		char *what = check_txn(txn, index, i, seen[i]);

		if (what != NULL)
			return what;
		if (seen[i] != 0 && txn->has_offset)
			expected = i + 1;
	}
	if (committed == expected)
		return NULL;
	return xasprintf("producer %d's group is at %lld, its last "
			 "transaction with an offset at %lld",
	    index, (long long)committed, (long long)expected);
}

char *
txn_view_check(const struct txn_view *view, const struct txn_history *history,
    const int64_t committed[TXN_PRODUCERS])
{
	seen_mask *seen[TXN_PRODUCERS];
	char *what = NULL;

	for (int32_t i = 0; i < TXN_PRODUCERS; i++)
		seen[i] = xcalloc(TXN_COUNT_MAX, sizeof(*seen[i]));
	for (int32_t i = 0; what == NULL && i < TXN_PARTITIONS; i++)
		what = mark_partition(view, i, history, seen);
	for (int32_t i = 0; what == NULL && i < TXN_PRODUCERS; i++)
		what = check_producer(
		    &history->producers[i], i, seen[i], committed[i]);
	for (int32_t i = 0; i < TXN_PRODUCERS; i++)
		free(seen[i]);
	return what;
}
