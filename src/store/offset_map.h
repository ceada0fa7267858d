/*
 * The latest offset of each key of a log, for compaction: a hash table of
 * bounded memory that keeps a digest of the key in place of the key.
 *
 * Keys are told apart by 128 bits of SipHash-2-4 under a key that is drawn
 * anew for each table (Kafka's SkimpyOffsetMap takes MD5): two keys with one
 * digest would be one key, which nobody can bring about on purpose and chance
 * does not in the life of a disk.
 *
 * A slot takes 24 bytes, as in Kafka, so that a buffer size means the same.
 * Pages of the table that no key fell on take no memory.
 *
 * Not thread-safe.
 */
#ifndef STORE_OFFSET_MAP_H
#define STORE_OFFSET_MAP_H

#include "base/base.h"

#define OFFSET_MAP_SLOT_LEN 24

struct offset_map_slot;

struct offset_map {
	int64_t latest_offset;	/* mapped up to here; -1: nothing */
	size_t count;
	size_t count_max;

	/* Private. */
	struct offset_map_slot *slots;	/* owned */
	size_t slot_count;
	uint64_t secret[2];
};

/*
 * A table for at most keys_max keys, or what bytes_max has room for when
 * load_factor (Kafka: 0.9) of its slots are used.  It has room for at least
 * one key.
 */
void offset_map_init(struct offset_map *map, uint64_t keys_max,
    size_t bytes_max, double load_factor);
void offset_map_fini(struct offset_map *map);

/* What it takes in memory. */
size_t offset_map_bytes(const struct offset_map *map);

/* What a key is in one table. */
struct offset_map_key {
	uint64_t digest[2];
};

/*
 * The key, which is put or asked for soon: the memory for it is on its way
 * from here on, and others can be found meanwhile.
 */
struct offset_map_key offset_map_find(
    const struct offset_map *map, struct slice key);

/*
 * The key stands at offset, which is above all that were put before; *before
 * is where it stood until now, or -1.  False, and nothing is put, where the
 * table is full.
 */
bool offset_map_put(struct offset_map *map, const struct offset_map_key *key,
    int64_t offset, int64_t *before) WARN_UNUSED;

/* Everything up to offset was put, or has nothing to put. */
void offset_map_reach(struct offset_map *map, int64_t offset);

/* The latest offset of the key, or -1. */
int64_t offset_map_get(const struct offset_map *map, struct slice key);

#endif
