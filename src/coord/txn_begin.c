/*
 * InitProducerId with a transactional id: a producer begins, or comes back,
 * and whoever had the id before is fenced (KIP-98, KIP-360).
 */
#include "coord/txn_shard.h"

/* From this version on PRODUCER_FENCED is understood. */
#define VERSION_PRODUCER_FENCED 4

static struct txn_begin *
of(struct txn_call *call)
{
	return CONTAINER_OF(call, struct txn_begin, call);
}

static enum kp_error
fenced(const struct txn_begin *begin)
{
	return begin->call.version >= VERSION_PRODUCER_FENCED ?
	    KP_PRODUCER_FENCED :
	    KP_INVALID_PRODUCER_EPOCH;
}

static bool
expects(const struct txn_begin *begin)
{
	return begin->producer_id != -1;
}

static bool
exhausted(int16_t epoch)
{
	return epoch >= TXN_EPOCH_EXHAUSTED;
}

/* A producer id that was used up just now is still its producer's. */
static bool
producer_id_expected(
    const struct txn_begin *begin, const struct txn_values *values)
{
	return !expects(begin) || values->producer_epoch == -1 ||
	    begin->producer_id == values->producer_id ||
	    (begin->producer_id == values->previous_producer_id &&
		exhausted(begin->producer_epoch));
}

/* --- One without a transaction ------------------------------------------- */

/* The answer to a request that comes once more stays the same. */
static bool
repeated(const struct txn_begin *begin, const struct txn_values *values)
{
	return expects(begin) &&
	    begin->producer_epoch != values->producer_epoch &&
	    values->last_producer_epoch != -1 &&
	    begin->producer_epoch == values->last_producer_epoch;
}

static bool
epoch_expected(const struct txn_begin *begin, const struct txn_values *values)
{
	return !expects(begin) || values->producer_epoch == -1 ||
	    begin->producer_epoch == values->producer_epoch ||
	    repeated(begin, values);
}

static bool
needs_id(const struct txn_begin *begin, const struct txn *txn)
{
	const struct txn_values *values = &txn->values;

	return txn_is_idle(txn) && producer_id_expected(begin, values) &&
	    epoch_expected(begin, values) && !repeated(begin, values) &&
	    exhausted(values->producer_epoch);
}

/* The producer and its epoch for the next transaction. */
static struct txn_values
renewed(const struct txn_begin *begin, const struct txn_values *values)
{
	struct txn_values next = *values;

	next.state = TXN_EMPTY;
	next.start_ms = -1;
	next.timeout_ms = begin->timeout_ms;
	next.next_producer_id = -1;
	if (repeated(begin, values))
		return next;
	next.last_producer_epoch = expects(begin) ? values->producer_epoch : -1;
	if (exhausted(values->producer_epoch)) {
		assert(begin->call.fresh_id >= 0);
		next.producer_id = begin->call.fresh_id;
		next.producer_epoch = 0;
	} else {
		next.producer_epoch++;
	}
	return next;
}

static enum kp_error
renew(struct txn *txn, struct txn_begin *begin)
{
	struct txn_values next;
	struct txn_partitions none;
	enum kp_error error;

	if (!epoch_expected(begin, &txn->values))
		return fenced(begin);
	next = renewed(begin, &txn->values);
	txn_partitions_init(&none);
	error = txn_write(txn, &next, &none);
	txn_partitions_fini(&none);
	return error;
}

/* --- One that is not known ----------------------------------------------- */

static enum kp_error
create(struct txn_shard *shard, struct txn_begin *begin)
{
	struct txn *txn;
	struct txn_values next;
	enum kp_error error;

	if (budget_left(&shard->environment->memory) == 0)
		return KP_COORDINATOR_NOT_AVAILABLE;
	txn = txn_new(shard, begin->call.transactional_id);
	next = txn->values;
	next.producer_id = begin->call.fresh_id;
	next.producer_epoch = 0;
	next.timeout_ms = begin->timeout_ms;
	error = txn_write(txn, &next, NULL);
	if (error == KP_NONE)
		txn_insert(txn);
	else
		txn_free(txn);
	return error;
}

/* --- The call ------------------------------------------------------------ */

static bool
id_is_missing(const struct txn_begin *begin, const struct txn *txn)
{
	if (begin->call.fresh_id >= 0)
		return false;
	if (txn == NULL)
		return true;
	if (txn->values.state == TXN_ONGOING)
		return producer_id_expected(begin, &txn->values) &&
		    txn_abort_needs_id(txn);
	return needs_id(begin, txn);
}

static enum kp_error
carry_out(struct txn_shard *shard, struct txn_begin *begin, struct txn *txn)
{
	enum kp_error error;

	if (txn == NULL)
		return create(shard, begin);
	if (txn_is_ending(txn))
		return KP_CONCURRENT_TRANSACTIONS;
	if (!producer_id_expected(begin, &txn->values))
		return fenced(begin);
	if (txn_is_idle(txn))
		return renew(txn, begin);
	/* The one who began it is fenced; come back when it has ended. */
	error = txn_abort(txn, begin->call.fresh_id);
	return error == KP_NONE ? KP_CONCURRENT_TRANSACTIONS : error;
}

bool
txn_shard_begin(struct txn_shard *shard, struct txn_call *call)
{
	struct txn_begin *begin = of(call);
	enum kp_error error;
	struct txn *txn;

	if (!shard_begin(&shard->shard, &call->call))
		return true;
	txn = txn_find(shard, call->transactional_id);
	if (id_is_missing(begin, txn)) {
		shard_leave(&shard->shard);
		return false;
	}
	error = carry_out(shard, begin, txn);
	if (error == KP_NONE) {
		txn = txn_find(shard, call->transactional_id);
		begin->producer_id = txn->values.producer_id;
		begin->producer_epoch = txn->values.producer_epoch;
	}
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
	return true;
}
