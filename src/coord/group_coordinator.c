#include "coord/group_coordinator.h"

#include "base/slice.h"
#include "coord/group_coordinator_inner.h"
#include "meta/delta.h"

/*
 * What members may hold, all in all: some hundred thousand of them, as
 * consumers are.
 */
#define MEMORY_BYTES_MAX ((size_t)512 << 20)

/* --- Life ---------------------------------------------------------------- */

static struct group_coordinator *
of(struct coordinator *base)
{
	return CONTAINER_OF(base, struct group_coordinator, base);
}

static struct tenure *
make_tenure(struct coordinator *base, struct partition *partition,
    struct loop *loop, int32_t leader)
{
	struct group_coordinator *coordinator = of(base);

	return &group_tenure_new(&coordinator->settings,
	    &coordinator->shard_settings, &coordinator->memory, partition, loop,
	    leader)
		    ->tenure;
}

static const struct coordinator_kind kind = {
	.worker_name = "group-loader",
	.tenure_new = make_tenure,
};

static void run_drop(struct task *task);
static void dropped_free(struct list *dropped);

struct group_coordinator *
group_coordinator_new(const struct group_settings *settings,
    const struct coordinator_services *services)
{
	struct group_coordinator *coordinator =
	    xcalloc(1, sizeof(*coordinator));
	const struct coordinator_topic topic = {
		.name = GROUP_COORDINATOR_TOPIC,
		.partitions = settings->topic_partitions,
		.replication_factor = settings->topic_replication_factor,
		.replication_key = "offsets.topic.replication.factor",
		.segment_bytes = settings->topic_segment_bytes,
	};

	coordinator_init(&coordinator->base, &kind, &topic, services);
	coordinator->settings = *settings;
	coordinator->shard_settings = (struct shard_settings){
		.batch_bytes_max = settings->batch_bytes_max,
		.load_bytes = settings->load_bytes,
		.commit_timeout_ms = settings->commit_timeout_ms,
		.compression = settings->topic_compression,
	};
	budget_init(&coordinator->memory, MEMORY_BYTES_MAX);
	list_init(&coordinator->dropped);
	coordinator->drop_task.run = run_drop;
	return coordinator;
}

void
group_coordinator_free(struct group_coordinator *coordinator)
{
	if (coordinator == NULL)
		return;
	dropped_free(&coordinator->dropped);
	coordinator_fini(&coordinator->base);
	free(coordinator);
}

void
group_coordinator_set_batch_bytes(
    struct group_coordinator *coordinator, int32_t bytes)
{
	coordinator->shard_settings.batch_bytes_max = bytes;
}

static void drop_post(struct group_coordinator *coordinator);

void
group_coordinator_start(struct group_coordinator *coordinator)
{
	coordinator_start(&coordinator->base);
	pthread_mutex_lock(&coordinator->base.mutex);
	coordinator->loaded = true;
	pthread_mutex_unlock(&coordinator->base.mutex);
	drop_post(coordinator);
}

void
group_coordinator_stop(struct group_coordinator *coordinator)
{
	coordinator_stop(&coordinator->base);
}

/* --- Finding ------------------------------------------------------------- */

void
group_coordinator_prepare(struct group_coordinator *coordinator,
    void (*ready)(void *context, enum kp_error error), void *context)
{
	coordinator_prepare(&coordinator->base, ready, context);
}

int32_t
group_coordinator_partition(
    struct group_coordinator *coordinator, struct slice group_id)
{
	return coordinator_partition(&coordinator->base, group_id);
}

struct group_tenure *
group_coordinator_find(struct group_coordinator *coordinator,
    struct slice group_id, int32_t node_id)
{
	struct tenure *tenure =
	    coordinator_find(&coordinator->base, group_id, node_id);

	return tenure == NULL ? NULL : group_tenure_of(tenure);
}

/* --- Dropping offsets ---------------------------------------------------- */

/* A topic that was deleted. */
struct dropped {
	struct list_node node;
	struct slice name; /* owned */
	struct uuid id;
};

static void
dropped_free(struct list *dropped)
{
	struct list_node *node;

	while ((node = list_pop(dropped)) != NULL) {
		struct dropped *topic = LIST_ENTRY(node, struct dropped, node);

		free((void *)(uintptr_t)topic->name.data);
		free(topic);
	}
}

static void
drop_everywhere(
    struct group_coordinator *coordinator, const struct group_dropped *topics)
{
	int32_t count;
	struct tenure **tenures =
	    coordinator_tenures(&coordinator->base, &count);

	for (int32_t i = 0; i < count; i++) {
		group_shard_drop_topics(
		    &group_tenure_of(tenures[i])->shard, topics);
		tenure_unref(tenures[i]);
	}
	free((void *)tenures);
}

/* All topics that were deleted since the last time, in one go. */
static void
run_drop(struct task *task)
{
	struct group_coordinator *coordinator =
	    CONTAINER_OF(task, struct group_coordinator, drop_task);
	struct group_dropped topics;
	struct list dropped;

	list_init(&dropped);
	pthread_mutex_lock(&coordinator->base.mutex);
	coordinator->dropping = false;
	list_splice(&dropped, &coordinator->dropped);
	pthread_mutex_unlock(&coordinator->base.mutex);
	map_init(&topics.names);
	map_init(&topics.ids);
	LIST_FOR_EACH (node, &dropped) {
		struct dropped *topic = LIST_ENTRY(node, struct dropped, node);

		map_set(&topics.names, topic->name, topic);
		map_set(&topics.ids, MAP_KEY(topic->id), topic);
	}
	drop_everywhere(coordinator, &topics);
	map_fini(&topics.names);
	map_fini(&topics.ids);
	dropped_free(&dropped);
}

/*
 * Every offset of every group has to be looked at, so the worker does it, once
 * for as many topics as there are.  What the start loads is waited for.
 */
static void
drop_post(struct group_coordinator *coordinator)
{
	bool wanted;

	pthread_mutex_lock(&coordinator->base.mutex);
	wanted = coordinator->loaded && !coordinator->dropping &&
	    !list_empty(&coordinator->dropped);
	coordinator->dropping |= wanted;
	pthread_mutex_unlock(&coordinator->base.mutex);
	if (wanted &&
	    !coordinator_post(&coordinator->base, &coordinator->drop_task))
		run_drop(&coordinator->drop_task);
}

/* --- Following the metadata ---------------------------------------------- */

/* Another topic was deleted: nobody's offsets in it mean anything now. */
static void
offsets_drop(
    struct group_coordinator *coordinator, const struct topic_image *topic)
{
	struct dropped *dropped = xcalloc(1, sizeof(*dropped));

	dropped->id = topic->id;
	dropped->name = slice_of(slice_dup(topic->name), topic->name.len);
	pthread_mutex_lock(&coordinator->base.mutex);
	list_append(&coordinator->dropped, &dropped->node);
	pthread_mutex_unlock(&coordinator->base.mutex);
}

void
group_coordinator_apply(void *context, const struct delta *delta)
{
	struct group_coordinator *coordinator = context;

	coordinator_apply(&coordinator->base, delta);
	for (size_t i = 0; i < delta->topics_count; i++) {
		const struct delta_topic *change = delta->topics[i];

		if (change->old != NULL && change->new == NULL)
			offsets_drop(coordinator, change->old);
	}
	drop_post(coordinator);
}
