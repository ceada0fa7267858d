#include "coord/share_coordinator.h"

#include "base/arena.h"
#include "base/map.h"
#include "coord/coordinator.h"
#include "coord/share_state_tenure.h"
#include "meta/delta.h"

/* What the states may hold, all in all: a million of them and more. */
#define MEMORY_BYTES_MAX ((size_t)512 << 20)

struct share_coordinator {
	struct coordinator base;
	struct share_state_environment environment;

	/* immutable */
	struct share_settings settings;
	struct shard_settings shard_settings;
};

/* --- Life ---------------------------------------------------------------- */

static struct tenure *
make_tenure(struct coordinator *base, struct partition *partition,
    struct loop *loop, int32_t leader)
{
	struct share_coordinator *coordinator =
	    CONTAINER_OF(base, struct share_coordinator, base);

	return &share_state_tenure_new(&coordinator->environment,
	    &coordinator->shard_settings, partition, loop, leader)
		    ->tenure;
}

static const struct coordinator_kind kind = {
	.worker_name = "share-loader",
	.tenure_new = make_tenure,
};

struct share_coordinator *
share_coordinator_new(const struct share_settings *settings,
    const struct coordinator_services *services)
{
	struct share_coordinator *coordinator =
	    xcalloc(1, sizeof(*coordinator));
	const struct coordinator_topic topic = {
		.name = SHARE_COORDINATOR_TOPIC,
		.partitions = settings->topic_partitions,
		.replication_factor = settings->topic_replication_factor,
		.replication_key =
		    "share.coordinator.state.topic.replication.factor",
		.segment_bytes = settings->topic_segment_bytes,
		.min_insync_replicas = settings->topic_min_isr,
		.kept_whole = true,
	};

	coordinator_init(&coordinator->base, &kind, &topic, services);
	coordinator->settings = *settings;
	coordinator->shard_settings = (struct shard_settings){
		.batch_bytes_max = settings->batch_bytes_max,
		.load_bytes = settings->load_bytes,
		.commit_timeout_ms = settings->commit_timeout_ms,
		.compression = settings->topic_compression,
	};
	coordinator->environment.settings = &coordinator->settings;
	budget_init(&coordinator->environment.memory, MEMORY_BYTES_MAX);
	atomic_init(&coordinator->environment.deletions, 0);
	return coordinator;
}

void
share_coordinator_free(struct share_coordinator *coordinator)
{
	if (coordinator == NULL)
		return;
	coordinator_fini(&coordinator->base);
	free(coordinator);
}

void
share_coordinator_set_batch_bytes(
    struct share_coordinator *coordinator, int32_t bytes)
{
	coordinator->shard_settings.batch_bytes_max = bytes;
}

void
share_coordinator_start(struct share_coordinator *coordinator)
{
	coordinator_start(&coordinator->base);
}

void
share_coordinator_stop(struct share_coordinator *coordinator)
{
	coordinator_stop(&coordinator->base);
}

void
share_coordinator_prepare(struct share_coordinator *coordinator,
    void (*ready)(void *context, enum kp_error error), void *context)
{
	coordinator_prepare(&coordinator->base, ready, context);
}

int32_t
share_coordinator_partition(
    struct share_coordinator *coordinator, struct slice key)
{
	return coordinator_partition(&coordinator->base, key);
}

/* --- Topics that were deleted -------------------------------------------- */

/* The topics of one delta; it owns itself. */
struct dropping {
	struct task task;
	struct share_coordinator *coordinator;
	struct map topic_ids;
	struct uuid *ids;
	size_t count;
};

static void
run_drop(struct task *task)
{
	struct dropping *dropping = CONTAINER_OF(task, struct dropping, task);
	int32_t count;
	struct tenure **tenures =
	    coordinator_tenures(&dropping->coordinator->base, &count);

	for (int32_t i = 0; i < count; i++) {
		share_state_shard_drop_topics(
		    &share_state_tenure_of(tenures[i])->shard,
		    &dropping->topic_ids);
		tenure_unref(tenures[i]);
	}
	free((void *)tenures);
	map_fini(&dropping->topic_ids);
	free(dropping->ids);
	free(dropping);
}

static bool
is_deletion(const struct delta_topic *change)
{
	return change->old != NULL && change->new == NULL;
}

/*
 * Every state of every shard has to be looked at, so the worker does it.  What
 * is deleted before the start has no share partitions: nobody reads it.
 */
static void
drop_topics(struct share_coordinator *coordinator, const struct delta *delta)
{
	struct dropping *dropping = xcalloc(1, sizeof(*dropping));

	dropping->task.run = run_drop;
	dropping->coordinator = coordinator;
	dropping->ids =
	    xcalloc(delta->topics_count + 1, sizeof(*dropping->ids));
	map_init(&dropping->topic_ids);
	for (size_t i = 0; i < delta->topics_count; i++) {
		struct uuid *id = &dropping->ids[dropping->count];

		if (!is_deletion(delta->topics[i]))
			continue;
		*id = delta->topics[i]->id;
		map_set(&dropping->topic_ids, MAP_KEY(*id), id);
		dropping->count++;
	}
	if (!coordinator_post(&coordinator->base, &dropping->task))
		run_drop(&dropping->task);
}

void
share_coordinator_apply(void *context, const struct delta *delta)
{
	struct share_coordinator *coordinator = context;
	bool deletes = false;

	coordinator_apply(&coordinator->base, delta);
	for (size_t i = 0; i < delta->topics_count && !deletes; i++)
		deletes = is_deletion(delta->topics[i]);
	if (!deletes)
		return;
	atomic_fetch_add(&coordinator->environment.deletions, 1);
	drop_topics(coordinator, delta);
}

/* --- Calls --------------------------------------------------------------- */

static void
refuse(struct share_state_call *call, enum kp_error error)
{
	call->call.error = error;
	call->call.done(&call->call);
}

/*
 * Look for the partition in the image, whose lock is not to be held over an
 * append.  A topic that is deleted afterwards has been counted when the shard
 * looks, or its states are yet to be dropped.
 */
static void
look(struct share_coordinator *coordinator, struct share_state_call *call)
{
	struct image *image = coordinator->base.services.image;
	const struct topic_image *topic;

	call->deletions = atomic_load(&coordinator->environment.deletions);
	image_read_lock(image);
	topic = image_topic_by_id(image, call->key.topic_id);
	call->known =
	    topic != NULL && call->key.partition < topic->partitions_count;
	image_read_unlock(image);
}

void
share_coordinator_ask(
    struct share_coordinator *coordinator, struct share_state_call *call)
{
	struct tenure *tenure;

	assert(call->key.group_id.len > 0);
	call->message = NULL;
	call->text = share_state_key_text(&call->key, call->arena);
	tenure = coordinator_find(
	    &coordinator->base, call->text, call->node_id);
	if (tenure == NULL) {
		refuse(call, KP_NOT_COORDINATOR);
		return;
	}
	do {
		look(coordinator, call);
	} while (!share_state_shard_run(
	    &share_state_tenure_of(tenure)->shard, call));
	tenure_unref(tenure);
}

static void
prepared(void *context, enum kp_error error)
{
	struct share_state_call *call = context;

	if (error != KP_NONE)
		refuse(call, KP_COORDINATOR_NOT_AVAILABLE);
	else
		share_coordinator_ask(call->coordinator, call);
}

void
share_coordinator_run(
    struct share_coordinator *coordinator, struct share_state_call *call)
{
	call->coordinator = coordinator;
	call->message = NULL;
	coordinator_prepare(&coordinator->base, prepared, call);
}
