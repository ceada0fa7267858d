/*
 * Transactions by librdkafka: what a reader of committed records sees of many
 * of them, with the broker killed and stopped in between.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"

#define TOPIC "t"
#define PARTITIONS 3
#define RECORDS 6 /* of a transaction, two in each partition */
#define TRANSACTIONS 24
#define DEADLINE_MS 60000

static struct broker_process broker;

/* How often each record of each transaction was seen. */
static int seen[TRANSACTIONS][RECORDS];

static rd_kafka_t *
producer_new(void)
{
	return kafka_client_new(&broker, RD_KAFKA_PRODUCER,
	    KAFKA_SETTINGS("transactional.id", "writer",
		"transaction.timeout.ms", "60000", "reconnect.backoff.max.ms",
		"200"));
}

/* Try again what librdkafka says may be tried again. */
#define PERSIST(error, call)                                                  \
	do {                                                                  \
		int64_t started_ms = clock_monotonic_ms();                    \
		while (((error) = (call)) != NULL &&                          \
		    rd_kafka_error_is_retriable(error)) {                     \
			rd_kafka_error_destroy(error);                        \
			assert_true(                                          \
			    clock_monotonic_ms() - started_ms < DEADLINE_MS); \
		}                                                             \
	} while (0)

static void
expect_fine(rd_kafka_error_t *error)
{
	if (error != NULL)
		print_error("%s\n", rd_kafka_error_string(error));
	assert_null(error);
}

static void
write_records(rd_kafka_t *client, int number)
{
	char value[32];

	for (int i = 0; i < RECORDS; i++) {
		snprintf(value, sizeof(value), "%d/%d", number, i);
		assert_int_equal(
		    rd_kafka_producev(client, RD_KAFKA_V_TOPIC(TOPIC),
			RD_KAFKA_V_PARTITION(i % PARTITIONS),
			RD_KAFKA_V_VALUE(value, strlen(value)),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_END),
		    RD_KAFKA_RESP_ERR_NO_ERROR);
	}
}

static bool
is_aborted(int number)
{
	return number % 4 == 3;
}

static void
write_transaction(rd_kafka_t *client, int number)
{
	rd_kafka_error_t *error;

	expect_fine(rd_kafka_begin_transaction(client));
	write_records(client, number);
	if (is_aborted(number)) {
		assert_int_equal(rd_kafka_flush(client, DEADLINE_MS),
		    RD_KAFKA_RESP_ERR_NO_ERROR);
		PERSIST(error, rd_kafka_abort_transaction(client, DEADLINE_MS));
	} else {
		PERSIST(
		    error, rd_kafka_commit_transaction(client, DEADLINE_MS));
	}
	expect_fine(error);
}

/* Right behind an answer, when markers may still be on their way. */
static void
disturb(int number)
{
	if (number % 6 == 2)
		broker_process_kill(&broker);
	else if (number % 6 == 5)
		broker_process_stop(&broker);
	else
		return;
	broker_process_restart(&broker);
}

static void
see(const rd_kafka_message_t *record, void *context UNUSED)
{
	char text[32] = "";
	int number = -1, i = -1;

	assert_in_range(record->len, 1, sizeof(text) - 1);
	memcpy(text, record->payload, record->len);
	assert_int_equal(sscanf(text, "%d/%d", &number, &i), 2);
	assert_in_range(number, 0, TRANSACTIONS - 1);
	assert_in_range(i, 0, RECORDS - 1);
	seen[number][i]++;
}

static void
transactions_are_whole_through_restarts(void **state UNUSED)
{
	rd_kafka_error_t *error;
	rd_kafka_t *client;

	broker_process_start(&broker, NULL);
	kafka_client_create_topic(&broker, TOPIC, PARTITIONS, KAFKA_DEFAULTS);
	client = producer_new();
	PERSIST(error, rd_kafka_init_transactions(client, DEADLINE_MS));
	expect_fine(error);
	for (int number = 0; number < TRANSACTIONS; number++) {
		write_transaction(client, number);
		disturb(number);
	}
	/* A last one is left open, and ended by the one that comes next. */
	expect_fine(rd_kafka_begin_transaction(client));
	write_records(client, 3);
	rd_kafka_flush(client, DEADLINE_MS);
	rd_kafka_destroy(client);
	client = producer_new();
	PERSIST(error, rd_kafka_init_transactions(client, DEADLINE_MS));
	expect_fine(error);
	rd_kafka_destroy(client);
	for (int32_t partition = 0; partition < PARTITIONS; partition++)
		kafka_read(&broker, TOPIC, partition, see, NULL);
	for (int number = 0; number < TRANSACTIONS; number++)
		for (int i = 0; i < RECORDS; i++)
			assert_int_equal(
			    seen[number][i], is_aborted(number) ? 0 : 1);
	broker_process_fini(&broker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transactions_are_whole_through_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
