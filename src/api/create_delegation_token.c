/*
 * CreateDelegationToken, versions 1-3: a token with which others may act as
 * its owner for a while.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "api/session.h"
#include "auth/delegation_token_ops.h"

struct call {
	struct admin_call admin;
	struct create_delegation_token_op op;
};

/* Without a token all its times are -1. */
static void
refuse(struct request *request, enum kp_error error,
    struct kp_create_delegation_token_response *response)
{
	response->error_code = (int16_t)error;
	response->issue_timestamp_ms = -1;
	response->expiry_timestamp_ms = -1;
	response->max_timestamp_ms = -1;
	request_reply(request, response);
}

/* Who it was about is not said then. */
static void
fail_create_delegation_token(struct request *request, enum kp_error error)
{
	struct kp_create_delegation_token_response *response =
	    request_response_new(request);

	(void)principal_split(PRINCIPAL_ANONYMOUS.name,
	    &response->principal_type, &response->principal_name);
	response->token_requester_principal_type = response->principal_type;
	response->token_requester_principal_name = response->principal_name;
	refuse(request, error, response);
}

/* Everybody may make tokens of his own. */
static bool
may_create(struct request *request, struct slice type, struct slice name)
{
	struct slice owner = principal_join(&request->arena, type, name);

	return slice_equal(owner, request->principal.name) ||
	    request_allows(
		request, ACL_CREATE_TOKENS, ACL_RESOURCE_USER, owner);
}

static bool
renewers_valid(const struct kp_create_delegation_token_request *body)
{
	for (int32_t i = 0; i < body->renewers_count; i++)
		if (!slice_equal_str(body->renewers[i].principal_type, "User"))
			return false;
	return true;
}

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.call.op)->admin);
}

static void
submit(struct request *request)
{
	struct call *call = arena_xcalloc(&request->arena, 1, sizeof(*call));

	admin_call_init(&call->admin, request);
	create_delegation_token_op_init(&call->op);
	call->op.call.tokens = request->server->tokens;
	call->op.call.principal = request->principal.name;
	call->op.call.arena = &request->arena;
	call->op.call.op.done = done;
	call->op.request = request->body;
	admin_call_submit(
	    &call->admin, &call->op.call.op, &call->op.response);
}

static void
handle_create_delegation_token(struct request *request)
{
	const struct kp_create_delegation_token_request *body = request->body;
	struct kp_create_delegation_token_response *response =
	    request_response_new(request);

	create_delegation_token_owner(body, request->principal.name,
	    &response->principal_type, &response->principal_name);
	(void)principal_split(request->principal.name,
	    &response->token_requester_principal_type,
	    &response->token_requester_principal_name);
	if (slice_is_null(response->principal_type))
		/* A name without a type, which Kafka trips over. */
		request_fail(request, KP_UNKNOWN_SERVER_ERROR);
	else if (!session_allows_tokens(request))
		refuse(
		    request, KP_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, response);
	else if (!may_create(request, response->principal_type,
		     response->principal_name))
		refuse(request, KP_DELEGATION_TOKEN_AUTHORIZATION_FAILED,
		    response);
	else if (!renewers_valid(body))
		refuse(request, KP_INVALID_PRINCIPAL_TYPE, response);
	else
		submit(request);
}

const struct api api_create_delegation_token =
    API_ROW(create_delegation_token, API_ENTRIES, .flags = API_CHANGES,
	.fail = fail_create_delegation_token);
