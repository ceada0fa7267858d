/*
 * Distinguished name: subjects in DER and what Java's X500Principal.getName
 * made of them, both in hexadecimal, in unit/tls/names.tsv.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "auth/distinguished_name.c"

#define CASES SRCDIR "/tests/unit/tls/names.tsv"

static size_t
unhex(const char *text, uint8_t *bytes)
{
	size_t len = strspn(text, "0123456789abcdef") / 2;

	for (size_t i = 0; i < len; i++) {
		unsigned value;

		assert_int_equal(sscanf(text + 2 * i, "%2x", &value), 1);
		bytes[i] = (uint8_t)value;
	}
	return len;
}

/* False where OpenSSL takes no certificate of that name. */
static bool
expect(const char *line)
{
	uint8_t der[2048], wanted[2048];
	size_t der_len = unhex(line, der);
	size_t len = unhex(strchr(line, '\t') + 1, wanted);
	const unsigned char *at = der;
	X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)der_len);
	struct arena arena;
	struct slice text;

	if (name == NULL)
		return false;
	arena_init(&arena, 1 << 16);
	text = distinguished_name_text(name, &arena);
	if (!slice_equal(text, slice_of(wanted, len)))
		print_error("%.*s\n%.*s, not\n%.*s\n", (int)der_len * 2, line,
		    SLICE_ARG(text), (int)len, wanted);
	assert_true(slice_equal(text, slice_of(wanted, len)));
	arena_reset(&arena);
	X509_NAME_free(name);
	return true;
}

static void
texts_are_javas(void **state UNUSED)
{
	FILE *file = fopen(CASES, "r");
	char *line = NULL;
	size_t size = 0, count = 0;

	assert_non_null(file);
	while (getline(&line, &size, file) > 0)
		count += expect(line);
	assert_true(count > 250);
	free(line);
	fclose(file);
}

static void
no_room(void **state UNUSED)
{
	X509_NAME *name = X509_NAME_new();
	struct arena arena;

	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
			     (const unsigned char *)"someone", -1, -1, 0),
	    1);
	arena_init(&arena, 4);
	assert_true(slice_is_null(distinguished_name_text(name, &arena)));
	arena_reset(&arena);
	X509_NAME_free(name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_javas),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
