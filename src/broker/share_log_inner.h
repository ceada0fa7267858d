/*
 * What a share log consists of, for its own files: share_log.c, its life, its
 * fetches and acknowledgements; share_log_load.c, its first state;
 * share_log_write.c, how changes get to the persister; share_log_timer.c,
 * locks that end; share_partitions.c, which has them all.
 */
#ifndef BROKER_SHARE_LOG_INNER_H
#define BROKER_SHARE_LOG_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/base.h"
#include "base/list.h"
#include "base/map.h"
#include "base/task.h"
#include "broker/share_group_config.h"
#include "broker/share_log.h"
#include "broker/share_partitions.h"
#include "net/timer.h"

enum share_log_state { LOG_LOADING, LOG_ACTIVE, LOG_FAILED };

/* The part of the key that is found by topic. */
struct share_log_place {
	struct uuid topic_id;
	intptr_t index;
};

struct share_log {
	struct share_partitions *partitions;
	/* immutable */
	struct slice key;	/* place, then group id; the bytes follow */
	struct share_log_place place;
	struct slice group_id;
	int32_t leader_epoch;
	struct loop *loop;	/* of the timer */
	/* atomic */
	atomic_int refs;

	/* guarded by the manager's mutex */
	struct list_node node;	/* of all there are */
	struct list_node of_topic;
	bool found;		/* the maps have it, with a reference */

	pthread_mutex_t mutex;
	/* guarded by mutex */
	enum share_log_state state;
	enum kp_error error;	/* FAILED */
	struct share_partition *records;
	int32_t state_epoch;
	bool busy;		/* a fetch has the turn */
	bool refused;		/* and another one did not get it */
	bool abandoned;		/* to be forgotten when nothing is written */
	bool timed;		/* the timer runs, or is about to */
	uint64_t events;
	struct list waiters;	/* struct share_log_waiter */
	struct list writes;	/* of share_log_write.c, still to hand over */
	bool writing;		/* a thread hands them over */
	size_t writes_count;	/* not yet done */

	/* loop-local */
	struct task arm;
	struct timer timer;
	uint8_t bytes[];
};

struct share_partitions {
	struct share_partitions_settings settings;
	pthread_mutex_t mutex;
	/* guarded by mutex */
	struct map by_key;
	struct map by_topic;	/* of share_partitions.c */
	struct list all;
};

/* --- Life ----------------------------------------------------------------- */

/* Its key is copied; the first reference is the caller's. */
struct share_log *share_log_new(struct share_partitions *partitions,
    struct slice key, int32_t leader_epoch, struct loop *loop);

/* References are of no account. */
void share_log_free(struct share_log *log);

void share_log_ref(struct share_log *log);

/* What its group is configured with now. */
struct share_group_config share_log_config(const struct share_log *log);

/* Something has happened: whoever waits looks again.  Locked. */
void share_log_event(struct share_log *log, struct list *fired);

/* It is found no more, and of no use to those who have it. */
void share_log_fail(struct share_log *log, enum kp_error error);

/* Nobody fetches now: may it go?  What is being written has it go later. */
bool share_log_abandon(struct share_log *log);

/* Somebody fetches again. */
void share_log_keep(struct share_log *log);

/* A member gives back what it has acquired. */
void share_log_release(struct share_log *log, struct slice member);

/* --- Load ----------------------------------------------------------------- */

/* Ask the persister, once; node_id leads partition. */
void share_log_load(
    struct share_log *log, struct partition *partition, int32_t node_id);

/* --- Write ---------------------------------------------------------------- */

/*
 * A change of the records has to be persisted; it is moved away.  True where
 * the caller has to hand it over.  Locked.
 */
bool share_log_write(struct share_log *log,
    struct share_partition_change *change, struct share_log_call *call);

/*
 * Hand over what waits, unless another thread does (mine is false), so that
 * all is handed over in its order.  The caller has a reference.
 */
void share_log_hand_over(struct share_log *log, bool mine);

/* What the persister's errors are to a client (SharePartition of Kafka). */
enum kp_error share_log_error_of(enum kp_error error);

/* --- Timer ---------------------------------------------------------------- */

void share_log_timer_init(struct share_log *log);

/*
 * Records were acquired: see to it that the timer runs.  Locks end in the
 * order in which they begin, but where the configuration changes, and then
 * those that end earlier are late by no more than what others last.  True
 * where the caller has to post `arm`, with a reference.  Locked.
 */
bool share_log_timer_wanted(struct share_log *log);

/* --- The manager's -------------------------------------------------------- */

/* Find it no more; true where it was: the reference is the caller's then. */
bool share_partitions_unlist(struct share_log *log);

#endif
