#include "base/regex_tree.h"

#include "base/slice.h"

#define NESTING_MAX 200
#define REPEAT_MAX 1000

/* RE2's words. */
#define BAD_ESCAPE "invalid escape sequence"
#define BAD_RANGE "invalid character class range"
#define BAD_NAME "invalid named capture"
#define BAD_PERL "invalid or unsupported Perl syntax"
#define BAD_NESTING "invalid nested repetition operator"
#define BAD_REPEAT "invalid repeat count"
#define NO_ARGUMENT "missing argument to repetition operator"
#define NO_BRACKET "missing closing ]"
#define NO_PAREN "missing closing )"
#define STRAY_PAREN "unexpected )"
#define STRAY_BACKSLASH "trailing backslash at end of expression"
#define TOO_DEEP "expression nests too deeply"

struct flags {
	bool fold_case;  /* i */
	bool multi_line; /* m */
	bool dot_all;    /* s */
	bool lazy;       /* U */
};

struct parser {
	const uint8_t *at;
	const uint8_t *end;
	struct arena *arena;
	struct flags flags;
	bool quoting; /* between \Q and \E */
	int depth;
	unsigned groups; /* that have a number, so far */
	const char *reason; /* NULL so far */
};

static struct regex_node *
refuse(struct parser *p, const char *reason)
{
	if (p->reason == NULL)
		p->reason = reason;
	return NULL;
}

static struct regex_node *
node_new(struct parser *p, enum regex_node_kind kind)
{
	struct regex_node *node = arena_calloc(p->arena, 1, sizeof(*node));

	if (node == NULL)
		return refuse(p, REGEX_TOO_LARGE);
	node->kind = kind;
	return node;
}

static struct regex_node *
node_pair(struct parser *p, enum regex_node_kind kind, struct regex_node *left,
    struct regex_node *right)
{
	struct regex_node *node;

	if (left == NULL || right == NULL)
		return NULL;
	if (left->kind == REGEX_EMPTY && kind == REGEX_CONCAT)
		return right;
	node = node_new(p, kind);
	if (node == NULL)
		return NULL;
	node->left = left;
	node->right = right;
	return node;
}

static struct regex_node *
node_set(struct parser *p, const struct ascii_set *set)
{
	struct regex_node *node = node_new(p, REGEX_SET);

	if (node == NULL)
		return NULL;
	node->set = *set;
	return node;
}

static struct regex_node *
node_literal(struct parser *p, uint32_t c)
{
	struct ascii_set set = { .bits = { 0, 0 } };

	ascii_set_add(&set, c);
	if (p->flags.fold_case)
		ascii_set_fold(&set);
	return node_set(p, &set);
}

/* What a pair of parentheses holds, which is there as a number. */
static struct regex_node *
node_group(struct parser *p, struct regex_node *inner, unsigned number)
{
	struct regex_node *node =
	    inner == NULL ? NULL : node_new(p, REGEX_GROUP);

	if (node == NULL)
		return NULL;
	node->left = inner;
	node->group = number;
	return node;
}

static struct regex_node *
node_assertion(struct parser *p, enum regex_assertion assertion)
{
	struct regex_node *node = node_new(p, REGEX_ASSERT);

	if (node != NULL)
		node->assertion = assertion;
	return node;
}

/* --- Characters ---------------------------------------------------------- */

static bool
more(const struct parser *p)
{
	return p->at < p->end;
}

static bool
next_is(const struct parser *p, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(p->end - p->at) >= len && memcmp(p->at, text, len) == 0;
}

static bool
take(struct parser *p, const char *text)
{
	if (!next_is(p, text))
		return false;
	p->at += strlen(text);
	return true;
}

/* One character; those beyond ASCII are all the same here. */
static uint32_t
take_char(struct parser *p)
{
	uint32_t c = *p->at++;

	while (c >= 0x80 && more(p) && (*p->at & 0xc0) == 0x80)
		p->at++;
	return c;
}

static bool
is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int
hex_digit(uint32_t c)
{
	if (is_digit(c))
		return (int)c - '0';
	if (c >= 'a' && c <= 'f')
		return (int)c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return (int)c - 'A' + 10;
	return -1;
}

#define CHAR_MAX_VALUE 0x10ffff

/* \x7f and \x{7f}, of which the x is taken. */
static int
take_hex(struct parser *p, uint32_t *c)
{
	bool braces = take(p, "{");
	int count = 0;

	for (*c = 0; more(p) && hex_digit(*p->at) >= 0 && (braces || count < 2);
	    count++) {
		*c = *c * 16 + (uint32_t)hex_digit(*p->at++);
		if (*c > CHAR_MAX_VALUE)
			return -1;
	}
	if (braces)
		return count > 0 && take(p, "}") ? 0 : -1;
	return count == 2 ? 0 : -1;
}

/* Octal, of which the first digit is taken: \123, \01, \0. */
static int
take_octal(struct parser *p, uint32_t first, uint32_t *c)
{
	bool octal = more(p) && *p->at >= '0' && *p->at <= '7';

	if (first != '0' && !octal)
		return -1;
	*c = first - '0';
	for (int i = 1; i < 3 && more(p) && *p->at >= '0' && *p->at <= '7'; i++)
		*c = *c * 8 + *p->at++ - '0';
	return 0;
}

/* The character that an escape stands for; the backslash is taken. */
static int
take_escape(struct parser *p, uint32_t *c)
{
	static const char names[] = "afnrtv";
	static const char values[] = "\a\f\n\r\t\v";
	const char *name;

	if (!more(p)) {
		refuse(p, STRAY_BACKSLASH);
		return -1;
	}
	*c = take_char(p);
	name = *c < 0x80 && *c != 0 ? strchr(names, (int)*c) : NULL;
	if (name != NULL)
		*c = (uint8_t)values[name - names];
	else if (*c == 'x' ? take_hex(p, c) != 0 :
		*c >= '0' && *c <= '7' ?
			     take_octal(p, *c, c) != 0 :
			     is_letter(*c) || is_digit(*c) || *c >= 0x80) {
		refuse(p, BAD_ESCAPE);
		return -1;
	}
	return 0;
}

/* --- Classes ------------------------------------------------------------- */

/* \d \D \s \S \w \W; false: it is not one of them. */
static bool
take_perl_set(struct parser *p, struct ascii_set *set)
{
	struct ascii_set perl = { .bits = { 0, 0 } };

	if (p->end - p->at < 2 || p->at[0] != '\\')
		return false;
	switch (p->at[1] | 0x20) {
	case 'd':
		ascii_set_add_range(&perl, '0', '9');
		break;
	case 's':
		ascii_set_add_range(&perl, '\t', '\n');
		ascii_set_add_range(&perl, '\f', '\r');
		ascii_set_add(&perl, ' ');
		break;
	case 'w':
		ascii_set_add_range(&perl, '0', '9');
		ascii_set_add_range(&perl, 'A', 'Z');
		ascii_set_add_range(&perl, 'a', 'z');
		ascii_set_add(&perl, '_');
		break;
	default:
		return false;
	}
	if (p->at[1] >= 'A' && p->at[1] <= 'Z')
		ascii_set_negate(&perl);
	p->at += 2;
	ascii_set_add_set(set, &perl);
	return true;
}

/* The name behind \p: one letter, or what stands in braces. */
static struct slice
take_unicode_name(struct parser *p, bool *negated)
{
	const uint8_t *begin;
	struct slice name;

	if (!take(p, "{")) {
		begin = p->at;
		if (more(p))
			(void)take_char(p);
		return slice_of(begin, (size_t)(p->at - begin));
	}
	if (take(p, "^"))
		*negated = !*negated;
	begin = p->at;
	while (more(p) && *p->at != '}')
		p->at++;
	name = slice_of(begin, (size_t)(p->at - begin));
	return take(p, "}") ? name : slice_str("");
}

/* \pL and \P{Greek}; false: it is not one of them, or is wrong. */
static bool
take_unicode_set(struct parser *p, struct ascii_set *set)
{
	struct ascii_set unicode = { .bits = { 0, 0 } };
	struct slice name;
	bool negated;

	if (!next_is(p, "\\p") && !next_is(p, "\\P"))
		return false;
	negated = p->at[1] == 'P';
	p->at += 2;
	name = take_unicode_name(p, &negated);
	if (ascii_set_add_unicode(&unicode, name) != 0) {
		refuse(p, BAD_RANGE);
		return false;
	}
	if (p->flags.fold_case)
		ascii_set_fold(&unicode);
	if (negated)
		ascii_set_negate(&unicode);
	ascii_set_add_set(set, &unicode);
	return true;
}

/* [:alpha:] and [:^alpha:], inside of a class. */
static bool
take_posix_set(struct parser *p, struct ascii_set *set)
{
	struct ascii_set posix = { .bits = { 0, 0 } };
	const uint8_t *begin = p->at + 2, *at = begin;
	struct slice name;
	bool negated;

	if (!next_is(p, "[:"))
		return false;
	while (at + 1 < p->end && !(at[0] == ':' && at[1] == ']'))
		at++;
	if (at + 1 >= p->end)
		return false;
	negated = begin < at && *begin == '^';
	begin += negated;
	name = slice_of(begin, (size_t)(at - begin));
	p->at = at + 2;
	if (ascii_set_add_posix(&posix, name) != 0) {
		refuse(p, BAD_RANGE);
		return false;
	}
	if (p->flags.fold_case)
		ascii_set_fold(&posix);
	if (negated)
		ascii_set_negate(&posix);
	ascii_set_add_set(set, &posix);
	return true;
}

static int
take_class_char(struct parser *p, uint32_t *c)
{
	if (!more(p)) {
		refuse(p, NO_BRACKET);
		return -1;
	}
	if (take(p, "\\"))
		return take_escape(p, c);
	*c = take_char(p);
	return 0;
}

/* One character, or a range of them. */
static void
take_class_range(struct parser *p, struct ascii_set *set)
{
	struct ascii_set range = { .bits = { 0, 0 } };
	uint32_t low, high;

	if (take_class_char(p, &low) != 0)
		return;
	high = low;
	if (p->end - p->at >= 2 && p->at[0] == '-' && p->at[1] != ']') {
		p->at++;
		if (take_class_char(p, &high) != 0)
			return;
		if (high < low) {
			refuse(p, BAD_RANGE);
			return;
		}
	}
	ascii_set_add_range(&range, low, high);
	if (p->flags.fold_case)
		ascii_set_fold(&range);
	ascii_set_add_set(set, &range);
}

/* A class whose [ is taken. */
static struct regex_node *
parse_class(struct parser *p)
{
	struct ascii_set set = { .bits = { 0, 0 } };
	bool negated = take(p, "^"), first = true;

	for (; p->reason == NULL && (first || !next_is(p, "]"));
	    first = false) {
		if (!more(p))
			return refuse(p, NO_BRACKET);
		/* A - is itself at the ends, and else begins no range. */
		if (!first && p->end - p->at >= 2 && p->at[0] == '-' &&
		    p->at[1] != ']')
			return refuse(p, BAD_RANGE);
		if (take_posix_set(p, &set) || take_perl_set(p, &set) ||
		    take_unicode_set(p, &set) || p->reason != NULL)
			continue;
		take_class_range(p, &set);
	}
	if (p->reason != NULL)
		return NULL;
	p->at++;
	if (negated)
		ascii_set_negate(&set);
	return node_set(p, &set);
}

/* --- Atoms --------------------------------------------------------------- */

static struct regex_node *parse_alternatives(struct parser *p);

static struct regex_node *
parse_dot(struct parser *p)
{
	struct ascii_set set = { .bits = { 0, 0 } };

	ascii_set_negate(&set);
	if (!p->flags.dot_all)
		ascii_set_remove(&set, '\n');
	return node_set(p, &set);
}

/*
 * All characters are literal up to the end, or \E, behind which the last of
 * them may be repeated.
 */
static struct regex_node *
parse_quoted(struct parser *p)
{
	struct regex_node *node;

	p->quoting = !take(p, "\\E");
	if (!p->quoting || !more(p))
		return node_new(p, REGEX_EMPTY);
	node = node_literal(p, take_char(p));
	if (take(p, "\\E"))
		p->quoting = false;
	return node;
}

static struct regex_node *
parse_backslash(struct parser *p)
{
	struct ascii_set set = { .bits = { 0, 0 } };
	uint32_t c;

	if (take(p, "\\Q"))
		return parse_quoted(p);
	if (take(p, "\\A"))
		return node_assertion(p, REGEX_TEXT_BEGIN);
	if (take(p, "\\z"))
		return node_assertion(p, REGEX_TEXT_END);
	if (take(p, "\\b"))
		return node_assertion(p, REGEX_WORD_EDGE);
	if (take(p, "\\B"))
		return node_assertion(p, REGEX_NO_WORD_EDGE);
	if (take_perl_set(p, &set) || take_unicode_set(p, &set))
		return node_set(p, &set);
	if (p->reason != NULL)
		return NULL;
	p->at++;
	return take_escape(p, &c) == 0 ? node_literal(p, c) : NULL;
}

/* The name of a group, up to its >. */
static bool
take_name(struct parser *p)
{
	const uint8_t *begin = p->at;

	while (
	    more(p) && (is_letter(*p->at) || is_digit(*p->at) || *p->at == '_'))
		p->at++;
	return p->at > begin && take(p, ">");
}

/* The flags behind (?, up to : or ); *group tells which of the two. */
static bool
take_flags(struct parser *p, bool *group)
{
	struct flags flags = p->flags;
	bool on = true, any = false;

	while (more(p)) {
		switch (*p->at++) {
		case 'i':
			flags.fold_case = on;
			break;
		case 'm':
			flags.multi_line = on;
			break;
		case 's':
			flags.dot_all = on;
			break;
		case 'U':
			flags.lazy = on;
			break;
		case '-':
			if (!on)
				return false;
			on = false;
			any = false;
			continue;
		case ':':
		case ')':
			*group = p->at[-1] == ':';
			p->flags = flags;
			return on || any;
		default:
			return false;
		}
		any = true;
	}
	return false;
}

/* A group whose ( is taken.  Flags end with the group that they stand in. */
static struct regex_node *
parse_group(struct parser *p)
{
	struct flags outer = p->flags;
	struct regex_node *node;
	bool group = true;
	unsigned number = 0;

	if (take(p, "?P<") ||
	    (next_is(p, "?<") && !next_is(p, "?<=") && !next_is(p, "?<!") &&
		take(p, "?<"))) {
		if (!take_name(p))
			return refuse(p, BAD_NAME);
		number = ++p->groups;
	} else if (!take(p, "?")) {
		number = ++p->groups;
	} else if (!take_flags(p, &group)) {
		return refuse(p, more(p) ? BAD_PERL : NO_PAREN);
	}
	if (!group)
		return node_new(p, REGEX_EMPTY);
	if (++p->depth > NESTING_MAX)
		return refuse(p, TOO_DEEP);
	node = parse_alternatives(p);
	p->depth--;
	p->flags = outer;
	if (node != NULL && !take(p, ")"))
		return refuse(p, NO_PAREN);
	return number == 0 ? node : node_group(p, node, number);
}

static struct regex_node *
parse_atom(struct parser *p)
{
	if (p->quoting)
		return parse_quoted(p);
	switch (*p->at) {
	case '(':
		p->at++;
		return parse_group(p);
	case '[':
		p->at++;
		return parse_class(p);
	case '\\':
		return parse_backslash(p);
	case '.':
		p->at++;
		return parse_dot(p);
	case '^':
		p->at++;
		return node_assertion(p,
		    p->flags.multi_line ? REGEX_LINE_BEGIN : REGEX_TEXT_BEGIN);
	case '$':
		p->at++;
		return node_assertion(
		    p, p->flags.multi_line ? REGEX_LINE_END : REGEX_TEXT_END);
	case '*':
	case '+':
	case '?':
		return refuse(p, NO_ARGUMENT);
	default:
		return node_literal(p, take_char(p));
	}
}

/* --- Repetitions --------------------------------------------------------- */

static int
take_number(const uint8_t **at, const uint8_t *end)
{
	int n = 0;

	if (*at >= end || !is_digit(**at))
		return -1;
	for (; *at < end && is_digit(**at); (*at)++)
		n = MIN(n * 10 + (**at - '0'), REPEAT_MAX + 1);
	return n;
}

/* {n}, {n,} and {n,m}; what is none is literal. */
static bool
take_braces(struct parser *p, int *min, int *max)
{
	const uint8_t *at = p->at + 1;

	*min = take_number(&at, p->end);
	*max = *min;
	if (*min < 0)
		return false;
	if (at < p->end && *at == ',') {
		at++;
		*max = take_number(&at, p->end);
	}
	if (at >= p->end || *at != '}')
		return false;
	p->at = at + 1;
	if (*min > REPEAT_MAX || *max > REPEAT_MAX ||
	    (*max != REGEX_UNLIMITED && *max < *min))
		refuse(p, BAD_REPEAT);
	return true;
}

static bool
take_repetition(struct parser *p, int *min, int *max)
{
	*min = 0;
	*max = REGEX_UNLIMITED;
	if (!more(p) || p->quoting)
		return false;
	switch (*p->at) {
	case '*':
		break;
	case '+':
		*min = 1;
		break;
	case '?':
		*max = 1;
		break;
	case '{':
		return take_braces(p, min, max);
	default:
		return false;
	}
	p->at++;
	return true;
}

static struct regex_node *
parse_repeated(struct parser *p)
{
	struct regex_node *node = parse_atom(p), *repeat;
	int min, max;
	bool repeated = false, lazy;

	while (node != NULL && take_repetition(p, &min, &max)) {
		lazy = take(p, "?") != p->flags.lazy;
		if (p->reason != NULL)
			return NULL;
		if (repeated)
			return refuse(p, BAD_NESTING);
		repeat = node_new(p, REGEX_REPEAT);
		if (repeat == NULL)
			return NULL;
		*repeat = (struct regex_node){ .kind = REGEX_REPEAT,
			.min = min,
			.max = max,
			.lazy = lazy,
			.left = node };
		node = repeat;
		repeated = true;
	}
	return node;
}

static struct regex_node *
parse_sequence(struct parser *p)
{
	struct regex_node *node = node_new(p, REGEX_EMPTY);

	while (node != NULL && more(p) &&
	    (p->quoting || (*p->at != '|' && *p->at != ')')))
		node = node_pair(p, REGEX_CONCAT, node, parse_repeated(p));
	return node;
}

static struct regex_node *
parse_alternatives(struct parser *p)
{
	struct regex_node *node = parse_sequence(p);

	while (node != NULL && take(p, "|"))
		node = node_pair(p, REGEX_ALTERNATE, node, parse_sequence(p));
	return node;
}

struct regex_node *
regex_tree_parse(struct slice pattern, struct arena *arena, const char **reason)
{
	struct parser p = {
		.at = pattern.data,
		.end = pattern.data + pattern.len,
		.arena = arena,
	};
	struct regex_node *node = parse_alternatives(&p);

	if (node != NULL && more(&p))
		node = refuse(&p, STRAY_PAREN);
	if (p.reason == NULL)
		return node;
	*reason = p.reason;
	return NULL;
}
