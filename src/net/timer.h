/*
 * Timer: something that a loop runs after a delay, on its timing wheel.
 *
 * A timer is embedded in what it is about; run finds that with CONTAINER_OF.
 * Starting and stopping cost O(1).  A timer never fires early, and late only
 * by what the loop is busy with; timers that are due together fire in the
 * order of their deadlines.  It has been taken off the wheel before run is
 * called, so run may start it again or free it.
 *
 * The wheel has a granularity of 1 ms and no ticks: timer_wheel_next tells
 * when something is to be done, and a wheel without timers wants nothing.
 * It has seven levels of 64 slots.  A timer stands on the level of the most
 * significant digit (base 64) in which its deadline differs from now, and
 * falls to lower levels as that digit is reached: six times at the most.
 *
 * Thread: the loop's only.
 */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include "base/base.h"
#include "base/list.h"

struct loop;

/* The longest delay; longer ones are cut to it (34 years). */
#define TIMER_DELAY_MS_MAX ((int64_t)1 << 40)

struct timer {
	struct list_node node;	/* linked while it runs */
	int64_t expiry_ms;	/* of clock_monotonic_ms */
	void (*run)(struct timer *timer);
};

/* A timer that does not run yet. */
void timer_init(struct timer *timer, void (*run)(struct timer *timer));

/*
 * Call run on the loop's thread after delay_ms, but no sooner than in the
 * next pass; a delay below 0 counts as 0.  A timer that runs starts anew.
 */
void timer_start(struct loop *loop, struct timer *timer, int64_t delay_ms);

/* Forget it; nothing where it does not run. */
void timer_stop(struct timer *timer);

static inline bool
timer_running(const struct timer *timer)
{
	return list_node_linked(&timer->node);
}

/* --- The wheel, for the loop --------------------------------------------- */

#define TIMER_WHEEL_LEVELS 7
#define TIMER_WHEEL_SLOTS 64

struct timer_wheel {
	int64_t now_ms;
	uint64_t used[TIMER_WHEEL_LEVELS]; /* a clear bit: an empty slot */
	struct list slots[TIMER_WHEEL_LEVELS][TIMER_WHEEL_SLOTS];
	struct list due;
};

void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ms);

/* Put in a timer that does not run, to fire at expiry_ms. */
void timer_wheel_add(struct timer_wheel *wheel, struct timer *timer,
    int64_t expiry_ms);

/*
 * Move the wheel to now_ms (a step back counts as none) and run what is due.
 * The number of timers that were run.
 */
size_t timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ms);

/*
 * When to call timer_wheel_advance next: no later than the first deadline,
 * at times earlier; -1 where no timer runs.
 */
int64_t timer_wheel_next(struct timer_wheel *wheel);

#endif
