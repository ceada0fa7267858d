/*
 * The group coordinator on real partitions and loops: who leads, what waits
 * for the disk, and how leaderships end under load.
 */
#include "unit/api_rig.h"

#include <stdio.h>

#include "base/clock.h"
#include "coord/coordinator.h"
#include "coord/group_coordinator.h"
#include "coord/java_hash.h"
#include "meta/delta.h"
#include "wire/generated/describe_groups.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/list_groups.h"
#include "wire/generated/sync_group.h"

#define OFFSETS_TOPIC "__consumer_offsets"
#define DEADLINE_MS 30000

/* --- A broker with a coordinator ------------------------------------------ */

struct world {
	struct api_rig rig;
	struct group_settings settings;
	struct group_coordinator *groups;
	struct uuid topic; /* of groups */
};

static void
groups_start(struct world *world)
{
	static const int32_t nodes[] = { RIG_NODE };
	const struct coordinator_services services = {
		.image = world->rig.image,
		.partitions = world->rig.server.partitions,
		.loops = world->rig.loops,
		.nodes = nodes,
		.nodes_count = 1,
	};
	struct delta *all = delta_of_image(world->rig.image);

	world->groups = group_coordinator_new(&world->settings, &services);
	group_coordinator_apply(world->groups, all);
	delta_free(all);
	world->rig.subscriber = group_coordinator_apply;
	world->rig.subscriber_context = world->groups;
	group_coordinator_start(world->groups);
}

static void
groups_stop(struct world *world)
{
	group_coordinator_stop(world->groups);
	world->rig.subscriber = NULL;
	group_coordinator_free(world->groups);
}

static void
world_init(struct world *world, bool acked)
{
	memset(world, 0, sizeof(*world));
	api_rig_init(&world->rig, acked);
	world->settings = GROUP_SETTINGS_DEFAULT;
	world->settings.rebalance_delay_ms = 0;
	world->settings.session_timeout_min_ms = 1;
	groups_start(world);
}

static void
world_fini(struct world *world)
{
	groups_stop(world);
	api_rig_fini(&world->rig);
}

/* --- Calls ---------------------------------------------------------------- */

struct call {
	struct group_call group;
	struct arena arena;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int done_count;
};

static void
done(struct shard_call *shard_call)
{
	struct call *call = CONTAINER_OF(shard_call, struct call, group.call);

	pthread_mutex_lock(&call->mutex);
	call->done_count++;
	pthread_cond_signal(&call->changed);
	pthread_mutex_unlock(&call->mutex);
}

static void
call_init(struct call *call)
{
	memset(call, 0, sizeof(*call));
	pthread_mutex_init(&call->mutex, NULL);
	pthread_cond_init(&call->changed, NULL);
	arena_init(&call->arena, (size_t)1 << 28);
	call->group.call.done = done;
	call->group.arena = &call->arena;
	call->group.node_id = RIG_NODE;
	call->group.version = 3;
	call->group.client_id = slice_str("client");
	call->group.client_host = slice_str("/127.0.0.1");
}

static bool
call_done(struct call *call)
{
	bool is_done;

	pthread_mutex_lock(&call->mutex);
	is_done = call->done_count > 0;
	pthread_mutex_unlock(&call->mutex);
	return is_done;
}

/* Wait for its end; what it has answered stays until call_fini. */
static enum kp_error
call_wait(struct call *call)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += DEADLINE_MS / 1000;
	pthread_mutex_lock(&call->mutex);
	while (call->done_count == 0)
		assert_int_equal(pthread_cond_timedwait(
				     &call->changed, &call->mutex, &deadline),
		    0);
	assert_int_equal(call->done_count, 1);
	pthread_mutex_unlock(&call->mutex);
	return call->group.call.error;
}

static void
call_fini(struct call *call)
{
	arena_reset(&call->arena);
	pthread_mutex_destroy(&call->mutex);
	pthread_cond_destroy(&call->changed);
}

/* A commit of partition 0 of "t", or a fetch of it. */
struct offset_call {
	struct call call;
	struct group_offset offset;
	struct group_topic topic;
	struct group_commit commit;
	struct group_fetch fetch;
};

static void
offset_call_init(struct offset_call *o, const char *topic)
{
	memset(o, 0, sizeof(*o));
	call_init(&o->call);
	o->topic.name = slice_str(topic);
	o->topic.offsets = &o->offset;
	o->topic.offsets_count = 1;
}

static void
commit_begin(struct world *world, struct offset_call *o, const char *group,
    const char *topic, int64_t offset)
{
	offset_call_init(o, topic);
	o->offset.offset = offset;
	o->offset.leader_epoch = -1;
	o->offset.metadata = slice_str("");
	o->commit = (struct group_commit){
		.group_id = slice_str(group),
		.generation_id = -1,
		.member_id = slice_str(""),
		.retention_ms = -1,
		.topics = &o->topic,
		.topics_count = 1,
	};
	group_coordinator_commit(world->groups, &o->call.group, &o->commit);
}

static enum kp_error
commit(
    struct world *world, const char *group, const char *topic, int64_t offset)
{
	struct offset_call o;
	enum kp_error error;

	commit_begin(world, &o, group, topic, offset);
	error = call_wait(&o.call);
	if (error == KP_NONE)
		error = o.offset.error;
	call_fini(&o.call);
	return error;
}

static enum kp_error
fetch(
    struct world *world, const char *group, const char *topic, int64_t *offset)
{
	struct offset_call o;
	enum kp_error error;

	offset_call_init(&o, topic);
	o.fetch = (struct group_fetch){
		.group_id = slice_str(group),
		.member_epoch = -1,
		.topics = &o.topic,
		.topics_count = 1,
	};
	group_coordinator_fetch(world->groups, &o.call.group, &o.fetch);
	error = call_wait(&o.call);
	*offset = o.offset.offset;
	call_fini(&o.call);
	return error;
}

static void
expect_offset(
    struct world *world, const char *group, const char *topic, int64_t expected)
{
	int64_t offset;

	assert_int_equal(fetch(world, group, topic, &offset), KP_NONE);
	assert_int_equal(offset, expected);
}

/* The group's state, as a literal of the coordinator's, if it has one. */
static enum kp_error
describe(struct world *world, int32_t node_id, const char *name,
    struct slice *state)
{
	struct kp_describe_groups_response_group group = { 0 };
	struct call call;
	enum kp_error error;

	call_init(&call);
	call.group.node_id = node_id;
	call.group.version = 6;
	group_coordinator_describe(
	    world->groups, &call.group, slice_str(name), &group);
	error = call_wait(&call);
	if (error == KP_NONE)
		error = (enum kp_error)group.error_code;
	if (state != NULL)
		*state = group.group_state;
	call_fini(&call);
	return error;
}

static int32_t
listed_count(struct world *world, int32_t node_id)
{
	struct kp_list_groups_request request = { 0 };
	struct kp_list_groups_response response = { 0 };
	struct call call;

	call_init(&call);
	call.group.node_id = node_id;
	group_coordinator_list(
	    world->groups, &call.group, &request, &response);
	assert_int_equal(call_wait(&call), KP_NONE);
	call_fini(&call);
	return response.groups_count;
}

/* The name of a group that the partition at index looks after. */
static void
group_at(int32_t index, int32_t count, char name[32])
{
	for (int i = 0;; i++) {
		snprintf(name, 32, "group-%d", i);
		if (java_hash_partition(slice_str(name), count) == index)
			return;
	}
}

/* --- Leaderships ---------------------------------------------------------- */

static void
groups_are_served_once_the_topic_is_there(void **state UNUSED)
{
	struct world world;
	int64_t offset;
	char group[32];

	world_init(&world, false);
	assert_int_equal(commit(&world, "g", "t", 1), KP_NOT_COORDINATOR);
	assert_int_equal(fetch(&world, "g", "t", &offset), KP_NOT_COORDINATOR);
	assert_int_equal(
	    group_coordinator_partition(world.groups, slice_str("g")),
	    java_hash_partition(slice_str("g"), 50));
	world.topic = api_rig_topic(&world.rig, OFFSETS_TOPIC, 3);
	for (int32_t i = 0; i < 3; i++) {
		struct partition *partition =
		    api_rig_partition(&world.rig, OFFSETS_TOPIC, i);
		int64_t end;

		group_at(i, 3, group);
		assert_int_equal(
		    group_coordinator_partition(world.groups, slice_str(group)),
		    i);
		/* It is loaded in the background. */
		while (commit(&world, group, "t", 10 + i) ==
		    KP_COORDINATOR_LOAD_IN_PROGRESS)
			;
		expect_offset(&world, group, "t", 10 + i);
		end = partition_log_end_offset(partition);
		assert_int_equal(end, 1);
		partition_unref(partition);
	}
	world_fini(&world);
}

static void
another_nodes_groups_are_not_served(void **state UNUSED)
{
	struct offset_call o;
	struct world world;

	world_init(&world, false);
	groups_stop(&world);
	api_rig_topic(&world.rig, OFFSETS_TOPIC, 3);
	groups_start(&world);
	assert_int_equal(commit(&world, "g", "t", 1), KP_NONE);
	offset_call_init(&o, "t");
	o.call.group.node_id = RIG_NODE + 1;
	o.fetch = (struct group_fetch){
		.group_id = slice_str("g"),
		.topics = &o.topic,
		.topics_count = 1,
	};
	group_coordinator_fetch(world.groups, &o.call.group, &o.fetch);
	assert_int_equal(call_wait(&o.call), KP_NOT_COORDINATOR);
	call_fini(&o.call);
	assert_int_equal(
	    describe(&world, RIG_NODE + 1, "g", NULL), KP_NOT_COORDINATOR);
	assert_int_equal(listed_count(&world, RIG_NODE + 1), 0);
	assert_int_equal(listed_count(&world, RIG_NODE), 1);
	world_fini(&world);
}

/* A coordinator that starts finds what its predecessor has written. */
static void
offsets_are_loaded_at_the_start(void **state UNUSED)
{
	struct world world;
	char group[32];

	world_init(&world, true);
	groups_stop(&world);
	api_rig_topic(&world.rig, OFFSETS_TOPIC, 5);
	for (int round = 0; round < 3; round++) {
		groups_start(&world);
		for (int i = 0; i < 40; i++) {
			snprintf(group, sizeof(group), "loaded-%d", i);
			expect_offset(&world, group, "t",
			    round == 0 ? -1 : round * 100 + i);
			assert_int_equal(
			    commit(&world, group, "t", (round + 1) * 100 + i),
			    KP_NONE);
		}
		groups_stop(&world);
	}
	groups_start(&world);
	world_fini(&world);
}

/* Their number is that of the start; new partitions get no groups. */
static void
groups_stay_when_partitions_are_added(void **state UNUSED)
{
	struct world world;
	char group[32];

	world_init(&world, false);
	groups_stop(&world);
	world.topic = api_rig_topic(&world.rig, OFFSETS_TOPIC, 3);
	groups_start(&world);
	group_at(2, 3, group);
	assert_int_equal(commit(&world, group, "t", 8), KP_NONE);
	assert_int_not_equal(java_hash_partition(slice_str(group), 7), 2);
	api_rig_grow(&world.rig, world.topic, 3, 7);
	assert_int_equal(
	    group_coordinator_partition(world.groups, slice_str(group)), 2);
	expect_offset(&world, group, "t", 8);
	world_fini(&world);
}

/* --- Topics that go ------------------------------------------------------- */

/* They go in the background. */
static void
wait_for_no_offset(struct world *world, const char *group, const char *topic)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS, offset;

	do {
		assert_true(clock_monotonic_ms() < deadline);
		assert_int_equal(
		    fetch(world, group, topic, &offset), KP_NONE);
	} while (offset != -1);
}

static void
offsets_go_with_their_topic(void **state UNUSED)
{
	struct uuid topic, second;
	struct world world;

	world_init(&world, false);
	groups_stop(&world);
	api_rig_topic(&world.rig, OFFSETS_TOPIC, 3);
	groups_start(&world);
	topic = api_rig_topic(&world.rig, "t", 1);
	second = api_rig_topic(&world.rig, "v", 1);
	for (int i = 0; i < 10; i++) {
		char group[32];

		snprintf(group, sizeof(group), "group-%d", i);
		assert_int_equal(commit(&world, group, "t", i), KP_NONE);
		assert_int_equal(commit(&world, group, "u", i), KP_NONE);
		assert_int_equal(commit(&world, group, "v", i), KP_NONE);
	}
	api_rig_delete(&world.rig, topic);
	api_rig_delete(&world.rig, second);
	for (int i = 0; i < 10; i++) {
		char group[32];

		snprintf(group, sizeof(group), "group-%d", i);
		wait_for_no_offset(&world, group, "t");
		wait_for_no_offset(&world, group, "v");
		expect_offset(&world, group, "u", i);
	}
	world_fini(&world);
}

static void *
delete_topic(void *context)
{
	struct world *world = context;

	api_rig_delete(&world->rig, world->topic);
	return NULL;
}

/* Also with a commit that waits for a disk which the deletion waits for. */
static void
groups_go_with_the_topic_of_groups(void **state UNUSED)
{
	struct offset_call waiting;
	struct world world;
	pthread_t thread;
	enum kp_error error;
	int64_t offset;

	world_init(&world, true);
	groups_stop(&world);
	world.topic = api_rig_topic(&world.rig, OFFSETS_TOPIC, 3);
	groups_start(&world);
	assert_int_equal(commit(&world, "g", "t", 1), KP_NONE);
	api_rig_hold(&world.rig, true);
	commit_begin(&world, &waiting, "g", "t", 2);
	assert_false(call_done(&waiting.call));
	assert_int_equal(
	    pthread_create(&thread, NULL, delete_topic, &world), 0);
	error = call_wait(&waiting.call);
	assert_true(error == KP_NOT_COORDINATOR ||
	    error == KP_COORDINATOR_NOT_AVAILABLE);
	api_rig_hold(&world.rig, false);
	pthread_join(thread, NULL);
	assert_int_equal(fetch(&world, "g", "t", &offset), KP_NOT_COORDINATOR);
	call_fini(&waiting.call);

	api_rig_topic(&world.rig, OFFSETS_TOPIC, 4);
	while (
	    fetch(&world, "g", "t", &offset) == KP_COORDINATOR_LOAD_IN_PROGRESS)
		;
	assert_int_equal(offset, -1);
	assert_int_equal(
	    group_coordinator_partition(world.groups, slice_str("g")),
	    java_hash_partition(slice_str("g"), 4));
	world_fini(&world);
}

/* --- Waiting -------------------------------------------------------------- */

static void
commits_are_answered_when_they_are_durable(void **state UNUSED)
{
	struct offset_call calls[10];
	struct world world;

	world_init(&world, true);
	groups_stop(&world);
	api_rig_topic(&world.rig, OFFSETS_TOPIC, 1);
	groups_start(&world);
	assert_int_equal(commit(&world, "g", "t", 1), KP_NONE);
	api_rig_hold(&world.rig, true);
	for (int i = 0; i < 10; i++)
		commit_begin(&world, &calls[i], "g", "t", i);
	for (int i = 0; i < 10; i++)
		assert_false(call_done(&calls[i].call));
	api_rig_hold(&world.rig, false);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(call_wait(&calls[i].call), KP_NONE);
		call_fini(&calls[i].call);
	}
	expect_offset(&world, "g", "t", 9);
	world_fini(&world);
}

/* The disk takes longer than offsets.commit.timeout.ms. */
static void
commits_time_out(void **state UNUSED)
{
	struct world world;

	world_init(&world, true);
	groups_stop(&world);
	world.settings.commit_timeout_ms = 50;
	api_rig_topic(&world.rig, OFFSETS_TOPIC, 1);
	groups_start(&world);
	api_rig_hold(&world.rig, true);
	assert_int_equal(
	    commit(&world, "g", "t", 1), KP_COORDINATOR_NOT_AVAILABLE);
	api_rig_hold(&world.rig, false);
	while (commit(&world, "g", "t", 2) != KP_NONE)
		;
	world_fini(&world);
}

struct member {
	struct call call;
	struct kp_join_group_request_protocol protocol;
	struct kp_join_group_request request;
	struct kp_join_group_response response;
};

static void
join_begin(struct world *world, struct member *member, const char *group,
    int32_t session_ms)
{
	memset(member, 0, sizeof(*member));
	call_init(&member->call);
	member->protocol.name = slice_str("range");
	member->protocol.metadata = slice_str("");
	member->request = (struct kp_join_group_request){
		.group_id = slice_str(group),
		.session_timeout_ms = session_ms,
		.rebalance_timeout_ms = 60000,
		.member_id = slice_str(""),
		.protocol_type = slice_str("test"),
		.protocols = &member->protocol,
		.protocols_count = 1,
	};
	group_coordinator_join(world->groups, &member->call.group,
	    &member->request, &member->response);
}

static void
sync_alone(struct world *world, const struct member *member)
{
	struct kp_sync_group_request request = {
		.group_id = member->request.group_id,
		.generation_id = member->response.generation_id,
		.member_id = member->response.member_id,
	};
	struct kp_sync_group_response response = { 0 };
	struct call call;

	call_init(&call);
	group_coordinator_sync(world->groups, &call.group, &request, &response);
	assert_int_equal(call_wait(&call), KP_NONE);
	call_fini(&call);
}

static bool
group_is(struct world *world, const char *name, const char *expected)
{
	struct slice state;

	assert_int_equal(describe(world, RIG_NODE, name, &state), KP_NONE);
	return slice_equal_str(state, expected);
}

/* Sessions end on the loops' timers, with nobody calling. */
static void
sessions_end_by_themselves(void **state UNUSED)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	struct member members[4];
	struct world world;
	char group[32];

	world_init(&world, false);
	groups_stop(&world);
	api_rig_topic(&world.rig, OFFSETS_TOPIC, 4);
	groups_start(&world);
	for (int i = 0; i < 4; i++) {
		group_at(i, 4, group);
		join_begin(&world, &members[i], group, 100);
		assert_int_equal(call_wait(&members[i].call), KP_NONE);
		sync_alone(&world, &members[i]);
		assert_true(group_is(&world, group, "Stable"));
		call_fini(&members[i].call);
	}
	for (int i = 0; i < 4; i++) {
		group_at(i, 4, group);
		while (!group_is(&world, group, "Empty"))
			assert_true(clock_monotonic_ms() < deadline);
	}
	world_fini(&world);
}

static void
the_stop_answers_everybody(void **state UNUSED)
{
	struct member first, second;
	struct world world;
	int64_t offset;

	world_init(&world, false);
	groups_stop(&world);
	api_rig_topic(&world.rig, OFFSETS_TOPIC, 2);
	groups_start(&world);
	join_begin(&world, &first, "g", 60000);
	assert_int_equal(call_wait(&first.call), KP_NONE);
	/* Waits for the first one to join again. */
	join_begin(&world, &second, "g", 60000);
	assert_false(call_done(&second.call));
	group_coordinator_stop(world.groups);
	assert_int_equal(call_wait(&second.call), KP_NOT_COORDINATOR);
	assert_int_equal(fetch(&world, "g", "t", &offset), KP_NOT_COORDINATOR);
	call_fini(&first.call);
	call_fini(&second.call);
	world_fini(&world);
}

/* --- All at once ---------------------------------------------------------- */

#define COMMITTERS 4

struct committer {
	struct world *world;
	pthread_t thread;
	int index;
	int commits_count;
	atomic_bool *stop;
};

/* Every call is answered, once, with one of the few answers that can be. */
static void *
commit_on(void *context)
{
	struct committer *committer = context;
	char group[32];

	for (int i = 0; !atomic_load(committer->stop); i++) {
		enum kp_error error;

		snprintf(group, sizeof(group), "busy-%d-%d", committer->index,
		    i % 16);
		error = commit(committer->world, group, "t", i);
		assert_true(error == KP_NONE || error == KP_NOT_COORDINATOR ||
		    error == KP_COORDINATOR_NOT_AVAILABLE ||
		    error == KP_COORDINATOR_LOAD_IN_PROGRESS);
		committer->commits_count += error == KP_NONE;
	}
	return NULL;
}

static void
leaderships_end_under_load(void **state UNUSED)
{
	struct committer committers[COMMITTERS];
	atomic_bool stop = false;
	struct world world;

	world_init(&world, true);
	for (int i = 0; i < COMMITTERS; i++) {
		committers[i] = (struct committer){ &world, 0, i, 0, &stop };
		assert_int_equal(pthread_create(&committers[i].thread, NULL,
				     commit_on, &committers[i]),
		    0);
	}
	for (int i = 0; i < 20; i++) {
		world.topic = api_rig_topic(&world.rig, OFFSETS_TOPIC, 5);
		while (commit(&world, "g", "t", i) != KP_NONE)
			;
		expect_offset(&world, "g", "t", i);
		api_rig_delete(&world.rig, world.topic);
	}
	api_rig_topic(&world.rig, OFFSETS_TOPIC, 5);
	group_coordinator_stop(world.groups);
	atomic_store(&stop, true);
	for (int i = 0; i < COMMITTERS; i++) {
		pthread_join(committers[i].thread, NULL);
		assert_true(committers[i].commits_count > 0);
	}
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_are_served_once_the_topic_is_there),
		cmocka_unit_test(another_nodes_groups_are_not_served),
		cmocka_unit_test(offsets_are_loaded_at_the_start),
		cmocka_unit_test(groups_stay_when_partitions_are_added),
		cmocka_unit_test(offsets_go_with_their_topic),
		cmocka_unit_test(groups_go_with_the_topic_of_groups),
		cmocka_unit_test(commits_are_answered_when_they_are_durable),
		cmocka_unit_test(commits_time_out),
		cmocka_unit_test(sessions_end_by_themselves),
		cmocka_unit_test(the_stop_answers_everybody),
		cmocka_unit_test(leaderships_end_under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
