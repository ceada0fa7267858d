#include "bench/histogram.h"

#include <stdio.h>

/* Values below two rows of steps stand for themselves. */
static size_t
step_of(uint64_t ns)
{
	int shift;

	if (ns < (uint64_t)2 * HISTOGRAM_STEPS)
		return (size_t)ns;
	shift = 63 - __builtin_clzll(ns) - 7;
	return (size_t)shift * HISTOGRAM_STEPS + (size_t)(ns >> shift);
}

static double
step_us(size_t step)
{
	size_t shift;

	if (step < (size_t)2 * HISTOGRAM_STEPS)
		return (double)step / 1e3;
	shift = step / HISTOGRAM_STEPS - 1;
	return (double)((step - shift * HISTOGRAM_STEPS) << shift) / 1e3;
}

void
histogram_add(struct histogram *histogram, uint64_t ns)
{
	histogram->steps[MIN(step_of(ns), COUNT_OF(histogram->steps) - 1)]++;
	histogram->count++;
	histogram->max_ns = MAX(histogram->max_ns, ns);
}

double
histogram_us(const struct histogram *histogram, double part)
{
	uint64_t rank = (uint64_t)(part * (double)histogram->count);
	uint64_t seen = 0;

	for (size_t i = 0; i < COUNT_OF(histogram->steps); i++) {
		seen += histogram->steps[i];
		if (seen > rank)
			return step_us(i);
	}
	return (double)histogram->max_ns / 1e3;
}

void
histogram_print(const struct histogram *histogram, const char *name)
{
	if (histogram->count == 0)
		return;
	printf(",\"%s_us\":{\"p50\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,"
	       "\"max\":%.1f}",
	    name, histogram_us(histogram, 0.5), histogram_us(histogram, 0.99),
	    histogram_us(histogram, 0.999), (double)histogram->max_ns / 1e3);
}
