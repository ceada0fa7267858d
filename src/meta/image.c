#include "meta/image.h"

#include <pthread.h>

#include "base/map.h"
#include "meta/delta.h"
#include "meta/image_key.h"

/* A topic by its name with '.' read as '_'; only where that matters. */
struct colliding {
	struct slice name;		/* owned */
	const struct topic_image *topic; /* borrowed from topics_by_id */
};

/* What the maps below hold; each owns the key that it is found by. */
struct configs_entry {
	struct image_configs configs;
	struct slice key;
};

struct kept_entry {
	struct image_kept kept;
	struct slice key;
};

struct image {
	pthread_rwlock_t lock;

	/* Changed under the lock, by the controller's thread. */
	struct map topics_by_id;	/* holds the references */
	struct map topics_by_name;
	struct map topics_colliding;
	struct map brokers;
	struct map configs;
	struct map kept;
	struct image_feature *features;	/* sorted; names owned */
	size_t features_count;
	size_t partitions_count;
	int64_t producer_id_next;
	int64_t offset;
	int32_t epoch;
	int64_t timestamp_ms;
	struct slice cluster_id;	/* owned */
};

/*
 * A writer that waits goes first: there is always a reader somewhere, and
 * they would keep the controller waiting for ever.
 */
static void
init_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attributes;
	int error;

	pthread_rwlockattr_init(&attributes);
	error = pthread_rwlockattr_setkind_np(&attributes,
	    PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	assert(error == 0);
	error = pthread_rwlock_init(lock, &attributes);
	assert(error == 0);
	pthread_rwlockattr_destroy(&attributes);
}

struct image *
image_new(void)
{
	struct image *image = xcalloc(1, sizeof(*image));

	init_lock(&image->lock);
	map_init(&image->topics_by_id);
	map_init(&image->topics_by_name);
	map_init(&image->topics_colliding);
	map_init(&image->brokers);
	map_init(&image->configs);
	map_init(&image->kept);
	image->offset = -1;
	image->epoch = -1;
	image->timestamp_ms = -1;
	return image;
}

static void
configs_entry_free(struct configs_entry *entry)
{
	config_set_unref(entry->configs.set);
	slice_release(&entry->configs.name);
	slice_release(&entry->key);
	free(entry);
}

static void
kept_entry_free(struct kept_entry *entry)
{
	slice_release(&entry->kept.identity);
	slice_release(&entry->kept.value);
	slice_release(&entry->key);
	free(entry);
}

static void
colliding_free(struct colliding *colliding)
{
	slice_release(&colliding->name);
	free(colliding);
}

static void
free_topics(struct image *image)
{
	const struct topic_image *topic;
	struct colliding *colliding;

	for (size_t at = 0; (topic = map_next(&image->topics_by_id, &at)) !=
	     NULL;)
		topic_image_unref(topic);
	for (size_t at = 0; (colliding = map_next(&image->topics_colliding,
				 &at)) != NULL;)
		colliding_free(colliding);
	map_fini(&image->topics_by_id);
	map_fini(&image->topics_by_name);
	map_fini(&image->topics_colliding);
}

void
image_free(struct image *image)
{
	const struct broker_image *broker;
	struct configs_entry *configs;
	struct kept_entry *kept;

	if (image == NULL)
		return;
	free_topics(image);
	for (size_t at = 0; (broker = map_next(&image->brokers, &at)) != NULL;)
		broker_image_unref(broker);
	for (size_t at = 0; (configs = map_next(&image->configs, &at)) !=
	     NULL;)
		configs_entry_free(configs);
	for (size_t at = 0; (kept = map_next(&image->kept, &at)) != NULL;)
		kept_entry_free(kept);
	map_fini(&image->brokers);
	map_fini(&image->configs);
	map_fini(&image->kept);
	for (size_t i = 0; i < image->features_count; i++)
		slice_release(&image->features[i].name);
	free(image->features);
	slice_release(&image->cluster_id);
	pthread_rwlock_destroy(&image->lock);
	free(image);
}

/* A lock that fails to be taken was taken twice, or never made. */
void
image_read_lock(struct image *image)
{
	int error = pthread_rwlock_rdlock(&image->lock);

	assert(error == 0);
}

void
image_read_unlock(struct image *image)
{
	int error = pthread_rwlock_unlock(&image->lock);

	assert(error == 0);
}

/* --- Reading ------------------------------------------------------------- */

const struct topic_image *
image_topic(const struct image *image, struct slice name)
{
	return map_get(&image->topics_by_name, name);
}

const struct topic_image *
image_topic_by_id(const struct image *image, struct uuid id)
{
	return map_get(&image->topics_by_id, MAP_KEY(id));
}

const struct topic_image *
image_topic_colliding(const struct image *image, struct slice name)
{
	char text[TOPIC_IMAGE_NAME_LEN_MAX];
	const struct colliding *colliding;
	struct slice key;

	if (!image_key_colliding(name, text, &key))
		return image_topic(image, name);
	colliding = map_get(&image->topics_colliding, key);
	return colliding == NULL ? NULL : colliding->topic;
}

size_t
image_topics_count(const struct image *image)
{
	return image->topics_by_id.count;
}

size_t
image_partitions_count(const struct image *image)
{
	return image->partitions_count;
}

const struct topic_image *
image_topic_next(const struct image *image, size_t *position)
{
	return map_next(&image->topics_by_id, position);
}

const struct broker_image *
image_broker_next(const struct image *image, size_t *position)
{
	return map_next(&image->brokers, position);
}

const struct image_configs *
image_configs_next(const struct image *image, size_t *position)
{
	const struct configs_entry *entry =
	    map_next(&image->configs, position);

	return entry == NULL ? NULL : &entry->configs;
}

const struct image_kept *
image_kept_next(const struct image *image, size_t *position)
{
	const struct kept_entry *entry = map_next(&image->kept, position);

	return entry == NULL ? NULL : &entry->kept;
}

const struct image_kept *
image_kept(const struct image *image, int16_t api_key, struct slice identity)
{
	const struct kept_entry *entry;
	struct image_key key;

	image_key_init(&key, api_key, identity);
	entry = map_get(&image->kept, image_key_slice(&key));
	image_key_fini(&key);
	return entry == NULL ? NULL : &entry->kept;
}

const struct broker_image *
image_broker(const struct image *image, int32_t id)
{
	return map_get(&image->brokers, MAP_KEY(id));
}

size_t
image_brokers_count(const struct image *image)
{
	return image->brokers.count;
}

const struct config_set *
image_configs(const struct image *image, enum image_config_type type,
    struct slice name)
{
	struct image_key key;
	const struct configs_entry *entry;

	image_key_init(&key, (int16_t)type, name);
	entry = map_get(&image->configs, image_key_slice(&key));
	image_key_fini(&key);
	return entry == NULL ? NULL : entry->configs.set;
}

int16_t
image_feature(const struct image *image, const char *name)
{
	for (size_t i = 0; i < image->features_count; i++)
		if (slice_equal_str(image->features[i].name, name))
			return image->features[i].level;
	return 0;
}

const struct image_feature *
image_features(const struct image *image, size_t *count)
{
	*count = image->features_count;
	return image->features;
}

int64_t
image_producer_id_next(const struct image *image)
{
	return image->producer_id_next;
}

struct slice
image_cluster_id(const struct image *image)
{
	return image->cluster_id;
}

void
image_set_cluster_id(struct image *image, struct slice cluster_id)
{
	slice_release(&image->cluster_id);
	image->cluster_id = slice_of(slice_dup(cluster_id), cluster_id.len);
}

int64_t
image_offset(const struct image *image)
{
	return image->offset;
}

int32_t
image_epoch(const struct image *image)
{
	return image->epoch;
}

int64_t
image_timestamp_ms(const struct image *image)
{
	return image->timestamp_ms;
}

/* --- Applying a delta ---------------------------------------------------- */

static void
add_colliding(struct image *image, const struct topic_image *topic)
{
	char text[TOPIC_IMAGE_NAME_LEN_MAX];
	struct colliding *colliding;
	struct slice key;

	if (!image_key_colliding(topic->name, text, &key))
		return;
	colliding = map_get(&image->topics_colliding, key);
	if (colliding == NULL) {
		colliding = xcalloc(1, sizeof(*colliding));
		colliding->name = slice_own(key);
		map_set(&image->topics_colliding, colliding->name, colliding);
	}
	colliding->topic = topic;
}

static void
remove_colliding(struct image *image, const struct topic_image *topic)
{
	char text[TOPIC_IMAGE_NAME_LEN_MAX];
	struct colliding *colliding;
	struct slice key;

	if (!image_key_colliding(topic->name, text, &key))
		return;
	colliding = map_get(&image->topics_colliding, key);
	if (colliding == NULL || colliding->topic != topic)
		return;
	map_remove(&image->topics_colliding, key);
	colliding_free(colliding);
}

static void
remove_topic(struct image *image, struct uuid id)
{
	const struct topic_image *topic =
	    map_remove(&image->topics_by_id, MAP_KEY(id));

	if (topic == NULL)
		return;
	if (image_topic(image, topic->name) == topic)
		map_remove(&image->topics_by_name, topic->name);
	remove_colliding(image, topic);
	image->partitions_count -= (size_t)topic->partitions_count;
	topic_image_unref(topic);
}

static void
apply_topic(struct image *image, const struct delta_topic *change)
{
	const struct topic_image *topic = change->new;

	remove_topic(image, change->id);
	if (topic == NULL)
		return;
	topic_image_ref(topic);
	map_set(&image->topics_by_id, MAP_KEY(topic->id),
	    (void *)(uintptr_t)topic);
	map_set(&image->topics_by_name, topic->name,
	    (void *)(uintptr_t)topic);
	add_colliding(image, topic);
	image->partitions_count += (size_t)topic->partitions_count;
}

static void
apply_broker(struct image *image, const struct delta_broker *change)
{
	const struct broker_image *old =
	    map_remove(&image->brokers, MAP_KEY(change->id));

	broker_image_unref(old);
	if (change->new == NULL)
		return;
	broker_image_ref(change->new);
	map_set(&image->brokers, MAP_KEY(change->new->id),
	    (void *)(uintptr_t)change->new);
}

static void
apply_configs(struct image *image, const struct delta_configs *change)
{
	struct configs_entry *entry = map_remove(&image->configs, change->key);

	if (entry != NULL)
		configs_entry_free(entry);
	if (change->new == NULL || change->new->count == 0)
		return;
	entry = xcalloc(1, sizeof(*entry));
	entry->configs.type = change->type;
	entry->configs.name = slice_own(change->name);
	entry->configs.set = config_set_ref(change->new);
	entry->key = slice_own(change->key);
	map_set(&image->configs, entry->key, entry);
}

static void
apply_kept(struct image *image, const struct delta_kept *change)
{
	struct kept_entry *entry = map_remove(&image->kept, change->key);

	if (entry != NULL)
		kept_entry_free(entry);
	if (slice_is_null(change->value))
		return;
	entry = xcalloc(1, sizeof(*entry));
	entry->kept.api_key = change->api_key;
	entry->kept.identity = slice_own(change->identity);
	entry->kept.value = slice_own(change->value);
	entry->key = slice_own(change->key);
	map_set(&image->kept, entry->key, entry);
}

/* Where name stands, or would stand, among the sorted features. */
static size_t
feature_place(const struct image *image, struct slice name)
{
	size_t at = 0;

	while (at < image->features_count &&
	    slice_compare(image->features[at].name, name) < 0)
		at++;
	return at;
}

static void
apply_feature(struct image *image, const struct delta_feature *change)
{
	size_t at = feature_place(image, change->name);
	struct image_feature *features = image->features;
	size_t behind = image->features_count - at;
	bool found = behind > 0 &&
	    slice_equal(features[at].name, change->name);

	if (found && change->level == 0) {
		slice_release(&features[at].name);
		memmove(&features[at], &features[at + 1],
		    (behind - 1) * sizeof(*features));
		image->features_count--;
	} else if (found) {
		features[at].level = change->level;
	} else if (change->level != 0) {
		features = xrealloc(features,
		    (image->features_count + 1) * sizeof(*features));
		memmove(&features[at + 1], &features[at],
		    behind * sizeof(*features));
		features[at].name = slice_own(change->name);
		features[at].level = change->level;
		image->features = features;
		image->features_count++;
	}
}

static void
apply_all(struct image *image, const struct delta *delta)
{
	for (size_t i = 0; i < delta->topics_count; i++)
		apply_topic(image, delta->topics[i]);
	for (size_t i = 0; i < delta->brokers_count; i++)
		apply_broker(image, delta->brokers[i]);
	for (size_t i = 0; i < delta->configs_count; i++)
		apply_configs(image, delta->configs[i]);
	for (size_t i = 0; i < delta->kept_count; i++)
		apply_kept(image, delta->kept[i]);
	for (size_t i = 0; i < delta->features_count; i++)
		apply_feature(image, &delta->features[i]);
	if (delta->producer_id_next >= 0)
		image->producer_id_next = delta->producer_id_next;
	if (delta->offset >= 0) {
		image->offset = delta->offset;
		image->epoch = delta->epoch;
		image->timestamp_ms = delta->timestamp_ms;
	}
}

void
image_apply(struct image *image, const struct delta *delta)
{
	int error = pthread_rwlock_wrlock(&image->lock);

	assert(error == 0);
	apply_all(image, delta);
	image_read_unlock(image);
}
