/*
 * The flusher: makes appended bytes durable for all logs, and tells them so.
 * Each log directory has a thread of it, so that a disk that stalls delays
 * only those who wait for that disk.
 *
 * Group commit: whatever was submitted while a sync ran is covered by the
 * next one, together.  A few dirty files are synced one by one (fdatasync),
 * more than FLUSHER_SYNCFS_ABOVE of one file system with a single syncfs.
 * The first sync of a new file syncs its directory too, that of a new
 * partition also the log directory.
 *
 * A failed sync is never retried: the log is taken offline, and its directory
 * reported.
 *
 * A thread takes one log's lock at a time and never syncs under it.
 */
#ifndef STORE_FLUSHER_H
#define STORE_FLUSHER_H

#include "base/base.h"
#include "base/list.h"

#include <stdatomic.h>

#define FLUSHER_SYNCFS_ABOVE 8
/* More directories than that share threads. */
#define FLUSHER_LANES_MAX 16

struct log;
struct flusher;

/* The flusher's part of a log: embedded in struct log, zero at first. */
struct flush_link {
	struct list_node node; /* guarded by the flusher's lock */
	bool queued;           /* will be taken by the next round */
	bool again;            /* that is its next try */
	bool syncing;          /* is part of the round that runs */
	/* The directory's number, for its thread; changed by flusher_move. */
	atomic_size_t lane;
};

struct flusher_counters {
	uint64_t rounds;
	uint64_t logs;  /* dirty ones, summed over rounds */
	uint64_t syncs; /* of files and directories */
	uint64_t syncfs_calls;
	uint64_t failures; /* logs that went offline */
};

/*
 * Start the first thread; the others begin with the first log of a directory.
 * NULL with errno where there is none to be had.
 */
struct flusher *flusher_new(void) WARN_UNUSED;

/* Sync what was submitted, stop the threads, free.  NULL is legal. */
void flusher_free(struct flusher *flusher);

/*
 * Make durable what log has now.  When that is done the log's flushed offset
 * and recovery point have advanced, and its `flushed` function was called on
 * the directory's thread.  Any thread, with or without the log's lock; never
 * blocks on I/O.  Cheap when the log is submitted already.  Where there is no
 * descriptor left to do it with it is tried until there is.
 */
void flusher_submit(struct flusher *flusher, struct log *log);

/*
 * Wait until no round holds log, and forget it if it was submitted; the log
 * may be freed then.  Blocks for as long as a sync takes, so it is not for a
 * loop.  The log's lock is not held.
 */
void flusher_forget(struct flusher *flusher, struct log *log);

/*
 * Wait until log is neither queued nor in a round: what was submitted before
 * is durable, or the log is offline, or no descriptor was left.  As
 * flusher_forget otherwise.
 */
void flusher_drain(struct flusher *flusher, struct log *log);

/*
 * The log is in another directory now, whose number it is: from here on that
 * one's thread syncs it.  Waits for a round that holds log; what was submitted
 * stays so.  Any thread, the log's lock not held; one call at a time.
 */
void flusher_move(
    struct flusher *flusher, struct log *log, size_t directory);

/* A copy of the counters; any thread. */
struct flusher_counters flusher_counters(struct flusher *flusher);

#endif
