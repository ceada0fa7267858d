/*
 * `klamm dump-log`: what Apache Kafka's kafka-dump-log.sh prints
 * (org.apache.kafka.tools.DumpLogSegments), line by line.
 *
 * Files are only read: no lock is taken, nothing is recovered or made.  Memory
 * is bounded by the largest batch (DUMP_LOG_BATCH_LEN_MAX) and by the number
 * of mismatches that are listed at the end.
 *
 * A file that cannot be dumped to its end ends the dump, as in Kafka, whose
 * stack trace is one line of ours.
 */
#ifndef CLI_DUMP_LOG_H
#define CLI_DUMP_LOG_H

#include <stdio.h>

#include "base/base.h"
#include "base/buf.h"
#include "cli/dump_log_findings.h"
#include "cli/dump_log_options.h"
#include "store/file_scan.h"

/* The largest batch that is looked into, and what it may decompress to. */
#define DUMP_LOG_BATCH_LEN_MAX (256 * 1024 * 1024)
/* What is read of a log at once. */
#define DUMP_LOG_BUFFER_LEN (256 * 1024)

struct disk;
struct record;

struct dump_log {
	const struct dump_log_options *options;
	struct disk *disk;
	FILE *out;
	FILE *err;
	uint8_t *buffer;	/* DUMP_LOG_BUFFER_LEN, for one scan */
	struct buf scratch;	/* decompressed records */
	struct dump_log_findings findings;
};

/*
 * Dump the files of options, messages to err.  The exit code.
 */
int dump_log_run(const struct dump_log_options *options, struct disk *disk,
    FILE *out, FILE *err);

/*
 * Verify all of the directories: dump_log_deep.c.  The exit code.
 */
int dump_log_deep(const struct dump_log_options *options, struct disk *disk,
    FILE *out);

/*
 * Dump one file.  -1 with a line on err where it cannot be dumped to its end.
 * In dump_log_batches.c, dump_log_index.c and dump_log_states.c.
 */
int dump_log_batches(struct dump_log *dump, const char *path) WARN_UNUSED;
int dump_log_offset_index(struct dump_log *dump, const char *path) WARN_UNUSED;
int dump_log_time_index(struct dump_log *dump, const char *path) WARN_UNUSED;
int dump_log_txn_index(struct dump_log *dump, const char *path) WARN_UNUSED;
int dump_log_producers(struct dump_log *dump, const char *path) WARN_UNUSED;

/* Print key and value of a record that is no control record. */
int dump_log_contents(struct dump_log *dump, const struct record *record,
    const char *prefix) WARN_UNUSED;

/* The same for one of __remote_log_metadata, in dump_log_remote.c. */
void dump_log_remote(struct dump_log *dump, const struct record *record,
    const char *prefix);

/* Print what a control record says. */
int dump_log_control(struct dump_log *dump, const struct record *record)
    WARN_UNUSED;

/* Say on err why a file cannot be dumped to its end; the result is -1. */
int dump_log_fail(struct dump_log *dump, const char *path, const char *format,
    ...) PRINTF_LIKE(3, 4) WARN_UNUSED;

/*
 * Open a regular file for reading, and nothing else.  The descriptor, which
 * the caller closes, or -1.
 */
int dump_log_open(struct dump_log *dump, const char *path, int64_t *size)
    WARN_UNUSED;

/* The part of a path behind its last slash. */
const char *dump_log_name(const char *path);

/* The base offset that a file's name begins with; -1 where it has none. */
int dump_log_base_offset(struct dump_log *dump, const char *path,
    int64_t *base_offset) WARN_UNUSED;

/*
 * What is wrong with the bytes at which a scan ended other than by a batch:
 * NULL where Kafka sees the end of the log or a torn batch, else a sentence on
 * the heap.
 */
char *dump_log_scan_problem(const struct file_scan *scan,
    enum file_scan_step step, const char *path);

#endif
