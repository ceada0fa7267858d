/*
 * The log of one partition: a row of segments in a directory that is
 * interchangeable with Apache Kafka's (UnifiedLog, LocalLog).
 *
 * Offsets.  [log_start, log_end) can be read; flushed is the end of what was
 * made durable, recovery point the start of what a restart has to check;
 * log_start <= recovery_point = flushed <= log_end.  The high watermark is
 * the broker's, kept here because retention must not pass it.
 *
 * Locking.  A log carries its partition's mutex (log_lock, rank 3), which the
 * broker uses for its own fields of the partition too.  Each function says
 * "locked" (the caller holds it) or "unlocked" (the caller does not; the
 * function takes it where it has to).  Locked functions never sync and never
 * read a file, but for a log's first append after a restart, which may load
 * the index of the active segment.
 *
 * Errors.  EIO on a write, and a failed sync, take the log offline: appends
 * and reads answer KP_KAFKA_STORAGE_ERROR from then on, and the `failed`
 * function is called once.  A full disk is no such error: the append is cut
 * back and refused with KP_KAFKA_STORAGE_ERROR, the log goes on.  Either is
 * logged here.
 *
 * store/README.md has the rules that hold across files.
 */
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include "base/base.h"
#include "base/uuid.h"
#include "store/leader_epochs.h"
#include "store/log_settings.h"
#include "store/producer_state.h"
#include "wire/error.h"

struct buf;
struct disk;
struct fd_cache;
struct flush_link;
struct log;
struct segment;
struct txn_index;
struct verification_start;
struct worker_pool;

/* --- Life --------------------------------------------------------------- */

/*
 * What logs tell the broker.  All are called on whichever thread found out,
 * with the log's lock held; they must not call back into locked functions
 * that append or flush.  NULL functions are not called.
 */
struct log_events {
	/* log_flushed_offset has advanced. */
	void (*flushed)(struct log *log, void *context);
	/* The log is offline now. */
	void (*failed)(struct log *log, void *context);
	void *context;
};

struct log_open {
	struct disk *disk;
	struct fd_cache *files;	/* outlives the log and every log_read */
	const char *path;	/* of the partition's directory; copied */
	struct log_settings settings;
	int64_t recovery_point;	/* from the checkpoint, 0 without one */
	int64_t log_start_offset;	/* the same */
	bool clean;		/* the last stop was orderly */
	/*
	 * Each append was synced before the next one, so only the last can be
	 * torn: a bad batch that whole ones follow is damage wherever it is.
	 * log_open then cuts nothing and fails with EBADMSG.
	 */
	bool appends_synced;
	int64_t now_ms;		/* wall clock */
};

/*
 * Load the log of an existing directory: sweep what interrupted operations
 * left, check the segments behind the recovery point unless the stop was
 * clean, cut off a torn tail, and learn epochs and producers.  Nothing is
 * synced: what is behind the recovery point counts as dirty, so that the high
 * watermark, which moves after a flush only, cannot pass it before.  A
 * directory without segments gets an empty one at log_start_offset.
 *
 * NULL with errno; logged.  The caller owns the result; log_close or log_free.
 */
struct log *log_open(const struct log_open *open) WARN_UNUSED;

/*
 * Make a new log with an empty segment at offset 0, or, in a directory that
 * is there but has no files (a crash cut the creation short), fill it.  Cheap:
 * nothing is synced, the first flush syncs the files and both directories.
 * recovery_point, log_start_offset and clean of open are not looked at.
 *
 * NULL with errno.  Ownership as log_open.
 */
struct log *log_create(const struct log_open *open, struct uuid topic_id)
    WARN_UNUSED;

/*
 * Write what makes the next start quick: indexes, epochs, a producer snapshot.
 * Nothing is synced, but the next flush takes these files along, so that many
 * logs can be closed for the price of two syncs of their file system; see
 * log_close_publish.  0, or -1 with errno, logged.  Unlocked; nobody appends
 * any more.
 */
int log_close_prepare(struct log *log) WARN_UNUSED;

/*
 * What was prepared, and is flushed, takes its place.  Nothing is synced, but
 * the next flush takes the names along: prepare all, flush all, publish all,
 * flush all, close all.  0, or -1 with errno, logged.  Unlocked; nobody appends
 * any more.
 */
int log_close_publish(struct log *log) WARN_UNUSED;

/*
 * Stop in order: everything durable, indexes, epochs and a producer snapshot
 * written, so that the next log_open may be told that the stop was clean;
 * then free.  0, or -1 where the log was or went offline; it is freed anyway,
 * and the directory must not be called clean.  Unlocked; nobody else uses the
 * log any more, but what log_read gave stays valid.
 */
int log_close(struct log *log) WARN_UNUSED;

/*
 * The same, and append to description what log_reopen needs, for as long as
 * nobody touches the files.  Nothing is appended where the log has more to it
 * than that, or where the result is -1.
 */
int log_close_described(struct log *log, struct buf *description) WARN_UNUSED;

/*
 * log_open for a log that was described when it was closed, where the stop was
 * clean and its files are as they were then, which two stats tell.  NULL where
 * they are not, or the description is no good: log_open finds out.
 */
struct log *log_reopen(const struct log_open *open, struct slice description)
    WARN_UNUSED;

/* The topic id of a description; false where it has none. */
bool log_description_topic_id(struct slice description, struct uuid *topic_id);

/* Free and write nothing: for a deleted or failed log.  NULL is legal. */
void log_free(struct log *log);

/* Set once, before the log is used by several threads. */
void log_events_set(struct log *log, struct log_events events);

void log_lock(struct log *log);
void log_unlock(struct log *log);

/* --- What it is: any thread, these never change ------------------------- */

/* The directory's name as it was opened, "topic-0". */
const char *log_name(const struct log *log);

/* From partition.metadata; zero where there is none (then it is a stray). */
struct uuid log_topic_id(const struct log *log);

struct disk *log_disk(const struct log *log);

/* The flusher's slot in the log, and the way back. */
struct flush_link *log_flush_link(struct log *log);
struct log *log_of_flush_link(struct flush_link *link);

/* --- Where it stands: locked -------------------------------------------- */

int64_t log_start_offset(const struct log *log);
int64_t log_end_offset(const struct log *log);
int64_t log_flushed_offset(const struct log *log);
int64_t log_recovery_point(const struct log *log);
int64_t log_high_watermark(const struct log *log);
/* Readers of committed records get no further (see open_txns.h). */
int64_t log_last_stable_offset(const struct log *log);
bool log_is_offline(const struct log *log);

/* Base offset of the oldest and of the active segment. */
int64_t log_first_base_offset(const struct log *log);
int64_t log_active_base_offset(const struct log *log);

size_t log_segment_count(const struct log *log);

/* Bytes of all segments (DescribeLogDirs). */
int64_t log_size_bytes(const struct log *log);

/* Bytes behind the flushed offset, and when the oldest of them came (monotonic
 * milliseconds), for flush.messages and flush.ms; 0 and -1 where there are
 * none. */
int64_t log_unflushed_messages(const struct log *log);
int64_t log_unflushed_since_ms(const struct log *log);

const struct leader_epochs *log_leader_epochs(const struct log *log);
const struct producer_state *log_producers(const struct log *log);

const struct log_settings *log_settings(const struct log *log);
void log_settings_change(struct log *log, const struct log_settings *settings);

/*
 * The high watermark moved: it is at most log_end_offset, and never goes back
 * but by truncation.
 */
void log_high_watermark_set(struct log *log, int64_t high_watermark);

/* Become leader in this epoch: it begins at the log's end.  Locked. */
void log_leader_epoch_begin(struct log *log, int32_t leader_epoch);

/* Forget the producers that expired (producer.id.expiration.ms).  Locked. */
void log_producers_expire(struct log *log, int64_t now_ms);

/*
 * A transactional batch is about to be appended: must the coordinator be asked
 * before?  Then *guard is what the append has to bring, and else
 * VERIFICATION_NONE: its transaction is open.  KP_INVALID_PRODUCER_EPOCH where
 * the producer is known with a higher epoch.  Locked.
 */
enum kp_error log_verify(struct log *log,
    const struct verification_start *start, uint64_t *guard) WARN_UNUSED;

/* --- Append ------------------------------------------------------------- */

/* Who made the batches: what is checked, and who sets offsets, follows. */
enum log_origin {
	LOG_CLIENT,		/* Produce; producers are checked */
	LOG_COORDINATOR,	/* groups, transactions, markers */
	LOG_RAFT,		/* the metadata log */
	LOG_REPLICATION,	/* copied from a leader: offsets are kept */
};

struct log_append {
	/*
	 * Whole batches of magic 2 whose checksums and records were checked.
	 * All but REPLICATION's get base offset and leader epoch in place.
	 */
	uint8_t *data;
	size_t len;
	int32_t leader_epoch;	/* not looked at for REPLICATION */
	enum log_origin origin;
	int64_t now_ms;		/* wall clock */
	/*
	 * A transactional batch outside of an open transaction needs the guard
	 * that log_verify gave; false where nobody checks that.
	 */
	bool guarded;
	uint64_t guard;
	/* Of markers: from 2 on each transaction has an epoch (KIP-1228). */
	int16_t transaction_version;

	/* Set where the result is KP_NONE. */
	int64_t base_offset;	/* of the first batch, or of the duplicate */
	int64_t last_offset;
	int64_t log_start_offset;
	int64_t max_timestamp_ms; /* of all batches, or of the duplicate */
	bool duplicate;		/* appended before; nothing was written */
};

/*
 * Append, in one write.  Errors: KP_CORRUPT_MESSAGE where data is not whole
 * batches of magic 2, KP_RECORD_LIST_TOO_LARGE beyond segment.bytes or 2^31
 * offsets, those of producer_state_check (CLIENT), KP_INVALID_TXN_STATE where
 * the guard is not the right one, those of producer_state_check_marker and
 * KP_INVALID_PRODUCER_EPOCH (COORDINATOR), KP_OFFSET_OUT_OF_RANGE where kept
 * offsets go back, KP_KAFKA_STORAGE_ERROR.  After an error nothing was
 * appended.  Locked.
 */
enum kp_error log_append(struct log *log, struct log_append *append)
    WARN_UNUSED;

/* --- Read --------------------------------------------------------------- */

/*
 * A range of a segment's file.  Holds a reference on the segment and keeps
 * its descriptor open until log_read_release, on any thread, also after the
 * log was closed.
 */
struct log_read {
	/* In. */
	int64_t offset;		/* of the first record wanted */
	int64_t upper_bound;	/* records at or above are not read */
	size_t max_bytes;
	bool min_one_batch;	/* the first batch whole, whatever max_bytes */

	/* Out; nothing to read: segment NULL, fd -1 and len 0. */
	struct segment *segment;
	int fd;
	int64_t position;
	size_t len;		/* the last batch may be cut, not the first */
	size_t left_out;	/* bytes that max_bytes allows and len lacks, as
				   they would be of a batch that is cut */

	/* log_read_resolve has to be called; what it goes by. */
	bool unresolved;
	struct log *log;
	int64_t from_offset;	/* offset, or the segment's base above it */
	int64_t from_position;	/* look for it from here; -1: by the index */
	int64_t guess_position;	/* but here before; -1: do not */
	int64_t guess_last_offset;
	int64_t end_position;	/* what is behind is not read */
	int64_t end_offset;	/* no batch of the segment reaches it */
	bool gaps;		/* offsets may be missing */
	int64_t bound_position;	/* look for upper_bound likewise */
	bool end_exact;		/* or do not: end_position is its place */
};

/*
 * Find what to read.  In, out and errors: KP_OFFSET_OUT_OF_RANGE outside of
 * [log_start, log_end], KP_CORRUPT_MESSAGE where the bytes are damaged,
 * KP_KAFKA_STORAGE_ERROR.  Never reads a file: where the place is not in
 * memory (not at the tail), read->unresolved is set and the caller calls
 * log_read_resolve after unlocking.  One read ends with its segment.  Locked.
 */
enum kp_error log_read(struct log *log, struct log_read *read) WARN_UNUSED;

/*
 * Finish an unresolved read by looking at the index and at batch headers,
 * which may block on a cold file.  The log must not have been freed since.
 * Errors: KP_CORRUPT_MESSAGE, KP_KAFKA_STORAGE_ERROR; the read is released
 * then.  Unlocked.
 */
enum kp_error log_read_resolve(struct log_read *read) WARN_UNUSED;

/*
 * The aborted transactions that concern what was read, appended to found,
 * which the caller has made and frees: those with a marker at the read's
 * offset or above that began below its end, and perhaps some that began a
 * little later.  Where the segment has been compacted since, the read is given
 * back and has nothing.  May read a file, unless it is of the active segment.
 * Errors: KP_CORRUPT_MESSAGE, KP_KAFKA_STORAGE_ERROR, and found is empty then.
 * Unlocked; the log must not have been freed since log_read.
 */
enum kp_error log_read_aborted(struct log_read *read,
    struct txn_index *found) WARN_UNUSED;

/* May log_read_aborted have to read a file?  Unlocked. */
bool log_read_may_look_up_aborted(const struct log_read *read);

/*
 * Finish the read, unresolved or not, as far as that goes without waiting for
 * the disk.  True: it is resolved, *error is what log_read_resolve would have
 * returned, and whoever reads the range does not wait for the disk either.
 * False: that may be otherwise, by what cold_read_is_warm says; *error is
 * KP_NONE, and the caller goes on where it may block, with log_read_warm,
 * log_read_resolve where read is still unresolved, and a cold_read of the
 * range.  Never blocks.  Unlocked.
 */
bool log_read_try_resolve(struct log_read *read,
    struct worker_pool *cold_reads, enum kp_error *error);

/*
 * Bring in what log_read_resolve, and then whoever reads the range, will look
 * at, as far as that can be known before.  Blocks.  Unlocked.
 */
void log_read_warm(const struct log_read *read);

/* What is there within max_bytes, as far as whoever waits for it counts. */
static inline int64_t
log_read_bytes(const struct log_read *read)
{
	return (int64_t)(read->len + read->left_out);
}

/* Give the range back; no-op for an empty one.  Any thread, any lock. */
void log_read_release(struct log_read *read);

/* --- Timestamps --------------------------------------------------------- */

#define LOG_TIMESTAMP_MAX (-3)	/* ListOffsets' "max timestamp" */

struct log_position {
	int64_t offset;		/* -1: none; then all are -1 */
	int64_t timestamp_ms;
	int32_t leader_epoch;
};

/*
 * The first record at or behind the log start whose timestamp is at least
 * timestamp_ms (0 or more), or the first that has the largest timestamp of
 * all (LOG_TIMESTAMP_MAX).  One at or above upper_bound is none.  Reads files
 * and decompresses, so it is not for a loop when data may be cold.  Errors:
 * KP_CORRUPT_MESSAGE, KP_KAFKA_STORAGE_ERROR.  Unlocked.
 */
enum kp_error log_find_timestamp(struct log *log, int64_t timestamp_ms,
    int64_t upper_bound, struct log_position *found) WARN_UNUSED;

/* --- Flush -------------------------------------------------------------- */

/*
 * One step of making a log durable: begin (unlocked, quick), sync (unlocked,
 * blocks; or one disk_syncfs for several flushes of a file system), end
 * (unlocked, quick).  Between begin and end the log must not be freed; a
 * second flush of the log, a truncation and a rename wait for the end.
 */
struct log_flush {
	struct log *log;
	int64_t end_offset;	/* what will be durable */
	size_t sync_count;	/* how many syncs log_flush_sync would do */

	/* Private. */
	struct log_flush_file *files;	/* owned, as is path */
	size_t file_count;
	int64_t *snapshots;	/* owned: producer snapshots to sync */
	size_t snapshot_count;
	int64_t snapshot_offset;	/* of the newest one */
	char *epochs;		/* owned: the path of staged leader epochs */
	bool names;		/* sync the directory's names */
	bool creation;		/* sync partition.metadata and the parent */
	uint64_t names_version;
	char *path;
};

/* Take up what is dirty; false where nothing is, and then there is no end. */
bool log_flush_begin(struct log *log, struct log_flush *flush) WARN_UNUSED;

/* 0, or -1 with errno, logged. */
int log_flush_sync(struct log_flush *flush) WARN_UNUSED;

/*
 * For syncfs: a descriptor on the log's file system, or -1.  Valid until the
 * release, which may be left to the end.
 */
int log_flush_fd(struct log_flush *flush);
void log_flush_fd_release(struct log_flush *flush);

/*
 * error 0: flushed offset and recovery point advance, and `flushed` is called.
 * Else it is the errno of the failed sync: the log goes offline.
 */
void log_flush_end(struct log_flush *flush, int error);

/* All three steps; 0, or -1 where the log is or goes offline.  Unlocked. */
int log_flush_all(struct log *log) WARN_UNUSED;

/*
 * Make durable what a restart could not derive from the batches behind
 * recovery point, which may then be checkpointed: the leader epochs, and what
 * is known to be damaged.  0, or -1 with errno, logged unless disk_is_short.
 * Syncs.  Unlocked.  The active segment gets an .index, if an empty one
 * (segment_touch_index).
 */
int log_checkpoint(struct log *log, int64_t *recovery_point) WARN_UNUSED;

/* --- Cutting ------------------------------------------------------------ */

/*
 * Remove the oldest segments that retention.ms, retention.bytes or the log
 * start let go, none above the high watermark; files get the suffix .deleted.
 * now_ms is of the wall clock.  The number of segments, or -1 with errno
 * (logged).  Reads files and syncs.  Unlocked; for a background thread.
 */
int log_retain(struct log *log, int64_t now_ms) WARN_UNUSED;

/*
 * Unlink some files whose file.delete.delay.ms has passed, write what found no
 * room, and give back the memory of indexes that were not used since the last
 * call.  now_ms is of the monotonic clock, and so is the result: when to call
 * again, or INT64_MAX where nothing is to be done.  Syncs.  Unlocked; for a
 * background thread.
 */
int64_t log_tidy(struct log *log, int64_t now_ms);

/* The first of that alone: true where more are to be unlinked at once. */
bool log_unlink_due(struct log *log, int64_t now_ms) WARN_UNUSED;

/*
 * DeleteRecords: raise the log start to offset (-1: the high watermark); a
 * lower one changes nothing.  KP_OFFSET_OUT_OF_RANGE above the high watermark
 * or below -1.  Segments go with the next log_retain.  Locked.
 */
enum kp_error log_delete_records(struct log *log, int64_t offset) WARN_UNUSED;

/*
 * Drop everything at and above offset, durably.  0, or -1 with errno, and then
 * the log is offline.  Unlocked; reads and syncs files.
 */
int log_truncate_to(struct log *log, int64_t offset, int64_t now_ms)
    WARN_UNUSED;

/* Drop everything and go on at offset.  As log_truncate_to. */
int log_truncate_fully(struct log *log, int64_t offset, int64_t now_ms)
    WARN_UNUSED;

/*
 * Close the files of a log that was removed.  Nobody else uses it any more, and
 * all that is left to do with it is log_name and log_free.
 */
void log_drop_segments(struct log *log);

/* Begin a new segment now, unless the active one is empty.  Locked. */
int log_roll(struct log *log, int64_t now_ms) WARN_UNUSED;

/*
 * Move the partition's directory to path (topic deletion, stray); -1 with
 * errno.  Unlocked.
 */
int log_rename(struct log *log, const char *path) WARN_UNUSED;

/* Take the log offline because of an error, and call `failed`.  Locked. */
void log_fence(struct log *log, const char *reason);

/* The same for a log that is being deleted, without a word.  Locked. */
void log_retire(struct log *log);

/* --- Damage ------------------------------------------------------------- */

/*
 * Batches below the recovery point that recovery found broken: kept, never
 * served, their offsets never used again.  The number of ranges.  Locked.
 */
size_t log_damage_count(const struct log *log);

/*
 * Did the start find less than the last run had: was a tail cut off, or are
 * durable offsets gone?  Then the partition needs a new leader epoch, so that
 * clients notice, however orderly the last stop was.  Any thread.
 */
bool log_lost_data(const struct log *log);

#endif
