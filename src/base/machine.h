/*
 * What the machine has, and what it is busy with.
 */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include "base/base.h"

/* Processors that are online, at least 1. */
int machine_processors(void);

/*
 * Those of them that this process may use: by its affinity, and as far as its
 * container's share of processor time goes.  At least 1; what to size a set of
 * threads by.
 */
int machine_processors_usable(void);

/*
 * Threads of all processes that run or wait for a processor, the caller among
 * them, at this moment; -1 where the system does not tell.  Takes some ten
 * microseconds.
 */
int machine_runnable(void);

#endif
