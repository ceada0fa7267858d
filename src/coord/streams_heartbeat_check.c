/*
 * What a heartbeat of a streams group's member has to be, whatever the group.
 */
#include "coord/streams_heartbeat.h"

#include "base/slice.h"
#include "wire/generated/streams_group_heartbeat.h"

#define REQUEST kp_streams_group_heartbeat_request
#define REQUEST_TASKS kp_streams_group_heartbeat_request_task_ids
#define REQUEST_PART kp_streams_group_heartbeat_request_subtopology

/*
 * What one request may name; Kafka has no limits, and an application fewer
 * topics, tags and tasks.
 */
#define NAMES_MAX 100000
#define TAGS_MAX 1000
#define OWNED_MAX 1000000

static enum kp_error
refuse(struct slice *message, const char *text)
{
	*message = slice_str(text);
	return KP_INVALID_REQUEST;
}

/* Present, and nothing but blanks. */
static bool
blank(struct slice text)
{
	return !slice_is_null(text) && slice_trim(text).len == 0;
}

static enum kp_error
check_supported(const struct REQUEST *request, struct slice *message)
{
	if (!slice_is_null(request->instance_id))
		return refuse(
		    message, "Static membership is not yet supported.");
	if (request->task_offsets_count >= 0)
		return refuse(message, "TaskOffsets are not supported yet.");
	if (request->task_end_offsets_count >= 0)
		return refuse(message, "TaskEndOffsets are not supported yet.");
	if (request->warmup_tasks_count > 0)
		return refuse(message, "WarmupTasks are not supported yet.");
	for (int32_t i = 0; request->topology != NULL &&
	    i < request->topology->subtopologies_count;
	    i++)
		if (request->topology->subtopologies[i]
			.source_topic_regex_count > 0)
			return refuse(message,
			    "Regular expressions for source topics are not "
			    "supported yet.");
	return KP_NONE;
}

static enum kp_error
check_changelogs(
    const struct REQUEST_PART *part, struct arena *arena, struct slice *message)
{
	for (int32_t i = 0; i < part->state_changelog_topics_count; i++) {
		if (part->state_changelog_topics[i].partitions == 0)
			continue;
		*message = arena_printf(arena,
		    "Changelog topic %.*s must have an undefined partition "
		    "count, but it is set to %d.",
		    SLICE_ARG(part->state_changelog_topics[i].name),
		    part->state_changelog_topics[i].partitions);
		return KP_STREAMS_INVALID_TOPOLOGY;
	}
	return KP_NONE;
}

static enum kp_error
check_join(
    const struct REQUEST *request, struct arena *arena, struct slice *message)
{
	enum kp_error error = KP_NONE;

	if (request->rebalance_timeout_ms == -1)
		return refuse(message,
		    "RebalanceTimeoutMs must be provided in first request.");
	if (request->active_tasks_count != 0)
		return refuse(
		    message, "ActiveTasks must be empty when (re-)joining.");
	if (request->standby_tasks_count != 0)
		return refuse(
		    message, "StandbyTasks must be empty when (re-)joining.");
	if (request->warmup_tasks_count != 0)
		return refuse(
		    message, "WarmupTasks must be empty when (re-)joining.");
	if (request->topology == NULL)
		return refuse(
		    message, "Topology must be non-null when (re-)joining.");
	for (int32_t i = 0;
	    error == KP_NONE && i < request->topology->subtopologies_count; i++)
		error = check_changelogs(
		    &request->topology->subtopologies[i], arena, message);
	return error;
}

static enum kp_error
check_epoch_said(
    const struct REQUEST *request, struct arena *arena, struct slice *message)
{
	if (request->member_epoch == STREAMS_EPOCH_JOIN)
		return check_join(request, arena, message);
	if (request->member_epoch == STREAMS_EPOCH_AWAY)
		return refuse(message, "InstanceId can't be null.");
	if (request->member_epoch > STREAMS_EPOCH_AWAY)
		return KP_NONE;
	*message = arena_printf(arena,
	    "MemberEpoch is %d, but must be greater than or equal to -2.",
	    request->member_epoch);
	return KP_INVALID_REQUEST;
}

int64_t
streams_heartbeat_tasks(const struct REQUEST_TASKS *parts, int32_t count)
{
	int64_t total = 0;

	for (int32_t i = 0; i < count; i++)
		total += MAX(parts[i].partitions_count, 0);
	return total;
}

/* Topics, their settings, and what says which have the same keys. */
static int64_t
names_said(const struct REQUEST_PART *part)
{
	int64_t count = 1 + part->source_topics_count +
	    part->repartition_sink_topics_count +
	    part->state_changelog_topics_count +
	    part->repartition_source_topics_count +
	    part->copartition_groups_count;

	for (int32_t i = 0; i < part->state_changelog_topics_count; i++)
		count += part->state_changelog_topics[i].topic_configs_count;
	for (int32_t i = 0; i < part->repartition_source_topics_count; i++)
		count += part->repartition_source_topics[i].topic_configs_count;
	for (int32_t i = 0; i < part->copartition_groups_count; i++)
		count += part->copartition_groups[i].source_topics_count +
		    part->copartition_groups[i].repartition_source_topics_count;
	return count;
}

static enum kp_error
check_limits(const struct REQUEST *request, struct slice *message)
{
	int64_t names = 0;

	for (int32_t i = 0; request->topology != NULL &&
	    i < request->topology->subtopologies_count;
	    i++)
		names += names_said(&request->topology->subtopologies[i]);
	if (names > NAMES_MAX)
		return refuse(message, "The topology has too many topics.");
	if (request->client_tags_count > TAGS_MAX)
		return refuse(message, "There are too many client tags.");
	if (streams_heartbeat_tasks(
		request->active_tasks, request->active_tasks_count) +
		streams_heartbeat_tasks(
		    request->standby_tasks, request->standby_tasks_count) >
	    OWNED_MAX)
		return refuse(message, "Too many tasks are owned.");
	return KP_NONE;
}

static enum kp_error
check_shape(
    const struct REQUEST *request, struct arena *arena, struct slice *message)
{
	enum kp_error error;
	bool active = request->active_tasks_count >= 0;

	if (blank(request->member_id))
		return refuse(message, "MemberId can't be empty.");
	if (blank(request->group_id))
		return refuse(message, "GroupId can't be empty.");
	if (blank(request->rack_id))
		return refuse(message, "RackId can't be empty.");
	error = check_epoch_said(request, arena, message);
	if (error != KP_NONE)
		return error;
	if (active != (request->standby_tasks_count >= 0) ||
	    active != (request->warmup_tasks_count >= 0))
		return refuse(message,
		    "If one task-type is non-null, all must be non-null.");
	if (request->member_epoch != STREAMS_EPOCH_JOIN &&
	    request->topology != NULL)
		return refuse(message,
		    "Topology can only be provided when (re-)joining.");
	return check_limits(request, message);
}

enum kp_error
streams_heartbeat_check(
    const struct REQUEST *request, struct arena *arena, struct slice *message)
{
	enum kp_error error = check_supported(request, message);

	return error != KP_NONE ? error : check_shape(request, arena, message);
}
