#include "cli/message_json.h"

#include <inttypes.h>

#include "base/base64.h"
#include "base/uuid.h"
#include "cli/java_text.h"

static void print_struct(struct message_json *json, const struct kp_struct *s,
    int version, const void *data);

static void
print_string(struct message_json *json, struct slice s)
{
	if (slice_is_null(s)) {
		fputs("null", json->out);
		return;
	}
	fputc('"', json->out);
	java_text_print_json(json->out, s);
	fputc('"', json->out);
}

/* Base64 in pieces, so that large values need no second copy. */
static void
print_bytes(struct message_json *json, struct slice s)
{
	char text[4 * 1024];

	if (slice_is_null(s)) {
		fputs("null", json->out);
		return;
	}
	fputc('"', json->out);
	while (s.len > 0) {
		size_t len = MIN(s.len, sizeof(text) / 4 * 3);

		base64_encode(slice_of(s.data, len), text);
		fwrite(text, 1, base64_len(len), json->out);
		s = slice_of(s.data + len, s.len - len);
	}
	fputc('"', json->out);
}

static void
print_uuid(struct message_json *json, const struct uuid *u)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_format(*u, text);
	fprintf(json->out, "\"%s\"", text);
}

static int64_t
integer_at(enum kp_kind kind, const void *at)
{
	switch (kind) {
	case KP_INT8:
		return *(const int8_t *)at;
	case KP_INT16:
		return *(const int16_t *)at;
	case KP_UINT16:
		return *(const uint16_t *)at;
	case KP_INT32:
		return *(const int32_t *)at;
	case KP_UINT32:
		return *(const uint32_t *)at;
	default:
		assert(kind == KP_INT64);
		return *(const int64_t *)at;
	}
}

static void
print_value(struct message_json *json, enum kp_kind kind,
    const struct kp_struct *type, int version, const void *at)
{
	switch (kind) {
	case KP_BOOL:
		fputs(*(const bool *)at ? "true" : "false", json->out);
		break;
	case KP_FLOAT64:
		java_text_print_double(json->out, *(const double *)at);
		break;
	case KP_UUID:
		print_uuid(json, at);
		break;
	case KP_STRING:
	case KP_STRING_PLAIN:
		print_string(json, *(const struct slice *)at);
		break;
	case KP_BYTES:
		print_bytes(json, *(const struct slice *)at);
		break;
	case KP_RECORDS:
		print_bytes(json, ((const struct kp_records *)at)->bytes);
		break;
	case KP_STRUCT:
		print_struct(json, type, version, at);
		break;
	case KP_STRUCT_POINTER:
	case KP_ARRAY:
		assert(!"a kind that is not a value");
		break;
	default:
		fprintf(json->out, "%" PRId64, integer_at(kind, at));
		break;
	}
}

static void
print_array(struct message_json *json, const struct kp_field *f, int version,
    const void *at)
{
	const uint8_t *elements = kp_elements(at);
	int32_t count = kp_count_get(at);
	size_t size = kp_kind_size(f->element, f->type);

	if (count < 0) {
		fputs("null", json->out);
		return;
	}
	fputc('[', json->out);
	for (int32_t i = 0; i < count; i++) {
		if (i > 0)
			fputc(',', json->out);
		print_value(json, f->element, f->type, version,
		    elements + (size_t)i * size);
	}
	fputc(']', json->out);
}

static void
print_field(struct message_json *json, const struct kp_field *f, int version,
    const void *data)
{
	const void *at = (const char *)data + f->offset;

	fprintf(json->out, "\"%s\":", f->name);
	if (f->kind == KP_ARRAY)
		print_array(json, f, version, at);
	else if (f->kind == KP_BYTES && json->print_bytes != NULL &&
	    json->print_bytes(json, f->name, *(const struct slice *)at))
		return;
	else if (f->kind != KP_STRUCT_POINTER)
		print_value(json, f->kind, f->type, version, at);
	else if (kp_elements(at) == NULL)
		fputs("null", json->out);
	else
		print_struct(json, f->type, version, kp_elements(at));
}

/*
 * The fields lie in the C struct as they stand in the definition, while the
 * table has the tagged ones last: the field behind the one at `offset`.
 */
static const struct kp_field *
next_field(const struct kp_struct *s, int offset)
{
	const struct kp_field *next = NULL;

	for (int i = 0; i < s->field_count + s->tag_count; i++) {
		const struct kp_field *f = &s->fields[i];

		if (f->offset > offset &&
		    (next == NULL || f->offset < next->offset))
			next = f;
	}
	return next;
}

static bool
field_is_printed(const struct kp_struct *s, const struct kp_field *f,
    int version, const void *data)
{
	if (!kp_field_present(f, version))
		return false;
	return f - s->fields < s->field_count ||
	    !kp_field_is_default(s, f, data);
}

static void
print_struct(struct message_json *json, const struct kp_struct *s,
    int version, const void *data)
{
	const struct kp_field *f = next_field(s, -1);
	const char *separator = "";

	fputc('{', json->out);
	for (; f != NULL; f = next_field(s, f->offset)) {
		if (!field_is_printed(s, f, version, data))
			continue;
		fputs(separator, json->out);
		print_field(json, f, version, data);
		separator = ",";
	}
	fputc('}', json->out);
}

void
message_json_print(struct message_json *json, const struct kp_message *m,
    int version, const void *body)
{
	print_struct(json, m->body, version, body);
}
