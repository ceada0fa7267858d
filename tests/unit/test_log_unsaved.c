/* A log that is loaded on a disk without room for its small files. */
#include "unit/store_fixture.h"

#include "store/log_clean.h"
#include "store/log_internal.h"
#include "store/producer_snapshot.h"
#include "wire/control_record.h"

#include <errno.h>

#define SECOND "00000000000000000006"

static int
setup(void **state)
{
	struct fixture *fixture;

	if (fixture_setup(state) != 0)
		return -1;
	fixture = *state;
	fixture->open.settings.segment_bytes = 500;
	fixture->open.settings.index_interval_bytes = 100;
	log_settings_change(fixture->log, &fixture->open.settings);
	return 0;
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
append_abort(struct fixture *fixture, int64_t producer_id)
{
	const struct control_record_marker marker = {
		.producer_id = producer_id,
	};
	struct log_append append = {
		.leader_epoch = 3,
		.origin = LOG_COORDINATOR,
		.now_ms = FIXTURE_NOW_MS,
	};
	struct buf bytes;

	buf_init(&bytes, 1 << 10);
	assert_int_equal(control_record_marker_append(
			     &marker, 0, 3, FIXTURE_NOW_MS, &bytes),
	    0);
	append.data = bytes.data;
	append.len = bytes.len;
	log_lock(fixture->log);
	assert_int_equal(log_append(fixture->log, &append), KP_NONE);
	log_unlock(fixture->log);
	buf_fini(&bytes);
}

/* A transaction that is aborted in the second of many segments. */
static void
fill(struct fixture *fixture)
{
	fixture_must_append(fixture,
	    &(struct fixture_batch){ .has_producer = true,
		.transactional = true,
		.producer_id = 9,
		.timestamp_ms = FIXTURE_NOW_MS });
	append_some(fixture, 7);
	append_abort(fixture, 9);
	append_some(fixture, 30);
	assert_true(log_segment_count(fixture->log) > 4);
	assert_true(log_has_base(fixture->log, 6));
}

/* How many aborted transactions is who reads the first batch told of? */
static size_t
count_aborted(struct fixture *fixture)
{
	struct log_read read = {
		.offset = log_start_offset(fixture->log),
		.upper_bound = INT64_MAX,
		.max_bytes = 1 << 20,
		.min_one_batch = true,
	};
	struct txn_index found;
	size_t count;

	txn_index_init(&found);
	log_lock(fixture->log);
	assert_int_equal(log_read(fixture->log, &read), KP_NONE);
	log_unlock(fixture->log);
	if (read.unresolved)
		assert_int_equal(log_read_resolve(&read), KP_NONE);
	assert_int_equal(log_read_aborted(&read, &found), KP_NONE);
	log_read_release(&read);
	count = found.count;
	txn_index_fini(&found);
	return count;
}

static int64_t
checkpoint(struct fixture *fixture)
{
	int64_t recovery_point;

	assert_int_equal(log_checkpoint(fixture->log, &recovery_point), 0);
	return recovery_point;
}

/* After a kill, with no room for a byte. */
static void
start_on_a_full_disk(struct fixture *fixture, int64_t recovery_point)
{
	log_free(fixture->log);
	fixture->log = NULL;
	fixture->open.clean = false;
	fixture->open.recovery_point = recovery_point;
	disk_fault_fail_all(&fixture->fault, DISK_PWRITE, NULL, 0, ENOSPC);
	fixture_open(fixture);
	assert_false(log_is_offline(fixture->log));
}

/* What is not used goes from memory with the second call. */
static void
tidy(struct fixture *fixture)
{
	(void)log_tidy(fixture->log, INT64_MAX - 1);
	(void)log_tidy(fixture->log, INT64_MAX - 1);
}

/* A log that could make room has to be there, room or not. */
static void
a_full_disk_keeps_no_log_from_loading(void **state)
{
	struct fixture *fixture = *state;
	int64_t end;

	fill(fixture);
	end = log_end_offset(fixture->log);
	/* Twice, because the first one must leave no trap for the second. */
	for (int i = 0; i < 2; i++) {
		start_on_a_full_disk(fixture, 0);
		tidy(fixture);
		assert_true(disk_fault_clear(&fixture->fault) > 3);
		assert_int_equal(log_end_offset(fixture->log), end);
		assert_int_equal(
		    fixture_count_records(fixture, 0, 1 << 20), end);
		assert_int_equal(count_aborted(fixture), 1);
		assert_int_equal(log_flush_all(fixture->log), 0);
		assert_int_equal(log_flushed_offset(fixture->log), end);
		/* Or nobody would make the files. */
		assert_int_equal(checkpoint(fixture), 0);
		assert_int_equal(
		    fixture_file_size(fixture, SECOND ".timeindex"), -1);
		assert_int_equal(
		    fixture_file_size(fixture, SECOND ".txnindex"), -1);
	}
}

static bool
has_newest_snapshot(const struct fixture *fixture)
{
	char name[PRODUCER_SNAPSHOT_NAME_SIZE];

	producer_snapshot_name(log_active_base_offset(fixture->log), name);
	return fixture_file_size(fixture, name) > 0;
}

static void
the_files_are_written_when_there_is_room(void **state)
{
	struct fixture *fixture = *state;
	int64_t end;

	fill(fixture);
	end = log_end_offset(fixture->log);
	start_on_a_full_disk(fixture, 0);
	assert_int_equal(log_flush_all(fixture->log), 0);
	assert_int_equal(log_unsaved_write(fixture->log), -1);
	assert_true(disk_fault_clear(&fixture->fault) > 3);
	assert_int_equal(checkpoint(fixture), 0);
	tidy(fixture);
	assert_int_equal(checkpoint(fixture), end);
	assert_true(fixture_file_size(fixture, SECOND ".timeindex") > 0);
	assert_true(fixture_file_size(fixture, SECOND ".txnindex") > 0);
	assert_true(has_newest_snapshot(fixture));
	assert_int_equal(count_aborted(fixture), 1);
	/* They are good: the next start does not look at those segments. */
	fixture_kill(fixture, end);
	assert_int_equal(count_aborted(fixture), 1);
	assert_int_equal(log_producers(fixture->log)->count, 1);
	fixture_restart(fixture);
	assert_int_equal(count_aborted(fixture), 1);
}

/* The stop leaves nothing to be made, or is none. */
static void
a_stop_writes_them(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture);
	start_on_a_full_disk(fixture, 0);
	assert_int_equal(log_close(fixture->log), -1);
	fixture->log = NULL;
	start_on_a_full_disk(fixture, 0);
	assert_true(disk_fault_clear(&fixture->fault) > 3);
	fixture_restart(fixture);
	assert_true(fixture_file_size(fixture, SECOND ".txnindex") > 0);
	assert_int_equal(count_aborted(fixture), 1);
}

static void
room_is_made_by_who_needs_it(void **state)
{
	struct fixture *fixture = *state;
	int64_t end;

	fill(fixture);
	end = log_end_offset(fixture->log);
	fixture->open.settings.retention_bytes = 1000;
	start_on_a_full_disk(fixture, 0);
	assert_int_equal(log_flush_all(fixture->log), 0);
	log_high_watermark_set(fixture->log, end);
	assert_true(log_retain(fixture->log, FIXTURE_NOW_MS) > 0);
	assert_true(disk_fault_clear(&fixture->fault) > 3);
	tidy(fixture);
	assert_int_equal(checkpoint(fixture), end);
}

/* What a round would drop the next start has to find. */
static void
nothing_is_compacted_meanwhile(void **state)
{
	struct fixture *fixture = *state;
	const struct log_clean_round round = {
		.memory_max = 1 << 12,
		.map_load_factor = 0.9,
		.buffer_len = 4096,
		.now_ms = FIXTURE_NOW_MS,
	};
	struct log_clean_stats stats;
	struct log_clean_state clean;

	fill(fixture);
	fixture->open.settings.cleanup_compact = true;
	fixture->open.settings.min_cleanable_dirty_ratio = 0;
	start_on_a_full_disk(fixture, 0);
	assert_int_equal(log_flush_all(fixture->log), 0);
	log_high_watermark_set(
	    fixture->log, log_end_offset(fixture->log));
	assert_true(disk_fault_clear(&fixture->fault) > 3);
	assert_false(log_clean_look(fixture->log, FIXTURE_NOW_MS, &clean));
	assert_int_equal(
	    log_clean(fixture->log, &round, &stats), LOG_CLEAN_STOPPED);
	tidy(fixture);
	assert_true(log_clean_look(fixture->log, FIXTURE_NOW_MS, &clean));
}

/* The segment that is cut has no files to be opened again with. */
static void
a_truncation_takes_what_has_no_file(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture);
	start_on_a_full_disk(fixture, 0);
	assert_int_equal(
	    log_truncate_to(fixture->log, 10, FIXTURE_NOW_MS), 0);
	assert_int_equal(count_aborted(fixture), 1);
	assert_true(disk_fault_clear(&fixture->fault) > 3);
	append_some(fixture, 20);
	assert_int_equal(count_aborted(fixture), 1);
	assert_int_equal(log_flush_all(fixture->log), 0);
	tidy(fixture);
	assert_int_equal(checkpoint(fixture), log_end_offset(fixture->log));
	fixture_restart(fixture);
	assert_int_equal(count_aborted(fixture), 1);
}

static size_t
count_snapshots(const struct fixture *fixture)
{
	size_t count = 0;

	for (size_t i = 0; i < fixture->log->segment_count; i++)
		count += fixture->log->segments[i]->snapshot != NULL;
	return count;
}

/* However many segments there are. */
static void
memory_has_the_newest_snapshots_only(void **state)
{
	struct fixture *fixture = *state;
	int64_t end;

	fill(fixture);
	append_some(fixture, 200);
	end = log_end_offset(fixture->log);
	assert_true(log_segment_count(fixture->log) > 20);
	start_on_a_full_disk(fixture, 0);
	assert_true(disk_fault_clear(&fixture->fault) > 20);
	assert_int_equal(count_snapshots(fixture), 4);
	assert_non_null(log_active(fixture->log)->snapshot);
	assert_int_equal(log_flush_all(fixture->log), 0);
	tidy(fixture);
	assert_int_equal(count_snapshots(fixture), 0);
	assert_int_equal(checkpoint(fixture), end);
	fixture_kill(fixture, end);
	assert_int_equal(log_producers(fixture->log)->count, 1);
}

/* Retention took all else that tells of the producer. */
static void
a_truncation_reads_what_is_in_memory(void **state)
{
	struct fixture *fixture = *state;
	int64_t base;

	fill(fixture);
	fixture->open.settings.retention_bytes = 1000;
	start_on_a_full_disk(fixture, 0);
	assert_int_equal(log_flush_all(fixture->log), 0);
	log_high_watermark_set(fixture->log, log_end_offset(fixture->log));
	assert_true(log_retain(fixture->log, FIXTURE_NOW_MS) > 0);
	base = log_first_base_offset(fixture->log);
	assert_true(base > 8);
	assert_int_equal(
	    log_truncate_to(fixture->log, base + 1, FIXTURE_NOW_MS), 0);
	assert_int_equal(log_producers(fixture->log)->count, 1);
	assert_true(disk_fault_clear(&fixture->fault) > 3);
}

/* A part of a time index could be taken for a whole one. */
static void
no_part_of_an_index_stays(void **state)
{
	struct fixture *fixture = *state;

	append_some(fixture, 4);
	disk_fault_fail(&fixture->fault, DISK_PWRITE, ".timeindex", 0, ENOSPC);
	fixture->fault.short_len = 12;
	log_lock(fixture->log);
	assert_int_equal(log_roll(fixture->log, FIXTURE_NOW_MS), -1);
	log_unlock(fixture->log);
	assert_int_equal(disk_fault_clear(&fixture->fault), 1);
	assert_int_equal(
	    fixture_file_size(fixture, "00000000000000000000.timeindex"), -1);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_full_disk_keeps_no_log_from_loading),
		TEST(the_files_are_written_when_there_is_room),
		TEST(a_stop_writes_them),
		TEST(room_is_made_by_who_needs_it),
		TEST(nothing_is_compacted_meanwhile),
		TEST(a_truncation_takes_what_has_no_file),
		TEST(memory_has_the_newest_snapshots_only),
		TEST(a_truncation_reads_what_is_in_memory),
		TEST(no_part_of_an_index_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
