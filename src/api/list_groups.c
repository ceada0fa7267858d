/*
 * ListGroups, versions 0-5.  Who may not describe the cluster sees the groups
 * that he may describe.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/list_groups.h"

static void
hide(const struct request *request, struct kp_list_groups_response *response)
{
	int32_t count = 0;

	if (request_allows(
		request, ACL_DESCRIBE, ACL_RESOURCE_CLUSTER, ACL_CLUSTER_NAME))
		return;
	for (int32_t i = 0; i < response->groups_count; i++)
		if (coordinated_allowed(
			request, ACL_DESCRIBE, response->groups[i].group_id))
			response->groups[count++] = response->groups[i];
	response->groups_count = count;
}

static void
handle_list_groups(struct request *request)
{
	struct kp_list_groups_response *response =
	    request_response_new(request);
	enum kp_error error;

	error = group_coordinator_list(request->server->groups, &request->arena,
	    request->node_id, request->body, response);
	if (error != KP_NONE) {
		request_fail(request, error);
		return;
	}
	hide(request, response);
	request_reply(request, response);
}

const struct api api_list_groups = API_ROW(list_groups, API_ENTRIES);
