/*
 * Producer state: what a partition remembers of each producer id, so that an
 * idempotent producer's retries are recognised.
 *
 * A producer has up to PRODUCER_BATCHES_MAX batches, the last ones it
 * appended.  Most partitions have no producer or one, so the table is an
 * array sorted by id, which costs nothing while it is empty.
 *
 * The fields of transactions (coordinator epoch, first offset of the open
 * one) are kept true by the updates, because snapshots written by Kafka and
 * for Kafka carry them.
 *
 * Not thread-safe: guarded by the log's lock.  Rules: Kafka's
 * ProducerStateManager, ProducerStateEntry and ProducerAppendInfo; KIP-98,
 * KIP-360.
 */
#ifndef STORE_PRODUCER_STATE_H
#define STORE_PRODUCER_STATE_H

#include "base/base.h"
#include "wire/error.h"

#define PRODUCER_BATCHES_MAX 5

struct producer_batch {
	int64_t last_offset;
	int64_t timestamp_ms; /* the batch's maximum */
	int32_t last_sequence; /* -1: the batch had none */
	int32_t offset_delta; /* last offset - first offset */
};

struct producer {
	int64_t id;
	int64_t last_timestamp_ms; /* of the last batch or marker, or -1 */
	int64_t txn_first_offset;  /* of the open transaction, or -1 */
	int32_t coordinator_epoch; /* of the last marker, or -1 */
	int16_t epoch;
	uint8_t batch_count;
	struct producer_batch batches[PRODUCER_BATCHES_MAX]; /* oldest first */
};

struct producer_state {
	struct producer **producers; /* owned; ascending by id */
	size_t count;
	size_t capacity;
};

/* What a data batch of a producer says; its id is 0 or more. */
struct producer_append {
	int64_t producer_id;
	int64_t base_offset; /* only for updates */
	int64_t last_offset; /* only for updates */
	int64_t max_timestamp_ms;
	int32_t base_sequence;
	int32_t last_sequence; /* see producer_sequence_add */
	int16_t producer_epoch;
	bool transactional;
};

/* What a transaction's marker says. */
struct producer_marker {
	int64_t producer_id;
	int64_t timestamp_ms;
	int32_t coordinator_epoch;
	int16_t producer_epoch;
};

/* sequence + delta; sequences run on from 2^31 - 1 to 0.  delta is >= 0. */
int32_t producer_sequence_add(int32_t sequence, int32_t delta);

void producer_state_init(struct producer_state *state);
void producer_state_fini(struct producer_state *state);

/* Forget all producers. */
void producer_state_clear(struct producer_state *state);

/* The producer with this id, or NULL; valid until the next change. */
const struct producer *producer_state_find(
    const struct producer_state *state, int64_t producer_id);

/*
 * May the leader append this batch of a client?  KP_NONE with *duplicate
 * NULL: yes, and then producer_state_update follows.  KP_NONE with *duplicate
 * set: it was appended before, there; first offset is last_offset -
 * offset_delta.  Else KP_INVALID_PRODUCER_EPOCH,
 * KP_OUT_OF_ORDER_SEQUENCE_NUMBER, or KP_INVALID_TXN_STATE for a batch
 * without the transactional bit inside an open transaction.
 */
enum kp_error producer_state_check(const struct producer_state *state,
    const struct producer_append *append,
    const struct producer_batch **duplicate) WARN_UNUSED;

/*
 * May the coordinator append this marker?  KP_INVALID_PRODUCER_EPOCH where its
 * epoch is too low: below the producer's, or, where each transaction has a new
 * epoch, not above that of an open one.  KP_TRANSACTION_COORDINATOR_FENCED
 * where a newer coordinator has written one.  (KIP-98, KIP-1228.)
 */
enum kp_error producer_state_check_marker(const struct producer_state *state,
    const struct producer_marker *marker, bool epoch_each) WARN_UNUSED;

/*
 * Note a batch that was appended, or that recovery or a follower found in the
 * log: no check, the log is right.
 */
void producer_state_update(
    struct producer_state *state, const struct producer_append *append);

/* The same for a transaction's end marker. */
void producer_state_update_marker(
    struct producer_state *state, const struct producer_marker *marker);

/*
 * Drop the producers without an open transaction whose last timestamp is
 * expiration_ms or more ago; how many there were.
 */
size_t producer_state_expire(
    struct producer_state *state, int64_t now_ms, int64_t expiration_ms);

/*
 * Put in a copy of producer, as a snapshot has it, in place of one with the
 * same id.
 */
void producer_state_restore(
    struct producer_state *state, const struct producer *producer);

#endif
