/*
 * Java map: a HashMap or HashSet of Java, as far as the order goes in which
 * its keys are walked: by bucket, and in one bucket as they came in.  Who is
 * served first depends on that in Kafka's assignors.
 *
 * Keys are numbers that stand for Java's, each with its hashCode.  What Java
 * makes of buckets with very many keys (trees) is left out: such a bucket
 * stays a list here.
 *
 * Thread: as its owner.
 */
#ifndef COORD_JAVA_MAP_H
#define COORD_JAVA_MAP_H

#include "base/arena.h"
#include "base/base.h"

struct java_map_entry {
	uint32_t hash;	/* spread, as buckets are chosen by it */
	int32_t key;
	int32_t next;	/* in the bucket; -1 none */
};

struct java_map {
	struct arena *arena;
	int32_t *buckets;	/* index of the first entry; -1 empty */
	uint32_t buckets_count;	/* a power of two; 0: none made yet */
	uint32_t capacity;	/* of the first buckets */
	struct java_map_entry *entries;
	int32_t entries_count;	/* in use or free */
	int32_t entries_capacity;
	int32_t free;		/* the first that was removed; -1 none */
	int32_t count;		/* of keys */
};

#define JAVA_MAP_CAPACITY 16	/* of new HashMap() */

/* new HashMap(capacity); all of it lives in arena. */
void java_map_init(
    struct java_map *map, struct arena *arena, int32_t capacity);

/* The capacity that AssignorHelpers of Kafka gives for so many keys. */
int32_t java_map_capacity_for(int32_t count);

/* And the one of new HashSet(collection), of a collection of so many. */
int32_t java_map_capacity_of_copy(int32_t count);

/*
 * Put key in, where it is not: behind the others of its bucket, or before them,
 * as computeIfAbsent has it.
 */
void java_map_put(struct java_map *map, uint32_t hash, int32_t key);
void java_map_compute(struct java_map *map, uint32_t hash, int32_t key);
bool java_map_has(const struct java_map *map, uint32_t hash, int32_t key);
void java_map_remove(struct java_map *map, uint32_t hash, int32_t key);

/*
 * Walk: the entry that comes first, and the one behind another, which may be
 * removed after that; NULL at the end.
 */
const struct java_map_entry *java_map_first(const struct java_map *map);
const struct java_map_entry *java_map_next(
    const struct java_map *map, const struct java_map_entry *entry);

#endif
