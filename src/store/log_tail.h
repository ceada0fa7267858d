/*
 * Where the last batches of the active segment are, so that those who read at
 * the tail need neither an index nor a look at the file.
 *
 * A ring; it grows while what it would forget is still above the high
 * watermark, up to LOG_TAIL_MAX batches.  Guarded by the log's lock.
 */
#ifndef STORE_LOG_TAIL_H
#define STORE_LOG_TAIL_H

#include "base/base.h"

#define LOG_TAIL_MAX 1024

struct log_tail_entry {
	int64_t base_offset;
	int64_t position;
};

struct log_tail {
	struct log_tail_entry *entries;	/* owned; NULL at first */
	size_t capacity;		/* 0 or a power of two */
	size_t first;			/* of the oldest */
	size_t count;
};

void log_tail_init(struct log_tail *tail);
void log_tail_fini(struct log_tail *tail);

/* Forget all. */
void log_tail_clear(struct log_tail *tail);

/* Note a batch behind the others.  keep_from is the high watermark. */
void log_tail_push(struct log_tail *tail, int64_t base_offset,
    int64_t position, int64_t keep_from);

/*
 * The batch that holds offset, which is below the log's end; its size is known
 * by where the next one begins: *end, or -1 for the last.  False where it has
 * been forgotten.
 */
bool log_tail_find(const struct log_tail *tail, int64_t offset,
    int64_t *position, int64_t *end);

/*
 * The largest position up to limit where a batch begins or the last one ends
 * (size_bytes), or -1 where no batch begins at or below it that is known.
 */
int64_t log_tail_floor(const struct log_tail *tail, int64_t limit,
    int64_t size_bytes);

#endif
