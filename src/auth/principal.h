/*
 * Principal: who asks, and from where.
 */
#ifndef AUTH_PRINCIPAL_H
#define AUTH_PRINCIPAL_H

#include "base/arena.h"
#include "base/base.h"

struct principal {
	struct slice name; /* with its type: "User:alice" */
	struct slice host; /* the peer's address in digits */
};

/* "User:alice" taken apart at its first colon; false where there is none. */
static inline bool
principal_split(struct slice text, struct slice *type, struct slice *name)
{
	const uint8_t *colon =
	    text.len == 0 ? NULL : memchr(text.data, ':', text.len);

	if (colon == NULL)
		return false;
	*type = slice_of(text.data, (size_t)(colon - text.data));
	*name = slice_of(colon + 1, text.len - type->len - 1);
	return true;
}

/* The other way round, in arena. */
static inline struct slice
principal_join(struct arena *arena, struct slice type, struct slice name)
{
	uint8_t *text = arena_xalloc(arena, type.len + 1 + name.len);

	if (type.len > 0)
		memcpy(text, type.data, type.len);
	text[type.len] = ':';
	if (name.len > 0)
		memcpy(text + type.len + 1, name.data, name.len);
	return slice_of(text, type.len + 1 + name.len);
}

/* Who does not say: everybody on a plaintext connection. */
#define PRINCIPAL_ANONYMOUS \
	((struct principal){ .name = SLICE_LITERAL("User:ANONYMOUS") })

#endif
