/*
 * AlterShareGroupOffsets, version 0: a share group without members begins
 * elsewhere.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/partitions.h"
#include "meta/image.h"
#include "wire/generated/alter_share_group_offsets.h"

struct state {
	struct group_call *call;
	struct kp_alter_share_group_offsets_response *response;
	struct group_share_offsets offsets; /* topics that may be altered */
	int32_t *places;		    /* of these, in the response */
};

static void
reply_error(struct request *request, enum kp_error error, struct slice message)
{
	struct kp_alter_share_group_offsets_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->error_message = slice_is_null(message) ?
	    slice_str(kp_error_message(error)) :
	    message;
	request_reply(request, response);
}

static void
fail_alter_share_group_offsets(struct request *request, enum kp_error error)
{
	reply_error(request, error, SLICE_NULL);
}

static void
set_error(struct kp_alter_share_group_offsets_response_partition *partition,
    enum kp_error error, const char *message)
{
	partition->error_code = (int16_t)error;
	partition->error_message = error == KP_NONE ?
	    SLICE_NULL :
	    slice_str(message != NULL ? message : kp_error_message(error));
}

static void
answer(struct request *request)
{
	struct state *state = request->state;
	const struct group_share_offsets *offsets = &state->offsets;

	if (state->call->call.error != KP_NONE) {
		reply_error(
		    request, state->call->call.error, offsets->message);
		return;
	}
	for (int32_t t = 0; t < offsets->topics_count; t++) {
		struct kp_alter_share_group_offsets_response_topic *topic =
		    &state->response->responses[state->places[t]];

		for (int32_t i = 0; i < topic->partitions_count; i++)
			set_error(&topic->partitions[i],
			    offsets->topics[t].partitions[i].error,
			    offsets->topics[t].partitions[i].message);
	}
	request_reply(request, state->response);
}

static enum kp_error
check_topic(const struct request *request,
    struct kp_alter_share_group_offsets_response_topic *topic)
{
	const struct topic_image *known =
	    image_topic(request->server->image, topic->topic_name);

	if (known != NULL)
		topic->topic_id = known->id;
	if (!request_allows(
		request, ACL_READ, ACL_RESOURCE_TOPIC, topic->topic_name))
		return KP_TOPIC_AUTHORIZATION_FAILED;
	return known != NULL ? KP_NONE : KP_UNKNOWN_TOPIC_OR_PARTITION;
}

/* Decide what can be decided here, and take the rest for the coordinator. */
static void
take_topic(struct request *request, struct state *state,
    const struct kp_alter_share_group_offsets_request_topic *asked)
{
	int32_t place = state->response->responses_count++;
	struct kp_alter_share_group_offsets_response_topic *answered =
	    &state->response->responses[place];
	size_t count = (size_t)MAX(asked->partitions_count, 0);
	struct group_share_topic *taken;
	enum kp_error error;

	answered->topic_name = asked->topic_name;
	answered->partitions = arena_xcalloc(
	    &request->arena, count, sizeof(*answered->partitions));
	answered->partitions_count = (int32_t)count;
	error = check_topic(request, answered);
	for (size_t i = 0; i < count; i++) {
		answered->partitions[i].partition_index =
		    asked->partitions[i].partition_index;
		set_error(&answered->partitions[i], error, NULL);
	}
	if (error != KP_NONE)
		return;
	state->places[state->offsets.topics_count] = place;
	taken = &state->offsets.topics[state->offsets.topics_count++];
	taken->name = asked->topic_name;
	taken->partitions = arena_xcalloc(
	    &request->arena, count, sizeof(*taken->partitions));
	taken->partitions_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		taken->partitions[i].partition =
		    asked->partitions[i].partition_index;
		taken->partitions[i].start_offset =
		    asked->partitions[i].start_offset;
	}
}

static struct state *
take_topics(struct request *request)
{
	const struct kp_alter_share_group_offsets_request *body =
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
	state->places =
	    arena_xcalloc(&request->arena, count, sizeof(*state->places));
	image_read_lock(request->server->image);
	for (size_t i = 0; i < count; i++)
		take_topic(request, state, &body->topics[i]);
	image_read_unlock(request->server->image);
	return state;
}

static enum kp_error
check(const struct request *request)
{
	const struct kp_alter_share_group_offsets_request *body =
	    request->body;

	if (!group_coordinator_serves_shares(request->server->groups))
		return KP_UNSUPPORTED_VERSION;
	return coordinated_check(request, body->group_id);
}

static void
handle_alter_share_group_offsets(struct request *request)
{
	const struct kp_alter_share_group_offsets_request *body =
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
	group_coordinator_share_alter(
	    request->server->groups, state->call, &state->offsets);
	coordinated_wait(all);
}

const struct api api_alter_share_group_offsets =
    API_ROW(alter_share_group_offsets, API_ENTRIES,
    .flags = API_CHANGES,
	.fail = fail_alter_share_group_offsets);
