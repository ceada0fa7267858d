/*
 * DeleteTopics, versions 1-6: by name, from version 6 on also by id.  An
 * answered topic is gone and its name is free; files go in the background.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "meta/topic_ops.h"

/* From here on the controller's quota refuses; before, it only throttles. */
#define VERSION_STRICT_QUOTA 5

struct call {
	struct admin_call admin;
	struct delete_topics_op op;
	struct mutation_call mutation;
};

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.op)->admin);
}

static void
handle_delete_topics(struct request *request)
{
	struct call *call = arena_xcalloc(&request->arena, 1, sizeof(*call));

	admin_call_init(&call->admin, request);
	delete_topics_op_init(&call->op);
	call->op.request = request->body;
	call->op.version = request->version;
	call->op.access = &call->admin.access;
	mutation_call_init(&call->mutation, request,
	    request->version >= VERSION_STRICT_QUOTA);
	call->admin.mutation = &call->mutation;
	call->op.quota = mutation_call_quota(&call->mutation);
	call->op.arena = &request->arena;
	call->op.op.done = done;
	admin_call_submit(&call->admin, &call->op.op, &call->op.response);
}

/* Below version 6 topics are named in an array of their own. */
static void
fail_delete_topics(struct request *request, enum kp_error error)
{
	const struct kp_delete_topics_request *body = request->body;
	struct kp_delete_topics_response *response =
	    request_response_new(request);
	int32_t count = MAX(body->topics_count, 0) +
	    MAX(body->topic_names_count, 0);
	struct kp_delete_topics_response_topic *entry;

	entry = response->responses = kp_array(&request->arena,
	    &kp_delete_topics_response_topic_struct, count);
	assert(entry != NULL);
	response->responses_count = count;
	for (int32_t i = 0; i < body->topics_count; i++, entry++) {
		entry->name = body->topics[i].name;
		entry->topic_id = body->topics[i].topic_id;
		entry->error_code = (int16_t)error;
	}
	for (int32_t i = 0; i < body->topic_names_count; i++, entry++) {
		entry->name = body->topic_names[i];
		entry->error_code = (int16_t)error;
	}
	request_reply(request, response);
}

const struct api api_delete_topics = API_ROW(delete_topics, API_ENTRIES,
    .flags = API_CHANGES,
    .fail = fail_delete_topics);
