/* Moving a log: what is copied, who follows, and what the exchange leaves. */
#include "unit/unit.h"

#include "base/clock.h"
#include "store/log_internal.h"
#include "store/log_move.h"
#include "store/producer_state.h"
#include "unit/store_fixture.h"

#include <errno.h>

struct rig {
	struct fixture fixture;
	char *path; /* of the copy */
	struct log *copy;
	struct log_move move;
	int steps_left; /* until pace gives up */

	/* What the log's events told. */
	int64_t flushed;
};

static bool
go_on(void *context, size_t bytes)
{
	struct rig *rig = context;

	assert_true(bytes > 0);
	return --rig->steps_left > 0;
}

static void
note_flushed(struct log *log, void *context)
{
	((struct rig *)context)->flushed = log_flushed_offset(log);
}

static int
setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));
	struct log_open open;

	fixture_init(&rig->fixture);
	rig->fixture.open.settings.segment_bytes = 1000;
	rig->fixture.open.settings.retention_ms = -1;
	log_settings_change(
	    rig->fixture.log, &rig->fixture.open.settings);
	log_events_set(rig->fixture.log,
	    (struct log_events){ .flushed = note_flushed, .context = rig });
	rig->path = xasprintf("%s/copy-0", rig->fixture.root);
	open = rig->fixture.open;
	open.path = rig->path;
	rig->copy = log_create(&open, log_topic_id(rig->fixture.log));
	assert_non_null(rig->copy);
	rig->steps_left = INT32_MAX;
	rig->move = (struct log_move){
		.log = rig->fixture.log,
		.copy = rig->copy,
		.pace = go_on,
		.context = rig,
	};
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	log_free(rig->copy);
	fixture_fini(&rig->fixture);
	free(rig->path);
	free(rig);
	return 0;
}

static void
append_some(struct rig *rig, int count)
{
	for (int i = 0; i < count; i++)
		fixture_must_append(&rig->fixture,
		    &(struct fixture_batch){ .count = 2, .value_len = 100 });
}

static void
commit(struct rig *rig)
{
	log_lock(rig->fixture.log);
	log_high_watermark_set(
	    rig->fixture.log, log_end_offset(rig->fixture.log));
	log_unlock(rig->fixture.log);
}

/* All steps behind the copying. */
static void
exchange(struct rig *rig)
{
	assert_int_equal(log_move_follow(&rig->move), 0);
	assert_int_equal(log_move_freeze(&rig->move), 0);
	assert_int_equal(log_move_exchange(&rig->move), 0);
	log_move_end(&rig->move);
}

static void
move_all(struct rig *rig)
{
	log_move_begin(&rig->move);
	assert_int_equal(log_move_copy(&rig->move), 0);
	exchange(rig);
}

/* Drop both, and open what was the copy as the log. */
static void
reopen_moved(struct rig *rig, int64_t recovery_point)
{
	rig->fixture.open.path = rig->path;
	rig->fixture.open.log_start_offset = rig->fixture.log->start_offset;
	fixture_kill(&rig->fixture, recovery_point);
}

static void
segments_begin_where_they_did(void **state)
{
	struct rig *rig = *state;
	struct log *log = rig->fixture.log;
	int64_t bases[100], end;
	size_t count;

	append_some(rig, 20);
	count = log->segment_count;
	end = log->end_offset;
	assert_true(count > 3 && count < 100);
	for (size_t i = 0; i < count; i++)
		bases[i] = log->segments[i]->base_offset;
	move_all(rig);
	assert_int_equal(log->segment_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(log->segments[i]->base_offset, bases[i]);
	assert_string_equal(log->path, rig->path);
	assert_int_equal(log->end_offset, end);
	assert_int_equal(log->recovery_point, end);
	assert_int_equal(rig->flushed, end);
	assert_true(rig->copy->offline);
	assert_int_equal(
	    fixture_count_records(&rig->fixture, 0, 300), end);
	append_some(rig, 3);
	assert_int_equal(log_flush_all(log), 0);
	reopen_moved(rig, end);
	assert_int_equal(
	    fixture_count_records(&rig->fixture, 0, 300), end + 6);
}

/* What is appended at any point of the move is in both, up to the exchange. */
static void
appends_go_on(void **state)
{
	struct rig *rig = *state;
	struct log *log = rig->fixture.log;

	append_some(rig, 5);
	log_move_begin(&rig->move);
	assert_int_equal(log_move_copy(&rig->move), 0);
	append_some(rig, 6);
	assert_int_equal(log_move_follow(&rig->move), 0);
	append_some(rig, 7);
	assert_int_equal(rig->copy->end_offset, 36);
	assert_int_equal(log_flush_all(log), 0);
	assert_int_equal(rig->flushed, 36);
	assert_int_equal(log_move_freeze(&rig->move), 0);
	append_some(rig, 8);
	/* It is durable here, but not there: nobody is told. */
	assert_int_equal(log_flush_all(log), 0);
	assert_int_equal(log_flushed_offset(log), 36);
	assert_int_equal(log_move_exchange(&rig->move), 0);
	assert_int_equal(log_flushed_offset(log), 36);
	log_move_end(&rig->move);
	append_some(rig, 1);
	assert_int_equal(log_flush_all(log), 0);
	assert_int_equal(rig->flushed, 54);
	reopen_moved(rig, 54);
	assert_int_equal(fixture_count_records(&rig->fixture, 0, 300), 54);
}

/* Without an exchange the log is as it was. */
static void
a_move_that_ends_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct log *log = rig->fixture.log;

	append_some(rig, 5);
	log_move_begin(&rig->move);
	assert_int_equal(log_move_copy(&rig->move), 0);
	assert_int_equal(log_move_follow(&rig->move), 0);
	append_some(rig, 5);
	assert_int_equal(log_move_freeze(&rig->move), 0);
	log_move_end(&rig->move);
	append_some(rig, 5);
	assert_int_equal(rig->copy->end_offset, 20);
	assert_int_equal(log_flush_all(log), 0);
	assert_int_equal(rig->flushed, 30);
	assert_int_equal(log->clean_pauses, 0);
	fixture_kill(&rig->fixture, 0);
	assert_int_equal(fixture_count_records(&rig->fixture, 0, 300), 30);
}

/* A copy that cannot follow is no matter to the log. */
static void
a_full_disk_breaks_the_copy_alone(void **state)
{
	struct rig *rig = *state;

	append_some(rig, 2);
	log_move_begin(&rig->move);
	assert_int_equal(log_move_copy(&rig->move), 0);
	assert_int_equal(log_move_follow(&rig->move), 0);
	disk_fault_fail_all(
	    &rig->fixture.fault, DISK_PWRITE, "copy-0", 0, ENOSPC);
	append_some(rig, 1);
	disk_fault_clear(&rig->fixture.fault);
	append_some(rig, 1);
	assert_int_equal(log_move_freeze(&rig->move), 0);
	assert_int_equal(log_move_exchange(&rig->move), -1);
	assert_false(rig->fixture.log->offline);
	log_move_end(&rig->move);
	assert_int_equal(fixture_count_records(&rig->fixture, 0, 300), 8);
}

/* The log begins in the middle of a batch, segments behind its first offset. */
static void
a_start_in_the_middle_is_kept(void **state)
{
	struct rig *rig = *state;
	struct log *log = rig->fixture.log;

	append_some(rig, 20);
	commit(rig);
	log_lock(log);
	assert_int_equal(log_delete_records(log, 15), KP_NONE);
	log_unlock(log);
	assert_true(log_retain(log, FIXTURE_NOW_MS) > 0);
	move_all(rig);
	assert_int_equal(log->start_offset, 15);
	assert_int_equal(log_first_base_offset(log), 14);
	assert_int_equal(fixture_count_records(&rig->fixture, 15, 300), 25);
	reopen_moved(rig, 40);
	assert_int_equal(rig->fixture.log->start_offset, 15);
	assert_int_equal(fixture_count_records(&rig->fixture, 15, 300), 25);
}

/* All is deleted: there is only an end. */
static void
an_empty_log_keeps_its_end(void **state)
{
	struct rig *rig = *state;
	struct log *log = rig->fixture.log;

	append_some(rig, 20);
	commit(rig);
	log_lock(log);
	assert_int_equal(log_delete_records(log, 40), KP_NONE);
	assert_int_equal(log_roll(log, FIXTURE_NOW_MS), 0);
	log_unlock(log);
	assert_true(log_retain(log, FIXTURE_NOW_MS) > 0);
	move_all(rig);
	assert_int_equal(log->end_offset, 40);
	assert_int_equal(log->start_offset, 40);
	assert_int_equal(fixture_must_append(&rig->fixture,
			     &(struct fixture_batch){ .count = 1 }),
	    40);
	assert_int_equal(log_flush_all(log), 0);
	reopen_moved(rig, 41);
	assert_int_equal(rig->fixture.log->end_offset, 41);
}

/* Records go while they are copied: the copy begins again behind them. */
static void
deletions_go_on(void **state)
{
	struct rig *rig = *state;
	struct log *log = rig->fixture.log;

	append_some(rig, 20);
	commit(rig);
	log_move_begin(&rig->move);
	rig->steps_left = 1;
	assert_int_equal(log_move_copy(&rig->move), -1);
	assert_int_equal(errno, ECANCELED);
	assert_true(rig->copy->end_offset < 20);
	log_lock(log);
	assert_int_equal(log_delete_records(log, 30), KP_NONE);
	log_unlock(log);
	assert_true(log_retain(log, FIXTURE_NOW_MS) > 0);
	rig->steps_left = INT32_MAX;
	assert_int_equal(log_move_copy(&rig->move), 0);
	exchange(rig);
	assert_int_equal(fixture_count_records(&rig->fixture, 30, 300), 10);
}

/* A producer goes on with its sequence, before and after a restart. */
static void
producers_go_along(void **state)
{
	struct rig *rig = *state;
	struct fixture_batch batch = {
		.count = 1,
		.has_producer = true,
		.producer_id = 7,
	};
	struct log_append append;

	fixture_must_append(&rig->fixture, &batch);
	move_all(rig);
	batch.base_sequence = 1;
	fixture_must_append(&rig->fixture, &batch);
	assert_int_equal(
	    fixture_append(&rig->fixture, &batch, &append), KP_NONE);
	assert_true(append.duplicate);
	batch.base_sequence = 3;
	assert_int_equal(fixture_append(&rig->fixture, &batch, &append),
	    KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(log_flush_all(rig->fixture.log), 0);
	reopen_moved(rig, 2);
	batch.base_sequence = 2;
	fixture_must_append(&rig->fixture, &batch);
}

/* What is rotten is not carried on: the log stays where it is. */
static void
damage_does_not_move(void **state)
{
	struct rig *rig = *state;

	append_some(rig, 20);
	fixture_poke(&rig->fixture, "00000000000000000000.log", 120, "rot", 3);
	log_move_begin(&rig->move);
	assert_int_equal(log_move_copy(&rig->move), -1);
	assert_int_equal(errno, EBADMSG);
	log_move_end(&rig->move);
	assert_false(rig->fixture.log->offline);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(segments_begin_where_they_did),
		TEST(appends_go_on),
		TEST(a_move_that_ends_changes_nothing),
		TEST(a_full_disk_breaks_the_copy_alone),
		TEST(a_start_in_the_middle_is_kept),
		TEST(an_empty_log_keeps_its_end),
		TEST(deletions_go_on),
		TEST(producers_go_along),
		TEST(damage_does_not_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
