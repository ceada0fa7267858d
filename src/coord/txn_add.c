/*
 * AddPartitionsToTxn and AddOffsetsToTxn: partitions join a transaction, or are
 * found to be in it (KIP-98, KIP-890).
 */
#include "base/clock.h"
#include "coord/txn_shard.h"

/* From this version on PRODUCER_FENCED is understood. */
#define VERSION_PRODUCER_FENCED 2

static struct txn_add *
of(struct txn_call *call)
{
	return CONTAINER_OF(call, struct txn_add, call);
}

static enum kp_error
check(const struct txn_add *add, const struct txn *txn)
{
	if (txn == NULL)
		return KP_INVALID_PRODUCER_ID_MAPPING;
	if (!add->verify_only && txn_is_ending(txn))
		return KP_CONCURRENT_TRANSACTIONS;
	if (add->producer_id != txn->values.producer_id)
		return KP_INVALID_PRODUCER_ID_MAPPING;
	if (add->producer_epoch != txn->values.producer_epoch)
		return add->call.version >= VERSION_PRODUCER_FENCED ?
		    KP_PRODUCER_FENCED :
		    KP_INVALID_PRODUCER_EPOCH;
	return txn_is_ending(txn) ? KP_CONCURRENT_TRANSACTIONS : KP_NONE;
}

static void
verify(struct txn_add *add, const struct txn *txn)
{
	for (int32_t i = 0; i < add->count; i++) {
		struct txn_partition *partition = &add->partitions[i];

		partition->error = txn_partitions_has(&txn->partitions,
				       partition->topic, partition->index) ?
		    KP_NONE :
		    KP_TRANSACTION_ABORTABLE;
	}
}

static bool
all_in(const struct txn_add *add, const struct txn *txn)
{
	for (int32_t i = 0; i < add->count; i++)
		if (!txn_partitions_has(&txn->partitions,
			add->partitions[i].topic, add->partitions[i].index))
			return false;
	return txn->values.state == TXN_ONGOING;
}

static enum kp_error
join(struct txn_add *add, struct txn *txn)
{
	struct txn_values next = txn->values;
	struct txn_partitions all;
	enum kp_error error;

	if (all_in(add, txn))
		return KP_NONE;
	if (budget_left(&txn->shard->environment->memory) == 0)
		return KP_COORDINATOR_NOT_AVAILABLE;
	next.state = TXN_ONGOING;
	next.client_version = add->client_version;
	if (txn->values.state != TXN_ONGOING)
		next.start_ms = clock_wall_ms();
	txn_partitions_copy(&all, &txn->partitions);
	for (int32_t i = 0; i < add->count; i++)
		txn_partitions_add(
		    &all, add->partitions[i].topic, add->partitions[i].index);
	error = txn_write(txn, &next, &all);
	txn_partitions_fini(&all);
	return error;
}

/* The old record format has no room for what the transaction stands for. */
static bool
version_served(const struct txn_shard *shard, const struct txn_add *add)
{
	return add->verify_only ||
	    add->client_version < TXN_VERSION_EPOCH_EACH ||
	    atomic_load(&shard->environment->version) > 0;
}

bool
txn_shard_add(struct txn_shard *shard, struct txn_call *call)
{
	struct txn_add *add = of(call);
	enum kp_error error;
	struct txn *txn;

	if (!shard_begin(&shard->shard, &call->call))
		return true;
	txn = txn_find(shard, call->transactional_id);
	error = check(add, txn);
	if (error == KP_NONE && !version_served(shard, add))
		error = KP_UNSUPPORTED_VERSION;
	if (error == KP_NONE && add->verify_only)
		verify(add, txn);
	else if (error == KP_NONE)
		error = join(add, txn);
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
	return true;
}
