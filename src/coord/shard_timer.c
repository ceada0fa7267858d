#include "coord/shard_timer.h"

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

		if (timers->heap[parent]->deadline_ms <= timer->deadline_ms)
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
		    timers->heap[child + 1]->deadline_ms <
			timers->heap[child]->deadline_ms)
			child++;
		if (timers->heap[child]->deadline_ms >= timer->deadline_ms)
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
	}
	sift_up(timers, timer->position - 1);
	sift_down(timers, timer->position - 1);
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

struct shard_timer *
shard_timers_first(const struct shard_timers *timers)
{
	return timers->count == 0 ? NULL : timers->heap[0];
}
