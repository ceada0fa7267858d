#include "coord/consumer_offsets.h"

/* The first version whose clients know of member epochs. */
#define VERSION_MEMBER_EPOCH 9

/* A member of the classic protocol hears of generations. */
static enum kp_error
stale(const struct consumer_member *member)
{
	return member->classic != NULL ? KP_ILLEGAL_GENERATION :
					 KP_STALE_MEMBER_EPOCH;
}

/* A transaction's offsets may come from a client that is no member. */
static bool
anonymous(const struct group_commit *commit)
{
	return commit->transaction != NULL && commit->generation_id < 0 &&
	    commit->member_id.len == 0 && slice_is_null(commit->instance_id);
}

/* Has the member had the partition since epoch, or before? */
static bool
has_since(const struct consumer_member *member, struct uuid topic_id,
    int32_t partition, int32_t epoch)
{
	const struct consumer_partition *had =
	    consumer_assignment_find(&member->assigned, topic_id, partition);

	if (had == NULL)
		had = consumer_assignment_find(
		    &member->revoking, topic_id, partition);
	return had != NULL && had->epoch <= epoch;
}

static bool
has_all_since(
    const struct consumer_member *member, const struct group_commit *commit)
{
	for (int32_t t = 0; t < commit->topics_count; t++) {
		const struct group_topic *topic = &commit->topics[t];

		for (int32_t i = 0; i < topic->offsets_count; i++)
			if (topic->offsets[i].error == KP_NONE &&
			    !has_since(member, topic->id,
				topic->offsets[i].partition,
				commit->generation_id))
				return false;
	}
	return true;
}

enum kp_error
consumer_check_commit(const struct consumer_group *consumer,
    const struct group_commit *commit, int16_t version)
{
	const struct consumer_member *member;

	/* An administrator resets the offsets of a group that is not in use. */
	if (commit->generation_id < 0 && consumer_group_count(consumer) == 0)
		return KP_NONE;
	if (anonymous(commit))
		return KP_NONE;
	member = consumer_member_find(consumer, commit->member_id);
	if (member == NULL)
		return KP_UNKNOWN_MEMBER_ID;
	if (member->classic == NULL && commit->transaction == NULL &&
	    version < VERSION_MEMBER_EPOCH)
		return KP_UNSUPPORTED_VERSION;
	if (commit->generation_id == member->epoch)
		return KP_NONE;
	if (commit->generation_id < member->epoch &&
	    has_all_since(member, commit))
		return KP_NONE;
	/* TxnOffsetCommit knows of generations only. */
	return commit->transaction != NULL ? KP_ILLEGAL_GENERATION :
					     stale(member);
}

enum kp_error
consumer_check_fetch(
    const struct consumer_group *consumer, const struct group_fetch *fetch)
{
	const struct consumer_member *member;

	if (slice_is_null(fetch->member_id) && fetch->member_epoch < 0)
		return KP_NONE;
	member = slice_is_null(fetch->member_id) ?
	    NULL :
	    consumer_member_find(consumer, fetch->member_id);
	if (member == NULL)
		return KP_UNKNOWN_MEMBER_ID;
	return fetch->member_epoch == member->epoch ? KP_NONE : stale(member);
}
