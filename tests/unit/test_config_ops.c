/* Altering configurations: Kafka's checks, and what is stored. */
#include "unit/meta_rig.h"

#include <stdio.h>

#include "meta/config_ops.h"
#include "meta/configs.h"
#include "meta/listener_stores.h"
#include "wire/generated/metadata_feature_level_record.h"

struct setting {
	struct meta_rig rig;
	struct kp_incremental_alter_configs_request request;
	struct kp_incremental_alter_configs_request_resource resources[2];
	struct kp_incremental_alter_configs_request_config configs[3];
	struct incremental_alter_configs_op op;
	struct access access;
	bool denied;
	struct listener_stores stores;	/* of the listener "tls" */
	const char *refusal;		/* what they say, or NULL */
	int checks;			/* how often they were asked */
	char location[8];		/* of the last one */
};

static bool
allowed(const struct access *access, enum access_operation operation UNUSED,
    enum access_resource resource UNUSED, struct slice name UNUSED)
{
	return !CONTAINER_OF_CONST(access, struct setting, access)->denied;
}

static bool
has_stores(struct listener_stores *stores UNUSED, struct slice listener)
{
	return slice_equal_str(listener, "tls");
}

static enum kp_error
check_stores(struct listener_stores *stores, struct slice listener,
    const struct config_set *own, struct arena *arena UNUSED,
    struct slice *message)
{
	struct setting *s = CONTAINER_OF(stores, struct setting, stores);
	struct slice location = config_set_get(
	    own, slice_str("listener.name.tls.ssl.keystore.location"));

	assert_true(slice_equal_str(listener, "tls"));
	s->checks++;
	snprintf(s->location, sizeof(s->location), "%.*s",
	    SLICE_ARG(location));
	*message = slice_str(s->refusal);
	return s->refusal == NULL ? KP_NONE : KP_INVALID_REQUEST;
}

static int
setup(void **state)
{
	struct setting *s = xcalloc(1, sizeof(*s));

	meta_rig_init(&s->rig);
	s->stores = (struct listener_stores){ has_stores, check_stores };
	s->rig.stores = &s->stores;
	meta_rig_start(&s->rig);
	meta_rig_topic(&s->rig, "t", 1);
	s->access.allowed = allowed;
	s->request.resources = s->resources;
	s->request.resources_count = 1;
	s->resources[0].configs = s->configs;
	s->resources[0].configs_count = 1;
	*state = s;
	return 0;
}

/* The answer's code for the first resource. */
static enum kp_error
run(struct setting *s)
{
	incremental_alter_configs_op_init(&s->op);
	s->op.request = &s->request;
	s->op.node_id = META_RIG_NODE;
	s->op.access = &s->access;
	s->op.arena = &s->rig.arena;
	assert_int_equal(meta_rig_call(&s->rig, &s->op.op), KP_NONE);
	return (enum kp_error)s->op.response.responses[0].error_code;
}

static enum kp_error
alter(struct setting *s, int8_t type, const char *name, const char *key,
    int8_t operation, const char *value)
{
	s->resources[0].resource_type = type;
	s->resources[0].resource_name = slice_str(name);
	s->configs[0].name = slice_str(key);
	s->configs[0].config_operation = operation;
	s->configs[0].value = slice_str(value);
	return run(s);
}

static enum kp_error
set(struct setting *s, int8_t type, const char *name, const char *key,
    const char *value)
{
	return alter(s, type, name, key, 0, value);
}

static bool
says(const struct setting *s, const char *message)
{
	return slice_equal_str(s->op.response.responses[0].error_message,
	    message);
}

static bool
stored(struct setting *s, enum image_config_type type, const char *name,
    const char *key, const char *value)
{
	return slice_equal(config_set_get(image_configs(s->rig.image, type,
					      slice_str(name)),
			       slice_str(key)),
	    slice_str(value));
}

static void
topics_take_their_keys(void **state)
{
	struct setting *s = *state;

	assert_int_equal(set(s, 2, "t", "retention.ms", "5"), KP_NONE);
	assert_true(stored(s, IMAGE_CONFIG_TOPIC, "t", "retention.ms", "5"));
	assert_int_equal(alter(s, 2, "t", "retention.ms", 1, NULL), KP_NONE);
	assert_true(stored(s, IMAGE_CONFIG_TOPIC, "t", "retention.ms", NULL));
	assert_int_equal(alter(s, 2, "t", "no.such", 1, NULL), KP_NONE);
	assert_int_equal(set(s, 2, "t", "no.such", "1"), KP_INVALID_CONFIG);
	assert_true(says(s, "Unknown topic config name: no.such"));
	assert_int_equal(set(s, 2, "t", "segment.bytes", "5"),
	    KP_INVALID_CONFIG);
	assert_int_equal(set(s, 2, "u", "retention.ms", "5"),
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_true(says(s, "The topic 'u' does not exist."));
	assert_int_equal(set(s, 2, "u", "retention.ms", "x"),
	    KP_INVALID_CONFIG);
	assert_int_equal(set(s, 2, "", "retention.ms", "5"),
	    KP_INVALID_REQUEST);
}

static void
lists_grow_and_shrink(void **state)
{
	struct setting *s = *state;

	assert_int_equal(
	    alter(s, 2, "t", "cleanup.policy", 2, "compact"), KP_NONE);
	assert_true(stored(s, IMAGE_CONFIG_TOPIC, "t", "cleanup.policy",
	    "delete,compact"));
	assert_int_equal(
	    alter(s, 2, "t", "cleanup.policy", 2, "compact,delete"), KP_NONE);
	assert_true(stored(s, IMAGE_CONFIG_TOPIC, "t", "cleanup.policy",
	    "delete,compact"));
	assert_int_equal(
	    alter(s, 2, "t", "cleanup.policy", 3, "delete"), KP_NONE);
	assert_true(stored(s, IMAGE_CONFIG_TOPIC, "t", "cleanup.policy",
	    "compact"));
	assert_int_equal(alter(s, 2, "t", "retention.ms", 2, "1"),
	    KP_INVALID_CONFIG);
	assert_true(says(s,
	    "Can't APPEND to key retention.ms because its type is not "
	    "LIST."));
}

/* A stored string is never longer than a record can hold. */
static void
lists_have_a_maximum(void **state)
{
	static const char key[] = "leader.replication.throttled.replicas";
	struct setting *s = *state;
	enum kp_error error = KP_NONE;
	char *list = xcalloc(1, 12001);

	for (int round = 0; round < 4 && error == KP_NONE; round++) {
		size_t len = 0;

		for (int i = 0; i < 1000; i++)
			len += (size_t)snprintf(list + len, 12001 - len,
			    "%s%04d:%05d", i > 0 ? "," : "", i, round);
		error = alter(s, 2, "t", key, 2, list);
	}
	assert_int_equal(error, KP_INVALID_CONFIG);
	free(list);
	list = xcalloc(1, 32769);
	memset(list, '1', 32768);
	assert_int_equal(set(s, 2, "t", key, list), KP_INVALID_CONFIG);
	free(list);
}

static void
requests_must_make_sense(void **state)
{
	struct setting *s = *state;

	assert_int_equal(set(s, 2, "t", "retention.ms", NULL),
	    KP_INVALID_REQUEST);
	assert_true(says(s, "Null value not supported for : retention.ms"));
	assert_int_equal(alter(s, 2, "t", "retention.ms", 9, "1"),
	    KP_INVALID_REQUEST);
	s->configs[1] = s->configs[0];
	s->configs[0].config_operation = s->configs[1].config_operation = 0;
	s->resources[0].configs_count = 2;
	assert_int_equal(run(s), KP_INVALID_REQUEST);
	assert_true(says(s, "Error due to duplicate config keys"));
	s->resources[0].configs_count = 1;
	s->resources[1] = s->resources[0];
	s->request.resources_count = 2;
	assert_int_equal(run(s), KP_INVALID_REQUEST);
	assert_true(says(s, "Each resource must appear at most once."));
	assert_int_equal(s->op.response.responses[1].error_code,
	    KP_INVALID_REQUEST);
	/* The same name under another type is another resource. */
	s->resources[1].resource_type = IMAGE_CONFIG_GROUP;
	s->resources[1].configs_count = 0;
	assert_int_equal(run(s), KP_NONE);
	s->request.resources_count = 1;
	assert_int_equal(set(s, 99, "t", "x", "1"), KP_INVALID_REQUEST);
	assert_true(says(s, "Unknown resource type 99"));
	assert_true(stored(s, IMAGE_CONFIG_TOPIC, "t", "retention.ms", "1"));
}

static void
permissions_come_before_values(void **state)
{
	struct setting *s = *state;

	s->denied = true;
	assert_int_equal(set(s, 2, "nope", "retention.ms", "x"),
	    KP_TOPIC_AUTHORIZATION_FAILED);
	assert_int_equal(set(s, 32, "g", "x", "x"),
	    KP_GROUP_AUTHORIZATION_FAILED);
	assert_int_equal(set(s, 4, "1", "x", "x"),
	    KP_CLUSTER_AUTHORIZATION_FAILED);
}

static void
validation_stores_nothing(void **state)
{
	struct setting *s = *state;

	s->request.validate_only = true;
	assert_int_equal(set(s, 2, "t", "retention.ms", "5"), KP_NONE);
	assert_true(stored(s, IMAGE_CONFIG_TOPIC, "t", "retention.ms", NULL));
	assert_int_equal(set(s, 2, "t", "retention.ms", "x"),
	    KP_INVALID_CONFIG);
}

static void
brokers_take_dynamic_keys(void **state)
{
	struct setting *s = *state;

	assert_int_equal(set(s, 4, "1", "log.retention.ms", "7"), KP_NONE);
	assert_int_equal(set(s, 4, "", "log.retention.ms", "8"), KP_NONE);
	assert_int_equal(configs_broker_int64(s->rig.configs,
			     "log.retention.ms"),
	    7);
	assert_int_equal(alter(s, 4, "1", "log.retention.ms", 1, NULL),
	    KP_NONE);
	assert_int_equal(configs_broker_int64(s->rig.configs,
			     "log.retention.ms"),
	    8);
	assert_int_equal(set(s, 4, "2", "log.retention.ms", "7"),
	    KP_INVALID_REQUEST);
	assert_true(says(s, "Unexpected broker id, expected 1 or empty "
			    "string, but received 2"));
	assert_int_equal(set(s, 4, "1", "node.id", "7"), KP_INVALID_REQUEST);
	assert_true(says(s,
	    "Cannot update these configs dynamically: [node.id]"));
	assert_int_equal(set(s, 4, "", "ssl.keystore.location", "/x"),
	    KP_INVALID_REQUEST);
	assert_int_equal(set(s, 4, "1", "log.cleaner.threads", "9"),
	    KP_INVALID_REQUEST);
	assert_int_equal(set(s, 4, "1", "log.cleaner.threads", "0"),
	    KP_INVALID_REQUEST);
	assert_int_equal(set(s, 4, "1", "log.cleaner.threads", "2"), KP_NONE);
	assert_int_equal(set(s, 4, "1", "log.retention.ms", "x"),
	    KP_INVALID_REQUEST);
	/* Nobody is to believe that a password has changed. */
	assert_int_equal(
	    set(s, 4, "1", "listener.name.x.plain.sasl.jaas.config", "y"),
	    KP_INVALID_REQUEST);
	assert_true(says(s,
	    "Cannot update these configs dynamically: "
	    "[listener.name.x.plain.sasl.jaas.config]"));
	assert_int_equal(set(s, 4, "1", "listener.name.x.ssl.keystore.key",
			     "y"),
	    KP_INVALID_REQUEST);
	/* A plugin's, for all we know. */
	assert_int_equal(set(s, 4, "1", "my.plugin", "x"), KP_NONE);
	assert_true(stored(s, IMAGE_CONFIG_BROKER, "1", "my.plugin", "x"));
}

/* DynamicLogConfig and KafkaConfig.validateValues of Kafka. */
static void
the_logs_keys_must_fit_together(void **state)
{
	static const struct {
		const char *name, *key, *value, *message;
	} bad[] = {
		{ "", "log.retention.ms", "0",
		    "requirement failed: log.retention.ms must be unlimited "
		    "(-1) or, greater than or equal to 1" },
		{ "1", "log.roll.ms", "0",
		    "requirement failed: log.roll.ms must be greater than or "
		    "equal to 1" },
		{ "", "log.cleaner.dedupe.buffer.size", "1048576",
		    "requirement failed: log.cleaner.dedupe.buffer.size must "
		    "be at least 1MB per cleaner thread." },
		{ "", "log.local.retention.ms", "604800001",
		    "Invalid value 604800001 for configuration "
		    "log.local.retention.ms: Value must not be more than "
		    "log.retention.ms property value: 604800000" },
		{ "", "log.local.retention.ms", "-1",
		    "Invalid value -1 for configuration "
		    "log.local.retention.ms: Value must not be -1 as "
		    "log.retention.ms value is set as 604800000." },
	};
	struct setting *s = *state;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(set(s, 4, bad[i].name, bad[i].key,
				     bad[i].value),
		    KP_INVALID_REQUEST);
		assert_true(says(s, bad[i].message));
	}
	assert_int_equal(set(s, 4, "", "log.local.retention.bytes", "9"),
	    KP_NONE);
	assert_int_equal(set(s, 4, "1", "log.retention.bytes", "8"),
	    KP_INVALID_REQUEST);
	assert_int_equal(set(s, 4, "1", "log.retention.bytes", "9"), KP_NONE);
	/* The broker's own value is what counts, whoever changes another. */
	assert_int_equal(set(s, 4, "", "log.local.retention.bytes", "10"),
	    KP_INVALID_REQUEST);
}

static void
min_isr_is_the_clusters_with_elr(void **state)
{
	struct setting *s = *state;
	struct kp_feature_level_record elr = {
		.name = slice_str("eligible.leader.replicas.version"),
	};

	assert_int_equal(
	    meta_rig_emit(&s->rig, METADATA_RECORD_FEATURE_LEVEL, &elr),
	    KP_NONE);
	assert_int_equal(set(s, 4, "1", "min.insync.replicas", "1"), KP_NONE);
	assert_int_equal(alter(s, 4, "1", "min.insync.replicas", 1, NULL),
	    KP_NONE);
	elr.feature_level = 1;
	assert_int_equal(
	    meta_rig_emit(&s->rig, METADATA_RECORD_FEATURE_LEVEL, &elr),
	    KP_NONE);
	assert_int_equal(set(s, 4, "1", "min.insync.replicas", "1"),
	    KP_INVALID_CONFIG);
	/* It has none, but is not to be named. */
	assert_int_equal(alter(s, 4, "1", "min.insync.replicas", 1, NULL),
	    KP_INVALID_CONFIG);
	assert_true(says(s, "Broker-level min.insync.replicas cannot be "
			    "altered while ELR is enabled."));
	assert_int_equal(set(s, 4, "", "min.insync.replicas", "1"), KP_NONE);
	assert_int_equal(alter(s, 4, "", "min.insync.replicas", 1, NULL),
	    KP_INVALID_CONFIG);
	assert_int_equal(set(s, 4, "", "min.insync.replicas", "2"), KP_NONE);
}

static void
groups_stay_within_the_brokers_bounds(void **state)
{
	struct setting *s = *state;

	assert_int_equal(
	    set(s, 32, "g", "consumer.session.timeout.ms", "50000"), KP_NONE);
	assert_int_equal(
	    set(s, 32, "g", "consumer.session.timeout.ms", "44999"),
	    KP_INVALID_CONFIG);
	assert_true(says(s, "consumer.session.timeout.ms must be greater than "
			    "or equal to "
			    "group.consumer.min.session.timeout.ms"));
	assert_int_equal(
	    set(s, 32, "g", "consumer.session.timeout.ms", "60001"),
	    KP_INVALID_CONFIG);
	assert_int_equal(set(s, 32, "g", "streams.num.standby.replicas", "3"),
	    KP_INVALID_CONFIG);
	assert_int_equal(set(s, 32, "g", "no.such", "1"), KP_INVALID_CONFIG);
	assert_int_equal(set(s, 32, "", "share.session.timeout.ms", "50000"),
	    KP_INVALID_REQUEST);
}

static void
a_session_outlives_its_heartbeats(void **state)
{
	struct setting *s = *state;

	meta_rig_stop(&s->rig);
	meta_rig_config(&s->rig, "group.consumer.max.heartbeat.interval.ms",
	    "90000");
	meta_rig_start(&s->rig);
	assert_int_equal(
	    set(s, 32, "g", "consumer.heartbeat.interval.ms", "44999"),
	    KP_NONE);
	assert_int_equal(
	    set(s, 32, "g", "consumer.heartbeat.interval.ms", "45000"),
	    KP_INVALID_CONFIG);
}

static void
client_metrics_are_checked(void **state)
{
	struct setting *s = *state;

	assert_int_equal(set(s, 16, "m", "interval.ms", "100"), KP_NONE);
	assert_int_equal(set(s, 16, "m", "interval.ms", "99"),
	    KP_INVALID_REQUEST);
	assert_int_equal(set(s, 16, "m", "no.such", "1"),
	    KP_INVALID_REQUEST);
	assert_int_equal(
	    set(s, 16, "m", "match", "client_id=a.*,client_source_port=1"),
	    KP_NONE);
	assert_int_equal(set(s, 16, "m", "match", "nonsense"),
	    KP_INVALID_CONFIG);
	assert_int_equal(set(s, 16, "m", "match", "client=1"),
	    KP_INVALID_CONFIG);
}

/* The same value again is no change, and so no record. */
static void
only_changes_are_written(void **state)
{
	struct setting *s = *state;
	int64_t end;

	assert_int_equal(set(s, 2, "t", "retention.ms", "5"), KP_NONE);
	end = metadata_log_end_offset(s->rig.log);
	assert_int_equal(set(s, 2, "t", "retention.ms", "5"), KP_NONE);
	assert_int_equal(alter(s, 2, "t", "flush.ms", 1, NULL), KP_NONE);
	assert_int_equal(metadata_log_end_offset(s->rig.log), end);
}

#define STORE "listener.name.tls.ssl.keystore.location"

static void
stores_are_checked_before_they_count(void **state)
{
	struct setting *s = *state;

	assert_int_equal(set(s, 4, "1", STORE, "a"), KP_NONE);
	assert_int_equal(s->checks, 1);
	assert_string_equal(s->location, "a");
	s->refusal = "not that one";
	assert_int_equal(set(s, 4, "1", STORE, "b"), KP_INVALID_REQUEST);
	assert_true(says(s, "not that one"));
	assert_string_equal(s->location, "b");
	assert_true(stored(s, IMAGE_CONFIG_BROKER, "1", STORE, "a"));
	s->request.validate_only = true;
	assert_int_equal(set(s, 4, "1", STORE, "b"), KP_INVALID_REQUEST);
	s->refusal = NULL;
	assert_int_equal(set(s, 4, "1", STORE, "b"), KP_NONE);
	s->request.validate_only = false;
	assert_true(stored(s, IMAGE_CONFIG_BROKER, "1", STORE, "a"));
	assert_int_equal(s->checks, 4);
	/* No store is asked for what does not concern it. */
	assert_int_equal(set(s, 4, "1", "log.retention.ms", "9"), KP_NONE);
	assert_int_equal(s->checks, 4);
	/* What the file says has to fit, too. */
	s->refusal = "nor that one";
	assert_int_equal(alter(s, 4, "1", STORE, 1, NULL), KP_INVALID_REQUEST);
	assert_string_equal(s->location, "");
	s->refusal = NULL;
	assert_int_equal(alter(s, 4, "1", STORE, 1, NULL), KP_NONE);
	assert_true(stored(s, IMAGE_CONFIG_BROKER, "1", STORE, NULL));
	assert_int_equal(s->checks, 6);
}

/* The same file may hold something else by now. */
static void
stores_that_are_named_again_are_told(void **state)
{
	struct setting *s = *state;
	int64_t end;

	assert_int_equal(set(s, 4, "1", STORE, "a"), KP_NONE);
	end = metadata_log_end_offset(s->rig.log);
	assert_int_equal(set(s, 4, "1", STORE, "a"), KP_NONE);
	assert_int_equal(s->checks, 2);
	assert_int_equal(metadata_log_end_offset(s->rig.log), end + 1);
	assert_true(stored(s, IMAGE_CONFIG_BROKER, "1", STORE, "a"));
}

static void
stores_are_a_brokers_and_a_listeners(void **state)
{
	struct setting *s = *state;

	assert_int_equal(set(s, 4, "", STORE, "a"), KP_INVALID_REQUEST);
	assert_true(says(s,
	    "Cannot update these configs at default cluster level, broker id "
	    "must be specified: [" STORE "]"));
	assert_int_equal(set(s, 4, "1", "listener.name.x.ssl.keystore.type",
			     "PEM"),
	    KP_INVALID_REQUEST);
	assert_true(says(s,
	    "Cannot update these configs dynamically: "
	    "[listener.name.x.ssl.keystore.type]"));
	/* Left behind by a listener that is gone. */
	assert_int_equal(alter(s, 4, "1", "listener.name.x.ssl.keystore.type",
			     1, NULL),
	    KP_NONE);
	assert_int_equal(set(s, 4, "1", "listener.name.tls.ssl.client.auth",
			     "none"),
	    KP_INVALID_REQUEST);
	assert_int_equal(set(s, 4, "1", "listener.name.tls.", "none"),
	    KP_NONE);
	assert_int_equal(s->checks, 0);
}

/* A listener is asked once, however many of its keys are named. */
static void
stores_are_checked_together(void **state)
{
	struct setting *s = *state;

	s->resources[0].configs_count = 2;
	s->configs[1].name = slice_str("listener.name.tls.ssl.keystore.type");
	s->configs[1].value = slice_str("PEM");
	assert_int_equal(set(s, 4, "1", STORE, "a"), KP_NONE);
	assert_int_equal(s->checks, 1);
}

static void
too_many_are_refused(void **state)
{
	struct setting *s = *state;
	const int32_t count = 10001;
	struct kp_incremental_alter_configs_request_config *configs =
	    xcalloc((size_t)count, sizeof(*configs));

	s->resources[0].resource_type = IMAGE_CONFIG_BROKER;
	s->resources[0].resource_name = slice_str("");
	s->resources[0].configs = configs;
	s->resources[0].configs_count = count;
	assert_int_equal(run(s), KP_POLICY_VIOLATION);
	free(configs);
}

/* An answer to DescribeConfigs has to hold whatever is stored. */
static void
a_broker_has_a_maximum_of_keys(void **state)
{
	struct setting *s = *state;
	/* With min.insync.replicas, which is there, one too many. */
	const int32_t count = 1000;
	struct kp_incremental_alter_configs_request_config *configs =
	    xcalloc((size_t)count, sizeof(*configs));
	char *large = xcalloc(1, 32001);

	for (int32_t i = 0; i < count; i++) {
		configs[i].name =
		    arena_printf(&s->rig.arena, "foreign.%d", i);
		configs[i].value = slice_str("x");
	}
	s->resources[0].resource_type = IMAGE_CONFIG_BROKER;
	s->resources[0].resource_name = slice_str("");
	s->resources[0].configs = configs;
	s->resources[0].configs_count = count;
	assert_int_equal(run(s), KP_INVALID_CONFIG);
	s->resources[0].configs_count = count - 1;
	assert_int_equal(run(s), KP_NONE);
	/* Nor may they be of any size. */
	memset(large, 'x', 32000);
	for (int32_t i = 0; i < count; i++)
		configs[i].value = slice_str(large);
	assert_int_equal(run(s), KP_INVALID_CONFIG);
	s->resources[0].configs_count = 10;
	assert_int_equal(run(s), KP_NONE);
	s->resources[0].configs_count = 1;
	configs[0].config_operation = 1;
	assert_int_equal(run(s), KP_NONE);
	free(large);
	free(configs);
}

/* Who is locked out could not even take it back. */
static void
nobody_is_locked_out(void **state)
{
	struct setting *s = *state;

	assert_int_equal(set(s, 4, "1", "max.connections", "0"),
	    KP_INVALID_REQUEST);
	assert_true(says(s, "Invalid max.connections 0"));
	assert_int_equal(set(s, 4, "", "max.connections", "0"),
	    KP_INVALID_REQUEST);
	assert_int_equal(set(s, 4, "1", "max.connections", "1"), KP_NONE);
	assert_int_equal(set(s, 4, "", "max.connections.per.ip", "0"),
	    KP_INVALID_REQUEST);
	assert_int_equal(set(s, 4, "", "max.connections.per.ip.overrides",
			     "127.0.0.1"),
	    KP_INVALID_REQUEST);
	assert_int_equal(set(s, 4, "", "max.connections.per.ip.overrides",
			     "127.0.0.1:5, ::1:7"),
	    KP_NONE);
	assert_int_equal(set(s, 4, "1", "max.connections.per.ip", "0"),
	    KP_NONE);
	assert_int_equal(alter(s, 4, "1", "max.connections.per.ip", 1, NULL),
	    KP_NONE);
	assert_int_equal(set(s, 4, "", "max.connections.per.ip", "0"),
	    KP_NONE);
	assert_int_equal(alter(s, 4, "", "max.connections.per.ip.overrides",
			     1, NULL),
	    KP_INVALID_REQUEST);
}

/* What took time in proportion to the square of the items. */
static void
long_lists_are_joined_at_once(void **state)
{
	static const char key[] = "leader.replication.throttled.replicas";
	struct setting *s = *state;
	const size_t size = 31999;
	char *list = xcalloc(1, size + 2);
	const int32_t count = 200;
	struct kp_incremental_alter_configs_request_resource *resources =
	    xcalloc((size_t)count, sizeof(*resources));
	char names[200][8];
	int32_t refused = 0;

	for (size_t i = 0; i < 4000; i++)
		snprintf(list + 8 * i, 9, "%05zu:1,", i);
	s->configs[0].name = slice_str(key);
	s->configs[0].config_operation = 2;
	s->configs[0].value = slice_of(list, size);
	for (int32_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d", i);
		resources[i] = s->resources[0];
		resources[i].resource_type = IMAGE_CONFIG_TOPIC;
		resources[i].resource_name = slice_str(names[i]);
	}
	s->request.resources = resources;
	s->request.resources_count = count;
	/* The first are no topics; what is too much is not even looked at. */
	assert_int_equal(run(s), KP_UNKNOWN_TOPIC_OR_PARTITION);
	for (int32_t i = 0; i < count; i++)
		refused += s->op.response.responses[i].error_code ==
		    KP_POLICY_VIOLATION;
	assert_int_equal(refused, count - 4 * 1024 * 1024 / (int32_t)size);
	free(resources);
	free(list);
}

static void
the_legacy_request_replaces_everything(void **state)
{
	struct setting *s = *state;
	struct kp_alter_configs_request_config config = {
		.name = slice_str("segment.ms"),
		.value = slice_str("9"),
	};
	struct kp_alter_configs_request_resource resource = {
		.resource_type = IMAGE_CONFIG_TOPIC,
		.resource_name = slice_str("t"),
		.configs = &config,
		.configs_count = 1,
	};
	struct kp_alter_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};
	struct alter_configs_op op;

	assert_int_equal(set(s, 2, "t", "retention.ms", "5"), KP_NONE);
	alter_configs_op_init(&op);
	op.request = &request;
	op.node_id = META_RIG_NODE;
	op.arena = &s->rig.arena;
	assert_int_equal(meta_rig_call(&s->rig, &op.op), KP_NONE);
	assert_int_equal(op.response.responses[0].error_code, KP_NONE);
	assert_true(stored(s, IMAGE_CONFIG_TOPIC, "t", "segment.ms", "9"));
	assert_true(stored(s, IMAGE_CONFIG_TOPIC, "t", "retention.ms", NULL));
	/* Loggers are not for it. */
	resource.resource_type = IMAGE_CONFIG_BROKER_LOGGER;
	assert_int_equal(meta_rig_call(&s->rig, &op.op), KP_NONE);
	assert_int_equal(op.response.responses[0].error_code,
	    KP_INVALID_REQUEST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                       \
	cmocka_unit_test_setup_teardown(name, setup, \
	    meta_rig_teardown)
		TEST(topics_take_their_keys),
		TEST(lists_grow_and_shrink),
		TEST(lists_have_a_maximum),
		TEST(requests_must_make_sense),
		TEST(permissions_come_before_values),
		TEST(validation_stores_nothing),
		TEST(brokers_take_dynamic_keys),
		TEST(the_logs_keys_must_fit_together),
		TEST(min_isr_is_the_clusters_with_elr),
		TEST(groups_stay_within_the_brokers_bounds),
		TEST(a_session_outlives_its_heartbeats),
		TEST(client_metrics_are_checked),
		TEST(only_changes_are_written),
		TEST(stores_are_checked_before_they_count),
		TEST(stores_that_are_named_again_are_told),
		TEST(stores_are_a_brokers_and_a_listeners),
		TEST(stores_are_checked_together),
		TEST(too_many_are_refused),
		TEST(a_broker_has_a_maximum_of_keys),
		TEST(nobody_is_locked_out),
		TEST(long_lists_are_joined_at_once),
		TEST(the_legacy_request_replaces_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
