/*
 * Tally: how often each of some byte strings was counted.  What finds out in
 * one pass that a request names something twice, however long it is.
 *
 * Strings are borrowed and must stay where they are.  Not thread-safe.
 */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H

#include "base/base.h"
#include "base/map.h"

struct tally {
	struct map counts;
};

void tally_init(struct tally *tally);
void tally_fini(struct tally *tally);

/* Count s, which is not null; how often it was counted, this time included. */
size_t tally_add(struct tally *tally, struct slice s);

/* How often s was counted. */
size_t tally_count(const struct tally *tally, struct slice s);

#endif
