#include "coord/group_tenure.h"

static void
release(struct tenure *base)
{
	struct group_tenure *tenure = group_tenure_of(base);

	group_shard_fini(&tenure->shard);
	tenure_fini(base);
	free(tenure);
}

struct group_tenure *
group_tenure_new(const struct group_common *common,
    struct partition *partition, struct loop *loop, int32_t leader)
{
	struct group_tenure *tenure = xcalloc(1, sizeof(*tenure));

	tenure->tenure.release = release;
	group_shard_init(&tenure->shard, common, &tenure->tenure.host.host,
	    partition_index(partition));
	tenure_init(
	    &tenure->tenure, &tenure->shard.shard, partition, loop, leader);
	return tenure;
}
