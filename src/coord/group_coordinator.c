#include "coord/group_coordinator.h"

#include "base/log.h"
#include "base/machine.h"
#include "base/parallel.h"
#include "broker/partition_manager.h"
#include "coord/group_coordinator_inner.h"
#include "coord/java_hash.h"
#include "meta/delta.h"
#include "net/loop_group.h"

/*
 * What members may hold, all in all: some hundred thousand of them, as
 * consumers are.
 */
#define MEMORY_BYTES_MAX ((size_t)512 << 20)

/* --- Life ---------------------------------------------------------------- */

static void run_drop(struct task *task);
static void dropped_free(struct list *dropped);

struct group_coordinator *
group_coordinator_new(const struct group_settings *settings,
    const struct group_services *services)
{
	struct group_coordinator *coordinator =
	    xcalloc(1, sizeof(*coordinator));
	size_t nodes_size =
	    (size_t)services->nodes_count * sizeof(*services->nodes);

	coordinator->nodes = xmalloc(nodes_size);
	memcpy(coordinator->nodes, services->nodes, nodes_size);
	coordinator->settings = *settings;
	coordinator->shard_settings = (struct shard_settings){
		.batch_bytes_max = settings->batch_bytes_max,
		.load_bytes = settings->load_bytes,
		.commit_timeout_ms = settings->commit_timeout_ms,
		.compression = settings->topic_compression,
	};
	coordinator->services = *services;
	coordinator->services.nodes = coordinator->nodes;
	budget_init(&coordinator->memory, MEMORY_BYTES_MAX);
	pthread_mutex_init(&coordinator->following, NULL);
	pthread_mutex_init(&coordinator->mutex, NULL);
	pthread_cond_init(&coordinator->ended, NULL);
	list_init(&coordinator->waiters);
	list_init(&coordinator->dropped);
	coordinator->drop_task.run = run_drop;
	return coordinator;
}

void
group_coordinator_free(struct group_coordinator *coordinator)
{
	if (coordinator == NULL)
		return;
	assert(coordinator->open_count == 0 && coordinator->worker == NULL);
	assert(list_empty(&coordinator->waiters));
	dropped_free(&coordinator->dropped);
	pthread_mutex_destroy(&coordinator->following);
	pthread_mutex_destroy(&coordinator->mutex);
	pthread_cond_destroy(&coordinator->ended);
	free(coordinator->nodes);
	free(coordinator);
}

void
group_coordinator_set_batch_bytes(
    struct group_coordinator *coordinator, int32_t bytes)
{
	coordinator->shard_settings.batch_bytes_max = bytes;
}

/* --- Tenures ------------------------------------------------------------- */

static void
tenure_ended(void *context)
{
	struct group_coordinator *coordinator = context;

	pthread_mutex_lock(&coordinator->mutex);
	coordinator->open_count--;
	pthread_cond_signal(&coordinator->ended);
	pthread_mutex_unlock(&coordinator->mutex);
}

static struct group_tenure *
tenure_at(struct group_coordinator *coordinator, int32_t index)
{
	return index < coordinator->tenures_count ?
	    coordinator->tenures[index] :
	    NULL;
}

/* The leadership of the partition at index ends, if it is ours. */
static void
tenure_drop(struct group_coordinator *coordinator, int32_t index)
{
	struct group_tenure *tenure;

	pthread_mutex_lock(&coordinator->mutex);
	tenure = tenure_at(coordinator, index);
	if (tenure != NULL)
		coordinator->tenures[index] = NULL;
	pthread_mutex_unlock(&coordinator->mutex);
	if (tenure != NULL)
		group_tenure_end(tenure, tenure_ended, coordinator);
}

static struct group_tenure *
tenure_begin(
    struct group_coordinator *coordinator, int32_t index, int32_t leader)
{
	const struct group_services *services = &coordinator->services;
	int loops_count = loop_group_count(services->loops);
	struct partition *partition = partition_manager_find(
	    services->partitions, GROUP_COORDINATOR_TOPIC, index);
	struct group_tenure *tenure;

	if (partition == NULL)
		return NULL;
	tenure = group_tenure_new(&coordinator->settings,
	    &coordinator->shard_settings, &coordinator->memory, partition,
	    loop_group_get(services->loops, index % loops_count), leader);
	pthread_mutex_lock(&coordinator->mutex);
	coordinator->tenures[index] = tenure;
	coordinator->open_count++;
	pthread_mutex_unlock(&coordinator->mutex);
	return tenure;
}

struct group_tenure **
group_coordinator_tenures(struct group_coordinator *coordinator, int32_t *count)
{
	struct group_tenure **tenures;

	*count = 0;
	pthread_mutex_lock(&coordinator->mutex);
	tenures = xcalloc((size_t)coordinator->tenures_count + 1,
	    sizeof(struct group_tenure *));
	for (int32_t i = 0; i < coordinator->tenures_count; i++) {
		struct group_tenure *tenure = coordinator->tenures[i];

		if (tenure == NULL)
			continue;
		group_tenure_ref(tenure);
		tenures[(*count)++] = tenure;
	}
	pthread_mutex_unlock(&coordinator->mutex);
	return tenures;
}

int32_t
group_coordinator_partition(
    struct group_coordinator *coordinator, struct slice group_id)
{
	int32_t count;

	pthread_mutex_lock(&coordinator->mutex);
	count = coordinator->hash_count;
	pthread_mutex_unlock(&coordinator->mutex);
	if (count == 0)
		count = coordinator->settings.topic_partitions;
	return java_hash_partition(group_id, count);
}

struct group_tenure *
group_coordinator_find(struct group_coordinator *coordinator,
    struct slice group_id, int32_t node_id)
{
	int32_t index = group_coordinator_partition(coordinator, group_id);
	struct group_tenure *tenure;

	pthread_mutex_lock(&coordinator->mutex);
	tenure = tenure_at(coordinator, index);
	if (tenure != NULL && tenure->leader != node_id)
		tenure = NULL;
	if (tenure != NULL)
		group_tenure_ref(tenure);
	pthread_mutex_unlock(&coordinator->mutex);
	return tenure;
}

/* --- Loading ------------------------------------------------------------- */

/* A shard to be loaded in the background. */
struct load {
	struct task task;
	struct group_coordinator *coordinator;
	struct group_tenure *tenure; /* referenced */
	int32_t epoch;
};

static void
run_load(struct task *task)
{
	struct load *load = CONTAINER_OF(task, struct load, task);
	struct group_coordinator *coordinator = load->coordinator;

	shard_load(&load->tenure->shard.shard, load->epoch);
	group_tenure_unref(load->tenure);
	free(load);
	pthread_mutex_lock(&coordinator->mutex);
	coordinator->loads_count--;
	pthread_mutex_unlock(&coordinator->mutex);
}

/*
 * Before the start nothing is loaded: group_coordinator_start does it.  Where
 * no worker is to be had the caller's thread does it.
 */
static void
load_queue(struct group_coordinator *coordinator, struct group_tenure *tenure,
    int32_t epoch)
{
	struct load *load;
	bool posted;

	pthread_mutex_lock(&coordinator->mutex);
	if (!coordinator->started) {
		pthread_mutex_unlock(&coordinator->mutex);
		return;
	}
	load = xcalloc(1, sizeof(*load));
	*load =
	    (struct load){ { .run = run_load }, coordinator, tenure, epoch };
	group_tenure_ref(tenure);
	coordinator->loads_count++;
	posted = coordinator->worker != NULL;
	if (posted)
		worker_post(coordinator->worker, &load->task);
	pthread_mutex_unlock(&coordinator->mutex);
	if (!posted)
		run_load(&load->task);
}

static int32_t
epoch_of(struct shard *shard)
{
	int32_t epoch;

	pthread_mutex_lock(&shard->mutex);
	epoch = shard->epoch;
	pthread_mutex_unlock(&shard->mutex);
	return epoch;
}

static void
load_one(void *context, size_t index)
{
	struct group_tenure **tenures = context;
	struct shard *shard = &tenures[index]->shard.shard;

	shard_load(shard, epoch_of(shard));
	group_tenure_unref(tenures[index]);
}

static void drop_post(struct group_coordinator *coordinator);

void
group_coordinator_start(struct group_coordinator *coordinator)
{
	struct group_tenure **tenures;
	int32_t count;

	pthread_mutex_lock(&coordinator->mutex);
	assert(!coordinator->started && !coordinator->stopped);
	coordinator->worker = worker_new("group-loader");
	coordinator->started = true;
	pthread_mutex_unlock(&coordinator->mutex);
	tenures = group_coordinator_tenures(coordinator, &count);
	parallel_run(machine_processors_usable(), (size_t)count, load_one,
	    (void *)tenures);
	free((void *)tenures);
	pthread_mutex_lock(&coordinator->mutex);
	coordinator->loaded = true;
	pthread_mutex_unlock(&coordinator->mutex);
	drop_post(coordinator);
}

/* --- Stopping ------------------------------------------------------------ */

static void topic_drop(struct group_coordinator *coordinator);

void
group_coordinator_stop(struct group_coordinator *coordinator)
{
	struct worker *worker;

	pthread_mutex_lock(&coordinator->following);
	topic_drop(coordinator);
	pthread_mutex_lock(&coordinator->mutex);
	coordinator->stopped = true;
	worker = coordinator->worker;
	coordinator->worker = NULL;
	pthread_mutex_unlock(&coordinator->mutex);
	pthread_mutex_unlock(&coordinator->following);
	worker_stop_free(worker);
	pthread_mutex_lock(&coordinator->mutex);
	while (coordinator->open_count != 0)
		pthread_cond_wait(&coordinator->ended, &coordinator->mutex);
	pthread_mutex_unlock(&coordinator->mutex);
}

/* --- Dropping offsets ---------------------------------------------------- */

/* A topic that was deleted. */
struct dropped {
	struct list_node node;
	struct slice name;		/* owned */
	struct uuid id;
};

static void
dropped_free(struct list *dropped)
{
	struct list_node *node;

	while ((node = list_pop(dropped)) != NULL) {
		struct dropped *topic =
		    LIST_ENTRY(node, struct dropped, node);

		free((void *)(uintptr_t)topic->name.data);
		free(topic);
	}
}

static void
drop_everywhere(struct group_coordinator *coordinator,
    const struct group_dropped *topics)
{
	int32_t count;
	struct group_tenure **tenures =
	    group_coordinator_tenures(coordinator, &count);

	for (int32_t i = 0; i < count; i++) {
		group_shard_drop_topics(&tenures[i]->shard, topics);
		group_tenure_unref(tenures[i]);
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
	pthread_mutex_lock(&coordinator->mutex);
	coordinator->dropping = false;
	list_splice(&dropped, &coordinator->dropped);
	pthread_mutex_unlock(&coordinator->mutex);
	map_init(&topics.names);
	map_init(&topics.ids);
	LIST_FOR_EACH (node, &dropped) {
		struct dropped *topic =
		    LIST_ENTRY(node, struct dropped, node);

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
	bool wanted, posted = false;

	pthread_mutex_lock(&coordinator->mutex);
	wanted = coordinator->loaded && !coordinator->dropping &&
	    !list_empty(&coordinator->dropped);
	if (wanted && coordinator->worker != NULL) {
		coordinator->dropping = posted = true;
		worker_post(coordinator->worker, &coordinator->drop_task);
	}
	pthread_mutex_unlock(&coordinator->mutex);
	if (wanted && !posted)
		run_drop(&coordinator->drop_task);
}

/* --- Following the metadata ---------------------------------------------- */

static bool
is_ours(const struct group_coordinator *coordinator, int32_t node_id)
{
	const struct group_services *services = &coordinator->services;

	for (int32_t i = 0; i < services->nodes_count; i++)
		if (services->nodes[i] == node_id)
			return true;
	return false;
}

/* Lead the partition in its epoch, or let go of it. */
static void
follow_partition(struct group_coordinator *coordinator, int32_t index,
    const struct partition_image *partition)
{
	struct group_tenure *tenure;

	pthread_mutex_lock(&coordinator->mutex);
	tenure = tenure_at(coordinator, index);
	pthread_mutex_unlock(&coordinator->mutex);
	if (tenure != NULL && tenure->leader != partition->leader) {
		tenure_drop(coordinator, index);
		tenure = NULL;
	}
	if (!is_ours(coordinator, partition->leader))
		return;
	if (tenure == NULL)
		tenure = tenure_begin(coordinator, index, partition->leader);
	if (tenure != NULL &&
	    shard_elect(&tenure->shard.shard, partition->leader_epoch))
		load_queue(coordinator, tenure, partition->leader_epoch);
}

/* The topic has count partitions now; it never loses some. */
static void
tenures_grow(struct group_coordinator *coordinator, int32_t count)
{
	int32_t had = coordinator->tenures_count;

	pthread_mutex_lock(&coordinator->mutex);
	if (count > had) {
		coordinator->tenures = xrealloc((void *)coordinator->tenures,
		    (size_t)count * sizeof(struct group_tenure *));
		for (int32_t i = had; i < count; i++)
			coordinator->tenures[i] = NULL;
		coordinator->tenures_count = count;
	}
	/* Groups stay where they are when partitions are added later. */
	if (had == 0)
		coordinator->hash_count = count;
	pthread_mutex_unlock(&coordinator->mutex);
}

static void
topic_follow(
    struct group_coordinator *coordinator, const struct topic_image *topic)
{
	tenures_grow(coordinator, topic->partitions_count);
	for (int32_t i = 0; i < topic->partitions_count; i++)
		follow_partition(coordinator, i, topic->partitions[i]);
}

/* Groups and offsets go with the topic. */
static void
topic_drop(struct group_coordinator *coordinator)
{
	for (int32_t i = 0; i < coordinator->tenures_count; i++)
		tenure_drop(coordinator, i);
	pthread_mutex_lock(&coordinator->mutex);
	free((void *)coordinator->tenures);
	coordinator->tenures = NULL;
	coordinator->tenures_count = 0;
	coordinator->hash_count = 0;
	pthread_mutex_unlock(&coordinator->mutex);
}

/* Another topic was deleted: nobody's offsets in it mean anything now. */
static void
offsets_drop(
    struct group_coordinator *coordinator, const struct topic_image *topic)
{
	struct dropped *dropped = xcalloc(1, sizeof(*dropped));

	dropped->id = topic->id;
	dropped->name = slice_of(slice_dup(topic->name), topic->name.len);
	pthread_mutex_lock(&coordinator->mutex);
	list_append(&coordinator->dropped, &dropped->node);
	pthread_mutex_unlock(&coordinator->mutex);
}

static void
topic_apply(
    struct group_coordinator *coordinator, const struct delta_topic *change)
{
	const struct topic_image *topic =
	    change->new != NULL ? change->new : change->old;

	if (topic == NULL)
		return;
	if (!slice_equal(topic->name, GROUP_COORDINATOR_TOPIC)) {
		if (change->new == NULL)
			offsets_drop(coordinator, topic);
	} else if (change->new != NULL) {
		topic_follow(coordinator, topic);
	} else {
		topic_drop(coordinator);
	}
}

void
group_coordinator_apply(void *context, const struct delta *delta)
{
	struct group_coordinator *coordinator = context;

	pthread_mutex_lock(&coordinator->following);
	for (size_t i = 0; i < delta->topics_count && !coordinator->stopped;
	     i++)
		topic_apply(coordinator, delta->topics[i]);
	drop_post(coordinator);
	pthread_mutex_unlock(&coordinator->following);
}
