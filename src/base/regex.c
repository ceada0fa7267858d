/*
 * The pattern is parsed into a tree, the tree becomes a program for an
 * automaton (Thompson), and the program is run with all its threads side by
 * side (Pike).  Tree and program are bounded: repetitions multiply.
 */
#include "base/regex.h"

#include "base/arena.h"

#define NESTING_MAX 200
#define REPEAT_MAX 1000
#define PROGRAM_MAX 20000
#define TREE_BYTES_MAX ((size_t)8 << 20)

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
#define TOO_LARGE "expression too large"
#define TOO_DEEP "expression nests too deeply"

/* A set of ASCII characters. */
struct set {
	uint64_t bits[2];
};

static bool
set_has(const struct set *set, unsigned c)
{
	return c < 128 && (set->bits[c / 64] >> (c % 64) & 1) != 0;
}

static void
set_add(struct set *set, unsigned c)
{
	if (c < 128)
		set->bits[c / 64] |= UINT64_C(1) << (c % 64);
}

static void
set_add_range(struct set *set, unsigned low, unsigned high)
{
	for (unsigned c = low; c <= high && c < 128; c++)
		set_add(set, c);
}

static void
set_add_set(struct set *set, const struct set *other)
{
	set->bits[0] |= other->bits[0];
	set->bits[1] |= other->bits[1];
}

static void
set_negate(struct set *set)
{
	set->bits[0] = ~set->bits[0];
	set->bits[1] = ~set->bits[1];
}

static void
set_fold(struct set *set)
{
	for (unsigned c = 'a'; c <= 'z'; c++) {
		unsigned upper = c - 'a' + 'A';

		if (set_has(set, c) || set_has(set, upper)) {
			set_add(set, c);
			set_add(set, upper);
		}
	}
}

/* --- The tree ------------------------------------------------------------ */

enum node_kind {
	NODE_EMPTY,
	NODE_SET,
	NODE_CONCAT,
	NODE_ALTERNATE,
	NODE_REPEAT,
	NODE_ASSERT,
};

/* What holds between two characters. */
enum assertion {
	ASSERT_TEXT_BEGIN,
	ASSERT_TEXT_END,
	ASSERT_LINE_BEGIN,
	ASSERT_LINE_END,
	ASSERT_WORD_EDGE,
	ASSERT_NO_WORD_EDGE,
};

#define UNLIMITED (-1)

struct node {
	enum node_kind kind;
	struct set set;
	enum assertion assertion;
	int min; /* of repetitions */
	int max; /* or UNLIMITED */
	struct node *left;
	struct node *right;
};

struct flags {
	bool fold_case;  /* i */
	bool multi_line; /* m */
	bool dot_all;    /* s */
	/* U changes what is preferred, which does not matter here. */
};

struct parser {
	const uint8_t *at;
	const uint8_t *end;
	struct arena arena;
	struct flags flags;
	bool quoting; /* between \Q and \E */
	int depth;
	const char *reason; /* NULL so far */
};

static struct node *
refuse(struct parser *p, const char *reason)
{
	if (p->reason == NULL)
		p->reason = reason;
	return NULL;
}

static struct node *
node_new(struct parser *p, enum node_kind kind)
{
	struct node *node = arena_calloc(&p->arena, 1, sizeof(*node));

	if (node == NULL)
		return refuse(p, TOO_LARGE);
	node->kind = kind;
	return node;
}

static struct node *
node_pair(struct parser *p, enum node_kind kind, struct node *left,
    struct node *right)
{
	struct node *node;

	if (left == NULL || right == NULL)
		return NULL;
	if (left->kind == NODE_EMPTY && kind == NODE_CONCAT)
		return right;
	node = node_new(p, kind);
	if (node == NULL)
		return NULL;
	node->left = left;
	node->right = right;
	return node;
}

static struct node *
node_set(struct parser *p, const struct set *set)
{
	struct node *node = node_new(p, NODE_SET);

	if (node == NULL)
		return NULL;
	node->set = *set;
	return node;
}

static struct node *
node_literal(struct parser *p, uint32_t c)
{
	struct set set = { { 0, 0 } };

	set_add(&set, c);
	if (p->flags.fold_case)
		set_fold(&set);
	return node_set(p, &set);
}

static struct node *
node_assertion(struct parser *p, enum assertion assertion)
{
	struct node *node = node_new(p, NODE_ASSERT);

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

struct named_set {
	const char *name;
	const char *ranges; /* pairs of characters */
};

static const struct named_set posix_sets[] = {
	{ "alnum", "09AZaz" },
	{ "alpha", "AZaz" },
	{ "ascii", "\x01\x7f" },
	{ "blank", "\t\t  " },
	{ "cntrl", "\x01\x1f\x7f\x7f" },
	{ "digit", "09" },
	{ "graph", "!~" },
	{ "lower", "az" },
	{ "print", " ~" },
	{ "punct", "!/:@[`{~" },
	{ "space", "\t\r  " },
	{ "upper", "AZ" },
	{ "word", "09AZaz__" },
	{ "xdigit", "09AFaf" },
};

/* General categories and scripts by what they have of ASCII. */
static const struct named_set unicode_sets[] = {
	{ "Any", "\x01\x7f" },
	{ "C", "\x01\x1f\x7f\x7f" },
	{ "Cc", "\x01\x1f\x7f\x7f" },
	{ "Cf", "" },
	{ "Co", "" },
	{ "Cs", "" },
	{ "L", "AZaz" },
	{ "Ll", "az" },
	{ "Lm", "" },
	{ "Lo", "" },
	{ "Lt", "" },
	{ "Lu", "AZ" },
	{ "M", "" },
	{ "Mc", "" },
	{ "Me", "" },
	{ "Mn", "" },
	{ "N", "09" },
	{ "Nd", "09" },
	{ "Nl", "" },
	{ "No", "" },
	{ "P", "!#%*,/:;?@[]__{{}}" },
	{ "Pc", "__" },
	{ "Pd", "--" },
	{ "Pe", "))]]}}" },
	{ "Pf", "" },
	{ "Pi", "" },
	{ "Po", "!#%'**,,./:;?@\\\\" },
	{ "Ps", "(([[{{" },
	{ "S", "$$++<>^^``||~~" },
	{ "Sc", "$$" },
	{ "Sk", "^^``" },
	{ "Sm", "++<>||~~" },
	{ "So", "" },
	{ "Z", "  " },
	{ "Zl", "" },
	{ "Zp", "" },
	{ "Zs", "  " },
	{ "Latin", "AZaz" },
	{ "Common", "\x01@[`{\x7f" },
	{ "Arabic", "" },
	{ "Armenian", "" },
	{ "Bengali", "" },
	{ "Cyrillic", "" },
	{ "Devanagari", "" },
	{ "Georgian", "" },
	{ "Greek", "" },
	{ "Han", "" },
	{ "Hangul", "" },
	{ "Hebrew", "" },
	{ "Hiragana", "" },
	{ "Inherited", "" },
	{ "Katakana", "" },
	{ "Tamil", "" },
	{ "Thai", "" },
};

/* The set of that name among count, or -1. */
static int
named_set_add(const struct named_set *sets, size_t count, struct slice name,
    struct set *set)
{
	for (size_t i = 0; i < count; i++) {
		if (!slice_equal_str(name, sets[i].name))
			continue;
		for (const char *r = sets[i].ranges; *r != '\0'; r += 2)
			set_add_range(set, (uint8_t)r[0], (uint8_t)r[1]);
		return 0;
	}
	return -1;
}

/* NUL cannot stand in those texts. */
static void
named_set_finish(struct slice name, struct set *set)
{
	if (slice_equal_str(name, "ascii") || slice_equal_str(name, "Any") ||
	    slice_equal_str(name, "cntrl") || slice_equal_str(name, "C") ||
	    slice_equal_str(name, "Cc") || slice_equal_str(name, "Common"))
		set_add(set, 0);
}

/* \d \D \s \S \w \W; false: it is not one of them. */
static bool
take_perl_set(struct parser *p, struct set *set)
{
	struct set perl = { { 0, 0 } };

	if (p->end - p->at < 2 || p->at[0] != '\\')
		return false;
	switch (p->at[1] | 0x20) {
	case 'd':
		set_add_range(&perl, '0', '9');
		break;
	case 's':
		set_add_range(&perl, '\t', '\n');
		set_add_range(&perl, '\f', '\r');
		set_add(&perl, ' ');
		break;
	case 'w':
		set_add_range(&perl, '0', '9');
		set_add_range(&perl, 'A', 'Z');
		set_add_range(&perl, 'a', 'z');
		set_add(&perl, '_');
		break;
	default:
		return false;
	}
	if (p->at[1] >= 'A' && p->at[1] <= 'Z')
		set_negate(&perl);
	p->at += 2;
	set_add_set(set, &perl);
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
take_unicode_set(struct parser *p, struct set *set)
{
	struct set unicode = { { 0, 0 } };
	struct slice name;
	bool negated;

	if (!next_is(p, "\\p") && !next_is(p, "\\P"))
		return false;
	negated = p->at[1] == 'P';
	p->at += 2;
	name = take_unicode_name(p, &negated);
	if (named_set_add(
		unicode_sets, COUNT_OF(unicode_sets), name, &unicode) != 0) {
		refuse(p, BAD_RANGE);
		return false;
	}
	named_set_finish(name, &unicode);
	if (p->flags.fold_case)
		set_fold(&unicode);
	if (negated)
		set_negate(&unicode);
	set_add_set(set, &unicode);
	return true;
}

/* [:alpha:] and [:^alpha:], inside of a class. */
static bool
take_posix_set(struct parser *p, struct set *set)
{
	struct set posix = { { 0, 0 } };
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
	if (named_set_add(posix_sets, COUNT_OF(posix_sets), name, &posix) !=
	    0) {
		refuse(p, BAD_RANGE);
		return false;
	}
	named_set_finish(name, &posix);
	if (p->flags.fold_case)
		set_fold(&posix);
	if (negated)
		set_negate(&posix);
	set_add_set(set, &posix);
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
take_class_range(struct parser *p, struct set *set)
{
	struct set range = { { 0, 0 } };
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
	set_add_range(&range, low, high);
	if (p->flags.fold_case)
		set_fold(&range);
	set_add_set(set, &range);
}

/* A class whose [ is taken. */
static struct node *
parse_class(struct parser *p)
{
	struct set set = { { 0, 0 } };
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
		set_negate(&set);
	return node_set(p, &set);
}

/* --- Atoms --------------------------------------------------------------- */

static struct node *parse_alternatives(struct parser *p);

static struct node *
parse_dot(struct parser *p)
{
	struct set set = { { 0, 0 } };

	set_negate(&set);
	if (!p->flags.dot_all)
		set.bits[0] &= ~(UINT64_C(1) << '\n');
	return node_set(p, &set);
}

/*
 * All characters are literal up to the end, or \E, behind which the last of
 * them may be repeated.
 */
static struct node *
parse_quoted(struct parser *p)
{
	struct node *node;

	p->quoting = !take(p, "\\E");
	if (!p->quoting || !more(p))
		return node_new(p, NODE_EMPTY);
	node = node_literal(p, take_char(p));
	if (take(p, "\\E"))
		p->quoting = false;
	return node;
}

static struct node *
parse_backslash(struct parser *p)
{
	struct set set = { { 0, 0 } };
	uint32_t c;

	if (take(p, "\\Q"))
		return parse_quoted(p);
	if (take(p, "\\A"))
		return node_assertion(p, ASSERT_TEXT_BEGIN);
	if (take(p, "\\z"))
		return node_assertion(p, ASSERT_TEXT_END);
	if (take(p, "\\b"))
		return node_assertion(p, ASSERT_WORD_EDGE);
	if (take(p, "\\B"))
		return node_assertion(p, ASSERT_NO_WORD_EDGE);
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
static struct node *
parse_group(struct parser *p)
{
	struct flags outer = p->flags;
	struct node *node;
	bool group = true;

	if (take(p, "?P<") ||
	    (next_is(p, "?<") && !next_is(p, "?<=") && !next_is(p, "?<!") &&
		take(p, "?<"))) {
		if (!take_name(p))
			return refuse(p, BAD_NAME);
	} else if (take(p, "?") && !take_flags(p, &group)) {
		return refuse(p, more(p) ? BAD_PERL : NO_PAREN);
	}
	if (!group)
		return node_new(p, NODE_EMPTY);
	if (++p->depth > NESTING_MAX)
		return refuse(p, TOO_DEEP);
	node = parse_alternatives(p);
	p->depth--;
	p->flags = outer;
	if (node != NULL && !take(p, ")"))
		return refuse(p, NO_PAREN);
	return node;
}

static struct node *
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
		    p->flags.multi_line ? ASSERT_LINE_BEGIN :
					  ASSERT_TEXT_BEGIN);
	case '$':
		p->at++;
		return node_assertion(
		    p, p->flags.multi_line ? ASSERT_LINE_END : ASSERT_TEXT_END);
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
	    (*max != UNLIMITED && *max < *min))
		refuse(p, BAD_REPEAT);
	return true;
}

static bool
take_repetition(struct parser *p, int *min, int *max)
{
	*min = 0;
	*max = UNLIMITED;
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

static struct node *
parse_repeated(struct parser *p)
{
	struct node *node = parse_atom(p), *repeat;
	int min, max;
	bool repeated = false;

	while (node != NULL && take_repetition(p, &min, &max)) {
		/* A ? behind it asks for the shortest: all the same. */
		(void)take(p, "?");
		if (p->reason != NULL)
			return NULL;
		if (repeated)
			return refuse(p, BAD_NESTING);
		repeat = node_new(p, NODE_REPEAT);
		if (repeat == NULL)
			return NULL;
		*repeat = (struct node){ .kind = NODE_REPEAT,
			.min = min,
			.max = max,
			.left = node };
		node = repeat;
		repeated = true;
	}
	return node;
}

static struct node *
parse_sequence(struct parser *p)
{
	struct node *node = node_new(p, NODE_EMPTY);

	while (node != NULL && more(p) &&
	    (p->quoting || (*p->at != '|' && *p->at != ')')))
		node = node_pair(p, NODE_CONCAT, node, parse_repeated(p));
	return node;
}

static struct node *
parse_alternatives(struct parser *p)
{
	struct node *node = parse_sequence(p);

	while (node != NULL && take(p, "|"))
		node = node_pair(p, NODE_ALTERNATE, node, parse_sequence(p));
	return node;
}

/* --- The program --------------------------------------------------------- */

enum op {
	OP_SET,
	OP_SPLIT, /* goes on at both */
	OP_JUMP,
	OP_ASSERT,
	OP_MATCH,
};

struct instruction {
	enum op op;
	enum assertion assertion;
	struct set set;
	uint32_t next;
	uint32_t other;
};

struct regex {
	struct instruction *program;
	uint32_t count;
	uint32_t capacity;
	bool failed; /* it would be too large */
};

static uint32_t
emit(struct regex *regex, enum op op)
{
	if (regex->count >= PROGRAM_MAX) {
		regex->failed = true;
		return 0;
	}
	if (regex->count == regex->capacity) {
		regex->capacity = MAX(16, regex->capacity * 2);
		regex->program = xrealloc(
		    regex->program, regex->capacity * sizeof(*regex->program));
	}
	regex->program[regex->count] =
	    (struct instruction){ .op = op, .next = regex->count + 1 };
	return regex->count++;
}

static void compile(struct regex *regex, const struct node *node);

/* Sequences lean to the left and may be as long as the pattern. */
static void
compile_pairs(struct regex *regex, const struct node *node)
{
	enum node_kind kind = node->kind;
	const struct node *first = node;
	uint32_t depth = 0, split, jumps = 0, count = 0;
	const struct node **parts;

	for (; first->kind == kind; first = first->left)
		depth++;
	parts = xcalloc(depth + 1, sizeof(struct node *));
	parts[0] = first;
	for (uint32_t i = depth; i > 0; i--, node = node->left)
		parts[i] = node->right;
	for (uint32_t i = 0; i <= depth && !regex->failed; i++) {
		if (kind == NODE_CONCAT || i == depth) {
			compile(regex, parts[i]);
			continue;
		}
		split = emit(regex, OP_SPLIT);
		compile(regex, parts[i]);
		/* Chained through other until it is known where to. */
		count = emit(regex, OP_JUMP);
		if (regex->failed)
			break;
		regex->program[count].other = jumps;
		jumps = count;
		regex->program[split].other = regex->count;
	}
	while (jumps != 0 && !regex->failed) {
		uint32_t jump = jumps;

		jumps = regex->program[jump].other;
		regex->program[jump].next = regex->count;
	}
	free((void *)parts);
}

static void
compile_repeat(struct regex *regex, const struct node *node)
{
	uint32_t split, first = 0;

	for (int i = 0; i < node->min && !regex->failed; i++) {
		uint32_t begin = regex->count;

		compile(regex, node->left);
		/* Nothing is the same however often. */
		if (regex->count == begin)
			break;
	}
	if (node->max == UNLIMITED) {
		split = emit(regex, OP_SPLIT);
		compile(regex, node->left);
		first = emit(regex, OP_JUMP);
		if (regex->failed)
			return;
		regex->program[first].next = split;
		regex->program[split].other = regex->count;
		return;
	}
	for (int i = node->min; i < node->max && !regex->failed; i++) {
		split = emit(regex, OP_SPLIT);
		if (regex->failed)
			return;
		regex->program[split].other = first;
		first = split;
		compile(regex, node->left);
	}
	/* All of them leave to the same place; position 0 ends the chain. */
	for (int i = node->min; i < node->max && !regex->failed; i++) {
		split = first;
		first = regex->program[split].other;
		regex->program[split].other = regex->count;
	}
}

static void
compile(struct regex *regex, const struct node *node)
{
	uint32_t at;

	switch (node->kind) {
	case NODE_EMPTY:
		return;
	case NODE_SET:
		at = emit(regex, OP_SET);
		if (!regex->failed)
			regex->program[at].set = node->set;
		return;
	case NODE_ASSERT:
		at = emit(regex, OP_ASSERT);
		if (!regex->failed)
			regex->program[at].assertion = node->assertion;
		return;
	case NODE_CONCAT:
	case NODE_ALTERNATE:
		compile_pairs(regex, node);
		return;
	case NODE_REPEAT:
		compile_repeat(regex, node);
		return;
	}
}

struct regex *
regex_new(struct slice pattern, const char **reason)
{
	struct parser p = {
		.at = pattern.data,
		.end = pattern.data + pattern.len,
	};
	struct regex *regex = xcalloc(1, sizeof(*regex));
	struct node *node;

	arena_init(&p.arena, TREE_BYTES_MAX);
	node = parse_alternatives(&p);
	if (node != NULL && more(&p))
		node = refuse(&p, STRAY_PAREN);
	if (node != NULL) {
		/* Position 0 is none that anything leads to. */
		(void)emit(regex, OP_JUMP);
		compile(regex, node);
		(void)emit(regex, OP_MATCH);
		if (regex->failed)
			refuse(&p, TOO_LARGE);
	}
	arena_reset(&p.arena);
	if (p.reason == NULL)
		return regex;
	*reason = p.reason;
	regex_free(regex);
	return NULL;
}

void
regex_free(struct regex *regex)
{
	if (regex == NULL)
		return;
	free(regex->program);
	free(regex);
}

/* --- Matching ------------------------------------------------------------ */

/* The threads that are at one place of the text, each instruction once. */
struct threads {
	uint32_t *at;
	uint32_t count;
	uint32_t *marks; /* the place where each was added */
};

struct run {
	const struct regex *regex;
	struct slice text;
	uint32_t *stack;
};

static bool
is_word(const struct slice *text, size_t at)
{
	uint8_t c = text->data[at];

	return is_letter(c) || is_digit(c) || c == '_';
}

static bool
holds(const struct run *run, enum assertion assertion, size_t at)
{
	const struct slice *text = &run->text;
	bool before = at > 0, behind = at < text->len;
	bool edge =
	    (before && is_word(text, at - 1)) != (behind && is_word(text, at));

	switch (assertion) {
	case ASSERT_TEXT_BEGIN:
		return !before;
	case ASSERT_TEXT_END:
		return !behind;
	case ASSERT_LINE_BEGIN:
		return !before || text->data[at - 1] == '\n';
	case ASSERT_LINE_END:
		return !behind || text->data[at] == '\n';
	case ASSERT_WORD_EDGE:
		return edge;
	case ASSERT_NO_WORD_EDGE:
		return !edge;
	}
	return false;
}

/* Add what begins at start, and all that it leads to without a character. */
static void
threads_add(struct run *run, struct threads *threads, uint32_t start, size_t at)
{
	uint32_t depth = 0;

	run->stack[depth++] = start;
	while (depth > 0) {
		uint32_t i = run->stack[--depth];
		const struct instruction *in = &run->regex->program[i];

		if (threads->marks[i] == at + 1)
			continue;
		threads->marks[i] = (uint32_t)at + 1;
		if (in->op == OP_SET || in->op == OP_MATCH)
			threads->at[threads->count++] = i;
		else if (in->op != OP_ASSERT || holds(run, in->assertion, at))
			run->stack[depth++] = in->next;
		if (in->op == OP_SPLIT)
			run->stack[depth++] = in->other;
	}
}

static void
threads_step(
    struct run *run, const struct threads *from, struct threads *to, size_t at)
{
	to->count = 0;
	for (uint32_t i = 0; i < from->count; i++) {
		const struct instruction *in =
		    &run->regex->program[from->at[i]];

		if (in->op == OP_SET && set_has(&in->set, run->text.data[at]))
			threads_add(run, to, in->next, at + 1);
	}
}

static bool
threads_match(const struct run *run, const struct threads *threads)
{
	for (uint32_t i = 0; i < threads->count; i++)
		if (run->regex->program[threads->at[i]].op == OP_MATCH)
			return true;
	return false;
}

bool
regex_matches(const struct regex *regex, struct slice text)
{
	struct run run = { .regex = regex, .text = text };
	size_t count = regex->count;
	/* Each instruction puts two on the stack at the most, once. */
	uint32_t *memory = xcalloc(7 * count + 2, sizeof(*memory));
	struct threads threads[2] = {
		{ .at = memory, .marks = memory + count },
		{ .at = memory + 2 * count, .marks = memory + 3 * count },
	};
	struct threads *now = &threads[0], *then = &threads[1], *swap;
	bool matches;

	run.stack = memory + 4 * count;
	threads_add(&run, now, 0, 0);
	for (size_t at = 0; at < text.len && now->count > 0; at++) {
		threads_step(&run, now, then, at);
		swap = now;
		now = then;
		then = swap;
	}
	matches = threads_match(&run, now);
	free(memory);
	return matches;
}
