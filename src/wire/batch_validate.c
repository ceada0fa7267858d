#include "wire/batch_validate.h"

#include "wire/compression.h"
#include "wire/record_inline.h"

/* One batch under judgement, and the area of its records. */
struct walk {
	const struct batch *batch;
	const struct batch_rules *rules;
	const uint8_t *p;
	const uint8_t *end;
};

/* What a walk over the records finds. */
struct tally {
	int64_t max_timestamp;
	int32_t max_timestamp_index;
	int32_t fault_count;
	bool timestamp_fault;
};

/* --- The whole ----------------------------------------------------------- */

/* The bytes behind the first batch: a second one, or nothing that counts. */
static enum kp_error
rest_validate(struct slice bytes, size_t size_bytes)
{
	struct batch_frame frame;

	switch (batch_scan(
	    bytes.data + size_bytes, bytes.len - size_bytes, &frame)) {
	case BATCH_SCAN_WHOLE:
		return KP_INVALID_RECORD;
	case BATCH_SCAN_INCOMPLETE:
		return KP_NONE;
	case BATCH_SCAN_END:
	case BATCH_SCAN_CORRUPT:
		break;
	}
	return KP_CORRUPT_MESSAGE;
}

static enum kp_error
frame_validate(struct slice bytes, struct batch_frame *frame)
{
	switch (batch_scan(bytes.data, bytes.len, frame)) {
	case BATCH_SCAN_WHOLE:
		break;
	case BATCH_SCAN_INCOMPLETE:
		return KP_INVALID_RECORD;
	case BATCH_SCAN_END:
	case BATCH_SCAN_CORRUPT:
		return KP_CORRUPT_MESSAGE;
	}
	if (frame->magic != BATCH_MAGIC)
		return KP_INVALID_RECORD;
	return KP_NONE;
}

static enum kp_error
request_validate(const struct batch *batch, const struct batch_rules *rules)
{
	if (batch_is_transactional(batch) && !rules->transaction_named)
		return KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (batch_codec(batch) == COMPRESSION_ZSTD && !rules->zstd_allowed)
		return KP_UNSUPPORTED_COMPRESSION_TYPE;
	return KP_NONE;
}

static enum kp_error
header_validate(struct slice bytes, const struct batch *batch,
    const struct batch_rules *rules)
{
	if (batch->base_offset != 0)
		return KP_INVALID_RECORD;
	if (batch->size_bytes > rules->size_bytes_max)
		return KP_MESSAGE_TOO_LARGE;
	if (!batch_crc_valid(slice_of(bytes.data, batch->size_bytes)))
		return KP_CORRUPT_MESSAGE;
	if (compression_name(batch_codec(batch)) == NULL ||
	    batch->last_offset_delta < 0 || batch->record_count <= 0 ||
	    batch->record_count != (int64_t)batch->last_offset_delta + 1 ||
	    batch_is_control(batch) ||
	    (batch->producer_id >= 0 && batch->base_sequence < 0))
		return KP_INVALID_RECORD;
	if (rules->timestamp_type == BATCH_APPEND_TIME &&
	    batch_has_append_time(batch))
		return KP_INVALID_TIMESTAMP;
	return KP_NONE;
}

/* --- The records --------------------------------------------------------- */

/* Differences wrap around like Kafka's, which makes absurd times faults. */
RECORD_INLINE bool
timestamp_is_far(const struct batch_rules *rules, int64_t timestamp)
{
	uint64_t age = (uint64_t)rules->now_ms - (uint64_t)timestamp;

	if (timestamp == BATCH_NO_TIMESTAMP ||
	    rules->timestamp_type == BATCH_APPEND_TIME)
		return false;
	return (int64_t)age > rules->before_max_ms ||
	    (int64_t)(0 - age) > rules->after_max_ms;
}

RECORD_INLINE enum batch_record_fault
record_judge(const struct batch_rules *rules, const struct record_parts *parts,
    int64_t timestamp)
{
	if (rules->compacted && slice_is_null(parts->key))
		return BATCH_RECORD_KEY_NULL;
	if (timestamp_is_far(rules, timestamp))
		return BATCH_RECORD_TIMESTAMP;
	return BATCH_RECORD_FINE;
}

RECORD_INLINE int64_t
record_timestamp(const struct batch *batch, const struct record_parts *parts)
{
	if (batch_has_append_time(batch))
		return batch->max_timestamp;
	return (int64_t)((uint64_t)batch->base_timestamp +
	    (uint64_t)parts->timestamp_delta);
}

RECORD_INLINE void
tally_add(struct tally *tally, int32_t index, int64_t timestamp,
    enum batch_record_fault fault)
{
	if (timestamp > tally->max_timestamp) {
		tally->max_timestamp = timestamp;
		tally->max_timestamp_index = index;
	}
	if (fault != BATCH_RECORD_FINE) {
		tally->fault_count++;
		tally->timestamp_fault |= fault == BATCH_RECORD_TIMESTAMP;
	}
}

/*
 * Kafka's leader does not hold the records of a compressed batch against
 * their length fields, but against their order.
 */
RECORD_INLINE const uint8_t *
record_walk(const uint8_t *p, const uint8_t *end, bool compressed,
    int32_t index, struct record_parts *parts)
{
	if (!compressed)
		return record_read_inline(p, end, parts);
	p = record_read_lax_inline(p, end, parts);
	return p != NULL && parts->offset_delta == index ? p : NULL;
}

RECORD_INLINE enum kp_error
records_walk(const struct walk *walk, bool compressed, struct tally *tally)
{
	/* Copies, which unlike what is pointed to can stay in registers. */
	const struct batch batch = *walk->batch;
	const struct batch_rules rules = *walk->rules;
	const uint8_t *p = walk->p, *end = walk->end;

	for (int32_t i = 0; i < batch.record_count; i++) {
		struct record_parts parts;
		int64_t timestamp;

		p = record_walk(p, end, compressed, i, &parts);
		if (p == NULL)
			return KP_INVALID_RECORD;
		timestamp = record_timestamp(&batch, &parts);
		tally_add(tally, i, timestamp,
		    record_judge(&rules, &parts, timestamp));
	}
	return p == end ? KP_NONE : KP_INVALID_RECORD;
}

/*
 * A second walk, after one that found at least count faults in sound records:
 * the first count of them.
 */
static void
record_errors_list(const struct walk *walk, int32_t count, struct arena *arena,
    struct batch_verdict *verdict)
{
	struct batch_record_error *errors;
	const uint8_t *p = walk->p;
	int32_t at = 0;

	errors = arena_calloc(arena, (size_t)count, sizeof(*errors));
	if (errors == NULL)
		return;
	for (int32_t i = 0; at < count; i++) {
		struct record_parts parts;
		int64_t timestamp;
		enum batch_record_fault fault;

		p = record_read_lax_inline(p, walk->end, &parts);
		assert(p != NULL && i < walk->batch->record_count);
		timestamp = record_timestamp(walk->batch, &parts);
		fault = record_judge(walk->rules, &parts, timestamp);
		if (fault != BATCH_RECORD_FINE)
			errors[at++] = (struct batch_record_error){ .index = i,
				.fault = fault,
				.timestamp = timestamp };
	}
	verdict->record_errors = errors;
	verdict->record_errors_count = count;
}

static enum kp_error
records_validate(const struct walk *walk, bool compressed, struct arena *arena,
    struct batch_verdict *verdict)
{
	struct tally tally = { .max_timestamp = BATCH_NO_TIMESTAMP,
		.max_timestamp_index = -1 };
	enum kp_error error;

	error = compressed ? records_walk(walk, true, &tally) :
			     records_walk(walk, false, &tally);
	if (error != KP_NONE)
		return error;
	verdict->max_timestamp = tally.max_timestamp;
	verdict->max_timestamp_index = tally.max_timestamp_index;
	if (tally.fault_count == 0)
		return KP_NONE;
	record_errors_list(walk,
	    MIN(tally.fault_count, BATCH_RECORD_ERRORS_MAX), arena, verdict);
	return tally.timestamp_fault ? KP_INVALID_TIMESTAMP : KP_INVALID_RECORD;
}

static enum kp_error
unseen_validate(const struct batch_rules *rules, struct batch_verdict *verdict)
{
	verdict->max_timestamp = verdict->batch.max_timestamp;
	verdict->max_timestamp_index = -1;
	return timestamp_is_far(rules, verdict->max_timestamp) ?
	    KP_INVALID_TIMESTAMP :
	    KP_NONE;
}

static enum kp_error
compressed_validate(struct slice payload, const struct batch_rules *rules,
    struct buf *scratch, struct arena *arena, struct batch_verdict *verdict)
{
	struct walk walk = { .batch = &verdict->batch, .rules = rules };

	if (!rules->compacted && !rules->walk_compressed)
		return unseen_validate(rules, verdict);
	buf_clear(scratch);
	switch (compression_decompress(
	    batch_codec(&verdict->batch), payload, scratch)) {
	case COMPRESSION_OK:
		break;
	case COMPRESSION_TOO_LARGE:
		return KP_MESSAGE_TOO_LARGE;
	case COMPRESSION_CORRUPT:
	case COMPRESSION_UNKNOWN:
		return KP_CORRUPT_MESSAGE;
	}
	walk.p = scratch->data;
	walk.end = scratch->data + scratch->len;
	return records_validate(&walk, true, arena, verdict);
}

static enum kp_error
payload_validate(struct slice payload, const struct batch_rules *rules,
    struct buf *scratch, struct arena *arena, struct batch_verdict *verdict)
{
	struct walk walk = { .batch = &verdict->batch,
		.rules = rules,
		.p = payload.data,
		.end = payload.data + payload.len };

	if (batch_codec(&verdict->batch) != COMPRESSION_NONE)
		return compressed_validate(
		    payload, rules, scratch, arena, verdict);
	return records_validate(&walk, false, arena, verdict);
}

/* What the stored header has to say, once all is well. */
static void
timestamp_decide(const struct batch_rules *rules, struct batch_verdict *verdict)
{
	const struct batch *batch = &verdict->batch;

	if (rules->timestamp_type == BATCH_APPEND_TIME) {
		verdict->max_timestamp = rules->now_ms;
		verdict->max_timestamp_index = 0;
	}
	verdict->timestamp_differs =
	    verdict->max_timestamp != batch->max_timestamp ||
	    batch_has_append_time(batch) !=
		(rules->timestamp_type == BATCH_APPEND_TIME);
}

enum kp_error
batch_validate(struct slice bytes, const struct batch_rules *rules,
    struct buf *scratch, struct arena *arena, struct batch_verdict *verdict)
{
	struct batch *batch = &verdict->batch;
	struct batch_frame frame;
	struct slice payload;
	enum kp_error error;

	*verdict = (struct batch_verdict){ .max_timestamp_index = -1 };
	error = frame_validate(bytes, &frame);
	if (error != KP_NONE)
		return error;
	if (batch_decode(bytes.data, &frame, batch) != 0)
		return KP_CORRUPT_MESSAGE;
	error = request_validate(batch, rules);
	if (error == KP_NONE)
		error = rest_validate(bytes, batch->size_bytes);
	if (error == KP_NONE)
		error = header_validate(bytes, batch, rules);
	if (error != KP_NONE)
		return error;
	payload = slice_of(bytes.data + BATCH_HEADER_LEN,
	    batch->size_bytes - BATCH_HEADER_LEN);
	error = payload_validate(payload, rules, scratch, arena, verdict);
	if (error == KP_NONE)
		timestamp_decide(rules, verdict);
	return error;
}
