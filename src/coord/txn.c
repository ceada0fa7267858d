#include "coord/txn.h"

#include "coord/txn_shard.h"

const char *
txn_state_name(enum txn_state state)
{
	static const char *const names[TXN_STATES_COUNT] = {
		[TXN_EMPTY] = "Empty",
		[TXN_ONGOING] = "Ongoing",
		[TXN_PREPARE_COMMIT] = "PrepareCommit",
		[TXN_PREPARE_ABORT] = "PrepareAbort",
		[TXN_COMPLETE_COMMIT] = "CompleteCommit",
		[TXN_COMPLETE_ABORT] = "CompleteAbort",
		[TXN_DEAD] = "Dead",
		[TXN_PREPARE_EPOCH_FENCE] = "PrepareEpochFence",
	};

	return (unsigned)state < TXN_STATES_COUNT ? names[state] : NULL;
}

struct txn *
txn_new(struct txn_shard *shard, struct slice id)
{
	struct txn *txn = xcalloc(1, sizeof(*txn));

	txn->shard = shard;
	txn->id = slice_of(slice_dup(id), id.len);
	txn->values = (struct txn_values){
		.producer_id = -1,
		.previous_producer_id = -1,
		.next_producer_id = -1,
		.producer_epoch = -1,
		.last_producer_epoch = -1,
		.state = TXN_EMPTY,
		.start_ms = -1,
	};
	txn_partitions_init(&txn->partitions);
	return txn;
}

/* Take from the budget what it holds now. */
static void
weigh(struct txn *txn)
{
	struct budget *memory = &txn->shard->environment->memory;
	size_t bytes = sizeof(*txn) + txn->id.len + txn->partitions.bytes;

	if (bytes > txn->bytes)
		budget_force(memory, bytes - txn->bytes);
	else
		budget_give(memory, txn->bytes - bytes);
	txn->bytes = bytes;
}

void
txn_free(struct txn *txn)
{
	if (list_node_linked(&txn->node)) {
		map_remove(&txn->shard->txns, txn->id);
		list_remove(&txn->node);
	}
	if (list_node_linked(&txn->ongoing))
		list_remove(&txn->ongoing);
	budget_give(&txn->shard->environment->memory, txn->bytes);
	txn_partitions_fini(&txn->partitions);
	free((void *)(uintptr_t)txn->id.data);
	free(txn);
}

void
txn_insert(struct txn *txn)
{
	struct txn *old = map_set(&txn->shard->txns, txn->id, txn);

	assert(old == NULL);
	list_append(&txn->shard->list, &txn->node);
}

struct txn *
txn_find(const struct txn_shard *shard, struct slice id)
{
	return map_get(&shard->txns, id);
}

void
txn_become(struct txn *txn, const struct txn_values *values,
    struct txn_partitions *partitions)
{
	struct txn_partitions old = txn->partitions;

	txn->values = *values;
	if (partitions != NULL) {
		txn->partitions = *partitions;
		*partitions = old;
	}
	if (list_node_linked(&txn->ongoing))
		list_remove(&txn->ongoing);
	if (values->state == TXN_ONGOING) {
		list_append(&txn->shard->ongoing, &txn->ongoing);
		txn_shard_watch_timeouts(txn->shard);
	}
	weigh(txn);
}
