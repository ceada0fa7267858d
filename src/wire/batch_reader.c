#include "wire/batch_reader.h"

#include "wire/legacy.h"

static enum kp_error
compression_error(enum compression_result result)
{
	switch (result) {
	case COMPRESSION_OK:
		return KP_NONE;
	case COMPRESSION_TOO_LARGE:
		return KP_MESSAGE_TOO_LARGE;
	case COMPRESSION_UNKNOWN:
		return KP_INVALID_RECORD;
	case COMPRESSION_CORRUPT:
		break;
	}
	return KP_CORRUPT_MESSAGE;
}

/* Hostile numbers may overflow, so they are added without sign. */
static int64_t
sum(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

/*
 * Where the records of magic 2 are.  Without any by the header, whatever
 * follows it is not looked at, as in Kafka.
 */
static enum kp_error
records_open(struct batch_reader *reader, struct slice bytes,
    struct buf *scratch, struct compression_contexts *contexts)
{
	enum compression_result result;

	reader->left = slice_of(
	    bytes.data + BATCH_HEADER_LEN, bytes.len - BATCH_HEADER_LEN);
	reader->count_left = reader->batch.record_count;
	if (reader->count_left < 0)
		return KP_INVALID_RECORD;
	if (reader->count_left == 0)
		reader->left.len = 0;
	if (reader->count_left == 0 || batch_codec(&reader->batch) == 0)
		return KP_NONE;
	buf_clear(scratch);
	result = compression_decompress_with(
	    contexts, batch_codec(&reader->batch), reader->left, scratch);
	reader->left = buf_slice(scratch);
	return compression_error(result);
}

/* The set in a wrapper; with magic 1 its offsets count from its first. */
static enum kp_error
wrapper_open(struct batch_reader *reader, const struct legacy_message *wrapper,
    struct buf *scratch)
{
	enum compression_result result;
	int64_t last_offset;

	buf_clear(scratch);
	result = legacy_unwrap(wrapper, scratch);
	if (result != COMPRESSION_OK)
		return compression_error(result);
	reader->left = buf_slice(scratch);
	last_offset = legacy_last_offset(reader->left);
	if (last_offset < 0)
		return KP_INVALID_RECORD;
	if (wrapper->magic == 1)
		reader->legacy_offset_add = sum(wrapper->offset, -last_offset);
	return KP_NONE;
}

static enum kp_error
message_open(
    struct batch_reader *reader, struct slice bytes, struct buf *scratch)
{
	struct legacy_message message;

	if (legacy_read(bytes, &message) != 0)
		return KP_CORRUPT_MESSAGE;
	reader->left = bytes;
	if (batch_codec(&reader->batch) == 0)
		return KP_NONE;
	return wrapper_open(reader, &message, scratch);
}

enum kp_error
batch_reader_open_with(struct batch_reader *reader, struct slice bytes,
    struct buf *scratch, struct compression_contexts *contexts)
{
	enum kp_error error;

	*reader = (struct batch_reader){ .error = KP_CORRUPT_MESSAGE };
	if (batch_read(bytes, &reader->batch) != 0)
		return KP_CORRUPT_MESSAGE;
	bytes.len = reader->batch.size_bytes;
	if (reader->batch.magic == BATCH_MAGIC)
		error = records_open(reader, bytes, scratch, contexts);
	else
		error = message_open(reader, bytes, scratch);
	reader->error = error;
	return error;
}

enum kp_error
batch_reader_open(
    struct batch_reader *reader, struct slice bytes, struct buf *scratch)
{
	struct compression_contexts contexts;
	enum kp_error error;

	compression_contexts_init(&contexts);
	error = batch_reader_open_with(reader, bytes, scratch, &contexts);
	compression_contexts_fini(&contexts);
	return error;
}

static void
record_set(const struct batch *batch, const struct record_parts *parts,
    struct record *record)
{
	record->offset = sum(batch->base_offset, parts->offset_delta);
	record->timestamp =
	    batch_has_append_time(batch)
		? batch->max_timestamp
		: sum(batch->base_timestamp, parts->timestamp_delta);
	record->key = parts->key;
	record->value = parts->value;
	record->headers = parts->headers;
	record->header_count = parts->header_count;
}

static bool
record_next(struct batch_reader *reader, struct record *record)
{
	const uint8_t *end = reader->left.data + reader->left.len;
	struct record_parts parts;
	const uint8_t *p;

	if (reader->count_left == 0) {
		if (reader->left.len > 0)
			reader->error = KP_INVALID_RECORD;
		return false;
	}
	p = record_read(reader->left.data, end, &parts);
	if (p == NULL) {
		reader->error = KP_INVALID_RECORD;
		return false;
	}
	reader->count_left--;
	reader->left = slice_of(p, (size_t)(end - p));
	record_set(&reader->batch, &parts, record);
	return true;
}

static bool
message_next(struct batch_reader *reader, struct record *record)
{
	struct legacy_message message;

	if (reader->left.len == 0)
		return false;
	if (legacy_read(reader->left, &message) != 0) {
		reader->error = KP_INVALID_RECORD;
		return false;
	}
	reader->left = slice_of(reader->left.data + message.size_bytes,
	    reader->left.len - message.size_bytes);
	*record = (struct record){ .key = message.key,
		.value = message.value,
		.timestamp = message.timestamp,
		.offset = sum(message.offset, reader->legacy_offset_add) };
	if (batch_has_append_time(&reader->batch))
		record->timestamp = reader->batch.max_timestamp;
	return true;
}

bool
batch_reader_next(struct batch_reader *reader, struct record *record)
{
	if (reader->error != KP_NONE)
		return false;
	if (reader->batch.magic == BATCH_MAGIC)
		return record_next(reader, record);
	return message_next(reader, record);
}
