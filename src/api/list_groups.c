/*
 * ListGroups, versions 0-5.  Who may not describe the cluster sees the groups
 * that he may describe.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/list_groups.h"

struct state {
	struct group_call *call;
	struct kp_list_groups_response *response;
};

static void
hide(const struct request *request, struct kp_list_groups_response *response)
{
	int32_t count = 0;

	if (request_sees(
		request, ACL_DESCRIBE, ACL_RESOURCE_CLUSTER, ACL_CLUSTER_NAME))
		return;
	for (int32_t i = 0; i < response->groups_count; i++)
		if (request_sees(request, ACL_DESCRIBE, ACL_RESOURCE_GROUP,
			response->groups[i].group_id))
			response->groups[count++] = response->groups[i];
	response->groups_count = count;
}

static void
answer(struct request *request)
{
	const struct state *state = request->state;

	if (state->call->call.error != KP_NONE) {
		request_fail(request, state->call->call.error);
		return;
	}
	hide(request, state->response);
	request_reply(request, state->response);
}

static void
handle_list_groups(struct request *request)
{
	struct coordinated *all = coordinated_new(request, answer);
	struct state *state = arena_xcalloc(&request->arena, 1, sizeof(*state));

	state->response = request_response_new(request);
	state->call = coordinated_call(all);
	request->state = state;
	group_coordinator_list(request->server->groups, state->call,
	    request->body, state->response);
	coordinated_wait(all);
}

const struct api api_list_groups = API_ROW(list_groups, API_ENTRIES);
