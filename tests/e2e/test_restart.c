/*
 * Stops, kills and restarts: what was acknowledged stays, exactly once and in
 * order, and clients go on as if nothing had happened.
 */
#include "unit/unit.h"
#include "unit/temp_dir.h"

#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/error.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/describe_configs.h"
#include "wire/generated/metadata.h"

#define DEADLINE_MS 60000

/* --- Topics -------------------------------------------------------------- */

struct topic_facts {
	struct uuid id;
	int32_t partitions;
	int32_t leader_epoch;		/* of partition 0 */
};

static enum kp_error
find_topic(struct raw_client *client, const char *name,
    struct topic_facts *facts)
{
	struct kp_metadata_request_topic topic = { .name = slice_str(name) };
	struct kp_metadata_request request = {
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_metadata_response *response =
	    raw_client_call(client, KP_METADATA_KEY, 12, &request);

	assert_int_equal(response->topics_count, 1);
	if (response->topics[0].error_code != KP_NONE)
		return (enum kp_error)response->topics[0].error_code;
	facts->id = response->topics[0].topic_id;
	facts->partitions = response->topics[0].partitions_count;
	facts->leader_epoch = response->topics[0].partitions[0].leader_epoch;
	return KP_NONE;
}

static void
expect_config(struct raw_client *client, const char *topic, const char *key,
    const char *value)
{
	struct slice keys[] = { slice_str(key) };
	struct kp_describe_configs_request_resource resource = {
		.resource_type = 2,
		.resource_name = slice_str(topic),
		.configuration_keys = keys,
		.configuration_keys_count = 1,
	};
	struct kp_describe_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};
	const struct kp_describe_configs_response *response =
	    raw_client_call(client, KP_DESCRIBE_CONFIGS_KEY, 4, &request);

	assert_int_equal(response->results_count, 1);
	assert_int_equal(response->results[0].error_code, KP_NONE);
	assert_int_equal(response->results[0].configs_count, 1);
	assert_true(slice_equal_str(response->results[0].configs[0].value,
	    value));
}

static void
delete_topic(struct raw_client *client, const char *name)
{
	struct slice names[] = { slice_str(name) };
	struct kp_delete_topics_request request = {
		.topic_names = names,
		.topic_names_count = 1,
		.timeout_ms = DEADLINE_MS,
	};
	const struct kp_delete_topics_response *response =
	    raw_client_call(client, KP_DELETE_TOPICS_KEY, 5, &request);

	assert_int_equal(response->responses_count, 1);
	assert_int_equal(response->responses[0].error_code, KP_NONE);
}

/* End the broker in one of the two ways, and start it again. */
static void
restart(struct broker_process *broker, bool cleanly)
{
	if (cleanly)
		broker_process_stop(broker);
	else
		broker_process_kill(broker);
	broker_process_restart(broker);
}

static void
check_topics(bool cleanly)
{
	struct topic_facts before, after;
	struct broker_process broker;
	struct raw_client client;

	broker_process_start(&broker, NULL);
	kafka_client_create_topic(&broker, "kept", 3,
	    KAFKA_SETTINGS("retention.ms", "123456789"));
	kafka_client_create_topic(&broker, "gone", 1, KAFKA_DEFAULTS);
	raw_client_init(&client, &broker);
	assert_int_equal(find_topic(&client, "kept", &before), KP_NONE);
	delete_topic(&client, "gone");
	raw_client_fini(&client);

	restart(&broker, cleanly);
	raw_client_init(&client, &broker);
	assert_int_equal(find_topic(&client, "kept", &after), KP_NONE);
	assert_memory_equal(&after.id, &before.id, sizeof(after.id));
	assert_int_equal(after.partitions, 3);
	assert_true(after.leader_epoch >= before.leader_epoch);
	expect_config(&client, "kept", "retention.ms", "123456789");
	assert_int_equal(find_topic(&client, "gone", &after),
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	raw_client_fini(&client);
	broker_process_fini(&broker);
}

static void
test_topics_stay(void **state UNUSED)
{
	check_topics(true);
	check_topics(false);
}

static int32_t
leader_epoch(const struct broker_process *broker, const char *topic)
{
	struct topic_facts facts;
	struct raw_client client;

	raw_client_init(&client, broker);
	assert_int_equal(find_topic(&client, topic, &facts), KP_NONE);
	raw_client_fini(&client);
	return facts.leader_epoch;
}

/*
 * A mark of another registration than the last is of a directory that was put
 * back from somewhere: it may lack records, so its leader begins anew.
 */
static void
test_an_old_mark_counts_as_a_crash(void **state UNUSED)
{
	struct broker_process broker;
	int32_t before;
	char *data;

	broker_process_start(&broker, NULL);
	kafka_client_create_topic(&broker, "kept", 1, KAFKA_DEFAULTS);
	restart(&broker, true);
	before = leader_epoch(&broker, "kept");
	restart(&broker, true);
	assert_int_equal(leader_epoch(&broker, "kept"), before);
	broker_process_stop(&broker);
	data = xasprintf("%s/data", broker.directory);
	temp_dir_put(data, ".kafka_cleanshutdown",
	    "{\"version\":0,\"brokerEpoch\":1}");
	free(data);
	broker_process_restart(&broker);
	assert_int_equal(leader_epoch(&broker, "kept"), before + 1);
	broker_process_fini(&broker);
}

/* A name can be used again, and the old records do not come back with it. */
static void
test_a_topic_made_again_is_empty(void **state UNUSED)
{
	struct broker_process broker;
	struct kafka_producer producer;
	struct raw_client client;

	broker_process_start(&broker, NULL);
	raw_client_init(&client, &broker);
	raw_topic_create(&client, "phoenix", 1);
	kafka_producer_init(&producer, &broker, KAFKA_DEFAULTS);
	kafka_producer_send(&producer, "phoenix", 0, SLICE_NULL,
	    slice_str("old"));
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
	delete_topic(&client, "phoenix");
	raw_topic_create(&client, "phoenix", 1);
	assert_int_equal(raw_topic_end(&client, "phoenix"), 0);
	raw_client_fini(&client);
	restart(&broker, false);
	assert_int_equal(kafka_end_offset(&broker, "phoenix", 0), 0);
	broker_process_fini(&broker);
}

/* Clients must notice, however orderly the stop was. */
static void
test_lost_records_raise_the_epoch(void **state UNUSED)
{
	struct broker_process broker;
	struct kafka_producer producer;
	int32_t epoch;
	char *path;

	broker_process_start(&broker, NULL);
	kafka_client_create_topic(&broker, "shrunk", 1, KAFKA_DEFAULTS);
	kafka_producer_init(&producer, &broker, KAFKA_DEFAULTS);
	kafka_producer_send(&producer, "shrunk", 0, SLICE_NULL,
	    slice_str("gone"));
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
	epoch = leader_epoch(&broker, "shrunk");
	restart(&broker, true);
	assert_int_equal(leader_epoch(&broker, "shrunk"), epoch);

	broker_process_stop(&broker);
	path = xasprintf("%s/data/shrunk-0/%020d.log", broker.directory, 0);
	assert_int_equal(truncate(path, 0), 0);
	free(path);
	broker_process_restart(&broker);
	assert_true(leader_epoch(&broker, "shrunk") > epoch);
	/* Nobody else gets the offset. */
	assert_int_equal(kafka_end_offset(&broker, "shrunk", 0), 1);
	broker_process_fini(&broker);
}

/* --- Records under load -------------------------------------------------- */

#define PARTITIONS 4
#define TOPIC "load"

/* Where each record was found; its number is what it says. */
struct found {
	const struct kafka_producer *producer;
	int64_t *offsets;		/* by number; -1 where it was not */
	int64_t last;			/* number in this partition */
	int32_t partition;
};

static void
see_record(const rd_kafka_message_t *message, void *context)
{
	struct found *found = context;
	uint32_t number;

	assert_int_equal(message->len, 4);
	number = be32_get(message->payload);
	assert_true(number < found->producer->count);
	assert_int_equal(number % PARTITIONS, found->partition);
	if ((int64_t)number <= found->last)
		fail_msg("record %u after %lld: twice, or out of order",
		    number, (long long)found->last);
	found->last = number;
	found->offsets[number] = message->offset;
}

/* All records were delivered, and are where their producer was told. */
static void
expect_all_found(const struct broker_process *broker,
    const struct kafka_producer *producer)
{
	struct found found = {
		.producer = producer,
		.offsets = xmalloc(producer->count * sizeof(int64_t)),
	};
	size_t read = 0;

	memset(found.offsets, 0xff, producer->count * sizeof(int64_t));
	for (; found.partition < PARTITIONS; found.partition++) {
		found.last = -1;
		read += kafka_read(broker, TOPIC, found.partition, see_record,
		    &found);
	}
	assert_int_equal(read, producer->count);
	for (size_t i = 0; i < producer->count; i++) {
		const struct kafka_delivery *delivery =
		    &producer->deliveries[i];

		if (found.offsets[i] < 0)
			fail_msg("record %zu is lost", i);
		/* A producer that was told "you had sent it" has no offset. */
		if (delivery->offset >= 0 &&
		    delivery->offset != found.offsets[i])
			fail_msg("record %zu is at %lld, not %lld", i,
			    (long long)found.offsets[i],
			    (long long)delivery->offset);
	}
	free(found.offsets);
}

/* Send until so many more have been delivered; others are on their way. */
static void
send_until_delivered(struct kafka_producer *producer, size_t more)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	size_t goal = producer->done + more;

	while (producer->done < goal) {
		int32_t partition = (int32_t)(producer->count % PARTITIONS);
		uint8_t number[4];

		be32_put(number, (uint32_t)producer->count);
		kafka_producer_send(producer, TOPIC, partition, SLICE_NULL,
		    slice_of(number, sizeof(number)));
		kafka_producer_poll(producer);
		if (clock_monotonic_ms() > deadline)
			fail_msg("no deliveries any more");
	}
}

/*
 * The queue is short, so that the producer does not run ahead of the broker,
 * and batches are small, so that several are in flight.
 */
static void
check_load(int rounds, bool cleanly, const char *flush)
{
	struct broker_process broker;
	struct kafka_producer producer;

	broker_process_start(&broker, "--override", flush, NULL);
	kafka_client_create_topic(&broker, TOPIC, PARTITIONS, KAFKA_DEFAULTS);
	kafka_producer_init(&producer, &broker,
	    KAFKA_SETTINGS("enable.idempotence", "true", "linger.ms", "1",
		"batch.num.messages", "50", "message.timeout.ms", "300000",
		"queue.buffering.max.messages", "2000", "retry.backoff.ms",
		"20", "reconnect.backoff.ms", "10",
		"reconnect.backoff.max.ms", "50"));
	for (int i = 0; i < rounds; i++) {
		/* From hardly begun to well under way. */
		send_until_delivered(&producer, 1 + (size_t)i * 397 % 2000);
		restart(&broker, cleanly);
	}
	send_until_delivered(&producer, 100);
	kafka_producer_flush_ok(&producer);
	expect_all_found(&broker, &producer);
	kafka_producer_fini(&producer);
	broker_process_fini(&broker);
}

static void
test_kills_under_load(void **state UNUSED)
{
	check_load(20, false, "klamm.flush=acked");
}

static void
test_kills_under_load_without_syncs(void **state UNUSED)
{
	check_load(5, false, "klamm.flush=os");
}

static void
test_stops_under_load(void **state UNUSED)
{
	check_load(5, true, "klamm.flush=acked");
}

/* --- Offsets of groups --------------------------------------------------- */

#define GROUP_RECORDS 900

static rd_kafka_t *
member(const struct broker_process *broker, const char *topic)
{
	rd_kafka_t *consumer = kafka_client_new(broker, RD_KAFKA_CONSUMER,
	    KAFKA_SETTINGS("group.id", "workers", "auto.offset.reset",
		"earliest", "enable.auto.commit", "false",
		"fetch.wait.max.ms", "10"));
	rd_kafka_topic_partition_list_t *topics =
	    rd_kafka_topic_partition_list_new(1);

	rd_kafka_poll_set_consumer(consumer);
	rd_kafka_topic_partition_list_add(topics, topic,
	    RD_KAFKA_PARTITION_UA);
	assert_int_equal(rd_kafka_subscribe(consumer, topics), 0);
	rd_kafka_topic_partition_list_destroy(topics);
	return consumer;
}

/* Take count records in, each for the first time, and commit. */
static void
work(const struct broker_process *broker, const char *topic, bool *seen,
    int count)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	rd_kafka_t *consumer = member(broker, topic);

	while (count > 0) {
		rd_kafka_message_t *message =
		    rd_kafka_consumer_poll(consumer, 100);
		uint32_t number;

		if (clock_monotonic_ms() > deadline)
			fail_msg("%d records do not come", count);
		if (message == NULL)
			continue;
		if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			fail_msg("%s", rd_kafka_message_errstr(message));
		number = be32_get(message->payload);
		assert_true(number < GROUP_RECORDS);
		if (seen[number])
			fail_msg("record %u comes again", number);
		seen[number] = true;
		rd_kafka_message_destroy(message);
		count--;
	}
	assert_int_equal(rd_kafka_commit(consumer, NULL, 0), 0);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
}

static void
send_work(const struct broker_process *broker, const char *topic)
{
	struct kafka_producer producer;

	kafka_client_create_topic(broker, topic, 3, KAFKA_DEFAULTS);
	kafka_producer_init(&producer, broker, KAFKA_DEFAULTS);
	for (uint32_t i = 0; i < GROUP_RECORDS; i++) {
		uint8_t number[4];

		be32_put(number, i);
		kafka_producer_send(&producer, topic, (int32_t)(i % 3),
		    SLICE_NULL, slice_of(number, sizeof(number)));
	}
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
}

static void
test_groups_resume(void **state UNUSED)
{
	bool seen[GROUP_RECORDS] = { false };
	struct broker_process broker;

	broker_process_start(&broker, "--override",
	    "group.initial.rebalance.delay.ms=0", NULL);
	send_work(&broker, "work");
	work(&broker, "work", seen, GROUP_RECORDS / 3);
	restart(&broker, true);
	work(&broker, "work", seen, GROUP_RECORDS / 3);
	restart(&broker, false);
	work(&broker, "work", seen, GROUP_RECORDS / 3);
	for (int i = 0; i < GROUP_RECORDS; i++)
		assert_true(seen[i]);
	broker_process_fini(&broker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_topics_stay),
		cmocka_unit_test(test_an_old_mark_counts_as_a_crash),
		cmocka_unit_test(test_a_topic_made_again_is_empty),
		cmocka_unit_test(test_lost_records_raise_the_epoch),
		cmocka_unit_test(test_kills_under_load),
		cmocka_unit_test(test_kills_under_load_without_syncs),
		cmocka_unit_test(test_stops_under_load),
		cmocka_unit_test(test_groups_resume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
