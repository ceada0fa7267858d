#include "e2e/kafka_client.h"

#include <errno.h>

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "unit/unit.h"

/* Long enough for a broker under a sanitizer on a busy machine. */
#define DEADLINE_MS 60000
#define POLL_MS 100
#define ERROR_LEN 256

/* --- Clients ------------------------------------------------------------- */

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char error[ERROR_LEN];

	if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) !=
	    RD_KAFKA_CONF_OK)
		fail_msg("%s=%s: %s", name, value, error);
}

/*
 * Broken connections are what some tests make; they need no lines in the
 * test's output.
 */
rd_kafka_conf_t *
kafka_client_conf(const struct broker_process *broker,
    const char *const *settings)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char address[32];

	broker_process_address(broker, address);
	set(conf, "bootstrap.servers", address);
	set(conf, "log_level", "0");
	kafka_client_set(conf, settings);
	return conf;
}

void
kafka_client_set(rd_kafka_conf_t *conf, const char *const *settings)
{
	for (; settings[0] != NULL; settings += 2)
		set(conf, settings[0], settings[1]);
}

rd_kafka_t *
kafka_client_of(rd_kafka_conf_t *conf, rd_kafka_type_t type)
{
	char error[ERROR_LEN];
	rd_kafka_t *client =
	    rd_kafka_new(type, conf, error, sizeof(error));

	if (client == NULL)
		fail_msg("rd_kafka_new: %s", error);
	return client;
}

rd_kafka_t *
kafka_client_new(const struct broker_process *broker, rd_kafka_type_t type,
    const char *const *settings)
{
	return kafka_client_of(kafka_client_conf(broker, settings), type);
}

static rd_kafka_NewTopic_t *
new_topic(const char *topic, int partitions, const char *const *configs)
{
	char error[ERROR_LEN];
	rd_kafka_NewTopic_t *new =
	    rd_kafka_NewTopic_new(topic, partitions, 1, error, sizeof(error));

	if (new == NULL)
		fail_msg("%s", error);
	for (; configs[0] != NULL; configs += 2)
		if (rd_kafka_NewTopic_set_config(new, configs[0],
			configs[1]) != RD_KAFKA_RESP_ERR_NO_ERROR)
			fail_msg("%s", configs[0]);
	return new;
}

void
kafka_client_create_topic(const struct broker_process *broker,
    const char *topic, int partitions, const char *const *configs)
{
	rd_kafka_t *client =
	    kafka_client_new(broker, RD_KAFKA_PRODUCER, KAFKA_DEFAULTS);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	rd_kafka_NewTopic_t *new = new_topic(topic, partitions, configs);
	const rd_kafka_topic_result_t *const *results;
	rd_kafka_event_t *event;
	size_t count;

	rd_kafka_CreateTopics(client, &new, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, DEADLINE_MS);
	if (event == NULL)
		fail_msg("%s is not created in time", topic);
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail_msg("%s: %s", topic, rd_kafka_event_error_string(event));
	results = (const rd_kafka_topic_result_t *const *)(uintptr_t)
	    rd_kafka_CreateTopics_result_topics(
		rd_kafka_event_CreateTopics_result(event), &count);
	assert_int_equal(count, 1);
	if (rd_kafka_topic_result_error(results[0]) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		fail_msg("%s: %s", topic,
		    rd_kafka_topic_result_error_string(results[0]));
	rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy(new);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(client);
}

/* --- Producers ----------------------------------------------------------- */

static void
delivered(rd_kafka_t *client UNUSED, const rd_kafka_message_t *message,
    void *opaque)
{
	struct kafka_producer *producer = opaque;
	size_t index = (size_t)(uintptr_t)message->_private;
	struct kafka_delivery *delivery = &producer->deliveries[index];

	assert_true(index < producer->count);
	assert_false(delivery->done);
	*delivery = (struct kafka_delivery){
		.done = true,
		.error = message->err,
		.partition = message->partition,
		.offset = message->offset,
	};
	producer->done++;
}

void
kafka_producer_init(struct kafka_producer *producer,
    const struct broker_process *broker, const char *const *settings)
{
	rd_kafka_conf_t *conf = kafka_client_conf(broker, settings);

	memset(producer, 0, sizeof(*producer));
	rd_kafka_conf_set_opaque(conf, producer);
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	producer->client = kafka_client_of(conf, RD_KAFKA_PRODUCER);
}

void
kafka_producer_fini(struct kafka_producer *producer)
{
	rd_kafka_destroy(producer->client);
	free(producer->deliveries);
}

static void
add_delivery(struct kafka_producer *producer)
{
	if (producer->count == producer->capacity) {
		producer->capacity = MAX(2 * producer->capacity, 1024);
		producer->deliveries = xrealloc(producer->deliveries,
		    producer->capacity * sizeof(*producer->deliveries));
	}
	producer->deliveries[producer->count++] =
	    (struct kafka_delivery){ .done = false };
}

void
kafka_producer_send_at(struct kafka_producer *producer, const char *topic,
    int32_t partition, struct slice key, struct slice value,
    int64_t timestamp)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	void *index = (void *)(uintptr_t)producer->count;
	rd_kafka_resp_err_t error;

	add_delivery(producer);
	while ((error = rd_kafka_producev(producer->client,
		    RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
		    RD_KAFKA_V_KEY((void *)(uintptr_t)key.data, key.len),
		    RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.len),
		    RD_KAFKA_V_TIMESTAMP(timestamp),
		    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		    RD_KAFKA_V_OPAQUE(index), RD_KAFKA_V_END)) ==
	    RD_KAFKA_RESP_ERR__QUEUE_FULL) {
		if (clock_monotonic_ms() > deadline)
			fail_msg("the queue stays full");
		rd_kafka_poll(producer->client, POLL_MS);
	}
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail_msg("produce: %s", rd_kafka_err2str(error));
}

void
kafka_producer_send(struct kafka_producer *producer, const char *topic,
    int32_t partition, struct slice key, struct slice value)
{
	kafka_producer_send_at(producer, topic, partition, key, value, 0);
}

void
kafka_producer_poll(struct kafka_producer *producer)
{
	rd_kafka_poll(producer->client, 0);
}

void
kafka_producer_flush(struct kafka_producer *producer)
{
	if (rd_kafka_flush(producer->client, DEADLINE_MS) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		fail_msg("%zu of %zu records are not delivered in time",
		    producer->count - producer->done, producer->count);
	assert_int_equal(producer->done, producer->count);
}

void
kafka_producer_flush_ok(struct kafka_producer *producer)
{
	kafka_producer_flush(producer);
	for (size_t i = 0; i < producer->count; i++)
		if (producer->deliveries[i].error != 0)
			fail_msg("record %zu: %s", i,
			    rd_kafka_err2str(producer->deliveries[i].error));
}

/* --- Readers ------------------------------------------------------------- */

static void
watermarks(rd_kafka_t *client, const char *topic, int32_t partition,
    int64_t *low, int64_t *high)
{
	rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(client,
	    topic, partition, low, high, DEADLINE_MS);

	if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail_msg("%s-%d: %s", topic, partition,
		    rd_kafka_err2str(error));
}

static rd_kafka_t *
consumer_of(const struct broker_process *broker)
{
	return kafka_client_new(broker, RD_KAFKA_CONSUMER,
	    KAFKA_SETTINGS("group.id", "reader", "enable.auto.commit",
		"false", "enable.auto.offset.store", "false",
		"auto.offset.reset", "error", "enable.partition.eof", "true",
		"fetch.wait.max.ms", "10",
		"queued.max.messages.kbytes", "1000000"));
}

static void
assign(rd_kafka_t *consumer, const char *topic, int32_t partition,
    int64_t offset)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset =
	    offset;
	assert_int_equal(rd_kafka_assign(consumer, list), 0);
	rd_kafka_topic_partition_list_destroy(list);
}

size_t
kafka_read(const struct broker_process *broker, const char *topic,
    int32_t partition, kafka_record_fn see, void *context)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	rd_kafka_t *consumer = consumer_of(broker);
	int64_t low, high;
	bool end = false;
	size_t count = 0;

	watermarks(consumer, topic, partition, &low, &high);
	assign(consumer, topic, partition, low);
	while (!end) {
		rd_kafka_message_t *message =
		    rd_kafka_consumer_poll(consumer, POLL_MS);

		if (clock_monotonic_ms() > deadline)
			fail_msg("%s-%d: read %zu records, not all in time",
			    topic, partition, count);
		if (message == NULL)
			continue;
		if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
			end = message->offset >= high;
		} else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
			fail_msg("%s-%d: %s", topic, partition,
			    rd_kafka_message_errstr(message));
		} else {
			if (see != NULL)
				see(message, context);
			count++;
		}
		rd_kafka_message_destroy(message);
	}
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	return count;
}

int64_t
kafka_end_offset(const struct broker_process *broker, const char *topic,
    int32_t partition)
{
	rd_kafka_t *client =
	    kafka_client_new(broker, RD_KAFKA_PRODUCER, KAFKA_DEFAULTS);
	int64_t low, high;

	watermarks(client, topic, partition, &low, &high);
	rd_kafka_destroy(client);
	return high;
}
