/*
 * Big-endian integers and variable-length integers, as Kafka writes them.
 *
 * `uvarint` is unsigned base 128, low group first, at most five bytes;
 * `varint` and `varlong` are zig-zag coded before, at most five and ten.  The
 * last byte may carry bits too high to count; like Kafka we drop them.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/base.h"

#define VARINT_LEN_MAX 5
#define VARLONG_LEN_MAX 10

static inline uint16_t
be16_get(const uint8_t *p)
{
	return (uint16_t)((p[0] << 8) | p[1]);
}

static inline uint32_t
be32_get(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t
be64_get(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

static inline void
be16_put(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
be32_put(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void
be64_put(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint32_t
zigzag32_encode(int32_t v)
{
	return ((uint32_t)v << 1) ^ (uint32_t)(v >> 31);
}

static inline int32_t
zigzag32_decode(uint32_t v)
{
	return (int32_t)((v >> 1) ^ (~(v & 1) + 1));
}

static inline uint64_t
zigzag64_encode(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t
zigzag64_decode(uint64_t v)
{
	return (int64_t)((v >> 1) ^ (~(v & 1) + 1));
}

/*
 * Read one from [p, end) into *value.  The result is the number of bytes it
 * took, or 0 where it is cut off or too long.
 */
size_t uvarint_get(const uint8_t *p, const uint8_t *end, uint32_t *value);
size_t varint_get(const uint8_t *p, const uint8_t *end, int32_t *value);
size_t varlong_get(const uint8_t *p, const uint8_t *end, int64_t *value);

/* Write one at p, which has room for the longest; the bytes written. */
size_t uvarint_put(uint8_t *p, uint32_t value);
size_t varint_put(uint8_t *p, int32_t value);
size_t varlong_put(uint8_t *p, int64_t value);

/* The bytes that the value takes. */
size_t uvarint_len(uint32_t value);
size_t varint_len(int32_t value);
size_t varlong_len(int64_t value);

#endif
