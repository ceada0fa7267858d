/*
 * Moving a log to another directory: a copy is made beside it, follows it
 * while it is appended to, and its files take the place of the log's.
 *
 *	copy = log_create(...);		an empty log
 *	log_move_begin(&move);
 *	log_move_copy(&move);		catch up
 *	log_move_follow(&move);		appends go to both from here on
 *	log_move_freeze(&move);		the copy has all that is durable
 *	...				both directories get their names
 *	log_move_exchange(&move);	the log is in the other directory
 *	log_move_end(&move);
 *
 * Whoever holds the log notices nothing: it is the same log with other
 * segments.  The copy is what the log was, and offline.  Everything may end
 * with log_move_end instead, and the log is as it was.
 *
 * What is copied was checked: what is damaged is not moved.  The copy's
 * segments begin where the log's do, so that an offset of one is an offset of
 * the other; some more may begin in between.
 *
 * The functions are one thread's, and take locks: the log's, then the copy's.
 */
#ifndef STORE_LOG_MOVE_H
#define STORE_LOG_MOVE_H

#include "base/base.h"

struct log;
struct log_mirror;

struct log_move {
	/* in, for log_move_begin */
	struct log *log;
	struct log *copy;
	/* At each step, with the bytes that were copied: false to give up. */
	bool (*pace)(void *context, size_t bytes);
	void *context;

	/* private */
	struct log_mirror *mirror; /* owned; the log has it while it follows */
	uint8_t *buffer;	   /* owned */
	size_t buffer_len;
};

/* Keep the log from being compacted, which waits for a round to stop. */
void log_move_begin(struct log_move *move);

/*
 * Copy what the log has now and the copy lacks.  0, or -1 with errno: EBADMSG
 * where something is damaged or of an old format, ECANCELED where pace gave
 * up, EIO where one of the two is offline.
 */
int log_move_copy(struct log_move *move) WARN_UNUSED;

/*
 * Let the copy follow: what is appended is kept in memory until what was
 * before is copied, and from then on appended to both.  0, or -1 with errno as
 * above; EAGAIN where more was appended than there is room for: copy again.
 */
int log_move_follow(struct log_move *move) WARN_UNUSED;

/*
 * Hold the log's flushed offset where it is, and make the copy durable at
 * least up to there.  0, or -1 with errno, EIO where the copy could not follow.
 */
int log_move_freeze(struct log_move *move) WARN_UNUSED;

/*
 * Change places.  The flushed offset goes on.  0, or -1 with errno EIO where
 * the log or the copy is offline, or could not follow: nothing was done.
 */
int log_move_exchange(struct log_move *move) WARN_UNUSED;

/* Let go of both, which are the caller's as before. */
void log_move_end(struct log_move *move);

#endif
