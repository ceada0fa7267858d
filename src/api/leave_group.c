/*
 * LeaveGroup, versions 0-5: one member below version 3, then several.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/leave_group.h"

static void
answer(struct request *request)
{
	const struct coordinated_one *one = request->state;
	enum kp_error error = one->call->call.error;

	if (error != KP_NONE)
		request_fail(request, error);
	else
		request_reply(request, one->response);
}

static void
handle_leave_group(struct request *request)
{
	const struct kp_leave_group_request *body = request->body;
	enum kp_error error = coordinated_check(request, body->group_id);
	struct coordinated_one *one;

	if (error != KP_NONE) {
		request_fail(request, error);
		return;
	}
	one = coordinated_one_new(request, answer);
	group_coordinator_leave(
	    request->server->groups, one->call, body, one->response);
	coordinated_wait(one->all);
}

const struct api api_leave_group = API_ROW(leave_group, API_ENTRIES);
