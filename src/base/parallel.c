#include "base/base.h"
#include "base/parallel.h"

#include "base/thread.h"

#include <stdatomic.h>

#define THREADS_MAX 64

struct work {
	void (*fn)(void *context, size_t index);
	void *context;
	size_t count;
	atomic_size_t next;
};

static void *
work_run(void *argument)
{
	struct work *work = argument;
	size_t index;

	while ((index = atomic_fetch_add(&work->next, 1)) < work->count)
		work->fn(work->context, index);
	return NULL;
}

void
parallel_run(int thread_count, size_t count,
    void (*fn)(void *context, size_t index), void *context)
{
	struct work work = { .fn = fn, .context = context, .count = count };
	pthread_t threads[THREADS_MAX];
	size_t wanted = MIN((size_t)MAX(thread_count, 1), count);
	size_t started = 0;

	wanted = MIN(wanted, THREADS_MAX + 1);
	while (started + 1 < wanted &&
	    thread_start(&threads[started], "parallel", work_run, &work) == 0)
		started++;
	work_run(&work);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}
