/*
 * Share state: what a share group has delivered of one partition of a topic
 * (KIP-932), and the calls that keep it and ask for it.
 *
 * A call is filled in, given to share_coordinator.h, and done exactly once, on
 * any thread and with no lock held, perhaps before the function that takes it
 * returns.  call.error is the answer then; where it is KP_NONE what is marked
 * "out" is set.  Everything that a call points to stays as it is until then.
 *
 * Answers (ShareCoordinatorShard of Kafka):
 *
 *	NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS,
 *	COORDINATOR_NOT_AVAILABLE	ask again
 *	FENCED_LEADER_EPOCH		leader_epoch is older than the known one
 *	FENCED_STATE_EPOCH		state_epoch is
 *	INVALID_REQUEST			it was never initialized, or the key or
 *					the batches cannot be
 *	UNKNOWN_TOPIC_OR_PARTITION	the topic has no such partition
 */
#ifndef COORD_SHARE_STATE_H
#define COORD_SHARE_STATE_H

#include "base/base.h"
#include "base/uuid.h"
#include "coord/shard.h"

struct arena;

enum share_state_operation {
	SHARE_STATE_INITIALIZE,	/* begin anew at a start offset */
	SHARE_STATE_READ,	/* and make leader_epoch known */
	SHARE_STATE_READ_SUMMARY,
	SHARE_STATE_WRITE,	/* what has changed */
	SHARE_STATE_DELETE,
};

/*
 * Of a start offset that is yet to be found, an epoch that is not to be
 * checked, a count that is not known.
 */
#define SHARE_STATE_UNKNOWN (-1)

struct share_state_key {
	struct slice group_id;	/* not empty */
	struct uuid topic_id;
	int32_t partition;
};

/*
 * Records first_offset to last_offset, both included, are in the same state:
 * 0 available, 2 acknowledged, 4 archived, after as many deliveries.
 */
struct share_state_batch {
	int64_t first_offset;
	int64_t last_offset;
	int8_t delivery_state;
	int16_t delivery_count;
};

/*
 * Generated structs of the same fields are laid out the same: an array of the
 * one may be taken for one of the other.
 */
#define SHARE_STATE_BATCH_LIKE(type)                                        \
	_Static_assert(sizeof(type) == sizeof(struct share_state_batch) &&   \
		offsetof(type, last_offset) ==                              \
		    offsetof(struct share_state_batch, last_offset) &&      \
		offsetof(type, delivery_state) ==                           \
		    offsetof(struct share_state_batch, delivery_state) &&   \
		offsetof(type, delivery_count) ==                           \
		    offsetof(struct share_state_batch, delivery_count),     \
	    "a batch of record states")

struct share_state_call {
	struct shard_call call;		/* set call.done and .context before */
	enum share_state_operation operation;
	struct share_state_key key;
	struct arena *arena;		/* for what is out, and in between */
	/*
	 * The node that was asked; -1 for whichever of this process's leads
	 * the partition.
	 */
	int32_t node_id;

	/* INITIALIZE, WRITE: in, -1 is not checked.  READ*: out. */
	int32_t state_epoch;
	/* READ, WRITE: in, -1 is not checked.  READ_SUMMARY: out. */
	int32_t leader_epoch;
	/* INITIALIZE: in.  WRITE: in, -1 leaves it.  READ*: out. */
	int64_t start_offset;
	/* WRITE: in, -1 unknown.  READ*: out. */
	int32_t delivery_complete_count;
	/* WRITE: in, those that have changed.  READ: out, all, by offset. */
	const struct share_state_batch *batches;
	int32_t batches_count;

	/* out, on errors: what Kafka says about it; a constant, or NULL */
	const char *message;

	/* The coordinator's. */
	struct share_coordinator *coordinator;
	struct slice text;		/* of the key */
	bool known;			/* the topic has the partition */
	uint64_t deletions;		/* of topics, before that look-up */
};

/*
 * Batches that a state has at most: five times what the largest
 * group.share.partition.max.record.locks can make.
 */
#define SHARE_STATE_BATCHES_MAX 20000

/* "group:topic id:partition", in arena (SharePartitionKey of Kafka). */
struct slice share_state_key_text(
    const struct share_state_key *key, struct arena *arena);

#endif
