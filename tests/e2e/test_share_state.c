/*
 * The share coordinator by plain frames: what each API answers in each state,
 * and what is left after a restart, a kill, and the end of a topic.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "wire/error.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/delete_share_group_state.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/describe_configs.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/initialize_share_group_state.h"
#include "wire/generated/read_share_group_state.h"
#include "wire/generated/read_share_group_state_summary.h"
#include "wire/generated/write_share_group_state.h"

#define PARTITIONS 3
#define STATE_TOPIC "__share_group_state"

struct world {
	struct broker_process broker;
	struct raw_client client;
	struct uuid topic_id;
};

#define call(world, NAME, name, version, request)                    \
	((const struct kp_##name##_response *)raw_client_call(       \
	    &(world)->client, KP_##NAME##_KEY, (int16_t)(version), \
	    request))

/* The only partition of the only topic of a response. */
#define only(response)                                      \
	(assert_int_equal((response)->results_count, 1),     \
	    assert_int_equal(                                \
		(response)->results[0].partitions_count, 1), \
	    &(response)->results[0].partitions[0])

/* --- The world ----------------------------------------------------------- */

static struct uuid
create_topic(struct world *world, const char *name)
{
	struct kp_create_topics_request_topic topic = {
		.name = slice_str(name),
		.num_partitions = PARTITIONS,
		.replication_factor = 1,
	};
	struct kp_create_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = 10000,
	};
	const struct kp_create_topics_response *response =
	    call(world, CREATE_TOPICS, create_topics, 7, &request);

	assert_int_equal(response->topics[0].error_code, KP_NONE);
	return response->topics[0].topic_id;
}

static void
delete_topic(struct world *world, struct uuid id)
{
	struct kp_delete_topics_request_topic topic = {
		.name = SLICE_NULL,
		.topic_id = id,
	};
	struct kp_delete_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = 10000,
	};
	const struct kp_delete_topics_response *response =
	    call(world, DELETE_TOPICS, delete_topics, 6, &request);

	assert_int_equal(response->responses[0].error_code, KP_NONE);
}

static enum kp_error
find_coordinator(struct world *world, int version, struct slice key)
{
	struct kp_find_coordinator_request request = {
		.key_type = 2,
		.coordinator_keys = &key,
		.coordinator_keys_count = 1,
	};
	const struct kp_find_coordinator_response *response = call(
	    world, FIND_COORDINATOR, find_coordinator, version, &request);

	assert_int_equal(response->coordinators_count, 1);
	if (response->coordinators[0].error_code == KP_NONE)
		assert_int_equal(
		    response->coordinators[0].port, world->broker.port);
	return (enum kp_error)response->coordinators[0].error_code;
}

/* The first look-up of a coordinator makes the topic. */
static void
prepare(struct world *world)
{
	char id[UUID_TEXT_LEN + 1], key[64];

	uuid_format(world->topic_id, id);
	snprintf(key, sizeof(key), "g:%s:0", id);
	assert_int_equal(find_coordinator(world, 6, slice_str(key)), KP_NONE);
}

static int
start(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	/* Snapshots come soon. */
	broker_process_start(&world->broker, "--override",
	    "share.coordinator.snapshot.update.records.per.snapshot=3",
	    "--override", "share.coordinator.state.topic.num.partitions=2",
	    "--override", "share.coordinator.state.topic.prune.interval.ms=50",
	    "--override",
	    "share.coordinator.cold.partition.snapshot.interval.ms=200", NULL);
	raw_client_init(&world->client, &world->broker);
	world->topic_id = create_topic(world, "t");
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

static void
reconnect(struct world *world)
{
	raw_client_fini(&world->client);
	raw_client_init(&world->client, &world->broker);
}

/* --- The calls, about one partition -------------------------------------- */

static enum kp_error
initialize(struct world *world, int32_t index, int32_t state_epoch,
    int64_t start_offset)
{
	struct kp_initialize_share_group_state_request_partition partition = {
		.partition = index,
		.state_epoch = state_epoch,
		.start_offset = start_offset,
	};
	struct kp_initialize_share_group_state_request_topic topic = {
		world->topic_id,
		&partition,
		1,
	};
	struct kp_initialize_share_group_state_request request = {
		slice_str("g"),
		&topic,
		1,
	};
	const struct kp_initialize_share_group_state_response *response =
	    call(world, INITIALIZE_SHARE_GROUP_STATE,
		initialize_share_group_state, 0, &request);

	assert_true(
	    uuid_equal(response->results[0].topic_id, world->topic_id));
	assert_int_equal(only(response)->partition, index);
	return (enum kp_error)only(response)->error_code;
}

static const struct kp_read_share_group_state_response_partition *
read_state(struct world *world, int32_t index, int32_t leader_epoch)
{
	struct kp_read_share_group_state_request_partition partition = {
		index,
		leader_epoch,
	};
	struct kp_read_share_group_state_request_topic topic = {
		world->topic_id,
		&partition,
		1,
	};
	struct kp_read_share_group_state_request request = {
		slice_str("g"),
		&topic,
		1,
	};
	const struct kp_read_share_group_state_response *response =
	    call(world, READ_SHARE_GROUP_STATE, read_share_group_state, 0,
		&request);

	assert_int_equal(only(response)->partition, index);
	return only(response);
}

static const struct kp_read_share_group_state_summary_response_partition *
read_summary(struct world *world, int32_t index)
{
	struct kp_read_share_group_state_summary_request_partition partition =
	    { index, -1 };
	struct kp_read_share_group_state_summary_request_topic topic = {
		world->topic_id,
		&partition,
		1,
	};
	struct kp_read_share_group_state_summary_request request = {
		slice_str("g"),
		&topic,
		1,
	};
	const struct kp_read_share_group_state_summary_response *response =
	    call(world, READ_SHARE_GROUP_STATE_SUMMARY,
		read_share_group_state_summary, 1, &request);

	return only(response);
}

/* One batch, acknowledged at its first delivery. */
static enum kp_error
write_as(struct world *world, int32_t index, int32_t state_epoch,
    int32_t leader_epoch, int64_t first, int64_t last)
{
	struct kp_write_share_group_state_request_state_batche batch = {
		first,
		last,
		2,
		1,
	};
	struct kp_write_share_group_state_request_partition partition = {
		.partition = index,
		.state_epoch = state_epoch,
		.leader_epoch = leader_epoch,
		.start_offset = -1,
		.delivery_complete_count = (int32_t)last,
		.state_batches = &batch,
		.state_batches_count = 1,
	};
	struct kp_write_share_group_state_request_topic topic = {
		world->topic_id,
		&partition,
		1,
	};
	struct kp_write_share_group_state_request request = {
		slice_str("g"),
		&topic,
		1,
	};
	const struct kp_write_share_group_state_response *response =
	    call(world, WRITE_SHARE_GROUP_STATE, write_share_group_state, 1,
		&request);

	return (enum kp_error)only(response)->error_code;
}

static enum kp_error
write_state(struct world *world, int32_t index, int64_t first, int64_t last)
{
	return write_as(world, index, -1, -1, first, last);
}

static enum kp_error
delete_state(struct world *world, int32_t index)
{
	struct kp_delete_share_group_state_request_partition partition = {
		index,
	};
	struct kp_delete_share_group_state_request_topic topic = {
		world->topic_id,
		&partition,
		1,
	};
	struct kp_delete_share_group_state_request request = {
		slice_str("g"),
		&topic,
		1,
	};
	const struct kp_delete_share_group_state_response *response =
	    call(world, DELETE_SHARE_GROUP_STATE, delete_share_group_state, 0,
		&request);

	return (enum kp_error)only(response)->error_code;
}

/* --- Tests --------------------------------------------------------------- */

static void
coordinators_are_found_by_key(void **state)
{
	struct world *world = *state;
	static const char *const malformed[] = { "", "g", "g:0", "g:x:0",
		"g:AAAAAAAAAAAAAAAAAAAAAA:", "g:AAAAAAAAAAAAAAAAAAAAAA:x" };

	for (size_t i = 0; i < COUNT_OF(malformed); i++)
		assert_int_equal(
		    find_coordinator(world, 6, slice_str(malformed[i])),
		    KP_INVALID_REQUEST);
	/* What is malformed has made no topic. */
	assert_int_equal(initialize(world, 0, 0, 0), KP_NOT_COORDINATOR);
	prepare(world);
	assert_int_equal(find_coordinator(world, 5,
			     slice_str("g:AAAAAAAAAAAAAAAAAAAAAA:0")),
	    KP_INVALID_REQUEST);
}

static void
without_a_topic_nobody_coordinates(void **state)
{
	struct world *world = *state;
	const struct kp_read_share_group_state_response_partition *told;

	assert_int_equal(initialize(world, 0, 0, 0), KP_NOT_COORDINATOR);
	assert_int_equal(write_state(world, 0, 0, 1), KP_NOT_COORDINATOR);
	assert_int_equal(delete_state(world, 0), KP_NOT_COORDINATOR);
	assert_int_equal(
	    read_summary(world, 0)->error_code, KP_NOT_COORDINATOR);
	told = read_state(world, 0, 0);
	assert_int_equal(told->error_code, KP_NOT_COORDINATOR);
	assert_memory_equal(
	    told->error_message.data, "Unable to read share group state", 32);
}

static void
what_is_not_initialized_is_not_read(void **state)
{
	struct world *world = *state;
	const struct kp_read_share_group_state_response_partition *told;
	const struct kp_read_share_group_state_summary_response_partition *sum;

	prepare(world);
	told = read_state(world, 0, 0);
	assert_int_equal(told->error_code, KP_INVALID_REQUEST);
	assert_true(slice_equal_str(told->error_message,
	    "Read operation on uninitialized share partition not allowed."));
	assert_int_equal(write_state(world, 0, 0, 1), KP_INVALID_REQUEST);
	assert_int_equal(delete_state(world, 0), KP_NONE);
	sum = read_summary(world, 0);
	assert_int_equal(sum->error_code, KP_NONE);
	assert_int_equal(sum->start_offset, -1);
	assert_int_equal(sum->delivery_complete_count, -1);
	assert_int_equal(sum->state_epoch, 0);
}

static void
impossible_keys_are_refused(void **state)
{
	struct world *world = *state;

	prepare(world);
	assert_int_equal(initialize(world, -1, 0, 0), KP_INVALID_REQUEST);
	assert_int_equal(read_state(world, -1, 0)->error_code,
	    KP_INVALID_REQUEST);
	assert_int_equal(delete_state(world, -1), KP_INVALID_REQUEST);
	assert_int_equal(initialize(world, PARTITIONS, 0, 0),
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(read_summary(world, PARTITIONS)->error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	world->topic_id.bytes[3] ^= 1;
	assert_int_equal(
	    initialize(world, 0, 0, 0), KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(delete_state(world, 0), KP_UNKNOWN_TOPIC_OR_PARTITION);
}

static void
requests_without_partitions_are_answered_empty(void **state)
{
	struct world *world = *state;
	struct kp_read_share_group_state_request request = {
		.group_id = slice_str("g"),
	};
	struct kp_read_share_group_state_request_topic topic = {
		.topic_id = world->topic_id,
	};

	prepare(world);
	assert_int_equal(call(world, READ_SHARE_GROUP_STATE,
			     read_share_group_state, 0, &request)
			     ->results_count,
	    0);
	request.topics = &topic;
	request.topics_count = 1;
	assert_int_equal(call(world, READ_SHARE_GROUP_STATE,
			     read_share_group_state, 0, &request)
			     ->results_count,
	    0);
}

static void
old_epochs_are_fenced(void **state)
{
	struct world *world = *state;

	prepare(world);
	assert_int_equal(initialize(world, 0, 5, 0), KP_NONE);
	assert_int_equal(initialize(world, 0, 4, 0), KP_FENCED_STATE_EPOCH);
	assert_int_equal(write_as(world, 0, 4, 0, 0, 1), KP_FENCED_STATE_EPOCH);
	assert_int_equal(read_state(world, 0, 7)->error_code, KP_NONE);
	assert_int_equal(
	    read_state(world, 0, 6)->error_code, KP_FENCED_LEADER_EPOCH);
	assert_int_equal(
	    write_as(world, 0, 5, 6, 0, 1), KP_FENCED_LEADER_EPOCH);
	assert_int_equal(write_as(world, 0, 5, 7, 0, 1), KP_NONE);
	assert_int_equal(read_summary(world, 0)->leader_epoch, 7);
	assert_int_equal(read_summary(world, 0)->state_epoch, 5);
}

static void
assert_all_written(struct world *world)
{
	const struct kp_read_share_group_state_response_partition *told =
	    read_state(world, 1, -1);

	assert_int_equal(told->error_code, KP_NONE);
	assert_true(slice_is_null(told->error_message));
	assert_int_equal(told->state_epoch, 1);
	assert_int_equal(told->start_offset, 10);
	assert_int_equal(told->state_batches_count, 2);
	assert_int_equal(told->state_batches[0].first_offset, 10);
	assert_int_equal(told->state_batches[0].last_offset, 19);
	assert_int_equal(told->state_batches[0].delivery_state, 2);
	assert_int_equal(told->state_batches[0].delivery_count, 1);
	assert_int_equal(told->state_batches[1].first_offset, 30);
	assert_int_equal(told->state_batches[1].last_offset, 39);
	assert_int_equal(read_summary(world, 1)->delivery_complete_count, 39);
}

static void
states_outlive_the_broker(void **state)
{
	struct world *world = *state;

	prepare(world);
	assert_int_equal(initialize(world, 1, 1, 10), KP_NONE);
	assert_int_equal(initialize(world, 2, 1, -1), KP_NONE);
	for (int64_t first = 10; first < 20; first += 2)
		assert_int_equal(
		    write_state(world, 1, first, first + 1), KP_NONE);
	assert_int_equal(write_state(world, 1, 30, 39), KP_NONE);
	assert_all_written(world);
	broker_process_stop(&world->broker);
	broker_process_restart(&world->broker);
	reconnect(world);
	assert_all_written(world);
	assert_int_equal(read_summary(world, 2)->start_offset, -1);
	broker_process_kill(&world->broker);
	broker_process_restart(&world->broker);
	reconnect(world);
	assert_all_written(world);
	assert_int_equal(delete_state(world, 1), KP_NONE);
	assert_int_equal(
	    read_state(world, 1, -1)->error_code, KP_INVALID_REQUEST);
	broker_process_kill(&world->broker);
	broker_process_restart(&world->broker);
	reconnect(world);
	assert_int_equal(
	    read_state(world, 1, -1)->error_code, KP_INVALID_REQUEST);
}

/* A topic of the same name is another topic. */
static void
states_go_with_their_topic(void **state)
{
	struct world *world = *state;

	prepare(world);
	assert_int_equal(initialize(world, 0, 1, 10), KP_NONE);
	delete_topic(world, world->topic_id);
	assert_int_equal(
	    initialize(world, 0, 2, 10), KP_UNKNOWN_TOPIC_OR_PARTITION);
	world->topic_id = create_topic(world, "t");
	assert_int_equal(
	    read_state(world, 0, 0)->error_code, KP_INVALID_REQUEST);
}

static void
assert_config(const struct kp_describe_configs_response_result *result,
    const char *name, const char *value)
{
	for (int32_t i = 0; i < result->configs_count; i++)
		if (slice_equal_str(result->configs[i].name, name)) {
			assert_true(slice_equal_str(
			    result->configs[i].value, value));
			return;
		}
	fail_msg("no %s", name);
}

/* All of it counts until it is told to be gone: nothing is compacted. */
static void
the_topic_keeps_what_it_is_given(void **state)
{
	struct world *world = *state;
	struct kp_describe_configs_request_resource resource = {
		.resource_type = 2,
		.resource_name = slice_str(STATE_TOPIC),
		.configuration_keys_count = -1,
	};
	struct kp_describe_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};
	const struct kp_describe_configs_response *response;

	prepare(world);
	response =
	    call(world, DESCRIBE_CONFIGS, describe_configs, 4, &request);
	assert_int_equal(response->results[0].error_code, KP_NONE);
	assert_config(&response->results[0], "cleanup.policy", "delete");
	assert_config(&response->results[0], "retention.ms", "-1");
	assert_config(&response->results[0], "segment.bytes", "104857600");
	assert_config(&response->results[0], "min.insync.replicas", "2");
	assert_config(&response->results[0], "compression.type", "producer");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(coordinators_are_found_by_key),
		TEST(without_a_topic_nobody_coordinates),
		TEST(what_is_not_initialized_is_not_read),
		TEST(impossible_keys_are_refused),
		TEST(requests_without_partitions_are_answered_empty),
		TEST(old_epochs_are_fenced),
		TEST(states_outlive_the_broker),
		TEST(states_go_with_their_topic),
		TEST(the_topic_keeps_what_it_is_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
