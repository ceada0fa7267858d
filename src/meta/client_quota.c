#include "meta/client_quota.h"

#include "base/bytes.h"

#include <math.h>

/* How far from a whole number a value of a whole type may be. */
#define FRACTION_MAX 1e-6

static const char *const type_names[CLIENT_QUOTA_TYPES] = {
	[CLIENT_QUOTA_CLIENT_ID] = "client-id",
	[CLIENT_QUOTA_USER] = "user",
	[CLIENT_QUOTA_IP] = "ip",
};

/* What a key takes: whole numbers up to max, or any. */
static const struct {
	const char *name;
	const char *whole;	/* NULL: fractions, too */
	double max;
	bool of_ip;
} keys[CLIENT_QUOTA_KEYS] = {
	[CLIENT_QUOTA_PRODUCER_BYTE_RATE] = { "producer_byte_rate", "a LONG",
	    9223372036854775808.0, false },
	[CLIENT_QUOTA_CONSUMER_BYTE_RATE] = { "consumer_byte_rate", "a LONG",
	    9223372036854775808.0, false },
	[CLIENT_QUOTA_REQUEST_PERCENTAGE] = { "request_percentage", NULL, 0,
	    false },
	[CLIENT_QUOTA_CONTROLLER_MUTATION_RATE] = { "controller_mutation_rate",
	    NULL, 0, false },
	[CLIENT_QUOTA_CONNECTION_CREATION_RATE] = { "connection_creation_rate",
	    "an INT", INT32_MAX, true },
};

const char *
client_quota_type_name(enum client_quota_type type)
{
	return type_names[type];
}

int
client_quota_type_find(struct slice name, enum client_quota_type *type)
{
	for (int i = 0; i < CLIENT_QUOTA_TYPES; i++)
		if (slice_equal_str(name, type_names[i])) {
			*type = (enum client_quota_type)i;
			return 0;
		}
	return -1;
}

int
client_quota_key_find(struct slice name, enum client_quota_key *key)
{
	for (int i = 0; i < CLIENT_QUOTA_KEYS; i++)
		if (slice_equal_str(name, keys[i].name)) {
			*key = (enum client_quota_key)i;
			return 0;
		}
	return -1;
}

int
client_quota_entity_of(const struct kp_client_quota_record_entity *parts,
    int32_t count, struct client_quota_entity *entity)
{
	*entity = (struct client_quota_entity){ .has = { false } };
	for (int32_t i = 0; i < count; i++) {
		enum client_quota_type type;

		if (client_quota_type_find(parts[i].entity_type, &type) != 0)
			return -1;
		entity->has[type] = true;
		entity->names[type] = parts[i].entity_name;
	}
	return count > 0 ? 0 : -1;
}

/* --- Identity ------------------------------------------------------------- */

static int
compare_parts(const void *a, const void *b)
{
	const struct kp_client_quota_record_entity *left = a, *right = b;

	return slice_compare(left->entity_type, right->entity_type);
}

/* With its length in front, so that no text can look like two. */
static int
append_text(struct buf *identity, struct slice text)
{
	uint8_t len[4];

	be32_put(len, slice_is_null(text) ? UINT32_MAX : (uint32_t)text.len);
	if (buf_append(identity, len, sizeof(len)) != 0)
		return -1;
	return text.len == 0 ? 0 : buf_append(identity, text.data, text.len);
}

int
client_quota_identity(const struct kp_client_quota_record_entity *parts,
    int32_t count, struct slice key, struct buf *identity)
{
	size_t size = (size_t)MAX(count, 0) * sizeof(*parts);
	struct kp_client_quota_record_entity *sorted = xmalloc(size);
	int result = append_text(identity, key);

	if (count > 0) {
		memcpy(sorted, parts, size);
		qsort(sorted, (size_t)count, sizeof(*sorted), compare_parts);
	}
	for (int32_t i = 0; i < count && result == 0; i++) {
		result = append_text(identity, sorted[i].entity_type);
		if (result == 0)
			result = append_text(identity, sorted[i].entity_name);
	}
	free(sorted);
	return result;
}

static bool
take_text(struct slice *rest, struct slice *text)
{
	uint32_t len;

	if (rest->len < 4)
		return false;
	len = be32_get(rest->data);
	*rest = slice_of(rest->data + 4, rest->len - 4);
	*text = SLICE_NULL;
	if (len == UINT32_MAX)
		return true;
	if (rest->len < len)
		return false;
	*text = slice_of(rest->data, len);
	*rest = slice_of(rest->data + len, rest->len - len);
	return true;
}

int
client_quota_of_identity(struct slice identity, struct arena *arena,
    struct client_quota_entity *entity, struct slice *key)
{
	/* A part takes the lengths of its two texts at least. */
	struct kp_client_quota_record_entity *parts =
	    arena_xcalloc(arena, identity.len / 8 + 1, sizeof(*parts));
	int32_t count = 0;

	if (!take_text(&identity, key))
		return -1;
	for (; identity.len > 0; count++)
		if (!take_text(&identity, &parts[count].entity_type) ||
		    !take_text(&identity, &parts[count].entity_name))
			return -1;
	return client_quota_entity_of(parts, count, entity);
}

/* --- Values --------------------------------------------------------------- */

enum kp_error
client_quota_check(const struct client_quota_entity *entity, struct slice name,
    double value, struct arena *arena, struct slice *message)
{
	enum client_quota_key key;

	if (client_quota_key_find(name, &key) != 0 ||
	    keys[key].of_ip != entity->has[CLIENT_QUOTA_IP])
		*message = arena_printf(arena,
		    "Invalid configuration key %.*s", SLICE_ARG(name));
	else if (value <= 0)
		*message = arena_printf(arena,
		    "Quota %.*s must be greater than 0", SLICE_ARG(name));
	else if (keys[key].whole != NULL && value > keys[key].max)
		*message = arena_printf(arena,
		    "Proposed value for %.*s is too large for %s.",
		    SLICE_ARG(name), keys[key].whole);
	else if (keys[key].whole != NULL && fmod(value, 1) > FRACTION_MAX)
		*message = arena_printf(arena,
		    "%.*s cannot be a fractional value.", SLICE_ARG(name));
	else
		return KP_NONE;
	return KP_INVALID_REQUEST;
}
