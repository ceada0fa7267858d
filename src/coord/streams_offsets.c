#include "coord/streams_offsets.h"

/* The first version whose clients know of member epochs. */
#define VERSION_MEMBER_EPOCH 9

/* A transaction's offsets may come from a client that is no member. */
static bool
anonymous(const struct group_commit *commit)
{
	return commit->transaction != NULL && commit->generation_id < 0 &&
	    commit->member_id.len == 0 && slice_is_null(commit->instance_id);
}

/* Has the member had the task since epoch, or before? */
static bool
has_since(const struct streams_member *member, struct slice subtopology,
    int32_t partition, int32_t epoch)
{
	const struct streams_task *had = streams_tasks_find(
	    &member->assigned.kinds[STREAMS_ACTIVE], subtopology, partition);

	if (had == NULL)
		had =
		    streams_tasks_find(&member->revoking.kinds[STREAMS_ACTIVE],
			subtopology, partition);
	return had != NULL && had->epoch <= epoch;
}

static bool
has_topic_since(const struct streams_member *member,
    const struct group_topic *topic, int32_t epoch)
{
	const struct streams_topology *topology = member->streams->topology;
	const struct streams_topology_part *reader = topology == NULL ?
	    NULL :
	    streams_topology_reader(topology, topic->name);

	for (int32_t i = 0; i < topic->offsets_count; i++)
		if (topic->offsets[i].error == KP_NONE &&
		    (reader == NULL ||
			!has_since(member, reader->subtopology_id,
			    topic->offsets[i].partition, epoch)))
			return false;
	return true;
}

/* An epoch behind will do for tasks that it had by then. */
static bool
has_all_since(
    const struct streams_member *member, const struct group_commit *commit)
{
	if (commit->generation_id > member->epoch)
		return false;
	for (int32_t t = 0; t < commit->topics_count; t++)
		if (!has_topic_since(
			member, &commit->topics[t], commit->generation_id))
			return false;
	return true;
}

enum kp_error
streams_check_commit(const struct streams_group *streams,
    const struct group_commit *commit, int16_t version)
{
	const struct streams_member *member;

	/* An administrator resets the offsets of a group that is not in use. */
	if (commit->generation_id < 0 && streams_group_count(streams) == 0)
		return KP_NONE;
	if (anonymous(commit))
		return KP_NONE;
	member = streams_member_find(streams, commit->member_id);
	if (member == NULL)
		return KP_UNKNOWN_MEMBER_ID;
	if (commit->transaction == NULL && version < VERSION_MEMBER_EPOCH)
		return KP_UNSUPPORTED_VERSION;
	if (commit->generation_id == member->epoch ||
	    has_all_since(member, commit))
		return KP_NONE;
	/* TxnOffsetCommit knows of generations only. */
	return commit->transaction != NULL ? KP_ILLEGAL_GENERATION :
					     KP_STALE_MEMBER_EPOCH;
}

enum kp_error
streams_check_fetch(
    const struct streams_group *streams, const struct group_fetch *fetch)
{
	const struct streams_member *member;

	if (slice_is_null(fetch->member_id) && fetch->member_epoch < 0)
		return KP_NONE;
	member = slice_is_null(fetch->member_id) ?
	    NULL :
	    streams_member_find(streams, fetch->member_id);
	if (member == NULL)
		return KP_UNKNOWN_MEMBER_ID;
	return fetch->member_epoch == member->epoch ? KP_NONE :
						      KP_STALE_MEMBER_EPOCH;
}
