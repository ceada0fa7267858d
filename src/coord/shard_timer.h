/*
 * The timers of one shard: a heap of deadlines on the monotonic clock.
 *
 * They belong to the shard and not to a loop, because a shard is worked on by
 * every loop in turn: starting and stopping one happens under the shard's
 * lock on any thread.  The shard asks its host to be woken for the earliest
 * one only.
 *
 * A timer that moves to a later moment stays in its place until that comes:
 * heartbeats move their members' sessions all the time, and hardly any ends.
 * So this costs O(1); starting, stopping and moving to an earlier moment cost
 * O(log n).
 *
 * All functions: the shard's lock is held.
 */
#ifndef COORD_SHARD_TIMER_H
#define COORD_SHARD_TIMER_H

#include "base/base.h"

struct shard;

/* Embedded in what it is about; fired finds that with CONTAINER_OF. */
struct shard_timer {
	int64_t deadline_ms;	/* clock_monotonic_ms */
	int64_t placed_ms;	/* its place; not after deadline_ms */
	size_t position;	/* in the heap + 1; 0 while it is stopped */
	void (*fired)(struct shard_timer *timer, struct shard *shard);
};

struct shard_timers {
	struct shard_timer **heap;
	size_t count;
	size_t capacity;
};

void shard_timers_init(struct shard_timers *timers);
/* Forget all timers and free the heap. */
void shard_timers_fini(struct shard_timers *timers);

/* Put timer at deadline_ms; a running timer moves there. */
void shard_timers_set(struct shard_timers *timers, struct shard_timer *timer,
    int64_t deadline_ms);

/* Take timer out; nothing where it does not run. */
void shard_timers_remove(struct shard_timers *timers,
    struct shard_timer *timer);

/*
 * Take out the earliest one, if it is due at now_ms; else NULL.  Those that
 * have moved and whose places come soon get new ones.
 */
struct shard_timer *shard_timers_take(struct shard_timers *timers,
    int64_t now_ms);

/* No timer is due before; INT64_MAX: there is none. */
int64_t shard_timers_next_ms(const struct shard_timers *timers);

static inline bool
shard_timer_running(const struct shard_timer *timer)
{
	return timer->position != 0;
}

#endif
