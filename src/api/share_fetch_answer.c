#include "api/api.h"
#include "api/share_fetch.h"
#include "api/throttle.h"

/* --- The parts of the answer ------------------------------------------- */

/* What is told of a partition: fetched, acknowledged, or both. */
struct told {
	struct uuid topic_id;
	int32_t index;
	const struct share_fetch_part *part;	/* or NULL */
	const struct share_acks_part *acked;	/* or NULL */
};

static int
told_compare(const void *a, const void *b)
{
	const struct told *left = a, *right = b;
	int order = memcmp(
	    &left->topic_id, &right->topic_id, sizeof(left->topic_id));

	if (order != 0)
		return order;
	return (left->index > right->index) - (left->index < right->index);
}

/* Of the same partition, one behind the other, make one. */
static size_t
told_merge(struct told *told, size_t count)
{
	size_t out = 0;

	for (size_t i = 0; i < count; i++) {
		if (out == 0 || told_compare(&told[out - 1], &told[i]) != 0) {
			told[out++] = told[i];
			continue;
		}
		if (told[i].part != NULL)
			told[out - 1].part = told[i].part;
		if (told[i].acked != NULL)
			told[out - 1].acked = told[i].acked;
	}
	return out;
}

/* A session that begins is told of all that was tried. */
static void
news_find(const struct share_fetch *fetch, bool *answered)
{
	for (int32_t i = 0; i < fetch->parts_count; i++)
		answered[i] = fetch->parts[i].tried ||
		    fetch->parts[i].error != KP_NONE;
}

/* Tell the session, in its own order. */
static enum kp_error
session_tell(struct share_fetch *fetch, bool *answered)
{
	struct arena *arena = &fetch->request->arena;
	size_t count = (size_t)fetch->parts_count;
	bool *flags = arena_xcalloc(arena, 3 * count, sizeof(*flags));
	bool *failed = flags, *records = flags + count;
	bool *news = flags + 2 * count;
	enum kp_error error;

	for (size_t i = 0; i < count; i++) {
		const struct share_fetch_part *part = &fetch->parts[i];
		size_t at = (size_t)(part->wanted - fetch->session.partitions);

		failed[at] = part->error != KP_NONE;
		records[at] = part->acquired.ranges_count > 0;
	}
	error = share_sessions_answer(fetch->request->server->share_sessions,
	    &fetch->session_request, &fetch->session, failed, records, news);
	for (size_t i = 0; i < count; i++)
		answered[i] =
		    news[fetch->parts[i].wanted - fetch->session.partitions] &&
		    (fetch->parts[i].tried ||
			fetch->parts[i].error != KP_NONE);
	return error;
}

static struct told *
told_list(struct share_fetch *fetch, const bool *answered, size_t *count)
{
	size_t acked =
	    fetch->acks == NULL ? 0 : (size_t)fetch->acks->count;
	struct told *told = arena_xcalloc(&fetch->request->arena,
	    (size_t)fetch->parts_count + acked, sizeof(*told));

	*count = 0;
	for (int32_t i = 0; i < fetch->parts_count; i++)
		if (answered[i])
			told[(*count)++] = (struct told){
				.topic_id = fetch->parts[i].wanted->topic_id,
				.index = fetch->parts[i].wanted->index,
				.part = &fetch->parts[i],
			};
	for (size_t i = 0; i < acked; i++)
		told[(*count)++] = (struct told){
			.topic_id = fetch->acks->parts[i].topic_id,
			.index = fetch->acks->parts[i].index,
			.acked = &fetch->acks->parts[i],
		};
	if (*count > 0)
		qsort(told, *count, sizeof(*told), told_compare);
	*count = told_merge(told, *count);
	return told;
}

/* --- One partition ----------------------------------------------------- */

static void
acquired_fill(struct share_fetch *fetch, const struct share_fetch_part *part,
    struct kp_share_fetch_response_partition *answer)
{
	const struct share_partition_acquire *acquired = &part->acquired;
	struct kp_share_fetch_response_acquired_record *records =
	    arena_xcalloc(&fetch->request->arena, acquired->ranges_count,
		sizeof(*records));

	for (size_t i = 0; i < acquired->ranges_count; i++) {
		records[i].first_offset = acquired->ranges[i].first_offset;
		records[i].last_offset = acquired->ranges[i].last_offset;
		records[i].delivery_count = acquired->ranges[i].delivery_count;
	}
	answer->acquired_records = records;
	answer->acquired_records_count = (int32_t)acquired->ranges_count;
	if (acquired->ranges_count == 0)
		return;
	answer->records.extents = &part->extent;
	answer->records.extents_count = 1;
	answer->records.len = part->extent.len;
}

static void
part_fill(struct share_fetch *fetch, const struct share_fetch_part *part,
    struct kp_share_fetch_response_partition *answer,
    struct partitions_leaders *leaders)
{
	answer->error_code = (int16_t)part->error;
	if (part->error == KP_NONE) {
		acquired_fill(fetch, part, answer);
		return;
	}
	answer->error_message = slice_str(kp_error_message(part->error));
	if (part->error != KP_NOT_LEADER_OR_FOLLOWER &&
	    part->error != KP_FENCED_LEADER_EPOCH)
		return;
	answer->current_leader.leader_id = part->leader.id;
	answer->current_leader.leader_epoch = part->leader.epoch;
	partitions_leader_add(fetch->request, leaders, part->leader.id);
}

static void
told_fill(struct share_fetch *fetch, const struct told *told,
    struct kp_share_fetch_response_partition *answer,
    struct partitions_leaders *leaders)
{
	answer->partition_index = told->index;
	answer->records.bytes = slice_of("", 0);
	if (told->part != NULL)
		part_fill(fetch, told->part, answer, leaders);
	if (told->acked == NULL)
		return;
	answer->acknowledge_error_code = (int16_t)told->acked->error;
	if (told->acked->error != KP_NONE)
		answer->acknowledge_error_message =
		    slice_str(kp_error_message(told->acked->error));
}

/* --- The whole --------------------------------------------------------- */

static void
endpoints_fill(struct share_fetch *fetch,
    const struct partitions_leaders *leaders,
    struct kp_share_fetch_response *response)
{
	struct kp_share_fetch_response_node_endpoint *endpoints =
	    arena_xcalloc(&fetch->request->arena, (size_t)leaders->count,
		sizeof(*endpoints));

	for (int32_t i = 0; i < leaders->count; i++)
		endpoints[i] = (struct kp_share_fetch_response_node_endpoint){
			.node_id = leaders->endpoints[i].node_id,
			.host = leaders->endpoints[i].host,
			.port = leaders->endpoints[i].port,
			.rack = leaders->endpoints[i].rack,
		};
	response->node_endpoints = endpoints;
	response->node_endpoints_count = leaders->count;
}

static void
all_fill(struct share_fetch *fetch, const struct told *told, size_t count,
    struct kp_share_fetch_response *response)
{
	struct arena *arena = &fetch->request->arena;
	struct partitions_leaders leaders = { 0 };
	struct kp_share_fetch_response_topic *topic = NULL;
	struct kp_share_fetch_response_partition *next;

	next = kp_array(arena, &kp_share_fetch_response_partition_struct,
	    (int32_t)count);
	response->responses = kp_array(
	    arena, &kp_share_fetch_response_topic_struct, (int32_t)count);
	response->responses_count = 0;
	assert(next != NULL && response->responses != NULL);
	for (size_t i = 0; i < count; i++) {
		if (topic == NULL ||
		    !uuid_equal(topic->topic_id, told[i].topic_id)) {
			topic =
			    &response->responses[response->responses_count++];
			topic->topic_id = told[i].topic_id;
			topic->partitions = next;
			topic->partitions_count = 0;
		}
		topic->partitions_count++;
		told_fill(fetch, &told[i], next++, &leaders);
	}
	endpoints_fill(fetch, &leaders, response);
}

void
share_fetch_answer(struct share_fetch *fetch)
{
	struct request *request = fetch->request;
	const struct server *server = request->server;
	struct kp_share_fetch_response *response =
	    request_response_new(request);
	bool *answered = arena_xcalloc(
	    &request->arena, (size_t)fetch->parts_count, sizeof(*answered));
	enum kp_error error = KP_NONE;
	struct told *told;
	size_t count;

	if (fetch->session.incremental)
		error = session_tell(fetch, answered);
	else
		news_find(fetch, answered);
	if (fetch->body->share_session_epoch == SHARE_SESSION_EPOCH_FINAL)
		share_sessions_close(server->share_sessions,
		    fetch->body->group_id, fetch->body->member_id,
		    share_partitions_session_ended, server->share_partitions);
	response->error_code = (int16_t)error;
	response->acquisition_lock_timeout_ms = fetch->config.limits.lock_ms;
	if (error == KP_NONE) {
		told = told_list(fetch, answered, &count);
		all_fill(fetch, told, count, response);
		throttle_records(request, response);
	}
	request_reply(request, response);
}

void
share_fetch_answer_error(struct request *request, enum kp_error error)
{
	struct kp_share_fetch_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->error_message = slice_str(kp_error_message(error));
	request_reply(request, response);
}
