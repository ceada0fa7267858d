/*
 * Compaction of a log against a naive model: random logs and settings, every
 * disk operation failing once, a crash at every one of them, readers that
 * began before, and what must not run at the same time.
 */
#include "unit/store_fixture.h"

#include "base/clock.h"
#include "base/rng.h"
#include "store/disk.h"
#include "store/log_clean.c"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"
#include "wire/control_record.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS 12
#define RECORDS_MAX 4096
#define RETENTION_MS 1000

/* A record as it was appended. */
struct model_record {
	int key;
	int64_t timestamp_ms;
	int64_t horizon_ms; /* of a tombstone that was cleaned; -1: none */
	uint32_t value;     /* what the value says; 0: a tombstone */
	bool marker;        /* no reader sees it */
};

struct model {
	struct fixture fixture;
	struct rng rng;
	struct model_record records[RECORDS_MAX];
	int64_t end_offset;
	int64_t now_ms;
	uint32_t values;
	int32_t next_sequence;
};

/* --- The log -------------------------------------------------------------- */

static int
sync_nothing(struct disk *disk UNUSED, int fd UNUSED)
{
	return 0;
}

/* Crashes here are those of a process, and there are many of them. */
static struct disk *
disk_without_sync(void)
{
	static struct disk disk;

	disk = *disk_posix();
	disk.fdatasync = sync_nothing;
	disk.fsync = sync_nothing;
	disk.syncfs = sync_nothing;
	return &disk;
}

static void
segment_bytes_set(struct model *model, int32_t segment_bytes)
{
	struct fixture *fixture = &model->fixture;

	fixture->open.settings.segment_bytes = segment_bytes;
	log_settings_change(fixture->log, &fixture->open.settings);
}

static void
model_init(struct model *model, uint64_t seed)
{
	struct log_settings *settings;

	*model = (struct model){ .now_ms = FIXTURE_NOW_MS };
	fixture_init(&model->fixture);
	model->fixture.fault.real = disk_without_sync();
	rng_init(&model->rng, seed);
	settings = &model->fixture.open.settings;
	settings->cleanup_compact = true;
	settings->cleanup_delete = false;
	settings->segment_bytes = 1200;
	settings->index_interval_bytes = 100;
	settings->delete_retention_ms = RETENTION_MS;
	settings->min_cleanable_dirty_ratio = 0;
	log_settings_change(model->fixture.log, settings);
}

static int
setup(void **state)
{
	struct model *model = xcalloc(1, sizeof(*model));

	model_init(model, 1);
	*state = model;
	return 0;
}

static int
teardown(void **state)
{
	struct model *model = *state;

	fixture_fini(&model->fixture);
	free(model);
	return 0;
}

static struct slice
key_text(char text[16], int key)
{
	snprintf(text, 16, "key-%d", key);
	return slice_str(text);
}

static struct slice
value_text(char text[64], uint32_t value)
{
	if (value == 0)
		return SLICE_NULL;
	snprintf(text, 64, "value-%u-%.*s", value, (int)(value % 40),
	    "........................................");
	return slice_str(text);
}

static void
append_bytes(struct model *model, struct buf *bytes, enum log_origin origin)
{
	struct log *log = model->fixture.log;
	struct log_append append = {
		.data = bytes->data,
		.len = bytes->len,
		.leader_epoch = 3,
		.origin = origin,
		.now_ms = model->now_ms,
	};

	log_lock(log);
	assert_int_equal(log_append(log, &append), KP_NONE);
	log_high_watermark_set(log, log_end_offset(log));
	model->end_offset = log_end_offset(log);
	log_unlock(log);
}

/* Note a record that is going to be appended at this offset. */
static void
note(struct model *model, int64_t offset, int key, uint32_t value)
{
	assert_true(offset < RECORDS_MAX);
	model->records[offset] = (struct model_record){
		.key = key,
		.timestamp_ms = model->now_ms,
		.horizon_ms = -1,
		.value = value,
	};
}

static void
add_record(struct model *model, struct batch_builder *builder, int64_t offset,
    int key, uint32_t value)
{
	char key_buffer[16], value_buffer[64];

	note(model, offset, key, value);
	assert_int_equal(batch_builder_add(builder, model->now_ms,
			     key_text(key_buffer, key),
			     value_text(value_buffer, value)),
	    0);
}

/* A batch of random records. */
static void
append_random(struct model *model)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	int count = 1 + (int)rng_below(&model->rng, 5);
	struct batch_builder builder;
	struct buf bytes;

	if (rng_below(&model->rng, 3) == 0)
		options.codec =
		    (enum compression)rng_below(&model->rng, COMPRESSION_COUNT);
	if (rng_below(&model->rng, 4) == 0) {
		options.producer_id = 7;
		options.producer_epoch = 0;
		options.base_sequence = model->next_sequence;
		model->next_sequence += count;
	}
	buf_init(&bytes, 1 << 20);
	batch_builder_init(&builder, &options, &bytes);
	for (int i = 0; i < count; i++)
		add_record(model, &builder, model->end_offset + i,
		    (int)rng_below(&model->rng, KEYS),
		    rng_below(&model->rng, 4) == 0 ? 0 : ++model->values);
	assert_int_equal(batch_builder_finish(&builder), 0);
	append_bytes(model, &bytes, LOG_CLIENT);
	buf_fini(&bytes);
	model->now_ms += 1 + (int64_t)rng_below(&model->rng, 20);
}

/* A batch with these keys and new values. */
static void
append_keys(struct model *model, const int *keys, size_t count)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	batch_builder_init(&builder, &options, &bytes);
	for (size_t i = 0; i < count; i++)
		add_record(model, &builder, model->end_offset + (int64_t)i,
		    keys[i], ++model->values);
	assert_int_equal(batch_builder_finish(&builder), 0);
	append_bytes(model, &bytes, LOG_CLIENT);
	buf_fini(&bytes);
}

static void
append_key(struct model *model, int key)
{
	append_keys(model, &key, 1);
}

static void
roll(struct model *model)
{
	log_lock(model->fixture.log);
	assert_int_equal(log_roll(model->fixture.log, model->now_ms), 0);
	log_unlock(model->fixture.log);
}

static struct log_clean_round
round_of(const struct model *model)
{
	return (struct log_clean_round){
		.memory_max = 1 << 20,
		.map_load_factor = 0.9,
		.buffer_len = 300,
		.now_ms = model->now_ms,
	};
}

static enum log_clean_result
clean(struct model *model)
{
	struct log_clean_round round = round_of(model);
	struct log_clean_stats stats;

	assert_int_equal(log_flush_all(model->fixture.log), 0);
	return log_clean(model->fixture.log, &round, &stats);
}

/* --- What must be in it --------------------------------------------------- */

/* What a reader of the whole log finds. */
struct found {
	bool present[RECORDS_MAX];
	int64_t next_offset;
};

static void
find_record(
    const struct model *model, const struct record *record, struct found *found)
{
	const struct model_record *want = &model->records[record->offset];
	char key_buffer[16], value_buffer[64];

	assert_in_range(record->offset, found->next_offset,
	    model->end_offset - 1);
	found->next_offset = record->offset + 1;
	found->present[record->offset] = true;
	assert_int_equal(record->timestamp, want->timestamp_ms);
	assert_true(
	    slice_equal(record->key, key_text(key_buffer, want->key)));
	assert_true(slice_is_null(record->value) == (want->value == 0));
	assert_true(slice_equal(
	    record->value, value_text(value_buffer, want->value)));
}

static void
find_batch(
    const struct model *model, struct slice bytes, struct found *found)
{
	struct batch_reader reader;
	struct record record;
	struct buf scratch;

	assert_true(batch_crc_valid(bytes));
	buf_init(&scratch, 1 << 20);
	assert_int_equal(batch_reader_open(&reader, bytes, &scratch), KP_NONE);
	assert_in_range(reader.batch.base_offset, found->next_offset,
	    model->end_offset - 1);
	while (!batch_is_control(&reader.batch) &&
	    batch_reader_next(&reader, &record))
		find_record(model, &record, found);
	found->next_offset = reader.batch.last_offset + 1;
	buf_fini(&scratch);
}

/* Read all, by reads that are as small as can be. */
static void
find_all(struct model *model, struct found *found)
{
	*found = (struct found){ .next_offset = 0 };
	for (;;) {
		struct batch batch;
		uint8_t *data;
		size_t len;

		assert_int_equal(fixture_read(&model->fixture,
				     found->next_offset, 1, &data, &len),
		    KP_NONE);
		if (len == 0) {
			free(data);
			return;
		}
		assert_int_equal(batch_read(slice_of(data, len), &batch), 0);
		find_batch(model, slice_of(data, batch.size_bytes), found);
		free(data);
	}
}

static bool
is_superseded(const struct model *model, int64_t offset, int64_t end)
{
	for (int64_t later = offset + 1; later < end; later++)
		if (model->records[later].key == model->records[offset].key)
			return true;
	return false;
}

/*
 * Everything above the clean offset is there; below it the latest of each key,
 * unless it is a tombstone whose time has come, and nothing else.
 */
static void
check_cleaned(struct model *model, int64_t clean_offset, int64_t now_ms)
{
	struct found *found = xmalloc(sizeof(*found));

	find_all(model, found);
	for (int64_t i = 0; i < model->end_offset; i++) {
		struct model_record *record = &model->records[i];

		if (record->marker) {
			continue;
		} else if (i >= clean_offset) {
			assert_true(found->present[i]);
		} else if (is_superseded(model, i, clean_offset)) {
			assert_false(found->present[i]);
		} else if (record->value != 0) {
			assert_true(found->present[i]);
		} else if (record->horizon_ms < 0) {
			assert_true(found->present[i]);
			record->horizon_ms = now_ms + RETENTION_MS;
		} else {
			assert_true(found->present[i] ==
			    (record->horizon_ms > now_ms));
		}
	}
	free(found);
}

/* Nothing that a reader needs is lost, wherever a round was cut short. */
static void
check_complete(struct model *model)
{
	struct found *found = xmalloc(sizeof(*found));

	find_all(model, found);
	for (int64_t i = 0; i < model->end_offset; i++)
		if (!is_superseded(model, i, model->end_offset) &&
		    model->records[i].value != 0)
			assert_true(found->present[i]);
	free(found);
}

/* --- Model tests ---------------------------------------------------------- */

static void
round_of_model(struct model *model)
{
	int batches = 1 + (int)rng_below(&model->rng, 40);
	struct log *log = model->fixture.log;
	int64_t end_offset;

	for (int i = 0; i < batches; i++)
		append_random(model);
	roll(model);
	if (rng_below(&model->rng, 3) == 0)
		append_random(model);
	log_lock(log);
	end_offset = log_active_base_offset(log);
	log_unlock(log);
	model->now_ms += (int64_t)rng_below(&model->rng, 700);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(log->clean_offset, end_offset);
	check_cleaned(model, end_offset, model->now_ms);
}

/* A tombstone's horizon goes by what is in one batch, so count only those. */
static void
random_logs(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct model *model = xcalloc(1, sizeof(*model));

		print_message("seed %llu\n", (unsigned long long)seed);
		model_init(model, seed);
		for (int i = 0; i < 6; i++) {
			round_of_model(model);
			if (rng_below(&model->rng, 3) == 0)
				fixture_restart(&model->fixture);
			else if (rng_below(&model->rng, 3) == 0)
				fixture_kill(&model->fixture,
				    (int64_t)rng_below(&model->rng,
					(uint64_t)model->end_offset));
		}
		fixture_fini(&model->fixture);
		free(model);
	}
}

/* A map that is always full: each round gets a little further. */
static void
small_maps(void **state)
{
	struct model *model = *state;
	struct log_clean_round round;
	struct log_clean_stats stats;
	int64_t clean_offset = 0;
	int64_t end_offset;
	int rounds = 0;

	for (int i = 0; i < 60; i++)
		append_random(model);
	roll(model);
	end_offset = log_active_base_offset(model->fixture.log);
	while (clean_offset < end_offset) {
		round = round_of(model);
		round.memory_max = 0;
		round.map_load_factor = 0.2;
		assert_int_equal(
		    log_clean(model->fixture.log, &round, &stats),
		    LOG_CLEAN_DONE);
		assert_true(model->fixture.log->clean_offset > clean_offset);
		clean_offset = model->fixture.log->clean_offset;
		check_complete(model);
		rounds++;
	}
	assert_true(rounds > 3);
}

/* Not only for the map; and what there is room for is enough. */
static void
memory_is_bounded(void **state)
{
	struct model *model = *state;
	struct log_clean_round round = round_of(model);
	struct log_clean_stats stats;
	size_t keys = 0;

	for (int i = 0; i < 400; i++)
		append_key(model, i % 100);
	for (round.memory_max = 2000; round.memory_max < 20000;
	     round.memory_max += 1000) {
		append_key(model, 0);
		roll(model);
		model->fixture.log->clean_offset = 0;
		assert_int_equal(
		    log_clean(model->fixture.log, &round, &stats),
		    LOG_CLEAN_DONE);
		assert_true(stats.memory_bytes <= round.memory_max);
		assert_true(stats.memory_bytes > round.memory_max / 8);
		keys = MAX(keys, stats.keys);
		check_complete(model);
	}
	assert_int_equal(keys, 100);
}

static void
segments_are_merged(void **state)
{
	struct model *model = *state;
	struct log_clean_state look;

	segment_bytes_set(model, 4000);
	assert_false(
	    log_clean_look(model->fixture.log, model->now_ms, &look));
	for (int i = 0; i < 5; i++) {
		for (int key = 0; key < 4; key++)
			append_key(model, key);
		roll(model);
	}
	assert_int_equal(log_segment_count(model->fixture.log), 6);
	assert_true(log_clean_look(model->fixture.log, model->now_ms, &look));
	assert_int_equal(look.first_dirty_offset, 0);
	assert_int_equal(look.end_offset, 20);
	assert_true(look.dirty_ratio > 0.99);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(log_segment_count(model->fixture.log), 2);
	assert_false(
	    log_clean_look(model->fixture.log, model->now_ms, &look));
	check_cleaned(model, 20, model->now_ms);
	/* Snapshots go with the bases that went. */
	assert_int_equal(fixture_file_size(&model->fixture,
			     "00000000000000000004.snapshot"),
	    -1);
	assert_int_equal(fixture_file_size(&model->fixture,
			     "00000000000000000000.log.deleted") > 0,
	    true);
	log_tidy(model->fixture.log, clock_monotonic_ms() + 60001);
	assert_int_equal(fixture_file_size(&model->fixture,
			     "00000000000000000000.log.deleted"),
	    -1);
	/* Without the last-modified time of its sources it would look new. */
	fixture_restart(&model->fixture);
	check_cleaned(model, 20, model->now_ms);
}

/* Three keys that only this segment has, from first on. */
static void
append_segment(struct model *model, int first)
{
	const int keys[] = { first, first + 1, first + 2 };

	append_keys(model, keys, COUNT_OF(keys));
	roll(model);
}

static ino_t
file_of(const struct model *model, size_t segment)
{
	char *path = segment_path(model->fixture.log->segments[segment],
	    ".log");
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	free(path);
	return st.st_ino;
}

static struct log_clean_stats
clean_singly(struct model *model)
{
	struct log_clean_round round = round_of(model);
	struct log_clean_stats stats;

	/* No two segments fit into one. */
	segment_bytes_set(model, 100);
	assert_int_equal(log_clean(model->fixture.log, &round, &stats),
	    LOG_CLEAN_DONE);
	segment_bytes_set(model, 1200);
	check_cleaned(model, model->end_offset, model->now_ms);
	return stats;
}

/* A segment that loses nothing is not read again, and stays the file it is. */
static void
whole_segments_stay(void **state)
{
	struct model *model = *state;
	struct log_clean_stats stats;
	ino_t files[4];

	append_segment(model, 0);
	append_segment(model, 3);
	append_segment(model, 6);
	append_segment(model, 5);
	for (size_t i = 0; i < COUNT_OF(files); i++)
		files[i] = file_of(model, i);
	stats = clean_singly(model);
	assert_int_equal(model->fixture.log->segment_count, 5);
	for (size_t i = 0; i < COUNT_OF(files); i++)
		assert_int_equal(
		    file_of(model, i) == files[i], i != 1 && i != 2);
	assert_true(stats.bytes_read > 0);
	assert_true(stats.bytes_read < stats.map_bytes_read * 2 / 3);
	/* What is clean is read, because nothing is known of it. */
	append_segment(model, 0);
	stats = clean_singly(model);
	assert_true(file_of(model, 0) != files[0]);
	assert_true(stats.bytes_read > stats.map_bytes_read);
}

/* Of what is superseded as a whole nothing is read again. */
static void
dead_batches_are_not_read(void **state)
{
	struct model *model = *state;
	struct log_clean_stats stats;

	for (int i = 0; i < 5; i++)
		append_segment(model, 1);
	stats = clean_singly(model);
	assert_true(stats.map_bytes_read > 0);
	assert_int_equal(stats.bytes_read, 0);
	assert_true(stats.bytes_before > stats.map_bytes_read / 2);
	assert_true(stats.bytes_after < stats.bytes_before / 3);
	fixture_kill(&model->fixture, 0);
	check_cleaned(model, model->end_offset, model->now_ms);
}

static void
lags_are_kept(void **state)
{
	struct model *model = *state;
	struct log_settings settings = model->fixture.open.settings;
	struct log *log = model->fixture.log;
	struct log_clean_state look;

	append_key(model, 1);
	roll(model);
	model->now_ms += 1000;
	append_key(model, 1);
	roll(model);
	settings.min_compaction_lag_ms = 500;
	settings.min_cleanable_dirty_ratio = 1;
	log_settings_change(log, &settings);
	/* Only the first is old enough; a ratio of 1 means never. */
	assert_false(log_clean_look(log, model->now_ms + 10, &look));
	assert_int_equal(look.end_offset, 1);
	settings.max_compaction_lag_ms = 1500;
	log_settings_change(log, &settings);
	assert_false(log_clean_look(log, model->now_ms + 499, &look));
	assert_true(log_clean_look(log, model->now_ms + 501, &look));
	assert_true(look.overdue);
	assert_int_equal(look.end_offset, 2);
}

/* A part of a time index looks like the whole one of an older segment. */
static void
lags_are_not_taken_from_half_an_index(void **state)
{
	struct model *model = *state;
	struct fixture *fixture = &model->fixture;
	char *path =
	    fixture_file(fixture, "00000000000000000000.timeindex");
	struct log_clean_state look;

	for (int i = 0; i < 4; i++) {
		append_key(model, 1);
		model->now_ms += 1000;
	}
	roll(model);
	append_key(model, 1);
	fixture->open.settings.min_compaction_lag_ms = 1500;
	fixture->open.recovery_point = log_end_offset(fixture->log);
	fixture->open.clean = true;
	assert_int_equal(log_close(fixture->log), 0);
	fixture->log = NULL;
	assert_int_equal(truncate(path, 12), 0);
	free(path);
	fixture_open(fixture);
	log_high_watermark_set(fixture->log, log_end_offset(fixture->log));
	assert_false(log_clean_look(fixture->log, model->now_ms, &look));
	assert_int_equal(look.end_offset, 0);
	assert_true(
	    log_clean_look(fixture->log, model->now_ms + 1000, &look));
	assert_int_equal(look.end_offset, 4);
}

/* The time of the sources is the segment's, so that it ages as they did. */
static void
modified_time_stays(void **state)
{
	struct model *model = *state;
	char *path =
	    fixture_file(&model->fixture, "00000000000000000000.log");
	struct stat st;

	append_key(model, 1);
	append_key(model, 1);
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, FIXTURE_NOW_MS / 1000);
	assert_int_equal(
	    model->fixture.log->segments[0]->modified_ms, FIXTURE_NOW_MS);
	free(path);
}

/* A segment with one batch of a producer, all of one key. */
static void
append_idempotent(struct model *model, int32_t sequence)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	options.producer_id = 9;
	options.producer_epoch = 2;
	options.base_sequence = sequence;
	batch_builder_init(&builder, &options, &bytes);
	for (int i = 0; i < 2; i++)
		add_record(model, &builder, model->end_offset + i, 1,
		    ++model->values);
	assert_int_equal(batch_builder_finish(&builder), 0);
	append_bytes(model, &bytes, LOG_CLIENT);
	buf_fini(&bytes);
	roll(model);
}

/*
 * A producer whose records all went is known after a restart all the same; of
 * batches that are not durable a crash may take the last ones.
 */
static void
producers_stay(void **state)
{
	struct model *model = *state;
	const struct producer *producer;

	append_idempotent(model, 40);
	append_idempotent(model, 42);
	append_key(model, 1);
	roll(model);
	/* Without a flush, nothing of it is durable. */
	clean_singly(model);
	fixture_kill(&model->fixture, 0);
	producer = producer_state_find(log_producers(model->fixture.log), 9);
	assert_non_null(producer);
	assert_int_equal(producer->epoch, 2);
	assert_int_equal(producer->batch_count, 2);
	assert_int_equal(producer->batches[0].last_sequence, 41);
	assert_int_equal(producer->batches[1].last_sequence, 43);
}

/* --- Transactions --------------------------------------------------------- */

static void
append_transactional(struct model *model, int64_t producer_id, int key,
    int32_t sequence)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	options.producer_id = producer_id;
	options.producer_epoch = 0;
	options.base_sequence = sequence;
	options.transactional = true;
	batch_builder_init(&builder, &options, &bytes);
	add_record(model, &builder, model->end_offset, key, ++model->values);
	assert_int_equal(batch_builder_finish(&builder), 0);
	append_bytes(model, &bytes, LOG_CLIENT);
	buf_fini(&bytes);
}

static void
append_marker(struct model *model, int64_t producer_id, bool commit)
{
	const struct control_record_marker marker = {
		.producer_id = producer_id,
		.commit = commit,
	};
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	note(model, model->end_offset, -1, 0);
	model->records[model->end_offset].marker = true;
	assert_int_equal(control_record_marker_append(
			     &marker, 0, 3, model->now_ms, &bytes),
	    0);
	append_bytes(model, &bytes, LOG_COORDINATOR);
	buf_fini(&bytes);
}

/* How many batches have these attributes? */
static size_t
count_batches(struct model *model, int mask, int want)
{
	size_t count = 0, len;
	int64_t offset = 0;
	uint8_t *data;

	for (;;) {
		struct batch batch;

		assert_int_equal(fixture_read(
				     &model->fixture, offset, 1, &data, &len),
		    KP_NONE);
		if (len == 0)
			break;
		assert_int_equal(batch_read(slice_of(data, len), &batch), 0);
		count += (batch.attributes & mask) == want &&
		    batch.record_count > 0;
		offset = batch.last_offset + 1;
		free(data);
	}
	free(data);
	return count;
}

static size_t
count_markers(struct model *model)
{
	return count_batches(model, BATCH_CONTROL, BATCH_CONTROL);
}

/* Data, horizon and marker go in three rounds, as slowly as Kafka's. */
static void
markers_outlive_their_data(void **state)
{
	struct model *model = *state;

	/* The marker that is last of its producer would stay for good. */
	append_transactional(model, 5, 1, 0);
	append_marker(model, 5, true);
	append_transactional(model, 5, 2, 1);
	append_marker(model, 5, true);
	append_key(model, 1);
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	check_cleaned(model, 5, model->now_ms);
	assert_int_equal(count_markers(model), 2);
	assert_int_equal(count_batches(model, BATCH_DELETE_HORIZON,
			     BATCH_DELETE_HORIZON),
	    0);

	model->now_ms += 10;
	append_key(model, 3);
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(count_markers(model), 2);
	assert_int_equal(count_batches(model, BATCH_DELETE_HORIZON,
			     BATCH_DELETE_HORIZON),
	    1);

	model->now_ms += RETENTION_MS;
	append_key(model, 3);
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(count_markers(model), 1);
	check_complete(model);
}

/*
 * A start that goes on from the snapshot at a segment's base, where the
 * transaction was open, has to find its end.
 */
static void
markers_end_what_a_snapshot_has_open(void **state)
{
	struct model *model = *state;
	struct log *log = model->fixture.log;
	int64_t open;

	append_transactional(model, 5, 1, 0);
	roll(model);
	append_marker(model, 5, true);
	append_key(model, 1);
	roll(model);
	assert_int_equal(log_delete_records(log, 1), KP_NONE);
	assert_int_equal(log_retain(log, model->now_ms), 1);
	for (int round = 0; round < 3; round++) {
		append_key(model, 3);
		roll(model);
		assert_int_equal(clean(model), LOG_CLEAN_DONE);
		model->now_ms += RETENTION_MS;
	}
	open = model->end_offset;
	append_transactional(model, 5, 2, 1);
	fixture_kill(&model->fixture, 2);
	assert_int_equal(log_last_stable_offset(model->fixture.log), open);
}

/* The aborted transactions that a reader of everything is told of. */
static size_t
count_aborted(struct model *model)
{
	struct log_read read = {
		.offset = 0,
		.upper_bound = INT64_MAX,
		.max_bytes = 1 << 20,
		.min_one_batch = true,
	};
	struct txn_index found;
	size_t count;

	txn_index_init(&found);
	log_lock(model->fixture.log);
	assert_int_equal(log_read(model->fixture.log, &read), KP_NONE);
	log_unlock(model->fixture.log);
	if (read.unresolved)
		assert_int_equal(log_read_resolve(&read), KP_NONE);
	assert_int_equal(log_read_aborted(&read, &found), KP_NONE);
	log_read_release(&read);
	count = found.count;
	txn_index_fini(&found);
	return count;
}

/* Aborted data goes and shadows nothing; what tells of it stays a round. */
static void
aborted_data_goes(void **state)
{
	struct model *model = *state;
	struct found *found = xmalloc(sizeof(*found));

	append_key(model, 1);
	append_transactional(model, 5, 1, 0);
	append_marker(model, 5, false);
	/* The last marker of a producer would stay for good. */
	append_transactional(model, 5, 2, 1);
	append_marker(model, 5, true);
	roll(model);
	assert_int_equal(count_aborted(model), 1);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	find_all(model, found);
	assert_true(found->present[0]);
	assert_false(found->present[1]);
	assert_true(found->present[3]);
	assert_int_equal(count_markers(model), 2);
	assert_int_equal(count_aborted(model), 1);
	fixture_restart(&model->fixture);
	assert_int_equal(count_aborted(model), 1);
	/* A recovery finds a marker of which no data is there. */
	fixture_kill(&model->fixture, 0);
	assert_int_equal(count_aborted(model), 0);
	assert_int_equal(count_markers(model), 2);

	append_key(model, 3);
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(count_markers(model), 2);
	assert_int_equal(count_aborted(model), 0);
	assert_int_equal(fixture_file_size(&model->fixture,
			     "00000000000000000000.txnindex"),
	    -1);
	free(found);
}

/* The marker may be in the active segment, whose index is in memory alone. */
static void
markers_are_looked_for_behind_it(void **state)
{
	struct model *model = *state;
	struct found *found = xmalloc(sizeof(*found));

	append_key(model, 1);
	append_transactional(model, 5, 1, 0);
	roll(model);
	append_marker(model, 5, false);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	find_all(model, found);
	assert_true(found->present[0]);
	assert_false(found->present[1]);
	assert_int_equal(count_aborted(model), 1);
	free(found);
}

/* What is not decided yet shadows nothing. */
static void
open_transactions_bound_it(void **state)
{
	struct model *model = *state;
	struct log_clean_state look;

	append_key(model, 1);
	append_key(model, 1);
	append_transactional(model, 5, 1, 0);
	append_key(model, 1);
	roll(model);
	append_key(model, 1);
	assert_true(log_clean_look(model->fixture.log, model->now_ms, &look));
	assert_int_equal(look.end_offset, 2);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(model->fixture.log->clean_offset, 2);
	check_cleaned(model, 2, model->now_ms);
	assert_false(
	    log_clean_look(model->fixture.log, model->now_ms, &look));
}

/* --- What the first pass must not decide --------------------------------- */

static void
expect_active_bytes(const struct model *model, int64_t size_bytes)
{
	const struct log *log = model->fixture.log;

	assert_int_equal(
	    log->segments[log->segment_count - 1]->size_bytes, size_bytes);
}

/*
 * A batch whose position goes on where one of an earlier segment ends is not
 * its neighbour.  Both are superseded; what stands behind the first one stays.
 */
static void
segments_do_not_touch(void **state)
{
	struct model *model = *state;
	int64_t size_bytes;

	model->values = 40;
	append_key(model, 1);
	size_bytes = model->fixture.log->segments[0]->size_bytes;
	append_transactional(model, 5, 2, 0);
	roll(model);
	/* As large as the first one: as many digits and dots. */
	model->values = 80;
	append_transactional(model, 5, 3, 1);
	expect_active_bytes(model, size_bytes);
	append_key(model, 4);
	append_marker(model, 5, true);
	append_key(model, 1);
	append_key(model, 4);
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	check_cleaned(model, model->end_offset, model->now_ms);
	check_complete(model);
}

/* A round with room for one key. */
static void
clean_one_key(struct model *model)
{
	struct log_clean_round round = round_of(model);
	struct log_clean_stats stats;

	round.memory_max = 0;
	round.map_load_factor = 0.05;
	assert_int_equal(log_clean(model->fixture.log, &round, &stats),
	    LOG_CLEAN_DONE);
	assert_int_equal(stats.keys, 1);
}

/* A batch of which no record fitted into the map. */
static void
what_is_not_mapped_stays(void **state)
{
	struct model *model = *state;

	append_transactional(model, 5, 1, 0);
	append_marker(model, 5, true);
	append_key(model, 2);
	append_key(model, 3);
	roll(model);
	clean_one_key(model);
	assert_int_equal(model->fixture.log->clean_offset, 2);
	check_complete(model);
}

/* A batch of which a part is clean. */
static void
what_was_mapped_before_stays(void **state)
{
	struct model *model = *state;

	append_keys(model, (const int[]){ 1, 2 }, 2);
	roll(model);
	append_key(model, 2);
	roll(model);
	clean_one_key(model);
	assert_int_equal(model->fixture.log->clean_offset, 1);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	check_cleaned(model, model->end_offset, model->now_ms);
}

/* Tombstones that lose nothing get their horizon. */
static void
tombstones_are_dated(void **state)
{
	struct model *model = *state;
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	batch_builder_init(&builder, &options, &bytes);
	for (int i = 0; i < 3; i++)
		add_record(model, &builder, i, i, 0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	append_bytes(model, &bytes, LOG_CLIENT);
	buf_fini(&bytes);
	roll(model);
	clean_singly(model);
	model->now_ms += RETENTION_MS + 1;
	append_segment(model, 5);
	clean_singly(model);
}

/* Offsets go on behind the last ones, though their records go. */
static void
the_end_stays(void **state)
{
	const struct fixture_batch keyless = { .count = 3 };
	struct model *model = *state;
	int64_t offset;
	uint8_t *data;
	size_t len;

	append_key(model, 1);
	roll(model);
	offset = fixture_must_append(&model->fixture, &keyless);
	log_high_watermark_set(model->fixture.log, offset + 3);
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(
	    fixture_read(&model->fixture, offset, 1 << 20, &data, &len),
	    KP_NONE);
	assert_int_equal(len, BATCH_HEADER_LEN);
	free(data);
}

/* --- Damage --------------------------------------------------------------- */

static void
damage_is_kept(void **state)
{
	struct model *model = *state;
	struct log_clean_state look;
	int64_t size_bytes;

	append_key(model, 1);
	append_key(model, 2);
	append_key(model, 1);
	roll(model);
	size_bytes =
	    fixture_file_size(&model->fixture, "00000000000000000000.log");
	fixture_poke(&model->fixture, "00000000000000000000.log",
	    size_bytes / 2, "\xff\xff", 2);
	assert_int_equal(clean(model), LOG_CLEAN_FAILED);
	assert_true(log_is_uncleanable(model->fixture.log));
	assert_false(log_is_offline(model->fixture.log));
	assert_int_equal(
	    fixture_file_size(&model->fixture, "00000000000000000000.log"),
	    size_bytes);
	assert_int_equal(fixture_file_size(&model->fixture,
			     "00000000000000000000.log.cleaned"),
	    -1);
	assert_false(
	    log_clean_look(model->fixture.log, model->now_ms, &look));
	assert_int_equal(clean(model), LOG_CLEAN_STOPPED);
}

/* Without the segment that had it the log is as good as any. */
static void
damage_that_is_gone_stops_no_round(void **state)
{
	struct model *model = *state;
	struct log *log = model->fixture.log;

	append_key(model, 1);
	roll(model);
	append_key(model, 1);
	append_key(model, 1);
	roll(model);
	fixture_poke(&model->fixture, "00000000000000000000.log", 70,
	    "\xff\xff", 2);
	assert_int_equal(clean(model), LOG_CLEAN_FAILED);
	assert_int_equal(log_delete_records(log, 1), KP_NONE);
	assert_true(log_is_uncleanable(log));
	assert_int_equal(log_retain(log, model->now_ms), 1);
	assert_false(log_is_uncleanable(log));
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
}

/* The same where a restart found it. */
static void
known_damage_is_kept(void **state)
{
	struct model *model = *state;

	for (int i = 0; i < 3; i++)
		append_key(model, 1);
	roll(model);
	append_key(model, 1);
	fixture_poke(
	    &model->fixture, "00000000000000000000.log", 100, "\xff\xff", 2);
	fixture_kill(&model->fixture, 2);
	/* Recovery begins at the recovery point's segment. */
	assert_int_equal(log_damage_count(model->fixture.log), 1);
	assert_int_equal(clean(model), LOG_CLEAN_FAILED);
	assert_int_equal(log_damage_count(model->fixture.log), 1);
}

/* --- Readers -------------------------------------------------------------- */

static void
begin_read(struct model *model, int64_t offset, struct log_read *read)
{
	*read = (struct log_read){
		.offset = offset,
		.upper_bound = INT64_MAX,
		.max_bytes = 1,
		.min_one_batch = true,
	};
	log_lock(model->fixture.log);
	assert_int_equal(log_read(model->fixture.log, read), KP_NONE);
	log_unlock(model->fixture.log);
	assert_true(read->unresolved);
}

static void
end_read(struct log_read *read, int64_t base_offset)
{
	uint8_t data[BATCH_HEADER_LEN];

	assert_int_equal(log_read_resolve(read), KP_NONE);
	assert_true(read->len >= sizeof(data));
	assert_int_equal(pread(read->fd, data, sizeof(data), read->position),
	    sizeof(data));
	assert_int_equal(be64_get(data), base_offset);
	log_read_release(read);
}

/* Who has an old segment reads it to its end, whatever becomes of its name. */
static void
readers_finish(void **state)
{
	struct model *model = *state;
	struct log_read read;

	for (int i = 0; i < 6; i++)
		append_key(model, 1);
	append_key(model, 2);
	roll(model);
	begin_read(model, 3, &read);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	for (int i = 0; i < 8; i++)
		append_key(model, 2);
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	log_tidy(model->fixture.log, clock_monotonic_ms() + 60001);
	end_read(&read, 3);
}

/* What the old segment does not have may be in the one that replaced it. */
static void
readers_go_on(void **state)
{
	struct model *model = *state;
	struct log_read read;

	segment_bytes_set(model, 4000);
	append_key(model, 1);
	append_key(model, 2);
	roll(model);
	for (int i = 0; i < 18; i++)
		append_key(model, 2);
	roll(model);
	append_key(model, 3);
	/* The first ends at 0 now, and is too large to be merged. */
	segment_bytes_set(model, 200);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(log_segment_count(model->fixture.log), 3);
	begin_read(model, 1, &read);
	segment_bytes_set(model, 4000);
	roll(model);
	append_key(model, 4);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(log_segment_count(model->fixture.log), 2);
	end_read(&read, 19);
}

/* Nor is a gap damage where the topic is not compacted any more. */
static void
gaps_stay_gaps(void **state)
{
	struct model *model = *state;
	struct log_read read;

	append_key(model, 1);
	append_key(model, 2);
	roll(model);
	append_key(model, 2);
	segment_bytes_set(model, 100);
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(log_segment_count(model->fixture.log), 3);
	model->fixture.open.settings.cleanup_compact = false;
	model->fixture.open.settings.cleanup_delete = true;
	log_settings_change(
	    model->fixture.log, &model->fixture.open.settings);
	begin_read(model, 1, &read);
	end_read(&read, 2);
}

static void
timestamps_are_found(void **state)
{
	struct model *model = *state;
	struct log_position found;

	for (int i = 0; i < 40; i++) {
		append_key(model, i % 3);
		model->now_ms += 10;
	}
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	assert_int_equal(log_find_timestamp(model->fixture.log,
			     FIXTURE_NOW_MS + 50, model->end_offset, &found),
	    KP_NONE);
	assert_int_equal(found.offset, 37);
	assert_int_equal(log_find_timestamp(model->fixture.log,
			     LOG_TIMESTAMP_MAX, model->end_offset, &found),
	    KP_NONE);
	assert_int_equal(found.offset, 39);
}

/* --- What does not run beside it ------------------------------------------ */

struct other {
	struct model *model;
	void *(*run)(void *argument);
	pthread_t thread;
	bool started;
	int result;
};

/* In the middle of a round somebody else comes and waits for its end. */
static bool
pace_with_other(void *context, size_t bytes UNUSED)
{
	struct other *other = context;

	if (other->started)
		return true;
	other->started = true;
	assert_int_equal(
	    pthread_create(&other->thread, NULL, other->run, other), 0);
	while (!atomic_load(&other->model->fixture.log->clean_stop))
		sched_yield();
	return true;
}

static void *
run_truncation(void *argument)
{
	struct other *other = argument;

	other->result = log_truncate_to(
	    other->model->fixture.log, 3, other->model->now_ms);
	return NULL;
}

static void *
run_rename(void *argument)
{
	struct other *other = argument;
	char *path = xasprintf("%s/moved-0", other->model->fixture.root);

	other->result = log_rename(other->model->fixture.log, path);
	free(path);
	return NULL;
}

static void
clean_beside(struct model *model, void *(*beside)(void *argument))
{
	struct other other = { .model = model, .run = beside, .result = -1 };
	struct log_clean_round round = round_of(model);
	struct log_clean_stats stats;

	for (int i = 0; i < 30; i++)
		append_key(model, 1);
	roll(model);
	round.pace = pace_with_other;
	round.context = &other;
	assert_int_equal(log_clean(model->fixture.log, &round, &stats),
	    LOG_CLEAN_STOPPED);
	pthread_join(other.thread, NULL);
	assert_int_equal(other.result, 0);
	assert_int_equal(fixture_file_size(&model->fixture,
			     "00000000000000000000.log.cleaned"),
	    -1);
}

static void
truncation_stops_it(void **state)
{
	struct model *model = *state;

	model->fixture.log->clean_offset = 20;
	clean_beside(model, run_truncation);
	assert_int_equal(log_end_offset(model->fixture.log), 3);
	assert_int_equal(model->fixture.log->clean_offset, 3);
	model->end_offset = 3;
	check_complete(model);
}

static void
renaming_stops_it(void **state)
{
	struct model *model = *state;

	clean_beside(model, run_rename);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	check_cleaned(model, model->end_offset, model->now_ms);
}

static bool
pace_with_retention(void *context, size_t bytes UNUSED)
{
	struct model *model = context;

	assert_int_equal(log_retain(model->fixture.log, INT64_MAX / 2), 0);
	return true;
}

static void
retention_waits(void **state)
{
	struct model *model = *state;
	struct log_clean_round round = round_of(model);
	struct log_clean_stats stats;

	model->fixture.open.settings.cleanup_delete = true;
	log_settings_change(
	    model->fixture.log, &model->fixture.open.settings);
	for (int i = 0; i < 30; i++)
		append_key(model, 1);
	roll(model);
	round.pace = pace_with_retention;
	round.context = model;
	assert_int_equal(log_clean(model->fixture.log, &round, &stats),
	    LOG_CLEAN_DONE);
	assert_true(log_retain(model->fixture.log, INT64_MAX / 2) > 0);
	assert_int_equal(log_start_offset(model->fixture.log), 30);
}

static bool
refuse(void *context UNUSED, size_t bytes UNUSED)
{
	return false;
}

static void
pace_ends_it(void **state)
{
	struct model *model = *state;
	struct log_clean_round round = round_of(model);
	struct log_clean_stats stats;

	for (int i = 0; i < 30; i++)
		append_key(model, 1);
	roll(model);
	round.pace = refuse;
	assert_int_equal(log_clean(model->fixture.log, &round, &stats),
	    LOG_CLEAN_STOPPED);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	check_cleaned(model, 30, model->now_ms);
}

/* --- Failing -------------------------------------------------------------- */

/* A log with several groups of segments, and some that was cleaned before. */
static void
fill(struct model *model)
{
	for (int i = 0; i < 8; i++)
		append_random(model);
	roll(model);
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	model->now_ms += RETENTION_MS;
	for (int i = 0; i < 8; i++)
		append_random(model);
	roll(model);
	append_random(model);
	assert_int_equal(log_flush_all(model->fixture.log), 0);
}

/* From the n-th operation on nothing reaches the disk any more. */
static uint64_t
crash_at(uint64_t n)
{
	struct model *model = xcalloc(1, sizeof(*model));
	struct fixture *fixture = &model->fixture;
	struct found *before = xmalloc(sizeof(*before));
	enum log_clean_result result;
	uint64_t failed;

	model_init(model, 3);
	fill(model);
	disk_fault_fail_all(&fixture->fault, DISK_ANY, NULL, n, EIO);
	result = clean(model);
	failed = disk_fault_clear(&fixture->fault);
	assert_true((result == LOG_CLEAN_DONE) == (failed == 0));
	fixture_kill(fixture, model->end_offset);
	check_complete(model);
	/* And the next round takes it from there. */
	assert_int_equal(clean(model), LOG_CLEAN_DONE);
	check_complete(model);
	fixture_kill(fixture, 0);
	check_complete(model);
	fixture_fini(fixture);
	free(before);
	free(model);
	return failed;
}

static void
crashes_lose_nothing(void **state UNUSED)
{
	uint64_t n = 0;

	while (crash_at(n) > 0)
		n++;
	print_message("%llu operations\n", (unsigned long long)n);
	assert_true(n > 60);
}

/* The n-th operation fails, and only that. */
static uint64_t
fail_at(uint64_t n, int error)
{
	struct model *model = xcalloc(1, sizeof(*model));
	struct fixture *fixture = &model->fixture;
	enum log_clean_result result;
	uint64_t failed;

	model_init(model, 3);
	fill(model);
	disk_fault_fail(&fixture->fault, DISK_ANY, NULL, n, error);
	result = clean(model);
	failed = disk_fault_clear(&fixture->fault);
	if (!log_is_offline(fixture->log)) {
		check_complete(model);
		if (error == ENOSPC)
			assert_true(result == LOG_CLEAN_DONE ||
			    result == LOG_CLEAN_POSTPONED);
		if (!log_is_uncleanable(fixture->log) && failed > 0) {
			assert_int_equal(clean(model), result ==
				LOG_CLEAN_DONE ?
			    LOG_CLEAN_STOPPED :
			    LOG_CLEAN_DONE);
			check_complete(model);
		}
	}
	fixture_kill(fixture, model->end_offset);
	check_complete(model);
	fixture_fini(fixture);
	free(model);
	return failed;
}

static void
errors_lose_nothing(void **state UNUSED)
{
	for (uint64_t n = 0; fail_at(n, EIO) > 0; n++)
		;
}

static void
a_full_disk_heals(void **state UNUSED)
{
	for (uint64_t n = 0; fail_at(n, ENOSPC) > 0; n++)
		;
}

static void
a_failed_write_fences(void **state)
{
	struct model *model = *state;

	fill(model);
	disk_fault_fail(
	    &model->fixture.fault, DISK_FSYNC, ".log.cleaned", 0, EIO);
	assert_int_equal(clean(model), LOG_CLEAN_FAILED);
	assert_true(log_is_offline(model->fixture.log));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory_is_bounded),
		TEST(segments_are_merged),
		TEST(whole_segments_stay),
		TEST(dead_batches_are_not_read),
		TEST(lags_are_kept),
		TEST(lags_are_not_taken_from_half_an_index),
		TEST(modified_time_stays),
		TEST(producers_stay),
		TEST(markers_outlive_their_data),
		TEST(markers_end_what_a_snapshot_has_open),
		TEST(aborted_data_goes),
		TEST(markers_are_looked_for_behind_it),
		TEST(open_transactions_bound_it),
		TEST(segments_do_not_touch),
		TEST(what_is_not_mapped_stays),
		TEST(what_was_mapped_before_stays),
		TEST(tombstones_are_dated),
		TEST(the_end_stays),
		TEST(damage_is_kept),
		TEST(damage_that_is_gone_stops_no_round),
		TEST(known_damage_is_kept),
		TEST(readers_finish),
		TEST(readers_go_on),
		TEST(gaps_stay_gaps),
		TEST(timestamps_are_found),
		TEST(truncation_stops_it),
		TEST(renaming_stops_it),
		TEST(retention_waits),
		TEST(pace_ends_it),
		TEST(small_maps),
		cmocka_unit_test(random_logs),
		cmocka_unit_test(crashes_lose_nothing),
		cmocka_unit_test(errors_lose_nothing),
		cmocka_unit_test(a_full_disk_heals),
		TEST(a_failed_write_fences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
