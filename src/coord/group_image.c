#include "coord/group_image.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "meta/config_keys.h"
#include "meta/delta.h"

struct group_image {
	/* immutable */
	const struct group_settings *settings;
	pthread_mutex_t mutex;

	/* guarded by mutex */
	struct map topics; /* struct topic_image, by name */
	struct map topics_by_id;
	struct map brokers; /* struct broker_image, by id: for their racks */
	struct map overrides; /* struct overrides, by group */

	/* atomic */
	_Atomic uint64_t topics_version;
	_Atomic uint64_t timing_version;
	_Atomic int16_t group_version; /* the feature's level */
	_Atomic int16_t streams_version;
	_Atomic int16_t share_version;
};

/* One group's own settings. */
struct overrides {
	struct slice group_id;        /* owned */
	const struct config_set *set; /* referenced */
};

struct group_image *
group_image_new(const struct group_settings *settings)
{
	struct group_image *image = xcalloc(1, sizeof(*image));

	image->settings = settings;
	pthread_mutex_init(&image->mutex, NULL);
	map_init(&image->topics);
	map_init(&image->topics_by_id);
	map_init(&image->brokers);
	map_init(&image->overrides);
	atomic_init(&image->topics_version, 1);
	atomic_init(&image->timing_version, 1);
	return image;
}

static void
overrides_free(struct overrides *overrides)
{
	if (overrides == NULL)
		return;
	free((void *)(uintptr_t)overrides->group_id.data);
	config_set_unref(overrides->set);
	free(overrides);
}

void
group_image_free(struct group_image *image)
{
	struct overrides *overrides;
	struct broker_image *broker;
	struct topic_image *topic;

	for (size_t at = 0; (topic = map_next(&image->topics, &at)) != NULL;)
		topic_image_unref(topic);
	for (size_t at = 0; (broker = map_next(&image->brokers, &at)) != NULL;)
		broker_image_unref(broker);
	for (size_t at = 0;
	    (overrides = map_next(&image->overrides, &at)) != NULL;)
		overrides_free(overrides);
	map_fini(&image->topics);
	map_fini(&image->topics_by_id);
	map_fini(&image->brokers);
	map_fini(&image->overrides);
	pthread_mutex_destroy(&image->mutex);
	free(image);
}

/* --- Following the metadata ---------------------------------------------- */

/* A map holds values that may be changed; a topic's image is not. */
static void *
value_of(const struct topic_image *topic)
{
	return (void *)(uintptr_t)topic;
}

static void
topic_remove(struct group_image *image, const struct topic_image *topic)
{
	if (map_get(&image->topics, topic->name) == topic)
		map_remove(&image->topics, topic->name);
	map_remove(&image->topics_by_id, MAP_KEY(topic->id));
	topic_image_unref(topic);
}

/* A name can have been taken by another topic meanwhile. */
static void
topic_change(struct group_image *image, const struct delta_topic *change)
{
	const struct topic_image *had, *topic = change->new;

	had = map_get(&image->topics_by_id, MAP_KEY(change->id));
	if (topic != NULL) {
		topic_image_ref(topic);
		map_set(&image->topics, topic->name, value_of(topic));
		map_set(
		    &image->topics_by_id, MAP_KEY(topic->id), value_of(topic));
	}
	if (had == NULL && topic != NULL)
		atomic_fetch_add(&image->topics_version, 1);
	else if (had != NULL && topic != NULL)
		topic_image_unref(had);
	else if (had != NULL)
		topic_remove(image, had);
}

/* The image's key is its own id, which lives as long as it does. */
static void
broker_change(struct group_image *image, const struct delta_broker *change)
{
	const struct broker_image *new = change->new;

	broker_image_unref(map_remove(&image->brokers, MAP_KEY(change->id)));
	if (new != NULL)
		map_set(&image->brokers, MAP_KEY(new->id),
		    (void *)(uintptr_t)broker_image_ref(new));
}

static void
configs_change(struct group_image *image, const struct delta_configs *change)
{
	struct overrides *overrides;

	overrides_free(map_remove(&image->overrides, change->name));
	if (change->new == NULL)
		return;
	overrides = xcalloc(1, sizeof(*overrides));
	overrides->group_id =
	    slice_of(slice_dup(change->name), change->name.len);
	overrides->set = config_set_ref(change->new);
	map_set(&image->overrides, overrides->group_id, overrides);
}

static void
feature_change(struct group_image *image, const struct delta_feature *feature)
{
	if (slice_equal_str(feature->name, "group.version"))
		atomic_store(&image->group_version, feature->level);
	else if (slice_equal_str(feature->name, "streams.version"))
		atomic_store(&image->streams_version, feature->level);
	else if (slice_equal_str(feature->name, "share.version"))
		atomic_store(&image->share_version, feature->level);
}

void
group_image_apply(struct group_image *image, const struct delta *delta)
{
	bool timing = false;

	for (size_t i = 0; i < delta->features_count; i++)
		feature_change(image, &delta->features[i]);
	pthread_mutex_lock(&image->mutex);
	for (size_t i = 0; i < delta->topics_count; i++)
		topic_change(image, delta->topics[i]);
	for (size_t i = 0; i < delta->brokers_count; i++)
		broker_change(image, delta->brokers[i]);
	for (size_t i = 0; i < delta->configs_count; i++)
		if (delta->configs[i]->type == IMAGE_CONFIG_GROUP) {
			configs_change(image, delta->configs[i]);
			timing = true;
		}
	pthread_mutex_unlock(&image->mutex);
	if (timing)
		group_image_timing_changed(image);
}

int16_t
group_image_version(const struct group_image *image)
{
	return atomic_load(&image->group_version);
}

int16_t
group_image_streams_version(const struct group_image *image)
{
	return atomic_load(&image->streams_version);
}

int16_t
group_image_share_version(const struct group_image *image)
{
	return atomic_load(&image->share_version);
}

/* --- Topics -------------------------------------------------------------- */

static const struct topic_image *
topic_ref(struct group_image *image, const struct map *map, struct slice key)
{
	const struct topic_image *topic;

	pthread_mutex_lock(&image->mutex);
	topic = map_get(map, key);
	if (topic != NULL)
		topic_image_ref(topic);
	pthread_mutex_unlock(&image->mutex);
	return topic;
}

const struct topic_image *
group_image_topic(struct group_image *image, struct slice name)
{
	return topic_ref(image, &image->topics, name);
}

const struct topic_image *
group_image_topic_by_id(struct group_image *image, struct uuid id)
{
	return topic_ref(image, &image->topics_by_id, MAP_KEY(id));
}

const struct topic_image **
group_image_topics(struct group_image *image, size_t *count)
{
	const struct topic_image **topics, *topic;
	size_t at = 0;

	pthread_mutex_lock(&image->mutex);
	topics = xcalloc(image->topics.count + 1, sizeof(*topics));
	for (*count = 0; (topic = map_next(&image->topics, &at)) != NULL;)
		topics[(*count)++] = topic_image_ref(topic);
	pthread_mutex_unlock(&image->mutex);
	return topics;
}

uint64_t
group_image_topics_version(const struct group_image *image)
{
	return atomic_load(&image->topics_version);
}

/* --- Hashes -------------------------------------------------------------- */

/* Under the mutex. */
static struct slice
rack_of(int32_t broker_id, void *context)
{
	const struct group_image *image = context;
	const struct broker_image *broker =
	    map_get(&image->brokers, MAP_KEY(broker_id));

	return broker == NULL ? SLICE_NULL : broker->record.rack;
}

void
group_image_hash_begin(struct group_image *image, struct topics_hash *hash)
{
	topics_hash_init(hash, rack_of, image);
}

void
group_image_hash_add(struct group_image *image, struct topics_hash *hash,
    const struct topic_image *topic)
{
	pthread_mutex_lock(&image->mutex);
	topics_hash_add(hash, topic);
	pthread_mutex_unlock(&image->mutex);
}

/* --- Timing -------------------------------------------------------------- */

/* The group's own value, or the broker's, between the bounds. */
static int32_t
bounded(const struct config_set *own, const char *name, int32_t value,
    int32_t min, int32_t max)
{
	struct slice text = config_set_get(own, slice_str(name));
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_GROUP, slice_str(name));
	int64_t number;

	assert(key != NULL);
	if (slice_is_null(text) || config_key_int64(text, &number) != 0)
		return value;
	return (int32_t)MAX(min, MIN(max, number));
}

struct group_timing
group_image_timing(struct group_image *image, struct slice group_id)
{
	const struct consumer_settings *settings = &image->settings->consumer;
	struct group_timing timing = {
		.session_timeout_ms = settings->session_timeout_ms,
		.heartbeat_interval_ms = settings->heartbeat_interval_ms,
		.assignment_interval_ms =
		    atomic_load(&settings->assignment_interval_ms),
	};
	const struct overrides *overrides;

	pthread_mutex_lock(&image->mutex);
	overrides = map_get(&image->overrides, group_id);
	if (overrides != NULL) {
		timing.session_timeout_ms = bounded(overrides->set,
		    "consumer.session.timeout.ms", timing.session_timeout_ms,
		    settings->session_timeout_min_ms,
		    settings->session_timeout_max_ms);
		timing.heartbeat_interval_ms =
		    bounded(overrides->set, "consumer.heartbeat.interval.ms",
			timing.heartbeat_interval_ms,
			settings->heartbeat_interval_min_ms,
			settings->heartbeat_interval_max_ms);
		timing.assignment_interval_ms =
		    bounded(overrides->set, "consumer.assignment.interval.ms",
			timing.assignment_interval_ms,
			settings->assignment_interval_min_ms,
			settings->assignment_interval_max_ms);
	}
	pthread_mutex_unlock(&image->mutex);
	return timing;
}

static void
override_share(const struct config_set *own,
    const struct share_group_settings *settings, struct group_timing *timing)
{
	timing->session_timeout_ms = bounded(own, "share.session.timeout.ms",
	    timing->session_timeout_ms, settings->session_timeout_min_ms,
	    settings->session_timeout_max_ms);
	timing->heartbeat_interval_ms =
	    bounded(own, "share.heartbeat.interval.ms",
		timing->heartbeat_interval_ms,
		settings->heartbeat_interval_min_ms,
		settings->heartbeat_interval_max_ms);
	timing->assignment_interval_ms =
	    bounded(own, "share.assignment.interval.ms",
		timing->assignment_interval_ms,
		settings->assignment_interval_min_ms,
		settings->assignment_interval_max_ms);
}

struct group_timing
group_image_share_timing(struct group_image *image, struct slice group_id)
{
	const struct share_group_settings *settings = &image->settings->share;
	struct group_timing timing = {
		.session_timeout_ms = settings->session_timeout_ms,
		.heartbeat_interval_ms = settings->heartbeat_interval_ms,
		.assignment_interval_ms =
		    atomic_load(&settings->assignment_interval_ms),
	};
	const struct overrides *overrides;

	pthread_mutex_lock(&image->mutex);
	overrides = map_get(&image->overrides, group_id);
	if (overrides != NULL)
		override_share(overrides->set, settings, &timing);
	pthread_mutex_unlock(&image->mutex);
	return timing;
}

static void
override_streams(const struct config_set *own,
    const struct streams_settings *settings, struct streams_timing *timing)
{
	timing->session_timeout_ms = bounded(own, "streams.session.timeout.ms",
	    timing->session_timeout_ms, settings->session_timeout_min_ms,
	    settings->session_timeout_max_ms);
	timing->heartbeat_interval_ms =
	    bounded(own, "streams.heartbeat.interval.ms",
		timing->heartbeat_interval_ms,
		settings->heartbeat_interval_min_ms,
		settings->heartbeat_interval_max_ms);
	timing->assignment_interval_ms =
	    bounded(own, "streams.assignment.interval.ms",
		timing->assignment_interval_ms,
		settings->assignment_interval_min_ms,
		settings->assignment_interval_max_ms);
	timing->rebalance_delay_ms =
	    bounded(own, "streams.initial.rebalance.delay.ms",
		timing->rebalance_delay_ms, 0, INT32_MAX);
	timing->standby_replicas = bounded(own, "streams.num.standby.replicas",
	    timing->standby_replicas, 0, settings->standby_replicas_max);
}

struct streams_timing
group_image_streams_timing(struct group_image *image, struct slice group_id)
{
	const struct streams_settings *settings = &image->settings->streams;
	struct streams_timing timing = {
		.session_timeout_ms = settings->session_timeout_ms,
		.heartbeat_interval_ms = settings->heartbeat_interval_ms,
		.assignment_interval_ms =
		    atomic_load(&settings->assignment_interval_ms),
		.rebalance_delay_ms = settings->rebalance_delay_ms,
		.standby_replicas = settings->standby_replicas,
	};
	const struct overrides *overrides;

	pthread_mutex_lock(&image->mutex);
	overrides = map_get(&image->overrides, group_id);
	if (overrides != NULL)
		override_streams(overrides->set, settings, &timing);
	pthread_mutex_unlock(&image->mutex);
	return timing;
}

uint64_t
group_image_timing_version(const struct group_image *image)
{
	return atomic_load(&image->timing_version);
}

void
group_image_timing_changed(struct group_image *image)
{
	atomic_fetch_add(&image->timing_version, 1);
}
