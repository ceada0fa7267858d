/*
 * Hash map from bytes to pointers, open addressing, insertion keeps no order.
 *
 * The map borrows its keys: a key must live as long as its entry, so it is
 * usually a field of the value.  Values are not owned either.  Removal while
 * iterating is allowed for the current entry only.  Not thread-safe.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/base.h"

struct map_entry {
	struct slice key;
	void *value;		/* NULL: free or deleted */
	uint32_t hash;
	bool deleted;
};

struct map {
	struct map_entry *entries;	/* NULL while capacity is 0 */
	size_t capacity;		/* 0 or a power of two */
	size_t count;
	size_t used;			/* count + deleted */
};

/*
 * Where the order of entries has to be the same with each run of a test: this
 * seed, which is not 0, instead of a random one.  Before the first map is used.
 */
void map_seed_set(uint64_t value);

void map_init(struct map *map);
void map_fini(struct map *map);

/* The value at key, or NULL. */
void *map_get(const struct map *map, struct slice key);

/*
 * Set key to value (not NULL).  The value that stood there before, or NULL;
 * the entry's key is replaced too, so the old value may be freed.
 */
void *map_set(struct map *map, struct slice key, void *value);

/* Remove the entry of key; its value, or NULL where there was none. */
void *map_remove(struct map *map, struct slice key);

/*
 * Iterate: start with *position = 0; the next value, or NULL at the end.
 *
 *     for (size_t at = 0; (value = map_next(map, &at)) != NULL;)
 */
void *map_next(const struct map *map, size_t *position);

/* A key made of an integer; the integer must stay where it is. */
#define MAP_KEY(field) slice_of(&(field), sizeof(field))

/* The hash that the map uses: seeded once a process against collisions. */
uint32_t map_hash(struct slice key);

/*
 * The same with the key's hash given: because it is known, or because it is
 * another one, with which the map is then asked always.
 */
void *map_get_hashed(const struct map *map, struct slice key, uint32_t hash);
void *map_set_hashed(
    struct map *map, struct slice key, uint32_t hash, void *value);
void *map_remove_hashed(struct map *map, struct slice key, uint32_t hash);

#endif
