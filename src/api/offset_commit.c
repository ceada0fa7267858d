/*
 * OffsetCommit, versions 2-10; from version 10 on by topic id.
 *
 * Partitions that are not there or may not be read are answered here; the
 * others go to the group's coordinator as one commit.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "meta/image.h"
#include "wire/generated/offset_commit.h"

#define VERSION_TOPIC_IDS 10

struct state {
	struct group_call *call;
	struct group_commit commit;
	struct kp_offset_commit_response *response;
};

/* What a partition's code is until the coordinator has spoken. */
#define UNDECIDED INT16_MAX

/* --- Answers ------------------------------------------------------------- */

static void
fill_topic(struct request *request,
    const struct kp_offset_commit_request_topic *asked, int16_t code,
    struct kp_offset_commit_response_topic *topic)
{
	size_t count = (size_t)MAX(asked->partitions_count, 0);

	topic->name = asked->name;
	topic->topic_id = asked->topic_id;
	topic->partitions =
	    arena_xcalloc(&request->arena, count, sizeof(*topic->partitions));
	topic->partitions_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		topic->partitions[i].partition_index =
		    asked->partitions[i].partition_index;
		topic->partitions[i].error_code = code;
	}
}

/* A response in which every partition has code. */
static struct kp_offset_commit_response *
response_of(struct request *request, int16_t code)
{
	const struct kp_offset_commit_request *body = request->body;
	struct kp_offset_commit_response *response =
	    request_response_new(request);
	size_t count = (size_t)MAX(body->topics_count, 0);

	response->topics =
	    arena_xcalloc(&request->arena, count, sizeof(*response->topics));
	response->topics_count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		fill_topic(
		    request, &body->topics[i], code, &response->topics[i]);
	return response;
}

static void
fail_offset_commit(struct request *request, enum kp_error error)
{
	request_reply(request, response_of(request, (int16_t)error));
}

/* The offsets were taken from the undecided partitions, in their order. */
static void
decide(enum kp_error error, const struct group_topic *committed,
    struct kp_offset_commit_response_topic *topic)
{
	const struct group_offset *offset = committed->offsets;

	for (int32_t i = 0; i < topic->partitions_count; i++) {
		struct kp_offset_commit_response_partition *partition =
		    &topic->partitions[i];

		if (partition->error_code != UNDECIDED)
			continue;
		partition->error_code =
		    (int16_t)(error != KP_NONE ? error : offset->error);
		offset++;
	}
	assert(offset == committed->offsets + committed->offsets_count);
}

static void
answer(struct request *request)
{
	const struct state *state = request->state;
	struct kp_offset_commit_response *response = state->response;

	for (int32_t i = 0; i < response->topics_count; i++)
		decide(state->call->call.error, &state->commit.topics[i],
		    &response->topics[i]);
	request_reply(request, response);
}

/* --- What can be committed ----------------------------------------------- */

static bool
may_read(const struct request *request, struct slice topic)
{
	return request_allows(request, ACL_READ, ACL_RESOURCE_TOPIC, topic);
}

/* The topic that is asked for; NULL with the error of its partitions. */
static const struct topic_image *
resolve(const struct request *request,
    const struct kp_offset_commit_request_topic *asked, enum kp_error *error)
{
	const struct image *image = request->server->image;
	bool by_id = request->version >= VERSION_TOPIC_IDS;
	const struct topic_image *topic = by_id ?
	    image_topic_by_id(image, asked->topic_id) :
	    image_topic(image, asked->name);

	*error = KP_NONE;
	if (by_id && topic == NULL)
		*error = KP_UNKNOWN_TOPIC_ID;
	else if (!may_read(request, by_id ? topic->name : asked->name))
		*error = KP_TOPIC_AUTHORIZATION_FAILED;
	else if (topic == NULL)
		*error = KP_UNKNOWN_TOPIC_OR_PARTITION;
	return *error == KP_NONE ? topic : NULL;
}

static void
take_offset(const struct kp_offset_commit_request_partition *asked,
    struct group_offset *offset)
{
	offset->partition = asked->partition_index;
	offset->offset = asked->committed_offset;
	offset->leader_epoch = asked->committed_leader_epoch;
	offset->metadata = slice_is_null(asked->committed_metadata) ?
	    slice_str("") :
	    asked->committed_metadata;
}

/* Decide what can be decided here, and take the rest for the coordinator. */
static void
take_topic(struct request *request,
    const struct kp_offset_commit_request_topic *asked,
    struct kp_offset_commit_response_topic *answered, struct group_topic *taken)
{
	enum kp_error error;
	const struct topic_image *topic = resolve(request, asked, &error);

	taken->offsets = arena_xcalloc(&request->arena,
	    (size_t)answered->partitions_count, sizeof(*taken->offsets));
	if (topic != NULL) {
		taken->name = arena_copy(&request->arena, topic->name);
		taken->id = topic->id;
		taken->known = true;
	}
	for (int32_t i = 0; i < answered->partitions_count; i++) {
		int32_t index = asked->partitions[i].partition_index;

		if (topic == NULL)
			answered->partitions[i].error_code = (int16_t)error;
		else if (topic_image_partition(topic, index) == NULL)
			answered->partitions[i].error_code =
			    KP_UNKNOWN_TOPIC_OR_PARTITION;
		else
			take_offset(&asked->partitions[i],
			    &taken->offsets[taken->offsets_count++]);
	}
}

/* The number of offsets that the coordinator is to commit. */
static int32_t
take_topics(struct request *request, struct state *state)
{
	const struct kp_offset_commit_request *body = request->body;
	struct group_commit *commit = &state->commit;
	int32_t count = 0;

	commit->topics_count = state->response->topics_count;
	commit->topics = arena_xcalloc(&request->arena,
	    (size_t)commit->topics_count, sizeof(*commit->topics));
	image_read_lock(request->server->image);
	for (int32_t i = 0; i < commit->topics_count; i++) {
		take_topic(request, &body->topics[i],
		    &state->response->topics[i], &commit->topics[i]);
		count += commit->topics[i].offsets_count;
	}
	image_read_unlock(request->server->image);
	return count;
}

/* --- The request --------------------------------------------------------- */

static void
handle_offset_commit(struct request *request)
{
	const struct kp_offset_commit_request *body = request->body;
	struct coordinated *all;
	struct state *state;

	if (!coordinated_allowed(request, ACL_READ, body->group_id)) {
		fail_offset_commit(request, KP_GROUP_AUTHORIZATION_FAILED);
		return;
	}
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	state->response = response_of(request, UNDECIDED);
	if (take_topics(request, state) == 0) {
		request_reply(request, state->response);
		return;
	}
	state->commit.group_id = body->group_id;
	state->commit.generation_id = body->generation_id_or_member_epoch;
	state->commit.member_id = body->member_id;
	state->commit.instance_id = body->group_instance_id;
	state->commit.retention_ms = body->retention_time_ms;
	all = coordinated_new(request, answer);
	state->call = coordinated_call(all);
	request->state = state;
	group_coordinator_commit(
	    request->server->groups, state->call, &state->commit);
	coordinated_wait(all);
}

const struct api api_offset_commit =
    API_ROW(offset_commit, API_ENTRIES, .fail = fail_offset_commit);
