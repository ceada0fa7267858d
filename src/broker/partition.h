/*
 * Partition: a log that takes part in the cluster.  It adds to the log who
 * leads, the high watermark, and those who wait for it to move.
 *
 * The high watermark is the only completion: with klamm.flush=acked it
 * follows what the flusher has made durable, with klamm.flush=os it follows
 * the log's end, as long as less than flush.messages is not durable.  Readers
 * never see beyond it.
 *
 * A partition operation names the node on whose behalf it is done, because one
 * process may stand in for several brokers (node_id).  All functions may be
 * called from any thread without locks held, unless they say otherwise; they
 * take the log's lock (rank 3), and wake others after letting go of it.
 *
 * Lifetime: the partition manager holds a reference until the topic is
 * deleted; whoever looks one up gets another (partition_unref).  A partition
 * that was deleted answers UNKNOWN_TOPIC_OR_PARTITION.
 */
#ifndef BROKER_PARTITION_H
#define BROKER_PARTITION_H

#include "base/base.h"
#include "base/list.h"
#include "base/uuid.h"
#include "broker/topic_settings.h"
#include "broker/wakeup.h"
#include "store/log.h"
#include "wire/batch_validate.h"
#include "wire/error.h"

#include <stdatomic.h>

struct arena;
struct flusher;
struct log_manager;
struct partition;

/* How far a reader may see. */
enum partition_isolation {
	PARTITION_READ_UNCOMMITTED,	/* to the high watermark */
	PARTITION_READ_COMMITTED,	/* to the last stable offset */
	PARTITION_READ_ALL,		/* to the end: replicas, loading */
};

/* Any node of this process, where a node_id is asked for. */
#define PARTITION_ANY_NODE (-1)
/* No check, where a leader epoch is asked for. */
#define PARTITION_ANY_EPOCH (-1)

/* Who leads, as metadata says; -1 where nobody does. */
struct partition_leader {
	int32_t id;
	int32_t epoch;
};

/*
 * The partition's place in the metadata.  replicas and isr are borrowed for
 * the call that takes them.
 */
struct partition_state {
	int32_t leader;			/* -1: none */
	int32_t leader_epoch;
	int32_t partition_epoch;
	const int32_t *replicas;
	int32_t replicas_count;
	int32_t isr_count;
};

/* What partitions of one process share; lives longer than all of them. */
struct partition_context {
	struct flusher *flusher;
	bool flush_acked;		/* klamm.flush=acked, else os */
	struct log_manager *logs;	/* gets the logs back; NULL: nobody */
};

/* What a reader had seen, for its long poll to go on from (long_poll.h). */
struct partition_seen {
	uint64_t committed_bytes;
	uint32_t interrupts;
};

struct partition_append {
	/* in */
	int32_t node_id;	/* who must lead, or PARTITION_ANY_NODE */
	enum log_origin origin;
	uint8_t *data;		/* batches; offsets are patched in place */
	size_t len;
	int16_t produce_version;	/* of LOG_CLIENT: Produce's version */
	bool transaction_named;	/* the request has a transactional id */
	bool all_replicas;	/* acks=-1: min.insync.replicas counts */
	bool guarded;		/* see struct log_append, as the next two */
	uint64_t guard;
	int16_t transaction_version;
	struct arena *arena;	/* for record errors */

	/* out, set also on errors */
	struct partition_leader leader;
	int64_t log_start_offset;	/* -1 where Kafka says nothing */
	struct batch_record_error *record_errors;
	int32_t record_errors_count;
	/* out */
	int64_t base_offset;
	int64_t last_offset;
	int64_t log_append_time_ms;	/* -1 with CreateTime */
	bool duplicate;		/* it had been appended before */
	bool committed;		/* the high watermark has passed it already */
	bool awaits_flush;	/* flush.messages: not even acks=1 before */
};

/*
 * Validate and append.  LOG_CLIENT takes exactly one batch of magic 2 and
 * checks all that Kafka's leader checks (CRC and records before the lock);
 * other origins are trusted.  The bytes are not needed after the return.
 * Errors: Kafka's, in its order; nothing was appended then.  What was is
 * committed when the high watermark has passed last_offset.
 */
enum kp_error partition_append(struct partition *partition,
    struct partition_append *append) WARN_UNUSED;

/*
 * Must the transaction's coordinator be asked before a batch is appended?  As
 * log_verify, and what is wrong with the partition.
 */
enum kp_error partition_verify(struct partition *partition, int32_t node_id,
    const struct verification_start *start, uint64_t *guard) WARN_UNUSED;

/* What the partition knows of producers, copied into arena, by id. */
struct partition_producers {
	const struct producer *producers;
	size_t count;
};
enum kp_error partition_describe_producers(struct partition *partition,
    int32_t node_id, struct arena *arena, struct partition_producers *found)
    WARN_UNUSED;

struct partition_read {
	/* in */
	int32_t node_id;	/* or PARTITION_ANY_NODE */
	bool leader_only;	/* followers do not answer */
	int64_t offset;
	int32_t current_leader_epoch;	/* or PARTITION_ANY_EPOCH */
	int32_t last_fetched_epoch;	/* -1: no check for divergence */
	enum partition_isolation isolation;
	size_t max_bytes;
	bool min_one_batch;	/* the first batch whole, whatever its size */

	/* out, set also on errors */
	struct partition_leader leader;
	int64_t high_watermark;		/* these three -1 on errors */
	int64_t last_stable_offset;
	int64_t log_start_offset;
	/* out */
	int64_t log_end_offset;
	int32_t diverging_epoch;	/* -1: does not diverge */
	int64_t diverging_end_offset;
	bool behind;		/* the offset is not in the active segment */
	bool zstd;		/* the topic's compression.type is zstd */
	struct partition_seen seen;
	struct log_read data;	/* to be given to log_read_release */
};

/*
 * Find what a reader at offset may have.  Where data.unresolved is set the
 * caller goes on with log_read_resolve, which may block.  On errors there is
 * nothing to release.
 */
enum kp_error partition_read(struct partition *partition,
    struct partition_read *read) WARN_UNUSED;

/* Where and when, as ListOffsets answers it; all -1 where there is none. */
struct partition_offset {
	int64_t offset;
	int64_t timestamp;
	int32_t leader_epoch;
};

struct partition_lookup {
	int32_t node_id;
	bool leader_only;
	int32_t current_leader_epoch;	/* or PARTITION_ANY_EPOCH */
	enum partition_isolation isolation;
	int64_t timestamp;		/* ms, or one of the special ones */
};

/*
 * ListOffsets: -1 latest, -2 and -4 earliest, -3 largest timestamp, -5 and -6
 * nothing (no tiered storage), 0 and above the first record at or after that
 * time.  May read from disk, without the lock.  Unknown negative timestamps
 * are the caller's business.
 */
enum kp_error partition_find_offset(struct partition *partition,
    const struct partition_lookup *lookup, struct partition_offset *found)
    WARN_UNUSED;

/*
 * OffsetForLeaderEpoch: the largest epoch up to epoch and where it ended; both
 * -1 where undefined, also on errors.
 */
enum kp_error partition_find_epoch_end(struct partition *partition,
    int32_t node_id, int32_t current_leader_epoch, int32_t epoch,
    struct leader_epoch_end *end) WARN_UNUSED;

/*
 * DeleteRecords: let the log begin at offset, or at the high watermark for
 * -1; *log_start_offset is where it begins then, -1 on errors.  Errors:
 * KP_POLICY_VIOLATION on a topic that is compacted and never deletes,
 * KP_OFFSET_OUT_OF_RANGE above the high watermark.
 */
enum kp_error partition_delete_records(struct partition *partition,
    int32_t node_id, int64_t offset, int64_t *log_start_offset) WARN_UNUSED;

/*
 * Someone who waits until the high watermark has reached offset.  node and
 * result are guarded by the partition's lock while it waits, result is the
 * waiter's when its task runs.
 */
struct hw_waiter {
	struct list_node node;
	struct wakeup wakeup;
	int64_t offset;
	int32_t node_id;	/* who must lead, or PARTITION_ANY_NODE */
	enum kp_error result;
};

/*
 * False where there is nothing to wait for: waiter->result says how it ended.
 * Else the caller keeps its reference to the partition, and the waiter's
 * wakeup, set up by the caller, is posted once: with result KP_NONE when
 * everything below waiter->offset is committed, KP_NOT_LEADER_OR_FOLLOWER when
 * the leadership was lost, KP_UNKNOWN_TOPIC_OR_PARTITION when the partition was
 * deleted, KP_KAFKA_STORAGE_ERROR when its log went offline.
 */
bool partition_wait_hw(struct partition *partition, struct hw_waiter *waiter);

/*
 * Stop waiting.  True: it is unlinked and its task will not run.  False: its
 * task has been posted and runs on its loop, so it cannot be freed yet.
 */
bool partition_unwait_hw(struct partition *partition,
    struct hw_waiter *waiter);

int64_t partition_high_watermark(struct partition *partition);
int64_t partition_log_start_offset(struct partition *partition);
int64_t partition_log_end_offset(struct partition *partition);
struct partition_leader partition_leader(struct partition *partition);

/* Immutable facts. */
struct slice partition_topic(const struct partition *partition);
int32_t partition_index(const struct partition *partition);
/* Is that broker one of the replicas? */
bool partition_has_replica(struct partition *partition, int32_t broker_id);
/* One of Kafka's own topics, to which clients do not produce. */
bool partition_is_internal(const struct partition *partition);

/*
 * The rest is for the partition manager, for long polls, and among the files
 * of the partition.
 */

/* A topic's name and id, shared by its partitions; refcounted. */
struct partition_topic {
	/* immutable */
	struct uuid id;
	bool internal;
	atomic_int refs;
	size_t name_len;
	char name[];
};

struct partition_topic *partition_topic_new(struct slice name, struct uuid id,
    bool internal);
void partition_topic_ref(struct partition_topic *topic);
void partition_topic_unref(struct partition_topic *topic);

/* How many bytes lie before an offset that the log's end once had. */
#define PARTITION_MARKS_MAX 4

struct partition_mark {
	int64_t offset;
	uint64_t bytes;
};

struct partition {
	/* immutable */
	const struct partition_context *context;
	struct partition_topic *topic;
	struct log *log;
	int32_t index;
	/* atomic */
	atomic_int refs;

	/* guarded by the log's lock */
	struct topic_settings settings;
	int32_t leader;
	int32_t leader_epoch;
	int32_t partition_epoch;
	int32_t isr_count;
	int32_t replicas_count;
	int32_t *replicas;		/* owned */
	bool deleted;
	int64_t epoch_start_offset;	/* the log's end at the election */
	struct list hw_waiters;		/* by offset, ascending */
	struct list long_polls;		/* struct long_poll_part */
	uint64_t appended_bytes;	/* since opening */
	uint64_t committed_bytes;	/* of those, below the watermark */
	uint32_t interrupts;		/* how often polls were told to look */
	struct partition_mark marks[PARTITION_MARKS_MAX];
	uint32_t marks_count;		/* oldest first */
};

/*
 * Make a partition of log, which the caller holds and the partition now holds
 * for it; one reference is the caller's, and topic gets one more.  It has no
 * leader yet, and its high watermark is what is durable (acked) or the log's
 * end (os).
 */
struct partition *partition_new(const struct partition_context *context,
    struct partition_topic *topic, int32_t index, struct log *log,
    const struct topic_settings *settings);
void partition_ref(struct partition *partition);
/* The last one frees it; NULL is legal. */
void partition_unref(struct partition *partition);

/*
 * Locked: may node_id do what only the leader may (leader_only), or any
 * replica?  KP_NONE, or what Kafka answers: first that the log is offline, then
 * what is wrong with the epoch.
 */
enum kp_error partition_check(const struct partition *partition,
    int32_t node_id, bool leader_only, int32_t current_leader_epoch)
    WARN_UNUSED;

/* Locked: does the topic's flush.messages ask for a sync? */
bool partition_flush_due(const struct partition *partition);

/*
 * Locked: len bytes were appended up to the log's end.  With klamm.flush=os
 * the high watermark follows at once, unless a sync is due, and who waited for
 * it is collected.
 */
void partition_appended(struct partition *partition, size_t len,
    struct list *fired);

/* Locked: everything below offset is committed. */
void partition_commit(struct partition *partition, int64_t offset,
    struct list *fired);

/* Locked: how far a reader of that isolation may see. */
int64_t partition_bound(const struct partition *partition,
    enum partition_isolation isolation);

/*
 * Metadata has changed.  A new leader epoch is noted in the log at its end,
 * those who waited under the old one are answered, and long polls look again.
 */
void partition_apply(struct partition *partition,
    const struct partition_state *state);
void partition_configure(struct partition *partition,
    const struct topic_settings *settings);

/*
 * The topic is gone: refuse everything from now on, answer everyone who
 * waits.
 */
void partition_delete(struct partition *partition);

#endif
