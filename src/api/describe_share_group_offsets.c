/*
 * DescribeShareGroupOffsets, versions 0-1: where share groups begin in
 * partitions, and how much of these is yet to be delivered.
 *
 * A group is asked for topics, or for all of which anything is kept.  Those are
 * known to the group coordinator, which is asked first; the rest is the share
 * coordinator's, which is asked for each partition.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/partitions.h"
#include "broker/partition.h"
#include "broker/partition_manager.h"
#include "coord/consumer_assignment.h"
#include "coord/share_coordinator.h"
#include "meta/image.h"
#include "wire/codec.h"
#include "wire/generated/describe_share_group_offsets.h"

/* More partitions in one request are refused by closing the connection. */
#define OFFSETS_MAX 100000

/* A partition that the share coordinator is asked for. */
struct summary {
	struct share_state_call call;
	struct arena arena;
	struct kp_describe_share_group_offsets_response_partition *partition;
};

/* A group of which all is asked. */
struct whole {
	struct group_call *call;	/* NULL: another one */
	struct consumer_assignment partitions;
};

struct state {
	struct kp_describe_share_group_offsets_response *response;
	struct whole *wholes;		/* one for each group */
	struct summary *summaries;
	int32_t summaries_count;
};

/* --- Entries -------------------------------------------------------------- */

static struct kp_describe_share_group_offsets_response *
response_of(struct request *request)
{
	const struct kp_describe_share_group_offsets_request *body =
	    request->body;
	struct kp_describe_share_group_offsets_response *response =
	    request_response_new(request);
	int32_t count = MAX(body->groups_count, 0);

	response->groups = kp_array(&request->arena,
	    &kp_describe_share_group_offsets_response_group_struct, count);
	assert(response->groups != NULL);
	response->groups_count = count;
	for (int32_t i = 0; i < count; i++)
		response->groups[i].group_id = body->groups[i].group_id;
	return response;
}

static void
fail_describe_share_group_offsets(
    struct request *request, enum kp_error error)
{
	struct kp_describe_share_group_offsets_response *response =
	    response_of(request);

	for (int32_t i = 0; i < response->groups_count; i++) {
		response->groups[i].error_code = (int16_t)error;
		response->groups[i].error_message =
		    slice_str(kp_error_message(error));
	}
	request_reply(request, response);
}

/* A topic with room for so many partitions, of which nothing is known yet. */
static struct kp_describe_share_group_offsets_response_topic *
add_topic(struct request *request,
    struct kp_describe_share_group_offsets_response_group *group,
    struct slice name, struct uuid id, int32_t count)
{
	struct kp_describe_share_group_offsets_response_topic *topic =
	    &group->topics[group->topics_count++];

	topic->topic_name = name;
	topic->topic_id = id;
	topic->partitions = kp_array(&request->arena,
	    &kp_describe_share_group_offsets_response_partition_struct, count);
	assert(topic->partitions != NULL);
	topic->partitions_count = count;
	for (int32_t i = 0; i < count; i++)
		topic->partitions[i].start_offset = SHARE_STATE_UNKNOWN;
	return topic;
}

static void
topics_new(struct request *request,
    struct kp_describe_share_group_offsets_response_group *group, int32_t count)
{
	group->topics = kp_array(&request->arena,
	    &kp_describe_share_group_offsets_response_topic_struct, count);
	assert(group->topics != NULL);
	group->topics_count = 0;
}

/* --- The share coordinator ------------------------------------------------ */

/* How much is yet to be delivered, as far as that is known. */
static void
fill_lag(const struct request *request, struct summary *summary)
{
	const struct share_state_call *call = &summary->call;
	struct partition *partition;

	if (call->start_offset == SHARE_STATE_UNKNOWN ||
	    call->delivery_complete_count == SHARE_STATE_UNKNOWN)
		return;
	partition = partition_manager_find_by_id(request->server->partitions,
	    call->key.topic_id, call->key.partition);
	if (partition == NULL) {
		summary->partition->start_offset = 0;
		summary->partition->leader_epoch = 0;
		summary->partition->error_code =
		    KP_UNKNOWN_TOPIC_OR_PARTITION;
		summary->partition->error_message = slice_str(
		    kp_error_message(KP_UNKNOWN_TOPIC_OR_PARTITION));
		return;
	}
	summary->partition->lag = partition_high_watermark(partition) -
	    call->start_offset - call->delivery_complete_count;
	partition_unref(partition);
}

/* Kafka says nothing of what went wrong, but that nothing is known. */
static void
finish(const struct request *request, struct summary *summary)
{
	const struct share_state_call *call = &summary->call;

	if (call->call.error == KP_NONE) {
		summary->partition->start_offset = call->start_offset;
		summary->partition->leader_epoch = call->leader_epoch;
		fill_lag(request, summary);
	}
	arena_reset(&summary->arena);
}

static void
answer(struct request *request)
{
	struct state *state = request->state;

	for (int32_t i = 0; i < state->summaries_count; i++)
		finish(request, &state->summaries[i]);
	request_reply(request, state->response);
}

/* Topics without an id are not there, or must not be shown. */
static int32_t
count_partitions(const struct state *state)
{
	int32_t count = 0;

	for (int32_t g = 0; g < state->response->groups_count; g++) {
		const struct kp_describe_share_group_offsets_response_group
		    *group = &state->response->groups[g];

		for (int32_t t = 0; t < group->topics_count; t++)
			if (!uuid_is_zero(group->topics[t].topic_id))
				count += group->topics[t].partitions_count;
	}
	return count;
}

static void
add_summaries(struct state *state, struct slice group_id,
    struct kp_describe_share_group_offsets_response_topic *topic)
{
	for (int32_t i = 0; i < topic->partitions_count; i++) {
		struct summary *summary =
		    &state->summaries[state->summaries_count++];

		arena_init(&summary->arena, SIZE_MAX);
		summary->partition = &topic->partitions[i];
		summary->call = (struct share_state_call){
			.operation = SHARE_STATE_READ_SUMMARY,
			.key = { group_id, topic->topic_id,
			    topic->partitions[i].partition_index },
			.arena = &summary->arena,
			.node_id = -1,
		};
	}
}

/* Ask for all partitions that are in the answer, and give it. */
static void
summarize(struct request *request)
{
	struct state *state = request->state;
	struct coordinated *all = coordinated_new(request, answer);

	state->summaries = arena_xcalloc(&request->arena,
	    (size_t)count_partitions(state), sizeof(*state->summaries));
	for (int32_t g = 0; g < state->response->groups_count; g++) {
		struct kp_describe_share_group_offsets_response_group *group =
		    &state->response->groups[g];

		for (int32_t t = 0; t < group->topics_count; t++)
			if (!uuid_is_zero(group->topics[t].topic_id))
				add_summaries(state, group->group_id,
				    &group->topics[t]);
	}
	for (int32_t i = 0; i < state->summaries_count; i++)
		coordinated_join(all, &state->summaries[i].call.call);
	for (int32_t i = 0; i < state->summaries_count; i++)
		share_coordinator_run(
		    request->server->shares, &state->summaries[i].call);
	coordinated_wait(all);
}

/* --- All topics of a group ------------------------------------------------ */

static bool
may_describe(const struct request *request, struct slice topic)
{
	return request_sees(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC, topic);
}

/* Those that are there, and may be seen. */
static void
add_kept(struct request *request, const struct consumer_assignment *kept,
    struct kp_describe_share_group_offsets_response_group *group)
{
	topics_new(request, group, kept->count);
	image_read_lock(request->server->image);
	for (int32_t i = 0, run; i < kept->count; i += run) {
		const struct topic_image *known = image_topic_by_id(
		    request->server->image, kept->partitions[i].topic_id);
		struct kp_describe_share_group_offsets_response_topic *topic;

		run = consumer_assignment_run(kept, i);
		if (known == NULL || !may_describe(request, known->name))
			continue;
		topic = add_topic(request, group,
		    arena_copy(&request->arena, known->name), known->id, run);
		for (int32_t p = 0; p < run; p++)
			topic->partitions[p].partition_index =
			    kept->partitions[i + p].partition;
	}
	image_read_unlock(request->server->image);
}

static void
groups_done(struct request *request)
{
	struct state *state = request->state;

	for (int32_t g = 0; g < state->response->groups_count; g++) {
		struct kp_describe_share_group_offsets_response_group *group =
		    &state->response->groups[g];
		const struct whole *whole = &state->wholes[g];
		enum kp_error error;

		if (whole->call == NULL)
			continue;
		error = whole->call->call.error;
		if (error == KP_NONE) {
			add_kept(request, &whole->partitions, group);
			continue;
		}
		group->error_code = (int16_t)error;
		group->error_message = slice_str(kp_error_message(error));
	}
	summarize(request);
}

/* --- Topics that are asked for -------------------------------------------- */

static void
add_asked_topic(struct request *request,
    const struct kp_describe_share_group_offsets_request_topic *asked,
    struct kp_describe_share_group_offsets_response_group *group, bool allowed)
{
	int32_t count = MAX(asked->partitions_count, 0);
	const struct topic_image *known = allowed ?
	    image_topic(request->server->image, asked->topic_name) :
	    NULL;
	struct kp_describe_share_group_offsets_response_topic *topic =
	    add_topic(request, group, asked->topic_name,
		known == NULL ? UUID_ZERO : known->id, count);

	for (int32_t i = 0; i < count; i++) {
		topic->partitions[i].partition_index = asked->partitions[i];
		if (allowed)
			continue;
		topic->partitions[i].error_code =
		    KP_TOPIC_AUTHORIZATION_FAILED;
		topic->partitions[i].error_message = slice_str(
		    kp_error_message(KP_TOPIC_AUTHORIZATION_FAILED));
	}
}

/* Those that there are come first, then others, and what must not be seen. */
static void
add_asked(struct request *request,
    const struct kp_describe_share_group_offsets_request_group *asked,
    struct kp_describe_share_group_offsets_response_group *group)
{
	struct image *image = request->server->image;

	topics_new(request, group, asked->topics_count);
	image_read_lock(image);
	for (int pass = 0; pass < 3; pass++)
		for (int32_t t = 0; t < asked->topics_count; t++) {
			struct slice name = asked->topics[t].topic_name;
			bool allowed = request_allows(request,
			    ACL_DESCRIBE, ACL_RESOURCE_TOPIC, name);
			bool known = image_topic(image, name) != NULL;

			if (pass == (!allowed ? 2 : !known ? 1 : 0))
				add_asked_topic(request, &asked->topics[t],
				    group, allowed);
		}
	image_read_unlock(image);
}

/* --- The request ---------------------------------------------------------- */

static void
begin_group(struct request *request, struct coordinated *all, int32_t g)
{
	const struct kp_describe_share_group_offsets_request *body =
	    request->body;
	struct state *state = request->state;
	struct kp_describe_share_group_offsets_response_group *group =
	    &state->response->groups[g];

	if (!coordinated_allowed(request, ACL_DESCRIBE, group->group_id)) {
		group->error_code = KP_GROUP_AUTHORIZATION_FAILED;
		return;
	}
	/* The share coordinator knows no group without a name. */
	if (group->group_id.len == 0)
		return;
	if (body->groups[g].topics_count >= 0) {
		add_asked(request, &body->groups[g], group);
		return;
	}
	state->wholes[g].call = coordinated_call(all);
	group_coordinator_share_partitions(request->server->groups,
	    state->wholes[g].call, group->group_id,
	    &state->wholes[g].partitions);
}

static int64_t
asked_count(const struct kp_describe_share_group_offsets_request *body)
{
	int64_t count = MAX(body->groups_count, 0);

	for (int32_t g = 0; g < body->groups_count; g++) {
		count += MAX(body->groups[g].topics_count, 0);
		for (int32_t t = 0; t < body->groups[g].topics_count; t++)
			count +=
			    MAX(body->groups[g].topics[t].partitions_count, 0);
	}
	return count;
}

static void
handle_describe_share_group_offsets(struct request *request)
{
	const struct kp_describe_share_group_offsets_request *body =
	    request->body;
	struct coordinated *all;
	struct state *state;

	if (asked_count(body) > OFFSETS_MAX) {
		request_close(request, "offsets of too many partitions");
		return;
	}
	if (!group_coordinator_serves_shares(request->server->groups)) {
		request_fail(request, KP_UNSUPPORTED_VERSION);
		return;
	}
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	state->response = response_of(request);
	state->wholes = arena_xcalloc(&request->arena,
	    (size_t)state->response->groups_count, sizeof(*state->wholes));
	request->state = state;
	all = coordinated_new(request, groups_done);
	for (int32_t g = 0; g < state->response->groups_count; g++)
		begin_group(request, all, g);
	coordinated_wait(all);
}

const struct api api_describe_share_group_offsets =
    API_ROW(describe_share_group_offsets, API_ENTRIES,
	.fail = fail_describe_share_group_offsets);
