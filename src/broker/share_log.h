/*
 * Share log: a share partition at work.  One share_partition.h with the lock
 * that guards it, its place at the persister, locks that end by themselves,
 * and those who wait for records (SharePartition and DelayedShareFetch of
 * Kafka).
 *
 * One fetch at a time has the turn: from share_log_begin to its end nobody
 * else reads for the same group.
 *
 * Thread: any, without locks held.  A share log's lock is a leaf.
 */
#ifndef BROKER_SHARE_LOG_H
#define BROKER_SHARE_LOG_H

#include "base/base.h"
#include "base/list.h"
#include "broker/share_partition.h"
#include "wire/error.h"

struct long_poll;
struct share_log;

void share_log_unref(struct share_log *log);

/* --- Fetching ---------------------------------------------------------- */

enum share_log_turn {
	SHARE_LOG_READY,	/* it is the caller's turn */
	SHARE_LOG_WAIT,		/* nothing to acquire, or not now */
	SHARE_LOG_FAILED,
};

/* Ask for the turn. */
struct share_log_begin {
	/* out */
	int64_t fetch_offset;	/* READY: where to read from */
	int64_t end_offset;	/* READY: behind that, all is new */
	uint64_t events;	/* WAIT: for share_log_wait */
	bool loading;		/* WAIT: and that is why */
	bool full;		/* WAIT: new records would not help */
	enum kp_error error;	/* FAILED */
};
enum share_log_turn share_log_begin(
    struct share_log *log, struct share_log_begin *begin);

/*
 * End the turn; acquire is NULL where there was nothing to acquire.  *events,
 * of the begin, is what share_log_wait wants now: the end itself is no event
 * for the one whose turn it was.
 */
void share_log_end(struct share_log *log,
    struct share_partition_acquire *acquire, uint64_t *events);

/* The log begins at offset, which is above what was to be read. */
void share_log_start_moved(struct share_log *log, int64_t offset);

/* A poll that is woken when there may be records again. */
struct share_log_waiter {
	struct list_node node;
	struct share_log *log;
	struct long_poll *poll;
	uint64_t events;
};

/*
 * Wait with a poll that is parked; where something has happened since
 * share_log_begin it is woken at once.  log and events are set, the caller
 * holds the reference until share_log_unwait.
 */
void share_log_wait(struct share_log_waiter *waiter);
void share_log_unwait(struct share_log_waiter *waiter);

/* --- Acknowledging ----------------------------------------------------- */

/*
 * done is called exactly once, on any thread and perhaps before the function
 * returns; error is the answer then.
 */
struct share_log_call {
	enum kp_error error;
	void (*done)(struct share_log_call *call);
};

/*
 * As share_partition_acknowledge, persisted.  Errors also: what became of the
 * share partition, KP_COORDINATOR_NOT_AVAILABLE, KP_UNKNOWN_SERVER_ERROR where
 * the persister failed.  acks are not needed after the return.
 */
void share_log_acknowledge(struct share_log *log, struct slice member,
    const struct share_partition_ack *acks, size_t count,
    struct share_log_call *call);

#endif
