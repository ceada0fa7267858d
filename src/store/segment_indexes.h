/*
 * The two indexes of a segment, kept together with what is counted to fill
 * them.
 *
 * Not thread-safe: the segment says what guards it.
 */
#ifndef STORE_SEGMENT_INDEXES_H
#define STORE_SEGMENT_INDEXES_H

#include "base/base.h"
#include "store/offset_index.h"
#include "store/time_index.h"

struct batch;
struct disk;

struct segment_indexes {
	int64_t base_offset;
	struct offset_index offsets;
	struct time_index times;
	int64_t max_timestamp_ms;	/* over all batches; -1: none */
	int64_t max_timestamp_offset;	/* last offset of the batch with it */
	int64_t unindexed_bytes;	/* since the last entry */
};

void segment_indexes_init(struct segment_indexes *indexes,
    int64_t base_offset);
void segment_indexes_fini(struct segment_indexes *indexes);

/*
 * Count the batch at position, whose offsets are within the segment's range.
 * It gets an entry if more than interval_bytes were counted since the last.
 */
void segment_indexes_add(struct segment_indexes *indexes,
    const struct batch *batch, int64_t position, int32_t interval_bytes);

/* The next batch gets an entry, wherever it is. */
void segment_indexes_want_entry(struct segment_indexes *indexes);

/* Make the largest timestamp the time index's last entry, as at a roll. */
void segment_indexes_finish(struct segment_indexes *indexes);

/* Forget the batches at position and behind it, which have offset or more. */
void segment_indexes_truncate(struct segment_indexes *indexes,
    int64_t position, int64_t offset);

/* Is one of the files full?  len_max is segment.index.bytes. */
bool segment_indexes_full(const struct segment_indexes *indexes,
    int32_t len_max);

/*
 * Read the files, of a log of log_size bytes.  -1 with errno, EBADMSG where
 * one cannot be believed; the indexes are empty then.
 */
int segment_indexes_read(struct segment_indexes *indexes, struct disk *disk,
    const char *offsets_path, const char *times_path, int64_t log_size)
    WARN_UNUSED;

/*
 * The same from the files' bytes into empty indexes; -1 where they cannot be
 * believed.
 */
int segment_indexes_decode(struct segment_indexes *indexes,
    struct slice offsets, struct slice times, int64_t log_size) WARN_UNUSED;

/* Write the files, nothing is synced; -1 with errno. */
int segment_indexes_write(const struct segment_indexes *indexes,
    struct disk *disk, const char *offsets_path, const char *times_path)
    WARN_UNUSED;

/*
 * After a truncation to log_size: take in the batches of an open file behind
 * the last entry, whose timestamps are in no entry.  -1 with errno.
 */
int segment_indexes_catch_up(struct segment_indexes *indexes,
    struct disk *disk, int fd, int64_t log_size) WARN_UNUSED;

/*
 * Fill empty indexes from the good batches of an open file, over what is bad
 * between them; interval_bytes as above.  -1 with errno.
 */
int segment_indexes_rebuild(struct segment_indexes *indexes,
    struct disk *disk, int fd, int64_t log_size, int32_t interval_bytes)
    WARN_UNUSED;

#endif
