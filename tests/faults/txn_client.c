#include "faults/txn_client.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/rng.h"
#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"
#include "unit/unit.h"

/* Longer than a broker that was stopped or is starting lets anyone wait. */
#define DEADLINE_MS 120000
#define CALL_MS 5000

/* So short that a client which is paused for long loses its transaction. */
#define TRANSACTION_TIMEOUT_MS "3000"

#define PAUSE_US_MAX 4000
#define ABORTED_OF_100 20
#define WITH_OFFSET_OF_100 40

struct client {
	const struct broker_process *broker;
	struct txn_history *history;
	int32_t producer;
	char name[TXN_NAME_SIZE];
	struct rng rng;
	rd_kafka_t *kafka;
	int64_t deadline_ms;	/* of the step that goes on */
};

/* What is left to do after a call. */
enum verdict {
	DONE,
	AGAIN,
	ABORT,	/* the transaction; the client can go on */
	LOST,	/* another client has the id, or the broker ended it all */
};

static bool
may_be_lost(rd_kafka_resp_err_t error)
{
	return error == RD_KAFKA_RESP_ERR__FENCED ||
	    error == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
	    error == RD_KAFKA_RESP_ERR_INVALID_TXN_STATE ||
	    error == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/*
 * A librdkafka before 2.3 may take a record that it has to send again for one
 * that was persisted, and then gives up for good (its issue 4438).
 */
static bool
has_given_up(const struct client *client)
{
	char why[512];

	return rd_kafka_version() < 0x020300ff &&
	    rd_kafka_fatal_error(client->kafka, why, sizeof(why)) ==
	    RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

/* Takes the error. */
static enum verdict
judge(const struct client *client, rd_kafka_error_t *error, const char *what)
{
	enum verdict verdict = DONE;

	if (error == NULL)
		return DONE;
	if (rd_kafka_error_txn_requires_abort(error))
		verdict = ABORT;
	else if (rd_kafka_error_is_retriable(error))
		verdict = AGAIN;
	else if (may_be_lost(rd_kafka_error_code(error)) ||
	    has_given_up(client))
		verdict = LOST;
	else
		fail_msg("%s: %s: %s", client->name, what,
		    rd_kafka_error_string(error));
	if (clock_monotonic_ms() > client->deadline_ms)
		fail_msg("%s: %s: not done in time: %s", client->name, what,
		    rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return verdict;
}

static void
begin_step(struct client *client)
{
	client->deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
}

/* --- One transaction ----------------------------------------------------- */

static struct slice
make_value(struct client *client, int32_t txn, int32_t index, int32_t count,
    uint8_t value[TXN_VALUE_MAX])
{
	int32_t fields[] = { client->producer, txn, index, count };
	size_t len = TXN_VALUE_MIN +
	    rng_below(&client->rng, TXN_VALUE_MAX - TXN_VALUE_MIN + 1);

	memset(value, 'x', len);
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		be32_put(value + 4 * i, (uint32_t)fields[i]);
	return slice_of(value, len);
}

static void
send_record(struct client *client, int32_t partition, struct slice value)
{
	rd_kafka_resp_err_t error = rd_kafka_producev(client->kafka,
	    RD_KAFKA_V_TOPIC(TXN_TOPIC), RD_KAFKA_V_PARTITION(partition),
	    RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.len),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

	/* A transaction that has failed takes no records; its end says so. */
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR &&
	    error != RD_KAFKA_RESP_ERR__STATE &&
	    error != RD_KAFKA_RESP_ERR__FATAL)
		fail_msg("%s: produce: %s", client->name,
		    rd_kafka_err2str(error));
}

static void
send_records(struct client *client, int32_t number, int32_t count)
{
	uint8_t value[TXN_VALUE_MAX];

	for (int32_t i = 0; i < count; i++) {
		send_record(client,
		    (int32_t)rng_below(&client->rng, TXN_PARTITIONS),
		    make_value(client, number, i, count, value));
		if (rng_below(&client->rng, 4) == 0)
			usleep((useconds_t)rng_below(
			    &client->rng, PAUSE_US_MAX));
		rd_kafka_poll(client->kafka, 0);
	}
}

static enum verdict
send_offset(struct client *client, int64_t offset)
{
	rd_kafka_consumer_group_metadata_t *group =
	    rd_kafka_consumer_group_metadata_new(client->name);
	rd_kafka_topic_partition_list_t *offsets =
	    rd_kafka_topic_partition_list_new(1);
	enum verdict verdict;

	rd_kafka_topic_partition_list_add(offsets, TXN_TOPIC, 0)->offset =
	    offset;
	do
		verdict = judge(client,
		    rd_kafka_send_offsets_to_transaction(client->kafka,
			offsets, group, CALL_MS),
		    "send offsets");
	while (verdict == AGAIN);
	rd_kafka_topic_partition_list_destroy(offsets);
	rd_kafka_consumer_group_metadata_destroy(group);
	return verdict;
}

/*
 * An abort that is called again after EndTxn failed may find itself back where
 * it began, with its end still to be acknowledged, and is then said to be out
 * of order (2.0.2: rd_kafka_txn_handle_EndTxn).
 */
static enum verdict
judge_abort(const struct client *client, rd_kafka_error_t *error)
{
	if (error == NULL || rd_kafka_version() >= 0x020300ff ||
	    rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__STATE ||
	    rd_kafka_error_is_retriable(error))
		return judge(client, error, "abort");
	rd_kafka_error_destroy(error);
	return LOST;
}

static enum verdict
abort_txn(struct client *client, struct txn *txn)
{
	enum verdict verdict;

	do
		verdict = judge_abort(client,
		    rd_kafka_abort_transaction(client->kafka, CALL_MS));
	while (verdict == AGAIN || verdict == ABORT);
	if (verdict == DONE) {
		atomic_store(&txn->outcome, TXN_ABORTED);
		atomic_fetch_add(&client->history->aborted, 1);
	}
	return verdict;
}

static enum verdict
commit_txn(struct client *client, struct txn *txn)
{
	enum verdict verdict;

	atomic_store(&txn->outcome, TXN_UNKNOWN);
	do
		verdict = judge(client,
		    rd_kafka_commit_transaction(client->kafka, CALL_MS),
		    "commit");
	while (verdict == AGAIN);
	if (verdict == ABORT)
		return abort_txn(client, txn);
	if (verdict == DONE) {
		atomic_store(&txn->outcome, TXN_COMMITTED);
		atomic_fetch_add(&client->history->committed, 1);
	}
	return verdict;
}

/* LOST where the client has to begin anew, else DONE. */
static enum verdict
transact(struct client *client)
{
	struct txn_producer *producer =
	    &client->history->producers[client->producer];
	int32_t number = atomic_fetch_add(&producer->count, 1);
	struct txn *txn = &producer->txns[number];
	enum verdict verdict;

	assert_true(number < TXN_COUNT_MAX);
	txn->records_count =
	    (int8_t)(1 + rng_below(&client->rng, TXN_RECORDS_MAX));
	txn->has_offset = rng_below(&client->rng, 100) < WITH_OFFSET_OF_100;
	begin_step(client);
	verdict = judge(
	    client, rd_kafka_begin_transaction(client->kafka), "begin");
	if (verdict != DONE)
		return LOST;
	send_records(client, number, txn->records_count);
	if (txn->has_offset)
		verdict = send_offset(client, number + 1);
	if (verdict == LOST)
		return LOST;
	if (verdict == ABORT ||
	    rng_below(&client->rng, 100) < ABORTED_OF_100)
		return abort_txn(client, txn);
	return commit_txn(client, txn);
}

/* --- The client ---------------------------------------------------------- */

static enum verdict
start(struct client *client)
{
	enum verdict verdict;

	client->kafka = kafka_client_new(client->broker, RD_KAFKA_PRODUCER,
	    KAFKA_SETTINGS("transactional.id", client->name,
		"transaction.timeout.ms", TRANSACTION_TIMEOUT_MS,
		"linger.ms", "1", "reconnect.backoff.ms", "10",
		"reconnect.backoff.max.ms", "200"));
	begin_step(client);
	do
		verdict = judge(client,
		    rd_kafka_init_transactions(client->kafka, CALL_MS),
		    "init");
	while (verdict == AGAIN || verdict == ABORT);
	return verdict;
}

/*
 * The end of a producer, with nothing under way: librdkafka frees the text of
 * the transaction's error when it is destroyed, and a broker's thread that has
 * an error in an answer to Produce meanwhile frees it once more (2.0.2:
 * rd_kafka_txns_term, rd_kafka_txn_set_abortable_error0).
 */
static void
stop(struct client *client)
{
	begin_step(client);
	do {
		rd_kafka_purge(client->kafka, RD_KAFKA_PURGE_F_QUEUE);
		if (clock_monotonic_ms() > client->deadline_ms)
			fail_msg("%s: records are under way for ever",
			    client->name);
	} while (rd_kafka_flush(client->kafka, CALL_MS) ==
	    RD_KAFKA_RESP_ERR__TIMED_OUT);
	rd_kafka_destroy(client->kafka);
}

void
txn_client_run(const struct broker_process *broker,
    struct txn_history *history, int32_t producer, uint64_t seed)
{
	struct client client = {
		.broker = broker,
		.history = history,
		.producer = producer,
	};

	txn_name(producer, client.name);
	rng_init(&client.rng, seed);
	do {
		enum verdict verdict = start(&client);

		while (verdict == DONE && !atomic_load(&history->stop))
			verdict = transact(&client);
		stop(&client);
		if (verdict == DONE)
			return;
	} while (true);
}
