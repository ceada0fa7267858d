#include "base/buf.h"

#define BUF_CAP_MIN 256

void
buf_init(struct buf *buf, size_t len_max)
{
	*buf = (struct buf){ .len_max = len_max };
}

void
buf_fini(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->len_max);
}

/* Doubling keeps appending linear; the maximum is a multiple of nothing. */
static void
buf_grow(struct buf *buf, size_t cap)
{
	size_t doubled =
	    buf->cap <= buf->len_max / 2 ? buf->cap * 2 : buf->len_max;

	cap = MAX(MAX(cap, doubled), BUF_CAP_MIN);
	buf->data = xrealloc(buf->data, cap);
	buf->cap = cap;
}

uint8_t *
buf_reserve(struct buf *buf, size_t len)
{
	assert(buf->len <= buf->cap);
	if (buf->len > buf->len_max || len > buf->len_max - buf->len)
		return NULL;
	if (buf->data == NULL || buf->cap - buf->len < len)
		buf_grow(buf, buf->len + len);
	return buf->data + buf->len;
}

int
buf_append(struct buf *buf, const void *data, size_t len)
{
	uint8_t *p = buf_reserve(buf, len);

	if (p == NULL)
		return -1;
	if (len > 0)
		memcpy(p, data, len);
	buf->len += len;
	return 0;
}
