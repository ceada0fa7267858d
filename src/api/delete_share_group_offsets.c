/*
 * DeleteShareGroupOffsets, version 0: a share group without members forgets
 * topics.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/partitions.h"
#include "wire/generated/delete_share_group_offsets.h"

struct state {
	struct group_call *call;
	struct kp_delete_share_group_offsets_response *response;
	struct group_share_offsets offsets; /* topics that may be forgotten */
};

static void
reply_error(struct request *request, enum kp_error error, struct slice message)
{
	struct kp_delete_share_group_offsets_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->error_message = slice_is_null(message) ?
	    slice_str(kp_error_message(error)) :
	    message;
	request_reply(request, response);
}

static void
fail_delete_share_group_offsets(struct request *request, enum kp_error error)
{
	reply_error(request, error, SLICE_NULL);
}

static void
add_entry(struct kp_delete_share_group_offsets_response *response,
    struct slice name, struct uuid id, enum kp_error error,
    const char *message)
{
	struct kp_delete_share_group_offsets_response_topic *entry =
	    &response->responses[response->responses_count++];

	entry->topic_name = name;
	entry->topic_id = id;
	entry->error_code = (int16_t)error;
	entry->error_message = error == KP_NONE ?
	    SLICE_NULL :
	    slice_str(message != NULL ? message : kp_error_message(error));
}

/* Kafka tells first of those that were forgotten. */
static void
add_entries(struct state *state, bool forgotten)
{
	for (int32_t t = 0; t < state->offsets.topics_count; t++) {
		const struct group_share_topic *topic =
		    &state->offsets.topics[t];

		if ((topic->error == KP_NONE) == forgotten)
			add_entry(state->response, topic->name, topic->id,
			    topic->error, topic->message);
	}
}

static void
answer(struct request *request)
{
	struct state *state = request->state;

	if (state->call->call.error != KP_NONE) {
		reply_error(request, state->call->call.error,
		    state->offsets.message);
		return;
	}
	add_entries(state, true);
	add_entries(state, false);
	request_reply(request, state->response);
}

static struct state *
take_topics(struct request *request)
{
	const struct kp_delete_share_group_offsets_request *body =
	    request->body;
	struct state *state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	size_t count = (size_t)MAX(body->topics_count, 0);

	state->response = request_response_new(request);
	state->response->responses = arena_xcalloc(
	    &request->arena, count, sizeof(*state->response->responses));
	state->response->responses_count = 0;
	state->offsets.group_id = body->group_id;
	state->offsets.topics = arena_xcalloc(
	    &request->arena, count, sizeof(*state->offsets.topics));
	for (size_t i = 0; i < count; i++) {
		struct slice name = body->topics[i].topic_name;

		if (request_allows(
			request, ACL_READ, ACL_RESOURCE_TOPIC, name))
			state->offsets.topics[state->offsets.topics_count++]
			    .name = name;
		else
			add_entry(state->response, name, UUID_ZERO,
			    KP_TOPIC_AUTHORIZATION_FAILED, NULL);
	}
	return state;
}

static enum kp_error
check(const struct request *request)
{
	const struct kp_delete_share_group_offsets_request *body =
	    request->body;

	if (!group_coordinator_serves_shares(request->server->groups))
		return KP_UNSUPPORTED_VERSION;
	if (!coordinated_allowed(request, ACL_DELETE, body->group_id))
		return KP_GROUP_AUTHORIZATION_FAILED;
	return body->group_id.len == 0 ? KP_INVALID_GROUP_ID : KP_NONE;
}

static void
handle_delete_share_group_offsets(struct request *request)
{
	const struct kp_delete_share_group_offsets_request *body =
	    request->body;
	enum kp_error error = check(request);
	struct coordinated *all;
	struct state *state;

	if (body->topics_count > PARTITIONS_MAX) {
		request_close(request, "offsets of too many topics");
		return;
	}
	if (error != KP_NONE) {
		request_fail(request, error);
		return;
	}
	state = take_topics(request);
	all = coordinated_new(request, answer);
	state->call = coordinated_call(all);
	request->state = state;
	group_coordinator_share_forget(
	    request->server->groups, state->call, &state->offsets);
	coordinated_wait(all);
}

const struct api api_delete_share_group_offsets =
    API_ROW(delete_share_group_offsets, API_ENTRIES,
    .flags = API_CHANGES,
	.fail = fail_delete_share_group_offsets);
