/*
 * Java's .properties files: keys and values, one pair a logical line.
 *
 * Read as java.util.Properties does: '#' and '!' start a comment line, a
 * backslash at the end of a line joins the next one to it without its leading
 * white space, key and value are parted by '=', ':' or white space, escapes
 * are \t \n \r \f \uXXXX and \ before any other character.  Bytes above 127
 * are kept as they are, so UTF-8 stays UTF-8; \uXXXX gives UTF-8 (pairs of
 * surrogates are joined).
 *
 * Order is kept; a key that comes again replaces the earlier value.  Lookup
 * is linear.  Not thread-safe.
 */
#ifndef BASE_PROPERTIES_H
#define BASE_PROPERTIES_H

#include "base/base.h"

struct property {
	char *key;   /* owned; a NUL inside cuts what C sees */
	char *value; /* owned */
};

struct properties {
	struct property *items; /* owned */
	size_t count;
	size_t capacity;
};

void properties_init(struct properties *properties);
void properties_fini(struct properties *properties);

/*
 * Add what text says.  0, or -1 where an escape \u lacks its four digits or
 * stands for NUL, or where a NUL is in the text: then *line is the number of
 * the line, from 1; line may be NULL.
 */
int properties_parse(
    struct properties *properties, struct slice text, size_t *line) WARN_UNUSED;

/* The value of key, or NULL. */
const char *properties_get(
    const struct properties *properties, const char *key);

/* Set key to value, both copied. */
void properties_set(
    struct properties *properties, const char *key, const char *value);

/* Remove key; whether it was there. */
bool properties_remove(struct properties *properties, const char *key);

/*
 * The pairs as text, escaped so that Java and properties_parse read back the
 * same, on the heap: the caller frees it.
 */
char *properties_text(const struct properties *properties);

#endif
