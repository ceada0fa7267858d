#include "faults/txn_reader.h"

#include "base/clock.h"
#include "base/thread.h"
#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"
#include "unit/unit.h"

#define DEADLINE_MS 120000
#define POLL_MS 100

static rd_kafka_t *
consumer_of(const struct broker_process *broker, const char *group)
{
	return kafka_client_new(broker, RD_KAFKA_CONSUMER,
	    KAFKA_SETTINGS("group.id", group, "isolation.level",
		"read_committed", "enable.auto.commit", "false",
		"auto.offset.reset", "error", "enable.partition.eof", "true",
		"fetch.wait.max.ms", "20", "fetch.error.backoff.ms", "20",
		"reconnect.backoff.ms", "10", "reconnect.backoff.max.ms",
		"200"));
}

static rd_kafka_topic_partition_list_t *
partitions_from(int64_t offset)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new(TXN_PARTITIONS);

	for (int32_t i = 0; i < TXN_PARTITIONS; i++)
		rd_kafka_topic_partition_list_add(list, TXN_TOPIC, i)
		    ->offset = offset;
	return list;
}

/* --- Reading ------------------------------------------------------------- */

struct progress {
	int64_t ends[TXN_PARTITIONS];	/* that it came to, one after another */
	int64_t deadline_ms;		/* 0 until it is to finish */
};

static void
take(struct txn_reader *reader, const rd_kafka_message_t *message,
    struct progress *progress)
{
	int32_t partition = message->partition;

	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (txn_view_add(&reader->view, partition, message->offset,
			slice_of(message->payload, message->len)) != 0)
			fail_msg("partition %d, offset %lld: no record of ours",
			    partition, (long long)message->offset);
	} else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		progress->ends[partition] = message->offset;
	} else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
	    message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
		fail_msg("partition %d: what was read is gone: %s", partition,
		    rd_kafka_message_errstr(message));
	}
	/* Anything else is about the connection. */
}

static bool
is_over(struct txn_reader *reader, struct progress *progress)
{
	if (!atomic_load(&reader->finish))
		return false;
	if (progress->deadline_ms == 0)
		progress->deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
	for (int32_t i = 0; i < TXN_PARTITIONS; i++) {
		if (progress->ends[i] >= atomic_load(&reader->ends[i]))
			continue;
		if (clock_monotonic_ms() > progress->deadline_ms)
			fail_msg("partition %d: a reader does not get to %lld",
			    i, (long long)atomic_load(&reader->ends[i]));
		return false;
	}
	return true;
}

static void *
run(void *argument)
{
	struct txn_reader *reader = argument;
	rd_kafka_t *consumer = consumer_of(reader->broker, "reader");
	rd_kafka_topic_partition_list_t *list = partitions_from(0);
	struct progress progress = { .deadline_ms = 0 };

	assert_int_equal(rd_kafka_assign(consumer, list), 0);
	rd_kafka_topic_partition_list_destroy(list);
	while (!is_over(reader, &progress)) {
		rd_kafka_message_t *message =
		    rd_kafka_consumer_poll(consumer, POLL_MS);

		if (message == NULL)
			continue;
		take(reader, message, &progress);
		rd_kafka_message_destroy(message);
	}
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	return NULL;
}

void
txn_reader_start(
    struct txn_reader *reader, const struct broker_process *broker)
{
	memset(reader, 0, sizeof(*reader));
	reader->broker = broker;
	txn_view_init(&reader->view);
	assert_int_equal(
	    thread_start(&reader->thread, "reader", run, reader), 0);
}

void
txn_reader_finish(struct txn_reader *reader)
{
	for (int32_t i = 0; i < TXN_PARTITIONS; i++)
		atomic_store(&reader->ends[i],
		    kafka_end_offset(reader->broker, TXN_TOPIC, i));
	atomic_store(&reader->finish, true);
	pthread_join(reader->thread, NULL);
}

void
txn_reader_fini(struct txn_reader *reader)
{
	txn_view_fini(&reader->view);
}

/* --- Groups -------------------------------------------------------------- */

int64_t
txn_reader_committed(const struct broker_process *broker, int32_t producer)
{
	char name[TXN_NAME_SIZE];
	rd_kafka_t *consumer = consumer_of(broker, txn_name(producer, name));
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t error;
	int64_t offset;

	rd_kafka_topic_partition_list_add(list, TXN_TOPIC, 0);
	error = rd_kafka_committed(consumer, list, DEADLINE_MS);
	if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
		error = list->elems[0].err;
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail_msg("%s: the offset of its group: %s", name,
		    rd_kafka_err2str(error));
	offset = list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(consumer);
	return offset == RD_KAFKA_OFFSET_INVALID ? -1 : offset;
}
