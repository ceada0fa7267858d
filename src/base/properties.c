#include "base/base.h"
#include "base/properties.h"

#include "base/buf.h"

#include <stdio.h>

/* More than any text that is read whole can expand to. */
#define TEXT_LEN_MAX ((size_t)1 << 30)

/* One logical line while it is read: unescaped bytes in pieces. */
struct reader {
	const uint8_t *p;
	const uint8_t *end;
	size_t line; /* of p, from 1 */
};

void
properties_init(struct properties *properties)
{
	*properties = (struct properties){ 0 };
}

void
properties_fini(struct properties *properties)
{
	for (size_t i = 0; i < properties->count; i++) {
		free(properties->items[i].key);
		free(properties->items[i].value);
	}
	free(properties->items);
	properties_init(properties);
}

static struct property *
property_find(const struct properties *properties, const char *key)
{
	for (size_t i = 0; i < properties->count; i++) {
		if (strcmp(properties->items[i].key, key) == 0)
			return &properties->items[i];
	}
	return NULL;
}

const char *
properties_get(const struct properties *properties, const char *key)
{
	const struct property *property = property_find(properties, key);

	return property == NULL ? NULL : property->value;
}

static void
property_append(struct properties *properties, char *key, char *value)
{
	if (properties->count == properties->capacity) {
		properties->capacity = MAX(8, properties->capacity * 2);
		properties->items = xrealloc(properties->items,
		    properties->capacity * sizeof(*properties->items));
	}
	properties->items[properties->count++] =
	    (struct property){ key, value };
}

/* Takes key and value. */
static void
property_put(struct properties *properties, char *key, char *value)
{
	struct property *property = property_find(properties, key);

	if (property == NULL) {
		property_append(properties, key, value);
		return;
	}
	free(key);
	free(property->value);
	property->value = value;
}

void
properties_set(
    struct properties *properties, const char *key, const char *value)
{
	property_put(properties, xstrdup(key), xstrdup(value));
}

bool
properties_remove(struct properties *properties, const char *key)
{
	struct property *property = property_find(properties, key);

	if (property == NULL)
		return false;
	free(property->key);
	free(property->value);
	properties->count--;
	memmove(property, property + 1,
	    (size_t)(properties->items + properties->count - property) *
		sizeof(*property));
	return true;
}

/* --- reading ------------------------------------------------------------- */

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

static bool
is_newline(uint8_t c)
{
	return c == '\n' || c == '\r';
}

/* Step over one line end, which may be "\r\n". */
static void
newline_skip(struct reader *r)
{
	if (r->p[0] == '\r' && r->p + 1 < r->end && r->p[1] == '\n')
		r->p++;
	r->p++;
	r->line++;
}

static void
blanks_skip(struct reader *r)
{
	while (r->p < r->end && is_blank(*r->p))
		r->p++;
}

static void
comment_skip(struct reader *r)
{
	while (r->p < r->end && !is_newline(*r->p))
		r->p++;
}

/*
 * A backslash before a line end: the logical line goes on behind the blanks
 * of the next one.
 */
static bool
continuation_skip(struct reader *r)
{
	if (r->end - r->p < 2 || r->p[0] != '\\' || !is_newline(r->p[1]))
		return false;
	r->p++;
	newline_skip(r);
	blanks_skip(r);
	return true;
}

/*
 * Go to the first byte of the next logical line; false at the end.  A line of
 * nothing but continuations is none.
 */
static bool
line_find(struct reader *r)
{
	while (r->p < r->end) {
		if (continuation_skip(r))
			continue;
		if (is_blank(*r->p))
			r->p++;
		else if (is_newline(*r->p))
			newline_skip(r);
		else if (*r->p == '#' || *r->p == '!')
			comment_skip(r);
		else
			return true;
	}
	return false;
}

/* The value of four hexadecimal digits behind "\u", or -1. */
static int
unit_read(struct reader *r)
{
	int value = 0;

	if (r->end - r->p < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		static const char digits[] = "0123456789abcdefABCDEF";
		const char *digit =
		    r->p[i] == '\0' ? NULL : strchr(digits, r->p[i]);
		int at = digit == NULL ? -1 : (int)(digit - digits);

		if (at < 0)
			return -1;
		value = value * 16 + (at < 16 ? at : at - 6);
	}
	r->p += 4;
	return value;
}

/* The low half of a pair of surrogates, if it follows; else 0. */
static int
low_surrogate_read(struct reader *r)
{
	struct reader ahead = *r;
	int unit;

	if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
		return 0;
	ahead.p += 2;
	unit = unit_read(&ahead);
	if (unit < 0xdc00 || unit > 0xdfff)
		return 0;
	*r = ahead;
	return unit;
}

static void
put(struct buf *out, uint32_t byte)
{
	uint8_t c = (uint8_t)byte;

	if (buf_append(out, &c, 1) < 0)
		assert(!"escaped text is no longer than its file");
}

static void
utf8_put(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		put(out, c);
	} else if (c < 0x800) {
		put(out, 0xc0 | c >> 6);
		put(out, 0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		put(out, 0xe0 | c >> 12);
		put(out, 0x80 | (c >> 6 & 0x3f));
		put(out, 0x80 | (c & 0x3f));
	} else {
		put(out, 0xf0 | c >> 18);
		put(out, 0x80 | (c >> 12 & 0x3f));
		put(out, 0x80 | (c >> 6 & 0x3f));
		put(out, 0x80 | (c & 0x3f));
	}
}

/* The character behind "\u".  Half a pair becomes U+FFFD. */
static int
unicode_read(struct reader *r, struct buf *out)
{
	int unit = unit_read(r), low;

	if (unit <= 0)
		return -1;
	if (unit < 0xd800 || unit > 0xdfff) {
		utf8_put(out, (uint32_t)unit);
		return 0;
	}
	low = unit < 0xdc00 ? low_surrogate_read(r) : 0;
	if (low == 0)
		utf8_put(out, 0xfffd);
	else
		utf8_put(out, 0x10000 + ((uint32_t)(unit - 0xd800) << 10) +
				  (uint32_t)(low - 0xdc00));
	return 0;
}

/* What stands behind a backslash, which is no continuation. */
static int
escape_read(struct reader *r, struct buf *out)
{
	uint8_t c;

	if (r->p == r->end)
		return 0;
	c = *r->p++;
	switch (c) {
	case 'u':
		return unicode_read(r, out);
	case 't':
		put(out, '\t');
		return 0;
	case 'n':
		put(out, '\n');
		return 0;
	case 'r':
		put(out, '\r');
		return 0;
	case 'f':
		put(out, '\f');
		return 0;
	default:
		put(out, c);
		return 0;
	}
}

/* Unescape up to the line's end, or, in a key, to what parts it. */
static int
text_read(struct reader *r, struct buf *out, bool key)
{
	while (r->p < r->end && !is_newline(*r->p)) {
		if (continuation_skip(r))
			continue;
		if (key && (is_blank(*r->p) || *r->p == '=' || *r->p == ':'))
			break;
		if (*r->p == '\0')
			return -1;
		if (*r->p++ != '\\')
			put(out, r->p[-1]);
		else if (escape_read(r, out) < 0)
			return -1;
	}
	put(out, '\0');
	return 0;
}

/* Blanks around at most one '=' or ':'. */
static void
separator_skip(struct reader *r)
{
	do
		blanks_skip(r);
	while (continuation_skip(r));
	if (r->p == r->end || (*r->p != '=' && *r->p != ':'))
		return;
	r->p++;
	do
		blanks_skip(r);
	while (continuation_skip(r));
}

static int
pair_read(struct reader *r, struct properties *properties)
{
	struct buf key, value;

	buf_init(&key, TEXT_LEN_MAX);
	buf_init(&value, TEXT_LEN_MAX);
	if (text_read(r, &key, true) < 0)
		goto fail;
	separator_skip(r);
	if (text_read(r, &value, false) < 0)
		goto fail;
	property_put(properties, (char *)key.data, (char *)value.data);
	return 0;
fail:
	buf_fini(&key);
	buf_fini(&value);
	return -1;
}

int
properties_parse(struct properties *properties, struct slice text, size_t *line)
{
	struct reader r = { text.data, text.data + text.len, 1 };

	assert(text.len < TEXT_LEN_MAX);
	if (text.len == 0)
		return 0;
	while (line_find(&r)) {
		if (pair_read(&r, properties) < 0) {
			if (line != NULL)
				*line = r.line;
			return -1;
		}
	}
	return 0;
}

/* --- writing ------------------------------------------------------------- */

static void
put_str(struct buf *out, const char *s)
{
	while (*s != '\0')
		put(out, (uint8_t)*s++);
}

static const char *
escape_of(char c)
{
	switch (c) {
	case '\t':
		return "\\t";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\f':
		return "\\f";
	case '\\':
		return "\\\\";
	case '=':
		return "\\=";
	case ':':
		return "\\:";
	case '#':
		return "\\#";
	case '!':
		return "\\!";
	default:
		return NULL;
	}
}

/*
 * The number of bytes of the UTF-8 character at s, or 0 where it is none: cut,
 * longer than needed, half a pair of surrogates, or beyond U+10FFFF.
 */
static size_t
utf8_read(const char *s, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = (const uint8_t *)s;
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	*c = p[0] & (0x7fu >> len);
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	if (*c < least[len] || *c > 0x10ffff ||
	    (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return len;
}

static void
unit_put(struct buf *out, uint32_t unit)
{
	char text[8];

	snprintf(text, sizeof(text), "\\u%04X", (unsigned)(unit & 0xffff));
	put_str(out, text);
}

/* A byte above 127: escaped where it is UTF-8, as Java does, else as it is. */
static size_t
wide_put(struct buf *out, const char *s)
{
	uint32_t c;
	size_t len = utf8_read(s, &c);

	if (len == 0) {
		put(out, (uint8_t)s[0]);
		return 1;
	}
	if (c >= 0x10000) {
		unit_put(out, 0xd800 + ((c - 0x10000) >> 10));
		unit_put(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
	} else {
		unit_put(out, c);
	}
	return len;
}

/* In a value only the leading blank needs its backslash. */
static void
text_put(struct buf *out, const char *s, bool key)
{
	for (size_t i = 0; s[i] != '\0';) {
		const char *escape = escape_of(s[i]);

		if ((uint8_t)s[i] >= 0x80) {
			i += wide_put(out, s + i);
			continue;
		}
		if (s[i] == ' ' && (key || i == 0))
			put_str(out, "\\ ");
		else if (escape != NULL)
			put_str(out, escape);
		else
			put(out, (uint8_t)s[i]);
		i++;
	}
}

char *
properties_text(const struct properties *properties)
{
	struct buf out;

	buf_init(&out, TEXT_LEN_MAX);
	for (size_t i = 0; i < properties->count; i++) {
		text_put(&out, properties->items[i].key, true);
		put(&out, '=');
		text_put(&out, properties->items[i].value, false);
		put(&out, '\n');
	}
	put(&out, '\0');
	return (char *)out.data;
}
