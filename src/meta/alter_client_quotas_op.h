/*
 * Alter client quotas op: AlterClientQuotas as an operation of the controller.
 *
 * Used as meta/topic_ops.h says.  Codes and texts are those of Kafka's
 * ClientQuotaControlManager; answers come in the order in which the request
 * first names the entities.
 */
#ifndef META_ALTER_CLIENT_QUOTAS_OP_H
#define META_ALTER_CLIENT_QUOTAS_OP_H

#include "base/arena.h"
#include "meta/controller.h"
#include "wire/generated/alter_client_quotas.h"

struct alter_client_quotas_op {
	struct controller_op op;
	const struct kp_alter_client_quotas_request *request; /* in */
	/*
	 * in; for each entry of the request: its address is one, or a host
	 * that has one, which is found out before because it may take long.
	 * NULL: all are.
	 */
	const bool *resolved;
	struct arena *arena;				   /* in */
	struct kp_alter_client_quotas_response response; /* out */
};

/* Set op.run; everything else that is not "in" is zeroed. */
void alter_client_quotas_op_init(struct alter_client_quotas_op *op);

#endif
