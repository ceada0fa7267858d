/*
 * Durations in text, as Kafka's settings and tools take them.
 */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include "base/base.h"
#include "base/slice.h"

/*
 * A duration as java.time.Duration reads it, "P1DT2H3M4.5S", in ms that are
 * not negative; -1 where it is none, or too long.
 */
int duration_parse(struct slice text, int64_t *duration_ms) WARN_UNUSED;

#endif
