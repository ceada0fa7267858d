/*
 * What of the groups must be the same after a restart: a consumer group in all
 * that is shown of it, a classic group where its last generation was synced.
 */
#include "sim/group_sim.h"

#include "coord/group.h"
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
consumer_state(struct sim *sim, const char *name)
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
	    &sim->world.shard, &call, slice_str(name), &group);
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

/*
 * "" where what is in memory is more than what is in the log; and where the
 * log's last word is a downgrade, after which a start rebalances.
 */
static struct slice
classic_state(struct sim *sim, const char *name)
{
	const struct group *found =
	    group_find(&sim->world.shard, slice_str(name));
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
	    &sim->world.shard, &call, slice_str(name), &group);
	if (!slice_equal_str(group.group_state, "Stable") || found->downgraded)
		return slice_str("");
	qsort(group.members, (size_t)group.members_count,
	    sizeof(*group.members), classic_by_id);
	response.groups = &group;
	response.groups_count = 1;
	return encode(arena, &kp_describe_groups_response, 6, &response);
}

static struct slice
state_of(struct sim *sim, const char *consumer_name, const char *classic_name)
{
	struct slice consumer = consumer_state(sim, consumer_name);
	struct slice classic = classic_state(sim, classic_name);
	uint8_t *both = arena_xcalloc(
	    &sim->world.arena, 1, consumer.len + classic.len + 1);

	memcpy(both, consumer.data, consumer.len);
	memcpy(both + consumer.len, classic.data, classic.len);
	return slice_of(both, consumer.len + classic.len);
}

struct slice
sim_state(struct sim *sim)
{
	return state_of(sim, SIM_CONSUMER_GROUP, SIM_CLASSIC_GROUP);
}

/* Of one of its two kinds there is nothing but that it is not there. */
struct slice
sim_state_mixed(struct sim *sim)
{
	return state_of(sim, SIM_MIXED_GROUP, SIM_MIXED_GROUP);
}
