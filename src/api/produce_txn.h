/*
 * What is special about a produce inside of a transaction: its partitions are
 * verified before anything is appended (KIP-890).
 *
 * Thread: the request's loop.
 */
#ifndef API_PRODUCE_TXN_H
#define API_PRODUCE_TXN_H

#include "api/txn_question.h"

struct kp_produce_request;
struct partition;

/* What a partition of the request has to bring, or gets instead. */
struct produce_check {
	enum kp_error error;
	struct slice message;		/* of the error; or null */
	uint64_t guard;			/* for the append */
	int32_t asked;			/* 1 + its place in the question */
};

struct produce_txn {
	struct txn_question question;
	struct produce_check *checks;	/* of the request's partitions */
	bool guarded;			/* appends need a guard */
	bool stale;			/* a guard is another one now */
	int64_t deadline_ms;		/* of coming back to one that ends */
	void *context;			/* the caller's */
};

/* Is there a transactional batch in the request? */
bool produce_txn_is(const struct kp_produce_request *body);

/* What stands against all of the request; message may stay null. */
enum kp_error produce_txn_refuse(const struct request *request,
    const struct kp_produce_request *body, struct slice *message) WARN_UNUSED;

/* For the request, which has so many partitions. */
struct produce_txn *produce_txn_new(struct request *request, size_t total);

/*
 * The partition at this place of the request is there and may be written to:
 * ask about it where that has to be.  All of them are taken, and after the
 * answer once more, each time from produce_txn_reset on.
 */
void produce_txn_reset(struct produce_txn *txn);
void produce_txn_take(struct produce_txn *txn, size_t at,
    struct partition *partition, struct slice records);

/* Is there anything to be asked? */
bool produce_txn_asks(const struct produce_txn *txn);

/*
 * The question is answered.  Yes to all, so that the guards have to be looked
 * at again?  Or no, because the transaction before still ends, and there is
 * time to ask once more (after add.partitions.to.txn.retry.backoff.ms)?
 */
bool produce_txn_accepted(const struct produce_txn *txn);
bool produce_txn_is_patient(const struct produce_txn *txn);

/* What the answer means for the partitions. */
void produce_txn_settle(struct produce_txn *txn);

#endif
