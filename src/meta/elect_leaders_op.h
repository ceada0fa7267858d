/*
 * Elect leaders op: preferred or unclean elections that were asked for.
 *
 * Used as topic_ops.h says.  Order of checks, codes and texts are those of
 * Kafka's ReplicationControlManager.
 */
#ifndef META_ELECT_LEADERS_OP_H
#define META_ELECT_LEADERS_OP_H

#include "base/arena.h"
#include "meta/controller.h"
#include "wire/generated/elect_leaders.h"

/* Of the request's election_type. */
enum {
	ELECT_LEADERS_PREFERRED = 0,
	ELECT_LEADERS_UNCLEAN = 1,
};

struct elect_leaders_op {
	struct controller_op op;
	const struct kp_elect_leaders_request *request;		/* in */
	struct arena *arena;					/* in */
	struct kp_elect_leaders_response response;		/* out */
};

/* Set op.run; everything else that is not "in" is zeroed. */
void elect_leaders_op_init(struct elect_leaders_op *op);

#endif
