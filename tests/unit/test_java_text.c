/* Text as Java prints it; what is expected here was printed by Java 17. */
#include "unit/unit.h"

#include <math.h>

#include "cli/java_text.c"

struct printed {
	char *text;
	size_t len;
	FILE *out;
};

static void
printed_begin(struct printed *printed)
{
	printed->out = open_memstream(&printed->text, &printed->len);
	assert_non_null(printed->out);
}

static void
expect(struct printed *printed, const char *text)
{
	assert_int_equal(fclose(printed->out), 0);
	assert_string_equal(printed->text, text);
	free(printed->text);
}

static void
test_double(void **state UNUSED)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = {
		{ 0.0, "0.0" },
		{ -0.0, "-0.0" },
		{ 1, "1.0" },
		{ -1.5, "-1.5" },
		{ 0.001, "0.001" },
		{ 0.000999, "9.99E-4" },
		{ 0.0001, "1.0E-4" },
		{ 9999999, "9999999.0" },
		{ 10000000, "1.0E7" },
		{ 123456789, "1.23456789E8" },
		{ 123456.789, "123456.789" },
		{ 0.1, "0.1" },
		{ 1 / 3.0, "0.3333333333333333" },
		{ 1e22, "1.0E22" },
		{ 1.7976931348623157e308, "1.7976931348623157E308" },
		{ 100, "100.0" },
		{ 2000000, "2000000.0" },
		{ 123e-10, "1.23E-8" },
		{ (double)NAN, "NaN" },
		{ (double)INFINITY, "Infinity" },
		{ -(double)INFINITY, "-Infinity" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct printed printed;

		printed_begin(&printed);
		java_text_print_double(printed.out, cases[i].number);
		expect(&printed, cases[i].text);
	}
}

/* "?" stands for U+FFFD. */
static void
test_utf8(void **state UNUSED)
{
	static const char *const cases[][2] = {
		{ "plain", "plain" },
		{ "\xc3\xa5", "\xc3\xa5" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "\xc3", "?" },
		{ "\xc3(", "?(" },
		{ "\xe2\x82", "?" },
		{ "\xe2\x82"
		  "A",
		    "?A" },
		{ "\xed\xa0\x80", "?" },
		{ "\xed\xbf\xbf\xed", "??" },
		{ "\xf0\x9f\x98", "?" },
		{ "\xf0\x9f"
		  "A",
		    "?A" },
		{ "\xf4\x90\x80\x80", "????" },
		{ "\xf8\x88\x80\x80", "????" },
		{ "\xc0\x80", "??" },
		{ "\xe0\x80\x80", "???" },
		{ "\x80", "?" },
		{ "\xff"
		  "A\xfe",
		    "?A?" },
		{ "A\xe2", "A?" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct printed printed;
		char want[64] = "";
		size_t len = 0;

		for (const char *p = cases[i][1]; *p != '\0'; p++)
			len += (size_t)snprintf(want + len,
			    sizeof(want) - len, "%s",
			    *p == '?' ? UTF8_REPLACEMENT :
					(char[]){ *p, '\0' });
		printed_begin(&printed);
		java_text_print(printed.out, slice_str(cases[i][0]));
		expect(&printed, want);
	}
}

static void
test_json(void **state UNUSED)
{
	struct printed printed;

	printed_begin(&printed);
	java_text_print_json(printed.out,
	    SLICE_LITERAL("a\"b\\c/d\n\t\r\b\f\0\x1f\x7f\xc3\xa5\xff"));
	expect(&printed, "a\\\"b\\\\c/d\\n\\t\\r\\b\\f\\u0000\\u001F\x7f"
			 "\xc3\xa5" UTF8_REPLACEMENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_double),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
