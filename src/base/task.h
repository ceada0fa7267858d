/*
 * Something to run later, on another thread or at the end of a loop's pass.
 *
 * A task is embedded in what it is about; run finds that with CONTAINER_OF.
 * It is in one queue at a time, and the queue has let go of it before run is
 * called, so run may post it again or free it.
 */
#ifndef BASE_TASK_H
#define BASE_TASK_H

#include "base/base.h"
#include "base/list.h"

struct task {
	struct list_node node;
	void (*run)(struct task *task);
};

#endif
