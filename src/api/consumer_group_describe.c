/*
 * ConsumerGroupDescribe, versions 0-1: consumer groups with their members and
 * assignments (KIP-848).
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/partitions.h"
#include "wire/codec.h"
#include "wire/generated/consumer_group_describe.h"

struct state {
	struct kp_consumer_group_describe_response *response;
	struct group_call **calls;
};

/* --- Answers ------------------------------------------------------------- */

/* The entry says nothing but error. */
static void
entry_fail(struct kp_consumer_group_describe_response_group *group,
    enum kp_error error, struct slice message)
{
	struct slice group_id = group->group_id;

	kp_defaults_struct(
	    &kp_consumer_group_describe_response_group_struct, group);
	group->group_id = group_id;
	group->error_code = (int16_t)error;
	group->error_message = message;
}

static struct kp_consumer_group_describe_response *
response_of(struct request *request)
{
	const struct kp_consumer_group_describe_request *body = request->body;
	struct kp_consumer_group_describe_response *response =
	    request_response_new(request);
	int32_t count = MAX(body->group_ids_count, 0);

	response->groups = kp_array(&request->arena,
	    &kp_consumer_group_describe_response_group_struct, count);
	assert(response->groups != NULL);
	response->groups_count = count;
	for (int32_t i = 0; i < count; i++)
		response->groups[i].group_id = body->group_ids[i];
	return response;
}

static void
fail_consumer_group_describe(struct request *request, enum kp_error error)
{
	struct kp_consumer_group_describe_response *response =
	    response_of(request);

	for (int32_t i = 0; i < response->groups_count; i++)
		response->groups[i].error_code = (int16_t)error;
	request_reply(request, response);
}

/* --- Topics that must not be shown ---------------------------------------- */

static bool
may_describe(const struct request *request, struct slice topic)
{
	return request_allows(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC, topic);
}

static bool
assignment_allowed(const struct request *request,
    const struct kp_consumer_group_describe_response_assignment *assignment)
{
	for (int32_t i = 0; i < assignment->topic_partitions_count; i++)
		if (!may_describe(
			request, assignment->topic_partitions[i].topic_name))
			return false;
	return true;
}

static bool
member_allowed(const struct request *request,
    const struct kp_consumer_group_describe_response_member *member)
{
	for (int32_t i = 0; i < member->subscribed_topic_names_count; i++)
		if (!may_describe(request, member->subscribed_topic_names[i]))
			return false;
	return assignment_allowed(request, &member->assignment) &&
	    assignment_allowed(request, &member->target_assignment);
}

static bool
group_allowed(const struct request *request,
    const struct kp_consumer_group_describe_response_group *group)
{
	for (int32_t i = 0; i < group->members_count; i++)
		if (!member_allowed(request, &group->members[i]))
			return false;
	return true;
}

/* --- The request ---------------------------------------------------------- */

static void
finish(struct request *request, const struct group_call *call,
    struct kp_consumer_group_describe_response_group *group)
{
	const struct kp_consumer_group_describe_request *body = request->body;

	if (call->call.error != KP_NONE)
		entry_fail(group, call->call.error, SLICE_NULL);
	else if (!group_allowed(request, group))
		entry_fail(group, KP_TOPIC_AUTHORIZATION_FAILED,
		    slice_str(COORDINATED_TOPICS_DENIED));
	else if (group->error_code == KP_NONE)
		group->authorized_operations = coordinated_operations(request,
		    body->include_authorized_operations, group->group_id);
}

static void
answer(struct request *request)
{
	const struct state *state = request->state;
	struct kp_consumer_group_describe_response *response = state->response;

	for (int32_t i = 0; i < response->groups_count; i++)
		finish(request, state->calls[i], &response->groups[i]);
	request_reply(request, response);
}

static void
describe(struct request *request, struct group_call *call,
    struct kp_consumer_group_describe_response_group *group)
{
	if (group->group_id.len == 0 && call->call.error == KP_NONE)
		group->error_code = KP_INVALID_GROUP_ID;
	else if (call->call.error == KP_NONE)
		group_coordinator_consumer_describe(
		    request->server->groups, call, group->group_id, group);
}

static void
handle_consumer_group_describe(struct request *request)
{
	const struct kp_consumer_group_describe_request *body = request->body;
	struct coordinated *all;
	struct state *state;

	if (body->group_ids_count > PARTITIONS_MAX) {
		request_close(request, "a description of too many groups");
		return;
	}
	if (!group_coordinator_serves_consumers(request->server->groups)) {
		request_fail(request, KP_UNSUPPORTED_VERSION);
		return;
	}
	all = coordinated_new(request, answer);
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	state->response = response_of(request);
	state->calls = coordinated_describe(
	    all, body->group_ids, state->response->groups_count);
	request->state = state;
	for (int32_t i = 0; i < state->response->groups_count; i++)
		describe(request, state->calls[i], &state->response->groups[i]);
	coordinated_wait(all);
}

const struct api api_consumer_group_describe = API_ROW(
    consumer_group_describe, API_ENTRIES, .fail = fail_consumer_group_describe);
