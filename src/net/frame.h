/*
 * Frame: int32 size, then so many bytes.  What a run of bytes from a socket
 * begins with.
 */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include "base/base.h"
#include "base/bytes.h"

#define FRAME_SIZE_LEN ((size_t)4)

enum frame_state {
	FRAME_COMPLETE,
	FRAME_PARTIAL,
	FRAME_BAD,	/* the size is below 0 or above the maximum */
};

/*
 * What the len bytes at data begin with.  *total is then the length of the
 * frame with its size, or 0 where too few bytes are there to know it.
 */
static inline enum frame_state WARN_UNUSED
frame_parse(const uint8_t *data, size_t len, size_t frame_len_max,
    size_t *total)
{
	uint32_t size;

	*total = 0;
	if (len < FRAME_SIZE_LEN)
		return FRAME_PARTIAL;
	size = be32_get(data);
	if (size > INT32_MAX || size > frame_len_max)
		return FRAME_BAD;
	*total = FRAME_SIZE_LEN + size;
	return len < *total ? FRAME_PARTIAL : FRAME_COMPLETE;
}

#endif
