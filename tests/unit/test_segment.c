/* A segment by itself, and the walk over a file's batches. */
#include "unit/store_fixture.h"

#include "store/file_scan.h"
#include "store/segment.h"
#include "store/log_internal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void
append_sizes(struct fixture *fixture, const size_t *sizes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){ .value_len = sizes[i],
			.timestamp_ms = FIXTURE_NOW_MS + (int64_t)i });
}

/* Batches larger and smaller than the buffer are found and checked alike. */
static void
scan_with_any_buffer(void **state)
{
	static const size_t sizes[] = { 1, 5000, 10, 200, 70000, 3 };
	static const size_t caps[] = { FILE_SCAN_BUFFER_MIN, 200, 4096,
		1 << 20 };
	struct fixture *fixture = *state;
	struct segment *segment = log_active(fixture->log);
	int fd;

	append_sizes(fixture, sizes, COUNT_OF(sizes));
	fd = segment_pin(segment);
	for (size_t i = 0; i < COUNT_OF(caps); i++) {
		uint8_t *buffer = xmalloc(caps[i]);
		struct file_scan scan;
		struct batch batch;
		int64_t offset = 0;

		file_scan_init(&scan, &fixture->fault.disk, fd, 0,
		    segment->size_bytes, buffer, caps[i]);
		while (file_scan_next(&scan, &batch) == FILE_SCAN_BATCH) {
			struct slice bytes;
			uint8_t *heap;

			assert_int_equal(batch.base_offset, offset++);
			assert_int_equal(file_scan_crc_valid(&scan, &batch), 1);
			bytes = file_scan_bytes(&scan, &heap);
			assert_int_equal(bytes.len, batch.size_bytes);
			assert_true(batch_crc_valid(bytes));
			free(heap);
		}
		assert_int_equal(offset, COUNT_OF(sizes));
		assert_int_equal(scan.position, segment->size_bytes);
		free(buffer);
	}
	segment_unpin(segment);
}

static void
scan_ends(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment = log_active(fixture->log);
	static const size_t sizes[] = { 10, 10 };
	uint8_t buffer[512];
	struct file_scan scan;
	struct batch batch;
	uint8_t byte = 9;
	int64_t size;
	int fd;

	append_sizes(fixture, sizes, COUNT_OF(sizes));
	size = segment->size_bytes;
	fd = segment_pin(segment);
	for (int64_t end = size / 2 + 1; end < size; end++) {
		file_scan_init(&scan, &fixture->fault.disk, fd, 0, end, buffer,
		    sizeof(buffer));
		assert_int_equal(
		    file_scan_next(&scan, &batch), FILE_SCAN_BATCH);
		assert_int_equal(file_scan_next(&scan, &batch), FILE_SCAN_CUT);
		assert_int_equal(scan.position, size / 2);
	}
	/* The file is shorter than it was said to be. */
	file_scan_init(&scan, &fixture->fault.disk, fd, 0, size + 100, buffer,
	    sizeof(buffer));
	assert_int_equal(file_scan_next(&scan, &batch), FILE_SCAN_BATCH);
	assert_int_equal(file_scan_next(&scan, &batch), FILE_SCAN_BATCH);
	assert_int_equal(file_scan_next(&scan, &batch), FILE_SCAN_ERROR);
	/* Magic 9. */
	fixture_poke(fixture, "00000000000000000000.log", 16, &byte, 1);
	file_scan_init(
	    &scan, &fixture->fault.disk, fd, 0, size, buffer, sizeof(buffer));
	assert_int_equal(file_scan_next(&scan, &batch), FILE_SCAN_CORRUPT);
	file_scan_init(
	    &scan, &fixture->fault.disk, fd, 0, size, buffer, sizeof(buffer));
	disk_fault_fail(&fixture->fault, DISK_PREAD, NULL, 0, EIO);
	assert_int_equal(file_scan_next(&scan, &batch), FILE_SCAN_ERROR);
	disk_fault_clear(&fixture->fault);
	segment_unpin(segment);
}

static void
locate_from_any_place(void **state)
{
	static const size_t sizes[] = { 10, 9000, 10, 10, 20000, 10 };
	struct fixture *fixture = *state;
	struct segment *segment = log_active(fixture->log);
	int64_t positions[COUNT_OF(sizes) + 1];
	struct segment_bound bound = { .offset = INT64_MAX };
	size_t size_bytes;

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		positions[i] = segment->size_bytes;
		append_sizes(fixture, sizes + i, 1);
	}
	positions[COUNT_OF(sizes)] = segment->size_bytes;
	bound.position = segment->size_bytes;
	for (size_t from = 0; from < COUNT_OF(sizes); from++) {
		for (size_t to = from; to <= COUNT_OF(sizes); to++) {
			int64_t position = positions[from];
			int found = segment_locate(segment, (int64_t)to,
			    &position, &bound, &size_bytes);

			assert_int_equal(found, to < COUNT_OF(sizes));
			assert_int_equal(position, positions[to]);
			if (found)
				assert_int_equal(size_bytes,
				    positions[to + 1] - positions[to]);
		}
	}
	positions[0] = 1;
	assert_int_equal(
	    segment_locate(segment, 0, &positions[0], &bound, &size_bytes), -1);
	assert_int_equal(errno, EBADMSG);
}

/* Every entry names a batch by its last offset and its place. */
static void
index_entries_name_batches(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment = log_active(fixture->log);
	const struct offset_index *offsets = &segment->indexes.offsets;
	const struct time_index *times = &segment->indexes.times;
	int64_t positions[300];

	fixture->open.settings.index_interval_bytes = 250;
	log_settings_change(fixture->log, &fixture->open.settings);
	for (int i = 0; i < 300; i++) {
		positions[i] = segment->size_bytes;
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.count = 2, .timestamp_ms = 1000 + i % 7 * 100 + i });
	}
	assert_true(offsets->count > 50);
	for (size_t i = 0; i < offsets->count; i++) {
		uint32_t relative = offsets->entries[i].relative_offset;

		assert_int_equal(relative % 2, 1);
		assert_int_equal(
		    offsets->entries[i].position, positions[relative / 2]);
	}
	assert_true(times->count > 5);
	for (size_t i = 0; i < times->count; i++) {
		int batch = (int)times->entries[i].relative_offset / 2;

		assert_int_equal(times->entries[i].timestamp_ms,
		    1000 + batch % 7 * 100 + batch + 1);
	}
	/* What truncation leaves is as if the rest had never been. */
	assert_int_equal(log_truncate_to(fixture->log, 200, FIXTURE_NOW_MS), 0);
	assert_int_equal(segment->size_bytes, positions[100]);
	assert_true(offsets->entries[offsets->count - 1].relative_offset < 200);
	assert_true(times->entries[times->count - 1].relative_offset < 200);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(scan_with_any_buffer),
		TEST(scan_ends),
		TEST(locate_from_any_place),
		TEST(index_entries_name_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
