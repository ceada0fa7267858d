/*
 * Consumer groups (KIP-848) on a shard whose log is in memory and whose clock
 * is stepped.  Random members against what must always hold are in
 * tests/sim/test_group_sim.
 */
#include "unit/group_world.h"
#include "unit/unit.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "coord/consumer_group.c"
#include "coord/consumer_heartbeat.h"
#include "coord/consumer_offsets.h"
#include "coord/consumer_record.h"
#include "wire/codec.h"
#include "wire/generated/consumer_group_describe.h"
#include "wire/generated/consumer_group_heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/list_groups.h"

#define HEARTBEAT_MS 5000
#define SESSION_MS 45000

/* --- A member ------------------------------------------------------------ */

#define OWNED_COUNT_MAX 64

/* A consumer, which owns what it is told to. */
struct client {
	struct world *world;
	struct group_call call;
	bool pending;
	char id[40];
	const char *instance;  /* NULL: dynamic */
	const char *topics[4]; /* up to the first NULL */
	const char *regex;     /* NULL: not said */
	const char *assignor;
	int32_t rebalance_ms;
	int32_t epoch;
	struct consumer_partition owned_partitions[OWNED_COUNT_MAX];
	struct consumer_assignment owned;
	struct kp_consumer_group_heartbeat_response response;
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
	client->rebalance_ms = 30000;
	client->owned.partitions = client->owned_partitions;
}

static void
begin(struct client *client)
{
	assert_false(client->pending);
	memset(&client->call, 0, sizeof(client->call));
	client->call.call.done = on_done;
	client->call.arena = &client->world->arena;
	client->call.version = 1;
	client->call.principal = PRINCIPAL_ANONYMOUS;
	client->call.client_id = slice_str("client");
	client->call.client_host = slice_str("/127.0.0.1");
	client->pending = true;
}

static void
fill_names(
    struct client *client, struct kp_consumer_group_heartbeat_request *request)
{
	struct slice *names =
	    arena_xcalloc(&client->world->arena, 4, sizeof(*names));

	request->subscribed_topic_names = names;
	for (int i = 0; i < 4 && client->topics[i] != NULL; i++)
		names[request->subscribed_topic_names_count++] =
		    slice_str(client->topics[i]);
}

static void
fill_owned(
    struct client *client, struct kp_consumer_group_heartbeat_request *request)
{
	const struct consumer_assignment *set = &client->owned;
	struct arena *arena = &client->world->arena;

	request->topic_partitions = arena_xcalloc(
	    arena, (size_t)set->count + 1, sizeof(*request->topic_partitions));
	request->topic_partitions_count = set->count;
	for (int32_t i = 0; i < set->count; i++) {
		request->topic_partitions[i].topic_id =
		    set->partitions[i].topic_id;
		request->topic_partitions[i].partitions =
		    &set->partitions[i].partition;
		request->topic_partitions[i].partitions_count = 1;
	}
}

/* What the answer assigns is owned from now on, and nothing else. */
static void
take_assignment(struct client *client)
{
	const struct kp_consumer_group_heartbeat_response_assignment *given =
	    client->response.assignment;

	if (given == NULL)
		return;
	client->owned.count = 0;
	for (int32_t t = 0; t < given->topic_partitions_count; t++)
		for (int32_t i = 0;
		    i < given->topic_partitions[t].partitions_count; i++) {
			assert_true(client->owned.count < OWNED_COUNT_MAX);
			consumer_assignment_add(&client->owned,
			    given->topic_partitions[t].topic_id,
			    given->topic_partitions[t].partitions[i], 0);
		}
	consumer_assignment_sort(&client->owned);
}

static enum kp_error
send(struct client *client, struct kp_consumer_group_heartbeat_request *request)
{
	const struct consumer_settings *settings =
	    &client->world->settings.consumer;
	enum kp_error error;

	begin(client);
	kp_defaults(&kp_consumer_group_heartbeat_response, &client->response);
	error = consumer_heartbeat_check(request, client->call.version,
	    settings, &client->world->arena, &client->response.error_message);
	if (error != KP_NONE) {
		client->pending = false;
		return error;
	}
	group_shard_consumer_heartbeat(
	    &client->world->shard, &client->call, request, &client->response);
	assert_false(client->pending);
	if (client->call.call.error != KP_NONE)
		return client->call.call.error;
	client->epoch = client->response.member_epoch;
	take_assignment(client);
	return KP_NONE;
}

static struct kp_consumer_group_heartbeat_request
request_of(struct client *client, int32_t epoch)
{
	struct kp_consumer_group_heartbeat_request request;

	kp_defaults(&kp_consumer_group_heartbeat_request, &request);
	request.group_id = slice_str("g");
	request.member_id = slice_str(client->id);
	request.member_epoch = epoch;
	request.instance_id = slice_str(client->instance);
	return request;
}

static enum kp_error
join(struct client *client)
{
	struct kp_consumer_group_heartbeat_request request =
	    request_of(client, CONSUMER_EPOCH_JOIN);

	client->owned.count = 0;
	request.rebalance_timeout_ms = client->rebalance_ms;
	request.subscribed_topic_regex = slice_str(client->regex);
	request.server_assignor = slice_str(client->assignor);
	request.subscribed_topic_names_count = 0;
	fill_names(client, &request);
	request.topic_partitions_count = 0;
	fill_owned(client, &request);
	return send(client, &request);
}

/* A heartbeat that says what it owns, as after a change. */
static enum kp_error
beat(struct client *client)
{
	struct kp_consumer_group_heartbeat_request request =
	    request_of(client, client->epoch);

	fill_owned(client, &request);
	return send(client, &request);
}

/* One that says nothing. */
static enum kp_error
beat_silently(struct client *client)
{
	struct kp_consumer_group_heartbeat_request request =
	    request_of(client, client->epoch);

	return send(client, &request);
}

static enum kp_error
subscribe(struct client *client, const char *topic)
{
	struct kp_consumer_group_heartbeat_request request =
	    request_of(client, client->epoch);

	client->topics[0] = topic;
	request.subscribed_topic_names_count = 0;
	fill_names(client, &request);
	return send(client, &request);
}

static enum kp_error
leave(struct client *client, int32_t epoch)
{
	struct kp_consumer_group_heartbeat_request request =
	    request_of(client, epoch);

	return send(client, &request);
}

static struct consumer_group *
group_of(struct world *world)
{
	struct group *group = group_find(&world->shard, slice_str("g"));

	return group == NULL ? NULL : group->consumer;
}

static void
owns(const struct client *client, int32_t count)
{
	assert_int_equal(client->owned.count, count);
}

/* --- Joining ------------------------------------------------------------- */

static void
one_member_gets_all(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world_topic(&world, "t", 3);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.epoch, 2);
	assert_int_equal(a.response.heartbeat_interval_ms, HEARTBEAT_MS);
	owns(&a, 3);
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_null(a.response.assignment);
	assert_string_equal(consumer_group_state(group_of(&world)), "Stable");
	world_fini(&world);
}

/* Nobody subscribes to anything that exists: the epoch is the first. */
static void
who_names_nothing_gets_nothing(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a", NULL);
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.epoch, 1);
	owns(&a, 0);
	world_fini(&world);
}

/* A steady heartbeat writes nothing. */
static void
a_steady_member_costs_no_records(void **state UNUSED)
{
	struct world world;
	struct client a;
	int appends;

	world_init(&world);
	world_topic(&world, "t", 3);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	appends = world.log.appends_count;
	for (int i = 0; i < 20; i++) {
		world_pass(&world, HEARTBEAT_MS);
		assert_int_equal(beat_silently(&a), KP_NONE);
	}
	assert_int_equal(world.log.appends_count, appends);
	world_fini(&world);
}

/*
 * A second member within the interval of assignments gets an empty share, and
 * what the first gives up only when that has said so.
 */
static void
partitions_move_once_they_are_given_up(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	world_topic(&world, "t", 4);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(b.epoch, 2);
	owns(&b, 0);
	assert_string_equal(
	    consumer_group_state(group_of(&world)), "Assigning");
	world_pass(&world, 1000);
	assert_int_equal(beat_silently(&b), KP_NONE);
	assert_int_equal(b.epoch, 3);
	owns(&b, 0);
	assert_string_equal(
	    consumer_group_state(group_of(&world)), "Reconciling");
	/* It is told to own two, and still has its epoch. */
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(a.epoch, 2);
	owns(&a, 2);
	assert_int_equal(beat(&b), KP_NONE);
	owns(&b, 0);
	/* It owns two only: the others are free. */
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	assert_int_equal(beat_silently(&b), KP_NONE);
	owns(&b, 2);
	assert_false(consumer_assignment_meet(&a.owned, &b.owned));
	assert_string_equal(consumer_group_state(group_of(&world)), "Stable");
	world_fini(&world);
}

/* --- Epochs -------------------------------------------------------------- */

static void
epochs_fence(void **state UNUSED)
{
	struct world world;
	struct client a, lost;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	a.epoch = 1;
	assert_int_equal(beat_silently(&a), KP_GROUP_ID_NOT_FOUND);
	assert_int_equal(join(&a), KP_NONE);
	a.epoch = 3;
	assert_int_equal(beat_silently(&a), KP_FENCED_MEMBER_EPOCH);
	a.epoch = 1;
	assert_int_equal(beat_silently(&a), KP_FENCED_MEMBER_EPOCH);
	client_init(&lost, &world, "b", "t");
	lost.epoch = 2;
	assert_int_equal(beat_silently(&lost), KP_UNKNOWN_MEMBER_ID);
	world_fini(&world);
}

/* The answer with the new epoch was lost: the old one is taken once more. */
static void
a_lost_answer_is_given_again(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	world_pass(&world, 1000);
	world_topic(&world, "t", 4);
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	owns(&a, 4);
	a.epoch = 2;
	a.owned.count = 2;
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	a.epoch = 2;
	assert_int_equal(beat_silently(&a), KP_FENCED_MEMBER_EPOCH);
	world_fini(&world);
}

/* Joining anew changes nothing, and gives all of the assignment. */
static void
a_member_may_join_again(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.epoch, 2);
	owns(&a, 2);
	world_fini(&world);
}

/* --- Leaving ------------------------------------------------------------- */

static void
what_a_member_had_goes_to_others(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(leave(&a, CONSUMER_EPOCH_LEAVE), KP_NONE);
	assert_int_equal(a.response.member_epoch, -1);
	world_pass(&world, 1000);
	assert_int_equal(beat_silently(&b), KP_NONE);
	owns(&b, 2);
	assert_int_equal(leave(&b, CONSUMER_EPOCH_LEAVE), KP_NONE);
	assert_string_equal(consumer_group_state(group_of(&world)), "Empty");
	assert_int_equal(group_of(&world)->topics.count, 0);
	assert_int_equal(group_of(&world)->owners.count, 0);
	world_fini(&world);
}

static void
who_is_not_heard_of_is_out(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	assert_int_equal(join(&a), KP_NONE);
	world_pass(&world, SESSION_MS - 1);
	assert_int_equal(join(&b), KP_NONE);
	world_pass(&world, 1);
	assert_int_equal(beat_silently(&a), KP_UNKNOWN_MEMBER_ID);
	world_pass(&world, 1000);
	assert_int_equal(beat_silently(&b), KP_NONE);
	owns(&b, 2);
	world_fini(&world);
}

/* Who does not give up what it has to within its time is out. */
static void
revoking_takes_no_longer_than_it_may(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	a.rebalance_ms = 7000;
	assert_int_equal(join(&a), KP_NONE);
	world_pass(&world, 1000);
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(beat_silently(&a), KP_NONE);
	world_pass(&world, 6999);
	assert_int_equal(beat_silently(&a), KP_NONE);
	world_pass(&world, 1);
	assert_int_equal(beat_silently(&a), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(beat_silently(&b), KP_NONE);
	owns(&b, 2);
	world_fini(&world);
}

/* A leave that cannot be written down is tried again. */
static void
an_expired_session_survives_a_full_disk(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	world.log.append_error = KP_KAFKA_STORAGE_ERROR;
	world_pass(&world, SESSION_MS + 10);
	assert_int_equal(consumer_group_count(group_of(&world)), 1);
	world.log.append_error = KP_NONE;
	world_pass(&world, 500);
	assert_int_equal(consumer_group_count(group_of(&world)), 0);
	world_fini(&world);
}

/* What cannot be written down has not happened. */
static void
a_failed_append_changes_nothing(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	world.log.append_error = KP_KAFKA_STORAGE_ERROR;
	assert_int_equal(join(&a), KP_NOT_COORDINATOR);
	assert_null(group_of(&world));
	world.log.append_error = KP_NONE;
	assert_int_equal(join(&a), KP_NONE);
	world.log.append_error = KP_KAFKA_STORAGE_ERROR;
	assert_int_equal(join(&b), KP_NOT_COORDINATOR);
	assert_int_equal(consumer_group_count(group_of(&world)), 1);
	assert_int_equal(group_of(&world)->epoch, 2);
	world_fini(&world);
}

/* --- Static members ------------------------------------------------------ */

static void
static_members_come_back(void **state UNUSED)
{
	struct world world;
	struct client a, again;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	client_init(&again, &world, "z", "t");
	a.instance = again.instance = "i";
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&again), KP_UNRELEASED_INSTANCE_ID);
	assert_int_equal(leave(&a, CONSUMER_EPOCH_AWAY), KP_NONE);
	assert_int_equal(consumer_group_count(group_of(&world)), 1);
	assert_int_equal(join(&again), KP_NONE);
	assert_int_equal(again.epoch, 2);
	owns(&again, 2);
	assert_int_equal(beat_silently(&a), KP_FENCED_INSTANCE_ID);
	assert_int_equal(leave(&a, CONSUMER_EPOCH_AWAY), KP_FENCED_INSTANCE_ID);
	assert_int_equal(consumer_group_count(group_of(&world)), 1);
	world_fini(&world);
}

static void
static_members_that_stay_away_are_out(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	a.instance = "i";
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(leave(&a, CONSUMER_EPOCH_AWAY), KP_NONE);
	world_pass(&world, SESSION_MS);
	assert_int_equal(consumer_group_count(group_of(&world)), 0);
	world_fini(&world);
}

/* --- Topics -------------------------------------------------------------- */

static void
topics_come_grow_and_go(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	owns(&a, 0);
	world_pass(&world, 1000);
	world_topic(&world, "t", 1);
	assert_int_equal(beat_silently(&a), KP_NONE);
	owns(&a, 1);
	world_pass(&world, 1000);
	world_topic(&world, "t", 3);
	assert_int_equal(beat_silently(&a), KP_NONE);
	owns(&a, 3);
	world_pass(&world, 1000);
	world_drop_topic(&world, "t");
	assert_int_equal(beat_silently(&a), KP_NONE);
	owns(&a, 0);
	assert_int_equal(beat(&a), KP_NONE);
	/* One of the same name is another topic. */
	world_pass(&world, 1000);
	world_topic(&world, "t", 2);
	assert_int_equal(beat_silently(&a), KP_NONE);
	owns(&a, 2);
	world_fini(&world);
}

/* What it does not subscribe to any more is taken from it at once. */
static void
subscriptions_change(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world_topic(&world, "t", 2);
	world_topic(&world, "u", 3);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(subscribe(&a, "u"), KP_NONE);
	owns(&a, 0);
	assert_int_equal(a.epoch, 2);
	world_pass(&world, 1000);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	owns(&a, 3);
	world_fini(&world);
}

/* --- Regular expressions ------------------------------------------------- */

static void
expressions_are_resolved_behind_the_heartbeat(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world_topic(&world, "t-1", 2);
	world_topic(&world, "other", 2);
	client_init(&a, &world, "a", NULL);
	a.regex = "t-.*";
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.epoch, 1);
	owns(&a, 0);
	assert_true(world_resolve(&world));
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(a.epoch, 2);
	owns(&a, 2);
	/* A new topic matches, but not before ten seconds have passed. */
	world_topic(&world, "t-2", 1);
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_false(world_resolve(&world));
	world_pass(&world, 10000);
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_true(world_resolve(&world));
	assert_int_equal(beat_silently(&a), KP_NONE);
	owns(&a, 3);
	world_restart(&world);
	assert_int_equal(beat(&a), KP_NONE);
	owns(&a, 3);
	assert_int_equal(leave(&a, CONSUMER_EPOCH_LEAVE), KP_NONE);
	assert_int_equal(group_of(&world)->regexes.count, 0);
	world_fini(&world);
}

/* What it was to own goes to those who still subscribe to it. */
static void
an_expression_may_turn_out_to_match_nothing(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	world_topic(&world, "t", 4);
	client_init(&a, &world, "a", NULL);
	client_init(&b, &world, "b", "t");
	a.regex = "t.*";
	assert_int_equal(join(&a), KP_NONE);
	assert_true(world_resolve(&world));
	world_pass(&world, 10000);
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	owns(&a, 2);
	a.regex = "u.*";
	assert_int_equal(join(&a), KP_NONE);
	owns(&a, 0);
	assert_true(world_resolve(&world));
	assert_int_equal(beat(&a), KP_NONE);
	world_pass(&world, 1000);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(beat(&b), KP_NONE);
	owns(&b, 4);
	world_fini(&world);
}

static void
what_is_no_expression_makes_no_group(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, "a", NULL);
	a.regex = "t(";
	assert_int_equal(join(&a), KP_INVALID_REGULAR_EXPRESSION);
	assert_false(slice_is_null(a.response.error_message));
	assert_null(group_of(&world));
	world_fini(&world);
}

/* --- Requests ------------------------------------------------------------ */

static void
senseless_requests_are_refused(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	client_init(&a, &world, " ", "t");
	assert_int_equal(join(&a), KP_INVALID_REQUEST);
	client_init(&a, &world, "a", "t");
	a.rebalance_ms = -1;
	assert_int_equal(join(&a), KP_INVALID_REQUEST);
	client_init(&a, &world, "a", "t");
	a.instance = "";
	assert_int_equal(join(&a), KP_INVALID_REQUEST);
	client_init(&a, &world, "a", "t");
	assert_int_equal(leave(&a, -3), KP_INVALID_REQUEST);
	assert_int_equal(leave(&a, CONSUMER_EPOCH_AWAY), KP_INVALID_REQUEST);
	a.assignor = "mine";
	assert_int_equal(join(&a), KP_UNSUPPORTED_ASSIGNOR);
	a.assignor = "range";
	assert_int_equal(join(&a), KP_NONE);
	world_fini(&world);
}

static void
groups_are_no_larger_than_they_may_be(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	world.settings.consumer.members_max = 1;
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_GROUP_MAX_SIZE_REACHED);
	assert_int_equal(beat_silently(&a), KP_NONE);
	world_fini(&world);
}

/* Their memory is bounded, too. */
static void
members_take_no_more_memory_than_there_is(void **state UNUSED)
{
	struct world world;
	struct client a;
	char id[40];
	int joined = 0;

	world_init(&world);
	world.memory.max = 64 * 1024;
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "member-%d", i);
		client_init(&a, &world, id, "t");
		if (join(&a) == KP_NONE)
			joined++;
		else
			assert_int_equal(
			    a.call.call.error, KP_GROUP_MAX_SIZE_REACHED);
	}
	assert_true(joined > 10 && joined < 64);
	world_fini(&world);
}

static void
groups_have_settings_of_their_own(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world_topic(&world, "t", 1);
	client_init(&a, &world, "a", "t");
	world_group_setting(
	    &world, "g", "consumer.heartbeat.interval.ms", "6000");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.response.heartbeat_interval_ms, 6000);
	/* Outside of what the broker allows it is the next that is. */
	world_group_setting(
	    &world, "g", "consumer.heartbeat.interval.ms", "99000");
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(a.response.heartbeat_interval_ms, 15000);
	world_group_setting(
	    &world, "g", "consumer.session.timeout.ms", "50000");
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(a.response.heartbeat_interval_ms, HEARTBEAT_MS);
	world_pass(&world, 49999);
	assert_int_equal(consumer_group_count(group_of(&world)), 1);
	world_pass(&world, 1);
	assert_int_equal(consumer_group_count(group_of(&world)), 0);
	world_fini(&world);
}

/* --- The classic protocol ------------------------------------------------- */

static enum kp_error
join_classic(struct client *client)
{
	struct kp_join_group_request request;
	struct kp_join_group_response response;
	struct kp_join_group_request_protocol protocol = {
		.name = slice_str("range"),
		.metadata = slice_str("meta"),
	};

	kp_defaults(&kp_join_group_request, &request);
	kp_defaults(&kp_join_group_response, &response);
	request.group_id = slice_str("g");
	request.session_timeout_ms = 10000;
	request.rebalance_timeout_ms = 10000;
	request.protocol_type = slice_str("consumer");
	request.protocols = &protocol;
	request.protocols_count = 1;
	begin(client);
	client->call.version = 9;
	group_shard_join(
	    &client->world->shard, &client->call, &request, &response);
	assert_false(client->pending);
	return client->call.call.error;
}

/* One kind of group takes another's place when that has no members. */
static void
kinds_of_groups_exclude_each_other(void **state UNUSED)
{
	struct group *group;
	struct world world;
	struct client a, classic;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	client_init(&classic, &world, "classic", NULL);
	/* A group with members does not change; see test_group_migration.c. */
	world.settings.consumer.upgrades = false;
	world.settings.consumer.downgrades = false;
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(
	    join_classic(&classic), KP_INCONSISTENT_GROUP_PROTOCOL);
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(leave(&a, CONSUMER_EPOCH_LEAVE), KP_NONE);
	assert_int_equal(join_classic(&classic), KP_MEMBER_ID_REQUIRED);
	group = group_find(&world.shard, slice_str("g"));
	assert_non_null(group);
	assert_null(group->consumer);
	world_restart(&world);
	group = group_find(&world.shard, slice_str("g"));
	assert_non_null(group);
	assert_null(group->consumer);
	/* And back. */
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(consumer_group_count(group_of(&world)), 1);
	world_restart(&world);
	assert_int_equal(consumer_group_count(group_of(&world)), 1);
	world_fini(&world);
}

/* --- Offsets ------------------------------------------------------------- */

static void
start_commit(struct client *client, const char *id, int32_t epoch,
    struct uuid topic_id, int32_t partition, int16_t version)
{
	struct group_offset offset = { .partition = partition, .offset = 7 };
	struct group_topic topic = {
		.name = slice_str("t"),
		.id = topic_id,
		.known = true,
		.offsets = &offset,
		.offsets_count = 1,
	};
	struct group_commit commit = {
		.group_id = slice_str("g"),
		.generation_id = epoch,
		.member_id = slice_str(id),
		.retention_ms = -1,
		.topics = &topic,
		.topics_count = 1,
	};

	begin(client);
	client->call.version = version;
	group_shard_commit(&client->world->shard, &client->call, &commit);
}

static enum kp_error
commit_by(struct client *client, const char *id, int32_t epoch,
    struct uuid topic_id, int32_t partition, int16_t version)
{
	start_commit(client, id, epoch, topic_id, partition, version);
	assert_false(client->pending);
	return client->call.call.error;
}

/* The same in a transaction, by someone who may be nobody. */
static enum kp_error
check_txn_commit(struct world *world, const char *id, int32_t epoch)
{
	const struct shard_transaction transaction = { .producer_id = 1 };
	const struct group_commit commit = {
		.group_id = slice_str("g"),
		.generation_id = epoch,
		.member_id = slice_str(id),
		.transaction = &transaction,
	};

	return consumer_check_commit(group_of(world), &commit, 5);
}

static enum kp_error
fetch_by(struct client *client, const char *id, int32_t epoch, int64_t *found)
{
	struct group_offset offset = { .partition = 0 };
	struct group_topic topic = {
		.name = slice_str("t"),
		.offsets = &offset,
		.offsets_count = 1,
	};
	struct group_fetch fetch = {
		.group_id = slice_str("g"),
		.member_id = slice_str(id),
		.member_epoch = epoch,
		.topics = &topic,
		.topics_count = 1,
	};

	begin(client);
	group_shard_fetch(&client->world->shard, &client->call, &fetch);
	*found = offset.offset;
	return client->call.call.error;
}

static void
offsets_are_the_members(void **state UNUSED)
{
	struct world world;
	struct client a, b;
	struct uuid t;
	int64_t found;

	world_init(&world);
	t = world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(commit_by(&b, "b", 2, t, 0, 9), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(commit_by(&b, "", -1, t, 0, 9), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(
	    commit_by(&b, "a", 2, t, 0, 8), KP_UNSUPPORTED_VERSION);
	assert_int_equal(commit_by(&b, "a", 3, t, 0, 9), KP_STALE_MEMBER_EPOCH);
	assert_int_equal(commit_by(&b, "a", 2, t, 0, 9), KP_NONE);
	assert_int_equal(fetch_by(&b, "a", 2, &found), KP_NONE);
	assert_int_equal(found, 7);
	assert_int_equal(fetch_by(&b, "a", 1, &found), KP_STALE_MEMBER_EPOCH);
	assert_int_equal(fetch_by(&b, "b", 2, &found), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(fetch_by(&b, NULL, -1, &found), KP_NONE);
	assert_int_equal(check_txn_commit(&world, "", -1), KP_NONE);
	assert_int_equal(check_txn_commit(&world, "a", 2), KP_NONE);
	assert_int_equal(
	    check_txn_commit(&world, "b", 2), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(
	    check_txn_commit(&world, "a", 3), KP_ILLEGAL_GENERATION);
	/* Of an epoch behind: what it has had since then, and nothing else. */
	world_pass(&world, 1000);
	world_topic(&world, "t", 3);
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	assert_int_equal(commit_by(&b, "a", 2, t, 0, 9), KP_NONE);
	assert_int_equal(commit_by(&b, "a", 2, t, 2, 9), KP_STALE_MEMBER_EPOCH);
	assert_int_equal(commit_by(&b, "a", 1, t, 0, 9), KP_STALE_MEMBER_EPOCH);
	assert_int_equal(leave(&a, CONSUMER_EPOCH_LEAVE), KP_NONE);
	assert_int_equal(commit_by(&b, "", -1, t, 0, 9), KP_NONE);
	world_fini(&world);
}

/* Others' commits may take their time: a member lives on meanwhile. */
static void
heartbeats_do_not_wait_for_the_disk(void **state UNUSED)
{
	struct world world;
	struct client a, b;
	struct uuid t;

	world_init(&world);
	t = world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	assert_int_equal(join(&a), KP_NONE);
	world.log.holds_back = true;
	start_commit(&b, "a", 2, t, 0, 9);
	assert_true(b.pending);
	assert_int_equal(beat_silently(&a), KP_NONE);
	world_commit(&world);
	assert_false(b.pending);
	world_fini(&world);
}

/* Nor do the topics that expressions match take more than there is. */
static void
expressions_take_no_more_memory_than_there_is(void **state UNUSED)
{
	struct world world;
	struct client a;
	char name[16];

	world_init(&world);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "t-%d", i);
		world_topic(&world, name, 1);
	}
	world.memory.max = 8 * 1024;
	client_init(&a, &world, "a", NULL);
	a.regex = "t-.*";
	assert_int_equal(join(&a), KP_NONE);
	assert_true(world_resolve(&world));
	assert_int_equal(beat_silently(&a), KP_NONE);
	owns(&a, 0);
	assert_true(world.memory.used < world.memory.max);
	world_fini(&world);
}

/* --- Administration ------------------------------------------------------ */

static void
groups_are_described_and_deleted(void **state UNUSED)
{
	struct kp_consumer_group_describe_response_group out;
	struct world world;
	struct client a, admin;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	client_init(&admin, &world, "admin", NULL);
	assert_int_equal(join(&a), KP_NONE);
	kp_defaults_struct(
	    &kp_consumer_group_describe_response_group_struct, &out);
	begin(&admin);
	group_shard_consumer_describe(
	    &world.shard, &admin.call, slice_str("g"), &out);
	assert_int_equal(out.error_code, KP_NONE);
	assert_true(slice_equal_str(out.group_state, "Stable"));
	assert_true(slice_equal_str(out.assignor_name, "uniform"));
	assert_int_equal(out.group_epoch, 2);
	assert_int_equal(out.members_count, 1);
	assert_int_equal(out.members[0].member_type, 1);
	assert_int_equal(
	    out.members[0].assignment.topic_partitions[0].partitions_count, 2);
	begin(&admin);
	group_shard_consumer_describe(
	    &world.shard, &admin.call, slice_str("nix"), &out);
	assert_int_equal(out.error_code, KP_GROUP_ID_NOT_FOUND);
	begin(&admin);
	group_shard_delete(&world.shard, &admin.call, slice_str("g"));
	assert_int_equal(admin.call.call.error, KP_NON_EMPTY_GROUP);
	assert_int_equal(leave(&a, CONSUMER_EPOCH_LEAVE), KP_NONE);
	begin(&admin);
	group_shard_delete(&world.shard, &admin.call, slice_str("g"));
	assert_int_equal(admin.call.call.error, KP_NONE);
	assert_null(group_of(&world));
	world_restart(&world);
	assert_null(group_of(&world));
	world_fini(&world);
}

/* An empty group goes with its last offset, that is at the next check. */
static void
empty_groups_expire(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world_topic(&world, "t", 2);
	client_init(&a, &world, "a", "t");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(leave(&a, CONSUMER_EPOCH_LEAVE), KP_NONE);
	world_pass(&world, world.settings.retention_check_ms);
	assert_null(group_of(&world));
	world_fini(&world);
}

/* --- Restarts ------------------------------------------------------------ */

static void
a_restart_finds_all_of_it(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	world_init(&world);
	world_topic(&world, "t", 4);
	client_init(&a, &world, "a", "t");
	client_init(&b, &world, "b", "t");
	a.instance = "i";
	assert_int_equal(join(&a), KP_NONE);
	world_pass(&world, 1000);
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(beat_silently(&a), KP_NONE);
	owns(&a, 2);
	/* In the middle of a rebalance. */
	world_restart(&world);
	assert_int_equal(beat(&b), KP_NONE);
	owns(&b, 0);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	assert_int_equal(beat(&b), KP_NONE);
	owns(&b, 2);
	world_restart(&world);
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(beat_silently(&b), KP_NONE);
	world_pass(&world, SESSION_MS);
	assert_int_equal(consumer_group_count(group_of(&world)), 0);
	world_fini(&world);
}

/* A record that is damaged fails the load, and nothing worse. */
static void
damaged_records_are_refused(void **state UNUSED)
{
	static const uint8_t key[] = { 0, 1, 'g', 0, 1, 'a' };
	static const int16_t types[] = { 3, 4, 5, 6, 7, 8, 16 };
	uint8_t value[64];
	struct world world;
	struct rng rng;

	world_init(&world);
	rng_init(&rng, 1);
	for (int i = 0; i < 20000; i++) {
		size_t len = rng_below(&rng, sizeof(value));
		struct shard_record record = {
			.type = types[rng_below(&rng, COUNT_OF(types))],
			.key = slice_of(key, rng_below(&rng, sizeof(key) + 1)),
			.value = rng_below(&rng, 8) == 0 ? SLICE_NULL :
							   slice_of(value, len),
		};
		int result;

		rng_bytes(&rng, value, len);
		if (len >= 2)
			value[0] = value[1] = 0;
		result = consumer_record_replay(&world.shard, &record);
		assert_true(result == 0 || result == -1);
	}
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_member_gets_all),
		cmocka_unit_test(who_names_nothing_gets_nothing),
		cmocka_unit_test(a_steady_member_costs_no_records),
		cmocka_unit_test(partitions_move_once_they_are_given_up),
		cmocka_unit_test(epochs_fence),
		cmocka_unit_test(a_lost_answer_is_given_again),
		cmocka_unit_test(a_member_may_join_again),
		cmocka_unit_test(what_a_member_had_goes_to_others),
		cmocka_unit_test(who_is_not_heard_of_is_out),
		cmocka_unit_test(revoking_takes_no_longer_than_it_may),
		cmocka_unit_test(an_expired_session_survives_a_full_disk),
		cmocka_unit_test(a_failed_append_changes_nothing),
		cmocka_unit_test(static_members_come_back),
		cmocka_unit_test(static_members_that_stay_away_are_out),
		cmocka_unit_test(topics_come_grow_and_go),
		cmocka_unit_test(subscriptions_change),
		cmocka_unit_test(expressions_are_resolved_behind_the_heartbeat),
		cmocka_unit_test(an_expression_may_turn_out_to_match_nothing),
		cmocka_unit_test(what_is_no_expression_makes_no_group),
		cmocka_unit_test(senseless_requests_are_refused),
		cmocka_unit_test(groups_are_no_larger_than_they_may_be),
		cmocka_unit_test(members_take_no_more_memory_than_there_is),
		cmocka_unit_test(groups_have_settings_of_their_own),
		cmocka_unit_test(kinds_of_groups_exclude_each_other),
		cmocka_unit_test(offsets_are_the_members),
		cmocka_unit_test(heartbeats_do_not_wait_for_the_disk),
		cmocka_unit_test(
		    expressions_take_no_more_memory_than_there_is),
		cmocka_unit_test(groups_are_described_and_deleted),
		cmocka_unit_test(empty_groups_expire),
		cmocka_unit_test(a_restart_finds_all_of_it),
		cmocka_unit_test(damaged_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
