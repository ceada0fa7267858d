/*
 * Mark: a marker on its way into one partition, where it ends a transaction:
 * appended, and then waited for until it is committed.
 *
 * A partition of __consumer_offsets is marked by its group coordinator, so
 * that the offsets in the transaction become visible, or vanish, with it.
 *
 * Thread: the mark's loop.
 */
#ifndef COORD_TXN_MARK_H
#define COORD_TXN_MARK_H

#include "broker/partition.h"
#include "coord/group_coordinator.h"
#include "coord/shard.h"
#include "wire/control_record.h"

struct partition_manager;

struct txn_mark {
	/* in */
	struct partition_manager *partitions;
	struct group_coordinator *groups;
	struct loop *loop;
	int32_t node_id;		/* who must lead, or any */
	struct slice topic;		/* the caller's */
	int32_t index;
	struct control_record_marker marker;
	int16_t transaction_version;	/* as struct log_append has it */
	void (*done)(struct txn_mark *mark);
	void *context;			/* the caller's */

	/* out */
	enum kp_error error;

	/* private */
	bool waits;			/* done is still to be called */
	struct partition *partition;	/* referenced while it waits for it */
	struct hw_waiter waiter;
	struct shard_call call;
	struct group_marker group;
	struct task task;
};

/*
 * Append the marker.  True: it is over already, and done will not be called;
 * else done is called once it is.  Errors: KP_UNKNOWN_TOPIC_OR_PARTITION where
 * the partition is not here, KP_INVALID_REQUEST where a marker cannot have such
 * a producer, KP_NOT_LEADER_OR_FOLLOWER also where the group
 * coordinator is not ready, and those of an append.
 */
bool txn_mark_begin(struct txn_mark *mark) WARN_UNUSED;

/* Do not wait for it; false: it is too late for that, or done was called. */
bool txn_mark_cancel(struct txn_mark *mark) WARN_UNUSED;

#endif
