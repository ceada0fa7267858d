/*
 * A byte buffer that grows up to a maximum given when it is made.
 *
 * The buffer owns its memory; what buf_reserve and buf_slice point to is
 * valid until the next call that grows it.  Not thread-safe: one owner.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/base.h"

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t len_max;
};

/* An empty buffer that will hold len_max bytes at the most. */
void buf_init(struct buf *buf, size_t len_max);

/* Free the memory.  The buffer is empty then and can be used again. */
void buf_fini(struct buf *buf);

/*
 * Room for len more bytes: the address where they go, which is data + len.
 * The caller writes there and adds to buf->len what it wrote.  NULL where
 * len_max would be passed.
 */
uint8_t *buf_reserve(struct buf *buf, size_t len) WARN_UNUSED;

/* Append a copy of len bytes; -1 where len_max would be passed. */
int buf_append(struct buf *buf, const void *data, size_t len) WARN_UNUSED;

/* Forget the contents and keep the memory. */
static inline void
buf_clear(struct buf *buf)
{
	buf->len = 0;
}

/* The contents, borrowed. */
static inline struct slice
buf_slice(const struct buf *buf)
{
	return slice_of(buf->data, buf->len);
}

#endif
