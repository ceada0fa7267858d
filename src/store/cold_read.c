#include "base/base.h"
#include "store/cold_read.h"

#include "base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The same on all architectures; older C libraries do not have it. */
#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif

#define PAGE_LEN 4096
#define PIECE_LEN ((size_t)128 << 10)
/* The kernel reads ahead in larger pieces, so one page tells for that much. */
#define SAMPLE_LEN ((size_t)16 << 10)
/* Of what is all in the cache, and may be on its way there. */
#define ARRIVAL_LEN ((size_t)64 << 10)
/* So much of what is behind a range is read too, but not more than this. */
#define AHEAD_RANGES 4
#define AHEAD_LEN_MAX ((size_t)4 << 20)

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
warm_by_sample(int fd, int64_t position, size_t len, size_t step)
{
	for (size_t at = 0; at < len; at += step) {
		if (!byte_warm(fd, position + (int64_t)at))
			return false;
	}
	return byte_warm(fd, position + (int64_t)len - 1);
}

/* Pages count as cached from the moment at which they are asked for. */
bool
cold_read_is_warm(
    struct worker_pool *pool, int fd, int64_t position, size_t len)
{
	int warm;

	assert(position >= 0);
	if (len == 0)
		return true;
	warm = warm_by_count(fd, position, len);
	if (warm < 0)
		return warm_by_sample(fd, position, len, SAMPLE_LEN);
	return warm > 0 &&
	    (worker_pool_unfinished(pool) == 0 ||
		warm_by_sample(fd, position, len, ARRIVAL_LEN));
}

/* --- On the pool -------------------------------------------------------- */

/*
 * The same file without the kernel's read-ahead, and for longer than its owner
 * keeps it open; -1 where there is none.
 */
static int
open_again(int fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	if (again >= 0)
		(void)posix_fadvise(again, 0, 0, POSIX_FADV_RANDOM);
	return again;
}

/* Ask for a range, in pieces between which the kernel gives way to others. */
static void
ask_for(int fd, int64_t position, size_t len)
{
	for (size_t at = 0; at < len; at += PIECE_LEN)
		(void)posix_fadvise(fd, (off_t)position + (off_t)at,
		    (off_t)MIN(PIECE_LEN, len - at), POSIX_FADV_WILLNEED);
}

/*
 * Wait for what is there of a range.  The null device takes pages without
 * looking at them, so nothing is copied; a copy would cost more processor
 * time than all the rest, and push out of its caches what the loops use.
 * How far it came.
 */
static off_t
wait_by_sending(int fd, off_t at, off_t end)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (null < 0)
		return at;
	while (at < end && n != 0) {
		n = sendfile(
		    null, fd, &at, MIN(PIECE_LEN, (size_t)(end - at)));
		if (n < 0 && errno != EINTR)
			break;
	}
	close(null);
	return at;
}

/* Where there is no such device, or no descriptor, or nothing to splice. */
static void
wait_by_copying(int fd, off_t at, off_t end)
{
	char bytes[SAMPLE_LEN];
	ssize_t n = 1;

	while (at < end && n != 0) {
		n = pread(
		    fd, bytes, MIN(sizeof(bytes), (size_t)(end - at)), at);
		if (n < 0 && errno != EINTR)
			break;
		at += MAX(n, 0);
	}
}

static void
wait_for(int fd, int64_t position, size_t len)
{
	off_t end = (off_t)position + (off_t)len;

	wait_by_copying(fd, wait_by_sending(fd, (off_t)position, end), end);
}

static void
bring_in(int fd, int64_t position, size_t len)
{
	ask_for(fd, position, len);
	wait_for(fd, position, len);
}

static void
read_run(struct task *task)
{
	struct cold_read *read = CONTAINER_OF(task, struct cold_read, task);
	struct worker_pool *pool = read->pool;
	int64_t end = read->position + (int64_t)read->len;
	size_t ahead = MIN(AHEAD_RANGES * read->len, AHEAD_LEN_MAX);
	int fd = open_again(read->fd);

	bring_in(fd < 0 ? read->fd : fd, read->position, read->len);
	/* It is gone with this call. */
	read->done(read);
	/* This one is the only one, so nobody waits, nor reads the same. */
	if (fd >= 0 && worker_pool_unfinished(pool) == 1)
		bring_in(fd, end, ahead);
	if (fd >= 0)
		close(fd);
}

void
cold_read_now(int fd, int64_t position, size_t len)
{
	int again = open_again(fd);

	bring_in(again < 0 ? fd : again, position, len);
	if (again >= 0)
		close(again);
}

void
cold_read_start(struct cold_read *read, struct worker_pool *pool)
{
	read->pool = pool;
	read->task.run = read_run;
	worker_pool_post(pool, &read->task);
}
