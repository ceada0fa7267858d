#include "auth/jaas.h"

#include <strings.h>

/* More than any configuration has; the arena's cap is hit before. */
#define OPTIONS_MAX 10000

#define NO_MODULE "Login module not specified in JAAS config"
#define NO_FLAG "Login module control flag not specified in JAAS config"
#define BAD_FLAG "Invalid login module control flag in JAAS config"
#define NO_VALUE "Value not specified for a key in JAAS config"
#define NO_END "JAAS config entry not terminated by semi-colon"
#define TOO_MUCH "JAAS config too large"
#define NO_NAME "the name of a section is expected"
#define NO_OPEN "an opening brace is expected after the name of a section"
#define NO_CLOSE "a section has no end"
#define NO_SECTION_END "a section is not terminated by semi-colon"
#define TWICE "a section comes twice"
#define EXPANSION "a value with ${...}, which is not supported"
#define MORE_THAN_ONE \
	"JAAS config contains more than the one login module that is allowed"

enum token {
	TOKEN_END,
	TOKEN_WORD, /* or a text in quotes */
	TOKEN_EQUALS,
	TOKEN_SEMICOLON,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_OTHER,
};

struct scanner {
	const uint8_t *at;
	const uint8_t *end;
	struct arena *arena;
	struct slice word; /* of the last TOKEN_WORD */
	bool failed;       /* the arena is full */
	bool file;         /* the JDK's rules, not Kafka's */
};

static bool
begins(const struct scanner *s, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(s->end - s->at) >= len && memcmp(s->at, text, len) == 0;
}

/* White space and comments; one without an end goes on to the end. */
static void
skip_blanks(struct scanner *s)
{
	while (s->at < s->end) {
		if (*s->at <= ' ') {
			s->at++;
		} else if (begins(s, "//")) {
			while (
			    s->at < s->end && *s->at != '\n' && *s->at != '\r')
				s->at++;
		} else if (begins(s, "/*")) {
			s->at += 2;
			while (s->at < s->end && !begins(s, "*/"))
				s->at++;
			s->at = MIN(s->at + 2, s->end);
		} else {
			return;
		}
	}
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Also within a character of UTF-8. */
static bool
begins_word(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
	    c == '$' || c >= 0x80;
}

static bool
is_in_word(uint8_t c)
{
	return begins_word(c) || is_digit(c) || c == '.' || c == '-';
}

static uint8_t
unescaped(uint8_t c)
{
	static const char names[] = "abfnrtv";
	static const char values[] = "\a\b\f\n\r\t\v";
	const char *name = c == 0 ? NULL : strchr(names, c);

	return name == NULL ? c : (uint8_t)values[name - names];
}

/* Up to three octal digits behind a backslash, of which the first is at. */
static uint8_t
take_octal(struct scanner *s)
{
	unsigned value = 0;
	int digits_max = *s->at <= '3' ? 3 : 2;

	for (int i = 0;
	    i < digits_max && s->at < s->end && *s->at >= '0' && *s->at <= '7';
	    i++)
		value = value * 8 + (unsigned)(*s->at++ - '0');
	return (uint8_t)value;
}

/* A text in quotes, which a line's end ends, too. */
static enum token
take_quoted(struct scanner *s)
{
	uint8_t quote = *s->at++;
	uint8_t *text = arena_alloc(s->arena, (size_t)(s->end - s->at) + 1);
	size_t len = 0;

	if (text == NULL) {
		s->failed = true;
		return TOKEN_OTHER;
	}
	while (s->at < s->end && *s->at != quote && *s->at != '\n' &&
	    *s->at != '\r') {
		if (*s->at != '\\' || s->at + 1 == s->end) {
			text[len++] = *s->at++;
			continue;
		}
		s->at++;
		if (*s->at >= '0' && *s->at <= '7')
			text[len++] = take_octal(s);
		else
			text[len++] = unescaped(*s->at++);
	}
	if (s->at < s->end && *s->at == quote)
		s->at++;
	s->word = slice_of(text, len);
	return TOKEN_WORD;
}

/* A number is a token, but no word. */
static enum token
take_number(struct scanner *s)
{
	while (s->at < s->end &&
	    (is_digit(*s->at) || *s->at == '.' || *s->at == '-'))
		s->at++;
	return TOKEN_OTHER;
}

static enum token
take(struct scanner *s)
{
	const uint8_t *begin;

	skip_blanks(s);
	if (s->at == s->end)
		return TOKEN_END;
	begin = s->at;
	if (*begin == '"' || (*begin == '\'' && !s->file))
		return take_quoted(s);
	if (begins_word(*begin) || (*begin == '*' && s->file)) {
		while (s->at < s->end &&
		    (is_in_word(*s->at) || (*s->at == '*' && s->file)))
			s->at++;
		s->word = slice_of(begin, (size_t)(s->at - begin));
		return TOKEN_WORD;
	}
	if (is_digit(*begin) || *begin == '.' || *begin == '-')
		return take_number(s);
	s->at++;
	if (*begin == '=')
		return TOKEN_EQUALS;
	if (*begin == '{')
		return TOKEN_OPEN;
	if (*begin == '}')
		return TOKEN_CLOSE;
	return *begin == ';' ? TOKEN_SEMICOLON : TOKEN_OTHER;
}

static bool
is_flag(struct slice word)
{
	static const char *const flags[] = { "required", "requisite",
		"sufficient", "optional" };

	for (size_t i = 0; i < COUNT_OF(flags); i++)
		if (word.len == strlen(flags[i]) &&
		    strncasecmp((const char *)word.data, flags[i], word.len) ==
			0)
			return true;
	return false;
}

/* Room for one more of count things, which grow to the next power of two. */
static void *
grown(struct scanner *s, void *array, size_t count, size_t size)
{
	void *larger;

	if (count > 0 && (count & (count - 1)) != 0)
		return array;
	larger = count > OPTIONS_MAX ?
	    NULL :
	    arena_calloc(s->arena, MAX(2 * count, (size_t)1), size);
	if (larger == NULL)
		s->failed = true;
	else if (count > 0)
		memcpy(larger, array, count * size);
	return larger;
}

static bool
has_expansion(struct slice value)
{
	return memmem(value.data, value.len, "${", 2) != NULL;
}

static const char *
take_option(struct scanner *s, struct jaas_entry *entry)
{
	struct jaas_option option = { .name = s->word };

	if (take(s) != TOKEN_EQUALS || take(s) != TOKEN_WORD)
		return NO_VALUE;
	option.value = s->word;
	if (s->file && has_expansion(option.value))
		return EXPANSION;
	entry->options = grown(
	    s, entry->options, entry->options_count, sizeof(option));
	if (entry->options == NULL)
		return TOO_MUCH;
	entry->options[entry->options_count++] = option;
	return NULL;
}

/* A module, whose class has been taken, to its semicolon. */
static const char *
take_entry(struct scanner *s, struct jaas_entry *entry)
{
	const char *reason = NULL;
	enum token token;

	memset(entry, 0, sizeof(*entry));
	entry->module = s->word;
	if (take(s) != TOKEN_WORD)
		return NO_FLAG;
	if (!is_flag(s->word))
		return BAD_FLAG;
	while (reason == NULL && (token = take(s)) == TOKEN_WORD)
		reason = take_option(s, entry);
	if (reason != NULL)
		return reason;
	return token == TOKEN_SEMICOLON ? NULL : NO_END;
}

static const char *
parse(struct scanner *s, struct jaas_entry *entry)
{
	const char *reason;

	if (take(s) != TOKEN_WORD)
		return NO_MODULE;
	reason = take_entry(s, entry);
	if (reason != NULL)
		return reason;
	return take(s) == TOKEN_END ? NULL : MORE_THAN_ONE;
}

int
jaas_parse(struct slice text, struct arena *arena, struct jaas_entry *entry,
    const char **reason)
{
	struct scanner s = {
		.at = text.data,
		.end = text.data + text.len,
		.arena = arena,
	};

	memset(entry, 0, sizeof(*entry));
	*reason = parse(&s, entry);
	if (s.failed)
		*reason = TOO_MUCH;
	return *reason == NULL ? 0 : -1;
}

/* --- A file --------------------------------------------------------------- */

static const char *
take_section(struct scanner *s, struct jaas_section *section)
{
	const char *reason = NULL;
	enum token token;

	memset(section, 0, sizeof(*section));
	section->name = s->word;
	if (take(s) != TOKEN_OPEN)
		return NO_OPEN;
	while (reason == NULL && (token = take(s)) == TOKEN_WORD) {
		section->entries = grown(s, section->entries,
		    section->entries_count, sizeof(*section->entries));
		if (section->entries == NULL)
			return TOO_MUCH;
		reason = take_entry(
		    s, &section->entries[section->entries_count++]);
	}
	if (reason != NULL)
		return reason;
	if (token != TOKEN_CLOSE)
		return NO_CLOSE;
	return take(s) == TOKEN_SEMICOLON ? NULL : NO_SECTION_END;
}

static bool
is_known(const struct jaas_file *file, struct slice name)
{
	for (size_t i = 0; i < file->sections_count; i++)
		if (slice_equal(file->sections[i].name, name))
			return true;
	return false;
}

static const char *
parse_file(struct scanner *s, struct jaas_file *file)
{
	const char *reason = NULL;
	enum token token;

	while (reason == NULL && (token = take(s)) == TOKEN_WORD) {
		if (is_known(file, s->word))
			return TWICE;
		file->sections = grown(s, file->sections, file->sections_count,
		    sizeof(*file->sections));
		if (file->sections == NULL)
			return TOO_MUCH;
		reason =
		    take_section(s, &file->sections[file->sections_count++]);
	}
	if (reason != NULL)
		return reason;
	return token == TOKEN_END ? NULL : NO_NAME;
}

int
jaas_file_parse(struct slice text, struct arena *arena, struct jaas_file *file,
    const char **reason, size_t *line)
{
	struct scanner s = {
		.at = text.data,
		.end = text.data + text.len,
		.arena = arena,
		.file = true,
	};

	memset(file, 0, sizeof(*file));
	*reason = parse_file(&s, file);
	if (s.failed)
		*reason = TOO_MUCH;
	*line = 1;
	for (const uint8_t *at = text.data; at < s.at; at++)
		*line += *at == '\n';
	return *reason == NULL ? 0 : -1;
}

const struct jaas_section *
jaas_file_find(const struct jaas_file *file, const char *name)
{
	for (size_t i = 0; i < file->sections_count; i++)
		if (slice_equal_str(file->sections[i].name, name))
			return &file->sections[i];
	return NULL;
}

struct slice
jaas_option(const struct jaas_entry *entry, const char *name)
{
	for (size_t i = entry->options_count; i > 0; i--)
		if (slice_equal_str(entry->options[i - 1].name, name))
			return entry->options[i - 1].value;
	return SLICE_NULL;
}
