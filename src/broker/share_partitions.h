/*
 * The share partitions of this process: found by group and partition, loaded
 * at their first use, persisted as they change, with locks that end by
 * themselves, and with those who wait for records (SharePartitionManager,
 * SharePartition and DelayedShareFetch of Kafka).
 *
 * A share partition here (share_log) is one share_partition.h with the lock
 * that guards it, its place at the persister, and its waiters.  It belongs to
 * one leader epoch: where that is over, the topic is gone or the persister
 * says that it is no longer ours, it fails, is found no more, and whoever
 * waits for it is woken.
 *
 * One fetch at a time has the turn: from share_log_begin to its end nobody
 * else reads for the same group.
 *
 * Thread: any, without locks held.  A share log's lock is a leaf.
 */
#ifndef BROKER_SHARE_PARTITIONS_H
#define BROKER_SHARE_PARTITIONS_H

#include "base/base.h"
#include "base/list.h"
#include "base/uuid.h"
#include "broker/share_group_config.h"
#include "broker/share_partition.h"
#include "broker/share_session.h"
#include "wire/error.h"

struct configs;
struct delta;
struct image;
struct long_poll;
struct loop;
struct partition;
struct share_log;
struct share_partitions;
struct share_persister;
struct worker_pool;

struct share_partitions_settings {
	struct share_persister *persister;
	struct image *image;
	const struct configs *configs;
	struct worker_pool *pool;	/* looks up where records begin */
};

/* What the settings point to outlives it. */
struct share_partitions *share_partitions_new(
    const struct share_partitions_settings *settings);

/*
 * Free all of them.  The loops, the pool and whoever carries out the
 * persister's calls have ended.  NULL is legal.
 */
void share_partitions_free(struct share_partitions *partitions);

/*
 * Subscribe with context partitions, behind the partition manager: a
 * controller_subscriber_fn.  Share partitions whose topic is gone, or whose
 * leader has changed, fail.
 */
void share_partitions_apply(void *context, const struct delta *delta);

struct share_partitions_key {
	struct slice group_id;
	struct uuid topic_id;
	int32_t index;
};

/*
 * The share partition of key, made and loaded where there is none yet; the
 * caller's reference ends with share_log_unref.  node_id must lead partition,
 * which is key's, else *error says why there is none.  Locks that end are seen
 * to on loop.
 */
struct share_log *share_partitions_open(struct share_partitions *partitions,
    const struct share_partitions_key *key, struct partition *partition,
    int32_t node_id, struct loop *loop, enum kp_error *error);

/* The share partition of key, referenced, or NULL. */
struct share_log *share_partitions_find(struct share_partitions *partitions,
    const struct share_partitions_key *key);

void share_log_unref(struct share_log *log);

/* A member is gone: it gives back what it has acquired of key. */
void share_partitions_release(struct share_partitions *partitions,
    const struct share_partitions_key *key, struct slice member);

/* No member of the group is left: forget what can be loaded again. */
void share_partitions_abandon(
    struct share_partitions *partitions, struct slice group_id);

/* A session has ended: both of these.  A share_session_end_fn. */
void share_partitions_session_ended(
    void *context, const struct share_session_end *end);

size_t share_partitions_count(struct share_partitions *partitions);

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
