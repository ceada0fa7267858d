/*
 * Alter SCRAM op: AlterUserScramCredentials as an operation of the controller.
 *
 * Used as meta/topic_ops.h says.  Codes and texts are those of Kafka's
 * ScramControlManager; answers come in the order in which the request names
 * the users.
 */
#ifndef AUTH_ALTER_SCRAM_OP_H
#define AUTH_ALTER_SCRAM_OP_H

#include "base/arena.h"
#include "meta/controller.h"
#include "wire/generated/alter_user_scram_credentials.h"

struct alter_scram_op {
	struct controller_op op;
	const struct kp_alter_user_scram_credentials_request *request; /* in */
	struct arena *arena;                                           /* in */
	struct kp_alter_user_scram_credentials_response response;      /* out */
};

/* Set op.run; everything else that is not "in" is zeroed. */
void alter_scram_op_init(struct alter_scram_op *op);

#endif
