/*
 * ConsumerGroupDescribe, versions 0-1: consumer groups with their members and
 * assignments (KIP-848).
 */
#include "api/api.h"
#include "api/described_groups.h"
#include "wire/generated/consumer_group_describe.h"

static bool
may_describe(const struct request *request, struct slice topic)
{
	return request_allows(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC, topic);
}

static bool
assignment_allowed(const struct request *request,
    const struct kp_consumer_group_describe_response_assignment *assignment)
{
	for (int32_t i = 0; i < assignment->topic_partitions_count; i++)
		if (!may_describe(
			request, assignment->topic_partitions[i].topic_name))
			return false;
	return true;
}

static bool
member_allowed(const struct request *request,
    const struct kp_consumer_group_describe_response_member *member)
{
	for (int32_t i = 0; i < member->subscribed_topic_names_count; i++)
		if (!may_describe(request, member->subscribed_topic_names[i]))
			return false;
	return assignment_allowed(request, &member->assignment) &&
	    assignment_allowed(request, &member->target_assignment);
}

static bool
allowed(const struct request *request, const void *entry)
{
	const struct kp_consumer_group_describe_response_group *group = entry;

	for (int32_t i = 0; i < group->members_count; i++)
		if (!member_allowed(request, &group->members[i]))
			return false;
	return true;
}

static struct described_group
view(void *entry)
{
	struct kp_consumer_group_describe_response_group *group = entry;

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
	group_coordinator_consumer_describe(groups, call, group_id, entry);
}

static const struct described_groups_kind kind = {
	.entry = &kp_consumer_group_describe_response_group_struct,
	.view = view,
	.served = group_coordinator_serves_consumers,
	.describe = describe,
	.allowed = allowed,
	.denied = DESCRIBED_GROUPS_DENIED,
};

static struct described_groups *
groups_of(struct request *request)
{
	const struct kp_consumer_group_describe_request *body = request->body;
	struct kp_consumer_group_describe_response *response =
	    request_response_new(request);
	struct described_groups *groups = described_groups_new(request, &kind,
	    body->group_ids, body->group_ids_count, response);

	groups->operations = body->include_authorized_operations;
	response->groups = groups->entries;
	response->groups_count = groups->count;
	return groups;
}

static void
fail_consumer_group_describe(struct request *request, enum kp_error error)
{
	described_groups_fail(request, groups_of(request), error);
}

static void
handle_consumer_group_describe(struct request *request)
{
	const struct kp_consumer_group_describe_request *body = request->body;

	if (described_groups_admit(request, &kind, body->group_ids_count))
		described_groups_answer(request, groups_of(request));
}

const struct api api_consumer_group_describe = API_ROW(
    consumer_group_describe, API_ENTRIES, .fail = fail_consumer_group_describe);
