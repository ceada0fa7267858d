/*
 * What a process has spent, as the kernel counts it.
 *
 * The headline is CPU time, user and system, of /proc/PID/stat: on a machine
 * with few cores the clients saturate first, so a rate says little about the
 * broker while its CPU per request says all.
 */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include "base/base.h"

struct cost {
	double cpu_s;         /* of the process; steps of 10 ms */
	double machine_s;     /* that all processes used */
	uint64_t switches;    /* of the context, of the threads alive */
	double threads_cpu_s; /* of the threads alive; fine steps */
	long threads;
	long rss_kb, peak_kb;
};

/* The cost of a process so far; zeros for pid 0 and one that is gone. */
void cost_read(struct cost *cost, long pid);

/* CPU time of this process, in seconds. */
double cost_own(void);

#endif
