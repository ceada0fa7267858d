/*
 * What this disk costs, for comparison: a directory's file system is asked to
 * make durable what a broker makes durable.
 *
 *	disk DIRECTORY FILES
 *
 * Prints one line of JSON: a KiB appended to one file with fdatasync, again
 * and again; and a KiB appended to each of FILES files with one syncfs for
 * all.  The files are removed again.
 */
#include "base/clock.h"
#include "bench/histogram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define BLOCK_LEN 1024
#define SINGLE_ROUNDS 1000
#define MANY_ROUNDS 20

static uint8_t block[BLOCK_LEN];

static void __attribute__((noreturn))
fail(const char *what)
{
	fprintf(stderr, "disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *
file_path(const char *directory, int number)
{
	return xasprintf("%s/disk-%d", directory, number);
}

static int
file_open(const char *directory, int number)
{
	char *path = file_path(directory, number);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0)
		fail(path);
	free(path);
	return fd;
}

static void
append(int fd, int round)
{
	if (pwrite(fd, block, BLOCK_LEN, (off_t)round * BLOCK_LEN) !=
	    BLOCK_LEN)
		fail("pwrite");
}

static uint64_t
since_ns(int64_t begin_us)
{
	return (uint64_t)(clock_monotonic_us() - begin_us) * 1000;
}

static void
measure_single(int fd, struct histogram *histogram)
{
	/* Blocks reserved ahead, as the broker has them. */
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, SINGLE_ROUNDS * BLOCK_LEN) <
		0 &&
	    errno != EOPNOTSUPP)
		fail("fallocate");
	for (int round = 0; round < SINGLE_ROUNDS; round++) {
		int64_t begin_us = clock_monotonic_us();

		append(fd, round);
		if (fdatasync(fd) != 0)
			fail("fdatasync");
		histogram_add(histogram, since_ns(begin_us));
	}
}

static void
measure_many(const int *fds, int count, struct histogram *histogram)
{
	for (int round = 0; round < MANY_ROUNDS; round++) {
		int64_t begin_us;

		for (int i = 0; i < count; i++)
			append(fds[i], round);
		begin_us = clock_monotonic_us();
		if (syncfs(fds[0]) != 0)
			fail("syncfs");
		histogram_add(histogram, since_ns(begin_us));
	}
}

int
main(int argc, char **argv)
{
	static struct histogram single, many;
	int count = argc == 3 ? atoi(argv[2]) : 0;
	struct rlimit limit;
	int *fds;

	if (count < 1) {
		fprintf(stderr, "usage: disk DIRECTORY FILES\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	fds = xcalloc((size_t)count, sizeof(*fds));
	for (int i = 0; i < count; i++)
		fds[i] = file_open(argv[1], i);
	measure_many(fds, count, &many);
	measure_single(fds[0], &single);
	printf("{\"mode\":\"disk\",\"files\":%d", count);
	histogram_print(&single, "fdatasync");
	histogram_print(&many, "syncfs");
	printf("}\n");
	for (int i = 0; i < count; i++) {
		char *path = file_path(argv[1], i);

		close(fds[i]);
		unlink(path);
		free(path);
	}
	free(fds);
	return 0;
}
