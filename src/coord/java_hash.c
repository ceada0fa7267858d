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
