#include "broker/wakeup.h"

#include "net/loop.h"

void
wakeup_init(
    struct wakeup *wakeup, struct loop *loop, void (*run)(struct task *task))
{
	*wakeup = (struct wakeup){ .task.run = run, .loop = loop };
}

void
wakeup_collect(struct wakeup *wakeup, struct list *fired)
{
	list_append(fired, &wakeup->task.node);
}

void
wakeup_post_all(struct list *fired)
{
	struct loop *here = loop_current();
	struct list_node *node;

	while ((node = list_pop(fired)) != NULL) {
		struct task *task = LIST_ENTRY(node, struct task, node);
		struct loop *loop =
		    CONTAINER_OF(task, struct wakeup, task)->loop;

		/* On its own loop it waits for the pass to end, for more. */
		if (loop == here)
			loop_defer(loop, task);
		else
			loop_post(loop, task);
	}
}
