#include "auth/delegation_token_sweeper.h"

#include "auth/delegation_token_ops.h"
#include "auth/delegation_tokens.h"
#include "net/loop.h"
#include "net/timer.h"

struct delegation_token_sweeper {
	/* immutable */
	struct delegation_tokens *tokens;
	struct controller *controller;
	struct loop *loop;

	/* the loop's; one of them is under way at a time */
	struct task rest;
	struct timer timer;
	struct sweep_delegation_tokens_op op;
};

static void
on_rest(struct task *task)
{
	struct delegation_token_sweeper *sweeper =
	    CONTAINER_OF(task, struct delegation_token_sweeper, rest);

	timer_start(sweeper->loop, &sweeper->timer,
	    delegation_tokens_settings(sweeper->tokens)
		->expiry_check_interval_ms);
}

static void
on_timer(struct timer *timer)
{
	struct delegation_token_sweeper *sweeper =
	    CONTAINER_OF(timer, struct delegation_token_sweeper, timer);

	controller_submit(sweeper->controller, &sweeper->op.op);
}

/* What could not be removed now is found the next time. */
static void
on_swept(struct controller_op *op)
{
	struct delegation_token_sweeper *sweeper =
	    CONTAINER_OF(op, struct delegation_token_sweeper, op.op);

	if (op->error == KP_NONE && sweeper->op.more)
		controller_submit(sweeper->controller, op);
	else
		loop_post(sweeper->loop, &sweeper->rest);
}

struct delegation_token_sweeper *
delegation_token_sweeper_new(struct delegation_tokens *tokens,
    struct controller *controller, struct loop *loop)
{
	struct delegation_token_sweeper *sweeper = xcalloc(1, sizeof(*sweeper));

	sweeper->tokens = tokens;
	sweeper->controller = controller;
	sweeper->loop = loop;
	sweeper->rest.run = on_rest;
	timer_init(&sweeper->timer, on_timer);
	sweep_delegation_tokens_op_init(&sweeper->op);
	sweeper->op.tokens = tokens;
	sweeper->op.op.done = on_swept;
	return sweeper;
}

void
delegation_token_sweeper_start(struct delegation_token_sweeper *sweeper)
{
	if (delegation_tokens_enabled(sweeper->tokens))
		loop_post(sweeper->loop, &sweeper->rest);
}

void
delegation_token_sweeper_free(struct delegation_token_sweeper *sweeper)
{
	free(sweeper);
}
