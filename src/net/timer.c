#include "base/base.h"
#include "base/clock.h"
#include "net/loop.h"
#include "net/timer.h"

#define DIGIT_BITS 6
#define DIGIT_MASK (TIMER_WHEEL_SLOTS - 1)

void
timer_init(struct timer *timer, void (*run)(struct timer *timer))
{
	*timer = (struct timer){ .run = run };
}

void
timer_start(struct loop *loop, struct timer *timer, int64_t delay_ms)
{
	/* Rounded up, because the wheel drops what is below a millisecond. */
	int64_t now_ms = (clock_monotonic_us() + 999) / 1000;

	timer_stop(timer);
	delay_ms = MIN(MAX(delay_ms, 0), TIMER_DELAY_MS_MAX);
	timer_wheel_add(loop_timers(loop), timer, now_ms + delay_ms);
}

void
timer_stop(struct timer *timer)
{
	/* The slot's bit stays; timer_wheel_next clears it. */
	if (timer_running(timer))
		list_remove(&timer->node);
}

void
timer_wheel_init(struct timer_wheel *wheel, int64_t now_ms)
{
	wheel->now_ms = now_ms;
	list_init(&wheel->due);
	for (int level = 0; level < TIMER_WHEEL_LEVELS; level++) {
		wheel->used[level] = 0;
		for (int slot = 0; slot < TIMER_WHEEL_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
	}
}

/* The level of the most significant digit in which the two differ. */
static int
level_of(int64_t now_ms, int64_t expiry_ms)
{
	uint64_t differ = (uint64_t)now_ms ^ (uint64_t)expiry_ms;
	int level = (63 - __builtin_clzll(differ | 1)) / DIGIT_BITS;

	assert(level < TIMER_WHEEL_LEVELS);
	return level;
}

static int
digit_of(int64_t ms, int level)
{
	return (int)((uint64_t)ms >> (level * DIGIT_BITS)) & DIGIT_MASK;
}

static void
place(struct timer_wheel *wheel, struct timer *timer)
{
	int level, slot;

	if (timer->expiry_ms <= wheel->now_ms) {
		list_append(&wheel->due, &timer->node);
		return;
	}
	level = level_of(wheel->now_ms, timer->expiry_ms);
	slot = digit_of(timer->expiry_ms, level);
	list_append(&wheel->slots[level][slot], &timer->node);
	wheel->used[level] |= (uint64_t)1 << slot;
}

void
timer_wheel_add(struct timer_wheel *wheel, struct timer *timer,
    int64_t expiry_ms)
{
	assert(timer->run != NULL);
	timer->expiry_ms = expiry_ms;
	place(wheel, timer);
}

/* The first slot of a level that holds timers, or -1. */
static int
first_slot(struct timer_wheel *wheel, int level)
{
	while (wheel->used[level] != 0) {
		int slot = __builtin_ctzll(wheel->used[level]);

		if (!list_empty(&wheel->slots[level][slot]))
			return slot;
		wheel->used[level] &= wheel->used[level] - 1;
	}
	return -1;
}

/*
 * The first slot in time that holds timers, and when it begins; -1 where
 * there is none.  The lowest level comes first, because its timers agree with
 * now in more digits.
 */
static int64_t
next_slot(struct timer_wheel *wheel, int *level, int *slot)
{
	for (*level = 0; *level < TIMER_WHEEL_LEVELS; (*level)++) {
		int shift = *level * DIGIT_BITS;
		uint64_t above;

		*slot = first_slot(wheel, *level);
		if (*slot < 0)
			continue;
		above = (uint64_t)wheel->now_ms >> (shift + DIGIT_BITS);
		return (int64_t)(((above << DIGIT_BITS) | (uint64_t)*slot)
		    << shift);
	}
	return -1;
}

int64_t
timer_wheel_next(struct timer_wheel *wheel)
{
	int level, slot;

	if (!list_empty(&wheel->due))
		return wheel->now_ms;
	return next_slot(wheel, &level, &slot);
}

/* Spread the timers of a slot that has been reached over lower levels. */
static void
open_slot(struct timer_wheel *wheel, int level, int slot)
{
	struct list_node *node;
	struct list opened;

	list_init(&opened);
	list_splice(&opened, &wheel->slots[level][slot]);
	wheel->used[level] &= ~((uint64_t)1 << slot);
	while ((node = list_pop(&opened)) != NULL)
		place(wheel, LIST_ENTRY(node, struct timer, node));
}

/*
 * Run what is due now and nothing that this adds, so that a timer that is
 * started anew with no delay cannot keep the loop here.
 */
static size_t
run_due(struct timer_wheel *wheel)
{
	struct list_node *node;
	struct list batch;
	size_t count = 0;

	list_init(&batch);
	list_splice(&batch, &wheel->due);
	while ((node = list_pop(&batch)) != NULL) {
		struct timer *timer = LIST_ENTRY(node, struct timer, node);

		timer->run(timer);
		count++;
	}
	return count;
}

size_t
timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ms)
{
	int64_t begin;
	int level, slot;

	while ((begin = next_slot(wheel, &level, &slot)) >= 0 &&
	    begin <= now_ms) {
		wheel->now_ms = begin;
		open_slot(wheel, level, slot);
	}
	wheel->now_ms = MAX(wheel->now_ms, now_ms);
	return run_due(wheel);
}
