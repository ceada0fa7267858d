/*
 * What a broker has promised about the records of a test, and what it was
 * asked for: the ledger that it is held to after a fault.
 *
 * Each partition is written by one idempotent producer and nothing else, so
 * the sequence of a record is its offset, and what stands at an offset is
 * known before anyone has written it.  A record that is lost, comes twice, or
 * moves puts another value than expected at some offset.
 *
 * The fields of a partition belong to the thread that its comment names; who
 * else looks at them has joined that thread.
 */
#ifndef FAULTS_LEDGER_H
#define FAULTS_LEDGER_H

#include <stdatomic.h>

#include "base/base.h"

struct raw_client;

#define LEDGER_TOPICS 3
#define LEDGER_VALUE_MAX 4096

struct ledger_partition {
	int64_t sent;		/* the producer's: records that it has sent */
	int64_t acked;		/* the producer's: it was told are there */
	int64_t seen;		/* the reader's: the highest high watermark */
};

struct ledger_topic {
	const char *name;
	int32_t index;		/* in the ledger */
	int32_t partitions_count;
	size_t value_max;	/* bytes of a record's value */
	struct ledger_partition *partitions;
};

struct ledger {
	uint64_t seed;
	struct ledger_topic topics[LEDGER_TOPICS];
	atomic_llong acked_records;	/* since ledger_init */
};

/* So many partitions in all; the topics are not created here. */
void ledger_init(struct ledger *ledger, uint64_t seed,
    int32_t partitions_count);
void ledger_fini(struct ledger *ledger);

/* Create the topics; there are none yet. */
void ledger_create_topics(const struct ledger *ledger,
    struct raw_client *client);

/*
 * The value of the record at an offset, in the caller's buffer of
 * LEDGER_VALUE_MAX bytes.
 */
struct slice ledger_value(const struct ledger *ledger,
    const struct ledger_topic *topic, int32_t partition, int64_t offset,
    uint8_t *buffer);

/* Fails the test where another value stands at the offset. */
void ledger_check(const struct ledger *ledger,
    const struct ledger_topic *topic, int32_t partition, int64_t offset,
    struct slice value);

/*
 * Hold a broker that has just started to the ledger: all ends are between what
 * was promised and what was sent, and all records from the offset that is in
 * `from` for each partition of each topic on are as expected.  What is there
 * now is promised from now on.  from is moved to the ends; the result is the
 * number of records that were looked at.  A partition that a start on a full
 * disk could not load may be offline for as long as it is full.
 */
int64_t ledger_audit(struct ledger *ledger, struct raw_client *client,
    int64_t *from[LEDGER_TOPICS], bool disk_full);

#endif
