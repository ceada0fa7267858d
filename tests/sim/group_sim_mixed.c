/*
 * A group whose members speak either protocol and change it, so that it is
 * upgraded and downgraded while it works.  Classic members are eager: who is
 * told of a rebalance gives up all that it has.  All read all topics.
 */
#include "sim/group_sim.h"

#include "base/log.h"
#include "coord/consumer_group.h"
#include "coord/consumer_heartbeat.h"
#include "coord/consumer_protocol.h"
#include "wire/codec.h"
#include "wire/generated/consumer_protocol_assignment.h"
#include "wire/generated/consumer_protocol_subscription.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/leave_group.h"

#include <stdio.h>

/* The version of the bytes that classic members exchange. */
#define PROTOCOL_VERSION 3

/*
 * Who was not heard of for a session, or did not give up in time what it had
 * to, may have been thrown out.
 */
#define LAPSE_MS MIN(SIM_SESSION_MS, SIM_REBALANCE_MS)

/* --- Sets ---------------------------------------------------------------- */

static void
add_topic(struct sim_mixed *member, sim_set *set, struct uuid id,
    int32_t partition)
{
	for (int i = 0; i < SIM_TOPICS; i++)
		if (uuid_equal(member->sim->topics[i].id, id)) {
			member->ids[i] = id;
			*set |= (sim_set)1
			    << (i * SIM_PARTITIONS_MAX + partition);
		}
}

/* A topic that was made anew is another one. */
static sim_set
works_on(const struct sim_mixed *member)
{
	const struct sim *sim = member->sim;
	sim_set set = member->owned;

	for (int i = 0; i < SIM_TOPICS; i++)
		if (!uuid_equal(member->ids[i], sim->topics[i].id))
			set &= ~((((sim_set)1 << SIM_PARTITIONS_MAX) - 1)
			    << (SIM_PARTITIONS_MAX * i));
	return set;
}

static int32_t *
partitions_of(struct sim *sim, sim_set set, int topic, int32_t *count)
{
	int32_t *partitions = arena_xcalloc(
	    &sim->world.arena, SIM_PARTITIONS_MAX, sizeof(*partitions));

	*count = 0;
	for (int32_t i = 0; i < SIM_PARTITIONS_MAX; i++)
		if ((set >> (topic * SIM_PARTITIONS_MAX + i) & 1) != 0)
			partitions[(*count)++] = i;
	return partitions;
}

/* --- Calls --------------------------------------------------------------- */

static void
on_done(struct shard_call *call)
{
	struct sim_mixed *member = call->context;

	CHECK(member->pending);
	member->pending = false;
	member->sim->calls_open--;
}

static void
begin(struct sim_mixed *member, int16_t version)
{
	CHECK(!member->pending);
	member->pending = true;
	member->asked = true;
	member->sent_ms = member->sim->world.log.now_ms;
	sim_call_init(member->sim, &member->call, version, on_done);
	member->call.call.context = member;
}

static void
out(struct sim_mixed *member)
{
	member->state = SIM_CLASSIC_IDLE;
	member->owned = member->told = 0;
}

/* Another process, of any protocol; nobody has heard of it. */
static void
be_anew(struct sim_mixed *member)
{
	struct sim *sim = member->sim;

	out(member);
	member->consumer = sim_chance(&sim->rng, 50);
	member->id[0] = '\0';
	if (member->consumer)
		snprintf(member->id, sizeof(member->id), "m%d",
		    sim->mixed_count++);
}

static struct slice
id_of(struct sim_mixed *member)
{
	return arena_copy(&member->sim->world.arena, slice_str(member->id));
}

/* --- The classic protocol ------------------------------------------------ */

static void
join_classic(struct sim_mixed *member)
{
	struct sim *sim = member->sim;
	struct kp_consumer_protocol_subscription said;
	struct slice *names = arena_xcalloc(
	    &sim->world.arena, SIM_TOPICS, sizeof(*names));

	out(member);
	kp_defaults(&kp_consumer_protocol_subscription, &said);
	kp_defaults(&kp_join_group_request, &member->join);
	kp_defaults(&kp_join_group_response, &member->joined);
	for (int i = 0; i < SIM_TOPICS; i++)
		names[i] = slice_str(sim->topics[i].name);
	said.topics = names;
	said.topics_count = SIM_TOPICS;
	member->protocol.name = slice_str("range");
	member->protocol.metadata = kp_encode_prefixed(&sim->world.arena,
	    PROTOCOL_VERSION, &kp_consumer_protocol_subscription,
	    PROTOCOL_VERSION, &said);
	member->join.group_id = slice_str(SIM_MIXED_GROUP);
	member->join.session_timeout_ms = SIM_SESSION_MS;
	member->join.rebalance_timeout_ms = SIM_REBALANCE_MS;
	member->join.member_id = id_of(member);
	member->join.protocol_type = slice_str("consumer");
	member->join.protocols = &member->protocol;
	member->join.protocols_count = 1;
	member->state = SIM_CLASSIC_JOINING;
	begin(member, 9);
	group_shard_join(
	    &sim->world.shard, &member->call, &member->join, &member->joined);
}

static struct slice
encode_share(struct sim *sim, sim_set share)
{
	struct arena *arena = &sim->world.arena;
	struct kp_consumer_protocol_assignment body;

	kp_defaults(&kp_consumer_protocol_assignment, &body);
	body.assigned_partitions = arena_xcalloc(
	    arena, SIM_TOPICS, sizeof(*body.assigned_partitions));
	for (int i = 0; i < SIM_TOPICS; i++) {
		struct kp_consumer_protocol_assignment_assigned_partition
		    *topic =
			&body.assigned_partitions[body
				.assigned_partitions_count++];

		topic->topic = slice_str(sim->topics[i].name);
		topic->partitions =
		    partitions_of(sim, share, i, &topic->partitions_count);
	}
	return kp_encode_prefixed(arena, PROTOCOL_VERSION,
	    &kp_consumer_protocol_assignment, PROTOCOL_VERSION, &body);
}

/* A leader deals out all partitions, each to one member. */
static void
plan(struct sim_mixed *member)
{
	struct sim *sim = member->sim;
	int32_t count = member->joined.members_count;
	sim_set all = sim_partitions(sim, ~0u);
	struct kp_sync_group_request_assignment *assignments = arena_xcalloc(
	    &sim->world.arena, (size_t)count, sizeof(*assignments));
	sim_set *shares = arena_xcalloc(
	    &sim->world.arena, (size_t)count, sizeof(*shares));

	for (int bit = 0, next = 0; bit < 32; bit++)
		if ((all & (sim_set)1 << bit) != 0)
			shares[next++ % count] |= (sim_set)1 << bit;
	for (int32_t i = 0; i < count; i++) {
		assignments[i].member_id = member->joined.members[i].member_id;
		assignments[i].assignment = encode_share(sim, shares[i]);
	}
	member->sync.assignments = assignments;
	member->sync.assignments_count = count;
}

static void
sync_up(struct sim_mixed *member)
{
	struct sim *sim = member->sim;

	kp_defaults(&kp_sync_group_request, &member->sync);
	kp_defaults(&kp_sync_group_response, &member->synced);
	member->sync.group_id = slice_str(SIM_MIXED_GROUP);
	member->sync.generation_id = member->epoch;
	member->sync.member_id = id_of(member);
	if (member->joined.members_count > 0)
		plan(member);
	member->state = SIM_CLASSIC_SYNCING;
	begin(member, 5);
	group_shard_sync(
	    &sim->world.shard, &member->call, &member->sync, &member->synced);
}

static void
heartbeat(struct sim_mixed *member)
{
	struct kp_heartbeat_request request;

	kp_defaults(&kp_heartbeat_request, &request);
	request.group_id = slice_str(SIM_MIXED_GROUP);
	request.generation_id = member->epoch;
	request.member_id = slice_str(member->id);
	begin(member, 4);
	group_shard_heartbeat(
	    &member->sim->world.shard, &member->call, &request);
	/* Heartbeats do not wait for the disk. */
	CHECK(!member->pending);
}

/* --- The consumer protocol ----------------------------------------------- */

static void
fill_owned(struct sim_mixed *member)
{
	struct kp_consumer_group_heartbeat_request *request = &member->beat;
	struct sim *sim = member->sim;
	sim_set owned = works_on(member);

	member->reported = owned;
	request->topic_partitions = arena_xcalloc(&sim->world.arena,
	    SIM_TOPICS, sizeof(*request->topic_partitions));
	request->topic_partitions_count = 0;
	for (int i = 0; i < SIM_TOPICS; i++) {
		int32_t at = request->topic_partitions_count, count;
		int32_t *partitions = partitions_of(sim, owned, i, &count);

		if (count == 0)
			continue;
		request->topic_partitions[at].topic_id = member->ids[i];
		request->topic_partitions[at].partitions = partitions;
		request->topic_partitions[at].partitions_count = count;
		request->topic_partitions_count++;
	}
}

/* Each says everything, and so is told everything. */
static void
beat(struct sim_mixed *member, int32_t epoch)
{
	struct sim *sim = member->sim;
	struct kp_consumer_group_heartbeat_request *request = &member->beat;
	struct slice *names = arena_xcalloc(
	    &sim->world.arena, SIM_TOPICS, sizeof(*names));

	/* It has stopped what it was told to stop. */
	if (sim->settling || sim_chance(&sim->rng, 70))
		member->owned &= member->told;
	for (int i = 0; i < SIM_TOPICS; i++)
		names[i] = slice_str(sim->topics[i].name);
	kp_defaults(&kp_consumer_group_heartbeat_request, request);
	kp_defaults(&kp_consumer_group_heartbeat_response, &member->beaten);
	request->group_id = slice_str(SIM_MIXED_GROUP);
	request->member_id = id_of(member);
	request->member_epoch = epoch;
	request->rebalance_timeout_ms = SIM_REBALANCE_MS;
	request->subscribed_topic_names = names;
	request->subscribed_topic_names_count = SIM_TOPICS;
	fill_owned(member);
	begin(member, 1);
	group_shard_consumer_heartbeat(&sim->world.shard, &member->call,
	    request, &member->beaten);
}

/*
 * The members' first rebalance goes on.  As in Kafka a group without a protocol
 * cannot be upgraded, and the heartbeat is answered UNKNOWN_SERVER_ERROR.
 */
static bool
has_no_protocol(struct sim *sim)
{
	const struct group *group =
	    group_find(&sim->world.shard, slice_str(SIM_MIXED_GROUP));

	return group != NULL && group->consumer == NULL &&
	    group_member_count(group) > 0 && slice_is_null(group->protocol);
}

static void
join_consumer(struct sim_mixed *member)
{
	out(member);
	member->refused = has_no_protocol(member->sim);
	member->revoke_ms = INT64_MAX;
	beat(member, CONSUMER_EPOCH_JOIN);
}

/* --- Answers ------------------------------------------------------------- */

/* A member that lost its coordinator goes on for now. */
static bool
passes(enum kp_error error)
{
	return error == KP_NOT_COORDINATOR ||
	    error == KP_COORDINATOR_NOT_AVAILABLE ||
	    error == KP_COORDINATOR_LOAD_IN_PROGRESS;
}

static void
forget_classic(struct sim_mixed *member, enum kp_error error)
{
	out(member);
	if (error == KP_UNKNOWN_MEMBER_ID)
		member->id[0] = '\0';
	CHECK(error == KP_UNKNOWN_MEMBER_ID || error == KP_ILLEGAL_GENERATION ||
	    error == KP_REBALANCE_IN_PROGRESS || passes(error));
}

static void
joined(struct sim_mixed *member, enum kp_error error)
{
	if (error != KP_NONE && error != KP_MEMBER_ID_REQUIRED) {
		forget_classic(member, error);
		return;
	}
	CHECK(member->joined.member_id.len < sizeof(member->id));
	snprintf(member->id, sizeof(member->id), "%.*s",
	    SLICE_ARG(member->joined.member_id));
	if (error == KP_MEMBER_ID_REQUIRED) {
		join_classic(member);
		return;
	}
	member->epoch = member->joined.generation_id;
	sync_up(member);
}

static void
synced(struct sim_mixed *member, enum kp_error error)
{
	struct sim *sim = member->sim;
	struct consumer_assignment set = { 0 };
	bool custom;

	if (error != KP_NONE) {
		forget_classic(member, error);
		return;
	}
	member->state = SIM_CLASSIC_STABLE;
	member->heard_ms = member->sent_ms;
	member->revoke_ms = INT64_MAX;
	if (member->synced.assignment.len > 0)
		CHECK(consumer_protocol_assignment(sim->world.image,
			  member->synced.assignment, &sim->world.arena, &set,
			  &custom) == 0);
	for (int32_t i = 0; i < set.count; i++)
		add_topic(member, &member->owned, set.partitions[i].topic_id,
		    set.partitions[i].partition);
	member->told = member->owned;
	sim->shared++;
}

static void
beaten_classic(struct sim_mixed *member, enum kp_error error)
{
	if (error == KP_NONE)
		member->heard_ms = member->sent_ms;
	else if (!passes(error))
		forget_classic(member, error);
}

static void
take_assignment(struct sim_mixed *member)
{
	const struct kp_consumer_group_heartbeat_response_assignment *given =
	    member->beaten.assignment;
	sim_set told = 0;

	CHECK(given != NULL);
	member->owned = works_on(member);
	for (int32_t t = 0; t < given->topic_partitions_count; t++)
		for (int32_t i = 0;
		     i < given->topic_partitions[t].partitions_count; i++)
			add_topic(member, &told,
			    given->topic_partitions[t].topic_id,
			    given->topic_partitions[t].partitions[i]);
	member->told = told;
	member->owned |= told;
	member->sim->shared++;
}

/* For so long it may have had something to give up. */
static void
revoke_since(struct sim_mixed *member)
{
	member->revoke_ms = MIN(member->revoke_ms, member->sent_ms);
}

static void
beaten(struct sim_mixed *member, enum kp_error error)
{
	if (error == KP_NONE) {
		member->state = SIM_CLASSIC_STABLE;
		member->epoch = member->beaten.member_epoch;
		member->heard_ms = member->sent_ms;
		take_assignment(member);
		if ((member->reported & ~member->told) == 0)
			member->revoke_ms = INT64_MAX;
		if ((member->owned & ~member->told) != 0)
			revoke_since(member);
	} else if (passes(error)) {
		revoke_since(member);
	} else {
		CHECK(error == KP_UNKNOWN_MEMBER_ID ||
		    error == KP_FENCED_MEMBER_EPOCH ||
		    error == KP_GROUP_ID_NOT_FOUND ||
		    (error == KP_UNKNOWN_SERVER_ERROR && member->refused));
		out(member);
	}
}

static void
take_answer(struct sim_mixed *member)
{
	enum kp_error error = member->call.call.error;

	member->asked = false;
	log_debug("sim", "%s %s of %d: state %d, works on %x of %x: %s",
	    member->consumer ? "consumer" : "classic", member->id,
	    member->epoch, member->state, member->owned, member->told,
	    kp_error_name(error));
	if (member->consumer)
		beaten(member, error);
	else if (member->state == SIM_CLASSIC_JOINING)
		joined(member, error);
	else if (member->state == SIM_CLASSIC_SYNCING)
		synced(member, error);
	else
		beaten_classic(member, error);
	log_debug("sim", "  then %x of %x", member->owned, member->told);
}

/* An answer can make it ask at once, and be answered at once. */
static void
collect(struct sim_mixed *member)
{
	while (member->asked && !member->pending)
		take_answer(member);
}

void
sim_mixed_collect(struct sim *sim)
{
	for (int i = 0; i < SIM_MEMBERS; i++)
		collect(&sim->mixed[i]);
}

/* --- What it does -------------------------------------------------------- */

/* It leaves, and nobody waits for the answer. */
struct leaving {
	struct sim *sim;
	struct group_call call;
	struct kp_leave_group_request request;
	struct kp_leave_group_request_member member;
	struct kp_leave_group_response response;
	struct kp_consumer_group_heartbeat_request beat;
	struct kp_consumer_group_heartbeat_response beaten;
};

static void
on_left(struct shard_call *call)
{
	((struct sim *)call->context)->calls_open--;
}

static void
leave(struct sim_mixed *member)
{
	struct sim *sim = member->sim;
	struct leaving *leaving =
	    arena_xcalloc(&sim->world.arena, 1, sizeof(*leaving));

	sim_call_init(sim, &leaving->call, 1, on_left);
	leaving->call.call.context = sim;
	if (member->consumer) {
		kp_defaults(
		    &kp_consumer_group_heartbeat_request, &leaving->beat);
		kp_defaults(
		    &kp_consumer_group_heartbeat_response, &leaving->beaten);
		leaving->beat.group_id = slice_str(SIM_MIXED_GROUP);
		leaving->beat.member_id = id_of(member);
		leaving->beat.member_epoch = CONSUMER_EPOCH_LEAVE;
		group_shard_consumer_heartbeat(&sim->world.shard,
		    &leaving->call, &leaving->beat, &leaving->beaten);
	} else {
		kp_defaults(&kp_leave_group_response, &leaving->response);
		leaving->call.version = 5;
		leaving->request.group_id = slice_str(SIM_MIXED_GROUP);
		leaving->request.members = &leaving->member;
		leaving->request.members_count = 1;
		leaving->member.member_id = id_of(member);
		group_shard_leave(&sim->world.shard, &leaving->call,
		    &leaving->request, &leaving->response);
	}
	be_anew(member);
}

static bool
is_consumer_group(struct sim *sim)
{
	const struct group *group =
	    group_find(&sim->world.shard, slice_str(SIM_MIXED_GROUP));

	return group != NULL && group->consumer != NULL;
}

/* It goes on as a member of the other protocol, where it can. */
static void
change_protocol(struct sim_mixed *member)
{
	if (!is_consumer_group(member->sim))
		return;
	member->consumer = !member->consumer;
	if (member->consumer)
		beat(member, member->epoch);
	else
		join_classic(member);
}

static void
commit(struct sim_mixed *member)
{
	enum kp_error error = sim_offsets_commit(member->sim, SIM_MIXED_GROUP,
	    member->id, "", member->epoch);

	CHECK(error == KP_NONE || passes(error) ||
	    error == KP_UNKNOWN_MEMBER_ID || error == KP_ILLEGAL_GENERATION ||
	    error == KP_REBALANCE_IN_PROGRESS ||
	    error == KP_STALE_MEMBER_EPOCH || error == KP_GROUP_ID_NOT_FOUND);
}

static void
act(struct sim_mixed *member)
{
	struct sim *sim = member->sim;
	uint64_t what = rng_below(&sim->rng, sim->settling ? 60 : 100);

	if (member->asked || sim->world.log.now_ms < member->away_until_ms)
		return;
	if (member->state == SIM_CLASSIC_IDLE && member->consumer)
		join_consumer(member);
	else if (member->state == SIM_CLASSIC_IDLE)
		join_classic(member);
	else if (what < 70 && member->consumer)
		beat(member, member->epoch);
	else if (what < 70)
		heartbeat(member);
	else if (what < 82)
		commit(member);
	else if (what < 88)
		leave(member);
	else if (what < 92)
		be_anew(member);
	else if (what < 97)
		change_protocol(member);
	else
		member->away_until_ms = sim->world.log.now_ms +
		    (int64_t)rng_below(&sim->rng, 60000);
}

void
sim_mixed_step(struct sim *sim)
{
	act(&sim->mixed[rng_below(&sim->rng, SIM_MEMBERS)]);
	sim_mixed_collect(sim);
}

void
sim_mixed_interrupt(struct sim *sim)
{
	for (int i = 0; i < SIM_MEMBERS; i++)
		CHECK(!sim->mixed[i].pending);
}

/* --- Checks -------------------------------------------------------------- */

static bool
lapsed(const struct sim_mixed *member)
{
	return member->sim->world.log.now_ms - LAPSE_MS >=
	    MIN(member->heard_ms, member->revoke_ms);
}

/* Epochs become generations, and they epochs, as long as it has members. */
static void
check_epochs(struct sim *sim)
{
	struct group *group =
	    group_find(&sim->world.shard, slice_str(SIM_MIXED_GROUP));
	int32_t epoch = 0;

	if (group != NULL && group->consumer != NULL)
		epoch = list_empty(&group->consumer->members) ?
		    0 :
		    group->consumer->epoch;
	else if (group != NULL && group_member_count(group) > 0)
		epoch = group->generation;
	CHECK(epoch == 0 || epoch >= sim->mixed_epoch);
	sim->mixed_epoch = epoch;
}

/* At no time do two work on the same partition. */
void
sim_mixed_check(struct sim *sim)
{
	check_epochs(sim);
	for (int i = 0; i < SIM_MEMBERS; i++) {
		const struct sim_mixed *a = &sim->mixed[i];

		if (lapsed(a))
			continue;
		for (int j = 0; j < i; j++) {
			const struct sim_mixed *b = &sim->mixed[j];

			CHECK(lapsed(b) || (works_on(a) & works_on(b)) == 0);
		}
	}
}

void
sim_mixed_settle(struct sim *sim)
{
	sim_set all = 0;

	/* Classic consumers see to it themselves that topics have changed. */
	for (int i = 0; i < SIM_MEMBERS; i++)
		if (!sim->mixed[i].consumer && !sim->mixed[i].asked &&
		    sim->mixed[i].state == SIM_CLASSIC_STABLE)
			out(&sim->mixed[i]);
	for (int i = 0; i < 200; i++) {
		for (int j = 0; j < SIM_MEMBERS; j++) {
			act(&sim->mixed[j]);
			sim_mixed_collect(sim);
			sim_mixed_check(sim);
		}
		world_pass(&sim->world, 1000);
		sim_mixed_collect(sim);
		sim_mixed_check(sim);
	}
	for (int i = 0; i < SIM_MEMBERS; i++) {
		const struct sim_mixed *member = &sim->mixed[i];

		CHECK(member->state == SIM_CLASSIC_STABLE);
		CHECK(member->owned == member->told);
		CHECK((all & works_on(member)) == 0);
		all |= works_on(member);
	}
	CHECK(all == sim_partitions(sim, ~0u));
}

void
sim_mixed_init(struct sim *sim)
{
	for (int i = 0; i < SIM_MEMBERS; i++) {
		sim->mixed[i].sim = sim;
		sim->mixed[i].revoke_ms = INT64_MAX;
		be_anew(&sim->mixed[i]);
	}
}
