#include "base/bytes.h"

/*
 * The groups of seven bits at p, at most len_max of them.  Bits that do not
 * fit into the result are shifted out, as Kafka does.
 */
static inline size_t
groups_get(
    const uint8_t *p, const uint8_t *end, size_t len_max, uint64_t *value)
{
	size_t left = (size_t)(end - p);
	size_t len = MIN(left, len_max);
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++) {
		v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (p[i] < 0x80) {
			*value = v;
			return i + 1;
		}
	}
	return 0;
}

size_t
uvarint_get(const uint8_t *p, const uint8_t *end, uint32_t *value)
{
	uint64_t v = 0;
	size_t len = groups_get(p, end, VARINT_LEN_MAX, &v);

	*value = (uint32_t)v;
	return len;
}

size_t
varint_get(const uint8_t *p, const uint8_t *end, int32_t *value)
{
	uint64_t v = 0;
	size_t len = groups_get(p, end, VARINT_LEN_MAX, &v);

	*value = zigzag32_decode((uint32_t)v);
	return len;
}

size_t
varlong_get(const uint8_t *p, const uint8_t *end, int64_t *value)
{
	uint64_t v = 0;
	size_t len = groups_get(p, end, VARLONG_LEN_MAX, &v);

	*value = zigzag64_decode(v);
	return len;
}

static inline size_t
groups_put(uint8_t *p, uint64_t value)
{
	size_t len = 0;

	while (value >= 0x80) {
		p[len++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	p[len++] = (uint8_t)value;
	return len;
}

size_t
uvarint_put(uint8_t *p, uint32_t value)
{
	return groups_put(p, value);
}

size_t
varint_put(uint8_t *p, int32_t value)
{
	return groups_put(p, zigzag32_encode(value));
}

size_t
varlong_put(uint8_t *p, int64_t value)
{
	return groups_put(p, zigzag64_encode(value));
}

static inline size_t
groups_len(uint64_t value)
{
	size_t bits = 64 - (size_t)__builtin_clzll(value | 1);

	return (bits + 6) / 7;
}

size_t
uvarint_len(uint32_t value)
{
	return groups_len(value);
}

size_t
varint_len(int32_t value)
{
	return groups_len(zigzag32_encode(value));
}

size_t
varlong_len(int64_t value)
{
	return groups_len(zigzag64_encode(value));
}
