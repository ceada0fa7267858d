/*
 * CreateAcls, versions 1-3: entries for the access control lists.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "auth/create_acls_op.h"

struct call {
	struct admin_call admin;
	struct create_acls_op op;
};

/* Each entry has the error. */
static void
refuse(struct request *request, enum kp_error error, const char *message)
{
	const struct kp_create_acls_request *body = request->body;
	struct kp_create_acls_response *response =
	    request_response_new(request);

	response->results_count = MAX(body->creations_count, 0);
	response->results = arena_xcalloc(&request->arena,
	    (size_t)response->results_count, sizeof(*response->results));
	for (int32_t i = 0; i < response->results_count; i++) {
		response->results[i].error_code = (int16_t)error;
		response->results[i].error_message = slice_str(message);
	}
	request_reply(request, response);
}

static void
fail_create_acls(struct request *request, enum kp_error error)
{
	refuse(request, error, kp_error_message(error));
}

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.op)->admin);
}

static void
handle_create_acls(struct request *request)
{
	struct call *call;

	if (request->server->authorizer == NULL) {
		refuse(request, KP_SECURITY_DISABLED, AUTHORIZER_NONE);
		return;
	}
	call = arena_xcalloc(&request->arena, 1, sizeof(*call));
	admin_call_init(&call->admin, request);
	create_acls_op_init(&call->op);
	call->op.request = request->body;
	call->op.authorizer = request->server->authorizer;
	call->op.arena = &request->arena;
	call->op.op.done = done;
	admin_call_submit(&call->admin, &call->op.op, &call->op.response);
}

const struct api api_create_acls =
    API_ROW(create_acls, API_CLUSTER(ACL_ALTER),
    .flags = API_CHANGES, .fail = fail_create_acls);
