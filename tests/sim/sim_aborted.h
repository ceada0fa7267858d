/* What a list of aborted transactions says, as a consumer reads it. */
#ifndef SIM_SIM_ABORTED_H
#define SIM_SIM_ABORTED_H

#include "store/txn_index.h"

/* Is the batch of this producer at offset one of an aborted transaction? */
static inline bool
sim_aborted_has(
    const struct txn_index *aborted, int64_t producer_id, int64_t offset)
{
	for (size_t i = 0; i < aborted->count; i++) {
		const struct txn_index_entry *entry = &aborted->entries[i];

		if (entry->producer_id == producer_id &&
		    entry->first_offset <= offset &&
		    entry->last_offset > offset)
			return true;
	}
	return false;
}

#endif
