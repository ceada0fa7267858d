/* The producers of a partition: whether they are verified, what they are. */
#include "base/arena.h"
#include "broker/partition.h"

enum kp_error
partition_verify(struct partition *partition, int32_t node_id,
    const struct verification_start *start, uint64_t *guard)
{
	enum kp_error error;

	log_lock(partition->log);
	error = partition_check(partition, node_id, true, PARTITION_ANY_EPOCH);
	if (error == KP_NONE)
		error = log_verify(partition->log, start, guard);
	log_unlock(partition->log);
	return error;
}

static void
producers_copy(const struct producer_state *state, struct arena *arena,
    struct partition_producers *found)
{
	struct producer *copies =
	    arena_xcalloc(arena, state->count, sizeof(*copies));

	for (size_t i = 0; i < state->count; i++)
		copies[i] = *state->producers[i];
	found->producers = copies;
	found->count = state->count;
}

enum kp_error
partition_describe_producers(struct partition *partition, int32_t node_id,
    struct arena *arena, struct partition_producers *found)
{
	enum kp_error error;

	*found = (struct partition_producers){ 0 };
	log_lock(partition->log);
	error = partition_check(partition, node_id, true, PARTITION_ANY_EPOCH);
	if (error == KP_NONE)
		producers_copy(log_producers(partition->log), arena, found);
	log_unlock(partition->log);
	return error;
}
