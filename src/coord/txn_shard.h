/*
 * Txn shard: the transactional ids of one partition of __transaction_state.
 *
 * The functions below are the operations: each enters the shard, decides,
 * writes, and answers the call when what it wrote is committed; an error of
 * entering (NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS) is the call's.
 * Requests and what they hold belong to the shard until the call is done.
 *
 * Some operations may need a new producer id, which is not to be had under a
 * lock: they return false then, with nothing done, and are called again with
 * one in call->fresh_id.
 *
 * Any thread, no lock held.
 */
#ifndef COORD_TXN_SHARD_H
#define COORD_TXN_SHARD_H

#include "base/budget.h"
#include "base/map.h"
#include "coord/shard.h"
#include "coord/txn.h"
#include "coord/txn_call.h"
#include "coord/txn_settings.h"

#include <stdatomic.h>

struct txn_ending;
struct txn_environment;
struct txn_shard;

/* What the shards of a coordinator have in common; outlives them. */
struct txn_environment {
	const struct txn_settings *settings;
	struct budget memory;		/* of all transactional ids */
	atomic_int version;		/* transaction.version */

	/* Call call->run, with producer ids where it needs them. */
	void (*run)(struct txn_environment *environment,
	    struct txn_shard *shard, struct txn_call *call);
	/*
	 * Write the ending's markers, then txn_ending_complete.  The ending is
	 * given over.
	 */
	void (*mark)(struct txn_environment *environment,
	    struct txn_ending *ending);
	/* The shard has resigned, and nothing that ends uses it any more. */
	void (*idle)(struct txn_environment *environment,
	    struct txn_shard *shard);
};

struct txn_shard {
	struct shard shard;
	struct txn_environment *environment;

	/* atomic */
	atomic_int users;		/* endings, and who leads */

	/* guarded by the shard's lock */
	struct map txns;		/* struct txn, by id */
	struct list list;		/* all of them */
	struct list ongoing;		/* those Ongoing */
	uint64_t life;			/* how often the state was dropped */
	struct txn *expiry_next;	/* where expiry goes on; NULL: done */
	struct shard_timer timeouts;	/* runs while some are */
	struct shard_timer expiry;	/* of transactional ids */
};

/* host, settings and environment outlive the shard. */
void txn_shard_init(struct txn_shard *shard,
    struct txn_environment *environment,
    const struct shard_settings *settings, struct shard_host *host,
    int32_t partition);
/* The shard is closed. */
void txn_shard_fini(struct txn_shard *shard);

/* One of the users is gone; the last one says idle.  No lock held. */
void txn_shard_release(struct txn_shard *shard);

/* The calls of txn_call.h; false: a producer id is wanted. */
bool txn_shard_begin(struct txn_shard *shard, struct txn_call *call)
    WARN_UNUSED;
bool txn_shard_add(struct txn_shard *shard, struct txn_call *call)
    WARN_UNUSED;
bool txn_shard_end(struct txn_shard *shard, struct txn_call *call)
    WARN_UNUSED;
bool txn_shard_abort(struct txn_shard *shard, struct txn_call *call)
    WARN_UNUSED;
bool txn_shard_describe(struct txn_shard *shard, struct txn_call *call)
    WARN_UNUSED;

/*
 * Add to list, whose entries live in arena, the transactional ids that pass
 * the filter.  list is complete on return, and what it says committed when
 * call is done.
 */
void txn_shard_list(struct txn_shard *shard, struct shard_call *call,
    struct arena *arena, const struct txn_filter *filter,
    struct txn_list *list);

/* --- Among the files of the shard: the lock is held ----------------------- */

/* A transaction is Ongoing: look after its time from now on. */
void txn_shard_watch_timeouts(struct txn_shard *shard);

/*
 * Abort a transaction from within, so that its producer is fenced.  fresh_id
 * is a new producer id where txn_abort_needs_id.
 */
bool txn_abort_needs_id(const struct txn *txn);
enum kp_error txn_abort(struct txn *txn, int64_t fresh_id) WARN_UNUSED;

/* Decide the outcome; txn_prepare_needs_id: for a client of that version. */
bool txn_prepare_needs_id(const struct txn *txn, int16_t client_version);
enum kp_error txn_prepare(struct txn *txn, bool commit,
    int16_t client_version, int64_t fresh_id) WARN_UNUSED;

#endif
