/*
 * Producing with librdkafka: what is acknowledged is there, once, in order
 * and unchanged, and what cannot be taken is refused with the right error.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/error.h"
#include "wire/generated/produce.h"

static struct broker_process broker;

static int
start_broker(void **state UNUSED)
{
	broker_process_start(&broker, "--override", "num.partitions=3", NULL);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

static struct slice
message_key(const rd_kafka_message_t *message)
{
	return slice_of(message->key, message->key_len);
}

static struct slice
message_value(const rd_kafka_message_t *message)
{
	return slice_of(message->payload, message->len);
}

/* --- Acknowledgements ---------------------------------------------------- */

/* Values that count up. */
static void
send_numbers(struct kafka_producer *producer, const char *topic, int count)
{
	char value[32];

	for (int i = 0; i < count; i++) {
		snprintf(value, sizeof(value), "value %d", i);
		kafka_producer_send(producer, topic, 0, SLICE_NULL,
		    slice_str(value));
	}
}

static void
see_number(const rd_kafka_message_t *message, void *context)
{
	int *next = context;
	char value[32];

	snprintf(value, sizeof(value), "value %d", *next);
	assert_int_equal(message->offset, *next);
	assert_true(slice_equal_str(message_value(message), value));
	(*next)++;
}

/*
 * With acks=1 and acks=0 the producer hears before the disk does, and readers
 * see a record when it is on disk.
 */
static void
await_end(const char *topic, int64_t end)
{
	int64_t deadline = clock_monotonic_ms() + 30000;

	while (kafka_end_offset(&broker, topic, 0) < end)
		assert_true(clock_monotonic_ms() < deadline);
}

static void
expect_numbers(const char *topic, int count)
{
	int next = 0;

	await_end(topic, count);
	assert_int_equal(kafka_read(&broker, topic, 0, see_number, &next),
	    count);
}

static void
check_acks(const char *topic, const char *acks, const char *idempotent)
{
	enum { COUNT = 2000 };
	struct kafka_producer producer;

	kafka_client_create_topic(&broker, topic, 1, KAFKA_DEFAULTS);
	kafka_producer_init(&producer, &broker,
	    KAFKA_SETTINGS("acks", acks, "enable.idempotence", idempotent,
		"batch.num.messages", "100", "linger.ms", "1"));
	send_numbers(&producer, topic, COUNT);
	kafka_producer_flush_ok(&producer);
	for (size_t i = 0; i < producer.count; i++)
		assert_int_equal(producer.deliveries[i].offset, i);
	kafka_producer_fini(&producer);
	expect_numbers(topic, COUNT);
}

static void
test_acks_1(void **state UNUSED)
{
	check_acks("acks-1", "1", "false");
}

static void
test_acks_all(void **state UNUSED)
{
	check_acks("acks-all", "all", "false");
}

static void
test_idempotent(void **state UNUSED)
{
	check_acks("idempotent", "all", "true");
}

/* Nobody says when these have arrived, but they do, in order. */
static void
test_acks_0(void **state UNUSED)
{
	enum { COUNT = 2000, DEADLINE_MS = 30000 };
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	struct kafka_producer producer;

	kafka_client_create_topic(&broker, "acks-0", 1, KAFKA_DEFAULTS);
	kafka_producer_init(&producer, &broker,
	    KAFKA_SETTINGS("acks", "0", "batch.num.messages", "100",
		"linger.ms", "1"));
	send_numbers(&producer, "acks-0", COUNT);
	kafka_producer_flush_ok(&producer);
	while (kafka_end_offset(&broker, "acks-0", 0) < COUNT)
		assert_true(clock_monotonic_ms() < deadline);
	kafka_producer_fini(&producer);
	expect_numbers("acks-0", COUNT);
}

/* --- Contents ------------------------------------------------------------ */

/* Text that can be compressed, different for each number. */
static struct slice
text_of(int number, char *buffer, size_t size)
{
	size_t len = 0;

	while (len + 40 < size)
		len += (size_t)snprintf(buffer + len, size - len,
		    "line %d of the story so far; ", number);
	return slice_of(buffer, len);
}

static void
see_text(const rd_kafka_message_t *message, void *context)
{
	int *next = context;
	char text[1000];

	assert_true(slice_equal(message_value(message),
	    text_of((*next)++, text, sizeof(text))));
}

static off_t
log_size(const char *topic)
{
	char *path = xasprintf("%s/data/%s-0/00000000000000000000.log",
	    broker.directory, topic);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	free(path);
	return st.st_size;
}

/* Written with one codec to a topic that may want another. */
static void
check_codec(const char *codec, const char *of_topic, bool stored_compressed)
{
	enum { COUNT = 500, TEXT_SIZE = 1000 };
	struct kafka_producer producer;
	char *topic = xasprintf("codec-%s-%s", codec, of_topic);
	char text[TEXT_SIZE];
	int next = 0;

	kafka_client_create_topic(&broker, topic, 1,
	    KAFKA_SETTINGS("compression.type", of_topic));
	kafka_producer_init(&producer, &broker,
	    KAFKA_SETTINGS("compression.type", codec, "linger.ms", "50"));
	for (int i = 0; i < COUNT; i++)
		kafka_producer_send(&producer, topic, 0, SLICE_NULL,
		    text_of(i, text, sizeof(text)));
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
	assert_int_equal(kafka_read(&broker, topic, 0, see_text, &next),
	    COUNT);
	if ((log_size(topic) < COUNT * TEXT_SIZE / 2) != stored_compressed)
		fail_msg("%s takes %lld bytes", topic,
		    (long long)log_size(topic));
	free(topic);
}

static void
test_codecs(void **state UNUSED)
{
	check_codec("none", "producer", false);
	check_codec("gzip", "producer", true);
	check_codec("snappy", "producer", true);
	check_codec("lz4", "producer", true);
	check_codec("zstd", "producer", true);
}

static void
test_codecs_of_the_topic(void **state UNUSED)
{
	check_codec("none", "zstd", true);
	check_codec("gzip", "uncompressed", false);
	check_codec("lz4", "snappy", true);
	check_codec("snappy", "gzip", true);
	check_codec("zstd", "lz4", true);
}

/* For each key, the last value and the partition that has it. */
struct keys {
	int last[97];
	int32_t partition[97];
	int32_t reading;
};

static void
see_key(const rd_kafka_message_t *message, void *context)
{
	struct keys *keys = context;
	struct slice key = message_key(message);
	struct slice value = message_value(message);
	int index, number;

	assert_int_equal(key.len, 4);
	assert_int_equal(value.len, 4);
	index = (int)be32_get(key.data);
	number = (int)be32_get(value.data);
	assert_true(index < (int)COUNT_OF(keys->last));
	assert_true(keys->partition[index] == -1 ||
	    keys->partition[index] == keys->reading);
	assert_true(number > keys->last[index]);
	assert_int_equal(number % (int)COUNT_OF(keys->last), index);
	keys->partition[index] = keys->reading;
	keys->last[index] = number;
}

static void
test_order_of_keys(void **state UNUSED)
{
	enum { COUNT = 20000, PARTITIONS = 5 };
	struct kafka_producer producer;
	size_t count = 0;
	struct keys keys;

	kafka_client_create_topic(&broker, "keyed", PARTITIONS, KAFKA_DEFAULTS);
	kafka_producer_init(&producer, &broker,
	    KAFKA_SETTINGS("partitioner", "murmur2_random",
		"enable.idempotence", "true"));
	for (uint32_t i = 0; i < COUNT; i++) {
		uint8_t key[4], value[4];

		be32_put(key, i % COUNT_OF(keys.last));
		be32_put(value, i);
		kafka_producer_send(&producer, "keyed",
		    RD_KAFKA_PARTITION_UA, slice_of(key, 4),
		    slice_of(value, 4));
	}
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
	for (size_t i = 0; i < COUNT_OF(keys.last); i++) {
		keys.last[i] = -1;
		keys.partition[i] = -1;
	}
	for (keys.reading = 0; keys.reading < PARTITIONS; keys.reading++)
		count += kafka_read(&broker, "keyed", keys.reading, see_key,
		    &keys);
	assert_int_equal(count, COUNT);
}

static void
see_parts(const rd_kafka_message_t *message, void *context)
{
	rd_kafka_timestamp_type_t type;
	rd_kafka_headers_t *headers;
	int *seen = context;
	const void *value;
	size_t len;

	assert_int_equal(rd_kafka_message_timestamp(message, &type),
	    1234567890123);
	assert_int_equal(type, RD_KAFKA_TIMESTAMP_CREATE_TIME);
	assert_true(slice_equal_str(message_key(message), "k"));
	assert_null(message->payload);
	assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
	assert_int_equal(rd_kafka_header_cnt(headers), 3);
	assert_int_equal(rd_kafka_header_get(headers, 0, "h", &value, &len), 0);
	assert_true(slice_equal_str(slice_of(value, len), "one"));
	assert_int_equal(rd_kafka_header_get(headers, 1, "h", &value, &len), 0);
	assert_true(slice_equal_str(slice_of(value, len), "two"));
	assert_int_equal(rd_kafka_header_get(headers, 0, "null", &value, &len),
	    0);
	assert_null(value);
	(*seen)++;
}

/* A tombstone with headers and a time of its own. */
static void
test_all_parts_of_a_record(void **state UNUSED)
{
	rd_kafka_t *client;
	char key[] = "k";
	int seen = 0;

	kafka_client_create_topic(&broker, "parts", 1, KAFKA_DEFAULTS);
	client =
	    kafka_client_new(&broker, RD_KAFKA_PRODUCER, KAFKA_DEFAULTS);
	assert_int_equal(rd_kafka_producev(client, RD_KAFKA_V_TOPIC("parts"),
			     RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_KEY(key, 1),
			     RD_KAFKA_V_HEADER("h", "one", 3),
			     RD_KAFKA_V_HEADER("null", NULL, 0),
			     RD_KAFKA_V_HEADER("h", "two", 3),
			     RD_KAFKA_V_TIMESTAMP(1234567890123),
			     RD_KAFKA_V_END),
	    0);
	assert_int_equal(rd_kafka_flush(client, 30000), 0);
	rd_kafka_destroy(client);
	assert_int_equal(kafka_read(&broker, "parts", 0, see_parts, &seen), 1);
	assert_int_equal(seen, 1);
}

/* A topic that is not there is made on the way, with num.partitions. */
static void
test_topics_are_created_on_the_way(void **state UNUSED)
{
	struct kafka_producer producer;

	kafka_producer_init(&producer, &broker, KAFKA_DEFAULTS);
	kafka_producer_send(&producer, "unheard-of", 2, SLICE_NULL,
	    slice_str("x"));
	kafka_producer_flush_ok(&producer);
	assert_int_equal(producer.deliveries[0].partition, 2);
	assert_int_equal(producer.deliveries[0].offset, 0);
	kafka_producer_fini(&producer);
	assert_int_equal(kafka_end_offset(&broker, "unheard-of", 1), 0);
}

/* --- Sizes --------------------------------------------------------------- */

static void
see_large(const rd_kafka_message_t *message, void *context)
{
	size_t *len = context;
	const uint8_t *payload = message->payload;

	assert_int_equal(message->len, *len);
	for (size_t i = 0; i < message->len; i++)
		if (payload[i] != (uint8_t)(i * 7 + (i >> 8)))
			fail_msg("byte %zu differs", i);
}

static void
send_large(struct kafka_producer *producer, const char *topic, size_t len)
{
	uint8_t *value = xmalloc(len);

	for (size_t i = 0; i < len; i++)
		value[i] = (uint8_t)(i * 7 + (i >> 8));
	kafka_producer_send(producer, topic, 0, SLICE_NULL,
	    slice_of(value, len));
	free(value);
}

static void
check_large(const char *topic, size_t len, const char *const *configs)
{
	struct kafka_producer producer;

	kafka_client_create_topic(&broker, topic, 1, configs);
	kafka_producer_init(&producer, &broker,
	    KAFKA_SETTINGS("message.max.bytes", "60000000"));
	send_large(&producer, topic, len);
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
	assert_int_equal(kafka_read(&broker, topic, 0, see_large, &len), 1);
}

static void
test_large_records(void **state UNUSED)
{
	/* max.message.bytes is 1048588 by default, with the batch's header. */
	check_large("large", 1048588 - 100, KAFKA_DEFAULTS);
	check_large("larger", 5000000,
	    KAFKA_SETTINGS("max.message.bytes", "6000000"));
	check_large("largest", 40000000,
	    KAFKA_SETTINGS("max.message.bytes", "50000000"));
}

/* One record is refused; the producer and the connection go on. */
static void
test_records_that_are_too_large(void **state UNUSED)
{
	struct kafka_producer producer;
	size_t len = 1000000;

	kafka_client_create_topic(&broker, "too-large", 1, KAFKA_DEFAULTS);
	kafka_producer_init(&producer, &broker,
	    KAFKA_SETTINGS("message.max.bytes", "9000000", "linger.ms", "0"));
	send_large(&producer, "too-large", 2000000);
	kafka_producer_flush(&producer);
	assert_int_equal(producer.deliveries[0].error,
	    RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	send_large(&producer, "too-large", len);
	kafka_producer_flush(&producer);
	assert_int_equal(producer.deliveries[1].error, 0);
	assert_int_equal(producer.deliveries[1].offset, 0);
	kafka_producer_fini(&producer);
	assert_int_equal(kafka_read(&broker, "too-large", 0, see_large, &len),
	    1);
}

/* --- Refusals ------------------------------------------------------------ */

/* The error that one record gets; nothing of it is stored. */
static void
expect_refusal(const char *topic, const char *acks, struct slice key,
    int64_t timestamp, rd_kafka_resp_err_t error)
{
	struct kafka_producer producer;

	kafka_producer_init(&producer, &broker,
	    KAFKA_SETTINGS("retries", "0", "acks", acks));
	kafka_producer_send_at(&producer, topic, 0, key, slice_str("x"),
	    timestamp);
	kafka_producer_flush(&producer);
	assert_int_equal(producer.deliveries[0].error, error);
	kafka_producer_fini(&producer);
	assert_int_equal(kafka_end_offset(&broker, topic, 0), 0);
}

static void
test_refused_records(void **state UNUSED)
{
	int64_t now = clock_wall_ms();

	kafka_client_create_topic(&broker, "compacted", 1,
	    KAFKA_SETTINGS("cleanup.policy", "compact"));
	expect_refusal("compacted", "all", SLICE_NULL, 0,
	    RD_KAFKA_RESP_ERR_INVALID_RECORD);

	kafka_client_create_topic(&broker, "timely", 1,
	    KAFKA_SETTINGS("message.timestamp.before.max.ms", "60000",
		"message.timestamp.after.max.ms", "60000"));
	expect_refusal("timely", "1", slice_str("k"), now - 3600000,
	    RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP);
	expect_refusal("timely", "1", slice_str("k"), now + 3600000,
	    RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP);
}

/* min.insync.replicas asks for no more replicas than there are. */
static void
test_all_replicas_are_enough(void **state UNUSED)
{
	struct kafka_producer producer;

	kafka_client_create_topic(&broker, "once-safe", 1,
	    KAFKA_SETTINGS("min.insync.replicas", "2"));
	kafka_producer_init(&producer, &broker, KAFKA_SETTINGS("acks", "all"));
	kafka_producer_send(&producer, "once-safe", 0, SLICE_NULL,
	    slice_str("x"));
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
}

static const struct kp_produce_response_partition *
produce(struct raw_client *client, const struct kp_produce_request *request)
{
	const struct kp_produce_response *response = raw_client_call(client,
	    KP_PRODUCE_KEY, RAW_TOPIC_PRODUCE_VERSION, request);

	assert_int_equal(response->responses_count, 1);
	assert_int_equal(response->responses[0].partition_responses_count, 1);
	return &response->responses[0].partition_responses[0];
}

static void
test_damaged_batches(void **state UNUSED)
{
	const struct kp_produce_response_partition *partition;
	const struct kp_produce_request *request;
	struct raw_client client;
	uint8_t *last;

	raw_client_init(&client, &broker);
	raw_topic_create(&client, "damaged", 1);
	request = raw_topic_produce(&client, "damaged", -1, slice_str("x"));
	/* The batch lies in the client's arena. */
	last = (uint8_t *)(uintptr_t)request->topic_data[0]
		   .partition_data[0].records.bytes.data +
	    request->topic_data[0].partition_data[0].records.bytes.len - 1;
	*last ^= 1;
	partition = produce(&client, request);
	assert_int_equal(partition->error_code, KP_CORRUPT_MESSAGE);
	assert_int_equal(partition->base_offset, -1);
	*last ^= 1;
	partition = produce(&client, request);
	assert_int_equal(partition->error_code, KP_NONE);
	assert_int_equal(partition->base_offset, 0);
	raw_client_fini(&client);
}

/* From version 8 on the client learns which records are to blame. */
static void
test_record_errors(void **state UNUSED)
{
	const struct kp_produce_response_partition *partition;
	struct raw_client client;

	kafka_client_create_topic(&broker, "blame", 1,
	    KAFKA_SETTINGS("cleanup.policy", "compact"));
	raw_client_init(&client, &broker);
	partition = produce(&client,
	    raw_topic_produce(&client, "blame", -1, slice_str("no key")));
	assert_int_equal(partition->error_code, KP_INVALID_RECORD);
	assert_int_equal(partition->record_errors_count, 1);
	assert_int_equal(partition->record_errors[0].batch_index, 0);
	assert_false(slice_is_null(partition->error_message));
	raw_client_fini(&client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acks_0),
		cmocka_unit_test(test_acks_1),
		cmocka_unit_test(test_acks_all),
		cmocka_unit_test(test_idempotent),
		cmocka_unit_test(test_codecs),
		cmocka_unit_test(test_codecs_of_the_topic),
		cmocka_unit_test(test_order_of_keys),
		cmocka_unit_test(test_all_parts_of_a_record),
		cmocka_unit_test(test_topics_are_created_on_the_way),
		cmocka_unit_test(test_large_records),
		cmocka_unit_test(test_records_that_are_too_large),
		cmocka_unit_test(test_refused_records),
		cmocka_unit_test(test_all_replicas_are_enough),
		cmocka_unit_test(test_damaged_batches),
		cmocka_unit_test(test_record_errors),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
