/*
 * What a broker costs before and beside the traffic: connections that do
 * nothing, a topic of many partitions, the way from exec to the first
 * acknowledged record.  Each prints one line of JSON and ends the program
 * with a line where the broker does not do what it should.
 */
#ifndef BENCH_PROBES_H
#define BENCH_PROBES_H

#include "bench/frames.h"

/*
 * Open connections that have each talked once, and look at what the broker
 * uses for seconds; pid is the broker's.
 */
void probe_idle(
    const struct broker *broker, int connections, double seconds, long pid);

/* Create the topic of load and have each partition acknowledge a record. */
void probe_partitions(
    const struct broker *broker, const struct load *load, long pid);

/*
 * Run the command, which is to serve at broker, until it has acknowledged a
 * record of a new topic; then stop it.
 */
void probe_start(
    const struct broker *broker, const struct load *load, char **command);

#endif
