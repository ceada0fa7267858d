#include "base/utf8.h"

/* The bytes of the character that begins with this one; 0 where none does. */
static size_t
sequence_len(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

/* May second follow first?  It must not make the number too small or big. */
static bool
second_fits(uint8_t first, uint8_t second)
{
	if (first == 0xe0)
		return second >= 0xa0 && second <= 0xbf;
	if (first == 0xf0)
		return second >= 0x90 && second <= 0xbf;
	if (first == 0xf4)
		return second >= 0x80 && second <= 0x8f;
	return (second & 0xc0) == 0x80;
}

size_t
utf8_next(struct slice bytes, bool *valid)
{
	size_t want = sequence_len(bytes.data[0]);
	size_t len = 1;

	while (len < want && len < bytes.len &&
	    (len == 1 ? second_fits(bytes.data[0], bytes.data[1])
		      : (bytes.data[len] & 0xc0) == 0x80))
		len++;
	*valid = len == want &&
	    !(want == 3 && bytes.data[0] == 0xed && bytes.data[1] >= 0xa0);
	return len;
}
