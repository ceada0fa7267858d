#include "base/arena.h"
#include "broker/topic_settings.h"
#include "meta/configs.h"

#define SETTINGS_ARENA_BYTES_MAX ((size_t)64 << 10)

/* Where the values of one topic come from. */
struct source {
	const struct configs *configs;
	struct slice topic;
	struct arena arena;
};

static struct slice
value_of(struct source *source, const char *key)
{
	return configs_topic(
	    source->configs, source->topic, key, &source->arena);
}

/* What is stored was checked when it was set; anything else is no number. */
static int64_t
number_of(struct source *source, const char *key, int64_t otherwise)
{
	int64_t number;

	return config_key_int64(value_of(source, key), &number) == 0 ?
	    number :
	    otherwise;
}

static void
compression_resolve(struct topic_settings *settings, struct source *source)
{
	static const char *const level_keys[COMPRESSION_COUNT] = {
		[COMPRESSION_GZIP] = "compression.gzip.level",
		[COMPRESSION_LZ4] = "compression.lz4.level",
		[COMPRESSION_ZSTD] = "compression.zstd.level",
	};
	struct slice name = value_of(source, "compression.type");
	enum compression codec;

	settings->compression = TOPIC_COMPRESSION_PRODUCER;
	if (slice_equal_str(name, "uncompressed"))
		settings->compression = COMPRESSION_NONE;
	else if (compression_parse(name, &codec) == 0)
		settings->compression = codec;
	if (settings->compression > 0 &&
	    level_keys[settings->compression] != NULL)
		settings->compression_level =
		    (int)number_of(source, level_keys[settings->compression],
			COMPRESSION_LEVEL_DEFAULT);
}

void
topic_settings_resolve(struct topic_settings *settings,
    const struct configs *configs, struct slice topic)
{
	struct source source = { .configs = configs, .topic = topic };

	topic_settings_init(settings);
	arena_init(&source.arena, SETTINGS_ARENA_BYTES_MAX);
	settings->max_message_bytes = (int32_t)number_of(
	    &source, "max.message.bytes", settings->max_message_bytes);
	settings->min_insync_replicas = (int32_t)number_of(
	    &source, "min.insync.replicas", settings->min_insync_replicas);
	settings->timestamp_before_max_ms =
	    number_of(&source, "message.timestamp.before.max.ms",
		settings->timestamp_before_max_ms);
	settings->timestamp_after_max_ms = number_of(&source,
	    "message.timestamp.after.max.ms", settings->timestamp_after_max_ms);
	if (slice_equal_str(
		value_of(&source, "message.timestamp.type"), "LogAppendTime"))
		settings->timestamp_type = BATCH_APPEND_TIME;
	compression_resolve(settings, &source);
	configs_log_settings(configs, topic, &settings->log);
	arena_reset(&source.arena);
}
