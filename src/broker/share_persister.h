/*
 * Share persister: where the states of share partitions are kept.  The share
 * coordinator is above this layer, so whoever puts the process together gives
 * the function that calls it.
 *
 * Calls about one share partition take effect in the order in which they were
 * run.
 */
#ifndef BROKER_SHARE_PERSISTER_H
#define BROKER_SHARE_PERSISTER_H

#include "base/base.h"
#include "base/uuid.h"
#include "broker/share_partition.h"

/* A start offset that is yet to be found. */
#define SHARE_PERSISTER_UNKNOWN (-1)

/*
 * A call is done exactly once, on any thread, perhaps before run returns.  All
 * that it points to stays as it is until then.
 */
struct share_persister_call {
	/* in */
	bool write;			/* else it reads */
	struct slice group_id;
	struct uuid topic_id;
	int32_t index;
	int32_t leader_epoch;
	void (*done)(struct share_persister_call *call);

	/* Written, or what was read. */
	int32_t state_epoch;
	int64_t start_offset;
	int32_t delivery_complete_count; /* written only */
	struct share_partition_state *states; /* of a read: malloced */
	size_t states_count;

	/* out: the coordinator's own */
	enum kp_error error;
};

struct share_persister {
	void (*run)(struct share_persister *persister,
	    struct share_persister_call *call);
};

#endif
