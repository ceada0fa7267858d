/*
 * What the machine has, and what it is busy with.
 */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include "base/base.h"

/* Processors that are online, at least 1. */
int machine_processors(void);

/*
 * Threads of all processes that run or wait for a processor, the caller among
 * them, at this moment; -1 where the system does not tell.  Takes some ten
 * microseconds.
 */
int machine_runnable(void);

#endif
