/*
 * Eligible leader replicas: what is written down with the feature and
 * without it, as Kafka 4.3.1 does it.
 */
#include "unit/meta_rig.h"

#include "meta/broker_ops.h"
#include "meta/config_set.h"
#include "meta/delta.h"
#include "meta/directory_ops.h"
#include "meta/elect_leaders_op.h"
#include "meta/features.h"
#include "meta/topic_ops.h"
#include "meta/update_features_op.h"
#include "wire/generated/metadata_config_record.h"
#include "wire/generated/metadata_feature_level_record.h"
#include "wire/generated/metadata_partition_change_record.h"

#define MIN_ISR "min.insync.replicas"

static int32_t us = META_RIG_NODE;

static int
setup(void **state)
{
	int result = meta_rig_setup(state);

	meta_rig_start(*state);
	meta_rig_topic(*state, "t", 1);
	return result;
}

static void
set_level(struct meta_rig *rig, int16_t level)
{
	const struct kp_feature_level_record record = {
		.name = slice_str(FEATURES_ELR_VERSION),
		.feature_level = level,
	};

	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_FEATURE_LEVEL, &record),
	    KP_NONE);
}

static void
update(struct meta_rig *rig, int16_t level, int8_t type, bool validate_only)
{
	struct kp_update_features_request_feature_update one = {
		.feature = slice_str(FEATURES_ELR_VERSION),
		.max_version_level = level,
		.upgrade_type = type,
	};
	const struct kp_update_features_request request = {
		.feature_updates = &one,
		.feature_updates_count = 1,
		.validate_only = validate_only,
	};
	struct update_features_op op;

	update_features_op_init(&op);
	op.request = &request;
	op.version = 2;
	op.node_id = META_RIG_NODE;
	op.arena = &rig->arena;
	assert_int_equal(meta_rig_call(rig, &op.op), KP_NONE);
	assert_int_equal(op.response.error_code, KP_NONE);
}

/* --- min.insync.replicas -------------------------------------------------- */

static void
put_min_isr(struct meta_rig *rig, const char *broker, const char *value)
{
	const struct kp_config_record record = {
		.resource_type = IMAGE_CONFIG_BROKER,
		.resource_name = slice_str(broker),
		.name = slice_str(MIN_ISR),
		.value = slice_str(value),
	};

	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_CONFIG, &record), KP_NONE);
}

static struct slice
min_isr(struct meta_rig *rig, const char *broker)
{
	return config_set_get(
	    image_configs(rig->image, IMAGE_CONFIG_BROKER, slice_str(broker)),
	    slice_str(MIN_ISR));
}

static void
it_comes_with_one_number_for_all(void **state)
{
	struct meta_rig *rig = *state;

	/* A fresh cluster has the feature. */
	assert_int_equal(image_feature(rig->image, FEATURES_ELR_VERSION), 1);
	assert_true(slice_equal_str(min_isr(rig, ""), "1"));
	update(rig, 0, 2, false);
	assert_true(slice_equal_str(min_isr(rig, ""), "1"));
	put_min_isr(rig, "", NULL);
	put_min_isr(rig, "1", "2");
	put_min_isr(rig, "7", "3");
	update(rig, 1, 1, true);
	assert_true(slice_equal_str(min_isr(rig, "1"), "2"));
	update(rig, 1, 1, false);
	assert_int_equal(image_feature(rig->image, FEATURES_ELR_VERSION), 1);
	assert_true(slice_equal_str(min_isr(rig, ""), "1"));
	assert_true(slice_is_null(min_isr(rig, "1")));
	assert_true(slice_is_null(min_isr(rig, "7")));
}

/* What is set while a broker runs does not count, its file does. */
static void
the_number_is_the_files(void **state)
{
	struct meta_rig *rig = *state;

	set_level(rig, 0);
	put_min_isr(rig, "", NULL);
	put_min_isr(rig, "1", "2");
	meta_rig_stop(rig);
	meta_rig_config(rig, MIN_ISR, " 3");
	meta_rig_start(rig);
	update(rig, 1, 1, false);
	assert_true(slice_equal_str(min_isr(rig, ""), "3"));
}

static void
the_clusters_number_stays(void **state)
{
	struct meta_rig *rig = *state;

	set_level(rig, 0);
	put_min_isr(rig, "", "2");
	update(rig, 1, 1, false);
	assert_true(slice_equal_str(min_isr(rig, ""), "2"));
}

/* Topic, config, clearing of what is not there yet, partition. */
static void
a_topic_with_its_own_number_clears(void **state)
{
	struct kp_create_topics_request_config config = {
		.name = slice_str(MIN_ISR),
		.value = slice_str("2"),
	};
	struct kp_create_topics_request_topic topic = {
		.name = slice_str("own"),
		.num_partitions = 1,
		.replication_factor = -1,
		.configs = &config,
		.configs_count = 1,
	};
	struct kp_create_topics_request request;
	struct meta_rig *rig = *state;
	struct create_topics_op op;
	int64_t before = image_offset(rig->image);

	kp_defaults(&kp_create_topics_request, &request);
	request.topics = &topic;
	request.topics_count = 1;
	create_topics_op_init(&op);
	op.request = &request;
	op.arena = &rig->arena;
	assert_int_equal(meta_rig_call(rig, &op.op), KP_NONE);
	assert_int_equal(op.response.topics[0].error_code, KP_NONE);
	assert_int_equal(image_offset(rig->image) - before, 4);
	set_level(rig, 0);
	before = image_offset(rig->image);
	topic.name = slice_str("other");
	create_topics_op_init(&op);
	op.request = &request;
	op.arena = &rig->arena;
	assert_int_equal(meta_rig_call(rig, &op.op), KP_NONE);
	assert_int_equal(image_offset(rig->image) - before, 3);
}

/* --- Elections ------------------------------------------------------------ */

static const struct partition_image *
partition_of(struct meta_rig *rig)
{
	return topic_image_partition(meta_rig_find(rig, "t"), 0);
}

/* Who leads, and how many are in the ISR, the ELR, the last known one. */
static void
expect(struct meta_rig *rig, int leader, int isr, int elr, int last_known,
    int recovering)
{
	const struct partition_image *partition = partition_of(rig);

	assert_int_equal(partition->leader, leader);
	assert_int_equal(partition->isr.count, isr);
	assert_int_equal(partition->elr.count, elr);
	assert_int_equal(partition->last_known_elr.count, last_known);
	assert_int_equal(partition->leader_recovery_state, recovering);
}

/* Counts below 0 leave the field as it is. */
static void
change(struct meta_rig *rig, int isr, int elr, int last_known)
{
	struct kp_partition_change_record record;

	kp_defaults(&kp_partition_change_record, &record);
	record.topic_id = meta_rig_find(rig, "t")->id;
	record.partition_id = 0;
	record.leader = -1;
	record.isr = record.eligible_leader_replicas =
	    record.last_known_elr = &us;
	record.isr_count = isr;
	record.eligible_leader_replicas_count = elr;
	record.last_known_elr_count = last_known;
	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_PARTITION_CHANGE, &record),
	    KP_NONE);
}

static void
start_again(struct meta_rig *rig, bool unclean)
{
	meta_rig_stop(rig);
	assert_int_equal(meta_rig_load(rig), 0);
	assert_int_equal(controller_start(rig->controller), 0);
	meta_rig_join(rig, unclean);
}

static void
a_clean_stop_changes_nothing(void **state)
{
	struct meta_rig *rig = *state;

	start_again(rig, false);
	expect(rig, us, 1, 0, 0, 0);
	assert_int_equal(partition_of(rig)->leader_epoch, 0);
}

static void
an_unclean_stop_costs_eligibility(void **state)
{
	struct meta_rig *rig = *state;

	start_again(rig, true);
	expect(rig, us, 1, 0, 0, 1);
	assert_int_equal(partition_of(rig)->leader_epoch, 1);
	/* With one replica there is nobody to recover from. */
	start_again(rig, false);
	expect(rig, us, 1, 0, 0, 1);
}

static void
without_it_an_unclean_stop_is_one_epoch(void **state)
{
	struct meta_rig *rig = *state;

	set_level(rig, 0);
	start_again(rig, true);
	expect(rig, us, 1, 0, 0, 0);
	assert_int_equal(partition_of(rig)->leader_epoch, 1);
}

/* As Kafka leaves it behind, after which we come in order or not. */
static void
what_kafka_stopped_is_eligible(void **state)
{
	struct meta_rig *rig = *state;

	change(rig, 0, 1, 1);
	start_again(rig, false);
	expect(rig, us, 1, 0, 0, 0);
	change(rig, 0, 1, 1);
	start_again(rig, true);
	expect(rig, us, 1, 0, 0, 1);
}

/* As Kafka leaves it between the registration and the election. */
static void
the_last_known_leader_recovers(void **state)
{
	struct meta_rig *rig = *state;

	change(rig, 0, 0, 1);
	start_again(rig, false);
	expect(rig, us, 1, 0, 0, 1);
}

static void
fail_directory(struct meta_rig *rig)
{
	struct directory_fail_op op;

	directory_fail_op_init(&op);
	op.broker_id = META_RIG_NODE;
	op.directory = rig->directory_id;
	assert_int_equal(meta_rig_call(rig, &op.op), KP_NONE);
}

static void
a_failed_directory_leaves_its_replica_eligible(void **state)
{
	struct meta_rig *rig = *state;

	fail_directory(rig);
	expect(rig, -1, 0, 1, 1, 0);
	start_again(rig, false);
	expect(rig, us, 1, 0, 0, 0);
}

static void
without_it_the_replica_stays_in_sync(void **state)
{
	struct meta_rig *rig = *state;

	set_level(rig, 0);
	fail_directory(rig);
	expect(rig, -1, 1, 0, 0, 0);
	start_again(rig, false);
	expect(rig, us, 1, 0, 0, 0);
}

static void
join_uncleanly(struct meta_rig *rig, struct uuid *directory)
{
	struct register_broker_op registration;
	struct unfence_broker_op unfence;

	register_broker_op_init(&registration);
	kp_defaults(&kp_register_broker_record, &registration.record);
	registration.record.broker_id = META_RIG_NODE;
	registration.record.log_dirs = directory;
	registration.record.log_dirs_count = 1;
	assert_int_equal(meta_rig_call(rig, &registration.op), KP_NONE);
	unfence_broker_op_init(&unfence);
	unfence.broker_id = META_RIG_NODE;
	unfence.unclean = true;
	assert_int_equal(meta_rig_call(rig, &unfence.op), KP_NONE);
}

/* The directory is still gone: nobody says that it holds everything. */
static void
an_unclean_stop_counts_for_failed_directories(void **state)
{
	struct meta_rig *rig = *state;
	struct uuid works = rig->directory_id;

	fail_directory(rig);
	expect(rig, -1, 0, 1, 1, 0);
	works.bytes[0] ^= 1;
	meta_rig_stop(rig);
	assert_int_equal(meta_rig_load(rig), 0);
	assert_int_equal(controller_start(rig->controller), 0);
	join_uncleanly(rig, &works);
	expect(rig, -1, 0, 0, 1, 0);
}

/* --- Elections that are asked for ---------------------------------------- */

static enum kp_error
elect(struct meta_rig *rig, int8_t type)
{
	int32_t index = 0;
	struct kp_elect_leaders_request_topic_partition one = {
		.topic = slice_str("t"),
		.partitions = &index,
		.partitions_count = 1,
	};
	const struct kp_elect_leaders_request request = {
		.election_type = type,
		.topic_partitions = &one,
		.topic_partitions_count = 1,
	};
	struct elect_leaders_op op;

	elect_leaders_op_init(&op);
	op.request = &request;
	op.arena = &rig->arena;
	assert_int_equal(meta_rig_call(rig, &op.op), KP_NONE);
	return (enum kp_error)op.response.replica_election_results[0]
	    .partition_result[0]
	    .error_code;
}

static void
elections_of_who_holds_all_are_clean(void **state)
{
	struct meta_rig *rig = *state;

	change(rig, 0, 1, 1);
	assert_int_equal(elect(rig, ELECT_LEADERS_PREFERRED), KP_NONE);
	expect(rig, us, 1, 0, 0, 0);
	change(rig, 0, 1, 1);
	assert_int_equal(elect(rig, ELECT_LEADERS_UNCLEAN), KP_NONE);
	expect(rig, us, 1, 0, 0, 0);
	assert_int_equal(
	    elect(rig, ELECT_LEADERS_UNCLEAN), KP_ELECTION_NOT_NEEDED);
}

static void
elections_of_others_are_not(void **state)
{
	struct meta_rig *rig = *state;

	change(rig, 0, 0, 1);
	assert_int_equal(elect(rig, ELECT_LEADERS_PREFERRED), KP_NONE);
	expect(rig, us, 1, 0, 0, 1);
	change(rig, 0, 0, 0);
	assert_int_equal(elect(rig, ELECT_LEADERS_PREFERRED),
	    KP_PREFERRED_LEADER_NOT_AVAILABLE);
	assert_int_equal(elect(rig, ELECT_LEADERS_UNCLEAN), KP_NONE);
	expect(rig, us, 1, 0, 0, 1);
	set_level(rig, 0);
	change(rig, 0, 0, 1);
	assert_int_equal(elect(rig, ELECT_LEADERS_PREFERRED),
	    KP_PREFERRED_LEADER_NOT_AVAILABLE);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, meta_rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_comes_with_one_number_for_all),
		TEST(the_number_is_the_files),
		TEST(the_clusters_number_stays),
		TEST(a_topic_with_its_own_number_clears),
		TEST(a_clean_stop_changes_nothing),
		TEST(an_unclean_stop_costs_eligibility),
		TEST(without_it_an_unclean_stop_is_one_epoch),
		TEST(what_kafka_stopped_is_eligible),
		TEST(the_last_known_leader_recovers),
		TEST(a_failed_directory_leaves_its_replica_eligible),
		TEST(without_it_the_replica_stays_in_sync),
		TEST(an_unclean_stop_counts_for_failed_directories),
		TEST(elections_of_who_holds_all_are_clean),
		TEST(elections_of_others_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
