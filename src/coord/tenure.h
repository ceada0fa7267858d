/*
 * Tenure: the time for which one of this process's nodes leads a partition of
 * an internal topic, with the shard that serves it and the shard's host.
 *
 * A kind of coordinator embeds it beside its shard.  Whoever works with the
 * shard holds a reference.  When the leadership ends the tenure does: a later
 * one has a shard of its own, so nothing that was under way in the old one is
 * taken for the new one's.
 *
 * Thread: any.
 */
#ifndef COORD_TENURE_H
#define COORD_TENURE_H

#include "base/base.h"
#include "coord/partition_host.h"
#include "coord/shard.h"

#include <stdatomic.h>

struct tenure {
	/* immutable */
	int32_t leader;			/* the node that leads */
	struct shard *shard;		/* of the one that embeds this */
	/* Nobody has a reference any more: free what embeds this. */
	void (*release)(struct tenure *tenure);
	/*
	 * The shard has resigned: end what else uses the tenure, and then call
	 * tenure_close, now or later.  NULL: there is nothing else.
	 */
	void (*resigned)(struct tenure *tenure);
	/* set by tenure_end */
	void (*ended)(void *context);
	void *context;
	/* atomic */
	atomic_int refs;
	/* as its header says */
	struct partition_host host;
};

/*
 * A tenure of partition, whose reference is taken over, with leader as its
 * leader and loop for its timers.  The shard is made by the caller, with
 * &tenure->host.host for its host.  One reference is the caller's, to be given
 * to tenure_end.
 */
void tenure_init(struct tenure *tenure, struct shard *shard,
    struct partition *partition, struct loop *loop, int32_t leader);

/* For release, after the shard. */
void tenure_fini(struct tenure *tenure);

void tenure_ref(struct tenure *tenure);
void tenure_unref(struct tenure *tenure);

/*
 * Everybody is answered NOT_COORDINATOR when this returns.  ended is called
 * on the loop once the partition has been given back; the caller's reference
 * goes with it.
 */
void tenure_end(struct tenure *tenure, void (*ended)(void *context),
    void *context);

/* For resigned: give the partition back.  Any thread. */
void tenure_close(struct tenure *tenure);

#endif
