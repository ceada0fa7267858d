/* Configuration keys: their tables, their checks, their texts. */
#include "unit/unit.h"

#include "meta/config_keys.h"

static bool
check(enum config_table table, const char *name, const char *value)
{
	const struct config_key *key =
	    config_key_find(table, slice_str(name));
	struct slice message = SLICE_NULL;
	struct arena arena;
	bool ok;

	assert_non_null(key);
	arena_init(&arena, 1 << 20);
	ok = config_key_check(key, slice_str(value), &arena, &message);
	assert_int_equal(ok, slice_is_null(message));
	arena_reset(&arena);
	return ok;
}

static bool
topic(const char *name, const char *value)
{
	return check(CONFIG_TABLE_TOPIC, name, value);
}

static bool
broker(const char *name, const char *value)
{
	return check(CONFIG_TABLE_BROKER, name, value);
}

static void
tables_are_sorted_and_defaults_valid(void **state UNUSED)
{
	static const size_t counts[] = { 300, 33, 17, 3 };

	for (int table = 0; table < 4; table++) {
		size_t count;
		const struct config_key *keys =
		    config_keys((enum config_table)table, &count);

		assert_true(count >= counts[table]);
		for (size_t i = 0; i < count; i++) {
			if (i > 0)
				assert_true(strcmp(keys[i - 1].name,
						keys[i].name) < 0);
			assert_ptr_equal(
			    config_key_find((enum config_table)table,
				slice_str(keys[i].name)),
			    &keys[i]);
			if (keys[i].default_value != NULL)
				assert_true(
				    check((enum config_table)table,
					keys[i].name, keys[i].default_value));
		}
	}
	assert_null(config_key_find(CONFIG_TABLE_TOPIC, slice_str("")));
	assert_null(config_key_find(CONFIG_TABLE_TOPIC, slice_str("zzz")));
}

static void
numbers_have_types_and_ranges(void **state UNUSED)
{
	assert_true(topic("segment.bytes", "1048576"));
	assert_false(topic("segment.bytes", "1048575"));
	assert_false(topic("segment.bytes", "2147483648"));
	assert_false(topic("segment.bytes", ""));
	assert_false(topic("segment.bytes", "1048576x"));
	assert_true(topic("segment.bytes", " 1048576 "));
	assert_true(topic("retention.ms", "-1"));
	assert_false(topic("retention.ms", "-2"));
	assert_true(topic("retention.ms", "9223372036854775807"));
	assert_false(topic("retention.ms", "9223372036854775808"));
	assert_true(topic("min.cleanable.dirty.ratio", "0.5"));
	assert_false(topic("min.cleanable.dirty.ratio", "1.5"));
	assert_false(topic("min.cleanable.dirty.ratio", "half"));
	assert_true(topic("compression.gzip.level", "-1"));
	assert_true(topic("compression.gzip.level", "9"));
	assert_false(topic("compression.gzip.level", "0"));
	assert_false(topic("compression.gzip.level", "10"));
}

static void
words_are_of_a_few(void **state UNUSED)
{
	assert_true(topic("compression.type", "zstd"));
	assert_false(topic("compression.type", "ZSTD"));
	assert_false(topic("compression.type", ""));
	assert_false(topic("compression.type", "zst"));
	assert_true(topic("preallocate", "True"));
	assert_false(topic("preallocate", "yes"));
	assert_true(broker("klamm.flush", "os"));
	assert_true(broker("klamm.flush", "acked"));
	assert_false(broker("klamm.flush", "always"));
}

static void
lists_have_rules(void **state UNUSED)
{
	assert_true(topic("cleanup.policy", "compact,delete"));
	assert_true(topic("cleanup.policy", "compact, delete"));
	assert_true(topic("cleanup.policy", "compact,compact"));
	assert_false(topic("cleanup.policy", "compact,"));
	assert_false(topic("cleanup.policy", "purge"));
	assert_true(topic("leader.replication.throttled.replicas", "*"));
	assert_true(topic("leader.replication.throttled.replicas", ""));
	assert_true(
	    topic("leader.replication.throttled.replicas", "0:1,1:2"));
	assert_true(topic("leader.replication.throttled.replicas", " "));
	assert_true(topic("leader.replication.throttled.replicas", "0:1,"));
	assert_false(topic("leader.replication.throttled.replicas", "0"));
	assert_false(topic("leader.replication.throttled.replicas", ":1"));
	assert_false(topic("leader.replication.throttled.replicas", "a:b"));
}

static bool
offset_reset(const char *value)
{
	return check(CONFIG_TABLE_GROUP, "share.auto.offset.reset", value);
}

static void
groups_begin_where_they_say(void **state UNUSED)
{
	assert_true(offset_reset("latest"));
	assert_true(offset_reset("earliest"));
	assert_true(offset_reset("by_duration:PT1H"));
	assert_true(offset_reset("by_duration:P1DT2H3M4.5S"));
	assert_false(offset_reset("none"));
	assert_false(offset_reset("by_duration"));
	assert_false(offset_reset("by_duration:"));
	assert_false(offset_reset("by_duration:P"));
	assert_false(offset_reset("by_duration:PT"));
	assert_false(offset_reset("by_duration:Plenty"));
	assert_false(offset_reset("by_duration:PT-1H"));
	assert_false(offset_reset("by_duration:-PT1H"));
}

static void
expect_fault_in(enum config_table table, const char *name, const char *value,
    const char *expected)
{
	struct arena arena;
	struct slice message;

	arena_init(&arena, 4096);
	assert_false(config_key_check(
	    config_key_find(table, slice_str(name)), slice_str(value), &arena,
	    &message));
	assert_true(slice_equal_str(message, expected));
	arena_reset(&arena);
}

static void
expect_fault(const char *name, const char *value, const char *expected)
{
	expect_fault_in(CONFIG_TABLE_TOPIC, name, value, expected);
}

static void
faults_are_told_as_kafka_tells_them(void **state UNUSED)
{
	expect_fault_in(CONFIG_TABLE_GROUP, "share.auto.offset.reset", "none",
	    "Invalid value none for configuration share.auto.offset.reset: "
	    "Invalid value `none` for configuration share.auto.offset.reset. "
	    "The value must be either 'earliest', 'latest' or of the format "
	    "'by_duration:<PnDTnHnMn.nS>'.");
	expect_fault("cleanup.policy", "compact,purge",
	    "Invalid value purge for configuration cleanup.policy: "
	    "String must be one of: compact, delete");
	expect_fault("cleanup.policy", "compact,",
	    "Configuration 'cleanup.policy' values must not be empty.");
	expect_fault("compression.gzip.level", " 10 ",
	    "Invalid value 10 for configuration compression.gzip.level: "
	    "Value must be between 1 and 9 or equal to -1");
	expect_fault("min.cleanable.dirty.ratio", "2",
	    "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: "
	    "Value must be no more than 1");
	expect_fault("segment.bytes", "many",
	    "Invalid value many for configuration segment.bytes: "
	    "Not a number of type INT");
	expect_fault("leader.replication.throttled.replicas", "0:1,1",
	    "Invalid value [0:1, 1] for configuration "
	    "leader.replication.throttled.replicas: "
	    "leader.replication.throttled.replicas must be the literal '*' "
	    "or a list of replicas in the following format: "
	    "[partitionId]:[brokerId],[partitionId]:[brokerId],...");
}

static void
numbers_are_read_whole(void **state UNUSED)
{
	int64_t number;
	double real;
	bool flag;

	assert_int_equal(config_key_int64(slice_str(" 12 "), &number), 0);
	assert_int_equal(number, 12);
	assert_int_equal(config_key_int64(SLICE_NULL, &number), -1);
	assert_int_equal(config_key_int64(slice_str("1 2"), &number), -1);
	assert_int_equal(config_key_int64(slice_str("0x10"), &number), -1);
	assert_int_equal(config_key_double(slice_str("1e3"), &real), 0);
	assert_true(real > 999 && real < 1001);
	assert_int_equal(config_key_bool(slice_str(" TRUE"), &flag), 0);
	assert_true(flag);
	assert_int_equal(config_key_bool(slice_str("tru"), &flag), -1);
}

static void
expect_text(enum config_table table, const char *name, const char *value,
    const char *expected)
{
	struct arena arena;

	arena_init(&arena, 4096);
	assert_true(slice_equal_str(
	    config_key_text(config_key_find(table, slice_str(name)),
		slice_str(value), &arena),
	    expected));
	arena_reset(&arena);
}

static void
texts_are_those_of_parsed_values(void **state UNUSED)
{
	expect_text(CONFIG_TABLE_TOPIC, "preallocate", "TRUE", "true");
	expect_text(CONFIG_TABLE_TOPIC, "retention.ms", " 007", "7");
	expect_text(CONFIG_TABLE_TOPIC, "min.cleanable.dirty.ratio", "0.50",
	    "0.5");
	expect_text(CONFIG_TABLE_TOPIC, "min.cleanable.dirty.ratio", "1",
	    "1.0");
	expect_text(CONFIG_TABLE_TOPIC, "min.cleanable.dirty.ratio", "1e-3",
	    "0.001");
	expect_text(CONFIG_TABLE_TOPIC, "min.cleanable.dirty.ratio", "0.00012",
	    "1.2E-4");
	expect_text(CONFIG_TABLE_BROKER, "log.cleaner.io.max.bytes.per.second",
	    "9999999.5", "9999999.5");
	expect_text(CONFIG_TABLE_BROKER, "log.cleaner.io.max.bytes.per.second",
	    "1e7", "1.0E7");
	expect_text(CONFIG_TABLE_BROKER, "log.cleaner.io.max.bytes.per.second",
	    "1.7976931348623157E308", "1.7976931348623157E308");
	expect_text(CONFIG_TABLE_TOPIC, "cleanup.policy", "compact, delete",
	    "compact,delete");
	expect_text(CONFIG_TABLE_TOPIC, "cleanup.policy", "compact,compact",
	    "compact");
	expect_text(CONFIG_TABLE_TOPIC, "compression.type", "zstd", "zstd");
	expect_text(CONFIG_TABLE_TOPIC, "compression.type", " zstd\t", "zstd");
	expect_text(CONFIG_TABLE_TOPIC, "retention.ms", NULL, NULL);
	expect_text(CONFIG_TABLE_TOPIC, "retention.ms", "odd", "odd");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_sorted_and_defaults_valid),
		cmocka_unit_test(numbers_have_types_and_ranges),
		cmocka_unit_test(words_are_of_a_few),
		cmocka_unit_test(lists_have_rules),
		cmocka_unit_test(groups_begin_where_they_say),
		cmocka_unit_test(faults_are_told_as_kafka_tells_them),
		cmocka_unit_test(numbers_are_read_whole),
		cmocka_unit_test(texts_are_those_of_parsed_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
