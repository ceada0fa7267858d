#include "base/base.h"
#include "base/arena.h"
#include "base/uuid.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/tables.h"
#include "wire/message.h"

const struct kp_api *
kp_api_find(int key)
{
	if (key < 0 || key > kp_api_key_max || kp_apis[key].name == NULL)
		return NULL;
	return &kp_apis[key];
}

const struct kp_record *
kp_record_find(enum kp_log log, int type)
{
	const struct kp_record_table *table = &kp_record_tables[log];

	for (size_t i = 0; i < table->count; i++) {
		if (table->records[i].type == type)
			return &table->records[i];
	}
	return NULL;
}

const struct kp_message *
kp_message_find(const char *name)
{
	for (int i = 0; i < kp_messages_count; i++) {
		if (strcmp(kp_messages[i]->name, name) == 0)
			return kp_messages[i];
	}
	return NULL;
}

int
kp_request_header_version(const struct kp_api *api, int version)
{
	return kp_flexible(api->request, version) ? 2 : 1;
}

int
kp_response_header_version(const struct kp_api *api, int version)
{
	/* A client reads it before it knows which versions the broker has. */
	if (api->response == &kp_api_versions_response)
		return 0;
	return kp_flexible(api->response, version) ? 1 : 0;
}

void
kp_defaults(const struct kp_message *m, void *body)
{
	kp_defaults_struct(m->body, body);
}

void
kp_defaults_struct(const struct kp_struct *s, void *data)
{
	memcpy(data, s->defaults, s->size);
}

void *
kp_array(struct arena *arena, const struct kp_struct *s, int32_t count)
{
	uint8_t *elements;

	if (count < 0)
		return NULL;
	elements = arena_xcalloc(arena, (size_t)count, s->size);
	for (int32_t i = 0; i < count; i++)
		kp_defaults_struct(s, elements + (size_t)i * s->size);
	return elements;
}

size_t
kp_kind_size(enum kp_kind kind, const struct kp_struct *type)
{
	switch (kind) {
	case KP_BOOL:
		return sizeof(bool);
	case KP_INT8:
		return sizeof(int8_t);
	case KP_INT16:
	case KP_UINT16:
		return sizeof(int16_t);
	case KP_INT32:
	case KP_UINT32:
		return sizeof(int32_t);
	case KP_INT64:
		return sizeof(int64_t);
	case KP_FLOAT64:
		return sizeof(double);
	case KP_UUID:
		return sizeof(struct uuid);
	case KP_STRING:
	case KP_STRING_PLAIN:
	case KP_BYTES:
		return sizeof(struct slice);
	case KP_RECORDS:
		return sizeof(struct kp_records);
	case KP_STRUCT:
		return type->size;
	case KP_STRUCT_POINTER:
	case KP_ARRAY:
		break;
	}
	return sizeof(void *);
}

static bool
slice_is_default(const void *at, const void *def)
{
	struct slice a, b;

	memcpy(&a, at, sizeof(a));
	memcpy(&b, def, sizeof(b));
	return slice_equal(a, b);
}

static bool
struct_is_default(const struct kp_struct *s, const void *data)
{
	for (int i = 0; i < s->field_count + s->tag_count; i++) {
		if (!kp_field_is_default(s, &s->fields[i], data))
			return false;
	}
	return true;
}

/* Null is the default, or the default is a struct at its own defaults. */
static bool
pointer_is_default(const struct kp_field *f, const void *at, const void *def)
{
	const void *a = kp_elements(at);
	const void *b = kp_elements(def);

	if (a == NULL || b == NULL)
		return a == b;
	return struct_is_default(f->type, a);
}

bool
kp_field_is_default(const struct kp_struct *s, const struct kp_field *f,
    const void *data)
{
	const char *at = (const char *)data + f->offset;
	const char *def = (const char *)s->defaults + f->offset;

	switch ((enum kp_kind)f->kind) {
	case KP_STRING:
	case KP_STRING_PLAIN:
	case KP_BYTES:
	case KP_RECORDS:
		return slice_is_default(at, def);
	case KP_STRUCT:
		return struct_is_default(f->type, at);
	case KP_STRUCT_POINTER:
		return pointer_is_default(f, at, def);
	case KP_ARRAY:
		return kp_count_get(at) == kp_count_get(def);
	default:
		return memcmp(at, def, kp_kind_size(f->kind, NULL)) == 0;
	}
}
