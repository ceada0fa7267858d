#include "auth/principal_rules.h"

#include <limits.h>
#include <locale.h>
#include <wchar.h>
#include <wctype.h>

#include "base/buf.h"
#include "base/regex.h"
#include "base/slice.h"

/* Names that rules would make longer are none. */
#define NAME_LEN_MAX ((size_t)1 << 20)

enum letters { LETTERS_KEEP, LETTERS_LOWER, LETTERS_UPPER };

struct rule {
	struct regex *regex; /* owned; NULL for DEFAULT */
	char *replacement;   /* owned */
	enum letters letters;
};

struct principal_rules {
	struct rule *items; /* owned */
	size_t count;
	locale_t locale; /* for letters; 0 where none need it */
};

/* The parts of a rule's text, borrowed. */
struct parts {
	struct slice pattern;
	struct slice replacement;
	enum letters letters;
};

static void
pass(struct slice *text, size_t len)
{
	text->data += len;
	text->len -= len;
}

static bool
take(struct slice *text, const char *word)
{
	size_t len = strlen(word);

	if (text->len < len || memcmp(text->data, word, len) != 0)
		return false;
	pass(text, len);
	return true;
}

static void
pass_blanks(struct slice *text)
{
	while (text->len > 0 && memchr(" \t\n\v\f\r", text->data[0], 6) != NULL)
		pass(text, 1);
}

/* --- Patterns that Java reads in another way ------------------------------ */

#define BACK_REFERENCE "back references are not supported"
#define NESTED_CLASS "classes inside of classes are not supported"
#define UNICODE_FLAG "the flag U is not supported"

/* Behind the flags at at, is U one of them? */
static bool
has_flag_u(struct slice at)
{
	for (; at.len > 0 && memchr(":)<", at.data[0], 3) == NULL; pass(&at, 1))
		if (at.data[0] == 'U')
			return true;
	return false;
}

/* Why the pattern, which RE2 may take, is not Java's; NULL where it may be. */
static const char *
foreign(struct slice at)
{
	bool in_class = false;

	while (at.len > 0) {
		if (take(&at, "\\Q")) {
			while (at.len > 0 && !take(&at, "\\E"))
				pass(&at, 1);
			continue;
		}
		if (take(&at, "\\")) {
			if (at.len > 0 && at.data[0] >= '1' &&
			    at.data[0] <= '9')
				return BACK_REFERENCE;
			pass(&at, MIN(at.len, 1));
			continue;
		}
		if (in_class && (at.data[0] == '[' || take(&at, "&&")))
			return NESTED_CLASS;
		if (!in_class && take(&at, "(?") && has_flag_u(at))
			return UNICODE_FLAG;
		if (at.len == 0)
			break;
		if (!in_class && at.data[0] == '[') {
			in_class = true;
			pass(&at, 1);
			(void)take(&at, "^");
			continue;
		}
		if (in_class && at.data[0] == ']')
			in_class = false;
		pass(&at, 1);
	}
	return NULL;
}

/* --- Replacements --------------------------------------------------------- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Put a backslash in front of the character at at. */
static char *
escape_at(char *text, size_t at)
{
	char *escaped = xasprintf("%.*s\\%s", (int)at, text, text + at);

	free(text);
	return escaped;
}

/*
 * Do digits, of which the first is not 0, begin with the number of a group?
 * More of them are none if the first one is none.
 */
static bool
names_group(const char *digits, size_t groups)
{
	return (size_t)(digits[0] - '0') <= groups;
}

/*
 * A reference to a group that is not there is no reference where the pattern
 * has any group.  Kafka looks for them in the text as it was written, and puts
 * the backslash where they were there, even if others came before: so is it
 * here.
 */
static char *
escape_references(const char *text, size_t groups)
{
	char *escaped = xstrdup(text);

	for (size_t i = 0; groups > 0 && text[i] != '\0'; i++) {
		if (text[i] != '$' || !is_digit(text[i + 1]))
			continue;
		if (text[i + 1] != '0' && !names_group(text + i + 1, groups))
			escaped = escape_at(escaped, i);
		while (is_digit(text[i + 1]))
			i++;
	}
	return escaped;
}

/* Why Java could not expand the replacement; NULL where it can. */
static const char *
unfit(const char *text, size_t groups)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\') {
			if (*++text == '\0')
				return "character to be escaped is missing";
			continue;
		}
		if (*text != '$')
			continue;
		if (text[1] == '{')
			return "groups are referred to by numbers only";
		if (!is_digit(text[1]))
			return "Illegal group reference";
		if ((size_t)(text[1] - '0') > groups)
			return "No such group";
	}
	return NULL;
}

/* --- Parsing -------------------------------------------------------------- */

/* Up to the next slash, over what backslashes escape; false without one. */
static bool
take_part(struct slice *text, struct slice *part)
{
	size_t len = 0;

	while (len < text->len && text->data[len] != '/')
		len += text->data[len] == '\\' ? 2 : 1;
	if (len >= text->len)
		return false;
	*part = slice_of(text->data, len);
	pass(text, len + 1);
	return true;
}

/* RULE:pattern/replacement/ and a letter; false where it is none. */
static bool
take_parts(struct slice *text, struct parts *parts)
{
	struct slice rest = *text;

	if (!take(&rest, "RULE:") || !take_part(&rest, &parts->pattern) ||
	    !take_part(&rest, &parts->replacement))
		return false;
	parts->letters = LETTERS_KEEP;
	if (take(&rest, "L"))
		parts->letters = LETTERS_LOWER;
	else if (take(&rest, "U"))
		parts->letters = LETTERS_UPPER;
	*text = rest;
	return true;
}

static struct rule *
add(struct principal_rules *rules)
{
	rules->items = xrealloc(
	    rules->items, (rules->count + 1) * sizeof(*rules->items));
	rules->items[rules->count] = (struct rule){ .regex = NULL };
	return &rules->items[rules->count++];
}

static int
refuse(char **error, struct slice rule, const char *reason)
{
	*error = xasprintf("Invalid rule: `%.*s`, %s", SLICE_ARG(rule), reason);
	return -1;
}

static int
compile(struct principal_rules *rules, struct slice text,
    const struct parts *parts, char **error)
{
	const char *reason = foreign(parts->pattern);
	struct rule *rule = add(rules);
	char *replacement;

	if (reason == NULL)
		rule->regex = regex_new_finding(parts->pattern, &reason);
	if (rule->regex == NULL)
		return refuse(error, text, reason);
	replacement = slice_dup(parts->replacement);
	rule->replacement =
	    escape_references(replacement, regex_groups(rule->regex));
	free(replacement);
	reason = unfit(rule->replacement, regex_groups(rule->regex));
	if (reason != NULL)
		return refuse(error, text, reason);
	rule->letters = parts->letters;
	if (rule->letters != LETTERS_KEEP && rules->locale == (locale_t)0)
		rules->locale =
		    newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return rule->letters == LETTERS_KEEP || rules->locale != (locale_t)0 ?
	    0 :
	    refuse(error, text, "there is no locale C.UTF-8");
}

/* Up to a comma that blanks may stand in front of, or the end. */
static struct slice
to_comma(struct slice from)
{
	const uint8_t *comma =
	    from.len == 0 ? NULL : memchr(from.data, ',', from.len);

	if (comma != NULL)
		from.len = (size_t)(comma - from.data);
	while (from.len > 0 &&
	    memchr(" \t\n\v\f\r", from.data[from.len - 1], 6) != NULL)
		from.len--;
	return from;
}

/* A rule, and what stands between it and the comma behind it. */
static int
take_rule(struct principal_rules *rules, struct slice *text, char **error)
{
	struct slice begin = *text, rest, whole;
	struct parts parts;
	int result = 0;
	bool is_rule = take_parts(text, &parts);
	bool is_default = !is_rule && take(text, "DEFAULT");

	rest = to_comma(*text);
	whole = slice_of(
	    begin.data, (size_t)(rest.data - begin.data) + rest.len);
	if (rest.len > 0) {
		*error = xasprintf("Invalid rule: `%.*s`, unmatched "
				   "substring: `%.*s`",
		    SLICE_ARG(whole), SLICE_ARG(rest));
		return -1;
	}
	if (is_rule)
		result = compile(rules, whole, &parts, error);
	else if (is_default)
		(void)add(rules);
	pass_blanks(text);
	return result;
}

static int
parse(struct principal_rules *rules, struct slice text, char **error)
{
	text = slice_trim(text);
	do {
		pass_blanks(&text);
		if (take_rule(rules, &text, error) != 0)
			return -1;
	} while (take(&text, ","));
	return 0;
}

struct principal_rules *
principal_rules_new(struct slice text, char **error)
{
	struct principal_rules *rules = xcalloc(1, sizeof(*rules));

	*error = NULL;
	if (slice_is_null(text))
		text = SLICE_LITERAL("DEFAULT");
	if (parse(rules, text, error) == 0)
		return rules;
	principal_rules_free(rules);
	return NULL;
}

void
principal_rules_free(struct principal_rules *rules)
{
	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->count; i++) {
		regex_free(rules->items[i].regex);
		free(rules->items[i].replacement);
	}
	if (rules->locale != (locale_t)0)
		freelocale(rules->locale);
	free(rules->items);
	free(rules);
}

/* --- Applying ------------------------------------------------------------- */

static int
put(struct buf *out, struct slice text, struct regex_span span)
{
	if (span.begin == REGEX_NOWHERE)
		return 0;
	return buf_append(out, text.data + span.begin, span.end - span.begin);
}

/* One match's replacement. */
static int
expand(const struct rule *rule, struct slice subject,
    const struct regex_span *spans, struct buf *out)
{
	size_t groups = regex_groups(rule->regex);
	const char *c = rule->replacement;

	while (*c != '\0') {
		size_t group;

		if (*c != '$') {
			c += *c == '\\';
			if (buf_append(out, c++, 1) != 0)
				return -1;
			continue;
		}
		group = (size_t)(*++c - '0');
		for (c++; is_digit(*c); c++) {
			size_t longer = group * 10 + (size_t)(*c - '0');

			if (longer > groups)
				break;
			group = longer;
		}
		if (put(out, subject, spans[group]) != 0)
			return -1;
	}
	return 0;
}

static size_t
char_len(struct slice text, size_t at)
{
	size_t len = 1;

	while (at + len < text.len && (text.data[at + len] & 0xc0) == 0x80)
		len++;
	return len;
}

/* String.replaceAll: an empty match behind another one counts too. */
static int
replace_all(const struct rule *rule, struct slice subject,
    struct regex_span *spans, struct buf *out)
{
	size_t from = 0, done = 0;

	while (from <= subject.len &&
	    regex_find(rule->regex, subject, from, spans)) {
		if (put(out, subject,
			(struct regex_span){ done, spans[0].begin }) != 0 ||
		    expand(rule, subject, spans, out) != 0)
			return -1;
		done = spans[0].end;
		from = done;
		if (spans[0].begin == done)
			from += done < subject.len ? char_len(subject, done) :
						     1;
	}
	return put(out, subject, (struct regex_span){ done, subject.len });
}

/* --- Letters -------------------------------------------------------------- */

static int
put_folded(const struct principal_rules *rules, enum letters letters,
    wchar_t c, struct buf *out)
{
	char bytes[MB_LEN_MAX];
	mbstate_t state;
	size_t len;

	if (letters == LETTERS_UPPER && c == 0xdf)
		return buf_append(out, "SS", 2);
	c = (wchar_t)(letters == LETTERS_LOWER ?
		towlower_l((wint_t)c, rules->locale) :
		towupper_l((wint_t)c, rules->locale));
	memset(&state, 0, sizeof(state));
	len = wcrtomb(bytes, c, &state);
	return len == (size_t)-1 ? -1 : buf_append(out, bytes, len);
}

/* The locale is this thread's meanwhile, for the conversions. */
static int
fold(const struct principal_rules *rules, enum letters letters,
    struct slice text, struct buf *out)
{
	locale_t before = uselocale(rules->locale);
	mbstate_t state;
	int result = 0;

	memset(&state, 0, sizeof(state));
	while (text.len > 0 && result == 0) {
		wchar_t c;
		size_t len = mbrtowc(
		    &c, (const char *)text.data, text.len, &state);

		if (len == (size_t)-1 || len == (size_t)-2) {
			result = -1;
			break;
		}
		len = MAX(len, 1); /* NUL says 0 */
		result = put_folded(rules, letters, c, out);
		pass(&text, len);
	}
	uselocale(before);
	return result;
}

static int
apply(const struct principal_rules *rules, const struct rule *rule,
    struct slice subject, struct buf *out)
{
	size_t count = regex_groups(rule->regex) + 1;
	struct regex_span *spans = xcalloc(count, sizeof(*spans));
	struct buf plain;
	int result;

	buf_init(&plain, NAME_LEN_MAX);
	result = replace_all(rule, subject, spans, &plain);
	free(spans);
	if (result == 0)
		result = rule->letters == LETTERS_KEEP ?
		    buf_append(out, plain.data, plain.len) :
		    fold(rules, rule->letters, buf_slice(&plain), out);
	buf_fini(&plain);
	return result;
}

struct slice
principal_rules_apply(const struct principal_rules *rules,
    struct slice subject, struct arena *arena)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->items[i];
		struct slice name = SLICE_NULL;
		struct buf out;

		if (rule->regex == NULL)
			return subject;
		if (!regex_matches(rule->regex, subject))
			continue;
		buf_init(&out, NAME_LEN_MAX);
		if (apply(rules, rule, subject, &out) == 0 &&
		    arena_left(arena) > out.len)
			name = arena_copy(arena,
			    out.len == 0 ? SLICE_LITERAL("") :
					   buf_slice(&out));
		buf_fini(&out);
		return name;
	}
	return SLICE_NULL;
}
