/* The bounded map from keys to offsets. */
#include "unit/unit.h"

#include "store/offset_map.c"

#include <stdio.h>

static struct slice
key_of(char text[24], uint64_t number)
{
	snprintf(text, 24, "key-%llu", (unsigned long long)number);
	return slice_str(text);
}

/* The published test vector of SipHash-2-4-128: key 00…0f, input 00…0e. */
static void
digest_is_siphash(void **state UNUSED)
{
	static const uint8_t want[16] = { 0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0,
		0xa8, 0x11, 0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3, 0xd9 };
	const uint64_t secret[2] = { UINT64_C(0x0706050403020100),
		UINT64_C(0x0f0e0d0c0b0a0908) };
	uint8_t input[15];
	uint64_t digest[2];

	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	digest_of(secret, slice_of(input, sizeof(input)), digest);
	assert_memory_equal(digest, want, sizeof(want));
}

static bool
put(struct offset_map *map, struct slice key, int64_t offset, int64_t *before)
{
	struct offset_map_key found = offset_map_find(map, key);

	return offset_map_put(map, &found, offset, before);
}

static void
latest_offset_wins(void **state UNUSED)
{
	struct offset_map map;
	int64_t before;
	char text[24];

	offset_map_init(&map, 100, 1 << 20, 0.9);
	assert_int_equal(map.latest_offset, -1);
	assert_int_equal(offset_map_get(&map, slice_str("a")), -1);
	assert_true(put(&map, slice_str("a"), 3, &before));
	assert_int_equal(before, -1);
	assert_true(put(&map, slice_str("b"), 4, &before));
	assert_true(put(&map, slice_str("a"), 5, &before));
	assert_int_equal(before, 3);
	assert_true(put(&map, slice_of("", 0), 6, &before));
	assert_int_equal(before, -1);
	assert_int_equal(offset_map_get(&map, slice_str("a")), 5);
	assert_int_equal(offset_map_get(&map, slice_str("b")), 4);
	assert_int_equal(offset_map_get(&map, slice_of("", 0)), 6);
	assert_int_equal(offset_map_get(&map, key_of(text, 1)), -1);
	assert_int_equal(map.count, 3);
	assert_int_equal(map.latest_offset, 6);
	offset_map_reach(&map, 9);
	offset_map_reach(&map, 7);
	assert_int_equal(map.latest_offset, 9);
	offset_map_fini(&map);
}

/* The same key, looked for before its first place was put. */
static void
keys_are_found_ahead(void **state UNUSED)
{
	struct offset_map map;
	struct offset_map_key keys[3];
	int64_t before;

	offset_map_init(&map, 100, 1 << 20, 0.9);
	keys[0] = offset_map_find(&map, slice_str("a"));
	keys[1] = offset_map_find(&map, slice_str("b"));
	keys[2] = offset_map_find(&map, slice_str("a"));
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		assert_true(offset_map_put(
		    &map, &keys[i], (int64_t)i, &before));
	assert_int_equal(before, 0);
	assert_int_equal(map.count, 2);
	assert_int_equal(offset_map_get(&map, slice_str("a")), 2);
	offset_map_fini(&map);
}

/* As many as Kafka has room for in that many bytes, and no more. */
static void
bytes_bound_it(void **state UNUSED)
{
	struct offset_map map;
	int64_t before;
	char text[24];
	uint64_t count = 0;

	offset_map_init(&map, UINT64_MAX, 24000, 0.9);
	assert_true(map.slot_count * sizeof(*map.slots) <= 24000);
	while (put(
	    &map, key_of(text, count), (int64_t)count, &before))
		count++;
	assert_int_equal(count, 900);
	/* Full is full for new keys only. */
	assert_true(put(&map, key_of(text, 7), 1000, &before));
	assert_false(put(&map, slice_str("another"), 1001, &before));
	assert_int_equal(offset_map_get(&map, key_of(text, 7)), 1000);
	assert_int_equal(offset_map_get(&map, key_of(text, 899)), 899);
	assert_int_equal(map.latest_offset, 1000);
	offset_map_fini(&map);
}

static void
few_keys_take_little(void **state UNUSED)
{
	struct offset_map map;
	int64_t before;
	char text[24];

	offset_map_init(&map, 90, 128 << 20, 0.9);
	assert_true(map.slot_count <= 128);
	for (uint64_t i = 0; i < 90; i++)
		assert_true(put(
		    &map, key_of(text, i), (int64_t)i, &before));
	offset_map_fini(&map);
}

/* Settings may say anything; there is room for one key, and an end. */
static void
odd_settings(void **state UNUSED)
{
	static const double factors[] = { 0, -1, 1, 7, 1e300 };
	struct offset_map map;
	int64_t before;

	for (size_t i = 0; i < COUNT_OF(factors); i++) {
		offset_map_init(&map, 1, 0, factors[i]);
		assert_true(put(&map, slice_str("a"), 0, &before));
		assert_int_equal(offset_map_get(&map, slice_str("b")), -1);
		offset_map_fini(&map);
	}
	offset_map_init(&map, 1000, 1000, __builtin_nan(""));
	assert_true(put(&map, slice_str("a"), 0, &before));
	offset_map_fini(&map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_is_siphash),
		cmocka_unit_test(latest_offset_wins),
		cmocka_unit_test(keys_are_found_ahead),
		cmocka_unit_test(bytes_bound_it),
		cmocka_unit_test(few_keys_take_little),
		cmocka_unit_test(odd_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
