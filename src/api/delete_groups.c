/*
 * DeleteGroups, versions 0-2.  A group that is named twice is deleted, and
 * answered, once.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "base/map.h"
#include "wire/generated/delete_groups.h"

struct state {
	struct kp_delete_groups_response *response;
	const struct group_call **calls; /* NULL: answered without */
};

static struct kp_delete_groups_response *
response_of(struct request *request)
{
	const struct kp_delete_groups_request *body = request->body;
	struct kp_delete_groups_response *response =
	    request_response_new(request);
	struct map seen;

	map_init(&seen);
	response->results = arena_xcalloc(&request->arena,
	    (size_t)MAX(body->groups_names_count, 0),
	    sizeof(*response->results));
	response->results_count = 0;
	for (int32_t i = 0; i < body->groups_names_count; i++) {
		struct kp_delete_groups_response_result *result =
		    &response->results[response->results_count];

		result->group_id = body->groups_names[i];
		if (map_set(&seen, result->group_id, result) == NULL)
			response->results_count++;
	}
	map_fini(&seen);
	return response;
}

static void
fail_delete_groups(struct request *request, enum kp_error error)
{
	struct kp_delete_groups_response *response = response_of(request);

	for (int32_t i = 0; i < response->results_count; i++)
		response->results[i].error_code = (int16_t)error;
	request_reply(request, response);
}

static void
answer(struct request *request)
{
	const struct state *state = request->state;
	struct kp_delete_groups_response *response = state->response;

	for (int32_t i = 0; i < response->results_count; i++)
		if (state->calls[i] != NULL)
			response->results[i].error_code =
			    (int16_t)state->calls[i]->call.error;
	request_reply(request, response);
}

static void
handle_delete_groups(struct request *request)
{
	struct kp_delete_groups_response *response = response_of(request);
	struct coordinated *all = coordinated_new(request, answer);
	struct state *state = arena_xcalloc(&request->arena, 1, sizeof(*state));

	state->response = response;
	state->calls = arena_xcalloc(&request->arena,
	    (size_t)response->results_count, sizeof(struct group_call *));
	request->state = state;
	for (int32_t i = 0; i < response->results_count; i++) {
		struct slice group_id = response->results[i].group_id;
		struct group_call *call;

		if (!coordinated_allowed(request, ACL_DELETE, group_id)) {
			response->results[i].error_code =
			    KP_GROUP_AUTHORIZATION_FAILED;
			continue;
		}
		state->calls[i] = call = coordinated_call(all);
		group_coordinator_delete(
		    request->server->groups, call, group_id);
	}
	coordinated_wait(all);
}

const struct api api_delete_groups =
    API_ROW(delete_groups, API_ENTRIES,
    .flags = API_CHANGES, .fail = fail_delete_groups);
