#include "broker/partition_manager.h"

#include "base/log.h"
#include "base/map.h"
#include "broker/partition.h"
#include "meta/configs.h"
#include "meta/delta.h"
#include "meta/image.h"
#include "store/flusher.h"
#include "store/log_manager.h"

#include <pthread.h>

#define LOGGER "kafka.server.ReplicaManager"

/* A topic of which some partitions are here. */
struct entry {
	struct partition_topic *topic;
	struct partition **partitions; /* NULL: hosted elsewhere, or missing */
	int32_t count;
	int32_t first_new; /* those below were there at the start */
};

struct partition_manager {
	/* immutable */
	struct image *image;
	const struct configs *configs;
	const struct partition_context *context;
	int32_t *nodes;
	int32_t nodes_count;

	/* defaults_lock, a leaf: threads that load ask for them, too */
	pthread_mutex_t defaults_lock;
	struct topic_settings defaults; /* of topics without own configs */
	bool defaults_valid;

	/* the applying thread's */
	bool loaded; /* what was there at the start was shown */

	/* written by the applying thread under lock, which reads without */
	pthread_rwlock_t lock;
	struct map by_name; /* struct entry */
	struct map by_id;
	size_t count; /* of partitions */
};

/* --- Life -------------------------------------------------------------- */

struct partition_manager *
partition_manager_new(const struct partition_manager_settings *settings)
{
	struct partition_manager *manager = xcalloc(1, sizeof(*manager));
	size_t size = (size_t)settings->nodes_count * sizeof(int32_t);

	manager->image = settings->image;
	manager->configs = settings->configs;
	manager->context = settings->context;
	manager->nodes = xmalloc(size);
	memcpy(manager->nodes, settings->nodes, size);
	manager->nodes_count = settings->nodes_count;
	if (pthread_rwlock_init(&manager->lock, NULL) != 0 ||
	    pthread_mutex_init(&manager->defaults_lock, NULL) != 0)
		abort();
	map_init(&manager->by_name);
	map_init(&manager->by_id);
	return manager;
}

static void
entry_free(struct entry *entry)
{
	for (int32_t i = 0; i < entry->count; i++)
		partition_unref(entry->partitions[i]);
	free(entry->partitions);
	partition_topic_unref(entry->topic);
	free(entry);
}

void
partition_manager_free(struct partition_manager *manager)
{
	struct entry *entry;

	if (manager == NULL)
		return;
	for (size_t at = 0; (entry = map_next(&manager->by_name, &at)) != NULL;)
		entry_free(entry);
	map_fini(&manager->by_name);
	map_fini(&manager->by_id);
	pthread_rwlock_destroy(&manager->lock);
	pthread_mutex_destroy(&manager->defaults_lock);
	free(manager->nodes);
	free(manager);
}

/* --- Lookups ----------------------------------------------------------- */

static struct partition *
entry_partition(const struct entry *entry, int32_t index)
{
	if (entry == NULL || index < 0 || index >= entry->count)
		return NULL;
	return entry->partitions[index];
}

static struct partition *
find_referenced(struct partition_manager *manager, const struct map *map,
    struct slice key, int32_t index)
{
	struct partition *partition;

	pthread_rwlock_rdlock(&manager->lock);
	partition = entry_partition(map_get(map, key), index);
	if (partition != NULL)
		partition_ref(partition);
	pthread_rwlock_unlock(&manager->lock);
	return partition;
}

struct partition *
partition_manager_find(
    struct partition_manager *manager, struct slice topic, int32_t index)
{
	return find_referenced(manager, &manager->by_name, topic, index);
}

struct partition *
partition_manager_find_by_id(
    struct partition_manager *manager, struct uuid topic, int32_t index)
{
	return find_referenced(manager, &manager->by_id, MAP_KEY(topic), index);
}

size_t
partition_manager_count(struct partition_manager *manager)
{
	size_t count;

	pthread_rwlock_rdlock(&manager->lock);
	count = manager->count;
	pthread_rwlock_unlock(&manager->lock);
	return count;
}

/* --- Settings ---------------------------------------------------------- */

/* Resolve the settings of topic; most have the defaults, which are kept. */
static void
settings_resolve(struct partition_manager *manager, struct slice topic,
    struct topic_settings *settings)
{
	/* An internal topic's name counts, too. */
	if (image_configs(manager->image, IMAGE_CONFIG_TOPIC, topic) != NULL ||
	    topic_image_name_internal(topic)) {
		topic_settings_resolve(settings, manager->configs, topic);
		return;
	}
	pthread_mutex_lock(&manager->defaults_lock);
	if (!manager->defaults_valid)
		topic_settings_resolve(
		    &manager->defaults, manager->configs, topic);
	manager->defaults_valid = true;
	*settings = manager->defaults;
	pthread_mutex_unlock(&manager->defaults_lock);
}

static void
defaults_forget(struct partition_manager *manager)
{
	pthread_mutex_lock(&manager->defaults_lock);
	manager->defaults_valid = false;
	pthread_mutex_unlock(&manager->defaults_lock);
}

static void
entry_configure(struct partition_manager *manager, const struct entry *entry)
{
	struct topic_settings settings;

	settings_resolve(manager,
	    slice_of(entry->topic->name, entry->topic->name_len), &settings);
	for (int32_t i = 0; i < entry->count; i++)
		if (entry->partitions[i] != NULL)
			partition_configure(entry->partitions[i], &settings);
}

static void
configs_apply(
    struct partition_manager *manager, const struct delta_configs *configs)
{
	struct entry *entry;

	if (configs->type == IMAGE_CONFIG_TOPIC) {
		entry = map_get(&manager->by_name, configs->name);
		if (entry != NULL)
			entry_configure(manager, entry);
		return;
	}
	if (configs->type != IMAGE_CONFIG_BROKER)
		return;
	defaults_forget(manager);
	for (size_t at = 0; (entry = map_next(&manager->by_name, &at)) != NULL;)
		entry_configure(manager, entry);
}

/* --- Topics ------------------------------------------------------------ */

/* The first of our nodes that has a replica; -1 where none has. */
static int32_t
node_with_replica(const struct partition_manager *manager,
    const struct partition_image *image)
{
	for (int32_t i = 0; i < manager->nodes_count; i++)
		if (partition_image_ids_contain(
			image->replicas, manager->nodes[i]))
			return manager->nodes[i];
	return -1;
}

static struct partition_state
state_of(const struct partition_image *image)
{
	return (struct partition_state){
		.leader = image->leader,
		.leader_epoch = image->leader_epoch,
		.partition_epoch = image->partition_epoch,
		.replicas = image->replicas.ids,
		.replicas_count = image->replicas.count,
		.isr_count = image->isr.count,
	};
}

static struct log_manager_place
place_of(const struct partition_manager *manager,
    const struct partition_image *image)
{
	struct log_manager_place place = { .directory = UUID_ZERO };

	if (!partition_image_directory(image,
		node_with_replica(manager, image), &place.directory) ||
	    uuid_equal(place.directory,
		partition_image_directory_unassigned()))
		place.directory = UUID_ZERO;
	return place;
}

/* Open or create the log of a partition; NULL where that failed (logged). */
static struct partition *
partition_make(struct partition_manager *manager, struct entry *entry,
    int32_t index, const struct partition_image *image,
    const struct topic_settings *settings)
{
	struct partition_topic *topic = entry->topic;
	struct partition_state state = state_of(image);
	struct log_manager_place place = place_of(manager, image);
	struct partition *partition;
	struct log *log;

	place.is_new = index >= entry->first_new;
	place.again = index < entry->count;
	if (log_manager_create(manager->context->logs,
		slice_of(topic->name, topic->name_len), index, topic->id,
		&place, &settings->log, &log) != KP_NONE)
		return NULL;
	partition =
	    partition_new(manager->context, topic, index, log, settings);
	partition_apply(partition, &state);
	return partition;
}

static void
partition_drop(struct partition_manager *manager, struct partition *partition)
{
	if (partition == NULL)
		return;
	partition_delete(partition);
	if (log_manager_delete(manager->context->logs, partition->log) !=
	    KP_NONE)
		log_warn(LOGGER, "the directory of %s-%d stays behind",
		    partition->topic->name, partition->index);
	partition_unref(partition);
}

/* Put partitions, which are complete, in the entry's place of them. */
static void
entry_publish(struct partition_manager *manager, struct entry *entry,
    struct partition **partitions, int32_t count)
{
	struct partition **old = entry->partitions;

	pthread_rwlock_wrlock(&manager->lock);
	manager->count += (size_t)(count - entry->count);
	entry->partitions = partitions;
	entry->count = count;
	map_set(&manager->by_name,
	    slice_of(entry->topic->name, entry->topic->name_len), entry);
	map_set(&manager->by_id, MAP_KEY(entry->topic->id), entry);
	pthread_rwlock_unlock(&manager->lock);
	free(old);
}

/*
 * Where many logs are new, have them synced together now: one by one, with
 * the first records of each, their directories would take four syncs a log.
 */
static void
new_logs_sync(struct partition_manager *manager,
    struct partition *const *partitions, int32_t from, int32_t count)
{
	if (!manager->context->flush_acked ||
	    count - from <= FLUSHER_SYNCFS_ABOVE)
		return;
	for (int32_t i = from; i < count; i++)
		if (partitions[i] != NULL)
			flusher_submit(
			    manager->context->flusher, partitions[i]->log);
}

/* Make, of what the image has and the entry lacks, what belongs here. */
static void
entry_extend(struct partition_manager *manager, struct entry *entry,
    const struct topic_image *image)
{
	int32_t count = image->partitions_count, before = entry->count;
	struct partition **partitions =
	    xcalloc((size_t)count, sizeof(struct partition *));
	struct topic_settings settings;

	settings_resolve(manager, image->name, &settings);
	for (int32_t i = 0; i < count; i++) {
		partitions[i] = entry_partition(entry, i);
		if (partitions[i] == NULL &&
		    node_with_replica(manager, image->partitions[i]) >= 0)
			partitions[i] =
			    partition_make(manager, entry, i,
				image->partitions[i], &settings);
	}
	entry_publish(manager, entry, partitions, count);
	new_logs_sync(manager, partitions, before, count);
}

static void
topic_create(struct partition_manager *manager, const struct topic_image *image)
{
	struct entry *entry = map_get(&manager->by_id, MAP_KEY(image->id));

	if (entry == NULL) {
		entry = xcalloc(1, sizeof(*entry));
		entry->topic = partition_topic_new(
		    image->name, image->id, image->internal);
		entry->first_new =
		    manager->loaded ? 0 : image->partitions_count;
	}
	entry_extend(manager, entry, image);
}

static void
topic_delete(struct partition_manager *manager, const struct topic_image *image)
{
	struct entry *entry = map_get(&manager->by_id, MAP_KEY(image->id));

	if (entry == NULL)
		return;
	pthread_rwlock_wrlock(&manager->lock);
	map_remove(&manager->by_id, MAP_KEY(image->id));
	map_remove(&manager->by_name, image->name);
	manager->count -= (size_t)entry->count;
	pthread_rwlock_unlock(&manager->lock);
	for (int32_t i = 0; i < entry->count; i++) {
		partition_drop(manager, entry->partitions[i]);
		entry->partitions[i] = NULL;
	}
	entry_free(entry);
}

/* Where the images are the same pointers nothing has changed. */
static void
topic_change(struct partition_manager *manager, const struct topic_image *old,
    const struct topic_image *new)
{
	struct entry *entry = map_get(&manager->by_id, MAP_KEY(new->id));

	assert(entry != NULL);
	for (int32_t i = 0; i < old->partitions_count; i++) {
		struct partition *partition = entry_partition(entry, i);
		struct partition_state state = state_of(new->partitions[i]);

		if (partition != NULL &&
		    old->partitions[i] != new->partitions[i])
			partition_apply(partition, &state);
	}
	if (new->partitions_count > old->partitions_count)
		entry_extend(manager, entry, new);
}

static void
topic_apply(struct partition_manager *manager, const struct delta_topic *topic)
{
	if (topic->old != NULL && topic->new != NULL)
		topic_change(manager, topic->old, topic->new);
	else if (topic->new != NULL)
		topic_create(manager, topic->new);
	else if (topic->old != NULL)
		topic_delete(manager, topic->old);
}

void
partition_manager_apply(void *context, const struct delta *delta)
{
	struct partition_manager *manager = context;

	for (size_t i = 0; i < delta->topics_count; i++)
		topic_apply(manager, delta->topics[i]);
	for (size_t i = 0; i < delta->configs_count; i++)
		configs_apply(manager, delta->configs[i]);
	manager->loaded = true;
}

/* --- What is missing --------------------------------------------------- */

static bool
entry_lacks(const struct partition_manager *manager, const struct entry *entry)
{
	const struct topic_image *image =
	    image_topic_by_id(manager->image, entry->topic->id);

	for (int32_t i = 0; i < entry->count; i++)
		if (entry->partitions[i] == NULL &&
		    node_with_replica(manager, image->partitions[i]) >= 0)
			return true;
	return false;
}

struct uuid *
partition_manager_lacking(struct partition_manager *manager, size_t *count)
{
	struct uuid *topics = NULL;
	const struct entry *entry;

	*count = 0;
	for (size_t at = 0;
	     (entry = map_next(&manager->by_id, &at)) != NULL;) {
		if (!entry_lacks(manager, entry))
			continue;
		topics = xrealloc(topics, (*count + 1) * sizeof(*topics));
		topics[(*count)++] = entry->topic->id;
	}
	return topics;
}

/* --- The log manager's hooks ------------------------------------------- */

static bool
image_wants(const struct partition_manager *manager, struct slice topic,
    int32_t partition, struct uuid *topic_id)
{
	const struct topic_image *image = image_topic(manager->image, topic);
	const struct partition_image *found;

	if (image == NULL)
		return false;
	if (uuid_is_zero(*topic_id))
		*topic_id = image->id;
	if (!uuid_equal(image->id, *topic_id))
		return false;
	found = topic_image_partition(image, partition);
	return found != NULL && node_with_replica(manager, found) >= 0;
}

bool
partition_manager_wants(void *context, struct slice topic, int32_t partition,
    struct uuid *topic_id, struct log_settings *settings)
{
	struct partition_manager *manager = context;
	struct topic_settings resolved;
	bool wanted;

	image_read_lock(manager->image);
	wanted = image_wants(manager, topic, partition, topic_id);
	if (wanted) {
		settings_resolve(manager, topic, &resolved);
		*settings = resolved.log;
	}
	image_read_unlock(manager->image);
	return wanted;
}

struct uuid
partition_manager_assigned(
    void *context, struct slice topic, int32_t partition)
{
	const struct partition_manager *manager = context;
	const struct partition_image *found = NULL;
	struct uuid directory = UUID_ZERO;
	const struct topic_image *image;

	image_read_lock(manager->image);
	image = image_topic(manager->image, topic);
	if (image != NULL)
		found = topic_image_partition(image, partition);
	if (found != NULL)
		directory = place_of(manager, found).directory;
	image_read_unlock(manager->image);
	return directory;
}
