/*
 * The inside of a log, for the log_*.c files alone.
 *
 * Each of them is one thing that a log does: log.c life and roll, log_append,
 * log_read, log_aborted (the transactions in a read), log_abort_check (whether
 * their index is right), log_timestamp (look-up
 * by time), log_flush, log_retain, log_cut (truncation), log_clean with
 * log_clean_plan, log_clean_map and log_clean_group (compaction), log_sweep
 * (files of interrupted operations), log_load, log_recovery and log_epochs
 * (start),
 * log_closed (start without files, after an orderly stop),
 * log_producers (state after a start or a cut), log_damage (what is rotten).
 */
#ifndef STORE_LOG_INTERNAL_H
#define STORE_LOG_INTERNAL_H

#include "base/list.h"
#include "store/flusher.h"
#include "store/log.h"
#include "store/log_tail.h"
#include "store/open_txns.h"
#include "store/segment.h"
#include "store/verification.h"

#include <pthread.h>
#include <stdatomic.h>

struct batch;
struct buf;
struct file_scan;

/* Beyond this a segment's offsets could pass what 64 bits hold. */
#define LOG_BASE_OFFSET_MAX (INT64_MAX - UINT32_MAX)

/* The file of a partition's directory that has the damaged ranges. */
#define LOG_DAMAGES_FILE "damaged-ranges"

/*
 * Batches that recovery could not read: [first, end) of offsets, of bytes.
 * Without bytes: offsets that were durable and that no file has any more.
 */
struct log_damage {
	int64_t first_offset;
	int64_t end_offset;
	int64_t segment_base;
	int64_t position;
	int64_t end_position;
};

/* A segment whose files wait to be unlinked. */
struct log_removal {
	struct list_node node;
	int64_t base_offset;
	int64_t due_ms;		/* monotonic clock; INT64_MAX: never */
};

struct log {
	/* Immutable once opened. */
	struct disk *disk;
	struct fd_cache *files;
	struct uuid topic_id;
	char *name;
	struct log_events events;
	bool appends_synced;		/* see struct log_open */

	atomic_bool clean_stop;		/* a round ends at its next step */

	pthread_mutex_t mutex;
	pthread_cond_t flush_ended;

	/* The flusher's. */
	struct flush_link flush_link;

	/* Guarded by mutex. */
	char *path;
	struct log_settings settings;
	struct segment **segments;	/* by base offset; the last is active */
	size_t segment_count;
	size_t segment_capacity;
	int64_t start_offset;
	int64_t end_offset;
	int64_t recovery_point;		/* durable below */
	int64_t high_watermark;
	int64_t unflushed_since_ms;	/* monotonic; -1: nothing */
	int64_t snapshot_offset;	/* of the newest producer snapshot */
	int64_t snapshot_synced;	/* those up to here are durable */
	struct log_tail tail;
	struct leader_epochs epochs;
	struct leader_epoch recovered_epoch; /* of the last batch read */
	struct producer_state producers;
	struct open_txns txns;
	struct verifications verifications;
	struct log_damage *damages;	/* by first_offset */
	size_t damage_count;
	bool damages_dirty;		/* the file lacks a change */
	bool lost_data;			/* see log_lost_data */
	struct list removals;		/* struct log_removal */
	uint64_t names_version;		/* counts changes of names */
	bool names_dirty;		/* names in path are not synced */
	bool creation_dirty;		/* nor path's own, nor metadata */
	bool epochs_staged;		/* as it closes; to be put in place */
	bool epochs_unsynced;		/* these are not synced */
	int64_t stray_offset;		/* of a snapshot to be removed, or -1 */
	bool closing;			/* a flush takes all that is dirty */
	bool flushing;			/* between flush begin and end */
	int64_t clean_offset;		/* cleaned below; -1: never */
	unsigned clean_pauses;		/* how many want no cleaning */
	bool cleaning;			/* a round of compaction runs */
	struct segment *unsettled;	/* NULL, or see log_clean_settle */
	int64_t uncleanable_at;		/* until this goes, or a start; or -1 */
	int64_t checkpoint_max;		/* see log_unsaved.c; INT64_MAX */
	bool full;			/* of a full disk was logged */
	bool offline;
	struct log_mirror *mirror;	/* the move's; NULL: does not move */
	int64_t flushed_max;		/* the flushed offset shows no more */
};

/* --- log.c -------------------------------------------------------------- */

static inline struct segment *
log_active(const struct log *log)
{
	return log->segments[log->segment_count - 1];
}

/* A log without segments; the path is copied.  The caller owns it. */
struct log *log_new(const struct log_open *open);

/* Put a segment (owned from now on) behind the others. */
void log_segment_push(struct log *log, struct segment *segment);

/* Create an empty active segment at base_offset; -1 with errno. */
int log_segment_add(struct log *log, int64_t base_offset, int64_t now_ms)
    WARN_UNUSED;

/* Roll to a segment that begins at base_offset, not below the log's end. */
int log_roll_at(struct log *log, int64_t base_offset, int64_t now_ms)
    WARN_UNUSED;

/* Put a new segment at base_offset in the place of the empty active one. */
int log_segment_replace(struct log *log, int64_t base_offset, int64_t now_ms)
    WARN_UNUSED;

/* The index of the segment that covers offset: the last with base <= it. */
size_t log_segment_find(const struct log *log, int64_t offset);

/* Does a segment begin at offset? */
bool log_has_base(const struct log *log, int64_t offset);

/*
 * A reference to the first segment that begins at offset or behind it, NULL
 * where there is none: to walk over segments while the log is not locked.
 */
struct segment *log_segment_from(const struct log *log, int64_t offset);

/* Offset behind the segment's last possible one: next base, or log end. */
int64_t log_segment_end(const struct log *log, size_t at);

/*
 * Log that errno kept us from doing `what` ("append"), once while a disk is
 * full; fence the log where that is final.
 */
void log_write_failed(struct log *log, const char *what, bool final);

/* Names in the directory changed. */
void log_names_changed(struct log *log);

/*
 * Write a producer snapshot at the log's end unless there is one; -1 with
 * errno.  Nothing is synced.
 */
int log_snapshot_write(struct log *log) WARN_UNUSED;

/* --- log_unsaved.c ------------------------------------------------------ */

/* Does the log lack files that there was no room for?  Locked. */
static inline bool
log_is_unsaved(const struct log *log)
{
	return log->checkpoint_max != INT64_MAX;
}

/*
 * There is no room for the files of the recovered segment at this index, or
 * for the snapshot at its base, where producers are now: take away what was
 * written of them, and have them in memory, of snapshots the newest ones only.
 * The first is -1 with errno where not even that is possible.  Locked.
 */
int log_unsaved_segment(struct log *log, size_t at) WARN_UNUSED;
void log_unsaved_snapshot(struct log *log, size_t at);

/*
 * The last segment that begins at limit or below and has a snapshot of
 * producers in memory, or NULL.  Locked.
 */
const struct segment *log_unsaved_snapshot_below(
    const struct log *log, int64_t limit);

/*
 * Write them, durably, if there is room now.  0, also where there is nothing
 * to write or the log is offline; -1 with errno.  Unlocked.
 */
int log_unsaved_write(struct log *log) WARN_UNUSED;

/* --- log_flush.c -------------------------------------------------------- */

/* Wait until no flush runs, and keep others from beginning.  Locked. */
void log_flush_hold(struct log *log);
void log_flush_release(struct log *log);

/* --- log_clean.c -------------------------------------------------------- */

/*
 * Stop the cleaning of the log, wait until it has, and keep it from beginning
 * again.  Locked, flushes not held.
 */
void log_clean_pause(struct log *log);
void log_clean_resume(struct log *log);

/*
 * What a round has put in the place of old segments may lack its plain names
 * yet, because the disk was full or there was no descriptor: a start finishes
 * it, and so does this.  0, also where there is nothing to do, or where a
 * round runs or is not to run; -1 with errno, logged: it was not possible now,
 * or the log is offline.  Syncs.  Unlocked.
 */
int log_clean_settle(struct log *log) WARN_UNUSED;

/*
 * The same for who has paused the cleaning, and locked the log, which is not
 * locked meanwhile.
 */
int log_clean_settle_paused(struct log *log) WARN_UNUSED;

/* --- log_move.c --------------------------------------------------------- */

/* What was appended goes to the copy, too.  Locked; log->mirror is there. */
void log_mirror_append(struct log *log, const struct log_append *appended);

/* --- log_aborted.c ------------------------------------------------------- */

struct log_aborted_range {
	int64_t base_offset;	/* segments from this one on are looked into */
	int64_t from_offset;	/* markers at or above */
	int64_t upper;		/* transactions that began below */
};

/*
 * Append to found the aborted transactions of that range, in the order of
 * their markers.  May read files.  -1 with errno, EBADMSG where an index is
 * damaged.  Unlocked.
 */
int log_find_aborted(struct log *log, const struct log_aborted_range *range,
    struct txn_index *found) WARN_UNUSED;

/* --- log_retain.c ------------------------------------------------------- */

/*
 * Take count segments from index at out of the log and rename their files.
 * -1 with errno where a rename failed, logged; those that were not renamed
 * stay in the log.  Locked, and flushes held.
 */
int log_segments_remove(struct log *log, size_t at, size_t count)
    WARN_UNUSED;

/*
 * Make the names in the directory durable: those of new files before old ones
 * go.  Locked, flushes held; not locked meanwhile.  -1 with errno, where the
 * log is or goes offline, or lacks a descriptor.
 */
int log_names_sync(struct log *log) WARN_UNUSED;

/*
 * Make the producer snapshot at base durable, where directory, the log's, has
 * one.  -1 with errno, logged.  Unlocked.
 */
int log_snapshot_sync(struct log *log, const char *directory, int64_t base)
    WARN_UNUSED;

/* Have the .deleted files of a base offset unlinked in time.  Locked. */
void log_removal_schedule(struct log *log, int64_t base_offset);

/* The same of files that a load found, each base offset once: at once. */
void log_removal_is_due(struct log *log, int64_t base_offset);

/* --- log_sweep.c -------------------------------------------------------- */

/* What is in a log's directory, once interrupted operations are dealt with. */
struct log_files {
	int64_t *bases;		/* of .log files, ascending */
	size_t base_count;
	int64_t *snapshots;	/* of .snapshot files, ascending */
	size_t snapshot_count;
	int64_t *txn_indexes;	/* of .txnindex files, ascending */
	size_t txn_index_count;
};

/*
 * List the directory, finish or undo what was interrupted (.cleaned, .swap),
 * and say what is left.  .deleted files are on the log's list of removals
 * afterwards, and due.  -1 with errno, logged; otherwise log_files_fini is
 * called.
 */
int log_sweep(struct log *log, struct log_files *files) WARN_UNUSED;
void log_files_fini(struct log_files *files);

/* Is there a .txnindex for the segment at base_offset? */
bool log_files_have_txn_index(const struct log_files *files,
    int64_t base_offset);

/* Only list; of a log that is in use.  -1 with errno. */
int log_sweep_snapshots(struct log *log, struct log_files *files) WARN_UNUSED;

/* --- log_abort_check.c -------------------------------------------------- */

/*
 * Compare what a segment's .txnindex says of aborted transactions with the
 * batches, and put it right.  Reads the segment's file, all of it where there
 * may be any.  -1 with errno.  Unlocked; the caller has a reference.
 */
int log_check_aborts(struct log *log, struct segment *segment) WARN_UNUSED;

/* --- log_producers.c ---------------------------------------------------- */

/* A transaction's marker, of a batch's bytes; -1 where they are none. */
int log_marker_read(struct slice bytes, bool *abort,
    int32_t *coordinator_epoch) WARN_UNUSED;

/* Unlink the producer snapshot at offset; where that fails it is logged. */
void log_snapshot_unlink(struct log *log, int64_t offset);

/*
 * Load the newest whole snapshot at or below offset, then read batches up to
 * offset.  Without any snapshot there are no producers, unless scan_all, which
 * reads the whole log then.  Unusable snapshots and those above are unlinked.
 * -1 with errno.
 */
int log_producers_load(struct log *log, struct log_files *files,
    int64_t offset, bool scan_all) WARN_UNUSED;

/*
 * Note a batch that is in the log now, with its bytes.  segment is where it
 * was appended, whose index learns of an aborted transaction; NULL where the
 * index knows already.
 */
void log_producers_note(struct log *log, const struct batch *batch,
    struct slice bytes, struct segment *segment);

/* The same for the batch that a scan found; -1 with errno. */
int log_producers_note_scanned(struct log *log, struct file_scan *scan,
    const struct batch *batch, struct segment *segment) WARN_UNUSED;

/* What a batch says about its producer. */
void log_producers_describe(const struct batch *batch,
    struct producer_append *append);

/* --- log_damage.c ------------------------------------------------------- */

/* Note a damaged range, and say so.  Locked, or still loading, as all here. */
void log_damage_note(struct log *log, const struct log_damage *damage);

/* Forget the ranges of a segment: all, or those that recovery finds again. */
void log_damages_forget_segment(struct log *log, int64_t base_offset);
void log_damages_forget_bytes(struct log *log, int64_t base_offset);

/* Forget the ranges that begin at offset or above it. */
void log_damages_truncate(struct log *log, int64_t offset);

/*
 * Read the ranges of the segments that are there.  *doubtful where the file
 * cannot be believed, so that the whole log must be checked.  -1 with errno.
 */
int log_damages_read(struct log *log, bool *doubtful) WARN_UNUSED;

/*
 * The file's bytes, on the heap; clears damages_dirty.  To write them durably
 * no lock is needed; -1 with errno, logged: then they are dirty again.
 */
uint8_t *log_damages_encode(struct log *log, size_t *len);
int log_damages_write(struct disk *disk, const char *directory,
    const uint8_t *bytes, size_t len) WARN_UNUSED;

/* --- log_load.c --------------------------------------------------------- */

/* Take over what the checkpoints say. */
void log_load_begin(struct log *log, const struct log_open *open);

/* Make what was loaded fit together; there is a segment. */
void log_load_end(struct log *log);

/* --- log_closed.c ------------------------------------------------------- */

/*
 * Append the description of a log that is closed but for its memory; nothing
 * where the next start has to look into its files.
 */
void log_closed_describe(struct log *log, struct buf *description);

/* --- log_recovery.c ----------------------------------------------------- */

/*
 * Check all batches of segment at; epochs and producers learn from them, the
 * log's end moves behind them.  Below the recovery point what is bad is kept
 * and noted as damage; at or above it the segment is cut there, and *cut says
 * that later segments must go.  -1 with errno.
 */
int log_recover_segment(struct log *log, size_t at, bool *cut) WARN_UNUSED;

/*
 * Find the log's end after an orderly stop: by the batches behind the last
 * index entry.  *broken where they do not add up.  -1 with errno.
 */
int log_recover_end(struct log *log, bool *broken) WARN_UNUSED;

/* A buffer for a walk over size_bytes of a file, and its length; freed by the
 * caller. */
uint8_t *log_scan_buffer(int64_t size_bytes, size_t *len);

/* --- log_epochs.c ------------------------------------------------------- */

/*
 * Learn the leader epochs of the first count segments: from their file, or
 * where the batches say otherwise, or it says nothing, from all batches.
 * Those behind are recovered, and noted one by one.  -1 with errno.
 */
int log_epochs_load(struct log *log, size_t count) WARN_UNUSED;

/* Note the epoch of a batch that stands behind all that were noted. */
void log_epoch_note(struct log *log, const struct batch *batch);

#endif
