#include "unit/group_world.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/map.h"
#include "coord/consumer_regex.h"
#include "meta/delta.h"
#include "unit/unit.h"
#include "wire/generated/metadata_partition_record.h"

/* --- A shard ------------------------------------------------------------- */

void
world_load(struct world *world)
{
	group_shard_init(&world->shard, &world->common, &world->log.host, 0);
	shard_log_load(&world->log, &world->shard.shard);
}

void
world_unload(struct world *world)
{
	shard_resign(&world->shard.shard);
	group_shard_fini(&world->shard);
	assert_int_equal(world->memory.used, 0);
}

static void
resolve(struct group_resolver *resolver, struct group_shard *shard UNUSED,
    struct slice group_id, const struct principal *principal UNUSED)
{
	struct world *world = CONTAINER_OF(resolver, struct world, resolver);

	assert_true(group_id.len < sizeof(world->resolving));
	snprintf(world->resolving, sizeof(world->resolving), "%.*s",
	    SLICE_ARG(group_id));
}

static void
persist(struct share_group_persister *persister, struct group_shard *shard,
    struct share_group_states *states)
{
	struct world *world = CONTAINER_OF(persister, struct world, persister);

	assert_true((size_t)states->count <=
	    COUNT_OF(world->persisted_calls));
	world->persists_count++;
	world->persisted_count = states->count;
	for (int32_t i = 0; i < states->count; i++) {
		world->persisted = states->calls[i].operation;
		world->persisted_calls[i] = states->calls[i];
		states->calls[i].call.error = world->persister_error;
	}
	if (!world->persister_silent) {
		states->done(states, shard);
		return;
	}
	if (world->lost != NULL)
		share_group_states_free(world->lost);
	world->lost = states;
}

bool
world_resolve(struct world *world)
{
	const struct principal principal = PRINCIPAL_ANONYMOUS;
	char group[sizeof(world->resolving)];

	if (world->resolving[0] == '\0')
		return false;
	snprintf(group, sizeof(group), "%s", world->resolving);
	world->resolving[0] = '\0';
	consumer_regex_run(&world->shard, slice_str(group), &principal, NULL);
	return true;
}

void
world_init(struct world *world)
{
	memset(world, 0, sizeof(*world));
	shard_log_init(&world->log);
	world->settings = GROUP_SETTINGS_DEFAULT;
	world->settings.rebalance_delay_ms = 0;
	world->shard_settings = (struct shard_settings){
		.batch_bytes_max = 1048588,
		.load_bytes = 5242880,
		.commit_timeout_ms = 5000,
	};
	budget_init(&world->memory, (size_t)64 << 20);
	world->image = group_image_new(&world->settings);
	world->resolver.resolve = resolve;
	world->persister.run = persist;
	world->common = (struct group_common){
		.settings = &world->settings,
		.shard_settings = &world->shard_settings,
		.memory = &world->memory,
		.image = world->image,
		.resolver = &world->resolver,
		.persister = &world->persister,
	};
	arena_init(&world->arena, SIZE_MAX);
	world_load(world);
}

void
world_fini(struct world *world)
{
	world_unload(world);
	if (world->lost != NULL)
		share_group_states_free(world->lost);
	group_image_free(world->image);
	shard_log_fini(&world->log);
	arena_reset(&world->arena);
}

void
world_restart(struct world *world)
{
	world_unload(world);
	world_load(world);
}

/* Let time pass, with every timer on the way. */
void
world_pass(struct world *world, int64_t ms)
{
	shard_log_pass(&world->log, &world->shard.shard, ms);
}

void
world_commit(struct world *world)
{
	shard_log_commit(&world->log, &world->shard.shard);
}

/* --- Metadata ------------------------------------------------------------ */

static struct topic_image *
make_topic(const char *name, struct uuid id, int32_t partitions)
{
	struct topic_image *topic = topic_image_new(slice_str(name), id);
	struct kp_partition_record record;

	kp_defaults(&kp_partition_record, &record);
	record.topic_id = id;
	for (int32_t i = 0; i < partitions; i++) {
		record.partition_id = i;
		assert_int_equal(topic_image_set_partition(
				     topic, i, partition_image_new(&record)),
		    0);
	}
	return topic;
}

static void
topic_dropped(struct world *world, const struct topic_image *topic)
{
	struct group_dropped dropped;

	map_init(&dropped.names);
	map_init(&dropped.ids);
	map_set(&dropped.names, topic->name, world);
	map_set(&dropped.ids, MAP_KEY(topic->id), world);
	group_shard_drop_topics(&world->shard, &dropped);
	map_fini(&dropped.names);
	map_fini(&dropped.ids);
}

/* The image, and then the groups, hear of the change. */
static void
topic_changed(struct world *world, const char *name,
    const struct topic_image *old, const struct topic_image *new)
{
	struct delta_topic change = {
		.id = new != NULL ? new->id : old->id,
		.old = old,
		.new = new,
	};
	struct delta_topic *changes[] = { &change };
	const struct delta delta = { .topics = changes, .topics_count = 1 };
	struct map names;

	group_image_apply(world->image, &delta);
	map_init(&names);
	map_set(&names, slice_str(name), world);
	group_shard_refresh(&world->shard, &names);
	map_fini(&names);
	if (new == NULL)
		topic_dropped(world, old);
}

struct uuid
world_topic(struct world *world, const char *name, int32_t partitions)
{
	const struct topic_image *old =
	    group_image_topic(world->image, slice_str(name));
	struct uuid id = { { 1 } };
	struct topic_image *topic;

	be32_put(id.bytes + 12, ++world->topics_count);
	if (old != NULL)
		id = old->id;
	topic = make_topic(name, id, partitions);
	topic_changed(world, name, old, topic);
	topic_image_unref(topic);
	if (old != NULL)
		topic_image_unref(old);
	return id;
}

void
world_drop_topic(struct world *world, const char *name)
{
	const struct topic_image *old =
	    group_image_topic(world->image, slice_str(name));

	assert_non_null(old);
	topic_changed(world, name, old, NULL);
	topic_image_unref(old);
}

void
world_group_setting(
    struct world *world, const char *group, const char *name, const char *text)
{
	struct config_set *set = config_set_new();
	struct delta_configs change = {
		.type = IMAGE_CONFIG_GROUP,
		.name = slice_str(group),
	};
	struct delta_configs *changes[] = { &change };
	const struct delta delta = { .configs = changes, .configs_count = 1 };

	if (text != NULL) {
		config_set_put(set, slice_str(name), slice_str(text));
		change.new = set;
	}
	group_image_apply(world->image, &delta);
	config_set_unref(set);
}
