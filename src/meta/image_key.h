/*
 * Image key: how things that have no id of their own are found in the maps
 * of image and delta: by a kind (a config resource's type, a record's type)
 * and a name.
 */
#ifndef META_IMAGE_KEY_H
#define META_IMAGE_KEY_H

#include "base/base.h"
#include "meta/topic_image.h"

#define IMAGE_KEY_INLINE_LEN 256

struct image_key {
	uint8_t bytes[IMAGE_KEY_INLINE_LEN];
	uint8_t *heap;			/* where the name is longer than that */
	size_t len;
};

/* The key of kind and name; image_key_fini when done. */
void image_key_init(struct image_key *key, int16_t kind, struct slice name);
void image_key_fini(struct image_key *key);

/* Its bytes, valid until fini. */
struct slice image_key_slice(const struct image_key *key);

/* A copy on the heap, which the caller frees. */
struct slice image_key_copy(const struct image_key *key);

/*
 * The name with '.' read as '_', in text.  False where it has neither, so
 * that it collides with nothing but itself, or is too long to be a topic's.
 */
bool image_key_colliding(struct slice name,
    char text[TOPIC_IMAGE_NAME_LEN_MAX], struct slice *key);

#endif
