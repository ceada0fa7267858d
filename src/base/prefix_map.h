/*
 * Prefix map: from prefixes to pointers, asked for all prefixes of a name.
 *
 * A walk goes through the lengths that some prefix has.  The hashes of a
 * name's prefixes go on from each other, a word at a time, and a filter of
 * bits says of nearly all that nobody has them, so that a length costs a few
 * instructions.
 *
 * The map borrows its keys, as a map does; it does not own its values.  Not
 * thread-safe.
 */
#ifndef BASE_PREFIX_MAP_H
#define BASE_PREFIX_MAP_H

#include "base/base.h"
#include "base/map.h"

struct prefix_len;

struct prefix_map {
	struct map values;
	struct prefix_len *lens; /* the shortest first */
	size_t lens_count;
	uint64_t *filter;	/* NULL while filter_bits is 0 */
	size_t filter_bits;	/* 0 or a power of two */
	size_t filter_left;	/* prefixes until it is made anew */
};

/* The prefixes of a name, the shortest first. */
struct prefix_walk {
	const struct prefix_map *map;
	struct slice name;
	size_t next;		/* of the lengths */
	size_t hashed;		/* bytes of the name, whole words */
	uint64_t state;		/* their hash, that goes on */
	uint64_t word;		/* the one behind them */
};

void prefix_map_init(struct prefix_map *map);
void prefix_map_fini(struct prefix_map *map);

/* As for a map: map_get, map_set, map_remove, map_next. */
void *prefix_map_get(const struct prefix_map *map, struct slice prefix);
void *prefix_map_set(
    struct prefix_map *map, struct slice prefix, void *value);
void *prefix_map_remove(struct prefix_map *map, struct slice prefix);
void *prefix_map_next(const struct prefix_map *map, size_t *position);

/* A walk over what stands at prefixes of name; the map does not change. */
struct prefix_walk prefix_walk_of(
    const struct prefix_map *map, struct slice name);

/* The next value, or NULL at the end. */
void *prefix_walk_next(struct prefix_walk *walk);

#endif
