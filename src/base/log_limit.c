#include "base/log_limit.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"

#define KIND_LEN 64
#define PEER_LEN 192

/* The lines of a kind about a peer in an interval. */
struct pair {
	bool used;
	char kind[KIND_LEN];
	char peer[PEER_LEN];
	int64_t begin_ms;
	uint64_t left_out;
};

struct log_limit {
	/* immutable */
	int64_t interval_ms;
	enum log_level level;
	const char *logger;

	pthread_mutex_t lock;
	struct pair pairs[LOG_LIMIT_PAIRS];	/* guarded */
	struct pair others;			/* guarded */
};

struct log_limit *
log_limit_new(int64_t interval_ms, enum log_level level, const char *logger)
{
	struct log_limit *limit = xcalloc(1, sizeof(*limit));
	int error = pthread_mutex_init(&limit->lock, NULL);

	assert(error == 0);
	limit->interval_ms = interval_ms;
	limit->level = level;
	limit->logger = logger;
	snprintf(limit->others.kind, KIND_LEN, "of all kinds");
	snprintf(limit->others.peer, PEER_LEN, "others");
	return limit;
}

/* Its interval is over. */
static void
end(const struct log_limit *limit, struct pair *pair)
{
	if (pair->used && pair->left_out > 0)
		log_write(limit->level, limit->logger,
		    "%" PRIu64 " more lines (%s, %s) were left out within "
		    "%" PRId64 " ms",
		    pair->left_out, pair->kind, pair->peer,
		    limit->interval_ms);
	pair->used = false;
	pair->left_out = 0;
}

void
log_limit_free(struct log_limit *limit)
{
	if (limit == NULL)
		return;
	for (size_t i = 0; i < LOG_LIMIT_PAIRS; i++)
		end(limit, &limit->pairs[i]);
	end(limit, &limit->others);
	pthread_mutex_destroy(&limit->lock);
	free(limit);
}

static bool
is_over(const struct log_limit *limit, const struct pair *pair, int64_t now_ms)
{
	return now_ms - pair->begin_ms >= limit->interval_ms;
}

/* The pair of that kind and peer, a free one made it, or that of all others. */
static struct pair *
pair_of(struct log_limit *limit, const char *kind, const char *peer,
    int64_t now_ms)
{
	struct pair *free_one = NULL;

	for (size_t i = 0; i < LOG_LIMIT_PAIRS; i++) {
		struct pair *pair = &limit->pairs[i];

		if (pair->used && strcmp(pair->kind, kind) == 0 &&
		    strcmp(pair->peer, peer) == 0)
			return pair;
		if (!pair->used || is_over(limit, pair, now_ms))
			free_one = pair;
	}
	if (free_one == NULL)
		return &limit->others;
	end(limit, free_one);
	snprintf(free_one->kind, KIND_LEN, "%s", kind);
	snprintf(free_one->peer, PEER_LEN, "%s", peer);
	return free_one;
}

bool
log_limit_admits(struct log_limit *limit, const char *kind, struct slice peer)
{
	int64_t now_ms = clock_monotonic_ms();
	char kind_text[KIND_LEN], peer_text[PEER_LEN];
	struct pair *pair;
	bool admitted;

	if (limit == NULL || limit->interval_ms == 0)
		return true;
	snprintf(kind_text, sizeof(kind_text), "%s", kind);
	snprintf(peer_text, sizeof(peer_text), "%.*s", SLICE_ARG(peer));
	pthread_mutex_lock(&limit->lock);
	pair = pair_of(limit, kind_text, peer_text, now_ms);
	if (pair->used && is_over(limit, pair, now_ms))
		end(limit, pair);
	admitted = !pair->used;
	if (admitted)
		pair->begin_ms = now_ms;
	else
		pair->left_out++;
	pair->used = true;
	pthread_mutex_unlock(&limit->lock);
	return admitted;
}

void
log_limit_sweep(struct log_limit *limit)
{
	int64_t now_ms = clock_monotonic_ms();

	pthread_mutex_lock(&limit->lock);
	for (size_t i = 0; i < LOG_LIMIT_PAIRS; i++)
		if (is_over(limit, &limit->pairs[i], now_ms))
			end(limit, &limit->pairs[i]);
	if (is_over(limit, &limit->others, now_ms))
		end(limit, &limit->others);
	pthread_mutex_unlock(&limit->lock);
}
