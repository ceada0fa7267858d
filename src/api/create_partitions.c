/*
 * CreatePartitions, versions 0-3.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "meta/topic_ops.h"

/* From here on the controller's quota refuses; before, it only throttles. */
#define VERSION_STRICT_QUOTA 3

struct call {
	struct admin_call admin;
	struct create_partitions_op op;
	struct mutation_call mutation;
};

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.op)->admin);
}

static void
handle_create_partitions(struct request *request)
{
	struct call *call = arena_xcalloc(&request->arena, 1, sizeof(*call));

	admin_call_init(&call->admin, request);
	create_partitions_op_init(&call->op);
	call->op.request = request->body;
	call->op.access = &call->admin.access;
	mutation_call_init(&call->mutation, request,
	    request->version >= VERSION_STRICT_QUOTA);
	call->admin.mutation = &call->mutation;
	call->op.quota = mutation_call_quota(&call->mutation);
	call->op.arena = &request->arena;
	call->op.op.done = done;
	admin_call_submit(&call->admin, &call->op.op, &call->op.response);
}

static void
fail_create_partitions(struct request *request, enum kp_error error)
{
	const struct kp_create_partitions_request *body = request->body;
	struct kp_create_partitions_response *response = request_response_new(request);
	struct kp_create_partitions_response_result *entries;

	entries = kp_array(&request->arena,
	    &kp_create_partitions_response_result_struct, body->topics_count);
	assert(entries != NULL);
	for (int32_t i = 0; i < body->topics_count; i++) {
		entries[i].name = body->topics[i].name;
		entries[i].error_code = (int16_t)error;
	}
	response->results = entries;
	response->results_count = body->topics_count;
	request_reply(request, response);
}

const struct api api_create_partitions = API_ROW(create_partitions, API_ENTRIES,
    .flags = API_CHANGES,
    .fail = fail_create_partitions);
