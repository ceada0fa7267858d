#include "coord/java_map.h"

/* A bucket that has so many keys makes a small table grow. */
#define BUCKET_KEYS_MAX 8
#define BUCKETS_SMALL 64

void
java_map_init(struct java_map *map, struct arena *arena, int32_t capacity)
{
	*map = (struct java_map){ .arena = arena, .capacity = 1, .free = -1 };
	while (map->capacity < (uint32_t)MAX(capacity, 1))
		map->capacity *= 2;
}

int32_t
java_map_capacity_for(int32_t count)
{
	return (int32_t)((float)(count + 1) / 0.75f + 1.0f);
}

int32_t
java_map_capacity_of_copy(int32_t count)
{
	return MAX((int32_t)((float)count / 0.75f) + 1, JAVA_MAP_CAPACITY);
}

static uint32_t
spread(uint32_t hash)
{
	return hash ^ hash >> 16;
}

static int32_t *
bucket_of(const struct java_map *map, uint32_t hash)
{
	return &map->buckets[hash & (map->buckets_count - 1)];
}

/* Where the link to a key is, or the one at the end of its bucket. */
static int32_t *
link_of(const struct java_map *map, uint32_t hash, int32_t key, int32_t *passed)
{
	int32_t *link = bucket_of(map, hash);

	for (*passed = 0; *link >= 0; ++*passed) {
		struct java_map_entry *entry = &map->entries[*link];

		if (entry->key == key && entry->hash == hash)
			break;
		link = &entry->next;
	}
	return link;
}

/* Keys of one bucket stay in their order, as they do when Java splits it. */
static void
rehash(struct java_map *map, uint32_t buckets_count)
{
	int32_t *old = map->buckets;
	uint32_t old_count = map->buckets_count;
	int32_t passed;

	map->buckets =
	    arena_xcalloc(map->arena, buckets_count, sizeof(*map->buckets));
	map->buckets_count = buckets_count;
	for (uint32_t i = 0; i < buckets_count; i++)
		map->buckets[i] = -1;
	for (uint32_t i = 0; i < old_count; i++)
		for (int32_t at = old[i], next; at >= 0; at = next) {
			struct java_map_entry *entry = &map->entries[at];

			next = entry->next;
			entry->next = -1;
			*link_of(map, entry->hash, entry->key, &passed) = at;
		}
}

/* Room for one more entry; links into the entries are invalid then. */
static void
reserve(struct java_map *map)
{
	int32_t capacity = MAX(4, map->entries_capacity * 2);
	struct java_map_entry *entries;

	if (map->free >= 0 || map->entries_count < map->entries_capacity)
		return;
	entries =
	    arena_xcalloc(map->arena, (size_t)capacity, sizeof(*entries));
	if (map->entries_count > 0)
		memcpy(entries, map->entries,
		    (size_t)map->entries_count * sizeof(*entries));
	map->entries = entries;
	map->entries_capacity = capacity;
}

static int32_t
take_entry(struct java_map *map)
{
	int32_t at = map->free;

	if (at < 0)
		return map->entries_count++;
	map->free = map->entries[at].next;
	return at;
}

/* As many keys as there may be, or more. */
static void
grow_full(struct java_map *map)
{
	if ((int64_t)map->count * 4 > (int64_t)map->buckets_count * 3)
		rehash(map, map->buckets_count * 2);
}

static void
grow_crowded(struct java_map *map, int32_t bucket_keys)
{
	if (bucket_keys > BUCKET_KEYS_MAX &&
	    map->buckets_count < BUCKETS_SMALL)
		rehash(map, map->buckets_count * 2);
}

void
java_map_put(struct java_map *map, uint32_t hash, int32_t key)
{
	int32_t *link, at, passed;

	hash = spread(hash);
	if (map->buckets_count == 0)
		rehash(map, map->capacity);
	reserve(map);
	link = link_of(map, hash, key, &passed);
	if (*link >= 0)
		return;
	at = take_entry(map);
	map->entries[at] = (struct java_map_entry){ hash, key, -1 };
	*link = at;
	map->count++;
	grow_crowded(map, passed + 1);
	grow_full(map);
}

/* Java grows before it, and counts a bucket's keys from another number on. */
void
java_map_compute(struct java_map *map, uint32_t hash, int32_t key)
{
	int32_t *bucket, at, passed;

	hash = spread(hash);
	if (map->buckets_count == 0)
		rehash(map, map->capacity);
	grow_full(map);
	reserve(map);
	if (*link_of(map, hash, key, &passed) >= 0)
		return;
	at = take_entry(map);
	bucket = bucket_of(map, hash);
	map->entries[at] = (struct java_map_entry){ hash, key, *bucket };
	*bucket = at;
	map->count++;
	grow_crowded(map, passed + 2);
}

bool
java_map_has(const struct java_map *map, uint32_t hash, int32_t key)
{
	int32_t passed;

	return map->buckets_count > 0 &&
	    *link_of(map, spread(hash), key, &passed) >= 0;
}

void
java_map_remove(struct java_map *map, uint32_t hash, int32_t key)
{
	struct java_map_entry *entry;
	int32_t *link, at, passed;

	if (map->buckets_count == 0)
		return;
	link = link_of(map, spread(hash), key, &passed);
	at = *link;
	if (at < 0)
		return;
	entry = &map->entries[at];
	*link = entry->next;
	entry->next = map->free;
	map->free = at;
	map->count--;
}

/* The first entry of the buckets from one on. */
static const struct java_map_entry *
from_bucket(const struct java_map *map, uint32_t bucket)
{
	for (; bucket < map->buckets_count; bucket++)
		if (map->buckets[bucket] >= 0)
			return &map->entries[map->buckets[bucket]];
	return NULL;
}

const struct java_map_entry *
java_map_first(const struct java_map *map)
{
	return from_bucket(map, 0);
}

const struct java_map_entry *
java_map_next(const struct java_map *map, const struct java_map_entry *entry)
{
	if (entry->next >= 0)
		return &map->entries[entry->next];
	return from_bucket(
	    map, (entry->hash & (map->buckets_count - 1)) + 1);
}
