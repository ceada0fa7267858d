#include "coord/group_replay.h"
#include "coord/streams_record.h"
#include "wire/generated/group_streams_group_current_member_assignment.h"
#include "wire/generated/group_streams_group_member_metadata.h"
#include "wire/generated/group_streams_group_metadata.h"
#include "wire/generated/group_streams_group_target_assignment_member.h"
#include "wire/generated/group_streams_group_target_assignment_metadata.h"

/* The generated names of nested structs are longer than a line. */
#define CURRENT_KEY kp_streams_group_current_member_assignment_key
#define CURRENT_VALUE kp_streams_group_current_member_assignment_value
#define CURRENT_TASKS kp_streams_group_current_member_assignment_value_task_ids
#define TARGET_KEY kp_streams_group_target_assignment_member_key
#define TARGET_VALUE kp_streams_group_target_assignment_member_value
#define TARGET_TASKS kp_streams_group_target_assignment_member_value_task_ids
#define TARGET_EPOCH_KEY kp_streams_group_target_assignment_metadata_key
#define TARGET_EPOCH_VALUE kp_streams_group_target_assignment_metadata_value

/* --- Groups -------------------------------------------------------------- */

static struct streams_group *
find(const struct group_replay *r, struct slice group_id)
{
	struct group *group = group_find(r->shard, group_id);

	return group == NULL ? NULL : group->streams;
}

/* A group that was there with offsets only, or as another kind, becomes one. */
static struct streams_group *
get(const struct group_replay *r, struct slice group_id)
{
	struct group *group = group_find(r->shard, group_id);

	if (group == NULL)
		group = group_create(r->shard, group_id);
	group_become_streams(group);
	return group->streams;
}

static int
replay_group(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_streams_group_metadata_key *key = keys;
	const struct kp_streams_group_metadata_value *value = values;
	struct streams_group *streams;
	struct streams_pairs configs = { 0 };

	if (r->tombstone) {
		if (find(r, key->group_id) != NULL)
			group_end_kind(group_find(r->shard, key->group_id));
		return 0;
	}
	configs.count = MAX(value->last_assignment_configs_count, 0);
	configs.pairs = arena_xcalloc(
	    &r->arena, (size_t)configs.count, sizeof(*configs.pairs));
	for (int32_t i = 0; i < configs.count; i++)
		configs.pairs[i] = (struct streams_pair){
			value->last_assignment_configs[i].key,
			value->last_assignment_configs[i].value
		};
	(void)streams_pairs_sort(&configs);
	streams = get(r, key->group_id);
	streams->epoch = value->epoch;
	streams->metadata_hash = value->metadata_hash;
	streams->validated_epoch = value->validated_topology_epoch;
	streams_pairs_own(&streams->configs, &configs);
	return 0;
}

static int
replay_topology(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_streams_group_topology_key *key = keys;
	struct streams_topology *topology;

	if (r->tombstone) {
		if (find(r, key->group_id) != NULL)
			streams_group_set_topology(
			    find(r, key->group_id), NULL);
		return 0;
	}
	topology = streams_topology_new(values);
	if (topology == NULL)
		return -1;
	streams_group_set_topology(get(r, key->group_id), topology);
	return 0;
}

static int
replay_target_epoch(
    struct group_replay *r, const void *keys, const void *values)
{
	const struct TARGET_EPOCH_KEY *key = keys;
	const struct TARGET_EPOCH_VALUE *value = values;
	struct streams_group *streams =
	    r->tombstone ? find(r, key->group_id) : get(r, key->group_id);

	if (streams == NULL)
		return 0;
	streams->target_epoch = r->tombstone ? -1 : value->assignment_epoch;
	streams->target_ms = r->tombstone ? 0 : value->assignment_timestamp;
	return 0;
}

/* --- Members ------------------------------------------------------------- */

static int
replay_member_end(
    struct group_replay *r, struct slice group_id, struct slice member_id)
{
	struct streams_group *streams = find(r, group_id);
	struct streams_member *member =
	    streams == NULL ? NULL : streams_member_find(streams, member_id);

	if (member != NULL)
		streams_member_remove(member);
	return 0;
}

static struct streams_pairs
tags_of(struct group_replay *r,
    const struct kp_streams_group_member_metadata_value *value)
{
	struct streams_pairs tags = { NULL, MAX(value->client_tags_count, 0) };

	tags.pairs =
	    arena_xcalloc(&r->arena, (size_t)tags.count, sizeof(*tags.pairs));
	for (int32_t i = 0; i < tags.count; i++)
		tags.pairs[i] =
		    (struct streams_pair){ value->client_tags[i].key,
			    value->client_tags[i].value };
	(void)streams_pairs_sort(&tags);
	return tags;
}

static int
replay_member(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_streams_group_member_metadata_key *key = keys;
	const struct kp_streams_group_member_metadata_value *value = values;
	struct streams_member said;

	if (r->tombstone)
		return replay_member_end(r, key->group_id, key->member_id);
	said = (struct streams_member){
		.instance_id = value->instance_id,
		.rack_id = value->rack_id,
		.client_id = value->client_id,
		.client_host = value->client_host,
		.process_id = value->process_id,
		.rebalance_timeout_ms = value->rebalance_timeout_ms,
		.topology_epoch = value->topology_epoch,
		.tags = tags_of(r, value),
	};
	if (value->user_endpoint != NULL) {
		said.endpoint_host = value->user_endpoint->host;
		said.endpoint_port = value->user_endpoint->port;
	}
	streams_member_describe(
	    streams_member_get(get(r, key->group_id), key->member_id), &said);
	return 0;
}

/* --- Assignments --------------------------------------------------------- */

static struct streams_tasks
target_set(
    struct group_replay *r, const struct TARGET_TASKS *parts, int32_t count)
{
	struct streams_tasks set;
	int32_t total = 0;

	for (int32_t i = 0; i < count; i++)
		total += MAX(parts[i].partitions_count, 0);
	set = streams_tasks_new(&r->arena, total);
	for (int32_t i = 0; i < count; i++)
		for (int32_t p = 0; p < parts[i].partitions_count; p++)
			streams_tasks_add(&set, parts[i].subtopology_id,
			    parts[i].partitions[p], 0);
	streams_tasks_sort(&set);
	return set;
}

static int
replay_target(struct group_replay *r, const void *keys, const void *values)
{
	const struct TARGET_KEY *key = keys;
	const struct TARGET_VALUE *value = values;
	struct streams_assignment set;

	if (r->tombstone) {
		if (find(r, key->group_id) != NULL)
			streams_target_remove(
			    find(r, key->group_id), key->member_id);
		return 0;
	}
	set.kinds[STREAMS_ACTIVE] =
	    target_set(r, value->active_tasks, value->active_tasks_count);
	set.kinds[STREAMS_STANDBY] =
	    target_set(r, value->standby_tasks, value->standby_tasks_count);
	set.kinds[STREAMS_WARMUP] =
	    target_set(r, value->warmup_tasks, value->warmup_tasks_count);
	streams_target_set(get(r, key->group_id), key->member_id, &set);
	return 0;
}

/*
 * Active tasks without epochs, or with too few, were assigned at the member's;
 * others have none.
 */
static struct streams_tasks
current_set(struct group_replay *r, const struct CURRENT_TASKS *parts,
    int32_t count, bool active, int32_t member_epoch)
{
	struct streams_tasks set;
	int32_t total = 0;

	for (int32_t i = 0; i < count; i++)
		total += MAX(parts[i].partitions_count, 0);
	set = streams_tasks_new(&r->arena, total);
	for (int32_t i = 0; i < count; i++) {
		bool epochs = parts[i].assignment_epochs_count ==
		    parts[i].partitions_count;

		for (int32_t p = 0; p < parts[i].partitions_count; p++) {
			int32_t epoch = active ? member_epoch : 0;

			if (active && epochs)
				epoch = parts[i].assignment_epochs[p];
			streams_tasks_add(&set, parts[i].subtopology_id,
			    parts[i].partitions[p], epoch);
		}
	}
	streams_tasks_sort(&set);
	return set;
}

static enum streams_state
state_of(int8_t state)
{
	switch (state) {
	case STREAMS_STABLE:
	case STREAMS_UNREVOKED:
	case STREAMS_UNRELEASED:
		return (enum streams_state)state;
	default:
		return STREAMS_UNKNOWN;
	}
}

/* A member that has left has no assignment, and no epoch. */
static int
replay_current_end(
    struct group_replay *r, struct slice group_id, struct slice member_id)
{
	struct streams_group *streams = find(r, group_id);
	struct streams_member *member =
	    streams == NULL ? NULL : streams_member_find(streams, member_id);
	struct streams_member nothing = {
		.epoch = STREAMS_EPOCH_LEAVE,
		.previous_epoch = STREAMS_EPOCH_LEAVE,
	};

	if (member == NULL)
		return 0;
	nothing.state = member->state;
	streams_member_assign(member, &nothing);
	return 0;
}

static int
replay_current(struct group_replay *r, const void *keys, const void *values)
{
	const struct CURRENT_KEY *key = keys;
	const struct CURRENT_VALUE *v = values;
	struct streams_member given = { 0 };

	if (r->tombstone)
		return replay_current_end(r, key->group_id, key->member_id);
	given.epoch = v->member_epoch;
	given.previous_epoch = v->previous_member_epoch;
	given.state = state_of(v->state);
	given.assigned.kinds[STREAMS_ACTIVE] = current_set(
	    r, v->active_tasks, v->active_tasks_count, true, v->member_epoch);
	given.assigned.kinds[STREAMS_STANDBY] = current_set(r, v->standby_tasks,
	    v->standby_tasks_count, false, v->member_epoch);
	given.assigned.kinds[STREAMS_WARMUP] = current_set(
	    r, v->warmup_tasks, v->warmup_tasks_count, false, v->member_epoch);
	given.revoking.kinds[STREAMS_ACTIVE] = current_set(r,
	    v->active_tasks_pending_revocation,
	    v->active_tasks_pending_revocation_count, true, v->member_epoch);
	given.revoking.kinds[STREAMS_STANDBY] = current_set(r,
	    v->standby_tasks_pending_revocation,
	    v->standby_tasks_pending_revocation_count, false, v->member_epoch);
	given.revoking.kinds[STREAMS_WARMUP] = current_set(r,
	    v->warmup_tasks_pending_revocation,
	    v->warmup_tasks_pending_revocation_count, false, v->member_epoch);
	streams_member_assign(
	    streams_member_get(get(r, key->group_id), key->member_id), &given);
	return 0;
}

/* --- Records ------------------------------------------------------------- */

static const struct group_record records[] = {
	{ &kp_streams_group_metadata_key, &kp_streams_group_metadata_value,
	    replay_group },
	{ &kp_streams_group_topology_key, &kp_streams_group_topology_value,
	    replay_topology },
	{ &kp_streams_group_member_metadata_key,
	    &kp_streams_group_member_metadata_value, replay_member },
	{ &kp_streams_group_target_assignment_metadata_key,
	    &kp_streams_group_target_assignment_metadata_value,
	    replay_target_epoch },
	{ &kp_streams_group_target_assignment_member_key,
	    &kp_streams_group_target_assignment_member_value, replay_target },
	{ &kp_streams_group_current_member_assignment_key,
	    &kp_streams_group_current_member_assignment_value, replay_current },
};

bool
streams_record_type(int16_t type)
{
	return group_record_find(records, COUNT_OF(records), type) != NULL;
}

int
streams_record_replay(
    struct group_shard *shard, const struct shard_record *record)
{
	return group_record_replay(
	    group_record_find(records, COUNT_OF(records), record->type), shard,
	    record);
}
