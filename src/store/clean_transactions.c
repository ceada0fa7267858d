#include "store/clean_transactions.h"

#include "wire/batch.h"

/* A producer that has a transaction under way. */
struct producer_txn {
	int64_t id;
	const struct txn_index_entry *aborted;	/* NULL: not aborted */
	bool aborted_data;	/* data of the aborted one was met */
	bool committed_data;	/* data of one that was not aborted was met */
	bool old_data;		/* of either, which only a start knows of */
};

void
clean_transactions_init(struct clean_transactions *transactions,
    const struct txn_index *aborted)
{
	*transactions = (struct clean_transactions){ .aborted = aborted };
	map_init(&transactions->producers);
}

void
clean_transactions_fini(struct clean_transactions *transactions)
{
	struct producer_txn *txn;

	for (size_t at = 0;
	     (txn = map_next(&transactions->producers, &at)) != NULL;)
		free(txn);
	map_fini(&transactions->producers);
}

static int
compare(const void *a, const void *b)
{
	const struct txn_index_entry *left = a;
	const struct txn_index_entry *right = b;

	return (left->first_offset > right->first_offset) -
	    (left->first_offset < right->first_offset);
}

void
clean_transactions_sort(struct txn_index *aborted)
{
	if (aborted->count > 0)
		qsort(aborted->entries, aborted->count,
		    sizeof(*aborted->entries), compare);
}

static struct producer_txn *
obtain(struct clean_transactions *transactions, int64_t id)
{
	struct producer_txn *txn =
	    map_get(&transactions->producers, MAP_KEY(id));

	if (txn == NULL) {
		txn = xcalloc(1, sizeof(*txn));
		txn->id = id;
		map_set(&transactions->producers, MAP_KEY(txn->id), txn);
	}
	return txn;
}

/* Is the walk past the marker, which may have been missing? */
static void
expire(struct producer_txn *txn, int64_t offset)
{
	if (txn->aborted == NULL || txn->aborted->last_offset >= offset)
		return;
	txn->aborted = NULL;
	txn->aborted_data = false;
}

/* Begin the aborted transactions whose first offset is at most offset. */
static void
advance(struct clean_transactions *transactions, int64_t offset)
{
	const struct txn_index *aborted = transactions->aborted;

	while (transactions->next < aborted->count) {
		const struct txn_index_entry *entry =
		    &aborted->entries[transactions->next];
		struct producer_txn *txn;

		if (entry->first_offset > offset)
			return;
		txn = obtain(transactions, entry->producer_id);
		expire(txn, entry->first_offset);
		if (txn->aborted == NULL)
			txn->aborted = entry;
		transactions->next++;
	}
}

void
clean_transactions_begun(
    struct clean_transactions *transactions, int64_t producer_id)
{
	obtain(transactions, producer_id)->old_data = true;
}

bool
clean_transactions_data(
    struct clean_transactions *transactions, const struct batch *batch)
{
	struct producer_txn *txn;

	advance(transactions, batch->last_offset);
	if (!batch_is_transactional(batch))
		return false;
	txn = obtain(transactions, batch->producer_id);
	expire(txn, batch->base_offset);
	if (txn->aborted != NULL)
		txn->aborted_data = true;
	else if (batch->last_offset >= transactions->start_offset)
		txn->committed_data = true;
	else
		txn->old_data = true;
	return txn->aborted != NULL;
}

/* Forget what a marker ended. */
static void
settle(struct clean_transactions *transactions, struct producer_txn *txn)
{
	if (txn->aborted != NULL || txn->committed_data || txn->old_data)
		return;
	map_remove(&transactions->producers, MAP_KEY(txn->id));
	free(txn);
}

static int
abort_marker(struct producer_txn *txn, const struct txn_index_entry **kept)
{
	int result = txn->old_data ? 0 : 1;

	txn->old_data = false;
	if (txn->aborted == NULL)
		return txn->committed_data ? -1 : result;
	if (txn->aborted_data) {
		*kept = txn->aborted;
		result = 0;
	}
	txn->aborted = NULL;
	txn->aborted_data = false;
	return result;
}

static int
commit_marker(struct producer_txn *txn)
{
	int result = txn->committed_data || txn->old_data ? 0 : 1;

	txn->committed_data = false;
	txn->old_data = false;
	return result;
}

int
clean_transactions_marker(struct clean_transactions *transactions,
    const struct batch *batch, enum control_record_type type,
    const struct txn_index_entry **kept)
{
	struct producer_txn *txn;
	int result;

	*kept = NULL;
	advance(transactions, batch->last_offset);
	/* What was cleaned to an empty batch is no marker any more. */
	if (batch->record_count == 0)
		return 1;
	if (type != CONTROL_RECORD_ABORT && type != CONTROL_RECORD_COMMIT)
		return 0;
	txn = map_get(
	    &transactions->producers, MAP_KEY(batch->producer_id));
	if (txn == NULL)
		return 1;
	expire(txn, batch->base_offset);
	result = type == CONTROL_RECORD_ABORT ? abort_marker(txn, kept) :
						commit_marker(txn);
	if (result >= 0)
		settle(transactions, txn);
	return result;
}
