/*
 * StreamsGroupHeartbeat, version 0: a thread of a Kafka Streams application
 * joins, lives and leaves (KIP-1071).
 *
 * The topics that the application needs for itself and that are missing are
 * created behind the answer, if the principal may; the member is told of them
 * until they are there.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "base/tally.h"
#include "meta/topic_image.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/streams_group_heartbeat.h"

#define BODY kp_streams_group_heartbeat_request
#define RESPONSE kp_streams_group_heartbeat_response
#define SUBTOPOLOGY kp_streams_group_heartbeat_request_subtopology
#define TOPIC kp_streams_group_heartbeat_request_topic_info

/* StreamsGroupHeartbeatResponse.Status.MISSING_INTERNAL_TOPICS of Kafka. */
#define STATUS_MISSING_INTERNAL_TOPICS 3

struct state {
	struct coordinated_one *one;
	struct group_streams_result result;
};

/* --- Errors -------------------------------------------------------------- */

/* Nothing but the error, and its text, which may be null. */
static void
reply_error(struct request *request, enum kp_error error, struct slice message)
{
	struct RESPONSE *response = request_response_new(request);

	response->error_code = (int16_t)error;
	response->error_message = message;
	request_reply(request, response);
}

static void
fail_streams_group_heartbeat(struct request *request, enum kp_error error)
{
	reply_error(request, error, SLICE_NULL);
}

/* --- The topology -------------------------------------------------------- */

/* What of a topology's topics is wrong; each is looked at once. */
struct names {
	struct request *request;
	struct tally seen;
	struct slice internal; /* those that are Kafka's own, with commas */
	struct slice invalid;
	bool hidden; /* one may not be described */
};

static void
add(struct names *names, struct slice *list, struct slice name)
{
	struct arena *arena = &names->request->arena;

	if (arena_overdrawn(arena))
		return;
	*list = arena_printf(arena, "%.*s%s%.*s", SLICE_ARG(*list),
	    list->len == 0 ? "" : ",", SLICE_ARG(name));
}

static void
look_at(struct names *names, struct slice name)
{
	if (tally_add(&names->seen, name) > 1)
		return;
	if (topic_image_name_internal(name))
		add(names, &names->internal, name);
	else if (!topic_image_name_valid(name, NULL))
		add(names, &names->invalid, name);
	else
		names->hidden |= !request_allows(
		    names->request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC, name);
}

static void
look_at_topics(struct names *names, const struct TOPIC *topics, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		look_at(names, topics[i].name);
}

static void
look_at_part(struct names *names, const struct SUBTOPOLOGY *part)
{
	for (int32_t i = 0; i < part->source_topics_count; i++)
		look_at(names, part->source_topics[i]);
	for (int32_t i = 0; i < part->repartition_sink_topics_count; i++)
		look_at(names, part->repartition_sink_topics[i]);
	look_at_topics(names, part->repartition_source_topics,
	    part->repartition_source_topics_count);
	look_at_topics(names, part->state_changelog_topics,
	    part->state_changelog_topics_count);
}

static enum kp_error
check_topics(struct request *request, struct slice *message)
{
	const struct BODY *body = request->body;
	struct names names = { .request = request };

	tally_init(&names.seen);
	for (int32_t i = 0; i < body->topology->subtopologies_count; i++)
		look_at_part(&names, &body->topology->subtopologies[i]);
	tally_fini(&names.seen);
	if (names.internal.len > 0) {
		*message = arena_printf(&request->arena,
		    "Use of Kafka internal topics %.*s in a Kafka Streams "
		    "topology is prohibited.",
		    SLICE_ARG(names.internal));
		return KP_STREAMS_INVALID_TOPOLOGY;
	}
	if (names.invalid.len > 0) {
		*message = arena_printf(&request->arena,
		    "Topic names %.*s are not valid topic names.",
		    SLICE_ARG(names.invalid));
		return KP_STREAMS_INVALID_TOPOLOGY;
	}
	return names.hidden ? KP_TOPIC_AUTHORIZATION_FAILED : KP_NONE;
}

/* --- Topics that are missing ---------------------------------------------- */

/* The topics that the principal may not create, with commas; or null. */
static struct slice
forbidden(struct request *request, const struct group_streams_result *result)
{
	struct slice list = SLICE_NULL;

	if (request_allows(
		request, ACL_CREATE, ACL_RESOURCE_CLUSTER, ACL_CLUSTER_NAME))
		return list;
	for (int32_t i = 0;
	    i < result->missing_count && !arena_overdrawn(&request->arena); i++)
		if (!request_allows(request, ACL_CREATE, ACL_RESOURCE_TOPIC,
			result->missing[i].name))
			list = arena_printf(&request->arena, "%.*s%s%.*s",
			    SLICE_ARG(list), list.len == 0 ? "" : ", ",
			    SLICE_ARG(result->missing[i].name));
	return list;
}

/* More about the status that says that topics are missing. */
static void
add_detail(struct request *request, struct RESPONSE *response,
    const char *before, struct slice list)
{
	for (int32_t i = 0; i < response->status_count; i++)
		if (response->status[i].status_code ==
		    STATUS_MISSING_INTERNAL_TOPICS)
			response->status[i].status_detail =
			    arena_printf(&request->arena, "%.*s; %s %.*s.",
				SLICE_ARG(response->status[i].status_detail),
				before, SLICE_ARG(list));
}

static void
create(struct request *request, const struct group_streams_result *result)
{
	struct slice list;

	if (result->missing_count == 0)
		return;
	list = forbidden(request, result);
	if (!slice_is_null(list)) {
		add_detail(request, result->response,
		    "Unauthorized to CREATE on topics", list);
		return;
	}
	list = group_coordinator_streams_create(
	    request->server->groups, result, &request->arena);
	if (!slice_is_null(list))
		add_detail(request, result->response, "Creation failed:", list);
}

/* --- The request ---------------------------------------------------------- */

static void
answer(struct request *request)
{
	struct state *state = request->state;
	struct RESPONSE *response = state->result.response;
	enum kp_error error = state->one->call->call.error;

	if (error != KP_NONE) {
		reply_error(request, error, response->error_message);
		return;
	}
	create(request, &state->result);
	request_reply(request, response);
}

static enum kp_error
check(struct request *request, struct slice *message)
{
	const struct BODY *body = request->body;

	if (!group_coordinator_serves_streams(request->server->groups))
		return KP_UNSUPPORTED_VERSION;
	if (!coordinated_allowed(request, ACL_READ, body->group_id))
		return KP_GROUP_AUTHORIZATION_FAILED;
	return body->topology == NULL ? KP_NONE :
					check_topics(request, message);
}

static void
handle_streams_group_heartbeat(struct request *request)
{
	struct slice message = SLICE_NULL;
	enum kp_error error = check(request, &message);
	struct state *state;

	if (error != KP_NONE) {
		reply_error(request, error, message);
		return;
	}
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	state->one = coordinated_one_new(request, answer);
	state->result.response = state->one->response;
	request->state = state;
	group_coordinator_streams_heartbeat(request->server->groups,
	    state->one->call, request->body, &state->result);
	coordinated_wait(state->one->all);
}

const struct api api_streams_group_heartbeat = API_ROW(
    streams_group_heartbeat, API_ENTRIES, .fail = fail_streams_group_heartbeat);
