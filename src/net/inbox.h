/*
 * Inbox: bytes of a connection that have been read and could not be handled
 * yet, a partial frame or frames that have to wait.
 *
 * Its memory comes out of the budget and grows only as bytes arrive: to twice
 * what has arrived (eight times, once that is a lot), and no further than the
 * frame needs.  An empty inbox holds none.
 */
#ifndef NET_INBOX_H
#define NET_INBOX_H

#include "base/base.h"

struct budget;

struct inbox {
	uint8_t *data;		/* NULL while it is empty */
	size_t begin;		/* what has been handled lies before */
	size_t end;
	size_t cap;
	struct budget *budget;
};

/* An empty inbox; budget outlives it. */
void inbox_init(struct inbox *inbox, struct budget *budget);

/* From now on the memory, with what it has already, is out of budget. */
void inbox_set_budget(struct inbox *inbox, struct budget *budget);

/* Forget the bytes and free the memory. */
void inbox_clear(struct inbox *inbox);

static inline size_t
inbox_len(const struct inbox *inbox)
{
	return inbox->end - inbox->begin;
}

/* The bytes, mutable; valid until the inbox is changed. */
static inline uint8_t *
inbox_data(const struct inbox *inbox)
{
	return inbox->data + inbox->begin;
}

/*
 * Append len bytes, above 0.  wanted is how many bytes the inbox is going to
 * hold, as far as that is known; a hint that keeps it from growing too far.
 * false where the budget did not have the memory: the bytes are in all the
 * same, and the caller takes in no more until there is some.
 */
bool inbox_append(struct inbox *inbox, const uint8_t *data, size_t len,
    size_t wanted) WARN_UNUSED;

/*
 * Room behind the bytes for reading into directly, at most until the inbox
 * holds wanted bytes; *room is how much.  What was read there is added with
 * inbox_added.
 */
uint8_t *inbox_spare(struct inbox *inbox, size_t wanted, size_t *room);
void inbox_added(struct inbox *inbox, size_t len);

/* Drop len bytes from the front; the memory goes with the last one. */
void inbox_consume(struct inbox *inbox, size_t len);

/*
 * Move to memory that fits what is left, after others have been consumed;
 * wanted as for inbox_append.
 */
void inbox_shrink(struct inbox *inbox, size_t wanted);

#endif
