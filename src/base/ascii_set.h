/*
 * Ascii set: a set of ASCII characters, and the sets that have a name in
 * regular expressions (RE2's syntax).
 *
 * Characters beyond ASCII are in a set all together or not at all: what leaves
 * some out (. and negations) has them, what names some has not.  A set that
 * was given such a character, or something of which Unicode has more than
 * ASCII does, is unsure: it is right for texts in ASCII only.
 */
#ifndef BASE_ASCII_SET_H
#define BASE_ASCII_SET_H

#include "base/base.h"

struct ascii_set {
	uint64_t bits[2];
	bool beyond; /* has those beyond ASCII */
	bool unsure; /* or some of them */
};

static inline bool
ascii_set_has(const struct ascii_set *set, unsigned c)
{
	return c < 128 ? (set->bits[c / 64] >> (c % 64) & 1) != 0 : set->beyond;
}

void ascii_set_add(struct ascii_set *set, unsigned c);
void ascii_set_remove(struct ascii_set *set, unsigned c);
/* From low to high, both included. */
void ascii_set_add_range(struct ascii_set *set, unsigned low, unsigned high);
void ascii_set_add_set(struct ascii_set *set, const struct ascii_set *other);
void ascii_set_negate(struct ascii_set *set);

/* Add the other case of each letter. */
void ascii_set_fold(struct ascii_set *set);

/*
 * Add what a POSIX class (alpha), or a general category or script of Unicode
 * (Lu, Greek), has of ASCII, which may be nothing.  -1 where there is none of
 * that name.
 */
int ascii_set_add_posix(struct ascii_set *set, struct slice name) WARN_UNUSED;
int ascii_set_add_unicode(struct ascii_set *set, struct slice name) WARN_UNUSED;

#endif
