/* Creating and deleting topics, adding partitions: Kafka's checks, in order. */
#include "unit/meta_rig.h"

#include <stdio.h>

#include "meta/topic_ops.h"
#include "wire/generated/metadata_register_broker_record.h"

struct setting {
	struct meta_rig rig;

	/* One topic to create, to be changed. */
	struct kp_create_topics_request request;
	struct kp_create_topics_request_topic topics[3];
	struct kp_create_topics_request_config configs[3];
	struct kp_create_topics_request_assignment assignments[3];
	struct create_topics_op op;

	struct access access;
	unsigned denied;		/* bits of enum access_operation */
	bool cluster_denied;
};

static bool
allowed(const struct access *access, enum access_operation operation,
    enum access_resource resource, struct slice name UNUSED)
{
	const struct setting *s =
	    CONTAINER_OF_CONST(access, struct setting, access);

	if (resource == ACCESS_CLUSTER)
		return !s->cluster_denied;
	return (s->denied & 1u << operation) == 0;
}

static int
setup(void **state)
{
	struct setting *s = xcalloc(1, sizeof(*s));

	meta_rig_init(&s->rig);
	meta_rig_start(&s->rig);
	s->access.allowed = allowed;
	kp_defaults(&kp_create_topics_request, &s->request);
	for (size_t i = 0; i < COUNT_OF(s->topics); i++) {
		s->topics[i].num_partitions = 1;
		s->topics[i].replication_factor = 1;
		s->topics[i].configs = s->configs;
		s->topics[i].assignments = s->assignments;
	}
	s->topics[0].name = slice_str("t");
	s->request.topics = s->topics;
	s->request.topics_count = 1;
	*state = s;
	return 0;
}

/* The first answer to the request. */
static const struct kp_create_topics_response_topic *
create(struct setting *s)
{
	create_topics_op_init(&s->op);
	s->op.request = &s->request;
	s->op.access = &s->access;
	s->op.arena = &s->rig.arena;
	assert_int_equal(meta_rig_call(&s->rig, &s->op.op), KP_NONE);
	assert_true(s->op.response.topics_count > 0);
	return &s->op.response.topics[0];
}

static void
expect(struct setting *s, enum kp_error error, const char *message)
{
	const struct kp_create_topics_response_topic *out = create(s);

	assert_int_equal(out->error_code, error);
	if (message == NULL)
		assert_true(slice_is_null(out->error_message));
	else
		assert_true(slice_equal_str(out->error_message, message));
	if (error == KP_NONE)
		return;
	assert_int_equal(out->num_partitions, -1);
	assert_int_equal(out->replication_factor, -1);
	assert_true(uuid_is_zero(out->topic_id));
}

/* --- CreateTopics --------------------------------------------------------- */

/* What is asked for must not be allocated before it is known to be had. */
static void
a_huge_factor_costs_nothing(void **state)
{
	struct setting *s = *state;

	arena_reset(&s->rig.arena);
	arena_init(&s->rig.arena, 256 * 1024);
	s->topics[0].replication_factor = INT16_MAX;
	s->topics[0].num_partitions = 1000;
	assert_int_equal(create(s)->error_code,
	    KP_INVALID_REPLICATION_FACTOR);
}

static void
an_answer_tells_what_was_made(void **state)
{
	struct setting *s = *state;
	const struct kp_create_topics_response_topic *out;
	bool found = false;

	s->topics[0].num_partitions = 3;
	s->configs[0].name = slice_str("retention.ms");
	s->configs[0].value = slice_str("1000");
	s->configs[1].name = slice_str("retention.ms");
	s->configs[1].value = slice_str("2000");
	s->topics[0].configs_count = 2;
	out = create(s);
	assert_int_equal(out->error_code, KP_NONE);
	assert_int_equal(out->num_partitions, 3);
	assert_int_equal(out->replication_factor, 1);
	assert_true(uuid_equal(out->topic_id,
	    meta_rig_find(&s->rig, "t")->id));
	assert_int_equal(out->configs_count, 33);
	for (int32_t i = 0; i < out->configs_count; i++) {
		if (i > 0)
			assert_true(slice_compare(out->configs[i - 1].name,
					out->configs[i].name) < 0);
		if (!slice_equal_str(out->configs[i].name, "retention.ms"))
			continue;
		/* Of two the last one counts. */
		assert_true(
		    slice_equal_str(out->configs[i].value, "2000"));
		assert_int_equal(out->configs[i].config_source, 1);
		found = true;
	}
	assert_true(found);
}

static void
names_are_checked(void **state)
{
	struct setting *s = *state;
	char *name = xcalloc(1, 251);

	expect(s, KP_NONE, NULL);
	expect(s, KP_TOPIC_ALREADY_EXISTS, "Topic 't' already exists.");
	/* Before anything else about it. */
	s->topics[0].replication_factor = 9;
	expect(s, KP_TOPIC_ALREADY_EXISTS, "Topic 't' already exists.");
	s->topics[0].replication_factor = 1;
	s->topics[0].name = slice_str("a.b");
	expect(s, KP_NONE, NULL);
	s->topics[0].name = slice_str("a_b");
	expect(s, KP_INVALID_TOPIC_EXCEPTION,
	    "Topic 'a_b' collides with existing topic: a.b");
	s->topics[0].name = slice_str("__cluster_metadata");
	expect(s, KP_INVALID_REQUEST,
	    "Creation of internal topic __cluster_metadata is prohibited.");
	s->topics[0].name = slice_str("");
	assert_int_equal(create(s)->error_code, KP_INVALID_TOPIC_EXCEPTION);
	s->topics[0].name = slice_str("..");
	assert_int_equal(create(s)->error_code, KP_INVALID_TOPIC_EXCEPTION);
	s->topics[0].name = slice_str("a/b");
	assert_int_equal(create(s)->error_code, KP_INVALID_TOPIC_EXCEPTION);
	memset(name, 'n', 250);
	s->topics[0].name = slice_of(name, 250);
	assert_int_equal(create(s)->error_code, KP_INVALID_TOPIC_EXCEPTION);
	s->topics[0].name.len = 249;
	assert_int_equal(create(s)->error_code, KP_NONE);
	s->topics[0].name = slice_str("__consumer_offsets");
	expect(s, KP_NONE, NULL);
	free(name);
}

static void
numbers_are_checked(void **state)
{
	struct setting *s = *state;

	s->topics[0].replication_factor = 0;
	s->topics[0].num_partitions = 0;
	expect(s, KP_INVALID_REPLICATION_FACTOR,
	    "Replication factor must be larger than 0, or -1 to use the "
	    "default value.");
	s->topics[0].replication_factor = 1;
	expect(s, KP_INVALID_PARTITIONS,
	    "Number of partitions was set to an invalid non-positive value.");
	s->topics[0].num_partitions = 1;
	s->topics[0].replication_factor = 2;
	expect(s, KP_INVALID_REPLICATION_FACTOR,
	    "Unable to replicate the partition 2 time(s): The target "
	    "replication factor of 2 cannot be reached because only 1 "
	    "broker(s) are registered.");
	s->topics[0].replication_factor = 1;
	s->topics[0].num_partitions = 10001;
	expect(s, KP_POLICY_VIOLATION,
	    "Excessively large number of partitions per request.");
	s->topics[0].num_partitions = 1;
	s->request.timeout_ms = 0;
	expect(s, KP_REQUEST_TIMED_OUT, NULL);
	assert_null(meta_rig_find(&s->rig, "t"));
}

static void
defaults_are_the_brokers(void **state)
{
	struct setting *s = *state;

	meta_rig_stop(&s->rig);
	meta_rig_config(&s->rig, "num.partitions", "5");
	meta_rig_start(&s->rig);
	s->topics[0].num_partitions = -1;
	s->topics[0].replication_factor = -1;
	assert_int_equal(create(s)->num_partitions, 5);
}

static void
configs_are_checked(void **state)
{
	struct setting *s = *state;

	s->topics[0].replication_factor = 9;
	s->topics[0].configs_count = 1;
	s->configs[0].name = slice_str("no.such");
	s->configs[0].value = slice_str("1");
	expect(s, KP_INVALID_CONFIG, "Unknown topic config name: no.such");
	s->configs[0].name = slice_str("retention.ms");
	s->configs[0].value = SLICE_NULL;
	expect(s, KP_INVALID_CONFIG,
	    "Null value not supported for topic configs: retention.ms");
	s->configs[0].value = slice_str("soon");
	expect(s, KP_INVALID_CONFIG,
	    "Invalid value soon for configuration retention.ms: Not a number "
	    "of type LONG");
	s->configs[0].name = slice_str("remote.storage.enable");
	s->configs[0].value = slice_str("true");
	assert_int_equal(create(s)->error_code, KP_INVALID_CONFIG);
	s->configs[0].name = slice_str("min.compaction.lag.ms");
	s->configs[0].value = slice_str("10");
	s->configs[1].name = slice_str("max.compaction.lag.ms");
	s->configs[1].value = slice_str("9");
	s->topics[0].configs_count = 2;
	assert_int_equal(create(s)->error_code, KP_INVALID_CONFIG);
	assert_null(meta_rig_find(&s->rig, "t"));
}

static void
names_that_come_twice_are_answered_once(void **state)
{
	struct setting *s = *state;

	s->topics[1].name = slice_str("t");
	s->topics[2].name = slice_str("u");
	s->request.topics_count = 3;
	expect(s, KP_INVALID_REQUEST, "Duplicate topic name.");
	assert_int_equal(s->op.response.topics_count, 2);
	assert_int_equal(s->op.response.topics[1].error_code, KP_NONE);
	assert_null(meta_rig_find(&s->rig, "t"));
	assert_non_null(meta_rig_find(&s->rig, "u"));
	/* Names that collide within one request: the second one loses. */
	s->topics[0].name = slice_str("c.d");
	s->topics[1].name = slice_str("c_d");
	s->request.topics_count = 2;
	expect(s, KP_NONE, NULL);
	assert_int_equal(s->op.response.topics[1].error_code,
	    KP_INVALID_TOPIC_EXCEPTION);
}

static void
assignments_are_checked(void **state)
{
	struct setting *s = *state;
	int32_t us[] = { META_RIG_NODE, META_RIG_NODE }, other[] = { 5 };

	s->topics[0].assignments_count = 2;
	for (int32_t i = 0; i < 2; i++)
		s->assignments[i] =
		    (struct kp_create_topics_request_assignment){
			    .partition_index = i,
			    .broker_ids = us,
			    .broker_ids_count = 1,
		    };
	assert_int_equal(create(s)->error_code, KP_INVALID_REQUEST);
	s->topics[0].replication_factor = -1;
	assert_int_equal(create(s)->error_code, KP_INVALID_REQUEST);
	s->topics[0].num_partitions = -1;
	s->assignments[1].partition_index = 2;
	assert_int_equal(create(s)->error_code,
	    KP_INVALID_REPLICA_ASSIGNMENT);
	s->assignments[1].partition_index = 0;
	assert_int_equal(create(s)->error_code,
	    KP_INVALID_REPLICA_ASSIGNMENT);
	s->assignments[1].partition_index = -1;
	assert_int_equal(create(s)->error_code,
	    KP_INVALID_REPLICA_ASSIGNMENT);
	s->assignments[1].partition_index = 1;
	s->assignments[1].broker_ids = other;
	assert_int_equal(create(s)->error_code,
	    KP_INVALID_REPLICA_ASSIGNMENT);
	s->assignments[1].broker_ids = us;
	s->assignments[1].broker_ids_count = 2;
	assert_int_equal(create(s)->error_code,
	    KP_INVALID_REPLICA_ASSIGNMENT);
	s->assignments[1].broker_ids_count = 0;
	assert_int_equal(create(s)->error_code,
	    KP_INVALID_REPLICA_ASSIGNMENT);
	s->assignments[1].broker_ids_count = 1;
	assert_int_equal(create(s)->error_code, KP_NONE);
	assert_int_equal(meta_rig_find(&s->rig, "t")->partitions_count, 2);
}

static void
only_registered_brokers_count(void **state)
{
	struct setting *s = *state;
	struct kp_register_broker_record other;
	const struct partition_image *partition;

	kp_defaults(&kp_register_broker_record, &other);
	other.broker_id = 2;
	other.fenced = true;
	assert_int_equal(
	    meta_rig_emit(&s->rig, METADATA_RECORD_REGISTER_BROKER, &other),
	    KP_NONE);
	s->topics[0].replication_factor = 2;
	assert_int_equal(create(s)->error_code, KP_NONE);
	partition = meta_rig_find(&s->rig, "t")->partitions[0];
	assert_int_equal(partition->replicas.count, 2);
	assert_int_equal(partition->isr.count, 1);
	assert_int_equal(partition->leader, META_RIG_NODE);
}

static void
validation_makes_nothing(void **state)
{
	struct setting *s = *state;
	const struct kp_create_topics_response_topic *out;
	int64_t end = metadata_log_end_offset(s->rig.log);

	s->request.validate_only = true;
	out = create(s);
	assert_int_equal(out->error_code, KP_NONE);
	assert_int_equal(out->num_partitions, 1);
	assert_false(uuid_is_zero(out->topic_id));
	assert_null(meta_rig_find(&s->rig, "t"));
	assert_int_equal(metadata_log_end_offset(s->rig.log), end);
}

static void
permissions_come_first(void **state)
{
	struct setting *s = *state;
	const struct kp_create_topics_response_topic *out;

	s->cluster_denied = true;
	s->denied = 1u << ACCESS_CREATE;
	s->topics[0].name = slice_str("no such name!");
	expect(s, KP_TOPIC_AUTHORIZATION_FAILED, "Authorization failed.");
	s->topics[0].name = slice_str("t");
	s->denied = 1u << ACCESS_DESCRIBE_CONFIGS;
	out = create(s);
	assert_int_equal(out->error_code, KP_NONE);
	assert_int_equal(out->topic_config_error_code,
	    KP_TOPIC_AUTHORIZATION_FAILED);
	assert_int_equal(out->num_partitions, -1);
	assert_int_equal(out->configs_count, 0);
	assert_non_null(meta_rig_find(&s->rig, "t"));
}

/* What took a day when each name was compared with each other. */
static void
long_requests_take_linear_time(void **state)
{
	struct setting *s = *state;
	const int32_t count = 200000;
	char *names = xcalloc((size_t)count, 8);

	s->request.topics = xcalloc((size_t)count, sizeof(*s->request.topics));
	s->request.topics_count = count;
	for (int32_t i = 0; i < count; i++) {
		char *name = names + 8 * i;

		snprintf(name, 8, "n%d", i % (count / 2));
		s->request.topics[i].name = slice_str(name);
		s->request.topics[i].num_partitions = 1;
		s->request.topics[i].replication_factor = 1;
	}
	assert_int_equal(create(s)->error_code, KP_INVALID_REQUEST);
	assert_int_equal(s->op.response.topics_count, count / 2);
	free(s->request.topics);
	free(names);
}

/* --- DeleteTopics --------------------------------------------------------- */

struct deletion {
	struct kp_delete_topics_request_topic topics[3];
	struct kp_delete_topics_request request;
	struct delete_topics_op op;
};

static void
run_delete(struct setting *s, struct deletion *d, int32_t count)
{
	d->request = (struct kp_delete_topics_request){
		.topics = d->topics,
		.topics_count = count,
		.timeout_ms = 1000,
	};
	delete_topics_op_init(&d->op);
	d->op.request = &d->request;
	d->op.version = 6;
	d->op.access = &s->access;
	d->op.arena = &s->rig.arena;
	assert_int_equal(meta_rig_call(&s->rig, &d->op.op), KP_NONE);
}

static void
topics_are_deleted_by_name_and_by_id(void **state)
{
	struct setting *s = *state;
	struct deletion d = { 0 };

	meta_rig_topic(&s->rig, "a", 1);
	meta_rig_topic(&s->rig, "b", 2);
	d.topics[0].name = slice_str("a");
	d.topics[1].topic_id = meta_rig_find(&s->rig, "b")->id;
	run_delete(s, &d, 2);
	assert_int_equal(d.op.response.responses_count, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(d.op.response.responses[i].error_code, 0);
		assert_false(
		    uuid_is_zero(d.op.response.responses[i].topic_id));
	}
	assert_true(slice_equal_str(d.op.response.responses[1].name, "b"));
	assert_int_equal(image_topics_count(s->rig.image), 0);
	/* And the names are free. */
	meta_rig_topic(&s->rig, "a", 1);
}

static void
a_deletion_names_each_topic_once(void **state)
{
	struct setting *s = *state;
	struct deletion d = { 0 };
	struct uuid id;

	meta_rig_topic(&s->rig, "a", 1);
	id = meta_rig_find(&s->rig, "a")->id;
	run_delete(s, &d, 1);
	assert_int_equal(d.op.response.responses[0].error_code,
	    KP_INVALID_REQUEST);
	d.topics[0].name = d.topics[1].name = slice_str("a");
	run_delete(s, &d, 2);
	assert_int_equal(d.op.response.responses_count, 1);
	assert_int_equal(d.op.response.responses[0].error_code,
	    KP_INVALID_REQUEST);
	d.topics[0].topic_id = id;
	run_delete(s, &d, 1);
	assert_int_equal(d.op.response.responses[0].error_code,
	    KP_INVALID_REQUEST);
	d.topics[0] = (struct kp_delete_topics_request_topic){ .topic_id =
								   id };
	run_delete(s, &d, 2);
	assert_int_equal(d.op.response.responses_count, 1);
	assert_int_equal(d.op.response.responses[0].error_code,
	    KP_INVALID_REQUEST);
	assert_true(slice_equal_str(d.op.response.responses[0].name, "a"));
	assert_true(uuid_equal(d.op.response.responses[0].topic_id, id));
	d.topics[1] = d.topics[0];
	run_delete(s, &d, 2);
	assert_int_equal(d.op.response.responses_count, 1);
	assert_int_equal(d.op.response.responses[0].error_code,
	    KP_INVALID_REQUEST);
	assert_non_null(meta_rig_find(&s->rig, "a"));
}

static void
what_is_not_there_cannot_be_deleted(void **state)
{
	struct setting *s = *state;
	struct deletion d = { 0 };

	d.topics[0].name = slice_str("a");
	d.topics[1].topic_id.bytes[3] = 9;
	run_delete(s, &d, 2);
	assert_int_equal(d.op.response.responses[0].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(d.op.response.responses[1].error_code,
	    KP_UNKNOWN_TOPIC_ID);
	assert_false(
	    slice_is_null(d.op.response.responses[0].error_message));
	/* Who may not see it is not told. */
	s->cluster_denied = true;
	s->denied = 1u << ACCESS_DESCRIBE | 1u << ACCESS_DELETE;
	run_delete(s, &d, 1);
	assert_int_equal(d.op.response.responses[0].error_code,
	    KP_TOPIC_AUTHORIZATION_FAILED);
	meta_rig_topic(&s->rig, "b", 1);
	d.topics[0] = (struct kp_delete_topics_request_topic){
		.topic_id = meta_rig_find(&s->rig, "b")->id,
	};
	run_delete(s, &d, 1);
	assert_int_equal(d.op.response.responses[0].error_code,
	    KP_TOPIC_AUTHORIZATION_FAILED);
	assert_true(slice_is_null(d.op.response.responses[0].name));
	assert_non_null(meta_rig_find(&s->rig, "b"));
}

static void
deletion_may_be_switched_off(void **state)
{
	struct setting *s = *state;
	struct deletion d = { 0 };

	meta_rig_stop(&s->rig);
	meta_rig_config(&s->rig, "delete.topic.enable", "false");
	meta_rig_start(&s->rig);
	meta_rig_topic(&s->rig, "a", 1);
	d.topics[0].name = slice_str("a");
	run_delete(s, &d, 1);
	assert_int_equal(d.op.response.responses[0].error_code,
	    KP_TOPIC_DELETION_DISABLED);
	assert_true(slice_is_null(d.op.response.responses[0].error_message));
	assert_non_null(meta_rig_find(&s->rig, "a"));
}

static void
configs_go_with_their_topic(void **state)
{
	struct setting *s = *state;

	meta_rig_topic(&s->rig, "a", 1);
	meta_rig_topic_config(&s->rig, "a", "retention.ms", "5");
	meta_rig_delete(&s->rig, "a");
	meta_rig_topic(&s->rig, "a", 1);
	assert_null(image_configs(s->rig.image, IMAGE_CONFIG_TOPIC,
	    slice_str("a")));
}

/* --- CreatePartitions ----------------------------------------------------- */

struct addition {
	struct kp_create_partitions_request_topic topics[2];
	struct kp_create_partitions_request_assignment assignment;
	struct kp_create_partitions_request request;
	struct create_partitions_op op;
};

static enum kp_error
run_add(struct setting *s, struct addition *a, int32_t count)
{
	a->request.topics = a->topics;
	a->request.topics_count = count;
	a->request.timeout_ms = 1000;
	create_partitions_op_init(&a->op);
	a->op.request = &a->request;
	a->op.access = &s->access;
	a->op.arena = &s->rig.arena;
	assert_int_equal(meta_rig_call(&s->rig, &a->op.op), KP_NONE);
	assert_true(a->op.response.results_count > 0);
	return (enum kp_error)a->op.response.results[0].error_code;
}

static void
partitions_are_added(void **state)
{
	struct setting *s = *state;
	struct addition a = { 0 };
	int32_t us[] = { META_RIG_NODE };
	const struct topic_image *topic;

	meta_rig_topic(&s->rig, "t", 2);
	a.topics[0].name = slice_str("t");
	a.topics[0].assignments_count = -1;
	a.topics[0].count = 2;
	assert_int_equal(run_add(s, &a, 1), KP_INVALID_PARTITIONS);
	assert_true(slice_equal_str(a.op.response.results[0].error_message,
	    "Topic already has 2 partition(s)."));
	a.topics[0].count = 1;
	assert_int_equal(run_add(s, &a, 1), KP_INVALID_PARTITIONS);
	assert_true(slice_equal_str(a.op.response.results[0].error_message,
	    "The topic t currently has 2 partition(s); 1 would not be an "
	    "increase."));
	a.topics[0].count = 20000;
	assert_int_equal(run_add(s, &a, 1), KP_POLICY_VIOLATION);
	a.topics[0].count = INT32_MAX;
	assert_int_equal(run_add(s, &a, 1), KP_POLICY_VIOLATION);
	a.topics[0].count = 3;
	a.topics[0].assignments = &a.assignment;
	a.topics[0].assignments_count = 0;
	assert_int_equal(run_add(s, &a, 1), KP_INVALID_REPLICA_ASSIGNMENT);
	a.topics[0].assignments_count = 1;
	assert_int_equal(run_add(s, &a, 1), KP_INVALID_REPLICA_ASSIGNMENT);
	a.assignment.broker_ids = us;
	a.assignment.broker_ids_count = 1;
	a.request.validate_only = true;
	assert_int_equal(run_add(s, &a, 1), KP_NONE);
	assert_int_equal(meta_rig_find(&s->rig, "t")->partitions_count, 2);
	a.request.validate_only = false;
	assert_int_equal(run_add(s, &a, 1), KP_NONE);
	a.topics[0].assignments_count = -1;
	a.topics[0].count = 6;
	assert_int_equal(run_add(s, &a, 1), KP_NONE);
	topic = meta_rig_find(&s->rig, "t");
	assert_int_equal(topic->partitions_count, 6);
	assert_int_equal(topic->partitions[5]->leader, META_RIG_NODE);
	assert_int_equal(topic->partitions[5]->leader_epoch, 0);
}

static void
additions_name_topics_that_exist_once(void **state)
{
	struct setting *s = *state;
	struct addition a = { 0 };

	a.topics[0].name = slice_str("t");
	a.topics[0].count = 3;
	a.topics[0].assignments_count = -1;
	assert_int_equal(run_add(s, &a, 1), KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_true(slice_is_null(a.op.response.results[0].error_message));
	a.topics[1] = a.topics[0];
	assert_int_equal(run_add(s, &a, 2), KP_INVALID_REQUEST);
	assert_int_equal(a.op.response.results_count, 1);
	s->denied = 1u << ACCESS_ALTER;
	assert_int_equal(run_add(s, &a, 1), KP_TOPIC_AUTHORIZATION_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                       \
	cmocka_unit_test_setup_teardown(name, setup, \
	    meta_rig_teardown)
		TEST(an_answer_tells_what_was_made),
		TEST(a_huge_factor_costs_nothing),
		TEST(names_are_checked),
		TEST(numbers_are_checked),
		TEST(defaults_are_the_brokers),
		TEST(configs_are_checked),
		TEST(names_that_come_twice_are_answered_once),
		TEST(assignments_are_checked),
		TEST(only_registered_brokers_count),
		TEST(validation_makes_nothing),
		TEST(permissions_come_first),
		TEST(long_requests_take_linear_time),
		TEST(topics_are_deleted_by_name_and_by_id),
		TEST(a_deletion_names_each_topic_once),
		TEST(what_is_not_there_cannot_be_deleted),
		TEST(deletion_may_be_switched_off),
		TEST(configs_go_with_their_topic),
		TEST(partitions_are_added),
		TEST(additions_name_topics_that_exist_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
