/*
 * Quotas, from outside: they are changed and shown, survive, and hold back
 * those whom they are about, and nobody else.
 */
#include "unit/unit.h"

#include <poll.h>
#include <unistd.h>

#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/error.h"
#include "wire/generated/alter_client_quotas.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/describe_client_quotas.h"
#include "wire/generated/fetch.h"
#include "wire/generated/produce.h"

#define TOPIC "measured"
#define FETCH_VERSION 11
#define RECORD_LEN 20000
#define CONNECTIONS 60

static struct broker_process broker;

static int
setup(void **state UNUSED)
{
	broker_process_start(&broker, NULL);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

/* --- Changing and showing ------------------------------------------------- */

static struct slice
text(const char *s)
{
	return s == NULL ? SLICE_NULL : slice_str(s);
}

/* value 0 removes; name NULL is any. */
static enum kp_error
alter(struct raw_client *client, const char *type, const char *name,
    const char *key, double value)
{
	struct kp_alter_client_quotas_request_entity entity = {
		.entity_type = slice_str(type),
		.entity_name = text(name),
	};
	struct kp_alter_client_quotas_request_op op = {
		.key = slice_str(key),
		.value = value,
		.remove = value == 0,
	};
	struct kp_alter_client_quotas_request_entry entry = {
		.entity = &entity,
		.entity_count = 1,
		.ops = &op,
		.ops_count = 1,
	};
	const struct kp_alter_client_quotas_request request = {
		.entries = &entry,
		.entries_count = 1,
	};
	const struct kp_alter_client_quotas_response *response =
	    raw_client_call(client, KP_ALTER_CLIENT_QUOTAS_KEY, 1, &request);

	assert_int_equal(response->entries_count, 1);
	return (enum kp_error)response->entries[0].error_code;
}

/* All of one type, whatever else they have. */
static const struct kp_describe_client_quotas_response *
describe(struct raw_client *client, int16_t version, const char *type)
{
	struct kp_describe_client_quotas_request_component component = {
		.entity_type = slice_str(type),
		.match_type = 2,
	};
	const struct kp_describe_client_quotas_request request = {
		.components = &component,
		.components_count = 1,
	};

	return raw_client_call(
	    client, KP_DESCRIBE_CLIENT_QUOTAS_KEY, version, &request);
}

static void
expect_quotas(struct raw_client *client)
{
	const struct kp_describe_client_quotas_response *response;

	for (int16_t version = 0; version <= 1; version++) {
		response = describe(client, version, "user");
		assert_int_equal(response->error_code, KP_NONE);
		assert_int_equal(response->entries_count, 2);
		for (int i = 0; i < 2; i++) {
			const struct kp_describe_client_quotas_response_entry
			    *entry = &response->entries[i];
			bool any = slice_is_null(entry->entity[0].entity_name);

			assert_int_equal(entry->entity_count, 1);
			assert_int_equal(entry->values_count, any ? 1 : 2);
			assert_true(
			    entry->values[0].value == (any ? 2.5 : 1e8));
		}
	}
	response = describe(client, 1, "ip");
	assert_int_equal(response->entries_count, 1);
	assert_true(slice_equal_str(
	    response->entries[0].entity[0].entity_name, "10.1.2.3"));
}

static void
quotas_survive(void **state UNUSED)
{
	struct raw_client client;

	raw_client_init(&client, &broker);
	assert_int_equal(
	    alter(&client, "user", "alice", "consumer_byte_rate", 1e9), 0);
	assert_int_equal(
	    alter(&client, "user", "alice", "producer_byte_rate", 1e8), 0);
	assert_int_equal(
	    alter(&client, "user", NULL, "controller_mutation_rate", 2.5), 0);
	assert_int_equal(
	    alter(&client, "ip", "10.1.2.3", "connection_creation_rate", 9),
	    0);
	assert_int_equal(
	    alter(&client, "user", "gone", "producer_byte_rate", 5), 0);
	assert_int_equal(
	    alter(&client, "user", "gone", "producer_byte_rate", 0), 0);
	assert_int_equal(
	    alter(&client, "user", "alice", "producer_byte_rate", -1),
	    KP_INVALID_REQUEST);
	expect_quotas(&client);
	raw_client_fini(&client);
	broker_process_stop(&broker);
	broker_process_restart(&broker);
	raw_client_init(&client, &broker);
	expect_quotas(&client);
	assert_int_equal(
	    alter(&client, "user", NULL, "controller_mutation_rate", 0), 0);
	raw_client_fini(&client);
}

/* --- Holding back --------------------------------------------------------- */

/* Raw clients have no client id, and nobody logs in. */
#define OWN "user", "ANONYMOUS"

/* It is not heard, while another one is. */
static void
expect_silence(struct raw_client *silent, struct raw_client *other)
{
	struct pollfd answer = { .fd = silent->fd, .events = POLLIN };

	raw_client_request(silent, KP_API_VERSIONS_KEY, 0, 77, NULL);
	for (int i = 0; i < 10; i++)
		(void)raw_client_call(other, KP_API_VERSIONS_KEY, 0, NULL);
	assert_int_equal(poll(&answer, 1, 0), 0);
}

static int32_t
produce(struct raw_client *client)
{
	char *value = xcalloc(1, RECORD_LEN);
	const struct kp_produce_response *response = raw_client_call(client,
	    KP_PRODUCE_KEY, RAW_TOPIC_PRODUCE_VERSION,
	    raw_topic_produce(
		client, TOPIC, -1, slice_of(value, RECORD_LEN)));

	free(value);
	assert_int_equal(
	    response->responses[0].partition_responses[0].error_code, 0);
	return response->throttle_time_ms;
}

static void
a_producer_is_held_back(void **state UNUSED)
{
	struct raw_client client, other;

	raw_client_init(&client, &broker);
	raw_client_init(&other, &broker);
	raw_topic_create(&client, TOPIC, 1);
	assert_int_equal(produce(&client), 0);
	/* Twenty times as much as it may have in ten seconds. */
	assert_int_equal(alter(&other, OWN,
			     "producer_byte_rate", RECORD_LEN / 200.0), 0);
	assert_true(produce(&client) > 100000);
	expect_silence(&client, &other);
	/* It is written all the same, and others of that name are charged. */
	assert_int_equal(raw_topic_end(&other, TOPIC), 2);
	assert_true(produce(&other) > 200000);
	raw_client_fini(&client);
	raw_client_fini(&other);
	raw_client_init(&client, &broker);
	assert_int_equal(alter(&client, OWN,
			     "producer_byte_rate", 0), 0);
	assert_int_equal(produce(&client), 0);
	raw_client_fini(&client);
}

/* At most a window's second of silence, for time; and only while it counts. */
static void
time_is_charged(void **state UNUSED)
{
	struct raw_client client;
	int32_t throttle_ms = 0;

	raw_client_init(&client, &broker);
	/* Of a second a tenth of a microsecond. */
	assert_int_equal(
	    alter(&client, OWN, "request_percentage", 1e-5), 0);
	while (throttle_ms == 0)
		throttle_ms = produce(&client);
	assert_int_equal(throttle_ms, 1000);
	assert_int_equal(alter(&client, OWN, "request_percentage", 0), 0);
	assert_int_equal(produce(&client), 0);
	raw_client_fini(&client);
}

/* The bytes of records that a fetch from the beginning gives. */
static size_t
fetch(struct raw_client *client, int32_t *throttle_ms)
{
	struct kp_fetch_request_partition partition;
	struct kp_fetch_request_topic topic;
	struct kp_fetch_request request;
	const struct kp_fetch_response *response;

	kp_defaults(&kp_fetch_request, &request);
	memset(&partition, 0, sizeof(partition));
	partition.current_leader_epoch = -1;
	partition.last_fetched_epoch = -1;
	partition.log_start_offset = -1;
	partition.partition_max_bytes = 1 << 20;
	memset(&topic, 0, sizeof(topic));
	topic.topic = slice_str(TOPIC);
	topic.partitions = &partition;
	topic.partitions_count = 1;
	request.replica_id = -1;
	request.max_wait_ms = 10000;
	request.min_bytes = 1;
	request.topics = &topic;
	request.topics_count = 1;
	response =
	    raw_client_call(client, KP_FETCH_KEY, FETCH_VERSION, &request);
	assert_int_equal(response->error_code, 0);
	*throttle_ms = response->throttle_time_ms;
	return response->responses_count == 0 ?
	    0 :
	    response->responses[0].partitions[0].records.bytes.len;
}

/*
 * A batch that is more than the quota ever lets pass is given once, and paid
 * for; whoever is in debt gets nothing.
 */
static void
a_consumer_is_held_back(void **state UNUSED)
{
	struct raw_client client, other, third;
	int32_t throttle_ms;

	raw_client_init(&client, &broker);
	raw_client_init(&other, &broker);
	raw_client_init(&third, &broker);
	assert_int_equal(alter(&other, OWN,
			     "consumer_byte_rate", RECORD_LEN / 200.0), 0);
	assert_true(fetch(&client, &throttle_ms) > RECORD_LEN);
	assert_true(throttle_ms > 100000);
	expect_silence(&client, &third);
	assert_int_equal(fetch(&other, &throttle_ms), 0);
	assert_true(throttle_ms > 200000);
	/* What it did not get it does not pay: the next one owes no more. */
	assert_int_equal(alter(&third, OWN,
			     "consumer_byte_rate", 0), 0);
	assert_true(fetch(&third, &throttle_ms) > RECORD_LEN);
	assert_int_equal(throttle_ms, 0);
	raw_client_fini(&client);
	raw_client_fini(&other);
	raw_client_fini(&third);
}

static enum kp_error
create(struct raw_client *client, int16_t version, const char *name,
    int32_t partitions, int32_t *throttle_ms)
{
	struct kp_create_topics_request_topic topic = {
		.name = slice_str(name),
		.num_partitions = partitions,
		.replication_factor = 1,
	};
	struct kp_create_topics_request request;
	const struct kp_create_topics_response *response;

	kp_defaults(&kp_create_topics_request, &request);
	request.topics = &topic;
	request.topics_count = 1;
	request.timeout_ms = 30000;
	response = raw_client_call(
	    client, KP_CREATE_TOPICS_KEY, version, &request);
	*throttle_ms = response->throttle_time_ms;
	return (enum kp_error)response->topics[0].error_code;
}

static void
creations_are_refused_in_debt(void **state UNUSED)
{
	struct raw_client client, other;
	int32_t throttle_ms;

	raw_client_init(&client, &broker);
	raw_client_init(&other, &broker);
	assert_int_equal(alter(&client, OWN,
			     "controller_mutation_rate", 0.01), 0);
	assert_int_equal(create(&client, 7, "first", 10, &throttle_ms), 0);
	assert_int_equal(throttle_ms, 0);
	assert_int_equal(create(&client, 7, "second", 1, &throttle_ms),
	    KP_THROTTLING_QUOTA_EXCEEDED);
	assert_true(throttle_ms > 100000);
	/* Old clients are not refused, only silenced. */
	assert_int_equal(create(&other, 5, "second", 1, &throttle_ms), 0);
	assert_true(throttle_ms > 100000);
	raw_client_fini(&client);
	raw_client_fini(&other);
	raw_client_init(&client, &broker);
	assert_int_equal(alter(&client, OWN,
			     "controller_mutation_rate", 0), 0);
	assert_int_equal(create(&client, 7, "third", 1, &throttle_ms), 0);
	raw_client_fini(&client);
}

/* More come in a moment than may come in ten seconds: some are closed. */
static void
too_many_connections_are_refused(void **state UNUSED)
{
	struct raw_client client, others[CONNECTIONS];
	struct pollfd ends[CONNECTIONS];
	char byte;

	raw_client_init(&client, &broker);
	assert_int_equal(alter(&client, "ip", "127.0.0.1",
			     "connection_creation_rate", 1), 0);
	for (int i = 0; i < CONNECTIONS; i++) {
		raw_client_init(&others[i], &broker);
		ends[i] = (struct pollfd){ .fd = others[i].fd,
			.events = POLLIN };
	}
	/* Nobody has asked for anything, so it can only be the end. */
	assert_true(poll(ends, CONNECTIONS, 30000) > 0);
	for (int i = 0; i < CONNECTIONS; i++) {
		if (ends[i].revents != 0)
			assert_int_equal(read(ends[i].fd, &byte, 1), 0);
		raw_client_fini(&others[i]);
	}
	assert_int_equal(alter(&client, "ip", "127.0.0.1",
			     "connection_creation_rate", 0), 0);
	raw_client_init(&others[0], &broker);
	(void)raw_client_call(&others[0], KP_API_VERSIONS_KEY, 0, NULL);
	raw_client_fini(&others[0]);
	raw_client_fini(&client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotas_survive),
		cmocka_unit_test(a_producer_is_held_back),
		cmocka_unit_test(time_is_charged),
		cmocka_unit_test(a_consumer_is_held_back),
		cmocka_unit_test(creations_are_refused_in_debt),
		cmocka_unit_test(too_many_connections_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
