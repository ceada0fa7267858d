/* Topic images: clones that grow, names. */
#include "unit/unit.h"

#include "meta/topic_image.h"
#include "wire/generated/metadata_partition_record.h"

static const struct partition_image *
new_partition(void)
{
	struct kp_partition_record record;
	int32_t replica = 1;

	kp_defaults(&kp_partition_record, &record);
	record.replicas = record.isr = &replica;
	record.replicas_count = record.isr_count = 1;
	record.leader = 1;
	return partition_image_new(&record);
}

/* Every count below 40, and every clone of it, has room for what comes. */
static void
a_clone_can_grow(void **state UNUSED)
{
	struct uuid id = { .bytes = { 1 } };
	struct topic_image *topic = topic_image_new(slice_str("t"), id);

	for (int32_t i = 0; i < 40; i++) {
		struct topic_image *clone = topic_image_clone(topic);

		assert_int_equal(clone->partitions_count, i);
		assert_int_equal(topic_image_set_partition(clone, i,
				     new_partition()),
		    0);
		assert_int_equal(topic_image_set_partition(clone, i + 1,
				     new_partition()),
		    0);
		assert_true(topic_image_complete(clone));
		topic_image_unref(clone);
		assert_int_equal(topic_image_set_partition(topic, i,
				     new_partition()),
		    0);
	}
	assert_int_equal(topic->partitions_count, 40);
	topic_image_unref(topic);
}

static void
an_index_out_of_range_is_refused(void **state UNUSED)
{
	struct uuid id = { .bytes = { 1 } };
	struct topic_image *topic = topic_image_new(slice_str("t"), id);

	assert_int_equal(topic_image_set_partition(topic, -1,
			     new_partition()),
	    -1);
	assert_int_equal(topic_image_set_partition(topic,
			     PARTITION_IMAGE_ID_MAX + 1, new_partition()),
	    -1);
	assert_int_equal(topic_image_set_partition(topic, 2,
			     new_partition()),
	    0);
	assert_false(topic_image_complete(topic));
	topic_image_unref(topic);
}

static void
names_are_checked_as_kafka_does(void **state UNUSED)
{
	const char *reason = NULL;

	assert_true(topic_image_name_valid(slice_str("a.b_c-D9"), NULL));
	assert_false(topic_image_name_valid(slice_str(""), &reason));
	assert_non_null(reason);
	assert_false(topic_image_name_valid(slice_str("."), NULL));
	assert_false(topic_image_name_valid(slice_str(".."), NULL));
	assert_false(topic_image_name_valid(slice_str("a b"), NULL));
	assert_false(topic_image_name_valid(slice_str("a/b"), NULL));
	assert_true(topic_image_name_internal(
	    slice_str("__consumer_offsets")));
	assert_false(topic_image_name_internal(slice_str("__mine")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clone_can_grow),
		cmocka_unit_test(an_index_out_of_range_is_refused),
		cmocka_unit_test(names_are_checked_as_kafka_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
