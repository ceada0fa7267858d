#include "broker/token_bucket.h"

#include <math.h>

static double
bucket_size(const struct rate_window_size *size, double quota)
{
	return (double)size->count * ((double)size->length_ms / 1000) * quota;
}

static void
refill(struct token_bucket *bucket, const struct rate_window_size *size,
    double quota, int64_t now_ms)
{
	double full = bucket_size(size, quota);

	bucket->tokens = bucket->begun ?
	    fmin(full,
		bucket->tokens +
		    quota * ((double)(now_ms - bucket->filled_ms) / 1000)) :
	    full;
	bucket->begun = true;
	bucket->filled_ms = now_ms;
}

void
token_bucket_spend(struct token_bucket *bucket,
    const struct rate_window_size *size, double quota, double tokens,
    int64_t now_ms)
{
	/* Nothing is spent of what has no end, and counting would end it. */
	if (!isfinite(quota))
		return;
	refill(bucket, size, quota, now_ms);
	bucket->tokens =
	    fmin(bucket_size(size, quota), bucket->tokens - tokens);
}

int64_t
token_bucket_throttle_ms(struct token_bucket *bucket,
    const struct rate_window_size *size, double quota, int64_t now_ms)
{
	if (!isfinite(quota))
		return 0;
	refill(bucket, size, quota, now_ms);
	return bucket->tokens < 0 ?
	    MAX(rate_window_round_ms(-bucket->tokens / quota * 1000), 1) :
	    0;
}
