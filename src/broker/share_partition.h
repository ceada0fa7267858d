/*
 * Share partition: which records of one partition a share group has handed
 * out, to whom, how often, and what became of them (KIP-932, SharePartition
 * of Kafka).
 *
 * Records from start_offset on are in flight until they are acknowledged or
 * archived; what follows end_offset has not been looked at.  Records that
 * were acquired together are a batch, which is one run of equal records until
 * parts of it go different ways.
 *
 * Every change is worked out beside the state that stands, and takes its
 * place as a whole or not at all.  An acknowledgement or a release is a change
 * under way until it was persisted: its records belong to nobody meanwhile,
 * and share_partition_complete settles it, or takes it back.
 *
 * Memory: a run for each stretch of records that differs from the next one,
 * so never more than there are records in flight; those are limited by
 * locks_max and the record batch that passes it.
 *
 * Nothing here does I/O, takes a lock or looks at a clock: the caller sees to
 * it that one thread at a time is in a share partition, and says what time it
 * is (clock_monotonic_ms).
 */
#ifndef BROKER_SHARE_PARTITION_H
#define BROKER_SHARE_PARTITION_H

#include "base/base.h"
#include "wire/error.h"

struct share_partition;

/* RecordState of Kafka; the numbers are persisted. */
enum share_partition_record {
	SHARE_PARTITION_AVAILABLE = 0,
	SHARE_PARTITION_ACQUIRED = 1,
	SHARE_PARTITION_ACKNOWLEDGED = 2,
	SHARE_PARTITION_ARCHIVED = 4,
};

/* The types of an acknowledgement, as the protocol has them. */
enum share_partition_ack_type {
	SHARE_PARTITION_GAP = 0,
	SHARE_PARTITION_ACCEPT = 1,
	SHARE_PARTITION_RELEASE = 2,
	SHARE_PARTITION_REJECT = 3,
	SHARE_PARTITION_RENEW = 4,
};

/* What the group allows, as it is configured now. */
struct share_partition_limits {
	int32_t deliveries_max;		/* share.delivery.count.limit */
	int32_t locks_max;		/* share.partition.max.record.locks */
	int32_t lock_ms;		/* share.record.lock.duration.ms */
	bool renewable;			/* share.renew.acknowledge.enable */
};

/* Records of one state, as they are persisted. */
struct share_partition_state {
	int64_t first_offset;
	int64_t last_offset;
	enum share_partition_record state;
	int16_t delivery_count;
};

/* A record batch of the log. */
struct share_partition_batch {
	int64_t base_offset;
	int64_t last_offset;
	bool aborted;		/* of a transaction that was aborted */
};

/* Records that were acquired together. */
struct share_partition_range {
	int64_t first_offset;
	int64_t last_offset;
	int16_t delivery_count;
};

struct share_partition_acquire {
	/* in */
	struct slice member;
	bool exact;		/* records_max is never passed */
	int32_t batch_size;	/* no range goes on beyond so many records */
	int32_t records_max;
	int64_t fetch_offset;	/* where batches were read from */
	const struct share_partition_batch *batches; /* ascending */
	size_t batches_count;
	int64_t now_ms;
	/* out: owned by the caller (free); ascending */
	struct share_partition_range *ranges;
	size_t ranges_count;
	int64_t records;	/* in all ranges */
};

/* Part of an acknowledgement. */
struct share_partition_ack {
	int64_t first_offset;
	int64_t last_offset;	/* first_offset or above */
	const int8_t *types;	/* one for all, or one for each */
	int32_t types_count;
};

/*
 * What a change has to persist.  A fresh one is zeroed;
 * share_partition_change_fini frees what it holds.
 */
struct share_partition_change {
	uint64_t id;		/* 0: there is nothing to complete */
	int64_t start_offset;
	int32_t delivery_complete_count;
	struct share_partition_state *states; /* ascending */
	size_t states_count;	/* 0: nothing to persist */
	size_t states_capacity;
};

void share_partition_change_fini(struct share_partition_change *change);

/* One in which nothing is in flight, to be loaded before it is used. */
struct share_partition *share_partition_new(void);
void share_partition_free(struct share_partition *partition);

/*
 * Begin at start_offset with what was persisted.  Records between the states
 * were never persisted, so they are available, as if never delivered.  -1
 * where they cannot be: not ascending, of an unknown state, or beyond what
 * offsets and counts may be.
 */
int share_partition_load(struct share_partition *partition,
    int64_t start_offset, const struct share_partition_state *states,
    size_t count) WARN_UNUSED;

int64_t share_partition_start_offset(const struct share_partition *partition);
int64_t share_partition_end_offset(const struct share_partition *partition);

/* How many records in flight need no more delivery. */
int32_t share_partition_complete_count(
    const struct share_partition *partition);

/* Is there a record in flight that nobody has? */
bool share_partition_has_available(const struct share_partition *partition);

/* Where to read from: the first available record, or behind all of them. */
int64_t share_partition_next_offset(const struct share_partition *partition);

/* Is there a record to acquire, or room for a new one? */
bool share_partition_can_acquire(const struct share_partition *partition,
    const struct share_partition_limits *limits);

/*
 * Acquire for a member what is available of the records that were read, and
 * new ones as far as locks_max allows.  Record batches are not torn apart,
 * unless the acquisition is exact, the batch was torn before, or its records
 * failed so often that they are handed out in small parts, at last alone.
 * What the log no longer has between fetch_offset and the first batch, and
 * batches that are aborted, are archived.  Where that moves the start it moves
 * at once, unlike in Kafka, where such records take room from others until the
 * next change: a start that is told may be further on than Kafka's, the lag is
 * the same.  Markers are acquired as records are; clients acknowledge them as
 * gaps.  A lock ends lock_ms after now_ms.
 */
void share_partition_acquire(struct share_partition *partition,
    const struct share_partition_limits *limits,
    struct share_partition_acquire *acquire);

/*
 * A member tells what became of records.  Offsets below the start are
 * ignored.  Errors, with which nothing has changed: KP_INVALID_RECORD_STATE
 * where a record is not that member's or has a change under way, or is
 * renewed where that is not allowed; KP_INVALID_REQUEST where a range goes
 * beyond what is in flight.
 */
enum kp_error share_partition_acknowledge(struct share_partition *partition,
    const struct share_partition_limits *limits, struct slice member,
    const struct share_partition_ack *acks, size_t count, int64_t now_ms,
    struct share_partition_change *change) WARN_UNUSED;

/* A member goes: what it had acquired becomes available. */
void share_partition_release(struct share_partition *partition,
    const struct share_partition_limits *limits, struct slice member,
    struct share_partition_change *change);

/*
 * Locks that are over at now_ms end, at once: the change is persisted as well
 * as may be, and there is nothing to complete.
 */
void share_partition_expire(struct share_partition *partition,
    const struct share_partition_limits *limits, int64_t now_ms,
    struct share_partition_change *change);

/* When the next lock ends, INT64_MAX where none does. */
int64_t share_partition_next_deadline(
    const struct share_partition *partition);

/*
 * The change was persisted, or could not be: then its records are acquired as
 * before, and those whose lock is over meanwhile become available.
 */
void share_partition_complete(struct share_partition *partition,
    const struct share_partition_limits *limits, uint64_t change,
    bool persisted, int64_t now_ms);

/* The log begins at offset now, which may be further on than the start. */
void share_partition_log_start(struct share_partition *partition,
    int64_t offset);

#endif
