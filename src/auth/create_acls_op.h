/*
 * Create ACLs op: CreateAcls as an operation of the controller.
 *
 * Used as meta/topic_ops.h says.  Codes and texts are those of Kafka's AclApis
 * and AclControlManager.
 */
#ifndef AUTH_CREATE_ACLS_OP_H
#define AUTH_CREATE_ACLS_OP_H

#include "base/arena.h"
#include "meta/controller.h"
#include "wire/generated/create_acls.h"

struct authorizer;

struct create_acls_op {
	struct controller_op op;
	const struct kp_create_acls_request *request; /* in */
	struct authorizer *authorizer;                /* in */
	struct arena *arena;                          /* in */
	struct kp_create_acls_response response;      /* out */
};

/* Set op.run; everything else that is not "in" is zeroed. */
void create_acls_op_init(struct create_acls_op *op);

#endif
