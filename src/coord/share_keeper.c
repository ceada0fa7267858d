#include "coord/share_keeper.h"

#include "base/arena.h"
#include "coord/share_coordinator.h"

/* What a state may take: its batches, several times over. */
#define ARENA_BYTES_MAX                        \
	((size_t)SHARE_STATE_BATCHES_MAX * 16 * \
	    sizeof(struct share_state_batch))

/* A call on its way to the coordinator and back. */
struct keeping {
	struct share_persister_call *call;
	struct share_state_call state;
	struct arena arena;
};

static void
batches_put(struct keeping *keeping)
{
	const struct share_persister_call *call = keeping->call;
	struct share_state_batch *batches = arena_xcalloc(
	    &keeping->arena, call->states_count, sizeof(*batches));

	for (size_t i = 0; i < call->states_count; i++)
		batches[i] = (struct share_state_batch){
			.first_offset = call->states[i].first_offset,
			.last_offset = call->states[i].last_offset,
			.delivery_state = (int8_t)call->states[i].state,
			.delivery_count = call->states[i].delivery_count,
		};
	keeping->state.batches = batches;
	keeping->state.batches_count = (int32_t)call->states_count;
}

static void
batches_get(struct keeping *keeping)
{
	struct share_persister_call *call = keeping->call;
	const struct share_state_call *state = &keeping->state;

	call->states_count = (size_t)state->batches_count;
	call->states = xcalloc(call->states_count + 1, sizeof(*call->states));
	for (size_t i = 0; i < call->states_count; i++)
		call->states[i] = (struct share_partition_state){
			.first_offset = state->batches[i].first_offset,
			.last_offset = state->batches[i].last_offset,
			.state = (enum share_partition_record)
			    state->batches[i].delivery_state,
			.delivery_count = state->batches[i].delivery_count,
		};
	call->state_epoch = state->state_epoch;
	call->start_offset = state->start_offset;
}

static void
on_done(struct shard_call *done)
{
	struct keeping *keeping = done->context;
	struct share_persister_call *call = keeping->call;

	call->error = done->error;
	if (call->error == KP_NONE && !call->write)
		batches_get(keeping);
	arena_reset(&keeping->arena);
	free(keeping);
	call->done(call);
}

static void
keeper_run(struct share_persister *persister, struct share_persister_call *call)
{
	struct share_keeper *keeper =
	    CONTAINER_OF(persister, struct share_keeper, persister);
	struct keeping *keeping = xcalloc(1, sizeof(*keeping));

	arena_init(&keeping->arena, ARENA_BYTES_MAX);
	keeping->call = call;
	keeping->state = (struct share_state_call){
		.call.done = on_done,
		.call.context = keeping,
		.operation = call->write ? SHARE_STATE_WRITE :
					   SHARE_STATE_READ,
		.key = { call->group_id, call->topic_id, call->index },
		.arena = &keeping->arena,
		.node_id = -1,
		.state_epoch = call->write ? call->state_epoch :
					     SHARE_STATE_UNKNOWN,
		.leader_epoch = call->leader_epoch,
		.start_offset = call->write ? call->start_offset :
					      SHARE_STATE_UNKNOWN,
		.delivery_complete_count = call->delivery_complete_count,
	};
	if (call->write)
		batches_put(keeping);
	share_coordinator_run(keeper->coordinator, &keeping->state);
}

void
share_keeper_init(
    struct share_keeper *keeper, struct share_coordinator *coordinator)
{
	keeper->persister.run = keeper_run;
	keeper->coordinator = coordinator;
}
