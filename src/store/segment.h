/*
 * One segment of a log: the file of batches and its two indexes.
 *
 * The files share a name, the base offset in 20 digits: `.log`, `.index`,
 * `.timeindex`, and Kafka's `.txnindex` and `.snapshot`, which are not the
 * segment's but go with it.
 *
 * Life.  A segment is refcounted: the log has a reference, so has each read
 * in flight.  It is active (appended to) until segment_close_out, then only
 * read.  Its descriptor lives in the fd_cache; segment_pin keeps it open.
 *
 * Guards.  L: the log's lock.  M: the segment's own mutex, a leaf.  Active
 * indexes are L, those of a closed segment are M: they are dropped from
 * memory and loaded again when they are needed.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include "base/base.h"
#include "store/fd_cache.h"
#include "store/offset_index.h"
#include "store/time_index.h"

#include <pthread.h>
#include <stdatomic.h>

/* "00000000000000000042" and a NUL. */
#define SEGMENT_NAME_SIZE 21
#define SEGMENT_RELATIVE_OFFSET_MAX INT32_MAX

struct disk;

struct segment {
	/* Immutable. */
	struct fd_cache *files;
	struct disk *disk;
	int64_t base_offset;

	atomic_uint refs;

	/* L */
	int64_t size_bytes;		/* of whole batches */
	int64_t allocated_bytes;	/* reserved on disk, or 0 */
	int64_t next_offset;		/* behind the last batch */
	int64_t max_timestamp_ms;	/* -1: none */
	int64_t max_timestamp_offset;	/* last offset of the batch with it */
	int64_t first_timestamp_ms;	/* of the first batch, or -1: unknown */
	int64_t created_ms;		/* wall clock; mtime for loaded ones */
	int64_t jitter_ms;		/* taken off segment.ms */
	int32_t unindexed_bytes;	/* since the last index entry */
	bool active;
	bool dirty;			/* not synced since the last append */
	bool indexes_dirty;		/* index files not synced */

	/* L while active, then M */
	struct offset_index offset_index;
	struct time_index time_index;
	bool indexes_loaded;

	/* M */
	pthread_mutex_t mutex;
	char *path;			/* of the .log file */
	bool indexes_used;		/* since the last segment_relax */

	/* Of fd_cache's lock. */
	struct cached_file file;
};

void segment_name(int64_t base_offset, char name[SEGMENT_NAME_SIZE]);

/*
 * The heap path of a segment's file: directory/NAME + suffix (".log"); the
 * caller frees it.
 */
char *segment_path(const char *directory, int64_t base_offset,
    const char *suffix);

/*
 * A new, empty, active segment with an empty .log file, not synced.  Another
 * file of that name is emptied.  NULL with errno.  One reference.
 */
struct segment *segment_create(struct fd_cache *files, const char *directory,
    int64_t base_offset, int64_t now_ms) WARN_UNUSED;

/*
 * The segment of an existing file of size_bytes, closed, without looking into
 * it.  Its time index says the largest timestamp once it is loaded; until
 * then, and where that is empty, mtime_ms stands for its age.
 */
struct segment *segment_open(struct fd_cache *files, const char *directory,
    int64_t base_offset, int64_t size_bytes, int64_t mtime_ms);

struct segment *segment_ref(struct segment *segment);
void segment_unref(struct segment *segment);

/* Pin the descriptor: -1 with errno.  Takes M.  Unpin when done. */
int segment_pin(struct segment *segment) WARN_UNUSED;
void segment_unpin(struct segment *segment);

/* Milliseconds that retention counts from.  L */
int64_t segment_largest_timestamp(const struct segment *segment);

#endif
