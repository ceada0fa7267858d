/*
 * Delegation token ops: making, renewing, ending and sweeping delegation
 * tokens, as operations of the controller.
 *
 * Used as meta/topic_ops.h says.  Codes are those of Kafka's
 * DelegationTokenControlManager; what KafkaApis checks before it asks the
 * controller has been checked.  The clock is the controller's.
 */
#ifndef AUTH_DELEGATION_TOKEN_OPS_H
#define AUTH_DELEGATION_TOKEN_OPS_H

#include "base/arena.h"
#include "meta/controller.h"
#include "wire/generated/create_delegation_token.h"
#include "wire/generated/expire_delegation_token.h"
#include "wire/generated/renew_delegation_token.h"

struct delegation_tokens;

/* Any of the first three. */
struct delegation_token_call {
	struct controller_op op;
	struct delegation_tokens *tokens; /* in */
	struct slice principal; /* in; who asks for it: "User:alice" */
	struct arena *arena;    /* in */
};

struct create_delegation_token_op {
	struct delegation_token_call call;
	const struct kp_create_delegation_token_request *request; /* in */
	struct kp_create_delegation_token_response response;      /* out */
};

struct renew_delegation_token_op {
	struct delegation_token_call call;
	const struct kp_renew_delegation_token_request *request; /* in */
	struct kp_renew_delegation_token_response response;      /* out */
};

struct expire_delegation_token_op {
	struct delegation_token_call call;
	const struct kp_expire_delegation_token_request *request; /* in */
	struct kp_expire_delegation_token_response response;      /* out */
};

/* Removes tokens that have expired. */
struct sweep_delegation_tokens_op {
	struct controller_op op;
	struct delegation_tokens *tokens; /* in */
	bool more;                        /* out: not all of them */
};

/* Set op.run; everything else that is not "in" is zeroed. */
void create_delegation_token_op_init(struct create_delegation_token_op *op);
void renew_delegation_token_op_init(struct renew_delegation_token_op *op);
void expire_delegation_token_op_init(struct expire_delegation_token_op *op);
void sweep_delegation_tokens_op_init(struct sweep_delegation_tokens_op *op);

/*
 * Whose token a request asks for, in two parts: the owner that it names, or
 * principal.
 */
void create_delegation_token_owner(
    const struct kp_create_delegation_token_request *request,
    struct slice principal, struct slice *type, struct slice *name);

#endif
