/*
 * Regular expressions: what they match, and which are refused with whose
 * words.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "base/regex.c"
#include "base/regex_tree.c"

struct example {
	const char *pattern;
	const char *matches; /* by blanks; "_" is the empty text */
	const char *others;
};

static const struct example examples[] = {
	{ "", "_", "a" },
	{ "abc", "abc", "ab abcd xabc" },
	{ "a|bc|", "a bc _", "b abc" },
	{ "a*", "_ a aaaa", "b ab" },
	{ "a+?b??", "a aab", "_ b abb" },
	{ "(ab)+", "ab abab", "a aba" },
	{ "(a|b)*c", "c abac", "ab" },
	{ "(?:a(?P<name>b)(?<other>c))", "abc", "ab" },
	{ "x{2}", "xx", "x xxx" },
	{ "x{2,}", "xx xxxxx", "x" },
	{ "x{0,2}y", "y xy xxy", "xxxy" },
	{ "x{,2}", "x{,2}", "x xx" },
	{ "x{a", "x{a", "x" },
	{ ".*", "_ anything at-all", "" },
	{ "^topic-.*$", "topic- topic-1", "a-topic-1" },
	{ "\\Aa\\z", "a", "aa" },
	{ "[a-c-]+", "abc a-c -", "d" },
	{ "[]a]", "] a", "b" },
	{ "[^a-y]", "z", "a" },
	{ "[[:alpha:]_][[:^digit:]]", "ab _x", "1a a1" },
	{ "\\d+\\.\\D", "12.x", "12x 1.2" },
	{ "[\\w.]+", "a_9.Z", "a-b" },
	{ "\\Qa.b\\E+", "a.b a.bb", "axb" },
	{ "\\Qa.b", "a.b", "axb" },
	{ "\\Q\\E(\\Q|)*\\E)\\Q", "|)*", "|) |)**" },
	{ "\\x41\\x{42}\\103\\07", "ABC\a", "abc" },
	{ "(?i)Orders", "orders ORDERS", "order" },
	{ "a(?i)b(?-i:c)", "abc aBc", "Abc abC" },
	{ "((?i)a)b", "Ab ab", "aB" },
	{ "\\pL\\p{Nd}\\PN\\p{^L}", "a1b2", "11b2 a1bb" },
	{ "\\p{Greek}*x", "x", "ax" },
	{ "\\bfoo\\b.*", "foo foo-bar", "foobar" },
	{ "foo\\Bbar", "foobar", "foo" },
	{ "a.c", "abc a.c", "ac" },
	{ "(a*)*b", "b aaab", "a" },
	{ "((){3}){3}a", "a", "_" },
	{ "(|a)+", "_ a aa", "b" },
	{ "(?s).(?m)^x", "", "ax" },
	{ "(a{0,3}){0,3}", "_ a aaaaaaaaa", "aaaaaaaaaa" },
	{ "d\xc3\xa9", "", "d de" },
	{ "[^\xc3\xa9]", "a", "_" },
};

static void
check_all(const struct regex *regex, const char *pattern, const char *texts,
    bool matches)
{
	char copy[256], *rest = copy, *text;

	snprintf(copy, sizeof(copy), "%s", texts);
	while ((text = strsep(&rest, " ")) != NULL) {
		if (*text == '\0')
			continue;
		if (regex_matches(
			regex, slice_str(strcmp(text, "_") == 0 ? "" : text)) !=
		    matches)
			fail_msg(
			    "/%s/ on \"%s\": not %d", pattern, text, matches);
	}
}

static void
whole_texts_match(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT_OF(examples); i++) {
		const struct example *e = &examples[i];
		const char *reason = "";
		struct regex *regex = regex_new(slice_str(e->pattern), &reason);

		if (regex == NULL)
			fail_msg("/%s/: %s", e->pattern, reason);
		check_all(regex, e->pattern, e->matches, true);
		check_all(regex, e->pattern, e->others, false);
		regex_free(regex);
	}
}

static const char *const refusals[][2] = {
	{ "(", NO_PAREN },
	{ "(a", NO_PAREN },
	{ "a)", STRAY_PAREN },
	{ "[a", NO_BRACKET },
	{ "[", NO_BRACKET },
	{ "*a", NO_ARGUMENT },
	{ "a|*", NO_ARGUMENT },
	{ "a**", BAD_NESTING },
	{ "a+{2}", BAD_NESTING },
	{ "a{1001}", BAD_REPEAT },
	{ "a{3,2}", BAD_REPEAT },
	{ "[b-a]", BAD_RANGE },
	{ "[[:nix:]]", BAD_RANGE },
	{ "\\p{Nix}", BAD_RANGE },
	{ "\\1", BAD_ESCAPE },
	{ "\\k", BAD_ESCAPE },
	{ "\\x{110000}", BAD_ESCAPE },
	{ "a\\", STRAY_BACKSLASH },
	{ "(?=a)", BAD_PERL },
	{ "(?<=a)", BAD_PERL },
	{ "(?<!a)", BAD_PERL },
	{ "(?P=n)", BAD_PERL },
	{ "(?P<n", BAD_NAME },
	{ "(?P<a-b>c)", BAD_NAME },
	{ "(?x:a)", BAD_PERL },
	{ "((a{1000}){1000}){1000}", REGEX_TOO_LARGE },
};

static void
what_is_no_expression_is_refused(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		const char *reason = "";

		if (regex_new(slice_str(refusals[i][0]), &reason) != NULL)
			fail_msg("/%s/ is taken", refusals[i][0]);
		assert_string_equal(reason, refusals[i][1]);
	}
}

static void
groups_nest_no_deeper_than_they_may(void **state UNUSED)
{
	char pattern[2 * (NESTING_MAX + 1) + 2];
	const char *reason = "";
	struct regex *regex;

	memset(pattern, '(', NESTING_MAX + 1);
	memset(pattern + NESTING_MAX + 1, ')', NESTING_MAX + 1);
	assert_null(
	    regex_new(slice_of(pattern, 2 * (NESTING_MAX + 1)), &reason));
	assert_string_equal(reason, TOO_DEEP);
	regex = regex_new(slice_of(pattern + 1, 2 * NESTING_MAX), &reason);
	assert_non_null(regex);
	assert_true(regex_matches(regex, slice_str("")));
	regex_free(regex);
}

/* A long alternative of names is a long program, not a deep recursion. */
static void
long_expressions_are_fine(void **state UNUSED)
{
	static char pattern[64000];
	const char *reason = "";
	struct regex *regex;
	size_t len = 0;

	for (int i = 0; len < 16000; i++)
		len += (size_t)snprintf(pattern + len, sizeof(pattern) - len,
		    "%st%d", i == 0 ? "" : "|", i);
	regex = regex_new(slice_of(pattern, len), &reason);
	assert_non_null(regex);
	assert_true(regex_matches(regex, slice_str("t1234")));
	assert_false(regex_matches(regex, slice_str("t12345678")));
	regex_free(regex);
	memset(pattern, 'a', sizeof(pattern));
	assert_null(regex_new(slice_of(pattern, sizeof(pattern)), &reason));
	assert_string_equal(reason, REGEX_TOO_LARGE);
}

/* Backtracking would take 2^64 steps for it. */
static void
no_text_takes_longer_than_others(void **state UNUSED)
{
	const char *reason = "";
	struct regex *regex =
	    regex_new(slice_str("(a?){64}(a*)*a{64}"), &reason);
	char text[65];

	assert_non_null(regex);
	memset(text, 'a', 64);
	assert_true(regex_matches(regex, slice_of(text, 64)));
	text[63] = 'b';
	assert_false(regex_matches(regex, slice_of(text, 64)));
	regex_free(regex);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_texts_match),
		cmocka_unit_test(what_is_no_expression_is_refused),
		cmocka_unit_test(groups_nest_no_deeper_than_they_may),
		cmocka_unit_test(long_expressions_are_fine),
		cmocka_unit_test(no_text_takes_longer_than_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
