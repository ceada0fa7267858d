/*
 * DescribeGroups, versions 0-6: classic groups with their members.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/partitions.h"
#include "wire/codec.h"
#include "wire/generated/describe_groups.h"

struct state {
	struct kp_describe_groups_response *response;
	struct group_call **calls;
};

/* The entry says nothing but error. */
static void
entry_fail(struct kp_describe_groups_response_group *group, enum kp_error error)
{
	group->error_code = (int16_t)error;
	group->error_message = SLICE_NULL;
	group->group_state = slice_str("");
	group->protocol_type = slice_str("");
	group->protocol_data = slice_str("");
	group->members = NULL;
	group->members_count = 0;
}

static struct kp_describe_groups_response *
response_of(struct request *request)
{
	const struct kp_describe_groups_request *body = request->body;
	struct kp_describe_groups_response *response =
	    request_response_new(request);
	int32_t count = MAX(body->groups_count, 0);

	response->groups = kp_array(
	    &request->arena, &kp_describe_groups_response_group_struct, count);
	assert(response->groups != NULL);
	response->groups_count = count;
	for (int32_t i = 0; i < count; i++) {
		response->groups[i].group_id = body->groups[i];
		response->groups[i].authorized_operations =
		    COORDINATED_OPERATIONS_NONE;
	}
	return response;
}

static void
fail_describe_groups(struct request *request, enum kp_error error)
{
	struct kp_describe_groups_response *response = response_of(request);

	for (int32_t i = 0; i < response->groups_count; i++)
		response->groups[i].error_code = (int16_t)error;
	request_reply(request, response);
}

static void
finish(struct request *request, const struct group_call *call,
    struct kp_describe_groups_response_group *group)
{
	const struct kp_describe_groups_request *body = request->body;

	if (call->call.error != KP_NONE)
		entry_fail(group, call->call.error);
	else if (group->error_code == KP_NONE)
		group->authorized_operations = coordinated_operations(request,
		    body->include_authorized_operations, group->group_id);
}

static void
answer(struct request *request)
{
	const struct state *state = request->state;
	struct kp_describe_groups_response *response = state->response;

	for (int32_t i = 0; i < response->groups_count; i++)
		finish(request, state->calls[i], &response->groups[i]);
	request_reply(request, response);
}

static void
handle_describe_groups(struct request *request)
{
	const struct kp_describe_groups_request *body = request->body;
	struct coordinated *all;
	struct state *state;

	if (body->groups_count > PARTITIONS_MAX) {
		request_close(request, "a description of too many groups");
		return;
	}
	all = coordinated_new(request, answer);
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	state->response = response_of(request);
	state->calls = coordinated_describe(
	    all, body->groups, state->response->groups_count);
	request->state = state;
	for (int32_t i = 0; i < state->response->groups_count; i++)
		if (state->calls[i]->call.error == KP_NONE)
			group_coordinator_describe(request->server->groups,
			    state->calls[i],
			    state->response->groups[i].group_id,
			    &state->response->groups[i]);
	coordinated_wait(all);
}

const struct api api_describe_groups =
    API_ROW(describe_groups, API_ENTRIES, .fail = fail_describe_groups);
