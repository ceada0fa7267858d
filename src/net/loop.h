/*
 * Loop: one thread, its libevent base, its mailbox and its timers.
 *
 * A loop works in passes.  A pass waits until there is something to do, runs
 * libevent's callbacks, the tasks posted by then, the timers that are due,
 * then the tasks deferred to the end of the pass, and last the ones deferred
 * to the very end (write flushes, so that a pass writes once a connection).
 * A loop with nothing to do makes no wake-ups.
 *
 * Everything is called on the loop's own thread, but for what says otherwise.
 * Nothing that runs on a loop may block.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/base.h"
#include "base/counter.h"
#include "base/task.h"

struct event_base;
struct loop;
struct timer_wheel;

#define LOOP_MEASURE_MS 250

/* What a loop has done; any thread may read it. */
struct loop_counters {
	struct counter passes;		/* waits for events */
	struct counter wakeups;		/* by another thread's post */
	struct counter tasks;		/* posted ones that were run */
	struct counter timers;		/* that were run */
};

/*
 * A loop that does not run yet; index tells the loops of a group apart.  NULL
 * with errno where the system has no descriptors left.
 */
struct loop *loop_new(int index) WARN_UNUSED;

/*
 * Free a loop that does not run.  Timers are forgotten, and so are tasks that
 * other threads posted after its end.  NULL is allowed.
 */
void loop_free(struct loop *loop);

/* Run it in a thread of its own under name; -1 with errno. */
int loop_start(struct loop *loop, const char *name) WARN_UNUSED;

/*
 * Let the loop run everything that is posted by now and that this posts in
 * turn, then end and join its thread.  From another thread, once.
 */
void loop_stop(struct loop *loop);

/*
 * One pass on the calling thread, for loops that were not started: simulators
 * and tests.  With wait it lasts until there was something to do.
 */
void loop_step(struct loop *loop, bool wait);

/* The loop whose thread this is, or NULL. */
struct loop *loop_current(void);

/* Its place in the group.  Any thread. */
int loop_index(const struct loop *loop);

/* For events of one's own.  libevent is only used on the loop's thread. */
struct event_base *loop_base(struct loop *loop);

/*
 * Every callback of such an event begins with this: it reads the clock and
 * tells the others that the loop is awake, once a pass.
 */
void loop_enter(struct loop *loop);

/* The monotonic clock as it was when this pass began. */
int64_t loop_now_ms(const struct loop *loop);

/*
 * Run task on the loop's thread.  Any thread, in the order of the posts of
 * that thread.  The task's memory is the caller's until run is called; it is
 * not posted again before that.
 */
void loop_post(struct loop *loop, struct task *task);

/*
 * Run task at the end of this pass, after posted tasks and timers; loop_defer
 * before loop_defer_last.  A task that is deferred already stays where it is,
 * so things that happen many times a pass are done once.  A task must not
 * loop_defer itself.
 */
void loop_defer(struct loop *loop, struct task *task);
void loop_defer_last(struct loop *loop, struct task *task);

/* Forget a deferred task; nothing where it is not deferred. */
void loop_undefer(struct task *task);

/*
 * Tell the group how much the loop has to carry: connections, so far.  Any
 * thread.
 */
void loop_load_add(struct loop *loop, int delta);
int loop_load(const struct loop *loop);

/*
 * CPU time that the loop's thread had of late, in thousandths of the time that
 * passed, measured every LOOP_MEASURE_MS.  0 for a loop that sleeps.  Any
 * thread.
 */
int loop_busy(const struct loop *loop);

/* How often that was measured: tells whether it is news.  The loop's thread. */
unsigned int loop_measurements(const struct loop *loop);

const struct loop_counters *loop_counters(const struct loop *loop);

/* The wheel that timer_start uses. */
struct timer_wheel *loop_timers(struct loop *loop);

#endif
