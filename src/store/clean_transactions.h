/*
 * What compaction knows of transactions while it walks over a log from the
 * oldest batch to the newest (Kafka's CleanedTransactionMetadata).
 *
 * The data of an aborted transaction can go at once.  Its marker, and that of
 * a committed one, stays for as long as data of the transaction was met on
 * the way: a reader that began before may still need it.  A marker of which
 * no data is left is `discardable`: it gets a delete horizon, and goes in a
 * later round.
 *
 * Not thread-safe.
 */
#ifndef STORE_CLEAN_TRANSACTIONS_H
#define STORE_CLEAN_TRANSACTIONS_H

#include "base/base.h"
#include "base/map.h"
#include "store/txn_index.h"
#include "wire/control_record.h"

struct batch;

struct clean_transactions {
	/*
	 * The log's start, 0 if the caller sets no other: a restart does not
	 * know any more which of the data below was aborted.
	 */
	int64_t start_offset;

	/* Private. */
	const struct txn_index *aborted;	/* borrowed */
	size_t next;				/* of aborted, not begun yet */
	struct map producers;			/* owned values, by id */
};

/*
 * aborted are the aborted transactions that have an offset in the walked
 * range; clean_transactions_sort has put them in order.  It outlives this.
 */
void clean_transactions_init(struct clean_transactions *transactions,
    const struct txn_index *aborted);
void clean_transactions_fini(struct clean_transactions *transactions);

/* Sort by first offset. */
void clean_transactions_sort(struct txn_index *aborted);

/*
 * Of this producer a transaction is open where a segment begins, says the
 * snapshot that a start goes on from: its marker stays, or that start would
 * never see it end.
 */
void clean_transactions_begun(
    struct clean_transactions *transactions, int64_t producer_id);

/* A batch of data: is it part of an aborted transaction? */
bool clean_transactions_data(
    struct clean_transactions *transactions, const struct batch *batch);

/*
 * A control batch with a record of this type (CONTROL_RECORD_UNKNOWN where it
 * is none that we know): 1 where it is discardable, 0 where it is not.  -1
 * where it aborts data that the index did not know to be aborted, so that
 * nothing that was told before is to be believed.  *kept is set to the
 * aborted transaction whose marker stays because of its data, else to NULL.
 */
int clean_transactions_marker(struct clean_transactions *transactions,
    const struct batch *batch, enum control_record_type type,
    const struct txn_index_entry **kept) WARN_UNUSED;

#endif
