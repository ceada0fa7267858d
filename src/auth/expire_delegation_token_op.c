#include "auth/delegation_token_call.h"
#include "auth/delegation_tokens.h"
#include "base/clock.h"
#include "wire/generated/metadata_remove_delegation_token_record.h"

static void
end_now(struct expire_delegation_token_op *op, struct controller *controller,
    const struct kp_delegation_token_record *token, int64_t now_ms)
{
	const struct kp_remove_delegation_token_record record = {
		.token_id = token->token_id,
	};

	controller_emit(
	    controller, METADATA_RECORD_REMOVE_DELEGATION_TOKEN, &record);
	op->response.expiry_timestamp_ms = now_ms;
}

static enum kp_error
expire(struct expire_delegation_token_op *op, struct controller *controller)
{
	int64_t period_ms = op->request->expiry_time_period_ms;
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
	if (!delegation_token_call_allowed(&op->call, token))
		return KP_DELEGATION_TOKEN_OWNER_MISMATCH;
	if (period_ms < 0) {
		end_now(op, controller, token, now_ms);
		return KP_NONE;
	}
	if (delegation_token_expired(token, now_ms))
		return KP_DELEGATION_TOKEN_EXPIRED;
	token->expiration_timestamp = MIN(token->max_timestamp,
	    delegation_token_call_sum(now_ms, period_ms));
	controller_emit(controller, METADATA_RECORD_DELEGATION_TOKEN, token);
	op->response.expiry_timestamp_ms = token->expiration_timestamp;
	return KP_NONE;
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct expire_delegation_token_op *op =
	    CONTAINER_OF(base, struct expire_delegation_token_op, call.op);

	kp_defaults(&kp_expire_delegation_token_response, &op->response);
	op->response.error_code = (int16_t)expire(op, controller);
}

void
expire_delegation_token_op_init(struct expire_delegation_token_op *op)
{
	memset(op, 0, sizeof(*op));
	op->call.op.run = run;
}
