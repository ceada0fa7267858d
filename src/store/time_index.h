/*
 * The time index of a segment, in memory, and Kafka's `.timeindex` file.
 *
 *     off  size  field
 *     0    8     timestamp i64: the largest in the segment up to here
 *     8    4     relative offset i32: last offset of the batch that has it
 *
 * Timestamps increase strictly, offsets do not decrease (TimeIndex).
 *
 * Not thread-safe: the owner (a segment) says what guards it.
 */
#ifndef STORE_TIME_INDEX_H
#define STORE_TIME_INDEX_H

#include "base/base.h"

#define TIME_INDEX_ENTRY_LEN 12

struct disk;

struct time_index_entry {
	int64_t timestamp_ms;
	uint32_t relative_offset;
};

struct time_index {
	struct time_index_entry *entries;	/* NULL while cap is 0 */
	size_t count;
	size_t cap;
};

void time_index_init(struct time_index *index);
void time_index_fini(struct time_index *index);

/*
 * Append an entry; nothing happens where the timestamp is not above the last
 * one (-1 in an empty index) or the offset is below the last one.
 */
void time_index_append(struct time_index *index, int64_t timestamp_ms,
    uint32_t relative_offset);

/*
 * The last entry whose timestamp is at most timestamp_ms; false where there
 * is none.
 */
bool time_index_lookup(const struct time_index *index, int64_t timestamp_ms,
    struct time_index_entry *entry);

/* Drop the entries of relative_offset and above. */
void time_index_truncate(struct time_index *index, uint32_t relative_offset);

/*
 * Read the file at path.  -1 with errno; EBADMSG where it cannot be a time
 * index.  The index is empty then.
 */
int time_index_read(struct time_index *index, struct disk *disk,
    const char *path) WARN_UNUSED;

/*
 * The same from the file's bytes into an empty index; -1 where they cannot be
 * a time index.
 */
int time_index_decode(struct time_index *index, struct slice bytes)
    WARN_UNUSED;

/* Put the file's bytes at p: count times TIME_INDEX_ENTRY_LEN. */
void time_index_encode(const struct time_index *index, uint8_t *p);

/* Write the file at path, nothing is synced; -1 with errno. */
int time_index_write(const struct time_index *index, struct disk *disk,
    const char *path) WARN_UNUSED;

#endif
