/*
 * IncrementalAlterConfigs, versions 0-1.  Loggers are changed here and now,
 * everything else by the controller.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "api/broker_logger.h"
#include "base/tally.h"
#include "meta/config_ops.h"

struct call {
	struct admin_call admin;
	struct incremental_alter_configs_op op;
	struct kp_incremental_alter_configs_request stored;
	struct kp_incremental_alter_configs_response response;
};

static bool
is_logger(const struct kp_incremental_alter_configs_request_resource *in)
{
	return in->resource_type == IMAGE_CONFIG_BROKER_LOGGER;
}

static void
alter_logger(struct request *request, bool twice,
    const struct kp_incremental_alter_configs_request_resource *in,
    struct kp_incremental_alter_configs_response_resource *out)
{
	const struct kp_incremental_alter_configs_request *body =
	    request->body;

	if (!twice) {
		broker_logger_alter(request, in, body->validate_only, out);
		return;
	}
	out->resource_type = in->resource_type;
	out->resource_name = in->resource_name;
	out->error_code = KP_INVALID_REQUEST;
	out->error_message =
	    slice_str("Each resource must appear at most once.");
}

/* Carry out what the controller does not see; answers are added to out. */
static void
alter_loggers(struct request *request,
    struct kp_incremental_alter_configs_response_resource *out)
{
	const struct kp_incremental_alter_configs_request *body =
	    request->body;
	struct tally names;

	tally_init(&names);
	for (int32_t i = 0; i < body->resources_count; i++)
		if (is_logger(&body->resources[i]))
			(void)tally_add(&names,
			    body->resources[i].resource_name);
	for (int32_t i = 0; i < body->resources_count; i++) {
		const struct kp_incremental_alter_configs_request_resource
		    *in = &body->resources[i];

		if (is_logger(in))
			alter_logger(request,
			    tally_count(&names, in->resource_name) > 1, in,
			    out++);
	}
	tally_fini(&names);
}

/* Loggers go behind what the controller answered. */
static void
add_loggers(struct call *call)
{
	struct request *request = call->admin.request;
	const struct kp_incremental_alter_configs_request *body =
	    request->body;
	struct kp_incremental_alter_configs_response *response =
	    &call->response;
	struct kp_incremental_alter_configs_response_resource *entries;

	entries = kp_array(&request->arena,
	    &kp_incremental_alter_configs_response_resource_struct,
	    body->resources_count);
	assert(entries != NULL);
	*response = call->op.response;
	if (response->responses_count > 0)
		memcpy(entries, response->responses,
		    (size_t)response->responses_count * sizeof(*entries));
	alter_loggers(request, entries + response->responses_count);
	response->responses = entries;
	response->responses_count = body->resources_count;
}

static void
done(struct controller_op *op)
{
	struct call *call = CONTAINER_OF(op, struct call, op.op);

	add_loggers(call);
	admin_call_done(&call->admin);
}

/* The request without its loggers. */
static void
take_stored(struct call *call,
    const struct kp_incremental_alter_configs_request *body)
{
	struct request *request = call->admin.request;

	call->stored = *body;
	call->stored.resources_count = 0;
	call->stored.resources = arena_xcalloc(&request->arena,
	    (size_t)MAX(body->resources_count, 0),
	    sizeof(*call->stored.resources));
	for (int32_t i = 0; i < body->resources_count; i++)
		if (body->resources[i].resource_type !=
		    IMAGE_CONFIG_BROKER_LOGGER)
			call->stored
			    .resources[call->stored.resources_count++] =
			    body->resources[i];
}

static void
handle_incremental_alter_configs(struct request *request)
{
	struct call *call = arena_xcalloc(&request->arena, 1, sizeof(*call));

	admin_call_init(&call->admin, request);
	take_stored(call, request->body);
	incremental_alter_configs_op_init(&call->op);
	call->op.request = &call->stored;
	call->op.node_id = request->node_id;
	call->op.access = &call->admin.access;
	call->op.arena = &request->arena;
	call->op.op.done = done;
	admin_call_submit(&call->admin, &call->op.op, &call->response);
}

static void
fail_incremental_alter_configs(struct request *request, enum kp_error error)
{
	const struct kp_incremental_alter_configs_request *body = request->body;
	struct kp_incremental_alter_configs_response *response = request_response_new(request);
	struct kp_incremental_alter_configs_response_resource *entries;

	entries = kp_array(&request->arena,
	    &kp_incremental_alter_configs_response_resource_struct, body->resources_count);
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

const struct api api_incremental_alter_configs =
    API_ROW(incremental_alter_configs, API_ENTRIES,
    .flags = API_CHANGES,
    .fail = fail_incremental_alter_configs);
