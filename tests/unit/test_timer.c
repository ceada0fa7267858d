/* The timing wheel against a naive list of deadlines. */
#include "unit/unit.h"

#include "base/rng.h"

#include "net/timer.c"

#define TIMER_COUNT 300

struct probe {
	struct timer timer;
	int64_t deadline_ms;	/* -1: does not run */
	int64_t fired_ms;	/* the last time, -1: not yet */
};

static struct timer_wheel wheel;
static struct probe probes[TIMER_COUNT];
static int64_t moment_ms;
static int64_t last_deadline_ms;

/* timer_start is not used here, and this is all that it needs. */
struct timer_wheel *
loop_timers(struct loop *loop UNUSED)
{
	return &wheel;
}

static void
fire(struct timer *timer)
{
	struct probe *probe = CONTAINER_OF(timer, struct probe, timer);

	assert_false(timer_running(timer));
	assert_true(probe->deadline_ms >= 0);
	assert_true(probe->deadline_ms <= moment_ms);
	assert_true(probe->deadline_ms >= last_deadline_ms);
	last_deadline_ms = probe->deadline_ms;
	probe->deadline_ms = -1;
	probe->fired_ms = moment_ms;
}

static void
start_all_over(int64_t now_ms)
{
	moment_ms = now_ms;
	timer_wheel_init(&wheel, now_ms);
	for (size_t i = 0; i < TIMER_COUNT; i++) {
		timer_init(&probes[i].timer, fire);
		probes[i].deadline_ms = probes[i].fired_ms = -1;
	}
}

static void
set(struct probe *probe, int64_t deadline_ms)
{
	timer_stop(&probe->timer);
	probe->deadline_ms = deadline_ms;
	timer_wheel_add(&wheel, &probe->timer, deadline_ms);
}

static int64_t
naive_next(void)
{
	int64_t next = -1;

	for (size_t i = 0; i < TIMER_COUNT; i++)
		if (probes[i].deadline_ms >= 0 &&
		    (next < 0 || probes[i].deadline_ms < next))
			next = probes[i].deadline_ms;
	return next;
}

/* Delays of every magnitude, most of them short. */
static int64_t
any_delay(struct rng *rng)
{
	return (int64_t)rng_below(rng, (uint64_t)1 << rng_below(rng, 34));
}

static void
advance_to(int64_t now_ms)
{
	moment_ms = now_ms;
	last_deadline_ms = 0;
	timer_wheel_advance(&wheel, now_ms);
	for (size_t i = 0; i < TIMER_COUNT; i++)
		assert_true(probes[i].deadline_ms < 0 ||
		    probes[i].deadline_ms > now_ms);
}

static void
agrees_with_a_naive_model(void **state UNUSED)
{
	struct rng rng;

	rng_init(&rng, 42);
	start_all_over((int64_t)rng_below(&rng, (uint64_t)1 << 40));
	for (int step = 0; step < 20000; step++) {
		struct probe *probe = &probes[rng_below(&rng, TIMER_COUNT)];
		int64_t wheel_next, next;

		switch (rng_below(&rng, 4)) {
		case 0:
		case 1:
			set(probe, moment_ms + any_delay(&rng));
			break;
		case 2:
			timer_stop(&probe->timer);
			probe->deadline_ms = -1;
			break;
		case 3:
			advance_to(moment_ms + any_delay(&rng));
			break;
		}
		wheel_next = timer_wheel_next(&wheel);
		next = naive_next();
		assert_int_equal(wheel_next < 0, next < 0);
		assert_true(wheel_next <= next);
	}
}

/* Whoever sleeps until timer_wheel_next is not late, and rarely too early. */
static void
fires_at_its_millisecond_after_few_wakes(void **state UNUSED)
{
	struct rng rng;

	rng_init(&rng, 43);
	start_all_over(1);
	for (int round = 0; round < 2000; round++) {
		int64_t deadline = moment_ms + 1 + any_delay(&rng);
		int wakes = 0;

		probes[0].fired_ms = -1;
		set(&probes[0], deadline);
		while (probes[0].fired_ms < 0) {
			advance_to(timer_wheel_next(&wheel));
			wakes++;
		}
		assert_int_equal(probes[0].fired_ms, deadline);
		assert_true(wakes <= TIMER_WHEEL_LEVELS);
		assert_int_equal(timer_wheel_next(&wheel), -1);
	}
}

static int restarts;

static void
restart(struct timer *timer)
{
	restarts++;
	timer_wheel_add(&wheel, timer, moment_ms);
}

static void
restarted_without_delay_waits_for_the_next_pass(void **state UNUSED)
{
	struct timer timer;

	start_all_over(1000);
	timer_init(&timer, restart);
	timer_wheel_add(&wheel, &timer, 1000);
	assert_int_equal(timer_wheel_advance(&wheel, 1000), 1);
	assert_int_equal(restarts, 1);
	assert_int_equal(timer_wheel_next(&wheel), 1000);
	assert_int_equal(timer_wheel_advance(&wheel, 1000), 1);
	assert_int_equal(restarts, 2);
	timer_stop(&timer);
	assert_int_equal(timer_wheel_next(&wheel), -1);
}

static struct probe *victim;

static void
stop_the_other(struct timer *timer UNUSED)
{
	timer_stop(&victim->timer);
	victim->deadline_ms = -1;
}

static void
stopped_by_one_that_is_due_as_well(void **state UNUSED)
{
	struct timer timer;

	start_all_over(5);
	victim = &probes[1];
	timer_init(&timer, stop_the_other);
	timer_wheel_add(&wheel, &timer, 10);
	set(victim, 10);
	moment_ms = 10;
	assert_int_equal(timer_wheel_advance(&wheel, 10), 1);
	assert_int_equal(victim->fired_ms, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_naive_model),
		cmocka_unit_test(fires_at_its_millisecond_after_few_wakes),
		cmocka_unit_test(
		    restarted_without_delay_waits_for_the_next_pass),
		cmocka_unit_test(stopped_by_one_that_is_due_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
