/*
 * ShareGroupHeartbeat, version 1: a member of a share group joins, lives and
 * leaves (KIP-932).
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "coord/java_hash.h"
#include "wire/generated/share_group_heartbeat.h"

/* Nothing but the error, and its text. */
static void
reply_error(struct request *request, enum kp_error error, struct slice message)
{
	struct kp_share_group_heartbeat_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->error_message = message;
	request_reply(request, response);
}

static void
fail_share_group_heartbeat(struct request *request, enum kp_error error)
{
	reply_error(request, error, SLICE_NULL);
}

static void
answer(struct request *request)
{
	const struct coordinated_one *one = request->state;
	struct kp_share_group_heartbeat_response *response = one->response;
	enum kp_error error = one->call->call.error;

	if (error == KP_NONE)
		request_reply(request, response);
	else
		reply_error(request, error,
		    slice_is_null(response->error_message) ?
			slice_str(kp_error_message(error)) :
			response->error_message);
}

/* Clients choose their ids: the text of a uuid, or what is not longer. */
#define MEMBER_ID_LEN_MAX 36

static bool
member_id_valid(struct slice id)
{
	return id.len > 0 && java_hash_utf16_len(id) <= MEMBER_ID_LEN_MAX;
}

/* Who may not describe a topic may not learn by subscribing that it exists. */
static bool
topics_allowed(const struct request *request)
{
	const struct kp_share_group_heartbeat_request *body = request->body;

	for (int32_t i = 0; i < body->subscribed_topic_names_count; i++)
		if (!request_allows(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC,
			body->subscribed_topic_names[i]))
			return false;
	return true;
}

static enum kp_error
check(const struct request *request)
{
	const struct kp_share_group_heartbeat_request *body = request->body;

	if (!group_coordinator_serves_shares(request->server->groups))
		return KP_UNSUPPORTED_VERSION;
	if (!coordinated_allowed(request, ACL_READ, body->group_id))
		return KP_GROUP_AUTHORIZATION_FAILED;
	if (!member_id_valid(body->member_id))
		return KP_INVALID_REQUEST;
	return topics_allowed(request) ? KP_NONE :
					 KP_TOPIC_AUTHORIZATION_FAILED;
}

static void
handle_share_group_heartbeat(struct request *request)
{
	const struct kp_share_group_heartbeat_request *body = request->body;
	enum kp_error error = check(request);
	struct coordinated_one *one;

	if (error != KP_NONE) {
		request_fail(request, error);
		return;
	}
	one = coordinated_one_new(request, answer);
	group_coordinator_share_heartbeat(
	    request->server->groups, one->call, body, one->response);
	coordinated_wait(one->all);
}

const struct api api_share_group_heartbeat =
    API_ROW(share_group_heartbeat, API_ENTRIES,
	.fail = fail_share_group_heartbeat);
