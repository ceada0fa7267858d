/*
 * Long poll: a fetch that waits for data, or until its time is over.
 *
 * It is parked on each partition that it reads.  Whoever moves a high
 * watermark adds what has become readable there to the poll's sum, and posts
 * the poll's wakeup to its loop once the sum has reached what the fetch asked
 * for; a partition that changes its leader, fails or goes away posts it at
 * once.  Nothing is scanned but the polls of that one partition.
 *
 * Thread: everything is called on the poll's loop but long_poll_advance and
 * long_poll_interrupt, which run under a partition's lock on any thread, and
 * long_poll_fire.
 *
 * Life: long_poll_init, long_poll_add for each partition, long_poll_park.
 * Then long_poll_claim succeeds for exactly one of: the wakeup's task (which
 * has it already), the timer, the cancelled connection.  Whoever has it calls
 * long_poll_unpark, after which no other thread touches the poll.
 */
#ifndef BROKER_LONG_POLL_H
#define BROKER_LONG_POLL_H

#include "base/base.h"
#include "base/list.h"
#include "broker/partition.h"
#include "broker/wakeup.h"

#include <stdatomic.h>

struct long_poll;

/* One partition of a poll. */
struct long_poll_part {
	struct list_node node;		/* guarded by the partition's lock */
	struct long_poll *poll;
	struct partition *partition;	/* referenced */
	/* guarded by the partition's lock */
	struct partition_seen seen;
	int64_t room_bytes;		/* what may still count */
};

struct long_poll {
	struct wakeup wakeup;
	atomic_int state;
	atomic_llong missing_bytes;
	/* loop-local */
	struct long_poll_part *parts;	/* the caller's memory */
	int32_t parts_count;
	int32_t parts_max;
};

/*
 * parts has room for parts_max.  missing_bytes, more than 0, is what must
 * become readable before run is called on loop.
 */
void long_poll_init(struct long_poll *poll, struct loop *loop,
    void (*run)(struct task *task), struct long_poll_part *parts,
    int32_t parts_max, int64_t missing_bytes);

/*
 * Add a partition, which the poll references until long_poll_unpark.  seen
 * comes from the read (struct partition_read), and room_bytes is how much more
 * of this partition counts: what the fetch may have of it less what it would
 * get now.
 */
void long_poll_add(struct long_poll *poll, struct partition *partition,
    struct partition_seen seen, int64_t room_bytes);

/*
 * Park on all partitions.  What became readable since the reads counts, so the
 * wakeup may be posted before this returns.
 */
void long_poll_park(struct long_poll *poll);

/* True for the one who may end the poll: not when its task was posted. */
bool long_poll_claim(struct long_poll *poll);

/* Leave all partitions and drop their references. */
void long_poll_unpark(struct long_poll *poll);

/*
 * The partition's high watermark has moved, or waiting there makes no sense
 * any more: collect the wakeups of polls that are done.  Lock held.
 */
void long_poll_advance(struct partition *partition, struct list *fired);
void long_poll_interrupt(struct partition *partition, struct list *fired);

/*
 * Something else that the poll waits for has come: collect its wakeup, unless
 * it is claimed already.  Any thread; the poll cannot be unparked meanwhile,
 * because whoever unparks it takes a lock that the caller holds.
 */
void long_poll_fire(struct long_poll *poll, struct list *fired);

#endif
