/*
 * What a dump has found on its way and lists at its end, on standard error:
 * index entries that do not agree with the log, and gaps between offsets.
 */
#ifndef CLI_DUMP_LOG_FINDINGS_H
#define CLI_DUMP_LOG_FINDINGS_H

#include <stdio.h>

#include "base/base.h"

enum dump_log_finding {
	DUMP_LOG_OFFSET_MISMATCH,	/* of the index, of the log */
	DUMP_LOG_TIMESTAMP_MISMATCH,	/* of the index, of the log */
	DUMP_LOG_TIMESTAMP_ORDER,	/* of the index, the one before */
	DUMP_LOG_OFFSET_NOT_FOUND,	/* of the index, of the log or -1 */
	DUMP_LOG_GAP,			/* the offset before, the next one */
	DUMP_LOG_FINDINGS,
};

struct dump_log_pair {
	int64_t first;
	int64_t second;
};

/* All of one kind in one file. */
struct dump_log_file_findings {
	char *path;			/* owned, absolute */
	struct dump_log_pair *pairs;	/* owned */
	size_t count;
	size_t capacity;
};

struct dump_log_findings {
	struct {
		struct dump_log_file_findings *files;	/* owned */
		size_t count;
	} kinds[DUMP_LOG_FINDINGS];
};

void dump_log_findings_init(struct dump_log_findings *findings);
void dump_log_findings_fini(struct dump_log_findings *findings);

void dump_log_findings_add(struct dump_log_findings *findings,
    enum dump_log_finding kind, const char *path, int64_t first,
    int64_t second);

/*
 * Print them.  Mismatches of offsets are printed by falling offsets of the
 * index, gaps by rising ones, of each offset the newest one, all else in the
 * order in which it was found, as in Kafka.
 */
void dump_log_findings_print(const struct dump_log_findings *findings,
    FILE *out);

#endif
