#include "meta/assignment.h"

#include "wire/generated/metadata_partition_record.h"

static bool
is_live(const struct controller *controller, int32_t id)
{
	const struct broker_image *broker =
	    delta_broker(controller_view(controller), id);

	return broker != NULL && !broker->fenced;
}

static bool
contains(const int32_t *ids, int32_t count, int32_t id)
{
	for (int32_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

enum kp_error
assignment_check(const struct controller *controller, const int32_t *brokers,
    int32_t count, int32_t factor, struct arena *arena, struct slice *message)
{
	bool live = false;

	if (count <= 0) {
		*message = slice_str("The manual partition assignment "
				     "includes an empty replica list.");
		return KP_INVALID_REPLICA_ASSIGNMENT;
	}
	for (int32_t i = 0; i < count; i++) {
		live |= is_live(controller, brokers[i]);
		if (delta_broker(controller_view(controller), brokers[i]) ==
		    NULL) {
			*message = arena_printf(arena,
			    "The manual partition assignment includes broker "
			    "%d, but no such broker is registered.",
			    brokers[i]);
			return KP_INVALID_REPLICA_ASSIGNMENT;
		}
		if (contains(brokers, i, brokers[i])) {
			*message = arena_printf(arena,
			    "The manual partition assignment includes the "
			    "broker %d more than once.",
			    brokers[i]);
			return KP_INVALID_REPLICA_ASSIGNMENT;
		}
	}
	if (factor >= 0 && count != factor) {
		*message = arena_printf(arena,
		    "The manual partition assignment includes a partition "
		    "with %d replica(s), but this is not consistent with "
		    "previous partitions, which have %d replica(s).",
		    count, factor);
		return KP_INVALID_REPLICA_ASSIGNMENT;
	}
	if (live)
		return KP_NONE;
	*message = slice_str("All brokers specified in the manual partition "
			     "assignment are fenced or in controlled "
			     "shutdown.");
	return KP_INVALID_REPLICA_ASSIGNMENT;
}

void
assignment_take(struct controller *controller, const int32_t *brokers,
    int32_t count, struct arena *arena, struct assignment_partition *out)
{
	struct uuid *directories =
	    arena_xcalloc(arena, (size_t)count, sizeof(*directories));

	for (int32_t i = 0; i < count; i++)
		directories[i] =
		    controller_pick_directory(controller, brokers[i]);
	out->replicas = brokers;
	out->replicas_count = count;
	out->directories = directories;
}

static int32_t
registered(const struct controller *controller)
{
	int32_t count = 0;

	for (size_t at = 0;
	     delta_broker_next(controller_view(controller), &at) != NULL;)
		count++;
	return count;
}

static enum kp_error
refuse_factor(const struct controller *controller, int32_t factor,
    struct arena *arena, struct slice *message)
{
	*message = arena_printf(arena,
	    "Unable to replicate the partition %d time(s): The target "
	    "replication factor of %d cannot be reached because only %d "
	    "broker(s) are registered.",
	    factor, factor, registered(controller));
	return KP_INVALID_REPLICATION_FACTOR;
}

/* A factor is judged before anything is allocated in proportion to it. */
enum kp_error
assignment_place(struct controller *controller, int32_t count, int32_t factor,
    struct arena *arena, struct assignment *assignment, struct slice *message)
{
	if (factor > registered(controller))
		return refuse_factor(controller, factor, arena, message);
	assignment->partitions_count = count;
	assignment->partitions = arena_xcalloc(arena, (size_t)count,
	    sizeof(*assignment->partitions));
	for (int32_t i = 0; i < count; i++) {
		int32_t *replicas = arena_xcalloc(arena, (size_t)factor,
		    sizeof(*replicas));
		struct uuid *directories = arena_xcalloc(arena,
		    (size_t)factor, sizeof(*directories));

		if (controller_place(controller, factor, replicas,
			directories) != 0)
			return refuse_factor(controller, factor, arena,
			    message);
		assignment->partitions[i] = (struct assignment_partition){
			replicas, directories, factor };
	}
	return KP_NONE;
}

/* Live replicas are in sync from the start; the first of them leads. */
static void
emit_partition(struct controller *controller, struct uuid topic_id,
    int32_t index, const struct assignment_partition *partition,
    struct arena *arena)
{
	struct kp_partition_record record;
	int32_t *isr = arena_xcalloc(arena,
	    (size_t)partition->replicas_count, sizeof(*isr));

	kp_defaults(&kp_partition_record, &record);
	record.isr = isr;
	for (int32_t i = 0; i < partition->replicas_count; i++)
		if (is_live(controller, partition->replicas[i]))
			isr[record.isr_count++] = partition->replicas[i];
	assert(record.isr_count > 0);
	record.topic_id = topic_id;
	record.partition_id = index;
	record.replicas = (int32_t *)(uintptr_t)partition->replicas;
	record.replicas_count = partition->replicas_count;
	record.leader = isr[0];
	record.leader_epoch = 0;
	record.partition_epoch = 0;
	record.directories = (struct uuid *)(uintptr_t)partition->directories;
	record.directories_count = partition->replicas_count;
	controller_emit(controller, METADATA_RECORD_PARTITION, &record);
}

void
assignment_emit(struct controller *controller, struct uuid topic_id,
    int32_t first, const struct assignment *assignment, struct arena *arena)
{
	for (int32_t i = 0; i < assignment->partitions_count; i++)
		emit_partition(controller, topic_id, first + i,
		    &assignment->partitions[i], arena);
}
