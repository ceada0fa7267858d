/*
 * The partitions of a transaction: topics in order of their names, each with
 * its indexes in order.  It takes about as much memory as its record does.
 */
#ifndef COORD_TXN_PARTITIONS_H
#define COORD_TXN_PARTITIONS_H

#include "base/base.h"

struct txn_topic {
	struct slice name;	/* owned */
	int32_t *indexes;	/* owned */
	int32_t count;		/* above 0 */
	int32_t capacity;
};

struct txn_partitions {
	struct txn_topic *topics; /* owned */
	int32_t count;
	size_t total;		/* of partitions */
	size_t bytes;		/* about what all of it takes */
};

void txn_partitions_init(struct txn_partitions *set);
void txn_partitions_fini(struct txn_partitions *set);

/* Make copy, which is not initialized, the same as set. */
void txn_partitions_copy(
    struct txn_partitions *copy, const struct txn_partitions *set);

bool txn_partitions_has(const struct txn_partitions *set, struct slice topic,
    int32_t index);

/* Add one; the name is copied. */
void txn_partitions_add(
    struct txn_partitions *set, struct slice topic, int32_t index);

#endif
