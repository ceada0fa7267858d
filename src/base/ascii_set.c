#include "base/ascii_set.h"

#include "base/slice.h"

void
ascii_set_add(struct ascii_set *set, unsigned c)
{
	if (c < 128)
		set->bits[c / 64] |= UINT64_C(1) << (c % 64);
	else
		set->unsure = true;
}

void
ascii_set_add_range(struct ascii_set *set, unsigned low, unsigned high)
{
	for (unsigned c = low; c <= high && c < 128; c++)
		ascii_set_add(set, c);
	set->unsure |= high >= 128;
}

void
ascii_set_add_set(struct ascii_set *set, const struct ascii_set *other)
{
	set->bits[0] |= other->bits[0];
	set->bits[1] |= other->bits[1];
	set->beyond |= other->beyond;
	set->unsure |= other->unsure;
}

void
ascii_set_negate(struct ascii_set *set)
{
	set->bits[0] = ~set->bits[0];
	set->bits[1] = ~set->bits[1];
	set->beyond = !set->beyond;
}

void
ascii_set_fold(struct ascii_set *set)
{
	for (unsigned c = 'a'; c <= 'z'; c++) {
		unsigned upper = c - 'a' + 'A';

		if (ascii_set_has(set, c) || ascii_set_has(set, upper)) {
			ascii_set_add(set, c);
			ascii_set_add(set, upper);
		}
	}
}

void
ascii_set_remove(struct ascii_set *set, unsigned c)
{
	if (c < 128)
		set->bits[c / 64] &= ~(UINT64_C(1) << (c % 64));
}

/* --- Sets with a name ----------------------------------------------------- */

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

/* NUL cannot stand in those texts. */
static bool
has_nul(struct slice name)
{
	static const char *const names[] = {
		"ascii",
		"cntrl",
		"Any",
		"C",
		"Cc",
		"Common",
	};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_equal_str(name, names[i]))
			return true;
	return false;
}

/* Add the set of that name among count, or -1. */
static int
add_named(struct ascii_set *set, const struct named_set *sets, size_t count,
    struct slice name)
{
	for (size_t i = 0; i < count; i++) {
		if (!slice_equal_str(name, sets[i].name))
			continue;
		for (const char *r = sets[i].ranges; *r != '\0'; r += 2)
			ascii_set_add_range(set, (uint8_t)r[0], (uint8_t)r[1]);
		if (has_nul(name))
			ascii_set_add(set, 0);
		return 0;
	}
	return -1;
}

int
ascii_set_add_posix(struct ascii_set *set, struct slice name)
{
	return add_named(set, posix_sets, COUNT_OF(posix_sets), name);
}

int
ascii_set_add_unicode(struct ascii_set *set, struct slice name)
{
	set->unsure = true;
	return add_named(set, unicode_sets, COUNT_OF(unicode_sets), name);
}
