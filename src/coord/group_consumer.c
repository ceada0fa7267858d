/*
 * What a group is as a consumer group, and the operations of these on a shard.
 */
#include "coord/consumer_heartbeat.h"
#include "coord/consumer_offsets.h"
#include "coord/consumer_record.h"
#include "wire/generated/consumer_group_describe.h"
#include "wire/generated/consumer_group_heartbeat.h"

/* --- The kind ------------------------------------------------------------ */

static const char *
state(const struct group *group)
{
	return consumer_group_state(group->consumer);
}

static int32_t
members_count(const struct group *group)
{
	return consumer_group_count(group->consumer);
}

static enum kp_error
check_commit(const struct group *group, const struct group_commit *commit,
    int16_t version)
{
	return consumer_check_commit(group->consumer, commit, version);
}

static enum kp_error
check_fetch(const struct group *group, const struct group_fetch *fetch)
{
	return consumer_check_fetch(group->consumer, fetch);
}

static bool
subscribes(const struct group *group, struct slice topic)
{
	return consumer_group_subscribes(group->consumer, topic);
}

static size_t
refresh(struct group *group, const struct map *names)
{
	struct consumer_group *consumer = group->consumer;
	const struct consumer_topic *topic;
	size_t count = 0;

	for (size_t at = 0; !consumer->refresh &&
	     (topic = map_next(&consumer->topics, &at)) != NULL;
	     count++)
		consumer->refresh = map_get(names, topic->name) != NULL;
	return count;
}

static void
start_sessions(struct group *group)
{
	consumer_group_start_sessions(group->consumer);
}

static void
emit_end(struct group *group)
{
	consumer_emit_end(group->consumer, NULL, SLICE_NULL);
}

static void
end(struct group *group)
{
	consumer_group_free(group->consumer);
	group->consumer = NULL;
}

static const struct group_kind kind = {
	.name = "consumer",
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
group_become_consumer(struct group *group)
{
	if (group->consumer != NULL)
		return;
	group_become(group, &kind);
	group->consumer = consumer_group_new(group->shard, group);
}

/* --- Operations ---------------------------------------------------------- */

void
group_shard_consumer_heartbeat(struct group_shard *shard,
    struct group_call *call,
    const struct kp_consumer_group_heartbeat_request *request,
    struct kp_consumer_group_heartbeat_response *response)
{
	enum kp_error error;
	int64_t end_offset;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	end_offset = shard->shard.end_offset;
	error = consumer_heartbeat(shard, call, request, response);
	shard_reply_heartbeat(&shard->shard, &call->call, error,
	    response->assignment != NULL, end_offset);
	shard_leave(&shard->shard);
}

void
group_shard_consumer_describe(struct group_shard *shard,
    struct group_call *call, struct slice group_id,
    struct kp_consumer_group_describe_response_group *out)
{
	const struct group *group;

	out->group_id = group_id;
	if (!shard_begin(&shard->shard, &call->call))
		return;
	group = group_find(shard, group_id);
	if (group == NULL || group->consumer == NULL)
		out->error_code = (int16_t)group_missing(group, group_id,
		    "consumer", call->arena, &out->error_message);
	else if (!consumer_group_describe(group->consumer, call->arena, out))
		out->error_code = KP_UNKNOWN_SERVER_ERROR;
	shard_reply_at_once(&shard->shard, &call->call, KP_NONE);
	shard_leave(&shard->shard);
}
