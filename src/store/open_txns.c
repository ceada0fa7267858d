#include "store/open_txns.h"

/* --- Lists -------------------------------------------------------------- */

static void
list_insert(struct open_txn_list *list, size_t at, struct open_txn txn)
{
	if (list->count == list->cap) {
		list->cap = list->cap == 0 ? 4 : 2 * list->cap;
		list->txns =
		    xrealloc(list->txns, list->cap * sizeof(*list->txns));
	}
	memmove(list->txns + at + 1, list->txns + at,
	    (list->count - at) * sizeof(*list->txns));
	list->txns[at] = txn;
	list->count++;
}

/* Take count transactions out, from index at on. */
static void
list_remove_at(struct open_txn_list *list, size_t at, size_t count)
{
	assert(at + count <= list->count);
	if (count == 0)
		return;
	memmove(list->txns + at, list->txns + at + count,
	    (list->count - at - count) * sizeof(*list->txns));
	list->count -= count;
}

static void
list_fini(struct open_txn_list *list)
{
	free(list->txns);
	*list = (struct open_txn_list){ .txns = NULL };
}

/* --- Life --------------------------------------------------------------- */

void
open_txns_init(struct open_txns *txns)
{
	*txns = (struct open_txns){ .ongoing.txns = NULL };
}

void
open_txns_fini(struct open_txns *txns)
{
	list_fini(&txns->ongoing);
	list_fini(&txns->undecided);
}

void
open_txns_clear(struct open_txns *txns)
{
	txns->ongoing.count = 0;
	txns->undecided.count = 0;
}

/* --- Changes ------------------------------------------------------------ */

void
open_txns_begin(
    struct open_txns *txns, int64_t producer_id, int64_t first_offset)
{
	struct open_txn_list *list = &txns->ongoing;
	size_t at = list->count;

	/* New ones go to the end; only a snapshot has them in any order. */
	while (at > 0 && list->txns[at - 1].first_offset > first_offset)
		at--;
	list_insert(list, at,
	    (struct open_txn){ producer_id, first_offset, -1 });
}

bool
open_txns_end(struct open_txns *txns, int64_t producer_id,
    int64_t marker_offset, int64_t *first_offset)
{
	struct open_txn_list *list = &txns->ongoing;
	size_t at = 0;

	while (at < list->count && list->txns[at].producer_id != producer_id)
		at++;
	if (at == list->count)
		return false;
	*first_offset = list->txns[at].first_offset;
	list_remove_at(list, at, 1);
	list_insert(&txns->undecided, txns->undecided.count,
	    (struct open_txn){ producer_id, *first_offset, marker_offset });
	return true;
}

void
open_txns_settle(struct open_txns *txns, int64_t high_watermark)
{
	struct open_txn_list *list = &txns->undecided;
	size_t count = 0;

	while (count < list->count &&
	    list->txns[count].marker_offset < high_watermark)
		count++;
	list_remove_at(list, 0, count);
}

/* --- Questions ---------------------------------------------------------- */

int64_t
open_txns_first_ongoing(const struct open_txns *txns)
{
	return txns->ongoing.count == 0 ? OPEN_TXNS_NONE :
					  txns->ongoing.txns[0].first_offset;
}

int64_t
open_txns_first_unstable(const struct open_txns *txns)
{
	int64_t first = open_txns_first_ongoing(txns);

	for (size_t i = 0; i < txns->undecided.count; i++)
		first = MIN(first, txns->undecided.txns[i].first_offset);
	return first;
}
