/*
 * What a group is as a streams group, and the operations of these on a shard.
 */
#include "coord/streams_heartbeat.h"
#include "coord/streams_offsets.h"
#include "coord/streams_record.h"
#include "wire/generated/streams_group_describe.h"
#include "wire/generated/streams_group_heartbeat.h"

/* --- The kind ------------------------------------------------------------ */

static const char *
state(const struct group *group)
{
	return streams_group_state(group->streams);
}

static int32_t
members_count(const struct group *group)
{
	return streams_group_count(group->streams);
}

static enum kp_error
check_commit(const struct group *group, const struct group_commit *commit,
    int16_t version)
{
	return streams_check_commit(group->streams, commit, version);
}

static enum kp_error
check_fetch(const struct group *group, const struct group_fetch *fetch)
{
	return streams_check_fetch(group->streams, fetch);
}

static bool
subscribes(const struct group *group, struct slice topic)
{
	return streams_group_subscribes(group->streams, topic);
}

static size_t
refresh(struct group *group, const struct map *names)
{
	struct streams_group *streams = group->streams;
	struct arena arena;
	const struct slice *required;
	int32_t count;

	if (streams->refresh || streams->topology == NULL)
		return 0;
	arena_init(&arena, SIZE_MAX);
	required = streams_topology_required(streams->topology, &arena, &count);
	for (int32_t i = 0; i < count && !streams->refresh; i++)
		streams->refresh = map_get(names, required[i]) != NULL;
	arena_reset(&arena);
	return (size_t)count;
}

static void
start_sessions(struct group *group)
{
	streams_group_start_sessions(group->streams);
}

static void
emit_end(struct group *group)
{
	streams_emit_end(group->streams);
}

static void
end(struct group *group)
{
	streams_group_free(group->streams);
	group->streams = NULL;
}

static const struct group_kind kind = {
	.name = "streams",
	.commits = true,
	.state = state,
	.members_count = members_count,
	.check_commit = check_commit,
	.check_fetch = check_fetch,
	.subscribes = subscribes,
	.refresh = refresh,
	.start_sessions = start_sessions,
	.emit_end = emit_end,
	.free = end,
};

void
group_become_streams(struct group *group)
{
	if (group->streams != NULL)
		return;
	group_become(group, &kind);
	group->streams = streams_group_new(group);
}

/* --- Operations ---------------------------------------------------------- */

void
group_shard_streams_heartbeat(struct group_shard *shard,
    struct group_call *call,
    const struct kp_streams_group_heartbeat_request *request,
    struct group_streams_result *result)
{
	enum kp_error error;
	int64_t end_offset;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	end_offset = shard->shard.end_offset;
	error = streams_heartbeat(shard, call, request, result);
	shard_reply_heartbeat(&shard->shard, &call->call, error,
	    result->response->active_tasks != NULL, end_offset);
	shard_leave(&shard->shard);
}

void
group_shard_streams_describe(struct group_shard *shard, struct group_call *call,
    struct slice group_id, struct kp_streams_group_describe_response_group *out)
{
	const struct group *group;

	out->group_id = group_id;
	if (!shard_begin(&shard->shard, &call->call))
		return;
	group = group_find(shard, group_id);
	if (group == NULL || group->streams == NULL)
		out->error_code = (int16_t)group_missing(group, group_id,
		    "streams", call->arena, &out->error_message);
	else if (!streams_group_describe(group->streams, call->arena, out))
		out->error_code = KP_UNKNOWN_SERVER_ERROR;
	shard_reply_at_once(&shard->shard, &call->call, KP_NONE);
	shard_leave(&shard->shard);
}
