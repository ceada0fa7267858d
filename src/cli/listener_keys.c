#include "cli/listener_keys.h"

#include <ctype.h>
#include <stdio.h>

void
listener_keys_init(struct listener_keys *keys,
    const struct properties *properties, const char *listener,
    struct arena *arena)
{
	keys->properties = properties;
	keys->arena = arena;
	keys->prefix = listener_keys_text(keys, "listener.name.",
	    listener_keys_lower(keys, listener), ".");
}

const char *
listener_keys_get(const struct listener_keys *keys, const char *mechanism,
    const char *key, const char **name)
{
	const char *value;

	*name = listener_keys_text(keys, keys->prefix, mechanism, key);
	value = properties_get(keys->properties, *name);
	if (value != NULL)
		return value;
	value = properties_get(
	    keys->properties, listener_keys_text(keys, "", mechanism, key));
	if (value != NULL)
		*name = listener_keys_text(keys, "", mechanism, key);
	return value;
}

const char *
listener_keys_get_any(const struct listener_keys *keys, const char *mechanism,
    const char *key, const char **name)
{
	const char *value = listener_keys_get(keys, mechanism, key, name);

	return value != NULL ? value : listener_keys_get(keys, "", key, name);
}

const char *
listener_keys_text(const struct listener_keys *keys, const char *a,
    const char *b, const char *c)
{
	size_t len = strlen(a) + strlen(b) + strlen(c) + 1;
	char *text = arena_xalloc(keys->arena, len);

	snprintf(text, len, "%s%s%s", a, b, c);
	return text;
}

const char *
listener_keys_lower(const struct listener_keys *keys, const char *text)
{
	size_t len = strlen(text);
	char *copy = arena_xalloc(keys->arena, len + 1);

	for (size_t i = 0; i <= len; i++)
		copy[i] = (char)tolower((unsigned char)text[i]);
	return copy;
}

int
listener_keys_refuse(const char *key, const char *what)
{
	fprintf(stderr, "klamm: %s: %s\n", key, what);
	return -1;
}
