#include "meta/image_key.h"

#include "base/bytes.h"

void
image_key_init(struct image_key *key, int16_t kind, struct slice name)
{
	uint8_t *bytes = key->bytes;

	key->len = sizeof(kind) + name.len;
	key->heap = NULL;
	if (key->len > sizeof(key->bytes))
		bytes = key->heap = xmalloc(key->len);
	be16_put(bytes, (uint16_t)kind);
	if (name.len > 0)
		memcpy(bytes + sizeof(kind), name.data, name.len);
}

void
image_key_fini(struct image_key *key)
{
	free(key->heap);
	key->heap = NULL;
}

struct slice
image_key_slice(const struct image_key *key)
{
	return slice_of(key->heap != NULL ? key->heap : key->bytes, key->len);
}

struct slice
image_key_copy(const struct image_key *key)
{
	return slice_of(slice_dup(image_key_slice(key)), key->len);
}

bool
image_key_colliding(struct slice name, char text[TOPIC_IMAGE_NAME_LEN_MAX],
    struct slice *key)
{
	bool found = false;

	if (name.len > TOPIC_IMAGE_NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = (char)name.data[i];

		found |= c == '.' || c == '_';
		text[i] = c == '.' ? '_' : c;
	}
	*key = slice_of(text, name.len);
	return found;
}
