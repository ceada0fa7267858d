#include "coord/share_group_states.h"

#include "coord/group_shard.h"

/* Each call has an arena of its own: they may run on several threads. */
static void
call_init(struct share_group_states *states, struct share_state_call *call,
    enum share_state_operation operation,
    const struct consumer_partition *partition)
{
	*call = (struct share_state_call){
		.operation = operation,
		.key = { states->group_id, partition->topic_id,
		    partition->partition },
		.arena =
		    arena_xcalloc(&states->arena, 1, sizeof(struct arena)),
		.node_id = -1,
		.state_epoch = SHARE_STATE_UNKNOWN,
		.leader_epoch = SHARE_STATE_UNKNOWN,
		.start_offset = SHARE_STATE_UNKNOWN,
		.delivery_complete_count = SHARE_STATE_UNKNOWN,
	};
	arena_init(call->arena, SIZE_MAX);
}

struct share_group_states *
share_group_states_new(enum share_state_operation operation,
    struct slice group_id, const struct consumer_assignment *partitions)
{
	struct share_group_states *states = xcalloc(1, sizeof(*states));

	arena_init(&states->arena, SIZE_MAX);
	states->group_id = arena_copy(&states->arena, group_id);
	states->count = partitions->count;
	states->calls = arena_xcalloc(&states->arena,
	    (size_t)partitions->count, sizeof(*states->calls));
	for (int32_t i = 0; i < partitions->count; i++)
		call_init(states, &states->calls[i], operation,
		    &partitions->partitions[i]);
	return states;
}

void
share_group_states_free(struct share_group_states *states)
{
	for (int32_t i = 0; i < states->count; i++)
		arena_reset(states->calls[i].arena);
	arena_reset(&states->arena);
	free(states);
}

static void
committed(struct shard_call *call)
{
	struct share_group_states *states =
	    CONTAINER_OF(call, struct share_group_states, committed);
	struct share_group_persister *persister =
	    states->shard->common->persister;

	if (call->error == KP_NONE) {
		persister->run(persister, states->shard, states);
		return;
	}
	for (int32_t i = 0; i < states->count; i++)
		states->calls[i].call.error = call->error;
	states->done(states, states->shard);
}

void
share_group_states_start(
    struct group_shard *shard, struct share_group_states *states)
{
	states->shard = shard;
	states->committed.done = committed;
	shard_reply(&shard->shard, &states->committed, KP_NONE);
}

struct consumer_assignment
share_group_states_partitions(struct share_group_states *states)
{
	struct consumer_assignment set =
	    consumer_assignment_new(&states->arena, states->count);

	for (int32_t i = 0; i < states->count; i++)
		consumer_assignment_add(&set, states->calls[i].key.topic_id,
		    states->calls[i].key.partition, 0);
	return set;
}

enum kp_error
share_group_states_error(
    const struct share_group_states *states, const struct uuid *topic_id)
{
	for (int32_t i = 0; i < states->count; i++) {
		const struct share_state_call *call = &states->calls[i];

		if (call->call.error != KP_NONE &&
		    (topic_id == NULL ||
			uuid_equal(*topic_id, call->key.topic_id)))
			return call->call.error;
	}
	return KP_NONE;
}

const struct share_state_call *
share_group_states_find(const struct share_group_states *states,
    struct uuid topic_id, int32_t partition)
{
	const struct consumer_partition wanted = { topic_id, partition, 0 };
	int32_t low = 0, high = states->count;

	while (low < high) {
		int32_t middle = low + (high - low) / 2;
		const struct share_state_key *key = &states->calls[middle].key;
		const struct consumer_partition found = { key->topic_id,
			key->partition, 0 };
		int order = consumer_partition_compare(&found, &wanted);

		if (order == 0)
			return &states->calls[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
