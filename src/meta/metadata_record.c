#include "base/base.h"

#include "meta/metadata_record.h"

#include "base/bytes.h"
#include "wire/codec.h"
#include "wire/output.h"

#define FRAME_VERSION 1

const struct kp_message *
metadata_record_message(int32_t type)
{
	const struct kp_record *record;

	record = kp_record_find(KP_LOG_METADATA, type);
	return record == NULL ? NULL : record->value;
}

/* Take an unsigned varint off *in; -1 where there is none. */
static int
take_uvarint(struct slice *in, uint32_t *value)
{
	size_t len = uvarint_get(in->data, in->data + in->len, value);

	if (len == 0)
		return -1;
	in->data += len;
	in->len -= len;
	return 0;
}

static int
decode_body(const struct kp_message *message, int16_t version,
    struct slice in, struct arena *arena, const void **body)
{
	void *decoded = arena_alloc(arena, message->body->size);

	if (decoded == NULL)
		return -1;
	*body = decoded;
	return kp_decode(message, version, in, arena, decoded);
}

int
metadata_record_decode(struct slice value, struct arena *arena,
    struct metadata_record *record, const char **reason)
{
	const struct kp_message *message;
	struct slice in = value;
	uint32_t frame, type, version;

	*reason = "a damaged frame";
	if (value.data == NULL || take_uvarint(&in, &frame) == -1 ||
	    take_uvarint(&in, &type) == -1 ||
	    take_uvarint(&in, &version) == -1)
		return -1;
	*reason = "an unknown frame version";
	if (frame != FRAME_VERSION)
		return -1;
	*reason = "an unknown type";
	if (type > INT16_MAX ||
	    (message = metadata_record_message((int32_t)type)) == NULL)
		return -1;
	*reason = "an unknown version";
	if (version > INT8_MAX || !kp_version_valid(message, (int)version))
		return -1;
	record->type = (enum metadata_record_type)type;
	record->version = (int16_t)version;
	record->value = value;
	*reason = "a damaged body";
	return decode_body(message, record->version, in, arena, &record->body);
}

static int
append_uvarint(struct buf *buf, uint32_t value)
{
	uint8_t bytes[VARINT_LEN_MAX];

	return buf_append(buf, bytes, uvarint_put(bytes, value));
}

static int
append_body(struct buf *buf, const struct kp_message *message,
    int16_t version, const void *body)
{
	struct arena arena;
	struct output out;
	int result = 0;

	arena_init(&arena, METADATA_RECORD_BATCH_LEN_MAX);
	output_init(&out, &arena);
	if (kp_encode(message, version, body, &out) == -1)
		result = -1;
	for (int32_t i = 0; i < out.count && result == 0; i++)
		result = buf_append(buf, out.pieces[i].data, out.pieces[i].len);
	arena_reset(&arena);
	return result;
}

int
metadata_record_encode(struct buf *buf, enum metadata_record_type type,
    int16_t version, const void *body)
{
	const struct kp_message *message = metadata_record_message(type);
	size_t start = buf->len;

	assert(message != NULL && kp_version_valid(message, version));
	if (append_uvarint(buf, FRAME_VERSION) == 0 &&
	    append_uvarint(buf, (uint32_t)type) == 0 &&
	    append_uvarint(buf, (uint32_t)version) == 0 &&
	    append_body(buf, message, version, body) == 0)
		return 0;
	buf->len = start;
	return -1;
}

int16_t
metadata_record_version(enum metadata_record_type type, int16_t level)
{
	switch (type) {
	case METADATA_RECORD_REGISTER_BROKER:
		return level >= 30 ? 4 : level >= 17 ? 3 : level >= 8 ? 2 : 1;
	case METADATA_RECORD_PARTITION:
	case METADATA_RECORD_PARTITION_CHANGE:
		return level >= 23 ? 2 : level >= 17 ? 1 : 0;
	default:
		return 0;
	}
}
