#include "coord/shard_timer.h"

/*
 * Those that have moved are put in place so much ahead: together, and not
 * each at a moment of its own for which somebody has to wake up.
 */
#define AHEAD_MS 1000

void
shard_timers_init(struct shard_timers *timers)
{
	memset(timers, 0, sizeof(*timers));
}

void
shard_timers_fini(struct shard_timers *timers)
{
	for (size_t i = 0; i < timers->count; i++)
		timers->heap[i]->position = 0;
	free(timers->heap);
	shard_timers_init(timers);
}

static void
place(struct shard_timers *timers, size_t i, struct shard_timer *timer)
{
	timers->heap[i] = timer;
	timer->position = i + 1;
}

static void
sift_up(struct shard_timers *timers, size_t i)
{
	struct shard_timer *timer = timers->heap[i];

	while (i > 0) {
		size_t parent = (i - 1) / 2;

		if (timers->heap[parent]->placed_ms <= timer->placed_ms)
			break;
		place(timers, i, timers->heap[parent]);
		i = parent;
	}
	place(timers, i, timer);
}

static void
sift_down(struct shard_timers *timers, size_t i)
{
	struct shard_timer *timer = timers->heap[i];
	size_t child;

	while ((child = 2 * i + 1) < timers->count) {
		if (child + 1 < timers->count &&
		    timers->heap[child + 1]->placed_ms <
			timers->heap[child]->placed_ms)
			child++;
		if (timers->heap[child]->placed_ms >= timer->placed_ms)
			break;
		place(timers, i, timers->heap[child]);
		i = child;
	}
	place(timers, i, timer);
}

static void
heap_grow(struct shard_timers *timers)
{
	if (timers->count < timers->capacity)
		return;
	timers->capacity = MAX(8, timers->capacity * 2);
	timers->heap = xrealloc(timers->heap,
	    timers->capacity * sizeof(struct shard_timer *));
}

void
shard_timers_set(struct shard_timers *timers, struct shard_timer *timer,
    int64_t deadline_ms)
{
	timer->deadline_ms = deadline_ms;
	if (!shard_timer_running(timer)) {
		heap_grow(timers);
		place(timers, timers->count++, timer);
	} else if (deadline_ms >= timer->placed_ms) {
		return;
	}
	timer->placed_ms = deadline_ms;
	sift_up(timers, timer->position - 1);
}

void
shard_timers_remove(struct shard_timers *timers, struct shard_timer *timer)
{
	struct shard_timer *last;
	size_t i;

	if (!shard_timer_running(timer))
		return;
	i = timer->position - 1;
	assert(i < timers->count && timers->heap[i] == timer);
	timer->position = 0;
	last = timers->heap[--timers->count];
	if (last == timer)
		return;
	place(timers, i, last);
	sift_up(timers, i);
	sift_down(timers, last->position - 1);
}

/* Give those that have moved, and whose places come by then, new ones. */
static void
settle(struct shard_timers *timers, int64_t until_ms)
{
	while (timers->count > 0) {
		struct shard_timer *first = timers->heap[0];

		if (first->placed_ms == first->deadline_ms ||
		    first->placed_ms > until_ms)
			return;
		first->placed_ms = first->deadline_ms;
		sift_down(timers, 0);
	}
}

struct shard_timer *
shard_timers_take(struct shard_timers *timers, int64_t now_ms)
{
	struct shard_timer *first;

	settle(timers, now_ms + AHEAD_MS);
	if (timers->count == 0 || timers->heap[0]->placed_ms > now_ms)
		return NULL;
	first = timers->heap[0];
	shard_timers_remove(timers, first);
	return first;
}

int64_t
shard_timers_next_ms(const struct shard_timers *timers)
{
	return timers->count == 0 ? INT64_MAX : timers->heap[0]->placed_ms;
}
