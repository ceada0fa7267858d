/*
 * A tenure of a partition of __consumer_offsets: see tenure.h.
 *
 * Thread: any.
 */
#ifndef COORD_GROUP_TENURE_H
#define COORD_GROUP_TENURE_H

#include "coord/group_shard.h"
#include "coord/tenure.h"

struct group_tenure {
	struct tenure tenure;
	struct group_shard shard;
};

/* A tenure of partition, as tenure_init says.  common outlives it. */
struct group_tenure *group_tenure_new(const struct group_common *common,
    struct partition *partition, struct loop *loop, int32_t leader);

static inline struct group_tenure *
group_tenure_of(struct tenure *tenure)
{
	return CONTAINER_OF(tenure, struct group_tenure, tenure);
}

static inline void
group_tenure_unref(struct group_tenure *tenure)
{
	tenure_unref(&tenure->tenure);
}

#endif
