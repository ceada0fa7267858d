/*
 * Partition host: a shard's host on a partition of this process.
 *
 * The shard appends to the partition and reads it back; its watch is a waiter
 * on the partition's high watermark, and its wake-ups are a timer on one
 * loop, on which shard_advance and shard_tick are called.  Appends and reads
 * go to the partition whichever of the process's nodes leads it: the owner
 * resigns the shard when none does.
 *
 * Life: partition_host_init, then the shard works, then shard_resign, then
 * partition_host_close, whose end is told.  A watch that comes too late, from
 * a thread that was just leaving the shard, is ignored; a read that does is
 * refused, and one that is under way is waited for.
 */
#ifndef COORD_PARTITION_HOST_H
#define COORD_PARTITION_HOST_H

#include "base/base.h"
#include "base/task.h"
#include "broker/partition.h"
#include "coord/shard_host.h"
#include "net/timer.h"

#include <pthread.h>

struct loop;
struct shard;

struct partition_host {
	struct shard_host host;

	/* immutable */
	struct shard *shard;
	struct partition *partition;	/* referenced */
	struct loop *loop;
	void (*closed)(struct partition_host *host);

	/* guarded by mutex, which is taken before the partition's lock */
	pthread_mutex_t mutex;
	bool closing;
	bool watching;			/* the waiter waits or is posted */
	bool waking;			/* wake_task is posted */
	int reads_count;		/* that are under way */

	/* loop-local */
	struct hw_waiter waiter;
	struct task wake_task;
	struct task close_task;
	struct timer timer;
};

/*
 * A host for shard, which is given &host->host.  The reference to partition
 * is taken over.  The loop runs until closed has been called.
 */
void partition_host_init(struct partition_host *host,
    struct partition *partition, struct loop *loop, struct shard *shard);

/*
 * After the shard has resigned: stop waiting and give the partition back.
 * closed is called on the loop when nothing will be called on the host's
 * account any more; it may free it.  Any thread, once.
 */
void partition_host_close(struct partition_host *host,
    void (*closed)(struct partition_host *host));

/* Closed, or never used: then the partition is given back here. */
void partition_host_fini(struct partition_host *host);

#endif
