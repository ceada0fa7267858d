/*
 * Config set: names and values, sorted by name.  The configs of one resource
 * in the image, or a server.properties file.
 *
 * Reference-counted; immutable once more than one holds it.
 */
#ifndef META_CONFIG_SET_H
#define META_CONFIG_SET_H

#include "base/base.h"

struct config_set_entry {
	struct slice name;	/* owned, as is value, by the set */
	struct slice value;
};

struct config_set {
	uint32_t refs;
	uint32_t count;
	uint32_t capacity;
	struct config_set_entry *entries;
};

/* An empty set with one reference. */
struct config_set *config_set_new(void);

/* A copy with one reference; of NULL an empty one. */
struct config_set *config_set_clone(const struct config_set *set);

/* Writers only: set name to value (both copied), or remove name. */
void config_set_put(struct config_set *set, struct slice name,
    struct slice value);
void config_set_remove(struct config_set *set, struct slice name);

/*
 * The value at name, borrowed from the set; the null slice where there is
 * none, or set is NULL.
 */
struct slice config_set_get(const struct config_set *set, struct slice name);

const struct config_set *config_set_ref(const struct config_set *set);
void config_set_unref(const struct config_set *set);

#endif
