#include "coord/streams_change.h"

#include "base/clock.h"
#include "coord/streams_record.h"
#include "meta/topic_image.h"

#define STANDBY_REPLICAS "num.standby.replicas"

void
streams_change_begin(struct streams_change *change, struct group_shard *shard,
    struct streams_group *streams, struct slice group_id)
{
	memset(change, 0, sizeof(*change));
	change->shard = shard;
	change->streams = streams;
	change->group_id = group_id;
	change->now_ms = clock_wall_ms();
	change->topology = streams->topology;
	change->configured = streams->configured;
	change->configs = streams->configs;
	change->epoch = streams->epoch;
	change->metadata_hash = streams->metadata_hash;
	change->validated_epoch = streams->validated_epoch;
	change->target_epoch = streams->target_epoch;
	arena_init(&change->arena, SIZE_MAX);
}

void
streams_change_end(struct streams_change *change)
{
	streams_configured_free(change->fresh_configured);
	streams_topology_free(change->fresh_topology);
	arena_reset(&change->arena);
}

/* --- The topology -------------------------------------------------------- */

static void
take_first(struct streams_change *change,
    const struct kp_streams_group_topology_value *said)
{
	change->topology = change->fresh_topology;
	streams_emit_topology(change->shard, change->group_id, said);
}

enum kp_error
streams_change_topology(struct streams_change *change,
    const struct kp_streams_group_topology_value *said, struct slice *message)
{
	const struct streams_topology *had = change->streams->topology;

	change->fresh_topology =
	    said->epoch < 0 ? NULL : streams_topology_new(said);
	if (change->fresh_topology == NULL)
		return KP_UNKNOWN_SERVER_ERROR;
	if (had == NULL) {
		take_first(change, said);
		return KP_NONE;
	}
	if (had->epoch <= said->epoch &&
	    (had->epoch < said->epoch ||
		!streams_topology_equal(had, change->fresh_topology))) {
		*message = slice_str("Topology updates are not supported yet.");
		return KP_INVALID_REQUEST;
	}
	return KP_NONE;
}

/* --- Topics -------------------------------------------------------------- */

struct image_topics {
	struct streams_topics topics;
	struct group_image *image;
};

static int32_t
partitions(const struct streams_topics *topics, struct slice name)
{
	struct group_image *image =
	    CONTAINER_OF_CONST(topics, struct image_topics, topics)->image;
	const struct topic_image *topic = group_image_topic(image, name);
	int32_t count = topic == NULL ? 0 : topic->partitions_count;

	topic_image_unref(topic);
	return count;
}

static int
compare_names(const void *a, const void *b)
{
	return slice_compare(
	    *(const struct slice *)a, *(const struct slice *)b);
}

/* Of the topics that exist: 0 where there is none. */
static int64_t
hash_topics(struct streams_change *change)
{
	struct group_image *image = change->shard->common->image;
	struct topics_hash hash;
	int32_t count;
	struct slice *names =
	    streams_topology_required(change->topology, &change->arena, &count);

	if (count > 0)
		qsort(names, (size_t)count, sizeof(*names), compare_names);
	group_image_hash_begin(image, &hash);
	for (int32_t i = 0; i < count; i++) {
		const struct topic_image *topic =
		    group_image_topic(image, names[i]);

		if (topic == NULL)
			continue;
		group_image_hash_add(image, &hash, topic);
		topic_image_unref(topic);
	}
	return topics_hash_end(&hash);
}

static enum kp_error
configure(
    struct streams_change *change, struct arena *arena, struct slice *message)
{
	const struct image_topics topics = {
		.topics = { partitions },
		.image = change->shard->common->image,
	};
	enum kp_error error = streams_configure(change->topology,
	    &topics.topics, arena, message, &change->fresh_configured);

	change->configured = change->fresh_configured;
	return error;
}

enum kp_error
streams_change_configure(struct streams_change *change, struct arena *arena,
    struct slice *message, bool *bump)
{
	const struct streams_group *streams = change->streams;
	bool anew = streams->topology == NULL || streams->configured == NULL;
	enum kp_error error = KP_NONE;
	int64_t hash;

	if (anew || streams->refresh) {
		hash = hash_topics(change);
		change->refreshed = true;
		anew |= hash != change->metadata_hash;
		*bump |= hash != change->metadata_hash;
		change->metadata_hash = hash;
	}
	if (anew)
		error = configure(change, arena, message);
	if (error != KP_NONE)
		return error;
	change->validated_epoch = change->configured->status == STREAMS_READY ?
	    change->topology->epoch :
	    -1;
	*bump |= change->validated_epoch != streams->validated_epoch;
	return KP_NONE;
}

/* --- The group's epoch --------------------------------------------------- */

static struct streams_pairs
configs_now(struct streams_change *change)
{
	struct streams_pairs configs = { NULL, 1 };

	configs.pairs =
	    arena_xcalloc(&change->arena, 1, sizeof(*configs.pairs));
	configs.pairs->key = slice_str(STANDBY_REPLICAS);
	configs.pairs->value = arena_printf(
	    &change->arena, "%d", change->streams->timing.standby_replicas);
	return configs;
}

void
streams_change_epoch(struct streams_change *change, bool bump)
{
	struct streams_pairs configs = configs_now(change);

	bump |= !streams_pairs_equal(&configs, &change->configs);
	change->configs = configs;
	if (!bump)
		return;
	change->epoch++;
	streams_emit_epoch(change->shard, change->group_id, change->epoch,
	    change->metadata_hash, change->validated_epoch, &configs);
}

/* --- The end ------------------------------------------------------------- */

/* The topology that it was made from must be the group's. */
static void
keep_configured(struct streams_change *change, struct streams_group *streams)
{
	if (change->fresh_configured == NULL ||
	    change->topology != streams->topology)
		return;
	streams_group_set_configured(streams, change->fresh_configured);
	change->fresh_configured = NULL;
}

enum kp_error
streams_change_append(struct streams_change *change)
{
	enum kp_error error = shard_append(&change->shard->shard);
	struct group *group;

	if (error != KP_NONE)
		return error;
	group = group_find(change->shard, change->group_id);
	if (group == NULL || group->streams == NULL)
		return KP_NONE;
	keep_configured(change, group->streams);
	group->streams->refresh &= !change->refreshed;
	return KP_NONE;
}
