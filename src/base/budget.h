/*
 * Budget: a bound on the memory that peers can make us hold.
 *
 * Whoever needs memory whose size comes from outside takes it here first and
 * gives it back when it is freed.  Any thread.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdatomic.h>

#include "base/base.h"

struct budget {
	_Atomic size_t used;	/* above max only after budget_force */
	size_t max;		/* immutable */
};

static inline void
budget_init(struct budget *budget, size_t max)
{
	atomic_init(&budget->used, 0);
	budget->max = max;
}

/* Take size bytes; false, and nothing is taken, where they are not left. */
static inline bool WARN_UNUSED
budget_take(struct budget *budget, size_t size)
{
	size_t used =
	    atomic_load_explicit(&budget->used, memory_order_relaxed);

	do {
		if (used > budget->max || size > budget->max - used)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&budget->used, &used,
	    used + size, memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* Take size bytes even where that passes the maximum. */
static inline void
budget_force(struct budget *budget, size_t size)
{
	atomic_fetch_add_explicit(&budget->used, size, memory_order_relaxed);
}

/* Give back size bytes that were taken. */
static inline void
budget_give(struct budget *budget, size_t size)
{
	size_t used = atomic_fetch_sub_explicit(&budget->used, size,
	    memory_order_relaxed);

	assert(used >= size);
}

/*
 * Has so much been forced that nothing new may begin?  A quarter beyond the
 * maximum is for what is small, which goes on while what is large waits.
 */
static inline bool
budget_overspent(const struct budget *budget)
{
	return atomic_load_explicit(&budget->used, memory_order_relaxed) >
	    budget->max + budget->max / 4;
}

/* The bytes that are left at the moment. */
static inline size_t
budget_left(const struct budget *budget)
{
	size_t used =
	    atomic_load_explicit(&budget->used, memory_order_relaxed);

	return used < budget->max ? budget->max - used : 0;
}

#endif
