/* Maps that are walked in the order of Java's HashMap. */
#include "unit/unit.h"

#include "coord/java_map.c"

/*
 * What java.util.HashMap gives for the life below.  No bucket of 64 has eight
 * keys, of which Java would make a tree.
 */
static const struct life {
	int32_t factor;		/* keys are multiples of it */
	uint32_t keys;		/* how many there may be */
	int32_t capacity;
	uint32_t walks;		/* a hash of all keys that walks came by */
	int32_t count;		/* of keys, in the end */
} lives[] = {
	{ 1, 256, 16, 0xcd42a1d8u, 146 },
	{ 37, 200, 16, 0xa268c0f6u, 124 },
	{ 32, 14, 16, 0xe228e585u, 8 },
	{ 32, 14, 1, 0xe228e585u, 8 },
	{ 7919, 60, 1, 0x02d40084u, 34 },
	{ 1000003, 90, 64, 0x17f04eb9u, 55 },
	{ 5, 24, 100, 0xe13cc8fdu, 14 },
};

static void
walk(const struct java_map *map, uint32_t *hash)
{
	int32_t count = 0;

	for (const struct java_map_entry *entry = java_map_first(map);
	     entry != NULL; entry = java_map_next(map, entry)) {
		*hash = (*hash ^ (uint32_t)entry->key) * 16777619;
		count++;
	}
	assert_int_equal(count, map->count);
}

/*
 *	int x = 1, walks = 0x811c9dc5;
 *	for (int i = 0; i < 3000; i++) {
 *		x = x * 1103515245 + 12345;
 *		int op = x >>> 16 & 3, key = (x >>> 18) % keys * factor;
 *		if (op == 0) map.put(key, 0);
 *		else if (op == 1) map.computeIfAbsent(key, k -> 0);
 *		else map.remove(key);
 *		if (i % 100 < 50 && op == 2) map.put(key, 0);
 *		if (i % 50 == 0)
 *			for (int k : map.keySet())
 *				walks = (walks ^ k) * 16777619;
 *	}
 */
static void
live(const struct life *life, struct java_map *map, uint32_t *walks)
{
	uint32_t x = 1;

	for (int i = 0; i < 3000; i++) {
		uint32_t op, hash;
		int32_t key;

		x = x * 1103515245 + 12345;
		op = x >> 16 & 3;
		key = (int32_t)((x >> 18) % life->keys) * life->factor;
		hash = (uint32_t)key;
		if (op == 0)
			java_map_put(map, hash, key);
		else if (op == 1)
			java_map_compute(map, hash, key);
		else
			java_map_remove(map, hash, key);
		if (i % 100 < 50 && op == 2)
			java_map_put(map, hash, key);
		assert_true(java_map_has(map, hash, key) ==
		    (op < 2 || (i % 100 < 50 && op == 2)));
		if (i % 50 == 0)
			walk(map, walks);
	}
}

static void
walks_are_javas(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT_OF(lives); i++) {
		uint32_t walks = 0x811c9dc5;
		struct arena arena;
		struct java_map map;

		arena_init(&arena, SIZE_MAX);
		java_map_init(&map, &arena, lives[i].capacity);
		live(&lives[i], &map, &walks);
		assert_int_equal(walks, lives[i].walks);
		assert_int_equal(map.count, lives[i].count);
		arena_reset(&arena);
	}
}

static void
an_empty_one_has_nothing(void **state UNUSED)
{
	struct arena arena;
	struct java_map map;

	arena_init(&arena, SIZE_MAX);
	java_map_init(&map, &arena, JAVA_MAP_CAPACITY);
	assert_null(java_map_first(&map));
	assert_false(java_map_has(&map, 1, 1));
	java_map_remove(&map, 1, 1);
	assert_int_equal(map.count, 0);
	arena_reset(&arena);
}

/* What was walked past may go while the walk goes on. */
static void
entries_go_during_a_walk(void **state UNUSED)
{
	const struct java_map_entry *entry, *next;
	struct arena arena;
	struct java_map map;

	arena_init(&arena, SIZE_MAX);
	java_map_init(&map, &arena, JAVA_MAP_CAPACITY);
	for (int32_t key = 0; key < 12; key++)
		java_map_put(&map, (uint32_t)key * 8, key);
	for (entry = java_map_first(&map); entry != NULL; entry = next) {
		next = java_map_next(&map, entry);
		java_map_remove(&map, (uint32_t)entry->key * 8, entry->key);
	}
	assert_int_equal(map.count, 0);
	assert_null(java_map_first(&map));
	arena_reset(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_are_javas),
		cmocka_unit_test(an_empty_one_has_nothing),
		cmocka_unit_test(entries_go_during_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
