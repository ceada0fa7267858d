/* Effective configuration values, and how they are described. */
#include "unit/unit.h"

#include "base/log.h"
#include "meta/configs.h"
#include "meta/delta.h"
#include "meta/metadata_record.h"
#include "store/log_settings.h"
#include "wire/generated/metadata_config_record.h"

struct setting {
	struct image *image;
	struct config_set *file;
	struct configs *configs;
	struct arena arena;
	struct slice unknown, fault;	/* of the last check of file */
};

static int
setup(void **state)
{
	struct setting *s = xcalloc(1, sizeof(*s));

	log_set_level(LOG_FATAL);
	s->image = image_new();
	s->file = config_set_new();
	arena_init(&s->arena, SIZE_MAX);
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
	arena_reset(&s->arena);
	free(s);
	return 0;
}

static void
in_file(struct setting *s, const char *key, const char *value)
{
	config_set_put(s->file, slice_str(key), slice_str(value));
}

static void
ready(struct setting *s)
{
	s->configs = configs_new(s->image, 1, s->file);
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

static int64_t
topic_number(struct setting *s, const char *key)
{
	int64_t number;

	assert_int_equal(
	    config_key_int64(configs_topic(s->configs, slice_str("t"), key,
				 &s->arena),
		&number),
	    0);
	return number;
}

/* "value source synonym=value/source ..." of one entry. */
static const char *
described(struct setting *s, enum image_config_type type, const char *name,
    const char *key)
{
	const struct slice wanted = slice_str(key);
	const struct config_entry *entry;
	struct slice text;
	int32_t count;

	entry = configs_describe(s->configs, type, slice_str(name), &wanted, 1,
	    &s->arena, &count);
	if (count == 0)
		return "missing";
	text = arena_printf(&s->arena, "%.*s %d",
	    slice_is_null(entry->value) ? 4 : (int)entry->value.len,
	    slice_is_null(entry->value) ? "null" :
					  (const char *)entry->value.data,
	    entry->source);
	for (int32_t i = 0; i < entry->synonyms_count; i++) {
		const struct config_synonym *synonym = &entry->synonyms[i];

		text = arena_printf(&s->arena, "%.*s %.*s=%.*s/%d",
		    SLICE_ARG(text), SLICE_ARG(synonym->name),
		    SLICE_ARG(synonym->value), synonym->source);
	}
	return (const char *)text.data;
}

static void
the_nearest_value_counts(void **state)
{
	struct setting *s = *state;

	in_file(s, "log.retention.ms", "4");
	ready(s);
	assert_int_equal(topic_number(s, "retention.ms"), 4);
	dynamic(s, 4, "", "log.retention.ms", "3");
	assert_int_equal(topic_number(s, "retention.ms"), 3);
	dynamic(s, 4, "1", "log.retention.ms", "2");
	assert_int_equal(topic_number(s, "retention.ms"), 2);
	dynamic(s, 4, "2", "log.retention.ms", "9");
	assert_int_equal(topic_number(s, "retention.ms"), 2);
	dynamic(s, 2, "t", "retention.ms", "1");
	assert_int_equal(topic_number(s, "retention.ms"), 1);
	assert_string_equal(
	    described(s, IMAGE_CONFIG_TOPIC, "t", "retention.ms"),
	    "1 1 retention.ms=1/1 log.retention.ms=2/2 "
	    "log.retention.ms=3/3 log.retention.ms=4/4 "
	    "log.retention.hours=168/5");
}

static void
synonyms_count_in_their_own_units(void **state)
{
	struct setting *s = *state;

	ready(s);
	assert_int_equal(topic_number(s, "retention.ms"),
	    INT64_C(168) * 3600 * 1000);
	dynamic(s, 4, "", "log.retention.hours", "2");
	assert_int_equal(topic_number(s, "retention.ms"), 7200000);
	dynamic(s, 4, "", "log.retention.minutes", "3");
	assert_int_equal(topic_number(s, "retention.ms"), 180000);
	dynamic(s, 4, "", "log.retention.minutes", "-1");
	assert_int_equal(topic_number(s, "retention.ms"), -1);
	/* What nobody has checked does not overflow. */
	dynamic(s, 4, "", "log.retention.minutes", "9223372036854775807");
	assert_int_equal(topic_number(s, "retention.ms"), INT64_MAX);
}

/* A value by another key of the chain shows as a default (G8). */
static void
hours_are_not_milliseconds(void **state)
{
	struct setting *s = *state;

	in_file(s, "log.retention.hours", "100");
	ready(s);
	assert_string_equal(
	    described(s, IMAGE_CONFIG_TOPIC, "t", "retention.ms"),
	    "360000000 5");
	assert_string_equal(
	    described(s, IMAGE_CONFIG_BROKER, "1", "log.retention.hours"),
	    "100 4 log.retention.hours=100/4 log.retention.hours=168/5");
	dynamic(s, 4, "1", "log.retention.ms", "7");
	assert_string_equal(
	    described(s, IMAGE_CONFIG_TOPIC, "t", "retention.ms"),
	    "7 2 log.retention.ms=7/2 log.retention.hours=100/4 "
	    "log.retention.hours=168/5");
}

static void
secrets_are_not_shown(void **state)
{
	struct setting *s = *state;

	in_file(s, "ssl.keystore.password", "hush");
	in_file(s, "my.plugin", "hush");
	in_file(s, "listener.name.x.ssl.key.password", "hush");
	in_file(s, "listener.name.x.num.network.threads", "4");
	ready(s);
	dynamic(s, 4, "1", "my.other", "hush");
	assert_string_equal(
	    described(s, IMAGE_CONFIG_BROKER, "1", "ssl.keystore.password"),
	    "null 4 ssl.keystore.password=/4");
	assert_string_equal(
	    described(s, IMAGE_CONFIG_BROKER, "1", "my.plugin"),
	    "null 4 my.plugin=/4");
	assert_string_equal(
	    described(s, IMAGE_CONFIG_BROKER, "1", "my.other"),
	    "null 2 my.other=/2");
	assert_string_equal(described(s, IMAGE_CONFIG_BROKER, "1",
				"listener.name.x.ssl.key.password"),
	    "null 4 listener.name.x.ssl.key.password=/4");
	assert_string_equal(described(s, IMAGE_CONFIG_BROKER, "1",
				"listener.name.x.num.network.threads"),
	    "4 4 listener.name.x.num.network.threads=4/4 "
	    "num.network.threads=3/5");
}

static void
the_clusters_default_shows_what_is_set(void **state)
{
	struct setting *s = *state;
	int32_t count;

	in_file(s, "num.partitions", "3");
	ready(s);
	(void)configs_describe(s->configs, IMAGE_CONFIG_BROKER, slice_str(""),
	    NULL, -1, &s->arena, &count);
	assert_int_equal(count, 0);
	dynamic(s, 4, "", "log.retention.ms", "7");
	assert_string_equal(
	    described(s, IMAGE_CONFIG_BROKER, "", "log.retention.ms"),
	    "7 3 log.retention.ms=7/3");
	dynamic(s, 4, "", "message.max.bytes", " 7");
	assert_string_equal(
	    described(s, IMAGE_CONFIG_BROKER, "", "message.max.bytes"),
	    " 7 3 message.max.bytes= 7/3");
	assert_string_equal(
	    described(s, IMAGE_CONFIG_BROKER, "", "num.partitions"),
	    "missing");
}

static void
groups_show_the_brokers_values(void **state)
{
	struct setting *s = *state;

	in_file(s, "group.consumer.session.timeout.ms", "50000");
	ready(s);
	assert_string_equal(described(s, IMAGE_CONFIG_GROUP, "g",
				"consumer.session.timeout.ms"),
	    "50000 4 group.consumer.session.timeout.ms=50000/4 "
	    "group.consumer.session.timeout.ms=45000/5");
	dynamic(s, 32, "g", "consumer.session.timeout.ms", "46000");
	assert_string_equal(described(s, IMAGE_CONFIG_GROUP, "g",
				"consumer.session.timeout.ms"),
	    "46000 8 consumer.session.timeout.ms=46000/8 "
	    "group.consumer.session.timeout.ms=50000/4 "
	    "group.consumer.session.timeout.ms=45000/5");
	assert_string_equal(
	    described(s, IMAGE_CONFIG_GROUP, "g", "share.isolation.level"),
	    "read_uncommitted 5 share.isolation.level=read_uncommitted/5");
}

static void
hidden_keys_are_listed_where_they_are_set(void **state)
{
	struct setting *s = *state;

	in_file(s, "log.initial.task.delay.ms", "7");
	ready(s);
	assert_string_equal(described(s, IMAGE_CONFIG_BROKER, "1",
				"log.initial.task.delay.ms"),
	    "7 4 log.initial.task.delay.ms=7/4 "
	    "log.initial.task.delay.ms=30000/5");
	assert_string_equal(described(s, IMAGE_CONFIG_TOPIC, "t",
				"internal.segment.bytes"),
	    "missing");
	dynamic(s, 2, "t", "internal.segment.bytes", "9");
	assert_string_equal(described(s, IMAGE_CONFIG_TOPIC, "t",
				"internal.segment.bytes"),
	    "9 1 internal.segment.bytes=9/1");
	assert_string_equal(described(s, IMAGE_CONFIG_BROKER, "1",
				"internal.metadata.log.segment.bytes"),
	    "missing");
	assert_string_equal(described(s, IMAGE_CONFIG_BROKER, "1",
				"leader.replication.throttled.rate"),
	    "missing");
	dynamic(s, 4, "1", "leader.replication.throttled.rate", "5");
	assert_string_equal(described(s, IMAGE_CONFIG_BROKER, "1",
				"leader.replication.throttled.rate"),
	    "5 2 leader.replication.throttled.rate=5/2 "
	    "leader.replication.throttled.rate=9223372036854775807/5");
}

static void
a_log_gets_its_settings(void **state)
{
	struct setting *s = *state;
	struct log_settings settings;

	in_file(s, "log.segment.bytes", "2097152");
	in_file(s, "log.roll.hours", "1");
	ready(s);
	dynamic(s, 2, "t", "cleanup.policy", "compact, delete");
	dynamic(s, 2, "t", "flush.messages", "3");
	configs_log_settings(s->configs, slice_str("t"), &settings);
	assert_int_equal(settings.segment_bytes, 2097152);
	assert_int_equal(settings.segment_ms, 3600000);
	assert_int_equal(settings.flush_messages, 3);
	assert_true(settings.cleanup_compact && settings.cleanup_delete);
	configs_log_settings(s->configs, slice_str("u"), &settings);
	assert_true(!settings.cleanup_compact && settings.cleanup_delete);
	assert_int_equal(settings.flush_messages, INT64_MAX);
	assert_int_equal(settings.reserve_bytes, 0);
	assert_int_equal(settings.dirty_roll_bytes, 0);
	configs_log_settings(
	    s->configs, slice_str("__consumer_offsets"), &settings);
	assert_true(settings.reserve_bytes >= 64 << 10);
	assert_in_range(settings.dirty_roll_bytes, 1, 1 << 20);
}

static void
values_that_make_no_sense_count_as_defaults(void **state)
{
	struct setting *s = *state;

	ready(s);
	dynamic(s, 4, "", "num.partitions", "many");
	assert_int_equal(configs_broker_int64(s->configs, "num.partitions"),
	    1);
	dynamic(s, 4, "", "auto.create.topics.enable", "perhaps");
	assert_true(
	    configs_broker_bool(s->configs, "auto.create.topics.enable"));
}

static void
note_fault(void *context, struct slice name, struct slice message)
{
	struct setting *s = context;

	if (message.data == NULL)
		s->unknown = arena_copy(&s->arena, name);
	else
		s->fault = arena_copy(&s->arena, message);
}

static bool
is_usable(struct setting *s)
{
	s->unknown = s->fault = slice_str("");
	return configs_check_file(s->file, note_fault, s);
}

/* As ConfigDef.parseType: blanks around a value never count. */
static void
blanks_do_not_count_for_any_key(void **state)
{
	struct setting *s = *state;
	size_t count;
	const struct config_key *keys =
	    config_keys(CONFIG_TABLE_BROKER, &count);

	for (size_t i = 0; i < count; i++)
		if (keys[i].default_value != NULL)
			in_file(s, keys[i].name,
			    (const char *)arena_printf(&s->arena, " \t%s ",
				keys[i].default_value)
				.data);
	ready(s);
	assert_true(is_usable(s));
	for (size_t i = 0; i < count; i++)
		assert_true(slice_equal_str(
		    configs_broker(s->configs, keys[i].name),
		    keys[i].default_value));
	keys = config_keys(CONFIG_TABLE_TOPIC, &count);
	for (size_t i = 0; i < count; i++) {
		if (keys[i].default_value == NULL)
			continue;
		dynamic(s, 2, "t", keys[i].name,
		    (const char *)arena_printf(&s->arena, " \t%s ",
			keys[i].default_value)
			.data);
		assert_true(slice_equal_str(configs_topic(s->configs,
						slice_str("t"), keys[i].name,
						&s->arena),
		    keys[i].default_value));
	}
	assert_string_equal(described(s, IMAGE_CONFIG_BROKER, "1",
				"compression.type"),
	    "producer 4 compression.type= \tproducer /4 "
	    "compression.type=producer/5");
}

static void
files_are_checked(void **state)
{
	struct setting *s = *state;

	in_file(s, "zookeeper.connect", "localhost");
	in_file(s, "of.nobody", "1");
	in_file(s, "num.partitions", "2");
	assert_true(is_usable(s));
	assert_true(slice_equal_str(s->unknown, "of.nobody"));
	in_file(s, "num.partitions", "0");
	assert_false(is_usable(s));
	assert_true(slice_equal_str(s->fault,
	    "Invalid value 0 for configuration num.partitions: "
	    "Value must be at least 1"));
	in_file(s, "num.partitions", "2");
	in_file(s, "max.connections.per.ip", "0");
	assert_false(is_usable(s));
	in_file(s, "max.connections.per.ip.overrides", "127.0.0.1:5,::1:5");
	assert_true(is_usable(s));
	in_file(s, "max.connections.per.ip.overrides", "127.0.0.1:");
	assert_false(is_usable(s));
}

static void
expect_unusable(struct setting *s, const char *key, const char *value,
    const char *usable, const char *fault)
{
	in_file(s, key, value);
	assert_false(is_usable(s));
	assert_true(slice_equal_str(s->fault, fault));
	in_file(s, key, usable);
	assert_true(is_usable(s));
}

static void
a_files_memory_of_requests_is_checked(void **state)
{
	struct setting *s = *state;

	expect_unusable(s, "queued.max.request.bytes", "104857599",
	    "104857600",
	    "requirement failed: queued.max.request.bytes must be larger or "
	    "equal to socket.request.max.bytes");
	expect_unusable(s, "socket.request.max.bytes", "104857601",
	    "104857600",
	    "requirement failed: queued.max.request.bytes must be larger or "
	    "equal to socket.request.max.bytes");
	in_file(s, "queued.max.request.bytes", "-1");
	in_file(s, "socket.request.max.bytes", "2000000000");
	assert_true(is_usable(s));
}

/* KafkaConfig.validateValues: of numbers that are fine one by one. */
static void
a_files_logs_are_checked(void **state)
{
	struct setting *s = *state;

	expect_unusable(s, "log.roll.ms", "0", "1",
	    "requirement failed: log.roll.ms must be greater than or equal to "
	    "1");
	expect_unusable(s, "log.roll.jitter.ms", "-1", "0",
	    "requirement failed: log.roll.jitter.ms must be greater than or "
	    "equal to 0");
	expect_unusable(s, "log.retention.hours", "0", "-2",
	    "requirement failed: log.retention.ms must be unlimited (-1) or, "
	    "greater than or equal to 1");
	expect_unusable(s, "log.retention.minutes", "0", "1",
	    "requirement failed: log.retention.ms must be unlimited (-1) or, "
	    "greater than or equal to 1");
	expect_unusable(s, "log.cleaner.threads", "0", "2",
	    "requirement failed: log.cleaner.threads must be greater than 0");
	expect_unusable(s, "log.cleaner.dedupe.buffer.size", "2097153",
	    "2097154",
	    "requirement failed: log.cleaner.dedupe.buffer.size must be at "
	    "least 1MB per cleaner thread.");
	expect_unusable(s, "offsets.topic.compression.codec", "5", "4",
	    "Unknown compression type id: 5");
	expect_unusable(s, "offsets.topic.compression.codec", "-1", "0",
	    "Unknown compression type id: -1");
	expect_unusable(s, "cordoned.log.dirs", "/a", " ",
	    "Invalid value /a for configuration cordoned.log.dirs: no "
	    "directory can be cordoned yet");
	in_file(s, "log.local.retention.ms", "60001");
	assert_true(is_usable(s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(the_nearest_value_counts),
		TEST(synonyms_count_in_their_own_units),
		TEST(hours_are_not_milliseconds),
		TEST(secrets_are_not_shown),
		TEST(the_clusters_default_shows_what_is_set),
		TEST(groups_show_the_brokers_values),
		TEST(hidden_keys_are_listed_where_they_are_set),
		TEST(a_log_gets_its_settings),
		TEST(values_that_make_no_sense_count_as_defaults),
		TEST(blanks_do_not_count_for_any_key),
		TEST(files_are_checked),
		TEST(a_files_memory_of_requests_is_checked),
		TEST(a_files_logs_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
