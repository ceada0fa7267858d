#include "broker/share_log_inner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "broker/partition.h"
#include "broker/share_persister.h"
#include "broker/wakeup.h"

#define LOGGER "share"

/* The first read of a share log's state. */
struct load {
	struct task task;	/* the pool's */
	struct share_persister_call persister;
	struct share_log *log;	/* referenced, as partition is */
	struct partition *partition;
	int32_t node_id;
};

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
	struct share_group_config config = share_log_config(load->log);
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
		share_log_event(log, &fired);
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
		share_log_fail(load->log, error);
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
	share_log_fail(load->log, share_log_error_of(persister->error));
	load_free(load);
}

void
share_log_load(
    struct share_log *log, struct partition *partition, int32_t node_id)
{
	struct share_persister *persister =
	    log->partitions->settings.persister;
	struct load *load = xcalloc(1, sizeof(*load));

	load->log = log;
	share_log_ref(log);
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
