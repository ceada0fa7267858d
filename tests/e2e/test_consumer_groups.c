/*
 * Consumer groups (KIP-848) by plain frames, through kills of the broker: the
 * client library that we test with does not speak their protocol.  Its members
 * of the classic one share a group with one that does.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/group_member.h"
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

/* --- With members of the classic protocol --------------------------------- */

#define CLASSIC_COUNT 2

/* A member by plain frames, and what it owns. */
struct newcomer {
	struct raw_client client;
	int32_t epoch;
	struct uuid topic_id;
	int32_t owned[GROUP_PARTITIONS];
	int32_t owned_count;
};

static void
take_assignment(struct newcomer *newcomer,
    const struct kp_consumer_group_heartbeat_response_assignment *given)
{
	newcomer->owned_count = 0;
	if (given->topic_partitions_count == 0)
		return;
	newcomer->topic_id = given->topic_partitions[0].topic_id;
	for (int32_t i = 0; i < given->topic_partitions[0].partitions_count;
	    i++)
		newcomer->owned[newcomer->owned_count++] =
		    given->topic_partitions[0].partitions[i];
}

/* A heartbeat that says what it owns. */
static void
beat_owning(struct newcomer *newcomer)
{
	struct kp_consumer_group_heartbeat_request_topic_partition owned = {
		.topic_id = newcomer->topic_id,
		.partitions = newcomer->owned,
		.partitions_count = newcomer->owned_count,
	};
	struct kp_consumer_group_heartbeat_request request;
	const struct kp_consumer_group_heartbeat_response *response;

	kp_defaults(&kp_consumer_group_heartbeat_request, &request);
	request.group_id = slice_str("g");
	request.member_id = slice_str("member");
	request.member_epoch = newcomer->epoch;
	request.topic_partitions = &owned;
	request.topic_partitions_count = newcomer->owned_count > 0;
	response = raw_client_call(&newcomer->client, HEARTBEAT, 1, &request);
	assert_int_equal(response->error_code, KP_NONE);
	newcomer->epoch = response->member_epoch;
	if (response->assignment != NULL)
		take_assignment(newcomer, response->assignment);
}

/* Nobody else owns what it owns. */
static void
check_apart(const struct newcomer *newcomer, const struct group_member *members)
{
	for (int32_t i = 0; i < newcomer->owned_count; i++)
		for (size_t m = 0; m < CLASSIC_COUNT; m++)
			assert_false(members[m].owned[newcomer->owned[i]]);
}

static bool
has_settled(const struct newcomer *newcomer, const struct group_member *members)
{
	int share = GROUP_PARTITIONS / (CLASSIC_COUNT + 1);

	for (size_t m = 0; m < CLASSIC_COUNT; m++)
		if (group_member_owns(&members[m]) != share)
			return false;
	return newcomer->owned_count == share;
}

/*
 * A member of the consumer protocol joins a classic group of librdkafka's,
 * gets its share from them, and gives it back when it leaves.
 */
static void
classic_members_hand_over_and_back(void **unused UNUSED)
{
	static const char *const range[] = { "partition.assignment.strategy",
		"range", NULL };
	int64_t deadline_ms = clock_monotonic_ms() + 2 * DEADLINE_MS;
	struct newcomer newcomer = { .owned_count = 0 };
	static struct group_view view;
	struct group_member members[CLASSIC_COUNT];
	struct broker_process broker;

	broker_process_start(&broker, NULL);
	raw_client_init(&newcomer.client, &broker);
	prepare(&newcomer.client);
	raw_topic_create(&newcomer.client, "t", GROUP_PARTITIONS);
	for (size_t m = 0; m < CLASSIC_COUNT; m++)
		group_member_init(&members[m], &broker, &view, "g", "t", range);
	group_members_settle(members, CLASSIC_COUNT);
	newcomer.epoch = beat(&newcomer.client, 1, 0, "t", NULL)->member_epoch;
	assert_true(newcomer.epoch > 0);
	while (!has_settled(&newcomer, members)) {
		assert_true(clock_monotonic_ms() < deadline_ms);
		group_members_poll(members, CLASSIC_COUNT, 50);
		beat_owning(&newcomer);
		check_apart(&newcomer, members);
	}
	check_described(&newcomer.client, "Stable", CLASSIC_COUNT + 1);
	assert_int_equal(
	    beat(&newcomer.client, 1, -1, NULL, NULL)->error_code, KP_NONE);
	group_members_settle(members, CLASSIC_COUNT);
	for (size_t m = 0; m < CLASSIC_COUNT; m++)
		group_member_close(&members[m]);
	raw_client_fini(&newcomer.client);
	broker_process_fini(&broker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_survive_kills),
		cmocka_unit_test(expressions_are_resolved),
		cmocka_unit_test(classic_members_hand_over_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
