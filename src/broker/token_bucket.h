/*
 * Token bucket: tokens that come in steadily and are spent in bursts, into
 * debt, too (TokenBucket of Kafka).
 *
 * It holds what comes in during all windows of a rate window, and is full at
 * the beginning.  Times are in milliseconds of one clock that does not go
 * back.  Not thread-safe.
 */
#ifndef BROKER_TOKEN_BUCKET_H
#define BROKER_TOKEN_BUCKET_H

#include "base/base.h"
#include "broker/rate_window.h"

struct token_bucket {
	bool begun;
	double tokens; /* below 0: debt */
	int64_t filled_ms;
};

/* Empty memory is a full bucket. */

/* Spend so many; a negative number gives some back. */
void token_bucket_spend(struct token_bucket *bucket,
    const struct rate_window_size *size, double quota, double tokens,
    int64_t now_ms);

/*
 * How long the debt takes to be paid at quota tokens a second; 0 where there
 * is none.  A quota that is no number leaves no debt.
 */
int64_t token_bucket_throttle_ms(struct token_bucket *bucket,
    const struct rate_window_size *size, double quota, int64_t now_ms);

#endif
