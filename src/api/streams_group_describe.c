/*
 * StreamsGroupDescribe, version 0: streams groups with their topology, members
 * and tasks (KIP-1071).
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/partitions.h"
#include "wire/codec.h"
#include "wire/generated/streams_group_describe.h"

#define BODY kp_streams_group_describe_request
#define RESPONSE kp_streams_group_describe_response
#define GROUP kp_streams_group_describe_response_group
#define GROUP_STRUCT kp_streams_group_describe_response_group_struct
#define SUBTOPOLOGY kp_streams_group_describe_response_subtopology
#define TOPIC kp_streams_group_describe_response_topic_info

struct state {
	struct RESPONSE *response;
	struct group_call **calls;
};

/* --- Answers ------------------------------------------------------------- */

/* The entry says nothing but error. */
static void
entry_fail(struct GROUP *group, enum kp_error error, struct slice message)
{
	struct slice group_id = group->group_id;

	kp_defaults_struct(&GROUP_STRUCT, group);
	group->group_id = group_id;
	group->error_code = (int16_t)error;
	group->error_message = message;
}

static struct RESPONSE *
response_of(struct request *request)
{
	const struct BODY *body = request->body;
	struct RESPONSE *response = request_response_new(request);
	int32_t count = MAX(body->group_ids_count, 0);

	response->groups = kp_array(&request->arena, &GROUP_STRUCT, count);
	assert(response->groups != NULL);
	response->groups_count = count;
	for (int32_t i = 0; i < count; i++)
		response->groups[i].group_id = body->group_ids[i];
	return response;
}

static void
fail_streams_group_describe(struct request *request, enum kp_error error)
{
	struct RESPONSE *response = response_of(request);

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
names_allowed(
    const struct request *request, const struct slice *names, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (!may_describe(request, names[i]))
			return false;
	return true;
}

static bool
topics_allowed(
    const struct request *request, const struct TOPIC *topics, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (!may_describe(request, topics[i].name))
			return false;
	return true;
}

static bool
part_allowed(const struct request *request, const struct SUBTOPOLOGY *part)
{
	return names_allowed(
		   request, part->source_topics, part->source_topics_count) &&
	    names_allowed(request, part->repartition_sink_topics,
		part->repartition_sink_topics_count) &&
	    topics_allowed(request, part->repartition_source_topics,
		part->repartition_source_topics_count) &&
	    topics_allowed(request, part->state_changelog_topics,
		part->state_changelog_topics_count);
}

static bool
group_allowed(const struct request *request, const struct GROUP *group)
{
	for (int32_t i = 0;
	    group->topology != NULL && i < group->topology->subtopologies_count;
	    i++)
		if (!part_allowed(request, &group->topology->subtopologies[i]))
			return false;
	return true;
}

/* --- The request ---------------------------------------------------------- */

#define MESSAGE_TOPICS                                                       \
	"The described group uses topics that the client is not authorized " \
	"to describe."

static void
finish(
    struct request *request, const struct group_call *call, struct GROUP *group)
{
	const struct BODY *body = request->body;

	if (call->call.error != KP_NONE)
		entry_fail(group, call->call.error, SLICE_NULL);
	else if (!group_allowed(request, group))
		entry_fail(group, KP_TOPIC_AUTHORIZATION_FAILED,
		    slice_str(MESSAGE_TOPICS));
	else if (group->error_code == KP_NONE)
		group->authorized_operations = coordinated_operations(request,
		    body->include_authorized_operations, group->group_id);
}

static void
answer(struct request *request)
{
	const struct state *state = request->state;
	struct RESPONSE *response = state->response;

	for (int32_t i = 0; i < response->groups_count; i++)
		finish(request, state->calls[i], &response->groups[i]);
	request_reply(request, response);
}

static void
describe(struct request *request, struct group_call *call, struct GROUP *group)
{
	if (group->group_id.len == 0 && call->call.error == KP_NONE)
		group->error_code = KP_INVALID_GROUP_ID;
	else if (call->call.error == KP_NONE)
		group_coordinator_streams_describe(
		    request->server->groups, call, group->group_id, group);
}

static void
handle_streams_group_describe(struct request *request)
{
	const struct BODY *body = request->body;
	struct coordinated *all;
	struct state *state;

	if (body->group_ids_count > PARTITIONS_MAX) {
		request_close(request, "a description of too many groups");
		return;
	}
	if (!group_coordinator_serves_streams(request->server->groups)) {
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

const struct api api_streams_group_describe = API_ROW(
    streams_group_describe, API_ENTRIES, .fail = fail_streams_group_describe);
