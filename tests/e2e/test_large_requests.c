/*
 * Requests with very much in them: those of clients are answered, whatever
 * they hold; those that are only made to cost memory end their connection.
 */
#include "unit/unit.h"

#include "base/slice.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/error.h"
#include "wire/generated/metadata.h"
#include "wire/generated/offset_commit.h"
#include "wire/generated/offset_fetch.h"
#include "wire/generated/produce.h"

static struct broker_process broker;

static int
start_broker(void **state UNUSED)
{
	broker_process_start(&broker, "--dev", NULL);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

#define call(client, NAME, name, version, request)             \
	((const struct kp_##name##_response *)raw_client_call( \
	    client, KP_##NAME##_KEY, (int16_t)(version), request))

static void
metadata_of_many_topics(void **state UNUSED)
{
	enum { TOPICS = 100000 };
	struct kp_metadata_request_topic *topics =
	    xcalloc(TOPICS, sizeof(*topics));
	const struct kp_metadata_request request = {
		.topics = topics,
		.topics_count = TOPICS,
	};
	const struct kp_metadata_response *response;
	struct raw_client client;

	raw_client_init(&client, &broker);
	for (int i = 0; i < TOPICS; i++)
		topics[i].name = arena_printf(&client.arena, "t%05d", i);
	for (int16_t version = 1; version <= 13; version += 4) {
		response = call(&client, METADATA, metadata, version, &request);
		assert_int_equal(response->topics_count, TOPICS);
		assert_int_equal(response->topics[TOPICS - 1].error_code,
		    KP_UNKNOWN_TOPIC_OR_PARTITION);
	}
	raw_client_fini(&client);
	free(topics);
}

static void
batches_for_many_partitions(void **state UNUSED)
{
	enum { PARTITIONS = 10000 };
	struct kp_produce_request_partition *partitions =
	    xcalloc(PARTITIONS, sizeof(*partitions));
	const struct kp_produce_request *request;
	const struct kp_produce_response *response;
	struct raw_client client;
	struct kp_records records;

	raw_client_init(&client, &broker);
	raw_topic_create(&client, "wide", 1);
	request = raw_topic_produce(&client, "wide", 1, slice_str("v"));
	records = request->topic_data[0].partition_data[0].records;
	for (int i = 0; i < PARTITIONS; i++) {
		partitions[i].index = i;
		partitions[i].records = records;
	}
	request->topic_data[0].partition_data = partitions;
	request->topic_data[0].partition_data_count = PARTITIONS;
	response = call(
	    &client, PRODUCE, produce, RAW_TOPIC_PRODUCE_VERSION, request);
	assert_int_equal(
	    response->responses[0].partition_responses_count, PARTITIONS);
	for (int i = 0; i < PARTITIONS; i++)
		assert_int_equal(response->responses[0]
				     .partition_responses[i]
				     .error_code,
		    i == 0 ? KP_NONE : KP_UNKNOWN_TOPIC_OR_PARTITION);
	raw_client_fini(&client);
	free(partitions);
}

static void
offsets_of_many_partitions(void **state UNUSED)
{
	enum { PARTITIONS = 100000, VERSION = 9 };
	struct kp_offset_commit_request_partition *partitions =
	    xcalloc(PARTITIONS, sizeof(*partitions));
	struct kp_offset_commit_request_topic topic = {
		.name = slice_str("offsets"),
		.partitions = partitions,
		.partitions_count = PARTITIONS,
	};
	const struct kp_offset_commit_request request = {
		.group_id = slice_str("g"),
		.generation_id_or_member_epoch = -1,
		.member_id = slice_str(""),
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_offset_commit_response *response;
	struct raw_client client;

	raw_client_init(&client, &broker);
	raw_topic_create(&client, "offsets", 1);
	for (int i = 0; i < PARTITIONS; i++)
		partitions[i].partition_index = i;
	response =
	    call(&client, OFFSET_COMMIT, offset_commit, VERSION, &request);
	assert_int_equal(response->topics[0].partitions_count, PARTITIONS);
	assert_int_equal(response->topics[0].partitions[1].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	raw_client_fini(&client);
	free(partitions);
}

/* As a tool asks for all groups of a large cluster, with short names. */
static void
offsets_of_many_groups(void **state UNUSED)
{
	enum { GROUPS = 30000, VERSION = 8 };
	int32_t partition = 0;
	struct kp_offset_fetch_request_group_topic topic = {
		.name = slice_str("t"),
		.partition_indexes = &partition,
		.partition_indexes_count = 1,
	};
	struct kp_offset_fetch_request_group *groups =
	    xcalloc(GROUPS, sizeof(*groups));
	const struct kp_offset_fetch_request request = {
		.groups = groups,
		.groups_count = GROUPS,
	};
	const struct kp_offset_fetch_response *response;
	struct raw_client client;

	raw_client_init(&client, &broker);
	for (int i = 0; i < GROUPS; i++) {
		groups[i].group_id = arena_printf(&client.arena, "g%d", i);
		groups[i].topics = &topic;
		groups[i].topics_count = 1;
	}
	response =
	    call(&client, OFFSET_FETCH, offset_fetch, VERSION, &request);
	assert_int_equal(response->groups_count, GROUPS);
	assert_true(
	    slice_equal_str(response->groups[GROUPS - 1].group_id, "g29999"));
	raw_client_fini(&client);
	free(groups);
}

/* Groups without a name: each is 3 bytes of the frame, and 56 in memory. */
static void
nothing_but_elements_is_refused(void **state UNUSED)
{
	enum { GROUPS = 300000, VERSION = 8 };
	struct kp_offset_fetch_request_group *groups =
	    xcalloc(GROUPS, sizeof(*groups));
	const struct kp_offset_fetch_request request = {
		.groups = groups,
		.groups_count = GROUPS,
	};
	struct raw_client client;

	for (int i = 0; i < GROUPS; i++)
		groups[i].group_id = slice_str("");
	raw_client_init(&client, &broker);
	raw_client_request(
	    &client, KP_OFFSET_FETCH_KEY, VERSION, 1, &request);
	raw_client_expect_close(&client);
	raw_client_fini(&client);
	assert_true(broker_process_logged(&broker,
	    "invalid OffsetFetch request, version 8, of 900"));
	free(groups);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_of_many_topics),
		cmocka_unit_test(batches_for_many_partitions),
		cmocka_unit_test(offsets_of_many_partitions),
		cmocka_unit_test(offsets_of_many_groups),
		cmocka_unit_test(nothing_but_elements_is_refused),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
