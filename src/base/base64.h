/*
 * Base64 with padding (RFC 4648, section 4), as JSON and SASL use it, and the
 * URL-safe alphabet (section 5), as JSON Web Tokens do.
 *
 * Uuids have the URL-safe form, too: see base/uuid.h.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/base.h"

/* The characters that len bytes take. */
static inline size_t
base64_len(size_t len)
{
	return (len + 2) / 3 * 4;
}

/* Write the base64_len(data.len) characters of data to text, and no NUL. */
void base64_encode(struct slice data, char *text);

/*
 * Read text into data, which has room for text.len / 4 * 3 bytes, and set
 * *len.  -1 where text is not base64: a strange character, a length that is
 * not a multiple of four, bits in front of the padding that are not zero.
 */
int base64_decode(struct slice text, uint8_t *data, size_t *len) WARN_UNUSED;

/*
 * The same for the URL-safe alphabet, with or without the padding; data has
 * room for text.len / 4 * 3 + 2 bytes.
 */
int base64_decode_url(
    struct slice text, uint8_t *data, size_t *len) WARN_UNUSED;

#endif
