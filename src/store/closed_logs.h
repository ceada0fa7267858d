/*
 * What an orderly stop knows of the logs in a log directory, in one file, so
 * that the next start need not open some ten files of each of them.
 *
 *     off  size  field
 *     0    4     version u32: 1
 *     4    4     CRC-32C u32 of all that follows
 *     8          for each log: name length u16, description length u32, the
 *                name of its directory, the description (log_close_described)
 *
 * The file is klamm's own: Apache Kafka ignores it.  It is a memory, never the
 * truth: each description says itself whether the files are still those that
 * it was made from, and a log without one is loaded from its files.
 *
 * Not thread-safe, but for closed_logs_find while nothing changes.
 */
#ifndef STORE_CLOSED_LOGS_H
#define STORE_CLOSED_LOGS_H

#include "base/buf.h"
#include "base/map.h"

#define CLOSED_LOGS_FILE ".klamm_closed_logs"

struct disk;

struct closed_logs {
	struct buf file;     /* what was read, or is to be written */
	struct slice *found; /* owned; the descriptions, borrowed from file */
	size_t found_count;
	struct map by_name;  /* to elements of found */
};

void closed_logs_init(struct closed_logs *logs);
void closed_logs_fini(struct closed_logs *logs);

/*
 * Add a log to an instance that was not read; nothing happens where the file
 * would become too large to be read.
 */
void closed_logs_add(
    struct closed_logs *logs, struct slice name, struct slice description);

/* Write what was added, durably.  0, or -1 with errno. */
int closed_logs_write(struct closed_logs *logs, struct disk *disk,
    const char *path) WARN_UNUSED;

/*
 * Read the file at path into an empty instance.  0, or -1 with errno, EBADMSG
 * where it is damaged; it is empty then.
 */
int closed_logs_read(struct closed_logs *logs, struct disk *disk,
    const char *path) WARN_UNUSED;

/* The same from the file's bytes, which are copied. */
int closed_logs_decode(struct closed_logs *logs, struct slice bytes)
    WARN_UNUSED;

/* The description of a log; SLICE_NULL where there is none.  Borrowed. */
struct slice closed_logs_find(
    const struct closed_logs *logs, struct slice name);

#endif
