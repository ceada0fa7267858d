#include "meta/broker_ops.h"

#include "meta/elr.h"
#include "meta/features.h"
#include "wire/generated/metadata_broker_registration_change_record.h"
#include "wire/generated/metadata_partition_change_record.h"

/* What we serve. */
static const struct broker_ops_feature features[] = {
	{ FEATURES_ELR_VERSION, 0, 1, 1 },
	{ "group.version", 0, 1, 1 },
	{ "kraft.version", 0, 1, 0 },
	{ "metadata.version", BROKER_OPS_METADATA_VERSION_MIN,
	    BROKER_OPS_METADATA_VERSION, BROKER_OPS_METADATA_VERSION },
	{ "share.version", 0, 1, 1 },
	{ "streams.version", 0, 1, 1 },
	{ "transaction.version", 0, 2, 2 },
};

const struct broker_ops_feature *
broker_ops_features(size_t *count)
{
	*count = COUNT_OF(features);
	return features;
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
may_lead(const struct delta *view, const struct partition_image *partition,
    const struct broker_image *broker)
{
	int32_t id = broker->id;

	if (!broker_ops_has_replica(broker, partition))
		return false;
	return partition->replicas.count == 1 ||
	    elr_holds_all(partition, id) ||
	    (elr_is_on(view) && elr_was_last_leader(partition, id));
}

/*
 * The broker has nobody beside it, so it leads all that it may: where it does
 * not yet, and anew where its last stop was unclean, so that the leader's
 * epoch rises.
 */
static bool
must_lead(const struct unfence_broker_op *op, const struct delta *view,
    const struct broker_image *broker,
    const struct partition_image *partition)
{
	return may_lead(view, partition, broker) &&
	    (partition->leader != op->broker_id ||
		partition->isr.count != 1 || op->unclean);
}

void
broker_ops_elect(struct controller *controller, int32_t broker_id,
    struct uuid topic_id, int32_t index,
    const struct partition_image *partition, bool unclean)
{
	struct kp_partition_change_record change;

	kp_defaults(&kp_partition_change_record, &change);
	change.topic_id = topic_id;
	change.partition_id = index;
	elr_elect(&change, controller_view(controller), partition, &broker_id,
	    unclean);
	controller_emit(controller, METADATA_RECORD_PARTITION_CHANGE,
	    &change);
}

void
broker_ops_depose(struct controller *controller, int32_t broker_id,
    struct uuid topic_id, int32_t index,
    const struct partition_image *partition, bool lost)
{
	struct kp_partition_change_record change;

	kp_defaults(&kp_partition_change_record, &change);
	change.topic_id = topic_id;
	change.partition_id = index;
	elr_depose(&change, controller_view(controller), partition,
	    &broker_id, lost);
	controller_emit(controller, METADATA_RECORD_PARTITION_CHANGE,
	    &change);
}

/*
 * Is it, in a directory that does not work any more, still said to be led, or
 * to be in one piece?
 */
static bool
must_stop(const struct unfence_broker_op *op, const struct delta *view,
    const struct broker_image *broker,
    const struct partition_image *partition)
{
	return !broker_ops_has_replica(broker, partition) &&
	    (partition->leader == broker->id ||
		(op->unclean && elr_is_on(view) &&
		    elr_holds_all(partition, broker->id)));
}

static void
elect(struct controller *controller, const struct unfence_broker_op *op,
    const struct topic_image *topic, int32_t index)
{
	const struct delta *view = controller_view(controller);
	const struct broker_image *broker = delta_broker(view, op->broker_id);
	const struct partition_image *partition = topic->partitions[index];
	bool lost = op->unclean && elr_is_on(view);

	if (must_lead(op, view, broker, partition))
		broker_ops_elect(controller, broker->id, topic->id, index,
		    partition, lost || !elr_holds_all(partition, broker->id));
	else if (must_stop(op, view, broker, partition))
		broker_ops_depose(controller, broker->id, topic->id, index,
		    partition, lost);
}

/*
 * The view changes under the iteration's feet, so the image, which does not,
 * is walked; at the start nothing else is in the batch.
 */
static void
elect_all(struct controller *controller, const struct unfence_broker_op *op)
{
	const struct image *image = controller_view(controller)->image;
	const struct topic_image *topic;

	for (size_t at = 0; (topic = image_topic_next(image, &at)) != NULL;)
		for (int32_t i = 0; i < topic->partitions_count; i++)
			elect(controller, op, topic, i);
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
