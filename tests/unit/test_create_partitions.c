/* What test_topic_ops cannot reach: a topic that is as large as can be. */
#include "unit/unit.h"

#include "meta/create_partitions_op.c"

static enum kp_error
grow(int32_t from, int32_t to)
{
	const struct topic_image topic = { .partitions_count = from };
	const struct kp_create_partitions_request_topic in = { .count = to };
	struct kp_create_partitions_response_result out = { 0 };
	struct create_partitions_op op = { 0 };
	struct addition addition = {
		.op = &op, .in = &in, .out = &out, .topic = &topic
	};
	struct arena arena;
	enum kp_error error;

	arena_init(&arena, 1 << 16);
	op.arena = &arena;
	error = check_count(&addition);
	assert_true(
	    slice_is_null(out.error_message) == (error == KP_NONE));
	arena_reset(&arena);
	return error;
}

static void
partitions_have_a_largest_index(void **state UNUSED)
{
	assert_int_equal(grow(999990, 1000000), KP_NONE);
	assert_int_equal(grow(999990, 1000001), KP_INVALID_PARTITIONS);
	assert_int_equal(grow(1, INT32_MAX), KP_INVALID_PARTITIONS);
	assert_int_equal(grow(5, 5), KP_INVALID_PARTITIONS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partitions_have_a_largest_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
