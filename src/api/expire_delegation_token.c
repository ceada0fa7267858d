/*
 * ExpireDelegationToken, versions 1-2: ends a delegation token earlier, or now.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "api/session.h"
#include "auth/delegation_token_ops.h"

struct call {
	struct admin_call admin;
	struct expire_delegation_token_op op;
};

static void
refuse(struct request *request)
{
	struct kp_expire_delegation_token_response *response =
	    request_response_new(request);

	response->error_code = KP_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
	response->expiry_timestamp_ms = -1;
	request_reply(request, response);
}

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.call.op)->admin);
}

static void
handle_expire_delegation_token(struct request *request)
{
	struct call *call;

	if (!session_allows_tokens(request)) {
		refuse(request);
		return;
	}
	call = arena_xcalloc(&request->arena, 1, sizeof(*call));
	admin_call_init(&call->admin, request);
	expire_delegation_token_op_init(&call->op);
	call->op.call.tokens = request->server->tokens;
	call->op.call.principal = request->principal.name;
	call->op.call.arena = &request->arena;
	call->op.call.op.done = done;
	call->op.request = request->body;
	admin_call_submit(
	    &call->admin, &call->op.call.op, &call->op.response);
}

/* Who may is owner or renewer; no right is asked for. */
const struct api api_expire_delegation_token =
    API_ROW(expire_delegation_token, API_ENTRIES, .flags = API_CHANGES);
