/*
 * How a record's fields are read, inline: record.c makes functions of it, and
 * batch_validate.c a loop that keeps only what it looks at.  Everything here
 * returns false or NULL where bytes are missing or contradict each other.
 */
#ifndef WIRE_RECORD_INLINE_H
#define WIRE_RECORD_INLINE_H

#include "wire/record.h"

/* The compiler would rather not, and three times slower. */
#define RECORD_INLINE static inline __attribute__((always_inline))

/* Most numbers of a record take one or two bytes. */
RECORD_INLINE bool
record_varint(const uint8_t **p, const uint8_t *end, int32_t *value)
{
	const uint8_t *at = *p;
	int32_t longer;
	size_t len;

	if (at < end && at[0] < 0x80) {
		*value = zigzag32_decode(at[0]);
		*p = at + 1;
		return true;
	}
	if (end - at >= 2 && at[1] < 0x80) {
		*value =
		    zigzag32_decode((at[0] & 0x7fu) | (uint32_t)at[1] << 7);
		*p = at + 2;
		return true;
	}
	/* By a copy, so that *value can stay in a register. */
	len = varint_get(at, end, &longer);
	*value = longer;
	*p = at + len;
	return len > 0;
}

RECORD_INLINE bool
record_varlong(const uint8_t **p, const uint8_t *end, int64_t *value)
{
	const uint8_t *at = *p;
	int64_t longer;
	size_t len;

	if (at < end && at[0] < 0x80) {
		*value = zigzag64_decode(at[0]);
		*p = at + 1;
		return true;
	}
	if (end - at >= 2 && at[1] < 0x80) {
		*value =
		    zigzag64_decode((at[0] & 0x7fu) | (uint64_t)at[1] << 7);
		*p = at + 2;
		return true;
	}
	len = varlong_get(at, end, &longer);
	*value = longer;
	*p = at + len;
	return len > 0;
}

/* A length and as many bytes; a negative length is null. */
RECORD_INLINE bool
record_bytes(const uint8_t **p, const uint8_t *end, struct slice *bytes)
{
	int32_t len;

	if (!record_varint(p, end, &len))
		return false;
	if (len < 0) {
		*bytes = SLICE_NULL;
		return true;
	}
	if (len > end - *p)
		return false;
	*bytes = slice_of(*p, (size_t)len);
	*p += len;
	return true;
}

/* One header; its key is not null. */
RECORD_INLINE bool
record_header_read(
    const uint8_t **p, const uint8_t *end, struct record_header *header)
{
	return record_bytes(p, end, &header->key) &&
	    !slice_is_null(header->key) && record_bytes(p, end, &header->value);
}

RECORD_INLINE bool
record_headers_skip(const uint8_t **p, const uint8_t *end, int32_t count)
{
	struct record_header header;

	for (int32_t i = 0; i < count; i++) {
		if (!record_header_read(p, end, &header))
			return false;
	}
	return count >= 0;
}

/* The fields behind the length; the address behind them. */
RECORD_INLINE const uint8_t *
record_fields_read(
    const uint8_t *p, const uint8_t *end, struct record_parts *parts)
{
	const uint8_t *headers;

	if (p == end)
		return NULL;
	p++; /* The attributes. */
	if (!record_varlong(&p, end, &parts->timestamp_delta) ||
	    !record_varint(&p, end, &parts->offset_delta) ||
	    !record_bytes(&p, end, &parts->key) ||
	    !record_bytes(&p, end, &parts->value) ||
	    !record_varint(&p, end, &parts->header_count))
		return NULL;
	headers = p;
	if (!record_headers_skip(&p, end, parts->header_count))
		return NULL;
	parts->headers = slice_of(headers, (size_t)(p - headers));
	return p;
}

RECORD_INLINE const uint8_t *
record_read_inline(
    const uint8_t *p, const uint8_t *end, struct record_parts *parts)
{
	int32_t len;

	if (!record_varint(&p, end, &len) || len < 0 || len > end - p)
		return NULL;
	end = p + len;
	return record_fields_read(p, end, parts) == end ? end : NULL;
}

RECORD_INLINE const uint8_t *
record_read_lax_inline(
    const uint8_t *p, const uint8_t *end, struct record_parts *parts)
{
	int32_t len;

	if (!record_varint(&p, end, &len))
		return NULL;
	return record_fields_read(p, end, parts);
}

#endif
