/*
 * DescribeGroups, versions 0-6: classic groups with their members.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/partitions.h"
#include "wire/codec.h"
#include "wire/generated/describe_groups.h"

#define OPERATIONS_NOT_ASKED INT32_MIN

struct state {
	struct kp_describe_groups_response *response;
	struct group_call **calls; /* NULL: answered without */
};

/* The entry says nothing but error. */
static void
entry_fail(
    struct kp_describe_groups_response_group *group, enum kp_error error)
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
		    OPERATIONS_NOT_ASKED;
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

	if (call == NULL)
		return;
	if (call->call.error != KP_NONE)
		entry_fail(group, call->call.error);
	else if (body->include_authorized_operations &&
	    group->error_code == KP_NONE)
		group->authorized_operations = request_operations(
		    request, ACL_RESOURCE_GROUP, group->group_id);
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

/*
 * The calls of all groups that may be described.  They are made before the
 * first group fills the arena.
 */
static struct state *
state_of(struct request *request, struct coordinated *all)
{
	struct state *state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	struct kp_describe_groups_response *response = response_of(request);

	state->response = response;
	state->calls = arena_xcalloc(&request->arena,
	    (size_t)response->groups_count, sizeof(struct group_call *));
	for (int32_t i = 0; i < response->groups_count; i++) {
		struct kp_describe_groups_response_group *group =
		    &response->groups[i];

		if (coordinated_allowed(request, ACL_DESCRIBE, group->group_id))
			state->calls[i] = coordinated_call(all);
		else
			group->error_code = KP_GROUP_AUTHORIZATION_FAILED;
	}
	return state;
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
	request->state = state = state_of(request, all);
	for (int32_t i = 0; i < state->response->groups_count; i++)
		if (state->calls[i] != NULL)
			group_coordinator_describe(request->server->groups,
			    state->calls[i],
			    state->response->groups[i].group_id,
			    &state->response->groups[i]);
	coordinated_wait(all);
}

const struct api api_describe_groups =
    API_ROW(describe_groups, API_ENTRIES, .fail = fail_describe_groups);
