/*
 * Transactions one after the other, as a producer with transactions of
 * version 2 sends them: Produce with one batch, which begins the transaction
 * and adds the partition (KIP-890), and EndTxn, which raises the epoch.
 *
 *	transactions [options] PORT
 *
 * A latency is from the write of Produce to the answer of EndTxn, or from the
 * write of EndTxn.  A Produce that finds the transaction before it still under
 * way is sent again at once, as part of the same latency.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "bench/cost.h"
#include "bench/frames.h"
#include "bench/histogram.h"
#include "wire/batch_builder.h"
#include "wire/error.h"
#include "wire/generated/end_txn.h"
#include "wire/generated/init_producer_id.h"
#include "wire/generated/produce.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#define TOPIC "transactions"
#define TRANSACTIONAL_ID "transactions"
#define TIMEOUT_MS 60000
#define ARENA_MAX (1u << 20)
#define PRODUCE_VERSION 12
#define END_TXN_VERSION 5

struct run {
	struct broker broker;
	int fd;
	int records;      /* in a transaction */
	int record_bytes; /* of a record's value */
	int transactions, warm;
	int pause_us; /* between two */
	long pid;
	int64_t producer_id;
	int16_t producer_epoch;
	uint64_t again; /* Produce requests that came too early */
	struct histogram whole, end;
};

static void
become_producer(struct run *run)
{
	const struct kp_init_producer_id_request request = {
		.transactional_id = SLICE_LITERAL(TRANSACTIONAL_ID),
		.transaction_timeout_ms = TIMEOUT_MS,
		.producer_id = -1,
		.producer_epoch = -1
	};
	struct kp_init_producer_id_response response;
	struct arena arena;

	do {
		arena_init(&arena, ARENA_MAX);
		if (!broker_call(run->fd, KP_INIT_PRODUCER_ID_KEY, 5, &request,
			&response, &arena))
			die("the connection broke");
		arena_reset(&arena);
	} while (response.error_code == KP_CONCURRENT_TRANSACTIONS ||
	    coordinator_comes(response.error_code));
	if (response.error_code != KP_NONE)
		die("no producer id: error %d", response.error_code);
	run->producer_id = response.producer_id;
	run->producer_epoch = response.producer_epoch;
}

/* A batch of the producer's epoch, which has seen no other: sequence 0. */
static void
build_batch(const struct run *run, struct buf *out)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	uint8_t *value = xcalloc(1, (size_t)run->record_bytes + 1);
	struct slice bytes = slice_of(value, (size_t)run->record_bytes);
	int64_t now = clock_wall_ms();
	struct batch_builder builder;

	options.producer_id = run->producer_id;
	options.producer_epoch = run->producer_epoch;
	options.base_sequence = 0;
	options.transactional = true;
	batch_builder_init(&builder, &options, out);
	for (int i = 0; i < run->records; i++)
		if (batch_builder_add(&builder, now, SLICE_NULL, bytes) != 0)
			die("the batch does not fit");
	if (batch_builder_finish(&builder) != 0)
		die("the batch does not fit");
	free(value);
}

static int
produce(const struct run *run, struct slice batch)
{
	struct kp_produce_request_partition data = {
		.records.bytes = batch
	};
	struct kp_produce_request_topic topic = {
		.name = SLICE_LITERAL(TOPIC),
		.partition_data = &data,
		.partition_data_count = 1
	};
	const struct kp_produce_request request = {
		.transactional_id = SLICE_LITERAL(TRANSACTIONAL_ID),
		.acks = -1,
		.timeout_ms = TIMEOUT_MS,
		.topic_data = &topic,
		.topic_data_count = 1
	};
	struct kp_produce_response response;
	struct arena arena;
	int error = KP_UNKNOWN_SERVER_ERROR;

	arena_init(&arena, ARENA_MAX);
	if (!broker_call(run->fd, KP_PRODUCE_KEY, PRODUCE_VERSION, &request,
		&response, &arena))
		die("the connection broke");
	if (response.responses_count == 1 &&
	    response.responses[0].partition_responses_count == 1)
		error = response.responses[0].partition_responses[0].error_code;
	arena_reset(&arena);
	return error;
}

static void
end(struct run *run)
{
	const struct kp_end_txn_request request = {
		.transactional_id = SLICE_LITERAL(TRANSACTIONAL_ID),
		.producer_id = run->producer_id,
		.producer_epoch = run->producer_epoch,
		.committed = true
	};
	struct kp_end_txn_response response;
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	if (!broker_call(run->fd, KP_END_TXN_KEY, END_TXN_VERSION, &request,
		&response, &arena))
		die("the connection broke");
	arena_reset(&arena);
	if (response.error_code != KP_NONE)
		die("not committed: error %d", response.error_code);
	run->producer_id = response.producer_id;
	run->producer_epoch = response.producer_epoch;
}

static bool
too_early(int error)
{
	return error == KP_CONCURRENT_TRANSACTIONS ||
	    error == KP_NOT_ENOUGH_REPLICAS;
}

static void
transact(struct run *run, bool counts)
{
	int64_t begun_us, produced_us, ended_us;
	struct buf batch;
	int error;

	buf_init(&batch, ARENA_MAX);
	build_batch(run, &batch);
	begun_us = clock_monotonic_us();
	while (too_early(error = produce(run, buf_slice(&batch))))
		run->again++;
	if (error != KP_NONE)
		die("not produced: error %d", error);
	produced_us = clock_monotonic_us();
	end(run);
	ended_us = clock_monotonic_us();
	buf_fini(&batch);
	if (!counts)
		return;
	histogram_add(&run->whole, (uint64_t)(ended_us - begun_us) * 1000);
	histogram_add(&run->end, (uint64_t)(ended_us - produced_us) * 1000);
}

static void
measure(struct run *run)
{
	const struct load load = { .topic = TOPIC, .partitions = 1 };
	struct cost before, after;
	int error;

	run->fd = broker_must_connect(&run->broker);
	error = broker_create_topic(run->fd, &load);
	if (error != KP_NONE && error != KP_TOPIC_ALREADY_EXISTS)
		die("no topic: error %d", error);
	while (broker_leaders(run->fd, &load) < 1)
		usleep(1000);
	broker_find_coordinator(run->fd, TRANSACTIONAL_ID, 1);
	become_producer(run);
	for (int i = 0; i < run->warm; i++)
		transact(run, false);
	run->again = 0;
	cost_read(&before, run->pid);
	for (int i = 0; i < run->transactions; i++) {
		transact(run, true);
		if (run->pause_us > 0)
			usleep((useconds_t)run->pause_us);
	}
	cost_read(&after, run->pid);
	printf("{\"transactions\":%d,\"again\":%llu,\"us_each\":%.1f",
	    run->transactions, (unsigned long long)run->again,
	    (after.cpu_s - before.cpu_s) * 1e6 / run->transactions);
	histogram_print(&run->whole, "transaction");
	histogram_print(&run->end, "end");
	printf("}\n");
}

static const struct option options[] = {
	{ "records", required_argument, NULL, 'R' },
	{ "record-bytes", required_argument, NULL, 'r' },
	{ "transactions", required_argument, NULL, 'q' },
	{ "warm", required_argument, NULL, 'w' },
	{ "pause-ms", required_argument, NULL, 'p' },
	{ "pid", required_argument, NULL, 'P' },
	{ NULL, 0, NULL, 0 },
};

__attribute__((noreturn)) static void
usage(void)
{
	die("usage: [--records N] [--record-bytes N] [--transactions N] "
	    "[--warm N] [--pause-ms N] [--pid N] PORT");
}

static void
take_options(struct run *run, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'R':
			run->records = atoi(optarg);
			break;
		case 'r':
			run->record_bytes = atoi(optarg);
			break;
		case 'q':
			run->transactions = atoi(optarg);
			break;
		case 'w':
			run->warm = atoi(optarg);
			break;
		case 'p':
			run->pause_us = atoi(optarg) * 1000;
			break;
		case 'P':
			run->pid = atol(optarg);
			break;
		default:
			usage();
		}
	if (argc - optind != 1 || run->records < 1 || run->record_bytes < 0 ||
	    run->transactions < 1)
		usage();
}

int
main(int argc, char **argv)
{
	struct run run = { .broker = { .host = "127.0.0.1" },
		.records = 10,
		.record_bytes = 100,
		.transactions = 1000 };

	take_options(&run, argc, argv);
	run.broker.port = (uint16_t)atoi(argv[optind]);
	measure(&run);
	return 0;
}
