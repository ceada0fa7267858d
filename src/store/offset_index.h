/*
 * The offset index of a segment, in memory, and Kafka's `.index` file.
 *
 *     off  size  field
 *     0    4     relative offset i32: last offset of a batch - base offset
 *     4    4     position i32 of the first byte of that batch in the log
 *
 * Relative offsets increase strictly, positions do not decrease.  Kafka's
 * dump tool checks that the batch at the position has that last offset, so an
 * entry is made for a batch, never for a run of them (OffsetIndex).
 *
 * Not thread-safe: the owner (a segment) says what guards it.
 */
#ifndef STORE_OFFSET_INDEX_H
#define STORE_OFFSET_INDEX_H

#include "base/base.h"

#define OFFSET_INDEX_ENTRY_LEN 8

struct disk;

struct offset_index_entry {
	uint32_t relative_offset;
	uint32_t position;
};

struct offset_index {
	struct offset_index_entry *entries;	/* NULL while cap is 0 */
	size_t count;
	size_t cap;
};

void offset_index_init(struct offset_index *index);
void offset_index_fini(struct offset_index *index);

/* Append an entry; both numbers follow those of the last entry. */
void offset_index_append(struct offset_index *index, uint32_t relative_offset,
    uint32_t position);

/*
 * The last entry whose offset is at most relative_offset; false where there
 * is none.
 */
bool offset_index_lookup(const struct offset_index *index,
    uint32_t relative_offset, struct offset_index_entry *entry);

/* How many entries have an offset of at most relative_offset. */
size_t offset_index_count_to(
    const struct offset_index *index, uint32_t relative_offset);

/* How many have a position below position. */
size_t offset_index_count_before(
    const struct offset_index *index, int64_t position);

/*
 * Drop the entries of batches that begin at position or behind it, and those
 * of relative_offset and above, which an index that is wrong may have in front.
 */
void offset_index_truncate(struct offset_index *index, uint32_t position,
    uint32_t relative_offset);

/*
 * Read the file at path, of a log file of log_size bytes.  -1 with errno;
 * EBADMSG where it cannot be the index of such a log: not whole entries, out
 * of order, beyond the log (zeroes that Kafka's preallocation leaves after a
 * crash are out of order too).  The index is empty then.
 */
int offset_index_read(struct offset_index *index, struct disk *disk,
    const char *path, int64_t log_size) WARN_UNUSED;

/*
 * The same from the file's bytes into an empty index; -1 where they cannot be
 * those of such a log.
 */
int offset_index_decode(struct offset_index *index, struct slice bytes,
    int64_t log_size) WARN_UNUSED;

/* Put the file's bytes at p: count times OFFSET_INDEX_ENTRY_LEN. */
void offset_index_encode(const struct offset_index *index, uint8_t *p);

/* Write the file at path, nothing is synced; -1 with errno. */
int offset_index_write(const struct offset_index *index, struct disk *disk,
    const char *path) WARN_UNUSED;

#endif
