/*
 * Streams groups (KIP-1071) on a shard whose log is in memory and whose clock
 * is stepped: scenarios, and random members against what must always hold.
 */
#include "unit/group_world.h"
#include "unit/unit.h"

#include <stdio.h>

#include "base/rng.h"
#include "coord/streams_group.c"
#include "coord/streams_heartbeat.h"
#include "coord/streams_offsets.h"
#include "coord/streams_record.h"
#include "wire/codec.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/join_group.h"
#include "wire/generated/list_groups.h"
#include "wire/generated/streams_group_describe.h"
#include "wire/generated/streams_group_heartbeat.h"

#define HEARTBEAT_MS 5000
#define SESSION_MS 45000
#define DELAY_MS 3000

/* --- A member ------------------------------------------------------------ */

#define OWNED_COUNT_MAX 64

/* A thread of an application, which has what it is told to. */
struct client {
	struct world *world;
	struct group_call call;
	bool pending;
	char id[16];
	char process[16];
	const char *host; /* of its endpoint, or NULL */
	int32_t topology_epoch;
	int32_t parts_count; /* subtopologies that it knows of */
	int32_t epoch;
	int32_t endpoint_epoch;
	bool shuts_down;
	struct streams_task tasks[STREAMS_KINDS][OWNED_COUNT_MAX];
	struct streams_assignment owned;
	struct kp_streams_group_heartbeat_response response;
	struct group_streams_result result;
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
    const char *process)
{
	memset(client, 0, sizeof(*client));
	client->world = world;
	snprintf(client->id, sizeof(client->id), "%s", id);
	snprintf(client->process, sizeof(client->process), "%s", process);
	client->parts_count = 1;
	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		client->owned.kinds[kind].tasks = client->tasks[kind];
}

static void
begin(struct client *client)
{
	assert_false(client->pending);
	memset(&client->call, 0, sizeof(client->call));
	client->call.call.done = on_done;
	client->call.arena = &client->world->arena;
	client->call.principal = PRINCIPAL_ANONYMOUS;
	client->call.client_id = slice_str("client");
	client->call.client_host = slice_str("/127.0.0.1");
	client->pending = true;
}

/* What the answer assigns is owned from now on, and nothing else. */
static void
take_kind(struct client *client, enum streams_kind kind,
    const struct kp_streams_group_heartbeat_response_task_ids *parts,
    int32_t count)
{
	struct streams_tasks *set = &client->owned.kinds[kind];

	set->count = 0;
	for (int32_t i = 0; i < count; i++)
		for (int32_t p = 0; p < parts[i].partitions_count; p++) {
			assert_true(set->count < OWNED_COUNT_MAX);
			streams_tasks_add(set, parts[i].subtopology_id,
			    parts[i].partitions[p], 0);
		}
	streams_tasks_sort(set);
}

static void
take_tasks(struct client *client)
{
	const struct kp_streams_group_heartbeat_response *response =
	    &client->response;

	if (response->active_tasks == NULL)
		return;
	take_kind(client, STREAMS_ACTIVE, response->active_tasks,
	    response->active_tasks_count);
	take_kind(client, STREAMS_STANDBY, response->standby_tasks,
	    response->standby_tasks_count);
	assert_int_equal(response->warmup_tasks_count, 0);
}

static enum kp_error
send(struct client *client, struct kp_streams_group_heartbeat_request *request)
{
	enum kp_error error;

	begin(client);
	kp_defaults(&kp_streams_group_heartbeat_response, &client->response);
	client->result = (struct group_streams_result){
		.response = &client->response,
	};
	error = streams_heartbeat_check(
	    request, &client->world->arena, &client->response.error_message);
	if (error != KP_NONE) {
		client->pending = false;
		return error;
	}
	group_shard_streams_heartbeat(
	    &client->world->shard, &client->call, request, &client->result);
	assert_false(client->pending);
	if (client->call.call.error != KP_NONE)
		return client->call.call.error;
	client->epoch = client->response.member_epoch;
	client->endpoint_epoch = client->response.endpoint_information_epoch;
	take_tasks(client);
	return KP_NONE;
}

static struct kp_streams_group_heartbeat_request
request_of(struct client *client, int32_t epoch)
{
	struct kp_streams_group_heartbeat_request request;

	kp_defaults(&kp_streams_group_heartbeat_request, &request);
	request.group_id = slice_str("g");
	request.member_id = slice_str(client->id);
	request.member_epoch = epoch;
	request.endpoint_information_epoch = client->endpoint_epoch;
	request.shutdown_application = client->shuts_down;
	return request;
}

/* 0 reads "in", has a changelog, and writes "rep", which 1 reads. */
static struct kp_streams_group_heartbeat_request_topology *
topology_of(struct client *client)
{
	static struct slice in = SLICE_LITERAL("in");
	static struct slice rep = SLICE_LITERAL("rep");
	struct arena *arena = &client->world->arena;
	struct kp_streams_group_heartbeat_request_topology *topology =
	    arena_xcalloc(arena, 1, sizeof(*topology));
	struct kp_streams_group_heartbeat_request_subtopology *parts =
	    arena_xcalloc(arena, 2, sizeof(*parts));
	struct kp_streams_group_heartbeat_request_topic_info *topics =
	    arena_xcalloc(arena, 2, sizeof(*topics));

	topology->epoch = client->topology_epoch;
	topology->subtopologies = parts;
	topology->subtopologies_count = client->parts_count;
	topics[0].name = slice_str("log");
	topics[1].name = rep;
	parts[0].subtopology_id = slice_str("0");
	parts[0].source_topics = &in;
	parts[0].source_topics_count = 1;
	parts[0].state_changelog_topics = &topics[0];
	parts[0].state_changelog_topics_count = 1;
	parts[0].repartition_sink_topics = &rep;
	parts[0].repartition_sink_topics_count = client->parts_count - 1;
	parts[1].subtopology_id = slice_str("1");
	parts[1].repartition_source_topics = &topics[1];
	parts[1].repartition_source_topics_count = 1;
	return topology;
}

static struct kp_streams_group_heartbeat_request
join_request(struct client *client)
{
	struct kp_streams_group_heartbeat_request request =
	    request_of(client, STREAMS_EPOCH_JOIN);
	struct kp_streams_group_heartbeat_request_endpoint *endpoint;

	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		client->owned.kinds[kind].count = 0;
	request.rebalance_timeout_ms = 30000;
	request.topology = topology_of(client);
	request.process_id = slice_str(client->process);
	request.active_tasks_count = 0;
	request.standby_tasks_count = 0;
	request.warmup_tasks_count = 0;
	request.client_tags_count = 0;
	if (client->host != NULL) {
		endpoint =
		    arena_xcalloc(&client->world->arena, 1, sizeof(*endpoint));
		endpoint->host = slice_str(client->host);
		endpoint->port = 80;
		request.user_endpoint = endpoint;
	}
	return request;
}

static enum kp_error
join(struct client *client)
{
	struct kp_streams_group_heartbeat_request request =
	    join_request(client);

	return send(client, &request);
}

static struct kp_streams_group_heartbeat_request_task_ids *
owned_of(struct client *client, enum streams_kind kind, int32_t *count)
{
	struct arena *arena = &client->world->arena;
	const struct streams_tasks *set = &client->owned.kinds[kind];
	struct kp_streams_group_heartbeat_request_task_ids *parts =
	    arena_xcalloc(arena, (size_t)set->count + 1, sizeof(*parts));

	*count = 0;
	for (int32_t i = 0, run; i < set->count; i += run) {
		run = streams_tasks_run(set, i);
		parts[*count].subtopology_id = set->tasks[i].subtopology;
		parts[*count].partitions =
		    streams_tasks_partitions(arena, set, i, run);
		parts[(*count)++].partitions_count = run;
	}
	return parts;
}

/* A heartbeat that says what it has, as after a change. */
static enum kp_error
beat(struct client *client)
{
	struct kp_streams_group_heartbeat_request request =
	    request_of(client, client->epoch);

	request.active_tasks =
	    owned_of(client, STREAMS_ACTIVE, &request.active_tasks_count);
	request.standby_tasks =
	    owned_of(client, STREAMS_STANDBY, &request.standby_tasks_count);
	request.warmup_tasks_count = 0;
	return send(client, &request);
}

static enum kp_error
beat_silently(struct client *client)
{
	struct kp_streams_group_heartbeat_request request =
	    request_of(client, client->epoch);

	return send(client, &request);
}

static enum kp_error
leave(struct client *client)
{
	struct kp_streams_group_heartbeat_request request =
	    request_of(client, STREAMS_EPOCH_LEAVE);

	return send(client, &request);
}

/* Joins an application that assigns at once, whose topics are there. */
static void
begin_world(struct world *world, int32_t partitions)
{
	world_init(world);
	world->settings.streams.rebalance_delay_ms = 0;
	world->settings.streams.assignment_interval_ms = 0;
	world_topic(world, "in", partitions);
	world_topic(world, "log", partitions);
}

static void
has(const struct client *client, int32_t active, int32_t standby)
{
	assert_int_equal(client->owned.kinds[STREAMS_ACTIVE].count, active);
	assert_int_equal(client->owned.kinds[STREAMS_STANDBY].count, standby);
}

/* Its statuses, as digits. */
static void
told(const struct client *client, const char *codes)
{
	char text[8] = "";

	for (int32_t i = 0; i < client->response.status_count; i++)
		text[i] = (char)('0' + client->response.status[i].status_code);
	assert_string_equal(text, codes);
}

static struct streams_group *
group_of(struct world *world)
{
	struct group *group = group_find(&world->shard, slice_str("g"));

	return group == NULL ? NULL : group->streams;
}

static void
state_is(struct world *world, const char *state)
{
	assert_string_equal(streams_group_state(group_of(world)), state);
}

/* --- Joining ------------------------------------------------------------- */

static void
one_member_gets_all(void **state UNUSED)
{
	struct world world;
	struct client a;
	int appends;

	begin_world(&world, 3);
	client_init(&a, &world, "a", "p");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.epoch, 2);
	assert_int_equal(a.response.heartbeat_interval_ms, HEARTBEAT_MS);
	told(&a, "");
	has(&a, 3, 0);
	state_is(&world, "Stable");
	/* A steady member costs no records, and is told nothing twice. */
	appends = world.log.appends_count;
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_null(a.response.active_tasks);
	assert_int_equal(world.log.appends_count, appends);
	world_fini(&world);
}

static void
an_empty_group_waits_for_others(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 4);
	world.settings.streams.rebalance_delay_ms = DELAY_MS;
	group_image_timing_changed(world.image);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.epoch, 1);
	told(&a, "5");
	has(&a, 0, 0);
	world_pass(&world, 1000);
	assert_int_equal(join(&b), KP_NONE);
	told(&b, "5");
	state_is(&world, "Assigning");
	world_pass(&world, DELAY_MS);
	/* Nobody had to ask for the target. */
	state_is(&world, "Reconciling");
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(beat_silently(&b), KP_NONE);
	told(&a, "");
	has(&a, 2, 0);
	has(&b, 2, 0);
	assert_int_equal(a.epoch, 3);
	state_is(&world, "Stable");
	world_fini(&world);
}

static void
targets_are_not_made_too_often(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 4);
	world.settings.streams.assignment_interval_ms = 1000;
	group_image_timing_changed(world.image);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_NONE);
	told(&b, "5");
	has(&b, 0, 0);
	world_pass(&world, 1000);
	assert_int_equal(beat(&b), KP_NONE);
	told(&b, "");
	assert_int_equal(group_of(&world)->target_epoch, 3);
	world_fini(&world);
}

/* --- Topics -------------------------------------------------------------- */

static void
topics_have_to_be_there(void **state UNUSED)
{
	struct world world;
	struct client a;

	world_init(&world);
	world.settings.streams.rebalance_delay_ms = 0;
	world.settings.streams.assignment_interval_ms = 0;
	client_init(&a, &world, "a", "p");
	a.parts_count = 2;
	assert_int_equal(join(&a), KP_NONE);
	told(&a, "1");
	assert_int_equal(a.result.missing_count, 0);
	state_is(&world, "NotReady");
	world_topic(&world, "in", 3);
	assert_int_equal(beat_silently(&a), KP_NONE);
	told(&a, "3");
	assert_int_equal(a.result.missing_count, 2);
	assert_int_equal(a.result.missing[0].num_partitions, 3);
	assert_int_equal(a.result.missing[0].replication_factor, -1);
	world_topic(&world, "rep", 3);
	world_topic(&world, "log", 3);
	assert_int_equal(beat_silently(&a), KP_NONE);
	told(&a, "");
	has(&a, 6, 0);
	state_is(&world, "Stable");
	/* What is wider now than its repartition topic cannot go on. */
	world_topic(&world, "in", 5);
	assert_int_equal(beat_silently(&a), KP_NONE);
	told(&a, "2");
	assert_int_equal(a.result.missing_count, 0);
	world_drop_topic(&world, "in");
	assert_int_equal(beat_silently(&a), KP_NONE);
	told(&a, "1");
	world_fini(&world);
}

static void
topologies_do_not_change(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 2);
	world_topic(&world, "rep", 2);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	a.topology_epoch = 3;
	assert_int_equal(join(&a), KP_NONE);
	b.topology_epoch = 3;
	b.parts_count = 2;
	assert_int_equal(join(&b), KP_INVALID_REQUEST);
	assert_true(slice_equal_str(b.response.error_message,
	    "Topology updates are not supported yet."));
	b.topology_epoch = 4;
	b.parts_count = 1;
	assert_int_equal(join(&b), KP_INVALID_REQUEST);
	/* One that is older is taken, and told so. */
	b.topology_epoch = 2;
	b.parts_count = 2;
	assert_int_equal(join(&b), KP_NONE);
	told(&b, "0");
	assert_int_equal(group_of(&world)->topology->subtopologies_count, 1);
	b.topology_epoch = -1;
	assert_int_equal(join(&b), KP_UNKNOWN_SERVER_ERROR);
	world_fini(&world);
}

/* --- Reconciling --------------------------------------------------------- */

static void
tasks_move_once_they_are_given_up(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 4);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	has(&a, 4, 0);
	assert_int_equal(join(&b), KP_NONE);
	has(&b, 0, 0);
	assert_int_equal(b.epoch, 3);
	/* Told what to give up, it stays in its epoch until it says it has. */
	assert_int_equal(beat_silently(&a), KP_NONE);
	has(&a, 2, 0);
	assert_int_equal(a.epoch, 2);
	state_is(&world, "Reconciling");
	assert_int_equal(beat(&b), KP_NONE);
	has(&b, 0, 0);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	assert_int_equal(beat(&b), KP_NONE);
	has(&b, 2, 0);
	state_is(&world, "Stable");
	world_fini(&world);
}

static void
standbys_are_in_other_processes(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 2);
	world_group_setting(&world, "g", "streams.num.standby.replicas", "1");
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	has(&a, 2, 0);
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(beat(&b), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	has(&a, 1, 1);
	has(&b, 1, 1);
	state_is(&world, "Stable");
	/* The setting is one that a group can change while it runs. */
	world_group_setting(&world, "g", "streams.num.standby.replicas", NULL);
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	has(&a, 1, 0);
	world_fini(&world);
}

static void
epochs_fence(void **state UNUSED)
{
	struct world world;
	struct client a;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	assert_int_equal(join(&a), KP_NONE);
	a.epoch = 7;
	assert_int_equal(beat(&a), KP_FENCED_MEMBER_EPOCH);
	a.epoch = 1;
	assert_int_equal(beat(&a), KP_FENCED_MEMBER_EPOCH);
	/* A lost answer is given again to who has no more than it should. */
	a.epoch = 2;
	world_topic(&world, "rep", 1);
	assert_int_equal(beat(&a), KP_NONE);
	snprintf(a.id, sizeof(a.id), "nobody");
	assert_int_equal(beat(&a), KP_UNKNOWN_MEMBER_ID);
	snprintf(a.id, sizeof(a.id), "a");
	assert_int_equal(join(&a), KP_NONE);
	has(&a, 2, 0);
	assert_int_equal(a.epoch, 2);
	world_fini(&world);
}

static void
tasks_have_to_exist(void **state UNUSED)
{
	struct world world;
	struct client a;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	assert_int_equal(join(&a), KP_NONE);
	streams_tasks_add(&a.owned.kinds[STREAMS_ACTIVE], slice_str("0"), 2, 0);
	assert_int_equal(beat(&a), KP_INVALID_REQUEST);
	a.owned.kinds[STREAMS_ACTIVE].count--;
	streams_tasks_add(
	    &a.owned.kinds[STREAMS_STANDBY], slice_str("9"), 0, 0);
	assert_int_equal(beat(&a), KP_INVALID_REQUEST);
	assert_true(slice_equal_str(a.response.error_message,
	    "Subtopology 9 does not exist in the topology."));
	world_fini(&world);
}

/* --- Leaving ------------------------------------------------------------- */

static void
what_a_member_had_goes_to_others(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(beat(&b), KP_NONE);
	has(&b, 1, 0);
	assert_int_equal(leave(&a), KP_NONE);
	assert_int_equal(a.response.member_epoch, STREAMS_EPOCH_LEAVE);
	assert_int_equal(a.response.status_count, 0);
	assert_int_equal(beat(&b), KP_NONE);
	has(&b, 2, 0);
	assert_int_equal(leave(&a), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(leave(&b), KP_NONE);
	state_is(&world, "Empty");
	world_fini(&world);
}

static void
who_is_not_heard_of_is_out(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_NONE);
	for (int i = 0; i < 9; i++) {
		world_pass(&world, HEARTBEAT_MS);
		assert_int_equal(beat_silently(&b), KP_NONE);
	}
	assert_int_equal(streams_group_count(group_of(&world)), 1);
	assert_int_equal(beat_silently(&a), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(beat(&b), KP_NONE);
	has(&b, 2, 0);
	/* A disk that is full only delays it. */
	world.log.append_error = KP_KAFKA_STORAGE_ERROR;
	world_pass(&world, SESSION_MS);
	assert_int_equal(streams_group_count(group_of(&world)), 1);
	world.log.append_error = KP_NONE;
	world_pass(&world, 500);
	assert_int_equal(streams_group_count(group_of(&world)), 0);
	world_fini(&world);
}

static void
revoking_takes_no_longer_than_it_may(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(beat_silently(&a), KP_NONE);
	for (int i = 0; i < 6; i++) {
		world_pass(&world, HEARTBEAT_MS);
		assert_int_equal(beat_silently(&b), KP_NONE);
		(void)beat_silently(&a);
	}
	assert_int_equal(beat_silently(&a), KP_UNKNOWN_MEMBER_ID);
	world_fini(&world);
}

static void
an_application_shuts_down(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_NONE);
	a.shuts_down = true;
	assert_int_equal(leave(&a), KP_NONE);
	assert_int_equal(beat_silently(&b), KP_NONE);
	told(&b, "4");
	assert_int_equal(leave(&b), KP_NONE);
	a.shuts_down = false;
	assert_int_equal(join(&a), KP_NONE);
	told(&a, "");
	world_fini(&world);
}

/* --- Endpoints ----------------------------------------------------------- */

static void
members_know_who_has_what(void **state UNUSED)
{
	const struct kp_streams_group_heartbeat_response_endpoint_partitions
	    *found;
	struct world world;
	struct client a, b;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	a.host = "h";
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(b.response.partitions_by_user_endpoint_count, -1);
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(a.endpoint_epoch, 1);
	assert_int_equal(beat(&b), KP_NONE);
	assert_int_equal(b.endpoint_epoch, 1);
	assert_int_equal(b.response.partitions_by_user_endpoint_count, 1);
	assert_int_equal(beat(&b), KP_NONE);
	assert_int_equal(b.response.partitions_by_user_endpoint_count, -1);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(beat(&b), KP_NONE);
	has(&a, 1, 0);
	found = b.response.partitions_by_user_endpoint;
	assert_int_equal(b.response.partitions_by_user_endpoint_count, 1);
	assert_true(slice_equal_str(found->user_endpoint.host, "h"));
	assert_int_equal(found->active_partitions_count, 1);
	assert_true(slice_equal_str(found->active_partitions[0].topic, "in"));
	assert_int_equal(found->active_partitions[0].partitions_count, 1);
	assert_int_equal(found->standby_partitions_count, 0);
	world_fini(&world);
}

/* --- Requests ------------------------------------------------------------ */

static void
senseless_requests_are_refused(void **state UNUSED)
{
	struct kp_streams_group_heartbeat_request request;
	struct world world;
	struct client a;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
#define REFUSED(change, error)      \
	request = join_request(&a); \
	change;                     \
	assert_int_equal(send(&a, &request), error)
	REFUSED(request.instance_id = slice_str("i"), KP_INVALID_REQUEST);
	REFUSED(request.task_offsets_count = 0, KP_INVALID_REQUEST);
	REFUSED(request.task_end_offsets_count = 0, KP_INVALID_REQUEST);
	REFUSED(request.member_id = slice_str(" "), KP_INVALID_REQUEST);
	REFUSED(request.group_id = slice_str(""), KP_INVALID_REQUEST);
	REFUSED(request.rack_id = slice_str(""), KP_INVALID_REQUEST);
	REFUSED(request.rebalance_timeout_ms = -1, KP_INVALID_REQUEST);
	REFUSED(request.active_tasks_count = -1, KP_INVALID_REQUEST);
	REFUSED(request.warmup_tasks_count = -1, KP_INVALID_REQUEST);
	REFUSED(request.topology = NULL, KP_INVALID_REQUEST);
	REFUSED(request.member_epoch = -2, KP_INVALID_REQUEST);
	REFUSED(request.member_epoch = -3, KP_INVALID_REQUEST);
	REFUSED(request.member_epoch = 1, KP_INVALID_REQUEST);
	REFUSED(request.topology->subtopologies[0]
		    .state_changelog_topics[0]
		    .partitions = 3,
	    KP_STREAMS_INVALID_TOPOLOGY);
	REFUSED(request.topology->subtopologies[0].source_topic_regex_count = 1,
	    KP_INVALID_REQUEST);
	assert_null(group_of(&world));
	REFUSED((void)0, KP_NONE);
	request = request_of(&a, 2);
	request.active_tasks_count = 0;
	assert_int_equal(send(&a, &request), KP_INVALID_REQUEST);
	request = join_request(&a);
	request.member_epoch = 2;
	assert_int_equal(send(&a, &request), KP_INVALID_REQUEST);
#undef REFUSED
	world_fini(&world);
}

static void
groups_are_no_larger_than_they_may_be(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 2);
	world.settings.streams.members_max = 1;
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_GROUP_MAX_SIZE_REACHED);
	assert_int_equal(beat(&a), KP_NONE);
	world_fini(&world);
}

static void
members_take_no_more_memory_than_there_is(void **state UNUSED)
{
	struct world world;
	struct client a;
	size_t left;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	left = budget_left(&world.memory);
	budget_force(&world.memory, left - 512);
	assert_int_equal(join(&a), KP_GROUP_MAX_SIZE_REACHED);
	assert_null(group_of(&world));
	budget_give(&world.memory, left - 512);
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(leave(&a), KP_NONE);
	world_unload(&world);
	assert_int_equal(budget_left(&world.memory), left);
	world_load(&world);
	world_fini(&world);
}

/* --- Kinds of groups ----------------------------------------------------- */

static enum kp_error
join_classic(struct client *client)
{
	struct kp_join_group_request request;
	struct kp_join_group_response response;
	struct kp_join_group_request_protocol protocol = {
		.name = slice_str("stream"),
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

static void
kinds_of_groups_exclude_each_other(void **state UNUSED)
{
	struct world world;
	struct client a, old;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	client_init(&old, &world, "", "");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join_classic(&old), KP_INCONSISTENT_GROUP_PROTOCOL);
	assert_int_equal(leave(&a), KP_NONE);
	/* An empty one makes room for a classic group, also on disk. */
	assert_int_equal(join_classic(&old), KP_MEMBER_ID_REQUIRED);
	assert_null(group_of(&world));
	world_restart(&world);
	assert_null(group_of(&world));
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	world_fini(&world);
}

static void
a_group_of_another_kind_is_none(void **state UNUSED)
{
	struct world world;
	struct client a;
	struct group *group;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	a.epoch = 2;
	assert_int_equal(beat(&a), KP_GROUP_ID_NOT_FOUND);
	assert_true(slice_equal_str(
	    a.response.error_message, "Streams group g not found."));
	assert_int_equal(leave(&a), KP_GROUP_ID_NOT_FOUND);
	assert_true(
	    slice_equal_str(a.response.error_message, "Group g not found."));
	group = group_create(&world.shard, slice_str("g"));
	group_become_consumer(group);
	assert_int_equal(join(&a), KP_GROUP_ID_NOT_FOUND);
	assert_true(slice_equal_str(
	    a.response.error_message, "Group g is not a streams group."));
	world_fini(&world);
}

/* --- Offsets ------------------------------------------------------------- */

static enum kp_error
check_commit(struct world *world, const char *id, int32_t epoch,
    const char *name, int32_t partition, int16_t version)
{
	struct group_offset offset = { .partition = partition };
	struct group_topic topic = {
		.name = slice_str(name),
		.offsets = &offset,
		.offsets_count = 1,
	};
	const struct group_commit commit = {
		.group_id = slice_str("g"),
		.generation_id = epoch,
		.member_id = slice_str(id),
		.topics = &topic,
		.topics_count = 1,
	};

	return streams_check_commit(group_of(world), &commit, version);
}

static enum kp_error
check_fetch(struct world *world, const char *id, int32_t epoch)
{
	const struct group_fetch fetch = {
		.member_id = slice_str(id),
		.member_epoch = epoch,
	};

	return streams_check_fetch(group_of(world), &fetch);
}

static void
offsets_are_the_members(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(check_commit(&world, "a", 2, "in", 0, 9), KP_NONE);
	assert_int_equal(
	    check_commit(&world, "a", 2, "in", 0, 8), KP_UNSUPPORTED_VERSION);
	assert_int_equal(
	    check_commit(&world, "x", 2, "in", 0, 9), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(
	    check_commit(&world, "a", 3, "in", 0, 9), KP_STALE_MEMBER_EPOCH);
	assert_int_equal(
	    check_commit(&world, "", -1, "in", 0, 9), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(check_fetch(&world, "a", 2), KP_NONE);
	assert_int_equal(check_fetch(&world, "a", 1), KP_STALE_MEMBER_EPOCH);
	assert_int_equal(check_fetch(&world, "x", 1), KP_UNKNOWN_MEMBER_ID);
	assert_int_equal(check_fetch(&world, NULL, -1), KP_NONE);
	/* What it has had all along may be committed at the old epoch. */
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	has(&a, 1, 0);
	for (int32_t p = 0; p < 2; p++)
		assert_int_equal(check_commit(&world, "a", 2, "in", p, 9),
		    a.owned.kinds[STREAMS_ACTIVE].tasks[0].partition == p ?
			KP_NONE :
			KP_STALE_MEMBER_EPOCH);
	assert_int_equal(
	    check_commit(&world, "a", 2, "other", 0, 9), KP_STALE_MEMBER_EPOCH);
	assert_true(
	    streams_group_subscribes(group_of(&world), slice_str("in")));
	assert_false(
	    streams_group_subscribes(group_of(&world), slice_str("log")));
	world_fini(&world);
}

/* --- Administration ------------------------------------------------------ */

static int32_t
listed(struct world *world, const char *state, const char *type,
    struct group_list *list)
{
	struct slice states[] = { slice_str(state) };
	struct slice types[] = { slice_str(type) };
	struct kp_list_groups_request request;
	struct client admin;

	client_init(&admin, world, "admin", "");
	begin(&admin);
	kp_defaults(&kp_list_groups_request, &request);
	request.states_filter = states;
	request.states_filter_count = state != NULL;
	request.types_filter = types;
	request.types_filter_count = type != NULL;
	memset(list, 0, sizeof(*list));
	group_shard_list(&world->shard, &admin.call.call, &world->arena,
	    group_filter_of(&request), list);
	assert_false(admin.pending);
	return list->count;
}

static void
groups_are_listed(void **state UNUSED)
{
	struct group_list list;
	struct world world;
	struct client a;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(listed(&world, NULL, NULL, &list), 1);
	assert_true(slice_equal_str(list.groups[0].group_type, "streams"));
	assert_true(slice_equal_str(list.groups[0].protocol_type, "streams"));
	assert_true(slice_equal_str(list.groups[0].group_state, "Stable"));
	assert_int_equal(listed(&world, "stable", "Streams", &list), 1);
	assert_int_equal(listed(&world, NULL, "consumer", &list), 0);
	world_drop_topic(&world, "in");
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(listed(&world, "not_ready", NULL, &list), 1);
	assert_int_equal(listed(&world, "NotReady", NULL, &list), 0);
	world_fini(&world);
}

static void
groups_are_described_and_deleted(void **state UNUSED)
{
	struct kp_streams_group_describe_response_group out;
	struct world world;
	struct client a, admin;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	client_init(&admin, &world, "admin", "");
	a.host = "h";
	assert_int_equal(join(&a), KP_NONE);
	kp_defaults_struct(
	    &kp_streams_group_describe_response_group_struct, &out);
	begin(&admin);
	/* Until the second heartbeat the topology is as it was said. */
	group_shard_streams_describe(
	    &world.shard, &admin.call, slice_str("g"), &out);
	assert_int_equal(out.error_code, KP_NONE);
	assert_int_equal(
	    out.topology->subtopologies[0].state_changelog_topics[0].partitions,
	    0);
	assert_int_equal(beat(&a), KP_NONE);
	kp_defaults_struct(
	    &kp_streams_group_describe_response_group_struct, &out);
	begin(&admin);
	group_shard_streams_describe(
	    &world.shard, &admin.call, slice_str("g"), &out);
	assert_true(slice_equal_str(out.group_state, "Stable"));
	assert_int_equal(
	    out.topology->subtopologies[0].state_changelog_topics[0].partitions,
	    2);
	assert_int_equal(out.members_count, 1);
	assert_int_equal(
	    out.members[0].assignment.active_tasks[0].partitions_count, 2);
	assert_int_equal(out.members[0].user_endpoint->port, 80);
	begin(&admin);
	group_shard_streams_describe(
	    &world.shard, &admin.call, slice_str("nix"), &out);
	assert_int_equal(out.error_code, KP_GROUP_ID_NOT_FOUND);
	begin(&admin);
	group_shard_delete(&world.shard, &admin.call, slice_str("g"));
	assert_int_equal(admin.call.call.error, KP_NON_EMPTY_GROUP);
	assert_int_equal(leave(&a), KP_NONE);
	begin(&admin);
	group_shard_delete(&world.shard, &admin.call, slice_str("g"));
	assert_int_equal(admin.call.call.error, KP_NONE);
	assert_null(group_of(&world));
	world_restart(&world);
	assert_null(group_of(&world));
	world_fini(&world);
}

/* --- Restarts ------------------------------------------------------------ */

/* All that records say of the group, as text. */
static struct slice
tasks_text(struct arena *arena, const struct streams_tasks *set)
{
	struct slice text = slice_str("");

	for (int32_t i = 0; i < set->count; i++)
		text = arena_printf(arena, "%.*s %.*s-%d@%d", SLICE_ARG(text),
		    SLICE_ARG(set->tasks[i].subtopology),
		    set->tasks[i].partition, set->tasks[i].epoch);
	return text;
}

static struct slice
assignment_text(
    struct arena *arena, const struct streams_assignment *assignment)
{
	struct slice text = slice_str("");

	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		text = arena_printf(arena, "%.*s /%.*s", SLICE_ARG(text),
		    SLICE_ARG(tasks_text(arena, &assignment->kinds[kind])));
	return text;
}

static struct slice
group_text(struct world *world)
{
	struct arena *arena = &world->arena;
	const struct streams_group *streams = group_of(world);
	struct slice text;

	if (streams == NULL)
		return slice_str("none");
	text = arena_printf(arena, "%d %jd %d %d %jd %d\n", streams->epoch,
	    (intmax_t)streams->metadata_hash, streams->validated_epoch,
	    streams->target_epoch, (intmax_t)streams->target_ms,
	    streams->topology->subtopologies_count);
	LIST_FOR_EACH (node, &streams->members) {
		const struct streams_member *member =
		    LIST_ENTRY(node, struct streams_member, node);
		struct streams_assignment target =
		    streams_member_target(streams, member->id);

		text = arena_printf(arena,
		    "%.*s%.*s %.*s %d %d %d %d %.*s | %.*s | %.*s\n",
		    SLICE_ARG(text), SLICE_ARG(member->id),
		    SLICE_ARG(member->process_id), member->epoch,
		    member->previous_epoch, member->state,
		    member->topology_epoch,
		    SLICE_ARG(assignment_text(arena, &member->assigned)),
		    SLICE_ARG(assignment_text(arena, &member->revoking)),
		    SLICE_ARG(assignment_text(arena, &target)));
	}
	return text;
}

static void
restart_equal(struct world *world)
{
	struct slice before = group_text(world);

	world_restart(world);
	assert_true(slice_equal(group_text(world), before));
}

static void
a_restart_finds_all_of_it(void **state UNUSED)
{
	struct world world;
	struct client a, b;

	begin_world(&world, 4);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	assert_int_equal(join(&a), KP_NONE);
	assert_int_equal(join(&b), KP_NONE);
	assert_int_equal(beat_silently(&a), KP_NONE);
	has(&a, 2, 0);
	/* In the middle of a rebalance. */
	restart_equal(&world);
	assert_int_equal(beat(&b), KP_NONE);
	has(&b, 0, 0);
	assert_int_equal(beat(&a), KP_NONE);
	assert_int_equal(a.epoch, 3);
	assert_int_equal(beat(&b), KP_NONE);
	has(&b, 2, 0);
	restart_equal(&world);
	assert_int_equal(beat_silently(&a), KP_NONE);
	assert_int_equal(beat_silently(&b), KP_NONE);
	world_pass(&world, SESSION_MS);
	assert_int_equal(streams_group_count(group_of(&world)), 0);
	world_fini(&world);
}

/* A record that is damaged fails the load, and nothing worse. */
static void
damaged_records_are_refused(void **state UNUSED)
{
	static const uint8_t key[] = { 0, 1, 'g', 0, 1, 'a' };
	static const int16_t types[] = { 17, 19, 20, 21, 22, 23 };
	uint8_t value[96];
	struct world world;
	struct rng rng;

	world_init(&world);
	rng_init(&rng, 1);
	for (int i = 0; i < 40000; i++) {
		size_t len = rng_below(&rng, sizeof(value));
		struct shard_record record = {
			.type = types[rng_below(&rng, COUNT_OF(types))],
			.key = slice_of(key, rng_below(&rng, sizeof(key) + 1)),
			.value = rng_below(&rng, 8) == 0 ? SLICE_NULL :
							   slice_of(value, len),
		};
		int result;

		for (size_t at = 0; at < len; at++)
			value[at] = (uint8_t)rng_below(
			    &rng, rng_below(&rng, 4) == 0 ? 256 : 4);
		if (len >= 2)
			value[0] = value[1] = 0;
		result = streams_record_replay(&world.shard, &record);
		assert_true(result == 0 || result == -1);
		if (rng_below(&rng, 64) == 0 && group_of(&world) != NULL)
			(void)streams_group_state(group_of(&world));
	}
	world_fini(&world);
}

static void
a_failed_append_changes_nothing(void **state UNUSED)
{
	struct world world;
	struct client a, b;
	struct slice before;

	begin_world(&world, 2);
	client_init(&a, &world, "a", "p");
	client_init(&b, &world, "b", "q");
	world.log.append_error = KP_KAFKA_STORAGE_ERROR;
	assert_int_equal(join(&a), KP_NOT_COORDINATOR);
	assert_null(group_of(&world));
	world.log.append_error = KP_NONE;
	assert_int_equal(join(&a), KP_NONE);
	before = group_text(&world);
	world.log.append_error = KP_KAFKA_STORAGE_ERROR;
	assert_int_equal(join(&b), KP_NOT_COORDINATOR);
	assert_int_equal(leave(&a), KP_NOT_COORDINATOR);
	assert_true(slice_equal(group_text(&world), before));
	world.log.append_error = KP_NONE;
	assert_int_equal(join(&b), KP_NONE);
	world_fini(&world);
}

/* --- Random members ------------------------------------------------------ */

#define CLIENTS_COUNT 6

struct play {
	struct world world;
	struct rng rng;
	struct client clients[CLIENTS_COUNT];
	bool in[CLIENTS_COUNT];
};

/*
 * No active task belongs to two who are in the group and know it, and no
 * process has a task twice.
 */
static void
check_pair(const struct client *a, const struct client *b)
{
	const struct streams_tasks *x = a->owned.kinds;
	const struct streams_tasks *y = b->owned.kinds;

	assert_false(
	    streams_tasks_meet(&x[STREAMS_ACTIVE], &y[STREAMS_ACTIVE]));
	if (strcmp(a->process, b->process) != 0)
		return;
	assert_false(
	    streams_tasks_meet(&x[STREAMS_ACTIVE], &y[STREAMS_STANDBY]));
	assert_false(
	    streams_tasks_meet(&x[STREAMS_STANDBY], &y[STREAMS_ACTIVE]));
	assert_false(
	    streams_tasks_meet(&x[STREAMS_STANDBY], &y[STREAMS_STANDBY]));
}

static void
check_owners(struct play *play)
{
	for (int i = 0; i < CLIENTS_COUNT; i++) {
		const struct streams_tasks *own = play->clients[i].owned.kinds;

		assert_false(!play->in[i] && own[STREAMS_ACTIVE].count > 0);
		assert_false(streams_tasks_meet(
		    &own[STREAMS_ACTIVE], &own[STREAMS_STANDBY]));
		for (int j = 0; j < i; j++)
			if (play->in[i] && play->in[j])
				check_pair(
				    &play->clients[i], &play->clients[j]);
	}
}

static void
drop_all(struct play *play, int i)
{
	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		play->clients[i].owned.kinds[kind].count = 0;
	play->in[i] = false;
}

/* Fenced, or forgotten: it drops all that it has, and joins anew. */
static void
heed(struct play *play, int i, enum kp_error error)
{
	if (error == KP_NONE || error == KP_NOT_COORDINATOR)
		return;
	assert_true(error == KP_UNKNOWN_MEMBER_ID ||
	    error == KP_FENCED_MEMBER_EPOCH || error == KP_GROUP_ID_NOT_FOUND);
	drop_all(play, i);
}

static void
step(struct play *play)
{
	int i = (int)rng_below(&play->rng, CLIENTS_COUNT);
	struct client *client = &play->clients[i];

	/* Not so long that a session ends unseen by its member. */
	world_pass(&play->world, (int64_t)rng_below(&play->rng, 700));
	switch (rng_below(&play->rng, 16)) {
	case 0:
		if (play->in[i] && leave(client) == KP_NONE)
			drop_all(play, i);
		break;
	case 1:
		restart_equal(&play->world);
		break;
	case 2:
		world_group_setting(&play->world, "g",
		    "streams.num.standby.replicas",
		    rng_below(&play->rng, 2) == 0 ? "1" : "2");
		break;
	case 3:
		play->world.log.append_error = KP_KAFKA_STORAGE_ERROR;
		if (play->in[i])
			heed(play, i, beat(client));
		play->world.log.append_error = KP_NONE;
		break;
	default:
		if (play->in[i])
			heed(play, i, beat(client));
		else if (join(client) == KP_NONE)
			play->in[i] = true;
		break;
	}
	check_owners(play);
}

/* After a while without changes all have their share. */
static void
settle(struct play *play)
{
	int32_t active = 0, members = 0;

	for (int round = 0; round < 12; round++) {
		world_pass(&play->world, 1000);
		for (int i = 0; i < CLIENTS_COUNT; i++)
			if (play->in[i])
				heed(play, i, beat(&play->clients[i]));
		check_owners(play);
	}
	for (int i = 0; i < CLIENTS_COUNT; i++) {
		members += play->in[i];
		active += play->clients[i].owned.kinds[STREAMS_ACTIVE].count;
	}
	assert_int_equal(active, members == 0 ? 0 : 10);
	if (members > 0)
		state_is(&play->world, "Stable");
}

static void
play_seed(uint64_t seed)
{
	struct play play = { 0 };
	char id[8], process[8];

	world_init(&play.world);
	rng_init(&play.rng, seed);
	world_topic(&play.world, "in", 5);
	world_topic(&play.world, "log", 5);
	world_topic(&play.world, "rep", 5);
	for (int i = 0; i < CLIENTS_COUNT; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		snprintf(process, sizeof(process), "p%d", i / 2);
		client_init(&play.clients[i], &play.world, id, process);
		play.clients[i].parts_count = 2;
		play.clients[i].host = i == 0 ? "h" : NULL;
	}
	for (int i = 0; i < 150; i++)
		step(&play);
	settle(&play);
	world_fini(&play.world);
}

/* KLAMM_SEEDS=N plays N of them, KLAMM_SEED=N only that one. */
static void
random_members(void **state UNUSED)
{
	const char *one = getenv("KLAMM_SEED"), *many = getenv("KLAMM_SEEDS");
	uint64_t count = many == NULL ? 200 : strtoull(many, NULL, 10);

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
		cmocka_unit_test(one_member_gets_all),
		cmocka_unit_test(an_empty_group_waits_for_others),
		cmocka_unit_test(targets_are_not_made_too_often),
		cmocka_unit_test(topics_have_to_be_there),
		cmocka_unit_test(topologies_do_not_change),
		cmocka_unit_test(tasks_move_once_they_are_given_up),
		cmocka_unit_test(standbys_are_in_other_processes),
		cmocka_unit_test(epochs_fence),
		cmocka_unit_test(tasks_have_to_exist),
		cmocka_unit_test(what_a_member_had_goes_to_others),
		cmocka_unit_test(who_is_not_heard_of_is_out),
		cmocka_unit_test(revoking_takes_no_longer_than_it_may),
		cmocka_unit_test(an_application_shuts_down),
		cmocka_unit_test(members_know_who_has_what),
		cmocka_unit_test(senseless_requests_are_refused),
		cmocka_unit_test(groups_are_no_larger_than_they_may_be),
		cmocka_unit_test(members_take_no_more_memory_than_there_is),
		cmocka_unit_test(kinds_of_groups_exclude_each_other),
		cmocka_unit_test(a_group_of_another_kind_is_none),
		cmocka_unit_test(offsets_are_the_members),
		cmocka_unit_test(groups_are_listed),
		cmocka_unit_test(groups_are_described_and_deleted),
		cmocka_unit_test(a_restart_finds_all_of_it),
		cmocka_unit_test(damaged_records_are_refused),
		cmocka_unit_test(a_failed_append_changes_nothing),
		cmocka_unit_test(random_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
