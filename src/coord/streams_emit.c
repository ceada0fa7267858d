/* Records of streams groups (StreamsCoordinatorRecordHelpers of Kafka). */
#include "coord/streams_record.h"

#include "wire/generated/group_streams_group_current_member_assignment.h"
#include "wire/generated/group_streams_group_member_metadata.h"
#include "wire/generated/group_streams_group_metadata.h"
#include "wire/generated/group_streams_group_target_assignment_member.h"
#include "wire/generated/group_streams_group_target_assignment_metadata.h"

/* The generated names of nested structs are longer than a line. */
#define CURRENT_VALUE kp_streams_group_current_member_assignment_value
#define CURRENT_TASKS kp_streams_group_current_member_assignment_value_task_ids
#define TARGET_VALUE kp_streams_group_target_assignment_member_value
#define TARGET_TASKS kp_streams_group_target_assignment_member_value_task_ids

/* All values have version 0 only. */
#define VALUE_VERSION 0

/* --- Of groups ----------------------------------------------------------- */

void
streams_emit_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t metadata_hash, int32_t validated_epoch,
    const struct streams_pairs *configs)
{
	const struct kp_streams_group_metadata_key key = { group_id };
	struct kp_streams_group_metadata_value value = {
		.epoch = epoch,
		.metadata_hash = metadata_hash,
		.validated_topology_epoch = validated_epoch,
		.last_assignment_configs_count = configs->count,
	};
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	value.last_assignment_configs = arena_xcalloc(&arena,
	    (size_t)configs->count, sizeof(*value.last_assignment_configs));
	for (int32_t i = 0; i < configs->count; i++) {
		value.last_assignment_configs[i].key = configs->pairs[i].key;
		value.last_assignment_configs[i].value =
		    configs->pairs[i].value;
	}
	shard_emit(&shard->shard, &kp_streams_group_metadata_key, &key,
	    &kp_streams_group_metadata_value, &value, VALUE_VERSION);
	arena_reset(&arena);
}

void
streams_emit_topology(struct group_shard *shard, struct slice group_id,
    const struct kp_streams_group_topology_value *topology)
{
	const struct kp_streams_group_topology_key key = { group_id };

	shard_emit(&shard->shard, &kp_streams_group_topology_key, &key,
	    &kp_streams_group_topology_value, topology, VALUE_VERSION);
}

void
streams_emit_target_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t now_ms)
{
	const struct kp_streams_group_target_assignment_metadata_key key = {
		group_id
	};
	const struct kp_streams_group_target_assignment_metadata_value value = {
		.assignment_epoch = epoch,
		.assignment_timestamp = now_ms,
	};

	shard_emit(&shard->shard,
	    &kp_streams_group_target_assignment_metadata_key, &key,
	    &kp_streams_group_target_assignment_metadata_value, &value,
	    VALUE_VERSION);
}

/* --- Of members ---------------------------------------------------------- */

void
streams_emit_member(struct group_shard *shard, struct slice group_id,
    const struct streams_member *member)
{
	const struct kp_streams_group_member_metadata_key key = { group_id,
		member->id };
	const struct kp_streams_group_member_metadata_value_endpoint
	    endpoint = { member->endpoint_host, member->endpoint_port };
	struct kp_streams_group_member_metadata_value value = {
		.instance_id = member->instance_id,
		.rack_id = member->rack_id,
		.client_id = member->client_id,
		.client_host = member->client_host,
		.rebalance_timeout_ms = member->rebalance_timeout_ms,
		.topology_epoch = member->topology_epoch,
		.process_id = member->process_id,
		.user_endpoint =
		    slice_is_null(member->endpoint_host) ? NULL : &endpoint,
		.client_tags_count = member->tags.count,
	};
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	value.client_tags = arena_xcalloc(
	    &arena, (size_t)member->tags.count, sizeof(*value.client_tags));
	for (int32_t i = 0; i < member->tags.count; i++) {
		value.client_tags[i].key = member->tags.pairs[i].key;
		value.client_tags[i].value = member->tags.pairs[i].value;
	}
	shard_emit(&shard->shard, &kp_streams_group_member_metadata_key, &key,
	    &kp_streams_group_member_metadata_value, &value, VALUE_VERSION);
	arena_reset(&arena);
}

static struct TARGET_TASKS *
target_tasks(
    const struct streams_tasks *set, struct arena *arena, int32_t *count)
{
	struct TARGET_TASKS *tasks =
	    arena_xcalloc(arena, (size_t)set->count, sizeof(*tasks));

	*count = 0;
	for (int32_t i = 0, run; i < set->count; i += run) {
		struct TARGET_TASKS *part = &tasks[(*count)++];

		run = streams_tasks_run(set, i);
		part->subtopology_id = set->tasks[i].subtopology;
		part->partitions = streams_tasks_partitions(arena, set, i, run);
		part->partitions_count = run;
	}
	return tasks;
}

void
streams_emit_target(struct group_shard *shard, struct slice group_id,
    struct slice member_id, const struct streams_assignment *assignment)
{
	const struct kp_streams_group_target_assignment_member_key key = {
		group_id, member_id
	};
	const struct streams_tasks *kinds = assignment->kinds;
	struct TARGET_VALUE value = { 0 };
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	value.active_tasks = target_tasks(
	    &kinds[STREAMS_ACTIVE], &arena, &value.active_tasks_count);
	value.standby_tasks = target_tasks(
	    &kinds[STREAMS_STANDBY], &arena, &value.standby_tasks_count);
	value.warmup_tasks = target_tasks(
	    &kinds[STREAMS_WARMUP], &arena, &value.warmup_tasks_count);
	shard_emit(&shard->shard,
	    &kp_streams_group_target_assignment_member_key, &key,
	    &kp_streams_group_target_assignment_member_value, &value,
	    VALUE_VERSION);
	arena_reset(&arena);
}

/* Only active tasks have epochs. */
static struct CURRENT_TASKS *
current_tasks(const struct streams_tasks *set, bool epochs, struct arena *arena,
    int32_t *count)
{
	struct CURRENT_TASKS *tasks =
	    arena_xcalloc(arena, (size_t)set->count, sizeof(*tasks));

	*count = 0;
	for (int32_t i = 0, run; i < set->count; i += run) {
		struct CURRENT_TASKS *part = &tasks[(*count)++];

		run = streams_tasks_run(set, i);
		part->subtopology_id = set->tasks[i].subtopology;
		part->partitions = streams_tasks_partitions(arena, set, i, run);
		part->partitions_count = run;
		part->assignment_epochs_count = -1;
		if (!epochs)
			continue;
		part->assignment_epochs = arena_xcalloc(
		    arena, (size_t)run, sizeof(*part->assignment_epochs));
		part->assignment_epochs_count = run;
		for (int32_t t = 0; t < run; t++)
			part->assignment_epochs[t] = set->tasks[i + t].epoch;
	}
	return tasks;
}

void
streams_emit_current(struct group_shard *shard, struct slice group_id,
    const struct streams_member *member)
{
	const struct kp_streams_group_current_member_assignment_key key = {
		group_id, member->id
	};
	const struct streams_tasks *has = member->assigned.kinds;
	const struct streams_tasks *gives = member->revoking.kinds;
	struct CURRENT_VALUE value = {
		.member_epoch = member->epoch,
		.previous_member_epoch = member->previous_epoch,
		.state = (int8_t)member->state,
	};
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	value.active_tasks = current_tasks(
	    &has[STREAMS_ACTIVE], true, &arena, &value.active_tasks_count);
	value.standby_tasks = current_tasks(
	    &has[STREAMS_STANDBY], false, &arena, &value.standby_tasks_count);
	value.warmup_tasks = current_tasks(
	    &has[STREAMS_WARMUP], false, &arena, &value.warmup_tasks_count);
	value.active_tasks_pending_revocation =
	    current_tasks(&gives[STREAMS_ACTIVE], true, &arena,
		&value.active_tasks_pending_revocation_count);
	value.standby_tasks_pending_revocation =
	    current_tasks(&gives[STREAMS_STANDBY], false, &arena,
		&value.standby_tasks_pending_revocation_count);
	value.warmup_tasks_pending_revocation =
	    current_tasks(&gives[STREAMS_WARMUP], false, &arena,
		&value.warmup_tasks_pending_revocation_count);
	shard_emit(&shard->shard,
	    &kp_streams_group_current_member_assignment_key, &key,
	    &kp_streams_group_current_member_assignment_value, &value,
	    VALUE_VERSION);
	arena_reset(&arena);
}

/* --- Ends ---------------------------------------------------------------- */

static void
emit_current_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id)
{
	const struct kp_streams_group_current_member_assignment_key key = {
		group_id, member_id
	};

	shard_emit(&shard->shard,
	    &kp_streams_group_current_member_assignment_key, &key, NULL, NULL,
	    0);
}

static void
emit_target_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id)
{
	const struct kp_streams_group_target_assignment_member_key key = {
		group_id, member_id
	};

	shard_emit(&shard->shard,
	    &kp_streams_group_target_assignment_member_key, &key, NULL, NULL,
	    0);
}

static void
emit_metadata_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id)
{
	const struct kp_streams_group_member_metadata_key key = { group_id,
		member_id };

	shard_emit(&shard->shard, &kp_streams_group_member_metadata_key, &key,
	    NULL, NULL, 0);
}

void
streams_emit_member_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id)
{
	emit_current_end(shard, group_id, member_id);
	emit_target_end(shard, group_id, member_id);
	emit_metadata_end(shard, group_id, member_id);
}

static void
emit_target_epoch_end(struct group_shard *shard, struct slice group_id)
{
	const struct kp_streams_group_target_assignment_metadata_key key = {
		group_id
	};

	shard_emit(&shard->shard,
	    &kp_streams_group_target_assignment_metadata_key, &key, NULL, NULL,
	    0);
}

static void
emit_group_ends(struct group_shard *shard, struct slice group_id)
{
	const struct kp_streams_group_metadata_key epoch = { group_id };
	const struct kp_streams_group_topology_key topology = { group_id };

	shard_emit(&shard->shard, &kp_streams_group_metadata_key, &epoch, NULL,
	    NULL, 0);
	shard_emit(&shard->shard, &kp_streams_group_topology_key, &topology,
	    NULL, NULL, 0);
}

/* Kafka removes members first, and the topology last. */
void
streams_emit_end(struct streams_group *streams)
{
	struct group_shard *shard = streams->group->shard;
	struct slice group_id = streams->group->id;
	const struct streams_target *target;

	LIST_FOR_EACH (node, &streams->members)
		emit_current_end(shard, group_id,
		    LIST_ENTRY(node, struct streams_member, node)->id);
	for (size_t at = 0;
	    (target = map_next(&streams->targets, &at)) != NULL;)
		emit_target_end(shard, group_id, target->member_id);
	emit_target_epoch_end(shard, group_id);
	LIST_FOR_EACH (node, &streams->members)
		emit_metadata_end(shard, group_id,
		    LIST_ENTRY(node, struct streams_member, node)->id);
	emit_group_ends(shard, group_id);
}
