/* The log cleaner: which log, the checkpoint, its threads, its limits. */
#include "unit/store_fixture.h"

#include "store/cleaner.c"
#include "store/flusher.h"
#include "store/log_internal.h"
#include "store/meta_properties.h"
#include "unit/temp_dir.h"
#include "wire/batch_builder.h"

#include <sched.h>
#include <stdio.h>

static const struct uuid topic_id = { { 0xaa, 1 } };

struct rig {
	char *root;
	const char *paths[1];
	struct flusher *flusher;
	struct log_manager *manager;
	struct log_manager_settings settings;
	struct log_settings log_settings;
};

static bool
rig_wanted(void *context, struct slice topic UNUSED, int32_t partition UNUSED,
    struct uuid *id, struct log_settings *settings)
{
	const struct rig *rig = context;

	*settings = rig->log_settings;
	*id = topic_id;
	return true;
}

static void
rig_start(struct rig *rig)
{
	const struct log_manager_hooks hooks = {
		.context = rig,
		.wanted = rig_wanted,
	};

	rig->manager = log_manager_new(&rig->settings);
	assert_non_null(rig->manager);
	assert_int_equal(log_manager_load(rig->manager, &hooks), 0);
}

static void
rig_stop(struct rig *rig)
{
	assert_int_equal(log_manager_stop(rig->manager, 1), 0);
	log_manager_free(rig->manager);
	rig->manager = NULL;
}

static int
setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));
	struct meta_properties meta;

	rig->root = temp_dir_make();
	rig->paths[0] = rig->root;
	meta_properties_init(&meta);
	meta.node_id = 1;
	meta.cluster_id = xstrdup("cluster");
	meta.directory_id = (struct uuid){ { 0xdd, 1 } };
	assert_int_equal(
	    meta_properties_write(&meta, disk_posix(), rig->root), 0);
	meta_properties_fini(&meta);
	rig->flusher = flusher_new();
	log_manager_settings_init(&rig->settings);
	rig->settings.disk = disk_posix();
	rig->settings.flusher = rig->flusher;
	rig->settings.directories = rig->paths;
	rig->settings.directory_count = 1;
	rig->settings.node_id = 1;
	log_settings_init(&rig->log_settings);
	rig->log_settings.cleanup_compact = true;
	rig->log_settings.cleanup_delete = false;
	rig_start(rig);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	log_manager_free(rig->manager);
	flusher_free(rig->flusher);
	temp_dir_remove(rig->root);
	free(rig);
	return 0;
}

static const struct log_manager_place anywhere = { .is_new = true };

static struct log *
create(struct rig *rig, const char *topic)
{
	struct log *log;

	assert_int_equal(log_manager_create(rig->manager, slice_str(topic), 0,
			     topic_id, &anywhere, &rig->log_settings, &log),
	    KP_NONE);
	return log;
}

static void
append(struct log *log)
{
	struct log_append append = { .leader_epoch = 3,
		.origin = LOG_CLIENT,
		.now_ms = clock_wall_ms() };
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	batch_builder_init(&builder, &options, &bytes);
	assert_int_equal(batch_builder_add(&builder, clock_wall_ms(),
			     slice_str("key"), slice_str("value")),
	    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	append.data = bytes.data;
	append.len = bytes.len;
	log_lock(log);
	assert_int_equal(log_append(log, &append), KP_NONE);
	log_high_watermark_set(log, log_end_offset(log));
	log_unlock(log);
	buf_fini(&bytes);
}

/* Records of one key, and a new segment behind them. */
static void
fill(struct log *log, int count)
{
	for (int i = 0; i < count; i++)
		append(log);
	log_lock(log);
	assert_int_equal(log_roll(log, clock_wall_ms()), 0);
	log_unlock(log);
}

static int64_t
clean_offset(struct log *log)
{
	int64_t offset;

	log_lock(log);
	offset = log_clean_offset(log);
	log_unlock(log);
	return offset;
}

static void
expect_checkpoint(const struct rig *rig, const char *want)
{
	char *path = xasprintf("%s/%s", rig->root, CHECKPOINT_CLEANER);
	size_t len;
	uint8_t *text = disk_read_file(disk_posix(), path, SIZE_MAX, &len);

	assert_non_null(text);
	assert_string_equal((const char *)text, want);
	free(text);
	free(path);
}

static void
dirtiest_first(void **state)
{
	struct rig *rig = *state;
	struct log *a = create(rig, "a"), *b = create(rig, "b");

	fill(a, 10);
	assert_true(cleaner_run(rig->manager->cleaner));
	assert_int_equal(clean_offset(a), 10);
	expect_checkpoint(rig, "0\n1\na 0 10\n");
	/* One record is left of the ten: of these, more than half is dirty. */
	fill(a, 3);
	fill(b, 3);
	assert_true(cleaner_run(rig->manager->cleaner));
	assert_int_equal(clean_offset(a), 10);
	assert_int_equal(clean_offset(b), 3);
	assert_true(cleaner_run(rig->manager->cleaner));
	assert_int_equal(clean_offset(a), 13);
	assert_false(cleaner_run(rig->manager->cleaner));
	log_manager_release(rig->manager, a);
	log_manager_release(rig->manager, b);
}

static void
restart_knows_what_is_clean(void **state)
{
	struct rig *rig = *state;
	struct log *log = create(rig, "a");

	fill(log, 4);
	assert_true(cleaner_run(rig->manager->cleaner));
	log_manager_release(rig->manager, log);
	rig_stop(rig);
	expect_checkpoint(rig, "0\n1\na 0 4\n");
	rig_start(rig);
	log = create(rig, "a");
	assert_int_equal(clean_offset(log), 4);
	assert_false(cleaner_run(rig->manager->cleaner));
	/* What is created under the name of a deleted one was never cleaned. */
	assert_int_equal(log_manager_delete(rig->manager, log), KP_NONE);
	log_manager_release(rig->manager, log);
	log = create(rig, "a");
	expect_checkpoint(rig, "0\n0\n");
	assert_int_equal(clean_offset(log), -1);
	log_manager_release(rig->manager, log);
}

static void
other_policies_are_left_alone(void **state)
{
	struct rig *rig = *state;
	struct log *log;

	rig->log_settings.cleanup_compact = false;
	log = create(rig, "a");
	fill(log, 4);
	assert_false(cleaner_run(rig->manager->cleaner));
	/* A change takes effect at once. */
	rig->log_settings.cleanup_compact = true;
	log_lock(log);
	log_settings_change(log, &rig->log_settings);
	log_unlock(log);
	assert_true(cleaner_run(rig->manager->cleaner));
	log_manager_release(rig->manager, log);
}

/* cleanup.policy=compact,delete: old records go, whatever their keys. */
static void
retention_follows(void **state)
{
	struct rig *rig = *state;
	struct log *log;

	rig->log_settings.cleanup_delete = true;
	rig->log_settings.retention_ms = 0;
	log = create(rig, "a");
	fill(log, 4);
	while (clock_wall_ms() == log->segments[0]->modified_ms)
		sched_yield();
	assert_true(cleaner_run(rig->manager->cleaner));
	log_lock(log);
	assert_int_equal(log_start_offset(log), 4);
	log_unlock(log);
	log_manager_release(rig->manager, log);
}

/* --- Internal topics ------------------------------------------------------ */

static size_t
segment_count(struct log *log)
{
	size_t count;

	log_lock(log);
	count = log_segment_count(log);
	log_unlock(log);
	return count;
}

static int64_t
size_bytes(struct log *log)
{
	int64_t size;

	log_lock(log);
	size = log_size_bytes(log);
	log_unlock(log);
	return size;
}

/* Append until the log has so many bytes. */
static void
grow(struct log *log, int64_t bytes)
{
	while (size_bytes(log) < bytes)
		append(log);
}

/* However much was said, what is kept is what is worth it, and one turn's. */
static void
what_is_worthless_goes(void **state)
{
	struct rig *rig = *state;
	struct log *log;

	rig->log_settings.dirty_roll_bytes = 2000;
	log = create(rig, "a");
	for (int i = 0; i < 50; i++) {
		for (int j = 0; j < 100; j++)
			append(log);
		assert_true(cleaner_run(rig->manager->cleaner));
		assert_true(size_bytes(log) < 200);
		assert_int_equal(segment_count(log), 2);
	}
	/* Little is left as it is. */
	append(log);
	assert_false(cleaner_run(rig->manager->cleaner));
	assert_int_equal(segment_count(log), 2);
	log_manager_release(rig->manager, log);
}

static void
other_topics_keep_their_segments(void **state)
{
	struct rig *rig = *state;
	struct log *log = create(rig, "a");

	grow(log, 4000);
	assert_false(cleaner_run(rig->manager->cleaner));
	assert_int_equal(segment_count(log), 1);
	log_manager_release(rig->manager, log);
}

/* It does not become worth a round that min.cleanable.dirty.ratio forbids. */
static void
the_dirty_ratio_is_kept_to(void **state)
{
	struct rig *rig = *state;
	struct log *log;

	rig->log_settings.dirty_roll_bytes = 1;
	rig->log_settings.min_cleanable_dirty_ratio = 0.9;
	log = create(rig, "a");
	append(log);
	assert_true(cleaner_run(rig->manager->cleaner));
	/* One record is clean; nine more are nine tenths, and not above it. */
	for (int i = 0; i < 9; i++) {
		append(log);
		assert_false(cleaner_run(rig->manager->cleaner));
		assert_int_equal(segment_count(log), 2);
	}
	append(log);
	assert_true(cleaner_run(rig->manager->cleaner));
	assert_int_equal(clean_offset(log), 11);
	log_manager_release(rig->manager, log);
}

/* With what cannot be cleaned yet in front of it, a roll would not help. */
static void
one_segment_waits(void **state)
{
	struct rig *rig = *state;
	struct log *log;

	rig->log_settings.dirty_roll_bytes = 1;
	rig->log_settings.min_compaction_lag_ms = INT64_MAX / 2;
	log = create(rig, "a");
	for (int i = 0; i < 5; i++) {
		append(log);
		assert_false(cleaner_run(rig->manager->cleaner));
		assert_int_equal(segment_count(log), 2);
	}
	log_manager_release(rig->manager, log);
}

/* --- Threads -------------------------------------------------------------- */

static void
wait_for(struct log *log, int64_t offset)
{
	while (clean_offset(log) != offset)
		sched_yield();
}

static void
threads_clean(void **state)
{
	struct rig *rig = *state;
	struct cleaner *cleaner = rig->manager->cleaner;
	struct cleaner_settings settings;
	struct log *log = create(rig, "a");

	cleaner_settings_init(&settings);
	settings.thread_count = 2;
	settings.backoff_ms = 1;
	cleaner_configure(cleaner, &settings);
	fill(log, 5);
	cleaner_start(cleaner);
	wait_for(log, 5);
	/* Fewer, none, and more of them. */
	settings.thread_count = 0;
	cleaner_configure(cleaner, &settings);
	fill(log, 5);
	settings.thread_count = 3;
	cleaner_configure(cleaner, &settings);
	wait_for(log, 10);
	cleaner_stop(cleaner);
	cleaner_stop(cleaner);
	log_manager_release(rig->manager, log);
}

/* A backoff that is long ends when the settings say something else. */
static void
changes_wake_it(void **state)
{
	struct rig *rig = *state;
	struct cleaner *cleaner = rig->manager->cleaner;
	struct cleaner_settings settings;
	struct log *log = create(rig, "a");

	cleaner_settings_init(&settings);
	settings.backoff_ms = INT64_MAX;
	cleaner_configure(cleaner, &settings);
	cleaner_start(cleaner);
	fill(log, 5);
	settings.backoff_ms = 0;
	cleaner_configure(cleaner, &settings);
	wait_for(log, 5);
	/* At a byte a second this would take minutes, were it not stopped. */
	settings.bytes_per_second_max = 1;
	settings.buffer_bytes = 0;
	cleaner_configure(cleaner, &settings);
	fill(log, 1000);
	settings.bytes_per_second_max = DBL_MAX;
	cleaner_configure(cleaner, &settings);
	wait_for(log, 1005);
	cleaner_stop(cleaner);
	log_manager_release(rig->manager, log);
}

static void
switched_off(void **state)
{
	struct rig *rig = *state;
	struct cleaner *cleaner = rig->manager->cleaner;
	struct cleaner_settings settings;

	cleaner_settings_init(&settings);
	settings.enabled = false;
	cleaner_configure(cleaner, &settings);
	cleaner_start(cleaner);
	assert_int_equal(cleaner->thread_count, 0);
}

/* The limit is one on all bytes, whoever reads or writes them. */
static void
bytes_are_booked(void **state)
{
	struct rig *rig = *state;
	struct cleaner *cleaner = rig->manager->cleaner;

	cleaner->settings.bytes_per_second_max = 1000;
	assert_int_equal(book(cleaner, 500, 7000000), 7500000);
	assert_int_equal(book(cleaner, 250, 7100000), 7750000);
	assert_int_equal(book(cleaner, 0, 9000000), 9000000);
	cleaner->settings.bytes_per_second_max = __builtin_nan("");
	assert_int_equal(book(cleaner, 2, 10000000), 12000000);
	cleaner->settings.bytes_per_second_max = DBL_MAX;
	assert_int_equal(book(cleaner, 1 << 30, 20000000), 20000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dirtiest_first),
		TEST(restart_knows_what_is_clean),
		TEST(other_policies_are_left_alone),
		TEST(retention_follows),
		TEST(what_is_worthless_goes),
		TEST(other_topics_keep_their_segments),
		TEST(the_dirty_ratio_is_kept_to),
		TEST(one_segment_waits),
		TEST(threads_clean),
		TEST(changes_wake_it),
		TEST(switched_off),
		TEST(bytes_are_booked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
