#include "coord/group_coordinator.h"

#include "base/slice.h"
#include "coord/group_coordinator_inner.h"
#include "coord/streams_creator.h"
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

	return &group_tenure_new(
	    &coordinator->common, partition, loop, leader)
		    ->tenure;
}

static const struct coordinator_kind kind = {
	.worker_name = "group-loader",
	.tenure_new = make_tenure,
};

static void run_drop(struct task *task);
static void dropped_free(struct list *dropped);
static void changed_free(struct map *changed);

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
	coordinator->image = group_image_new(&coordinator->settings);
	coordinator->resolver.resolve = group_coordinator_resolve;
	coordinator->persister.run = group_coordinator_persist;
	coordinator->creator = streams_creator_new(services->controller);
	coordinator->common = (struct group_common){
		.settings = &coordinator->settings,
		.shard_settings = &coordinator->shard_settings,
		.memory = &coordinator->memory,
		.image = coordinator->image,
		.resolver = &coordinator->resolver,
		.persister = &coordinator->persister,
	};
	map_init(&coordinator->changed);
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
	changed_free(&coordinator->changed);
	streams_creator_free(coordinator->creator);
	group_image_free(coordinator->image);
	coordinator_fini(&coordinator->base);
	free(coordinator);
}

void
group_coordinator_set_batch_bytes(
    struct group_coordinator *coordinator, int32_t bytes)
{
	coordinator->shard_settings.batch_bytes_max = bytes;
}

void
group_coordinator_set_assignment_intervals(
    struct group_coordinator *coordinator, int32_t consumer_ms,
    int32_t streams_ms, int32_t share_ms)
{
	struct group_settings *settings = &coordinator->settings;
	int32_t consumer_had = atomic_exchange(
	    &settings->consumer.assignment_interval_ms, consumer_ms);
	int32_t streams_had = atomic_exchange(
	    &settings->streams.assignment_interval_ms, streams_ms);
	int32_t share_had = atomic_exchange(
	    &settings->share.assignment_interval_ms, share_ms);

	if (consumer_had != consumer_ms || streams_had != streams_ms ||
	    share_had != share_ms)
		group_image_timing_changed(coordinator->image);
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

/* --- Topics that have changed -------------------------------------------- */

/* A topic that came, went or changed since the groups were last told. */
struct changed {
	struct slice name;		/* owned */
};

static void
changed_free(struct map *topics)
{
	struct changed *changed;

	for (size_t at = 0; (changed = map_next(topics, &at)) != NULL;) {
		free((void *)(uintptr_t)changed->name.data);
		free(changed);
	}
	map_fini(topics);
}

static void
changed_add(
    struct group_coordinator *coordinator, const struct topic_image *topic)
{
	struct changed *changed;

	pthread_mutex_lock(&coordinator->base.mutex);
	if (map_get(&coordinator->changed, topic->name) == NULL) {
		changed = xcalloc(1, sizeof(*changed));
		changed->name =
		    slice_of(slice_dup(topic->name), topic->name.len);
		map_set(&coordinator->changed, changed->name, changed);
	}
	pthread_mutex_unlock(&coordinator->base.mutex);
}

static void
refresh_everywhere(
    struct group_coordinator *coordinator, const struct map *names)
{
	int32_t count;
	struct tenure **tenures =
	    coordinator_tenures(&coordinator->base, &count);

	for (int32_t i = 0; i < count; i++) {
		if (names->count > 0)
			group_shard_refresh(
			    &group_tenure_of(tenures[i])->shard, names);
		tenure_unref(tenures[i]);
	}
	free((void *)tenures);
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

/* All topics that changed or were deleted since the last time, in one go. */
static void
run_drop(struct task *task)
{
	struct group_coordinator *coordinator =
	    CONTAINER_OF(task, struct group_coordinator, drop_task);
	struct group_dropped topics;
	struct list dropped;
	struct map changed;

	list_init(&dropped);
	pthread_mutex_lock(&coordinator->base.mutex);
	coordinator->dropping = false;
	list_splice(&dropped, &coordinator->dropped);
	changed = coordinator->changed;
	map_init(&coordinator->changed);
	pthread_mutex_unlock(&coordinator->base.mutex);
	refresh_everywhere(coordinator, &changed);
	changed_free(&changed);
	map_init(&topics.names);
	map_init(&topics.ids);
	LIST_FOR_EACH (node, &dropped) {
		struct dropped *topic = LIST_ENTRY(node, struct dropped, node);

		map_set(&topics.names, topic->name, topic);
		map_set(&topics.ids, MAP_KEY(topic->id), topic);
	}
	if (!list_empty(&dropped))
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
	    (!list_empty(&coordinator->dropped) ||
		coordinator->changed.count > 0);
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

	group_image_apply(coordinator->image, delta);
	coordinator_apply(&coordinator->base, delta);
	for (size_t i = 0; i < delta->topics_count; i++) {
		const struct delta_topic *change = delta->topics[i];

		if (change->new != NULL)
			changed_add(coordinator, change->new);
		else if (change->old != NULL)
			changed_add(coordinator, change->old);
		if (change->old != NULL && change->new == NULL)
			offsets_drop(coordinator, change->old);
	}
	drop_post(coordinator);
}
