/*
 * One segment of a log: the file of batches and its two indexes.
 *
 * The files share a name, the base offset in 20 digits: `.log`, `.index`,
 * `.timeindex`, and Kafka's `.txnindex` and `.snapshot`, which are not the
 * segment's but go with it.
 *
 * Life.  A segment is refcounted: the log has a reference, so has each read
 * in flight.  It is active (appended to) until segment_close, then only read.
 * Its descriptor lives in the fd_cache; segment_pin keeps it open.
 *
 * Guards.  L: the log's lock.  M: the segment's own mutex, a leaf.  LM: L
 * while the segment is active, M once it is closed.  What is LM of a closed
 * segment is loaded when it is needed and dropped again when it is not.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include "base/base.h"
#include "store/fd_cache.h"
#include "store/segment_indexes.h"
#include "store/txn_index.h"

#include <pthread.h>
#include <stdatomic.h>

/* "00000000000000000042" and a NUL. */
#define SEGMENT_NAME_SIZE 21
#define SEGMENT_NAME_LEN 20

struct batch;
struct disk;

enum segment_gaps {
	SEGMENT_GAPS_UNKNOWN,
	SEGMENT_GAPS_NONE,
	SEGMENT_GAPS_SEEN,
};

struct segment {
	/* Immutable. */
	struct fd_cache *files;
	struct disk *disk;
	int64_t base_offset;

	atomic_uint refs;

	/* L */
	int64_t size_bytes;		/* of what was appended */
	int64_t allocated_bytes;	/* reserved on disk; 0: nothing */
	int64_t reserve_bytes;		/* always kept so, as far as it goes */
	int64_t first_timestamp_ms;	/* of the first batch; -1: none */
	int64_t created_ms;		/* wall clock; of opening, if loaded */
	int64_t modified_ms;		/* wall clock, of the last append */
	int64_t jitter_ms;		/* taken off segment.ms */
	bool active;
	bool dirty;			/* batches that are not synced */
	bool indexes_dirty;		/* index files lack entries or a sync */
	bool has_aborts;		/* a .txnindex, or entries for one */
	bool aborts_checked;		/* they are what the batches say */
	unsigned cuts;			/* how often it was truncated */
	uint8_t *snapshot;		/* of producers at the base, for which
					   there was no room, or NULL */
	size_t snapshot_len;
	int64_t open_first;		/* of the transactions that are open at
					   its end; -1: not known */

	/* LM */
	struct segment_indexes indexes;	/* timestamps stay when relaxed */
	bool indexes_loaded;
	bool indexes_used;		/* since the last segment_relax */
	bool timestamps_known;
	bool indexes_rebuilt;		/* segment_distrust has done its work */
	bool held;			/* needs its names no more: M always */
	bool unsaved;			/* the files are not there: M always */
	struct txn_index aborts;
	bool aborts_loaded;		/* or there are none */

	/* M */
	pthread_mutex_t mutex;
	bool times_checked;		/* segment_check_times was here */
	bool index_touched;		/* segment_touch_index was here */
	enum segment_gaps gaps;		/* what segment_may_have_gaps found */
	char *directory;		/* where the files are */
	const char *suffix;		/* of their names, ".deleted" or so */
	size_t renamed_count;		/* so many have their next one yet, */
	const char *renamed_suffix;	/* after a rename that failed */

	/* fd_cache's. */
	struct cached_file file;
};

void segment_name(int64_t base_offset, char name[SEGMENT_NAME_SIZE]);

/*
 * A new, empty, active segment with an empty .log file, nothing synced; a
 * file of that name is emptied.  NULL with errno.  One reference.
 */
struct segment *segment_create(struct fd_cache *files, const char *directory,
    int64_t base_offset, int64_t now_ms) WARN_UNUSED;

/*
 * The segment of a file of size_bytes, closed, without looking into it.
 */
struct segment *segment_open(struct fd_cache *files, const char *directory,
    int64_t base_offset, int64_t size_bytes, int64_t modified_ms);

/*
 * The same for one whose files end with .swap, which are whole and durable;
 * and giving them their plain names then, -1 with errno: the segment can be
 * used, and this be called again.
 */
struct segment *segment_open_swap(struct fd_cache *files,
    const char *directory, int64_t base_offset, int64_t size_bytes,
    int64_t modified_ms);
int segment_settle(struct segment *segment) WARN_UNUSED;

struct segment *segment_ref(struct segment *segment);
void segment_unref(struct segment *segment);

/*
 * The heap path of a sibling, ".index"; the caller frees it.  The first takes
 * M, the second is for who holds it.
 */
char *segment_path(struct segment *segment, const char *extension);
char *segment_path_held(const struct segment *segment, const char *extension);

/* Keep the descriptor open and return it: -1 with errno.  Takes M. */
int segment_pin(struct segment *segment) WARN_UNUSED;
void segment_unpin(struct segment *segment);

/* --- Active: L ---------------------------------------------------------- */

/*
 * Write len bytes behind the last ones, and do not count them yet.  step_max
 * bounds what is reserved ahead.  -1 with errno: nothing was appended.
 * *damaged says then that the file could not be cut back, so that nothing
 * must be appended any more.
 */
int segment_write(struct segment *segment, const uint8_t *data, size_t len,
    int64_t size_max, bool *damaged) WARN_UNUSED;

/*
 * Reserve blocks for len bytes, for a topic that wants all of them at once;
 * the size stays what it is.  What fails here fails again with an append.
 */
void segment_reserve(struct segment *segment, int64_t len);

/* Count a batch that stands behind what was counted: size, times, indexes. */
void segment_account(struct segment *segment, const struct batch *batch,
    int32_t index_interval_bytes);

/*
 * Write the index files and give back what was reserved ahead.  -1 with
 * errno.  Nothing is synced; the segment goes on as it was.
 */
int segment_save(struct segment *segment) WARN_UNUSED;

/*
 * Have an .index file, be it empty, before a recovery point behind the base
 * offset is checkpointed: Kafka has one all the time, and where it finds none
 * there after a crash it speaks of an error (LogLoader) before it makes it
 * anew, as it would anyway.  What cannot be made is left to the next call.
 * Takes M, and needs no L.
 */
void segment_touch_index(struct segment *segment);

/* Make a segment that was saved read-only. */
void segment_close(struct segment *segment);

/*
 * Make a closed segment the one that is appended to: its indexes are loaded,
 * and the time of its first batch.  -1 with errno.
 */
int segment_activate(struct segment *segment, int64_t now_ms) WARN_UNUSED;

/*
 * The same of one that an orderly stop noted: nothing is read.  offsets and
 * times are the index files' bytes; -1 where they cannot be this segment's,
 * which is as it was then.
 */
int segment_activate_noted(struct segment *segment, struct slice offsets,
    struct slice times, int64_t first_timestamp_ms, int64_t now_ms)
    WARN_UNUSED;

/*
 * Make the size position, where a batch begins, durably, and forget what is
 * behind it: batches of offset or more.  -1 with errno.
 */
int segment_truncate(struct segment *segment, int64_t position,
    int64_t offset) WARN_UNUSED;

/*
 * Forget size, indexes and times and become active: recovery accounts for all
 * batches again.
 */
void segment_recount(struct segment *segment);

/* --- Aborted transactions (segment_aborts.c) ----------------------------- */

/*
 * Count an aborted transaction whose marker is in the segment, behind those
 * of all others.  L; active.
 */
void segment_add_abort(
    struct segment *segment, const struct txn_index_entry *entry);

/*
 * Append to found those whose marker is at from_offset or above and that
 * began below upper.  1: no later segment has any; 0: one may.  L; active.
 */
int segment_find_aborts(struct segment *segment, int64_t from_offset,
    int64_t upper, struct txn_index *found) WARN_UNUSED;

/* The same of a closed segment; takes M, may read the file.  -1 with errno. */
int segment_find_aborts_closed(struct segment *segment, int64_t from_offset,
    int64_t upper, struct txn_index *found) WARN_UNUSED;

/* Write the file where there is something to write, without a sync.  L. */
int segment_write_aborts(struct segment *segment) WARN_UNUSED;

/*
 * Have these entries (taken over) instead of its own, which the batches
 * contradict, and write them where no append will.  L and M.
 */
void segment_replace_aborts(
    struct segment *segment, struct txn_index *entries);

/* Have the entries in memory.  M; -1 with errno. */
int segment_load_aborts(struct segment *segment) WARN_UNUSED;

/* --- Looking up --------------------------------------------------------- */

/*
 * A position at or before the batch that holds offset, from the index.  L if
 * active; takes M and may read files if closed.  -1 with errno.
 */
int64_t segment_lookup(struct segment *segment, int64_t offset) WARN_UNUSED;

/* The same of a segment that is known to be closed, without L. */
int64_t segment_lookup_closed(struct segment *segment, int64_t offset)
    WARN_UNUSED;

/*
 * The entry of the index that is the batch of an offset where every batch has
 * one, as large batches do.
 */
struct segment_guess {
	int64_t position;	/* -1: there is none worth a look */
	int64_t last_offset;
};

/* Guards as segment_lookup; none where that would have to read files. */
void segment_guess(struct segment *segment, int64_t offset,
    struct segment_guess *guess);
void segment_guess_closed(struct segment *segment, int64_t offset,
    struct segment_guess *guess);

/*
 * The position of the last batch of the index that begins at position or in
 * front of it, 0 where there is none.  Guards as segment_guess.
 */
int64_t segment_floor(struct segment *segment, int64_t position);
int64_t segment_floor_closed(struct segment *segment, int64_t position);

/* What an entry of the time index says; all 0: the segment's beginning. */
struct segment_time {
	int64_t position;	/* at or before the batch */
	int64_t offset;		/* in the batch */
	int64_t timestamp_ms;	/* its largest */
};

/*
 * Where to begin to look for a record of timestamp_ms or later.  The first for
 * an active segment (L); the second for a closed one (takes M, may read
 * files): 0, or -1 with errno.
 */
void segment_lookup_timestamp(struct segment *segment, int64_t timestamp_ms,
    struct segment_time *found);
int segment_lookup_timestamp_closed(struct segment *segment,
    int64_t timestamp_ms, struct segment_time *found) WARN_UNUSED;

/*
 * Is there such a batch before end_position, which is at most the size?  1, 0,
 * or -1 with errno.  Reads the file.  Any lock.
 */
int segment_has_time(struct segment *segment, const struct segment_time *time,
    int64_t end_position) WARN_UNUSED;

/* Where batches are looked for: those that end before both. */
struct segment_bound {
	int64_t position;
	int64_t offset;
	bool gaps; /* offsets may be missing: the segment was compacted */
};

/*
 * The first batch behind position whose last offset is at least offset: 1 and
 * its position and size, 0 where there is none before the bound, -1 with
 * errno: EBADMSG where the offset may be among bad bytes, or where the batch
 * at position is behind the offset, or the next one goes back into it or leaves
 * the offset out between them, so that an index must have led there in error,
 * or to a damaged offset.  Reads the file.  Any lock but M.
 */
int segment_locate(struct segment *segment, int64_t offset, int64_t *position,
    const struct segment_bound *bound, size_t *size_bytes) WARN_UNUSED;

/*
 * The same by a guess, with one small read: the batch there has the offset,
 * and ends with the one that the index says, so that neither of them is wrong.
 * 1 and its size; 0 where the guess is no good; -1 with errno.
 */
int segment_try(struct segment *segment, int64_t offset,
    const struct segment_guess *guess, const struct segment_bound *bound,
    size_t *size_bytes) WARN_UNUSED;

/*
 * *position becomes where the good batches below offset end, without an index.
 * 0, or -1 with errno.  Reads the file up to there.  Any lock but M.
 */
int segment_find_end(struct segment *segment, int64_t offset,
    const struct segment_bound *bound, int64_t *position) WARN_UNUSED;

/*
 * *offset becomes one that no batch before position reaches, by the index's
 * next entry, or INT64_MAX where it has none.  0, or -1 with errno.  Guards
 * as segment_lookup; the second likewise.
 */
int segment_offset_behind(struct segment *segment, int64_t position,
    int64_t *offset) WARN_UNUSED;
int segment_offset_behind_closed(struct segment *segment, int64_t position,
    int64_t *offset) WARN_UNUSED;

/*
 * The largest timestamp of all batches, -1 where there is none.  Guards and
 * result as segment_lookup; the second likewise.
 */
int segment_max_timestamp(struct segment *segment, int64_t *timestamp_ms)
    WARN_UNUSED;
int segment_max_timestamp_closed(struct segment *segment,
    int64_t *timestamp_ms) WARN_UNUSED;

/*
 * An index of this closed segment led to a wrong place: make new ones, once.
 * 1 where that was done, 0 where it was before, -1 with errno.
 */
int segment_distrust(struct segment *segment) WARN_UNUSED;

/*
 * Does the batch that the last entry of the time index names have that time?
 * 1, 0, or -1 with errno.  Guards as segment_lookup.
 */
int segment_times_agree(struct segment *segment) WARN_UNUSED;

/*
 * Make sure of a closed segment's largest timestamp, once, before something is
 * deleted, or not searched, because of it: its time index is compared with the
 * batches that it names and with the last ones, and made anew where it is
 * wrong.  -1 with errno.  Takes M, reads files.
 */
int segment_check_times(struct segment *segment) WARN_UNUSED;

/* Has segment_check_times found the largest timestamp?  Takes M. */
bool segment_times_checked(struct segment *segment);

/*
 * Was this closed segment ever compacted: do its batches lack offsets or
 * records, or have a delete horizon?  Then it may also end before the next
 * segment begins.  1, 0, or -1 with errno.  Takes M, reads the file, once.
 */
int segment_may_have_gaps(struct segment *segment) WARN_UNUSED;

/* --- Upkeep ------------------------------------------------------------- */

/* Free the indexes of a closed segment that were not used since last time. */
void segment_relax(struct segment *segment);

/*
 * There is no room for the index files of a segment that is about to be
 * closed: take away what is there of them, and keep what they would say in
 * memory.  -1 with errno.
 */
int segment_unsave(struct segment *segment) WARN_UNUSED;

/*
 * Write and sync them, if there is room now.  0, also where they are there;
 * -1 with errno.  Takes M.
 */
int segment_save_late(struct segment *segment) WARN_UNUSED;

/* Have what old, of the same files, has no files for. */
void segment_take_unsaved(struct segment *segment, struct segment *old);

/* Sync index files and batches, as they are marked dirty; -1 with errno. */
int segment_sync_indexes(struct segment *segment) WARN_UNUSED;

/*
 * Rename the files so that they end with .deleted, or unlink them where the
 * disk has no room for that; the segment is held then (segment_hold), and no
 * reader misses them.  -1 with errno: the segment can be used, and this be
 * called again.  Takes M; reads index files on a full disk.
 */
int segment_remove(struct segment *segment) WARN_UNUSED;

/* The same for one that another of this base replaces, to which the producer
 * snapshot belongs then. */
int segment_remove_replaced(struct segment *segment) WARN_UNUSED;

/*
 * Keep the descriptor of a closed segment open and its indexes in memory until
 * the last reference is gone, so that readers never look for its files again:
 * their names are another one's soon.  -1 with errno.  Takes M, reads files.
 */
int segment_hold(struct segment *segment) WARN_UNUSED;
void segment_unhold(struct segment *segment);

/* Unlink the .deleted files of a base offset; -1 with errno. */
int segment_unlink_deleted(struct disk *disk, const char *directory,
    int64_t base_offset) WARN_UNUSED;

/* The partition's directory has another name now. */
void segment_moved(struct segment *segment, const char *directory);

#endif
