/* The controller: batches, starts, stops, snapshots. */
#include "unit/meta_rig.h"

#include <pthread.h>
#include <stdatomic.h>

#include "meta/broker_ops.h"
#include "meta/configs.h"
#include "meta/metadata_record.h"
#include "meta/metadata_snapshot.h"
#include "meta/topic_ops.h"
#include "unit/temp_dir.h"
#include "wire/generated/metadata_begin_transaction_record.h"
#include "wire/generated/metadata_feature_level_record.h"
#include "wire/generated/metadata_partition_change_record.h"
#include "wire/generated/metadata_partition_record.h"
#include "wire/generated/metadata_register_broker_record.h"
#include "wire/generated/metadata_topic_record.h"

static const struct partition_image *
partition_of(struct meta_rig *rig, const char *topic)
{
	const struct topic_image *image = meta_rig_find(rig, topic);

	assert_non_null(image);
	return image->partitions[0];
}

/* --- Starting and stopping ------------------------------------------------ */

/* The levels that a new cluster begins with. */
static int64_t
levels_count(void)
{
	size_t count;
	const struct broker_ops_feature *features =
	    broker_ops_features(&count);
	int64_t levels = 0;

	for (size_t i = 0; i < count; i++)
		levels += features[i].bootstrap > 0;
	return levels;
}

static void
a_first_start_makes_a_cluster(void **state)
{
	struct meta_rig *rig = *state;
	const struct broker_image *broker;

	meta_rig_start(rig);
	assert_int_equal(image_feature(rig->image, "metadata.version"),
	    BROKER_OPS_METADATA_VERSION);
	broker = image_broker(rig->image, META_RIG_NODE);
	assert_non_null(broker);
	assert_false(broker->fenced);
	assert_int_equal(image_feature(rig->image, "transaction.version"), 2);
	assert_int_equal(image_feature(rig->image, "group.version"), 1);
	/*
	 * LeaderChange, Begin, levels, min.insync.replicas, End,
	 * RegisterBroker, change.
	 */
	assert_int_equal(broker->record.broker_epoch, 4 + levels_count());
	assert_int_equal(image_offset(rig->image), 5 + levels_count());
	assert_int_equal(controller_kraft_version(rig->controller), 1);
}

static void
topics_survive_a_restart(void **state)
{
	struct meta_rig *rig = *state;
	const struct partition_image *partition;
	struct uuid id;

	meta_rig_start(rig);
	meta_rig_topic(rig, "t", 3);
	meta_rig_topic(rig, "gone", 1);
	meta_rig_topic_config(rig, "t", "retention.ms", "1234");
	meta_rig_delete(rig, "gone");
	id = meta_rig_find(rig, "t")->id;
	meta_rig_stop(rig);
	meta_rig_start(rig);
	assert_null(meta_rig_find(rig, "gone"));
	assert_non_null(meta_rig_find(rig, "t"));
	assert_true(uuid_equal(meta_rig_find(rig, "t")->id, id));
	assert_int_equal(meta_rig_find(rig, "t")->partitions_count, 3);
	assert_true(slice_equal_str(
	    configs_topic(rig->configs, slice_str("t"), "retention.ms",
		&rig->arena),
	    "1234"));
	/* Nothing was lost, so the leader's epoch stays. */
	partition = partition_of(rig, "t");
	assert_int_equal(partition->leader, META_RIG_NODE);
	assert_int_equal(partition->leader_epoch, 0);
	assert_true(uuid_equal(partition->directories[0], rig->directory_id));
}

static void
a_stop_fences_and_a_kill_does_not(void **state)
{
	struct meta_rig *rig = *state;

	meta_rig_start(rig);
	meta_rig_stop(rig);
	assert_int_equal(meta_rig_load(rig), 0);
	assert_true(image_broker(rig->image, META_RIG_NODE)->fenced);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	meta_rig_kill(rig);
	assert_int_equal(meta_rig_load(rig), 0);
	assert_false(image_broker(rig->image, META_RIG_NODE)->fenced);
}

static void
brokers_of_a_former_life_are_fenced(void **state)
{
	struct meta_rig *rig = *state;
	struct kp_register_broker_record other;

	meta_rig_start(rig);
	kp_defaults(&kp_register_broker_record, &other);
	other.broker_id = 2;
	other.fenced = false;
	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_REGISTER_BROKER, &other),
	    KP_NONE);
	assert_false(image_broker(rig->image, 2)->fenced);
	meta_rig_kill(rig);
	meta_rig_start(rig);
	assert_true(image_broker(rig->image, 2)->fenced);
	assert_false(image_broker(rig->image, META_RIG_NODE)->fenced);
}

/* As Apache Kafka leaves them behind, with ELR off and on. */
static void
leaderless_partitions_are_elected(void **state)
{
	struct meta_rig *rig = *state;
	int32_t us = META_RIG_NODE;
	struct kp_partition_change_record change;
	const struct partition_image *partition;

	meta_rig_start(rig);
	meta_rig_topic(rig, "off", 1);
	meta_rig_topic(rig, "on", 1);
	kp_defaults(&kp_partition_change_record, &change);
	change.partition_id = 0;
	change.topic_id = meta_rig_find(rig, "off")->id;
	change.leader = -1;
	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_PARTITION_CHANGE, &change),
	    KP_NONE);
	change.topic_id = meta_rig_find(rig, "on")->id;
	change.isr = &us;
	change.isr_count = 0;
	change.eligible_leader_replicas = &us;
	change.eligible_leader_replicas_count = 1;
	change.last_known_elr = &us;
	change.last_known_elr_count = 1;
	change.leader_recovery_state = 1;
	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_PARTITION_CHANGE, &change),
	    KP_NONE);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	partition = partition_of(rig, "off");
	assert_int_equal(partition->leader, us);
	assert_int_equal(partition->leader_epoch, 2);
	partition = partition_of(rig, "on");
	assert_int_equal(partition->leader, us);
	assert_int_equal(partition->isr.count, 1);
	assert_int_equal(partition->elr.count, 0);
	assert_int_equal(partition->last_known_elr.count, 0);
	/* With one replica it stays so, as in Kafka. */
	assert_int_equal(partition->leader_recovery_state, 1);
}

static void
an_unclean_stop_raises_leader_epochs(void **state)
{
	struct meta_rig *rig = *state;

	meta_rig_start(rig);
	meta_rig_topic(rig, "t", 1);
	meta_rig_kill(rig);
	assert_int_equal(meta_rig_load(rig), 0);
	assert_int_equal(controller_start(rig->controller), 0);
	meta_rig_join(rig, true);
	assert_int_equal(partition_of(rig, "t")->leader_epoch, 1);
	assert_int_equal(partition_of(rig, "t")->partition_epoch, 1);
}

/* We lead what has our replica in sync, and only that. */
static void
replicas_of_others_are_not_led(void **state)
{
	struct meta_rig *rig = *state;
	int32_t both[] = { 2, META_RIG_NODE }, other[] = { 2 };
	struct kp_partition_change_record change;

	meta_rig_start(rig);
	meta_rig_topic(rig, "in", 1);
	meta_rig_topic(rig, "out", 1);
	kp_defaults(&kp_partition_change_record, &change);
	change.partition_id = 0;
	change.topic_id = meta_rig_find(rig, "in")->id;
	change.leader = 2;
	change.replicas = change.isr = both;
	change.replicas_count = change.isr_count = 2;
	change.directories = xcalloc(2, sizeof(struct uuid));
	change.directories_count = 2;
	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_PARTITION_CHANGE, &change),
	    KP_NONE);
	change.topic_id = meta_rig_find(rig, "out")->id;
	change.isr = other;
	change.isr_count = 1;
	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_PARTITION_CHANGE, &change),
	    KP_NONE);
	free(change.directories);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	assert_int_equal(partition_of(rig, "in")->leader, META_RIG_NODE);
	assert_int_equal(partition_of(rig, "in")->isr.count, 1);
	assert_int_equal(partition_of(rig, "out")->leader, 2);
}

static void
partitions_without_us_are_refused(void **state)
{
	struct meta_rig *rig = *state;
	int32_t other[] = { 2 };
	struct kp_partition_change_record change;

	meta_rig_start(rig);
	meta_rig_topic(rig, "t", 1);
	kp_defaults(&kp_partition_change_record, &change);
	change.partition_id = 0;
	change.topic_id = meta_rig_find(rig, "t")->id;
	change.replicas = other;
	change.replicas_count = 1;
	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_PARTITION_CHANGE, &change),
	    KP_NONE);
	meta_rig_stop(rig);
	assert_int_equal(meta_rig_load(rig), -1);
}

/* --- Bootstrap records ---------------------------------------------------- */

static void
put_bootstrap(struct meta_rig *rig, const char *const *names,
    const int16_t *levels, size_t count)
{
	const struct metadata_snapshot_header header = { .mode = 0644 };
	char *path = xasprintf("%s/bootstrap.checkpoint", rig->directory);
	struct metadata_snapshot *snapshot =
	    metadata_snapshot_create(&rig->fault.disk, path, &header);

	for (size_t i = 0; i < count; i++) {
		const struct kp_feature_level_record record = {
			.name = slice_str(names[i]),
			.feature_level = levels[i],
		};
		struct buf value;

		buf_init(&value, 1024);
		assert_int_equal(metadata_record_encode(&value,
				     METADATA_RECORD_FEATURE_LEVEL, 0,
				     &record),
		    0);
		assert_int_equal(
		    metadata_snapshot_write(snapshot, buf_slice(&value)), 0);
		buf_fini(&value);
	}
	assert_int_equal(metadata_snapshot_end(snapshot), 0);
	free(path);
}

static void
the_formatter_says_what_a_cluster_begins_with(void **state)
{
	static const char *const names[] = { "metadata.version",
		"eligible.leader.replicas.version", "group.version" };
	static const int16_t levels[] = { 25, 1, 1 };
	struct meta_rig *rig = *state;
	const struct config_set *set;

	put_bootstrap(rig, names, levels, COUNT_OF(names));
	meta_rig_config(rig, "min.insync.replicas", "2");
	meta_rig_start(rig);
	assert_int_equal(image_feature(rig->image, "metadata.version"), 25);
	assert_int_equal(image_feature(rig->image, "group.version"), 1);
	set = image_configs(rig->image, IMAGE_CONFIG_BROKER, slice_str(""));
	assert_true(slice_equal_str(
	    config_set_get(set, slice_str("min.insync.replicas")), "2"));
	meta_rig_topic(rig, "t", 1);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	assert_int_equal(image_feature(rig->image, "metadata.version"), 25);
	assert_non_null(meta_rig_find(rig, "t"));
}

static void
impossible_bootstrap_records_are_refused(void **state)
{
	static const char *const names[] = { "group.version",
		"metadata.version" };
	static const int16_t levels[] = { 1, 99 };
	struct meta_rig *rig = *state;

	put_bootstrap(rig, names, levels, 2);
	assert_int_equal(meta_rig_load(rig), 0);
	assert_int_equal(controller_start(rig->controller), -1);
	meta_rig_stop(rig);
	put_bootstrap(rig, names, levels, 1);
	assert_int_equal(meta_rig_load(rig), 0);
	assert_int_equal(controller_start(rig->controller), -1);
	meta_rig_stop(rig);
	temp_dir_put(rig->directory, "bootstrap.checkpoint", "rubbish");
	assert_int_equal(meta_rig_load(rig), 0);
	assert_int_equal(controller_start(rig->controller), -1);
}

/* --- Transactions --------------------------------------------------------- */

static void
an_open_transaction_is_aborted(void **state)
{
	struct meta_rig *rig = *state;
	const struct kp_begin_transaction_record begin = {
		.name = SLICE_LITERAL("cut short"),
	};
	size_t offset;

	meta_rig_start(rig);
	meta_rig_topic(rig, "before", 1);
	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_BEGIN_TRANSACTION, &begin),
	    KP_NONE);
	meta_rig_topic(rig, "inside", 1);
	meta_rig_kill(rig);
	assert_int_equal(meta_rig_load(rig), 0);
	assert_non_null(meta_rig_find(rig, "before"));
	assert_null(meta_rig_find(rig, "inside"));
	offset = (size_t)metadata_log_end_offset(rig->log);
	assert_int_equal(controller_start(rig->controller), 0);
	/* LeaderChange and AbortTransaction, before the broker's fence. */
	assert_true((size_t)metadata_log_end_offset(rig->log) >= offset + 2);
	meta_rig_join(rig, true);
	meta_rig_topic(rig, "inside", 2);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	assert_int_equal(meta_rig_find(rig, "inside")->partitions_count, 2);
}

/* --- Failures ------------------------------------------------------------- */

struct watcher {
	size_t deltas;
	size_t created;
	int64_t last_offset;
};

static void
watch(void *context, const struct delta *delta)
{
	struct watcher *watcher = context;

	watcher->deltas++;
	if (delta->offset >= 0) {
		assert_true(delta->offset > watcher->last_offset);
		watcher->last_offset = delta->offset;
	}
	for (size_t i = 0; i < delta->topics_count; i++)
		watcher->created += delta->topics[i]->old == NULL;
}

static enum kp_error
try_create(struct meta_rig *rig, const char *name)
{
	struct kp_create_topics_request_topic topic = {
		.name = slice_str(name),
		.num_partitions = 1,
		.replication_factor = 1,
	};
	struct kp_create_topics_request request = { .topics = &topic,
		.topics_count = 1,
		.timeout_ms = 1000 };
	struct create_topics_op op;

	create_topics_op_init(&op);
	op.request = &request;
	op.arena = &rig->arena;
	return meta_rig_call(rig, &op.op);
}

static void
a_failed_append_changes_nothing(void **state)
{
	struct meta_rig *rig = *state;
	struct watcher watcher = { .last_offset = -1 };
	size_t deltas;

	rig->subscriber = watch;
	rig->subscriber_context = &watcher;
	meta_rig_start(rig);
	meta_rig_topic(rig, "t", 1);
	deltas = watcher.deltas;
	disk_fault_fail(&rig->fault, DISK_PWRITE, ".log", 0, ENOSPC);
	assert_int_equal(try_create(rig, "full"), KP_KAFKA_STORAGE_ERROR);
	disk_fault_clear(&rig->fault);
	assert_null(meta_rig_find(rig, "full"));
	assert_int_equal(watcher.deltas, deltas);
	assert_int_equal(rig->failures, 0);
	meta_rig_topic(rig, "full", 1);
	disk_fault_fail(&rig->fault, DISK_FDATASYNC, ".log", 0, EIO);
	assert_int_equal(try_create(rig, "broken"), KP_KAFKA_STORAGE_ERROR);
	disk_fault_clear(&rig->fault);
	assert_null(meta_rig_find(rig, "broken"));
	assert_int_equal(rig->failures, 1);
	assert_int_equal(try_create(rig, "broken"), KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(rig->failures, 1);
	assert_int_equal(try_create(rig, "after"), KP_KAFKA_STORAGE_ERROR);
	assert_non_null(meta_rig_find(rig, "t"));
	assert_int_equal(watcher.created, 2);
}

/* --- Many operations ------------------------------------------------------ */

#define THREADS 4
#define EACH 50

struct creator {
	struct meta_rig *rig;
	int number;
	size_t created;
	size_t refused;
	pthread_t thread;
};

static void *
create_many(void *context)
{
	struct creator *creator = context;
	char name[32];

	for (int i = 0; i < EACH; i++) {
		struct kp_create_topics_request_topic topic = {
			.num_partitions = 1,
			.replication_factor = 1,
		};
		struct kp_create_topics_request request = { .topics = &topic,
			.topics_count = 1,
			.timeout_ms = 1000 };
		struct create_topics_op op;
		struct arena arena;

		/* Two threads want each name. */
		snprintf(name, sizeof(name), "t-%d-%d", creator->number / 2,
		    i);
		topic.name = slice_str(name);
		arena_init(&arena, SIZE_MAX);
		create_topics_op_init(&op);
		op.request = &request;
		op.arena = &arena;
		controller_call(creator->rig->controller, &op.op);
		if (op.op.error == KP_NONE &&
		    op.response.topics[0].error_code == KP_NONE) {
			/* What is answered is visible. */
			image_read_lock(creator->rig->image);
			assert_non_null(image_topic(creator->rig->image,
			    topic.name));
			image_read_unlock(creator->rig->image);
			creator->created++;
		} else {
			creator->refused++;
		}
		arena_reset(&arena);
	}
	return NULL;
}

static void
threads_create_each_topic_once(void **state)
{
	struct meta_rig *rig = *state;
	struct watcher watcher = { .last_offset = -1 };
	struct creator creators[THREADS];
	size_t created = 0, refused = 0;

	rig->subscriber = watch;
	rig->subscriber_context = &watcher;
	meta_rig_start(rig);
	for (int i = 0; i < THREADS; i++) {
		creators[i] = (struct creator){ .rig = rig, .number = i };
		assert_int_equal(pthread_create(&creators[i].thread, NULL,
				     create_many, &creators[i]),
		    0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(creators[i].thread, NULL);
		created += creators[i].created;
		refused += creators[i].refused;
	}
	assert_int_equal(created, THREADS / 2 * EACH);
	assert_int_equal(refused, THREADS / 2 * EACH);
	assert_int_equal(watcher.created, created);
	assert_int_equal(image_topics_count(rig->image), created);
	meta_rig_stop(rig);
	assert_int_equal(meta_rig_load(rig), 0);
	assert_int_equal(image_topics_count(rig->image), created);
}

struct hasty {
	struct controller_op op;
	atomic_int done;
};

static void
run_nothing(struct controller_op *op UNUSED,
    struct controller *controller UNUSED)
{
}

static void
note_done(struct controller_op *op)
{
	atomic_fetch_add(&CONTAINER_OF(op, struct hasty, op)->done, 1);
}

struct submitter {
	struct meta_rig *rig;
	struct hasty ops[2000];
	atomic_size_t submitted;
};

static void *
submit_all(void *context)
{
	struct submitter *submitter = context;

	for (size_t i = 0; i < COUNT_OF(submitter->ops); i++) {
		submitter->ops[i].op.run = run_nothing;
		submitter->ops[i].op.done = note_done;
		controller_submit(submitter->rig->controller,
		    &submitter->ops[i].op);
		atomic_fetch_add(&submitter->submitted, 1);
	}
	return NULL;
}

static void
operations_during_the_stop_are_answered_once(void **state)
{
	struct meta_rig *rig = *state;
	struct submitter *submitter = xcalloc(1, sizeof(*submitter));
	size_t refused = 0;
	pthread_t thread;

	submitter->rig = rig;
	meta_rig_start(rig);
	assert_int_equal(
	    pthread_create(&thread, NULL, submit_all, submitter), 0);
	while (atomic_load(&submitter->submitted) < 100)
		continue;
	controller_stop(rig->controller);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < COUNT_OF(submitter->ops); i++) {
		enum kp_error error = submitter->ops[i].op.error;

		assert_int_equal(atomic_load(&submitter->ops[i].done), 1);
		assert_true(error == KP_NONE || error == KP_NOT_CONTROLLER);
		/* Who came after one that was refused is refused. */
		assert_true(error != KP_NONE || refused == 0);
		refused += error == KP_NOT_CONTROLLER;
	}
	free(submitter);
}

/* --- Snapshots ------------------------------------------------------------ */

static int
count_snapshots(void *context, const char *name)
{
	struct metadata_snapshot_id id;
	size_t *count = context;

	*count += metadata_snapshot_name_parse(name, &id) == 0;
	return 0;
}

static size_t
snapshots(struct meta_rig *rig)
{
	char *directory = meta_rig_path(rig, "");
	size_t count = 0;

	assert_int_equal(
	    disk_list(&rig->fault.disk, directory, count_snapshots, &count),
	    0);
	free(directory);
	return count;
}

static void
a_snapshot_stands_for_the_log_before_it(void **state)
{
	struct meta_rig *rig = *state;
	struct uuid id;
	char name[16];

	rig->log_settings.snapshot_bytes = 4000;
	rig->log_settings.retention_bytes = 0;
	rig->log_settings.segment_bytes = 4000;
	meta_rig_start(rig);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		meta_rig_topic(rig, name, 2);
		meta_rig_topic_config(rig, name, "retention.ms", "7");
	}
	id = meta_rig_find(rig, "t0")->id;
	/* Old ones went, and with them the log that stood before. */
	assert_in_range(snapshots(rig), 1, 2);
	assert_false(temp_dir_has(rig->directory,
	    "__cluster_metadata-0/00000000000000000000.log"));
	meta_rig_stop(rig);
	for (int i = 0; i < 3; i++) {
		meta_rig_start(rig);
		assert_int_equal(image_topics_count(rig->image), 100);
		assert_int_equal(image_partitions_count(rig->image), 200);
		assert_true(uuid_equal(meta_rig_find(rig, "t0")->id, id));
		assert_true(slice_equal_str(
		    configs_topic(rig->configs, slice_str("t99"),
			"retention.ms", &rig->arena),
		    "7"));
		assert_int_equal(controller_kraft_version(rig->controller),
		    1);
		meta_rig_stop(rig);
	}
}

/* The newest snapshot's path, on the heap. */
static char *
make_snapshot(struct meta_rig *rig, const char *topic)
{
	struct metadata_snapshot_id id;
	char *directory, *path;

	rig->log_settings.snapshot_bytes = 1;
	meta_rig_start(rig);
	meta_rig_topic(rig, topic, 1);
	id = (struct metadata_snapshot_id){ image_offset(rig->image) + 1,
		image_epoch(rig->image) };
	/* It is written behind the answer: the stop waits for it. */
	controller_stop(rig->controller);
	meta_rig_stop(rig);
	directory = meta_rig_path(rig, "");
	path = metadata_snapshot_path(directory, id);
	free(directory);
	assert_int_equal(access(path, R_OK), 0);
	return path;
}

static void
snapshots_are_read_only_and_parts_are_removed(void **state)
{
	struct meta_rig *rig = *state;
	char *path = make_snapshot(rig, "t");
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0400);
	temp_dir_put(rig->directory,
	    "__cluster_metadata-0/00000000000000000099-0000000001.checkpoint"
	    ".part",
	    "half");
	assert_int_equal(meta_rig_load(rig), 0);
	assert_false(temp_dir_has(rig->directory,
	    "__cluster_metadata-0/00000000000000000099-0000000001.checkpoint"
	    ".part"));
	free(path);
}

static void
a_damaged_snapshot_gives_way_to_an_older_one(void **state)
{
	struct meta_rig *rig = *state;
	char *older = make_snapshot(rig, "first");
	char *newer = make_snapshot(rig, "second");

	assert_int_equal(chmod(newer, 0600), 0);
	assert_int_equal(truncate(newer, 100), 0);
	rig->log_settings.snapshot_bytes = 1 << 20;
	meta_rig_start(rig);
	assert_non_null(meta_rig_find(rig, "first"));
	assert_non_null(meta_rig_find(rig, "second"));
	free(older);
	free(newer);
}

static void
a_log_may_be_missing_behind_a_snapshot(void **state)
{
	struct meta_rig *rig = *state;
	char *snapshot = make_snapshot(rig, "t");
	char *log = meta_rig_path(rig, "00000000000000000000.log");
	int32_t epoch;

	rig->log_settings.snapshot_bytes = 1 << 20;
	assert_int_equal(unlink(log), 0);
	temp_dir_put(rig->directory, "__cluster_metadata-0/quorum-state",
	    "{\"leaderEpoch\":0,\"data_version\":1}");
	meta_rig_start(rig);
	epoch = metadata_log_epoch(rig->log);
	/* Not below the snapshot's, whatever the log has forgotten. */
	assert_true(epoch > 1);
	assert_non_null(meta_rig_find(rig, "t"));
	meta_rig_topic(rig, "u", 1);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	assert_non_null(meta_rig_find(rig, "u"));
	free(log);
	free(snapshot);
}

static void
a_snapshot_that_cannot_be_written_is_no_harm(void **state)
{
	struct meta_rig *rig = *state;

	rig->log_settings.snapshot_bytes = 1;
	meta_rig_start(rig);
	disk_fault_fail_all(&rig->fault, DISK_PWRITE, ".checkpoint", 0,
	    ENOSPC);
	meta_rig_topic(rig, "t", 1);
	meta_rig_topic(rig, "u", 1);
	assert_true(disk_fault_clear(&rig->fault) > 0);
	assert_int_equal(rig->failures, 0);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	assert_non_null(meta_rig_find(rig, "t"));
	assert_non_null(meta_rig_find(rig, "u"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                       \
	cmocka_unit_test_setup_teardown(name, meta_rig_setup, \
	    meta_rig_teardown)
		TEST(a_first_start_makes_a_cluster),
		TEST(topics_survive_a_restart),
		TEST(a_stop_fences_and_a_kill_does_not),
		TEST(brokers_of_a_former_life_are_fenced),
		TEST(leaderless_partitions_are_elected),
		TEST(an_unclean_stop_raises_leader_epochs),
		TEST(replicas_of_others_are_not_led),
		TEST(partitions_without_us_are_refused),
		TEST(the_formatter_says_what_a_cluster_begins_with),
		TEST(impossible_bootstrap_records_are_refused),
		TEST(an_open_transaction_is_aborted),
		TEST(a_failed_append_changes_nothing),
		TEST(threads_create_each_topic_once),
		TEST(operations_during_the_stop_are_answered_once),
		TEST(a_snapshot_stands_for_the_log_before_it),
		TEST(snapshots_are_read_only_and_parts_are_removed),
		TEST(a_damaged_snapshot_gives_way_to_an_older_one),
		TEST(a_log_may_be_missing_behind_a_snapshot),
		TEST(a_snapshot_that_cannot_be_written_is_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
