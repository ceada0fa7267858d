/*
 * The operations of consumer groups on a shard.
 */
#include "coord/consumer_heartbeat.h"
#include "wire/generated/consumer_group_describe.h"
#include "wire/generated/consumer_group_heartbeat.h"

void
group_shard_consumer_heartbeat(struct group_shard *shard,
    struct group_call *call,
    const struct kp_consumer_group_heartbeat_request *request,
    struct kp_consumer_group_heartbeat_response *response)
{
	enum kp_error error = shard_enter(&shard->shard);
	int64_t end_offset;

	if (error != KP_NONE) {
		call->call.error = error;
		call->call.done(&call->call);
		return;
	}
	end_offset = shard->shard.end_offset;
	error = consumer_heartbeat(shard, call, request, response);
	/* Who is told nothing new need not wait for what others wrote. */
	if (response->assignment == NULL &&
	    shard->shard.end_offset == end_offset)
		shard_reply_at_once(&shard->shard, &call->call, error);
	else
		shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}

static void
describe_missing(const struct group *group, struct arena *arena,
    struct kp_consumer_group_describe_response_group *out)
{
	out->error_code = KP_GROUP_ID_NOT_FOUND;
	if (arena_left(arena) <= GROUP_ANSWER_SPARE_BYTES + out->group_id.len)
		return;
	out->error_message = arena_printf(arena,
	    group == NULL ? "Group %.*s not found." :
			    "Group %.*s is not a consumer group.",
	    SLICE_ARG(out->group_id));
}

void
group_shard_consumer_describe(struct group_shard *shard,
    struct group_call *call, struct slice group_id,
    struct kp_consumer_group_describe_response_group *out)
{
	enum kp_error error = shard_enter(&shard->shard);
	const struct group *group;

	out->group_id = group_id;
	if (error != KP_NONE) {
		call->call.error = error;
		call->call.done(&call->call);
		return;
	}
	group = group_find(shard, group_id);
	if (group == NULL || group->consumer == NULL)
		describe_missing(group, call->arena, out);
	else if (!consumer_group_describe(group->consumer, call->arena, out))
		out->error_code = KP_UNKNOWN_SERVER_ERROR;
	shard_reply_at_once(&shard->shard, &call->call, KP_NONE);
	shard_leave(&shard->shard);
}
