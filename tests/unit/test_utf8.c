/* UTF-8 read as Java does: what is none becomes so many U+FFFD. */
#include "unit/unit.h"

#include "base/utf8.c"

/* What new String(bytes, UTF_8) makes of them: lengths, bad ones negative. */
static const struct text {
	const char *bytes;
	int parts[6];		/* ends with 0 */
} texts[] = {
	{ "a\x7f", { 1, 1 } },
	{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", { 2, 3, 4 } },
	{ "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", { 2, 2, 3, 3 } },
	{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", { 4, 4 } },
	/* never the first of a character */
	{ "\x80\xbf\xc0\xc1\xff", { -1, -1, -1, -1, -1 } },
	/* cut off: what could have begun one is one */
	{ "\xc3", { -1 } },
	{ "\xe2\x82", { -2 } },
	{ "\xf0\x9f\x98", { -3 } },
	{ "\xe2\x82z", { -2, 1 } },
	{ "\xc3\xc3\xa4", { -1, 2 } },
	/* longer than they have to be, or too large */
	{ "\xe0\x9f\xbf", { -1, -1, -1 } },
	{ "\xf0\x8f\xbf\xbf", { -1, -1, -1, -1 } },
	{ "\xf4\x90\x80\x80", { -1, -1, -1, -1 } },
	/* halves of surrogate pairs */
	{ "\xed\x9f\xbf\xed\xa0\x80\xee\x80\x80", { 3, -3, 3 } },
};

static void
parts_are_javas(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct slice left = slice_str(texts[i].bytes);
		size_t n = 0;

		for (; left.len > 0; n++) {
			bool valid;
			size_t len = utf8_next(left, &valid);

			assert_int_equal(
			    valid ? (int)len : -(int)len, texts[i].parts[n]);
			left = slice_of(left.data + len, left.len - len);
		}
		assert_int_equal(texts[i].parts[n], 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_javas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
