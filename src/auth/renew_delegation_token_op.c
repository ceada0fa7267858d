#include "auth/delegation_token_call.h"
#include "auth/delegation_tokens.h"
#include "base/clock.h"

static int64_t
renewed_until(const struct renew_delegation_token_op *op,
    const struct kp_delegation_token_record *token, int64_t now_ms)
{
	int64_t period_ms =
	    delegation_tokens_settings(op->call.tokens)->expiry_time_ms;

	if (op->request->renew_period_ms > 0)
		period_ms = MIN(period_ms, op->request->renew_period_ms);
	return MIN(token->max_timestamp,
	    delegation_token_call_sum(now_ms, period_ms));
}

static enum kp_error
renew(struct renew_delegation_token_op *op, struct controller *controller)
{
	enum kp_error error =
	    delegation_token_call_check(&op->call, controller);
	struct kp_delegation_token_record *token;
	int64_t now_ms = clock_wall_ms();

	if (error != KP_NONE)
		return error;
	token = delegation_token_call_find(
	    &op->call, controller, op->request->hmac);
	if (token == NULL)
		return KP_DELEGATION_TOKEN_NOT_FOUND;
	if (delegation_token_expired(token, now_ms))
		return KP_DELEGATION_TOKEN_EXPIRED;
	if (!delegation_token_call_allowed(&op->call, token))
		return KP_DELEGATION_TOKEN_OWNER_MISMATCH;
	token->expiration_timestamp = renewed_until(op, token, now_ms);
	controller_emit(controller, METADATA_RECORD_DELEGATION_TOKEN, token);
	op->response.expiry_timestamp_ms = token->expiration_timestamp;
	return KP_NONE;
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct renew_delegation_token_op *op =
	    CONTAINER_OF(base, struct renew_delegation_token_op, call.op);

	kp_defaults(&kp_renew_delegation_token_response, &op->response);
	op->response.error_code = (int16_t)renew(op, controller);
}

void
renew_delegation_token_op_init(struct renew_delegation_token_op *op)
{
	memset(op, 0, sizeof(*op));
	op->call.op.run = run;
}
