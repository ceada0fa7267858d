/*
 * JAAS: the line of a login module, as sasl.jaas.config has it.
 *
 *     class flag key=value key="value" ...;
 *
 * The flag is required, requisite, sufficient or optional.  Words are made of
 * letters, digits and . - _ $; texts in quotes have backslash escapes; // and
 * slash-star comments are skipped.  A number is no word, as in Java's
 * StreamTokenizer (org.apache.kafka.common.security.JaasConfig).
 */
#ifndef AUTH_JAAS_H
#define AUTH_JAAS_H

#include "base/arena.h"
#include "base/base.h"

struct jaas_option {
	struct slice name;
	struct slice value;
};

struct jaas_entry {
	struct slice module;
	struct jaas_option *options; /* in their order */
	size_t options_count;
};

/*
 * Parse text, which is one entry, into *entry, which lives in arena.  -1 where
 * it is none: *reason (static) says why, and names no value, which may be a
 * password.
 */
int jaas_parse(struct slice text, struct arena *arena, struct jaas_entry *entry,
    const char **reason) WARN_UNUSED;

/* The value of the last option of that name; null where there is none. */
struct slice jaas_option(const struct jaas_entry *entry, const char *name);

#endif
