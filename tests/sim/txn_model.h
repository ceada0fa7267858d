/*
 * What the coordinator has to make of each call, written down once more from
 * the rules (TransactionMetadata and TransactionCoordinator of Kafka; KIP-98,
 * 360, 890) and without a look at how coord/ does it: a state of a
 * transactional id, a question, and the verdict with the next state.
 */
#ifndef SIM_TXN_MODEL_H
#define SIM_TXN_MODEL_H

#include "base/base.h"
#include "coord/txn.h"
#include "wire/error.h"

/* No transaction. */
#define TXN_MODEL_NO_SERIAL (-1)

struct txn_model {
	bool known;
	int64_t producer_id;
	int64_t previous_id;
	int64_t next_id;
	int16_t epoch;
	int16_t last_epoch;
	int16_t version;
	int32_t timeout_ms;
	enum txn_state state;
	unsigned logs;		/* 1 << of each log that is in it */
	int64_t start_ms;
	int64_t update_ms;
	int serial;		/* of the transaction, or the last one */
};

enum txn_model_call {
	TXN_MODEL_BEGIN,
	TXN_MODEL_ADD,
	TXN_MODEL_VERIFY,
	TXN_MODEL_END,
	TXN_MODEL_ABORT,	/* of the coordinator's own */
};

struct txn_model_ask {
	enum txn_model_call call;
	int64_t producer_id;	/* or what is expected */
	int16_t epoch;
	int16_t api_version;
	int16_t version;	/* what the request stands for */
	int32_t timeout_ms;
	bool commit;
	unsigned logs;
	/* What is not the client's. */
	int64_t fresh_id;
	int16_t level;		/* transaction.version */
	int64_t now_ms;
	int serial;		/* of a transaction that begins */
};

struct txn_model_verdict {
	enum kp_error error;
	unsigned missing;	/* logs that are not in it */
	bool wants_id;		/* which is not there */
	bool writes;
	struct txn_model next;	/* where it writes */
	int64_t producer_id;	/* the answer's, where it has one */
	int16_t epoch;
};

bool txn_model_is_ending(const struct txn_model *model);

struct txn_model_verdict txn_model_judge(
    const struct txn_model *model, const struct txn_model_ask *ask);

/* All markers are written. */
struct txn_model txn_model_completed(
    const struct txn_model *model, int64_t now_ms);

#endif
