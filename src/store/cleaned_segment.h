/*
 * The segment that compaction writes: the batches that are left of one or
 * several segments, under the base offset of the first of them.
 *
 * Its files go through three names (Kafka's UnifiedLog.replaceSegments):
 *
 *     .cleaned  being written.  A start removes them.
 *     .swap     whole and durable, as are their names.  A start puts them in
 *               the place of all that they replace.
 *     plain     part of the log; segment_settle does this last step
 *
 * While one is left that has the first name a start takes none that has the
 * second, so that it never takes a part for the whole.
 *
 * Not thread-safe.
 */
#ifndef STORE_CLEANED_SEGMENT_H
#define STORE_CLEANED_SEGMENT_H

#include "base/base.h"
#include "base/buf.h"
#include "store/segment_indexes.h"
#include "store/txn_index.h"

struct batch;
struct disk;

struct cleaned_segment {
	int64_t base_offset;
	int64_t size_bytes;		/* with what is in the buffer */
	struct txn_index aborted;	/* those whose marker is in here */

	/* Private. */
	struct disk *disk;
	char *directory;		/* owned */
	int fd;				/* -1: closed */
	struct buf buffer;		/* not written yet */
	size_t buffer_len;		/* written when there is so much */
	struct segment_indexes indexes;
	int32_t index_interval_bytes;
};

/*
 * Begin an empty one in directory (copied); a file that is left of an earlier
 * try is emptied.  -1 with errno.
 */
int cleaned_segment_open(struct cleaned_segment *cleaned, struct disk *disk,
    const char *directory, int64_t base_offset, int32_t index_interval_bytes,
    size_t buffer_len) WARN_UNUSED;

/* Free; what it has written stays. */
void cleaned_segment_fini(struct cleaned_segment *cleaned);

/*
 * Append a batch's bytes.  -1 with errno: EFBIG where the file would be larger
 * than an index can say.
 */
int cleaned_segment_append(struct cleaned_segment *cleaned,
    struct slice bytes) WARN_UNUSED;

/*
 * Append the batch that the caller has put behind what the buffer held when
 * it had `from` bytes.  As cleaned_segment_append.
 */
int cleaned_segment_added(struct cleaned_segment *cleaned, size_t from)
    WARN_UNUSED;

/*
 * Write all that is left, with indexes, and make everything durable but the
 * names.  The files get the time mtime_ms.  -1 with errno.
 */
int cleaned_segment_finish(struct cleaned_segment *cleaned, int64_t mtime_ms)
    WARN_UNUSED;

/*
 * From .cleaned to .swap, durably; syncs.  -1 with errno, and then it is one
 * or the other: discard it, or leave it to the next start.
 */
int cleaned_segment_publish(const struct cleaned_segment *cleaned)
    WARN_UNUSED;

/*
 * Unlink the files, before they are part of the log.  -1 with errno where one
 * could not be, and the log must not change any more: a start might take them
 * for whole.
 */
int cleaned_segment_discard(const struct cleaned_segment *cleaned)
    WARN_UNUSED;

#endif
