/*
 * A client of plain frames with a transactional id of its own, for tests of
 * what each API answers in each state.
 *
 * Every function fails the test where an answer does not come or has not the
 * form that it should have.
 */
#ifndef E2E_RAW_TXN_H
#define E2E_RAW_TXN_H

#include "e2e/raw_client.h"
#include "wire/error.h"

struct broker_process;
struct kp_describe_producers_response_active_producer;
struct kp_describe_transactions_response_transaction_state;
struct kp_fetch_response_partition;

/* The topic that all of it is about; the test makes it. */
#define RAW_TXN_TOPIC "t"
#define RAW_TXN_PARTITIONS 3
#define RAW_TXN_TIMEOUT_MS 60000

/* Clients whose epochs last, and those with one for each transaction. */
#define PRODUCE_OLD 11
#define PRODUCE_EACH 12
#define END_OLD 4
#define END_EACH 5

struct raw_txn {
	struct raw_client client;
	char id[32];
	int64_t producer_id;
	int16_t epoch;
	int32_t timeout_ms;
	int32_t sequences[RAW_TXN_PARTITIONS];
};

/* Request and response of any API. */
#define raw_txn_call(producer, NAME, name, version, request)          \
	((const struct kp_##name##_response *)raw_client_call(        \
	    &(producer)->client, KP_##NAME##_KEY, (int16_t)(version), \
	    request))

/* A connected one with an id that no other has. */
struct raw_txn *raw_txn_new(const struct broker_process *broker);
void raw_txn_free(struct raw_txn *producer);

/* Wait a moment before trying again, but not for ever. */
void raw_txn_pause(int64_t started_ms);

/*
 * InitProducerId, expecting a producer and its epoch, or -1 and -1.  What it
 * answers the producer is from then on.
 */
enum kp_error raw_txn_init(
    struct raw_txn *producer, int version, int64_t producer_id, int epoch);

/* The same, expecting nothing; it must be fine. */
void raw_txn_begin(struct raw_txn *producer);

/* Again and again while a transaction ends. */
enum kp_error raw_txn_init_patiently(
    struct raw_txn *producer, int64_t producer_id, int epoch);

/* AddPartitionsToTxn, as a producer and epoch of ones own choice. */
enum kp_error raw_txn_add_as(struct raw_txn *producer, int version,
    int64_t producer_id, int epoch, const char *topic, int32_t partition);

/* The same as itself, to a partition of the topic, patiently. */
enum kp_error raw_txn_add(struct raw_txn *producer, int32_t partition);

/* One record in a batch of the producer, transactional or not. */
struct slice raw_txn_batch(
    struct raw_txn *producer, int32_t sequence, bool transactional);

/* Produce a batch under a transactional id. */
enum kp_error raw_txn_send_batch(struct raw_txn *producer, int version,
    int32_t partition, struct slice id, struct slice batch);

/* Produce one record with this sequence. */
enum kp_error raw_txn_produce_sequence(
    struct raw_txn *producer, int version, int32_t partition, int32_t sequence);

/* The same with the next one. */
enum kp_error raw_txn_produce(
    struct raw_txn *producer, int version, int32_t partition);

/* EndTxn; from version 5 on the answer is the producer from then on. */
enum kp_error raw_txn_end_as(struct raw_txn *producer, int version,
    int64_t producer_id, int epoch, bool commit);
enum kp_error raw_txn_end(struct raw_txn *producer, int version, bool commit);

/* Again and again while markers are written. */
enum kp_error raw_txn_end_patiently(struct raw_txn *producer, int version,
    int64_t producer_id, int epoch, bool commit);

/* What DescribeTransactions and DescribeProducers say. */
const struct kp_describe_transactions_response_transaction_state *
raw_txn_describe(struct raw_txn *producer);
bool raw_txn_is_in(struct raw_txn *producer, const char *name);
void raw_txn_expect_state(struct raw_txn *producer, const char *name);
int raw_txn_partitions_in(struct raw_txn *producer);

/* The end of a partition, and of what is stable in it. */
int64_t raw_txn_log_end(struct raw_txn *producer, int32_t partition);
int64_t raw_txn_stable_end(struct raw_txn *producer, int32_t partition);

/* What a reader of that isolation gets. */
const struct kp_fetch_response_partition *raw_txn_fetch(
    struct raw_txn *producer, int32_t partition, int64_t offset,
    int8_t isolation);
const struct kp_describe_producers_response_active_producer *
raw_txn_known_producer(
    struct raw_txn *producer, int32_t partition, int64_t producer_id);

/* WriteTxnMarkers: an abort. */
enum kp_error raw_txn_mark(struct raw_txn *producer, int version,
    int32_t partition, int64_t producer_id, int epoch,
    int32_t coordinator_epoch);

/* TxnOffsetCommit of an offset for partition 0, and AddOffsetsToTxn. */
enum kp_error raw_txn_commit_offsets(struct raw_txn *producer, int version,
    const char *group, int32_t generation, int64_t offset);
enum kp_error raw_txn_add_offsets(
    struct raw_txn *producer, int version, int epoch, const char *group);

/*
 * Produce although the transaction before may still end: the broker waits a
 * little for that, and a slow disk may take longer.
 */
void raw_txn_produce_patiently(struct raw_txn *producer, int32_t partition);

#endif
