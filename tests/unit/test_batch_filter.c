/* What compaction keeps of one batch. */
#include "unit/unit.h"

#include "store/batch_filter.c"
#include "wire/control_record.h"

#define NOW_MS 100000
#define RETENTION_MS 1000

struct rig {
	struct offset_map map;
	struct txn_index aborted;
	struct txn_index kept;
	struct batch_filter filter;
	struct batch_filter_producer producer;
	struct buf in;
	struct buf out;
	struct batch batch;	/* of in */
	struct batch result;	/* of out */
};

static int
setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	offset_map_init(&rig->map, 100, 1 << 16, 0.9);
	txn_index_init(&rig->aborted);
	txn_index_init(&rig->kept);
	batch_filter_init(&rig->filter, &rig->aborted);
	rig->filter.map = &rig->map;
	rig->filter.now_ms = NOW_MS;
	rig->filter.delete_retention_ms = RETENTION_MS;
	rig->filter.end_offset = 1000;
	rig->filter.kept_aborted = &rig->kept;
	buf_init(&rig->in, 1 << 20);
	buf_init(&rig->out, 1 << 20);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	batch_filter_fini(&rig->filter);
	offset_map_fini(&rig->map);
	txn_index_fini(&rig->aborted);
	txn_index_fini(&rig->kept);
	buf_fini(&rig->in);
	buf_fini(&rig->out);
	free(rig);
	return 0;
}

static struct batch_options
options_at(int64_t base_offset)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;

	options.base_offset = base_offset;
	options.leader_epoch = 4;
	return options;
}

/* Records "a", "b", … with these values; NULL is a tombstone. */
static void
build(struct rig *rig, const struct batch_options *options,
    const char *const *values, size_t count)
{
	struct batch_builder builder;
	int result;

	buf_clear(&rig->in);
	batch_builder_init(&builder, options, &rig->in);
	for (size_t i = 0; i < count; i++) {
		char key = (char)('a' + i);

		result = batch_builder_add(&builder, 500 + (int64_t)i,
		    slice_of(&key, 1),
		    values[i] == NULL ? SLICE_NULL : slice_str(values[i]));
		assert_int_equal(result, 0);
	}
	assert_int_equal(batch_builder_finish(&builder), 0);
}

static void
build_marker(struct rig *rig, int64_t offset, int64_t producer_id, bool commit)
{
	const struct control_record_marker marker = {
		.producer_id = producer_id,
		.commit = commit,
	};

	buf_clear(&rig->in);
	assert_int_equal(control_record_marker_append(
			     &marker, offset, 4, 500, &rig->in),
	    0);
}

static enum batch_filter_verdict
run(struct rig *rig)
{
	enum batch_filter_verdict verdict;

	buf_clear(&rig->out);
	assert_int_equal(batch_read(buf_slice(&rig->in), &rig->batch), 0);
	verdict = batch_filter_run(
	    &rig->filter, buf_slice(&rig->in), &rig->batch, &rig->out);
	if (verdict == BATCH_FILTER_REWRITE) {
		assert_int_equal(
		    batch_read(buf_slice(&rig->out), &rig->result), 0);
		assert_true(batch_crc_valid(buf_slice(&rig->out)));
		assert_int_equal(rig->result.size_bytes, rig->out.len);
	} else {
		assert_int_equal(rig->out.len, 0);
	}
	return verdict;
}

/* The result is the next input. */
static void
feed_back(struct rig *rig)
{
	buf_clear(&rig->in);
	assert_int_equal(
	    buf_append(&rig->in, rig->out.data, rig->out.len), 0);
}

static void
map_put(struct rig *rig, const char *key, int64_t offset)
{
	struct offset_map_key found =
	    offset_map_find(&rig->map, slice_str(key));
	int64_t before;

	assert_true(offset_map_put(&rig->map, &found, offset, &before));
}

/* --- Records -------------------------------------------------------------- */

static void
what_is_above_the_map_stays(void **state)
{
	static const char *const values[] = { "1", "2" };
	struct batch_options options = options_at(10);

	build(*state, &options, values, 2);
	assert_int_equal(run(*state), BATCH_FILTER_KEEP);
}

static void
superseded_records_go(void **state)
{
	static const char *const values[] = { "1", "2", "3" };
	struct batch_options options = options_at(10);
	struct rig *rig = *state;
	struct batch_reader reader;
	struct record record;

	options.codec = COMPRESSION_LZ4;
	options.producer_id = 9;
	options.producer_epoch = 1;
	options.base_sequence = 70;
	build(rig, &options, values, 3);
	map_put(rig, "b", 11);
	map_put(rig, "a", 20);
	map_put(rig, "c", 21);
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_int_equal(rig->result.base_offset, 10);
	assert_int_equal(rig->result.last_offset, 12);
	assert_int_equal(rig->result.record_count, 1);
	assert_int_equal(rig->result.leader_epoch, 4);
	assert_int_equal(rig->result.producer_id, 9);
	assert_int_equal(rig->result.base_sequence, 70);
	assert_int_equal(batch_codec(&rig->result), COMPRESSION_LZ4);
	assert_int_equal(rig->result.base_timestamp, 501);
	assert_int_equal(rig->result.max_timestamp, 501);
	assert_int_equal(batch_reader_open(&reader, buf_slice(&rig->out),
			     &rig->filter.scratch),
	    KP_NONE);
	assert_true(batch_reader_next(&reader, &record));
	assert_int_equal(record.offset, 11);
	assert_true(slice_equal_str(record.value, "2"));
}

static void
records_without_a_key_go(void **state)
{
	struct batch_options options = options_at(10);
	struct rig *rig = *state;
	struct batch_builder builder;

	batch_builder_init(&builder, &options, &rig->in);
	assert_int_equal(batch_builder_add(
			     &builder, 500, SLICE_NULL, slice_str("x")),
	    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	map_put(rig, "a", 9);
	assert_int_equal(run(rig), BATCH_FILTER_KEEP);
	map_put(rig, "a", 10);
	assert_int_equal(run(rig), BATCH_FILTER_DROP);
}

/* A horizon is set once, and ends the tombstone's life. */
static void
tombstones_have_a_horizon(void **state)
{
	static const char *const values[] = { "1", NULL };
	struct batch_options options = options_at(10);
	struct rig *rig = *state;

	build(rig, &options, values, 2);
	map_put(rig, "a", 10);
	map_put(rig, "b", 11);
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_int_equal(rig->result.record_count, 2);
	assert_int_equal(
	    batch_delete_horizon(&rig->result), NOW_MS + RETENTION_MS);
	assert_int_equal(rig->result.max_timestamp, 501);
	feed_back(rig);
	rig->filter.now_ms = NOW_MS + RETENTION_MS - 1;
	assert_int_equal(run(rig), BATCH_FILTER_KEEP);
	rig->filter.now_ms = NOW_MS + RETENTION_MS;
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_int_equal(rig->result.record_count, 1);
	assert_int_equal(
	    batch_delete_horizon(&rig->result), NOW_MS + RETENTION_MS);
}

static void
append_time_stays(void **state)
{
	static const char *const values[] = { "1", "2" };
	struct batch_options options = options_at(10);
	struct rig *rig = *state;

	options.append_time_ms = 7777;
	build(rig, &options, values, 2);
	map_put(rig, "b", 11);
	map_put(rig, "a", 12);
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_true(batch_has_append_time(&rig->result));
	assert_int_equal(rig->result.max_timestamp, 7777);
	assert_int_equal(rig->result.base_timestamp, 7777);
}

/* --- Empty batches -------------------------------------------------------- */

static void
last_sequences_stay(void **state)
{
	static const char *const values[] = { "1" };
	struct batch_options options = options_at(10);
	struct rig *rig = *state;

	options.producer_id = 9;
	options.producer_epoch = 1;
	options.base_sequence = 70;
	build(rig, &options, values, 1);
	map_put(rig, "a", 20);
	assert_int_equal(run(rig), BATCH_FILTER_DROP);
	rig->producer = (struct batch_filter_producer){ 9, 10, 1 };
	rig->filter.producers = &rig->producer;
	rig->filter.producer_count = 1;
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_int_equal(rig->out.len, BATCH_HEADER_LEN);
	assert_int_equal(rig->result.record_count, 0);
	assert_int_equal(rig->result.base_sequence, 70);
	assert_int_equal(rig->result.base_timestamp, -1);
	assert_int_equal(rig->result.max_timestamp, 500);
	/* And it stays as it is until the producer goes on. */
	feed_back(rig);
	assert_int_equal(run(rig), BATCH_FILTER_KEEP);
	rig->producer.last_offset = 30;
	assert_int_equal(run(rig), BATCH_FILTER_DROP);
}

static void
the_end_stays(void **state)
{
	static const char *const values[] = { "1" };
	struct batch_options options = options_at(10);
	struct rig *rig = *state;

	build(rig, &options, values, 1);
	map_put(rig, "a", 20);
	rig->filter.end_offset = 11;
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_int_equal(rig->result.record_count, 0);
}

/* --- Transactions --------------------------------------------------------- */

static void
build_data(struct rig *rig, int64_t offset, int64_t producer_id)
{
	static const char *const values[] = { "1" };
	struct batch_options options = options_at(offset);

	options.producer_id = producer_id;
	options.producer_epoch = 0;
	options.base_sequence = 0;
	options.transactional = true;
	build(rig, &options, values, 1);
}

static void
aborted_data_goes(void **state)
{
	static const struct txn_index_entry entry = { 5, 10, 13, 14 };
	struct rig *rig = *state;

	txn_index_append(&rig->aborted, &entry);
	build_data(rig, 10, 5);
	assert_int_equal(run(rig), BATCH_FILTER_DROP);
	build_data(rig, 11, 6);
	assert_int_equal(run(rig), BATCH_FILTER_KEEP);
	/* Its marker stays, and so does what the index says of it. */
	build_marker(rig, 13, 5, false);
	assert_int_equal(run(rig), BATCH_FILTER_KEEP);
	assert_int_equal(rig->kept.count, 1);
	assert_int_equal(rig->kept.entries[0].last_offset, 13);
	/* What the producer writes next is another transaction. */
	build_data(rig, 14, 5);
	assert_int_equal(run(rig), BATCH_FILTER_KEEP);
	build_marker(rig, 15, 5, true);
	assert_int_equal(run(rig), BATCH_FILTER_KEEP);
}

static void
markers_without_data_go(void **state)
{
	struct rig *rig = *state;

	build_marker(rig, 13, 5, false);
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_int_equal(
	    batch_delete_horizon(&rig->result), NOW_MS + RETENTION_MS);
	assert_int_equal(
	    batch_filter_control_type(buf_slice(&rig->out)),
	    CONTROL_RECORD_ABORT);
	assert_int_equal(rig->kept.count, 0);
	feed_back(rig);
	assert_int_equal(run(rig), BATCH_FILTER_KEEP);
	rig->filter.now_ms += RETENTION_MS;
	assert_int_equal(run(rig), BATCH_FILTER_DROP);
	/* The epoch of a producer without data is in it. */
	rig->producer = (struct batch_filter_producer){ 5, -1, 0 };
	rig->filter.producers = &rig->producer;
	rig->filter.producer_count = 1;
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_int_equal(rig->result.record_count, 0);
	assert_true(batch_is_control(&rig->result));
}

/* An index that lacks an aborted transaction would cost committed records. */
static void
a_lacking_index_is_noticed(void **state)
{
	struct rig *rig = *state;

	build_data(rig, 10, 5);
	assert_int_equal(run(rig), BATCH_FILTER_KEEP);
	build_marker(rig, 11, 5, false);
	assert_int_equal(run(rig), BATCH_FILTER_BROKEN);
	assert_non_null(strstr(rig->filter.problem, ".txnindex"));
}

/* Where a marker is gone its transaction ends all the same. */
static void
a_lacking_marker_is_noticed(void **state)
{
	static const struct txn_index_entry entry = { 5, 10, 13, 14 };
	struct rig *rig = *state;

	txn_index_append(&rig->aborted, &entry);
	build_data(rig, 10, 5);
	assert_int_equal(run(rig), BATCH_FILTER_DROP);
	build_data(rig, 14, 5);
	assert_int_equal(run(rig), BATCH_FILTER_KEEP);
}

/* --- Old formats, bad bytes ----------------------------------------------- */

/* A message of magic 1 becomes a batch of magic 2. */
static void
old_messages_are_rewritten(void **state)
{
	uint8_t data[] = { 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 24, 0, 0, 0, 0, 1,
		0, 0, 0, 0, 0, 0, 0, 1, 244, 0, 0, 0, 1, 'a', 0, 0, 0, 1,
		'1' };
	struct rig *rig = *state;

	assert_int_equal(buf_append(&rig->in, data, sizeof(data)), 0);
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_int_equal(rig->result.magic, BATCH_MAGIC);
	assert_int_equal(rig->result.base_offset, 10);
	assert_int_equal(rig->result.last_offset, 10);
	assert_int_equal(rig->result.max_timestamp, 500);
	map_put(rig, "a", 12);
	assert_int_equal(run(rig), BATCH_FILTER_DROP);
	rig->filter.end_offset = 11;
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_int_equal(rig->result.record_count, 0);
}

static void
old_tombstones_go_by_age(void **state)
{
	uint8_t data[] = { 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 23, 0, 0, 0, 0, 1,
		0, 0, 0, 0, 0, 0, 0, 1, 244, 0, 0, 0, 1, 'a', 255, 255, 255,
		255 };
	struct rig *rig = *state;

	assert_int_equal(buf_append(&rig->in, data, sizeof(data)), 0);
	map_put(rig, "a", 10);
	rig->filter.keep_legacy_tombstones = true;
	assert_int_equal(run(rig), BATCH_FILTER_REWRITE);
	assert_int_equal(batch_delete_horizon(&rig->result), -1);
	rig->filter.keep_legacy_tombstones = false;
	assert_int_equal(run(rig), BATCH_FILTER_DROP);
}

static void
broken_records_are_refused(void **state)
{
	static const char *const values[] = { "1", "2" };
	struct batch_options options = options_at(10);
	struct rig *rig = *state;

	build(rig, &options, values, 2);
	rig->in.data[BATCH_HEADER_LEN] = 0xff;
	assert_int_equal(run(rig), BATCH_FILTER_BROKEN);
	options.codec = COMPRESSION_GZIP;
	build(rig, &options, values, 2);
	rig->in.data[BATCH_HEADER_LEN] ^= 0xff;
	assert_int_equal(run(rig), BATCH_FILTER_BROKEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_above_the_map_stays),
		TEST(superseded_records_go),
		TEST(records_without_a_key_go),
		TEST(tombstones_have_a_horizon),
		TEST(append_time_stays),
		TEST(last_sequences_stay),
		TEST(the_end_stays),
		TEST(aborted_data_goes),
		TEST(markers_without_data_go),
		TEST(a_lacking_index_is_noticed),
		TEST(a_lacking_marker_is_noticed),
		TEST(old_messages_are_rewritten),
		TEST(old_tombstones_go_by_age),
		TEST(broken_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
