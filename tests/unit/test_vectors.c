/*
 * Checksums, variable-length integers and uuids against vectors that Apache
 * Kafka's own classes made.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/rng.h"
#include "base/uuid.h"

#define LINE_LEN_MAX 4096
#define COLUMNS_MAX 5

typedef void (*row_fn)(char *const *columns);

/* Call fn for each line but the first; the number of lines. */
static int
each_row(const char *name, row_fn fn)
{
	char path[256], line[LINE_LEN_MAX];
	int count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/wire/vectors/%s.tsv", SRCDIR,
	    name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	while (fgets(line, sizeof(line), file) != NULL) {
		char *columns[COLUMNS_MAX], *at = line;

		line[strcspn(line, "\n")] = '\0';
		for (int i = 0; i < COLUMNS_MAX; i++)
			columns[i] = at == NULL ? NULL : strsep(&at, "\t");
		fn(columns);
		count++;
	}
	fclose(file);
	return count;
}

static size_t
unhex(const char *text, uint8_t *out)
{
	size_t len = strlen(text) / 2;

	for (size_t i = 0; i < len; i++) {
		unsigned byte;

		assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return len;
}

/* --- CRC-32C -------------------------------------------------------------- */

/* In one go, in two pieces, by tables, and combined. */
static void
check_crc(const uint8_t *data, size_t len, uint32_t expected)
{
	size_t half = len / 3;
	uint32_t a = crc32c(0, data, half);
	uint32_t b = crc32c(0, data + half, len - half);

	assert_int_equal(crc32c(0, data, len), expected);
	assert_int_equal(crc32c_portable(0, data, len), expected);
	assert_int_equal(crc32c(a, data + half, len - half), expected);
	assert_int_equal(crc32c_combine(a, b, len - half), expected);
}

static void
crc_row(char *const *columns)
{
	static uint8_t data[1 << 22];
	size_t len;

	if (sscanf(columns[0], "pattern:%zu", &len) == 1) {
		assert_true(len <= sizeof(data));
		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(i * 7 + 3);
	} else {
		len = unhex(columns[0], data);
	}
	check_crc(data, len, (uint32_t)strtoul(columns[1], NULL, 16));
}

static void
checksums_are_kafkas(void **state UNUSED)
{
	assert_true(each_row("crc32c", crc_row) >= 90);
}

/* Any offset and length: the wide loops have heads and tails. */
static void
checksums_of_all_alignments_agree(void **state UNUSED)
{
	static uint8_t data[8192];
	struct rng rng;

	rng_init(&rng, 1);
	rng_bytes(&rng, data, sizeof(data));
	for (int i = 0; i < 3000; i++) {
		size_t at = rng_below(&rng, 64);
		size_t len = rng_below(&rng, sizeof(data) - 64);

		assert_int_equal(crc32c(0, data + at, len),
		    crc32c_portable(0, data + at, len));
	}
}

static void
a_changed_piece_changes_the_checksum_alike(void **state UNUSED)
{
	uint8_t data[256], piece[8];
	uint32_t before, after, whole;
	struct rng rng;

	rng_init(&rng, 2);
	rng_bytes(&rng, data, sizeof(data));
	rng_bytes(&rng, piece, sizeof(piece));
	whole = crc32c(0, data, sizeof(data));
	before = crc32c(0, data + 40, sizeof(piece));
	memcpy(data + 40, piece, sizeof(piece));
	after = crc32c(0, piece, sizeof(piece));
	assert_int_equal(crc32c_replace(whole, before, after,
			     sizeof(data) - 40 - sizeof(piece)),
	    crc32c(0, data, sizeof(data)));
}

/* --- Variable-length integers --------------------------------------------- */

static size_t
get(const char *kind, const uint8_t *p, const uint8_t *end, int64_t *value)
{
	uint32_t unsigned_value = 0;
	int32_t signed_value = 0;
	size_t used;

	if (strcmp(kind, "varlong") == 0)
		return varlong_get(p, end, value);
	if (strcmp(kind, "varint") == 0) {
		used = varint_get(p, end, &signed_value);
		*value = signed_value;
		return used;
	}
	used = uvarint_get(p, end, &unsigned_value);
	*value = (int32_t)unsigned_value;
	return used;
}

static size_t
put(const char *kind, uint8_t *p, int64_t value)
{
	if (strcmp(kind, "varlong") == 0) {
		assert_int_equal(varlong_len(value), varlong_put(p, value));
		return varlong_put(p, value);
	}
	if (strcmp(kind, "varint") == 0) {
		assert_int_equal(varint_len((int32_t)value),
		    varint_put(p, (int32_t)value));
		return varint_put(p, (int32_t)value);
	}
	assert_int_equal(uvarint_len((uint32_t)value),
	    uvarint_put(p, (uint32_t)value));
	return uvarint_put(p, (uint32_t)value);
}

static void
varint_row(char *const *columns)
{
	const char *kind = columns[0], *use = columns[3];
	uint8_t bytes[32], out[VARLONG_LEN_MAX];
	size_t len = unhex(columns[1], bytes), used;
	int64_t value = 0, expected;

	if (strcmp(kind, "float64") == 0)
		return;
	used = get(kind, bytes, bytes + len, &value);
	if (strcmp(use, "too long") == 0 || strcmp(use, "truncated") == 0) {
		assert_int_equal(used, 0);
		return;
	}
	expected = strtoll(columns[2], NULL, 10);
	assert_int_equal(used, len);
	assert_int_equal(value, expected);
	if (strcmp(use, "both") != 0)
		return;
	assert_int_equal(put(kind, out, expected), len);
	assert_memory_equal(out, bytes, len);
}

static void
varints_are_kafkas(void **state UNUSED)
{
	assert_true(each_row("varints", varint_row) >= 490);
}

/* --- Uuids ---------------------------------------------------------------- */

static void
uuid_row(char *const *columns)
{
	const char *use = columns[4];
	char text[UUID_TEXT_LEN + 1];
	uint8_t bytes[32];
	struct uuid id;

	if (strstr(use, "refused") != NULL) {
		assert_int_equal(uuid_parse(slice_str(columns[0]), &id), -1);
		return;
	}
	assert_int_equal(uuid_parse(slice_str(columns[0]), &id), 0);
	assert_int_equal(unhex(columns[1], bytes), sizeof(id.bytes));
	assert_memory_equal(id.bytes, bytes, sizeof(id.bytes));
	if (strstr(use, "both") == NULL)
		return;
	uuid_format(id, text);
	assert_string_equal(text, columns[0]);
	/* The data marks those that have a name; the hundred are all kept. */
	if (strstr(use, "reserved") != NULL)
		assert_true(uuid_is_reserved(id));
}

static void
uuids_are_kafkas(void **state UNUSED)
{
	assert_true(each_row("uuids", uuid_row) >= 50);
}

static void
random_uuids_are_fit_for_command_lines(void **state UNUSED)
{
	char text[UUID_TEXT_LEN + 1];
	struct rng rng;

	rng_init(&rng, 3);
	for (int i = 0; i < 2000; i++) {
		struct uuid id = uuid_random(&rng);

		uuid_format(id, text);
		assert_int_not_equal(text[0], '-');
		assert_false(uuid_is_reserved(id));
		assert_int_equal(id.bytes[6] >> 4, 4);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_are_kafkas),
		cmocka_unit_test(checksums_of_all_alignments_agree),
		cmocka_unit_test(a_changed_piece_changes_the_checksum_alike),
		cmocka_unit_test(varints_are_kafkas),
		cmocka_unit_test(uuids_are_kafkas),
		cmocka_unit_test(random_uuids_are_fit_for_command_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
