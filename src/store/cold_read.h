/*
 * Cold reads: bringing parts of files into the page cache on other threads,
 * so that a loop never waits for the disk.
 *
 * Whether that is needed, cold_read_is_warm tells without blocking.
 */
#ifndef STORE_COLD_READ_H
#define STORE_COLD_READ_H

#include "base/base.h"
#include "base/task.h"

struct worker_pool;

/*
 * Embedded in what waits for the bytes.  The caller keeps fd open and the
 * struct alive until done, which is called on a thread of the pool.  An error
 * of reading is none here: the real read, which follows, meets it too.
 */
struct cold_read {
	struct task task; /* the pool's */
	int fd;
	int64_t position;
	size_t len;
	void (*done)(struct cold_read *read);
};

/* Read the range on a thread of pool, then call read->done there. */
void cold_read_start(struct cold_read *read, struct worker_pool *pool);

/*
 * Is the range in the page cache, so that reading it does not wait for the
 * disk?  May say no where it is; never blocks.  Any thread.
 */
bool cold_read_is_warm(int fd, int64_t position, size_t len);

#endif
