#include "base/base.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "wire/codec.h"
#include "wire/generated/request_header.h"
#include "wire/generated/response_header.h"
#include "wire/output.h"

/* What most answers fit into, so that one walk is enough for them. */
#define GUESS_LEN ((size_t)512)

/*
 * One walk both measures and writes: where there is no room it only adds up,
 * so the two can never disagree.
 */
struct writer {
	uint8_t *buffer;
	size_t room;		/* of the buffer; 0: only measure */
	size_t len;		/* bytes of memory so far */
	size_t file_len;	/* bytes of extents so far */
	struct output *out;	/* where pieces go; NULL: not yet */
	size_t piece_start;	/* where in the buffer the open piece began */
	int version;
	bool flexible;
	bool failed;		/* the arena's cap was passed */
};

static void encode_struct(struct writer *w, const struct kp_struct *s,
    const void *data);
static void encode_field(struct writer *w, const struct kp_field *f,
    bool tagged, const void *data);

/* Where the next len bytes go, or NULL where they are only counted. */
static inline uint8_t *
put(struct writer *w, size_t len)
{
	size_t at = w->len;

	w->len += len;
	return w->len <= w->room ? w->buffer + at : NULL;
}

static inline void
put8(struct writer *w, uint8_t value)
{
	uint8_t *at = put(w, 1);

	if (at != NULL)
		*at = value;
}

static inline void
put16(struct writer *w, uint16_t value)
{
	uint8_t *at = put(w, 2);

	if (at != NULL)
		be16_put(at, value);
}

static inline void
put32(struct writer *w, uint32_t value)
{
	uint8_t *at = put(w, 4);

	if (at != NULL)
		be32_put(at, value);
}

static inline void
put64(struct writer *w, uint64_t value)
{
	uint8_t *at = put(w, 8);

	if (at != NULL)
		be64_put(at, value);
}

static void
put_uvarint(struct writer *w, uint32_t value)
{
	uint8_t *at;

	if (value < 0x80) {
		put8(w, (uint8_t)value);
		return;
	}
	at = put(w, uvarint_len(value));
	if (at != NULL)
		(void)uvarint_put(at, value);
}

static void
put_bytes(struct writer *w, const void *data, size_t len)
{
	uint8_t *at = put(w, len);

	if (at != NULL && len > 0)
		memcpy(at, data, len);
}

/* A length or count of 32 bits; -1 is null. */
static void
put_len32(struct writer *w, int64_t len)
{
	if (w->flexible)
		put_uvarint(w, (uint32_t)(len + 1));
	else
		put32(w, (uint32_t)len);
}

static void
encode_string(struct writer *w, struct slice s, bool compact, bool nullable)
{
	bool null = slice_is_null(s) && nullable;
	size_t len = MIN(s.len, (size_t)KP_STRING_LEN_MAX);

	if (compact)
		put_uvarint(w, null ? 0 : (uint32_t)len + 1);
	else
		put16(w, null ? UINT16_MAX : (uint16_t)len);
	put_bytes(w, s.data, len);
}

static void
encode_bytes(struct writer *w, struct slice s, bool nullable)
{
	bool null = slice_is_null(s) && nullable;

	put_len32(w, null ? -1 : (int64_t)s.len);
	put_bytes(w, s.data, s.len);
}

/* End the open piece of memory, so that something else can follow it. */
static void
piece_end(struct writer *w)
{
	if (output_bytes(w->out, w->buffer + w->piece_start,
	    w->len - w->piece_start) != 0)
		w->failed = true;
	w->piece_start = w->len;
}

static void
encode_extents(struct writer *w, const struct kp_records *records)
{
	const struct kp_extent *e = records->extents;

	put_len32(w, (int64_t)records->len);
	w->file_len += records->len;
	if (w->out == NULL) {
		w->room = 0;
		return;
	}
	piece_end(w);
	for (int32_t i = 0; i < records->extents_count; i++, e++) {
		if (output_file(w->out, e->fd, e->position, e->len) != 0)
			w->failed = true;
	}
}

/* False: it is no number.  Most fields are, so this is without a call. */
static inline bool
encode_number(struct writer *w, enum kp_kind kind, const void *at)
{
	switch (kind) {
	case KP_BOOL:
		put8(w, *(const bool *)at ? 1 : 0);
		return true;
	case KP_INT8:
		put8(w, *(const uint8_t *)at);
		return true;
	case KP_INT16:
	case KP_UINT16:
		put16(w, *(const uint16_t *)at);
		return true;
	case KP_INT32:
	case KP_UINT32:
		put32(w, *(const uint32_t *)at);
		return true;
	case KP_INT64:
	case KP_FLOAT64:
		put64(w, *(const uint64_t *)at);
		return true;
	default:
		return false;
	}
}

static void
encode_value(struct writer *w, enum kp_kind kind, const struct kp_struct *type,
    bool nullable, const void *at)
{
	const struct kp_records *records = at;

	switch (kind) {
	case KP_STRING:
		encode_string(w, *(const struct slice *)at, w->flexible,
		    nullable);
		return;
	case KP_STRING_PLAIN:
		encode_string(w, *(const struct slice *)at, false, nullable);
		return;
	case KP_BYTES:
		encode_bytes(w, *(const struct slice *)at, nullable);
		return;
	case KP_RECORDS:
		if (records->extents_count > 0)
			encode_extents(w, records);
		else
			encode_bytes(w, records->bytes, nullable);
		return;
	case KP_STRUCT:
		encode_struct(w, type, at);
		return;
	case KP_UUID:
		put_bytes(w, at, sizeof(struct uuid));
		return;
	default:
		if (!encode_number(w, kind, at))
			assert(!"a kind without an encoder");
	}
}

static void
encode_array(struct writer *w, const struct kp_field *f, bool nullable,
    const void *at)
{
	const uint8_t *elements = kp_elements(at);
	int32_t count = kp_count_get(at);
	size_t size = kp_kind_size(f->element, f->type);

	if (count < 0 && !nullable)
		count = 0;
	put_len32(w, count);
	for (int32_t i = 0; i < count; i++)
		encode_value(w, f->element, f->type, false,
		    elements + (size_t)i * size);
}

static void
encode_pointer(struct writer *w, const struct kp_field *f, bool nullable,
    bool tagged, const void *at)
{
	const void *data = kp_elements(at);

	if (data == NULL && !nullable)
		data = f->type->defaults;
	if (nullable && tagged)
		put_uvarint(w, data == NULL ? 0 : 1);
	else if (nullable)
		put8(w, data == NULL ? 0xff : 1);
	if (data != NULL)
		encode_struct(w, f->type, data);
}

static void
encode_field(struct writer *w, const struct kp_field *f, bool tagged,
    const void *data)
{
	const void *at = (const char *)data + f->offset;
	bool nullable = w->version >= f->null_min;

	if (f->kind == KP_ARRAY)
		encode_array(w, f, nullable, at);
	else if (f->kind == KP_STRUCT_POINTER)
		encode_pointer(w, f, nullable, tagged, at);
	else
		encode_value(w, f->kind, f->type, nullable, at);
}

static bool
tag_is_written(const struct writer *w, const struct kp_struct *s,
    const struct kp_field *f, const void *data)
{
	return kp_field_present(f, w->version) &&
	    !kp_field_is_default(s, f, data);
}

static void
encode_tagged(struct writer *w, const struct kp_field *f, const void *data)
{
	struct writer measure = {
		.version = w->version,
		.flexible = w->flexible,
	};

	encode_field(&measure, f, true, data);
	put_uvarint(w, f->tag);
	put_uvarint(w, (uint32_t)measure.len);
	encode_field(w, f, true, data);
}

static void
encode_tags(struct writer *w, const struct kp_struct *s, const void *data)
{
	const struct kp_field *tags = s->fields + s->field_count;
	uint32_t written = 0;	/* bit i: tags[i] is */

	assert(s->tag_count <= 32);
	for (int i = 0; i < s->tag_count; i++) {
		if (tag_is_written(w, s, &tags[i], data))
			written |= 1U << i;
	}
	put_uvarint(w, (uint32_t)__builtin_popcount(written));
	for (int i = 0; i < s->tag_count && written != 0; i++) {
		if ((written & 1U << i) != 0)
			encode_tagged(w, &tags[i], data);
	}
}

static void
encode_struct(struct writer *w, const struct kp_struct *s, const void *data)
{
	const struct kp_field *f = s->fields;

	for (int i = 0; i < s->field_count; i++, f++) {
		if (kp_field_present(f, w->version) &&
		    !encode_number(w, f->kind, (const char *)data + f->offset))
			encode_field(w, f, false, data);
	}
	if (w->flexible)
		encode_tags(w, s, data);
}

/* A message with its version: one part of what is written in one go. */
struct part {
	const struct kp_message *message;
	int version;
	const void *body;
};

static void
encode_part(struct writer *w, const struct part *part)
{
	assert(kp_version_valid(part->message, part->version));
	w->version = part->version;
	w->flexible = kp_flexible(part->message, part->version);
	encode_struct(w, part->message->body, part->body);
}

static void
encode_all(
    struct writer *w, const struct part *parts, int count, bool frame)
{
	if (frame)
		put32(w, 0);
	for (int i = 0; i < count; i++)
		encode_part(w, &parts[i]);
}

/* The bytes are all there: the length of a frame, and the last piece. */
static int
finish(struct writer *w, bool frame)
{
	if (frame)
		be32_put(w->buffer, (uint32_t)(w->len + w->file_len - 4));
	piece_end(w);
	return w->failed ? -1 : 0;
}

/*
 * Write the parts, behind their length if it is a frame.  The walk that
 * measures writes as well, as far as a guess reaches; where that was too short
 * or parts of files follow, another one writes.
 */
static int
encode_parts(const struct part *parts, int count, bool frame,
    struct output *out)
{
	struct writer first = {
		.buffer = arena_alloc(out->arena, GUESS_LEN)
	};
	struct writer w = { .out = out };

	first.room = first.buffer == NULL ? 0 : GUESS_LEN;
	encode_all(&first, parts, count, frame);
	if (first.len + first.file_len > INT32_MAX)
		return -1;
	if (first.len <= first.room) {
		arena_shrink(
		    out->arena, first.buffer, GUESS_LEN, first.len);
		first.out = out;
		return finish(&first, frame);
	}
	if (first.buffer != NULL)
		arena_shrink(out->arena, first.buffer, GUESS_LEN, 0);
	w.buffer = arena_alloc(out->arena, first.len);
	if (w.buffer == NULL)
		return -1;
	w.room = first.len;
	encode_all(&w, parts, count, frame);
	assert(w.len == first.len);
	return finish(&w, frame);
}

/* A walk that writes into so many bytes of the arena, or measures. */
static struct writer
encode_prefixed(struct arena *arena, size_t room, int16_t prefix,
    const struct part *part)
{
	struct writer w = { .buffer = arena_alloc(arena, room) };

	w.room = w.buffer == NULL ? 0 : room;
	put16(&w, (uint16_t)prefix);
	encode_part(&w, part);
	assert(w.file_len == 0);
	if (w.buffer != NULL)
		arena_shrink(arena, w.buffer, room, w.len <= room ? w.len : 0);
	return w;
}

struct slice
kp_encode_prefixed(struct arena *arena, int16_t prefix,
    const struct kp_message *m, int version, const void *body)
{
	const struct part part = { m, version, body };
	struct writer w = encode_prefixed(arena, GUESS_LEN, prefix, &part);

	if (w.len > w.room && w.len <= INT32_MAX)
		w = encode_prefixed(arena, w.len, prefix, &part);
	return w.len <= w.room ? slice_of(w.buffer, w.len) : SLICE_NULL;
}

size_t
kp_size(const struct kp_message *m, int version, const void *body)
{
	struct writer measure = { 0 };

	encode_part(&measure, &(struct part){ m, version, body });
	return measure.len + measure.file_len;
}

int
kp_encode(const struct kp_message *m, int version, const void *body,
    struct output *out)
{
	struct part part = { m, version, body };

	return encode_parts(&part, 1, false, out);
}

int
kp_encode_request(const struct kp_api *api, int version,
    int32_t correlation_id, struct slice client_id, const void *body,
    struct output *out)
{
	struct kp_request_header header;
	struct part parts[2] = {
		{ &kp_request_header,
		  kp_request_header_version(api, version), &header },
		{ api->request, version, body },
	};

	kp_defaults(&kp_request_header, &header);
	header.request_api_key = api->request->key;
	header.request_api_version = (int16_t)version;
	header.correlation_id = correlation_id;
	header.client_id = client_id;
	return encode_parts(parts, 2, true, out);
}

int
kp_encode_response(const struct kp_api *api, int version,
    int32_t correlation_id, const void *body, struct output *out)
{
	struct kp_response_header header;
	struct part parts[2] = {
		{ &kp_response_header,
		  kp_response_header_version(api, version), &header },
		{ api->response, version, body },
	};

	kp_defaults(&kp_response_header, &header);
	header.correlation_id = correlation_id;
	return encode_parts(parts, 2, true, out);
}
