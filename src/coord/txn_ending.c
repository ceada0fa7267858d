#include "coord/txn_ending.h"

#include "coord/txn.h"
#include "coord/txn_shard.h"

void
txn_ending_free(struct txn_ending *ending)
{
	struct txn_shard *shard = ending->shard;

	txn_partitions_fini(&ending->partitions);
	free((void *)(uintptr_t)ending->id.data);
	free(ending);
	txn_shard_release(shard);
}

/*
 * The transaction, if it is still this one that ends.  With KP_NONE the shard
 * is locked.
 */
static struct txn *
enter(struct txn_ending *ending)
{
	struct txn_shard *shard = ending->shard;
	struct txn *txn;

	if (shard_enter(&shard->shard) != KP_NONE)
		return NULL;
	txn = ending->life == shard->life ? txn_find(shard, ending->id) : NULL;
	if (txn == NULL)
		shard_leave(&shard->shard);
	/* Nothing else may happen to it meanwhile. */
	assert(txn == NULL ||
	    (txn_is_ending(txn) &&
		txn->values.producer_id == ending->producer_id));
	return txn;
}

/*
 * The record is committed: to the markers.  Where that took too long it is
 * waited for once more, because it is in the log and may be at any time.
 */
static void
prepared(struct shard_call *call)
{
	struct txn_ending *ending = CONTAINER_OF(call, struct txn_ending, call);
	struct txn_shard *shard = ending->shard;

	if (call->error == KP_NONE) {
		shard->environment->mark(shard->environment, ending);
	} else if (enter(ending) == NULL) {
		txn_ending_free(ending);
	} else {
		shard_reply(&shard->shard, call, KP_NONE);
		shard_leave(&shard->shard);
	}
}

void
txn_ending_begin(struct txn *txn)
{
	const struct txn_values *values = &txn->values;
	struct txn_ending *ending = xcalloc(1, sizeof(*ending));

	assert(txn_is_ending(txn));
	ending->call.done = prepared;
	ending->shard = txn->shard;
	atomic_fetch_add(&txn->shard->users, 1);
	ending->life = txn->shard->life;
	ending->id = slice_of(slice_dup(txn->id), txn->id.len);
	ending->producer_id = values->producer_id;
	ending->producer_epoch = values->producer_epoch;
	ending->client_version = values->client_version;
	ending->coordinator_epoch = txn->shard->shard.epoch;
	ending->commit = values->state == TXN_PREPARE_COMMIT;
	txn_partitions_copy(&ending->partitions, &txn->partitions);
	shard_reply(&txn->shard->shard, &ending->call, KP_NONE);
}

/* The next transaction has another producer id where epochs have run out. */
static struct txn_values
completed(const struct txn_values *values)
{
	struct txn_values next = *values;

	next.state = values->state == TXN_PREPARE_COMMIT ? TXN_COMPLETE_COMMIT :
							   TXN_COMPLETE_ABORT;
	if (values->next_producer_id >= 0) {
		next.producer_id = values->next_producer_id;
		next.producer_epoch = 0;
		next.next_producer_id = -1;
	}
	return next;
}

bool
txn_ending_complete(struct txn_ending *ending)
{
	struct txn *txn = enter(ending);
	struct txn_partitions none;
	struct txn_values next;
	enum kp_error error;

	if (txn == NULL)
		return true;
	next = completed(&txn->values);
	txn_partitions_init(&none);
	error = txn_write(txn, &next, &none);
	shard_leave(&ending->shard->shard);
	txn_partitions_fini(&none);
	return error == KP_NONE;
}

bool
txn_ending_shrink(struct txn_ending *ending, struct txn_partitions *left)
{
	struct txn *txn = enter(ending);

	if (txn != NULL) {
		txn_become(txn, &txn->values, left);
		shard_leave(&ending->shard->shard);
	}
	txn_partitions_fini(left);
	return txn != NULL;
}
