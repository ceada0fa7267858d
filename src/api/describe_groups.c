/*
 * DescribeGroups, versions 0-6: classic groups with their members.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/partitions.h"
#include "wire/codec.h"
#include "wire/generated/describe_groups.h"

#define OPERATIONS_NOT_ASKED INT32_MIN

static struct kp_describe_groups_response *
response_of(struct request *request)
{
	const struct kp_describe_groups_request *body = request->body;
	struct kp_describe_groups_response *response =
	    request_response_new(request);
	int32_t count = MAX(body->groups_count, 0);

	response->groups = kp_array(
	    &request->arena, &kp_describe_groups_response_group_struct, count);
	assert(response->groups != NULL);
	response->groups_count = count;
	for (int32_t i = 0; i < count; i++) {
		response->groups[i].group_id = body->groups[i];
		response->groups[i].authorized_operations =
		    OPERATIONS_NOT_ASKED;
	}
	return response;
}

static void
fail_describe_groups(struct request *request, enum kp_error error)
{
	struct kp_describe_groups_response *response = response_of(request);

	for (int32_t i = 0; i < response->groups_count; i++)
		response->groups[i].error_code = (int16_t)error;
	request_reply(request, response);
}

static void
describe(
    struct request *request, struct kp_describe_groups_response_group *group)
{
	const struct kp_describe_groups_request *body = request->body;

	if (!coordinated_allowed(request, ACL_DESCRIBE, group->group_id)) {
		group->error_code = KP_GROUP_AUTHORIZATION_FAILED;
		return;
	}
	group_coordinator_describe(request->server->groups, &request->arena,
	    request->node_id, request->version, group->group_id, group);
	if (body->include_authorized_operations && group->error_code == KP_NONE)
		group->authorized_operations = request_operations(
		    request, ACL_RESOURCE_GROUP, group->group_id);
}

static void
handle_describe_groups(struct request *request)
{
	const struct kp_describe_groups_request *body = request->body;
	struct kp_describe_groups_response *response;

	if (body->groups_count > PARTITIONS_MAX) {
		request_close(request, "a description of too many groups");
		return;
	}
	response = response_of(request);
	for (int32_t i = 0; i < response->groups_count; i++)
		describe(request, &response->groups[i]);
	request_reply(request, response);
}

const struct api api_describe_groups =
    API_ROW(describe_groups, API_ENTRIES, .fail = fail_describe_groups);
