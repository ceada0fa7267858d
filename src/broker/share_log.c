#include "broker/share_log_inner.h"

#include "base/clock.h"
#include "broker/long_poll.h"
#include "net/loop.h"

struct share_group_config
share_log_config(const struct share_log *log)
{
	const struct share_partitions_settings *settings =
	    &log->partitions->settings;
	struct share_group_config config;

	share_group_config_read(
	    &config, settings->image, settings->configs, log->group_id);
	return config;
}

void
share_log_free(struct share_log *log)
{
	assert(list_empty(&log->waiters) && list_empty(&log->writes));
	share_partition_free(log->records);
	pthread_mutex_destroy(&log->mutex);
	free(log);
}

void
share_log_ref(struct share_log *log)
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

void
share_log_event(struct share_log *log, struct list *fired)
{
	log->events++;
	LIST_FOR_EACH (node, &log->waiters)
		long_poll_fire(
		    LIST_ENTRY(node, struct share_log_waiter, node)->poll,
		    fired);
}

void
share_log_fail(struct share_log *log, enum kp_error error)
{
	bool listed = share_partitions_unlist(log);
	struct list fired;

	list_init(&fired);
	pthread_mutex_lock(&log->mutex);
	if (log->state != LOG_FAILED) {
		log->state = LOG_FAILED;
		log->error = error;
		share_log_event(log, &fired);
	}
	pthread_mutex_unlock(&log->mutex);
	wakeup_post_all(&fired);
	if (listed)
		share_log_unref(log);
}

struct share_log *
share_log_new(struct share_partitions *partitions, struct slice key,
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
	share_log_timer_init(log);
	return log;
}

void
share_log_keep(struct share_log *log)
{
	pthread_mutex_lock(&log->mutex);
	log->abandoned = false;
	pthread_mutex_unlock(&log->mutex);
}

bool
share_log_abandon(struct share_log *log)
{
	bool idle;

	pthread_mutex_lock(&log->mutex);
	idle = log->writes_count == 0;
	log->abandoned = true;
	pthread_mutex_unlock(&log->mutex);
	return idle;
}

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
	struct share_group_config config = share_log_config(log);
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
	struct share_group_config config = share_log_config(log);
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
		arm = acquire->ranges_count > 0 && share_log_timer_wanted(log);
	}
	/* Only those whose turn it was not have anything new to look at. */
	alone = log->events == *events;
	if (log->refused)
		share_log_event(log, &fired);
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
		share_log_event(log, &fired);
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
	*mine = share_log_write(log, &change, call);
	return true;
}

void
share_log_acknowledge(struct share_log *log, struct slice member,
    const struct share_partition_ack *acks, size_t count,
    struct share_log_call *call)
{
	struct share_group_config config = share_log_config(log);
	bool mine = false;
	bool pending;

	pthread_mutex_lock(&log->mutex);
	pending = acknowledge_locked(
	    log, &config.limits, member, acks, count, call, &mine);
	pthread_mutex_unlock(&log->mutex);
	if (!pending)
		call->done(call);
	share_log_hand_over(log, mine);
}

void
share_log_release(struct share_log *log, struct slice member)
{
	struct share_group_config config = share_log_config(log);
	struct share_partition_change change = { 0 };
	bool mine = false;

	pthread_mutex_lock(&log->mutex);
	if (log->state == LOG_ACTIVE)
		share_partition_release(
		    log->records, &config.limits, member, &change);
	if (change.states_count > 0)
		mine = share_log_write(log, &change, NULL);
	pthread_mutex_unlock(&log->mutex);
	share_log_hand_over(log, mine);
}
