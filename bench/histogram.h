/*
 * Latencies, counted in steps of less than one percent.
 *
 * 128 steps to a doubling, from a nanosecond up, so that a histogram of
 * hundreds of millions of samples takes 64 KiB and adding costs a few
 * nanoseconds.  One owner; nothing here fails.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include "base/base.h"

#define HISTOGRAM_STEPS 128

struct histogram {
	uint64_t count;
	uint64_t max_ns;
	uint64_t steps[58 * HISTOGRAM_STEPS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/* The latency, in microseconds, that this part (0 to 1) stays within. */
double histogram_us(const struct histogram *histogram, double part);

/* Print `,"NAME_us":{"p50":…,"p99":…,"p99.9":…,"max":…}`. */
void histogram_print(const struct histogram *histogram, const char *name);

#endif
