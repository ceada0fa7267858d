/*
 * ConsumerGroupHeartbeat, versions 0-1: a member of a consumer group joins,
 * lives and leaves (KIP-848).
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/consumer_group_heartbeat.h"

/* Nothing but the error, and its text. */
static void
reply_error(struct request *request, enum kp_error error, struct slice message)
{
	struct kp_consumer_group_heartbeat_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->error_message = slice_is_null(message) ?
	    slice_str(kp_error_message(error)) :
	    message;
	request_reply(request, response);
}

static void
fail_consumer_group_heartbeat(struct request *request, enum kp_error error)
{
	reply_error(request, error, SLICE_NULL);
}

static void
answer(struct request *request)
{
	const struct coordinated_one *one = request->state;
	struct kp_consumer_group_heartbeat_response *response = one->response;
	enum kp_error error = one->call->call.error;

	if (error == KP_NONE)
		request_reply(request, response);
	else
		reply_error(request, error, response->error_message);
}

/* Who may not describe a topic may not learn by subscribing that it exists. */
static bool
topics_allowed(const struct request *request)
{
	const struct kp_consumer_group_heartbeat_request *body = request->body;

	for (int32_t i = 0; i < body->subscribed_topic_names_count; i++)
		if (!request_allows(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC,
			body->subscribed_topic_names[i]))
			return false;
	return true;
}

static enum kp_error
check(const struct request *request)
{
	const struct kp_consumer_group_heartbeat_request *body = request->body;

	if (!group_coordinator_serves_consumers(request->server->groups))
		return KP_UNSUPPORTED_VERSION;
	if (!coordinated_allowed(request, ACL_READ, body->group_id))
		return KP_GROUP_AUTHORIZATION_FAILED;
	return topics_allowed(request) ? KP_NONE :
					 KP_TOPIC_AUTHORIZATION_FAILED;
}

static void
handle_consumer_group_heartbeat(struct request *request)
{
	const struct kp_consumer_group_heartbeat_request *body = request->body;
	enum kp_error error = check(request);
	struct coordinated_one *one;

	if (error != KP_NONE) {
		request_fail(request, error);
		return;
	}
	one = coordinated_one_new(request, answer);
	group_coordinator_consumer_heartbeat(
	    request->server->groups, one->call, body, one->response);
	coordinated_wait(one->all);
}

const struct api api_consumer_group_heartbeat =
    API_ROW(consumer_group_heartbeat, API_ENTRIES,
	.fail = fail_consumer_group_heartbeat);
