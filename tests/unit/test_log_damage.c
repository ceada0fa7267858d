/* Damage of every kind, and what it must not take along. */
#include "unit/store_fixture.h"

#include "base/clock.h"
#include "store/log_internal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define FIRST "00000000000000000000"

/* A batch of one record. */
#define BATCH_LEN (61 + 7 + 10)

static void
segments_of(struct fixture *fixture, int32_t segment_bytes)
{
	fixture->open.settings.segment_bytes = segment_bytes;
	fixture->open.settings.index_interval_bytes = 100;
	log_settings_change(fixture->log, &fixture->open.settings);
}

static void
append_some(struct fixture *fixture, int count)
{
	for (int i = 0; i < count; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.timestamp_ms = FIXTURE_NOW_MS + i });
}

static void
append_large(struct fixture *fixture, int count)
{
	for (int i = 0; i < count; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){
			.count = 3, .timestamp_ms = FIXTURE_NOW_MS + 10 * i });
}

static enum kp_error
read_error(struct fixture *fixture, int64_t offset)
{
	uint8_t *data;
	size_t len;
	enum kp_error error = fixture_read(fixture, offset, 1, &data, &len);

	free(data);
	return error;
}

/* The first batch that a read at offset gives. */
static struct batch
read_batch(struct fixture *fixture, int64_t offset)
{
	struct batch batch;
	uint8_t *data;
	size_t len;

	assert_int_equal(
	    fixture_read(fixture, offset, 1, &data, &len), KP_NONE);
	assert_int_equal(batch_read(slice_of(data, len), &batch), 0);
	free(data);
	return batch;
}

static int64_t
read_base(struct fixture *fixture, int64_t offset)
{
	return read_batch(fixture, offset).base_offset;
}

static char *
name_of(int64_t base_offset, const char *extension)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(base_offset, name);
	return xasprintf("%s%s", name, extension);
}

static void
poke(struct fixture *fixture, int64_t base_offset, const char *extension,
    int64_t position, uint8_t byte)
{
	char *name = name_of(base_offset, extension);

	fixture_poke(fixture, name, position, &byte, 1);
	free(name);
}

static void
cut_file(struct fixture *fixture, int64_t base_offset, const char *extension,
    int64_t size)
{
	char *name = name_of(base_offset, extension);
	char *path = fixture_file(fixture, name);

	assert_int_equal(truncate(path, size), 0);
	free(path);
	free(name);
}

static void
unlink_file(struct fixture *fixture, int64_t base_offset, const char *extension)
{
	char *name = name_of(base_offset, extension);
	char *path = fixture_file(fixture, name);

	assert_int_equal(unlink(path), 0);
	free(path);
	free(name);
}

/* Close in order; the files can be changed then. */
static void
stop(struct fixture *fixture)
{
	fixture->open.recovery_point = log_end_offset(fixture->log);
	fixture->open.log_start_offset = log_start_offset(fixture->log);
	fixture->open.clean = true;
	assert_int_equal(log_close(fixture->log), 0);
	fixture->log = NULL;
}

static void
kill_log(struct fixture *fixture)
{
	log_free(fixture->log);
	fixture->log = NULL;
	fixture->open.clean = false;
}

/* A closed segment with the batch at offset `bad` rotten, and found so. */
static void
find_rot(struct fixture *fixture, int64_t bad)
{
	segments_of(fixture, 500);
	append_some(fixture, 20);
	assert_true(fixture->log->segments[1]->base_offset > bad);
	poke(fixture, 0, ".log", bad * BATCH_LEN + 70, 0x11);
	fixture_kill(fixture, bad + 1);
	assert_int_equal(log_damage_count(fixture->log), 1);
	assert_int_equal(read_error(fixture, bad), KP_CORRUPT_MESSAGE);
}

/* --- A closed segment --------------------------------------------------- */

static void
a_rotten_header_takes_no_index_along(void **state)
{
	struct fixture *fixture = *state;
	int64_t timestamp_ms;
	int64_t base;
	int64_t len;
	int64_t end;

	segments_of(fixture, 2000);
	append_large(fixture, 60);
	base = fixture->log->segments[1]->base_offset;
	end = fixture->log->segments[2]->base_offset;
	len = fixture->log->segments[1]->size_bytes * 3 / (end - base);
	stop(fixture);
	poke(fixture, base, ".log", 2 * len + 16, 0x77);
	fixture_open(fixture);
	for (int round = 0; round < 3; round++) {
		for (int64_t offset = base; offset < end; offset++) {
			if (offset >= base + 6 && offset < base + 9)
				assert_int_equal(read_error(fixture, offset),
				    KP_CORRUPT_MESSAGE);
			else
				assert_int_equal(read_base(fixture, offset),
				    base + (offset - base) / 3 * 3);
		}
		assert_int_equal(segment_max_timestamp_closed(
				     fixture->log->segments[1], &timestamp_ms),
		    0);
		assert_int_equal(
		    timestamp_ms, FIXTURE_NOW_MS + 10 * (end / 3 - 1) + 2);
		if (round == 0) {
			log_tidy(fixture->log, 0);
			log_tidy(fixture->log, 0);
		} else {
			fixture_restart(fixture);
		}
	}
}

/* All single records but this one are read where they are. */
static void
expect_others(struct fixture *fixture, int64_t count, int64_t bad)
{
	for (int64_t offset = 0; offset < count; offset++) {
		struct batch batch;

		if (offset == bad)
			continue;
		batch = read_batch(fixture, offset);
		assert_int_equal(batch.base_offset, offset);
		assert_int_equal(batch.max_timestamp, FIXTURE_NOW_MS + offset);
	}
}

/* No checksum covers an offset; wherever an index leads, only one is lost. */
static void
a_flipped_offset_hides_no_other(void **state)
{
	struct fixture *fixture = *state;
	int64_t end;

	segments_of(fixture, 1000);
	append_some(fixture, 30);
	end = fixture->log->segments[1]->base_offset;
	for (int64_t bad = 0; bad < end; bad++) {
		for (int bit = 0; bit < 4; bit++) {
			int64_t at = bad * BATCH_LEN + 7;

			stop(fixture);
			poke(fixture, 0, ".log", at,
			    (uint8_t)(bad ^ (1 << bit)));
			fixture_open(fixture);
			expect_others(fixture, 30, bad);
			stop(fixture);
			poke(fixture, 0, ".log", at, (uint8_t)bad);
			fixture_open(fixture);
		}
	}
}

/* Nor is it passed over itself, where an index leads to it. */
static void
a_flipped_offset_is_not_passed_over(void **state)
{
	struct fixture *fixture = *state;
	int64_t end;

	segments_of(fixture, 1000);
	append_some(fixture, 30);
	end = fixture->log->segments[1]->base_offset;
	for (int64_t bad = 2; bad < end; bad++) {
		int64_t at = bad * BATCH_LEN + 7;

		for (int lower = 0; lower < bad; lower++) {
			stop(fixture);
			poke(fixture, 0, ".log", at, (uint8_t)lower);
			fixture_open(fixture);
			assert_int_equal(
			    read_error(fixture, bad), KP_CORRUPT_MESSAGE);
		}
		stop(fixture);
		poke(fixture, 0, ".log", at, (uint8_t)bad);
		fixture_open(fixture);
	}
}

/* Nothing is behind the last batch; where the segment ends is known. */
static void
a_flipped_offset_is_not_behind_the_segment(void **state)
{
	struct fixture *fixture = *state;
	int64_t last;

	segments_of(fixture, 1000);
	append_some(fixture, 30);
	last = fixture->log->segments[1]->base_offset - 1;
	for (int bit = 4; bit < 8; bit++) {
		stop(fixture);
		poke(fixture, 0, ".log", last * BATCH_LEN + 7,
		    (uint8_t)(last | (1 << bit)));
		fixture_open(fixture);
		assert_int_equal(read_error(fixture, last), KP_CORRUPT_MESSAGE);
		assert_int_equal(read_base(fixture, last + 1), last + 1);
		expect_others(fixture, 30, last);
	}
}

/* The same in front of what is known to be damaged. */
static void
a_flipped_offset_is_not_behind_damage(void **state)
{
	struct fixture *fixture = *state;

	find_rot(fixture, 3);
	poke(fixture, 0, ".log", 2 * BATCH_LEN + 7, 2 | 64);
	assert_int_equal(read_error(fixture, 2), KP_CORRUPT_MESSAGE);
	assert_int_equal(read_error(fixture, 3), KP_CORRUPT_MESSAGE);
	assert_int_equal(read_base(fixture, 1), 1);
	assert_int_equal(read_base(fixture, 4), 4);
}

/* Nor behind the log, whose end the recovery point knows. */
static void
a_flipped_offset_is_not_behind_the_log(void **state)
{
	struct fixture *fixture = *state;

	append_some(fixture, 10);
	for (int clean = 0; clean < 2; clean++) {
		stop(fixture);
		fixture->open.clean = clean != 0;
		fixture->open.recovery_point = 10;
		poke(fixture, 0, ".log", 9 * BATCH_LEN + 7, 9 | 64);
		fixture_open(fixture);
		assert_int_equal(log_end_offset(fixture->log), 10);
		assert_int_equal(read_error(fixture, 9), KP_CORRUPT_MESSAGE);
		expect_others(fixture, 10, 9);
	}
	append_some(fixture, 1);
	assert_int_equal(read_base(fixture, 10), 10);
}

/* A truncation finds its place in front of what is damaged, or behind it. */
static void
a_flipped_offset_stops_no_truncation(void **state)
{
	struct fixture *fixture = *state;

	segments_of(fixture, 1 << 20);
	append_some(fixture, 20);
	for (int64_t offset = 18; offset > 2; offset -= 3) {
		poke(fixture, 0, ".log", offset * BATCH_LEN + 7,
		    (uint8_t)(offset | 64));
		assert_int_equal(
		    log_truncate_to(fixture->log, offset, FIXTURE_NOW_MS), 0);
		assert_int_equal(log_end_offset(fixture->log), offset);
		assert_int_equal(
		    fixture->log->segments[0]->size_bytes, offset * BATCH_LEN);
	}
	poke(fixture, 0, ".log", BATCH_LEN + 7, 1 | 64);
	assert_int_equal(log_truncate_to(fixture->log, 2, FIXTURE_NOW_MS), 0);
	append_some(fixture, 1);
	assert_int_equal(read_base(fixture, 2), 2);
}

/* An index that cannot be read anew stays as it was. */
static void
a_failing_rebuild_keeps_the_times(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment;
	int64_t before_ms;
	int64_t after_ms;

	segments_of(fixture, 2000);
	append_large(fixture, 30);
	segment = fixture->log->segments[0];
	assert_int_equal(segment_max_timestamp_closed(segment, &before_ms), 0);
	disk_fault_fail_all(&fixture->fault, DISK_PREAD, ".log", 0, EIO);
	assert_int_equal(segment_distrust(segment), -1);
	disk_fault_clear(&fixture->fault);
	assert_int_equal(segment_max_timestamp_closed(segment, &after_ms), 0);
	assert_int_equal(before_ms, after_ms);
	assert_int_equal(segment_distrust(segment), 1);
}

/* A wrong index goes, also where there is no descriptor for the new one. */
static void
a_wrong_index_is_not_kept(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment;
	char *path;

	segments_of(fixture, 2000);
	append_large(fixture, 30);
	segment = fixture->log->segments[0];
	path = segment_path(segment, ".index");
	assert_int_equal(access(path, F_OK), 0);
	disk_fault_fail_all(
	    &fixture->fault, DISK_OPEN, "index", 0, EMFILE);
	assert_int_equal(segment_distrust(segment), 1);
	assert_true(disk_fault_clear(&fixture->fault) > 0);
	assert_int_equal(access(path, F_OK), -1);
	free(path);
}

static void
a_shortened_segment_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	int64_t base;
	int64_t end;

	segments_of(fixture, 2000);
	append_some(fixture, 60);
	base = fixture->log->segments[1]->base_offset;
	end = fixture->log->segments[2]->base_offset;
	stop(fixture);
	cut_file(fixture, base, ".log", (end - base - 5) * BATCH_LEN);
	fixture_open(fixture);
	assert_int_equal(read_base(fixture, end - 6), end - 6);
	for (int64_t offset = end - 5; offset < end; offset++)
		assert_int_equal(
		    read_error(fixture, offset), KP_CORRUPT_MESSAGE);
	assert_int_equal(read_base(fixture, end), end);

	/* Where it is compacted that is as it should be. */
	fixture->open.settings.cleanup_compact = true;
	log_settings_change(fixture->log, &fixture->open.settings);
	assert_int_equal(read_base(fixture, end - 5), end);
}

/* Append a batch at this offset, as a follower does. */
static void
copy_batch(struct fixture *fixture, int64_t offset)
{
	struct log_append append = { .origin = LOG_REPLICATION,
		.now_ms = FIXTURE_NOW_MS };
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	fixture_batch(
	    &bytes, &(struct fixture_batch){ .timestamp_ms = FIXTURE_NOW_MS });
	batch_patch(bytes.data, offset, 3);
	append.data = bytes.data;
	append.len = bytes.len;
	log_lock(fixture->log);
	assert_int_equal(log_append(fixture->log, &append), KP_NONE);
	log_unlock(fixture->log);
	buf_fini(&bytes);
}

/* A topic that was compacted once has gaps for ever. */
static void
gaps_of_an_old_compaction_are_legal(void **state)
{
	struct fixture *fixture = *state;

	segments_of(fixture, 500);
	for (int64_t offset = 0; offset < 60; offset += 2)
		copy_batch(fixture, offset);
	/* 0 to 10, then 20: the batches from 12 to 18 are cut off. */
	assert_int_equal(fixture->log->segments[1]->base_offset, 12);
	stop(fixture);
	cut_file(fixture, 0, ".log", 4 * BATCH_LEN);
	fixture_open(fixture);
	for (int64_t offset = 0; offset < 58; offset++) {
		int64_t expected = (offset + 1) / 2 * 2;

		if (expected == 8 || expected == 10)
			expected = 12;
		assert_int_equal(read_base(fixture, offset), expected);
	}
}

/* --- The active segment after an orderly stop --------------------------- */

/* Every bit of both indexes wrong: appends go on, and nothing is lost. */
static void
flipped_indexes_do_not_stop_appends(void **state)
{
	static const char *const names[] = { FIRST ".index",
		FIRST ".timeindex" };
	struct fixture *fixture = *state;
	uint8_t *good[COUNT_OF(names)];
	size_t len[COUNT_OF(names)];

	segments_of(fixture, 1 << 20);
	append_some(fixture, 12);
	stop(fixture);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char *path = fixture_file(fixture, names[i]);

		good[i] = disk_read_file(disk_posix(), path, 1000, &len[i]);
		assert_non_null(good[i]);
		assert_true(len[i] > 24);
		free(path);
	}
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		for (size_t bit = 0; bit < 8 * len[i]; bit++) {
			uint8_t byte =
			    good[i][bit / 8] ^ (uint8_t)(1 << bit % 8);

			fixture_poke(
			    fixture, names[i], (int64_t)bit / 8, &byte, 1);
			fixture_open(fixture);
			assert_int_equal(log_end_offset(fixture->log), 12);
			append_some(fixture, 5);
			assert_int_equal(
			    fixture_count_records(fixture, 0, 1), 17);
			/* Leave all as it was. */
			kill_log(fixture);
			cut_file(fixture, 0, ".log", 12 * BATCH_LEN);
			for (size_t j = 0; j < COUNT_OF(names); j++)
				fixture_poke(
				    fixture, names[j], 0, good[j], len[j]);
			fixture->open.clean = true;
		}
	}
	for (size_t i = 0; i < COUNT_OF(names); i++)
		free(good[i]);
	fixture_open(fixture);
}

/* --- What was durable is gone ------------------------------------------- */

static void
expect_lost(struct fixture *fixture, int64_t first, int64_t end)
{
	assert_true(log_lost_data(fixture->log));
	for (int64_t offset = first; offset < end; offset++)
		assert_int_equal(
		    read_error(fixture, offset), KP_CORRUPT_MESSAGE);
}

/* The next ones get the offsets behind, and it stays so. */
static void
go_on_behind(struct fixture *fixture, int64_t first, int64_t end)
{
	assert_int_equal(log_end_offset(fixture->log), end);
	append_some(fixture, 2);
	assert_int_equal(read_base(fixture, end), end);
	for (int round = 0; round < 4; round++) {
		if (round % 2 == 0)
			fixture_restart(fixture);
		else
			fixture_kill(fixture, end + 1);
		assert_false(log_lost_data(fixture->log));
		assert_int_equal(log_end_offset(fixture->log), end + 2);
		assert_int_equal(log_damage_count(fixture->log), 1);
		assert_int_equal(
		    read_error(fixture, first), KP_CORRUPT_MESSAGE);
		assert_int_equal(
		    read_error(fixture, end - 1), KP_CORRUPT_MESSAGE);
		assert_int_equal(read_base(fixture, first - 1), first - 1);
		assert_int_equal(read_base(fixture, end), end);
	}
}

static void
lost_offsets_are_not_given_again(void **state)
{
	struct fixture *fixture = *state;

	append_some(fixture, 10);
	stop(fixture);
	cut_file(fixture, 0, ".log", 4 * BATCH_LEN);
	fixture_open(fixture);
	expect_lost(fixture, 4, 10);
	go_on_behind(fixture, 4, 10);
}

static void
lost_after_a_kill(void **state)
{
	struct fixture *fixture = *state;

	/* The gap is legal in a compacted log, this one is not. */
	fixture->open.settings.cleanup_compact = true;
	log_settings_change(fixture->log, &fixture->open.settings);
	append_some(fixture, 10);
	kill_log(fixture);
	cut_file(fixture, 0, ".log", 4 * BATCH_LEN + 7);
	fixture->open.recovery_point = 8;
	fixture_open(fixture);
	/* What is left of a batch is rot of its own. */
	assert_int_equal(log_end_offset(fixture->log), 8);
	for (int64_t offset = 4; offset < 8; offset++)
		assert_int_equal(
		    read_error(fixture, offset), KP_CORRUPT_MESSAGE);
	append_some(fixture, 1);
	assert_int_equal(read_base(fixture, 8), 8);
}

static void
the_last_segment_is_missing(void **state)
{
	struct fixture *fixture = *state;
	int64_t base;

	segments_of(fixture, 500);
	append_some(fixture, 20);
	base = log_active_base_offset(fixture->log);
	assert_true(base > 6 && base < 20);
	stop(fixture);
	unlink_file(fixture, base, ".log");
	fixture_open(fixture);
	expect_lost(fixture, base, 20);
	go_on_behind(fixture, base, 20);
}

static void
an_empty_last_segment(void **state)
{
	struct fixture *fixture = *state;
	int64_t base;

	segments_of(fixture, 500);
	append_some(fixture, 20);
	base = log_active_base_offset(fixture->log);
	stop(fixture);
	cut_file(fixture, base, ".log", 0);
	fixture_open(fixture);
	expect_lost(fixture, base, 20);
	go_on_behind(fixture, base, 20);
}

static void
all_segments_are_missing(void **state)
{
	struct fixture *fixture = *state;

	append_some(fixture, 10);
	stop(fixture);
	unlink_file(fixture, 0, ".log");
	fixture_open(fixture);
	assert_true(log_lost_data(fixture->log));
	assert_int_equal(log_start_offset(fixture->log), 10);
	append_some(fixture, 1);
	assert_int_equal(read_base(fixture, 10), 10);
	fixture_restart(fixture);
	assert_int_equal(log_end_offset(fixture->log), 11);
	assert_false(log_lost_data(fixture->log));
}

/* A checkpoint's number that no log can have says nothing. */
static void
an_impossible_recovery_point(void **state)
{
	struct fixture *fixture = *state;

	append_some(fixture, 10);
	kill_log(fixture);
	fixture->open.recovery_point = INT64_MAX;
	fixture_open(fixture);
	assert_int_equal(log_end_offset(fixture->log), 10);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 10);
}

static void
a_start_ahead_of_the_data(void **state)
{
	struct fixture *fixture = *state;

	append_some(fixture, 10);
	stop(fixture);
	fixture->open.log_start_offset = 90;
	fixture_open(fixture);
	assert_int_equal(log_start_offset(fixture->log), 0);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 10);
	fixture_restart(fixture);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 10);

	/* The data is what is missing: nothing of it is used again. */
	stop(fixture);
	fixture->open.log_start_offset = 50;
	fixture->open.recovery_point = 50;
	fixture_open(fixture);
	assert_int_equal(log_start_offset(fixture->log), 50);
	assert_int_equal(log_end_offset(fixture->log), 50);
	append_some(fixture, 1);
	fixture_restart(fixture);
	assert_int_equal(log_end_offset(fixture->log), 51);
}

/* --- What was found is remembered --------------------------------------- */

static void
rot_is_remembered(void **state)
{
	struct fixture *fixture = *state;

	find_rot(fixture, 3);
	assert_true(fixture_file_size(fixture, LOG_DAMAGES_FILE) > 0);
	for (int round = 0; round < 4; round++) {
		if (round % 2 == 0)
			fixture_restart(fixture);
		else
			fixture_kill(fixture, 20);
		assert_int_equal(log_damage_count(fixture->log), 1);
		assert_int_equal(read_error(fixture, 3), KP_CORRUPT_MESSAGE);
		assert_int_equal(read_base(fixture, 4), 4);
	}
}

/* What would contradict a flipped offset is rotten itself. */
static void
a_flipped_offset_in_front_of_rot(void **state)
{
	struct fixture *fixture = *state;

	find_rot(fixture, 3);
	stop(fixture);
	poke(fixture, 0, ".log", 2 * BATCH_LEN + 4, 0x10);
	fixture_open(fixture);
	/* With few entries the walk comes over both. */
	assert_int_equal(segment_distrust(fixture->log->segments[0]), 1);
	assert_int_equal(read_base(fixture, 1), 1);
	assert_int_equal(read_error(fixture, 3), KP_CORRUPT_MESSAGE);
	for (int64_t offset = 4; offset < 20; offset++)
		assert_int_equal(read_base(fixture, offset), offset);
}

static void
a_damaged_memory_is_made_again(void **state)
{
	struct fixture *fixture = *state;
	int64_t size;

	find_rot(fixture, 3);
	size = fixture_file_size(fixture, LOG_DAMAGES_FILE);
	for (int64_t at = 0; at < size; at += 3) {
		char *path = fixture_file(fixture, LOG_DAMAGES_FILE);
		size_t len;
		uint8_t *bytes = disk_read_file(disk_posix(), path, 1000, &len);

		bytes[at] ^= (uint8_t)(1 << at % 8);
		stop(fixture);
		fixture_poke(fixture, LOG_DAMAGES_FILE, 0, bytes, len);
		fixture_open(fixture);
		assert_int_equal(log_damage_count(fixture->log), 1);
		assert_int_equal(read_error(fixture, 3), KP_CORRUPT_MESSAGE);
		assert_int_equal(read_base(fixture, 4), 4);
		free(bytes);
		free(path);
	}
	stop(fixture);
	{
		char *path = fixture_file(fixture, LOG_DAMAGES_FILE);

		assert_int_equal(truncate(path, 0), 0);
		free(path);
	}
	fixture_open(fixture);
	assert_int_equal(read_error(fixture, 3), KP_CORRUPT_MESSAGE);
	assert_int_equal(fixture_file_size(fixture, LOG_DAMAGES_FILE), size);
}

/* Whoever puts the good bytes back can read them after the next start. */
static void
what_was_repaired_is_served(void **state)
{
	struct fixture *fixture = *state;

	find_rot(fixture, 3);
	stop(fixture);
	poke(fixture, 0, ".log", 3 * BATCH_LEN + 70, 'v');
	fixture_open(fixture);
	assert_int_equal(log_damage_count(fixture->log), 0);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20), 20);
	assert_int_equal(fixture_file_size(fixture, LOG_DAMAGES_FILE), -1);
}

static void
damage_goes_with_its_segment(void **state)
{
	struct fixture *fixture = *state;
	int64_t ignored;

	find_rot(fixture, 3);
	assert_int_equal(log_delete_records(fixture->log, 20), KP_NONE);
	assert_true(log_retain(fixture->log, FIXTURE_NOW_MS) > 0);
	assert_int_equal(log_damage_count(fixture->log), 0);
	assert_int_equal(log_checkpoint(fixture->log, &ignored), 0);
	assert_int_equal(fixture_file_size(fixture, LOG_DAMAGES_FILE), -1);
}

/* A full disk at the start: it is written with the next checkpoint. */
static void
the_memory_can_wait(void **state)
{
	struct fixture *fixture = *state;
	int64_t ignored;

	segments_of(fixture, 500);
	append_some(fixture, 20);
	poke(fixture, 0, ".log", 3 * BATCH_LEN + 70, 0x11);
	kill_log(fixture);
	fixture->open.recovery_point = 4;
	disk_fault_fail_all(
	    &fixture->fault, DISK_OPEN, LOG_DAMAGES_FILE ".tmp", 0, ENOSPC);
	fixture_open(fixture);
	assert_true(disk_fault_clear(&fixture->fault) > 0);
	assert_int_equal(fixture_file_size(fixture, LOG_DAMAGES_FILE), -1);
	assert_int_equal(log_checkpoint(fixture->log, &ignored), 0);
	assert_true(fixture_file_size(fixture, LOG_DAMAGES_FILE) > 0);
}

/* --- Interrupted compactions -------------------------------------------- */

/* Copy the first segment's log, or a part of it, to a .swap of its name. */
static void
make_swap(struct fixture *fixture, int64_t size)
{
	char *from = fixture_file(fixture, FIRST ".log");
	char *to = fixture_file(fixture, FIRST ".log.swap");
	size_t len;
	uint8_t *data = disk_read_file(disk_posix(), from, 1 << 20, &len);

	assert_non_null(data);
	assert_int_equal(disk_write_file(disk_posix(), to, data,
			     MIN((size_t)size, len), 0644),
	    0);
	free(data);
	free(from);
	free(to);
}

static void
a_swap_that_is_not_whole_replaces_nothing(void **state)
{
	struct fixture *fixture = *state;
	uint8_t byte = 0x77;

	segments_of(fixture, 500);
	append_some(fixture, 20);
	stop(fixture);
	for (int kind = 0; kind < 4; kind++) {
		static const int64_t sizes[] = { 0, 3, BATCH_LEN + 30,
			3 * BATCH_LEN };

		make_swap(fixture, sizes[kind]);
		if (kind == 3)
			fixture_poke(fixture, FIRST ".log.swap",
			    2 * BATCH_LEN + 70, &byte, 1);
		fixture_open(fixture);
		assert_int_equal(
		    fixture_file_size(fixture, FIRST ".log.swap"), -1);
		assert_int_equal(
		    fixture_count_records(fixture, 0, 1 << 20), 20);
		stop(fixture);
	}
	fixture_open(fixture);
}

/* What it was made of is gone: it is all there is. */
static void
a_torn_swap_alone_is_kept(void **state)
{
	struct fixture *fixture = *state;

	segments_of(fixture, 500);
	append_some(fixture, 20);
	stop(fixture);
	make_swap(fixture, 2 * BATCH_LEN + 30);
	unlink_file(fixture, 0, ".log");
	fixture_open(fixture);
	assert_int_equal(log_first_base_offset(fixture->log), 0);
	assert_int_equal(read_base(fixture, 0), 0);
	assert_int_equal(read_base(fixture, 1), 1);
	assert_int_equal(read_error(fixture, 2), KP_CORRUPT_MESSAGE);
	assert_int_equal(log_end_offset(fixture->log), 20);
}

static void
a_swap_that_cannot_be_read_is_no_reason_to_drop(void **state)
{
	struct fixture *fixture = *state;

	segments_of(fixture, 500);
	append_some(fixture, 20);
	stop(fixture);
	make_swap(fixture, 1 << 20);
	disk_fault_fail(&fixture->fault, DISK_PREAD, ".log.swap", 0, EIO);
	assert_null(log_open(&fixture->open));
	assert_int_equal(disk_fault_clear(&fixture->fault), 1);
	assert_true(fixture_file_size(fixture, FIRST ".log") > 0);
	assert_true(fixture_file_size(fixture, FIRST ".log.swap") > 0);
	fixture_open(fixture);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20), 20);
}

/* --- Retention ---------------------------------------------------------- */

/* Many segments, each with one entry in its time index. */
static void
fill(struct fixture *fixture)
{
	fixture->open.settings.segment_bytes = 1000;
	log_settings_change(fixture->log, &fixture->open.settings);
	append_some(fixture, 50);
}

static void
a_flipped_time_deletes_nothing(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture);
	stop(fixture);
	assert_int_equal(fixture_file_size(fixture, FIRST ".timeindex"), 12);
	/* 2027 becomes 1992. */
	poke(fixture, 0, ".timeindex", 2, 0);
	fixture_open(fixture);
	assert_int_equal(log_retain(fixture->log, FIXTURE_NOW_MS + 1000), 0);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20), 50);

	/* A time index that lost its entries. */
	stop(fixture);
	cut_file(fixture, 0, ".timeindex", 0);
	fixture_open(fixture);
	fixture->log->segments[0]->modified_ms = 0;
	assert_int_equal(log_retain(fixture->log, FIXTURE_NOW_MS + 1000), 0);

	/* What is old goes. */
	assert_true(log_retain(fixture->log,
			FIXTURE_NOW_MS + 1000 +
			    fixture->open.settings.retention_ms) > 0);
	assert_int_equal(log_start_offset(fixture->log), 50);
}

/* A full disk allows no roll, but all closed segments can go. */
static void
retention_on_a_full_disk(void **state)
{
	struct fixture *fixture = *state;
	int64_t later =
	    FIXTURE_NOW_MS + 1000 + fixture->open.settings.retention_ms;
	size_t count;

	fill(fixture);
	count = log_segment_count(fixture->log);
	disk_fault_fail_all(
	    &fixture->fault, DISK_PWRITE, ".timeindex", 0, ENOSPC);
	assert_int_equal(log_retain(fixture->log, later), count - 1);
	assert_true(disk_fault_clear(&fixture->fault) > 0);
	assert_int_equal(log_segment_count(fixture->log), 1);
	assert_false(log_is_offline(fixture->log));
	assert_int_equal(log_retain(fixture->log, later), 1);
	assert_int_equal(log_size_bytes(fixture->log), 0);
}

/* The order of what happens to names. */
struct names {
	bool dirty;
	int renames;
	int unlinks;
};

static void
watch_names(void *context, enum disk_operation operation, const char *path)
{
	struct names *names = context;
	size_t len = path == NULL ? 0 : strlen(path);

	if (operation == DISK_FSYNC && len > 7 &&
	    strcmp(path + len - 7, "topic-0") == 0)
		names->dirty = false;
	if (operation == DISK_RENAME) {
		/* The first of them: the new segment's name is durable. */
		if (names->renames++ == 0)
			assert_false(names->dirty);
		names->dirty = true;
	}
	if (operation == DISK_UNLINK) {
		names->unlinks++;
		assert_false(names->dirty);
	}
}

static void
names_are_durable_in_order(void **state)
{
	struct fixture *fixture = *state;
	int64_t later =
	    FIXTURE_NOW_MS + 1000 + fixture->open.settings.retention_ms;
	struct names names = { .dirty = true };

	fill(fixture);
	assert_int_equal(log_flush_all(fixture->log), 0);
	fixture->fault.hook = watch_names;
	fixture->fault.hook_context = &names;
	assert_true(log_retain(fixture->log, later) > 0);
	assert_true(names.renames > 0);
	assert_int_equal(names.unlinks, 0);
	log_tidy(fixture->log, INT64_MAX - 1);
	assert_true(names.unlinks > 0);
	fixture->fault.hook = NULL;
	assert_int_equal(log_start_offset(fixture->log), 50);
}

static void
the_delay_can_be_for_ever(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture);
	fixture->open.settings.file_delete_delay_ms = INT64_MAX;
	log_settings_change(fixture->log, &fixture->open.settings);
	assert_int_equal(log_delete_records(fixture->log, 50), KP_NONE);
	assert_true(log_retain(fixture->log, FIXTURE_NOW_MS) > 0);
	assert_int_equal(
	    log_tidy(fixture->log, clock_monotonic_ms()), INT64_MAX);
	assert_true(fixture_file_size(fixture, FIRST ".log.deleted") > 0);
}

/* --- Others ------------------------------------------------------------- */

static enum kp_error
append_sequence(
    struct fixture *fixture, enum log_origin origin, int32_t base_sequence)
{
	struct log_append append = {
		.origin = origin, .leader_epoch = 3, .now_ms = FIXTURE_NOW_MS
	};
	enum kp_error error;
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	fixture_batch(&bytes,
	    &(struct fixture_batch){ .has_producer = true,
		.producer_id = 7,
		.base_sequence = base_sequence,
		.timestamp_ms = FIXTURE_NOW_MS });
	append.data = bytes.data;
	append.len = bytes.len;
	log_lock(fixture->log);
	error = log_append(fixture->log, &append);
	log_unlock(fixture->log);
	buf_fini(&bytes);
	return error;
}

static void
a_batch_without_sequence(void **state)
{
	struct fixture *fixture = *state;

	for (int32_t sequence = -1; sequence > -4; sequence--) {
		assert_int_equal(
		    append_sequence(fixture, LOG_COORDINATOR, sequence),
		    KP_NONE);
		fixture_restart(fixture);
		assert_int_equal(log_producers(fixture->log)->count, 1);
		assert_int_equal(append_sequence(fixture, LOG_CLIENT, 5),
		    KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
		assert_int_equal(
		    append_sequence(fixture, LOG_CLIENT, 0), KP_NONE);
		assert_int_equal(
		    append_sequence(fixture, LOG_CLIENT, 1), KP_NONE);
	}
}

static void
missing_epochs_are_derived(void **state)
{
	struct fixture *fixture = *state;
	char *path = fixture_file(fixture, LEADER_EPOCHS_FILE);

	segments_of(fixture, 500);
	append_some(fixture, 20);
	for (int kind = 0; kind < 4; kind++) {
		stop(fixture);
		assert_int_equal(
		    kind % 2 == 0 ? unlink(path) : truncate(path, 0), 0);
		fixture->open.clean = kind < 2;
		fixture_open(fixture);
		assert_int_equal(
		    leader_epochs_at(log_leader_epochs(fixture->log), 0), 3);
		assert_int_equal(
		    leader_epochs_latest(log_leader_epochs(fixture->log)), 3);
	}
	free(path);
}

/* Retention takes the first segment while a look-up reads the second. */
struct race {
	struct fixture *fixture;
	const char *name;
	bool done;
};

static void
retain_meanwhile(void *context, enum disk_operation operation, const char *path)
{
	struct race *race = context;
	struct log *log = race->fixture->log;

	if (race->done || operation != DISK_OPEN || path == NULL ||
	    strstr(path, race->name) == NULL)
		return;
	race->done = true;
	assert_int_equal(
	    log_delete_records(log, log->segments[1]->base_offset), KP_NONE);
	assert_int_equal(log_retain(log, FIXTURE_NOW_MS), 1);
}

static void
a_lookup_by_time_skips_no_segment(void **state)
{
	struct fixture *fixture = *state;
	struct race race = { .fixture = fixture };
	struct log_position found;
	int64_t base;
	char *name;

	fixture->open.settings.retention_ms = -1;
	fill(fixture);
	fixture_restart(fixture);
	base = fixture->log->segments[2]->base_offset;
	name = name_of(fixture->log->segments[1]->base_offset, ".timeindex");
	race.name = name;
	fixture->fault.hook = retain_meanwhile;
	fixture->fault.hook_context = &race;
	assert_int_equal(log_find_timestamp(fixture->log,
			     FIXTURE_NOW_MS + base + 1, INT64_MAX, &found),
	    KP_NONE);
	assert_true(race.done);
	assert_int_equal(found.offset, base + 1);
	fixture->fault.hook = NULL;
	free(name);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_rotten_header_takes_no_index_along),
		TEST(a_flipped_offset_hides_no_other),
		TEST(a_flipped_offset_is_not_passed_over),
		TEST(a_flipped_offset_is_not_behind_the_segment),
		TEST(a_flipped_offset_is_not_behind_damage),
		TEST(a_flipped_offset_is_not_behind_the_log),
		TEST(a_flipped_offset_stops_no_truncation),
		TEST(a_failing_rebuild_keeps_the_times),
		TEST(a_wrong_index_is_not_kept),
		TEST(a_shortened_segment_is_noticed),
		TEST(gaps_of_an_old_compaction_are_legal),
		TEST(flipped_indexes_do_not_stop_appends),
		TEST(lost_offsets_are_not_given_again),
		TEST(lost_after_a_kill),
		TEST(the_last_segment_is_missing),
		TEST(an_empty_last_segment),
		TEST(all_segments_are_missing),
		TEST(an_impossible_recovery_point),
		TEST(a_start_ahead_of_the_data),
		TEST(rot_is_remembered),
		TEST(a_flipped_offset_in_front_of_rot),
		TEST(a_damaged_memory_is_made_again),
		TEST(what_was_repaired_is_served),
		TEST(damage_goes_with_its_segment),
		TEST(the_memory_can_wait),
		TEST(a_swap_that_is_not_whole_replaces_nothing),
		TEST(a_torn_swap_alone_is_kept),
		TEST(a_swap_that_cannot_be_read_is_no_reason_to_drop),
		TEST(a_flipped_time_deletes_nothing),
		TEST(retention_on_a_full_disk),
		TEST(names_are_durable_in_order),
		TEST(the_delay_can_be_for_ever),
		TEST(a_batch_without_sequence),
		TEST(missing_epochs_are_derived),
		TEST(a_lookup_by_time_skips_no_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
