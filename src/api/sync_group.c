/*
 * SyncGroup, versions 0-5.  Followers are answered when the leader has given
 * its assignment.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/sync_group.h"

/* From here on the protocol must be named. */
#define VERSION_PROTOCOL 5

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
	const struct coordinated_one *one = request->state;
	enum kp_error error = one->call->call.error;

	if (error != KP_NONE)
		fail_sync_group(request, error);
	else
		request_reply(request, one->response);
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
	return coordinated_check(request, body->group_id);
}

static void
handle_sync_group(struct request *request)
{
	enum kp_error error = check(request);
	struct coordinated_one *one;

	if (error != KP_NONE) {
		fail_sync_group(request, error);
		return;
	}
	one = coordinated_one_new(request, answer);
	group_coordinator_sync(
	    request->server->groups, one->call, request->body, one->response);
	coordinated_wait(one->all);
}

const struct api api_sync_group =
    API_ROW(sync_group, API_ENTRIES, .fail = fail_sync_group);
