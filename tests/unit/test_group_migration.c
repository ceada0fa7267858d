/*
 * Groups that change their protocol while they have members, on a shard whose
 * log is in memory: scenarios, and random members of both protocols against
 * what must always hold.
 */
#include "unit/group_world.h"
#include "unit/unit.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "coord/consumer_group.h"
#include "coord/consumer_protocol.c"
#include "wire/codec.h"
#include "wire/generated/consumer_group_heartbeat.h"
#include "wire/generated/describe_groups.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/leave_group.h"
#include "wire/generated/sync_group.h"

#define SESSION_MS 45000
#define CLASSIC_SESSION_MS 10000
#define REBALANCE_MS 30000
#define PARTITIONS_MAX 16

/* --- A member of either protocol ----------------------------------------- */

enum phase {
	OUT,
	JOINING, /* its JoinGroup is parked */
	JOINED,
	SYNCING, /* its SyncGroup is parked */
	IN,
};

struct client {
	struct world *world;
	struct group_call call;
	bool pending;
	bool consumer; /* it speaks the consumer protocol */
	bool eager;    /* of the classic one: it gives up all to rejoin */
	enum phase phase;
	char name[40];
	char id[80];
	const char *instance;
	const char *topic;
	int16_t version;
	int32_t epoch; /* or generation */
	bool owned[PARTITIONS_MAX];
	int32_t owned_since;   /* the generation that gave it these */
	const char *user_data; /* that it assigns as the leader */
	struct kp_join_group_request join;
	struct kp_join_group_request_protocol protocols[2];
	struct kp_join_group_response joined;
	struct kp_sync_group_response synced;
	struct kp_consumer_group_heartbeat_response beaten;
};

static void
on_done(struct shard_call *call)
{
	struct client *client = CONTAINER_OF(
	    CONTAINER_OF(call, struct group_call, call), struct client, call);

	assert_true(client->pending);
	client->pending = false;
}

static void
client_init(
    struct client *client, struct world *world, const char *name, bool consumer)
{
	memset(client, 0, sizeof(*client));
	client->world = world;
	client->consumer = consumer;
	client->topic = "t";
	client->version = 9;
	snprintf(client->name, sizeof(client->name), "%s", name);
	if (consumer)
		snprintf(client->id, sizeof(client->id), "%s", name);
}

static void
begin(struct client *client, int16_t version)
{
	assert_false(client->pending);
	memset(&client->call, 0, sizeof(client->call));
	client->call.call.done = on_done;
	client->call.arena = &client->world->arena;
	client->call.version = version;
	client->call.principal = PRINCIPAL_ANONYMOUS;
	client->call.client_id = slice_str(client->name);
	client->call.client_host = slice_str("/127.0.0.1");
	client->pending = true;
}

static int32_t
owned_count(const struct client *client)
{
	int32_t count = 0;

	for (int i = 0; i < PARTITIONS_MAX; i++)
		count += client->owned[i];
	return count;
}

static void
drop_all(struct client *client)
{
	memset(client->owned, 0, sizeof(client->owned));
}

/* Fenced or forgotten: it owns nothing, and is nobody. */
static void
get_lost(struct client *client)
{
	drop_all(client);
	client->phase = OUT;
	client->epoch = 0;
	if (!client->consumer)
		client->id[0] = '\0';
}

static struct uuid
topic_id(const struct client *client)
{
	const struct topic_image *topic =
	    group_image_topic(client->world->image, slice_str(client->topic));
	struct uuid id = topic == NULL ? UUID_ZERO : topic->id;

	if (topic != NULL)
		topic_image_unref(topic);
	return id;
}

static int32_t *
owned_list(const struct client *client, int32_t *count)
{
	int32_t *list =
	    arena_xcalloc(&client->world->arena, PARTITIONS_MAX, sizeof(*list));

	*count = 0;
	for (int i = 0; i < PARTITIONS_MAX; i++)
		if (client->owned[i])
			list[(*count)++] = i;
	return list;
}

/* --- The classic protocol ------------------------------------------------- */

static struct slice
encode(const struct kp_message *message, int version, const void *body,
    struct arena *arena)
{
	size_t len = kp_size(message, version, body);
	uint8_t *bytes = arena_xalloc(arena, 2 + len);
	struct output out;

	output_init(&out, arena);
	assert_int_equal(kp_encode(message, version, body, &out), 0);
	be16_put(bytes, (uint16_t)version);
	memcpy(bytes + 2, out.pieces[0].data, len);
	return slice_of(bytes, 2 + len);
}

static struct slice
subscription_of(struct client *client)
{
	struct kp_consumer_protocol_subscription body;
	struct kp_consumer_protocol_subscription_owned_partition *owned;
	struct arena *arena = &client->world->arena;
	struct slice *topic = arena_xcalloc(arena, 1, sizeof(*topic));

	kp_defaults(&kp_consumer_protocol_subscription, &body);
	*topic = slice_str(client->topic);
	body.topics = topic;
	body.topics_count = 1;
	body.generation_id = client->owned_since;
	owned = arena_xcalloc(arena, 1, sizeof(*owned));
	owned->topic = *topic;
	owned->partitions = owned_list(client, &owned->partitions_count);
	body.owned_partitions = owned;
	body.owned_partitions_count = owned->partitions_count > 0;
	return encode(&kp_consumer_protocol_subscription, 3, &body, arena);
}

static struct slice
assignment_of(struct client *leader, const bool *owned)
{
	struct kp_consumer_protocol_assignment body;
	struct kp_consumer_protocol_assignment_assigned_partition *assigned;
	struct arena *arena = &leader->world->arena;

	kp_defaults(&kp_consumer_protocol_assignment, &body);
	assigned = arena_xcalloc(arena, 1, sizeof(*assigned));
	assigned->topic = slice_str(leader->topic);
	assigned->partitions =
	    arena_xcalloc(arena, PARTITIONS_MAX, sizeof(int32_t));
	for (int i = 0; i < PARTITIONS_MAX; i++)
		if (owned[i])
			assigned->partitions[assigned->partitions_count++] = i;
	body.assigned_partitions = assigned;
	body.assigned_partitions_count = assigned->partitions_count > 0;
	body.user_data = slice_str(leader->user_data);
	return encode(&kp_consumer_protocol_assignment, 3, &body, arena);
}

static void
start_join(struct client *client)
{
	begin(client, client->version);
	if (client->eager)
		drop_all(client);
	kp_defaults(&kp_join_group_request, &client->join);
	kp_defaults(&kp_join_group_response, &client->joined);
	client->protocols[0].name = slice_str("first");
	client->protocols[1].name = slice_str("second");
	client->protocols[0].metadata = client->protocols[1].metadata =
	    subscription_of(client);
	client->join.group_id = slice_str("g");
	client->join.session_timeout_ms = CLASSIC_SESSION_MS;
	client->join.rebalance_timeout_ms = REBALANCE_MS;
	client->join.member_id = slice_str(client->id);
	client->join.group_instance_id = slice_str(client->instance);
	client->join.protocol_type = slice_str("consumer");
	client->join.protocols = client->protocols;
	client->join.protocols_count = 2;
	group_shard_join(&client->world->shard, &client->call, &client->join,
	    &client->joined);
	client->phase = JOINING;
}

/* It may be the one that it has. */
static void
take_id(struct client *client, struct slice id)
{
	assert_true(id.len < sizeof(client->id));
	memmove(client->id, id.data, id.len);
	client->id[id.len] = '\0';
}

static enum kp_error
take_join(struct client *client)
{
	enum kp_error error = client->call.call.error;

	assert_false(client->pending);
	client->phase = OUT;
	if (error == KP_NONE || error == KP_MEMBER_ID_REQUIRED)
		take_id(client, client->joined.member_id);
	if (error == KP_NONE) {
		client->phase = JOINED;
		client->epoch = client->joined.generation_id;
	} else if (error != KP_MEMBER_ID_REQUIRED &&
	    error != KP_REBALANCE_IN_PROGRESS && error != KP_NOT_COORDINATOR) {
		get_lost(client);
	}
	return error;
}

/* With the detour over the id; parked or answered on return. */
static void
join_with_id(struct client *client)
{
	start_join(client);
	if (!client->pending && take_join(client) == KP_MEMBER_ID_REQUIRED) {
		start_join(client);
		if (!client->pending)
			(void)take_join(client);
	}
}

/* What the member says that it owns goes on being its, up to its share. */
static void
assign(struct client *leader, bool (*given)[PARTITIONS_MAX])
{
	int32_t members = leader->joined.members_count, at = 0;
	bool taken[PARTITIONS_MAX] = { false };
	const struct topic_image *topic =
	    group_image_topic(leader->world->image, slice_str(leader->topic));
	int32_t partitions = topic == NULL ? 0 : topic->partitions_count;
	int32_t share = (partitions + members - 1) / members;
	int32_t counts[16] = { 0 };

	if (topic != NULL)
		topic_image_unref(topic);
	for (int32_t m = 0; m < members; m++) {
		struct consumer_subscription said;

		assert_int_equal(
		    consumer_protocol_subscription(leader->world->image,
			leader->joined.members[m].metadata,
			&leader->world->arena, &said),
		    0);
		for (int32_t i = 0; i < said.owned.count; i++) {
			int32_t p = said.owned.partitions[i].partition;

			taken[p] = true;
			if (counts[m] < share) {
				given[m][p] = true;
				counts[m]++;
			}
		}
	}
	for (int32_t p = 0; p < partitions; p++) {
		if (taken[p])
			continue;
		while (counts[at % members] >= share)
			at++;
		given[at % members][p] = true;
		counts[at % members]++;
	}
}

static void
start_sync(struct client *client)
{
	bool given[16][PARTITIONS_MAX] = { { false } };
	struct kp_sync_group_request request;
	struct kp_sync_group_request_assignment *assignments;
	int32_t count = client->joined.members_count;

	begin(client, 5);
	kp_defaults(&kp_sync_group_request, &request);
	kp_defaults(&kp_sync_group_response, &client->synced);
	assignments = arena_xcalloc(
	    &client->world->arena, (size_t)MAX(count, 1), sizeof(*assignments));
	if (count > 0)
		assign(client, given);
	for (int32_t i = 0; i < count; i++) {
		assignments[i].member_id = client->joined.members[i].member_id;
		assignments[i].assignment = assignment_of(client, given[i]);
	}
	request.group_id = slice_str("g");
	request.generation_id = client->epoch;
	request.member_id = slice_str(client->id);
	request.group_instance_id = slice_str(client->instance);
	request.protocol_type = slice_str("consumer");
	request.protocol_name = client->joined.protocol_name;
	request.assignments = assignments;
	request.assignments_count = count;
	group_shard_sync(
	    &client->world->shard, &client->call, &request, &client->synced);
	client->phase = SYNCING;
}

/* It was told to join anew, or that nobody knows it. */
static void
heed(struct client *client, enum kp_error error)
{
	if (error == KP_REBALANCE_IN_PROGRESS)
		client->phase = OUT;
	else if (error != KP_NONE && error != KP_NOT_COORDINATOR)
		get_lost(client);
	else if (error != KP_NONE)
		client->phase = OUT;
}

static enum kp_error
take_sync(struct client *client)
{
	enum kp_error error = client->call.call.error;
	struct consumer_assignment set = { 0 };
	bool custom;

	assert_false(client->pending);
	heed(client, error);
	if (error != KP_NONE)
		return error;
	client->phase = IN;
	client->owned_since = client->epoch;
	drop_all(client);
	if (client->synced.assignment.len > 0)
		assert_int_equal(
		    consumer_protocol_assignment(client->world->image,
			client->synced.assignment, &client->world->arena, &set,
			&custom),
		    0);
	for (int32_t i = 0; i < set.count; i++)
		client->owned[set.partitions[i].partition] = true;
	return KP_NONE;
}

static enum kp_error
heartbeat(struct client *client)
{
	struct kp_heartbeat_request request;

	begin(client, 4);
	kp_defaults(&kp_heartbeat_request, &request);
	request.group_id = slice_str("g");
	request.generation_id = client->epoch;
	request.member_id = slice_str(client->id);
	request.group_instance_id = slice_str(client->instance);
	group_shard_heartbeat(&client->world->shard, &client->call, &request);
	assert_false(client->pending);
	return client->call.call.error;
}

static enum kp_error
leave_classic(struct client *client, const char *id, const char *instance)
{
	struct kp_leave_group_request_member member = {
		.member_id = slice_str(id),
		.group_instance_id = slice_str(instance),
	};
	struct kp_leave_group_request request = {
		.group_id = slice_str("g"),
		.members = &member,
		.members_count = 1,
	};
	struct kp_leave_group_response response;

	begin(client, 5);
	kp_defaults(&kp_leave_group_response, &response);
	group_shard_leave(
	    &client->world->shard, &client->call, &request, &response);
	assert_false(client->pending);
	return client->call.call.error != KP_NONE ?
	    client->call.call.error :
	    (enum kp_error)response.members[0].error_code;
}

/* --- The consumer protocol ------------------------------------------------ */

static enum kp_error
send(struct client *client, int32_t epoch, bool joins)
{
	struct kp_consumer_group_heartbeat_request request;
	struct kp_consumer_group_heartbeat_request_topic_partition owned;
	const struct kp_consumer_group_heartbeat_response_assignment *given;
	struct slice topic = slice_str(client->topic);

	begin(client, 1);
	kp_defaults(&kp_consumer_group_heartbeat_request, &request);
	kp_defaults(&kp_consumer_group_heartbeat_response, &client->beaten);
	request.group_id = slice_str("g");
	request.member_id = slice_str(client->id);
	request.instance_id = slice_str(client->instance);
	request.member_epoch = epoch;
	owned.topic_id = topic_id(client);
	owned.partitions = owned_list(client, &owned.partitions_count);
	request.topic_partitions = &owned;
	request.topic_partitions_count = owned.partitions_count > 0;
	if (joins) {
		request.rebalance_timeout_ms = REBALANCE_MS;
		request.subscribed_topic_names = &topic;
		request.subscribed_topic_names_count = 1;
	}
	group_shard_consumer_heartbeat(
	    &client->world->shard, &client->call, &request, &client->beaten);
	assert_false(client->pending);
	if (client->call.call.error != KP_NONE)
		return client->call.call.error;
	client->phase = client->beaten.member_epoch < 0 ? OUT : IN;
	client->epoch = client->beaten.member_epoch;
	given = client->beaten.assignment;
	if (given != NULL)
		drop_all(client);
	for (int32_t t = 0; given != NULL && t < given->topic_partitions_count;
	    t++)
		for (int32_t i = 0;
		    i < given->topic_partitions[t].partitions_count; i++)
			client
			    ->owned[given->topic_partitions[t].partitions[i]] =
			    true;
	return KP_NONE;
}

static enum kp_error
join_consumer(struct client *client)
{
	drop_all(client);
	return send(client, 0, true);
}

static enum kp_error
beat(struct client *client)
{
	return send(client, client->epoch, false);
}

/* --- Steps ---------------------------------------------------------------- */

/* What the client does next, left to itself. */
static void
step(struct client *client)
{
	enum kp_error error;

	if (client->pending)
		return;
	if (client->consumer) {
		error =
		    client->phase == IN ? beat(client) : join_consumer(client);
		if (error != KP_NONE && error != KP_NOT_COORDINATOR)
			get_lost(client);
		return;
	}
	switch (client->phase) {
	case OUT:
		join_with_id(client);
		break;
	case JOINING:
		(void)take_join(client);
		break;
	case JOINED:
		start_sync(client);
		break;
	case SYNCING:
		(void)take_sync(client);
		break;
	case IN:
		heed(client, heartbeat(client));
		break;
	}
}

/* Until nothing changes any more, as good as. */
static void
settle(struct client *const *clients, int count)
{
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < count; i++)
			step(clients[i]);
		world_pass(clients[0]->world, 500);
	}
}

static struct group *
group_of(struct world *world)
{
	return group_find(&world->shard, slice_str("g"));
}

static const char *
state_of(struct world *world)
{
	return group_shown_state(group_of(world));
}

static bool
is_consumer_group(struct world *world)
{
	return group_of(world) != NULL && group_of(world)->consumer != NULL;
}

/* A world with a topic of so many partitions and no delays. */
static void
begin_world(struct world *world, int32_t partitions)
{
	world_init(world);
	world_topic(world, "t", partitions);
}

/* --- What a group is, in words ---------------------------------------------
 */

static void say(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void
say(char *out, size_t size, const char *format, ...)
{
	size_t len = strlen(out);
	va_list args;

	va_start(args, format);
	vsnprintf(out + len, size - len, format, args);
	va_end(args);
}

static void
say_set(char *out, size_t size, const struct consumer_assignment *set)
{
	for (int32_t i = 0; i < set->count; i++)
		say(out, size, " %d@%d/%d", set->partitions[i].partition,
		    set->partitions[i].epoch,
		    set->partitions[i].topic_id.bytes[15]);
}

static void
say_member(char *out, size_t size, const struct consumer_member *member)
{
	const struct consumer_assignment target =
	    consumer_member_target(member->consumer, member->id);

	say(out, size, "\n%.*s %.*s %d<-%d %d has", SLICE_ARG(member->id),
	    SLICE_ARG(member->instance_id), member->epoch,
	    member->previous_epoch, member->state);
	say_set(out, size, &member->assigned);
	say(out, size, " gives up");
	say_set(out, size, &member->revoking);
	say(out, size, " is to have");
	say_set(out, size, &target);
	for (int32_t i = 0;
	    member->classic != NULL && i < member->classic->protocols_count;
	    i++)
		say(out, size, " %.*s",
		    SLICE_ARG(member->classic->protocols[i].name));
}

/* Members in an order that does not depend on how they came. */
static void
describe(struct world *world, char *out, size_t size)
{
	const struct consumer_group *consumer = group_of(world)->consumer;
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };

	out[0] = '\0';
	say(out, size, "%d %d %jd %jd %d %s", consumer->epoch,
	    consumer->target_epoch, (intmax_t)consumer->target_ms,
	    (intmax_t)consumer->metadata_hash, consumer->classic_count,
	    consumer_group_state(consumer));
	for (size_t n = 0; n < COUNT_OF(names); n++)
		LIST_FOR_EACH (node, &consumer->members) {
			const struct consumer_member *member =
			    LIST_ENTRY(node, struct consumer_member, node);

			if (slice_equal_str(member->client_id, names[n]))
				say_member(out, size, member);
		}
}

/* The log says all that there is. */
static void
check_reload(struct world *world)
{
	static char before[16384], after[16384];

	if (!is_consumer_group(world))
		return;
	describe(world, before, sizeof(before));
	world_restart(world);
	describe(world, after, sizeof(after));
	assert_string_equal(before, after);
}

static void
check_described(struct world *world, const char *message)
{
	struct kp_describe_groups_response_group out;
	struct client admin;

	kp_defaults_struct(&kp_describe_groups_response_group_struct, &out);
	client_init(&admin, world, "admin", false);
	begin(&admin, 6);
	group_shard_describe(&world->shard, &admin.call, slice_str("g"), &out);
	assert_int_equal(out.error_code, KP_GROUP_ID_NOT_FOUND);
	assert_true(slice_equal_str(out.error_message, message));
	assert_true(slice_equal_str(out.group_state, "Dead"));
}

/* --- Upgrades ------------------------------------------------------------- */

/* A stable classic group of two members with two partitions each. */
static void
begin_classic(struct world *world, struct client *a, struct client *b)
{
	struct client *const both[] = { a, b };

	begin_world(world, 4);
	client_init(a, world, "a", false);
	client_init(b, world, "b", false);
	settle(both, 2);
	assert_string_equal(state_of(world), "Stable");
	assert_int_equal(owned_count(a), 2);
	assert_int_equal(owned_count(b), 2);
}

/*
 * Members go on with what they have, at the generation as their epoch, and
 * give up one after the other what the new one is to get.
 */
static void
a_classic_group_becomes_a_consumer_group(void **state UNUSED)
{
	struct world world;
	struct client a, b, c, *const all[] = { &a, &b, &c };
	int32_t generation;

	begin_classic(&world, &a, &b);
	generation = a.epoch;
	client_init(&c, &world, "c", true);
	assert_int_equal(join_consumer(&c), KP_NONE);
	assert_true(is_consumer_group(&world));
	assert_int_equal(c.epoch, generation + 1);
	assert_int_equal(owned_count(&c), 0);
	assert_int_equal(group_of(&world)->consumer->classic_count, 2);
	assert_string_equal(state_of(&world), "Reconciling");
	check_reload(&world);
	check_described(&world, "Group g is not a classic group.");
	assert_int_equal(heartbeat(&a), KP_REBALANCE_IN_PROGRESS);
	settle(all, 3);
	assert_string_equal(state_of(&world), "Stable");
	assert_int_equal(
	    owned_count(&a) + owned_count(&b) + owned_count(&c), 4);
	assert_int_equal(owned_count(&c), 1);
	assert_int_equal(heartbeat(&a), KP_NONE);
	assert_int_equal(heartbeat(&b), KP_NONE);
	check_reload(&world);
	world_fini(&world);
}

/* What it has too much a classic member gives up in two steps. */
static void
a_classic_member_gives_up_in_two_steps(void **state UNUSED)
{
	struct world world;
	struct client a, c;

	begin_world(&world, 4);
	client_init(&a, &world, "a", false);
	settle((struct client *const[]){ &a }, 1);
	assert_int_equal(owned_count(&a), 4);
	client_init(&c, &world, "c", true);
	assert_int_equal(join_consumer(&c), KP_NONE);
	assert_int_equal(heartbeat(&a), KP_REBALANCE_IN_PROGRESS);
	/* The same generation, and a smaller assignment. */
	start_join(&a);
	assert_int_equal(take_join(&a), KP_NONE);
	assert_int_equal(a.epoch, 1);
	assert_int_equal(a.joined.members_count, 0);
	assert_int_equal(a.joined.leader.len, 0);
	assert_true(slice_equal_str(a.joined.protocol_name, "first"));
	start_sync(&a);
	assert_int_equal(take_sync(&a), KP_NONE);
	assert_int_equal(owned_count(&a), 2);
	assert_int_equal(beat(&c), KP_NONE);
	assert_int_equal(owned_count(&c), 0);
	check_reload(&world);
	/* It has to say that it owns no more. */
	assert_int_equal(heartbeat(&a), KP_REBALANCE_IN_PROGRESS);
	start_join(&a);
	assert_int_equal(take_join(&a), KP_NONE);
	assert_int_equal(a.epoch, 2);
	start_sync(&a);
	assert_int_equal(take_sync(&a), KP_NONE);
	assert_int_equal(heartbeat(&a), KP_NONE);
	assert_int_equal(beat(&c), KP_NONE);
	assert_int_equal(owned_count(&c), 2);
	assert_string_equal(state_of(&world), "Stable");
	world_fini(&world);
}

/* Who waits for a rebalance is told to begin anew. */
static void
parked_members_rejoin(void **state UNUSED)
{
	struct world world;
	struct client a, b, c, *const all[] = { &a, &b, &c };

	begin_classic(&world, &a, &b);
	a.phase = OUT;
	step(&a);
	assert_true(a.pending);
	client_init(&c, &world, "c", true);
	assert_int_equal(join_consumer(&c), KP_NONE);
	assert_false(a.pending);
	assert_int_equal(take_join(&a), KP_REBALANCE_IN_PROGRESS);
	settle(all, 3);
	assert_string_equal(state_of(&world), "Stable");
	assert_int_equal(
	    owned_count(&a) + owned_count(&b) + owned_count(&c), 4);
	world_fini(&world);
}

static void
refused_upgrade(struct client *c, enum kp_error error, const char *message)
{
	assert_int_equal(join_consumer(c), error);
	assert_false(is_consumer_group(c->world));
	if (message == NULL)
		assert_true(slice_is_null(c->beaten.error_message));
	else
		assert_true(slice_equal_str(c->beaten.error_message, message));
}

#define CANNOT "Cannot upgrade classic group g to consumer group because "

static void
some_groups_stay_classic(void **state UNUSED)
{
	struct world world;
	struct client a, b, c;

	begin_classic(&world, &a, &b);
	client_init(&c, &world, "c", true);
	world.settings.consumer.upgrades = false;
	refused_upgrade(
	    &c, KP_GROUP_ID_NOT_FOUND, CANNOT "online upgrade is disabled.");
	world.settings.consumer.upgrades = true;
	world.settings.consumer.members_max = 1;
	refused_upgrade(&c, KP_GROUP_ID_NOT_FOUND,
	    CANNOT "the group size exceeds the consumer group maximum size.");
	/* There is room for them, and not for one more. */
	world.settings.consumer.members_max = 2;
	refused_upgrade(&c, KP_GROUP_MAX_SIZE_REACHED,
	    "The consumer group has reached its maximum capacity of 2 "
	    "members.");
	world.settings.consumer.members_max = 100;
	c.epoch = 1;
	assert_int_equal(beat(&c), KP_GROUP_ID_NOT_FOUND);
	assert_true(slice_equal_str(
	    c.beaten.error_message, "Group g is not a consumer group."));
	/* Nothing has happened to those who are in it. */
	assert_int_equal(heartbeat(&a), KP_NONE);
	world.log.append_error = KP_KAFKA_STORAGE_ERROR;
	refused_upgrade(&c, KP_NOT_COORDINATOR, NULL);
	world.log.append_error = KP_NONE;
	assert_int_equal(heartbeat(&b), KP_NONE);
	assert_int_equal(join_consumer(&c), KP_NONE);
	world_fini(&world);
}

static void
custom_assignors_stay_classic(void **state UNUSED)
{
	struct world world;
	struct client a, c;

	begin_world(&world, 2);
	client_init(&a, &world, "a", false);
	client_init(&c, &world, "c", true);
	a.user_data = "mine";
	settle((struct client *const[]){ &a }, 1);
	refused_upgrade(&c, KP_GROUP_ID_NOT_FOUND,
	    CANNOT "an unsupported custom assignor is in use. Please refer to "
		   "the documentation or switch to a default assignor before "
		   "re-attempting the upgrade.");
	assert_int_equal(heartbeat(&a), KP_NONE);
	world_fini(&world);
}

/* Before the first generation there is no protocol to go by. */
static void
a_group_without_a_protocol_stays_classic(void **state UNUSED)
{
	struct world world;
	struct client a, c;

	begin_world(&world, 2);
	world.settings.rebalance_delay_ms = 3000;
	client_init(&a, &world, "a", false);
	client_init(&c, &world, "c", true);
	step(&a);
	assert_true(a.pending);
	refused_upgrade(&c, KP_UNKNOWN_SERVER_ERROR, NULL);
	assert_false(a.pending);
	assert_int_equal(take_join(&a), KP_REBALANCE_IN_PROGRESS);
	world_fini(&world);
}

/* --- Members of the classic protocol -------------------------------------- */

static void
classic_members_are_checked(void **state UNUSED)
{
	struct world world;
	struct client a, b, c, nobody;

	begin_world(&world, 4);
	client_init(&c, &world, "c", true);
	client_init(&nobody, &world, "n", false);
	assert_int_equal(join_consumer(&c), KP_NONE);
	world.settings.consumer.upgrades = false;
	world.settings.consumer.downgrades = false;
	client_init(&a, &world, "a", false);
	start_join(&a);
	assert_int_equal(take_join(&a), KP_INCONSISTENT_GROUP_PROTOCOL);
	world.settings.consumer.downgrades = true;
	start_join(&a);
	assert_int_equal(take_join(&a), KP_MEMBER_ID_REQUIRED);
	assert_int_equal(strlen(a.id), UUID_TEXT_LEN);
	start_join(&a);
	assert_int_equal(take_join(&a), KP_NONE);
	assert_true(slice_equal_str(a.joined.protocol_type, "consumer"));
	/* Any id will do. */
	client_init(&b, &world, "b", false);
	snprintf(b.id, sizeof(b.id), "of-my-own");
	start_join(&b);
	assert_int_equal(take_join(&b), KP_NONE);
	/* Generations and protocols. */
	b.epoch++;
	start_sync(&b);
	assert_int_equal(b.call.call.error, KP_ILLEGAL_GENERATION);
	assert_int_equal(heartbeat(&b), KP_ILLEGAL_GENERATION);
	b.epoch--;
	b.joined.protocol_name = slice_str("second");
	start_sync(&b);
	assert_int_equal(b.call.call.error, KP_INCONSISTENT_GROUP_PROTOCOL);
	snprintf(nobody.id, sizeof(nobody.id), "c");
	nobody.epoch = c.epoch;
	assert_int_equal(heartbeat(&nobody), KP_UNKNOWN_MEMBER_ID);
	start_sync(&nobody);
	assert_int_equal(nobody.call.call.error, KP_UNKNOWN_MEMBER_ID);
	snprintf(nobody.id, sizeof(nobody.id), "x");
	assert_int_equal(heartbeat(&nobody), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(
	    leave_classic(&nobody, "x", NULL), KP_UNKNOWN_MEMBER_ID);
	/* Who does not parse, and who has nothing in common. */
	client_init(&nobody, &world, "n", false);
	snprintf(nobody.id, sizeof(nobody.id), "n");
	start_join(&nobody);
	(void)take_join(&nobody);
	begin(&nobody, 9);
	nobody.protocols[0].metadata = slice_str("x");
	nobody.join.protocols_count = 1;
	group_shard_join(
	    &world.shard, &nobody.call, &nobody.join, &nobody.joined);
	assert_int_equal(nobody.call.call.error, KP_UNKNOWN_SERVER_ERROR);
	begin(&nobody, 9);
	nobody.protocols[0].name = slice_str("third");
	group_shard_join(
	    &world.shard, &nobody.call, &nobody.join, &nobody.joined);
	assert_int_equal(
	    nobody.call.call.error, KP_INCONSISTENT_GROUP_PROTOCOL);
	begin(&nobody, 9);
	nobody.join.protocol_type = slice_str("connect");
	group_shard_join(
	    &world.shard, &nobody.call, &nobody.join, &nobody.joined);
	assert_int_equal(
	    nobody.call.call.error, KP_INCONSISTENT_GROUP_PROTOCOL);
	world.settings.consumer.members_max = 4;
	client_init(&nobody, &world, "m", false);
	start_join(&nobody);
	assert_int_equal(take_join(&nobody), KP_GROUP_MAX_SIZE_REACHED);
	world_fini(&world);
}

static void
classic_members_are_fenced(void **state UNUSED)
{
	struct world world;
	struct client a, b, c;

	begin_world(&world, 3);
	client_init(&a, &world, "a", false);
	client_init(&b, &world, "b", false);
	client_init(&c, &world, "c", true);
	/* Whoever joins has to sync. */
	assert_int_equal(join_consumer(&c), KP_NONE);
	join_with_id(&a);
	for (int i = 0; i < REBALANCE_MS / 5000 - 1; i++) {
		world_pass(&world, 5000);
		(void)heartbeat(&a);
	}
	world_pass(&world, 4999);
	assert_int_not_equal(heartbeat(&a), KP_UNKNOWN_MEMBER_ID);
	world_pass(&world, 1);
	assert_int_equal(heartbeat(&a), KP_UNKNOWN_MEMBER_ID);
	/* Whoever is to join anew has to; its session is one of its own. */
	get_lost(&a);
	assert_int_equal(beat(&c), KP_NONE);
	settle((struct client *const[]){ &a, &c }, 2);
	assert_int_equal(heartbeat(&a), KP_NONE);
	join_with_id(&b);
	start_sync(&b);
	world_pass(&world, 1000);
	assert_int_equal(beat(&c), KP_NONE);
	assert_int_equal(heartbeat(&a), KP_REBALANCE_IN_PROGRESS);
	for (int i = 0; i < REBALANCE_MS / 5000 - 1; i++) {
		world_pass(&world, 5000);
		assert_int_equal(heartbeat(&a), KP_REBALANCE_IN_PROGRESS);
		assert_int_equal(beat(&c), KP_NONE);
	}
	world_pass(&world, 5000);
	assert_int_equal(heartbeat(&a), KP_UNKNOWN_MEMBER_ID);
	world_pass(&world, CLASSIC_SESSION_MS);
	assert_int_equal(group_of(&world)->consumer->classic_count, 0);
	assert_int_equal(beat(&c), KP_NONE);
	world_fini(&world);
}

/* One member, one id, one protocol after the other. */
static void
members_change_their_protocol(void **state UNUSED)
{
	struct world world;
	struct client a, c, *const both[] = { &a, &c };

	begin_world(&world, 4);
	client_init(&a, &world, "a", false);
	client_init(&c, &world, "c", true);
	assert_int_equal(join_consumer(&c), KP_NONE);
	settle(both, 2);
	a.consumer = true;
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(group_of(&world)->consumer->classic_count, 0);
	world_pass(&world, 2 * CLASSIC_SESSION_MS);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(beat(&c), KP_NONE);
	c.consumer = false;
	start_join(&c);
	assert_int_equal(take_join(&c), KP_NONE);
	assert_int_equal(group_of(&world)->consumer->classic_count, 1);
	check_reload(&world);
	settle(both, 2);
	assert_string_equal(state_of(&world), "Stable");
	assert_int_equal(owned_count(&a) + owned_count(&c), 4);
	world_fini(&world);
}

/* --- Downgrades ----------------------------------------------------------- */

/* A settled consumer group of two classic members and one other. */
static void
begin_mixed(
    struct world *world, struct client *a, struct client *b, struct client *c)
{
	begin_classic(world, a, b);
	client_init(c, world, "c", true);
	assert_int_equal(join_consumer(c), KP_NONE);
	settle((struct client *const[]){ a, b, c }, 3);
	assert_string_equal(state_of(world), "Stable");
}

/* The generation is the last epoch, and everybody joins anew. */
static void
check_downgraded(
    struct world *world, struct client *a, struct client *b, int32_t generation)
{
	assert_false(is_consumer_group(world));
	assert_int_equal(group_of(world)->generation, generation);
	assert_string_equal(state_of(world), "PreparingRebalance");
	assert_int_equal(heartbeat(a), KP_REBALANCE_IN_PROGRESS);
	settle((struct client *const[]){ a, b }, 2);
	assert_string_equal(state_of(world), "Stable");
	assert_int_equal(group_of(world)->generation, generation + 1);
	assert_int_equal(owned_count(a), 2);
	assert_int_equal(owned_count(b), 2);
}

static void
a_consumer_group_becomes_a_classic_group(void **state UNUSED)
{
	struct world world;
	struct client a, b, c;
	int32_t epoch;

	begin_mixed(&world, &a, &b, &c);
	epoch = group_of(&world)->consumer->epoch;
	assert_int_equal(send(&c, -1, false), KP_NONE);
	check_downgraded(&world, &a, &b, epoch);
	world_restart(&world);
	assert_int_equal(heartbeat(&a), KP_NONE);
	/* And up and down once more. */
	assert_int_equal(join_consumer(&c), KP_NONE);
	settle((struct client *const[]){ &a, &b, &c }, 3);
	epoch = group_of(&world)->consumer->epoch;
	assert_int_equal(leave_classic(&a, c.id, NULL), KP_NONE);
	a.phase = IN;
	check_downgraded(&world, &a, &b, epoch);
	world_fini(&world);
}

/* Also one that is taken for dead is gone. */
static void
a_dead_member_downgrades(void **state UNUSED)
{
	struct world world;
	struct client a, b, c;
	int32_t epoch;

	begin_mixed(&world, &a, &b, &c);
	epoch = group_of(&world)->consumer->epoch;
	for (int i = 0; i < 9; i++) {
		assert_int_equal(heartbeat(&a), KP_NONE);
		assert_int_equal(heartbeat(&b), KP_NONE);
		world_pass(&world, SESSION_MS / 9);
	}
	check_downgraded(&world, &a, &b, epoch);
	world_fini(&world);
}

/*
 * What the log says of a downgraded group is what it was, and that it has to
 * rebalance: else nobody would read what the one that left had.
 */
static void
a_downgrade_survives_a_restart(void **state UNUSED)
{
	struct world world;
	struct client a, b, c;
	int32_t epoch;

	begin_mixed(&world, &a, &b, &c);
	epoch = group_of(&world)->consumer->epoch;
	assert_int_equal(send(&c, -1, false), KP_NONE);
	world_restart(&world);
	assert_string_equal(state_of(&world), "PreparingRebalance");
	assert_int_equal(group_of(&world)->generation, epoch);
	assert_int_equal(group_member_count(group_of(&world)), 2);
	assert_true(slice_equal_str(group_of(&world)->protocol, "first"));
	check_downgraded(&world, &a, &b, epoch);
	/* When it is over it is over. */
	world_restart(&world);
	assert_string_equal(state_of(&world), "Stable");
	assert_int_equal(heartbeat(&a), KP_NONE);
	world_fini(&world);
}

static void
some_groups_stay_consumer_groups(void **state UNUSED)
{
	struct world world;
	struct client a, b, c;

	begin_mixed(&world, &a, &b, &c);
	world.settings.consumer.downgrades = false;
	assert_int_equal(send(&c, -1, false), KP_NONE);
	assert_true(is_consumer_group(&world));
	assert_int_equal(group_of(&world)->consumer->classic_count, 2);
	assert_int_equal(join_consumer(&c), KP_NONE);
	world.settings.consumer.downgrades = true;
	world.settings.members_max = 1;
	assert_int_equal(send(&c, -1, false), KP_NONE);
	assert_true(is_consumer_group(&world));
	/* Everybody goes: it is empty, and stays what it is. */
	world.settings.members_max = 0;
	assert_int_equal(leave_classic(&a, a.id, NULL), KP_NONE);
	world.settings.members_max = 100;
	assert_int_equal(leave_classic(&b, b.id, NULL), KP_NONE);
	assert_true(is_consumer_group(&world));
	assert_string_equal(state_of(&world), "Empty");
	world_fini(&world);
}

/* A leave that cannot be written down has not happened. */
static void
a_failed_downgrade_changes_nothing(void **state UNUSED)
{
	struct world world;
	struct client a, b, c;

	begin_mixed(&world, &a, &b, &c);
	world.log.append_error = KP_KAFKA_STORAGE_ERROR;
	assert_int_equal(send(&c, -1, false), KP_NOT_COORDINATOR);
	assert_true(is_consumer_group(&world));
	world.log.append_error = KP_NONE;
	c.phase = IN;
	assert_int_equal(heartbeat(&a), KP_NONE);
	assert_int_equal(heartbeat(&b), KP_NONE);
	assert_int_equal(beat(&c), KP_NONE);
	world_fini(&world);
}

/* Of classic members alone somebody joins, so that there is a target. */
static void
what_a_member_had_goes_to_classic_ones(void **state UNUSED)
{
	struct world world;
	struct client a, b, c, *const both[] = { &a, &b };

	begin_mixed(&world, &a, &b, &c);
	world.settings.consumer.downgrades = false;
	assert_int_equal(send(&c, -1, false), KP_NONE);
	settle(both, 2);
	assert_true(is_consumer_group(&world));
	assert_string_equal(state_of(&world), "Stable");
	assert_int_equal(owned_count(&a), 2);
	assert_int_equal(owned_count(&b), 2);
	world_fini(&world);
}

/* --- Static members ------------------------------------------------------- */

/* A static member is replaced by one of the other protocol, and back. */
static void
static_members_change_their_protocol(void **state UNUSED)
{
	struct world world;
	struct client a, c, again;

	begin_world(&world, 4);
	client_init(&a, &world, "a", false);
	a.instance = "i";
	settle((struct client *const[]){ &a }, 1);
	client_init(&c, &world, "c", true);
	c.instance = "i";
	assert_int_equal(join_consumer(&c), KP_NONE);
	assert_true(is_consumer_group(&world));
	assert_int_equal(consumer_group_count(group_of(&world)->consumer), 1);
	assert_int_equal(owned_count(&c), 4);
	assert_int_equal(heartbeat(&a), KP_FENCED_INSTANCE_ID);
	check_reload(&world);
	/* The last of the consumer protocol: nobody has to rebalance. */
	client_init(&again, &world, "b", false);
	again.instance = "i";
	start_join(&again);
	assert_int_equal(take_join(&again), KP_NONE);
	assert_false(is_consumer_group(&world));
	assert_string_equal(state_of(&world), "Stable");
	assert_int_equal(again.epoch, group_of(&world)->generation);
	start_sync(&again);
	assert_int_equal(take_sync(&again), KP_NONE);
	assert_int_equal(owned_count(&again), 4);
	assert_int_equal(heartbeat(&again), KP_NONE);
	assert_int_equal(beat(&c), KP_GROUP_ID_NOT_FOUND);
	/* The log does not tell it from one that was about to rebalance. */
	world_restart(&world);
	heed(&again, heartbeat(&again));
	settle((struct client *const[]){ &again }, 1);
	assert_string_equal(state_of(&world), "Stable");
	assert_int_equal(owned_count(&again), 4);
	world_fini(&world);
}

/* What no classic member had yet is not forgotten. */
static void
static_members_bring_a_target(void **state UNUSED)
{
	struct world world;
	struct client a, c;

	begin_world(&world, 4);
	client_init(&a, &world, "a", false);
	a.instance = "i";
	settle((struct client *const[]){ &a }, 1);
	world_topic(&world, "t", 6);
	client_init(&c, &world, "c", true);
	c.instance = "i";
	assert_int_equal(join_consumer(&c), KP_NONE);
	assert_int_equal(owned_count(&c), 6);
	assert_string_equal(state_of(&world), "Stable");
	world_fini(&world);
}

/* With others of the consumer protocol it takes the place, and no more. */
static void
static_members_take_places(void **state UNUSED)
{
	struct world world;
	struct client c, d, e, again;

	begin_world(&world, 4);
	client_init(&c, &world, "c", true);
	client_init(&d, &world, "d", true);
	c.instance = "i";
	assert_int_equal(join_consumer(&c), KP_NONE);
	world_pass(&world, 1000);
	assert_int_equal(join_consumer(&d), KP_NONE);
	settle((struct client *const[]){ &c, &d }, 2);
	client_init(&again, &world, "a", false);
	again.instance = "i";
	start_join(&again);
	assert_int_equal(take_join(&again), KP_NONE);
	assert_true(is_consumer_group(&world));
	start_sync(&again);
	assert_int_equal(take_sync(&again), KP_NONE);
	assert_int_equal(owned_count(&again), 2);
	check_reload(&world);
	client_init(&e, &world, "e", false);
	e.instance = "i";
	snprintf(e.id, sizeof(e.id), "other");
	start_join(&e);
	assert_int_equal(take_join(&e), KP_FENCED_INSTANCE_ID);
	e.instance = "j";
	snprintf(e.id, sizeof(e.id), "other");
	start_join(&e);
	assert_int_equal(take_join(&e), KP_UNKNOWN_MEMBER_ID);
	/* An administrator knows the instance only. */
	assert_int_equal(
	    leave_classic(&e, "wrong", "i"), KP_FENCED_INSTANCE_ID);
	assert_int_equal(leave_classic(&e, "", "j"), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(leave_classic(&e, "", "i"), KP_NONE);
	assert_int_equal(consumer_group_count(group_of(&world)->consumer), 1);
	world_fini(&world);
}

/* The target is not of the group's epoch: all join anew. */
static void
a_stale_target_is_not_kept(void **state UNUSED)
{
	struct world world;
	struct client a, c, again;

	begin_world(&world, 4);
	client_init(&a, &world, "a", false);
	client_init(&c, &world, "c", true);
	c.instance = "i";
	assert_int_equal(join_consumer(&c), KP_NONE);
	join_with_id(&a);
	start_sync(&a);
	assert_true(group_of(&world)->consumer->target_epoch <
	    group_of(&world)->consumer->epoch);
	client_init(&again, &world, "b", false);
	again.instance = "i";
	start_join(&again);
	assert_int_equal(take_join(&again), KP_NONE);
	assert_false(is_consumer_group(&world));
	assert_string_equal(state_of(&world), "PreparingRebalance");
	a.phase = OUT;
	again.phase = OUT;
	settle((struct client *const[]){ &a, &again }, 2);
	assert_int_equal(owned_count(&a) + owned_count(&again), 4);
	world_fini(&world);
}

/* --- Random members ------------------------------------------------------- */

#define CLIENTS_COUNT 5

struct play {
	struct world world;
	struct rng rng;
	struct client clients[CLIENTS_COUNT];
	int32_t partitions;
	int replaced;
};

/* No partition belongs to two who believe that they are in the group. */
static void
check_owners(const struct play *play)
{
	for (int i = 0; i < CLIENTS_COUNT; i++)
		for (int j = 0; j < i; j++)
			for (int p = 0; p < PARTITIONS_MAX; p++)
				assert_false(play->clients[i].owned[p] &&
				    play->clients[j].owned[p]);
}

/* Static members leave for a while, by their protocol's means. */
static bool
go(struct play *play, struct client *client)
{
	bool stays = client->instance != NULL && rng_below(&play->rng, 2) == 0;

	if (client->consumer)
		return client->phase != IN ||
		    send(client, stays ? -2 : -1, false) != KP_NOT_COORDINATOR;
	if (client->id[0] != '\0' && !stays)
		(void)leave_classic(client, client->id, NULL);
	return true;
}

/* One leaves and another comes in its place, of any protocol. */
static void
replace(struct play *play, struct client *client)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	static const char *const instances[] = { "A", "B", "C", "D", "E" };
	size_t i = (size_t)(client - play->clients);
	bool consumer = rng_below(&play->rng, 2) == 0;
	const char *instance = client->instance;

	if (client->pending || !go(play, client))
		return;
	client_init(client, &play->world, names[i], consumer);
	client->eager = rng_below(&play->rng, 2) == 0;
	/* An instance is one as long as it may be in the group. */
	client->instance = instance != NULL || rng_below(&play->rng, 3) == 0 ?
	    instances[i] :
	    NULL;
	if (consumer)
		snprintf(client->id, sizeof(client->id), "%s%d", names[i],
		    play->replaced++);
}

static void
change_protocol(struct play *play, struct client *client)
{
	if (client->pending || client->phase != IN ||
	    !is_consumer_group(&play->world))
		return;
	client->consumer = !client->consumer;
	client->phase = client->consumer ? IN : OUT;
}

static void
random_step(struct play *play)
{
	struct client *client =
	    &play->clients[rng_below(&play->rng, CLIENTS_COUNT)];

	world_pass(&play->world, (int64_t)rng_below(&play->rng, 300));
	switch (rng_below(&play->rng, 24)) {
	case 0:
		replace(play, client);
		break;
	case 1:
		change_protocol(play, client);
		break;
	case 2:
		check_reload(&play->world);
		break;
	case 3:
		if (play->partitions < 12)
			world_topic(&play->world, "t", ++play->partitions);
		break;
	default:
		step(client);
		break;
	}
	check_owners(play);
}

/* After a while without changes everything is someone's. */
static void
check_settled(struct play *play)
{
	struct client *all[CLIENTS_COUNT];
	int32_t owned = 0;

	for (int i = 0; i < CLIENTS_COUNT; i++)
		all[i] = &play->clients[i];
	/* Classic consumers see to it themselves that topics have grown. */
	for (int i = 0; i < CLIENTS_COUNT; i++)
		if (!all[i]->consumer && all[i]->phase == IN)
			all[i]->phase = OUT;
	for (int round = 0; round < 8; round++) {
		settle(all, CLIENTS_COUNT);
		check_owners(play);
	}
	assert_string_equal(state_of(&play->world), "Stable");
	for (int i = 0; i < CLIENTS_COUNT; i++)
		owned += owned_count(all[i]);
	assert_int_equal(owned, play->partitions);
}

static void
play_seed(uint64_t seed)
{
	struct play *play = xcalloc(1, sizeof(*play));

	play->partitions = 5;
	begin_world(&play->world, play->partitions);
	rng_init(&play->rng, seed);
	for (int i = 0; i < CLIENTS_COUNT; i++) {
		play->clients[i].consumer = true;
		replace(play, &play->clients[i]);
	}
	for (int i = 0; i < 300; i++)
		random_step(play);
	check_settled(play);
	world_fini(&play->world);
	free(play);
}

/* KLAMM_SEEDS=N plays N of them, KLAMM_SEED=N only that one. */
static void
random_members(void **state UNUSED)
{
	const char *one = getenv("KLAMM_SEED"), *many = getenv("KLAMM_SEEDS");
	uint64_t count = many == NULL ? 100 : strtoull(many, NULL, 10);

	if (one != NULL) {
		play_seed(strtoull(one, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= count; seed++) {
		fprintf(stderr, "KLAMM_SEED=%ju\r", (uintmax_t)seed);
		play_seed(seed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_classic_group_becomes_a_consumer_group),
		cmocka_unit_test(a_classic_member_gives_up_in_two_steps),
		cmocka_unit_test(parked_members_rejoin),
		cmocka_unit_test(some_groups_stay_classic),
		cmocka_unit_test(custom_assignors_stay_classic),
		cmocka_unit_test(a_group_without_a_protocol_stays_classic),
		cmocka_unit_test(classic_members_are_checked),
		cmocka_unit_test(classic_members_are_fenced),
		cmocka_unit_test(members_change_their_protocol),
		cmocka_unit_test(a_consumer_group_becomes_a_classic_group),
		cmocka_unit_test(a_dead_member_downgrades),
		cmocka_unit_test(a_downgrade_survives_a_restart),
		cmocka_unit_test(some_groups_stay_consumer_groups),
		cmocka_unit_test(a_failed_downgrade_changes_nothing),
		cmocka_unit_test(what_a_member_had_goes_to_classic_ones),
		cmocka_unit_test(static_members_change_their_protocol),
		cmocka_unit_test(static_members_bring_a_target),
		cmocka_unit_test(static_members_take_places),
		cmocka_unit_test(a_stale_target_is_not_kept),
		cmocka_unit_test(random_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
