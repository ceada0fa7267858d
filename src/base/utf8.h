/*
 * UTF-8 that may be none, read as Java does.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/base.h"

/* U+FFFD, for what is no UTF-8. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/*
 * The length of the character at the start of bytes, of which there is one at
 * least, with *valid, or else of the part that one U+FFFD stands for.  Halves
 * of surrogate pairs are three bytes that make one.
 */
size_t utf8_next(struct slice bytes, bool *valid) WARN_UNUSED;

#endif
