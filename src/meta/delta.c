#include "meta/delta.h"

#include "meta/delta_inner.h"
#include "meta/image_key.h"

struct delta *
delta_new(const struct image *image)
{
	struct delta *delta = xcalloc(1, sizeof(*delta));

	delta->image = image;
	delta->producer_id_next = -1;
	delta->offset = -1;
	delta->epoch = -1;
	delta->timestamp_ms = -1;
	map_init(&delta->topics_by_id);
	map_init(&delta->topics_by_name);
	map_init(&delta->topics_colliding);
	map_init(&delta->configs_by_key);
	map_init(&delta->kept_by_key);
	return delta;
}

/* --- All of an image ----------------------------------------------------- */

static struct slice
own(struct slice slice)
{
	return slice_of(slice_dup(slice), slice.len);
}

static void
take_topic(struct delta *delta, const struct topic_image *topic)
{
	struct delta_topic *change = xcalloc(1, sizeof(*change));

	change->id = topic->id;
	change->new = topic_image_ref(topic);
	delta->topics[delta->topics_count++] = change;
}

static void
take_topics(struct delta *delta, const struct image *image)
{
	const struct topic_image *topic;

	delta->topics = xcalloc(image_topics_count(image),
	    sizeof(*delta->topics));
	for (size_t at = 0; (topic = image_topic_next(image, &at)) != NULL;)
		take_topic(delta, topic);
}

static void
take_brokers(struct delta *delta, const struct image *image)
{
	const struct broker_image *broker;

	delta->brokers = xcalloc(image_brokers_count(image),
	    sizeof(*delta->brokers));
	for (size_t at = 0; (broker = image_broker_next(image, &at)) !=
	     NULL;) {
		struct delta_broker *change = xcalloc(1, sizeof(*change));

		change->id = broker->id;
		change->new = broker_image_ref(broker);
		delta->brokers[delta->brokers_count++] = change;
	}
}

static void
take_configs(struct delta *delta, const struct image *image)
{
	const struct image_configs *configs;

	for (size_t at = 0; (configs = image_configs_next(image, &at)) !=
	     NULL;) {
		struct delta_configs *change = xcalloc(1, sizeof(*change));

		change->type = configs->type;
		change->name = own(configs->name);
		change->new = config_set_ref(configs->set);
		delta->configs = xrealloc(delta->configs,
		    (delta->configs_count + 1) * sizeof(*delta->configs));
		delta->configs[delta->configs_count++] = change;
	}
}

static void
take_features(struct delta *delta, const struct image *image)
{
	size_t count;
	const struct image_feature *features = image_features(image, &count);

	delta->features = xcalloc(count, sizeof(*delta->features));
	delta->features_count = count;
	for (size_t i = 0; i < count; i++) {
		delta->features[i].name = own(features[i].name);
		delta->features[i].level = features[i].level;
	}
}

static void
take_kept(struct delta *delta, const struct image *image)
{
	const struct image_kept *kept;

	for (size_t at = 0; (kept = image_kept_next(image, &at)) != NULL;) {
		struct delta_kept *change = xcalloc(1, sizeof(*change));

		change->api_key = kept->api_key;
		change->identity = own(kept->identity);
		change->value = own(kept->value);
		delta->kept = xrealloc(delta->kept,
		    (delta->kept_count + 1) * sizeof(*delta->kept));
		delta->kept[delta->kept_count++] = change;
	}
}

static void
take_position(struct delta *delta, const struct image *image)
{
	delta->offset = image_offset(image);
	delta->epoch = image_epoch(image);
	delta->timestamp_ms = image_timestamp_ms(image);
}

struct delta *
delta_of_image(const struct image *image)
{
	struct delta *delta = delta_new(image);

	take_topics(delta, image);
	take_brokers(delta, image);
	take_configs(delta, image);
	take_features(delta, image);
	take_kept(delta, image);
	delta->producer_id_next = image_producer_id_next(image);
	take_position(delta, image);
	return delta;
}

struct delta *
delta_of_topics(
    const struct image *image, const struct uuid *ids, size_t count)
{
	struct delta *delta = delta_new(image);

	delta->topics = xcalloc(count, sizeof(*delta->topics));
	for (size_t i = 0; i < count; i++) {
		const struct topic_image *topic =
		    image_topic_by_id(image, ids[i]);

		if (topic != NULL)
			take_topic(delta, topic);
	}
	take_position(delta, image);
	return delta;
}

/* --- Life ---------------------------------------------------------------- */

static void
free_slice(struct slice slice)
{
	free((void *)(uintptr_t)slice.data);
}

static void
free_topics(struct delta *delta)
{
	struct delta_colliding *colliding;

	for (size_t i = 0; i < delta->topics_count; i++) {
		topic_image_unref(delta->topics[i]->old);
		topic_image_unref(delta->topics[i]->new);
		free(delta->topics[i]);
	}
	free(delta->topics);
	for (size_t at = 0; (colliding = map_next(&delta->topics_colliding,
				 &at)) != NULL;) {
		free_slice(colliding->name);
		free(colliding);
	}
	map_fini(&delta->topics_by_id);
	map_fini(&delta->topics_by_name);
	map_fini(&delta->topics_colliding);
}

static void
free_configs(struct delta *delta)
{
	for (size_t i = 0; i < delta->configs_count; i++) {
		struct delta_configs *change = delta->configs[i];

		config_set_unref(change->old);
		config_set_unref(change->new);
		free_slice(change->name);
		free_slice(change->key);
		free(change);
	}
	free(delta->configs);
	map_fini(&delta->configs_by_key);
}

static void
free_kept(struct delta *delta)
{
	for (size_t i = 0; i < delta->kept_count; i++) {
		free_slice(delta->kept[i]->identity);
		free_slice(delta->kept[i]->value);
		free_slice(delta->kept[i]->key);
		free(delta->kept[i]);
	}
	free(delta->kept);
	map_fini(&delta->kept_by_key);
}

void
delta_free(struct delta *delta)
{
	if (delta == NULL)
		return;
	free_topics(delta);
	for (size_t i = 0; i < delta->brokers_count; i++) {
		broker_image_unref(delta->brokers[i]->old);
		broker_image_unref(delta->brokers[i]->new);
		free(delta->brokers[i]);
	}
	free(delta->brokers);
	free_configs(delta);
	free_kept(delta);
	for (size_t i = 0; i < delta->features_count; i++)
		free_slice(delta->features[i].name);
	free(delta->features);
	delta_pending_drop(delta);
	free(delta);
}

void
delta_pending_drop(struct delta *delta)
{
	for (size_t i = 0; i < delta->pending_count; i++)
		free_slice(delta->pending[i]);
	free(delta->pending);
	delta->pending = NULL;
	delta->pending_count = 0;
}

bool
delta_in_transaction(const struct delta *delta)
{
	return delta->in_transaction;
}

int
delta_check(const struct delta *delta)
{
	for (size_t i = 0; i < delta->topics_count; i++) {
		const struct topic_image *topic = delta->topics[i]->new;

		if (topic == NULL ||
		    (topic->partitions_count > 0 &&
			topic_image_complete(topic)))
			continue;
		delta_complain("topic %.*s lacks some of its partitions",
		    SLICE_ARG(topic->name));
		return -1;
	}
	return 0;
}

/* --- Lookups ------------------------------------------------------------- */

const struct topic_image *
delta_topic_by_id(const struct delta *delta, struct uuid id)
{
	const struct delta_topic *change =
	    map_get(&delta->topics_by_id, MAP_KEY(id));

	return change != NULL ? change->new :
				image_topic_by_id(delta->image, id);
}

/* The image's topic, unless the delta has removed it. */
static const struct topic_image *
still_there(const struct delta *delta, const struct topic_image *topic)
{
	if (topic == NULL)
		return NULL;
	return delta_topic_by_id(delta, topic->id);
}

const struct topic_image *
delta_topic(const struct delta *delta, struct slice name)
{
	const struct delta_topic *change =
	    map_get(&delta->topics_by_name, name);

	if (change != NULL && change->new != NULL)
		return change->new;
	return still_there(delta, image_topic(delta->image, name));
}

const struct topic_image *
delta_topic_colliding(const struct delta *delta, struct slice name)
{
	char text[TOPIC_IMAGE_NAME_LEN_MAX];
	const struct delta_colliding *colliding;
	struct slice key;

	if (!image_key_colliding(name, text, &key))
		return delta_topic(delta, name);
	colliding = map_get(&delta->topics_colliding, key);
	if (colliding != NULL && colliding->topic->new != NULL)
		return colliding->topic->new;
	return still_there(delta, image_topic_colliding(delta->image, name));
}

struct delta_broker *
delta_broker_find(const struct delta *delta, int32_t id)
{
	for (size_t i = 0; i < delta->brokers_count; i++)
		if (delta->brokers[i]->id == id)
			return delta->brokers[i];
	return NULL;
}

const struct broker_image *
delta_broker(const struct delta *delta, int32_t id)
{
	const struct delta_broker *change = delta_broker_find(delta, id);

	return change != NULL ? change->new : image_broker(delta->image, id);
}

/*
 * Positions below the image's are those of the image; the brokers that only
 * the delta has follow.
 */
#define DELTA_POSITION ((size_t)1 << (sizeof(size_t) * 8 - 1))

static const struct broker_image *
next_of_image(const struct delta *delta, size_t *position)
{
	const struct broker_image *broker;

	while ((broker = image_broker_next(delta->image, position)) != NULL) {
		broker = delta_broker(delta, broker->id);
		if (broker != NULL)
			return broker;
	}
	return NULL;
}

const struct broker_image *
delta_broker_next(const struct delta *delta, size_t *position)
{
	const struct broker_image *broker;

	if (*position < DELTA_POSITION) {
		broker = next_of_image(delta, position);
		if (broker != NULL)
			return broker;
		*position = DELTA_POSITION;
	}
	while (*position - DELTA_POSITION < delta->brokers_count) {
		const struct delta_broker *change =
		    delta->brokers[(*position)++ - DELTA_POSITION];

		if (change->old == NULL && change->new != NULL)
			return change->new;
	}
	return NULL;
}

const struct config_set *
delta_configs_of(const struct delta *delta, enum image_config_type type,
    struct slice name)
{
	const struct delta_configs *change;
	struct image_key key;

	image_key_init(&key, (int16_t)type, name);
	change = map_get(&delta->configs_by_key, image_key_slice(&key));
	image_key_fini(&key);
	if (change == NULL)
		return image_configs(delta->image, type, name);
	return change->new;
}

int16_t
delta_feature_level(const struct delta *delta, const char *name)
{
	for (size_t i = 0; i < delta->features_count; i++)
		if (slice_equal_str(delta->features[i].name, name))
			return delta->features[i].level;
	return image_feature(delta->image, name);
}

int64_t
delta_next_producer_id(const struct delta *delta)
{
	return delta->producer_id_next >= 0 ?
	    delta->producer_id_next :
	    image_producer_id_next(delta->image);
}

struct slice
delta_kept_value(const struct delta *delta, int16_t api_key,
    struct slice identity)
{
	const struct image_kept *kept;
	const struct delta_kept *change;
	struct image_key key;

	image_key_init(&key, api_key, identity);
	change = map_get(&delta->kept_by_key, image_key_slice(&key));
	image_key_fini(&key);
	if (change != NULL)
		return change->value;
	kept = image_kept(delta->image, api_key, identity);
	return kept == NULL ? SLICE_NULL : kept->value;
}
