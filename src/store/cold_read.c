#include "base/base.h"
#include "store/cold_read.h"

#include "base/worker.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The same on all architectures; older C libraries do not have it. */
#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif

#define PAGE_LEN 4096
#define READ_LEN ((size_t)128 << 10)
/* The kernel reads ahead in larger pieces, so one page tells for that much. */
#define SAMPLE_LEN ((size_t)16 << 10)

/* The kernel's structures (linux/mman.h from 6.5 on). */
struct range {
	uint64_t position;
	uint64_t len;
};

struct range_pages {
	uint64_t cached;
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
};

/* 1 and 0 for yes and no, -1 where the kernel cannot tell. */
static int
warm_by_count(int fd, int64_t position, size_t len)
{
	struct range range = { (uint64_t)position, len };
	struct range_pages pages = { 0 };
	uint64_t first = (uint64_t)position / PAGE_LEN;
	uint64_t last = ((uint64_t)position + len - 1) / PAGE_LEN;

	if (syscall(__NR_cachestat, fd, &range, &pages, 0) < 0)
		return -1;
	return pages.cached >= last - first + 1;
}

static bool
byte_warm(int fd, int64_t position)
{
	char byte;
	struct iovec iov = { &byte, 1 };

	return preadv2(fd, &iov, 1, position, RWF_NOWAIT) == 1;
}

static bool
warm_by_sample(int fd, int64_t position, size_t len)
{
	for (size_t at = 0; at < len; at += SAMPLE_LEN) {
		if (!byte_warm(fd, position + (int64_t)at))
			return false;
	}
	return byte_warm(fd, position + (int64_t)len - 1);
}

bool
cold_read_is_warm(int fd, int64_t position, size_t len)
{
	int warm;

	assert(position >= 0);
	if (len == 0)
		return true;
	warm = warm_by_count(fd, position, len);
	return warm < 0 ? warm_by_sample(fd, position, len) : warm > 0;
}

static void
read_run(struct task *task)
{
	struct cold_read *read = CONTAINER_OF(task, struct cold_read, task);
	char *scratch = xmalloc(READ_LEN);

	for (size_t at = 0; at < read->len;) {
		ssize_t n =
		    pread(read->fd, scratch, MIN(READ_LEN, read->len - at),
			read->position + (int64_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	free(scratch);
	read->done(read);
}

void
cold_read_start(struct cold_read *read, struct worker_pool *pool)
{
	read->task.run = read_run;
	worker_pool_post(pool, &read->task);
}
