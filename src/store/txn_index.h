/*
 * The transaction index of a segment, in memory, and Kafka's `.txnindex`
 * file: the aborted transactions whose marker is in the segment.
 *
 *     off  size  field
 *     0    2     version i16, 0
 *     2    8     producer id i64
 *     10   8     first offset i64: of the transaction's first record
 *     18   8     last offset i64: of its ABORT marker
 *     26   8     last stable offset i64, once the marker was in the log:
 *                where the earliest transaction began that was still open,
 *                or what follows the marker
 *
 * Entries stand in the order of their markers.  A segment without aborted
 * transactions has no file (TransactionIndex, AbortedTxn).
 *
 * Not thread-safe: the owner (a segment) says what guards it.
 */
#ifndef STORE_TXN_INDEX_H
#define STORE_TXN_INDEX_H

#include "base/base.h"

#define TXN_INDEX_ENTRY_LEN 34

struct disk;

struct txn_index_entry {
	int64_t producer_id;
	int64_t first_offset;
	int64_t last_offset;
	int64_t last_stable_offset;
};

struct txn_index {
	struct txn_index_entry *entries; /* NULL while cap is 0 */
	size_t count;
	size_t cap;
};

void txn_index_init(struct txn_index *index);
void txn_index_fini(struct txn_index *index);

/* Append an entry; whoever looks something up keeps them in order. */
void txn_index_append(
    struct txn_index *index, const struct txn_index_entry *entry);

/* Drop the entries whose marker is at offset or above. */
void txn_index_truncate(struct txn_index *index, int64_t offset);

/* The first entry whose marker is at offset or above; count: there is none. */
size_t txn_index_find(const struct txn_index *index, int64_t offset);

/*
 * Read the file at path.  -1 with errno; EBADMSG where it cannot be the index
 * of a segment that begins at base_offset.  The index is empty then.
 */
int txn_index_read(struct txn_index *index, struct disk *disk,
    const char *path, int64_t base_offset) WARN_UNUSED;

/*
 * Write the file at path, or unlink it where there are no entries; nothing is
 * synced.  -1 with errno.
 */
int txn_index_write(const struct txn_index *index, struct disk *disk,
    const char *path) WARN_UNUSED;

#endif
