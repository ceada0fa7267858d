/*
 * Arena: memory that is freed all at once.
 *
 * Everything that one request needs lives in one arena, which is reset when
 * the last byte of the reply has left.  An arena has a cap given at creation,
 * and two ways to meet it:
 *
 *	arena_alloc and arena_calloc return NULL beyond the cap, which decoders
 *	turn into an error of the input (a hostile count).
 *
 *	arena_xalloc and its kin always give memory.  What goes beyond the cap
 *	overdraws the arena, once and for all: whoever answers for it looks at
 *	arena_overdrawn and gives up (request_reply closes the connection), and
 *	whoever allocates in a loop over what a peer has counted looks at
 *	arena_left or arena_overdrawn and stops early, so that an overdraft is
 *	never more than one round of such a loop.  Nothing here aborts but for
 *	want of memory.
 *
 * An arena whose memory comes from outside may be charged to a budget.
 *
 * Not thread-safe: one owner at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/base.h"

struct arena_chunk;
struct budget;

/* Of all that is handed out: enough for pointers and numbers of 64 bits. */
#define ARENA_ALIGN ((size_t)8)

struct arena {
	struct arena_chunk *chunks;	/* newest first */
	uint8_t *next;			/* next free byte of the newest */
	uint8_t *end;
	size_t size_bytes;		/* handed out and wasted so far */
	size_t size_bytes_max;
	bool overdrawn;			/* it has been above the maximum */
	uint8_t *lent;			/* NULL, or the first chunk's bytes */
	size_t lent_len;
	struct budget *budget;		/* NULL: nobody keeps count */
	size_t charged_bytes;		/* taken from it */
};

/* Prepare an empty arena that will hand out size_bytes_max at the most. */
void arena_init(struct arena *arena, size_t size_bytes_max);

/*
 * Hand out len bytes at bytes, aligned as ARENA_ALIGN, before others are made.
 * They stay the caller's, who frees them after the last arena_reset.  The
 * arena is empty.
 */
void arena_lend(struct arena *arena, void *bytes, size_t len);

/*
 * Take what the arena, which is empty, will need from budget, which outlives
 * it.  It is taken even where that passes the budget's maximum: who spends the
 * budget has to ask what is left before he begins something new.  The first
 * 4 KiB, or those that were lent, are free, so that small requests do not meet
 * at one counter.
 */
void arena_charge(struct arena *arena, struct budget *budget);

/* Free everything.  The arena is empty then and can be used again. */
void arena_reset(struct arena *arena);

/*
 * size bytes aligned as ARENA_ALIGN, not initialised, or NULL where the cap
 * would be passed.  A size of 0 gives a valid pointer.
 */
void *arena_alloc(struct arena *arena, size_t size) WARN_UNUSED;

/* The same, zeroed; NULL also where count * size overflows. */
void *arena_calloc(struct arena *arena, size_t count, size_t size) WARN_UNUSED;

/*
 * p, of size bytes, is what was handed out last: keep len bytes of it, and
 * take back the others.
 */
void arena_shrink(struct arena *arena, void *p, size_t size, size_t len);

/* How much more may be handed out; alignment may take some of it. */
size_t arena_left(const struct arena *arena);

/* Has more been handed out than the cap allows? */
static inline bool
arena_overdrawn(const struct arena *arena)
{
	return arena->overdrawn;
}

/*
 * These cannot fail: they overdraw the arena where the cap is passed.  Sizes
 * are of things that are in memory already, so count * size does not overflow.
 */
void *arena_xalloc(struct arena *arena, size_t size)
    __attribute__((returns_nonnull));
void *arena_xcalloc(struct arena *arena, size_t count, size_t size)
    __attribute__((returns_nonnull));
struct slice arena_copy(struct arena *arena, struct slice s);
struct slice arena_printf(struct arena *arena, const char *format, ...)
    PRINTF_LIKE(2, 3);

#endif
