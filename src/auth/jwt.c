#include "auth/jwt.h"

#include "base/base64.h"

#define PARTS 3

/* Their order is that of the token. */
enum part { PART_HEADER, PART_CLAIMS, PART_SIGNATURE };

static bool
split(struct slice token, struct slice parts[PARTS])
{
	const uint8_t *begin = token.data, *end = token.data + token.len;

	for (int i = 0; i < PARTS; i++) {
		const uint8_t *dot = begin == end ?
		    NULL :
		    memchr(begin, '.', (size_t)(end - begin));

		if ((dot == NULL) != (i + 1 == PARTS))
			return false;
		parts[i] = slice_of(
		    begin, (size_t)((dot == NULL ? end : dot) - begin));
		begin = dot == NULL ? end : dot + 1;
	}
	return true;
}

static int
decode(struct slice part, struct arena *arena, struct slice *bytes)
{
	uint8_t *data = arena_alloc(arena, part.len / 4 * 3 + 2);

	if (data == NULL || base64_decode_url(part, data, &bytes->len) != 0)
		return -1;
	bytes->data = data;
	return 0;
}

/* Numbers are all read as real ones: none is too large for that. */
static json_t *
object_of(struct slice part, struct arena *arena)
{
	struct slice text;
	json_t *json;

	if (decode(part, arena, &text) != 0)
		return NULL;
	json = json_loadb((const char *)text.data, text.len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

int
jwt_parse(struct slice token, struct arena *arena, struct jwt *jwt,
    const char **reason)
{
	struct slice parts[PARTS];

	*jwt = (struct jwt){ .header = NULL };
	*reason = "it has not three parts";
	if (!split(token, parts))
		return -1;
	*reason = "its signature is no base64url";
	if (decode(parts[PART_SIGNATURE], arena, &jwt->signature) != 0)
		return -1;
	*reason = "its header is no JSON object in base64url";
	jwt->header = object_of(parts[PART_HEADER], arena);
	if (jwt->header == NULL)
		return -1;
	*reason = "its claims are no JSON object in base64url";
	jwt->claims = object_of(parts[PART_CLAIMS], arena);
	if (jwt->claims == NULL) {
		jwt_fini(jwt);
		return -1;
	}
	jwt->signed_text = slice_of(token.data,
	    parts[PART_HEADER].len + 1 + parts[PART_CLAIMS].len);
	*reason = NULL;
	return 0;
}

void
jwt_fini(struct jwt *jwt)
{
	json_decref(jwt->header);
	json_decref(jwt->claims);
	*jwt = (struct jwt){ .header = NULL };
}

struct slice
jwt_string(const json_t *json)
{
	return json_is_string(json) ?
	    slice_of(json_string_value(json), json_string_length(json)) :
	    SLICE_NULL;
}

enum jwt_kind
jwt_text(const json_t *object, const char *name, struct slice *value)
{
	const json_t *json = json_object_get(object, name);

	*value = jwt_string(json);
	if (json == NULL || json_is_null(json))
		return JWT_ABSENT;
	return json_is_string(json) ? JWT_FOUND : JWT_MALFORMED;
}

enum jwt_kind
jwt_number(const json_t *object, const char *name, double *value)
{
	const json_t *json = json_object_get(object, name);

	if (json == NULL || json_is_null(json))
		return JWT_ABSENT;
	if (!json_is_number(json))
		return JWT_MALFORMED;
	*value = json_number_value(json);
	return JWT_FOUND;
}
