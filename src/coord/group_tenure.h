/*
 * Tenure: the time for which one of this process's nodes leads a partition of
 * __consumer_offsets, with the shard that serves it and the shard's host.
 *
 * Whoever works with the shard holds a reference.  When the leadership ends
 * the tenure does: a later one has a shard of its own, so nothing that was
 * under way in the old one is taken for the new one's.
 *
 * Thread: any.
 */
#ifndef COORD_GROUP_TENURE_H
#define COORD_GROUP_TENURE_H

#include "base/base.h"
#include "coord/group_shard.h"
#include "coord/partition_host.h"

#include <stdatomic.h>

struct group_tenure {
	/* immutable */
	int32_t leader;			/* the node that leads */
	void (*ended)(void *context);
	void *context;
	/* atomic */
	atomic_int refs;
	/* as their headers say */
	struct group_shard shard;
	struct partition_host host;
};

/*
 * A tenure of partition, whose reference is taken over, with leader as its
 * leader and loop for its timers.  The settings and memory outlive it.  One
 * reference is the caller's, to be given to group_tenure_end.
 */
struct group_tenure *group_tenure_new(const struct group_settings *settings,
    const struct shard_settings *shard_settings, struct budget *memory,
    struct partition *partition, struct loop *loop, int32_t leader);

void group_tenure_ref(struct group_tenure *tenure);
void group_tenure_unref(struct group_tenure *tenure);

/*
 * Everybody is answered NOT_COORDINATOR when this returns.  ended is called
 * on the loop once the partition has been given back; the caller's reference
 * goes with it.
 */
void group_tenure_end(struct group_tenure *tenure,
    void (*ended)(void *context), void *context);

#endif
