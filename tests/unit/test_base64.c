#include "unit/unit.h"

#include "base/base64.c"

static void
check(const char *plain, const char *text)
{
	char out[64];
	uint8_t back[64];
	size_t len = 99;

	assert_int_equal(base64_len(strlen(plain)), strlen(text));
	base64_encode(slice_str(plain), out);
	assert_memory_equal(out, text, strlen(text));
	assert_int_equal(base64_decode(slice_str(text), back, &len), 0);
	assert_int_equal(len, strlen(plain));
	assert_memory_equal(back, plain, len);
}

/* The vectors of RFC 4648, section 10. */
static void
test_vectors(void **state UNUSED)
{
	check("", "");
	check("f", "Zg==");
	check("fo", "Zm8=");
	check("foo", "Zm9v");
	check("foob", "Zm9vYg==");
	check("fooba", "Zm9vYmE=");
	check("foobar", "Zm9vYmFy");
	check("\xfb\xff\xfe", "+//+");
}

static void
test_refused(void **state UNUSED)
{
	static const char *const texts[] = {
		"Z", "Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==",
		"Zm-v", "Zm9v\n", "=m9v", "Zm=v",
	};
	uint8_t data[16];
	size_t len;

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		assert_int_equal(base64_decode(slice_str(texts[i]), data,
		    &len), -1);
}

/* Of the URL-safe alphabet; the padding may be there or not. */
static void
test_url_safe(void **state UNUSED)
{
	static const char *const good[][2] = {
		{ "", "" }, { "Zg", "f" }, { "Zg==", "f" }, { "Zm8", "fo" },
		{ "Zm8=", "fo" }, { "Zm9v", "foo" }, { "Zm9vYg", "foob" },
		{ "-__-", "\xfb\xff\xfe" },
	};
	static const char *const bad[] = { "Z", "Zm9vY", "Zg=", "Zm8==", "=",
		"====", "Zh", "Zm9", "+//+", "Zm 9", "Zg==Zg==", "Zm9v=" };
	uint8_t data[16];
	size_t len;

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(
		    base64_decode_url(slice_str(good[i][0]), data, &len), 0);
		assert_int_equal(len, strlen(good[i][1]));
		assert_memory_equal(data, good[i][1], len);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(
		    base64_decode_url(slice_str(bad[i]), data, &len), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_url_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
