/*
 * What a group is as a share group, and the operations of members and readers
 * on it; see group_share_offsets.c for those of administrators.
 */
#include "coord/group_share_offsets.h"
#include "coord/share_group_heartbeat.h"
#include "coord/share_group_record.h"
#include "wire/generated/share_group_describe.h"
#include "wire/generated/share_group_heartbeat.h"

/* --- The kind ------------------------------------------------------------- */

static const char *
state(const struct group *group)
{
	return share_group_state(group->share);
}

static int32_t
members_count(const struct group *group)
{
	return share_group_count(group->share);
}

static bool
subscribes(const struct group *group, struct slice topic)
{
	return map_get(&group->share->topics, topic) != NULL;
}

static size_t
refresh(struct group *group, const struct map *names)
{
	struct share_group *share = group->share;
	const struct consumer_topic *topic;
	size_t count = 0;

	for (size_t at = 0; !share->refresh &&
	     (topic = map_next(&share->topics, &at)) != NULL;
	     count++)
		share->refresh = map_get(names, topic->name) != NULL;
	return count;
}

static void
start_sessions(struct group *group)
{
	share_group_start_sessions(group->share);
}

static void
emit_end(struct group *group)
{
	share_emit_end(group->share);
}

static void
end(struct group *group)
{
	share_group_free(group->share);
	group->share = NULL;
}

/* Offsets are not committed: the share coordinator keeps what is delivered. */
static const struct group_kind kind = {
	.name = "share",
	.commits = false,
	.state = state,
	.members_count = members_count,
	.subscribes = subscribes,
	.refresh = refresh,
	.start_sessions = start_sessions,
	.emit_end = emit_end,
	.free = end,
};

void
group_become_share(struct group *group)
{
	if (group->share != NULL)
		return;
	group_become(group, &kind);
	group->share = share_group_new(group);
}

/* --- Operations ----------------------------------------------------------- */

void
group_shard_share_heartbeat(struct group_shard *shard, struct group_call *call,
    const struct kp_share_group_heartbeat_request *request,
    struct kp_share_group_heartbeat_response *response)
{
	enum kp_error error;
	struct share_group_states *states;
	int64_t end_offset;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	end_offset = shard->shard.end_offset;
	error = share_group_heartbeat(shard, call, request, response, &states);
	if (states != NULL)
		group_share_initialize(shard, states);
	shard_reply_heartbeat(&shard->shard, &call->call, error,
	    response->assignment != NULL, end_offset);
	shard_leave(&shard->shard);
}

void
group_shard_share_describe(struct group_shard *shard, struct group_call *call,
    struct slice group_id, struct kp_share_group_describe_response_group *out)
{
	const struct group *group;

	out->group_id = group_id;
	if (!shard_begin(&shard->shard, &call->call))
		return;
	group = group_find(shard, group_id);
	if (group == NULL || group->share == NULL)
		out->error_code = (int16_t)group_missing(group, group_id,
		    "share", call->arena, &out->error_message);
	else if (!share_group_describe(group->share, call->arena, out))
		out->error_code = KP_UNKNOWN_SERVER_ERROR;
	shard_reply_at_once(&shard->shard, &call->call, KP_NONE);
	shard_leave(&shard->shard);
}

/* What a partition takes, in this list and the answer that is made of it. */
#define LISTED_PARTITION_BYTES 640

void
group_shard_share_partitions(struct group_shard *shard, struct group_call *call,
    struct slice group_id, struct consumer_assignment *partitions)
{
	enum kp_error error = KP_NONE;
	const struct consumer_assignment *known;
	const struct group *group;

	*partitions = (struct consumer_assignment){ NULL, 0 };
	if (!shard_begin(&shard->shard, &call->call))
		return;
	group = group_find(shard, group_id);
	known = group == NULL || group->share == NULL ?
	    partitions :
	    &group->share->partitions.initialized;
	if (arena_left(call->arena) <= GROUP_ANSWER_SPARE_BYTES +
		LISTED_PARTITION_BYTES * (size_t)known->count)
		error = KP_UNKNOWN_SERVER_ERROR;
	else
		*partitions = consumer_assignment_at(call->arena, known, 0);
	shard_reply_at_once(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}
