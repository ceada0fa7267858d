/* Blanks around values, and lists that commas part. */
#include "unit/unit.h"

#include "base/slice.c"

static void
trim_is_java_s(void **state UNUSED)
{
	const struct slice blanks = SLICE_LITERAL(" \t\r\n\0\f\v ");
	const struct slice text = SLICE_LITERAL("\x01 a\tb \n");

	assert_true(slice_equal_str(slice_trim(slice_str("a")), "a"));
	assert_true(slice_equal_str(slice_trim(text), "a\tb"));
	assert_true(slice_equal_str(slice_trim(blanks), ""));
	assert_true(slice_is_null(slice_trim(SLICE_NULL)));
	/* No byte of UTF-8 beyond ASCII is one. */
	assert_true(slice_equal_str(slice_trim(slice_str(" \xc3\xa4 ")),
	    "\xc3\xa4"));
}

static void
items_are_trimmed_and_may_be_empty(void **state UNUSED)
{
	static const char *const wanted[] = { "a", "", "b c", "" };
	struct slice list = slice_str(" a ,,\tb c, "), item;

	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		assert_true(slice_next_item(&list, &item));
		assert_true(slice_equal_str(item, wanted[i]));
	}
	assert_false(slice_next_item(&list, &item));
	assert_false(slice_next_item(&list, &item));
	list = slice_str("");
	assert_true(slice_next_item(&list, &item));
	assert_int_equal(item.len, 0);
	assert_false(slice_next_item(&list, &item));
}

static void
words_are_not_empty(void **state UNUSED)
{
	struct slice list = slice_str(",a, ,b,"), word;

	assert_true(slice_next_word(&list, &word));
	assert_true(slice_equal_str(word, "a"));
	assert_true(slice_next_word(&list, &word));
	assert_true(slice_equal_str(word, "b"));
	assert_false(slice_next_word(&list, &word));
}

static void
a_list_has_its_items(void **state UNUSED)
{
	struct slice list = slice_str("delete , compact");

	assert_true(slice_list_has(list, slice_str("delete")));
	assert_true(slice_list_has(list, slice_str("compact")));
	assert_false(slice_list_has(list, slice_str("comp")));
	assert_false(slice_list_has(SLICE_NULL, slice_str("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trim_is_java_s),
		cmocka_unit_test(items_are_trimmed_and_may_be_empty),
		cmocka_unit_test(words_are_not_empty),
		cmocka_unit_test(a_list_has_its_items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
