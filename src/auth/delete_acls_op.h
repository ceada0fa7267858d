/*
 * Delete ACLs op: DeleteAcls as an operation of the controller.
 *
 * Used as meta/topic_ops.h says.  The filters are valid ones
 * (acl_filter_valid).
 */
#ifndef AUTH_DELETE_ACLS_OP_H
#define AUTH_DELETE_ACLS_OP_H

#include "base/arena.h"
#include "meta/controller.h"
#include "wire/generated/delete_acls.h"

struct authorizer;

struct delete_acls_op {
	struct controller_op op;
	const struct kp_delete_acls_request *request; /* in */
	struct authorizer *authorizer;                /* in */
	struct arena *arena;                          /* in */
	struct kp_delete_acls_response response;      /* out */
};

/* Set op.run; everything else that is not "in" is zeroed. */
void delete_acls_op_init(struct delete_acls_op *op);

#endif
