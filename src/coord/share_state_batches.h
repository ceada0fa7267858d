/*
 * Share state batches: what batches of record states make of those before
 * (PersisterStateBatchCombiner of Kafka).
 *
 * Where two batches tell of the same record, the one with more deliveries
 * counts, and of equal ones the one with the higher state: states of a record
 * only go up.  Batches below the start offset go.
 */
#ifndef COORD_SHARE_STATE_BATCHES_H
#define COORD_SHARE_STATE_BATCHES_H

#include "coord/share_state.h"

struct share_state_batches {
	struct share_state_batch *items;	/* owned; by offset */
	int32_t count;
};

/* May there be such a batch? */
static inline bool
share_state_batch_valid(const struct share_state_batch *batch)
{
	return batch->first_offset >= 0 &&
	    batch->first_offset <= batch->last_offset &&
	    batch->last_offset < INT64_MAX;
}

/*
 * Combine what there was with count more, which are valid and in any order,
 * from start_offset on (-1: all).  so_far stays as it is.  The caller frees
 * the items.
 */
struct share_state_batches share_state_batches_combine(
    const struct share_state_batches *so_far,
    const struct share_state_batch *more, int32_t count,
    int64_t start_offset);

#endif
