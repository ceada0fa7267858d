/*
 * Output: what is to be sent, as a list of pieces.
 *
 * A piece is bytes in memory or a part of a file, which the connection sends
 * without reading it into memory first.  The list lives in an arena, as do
 * the bytes that the encoder writes; bytes and files that were handed in stay
 * the owner's and must live until they have been sent.
 *
 * One owner at a time, as with the arena.
 */
#ifndef WIRE_OUTPUT_H
#define WIRE_OUTPUT_H

#include "base/base.h"

struct arena;

struct output_piece {
	const uint8_t *data;	/* NULL: a part of a file */
	size_t len;
	int fd;
	int64_t position;
};

struct output {
	struct arena *arena;
	struct output_piece *pieces;
	int32_t count;
	int32_t capacity;
	size_t len;		/* bytes of all pieces */
};

/* An empty output whose list will live in the arena. */
void output_init(struct output *out, struct arena *arena);

/*
 * Append len bytes, or the part of a file.  Nothing is copied; a length of 0
 * adds no piece, and what follows the last piece directly is joined to it.
 * -1 where the arena's cap is passed.
 */
int output_bytes(struct output *out, const void *data, size_t len) WARN_UNUSED;
int output_file(struct output *out, int fd, int64_t position, size_t len)
    WARN_UNUSED;

#endif
