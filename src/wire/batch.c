#include "wire/batch.h"

#include "base/crc32c.h"

#include <zlib.h>

/* Where the fields of magic 2 are. */
#define LENGTH_AT 8
#define LEADER_EPOCH_AT 12
#define MAGIC_AT 16
#define CRC_AT 17
#define ATTRIBUTES_AT 21
#define LAST_OFFSET_DELTA_AT 23
#define BASE_TIMESTAMP_AT 27
#define MAX_TIMESTAMP_AT 35
#define PRODUCER_ID_AT 43
#define PRODUCER_EPOCH_AT 51
#define BASE_SEQUENCE_AT 53
#define RECORD_COUNT_AT 57

/* Magic 0 and 1: the checksum stands before the magic. */
#define LEGACY_CRC_AT 12
#define LEGACY_CRC_FROM 16
#define LEGACY_ATTRIBUTES_AT 17
#define LEGACY_TIMESTAMP_AT 18
#define LEGACY_SIZE_MIN_0 (BATCH_OVERHEAD_LEN + 14)
#define LEGACY_SIZE_MIN_1 (BATCH_OVERHEAD_LEN + 22)

enum batch_scan
batch_scan(const uint8_t *data, uint64_t len, struct batch_frame *frame)
{
	int32_t length;

	if (len < BATCH_OVERHEAD_LEN)
		return BATCH_SCAN_INCOMPLETE;
	length = (int32_t)be32_get(data + LENGTH_AT);
	if (length == 0 && be64_get(data) == 0)
		return BATCH_SCAN_END;
	if (length < BATCH_LENGTH_MIN)
		return BATCH_SCAN_CORRUPT;
	if (len < BATCH_SCAN_LEN)
		return BATCH_SCAN_INCOMPLETE;
	if (data[MAGIC_AT] > BATCH_MAGIC)
		return BATCH_SCAN_CORRUPT;
	frame->offset = (int64_t)be64_get(data);
	frame->size_bytes = BATCH_OVERHEAD_LEN + (size_t)length;
	frame->magic = (int8_t)data[MAGIC_AT];
	return frame->size_bytes <= len ? BATCH_SCAN_WHOLE
					: BATCH_SCAN_INCOMPLETE;
}

static void
header_decode(const uint8_t *data, struct batch *batch)
{
	batch->leader_epoch = (int32_t)be32_get(data + LEADER_EPOCH_AT);
	batch->crc = be32_get(data + CRC_AT);
	batch->attributes = (int16_t)be16_get(data + ATTRIBUTES_AT);
	batch->last_offset_delta =
	    (int32_t)be32_get(data + LAST_OFFSET_DELTA_AT);
	/* Added without sign, because a hostile sum may overflow. */
	batch->last_offset =
	    (int64_t)((uint64_t)batch->base_offset +
		      (uint64_t)(int64_t)batch->last_offset_delta);
	batch->base_timestamp = (int64_t)be64_get(data + BASE_TIMESTAMP_AT);
	batch->max_timestamp = (int64_t)be64_get(data + MAX_TIMESTAMP_AT);
	batch->producer_id = (int64_t)be64_get(data + PRODUCER_ID_AT);
	batch->producer_epoch = (int16_t)be16_get(data + PRODUCER_EPOCH_AT);
	batch->base_sequence = (int32_t)be32_get(data + BASE_SEQUENCE_AT);
	batch->record_count = (int32_t)be32_get(data + RECORD_COUNT_AT);
}

static void
legacy_header_decode(const uint8_t *data, struct batch *batch)
{
	batch->leader_epoch = BATCH_NO_EPOCH;
	batch->crc = be32_get(data + LEGACY_CRC_AT);
	batch->attributes = data[LEGACY_ATTRIBUTES_AT] & BATCH_CODEC_MASK;
	batch->last_offset = batch->base_offset;
	batch->last_offset_delta = 0;
	batch->max_timestamp = BATCH_NO_TIMESTAMP;
	if (batch->magic == 1) {
		batch->attributes |=
		    data[LEGACY_ATTRIBUTES_AT] & BATCH_LOG_APPEND_TIME;
		batch->max_timestamp =
		    (int64_t)be64_get(data + LEGACY_TIMESTAMP_AT);
	}
	batch->base_timestamp = batch->max_timestamp;
	batch->producer_id = BATCH_NO_PRODUCER;
	batch->producer_epoch = BATCH_NO_EPOCH;
	batch->base_sequence = BATCH_NO_SEQUENCE;
	batch->record_count = batch_codec(batch) == 0 ? 1 : -1;
}

int
batch_decode(
    const uint8_t *data, const struct batch_frame *frame, struct batch *batch)
{
	static const size_t size_min[] = { LEGACY_SIZE_MIN_0, LEGACY_SIZE_MIN_1,
		BATCH_HEADER_LEN };

	assert(frame->magic >= 0 && frame->magic <= BATCH_MAGIC);
	if (frame->size_bytes < size_min[frame->magic])
		return -1;
	batch->base_offset = frame->offset;
	batch->size_bytes = frame->size_bytes;
	batch->magic = frame->magic;
	if (frame->magic == BATCH_MAGIC)
		header_decode(data, batch);
	else
		legacy_header_decode(data, batch);
	return 0;
}

int
batch_read(struct slice bytes, struct batch *batch)
{
	struct batch_frame frame;

	if (batch_scan(bytes.data, bytes.len, &frame) != BATCH_SCAN_WHOLE)
		return -1;
	return batch_decode(bytes.data, &frame, batch);
}

static bool
legacy_crc_valid(struct slice bytes)
{
	uLong crc = crc32_z(
	    0, bytes.data + LEGACY_CRC_FROM, bytes.len - LEGACY_CRC_FROM);

	return crc == be32_get(bytes.data + LEGACY_CRC_AT);
}

bool
batch_crc_valid(struct slice bytes)
{
	if (bytes.len < BATCH_SCAN_LEN)
		return false;
	if (bytes.data[MAGIC_AT] < BATCH_MAGIC)
		return legacy_crc_valid(bytes);
	if (bytes.len < BATCH_HEADER_LEN)
		return false;
	return crc32c(0, bytes.data + ATTRIBUTES_AT,
		   bytes.len - ATTRIBUTES_AT) == be32_get(bytes.data + CRC_AT);
}

void
batch_patch(uint8_t *data, int64_t base_offset, int32_t leader_epoch)
{
	assert(data[MAGIC_AT] == BATCH_MAGIC);
	be64_put(data, (uint64_t)base_offset);
	be32_put(data + LEADER_EPOCH_AT, (uint32_t)leader_epoch);
}

void
batch_patch_timestamp(
    uint8_t *data, enum batch_timestamp_type type, int64_t max_timestamp)
{
	const size_t piece_len = PRODUCER_ID_AT - ATTRIBUTES_AT;
	size_t size_bytes = BATCH_OVERHEAD_LEN + be32_get(data + LENGTH_AT);
	uint8_t *piece = data + ATTRIBUTES_AT;
	uint16_t attributes = be16_get(piece) & BATCH_ATTRIBUTES_KNOWN;
	uint32_t crc_before = crc32c(0, piece, piece_len);

	assert(data[MAGIC_AT] == BATCH_MAGIC && size_bytes >= BATCH_HEADER_LEN);
	attributes &= (uint16_t)~BATCH_LOG_APPEND_TIME;
	if (type == BATCH_APPEND_TIME)
		attributes |= BATCH_LOG_APPEND_TIME;
	be16_put(piece, attributes);
	be64_put(data + MAX_TIMESTAMP_AT, (uint64_t)max_timestamp);
	be32_put(data + CRC_AT,
	    crc32c_replace(be32_get(data + CRC_AT), crc_before,
		crc32c(0, piece, piece_len), size_bytes - PRODUCER_ID_AT));
}

void
batch_encode(const struct batch *batch, uint8_t *data)
{
	size_t length = batch->size_bytes - BATCH_OVERHEAD_LEN;

	assert(batch->magic == BATCH_MAGIC && length <= INT32_MAX &&
	       batch->size_bytes >= BATCH_HEADER_LEN);
	be64_put(data, (uint64_t)batch->base_offset);
	be32_put(data + LENGTH_AT, (uint32_t)length);
	be32_put(data + LEADER_EPOCH_AT, (uint32_t)batch->leader_epoch);
	data[MAGIC_AT] = BATCH_MAGIC;
	be32_put(data + CRC_AT, batch->crc);
	be16_put(data + ATTRIBUTES_AT, (uint16_t)batch->attributes);
	be32_put(
	    data + LAST_OFFSET_DELTA_AT, (uint32_t)batch->last_offset_delta);
	be64_put(data + BASE_TIMESTAMP_AT, (uint64_t)batch->base_timestamp);
	be64_put(data + MAX_TIMESTAMP_AT, (uint64_t)batch->max_timestamp);
	be64_put(data + PRODUCER_ID_AT, (uint64_t)batch->producer_id);
	be16_put(data + PRODUCER_EPOCH_AT, (uint16_t)batch->producer_epoch);
	be32_put(data + BASE_SEQUENCE_AT, (uint32_t)batch->base_sequence);
	be32_put(data + RECORD_COUNT_AT, (uint32_t)batch->record_count);
}

void
batch_seal(uint8_t *data, size_t size_bytes)
{
	assert(data[MAGIC_AT] == BATCH_MAGIC && size_bytes >= BATCH_HEADER_LEN);
	be32_put(data + CRC_AT,
	    crc32c(0, data + ATTRIBUTES_AT, size_bytes - ATTRIBUTES_AT));
}

int32_t
batch_sequence_add(int32_t sequence, int32_t delta)
{
	return (int32_t)(((uint32_t)sequence + (uint32_t)delta) & INT32_MAX);
}

int32_t
batch_last_sequence(const struct batch *batch)
{
	if (batch->base_sequence == BATCH_NO_SEQUENCE)
		return BATCH_NO_SEQUENCE;
	return batch_sequence_add(
	    batch->base_sequence, batch->last_offset_delta);
}
