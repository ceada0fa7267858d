/* What a log finds at a start: torn tails, rot, interrupted operations. */
#include "base/clock.h"
#include "unit/store_fixture.h"

#include "store/log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FIRST "00000000000000000000"
#define BATCH_LEN (61 + 7 + 10)

static void
small_segments(struct fixture *fixture)
{
	fixture->open.settings.segment_bytes = 500;
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
truncate_file(struct fixture *fixture, const char *name, int64_t size)
{
	char *path = fixture_file(fixture, name);

	assert_int_equal(truncate(path, size), 0);
	free(path);
}

static void
make_file(struct fixture *fixture, const char *name, size_t len)
{
	char *path = fixture_file(fixture, name);
	uint8_t *data = xcalloc(1, len);

	assert_int_equal(
	    disk_write_file(disk_posix(), path, data, len, 0644), 0);
	free(data);
	free(path);
}

/* Cut the file at every byte of the last two batches. */
static void
torn_at_every_byte(void **state)
{
	struct fixture *fixture = *state;
	int64_t size;
	int64_t batch;

	append_some(fixture, 5);
	size = log_size_bytes(fixture->log);
	batch = size / 5;
	for (int64_t cut = 1; cut <= 2 * batch; cut++) {
		int64_t whole = (size - cut) / batch;

		truncate_file(fixture, FIRST ".log", size - cut);
		fixture_kill(fixture, 0);
		assert_int_equal(log_end_offset(fixture->log), whole);
		assert_int_equal(
		    fixture_file_size(fixture, FIRST ".log"), whole * batch);
		assert_int_equal(
		    fixture_count_records(fixture, 0, 1 << 20), whole);
		append_some(fixture, (int)(5 - whole));
		assert_int_equal(log_size_bytes(fixture->log), size);
	}
}

/* Flip every bit's byte of the last batch above the recovery point. */
static void
flipped_above_the_recovery_point(void **state)
{
	struct fixture *fixture = *state;
	int64_t size;
	int64_t batch;

	append_some(fixture, 5);
	size = log_size_bytes(fixture->log);
	batch = size / 5;
	for (int64_t at = size - batch; at < size; at++) {
		uint8_t byte = 0xa5;

		/* Base offset and leader epoch are outside the checksum. */
		if (at - (size - batch) < 17)
			continue;
		fixture_poke(fixture, FIRST ".log", at, &byte, 1);
		fixture_kill(fixture, 0);
		assert_int_equal(log_end_offset(fixture->log), 4);
		append_some(fixture, 1);
	}
}

/*
 * No checksum covers the leader epoch.  One that was flipped takes no batch
 * with it, durable or not, for the recovery point that is checkpointed is
 * behind what was acknowledged; and the epochs of the others are as they were.
 */
static void
a_flipped_epoch_takes_nothing(struct fixture *fixture, int at, uint8_t byte)
{
	int64_t position;

	append_some(fixture, 1);
	position = fixture->log->segments[0]->size_bytes;
	append_some(fixture, 3);
	fixture_poke(fixture, FIRST ".log", position + at, &byte, 1);
	for (int64_t durable = 4; durable >= 0; durable--) {
		const struct leader_epochs *epochs;

		fixture_kill(fixture, durable);
		epochs = log_leader_epochs(fixture->log);
		assert_int_equal(log_end_offset(fixture->log), 4);
		assert_int_equal(
		    fixture_count_records(fixture, 0, 1 << 20), 4);
		assert_int_equal(leader_epochs_latest(epochs), 3);
		assert_int_equal(leader_epochs_at(epochs, 3), 3);
	}
}

static void
a_higher_epoch_takes_nothing(void **state)
{
	a_flipped_epoch_takes_nothing(*state, 12, 0x40);
}

static void
a_lower_epoch_takes_nothing(void **state)
{
	a_flipped_epoch_takes_nothing(*state, 15, 2);
}

static void
zeroes_and_garbage_are_the_end(void **state)
{
	struct fixture *fixture = *state;
	uint8_t garbage[4096];
	int64_t size;

	append_some(fixture, 5);
	size = log_size_bytes(fixture->log);
	for (int fill = 0; fill <= 0xff; fill += 5) {
		memset(garbage, fill, sizeof(garbage));
		fixture_poke(
		    fixture, FIRST ".log", size, garbage, sizeof(garbage));
		fixture_kill(fixture, 0);
		assert_int_equal(log_end_offset(fixture->log), 5);
		assert_int_equal(
		    fixture_file_size(fixture, FIRST ".log"), size);
		assert_int_equal(log_damage_count(fixture->log), 0);
	}
}

/* A bad batch above the recovery point takes later segments along. */
static void
torn_in_the_middle(void **state)
{
	struct fixture *fixture = *state;
	uint8_t byte = 0xff;
	char name[40];

	small_segments(fixture);
	append_some(fixture, 30);
	assert_true(log_segment_count(fixture->log) > 4);
	snprintf(name, sizeof(name), "%020d.log",
	    (int)fixture->log->segments[2]->base_offset);
	fixture_poke(fixture, name, 78 + 70, &byte, 1);
	fixture_kill(fixture, 3);
	assert_int_equal(log_segment_count(fixture->log), 3);
	assert_int_equal(log_end_offset(fixture->log),
	    log_active_base_offset(fixture->log) + 1);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20),
	    log_end_offset(fixture->log));
	append_some(fixture, 10);
	fixture_restart(fixture);
	assert_int_equal(fixture_count_records(fixture, 0, 1 << 20),
	    log_end_offset(fixture->log));
}

static void
expect_corrupt(struct fixture *fixture, int64_t offset)
{
	uint8_t *data;
	size_t len;

	assert_int_equal(fixture_read(fixture, offset, 1 << 20, &data, &len),
	    KP_CORRUPT_MESSAGE);
}

/* Below the recovery point nothing is thrown away. */
static void
rot_is_kept_and_not_served(void **state)
{
	struct fixture *fixture = *state;
	int64_t size;
	int64_t batch;

	append_some(fixture, 20);
	size = log_size_bytes(fixture->log);
	batch = size / 20;
	for (int64_t at = 0; at < batch; at++) {
		uint8_t *data;
		uint8_t before;
		uint8_t after;
		size_t len;

		/* The leader epoch is not covered by the checksum. */
		if (at >= 12 && at < 16)
			continue;
		assert_int_equal(
		    fixture_read(fixture, 7, 1, &data, &len), KP_NONE);
		before = data[at];
		free(data);
		after = before ^ 0x80;
		fixture_poke(fixture, FIRST ".log", 7 * batch + at, &after, 1);
		fixture_kill(fixture, 20);

		assert_int_equal(log_end_offset(fixture->log), 20);
		assert_int_equal(log_size_bytes(fixture->log), size);
		assert_int_equal(log_damage_count(fixture->log), 1);
		expect_corrupt(fixture, 7);
		assert_int_equal(
		    fixture_count_records(fixture, 8, 1 << 20), 12);
		/* What is before ends where the damage begins. */
		assert_int_equal(
		    fixture_read(fixture, 3, 1 << 20, &data, &len), KP_NONE);
		assert_int_equal(len, 4 * batch);
		free(data);
		fixture_poke(fixture, FIRST ".log", 7 * batch + at, &before, 1);
		fixture_kill(fixture, 20);
		assert_int_equal(log_damage_count(fixture->log), 0);
	}
}

/* Rot at the end: its offsets are never given to other records. */
static void
rot_at_the_end_keeps_its_offsets(void **state)
{
	struct fixture *fixture = *state;
	uint8_t byte = 0x55;
	int64_t size;

	append_some(fixture, 10);
	size = log_size_bytes(fixture->log);
	fixture_poke(fixture, FIRST ".log", size - 3, &byte, 1);
	fixture_kill(fixture, 10);
	assert_int_equal(log_end_offset(fixture->log), 10);
	assert_int_equal(log_size_bytes(fixture->log), size);
	expect_corrupt(fixture, 9);
	append_some(fixture, 5);
	assert_int_equal(log_end_offset(fixture->log), 15);
	assert_int_equal(fixture_count_records(fixture, 10, 1 << 20), 5);
	expect_corrupt(fixture, 9);
	fixture_kill(fixture, 15);
	assert_int_equal(fixture_count_records(fixture, 10, 1 << 20), 5);
	expect_corrupt(fixture, 9);
	/* A torn tail above is still cut. */
	append_some(fixture, 1);
	fixture_poke(
	    fixture, FIRST ".log", log_size_bytes(fixture->log) - 1, &byte, 1);
	fixture_kill(fixture, 15);
	assert_int_equal(log_end_offset(fixture->log), 15);
	assert_int_equal(log_damage_count(fixture->log), 1);
}

static void
rot_in_a_closed_segment(void **state)
{
	struct fixture *fixture = *state;
	uint8_t byte = 0x55;
	int64_t base;
	char name[40];

	small_segments(fixture);
	append_some(fixture, 30);
	base = fixture->log->segments[1]->base_offset;
	snprintf(name, sizeof(name), "%020d.log", (int)base);
	/* Not looked at by recovery, because the recovery point is later. */
	fixture_poke(fixture, name, 9, &byte, 1);
	fixture_kill(fixture, 28);
	assert_int_equal(log_damage_count(fixture->log), 0);
	expect_corrupt(fixture, base);
	base = fixture->log->segments[2]->base_offset;
	assert_int_equal(fixture_count_records(fixture, base, 1), 30 - base);
}

static void
bad_indexes_are_rebuilt(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = { FIRST ".index",
		FIRST ".timeindex" };
	struct log_position found;
	uint8_t byte = 0xff;

	small_segments(fixture);
	append_some(fixture, 30);
	fixture_restart(fixture);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char *path = fixture_file(fixture, names[i]);

		for (int kind = 0; kind < 3; kind++) {
			if (kind == 0)
				assert_int_equal(unlink(path), 0);
			else if (kind == 1)
				truncate_file(fixture, names[i], 7);
			else
				fixture_poke(fixture, names[i], 0, &byte, 1);
			log_tidy(fixture->log, FIXTURE_NOW_MS);
			log_tidy(fixture->log, FIXTURE_NOW_MS);
			assert_int_equal(
			    fixture_count_records(fixture, 0, 1), 30);
			assert_int_equal(log_find_timestamp(fixture->log,
					     FIXTURE_NOW_MS + 3, 30, &found),
			    KP_NONE);
			assert_int_equal(found.offset, 3);
			assert_true(
			    fixture_file_size(fixture, names[i]) % 4 == 0);
			fixture_restart(fixture);
		}
		free(path);
	}
}

/* Every bit of an index that is believed, wrong: reads find out. */
static void
flipped_indexes_lead_nowhere(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = { FIRST ".index",
		FIRST ".timeindex" };

	fixture->open.settings.segment_bytes = 2000;
	fixture->open.settings.index_interval_bytes = 100;
	log_settings_change(fixture->log, &fixture->open.settings);
	append_some(fixture, 60);
	fixture_restart(fixture);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char *path = fixture_file(fixture, names[i]);
		size_t len;
		uint8_t *good = disk_read_file(disk_posix(), path, 1000, &len);

		assert_non_null(good);
		for (size_t bit = 0; bit < 8 * len; bit++) {
			uint8_t byte = good[bit / 8] ^ (uint8_t)(1 << bit % 8);
			struct log_position found;

			fixture_poke(fixture, names[i], 0, good, len);
			fixture_poke(
			    fixture, names[i], (int64_t)bit / 8, &byte, 1);
			fixture_kill(fixture, 60);
			assert_int_equal(
			    fixture_count_records(fixture, 0, 1), 60);
			assert_int_equal(log_find_timestamp(fixture->log,
					     FIXTURE_NOW_MS + 10, 60, &found),
			    KP_NONE);
		}
		fixture_poke(fixture, names[i], 0, good, len);
		free(good);
		free(path);
	}
}

/* Kafka preallocates index files, so a kill leaves zeroes. */
static void
preallocated_indexes_after_a_kill(void **state)
{
	struct fixture *fixture = *state;

	small_segments(fixture);
	append_some(fixture, 3);
	make_file(fixture, FIRST ".index", 10485760);
	make_file(fixture, FIRST ".timeindex", 10485756);
	fixture_kill(fixture, 0);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 3);
	append_some(fixture, 10);
	assert_true(fixture_file_size(fixture, FIRST ".index") < 100);
	fixture_restart(fixture);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 13);
}

/* A clean mark that lies is found out when it shows. */
static void
not_so_clean(void **state)
{
	struct fixture *fixture = *state;

	append_some(fixture, 5);
	fixture_restart(fixture);
	log_free(fixture->log);
	fixture->log = NULL;
	truncate_file(fixture, FIRST ".log",
	    fixture_file_size(fixture, FIRST ".log") - 5);
	fixture->open.recovery_point = 2;
	fixture->open.clean = true;
	fixture_open(fixture);
	assert_int_equal(log_end_offset(fixture->log), 4);
	append_some(fixture, 2);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 6);
}

/* What was removed makes room for a load that finds none. */
static void
a_full_disk_loses_what_was_removed(void **state)
{
	static const char name[] = "00000000000000000900.log.deleted";
	struct fixture *fixture = *state;

	small_segments(fixture);
	append_some(fixture, 12);
	log_free(fixture->log);
	fixture->open.clean = false;
	fixture->open.recovery_point = 0;
	make_file(fixture, name, 10);
	disk_fault_fail_all(&fixture->fault, DISK_OPEN, FIRST ".log", 0, EIO);
	fixture->log = log_open(&fixture->open);
	assert_null(fixture->log);
	assert_true(disk_fault_clear(&fixture->fault) > 0);
	assert_int_equal(fixture_file_size(fixture, name), 10);
	disk_fault_fail_all(
	    &fixture->fault, DISK_OPEN, FIRST ".log", 0, ENOSPC);
	fixture->log = log_open(&fixture->open);
	assert_null(fixture->log);
	assert_true(disk_fault_clear(&fixture->fault) > 0);
	assert_int_equal(fixture_file_size(fixture, name), -1);
	fixture_open(fixture);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 12);
}

static void
interrupted_operations(void **state)
{
	struct fixture *fixture = *state;
	char *from;
	char *to;

	small_segments(fixture);
	append_some(fixture, 12);
	fixture_restart(fixture);
	make_file(fixture, "00000000000000000900.log.deleted", 10);
	make_file(fixture, "00000000000000000900.index.deleted", 10);
	make_file(fixture, "00000000000000000006.log.cleaned", 10);
	make_file(fixture, "00000000000000000006.log.swap", 10);
	make_file(fixture, "00000000000000000090.index", 8);
	make_file(fixture, "00000000000000000003.txnindex", 34);
	make_file(fixture, "notes.txt", 8);
	fixture_restart(fixture);
	/* Nobody waits for these at the start. */
	assert_int_equal(
	    fixture_file_size(fixture, "00000000000000000900.log.deleted"), 10);
	log_tidy(fixture->log, clock_monotonic_ms());
	assert_int_equal(
	    fixture_file_size(fixture, "00000000000000000900.log.deleted"), -1);
	assert_int_equal(
	    fixture_file_size(fixture, "00000000000000000900.index.deleted"),
	    -1);
	assert_int_equal(
	    fixture_file_size(fixture, "00000000000000000006.log.cleaned"), -1);
	assert_int_equal(
	    fixture_file_size(fixture, "00000000000000000006.log.swap"), -1);
	assert_int_equal(
	    fixture_file_size(fixture, "00000000000000000090.index"), -1);
	assert_int_equal(fixture_file_size(fixture, "notes.txt"), 8);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 12);

	/* A complete swap replaces what it covers. */
	from = fixture_file(fixture, FIRST ".log");
	to = fixture_file(fixture, FIRST ".log.swap");
	assert_int_equal(rename(from, to), 0);
	make_file(fixture, FIRST ".log", 77);
	make_file(fixture, "00000000000000000001.snapshot", 77);
	free(from);
	free(to);
	fixture_kill(fixture, 0);
	assert_int_equal(fixture_file_size(fixture, FIRST ".log.swap"), -1);
	assert_int_equal(
	    fixture_file_size(fixture, "00000000000000000001.snapshot"), -1);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 12);
}

/* A start that fails anywhere fails as a whole, and the next one works. */
static void
every_call_of_recovery_fails_once(void **state)
{
	struct fixture *fixture = *state;
	uint8_t garbage[100] = { 0x11, 0x22 };
	uint64_t failures = 0;
	bool done = false;

	small_segments(fixture);
	for (int i = 0; i < 20; i++)
		fixture_must_append(fixture,
		    &(struct fixture_batch){ .has_producer = true,
			.producer_id = 9,
			.base_sequence = i,
			.timestamp_ms = FIXTURE_NOW_MS });
	log_free(fixture->log);
	fixture->log = NULL;
	fixture->open.clean = false;
	fixture->open.recovery_point = 5;
	for (uint64_t skip = 0; !done; skip++) {
		struct log *log;
		uint64_t failed;

		fixture_poke(fixture, "00000000000000000018.log", 78 * 2,
		    garbage, sizeof(garbage));
		disk_fault_fail(&fixture->fault, DISK_ANY, NULL, skip, EIO);
		log = log_open(&fixture->open);
		failed = disk_fault_clear(&fixture->fault);
		failures += failed;
		done = failed == 0;
		if (log != NULL) {
			assert_int_equal(log_end_offset(log), 20);
			log_free(log);
		}
		fixture_open(fixture);
		assert_int_equal(log_end_offset(fixture->log), 20);
		assert_int_equal(
		    fixture_count_records(fixture, 0, 1 << 20), 20);
		assert_int_equal(log_producers(fixture->log)->count, 1);
		log_free(fixture->log);
		fixture->log = NULL;
	}
	assert_true(failures > 30);
}

/*
 * A snapshot that cannot be opened for want of descriptors is good: without it
 * who produced only to segments that are gone would be forgotten.
 */
static void
a_lack_of_descriptors_forgets_no_producer(void **state)
{
	struct fixture *fixture = *state;

	small_segments(fixture);
	fixture_must_append(fixture,
	    &(struct fixture_batch){ .has_producer = true,
		.producer_id = 9,
		.timestamp_ms = FIXTURE_NOW_MS });
	append_some(fixture, 20);
	log_high_watermark_set(fixture->log, 21);
	assert_int_equal(log_flush_all(fixture->log), 0);
	fixture->open.settings.retention_bytes = 1000;
	log_settings_change(fixture->log, &fixture->open.settings);
	assert_true(log_retain(fixture->log, FIXTURE_NOW_MS) > 0);
	for (int clean = 0; clean < 2; clean++) {
		log_free(fixture->log);
		fixture->log = NULL;
		fixture->open.clean = clean != 0;
		fixture->open.recovery_point = 21;
		disk_fault_fail_all(
		    &fixture->fault, DISK_OPEN, ".snapshot", 0, EMFILE);
		assert_null(log_open(&fixture->open));
		assert_int_equal(errno, EMFILE);
		assert_int_equal(disk_fault_clear(&fixture->fault), 1);
		fixture_open(fixture);
		assert_int_equal(log_producers(fixture->log)->count, 1);
	}
}

/* DeleteRecords may leave the end of a batch, and its sequences with it. */
static void
a_log_may_begin_within_a_batch(void **state)
{
	struct fixture *fixture = *state;
	const struct producer *producer;

	small_segments(fixture);
	fixture_must_append(fixture,
	    &(struct fixture_batch){ .count = 4,
		.has_producer = true,
		.producer_id = 9,
		.timestamp_ms = FIXTURE_NOW_MS });
	append_some(fixture, 20);
	log_high_watermark_set(fixture->log, 24);
	assert_int_equal(log_delete_records(fixture->log, 2), KP_NONE);
	disk_fault_fail_all(&fixture->fault, DISK_PREAD, ".snapshot", 0, EIO);
	fixture_kill(fixture, 24);
	assert_true(disk_fault_clear(&fixture->fault) > 0);
	producer = producer_state_find(log_producers(fixture->log), 9);
	assert_non_null(producer);
	assert_int_equal(producer->batches[0].last_sequence, 3);
}

/* A log's life; what was flushed when it ended, in order or not. */
static int64_t
live(struct fixture *fixture)
{
	struct log *log = log_create(&fixture->open, (struct uuid){ { 3 } });
	int64_t flushed = 0;
	int64_t end;

	if (log == NULL)
		return 0;
	for (int i = 0; i < 30; i++) {
		struct log_append append;
		struct buf bytes;
		enum kp_error error;

		buf_init(&bytes, 1 << 20);
		fixture_batch(&bytes,
		    &(struct fixture_batch){ .has_producer = true,
			.producer_id = 4,
			.base_sequence = (int32_t)log_end_offset(log),
			.timestamp_ms = FIXTURE_NOW_MS + i });
		append = (struct log_append){ .data = bytes.data,
			.len = bytes.len,
			.origin = LOG_CLIENT,
			.now_ms = FIXTURE_NOW_MS };
		log_lock(log);
		error = log_append(log, &append);
		log_unlock(log);
		assert_true(
		    error == KP_NONE || error == KP_KAFKA_STORAGE_ERROR);
		buf_fini(&bytes);
		if (i % 7 == 6 && log_flush_all(log) == 0)
			assert_int_equal(
			    log_flushed_offset(log), log_end_offset(log));
		flushed = log_flushed_offset(log);
		log_high_watermark_set(log, flushed);
		if (i == 20 &&
		    log_truncate_to(log, flushed, FIXTURE_NOW_MS) != 0)
			assert_true(log_is_offline(log));
		if (i == 25 && log_retain(log, FIXTURE_NOW_MS) < 0)
			assert_true(log_segment_count(log) > 0);
	}
	log_tidy(log, FIXTURE_NOW_MS + 100000);
	fixture->open.log_start_offset = log_start_offset(log);
	end = log_end_offset(log);
	return log_close(log) == 0 ? end : flushed;
}

/* Whatever fails in its life, nothing that was flushed is lost. */
static void
every_call_of_a_life_fails_once(void **state)
{
	static const int errors[] = { EIO, ENOSPC };
	struct fixture *fixture = *state;
	uint64_t skip = 0;
	uint64_t failed;

	small_segments(fixture);
	fixture->open.settings.retention_bytes = 1500;
	fixture->open.clean = false;
	fixture->open.recovery_point = 0;
	do {
		int64_t flushed;

		log_free(fixture->log);
		fixture->log = NULL;
		fixture_remove_tree(fixture->path);
		fixture->open.log_start_offset = 0;
		disk_fault_fail(&fixture->fault, DISK_ANY, NULL, skip / 2,
		    errors[skip % 2]);
		flushed = live(fixture);
		failed = disk_fault_clear(&fixture->fault);
		if (failed == 0)
			assert_int_equal(flushed, 30);
		skip++;
		if (access(fixture->path, F_OK) != 0) {
			assert_int_equal(flushed, 0);
			continue;
		}
		fixture_open(fixture);
		assert_true(log_end_offset(fixture->log) >= flushed);
		assert_int_equal(log_damage_count(fixture->log), 0);
		assert_int_equal(fixture_count_records(fixture,
				     log_start_offset(fixture->log), 1 << 20),
		    log_end_offset(fixture->log) -
			log_start_offset(fixture->log));
		append_some(fixture, 1);
	} while (failed > 0);
	assert_true(skip > 200);
}

static void
an_empty_directory_gets_a_log(void **state)
{
	struct fixture *fixture = *state;
	char *path = fixture_file(fixture, FIRST ".log");

	log_free(fixture->log);
	fixture->log = NULL;
	assert_int_equal(unlink(path), 0);
	free(path);
	fixture_open(fixture);
	assert_int_equal(log_end_offset(fixture->log), 0);
	append_some(fixture, 1);
	assert_int_equal(fixture_count_records(fixture, 0, 1), 1);
}

static void
damaged_epochs_are_derived(void **state)
{
	struct fixture *fixture = *state;
	uint8_t byte = 'x';

	append_some(fixture, 5);
	fixture_restart(fixture);
	fixture_poke(fixture, LEADER_EPOCHS_FILE, 0, &byte, 1);
	fixture_restart(fixture);
	assert_int_equal(
	    leader_epochs_latest(log_leader_epochs(fixture->log)), 3);
	assert_int_equal(
	    leader_epochs_at(log_leader_epochs(fixture->log), 4), 3);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(torn_at_every_byte),
		TEST(flipped_above_the_recovery_point),
		TEST(a_higher_epoch_takes_nothing),
		TEST(a_lower_epoch_takes_nothing),
		TEST(zeroes_and_garbage_are_the_end),
		TEST(torn_in_the_middle),
		TEST(rot_is_kept_and_not_served),
		TEST(rot_at_the_end_keeps_its_offsets),
		TEST(rot_in_a_closed_segment),
		TEST(bad_indexes_are_rebuilt),
		TEST(flipped_indexes_lead_nowhere),
		TEST(preallocated_indexes_after_a_kill),
		TEST(not_so_clean),
		TEST(a_full_disk_loses_what_was_removed),
		TEST(interrupted_operations),
		TEST(every_call_of_recovery_fails_once),
		TEST(a_lack_of_descriptors_forgets_no_producer),
		TEST(a_log_may_begin_within_a_batch),
		TEST(every_call_of_a_life_fails_once),
		TEST(an_empty_directory_gets_a_log),
		TEST(damaged_epochs_are_derived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
