/*
 * Topic ops: creating and deleting topics, adding partitions.
 *
 * The caller sets op.done and what is marked "in", and submits &x->op.  The
 * response's entries are allocated in arena, which must have no cap that
 * they could pass.  Order of checks, codes and texts are those of Kafka's
 * ControllerApis and ReplicationControlManager.
 */
#ifndef META_TOPIC_OPS_H
#define META_TOPIC_OPS_H

#include "base/arena.h"
#include "base/base.h"
#include "meta/access.h"
#include "meta/controller.h"
#include "meta/mutation_quota.h"
#include "wire/generated/create_partitions.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/delete_topics.h"

struct create_topics_op {
	struct controller_op op;
	const struct kp_create_topics_request *request;		/* in */
	const struct access *access;	/* in; NULL: all is allowed */
	struct mutation_quota *quota;	/* in; NULL: none */
	struct arena *arena;					/* in */
	struct kp_create_topics_response response;		/* out */
};

struct delete_topics_op {
	struct controller_op op;
	const struct kp_delete_topics_request *request;		/* in */
	int16_t version;	/* in; shape of the request and codes */
	const struct access *access;				/* in */
	struct mutation_quota *quota;				/* in */
	struct arena *arena;					/* in */
	struct kp_delete_topics_response response;		/* out */
};

struct create_partitions_op {
	struct controller_op op;
	const struct kp_create_partitions_request *request;	/* in */
	const struct access *access;				/* in */
	struct mutation_quota *quota;				/* in */
	struct arena *arena;					/* in */
	struct kp_create_partitions_response response;		/* out */
};

/* Set op.run; everything else that is not "in" is zeroed. */
void create_topics_op_init(struct create_topics_op *op);
void delete_topics_op_init(struct delete_topics_op *op);
void create_partitions_op_init(struct create_partitions_op *op);

#endif
