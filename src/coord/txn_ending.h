/*
 * Ending: a transaction whose outcome is written down, until markers say so in
 * all of its partitions.
 *
 * It begins when the Prepare* record is in the log, waits until that is
 * committed, and is given to the environment, which writes the markers and
 * waits until each is committed in its turn; only then the Complete* record
 * is written.  A start, or a new election, finds the Prepare* record and
 * begins again, with its own coordinator epoch.
 */
#ifndef COORD_TXN_ENDING_H
#define COORD_TXN_ENDING_H

#include "coord/shard.h"
#include "coord/txn_partitions.h"

struct txn;
struct txn_shard;

struct txn_ending {
	struct shard_call call;		/* the record's commit */
	struct txn_shard *shard;
	uint64_t life;			/* the shard's when it began */

	/* immutable; what the markers say */
	struct slice id;		/* owned */
	int64_t producer_id;
	int16_t producer_epoch;
	int16_t client_version;
	int32_t coordinator_epoch;
	bool commit;
	struct txn_partitions partitions;
};

/* The transaction is Prepare* in the log.  Lock held. */
void txn_ending_begin(struct txn *txn);

/*
 * All markers are committed: write the Complete* record.  True where that is
 * done or is no business of ours any more; false: try again later.  The
 * ending stays the caller's.  No lock held; the shard is.
 */
bool txn_ending_complete(struct txn_ending *ending) WARN_UNUSED;

/*
 * Only these partitions lack a marker still.  False where the ending is no
 * business of ours any more.  left is taken over.
 */
bool txn_ending_shrink(
    struct txn_ending *ending, struct txn_partitions *left) WARN_UNUSED;

void txn_ending_free(struct txn_ending *ending);

#endif
