#include "broker/share_partitions.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/worker.h"
#include "broker/long_poll.h"
#include "broker/partition.h"
#include "broker/share_persister.h"
#include "meta/delta.h"
#include "net/loop.h"
#include "meta/partition_image.h"
#include "meta/topic_image.h"
#include "net/timer.h"

#define LOGGER "share"

enum share_log_state { LOG_LOADING, LOG_ACTIVE, LOG_FAILED };

/* The part of the key that is found by topic. */
struct place {
	struct uuid topic_id;
	intptr_t index;
};

struct share_log {
	struct share_partitions *partitions;
	/* immutable */
	struct slice key;	/* place, then group id; the bytes follow */
	struct place place;
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
	struct list writes;	/* struct write, not yet at the persister */
	bool writing;		/* a thread hands them over */
	size_t writes_count;	/* not yet done */

	/* loop-local */
	struct task arm;
	struct timer timer;
	uint8_t bytes[];
};

/* The share logs of one topic. */
struct topic {
	struct uuid id;
	struct list logs;
};

struct share_partitions {
	struct share_partitions_settings settings;
	pthread_mutex_t mutex;
	/* guarded by mutex */
	struct map by_key;
	struct map by_topic;	/* struct topic */
	struct list all;
};

/* A change on its way to the persister. */
struct write {
	struct list_node node;
	struct share_persister_call persister;
	struct share_log *log;	/* referenced */
	struct share_partition_change change;
	struct share_log_call *call;	/* NULL: nobody waits */
};

/* The first read of a share log's state. */
struct load {
	struct task task;	/* the pool's */
	struct share_persister_call persister;
	struct share_log *log;	/* referenced, as partition is */
	struct partition *partition;
	int32_t node_id;
};

static struct share_group_config
config_of(const struct share_log *log)
{
	const struct share_partitions_settings *settings =
	    &log->partitions->settings;
	struct share_group_config config;

	share_group_config_read(
	    &config, settings->image, settings->configs, log->group_id);
	return config;
}

/* --- Lifetime ---------------------------------------------------------- */

static void
share_log_free(struct share_log *log)
{
	assert(list_empty(&log->waiters) && list_empty(&log->writes));
	share_partition_free(log->records);
	pthread_mutex_destroy(&log->mutex);
	free(log);
}

static void
log_ref(struct share_log *log)
{
	atomic_fetch_add(&log->refs, 1);
}

void
share_log_unref(struct share_log *log)
{
	struct share_partitions *partitions;

	if (log == NULL || atomic_fetch_sub(&log->refs, 1) > 1)
		return;
	partitions = log->partitions;
	pthread_mutex_lock(&partitions->mutex);
	list_remove(&log->node);
	pthread_mutex_unlock(&partitions->mutex);
	share_log_free(log);
}

/* Something has happened: whoever waits looks again.  Locked. */
static void
log_event(struct share_log *log, struct list *fired)
{
	log->events++;
	LIST_FOR_EACH (node, &log->waiters)
		long_poll_fire(
		    LIST_ENTRY(node, struct share_log_waiter, node)->poll,
		    fired);
}

/* The maps' own reference is the caller's then.  Manager locked. */
static void
log_unlist(struct share_log *log)
{
	struct share_partitions *partitions = log->partitions;
	struct topic *topic =
	    map_get(&partitions->by_topic, MAP_KEY(log->place.topic_id));

	assert(log->found && topic != NULL);
	log->found = false;
	map_remove(&partitions->by_key, log->key);
	list_remove(&log->of_topic);
	if (!list_empty(&topic->logs))
		return;
	map_remove(&partitions->by_topic, MAP_KEY(topic->id));
	free(topic);
}

/* It is found no more, and of no use to those who have it. */
static void
log_fail(struct share_log *log, enum kp_error error)
{
	struct list fired;
	bool listed;

	list_init(&fired);
	pthread_mutex_lock(&log->partitions->mutex);
	listed = log->found;
	if (listed)
		log_unlist(log);
	pthread_mutex_unlock(&log->partitions->mutex);
	pthread_mutex_lock(&log->mutex);
	if (log->state != LOG_FAILED) {
		log->state = LOG_FAILED;
		log->error = error;
		log_event(log, &fired);
	}
	pthread_mutex_unlock(&log->mutex);
	wakeup_post_all(&fired);
	if (listed)
		share_log_unref(log);
}

/* --- Writing ----------------------------------------------------------- */

/* What the persister's errors are to a client (SharePartition of Kafka). */
static enum kp_error
error_of(enum kp_error error)
{
	switch (error) {
	case KP_NONE:
	case KP_GROUP_ID_NOT_FOUND:
	case KP_UNKNOWN_TOPIC_OR_PARTITION:
		return error;
	case KP_NOT_COORDINATOR:
	case KP_COORDINATOR_NOT_AVAILABLE:
	case KP_COORDINATOR_LOAD_IN_PROGRESS:
		return KP_COORDINATOR_NOT_AVAILABLE;
	case KP_FENCED_LEADER_EPOCH:
	case KP_FENCED_STATE_EPOCH:
		return KP_NOT_LEADER_OR_FOLLOWER;
	default:
		return KP_UNKNOWN_SERVER_ERROR;
	}
}

/* Does it say that the share partition is not ours any more? */
static bool
error_ends(enum kp_error error)
{
	return error == KP_NOT_LEADER_OR_FOLLOWER ||
	    error == KP_GROUP_ID_NOT_FOUND ||
	    error == KP_UNKNOWN_TOPIC_OR_PARTITION;
}

static void
write_complete(struct write *write, enum kp_error error, bool *forget)
{
	struct share_log *log = write->log;
	struct share_group_config config = config_of(log);
	struct list fired;
	bool full;

	list_init(&fired);
	pthread_mutex_lock(&log->mutex);
	full = !share_partition_can_acquire(log->records, &config.limits);
	if (write->change.id != 0)
		share_partition_complete(log->records, &config.limits,
		    write->change.id, error == KP_NONE, clock_monotonic_ms());
	log->writes_count--;
	*forget = log->abandoned && log->writes_count == 0;
	if (full || share_partition_has_available(log->records))
		log_event(log, &fired);
	pthread_mutex_unlock(&log->mutex);
	wakeup_post_all(&fired);
}

static void
on_written(struct share_persister_call *persister)
{
	struct write *write =
	    CONTAINER_OF(persister, struct write, persister);
	struct share_log *log = write->log;
	struct share_log_call *call = write->call;
	enum kp_error error = error_of(persister->error);
	bool forget;

	if (error != KP_NONE)
		log_debug(LOGGER, "%.*s: the state was not written: %s",
		    SLICE_ARG(log->group_id), kp_error_name(persister->error));
	write_complete(write, error, &forget);
	if (error_ends(error))
		log_fail(log, error);
	else if (forget)
		log_fail(log, KP_NOT_LEADER_OR_FOLLOWER);
	share_partition_change_fini(&write->change);
	free(write);
	share_log_unref(log);
	if (call != NULL) {
		call->error = error;
		call->done(call);
	}
}

/* The next one, or NULL: then somebody else begins anew. */
static struct write *
write_next(struct share_log *log)
{
	struct list_node *node;

	pthread_mutex_lock(&log->mutex);
	node = list_pop(&log->writes);
	if (node == NULL)
		log->writing = false;
	pthread_mutex_unlock(&log->mutex);
	return node == NULL ? NULL : LIST_ENTRY(node, struct write, node);
}

/*
 * Hand over what waits, unless another thread does, so that all is handed over
 * in its order.  The caller has a reference.
 */
static void
writes_hand_over(struct share_log *log, bool mine)
{
	struct share_persister *persister =
	    log->partitions->settings.persister;
	struct write *write;

	while (mine && (write = write_next(log)) != NULL)
		persister->run(persister, &write->persister);
}

/*
 * A change of the records has to be persisted; it is moved into the write.
 * True where the caller has to hand it over.  Locked.
 */
static bool
write_queue(struct share_log *log, struct share_partition_change *change,
    struct share_log_call *call)
{
	struct write *write = xcalloc(1, sizeof(*write));
	bool mine = !log->writing;

	write->change = *change;
	write->call = call;
	write->log = log;
	log_ref(log);
	write->persister = (struct share_persister_call){
		.write = true,
		.group_id = log->group_id,
		.topic_id = log->place.topic_id,
		.index = (int32_t)log->place.index,
		.leader_epoch = log->leader_epoch,
		.done = on_written,
		.state_epoch = log->state_epoch,
		.start_offset = change->start_offset,
		.delivery_complete_count = change->delivery_complete_count,
		.states = write->change.states,
		.states_count = write->change.states_count,
	};
	list_append(&log->writes, &write->node);
	log->writes_count++;
	log->writing = true;
	return mine;
}

/* --- Locks that end ---------------------------------------------------- */

/* The next lock's end, or -1 where the timer is not needed.  Locked. */
static int64_t
next_deadline(struct share_log *log)
{
	int64_t deadline = log->state == LOG_ACTIVE ?
	    share_partition_next_deadline(log->records) :
	    INT64_MAX;

	log->timed = deadline != INT64_MAX;
	return log->timed ? deadline : -1;
}

/* Start the timer, which has a reference while it runs. */
static void
timer_arm(struct share_log *log, int64_t deadline_ms)
{
	if (deadline_ms < 0) {
		share_log_unref(log);
		return;
	}
	timer_start(log->loop, &log->timer,
	    MAX(deadline_ms - clock_monotonic_ms(), 0));
}

static void
on_arm(struct task *task)
{
	struct share_log *log = CONTAINER_OF(task, struct share_log, arm);
	int64_t deadline;

	pthread_mutex_lock(&log->mutex);
	deadline = next_deadline(log);
	pthread_mutex_unlock(&log->mutex);
	timer_arm(log, deadline);
}

static void
on_timer(struct timer *timer)
{
	struct share_log *log = CONTAINER_OF(timer, struct share_log, timer);
	struct share_group_config config = config_of(log);
	struct share_partition_change change = { 0 };
	bool mine = false;
	struct list fired;
	int64_t deadline;

	list_init(&fired);
	pthread_mutex_lock(&log->mutex);
	if (log->state == LOG_ACTIVE)
		share_partition_expire(log->records, &config.limits,
		    clock_monotonic_ms(), &change);
	if (change.states_count > 0) {
		mine = write_queue(log, &change, NULL);
		log_event(log, &fired);
	}
	deadline = next_deadline(log);
	pthread_mutex_unlock(&log->mutex);
	wakeup_post_all(&fired);
	writes_hand_over(log, mine);
	timer_arm(log, deadline);
}

/*
 * Records were acquired: see to it that the timer runs.  Locks end in the
 * order in which they begin, but where the configuration changes, and then
 * those that end earlier are late by no more than what others last.  True
 * where the caller has to post the task, with a reference.  Locked.
 */
static bool
timer_wanted(struct share_log *log)
{
	if (log->timed)
		return false;
	log->timed = true;
	log_ref(log);
	return true;
}

/* --- Loading ----------------------------------------------------------- */

static void
load_free(struct load *load)
{
	free(load->persister.states);
	partition_unref(load->partition);
	share_log_unref(load->log);
	free(load);
}

/* Where a group begins that has no start offset yet. */
static enum kp_error
start_find(const struct load *load, int64_t *start_offset)
{
	struct share_group_config config = config_of(load->log);
	struct partition_lookup lookup = {
		.node_id = load->node_id,
		.leader_only = true,
		.current_leader_epoch = load->log->leader_epoch,
		.isolation = PARTITION_READ_UNCOMMITTED,
		.timestamp = -1,
	};
	struct partition_offset found;
	enum kp_error error;

	if (config.reset == SHARE_GROUP_RESET_EARLIEST)
		lookup.timestamp = -2;
	else if (config.reset == SHARE_GROUP_RESET_DURATION)
		lookup.timestamp = MAX(
		    clock_wall_ms() - config.reset_duration_ms, 0);
	error = partition_find_offset(load->partition, &lookup, &found);
	if (error == KP_NONE && found.offset < 0)
		error = KP_OFFSET_NOT_AVAILABLE;
	*start_offset = found.offset;
	return error;
}

static enum kp_error
load_take(struct load *load)
{
	struct share_persister_call *persister = &load->persister;
	struct share_log *log = load->log;
	enum kp_error error = KP_NONE;
	struct list fired;

	if (persister->start_offset == SHARE_PERSISTER_UNKNOWN)
		error = start_find(load, &persister->start_offset);
	if (error != KP_NONE)
		return error;
	list_init(&fired);
	pthread_mutex_lock(&log->mutex);
	if (share_partition_load(log->records, persister->start_offset,
		persister->states, persister->states_count) != 0)
		error = KP_UNKNOWN_SERVER_ERROR;
	else if (log->state == LOG_LOADING) {
		log->state = LOG_ACTIVE;
		log->state_epoch = persister->state_epoch;
		log_event(log, &fired);
	}
	pthread_mutex_unlock(&log->mutex);
	wakeup_post_all(&fired);
	return error;
}

/* On the pool: a start may have to be looked up on the disk. */
static void
on_load(struct task *task)
{
	struct load *load = CONTAINER_OF(task, struct load, task);
	enum kp_error error = load_take(load);

	if (error != KP_NONE)
		log_fail(load->log, error);
	load_free(load);
}

static void
on_read(struct share_persister_call *persister)
{
	struct load *load = CONTAINER_OF(persister, struct load, persister);

	if (persister->error == KP_NONE) {
		load->task.run = on_load;
		worker_pool_post(
		    load->log->partitions->settings.pool, &load->task);
		return;
	}
	log_debug(LOGGER, "%.*s: the state was not read: %s",
	    SLICE_ARG(load->log->group_id), kp_error_name(persister->error));
	log_fail(load->log, error_of(persister->error));
	load_free(load);
}

static void
load_begin(
    struct share_log *log, struct partition *partition, int32_t node_id)
{
	struct share_persister *persister =
	    log->partitions->settings.persister;
	struct load *load = xcalloc(1, sizeof(*load));

	load->log = log;
	log_ref(log);
	load->partition = partition;
	partition_ref(partition);
	load->node_id = node_id;
	load->persister = (struct share_persister_call){
		.group_id = log->group_id,
		.topic_id = log->place.topic_id,
		.index = (int32_t)log->place.index,
		.leader_epoch = log->leader_epoch,
		.done = on_read,
	};
	persister->run(persister, &load->persister);
}

/* --- Finding ----------------------------------------------------------- */

/* The bytes of a key, in memory that the caller frees. */
static struct slice
key_make(const struct share_partitions_key *key)
{
	struct place place = { key->topic_id, key->index };
	uint8_t *bytes = xmalloc(sizeof(place) + key->group_id.len);

	memcpy(bytes, &place, sizeof(place));
	if (key->group_id.len > 0)
		memcpy(bytes + sizeof(place), key->group_id.data,
		    key->group_id.len);
	return slice_of(bytes, sizeof(place) + key->group_id.len);
}

static struct share_log *
log_new(struct share_partitions *partitions, struct slice key,
    int32_t leader_epoch, struct loop *loop)
{
	struct share_log *log = xcalloc(1, sizeof(*log) + key.len);

	memcpy(log->bytes, key.data, key.len);
	log->partitions = partitions;
	log->key = slice_of(log->bytes, key.len);
	memcpy(&log->place, key.data, sizeof(log->place));
	log->group_id = slice_of(log->bytes + sizeof(log->place),
	    key.len - sizeof(log->place));
	log->leader_epoch = leader_epoch;
	log->loop = loop;
	atomic_init(&log->refs, 1);
	pthread_mutex_init(&log->mutex, NULL);
	log->records = share_partition_new();
	list_init(&log->waiters);
	list_init(&log->writes);
	log->arm.run = on_arm;
	timer_init(&log->timer, on_timer);
	return log;
}

/* Manager locked. */
static void
log_list(struct share_partitions *partitions, struct share_log *log)
{
	struct topic *topic =
	    map_get(&partitions->by_topic, MAP_KEY(log->place.topic_id));

	if (topic == NULL) {
		topic = xcalloc(1, sizeof(*topic));
		topic->id = log->place.topic_id;
		list_init(&topic->logs);
		map_set(&partitions->by_topic, MAP_KEY(topic->id), topic);
	}
	list_append(&topic->logs, &log->of_topic);
	list_append(&partitions->all, &log->node);
	map_set(&partitions->by_key, log->key, log);
	log->found = true;
}

/* Referenced for the caller; *made tells that it is to be loaded. */
static struct share_log *
log_find_or_make(struct share_partitions *partitions, struct slice key,
    int32_t leader_epoch, struct loop *loop, bool *made)
{
	struct share_log *log;

	pthread_mutex_lock(&partitions->mutex);
	log = map_get(&partitions->by_key, key);
	*made = log == NULL;
	if (*made) {
		log = log_new(partitions, key, leader_epoch, loop);
		log_list(partitions, log);
	}
	log_ref(log);
	pthread_mutex_unlock(&partitions->mutex);
	return log;
}

/* Somebody fetches again. */
static void
log_keep(struct share_log *log)
{
	pthread_mutex_lock(&log->mutex);
	log->abandoned = false;
	pthread_mutex_unlock(&log->mutex);
}

static enum kp_error
leader_check(
    struct partition *partition, int32_t node_id, int32_t *leader_epoch)
{
	enum kp_error error;

	log_lock(partition->log);
	error = partition_check(
	    partition, node_id, true, PARTITION_ANY_EPOCH);
	*leader_epoch = partition->leader_epoch;
	log_unlock(partition->log);
	return error;
}

struct share_log *
share_partitions_open(struct share_partitions *partitions,
    const struct share_partitions_key *key, struct partition *partition,
    int32_t node_id, struct loop *loop, enum kp_error *error)
{
	struct share_log *log;
	struct slice bytes;
	int32_t leader_epoch;
	bool made;

	*error = leader_check(partition, node_id, &leader_epoch);
	if (*error != KP_NONE)
		return NULL;
	bytes = key_make(key);
	log = log_find_or_make(partitions, bytes, leader_epoch, loop, &made);
	if (log->leader_epoch != leader_epoch) {
		log_fail(log, KP_NOT_LEADER_OR_FOLLOWER);
		share_log_unref(log);
		log = log_find_or_make(
		    partitions, bytes, leader_epoch, loop, &made);
	}
	free((void *)(uintptr_t)bytes.data);
	if (made)
		load_begin(log, partition, node_id);
	else
		log_keep(log);
	return log;
}

struct share_log *
share_partitions_find(struct share_partitions *partitions,
    const struct share_partitions_key *key)
{
	struct slice bytes = key_make(key);
	struct share_log *log;

	pthread_mutex_lock(&partitions->mutex);
	log = map_get(&partitions->by_key, bytes);
	if (log != NULL)
		log_ref(log);
	pthread_mutex_unlock(&partitions->mutex);
	free((void *)(uintptr_t)bytes.data);
	return log;
}

size_t
share_partitions_count(struct share_partitions *partitions)
{
	size_t count;

	pthread_mutex_lock(&partitions->mutex);
	count = partitions->by_key.count;
	pthread_mutex_unlock(&partitions->mutex);
	return count;
}

/* --- Fetching ---------------------------------------------------------- */

/* Locked and ACTIVE. */
static enum share_log_turn
begin_active(struct share_log *log,
    const struct share_partition_limits *limits, struct share_log_begin *begin)
{
	if (log->busy) {
		log->refused = true;
		return SHARE_LOG_WAIT;
	}
	if (!share_partition_can_acquire(log->records, limits)) {
		begin->full = true;
		return SHARE_LOG_WAIT;
	}
	log->busy = true;
	begin->fetch_offset = share_partition_next_offset(log->records);
	begin->end_offset = share_partition_end_offset(log->records);
	return SHARE_LOG_READY;
}

enum share_log_turn
share_log_begin(struct share_log *log, struct share_log_begin *begin)
{
	struct share_group_config config = config_of(log);
	enum share_log_turn turn = SHARE_LOG_WAIT;

	*begin = (struct share_log_begin){ 0 };
	pthread_mutex_lock(&log->mutex);
	begin->events = log->events;
	switch (log->state) {
	case LOG_LOADING:
		begin->loading = true;
		break;
	case LOG_ACTIVE:
		turn = begin_active(log, &config.limits, begin);
		break;
	case LOG_FAILED:
		begin->error = log->error;
		turn = SHARE_LOG_FAILED;
		break;
	}
	pthread_mutex_unlock(&log->mutex);
	return turn;
}

void
share_log_end(struct share_log *log, struct share_partition_acquire *acquire,
    uint64_t *events)
{
	struct share_group_config config = config_of(log);
	bool arm = false;
	bool alone;
	struct list fired;

	list_init(&fired);
	pthread_mutex_lock(&log->mutex);
	assert(log->busy);
	log->busy = false;
	if (acquire != NULL && log->state == LOG_ACTIVE) {
		share_partition_acquire(
		    log->records, &config.limits, acquire);
		arm = acquire->ranges_count > 0 && timer_wanted(log);
	}
	/* Only those whose turn it was not have anything new to look at. */
	alone = log->events == *events;
	if (log->refused)
		log_event(log, &fired);
	log->refused = false;
	if (alone)
		*events = log->events;
	pthread_mutex_unlock(&log->mutex);
	if (arm)
		loop_post(log->loop, &log->arm);
	wakeup_post_all(&fired);
}

void
share_log_start_moved(struct share_log *log, int64_t offset)
{
	struct list fired;

	list_init(&fired);
	pthread_mutex_lock(&log->mutex);
	if (log->state == LOG_ACTIVE) {
		share_partition_log_start(log->records, offset);
		log_event(log, &fired);
	}
	pthread_mutex_unlock(&log->mutex);
	wakeup_post_all(&fired);
}

void
share_log_wait(struct share_log_waiter *waiter)
{
	struct share_log *log = waiter->log;
	struct list fired;

	list_init(&fired);
	pthread_mutex_lock(&log->mutex);
	list_append(&log->waiters, &waiter->node);
	if (waiter->events != log->events)
		long_poll_fire(waiter->poll, &fired);
	pthread_mutex_unlock(&log->mutex);
	wakeup_post_all(&fired);
}

void
share_log_unwait(struct share_log_waiter *waiter)
{
	pthread_mutex_lock(&waiter->log->mutex);
	if (list_node_linked(&waiter->node))
		list_remove(&waiter->node);
	pthread_mutex_unlock(&waiter->log->mutex);
}

/* --- Acknowledging ----------------------------------------------------- */

/* True where something has to be persisted: the call is under way then. */
static bool
acknowledge_locked(struct share_log *log,
    const struct share_partition_limits *limits, struct slice member,
    const struct share_partition_ack *acks, size_t count,
    struct share_log_call *call, bool *mine)
{
	struct share_partition_change change = { 0 };

	if (log->state != LOG_ACTIVE) {
		call->error = log->state == LOG_FAILED ?
		    log->error :
		    KP_UNKNOWN_TOPIC_OR_PARTITION;
		return false;
	}
	call->error = share_partition_acknowledge(log->records, limits,
	    member, acks, count, clock_monotonic_ms(), &change);
	if (call->error != KP_NONE || change.states_count == 0)
		return false;
	*mine = write_queue(log, &change, call);
	return true;
}

void
share_log_acknowledge(struct share_log *log, struct slice member,
    const struct share_partition_ack *acks, size_t count,
    struct share_log_call *call)
{
	struct share_group_config config = config_of(log);
	bool mine = false;
	bool pending;

	pthread_mutex_lock(&log->mutex);
	pending = acknowledge_locked(
	    log, &config.limits, member, acks, count, call, &mine);
	pthread_mutex_unlock(&log->mutex);
	if (!pending)
		call->done(call);
	writes_hand_over(log, mine);
}

void
share_partitions_release(struct share_partitions *partitions,
    const struct share_partitions_key *key, struct slice member)
{
	struct share_log *log = share_partitions_find(partitions, key);
	struct share_partition_change change = { 0 };
	struct share_group_config config;
	bool mine = false;

	if (log == NULL)
		return;
	config = config_of(log);
	pthread_mutex_lock(&log->mutex);
	if (log->state == LOG_ACTIVE)
		share_partition_release(
		    log->records, &config.limits, member, &change);
	if (change.states_count > 0)
		mine = write_queue(log, &change, NULL);
	pthread_mutex_unlock(&log->mutex);
	writes_hand_over(log, mine);
	share_log_unref(log);
}

/* --- Ends -------------------------------------------------------------- */

/* Is nothing of it being written?  Where that is so later it goes then. */
static bool
log_abandon(struct share_log *log)
{
	bool idle;

	pthread_mutex_lock(&log->mutex);
	idle = log->writes_count == 0;
	log->abandoned = true;
	pthread_mutex_unlock(&log->mutex);
	return idle;
}

/* The next share log of the group that may go, referenced, or NULL. */
static struct share_log *
next_of_group(struct share_partitions *partitions, struct slice group_id)
{
	struct share_log *next = NULL;

	pthread_mutex_lock(&partitions->mutex);
	LIST_FOR_EACH (node, &partitions->all) {
		struct share_log *log =
		    LIST_ENTRY(node, struct share_log, node);

		if (next == NULL && log->found &&
		    slice_equal(log->group_id, group_id) && log_abandon(log)) {
			next = log;
			log_ref(next);
		}
	}
	pthread_mutex_unlock(&partitions->mutex);
	return next;
}

void
share_partitions_abandon(
    struct share_partitions *partitions, struct slice group_id)
{
	struct share_log *log;

	while ((log = next_of_group(partitions, group_id)) != NULL) {
		log_fail(log, KP_NOT_LEADER_OR_FOLLOWER);
		share_log_unref(log);
	}
}

void
share_partitions_session_ended(
    void *context, const struct share_session_end *end)
{
	struct share_partitions *partitions = context;

	for (int32_t i = 0; i < end->partitions_count; i++) {
		const struct share_partitions_key key = {
			.group_id = end->group_id,
			.topic_id = end->partitions[i].topic_id,
			.index = end->partitions[i].index,
		};

		share_partitions_release(partitions, &key, end->member_id);
	}
	if (end->last)
		share_partitions_abandon(partitions, end->group_id);
}

/* Does the metadata say that its leader epoch is over?  topic may be NULL. */
static bool
epoch_over(const struct share_log *log, const struct topic_image *topic)
{
	const struct partition_image *partition = topic == NULL ?
	    NULL :
	    topic_image_partition(topic, (int32_t)log->place.index);

	return partition == NULL ||
	    partition->leader_epoch != log->leader_epoch;
}

/* The next share log of the topic whose epoch is over, referenced, or NULL. */
static struct share_log *
next_over(
    struct share_partitions *partitions, const struct delta_topic *change)
{
	struct share_log *next = NULL;
	struct topic *topic;

	pthread_mutex_lock(&partitions->mutex);
	topic = map_get(&partitions->by_topic, MAP_KEY(change->id));
	if (topic != NULL)
		LIST_FOR_EACH (node, &topic->logs) {
			struct share_log *log =
			    LIST_ENTRY(node, struct share_log, of_topic);

			if (next == NULL && epoch_over(log, change->new))
				next = log;
		}
	if (next != NULL)
		log_ref(next);
	pthread_mutex_unlock(&partitions->mutex);
	return next;
}

static void
topic_apply(
    struct share_partitions *partitions, const struct delta_topic *change)
{
	enum kp_error error = change->new == NULL ?
	    KP_UNKNOWN_TOPIC_OR_PARTITION :
	    KP_NOT_LEADER_OR_FOLLOWER;
	struct share_log *log;

	while ((log = next_over(partitions, change)) != NULL) {
		log_fail(log, error);
		share_log_unref(log);
	}
}

void
share_partitions_apply(void *context, const struct delta *delta)
{
	struct share_partitions *partitions = context;

	for (size_t i = 0; i < delta->topics_count; i++)
		topic_apply(partitions, delta->topics[i]);
}

/* --- Life -------------------------------------------------------------- */

struct share_partitions *
share_partitions_new(const struct share_partitions_settings *settings)
{
	struct share_partitions *partitions = xcalloc(1, sizeof(*partitions));

	partitions->settings = *settings;
	pthread_mutex_init(&partitions->mutex, NULL);
	map_init(&partitions->by_key);
	map_init(&partitions->by_topic);
	list_init(&partitions->all);
	return partitions;
}

/* References that timers had are of no account: they run no more. */
void
share_partitions_free(struct share_partitions *partitions)
{
	struct topic *topic;

	if (partitions == NULL)
		return;
	for (size_t at = 0;
	     (topic = map_next(&partitions->by_topic, &at)) != NULL;)
		free(topic);
	LIST_FOR_EACH_SAFE (node, &partitions->all)
		share_log_free(LIST_ENTRY(node, struct share_log, node));
	map_fini(&partitions->by_key);
	map_fini(&partitions->by_topic);
	pthread_mutex_destroy(&partitions->mutex);
	free(partitions);
}
