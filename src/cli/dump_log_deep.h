/*
 * `klamm dump-log --deep`: verifies whole data directories.
 *
 * Every batch's checksum, records and offsets; that each index entry, aborted
 * transaction and timestamp agrees with the log; that state files can be read
 * and snapshots are whole.  Each thing that is wrong is a line "FILE: what";
 * nothing stops the rest from being looked at.
 */
#ifndef CLI_DUMP_LOG_DEEP_H
#define CLI_DUMP_LOG_DEEP_H

#include <stdio.h>

#include "base/base.h"
#include "base/buf.h"

struct disk;

struct dump_log_deep {
	struct disk *disk;
	FILE *out;
	uint8_t *buffer;	/* DUMP_LOG_BUFFER_LEN, for one scan */
	struct buf scratch;	/* decompressed records */
	uint64_t files;		/* that were looked at */
	uint64_t problems;
};

/* A segment of a log: DIRECTORY/%020d.log and what is beside it. */
struct dump_log_deep_segment {
	const char *directory;
	int64_t base_offset;
	int64_t next_offset;	/* of the next segment, or INT64_MAX */
	bool metadata;		/* of __cluster_metadata */
};

void dump_log_deep_problem(struct dump_log_deep *deep, const char *path,
    const char *format, ...) PRINTF_LIKE(3, 4);

/* Verify a segment: dump_log_deep_segment.c. */
void dump_log_deep_segment(struct dump_log_deep *deep,
    const struct dump_log_deep_segment *segment);

#endif
