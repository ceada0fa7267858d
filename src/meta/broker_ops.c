#include "meta/broker_ops.h"

#include "wire/generated/metadata_broker_registration_change_record.h"
#include "wire/generated/metadata_partition_change_record.h"

/* What we serve. */
static const struct broker_ops_feature features[] = {
	{ "group.version", 0, 1, 1 },
	{ "kraft.version", 0, 1, 0 },
	{ "metadata.version", BROKER_OPS_METADATA_VERSION_MIN,
	    BROKER_OPS_METADATA_VERSION, BROKER_OPS_METADATA_VERSION },
	{ "share.version", 0, 1, 1 },
	{ "streams.version", 0, 1, 1 },
	{ "transaction.version", 0, 2, 2 },
};

/* What else Kafka 4.3 may have finalized in a directory that it wrote. */
static const struct broker_ops_feature tolerated[] = {
	{ "eligible.leader.replicas.version", 0, 1, 0 },
};

const struct broker_ops_feature *
broker_ops_features(size_t *count)
{
	*count = COUNT_OF(features);
	return features;
}

bool
broker_ops_feature_tolerated(struct slice name, int16_t level)
{
	for (size_t i = 0; i < COUNT_OF(tolerated); i++)
		if (slice_equal_str(name, tolerated[i].name))
			return level >= tolerated[i].min &&
			    level <= tolerated[i].max;
	return false;
}

/* --- Registration -------------------------------------------------------- */

static void
run_register(struct controller_op *op, struct controller *controller)
{
	struct register_broker_op *registration =
	    CONTAINER_OF(op, struct register_broker_op, op);

	registration->broker_epoch = controller_next_offset(controller);
	registration->record.broker_epoch = registration->broker_epoch;
	registration->record.fenced = true;
	controller_emit(controller, METADATA_RECORD_REGISTER_BROKER,
	    &registration->record);
}

void
register_broker_op_init(struct register_broker_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run_register;
}

/* --- Unfencing ----------------------------------------------------------- */

bool
broker_ops_has_replica(const struct broker_image *broker,
    const struct partition_image *partition)
{
	struct uuid directory;

	return partition_image_directory(partition, broker->id, &directory) &&
	    broker_image_has_directory(broker, directory);
}

/* No replica is in sync: then the last one that was, or the only one, may. */
static bool
may_lead(const struct partition_image *partition,
    const struct broker_image *broker)
{
	int32_t id = broker->id;

	if (!broker_ops_has_replica(broker, partition))
		return false;
	return partition->replicas.count == 1 ||
	    partition_image_ids_contain(partition->isr, id) ||
	    partition_image_ids_contain(partition->elr, id);
}

/*
 * The broker has nobody beside it, so it leads all that it may: where it does
 * not yet, and anew where its last stop was unclean, so that the leader's
 * epoch rises.
 */
static bool
must_lead(const struct unfence_broker_op *op,
    const struct broker_image *broker,
    const struct partition_image *partition)
{
	return may_lead(partition, broker) &&
	    (partition->leader != op->broker_id ||
		partition->isr.count != 1 || op->unclean);
}

void
broker_ops_elect(struct controller *controller, int32_t broker_id,
    struct uuid topic_id, int32_t index,
    const struct partition_image *partition)
{
	struct kp_partition_change_record change;

	kp_defaults(&kp_partition_change_record, &change);
	change.topic_id = topic_id;
	change.partition_id = index;
	change.leader = broker_id;
	change.isr = &broker_id;
	change.isr_count = 1;
	if (partition->leader_recovery_state != 0)
		change.leader_recovery_state = 0;
	if (partition->elr.count > 0) {
		change.eligible_leader_replicas = &broker_id;
		change.eligible_leader_replicas_count = 0;
	}
	if (partition->last_known_elr.count > 0) {
		change.last_known_elr = &broker_id;
		change.last_known_elr_count = 0;
	}
	controller_emit(controller, METADATA_RECORD_PARTITION_CHANGE,
	    &change);
}

void
broker_ops_depose(struct controller *controller, struct uuid topic_id,
    int32_t index)
{
	struct kp_partition_change_record change;

	kp_defaults(&kp_partition_change_record, &change);
	change.topic_id = topic_id;
	change.partition_id = index;
	change.leader = PARTITION_IMAGE_NO_LEADER;
	controller_emit(controller, METADATA_RECORD_PARTITION_CHANGE,
	    &change);
}

/*
 * The view changes under the iteration's feet, so the image, which does not,
 * is walked; at the start nothing else is in the batch.  What is in a
 * directory that does not work any more has no leader.
 */
static void
elect_all(struct controller *controller, const struct unfence_broker_op *op)
{
	const struct delta *view = controller_view(controller);
	const struct broker_image *broker = delta_broker(view, op->broker_id);
	const struct image *image = view->image;
	const struct topic_image *topic;

	for (size_t at = 0; (topic = image_topic_next(image, &at)) != NULL;)
		for (int32_t i = 0; i < topic->partitions_count; i++)
			if (must_lead(op, broker, topic->partitions[i]))
				broker_ops_elect(controller, broker->id,
				    topic->id, i, topic->partitions[i]);
			else if (topic->partitions[i]->leader == broker->id &&
			    !broker_ops_has_replica(
				broker, topic->partitions[i]))
				broker_ops_depose(controller, topic->id, i);
}

static void
run_unfence(struct controller_op *op, struct controller *controller)
{
	struct unfence_broker_op *unfence =
	    CONTAINER_OF(op, struct unfence_broker_op, op);
	const struct broker_image *broker =
	    delta_broker(controller_view(controller), unfence->broker_id);
	struct kp_broker_registration_change_record change;

	if (broker == NULL) {
		op->error = KP_BROKER_ID_NOT_REGISTERED;
		return;
	}
	kp_defaults(&kp_broker_registration_change_record, &change);
	change.broker_id = unfence->broker_id;
	change.broker_epoch = broker->record.broker_epoch;
	change.fenced = -1;
	controller_emit(controller, METADATA_RECORD_BROKER_REGISTRATION_CHANGE,
	    &change);
	elect_all(controller, unfence);
}

void
unfence_broker_op_init(struct unfence_broker_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run_unfence;
}
