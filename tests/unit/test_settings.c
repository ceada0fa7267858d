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

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(durability_survives_blanks),
		TEST(addresses_have_limits_of_their_own),
		TEST(topics_are_set_up_in_spite_of_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
