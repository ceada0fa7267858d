/*
 * StreamsGroupDescribe, version 0: streams groups with their topology, members
 * and tasks (KIP-1071).
 */
#include "api/api.h"
#include "api/described_groups.h"
#include "wire/generated/streams_group_describe.h"

#define SUBTOPOLOGY kp_streams_group_describe_response_subtopology
#define TOPIC kp_streams_group_describe_response_topic_info

static bool
may_describe(const struct request *request, struct slice topic)
{
	return request_allows(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC, topic);
}

static bool
names_allowed(
    const struct request *request, const struct slice *names, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (!may_describe(request, names[i]))
			return false;
	return true;
}

static bool
topics_allowed(
    const struct request *request, const struct TOPIC *topics, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (!may_describe(request, topics[i].name))
			return false;
	return true;
}

static bool
part_allowed(const struct request *request, const struct SUBTOPOLOGY *part)
{
	return names_allowed(
		   request, part->source_topics, part->source_topics_count) &&
	    names_allowed(request, part->repartition_sink_topics,
		part->repartition_sink_topics_count) &&
	    topics_allowed(request, part->repartition_source_topics,
		part->repartition_source_topics_count) &&
	    topics_allowed(request, part->state_changelog_topics,
		part->state_changelog_topics_count);
}

static bool
allowed(const struct request *request, const void *entry)
{
	const struct kp_streams_group_describe_response_group *group = entry;

	for (int32_t i = 0;
	    group->topology != NULL && i < group->topology->subtopologies_count;
	    i++)
		if (!part_allowed(request, &group->topology->subtopologies[i]))
			return false;
	return true;
}

static struct described_group
view(void *entry)
{
	struct kp_streams_group_describe_response_group *group = entry;

	return (struct described_group){
		.group_id = &group->group_id,
		.error_code = &group->error_code,
		.error_message = &group->error_message,
		.authorized_operations = &group->authorized_operations,
	};
}

static void
describe(struct group_coordinator *groups, struct group_call *call,
    struct slice group_id, void *entry)
{
	group_coordinator_streams_describe(groups, call, group_id, entry);
}

static const struct described_groups_kind kind = {
	.entry = &kp_streams_group_describe_response_group_struct,
	.view = view,
	.served = group_coordinator_serves_streams,
	.describe = describe,
	.allowed = allowed,
	.denied = "The described group uses topics that the client is not "
		  "authorized to describe.",
};

static struct described_groups *
groups_of(struct request *request)
{
	const struct kp_streams_group_describe_request *body = request->body;
	struct kp_streams_group_describe_response *response =
	    request_response_new(request);
	struct described_groups *groups = described_groups_new(request, &kind,
	    body->group_ids, body->group_ids_count, response);

	groups->operations = body->include_authorized_operations;
	response->groups = groups->entries;
	response->groups_count = groups->count;
	return groups;
}

static void
fail_streams_group_describe(struct request *request, enum kp_error error)
{
	described_groups_fail(request, groups_of(request), error);
}

static void
handle_streams_group_describe(struct request *request)
{
	const struct kp_streams_group_describe_request *body = request->body;

	if (described_groups_admit(request, &kind, body->group_ids_count))
		described_groups_answer(request, groups_of(request));
}

const struct api api_streams_group_describe = API_ROW(
    streams_group_describe, API_ENTRIES, .fail = fail_streams_group_describe);
