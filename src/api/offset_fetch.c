/*
 * OffsetFetch, versions 1-10: several groups from version 8 on, topic ids from
 * version 10 on.
 *
 * Every version is worked on in the shape of version 8.  A group whose topics
 * are null is asked for all that it has committed.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/partitions.h"
#include "meta/image.h"
#include "wire/generated/offset_fetch.h"

#define VERSION_GROUP_ERROR 2
#define VERSION_GROUPS 8
#define VERSION_TOPIC_IDS 10

/* What a partition's code is until the coordinator has spoken. */
#define UNDECIDED INT16_MAX

/* One group on its way. */
struct part {
	const struct kp_offset_fetch_request_group *asked;
	struct group_call *call; /* NULL: answered without one */
	struct group_fetch fetch;
	struct kp_offset_fetch_response_group answer;
};

struct state {
	struct part *parts;
	int32_t parts_count;
};

static bool
may_describe(const struct request *request, struct slice topic)
{
	return request_allows(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC, topic);
}

/* --- What is asked for --------------------------------------------------- */

/* The request of a version below 8 in the shape of 8. */
static struct kp_offset_fetch_request_group *
single_group(struct request *request)
{
	const struct kp_offset_fetch_request *body = request->body;
	struct kp_offset_fetch_request_group *group =
	    arena_xcalloc(&request->arena, 1, sizeof(*group));

	group->group_id = body->group_id;
	group->member_id = SLICE_NULL;
	group->member_epoch = -1;
	group->topics_count = body->topics_count;
	if (body->topics_count < 0)
		return group;
	group->topics = arena_xcalloc(&request->arena,
	    (size_t)body->topics_count, sizeof(*group->topics));
	for (int32_t i = 0; i < body->topics_count; i++) {
		group->topics[i].name = body->topics[i].name;
		group->topics[i].partition_indexes =
		    body->topics[i].partition_indexes;
		group->topics[i].partition_indexes_count =
		    body->topics[i].partition_indexes_count;
	}
	return group;
}

static struct state *
state_of(struct request *request)
{
	const struct kp_offset_fetch_request *body = request->body;
	struct state *state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	bool single = request->version < VERSION_GROUPS;
	const struct kp_offset_fetch_request_group *groups =
	    single ? single_group(request) : body->groups;

	state->parts_count = single ? 1 : MAX(body->groups_count, 0);
	state->parts = arena_xcalloc(
	    &request->arena, (size_t)state->parts_count, sizeof(*state->parts));
	for (int32_t i = 0; i < state->parts_count; i++) {
		state->parts[i].asked = &groups[i];
		state->parts[i].answer.group_id = groups[i].group_id;
	}
	return state;
}

/* --- Answers ------------------------------------------------------------- */

static void
fill_none(
    struct kp_offset_fetch_response_group_partition *partition, int16_t code)
{
	partition->committed_offset = -1;
	partition->committed_leader_epoch = -1;
	partition->metadata = slice_str("");
	partition->error_code = code;
}

static void
fill_topic(struct request *request,
    const struct kp_offset_fetch_request_group_topic *asked, int16_t code,
    struct kp_offset_fetch_response_group_topic *topic)
{
	size_t count = (size_t)MAX(asked->partition_indexes_count, 0);

	topic->name = asked->name;
	topic->topic_id = asked->topic_id;
	topic->partitions =
	    arena_xcalloc(&request->arena, count, sizeof(*topic->partitions));
	topic->partitions_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		topic->partitions[i].partition_index =
		    asked->partition_indexes[i];
		fill_none(&topic->partitions[i], code);
	}
}

/* Answer for all topics that the group is asked for, every partition code. */
static void
fill_topics(struct request *request, struct part *part, int16_t code)
{
	size_t count = (size_t)MAX(part->asked->topics_count, 0);

	part->answer.topics =
	    arena_xcalloc(&request->arena, count, sizeof(*part->answer.topics));
	part->answer.topics_count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		fill_topic(request, &part->asked->topics[i], code,
		    &part->answer.topics[i]);
}

/* Version 1 has no place for a group's error but its partitions. */
static void
fill_error(struct request *request, struct part *part, enum kp_error error)
{
	part->answer.error_code = (int16_t)error;
	part->answer.topics = NULL;
	part->answer.topics_count = 0;
	if (request->version < VERSION_GROUP_ERROR)
		fill_topics(request, part, (int16_t)error);
}

static void
fill_offset(const struct group_offset *offset,
    struct kp_offset_fetch_response_group_partition *partition)
{
	partition->partition_index = offset->partition;
	partition->committed_offset = offset->offset;
	partition->committed_leader_epoch = offset->leader_epoch;
	partition->metadata = offset->metadata;
	partition->error_code = (int16_t)offset->error;
}

/* The offsets stand for the undecided partitions, in their order. */
static void
fill_named(struct part *part)
{
	for (int32_t t = 0; t < part->answer.topics_count; t++) {
		struct kp_offset_fetch_response_group_topic *topic =
		    &part->answer.topics[t];
		const struct group_topic *fetched = &part->fetch.topics[t];
		const struct group_offset *offset = fetched->offsets;

		for (int32_t i = 0; i < topic->partitions_count; i++)
			if (topic->partitions[i].error_code == UNDECIDED)
				fill_offset(offset++, &topic->partitions[i]);
		assert(offset == fetched->offsets + fetched->offsets_count);
	}
}

/* Is the topic one that the client may know of?  Then by what id? */
static bool
shown(const struct request *request, struct slice name, struct uuid *id)
{
	const struct topic_image *topic =
	    image_topic(request->server->image, name);

	if (topic != NULL)
		*id = topic->id;
	else if (request->version >= VERSION_TOPIC_IDS)
		return false;
	return may_describe(request, name);
}

static void
fill_all(struct request *request, struct part *part)
{
	struct kp_offset_fetch_response_group_topic *topic;

	topic = part->answer.topics = arena_xcalloc(
	    &request->arena, (size_t)part->fetch.topics_count, sizeof(*topic));
	for (int32_t t = 0; t < part->fetch.topics_count; t++) {
		const struct group_topic *fetched = &part->fetch.topics[t];
		size_t count = (size_t)fetched->offsets_count;

		if (!shown(request, fetched->name, &topic->topic_id))
			continue;
		topic->name = fetched->name;
		topic->partitions = arena_xcalloc(
		    &request->arena, count, sizeof(*topic->partitions));
		topic->partitions_count = (int32_t)count;
		for (size_t i = 0; i < count; i++)
			fill_offset(
			    &fetched->offsets[i], &topic->partitions[i]);
		topic++;
	}
	part->answer.topics_count = (int32_t)(topic - part->answer.topics);
}

/* What the answers of parts that have failed may still take. */
#define FILL_SPARE_BYTES ((size_t)16 << 20)

static bool
all_fits(const struct request *request, const struct part *part)
{
	size_t bytes = FILL_SPARE_BYTES;

	for (int32_t t = 0; t < part->fetch.topics_count; t++)
		bytes += 2 *
			sizeof(struct kp_offset_fetch_response_group_topic) +
		    (size_t)part->fetch.topics[t].offsets_count *
			sizeof(struct
			    kp_offset_fetch_response_group_partition);
	return bytes < arena_left(&request->arena);
}

static void
fill_part(struct request *request, struct part *part)
{
	enum kp_error error;

	if (part->call == NULL)
		return;
	error = part->call->call.error;
	if (error == KP_NONE && part->fetch.all && !all_fits(request, part))
		error = KP_UNKNOWN_SERVER_ERROR;
	if (error != KP_NONE)
		fill_error(request, part, error);
	else if (part->fetch.all)
		fill_all(request, part);
	else
		fill_named(part);
}

/* The answer of a version below 8, made of that of 8. */
static void
flatten(struct request *request,
    const struct kp_offset_fetch_response_group *group,
    struct kp_offset_fetch_response *response)
{
	response->error_code = group->error_code;
	response->topics_count = group->topics_count;
	response->topics = arena_xcalloc(&request->arena,
	    (size_t)group->topics_count, sizeof(*response->topics));
	for (int32_t t = 0; t < group->topics_count; t++) {
		const struct kp_offset_fetch_response_group_topic *in =
		    &group->topics[t];
		struct kp_offset_fetch_response_topic *out =
		    &response->topics[t];

		out->name = in->name;
		out->partitions_count = in->partitions_count;
		out->partitions = arena_xcalloc(&request->arena,
		    (size_t)in->partitions_count, sizeof(*out->partitions));
		for (int32_t i = 0; i < in->partitions_count; i++)
			out->partitions[i] =
			    (struct kp_offset_fetch_response_partition){
				    in->partitions[i].partition_index,
				    in->partitions[i].committed_offset,
				    in->partitions[i].committed_leader_epoch,
				    in->partitions[i].metadata,
				    in->partitions[i].error_code,
			    };
	}
}

static void
reply(struct request *request, const struct state *state)
{
	struct kp_offset_fetch_response *response =
	    request_response_new(request);

	if (request->version < VERSION_GROUPS) {
		flatten(request, &state->parts[0].answer, response);
		request_reply(request, response);
		return;
	}
	response->groups_count = state->parts_count;
	response->groups = arena_xcalloc(&request->arena,
	    (size_t)state->parts_count, sizeof(*response->groups));
	for (int32_t i = 0; i < state->parts_count; i++)
		response->groups[i] = state->parts[i].answer;
	request_reply(request, response);
}

static void
answer(struct request *request)
{
	struct state *state = request->state;
	struct image *image = request->server->image;

	image_read_lock(image);
	for (int32_t i = 0; i < state->parts_count; i++)
		fill_part(request, &state->parts[i]);
	image_read_unlock(image);
	reply(request, state);
}

static void
fail_offset_fetch(struct request *request, enum kp_error error)
{
	struct state *state = state_of(request);

	for (int32_t i = 0; i < state->parts_count; i++)
		fill_error(request, &state->parts[i], error);
	reply(request, state);
}

/* --- The request --------------------------------------------------------- */

/* What has to be said of a topic's partitions without the coordinator. */
static enum kp_error
check_topic(struct request *request,
    const struct kp_offset_fetch_request_group_topic *asked,
    struct group_topic *taken)
{
	const struct topic_image *topic;

	taken->name = asked->name;
	if (request->version >= VERSION_TOPIC_IDS) {
		topic =
		    image_topic_by_id(request->server->image, asked->topic_id);
		if (topic == NULL)
			return KP_UNKNOWN_TOPIC_ID;
		taken->id = topic->id;
		taken->name = arena_copy(&request->arena, topic->name);
	}
	return may_describe(request, taken->name) ?
	    KP_NONE :
	    KP_TOPIC_AUTHORIZATION_FAILED;
}

static void
take_topic(struct request *request, struct part *part, int32_t index)
{
	const struct kp_offset_fetch_request_group_topic *asked =
	    &part->asked->topics[index];
	struct group_topic *taken = &part->fetch.topics[index];
	enum kp_error error = check_topic(request, asked, taken);

	if (error != KP_NONE) {
		fill_topic(request, asked, (int16_t)error,
		    &part->answer.topics[index]);
		return;
	}
	taken->offsets_count = part->answer.topics[index].partitions_count;
	taken->offsets = arena_xcalloc(&request->arena,
	    (size_t)taken->offsets_count, sizeof(*taken->offsets));
	for (int32_t i = 0; i < taken->offsets_count; i++)
		taken->offsets[i].partition = asked->partition_indexes[i];
}

static void
take_topics(struct request *request, struct part *part)
{
	struct image *image = request->server->image;

	fill_topics(request, part, UNDECIDED);
	part->fetch.topics_count = part->answer.topics_count;
	part->fetch.topics = arena_xcalloc(&request->arena,
	    (size_t)part->fetch.topics_count, sizeof(*part->fetch.topics));
	image_read_lock(image);
	for (int32_t i = 0; i < part->fetch.topics_count; i++)
		take_topic(request, part, i);
	image_read_unlock(image);
}

static void
fetch(struct request *request, struct part *part, struct coordinated *all)
{
	const struct kp_offset_fetch_request *body = request->body;

	if (!coordinated_allowed(
		request, ACL_DESCRIBE, part->asked->group_id)) {
		fill_error(request, part, KP_GROUP_AUTHORIZATION_FAILED);
		return;
	}
	part->fetch.group_id = part->asked->group_id;
	part->fetch.member_id = part->asked->member_id;
	part->fetch.member_epoch = part->asked->member_epoch;
	part->fetch.require_stable = body->require_stable;
	part->fetch.all = part->asked->topics_count < 0;
	if (!part->fetch.all)
		take_topics(request, part);
	part->call = coordinated_call(all);
	group_coordinator_fetch(
	    request->server->groups, part->call, &part->fetch);
}

/* Groups and topics count, too: each costs what some partitions do. */
static int64_t
asked_total(const struct state *state)
{
	int64_t total = state->parts_count;

	for (int32_t i = 0; i < state->parts_count; i++) {
		const struct kp_offset_fetch_request_group *group =
		    state->parts[i].asked;

		for (int32_t t = 0; t < group->topics_count; t++)
			total += 1 +
			    MAX(group->topics[t].partition_indexes_count, 0);
	}
	return total;
}

static void
handle_offset_fetch(struct request *request)
{
	struct state *state = state_of(request);
	struct coordinated *all;

	if (asked_total(state) > PARTITIONS_MAX) {
		request_close(request, "an offset fetch of too much");
		return;
	}
	all = coordinated_new(request, answer);
	request->state = state;
	for (int32_t i = 0; i < state->parts_count; i++)
		fetch(request, &state->parts[i], all);
	coordinated_wait(all);
}

const struct api api_offset_fetch =
    API_ROW(offset_fetch, API_ENTRIES, .fail = fail_offset_fetch);
