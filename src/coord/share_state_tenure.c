#include "coord/share_state_tenure.h"

static void
release(struct tenure *base)
{
	struct share_state_tenure *tenure = share_state_tenure_of(base);

	share_state_shard_fini(&tenure->shard);
	tenure_fini(base);
	free(tenure);
}

struct share_state_tenure *
share_state_tenure_new(struct share_state_environment *environment,
    const struct shard_settings *shard_settings, struct partition *partition,
    struct loop *loop, int32_t leader)
{
	struct share_state_tenure *tenure = xcalloc(1, sizeof(*tenure));

	tenure->tenure.release = release;
	share_state_shard_init(&tenure->shard, environment, shard_settings,
	    &tenure->tenure.host.host, partition_index(partition));
	tenure_init(
	    &tenure->tenure, &tenure->shard.shard, partition, loop, leader);
	return tenure;
}
