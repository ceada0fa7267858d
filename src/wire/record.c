#include "wire/record.h"

#include "wire/record_inline.h"

const uint8_t *
record_read(const uint8_t *p, const uint8_t *end, struct record_parts *parts)
{
	return record_read_inline(p, end, parts);
}

bool
record_header_next(struct slice *headers, struct record_header *header)
{
	const uint8_t *p = headers->data;
	const uint8_t *end = p + headers->len;
	bool whole;

	if (headers->len == 0)
		return false;
	whole = record_header_read(&p, end, header);
	assert(whole);
	*headers = slice_of(p, (size_t)(end - p));
	return true;
}

static int32_t
bytes_len(struct slice bytes)
{
	assert(bytes.len <= INT32_MAX);
	return slice_is_null(bytes) ? -1 : (int32_t)bytes.len;
}

static uint8_t *
bytes_put(uint8_t *p, struct slice bytes)
{
	p += varint_put(p, bytes_len(bytes));
	if (bytes.len > 0)
		memcpy(p, bytes.data, bytes.len);
	return p + bytes.len;
}

int
record_header_append(struct buf *headers, struct slice key, struct slice value)
{
	uint8_t *p =
	    buf_reserve(headers, key.len + value.len + 2 * VARINT_LEN_MAX);
	uint8_t *end;

	assert(!slice_is_null(key));
	if (p == NULL)
		return -1;
	end = bytes_put(bytes_put(p, key), value);
	headers->len += (size_t)(end - p);
	return 0;
}

/* What the length field says. */
static size_t
body_len(const struct record_parts *parts)
{
	return 1 + varlong_len(parts->timestamp_delta) +
	       varint_len(parts->offset_delta) +
	       varint_len(bytes_len(parts->key)) + parts->key.len +
	       varint_len(bytes_len(parts->value)) + parts->value.len +
	       varint_len(parts->header_count) + parts->headers.len;
}

int
record_append(struct buf *buf, const struct record_parts *parts)
{
	size_t len = body_len(parts);
	uint8_t *start, *p;

	if (len > INT32_MAX)
		return -1;
	start = p = buf_reserve(buf, VARINT_LEN_MAX + len);
	if (p == NULL)
		return -1;
	p += varint_put(p, (int32_t)len);
	*p++ = 0;
	p += varlong_put(p, parts->timestamp_delta);
	p += varint_put(p, parts->offset_delta);
	p = bytes_put(p, parts->key);
	p = bytes_put(p, parts->value);
	p += varint_put(p, parts->header_count);
	if (parts->headers.len > 0)
		memcpy(p, parts->headers.data, parts->headers.len);
	buf->len += (size_t)(p + parts->headers.len - start);
	return 0;
}
