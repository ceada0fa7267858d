#include "coord/txn_tenure.h"

static void
release(struct tenure *base)
{
	struct txn_tenure *tenure = txn_tenure_of(base);

	txn_shard_fini(&tenure->shard);
	tenure_fini(base);
	free(tenure);
}

/* The last ending that uses the shard closes the tenure (idle). */
static void
sender_closed(struct txn_sender *sender)
{
	txn_shard_release(
	    &CONTAINER_OF(sender, struct txn_tenure, sender)->shard);
}

static void
resigned(struct tenure *base)
{
	txn_sender_close(&txn_tenure_of(base)->sender, sender_closed);
}

struct txn_tenure *
txn_tenure_new(struct txn_environment *environment,
    const struct shard_settings *shard_settings,
    const struct txn_sender_services *services, struct partition *partition,
    struct loop *loop, int32_t leader)
{
	struct txn_tenure *tenure = xcalloc(1, sizeof(*tenure));

	tenure->tenure.release = release;
	tenure->tenure.resigned = resigned;
	txn_shard_init(&tenure->shard, environment, shard_settings,
	    &tenure->tenure.host.host, partition_index(partition));
	txn_sender_init(&tenure->sender, services, loop);
	tenure_init(
	    &tenure->tenure, &tenure->shard.shard, partition, loop, leader);
	return tenure;
}
