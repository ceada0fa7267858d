#include "store/offset_map.h"

#include "base/rng.h"

/* Never quite full, so that a look-up finds an end. */
#define LOAD_FACTOR_MAX 0.95
#define LOAD_FACTOR_MIN 0.05
#define SLOTS_MIN 16

/* Empty where offset_above is 0: fresh memory is a table without keys. */
struct offset_map_slot {
	uint64_t digest[2];
	int64_t offset_above;	/* offset + 1 */
};

/* --- SipHash-2-4 with 128 bits of result ---------------------------------- */

static uint64_t
rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void
sip_rounds(uint64_t v[4], int count)
{
	while (count-- > 0) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
}

/* The bytes behind the last whole word, and the length. */
static uint64_t
sip_tail(const uint8_t *p, size_t left, size_t len)
{
	uint64_t word = (uint64_t)len << 56;

	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

static void
digest_of(const uint64_t secret[2], struct slice key, uint64_t digest[2])
{
	uint64_t v[4] = {
		secret[0] ^ UINT64_C(0x736f6d6570736575),
		secret[1] ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
		secret[0] ^ UINT64_C(0x6c7967656e657261),
		secret[1] ^ UINT64_C(0x7465646279746573),
	};
	size_t at = 0;
	uint64_t word;

	for (; key.len - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, key.data + at, sizeof(word));
		sip_word(v, word);
	}
	sip_word(v, sip_tail(key.data + at, key.len - at, key.len));
	v[2] ^= 0xee;
	sip_rounds(v, 4);
	digest[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
	v[1] ^= 0xdd;
	sip_rounds(v, 4);
	digest[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- The table ------------------------------------------------------------ */

static size_t
slots_for(double keys, double load_factor)
{
	return (size_t)(keys / load_factor) + 1;
}

void
offset_map_init(struct offset_map *map, uint64_t keys_max, size_t bytes_max,
    double load_factor)
{
	size_t slots_max = MAX(SLOTS_MIN, bytes_max / OFFSET_MAP_SLOT_LEN);
	double factor = LOAD_FACTOR_MIN;
	struct rng rng;

	/* What is no number at all is not above it either. */
	if (load_factor > factor)
		factor = MIN(LOAD_FACTOR_MAX, load_factor);

	*map = (struct offset_map){ .latest_offset = -1 };
	map->slot_count = slots_max;
	if ((double)keys_max < (double)slots_max * factor)
		map->slot_count = MIN(slots_max,
		    MAX(SLOTS_MIN, slots_for((double)keys_max, factor)));
	map->count_max =
	    MAX(1, (size_t)((double)map->slot_count * factor));
	map->slots = xcalloc(map->slot_count, sizeof(*map->slots));
	rng_init_random(&rng);
	map->secret[0] = rng_next(&rng);
	map->secret[1] = rng_next(&rng);
}

void
offset_map_fini(struct offset_map *map)
{
	free(map->slots);
	*map = (struct offset_map){ .latest_offset = -1 };
}

size_t
offset_map_bytes(const struct offset_map *map)
{
	return map->slot_count * OFFSET_MAP_SLOT_LEN;
}

/* The digest's place in the table, without a division. */
static size_t
place(const struct offset_map *map, const uint64_t digest[2])
{
	return (size_t)(((unsigned __int128)digest[0] * map->slot_count) >>
	    64);
}

/* The slot that has the digest, or the empty one where it would go. */
static struct offset_map_slot *
find(const struct offset_map *map, const uint64_t digest[2])
{
	size_t at = place(map, digest);

	for (;;) {
		struct offset_map_slot *slot = &map->slots[at];

		if (slot->offset_above == 0 ||
		    (slot->digest[0] == digest[0] &&
			slot->digest[1] == digest[1]))
			return slot;
		if (++at == map->slot_count)
			at = 0;
	}
}

struct offset_map_key
offset_map_find(const struct offset_map *map, struct slice key)
{
	struct offset_map_key found;

	digest_of(map->secret, key, found.digest);
	__builtin_prefetch(&map->slots[place(map, found.digest)], 1);
	return found;
}

bool
offset_map_put(struct offset_map *map, const struct offset_map_key *key,
    int64_t offset, int64_t *before)
{
	struct offset_map_slot *slot;

	assert(offset >= 0 && offset < INT64_MAX);
	slot = find(map, key->digest);
	if (slot->offset_above == 0) {
		if (map->count == map->count_max)
			return false;
		map->count++;
		slot->digest[0] = key->digest[0];
		slot->digest[1] = key->digest[1];
	}
	*before = slot->offset_above - 1;
	slot->offset_above = offset + 1;
	offset_map_reach(map, offset);
	return true;
}

void
offset_map_reach(struct offset_map *map, int64_t offset)
{
	map->latest_offset = MAX(map->latest_offset, offset);
}

int64_t
offset_map_get(const struct offset_map *map, struct slice key)
{
	uint64_t digest[2];

	digest_of(map->secret, key, digest);
	return find(map, digest)->offset_above - 1;
}
