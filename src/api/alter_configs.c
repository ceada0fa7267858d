/*
 * AlterConfigs, versions 0-2: replaces all of a resource's configuration.
 * Loggers cannot be altered this way; the operation refuses them.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "meta/config_ops.h"

struct call {
	struct admin_call admin;
	struct alter_configs_op op;
};

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.op)->admin);
}

static void
handle_alter_configs(struct request *request)
{
	struct call *call = arena_xcalloc(&request->arena, 1, sizeof(*call));

	admin_call_init(&call->admin, request);
	alter_configs_op_init(&call->op);
	call->op.request = request->body;
	call->op.node_id = request->node_id;
	call->op.access = &call->admin.access;
	call->op.arena = &request->arena;
	call->op.op.done = done;
	admin_call_submit(&call->admin, &call->op.op, &call->op.response);
}

static void
fail_alter_configs(struct request *request, enum kp_error error)
{
	const struct kp_alter_configs_request *body = request->body;
	struct kp_alter_configs_response *response = request_response_new(request);
	struct kp_alter_configs_response_resource *entries;

	entries = kp_array(&request->arena,
	    &kp_alter_configs_response_resource_struct, body->resources_count);
	assert(entries != NULL);
	for (int32_t i = 0; i < body->resources_count; i++) {
		entries[i].resource_type = body->resources[i].resource_type;
		entries[i].resource_name = body->resources[i].resource_name;
		entries[i].error_code = (int16_t)error;
	}
	response->responses = entries;
	response->responses_count = body->resources_count;
	request_reply(request, response);
}

const struct api api_alter_configs = API_ROW(alter_configs, API_ENTRIES,
    .flags = API_CHANGES,
    .fail = fail_alter_configs);
