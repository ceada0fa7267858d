/*
 * Heartbeat, versions 0-4: a member of a classic group lives on.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/heartbeat.h"

/* Members of a group that is being loaded have no reason to rejoin. */
static void
answer(struct request *request)
{
	const struct group_call *call = request->state;
	enum kp_error error = call->call.error;

	request_fail(request,
	    error == KP_COORDINATOR_LOAD_IN_PROGRESS ? KP_NONE : error);
}

static void
handle_heartbeat(struct request *request)
{
	const struct kp_heartbeat_request *body = request->body;
	enum kp_error error = coordinated_check(request, body->group_id);
	struct coordinated *all;

	if (error != KP_NONE) {
		request_fail(request, error);
		return;
	}
	all = coordinated_new(request, answer);
	request->state = coordinated_call(all);
	group_coordinator_heartbeat(
	    request->server->groups, request->state, body);
	coordinated_wait(all);
}

const struct api api_heartbeat = API_ROW(heartbeat, API_ENTRIES);
