/*
 * Adding partitions to topics: the checks in the order of Kafka's
 * ReplicationControlManager.
 */
#include "base/base.h"
#include "base/tally.h"
#include "meta/assignment.h"
#include "meta/topic_ops.h"

struct addition {
	struct create_partitions_op *op;
	struct controller *controller;
	const struct kp_create_partitions_request_topic *in;
	struct kp_create_partitions_response_result *out;
	const struct topic_image *topic;
	struct assignment assignment;
};

static enum kp_error
check_count(struct addition *addition)
{
	struct arena *arena = addition->op->arena;
	int32_t now = addition->topic->partitions_count;
	int32_t wanted = addition->in->count;

	if (wanted > PARTITION_IMAGE_ID_MAX + 1) {
		addition->out->error_message = arena_printf(arena,
		    "A topic cannot have more than %d partitions.",
		    PARTITION_IMAGE_ID_MAX + 1);
		return KP_INVALID_PARTITIONS;
	}
	if (wanted > now)
		return KP_NONE;
	addition->out->error_message = wanted == now ?
	    arena_printf(arena, "Topic already has %d partition(s).", now) :
	    arena_printf(arena,
		"The topic %.*s currently has %d partition(s); %d would not "
		"be an increase.",
		SLICE_ARG(addition->in->name), now, wanted);
	return KP_INVALID_PARTITIONS;
}

static int32_t
factor_of(const struct topic_image *topic)
{
	return topic->partitions[0]->replicas.count;
}

/* As many as are added, where they are given. */
static enum kp_error
check_assignments(struct addition *addition, int32_t added)
{
	int32_t given = addition->in->assignments_count;

	if (given < 0 || given == added)
		return KP_NONE;
	addition->out->error_message = arena_printf(addition->op->arena,
	    "Attempted to add %d additional partition(s), but only "
	    "%d assignment(s) were specified.",
	    added, given);
	return KP_INVALID_REPLICA_ASSIGNMENT;
}

static enum kp_error
take_assigned(struct addition *addition, int32_t added)
{
	const struct kp_create_partitions_request_topic *in = addition->in;
	struct assignment *assignment = &addition->assignment;
	struct arena *arena = addition->op->arena;

	assignment->partitions_count = added;
	assignment->partitions = arena_xcalloc(arena, (size_t)added,
	    sizeof(*assignment->partitions));
	for (int32_t i = 0; i < added; i++) {
		const struct kp_create_partitions_request_assignment *a =
		    &in->assignments[i];
		enum kp_error error = assignment_check(addition->controller,
		    a->broker_ids, a->broker_ids_count,
		    factor_of(addition->topic), arena,
		    &addition->out->error_message);

		if (error != KP_NONE)
			return error;
		assignment_take(addition->controller, a->broker_ids,
		    a->broker_ids_count, arena, &assignment->partitions[i]);
	}
	return KP_NONE;
}

static enum kp_error
assign(struct addition *addition)
{
	int32_t added =
	    addition->in->count - addition->topic->partitions_count;
	enum kp_error error = check_assignments(addition, added);

	if (error != KP_NONE)
		return error;
	if (!mutation_quota_spend(addition->op->quota, added))
		return KP_THROTTLING_QUOTA_EXCEEDED;
	if (addition->in->assignments_count >= 0)
		return take_assigned(addition, added);
	return assignment_place(addition->controller, added,
	    factor_of(addition->topic), addition->op->arena,
	    &addition->assignment, &addition->out->error_message);
}

static enum kp_error
add(struct addition *addition)
{
	struct slice name = addition->in->name;
	enum kp_error error;

	if (!access_allowed(addition->op->access, ACCESS_ALTER, ACCESS_TOPIC,
		name))
		return KP_TOPIC_AUTHORIZATION_FAILED;
	addition->topic =
	    delta_topic(controller_view(addition->controller), name);
	if (addition->topic == NULL)
		return KP_UNKNOWN_TOPIC_OR_PARTITION;
	error = check_count(addition);
	if (error == KP_NONE)
		error = assign(addition);
	if (error == KP_NONE && !addition->op->request->validate_only)
		assignment_emit(addition->controller, addition->topic->id,
		    addition->topic->partitions_count,
		    &addition->assignment, addition->op->arena);
	return error;
}

/* All that would be added: an operation has a maximum. */
static int64_t
partitions_asked(const struct create_partitions_op *op,
    const struct delta *view)
{
	int64_t total = 0;

	for (int32_t i = 0; i < op->request->topics_count; i++) {
		const struct topic_image *topic =
		    delta_topic(view, op->request->topics[i].name);

		if (topic != NULL)
			total += MAX((int64_t)op->request->topics[i].count -
				topic->partitions_count, 0);
	}
	return total;
}

static enum kp_error
whole_request_error(const struct create_partitions_op *op,
    const struct controller *controller, const char **message)
{
	*message = NULL;
	if (op->request->timeout_ms <= 0)
		return KP_REQUEST_TIMED_OUT;
	if (partitions_asked(op, controller_view(controller)) <=
	    CONTROLLER_RECORDS_MAX)
		return KP_NONE;
	*message = "Excessively large number of partitions per request.";
	return KP_POLICY_VIOLATION;
}

static void
run_topics(struct create_partitions_op *op, struct controller *controller,
    const struct tally *names)
{
	const char *message;
	enum kp_error whole = whole_request_error(op, controller, &message);
	struct tally seen;

	tally_init(&seen);
	for (int32_t i = 0; i < op->request->topics_count; i++) {
		struct addition addition = {
			.op = op,
			.controller = controller,
			.in = &op->request->topics[i],
		};
		struct slice name = addition.in->name;
		enum kp_error error = whole;

		if (tally_add(&seen, name) > 1)
			continue;
		addition.out =
		    &op->response.results[op->response.results_count++];
		addition.out->name = name;
		addition.out->error_message = slice_str(message);
		if (tally_count(names, name) > 1) {
			addition.out->error_message =
			    slice_str("Duplicate topic name.");
			error = KP_INVALID_REQUEST;
		}
		if (error == KP_NONE)
			error = add(&addition);
		addition.out->error_code = (int16_t)error;
	}
	tally_fini(&seen);
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct create_partitions_op *op =
	    CONTAINER_OF(base, struct create_partitions_op, op);
	int32_t count = MAX(op->request->topics_count, 0);
	struct tally names;

	kp_defaults(&kp_create_partitions_response, &op->response);
	mutation_quota_begin(op->quota);
	op->response.results = kp_array(op->arena,
	    &kp_create_partitions_response_result_struct, count);
	assert(op->response.results != NULL);
	tally_init(&names);
	for (int32_t i = 0; i < count; i++)
		(void)tally_add(&names, op->request->topics[i].name);
	run_topics(op, controller, &names);
	tally_fini(&names);
}

void
create_partitions_op_init(struct create_partitions_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
