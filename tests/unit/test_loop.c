/* Loops: mailbox, deferral, timers on the real clock, idleness, the end. */
#include "unit/unit.h"

#include <sched.h>

#include "net/loop_group.h"

#include "net/loop.c"

#define THREADS 4
#define TASKS 5000

struct job {
	struct task task;
	int number;
};

static struct loop *loop;
static struct job jobs[THREADS][TASKS];
static int last[THREADS];
static int done;

static void
run_in_order(struct task *task)
{
	struct job *job = CONTAINER_OF(task, struct job, task);
	int poster = job->number / TASKS;

	assert_ptr_equal(loop_current(), loop);
	assert_int_equal(job->number % TASKS, last[poster]++);
	done++;
}

static void *
post_all(void *argument)
{
	struct job *mine = argument;

	for (int i = 0; i < TASKS; i++)
		loop_post(loop, &mine[i].task);
	return NULL;
}

static void
takes_posts_of_many_threads_in_each_ones_order(void **state UNUSED)
{
	const struct loop_counters *counters;
	pthread_t threads[THREADS];

	done = 0;
	loop = loop_new(0);
	assert_non_null(loop);
	assert_int_equal(loop_start(loop, "test"), 0);
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
	loop_stop(loop);
	assert_int_equal(done, THREADS * TASKS);
	counters = loop_counters(loop);
	assert_int_equal(counter_get(&counters->tasks), THREADS * TASKS);
	loop_free(loop);
}

static char trace[64];
static struct task first, second, at_end, at_very_end;

static void
note(const char *what)
{
	strcat(trace, what);
}

static void
run_first(struct task *task UNUSED)
{
	note("1");
	loop_defer_last(loop, &at_very_end);
	loop_defer_last(loop, &at_very_end);
	loop_defer(loop, &at_end);
	loop_post(loop, &second);
}

static void
run_second(struct task *task UNUSED)
{
	note("2");
	loop_defer(loop, &at_end);
	loop_undefer(&at_end);
	loop_undefer(&at_end);
}

static void
run_at_end(struct task *task UNUSED)
{
	note("e");
}

static void
run_at_very_end(struct task *task UNUSED)
{
	note("v");
	if (strlen(trace) < 6)
		loop_defer_last(loop, &at_very_end);
}

/* A pass: posted tasks, deferred ones, last ones; then the next pass. */
static void
defers_to_the_end_of_the_pass_once(void **state UNUSED)
{
	loop = loop_new(0);
	assert_non_null(loop);
	first.run = run_first;
	second.run = run_second;
	at_end.run = run_at_end;
	at_very_end.run = run_at_very_end;
	loop_post(loop, &first);
	loop_step(loop, true);
	assert_string_equal(trace, "1ev");
	loop_step(loop, true);
	assert_string_equal(trace, "1ev2v");
	loop_step(loop, true);
	assert_string_equal(trace, "1ev2vv");
	loop_step(loop, false);
	assert_string_equal(trace, "1ev2vv");
	loop_free(loop);
}

struct probe {
	struct timer timer;
	int64_t started_us;
	int64_t delay_ms;
	int64_t took_us;
};

static int fired;

static void
fire(struct timer *timer)
{
	struct probe *probe = CONTAINER_OF(timer, struct probe, timer);

	probe->took_us = clock_monotonic_us() - probe->started_us;
	fired++;
}

static void
timers_never_fire_early(void **state UNUSED)
{
	static struct probe probes[20];
	struct timer stopped;

	fired = 0;
	loop = loop_new(0);
	assert_non_null(loop);
	timer_init(&stopped, fire);
	timer_start(loop, &stopped, 1);
	for (int i = 0; i < 20; i++) {
		probes[i].delay_ms = (19 - i) * 3;
		probes[i].started_us = clock_monotonic_us();
		timer_init(&probes[i].timer, fire);
		timer_start(loop, &probes[i].timer, probes[i].delay_ms);
	}
	timer_stop(&stopped);
	while (fired < 20)
		loop_step(loop, true);
	for (int i = 0; i < 20; i++)
		assert_true(probes[i].took_us >= probes[i].delay_ms * 1000);
	assert_false(timer_running(&stopped));
	loop_free(loop);
}

static void
stop_stepping(struct timer *timer UNUSED)
{
	fired = 1;
}

/*
 * 300 ms without anything to do are one wait: a pass more for each level of
 * the wheel that the timer falls through, and none beside.
 */
static void
idle_loop_makes_no_passes(void **state UNUSED)
{
	const struct loop_counters *counters;
	struct timer timer;
	uint64_t passes;

	loop = loop_new(0);
	assert_non_null(loop);
	fired = 0;
	timer_init(&timer, stop_stepping);
	timer_start(loop, &timer, 300);
	while (!fired)
		loop_step(loop, true);
	counters = loop_counters(loop);
	passes = counter_get(&counters->passes);
	assert_true(passes >= 1 && passes <= 4);
	assert_int_equal(counter_get(&counters->wakeups), 0);
	loop_free(loop);
}

static struct task chain[100];

static void
run_chain(struct task *task)
{
	done++;
	if (task + 1 < chain + COUNT_OF(chain))
		loop_post(loop, task + 1);
}

static void
stop_runs_what_is_posted_by_what_is_posted(void **state UNUSED)
{
	done = 0;
	loop = loop_new(0);
	assert_non_null(loop);
	assert_int_equal(loop_start(loop, "test"), 0);
	for (size_t i = 0; i < COUNT_OF(chain); i++)
		chain[i] = (struct task){ .run = run_chain };
	loop_post(loop, &chain[0]);
	loop_stop(loop);
	assert_int_equal(done, COUNT_OF(chain));
	/* Too late: it is forgotten. */
	chain[0] = (struct task){ .run = run_chain };
	loop_post(loop, &chain[0]);
	loop_free(loop);
	assert_int_equal(done, COUNT_OF(chain));
}

static void
group_fills_one_loop_before_the_next(void **state UNUSED)
{
	struct loop_group *group = loop_group_new(3);

	assert_non_null(group);
	assert_int_equal(loop_group_start(group), 0);
	for (int i = 0; i < 2 * 64; i++) {
		struct loop *picked = loop_group_pick(group);

		assert_int_equal(loop_index(picked), i / 64);
		loop_load_add(picked, 1);
	}
	/* No loop is ahead by more than that. */
	for (int i = 0; i < 1000; i++) {
		loop_load_add(loop_group_pick(group), 1);
		for (int j = 0; j < 2; j++)
			assert_true(loop_load(loop_group_get(group, j)) <=
			    loop_load(loop_group_get(group, 2)) + 64);
	}
	loop_load_add(loop_group_get(group, 0), 64);
	loop_load_add(loop_group_get(group, 1), 64);
	assert_int_equal(loop_index(loop_group_pick(group)), 2);
	loop_group_stop(group);
	loop_group_free(group);
}

/* Far from those that the first loops have, as long as that is fair. */
static void
group_has_strangers_on_its_last_loops(void **state UNUSED)
{
	struct loop_group *group = loop_group_new(3);

	assert_non_null(group);
	assert_int_equal(loop_group_start(group), 0);
	for (int i = 0; i < 2 * 256; i++) {
		struct loop *picked = loop_group_pick_for_stranger(group);

		assert_int_equal(loop_index(picked), 2 - i / 256);
		loop_load_add(picked, 1);
	}
	assert_int_equal(loop_index(loop_group_pick(group)), 0);
	for (int i = 0; i < 1000; i++) {
		loop_load_add(loop_group_pick_for_stranger(group), 1);
		for (int j = 1; j < 3; j++)
			assert_true(loop_load(loop_group_get(group, j)) <=
			    loop_load(loop_group_get(group, 0)) + 256);
	}
	loop_group_stop(group);
	loop_group_free(group);
}

/*
 * A task that takes all the time there is, until it is told to end: the clock
 * stands still but for what it takes, whatever else the machine does.
 */
struct burner {
	struct task task;
	struct loop *where;
	atomic_bool ends, ended;
};

static _Atomic int64_t time_us = 1000000;

static int64_t
burnt_wall_ms(void *context UNUSED)
{
	return time_us / 1000;
}

static int64_t
burnt_monotonic_us(void *context UNUSED)
{
	return time_us;
}

static void
burn(struct task *task)
{
	struct burner *burner = CONTAINER_OF(task, struct burner, task);
	int64_t begin_us = clock_thread_cpu_us(), burnt_us;

	do
		burnt_us = clock_thread_cpu_us() - begin_us;
	while (burnt_us < 20000);
	time_us += burnt_us;
	if (atomic_load(&burner->ends))
		atomic_store(&burner->ended, true);
	else
		loop_post(burner->where, &burner->task);
}

static void
busy_loop_gets_no_more(void **state UNUSED)
{
	static const struct clock_source clock = { burnt_wall_ms,
		burnt_monotonic_us, NULL };
	struct loop_group *group;
	struct burner burner = { .task.run = burn };

	clock_install(&clock);
	group = loop_group_new(2);
	assert_non_null(group);
	assert_int_equal(loop_group_start(group), 0);
	burner.where = loop_group_get(group, 0);
	loop_post(burner.where, &burner.task);
	while (loop_index(loop_group_pick(group)) != 1 ||
	    loop_index(loop_group_idlest(group)) != 1)
		sched_yield();
	atomic_store(&burner.ends, true);
	while (!atomic_load(&burner.ended))
		sched_yield();
	/* It may measure once more. */
	while (loop_busy(burner.where) > 0)
		time_us += LOOP_MEASURE_MS * 1000;
	assert_int_equal(loop_index(loop_group_pick(group)), 0);
	loop_group_stop(group);
	loop_group_free(group);
	clock_install(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    takes_posts_of_many_threads_in_each_ones_order),
		cmocka_unit_test(defers_to_the_end_of_the_pass_once),
		cmocka_unit_test(timers_never_fire_early),
		cmocka_unit_test(idle_loop_makes_no_passes),
		cmocka_unit_test(stop_runs_what_is_posted_by_what_is_posted),
		cmocka_unit_test(group_fills_one_loop_before_the_next),
		cmocka_unit_test(group_has_strangers_on_its_last_loops),
		cmocka_unit_test(busy_loop_gets_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
