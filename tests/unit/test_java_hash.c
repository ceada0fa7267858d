/* Java's hash of strings, and the partition that it gives a group. */
#include "unit/unit.h"

#include <stdio.h>

#include "coord/java_hash.h"

#define GOLDEN SRCDIR "/tests/coord/coordinator-partitions.tsv"
#define KEY_LEN_MAX 512

/* What a line of the golden file says. */
struct line {
	uint8_t key[KEY_LEN_MAX];
	size_t len;
	int hash;
	int partition;
};

static int
digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

static void
line_read(struct line *line, const char *text)
{
	line->len = 0;
	for (; *text != '\t'; text += 2) {
		int high = digit(text[0]), low = digit(text[1]);

		assert_true(high >= 0 && low >= 0);
		assert_true(line->len < KEY_LEN_MAX);
		line->key[line->len++] = (uint8_t)(high << 4 | low);
	}
	assert_int_equal(
	    sscanf(text, "\t%d\t%d", &line->hash, &line->partition), 2);
}

static void
keys_go_where_kafka_puts_them(void **state UNUSED)
{
	char text[2 * KEY_LEN_MAX + 64];
	FILE *file = fopen(GOLDEN, "re");
	struct line line;
	int count = 0;

	assert_non_null(file);
	while (fgets(text, sizeof(text), file) != NULL) {
		struct slice key;

		if (text[0] == '#')
			continue;
		line_read(&line, text);
		key = slice_of(line.key, line.len);
		assert_int_equal(java_hash(key), line.hash);
		assert_int_equal(java_hash_partition(key, 50), line.partition);
		count++;
	}
	fclose(file);
	assert_int_equal(count, 100);
}

static void
the_smallest_hash_goes_to_partition_0(void **state UNUSED)
{
	struct slice key = slice_str("polygenelubricants");

	assert_int_equal(java_hash(key), INT32_MIN);
	assert_int_equal(java_hash_partition(key, 50), 0);
	assert_int_equal(java_hash_partition(key, 7), 0);
}

/* Bytes that are not UTF-8 count as Java's decoder replaces them. */
static void
bad_bytes_count_as_replacements(void **state UNUSED)
{
	static const struct {
		const char *text;
		size_t units;
	} cases[] = {
		{ "\x80", 1 },
		{ "\xff\xfe", 2 },
		{ "\xc0\x80", 2 },
		{ "\xe2\x82", 1 },
		{ "\xe2\x82z", 2 },
		{ "\xed\xa0\x80", 3 },
		{ "\xf0\x9f\x98", 1 },
		{ "\xf4\x90\x80\x80", 4 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(java_hash_utf16_len(slice_str(cases[i].text)),
		    cases[i].units);
	assert_int_equal(java_hash(slice_str("\x80")), 0xfffd);
}

static void
lengths_are_counted_in_utf16(void **state UNUSED)
{
	assert_int_equal(java_hash_utf16_len(slice_str("")), 0);
	assert_int_equal(java_hash_utf16_len(SLICE_NULL), 0);
	assert_int_equal(java_hash_utf16_len(slice_str("abc")), 3);
	assert_int_equal(java_hash_utf16_len(slice_str("\xc3\xa4")), 1);
	assert_int_equal(java_hash_utf16_len(slice_str("\xe2\x82\xac")), 1);
	assert_int_equal(java_hash_utf16_len(slice_str("\xf0\x9f\x98\x80")), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_go_where_kafka_puts_them),
		cmocka_unit_test(the_smallest_hash_goes_to_partition_0),
		cmocka_unit_test(bad_bytes_count_as_replacements),
		cmocka_unit_test(lengths_are_counted_in_utf16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
