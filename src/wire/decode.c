#include "base/base.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "wire/codec.h"
#include "wire/generated/request_header.h"

/*
 * Where we are in the input.  After an error nothing is left to read and
 * `failed` stays set, so that it is looked at in loops and at the end only.
 */
struct reader {
	const uint8_t *p;
	const uint8_t *end;
	struct arena *arena;
	int version;
	bool flexible;
	bool failed;
};

static void decode_struct(struct reader *r, const struct kp_struct *s,
    void *data);

static void
fail(struct reader *r)
{
	r->failed = true;
	r->p = r->end;
}

static inline size_t
left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

/* The next len bytes, or NULL where there are not as many. */
static inline const uint8_t *
take(struct reader *r, size_t len)
{
	const uint8_t *p = r->p;

	if (left(r) < len) {
		fail(r);
		return NULL;
	}
	r->p += len;
	return p;
}

static uint32_t
take_uvarint(struct reader *r)
{
	uint32_t value;
	size_t len;

	if (r->p < r->end && *r->p < 0x80)
		return *r->p++;
	len = uvarint_get(r->p, r->end, &value);
	if (len == 0) {
		fail(r);
		return 0;
	}
	r->p += len;
	return value;
}

/* Lengths and counts: -1 is null, and so is any negative one to Kafka. */
static int32_t
take_compact_len(struct reader *r)
{
	uint32_t value = take_uvarint(r);

	if (value > INT32_MAX) {
		fail(r);
		return -1;
	}
	return (int32_t)value - 1;
}

static int32_t
take_len16(struct reader *r, bool compact)
{
	const uint8_t *p;

	if (compact)
		return take_compact_len(r);
	p = take(r, 2);
	return p == NULL ? -1 : (int16_t)be16_get(p);
}

static int32_t
take_len32(struct reader *r)
{
	const uint8_t *p;

	if (r->flexible)
		return take_compact_len(r);
	p = take(r, 4);
	return p == NULL ? -1 : (int32_t)be32_get(p);
}

/* The len bytes that follow; a negative len is null. */
static struct slice
take_slice(struct reader *r, int32_t len, bool nullable)
{
	const uint8_t *p;

	if (len < 0) {
		if (!nullable)
			fail(r);
		return SLICE_NULL;
	}
	p = take(r, (size_t)len);
	return p == NULL ? SLICE_NULL : slice_of(p, (size_t)len);
}

static struct slice
take_string(struct reader *r, bool compact, bool nullable)
{
	int32_t len = take_len16(r, compact);

	if (len > KP_STRING_LEN_MAX) {
		fail(r);
		return SLICE_NULL;
	}
	return take_slice(r, len, nullable);
}

static void
decode_int16(struct reader *r, void *at)
{
	const uint8_t *p = take(r, 2);
	uint16_t value;

	if (p == NULL)
		return;
	value = be16_get(p);
	memcpy(at, &value, sizeof(value));
}

static void
decode_int32(struct reader *r, void *at)
{
	const uint8_t *p = take(r, 4);
	uint32_t value;

	if (p == NULL)
		return;
	value = be32_get(p);
	memcpy(at, &value, sizeof(value));
}

/* A float64 is its eight bytes in the same order. */
static void
decode_int64(struct reader *r, void *at)
{
	const uint8_t *p = take(r, 8);
	uint64_t value;

	if (p == NULL)
		return;
	value = be64_get(p);
	memcpy(at, &value, sizeof(value));
}

static void
decode_uuid(struct reader *r, void *at)
{
	const uint8_t *p = take(r, sizeof(struct uuid));

	if (p != NULL)
		memcpy(at, p, sizeof(struct uuid));
}

/* False: it is no number.  Most fields are, so this is without a call. */
static inline bool
decode_number(struct reader *r, enum kp_kind kind, void *at)
{
	const uint8_t *p;

	switch (kind) {
	case KP_BOOL:
		if ((p = take(r, 1)) != NULL)
			*(bool *)at = *p != 0;
		return true;
	case KP_INT8:
		if ((p = take(r, 1)) != NULL)
			*(uint8_t *)at = *p;
		return true;
	case KP_INT16:
	case KP_UINT16:
		decode_int16(r, at);
		return true;
	case KP_INT32:
	case KP_UINT32:
		decode_int32(r, at);
		return true;
	case KP_INT64:
	case KP_FLOAT64:
		decode_int64(r, at);
		return true;
	default:
		return false;
	}
}

/* One value that is not an array or a nullable struct. */
static void
decode_value(struct reader *r, enum kp_kind kind, const struct kp_struct *type,
    bool nullable, void *at)
{
	switch (kind) {
	case KP_STRING:
		*(struct slice *)at = take_string(r, r->flexible, nullable);
		return;
	case KP_STRING_PLAIN:
		*(struct slice *)at = take_string(r, false, nullable);
		return;
	case KP_BYTES:
		*(struct slice *)at = take_slice(r, take_len32(r), nullable);
		return;
	case KP_RECORDS:
		*(struct kp_records *)at = (struct kp_records){
			.bytes = take_slice(r, take_len32(r), nullable)
		};
		return;
	case KP_STRUCT:
		decode_struct(r, type, at);
		return;
	case KP_UUID:
		decode_uuid(r, at);
		return;
	default:
		if (!decode_number(r, kind, at))
			assert(!"a kind without a decoder");
	}
}

static size_t
wire_size_min(enum kp_kind kind, const struct kp_struct *type)
{
	if (kind == KP_STRUCT)
		return type->wire_size_min;
	if (kind == KP_STRING || kind == KP_BYTES)
		return 1;
	return kp_kind_size(kind, NULL);
}

/* Elements of arrays are never null. */
static uint8_t *
decode_elements(struct reader *r, const struct kp_field *f, int32_t count)
{
	size_t size = kp_kind_size(f->element, f->type);
	uint8_t *elements;

	if ((size_t)count > left(r) / wire_size_min(f->element, f->type)) {
		fail(r);
		return NULL;
	}
	elements = arena_alloc(r->arena, (size_t)count * size);
	if (elements == NULL) {
		fail(r);
		return NULL;
	}
	for (int32_t i = 0; i < count && !r->failed; i++)
		decode_value(r, f->element, f->type, false,
		    elements + (size_t)i * size);
	return elements;
}

static void
decode_array(struct reader *r, const struct kp_field *f, bool nullable,
    void *at)
{
	int32_t count = take_len32(r);
	uint8_t *elements = NULL;

	if (count < 0) {
		if (!nullable)
			fail(r);
		count = -1;
	} else if (count > 0) {
		elements = decode_elements(r, f, count);
		if (elements == NULL)
			count = 0;
	}
	memcpy(at, &elements, sizeof(elements));
	*kp_count(at) = count;
}

static bool
take_is_null(struct reader *r, bool tagged)
{
	const uint8_t *p;

	if (tagged)
		return take_uvarint(r) == 0;
	p = take(r, 1);
	return p == NULL || (int8_t)*p < 0;
}

/* A version that does not allow null has no byte that says so. */
static void
decode_pointer(struct reader *r, const struct kp_field *f, bool nullable,
    bool tagged, void *at)
{
	void *data = NULL;

	if (!nullable || !take_is_null(r, tagged)) {
		data = arena_alloc(r->arena, f->type->size);
		if (data == NULL)
			fail(r);
		else
			decode_struct(r, f->type, data);
	}
	memcpy(at, &data, sizeof(data));
}

static void
decode_field(struct reader *r, const struct kp_field *f, bool tagged,
    void *data)
{
	void *at = (char *)data + f->offset;
	bool nullable = r->version >= f->null_min;

	if (f->kind == KP_ARRAY)
		decode_array(r, f, nullable, at);
	else if (f->kind == KP_STRUCT_POINTER)
		decode_pointer(r, f, nullable, tagged, at);
	else
		decode_value(r, f->kind, f->type, nullable, at);
}

static const struct kp_field *
tag_find(const struct kp_struct *s, uint32_t tag, int version)
{
	const struct kp_field *f = s->fields + s->field_count;

	for (int i = 0; i < s->tag_count; i++, f++) {
		if (f->tag == tag && kp_field_present(f, version))
			return f;
	}
	return NULL;
}

/* A tagged field fills exactly the size that it announced. */
static void
decode_tagged(struct reader *r, const struct kp_struct *s, void *data)
{
	uint32_t tag = take_uvarint(r);
	uint32_t size = take_uvarint(r);
	const struct kp_field *f = tag_find(s, tag, r->version);
	const uint8_t *end = r->end;

	if (size > left(r) || (f == NULL && size > KP_TAG_UNKNOWN_SIZE_MAX)) {
		fail(r);
		return;
	}
	if (f == NULL) {
		r->p += size;
		return;
	}
	r->end = r->p + size;
	decode_field(r, f, true, data);
	if (r->p != r->end)
		r->failed = true;
	r->end = end;
	if (r->failed)
		r->p = end;
}

static void
decode_tags(struct reader *r, const struct kp_struct *s, void *data)
{
	uint32_t count = take_uvarint(r);

	if (count > KP_TAGS_MAX) {
		fail(r);
		return;
	}
	for (uint32_t i = 0; i < count && !r->failed; i++)
		decode_tagged(r, s, data);
}

static void
decode_struct(struct reader *r, const struct kp_struct *s, void *data)
{
	const struct kp_field *f = s->fields;

	kp_defaults_struct(s, data);
	for (int i = 0; i < s->field_count; i++, f++) {
		if (kp_field_present(f, r->version) &&
		    !decode_number(r, f->kind, (char *)data + f->offset))
			decode_field(r, f, false, data);
	}
	if (r->flexible)
		decode_tags(r, s, data);
}

int
kp_decode_prefix(const struct kp_message *m, int version, struct slice in,
    struct arena *arena, void *body, size_t *used)
{
	struct reader r = {
		.p = in.data,
		.end = in.data + in.len,
		.arena = arena,
		.version = version,
		.flexible = kp_flexible(m, version),
	};

	if (!kp_version_valid(m, version) || in.data == NULL)
		return -1;
	decode_struct(&r, m->body, body);
	*used = (size_t)(r.p - in.data);
	return r.failed ? -1 : 0;
}

int
kp_decode(const struct kp_message *m, int version, struct slice in,
    struct arena *arena, void *body)
{
	size_t used;

	if (kp_decode_prefix(m, version, in, arena, body, &used) != 0)
		return -1;
	return used == in.len ? 0 : -1;
}

int
kp_decode_request_header(struct slice frame, struct arena *arena,
    struct kp_request_header *header, size_t *used)
{
	const struct kp_api *api;
	int version;

	if (frame.len < 4)
		return -1;
	api = kp_api_find((int16_t)be16_get(frame.data));
	if (api == NULL)
		return -1;
	version = (int16_t)be16_get(frame.data + 2);
	return kp_decode_prefix(&kp_request_header,
	    kp_request_header_version(api, version), frame, arena, header,
	    used);
}
