/*
 * Thread: starting one the way all of ours start.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base/base.h"

/*
 * Start a thread that runs fn(argument) under name (the kernel keeps its
 * first 15 bytes) with all signals blocked, so that signals reach the main
 * thread only and SIGPIPE nobody.  -1 with errno where there is none to be
 * had.  The caller joins it.
 */
int thread_start(pthread_t *thread, const char *name, void *(*fn)(void *),
    void *argument) WARN_UNUSED;

#endif
