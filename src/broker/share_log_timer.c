#include "broker/share_log_inner.h"

#include "base/clock.h"
#include "broker/wakeup.h"
#include "net/loop.h"

/* The next lock's end, or -1 where the timer is not needed.  Locked. */
static int64_t
next_deadline(struct share_log *log)
{
	int64_t deadline = log->state == LOG_ACTIVE ?
	    share_partition_next_deadline(log->records) :
	    INT64_MAX;

	log->timed = deadline != INT64_MAX;
	return log->timed ? deadline : -1;
}

/* Start the timer, which has a reference while it runs. */
static void
timer_arm(struct share_log *log, int64_t deadline_ms)
{
	if (deadline_ms < 0) {
		share_log_unref(log);
		return;
	}
	timer_start(log->loop, &log->timer,
	    MAX(deadline_ms - clock_monotonic_ms(), 0));
}

static void
on_arm(struct task *task)
{
	struct share_log *log = CONTAINER_OF(task, struct share_log, arm);
	int64_t deadline;

	pthread_mutex_lock(&log->mutex);
	deadline = next_deadline(log);
	pthread_mutex_unlock(&log->mutex);
	timer_arm(log, deadline);
}

static void
on_timer(struct timer *timer)
{
	struct share_log *log = CONTAINER_OF(timer, struct share_log, timer);
	struct share_group_config config = share_log_config(log);
	struct share_partition_change change = { 0 };
	bool mine = false;
	struct list fired;
	int64_t deadline;

	list_init(&fired);
	pthread_mutex_lock(&log->mutex);
	if (log->state == LOG_ACTIVE)
		share_partition_expire(log->records, &config.limits,
		    clock_monotonic_ms(), &change);
	if (change.states_count > 0) {
		mine = share_log_write(log, &change, NULL);
		share_log_event(log, &fired);
	}
	deadline = next_deadline(log);
	pthread_mutex_unlock(&log->mutex);
	wakeup_post_all(&fired);
	share_log_hand_over(log, mine);
	timer_arm(log, deadline);
}

void
share_log_timer_init(struct share_log *log)
{
	log->arm.run = on_arm;
	timer_init(&log->timer, on_timer);
}

bool
share_log_timer_wanted(struct share_log *log)
{
	if (log->timed)
		return false;
	log->timed = true;
	share_log_ref(log);
	return true;
}
