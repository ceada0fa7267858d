/*
 * Slices as text: blanks around a value, and lists that commas part.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include "base/base.h"

/*
 * s without the blanks on both sides, which are all bytes up to the space's,
 * as for Java's String.trim.  Null stays null.
 */
struct slice slice_trim(struct slice s);

/* The same texts but for the case of letters (ASCII). */
bool slice_equal_nocase(struct slice a, const char *b);

/*
 * Take the next item off a list that commas part, trimmed; false at the end,
 * where *list is null.  The empty text is one empty item, null is none.
 */
bool slice_next_item(struct slice *list, struct slice *item);

/* The same without the empty items. */
bool slice_next_word(struct slice *list, struct slice *word);

/* Is word, which has no blanks around it, one of the list's? */
bool slice_list_has(struct slice list, struct slice word);

#endif
