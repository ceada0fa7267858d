/*
 * JoinGroup, versions 0-9.  The answer comes when the rebalance completes.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/join_group.h"

/* From here on there is a null for "no protocol". */
#define VERSION_NULLABLE 7

/* Without generation and members. */
static void
clear(enum kp_error error, struct kp_join_group_response *response)
{
	response->error_code = (int16_t)error;
	response->generation_id = -1;
	response->protocol_type = SLICE_NULL;
	response->protocol_name = SLICE_NULL;
	response->leader = slice_str("");
	response->skip_assignment = false;
	response->members_count = 0;
}

static void
reply(struct request *request, struct kp_join_group_response *response)
{
	if (request->version < VERSION_NULLABLE &&
	    slice_is_null(response->protocol_name))
		response->protocol_name = slice_str("");
	request_reply(request, response);
}

static void
fail_join_group(struct request *request, enum kp_error error)
{
	struct kp_join_group_response *response = request_response_new(request);
	const struct kp_join_group_request *body = request->body;

	clear(error, response);
	if (error == KP_INVALID_GROUP_ID)
		response->member_id = body->member_id;
	reply(request, response);
}

static void
answer(struct request *request)
{
	const struct coordinated_one *one = request->state;
	enum kp_error error = one->call->call.error;

	if (error != KP_NONE)
		clear(error, one->response);
	reply(request, one->response);
}

static void
handle_join_group(struct request *request)
{
	struct kp_join_group_request *body = request->body;
	enum kp_error error = coordinated_check(request, body->group_id);
	struct coordinated_one *one;

	if (error != KP_NONE) {
		request_fail(request, error);
		return;
	}
	one = coordinated_one_new(request, answer);
	group_coordinator_join(
	    request->server->groups, one->call, body, one->response);
	coordinated_wait(one->all);
}

const struct api api_join_group =
    API_ROW(join_group, API_ENTRIES, .fail = fail_join_group);
