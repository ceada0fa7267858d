/*
 * Parallel: one function over many indexes, on a few threads, for the work of
 * a start or a stop.
 */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include "base/base.h"

/*
 * Call fn(context, index) once for each index below count, on the caller's
 * thread and up to thread_count - 1 more; returns when all are done.  Where
 * threads are not to be had it does with fewer.
 */
void parallel_run(int thread_count, size_t count,
    void (*fn)(void *context, size_t index), void *context);

#endif
