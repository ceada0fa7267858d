#include "base/base.h"
#include "base/clock.h"
#include "base/thread.h"
#include "net/loop.h"
#include "net/timer.h"

#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct loop {
	/* immutable */
	struct event_base *base;
	int index;
	int wake_fd;			/* eventfd */
	int timer_fd;			/* timerfd: libevent's own are coarse */

	/* of the thread that starts and stops it */
	pthread_t thread;
	bool started;

	/* loop-local */
	struct event *wake_event;
	struct event *timer_event;
	struct timer_wheel timers;
	int64_t armed_ms;		/* timer_event's moment, -1: none */
	int64_t now_ms;
	bool entered;			/* now_ms is of this pass */
	struct list posted_here;	/* by this thread, without a lock */
	struct list deferred;
	struct list deferred_last;
	int64_t measured_cpu_us;
	unsigned int measurements;

	pthread_mutex_t lock;
	struct list mailbox;		/* guarded by lock */

	/* atomic */
	atomic_bool stopping;
	atomic_bool mail;		/* the mailbox is not empty */
	atomic_bool asleep;		/* the next post has to wake it */
	atomic_int load;
	atomic_int busy;		/* when it was measured last */
	_Atomic int64_t measured_ms;
	struct loop_counters counters;
};

static _Thread_local struct loop *current;

struct loop *
loop_current(void)
{
	return current;
}

/*
 * Both descriptors are watched edge-triggered, so every write and every
 * expiry wakes the loop once and the number in them need not be read.
 */
static void
on_wake(evutil_socket_t fd UNUSED, short what UNUSED, void *argument)
{
	struct loop *loop = argument;

	loop_enter(loop);
	counter_add(&loop->counters.wakeups, 1);
}

/* The pass itself runs the timers; the event only ends the wait. */
static void
on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *argument)
{
	struct loop *loop = argument;

	loop_enter(loop);
	loop->armed_ms = -1;
}

static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_require_features(config, EV_FEATURE_ET) == 0 &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static void
init_lists(struct loop *loop)
{
	list_init(&loop->posted_here);
	list_init(&loop->deferred);
	list_init(&loop->deferred_last);
	list_init(&loop->mailbox);
}

/* An edge-triggered event on fd, added; NULL with errno. */
static struct event *
watch(struct loop *loop, int fd, event_callback_fn callback)
{
	struct event *event;

	if (fd < 0)
		return NULL;
	event = event_new(loop->base, fd, EV_READ | EV_PERSIST | EV_ET,
	    callback, loop);
	if (event == NULL || event_add(event, NULL) == 0)
		return event;
	event_free(event);
	return NULL;
}

static int
open_events(struct loop *loop)
{
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC,
	    TFD_NONBLOCK | TFD_CLOEXEC);
	loop->wake_event = watch(loop, loop->wake_fd, on_wake);
	loop->timer_event = watch(loop, loop->timer_fd, on_timer);
	if (loop->wake_event == NULL || loop->timer_event == NULL)
		return -1;
	return 0;
}

static void
close_events(struct loop *loop)
{
	if (loop->wake_event != NULL)
		event_free(loop->wake_event);
	if (loop->timer_event != NULL)
		event_free(loop->timer_event);
	if (loop->base != NULL)
		event_base_free(loop->base);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->timer_fd >= 0)
		close(loop->timer_fd);
}

struct loop *
loop_new(int index)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	int error;

	loop->wake_fd = loop->timer_fd = -1;
	loop->base = base_new();
	if (loop->base == NULL || open_events(loop) != 0) {
		error = errno;
		close_events(loop);
		free(loop);
		errno = error;
		return NULL;
	}
	loop->index = index;
	loop->armed_ms = -1;
	loop->now_ms = clock_monotonic_ms();
	timer_wheel_init(&loop->timers, loop->now_ms);
	init_lists(loop);
	pthread_mutex_init(&loop->lock, NULL);
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	assert(!loop->started);
	assert(list_empty(&loop->posted_here) &&
	    list_empty(&loop->deferred) && list_empty(&loop->deferred_last));
	close_events(loop);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

/* --- Mailbox ------------------------------------------------------------- */

static void
wake(struct loop *loop)
{
	uint64_t one = 1;
	ssize_t n = write(loop->wake_fd, &one, sizeof(one));

	/* It could fail only after 2^64 wakes. */
	assert(n == sizeof(one));
}

void
loop_post(struct loop *loop, struct task *task)
{
	assert(task->run != NULL);
	if (loop == current) {
		list_append(&loop->posted_here, &task->node);
		return;
	}
	pthread_mutex_lock(&loop->lock);
	list_append(&loop->mailbox, &task->node);
	atomic_store(&loop->mail, true);
	pthread_mutex_unlock(&loop->lock);
	if (atomic_exchange(&loop->asleep, false))
		wake(loop);
}

/* Move what is in the mailbox to tasks. */
static void
take_mailbox(struct loop *loop, struct list *tasks)
{
	if (!atomic_load(&loop->mail))
		return;
	pthread_mutex_lock(&loop->lock);
	list_splice(tasks, &loop->mailbox);
	atomic_store(&loop->mail, false);
	pthread_mutex_unlock(&loop->lock);
}

static size_t
run_tasks(struct list *tasks)
{
	struct list_node *node;
	size_t count = 0;

	while ((node = list_pop(tasks)) != NULL) {
		struct task *task = LIST_ENTRY(node, struct task, node);

		task->run(task);
		count++;
	}
	return count;
}

/* Run what was posted up to now; what this posts waits for the next pass. */
static void
run_posted(struct loop *loop)
{
	struct list tasks;

	list_init(&tasks);
	list_splice(&tasks, &loop->posted_here);
	take_mailbox(loop, &tasks);
	counter_add(&loop->counters.tasks, run_tasks(&tasks));
}

/* --- End of the pass ----------------------------------------------------- */

void
loop_defer(struct loop *loop, struct task *task)
{
	assert(task->run != NULL);
	if (!list_node_linked(&task->node))
		list_append(&loop->deferred, &task->node);
}

void
loop_defer_last(struct loop *loop, struct task *task)
{
	assert(task->run != NULL);
	if (!list_node_linked(&task->node))
		list_append(&loop->deferred_last, &task->node);
}

void
loop_undefer(struct task *task)
{
	if (list_node_linked(&task->node))
		list_remove(&task->node);
}

static void
run_deferred(struct loop *loop)
{
	struct list last;

	run_tasks(&loop->deferred);
	list_init(&last);
	list_splice(&last, &loop->deferred_last);
	run_tasks(&last);
}

/* --- The pass ------------------------------------------------------------ */

void
loop_enter(struct loop *loop)
{
	if (loop->entered)
		return;
	loop->entered = true;
	loop->now_ms = clock_monotonic_ms();
	atomic_store(&loop->asleep, false);
}

/* How much of the time since the last measurement the thread has run. */
static void
measure(struct loop *loop)
{
	int64_t passed_ms = loop->now_ms - atomic_load_explicit(
	    &loop->measured_ms, memory_order_relaxed);
	int64_t cpu_us;

	if (passed_ms < LOOP_MEASURE_MS)
		return;
	cpu_us = clock_thread_cpu_us();
	atomic_store_explicit(&loop->busy,
	    (int)((cpu_us - loop->measured_cpu_us) / passed_ms),
	    memory_order_relaxed);
	atomic_store_explicit(&loop->measured_ms, loop->now_ms,
	    memory_order_relaxed);
	loop->measured_cpu_us = cpu_us;
	loop->measurements++;
}

/* Let the wait end when the first timer is due. */
static void
arm_timer(struct loop *loop)
{
	int64_t next_ms = timer_wheel_next(&loop->timers);
	struct itimerspec at = { 0 };
	int result;

	/*
	 * A moment that is too early is left, since moving it for each timer
	 * that is stopped costs more than waking once for nothing.
	 */
	if (next_ms < 0 || (loop->armed_ms >= 0 && loop->armed_ms <= next_ms))
		return;
	at.it_value.tv_sec = (time_t)(next_ms / 1000);
	/* All zero would turn it off. */
	at.it_value.tv_nsec = (long)(next_ms % 1000 * 1000000) | 1;
	result = timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
	assert(result == 0);
	loop->armed_ms = next_ms;
}

static bool
has_work(struct loop *loop)
{
	return !list_empty(&loop->posted_here) ||
	    !list_empty(&loop->deferred) ||
	    !list_empty(&loop->deferred_last) || atomic_load(&loop->mail);
}

/*
 * Wait for events and run their callbacks.  The loop says that it sleeps
 * before it looks into the mailbox for the last time, so whoever posts either
 * is seen here or sees that it has to wake us.
 */
static void
run_events(struct loop *loop, bool wait)
{
	int flags = EVLOOP_ONCE;

	atomic_store(&loop->asleep, wait);
	if (!wait || has_work(loop)) {
		atomic_store(&loop->asleep, false);
		flags |= EVLOOP_NONBLOCK;
	}
	counter_add(&loop->counters.passes, 1);
	loop->entered = false;
	if (event_base_loop(loop->base, flags) < 0)
		assert(!"epoll refuses to wait");
	loop_enter(loop);
}

static void
run_pass(struct loop *loop, bool wait)
{
	arm_timer(loop);
	run_events(loop, wait);
	measure(loop);
	run_posted(loop);
	counter_add(&loop->counters.timers,
	    timer_wheel_advance(&loop->timers, loop->now_ms));
	run_deferred(loop);
}

void
loop_step(struct loop *loop, bool wait)
{
	struct loop *outer = current;

	assert(!loop->started);
	current = loop;
	run_pass(loop, wait);
	current = outer;
}

/* --- The thread ---------------------------------------------------------- */

static bool
ended(struct loop *loop)
{
	return atomic_load(&loop->stopping) && !has_work(loop);
}

static void *
run(void *argument)
{
	struct loop *loop = argument;

	current = loop;
	do
		run_pass(loop, true);
	while (!ended(loop));
	return NULL;
}

int
loop_start(struct loop *loop, const char *name)
{
	assert(!loop->started);
	if (thread_start(&loop->thread, name, run, loop) != 0)
		return -1;
	loop->started = true;
	return 0;
}

void
loop_stop(struct loop *loop)
{
	assert(loop->started && loop != current);
	atomic_store(&loop->stopping, true);
	wake(loop);
	pthread_join(loop->thread, NULL);
	loop->started = false;
	atomic_store(&loop->stopping, false);
}

/* --- Accessors ----------------------------------------------------------- */

int
loop_index(const struct loop *loop)
{
	return loop->index;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

int64_t
loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

void
loop_load_add(struct loop *loop, int delta)
{
	atomic_fetch_add_explicit(&loop->load, delta, memory_order_relaxed);
}

int
loop_load(const struct loop *loop)
{
	return atomic_load_explicit(&loop->load, memory_order_relaxed);
}

int
loop_busy(const struct loop *loop)
{
	int64_t measured_ms = atomic_load_explicit(&loop->measured_ms,
	    memory_order_relaxed);

	/* One that works measures; this one sleeps. */
	if (clock_monotonic_ms() - measured_ms > 4 * LOOP_MEASURE_MS)
		return 0;
	return atomic_load_explicit(&loop->busy, memory_order_relaxed);
}

unsigned int
loop_measurements(const struct loop *loop)
{
	return loop->measurements;
}

const struct loop_counters *
loop_counters(const struct loop *loop)
{
	return &loop->counters;
}

struct timer_wheel *
loop_timers(struct loop *loop)
{
	return &loop->timers;
}
