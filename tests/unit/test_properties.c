/* Java's .properties: what java.util.Properties makes of the same bytes. */
#include "unit/unit.h"

#include "base/properties.c"

static void
parse(struct properties *p, const char *text)
{
	properties_init(p);
	assert_int_equal(properties_parse(p, slice_str(text), NULL), 0);
}

/* One line of text gives one pair. */
static void
expect_pair(const char *text, const char *key, const char *value)
{
	struct properties p;

	parse(&p, text);
	assert_int_equal(p.count, 1);
	assert_string_equal(p.items[0].key, key);
	assert_string_equal(p.items[0].value, value);
	properties_fini(&p);
}

static void
separators_are_equals_colon_and_blanks(void **state UNUSED)
{
	expect_pair("a=b", "a", "b");
	expect_pair("a:b", "a", "b");
	expect_pair("a b", "a", "b");
	expect_pair("a\tb", "a", "b");
	expect_pair("  a \t = \f b c ", "a", "b c ");
	expect_pair("a = = b", "a", "= b");
	expect_pair("a : = b", "a", "= b");
	expect_pair("a::b", "a", ":b");
	expect_pair("a", "a", "");
	expect_pair("a=", "a", "");
	expect_pair("=b", "", "b");
	expect_pair("listeners=PLAINTEXT://:9092", "listeners",
	    "PLAINTEXT://:9092");
}

static void
escapes_are_undone(void **state UNUSED)
{
	expect_pair("a\\=b\\:c\\ d=e", "a=b:c d", "e");
	expect_pair("a=\\t\\n\\r\\f\\\\\\\"\\q", "a", "\t\n\r\f\\\"q");
	expect_pair("a=\\u0041\\u00e9\\u20AC", "a", "A\xc3\xa9\xe2\x82\xac");
	expect_pair("a=\\uD83D\\uDE00", "a", "\xf0\x9f\x98\x80");
	expect_pair("a=\\ud83dx", "a", "\xef\xbf\xbdx");
	expect_pair("a=\\ude00", "a", "\xef\xbf\xbd");
	expect_pair("a=b\\", "a", "b");
	expect_pair("a=\xc3\xa9", "a", "\xc3\xa9");
	expect_pair("\\#a=b", "#a", "b");
}

static void
lines_are_joined_by_a_backslash(void **state UNUSED)
{
	expect_pair("a=b,\\\n  c,\\\r\n\td", "a", "b,c,d");
	expect_pair("a=b\\\\\n", "a", "b\\");
	expect_pair("a\\\n  b=c", "ab", "c");
	expect_pair("a\\\n = b", "a", "b");
	expect_pair("a =\\\n  b", "a", "b");
	expect_pair("a=b\\\n# no comment", "a", "b# no comment");
	expect_pair("\\\n  \\\n#a=b\nc=d", "c", "d");
	expect_pair("\\\n\n# comment\na=b\n\\\n  ", "a", "b");
}

static void
comments_and_empty_lines_are_skipped(void **state UNUSED)
{
	struct properties p;

	parse(&p, "# a=1\n\n   \t\n ! b=2\\\nc=3\r\r\nd=4 # tail\n#");
	assert_int_equal(p.count, 2);
	assert_string_equal(properties_get(&p, "c"), "3");
	assert_string_equal(properties_get(&p, "d"), "4 # tail");
	assert_null(properties_get(&p, "b"));
	properties_fini(&p);
}

static void
the_last_of_equal_keys_wins(void **state UNUSED)
{
	struct properties p;

	parse(&p, "a=1\nb=2\na=3\n");
	assert_int_equal(p.count, 2);
	assert_string_equal(properties_get(&p, "a"), "3");
	assert_true(properties_remove(&p, "a"));
	assert_false(properties_remove(&p, "a"));
	assert_null(properties_get(&p, "a"));
	assert_string_equal(properties_get(&p, "b"), "2");
	properties_set(&p, "b", "4");
	assert_string_equal(properties_get(&p, "b"), "4");
	properties_fini(&p);
}

static void
bad_escapes_are_refused_with_their_line(void **state UNUSED)
{
	static const char *const bad[] = { "\\u12", "\\u12g4", "\\u 123",
		"\\u0000" };

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct properties p;
		char *text = xasprintf("a=1\n\nb=%s\nc=2\n", bad[i]);
		size_t line = 0;

		properties_init(&p);
		assert_int_equal(properties_parse(&p, slice_str(text), &line),
		    -1);
		assert_int_equal(line, 3);
		properties_fini(&p);
		free(text);
	}
}

static void
a_nul_is_refused(void **state UNUSED)
{
	struct properties p;

	properties_init(&p);
	assert_int_equal(properties_parse(&p, slice_of("a=b\0c", 5), NULL),
	    -1);
	properties_fini(&p);
}

static void
what_is_written_reads_back(void **state UNUSED)
{
	static const char *const texts[] = { "", "a", " lead", "trail ",
		"a=b:c#d!e\\f", "\t\n\r\f", "caf\xc3\xa9",
		"\xe2\x82\xac and \xf0\x9f\x98\x80", "two  blanks",
		"\xff\xc3 \xed\xa0\x80 \xe0\x80\x80 \xf4\x90\x80\x80" };
	struct properties p, q;
	char *text;

	properties_init(&p);
	for (size_t i = 1; i < COUNT_OF(texts); i++)
		properties_set(&p, texts[i], texts[COUNT_OF(texts) - 1 - i]);
	text = properties_text(&p);
	assert_non_null(strstr(text, "caf\\u00E9"));
	assert_non_null(strstr(text, "\\uD83D\\uDE00"));
	parse(&q, text);
	assert_int_equal(q.count, p.count);
	for (size_t i = 0; i < p.count; i++)
		assert_string_equal(properties_get(&q, p.items[i].key),
		    p.items[i].value);
	free(text);
	properties_fini(&p);
	properties_fini(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(separators_are_equals_colon_and_blanks),
		cmocka_unit_test(escapes_are_undone),
		cmocka_unit_test(lines_are_joined_by_a_backslash),
		cmocka_unit_test(comments_and_empty_lines_are_skipped),
		cmocka_unit_test(the_last_of_equal_keys_wins),
		cmocka_unit_test(bad_escapes_are_refused_with_their_line),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(what_is_written_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
