#include "faults/load.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "unit/unit.h"

/* Long enough for a broker under a sanitizer on a busy machine. */
#define DEADLINE_MS 60000
#define POLL_US 1000

void
load_init(struct load *load, const struct broker_process *broker,
    uint64_t seed, int32_t partitions_count, int32_t in_flight)
{
	struct raw_client client;

	memset(load, 0, sizeof(*load));
	load->broker = broker;
	ledger_init(&load->ledger, seed, partitions_count);
	raw_client_init(&client, broker);
	ledger_create_topics(&load->ledger, &client);
	raw_client_fini(&client);
	for (int32_t i = 0; i < LOAD_PRODUCERS; i++) {
		const struct producer_settings settings = {
			.broker = broker,
			.ledger = &load->ledger,
			.share = i,
			.shares = LOAD_PRODUCERS,
			.in_flight = in_flight,
		};

		producer_init(&load->producers[i], &settings);
	}
	committer_init(&load->committer, broker, &load->ledger);
	churn_init(&load->churn, broker);
	reader_init(&load->reader, broker, &load->ledger);
	for (int32_t i = 0; i < LEDGER_TOPICS; i++)
		load->audited[i] =
		    xcalloc((size_t)load->ledger.topics[i].partitions_count,
			sizeof(*load->audited[i]));
}

void
load_fini(struct load *load)
{
	assert(load->threads_count == 0);
	for (int32_t i = 0; i < LEDGER_TOPICS; i++)
		free(load->audited[i]);
	for (int32_t i = 0; i < LOAD_PRODUCERS; i++)
		producer_fini(&load->producers[i]);
	reader_fini(&load->reader);
	ledger_fini(&load->ledger);
}

/* --- Threads ------------------------------------------------------------- */

/* What a thread does with one connection. */
static void
run_connection(struct load *load, size_t thread)
{
	if (thread < LOAD_PRODUCERS)
		producer_run(&load->producers[thread], &load->stop);
	else if (thread == LOAD_PRODUCERS)
		committer_run(&load->committer, &load->stop);
	else if (thread == LOAD_PRODUCERS + 1)
		churn_run(&load->churn, &load->stop);
	else
		reader_run(&load->reader, &load->stop);
}

struct load_thread {
	struct load *load;
	size_t index;
};

static void *
run_thread(void *argument)
{
	struct load_thread *thread = argument;

	while (!atomic_load(&thread->load->stop)) {
		run_connection(thread->load, thread->index);
		usleep(POLL_US);
	}
	free(thread);
	return NULL;
}

void
load_start(struct load *load)
{
	atomic_store(&load->stop, false);
	for (size_t i = 0; i < LOAD_THREADS; i++) {
		struct load_thread *thread = xmalloc(sizeof(*thread));

		*thread = (struct load_thread){ load, i };
		assert_int_equal(thread_start(&load->threads[i], "load",
				     run_thread, thread),
		    0);
	}
	load->threads_count = LOAD_THREADS;
}

void
load_await(struct load *load, int64_t records)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	int64_t goal = atomic_load(&load->ledger.acked_records) + records;

	while (atomic_load(&load->ledger.acked_records) < goal) {
		if (clock_monotonic_ms() > deadline)
			fail_msg("no records are acknowledged any more");
		usleep(POLL_US);
	}
}

void
load_close(struct load *load)
{
	atomic_store(&load->stop, true);
}

void
load_stop(struct load *load)
{
	load_close(load);
	for (size_t i = 0; i < load->threads_count; i++)
		pthread_join(load->threads[i], NULL);
	load->threads_count = 0;
}

/* --- After a fault ------------------------------------------------------- */

void
load_audit(struct load *load, bool whole)
{
	struct raw_client client;

	assert(load->threads_count == 0);
	for (int32_t i = 0; whole && i < LEDGER_TOPICS; i++)
		memset(load->audited[i], 0,
		    (size_t)load->ledger.topics[i].partitions_count *
			sizeof(*load->audited[i]));
	raw_client_init(&client, load->broker);
	load->audited_records +=
	    ledger_audit(&load->ledger, &client, load->audited,
		load->disk_full);
	committer_audit(&load->committer, &client);
	churn_audit(&load->churn, &client, load->disk_full);
	raw_client_fini(&client);
}
