/*
 * Holds record batches against those that Apache Kafka's own classes wrote,
 * good and broken ones: headers and records read as Kafka reads them,
 * uncompressed ones are rebuilt byte for byte, checksums are judged alike, and
 * batch_validate gives the verdict that a Kafka broker gave a producer.
 *
 * Where Kafka fails with UNKNOWN_SERVER_ERROR we name the fault.
 */
#include "unit/unit.h"

#include <jansson.h>
#include <stdio.h>
#include <zstd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"
#include "wire/batch_recode.h"
#include "wire/batch_validate.h"

#define DATA SRCDIR "/tests/wire/batches/batches.jsonl.zst"
#define DATA_LEN_MAX (64 << 20)

/* What the data holds; fewer means that some went missing. */
#define LINES_EXPECTED 265

/* The clock of the broker that judged the batches. */
#define NOW_MS 1795359488000

/* Decompressed batches of the data are smaller than this. */
#define PLAIN_LEN_MAX (64 << 20)

static json_t *rows[LINES_EXPECTED + 1];
static size_t rows_count;

/* --- Reading the data ----------------------------------------------------- */

static char *
read_all(size_t *len)
{
	char *packed = xmalloc(DATA_LEN_MAX), *text = xmalloc(DATA_LEN_MAX);
	FILE *file = fopen(DATA, "re");
	size_t n;

	assert_non_null(file);
	n = fread(packed, 1, DATA_LEN_MAX, file);
	fclose(file);
	*len = ZSTD_decompress(text, DATA_LEN_MAX, packed, n);
	assert_false(ZSTD_isError(*len));
	free(packed);
	return text;
}

static int
load(void **state UNUSED)
{
	size_t len;
	char *text = read_all(&len), *line = text;

	while (line < text + len && rows_count <= LINES_EXPECTED) {
		char *end = memchr(line, '\n', (size_t)(text + len - line));

		assert_non_null(end);
		rows[rows_count] = json_loadb(
		    line, (size_t)(end - line), JSON_ALLOW_NUL, NULL);
		assert_non_null(rows[rows_count]);
		rows_count++;
		line = end + 1;
	}
	free(text);
	assert_int_equal(rows_count, LINES_EXPECTED);
	return 0;
}

static int
unload(void **state UNUSED)
{
	for (size_t i = 0; i < rows_count; i++)
		json_decref(rows[i]);
	return 0;
}

static unsigned
hex_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

/* The bytes on the heap; null for JSON's null. */
static struct slice
bytes_of(const json_t *hex)
{
	const char *text = json_string_value(hex);
	size_t len = json_string_length(hex) / 2;
	uint8_t *bytes;

	if (text == NULL)
		return SLICE_NULL;
	bytes = xmalloc(len);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 |
		    hex_digit(text[2 * i + 1]));
	return slice_of(bytes, len);
}

static void
bytes_free(struct slice bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

static const char *
text_at(const json_t *row, const char *group, const char *key)
{
	return json_string_value(
	    json_object_get(json_object_get(row, group), key));
}

static int64_t
int_at(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static const char *
case_of(const json_t *row)
{
	return json_string_value(json_object_get(row, "case"));
}

/* --- Reading batches ------------------------------------------------------ */

static bool
hex_equals(const json_t *hex, struct slice bytes)
{
	struct slice expected = bytes_of(hex);
	bool equal = slice_equal(expected, bytes);

	bytes_free(expected);
	return equal;
}

static void
check_header(const struct batch *batch, const json_t *expected)
{
	assert_int_equal(batch->last_offset, int_at(expected, "lastOffset"));
	assert_int_equal(batch->size_bytes, int_at(expected, "size"));
	assert_int_equal(batch->magic, int_at(expected, "magic"));
	if (batch->magic < 2)
		return;
	assert_int_equal(batch->base_offset, int_at(expected, "baseOffset"));
	assert_int_equal(batch->crc, int_at(expected, "crc"));
	assert_int_equal(
	    batch->leader_epoch, int_at(expected, "partitionLeaderEpoch"));
	assert_int_equal(batch->attributes, int_at(expected, "attributes"));
	assert_int_equal(
	    batch->last_offset_delta, int_at(expected, "lastOffsetDelta"));
	assert_int_equal(
	    batch->base_timestamp, int_at(expected, "baseTimestamp"));
	assert_int_equal(
	    batch->max_timestamp, int_at(expected, "maxTimestamp"));
	assert_int_equal(batch->producer_id, int_at(expected, "producerId"));
	assert_int_equal(
	    batch->producer_epoch, int_at(expected, "producerEpoch"));
	assert_int_equal(
	    batch->base_sequence, int_at(expected, "baseSequence"));
	assert_int_equal(
	    batch_last_sequence(batch), int_at(expected, "lastSequence"));
	assert_int_equal(batch->record_count, int_at(expected, "count"));
}

static void
check_record(const struct record *record, const json_t *expected)
{
	const json_t *headers = json_object_get(expected, "headers");
	struct slice left = record->headers;
	struct record_header header;

	assert_int_equal(record->offset, int_at(expected, "offset"));
	if (json_object_get(expected, "timestamp") != NULL)
		assert_int_equal(
		    record->timestamp, int_at(expected, "timestamp"));
	assert_true(hex_equals(json_object_get(expected, "key"), record->key));
	assert_true(
	    hex_equals(json_object_get(expected, "value"), record->value));
	assert_int_equal(record->header_count, json_array_size(headers));
	for (size_t i = 0; i < json_array_size(headers); i++) {
		const json_t *pair = json_array_get(headers, i);

		assert_true(record_header_next(&left, &header));
		assert_true(hex_equals(json_array_get(pair, 1), header.value));
	}
	assert_false(record_header_next(&left, &header));
}

/* The batch at the start of bytes, against the expected one; its length. */
static size_t
check_batch(struct slice bytes, const json_t *expected, bool with_header)
{
	const json_t *records = json_object_get(expected, "records");
	struct batch_reader reader;
	struct record record;
	struct buf scratch;
	size_t count = 0;

	buf_init(&scratch, PLAIN_LEN_MAX);
	assert_int_equal(batch_reader_open(&reader, bytes, &scratch), KP_NONE);
	if (with_header)
		check_header(&reader.batch, expected);
	while (batch_reader_next(&reader, &record)) {
		assert_true(count < json_array_size(records));
		check_record(&record, json_array_get(records, count++));
	}
	assert_int_equal(reader.error, KP_NONE);
	assert_int_equal(count, json_array_size(records));
	buf_fini(&scratch);
	return reader.batch.size_bytes;
}

static void
headers_and_records_read_as_kafka_reads_them(void **state UNUSED)
{
	size_t seen = 0;

	for (size_t i = 0; i < rows_count; i++) {
		const json_t *batches = json_object_get(rows[i], "batches");
		struct slice bytes = bytes_of(json_object_get(rows[i], "hex"));
		size_t at = 0;

		for (size_t b = 0; b < json_array_size(batches); b++) {
			const json_t *batch = json_array_get(batches, b);

			if (json_object_get(batch, "records") == NULL)
				break;
			at += check_batch(
			    slice_of(bytes.data + at, bytes.len - at), batch,
			    true);
			seen++;
		}
		bytes_free(bytes);
	}
	assert_true(seen >= 93);
}

/* --- Checksums ------------------------------------------------------------ */

static void
checksums_are_judged_as_kafka_does(void **state UNUSED)
{
	size_t good = 0, bad = 0;

	for (size_t i = 0; i < rows_count; i++) {
		const json_t *kafka = json_object_get(rows[i], "kafka");
		struct slice bytes;
		struct batch batch;
		bool valid;

		if (int_at(kafka, "batches") != 1 ||
		    strcmp(text_at(rows[i], "kafka", "split"), "ok") != 0)
			continue;
		bytes = bytes_of(json_object_get(rows[i], "hex"));
		valid = batch_read(bytes, &batch) == 0 &&
		    batch_crc_valid(slice_of(bytes.data, batch.size_bytes));
		if (valid !=
		    (strcmp(text_at(rows[i], "kafka", "ensureValid"), "ok") ==
			0))
			fail_msg("%s", case_of(rows[i]));
		good += valid;
		bad += !valid;
		bytes_free(bytes);
	}
	assert_true(good >= 93);
	assert_true(bad >= 7);
}

/* --- Splitting, and what cannot be read ----------------------------------- */

/* The whole batches at the start of *bytes, which keeps what is behind. */
static enum batch_scan
split(struct slice *bytes, size_t *count)
{
	struct batch_frame frame;

	for (*count = 0;; (*count)++) {
		enum batch_scan scan =
		    batch_scan(bytes->data, bytes->len, &frame);

		if (scan != BATCH_SCAN_WHOLE)
			return scan;
		*bytes = slice_of(bytes->data + frame.size_bytes,
		    bytes->len - frame.size_bytes);
	}
}

/*
 * Kafka takes a length near 2^31 for negative; to us such a batch is cut.
 * Zeros are an end of their own, which is not read on either.
 */
static void
bytes_split_where_kafka_splits_them(void **state UNUSED)
{
	size_t corrupt = 0;

	for (size_t i = 0; i < rows_count; i++) {
		const json_t *kafka = json_object_get(rows[i], "kafka");
		const char *result = text_at(rows[i], "kafka", "split");
		struct slice bytes = bytes_of(json_object_get(rows[i], "hex"));
		struct slice left = bytes;
		size_t count;
		enum batch_scan scan = split(&left, &count);

		if (strcmp(result, "CorruptRecordException") == 0) {
			assert_int_equal(scan,
			    strcmp(case_of(rows[i]), "length-0") == 0 ?
				BATCH_SCAN_END :
				BATCH_SCAN_CORRUPT);
			corrupt++;
		} else {
			assert_int_equal(scan, BATCH_SCAN_INCOMPLETE);
			assert_int_equal(count, int_at(kafka, "batches"));
		}
		assert_int_equal(left.len, int_at(kafka, "bytesLeft"));
		bytes_free(bytes);
	}
	assert_true(corrupt >= 8);
}

/* Is every record of every whole batch sound? */
static bool
reads_well(struct slice bytes)
{
	bool well = true;
	struct batch batch;

	while (batch_read(bytes, &batch) == 0) {
		struct batch_reader reader;
		struct record record;
		struct buf scratch;

		buf_init(&scratch, PLAIN_LEN_MAX);
		if (batch_reader_open(&reader, bytes, &scratch) == KP_NONE)
			while (batch_reader_next(&reader, &record))
				;
		well &= reader.error == KP_NONE;
		buf_fini(&scratch);
		bytes = slice_of(bytes.data + batch.size_bytes,
		    bytes.len - batch.size_bytes);
	}
	return well;
}

/*
 * NullPointerException is Kafka's reader missing a control record's key,
 * IndexOutOfBoundsException one that begins in a batch shorter than a header,
 * of which we say that there is no batch.
 */
static void
broken_records_are_found(void **state UNUSED)
{
	size_t broken = 0;

	for (size_t i = 0; i < rows_count; i++) {
		const char *kafkas = text_at(rows[i], "kafka", "records");
		struct slice bytes = bytes_of(json_object_get(rows[i], "hex"));
		bool well = reads_well(bytes);

		if (strcmp(kafkas, "NullPointerException") != 0 &&
		    strcmp(kafkas, "IndexOutOfBoundsException") != 0 &&
		    well != (strcmp(kafkas, "ok") == 0))
			fail_msg("%s: Kafka says %s", case_of(rows[i]), kafkas);
		broken += !well;
		bytes_free(bytes);
	}
	assert_true(broken >= 60);
}

/* --- Verdicts ------------------------------------------------------------- */

/* The answer to a producer: the error and, as JSON, the records at fault. */
static const char *
verdict(struct slice bytes, bool compacted, struct batch_verdict *out,
    json_t **record_errors)
{
	const struct batch_rules rules = {
		.size_bytes_max = 1048588,
		.zstd_allowed = true,
		.compacted = compacted,
		.walk_compressed = true,
		.timestamp_type = BATCH_CREATE_TIME,
		.now_ms = NOW_MS,
		.before_max_ms = INT64_MAX,
		.after_max_ms = 3600000,
	};
	struct arena arena;
	struct buf scratch;
	enum kp_error error;

	arena_init(&arena, 16 << 20);
	buf_init(&scratch, PLAIN_LEN_MAX);
	error = batch_validate(bytes, &rules, &scratch, &arena, out);
	*record_errors = json_array();
	for (int32_t i = 0; i < out->record_errors_count; i++)
		json_array_append_new(
		    *record_errors, json_integer(out->record_errors[i].index));
	buf_fini(&scratch);
	arena_reset(&arena);
	return error == KP_NONE ? "NONE" : kp_error_name(error);
}

/* The same, but where Kafka does not know what hit it. */
static bool
agrees(const char *ours, const char *kafkas)
{
	if (strcmp(kafkas, "UNKNOWN_SERVER_ERROR") == 0)
		return strcmp(ours, "CORRUPT_MESSAGE") == 0 ||
		    strcmp(ours, "INVALID_RECORD") == 0;
	return strcmp(ours, kafkas) == 0;
}

/* The data leaves the list out where it is empty. */
static bool
same_record_errors(const json_t *row, const char *group, json_t *ours)
{
	json_t *kafkas =
	    json_object_get(json_object_get(row, group), "recordErrors");
	bool same = kafkas == NULL ? json_array_size(ours) == 0 :
				     json_equal(kafkas, ours) == 1;

	json_decref(ours);
	return same;
}

static void
check_stored(
    const json_t *row, struct slice bytes, const struct batch_verdict *verdict)
{
	json_t *stored =
	    json_object_get(json_object_get(row, "produce"), "stored");
	uint8_t *data = (uint8_t *)(uintptr_t)bytes.data;

	if (stored == NULL)
		return;
	batch_patch(data, 0, 0);
	if (verdict->timestamp_differs)
		batch_patch_timestamp(
		    data, BATCH_CREATE_TIME, verdict->max_timestamp);
	if (!hex_equals(stored, slice_of(data, verdict->batch.size_bytes)))
		fail_msg("%s is stored otherwise", case_of(row));
}

static void
a_producer_hears_what_kafka_says(void **state UNUSED)
{
	int failures = 0;

	for (size_t i = 0; i < rows_count; i++) {
		struct slice bytes = bytes_of(json_object_get(rows[i], "hex"));
		const char *kafkas = text_at(rows[i], "produce", "error");
		struct batch_verdict out;
		json_t *record_errors;
		const char *ours = verdict(bytes, false, &out, &record_errors);

		if (!agrees(ours, kafkas) ||
		    !same_record_errors(rows[i], "produce", record_errors)) {
			print_message("%s: %s, but Kafka says %s\n",
			    case_of(rows[i]), ours, kafkas);
			failures++;
		} else if (strcmp(ours, "NONE") == 0) {
			check_stored(rows[i], bytes, &out);
		}
		bytes_free(bytes);
	}
	assert_int_equal(failures, 0);
}

/* Two answers of the data are about the topic, not about the batch. */
static void
a_compacted_topic_wants_keys(void **state UNUSED)
{
	size_t seen = 0;

	for (size_t i = 0; i < rows_count; i++) {
		const char *kafkas =
		    text_at(rows[i], "produceCompacted", "error");
		struct batch_verdict out;
		json_t *record_errors;
		struct slice bytes;
		const char *ours;

		if (kafkas == NULL || strcmp(kafkas, "INVALID_RECORD") != 0)
			continue;
		bytes = bytes_of(json_object_get(rows[i], "hex"));
		ours = verdict(bytes, true, &out, &record_errors);
		if (!agrees(ours, kafkas) ||
		    !same_record_errors(
			rows[i], "produceCompacted", record_errors))
			fail_msg("%s: %s", case_of(rows[i]), ours);
		bytes_free(bytes);
		seen++;
	}
	assert_true(seen >= 50);
}

/* --- Building ------------------------------------------------------------- */

/*
 * The times that were given to the builder: append time hides them from a
 * reader, but not from the deltas.
 */
static int64_t
given_timestamp(
    const struct batch *batch, const uint8_t **p, const uint8_t *end)
{
	struct record_parts parts;

	*p = record_read(*p, end, &parts);
	assert_non_null(*p);
	return batch->base_timestamp + parts.timestamp_delta;
}

static struct batch_options
options_of(const struct batch *batch)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;

	options.base_offset = batch->base_offset;
	options.leader_epoch = batch->leader_epoch;
	options.producer_id = batch->producer_id;
	options.producer_epoch = batch->producer_epoch;
	options.base_sequence = batch->base_sequence;
	options.transactional = batch_is_transactional(batch);
	options.control = batch_is_control(batch);
	options.delete_horizon_ms = batch_delete_horizon(batch);
	if (batch_has_append_time(batch))
		options.append_time_ms = batch->max_timestamp;
	return options;
}

static void
rebuild_records(struct slice bytes, const struct batch *batch, struct buf *out)
{
	struct batch_options options = options_of(batch);
	const uint8_t *p = bytes.data + BATCH_HEADER_LEN;
	struct batch_builder builder;
	struct batch_reader reader;
	struct record record;
	struct buf scratch;

	buf_init(&scratch, PLAIN_LEN_MAX);
	assert_int_equal(batch_reader_open(&reader, bytes, &scratch), KP_NONE);
	batch_builder_init(&builder, &options, out);
	while (batch_reader_next(&reader, &record)) {
		record.timestamp =
		    given_timestamp(batch, &p, bytes.data + bytes.len);
		assert_int_equal(batch_builder_append(&builder, &record), 0);
	}
	assert_int_equal(reader.error, KP_NONE);
	batch_builder_end_at(&builder, batch->last_offset);
	assert_int_equal(batch_builder_size_bytes(&builder), batch->size_bytes);
	assert_int_equal(batch_builder_finish(&builder), 0);
	buf_fini(&scratch);
}

/* A batch without records is no builder's work, but a header's. */
static void
rebuild(struct slice bytes, const struct batch *batch, struct buf *out)
{
	if (batch->record_count > 0) {
		rebuild_records(bytes, batch, out);
		return;
	}
	assert_non_null(buf_reserve(out, BATCH_HEADER_LEN));
	out->len = BATCH_HEADER_LEN;
	batch_encode(batch, out->data);
	batch_seal(out->data, out->len);
}

/* Sound batches that are not compressed, one in a row. */
static bool
can_rebuild(const json_t *row, const struct batch *batch)
{
	return json_is_true(json_object_get(row, "valid")) &&
	    json_array_size(json_object_get(row, "batches")) == 1 &&
	    batch->magic == 2 && batch_codec(batch) == 0;
}

static void
uncompressed_batches_are_rebuilt_byte_for_byte(void **state UNUSED)
{
	size_t seen = 0;

	for (size_t i = 0; i < rows_count; i++) {
		struct slice bytes = bytes_of(json_object_get(rows[i], "hex"));
		struct batch batch;
		struct buf out;

		buf_init(&out, PLAIN_LEN_MAX);
		if (batch_read(bytes, &batch) == 0 &&
		    can_rebuild(rows[i], &batch)) {
			rebuild(bytes, &batch, &out);
			if (!slice_equal(buf_slice(&out), bytes))
				fail_msg("%s", case_of(rows[i]));
			seen++;
		}
		buf_fini(&out);
		bytes_free(bytes);
	}
	assert_true(seen >= 44);
}

/*
 * Recoding numbers the records anew, which a gap would show, and makes a
 * client's batch of it.
 */
static bool
is_dense(const struct batch *batch)
{
	return batch->last_offset_delta == batch->record_count - 1 &&
	    batch->base_offset == 0 && !batch_is_control(batch) &&
	    !batch_has_append_time(batch);
}

/* Recoded into each codec and back, the records are the same. */
static void
recoding_keeps_the_records(void **state UNUSED)
{
	for (size_t i = 0; i < rows_count; i++) {
		const json_t *batches = json_object_get(rows[i], "batches");
		struct slice bytes = bytes_of(json_object_get(rows[i], "hex"));
		struct batch batch;

		if (batch_read(bytes, &batch) != 0 ||
		    !can_rebuild(rows[i], &batch) || !is_dense(&batch)) {
			bytes_free(bytes);
			continue;
		}
		for (int codec = 0; codec < COMPRESSION_COUNT; codec++) {
			struct buf out, back, scratch;

			buf_init(&out, PLAIN_LEN_MAX);
			buf_init(&back, PLAIN_LEN_MAX);
			buf_init(&scratch, PLAIN_LEN_MAX);
			assert_int_equal(
			    batch_recode(bytes, (enum compression)codec,
				COMPRESSION_LEVEL_DEFAULT, &scratch, &out),
			    KP_NONE);
			assert_true(batch_crc_valid(buf_slice(&out)));
			assert_int_equal(
			    batch_recode(buf_slice(&out), COMPRESSION_NONE,
				COMPRESSION_LEVEL_DEFAULT, &scratch, &back),
			    KP_NONE);
			(void)check_batch(buf_slice(&back),
			    json_array_get(batches, 0), false);
			buf_fini(&out);
			buf_fini(&back);
			buf_fini(&scratch);
		}
		bytes_free(bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_and_records_read_as_kafka_reads_them),
		cmocka_unit_test(checksums_are_judged_as_kafka_does),
		cmocka_unit_test(bytes_split_where_kafka_splits_them),
		cmocka_unit_test(broken_records_are_found),
		cmocka_unit_test(a_producer_hears_what_kafka_says),
		cmocka_unit_test(a_compacted_topic_wants_keys),
		cmocka_unit_test(
		    uncompressed_batches_are_rebuilt_byte_for_byte),
		cmocka_unit_test(recoding_keeps_the_records),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
