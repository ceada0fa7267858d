#include <math.h>

#include "base/base.h"
#include "base/arena.h"
#include "base/base64.h"
#include "base/uuid.h"
#include "wire/codec.h"
#include "wire/json.h"

/* --- Writing ------------------------------------------------------------ */

static json_t *write_struct(const struct kp_struct *s, int version,
    const void *data);

/* A value that jansson had no reason to refuse. */
static json_t *
made(json_t *json)
{
	assert(json != NULL);
	return json;
}

/* Strings of a peer need not be UTF-8, which jansson insists on. */
static json_t *
write_string(struct slice s)
{
	json_t *json;
	char *copy;

	if (slice_is_null(s))
		return json_null();
	json = json_stringn((const char *)s.data, s.len);
	if (json != NULL)
		return json;
	copy = slice_dup(s);
	for (size_t i = 0; i < s.len; i++) {
		if ((uint8_t)copy[i] >= 0x80)
			copy[i] = '?';
	}
	json = made(json_stringn(copy, s.len));
	free(copy);
	return json;
}

static json_t *
write_bytes(struct slice s)
{
	size_t len = base64_len(s.len);
	json_t *json;
	char *text;

	if (slice_is_null(s))
		return json_null();
	text = xmalloc(len);
	base64_encode(s, text);
	json = made(json_stringn(text, len));
	free(text);
	return json;
}

static json_t *
write_records(const struct kp_records *records)
{
	if (records->extents_count > 0)
		return made(json_integer((json_int_t)records->len));
	return write_bytes(records->bytes);
}

/* Java's names for what JSON has no number for. */
static json_t *
write_float(double value)
{
	if (isnan(value))
		return made(json_string("NaN"));
	if (isinf(value))
		return made(json_string(value > 0 ? "Infinity" : "-Infinity"));
	return made(json_real(value));
}

static json_t *
write_uuid(const struct uuid *u)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_format(*u, text);
	return made(json_string(text));
}

static json_t *
write_value(enum kp_kind kind, const struct kp_struct *type, int version,
    const void *at)
{
	switch (kind) {
	case KP_BOOL:
		return json_boolean(*(const bool *)at);
	case KP_INT8:
		return made(json_integer(*(const int8_t *)at));
	case KP_INT16:
		return made(json_integer(*(const int16_t *)at));
	case KP_UINT16:
		return made(json_integer(*(const uint16_t *)at));
	case KP_INT32:
		return made(json_integer(*(const int32_t *)at));
	case KP_UINT32:
		return made(json_integer(*(const uint32_t *)at));
	case KP_INT64:
		return made(json_integer(*(const int64_t *)at));
	case KP_FLOAT64:
		return write_float(*(const double *)at);
	case KP_UUID:
		return write_uuid(at);
	case KP_STRING:
	case KP_STRING_PLAIN:
		return write_string(*(const struct slice *)at);
	case KP_BYTES:
		return write_bytes(*(const struct slice *)at);
	case KP_RECORDS:
		return write_records(at);
	case KP_STRUCT:
		return write_struct(type, version, at);
	case KP_STRUCT_POINTER:
	case KP_ARRAY:
		break;
	}
	assert(!"a kind that is not a value");
	return NULL;
}

static json_t *
write_array(const struct kp_field *f, int version, const void *at)
{
	const uint8_t *elements = kp_elements(at);
	int32_t count = kp_count_get(at);
	size_t size = kp_kind_size(f->element, f->type);
	json_t *array;

	if (count < 0)
		return json_null();
	array = made(json_array());
	for (int32_t i = 0; i < count; i++)
		assert(json_array_append_new(array, write_value(f->element,
		    f->type, version, elements + (size_t)i * size)) == 0);
	return array;
}

static json_t *
write_field(const struct kp_field *f, int version, const void *data)
{
	const void *at = (const char *)data + f->offset;

	if (f->kind == KP_ARRAY)
		return write_array(f, version, at);
	if (f->kind != KP_STRUCT_POINTER)
		return write_value(f->kind, f->type, version, at);
	if (kp_elements(at) == NULL)
		return json_null();
	return write_struct(f->type, version, kp_elements(at));
}

static bool
field_is_written(const struct kp_struct *s, int i, int version,
    const void *data)
{
	const struct kp_field *f = &s->fields[i];

	if (!kp_field_present(f, version))
		return false;
	return i < s->field_count || !kp_field_is_default(s, f, data);
}

static json_t *
write_struct(const struct kp_struct *s, int version, const void *data)
{
	json_t *object = made(json_object());

	for (int i = 0; i < s->field_count + s->tag_count; i++) {
		if (field_is_written(s, i, version, data))
			assert(json_object_set_new(object, s->fields[i].name,
			    write_field(&s->fields[i], version, data)) == 0);
	}
	return object;
}

json_t *
kp_json_write(const struct kp_message *m, int version, const void *body)
{
	return write_struct(m->body, version, body);
}

char *
kp_json_dump(const struct kp_message *m, int version, const void *body)
{
	json_t *json = kp_json_write(m, version, body);
	char *text = json_dumps(json, JSON_COMPACT);

	assert(text != NULL);
	json_decref(json);
	return text;
}

/* --- Reading ------------------------------------------------------------ */

struct json_reader {
	struct arena *arena;
	int version;
	const char *where;	/* the field that we are at */
};

static int read_struct(struct json_reader *r, const struct kp_struct *s,
    const json_t *json, void *data);

/* Null for fields that do not allow it is as wrong as another type. */
static int
read_string(struct json_reader *r, const json_t *json, bool nullable,
    struct slice *s)
{
	size_t len;
	uint8_t *copy;

	*s = SLICE_NULL;
	if (json_is_null(json))
		return nullable ? 0 : -1;
	if (!json_is_string(json))
		return -1;
	len = json_string_length(json);
	copy = arena_alloc(r->arena, len);
	if (copy == NULL)
		return -1;
	memcpy(copy, json_string_value(json), len);
	*s = slice_of(copy, len);
	return len > KP_STRING_LEN_MAX ? -1 : 0;
}

static int
read_bytes(struct json_reader *r, const json_t *json, bool nullable,
    struct slice *s)
{
	uint8_t *data;
	size_t len;

	*s = SLICE_NULL;
	if (json_is_null(json))
		return nullable ? 0 : -1;
	if (!json_is_string(json))
		return -1;
	len = json_string_length(json);
	data = arena_alloc(r->arena, len / 4 * 3);
	if (data == NULL ||
	    base64_decode(slice_of(json_string_value(json), len), data,
	    &s->len) != 0)
		return -1;
	s->data = data;
	return 0;
}

static int
read_uuid(const json_t *json, struct uuid *u)
{
	if (!json_is_string(json))
		return -1;
	return uuid_parse(slice_of(json_string_value(json),
	    json_string_length(json)), u);
}

static int
read_float(const json_t *json, double *value)
{
	if (json_is_number(json)) {
		*value = json_number_value(json);
		return 0;
	}
	if (!json_is_string(json))
		return -1;
	if (strcmp(json_string_value(json), "NaN") == 0)
		*value = (double)NAN;
	else if (strcmp(json_string_value(json), "Infinity") == 0)
		*value = (double)INFINITY;
	else if (strcmp(json_string_value(json), "-Infinity") == 0)
		*value = -(double)INFINITY;
	else
		return -1;
	return 0;
}

static int
read_bool(const json_t *json, bool *value)
{
	if (!json_is_boolean(json))
		return -1;
	*value = json_is_true(json);
	return 0;
}

/* An integer in [min, max], stored in `size` bytes. */
static int
read_integer(const json_t *json, int64_t min, int64_t max, size_t size,
    void *at)
{
	int64_t value = json_integer_value(json);

	if (!json_is_integer(json) || value < min || value > max)
		return -1;
	if (size == 1)
		*(int8_t *)at = (int8_t)value;
	else if (size == 2)
		*(int16_t *)at = (int16_t)value;
	else if (size == 4)
		*(int32_t *)at = (int32_t)value;
	else
		*(int64_t *)at = value;
	return 0;
}

static int
read_records(struct json_reader *r, const json_t *json, bool nullable,
    struct kp_records *records)
{
	*records = (struct kp_records){ 0 };
	return read_bytes(r, json, nullable, &records->bytes);
}

static int
read_value(struct json_reader *r, enum kp_kind kind,
    const struct kp_struct *type, bool nullable, const json_t *json, void *at)
{
	switch (kind) {
	case KP_BOOL:
		return read_bool(json, at);
	case KP_INT8:
		return read_integer(json, INT8_MIN, INT8_MAX, 1, at);
	case KP_INT16:
		return read_integer(json, INT16_MIN, INT16_MAX, 2, at);
	case KP_UINT16:
		return read_integer(json, 0, UINT16_MAX, 2, at);
	case KP_INT32:
		return read_integer(json, INT32_MIN, INT32_MAX, 4, at);
	case KP_UINT32:
		return read_integer(json, 0, UINT32_MAX, 4, at);
	case KP_INT64:
		return read_integer(json, INT64_MIN, INT64_MAX, 8, at);
	case KP_FLOAT64:
		return read_float(json, at);
	case KP_UUID:
		return read_uuid(json, at);
	case KP_STRING:
	case KP_STRING_PLAIN:
		return read_string(r, json, nullable, at);
	case KP_BYTES:
		return read_bytes(r, json, nullable, at);
	case KP_RECORDS:
		return read_records(r, json, nullable, at);
	case KP_STRUCT:
		return read_struct(r, type, json, at);
	case KP_STRUCT_POINTER:
	case KP_ARRAY:
		break;
	}
	assert(!"a kind that is not a value");
	return -1;
}

static int
read_array(struct json_reader *r, const struct kp_field *f, bool nullable,
    const json_t *json, void *at)
{
	size_t size = kp_kind_size(f->element, f->type);
	size_t count = json_array_size(json);
	uint8_t *elements = NULL;

	*kp_count(at) = -1;
	memcpy(at, &elements, sizeof(elements));
	if (json_is_null(json))
		return nullable ? 0 : -1;
	if (!json_is_array(json) || count > INT32_MAX)
		return -1;
	elements = arena_calloc(r->arena, count, size);
	if (elements == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (read_value(r, f->element, f->type, false,
		    json_array_get(json, i), elements + i * size) != 0)
			return -1;
	}
	memcpy(at, &elements, sizeof(elements));
	*kp_count(at) = (int32_t)count;
	return 0;
}

static int
read_pointer(struct json_reader *r, const struct kp_field *f, bool nullable,
    const json_t *json, void *at)
{
	void *data = NULL;

	if (!json_is_null(json)) {
		data = arena_alloc(r->arena, f->type->size);
		if (data == NULL || read_struct(r, f->type, json, data) != 0)
			return -1;
	} else if (!nullable) {
		return -1;
	}
	memcpy(at, &data, sizeof(data));
	return 0;
}

static int
read_field(struct json_reader *r, const struct kp_field *f,
    const json_t *json, void *data)
{
	void *at = (char *)data + f->offset;
	bool nullable = r->version >= f->null_min;

	if (f->kind == KP_ARRAY)
		return read_array(r, f, nullable, json, at);
	if (f->kind == KP_STRUCT_POINTER)
		return read_pointer(r, f, nullable, json, at);
	return read_value(r, f->kind, f->type, nullable, json, at);
}

static int
read_struct(struct json_reader *r, const struct kp_struct *s,
    const json_t *json, void *data)
{
	kp_defaults_struct(s, data);
	if (!json_is_object(json))
		return -1;
	for (int i = 0; i < s->field_count + s->tag_count; i++) {
		const struct kp_field *f = &s->fields[i];
		const json_t *value = json_object_get(json, f->name);

		if (!kp_field_present(f, r->version))
			continue;
		if (value == NULL && i >= s->field_count)
			continue;
		r->where = f->name;
		if (value == NULL || read_field(r, f, value, data) != 0)
			return -1;
	}
	return 0;
}

int
kp_json_read(const struct kp_message *m, int version, const json_t *json,
    struct arena *arena, void *body, const char **where)
{
	struct json_reader r = { arena, version, m->name };

	assert(kp_version_valid(m, version));
	if (read_struct(&r, m->body, json, body) != 0) {
		*where = r.where;
		return -1;
	}
	return 0;
}
