/* The two indexes, in memory and as Kafka's files. */
#include "unit/unit.h"

#include "store/disk_posix.h"
#include "store/fd_cache.h"
#include "store/offset_index.c"

#include "store/time_index.h"
#include "unit/disk_fault.h"

#include <stdio.h>
#include <unistd.h>

static char *
temp_path(void)
{
	char *path = xasprintf("%s/klamm-index-XXXXXX",
	    getenv("TMPDIR") == NULL ? "/tmp" : getenv("TMPDIR"));
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	return path;
}

static void
drop_path(char *path)
{
	unlink(path);
	free(path);
}

static void
offset_lookup(void **state UNUSED)
{
	struct offset_index_entry entry;
	struct offset_index index;

	offset_index_init(&index);
	assert_false(offset_index_lookup(&index, 5, &entry));
	for (uint32_t i = 1; i <= 100; i++)
		offset_index_append(&index, 10 * i, 100 * i);
	assert_false(offset_index_lookup(&index, 9, &entry));
	for (uint32_t offset = 10; offset < 1100; offset++) {
		assert_true(offset_index_lookup(&index, offset, &entry));
		assert_int_equal(
		    entry.relative_offset, MIN(offset / 10 * 10, 1000));
		assert_int_equal(entry.position, MIN(offset / 10 * 100, 10000));
	}
	offset_index_truncate(&index, 500, INT32_MAX);
	assert_int_equal(index.count, 4);
	/* Entries that say more than is left go as well. */
	offset_index_truncate(&index, 500, 25);
	assert_int_equal(index.count, 2);
	offset_index_fini(&index);
}

static void
offset_file(void **state UNUSED)
{
	static const uint8_t bytes[] = { 0, 0, 0, 7, 0, 0, 1, 0, 0, 1, 0, 0, 0,
		2, 0, 0 };
	struct offset_index index;
	char *path = temp_path();
	uint8_t *data;
	size_t len;

	offset_index_init(&index);
	offset_index_append(&index, 7, 256);
	offset_index_append(&index, 65536, 131072);
	assert_int_equal(offset_index_write(&index, disk_posix(), path), 0);
	data = disk_read_file(disk_posix(), path, 100, &len);
	assert_non_null(data);
	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(data, bytes, len);
	free(data);

	assert_int_equal(
	    offset_index_read(&index, disk_posix(), path, 131073), 0);
	assert_int_equal(index.count, 2);
	assert_int_equal(index.entries[1].position, 131072);
	/* The second entry is beyond such a log. */
	assert_int_equal(
	    offset_index_read(&index, disk_posix(), path, 131072), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(index.count, 0);
	assert_int_equal(truncate(path, 15), 0);
	assert_int_equal(
	    offset_index_read(&index, disk_posix(), path, 1 << 20), -1);
	/* Zeroes behind the entries, as a kill of Kafka leaves them. */
	assert_int_equal(truncate(path, 8), 0);
	assert_int_equal(truncate(path, 80), 0);
	assert_int_equal(
	    offset_index_read(&index, disk_posix(), path, 1 << 20), -1);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(offset_index_read(&index, disk_posix(), path, 0), 0);
	drop_path(path);
	offset_index_fini(&index);
}

static void
time_lookup(void **state UNUSED)
{
	struct time_index_entry entry;
	struct time_index index;

	time_index_init(&index);
	time_index_append(&index, -1, 0);
	assert_int_equal(index.count, 0);
	time_index_append(&index, 0, 3);
	time_index_append(&index, 100, 5);
	/* Neither an older time nor a lower offset gets in. */
	time_index_append(&index, 100, 9);
	time_index_append(&index, 50, 9);
	time_index_append(&index, 200, 4);
	time_index_append(&index, 300, 5);
	assert_int_equal(index.count, 3);
	assert_false(time_index_lookup(&index, -1, &entry));
	assert_true(time_index_lookup(&index, 99, &entry));
	assert_int_equal(entry.relative_offset, 3);
	assert_true(time_index_lookup(&index, 100, &entry));
	assert_int_equal(entry.relative_offset, 5);
	assert_int_equal(entry.timestamp_ms, 100);
	assert_true(time_index_lookup(&index, INT64_MAX, &entry));
	assert_int_equal(entry.timestamp_ms, 300);
	time_index_truncate(&index, 5);
	assert_int_equal(index.count, 1);
	time_index_fini(&index);
}

static void
time_file(void **state UNUSED)
{
	static const uint8_t bytes[] = { 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, 0,
		0, 0, 9 };
	struct time_index index;
	char *path = temp_path();
	uint8_t *data;
	size_t len;

	time_index_init(&index);
	time_index_append(&index, INT64_C(1700000000000), 9);
	assert_int_equal(time_index_write(&index, disk_posix(), path), 0);
	data = disk_read_file(disk_posix(), path, 100, &len);
	assert_non_null(data);
	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(data, bytes, len);
	free(data);
	assert_int_equal(time_index_read(&index, disk_posix(), path), 0);
	assert_int_equal(index.count, 1);
	assert_int_equal(index.entries[0].relative_offset, 9);
	assert_int_equal(truncate(path, 24), 0);
	assert_int_equal(time_index_read(&index, disk_posix(), path), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(index.count, 0);
	drop_path(path);
	time_index_fini(&index);
}

static void
descriptors_are_bounded(void **state UNUSED)
{
	struct fd_cache *cache = fd_cache_new(disk_posix(), 3);
	struct cached_file files[6];
	char *path = temp_path();
	int fds[6];

	for (size_t i = 0; i < COUNT_OF(files); i++)
		fd_cache_file_init(&files[i]);
	assert_int_equal(fd_cache_pin(cache, &files[0]), -1);
	/* What is pinned stays, even beyond the maximum. */
	for (size_t i = 0; i < 5; i++) {
		fds[i] = fd_cache_pin_open(cache, &files[i], path, 0);
		assert_true(fds[i] >= 0);
	}
	assert_int_equal(fd_cache_count(cache), 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(fd_cache_pin(cache, &files[i]), fds[i]);
	for (size_t i = 0; i < 5; i++)
		fd_cache_unpin(cache, &files[i]);
	assert_int_equal(fd_cache_count(cache), 5);
	fd_cache_unpin(cache, &files[2]);
	fd_cache_unpin(cache, &files[0]);
	assert_int_equal(fd_cache_count(cache), 3);
	/* The longest unused went first. */
	assert_int_equal(fd_cache_pin(cache, &files[2]), -1);
	assert_int_equal(fd_cache_pin(cache, &files[0]), -1);
	fd_cache_unpin(cache, &files[1]);
	assert_true(fd_cache_pin_open(cache, &files[5], path, 0) >= 0);
	assert_int_equal(fd_cache_pin(cache, &files[1]), -1);
	assert_int_equal(fd_cache_count(cache), 3);
	for (size_t i = 3; i < 6; i++) {
		fd_cache_unpin(cache, &files[i]);
		fd_cache_close(cache, &files[i]);
	}
	assert_int_equal(fd_cache_count(cache), 0);
	assert_int_equal(
	    fd_cache_pin_open(cache, &files[0], "/nowhere/x", 0), -1);
	assert_int_equal(errno, ENOENT);
	drop_path(path);
	fd_cache_free(cache);
}

/* Where the process has none left, those that are not in use are closed. */
static void
descriptors_are_given_up_for_others(void **state UNUSED)
{
	struct cached_file files[3];
	struct disk_fault fault;
	struct fd_cache *cache;
	char *path = temp_path();

	disk_fault_init(&fault, disk_posix());
	cache = fd_cache_new(&fault.disk, 100);
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		fd_cache_file_init(&files[i]);
		if (i < 2)
			assert_true(fd_cache_pin_open(
					cache, &files[i], path, 0) >= 0);
	}
	disk_fault_fail(&fault, DISK_OPEN, NULL, 0, EMFILE);
	assert_int_equal(fd_cache_pin_open(cache, &files[2], path, 0), -1);
	assert_int_equal(errno, EMFILE);
	fd_cache_unpin(cache, &files[0]);
	disk_fault_fail(&fault, DISK_OPEN, NULL, 0, EMFILE);
	assert_true(fd_cache_pin_open(cache, &files[2], path, 0) >= 0);
	assert_int_equal(fd_cache_pin(cache, &files[0]), -1);
	assert_int_equal(fd_cache_count(cache), 2);
	for (size_t i = 1; i < 3; i++) {
		fd_cache_unpin(cache, &files[i]);
		fd_cache_close(cache, &files[i]);
	}
	fd_cache_free(cache);
	disk_fault_fini(&fault);
	drop_path(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offset_lookup),
		cmocka_unit_test(offset_file),
		cmocka_unit_test(time_lookup),
		cmocka_unit_test(time_file),
		cmocka_unit_test(descriptors_are_bounded),
		cmocka_unit_test(descriptors_are_given_up_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
