/*
 * Leader epochs: at which offset each leader epoch of a log began.
 *
 * An ordered list of (epoch, start offset), both strictly ascending; the
 * newest entry's end is the log's end.  It lives in memory; the file
 * leader-epoch-checkpoint in the partition's directory follows lazily: it is
 * written before a recovery point that it must not fall behind of (a restart
 * derives the entries of all batches above the recovery point from the
 * batches themselves), after a truncation, and at a clean close.
 *
 * Not thread-safe: guarded by the log's lock.  Rules: Kafka's
 * LeaderEpochFileCache; file: its version 0, "epoch startOffset" a line.
 */
#ifndef STORE_LEADER_EPOCHS_H
#define STORE_LEADER_EPOCHS_H

#include "base/base.h"

#define LEADER_EPOCHS_FILE "leader-epoch-checkpoint"
#define LEADER_EPOCHS_STAGED LEADER_EPOCHS_FILE ".tmp"

struct disk;

struct leader_epoch {
	int32_t epoch;
	int64_t start_offset;
};

struct leader_epochs {
	struct leader_epoch *entries; /* owned; oldest first */
	size_t count;
	size_t capacity;
	bool dirty; /* the file lacks a change */
};

/* An epoch and an offset, both -1 where undefined. */
struct leader_epoch_end {
	int32_t epoch;
	int64_t end_offset;
};

void leader_epochs_init(struct leader_epochs *epochs);
void leader_epochs_fini(struct leader_epochs *epochs);

/*
 * Note that epoch began at start_offset; both are 0 or more.  Entries that
 * contradict it (same or higher epoch, same or higher offset) go.  Cheap when
 * nothing changes, so it may be called for each batch.
 */
void leader_epochs_assign(
    struct leader_epochs *epochs, int32_t epoch, int64_t start_offset);

/* The newest epoch, or -1 where there is none. */
int32_t leader_epochs_latest(const struct leader_epochs *epochs);

/* The epoch of the record at offset, or -1 where it is not known. */
int32_t leader_epochs_at(const struct leader_epochs *epochs, int64_t offset);

/*
 * The answer of OffsetForLeaderEpoch: the largest epoch up to the requested
 * one and where it ended; undefined where the requested one is -1, newer than
 * all entries, or there are none.
 */
struct leader_epoch_end leader_epochs_end_offset(
    const struct leader_epochs *epochs, int32_t epoch, int64_t log_end_offset);

/* Drop the entries that start at or above end_offset. */
void leader_epochs_truncate_end(
    struct leader_epochs *epochs, int64_t end_offset);

/*
 * Drop the entries whose whole range is below start_offset; the one that
 * covers it stays, with its start raised to it.
 */
void leader_epochs_truncate_start(
    struct leader_epochs *epochs, int64_t start_offset);

void leader_epochs_clear(struct leader_epochs *epochs);

/*
 * Replace the contents by those of the file in directory; no file and an
 * empty one mean no entries.  0, or -1 with errno: EBADMSG where it is
 * malformed or not ascending (epochs is empty then), else what reading it
 * gave.  Nothing is logged.
 */
int leader_epochs_read(struct leader_epochs *epochs, struct disk *disk,
    const char *directory) WARN_UNUSED;

/*
 * The text of the file, on the heap: the caller frees it.  It is taken under
 * the lock, which clears dirty, and written without it.
 */
char *leader_epochs_text(struct leader_epochs *epochs);

/*
 * Write a text of leader_epochs_text durably.  0, or -1 with errno: the
 * caller marks the epochs dirty again.  Syncs, so it is not for a loop, nor
 * for under a lock.
 */
int leader_epochs_text_write(
    const char *text, struct disk *disk, const char *directory) WARN_UNUSED;

/*
 * The same in two steps, for when many logs are closed at once: write the
 * text to LEADER_EPOCHS_STAGED, which the caller syncs, then put it in place,
 * and the caller syncs the directory.
 */
int leader_epochs_text_stage(
    const char *text, struct disk *disk, const char *directory) WARN_UNUSED;
int leader_epochs_publish(
    struct disk *disk, const char *directory) WARN_UNUSED;

#endif
