/*
 * Creating topics: the checks in the order of Kafka's ControllerApis and
 * ReplicationControlManager.
 */
#include "base/base.h"
#include "base/tally.h"
#include "meta/assignment.h"
#include "meta/configs.h"
#include "meta/elr.h"
#include "meta/topic_ops.h"
#include "wire/generated/metadata_config_record.h"
#include "wire/generated/metadata_topic_record.h"

#define METADATA_TOPIC "__cluster_metadata"
#define PARTITIONS_MAX 10000

/* One topic on its way. */
struct creation {
	struct create_topics_op *op;
	struct controller *controller;
	const struct kp_create_topics_request_topic *in;
	struct kp_create_topics_response_topic *out;
	struct config_set *configs;	/* what it brings along */
	struct assignment assignment;
};

static enum kp_error
refuse(struct creation *creation, enum kp_error error, const char *message)
{
	creation->out->error_message = slice_str(message);
	return error;
}

/* --- Names --------------------------------------------------------------- */

static bool
may_create(const struct create_topics_op *op, struct slice name)
{
	return access_allowed(op->access, ACCESS_CREATE, ACCESS_CLUSTER,
		   ACCESS_CLUSTER_NAME) ||
	    access_allowed(op->access, ACCESS_CREATE, ACCESS_TOPIC, name);
}

static enum kp_error
check_name(struct creation *creation)
{
	const struct delta *view = controller_view(creation->controller);
	struct arena *arena = creation->op->arena;
	struct slice name = creation->in->name;
	const struct topic_image *other;
	const char *reason;

	if (!topic_image_name_valid(name, &reason))
		return refuse(creation, KP_INVALID_TOPIC_EXCEPTION, reason);
	if (delta_topic(view, name) != NULL) {
		creation->out->error_message = arena_printf(arena,
		    "Topic '%.*s' already exists.", SLICE_ARG(name));
		return KP_TOPIC_ALREADY_EXISTS;
	}
	other = delta_topic_colliding(view, name);
	if (other == NULL)
		return KP_NONE;
	creation->out->error_message = arena_printf(arena,
	    "Topic '%.*s' collides with existing topic: %.*s",
	    SLICE_ARG(name), SLICE_ARG(other->name));
	return KP_INVALID_TOPIC_EXCEPTION;
}

/* --- Configs ------------------------------------------------------------- */

static enum kp_error
check_configs(struct creation *creation)
{
	const struct kp_create_topics_request_topic *in = creation->in;

	for (int32_t i = 0; i < in->configs_count; i++) {
		if (slice_is_null(in->configs[i].value)) {
			creation->out->error_message = arena_printf(
			    creation->op->arena,
			    "Null value not supported for topic configs: "
			    "%.*s",
			    SLICE_ARG(in->configs[i].name));
			return KP_INVALID_CONFIG;
		}
		config_set_put(creation->configs, in->configs[i].name,
		    in->configs[i].value);
	}
	return configs_check(controller_configs(creation->controller),
	    IMAGE_CONFIG_TOPIC, creation->configs, creation->op->arena,
	    &creation->out->error_message);
}

/* --- Partitions ---------------------------------------------------------- */

static enum kp_error
take_assigned(struct creation *creation)
{
	const struct kp_create_topics_request_topic *in = creation->in;
	struct assignment *assignment = &creation->assignment;
	struct arena *arena = creation->op->arena;
	int32_t count = in->assignments_count;

	assignment->partitions_count = count;
	assignment->partitions = arena_xcalloc(arena, (size_t)count,
	    sizeof(*assignment->partitions));
	for (int32_t i = 0; i < count; i++) {
		const struct kp_create_topics_request_assignment *a =
		    &in->assignments[i];
		struct assignment_partition *out;
		enum kp_error error;

		if (a->partition_index < 0 || a->partition_index >= count)
			return refuse(creation, KP_INVALID_REPLICA_ASSIGNMENT,
			    "partitions should be a consecutive 0-based "
			    "integer sequence");
		out = &assignment->partitions[a->partition_index];
		if (out->replicas != NULL)
			return refuse(creation, KP_INVALID_REPLICA_ASSIGNMENT,
			    "Found multiple manual partition assignments for "
			    "a partition");
		error = assignment_check(creation->controller, a->broker_ids,
		    a->broker_ids_count,
		    i == 0 ? -1 : in->assignments[0].broker_ids_count, arena,
		    &creation->out->error_message);
		if (error != KP_NONE)
			return error;
		assignment_take(creation->controller, a->broker_ids,
		    a->broker_ids_count, arena, out);
	}
	return KP_NONE;
}

static enum kp_error
place(struct creation *creation)
{
	const struct configs *configs =
	    controller_configs(creation->controller);
	int32_t factor = creation->in->replication_factor;
	int32_t count = creation->in->num_partitions;

	if (factor == 0 || factor < -1)
		return refuse(creation, KP_INVALID_REPLICATION_FACTOR,
		    "Replication factor must be larger than 0, or -1 to use "
		    "the default value.");
	if (count == 0 || count < -1)
		return refuse(creation, KP_INVALID_PARTITIONS,
		    "Number of partitions was set to an invalid non-positive "
		    "value.");
	if (factor == -1)
		factor = (int32_t)configs_broker_int64(configs,
		    "default.replication.factor");
	if (count == -1)
		count =
		    (int32_t)configs_broker_int64(configs, "num.partitions");
	return assignment_place(creation->controller, count, factor,
	    creation->op->arena, &creation->assignment,
	    &creation->out->error_message);
}

static enum kp_error
assign(struct creation *creation)
{
	const struct kp_create_topics_request_topic *in = creation->in;

	if (in->assignments_count <= 0)
		return place(creation);
	if (in->replication_factor != -1)
		return refuse(creation, KP_INVALID_REQUEST,
		    "A manual partition assignment was specified, but "
		    "replication factor was not set to -1.");
	if (in->num_partitions != -1)
		return refuse(creation, KP_INVALID_REQUEST,
		    "A manual partition assignment was specified, but "
		    "numPartitions was not set to -1.");
	return take_assigned(creation);
}

/* --- Doing it ------------------------------------------------------------ */

static void
emit(struct creation *creation, struct uuid id)
{
	const struct kp_topic_record topic = {
		.name = creation->in->name,
		.topic_id = id,
	};

	controller_emit(creation->controller, METADATA_RECORD_TOPIC, &topic);
	for (uint32_t i = 0; i < creation->configs->count; i++) {
		const struct kp_config_record config = {
			.resource_type = IMAGE_CONFIG_TOPIC,
			.resource_name = creation->in->name,
			.name = creation->configs->entries[i].name,
			.value = creation->configs->entries[i].value,
		};

		controller_emit(creation->controller, METADATA_RECORD_CONFIG,
		    &config);
	}
	/* There is nothing to clear, but so it is written. */
	if (!slice_is_null(config_set_get(creation->configs,
		slice_str("min.insync.replicas"))))
		elr_emit_cleared(creation->controller, IMAGE_CONFIG_TOPIC,
		    creation->in->name);
	assignment_emit(creation->controller, id, 0, &creation->assignment,
	    creation->op->arena);
}

/* What is not for the answer is given back topic by topic. */
static void
fill_configs(struct creation *creation)
{
	struct kp_create_topics_response_topic *out = creation->out;
	struct config_entry *entries;
	struct arena scratch;
	int32_t count;

	arena_init(&scratch, SIZE_MAX);
	entries = configs_describe_topic(
	    controller_configs(creation->controller), creation->configs,
	    &scratch, &count);
	out->configs = arena_xcalloc(creation->op->arena, (size_t)count,
	    sizeof(*out->configs));
	out->configs_count = count;
	for (int32_t i = 0; i < count; i++) {
		/* Names are the table's. */
		out->configs[i].name = entries[i].name;
		out->configs[i].value = arena_copy(creation->op->arena,
		    entries[i].value);
		out->configs[i].read_only = entries[i].read_only;
		out->configs[i].config_source = (int8_t)entries[i].source;
		out->configs[i].is_sensitive = entries[i].sensitive;
	}
	arena_reset(&scratch);
}

static void
fill_success(struct creation *creation, struct uuid id)
{
	struct kp_create_topics_response_topic *out = creation->out;
	const struct assignment *assignment = &creation->assignment;

	out->topic_id = id;
	out->error_message = SLICE_NULL;
	if (!access_allowed(creation->op->access, ACCESS_DESCRIBE_CONFIGS,
		ACCESS_TOPIC, out->name)) {
		out->topic_config_error_code = KP_TOPIC_AUTHORIZATION_FAILED;
		return;
	}
	out->num_partitions = assignment->partitions_count;
	out->replication_factor =
	    (int16_t)assignment->partitions[0].replicas_count;
	fill_configs(creation);
}

static enum kp_error
create(struct creation *creation)
{
	enum kp_error error = check_name(creation);
	struct uuid id;

	if (error == KP_NONE)
		error = check_configs(creation);
	if (error == KP_NONE)
		error = assign(creation);
	if (error != KP_NONE)
		return error;
	if (!mutation_quota_spend(creation->op->quota,
		creation->assignment.partitions_count))
		return KP_THROTTLING_QUOTA_EXCEEDED;
	id = controller_random_id(creation->controller);
	fill_success(creation, id);
	if (!creation->op->request->validate_only)
		emit(creation, id);
	return KP_NONE;
}

/* What is refused before the topic itself is looked at. */
static enum kp_error
check_entry(struct creation *creation)
{
	struct slice name = creation->in->name;

	if (slice_equal_str(name, METADATA_TOPIC)) {
		creation->out->error_message = arena_printf(
		    creation->op->arena,
		    "Creation of internal topic %s is prohibited.",
		    METADATA_TOPIC);
		return KP_INVALID_REQUEST;
	}
	if (!may_create(creation->op, name))
		return refuse(creation, KP_TOPIC_AUTHORIZATION_FAILED,
		    "Authorization failed.");
	return KP_NONE;
}

/* A topic may ask for the default number, which counts as well. */
static int64_t
partitions_asked(const struct create_topics_op *op,
    const struct controller *controller)
{
	int64_t total = 0, otherwise = configs_broker_int64(
	    controller_configs(controller), "num.partitions");

	for (int32_t i = 0; i < op->request->topics_count; i++) {
		const struct kp_create_topics_request_topic *topic =
		    &op->request->topics[i];

		if (topic->assignments_count > 0)
			total += topic->assignments_count;
		else if (topic->num_partitions == -1)
			total += otherwise;
		else
			total += MAX(topic->num_partitions, 0);
	}
	return total;
}

static int64_t
configs_asked(const struct create_topics_op *op)
{
	int64_t total = 0;

	for (int32_t i = 0; i < op->request->topics_count; i++)
		total += MAX(op->request->topics[i].configs_count, 0);
	return total;
}

static enum kp_error
whole_request_error(const struct create_topics_op *op,
    const struct controller *controller, const char **message)
{
	*message = NULL;
	if (op->request->timeout_ms <= 0)
		return KP_REQUEST_TIMED_OUT;
	if (partitions_asked(op, controller) > PARTITIONS_MAX) {
		*message =
		    "Excessively large number of partitions per request.";
		return KP_POLICY_VIOLATION;
	}
	if (configs_asked(op) > CONTROLLER_RECORDS_MAX) {
		*message =
		    "Unable to perform excessively large batch operation.";
		return KP_POLICY_VIOLATION;
	}
	return KP_NONE;
}

/* One name of the request; error is that of all of it. */
static enum kp_error
run_topic(struct creation *creation, bool twice, enum kp_error error)
{
	if (twice)
		return refuse(creation, KP_INVALID_REQUEST,
		    "Duplicate topic name.");
	if (error == KP_NONE)
		error = check_entry(creation);
	if (error == KP_NONE)
		error = create(creation);
	return error;
}

static void
run_topics(struct create_topics_op *op, struct controller *controller,
    const struct tally *names)
{
	const char *message;
	enum kp_error whole = whole_request_error(op, controller, &message);
	struct tally seen;

	tally_init(&seen);
	for (int32_t i = 0; i < op->request->topics_count; i++) {
		struct creation creation = {
			.op = op,
			.controller = controller,
			.in = &op->request->topics[i],
		};
		struct slice name = creation.in->name;

		if (tally_add(&seen, name) > 1)
			continue;
		creation.out =
		    &op->response.topics[op->response.topics_count++];
		creation.out->name = name;
		creation.out->error_message = slice_str(message);
		creation.configs = config_set_new();
		creation.out->error_code = (int16_t)run_topic(&creation,
		    tally_count(names, name) > 1, whole);
		config_set_unref(creation.configs);
	}
	tally_fini(&seen);
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct create_topics_op *op =
	    CONTAINER_OF(base, struct create_topics_op, op);
	int32_t count = MAX(op->request->topics_count, 0);
	struct tally names;

	kp_defaults(&kp_create_topics_response, &op->response);
	mutation_quota_begin(op->quota);
	op->response.topics = kp_array(op->arena,
	    &kp_create_topics_response_topic_struct, count);
	assert(op->response.topics != NULL);
	tally_init(&names);
	for (int32_t i = 0; i < count; i++)
		(void)tally_add(&names, op->request->topics[i].name);
	run_topics(op, controller, &names);
	tally_fini(&names);
}

void
create_topics_op_init(struct create_topics_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
