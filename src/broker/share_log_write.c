#include "broker/share_log_inner.h"

#include "base/clock.h"
#include "base/log.h"
#include "broker/share_persister.h"
#include "broker/wakeup.h"

#define LOGGER "share"

/* A change on its way to the persister. */
struct write {
	struct list_node node;
	struct share_persister_call persister;
	struct share_log *log;	/* referenced */
	struct share_partition_change change;
	struct share_log_call *call;	/* NULL: nobody waits */
};

enum kp_error
share_log_error_of(enum kp_error error)
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
	struct share_group_config config = share_log_config(log);
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
		share_log_event(log, &fired);
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
	enum kp_error error = share_log_error_of(persister->error);
	bool forget;

	if (error != KP_NONE)
		log_debug(LOGGER, "%.*s: the state was not written: %s",
		    SLICE_ARG(log->group_id), kp_error_name(persister->error));
	write_complete(write, error, &forget);
	if (error_ends(error))
		share_log_fail(log, error);
	else if (forget)
		share_log_fail(log, KP_NOT_LEADER_OR_FOLLOWER);
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

void
share_log_hand_over(struct share_log *log, bool mine)
{
	struct share_persister *persister =
	    log->partitions->settings.persister;
	struct write *write;

	while (mine && (write = write_next(log)) != NULL)
		persister->run(persister, &write->persister);
}

bool
share_log_write(struct share_log *log, struct share_partition_change *change,
    struct share_log_call *call)
{
	struct write *write = xcalloc(1, sizeof(*write));
	bool mine = !log->writing;

	write->change = *change;
	write->call = call;
	write->log = log;
	share_log_ref(log);
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
