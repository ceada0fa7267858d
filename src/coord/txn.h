/*
 * Txn: one transactional id with the state of its transaction (KIP-98, 360,
 * 890; TransactionMetadata of Kafka).
 *
 * States and where each may go:
 *
 *     Empty, CompleteCommit, CompleteAbort -> Empty, Ongoing, PrepareAbort
 *     Ongoing -> Ongoing, PrepareCommit, PrepareAbort
 *     PrepareCommit -> CompleteCommit, PrepareAbort -> CompleteAbort
 *
 * While it is Prepare* the outcome is decided and markers are being written
 * (txn_ending.h); nothing else may happen to it meanwhile.
 *
 * A state is written down before it is taken (txn_write), so a transition that
 * cannot be written has not happened.
 *
 * Everything here is guarded by the shard's lock.
 */
#ifndef COORD_TXN_H
#define COORD_TXN_H

#include "base/list.h"
#include "coord/txn_partitions.h"
#include "wire/error.h"

struct shard_record;
struct txn_shard;

/* As in the log. */
enum txn_state {
	TXN_EMPTY = 0,
	TXN_ONGOING = 1,
	TXN_PREPARE_COMMIT = 2,
	TXN_PREPARE_ABORT = 3,
	TXN_COMPLETE_COMMIT = 4,
	TXN_COMPLETE_ABORT = 5,
	TXN_DEAD = 6,			/* never ours; Kafka knows it */
	TXN_PREPARE_EPOCH_FENCE = 7,	/* the same */
};
#define TXN_STATES_COUNT 8

/* Epochs from this one on cannot be raised for a client. */
#define TXN_EPOCH_EXHAUSTED (INT16_MAX - 1)

/* What each transaction of a client with such a version does: TV2. */
#define TXN_VERSION_EPOCH_EACH 2

/* A timeout that never comes (KIP-939). */
#define TXN_TIMEOUT_NEVER INT32_MAX

struct txn_values {
	int64_t producer_id;
	int64_t previous_producer_id;	/* before the last transition */
	int64_t next_producer_id;	/* from the end of this one on; -1 */
	int16_t producer_epoch;
	int16_t last_producer_epoch;	/* in memory only; -1 */
	int16_t client_version;		/* what the transaction stands for */
	int32_t timeout_ms;
	enum txn_state state;
	int64_t start_ms;		/* wall clock, as the next; -1 */
	int64_t update_ms;
};

struct txn {
	struct txn_shard *shard;
	struct list_node node;		/* in the shard's list of all */
	struct list_node ongoing;	/* in its list of those Ongoing */
	struct slice id;		/* owned */
	size_t bytes;			/* taken from the shard's budget */
	struct txn_values values;
	struct txn_partitions partitions;
};

/* "CompleteCommit", or NULL where there is no such state. */
const char *txn_state_name(enum txn_state state);

/* Are markers being written? */
static inline bool
txn_is_ending(const struct txn *txn)
{
	return txn->values.state == TXN_PREPARE_COMMIT ||
	    txn->values.state == TXN_PREPARE_ABORT;
}

/* Is there no transaction: nothing was begun, or all of it has ended? */
static inline bool
txn_is_idle(const struct txn *txn)
{
	return txn->values.state != TXN_ONGOING && !txn_is_ending(txn);
}

/* One that nobody knows of yet: Empty, without a producer. */
struct txn *txn_new(struct txn_shard *shard, struct slice id);

/* Out of the shard, and free. */
void txn_free(struct txn *txn);

/* The shard has it from now on. */
void txn_insert(struct txn *txn);

/* The transactional id's, or NULL. */
struct txn *txn_find(const struct txn_shard *shard, struct slice id);

/*
 * Be so, with the partitions in the place of those it has, which the set at
 * partitions has then; NULL leaves them.  The record says so already.
 */
void txn_become(struct txn *txn, const struct txn_values *values,
    struct txn_partitions *partitions);

/*
 * Write next down and, once it is in the log, become so; previous_producer_id
 * and update_ms are filled in.  An error leaves all as it was: the answer for
 * it.
 */
enum kp_error txn_write(struct txn *txn, struct txn_values *next,
    struct txn_partitions *partitions) WARN_UNUSED;

/* Emit the end of the transactional id. */
void txn_emit_tombstone(struct txn *txn);

/* Replay a record; -1 where it is malformed. */
int txn_replay(struct txn_shard *shard, const struct shard_record *record)
    WARN_UNUSED;

#endif
