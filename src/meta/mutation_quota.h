/*
 * Mutation quota: how many partitions the client of an operation may still
 * create and delete, seen from below.  What it is, is decided in a layer above;
 * operations of the controller ask at the right place in the order of their
 * checks.
 *
 * Called on the controller's thread; it does not block.
 */
#ifndef META_MUTATION_QUOTA_H
#define META_MUTATION_QUOTA_H

#include "base/base.h"

struct mutation_quota {
	/* The operation begins, perhaps again: what it spent is given back. */
	void (*begin)(struct mutation_quota *quota);
	/* So many partitions.  False: it may not, and nothing is spent. */
	bool (*spend)(struct mutation_quota *quota, int64_t partitions);
};

/* NULL: nobody counts. */
static inline void
mutation_quota_begin(struct mutation_quota *quota)
{
	if (quota != NULL)
		quota->begin(quota);
}

static inline bool
mutation_quota_spend(struct mutation_quota *quota, int64_t partitions)
{
	return quota == NULL || quota->spend(quota, partitions);
}

#endif
