/* Maps from bytes to pointers, with the hash of their own and with others. */
#include "unit/unit.h"

#include "base/rng.h"

#include "base/map.c"

static void
agrees_with_an_array(void **state UNUSED)
{
	static uint32_t keys[2000];
	static bool present[2000];
	struct rng rng;
	struct map map;
	size_t count = 0, seen = 0;

	rng_init(&rng, 7);
	map_init(&map);
	for (uint32_t i = 0; i < COUNT_OF(keys); i++)
		keys[i] = i;
	for (int step = 0; step < 50000; step++) {
		size_t i = rng_below(&rng, COUNT_OF(keys));
		struct slice key = MAP_KEY(keys[i]);

		assert_ptr_equal(map_get(&map, key),
		    present[i] ? &keys[i] : NULL);
		if (present[i])
			assert_ptr_equal(map_remove(&map, key), &keys[i]);
		else
			assert_null(map_set(&map, key, &keys[i]));
		count += present[i] ? (size_t)-1 : 1;
		present[i] = !present[i];
		assert_int_equal(map.count, count);
	}
	for (size_t at = 0; map_next(&map, &at) != NULL;)
		seen++;
	assert_int_equal(seen, count);
	map_fini(&map);
}

/* Whatever is asked by the hash of its own is the same as without. */
static void
a_hash_that_is_known_is_the_same(void **state UNUSED)
{
	struct slice a = slice_str("a"), b = slice_str("b");
	int first, second;
	struct map map;

	map_init(&map);
	assert_null(map_get_hashed(&map, a, map_hash(a)));
	assert_null(map_remove_hashed(&map, a, map_hash(a)));
	assert_null(map_set(&map, a, &first));
	assert_ptr_equal(map_get_hashed(&map, a, map_hash(a)), &first);
	assert_ptr_equal(
	    map_set_hashed(&map, a, map_hash(a), &second), &first);
	assert_ptr_equal(map_get(&map, a), &second);
	assert_null(map_set_hashed(&map, b, map_hash(b), &first));
	assert_ptr_equal(map_get(&map, b), &first);
	assert_ptr_equal(map_remove_hashed(&map, a, map_hash(a)), &second);
	assert_null(map_get(&map, a));
	assert_int_equal(map.count, 1);
	map_fini(&map);
}

/* Keys tell entries apart that no hash does, also past what was removed. */
static void
keys_may_share_a_hash(void **state UNUSED)
{
	static uint32_t keys[100];
	struct map map;

	map_init(&map);
	for (uint32_t i = 0; i < COUNT_OF(keys); i++) {
		keys[i] = i;
		assert_null(
		    map_set_hashed(&map, MAP_KEY(keys[i]), 7, &keys[i]));
	}
	for (uint32_t i = 0; i < COUNT_OF(keys); i += 2)
		assert_ptr_equal(
		    map_remove_hashed(&map, MAP_KEY(keys[i]), 7), &keys[i]);
	for (uint32_t i = 0; i < COUNT_OF(keys); i++) {
		assert_ptr_equal(map_get_hashed(&map, MAP_KEY(keys[i]), 7),
		    i % 2 == 0 ? NULL : &keys[i]);
		/* The hash is a part of what is looked for. */
		assert_null(map_get_hashed(&map, MAP_KEY(keys[i]), 8));
	}
	assert_int_equal(map.count, COUNT_OF(keys) / 2);
	map_fini(&map);
}

/* What comes and goes leaves no more behind than its place. */
static void
removed_entries_do_not_pile_up(void **state UNUSED)
{
	static uint32_t keys[3];
	struct map map;

	map_init(&map);
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t *key = &keys[i % COUNT_OF(keys)];

		*key = i;
		assert_null(map_set(&map, MAP_KEY(*key), key));
		assert_ptr_equal(map_remove(&map, MAP_KEY(*key)), key);
	}
	assert_int_equal(map.count, 0);
	assert_true(map.capacity <= CAPACITY_MIN * 2);
	map_fini(&map);
}

/* The new key stands in for the old one, which may be freed. */
static void
the_latest_key_counts(void **state UNUSED)
{
	char old[] = "key", fresh[] = "key";
	int first, second;
	struct map map;

	map_init(&map);
	assert_null(map_set(&map, slice_str(old), &first));
	assert_ptr_equal(map_set(&map, slice_str(fresh), &second), &first);
	old[0] = 'x';
	assert_ptr_equal(map_get(&map, slice_str("key")), &second);
	map_fini(&map);
}

static void
what_is_walked_past_may_go(void **state UNUSED)
{
	static uint32_t keys[50];
	struct map map;
	uint32_t *key;
	int seen = 0;

	map_init(&map);
	for (uint32_t i = 0; i < COUNT_OF(keys); i++) {
		keys[i] = i;
		assert_null(map_set(&map, MAP_KEY(keys[i]), &keys[i]));
	}
	for (size_t at = 0; (key = map_next(&map, &at)) != NULL; seen++)
		assert_ptr_equal(map_remove(&map, MAP_KEY(*key)), key);
	assert_int_equal(seen, COUNT_OF(keys));
	assert_int_equal(map.count, 0);
	map_fini(&map);
}

/* Lengths around the words that the hash reads, each byte counting. */
static void
every_byte_counts_in_the_hash(void **state UNUSED)
{
	uint8_t bytes[40] = { 0 };

	for (size_t len = 1; len <= sizeof(bytes); len++) {
		uint32_t hash = map_hash(slice_of(bytes, len));

		assert_int_equal(map_hash(slice_of(bytes, len)), hash);
		assert_int_not_equal(map_hash(slice_of(bytes, len - 1)), hash);
		for (size_t i = 0; i < len; i++) {
			bytes[i] = 1;
			assert_int_not_equal(
			    map_hash(slice_of(bytes, len)), hash);
			bytes[i] = 0;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_an_array),
		cmocka_unit_test(a_hash_that_is_known_is_the_same),
		cmocka_unit_test(keys_may_share_a_hash),
		cmocka_unit_test(removed_entries_do_not_pile_up),
		cmocka_unit_test(the_latest_key_counts),
		cmocka_unit_test(what_is_walked_past_may_go),
		cmocka_unit_test(every_byte_counts_in_the_hash),
	};

	/* The same hashes with each run. */
	map_seed_set(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
