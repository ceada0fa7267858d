/*
 * Spares: blocks of one size that are used again and again.
 *
 * What is made and freed for every request costs less when it does not go
 * through malloc.  Blocks that are given back are kept up to a number given
 * when the spares are made; more are freed.  Under AddressSanitizer none are
 * kept, so that it sees who uses a block too long.
 *
 * Not thread-safe: one owner.
 */
#ifndef BASE_SPARES_H
#define BASE_SPARES_H

#include "base/base.h"

struct spare;

struct spares {
	size_t block_len;
	size_t count_max;
	size_t count;
	struct spare *first;
};

/* No blocks; they will have block_len bytes and count_max will be kept. */
void spares_init(struct spares *spares, size_t block_len, size_t count_max);

/* Free those that are kept. */
void spares_fini(struct spares *spares);

/* A block, not initialised, aligned for any type. */
void *spares_take(struct spares *spares);

/* Give back a block that came from these spares. */
void spares_give(struct spares *spares, void *block);

#endif
