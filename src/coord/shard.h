/*
 * Shard: the coordinator of one partition of an internal topic, whatever it
 * coordinates.
 *
 * State changes by records only.  An operation locks the shard, decides,
 * emits records, and appends them as one batch; what was appended is replayed
 * into the state, by the same code that replays the log at start.  Nothing is
 * replayed before it is in the log, so there is nothing to undo when an
 * append fails.  An answer is held back until the high watermark has passed
 * everything appended before it, so that no answer tells what a crash could
 * take back.
 *
 *	enum kp_error error = shard_enter(shard);	lock, check the state
 *	shard_emit(shard, ...);				any number of records
 *	error = shard_append(shard);			append and replay them
 *	shard_reply(shard, call, error);		answer when committed
 *	shard_leave(shard);				unlock, answer
 *
 * States: INITIAL (never led), LOADING, ACTIVE, CLOSED (given away) and
 * FAILED (the log could not be read, or a commit failed; the next election
 * loads it again).
 *
 * The lock is of rank 2: the metadata image's is taken before it, a
 * partition's after it.  Calls are finished with no lock held.
 *
 * What a shard holds is the business of its kind: see group_shard.h.
 */
#ifndef COORD_SHARD_H
#define COORD_SHARD_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "base/list.h"
#include "coord/shard_host.h"
#include "coord/shard_timer.h"
#include "wire/control_record.h"
#include "wire/error.h"
#include "wire/message.h"

#include <pthread.h>

enum shard_state {
	SHARD_INITIAL,
	SHARD_LOADING,
	SHARD_ACTIVE,
	SHARD_CLOSED,
	SHARD_FAILED,
};

/* A record to replay.  The slices are borrowed for the call. */
struct shard_record {
	int64_t offset;
	int64_t producer_id;		/* -1 outside of a transaction */
	int16_t producer_epoch;
	int16_t type;			/* the int16 in front of the key */
	struct slice key;		/* behind the type */
	struct slice value;		/* null: a tombstone */
};

/* What a shard is made of above the log; the lock is held in all of them. */
struct shard_kind {
	const char *topic;		/* for log lines */
	/* -1 where the record is malformed.  Unknown types are skipped. */
	int (*replay)(struct shard *shard, const struct shard_record *record);
	/* A transaction of the producer has ended. */
	void (*replay_end)(struct shard *shard, int64_t producer_id,
	    bool committed);
	/* All of the log has been replayed: start timers. */
	void (*loaded)(struct shard *shard);
	/* Answer what is parked with error and drop all state. */
	void (*unloaded)(struct shard *shard, enum kp_error error);
	/* The answer to a client for an error of the log. */
	enum kp_error (*answer_for)(enum kp_error error);
};

/*
 * The answer_for of kinds that Kafka's coordinator runtime runs
 * (CoordinatorOperationExceptionHelper).
 */
enum kp_error shard_runtime_answer(enum kp_error error);

/*
 * Something that has to happen once all that has been appended so far is
 * committed.  ready is called under the lock, from shard_leave, with KP_NONE or
 * with the answer for what went wrong; the node is free again then.
 */
struct shard_wait {
	struct list_node node;
	int64_t offset;
	int64_t deadline_ms;
	void (*ready)(struct shard_wait *wait, struct shard *shard,
	    enum kp_error error);
};

/*
 * A caller that wants an answer.  done is called exactly once, on any thread,
 * with no lock of the shard held; the call's owner may free it there.
 */
struct shard_call {
	struct shard_wait wait;
	enum kp_error error;
	void (*done)(struct shard_call *call);
	void *context;			/* the caller's */
};

/* The transaction that a batch of records stands in. */
struct shard_transaction {
	int64_t producer_id;
	int16_t producer_epoch;
	bool guarded;			/* see struct log_append */
	uint64_t guard;
};

struct shard_settings {
	_Atomic int32_t batch_bytes_max; /* message.max.bytes; may change */
	int32_t load_bytes;		/* offsets.load.buffer.size */
	int32_t commit_timeout_ms;	/* offsets.commit.timeout.ms */
	int32_t compression;		/* enum compression, of our batches */
};

struct shard {
	/* immutable */
	const struct shard_kind *kind;
	const struct shard_settings *settings;
	struct shard_host *host;
	int32_t partition;
	pthread_mutex_t mutex;

	/* guarded by mutex */
	enum shard_state state;
	int32_t epoch;			/* the partition's leader epoch */
	int64_t end_offset;		/* behind what was appended */
	int64_t committed_offset;	/* the high watermark we know of */
	struct list waits;		/* struct shard_wait, by offset */
	struct list finished;		/* struct shard_call, to be called */
	struct shard_timers timers;
	struct shard_timer wait_timer;	/* the first wait's deadline */
	int64_t wake_ms;		/* asked of the host; INT64_MAX none */
	int64_t watch_offset;		/* asked of the host; -1 none */
	struct list emitted;		/* records not yet appended */
	struct arena emitted_arena;	/* what they are made of */
	int32_t emitted_count;
	bool emitted_failed;		/* there was no room for one */
};

/* host and settings must outlive the shard. */
void shard_init(struct shard *shard, const struct shard_kind *kind,
    const struct shard_settings *settings, struct shard_host *host,
    int32_t partition);

/* The shard is closed. */
void shard_fini(struct shard *shard);

/* --- Leadership ---------------------------------------------------------- */

/*
 * This node leads the partition in epoch.  True where the shard has to be
 * loaded for that: it is LOADING, with nothing in it, and a load for an older
 * epoch gives up.  False where it is ACTIVE already, or LOADING for this epoch
 * or a later one.
 */
bool shard_elect(struct shard *shard, int32_t epoch) WARN_UNUSED;

/*
 * Replay the log of a shard that is LOADING and make it ACTIVE, or FAILED.
 * Takes as long as the log is long.  It reads without the lock and replays
 * under it, piece by piece, so requests are answered
 * COORDINATOR_LOAD_IN_PROGRESS meanwhile.
 */
void shard_load(struct shard *shard, int32_t epoch);

/*
 * The partition is led by another or deleted: answer everybody
 * NOT_COORDINATOR, drop the state.
 */
void shard_resign(struct shard *shard);

/* --- Operations ---------------------------------------------------------- */

/*
 * Lock an active shard.  Else NOT_COORDINATOR or COORDINATOR_LOAD_IN_PROGRESS,
 * and it is not locked.
 */
enum kp_error shard_enter(struct shard *shard) WARN_UNUSED;

/* The same for call, which is answered with what hinders; false then. */
bool shard_begin(struct shard *shard, struct shard_call *call) WARN_UNUSED;

/* Unlock, finish the calls whose time has come, ask the host for wake-ups. */
void shard_leave(struct shard *shard);

/*
 * Add a record to the batch to be: the key's message gives the type; value
 * NULL is a tombstone.  Lock held.  A record that is applied is one whose
 * change the caller makes himself: it will not be replayed after the append.
 */
void shard_emit(struct shard *shard, const struct kp_message *key_message,
    const void *key, const struct kp_message *value_message,
    const void *value, int16_t value_version);
void shard_emit_applied(struct shard *shard,
    const struct kp_message *key_message, const void *key,
    const struct kp_message *value_message, const void *value,
    int16_t value_version);

/*
 * Append what was emitted as one batch and replay it.  On error nothing is
 * appended or replayed, and what was emitted is forgotten; the error is the
 * kind's answer for the log's (MESSAGE_TOO_LARGE where it does not fit into
 * one batch).  KP_NONE where nothing was emitted.
 * Lock held.
 */
enum kp_error shard_append(struct shard *shard) WARN_UNUSED;

/*
 * The same as part of a transaction: the records are replayed with its
 * producer's id.
 */
enum kp_error shard_append_transactional(struct shard *shard,
    const struct shard_transaction *transaction) WARN_UNUSED;

/*
 * Append the marker that ends a producer's transaction, and replay the end.
 * transaction_version is as in struct log_append.  Nothing is emitted.
 */
enum kp_error shard_append_marker(struct shard *shard,
    const struct control_record_marker *marker, int16_t transaction_version)
    WARN_UNUSED;

/*
 * As shard_append, in as many batches as it takes: for clean-ups, where each
 * record stands for itself.  Stops at the first error.
 */
enum kp_error shard_append_bulk(struct shard *shard) WARN_UNUSED;

/*
 * Has so much been emitted that a clean-up better appends it before it goes
 * on?  Lock held.
 */
bool shard_emitted_much(const struct shard *shard);

/* Forget what was emitted and not appended. */
void shard_discard(struct shard *shard);

/* Call wait->ready once all that was appended is committed.  Lock held. */
void shard_await(struct shard *shard, struct shard_wait *wait);

/*
 * Answer call: with error at once, or with KP_NONE once all that was appended
 * is committed.  Lock held; done is called after the lock is given back.
 */
void shard_reply(struct shard *shard, struct shard_call *call,
    enum kp_error error);

/*
 * The same, but at once in any case: for an answer that does not promise that
 * what it tells is committed.
 */
void shard_reply_at_once(struct shard *shard, struct shard_call *call,
    enum kp_error error);

/*
 * The answer to a heartbeat: who is told nothing new (told), and has caused
 * nothing to be written since the log ended at end_offset, need not wait for
 * what others wrote.
 */
void shard_reply_heartbeat(struct shard *shard, struct shard_call *call,
    enum kp_error error, bool told, int64_t end_offset);

/*
 * Lock held.  A timer that is started by one that fires waits for the next
 * tick, however short its delay: a tick ends.
 */
void shard_timer_start(struct shard *shard, struct shard_timer *timer,
    int64_t delay_ms);
void shard_timer_stop(struct shard *shard, struct shard_timer *timer);

/* --- The host's ---------------------------------------------------------- */

/*
 * The high watermark has moved, or (error) will not any more: the shard has
 * failed then.  No lock held.
 */
void shard_advance(struct shard *shard, enum kp_error error);

/*
 * Run the timers that are due.  When to call again, on clock_monotonic_ms;
 * INT64_MAX for never.  No lock held.
 */
int64_t shard_tick(struct shard *shard) WARN_UNUSED;

#endif
