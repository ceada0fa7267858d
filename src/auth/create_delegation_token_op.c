#include "auth/delegation_token_call.h"
#include "auth/delegation_tokens.h"
#include "auth/principal.h"
#include "base/clock.h"
#include "wire/codec.h"

/* What the names of one token may take in the metadata. */
#define NAMES_LEN_MAX ((size_t)1 << 20)

void
create_delegation_token_owner(
    const struct kp_create_delegation_token_request *request,
    struct slice principal, struct slice *type, struct slice *name)
{
	bool split;

	if (request->owner_principal_name.len > 0) {
		*type = request->owner_principal_type;
		*name = request->owner_principal_name;
		return;
	}
	split = principal_split(principal, type, name);
	assert(split);
}

/* Could the record be read again? */
static bool
fits(struct slice text, size_t *len)
{
	/* A name's length takes some bytes, too. */
	*len += text.len + 4;
	return text.len <= KP_STRING_LEN_MAX && *len <= NAMES_LEN_MAX;
}

/* "User:alice" of each; false where they are too much. */
static bool
take_names(const struct create_delegation_token_op *op,
    struct kp_delegation_token_record *token)
{
	const struct kp_create_delegation_token_request *request = op->request;
	size_t len = 0;

	token->owner = principal_join(op->call.arena,
	    op->response.principal_type, op->response.principal_name);
	token->requester = op->call.principal;
	if (!fits(token->owner, &len) || !fits(token->requester, &len))
		return false;
	token->renewers = arena_xcalloc(op->call.arena,
	    (size_t)MAX(request->renewers_count, 0), sizeof(*token->renewers));
	for (int32_t i = 0; i < request->renewers_count; i++) {
		struct slice text = principal_join(op->call.arena,
		    request->renewers[i].principal_type,
		    request->renewers[i].principal_name);

		if (!fits(text, &len))
			return false;
		token->renewers[token->renewers_count++] = text;
	}
	return true;
}

static void
set_times(const struct create_delegation_token_op *op,
    struct kp_delegation_token_record *token)
{
	const struct delegation_token_settings *settings =
	    delegation_tokens_settings(op->call.tokens);
	int64_t lifetime_ms = settings->max_lifetime_ms;

	if (op->request->max_lifetime_ms > 0)
		lifetime_ms = MIN(lifetime_ms, op->request->max_lifetime_ms);
	token->issue_timestamp = clock_wall_ms();
	token->max_timestamp =
	    delegation_token_call_sum(token->issue_timestamp, lifetime_ms);
	token->expiration_timestamp = MIN(token->max_timestamp,
	    delegation_token_call_sum(
		token->issue_timestamp, settings->expiry_time_ms));
}

static struct slice
fresh_id(struct arena *arena, struct controller *controller)
{
	char *text = arena_xalloc(arena, UUID_TEXT_LEN + 1);

	uuid_format(controller_random_id(controller), text);
	return slice_str(text);
}

static void
answer(struct create_delegation_token_op *op,
    const struct kp_delegation_token_record *token)
{
	struct kp_create_delegation_token_response *response = &op->response;
	uint8_t *hmac =
	    arena_xalloc(op->call.arena, DELEGATION_TOKEN_HMAC_LEN);

	delegation_tokens_hmac(op->call.tokens, token->token_id, hmac);
	response->issue_timestamp_ms = token->issue_timestamp;
	response->expiry_timestamp_ms = token->expiration_timestamp;
	response->max_timestamp_ms = token->max_timestamp;
	response->token_id = token->token_id;
	response->hmac = slice_of(hmac, DELEGATION_TOKEN_HMAC_LEN);
}

/* It is told to the client and kept with all that it needs, or not at all. */
static enum kp_error
create(struct create_delegation_token_op *op, struct controller *controller)
{
	enum kp_error error =
	    delegation_token_call_check(&op->call, controller);
	struct kp_delegation_token_record token;

	if (error != KP_NONE)
		return error;
	kp_defaults(&kp_delegation_token_record, &token);
	if (!take_names(op, &token))
		return KP_INVALID_REQUEST;
	set_times(op, &token);
	token.token_id = fresh_id(op->call.arena, controller);
	controller_emit(controller, METADATA_RECORD_DELEGATION_TOKEN, &token);
	answer(op, &token);
	return KP_NONE;
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct create_delegation_token_op *op =
	    CONTAINER_OF(base, struct create_delegation_token_op, call.op);
	struct kp_create_delegation_token_response *response = &op->response;
	bool split;

	kp_defaults(&kp_create_delegation_token_response, response);
	create_delegation_token_owner(op->request, op->call.principal,
	    &response->principal_type, &response->principal_name);
	split = principal_split(op->call.principal,
	    &response->token_requester_principal_type,
	    &response->token_requester_principal_name);
	assert(split);
	response->error_code = (int16_t)create(op, controller);
}

void
create_delegation_token_op_init(struct create_delegation_token_op *op)
{
	memset(op, 0, sizeof(*op));
	op->call.op.run = run;
}
