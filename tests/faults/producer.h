/*
 * An idempotent producer for its share of a ledger's partitions.
 *
 * Like Kafka's it has several requests in flight, and sends those that were
 * not answered again, unchanged and in order, once it is connected again.  It
 * fails the test where the broker acknowledges a batch at another offset than
 * its own, or refuses one for good.
 */
#ifndef FAULTS_PRODUCER_H
#define FAULTS_PRODUCER_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/rng.h"
#include "faults/ledger.h"

struct broker_process;

#define PRODUCER_IN_FLIGHT_MAX 5
#define PRODUCER_BATCHES_MAX 16

struct producer_batch {
	int32_t partition;
	int64_t base;
	int32_t count;
};

struct producer_request {
	struct ledger_topic *topic;
	int32_t id;
	uint8_t *frame;
	size_t frame_len;
	struct producer_batch batches[PRODUCER_BATCHES_MAX];
	int32_t batches_count;
};

struct producer_settings {
	const struct broker_process *broker;
	struct ledger *ledger;
	/* Writes the partitions whose index modulo shares is share. */
	int32_t share;
	int32_t shares;
	int32_t in_flight;
};

struct producer {
	struct producer_settings settings;
	struct rng rng;
	int64_t id;			/* -1: none yet */
	int16_t epoch;
	struct producer_request requests[PRODUCER_IN_FLIGHT_MAX];
	int32_t requests_count;		/* not answered, oldest first */
	int32_t next_request;
	int32_t next_topic;
	int32_t next_partition[LEDGER_TOPICS];
	atomic_int refused;		/* the last retriable error, or none */
	atomic_llong refusals;		/* how many */
	atomic_llong answered;		/* requests, well */
};

void producer_init(struct producer *producer,
    const struct producer_settings *settings);
void producer_fini(struct producer *producer);

/*
 * Produce until the connection ends, or there is none, or the broker answers
 * with an error that clients retry, or *stop.  An answer that comes when *stop
 * is set is not taken; its request is one without an answer.
 */
void producer_run(struct producer *producer, const atomic_bool *stop);

#endif
