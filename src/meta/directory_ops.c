#include "meta/directory_ops.h"

#include "meta/broker_ops.h"
#include "meta/elr.h"
#include "wire/generated/metadata_broker_registration_change_record.h"
#include "wire/generated/metadata_partition_change_record.h"

bool
directory_ops_are_kept(const struct controller *controller)
{
	return delta_feature_level(controller_view(controller),
		   "metadata.version") >= DIRECTORY_OPS_METADATA_VERSION;
}

/* --- Assigning ----------------------------------------------------------- */

static const struct partition_image *
find(const struct controller *controller,
    const struct directory_assignment *assignment)
{
	const struct topic_image *topic = delta_topic_by_id(
	    controller_view(controller), assignment->topic_id);

	return topic == NULL ?
	    NULL :
	    topic_image_partition(topic, assignment->partition);
}

/*
 * Who leads once the broker has its replica there.  While the broker is fenced
 * nothing changes: its unfencing sees to all of them.
 */
static void
change_leader(struct kp_partition_change_record *change,
    const struct delta *view, int32_t *broker_id,
    const struct directory_assignment *assignment,
    const struct partition_image *partition)
{
	const struct broker_image *broker = delta_broker(view, *broker_id);
	bool online;

	if (broker == NULL || broker->fenced)
		return;
	online = broker_image_has_directory(broker, assignment->directory);
	if (!online && partition->leader == *broker_id)
		elr_depose(change, view, partition, broker_id, false);
	if (online && partition->leader == PARTITION_IMAGE_NO_LEADER &&
	    elr_holds_all(partition, *broker_id))
		elr_elect(change, view, partition, broker_id, false);
}

/* What the record points to is copied: emitting it replaces the partition. */
static void
assign(struct controller *controller, int32_t broker_id,
    const struct directory_assignment *assignment,
    const struct partition_image *partition)
{
	size_t size = (size_t)partition->replicas.count * sizeof(struct uuid);
	struct kp_partition_change_record change;
	struct uuid *directories = xmalloc(size);

	memcpy(directories, partition->directories, size);
	for (int32_t i = 0; i < partition->replicas.count; i++)
		if (partition->replicas.ids[i] == broker_id)
			directories[i] = assignment->directory;
	kp_defaults(&kp_partition_change_record, &change);
	change.topic_id = assignment->topic_id;
	change.partition_id = assignment->partition;
	change.directories = directories;
	change.directories_count = partition->replicas.count;
	change_leader(&change, controller_view(controller), &broker_id,
	    assignment, partition);
	controller_emit(
	    controller, METADATA_RECORD_PARTITION_CHANGE, &change);
	free(directories);
}

static void
run_assign(struct controller_op *base, struct controller *controller)
{
	struct directory_assign_op *op =
	    CONTAINER_OF(base, struct directory_assign_op, op);

	if (!directory_ops_are_kept(controller))
		return;
	for (size_t i = 0; i < op->count; i++) {
		const struct directory_assignment *assignment =
		    &op->assignments[i];
		const struct partition_image *partition =
		    find(controller, assignment);
		struct uuid now;

		if (partition != NULL &&
		    partition_image_directory(
			partition, op->broker_id, &now) &&
		    !uuid_equal(now, assignment->directory))
			assign(controller, op->broker_id, assignment,
			    partition);
	}
}

void
directory_assign_op_init(struct directory_assign_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run_assign;
}

/* --- Failing ------------------------------------------------------------- */

/* The registration without the directory; it is never without any. */
static void
unregister(struct controller *controller, const struct broker_image *broker,
    struct uuid directory)
{
	size_t count = (size_t)MAX(broker->record.log_dirs_count, 0);
	struct uuid *left = xcalloc(MAX(count, 1), sizeof(*left));
	struct kp_broker_registration_change_record change;

	kp_defaults(&kp_broker_registration_change_record, &change);
	change.broker_id = broker->id;
	change.broker_epoch = broker->record.broker_epoch;
	change.log_dirs = left;
	change.log_dirs_count = 0;
	for (size_t i = 0; i < count; i++)
		if (!uuid_equal(broker->record.log_dirs[i], directory))
			left[change.log_dirs_count++] =
			    broker->record.log_dirs[i];
	if (change.log_dirs_count > 0 && (size_t)change.log_dirs_count < count)
		controller_emit(controller,
		    METADATA_RECORD_BROKER_REGISTRATION_CHANGE, &change);
	free(left);
}

/* Does the broker lead it, from that directory? */
static bool
is_led_from(const struct partition_image *partition, int32_t broker_id,
    struct uuid failed)
{
	struct uuid directory;

	return partition->leader == broker_id &&
	    partition_image_directory(partition, broker_id, &directory) &&
	    uuid_equal(directory, failed);
}

/*
 * The image is walked, because the view changes under the iteration's feet;
 * what it has in the view may be gone already.
 */
static void
depose_all(struct controller *controller, const struct directory_fail_op *op)
{
	const struct delta *view = controller_view(controller);
	const struct topic_image *topic;

	for (size_t at = 0;
	     (topic = image_topic_next(view->image, &at)) != NULL;)
		for (int32_t i = 0; i < topic->partitions_count &&
		     delta_topic_by_id(view, topic->id) != NULL;
		     i++)
			if (is_led_from(topic->partitions[i], op->broker_id,
				op->directory))
				broker_ops_depose(controller, op->broker_id,
				    topic->id, i, topic->partitions[i],
				    false);
}

static void
run_fail(struct controller_op *base, struct controller *controller)
{
	struct directory_fail_op *op =
	    CONTAINER_OF(base, struct directory_fail_op, op);
	const struct broker_image *broker =
	    delta_broker(controller_view(controller), op->broker_id);

	if (broker == NULL) {
		base->error = KP_BROKER_ID_NOT_REGISTERED;
		return;
	}
	if (!directory_ops_are_kept(controller))
		return;
	unregister(controller, broker, op->directory);
	depose_all(controller, op);
}

void
directory_fail_op_init(struct directory_fail_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run_fail;
}
