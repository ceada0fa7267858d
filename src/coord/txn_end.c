/*
 * EndTxn, and transactions that the coordinator itself aborts: the outcome is
 * written down, and then the markers are (KIP-98, KIP-890).
 */
#include "base/clock.h"
#include "coord/txn_ending.h"
#include "coord/txn_shard.h"

/* From this version on PRODUCER_FENCED is understood. */
#define VERSION_PRODUCER_FENCED 2

static struct txn_end *
of(struct txn_call *call)
{
	return CONTAINER_OF(call, struct txn_end, call);
}

/* --- The outcome --------------------------------------------------------- */

bool
txn_prepare_needs_id(const struct txn *txn, int16_t client_version)
{
	return client_version >= TXN_VERSION_EPOCH_EACH &&
	    txn->values.producer_epoch >= TXN_EPOCH_EXHAUSTED;
}

/* The next transaction has an epoch of its own. */
static void
epoch_raise(struct txn_values *next, int64_t fresh_id)
{
	assert(fresh_id >= 0 || next->producer_epoch < TXN_EPOCH_EXHAUSTED);
	next->last_producer_epoch = next->producer_epoch;
	next->next_producer_id =
	    next->producer_epoch >= TXN_EPOCH_EXHAUSTED ? fresh_id : -1;
	if (next->producer_epoch < INT16_MAX)
		next->producer_epoch++;
}

static enum kp_error
outcome_write(struct txn *txn, bool commit, struct txn_values *next)
{
	enum kp_error error;

	next->state = commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT;
	error = txn_write(txn, next, NULL);
	if (error == KP_NONE)
		txn_ending_begin(txn);
	return error;
}

enum kp_error
txn_prepare(
    struct txn *txn, bool commit, int16_t client_version, int64_t fresh_id)
{
	struct txn_values next = txn->values;

	if (client_version >= TXN_VERSION_EPOCH_EACH)
		epoch_raise(&next, fresh_id);
	if (txn_is_idle(txn))
		next.start_ms = clock_wall_ms();
	next.client_version = client_version;
	return outcome_write(txn, commit, &next);
}

/* --- From within --------------------------------------------------------- */

bool
txn_abort_needs_id(const struct txn *txn)
{
	return txn_prepare_needs_id(
	    txn, (int16_t)atomic_load(&txn->shard->environment->version));
}

/*
 * Where epochs are not the transactions' own it is the fence that raises the
 * epoch, to one that is no client's where they have run out.
 */
enum kp_error
txn_abort(struct txn *txn, int64_t fresh_id)
{
	int16_t version =
	    (int16_t)atomic_load(&txn->shard->environment->version);
	struct txn_values next = txn->values;

	if (version >= TXN_VERSION_EPOCH_EACH)
		return txn_prepare(txn, false, version, fresh_id);
	if (next.producer_epoch < INT16_MAX)
		next.producer_epoch++;
	next.last_producer_epoch = -1;
	next.client_version = version;
	return outcome_write(txn, false, &next);
}

/* A transaction that has timed out, unless it is over by now. */
bool
txn_shard_abort(struct txn_shard *shard, struct txn_call *call)
{
	const struct txn_end *end = of(call);
	enum kp_error error = KP_NONE;
	struct txn *txn;
	bool timed_out;

	if (!shard_begin(&shard->shard, &call->call))
		return true;
	txn = txn_find(shard, call->transactional_id);
	timed_out = txn != NULL && txn->values.state == TXN_ONGOING &&
	    txn->values.producer_id == end->producer_id &&
	    txn->values.producer_epoch == end->producer_epoch;
	if (timed_out && call->fresh_id < 0 && txn_abort_needs_id(txn)) {
		shard_leave(&shard->shard);
		return false;
	}
	if (timed_out)
		error = txn_abort(txn, call->fresh_id);
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
	return true;
}

/* --- A client's ---------------------------------------------------------- */

/* What a request comes to. */
enum verdict {
	VERDICT_PREPARE, /* decide the outcome */
	VERDICT_DONE,    /* it was decided so before */
	VERDICT_REFUSE,
};

static enum kp_error
fenced(const struct txn_end *end)
{
	return end->call.version >= VERSION_PRODUCER_FENCED ?
	    KP_PRODUCER_FENCED :
	    KP_INVALID_PRODUCER_EPOCH;
}

/* A client whose epochs last for many transactions (TV0). */
static enum verdict
judge_lasting(const struct txn_end *end, const struct txn_values *values,
    enum kp_error *error)
{
	enum txn_state done =
	    end->commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT;

	*error = KP_NONE;
	if (values->state == TXN_ONGOING)
		return VERDICT_PREPARE;
	if (values->state == done)
		return VERDICT_DONE;
	*error = KP_INVALID_TXN_STATE;
	return VERDICT_REFUSE;
}

static enum kp_error
check_lasting(const struct txn_end *end, const struct txn *txn)
{
	if (end->producer_id != txn->values.producer_id)
		return KP_INVALID_PRODUCER_ID_MAPPING;
	if (end->producer_epoch != txn->values.producer_epoch)
		return fenced(end);
	return txn_is_ending(txn) ? KP_CONCURRENT_TRANSACTIONS : KP_NONE;
}

/* The epochs had run out, and the transaction got another producer. */
static bool
overflow_repeated(const struct txn_end *end, const struct txn_values *values)
{
	return end->producer_id == values->previous_producer_id &&
	    end->producer_epoch == TXN_EPOCH_EXHAUSTED &&
	    values->producer_epoch == 0;
}

/* Does the request come once more, after it was carried out? */
static bool
repeated(const struct txn_end *end, const struct txn_values *values)
{
	return values->producer_epoch == end->producer_epoch + 1 ||
	    overflow_repeated(end, values);
}

/* A client with an epoch for each transaction (TV2). */
static enum verdict
judge_each(const struct txn_end *end, const struct txn_values *values,
    enum kp_error *error)
{
	enum txn_state done =
	    end->commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT;
	bool again = values->state >= TXN_COMPLETE_COMMIT &&
	    end->producer_epoch != values->producer_epoch;

	*error = KP_NONE;
	if (values->state == TXN_ONGOING || (!end->commit && !again))
		return VERDICT_PREPARE;
	if (values->state == done && again)
		return VERDICT_DONE;
	*error = KP_INVALID_TXN_STATE;
	return VERDICT_REFUSE;
}

static enum kp_error
check_each(const struct txn_end *end, const struct txn *txn)
{
	const struct txn_values *values = &txn->values;
	bool complete = values->state >= TXN_COMPLETE_COMMIT;

	if (txn_is_ending(txn))
		return KP_CONCURRENT_TRANSACTIONS;
	if (end->producer_id != values->producer_id &&
	    !overflow_repeated(end, values))
		return KP_INVALID_PRODUCER_ID_MAPPING;
	if (end->producer_epoch != values->producer_epoch &&
	    !(complete && repeated(end, values)))
		return fenced(end);
	return KP_NONE;
}

static enum verdict
judge(const struct txn_shard *shard, const struct txn_end *end,
    const struct txn *txn, enum kp_error *error)
{
	bool each = end->client_version >= TXN_VERSION_EPOCH_EACH;

	*error = KP_INVALID_PRODUCER_ID_MAPPING;
	if (txn == NULL)
		return VERDICT_REFUSE;
	*error = each ? check_each(end, txn) : check_lasting(end, txn);
	/* The old record format has no room for such a transaction. */
	if (*error == KP_NONE && each &&
	    atomic_load(&shard->environment->version) == 0)
		*error = KP_UNSUPPORTED_VERSION;
	if (*error != KP_NONE)
		return VERDICT_REFUSE;
	return each ? judge_each(end, &txn->values, error) :
		      judge_lasting(end, &txn->values, error);
}

/* What the next transaction of the client has. */
static void
answer_fill(struct txn_end *end, const struct txn_values *values)
{
	end->producer_id = values->next_producer_id >= 0 ?
	    values->next_producer_id :
	    values->producer_id;
	end->producer_epoch =
	    values->next_producer_id >= 0 ? 0 : values->producer_epoch;
}

bool
txn_shard_end(struct txn_shard *shard, struct txn_call *call)
{
	struct txn_end *end = of(call);
	enum kp_error error;
	enum verdict verdict;
	struct txn *txn;

	if (!shard_begin(&shard->shard, &call->call))
		return true;
	txn = txn_find(shard, call->transactional_id);
	verdict = judge(shard, end, txn, &error);
	if (verdict == VERDICT_PREPARE && call->fresh_id < 0 &&
	    txn_prepare_needs_id(txn, end->client_version)) {
		shard_leave(&shard->shard);
		return false;
	}
	if (verdict == VERDICT_PREPARE)
		error = txn_prepare(
		    txn, end->commit, end->client_version, call->fresh_id);
	if (error == KP_NONE)
		answer_fill(end, &txn->values);
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
	return true;
}
