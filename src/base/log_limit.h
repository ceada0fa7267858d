/*
 * Log limit: lines that somebody else can cause at will, such as those about
 * failed logins, without filling the disk with them.
 *
 * A line is of a kind and about a peer.  The first one of both in an interval
 * is written, the others are counted, and when the interval is over one line
 * says how many they were.  So many peers have an interval of their own at a
 * time; the lines about all others share theirs.
 *
 * Thread-safe; its lock is a leaf.
 */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include "base/base.h"
#include "base/log.h"

struct log_limit;

/* Pairs of kind and peer that have an interval of their own. */
#define LOG_LIMIT_PAIRS 64

/*
 * level and logger are those of the lines that say how many were left out.
 * Without an interval, 0, all lines are written.
 */
struct log_limit *log_limit_new(
    int64_t interval_ms, enum log_level level, const char *logger);

/* What was left out is said; NULL is allowed. */
void log_limit_free(struct log_limit *limit);

/*
 * May a line of kind about peer be written?  It is counted where not.  Both
 * are cut to some tens of bytes, and told apart by these.  NULL: it may.
 */
bool log_limit_admits(struct log_limit *limit, const char *kind,
    struct slice peer);

/*
 * Say what was left out in the intervals that are over: once an interval, by
 * whoever has a timer.
 */
void log_limit_sweep(struct log_limit *limit);

#endif
