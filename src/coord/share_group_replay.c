#include "base/clock.h"
#include "coord/group_replay.h"
#include "coord/share_group_record.h"
#include "wire/generated/group_share_group_current_member_assignment.h"
#include "wire/generated/group_share_group_member_metadata.h"
#include "wire/generated/group_share_group_metadata.h"
#include "wire/generated/group_share_group_state_partition_metadata.h"
#include "wire/generated/group_share_group_target_assignment_member.h"
#include "wire/generated/group_share_group_target_assignment_metadata.h"

/* --- Groups --------------------------------------------------------------- */

static struct share_group *
find(const struct group_replay *r, struct slice group_id)
{
	struct group *group = group_find(r->shard, group_id);

	if (group == NULL || group->share == NULL)
		return NULL;
	group->share->settled = false;
	return group->share;
}

/* A group that was there as another kind becomes one. */
static struct share_group *
get(const struct group_replay *r, struct slice group_id)
{
	struct group *group = group_find(r->shard, group_id);

	if (group == NULL)
		group = group_create(r->shard, group_id);
	group_become_share(group);
	group->share->settled = false;
	return group->share;
}

static int
replay_group(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_share_group_metadata_key *key = keys;
	const struct kp_share_group_metadata_value *value = values;
	struct share_group *share;

	if (r->tombstone) {
		if (find(r, key->group_id) != NULL)
			group_end_kind(group_find(r->shard, key->group_id));
		return 0;
	}
	share = get(r, key->group_id);
	share->epoch = value->epoch;
	share->metadata_hash = value->metadata_hash;
	return 0;
}

static int
replay_target_epoch(
    struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_share_group_target_assignment_metadata_key *key = keys;
	const struct kp_share_group_target_assignment_metadata_value *value =
	    values;
	struct share_group *share =
	    r->tombstone ? find(r, key->group_id) : get(r, key->group_id);

	if (share == NULL)
		return 0;
	share->target_epoch = r->tombstone ? -1 : value->assignment_epoch;
	share->target_ms = r->tombstone ? 0 : value->assignment_timestamp;
	return 0;
}

/* --- Members -------------------------------------------------------------- */

static int
replay_member(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_share_group_member_metadata_key *key = keys;
	const struct kp_share_group_member_metadata_value *value = values;
	struct share_group *share;
	struct share_member said, *member;

	if (r->tombstone) {
		share = find(r, key->group_id);
		member = share == NULL ?
		    NULL :
		    share_member_find(share, key->member_id);
		if (member != NULL)
			share_member_remove(member);
		return 0;
	}
	said = (struct share_member){
		.rack_id = value->rack_id,
		.client_id = value->client_id,
		.client_host = value->client_host,
		.topics = { value->subscribed_topic_names,
		    MAX(value->subscribed_topic_names_count, 0) },
	};
	consumer_names_sort(&said.topics);
	share_member_describe(
	    share_member_get(get(r, key->group_id), key->member_id), &said);
	return 0;
}

/* --- Sets of partitions --------------------------------------------------- */

/*
 * The set that an array of topics says, whose type the records differ in, but
 * not in the names of what is in it.
 */
#define TAKE_TOPICS(set, topics, topics_count, arena)                         \
	do {                                                                  \
		int32_t count_ = 0;                                           \
		for (int32_t t_ = 0; t_ < (topics_count); t_++)               \
			count_ += MAX((topics)[t_].partitions_count, 0);      \
		*(set) = consumer_assignment_new((arena), count_);            \
		for (int32_t t_ = 0; t_ < (topics_count); t_++)               \
			for (int32_t i_ = 0;                                  \
			    i_ < (topics)[t_].partitions_count; i_++)         \
				consumer_assignment_add((set),                \
				    (topics)[t_].topic_id,                    \
				    (topics)[t_].partitions[i_], 0);          \
		consumer_assignment_sort(set);                                \
	} while (0)

static int
replay_target(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_share_group_target_assignment_member_key *key = keys;
	const struct kp_share_group_target_assignment_member_value *value =
	    values;
	struct consumer_assignment set;
	struct share_group *share;

	if (r->tombstone) {
		share = find(r, key->group_id);
		if (share != NULL)
			share_target_remove(share, key->member_id);
		return 0;
	}
	TAKE_TOPICS(&set, value->topic_partitions,
	    value->topic_partitions_count, &r->arena);
	share_target_set(get(r, key->group_id), key->member_id, set);
	return 0;
}

/* A member that has left has no assignment, and no epoch. */
static int
replay_current_end(
    struct group_replay *r, struct slice group_id, struct slice member_id)
{
	const struct share_member nothing = {
		.epoch = SHARE_EPOCH_LEAVE,
		.previous_epoch = SHARE_EPOCH_LEAVE,
	};
	struct share_group *share = find(r, group_id);
	struct share_member *member =
	    share == NULL ? NULL : share_member_find(share, member_id);

	if (member != NULL)
		share_member_assign(member, &nothing);
	return 0;
}

static int
replay_current(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_share_group_current_member_assignment_key *key = keys;
	const struct kp_share_group_current_member_assignment_value *value =
	    values;
	struct share_member given = { 0 };

	if (r->tombstone)
		return replay_current_end(r, key->group_id, key->member_id);
	given.epoch = value->member_epoch;
	given.previous_epoch = value->previous_member_epoch;
	TAKE_TOPICS(&given.assigned, value->assigned_partitions,
	    value->assigned_partitions_count, &r->arena);
	share_member_assign(
	    share_member_get(get(r, key->group_id), key->member_id), &given);
	return 0;
}

static int
replay_partitions(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_share_group_state_partition_metadata_key *key = keys;
	const struct kp_share_group_state_partition_metadata_value *value =
	    values;
	struct share_group *share =
	    r->tombstone ? find(r, key->group_id) : get(r, key->group_id);
	struct share_partitions partitions = { .initializing = { NULL, 0 } };

	if (share == NULL)
		return 0;
	share->has_partitions = !r->tombstone;
	share->partitions_ms = clock_wall_ms();
	if (!r->tombstone) {
		int32_t count = MAX(value->deleting_topics_count, 0);

		TAKE_TOPICS(&partitions.initializing,
		    value->initializing_topics,
		    value->initializing_topics_count, &r->arena);
		TAKE_TOPICS(&partitions.initialized, value->initialized_topics,
		    value->initialized_topics_count, &r->arena);
		partitions.deleting = consumer_assignment_new(&r->arena, count);
		for (int32_t i = 0; i < count; i++)
			consumer_assignment_add(&partitions.deleting,
			    value->deleting_topics[i].topic_id, 0, 0);
		consumer_assignment_sort(&partitions.deleting);
	}
	share_group_set_partitions(share, &partitions);
	return 0;
}

/* --- Records -------------------------------------------------------------- */

static const struct group_record records[] = {
	{ &kp_share_group_member_metadata_key,
	    &kp_share_group_member_metadata_value, replay_member },
	{ &kp_share_group_metadata_key, &kp_share_group_metadata_value,
	    replay_group },
	{ &kp_share_group_target_assignment_metadata_key,
	    &kp_share_group_target_assignment_metadata_value,
	    replay_target_epoch },
	{ &kp_share_group_target_assignment_member_key,
	    &kp_share_group_target_assignment_member_value, replay_target },
	{ &kp_share_group_current_member_assignment_key,
	    &kp_share_group_current_member_assignment_value, replay_current },
	{ &kp_share_group_state_partition_metadata_key,
	    &kp_share_group_state_partition_metadata_value,
	    replay_partitions },
};

bool
share_record_type(int16_t type)
{
	return group_record_find(records, COUNT_OF(records), type) != NULL;
}

int
share_record_replay(
    struct group_shard *shard, const struct shard_record *record)
{
	const struct group_record *of =
	    group_record_find(records, COUNT_OF(records), record->type);

	return group_record_replay(of, shard, record);
}
