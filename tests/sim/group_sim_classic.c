/*
 * Members of a classic group, as eager consumers are: who is told of a
 * rebalance gives up all that it has, joins, and gets what the leader gives.
 */
#include "sim/group_sim.h"

#include "base/bytes.h"
#include "coord/group.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/leave_group.h"

#include <stdio.h>

/* What the members share. */
#define SHARED ((sim_set)0x3fff)

/* --- Bytes -------------------------------------------------------------- */

/* The leader's plan is bytes that only the members understand. */
static struct slice
encode_set(struct sim *sim, sim_set set)
{
	uint8_t *bytes = arena_alloc(&sim->world.arena, 4);

	be32_put(bytes, set);
	return slice_of(bytes, 4);
}

static sim_set
decode_set(struct slice bytes)
{
	return bytes.len < 4 ? 0 : be32_get(bytes.data);
}

static struct slice
instance_of(const struct sim_classic *member)
{
	return member->instance[0] == '\0' ? SLICE_NULL :
					     slice_str(member->instance);
}

/* --- Requests ----------------------------------------------------------- */

static void
on_done(struct shard_call *call)
{
	struct sim_classic *member = call->context;

	CHECK(member->pending);
	member->pending = false;
	member->sim->calls_open--;
}

static void
begin(struct sim_classic *member)
{
	CHECK(!member->pending);
	member->pending = true;
	sim_call_init(member->sim, &member->call, 9, on_done);
	member->call.call.context = member;
}

static void
join(struct sim_classic *member)
{
	struct sim *sim = member->sim;

	kp_defaults(&kp_join_group_request, &member->join);
	kp_defaults(&kp_join_group_response, &member->joined);
	/* What it can do changes now and then. */
	member->protocol.name = slice_str("range");
	member->protocol.metadata =
	    slice_str(sim_chance(&sim->rng, 90) ? "one" : "two");
	member->join.group_id = slice_str(SIM_CLASSIC_GROUP);
	member->join.session_timeout_ms = SIM_SESSION_MS;
	member->join.rebalance_timeout_ms = SIM_REBALANCE_MS;
	member->join.member_id =
	    arena_copy(&sim->world.arena, slice_str(member->id));
	member->join.group_instance_id = instance_of(member);
	member->join.protocol_type = slice_str("test");
	member->join.protocols = &member->protocol;
	member->join.protocols_count = 1;
	member->owned = 0;
	member->state = SIM_CLASSIC_JOINING;
	begin(member);
	group_shard_join(
	    &sim->world.shard, &member->call, &member->join, &member->joined);
}

/* Deal out all partitions, each to one member. */
static void
plan(struct sim_classic *member)
{
	struct sim *sim = member->sim;
	int32_t count = member->joined.members_count;
	sim_set all = SHARED;
	struct kp_sync_group_request_assignment *assignments =
	    arena_xcalloc(&sim->world.arena, (size_t)count,
		sizeof(*assignments));
	sim_set *shares =
	    arena_xcalloc(&sim->world.arena, (size_t)count, sizeof(*shares));

	for (int bit = 0, next = 0; bit < 32; bit++)
		if ((all & (sim_set)1 << bit) != 0)
			shares[next++ % count] |= (sim_set)1 << bit;
	for (int32_t i = 0; i < count; i++) {
		assignments[i].member_id = member->joined.members[i].member_id;
		assignments[i].assignment = encode_set(sim, shares[i]);
	}
	member->sync.assignments = assignments;
	member->sync.assignments_count = count;
}

static void
sync_up(struct sim_classic *member)
{
	struct sim *sim = member->sim;

	kp_defaults(&kp_sync_group_request, &member->sync);
	kp_defaults(&kp_sync_group_response, &member->synced);
	member->sync.group_id = slice_str(SIM_CLASSIC_GROUP);
	member->sync.generation_id = member->generation;
	member->sync.member_id =
	    arena_copy(&sim->world.arena, slice_str(member->id));
	member->sync.group_instance_id = instance_of(member);
	if (member->joined.members_count > 0)
		plan(member);
	member->state = SIM_CLASSIC_SYNCING;
	begin(member);
	group_shard_sync(
	    &sim->world.shard, &member->call, &member->sync, &member->synced);
}

static enum kp_error
heartbeat(struct sim_classic *member)
{
	struct kp_heartbeat_request request;

	kp_defaults(&kp_heartbeat_request, &request);
	request.group_id = slice_str(SIM_CLASSIC_GROUP);
	request.generation_id = member->generation;
	request.member_id = slice_str(member->id);
	request.group_instance_id = instance_of(member);
	begin(member);
	group_shard_heartbeat(
	    &member->sim->world.shard, &member->call, &request);
	/* Heartbeats do not wait for the disk. */
	CHECK(!member->pending);
	return member->call.call.error;
}

/* It goes for good: nobody waits for the answer. */
struct leaving {
	struct sim *sim;
	struct group_call call;
	struct kp_leave_group_request request;
	struct kp_leave_group_request_member member;
	struct kp_leave_group_response response;
};

static void
on_left(struct shard_call *call)
{
	((struct sim *)call->context)->calls_open--;
}

static void
leave(struct sim_classic *member)
{
	struct sim *sim = member->sim;
	struct leaving *leaving =
	    arena_xcalloc(&sim->world.arena, 1, sizeof(*leaving));

	kp_defaults(&kp_leave_group_response, &leaving->response);
	leaving->request.group_id = slice_str(SIM_CLASSIC_GROUP);
	leaving->request.members = &leaving->member;
	leaving->request.members_count = 1;
	leaving->member.member_id =
	    arena_copy(&sim->world.arena, slice_str(member->id));
	leaving->member.group_instance_id = instance_of(member);
	sim_call_init(sim, &leaving->call, 5, on_left);
	leaving->call.call.context = sim;
	group_shard_leave(&sim->world.shard, &leaving->call, &leaving->request,
	    &leaving->response);
	member->owned = 0;
	member->id[0] = '\0';
	member->state = SIM_CLASSIC_IDLE;
}

/* --- Answers ------------------------------------------------------------ */

static void
forget(struct sim_classic *member, enum kp_error error)
{
	member->state = SIM_CLASSIC_IDLE;
	member->owned = 0;
	if (error == KP_UNKNOWN_MEMBER_ID || error == KP_FENCED_INSTANCE_ID)
		member->id[0] = '\0';
	CHECK(error == KP_UNKNOWN_MEMBER_ID ||
	    error == KP_FENCED_INSTANCE_ID || error == KP_ILLEGAL_GENERATION ||
	    error == KP_REBALANCE_IN_PROGRESS || error == KP_NOT_COORDINATOR ||
	    error == KP_COORDINATOR_NOT_AVAILABLE ||
	    error == KP_COORDINATOR_LOAD_IN_PROGRESS);
}

static void
take_id(struct sim_classic *member)
{
	CHECK(member->joined.member_id.len < sizeof(member->id));
	snprintf(member->id, sizeof(member->id), "%.*s",
	    SLICE_ARG(member->joined.member_id));
}

static void
joined(struct sim_classic *member, enum kp_error error)
{
	if (error == KP_MEMBER_ID_REQUIRED) {
		take_id(member);
		join(member);
	} else if (error == KP_NONE) {
		take_id(member);
		member->generation = member->joined.generation_id;
		/* A leader that is replaced keeps what was dealt out. */
		if (member->joined.skip_assignment)
			member->joined.members_count = 0;
		sync_up(member);
	} else {
		forget(member, error);
	}
}

static void
synced(struct sim_classic *member, enum kp_error error)
{
	if (error != KP_NONE) {
		forget(member, error);
		return;
	}
	member->state = SIM_CLASSIC_STABLE;
	member->owned = decode_set(member->synced.assignment);
	member->sim->shared++;
}

static void
collect(struct sim_classic *member)
{
	enum kp_error error = member->call.call.error;

	if (member->pending)
		return;
	if (member->state == SIM_CLASSIC_JOINING)
		joined(member, error);
	else if (member->state == SIM_CLASSIC_SYNCING)
		synced(member, error);
}

void
sim_classic_collect(struct sim *sim)
{
	for (int i = 0; i < SIM_MEMBERS; i++)
		collect(&sim->classics[i]);
}

/* --- What it does ------------------------------------------------------- */

static void
beat(struct sim_classic *member)
{
	enum kp_error error = heartbeat(member);

	if (error == KP_NOT_COORDINATOR || error == KP_NONE)
		return;
	forget(member, error);
}

/* Another process with the same instance id: the old one is fenced. */
static void
replace(struct sim_classic *member)
{
	if (member->instance[0] == '\0')
		return;
	member->id[0] = '\0';
	join(member);
}

static void
commit(struct sim_classic *member)
{
	enum kp_error error = sim_offsets_commit(member->sim,
	    SIM_CLASSIC_GROUP, member->id, member->instance,
	    member->generation);

	if (error != KP_NONE && error != KP_NOT_COORDINATOR &&
	    error != KP_COORDINATOR_NOT_AVAILABLE)
		forget(member, error);
}

static void
act(struct sim_classic *member)
{
	struct sim *sim = member->sim;
	uint64_t what = rng_below(&sim->rng, sim->settling ? 60 : 100);

	if (member->pending || sim->world.log.now_ms < member->away_until_ms)
		return;
	if (member->state == SIM_CLASSIC_IDLE)
		join(member);
	else if (what < 60)
		beat(member);
	else if (what < 85)
		commit(member);
	else if (what < 90)
		leave(member);
	else if (what < 94)
		replace(member);
	else if (what < 97)
		member->away_until_ms = sim->world.log.now_ms +
		    (int64_t)rng_below(&sim->rng, 40000);
	else
		join(member);
}

void
sim_classic_step(struct sim *sim)
{
	act(&sim->classics[rng_below(&sim->rng, SIM_MEMBERS)]);
	sim_classic_collect(sim);
}

void
sim_classic_interrupt(struct sim *sim)
{
	for (int i = 0; i < SIM_MEMBERS; i++)
		CHECK(!sim->classics[i].pending);
}

/* --- Checks ------------------------------------------------------------- */

/* In one generation a partition belongs to one member. */
void
sim_classic_check(struct sim *sim)
{
	for (int i = 0; i < SIM_MEMBERS; i++) {
		const struct sim_classic *a = &sim->classics[i];

		if (a->state != SIM_CLASSIC_STABLE)
			continue;
		for (int j = 0; j < i; j++) {
			const struct sim_classic *b = &sim->classics[j];

			if (b->state != SIM_CLASSIC_STABLE ||
			    a->generation != b->generation)
				continue;
			/* Who was replaced does not know it yet. */
			CHECK((a->owned & b->owned) == 0 ||
			    (a->instance[0] != '\0' &&
				strcmp(a->instance, b->instance) == 0));
		}
	}
}

void
sim_classic_settle(struct sim *sim)
{
	sim_set all = 0;

	/* Of two with one instance id only one can stay. */
	for (int i = 1; i < SIM_MEMBERS; i++)
		for (int j = 0; j < i; j++)
			if (sim->classics[i].instance[0] != '\0' &&
			    strcmp(sim->classics[i].instance,
				sim->classics[j].instance) == 0)
				sim->classics[i].away_until_ms = INT64_MAX;
	for (int i = 0; i < 100; i++) {
		for (int j = 0; j < SIM_MEMBERS; j++)
			act(&sim->classics[j]);
		sim_classic_collect(sim);
		sim_classic_check(sim);
		world_pass(&sim->world, 1000);
	}
	for (int i = 0; i < SIM_MEMBERS; i++) {
		if (sim->classics[i].away_until_ms == INT64_MAX)
			continue;
		CHECK(sim->classics[i].state == SIM_CLASSIC_STABLE);
		all |= sim->classics[i].owned;
	}
	CHECK(all == SHARED);
}

void
sim_classic_init(struct sim *sim)
{
	for (int i = 0; i < SIM_MEMBERS; i++) {
		struct sim_classic *member = &sim->classics[i];

		member->sim = sim;
		/* Two of them are static, and two say that they are a third. */
		if (i < 4)
			snprintf(member->instance, sizeof(member->instance),
			    "i%d", MIN(i, 2));
	}
}
