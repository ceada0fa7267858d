/*
 * What the configs' own files share.
 */
#ifndef META_CONFIGS_INNER_H
#define META_CONFIGS_INNER_H

#include "meta/configs.h"

/* The sets of a broker by level: dynamic, dynamic default, file; or NULL. */
const struct config_set *configs_level(const struct configs *configs,
    enum config_source level);

/* The keys that resources of a type may have. */
enum config_table configs_table(int8_t type);

/* A link of config_key.chain: a key, and what one of its units counts. */
struct config_link {
	struct slice name;
	int64_t unit;
};

/* Take the first link off chain; false where there is none. */
bool configs_chain_next(const char **chain, struct config_link *link);

#endif
