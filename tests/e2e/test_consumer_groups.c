/*
 * Consumer groups (KIP-848) by plain frames, through kills of the broker: the
 * client library that we test with does not speak their protocol.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/consumer_group_describe.h"
#include "wire/generated/consumer_group_heartbeat.h"
#include "wire/generated/find_coordinator.h"

#define FIND_COORDINATOR 10
#define HEARTBEAT 68
#define DESCRIBE 69
#define DEADLINE_MS 30000

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

static const struct kp_consumer_group_heartbeat_response *
beat(struct raw_client *client, int16_t version, int32_t epoch,
    const char *topic, const char *regex)
{
	struct slice name = slice_str(topic);
	struct kp_consumer_group_heartbeat_request request;

	kp_defaults(&kp_consumer_group_heartbeat_request, &request);
	request.group_id = slice_str("g");
	request.member_id = slice_str("member");
	request.member_epoch = epoch;
	if (epoch == 0) {
		request.rebalance_timeout_ms = 30000;
		request.topic_partitions_count = 0;
		request.subscribed_topic_names = &name;
		request.subscribed_topic_names_count = topic != NULL;
		request.subscribed_topic_regex = slice_str(regex);
	}
	return raw_client_call(client, HEARTBEAT, version, &request);
}

static int32_t
assigned_count(const struct kp_consumer_group_heartbeat_response *response)
{
	int32_t count = 0;

	if (response->assignment == NULL)
		return 0;
	for (int32_t i = 0; i < response->assignment->topic_partitions_count;
	    i++)
		count +=
		    response->assignment->topic_partitions[i].partitions_count;
	return count;
}

static void
check_described(struct raw_client *client, const char *state, int32_t members)
{
	struct slice name = slice_str("g");
	struct kp_consumer_group_describe_request request = {
		.group_ids = &name,
		.group_ids_count = 1,
	};
	const struct kp_consumer_group_describe_response *response =
	    raw_client_call(client, DESCRIBE, 1, &request);

	assert_int_equal(response->groups_count, 1);
	assert_int_equal(response->groups[0].error_code, KP_NONE);
	assert_true(slice_equal_str(response->groups[0].group_state, state));
	assert_int_equal(response->groups[0].members_count, members);
}

/* After a kill a member goes on as if nothing had been. */
static void
members_survive_kills(void **unused UNUSED)
{
	const struct kp_consumer_group_heartbeat_response *response;
	struct broker_process broker;
	struct raw_client client;

	broker_process_start(&broker, NULL);
	raw_client_init(&client, &broker);
	prepare(&client);
	raw_topic_create(&client, "t", 3);
	response = beat(&client, 0, 0, "t", NULL);
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->member_epoch, 2);
	assert_int_equal(assigned_count(response), 3);
	raw_client_fini(&client);
	for (int i = 0; i < 3; i++) {
		broker_process_kill(&broker);
		broker_process_restart(&broker);
		raw_client_init(&client, &broker);
		response = beat(&client, 1, 2, NULL, NULL);
		assert_int_equal(response->error_code, KP_NONE);
		assert_int_equal(response->member_epoch, 2);
		assert_null(response->assignment);
		check_described(&client, "Stable", 1);
		raw_client_fini(&client);
	}
	raw_client_init(&client, &broker);
	response = beat(&client, 1, 3, NULL, NULL);
	assert_int_equal(response->error_code, KP_FENCED_MEMBER_EPOCH);
	assert_false(slice_is_null(response->error_message));
	response = beat(&client, 1, -1, NULL, NULL);
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->member_epoch, -1);
	check_described(&client, "Empty", 0);
	raw_client_fini(&client);
	broker_process_fini(&broker);
}

/* What an expression matches is found soon after it was said. */
static void
expressions_are_resolved(void **unused UNUSED)
{
	const struct kp_consumer_group_heartbeat_response *response;
	int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
	struct broker_process broker;
	struct raw_client client;

	broker_process_start(&broker, NULL);
	raw_client_init(&client, &broker);
	prepare(&client);
	raw_topic_create(&client, "t-1", 2);
	raw_topic_create(&client, "t-2", 1);
	raw_topic_create(&client, "other", 1);
	response = beat(&client, 1, 0, NULL, "t-[0-9]");
	assert_int_equal(response->error_code, KP_NONE);
	while (assigned_count(response) == 0) {
		assert_true(clock_monotonic_ms() < deadline_ms);
		response = beat(&client, 1, response->member_epoch, NULL, NULL);
		assert_int_equal(response->error_code, KP_NONE);
	}
	assert_int_equal(assigned_count(response), 3);
	response = beat(&client, 1, 0, NULL, "(");
	assert_int_equal(response->error_code, KP_INVALID_REGULAR_EXPRESSION);
	raw_client_fini(&client);
	broker_process_fini(&broker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_survive_kills),
		cmocka_unit_test(expressions_are_resolved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
