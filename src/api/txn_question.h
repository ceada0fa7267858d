/*
 * Txn question: does the partition belong to the transaction that a batch is
 * for?  Before the first batch of a transaction is appended its coordinator is
 * asked, or told to add the partition (KIP-890; AddPartitionsToTxnManager).
 *
 * What is asked with a guard that the partition gave (partition_verify).  It
 * may be stale when the answer comes, where the marker of the transaction
 * before came in between: whoever is told yes looks whether the guard is still
 * the same, and else asks again.
 *
 * Thread: the request's loop.
 */
#ifndef API_TXN_QUESTION_H
#define API_TXN_QUESTION_H

#include "api/request.h"
#include "coord/txn_coordinator.h"

#include <stdatomic.h>

struct txn_question {
	/* in */
	struct request *request;
	struct slice transactional_id;
	struct txn_add add;	/* but for the call */
	/* The answer came later. */
	void (*answered)(struct txn_question *question);

	/* out; where it is KP_NONE partitions have errors of their own */
	enum kp_error error;

	/* private */
	atomic_int pending;	/* the call, and who makes it */
};

/*
 * Ask.  True: it is answered.  Else answered will be called, unless the caller
 * finds with txn_question_wait that it has been answered meanwhile: in between
 * he keeps what must not go away.  Partitions of which the coordinator does
 * not know that they are in the transaction get TRANSACTION_ABORTABLE.
 */
bool txn_question_ask(struct txn_question *question) WARN_UNUSED;
bool txn_question_wait(struct txn_question *question) WARN_UNUSED;

#endif
