/* Append, read, roll, retention, flush and truncation of a log. */
#include "unit/store_fixture.h"

#include "base/clock.h"
#include "base/worker.h"
#include "store/cold_read.h"
#include "store/log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FIRST_LOG "00000000000000000000.log"

static void
append_and_read_back(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 200; i++)
		assert_int_equal(fixture_must_append(fixture,
				     &(struct fixture_batch){ .count = 3 }),
		    i * 3);
	assert_int_equal(log_end_offset(fixture->log), 600);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 600);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20), 600);
	assert_int_equal(fixture_count_records(fixture, 299, 1000), 301);
	assert_int_equal(fixture_file_size(fixture, FIRST_LOG),
	    log_size_bytes(fixture->log));
}

static void
reads_have_bounds(void **state)
{
	struct fixture *fixture = *state;
	struct log_read read = { .max_bytes = 1 << 20, .min_one_batch = true };

	for (int i = 0; i < 10; i++)
		fixture_must_append(
		    fixture, &(struct fixture_batch){ .count = 2 });

	/* Below the bound, and not inside a batch that passes it. */
	read.offset = 4;
	read.upper_bound = 9;
	assert_int_equal(log_read(fixture->log, &read), KP_NONE);
	assert_false(read.unresolved);
	assert_int_equal(read.len, 2 * (log_size_bytes(fixture->log) / 10));
	assert_int_equal(read.position, read.len);
	log_read_release(&read);

	read.upper_bound = 4;
	assert_int_equal(log_read(fixture->log, &read), KP_NONE);
	assert_null(read.segment);

	read.offset = 20;
	read.upper_bound = 20;
	assert_int_equal(log_read(fixture->log, &read), KP_NONE);
	assert_null(read.segment);

	read.offset = 21;
	assert_int_equal(log_read(fixture->log, &read), KP_OFFSET_OUT_OF_RANGE);
	read.offset = -1;
	assert_int_equal(log_read(fixture->log, &read), KP_OFFSET_OUT_OF_RANGE);

	/* Without the promise of one batch a small maximum gives nothing. */
	read.offset = 0;
	read.max_bytes = 10;
	read.min_one_batch = false;
	assert_int_equal(log_read(fixture->log, &read), KP_NONE);
	assert_null(read.segment);
	read.min_one_batch = true;
	assert_int_equal(log_read(fixture->log, &read), KP_NONE);
	assert_int_equal(read.len, log_size_bytes(fixture->log) / 10);
	log_read_release(&read);
}

/* What the tail remembers and what index and headers say is the same. */
static void
tail_and_index_agree(void **state)
{
	struct fixture *fixture = *state;
	struct log_read tail = { .max_bytes = 700, .min_one_batch = true };
	struct log_read index;

	fixture->open.settings.index_interval_bytes = 300;
	log_settings_change(fixture->log, &fixture->open.settings);
	for (int i = 0; i < 300; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){ .count = 1 + i % 4,
			.value_len = (size_t)(1 + i % 90) });
	/* A high watermark that did not move made the tail keep all. */
	for (int64_t offset = 0; offset < log_end_offset(fixture->log);
	     offset += 3) {
		for (int64_t bound = offset + 1;
		     bound <= log_end_offset(fixture->log); bound += 97) {
			tail.offset = offset;
			tail.upper_bound = bound;
			index = tail;
			assert_int_equal(
			    log_read(fixture->log, &tail), KP_NONE);
			if (tail.unresolved)
				assert_int_equal(
				    log_read_resolve(&tail), KP_NONE);
			size_t count = fixture->log->tail.count;

			fixture->log->tail.count = 0;
			assert_int_equal(
			    log_read(fixture->log, &index), KP_NONE);
			fixture->log->tail.count = count;
			assert_true(index.unresolved);
			assert_int_equal(log_read_resolve(&index), KP_NONE);
			assert_int_equal(tail.position, index.position);
			assert_int_equal(
			    log_read_bytes(&tail), log_read_bytes(&index));
			assert_true((tail.len == 0) == (index.len == 0));
			log_read_release(&tail);
			log_read_release(&index);
		}
	}
}

/*
 * Batches that each have an entry in the index are found by one small read of
 * the file, wherever an offset is in them, and what is read of them ends with
 * a whole one.
 */
static void
large_batches_are_read_whole(void **state)
{
	struct fixture *fixture = *state;
	struct disk_fault *fault = &fixture->fault;
	struct log_read read = { .max_bytes = 50000, .min_one_batch = true };
	int64_t size;

	for (int i = 0; i < 100; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){ .count = 2, .value_len = 10000 });
	size = log_size_bytes(fixture->log) / 100;
	log_tail_clear(&fixture->log->tail);
	read.upper_bound = log_end_offset(fixture->log);
	for (read.offset = 2; read.offset < 190; read.offset++) {
		uint64_t reads = disk_fault_count(fault, DISK_PREAD);

		assert_int_equal(log_read(fixture->log, &read), KP_NONE);
		assert_true(read.unresolved);
		assert_int_equal(log_read_resolve(&read), KP_NONE);
		assert_int_equal(
		    disk_fault_count(fault, DISK_PREAD) - reads, 1);
		assert_int_equal(read.position, read.offset / 2 * size);
		assert_int_equal(read.len, 2 * size);
		assert_int_equal(log_read_bytes(&read), 50000);
		log_read_release(&read);
	}
}

/*
 * Have no pages of the file but those of [0, keep); false where some stay,
 * because the file system cannot drop them, or others hold them just now.
 */
static bool
pages_drop(struct worker_pool *pool, const char *path, size_t keep)
{
	int fd = open(path, O_RDONLY);
	int64_t size = lseek(fd, 0, SEEK_END);
	bool dropped;

	assert_int_equal(fdatasync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	cold_read_now(fd, 0, keep);
	dropped = !cold_read_is_warm(pool, fd, size - 1, 1);
	close(fd);
	return dropped;
}

/*
 * The index leads to the batch before, which is there as what was looked at is
 * from it on; the bytes of a large first batch are not.
 */
static void
a_large_batch_is_waited_for_on_the_pool(void **state)
{
	struct fixture *fixture = *state;
	struct worker_pool *pool = worker_pool_new("cold", 1);
	struct log_read read = { .offset = 1,
		.max_bytes = 1,
		.min_one_batch = true };
	char *path = fixture_file(fixture, FIRST_LOG);
	enum kp_error error;
	int64_t size;

	for (int i = 0; i < 3; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){ .value_len = 1 << 20 });
	size = log_size_bytes(fixture->log) / 3;
	log_tail_clear(&fixture->log->tail);
	read.upper_bound = log_end_offset(fixture->log);
	assert_int_equal(log_read(fixture->log, &read), KP_NONE);
	if (pages_drop(pool, path, (size_t)size + 65536)) {
		assert_false(log_read_try_resolve(&read, pool, &error));
		assert_int_equal(error, KP_NONE);
	}
	(void)pages_drop(pool, path, (size_t)size * 2);
	assert_true(log_read_try_resolve(&read, pool, &error));
	assert_int_equal(error, KP_NONE);
	assert_int_equal(read.position, size);
	assert_int_equal(read.len, size);
	log_read_release(&read);
	free(path);
	worker_pool_stop_free(pool);
}

/* Where the entry behind an offset is not of its batch, a walk finds it. */
static void
a_guess_may_be_wrong(void **state)
{
	struct fixture *fixture = *state;
	struct log_read read = { .max_bytes = 1, .min_one_batch = true };
	int64_t positions[60];

	for (int i = 0; i < 60; i++) {
		positions[i] = log_size_bytes(fixture->log);
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.value_len = i % 5 == 4 ? 30000 : 1000 });
	}
	log_tail_clear(&fixture->log->tail);
	read.upper_bound = log_end_offset(fixture->log);
	for (read.offset = 0; read.offset < 59; read.offset++) {
		assert_int_equal(log_read(fixture->log, &read), KP_NONE);
		assert_int_equal(log_read_resolve(&read), KP_NONE);
		assert_int_equal(read.position, positions[read.offset]);
		assert_int_equal(read.len,
		    positions[read.offset + 1] - positions[read.offset]);
		log_read_release(&read);
	}
}

static void
small_segments(struct fixture *fixture, int32_t bytes)
{
	fixture->open.settings.segment_bytes = bytes;
	fixture->open.settings.index_interval_bytes = 200;
	log_settings_change(fixture->log, &fixture->open.settings);
}

static void
rolls_by_size_and_reads_across(void **state)
{
	struct fixture *fixture = *state;

	small_segments(fixture, 2000);
	for (int i = 0; i < 100; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.value_len = 100, .timestamp_ms = FIXTURE_NOW_MS + i });
	assert_true(log_segment_count(fixture->log) > 5);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20), 100);
	assert_true(
	    fixture_file_size(fixture, "00000000000000000000.index") > 0);
	/* One entry at least, and the last is for the roll. */
	assert_true(
	    fixture_file_size(fixture, "00000000000000000000.timeindex") >= 12);

	fixture_restart(fixture);
	assert_true(log_segment_count(fixture->log) > 5);
	assert_int_equal(log_end_offset(fixture->log), 100);
	assert_int_equal(fixture_count_records(fixture, 0, 500), 100);
	assert_int_equal(
	    fixture_must_append(fixture, &(struct fixture_batch){ .count = 1 }),
	    100);
}

static void
rolls_by_time(void **state)
{
	struct fixture *fixture = *state;
	struct fixture_batch batch = { .timestamp_ms = 1000 };

	fixture->open.settings.segment_ms = 5000;
	log_settings_change(fixture->log, &fixture->open.settings);
	fixture_must_append(fixture, &batch);
	batch.timestamp_ms = 6000;
	fixture_must_append(fixture, &batch);
	assert_int_equal(log_segment_count(fixture->log), 1);
	batch.timestamp_ms = 6001;
	fixture_must_append(fixture, &batch);
	assert_int_equal(log_segment_count(fixture->log), 2);
	assert_int_equal(log_active_base_offset(fixture->log), 2);
}

/* Each segment may be as much younger as fortune says, up to the jitter. */
static void
jitter_spreads_the_rolls(void **state)
{
	struct fixture *fixture = *state;
	int64_t least = INT64_MAX, most = 0;
	int64_t timestamp_ms = 0;

	fixture->open.settings.segment_ms = 1000000;
	fixture->open.settings.segment_jitter_ms = 1000;
	log_settings_change(fixture->log, &fixture->open.settings);
	for (int i = 0; i < 64; i++) {
		int64_t jitter_ms;

		fixture_must_append(fixture,
		    &(struct fixture_batch){ .timestamp_ms = timestamp_ms });
		assert_int_equal(log_segment_count(fixture->log), i + 1);
		jitter_ms = log_active(fixture->log)->jitter_ms;
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.timestamp_ms = timestamp_ms + 1000000 - jitter_ms });
		assert_int_equal(log_segment_count(fixture->log), i + 1);
		timestamp_ms += 1000001 - jitter_ms;
		if (i == 0)
			continue;
		least = MIN(least, jitter_ms);
		most = MAX(most, jitter_ms);
	}
	assert_true(least >= 0 && least < most && most < 1000);
}

static void
rolls_when_an_index_is_full(void **state)
{
	struct fixture *fixture = *state;

	fixture->open.settings.segment_index_bytes = 64;
	fixture->open.settings.index_interval_bytes = 0;
	log_settings_change(fixture->log, &fixture->open.settings);
	for (int i = 0; i < 30; i++)
		fixture_must_append(
		    fixture, &(struct fixture_batch){ .timestamp_ms = i });
	assert_true(log_segment_count(fixture->log) >= 5);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20), 30);
}

static void
refuses_what_is_no_batch(void **state)
{
	struct fixture *fixture = *state;
	uint8_t garbage[100] = { 1 };
	struct log_append append = {
		.data = garbage, .len = sizeof(garbage), .now_ms = 1
	};
	struct buf bytes;

	assert_int_equal(log_append(fixture->log, &append), KP_CORRUPT_MESSAGE);
	append.len = 0;
	assert_int_equal(log_append(fixture->log, &append), KP_CORRUPT_MESSAGE);
	buf_init(&bytes, 1 << 20);
	fixture_batch(&bytes, &(struct fixture_batch){ .count = 2 });
	append.data = bytes.data;
	append.len = bytes.len - 1;
	assert_int_equal(log_append(fixture->log, &append), KP_CORRUPT_MESSAGE);
	append.len = bytes.len;
	small_segments(fixture, (int32_t)bytes.len - 1);
	assert_int_equal(
	    log_append(fixture->log, &append), KP_RECORD_LIST_TOO_LARGE);
	assert_int_equal(log_end_offset(fixture->log), 0);
	assert_int_equal(fixture_file_size(fixture, FIRST_LOG), 0);
	buf_fini(&bytes);
}

static void
replication_keeps_offsets(void **state)
{
	struct fixture *fixture = *state;
	struct log_append append = { .origin = LOG_REPLICATION,
		.now_ms = FIXTURE_NOW_MS };
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	fixture_batch(&bytes, &(struct fixture_batch){ .count = 4 });
	batch_patch(bytes.data, 100, 7);
	append.data = bytes.data;
	append.len = bytes.len;
	assert_int_equal(log_append(fixture->log, &append), KP_NONE);
	assert_int_equal(append.base_offset, 100);
	assert_int_equal(log_end_offset(fixture->log), 104);
	assert_int_equal(
	    leader_epochs_latest(log_leader_epochs(fixture->log)), 7);
	/* Offsets may leave out more than a segment can hold. */
	batch_patch(bytes.data, INT64_C(5) << 32, 8);
	assert_int_equal(log_append(fixture->log, &append), KP_NONE);
	assert_int_equal(log_segment_count(fixture->log), 2);
	assert_int_equal(
	    log_active_base_offset(fixture->log), INT64_C(5) << 32);
	log_high_watermark_set(fixture->log, log_end_offset(fixture->log));
	assert_int_equal(fixture_count_records(fixture, 0, 1), 8);
	assert_int_equal(log_truncate_to(fixture->log, 104, FIXTURE_NOW_MS), 0);
	batch_patch(bytes.data, 103, 7);
	assert_int_equal(
	    log_append(fixture->log, &append), KP_OFFSET_OUT_OF_RANGE);
	batch_patch(bytes.data, 104, -1);
	assert_int_equal(log_append(fixture->log, &append), KP_CORRUPT_MESSAGE);
	assert_int_equal(log_end_offset(fixture->log), 104);
	buf_fini(&bytes);
}

static void
replication_may_begin_anywhere(void **state)
{
	struct fixture *fixture = *state;
	struct log_append append = { .origin = LOG_REPLICATION,
		.now_ms = FIXTURE_NOW_MS };
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	fixture_batch(&bytes, &(struct fixture_batch){ .count = 4 });
	batch_patch(bytes.data, INT64_C(7) << 32, 7);
	append.data = bytes.data;
	append.len = bytes.len;
	assert_int_equal(log_append(fixture->log, &append), KP_NONE);
	assert_int_equal(log_segment_count(fixture->log), 1);
	assert_int_equal(fixture_file_size(fixture, FIRST_LOG), -1);
	assert_int_equal(log_end_offset(fixture->log), (INT64_C(7) << 32) + 4);
	log_high_watermark_set(fixture->log, log_end_offset(fixture->log));
	fixture_restart(fixture);
	assert_int_equal(
	    fixture_count_records(fixture, log_start_offset(fixture->log), 1),
	    4);
	buf_fini(&bytes);
}

static void
duplicates_are_answered(void **state)
{
	struct fixture *fixture = *state;
	struct fixture_batch batch = { .count = 2,
		.has_producer = true,
		.producer_id = 77,
		.timestamp_ms = 5 };
	struct log_append append;

	assert_int_equal(fixture_must_append(fixture, &batch), 0);
	batch.base_sequence = 2;
	assert_int_equal(fixture_must_append(fixture, &batch), 2);
	assert_int_equal(fixture_append(fixture, &batch, &append), KP_NONE);
	assert_true(append.duplicate);
	assert_int_equal(append.base_offset, 2);
	assert_int_equal(append.last_offset, 3);
	assert_int_equal(log_end_offset(fixture->log), 4);
	batch.base_sequence = 9;
	assert_int_equal(fixture_append(fixture, &batch, &append),
	    KP_OUT_OF_ORDER_SEQUENCE_NUMBER);

	/* The state survives a stop, and a kill. */
	fixture->open.now_ms = 10;
	fixture_restart(fixture);
	batch.base_sequence = 2;
	assert_int_equal(fixture_append(fixture, &batch, &append), KP_NONE);
	assert_true(append.duplicate);
	batch.base_sequence = 4;
	assert_int_equal(fixture_must_append(fixture, &batch), 4);
	fixture_kill(fixture, 0);
	assert_int_equal(fixture_append(fixture, &batch, &append), KP_NONE);
	assert_true(append.duplicate);
	assert_int_equal(append.base_offset, 4);
}

/*
 * A producer writes records that are older than its state is kept, and a start
 * comes between a batch and its retry.
 */
static void
producers_of_old_records_survive_starts(void **state)
{
	struct fixture *fixture = *state;
	struct fixture_batch batch = {
		.has_producer = true,
		.producer_id = 7,
		.timestamp_ms = FIXTURE_NOW_MS -
		    2 * fixture->open.settings.producer_id_expiration_ms,
	};
	struct log_append append;

	assert_int_equal(fixture_must_append(fixture, &batch), 0);
	for (int i = 0; i < 2; i++) {
		fixture->open.clean = i > 0;
		fixture_restart(fixture);
		assert_int_equal(
		    fixture_append(fixture, &batch, &append), KP_NONE);
		assert_true(append.duplicate);
		assert_int_equal(append.base_offset, 0);
	}
	/* As long as nobody has looked whether they expired. */
	log_producers_expire(fixture->log, FIXTURE_NOW_MS);
	assert_int_equal(fixture_append(fixture, &batch, &append), KP_NONE);
	assert_false(append.duplicate);
}

static void
finds_timestamps(void **state)
{
	struct fixture *fixture = *state;
	struct log_position found;

	small_segments(fixture, 2000);
	for (int i = 0; i < 100; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){ .count = 2,
			.value_len = 50,
			.timestamp_ms = 1000 + 10 * i });
	for (int run = 0; run < 2; run++) {
		for (int i = 0; i < 100; i++) {
			assert_int_equal(
			    log_find_timestamp(fixture->log, 1000 + 10 * i - 8,
				INT64_MAX, &found),
			    KP_NONE);
			assert_int_equal(found.offset, 2 * i);
			assert_int_equal(found.timestamp_ms, 1000 + 10 * i);
			assert_int_equal(found.leader_epoch, 3);
			assert_int_equal(
			    log_find_timestamp(fixture->log, 1000 + 10 * i + 1,
				INT64_MAX, &found),
			    KP_NONE);
			assert_int_equal(found.offset, 2 * i + 1);
		}
		assert_int_equal(
		    log_find_timestamp(fixture->log, 1992, INT64_MAX, &found),
		    KP_NONE);
		assert_int_equal(found.offset, -1);
		assert_int_equal(log_find_timestamp(fixture->log,
				     LOG_TIMESTAMP_MAX, INT64_MAX, &found),
		    KP_NONE);
		assert_int_equal(found.offset, 199);
		assert_int_equal(found.timestamp_ms, 1991);
		/* What is above the bound is not there. */
		assert_int_equal(log_find_timestamp(fixture->log,
				     LOG_TIMESTAMP_MAX, 199, &found),
		    KP_NONE);
		assert_int_equal(found.offset, -1);
		assert_int_equal(found.timestamp_ms, -1);
		fixture_restart(fixture);
	}
}

static void
retention_by_size(void **state)
{
	struct fixture *fixture = *state;
	int64_t before_ms = clock_monotonic_ms();
	int64_t due_ms;
	size_t count;
	int removed;

	small_segments(fixture, 2000);
	for (int i = 0; i < 100; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.value_len = 100, .timestamp_ms = FIXTURE_NOW_MS });
	count = log_segment_count(fixture->log);
	fixture->open.settings.retention_bytes = 5000;
	log_settings_change(fixture->log, &fixture->open.settings);
	removed = log_retain(fixture->log, FIXTURE_NOW_MS);
	assert_true(removed > 0);
	assert_int_equal(removed, count - log_segment_count(fixture->log));
	assert_true(log_size_bytes(fixture->log) >= 5000);
	assert_true(log_size_bytes(fixture->log) < 7000);
	assert_int_equal(log_start_offset(fixture->log),
	    log_first_base_offset(fixture->log));

	/* Files wait for their delay with another name. */
	assert_int_equal(fixture_file_size(fixture, FIRST_LOG), -1);
	assert_true(fixture_file_size(fixture, FIRST_LOG ".deleted") > 0);
	due_ms = log_tidy(fixture->log, 0);
	assert_in_range(
	    due_ms, before_ms + 60000, clock_monotonic_ms() + 60000);
	log_tidy(fixture->log, due_ms - 1);
	assert_true(fixture_file_size(fixture, FIRST_LOG ".deleted") > 0);
	/* The last of them may have gone a millisecond later. */
	due_ms = clock_monotonic_ms() + 60000;
	assert_int_equal(log_tidy(fixture->log, due_ms), INT64_MAX);
	assert_int_equal(fixture_file_size(fixture, FIRST_LOG ".deleted"), -1);
	assert_int_equal(fixture_count_records(
			     fixture, log_start_offset(fixture->log), 1 << 20),
	    100 - log_start_offset(fixture->log));
}

/* Whoever calls has other things to do. */
static void
a_tidy_unlinks_few_files(void **state)
{
	struct fixture *fixture = *state;
	int removed, calls = 1;
	int64_t due_ms;

	small_segments(fixture, 2000);
	fixture->open.settings.retention_bytes = 0;
	log_settings_change(fixture->log, &fixture->open.settings);
	for (int i = 0; i < 300; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.value_len = 100, .timestamp_ms = FIXTURE_NOW_MS });
	removed = log_retain(fixture->log, FIXTURE_NOW_MS);
	assert_true(removed > 16);
	due_ms = clock_monotonic_ms() + 60000;
	while (log_tidy(fixture->log, due_ms) <= due_ms)
		calls++;
	assert_true(calls > removed / 8);
	assert_int_equal(fixture_file_size(fixture, FIRST_LOG ".deleted"), -1);
}

/* What makes room may not need room itself. */
static void
full_disk_does_not_keep_segments(void **state)
{
	struct fixture *fixture = *state;
	struct log_read read = { .upper_bound = INT64_MAX,
		.max_bytes = 1 << 20,
		.min_one_batch = true };
	int64_t start;
	uint8_t byte;

	small_segments(fixture, 2000);
	for (int i = 0; i < 100; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.value_len = 100, .timestamp_ms = FIXTURE_NOW_MS });
	assert_int_equal(log_read(fixture->log, &read), KP_NONE);
	fixture->open.settings.retention_bytes = 5000;
	log_settings_change(fixture->log, &fixture->open.settings);
	disk_fault_fail_all(
	    &fixture->fault, DISK_RENAME, ".timeindex", 0, ENOSPC);
	assert_true(log_retain(fixture->log, FIXTURE_NOW_MS) > 3);
	assert_true(disk_fault_clear(&fixture->fault) > 3);
	assert_false(log_is_offline(fixture->log));
	start = log_start_offset(fixture->log);
	assert_int_equal(log_first_base_offset(fixture->log), start);
	assert_int_equal(fixture_file_size(fixture, FIRST_LOG), -1);
	assert_int_equal(
	    fixture_count_records(fixture, start, 1 << 20), 100 - start);
	/* Who reads already can go on. */
	assert_true(read.unresolved);
	assert_int_equal(log_read_resolve(&read), KP_NONE);
	assert_int_equal(pread(read.fd, &byte, 1, read.position), 1);
	log_read_release(&read);
	fixture_restart(fixture);
	assert_int_equal(log_start_offset(fixture->log), start);
	assert_int_equal(
	    fixture_count_records(fixture, start, 1 << 20), 100 - start);
}

static void
retention_by_time_spares_what_is_not_committed(void **state)
{
	struct fixture *fixture = *state;
	int64_t later = FIXTURE_NOW_MS + fixture->open.settings.retention_ms;

	small_segments(fixture, 1000);
	for (int i = 0; i < 50; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.value_len = 100, .timestamp_ms = FIXTURE_NOW_MS + i });
	assert_int_equal(log_retain(fixture->log, later), 0);
	log_high_watermark_set(fixture->log, 20);
	assert_true(log_retain(fixture->log, later + 1000) > 0);
	assert_true(log_start_offset(fixture->log) <= 20);
	assert_true(log_start_offset(fixture->log) > 10);

	/* All is old: an empty segment takes the place of the active one. */
	log_high_watermark_set(fixture->log, 50);
	assert_true(log_retain(fixture->log, later + 1000) > 0);
	assert_int_equal(log_start_offset(fixture->log), 50);
	assert_int_equal(log_end_offset(fixture->log), 50);
	assert_int_equal(log_segment_count(fixture->log), 1);
	assert_int_equal(log_size_bytes(fixture->log), 0);
	assert_int_equal(log_retain(fixture->log, later + 1000), 0);
	assert_int_equal(
	    fixture_must_append(fixture, &(struct fixture_batch){ .count = 1 }),
	    50);
	fixture_restart(fixture);
	assert_int_equal(log_start_offset(fixture->log), 50);
	assert_int_equal(log_end_offset(fixture->log), 51);
}

static void
delete_records_moves_the_start(void **state)
{
	struct fixture *fixture = *state;

	small_segments(fixture, 1000);
	for (int i = 0; i < 50; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.value_len = 100, .timestamp_ms = FIXTURE_NOW_MS });
	assert_int_equal(
	    log_delete_records(fixture->log, 51), KP_OFFSET_OUT_OF_RANGE);
	assert_int_equal(
	    log_delete_records(fixture->log, -2), KP_OFFSET_OUT_OF_RANGE);
	assert_int_equal(log_delete_records(fixture->log, 21), KP_NONE);
	assert_int_equal(log_start_offset(fixture->log), 21);
	assert_int_equal(log_delete_records(fixture->log, 3), KP_NONE);
	assert_int_equal(log_start_offset(fixture->log), 21);
	assert_true(log_retain(fixture->log, FIXTURE_NOW_MS) > 0);
	assert_true(log_first_base_offset(fixture->log) <= 21);
	assert_true(log_first_base_offset(fixture->log) > 10);
	assert_int_equal(log_start_offset(fixture->log), 21);
	assert_int_equal(fixture_count_records(fixture, 21, 1 << 20), 29);
	fixture_restart(fixture);
	assert_int_equal(log_start_offset(fixture->log), 21);
	assert_int_equal(log_delete_records(fixture->log, -1), KP_NONE);
	assert_int_equal(log_start_offset(fixture->log), 50);
	assert_int_equal(log_retain(fixture->log, FIXTURE_NOW_MS) > 0, true);
	assert_int_equal(log_size_bytes(fixture->log), 0);
}

/* A read in flight keeps its bytes, whatever happens to the log. */
static void
reads_outlive_the_segment(void **state)
{
	struct fixture *fixture = *state;
	struct log_read read = { .upper_bound = INT64_MAX,
		.max_bytes = 1 << 20,
		.min_one_batch = true };
	uint8_t byte;

	small_segments(fixture, 1000);
	for (int i = 0; i < 30; i++)
		fixture_must_append(
		    fixture, &(struct fixture_batch){ .value_len = 100 });
	assert_int_equal(log_read(fixture->log, &read), KP_NONE);
	assert_true(read.unresolved);
	assert_int_equal(log_delete_records(fixture->log, 30), KP_NONE);
	assert_true(log_retain(fixture->log, FIXTURE_NOW_MS) > 0);
	assert_int_equal(log_read_resolve(&read), KP_NONE);
	assert_true(read.len > 0);
	log_tidy(fixture->log, FIXTURE_NOW_MS + 100000);
	log_free(fixture->log);
	fixture->log = NULL;
	assert_int_equal(pread(read.fd, &byte, 1, read.position), 1);
	log_read_release(&read);
}

static void
flush_moves_the_recovery_point(void **state)
{
	struct fixture *fixture = *state;
	struct log_flush flush;

	fixture_must_append(fixture, &(struct fixture_batch){ .count = 5 });
	assert_int_equal(log_flushed_offset(fixture->log), 0);
	assert_int_equal(log_unflushed_messages(fixture->log), 5);
	assert_true(log_unflushed_since_ms(fixture->log) >= 0);
	assert_true(log_flush_begin(fixture->log, &flush));
	/* .log, the directory, partition.metadata, the directory above. */
	assert_int_equal(flush.sync_count, 4);
	fixture_must_append(fixture, &(struct fixture_batch){ .count = 2 });
	assert_int_equal(log_flush_sync(&flush), 0);
	log_flush_end(&flush, 0);
	assert_int_equal(log_flushed_offset(fixture->log), 5);
	assert_int_equal(disk_fault_count(&fixture->fault, DISK_FDATASYNC), 1);
	assert_true(log_flush_begin(fixture->log, &flush));
	assert_int_equal(flush.sync_count, 1);
	assert_int_equal(log_flush_sync(&flush), 0);
	log_flush_end(&flush, 0);
	assert_int_equal(log_flushed_offset(fixture->log), 7);
	assert_int_equal(log_unflushed_since_ms(fixture->log), -1);
	assert_false(log_flush_begin(fixture->log, &flush));
}

static void
append_and_roll(struct fixture *fixture)
{
	(void)fixture_must_append(fixture, &(struct fixture_batch){ 0 });
	log_lock(fixture->log);
	assert_int_equal(log_roll(fixture->log, FIXTURE_NOW_MS), 0);
	log_unlock(fixture->log);
}

/* Does a flush need this file, which cannot be opened? */
static bool
flush_needs(struct fixture *fixture, const char *name)
{
	int result;

	disk_fault_fail(&fixture->fault, DISK_OPEN, name, 0, EMFILE);
	result = log_flush_all(fixture->log);
	assert_int_equal(
	    disk_fault_clear(&fixture->fault), result == 0 ? 0 : 1);
	return result != 0;
}

/*
 * A truncation, or a start, may go back to any of them, and then the segments
 * before it may be gone.
 */
static void
flush_syncs_all_snapshots(void **state)
{
	static const char first[] = "00000000000000000001.snapshot";
	static const char second[] = "00000000000000000002.snapshot";
	static const char third[] = "00000000000000000003.snapshot";
	struct fixture *fixture = *state;
	struct log_flush flush;

	append_and_roll(fixture);
	append_and_roll(fixture);
	assert_true(flush_needs(fixture, first));
	assert_true(flush_needs(fixture, second));
	assert_true(log_flush_begin(fixture->log, &flush));
	assert_int_equal(log_flush_sync(&flush), 0);
	/* One that comes meanwhile is the next flush's. */
	append_and_roll(fixture);
	log_flush_end(&flush, 0);
	assert_true(flush_needs(fixture, third));
	assert_false(flush_needs(fixture, second));
	assert_false(log_flush_begin(fixture->log, &flush));
}

struct events {
	int flushed;
	int failed;
};

static void
on_flushed(struct log *log UNUSED, void *context)
{
	((struct events *)context)->flushed++;
}

static void
on_failed(struct log *log UNUSED, void *context)
{
	((struct events *)context)->failed++;
}

static void
failed_sync_is_final(void **state)
{
	struct fixture *fixture = *state;
	struct events events = { 0 };
	struct log_append append;

	log_events_set(fixture->log,
	    (struct log_events){ on_flushed, on_failed, &events });
	fixture_must_append(fixture, &(struct fixture_batch){ .count = 1 });
	assert_int_equal(log_flush_all(fixture->log), 0);
	assert_int_equal(events.flushed, 1);
	fixture_must_append(fixture, &(struct fixture_batch){ .count = 1 });
	disk_fault_fail(&fixture->fault, DISK_FDATASYNC, NULL, 0, EIO);
	assert_int_equal(log_flush_all(fixture->log), -1);
	assert_int_equal(disk_fault_clear(&fixture->fault), 1);
	assert_int_equal(events.flushed, 1);
	assert_int_equal(events.failed, 1);
	assert_true(log_is_offline(fixture->log));
	assert_int_equal(log_flushed_offset(fixture->log), 1);
	assert_int_equal(fixture_append(fixture,
			     &(struct fixture_batch){ .count = 1 }, &append),
	    KP_KAFKA_STORAGE_ERROR);
	/* Not retried. */
	assert_int_equal(log_flush_all(fixture->log), -1);
	assert_int_equal(disk_fault_count(&fixture->fault, DISK_FDATASYNC), 2);
	assert_int_equal(log_close(fixture->log), -1);
	fixture->log = NULL;
}

static void
full_disk_heals(void **state)
{
	struct fixture *fixture = *state;
	struct fixture_batch batch = {
		.count = 3, .has_producer = true, .producer_id = 5
	};
	struct log_append append;
	int64_t size;

	fixture_must_append(fixture, &batch);
	size = log_size_bytes(fixture->log);
	batch.base_sequence = 3;
	fixture->fault.short_len = 33;
	disk_fault_fail_all(&fixture->fault, DISK_PWRITE, ".log", 0, ENOSPC);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fixture_append(fixture, &batch, &append),
		    KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(disk_fault_clear(&fixture->fault), 3);
	assert_false(log_is_offline(fixture->log));
	assert_int_equal(log_end_offset(fixture->log), 3);
	assert_int_equal(fixture_file_size(fixture, FIRST_LOG), size);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20), 3);
	/* The producer's state did not move either. */
	assert_int_equal(fixture_must_append(fixture, &batch), 3);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20), 6);
}

/* An append that finds no descriptor is refused; the next one may work. */
static void
lack_of_descriptors_heals(void **state)
{
	static const int errors[] = { EMFILE, ENFILE, ENOMEM };
	struct fixture *fixture = *state;
	struct log_append append;

	fixture_must_append(fixture, &(struct fixture_batch){ .count = 1 });
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		fd_cache_close(
		    fixture->files, &log_active(fixture->log)->file);
		disk_fault_fail(
		    &fixture->fault, DISK_OPEN, NULL, 0, errors[i]);
		assert_int_equal(
		    fixture_append(fixture,
			&(struct fixture_batch){ .count = 1 }, &append),
		    KP_KAFKA_STORAGE_ERROR);
		assert_int_equal(disk_fault_clear(&fixture->fault), 1);
		assert_false(log_is_offline(fixture->log));
	}
	assert_int_equal(fixture_must_append(fixture,
			     &(struct fixture_batch){ .count = 1 }),
	    1);
	/* Nor does a sync that finds none, which is not done then. */
	fd_cache_close(fixture->files, &log_active(fixture->log)->file);
	disk_fault_fail(&fixture->fault, DISK_OPEN, NULL, 0, EMFILE);
	assert_int_equal(log_flush_all(fixture->log), -1);
	assert_int_equal(log_flushed_offset(fixture->log), 0);
	assert_int_equal(log_flush_all(fixture->log), 0);
	assert_int_equal(log_flushed_offset(fixture->log), 2);
}

static void
broken_disk_fences(void **state)
{
	struct fixture *fixture = *state;
	struct events events = { 0 };
	struct log_append append;

	log_events_set(fixture->log,
	    (struct log_events){ on_flushed, on_failed, &events });
	fixture_must_append(fixture, &(struct fixture_batch){ .count = 1 });
	disk_fault_fail(&fixture->fault, DISK_PWRITE, ".log", 0, EIO);
	assert_int_equal(fixture_append(fixture,
			     &(struct fixture_batch){ .count = 1 }, &append),
	    KP_KAFKA_STORAGE_ERROR);
	assert_true(log_is_offline(fixture->log));
	assert_int_equal(events.failed, 1);
	assert_int_equal(fixture_append(fixture,
			     &(struct fixture_batch){ .count = 1 }, &append),
	    KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(events.failed, 1);
}

/* A write that failed and could not be cut back leaves no usable file. */
static void
cannot_cut_back(void **state)
{
	struct fixture *fixture = *state;
	struct log_append append;

	disk_fault_fail_all(&fixture->fault, DISK_ANY, ".log", 0, ENOSPC);
	assert_int_equal(fixture_append(fixture,
			     &(struct fixture_batch){ .count = 1 }, &append),
	    KP_KAFKA_STORAGE_ERROR);
	disk_fault_clear(&fixture->fault);
	assert_true(log_is_offline(fixture->log));
}

/* Whatever fails during a roll, the log is whole and goes on. */
static void
roll_survives_failures(void **state)
{
	struct fixture *fixture = *state;
	struct log_append append;
	int failures = 0;

	small_segments(fixture, 500);
	for (uint64_t skip = 0; skip < 40; skip++) {
		disk_fault_fail(
		    &fixture->fault, DISK_ANY, NULL, skip % 12, ENOSPC);
		if (fixture_append(fixture,
			&(struct fixture_batch){ .value_len = 300 },
			&append) == KP_NONE)
			log_high_watermark_set(
			    fixture->log, log_end_offset(fixture->log));
		failures += disk_fault_clear(&fixture->fault) > 0;
		assert_false(log_is_offline(fixture->log));
		assert_int_equal(fixture_count_records(fixture, 0, 1 << 20),
		    log_end_offset(fixture->log));
	}
	assert_true(failures > 20);
	assert_true(log_end_offset(fixture->log) > 10);
	fixture_restart(fixture);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20),
	    log_end_offset(fixture->log));
}

static void
truncation(void **state)
{
	struct fixture *fixture = *state;
	int64_t end = 100;

	small_segments(fixture, 1500);
	for (int i = 0; i < 50; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){ .count = 2,
			.value_len = 60,
			.timestamp_ms = FIXTURE_NOW_MS + i });
	for (; end > 0; end -= 7) {
		struct log_append append;

		assert_int_equal(
		    log_truncate_to(fixture->log, end, FIXTURE_NOW_MS), 0);
		assert_int_equal(log_end_offset(fixture->log), end);
		assert_true(log_high_watermark(fixture->log) <= end);
		/* An offset inside a batch takes all of the batch along. */
		assert_int_equal(
		    fixture_count_records(fixture, 0, 1 << 20), end - end % 2);
		assert_int_equal(
		    fixture_append(fixture,
			&(struct fixture_batch){ .count = 1 }, &append),
		    KP_NONE);
		assert_int_equal(append.base_offset, end);
		assert_int_equal(
		    log_truncate_to(fixture->log, end, FIXTURE_NOW_MS), 0);
	}
	assert_int_equal(
	    log_truncate_fully(fixture->log, 1000, FIXTURE_NOW_MS), 0);
	assert_int_equal(log_start_offset(fixture->log), 1000);
	assert_int_equal(log_end_offset(fixture->log), 1000);
	assert_int_equal(
	    fixture_must_append(fixture, &(struct fixture_batch){ .count = 1 }),
	    1000);
	fixture_restart(fixture);
	assert_int_equal(log_start_offset(fixture->log), 1000);
	assert_int_equal(log_end_offset(fixture->log), 1001);
}

static void
leader_epochs_are_kept(void **state)
{
	struct fixture *fixture = *state;
	int64_t recovery_point;

	log_leader_epoch_begin(fixture->log, 1);
	fixture_must_append(fixture, &(struct fixture_batch){ .count = 4 });
	log_leader_epoch_begin(fixture->log, 5);
	assert_int_equal(log_checkpoint(fixture->log, &recovery_point), 0);
	assert_int_equal(recovery_point, 0);
	assert_true(fixture_file_size(fixture, LEADER_EPOCHS_FILE) > 0);
	fixture_restart(fixture);
	/* Nothing was appended in epoch 5, so it says nothing. */
	assert_int_equal(
	    leader_epochs_latest(log_leader_epochs(fixture->log)), 3);
	assert_int_equal(
	    leader_epochs_at(log_leader_epochs(fixture->log), 2), 3);
}

/* Kafka calls it an error where a segment below that point has no index. */
static void
a_recovery_point_comes_with_an_index(void **state)
{
	struct fixture *fixture = *state;
	int64_t recovery_point;

	fixture_must_append(fixture, &(struct fixture_batch){ .count = 4 });
	assert_int_equal(log_checkpoint(fixture->log, &recovery_point), 0);
	assert_int_equal(recovery_point, 0);
	assert_int_equal(
	    fixture_file_size(fixture, "00000000000000000000.index"), -1);
	assert_int_equal(log_flush_all(fixture->log), 0);
	assert_int_equal(log_checkpoint(fixture->log, &recovery_point), 0);
	assert_int_equal(recovery_point, 4);
	assert_int_equal(
	    fixture_file_size(fixture, "00000000000000000000.index"), 0);
	fixture_kill(fixture, recovery_point);
	assert_int_equal(log_end_offset(fixture->log), 4);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20), 4);
}

static void
files_are_opened_as_needed(void **state)
{
	struct fixture *fixture = *state;

	small_segments(fixture, 300);
	for (int i = 0; i < 60; i++)
		fixture_must_append(
		    fixture, &(struct fixture_batch){ .value_len = 150 });
	assert_true(log_segment_count(fixture->log) > 40);
	assert_true(fd_cache_count(fixture->files) <= 16);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20), 60);
	assert_true(fd_cache_count(fixture->files) <= 16);
}

/* The reserve behind a growing file is given back when it is closed. */
static void
reserved_blocks_are_trimmed(void **state)
{
	struct fixture *fixture = *state;
	char *path = fixture_file(fixture, FIRST_LOG);
	struct stat st;
	int64_t size;

	for (int i = 0; i < 30; i++)
		fixture_must_append(
		    fixture, &(struct fixture_batch){ .value_len = 100000 });
	size = log_size_bytes(fixture->log);
	assert_true(disk_fault_count(&fixture->fault, DISK_FALLOCATE) > 0);
	assert_true(disk_fault_count(&fixture->fault, DISK_FALLOCATE) < 5);
	assert_int_equal(fixture_file_size(fixture, FIRST_LOG), size);
	fixture_restart(fixture);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_true(st.st_blocks * 512 < size + (64 << 10));

	/* Also those that a kill left. */
	for (int i = 0; i < 30; i++)
		fixture_must_append(
		    fixture, &(struct fixture_batch){ .value_len = 100000 });
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 > st.st_size + (64 << 10));
	fixture_kill(fixture, 0);
	fixture_restart(fixture);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 2 * size);
	assert_true(st.st_blocks * 512 < st.st_size + (64 << 10));
	free(path);
}

static void
preallocation_keeps_the_size(void **state)
{
	struct fixture *fixture = *state;
	char *path = fixture_file(fixture, "00000000000000000001.log");
	struct stat st;

	fixture->open.settings.preallocate = true;
	fixture->open.settings.segment_bytes = 4 << 20;
	log_settings_change(fixture->log, &fixture->open.settings);
	fixture_must_append(fixture, &(struct fixture_batch){ .count = 1 });
	assert_int_equal(log_roll(fixture->log, FIXTURE_NOW_MS), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_true(st.st_blocks * 512 >= 4 << 20);
	for (int i = 0; i < 20; i++)
		fixture_must_append(
		    fixture, &(struct fixture_batch){ .value_len = 100000 });
	assert_int_equal(disk_fault_count(&fixture->fault, DISK_FALLOCATE), 1);
	assert_int_equal(log_roll(fixture->log, FIXTURE_NOW_MS), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 < st.st_size + (64 << 10));
	free(path);
}

static void
creation_is_cheap(void **state)
{
	struct fixture *fixture = *state;
	uint64_t before = fixture->fault.total;
	struct log_open open = fixture->open;
	struct log *log;

	open.path = xasprintf("%s/other-0", fixture->root);
	log = log_create(&open, (struct uuid){ { 9 } });
	assert_non_null(log);
	assert_true(fixture->fault.total - before <= 6);
	assert_int_equal(disk_fault_count(&fixture->fault, DISK_FSYNC), 0);
	log_free(log);
	free((void *)(uintptr_t)open.path);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(append_and_read_back),
		TEST(reads_have_bounds),
		TEST(tail_and_index_agree),
		TEST(large_batches_are_read_whole),
		TEST(a_large_batch_is_waited_for_on_the_pool),
		TEST(a_guess_may_be_wrong),
		TEST(rolls_by_size_and_reads_across),
		TEST(rolls_by_time),
		TEST(jitter_spreads_the_rolls),
		TEST(rolls_when_an_index_is_full),
		TEST(refuses_what_is_no_batch),
		TEST(replication_keeps_offsets),
		TEST(replication_may_begin_anywhere),
		TEST(duplicates_are_answered),
		TEST(producers_of_old_records_survive_starts),
		TEST(finds_timestamps),
		TEST(retention_by_size),
		TEST(a_tidy_unlinks_few_files),
		TEST(full_disk_does_not_keep_segments),
		TEST(retention_by_time_spares_what_is_not_committed),
		TEST(delete_records_moves_the_start),
		TEST(reads_outlive_the_segment),
		TEST(flush_moves_the_recovery_point),
		TEST(flush_syncs_all_snapshots),
		TEST(failed_sync_is_final),
		TEST(full_disk_heals),
		TEST(lack_of_descriptors_heals),
		TEST(broken_disk_fences),
		TEST(cannot_cut_back),
		TEST(roll_survives_failures),
		TEST(truncation),
		TEST(leader_epochs_are_kept),
		TEST(a_recovery_point_comes_with_an_index),
		TEST(files_are_opened_as_needed),
		TEST(reserved_blocks_are_trimmed),
		TEST(preallocation_keeps_the_size),
		TEST(creation_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
