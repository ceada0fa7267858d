/*
 * CreateTopics, versions 2-7.  An answered topic serves: its partitions have
 * their logs and their leader.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "meta/topic_ops.h"

/* From here on the controller's quota refuses; before, it only throttles. */
#define VERSION_STRICT_QUOTA 6

struct call {
	struct admin_call admin;
	struct create_topics_op op;
	struct mutation_call mutation;
};

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.op)->admin);
}

static void
handle_create_topics(struct request *request)
{
	struct call *call = arena_xcalloc(&request->arena, 1, sizeof(*call));

	admin_call_init(&call->admin, request);
	create_topics_op_init(&call->op);
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
fail_create_topics(struct request *request, enum kp_error error)
{
	const struct kp_create_topics_request *body = request->body;
	struct kp_create_topics_response *response = request_response_new(request);
	struct kp_create_topics_response_topic *entries;

	entries = kp_array(&request->arena,
	    &kp_create_topics_response_topic_struct, body->topics_count);
	assert(entries != NULL);
	for (int32_t i = 0; i < body->topics_count; i++) {
		entries[i].name = body->topics[i].name;
		entries[i].error_code = (int16_t)error;
	}
	response->topics = entries;
	response->topics_count = body->topics_count;
	request_reply(request, response);
}

const struct api api_create_topics = API_ROW(create_topics, API_ENTRIES,
    .flags = API_CHANGES,
    .fail = fail_create_topics);
