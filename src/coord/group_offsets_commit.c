#include "base/clock.h"
#include "coord/group.h"
#include "coord/java_hash.h"
#include "wire/codec.h"
#include "wire/generated/group_offset_commit.h"

/* What Kafka 4.3 writes, and for commits that bring a retention time. */
#define VALUE_VERSION 4
#define VALUE_VERSION_EXPIRY 1

static void
touch(struct group *group, struct slice member_id)
{
	struct group_member *member = group_member_find(group, member_id);

	if (member != NULL && (group->state == GROUP_STABLE ||
		group->state == GROUP_PREPARING))
		group_member_touch(member);
}

static enum kp_error
check_commit(const struct group *group, const struct group_commit *commit)
{
	struct group_member *member;
	enum kp_error error;

	if (commit->generation_id < 0 && group->state == GROUP_EMPTY)
		return KP_NONE;
	if (commit->generation_id < 0 && commit->member_id.len == 0 &&
	    slice_is_null(commit->instance_id))
		return commit->transaction != NULL ? KP_NONE :
						     KP_UNKNOWN_MEMBER_ID;
	error = group_check_member(group, commit->member_id,
	    commit->instance_id, &member);
	if (error != KP_NONE)
		return error;
	if (commit->generation_id != group->generation)
		return KP_ILLEGAL_GENERATION;
	return group->state == GROUP_COMPLETING && commit->transaction == NULL ?
	    KP_REBALANCE_IN_PROGRESS :
	    KP_NONE;
}

/* From this version on a group that is not there has a name of its own. */
#define VERSION_GROUP_NOT_FOUND 9

static enum kp_error
find_for_commit(struct group_shard *shard, const struct group_call *call,
    const struct group_commit *commit, struct group **group)
{
	*group = group_find(shard, commit->group_id);
	if (*group != NULL && (*group)->kind != NULL)
		return (*group)->kind->commits ?
		    (*group)->kind->check_commit(
			*group, commit, call->version) :
		    KP_GROUP_ID_NOT_FOUND;
	if (*group != NULL)
		return check_commit(*group, commit);
	if (commit->generation_id < 0)
		return KP_NONE;	/* the record will make it */
	return call->version >= VERSION_GROUP_NOT_FOUND &&
		commit->transaction == NULL ?
	    KP_GROUP_ID_NOT_FOUND :
	    KP_ILLEGAL_GENERATION;
}

/* The client's time is any number, but for -1. */
static int64_t
expire_timestamp(int64_t now_ms, int64_t retention_ms)
{
	if (retention_ms > INT64_MAX - now_ms)
		return INT64_MAX;
	return MAX(now_ms + retention_ms, 0);
}

static void
emit_offset(struct group_shard *shard, const struct group_commit *commit,
    const struct group_topic *topic, const struct group_offset *offset,
    int64_t now_ms)
{
	const struct kp_offset_commit_key key = {
		.group = commit->group_id,
		.topic = topic->name,
		.partition = offset->partition,
	};
	bool expires = commit->retention_ms != -1;
	struct kp_offset_commit_value value;

	kp_defaults(&kp_offset_commit_value, &value);
	value.offset = offset->offset;
	value.leader_epoch = offset->leader_epoch;
	value.metadata = slice_is_null(offset->metadata) ? slice_str("") :
							   offset->metadata;
	value.commit_timestamp = now_ms;
	value.topic_id = topic->id;
	if (expires)
		value.expire_timestamp =
		    expire_timestamp(now_ms, commit->retention_ms);
	shard_emit(&shard->shard, &kp_offset_commit_key, &key,
	    &kp_offset_commit_value, &value,
	    expires ? VALUE_VERSION_EXPIRY : VALUE_VERSION);
}

static void
emit_all(struct group_shard *shard, struct group_commit *commit)
{
	size_t most = (size_t)shard->settings->metadata_max;
	int64_t now_ms = clock_wall_ms();

	for (int32_t t = 0; t < commit->topics_count; t++) {
		struct group_topic *topic = &commit->topics[t];

		for (int32_t i = 0; i < topic->offsets_count; i++) {
			struct group_offset *offset = &topic->offsets[i];

			if (offset->error != KP_NONE)
				continue;
			if (java_hash_utf16_len(offset->metadata) > most)
				offset->error = KP_OFFSET_METADATA_TOO_LARGE;
			else
				emit_offset(shard, commit, topic, offset,
				    now_ms);
		}
	}
}

void
group_shard_commit(struct group_shard *shard, struct group_call *call,
    struct group_commit *commit)
{
	enum kp_error error;
	struct group *group;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	error = find_for_commit(shard, call, commit, &group);
	if (error == KP_NONE) {
		if (group != NULL && commit->transaction == NULL)
			touch(group, commit->member_id);
		emit_all(shard, commit);
		error = commit->transaction == NULL ?
		    shard_append(&shard->shard) :
		    shard_append_transactional(
			&shard->shard, commit->transaction);
	}
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}

void
group_shard_end_transaction(struct group_shard *shard, struct shard_call *call,
    const struct group_marker *marker)
{
	enum kp_error error;

	if (!shard_begin(&shard->shard, call))
		return;
	error = shard_append_marker(
	    &shard->shard, &marker->marker, marker->transaction_version);
	shard_reply(&shard->shard, call, error);
	shard_leave(&shard->shard);
}
