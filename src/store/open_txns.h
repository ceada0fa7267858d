/*
 * Open transactions: those of a log that readers of committed records must
 * not pass.
 *
 * A transaction is ongoing from its first batch to its marker, and undecided
 * from then until the marker is below the high watermark.  The first offset
 * of all of these is the first unstable one; the last stable offset is there,
 * or at the high watermark where that comes first (ProducerStateManager).
 *
 * Not thread-safe: guarded by the log's lock.
 */
#ifndef STORE_OPEN_TXNS_H
#define STORE_OPEN_TXNS_H

#include "base/base.h"

/* Of a log without open transactions. */
#define OPEN_TXNS_NONE INT64_MAX

struct open_txn {
	int64_t producer_id;
	int64_t first_offset;
	int64_t marker_offset; /* of undecided ones */
};

struct open_txn_list {
	struct open_txn *txns; /* owned */
	size_t count;
	size_t cap;
};

struct open_txns {
	struct open_txn_list ongoing;   /* by first offset */
	struct open_txn_list undecided; /* by marker offset */
};

void open_txns_init(struct open_txns *txns);
void open_txns_fini(struct open_txns *txns);

/* Forget all of them. */
void open_txns_clear(struct open_txns *txns);

/* A transaction of a producer that has none begins. */
void open_txns_begin(
    struct open_txns *txns, int64_t producer_id, int64_t first_offset);

/*
 * The producer's marker at marker_offset ends its transaction: false where
 * none is ongoing, which is legal.  *first_offset is where it began.
 */
bool open_txns_end(struct open_txns *txns, int64_t producer_id,
    int64_t marker_offset, int64_t *first_offset);

/* Markers below the high watermark are final. */
void open_txns_settle(struct open_txns *txns, int64_t high_watermark);

/* Where the earliest ongoing one began, or OPEN_TXNS_NONE. */
int64_t open_txns_first_ongoing(const struct open_txns *txns);

/* The first unstable offset, or OPEN_TXNS_NONE. */
int64_t open_txns_first_unstable(const struct open_txns *txns);

#endif
