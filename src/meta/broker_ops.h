/*
 * Broker ops: a broker's registration, its unfencing and its fencing.
 * Used as topic_ops.h says.
 */
#ifndef META_BROKER_OPS_H
#define META_BROKER_OPS_H

#include "base/base.h"
#include "meta/controller.h"
#include "wire/generated/metadata_register_broker_record.h"

/*
 * Register a new incarnation, fenced.  The record's broker_epoch is set here
 * to the offset that the registration gets, which the op reports.
 */
struct register_broker_op {
	struct controller_op op;
	struct kp_register_broker_record record;		/* in */
	int64_t broker_epoch;					/* out */
};

/*
 * The broker has opened its logs: unfence it, and elect it for each of its
 * partitions that has no leader.  Where its last stop was unclean the leader
 * epochs of those that it leads rise too, so that clients and followers
 * notice a suffix that was lost; with eligible leader replicas it is not
 * eligible any more, and these elections are unclean.
 */
struct unfence_broker_op {
	struct controller_op op;
	int32_t broker_id;					/* in */
	bool unclean;						/* in */
};

void register_broker_op_init(struct register_broker_op *op);
void unfence_broker_op_init(struct unfence_broker_op *op);

/*
 * For the run functions of ops.  Has broker a replica in a directory that
 * works?
 */
bool broker_ops_has_replica(const struct broker_image *broker,
    const struct partition_image *partition);

/*
 * For the run functions of ops: broker leads the partition, with nobody
 * beside it in sync; unclean: though something committed may be gone.
 */
void broker_ops_elect(struct controller *controller, int32_t broker_id,
    struct uuid topic_id, int32_t index,
    const struct partition_image *partition, bool unclean);

/*
 * For the run functions of ops: broker does not lead the partition any more,
 * nor does anybody; lost: nor may it for being eligible, as it stopped
 * uncleanly.
 */
void broker_ops_depose(struct controller *controller, int32_t broker_id,
    struct uuid topic_id, int32_t index,
    const struct partition_image *partition, bool lost);

/*
 * The features and ranges that we register and advertise, in order of their
 * names (kraft.version among them).
 */
struct broker_ops_feature {
	const char *name;
	int16_t min;
	int16_t max;
	int16_t bootstrap;	/* the level that a fresh cluster gets */
};
const struct broker_ops_feature *broker_ops_features(size_t *count);

/* metadata.version of Kafka 4.3 (4.3-IV0), and the lowest we can open. */
#define BROKER_OPS_METADATA_VERSION 30
#define BROKER_OPS_METADATA_VERSION_MIN 7

#endif
