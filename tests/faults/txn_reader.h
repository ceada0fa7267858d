/*
 * A read_committed reader of the whole topic, from its beginning.
 */
#ifndef FAULTS_TXN_READER_H
#define FAULTS_TXN_READER_H

#include <pthread.h>
#include <stdatomic.h>

#include "faults/txn_view.h"

struct broker_process;

struct txn_reader {
	const struct broker_process *broker;
	struct txn_view view;	/* complete when it has finished */
	pthread_t thread;
	atomic_bool finish;
	_Atomic int64_t ends[TXN_PARTITIONS];	/* where to finish */
};

/* Read on a thread of its own, whatever happens to the broker. */
void txn_reader_start(struct txn_reader *reader,
    const struct broker_process *broker);

/*
 * Wait until it has read up to the ends of all partitions, which do not move
 * any more.  Fails the test where a reader does not get there.
 */
void txn_reader_finish(struct txn_reader *reader);
void txn_reader_fini(struct txn_reader *reader);

/* The offset that a producer's group has, -1: none. */
int64_t txn_reader_committed(const struct broker_process *broker,
    int32_t producer);

#endif
