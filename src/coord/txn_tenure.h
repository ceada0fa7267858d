/*
 * A tenure of a partition of __transaction_state: see tenure.h.
 *
 * Thread: any.
 */
#ifndef COORD_TXN_TENURE_H
#define COORD_TXN_TENURE_H

#include "coord/tenure.h"
#include "coord/txn_sender.h"
#include "coord/txn_shard.h"

struct txn_tenure {
	struct tenure tenure;
	struct txn_shard shard;
	struct txn_sender sender;
};

/*
 * A tenure of partition, as tenure_init says.  The environment, settings and
 * services outlive it.
 */
struct txn_tenure *txn_tenure_new(struct txn_environment *environment,
    const struct shard_settings *shard_settings,
    const struct txn_sender_services *services, struct partition *partition,
    struct loop *loop, int32_t leader);

static inline struct txn_tenure *
txn_tenure_of(struct tenure *tenure)
{
	return CONTAINER_OF(tenure, struct txn_tenure, tenure);
}

static inline struct txn_tenure *
txn_tenure_of_shard(struct txn_shard *shard)
{
	return CONTAINER_OF(shard, struct txn_tenure, shard);
}

#endif
