/*
 * A disk that does not answer: every sync of the broker is held, those of its
 * background threads, too.  Who asks for something durable waits, and all
 * others are served as if nothing was.
 *
 * No time is asserted, because the order says it all: the others are answered
 * while the syncs are held.  How long the slowest answer took is printed;
 * `test_stalled_disk SECONDS` holds the syncs for so long.
 */
#include "unit/unit.h"

#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "e2e/sync_gate.h"
#include "wire/error.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/describe_cluster.h"
#include "wire/generated/describe_configs.h"
#include "wire/generated/describe_groups.h"
#include "wire/generated/fetch.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/list_groups.h"
#include "wire/generated/list_offsets.h"
#include "wire/generated/metadata.h"
#include "wire/generated/offset_commit.h"
#include "wire/generated/produce.h"
#include "wire/generated/sync_group.h"

/* What automake takes for a test that was left out. */
#define EXIT_LEFT_OUT 77

#define ROUNDS 20
#define CACHED 50 /* records that are durable before the disk stalls */
#define COMMITTED 7

#define TOPIC "some"
#define GROUP "group"

static struct broker_process broker;
static int64_t stall_ms;

/* A member of GROUP, which is stable. */
static struct {
	char id[128];
	int32_t generation;
} member;

static struct slice
member_id(void)
{
	return slice_str(member.id);
}

#define call(client, NAME, name, version, request)             \
	((const struct kp_##name##_response *)raw_client_call( \
	    client, KP_##NAME##_KEY, version, request))

/* --- A group and a producer ---------------------------------------------- */

static void
produce(struct raw_client *client, int16_t acks)
{
	const struct kp_produce_response *response =
	    call(client, PRODUCE, produce, RAW_TOPIC_PRODUCE_VERSION,
		raw_topic_produce(client, TOPIC, acks, slice_str("value")));

	assert_int_equal(
	    response->responses[0].partition_responses[0].error_code, KP_NONE);
}

static const struct kp_join_group_response *
join(struct raw_client *client)
{
	struct kp_join_group_request_protocol protocol = { slice_str("range"),
		slice_str("") };
	const struct kp_join_group_request request = {
		.group_id = slice_str(GROUP),
		.session_timeout_ms = 60000,
		.rebalance_timeout_ms = 60000,
		.member_id = member_id(),
		.protocol_type = slice_str("consumer"),
		.protocols = &protocol,
		.protocols_count = 1,
	};

	return call(client, JOIN_GROUP, join_group, 5, &request);
}

static void
join_group(struct raw_client *client)
{
	const struct kp_join_group_response *joined = join(client);
	struct kp_sync_group_request sync = {
		.group_id = slice_str(GROUP),
	};

	assert_int_equal(joined->error_code, KP_MEMBER_ID_REQUIRED);
	snprintf(
	    member.id, sizeof(member.id), "%.*s", SLICE_ARG(joined->member_id));
	joined = join(client);
	assert_int_equal(joined->error_code, KP_NONE);
	member.generation = joined->generation_id;
	sync.member_id = member_id();
	sync.generation_id = member.generation;
	assert_int_equal(
	    call(client, SYNC_GROUP, sync_group, 3, &sync)->error_code,
	    KP_NONE);
}

static const struct kp_offset_commit_request *
commit_of(struct raw_client *client, int64_t offset)
{
	struct arena *arena = &client->arena;
	struct kp_offset_commit_request_partition *partition =
	    arena_xcalloc(arena, 1, sizeof(*partition));
	struct kp_offset_commit_request_topic *topic =
	    arena_xcalloc(arena, 1, sizeof(*topic));
	struct kp_offset_commit_request *request =
	    arena_xcalloc(arena, 1, sizeof(*request));

	partition->committed_offset = offset;
	partition->committed_leader_epoch = -1;
	topic->name = slice_str(TOPIC);
	topic->partitions = partition;
	topic->partitions_count = 1;
	request->group_id = slice_str(GROUP);
	request->generation_id_or_member_epoch = member.generation;
	request->member_id = member_id();
	request->topics = topic;
	request->topics_count = 1;
	return request;
}

#define COMMIT_VERSION 7

static void
expect_committed(const struct kp_offset_commit_response *response)
{
	assert_int_equal(response->topics[0].partitions[0].error_code, KP_NONE);
}

/* --- Who is served meanwhile --------------------------------------------- */

static void
ask_api_versions(struct raw_client *client)
{
	assert_int_equal(
	    call(client, API_VERSIONS, api_versions, 0, NULL)->error_code,
	    KP_NONE);
}

static void
ask_metadata(struct raw_client *client)
{
	struct kp_metadata_request_topic topic = { .name = slice_str(TOPIC) };
	const struct kp_metadata_request request = { .topics = &topic,
		.topics_count = 1 };
	const struct kp_metadata_response *response =
	    call(client, METADATA, metadata, 9, &request);

	assert_int_equal(response->topics_count, 1);
	assert_int_equal(response->topics[0].error_code, KP_NONE);
	assert_int_equal(response->topics[0].partitions[0].leader_id, 1);
}

static void
ask_describe_cluster(struct raw_client *client)
{
	assert_int_equal(
	    call(client, DESCRIBE_CLUSTER, describe_cluster, 0, NULL)
		->brokers_count,
	    1);
}

static void
ask_describe_configs(struct raw_client *client)
{
	struct kp_describe_configs_request_resource resource = {
		.resource_type = 2,
		.resource_name = slice_str(TOPIC),
		.configuration_keys_count = -1,
	};
	const struct kp_describe_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};
	const struct kp_describe_configs_response *response =
	    call(client, DESCRIBE_CONFIGS, describe_configs, 4, &request);

	assert_int_equal(response->results_count, 1);
	assert_int_equal(response->results[0].error_code, KP_NONE);
}

/* What is not durable yet is not told. */
static void
ask_list_offsets(struct raw_client *client)
{
	int64_t end;

	assert_int_equal(raw_topic_try_end(client, TOPIC, &end), KP_NONE);
	assert_int_equal(end, CACHED);
}

static void
ask_fetch(struct raw_client *client)
{
	struct kp_fetch_request_partition partition = {
		.current_leader_epoch = -1,
		.log_start_offset = -1,
		.partition_max_bytes = 1000000,
	};
	struct kp_fetch_request_topic topic = {
		.topic = slice_str(TOPIC),
		.partitions = &partition,
		.partitions_count = 1,
	};
	const struct kp_fetch_request request = {
		.replica_id = -1,
		.max_bytes = 1000000,
		.session_epoch = -1,
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_fetch_response *response =
	    call(client, FETCH, fetch, 11, &request);
	const struct kp_fetch_response_partition *found =
	    &response->responses[0].partitions[0];

	assert_int_equal(found->error_code, KP_NONE);
	assert_int_equal(found->high_watermark, CACHED);
	assert_true(found->records.bytes.len > 0);
}

static void
ask_produce(struct raw_client *client)
{
	produce(client, 1);
}

static void
ask_find_coordinator(struct raw_client *client)
{
	const struct kp_find_coordinator_request request = {
		.key = slice_str(GROUP),
	};
	const struct kp_find_coordinator_response *response =
	    call(client, FIND_COORDINATOR, find_coordinator, 3, &request);

	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->node_id, 1);
}

static void
ask_heartbeat(struct raw_client *client)
{
	const struct kp_heartbeat_request request = {
		.group_id = slice_str(GROUP),
		.generation_id = member.generation,
		.member_id = member_id(),
	};

	assert_int_equal(
	    call(client, HEARTBEAT, heartbeat, 3, &request)->error_code,
	    KP_NONE);
}

static void
ask_list_groups(struct raw_client *client)
{
	const struct kp_list_groups_response *response =
	    call(client, LIST_GROUPS, list_groups, 2, NULL);

	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->groups_count, 1);
}

static void
ask_describe_groups(struct raw_client *client)
{
	struct slice names[] = { slice_str(GROUP) };
	const struct kp_describe_groups_request request = { .groups = names,
		.groups_count = 1 };
	const struct kp_describe_groups_response *response =
	    call(client, DESCRIBE_GROUPS, describe_groups, 4, &request);

	assert_int_equal(response->groups_count, 1);
	assert_int_equal(response->groups[0].error_code, KP_NONE);
	assert_int_equal(response->groups[0].members_count, 1);
}

static struct {
	const char *name;
	void (*ask)(struct raw_client *client);
	int64_t slowest_us;
} questions[] = {
	{ "ApiVersions", ask_api_versions, 0 },
	{ "Metadata", ask_metadata, 0 },
	{ "DescribeCluster", ask_describe_cluster, 0 },
	{ "DescribeConfigs", ask_describe_configs, 0 },
	{ "ListOffsets", ask_list_offsets, 0 },
	{ "Fetch", ask_fetch, 0 },
	{ "Produce with acks=1", ask_produce, 0 },
	{ "FindCoordinator", ask_find_coordinator, 0 },
	{ "Heartbeat", ask_heartbeat, 0 },
	{ "ListGroups", ask_list_groups, 0 },
	{ "DescribeGroups", ask_describe_groups, 0 },
};

/* All questions, on a connection of their own. */
static void
ask_all(void)
{
	struct raw_client client;

	raw_client_init(&client, &broker);
	for (size_t i = 0; i < COUNT_OF(questions); i++) {
		int64_t begin_us = clock_monotonic_us(), took_us;

		questions[i].ask(&client);
		took_us = clock_monotonic_us() - begin_us;
		questions[i].slowest_us = MAX(questions[i].slowest_us, took_us);
	}
	raw_client_fini(&client);
}

static void
ask_meanwhile(void)
{
	int64_t end_ms = clock_monotonic_ms() + stall_ms;
	int rounds = 0;

	while (rounds < ROUNDS || clock_monotonic_ms() < end_ms) {
		ask_all();
		rounds++;
	}
	print_message(
	    "slowest of %d answers while no sync returned:\n", rounds);
	for (size_t i = 0; i < COUNT_OF(questions); i++)
		print_message("%8.3f ms  %s\n",
		    (double)questions[i].slowest_us / 1000, questions[i].name);
}

/* --- Who waits ----------------------------------------------------------- */

/* Everybody has a connection. */
struct waiting {
	struct raw_client producer;
	struct raw_client committer;
	struct raw_client creator;
};

#define CREATE_VERSION 5

static void
ask_for_durability(struct waiting *waiting)
{
	struct kp_create_topics_request_topic topic = {
		.name = slice_str("new"),
		.num_partitions = 1,
		.replication_factor = 1,
	};
	const struct kp_create_topics_request create = {
		.topics = &topic, .topics_count = 1, .timeout_ms = 600000
	};

	raw_client_init(&waiting->producer, &broker);
	raw_client_init(&waiting->committer, &broker);
	raw_client_init(&waiting->creator, &broker);
	raw_client_request(&waiting->producer, KP_PRODUCE_KEY,
	    RAW_TOPIC_PRODUCE_VERSION, 1,
	    raw_topic_produce(
		&waiting->producer, TOPIC, -1, slice_str("durable")));
	raw_client_request(&waiting->committer, KP_OFFSET_COMMIT_KEY,
	    COMMIT_VERSION, 1, commit_of(&waiting->committer, COMMITTED + 1));
	raw_client_request(&waiting->creator, KP_CREATE_TOPICS_KEY,
	    CREATE_VERSION, 1, &create);
}

static bool
is_answered(const struct raw_client *client)
{
	struct pollfd pollfd = { .fd = client->fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) != 0;
}

static void
expect_patience(const struct waiting *waiting)
{
	assert_false(is_answered(&waiting->producer));
	assert_false(is_answered(&waiting->committer));
	assert_false(is_answered(&waiting->creator));
}

static void
expect_success(struct waiting *waiting)
{
	const struct kp_produce_response *produced = raw_client_response(
	    &waiting->producer, KP_PRODUCE_KEY, RAW_TOPIC_PRODUCE_VERSION, 1);
	const struct kp_offset_commit_response *committed = raw_client_response(
	    &waiting->committer, KP_OFFSET_COMMIT_KEY, COMMIT_VERSION, 1);
	const struct kp_create_topics_response *created = raw_client_response(
	    &waiting->creator, KP_CREATE_TOPICS_KEY, CREATE_VERSION, 1);

	assert_int_equal(
	    produced->responses[0].partition_responses[0].error_code, KP_NONE);
	assert_int_equal(
	    produced->responses[0].partition_responses[0].base_offset, CACHED);
	expect_committed(committed);
	assert_int_equal(created->topics[0].error_code, KP_NONE);
	raw_client_fini(&waiting->producer);
	raw_client_fini(&waiting->committer);
	raw_client_fini(&waiting->creator);
}

static void
prepare(void)
{
	struct raw_client client;

	raw_client_init(&client, &broker);
	raw_topic_create(&client, TOPIC, 1);
	for (int i = 0; i < CACHED; i++)
		produce(&client, -1);
	ask_find_coordinator(&client);
	join_group(&client);
	expect_committed(call(&client, OFFSET_COMMIT, offset_commit,
	    COMMIT_VERSION, commit_of(&client, COMMITTED)));
	raw_client_fini(&client);
}

static void
only_those_who_need_the_disk_wait(void **state UNUSED)
{
	struct waiting waiting;

	prepare();
	sync_gate_close();
	ask_for_durability(&waiting);
	sync_gate_await("flusher");
	sync_gate_await("controller");
	sync_gate_await("log-manager");
	ask_meanwhile();
	expect_patience(&waiting);
	sync_gate_open();
	expect_success(&waiting);
}

/* --- The whole ----------------------------------------------------------- */

/*
 * The log manager writes its checkpoints all the time, and a commit waits for
 * longer than any stall.
 */
static int
start_broker(void **state UNUSED)
{
	broker_process_start(&broker, "--override",
	    "group.initial.rebalance.delay.ms=0", "--override",
	    "log.flush.offset.checkpoint.interval.ms=50", "--override",
	    "replica.high.watermark.checkpoint.interval.ms=50", "--override",
	    "offsets.commit.timeout.ms=600000", NULL);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	sync_gate_open();
	broker_process_fini(&broker);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_those_who_need_the_disk_wait),
	};

	if (argc > 1)
		stall_ms = strtoll(argv[1], NULL, 10) * 1000;
	if (!sync_gate_init()) {
		puts("left out: syncs cannot be held here, for want of "
		     "seccomp's user notifications");
		return EXIT_LEFT_OUT;
	}
	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
