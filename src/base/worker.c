#include "base/base.h"
#include "base/thread.h"
#include "base/worker.h"

#include <errno.h>
#include <stdatomic.h>

struct worker_pool {
	/* immutable */
	pthread_t *threads;
	int thread_count;

	pthread_mutex_t lock;
	pthread_cond_t filled;

	/* guarded by lock */
	struct list tasks;
	int running;		/* tasks, which may post more */
	bool stopping;

	/* atomic */
	atomic_int unfinished;
};

/* One thread, so that tasks run in the order of their posts. */
struct worker {
	struct worker_pool *pool;
};

/* The next task, or NULL when the thread is to end.  The lock is held. */
static struct task *
next_task(struct worker_pool *pool)
{
	struct list_node *node;

	while ((node = list_pop(&pool->tasks)) == NULL) {
		if (pool->stopping && pool->running == 0)
			return NULL;
		pthread_cond_wait(&pool->filled, &pool->lock);
	}
	return LIST_ENTRY(node, struct task, node);
}

static void *
run(void *argument)
{
	struct worker_pool *pool = argument;
	struct task *task;

	pthread_mutex_lock(&pool->lock);
	while ((task = next_task(pool)) != NULL) {
		pool->running++;
		pthread_mutex_unlock(&pool->lock);
		task->run(task);
		atomic_fetch_sub(&pool->unfinished, 1);
		pthread_mutex_lock(&pool->lock);
		pool->running--;
	}
	/* The others may be waiting for the last running task to end. */
	pthread_cond_broadcast(&pool->filled);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static void
stop(struct worker_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->filled);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
}

struct worker_pool *
worker_pool_new(const char *name, int thread_count)
{
	struct worker_pool *pool = xcalloc(1, sizeof(*pool));
	int error;

	assert(thread_count > 0);
	pool->threads =
	    xcalloc((size_t)thread_count, sizeof(*pool->threads));
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->filled, NULL);
	list_init(&pool->tasks);
	while (pool->thread_count < thread_count) {
		if (thread_start(&pool->threads[pool->thread_count], name, run,
			pool) != 0) {
			error = errno;
			worker_pool_stop_free(pool);
			errno = error;
			return NULL;
		}
		pool->thread_count++;
	}
	return pool;
}

void
worker_pool_post(struct worker_pool *pool, struct task *task)
{
	assert(task->run != NULL);
	atomic_fetch_add(&pool->unfinished, 1);
	pthread_mutex_lock(&pool->lock);
	list_append(&pool->tasks, &task->node);
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_signal(&pool->filled);
}

int
worker_pool_unfinished(struct worker_pool *pool)
{
	return atomic_load(&pool->unfinished);
}

void
worker_pool_stop_free(struct worker_pool *pool)
{
	if (pool == NULL)
		return;
	stop(pool);
	assert(list_empty(&pool->tasks));
	pthread_cond_destroy(&pool->filled);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}

struct worker *
worker_new(const char *name)
{
	struct worker_pool *pool = worker_pool_new(name, 1);
	struct worker *worker;

	if (pool == NULL)
		return NULL;
	worker = xmalloc(sizeof(*worker));
	worker->pool = pool;
	return worker;
}

void
worker_post(struct worker *worker, struct task *task)
{
	worker_pool_post(worker->pool, task);
}

void
worker_stop_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	worker_pool_stop_free(worker->pool);
	free(worker);
}
