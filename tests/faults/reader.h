/*
 * A reader of a ledger's topics, which checks every record that it gets and
 * notes in the ledger what it was shown.
 */
#ifndef FAULTS_READER_H
#define FAULTS_READER_H

#include <stdatomic.h>

#include "base/base.h"

struct broker_process;
struct ledger;
struct ledger_topic;
struct raw_client;

struct reader {
	const struct broker_process *broker;
	struct ledger *ledger;
	int64_t **offsets;	/* by topic and partition: where to go on */
	int32_t next_topic;
	int32_t next_partition;
};

void reader_init(struct reader *reader, const struct broker_process *broker,
    struct ledger *ledger);
void reader_fini(struct reader *reader);

/*
 * Read until the connection ends, or there is none, or *stop.  An answer that
 * comes when *stop is set is not taken.
 */
void reader_run(struct reader *reader, const atomic_bool *stop);

/*
 * One fetch of count partitions from begin on, at their offsets, which move
 * behind what came.  False where the connection ended, or *stop was set when
 * the answer came; stop may be NULL.
 */
bool reader_fetch(struct ledger *ledger, struct ledger_topic *topic,
    struct raw_client *client, int32_t begin, int32_t count,
    int64_t *offsets, const atomic_bool *stop) WARN_UNUSED;

#endif
