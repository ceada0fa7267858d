/*
 * Counter: a number that one thread adds to and any thread may read.
 *
 * There is one writer, so adding needs no locked instruction.  A reader sees
 * each counter as it was at some recent moment, and several of them not
 * necessarily at the same one.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>

#include "base/base.h"

struct counter {
	_Atomic uint64_t value;
};

/* Add n.  The counter's own thread only. */
static inline void
counter_add(struct counter *counter, uint64_t n)
{
	uint64_t value =
	    atomic_load_explicit(&counter->value, memory_order_relaxed);

	atomic_store_explicit(&counter->value, value + n,
	    memory_order_relaxed);
}

/* What has been added so far.  Any thread. */
static inline uint64_t
counter_get(const struct counter *counter)
{
	return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

#endif
