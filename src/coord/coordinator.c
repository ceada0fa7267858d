#include "coord/coordinator.h"

#include "base/machine.h"
#include "base/parallel.h"
#include "base/worker.h"
#include "broker/partition_manager.h"
#include "coord/java_hash.h"
#include "meta/delta.h"
#include "net/loop_group.h"

/* --- Life ---------------------------------------------------------------- */

void
coordinator_init(struct coordinator *coordinator,
    const struct coordinator_kind *kind, const struct coordinator_topic *topic,
    const struct coordinator_services *services)
{
	size_t nodes_size =
	    (size_t)services->nodes_count * sizeof(*services->nodes);

	memset(coordinator, 0, sizeof(*coordinator));
	coordinator->kind = kind;
	coordinator->topic = *topic;
	coordinator->nodes = xmalloc(nodes_size);
	memcpy(coordinator->nodes, services->nodes, nodes_size);
	coordinator->services = *services;
	coordinator->services.nodes = coordinator->nodes;
	pthread_mutex_init(&coordinator->following, NULL);
	pthread_mutex_init(&coordinator->mutex, NULL);
	pthread_cond_init(&coordinator->ended, NULL);
	list_init(&coordinator->waiters);
}

void
coordinator_fini(struct coordinator *coordinator)
{
	assert(coordinator->open_count == 0 && coordinator->worker == NULL);
	assert(list_empty(&coordinator->waiters));
	pthread_mutex_destroy(&coordinator->following);
	pthread_mutex_destroy(&coordinator->mutex);
	pthread_cond_destroy(&coordinator->ended);
	free(coordinator->nodes);
}

/* --- Tenures ------------------------------------------------------------- */

static void
tenure_ended(void *context)
{
	struct coordinator *coordinator = context;

	pthread_mutex_lock(&coordinator->mutex);
	coordinator->open_count--;
	pthread_cond_signal(&coordinator->ended);
	pthread_mutex_unlock(&coordinator->mutex);
}

static struct tenure *
tenure_at(struct coordinator *coordinator, int32_t index)
{
	return index >= 0 && index < coordinator->tenures_count ?
	    coordinator->tenures[index] :
	    NULL;
}

/* The leadership of the partition at index ends, if it is ours. */
static void
tenure_drop(struct coordinator *coordinator, int32_t index)
{
	struct tenure *tenure;

	pthread_mutex_lock(&coordinator->mutex);
	tenure = tenure_at(coordinator, index);
	if (tenure != NULL)
		coordinator->tenures[index] = NULL;
	pthread_mutex_unlock(&coordinator->mutex);
	if (tenure != NULL)
		tenure_end(tenure, tenure_ended, coordinator);
}

static struct tenure *
tenure_begin(struct coordinator *coordinator, int32_t index, int32_t leader)
{
	const struct coordinator_services *services = &coordinator->services;
	int loops_count = loop_group_count(services->loops);
	struct partition *partition = partition_manager_find(
	    services->partitions, slice_str(coordinator->topic.name), index);
	struct tenure *tenure;

	if (partition == NULL)
		return NULL;
	tenure = coordinator->kind->tenure_new(coordinator, partition,
	    loop_group_get(services->loops, index % loops_count), leader);
	pthread_mutex_lock(&coordinator->mutex);
	coordinator->tenures[index] = tenure;
	coordinator->open_count++;
	pthread_mutex_unlock(&coordinator->mutex);
	return tenure;
}

struct tenure **
coordinator_tenures(struct coordinator *coordinator, int32_t *count)
{
	struct tenure **tenures;

	*count = 0;
	pthread_mutex_lock(&coordinator->mutex);
	tenures = xcalloc(
	    (size_t)coordinator->tenures_count + 1, sizeof(struct tenure *));
	for (int32_t i = 0; i < coordinator->tenures_count; i++) {
		struct tenure *tenure = coordinator->tenures[i];

		if (tenure == NULL)
			continue;
		tenure_ref(tenure);
		tenures[(*count)++] = tenure;
	}
	pthread_mutex_unlock(&coordinator->mutex);
	return tenures;
}

int32_t
coordinator_partition(struct coordinator *coordinator, struct slice key)
{
	int32_t count;

	pthread_mutex_lock(&coordinator->mutex);
	count = coordinator->hash_count;
	pthread_mutex_unlock(&coordinator->mutex);
	if (count == 0)
		count = coordinator->topic.partitions;
	return java_hash_partition(key, count);
}

struct tenure *
coordinator_find_partition(
    struct coordinator *coordinator, int32_t index, int32_t node_id)
{
	struct tenure *tenure;

	pthread_mutex_lock(&coordinator->mutex);
	tenure = tenure_at(coordinator, index);
	if (tenure != NULL && node_id >= 0 && tenure->leader != node_id)
		tenure = NULL;
	if (tenure != NULL)
		tenure_ref(tenure);
	pthread_mutex_unlock(&coordinator->mutex);
	return tenure;
}

struct tenure *
coordinator_find(
    struct coordinator *coordinator, struct slice key, int32_t node_id)
{
	return coordinator_find_partition(
	    coordinator, coordinator_partition(coordinator, key), node_id);
}

/* --- Loading ------------------------------------------------------------- */

/* A shard to be loaded in the background. */
struct load {
	struct task task;
	struct coordinator *coordinator;
	struct tenure *tenure; /* referenced */
	int32_t epoch;
};

static void
run_load(struct task *task)
{
	struct load *load = CONTAINER_OF(task, struct load, task);
	struct coordinator *coordinator = load->coordinator;

	shard_load(load->tenure->shard, load->epoch);
	tenure_unref(load->tenure);
	free(load);
	pthread_mutex_lock(&coordinator->mutex);
	coordinator->loads_count--;
	pthread_mutex_unlock(&coordinator->mutex);
}

/*
 * Before the start nothing is loaded: coordinator_start does it.  Where
 * no worker is to be had the caller's thread does it.
 */
static void
load_queue(
    struct coordinator *coordinator, struct tenure *tenure, int32_t epoch)
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
	tenure_ref(tenure);
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
	struct tenure **tenures = context;
	struct shard *shard = tenures[index]->shard;

	shard_load(shard, epoch_of(shard));
	tenure_unref(tenures[index]);
}

void
coordinator_start(struct coordinator *coordinator)
{
	struct tenure **tenures;
	int32_t count;

	pthread_mutex_lock(&coordinator->mutex);
	assert(!coordinator->started && !coordinator->stopped);
	coordinator->worker = worker_new(coordinator->kind->worker_name);
	coordinator->started = true;
	pthread_mutex_unlock(&coordinator->mutex);
	tenures = coordinator_tenures(coordinator, &count);
	parallel_run(machine_processors_usable(), (size_t)count, load_one,
	    (void *)tenures);
	free((void *)tenures);
}

/* --- Stopping ------------------------------------------------------------ */

static void topic_drop(struct coordinator *coordinator);

void
coordinator_stop(struct coordinator *coordinator)
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

/* --- Following the metadata ---------------------------------------------- */

static bool
is_ours(const struct coordinator *coordinator, int32_t node_id)
{
	const struct coordinator_services *services = &coordinator->services;

	for (int32_t i = 0; i < services->nodes_count; i++)
		if (services->nodes[i] == node_id)
			return true;
	return false;
}

/* Lead the partition in its epoch, or let go of it. */
static void
follow_partition(struct coordinator *coordinator, int32_t index,
    const struct partition_image *partition)
{
	struct tenure *tenure;

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
	    shard_elect(tenure->shard, partition->leader_epoch))
		load_queue(coordinator, tenure, partition->leader_epoch);
}

/* The topic has count partitions now; it never loses some. */
static void
tenures_grow(struct coordinator *coordinator, int32_t count)
{
	int32_t had = coordinator->tenures_count;

	pthread_mutex_lock(&coordinator->mutex);
	if (count > had) {
		coordinator->tenures = xrealloc((void *)coordinator->tenures,
		    (size_t)count * sizeof(struct tenure *));
		for (int32_t i = had; i < count; i++)
			coordinator->tenures[i] = NULL;
		coordinator->tenures_count = count;
	}
	/* Keys stay where they are when partitions are added later. */
	if (had == 0)
		coordinator->hash_count = count;
	pthread_mutex_unlock(&coordinator->mutex);
}

static void
topic_follow(struct coordinator *coordinator, const struct topic_image *topic)
{
	tenures_grow(coordinator, topic->partitions_count);
	for (int32_t i = 0; i < topic->partitions_count; i++)
		follow_partition(coordinator, i, topic->partitions[i]);
}

/* What the shards hold goes with the topic. */
static void
topic_drop(struct coordinator *coordinator)
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

static void
topic_apply(struct coordinator *coordinator, const struct delta_topic *change)
{
	const struct topic_image *topic =
	    change->new != NULL ? change->new : change->old;

	if (topic == NULL ||
	    !slice_equal_str(topic->name, coordinator->topic.name))
		return;
	if (change->new != NULL)
		topic_follow(coordinator, topic);
	else
		topic_drop(coordinator);
}

void
coordinator_apply(struct coordinator *coordinator, const struct delta *delta)
{
	pthread_mutex_lock(&coordinator->following);
	for (size_t i = 0; i < delta->topics_count && !coordinator->stopped;
	    i++)
		topic_apply(coordinator, delta->topics[i]);
	pthread_mutex_unlock(&coordinator->following);
}

/* --- The worker ---------------------------------------------------------- */

bool
coordinator_post(struct coordinator *coordinator, struct task *task)
{
	bool posted;

	pthread_mutex_lock(&coordinator->mutex);
	posted = coordinator->worker != NULL;
	if (posted)
		worker_post(coordinator->worker, task);
	pthread_mutex_unlock(&coordinator->mutex);
	return posted;
}
