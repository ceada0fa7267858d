/* Batches beyond Kafka's own data: patches, rules, limits, markers. */
#include "unit/unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"
#include "wire/batch_recode.h"
#include "wire/batch_validate.h"
#include "wire/control_record.h"

#define NOW_MS 1700000000000
#define HOUR_MS 3600000
#define OUT_LEN_MAX (1 << 20)

static struct batch_rules
rules_make(void)
{
	return (struct batch_rules){ .size_bytes_max = OUT_LEN_MAX,
		.zstd_allowed = true,
		.timestamp_type = BATCH_CREATE_TIME,
		.now_ms = NOW_MS,
		.before_max_ms = INT64_MAX,
		.after_max_ms = HOUR_MS };
}

/* count records with keys, the times counting up from timestamp. */
static void
batch_make(const struct batch_options *options, int count, int64_t timestamp,
    struct buf *out)
{
	struct batch_builder builder;

	batch_builder_init(&builder, options, out);
	for (int i = 0; i < count; i++)
		assert_int_equal(batch_builder_add(&builder, timestamp + i,
				     slice_str("key"), slice_str("value")),
		    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
}

static struct batch_options
options_of(enum compression codec)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;

	options.codec = codec;
	return options;
}

static enum kp_error
judge(const struct buf *bytes, const struct batch_rules *rules,
    struct batch_verdict *verdict)
{
	enum kp_error error;
	struct arena arena;
	struct buf scratch;

	arena_init(&arena, 4096);
	buf_init(&scratch, OUT_LEN_MAX);
	error =
	    batch_validate(buf_slice(bytes), rules, &scratch, &arena, verdict);
	buf_fini(&scratch);
	arena_reset(&arena);
	return error;
}

static enum kp_error
judge_made(const struct batch_options *options, const struct batch_rules *rules,
    int64_t timestamp)
{
	struct batch_verdict verdict;
	enum kp_error error;
	struct buf bytes;

	buf_init(&bytes, OUT_LEN_MAX);
	batch_make(options, 3, timestamp, &bytes);
	error = judge(&bytes, rules, &verdict);
	buf_fini(&bytes);
	return error;
}

/* --- Scanning and patching ------------------------------------------------ */

static void
a_scan_needs_no_more_than_the_first_bytes(void **state UNUSED)
{
	struct batch_options options = options_of(COMPRESSION_NONE);
	static const uint8_t zeros[BATCH_SCAN_LEN];
	struct batch_frame frame = { .size_bytes = 0 };
	struct buf bytes;
	size_t size;

	buf_init(&bytes, OUT_LEN_MAX);
	batch_make(&options, 2, NOW_MS, &bytes);
	size = bytes.len;
	assert_int_equal(
	    batch_scan(bytes.data, size, &frame), BATCH_SCAN_WHOLE);
	assert_int_equal(frame.size_bytes, size);
	assert_int_equal(
	    batch_scan(bytes.data, size - 1, &frame), BATCH_SCAN_INCOMPLETE);
	assert_int_equal(batch_scan(bytes.data, BATCH_SCAN_LEN, &frame),
	    BATCH_SCAN_INCOMPLETE);
	assert_int_equal(frame.size_bytes, size);
	assert_int_equal(batch_scan(zeros, 1 << 20, &frame), BATCH_SCAN_END);
	assert_int_equal(batch_scan(zeros, 11, &frame), BATCH_SCAN_INCOMPLETE);
	bytes.data[16] = 3;
	assert_int_equal(
	    batch_scan(bytes.data, size, &frame), BATCH_SCAN_CORRUPT);
	buf_fini(&bytes);
}

static void
patches_leave_a_checksum_that_is_right(void **state UNUSED)
{
	struct batch_options options = options_of(COMPRESSION_NONE);
	struct batch batch;
	struct buf bytes;

	for (int count = 1; count < 3000; count = count * 3 + 1) {
		buf_init(&bytes, OUT_LEN_MAX);
		batch_make(&options, count, NOW_MS, &bytes);
		batch_patch(bytes.data, 1234567890123, 42);
		assert_true(batch_crc_valid(buf_slice(&bytes)));
		batch_patch_timestamp(bytes.data, BATCH_APPEND_TIME, 77);
		assert_true(batch_crc_valid(buf_slice(&bytes)));
		assert_int_equal(batch_read(buf_slice(&bytes), &batch), 0);
		assert_int_equal(batch.base_offset, 1234567890123);
		assert_int_equal(batch.last_offset, 1234567890122 + count);
		assert_int_equal(batch.leader_epoch, 42);
		assert_int_equal(batch.max_timestamp, 77);
		assert_true(batch_has_append_time(&batch));
		batch_patch_timestamp(bytes.data, BATCH_CREATE_TIME, 78);
		assert_int_equal(batch_read(buf_slice(&bytes), &batch), 0);
		assert_false(batch_has_append_time(&batch));
		assert_int_equal(batch.max_timestamp, 78);
		assert_true(batch_crc_valid(buf_slice(&bytes)));
		buf_fini(&bytes);
	}
}

static void
sequences_wrap_to_zero(void **state UNUSED)
{
	struct batch batch = { .base_sequence = INT32_MAX - 1,
		.last_offset_delta = 4 };

	assert_int_equal(batch_last_sequence(&batch), 2);
	assert_int_equal(batch_sequence_add(INT32_MAX, 1), 0);
	assert_int_equal(batch_sequence_add(5, 0), 5);
	batch.base_sequence = BATCH_NO_SEQUENCE;
	assert_int_equal(batch_last_sequence(&batch), BATCH_NO_SEQUENCE);
}

/* --- Rules ---------------------------------------------------------------- */

static void
the_request_decides_what_is_allowed(void **state UNUSED)
{
	struct batch_options options = options_of(COMPRESSION_ZSTD);
	struct batch_rules rules = rules_make();

	assert_int_equal(judge_made(&options, &rules, NOW_MS), KP_NONE);
	rules.zstd_allowed = false;
	assert_int_equal(judge_made(&options, &rules, NOW_MS),
	    KP_UNSUPPORTED_COMPRESSION_TYPE);
	options.codec = COMPRESSION_NONE;
	assert_int_equal(judge_made(&options, &rules, NOW_MS), KP_NONE);
	options.transactional = true;
	options.producer_id = 5;
	options.producer_epoch = 0;
	options.base_sequence = 0;
	assert_int_equal(judge_made(&options, &rules, NOW_MS),
	    KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	rules.transaction_named = true;
	assert_int_equal(judge_made(&options, &rules, NOW_MS), KP_NONE);
	rules.size_bytes_max = BATCH_HEADER_LEN + 10;
	assert_int_equal(
	    judge_made(&options, &rules, NOW_MS), KP_MESSAGE_TOO_LARGE);
}

/* A compressed batch that nobody looks into is judged by its header. */
static void
the_clock_bounds_times_in_both_directions(void **state UNUSED)
{
	struct batch_rules rules = rules_make();

	rules.before_max_ms = 2 * HOUR_MS;
	for (int codec = 0; codec < COMPRESSION_COUNT; codec++) {
		struct batch_options options =
		    options_of((enum compression)codec);

		assert_int_equal(judge_made(&options, &rules, NOW_MS), KP_NONE);
		assert_int_equal(
		    judge_made(&options, &rules, NOW_MS + HOUR_MS - 2),
		    KP_NONE);
		assert_int_equal(
		    judge_made(&options, &rules, NOW_MS + HOUR_MS - 1),
		    KP_INVALID_TIMESTAMP);
		assert_int_equal(
		    judge_made(&options, &rules, NOW_MS - 2 * HOUR_MS),
		    KP_NONE);
		assert_int_equal(
		    judge_made(&options, &rules, NOW_MS - 2 * HOUR_MS - 3),
		    KP_INVALID_TIMESTAMP);
	}
}

static void
append_time_replaces_the_producers_times(void **state UNUSED)
{
	struct batch_options options = options_of(COMPRESSION_NONE);
	struct batch_rules rules = rules_make();
	struct batch_verdict verdict;
	struct buf bytes;

	rules.timestamp_type = BATCH_APPEND_TIME;
	buf_init(&bytes, OUT_LEN_MAX);
	batch_make(&options, 3, NOW_MS + 9 * HOUR_MS, &bytes);
	assert_int_equal(judge(&bytes, &rules, &verdict), KP_NONE);
	assert_true(verdict.timestamp_differs);
	assert_int_equal(verdict.max_timestamp, NOW_MS);
	assert_int_equal(verdict.max_timestamp_index, 0);
	batch_patch_timestamp(
	    bytes.data, rules.timestamp_type, verdict.max_timestamp);
	assert_int_equal(judge(&bytes, &rules, &verdict), KP_INVALID_TIMESTAMP);
	assert_int_equal(verdict.record_errors_count, 0);
	buf_fini(&bytes);
}

static void
the_first_record_with_the_latest_time_is_found(void **state UNUSED)
{
	static const int64_t times[] = { 5, 9, 7, 9, -1 };
	struct batch_options options = options_of(COMPRESSION_NONE);
	struct batch_rules rules = rules_make();
	struct batch_builder builder;
	struct batch_verdict verdict;
	struct buf bytes;

	rules.walk_compressed = true;
	for (int codec = 0; codec < COMPRESSION_COUNT; codec++) {
		options.codec = (enum compression)codec;
		buf_init(&bytes, OUT_LEN_MAX);
		batch_builder_init(&builder, &options, &bytes);
		for (size_t i = 0; i < COUNT_OF(times); i++)
			assert_int_equal(batch_builder_add(&builder, times[i],
					     SLICE_NULL, SLICE_NULL),
			    0);
		assert_int_equal(batch_builder_finish(&builder), 0);
		assert_int_equal(judge(&bytes, &rules, &verdict), KP_NONE);
		assert_int_equal(verdict.max_timestamp, 9);
		assert_int_equal(verdict.max_timestamp_index, 1);
		assert_false(verdict.timestamp_differs);
		buf_fini(&bytes);
	}
}

/* Cut in the compressed bytes, with a checksum made over what is left. */
static void
only_a_walk_sees_a_broken_payload(void **state UNUSED)
{
	for (int codec = 1; codec < COMPRESSION_COUNT; codec++) {
		struct batch_options options =
		    options_of((enum compression)codec);
		struct batch_rules rules = rules_make();
		struct batch_verdict verdict;
		struct batch batch;
		struct buf bytes;

		buf_init(&bytes, OUT_LEN_MAX);
		batch_make(&options, 100, NOW_MS, &bytes);
		assert_int_equal(batch_read(buf_slice(&bytes), &batch), 0);
		bytes.len -= 9;
		batch.size_bytes = bytes.len;
		batch_encode(&batch, bytes.data);
		batch_seal(bytes.data, bytes.len);
		assert_int_equal(judge(&bytes, &rules, &verdict), KP_NONE);
		assert_int_equal(verdict.max_timestamp, NOW_MS + 99);
		assert_int_equal(verdict.max_timestamp_index, -1);
		rules.walk_compressed = true;
		assert_int_equal(
		    judge(&bytes, &rules, &verdict), KP_CORRUPT_MESSAGE);
		rules.walk_compressed = false;
		rules.compacted = true;
		assert_int_equal(
		    judge(&bytes, &rules, &verdict), KP_CORRUPT_MESSAGE);
		buf_fini(&bytes);
	}
}

/* More than scratch may hold is refused, by the walk and by the reader. */
static void
a_bomb_is_too_large(void **state UNUSED)
{
	static const uint8_t zeros[OUT_LEN_MAX / 2];
	struct batch_options options = options_of(COMPRESSION_GZIP);
	struct batch_rules rules = rules_make();
	struct batch_builder builder;
	struct batch_verdict verdict;
	struct batch_reader reader;
	struct buf bytes, scratch;
	struct arena arena;

	buf_init(&bytes, 2 * OUT_LEN_MAX);
	buf_init(&scratch, sizeof(zeros) / 2);
	arena_init(&arena, 4096);
	batch_builder_init(&builder, &options, &bytes);
	assert_int_equal(batch_builder_add(&builder, NOW_MS, SLICE_NULL,
			     slice_of(zeros, sizeof(zeros))),
	    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	rules.walk_compressed = true;
	assert_int_equal(batch_validate(buf_slice(&bytes), &rules, &scratch,
			     &arena, &verdict),
	    KP_MESSAGE_TOO_LARGE);
	assert_int_equal(
	    batch_reader_open(&reader, buf_slice(&bytes), &scratch),
	    KP_MESSAGE_TOO_LARGE);
	buf_fini(&bytes);
	buf_fini(&scratch);
	arena_reset(&arena);
}

/* --- Building ------------------------------------------------------------- */

static void
a_builder_refuses_what_does_not_fit(void **state UNUSED)
{
	struct batch_options options = options_of(COMPRESSION_NONE);
	struct record record = { .offset = 10, .timestamp = NOW_MS };
	struct batch_builder builder;
	struct buf bytes;

	options.base_offset = 10;
	buf_init(&bytes, BATCH_HEADER_LEN + 40);
	assert_int_equal(buf_append(&bytes, "before", 6), 0);
	batch_builder_init(&builder, &options, &bytes);
	assert_int_equal(batch_builder_append(&builder, &record), 0);
	assert_int_equal(batch_builder_append(&builder, &record), -1);
	record.offset = 9;
	assert_int_equal(batch_builder_append(&builder, &record), -1);
	record.offset = 11 + (int64_t)INT32_MAX;
	assert_int_equal(batch_builder_append(&builder, &record), -1);
	record.offset = 12;
	record.value = slice_str("a value that is too long for the buffer");
	assert_int_equal(batch_builder_append(&builder, &record), -1);
	assert_int_equal(builder.record_count, 1);
	batch_builder_cancel(&builder);
	assert_int_equal(bytes.len, 6);
	assert_memory_equal(bytes.data, "before", 6);
	buf_fini(&bytes);

	buf_init(&bytes, BATCH_HEADER_LEN - 1);
	batch_builder_init(&builder, &options, &bytes);
	assert_int_equal(
	    batch_builder_add(&builder, 0, SLICE_NULL, SLICE_NULL), -1);
	batch_builder_cancel(&builder);
	assert_int_equal(bytes.len, 0);
	buf_fini(&bytes);
}

static void
headers_gaps_and_a_lost_tail_are_kept(void **state UNUSED)
{
	struct batch_options options = options_of(COMPRESSION_LZ4);
	struct record record = { .offset = 103, .timestamp = NOW_MS };
	struct batch_builder builder;
	struct batch_reader reader;
	struct record_header header;
	struct buf bytes, scratch, headers;

	buf_init(&bytes, OUT_LEN_MAX);
	buf_init(&scratch, OUT_LEN_MAX);
	buf_init(&headers, 100);
	assert_int_equal(
	    record_header_append(&headers, slice_str("a"), SLICE_NULL), 0);
	assert_int_equal(
	    record_header_append(&headers, slice_str(""), slice_str("b")), 0);
	record.headers = buf_slice(&headers);
	record.header_count = 2;
	options.base_offset = 100;
	batch_builder_init(&builder, &options, &bytes);
	assert_int_equal(batch_builder_append(&builder, &record), 0);
	batch_builder_end_at(&builder, 120);
	assert_int_equal(batch_builder_finish(&builder), 0);

	assert_int_equal(
	    batch_reader_open(&reader, buf_slice(&bytes), &scratch), KP_NONE);
	assert_int_equal(reader.batch.base_offset, 100);
	assert_int_equal(reader.batch.last_offset, 120);
	assert_true(batch_reader_next(&reader, &record));
	assert_int_equal(record.offset, 103);
	assert_int_equal(record.header_count, 2);
	assert_true(record_header_next(&record.headers, &header));
	assert_true(slice_equal_str(header.key, "a"));
	assert_true(slice_is_null(header.value));
	assert_true(record_header_next(&record.headers, &header));
	assert_int_equal(header.key.len, 0);
	assert_true(slice_equal_str(header.value, "b"));
	assert_false(record_header_next(&record.headers, &header));
	assert_false(batch_reader_next(&reader, &record));
	assert_int_equal(reader.error, KP_NONE);
	buf_fini(&bytes);
	buf_fini(&scratch);
	buf_fini(&headers);
}

static void
recoding_keeps_the_producer(void **state UNUSED)
{
	struct batch_options options = options_of(COMPRESSION_GZIP);
	struct buf bytes, scratch, out;
	struct batch batch;

	buf_init(&bytes, OUT_LEN_MAX);
	buf_init(&scratch, OUT_LEN_MAX);
	buf_init(&out, OUT_LEN_MAX);
	options.producer_id = 7;
	options.producer_epoch = 3;
	options.base_sequence = 11;
	options.transactional = true;
	batch_make(&options, 5, NOW_MS, &bytes);
	assert_int_equal(batch_recode(buf_slice(&bytes), COMPRESSION_ZSTD, 1,
			     &scratch, &out),
	    KP_NONE);
	assert_int_equal(batch_read(buf_slice(&out), &batch), 0);
	assert_true(batch_crc_valid(buf_slice(&out)));
	assert_int_equal(batch_codec(&batch), COMPRESSION_ZSTD);
	assert_int_equal(batch.producer_id, 7);
	assert_int_equal(batch.producer_epoch, 3);
	assert_int_equal(batch.base_sequence, 11);
	assert_true(batch_is_transactional(&batch));
	assert_int_equal(batch.record_count, 5);
	assert_int_equal(batch.max_timestamp, NOW_MS + 4);

	buf_clear(&out);
	out.len_max = 80;
	assert_int_equal(batch_recode(buf_slice(&bytes), COMPRESSION_NONE, 0,
			     &scratch, &out),
	    KP_MESSAGE_TOO_LARGE);
	assert_int_equal(out.len, 0);
	buf_fini(&bytes);
	buf_fini(&scratch);
	buf_fini(&out);
}

/* --- Control records ------------------------------------------------------ */

static void
a_marker_reads_back(void **state UNUSED)
{
	struct control_record_marker marker = { .producer_id = 9,
		.producer_epoch = 2,
		.commit = true,
		.coordinator_epoch = 33 };
	enum control_record_type type;
	struct batch_reader reader;
	struct record record;
	struct buf bytes, scratch;
	int32_t epoch;

	buf_init(&bytes, OUT_LEN_MAX);
	buf_init(&scratch, 0);
	assert_int_equal(
	    control_record_marker_append(&marker, 50, 4, NOW_MS, &bytes), 0);
	assert_int_equal(bytes.len, 78);
	assert_int_equal(
	    batch_reader_open(&reader, buf_slice(&bytes), &scratch), KP_NONE);
	assert_true(batch_is_control(&reader.batch));
	assert_true(batch_is_transactional(&reader.batch));
	assert_int_equal(reader.batch.base_sequence, BATCH_NO_SEQUENCE);
	assert_int_equal(reader.batch.producer_id, 9);
	assert_true(batch_reader_next(&reader, &record));
	assert_int_equal(control_record_key_read(record.key, &type), 0);
	assert_int_equal(type, CONTROL_RECORD_COMMIT);
	assert_int_equal(control_record_marker_read(record.value, &epoch), 0);
	assert_int_equal(epoch, 33);
	assert_int_equal(
	    control_record_marker_read(slice_of(record.value.data, 5), &epoch),
	    -1);
	assert_int_equal(
	    control_record_key_read(slice_of("\0\0\0\x63", 4), &type), 0);
	assert_int_equal(type, CONTROL_RECORD_UNKNOWN);
	assert_int_equal(
	    control_record_key_read(slice_of("\0\0\0", 3), &type), -1);
	assert_int_equal(control_record_key_read(SLICE_NULL, &type), -1);
	buf_fini(&bytes);
}

/* --- The buffer under it all ---------------------------------------------- */

static void
a_buffer_grows_to_its_maximum(void **state UNUSED)
{
	struct buf buf;

	buf_init(&buf, 1000);
	for (int i = 0; i < 100; i++)
		assert_int_equal(buf_append(&buf, "0123456789", 10), 0);
	assert_int_equal(buf.len, 1000);
	assert_int_equal(buf_append(&buf, "x", 1), -1);
	assert_int_equal(buf.len, 1000);
	assert_non_null(buf_reserve(&buf, 0));
	assert_null(buf_reserve(&buf, SIZE_MAX));
	assert_memory_equal(buf.data + 990, "0123456789", 10);
	buf_clear(&buf);
	assert_non_null(buf_reserve(&buf, 1000));
	buf_fini(&buf);
	assert_null(buf.data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scan_needs_no_more_than_the_first_bytes),
		cmocka_unit_test(patches_leave_a_checksum_that_is_right),
		cmocka_unit_test(sequences_wrap_to_zero),
		cmocka_unit_test(the_request_decides_what_is_allowed),
		cmocka_unit_test(the_clock_bounds_times_in_both_directions),
		cmocka_unit_test(append_time_replaces_the_producers_times),
		cmocka_unit_test(
		    the_first_record_with_the_latest_time_is_found),
		cmocka_unit_test(only_a_walk_sees_a_broken_payload),
		cmocka_unit_test(a_bomb_is_too_large),
		cmocka_unit_test(a_builder_refuses_what_does_not_fit),
		cmocka_unit_test(headers_gaps_and_a_lost_tail_are_kept),
		cmocka_unit_test(recoding_keeps_the_producer),
		cmocka_unit_test(a_marker_reads_back),
		cmocka_unit_test(a_buffer_grows_to_its_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
