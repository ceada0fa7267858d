/* Logs that are described when they are closed, and opened from that. */
#include "unit/unit.h"

#include "store/closed_logs.h"
#include "unit/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL_BYTES ((size_t)1 << 20)

/* --- rig ----------------------------------------------------------------- */

struct rig {
	struct fixture fixture;
	struct buf description;
};

static int
rig_setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	fixture_init(&rig->fixture);
	buf_init(&rig->description, SIZE_MAX);
	*state = rig;
	return 0;
}

static int
rig_teardown(void **state)
{
	struct rig *rig = *state;

	fixture_fini(&rig->fixture);
	buf_fini(&rig->description);
	free(rig);
	return 0;
}

/* Three segments, two epochs, two producers. */
static void
rig_fill(struct rig *rig)
{
	struct fixture *fixture = &rig->fixture;

	for (int i = 0; i < 30; i++) {
		struct fixture_batch batch = {
			.count = 3,
			.timestamp_ms = FIXTURE_NOW_MS + i * 10,
			.has_producer = true,
			.producer_id = 7 + i % 2,
			.base_sequence = i / 2 * 3,
		};

		if (i == 10 || i == 20) {
			log_lock(fixture->log);
			assert_int_equal(
			    log_roll(fixture->log, FIXTURE_NOW_MS), 0);
			log_leader_epoch_begin(fixture->log, i);
			log_unlock(fixture->log);
		}
		fixture_must_append(fixture, &batch);
	}
}

static void
rig_close(struct rig *rig)
{
	struct fixture *fixture = &rig->fixture;

	fixture->open.recovery_point = log_end_offset(fixture->log);
	fixture->open.clean = true;
	buf_clear(&rig->description);
	assert_int_equal(
	    log_close_described(fixture->log, &rig->description), 0);
	fixture->log = NULL;
}

/* Whether the description was believed. */
static bool
rig_reopen(struct rig *rig)
{
	struct log *log =
	    log_reopen(&rig->fixture.open, buf_slice(&rig->description));

	rig->fixture.log = log;
	if (log != NULL)
		log_high_watermark_set(log, log_end_offset(log));
	return log != NULL;
}

/* All that a log knows, in words. */
static char *
portrait(struct fixture *fixture)
{
	struct log *log = fixture->log;
	const struct leader_epochs *epochs = log_leader_epochs(log);
	const struct producer_state *producers = log_producers(log);
	char *text = xasprintf("%lld %lld %lld %lld %zu %lld %lld",
	    (long long)log_start_offset(log), (long long)log_end_offset(log),
	    (long long)log_recovery_point(log),
	    (long long)log_high_watermark(log), log_segment_count(log),
	    (long long)log_active_base_offset(log),
	    (long long)log_size_bytes(log));

	for (size_t i = 0; i < epochs->count; i++) {
		char *longer = xasprintf("%s e%d@%lld", text,
		    (int)epochs->entries[i].epoch,
		    (long long)epochs->entries[i].start_offset);

		free(text);
		text = longer;
	}
	for (size_t i = 0; i < producers->count; i++) {
		const struct producer *p = producers->producers[i];
		char *longer = xasprintf("%s p%lld:%d:%d", text,
		    (long long)p->id, (int)p->epoch,
		    (int)p->batches[p->batch_count - 1].last_sequence);

		free(text);
		text = longer;
	}
	return text;
}

/* --- tests --------------------------------------------------------------- */

static void
test_it_is_as_if_it_had_been_loaded(void **state)
{
	struct rig *rig = *state;
	struct fixture *fixture = &rig->fixture;
	char *loaded, *reopened;
	struct uuid topic_id;

	rig_fill(rig);
	rig_close(rig);
	fixture_open(fixture);
	topic_id = log_topic_id(fixture->log);
	loaded = portrait(fixture);
	assert_int_equal(fixture_count_records(fixture, 0, ALL_BYTES), 90);

	rig_close(rig);
	assert_true(rig_reopen(rig));
	reopened = portrait(fixture);
	assert_string_equal(reopened, loaded);
	assert_true(uuid_equal(log_topic_id(fixture->log), topic_id));
	assert_int_equal(fixture_count_records(fixture, 0, ALL_BYTES), 90);
	free(loaded);
	free(reopened);
}

static void
test_no_file_is_opened(void **state)
{
	struct rig *rig = *state;
	struct disk_fault *fault = &rig->fixture.fault;
	uint64_t before;

	rig_fill(rig);
	rig_close(rig);
	before = disk_fault_count(fault, DISK_OPEN) +
	    disk_fault_count(fault, DISK_LIST);
	assert_true(rig_reopen(rig));
	assert_int_equal(disk_fault_count(fault, DISK_OPEN) +
		disk_fault_count(fault, DISK_LIST),
	    before);
}

/* Appends go on, duplicates are known, and a crash finds all of it. */
static void
test_it_goes_on(void **state)
{
	struct rig *rig = *state;
	struct fixture *fixture = &rig->fixture;
	struct fixture_batch again = { .count = 3,
		.timestamp_ms = FIXTURE_NOW_MS + 290,
		.has_producer = true,
		.producer_id = 8,
		.base_sequence = 42 };
	struct log_append append;

	rig_fill(rig);
	rig_close(rig);
	assert_true(rig_reopen(rig));
	assert_int_equal(fixture_append(fixture, &again, &append), KP_NONE);
	assert_int_equal(log_end_offset(fixture->log), 90);
	again.base_sequence = 45;
	assert_int_equal(fixture_must_append(fixture, &again), 90);
	assert_int_equal(fixture_count_records(fixture, 0, ALL_BYTES), 93);
	fixture->open.clean = false;
	fixture_kill(fixture, 90);
	assert_int_equal(fixture_count_records(fixture, 0, ALL_BYTES), 93);
}

static void
test_an_empty_log(void **state)
{
	struct rig *rig = *state;

	rig_close(rig);
	assert_true(rig_reopen(rig));
	assert_int_equal(log_end_offset(rig->fixture.log), 0);
	assert_int_equal(
	    fixture_must_append(&rig->fixture, &(struct fixture_batch){ 0 }),
	    0);
}

/* Whatever another program did in between shows. */
static void
test_what_changed_is_loaded(void **state)
{
	struct rig *rig = *state;
	struct fixture *fixture = &rig->fixture;
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = 1 } };
	char *active, *closed, *other;

	rig_fill(rig);
	rig_close(rig);
	active = fixture_file(fixture, "00000000000000000060.log");
	closed = fixture_file(fixture, "00000000000000000030.log");
	other = fixture_file(fixture, "00000000000000000000.index");

	fixture->open.clean = false;
	assert_false(rig_reopen(rig));
	fixture->open.clean = true;
	fixture->open.recovery_point--;
	assert_false(rig_reopen(rig));
	fixture->open.recovery_point++;
	assert_true(rig_reopen(rig));

	rig_close(rig);
	assert_int_equal(utimensat(AT_FDCWD, active, times, 0), 0);
	assert_false(rig_reopen(rig));
	fixture_open(fixture);

	rig_close(rig);
	assert_int_equal(utimensat(AT_FDCWD, fixture->path, times, 0), 0);
	assert_false(rig_reopen(rig));
	fixture_open(fixture);

	/* Closed segments count as well. */
	rig_close(rig);
	assert_int_equal(utimensat(AT_FDCWD, closed, times, 0), 0);
	assert_false(rig_reopen(rig));
	fixture_open(fixture);

	rig_close(rig);
	assert_int_equal(truncate(active, 10), 0);
	assert_false(rig_reopen(rig));
	fixture_open(fixture);
	assert_true(log_end_offset(fixture->log) >= 60);

	rig_close(rig);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(utimensat(AT_FDCWD, fixture->path, times, 0), 0);
	assert_false(rig_reopen(rig));
	free(active);
	free(closed);
	free(other);
}

/* A stop's snapshot takes the place of the last stop's. */
static void
test_snapshots_do_not_pile_up(void **state)
{
	struct rig *rig = *state;
	struct fixture *fixture = &rig->fixture;
	struct fixture_batch batch = { .has_producer = true,
		.producer_id = 9 };

	for (; batch.base_sequence < 4; batch.base_sequence++) {
		fixture_must_append(fixture, &batch);
		rig_close(rig);
		assert_true(rig_reopen(rig));
	}
	for (int64_t offset = 0; offset <= 4; offset++) {
		char *name = xasprintf("%020lld.snapshot", (long long)offset);

		assert_int_equal(fixture_file_size(fixture, name) >= 0,
		    offset == 4);
		free(name);
	}
}

/* Nothing is said of a log that did not become durable. */
static void
test_no_description_of_a_log_that_failed(void **state)
{
	struct rig *rig = *state;
	struct fixture *fixture = &rig->fixture;

	rig_fill(rig);
	disk_fault_fail_all(&fixture->fault, DISK_FDATASYNC, NULL, 0, EIO);
	disk_fault_fail_all(&fixture->fault, DISK_FSYNC, NULL, 0, EIO);
	assert_int_equal(
	    log_close_described(fixture->log, &rig->description), -1);
	fixture->log = NULL;
	assert_int_equal(rig->description.len, 0);
	disk_fault_clear(&fixture->fault);
}

/* A description that is cut or changed is refused, or gives a log. */
static void
test_damaged_descriptions(void **state)
{
	struct rig *rig = *state;
	struct fixture *fixture = &rig->fixture;
	struct slice whole;
	uint8_t *bytes;

	rig_fill(rig);
	rig_close(rig);
	whole = buf_slice(&rig->description);
	for (size_t len = 0; len < whole.len; len++)
		assert_null(log_reopen(
		    &fixture->open, slice_of(whole.data, len)));
	bytes = xmalloc(whole.len);
	memcpy(bytes, whole.data, whole.len);
	for (size_t at = 0; at < whole.len * 8; at++) {
		bytes[at / 8] ^= (uint8_t)(1 << at % 8);
		log_free(log_reopen(
		    &fixture->open, slice_of(bytes, whole.len)));
		bytes[at / 8] ^= (uint8_t)(1 << at % 8);
	}
	free(bytes);
	assert_true(rig_reopen(rig));
}

/* --- the file ------------------------------------------------------------ */

static void
closed_put(struct closed_logs *logs, const char *name, const char *text)
{
	closed_logs_add(logs, slice_str(name), slice_str(text));
}

static void
test_the_file(void **state)
{
	struct rig *rig = *state;
	char *path = xasprintf("%s/%s", rig->fixture.root, CLOSED_LOGS_FILE);
	struct closed_logs logs;

	closed_logs_init(&logs);
	closed_put(&logs, "a-0", "one");
	closed_put(&logs, "a-1", "");
	closed_put(&logs, "b-0", "three");
	assert_int_equal(closed_logs_write(&logs, disk_posix(), path), 0);
	closed_logs_fini(&logs);

	assert_int_equal(closed_logs_read(&logs, disk_posix(), path), 0);
	assert_true(slice_equal_str(
	    closed_logs_find(&logs, slice_str("a-0")), "one"));
	assert_int_equal(closed_logs_find(&logs, slice_str("a-1")).len, 0);
	assert_true(slice_equal_str(
	    closed_logs_find(&logs, slice_str("b-0")), "three"));
	assert_true(
	    slice_is_null(closed_logs_find(&logs, slice_str("b-1"))));
	closed_logs_fini(&logs);

	assert_int_equal(truncate(path, 20), 0);
	assert_int_equal(closed_logs_read(&logs, disk_posix(), path), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(closed_logs_read(&logs, disk_posix(), path), -1);
	assert_int_equal(errno, ENOENT);
	closed_logs_fini(&logs);
	free(path);
}

static void
test_a_damaged_file(void **state UNUSED)
{
	struct closed_logs logs, damaged;
	struct slice whole;

	closed_logs_init(&logs);
	closed_logs_init(&damaged);
	closed_put(&logs, "a-0", "one");
	closed_put(&logs, "a-1", "two");
	assert_int_equal(
	    closed_logs_write(&logs, disk_posix(), "/dev/null/none"), -1);
	whole = buf_slice(&logs.file);
	assert_int_equal(closed_logs_decode(&damaged, whole), 0);
	closed_logs_fini(&damaged);
	for (size_t at = 0; at < whole.len * 8; at++) {
		logs.file.data[at / 8] ^= (uint8_t)(1 << at % 8);
		assert_int_equal(closed_logs_decode(&damaged, whole), -1);
		logs.file.data[at / 8] ^= (uint8_t)(1 << at % 8);
	}
	closed_logs_fini(&logs);
	closed_logs_fini(&damaged);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_it_is_as_if_it_had_been_loaded),
		TEST(test_no_file_is_opened),
		TEST(test_it_goes_on),
		TEST(test_an_empty_log),
		TEST(test_what_changed_is_loaded),
		TEST(test_snapshots_do_not_pile_up),
		TEST(test_no_description_of_a_log_that_failed),
		TEST(test_damaged_descriptions),
		TEST(test_the_file),
		TEST(test_a_damaged_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
