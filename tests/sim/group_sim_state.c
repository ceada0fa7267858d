/*
 * What of the groups must be the same after a restart: a consumer group in all
 * that is shown of it, a classic group where its last generation was synced.
 */
#include "sim/group_sim.h"

#include "wire/codec.h"
#include "wire/generated/consumer_group_describe.h"
#include "wire/generated/describe_groups.h"
#include "wire/output.h"

static void
on_done(struct shard_call *call)
{
	((struct sim *)call->context)->calls_open--;
}

static struct slice
encode(struct arena *arena, const struct kp_message *message, int16_t version,
    const void *body)
{
	struct output out;
	struct slice bytes;
	uint8_t *to;

	output_init(&out, arena);
	CHECK(kp_encode(message, version, body, &out) == 0);
	to = arena_alloc(arena, out.len + 1);
	bytes = slice_of(to, out.len);
	for (int32_t i = 0; i < out.count; i++) {
		memcpy(to, out.pieces[i].data, out.pieces[i].len);
		to += out.pieces[i].len;
	}
	return bytes;
}

static int
compare(struct slice a, struct slice b)
{
	int result = memcmp(a.data, b.data, MIN(a.len, b.len));

	return result != 0 ? result : (a.len > b.len) - (a.len < b.len);
}

static int
by_id(const void *a, const void *b)
{
	const struct kp_consumer_group_describe_response_member *m = a, *n = b;

	return compare(m->member_id, n->member_id);
}

static struct slice
consumer_state(struct sim *sim)
{
	struct arena *arena = &sim->world.arena;
	struct kp_consumer_group_describe_response response;
	struct kp_consumer_group_describe_response_group group;
	struct group_call call;

	kp_defaults(&kp_consumer_group_describe_response, &response);
	memset(&group, 0, sizeof(group));
	group.authorized_operations = INT32_MIN;
	sim_call_init(sim, &call, 1, on_done);
	call.call.context = sim;
	group_shard_consumer_describe(
	    &sim->world.shard, &call, slice_str(SIM_CONSUMER_GROUP), &group);
	if (group.members_count > 0)
		qsort(group.members, (size_t)group.members_count,
		    sizeof(*group.members), by_id);
	response.groups = &group;
	response.groups_count = 1;
	return encode(
	    arena, &kp_consumer_group_describe_response, 1, &response);
}

static int
classic_by_id(const void *a, const void *b)
{
	const struct kp_describe_groups_response_member *m = a, *n = b;

	return compare(m->member_id, n->member_id);
}

/* "" where what is in memory is more than what is in the log. */
static struct slice
classic_state(struct sim *sim)
{
	struct arena *arena = &sim->world.arena;
	struct kp_describe_groups_response response;
	struct kp_describe_groups_response_group group;
	struct group_call call;

	kp_defaults(&kp_describe_groups_response, &response);
	memset(&group, 0, sizeof(group));
	group.authorized_operations = INT32_MIN;
	sim_call_init(sim, &call, 6, on_done);
	call.call.context = sim;
	group_shard_describe(
	    &sim->world.shard, &call, slice_str(SIM_CLASSIC_GROUP), &group);
	if (!slice_equal_str(group.group_state, "Stable"))
		return slice_str("");
	qsort(group.members, (size_t)group.members_count,
	    sizeof(*group.members), classic_by_id);
	response.groups = &group;
	response.groups_count = 1;
	return encode(arena, &kp_describe_groups_response, 6, &response);
}

struct slice
sim_state(struct sim *sim)
{
	struct slice consumer = consumer_state(sim);
	struct slice classic = classic_state(sim);
	uint8_t *both = arena_xcalloc(
	    &sim->world.arena, 1, consumer.len + classic.len + 1);

	memcpy(both, consumer.data, consumer.len);
	memcpy(both + consumer.len, classic.data, classic.len);
	return slice_of(both, consumer.len + classic.len);
}
