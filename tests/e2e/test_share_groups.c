/*
 * Share groups by plain frames: members that join, share and leave, and what
 * administrators see and do, also after the broker was killed.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "e2e/broker_process.h"
#include "e2e/program.h"
#include "e2e/raw_client.h"
#include "wire/error.h"
#include "wire/generated/alter_share_group_offsets.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/delete_groups.h"
#include "wire/generated/delete_share_group_offsets.h"
#include "wire/generated/describe_share_group_offsets.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/list_groups.h"
#include "wire/generated/share_group_describe.h"
#include "wire/generated/share_group_heartbeat.h"

#define TOPIC "t"
#define GROUP "g"
#define PARTITIONS 2
#define TRIES 3000
#define PAUSE_US 10000

struct world {
	struct broker_process broker;
	struct raw_client client;
};

#define call(world, NAME, name, version, request)                         \
	((const struct kp_##name##_response *)raw_client_call(            \
	    &(world)->client, KP_##NAME##_KEY, (int16_t)(version), request))

/* --- The world ------------------------------------------------------------ */

static void
create_topic(struct world *world)
{
	struct kp_create_topics_request_topic topic = {
		.name = slice_str(TOPIC),
		.num_partitions = PARTITIONS,
		.replication_factor = 1,
	};
	struct kp_create_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = 30000,
	};

	assert_int_equal(call(world, CREATE_TOPICS, create_topics, 7, &request)
			     ->topics[0]
			     .error_code,
	    KP_NONE);
}

/* The first look-up of a coordinator makes its topic. */
static void
find_coordinator(struct world *world)
{
	struct slice key = slice_str(GROUP);
	struct kp_find_coordinator_request request = {
		.coordinator_keys = &key,
		.coordinator_keys_count = 1,
	};

	assert_int_equal(
	    call(world, FIND_COORDINATOR, find_coordinator, 6, &request)
		->coordinators[0]
		.error_code,
	    KP_NONE);
}

/* A cluster in which share groups are enabled. */
static void
format(struct world *world)
{
	char path[128], line[256];
	struct program program;
	FILE *file;

	snprintf(path, sizeof(path), "%s/format.properties",
	    world->broker.directory);
	file = fopen(path, "w");
	assert_non_null(file);
	snprintf(line, sizeof(line),
	    "node.id=1\nprocess.roles=broker,controller\n"
	    "controller.listener.names=CONTROLLER\n"
	    "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n"
	    "log.dirs=%s/data\n",
	    world->broker.directory);
	assert_true(fputs(line, file) >= 0);
	assert_int_equal(fclose(file), 0);
	program_start(&program, NULL,
	    PROGRAM_ARGUMENTS("storage", "format", "-s", "-c", path, "-t",
		"abcdefghijklmnopqrstuv", "-f", "share.version=1"));
	assert_int_equal(program_wait(&program), 0);
	program_fini(&program);
}

static void
override(struct world *world, const char *setting)
{
	broker_process_argument(&world->broker, "--override");
	broker_process_argument(&world->broker, setting);
}

static int
start_world(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	broker_process_init(&world->broker);
	format(world);
	override(world, "share.coordinator.state.topic.num.partitions=2");
	override(world, "share.coordinator.state.topic.replication.factor=1");
	override(world, "share.coordinator.state.topic.min.isr=1");
	override(world, "offsets.topic.num.partitions=2");
	override(world, "group.share.assignment.interval.ms=0");
	broker_process_restart(&world->broker);
	raw_client_init(&world->client, &world->broker);
	create_topic(world);
	find_coordinator(world);
	*state = world;
	return 0;
}

static int
stop_world(void **state)
{
	struct world *world = *state;

	raw_client_fini(&world->client);
	broker_process_fini(&world->broker);
	free(world);
	return 0;
}

/* --- Members -------------------------------------------------------------- */

static const struct kp_share_group_heartbeat_response *
heartbeat(struct world *world, const char *member, int32_t epoch)
{
	struct slice topic = slice_str(TOPIC);
	struct kp_share_group_heartbeat_request request = {
		.group_id = slice_str(GROUP),
		.member_id = slice_str(member),
		.member_epoch = epoch,
		.subscribed_topic_names = epoch == 0 ? &topic : NULL,
		.subscribed_topic_names_count = epoch == 0 ? 1 : -1,
	};

	return call(
	    world, SHARE_GROUP_HEARTBEAT, share_group_heartbeat, 1, &request);
}

/* How many partitions an answer assigns; -1: it says nothing of it. */
static int32_t
assigned(const struct kp_share_group_heartbeat_response *response)
{
	if (response->assignment == NULL)
		return -1;
	return response->assignment->topic_partitions_count == 0 ?
	    0 :
	    response->assignment->topic_partitions[0].partitions_count;
}

/* Join, and live on until all partitions have come; the member's epoch. */
static int32_t
join_until_assigned(struct world *world, const char *member)
{
	const struct kp_share_group_heartbeat_response *response =
	    heartbeat(world, member, 0);

	for (int i = 0; i < TRIES; i++) {
		assert_int_equal(response->error_code, KP_NONE);
		if (assigned(response) == PARTITIONS)
			return response->member_epoch;
		usleep(PAUSE_US);
		response = heartbeat(world, member, response->member_epoch);
	}
	fail_msg("nothing was assigned");
	return -1;
}

/* --- Administrators ------------------------------------------------------- */

static const struct kp_share_group_describe_response_group *
describe(struct world *world)
{
	struct slice id = slice_str(GROUP);
	struct kp_share_group_describe_request request = {
		.group_ids = &id,
		.group_ids_count = 1,
	};

	return &call(world, SHARE_GROUP_DESCRIBE, share_group_describe, 1,
	    &request)
		    ->groups[0];
}

/* All that is kept, or (asked) of the first partition of the topic. */
static const struct kp_describe_share_group_offsets_response_group *
describe_offsets(struct world *world, bool asked)
{
	int32_t partition = 0;
	struct kp_describe_share_group_offsets_request_topic topic = {
		.topic_name = slice_str(TOPIC),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_describe_share_group_offsets_request_group group = {
		.group_id = slice_str(GROUP),
		.topics = asked ? &topic : NULL,
		.topics_count = asked ? 1 : -1,
	};
	struct kp_describe_share_group_offsets_request request = {
		.groups = &group,
		.groups_count = 1,
	};

	return &call(world, DESCRIBE_SHARE_GROUP_OFFSETS,
	    describe_share_group_offsets, 1, &request)
		    ->groups[0];
}

static const struct kp_alter_share_group_offsets_response *
alter(struct world *world, const char *name, int32_t index)
{
	struct kp_alter_share_group_offsets_request_partition partition = {
		.partition_index = index,
		.start_offset = 0,
	};
	struct kp_alter_share_group_offsets_request_topic topic = {
		.topic_name = slice_str(name),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_alter_share_group_offsets_request request = {
		.group_id = slice_str(GROUP),
		.topics = &topic,
		.topics_count = 1,
	};

	return call(world, ALTER_SHARE_GROUP_OFFSETS,
	    alter_share_group_offsets, 0, &request);
}

static const struct kp_delete_share_group_offsets_response *
forget(struct world *world, const char *name)
{
	struct kp_delete_share_group_offsets_request_topic topic = {
		.topic_name = slice_str(name),
	};
	struct kp_delete_share_group_offsets_request request = {
		.group_id = slice_str(GROUP),
		.topics = &topic,
		.topics_count = 1,
	};

	return call(world, DELETE_SHARE_GROUP_OFFSETS,
	    delete_share_group_offsets, 0, &request);
}

static int16_t
delete_group(struct world *world)
{
	struct slice id = slice_str(GROUP);
	struct kp_delete_groups_request request = {
		.groups_names = &id,
		.groups_names_count = 1,
	};

	return call(world, DELETE_GROUPS, delete_groups, 2, &request)
	    ->results[0]
	    .error_code;
}

static int32_t
listed(struct world *world, const char *type)
{
	struct slice types = slice_str(type);
	struct kp_list_groups_request request = {
		.types_filter = &types,
		.types_filter_count = 1,
	};

	return call(world, LIST_GROUPS, list_groups, 5, &request)
	    ->groups_count;
}

/* --- Tests ---------------------------------------------------------------- */

static void
a_group_lives(void **state)
{
	struct world *world = *state;
	int32_t epoch;

	assert_int_equal(
	    heartbeat(world, "a", 1)->error_code, KP_GROUP_ID_NOT_FOUND);
	assert_int_equal(heartbeat(world, "", 0)->error_code,
	    KP_INVALID_REQUEST);
	assert_int_equal(
	    heartbeat(world, "an id that is much longer than it may be", 0)
		->error_code,
	    KP_INVALID_REQUEST);
	epoch = join_until_assigned(world, "a");
	assert_int_equal(listed(world, "share"), 1);
	assert_int_equal(listed(world, "consumer"), 0);
	assert_true(slice_equal_str(describe(world)->group_state, "Stable"));
	assert_int_equal(describe(world)->members_count, 1);
	assert_int_equal(describe_offsets(world, false)->topics_count, 1);
	assert_int_equal(
	    alter(world, TOPIC, 0)->error_code, KP_NON_EMPTY_GROUP);
	assert_int_equal(forget(world, TOPIC)->error_code, KP_NON_EMPTY_GROUP);
	assert_true(slice_equal_str(
	    forget(world, TOPIC)->error_message, "The group is not empty."));
	assert_int_equal(delete_group(world), KP_NON_EMPTY_GROUP);
	/* Members survive the broker, with their epochs. */
	raw_client_fini(&world->client);
	broker_process_kill(&world->broker);
	broker_process_restart(&world->broker);
	raw_client_init(&world->client, &world->broker);
	assert_int_equal(heartbeat(world, "a", epoch)->error_code, KP_NONE);
	assert_int_equal(
	    heartbeat(world, "a", epoch + 9)->error_code,
	    KP_FENCED_MEMBER_EPOCH);
	assert_int_equal(heartbeat(world, "a", -1)->member_epoch, -1);
	assert_true(slice_equal_str(describe(world)->group_state, "Empty"));
}

static void
offsets_are_moved_and_forgotten(void **state)
{
	struct world *world = *state;
	const struct kp_describe_share_group_offsets_response_group *group;

	/* Nothing has been fetched: the start is yet to be found. */
	group = describe_offsets(world, true);
	assert_int_equal(group->topics[0].partitions[0].start_offset, -1);
	assert_int_equal(alter(world, TOPIC, 0)
			     ->responses[0]
			     .partitions[0]
			     .error_code,
	    KP_NONE);
	assert_int_equal(alter(world, TOPIC, PARTITIONS)
			     ->responses[0]
			     .partitions[0]
			     .error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(
	    alter(world, "no", 0)->responses[0].partitions[0].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	group = describe_offsets(world, true);
	assert_int_equal(group->topics[0].partitions[0].start_offset, 0);
	assert_int_equal(group->topics[0].partitions[0].lag, 0);
	assert_int_equal(describe_offsets(world, false)
			     ->topics[0]
			     .partitions_count,
	    PARTITIONS);
	assert_int_equal(forget(world, "no")->responses[0].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(
	    forget(world, TOPIC)->responses[0].error_code, KP_NONE);
	assert_int_equal(forget(world, TOPIC)->responses[0].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(describe_offsets(world, false)->topics_count, 0);
}

static void
a_group_is_deleted(void **state)
{
	struct world *world = *state;

	assert_int_equal(alter(world, TOPIC, 1)->error_code, KP_NONE);
	assert_int_equal(delete_group(world), KP_NONE);
	assert_int_equal(delete_group(world), KP_GROUP_ID_NOT_FOUND);
	assert_int_equal(listed(world, "share"), 0);
	assert_int_equal(describe(world)->error_code, KP_GROUP_ID_NOT_FOUND);
	/* Nothing is left of where it began. */
	assert_int_equal(describe_offsets(world, true)
			     ->topics[0]
			     .partitions[0]
			     .start_offset,
	    -1);
	assert_int_equal(forget(world, TOPIC)->error_code,
	    KP_GROUP_ID_NOT_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_lives),
		cmocka_unit_test(offsets_are_moved_and_forgotten),
		cmocka_unit_test(a_group_is_deleted),
	};

	return cmocka_run_group_tests(tests, start_world, stop_world);
}
