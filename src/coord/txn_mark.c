#include "coord/txn_mark.h"

#include "base/clock.h"
#include "broker/partition_manager.h"
#include "net/loop.h"
#include "wire/batch.h"

/* A batch with one marker takes 78 bytes. */
#define MARKER_BYTES_MAX 128

static void
finish(struct txn_mark *mark, enum kp_error error)
{
	mark->error = error;
	mark->waits = false;
	partition_unref(mark->partition);
	mark->partition = NULL;
}

/* --- A partition of a topic ---------------------------------------------- */

static void
run_committed(struct task *task)
{
	struct wakeup *wakeup = CONTAINER_OF(task, struct wakeup, task);
	struct hw_waiter *waiter =
	    CONTAINER_OF(wakeup, struct hw_waiter, wakeup);
	struct txn_mark *mark = CONTAINER_OF(waiter, struct txn_mark, waiter);

	finish(mark, waiter->result);
	mark->done(mark);
}

static enum kp_error
marker_append(struct txn_mark *mark, struct partition_append *append)
{
	enum kp_error error;
	struct buf bytes;
	int built;

	buf_init(&bytes, MARKER_BYTES_MAX);
	built = control_record_marker_append(
	    &mark->marker, 0, BATCH_NO_EPOCH, clock_wall_ms(), &bytes);
	assert(built == 0);
	*append = (struct partition_append){
		.node_id = mark->node_id,
		.origin = LOG_COORDINATOR,
		.data = bytes.data,
		.len = bytes.len,
		.transaction_version = mark->transaction_version,
	};
	error = partition_append(mark->partition, append);
	buf_fini(&bytes);
	return error;
}

static bool
partition_mark(struct txn_mark *mark)
{
	struct partition_append append;
	enum kp_error error = KP_UNKNOWN_TOPIC_OR_PARTITION;

	mark->partition =
	    partition_manager_find(mark->partitions, mark->topic, mark->index);
	if (mark->partition != NULL)
		error = marker_append(mark, &append);
	if (error == KP_NONE && !append.committed) {
		wakeup_init(&mark->waiter.wakeup, mark->loop, run_committed);
		mark->waiter.offset = append.last_offset + 1;
		mark->waiter.node_id = mark->node_id;
		mark->waits = true;
		if (partition_wait_hw(mark->partition, &mark->waiter))
			return false;
		error = mark->waiter.result;
	}
	finish(mark, error);
	return true;
}

/* --- A partition of committed offsets ------------------------------------ */

static void
run_marked(struct task *task)
{
	struct txn_mark *mark = CONTAINER_OF(task, struct txn_mark, task);
	enum kp_error error = mark->call.error;

	if (error == KP_COORDINATOR_LOAD_IN_PROGRESS ||
	    error == KP_COORDINATOR_NOT_AVAILABLE ||
	    error == KP_NOT_COORDINATOR)
		error = KP_NOT_LEADER_OR_FOLLOWER;
	finish(mark, error);
	mark->done(mark);
}

/* On any thread. */
static void
group_marked(struct shard_call *call)
{
	struct txn_mark *mark = CONTAINER_OF(call, struct txn_mark, call);

	loop_post(mark->loop, &mark->task);
}

static void
group_mark(struct txn_mark *mark)
{
	mark->waits = true;
	mark->task = (struct task){ .run = run_marked };
	mark->call = (struct shard_call){ .done = group_marked };
	mark->group = (struct group_marker){
		.partition = mark->index,
		.marker = mark->marker,
		.transaction_version = mark->transaction_version,
	};
	group_coordinator_end_transaction(
	    mark->groups, &mark->call, mark->node_id, &mark->group);
}

/* --- Both ---------------------------------------------------------------- */

bool
txn_mark_begin(struct txn_mark *mark)
{
	mark->partition = NULL;
	if (mark->marker.producer_id < 0 || mark->marker.producer_epoch < 0) {
		finish(mark, KP_INVALID_REQUEST);
		return true;
	}
	if (!slice_equal_str(mark->topic, GROUP_COORDINATOR_TOPIC))
		return partition_mark(mark);
	group_mark(mark);
	return false;
}

bool
txn_mark_cancel(struct txn_mark *mark)
{
	if (!mark->waits || mark->partition == NULL ||
	    !partition_unwait_hw(mark->partition, &mark->waiter))
		return false;
	finish(mark, KP_NOT_LEADER_OR_FOLLOWER);
	return true;
}
