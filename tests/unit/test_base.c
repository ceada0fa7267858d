/* The base layer: arena, prefix map, list, slices, durations. */
#include "unit/unit.h"

#include <sys/resource.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/descriptors.h"
#include "base/duration.h"
#include "base/list.h"
#include "base/prefix_map.h"
#include "base/rng.h"
#include "base/spares.h"

static void
arena_gives_aligned_memory_up_to_its_cap(void **state UNUSED)
{
	struct arena arena;

	arena_init(&arena, 100000);
	for (size_t size = 1; size < 300; size++) {
		uint8_t *p = arena_alloc(&arena, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % ARENA_ALIGN, 0);
		memset(p, 0xff, size);
	}
	assert_null(arena_alloc(&arena, 90000));
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_calloc(&arena, SIZE_MAX / 2, 3));
	arena_reset(&arena);
	assert_non_null(arena_alloc(&arena, 90000));
	arena_reset(&arena);
}

/* What is taken back is handed out again, and counts no more. */
static void
arena_takes_back_the_end(void **state UNUSED)
{
	struct arena arena;
	uint8_t *p;

	arena_init(&arena, 1000);
	p = arena_alloc(&arena, 900);
	assert_null(arena_alloc(&arena, 200));
	arena_shrink(&arena, p, 900, 100);
	assert_int_equal(arena_left(&arena), 1000 - 104);
	assert_ptr_equal(arena_alloc(&arena, 800), p + 104);
	assert_null(arena_alloc(&arena, 200));
	arena_reset(&arena);
}

/* What was lent comes first, again after each reset, and is not charged. */
static void
arena_uses_what_was_lent(void **state UNUSED)
{
	static _Alignas(max_align_t) uint8_t bytes[256];
	struct budget budget;
	struct arena arena;

	budget_init(&budget, 100000);
	arena_init(&arena, 10000);
	arena_lend(&arena, bytes, sizeof(bytes));
	arena_charge(&arena, &budget);
	for (int i = 0; i < 2; i++) {
		assert_ptr_equal(arena_alloc(&arena, 100), bytes);
		assert_ptr_equal(arena_alloc(&arena, 152), bytes + 104);
		assert_int_equal(budget_left(&budget), 100000);
		assert_non_null(arena_alloc(&arena, 1));
		assert_true(budget_left(&budget) < 100000);
		assert_null(arena_alloc(&arena, 10000));
		arena_reset(&arena);
		assert_int_equal(budget_left(&budget), 100000);
	}
}

static void
spares_are_used_again(void **state UNUSED)
{
	struct spares spares;
	void *blocks[3];

	spares_init(&spares, 100, 2);
	for (int i = 0; i < 3; i++) {
		blocks[i] = spares_take(&spares);
		memset(blocks[i], i, 100);
	}
	for (int i = 0; i < 3; i++)
		spares_give(&spares, blocks[i]);
	assert_int_equal(spares.count, spares.count_max);
	if (spares.count_max > 0)
		assert_ptr_equal(blocks[0] = spares_take(&spares), blocks[1]);
	else
		blocks[0] = spares_take(&spares);
	spares_give(&spares, blocks[0]);
	spares_fini(&spares);
}

/* What cannot fail goes on beyond the cap, and that is remembered. */
static void
arena_can_be_overdrawn(void **state UNUSED)
{
	struct arena arena;
	uint8_t *p;

	arena_init(&arena, 1000);
	assert_non_null(arena_xalloc(&arena, 900));
	assert_false(arena_overdrawn(&arena));
	assert_null(arena_alloc(&arena, 200));
	assert_false(arena_overdrawn(&arena));
	p = arena_xcalloc(&arena, 3, 1000000);
	assert_true(arena_overdrawn(&arena));
	assert_int_equal(p[2999999], 0);
	assert_int_equal(arena_left(&arena), 0);
	assert_null(arena_alloc(&arena, 1));
	assert_true(slice_equal_str(
	    arena_copy(&arena, slice_str("still")), "still"));
	assert_true(slice_equal_str(arena_printf(&arena, "%d", 7), "7"));
	arena_reset(&arena);
	assert_false(arena_overdrawn(&arena));
	assert_non_null(arena_alloc(&arena, 900));
	arena_reset(&arena);
}

static void
arena_is_charged_but_for_a_little(void **state UNUSED)
{
	struct arena arena;
	struct budget budget;

	budget_init(&budget, 1000000);
	arena_init(&arena, SIZE_MAX);
	arena_charge(&arena, &budget);
	for (int i = 0; i < 30; i++)
		arena_xalloc(&arena, 100);
	assert_int_equal(budget_left(&budget), 1000000);
	arena_xalloc(&arena, 600000);
	assert_true(budget_left(&budget) < 400000);
	/* More than there is: taken all the same. */
	arena_xalloc(&arena, 600000);
	assert_int_equal(budget_left(&budget), 0);
	arena_reset(&arena);
	assert_int_equal(budget_left(&budget), 1000000);
	/* A first piece that is large counts. */
	arena_xalloc(&arena, 100000);
	assert_true(budget_left(&budget) < 900001);
	arena_reset(&arena);
	assert_int_equal(budget_left(&budget), 1000000);
}

/* Of names of few letters, so that many are prefixes of many. */
static struct slice
random_name(struct rng *rng, uint8_t name[32])
{
	size_t len = rng_below(rng, rng_below(rng, 2) == 0 ? 4 : 33);

	for (size_t i = 0; i < len; i++)
		name[i] = (uint8_t)('a' + rng_below(rng, 16) / 15);
	return slice_of(name, len);
}

struct prefix {
	uint8_t bytes[32];
	struct slice name;
	bool present;
};

/* The prefixes of name one by one, and those that the walk finds. */
static void
expect_walk(const struct prefix_map *map, const struct prefix *prefixes,
    size_t count, struct slice name)
{
	struct prefix_walk walk = prefix_walk_of(map, name);
	const struct prefix *found;
	size_t matches = 0, seen = 0, len_min = 0;

	for (size_t i = 0; i < count; i++)
		matches += prefixes[i].present &&
		    prefixes[i].name.len <= name.len &&
		    memcmp(prefixes[i].bytes, name.data,
			prefixes[i].name.len) == 0;
	while ((found = prefix_walk_next(&walk)) != NULL) {
		assert_true(found->present && found->name.len >= len_min);
		assert_memory_equal(
		    found->bytes, name.data, found->name.len);
		len_min = found->name.len + 1;
		seen++;
	}
	assert_int_equal(seen, matches);
}

static void
prefix_map_agrees_with_an_array(void **state UNUSED)
{
	static struct prefix prefixes[400];
	struct prefix_map map;
	struct rng rng;
	uint8_t name[32];
	size_t count = 0;

	rng_init(&rng, 7);
	prefix_map_init(&map);
	expect_walk(&map, prefixes, 0, slice_str("a"));
	for (int step = 0; step < 20000; step++) {
		struct prefix *prefix =
		    &prefixes[rng_below(&rng, COUNT_OF(prefixes))];

		if (prefix->present) {
			assert_ptr_equal(
			    prefix_map_remove(&map, prefix->name), prefix);
			prefix->present = false;
			count--;
		} else {
			prefix->name = random_name(&rng, prefix->bytes);
			if (prefix_map_get(&map, prefix->name) == NULL) {
				assert_null(prefix_map_set(
				    &map, prefix->name, prefix));
				prefix->present = true;
				count++;
			}
		}
		expect_walk(&map, prefixes, COUNT_OF(prefixes),
		    random_name(&rng, name));
	}
	for (size_t at = 0; prefix_map_next(&map, &at) != NULL;)
		count--;
	assert_int_equal(count, 0);
	prefix_map_fini(&map);
}

static void
list_keeps_order_and_knows_membership(void **state UNUSED)
{
	struct list_node a = { 0 }, b = { 0 }, c = { 0 };
	struct list list, other;

	list_init(&list);
	list_init(&other);
	list_append(&list, &b);
	list_prepend(&list, &a);
	list_append(&other, &c);
	list_splice(&list, &other);
	assert_true(list_empty(&other));
	assert_ptr_equal(list_pop(&list), &a);
	assert_false(list_node_linked(&a));
	list_remove(&c);
	assert_ptr_equal(list_pop(&list), &b);
	assert_null(list_pop(&list));
}

static void
slices_compare_as_bytes(void **state UNUSED)
{
	assert_true(slice_compare(slice_str("a"), slice_str("ab")) < 0);
	assert_true(slice_compare(slice_str("b"), slice_str("ab")) > 0);
	assert_true(slice_compare(SLICE_NULL, slice_str("")) < 0);
	assert_int_equal(slice_compare(slice_str("x"), slice_str("x")), 0);
	assert_false(slice_equal(SLICE_NULL, slice_str("")));
	assert_true(slice_equal(SLICE_NULL, SLICE_NULL));
}

static void
descriptors_are_shared_out(void **state UNUSED)
{
	struct rlimit before, now;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = 250;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(descriptors_max(), 250);
	assert_int_equal(descriptors_share(), (250 - 64) / 2);
	now.rlim_cur = 30;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(descriptors_share(), 16);
	descriptors_raise();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_true(now.rlim_cur == before.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void
duration_is(const char *text, int64_t expected)
{
	int64_t ms = -1;

	assert_int_equal(duration_parse(slice_str(text), &ms),
	    expected < 0 ? -1 : 0);
	if (expected >= 0)
		assert_int_equal(ms, expected);
}

static void
durations_are_read(void **state UNUSED)
{
	duration_is("P1D", 86400000);
	duration_is("PT1H", 3600000);
	duration_is("P1DT2H3M4.5S", 93784500);
	duration_is("pt0.001s", 1);
	duration_is("PT1,25S", 1250);
	duration_is("PT0S", 0);
	duration_is("P", -1);
	duration_is("PT", -1);
	duration_is("P1DT", -1);
	duration_is("PT-1S", -1);
	duration_is("PT1S2M", -1);
	duration_is("1D", -1);
	duration_is("PT1SX", -1);
	duration_is("P99999999999999999999D", -1);
	duration_is("", -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_gives_aligned_memory_up_to_its_cap),
		cmocka_unit_test(arena_takes_back_the_end),
		cmocka_unit_test(arena_uses_what_was_lent),
		cmocka_unit_test(spares_are_used_again),
		cmocka_unit_test(arena_can_be_overdrawn),
		cmocka_unit_test(arena_is_charged_but_for_a_little),
		cmocka_unit_test(prefix_map_agrees_with_an_array),
		cmocka_unit_test(list_keeps_order_and_knows_membership),
		cmocka_unit_test(slices_compare_as_bytes),
		cmocka_unit_test(descriptors_are_shared_out),
		cmocka_unit_test(durations_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
