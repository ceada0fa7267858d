/*
 * Arena: memory that is freed all at once.
 *
 * Everything that one request needs lives in one arena, which is reset when
 * the last byte of the reply has left.  An arena has a cap given at creation;
 * arena_alloc beyond the cap returns NULL, which decoders turn into an error
 * of the input (a hostile count), never into an abort.
 *
 * Not thread-safe: one owner at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/base.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;	/* newest first */
	uint8_t *next;			/* next free byte of the newest */
	uint8_t *end;
	size_t size_bytes;		/* handed out and wasted so far */
	size_t size_bytes_max;
};

/* Prepare an empty arena that will hand out size_bytes_max at the most. */
void arena_init(struct arena *arena, size_t size_bytes_max);

/* Free everything.  The arena is empty then and can be used again. */
void arena_reset(struct arena *arena);

/*
 * size bytes aligned for any type, not initialised, or NULL where the cap
 * would be passed.  A size of 0 gives a valid pointer.
 */
void *arena_alloc(struct arena *arena, size_t size) WARN_UNUSED;

/* The same, zeroed; NULL also where count * size overflows. */
void *arena_calloc(struct arena *arena, size_t count, size_t size) WARN_UNUSED;

/* How much more may be handed out; alignment may take some of it. */
size_t arena_left(const struct arena *arena);

/*
 * Copies that cannot fail: they abort where the cap is passed, so they are
 * for texts and replies whose size is ours, not for what a peer announced.
 */
void *arena_xalloc(struct arena *arena, size_t size)
    __attribute__((returns_nonnull));
void *arena_xcalloc(struct arena *arena, size_t count, size_t size)
    __attribute__((returns_nonnull));
struct slice arena_copy(struct arena *arena, struct slice s);
struct slice arena_printf(struct arena *arena, const char *format, ...)
    PRINTF_LIKE(2, 3);

#endif
