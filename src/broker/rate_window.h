/*
 * Rate window: how much a second, over the last windows of time (Rate over
 * SampledStat of Kafka, number for number).
 *
 * What is recorded goes into samples.  One collects for a window from its
 * first record on; a sample that nothing has been recorded in for as long as
 * all windows together is empty again.  The rate is the sum of the samples
 * over the time since the oldest of them began, and where fewer than all but
 * one windows have passed since, the others count as passed: so whoever was
 * idle may take as much at once as in all but one windows.
 *
 * Times are in milliseconds of one clock that does not go back.  Not
 * thread-safe.
 */
#ifndef BROKER_RATE_WINDOW_H
#define BROKER_RATE_WINDOW_H

#include "base/base.h"

/* quota.window.num and quota.window.size.seconds of Kafka. */
struct rate_window_size {
	int32_t count;
	int64_t length_ms;
};

struct rate_sample {
	int64_t begun_ms;
	int64_t recorded_ms;
	double value;
};

struct rate_window {
	struct rate_sample *samples; /* owned; as many as were needed so far */
	int32_t samples_count;
	int32_t current;
};

void rate_window_init(struct rate_window *window);
void rate_window_fini(struct rate_window *window);

/* Add value, which may be negative: something is taken back. */
void rate_window_record(struct rate_window *window,
    const struct rate_window_size *size, double value, int64_t now_ms);

/* The time that the rate is an average over; above 0. */
int64_t rate_window_elapsed_ms(struct rate_window *window,
    const struct rate_window_size *size, int64_t now_ms);

/* How much a second. */
double rate_window_rate(struct rate_window *window,
    const struct rate_window_size *size, int64_t now_ms);

/*
 * How long the rate takes to come down to quota, in whole milliseconds; 0
 * where it is not above it.  A quota that is no number is never passed.
 */
int64_t rate_window_throttle_ms(struct rate_window *window,
    const struct rate_window_size *size, double quota, int64_t now_ms);

/* Milliseconds out of a computation: rounded as by Java, within bounds. */
int64_t rate_window_round_ms(double ms);

#endif
