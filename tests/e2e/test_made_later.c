/*
 * Partitions whose directories cannot be made at first: they serve, and so do
 * the coordinators on them, when what was in the way is gone, without anybody's
 * doing anything else.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "unit/temp_dir.h"
#include "wire/error.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/offset_commit.h"
#include "wire/generated/produce.h"

#define DEADLINE_MS 60000
#define TOPIC "some"
#define OBSTACLES_COUNT 2

struct rig {
	struct broker_process broker;
	struct raw_client client;
	char *obstacles[OBSTACLES_COUNT];
};

/* Files of the names that partitions want for their directories. */
static int
setup(void **state)
{
	static const char *const names[OBSTACLES_COUNT] = { TOPIC "-0",
		"__consumer_offsets-0" };
	struct rig *rig = xcalloc(1, sizeof(*rig));
	char *data;

	broker_process_start(
	    &rig->broker, "--override", "offsets.topic.num.partitions=1", NULL);
	data = xasprintf("%s/data", rig->broker.directory);
	for (int i = 0; i < OBSTACLES_COUNT; i++) {
		rig->obstacles[i] = xasprintf("%s/%s", data, names[i]);
		temp_dir_put(data, names[i], "in the way");
	}
	free(data);
	raw_client_init(&rig->client, &rig->broker);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	raw_client_fini(&rig->client);
	broker_process_fini(&rig->broker);
	for (int i = 0; i < OBSTACLES_COUNT; i++)
		free(rig->obstacles[i]);
	free(rig);
	return 0;
}

static enum kp_error
produce(struct rig *rig)
{
	const struct kp_produce_response *response = raw_client_call(
	    &rig->client, KP_PRODUCE_KEY, RAW_TOPIC_PRODUCE_VERSION,
	    raw_topic_produce(&rig->client, TOPIC, -1, slice_str("value")));

	return response->responses[0].partition_responses[0].error_code;
}

static enum kp_error
find_coordinator(struct rig *rig)
{
	const struct kp_find_coordinator_request request = {
		.key = slice_str("group"),
	};
	const struct kp_find_coordinator_response *response =
	    raw_client_call(&rig->client, KP_FIND_COORDINATOR_KEY, 3, &request);

	return response->error_code;
}

static enum kp_error
commit(struct rig *rig)
{
	struct kp_offset_commit_request_partition partition = {
		.committed_offset = 1,
		.committed_leader_epoch = -1,
	};
	struct kp_offset_commit_request_topic topic = {
		.name = slice_str(TOPIC),
		.partitions = &partition,
		.partitions_count = 1,
	};
	const struct kp_offset_commit_request request = {
		.group_id = slice_str("group"),
		.generation_id_or_member_epoch = -1,
		.member_id = slice_str(""),
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_offset_commit_response *response =
	    raw_client_call(&rig->client, KP_OFFSET_COMMIT_KEY, 7, &request);

	return response->topics[0].partitions[0].error_code;
}

static void
await_success(struct rig *rig, enum kp_error (*call)(struct rig *rig))
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	enum kp_error error;

	while ((error = call(rig)) != KP_NONE) {
		assert_true(kp_error_is_retriable(error));
		assert_true(clock_monotonic_ms() < deadline);
		usleep(1000);
	}
}

static void
what_was_in_the_way_of_partitions_goes(void **state)
{
	struct rig *rig = *state;

	raw_topic_create(&rig->client, TOPIC, 1);
	assert_int_equal(produce(rig), KP_KAFKA_STORAGE_ERROR);
	(void)find_coordinator(rig);
	assert_int_not_equal(commit(rig), KP_NONE);
	for (int i = 0; i < OBSTACLES_COUNT; i++)
		assert_int_equal(unlink(rig->obstacles[i]), 0);
	await_success(rig, produce);
	await_success(rig, commit);
	assert_true(
	    broker_process_logged(&rig->broker, "Cannot create " TOPIC "-0"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_was_in_the_way_of_partitions_goes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
