#include "coord/tenure.h"

void
tenure_init(struct tenure *tenure, struct shard *shard,
    struct partition *partition, struct loop *loop, int32_t leader)
{
	tenure->leader = leader;
	tenure->shard = shard;
	atomic_init(&tenure->refs, 1);
	partition_host_init(&tenure->host, partition, loop, shard);
}

void
tenure_fini(struct tenure *tenure)
{
	partition_host_fini(&tenure->host);
}

void
tenure_ref(struct tenure *tenure)
{
	atomic_fetch_add(&tenure->refs, 1);
}

void
tenure_unref(struct tenure *tenure)
{
	int refs = atomic_fetch_sub(&tenure->refs, 1);

	assert(refs > 0);
	if (refs == 1)
		tenure->release(tenure);
}

static void
host_closed(struct partition_host *host)
{
	struct tenure *tenure = CONTAINER_OF(host, struct tenure, host);
	void (*ended)(void *context) = tenure->ended;
	void *context = tenure->context;

	tenure_unref(tenure);
	ended(context);
}

void
tenure_close(struct tenure *tenure)
{
	partition_host_close(&tenure->host, host_closed);
}

void
tenure_end(struct tenure *tenure, void (*ended)(void *context), void *context)
{
	shard_resign(tenure->shard);
	tenure->ended = ended;
	tenure->context = context;
	if (tenure->resigned != NULL)
		tenure->resigned(tenure);
	else
		tenure_close(tenure);
}
