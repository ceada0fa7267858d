/*
 * JAAS: lines and files of login modules as people write them, and what is
 * none.
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

/* --- Files ---------------------------------------------------------------- */

static void
a_file_has_sections(void **state UNUSED)
{
	static const char text[] = "// of a broker\n"
				   "KafkaServer {\n"
				   "  Plain required username=admin\n"
				   "    user_admin=\"x\\\"y\"; /* one */\n"
				   "  S*M optional;\n"
				   "};\n"
				   "\"sasl_ssl.KafkaServer\" {\n"
				   "  Plain required;\n"
				   "};\n"
				   "Client { };\n";
	const struct jaas_section *section;
	struct jaas_file file;
	const char *reason;
	size_t line;

	assert_int_equal(jaas_file_parse(slice_str(text), &arena, &file,
			     &reason, &line),
	    0);
	assert_int_equal(file.sections_count, 3);
	section = jaas_file_find(&file, "KafkaServer");
	assert_int_equal(section->entries_count, 2);
	assert_true(slice_equal_str(section->entries[0].module, "Plain"));
	expect_option(&section->entries[0], "username", "admin");
	expect_option(&section->entries[0], "user_admin", "x\"y");
	assert_true(slice_equal_str(section->entries[1].module, "S*M"));
	section = jaas_file_find(&file, "sasl_ssl.KafkaServer");
	assert_int_equal(section->entries_count, 1);
	assert_int_equal(jaas_file_find(&file, "Client")->entries_count, 0);
	assert_null(jaas_file_find(&file, "kafkaserver"));
}

static void
a_file_may_be_empty(void **state UNUSED)
{
	struct jaas_file file;
	const char *reason;
	size_t line;

	assert_int_equal(
	    jaas_file_parse(slice_str("\n"), &arena, &file, &reason, &line),
	    0);
	assert_int_equal(file.sections_count, 0);
}

static void
what_is_no_file_is_told(void **state UNUSED)
{
	static const struct {
		const char *text;
		const char *reason;
		size_t line;
	} wrong[] = {
		{ "{", NO_NAME, 1 },
		{ "A { M required; };\n;", NO_NAME, 2 },
		{ "A", NO_OPEN, 1 },
		{ "A\nM required;", NO_OPEN, 2 },
		{ "A {", NO_CLOSE, 1 },
		{ "A { ;", NO_CLOSE, 1 },
		{ "A { M required;", NO_CLOSE, 1 },
		{ "A { M required; }", NO_SECTION_END, 1 },
		{ "A { M required; }\n\nB { };", NO_SECTION_END, 3 },
		{ "A { };\nA { };", TWICE, 2 },
		{ "A { M; };", NO_FLAG, 1 },
		{ "A { M maybe; };", BAD_FLAG, 1 },
		{ "A { M required };", NO_END, 1 },
		{ "A { M required a; };", NO_VALUE, 1 },
		{ "A { M required a=1; };", NO_VALUE, 1 },
		{ "A { M required a='b'; };", NO_VALUE, 1 },
		{ "A { M required\na=\"${b}\"; };", EXPANSION, 2 },
	};
	struct jaas_file file;
	const char *reason;
	size_t line;

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		assert_int_equal(jaas_file_parse(slice_str(wrong[i].text),
				     &arena, &file, &reason, &line),
		    -1);
		assert_string_equal(reason, wrong[i].reason);
		assert_int_equal(line, wrong[i].line);
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
		cmocka_unit_test(a_file_has_sections),
		cmocka_unit_test(a_file_may_be_empty),
		cmocka_unit_test(what_is_no_file_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
