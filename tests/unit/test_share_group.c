/*
 * Share groups (KIP-932) on a shard whose log is in memory, whose clock is
 * stepped, and whose share coordinator does what it is told.
 */
#include "unit/group_world.h"
#include "unit/unit.h"

#include <stdio.h>

#include "base/rng.h"
#include "coord/share_group_heartbeat.h"
#include "coord/share_group_record.h"
#include "meta/topic_image.h"
#include "wire/codec.h"
#include "wire/generated/describe_groups.h"
#include "wire/generated/join_group.h"
#include "wire/generated/list_groups.h"
#include "wire/generated/share_group_describe.h"
#include "wire/generated/share_group_heartbeat.h"
#include "wire/output.h"

#define HEARTBEAT_MS 5000
#define SESSION_MS 45000
#define INTERVAL_MS 1000
#define RETRY_MS 30000

/* --- Calls ---------------------------------------------------------------- */

struct client {
	struct world *world;
	struct group_call call;
	bool pending;
	char id[16];
	const char *topics[3];
	int32_t epoch;
	struct kp_share_group_heartbeat_response response;
	char assigned[256]; /* what the last answer with one has said */
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
client_init(struct client *client, struct world *world, const char *id,
    const char *topic)
{
	memset(client, 0, sizeof(*client));
	client->world = world;
	snprintf(client->id, sizeof(client->id), "%s", id);
	client->topics[0] = topic;
}

static struct group_call *
begin(struct client *client)
{
	assert_false(client->pending);
	memset(&client->call, 0, sizeof(client->call));
	client->call.call.done = on_done;
	client->call.arena = &client->world->arena;
	client->call.version = 1;
	client->call.client_id = slice_str("client");
	client->call.client_host = slice_str("/127.0.0.1");
	client->pending = true;
	return &client->call;
}

static enum kp_error
end(struct client *client)
{
	assert_false(client->pending);
	return client->call.call.error;
}

/* Topics are 1, 2, … in the order in which they were made. */
static void
take_assignment(struct client *client)
{
	const struct kp_share_group_heartbeat_response_assignment *given =
	    client->response.assignment;
	char *text = client->assigned;
	size_t len = 0, size = sizeof(client->assigned);

	if (given == NULL)
		return;
	text[0] = '\0';
	for (int32_t t = 0; t < given->topic_partitions_count; t++) {
		len += (size_t)snprintf(text + len, size - len, "%s%d:",
		    t == 0 ? "" : " ",
		    given->topic_partitions[t].topic_id.bytes[15]);
		for (int32_t i = 0;
		    i < given->topic_partitions[t].partitions_count; i++)
			len += (size_t)snprintf(text + len, size - len, "%s%d",
			    i == 0 ? "" : ",",
			    given->topic_partitions[t].partitions[i]);
	}
}

static enum kp_error
send(struct client *client,
    const struct kp_share_group_heartbeat_request *request)
{
	enum kp_error error;

	kp_defaults(&kp_share_group_heartbeat_response, &client->response);
	error = share_group_heartbeat_check(
	    request, &client->response.error_message);
	if (error != KP_NONE)
		return error;
	group_shard_share_heartbeat(&client->world->shard, begin(client),
	    request, &client->response);
	if (end(client) != KP_NONE)
		return client->call.call.error;
	client->epoch = client->response.member_epoch;
	take_assignment(client);
	return KP_NONE;
}

static struct kp_share_group_heartbeat_request
request_of(struct client *client, int32_t epoch)
{
	struct kp_share_group_heartbeat_request request;

	kp_defaults(&kp_share_group_heartbeat_request, &request);
	request.group_id = slice_str("g");
	request.member_id = slice_str(client->id);
	request.member_epoch = epoch;
	return request;
}

static void
fill_names(
    struct client *client, struct kp_share_group_heartbeat_request *request)
{
	request->subscribed_topic_names =
	    arena_xcalloc(&client->world->arena, 3, sizeof(struct slice));
	request->subscribed_topic_names_count = 0;
	for (int i = 0; i < 3 && client->topics[i] != NULL; i++)
		request->subscribed_topic_names
		    [request->subscribed_topic_names_count++] =
		    slice_str(client->topics[i]);
}

static enum kp_error
join(struct client *client)
{
	struct kp_share_group_heartbeat_request request =
	    request_of(client, SHARE_EPOCH_JOIN);

	fill_names(client, &request);
	return send(client, &request);
}

static enum kp_error
beat_at(struct client *client, int32_t epoch)
{
	const struct kp_share_group_heartbeat_request request =
	    request_of(client, epoch);

	return send(client, &request);
}

static enum kp_error
beat(struct client *client)
{
	return beat_at(client, client->epoch);
}

static enum kp_error
leave(struct client *client)
{
	return beat_at(client, SHARE_EPOCH_LEAVE);
}

static struct kp_share_group_describe_response_group
describe(struct world *world)
{
	struct kp_share_group_describe_response_group out;
	struct client admin;

	kp_defaults_struct(&kp_share_group_describe_response_group_struct,
	    &out);
	client_init(&admin, world, "admin", NULL);
	group_shard_share_describe(
	    &world->shard, begin(&admin), slice_str("g"), &out);
	assert_int_equal(end(&admin), KP_NONE);
	return out;
}

static enum kp_error
delete_group(struct world *world)
{
	struct client admin;

	client_init(&admin, world, "admin", NULL);
	group_shard_delete(&world->shard, begin(&admin), slice_str("g"));
	return end(&admin);
}

/* One topic with partitions, one offset each. */
struct offsets {
	struct group_share_partition partitions[4];
	struct group_share_topic topic;
	struct group_share_offsets offsets;
};

static struct group_share_offsets *
offsets_of(struct offsets *o, const char *topic, int32_t partitions)
{
	memset(o, 0, sizeof(*o));
	o->topic.name = slice_str(topic);
	o->topic.partitions = o->partitions;
	o->topic.partitions_count = partitions;
	for (int32_t i = 0; i < partitions; i++) {
		o->partitions[i].partition = i;
		o->partitions[i].start_offset = 100 + i;
	}
	o->offsets.group_id = slice_str("g");
	o->offsets.topics = &o->topic;
	o->offsets.topics_count = 1;
	return &o->offsets;
}

static enum kp_error
alter(struct world *world, struct group_share_offsets *offsets)
{
	struct client admin;

	client_init(&admin, world, "admin", NULL);
	group_shard_share_alter(&world->shard, begin(&admin), offsets);
	return end(&admin);
}

static enum kp_error
forget(struct world *world, struct group_share_offsets *offsets)
{
	struct client admin;

	client_init(&admin, world, "admin", NULL);
	group_shard_share_forget(&world->shard, begin(&admin), offsets);
	return end(&admin);
}

/* Join, and have what there is after the partitions are initialised. */
static void
settle(struct client *client)
{
	assert_int_equal(join(client), KP_NONE);
	world_pass(client->world, INTERVAL_MS);
	assert_int_equal(beat(client), KP_NONE);
	world_pass(client->world, INTERVAL_MS);
	assert_int_equal(beat(client), KP_NONE);
}

/* --- Members -------------------------------------------------------------- */

/* What a group is assigned is initialised first. */
static void
the_first_member_waits_for_the_partitions(void **state UNUSED)
{
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 3);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.epoch, 2);
	assert_int_equal(a.response.heartbeat_interval_ms, HEARTBEAT_MS);
	assert_non_null(a.response.assignment);
	assert_string_equal(a.assigned, "");
	assert_int_equal(world.persisted, SHARE_STATE_INITIALIZE);
	assert_int_equal(world.persisted_count, 3);
	assert_int_equal(world.persisted_calls[2].key.partition, 2);
	assert_int_equal(world.persisted_calls[0].state_epoch, 2);
	assert_int_equal(world.persisted_calls[0].start_offset, -1);
	world_pass(&world, INTERVAL_MS);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	assert_string_equal(a.assigned, "1:0,1,2");
	/* Nothing more to say, and nothing to write. */
	assert_int_equal(beat(&a), KP_NONE);
	assert_null(a.response.assignment);
	assert_int_equal(world.persists_count, 1);
	world_fini(&world);
}

/* Targets are not made more often than the interval says. */
static void
a_target_has_its_time(void **state UNUSED)
{
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 1);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.epoch, 2);
	assert_int_equal(describe(&world).group_epoch, 3);
	assert_int_equal(describe(&world).assignment_epoch, 2);
	world_pass(&world, INTERVAL_MS);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	assert_string_equal(a.assigned, "1:0");
	world_fini(&world);
}

static void
members_share_partitions(void **state UNUSED)
{
	struct client clients[3];
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 2);
	for (int i = 0; i < 3; i++) {
		char id[] = { (char)('a' + i), '\0' };

		client_init(&clients[i], &world, id, "t");
		settle(&clients[i]);
	}
	world_pass(&world, INTERVAL_MS);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(beat(&clients[i]), KP_NONE);
		assert_true(strcmp(clients[i].assigned, "1:0") == 0 ||
		    strcmp(clients[i].assigned, "1:1") == 0 ||
		    strcmp(clients[i].assigned, "1:0,1") == 0);
	}
	assert_string_equal(
	    (const char *)describe(&world).group_state.data, "Stable");
	assert_int_equal(describe(&world).members_count, 3);
	assert_int_equal(leave(&clients[0]), KP_NONE);
	assert_int_equal(clients[0].response.member_epoch, SHARE_EPOCH_LEAVE);
	assert_int_equal(leave(&clients[1]), KP_NONE);
	world_pass(&world, INTERVAL_MS);
	assert_int_equal(beat(&clients[2]), KP_NONE);
	assert_string_equal(clients[2].assigned, "1:0,1");
	world_fini(&world);
}

static void
epochs_are_checked(void **state UNUSED)
{
	struct client a, b;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 1);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	assert_int_equal(beat_at(&a, 1), KP_GROUP_ID_NOT_FOUND);
	assert_int_equal(leave(&a), KP_GROUP_ID_NOT_FOUND);
	settle(&a);
	assert_int_equal(a.epoch, 3);
	assert_int_equal(beat_at(&b, 1), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(leave(&b), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(beat_at(&a, 4), KP_FENCED_MEMBER_EPOCH);
	assert_int_equal(beat_at(&a, 1), KP_FENCED_MEMBER_EPOCH);
	/* The last answer may be lost. */
	assert_int_equal(beat_at(&a, 2), KP_NONE);
	assert_int_equal(a.epoch, 3);
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	assert_string_equal(a.assigned, "1:0");
	world_fini(&world);
}

static void
requests_make_sense(void **state UNUSED)
{
	struct kp_share_group_heartbeat_request request;
	struct client a;
	struct world world;

	world_init(&world);
	client_init(&a, &world, "a", NULL);
	assert_int_equal(join(&a), KP_INVALID_REQUEST);
	assert_int_equal(beat_at(&a, -2), KP_INVALID_REQUEST);
	assert_int_equal(beat_at(&a, 0), KP_INVALID_REQUEST);
	request = request_of(&a, 1);
	request.group_id = slice_str(" ");
	assert_int_equal(send(&a, &request), KP_INVALID_REQUEST);
	request = request_of(&a, 1);
	request.rack_id = slice_str("");
	assert_int_equal(send(&a, &request), KP_INVALID_REQUEST);
	request = request_of(&a, 1);
	request.member_id = slice_str("");
	assert_int_equal(send(&a, &request), KP_INVALID_REQUEST);
	world_fini(&world);
}

static void
a_group_may_be_full(void **state UNUSED)
{
	struct client a, b;
	struct world world;

	world_init(&world);
	world.settings.share.members_max = 1;
	world_topic(&world, "t", 1);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_GROUP_MAX_SIZE_REACHED);
	assert_int_equal(join(&a), KP_NONE);
	world_fini(&world);
}

static void
a_silent_member_is_out(void **state UNUSED)
{
	struct client a, b;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 1);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	settle(&a);
	assert_int_equal(join(&b), KP_NONE);
	for (int i = 0; i < 8; i++) {
		world_pass(&world, HEARTBEAT_MS);
		assert_int_equal(beat(&b), KP_NONE);
	}
	assert_int_equal(describe(&world).members_count, 2);
	world_pass(&world, HEARTBEAT_MS);
	assert_int_equal(beat(&b), KP_NONE);
	assert_int_equal(describe(&world).members_count, 1);
	assert_int_equal(beat(&a), KP_UNKNOWN_MEMBER_ID);
	world_pass(&world, SESSION_MS);
	assert_int_equal(describe(&world).members_count, 0);
	/* A share group never expires. */
	world_pass(&world, world.settings.retention_ms * 2);
	assert_string_equal(
	    (const char *)describe(&world).group_state.data, "Empty");
	world_fini(&world);
}

static void
groups_have_settings(void **state UNUSED)
{
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 1);
	world_group_setting(&world, "g", "share.heartbeat.interval.ms", "7000");
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.response.heartbeat_interval_ms, 7000);
	world_group_setting(&world, "g", "share.session.timeout.ms", "60000");
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.response.heartbeat_interval_ms, HEARTBEAT_MS);
	world_pass(&world, 59999);
	assert_int_equal(describe(&world).members_count, 1);
	world_pass(&world, 1);
	assert_int_equal(describe(&world).members_count, 0);
	world_fini(&world);
}

/* --- Subscriptions and topics --------------------------------------------- */

static void
subscriptions_change(void **state UNUSED)
{
	struct kp_share_group_heartbeat_request request;
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 1);
	world_topic(&world, "u", 2);
	client_init(&a, &world, "a", "t");
	settle(&a);
	a.topics[0] = "u";
	request = request_of(&a, a.epoch);
	fill_names(&a, &request);
	assert_int_equal(send(&a, &request), KP_NONE);
	/* What is not subscribed to any more is gone at once. */
	assert_string_equal(a.assigned, "");
	world_pass(&world, INTERVAL_MS);
	assert_int_equal(beat(&a), KP_NONE);
	world_pass(&world, INTERVAL_MS);
	assert_int_equal(beat(&a), KP_NONE);
	assert_string_equal(a.assigned, "2:0,1");
	world_fini(&world);
}

static void
topics_come_grow_and_go(void **state UNUSED)
{
	struct client a;
	struct world world;

	world_init(&world);
	client_init(&a, &world, "a", "t");
	settle(&a);
	assert_int_equal(world.persists_count, 0);
	world_topic(&world, "t", 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(beat(&a), KP_NONE);
		world_pass(&world, INTERVAL_MS);
	}
	assert_int_equal(beat(&a), KP_NONE);
	assert_string_equal(a.assigned, "1:0");
	world_topic(&world, "t", 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(beat(&a), KP_NONE);
		world_pass(&world, INTERVAL_MS);
	}
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(world.persists_count, 2);
	assert_int_equal(world.persisted_count, 1);
	assert_int_equal(world.persisted_calls[0].key.partition, 1);
	assert_string_equal(a.assigned, "1:0,1");
	world_drop_topic(&world, "t");
	assert_int_equal(beat(&a), KP_NONE);
	world_pass(&world, INTERVAL_MS);
	assert_int_equal(beat(&a), KP_NONE);
	assert_string_equal(a.assigned, "");
	/* Another topic of that name is another topic. */
	world_topic(&world, "t", 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(beat(&a), KP_NONE);
		world_pass(&world, INTERVAL_MS);
	}
	assert_int_equal(world.persists_count, 3);
	assert_string_equal(a.assigned, "3:0");
	world_fini(&world);
}

/* --- Initialising --------------------------------------------------------- */

static void
what_fails_is_tried_again(void **state UNUSED)
{
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 1);
	client_init(&a, &world, "a", "t");
	world.persister_error = KP_NOT_COORDINATOR;
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(world.persists_count, 1);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(world.persists_count, 2);
	world.persister_error = KP_NONE;
	settle(&a);
	assert_int_equal(world.persists_count, 3);
	assert_string_equal(a.assigned, "1:0");
	world_fini(&world);
}

static void
what_is_lost_is_tried_again(void **state UNUSED)
{
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 1);
	client_init(&a, &world, "a", "t");
	world.persister_silent = true;
	assert_int_equal(join(&a), KP_NONE);
	world_pass(&world, RETRY_MS - 1);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(world.persists_count, 1);
	world_pass(&world, 1);
	world.persister_silent = false;
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(world.persists_count, 2);
	assert_int_equal(beat(&a), KP_NONE);
	assert_string_equal(a.assigned, "1:0");
	world_fini(&world);
}

/* --- Administration ------------------------------------------------------- */

static void
a_group_is_deleted_with_its_state(void **state UNUSED)
{
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	assert_int_equal(delete_group(&world), KP_GROUP_ID_NOT_FOUND);
	settle(&a);
	assert_int_equal(delete_group(&world), KP_NON_EMPTY_GROUP);
	assert_int_equal(leave(&a), KP_NONE);
	world.persister_error = KP_COORDINATOR_NOT_AVAILABLE;
	assert_int_equal(delete_group(&world), KP_COORDINATOR_NOT_AVAILABLE);
	assert_int_equal(describe(&world).error_code, KP_NONE);
	/* What is to be forgotten still is. */
	world.persister_error = KP_NONE;
	assert_int_equal(delete_group(&world), KP_NONE);
	assert_int_equal(world.persisted, SHARE_STATE_DELETE);
	assert_int_equal(world.persisted_count, 2);
	assert_int_equal(describe(&world).error_code, KP_GROUP_ID_NOT_FOUND);
	assert_int_equal(world.shard.groups.count, 0);
	world_restart(&world);
	assert_int_equal(world.shard.groups.count, 0);
	world_fini(&world);
}

static void
offsets_are_altered(void **state UNUSED)
{
	struct offsets o;
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 2);
	assert_int_equal(alter(&world, offsets_of(&o, "t", 3)), KP_NONE);
	assert_int_equal(o.partitions[0].error, KP_NONE);
	assert_int_equal(
	    o.partitions[2].error, KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(world.persisted, SHARE_STATE_INITIALIZE);
	assert_int_equal(world.persisted_count, 2);
	assert_int_equal(world.persisted_calls[1].start_offset, 101);
	assert_int_equal(world.persisted_calls[1].state_epoch, 1);
	/* That has made the group. */
	assert_int_equal(describe(&world).error_code, KP_NONE);
	assert_int_equal(describe(&world).group_epoch, 1);
	assert_int_equal(alter(&world, offsets_of(&o, "no", 1)), KP_NONE);
	assert_int_equal(
	    o.partitions[0].error, KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(world.persists_count, 1);
	world.persister_error = KP_NOT_COORDINATOR;
	assert_int_equal(alter(&world, offsets_of(&o, "t", 1)), KP_NONE);
	assert_int_equal(o.partitions[0].error, KP_NOT_COORDINATOR);
	world.persister_error = KP_NONE;
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_string_equal(a.assigned, "1:0,1");
	assert_int_equal(
	    alter(&world, offsets_of(&o, "t", 1)), KP_NON_EMPTY_GROUP);
	world_fini(&world);
}

static void
topics_are_forgotten(void **state UNUSED)
{
	struct offsets o;
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 2);
	world_topic(&world, "u", 1);
	client_init(&a, &world, "a", "t");
	assert_int_equal(
	    forget(&world, offsets_of(&o, "t", 0)), KP_GROUP_ID_NOT_FOUND);
	settle(&a);
	assert_int_equal(
	    forget(&world, offsets_of(&o, "t", 0)), KP_NON_EMPTY_GROUP);
	assert_int_equal(leave(&a), KP_NONE);
	assert_int_equal(forget(&world, offsets_of(&o, "u", 0)), KP_NONE);
	assert_int_equal(o.topic.error, KP_UNKNOWN_TOPIC_OR_PARTITION);
	world.persister_error = KP_NOT_COORDINATOR;
	assert_int_equal(forget(&world, offsets_of(&o, "t", 0)), KP_NONE);
	assert_int_equal(o.topic.error, KP_NOT_COORDINATOR);
	/* It is among those that are to be: tried again, it is. */
	world.persister_error = KP_NONE;
	assert_int_equal(forget(&world, offsets_of(&o, "t", 0)), KP_NONE);
	assert_int_equal(o.topic.error, KP_NONE);
	assert_int_equal(world.persisted, SHARE_STATE_DELETE);
	assert_int_equal(world.persisted_count, 2);
	assert_int_equal(forget(&world, offsets_of(&o, "t", 0)), KP_NONE);
	assert_int_equal(o.topic.error, KP_UNKNOWN_TOPIC_OR_PARTITION);
	world_fini(&world);
}

/* --- Other kinds ---------------------------------------------------------- */

static enum kp_error
commit(struct world *world, const char *group)
{
	struct group_offset offset = { .offset = 1, .leader_epoch = -1 };
	struct group_topic topic = {
		.name = slice_str("t"),
		.offsets = &offset,
		.offsets_count = 1,
	};
	struct group_commit commit = {
		.group_id = slice_str(group),
		.generation_id = -1,
		.member_id = slice_str(""),
		.retention_ms = -1,
		.topics = &topic,
		.topics_count = 1,
	};
	struct client client;

	client_init(&client, world, "c", NULL);
	group_shard_commit(&world->shard, begin(&client), &commit);
	return end(&client);
}

static enum kp_error
join_classic(struct world *world)
{
	struct kp_join_group_response response;
	struct kp_join_group_request request;
	struct kp_join_group_request_protocol protocol = {
		.name = slice_str("range"),
		.metadata = slice_str(""),
	};
	struct client client;

	kp_defaults(&kp_join_group_request, &request);
	kp_defaults(&kp_join_group_response, &response);
	request.group_id = slice_str("g");
	request.session_timeout_ms = 10000;
	request.rebalance_timeout_ms = 10000;
	request.protocol_type = slice_str("consumer");
	request.protocols = &protocol;
	request.protocols_count = 1;
	client_init(&client, world, "c", NULL);
	group_shard_join(&world->shard, begin(&client), &request, &response);
	return end(&client);
}

static int32_t
listed(struct world *world, const char *type, const char *state)
{
	struct slice types[] = { slice_str(type) };
	struct slice states[] = { slice_str(state) };
	const struct kp_list_groups_request request = {
		.types_filter = types,
		.types_filter_count = type != NULL,
		.states_filter = states,
		.states_filter_count = state != NULL,
	};
	struct group_list list = { 0 };
	struct client client;

	client_init(&client, world, "c", NULL);
	group_shard_list(&world->shard, &begin(&client)->call, &world->arena,
	    group_filter_of(&request), &list);
	assert_int_equal(end(&client), KP_NONE);
	if (list.count > 0)
		assert_true(slice_equal_str(
		    list.groups[0].protocol_type, "share"));
	return list.count;
}

static void
a_group_is_of_one_kind(void **state UNUSED)
{
	struct kp_describe_groups_response_group out = { 0 };
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 1);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join_classic(&world), KP_INCONSISTENT_GROUP_PROTOCOL);
	assert_int_equal(commit(&world, "g"), KP_GROUP_ID_NOT_FOUND);
	assert_int_equal(listed(&world, "Share", NULL), 1);
	assert_int_equal(listed(&world, "share", "stable"), 1);
	assert_int_equal(listed(&world, "share", "empty"), 0);
	assert_int_equal(listed(&world, "consumer", NULL), 0);
	assert_int_equal(listed(&world, NULL, NULL), 1);
	assert_int_equal(leave(&a), KP_NONE);
	assert_int_equal(join_classic(&world), KP_INCONSISTENT_GROUP_PROTOCOL);
	assert_int_equal(listed(&world, "share", "empty"), 1);
	group_shard_describe(
	    &world.shard, begin(&a), slice_str("g"), &out);
	assert_true(slice_equal_str(out.group_state, "Dead"));
	assert_int_equal(delete_group(&world), KP_NONE);
	/* And the other way round, also where nobody is in it. */
	assert_int_equal(commit(&world, "g"), KP_NONE);
	assert_int_equal(join(&a), KP_GROUP_ID_NOT_FOUND);
	assert_int_equal(leave(&a), KP_GROUP_ID_NOT_FOUND);
	assert_int_equal(describe(&world).error_code, KP_GROUP_ID_NOT_FOUND);
	world_fini(&world);
}

/* --- Records -------------------------------------------------------------- */

/* What can be seen of the group and what is known of its partitions. */
static void
picture(struct world *world, struct buf *out)
{
	struct kp_share_group_describe_response_group group = describe(world);
	struct kp_share_group_describe_response response = {
		.groups = &group,
		.groups_count = 1,
	};
	const struct group *of = group_find(&world->shard, slice_str("g"));
	const struct share_partitions *known = &of->share->partitions;
	const struct consumer_assignment *sets[] = { &known->initializing,
		&known->initialized, &known->deleting };

	struct output encoded;

	output_init(&encoded, &world->arena);
	assert_int_equal(kp_encode(&kp_share_group_describe_response, 1,
			     &response, &encoded),
	    0);
	for (int32_t i = 0; i < encoded.count; i++)
		assert_int_equal(buf_append(out, encoded.pieces[i].data,
				     encoded.pieces[i].len),
		    0);
	for (size_t i = 0; i < COUNT_OF(sets); i++)
		if (sets[i]->count > 0)
			assert_int_equal(
			    buf_append(out, sets[i]->partitions,
				(size_t)sets[i]->count *
				    sizeof(*sets[i]->partitions)),
			    0);
	assert_int_equal(buf_append(out, &of->share->metadata_hash, 8), 0);
	assert_int_equal(buf_append(out, &of->share->target_ms, 8), 0);
}

static void
a_log_says_it_all(void **state UNUSED)
{
	struct client clients[2];
	struct buf before, after;
	struct world world;

	world_init(&world);
	buf_init(&before, SIZE_MAX);
	buf_init(&after, SIZE_MAX);
	world_topic(&world, "t", 3);
	world_topic(&world, "u", 2);
	client_init(&clients[0], &world, "a", "t");
	client_init(&clients[1], &world, "b", "u");
	clients[1].topics[1] = "t";
	settle(&clients[0]);
	settle(&clients[1]);
	world_topic(&world, "u", 3);
	world.persister_silent = true;
	assert_int_equal(beat(&clients[0]), KP_NONE);
	picture(&world, &before);
	world_restart(&world);
	picture(&world, &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	/* Members go on, and their sessions have begun anew. */
	assert_int_equal(beat(&clients[0]), KP_NONE);
	assert_int_equal(beat(&clients[1]), KP_NONE);
	world_pass(&world, SESSION_MS);
	assert_int_equal(describe(&world).members_count, 0);
	buf_fini(&before);
	buf_fini(&after);
	world_fini(&world);
}

/* An append that fails changes nothing, and asks for nothing. */
static void
nothing_happens_that_is_not_written(void **state UNUSED)
{
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 1);
	client_init(&a, &world, "a", "t");
	world.log.append_error = KP_NOT_LEADER_OR_FOLLOWER;
	assert_int_equal(join(&a), KP_NOT_COORDINATOR);
	assert_int_equal(world.persists_count, 0);
	assert_int_equal(world.shard.groups.count, 0);
	world.log.append_error = KP_NONE;
	settle(&a);
	assert_int_equal(leave(&a), KP_NONE);
	world.log.append_error = KP_NOT_LEADER_OR_FOLLOWER;
	assert_int_equal(delete_group(&world), KP_NOT_COORDINATOR);
	world.log.append_error = KP_NONE;
	assert_int_equal(delete_group(&world), KP_NONE);
	world_fini(&world);
}

/* The share coordinator is asked when the record is safe, and not before. */
static void
what_is_asked_is_committed(void **state UNUSED)
{
	struct client a;
	struct world world;

	world_init(&world);
	world_topic(&world, "t", 1);
	client_init(&a, &world, "a", "t");
	world.log.holds_back = true;
	{
		struct kp_share_group_heartbeat_request request =
		    request_of(&a, SHARE_EPOCH_JOIN);

		fill_names(&a, &request);
		kp_defaults(&kp_share_group_heartbeat_response, &a.response);
		group_shard_share_heartbeat(
		    &world.shard, begin(&a), &request, &a.response);
	}
	assert_true(a.pending);
	assert_int_equal(world.persists_count, 0);
	world_commit(&world);
	assert_false(a.pending);
	assert_int_equal(world.persists_count, 1);
	world_fini(&world);
}

/* --- Whatever happens ----------------------------------------------------- */

#define RANDOM_CLIENTS 6

/* It is made, grows, or is deleted. */
static void
change_topic(struct world *world, const char *name, struct rng *rng)
{
	const struct topic_image *topic =
	    group_image_topic(world->image, slice_str(name));
	int32_t count = topic == NULL ? 0 : topic->partitions_count;

	topic_image_unref(topic);
	if (count > 5)
		world_drop_topic(world, name);
	else
		world_topic(
		    world, name, count + 1 + (int32_t)rng_below(rng, 3));
}

static void
random_step(struct world *world, struct client *clients, struct rng *rng)
{
	struct client *client = &clients[rng_below(rng, RANDOM_CLIENTS)];
	struct offsets o;

	world->persister_error = rng_below(rng, 4) == 0 ?
	    KP_COORDINATOR_NOT_AVAILABLE :
	    KP_NONE;
	switch (rng_below(rng, 9)) {
	case 0:
		client->topics[0] = rng_below(rng, 2) == 0 ? "t" : "u";
		client->topics[1] = rng_below(rng, 2) == 0 ? "u" : NULL;
		(void)join(client);
		break;
	case 1:
		(void)leave(client);
		break;
	case 2:
		change_topic(world, rng_below(rng, 2) == 0 ? "t" : "u", rng);
		break;
	case 3:
		world_restart(world);
		break;
	case 4:
		(void)delete_group(world);
		(void)alter(world, offsets_of(&o, "t", 2));
		(void)forget(world, offsets_of(&o, "u", 1));
		break;
	default:
		world_pass(world, (int64_t)rng_below(rng, 8000));
		(void)beat(client);
	}
}

/* At rest every member has what it is to have, and that is initialised. */
static void
check_rest(struct world *world, struct client *clients)
{
	const struct group *group;

	world->persister_error = KP_NONE;
	for (int64_t passed = 0; passed <= 2 * RETRY_MS;
	    passed += HEARTBEAT_MS) {
		world_pass(world, HEARTBEAT_MS);
		for (int c = 0; c < RANDOM_CLIENTS; c++)
			(void)beat(&clients[c]);
	}
	group = group_find(&world->shard, slice_str("g"));
	if (group == NULL || share_group_count(group->share) == 0)
		return;
	assert_int_equal(group->share->epoch, group->share->target_epoch);
	LIST_FOR_EACH (node, &group->share->members) {
		const struct share_member *member =
		    LIST_ENTRY(node, struct share_member, node);

		assert_true(consumer_assignment_within(&member->assigned,
		    &group->share->partitions.initialized));
	}
}

static void
random_groups(void **state UNUSED)
{
	struct client clients[RANDOM_CLIENTS];
	struct world world;
	struct rng rng;

	for (uint64_t seed = 0; seed < 150; seed++) {
		rng_init(&rng, seed);
		world_init(&world);
		for (int i = 0; i < RANDOM_CLIENTS; i++) {
			char id[] = { (char)('a' + i), '\0' };

			client_init(&clients[i], &world, id, "t");
		}
		for (int step = 0; step < 120; step++)
			random_step(&world, clients, &rng);
		check_rest(&world, clients);
		world_fini(&world);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_member_waits_for_the_partitions),
		cmocka_unit_test(a_target_has_its_time),
		cmocka_unit_test(members_share_partitions),
		cmocka_unit_test(epochs_are_checked),
		cmocka_unit_test(requests_make_sense),
		cmocka_unit_test(a_group_may_be_full),
		cmocka_unit_test(a_silent_member_is_out),
		cmocka_unit_test(groups_have_settings),
		cmocka_unit_test(subscriptions_change),
		cmocka_unit_test(topics_come_grow_and_go),
		cmocka_unit_test(what_fails_is_tried_again),
		cmocka_unit_test(what_is_lost_is_tried_again),
		cmocka_unit_test(a_group_is_deleted_with_its_state),
		cmocka_unit_test(offsets_are_altered),
		cmocka_unit_test(topics_are_forgotten),
		cmocka_unit_test(a_group_is_of_one_kind),
		cmocka_unit_test(a_log_says_it_all),
		cmocka_unit_test(nothing_happens_that_is_not_written),
		cmocka_unit_test(what_is_asked_is_committed),
		cmocka_unit_test(random_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
