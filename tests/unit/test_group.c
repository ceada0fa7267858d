/*
 * Classic groups and offsets on a shard whose log is in memory and whose
 * clock is stepped: scenarios, and random members against invariants.
 */
#include "unit/group_world.h"
#include "unit/unit.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/rng.h"
#include "coord/group.c"
#include "coord/group_shard.h"
#include "wire/batch.h"
#include "wire/codec.h"
#include "wire/generated/describe_groups.h"
#include "wire/generated/group_offset_commit.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/leave_group.h"
#include "wire/generated/list_groups.h"
#include "wire/generated/sync_group.h"
#include "wire/output.h"

/* --- A member ------------------------------------------------------------ */

struct client {
	struct world *world;
	struct group_call call;
	bool pending;
	int version;
	char name[32];
	struct slice id;
	struct slice instance_id;
	struct slice client_id;		/* null: the name */
	struct slice topics;		/* its subscription, as bytes */
	int32_t generation;
	int32_t session_ms;
	int32_t rebalance_ms;
	const char *group;		/* for what is no member's */
	const char *topic;		/* whose offsets it commits */
	struct uuid topic_id;
	int64_t retention_ms;		/* and for how long */
	struct kp_join_group_request join;
	struct kp_join_group_request_protocol protocol;
	struct kp_join_group_response joined;
	struct kp_sync_group_request sync;
	struct kp_sync_group_response synced;
};

static void
on_done(struct shard_call *call)
{
	struct group_call *group_call =
	    CONTAINER_OF(call, struct group_call, call);
	struct client *client =
	    CONTAINER_OF(group_call, struct client, call);

	assert_true(client->pending);
	client->pending = false;
}

static void
client_init(struct client *client, struct world *world, const char *name)
{
	memset(client, 0, sizeof(*client));
	client->world = world;
	client->version = 9;
	client->id = slice_str("");
	client->session_ms = 10000;
	client->rebalance_ms = 30000;
	client->group = "g";
	client->topic = "t";
	client->retention_ms = -1;
	client->topics = slice_str("meta");
	snprintf(client->name, sizeof(client->name), "%s", name);
}

static void
client_begin(struct client *client)
{
	assert_false(client->pending);
	memset(&client->call, 0, sizeof(client->call));
	client->call.call.done = on_done;
	client->call.arena = &client->world->arena;
	client->call.version = (int16_t)client->version;
	client->call.client_id = slice_is_null(client->client_id) ?
	    slice_str(client->name) :
	    client->client_id;
	client->call.client_host = slice_str("/127.0.0.1");
	client->pending = true;
}

static void
client_join(struct client *client)
{
	client_begin(client);
	kp_defaults(&kp_join_group_request, &client->join);
	kp_defaults(&kp_join_group_response, &client->joined);
	client->protocol.name = slice_str("range");
	client->protocol.metadata = client->topics;
	client->join.group_id = slice_str("g");
	client->join.session_timeout_ms = client->session_ms;
	client->join.rebalance_timeout_ms = client->rebalance_ms;
	client->join.member_id = client->id;
	client->join.group_instance_id = client->instance_id;
	client->join.protocol_type = slice_str("consumer");
	client->join.protocols = &client->protocol;
	client->join.protocols_count = 1;
	group_shard_join(&client->world->shard, &client->call, &client->join,
	    &client->joined);
}

/* Take over what the answer to a join says. */
static enum kp_error
client_joined(struct client *client)
{
	assert_false(client->pending);
	if (client->call.call.error == KP_MEMBER_ID_REQUIRED ||
	    client->call.call.error == KP_NONE)
		client->id = client->joined.member_id;
	if (client->call.call.error == KP_NONE)
		client->generation = client->joined.generation_id;
	return client->call.call.error;
}

/* Join with the detour over the id; parked or answered on return. */
static void
client_join_with_id(struct client *client)
{
	client_join(client);
	if (client->pending ||
	    client_joined(client) != KP_MEMBER_ID_REQUIRED)
		return;
	client_join(client);
}

static bool
client_leads(const struct client *client)
{
	return slice_equal(client->joined.leader, client->id);
}

/* The leader gives each member its own id as the assignment. */
static void
client_sync(struct client *client)
{
	struct kp_sync_group_request_assignment *assignments;
	int32_t count = client->joined.members_count;

	client_begin(client);
	kp_defaults(&kp_sync_group_request, &client->sync);
	kp_defaults(&kp_sync_group_response, &client->synced);
	assignments = arena_xcalloc(&client->world->arena, (size_t)count,
	    sizeof(*assignments));
	for (int32_t i = 0; i < count; i++) {
		assignments[i].member_id = client->joined.members[i].member_id;
		assignments[i].assignment =
		    client->joined.members[i].member_id;
	}
	client->sync.group_id = slice_str("g");
	client->sync.generation_id = client->generation;
	client->sync.member_id = client->id;
	client->sync.group_instance_id = client->instance_id;
	client->sync.assignments = assignments;
	client->sync.assignments_count = client_leads(client) ? count : 0;
	group_shard_sync(&client->world->shard, &client->call, &client->sync,
	    &client->synced);
}

static enum kp_error
client_heartbeat(struct client *client)
{
	struct kp_heartbeat_request request;

	client_begin(client);
	kp_defaults(&kp_heartbeat_request, &request);
	request.group_id = slice_str("g");
	request.generation_id = client->generation;
	request.member_id = client->id;
	request.group_instance_id = client->instance_id;
	group_shard_heartbeat(&client->world->shard, &client->call, &request);
	assert_false(client->pending);
	return client->call.call.error;
}

static enum kp_error
client_leave(struct client *client)
{
	struct kp_leave_group_request_member member = { .member_id =
							    client->id };
	struct kp_leave_group_request request = {
		.group_id = slice_str("g"),
		.members = &member,
		.members_count = 1,
	};
	struct kp_leave_group_response response;

	client_begin(client);
	client->call.version = 5;
	kp_defaults(&kp_leave_group_response, &response);
	group_shard_leave(&client->world->shard, &client->call, &request,
	    &response);
	assert_false(client->pending);
	assert_int_equal(client->call.call.error, KP_NONE);
	return (enum kp_error)response.members[0].error_code;
}

/* Done on return, or held back; the result is where its error goes. */
static const struct group_offset *
client_begin_commit(struct client *client, int32_t generation, int64_t offset)
{
	struct arena *arena = &client->world->arena;
	struct group_offset *position = arena_xcalloc(arena, 1,
	    sizeof(*position));
	struct group_topic *topic = arena_xcalloc(arena, 1, sizeof(*topic));
	struct group_commit *commit = arena_xcalloc(arena, 1, sizeof(*commit));

	*position = (struct group_offset){ .offset = offset,
		.leader_epoch = -1, .metadata = slice_str("note") };
	*topic = (struct group_topic){ .name = slice_str(client->topic),
		.id = client->topic_id,
		.offsets = position, .offsets_count = 1 };
	*commit = (struct group_commit){
		.group_id = slice_str(client->group),
		.generation_id = generation,
		.member_id = generation < 0 ? slice_str("") : client->id,
		.retention_ms = client->retention_ms,
		.topics = topic,
		.topics_count = 1,
	};
	client_begin(client);
	group_shard_commit(&client->world->shard, &client->call, commit);
	return position;
}

static enum kp_error
client_commit(struct client *client, int32_t generation, int64_t offset)
{
	const struct group_offset *position =
	    client_begin_commit(client, generation, offset);

	assert_false(client->pending);
	return client->call.call.error != KP_NONE ? client->call.call.error :
						    position->error;
}

static int64_t
client_fetch(struct client *client)
{
	struct group_offset position = { .partition = 0 };
	struct group_topic topic = { .name = slice_str(client->topic),
		.offsets = &position, .offsets_count = 1 };
	struct group_fetch fetch = { .group_id = slice_str(client->group),
		.member_epoch = -1, .topics = &topic, .topics_count = 1 };

	client_begin(client);
	group_shard_fetch(&client->world->shard, &client->call, &fetch);
	assert_false(client->pending);
	assert_int_equal(client->call.call.error, KP_NONE);
	return position.offset;
}

static void
assert_slice(struct slice a, struct slice b)
{
	assert_true(slice_equal(a, b));
}

/* Two members in a stable generation; the first one leads. */
static void
two_members(struct world *world, struct client *a, struct client *b)
{
	client_init(a, world, "a");
	client_init(b, world, "b");
	client_join_with_id(a);
	assert_int_equal(client_joined(a), KP_NONE);
	client_join_with_id(b);
	assert_true(b->pending);
	assert_int_equal(client_heartbeat(a), KP_REBALANCE_IN_PROGRESS);
	client_join(a);
	assert_int_equal(client_joined(a), KP_NONE);
	assert_int_equal(client_joined(b), KP_NONE);
	assert_int_equal(a->generation, b->generation);
	client_sync(b);
	assert_true(b->pending);
	client_sync(a);
	assert_false(a->pending);
	assert_false(b->pending);
}

/* --- Scenarios ----------------------------------------------------------- */

static void
members_join_sync_and_get_what_the_leader_gave(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	two_members(&world, &a, &b);
	assert_true(client_leads(&a));
	assert_int_equal(a.joined.members_count, 2);
	assert_int_equal(b.joined.members_count, 0);
	assert_slice(a.synced.assignment, a.id);
	assert_slice(b.synced.assignment, b.id);
	assert_int_equal(client_heartbeat(&b), KP_NONE);
	world_fini(&world);
}

static void
a_new_member_is_told_its_id_first(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a");
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_MEMBER_ID_REQUIRED);
	assert_memory_equal(a.id.data, "a-", 2);
	client_init(&a, &world, "old");
	a.version = 3;
	client_join(&a);
	/* A new group does not wait for who has only got an id. */
	assert_int_equal(client_joined(&a), KP_NONE);
	world_fini(&world);
}

static void
the_initial_delay_lets_others_in(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	world.settings.rebalance_delay_ms = 3000;
	client_init(&a, &world, "a");
	client_init(&b, &world, "b");
	client_join_with_id(&a);
	world_pass(&world, 2000);
	client_join_with_id(&b);
	world_pass(&world, 3500);
	assert_true(a.pending);		/* b prolonged the delay */
	world_pass(&world, 3000);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(client_joined(&b), KP_NONE);
	assert_int_equal(a.generation, b.generation);
	world_fini(&world);
}

/* Three seconds, and what the rebalance timeout then leaves. */
static void
the_initial_delay_ends_with_the_rebalance_timeout(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	world.settings.rebalance_delay_ms = 3000;
	client_init(&a, &world, "a");
	client_init(&b, &world, "b");
	a.rebalance_ms = b.rebalance_ms = 4000;
	client_join_with_id(&a);
	world_pass(&world, 2000);
	client_join_with_id(&b);
	world_pass(&world, 1900);
	assert_true(a.pending);
	world_pass(&world, 200);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(client_joined(&b), KP_NONE);
	world_fini(&world);
}

static void
a_silent_member_is_dropped(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	two_members(&world, &a, &b);
	for (int i = 0; i < 4; i++) {
		world_pass(&world, 4000);
		(void)client_heartbeat(&a);
	}
	assert_int_equal(client_heartbeat(&b), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(client_heartbeat(&a), KP_REBALANCE_IN_PROGRESS);
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(a.joined.members_count, 1);
	world_fini(&world);
}

/* b's session runs out while it waits to sync, which does not count then. */
static void
a_static_member_that_falls_silent_is_dropped(void **state UNUSED)
{
	struct world world;
	struct client a, b, c;

	world_init(&world);
	client_init(&a, &world, "a");
	client_init(&b, &world, "b");
	client_init(&c, &world, "c");
	b.instance_id = slice_str("inst");
	client_join_with_id(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_join(&b);
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(client_joined(&b), KP_NONE);
	client_sync(&b);
	for (int i = 0; i < 3; i++) {
		world_pass(&world, 4000);
		assert_int_equal(client_heartbeat(&a), KP_NONE);
	}
	assert_true(b.pending);
	client_join_with_id(&c);
	assert_false(b.pending);
	assert_int_equal(b.call.call.error, KP_REBALANCE_IN_PROGRESS);
	client_join(&a);
	assert_true(a.pending);		/* for b */
	world_pass(&world, b.session_ms + 1);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(client_joined(&c), KP_NONE);
	assert_int_equal(client_heartbeat(&b), KP_UNKNOWN_MEMBER_ID);
	world_fini(&world);
}

static void
leaving_rebalances_those_who_stay(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	two_members(&world, &a, &b);
	assert_int_equal(client_leave(&b), KP_NONE);
	assert_int_equal(client_leave(&b), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(client_heartbeat(&a), KP_REBALANCE_IN_PROGRESS);
	assert_int_equal(client_leave(&a), KP_NONE);
	assert_int_equal(client_heartbeat(&a), KP_UNKNOWN_MEMBER_ID);
	world_fini(&world);
}

static void
a_static_member_comes_back_without_a_rebalance(void **state UNUSED)
{
	struct world world;
	struct client a, again;
	struct slice old_id;

	world_init(&world);
	client_init(&a, &world, "a");
	a.instance_id = slice_str("inst");
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_sync(&a);
	old_id = a.id;
	client_init(&again, &world, "a");
	again.instance_id = slice_str("inst");
	client_join(&again);
	assert_int_equal(client_joined(&again), KP_NONE);
	assert_int_equal(again.generation, a.generation);
	assert_true(again.joined.skip_assignment);
	assert_false(slice_equal(again.id, old_id));
	assert_int_equal(client_heartbeat(&a), KP_FENCED_INSTANCE_ID);
	client_sync(&again);
	assert_slice(again.synced.assignment, old_id);
	world_fini(&world);
}

static void
groups_and_offsets_survive_a_restart(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	two_members(&world, &a, &b);
	assert_int_equal(client_commit(&a, a.generation, 42), KP_NONE);
	assert_int_equal(client_commit(&a, a.generation + 1, 43),
	    KP_ILLEGAL_GENERATION);
	world_restart(&world);
	assert_int_equal(client_fetch(&a), 42);
	assert_int_equal(client_heartbeat(&a), KP_NONE);
	assert_int_equal(client_heartbeat(&b), KP_NONE);
	client_sync(&b);
	assert_slice(b.synced.assignment, b.id);
	assert_int_equal(client_commit(&b, -1, 44), KP_UNKNOWN_MEMBER_ID);
	world_fini(&world);
}

static void
start_fetch(struct client *client, struct group_fetch *fetch, bool stable)
{
	struct arena *arena = &client->world->arena;
	struct group_offset *position = arena_xcalloc(arena, 1,
	    sizeof(*position));
	struct group_topic *topic = arena_xcalloc(arena, 1, sizeof(*topic));

	*topic = (struct group_topic){ .name = slice_str(client->topic),
		.offsets = position, .offsets_count = 1 };
	*fetch = (struct group_fetch){ .group_id = slice_str(client->group),
		.member_epoch = -1, .require_stable = stable,
		.topics = topic, .topics_count = 1 };
	client_begin(client);
	group_shard_fetch(&client->world->shard, &client->call, fetch);
}

/* Others' commits may take their time; only stable offsets wait for all. */
static void
offsets_wait_for_what_they_tell(void **state UNUSED)
{
	struct world world;
	struct client slow, other, reader, stable;
	struct group_fetch fetch, other_fetch, stable_fetch;

	world_init(&world);
	client_init(&slow, &world, "slow");
	client_init(&other, &world, "other");
	client_init(&reader, &world, "reader");
	client_init(&stable, &world, "stable");
	slow.topic = other.topic = "u";
	assert_int_equal(client_commit(&reader, -1, 7), KP_NONE);
	world.log.holds_back = true;
	(void)client_begin_commit(&slow, -1, 8);
	assert_true(slow.pending);
	start_fetch(&reader, &fetch, false);
	assert_false(reader.pending);
	assert_int_equal(fetch.topics[0].offsets[0].offset, 7);
	start_fetch(&other, &other_fetch, false);
	assert_true(other.pending);
	start_fetch(&stable, &stable_fetch, true);
	assert_true(stable.pending);
	world_commit(&world);
	assert_false(slow.pending || other.pending || stable.pending);
	assert_int_equal(other_fetch.topics[0].offsets[0].offset, 8);
	world_fini(&world);
}

/* A join that waits ends when its member leaves, which has no id then. */
static void
who_leaves_while_it_joins_has_no_id(void **state UNUSED)
{
	struct world world;
	struct client a, b, c;

	world_init(&world);
	two_members(&world, &a, &b);
	client_init(&c, &world, "c");
	client_join_with_id(&c);
	assert_true(c.pending);
	a.id = c.id;
	assert_int_equal(client_leave(&a), KP_NONE);
	assert_false(c.pending);
	assert_int_equal(c.call.call.error, KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(c.joined.member_id.len, 0);
	world_fini(&world);
}

static void
simple_consumers_commit_without_a_group(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a");
	assert_int_equal(client_fetch(&a), -1);
	assert_int_equal(client_commit(&a, -1, 7), KP_NONE);
	assert_int_equal(client_commit(&a, 3, 8), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(client_fetch(&a), 7);
	world_restart(&world);
	assert_int_equal(client_fetch(&a), 7);
	world_fini(&world);
}

static void
offsets_expire_and_the_group_with_them(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a");
	assert_int_equal(client_commit(&a, -1, 7), KP_NONE);
	world_pass(&world, world.settings.retention_ms -
		world.settings.retention_check_ms);
	assert_int_equal(client_fetch(&a), 7);
	world_pass(&world, 2 * world.settings.retention_check_ms);
	assert_int_equal(client_fetch(&a), -1);
	assert_null(group_find(&world.shard, slice_str("g")));
	world_restart(&world);
	assert_null(group_find(&world.shard, slice_str("g")));
	world_fini(&world);
}

/* Who got an id and did not come back with it keeps no group. */
static void
a_group_of_nothing_but_ids_goes(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a");
	a.session_ms = (int32_t)(2 * world.settings.retention_check_ms);
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_MEMBER_ID_REQUIRED);
	assert_non_null(group_find(&world.shard, slice_str("g")));
	world_pass(&world, world.settings.retention_check_ms);
	assert_null(group_find(&world.shard, slice_str("g")));
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_UNKNOWN_MEMBER_ID);
	world_restart(&world);
	assert_null(group_find(&world.shard, slice_str("g")));
	world_fini(&world);
}

static void
answers_wait_for_the_high_watermark(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a");
	world.log.holds_back = true;
	(void)client_begin_commit(&a, -1, 5);
	assert_true(a.pending);
	world.log.high_watermark = world.log.end_offset;
	shard_advance(&world.shard.shard, KP_NONE);
	assert_false(a.pending);
	assert_int_equal(a.call.call.error, KP_NONE);
	world_fini(&world);
}

static void
a_failed_append_leaves_no_trace(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a");
	world.log.append_error = KP_KAFKA_STORAGE_ERROR;
	assert_int_equal(client_commit(&a, -1, 5), KP_NOT_COORDINATOR);
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_NOT_COORDINATOR);
	world.log.append_error = KP_NONE;
	assert_int_equal(client_fetch(&a), -1);
	assert_null(group_find(&world.shard, slice_str("g")));
	world_fini(&world);
}

static void
a_full_group_refuses(void **state UNUSED)
{
	struct world world;
	struct client a, b, c;

	world_init(&world);
	world.settings.members_max = 2;
	two_members(&world, &a, &b);
	client_init(&c, &world, "c");
	client_join(&c);
	assert_int_equal(client_joined(&c), KP_GROUP_MAX_SIZE_REACHED);
	world_fini(&world);
}

/* After a restart with a lower limit only so many get in again. */
static void
a_group_over_its_limit_shrinks(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	two_members(&world, &a, &b);
	world.settings.members_max = 1;
	world_restart(&world);
	assert_int_equal(client_heartbeat(&a), KP_REBALANCE_IN_PROGRESS);
	client_join(&a);
	assert_true(a.pending);
	client_join(&b);
	assert_int_equal(client_joined(&b), KP_GROUP_MAX_SIZE_REACHED);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(a.joined.members_count, 1);
	world_fini(&world);
}

/* It is no new member, though the one that it replaces was. */
static void
a_replacement_that_waits_is_not_dropped(void **state UNUSED)
{
	struct client a, first, second;
	struct world world;

	world_init(&world);
	client_init(&a, &world, "a");
	client_join_with_id(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_sync(&a);
	client_init(&first, &world, "s");
	first.instance_id = slice_str("inst");
	client_join(&first);
	assert_true(first.pending);
	client_init(&second, &world, "s");
	second.instance_id = slice_str("inst");
	client_join(&second);
	assert_int_equal(client_joined(&first), KP_FENCED_INSTANCE_ID);
	for (int i = 0; i < 4; i++) {
		world_pass(&world, second.session_ms / 3);
		assert_int_equal(
		    client_heartbeat(&a), KP_REBALANCE_IN_PROGRESS);
	}
	assert_true(second.pending);
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(client_joined(&second), KP_NONE);
	world_fini(&world);
}

/* The ids of b and c are out when a joins again; only b gets in. */
static void
refuse_pending(int32_t members_max, struct slice instance_id,
    enum kp_error expected)
{
	struct client a, b, c;
	struct world world;

	world_init(&world);
	world.settings.members_max = members_max;
	client_init(&a, &world, "a");
	client_init(&b, &world, "b");
	client_init(&c, &world, "c");
	client_join_with_id(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_join(&b);
	assert_int_equal(client_joined(&b), KP_MEMBER_ID_REQUIRED);
	client_join(&c);
	assert_int_equal(client_joined(&c), KP_MEMBER_ID_REQUIRED);
	client_join(&b);
	client_join(&a);
	assert_true(a.pending && b.pending);
	c.instance_id = instance_id;
	client_join(&c);
	assert_int_equal(client_joined(&c), expected);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(client_joined(&b), KP_NONE);
	world_fini(&world);
}

static void
a_refused_id_is_not_waited_for(void **state UNUSED)
{
	refuse_pending(2, SLICE_NULL, KP_GROUP_MAX_SIZE_REACHED);
	refuse_pending(9, slice_str("inst"), KP_UNKNOWN_SERVER_ERROR);
}

/* Which may be any number: the longest never ends, the negative are over. */
static void
commits_bring_a_time_of_their_own(void **state UNUSED)
{
	static const struct {
		int64_t retention_ms;
		bool kept;
	} cases[] = {
		{ INT64_MAX, true },
		{ 1500 * 1000, true },
		{ 300 * 1000, false },
		{ 0, false },
		{ -2, false },
		{ INT64_MIN, false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct world world;
		struct client a;

		world_init(&world);
		client_init(&a, &world, "a");
		a.retention_ms = cases[i].retention_ms;
		assert_int_equal(client_commit(&a, -1, 7), KP_NONE);
		world_pass(&world, world.settings.retention_check_ms);
		assert_int_equal(client_fetch(&a), cases[i].kept ? 7 : -1);
		world_restart(&world);
		assert_int_equal(client_fetch(&a), cases[i].kept ? 7 : -1);
		world_fini(&world);
	}
}

/* Also those of clients with long names, cut between two characters. */
static void
ids_fit_into_a_string(void **state UNUSED)
{
	struct world world;
	struct client a;
	char *name = xmalloc(40000);

	for (size_t i = 0; i < 40000; i++)
		name[i] = i % 2 == 0 ? '\xc3' : '\xa4';
	world_init(&world);
	client_init(&a, &world, "a");
	a.client_id = slice_of(name, 40000);
	client_join_with_id(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(a.id.len, 32730 + 1 + 36);
	assert_memory_equal(a.id.data, name, 32730);
	client_init(&a, &world, "b");
	a.instance_id = slice_of(name + 1, 32767);
	client_join(&a);
	assert_true(a.pending);
	world_fini(&world);
	assert_int_equal(a.call.call.error, KP_NOT_COORDINATOR);
	assert_int_equal(a.joined.member_id.len, 1 + 32728 + 1 + 36);
	free(name);
}

/* A rebalance timeout of 0 is no reason to look for them all the time. */
static void
members_that_are_away_are_waited_for_quietly(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	client_init(&a, &world, "a");
	a.instance_id = slice_str("inst");
	a.rebalance_ms = 0;
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_sync(&a);
	client_init(&b, &world, "b");
	b.rebalance_ms = 0;
	client_join_with_id(&b);
	world_pass(&world, 1);
	assert_int_equal(client_joined(&b), KP_NONE);
	assert_int_equal(client_leave(&b), KP_NONE);
	world_pass(&world, 2);
	assert_true(shard_tick(&world.shard.shard) >= world.log.now_ms + 900);
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	world_fini(&world);
}

static struct group_member *
only_member(struct world *world)
{
	struct group *group = group_find(&world->shard, slice_str("g"));

	assert_int_equal(group_member_count(group), 1);
	return LIST_ENTRY(group->members.head.next, struct group_member, node);
}

static void
a_replacement_that_is_not_written_down_has_not_come(void **state UNUSED)
{
	const struct group_member *member;
	struct world world;
	struct client a, again;

	world_init(&world);
	client_init(&a, &world, "a");
	a.instance_id = slice_str("inst");
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_sync(&a);
	client_init(&again, &world, "again");
	again.instance_id = slice_str("inst");
	again.session_ms = 20000;
	again.rebalance_ms = 1;
	again.topics = slice_str("others");
	world.log.append_error = KP_KAFKA_STORAGE_ERROR;
	client_join(&again);
	assert_int_equal(client_joined(&again), KP_NOT_COORDINATOR);
	world.log.append_error = KP_NONE;
	member = only_member(&world);
	assert_slice(member->id, a.id);
	assert_slice(member->client_id, slice_str("a"));
	assert_slice(group_member_metadata(member), a.topics);
	assert_int_equal(member->session_timeout_ms, a.session_ms);
	assert_int_equal(member->rebalance_timeout_ms, a.rebalance_ms);
	assert_int_equal(client_heartbeat(&a), KP_NONE);
	assert_true(client_leads(&a));
	client_join(&again);
	assert_int_equal(client_joined(&again), KP_NONE);
	assert_slice(only_member(&world)->id, again.id);
	world_fini(&world);
}

/* Whoever comes back to a member, Kafka goes on telling of who it was first. */
static void
a_member_is_told_of_as_its_first_client(void **state UNUSED)
{
	struct world world;
	struct client a, again;

	world_init(&world);
	client_init(&a, &world, "a");
	a.instance_id = slice_str("inst");
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_sync(&a);
	client_init(&again, &world, "again");
	again.instance_id = slice_str("inst");
	client_join(&again);
	assert_int_equal(client_joined(&again), KP_NONE);
	assert_slice(only_member(&world)->client_id, slice_str("a"));
	client_join(&again);
	assert_int_equal(client_joined(&again), KP_NONE);
	assert_slice(only_member(&world)->client_id, slice_str("a"));
	world_fini(&world);
}

/* Those who are in stay in; the memory of those who leave is there again. */
static void
members_hold_no_more_than_the_budget(void **state UNUSED)
{
	char *large = xcalloc(1, 100000);
	struct client a, b, c;
	struct world world;

	world_init(&world);
	two_members(&world, &a, &b);
	client_init(&c, &world, "c");
	c.topics = slice_of(large, 100000);
	world.memory.max = world.memory.used + 100000;
	client_join(&c);
	assert_int_equal(client_joined(&c), KP_GROUP_MAX_SIZE_REACHED);
	assert_int_equal(client_heartbeat(&a), KP_NONE);
	c.topics = slice_of(large, 50000);
	client_join_with_id(&c);
	assert_true(c.pending);
	client_join(&a);
	client_join(&b);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(client_joined(&b), KP_NONE);
	assert_int_equal(client_joined(&c), KP_NONE);
	client_join(&c);
	client_join(&a);
	client_join(&b);
	assert_int_equal(client_joined(&c), KP_NONE);
	world.memory.max = world.memory.used;
	b.id = slice_str("");
	client_join(&b);
	assert_int_equal(client_joined(&b), KP_GROUP_MAX_SIZE_REACHED);
	assert_int_equal(client_leave(&c), KP_NONE);
	client_join(&b);
	assert_int_equal(client_joined(&b), KP_MEMBER_ID_REQUIRED);
	world_fini(&world);
	free(large);
}

/* Nor do ids that nobody comes back with, or groups for nobody. */
static void
ids_hold_no_more_than_the_budget(void **state UNUSED)
{
	struct world world;
	struct client a;
	int count = 0;

	world_init(&world);
	client_init(&a, &world, "a");
	world.memory.max = 1000;
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_GROUP_MAX_SIZE_REACHED);
	assert_null(group_find(&world.shard, slice_str("g")));
	world.memory.max = 100000;
	do {
		assert_true(++count < 1000);
		a.id = slice_str("");
		client_join(&a);
	} while (client_joined(&a) == KP_MEMBER_ID_REQUIRED);
	assert_int_equal(a.call.call.error, KP_GROUP_MAX_SIZE_REACHED);
	assert_true(count > 50);
	assert_true(world.memory.used <= world.memory.max);
	world_pass(&world, a.session_ms);
	assert_int_equal(world.memory.used, 0);
	world_fini(&world);
}

static void
a_member_offers_so_many_protocols(void **state UNUSED)
{
	static struct kp_join_group_request_protocol protocols[1001];
	struct kp_join_group_request request;
	struct kp_join_group_response response;
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a");
	kp_defaults(&kp_join_group_request, &request);
	request.group_id = slice_str("g");
	request.member_id = slice_str("");
	request.session_timeout_ms = a.session_ms;
	request.protocol_type = slice_str("consumer");
	request.protocols = protocols;
	for (int32_t count = 1001; count >= 1000; count--) {
		request.protocols_count = count;
		kp_defaults(&kp_join_group_response, &response);
		client_begin(&a);
		group_shard_join(&world.shard, &a.call, &request, &response);
		assert_int_equal(a.call.call.error,
		    count > 1000 ? KP_INVALID_REQUEST : KP_MEMBER_ID_REQUIRED);
	}
	world_fini(&world);
}

static struct slice
encoded(struct world *world, const struct kp_message *message, int version,
    const void *body, size_t prefix_len)
{
	struct output out;
	uint8_t *bytes;

	output_init(&out, &world->arena);
	assert_int_equal(kp_encode(message, version, body, &out), 0);
	assert_int_equal(out.count, 1);
	bytes = arena_xalloc(&world->arena, prefix_len + out.len);
	if (prefix_len > 0)
		be16_put(bytes, (uint16_t)version);
	memcpy(bytes + prefix_len, out.pieces[0].data, out.len);
	return slice_of(bytes, prefix_len + out.len);
}

/* As a record of the producer's transaction. */
static void
replay_pending(struct world *world, const char *group, int64_t producer_id,
    int64_t offset)
{
	const struct kp_offset_commit_key key = { .group = slice_str(group),
		.topic = slice_str("t") };
	struct kp_offset_commit_value value;
	struct shard_record record = { .offset = world->log.end_offset++,
		.producer_id = producer_id };

	kp_defaults(&kp_offset_commit_value, &value);
	value.offset = offset;
	value.metadata = slice_str("");
	record.key = encoded(world, &kp_offset_commit_key, 0, &key, 0);
	record.value = encoded(world, &kp_offset_commit_value, 4, &value, 2);
	assert_int_equal(group_replay_offset(&world->shard, &record), 0);
}

static size_t
offsets_count(struct world *world, const char *group)
{
	return group_find(&world->shard, slice_str(group))->offsets.count;
}

/* A marker is for those groups, however many others there are. */
static void
transactions_end_where_they_have_offsets(void **state UNUSED)
{
	struct client admin;
	struct world world;

	world_init(&world);
	client_init(&admin, &world, "admin");
	replay_pending(&world, "g", 1, 10);
	replay_pending(&world, "h", 1, 11);
	replay_pending(&world, "g", 2, 20);
	replay_pending(&world, "i", 3, 30);
	assert_int_equal(world.shard.producers.count, 3);
	group_replay_end(&world.shard, 4, true);
	group_replay_end(&world.shard, 1, true);
	assert_int_equal(world.shard.producers.count, 2);
	assert_int_equal(offsets_count(&world, "h"), 1);
	assert_int_equal(client_fetch(&admin), 10);
	group_replay_end(&world.shard, 2, false);
	assert_int_equal(client_fetch(&admin), 10);
	assert_int_equal(offsets_count(&world, "i"), 0);
	/* A group that is deleted takes along what was pending. */
	client_begin(&admin);
	group_shard_delete(&world.shard, &admin.call, slice_str("i"));
	assert_int_equal(admin.call.call.error, KP_NONE);
	assert_int_equal(world.shard.producers.count, 0);
	group_replay_end(&world.shard, 3, true);
	assert_null(group_find(&world.shard, slice_str("i")));
	replay_pending(&world, "g", 1, 12);
	world_fini(&world);
}

#define MANY_GROUPS 30000

static void
commit_to_many_groups(struct client *client)
{
	char group[32];

	client->group = group;
	for (int i = 0; i < MANY_GROUPS; i++) {
		snprintf(group, sizeof(group), "group-%d", i);
		assert_int_equal(client_commit(client, -1, i), KP_NONE);
	}
	client->group = "g";
}

/* Many in a batch, and no tick looks at all of them. */
static void
many_groups_expire_in_pieces(void **state UNUSED)
{
	struct world world;
	struct client a;
	int appends;

	world_init(&world);
	world.settings.retention_ms = 2 * world.settings.retention_check_ms;
	client_init(&a, &world, "a");
	commit_to_many_groups(&a);
	world_pass(&world, world.settings.retention_ms - 1);
	assert_int_equal(client_commit(&a, -1, 7), KP_NONE);
	assert_int_equal(world.shard.groups.count, MANY_GROUPS + 1);
	appends = world.log.appends_count;
	world.log.now_ms += world.settings.retention_check_ms;
	assert_true(shard_tick(&world.shard.shard) <= world.log.now_ms + 1);
	assert_in_range(world.shard.groups.count, MANY_GROUPS / 4,
	    MANY_GROUPS - 1);
	assert_int_equal(client_fetch(&a), 7);
	world_pass(&world, 1000);
	assert_int_equal(world.shard.groups.count, 1);
	assert_true(world.log.appends_count - appends < 100);
	assert_int_equal(client_fetch(&a), 7);
	world_restart(&world);
	assert_int_equal(world.shard.groups.count, 1);
	world_fini(&world);
}

/* Of the topics "t" and "v", whose ids begin with 1 and 2. */
static void
drop_topics(struct world *world)
{
	struct uuid first = { { 1 } }, second = { { 2 } };
	struct group_dropped topics;

	map_init(&topics.names);
	map_init(&topics.ids);
	map_set(&topics.names, slice_str("t"), world);
	map_set(&topics.names, slice_str("v"), world);
	map_set(&topics.ids, MAP_KEY(first), world);
	map_set(&topics.ids, MAP_KEY(second), world);
	group_shard_drop_topics(&world->shard, &topics);
	map_fini(&topics.names);
	map_fini(&topics.ids);
}

static void
expect_dropped(struct client *client, const char *topic, uint8_t id,
    bool is_dropped)
{
	client->topic = topic;
	client->topic_id = (struct uuid){ { id } };
	assert_int_equal(client_commit(client, -1, 7), KP_NONE);
	drop_topics(client->world);
	assert_int_equal(client_fetch(client), is_dropped ? -1 : 7);
}

static void
offsets_of_dropped_topics_go_in_pieces(void **state UNUSED)
{
	struct world world;
	struct client a;
	int appends;

	world_init(&world);
	client_init(&a, &world, "a");
	commit_to_many_groups(&a);
	appends = world.log.appends_count;
	drop_topics(&world);
	assert_true(world.log.appends_count - appends < 20);
	assert_int_equal(offsets_count(&world, "group-0"), 0);
	assert_int_equal(offsets_count(&world, "group-29999"), 0);
	expect_dropped(&a, "t", 1, true);
	expect_dropped(&a, "v", 2, true);
	expect_dropped(&a, "v", 0, true);
	/* Another topic, and one of the same name that came later. */
	expect_dropped(&a, "u", 0, false);
	expect_dropped(&a, "u", 3, false);
	expect_dropped(&a, "t", 3, false);
	replay_pending(&world, "h", 1, 10);
	drop_topics(&world);
	group_replay_end(&world.shard, 1, true);
	assert_int_equal(offsets_count(&world, "h"), 0);
	world_fini(&world);
}

/* More of them in one group than are emitted at once. */
static void
many_offsets_of_one_group_go(void **state UNUSED)
{
	static struct group_offset offsets[10000];
	struct group_topic topic = { .name = slice_str("t"),
		.offsets = offsets, .offsets_count = COUNT_OF(offsets) };
	struct group_commit commit = { .group_id = slice_str("g"),
		.generation_id = -1, .member_id = slice_str(""),
		.retention_ms = -1, .topics = &topic, .topics_count = 1 };
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a");
	for (int deleted = 0; deleted < 2; deleted++) {
		for (int32_t i = 0; i < 60000; i++) {
			offsets[i % 10000].partition = i;
			if (i % 10000 != 9999)
				continue;
			client_begin(&a);
			group_shard_commit(&world.shard, &a.call, &commit);
			assert_int_equal(a.call.call.error, KP_NONE);
		}
		assert_int_equal(offsets_count(&world, "g"), 60000);
		if (deleted == 0) {
			drop_topics(&world);
			assert_int_equal(offsets_count(&world, "g"), 0);
			continue;
		}
		client_begin(&a);
		group_shard_delete(&world.shard, &a.call, slice_str("g"));
		assert_int_equal(a.call.call.error, KP_NONE);
	}
	world_restart(&world);
	assert_int_equal(world.shard.groups.count, 0);
	world_fini(&world);
}

/* Of version 0, to the topic "t". */
#define SUBSCRIPTION                                  \
	SLICE_LITERAL("\0\0" "\0\0\0\1" "\0\1t" \
		      "\377\377\377\377")

static enum kp_error
client_delete_offset(struct client *client)
{
	struct group_offset position = { .partition = 0 };
	struct group_topic topic = { .name = slice_str(client->topic),
		.known = true, .offsets = &position, .offsets_count = 1 };

	client_begin(client);
	group_shard_delete_offsets(&client->world->shard, &client->call,
	    slice_str("g"), &topic, 1);
	assert_false(client->pending);
	assert_int_equal(client->call.call.error, KP_NONE);
	return position.error;
}

static void
offsets_of_subscribed_topics_are_kept(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world.settings.retention_ms = 3600 * 1000;
	client_init(&a, &world, "a");
	a.session_ms = 1800 * 1000;
	a.topics = SUBSCRIPTION;
	client_join_with_id(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_sync(&a);
	assert_int_equal(client_commit(&a, a.generation, 1), KP_NONE);
	assert_int_equal(client_delete_offset(&a),
	    KP_GROUP_SUBSCRIBED_TO_TOPIC);
	a.topic = "u";
	assert_int_equal(client_commit(&a, a.generation, 2), KP_NONE);
	for (int i = 0; i < 8; i++) {
		world_pass(&world, 600 * 1000);
		assert_int_equal(client_heartbeat(&a), KP_NONE);
	}
	assert_int_equal(client_fetch(&a), -1);
	assert_int_equal(client_commit(&a, a.generation, 3), KP_NONE);
	assert_int_equal(client_delete_offset(&a), KP_NONE);
	assert_int_equal(client_fetch(&a), -1);
	a.topic = "t";
	assert_int_equal(client_fetch(&a), 1);
	world_fini(&world);
}

/* Of version 1, with an array of owned partitions that is cut. */
#define SUBSCRIPTION_CUT                              \
	SLICE_LITERAL("\0\1" "\0\0\0\1" "\0\1t" \
		      "\377\377\377\377" "\0\0\0\7\0")

static void
the_tail_of_a_subscription_does_not_matter(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a");
	a.topics = SUBSCRIPTION_CUT;
	client_join_with_id(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_sync(&a);
	assert_int_equal(client_delete_offset(&a),
	    KP_GROUP_SUBSCRIBED_TO_TOPIC);
	a.topic = "u";
	assert_int_equal(client_delete_offset(&a), KP_NONE);
	world_fini(&world);
}

/* Of what they subscribe to nothing is known before they have a protocol. */
static void
first_members_subscribe_to_everything(void **state UNUSED)
{
	struct client a, admin;
	struct world world;

	world_init(&world);
	world.settings.rebalance_delay_ms = 3000;
	client_init(&a, &world, "a");
	client_init(&admin, &world, "admin");
	a.topics = SUBSCRIPTION;
	admin.topic = "u";
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_MEMBER_ID_REQUIRED);
	assert_int_equal(client_delete_offset(&admin), KP_NONE);
	client_join(&a);
	assert_true(a.pending);
	assert_int_equal(client_delete_offset(&admin),
	    KP_GROUP_SUBSCRIBED_TO_TOPIC);
	world_pass(&world, 3000);
	assert_int_equal(client_joined(&a), KP_NONE);
	assert_int_equal(client_delete_offset(&admin), KP_NONE);
	world_fini(&world);
}

/* A vote goes to the first of a member's protocols that all have. */
static void
members_vote_for_a_protocol(void **state UNUSED)
{
	struct group_protocol first[] = {
		{ slice_str("own"), slice_str("") },
		{ slice_str("x"), slice_str("") },
		{ slice_str("y"), slice_str("") },
	};
	struct group_protocol others[] = {
		{ slice_str("y"), slice_str("") },
		{ slice_str("x"), slice_str("") },
		{ slice_str("y"), slice_str("twice") },
	};
	static const char *const members[] = { "1", "2", "3" };
	static const char *const winners[] = { "own", "x", "y" };
	struct group_member_new new = { .client_id = slice_str("c") };
	struct group_offer offer = { .count = 3 };
	struct world world;
	struct group *group;

	world_init(&world);
	group = group_create(&world.shard, slice_str("g"));
	for (size_t i = 0; i < COUNT_OF(winners); i++) {
		new.id = slice_str(members[i]);
		offer.protocols = i == 0 ? first : others;
		group_member_set_protocols(
		    group_member_add(group, &new), &offer);
		assert_slice(group_vote(group), slice_str(winners[i]));
	}
	world_fini(&world);
}

static void
deleting_needs_an_empty_group(void **state UNUSED)
{
	struct world world;
	struct client a, b, admin;

	world_init(&world);
	two_members(&world, &a, &b);
	client_init(&admin, &world, "admin");
	client_begin(&admin);
	group_shard_delete(&world.shard, &admin.call, slice_str("g"));
	assert_int_equal(admin.call.call.error, KP_NON_EMPTY_GROUP);
	assert_int_equal(client_commit(&a, a.generation, 1), KP_NONE);
	assert_int_equal(client_leave(&a), KP_NONE);
	assert_int_equal(client_leave(&b), KP_NONE);
	client_begin(&admin);
	group_shard_delete(&world.shard, &admin.call, slice_str("g"));
	assert_int_equal(admin.call.call.error, KP_NONE);
	assert_int_equal(client_fetch(&admin), -1);
	world_restart(&world);
	assert_int_equal(client_fetch(&admin), -1);
	world_fini(&world);
}

static void
while_it_loads_nobody_is_served(void **state UNUSED)
{
	struct group_offset position = { .partition = 0 };
	struct group_topic topic = { .name = slice_str("t"),
		.offsets = &position, .offsets_count = 1 };
	struct group_fetch fetch = { .group_id = slice_str("g"),
		.member_epoch = -1, .topics = &topic, .topics_count = 1 };
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a");
	client_join_with_id(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_sync(&a);
	shard_advance(&world.shard.shard, KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(client_heartbeat(&a), KP_NOT_COORDINATOR);
	assert_true(shard_elect(&world.shard.shard, ++world.log.epoch));
	assert_int_equal(
	    client_heartbeat(&a), KP_COORDINATOR_LOAD_IN_PROGRESS);
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_COORDINATOR_LOAD_IN_PROGRESS);
	client_sync(&a);
	assert_int_equal(a.call.call.error, KP_COORDINATOR_LOAD_IN_PROGRESS);
	assert_int_equal(client_commit(&a, a.generation, 1),
	    KP_COORDINATOR_LOAD_IN_PROGRESS);
	client_begin(&a);
	group_shard_fetch(&world.shard, &a.call, &fetch);
	assert_int_equal(a.call.call.error, KP_COORDINATOR_LOAD_IN_PROGRESS);
	client_begin(&a);
	group_shard_delete(&world.shard, &a.call, slice_str("g"));
	assert_int_equal(a.call.call.error, KP_COORDINATOR_LOAD_IN_PROGRESS);
	shard_load(&world.shard.shard, world.log.epoch);
	assert_int_equal(client_heartbeat(&a), KP_NONE);
	world_fini(&world);
}

/* --- Random members ------------------------------------------------------ */

#define CLIENTS 6
#define STEPS 400

/*
 * No two members of one generation have the same assignment, and a member's
 * assignment is what the leader of that generation gave it: its own id.
 */
static void
check_owners(const struct client *clients, const bool *synced)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (!synced[i] || clients[i].synced.assignment.len == 0)
			continue;
		assert_slice(clients[i].synced.assignment, clients[i].id);
		for (int j = 0; j < i; j++)
			if (synced[j] &&
			    clients[j].generation == clients[i].generation)
				assert_false(slice_equal(
				    clients[j].synced.assignment,
				    clients[i].synced.assignment));
	}
}

/* What a group counts is what its members are. */
static void
check_counts(struct world *world)
{
	const struct group *group = group_find(&world->shard, slice_str("g"));
	const struct group_support *support;
	int32_t joining = 0, must_sync = 0, offering = 0;
	size_t bytes = 0;

	if (group == NULL)
		return;
	support = map_get(&group->supports, slice_str("range"));
	LIST_FOR_EACH (node, &group->members) {
		const struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		joining += member->join.call != NULL;
		must_sync += member->must_sync;
		offering += member->protocols_count;
		bytes += member_bytes(member);
	}
	assert_int_equal(group->bytes, bytes);
	assert_int_equal(group->joining_count, joining);
	assert_int_equal(group->must_sync_count, must_sync);
	assert_int_equal(support == NULL ? 0 : support->count, offering);
}

enum doing { IDLE, JOINING, SYNCING, STABLE };

static void
collect(struct client *client, enum doing *doing, bool *synced)
{
	enum kp_error error = client->call.call.error;

	if (client->pending)
		return;
	if (*doing == JOINING) {
		error = client_joined(client);
		*doing = error == KP_NONE ? SYNCING : IDLE;
		if (error == KP_NONE)
			client_sync(client);
		else if (error == KP_MEMBER_ID_REQUIRED) {
			*doing = JOINING;
			client_join(client);
		} else {
			client->id = slice_str("");
		}
	} else if (*doing == SYNCING) {
		*synced = error == KP_NONE;
		*doing = error == KP_NONE ? STABLE : IDLE;
		if (error == KP_UNKNOWN_MEMBER_ID)
			client->id = slice_str("");
	}
}

static void
act(struct rng *rng, struct client *client, enum doing *doing, bool *synced)
{
	enum kp_error error;

	if (client->pending)
		return;
	switch (*doing) {
	case IDLE:
		*synced = false;
		client_join(client);
		*doing = JOINING;
		break;
	case STABLE:
		if (rng_below(rng, 12) == 0) {
			(void)client_leave(client);
			client->id = slice_str("");
			*doing = IDLE;
			*synced = false;
			break;
		}
		error = client_heartbeat(client);
		if (error == KP_NONE)
			break;
		if (error == KP_UNKNOWN_MEMBER_ID)
			client->id = slice_str("");
		*doing = IDLE;
		*synced = false;
		break;
	case JOINING:
	case SYNCING:
		break;
	}
}

static void
run_seed(uint64_t seed)
{
	enum doing doing[CLIENTS] = { IDLE };
	bool synced[CLIENTS] = { false };
	struct client clients[CLIENTS];
	struct world world;
	struct rng rng;
	char name[16];

	rng_init(&rng, seed);
	world_init(&world);
	world.settings.rebalance_delay_ms =
	    rng_below(&rng, 2) == 0 ? 0 : 3000;
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		client_init(&clients[i], &world, name);
	}
	for (int step = 0; step < STEPS; step++) {
		size_t i = rng_below(&rng, CLIENTS);

		act(&rng, &clients[i], &doing[i], &synced[i]);
		for (int j = 0; j < CLIENTS; j++)
			collect(&clients[j], &doing[j], &synced[j]);
		check_owners(clients, synced);
		check_counts(&world);
		world_pass(&world, (int64_t)rng_below(&rng, 1500));
	}
	/* Silence: sessions and rebalances end, who waits is answered. */
	world_pass(&world, 3600 * 1000);
	for (int j = 0; j < CLIENTS; j++)
		assert_false(clients[j].pending);
	world_fini(&world);
}

static void
random_members_never_share_an_assignment(void **state UNUSED)
{
	const char *text = getenv("KLAMM_SEED");

	if (text != NULL) {
		run_seed(strtoull(text, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= 200; seed++) {
		fprintf(stderr, "\rKLAMM_SEED=%d ", (int)seed);
		run_seed(seed);
	}
	fprintf(stderr, "\n");
}

/* --- Answers that are too large ------------------------------------------ */

/* Leave the answers that follow so much beyond what all of them keep. */
static void
world_limit_answers(struct world *world, size_t bytes)
{
	world->arena.size_bytes_max =
	    world->arena.size_bytes + GROUP_ANSWER_SPARE_BYTES + bytes;
}

static void
client_describe(struct client *client,
    struct kp_describe_groups_response_group *out)
{
	memset(out, 0, sizeof(*out));
	client->version = 6;
	client_begin(client);
	group_shard_describe(
	    &client->world->shard, &client->call, slice_str("g"), out);
}

static enum kp_error
describe_error(struct world *world)
{
	struct kp_describe_groups_response_group out;
	struct client admin;

	client_init(&admin, world, "admin");
	client_describe(&admin, &out);
	assert_false(admin.pending);
	assert_int_equal(admin.call.call.error, KP_NONE);
	return (enum kp_error)out.error_code;
}

static void
client_list(struct client *client,
    const struct kp_list_groups_request *request, struct group_list *list)
{
	client_begin(client);
	group_shard_list(&client->world->shard, &client->call.call,
	    &client->world->arena, group_filter_of(request), list);
}

static enum kp_error
list_error(struct world *world, const struct kp_list_groups_request *request,
    struct group_list *list)
{
	struct client admin;

	client_init(&admin, world, "admin");
	client_list(&admin, request, list);
	assert_false(admin.pending);
	return admin.call.call.error;
}

static void
a_group_that_does_not_fit_is_not_described(void **state UNUSED)
{
	struct client a, b;
	struct world world;
	int described = 0;

	world_init(&world);
	two_members(&world, &a, &b);
	world_limit_answers(&world, 64 * 1024);
	while (describe_error(&world) == KP_NONE)
		assert_true(++described < 10000);
	assert_true(described > 10);
	assert_int_equal(describe_error(&world), KP_UNKNOWN_SERVER_ERROR);
	world_fini(&world);
}

static void
a_leader_whose_members_do_not_fit_is_refused(void **state UNUSED)
{
	struct client a, b;
	struct world world;

	world_init(&world);
	client_init(&a, &world, "a");
	client_init(&b, &world, "b");
	a.topics = b.topics =
	    slice_of(xcalloc(1, 1024 * 1024), 1024 * 1024);
	client_join_with_id(&a);
	assert_int_equal(client_joined(&a), KP_NONE);
	client_join_with_id(&b);
	assert_true(b.pending);
	world_limit_answers(&world, 1536 * 1024);
	client_join(&a);
	assert_int_equal(client_joined(&a), KP_UNKNOWN_SERVER_ERROR);
	assert_int_equal(client_joined(&b), KP_NONE);
	world_fini(&world);
	free((void *)(uintptr_t)a.topics.data);
}

static void
groups_that_do_not_fit_are_not_listed(void **state UNUSED)
{
	struct kp_list_groups_request request;
	struct group_list list = { 0 };
	struct client a, b;
	struct world world;

	world_init(&world);
	two_members(&world, &a, &b);
	kp_defaults(&kp_list_groups_request, &request);
	world_limit_answers(&world, 64);
	assert_int_equal(list_error(&world, &request, &list),
	    KP_UNKNOWN_SERVER_ERROR);
	world_limit_answers(&world, 64 * 1024);
	assert_int_equal(list_error(&world, &request, &list), KP_NONE);
	assert_int_equal(list.count, 1);
	world_fini(&world);
}

static int32_t
listed_count(struct world *world, const char *states, const char *types)
{
	struct slice state = slice_str(states), type = slice_str(types);
	struct kp_list_groups_request request = {
		.states_filter = &state,
		.states_filter_count = state.len > 0,
		.types_filter = &type,
		.types_filter_count = type.len > 0,
	};
	struct group_list list = { 0 };

	assert_int_equal(list_error(world, &request, &list), KP_NONE);
	return list.count;
}

static void
lists_are_filtered(void **state UNUSED)
{
	struct client a, b;
	struct world world;

	world_init(&world);
	two_members(&world, &a, &b);
	assert_int_equal(listed_count(&world, "", ""), 1);
	assert_int_equal(listed_count(&world, " sTable\t", " Classic "), 1);
	assert_int_equal(listed_count(&world, "Empty", ""), 0);
	assert_int_equal(listed_count(&world, "Stables", ""), 0);
	assert_int_equal(listed_count(&world, "nonsense", ""), 0);
	assert_int_equal(listed_count(&world, "", "consumer"), 0);
	assert_int_equal(client_leave(&a), KP_NONE);
	assert_int_equal(listed_count(&world, "Stable", ""), 0);
	assert_int_equal(listed_count(&world, "PreparingRebalance", ""), 1);
	world_fini(&world);
}

/*
 * A commit that is not durable yet holds up neither the members' heartbeats,
 * nor who looks at groups.
 */
static void
a_disk_that_stalls_delays_no_heartbeat(void **state UNUSED)
{
	struct kp_describe_groups_response_group described;
	struct kp_list_groups_request request = { 0 };
	struct group_list list = { 0 };
	struct client a, b, admin;
	struct world world;

	world_init(&world);
	two_members(&world, &a, &b);
	client_init(&admin, &world, "admin");
	world.log.holds_back = true;
	(void)client_begin_commit(&a, a.generation, 7);
	assert_true(a.pending);
	assert_int_equal(client_heartbeat(&b), KP_NONE);
	assert_int_equal(list_error(&world, &request, &list), KP_NONE);
	assert_int_equal(list.count, 1);
	client_describe(&admin, &described);
	assert_false(admin.pending);
	assert_int_equal(admin.call.call.error, KP_NONE);
	assert_slice(described.group_state, slice_str("Stable"));
	assert_true(a.pending);
	world.log.high_watermark = world.log.end_offset;
	shard_advance(&world.shard.shard, KP_NONE);
	assert_false(a.pending);
	assert_int_equal(a.call.call.error, KP_NONE);
	world_fini(&world);
}

static void
an_offset_that_does_not_fit_is_an_error(void **state UNUSED)
{
	static struct group_offset positions[64];
	struct group_topic topic = { .name = slice_str("t"),
		.offsets = positions, .offsets_count = 64 };
	struct group_fetch fetch = { .group_id = slice_str("g"),
		.member_epoch = -1, .topics = &topic, .topics_count = 1 };
	struct client client;
	struct world world;

	world_init(&world);
	client_init(&client, &world, "simple");
	assert_int_equal(client_commit(&client, -1, 7), KP_NONE);
	world_limit_answers(&world, GROUP_FETCH_SPARE_BYTES -
		GROUP_ANSWER_SPARE_BYTES + 256);
	client_begin(&client);
	group_shard_fetch(&world.shard, &client.call, &fetch);
	assert_int_equal(client.call.call.error, KP_NONE);
	assert_int_equal(positions[0].offset, 7);
	assert_int_equal(positions[63].offset, -1);
	assert_int_equal(positions[63].error, KP_UNKNOWN_SERVER_ERROR);
	fetch.all = true;
	client_begin(&client);
	group_shard_fetch(&world.shard, &client.call, &fetch);
	assert_int_equal(client.call.call.error, KP_UNKNOWN_SERVER_ERROR);
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    members_join_sync_and_get_what_the_leader_gave),
		cmocka_unit_test(a_new_member_is_told_its_id_first),
		cmocka_unit_test(the_initial_delay_lets_others_in),
		cmocka_unit_test(
		    the_initial_delay_ends_with_the_rebalance_timeout),
		cmocka_unit_test(a_silent_member_is_dropped),
		cmocka_unit_test(a_static_member_that_falls_silent_is_dropped),
		cmocka_unit_test(leaving_rebalances_those_who_stay),
		cmocka_unit_test(
		    a_static_member_comes_back_without_a_rebalance),
		cmocka_unit_test(groups_and_offsets_survive_a_restart),
		cmocka_unit_test(offsets_wait_for_what_they_tell),
		cmocka_unit_test(who_leaves_while_it_joins_has_no_id),
		cmocka_unit_test(simple_consumers_commit_without_a_group),
		cmocka_unit_test(offsets_expire_and_the_group_with_them),
		cmocka_unit_test(a_group_of_nothing_but_ids_goes),
		cmocka_unit_test(answers_wait_for_the_high_watermark),
		cmocka_unit_test(a_failed_append_leaves_no_trace),
		cmocka_unit_test(a_full_group_refuses),
		cmocka_unit_test(a_group_that_does_not_fit_is_not_described),
		cmocka_unit_test(a_leader_whose_members_do_not_fit_is_refused),
		cmocka_unit_test(groups_that_do_not_fit_are_not_listed),
		cmocka_unit_test(lists_are_filtered),
		cmocka_unit_test(an_offset_that_does_not_fit_is_an_error),
		cmocka_unit_test(a_group_over_its_limit_shrinks),
		cmocka_unit_test(offsets_of_subscribed_topics_are_kept),
		cmocka_unit_test(members_vote_for_a_protocol),
		cmocka_unit_test(a_replacement_that_waits_is_not_dropped),
		cmocka_unit_test(a_refused_id_is_not_waited_for),
		cmocka_unit_test(commits_bring_a_time_of_their_own),
		cmocka_unit_test(ids_fit_into_a_string),
		cmocka_unit_test(the_tail_of_a_subscription_does_not_matter),
		cmocka_unit_test(first_members_subscribe_to_everything),
		cmocka_unit_test(members_that_are_away_are_waited_for_quietly),
		cmocka_unit_test(
		    a_replacement_that_is_not_written_down_has_not_come),
		cmocka_unit_test(a_member_is_told_of_as_its_first_client),
		cmocka_unit_test(members_hold_no_more_than_the_budget),
		cmocka_unit_test(ids_hold_no_more_than_the_budget),
		cmocka_unit_test(a_member_offers_so_many_protocols),
		cmocka_unit_test(transactions_end_where_they_have_offsets),
		cmocka_unit_test(many_groups_expire_in_pieces),
		cmocka_unit_test(offsets_of_dropped_topics_go_in_pieces),
		cmocka_unit_test(many_offsets_of_one_group_go),
		cmocka_unit_test(a_disk_that_stalls_delays_no_heartbeat),
		cmocka_unit_test(deleting_needs_an_empty_group),
		cmocka_unit_test(while_it_loads_nobody_is_served),
		cmocka_unit_test(random_members_never_share_an_assignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
