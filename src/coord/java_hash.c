#include "coord/java_hash.h"

#define REPLACEMENT 0xfffd

/* The bytes that may follow a lead byte, and the range of the first of them. */
struct sequence {
	unsigned tail_count;
	uint8_t first_min;
	uint8_t first_max;
	uint32_t bits;
};

static struct sequence
sequence_of(uint8_t lead)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return (struct sequence){ 1, 0x80, 0xbf, lead & 0x1fu };
	if (lead >= 0xe0 && lead <= 0xef)
		return (struct sequence){ 2, lead == 0xe0 ? 0xa0 : 0x80,
			lead == 0xed ? 0x9f : 0xbf, lead & 0x0fu };
	if (lead >= 0xf0 && lead <= 0xf4)
		return (struct sequence){ 3, lead == 0xf0 ? 0x90 : 0x80,
			lead == 0xf4 ? 0x8f : 0xbf, lead & 0x07u };
	return (struct sequence){ 0, 0, 0, REPLACEMENT };
}

/* Take one code point off [*p, end), which is not empty. */
static uint32_t
code_point_next(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *at = *p;
	struct sequence s;
	uint32_t value;

	if (*at < 0x80) {
		*p = at + 1;
		return *at;
	}
	s = sequence_of(*at++);
	value = s.bits;
	for (unsigned i = 0; i < s.tail_count; i++, at++) {
		uint8_t min = i == 0 ? s.first_min : 0x80;
		uint8_t max = i == 0 ? s.first_max : 0xbf;

		if (at == end || *at < min || *at > max) {
			value = REPLACEMENT;
			break;
		}
		value = value << 6 | (*at & 0x3fu);
	}
	*p = at;
	return value;
}

int32_t
java_hash(struct slice text)
{
	const uint8_t *p = text.data, *end = p + text.len;
	uint32_t hash = 0;

	while (p != end) {
		uint32_t c = code_point_next(&p, end);

		if (c >= 0x10000) {
			hash = hash * 31 + (0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		hash = hash * 31 + c;
	}
	return (int32_t)hash;
}

int32_t
java_hash_partition(struct slice text, int32_t count)
{
	int32_t hash = java_hash(text);

	assert(count > 0);
	if (hash == INT32_MIN)
		return 0;
	return (hash < 0 ? -hash : hash) % count;
}

size_t
java_hash_utf16_len(struct slice text)
{
	const uint8_t *p = text.data, *end = p + text.len;
	size_t len = 0;

	while (p != end)
		len += code_point_next(&p, end) >= 0x10000 ? 2 : 1;
	return len;
}

static uint8_t *
unit_put(uint8_t *to, uint32_t unit)
{
	*to++ = (uint8_t)unit;
	*to++ = (uint8_t)(unit >> 8);
	return to;
}

size_t
java_hash_utf16(struct slice text, uint8_t *to)
{
	const uint8_t *p = text.data, *end = p + text.len;
	const uint8_t *from = to;

	while (p != end) {
		uint32_t c = code_point_next(&p, end);

		if (c >= 0x10000) {
			to = unit_put(to, 0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		to = unit_put(to, c);
	}
	return (size_t)(to - from) / 2;
}

/* --- Maps ---------------------------------------------------------------- */

uint32_t
java_hash_buckets(uint32_t initial, int32_t count)
{
	uint32_t buckets = 1;

	while (buckets < initial)
		buckets *= 2;
	while ((uint64_t)count * 4 > (uint64_t)buckets * 3)
		buckets *= 2;
	return buckets;
}

uint32_t
java_hash_bucket(struct slice text, uint32_t buckets)
{
	uint32_t hash = (uint32_t)java_hash(text);

	return (hash ^ hash >> 16) & (buckets - 1);
}

struct placed {
	uint32_t bucket;
	int32_t index;
};

static int
compare_placed(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

int32_t *
java_hash_order(struct arena *arena, const struct slice *keys, int32_t count,
    uint32_t buckets)
{
	struct placed *placed =
	    arena_xcalloc(arena, (size_t)count, sizeof(*placed));
	int32_t *order = arena_xcalloc(arena, (size_t)count, sizeof(*order));

	for (int32_t i = 0; i < count; i++)
		placed[i] =
		    (struct placed){ java_hash_bucket(keys[i], buckets), i };
	if (count > 0)
		qsort(placed, (size_t)count, sizeof(*placed), compare_placed);
	for (int32_t i = 0; i < count; i++)
		order[i] = placed[i].index;
	return order;
}
