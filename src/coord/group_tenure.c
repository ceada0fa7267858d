#include "coord/group_tenure.h"

struct group_tenure *
group_tenure_new(const struct group_settings *settings,
    const struct shard_settings *shard_settings, struct budget *memory,
    struct partition *partition, struct loop *loop, int32_t leader)
{
	struct group_tenure *tenure = xcalloc(1, sizeof(*tenure));

	tenure->leader = leader;
	atomic_init(&tenure->refs, 1);
	group_shard_init(&tenure->shard, settings, shard_settings, memory,
	    &tenure->host.host, partition_index(partition));
	partition_host_init(
	    &tenure->host, partition, loop, &tenure->shard.shard);
	return tenure;
}

void
group_tenure_ref(struct group_tenure *tenure)
{
	atomic_fetch_add(&tenure->refs, 1);
}

void
group_tenure_unref(struct group_tenure *tenure)
{
	int refs = atomic_fetch_sub(&tenure->refs, 1);

	assert(refs > 0);
	if (refs > 1)
		return;
	group_shard_fini(&tenure->shard);
	partition_host_fini(&tenure->host);
	free(tenure);
}

static void
host_closed(struct partition_host *host)
{
	struct group_tenure *tenure =
	    CONTAINER_OF(host, struct group_tenure, host);
	void (*ended)(void *context) = tenure->ended;
	void *context = tenure->context;

	group_tenure_unref(tenure);
	ended(context);
}

void
group_tenure_end(
    struct group_tenure *tenure, void (*ended)(void *context), void *context)
{
	shard_resign(&tenure->shard.shard);
	tenure->ended = ended;
	tenure->context = context;
	partition_host_close(&tenure->host, host_closed);
}
