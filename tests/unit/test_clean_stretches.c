/* What compaction needs to know of stretches of batches. */
#include "unit/unit.h"

#include "store/clean_stretches.c"

/* Batches from here on are of a producer. */
#define OTHERS (2 << 20)

/* A batch of so many records in as many bytes as that. */
static struct clean_stretch *
add(struct clean_stretches *stretches, int64_t base_offset, int32_t records,
    size_t size_bytes, int64_t position)
{
	const struct batch batch = {
		.producer_id = position < OTHERS ? -1 : 7,
		.base_offset = base_offset,
		.last_offset = base_offset + records - 1,
		.size_bytes = size_bytes,
	};

	struct clean_stretch *stretch =
	    clean_stretches_add(stretches, &batch, position);

	if (stretch != NULL)
		stretch->records += records;
	return stretch;
}

static void
small_neighbours_are_joined(void **state UNUSED)
{
	struct clean_stretches stretches;

	clean_stretches_init(&stretches, 10, 0, 1000);
	add(&stretches, 0, 2, 6000, 0);
	add(&stretches, 5, 3, 6000, 6000);
	assert_int_equal(stretches.count, 1);
	assert_int_equal(stretches.stretches[0].last_offset, 7);
	assert_int_equal(stretches.stretches[0].size_bytes, 12000);
	assert_int_equal(stretches.stretches[0].records, 5);
	/* One too large, one behind a gap, and one that is before it. */
	add(&stretches, 8, 1, 6000, 12000);
	add(&stretches, 10, 1, 100, 20000);
	add(&stretches, 11, 1, 100, 0);
	add(&stretches, 12, 1, 1 << 20, 100);
	assert_int_equal(stretches.count, 5);
	/* And one of another producer. */
	add(&stretches, 13, 1, 100, OTHERS - 100);
	add(&stretches, 14, 1, 100, OTHERS);
	assert_int_equal(stretches.count, 7);
	assert_int_equal(clean_stretches_from(&stretches, 14)->producer_id, 7);
	assert_null(clean_stretches_from(&stretches, 15));
	clean_stretches_fini(&stretches);
}

/* Positions of one segment may go on where those of another end. */
static void
others_are_not_joined(void **state UNUSED)
{
	struct clean_stretches stretches;

	clean_stretches_init(&stretches, 2, 0, 1000);
	add(&stretches, 0, 1, 100, 0);
	clean_stretches_break(&stretches);
	add(&stretches, 3, 1, 100, 100);
	assert_int_equal(stretches.count, 2);
	assert_int_equal(stretches.stretches[0].last_offset, 0);
	assert_int_equal(stretches.stretches[0].size_bytes, 100);
	/* What begins is joined again. */
	assert_non_null(add(&stretches, 4, 1, 100, 200));
	assert_int_equal(stretches.stretches[1].last_offset, 4);
	/* One for which there is no room has been here. */
	assert_null(add(&stretches, 5, 1, 100, 400));
	assert_null(add(&stretches, 9, 1, 100, 300));
	assert_int_equal(stretches.stretches[1].last_offset, 4);
	/* Each is found in its own segment. */
	assert_int_equal(
	    clean_stretches_at(&stretches, 0, 2, 0)->size_bytes, 100);
	assert_int_equal(
	    clean_stretches_at(&stretches, 2, 9, 100)->base_offset, 3);
	clean_stretches_fini(&stretches);
}

static void
they_are_found(void **state UNUSED)
{
	struct clean_stretches stretches;
	const struct clean_stretch *second;

	clean_stretches_init(&stretches, 10, 0, 1000);
	assert_null(clean_stretches_find(&stretches, 0));
	assert_null(clean_stretches_at(&stretches, 0, 100, 0));
	add(&stretches, 10, 2, 16384, 0);
	add(&stretches, 20, 2, 16384, 16384);
	add(&stretches, 30, 2, 16384, 40000);
	second = &stretches.stretches[1];
	assert_null(clean_stretches_find(&stretches, 9));
	assert_null(clean_stretches_find(&stretches, 12));
	assert_ptr_equal(clean_stretches_find(&stretches, 20), second);
	assert_ptr_equal(clean_stretches_find(&stretches, 21), second);
	assert_null(clean_stretches_find(&stretches, 32));
	assert_ptr_equal(
	    clean_stretches_at(&stretches, 12, 100, 16384), second);
	assert_ptr_equal(
	    clean_stretches_at(&stretches, 20, 100, 16384), second);
	/* Elsewhere, of the next segment, and none any more. */
	assert_null(clean_stretches_at(&stretches, 12, 100, 0));
	assert_null(clean_stretches_at(&stretches, 12, 20, 16384));
	assert_null(clean_stretches_at(&stretches, 31, 100, 40000));
	clean_stretches_fini(&stretches);
}

/* What there is of the stretch at an offset, if nothing more comes. */
static const struct clean_stretch *
complete(struct clean_stretches *stretches, int64_t offset)
{
	clean_stretches_complete(stretches);
	return clean_stretches_find(stretches, offset);
}

static void
counts_tell_what_is_left(void **state UNUSED)
{
	struct clean_stretches stretches;

	clean_stretches_init(&stretches, 10, 0, 1000);
	add(&stretches, 0, 1, 16384, 0);
	clean_stretches_put(&stretches, 0, -1);
	add(&stretches, 1, 2, 16384, 16384);
	clean_stretches_put(&stretches, 1, -1);
	clean_stretches_put(&stretches, 2, -1);
	assert_true(clean_stretch_is_whole(complete(&stretches, 1)));
	assert_int_equal(
	    clean_stretches_whole_bytes(&stretches, 0, 3), 32768);
	assert_int_equal(
	    clean_stretches_whole_bytes(&stretches, 1, 3), 16384);
	assert_int_equal(
	    clean_stretches_whole_bytes(&stretches, 0, 1), 16384);
	clean_stretches_put(&stretches, 3, 1);
	assert_false(clean_stretch_is_whole(complete(&stretches, 1)));
	assert_false(clean_stretch_is_dead(complete(&stretches, 1)));
	assert_false(clean_stretches_is_latest(&stretches, 1));
	assert_true(clean_stretches_is_latest(&stretches, 2));
	clean_stretches_put(&stretches, 4, 2);
	assert_true(clean_stretch_is_dead(complete(&stretches, 2)));
	clean_stretches_need(&stretches, 2);
	assert_false(clean_stretch_is_dead(complete(&stretches, 2)));
	assert_false(clean_stretch_is_whole(complete(&stretches, 2)));
	stretches.stretches[0].tombstones = true;
	assert_false(clean_stretch_is_whole(complete(&stretches, 0)));
	clean_stretches_fini(&stretches);
}

/* Bits are counted in words, of which a stretch may have parts. */
static void
bits_are_counted(void **state UNUSED)
{
	static const int32_t lens[] = { 1, 62, 63, 64, 65, 127, 128, 200 };
	int64_t first = INT64_C(1) << 40;

	for (size_t i = 0; i < COUNT_OF(lens); i++) {
		for (int64_t base = first; base < first + 130; base++) {
			struct clean_stretches stretches;
			int64_t last = base + lens[i] - 1;

			clean_stretches_init(
			    &stretches, 1, first, first + 400);
			assert_non_null(
			    add(&stretches, base, lens[i], 16384, 0));
			for (int64_t at = first; at < first + 400; at++)
				clean_stretches_put(&stretches, at, -1);
			assert_int_equal(
			    complete(&stretches, base)->left, lens[i]);
			clean_stretches_put(&stretches, first + 399, base);
			clean_stretches_put(&stretches, first + 398, last);
			assert_int_equal(complete(&stretches, base)->left,
			    MAX(0, lens[i] - 2));
			clean_stretches_fini(&stretches);
		}
	}
}

/* What has no bits is in no stretch, and is no record's place either. */
static void
bits_are_bounded(void **state UNUSED)
{
	struct clean_stretches stretches;

	clean_stretches_init(&stretches, 10, 100, INT64_MAX);
	assert_int_equal(stretches.bit_count, BITS_MAX);
	assert_non_null(add(&stretches, 100, 1, 100, 0));
	assert_non_null(
	    add(&stretches, 100 + BITS_MAX - 1, 1, 20000, 1000));
	assert_null(add(&stretches, 100 + BITS_MAX - 1, 2, 100, 21000));
	assert_null(add(&stretches, 100 + BITS_MAX, 1, 100, 21000));
	assert_null(add(&stretches, 99, 1, 100, 21000));
	clean_stretches_put(&stretches, 100 + BITS_MAX, 100 + BITS_MAX - 1);
	clean_stretches_put(&stretches, INT64_MAX, -1);
	assert_false(clean_stretches_is_latest(&stretches, INT64_MAX));
	assert_false(clean_stretches_is_latest(&stretches, 99));
	assert_int_equal(complete(&stretches, 100)->left, 0);
	clean_stretches_fini(&stretches);
}

static void
there_are_not_too_many(void **state UNUSED)
{
	struct clean_stretches stretches;

	clean_stretches_init(&stretches, 100, 0, 1000);
	for (int64_t i = 0; i < 100; i++)
		assert_non_null(
		    add(&stretches, i, 1, 16384, (i % 10) * 16384));
	assert_null(add(&stretches, 100, 1, 16384, 0));
	assert_true(stretches.cap <= 100);
	/* The last one grows no more by what does not follow it. */
	assert_null(add(&stretches, 101, 1, 1, 16384));
	assert_int_equal(stretches.stretches[99].last_offset, 99);
	clean_stretches_fini(&stretches);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_neighbours_are_joined),
		cmocka_unit_test(others_are_not_joined),
		cmocka_unit_test(they_are_found),
		cmocka_unit_test(counts_tell_what_is_left),
		cmocka_unit_test(bits_are_counted),
		cmocka_unit_test(bits_are_bounded),
		cmocka_unit_test(there_are_not_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
