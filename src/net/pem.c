#include "net/pem.h"

#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/slice.h"

static bool
is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
pass(struct slice *text, size_t len)
{
	text->data += len;
	text->len -= len;
}

static void
skip_blanks(struct slice *text)
{
	while (text->len > 0 && is_blank(text->data[0]))
		pass(text, 1);
}

static void
skip_dashes(struct slice *text)
{
	while (text->len > 0 && text->data[0] == '-')
		pass(text, 1);
}

/* What is in front of c goes to *part; false where there is no c. */
static bool
cut(struct slice *text, uint8_t c, struct slice *part)
{
	const uint8_t *end =
	    text->len == 0 ? NULL : memchr(text->data, c, text->len);

	if (end == NULL)
		return false;
	*part = slice_of(text->data, (size_t)(end - text->data));
	pass(text, part->len);
	return true;
}

/* Behind "-BEGIN" or "-END": the rest of that line of dashes. */
static bool
read_label(struct slice *text, struct slice *label)
{
	if (!cut(text, '-', label))
		return false;
	*label = slice_trim(*label);
	skip_dashes(text);
	return text->len == 0 || is_blank(text->data[0]);
}

/* Go behind the next place where word follows a dash. */
static bool
find_dashed(struct slice *text, const char *word)
{
	const uint8_t *found = text->len == 0 ?
	    NULL :
	    memmem(text->data, text->len, word, strlen(word));

	if (found == NULL)
		return false;
	pass(text, (size_t)(found - text->data) + strlen(word));
	return true;
}

/* Lines with a colon, which are above the base64. */
static struct slice
read_headers(struct slice *text)
{
	struct slice headers, line;

	skip_blanks(text);
	headers = slice_of(text->data, 0);
	for (;;) {
		struct slice rest = *text;

		skip_blanks(&rest);
		if (!cut(&rest, '\n', &line) ||
		    memchr(line.data, ':', line.len) == NULL)
			break;
		*text = rest;
		headers.len = (size_t)(text->data - headers.data);
	}
	return headers;
}

static int
decode(struct slice body, struct pem_block *block)
{
	struct slice packed;
	uint8_t *bytes = xmalloc(body.len + 1);
	int result;

	packed = slice_of(bytes, 0);
	for (size_t i = 0; i < body.len; i++)
		if (!is_blank(body.data[i]))
			bytes[packed.len++] = body.data[i];
	block->data = xmalloc(packed.len / 4 * 3 + 1);
	result = base64_decode(packed, block->data, &block->len);
	OPENSSL_cleanse(bytes, body.len);
	free(bytes);
	if (result != 0)
		pem_block_fini(block);
	return result;
}

int
pem_next(struct slice *text, struct pem_block *block)
{
	struct slice body, label;

	memset(block, 0, sizeof(*block));
	if (!find_dashed(text, "-BEGIN"))
		return 0;
	if (!read_label(text, &block->label))
		return -1;
	block->headers = read_headers(text);
	if (!cut(text, '-', &body))
		return -1;
	skip_dashes(text);
	if (text->len < 3 || memcmp(text->data, "END", 3) != 0)
		return -1;
	pass(text, 3);
	if (!read_label(text, &label) || !slice_equal(label, block->label))
		return -1;
	return decode(body, block) == 0 ? 1 : -1;
}

void
pem_block_fini(struct pem_block *block)
{
	if (block->data != NULL)
		OPENSSL_cleanse(block->data, block->len);
	free(block->data);
	block->data = NULL;
	block->len = 0;
}
