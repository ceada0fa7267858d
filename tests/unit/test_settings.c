/* From configuration keys to what the modules are told. */
#include "unit/unit.h"

#include "base/log.h"
#include "broker/topic_settings.h"
#include "cli/settings.c"
#include "meta/delta.h"
#include "meta/metadata_record.h"
#include "wire/generated/metadata_config_record.h"

struct setting {
	struct image *image;
	struct config_set *file;
	struct configs *configs;
};

static int
setup(void **state)
{
	struct setting *s = xcalloc(1, sizeof(*s));

	log_set_level(LOG_FATAL);
	s->image = image_new();
	s->file = config_set_new();
	s->configs = configs_new(s->image, 1, s->file);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct setting *s = *state;

	configs_free(s->configs);
	config_set_unref(s->file);
	image_free(s->image);
	free(s);
	return 0;
}

/* Configs have a reference, but nobody else looks at the file meanwhile. */
static void
in_file(struct setting *s, const char *key, const char *value)
{
	config_set_put(s->file, slice_str(key), slice_str(value));
}

static void
dynamic(struct setting *s, int8_t type, const char *name, const char *key,
    const char *value)
{
	const struct kp_config_record body = {
		.resource_type = type,
		.resource_name = slice_str(name),
		.name = slice_str(key),
		.value = slice_str(value),
	};
	const struct metadata_record record = {
		.type = METADATA_RECORD_CONFIG,
		.body = &body,
	};
	struct delta *delta = delta_new(s->image);

	assert_int_equal(delta_replay(delta, &record), 0);
	image_apply(s->image, delta);
	delta_free(delta);
}

/* Java's properties keep the blanks behind a value. */
static void
durability_survives_blanks(void **state)
{
	struct setting *s = *state;

	assert_true(settings_flush_acked(s->configs));
	in_file(s, "klamm.flush", "acked ");
	assert_true(settings_flush_acked(s->configs));
	in_file(s, "klamm.flush", " os");
	assert_false(settings_flush_acked(s->configs));
	in_file(s, "klamm.flush", "\tacked");
	assert_true(settings_flush_acked(s->configs));
}

static void
addresses_have_limits_of_their_own(void **state)
{
	struct setting *s = *state;
	struct network_settings settings;
	struct arena arena;

	arena_init(&arena, 1 << 16);
	settings_network(s->configs, &settings, &arena);
	assert_int_equal(settings.ip_limits_count, 0);
	assert_int_equal(settings.connections_max,
	    MIN(INT32_MAX, descriptors_share()));
	in_file(s, "max.connections.per.ip.overrides",
	    " 10.0.0.1:5 ,::1 : 7, nonsense");
	in_file(s, "max.connections.per.ip", "9");
	dynamic(s, 4, "", "max.connections", "8");
	settings_network(s->configs, &settings, &arena);
	assert_int_equal(settings.connections_max, 8);
	assert_int_equal(settings.connections_per_ip_max, 9);
	assert_int_equal(settings.ip_limits_count, 2);
	assert_string_equal(settings.ip_limits[0].host, "10.0.0.1");
	assert_int_equal(settings.ip_limits[0].connections_max, 5);
	assert_string_equal(settings.ip_limits[1].host, "::1");
	assert_int_equal(settings.ip_limits[1].connections_max, 7);
	arena_reset(&arena);
}

/* queued.max.request.bytes; without it we know what is right. */
static void
requests_have_a_limit_of_memory(void **state)
{
	struct setting *s = *state;
	struct network_settings settings;
	struct arena arena;

	arena_init(&arena, 1 << 16);
	settings_network(s->configs, &settings, &arena);
	assert_true(settings.memory_max >= (size_t)256 << 20);
	in_file(s, "queued.max.request.bytes", "0");
	settings_network(s->configs, &settings, &arena);
	assert_true(settings.memory_max >= (size_t)256 << 20);
	in_file(s, "queued.max.request.bytes", "104857600");
	settings_network(s->configs, &settings, &arena);
	assert_int_equal(settings.memory_max, 104857600);
	arena_reset(&arena);
}

static void
listeners_have_limits_of_their_own(void **state)
{
	struct setting *s = *state;
	struct listener_settings settings;

	settings_listener(s->configs, "PLAINTEXT", &settings);
	assert_int_equal(settings.connections_max, INT32_MAX);
	assert_true(settings.apart);
	assert_int_equal(
	    settings_connection_rate(s->configs, "PLAINTEXT"), INT32_MAX);
	in_file(s, "max.connections", "100");
	in_file(s, "max.connection.creation.rate", "50");
	in_file(s, "listener.name.outside.max.connections", "10");
	in_file(s, "inter.broker.listener.name", "INSIDE");
	dynamic(s, 4, "", "listener.name.outside.max.connection.creation.rate",
	    "5");
	settings_listener(s->configs, "OUTSIDE", &settings);
	assert_int_equal(settings.connections_max, 10);
	assert_false(settings.apart);
	assert_int_equal(settings_connection_rate(s->configs, "OUTSIDE"), 5);
	settings_listener(s->configs, "INSIDE", &settings);
	assert_int_equal(settings.connections_max, 100);
	assert_true(settings.apart);
	assert_int_equal(settings_connection_rate(s->configs, "INSIDE"), 50);
	assert_int_equal(settings_connection_rate(s->configs, NULL), 50);
}

static void
quotas_have_windows(void **state)
{
	struct setting *s = *state;
	struct quotas_settings settings;

	settings_quotas(s->configs, &settings);
	assert_int_equal(settings.window.count, 11);
	assert_int_equal(settings.window.length_ms, 1000);
	in_file(s, "quota.window.num", "3");
	in_file(s, "quota.window.size.seconds", "4");
	in_file(s, "controller.quota.window.num", "5");
	in_file(s, "controller.quota.window.size.seconds", "6");
	settings_quotas(s->configs, &settings);
	assert_int_equal(settings.window.count, 3);
	assert_int_equal(settings.window.length_ms, 4000);
	assert_int_equal(settings.controller_window.count, 5);
	assert_int_equal(settings.controller_window.length_ms, 6000);
}

static void
groups_migrate_by_the_policy(void **state)
{
	static const struct {
		const char *policy;
		bool upgrades, downgrades;
	} cases[] = {
		{ "bidirectional", true, true },
		{ "Upgrade", true, false },
		{ "DOWNGRADE", false, true },
		{ "disabled", false, false },
	};
	struct setting *s = *state;
	struct consumer_settings settings;

	settings_consumer(s->configs, &settings);
	assert_true(settings.upgrades && settings.downgrades);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		in_file(s, "group.consumer.migration.policy", cases[i].policy);
		settings_consumer(s->configs, &settings);
		assert_int_equal(settings.upgrades, cases[i].upgrades);
		assert_int_equal(settings.downgrades, cases[i].downgrades);
	}
}

static void
topics_are_set_up_in_spite_of_blanks(void **state)
{
	struct setting *s = *state;
	struct topic_settings settings;

	dynamic(s, 2, "t", "min.insync.replicas", " 2 ");
	dynamic(s, 2, "t", "max.message.bytes", "1000 ");
	dynamic(s, 2, "t", "compression.type", " gzip ");
	dynamic(s, 2, "t", "compression.gzip.level", " 7 ");
	dynamic(s, 2, "t", "message.timestamp.type", "LogAppendTime ");
	dynamic(s, 2, "t", "message.timestamp.before.max.ms", " 5");
	dynamic(s, 2, "t", "message.timestamp.after.max.ms", " 6");
	dynamic(s, 2, "t", "cleanup.policy", " compact ");
	dynamic(s, 2, "t", "retention.ms", " 8 ");
	topic_settings_resolve(&settings, s->configs, slice_str("t"));
	assert_int_equal(settings.min_insync_replicas, 2);
	assert_int_equal(settings.max_message_bytes, 1000);
	assert_int_equal(settings.compression, COMPRESSION_GZIP);
	assert_int_equal(settings.compression_level, 7);
	assert_int_equal(settings.timestamp_type, BATCH_APPEND_TIME);
	assert_int_equal(settings.timestamp_before_max_ms, 5);
	assert_int_equal(settings.timestamp_after_max_ms, 6);
	assert_true(settings.log.cleanup_compact);
	assert_false(settings.log.cleanup_delete);
	assert_int_equal(settings.log.retention_ms, 8);
}

/* --- Every key of a topic ------------------------------------------------- */

enum kind { INT32, INT64, FLAG, REAL, WORD };

/* What a key's value comes to, in struct topic_settings. */
struct effect {
	const char *key;
	const char *value;
	double comes_to;
	const char *broker_key;	/* of the same effect; NULL: none */
	const char *otherwise;	/* another value, as the broker's */
	double otherwise_to;
	enum kind kind;
	size_t offset;
};

#define TOPIC(field) offsetof(struct topic_settings, field)
#define LOG(field) offsetof(struct topic_settings, log.field)

static const struct effect effects[] = {
	{ "cleanup.policy", "compact,compact", 0, "log.cleanup.policy",
	    "compact,delete", 1, FLAG, LOG(cleanup_delete) },
	{ "cleanup.policy", "compact", 1, "log.cleanup.policy", "delete", 0,
	    FLAG, LOG(cleanup_compact) },
	{ "cleanup.policy", "", 0, "log.cleanup.policy", "delete", 1, FLAG,
	    LOG(cleanup_delete) },
	{ "compression.type", "uncompressed", COMPRESSION_NONE,
	    "compression.type", "lz4", COMPRESSION_LZ4, WORD,
	    TOPIC(compression) },
	{ "compression.type", "snappy", COMPRESSION_SNAPPY, "compression.type",
	    "producer", TOPIC_COMPRESSION_PRODUCER, WORD,
	    TOPIC(compression) },
	{ "delete.retention.ms", "11", 11, "log.cleaner.delete.retention.ms",
	    "12", 12, INT64, LOG(delete_retention_ms) },
	{ "file.delete.delay.ms", "11", 11, "log.segment.delete.delay.ms",
	    "12", 12, INT64, LOG(file_delete_delay_ms) },
	{ "flush.messages", "11", 11, "log.flush.interval.messages", "12", 12,
	    INT64, LOG(flush_messages) },
	{ "flush.ms", "11", 11, "log.flush.interval.ms", "12", 12, INT64,
	    LOG(flush_ms) },
	{ "flush.ms", "11", 11, "log.flush.scheduler.interval.ms", "12", 12,
	    INT64, LOG(flush_ms) },
	{ "index.interval.bytes", "11", 11, "log.index.interval.bytes", "12",
	    12, INT32, LOG(index_interval_bytes) },
	{ "internal.segment.bytes", "11", 11, "log.segment.bytes", "1048577",
	    1048577, INT32, LOG(segment_bytes) },
	{ "max.compaction.lag.ms", "11", 11,
	    "log.cleaner.max.compaction.lag.ms", "12", 12, INT64,
	    LOG(max_compaction_lag_ms) },
	{ "max.message.bytes", "11", 11, "message.max.bytes", "12", 12, INT32,
	    TOPIC(max_message_bytes) },
	{ "message.timestamp.after.max.ms", "11", 11,
	    "log.message.timestamp.after.max.ms", "12", 12, INT64,
	    TOPIC(timestamp_after_max_ms) },
	{ "message.timestamp.before.max.ms", "11", 11,
	    "log.message.timestamp.before.max.ms", "12", 12, INT64,
	    TOPIC(timestamp_before_max_ms) },
	{ "message.timestamp.type", "LogAppendTime", BATCH_APPEND_TIME,
	    "log.message.timestamp.type", "CreateTime", BATCH_CREATE_TIME,
	    WORD, TOPIC(timestamp_type) },
	{ "min.cleanable.dirty.ratio", "0.25", 0.25,
	    "log.cleaner.min.cleanable.ratio", "0.75", 0.75, REAL,
	    LOG(min_cleanable_dirty_ratio) },
	{ "min.compaction.lag.ms", "11", 11,
	    "log.cleaner.min.compaction.lag.ms", "12", 12, INT64,
	    LOG(min_compaction_lag_ms) },
	{ "min.insync.replicas", "11", 11, "min.insync.replicas", "12", 12,
	    INT32, TOPIC(min_insync_replicas) },
	{ "preallocate", "true", 1, "log.preallocate", "false", 0, FLAG,
	    LOG(preallocate) },
	{ "retention.bytes", "11", 11, "log.retention.bytes", "12", 12, INT64,
	    LOG(retention_bytes) },
	{ "retention.ms", "11", 11, "log.retention.ms", "12", 12, INT64,
	    LOG(retention_ms) },
	{ "retention.ms", "11", 11, "log.retention.minutes", "2", 120000,
	    INT64, LOG(retention_ms) },
	{ "retention.ms", "11", 11, "log.retention.hours", "2", 7200000, INT64,
	    LOG(retention_ms) },
	{ "segment.bytes", "1048576", 1048576, "log.segment.bytes", "1048577",
	    1048577, INT32, LOG(segment_bytes) },
	{ "segment.index.bytes", "11", 11, "log.index.size.max.bytes", "12",
	    12, INT32, LOG(segment_index_bytes) },
	{ "segment.jitter.ms", "11", 11, "log.roll.jitter.ms", "12", 12, INT64,
	    LOG(segment_jitter_ms) },
	{ "segment.jitter.ms", "11", 11, "log.roll.jitter.hours", "1", 3600000,
	    INT64, LOG(segment_jitter_ms) },
	{ "segment.ms", "11", 11, "log.roll.ms", "12", 12, INT64,
	    LOG(segment_ms) },
	{ "segment.ms", "11", 11, "log.roll.hours", "1", 3600000, INT64,
	    LOG(segment_ms) },
};

/*
 * Shown and checked, of no effect where a partition has one replica and there
 * are no tiers; levels need a codec.
 */
static const char *const elsewhere[] = { "compression.gzip.level",
	"compression.lz4.level", "compression.zstd.level",
	"follower.replication.throttled.replicas",
	"leader.replication.throttled.replicas", "local.retention.bytes",
	"local.retention.ms", "remote.log.copy.disable",
	"remote.log.delete.on.disable", "remote.storage.enable",
	"unclean.leader.election.enable" };

static double
comes_to(struct setting *s, const struct effect *effect)
{
	struct topic_settings settings;
	const char *field;

	topic_settings_resolve(&settings, s->configs, slice_str("t"));
	field = (const char *)&settings + effect->offset;
	switch (effect->kind) {
	case INT32:
		return *(const int32_t *)(const void *)field;
	case INT64:
		return (double)*(const int64_t *)(const void *)field;
	case FLAG:
		return *(const bool *)(const void *)field;
	case WORD:
		return *(const int *)(const void *)field;
	case REAL:
		break;
	}
	return *(const double *)(const void *)field;
}

static void
expect(struct setting *s, const struct effect *effect, double value)
{
	double found = comes_to(s, effect);

	if (found < value || found > value)
		fail_msg("%s comes to %g, not to %g", effect->key, found,
		    value);
}

static void
key_has_its_effect(const struct effect *effect)
{
	struct setting *s;
	double by_default;

	setup((void **)&s);
	by_default = comes_to(s, effect);
	in_file(s, effect->broker_key, effect->otherwise);
	expect(s, effect, effect->otherwise_to);
	dynamic(s, 2, "t", effect->key, effect->value);
	expect(s, effect, effect->comes_to);
	dynamic(s, 2, "t", effect->key, NULL);
	expect(s, effect, effect->otherwise_to);
	teardown((void **)&s);

	setup((void **)&s);
	dynamic(s, 4, "", effect->broker_key, effect->otherwise);
	expect(s, effect, effect->otherwise_to);
	dynamic(s, 4, "", effect->broker_key, NULL);
	expect(s, effect, by_default);
	teardown((void **)&s);
}

static bool
has_effect(const char *key)
{
	for (size_t i = 0; i < COUNT_OF(effects); i++)
		if (strcmp(effects[i].key, key) == 0)
			return true;
	return false;
}

static bool
is_elsewhere(const char *key)
{
	for (size_t i = 0; i < COUNT_OF(elsewhere); i++)
		if (strcmp(elsewhere[i], key) == 0)
			return true;
	return false;
}

/* A key that Kafka gets one day is missed here. */
static void
every_key_of_a_topic_has_its_effect(void **state UNUSED)
{
	size_t count;
	const struct config_key *keys =
	    config_keys(CONFIG_TABLE_TOPIC, &count);

	for (size_t i = 0; i < count; i++)
		if (has_effect(keys[i].name) == is_elsewhere(keys[i].name))
			fail_msg("%s has no effect", keys[i].name);
	for (size_t i = 0; i < COUNT_OF(effects); i++)
		key_has_its_effect(&effects[i]);
}

static void
each_codec_has_a_level(void **state)
{
	static const struct {
		const char *codec, *key, *value;
		int level, by_default;
	} levels[] = {
		{ "gzip", "compression.gzip.level", "4", 4, -1 },
		{ "lz4", "compression.lz4.level", "4", 4, 9 },
		{ "zstd", "compression.zstd.level", "-4", -4, 3 },
	};
	struct setting *s = *state;
	struct topic_settings settings;

	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		dynamic(s, 2, "t", "compression.type", levels[i].codec);
		topic_settings_resolve(&settings, s->configs, slice_str("t"));
		assert_int_equal(settings.compression_level,
		    levels[i].by_default);
		in_file(s, levels[i].key, levels[i].value);
		topic_settings_resolve(&settings, s->configs, slice_str("t"));
		assert_int_equal(settings.compression_level, levels[i].level);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(durability_survives_blanks),
		TEST(addresses_have_limits_of_their_own),
		TEST(requests_have_a_limit_of_memory),
		TEST(listeners_have_limits_of_their_own),
		TEST(quotas_have_windows),
		TEST(groups_migrate_by_the_policy),
		TEST(topics_are_set_up_in_spite_of_blanks),
		TEST(every_key_of_a_topic_has_its_effect),
		TEST(each_codec_has_a_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
