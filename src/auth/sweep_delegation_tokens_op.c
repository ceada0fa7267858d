#include "auth/delegation_token_ops.h"
#include "auth/delegation_tokens.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/generated/metadata_remove_delegation_token_record.h"

/* As many as Kafka removes at a time. */
#define RECORDS_MAX 1000

/* As it will be: it may have been renewed or removed in this batch. */
static bool
still_expired(struct controller *controller, struct arena *arena,
    struct slice id, int64_t now_ms)
{
	struct slice value = delta_kept_value(controller_view(controller),
	    METADATA_RECORD_DELEGATION_TOKEN, id);
	struct metadata_record record;
	const char *reason;

	return !slice_is_null(value) &&
	    metadata_record_decode(value, arena, &record, &reason) == 0 &&
	    delegation_token_expired(record.body, now_ms);
}

static void
remove_expired(struct controller *controller,
    const struct kp_delegation_token_record *token)
{
	const struct kp_remove_delegation_token_record record = {
		.token_id = token->token_id,
	};

	log_info("auth", "the delegation token %.*s of %.*s has expired",
	    SLICE_ARG(token->token_id), SLICE_ARG(token->owner));
	controller_emit(
	    controller, METADATA_RECORD_REMOVE_DELEGATION_TOKEN, &record);
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct sweep_delegation_tokens_op *op =
	    CONTAINER_OF(base, struct sweep_delegation_tokens_op, op);
	int64_t now_ms = clock_wall_ms();
	struct delegation_token *tokens;
	size_t count, removed = 0;
	struct arena arena;

	op->more = false;
	arena_init(&arena, SIZE_MAX);
	tokens = delegation_tokens_list(op->tokens, &arena, &count);
	for (size_t i = 0; i < count && !op->more; i++) {
		const struct kp_delegation_token_record *token =
		    tokens[i].record;

		if (!delegation_token_expired(token, now_ms) ||
		    !still_expired(
			controller, &arena, token->token_id, now_ms))
			continue;
		remove_expired(controller, token);
		op->more = ++removed == RECORDS_MAX;
	}
	arena_reset(&arena);
}

void
sweep_delegation_tokens_op_init(struct sweep_delegation_tokens_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
