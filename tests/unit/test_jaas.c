/*
 * JAAS: lines of login modules as people write them, and what is none.
 */
#include "unit/unit.h"

#include "auth/jaas.c"

static struct arena arena;

static int
set_up(void **state UNUSED)
{
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	arena_reset(&arena);
	return 0;
}

static struct jaas_entry
parsed(const char *text)
{
	struct jaas_entry entry;
	const char *reason;

	assert_int_equal(
	    jaas_parse(slice_str(text), &arena, &entry, &reason), 0);
	return entry;
}

static void
expect_option(
    const struct jaas_entry *entry, const char *name, const char *value)
{
	assert_true(slice_equal_str(jaas_option(entry, name), value));
}

static void
a_line_has_a_module_and_options(void **state UNUSED)
{
	struct jaas_entry entry = parsed("org.example.Plain-Module required "
					 "username=\"admin\" "
					 "password='a\"b' user_a$b=c.d-e_f;");

	assert_true(slice_equal_str(entry.module, "org.example.Plain-Module"));
	assert_int_equal(entry.options_count, 3);
	expect_option(&entry, "username", "admin");
	expect_option(&entry, "password", "a\"b");
	expect_option(&entry, "user_a$b", "c.d-e_f");
	assert_true(slice_is_null(jaas_option(&entry, "nobody")));
}

static void
a_line_may_have_no_option_and_any_flag(void **state UNUSED)
{
	assert_int_equal(parsed("M required;").options_count, 0);
	assert_int_equal(parsed("M Requisite ;").options_count, 0);
	assert_int_equal(parsed("M sufficient\n;\n").options_count, 0);
	assert_int_equal(parsed("M OPTIONAL;").options_count, 0);
}

static void
comments_and_escapes_are_those_of_java(void **state UNUSED)
{
	struct jaas_entry entry = parsed("// none\nM /* a=\"b\" */ required\n"
					 "p=\"a\\\"b\\\\c\\td\\101\\7\\400\" "
					 "// x\n; /* open");

	expect_option(&entry, "p", "a\"b\\c\tdA\a 0");
}

static void
the_last_of_equal_options_counts(void **state UNUSED)
{
	struct jaas_entry entry = parsed("M required a=b a=c;");

	expect_option(&entry, "a", "c");
}

static void
what_is_no_line_is_told(void **state UNUSED)
{
	static const char *const wrong[][2] = {
		{ "", NO_MODULE },
		{ "  // only this", NO_MODULE },
		{ ";", NO_MODULE },
		{ "1M required;", NO_MODULE },
		{ "M", NO_FLAG },
		{ "M;", NO_FLAG },
		{ "M maybe;", BAD_FLAG },
		{ "M required", NO_END },
		{ "M required a", NO_VALUE },
		{ "M required a=;", NO_VALUE },
		{ "M required a b=c;", NO_VALUE },
		{ "M required a=1;", NO_VALUE },
		{ "M required a=b", NO_END },
		{ "M required a=b c=\"d", NO_END },
		{ "M required a=b, c=d;", NO_END },
		{ "M required; N required;", MORE_THAN_ONE },
		{ "M required;;", MORE_THAN_ONE },
	};
	struct jaas_entry entry;
	const char *reason;

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		assert_int_equal(
		    jaas_parse(slice_str(wrong[i][0]), &arena, &entry, &reason),
		    -1);
		assert_string_equal(reason, wrong[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_a_module_and_options),
		cmocka_unit_test(a_line_may_have_no_option_and_any_flag),
		cmocka_unit_test(comments_and_escapes_are_those_of_java),
		cmocka_unit_test(the_last_of_equal_options_counts),
		cmocka_unit_test(what_is_no_line_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
