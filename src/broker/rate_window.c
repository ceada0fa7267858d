#include "broker/rate_window.h"

#include <math.h>

void
rate_window_init(struct rate_window *window)
{
	*window = (struct rate_window){ .samples = NULL };
}

void
rate_window_fini(struct rate_window *window)
{
	free(window->samples);
	rate_window_init(window);
}

static struct rate_sample *
sample_begin(struct rate_window *window, int32_t at, int64_t now_ms)
{
	assert(at <= window->samples_count);
	if (at == window->samples_count) {
		window->samples = xrealloc(window->samples,
		    ((size_t)at + 1) * sizeof(*window->samples));
		window->samples_count++;
	}
	window->samples[at] = (struct rate_sample){
		.begun_ms = now_ms,
		.recorded_ms = now_ms,
	};
	return &window->samples[at];
}

static struct rate_sample *
sample_current(struct rate_window *window, int64_t now_ms)
{
	return window->samples_count == 0 ? sample_begin(window, 0, now_ms) :
					    &window->samples[window->current];
}

void
rate_window_record(struct rate_window *window,
    const struct rate_window_size *size, double value, int64_t now_ms)
{
	struct rate_sample *sample = sample_current(window, now_ms);

	if (now_ms - sample->begun_ms >= size->length_ms) {
		/* One more than windows: the current one is not full yet. */
		window->current = window->current >= size->count ?
		    0 :
		    window->current + 1;
		sample = sample_begin(window, window->current, now_ms);
	}
	sample->value += value;
	sample->recorded_ms = now_ms;
}

static void
purge(struct rate_window *window, const struct rate_window_size *size,
    int64_t now_ms)
{
	int64_t age_ms = size->count * size->length_ms;

	for (int32_t i = 0; i < window->samples_count; i++)
		if (now_ms - window->samples[i].recorded_ms >= age_ms)
			(void)sample_begin(window, i, now_ms);
}

static int64_t
oldest_ms(struct rate_window *window, int64_t now_ms)
{
	int64_t oldest = sample_current(window, now_ms)->begun_ms;

	for (int32_t i = 0; i < window->samples_count; i++)
		oldest = MIN(oldest, window->samples[i].begun_ms);
	return oldest;
}

int64_t
rate_window_elapsed_ms(struct rate_window *window,
    const struct rate_window_size *size, int64_t now_ms)
{
	int64_t elapsed_ms, full, full_min = size->count - 1;

	purge(window, size, now_ms);
	elapsed_ms = now_ms - oldest_ms(window, now_ms);
	full = elapsed_ms / size->length_ms;
	if (full < full_min)
		elapsed_ms += (full_min - full) * size->length_ms;
	return MAX(elapsed_ms, 1);
}

double
rate_window_rate(struct rate_window *window,
    const struct rate_window_size *size, int64_t now_ms)
{
	double elapsed_ms =
	    (double)rate_window_elapsed_ms(window, size, now_ms);
	double sum = 0;

	for (int32_t i = 0; i < window->samples_count; i++)
		sum += window->samples[i].value;
	return sum / (elapsed_ms / 1000);
}

int64_t
rate_window_round_ms(double ms)
{
	double rounded = floor(ms + 0.5);

	if (!(rounded > 0))
		return 0;
	return rounded >= INT32_MAX ? INT32_MAX : (int64_t)rounded;
}

int64_t
rate_window_throttle_ms(struct rate_window *window,
    const struct rate_window_size *size, double quota, int64_t now_ms)
{
	double rate = rate_window_rate(window, size, now_ms);

	if (!(rate > quota))
		return 0;
	return rate_window_round_ms((rate - quota) / quota *
	    (double)rate_window_elapsed_ms(window, size, now_ms));
}
