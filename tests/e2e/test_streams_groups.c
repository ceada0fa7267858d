/*
 * Streams groups (KIP-1071) by plain frames, through kills of the broker: their
 * topics are made, their tasks assigned, and they are shown.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/program.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/list_groups.h"
#include "wire/generated/streams_group_describe.h"
#include "wire/generated/streams_group_heartbeat.h"

#define FIND_COORDINATOR 10
#define LIST_GROUPS 16
#define HEARTBEAT 88
#define DESCRIBE 89
#define DEADLINE_MS 30000
#define POLL_US 50000

/* A broker whose cluster has streams groups, which assign at once. */
static void
start(struct broker_process *broker)
{
	char path[96], properties[96];
	struct program format;
	FILE *file;

	broker_process_init(broker);
	snprintf(properties, sizeof(properties), "%s/server.properties",
	    broker->directory);
	snprintf(path, sizeof(path), "%s/data", broker->directory);
	file = fopen(properties, "w");
	assert_non_null(file);
	fprintf(file,
	    "process.roles=broker,controller\nnode.id=1\n"
	    "controller.quorum.voters=1@localhost:1\n"
	    "controller.listener.names=CONTROLLER\n"
	    "listeners=PLAINTEXT://:0,CONTROLLER://:1\nlog.dirs=%s\n",
	    path);
	assert_int_equal(fclose(file), 0);
	program_start(&format, NULL,
	    PROGRAM_ARGUMENTS("storage", "format", "-c", properties, "-t",
		"AAAAAAAAQACAAAAAAAAAAA", "-f", "streams.version=1"));
	assert_int_equal(program_wait(&format), 0);
	program_fini(&format);
	broker_process_argument(broker, "--override");
	broker_process_argument(
	    broker, "group.streams.initial.rebalance.delay.ms=0");
	broker_process_argument(broker, "--override");
	broker_process_argument(
	    broker, "group.streams.assignment.interval.ms=0");
	broker_process_restart(broker);
}

static void
prepare(struct raw_client *client)
{
	struct kp_find_coordinator_request request;
	const struct kp_find_coordinator_response *response;

	kp_defaults(&kp_find_coordinator_request, &request);
	request.key = slice_str("g");
	response = raw_client_call(client, FIND_COORDINATOR, 3, &request);
	assert_int_equal(response->error_code, KP_NONE);
}

/* Reads "in", and counts what it reads in a store with a changelog. */
static void
fill_join(struct raw_client *client,
    struct kp_streams_group_heartbeat_request *request, const char *changelog)
{
	static struct slice in = SLICE_LITERAL("in");
	struct arena *arena = &client->arena;
	struct kp_streams_group_heartbeat_request_topology *topology =
	    arena_xcalloc(arena, 1, sizeof(*topology));
	struct kp_streams_group_heartbeat_request_subtopology *part =
	    arena_xcalloc(arena, 1, sizeof(*part));
	struct kp_streams_group_heartbeat_request_topic_info *topic =
	    arena_xcalloc(arena, 1, sizeof(*topic));
	struct kp_streams_group_heartbeat_request_key_value *config =
	    arena_xcalloc(arena, 1, sizeof(*config));

	config->key = slice_str("cleanup.policy");
	config->value = slice_str("compact");
	topic->name = slice_str(changelog);
	topic->topic_configs = config;
	topic->topic_configs_count = 1;
	part->subtopology_id = slice_str("0");
	part->source_topics = &in;
	part->source_topics_count = 1;
	part->state_changelog_topics = topic;
	part->state_changelog_topics_count = 1;
	topology->subtopologies = part;
	topology->subtopologies_count = 1;
	request->topology = topology;
	request->rebalance_timeout_ms = 30000;
	request->process_id = slice_str("p");
	request->active_tasks_count = 0;
	request->standby_tasks_count = 0;
	request->warmup_tasks_count = 0;
	request->client_tags_count = 0;
}

static const struct kp_streams_group_heartbeat_response *
beat(struct raw_client *client, int32_t epoch, const char *changelog)
{
	struct kp_streams_group_heartbeat_request request;

	kp_defaults(&kp_streams_group_heartbeat_request, &request);
	request.group_id = slice_str("g");
	request.member_id = slice_str("member");
	request.member_epoch = epoch;
	if (epoch == 0)
		fill_join(client, &request, changelog);
	return raw_client_call(client, HEARTBEAT, 0, &request);
}

/* Beat until there are tasks: the topics are made behind the answers. */
static int32_t
await_tasks(struct raw_client *client, int32_t epoch)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;

	for (;;) {
		const struct kp_streams_group_heartbeat_response *response =
		    beat(client, epoch, NULL);

		assert_int_equal(response->error_code, KP_NONE);
		epoch = response->member_epoch;
		if (response->active_tasks_count == 1) {
			assert_int_equal(
			    response->active_tasks[0].partitions_count, 3);
			assert_int_equal(response->status_count, 0);
			return epoch;
		}
		assert_true(clock_monotonic_ms() < deadline);
		usleep(POLL_US);
	}
}

static void
check_described(struct raw_client *client, const char *state, int32_t members)
{
	struct slice name = slice_str("g");
	struct kp_streams_group_describe_request request = {
		.group_ids = &name,
		.group_ids_count = 1,
	};
	const struct kp_streams_group_describe_response *response =
	    raw_client_call(client, DESCRIBE, 0, &request);

	assert_int_equal(response->groups_count, 1);
	assert_int_equal(response->groups[0].error_code, KP_NONE);
	assert_true(slice_equal_str(response->groups[0].group_state, state));
	assert_int_equal(response->groups[0].members_count, members);
	assert_int_equal(response->groups[0].topology->subtopologies_count, 1);
}

static void
check_listed(struct raw_client *client)
{
	struct slice type = slice_str("streams");
	const struct kp_list_groups_response *response;
	struct kp_list_groups_request request;

	kp_defaults(&kp_list_groups_request, &request);
	request.types_filter = &type;
	request.types_filter_count = 1;
	response = raw_client_call(client, LIST_GROUPS, 5, &request);
	assert_int_equal(response->groups_count, 1);
	assert_true(slice_equal_str(response->groups[0].group_type, "streams"));
}

static void
an_application_gets_its_topics(void **unused UNUSED)
{
	const struct kp_streams_group_heartbeat_response *response;
	struct broker_process broker;
	struct raw_client client;
	int32_t epoch;

	start(&broker);
	raw_client_init(&client, &broker);
	prepare(&client);
	raw_topic_create(&client, "in", 3);
	response = beat(&client, 0, "g-store-changelog");
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->member_epoch, 2);
	assert_int_equal(response->status_count, 1);
	assert_int_equal(response->status[0].status_code, 3);
	assert_true(slice_equal_str(response->status[0].status_detail,
	    "Internal topics are missing: g-store-changelog"));
	epoch = await_tasks(&client, 2);
	check_described(&client, "Stable", 1);
	check_listed(&client);
	raw_client_fini(&client);
	for (int i = 0; i < 2; i++) {
		broker_process_kill(&broker);
		broker_process_restart(&broker);
		raw_client_init(&client, &broker);
		response = beat(&client, epoch, NULL);
		assert_int_equal(response->error_code, KP_NONE);
		assert_int_equal(response->member_epoch, epoch);
		assert_int_equal(response->status_count, 0);
		check_described(&client, "Stable", 1);
		raw_client_fini(&client);
	}
	raw_client_init(&client, &broker);
	response = beat(&client, -1, NULL);
	assert_int_equal(response->error_code, KP_NONE);
	check_described(&client, "Empty", 0);
	raw_client_fini(&client);
	broker_process_fini(&broker);
}

static void
topics_may_not_be_any(void **unused UNUSED)
{
	const struct kp_streams_group_heartbeat_response *response;
	struct broker_process broker;
	struct raw_client client;

	start(&broker);
	raw_client_init(&client, &broker);
	prepare(&client);
	response = beat(&client, 0, "__consumer_offsets");
	assert_int_equal(response->error_code, KP_STREAMS_INVALID_TOPOLOGY);
	assert_true(slice_equal_str(response->error_message,
	    "Use of Kafka internal topics __consumer_offsets in a Kafka "
	    "Streams topology is prohibited."));
	response = beat(&client, 0, "a b");
	assert_int_equal(response->error_code, KP_STREAMS_INVALID_TOPOLOGY);
	assert_true(slice_equal_str(response->error_message,
	    "Topic names a b are not valid topic names."));
	raw_client_fini(&client);
	broker_process_fini(&broker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_application_gets_its_topics),
		cmocka_unit_test(topics_may_not_be_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
