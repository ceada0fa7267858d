#include "broker/share_group_config.h"

#include "base/arena.h"
#include "base/duration.h"
#include "meta/configs.h"

#define CONFIG_ARENA_BYTES_MAX ((size_t)64 << 10)

/* Where the values of one group come from.  Image locked. */
struct source {
	const struct configs *configs;
	const struct config_set *own;	/* NULL: none */
	struct arena arena;
};

static struct slice
value_of(struct source *source, const char *name)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_GROUP, slice_str(name));

	assert(key != NULL);
	return configs_topic_in(
	    source->configs, source->own, key, &source->arena);
}

/* The broker's bound: group.share.<bound>.<rest of the key>. */
static int64_t
bound_of(struct source *source, const char *bound, const char *rest)
{
	struct slice name = arena_printf(
	    &source->arena, "group.share.%s.%s%c", bound, rest, '\0');

	return configs_broker_int64(
	    source->configs, (const char *)name.data);
}

/* share.<rest>, between the bounds. */
static int32_t
bounded(struct source *source, const char *rest)
{
	struct slice name =
	    arena_printf(&source->arena, "share.%s%c", rest, '\0');
	struct slice text = value_of(source, (const char *)name.data);
	int64_t min = bound_of(source, "min", rest);
	int64_t max = bound_of(source, "max", rest);
	int64_t number;

	if (config_key_int64(text, &number) != 0)
		number = min;
	return (int32_t)MAX(min, MIN(max, number));
}

static void
reset_read(struct share_group_config *config, struct slice text)
{
	static const char prefix[] = "by_duration:";
	size_t len = sizeof(prefix) - 1;

	config->reset = slice_equal_str(text, "earliest") ?
	    SHARE_GROUP_RESET_EARLIEST :
	    SHARE_GROUP_RESET_LATEST;
	if (text.len > len && memcmp(text.data, prefix, len) == 0 &&
	    duration_parse(slice_of(text.data + len, text.len - len),
		&config->reset_duration_ms) == 0)
		config->reset = SHARE_GROUP_RESET_DURATION;
}

static void
read_locked(struct share_group_config *config, struct source *source)
{
	bool renewable;

	config->limits.deliveries_max =
	    bounded(source, "delivery.count.limit");
	config->limits.locks_max =
	    bounded(source, "partition.max.record.locks");
	config->limits.lock_ms = bounded(source, "record.lock.duration.ms");
	config->limits.renewable =
	    config_key_bool(value_of(source, "share.renew.acknowledge.enable"),
		&renewable) != 0 ||
	    renewable;
	config->isolation = slice_equal_str(
		value_of(source, "share.isolation.level"), "read_committed") ?
	    PARTITION_READ_COMMITTED :
	    PARTITION_READ_UNCOMMITTED;
	reset_read(config, value_of(source, "share.auto.offset.reset"));
}

void
share_group_config_read(struct share_group_config *config,
    struct image *image, const struct configs *configs, struct slice group_id)
{
	struct source source = { .configs = configs };

	*config = (struct share_group_config){ 0 };
	arena_init(&source.arena, CONFIG_ARENA_BYTES_MAX);
	image_read_lock(image);
	source.own = image_configs(image, IMAGE_CONFIG_GROUP, group_id);
	read_locked(config, &source);
	image_read_unlock(image);
	arena_reset(&source.arena);
}
