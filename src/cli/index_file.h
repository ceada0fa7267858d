/*
 * A `.index`, `.timeindex` or `.txnindex` file as it is, entry by entry, read
 * through a window: for tools, which look at files that a start would rebuild.
 * The file may have any length; memory does not depend on it.
 *
 * An entry of a `.txnindex` (AbortedTxn of Kafka):
 *
 *     off  size  field
 *     0    2     version i16, 0
 *     2    8     producer id i64
 *     10   8     first offset i64
 *     18   8     last offset i64, of the abort marker
 *     26   8     last stable offset i64 after the abort
 */
#ifndef CLI_INDEX_FILE_H
#define CLI_INDEX_FILE_H

#include "base/base.h"

struct disk;

#define INDEX_FILE_TXN_ENTRY_LEN 34

/* Whole entries of each kind. */
#define INDEX_FILE_WINDOW_LEN (8 * 12 * 34 * 15)

struct index_file {
	struct disk *disk;
	int fd;
	int64_t base_offset;
	size_t entry_len;
	int64_t len;		/* of the file */
	int64_t count;		/* of whole entries */

	/* Private. */
	int64_t window_position;
	size_t window_len;
	uint8_t window[INDEX_FILE_WINDOW_LEN];
};

/* fd stays the caller's. */
void index_file_init(struct index_file *index, struct disk *disk, int fd,
    int64_t len, int64_t base_offset, size_t entry_len);

struct index_file_offset {
	int64_t offset;
	int32_t position;
};

struct index_file_time {
	int64_t timestamp_ms;
	int64_t offset;
};

struct index_file_txn {
	int16_t version;
	int64_t producer_id;
	int64_t first_offset;
	int64_t last_offset;
	int64_t last_stable_offset;
};

/* The entry with a number below count; -1 with errno. */
int index_file_offset_at(struct index_file *index, int64_t number,
    struct index_file_offset *entry) WARN_UNUSED;
int index_file_time_at(struct index_file *index, int64_t number,
    struct index_file_time *entry) WARN_UNUSED;
int index_file_txn_at(struct index_file *index, int64_t number,
    struct index_file_txn *entry) WARN_UNUSED;

/*
 * The entry with the largest offset up to this one, found as Kafka finds it,
 * so that files out of order give what Kafka gets; the start of the log where
 * there is none.  -1 with errno.
 */
int index_file_lookup(struct index_file *index, int64_t offset,
    struct index_file_offset *entry) WARN_UNUSED;

#endif
