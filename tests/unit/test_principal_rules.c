/*
 * Principal rules: what Kafka's SslPrincipalMapper made of the rules and names
 * in unit/tls/mapping-rules.tsv.  In a third column it says "=" and the name,
 * "-" where no rule fits, "!" and why the rules are none, or "?" where it fails
 * with each name, which is refused from the start here.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "auth/principal_rules.c"

#define CASES SRCDIR "/tests/unit/tls/mapping-rules.tsv"

static struct arena arena;

/* The next field of line, which a tab or the line's end ends. */
static char *
field(char **line)
{
	char *begin = *line, *end = begin + strcspn(begin, "\t\n");

	*line = *end == '\t' ? end + 1 : end;
	*end = '\0';
	return begin;
}

static void
expect_refused(const char *text, const char *answer)
{
	char *error;
	struct principal_rules *rules =
	    principal_rules_new(slice_str(text), &error);

	if (rules != NULL)
		print_error("%s\n", text);
	assert_null(rules);
	assert_non_null(error);
	if (answer[0] == '!' && strcmp(answer, "!regex") != 0)
		assert_string_equal(error, answer + 1);
	free(error);
}

static void
expect_name(const char *text, const char *subject, const char *answer)
{
	char *error;
	struct principal_rules *rules =
	    principal_rules_new(slice_str(text), &error);
	struct slice name, wanted = SLICE_NULL;

	if (rules == NULL)
		print_error("%s\n", error);
	assert_non_null(rules);
	assert_null(error);
	if (answer[0] == '=')
		wanted = slice_str(answer + 1);
	name = principal_rules_apply(rules, slice_str(subject), &arena);
	if (!slice_equal(name, wanted))
		print_error("%s: %s: %.*s, not %s\n", text, subject,
		    SLICE_ARG(name), answer);
	assert_true(slice_equal(name, wanted));
	principal_rules_free(rules);
}

static void
names_are_kafkas(void **state UNUSED)
{
	FILE *file = fopen(CASES, "r");
	char *line = NULL;
	size_t size = 0, count = 0;

	assert_non_null(file);
	for (; getline(&line, &size, file) > 0; count++) {
		char *at = line, *text = field(&at), *subject = field(&at);
		char *answer = field(&at);

		if (answer[0] == '!' || answer[0] == '?')
			expect_refused(text, answer);
		else
			expect_name(text, subject, answer);
	}
	assert_true(count > 300);
	free(line);
	fclose(file);
}

static void
default_rules(void **state UNUSED)
{
	char *error;
	struct principal_rules *rules =
	    principal_rules_new(SLICE_NULL, &error);
	struct slice name = SLICE_LITERAL("CN=x");

	assert_true(slice_equal(
	    principal_rules_apply(rules, name, &arena), name));
	principal_rules_free(rules);
}

/* What Java would read in another way, or not in linear time. */
static void
patterns_that_are_refused(void **state UNUSED)
{
	static const char *const patterns[] = {
		"(a)\\1",
		"(a)\\11",
		"(?=a)a",
		"(?<=a)b",
		"(?>a)",
		"a*+",
		"[[:alpha:]]+",
		"[a&&b]",
		"(?U)a*",
		"(?i-U:a*)",
		"\\p{L}*",
		"[^\\p{Lu}]*",
		"CN=M\xc3\xbcller",
		"[^\xc3\xbc]*",
		"\\x{fc}",
		"\\h",
	};

	for (size_t i = 0; i < COUNT_OF(patterns); i++) {
		char *text = xasprintf("RULE:%s/x/", patterns[i]);

		expect_refused(text, "?");
		free(text);
	}
	/* These only look like it. */
	expect_name("RULE:[&\\[]\\Q[&&\\1\\E(?:U)/x/", "[[&&\\1U", "=x");
}

/* Nobody is called more than what there is room for. */
static void
names_that_grow(void **state UNUSED)
{
	char *error;
	struct principal_rules *rules = principal_rules_new(
	    SLICE_LITERAL("RULE:(.*)/$1$1$1$1/"), &error);
	struct arena small;

	arena_init(&small, 8);
	assert_true(slice_is_null(
	    principal_rules_apply(rules, SLICE_LITERAL("CN=abc"), &small)));
	arena_reset(&small);
	principal_rules_free(rules);
}

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_kafkas),
		cmocka_unit_test(default_rules),
		cmocka_unit_test(patterns_that_are_refused),
		cmocka_unit_test(names_that_grow),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
