/*
 * Everything at once: producers, a reader, a committer and a churn of topics,
 * each on a thread and a connection of its own, and the ledger of what they
 * were promised.
 */
#ifndef FAULTS_LOAD_H
#define FAULTS_LOAD_H

#include <pthread.h>

#include "faults/churn.h"
#include "faults/committer.h"
#include "faults/ledger.h"
#include "faults/producer.h"
#include "faults/reader.h"

#define LOAD_PRODUCERS 3
#define LOAD_THREADS (LOAD_PRODUCERS + 3)

struct load {
	const struct broker_process *broker;
	struct ledger ledger;
	struct producer producers[LOAD_PRODUCERS];
	struct committer committer;
	struct churn churn;
	struct reader reader;
	int64_t *audited[LEDGER_TOPICS];	/* up to where, by partition */
	bool disk_full;		/* the test's: what audits must allow for */
	atomic_bool stop;
	pthread_t threads[LOAD_THREADS];
	size_t threads_count;
	int64_t audited_records;		/* by all audits together */
};

/*
 * For a broker that serves and has no topics yet: creates partitions_count
 * partitions.  in_flight is how many requests of a producer are.
 */
void load_init(struct load *load, const struct broker_process *broker,
    uint64_t seed, int32_t partitions_count, int32_t in_flight);
void load_fini(struct load *load);

/* Begin, or go on.  Threads connect again for as long as it runs. */
void load_start(struct load *load);

/* Wait until so many more records have been acknowledged. */
void load_await(struct load *load, int64_t records);

/* No answer is taken any more; what was not answered by now is in doubt. */
void load_close(struct load *load);

/* The same, and end all threads.  Requests may be left without an answer. */
void load_stop(struct load *load);

/*
 * Hold the broker, which has just started, to all that was acknowledged; whole
 * looks at all records again, otherwise at those that no audit has seen.
 */
void load_audit(struct load *load, bool whole);

#endif
