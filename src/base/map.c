#include "base/map.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/rng.h"

#define CAPACITY_MIN 8

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t seed; /* 0 until it is made */

static void
make_seed(void)
{
	struct rng rng;

	if (seed != 0)
		return;
	rng_init_random(&rng);
	seed = rng_next(&rng) | 1;
}

void
map_seed_set(uint64_t value)
{
	assert(value != 0);
	seed = value;
}

static uint64_t
seed_of(void)
{
	uint64_t value = atomic_load_explicit(&seed, memory_order_relaxed);

	if (value != 0)
		return value;
	pthread_once(&seed_once, make_seed);
	return seed;
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint32_t
map_hash(struct slice key)
{
	const uint64_t k0 = 0x9e3779b97f4a7c15u, k1 = 0xd6e8feb86659fd93u;
	uint64_t h, word;
	size_t at;

	h = seed_of() ^ mix(key.len ^ k0, k1);
	for (at = 0; at + 8 <= key.len; at += 8) {
		memcpy(&word, key.data + at, 8);
		h = mix(h ^ word, k0);
	}
	if (at < key.len) {
		word = 0;
		/* A whole word, some of it again, is read faster. */
		if (key.len >= 8)
			memcpy(&word, key.data + key.len - 8, 8);
		else
			memcpy(&word, key.data, key.len);
		h = mix(h ^ word, k1);
	}
	h = mix(h, k1);
	return (uint32_t)(h ^ (h >> 32));
}

void
map_init(struct map *map)
{
	memset(map, 0, sizeof(*map));
}

void
map_fini(struct map *map)
{
	free(map->entries);
	map_init(map);
}

static struct map_entry *
find(const struct map *map, struct slice key, uint32_t hash)
{
	size_t mask = map->capacity - 1, at = hash & mask;
	struct map_entry *e;

	if (map->capacity == 0)
		return NULL;
	for (;; at = (at + 1) & mask) {
		e = &map->entries[at];
		if (e->value == NULL && !e->deleted)
			return NULL;
		if (e->value != NULL && e->hash == hash &&
		    slice_equal(e->key, key))
			return e;
	}
}

void *
map_get_hashed(const struct map *map, struct slice key, uint32_t hash)
{
	struct map_entry *e = find(map, key, hash);

	return e == NULL ? NULL : e->value;
}

void *
map_get(const struct map *map, struct slice key)
{
	return map_get_hashed(map, key, map_hash(key));
}

/* A free place for hash; there is always one, the load is below 3/4. */
static struct map_entry *
find_free(const struct map *map, uint32_t hash)
{
	size_t mask = map->capacity - 1, at = hash & mask;

	while (map->entries[at].value != NULL)
		at = (at + 1) & mask;
	return &map->entries[at];
}

/* Rebuild without the deleted entries, larger where it is really full. */
static void
rehash(struct map *map)
{
	struct map old = *map;
	struct map_entry *e;

	if (map->count * 2 >= map->capacity)
		map->capacity = MAX(CAPACITY_MIN, map->capacity * 2);
	map->entries = xcalloc(map->capacity, sizeof(*map->entries));
	map->used = map->count;
	for (size_t i = 0; i < old.capacity; i++) {
		e = &old.entries[i];
		if (e->value != NULL)
			*find_free(map, e->hash) = *e;
	}
	free(old.entries);
}

void *
map_set_hashed(struct map *map, struct slice key, uint32_t hash, void *value)
{
	struct map_entry *e = find(map, key, hash);
	void *old;

	assert(value != NULL);
	if (e != NULL) {
		old = e->value;
		e->value = value;
		e->key = key;
		return old;
	}
	if (map->used * 4 >= map->capacity * 3)
		rehash(map);
	e = find_free(map, hash);
	if (!e->deleted)
		map->used++;
	*e = (struct map_entry){ .key = key, .value = value, .hash = hash };
	map->count++;
	return NULL;
}

void *
map_set(struct map *map, struct slice key, void *value)
{
	return map_set_hashed(map, key, map_hash(key), value);
}

void *
map_remove_hashed(struct map *map, struct slice key, uint32_t hash)
{
	struct map_entry *e = find(map, key, hash);
	void *value;

	if (e == NULL)
		return NULL;
	value = e->value;
	*e = (struct map_entry){ .deleted = true };
	map->count--;
	return value;
}

void *
map_remove(struct map *map, struct slice key)
{
	return map_remove_hashed(map, key, map_hash(key));
}

void *
map_next(const struct map *map, size_t *position)
{
	while (*position < map->capacity) {
		void *value = map->entries[(*position)++].value;

		if (value != NULL)
			return value;
	}
	return NULL;
}
