/* Levels of features that are raised and lowered: what is refused, and how. */
#include "unit/unit.h"

#include "meta/broker_image.h"
#include "meta/image.h"
#include "meta/partition_image.h"
#include "meta/topic_image.h"
#include "meta/update_features_op.h"
#include "unit/meta_rig.h"
#include "wire/generated/metadata_feature_level_record.h"

#include <errno.h>
#include <unistd.h>

#define FAILED                                                              \
	"The update failed for all features since the following feature " \
	"had an error: "

enum { UPGRADE = 1, SAFE = 2, UNSAFE = 3 };

static int
setup(void **state)
{
	int result = meta_rig_setup(state);

	meta_rig_start(*state);
	return result;
}

/* As version 2 has it, but for what a test sets in op before. */
static enum kp_error
update(struct meta_rig *rig, struct update_features_op *op,
    struct kp_update_features_request_feature_update *updates, int32_t count,
    bool validate_only)
{
	const struct kp_update_features_request request = {
		.feature_updates = updates,
		.feature_updates_count = count,
		.validate_only = validate_only,
	};
	int16_t version = op->version;

	update_features_op_init(op);
	op->request = &request;
	op->version = version;
	op->node_id = META_RIG_NODE;
	op->arena = &rig->arena;
	assert_int_equal(meta_rig_call(rig, &op->op), KP_NONE);
	return (enum kp_error)op->response.error_code;
}

static void
expect(struct meta_rig *rig, const char *feature, int level, int type,
    const char *message)
{
	struct kp_update_features_request_feature_update one = {
		.feature = slice_str(feature),
		.max_version_level = (int16_t)level,
		.upgrade_type = (int8_t)type,
	};
	int64_t before = image_offset(rig->image);
	struct update_features_op op = { .version = 2 };

	if (message == NULL) {
		assert_int_equal(update(rig, &op, &one, 1, false), KP_NONE);
		assert_true(slice_is_null(op.response.error_message));
		assert_int_equal(op.response.results_count, 0);
		return;
	}
	assert_int_equal(
	    update(rig, &op, &one, 1, false), KP_INVALID_UPDATE_VERSION);
	if (!slice_equal_str(op.response.error_message, message))
		fail_msg("%.*s", SLICE_ARG(op.response.error_message));
	assert_int_equal(image_offset(rig->image), before);
}

static int16_t
level(struct meta_rig *rig, const char *feature)
{
	return image_feature(rig->image, feature);
}

static void
set_level(struct meta_rig *rig, const char *feature, int16_t value)
{
	const struct kp_feature_level_record record = {
		.name = slice_str(feature),
		.feature_level = value,
	};

	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_FEATURE_LEVEL, &record),
	    KP_NONE);
}

static void
levels_go_up_and_down(void **state)
{
	struct meta_rig *rig = *state;

	assert_int_equal(level(rig, "transaction.version"), 2);
	expect(rig, "transaction.version", 0, SAFE, NULL);
	assert_int_equal(level(rig, "transaction.version"), 0);
	expect(rig, "transaction.version", 1, UPGRADE, NULL);
	expect(rig, "transaction.version", 1, UPGRADE, NULL);
	expect(rig, "group.version", 0, UNSAFE, NULL);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	assert_int_equal(level(rig, "transaction.version"), 1);
	assert_int_equal(level(rig, "group.version"), 0);
}

static void
levels_that_are_refused(void **state)
{
	struct meta_rig *rig = *state;

	expect(rig, "transaction.version", 1, UPGRADE,
	    FAILED "Invalid update version 1 for feature transaction.version. "
		   "Can't downgrade the version of this feature without "
		   "setting the upgrade type to either safe or unsafe "
		   "downgrade.");
	expect(rig, "transaction.version", 3, UPGRADE,
	    FAILED "Invalid update version 3 for feature transaction.version. "
		   "Local controller 1 only supports versions 0-2");
	expect(rig, "transaction.version", -1, SAFE,
	    FAILED
	    "Invalid update version -1 for feature transaction.version. "
	    "A feature version cannot be less than 0.");
	expect(rig, "group.version", 1, 0,
	    FAILED "Invalid update version 1 for feature group.version. "
		   "The controller does not support the given upgrade type.");
	expect(rig, "group.version", 1, 4,
	    FAILED "Invalid update version 1 for feature group.version. "
		   "The controller does not support the given upgrade type.");
	expect(rig, "group.version", 0, SAFE, NULL);
	expect(rig, "group.version", 1, SAFE,
	    FAILED "Invalid update version 1 for feature group.version. "
		   "Can't downgrade to a newer version.");
}

static void
features_that_are_not_served(void **state)
{
	struct meta_rig *rig = *state;

	expect(rig, "x.version", 1, UPGRADE,
	    FAILED "Invalid update version 1 for feature x.version. "
		   "Local controller 1 does not support this feature.");
	expect(rig, "x.version", 0, UPGRADE,
	    FAILED "Invalid update version 0 for feature x.version. "
		   "Feature x.version not found.");
}

static void
eligible_leader_replicas(void **state)
{
	const char *name = "eligible.leader.replicas.version";
	struct meta_rig *rig = *state;

	expect(rig, name, 2, UPGRADE,
	    FAILED
	    "Invalid update version 2 for feature "
	    "eligible.leader.replicas.version. "
	    "Local controller 1 only supports versions 0-1");
	expect(rig, name, 0, SAFE, NULL);
	assert_int_equal(level(rig, name), 0);
	set_level(rig, "metadata.version", 22);
	expect(rig, name, 1, UPGRADE,
	    FAILED
	    "Invalid update version 1 for feature "
	    "eligible.leader.replicas.version. "
	    "eligible.leader.replicas.version could not be set to 1 because "
	    "it depends on metadata.version level 23");
	set_level(rig, "metadata.version", 23);
	expect(rig, name, 1, UPGRADE, NULL);
	assert_int_equal(level(rig, name), 1);
}

static void
metadata_versions(void **state)
{
	struct meta_rig *rig = *state;

	expect(rig, "metadata.version", 31, UPGRADE,
	    FAILED "Invalid update version 31 for feature metadata.version. "
		   "Local controller 1 only supports versions 7-30");
	expect(rig, "metadata.version", 29, SAFE,
	    FAILED "Unsupported metadata.version downgrade from 30 to 29. "
		   "Refusing to perform the requested downgrade because it "
		   "might delete metadata information.");
	expect(rig, "metadata.version", 29, UNSAFE,
	    FAILED "Unsupported metadata.version downgrade from 30 to 29. "
		   "Unsafe metadata downgrade is not supported in this "
		   "version.");
	set_level(rig, "metadata.version", 29);
	expect(rig, "metadata.version", 23, SAFE, NULL);
	expect(rig, "metadata.version", 30, UPGRADE, NULL);
	assert_int_equal(level(rig, "metadata.version"), 30);
}

static struct uuid
directory_of(struct meta_rig *rig, const char *topic)
{
	return meta_rig_find(rig, topic)->partitions[0]->directories[0];
}

/* Of partitions the broker tells them. */
static void
directories_come_with_their_version(void **state)
{
	const struct broker_image *broker;
	struct meta_rig *rig = *state;

	set_level(rig, "metadata.version", 16);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	meta_rig_topic(rig, "before", 1);
	assert_true(uuid_equal(directory_of(rig, "before"),
	    partition_image_directory_migrating()));
	expect(rig, "metadata.version", 17, UPGRADE, NULL);
	meta_rig_topic(rig, "after", 1);
	assert_true(
	    uuid_equal(directory_of(rig, "after"), rig->directory_id));
	meta_rig_kill(rig);
	assert_int_equal(meta_rig_load(rig), 0);
	broker = image_broker(rig->image, META_RIG_NODE);
	assert_int_equal(broker->record.log_dirs_count, 1);
	assert_true(
	    uuid_equal(broker->record.log_dirs[0], rig->directory_id));
	assert_true(
	    uuid_equal(directory_of(rig, "after"), rig->directory_id));
}

static void
the_quorum_stays_as_it_is(void **state)
{
	struct meta_rig *rig = *state;
	int64_t before;

	assert_int_equal(controller_kraft_version(rig->controller), 1);
	/* Which is written down all the same, as Kafka does it. */
	before = image_offset(rig->image);
	expect(rig, "kraft.version", 1, UPGRADE, NULL);
	assert_int_equal(image_offset(rig->image), before + 1);
	expect(rig, "kraft.version", 0, SAFE,
	    FAILED "Invalid update version 0 for feature kraft.version. "
		   "Can't downgrade the version of this feature.");
}

/* What cannot be written is the failure of who asked for it. */
static void
the_quorum_is_raised_or_the_operation_fails(void **state)
{
	struct meta_rig *rig = *state;
	struct kp_update_features_request_feature_update one = {
		.feature = slice_str("kraft.version"),
		.max_version_level = 1,
		.upgrade_type = UPGRADE,
	};
	const struct kp_update_features_request request = {
		.feature_updates = &one,
		.feature_updates_count = 1,
	};
	struct update_features_op op = { .version = 2 };
	char *voters = meta_rig_path(rig,
	    "00000000000000000000-0000000000.checkpoint");

	meta_rig_stop(rig);
	assert_int_equal(unlink(voters), 0);
	free(voters);
	meta_rig_start(rig);
	assert_int_equal(controller_kraft_version(rig->controller), 0);
	update_features_op_init(&op);
	op.request = &request;
	op.version = 2;
	op.node_id = META_RIG_NODE;
	op.arena = &rig->arena;
	/* The operation's batch is the first write, the raise the next. */
	disk_fault_fail(&rig->fault, DISK_PWRITE, ".log", 1, ENOSPC);
	assert_int_equal(meta_rig_call(rig, &op.op), KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(controller_kraft_version(rig->controller), 0);
	expect(rig, "kraft.version", 1, UPGRADE, NULL);
	assert_int_equal(controller_kraft_version(rig->controller), 1);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	assert_int_equal(controller_kraft_version(rig->controller), 1);
}

static void
it_is_all_or_nothing(void **state)
{
	struct meta_rig *rig = *state;
	struct kp_update_features_request_feature_update updates[] = {
		{ .feature = slice_str("transaction.version"),
		    .max_version_level = 1,
		    .upgrade_type = SAFE },
		{ .feature = slice_str("group.version"),
		    .max_version_level = 9,
		    .upgrade_type = UPGRADE },
	};
	struct update_features_op op = { .version = 1 };

	assert_int_equal(
	    update(rig, &op, updates, 2, false), KP_INVALID_UPDATE_VERSION);
	assert_int_equal(op.response.results_count, 0);
	assert_int_equal(level(rig, "transaction.version"), 2);
	updates[1].max_version_level = 1;
	assert_int_equal(update(rig, &op, updates, 2, true), KP_NONE);
	assert_int_equal(level(rig, "transaction.version"), 2);
	assert_int_equal(update(rig, &op, updates, 2, false), KP_NONE);
	assert_int_equal(level(rig, "transaction.version"), 1);
	assert_int_equal(op.response.results_count, 2);
	assert_true(slice_equal_str(
	    op.response.results[0].feature, "transaction.version"));
	assert_true(slice_equal_str(
	    op.response.results[1].error_message, "NONE"));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, meta_rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(levels_go_up_and_down),
		TEST(levels_that_are_refused),
		TEST(features_that_are_not_served),
		TEST(eligible_leader_replicas),
		TEST(metadata_versions),
		TEST(directories_come_with_their_version),
		TEST(the_quorum_stays_as_it_is),
		TEST(the_quorum_is_raised_or_the_operation_fails),
		TEST(it_is_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
