#include "wire/legacy.h"

#include "base/bytes.h"
#include "wire/batch.h"

#include <lz4frame.h>

#define SIZE_AT 8
#define MAGIC_AT 16
#define ATTRIBUTES_AT 17
#define BODY_AT 18

/* int32 length and bytes, or any negative length for null. */
static int
bytes_read(struct slice *in, struct slice *bytes)
{
	int32_t len;

	if (in->len < 4)
		return -1;
	len = (int32_t)be32_get(in->data);
	*in = slice_of(in->data + 4, in->len - 4);
	*bytes = SLICE_NULL;
	if (len < 0)
		return 0;
	if ((size_t)len > in->len)
		return -1;
	*bytes = slice_of(in->data, (size_t)len);
	*in = slice_of(in->data + len, in->len - (size_t)len);
	return 0;
}

static int
timestamp_read(struct slice *in, struct legacy_message *message)
{
	message->timestamp = BATCH_NO_TIMESTAMP;
	if (message->magic == 0)
		return 0;
	if (in->len < 8)
		return -1;
	message->timestamp = (int64_t)be64_get(in->data);
	*in = slice_of(in->data + 8, in->len - 8);
	return 0;
}

int
legacy_read(struct slice bytes, struct legacy_message *message)
{
	uint32_t size;
	struct slice body;

	if (bytes.len < BODY_AT)
		return -1;
	size = be32_get(bytes.data + SIZE_AT);
	if (size < BATCH_LENGTH_MIN || size > bytes.len - BATCH_OVERHEAD_LEN ||
	    bytes.data[MAGIC_AT] > 1)
		return -1;
	message->offset = (int64_t)be64_get(bytes.data);
	message->size_bytes = BATCH_OVERHEAD_LEN + (size_t)size;
	message->magic = (int8_t)bytes.data[MAGIC_AT];
	message->attributes = (int8_t)bytes.data[ATTRIBUTES_AT];
	body = slice_of(bytes.data + BODY_AT, message->size_bytes - BODY_AT);
	if (timestamp_read(&body, message) != 0 ||
	    bytes_read(&body, &message->key) != 0 ||
	    bytes_read(&body, &message->value) != 0)
		return -1;
	return 0;
}

/*
 * With magic 0 the header checksum of lz4's frame was made over the wrong
 * bytes, and nobody may rely on it.  A copy gets the one of the 256 values
 * that lz4 takes.
 */
static void
lz4_header_mend(uint8_t *frame, size_t len)
{
	size_t header_len = LZ4F_headerSize(frame, len);
	LZ4F_frameInfo_t info;
	LZ4F_dctx *context;
	size_t result;

	if (LZ4F_isError(header_len) || header_len > len)
		return;
	result = LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
	assert(!LZ4F_isError(result));
	for (unsigned int sum = 0; sum < 256; sum++) {
		size_t consumed = len;

		frame[header_len - 1] = (uint8_t)sum;
		result = LZ4F_getFrameInfo(context, &info, frame, &consumed);
		if (!LZ4F_isError(result))
			break;
		LZ4F_resetDecompressionContext(context);
	}
	LZ4F_freeDecompressionContext(context);
}

enum compression_result
legacy_unwrap(const struct legacy_message *wrapper, struct buf *out)
{
	int codec = wrapper->attributes & BATCH_CODEC_MASK;
	struct slice in = wrapper->value;
	enum compression_result result;
	uint8_t *copy;

	if (slice_is_null(in))
		return COMPRESSION_CORRUPT;
	if (wrapper->magic != 0 || codec != COMPRESSION_LZ4 || in.len == 0)
		return compression_decompress(codec, in, out);
	copy = xmalloc(in.len);
	memcpy(copy, in.data, in.len);
	lz4_header_mend(copy, in.len);
	result = compression_decompress(codec, slice_of(copy, in.len), out);
	free(copy);
	return result;
}

int64_t
legacy_last_offset(struct slice set)
{
	struct legacy_message message = { .offset = -1 };

	while (set.len > 0) {
		if (legacy_read(set, &message) != 0 ||
		    (message.attributes & BATCH_CODEC_MASK) != 0 ||
		    message.offset < 0)
			return -1;
		set = slice_of(set.data + message.size_bytes,
		    set.len - message.size_bytes);
	}
	return message.offset;
}
