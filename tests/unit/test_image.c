/* The image, and the deltas that change it. */
#include "unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "meta/delta.h"
#include "meta/image.c"
#include "meta/metadata_record.h"
#include "wire/generated/metadata_broker_registration_change_record.h"
#include "wire/generated/metadata_clear_elr_record.h"
#include "wire/generated/metadata_config_record.h"
#include "wire/generated/metadata_feature_level_record.h"
#include "wire/generated/metadata_partition_change_record.h"
#include "wire/generated/metadata_partition_record.h"
#include "wire/generated/metadata_producer_ids_record.h"
#include "wire/generated/metadata_register_broker_record.h"
#include "wire/generated/metadata_remove_topic_record.h"
#include "wire/generated/metadata_topic_record.h"
#include "wire/generated/metadata_unregister_broker_record.h"

static struct uuid
id(uint8_t number)
{
	return (struct uuid){ { [0] = 1, [15] = number } };
}

static int
replay(struct delta *delta, enum metadata_record_type type, const void *body)
{
	const struct metadata_record record = { .type = type, .body = body };

	return delta_replay(delta, &record);
}

static int
add_topic(struct delta *delta, const char *name, uint8_t number)
{
	const struct kp_topic_record record = { .name = slice_str(name),
		.topic_id = id(number) };

	return replay(delta, METADATA_RECORD_TOPIC, &record);
}

static int
drop_topic(struct delta *delta, uint8_t number)
{
	const struct kp_remove_topic_record record = { .topic_id =
							   id(number) };

	return replay(delta, METADATA_RECORD_REMOVE_TOPIC, &record);
}

static int
add_partition(struct delta *delta, uint8_t number, int32_t index)
{
	int32_t replicas[] = { 1 };
	struct kp_partition_record record;

	kp_defaults(&kp_partition_record, &record);
	record.topic_id = id(number);
	record.partition_id = index;
	record.replicas = record.isr = replicas;
	record.replicas_count = record.isr_count = 1;
	record.leader = 1;
	record.leader_epoch = record.partition_epoch = 0;
	return replay(delta, METADATA_RECORD_PARTITION, &record);
}

static void
set_config(struct delta *delta, const char *topic, const char *key,
    const char *value)
{
	const struct kp_config_record record = {
		.resource_type = IMAGE_CONFIG_TOPIC,
		.resource_name = slice_str(topic),
		.name = slice_str(key),
		.value = slice_str(value),
	};

	assert_int_equal(replay(delta, METADATA_RECORD_CONFIG, &record), 0);
}

/* A whole topic of one partition, applied. */
static void
make_topic(struct image *image, const char *name, uint8_t number)
{
	struct delta *delta = delta_new(image);

	assert_int_equal(add_topic(delta, name, number), 0);
	assert_int_equal(add_partition(delta, number, 0), 0);
	assert_int_equal(delta_check(delta), 0);
	image_apply(image, delta);
	delta_free(delta);
}

static int
setup(void **state)
{
	log_set_level(LOG_FATAL);
	*state = image_new();
	return 0;
}

static int
teardown(void **state)
{
	image_free(*state);
	return 0;
}

static void
topics_are_found_by_name_and_id(void **state)
{
	struct image *image = *state;
	const struct topic_image *topic;

	make_topic(image, "a", 1);
	make_topic(image, "b", 2);
	topic = image_topic(image, slice_str("b"));
	assert_non_null(topic);
	assert_ptr_equal(image_topic_by_id(image, id(2)), topic);
	assert_int_equal(image_topics_count(image), 2);
	assert_int_equal(image_partitions_count(image), 2);
	assert_null(image_topic(image, slice_str("c")));
	assert_null(image_topic_by_id(image, id(3)));
}

static void
a_delta_shows_what_will_be(void **state)
{
	struct image *image = *state;
	struct delta *delta = delta_new(image);

	make_topic(image, "old", 1);
	assert_int_equal(add_topic(delta, "new", 2), 0);
	assert_int_equal(drop_topic(delta, 1), 0);
	assert_non_null(delta_topic(delta, slice_str("new")));
	assert_null(delta_topic(delta, slice_str("old")));
	assert_null(delta_topic_by_id(delta, id(1)));
	assert_null(image_topic(image, slice_str("new")));
	assert_non_null(image_topic(image, slice_str("old")));
	delta_free(delta);
}

static void
a_name_is_free_again_within_one_delta(void **state)
{
	struct image *image = *state;
	const struct topic_image *topic;
	struct delta *delta;

	make_topic(image, "t.x", 1);
	delta = delta_new(image);
	set_config(delta, "t.x", "retention.ms", "1");
	assert_int_equal(drop_topic(delta, 1), 0);
	assert_null(delta_topic_colliding(delta, slice_str("t_x")));
	assert_int_equal(add_topic(delta, "t.x", 2), 0);
	assert_int_equal(add_partition(delta, 2, 0), 0);
	assert_int_equal(add_partition(delta, 2, 1), 0);
	assert_int_equal(delta_check(delta), 0);
	assert_int_equal(delta->topics_count, 2);
	assert_non_null(delta->topics[0]->old);
	assert_null(delta->topics[0]->new);
	image_apply(image, delta);
	delta_free(delta);
	topic = image_topic(image, slice_str("t.x"));
	assert_true(uuid_equal(topic->id, id(2)));
	assert_int_equal(topic->partitions_count, 2);
	assert_int_equal(image_partitions_count(image), 2);
	assert_null(image_topic_by_id(image, id(1)));
	assert_ptr_equal(image_topic_colliding(image, slice_str("t_x")),
	    topic);
	assert_null(
	    image_configs(image, IMAGE_CONFIG_TOPIC, slice_str("t.x")));
}

static void
a_topic_may_come_and_go_within_one_delta(void **state)
{
	struct image *image = *state;
	struct delta *delta = delta_new(image);

	for (int i = 0; i < 2; i++) {
		assert_int_equal(add_topic(delta, "brief", 1), 0);
		assert_int_equal(add_partition(delta, 1, 0), 0);
		assert_int_equal(drop_topic(delta, 1), 0);
	}
	image_apply(image, delta);
	delta_free(delta);
	assert_int_equal(image_topics_count(image), 0);
	assert_null(image_topic(image, slice_str("brief")));
}

static void
names_that_differ_in_dots_collide(void **state)
{
	struct image *image = *state;
	struct delta *delta;

	make_topic(image, "a.b_c", 1);
	assert_non_null(image_topic_colliding(image, slice_str("a_b.c")));
	assert_null(image_topic_colliding(image, slice_str("a_b")));
	delta = delta_new(image);
	assert_int_equal(drop_topic(delta, 1), 0);
	image_apply(image, delta);
	delta_free(delta);
	assert_null(image_topic_colliding(image, slice_str("a_b.c")));
}

static void
what_cannot_be_true_is_refused(void **state)
{
	struct image *image = *state;
	struct delta *delta = delta_new(image);
	const struct kp_producer_ids_record ids = { .next_producer_id = -1 };
	const struct kp_feature_level_record level = {
		.name = slice_str("metadata.version"),
		.feature_level = 31,
	};
	const struct kp_feature_level_record feature = {
		.name = slice_str("of.tomorrow"),
		.feature_level = 1,
	};

	make_topic(image, "t", 1);
	assert_int_equal(add_topic(delta, "t", 2), -1);
	assert_int_equal(add_topic(delta, "u", 1), -1);
	assert_int_equal(add_topic(delta, "../etc", 3), -1);
	assert_int_equal(add_topic(delta, "", 3), -1);
	assert_int_equal(drop_topic(delta, 9), -1);
	assert_int_equal(add_partition(delta, 9, 0), -1);
	assert_int_equal(add_partition(delta, 1, -1), -1);
	assert_int_equal(add_partition(delta, 1, 1000000), -1);
	assert_int_equal(replay(delta, METADATA_RECORD_PRODUCER_IDS, &ids),
	    -1);
	assert_int_equal(replay(delta, METADATA_RECORD_FEATURE_LEVEL, &level),
	    -1);
	assert_int_equal(
	    replay(delta, METADATA_RECORD_FEATURE_LEVEL, &feature), -1);
	delta_free(delta);
}

static void
topics_must_be_whole(void **state)
{
	struct delta *delta = delta_new(*state);

	assert_int_equal(add_topic(delta, "t", 1), 0);
	assert_int_equal(delta_check(delta), -1);
	assert_int_equal(add_partition(delta, 1, 1), 0);
	assert_int_equal(delta_check(delta), -1);
	assert_int_equal(add_partition(delta, 1, 0), 0);
	assert_int_equal(delta_check(delta), 0);
	delta_free(delta);
}

static void
a_change_keeps_what_it_does_not_name(void **state)
{
	struct image *image = *state;
	struct delta *delta;
	struct kp_partition_change_record change;
	const struct partition_image *old, *new;

	make_topic(image, "t", 1);
	old = image_topic(image, slice_str("t"))->partitions[0];
	partition_image_ref(old);
	delta = delta_new(image);
	kp_defaults(&kp_partition_change_record, &change);
	change.topic_id = id(1);
	change.partition_id = 0;
	change.leader = -1;
	assert_int_equal(
	    replay(delta, METADATA_RECORD_PARTITION_CHANGE, &change), 0);
	image_apply(image, delta);
	delta_free(delta);
	new = image_topic(image, slice_str("t"))->partitions[0];
	assert_ptr_not_equal(old, new);
	assert_int_equal(new->leader, -1);
	assert_int_equal(new->leader_epoch, 1);
	assert_int_equal(new->partition_epoch, 1);
	assert_int_equal(new->isr.count, 1);
	assert_int_equal(new->replicas.ids[0], 1);
	/* Without a leader in the change the epoch stays. */
	delta = delta_new(image);
	change.leader = PARTITION_IMAGE_LEADER_KEPT;
	assert_int_equal(
	    replay(delta, METADATA_RECORD_PARTITION_CHANGE, &change), 0);
	image_apply(image, delta);
	delta_free(delta);
	new = image_topic(image, slice_str("t"))->partitions[0];
	assert_int_equal(new->leader_epoch, 1);
	assert_int_equal(new->partition_epoch, 2);
	partition_image_unref(old);
}

static void
clearing_elr_changes_only_who_has_one(void **state)
{
	struct image *image = *state;
	int32_t elr[] = { 1 };
	struct kp_partition_change_record change;
	const struct kp_clear_elr_record clear = { .topic_name =
						       slice_str("") };
	const struct partition_image *untouched;
	struct delta *delta;

	make_topic(image, "t", 1);
	make_topic(image, "u", 2);
	untouched = image_topic(image, slice_str("u"))->partitions[0];
	delta = delta_new(image);
	kp_defaults(&kp_partition_change_record, &change);
	change.topic_id = id(1);
	change.partition_id = 0;
	change.eligible_leader_replicas = elr;
	change.eligible_leader_replicas_count = 1;
	assert_int_equal(
	    replay(delta, METADATA_RECORD_PARTITION_CHANGE, &change), 0);
	assert_int_equal(replay(delta, METADATA_RECORD_CLEAR_ELR, &clear), 0);
	image_apply(image, delta);
	delta_free(delta);
	assert_int_equal(
	    image_topic(image, slice_str("t"))->partitions[0]->elr.count, 0);
	assert_int_equal(image_topic(image, slice_str("t"))
			     ->partitions[0]
			     ->partition_epoch,
	    2);
	assert_ptr_equal(image_topic(image, slice_str("u"))->partitions[0],
	    untouched);
}

static void
configs_are_set_and_removed(void **state)
{
	struct image *image = *state;
	struct delta *delta = delta_new(image);
	const struct config_set *set;

	set_config(delta, "t", "b", "2");
	set_config(delta, "t", "a", "1");
	set_config(delta, "t", "a", "3");
	set_config(delta, "t", "c", NULL);
	image_apply(image, delta);
	delta_free(delta);
	set = image_configs(image, IMAGE_CONFIG_TOPIC, slice_str("t"));
	assert_int_equal(set->count, 2);
	assert_true(slice_equal_str(config_set_get(set, slice_str("a")), "3"));
	delta = delta_new(image);
	set_config(delta, "t", "a", NULL);
	set_config(delta, "t", "b", NULL);
	assert_non_null(
	    image_configs(image, IMAGE_CONFIG_TOPIC, slice_str("t")));
	image_apply(image, delta);
	delta_free(delta);
	assert_null(image_configs(image, IMAGE_CONFIG_TOPIC, slice_str("t")));
}

static void
add_broker(struct delta *delta, int32_t broker, int64_t epoch)
{
	struct kp_register_broker_record record;

	kp_defaults(&kp_register_broker_record, &record);
	record.broker_id = broker;
	record.broker_epoch = epoch;
	record.fenced = true;
	assert_int_equal(
	    replay(delta, METADATA_RECORD_REGISTER_BROKER, &record), 0);
}

static int
fence_broker(struct delta *delta, int32_t broker, int64_t epoch, int8_t how)
{
	struct kp_broker_registration_change_record change;

	kp_defaults(&kp_broker_registration_change_record, &change);
	change.broker_id = broker;
	change.broker_epoch = epoch;
	change.fenced = how;
	return replay(delta, METADATA_RECORD_BROKER_REGISTRATION_CHANGE,
	    &change);
}

static size_t
count_brokers(const struct delta *delta)
{
	size_t count = 0;

	for (size_t at = 0; delta_broker_next(delta, &at) != NULL;)
		count++;
	return count;
}

static void
brokers_come_change_and_go(void **state)
{
	struct image *image = *state;
	const struct kp_unregister_broker_record gone = { .broker_id = 1,
		.broker_epoch = 5 };
	struct delta *delta = delta_new(image);

	add_broker(delta, 1, 5);
	add_broker(delta, 2, 6);
	assert_int_equal(count_brokers(delta), 2);
	image_apply(image, delta);
	delta_free(delta);
	delta = delta_new(image);
	assert_int_equal(fence_broker(delta, 1, 5, -1), 0);
	assert_int_equal(fence_broker(delta, 1, 4, 1), -1);
	assert_int_equal(fence_broker(delta, 3, 0, 1), -1);
	add_broker(delta, 3, 7);
	assert_int_equal(count_brokers(delta), 3);
	assert_false(delta_broker(delta, 1)->fenced);
	assert_true(image_broker(image, 1)->fenced);
	assert_int_equal(
	    replay(delta, METADATA_RECORD_UNREGISTER_BROKER, &gone), 0);
	assert_int_equal(count_brokers(delta), 2);
	image_apply(image, delta);
	delta_free(delta);
	assert_null(image_broker(image, 1));
	assert_int_equal(image_brokers_count(image), 2);
}

static void
features_are_sorted_and_zero_removes(void **state)
{
	static const struct kp_feature_level_record records[] = {
		{ .name = { (const uint8_t *)"transaction.version", 19 },
		    .feature_level = 2 },
		{ .name = { (const uint8_t *)"metadata.version", 16 },
		    .feature_level = 30 },
		{ .name = { (const uint8_t *)"group.version", 13 },
		    .feature_level = 1 },
		{ .name = { (const uint8_t *)"transaction.version", 19 },
		    .feature_level = 0 },
	};
	struct image *image = *state;
	const struct image_feature *features;
	struct delta *delta;
	size_t count;

	for (size_t i = 0; i < COUNT_OF(records); i++) {
		delta = delta_new(image);
		assert_int_equal(replay(delta, METADATA_RECORD_FEATURE_LEVEL,
				     &records[i]),
		    0);
		image_apply(image, delta);
		delta_free(delta);
	}
	features = image_features(image, &count);
	assert_int_equal(count, 2);
	assert_true(slice_equal_str(features[0].name, "group.version"));
	assert_int_equal(image_feature(image, "metadata.version"), 30);
	assert_int_equal(image_feature(image, "transaction.version"), 0);
}

/* What subscribers get at the start must be all there is. */
static void
a_delta_of_an_image_has_everything(void **state)
{
	struct image *image = *state;
	struct delta *delta = delta_new(image);

	assert_int_equal(add_topic(delta, "t", 1), 0);
	assert_int_equal(add_partition(delta, 1, 0), 0);
	set_config(delta, "t", "retention.ms", "1");
	add_broker(delta, 1, 5);
	delta->offset = 17;
	image_apply(image, delta);
	delta_free(delta);
	delta = delta_of_image(image);
	assert_int_equal(delta->topics_count, 1);
	assert_null(delta->topics[0]->old);
	assert_true(slice_equal_str(delta->topics[0]->new->name, "t"));
	assert_int_equal(delta->configs_count, 1);
	assert_int_equal(delta->brokers_count, 1);
	assert_int_equal(delta->offset, 17);
	delta_free(delta);
}

/* Applying costs the delta, not the image: many single creations. */
static void
many_topics_one_by_one(void **state)
{
	struct image *image = *state;
	char name[16];

	for (int i = 0; i < 3000; i++) {
		struct kp_topic_record record = { .topic_id = { { 2,
					      (uint8_t)(i >> 8),
					      (uint8_t)i } } };
		struct delta *delta = delta_new(image);

		snprintf(name, sizeof(name), "t.%d", i);
		record.name = slice_str(name);
		assert_int_equal(
		    replay(delta, METADATA_RECORD_TOPIC, &record), 0);
		assert_int_equal(delta->topics_count, 1);
		image_apply(image, delta);
		delta_free(delta);
	}
	assert_int_equal(image_topics_count(image), 3000);
	assert_non_null(image_topic_colliding(image, slice_str("t_2999")));
}

static void *
apply_nothing(void *argument)
{
	struct image *image = argument;
	struct delta *delta = delta_new(image);

	image_apply(image, delta);
	delta_free(delta);
	return NULL;
}

/* With one reader after the other, the writer must get its turn. */
static void
a_waiting_writer_goes_first(void **state)
{
	struct image *image = *state;
	int64_t end = clock_monotonic_ms() + 10000;
	pthread_t writer;
	int error = 0;

	image_read_lock(image);
	assert_int_equal(
	    pthread_create(&writer, NULL, apply_nothing, image), 0);
	while (error == 0 && clock_monotonic_ms() < end) {
		error = pthread_rwlock_tryrdlock(&image->lock);
		if (error == 0)
			image_read_unlock(image);
		sched_yield();
	}
	image_read_unlock(image);
	pthread_join(writer, NULL);
	assert_int_equal(error, EBUSY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_waiting_writer_goes_first),
		TEST(topics_are_found_by_name_and_id),
		TEST(a_delta_shows_what_will_be),
		TEST(a_name_is_free_again_within_one_delta),
		TEST(a_topic_may_come_and_go_within_one_delta),
		TEST(names_that_differ_in_dots_collide),
		TEST(what_cannot_be_true_is_refused),
		TEST(topics_must_be_whole),
		TEST(a_change_keeps_what_it_does_not_name),
		TEST(clearing_elr_changes_only_who_has_one),
		TEST(configs_are_set_and_removed),
		TEST(brokers_come_change_and_go),
		TEST(features_are_sorted_and_zero_removes),
		TEST(a_delta_of_an_image_has_everything),
		TEST(many_topics_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
