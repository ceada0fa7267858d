/*
 * DeleteAcls, versions 1-3: the entries that any of some filters finds go, and
 * are told.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "auth/delete_acls_op.h"

struct call {
	struct admin_call admin;
	struct delete_acls_op op;
};

/* Each filter has the error. */
static void
refuse(struct request *request, enum kp_error error, const char *message)
{
	const struct kp_delete_acls_request *body = request->body;
	struct kp_delete_acls_response *response =
	    request_response_new(request);

	response->filter_results_count = MAX(body->filters_count, 0);
	response->filter_results = arena_xcalloc(&request->arena,
	    (size_t)response->filter_results_count,
	    sizeof(*response->filter_results));
	for (int32_t i = 0; i < response->filter_results_count; i++) {
		response->filter_results[i].error_code = (int16_t)error;
		response->filter_results[i].error_message = slice_str(message);
	}
	request_reply(request, response);
}

static void
fail_delete_acls(struct request *request, enum kp_error error)
{
	refuse(request, error, kp_error_message(error));
}

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.op)->admin);
}

static bool
filters_valid(const struct kp_delete_acls_request *body)
{
	for (int32_t i = 0; i < body->filters_count; i++) {
		const struct kp_delete_acls_request_filter *in =
		    &body->filters[i];
		const struct acl filter = {
			.resource_type = in->resource_type_filter,
			.pattern_type = in->pattern_type_filter,
			.operation = in->operation,
			.permission = in->permission_type,
		};

		if (!acl_filter_valid(&filter))
			return false;
	}
	return true;
}

static void
handle_delete_acls(struct request *request)
{
	struct call *call;

	if (!filters_valid(request->body)) {
		request_close(request, "a filter with an unknown code");
		return;
	}
	if (request->server->authorizer == NULL) {
		refuse(request, KP_SECURITY_DISABLED, AUTHORIZER_NONE);
		return;
	}
	call = arena_xcalloc(&request->arena, 1, sizeof(*call));
	admin_call_init(&call->admin, request);
	delete_acls_op_init(&call->op);
	call->op.request = request->body;
	call->op.authorizer = request->server->authorizer;
	call->op.arena = &request->arena;
	call->op.op.done = done;
	admin_call_submit(&call->admin, &call->op.op, &call->op.response);
}

const struct api api_delete_acls =
    API_ROW(delete_acls, API_CLUSTER(ACL_ALTER),
    .flags = API_CHANGES, .fail = fail_delete_acls);
