/*
 * One log used by several threads at once, as in a broker: a producer, readers
 * at the tail and from the beginning, the flusher, retention and the clean-up
 * of files and memory.
 */
#include "unit/store_fixture.h"

#include "wire/batch_reader.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define APPENDS 3000
#define LEAD_MAX 100

struct shared {
	struct fixture *fixture;
	atomic_bool done; /* nothing more is appended */
	atomic_int errors;
	atomic_llong records; /* read by tail readers, summed */
};

static void
check(struct shared *shared, bool good)
{
	if (!good)
		atomic_fetch_add(&shared->errors, 1);
}

/*
 * Let the others keep up: the flusher is never further behind than this, and
 * with it readers and retention have something to do all the time.
 */
static void
wait_for_flush(struct log *log)
{
	int64_t behind;

	do {
		sched_yield();
		log_lock(log);
		behind = log_unflushed_messages(log);
		log_unlock(log);
	} while (behind > LEAD_MAX);
}

static void *
append_all(void *context)
{
	struct shared *shared = context;

	for (int i = 0; i < APPENDS; i++) {
		struct log_append append;

		wait_for_flush(shared->fixture->log);
		check(shared,
		    fixture_append(shared->fixture,
			&(struct fixture_batch){
			    .value_len = (size_t)(1 + i % 99),
			    .timestamp_ms = FIXTURE_NOW_MS + i },
			&append) == KP_NONE &&
			append.base_offset == i);
	}
	atomic_store(&shared->done, true);
	return NULL;
}

/* Walk the batches of a read, which must follow each other; the next offset. */
static int64_t
walk(struct shared *shared, struct slice bytes, int64_t offset)
{
	struct batch batch;

	while (batch_read(bytes, &batch) == 0) {
		check(shared,
		    batch.base_offset == offset &&
			batch_crc_valid(
			    slice_of(bytes.data, batch.size_bytes)));
		offset = batch.last_offset + 1;
		bytes.data += batch.size_bytes;
		bytes.len -= batch.size_bytes;
	}
	return offset;
}

/* Read once at *offset, up to what is flushed; false where that is all. */
static bool
read_once(struct shared *shared, int64_t *offset, size_t max_bytes)
{
	struct log *log = shared->fixture->log;
	struct log_read read = {
		.offset = *offset, .max_bytes = max_bytes, .min_one_batch = true
	};
	enum kp_error error;
	uint8_t *data;

	log_lock(log);
	read.upper_bound = log_flushed_offset(log);
	error = log_read(log, &read);
	log_unlock(log);
	if (error == KP_NONE && read.unresolved)
		error = log_read_resolve(&read);
	if (error == KP_OFFSET_OUT_OF_RANGE) {
		log_lock(log);
		*offset = log_start_offset(log);
		log_unlock(log);
		return true;
	}
	check(shared, error == KP_NONE);
	if (error != KP_NONE || read.len == 0)
		return false;
	data = xmalloc(read.len);
	check(shared,
	    pread(read.fd, data, read.len, read.position) == (ssize_t)read.len);
	*offset = walk(shared, slice_of(data, read.len), *offset);
	free(data);
	log_read_release(&read);
	return true;
}

static void *
follow_tail(void *context)
{
	struct shared *shared = context;
	int64_t offset = 0;

	while (offset < APPENDS)
		if (!read_once(shared, &offset, 500) && offset < APPENDS)
			usleep(100);
	return NULL;
}

static void *
read_again_and_again(void *context)
{
	struct shared *shared = context;
	struct log_position found;

	do {
		int64_t offset = 0;

		while (read_once(shared, &offset, 3000))
			;
		check(shared,
		    log_find_timestamp(shared->fixture->log,
			FIXTURE_NOW_MS + 100, APPENDS, &found) == KP_NONE);
	} while (!atomic_load(&shared->done));
	return NULL;
}

static void *
flush_always(void *context)
{
	struct shared *shared = context;
	struct log *log = shared->fixture->log;
	int64_t flushed = 0;

	while (flushed < APPENDS) {
		check(shared, log_flush_all(log) == 0);
		log_lock(log);
		check(shared, log_flushed_offset(log) >= flushed);
		flushed = log_flushed_offset(log);
		log_high_watermark_set(log, flushed);
		log_unlock(log);
	}
	return NULL;
}

static bool
begins_at_zero(struct log *log)
{
	int64_t start;

	log_lock(log);
	start = log_start_offset(log);
	log_unlock(log);
	return start == 0;
}

/* Until all is appended, and retention has let something go. */
static void *
clean_up(void *context)
{
	struct shared *shared = context;
	struct log *log = shared->fixture->log;
	int64_t now_ms = FIXTURE_NOW_MS;

	while (!atomic_load(&shared->done) || begins_at_zero(log)) {
		check(shared, log_retain(log, now_ms) >= 0);
		now_ms += 30000;
		log_tidy(log, now_ms);
	}
	return NULL;
}

static void
all_at_once(void **state)
{
	static void *(*const roles[])(void *) = { append_all, follow_tail,
		follow_tail, read_again_and_again, flush_always, clean_up };
	struct shared shared = { .fixture = *state };
	pthread_t threads[COUNT_OF(roles)];
	struct log_settings *settings = &shared.fixture->open.settings;

	settings->segment_bytes = 20000;
	settings->index_interval_bytes = 500;
	settings->retention_bytes = 100000;
	log_settings_change(shared.fixture->log, settings);
	for (size_t i = 0; i < COUNT_OF(roles); i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, roles[i], &shared), 0);
	for (size_t i = 0; i < COUNT_OF(roles); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&shared.errors), 0);
	assert_int_equal(log_end_offset(shared.fixture->log), APPENDS);
	assert_true(log_start_offset(shared.fixture->log) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    all_at_once, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
