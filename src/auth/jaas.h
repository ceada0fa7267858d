/*
 * JAAS: the line of a login module, as sasl.jaas.config has it, and the file
 * that java.security.auth.login.config names.
 *
 *     class flag key=value key="value" ...;
 *
 * The flag is required, requisite, sufficient or optional.  Words are made of
 * letters, digits and . - _ $; texts in quotes have backslash escapes; // and
 * slash-star comments are skipped.  A number is no word, as in Java's
 * StreamTokenizer (org.apache.kafka.common.security.JaasConfig).
 *
 * The file has sections of such lines:
 *
 *     KafkaServer {
 *         class flag key=value ...;
 *         class flag ...;
 *     };
 *
 * Its words may have a * in them, and only " begins a text (ConfigFile of the
 * JDK).  Java would put system properties in place of ${...}; such values are
 * refused.
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

/* A section of a file, with one entry or more, or none. */
struct jaas_section {
	struct slice name;
	struct jaas_entry *entries;
	size_t entries_count;
};

struct jaas_file {
	struct jaas_section *sections; /* each name once */
	size_t sections_count;
};

/*
 * Parse the text of a file into *file, which lives in arena and in text.  -1
 * where it is none: *reason (static) says why, without a value, and *line, from
 * 1, where.
 */
int jaas_file_parse(struct slice text, struct arena *arena,
    struct jaas_file *file, const char **reason, size_t *line) WARN_UNUSED;

/* NULL where there is none of that name. */
const struct jaas_section *jaas_file_find(
    const struct jaas_file *file, const char *name);

/* The value of the last option of that name; null where there is none. */
struct slice jaas_option(const struct jaas_entry *entry, const char *name);

#endif
