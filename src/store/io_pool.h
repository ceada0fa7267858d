/*
 * The I/O pool: a few threads for file work that may take long, so that it
 * never runs on a loop: cold reads, removal of directories.
 *
 * A read that finds its range in the page cache needs no pool: io_range_warm
 * tells without blocking.
 */
#ifndef STORE_IO_POOL_H
#define STORE_IO_POOL_H

#include "base/base.h"
#include "base/task.h"

struct io_pool;

/* Start thread_count threads. */
struct io_pool *io_pool_new(int thread_count);

/* Run what is queued, stop the threads, free.  NULL is legal. */
void io_pool_free(struct io_pool *pool);

/* Run task on one of the threads, in order of posting.  Any thread. */
void io_pool_post(struct io_pool *pool, struct task *task);

/*
 * Bring a range of a file into the page cache, on one of the threads, and
 * then call done there.  The caller keeps fd open and io_read alive until
 * done; an error of reading is no error here, as the real read meets it too.
 */
struct io_read {
	struct task task;		/* the pool's */
	int fd;
	int64_t position;
	size_t len;
	void (*done)(struct io_read *read);
};

void io_pool_read(struct io_pool *pool, struct io_read *read);

/*
 * Is the range in the page cache, so that reading it does not wait for the
 * disk?  May say no where it is, never blocks.
 */
bool io_pool_range_warm(int fd, int64_t position, size_t len);

#endif
