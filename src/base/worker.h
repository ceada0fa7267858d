/*
 * Worker: threads that run tasks which may block, one queue for all of them.
 *
 * A struct worker has one thread, so its tasks run one after the other in the
 * order of their posts: the controller and the flusher are made of it.  A
 * struct worker_pool has several, whose tasks run in any order: cold reads
 * and the removal of files.
 *
 * The queue has no maximum of its own: a task is embedded in what it is
 * about, and that is bounded where it is made.
 */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include "base/base.h"
#include "base/task.h"

struct worker;
struct worker_pool;

/*
 * Start a worker; its thread bears name.  NULL with errno where no thread is
 * to be had.
 */
struct worker *worker_new(const char *name) WARN_UNUSED;

/*
 * Run task on the worker's thread.  Any thread, the worker's own included.
 * The task's memory is the caller's until its run is called.
 */
void worker_post(struct worker *worker, struct task *task);

/*
 * Run what is queued, also what those tasks post themselves, then join the
 * thread and free the worker.  Not from the worker's thread, and nobody else
 * may post any more.  NULL is allowed.
 */
void worker_stop_free(struct worker *worker);

/* The same for thread_count threads, which is above 0. */
struct worker_pool *worker_pool_new(const char *name, int thread_count)
    WARN_UNUSED;
void worker_pool_post(struct worker_pool *pool, struct task *task);

/* Tasks that were posted and have not ended.  Any thread; a moment's truth. */
int worker_pool_unfinished(struct worker_pool *pool);
void worker_pool_stop_free(struct worker_pool *pool);

#endif
