/*
 * ShareFetch and ShareAcknowledge by plain frames: sessions, acquisition,
 * every kind of acknowledgement, waiting, and what is left after a restart
 * and the end of a topic.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "e2e/broker_process.h"
#include "e2e/program.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "e2e/raw_txn.h"
#include "wire/batch.h"
#include "wire/batch_builder.h"
#include "wire/error.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/incremental_alter_configs.h"
#include "wire/generated/initialize_share_group_state.h"
#include "wire/generated/produce.h"
#include "wire/generated/share_acknowledge.h"
#include "wire/generated/share_fetch.h"

#define VERSION 2
#define GROUP "g"
#define NEVER_MS 600000
#define SOON_MS 20

struct world {
	struct broker_process broker;
	struct raw_client client;
	char topic[16];
	struct uuid topic_id;
	int topics;
};

struct member {
	struct raw_client client;
	struct world *world;
	const char *id;
	int32_t epoch;
};

#define call(client, NAME, name, version, request)                     \
	((const struct kp_##name##_response *)raw_client_call(client,  \
	    KP_##NAME##_KEY, (int16_t)(version), request))

/* --- The world ----------------------------------------------------------- */

static struct uuid
create_topic(struct world *world)
{
	struct kp_create_topics_request_topic topic = {
		.name = slice_str(world->topic),
		.num_partitions = 2,
		.replication_factor = 1,
	};
	struct kp_create_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = 30000,
	};
	const struct kp_create_topics_response *response =
	    call(&world->client, CREATE_TOPICS, create_topics, 7, &request);

	assert_int_equal(response->topics[0].error_code, KP_NONE);
	return response->topics[0].topic_id;
}

/* The first look-up of a coordinator makes its topic. */
static void
find_coordinator(struct world *world, int8_t key_type, const char *text)
{
	struct slice key = slice_str(text);
	struct kp_find_coordinator_request request = {
		.key_type = key_type,
		.coordinator_keys = &key,
		.coordinator_keys_count = 1,
	};
	const struct kp_find_coordinator_response *response =
	    call(&world->client, FIND_COORDINATOR, find_coordinator, 6,
		&request);

	assert_int_equal(response->coordinators[0].error_code, KP_NONE);
}

static void
prepare(struct world *world)
{
	char id[UUID_TEXT_LEN + 1], text[64];

	uuid_format(world->topic_id, id);
	snprintf(text, sizeof(text), GROUP ":%s:0", id);
	find_coordinator(world, 2, text);
}

/* What the group coordinator does with a partition before it is assigned. */
static void
initialize(struct world *world, int32_t index, int64_t start_offset)
{
	struct kp_initialize_share_group_state_request_partition partition = {
		.partition = index,
		.start_offset = start_offset,
	};
	struct kp_initialize_share_group_state_request_topic topic = {
		.topic_id = world->topic_id,
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_initialize_share_group_state_request request = {
		.group_id = slice_str(GROUP),
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_initialize_share_group_state_response *response =
	    call(&world->client, INITIALIZE_SHARE_GROUP_STATE,
		initialize_share_group_state, 0, &request);

	assert_int_equal(
	    response->results[0].partitions[0].error_code, KP_NONE);
}

static void
configure(struct world *world, const char *name, const char *value)
{
	struct kp_incremental_alter_configs_request_config config = {
		.name = slice_str(name),
		.value = slice_str(value),
	};
	struct kp_incremental_alter_configs_request_resource resource = {
		.resource_type = 32,
		.resource_name = slice_str(GROUP),
		.configs = &config,
		.configs_count = 1,
	};
	struct kp_incremental_alter_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};
	const struct kp_incremental_alter_configs_response *response =
	    call(&world->client, INCREMENTAL_ALTER_CONFIGS,
		incremental_alter_configs, 1, &request);

	assert_int_equal(response->responses[0].error_code, KP_NONE);
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

static int
start_world(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	broker_process_init(&world->broker);
	format(world);
	broker_process_argument(&world->broker, "--override");
	broker_process_argument(
	    &world->broker, "share.coordinator.state.topic.num.partitions=1");
	broker_process_argument(&world->broker, "--override");
	broker_process_argument(&world->broker,
	    "share.coordinator.state.topic.replication.factor=1");
	broker_process_argument(&world->broker, "--override");
	broker_process_argument(
	    &world->broker, "share.coordinator.state.topic.min.isr=1");
	broker_process_argument(&world->broker, "--override");
	broker_process_argument(
	    &world->broker, "group.share.min.record.lock.duration.ms=1000");
	broker_process_argument(&world->broker, "--override");
	broker_process_argument(
	    &world->broker, "group.share.max.share.sessions=4");
	broker_process_argument(&world->broker, "--override");
	broker_process_argument(&world->broker, "group.share.max.size=4");
	broker_process_restart(&world->broker);
	raw_client_init(&world->client, &world->broker);
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

/* A topic of its own for each test, of which the group has partition 0. */
static int
begin(void **state)
{
	struct world *world = *state;

	snprintf(world->topic, sizeof(world->topic), "t%d", world->topics++);
	world->topic_id = create_topic(world);
	prepare(world);
	initialize(world, 0, 0);
	return 0;
}

/* One batch of count records. */
static void
produce(struct world *world, int count)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct kp_produce_request_partition partition = { 0 };
	struct kp_produce_request_topic topic = {
		.name = slice_str(world->topic),
		.partition_data = &partition,
		.partition_data_count = 1,
	};
	struct kp_produce_request request = {
		.acks = -1,
		.timeout_ms = 30000,
		.topic_data = &topic,
		.topic_data_count = 1,
	};
	const struct kp_produce_response *response;
	struct batch_builder builder;
	struct buf out;

	buf_init(&out, 1 << 16);
	batch_builder_init(&builder, &options, &out);
	for (int i = 0; i < count; i++)
		assert_int_equal(batch_builder_add(&builder, 1000,
				     SLICE_NULL, slice_str("record")),
		    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	partition.records.bytes = buf_slice(&out);
	partition.records.len = out.len;
	response = call(&world->client, PRODUCE, produce, 9, &request);
	assert_int_equal(response->responses[0]
			     .partition_responses[0]
			     .error_code,
	    KP_NONE);
	buf_fini(&out);
}

/* --- A member ------------------------------------------------------------ */

static void
member_init(struct member *member, struct world *world, const char *id)
{
	*member = (struct member){ .world = world, .id = id };
	raw_client_init(&member->client, &world->broker);
}

static void
member_fini(struct member *member)
{
	raw_client_fini(&member->client);
}

/* What a fetch asks for, and acknowledges where types is not NULL. */
struct asked {
	int32_t records;
	int32_t wait_ms;
	bool exact;
	bool renew;
	int64_t first;
	int64_t last;
	const char *types;	/* digits, one for all or one for each */
	int32_t index;
};

struct body {
	struct kp_share_fetch_request request;
	struct kp_share_fetch_request_topic topic;
	struct kp_share_fetch_request_partition partition;
	struct kp_share_fetch_request_acknowledgement_batche batch;
	int8_t types[64];
};

static int32_t
types_of(const char *text, int8_t *types)
{
	int32_t count = 0;

	for (; text[count] != '\0'; count++)
		types[count] = (int8_t)(text[count] - '0');
	return count;
}

static void
body_make(
    struct body *body, const struct member *member, const struct asked *asked)
{
	*body = (struct body){ 0 };
	body->request = (struct kp_share_fetch_request){
		.group_id = slice_str(GROUP),
		.member_id = slice_str(member->id),
		.share_session_epoch = member->epoch,
		.max_wait_ms = asked->renew ? 0 : asked->wait_ms,
		.min_bytes = asked->renew ? 0 : 1,
		.max_bytes = asked->renew ? 0 : 1 << 20,
		.max_records = asked->records,
		.batch_size = 100,
		.share_acquire_mode = asked->exact,
		.is_renew_ack = asked->renew,
		.topics = &body->topic,
		.topics_count =
		    member->epoch == 0 || asked->types != NULL ? 1 : 0,
	};
	body->topic.topic_id = member->world->topic_id;
	body->topic.partitions = &body->partition;
	body->topic.partitions_count = 1;
	body->partition.partition_index = asked->index;
	if (asked->types == NULL)
		return;
	body->partition.acknowledgement_batches = &body->batch;
	body->partition.acknowledgement_batches_count = 1;
	body->batch.first_offset = asked->first;
	body->batch.last_offset = asked->last;
	body->batch.acknowledge_types = body->types;
	body->batch.acknowledge_types_count =
	    types_of(asked->types, body->types);
}

static void
epoch_advance(struct member *member, int16_t error)
{
	if (error == KP_NONE && member->epoch >= 0)
		member->epoch++;
}

static const struct kp_share_fetch_response *
fetch(struct member *member, const struct asked *asked)
{
	const struct kp_share_fetch_response *response;
	struct body body;

	body_make(&body, member, asked);
	response = call(&member->client, SHARE_FETCH, share_fetch, VERSION,
	    &body.request);
	epoch_advance(member, response->error_code);
	return response;
}

#define FETCH(member, ...) fetch(member, &(struct asked){ __VA_ARGS__ })

static enum kp_error
fetch_error(struct member *member, int32_t epoch)
{
	int32_t own = member->epoch;
	const struct kp_share_fetch_response *response;

	member->epoch = epoch;
	response = FETCH(member, .records = 1, .wait_ms = 0);
	member->epoch = own;
	return (enum kp_error)response->error_code;
}

/* The only partition that is answered. */
static const struct kp_share_fetch_response_partition *
only(const struct kp_share_fetch_response *response)
{
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->acquisition_lock_timeout_ms, 30000);
	assert_int_equal(response->responses_count, 1);
	assert_int_equal(response->responses[0].partitions_count, 1);
	return &response->responses[0].partitions[0];
}

/* One range was acquired, and there are the batches that it is in. */
static void
got(const struct kp_share_fetch_response *response, int64_t first,
    int64_t last, int count)
{
	const struct kp_share_fetch_response_partition *part = only(response);
	struct batch batch;

	assert_int_equal(part->error_code, KP_NONE);
	assert_int_equal(part->acquired_records_count, 1);
	assert_int_equal(part->acquired_records[0].first_offset, first);
	assert_int_equal(part->acquired_records[0].last_offset, last);
	assert_int_equal(part->acquired_records[0].delivery_count, count);
	assert_int_equal(batch_read(part->records.bytes, &batch), 0);
	assert_true(batch.base_offset <= first && batch.last_offset >= first);
}

static void
got_nothing(const struct kp_share_fetch_response *response)
{
	assert_int_equal(response->error_code, KP_NONE);
	for (int32_t i = 0; i < response->responses_count; i++)
		assert_int_equal(response->responses[i]
				     .partitions[0]
				     .acquired_records_count,
		    0);
}

static void
acked(const struct kp_share_fetch_response *response, enum kp_error error)
{
	assert_int_equal(only(response)->acknowledge_error_code, error);
}

/* ShareAcknowledge: the error of all, or of the partition. */
static enum kp_error
acknowledge_as(struct member *member, int version, int64_t first, int64_t last,
    const char *types, bool renew)
{
	int8_t bytes[64];
	struct kp_share_acknowledge_request_acknowledgement_batche batch = {
		first, last, bytes, types_of(types, bytes)
	};
	struct kp_share_acknowledge_request_partition partition = {
		.acknowledgement_batches = &batch,
		.acknowledgement_batches_count = 1,
	};
	struct kp_share_acknowledge_request_topic topic = {
		.topic_id = member->world->topic_id,
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_share_acknowledge_request request = {
		.group_id = slice_str(GROUP),
		.member_id = slice_str(member->id),
		.share_session_epoch = member->epoch,
		.is_renew_ack = renew,
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_share_acknowledge_response *response = call(
	    &member->client, SHARE_ACKNOWLEDGE, share_acknowledge, version,
	    &request);

	epoch_advance(member, response->error_code);
	if (response->error_code != KP_NONE)
		return (enum kp_error)response->error_code;
	assert_int_equal(response->acquisition_lock_timeout_ms,
	    version >= 2 ? 30000 : 0);
	assert_int_equal(response->responses_count, 1);
	return (enum kp_error)response->responses[0].partitions[0].error_code;
}

static enum kp_error
acknowledge(
    struct member *member, int64_t first, int64_t last, const char *types)
{
	return acknowledge_as(member, VERSION, first, last, types, false);
}

/* --- Tests ---------------------------------------------------------------- */

static void
records_are_acquired_and_acknowledged(void **state)
{
	struct world *world = *state;
	struct member a, b;

	member_init(&a, world, "a");
	member_init(&b, world, "b");
	produce(world, 10);
	produce(world, 10);
	got(FETCH(&a, .records = 3, .wait_ms = NEVER_MS), 0, 9, 1);
	got(FETCH(&b, .records = 3, .exact = true, .wait_ms = NEVER_MS), 10, 12,
	    1);
	got_nothing(FETCH(&a, .records = 0, .wait_ms = SOON_MS));
	acked(FETCH(&a, .records = 0, .first = 0, .last = 9, .types = "1"),
	    KP_NONE);
	got(FETCH(&a, .records = 100, .wait_ms = NEVER_MS), 13, 19, 1);
	assert_int_equal(acknowledge(&a, 13, 16, "1230"), KP_NONE);
	got(FETCH(&b, .records = 100, .wait_ms = NEVER_MS), 14, 14, 2);
	member_fini(&a);
	member_fini(&b);
}

/* (seen), all of them. */
static void
sessions_have_epochs(void **state)
{
	struct world *world = *state;
	struct member a;

	member_init(&a, world, "a");
	produce(world, 10);
	assert_int_equal(fetch_error(&a, 1), KP_SHARE_SESSION_NOT_FOUND);
	assert_int_equal(fetch_error(&a, -1), KP_SHARE_SESSION_NOT_FOUND);
	a.epoch = 1;
	assert_int_equal(
	    acknowledge(&a, 0, 0, "1"), KP_SHARE_SESSION_NOT_FOUND);
	a.epoch = 0;
	assert_int_equal(
	    acknowledge(&a, 0, 0, "1"), KP_INVALID_SHARE_SESSION_EPOCH);
	assert_int_equal(FETCH(&a, .types = "1")->error_code,
	    KP_INVALID_REQUEST);
	got(FETCH(&a, .records = 10, .wait_ms = NEVER_MS), 0, 9, 1);
	assert_int_equal(fetch_error(&a, 2), KP_INVALID_SHARE_SESSION_EPOCH);
	assert_int_equal(acknowledge(&a, 0, 4, "1"), KP_NONE);
	assert_int_equal(fetch_error(&a, 1), KP_INVALID_SHARE_SESSION_EPOCH);
	assert_int_equal(acknowledge(&a, 5, 5, "1"), KP_NONE);
	a.epoch = -1;
	assert_int_equal(acknowledge(&a, 6, 6, "1"), KP_NONE);
	assert_int_equal(fetch_error(&a, 3), KP_SHARE_SESSION_NOT_FOUND);
	a.epoch = 0;
	got(FETCH(&a, .records = 10, .wait_ms = NEVER_MS), 7, 9, 2);
	member_fini(&a);
}

static void
requests_are_judged(void **state)
{
	struct world *world = *state;
	struct member a;

	member_init(&a, world, "");
	assert_int_equal(fetch_error(&a, 0), KP_INVALID_REQUEST);
	a.id = "1234567890123456789012345678901234567";
	assert_int_equal(fetch_error(&a, 0), KP_INVALID_REQUEST);
	a.id = "123456789012345678901234567890123456";
	produce(world, 10);
	got(FETCH(&a, .records = 10, .wait_ms = NEVER_MS), 0, 9, 1);
	assert_int_equal(acknowledge(&a, 5, 4, "1"), KP_INVALID_REQUEST);
	assert_int_equal(acknowledge(&a, 0, 4, ""), KP_INVALID_REQUEST);
	assert_int_equal(acknowledge(&a, 0, 4, "11"), KP_INVALID_REQUEST);
	assert_int_equal(
	    acknowledge(&a, -1, INT64_MAX, "11"), KP_INVALID_REQUEST);
	assert_int_equal(
	    acknowledge(&a, -1, INT64_MAX, "1"), KP_INVALID_REQUEST);
	assert_int_equal(acknowledge(&a, 0, 4, "5"), KP_INVALID_REQUEST);
	assert_int_equal(acknowledge(&a, 0, 4, "4"), KP_INVALID_REQUEST);
	assert_int_equal(acknowledge_as(&a, 1, 0, 4, "4", false),
	    KP_INVALID_REQUEST);
	assert_int_equal(acknowledge(&a, 5, 15, "1"), KP_INVALID_REQUEST);
	assert_int_equal(acknowledge_as(&a, 1, 0, 4, "1", false), KP_NONE);
	assert_int_equal(acknowledge(&a, 5, 9, "1"), KP_NONE);
	assert_int_equal(acknowledge(&a, 9, 9, "1"), KP_NONE);
	member_fini(&a);
}

static void
others_records_are_refused(void **state)
{
	struct world *world = *state;
	struct member a, b;

	member_init(&a, world, "a");
	member_init(&b, world, "b");
	produce(world, 10);
	got(FETCH(&a, .records = 10, .wait_ms = NEVER_MS), 0, 9, 1);
	got_nothing(FETCH(&b, .records = 10, .wait_ms = SOON_MS));
	assert_int_equal(
	    acknowledge(&b, 0, 9, "1"), KP_INVALID_RECORD_STATE);
	acked(FETCH(&b, .records = 0, .first = 3, .last = 3, .types = "2"),
	    KP_INVALID_RECORD_STATE);
	assert_int_equal(acknowledge(&a, 0, 9, "1"), KP_NONE);
	member_fini(&a);
	member_fini(&b);
}

static void
locks_are_renewed(void **state)
{
	struct world *world = *state;
	struct member a;
	struct body body;

	member_init(&a, world, "a");
	produce(world, 10);
	got(FETCH(&a, .records = 10, .wait_ms = NEVER_MS), 0, 9, 1);
	acked(FETCH(&a, .renew = true, .first = 0, .last = 9, .types = "4"),
	    KP_NONE);
	assert_int_equal(
	    acknowledge_as(&a, VERSION, 0, 4, "4", true), KP_NONE);
	body_make(&body, &a, &(struct asked){ .renew = true });
	body.request.max_wait_ms = 1;
	assert_int_equal(call(&a.client, SHARE_FETCH, share_fetch, VERSION,
			     &body.request)
			     ->error_code,
	    KP_INVALID_REQUEST);
	configure(world, "share.renew.acknowledge.enable", "false");
	assert_int_equal(acknowledge_as(&a, VERSION, 0, 4, "4", true),
	    KP_INVALID_RECORD_STATE);
	configure(world, "share.renew.acknowledge.enable", "true");
	assert_int_equal(acknowledge(&a, 0, 9, "1"), KP_NONE);
	member_fini(&a);
}

/* A fetch that waits is woken by an append, a release, and a leaving member. */
static void
fetches_wait(void **state)
{
	struct world *world = *state;
	struct member a, b;
	struct body body;

	member_init(&a, world, "a");
	member_init(&b, world, "b");
	got_nothing(FETCH(&a, .records = 10, .wait_ms = SOON_MS));
	body_make(&body, &a,
	    &(struct asked){ .records = 10, .wait_ms = NEVER_MS });
	raw_client_request(
	    &a.client, KP_SHARE_FETCH_KEY, VERSION, 1, &body.request);
	produce(world, 10);
	got(raw_client_response(&a.client, KP_SHARE_FETCH_KEY, VERSION, 1), 0,
	    9, 1);
	a.epoch++;
	body_make(&body, &b,
	    &(struct asked){ .records = 10, .wait_ms = NEVER_MS });
	raw_client_request(
	    &b.client, KP_SHARE_FETCH_KEY, VERSION, 1, &body.request);
	assert_int_equal(acknowledge(&a, 2, 3, "2"), KP_NONE);
	got(raw_client_response(&b.client, KP_SHARE_FETCH_KEY, VERSION, 1), 2,
	    3, 2);
	b.epoch++;
	body_make(&body, &b,
	    &(struct asked){
		.records = 2, .exact = true, .wait_ms = NEVER_MS });
	raw_client_request(
	    &b.client, KP_SHARE_FETCH_KEY, VERSION, 2, &body.request);
	member_fini(&a);
	got(raw_client_response(&b.client, KP_SHARE_FETCH_KEY, VERSION, 2), 0,
	    1, 2);
	member_fini(&b);
}

/* A lock ends by itself, and wakes who waits. */
static void
locks_end(void **state)
{
	struct world *world = *state;
	struct member a, b;
	const struct kp_share_fetch_response *response;

	configure(world, "share.record.lock.duration.ms", "1000");
	member_init(&a, world, "a");
	member_init(&b, world, "b");
	produce(world, 10);
	response = FETCH(&a, .records = 10, .wait_ms = NEVER_MS);
	assert_int_equal(response->acquisition_lock_timeout_ms, 1000);
	response = FETCH(&b, .records = 10, .wait_ms = NEVER_MS);
	assert_int_equal(response->responses[0]
			     .partitions[0]
			     .acquired_records[0]
			     .delivery_count,
	    2);
	configure(world, "share.record.lock.duration.ms", "30000");
	assert_int_equal(
	    acknowledge(&a, 0, 9, "1"), KP_INVALID_RECORD_STATE);
	assert_int_equal(acknowledge(&b, 0, 9, "1"), KP_NONE);
	member_fini(&a);
	member_fini(&b);
}

/* The fifth release ends a record; the count outlives the broker. */
static void
state_outlives_the_broker(void **state)
{
	struct world *world = *state;
	struct member a;

	member_init(&a, world, "a");
	produce(world, 1);
	produce(world, 10);
	for (int i = 1; i <= 4; i++) {
		got(FETCH(&a, .records = 1, .exact = true,
			.wait_ms = NEVER_MS),
		    0, 0, i);
		assert_int_equal(acknowledge(&a, 0, 0, "2"), KP_NONE);
	}
	got(FETCH(&a, .records = 1, .exact = true, .wait_ms = NEVER_MS), 0, 0,
	    5);
	got(FETCH(&a, .records = 100, .wait_ms = NEVER_MS), 1, 10, 1);
	assert_int_equal(acknowledge(&a, 1, 3, "1"), KP_NONE);
	/* Who leaves gives back what he has: nobody leaves before the kill. */
	broker_process_kill(&world->broker);
	member_fini(&a);
	raw_client_fini(&world->client);
	broker_process_restart(&world->broker);
	raw_client_init(&world->client, &world->broker);
	member_init(&a, world, "a");
	got(FETCH(&a, .records = 1, .exact = true, .wait_ms = NEVER_MS), 0, 0,
	    5);
	assert_int_equal(acknowledge(&a, 0, 0, "2"), KP_NONE);
	got(FETCH(&a, .records = 100, .wait_ms = NEVER_MS), 4, 10, 1);
	member_fini(&a);
}

static void
auto_offset_reset_counts(void **state)
{
	struct world *world = *state;
	struct member a;

	produce(world, 10);
	member_init(&a, world, "a");
	initialize(world, 0, -1);
	got_nothing(FETCH(&a, .records = 10, .wait_ms = SOON_MS));
	produce(world, 5);
	got(FETCH(&a, .records = 10, .wait_ms = NEVER_MS), 10, 14, 1);
	member_fini(&a);
	begin(state);
	configure(world, "share.auto.offset.reset", "earliest");
	produce(world, 10);
	initialize(world, 0, -1);
	member_init(&a, world, "a");
	got(FETCH(&a, .records = 10, .wait_ms = NEVER_MS), 0, 9, 1);
	member_fini(&a);
	configure(world, "share.auto.offset.reset", "latest");
}

static void
partitions_may_be_wrong(void **state)
{
	struct world *world = *state;
	const struct kp_share_fetch_response *response;
	struct member a;

	member_init(&a, world, "a");
	response = FETCH(&a, .index = 7, .records = 1, .wait_ms = NEVER_MS);
	assert_int_equal(
	    only(response)->error_code, KP_UNKNOWN_TOPIC_OR_PARTITION);
	a.epoch = 0;
	response = FETCH(&a, .index = 1, .records = 1, .wait_ms = NEVER_MS);
	assert_int_equal(only(response)->error_code, KP_UNKNOWN_SERVER_ERROR);
	a.epoch = 0;
	world->topic_id.bytes[0] ^= 1;
	response = FETCH(&a, .records = 1, .wait_ms = NEVER_MS);
	assert_int_equal(only(response)->error_code, KP_UNKNOWN_TOPIC_ID);
	assert_int_equal(acknowledge(&a, 0, 0, "1"), KP_UNKNOWN_TOPIC_ID);
	member_fini(&a);
}

/* Who waits for a topic that is deleted is told at once. */
static void
topic_goes(void **state)
{
	struct world *world = *state;
	struct kp_delete_topics_request_topic topic = {
		.topic_id = world->topic_id,
	};
	struct kp_delete_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = 30000,
	};
	const struct kp_share_fetch_response_partition *part;
	struct member a;
	struct body body;

	member_init(&a, world, "a");
	produce(world, 10);
	got(FETCH(&a, .records = 10, .wait_ms = NEVER_MS), 0, 9, 1);
	body_make(&body, &a,
	    &(struct asked){ .records = 10, .wait_ms = NEVER_MS });
	raw_client_request(
	    &a.client, KP_SHARE_FETCH_KEY, VERSION, 1, &body.request);
	assert_int_equal(call(&world->client, DELETE_TOPICS, delete_topics, 6,
			     &request)
			     ->responses[0]
			     .error_code,
	    KP_NONE);
	part = only(
	    raw_client_response(&a.client, KP_SHARE_FETCH_KEY, VERSION, 1));
	assert_int_equal(part->error_code, KP_UNKNOWN_TOPIC_OR_PARTITION);
	a.epoch++;
	assert_int_equal(acknowledge(&a, 0, 9, "1"), KP_UNKNOWN_TOPIC_ID);
	member_fini(&a);
}

/* Offsets 0 aborted, 1 its marker, 2 committed, 3 its marker, 4 open. */
static void
transactions_produce(struct world *world)
{
	struct raw_txn *producer = raw_txn_new(&world->broker);

	find_coordinator(world, 1, producer->id);
	raw_txn_begin(producer);
	raw_txn_produce_patiently(producer, 0);
	assert_int_equal(raw_txn_end(producer, END_EACH, false), KP_NONE);
	raw_txn_produce_patiently(producer, 0);
	assert_int_equal(raw_txn_end(producer, END_EACH, true), KP_NONE);
	raw_txn_produce_patiently(producer, 0);
	raw_txn_free(producer);
}

/* Aborted records are not delivered, nor are those that are not decided. */
static void
committed_records_are_shared(void **state)
{
	struct world *world = *state;
	struct member a;

	snprintf(world->topic, sizeof(world->topic), RAW_TXN_TOPIC);
	world->topic_id = create_topic(world);
	initialize(world, 0, 0);
	configure(world, "share.isolation.level", "read_committed");
	transactions_produce(world);
	member_init(&a, world, "a");
	got(FETCH(&a, .records = 10, .wait_ms = NEVER_MS), 1, 3, 1);
	got_nothing(FETCH(&a, .records = 10, .wait_ms = SOON_MS));
	assert_int_equal(acknowledge(&a, 1, 3, "010"), KP_NONE);
	configure(world, "share.isolation.level", "read_uncommitted");
	got(FETCH(&a, .records = 10, .wait_ms = NEVER_MS), 4, 4, 1);
	member_fini(&a);
}

/* group.share.max.share.sessions is 4. */
static void
sessions_are_limited(void **state)
{
	static const char *const ids[] = { "a", "b", "c", "d", "e" };
	struct world *world = *state;
	struct member members[5];

	for (int i = 0; i < 5; i++)
		member_init(&members[i], world, ids[i]);
	for (int i = 0; i < 4; i++)
		assert_int_equal(fetch_error(&members[i], 0), KP_NONE);
	assert_int_equal(
	    fetch_error(&members[4], 0), KP_SHARE_SESSION_LIMIT_REACHED);
	assert_int_equal(fetch_error(&members[0], 0), KP_NONE);
	for (int i = 0; i < 4; i++)
		assert_int_equal(fetch_error(&members[i], -1), KP_NONE);
	assert_int_equal(fetch_error(&members[4], 0), KP_NONE);
	for (int i = 0; i < 5; i++)
		member_fini(&members[i]);
}

#define test(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(records_are_acquired_and_acknowledged),
		test(sessions_have_epochs),
		test(requests_are_judged),
		test(others_records_are_refused),
		test(locks_are_renewed),
		test(fetches_wait),
		test(locks_end),
		test(auto_offset_reset_counts),
		test(partitions_may_be_wrong),
		test(topic_goes),
		test(committed_records_are_shared),
		test(sessions_are_limited),
		test(state_outlives_the_broker),
	};

	return cmocka_run_group_tests(tests, start_world, stop_world);
}
