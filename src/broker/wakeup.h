/*
 * Wakeup: something on a loop that waits for another thread's doing.
 *
 * It is embedded in what waits.  Whoever makes the wait come true takes it
 * out of the list that it waits in (under that list's lock) and collects it;
 * once the lock is gone wakeup_post_all sends all that was collected to their
 * loops, where task.run is called.  Until then, or until its waiter has been
 * unlinked under the lock, a wakeup must not be freed.
 */
#ifndef BROKER_WAKEUP_H
#define BROKER_WAKEUP_H

#include "base/base.h"
#include "base/task.h"

struct loop;

struct wakeup {
	struct task task;	/* run is called on loop */
	struct loop *loop;
};

/* run will be called on loop, once for each time it is collected and posted. */
void wakeup_init(struct wakeup *wakeup, struct loop *loop,
    void (*run)(struct task *task));

/* Put wakeup at the end of fired, a list of task nodes. */
void wakeup_collect(struct wakeup *wakeup, struct list *fired);

/* Post all of fired to their loops; fired is empty then.  Any thread. */
void wakeup_post_all(struct list *fired);

#endif
