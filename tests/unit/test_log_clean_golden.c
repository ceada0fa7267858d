/*
 * Compaction of a directory that Apache Kafka 4.3.1 wrote and had not cleaned
 * yet (tests/store/logdirs/compact-0), against what Kafka made of it
 * (compact-1): the same batches with the same records, headers and flags, the
 * same indexes.
 */
#include "unit/store_fixture.h"

#include "store/log_clean.h"
#include "store/txn_index.h"
#include "wire/batch_reader.h"
#include "wire/compression.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* A moment shortly after the archives were made. */
#define ARCHIVE_NOW_MS INT64_C(1795370000000)

struct archives {
	char *root;
	struct fd_cache *files;
};

static void
unpack(const char *root, const char *archive)
{
	char *command = xasprintf("mkdir '%s/%s' && tar xzf "
				  "'%s/tests/store/logdirs/%s.tar.gz' -C "
				  "'%s/%s'",
	    root, archive, SRCDIR, archive, root, archive);

	assert_int_equal(system(command), 0);
	free(command);
}

static int
setup(void **state)
{
	struct archives *archives = xcalloc(1, sizeof(*archives));
	const char *tmp = getenv("TMPDIR");

	archives->root =
	    xasprintf("%s/klamm-clean-XXXXXX", tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(archives->root));
	unpack(archives->root, "compact-0");
	unpack(archives->root, "compact-1");
	archives->files = fd_cache_new(disk_posix(), 32);
	*state = archives;
	return 0;
}

static int
teardown(void **state)
{
	struct archives *archives = *state;

	fd_cache_free(archives->files);
	fixture_remove_tree(archives->root);
	free(archives->root);
	free(archives);
	return 0;
}

/* --- Files ---------------------------------------------------------------- */

static char *
file_path(const struct archives *archives, const char *archive,
    const char *topic, const char *name)
{
	return xasprintf(
	    "%s/%s/data/%s-0/%s", archives->root, archive, topic, name);
}

static struct slice
read_file(const struct archives *archives, const char *archive,
    const char *topic, const char *name)
{
	char *path = file_path(archives, archive, topic, name);
	size_t len = 0;
	uint8_t *data = disk_read_file(disk_posix(), path, SIZE_MAX, &len);

	assert_non_null(data);
	free(path);
	return slice_of(data, len);
}

/* The batch at the start, taken off bytes; false where it begins at end. */
static bool
take_batch(struct slice *bytes, int64_t end, struct slice *batch)
{
	struct batch header;

	if (bytes->len == 0)
		return false;
	assert_int_equal(batch_read(*bytes, &header), 0);
	*batch = slice_of(bytes->data, header.size_bytes);
	assert_true(batch_crc_valid(*batch));
	bytes->data += batch->len;
	bytes->len -= batch->len;
	return header.last_offset < end;
}

static void
expect_header(const struct batch *have, const struct batch *want)
{
	assert_int_equal(have->base_offset, want->base_offset);
	assert_int_equal(have->last_offset, want->last_offset);
	if (batch_codec(want) == COMPRESSION_NONE)
		assert_int_equal(have->size_bytes, want->size_bytes);
	assert_int_equal(have->leader_epoch, want->leader_epoch);
	assert_int_equal(have->attributes, want->attributes);
	assert_int_equal(have->max_timestamp, want->max_timestamp);
	assert_int_equal(have->producer_id, want->producer_id);
	assert_int_equal(have->producer_epoch, want->producer_epoch);
	assert_int_equal(have->base_sequence, want->base_sequence);
	assert_int_equal(have->record_count, want->record_count);
	/* A horizon is that of the run. */
	if ((want->attributes & BATCH_DELETE_HORIZON) == 0)
		assert_int_equal(have->base_timestamp, want->base_timestamp);
}

static void
expect_slice(struct slice have, struct slice want)
{
	assert_true(slice_is_null(have) == slice_is_null(want));
	assert_true(slice_equal(have, want));
}

static void
expect_batch(struct slice have_bytes, struct slice want_bytes)
{
	struct batch_reader have, want;
	struct record have_record, want_record;
	struct buf have_scratch, want_scratch;

	buf_init(&have_scratch, 1 << 20);
	buf_init(&want_scratch, 1 << 20);
	assert_int_equal(
	    batch_reader_open(&have, have_bytes, &have_scratch), KP_NONE);
	assert_int_equal(
	    batch_reader_open(&want, want_bytes, &want_scratch), KP_NONE);
	expect_header(&have.batch, &want.batch);
	while (batch_reader_next(&want, &want_record)) {
		assert_true(batch_reader_next(&have, &have_record));
		assert_int_equal(have_record.offset, want_record.offset);
		assert_int_equal(have_record.timestamp, want_record.timestamp);
		expect_slice(have_record.key, want_record.key);
		expect_slice(have_record.value, want_record.value);
		expect_slice(have_record.headers, want_record.headers);
	}
	assert_false(batch_reader_next(&have, &have_record));
	buf_fini(&have_scratch);
	buf_fini(&want_scratch);
}

/* The segments' batches up to end are those that Kafka has. */
static void
expect_batches(const struct archives *archives, const char *topic,
    const char *name, int64_t end, size_t count)
{
	struct slice have = read_file(archives, "compact-0", topic, name);
	struct slice want = read_file(archives, "compact-1", topic, name);
	struct slice have_left = have, want_left = want;
	struct slice have_batch, want_batch;
	size_t batches = 0;

	while (take_batch(&want_left, end, &want_batch)) {
		assert_true(take_batch(&have_left, end, &have_batch));
		expect_batch(have_batch, want_batch);
		batches++;
	}
	assert_false(take_batch(&have_left, end, &have_batch));
	assert_int_equal(batches, count);
	free((void *)(uintptr_t)have.data);
	free((void *)(uintptr_t)want.data);
}

static void
expect_same_file(const struct archives *archives, const char *topic,
    const char *name)
{
	struct slice have = read_file(archives, "compact-0", topic, name);
	struct slice want = read_file(archives, "compact-1", topic, name);

	assert_int_equal(have.len, want.len);
	assert_memory_equal(have.data, want.data, want.len);
	free((void *)(uintptr_t)have.data);
	free((void *)(uintptr_t)want.data);
}

/* --- Logs ----------------------------------------------------------------- */

static struct log *
open_log(const struct archives *archives, const char *topic,
    struct log_settings *settings)
{
	char *path = file_path(archives, "compact-0", topic, "");
	struct log_open open = {
		.disk = disk_posix(),
		.files = archives->files,
		.settings = *settings,
		.clean = true,
		.now_ms = ARCHIVE_NOW_MS,
	};
	struct log *log;

	path[strlen(path) - 1] = '\0';
	open.path = path;
	log = log_open(&open);
	assert_non_null(log);
	free(path);
	log_lock(log);
	log_high_watermark_set(log, log_end_offset(log));
	log_unlock(log);
	return log;
}

static void
settings_init(struct log_settings *settings)
{
	log_settings_init(settings);
	settings->cleanup_compact = true;
	settings->cleanup_delete = false;
	settings->min_cleanable_dirty_ratio = 0.01;
	settings->producer_id_expiration_ms = INT32_MAX;
}

static void
clean(struct log *log)
{
	const struct log_clean_round round = {
		.memory_max = 1 << 20,
		.map_load_factor = 0.9,
		.buffer_len = 256 << 10,
		.now_ms = ARCHIVE_NOW_MS,
	};
	struct log_clean_state state;
	struct log_clean_stats stats;

	assert_true(log_clean_look(log, ARCHIVE_NOW_MS, &state));
	assert_int_equal(log_clean(log, &round, &stats), LOG_CLEAN_DONE);
	assert_false(log_clean_look(log, ARCHIVE_NOW_MS, &state));
}

static void
check_topic(void **state, const char *topic, int64_t clean_offset,
    size_t batches)
{
	struct archives *archives = *state;
	struct log_settings settings;
	struct log *log;

	settings_init(&settings);
	log = open_log(archives, topic, &settings);
	clean(log);
	assert_int_equal(log_clean_offset(log), clean_offset);
	assert_int_equal(log_segment_count(log), 2);
	log_free(log);
	expect_batches(archives, topic, "00000000000000000000.log",
	    INT64_MAX, batches);
	expect_same_file(archives, topic, "00000000000000000000.index");
	expect_same_file(archives, topic, "00000000000000000000.timeindex");
}

static void
plain(void **state)
{
	check_topic(state, "c-basic", 59, 7);
}

static void
compressed(void **state)
{
	check_topic(state, "c-zstd", 59, 7);
}

static void
append_time(void **state)
{
	check_topic(state, "c-appendtime", 59, 7);
}

static void
idempotent(void **state)
{
	check_topic(state, "c-idem", 16, 3);
}

static void
young_records_stay(void **state)
{
	struct log_clean_state ignored;
	struct log_settings settings;
	struct log *log;

	settings_init(&settings);
	settings.min_compaction_lag_ms = INT64_C(9000000000000);
	log = open_log(*state, "c-lag", &settings);
	assert_false(log_clean_look(log, ARCHIVE_NOW_MS, &ignored));
	log_free(log);
}

/*
 * Kafka rolled this log with two more records, so that it cleaned them too;
 * what stands before is the same.
 */
static void
transactions(void **state)
{
	struct archives *archives = *state;
	struct log_settings settings;
	struct log *log;

	settings_init(&settings);
	log = open_log(archives, "c-txn", &settings);
	log_lock(log);
	assert_int_equal(log_roll(log, ARCHIVE_NOW_MS), 0);
	log_unlock(log);
	clean(log);
	log_free(log);
	expect_batches(
	    archives, "c-txn", "00000000000000000000.log", 17, 6);
	expect_same_file(archives, "c-txn", "00000000000000000000.txnindex");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plain, setup, teardown),
		cmocka_unit_test_setup_teardown(compressed, setup, teardown),
		cmocka_unit_test_setup_teardown(append_time, setup, teardown),
		cmocka_unit_test_setup_teardown(idempotent, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    young_records_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(transactions, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
