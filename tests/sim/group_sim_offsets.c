/* Committed offsets, by the members of all groups and by nobody. */
#include "sim/group_sim.h"

#include "wire/generated/offset_commit.h"

#define TOPIC "source"
#define PARTITIONS 3

static void
note(struct sim *sim, const char *group, int partition, int64_t offset)
{
	if (sim->commits_count == sim->commits_capacity) {
		sim->commits_capacity = 2 * sim->commits_capacity + 64;
		sim->commits = xrealloc(sim->commits,
		    sim->commits_capacity * sizeof(*sim->commits));
	}
	sim->commits[sim->commits_count++] = (struct sim_commit){
		.at = sim->world.log.end_offset - 1,
		.group = group,
		.partition = partition,
		.offset = offset,
	};
}

void
sim_offsets_cut(struct sim *sim, int64_t end)
{
	while (sim->commits_count > 0 &&
	    sim->commits[sim->commits_count - 1].at >= end)
		sim->commits_count--;
}

/* It is answered when it is committed; nobody waits for that here. */
static void
on_committed(struct shard_call *call)
{
	((struct sim *)call->context)->calls_open--;
}

enum kp_error
sim_offsets_commit(struct sim *sim, const char *group, const char *member,
    const char *instance, int32_t generation)
{
	struct arena *arena = &sim->world.arena;
	struct group_call *call = arena_xcalloc(arena, 1, sizeof(*call));
	struct group_offset *at = arena_xcalloc(arena, 1, sizeof(*at));
	struct group_topic *topic = arena_xcalloc(arena, 1, sizeof(*topic));
	struct group_commit *commit = arena_xcalloc(arena, 1, sizeof(*commit));
	int64_t end = sim->world.log.end_offset;

	at->partition = (int32_t)rng_below(&sim->rng, PARTITIONS);
	at->offset = (int64_t)rng_below(&sim->rng, 1000000);
	at->leader_epoch = -1;
	at->metadata = slice_str("");
	*topic = (struct group_topic){ .name = slice_str(TOPIC), .known = true,
		.offsets = at, .offsets_count = 1 };
	*commit = (struct group_commit){
		.group_id = slice_str(group),
		.generation_id = generation,
		.member_id = arena_copy(arena, slice_str(member)),
		.instance_id = instance[0] == '\0' ?
		    SLICE_NULL :
		    arena_copy(arena, slice_str(instance)),
		.retention_ms = -1,
		.topics = topic,
		.topics_count = 1,
	};
	sim_call_init(sim, call, 9, on_committed);
	call->call.context = sim;
	group_shard_commit(&sim->world.shard, call, commit);
	if (sim->world.log.end_offset > end)
		note(sim, group, at->partition, at->offset);
	else
		CHECK(call->call.error != KP_NONE);
	return call->call.error;
}

static int64_t
wanted(const struct sim *sim, const char *group, int partition)
{
	for (size_t i = sim->commits_count; i-- > 0;)
		if (strcmp(sim->commits[i].group, group) == 0 &&
		    sim->commits[i].partition == partition)
			return sim->commits[i].offset;
	return -1;
}

static void
on_fetched(struct shard_call *call)
{
	((struct sim *)call->context)->calls_open--;
}

static void
check_group(struct sim *sim, const char *group)
{
	struct group_offset offsets[PARTITIONS] = { 0 };
	struct group_topic topic = { .name = slice_str(TOPIC),
		.offsets = offsets, .offsets_count = PARTITIONS };
	struct group_fetch fetch = {
		.group_id = slice_str(group),
		.member_id = SLICE_NULL,
		.member_epoch = -1,
		.require_stable = true,
		.topics = &topic,
		.topics_count = 1,
	};
	struct group_call call;

	for (int i = 0; i < PARTITIONS; i++)
		offsets[i].partition = i;
	sim_call_init(sim, &call, 8, on_fetched);
	call.call.context = sim;
	group_shard_fetch(&sim->world.shard, &call, &fetch);
	CHECK(call.call.error == KP_NONE);
	for (int i = 0; i < PARTITIONS; i++) {
		CHECK(offsets[i].error == KP_NONE);
		CHECK(offsets[i].offset == wanted(sim, group, i));
	}
}

/* All that was appended is committed, so the answer is there at once. */
void
sim_offsets_check(struct sim *sim)
{
	world_commit(&sim->world);
	check_group(sim, SIM_CLASSIC_GROUP);
	check_group(sim, SIM_CONSUMER_GROUP);
	check_group(sim, SIM_MIXED_GROUP);
}
