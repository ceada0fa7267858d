/*
 * SyncGroup, versions 0-5.  Followers are answered when the leader has given
 * its assignment.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/sync_group.h"

/* From here on the protocol must be named. */
#define VERSION_PROTOCOL 5

struct state {
	struct group_call *call;
	struct kp_sync_group_response *response;
};

static void
fail_sync_group(struct request *request, enum kp_error error)
{
	struct kp_sync_group_response *response = request_response_new(request);

	response->error_code = (int16_t)error;
	response->protocol_type = SLICE_NULL;
	response->protocol_name = SLICE_NULL;
	response->assignment = slice_str("");
	request_reply(request, response);
}

static void
answer(struct request *request)
{
	const struct state *state = request->state;
	enum kp_error error = state->call->call.error;

	if (error != KP_NONE)
		fail_sync_group(request, error);
	else
		request_reply(request, state->response);
}

/* Kafka looks at the protocol before it looks at permissions. */
static enum kp_error
check(const struct request *request)
{
	const struct kp_sync_group_request *body = request->body;

	if (request->version >= VERSION_PROTOCOL &&
	    (slice_is_null(body->protocol_type) ||
		slice_is_null(body->protocol_name)))
		return KP_INCONSISTENT_GROUP_PROTOCOL;
	if (!coordinated_allowed(request, ACL_READ, body->group_id))
		return KP_GROUP_AUTHORIZATION_FAILED;
	return body->group_id.len == 0 ? KP_INVALID_GROUP_ID : KP_NONE;
}

static void
handle_sync_group(struct request *request)
{
	enum kp_error error = check(request);
	struct coordinated *all;
	struct state *state;

	if (error != KP_NONE) {
		fail_sync_group(request, error);
		return;
	}
	all = coordinated_new(request, answer);
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	state->call = coordinated_call(all);
	state->response = request_response_new(request);
	request->state = state;
	group_coordinator_sync(request->server->groups, state->call,
	    request->body, state->response);
	coordinated_wait(all);
}

const struct api api_sync_group =
    API_ROW(sync_group, API_ENTRIES, .fail = fail_sync_group);
