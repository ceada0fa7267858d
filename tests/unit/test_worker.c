/* Workers and pools of them: order, completeness, the end. */
#include "unit/unit.h"

#include "base/worker.c"

#include <stdatomic.h>

#define THREADS 4
#define TASKS 5000

struct job {
	struct task task;
	int number;
};

static struct worker *worker;
static struct job jobs[THREADS][TASKS];
static int last[THREADS];
static atomic_int done;

/* Only the worker's one thread touches last. */
static void
run_in_order(struct task *task)
{
	struct job *job = CONTAINER_OF(task, struct job, task);
	int poster = job->number / TASKS;

	assert_int_equal(job->number % TASKS, last[poster]++);
	atomic_fetch_add(&done, 1);
}

static void *
post_all(void *argument)
{
	struct job *mine = argument;

	for (int i = 0; i < TASKS; i++)
		worker_post(worker, &mine[i].task);
	return NULL;
}

static void
runs_each_threads_tasks_in_their_order(void **state UNUSED)
{
	pthread_t threads[THREADS];

	atomic_store(&done, 0);
	worker = worker_new("test");
	assert_non_null(worker);
	for (int t = 0; t < THREADS; t++) {
		for (int i = 0; i < TASKS; i++) {
			jobs[t][i].task = (struct task){ .run = run_in_order };
			jobs[t][i].number = t * TASKS + i;
		}
		assert_int_equal(thread_start(&threads[t], "poster", post_all,
		    jobs[t]), 0);
	}
	for (int t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	worker_stop_free(worker);
	assert_int_equal(atomic_load(&done), THREADS * TASKS);
}

static struct worker_pool *pool;

static void
run_once(struct task *task UNUSED)
{
	atomic_fetch_add(&done, 1);
}

/* Posts the job behind it, so a chain of posts outlives the stop. */
static void
run_and_post_next(struct task *task)
{
	struct job *job = CONTAINER_OF(task, struct job, task);

	if (job->number + 1 < TASKS)
		worker_pool_post(pool, &jobs[0][job->number + 1].task);
	atomic_fetch_add(&done, 1);
}

static void
pool_runs_everything_before_it_stops(void **state UNUSED)
{
	atomic_store(&done, 0);
	pool = worker_pool_new("test", THREADS);
	assert_non_null(pool);
	for (int i = 0; i < TASKS; i++) {
		jobs[0][i].task = (struct task){ .run = run_and_post_next };
		jobs[0][i].number = i;
		jobs[1][i].task = (struct task){ .run = run_once };
		worker_pool_post(pool, &jobs[1][i].task);
	}
	worker_pool_post(pool, &jobs[0][0].task);
	worker_pool_stop_free(pool);
	assert_int_equal(atomic_load(&done), 2 * TASKS);
}

static void
stopping_nothing_is_allowed(void **state UNUSED)
{
	worker_stop_free(NULL);
	worker_pool_stop_free(NULL);
	pool = worker_pool_new("test", 2);
	assert_non_null(pool);
	worker_pool_stop_free(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_each_threads_tasks_in_their_order),
		cmocka_unit_test(pool_runs_everything_before_it_stops),
		cmocka_unit_test(stopping_nothing_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
