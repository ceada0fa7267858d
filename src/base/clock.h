/*
 * The only door to the clock, and a seam: tests install a clock of their own
 * and step it.
 *
 * Timers and deadlines run on the monotonic clock only; the wall clock only
 * stamps records.  Reading is thread-safe; installing a clock is not, and
 * happens before threads start.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/base.h"

struct clock_source {
	int64_t (*wall_ms)(void *context);
	int64_t (*monotonic_us)(void *context);
	void *context;
};

/* Milliseconds since 1970 UTC. */
int64_t clock_wall_ms(void);

/* Micro- and milliseconds since some fixed moment; never goes back. */
int64_t clock_monotonic_us(void);
int64_t clock_monotonic_ms(void);

/* Microseconds of CPU time that the calling thread has had; no seam. */
int64_t clock_thread_cpu_us(void);

/* Put source in the clock's place; NULL puts the system's clock back. */
void clock_install(const struct clock_source *source);

#endif
