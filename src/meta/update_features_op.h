/*
 * Update features op: finalized levels of features are raised or lowered
 * (KIP-584, KIP-1022).
 *
 * All or nothing: what is wrong with one of them is the answer for all.
 *
 * Used as topic_ops.h says.  Order of checks, codes and texts are those of
 * Kafka's FeatureControlManager.
 */
#ifndef META_UPDATE_FEATURES_OP_H
#define META_UPDATE_FEATURES_OP_H

#include "base/arena.h"
#include "meta/controller.h"
#include "wire/generated/update_features.h"

struct update_features_op {
	struct controller_op op;
	const struct kp_update_features_request *request;	/* in */
	int16_t version;		/* in; of the request */
	int32_t node_id;		/* in; the controller's, for texts */
	struct arena *arena;					/* in */
	struct kp_update_features_response response;		/* out */
};

/* Set op.run; everything else that is not "in" is zeroed. */
void update_features_op_init(struct update_features_op *op);

#endif
