/*
 * What transactional clients did, in memory that all their processes share, so
 * that a client which is killed has told all up to then.
 *
 * A producer is a transactional id; several processes may take themselves for
 * it at a time.  Its transactions have numbers, each is given out once.
 *
 * A record's value begins with its producer, its transaction, its index in it
 * and the transaction's number of records, four big-endian integers of four
 * bytes.
 */
#ifndef FAULTS_TXN_HISTORY_H
#define FAULTS_TXN_HISTORY_H

#include <stdatomic.h>

#include "base/base.h"

#define TXN_TOPIC "transactions"
#define TXN_PARTITIONS 6
#define TXN_PRODUCERS 4
#define TXN_RECORDS_MAX 12
#define TXN_COUNT_MAX (1 << 20)

#define TXN_VALUE_MIN 16
#define TXN_VALUE_MAX 400

/* What its client knows of a transaction's end. */
enum txn_outcome {
	TXN_ABORTED,	/* or nobody asked for its commit yet */
	TXN_UNKNOWN,	/* all of it is there, or nothing */
	TXN_COMMITTED,
};

struct txn {
	_Atomic int8_t outcome;
	int8_t records_count;	/* 0: it never began */
	bool has_offset;	/* its number was committed with it */
};

struct txn_producer {
	_Atomic int32_t count;
	struct txn txns[TXN_COUNT_MAX];
};

struct txn_history {
	atomic_bool stop;	/* clients end behind their transaction */
	atomic_llong committed;	/* transactions, of all producers */
	atomic_llong aborted;
	struct txn_producer producers[TXN_PRODUCERS];
};

/*
 * A new one; *fd is what another process maps it by, and stays open over exec.
 * Unmapped and closed by the end of the process.
 */
struct txn_history *txn_history_new(int *fd);
struct txn_history *txn_history_map(int fd);

/* The id and the group of a producer, in a buffer of this size. */
#define TXN_NAME_SIZE 32
const char *txn_name(int32_t producer, char name[TXN_NAME_SIZE]);

#endif
