/*
 * LeaveGroup, versions 0-5: one member below version 3, then several.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/leave_group.h"

struct state {
	struct group_call *call;
	struct kp_leave_group_response *response;
};

static void
answer(struct request *request)
{
	const struct state *state = request->state;
	enum kp_error error = state->call->call.error;

	if (error != KP_NONE)
		request_fail(request, error);
	else
		request_reply(request, state->response);
}

static void
handle_leave_group(struct request *request)
{
	const struct kp_leave_group_request *body = request->body;
	struct coordinated *all;
	struct state *state;

	if (!coordinated_allowed(request, ACL_READ, body->group_id)) {
		request_fail(request, KP_GROUP_AUTHORIZATION_FAILED);
		return;
	}
	if (body->group_id.len == 0) {
		request_fail(request, KP_INVALID_GROUP_ID);
		return;
	}
	all = coordinated_new(request, answer);
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	state->call = coordinated_call(all);
	state->response = request_response_new(request);
	request->state = state;
	group_coordinator_leave(
	    request->server->groups, state->call, body, state->response);
	coordinated_wait(all);
}

const struct api api_leave_group = API_ROW(leave_group, API_ENTRIES);
