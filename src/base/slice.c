#include "base/slice.h"

#include <strings.h>

struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && s.data[0] <= ' ')
		s.data++, s.len--;
	while (s.len > 0 && s.data[s.len - 1] <= ' ')
		s.len--;
	return s;
}

bool
slice_equal_nocase(struct slice a, const char *b)
{
	return a.len == strlen(b) &&
	    strncasecmp((const char *)a.data, b, a.len) == 0;
}

bool
slice_next_item(struct slice *list, struct slice *item)
{
	const uint8_t *comma;
	size_t len;

	if (slice_is_null(*list))
		return false;
	comma = memchr(list->data, ',', list->len);
	len = comma == NULL ? list->len : (size_t)(comma - list->data);
	*item = slice_trim(slice_of(list->data, len));
	if (comma == NULL)
		*list = SLICE_NULL;
	else
		*list = slice_of(comma + 1, list->len - len - 1);
	return true;
}

bool
slice_next_word(struct slice *list, struct slice *word)
{
	while (slice_next_item(list, word))
		if (word->len > 0)
			return true;
	return false;
}

bool
slice_list_has(struct slice list, struct slice word)
{
	struct slice item;

	while (slice_next_item(&list, &item))
		if (slice_equal(item, word))
			return true;
	return false;
}
