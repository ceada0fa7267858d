/* Cold reads: what is in the page cache, and bringing it there. */
#include "unit/unit.h"

#include "base/worker.h"
#include "store/cold_read.c"
#include "unit/temp_dir.h"

#include <semaphore.h>
#include <sys/resource.h>

#define FILE_LEN (4 << 20)

struct waiter {
	struct cold_read read;
	sem_t done;
};

static void
on_done(struct cold_read *read)
{
	sem_post(&CONTAINER_OF(read, struct waiter, read)->done);
}

/* A file whose bytes are on the disk, so that its pages can be dropped. */
static int
file_make(const char *dir)
{
	char *path = xasprintf("%s/f", dir);
	char *bytes = xcalloc(1, FILE_LEN);
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	memset(bytes, 'x', FILE_LEN);
	assert_int_equal(pwrite(fd, bytes, FILE_LEN, 0), FILE_LEN);
	assert_int_equal(fdatasync(fd), 0);
	free(bytes);
	free(path);
	return fd;
}

#define RANGE_AT (1 << 20)
#define RANGE_LEN 300000

/*
 * Drop the file's pages; false where some of the range stay, because the file
 * system cannot, or others hold them just now.
 */
static bool
pages_drop(int fd)
{
	struct range range = { RANGE_AT, RANGE_LEN };
	struct range_pages pages = { 0 };

	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
	return syscall(__NR_cachestat, fd, &range, &pages, 0) == 0 &&
	    pages.cached == 0;
}

static void
what_was_written_is_warm(void **state UNUSED)
{
	char *dir = temp_dir_make();
	struct worker_pool *pool = worker_pool_new("cold", 1);
	int fd = file_make(dir);

	assert_non_null(pool);
	assert_true(cold_read_is_warm(pool, fd, 0, FILE_LEN));
	assert_true(cold_read_is_warm(pool, fd, 4095, 2));
	assert_true(cold_read_is_warm(pool, fd, FILE_LEN - 1, 1));
	assert_true(cold_read_is_warm(pool, fd, 0, 0));
	assert_true(warm_by_sample(fd, 0, FILE_LEN, SAMPLE_LEN));
	assert_false(warm_by_sample(fd, FILE_LEN - 1, 2, SAMPLE_LEN));
	worker_pool_stop_free(pool);
	close(fd);
	temp_dir_remove(dir);
}

static void
a_cold_read_warms_its_range(void **state UNUSED)
{
	char *dir = temp_dir_make();
	int fd = file_make(dir);
	struct worker_pool *pool = worker_pool_new("cold", 2);
	struct waiter waiter = { .read = { .fd = fd,
				     .position = RANGE_AT,
				     .len = RANGE_LEN,
				     .done = on_done } };

	assert_non_null(pool);
	sem_init(&waiter.done, 0, 0);
	/* A sample would ask for its bytes, and a fast disk may have them. */
	if (pages_drop(fd))
		assert_false(cold_read_is_warm(pool, fd, RANGE_AT, RANGE_LEN));
	cold_read_start(&waiter.read, pool);
	sem_wait(&waiter.done);
	assert_true(cold_read_is_warm(pool, fd, RANGE_AT, RANGE_LEN));
	assert_true(warm_by_sample(
		    fd, RANGE_AT, RANGE_LEN, SAMPLE_LEN));
	/* Beyond the end, and on no file, it ends all the same. */
	waiter.read.position = FILE_LEN - 10;
	cold_read_start(&waiter.read, pool);
	sem_wait(&waiter.done);
	waiter.read.fd = -1;
	cold_read_start(&waiter.read, pool);
	sem_wait(&waiter.done);
	worker_pool_stop_free(pool);
	close(fd);
	temp_dir_remove(dir);
}

/* What nobody asked for comes in by waiting for it alone. */
static void
no_descriptor_is_needed_to_wait(void **state UNUSED)
{
	char *dir = temp_dir_make();
	int fd = file_make(dir);
	struct rlimit before, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	pages_drop(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(open("/dev/null", O_WRONLY), -1);
	wait_for(fd, RANGE_AT, RANGE_LEN);
	/* Neither the end of the file nor an error is waited for. */
	wait_for(fd, FILE_LEN - 10, RANGE_LEN);
	wait_for(-1, 0, RANGE_LEN);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(warm_by_sample(fd, RANGE_AT, RANGE_LEN, PAGE_LEN));
	close(fd);
	temp_dir_remove(dir);
}

static size_t
pages_cached(int fd)
{
	struct range range = { 0, FILE_LEN };
	struct range_pages pages = { 0 };

	if (syscall(__NR_cachestat, fd, &range, &pages, 0) != 0)
		return 0;
	return pages.cached;
}

/*
 * What is behind a range comes in with it, on the pool, and who reads the
 * range then brings in nothing more.
 */
static void
the_pool_alone_reads_ahead(void **state UNUSED)
{
	char *dir = temp_dir_make();
	int fd = file_make(dir);
	struct worker_pool *pool = worker_pool_new("cold", 2);
	struct waiter waiter = {
		.read = { .fd = fd, .len = RANGE_LEN, .done = on_done }
	};
	char *bytes = xmalloc(RANGE_LEN);
	size_t cached;

	assert_non_null(pool);
	sem_init(&waiter.done, 0, 0);
	pages_drop(fd);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL), 0);
	cached = pages_cached(fd);
	cold_read_start(&waiter.read, pool);
	sem_wait(&waiter.done);
	worker_pool_stop_free(pool);
	/* Where the pages stayed there was nothing to be read. */
	if (cached == 0) {
		cached = pages_cached(fd);
		if (cached > 0)
			assert_in_range(cached, 5 * RANGE_LEN / PAGE_LEN,
			    5 * RANGE_LEN / PAGE_LEN + 2);
		assert_int_equal(pread(fd, bytes, RANGE_LEN, 0), RANGE_LEN);
		assert_int_equal(pages_cached(fd), cached);
	}
	free(bytes);
	close(fd);
	temp_dir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_warm),
		cmocka_unit_test(a_cold_read_warms_its_range),
		cmocka_unit_test(no_descriptor_is_needed_to_wait),
		cmocka_unit_test(the_pool_alone_reads_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
