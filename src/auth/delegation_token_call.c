#include "auth/delegation_token_call.h"

#include "auth/delegation_tokens.h"
#include "meta/features.h"

/* 3.6-IV2, the first that has records of tokens. */
#define LEVEL_MIN 14

enum kp_error
delegation_token_call_check(
    const struct delegation_token_call *call, struct controller *controller)
{
	if (!delegation_tokens_enabled(call->tokens))
		return KP_DELEGATION_TOKEN_AUTH_DISABLED;
	if (delta_feature_level(controller_view(controller),
		FEATURES_METADATA_VERSION) < LEVEL_MIN)
		return KP_UNSUPPORTED_VERSION;
	return KP_NONE;
}

/* Records before this operation in its batch may have removed it. */
struct kp_delegation_token_record *
delegation_token_call_find(const struct delegation_token_call *call,
    struct controller *controller, struct slice hmac)
{
	struct slice id =
	    delegation_tokens_find(call->tokens, hmac, call->arena);
	struct kp_delegation_token_record *token;
	struct metadata_record record;
	struct slice value;
	const char *reason;

	if (slice_is_null(id))
		return NULL;
	value = delta_kept_value(controller_view(controller),
	    METADATA_RECORD_DELEGATION_TOKEN, id);
	if (slice_is_null(value) ||
	    metadata_record_decode(arena_copy(call->arena, value), call->arena,
		&record, &reason) != 0)
		return NULL;
	token = arena_xalloc(call->arena, sizeof(*token));
	memcpy(token, record.body, sizeof(*token));
	return token;
}

bool
delegation_token_call_allowed(const struct delegation_token_call *call,
    const struct kp_delegation_token_record *token)
{
	if (slice_equal(token->owner, call->principal))
		return true;
	for (int32_t i = 0; i < token->renewers_count; i++)
		if (slice_equal(token->renewers[i], call->principal))
			return true;
	return false;
}

int64_t
delegation_token_call_sum(int64_t now_ms, int64_t duration_ms)
{
	return now_ms > INT64_MAX - duration_ms ? INT64_MAX :
						  now_ms + duration_ms;
}
