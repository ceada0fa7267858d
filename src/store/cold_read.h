/*
 * Cold reads: bringing parts of files into the page cache on other threads,
 * so that a loop never waits for the disk.
 *
 * Whether that is needed, cold_read_is_warm tells without blocking.
 *
 * What is read ahead of the reader is read here too, never by the kernel: it
 * marks one of the pages that it reads, and whoever comes to that page has to
 * find memory for the next ones and ask the disk for them, megabytes at a
 * time.  That would be a loop in the middle of a sendfile.
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
	struct worker_pool *pool; /* set by cold_read_start */
};

/*
 * Read the range on a thread of pool, then call read->done there.  While the
 * pool has nothing else to do, it goes on with some of what is behind it.
 */
void cold_read_start(struct cold_read *read, struct worker_pool *pool);

/* Read the range on this thread, which waits for it. */
void cold_read_now(int fd, int64_t position, size_t len);

/*
 * Is the range in the page cache, so that reading it does not wait for the
 * disk?  pool is where cold reads are made, which may be on their way with it.
 * May say no where it is; never blocks.  Any thread.
 */
bool cold_read_is_warm(struct worker_pool *pool, int fd, int64_t position,
    size_t len);

#endif
