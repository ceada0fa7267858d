#include "base/prefix_map.h"

#include "base/bytes.h"

#define HASH_BEGIN 0xd6e8feb86659fd93u
#define HASH_FACTOR 0x9e3779b97f4a7c15u

/* One bit in so many is set at most. */
#define FILTER_BITS_PER_PREFIX 16
#define FILTER_BITS_MIN ((size_t)1024)

/* So many prefixes have that length. */
struct prefix_len {
	size_t len;
	size_t count;
};

/* --- Hashes --------------------------------------------------------------- */

static inline uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The word of the name that begins at byte at, with zeros behind its end. */
static inline uint64_t
word_at(struct slice name, size_t at)
{
	size_t len = name.len - at;
	uint64_t word = 0;

	if (len >= 8)
		return be64_get(name.data + at);
	/* A whole word, some of it again, is read faster. */
	if (len > 0 && name.len >= 8)
		return be64_get(name.data + name.len - 8) << (64 - 8 * len);
	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)name.data[at + i] << (56 - 8 * i);
	return word;
}

/* The first len bytes of a word, below 8, and zeros. */
static inline uint64_t
begin_of(uint64_t word, size_t len)
{
	return word & (UINT64_MAX << 1 << (63 - 8 * len));
}

/* The hash of the name's first len bytes, no fewer than before. */
static inline uint32_t
hash_of(struct prefix_walk *walk, size_t len)
{
	while (len - walk->hashed >= 8) {
		walk->state = mix(walk->state ^ walk->word, HASH_FACTOR);
		walk->hashed += 8;
		walk->word = word_at(walk->name, walk->hashed);
	}
	return (uint32_t)mix(
	    walk->state ^ begin_of(walk->word, len - walk->hashed),
	    HASH_FACTOR ^ len);
}

static uint32_t
hash_of_prefix(struct slice prefix)
{
	struct prefix_walk walk = prefix_walk_of(NULL, prefix);

	return hash_of(&walk, prefix.len);
}

/* --- The filter ----------------------------------------------------------- */

static inline uint64_t *
filter_word(const struct prefix_map *map, uint32_t hash)
{
	return &map->filter[(hash & (map->filter_bits - 1)) / 64];
}

static inline uint64_t
filter_bit(uint32_t hash)
{
	return (uint64_t)1 << (hash % 64);
}

/* From the map, so that those that are no more are forgotten. */
static void
filter_make(struct prefix_map *map)
{
	size_t bits = FILTER_BITS_MIN, count = map->values.count;

	while (bits < 2 * count * FILTER_BITS_PER_PREFIX)
		bits *= 2;
	free(map->filter);
	map->filter = xcalloc(bits / 64, sizeof(*map->filter));
	map->filter_bits = bits;
	map->filter_left = bits / FILTER_BITS_PER_PREFIX - count;
	for (size_t i = 0; i < map->values.capacity; i++) {
		const struct map_entry *entry = &map->values.entries[i];

		if (entry->value != NULL)
			*filter_word(map, entry->hash) |=
			    filter_bit(entry->hash);
	}
}

/* A prefix, which is in the map, came to it. */
static void
filter_add(struct prefix_map *map, uint32_t hash)
{
	if (map->filter_left == 0) {
		filter_make(map);
		return;
	}
	map->filter_left--;
	*filter_word(map, hash) |= filter_bit(hash);
}

/* --- Lengths -------------------------------------------------------------- */

/* The first of the lengths that is not below len. */
static size_t
lens_before(const struct prefix_map *map, size_t len)
{
	size_t at = 0;

	while (at < map->lens_count && map->lens[at].len < len)
		at++;
	return at;
}

static void
lens_add(struct prefix_map *map, size_t len)
{
	size_t at = lens_before(map, len);
	struct prefix_len *lens = map->lens;

	if (at == map->lens_count || lens[at].len != len) {
		lens =
		    xrealloc(lens, (map->lens_count + 1) * sizeof(*lens));
		memmove(&lens[at + 1], &lens[at],
		    (map->lens_count - at) * sizeof(*lens));
		lens[at] = (struct prefix_len){ .len = len };
		map->lens = lens;
		map->lens_count++;
	}
	lens[at].count++;
}

static void
lens_remove(struct prefix_map *map, size_t len)
{
	size_t at = lens_before(map, len);
	struct prefix_len *lens = map->lens;

	assert(at < map->lens_count && lens[at].len == len);
	if (--lens[at].count > 0)
		return;
	map->lens_count--;
	memmove(&lens[at], &lens[at + 1],
	    (map->lens_count - at) * sizeof(*lens));
}

/* --- The map -------------------------------------------------------------- */

void
prefix_map_init(struct prefix_map *map)
{
	memset(map, 0, sizeof(*map));
	map_init(&map->values);
}

void
prefix_map_fini(struct prefix_map *map)
{
	map_fini(&map->values);
	free(map->lens);
	free(map->filter);
	prefix_map_init(map);
}

void *
prefix_map_get(const struct prefix_map *map, struct slice prefix)
{
	return map_get_hashed(&map->values, prefix, hash_of_prefix(prefix));
}

void *
prefix_map_set(struct prefix_map *map, struct slice prefix, void *value)
{
	uint32_t hash = hash_of_prefix(prefix);
	void *before = map_set_hashed(&map->values, prefix, hash, value);

	if (before == NULL) {
		lens_add(map, prefix.len);
		filter_add(map, hash);
	}
	return before;
}

void *
prefix_map_remove(struct prefix_map *map, struct slice prefix)
{
	void *value =
	    map_remove_hashed(&map->values, prefix, hash_of_prefix(prefix));

	if (value != NULL)
		lens_remove(map, prefix.len);
	return value;
}

void *
prefix_map_next(const struct prefix_map *map, size_t *position)
{
	return map_next(&map->values, position);
}

/* --- Walks ---------------------------------------------------------------- */

struct prefix_walk
prefix_walk_of(const struct prefix_map *map, struct slice name)
{
	return (struct prefix_walk){ .map = map,
		.name = name,
		.state = HASH_BEGIN,
		.word = word_at(name, 0) };
}

void *
prefix_walk_next(struct prefix_walk *walk)
{
	const struct prefix_map *map = walk->map;

	while (walk->next < map->lens_count) {
		size_t len = map->lens[walk->next].len;
		uint32_t hash;
		void *value;

		if (len > walk->name.len)
			return NULL;
		walk->next++;
		hash = hash_of(walk, len);
		if ((*filter_word(map, hash) & filter_bit(hash)) == 0)
			continue;
		value = map_get_hashed(
		    &map->values, slice_of(walk->name.data, len), hash);
		if (value != NULL)
			return value;
	}
	return NULL;
}
