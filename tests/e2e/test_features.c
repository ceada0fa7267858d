/*
 * Levels of features by plain frames: a change is seen at once, and after a
 * restart.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "e2e/broker_process.h"
#include "e2e/program.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/error.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/incremental_alter_configs.h"
#include "wire/generated/update_features.h"

#define ELR "eligible.leader.replicas.version"

enum { UPGRADE = 1, SAFE_DOWNGRADE = 2 };

struct world {
	struct broker_process broker;
	struct raw_client client;
};

static int
start(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	broker_process_start(&world->broker, NULL);
	raw_client_init(&world->client, &world->broker);
	*state = world;
	return 0;
}

static int
stop(void **state)
{
	struct world *world = *state;

	raw_client_fini(&world->client);
	broker_process_fini(&world->broker);
	free(world);
	return 0;
}

static const struct kp_update_features_response *
update(struct world *world, int16_t version, const char *feature,
    int16_t level, int8_t type, bool validate_only)
{
	struct kp_update_features_request_feature_update one = {
		.feature = slice_str(feature),
		.max_version_level = level,
		.upgrade_type = type,
	};
	const struct kp_update_features_request request = {
		.timeout_ms = 10000,
		.feature_updates = &one,
		.feature_updates_count = 1,
		.validate_only = validate_only,
	};

	return raw_client_call(
	    &world->client, KP_UPDATE_FEATURES_KEY, version, &request);
}

/* The level that clients are told; 0 where they are told of none. */
static int16_t
finalized(struct world *world, const char *feature)
{
	const struct kp_api_versions_request request = {
		.client_software_name = slice_str("t"),
		.client_software_version = slice_str("1"),
	};
	const struct kp_api_versions_response *response = raw_client_call(
	    &world->client, KP_API_VERSIONS_KEY, 4, &request);

	for (int32_t i = 0; i < response->finalized_features_count; i++)
		if (slice_equal_str(
			response->finalized_features[i].name, feature))
			return response->finalized_features[i]
			    .max_version_level;
	return 0;
}

static void
a_level_counts_at_once_and_for_good(void **state)
{
	struct world *world = *state;
	const struct kp_update_features_response *response;

	assert_int_equal(finalized(world, "transaction.version"), 2);
	response = update(
	    world, 2, "transaction.version", 0, SAFE_DOWNGRADE, true);
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(finalized(world, "transaction.version"), 2);
	response = update(
	    world, 2, "transaction.version", 0, SAFE_DOWNGRADE, false);
	assert_int_equal(response->error_code, KP_NONE);
	assert_true(slice_is_null(response->error_message));
	assert_int_equal(finalized(world, "transaction.version"), 0);
	broker_process_kill(&world->broker);
	broker_process_restart(&world->broker);
	raw_client_fini(&world->client);
	raw_client_init(&world->client, &world->broker);
	assert_int_equal(finalized(world, "transaction.version"), 0);
	response =
	    update(world, 1, "transaction.version", 1, UPGRADE, false);
	assert_int_equal(response->results_count, 1);
	assert_int_equal(response->results[0].error_code, KP_NONE);
	assert_int_equal(finalized(world, "transaction.version"), 1);
}

/* What Kafka 4.3 begins with (kafka-features version-mapping). */
static void
a_new_cluster_is_of_kafkas_release(void **state)
{
	struct world *world = *state;

	assert_int_equal(finalized(world, "metadata.version"), 30);
	assert_int_equal(finalized(world, "kraft.version"), 1);
	assert_int_equal(finalized(world, "transaction.version"), 2);
	assert_int_equal(finalized(world, "group.version"), 1);
	assert_int_equal(finalized(world, ELR), 1);
	assert_int_equal(finalized(world, "share.version"), 1);
	assert_int_equal(finalized(world, "streams.version"), 1);
}

static enum kp_error
set_min_isr(struct world *world, const char *broker)
{
	struct kp_incremental_alter_configs_request_config config = {
		.name = slice_str("min.insync.replicas"),
		.value = slice_str("2"),
	};
	struct kp_incremental_alter_configs_request_resource resource = {
		.resource_type = 4,
		.resource_name = slice_str(broker),
		.configs = &config,
		.configs_count = 1,
	};
	const struct kp_incremental_alter_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};
	const struct kp_incremental_alter_configs_response *response =
	    raw_client_call(&world->client, KP_INCREMENTAL_ALTER_CONFIGS_KEY,
		1, &request);

	return (enum kp_error)response->responses[0].error_code;
}

/* Eligible leader replicas and a broker's own number exclude each other. */
static void
eligible_leader_replicas_go_and_come(void **state)
{
	struct world *world = *state;

	assert_int_equal(set_min_isr(world, "1"), KP_INVALID_CONFIG);
	assert_int_equal(
	    update(world, 2, ELR, 0, SAFE_DOWNGRADE, false)->error_code,
	    KP_NONE);
	assert_int_equal(finalized(world, ELR), 0);
	assert_int_equal(set_min_isr(world, "1"), KP_NONE);
	assert_int_equal(
	    update(world, 2, ELR, 1, UPGRADE, false)->error_code, KP_NONE);
	broker_process_kill(&world->broker);
	broker_process_restart(&world->broker);
	raw_client_fini(&world->client);
	raw_client_init(&world->client, &world->broker);
	assert_int_equal(finalized(world, ELR), 1);
	assert_int_equal(set_min_isr(world, "1"), KP_INVALID_CONFIG);
	assert_int_equal(set_min_isr(world, ""), KP_NONE);
}

/* A client of version 0 has no type to say; what it says counts upwards. */
static void
version_0_raises_only(void **state)
{
	struct world *world = *state;
	const struct kp_update_features_response *response;

	response = update(world, 0, "group.version", 0, 0, false);
	assert_int_equal(response->error_code, KP_INVALID_UPDATE_VERSION);
	assert_int_equal(response->results_count, 0);
	response = update(world, 0, "group.version", 1, 0, false);
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->results_count, 1);
	assert_true(
	    slice_equal_str(response->results[0].feature, "group.version"));
}

/* A data directory as Kafka 3.6 has made it, with that quorum. */
static void
format_old(struct world *world, bool voters)
{
	char path[128];
	struct program program;
	FILE *file;

	snprintf(path, sizeof(path), "%s/format.properties",
	    world->broker.directory);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fprintf(file, "node.id=1\n"
	    "process.roles=broker,controller\n"
	    "controller.listener.names=CONTROLLER\n"
	    "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n"
	    "log.dirs=%s/data\n%s", world->broker.directory,
	    voters ? "controller.quorum.voters=1@localhost:9093\n" : "") > 0);
	assert_int_equal(fclose(file), 0);
	program_start(&program, NULL,
	    PROGRAM_ARGUMENTS("storage", "format", "-c", path, "-t",
		"abcdefghijklmnopqrstuv", "-r", "3.6", voters ? NULL : "-s"));
	assert_int_equal(program_wait(&program), 0);
	program_fini(&program);
}

static int
start_formatted(void **state, bool voters)
{
	struct world *world = xcalloc(1, sizeof(*world));

	broker_process_init(&world->broker);
	format_old(world, voters);
	broker_process_restart(&world->broker);
	raw_client_init(&world->client, &world->broker);
	*state = world;
	return 0;
}

static int
start_old(void **state)
{
	return start_formatted(state, false);
}

static int
start_static(void **state)
{
	return start_formatted(state, true);
}

/* How many lines of the metadata log's dump have both texts. */
static size_t
dumped(struct world *world, const char *one, const char *other)
{
	char path[160];
	struct program program;
	size_t count = 0;
	char *text, *line;

	snprintf(path, sizeof(path), "%s/data/__cluster_metadata-0/"
	    "00000000000000000000.log", world->broker.directory);
	program_start(&program, NULL,
	    PROGRAM_ARGUMENTS("dump-log", "--cluster-metadata-decoder",
		"--files", path));
	assert_int_equal(program_wait(&program), 0);
	text = program_out(&program);
	for (char *rest = text; (line = strsep(&rest, "\n")) != NULL;)
		count += strstr(line, one) != NULL &&
		    strstr(line, other) != NULL;
	free(text);
	program_fini(&program);
	return count;
}

/* In how many records of the metadata log a partition gets directories. */
static size_t
assigned(struct world *world)
{
	return dumped(world, "\"PARTITION_CHANGE_RECORD\"",
	    "\"directories\":[\"");
}

/* What was written without directories gets them when there are any. */
static void
an_old_cluster_becomes_a_new_one(void **state)
{
	struct world *world = *state;
	const struct kp_update_features_response *response;

	raw_topic_create(&world->client, "t", 2);
	broker_process_stop(&world->broker);
	broker_process_restart(&world->broker);
	raw_client_fini(&world->client);
	raw_client_init(&world->client, &world->broker);
	raw_topic_create(&world->client, "u", 1);
	assert_int_equal(assigned(world), 0);
	response = update(world, 2, "metadata.version", 30, UPGRADE, false);
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(finalized(world, "metadata.version"), 30);
	for (int i = 0; i < 200 && assigned(world) < 3; i++)
		usleep(50 * 1000);
	assert_int_equal(assigned(world), 3);
}

/* Whose voter is in the configuration, and in the log from then on. */
static void
a_static_quorum_becomes_a_dynamic_one(void **state)
{
	struct world *world = *state;
	const struct kp_update_features_response *response;

	assert_int_equal(finalized(world, "kraft.version"), 0);
	response = update(world, 2, "kraft.version", 1, UPGRADE, true);
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(dumped(world, "KRaftVoters", ""), 0);
	for (int i = 0; i < 2; i++) {
		response =
		    update(world, 2, "kraft.version", 1, UPGRADE, false);
		assert_int_equal(response->error_code, KP_NONE);
		assert_int_equal(finalized(world, "kraft.version"), 1);
		raw_topic_create(&world->client, i == 0 ? "t" : "u", 1);
		assert_int_equal(
		    dumped(world, "KRaftVersion", "\"kRaftVersion\":1"), 1);
		assert_int_equal(dumped(world, "KRaftVoters",
				     "\"endpoints\":[{\"name\":\"CONTROLLER\""),
		    1);
		broker_process_kill(&world->broker);
		broker_process_restart(&world->broker);
		raw_client_fini(&world->client);
		raw_client_init(&world->client, &world->broker);
		assert_int_equal(finalized(world, "kraft.version"), 1);
	}
	assert_int_equal(raw_topic_end(&world->client, "u"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_level_counts_at_once_and_for_good),
		TEST(version_0_raises_only),
		TEST(a_new_cluster_is_of_kafkas_release),
		TEST(eligible_leader_replicas_go_and_come),
		cmocka_unit_test_setup_teardown(
		    an_old_cluster_becomes_a_new_one, start_old, stop),
		cmocka_unit_test_setup_teardown(
		    a_static_quorum_becomes_a_dynamic_one, start_static, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
