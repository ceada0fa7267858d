/*
 * The loop of test_txn_sim: the sender as it is, with markers that are held
 * back or fail, and the loop's tasks and timers in the order of the seed.
 */
#include "meta/image.h"
#include "meta/topic_image.h"
#include "net/loop.h"
#include "net/timer.h"
#include "sim/txn_sim.h"

#include "coord/txn_mark.h"
#include "wire/batch.h"

static void
post(struct loop *loop, struct task *task)
{
	list_append(&loop->tasks, &task->node);
}

static void
start_timer(struct loop *loop, struct timer *timer, int64_t delay_ms)
{
	timer_stop(timer);
	timer->expiry_ms = clock_monotonic_ms() + delay_ms;
	list_append(&loop->timers, &timer->node);
}

/* All partitions are in the metadata. */
static const struct topic_image *
any_topic(struct slice name UNUSED)
{
	static struct topic_image topic;

	return &topic;
}

#define loop_post post
#define timer_start start_timer
#define image_read_lock(image) ((void)(image))
#define image_read_unlock(image) ((void)(image))
#define image_topic(image, name) any_topic(name)
#define topic_image_partition(topic, index) ((void)(index), (topic))
#include "coord/txn_sender.c"
#undef loop_post
#undef timer_start
#undef image_read_lock
#undef image_read_unlock
#undef image_topic
#undef topic_image_partition

/* --- Markers ------------------------------------------------------------ */

static struct sim *
sim_of(struct loop *loop)
{
	return CONTAINER_OF(loop, struct sim, loop);
}

static void
finish(struct txn_mark *mark, enum kp_error error)
{
	mark->error = error;
	mark->waits = false;
}

bool
txn_mark_begin(struct txn_mark *mark)
{
	static const enum kp_error errors[] = { KP_NOT_ENOUGH_REPLICAS,
		KP_KAFKA_STORAGE_ERROR, KP_NOT_LEADER_OR_FOLLOWER,
		KP_UNKNOWN_TOPIC_OR_PARTITION, KP_REQUEST_TIMED_OUT };
	struct sim *sim = sim_of(mark->loop);

	if (!sim->settling && sim_chance(&sim->rng, sim->fail_percent)) {
		finish(mark, errors[rng_below(&sim->rng, COUNT_OF(errors))]);
		return true;
	}
	mark->waits = true;
	mark->waiter.offset = -1;
	mark->waiter.node = (struct list_node){ 0 };
	list_append(&mark->loop->marks, &mark->waiter.node);
	return false;
}

bool
txn_mark_cancel(struct txn_mark *mark)
{
	if (!list_node_linked(&mark->waiter.node))
		return false;
	list_remove(&mark->waiter.node);
	finish(mark, KP_NOT_LEADER_OR_FOLLOWER);
	return true;
}

static void
mark_done(struct txn_mark *mark, enum kp_error error)
{
	finish(mark, error);
	mark->done(mark);
}

/* To a partition of the topic. */
static void
mark_append(struct sim *sim, struct txn_mark *mark)
{
	struct sim_log *log = sim_log_find(sim, mark->topic, mark->index);
	struct log_append append = {
		.leader_epoch = sim->epoch,
		.origin = LOG_COORDINATOR,
		.now_ms = clock_wall_ms(),
		.transaction_version = mark->transaction_version,
	};
	enum kp_error error;
	struct buf bytes;

	buf_init(&bytes, 128);
	CHECK(control_record_marker_append(&mark->marker, 0, BATCH_NO_EPOCH,
		  clock_wall_ms(), &bytes) == 0);
	append.data = bytes.data;
	append.len = bytes.len;
	log_lock(log->log);
	error = log_append(log->log, &append);
	log_unlock(log->log);
	buf_fini(&bytes);
	if (error == KP_NONE) {
		sim_log_marked(log, &mark->marker, append.last_offset);
		mark->waiter.offset = append.last_offset + 1;
	} else {
		list_remove(&mark->waiter.node);
		mark_done(mark, error);
	}
}

static void
run_marked(struct task *task)
{
	struct txn_mark *mark = CONTAINER_OF(task, struct txn_mark, task);
	enum kp_error error = mark->call.error;

	if (error == KP_COORDINATOR_LOAD_IN_PROGRESS ||
	    error == KP_COORDINATOR_NOT_AVAILABLE ||
	    error == KP_NOT_COORDINATOR)
		error = KP_NOT_LEADER_OR_FOLLOWER;
	mark_done(mark, error);
}

static void
group_marked(struct shard_call *call)
{
	struct txn_mark *mark = CONTAINER_OF(call, struct txn_mark, call);

	post(mark->loop, &mark->task);
}

/* To the partition of offsets, by way of its coordinator. */
static void
mark_group(struct sim *sim, struct txn_mark *mark)
{
	int64_t end = sim_log_end(sim, SIM_LOG_OFFSETS);

	list_remove(&mark->waiter.node);
	mark->task = (struct task){ .run = run_marked };
	mark->call = (struct shard_call){ .done = group_marked };
	mark->group = (struct group_marker){
		.partition = mark->index,
		.marker = mark->marker,
		.transaction_version = mark->transaction_version,
	};
	group_shard_end_transaction(&sim->groups, &mark->call, &mark->group);
	if (sim_log_end(sim, SIM_LOG_OFFSETS) > end)
		sim_log_marked(
		    &sim->logs[SIM_LOG_OFFSETS], &mark->marker, end);
}

/* One of those under way, if it can go on. */
static bool
mark_step(struct sim *sim, struct txn_mark *mark)
{
	if (mark->waiter.offset < 0) {
		if (slice_equal_str(mark->topic, GROUP_COORDINATOR_TOPIC))
			mark_group(sim, mark);
		else
			mark_append(sim, mark);
		return true;
	}
	if (mark->waiter.offset >
	    log_high_watermark(
		sim_log_find(sim, mark->topic, mark->index)->log))
		return false;
	list_remove(&mark->waiter.node);
	mark_done(mark, KP_NONE);
	return true;
}

static bool
marks_step(struct sim *sim)
{
	/* Not the first one first. */
	if (!list_empty(&sim->loop.marks) && sim_chance(&sim->rng, 50)) {
		struct list_node *node = list_pop(&sim->loop.marks);

		list_append(&sim->loop.marks, node);
	}
	LIST_FOR_EACH (node, &sim->loop.marks) {
		struct hw_waiter *waiter =
		    LIST_ENTRY(node, struct hw_waiter, node);

		if (mark_step(
			sim, CONTAINER_OF(waiter, struct txn_mark, waiter)))
			return true;
	}
	return false;
}

/* --- The loop ----------------------------------------------------------- */

static bool
timers_step(struct sim *sim)
{
	LIST_FOR_EACH (node, &sim->loop.timers) {
		struct timer *timer = LIST_ENTRY(node, struct timer, node);

		if (timer->expiry_ms > clock_monotonic_ms())
			continue;
		list_remove(&timer->node);
		timer->run(timer);
		return true;
	}
	return false;
}

static bool
tasks_step(struct sim *sim)
{
	struct list_node *node = list_pop(&sim->loop.tasks);
	struct task *task;

	if (node == NULL)
		return false;
	task = LIST_ENTRY(node, struct task, node);
	task->run(task);
	return true;
}

bool
sim_loop_step(struct sim *sim)
{
	bool stepped = tasks_step(sim) || marks_step(sim) || timers_step(sim);

	sim_models_follow(sim);
	return stepped;
}

bool
sim_loop_is_idle(const struct sim *sim)
{
	return list_empty(&sim->loop.tasks) && list_empty(&sim->loop.marks) &&
	    list_empty(&sim->loop.timers);
}

void
sim_loop_drain(struct sim *sim)
{
	while (tasks_step(sim))
		;
}
