/*
 * What a share partition consists of, for its own files: share_partition.c,
 * what it is and how changes end; share_partition_acquire.c;
 * share_partition_acknowledge.c.
 */
#ifndef BROKER_SHARE_PARTITION_INNER_H
#define BROKER_SHARE_PARTITION_INNER_H

#include "broker/share_members.h"
#include "broker/share_partition.h"
#include "broker/share_runs.h"

struct share_partition {
	struct share_runs runs;
	struct share_runs next; /* where a change is worked out */
	int64_t start_offset;
	int64_t end_offset;
	uint64_t changes; /* the last one's id */
	struct share_members members;
};

/* How many records from the start to the end. */
int64_t share_partition_in_flight(const struct share_partition *partition);

/* Begin to work out what comes next. */
struct share_runs *share_partition_next_begin(
    struct share_partition *partition);

/* It takes the place of what stood. */
void share_partition_next_take(struct share_partition *partition);

/* The start goes behind the records that need no more delivery. */
void share_partition_start_advance(struct share_partition *partition);

/* The records of run have to be persisted as they are there. */
void share_partition_change_add(
    struct share_partition_change *change, const struct share_run *run);

/* What has to be persisted, if anything, goes by the state that stands now. */
void share_partition_change_seal(const struct share_partition *partition,
    struct share_partition_change *change);

#endif
