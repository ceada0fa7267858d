/*
 * OffsetDelete, version 0: forget offsets of single partitions.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "meta/image.h"
#include "wire/generated/offset_delete.h"

/* What a partition's code is until the coordinator has spoken. */
#define UNDECIDED INT16_MAX

struct state {
	struct group_call *call;
	struct group_topic *topics;
	struct kp_offset_delete_response *response;
};

/* The offsets were taken from the undecided partitions, in their order. */
static void
decide(const struct group_topic *deleted,
    struct kp_offset_delete_response_topic *topic)
{
	const struct group_offset *offset = deleted->offsets;

	for (int32_t i = 0; i < topic->partitions_count; i++)
		if (topic->partitions[i].error_code == UNDECIDED)
			topic->partitions[i].error_code =
			    (int16_t)(offset++)->error;
	assert(offset == deleted->offsets + deleted->offsets_count);
}

static void
answer(struct request *request)
{
	const struct state *state = request->state;
	struct kp_offset_delete_response *response = state->response;

	if (state->call->call.error != KP_NONE) {
		request_fail(request, state->call->call.error);
		return;
	}
	for (int32_t i = 0; i < response->topics_count; i++)
		decide(&state->topics[i], &response->topics[i]);
	request_reply(request, response);
}

static enum kp_error
check_topic(const struct request *request, struct slice name,
    const struct topic_image **topic)
{
	*topic = image_topic(request->server->image, name);
	return request_allows(request, ACL_READ, ACL_RESOURCE_TOPIC, name) ?
	    KP_NONE :
	    KP_TOPIC_AUTHORIZATION_FAILED;
}

/* Decide what can be decided here, and take the rest for the coordinator. */
static void
take_topic(struct request *request,
    const struct kp_offset_delete_request_topic *asked,
    struct kp_offset_delete_response_topic *answered, struct group_topic *taken)
{
	size_t count = (size_t)MAX(asked->partitions_count, 0);
	const struct topic_image *topic;
	enum kp_error error = check_topic(request, asked->name, &topic);

	answered->name = taken->name = asked->name;
	answered->partitions = arena_xcalloc(
	    &request->arena, count, sizeof(*answered->partitions));
	answered->partitions_count = (int32_t)count;
	taken->known = topic != NULL;
	if (topic != NULL)
		taken->id = topic->id;
	taken->offsets =
	    arena_xcalloc(&request->arena, count, sizeof(*taken->offsets));
	for (size_t i = 0; i < count; i++) {
		int32_t index = asked->partitions[i].partition_index;

		answered->partitions[i].partition_index = index;
		answered->partitions[i].error_code = (int16_t)error;
		if (error != KP_NONE)
			continue;
		if (topic == NULL ||
		    topic_image_partition(topic, index) == NULL) {
			answered->partitions[i].error_code =
			    KP_UNKNOWN_TOPIC_OR_PARTITION;
			continue;
		}
		answered->partitions[i].error_code = UNDECIDED;
		taken->offsets[taken->offsets_count++].partition = index;
	}
}

/* The number of offsets that the coordinator is to delete. */
static int32_t
take_topics(struct request *request, struct state *state)
{
	const struct kp_offset_delete_request *body = request->body;
	struct kp_offset_delete_response *response = state->response;
	size_t topics_count = (size_t)MAX(body->topics_count, 0);
	int32_t count = 0;

	response->topics_count = (int32_t)topics_count;
	response->topics = arena_xcalloc(
	    &request->arena, topics_count, sizeof(*response->topics));
	state->topics = arena_xcalloc(
	    &request->arena, topics_count, sizeof(*state->topics));
	image_read_lock(request->server->image);
	for (size_t i = 0; i < topics_count; i++) {
		take_topic(request, &body->topics[i], &response->topics[i],
		    &state->topics[i]);
		count += state->topics[i].offsets_count;
	}
	image_read_unlock(request->server->image);
	return count;
}

static void
handle_offset_delete(struct request *request)
{
	const struct kp_offset_delete_request *body = request->body;
	struct coordinated *all;
	struct state *state;

	if (!coordinated_allowed(request, ACL_DELETE, body->group_id)) {
		request_fail(request, KP_GROUP_AUTHORIZATION_FAILED);
		return;
	}
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	state->response = request_response_new(request);
	if (take_topics(request, state) == 0) {
		request_reply(request, state->response);
		return;
	}
	if (body->group_id.len == 0) {
		request_fail(request, KP_INVALID_GROUP_ID);
		return;
	}
	all = coordinated_new(request, answer);
	state->call = coordinated_call(all);
	request->state = state;
	group_coordinator_delete_offsets(request->server->groups, state->call,
	    body->group_id, state->topics, state->response->topics_count);
	coordinated_wait(all);
}

const struct api api_offset_delete = API_ROW(offset_delete, API_ENTRIES,
    .flags = API_CHANGES);
