/*
 * A tenure of a partition of __share_group_state: see tenure.h.
 *
 * Thread: any.
 */
#ifndef COORD_SHARE_STATE_TENURE_H
#define COORD_SHARE_STATE_TENURE_H

#include "coord/share_state_shard.h"
#include "coord/tenure.h"

struct share_state_tenure {
	struct tenure tenure;
	struct share_state_shard shard;
};

/*
 * A tenure of partition, as tenure_init says.  The environment and settings
 * outlive it.
 */
struct share_state_tenure *share_state_tenure_new(
    struct share_state_environment *environment,
    const struct shard_settings *shard_settings, struct partition *partition,
    struct loop *loop, int32_t leader);

static inline struct share_state_tenure *
share_state_tenure_of(struct tenure *tenure)
{
	return CONTAINER_OF(tenure, struct share_state_tenure, tenure);
}

#endif
