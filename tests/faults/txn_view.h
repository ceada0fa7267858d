/*
 * What a read_committed reader saw of each partition, and whether it may have
 * seen that.
 */
#ifndef FAULTS_TXN_VIEW_H
#define FAULTS_TXN_VIEW_H

#include "faults/txn_history.h"

struct txn_record {
	int64_t offset;
	int32_t txn;
	int8_t producer;
	int8_t index;
	int8_t count;		/* of the transaction's records */
};

struct txn_view_partition {
	struct txn_record *records;
	size_t count;
	size_t capacity;
};

struct txn_view {
	struct txn_view_partition partitions[TXN_PARTITIONS];
};

void txn_view_init(struct txn_view *view);
void txn_view_fini(struct txn_view *view);

/* A record, behind all that came of its partition; -1 where it is none. */
int txn_view_add(struct txn_view *view, int32_t partition, int64_t offset,
    struct slice value) WARN_UNUSED;

/*
 * What two readers saw of the same partitions is the same.  NULL, or a text
 * that says what is not so, to be freed.
 */
char *txn_view_differ(const struct txn_view *a, const struct txn_view *b);

/*
 * Hold it to the history, when all transactions have ended: each is there as a
 * whole, once, or not at all; what was committed is there and what was aborted
 * is not; and each producer's records are in order.  committed has the offset
 * of each producer's group, -1: none; it is behind the last transaction that is
 * there and had one.  NULL, or a text that says what is not so, to be freed.
 */
char *txn_view_check(const struct txn_view *view,
    const struct txn_history *history,
    const int64_t committed[TXN_PRODUCERS]);

/* How many records it has. */
size_t txn_view_count(const struct txn_view *view);

#endif
