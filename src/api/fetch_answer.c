#include "api/api.h"
#include "api/fetch.h"
#include "base/clock.h"
#include "wire/codec.h"

/* --- One partition ----------------------------------------------------- */

/* Versions before the error existed know it by another name. */
static enum kp_error
error_for(const struct fetch *fetch, enum kp_error error)
{
	if (error == KP_KAFKA_STORAGE_ERROR &&
	    fetch->request->version < FETCH_VERSION_STORAGE_ERROR)
		return KP_NOT_LEADER_OR_FOLLOWER;
	return error;
}

static void
records_fill(struct fetch_part *part, struct kp_records *records)
{
	const struct log_read *data = &part->read.data;

	*records = (struct kp_records){ .bytes = slice_of("", 0) };
	if (part->error != KP_NONE || data->len == 0)
		return;
	part->extent =
	    (struct kp_extent){ data->fd, data->position, data->len };
	records->extents = &part->extent;
	records->extents_count = 1;
	records->len = data->len;
}

static void
leader_tell(struct fetch *fetch, const struct fetch_part *part,
    struct kp_fetch_response_partition *answer,
    struct partitions_leaders *leaders)
{
	if (fetch->request->version < FETCH_VERSION_LEADERS ||
	    (part->error != KP_NOT_LEADER_OR_FOLLOWER &&
		part->error != KP_FENCED_LEADER_EPOCH))
		return;
	answer->current_leader.leader_id = part->leader.id;
	answer->current_leader.leader_epoch = part->leader.epoch;
	partitions_leader_add(fetch->request, leaders, part->leader.id);
}

/*
 * Aborted transactions are null where nobody asked for them, and where the
 * read itself failed.
 */
static void
aborted_fill(struct fetch *fetch, const struct fetch_part *part,
    struct kp_fetch_response_partition *answer)
{
	const struct txn_index *aborted = &part->aborted;
	struct kp_fetch_response_aborted_transaction *list;

	answer->aborted_transactions_count = part->refused ? 0 : -1;
	if (part->error != KP_NONE ||
	    fetch->isolation != PARTITION_READ_COMMITTED)
		return;
	list = arena_xcalloc(
	    &fetch->request->arena, aborted->count, sizeof(*list));
	for (size_t i = 0; i < aborted->count; i++) {
		list[i].producer_id = aborted->entries[i].producer_id;
		list[i].first_offset = aborted->entries[i].first_offset;
	}
	answer->aborted_transactions = list;
	answer->aborted_transactions_count = (int32_t)aborted->count;
}

static void
part_fill(struct fetch *fetch, struct fetch_part *part,
    struct kp_fetch_response_partition *answer,
    struct partitions_leaders *leaders)
{
	const struct partition_read *read = &part->read;

	answer->partition_index = part->wanted->index;
	answer->error_code = (int16_t)error_for(fetch, part->error);
	answer->high_watermark = read->high_watermark;
	answer->last_stable_offset = read->last_stable_offset;
	answer->log_start_offset = read->log_start_offset;
	answer->preferred_read_replica = -1;
	aborted_fill(fetch, part, answer);
	if (part->error == KP_NONE && read->diverging_epoch >= 0) {
		answer->diverging_epoch.epoch = read->diverging_epoch;
		answer->diverging_epoch.end_offset = read->diverging_end_offset;
	}
	records_fill(part, &answer->records);
	leader_tell(fetch, part, answer, leaders);
}

/* --- The whole --------------------------------------------------------- */

static struct fetch_session_result
result_of(const struct fetch_part *part)
{
	return (struct fetch_session_result){
		.error = part->error,
		.high_watermark = part->read.high_watermark,
		.log_start_offset = part->read.log_start_offset,
		.has_records =
		    part->error == KP_NONE && part->read.data.len > 0,
		.must_answer = part->error == KP_NONE && !part->refused &&
		    part->read.diverging_epoch >= 0,
	};
}

static struct fetch_session_result *
results_of(struct fetch *fetch)
{
	size_t count = (size_t)fetch->parts_count;
	struct fetch_session_result *results = arena_xcalloc(
	    &fetch->request->arena, count, sizeof(*results));

	for (size_t i = 0; i < count; i++)
		results[i] = result_of(&fetch->parts[i]);
	return results;
}

static bool
same_topic(const struct fetch_session_partition *a,
    const struct kp_fetch_response_topic *b, bool by_id)
{
	return by_id ? uuid_equal(a->topic_id, b->topic_id) :
		       slice_equal(a->topic, b->topic);
}

/* The topic that the next part goes into: the last one, or a new one. */
static struct kp_fetch_response_topic *
topic_for(struct fetch *fetch, const struct fetch_part *part,
    struct kp_fetch_response *response,
    struct kp_fetch_response_partition *partitions)
{
	bool by_id = fetch->request->version >= FETCH_VERSION_TOPIC_IDS;
	struct kp_fetch_response_topic *topic =
	    &response->responses[response->responses_count];

	if (response->responses_count > 0 &&
	    same_topic(part->wanted, topic - 1, by_id))
		return topic - 1;
	response->responses_count++;
	topic->topic = part->wanted->topic;
	topic->topic_id = part->wanted->topic_id;
	topic->partitions = partitions;
	return topic;
}

static void
endpoints_fill(struct fetch *fetch, const struct partitions_leaders *leaders,
    struct kp_fetch_response *response)
{
	struct kp_fetch_response_node_endpoint *endpoints;

	if (leaders->count == 0)
		return;
	endpoints = arena_xcalloc(
	    &fetch->request->arena, (size_t)leaders->count, sizeof(*endpoints));
	for (int32_t i = 0; i < leaders->count; i++)
		endpoints[i] = (struct kp_fetch_response_node_endpoint){
			.node_id = leaders->endpoints[i].node_id,
			.host = leaders->endpoints[i].host,
			.port = leaders->endpoints[i].port,
			.rack = leaders->endpoints[i].rack,
		};
	response->node_endpoints = endpoints;
	response->node_endpoints_count = leaders->count;
}

static void
parts_fill(struct fetch *fetch, const bool *answered,
    struct kp_fetch_response *response)
{
	struct arena *arena = &fetch->request->arena;
	struct partitions_leaders leaders = { 0 };
	struct kp_fetch_response_partition *next;

	next = kp_array(
	    arena, &kp_fetch_response_partition_struct, fetch->parts_count);
	response->responses = kp_array(
	    arena, &kp_fetch_response_topic_struct, fetch->parts_count);
	response->responses_count = 0;
	assert(next != NULL && response->responses != NULL);
	for (int32_t i = 0; i < fetch->parts_count; i++) {
		struct fetch_part *part = &fetch->parts[i];

		if (!answered[i])
			continue;
		topic_for(fetch, part, response, next)->partitions_count++;
		part_fill(fetch, part, next++, &leaders);
	}
	endpoints_fill(fetch, &leaders, response);
}

/* Could the client be given this?  Where not, response is without it. */
static bool
affordable(struct fetch *fetch, const struct fetch_session_result *results,
    bool *answered, struct kp_fetch_response *response)
{
	struct request *request = fetch->request;
	struct kp_fetch_response measured;
	enum kp_error error =
	    fetch_sessions_look(request->server->fetch_sessions,
		&fetch->session, results, &response->session_id, answered);

	response->error_code = (int16_t)error;
	measured = *response;
	if (error == KP_NONE)
		parts_fill(fetch, answered, &measured);
	/* Kafka counts the four bytes of its size. */
	return !fetch_quota_charge(fetch,
	    sizeof(int32_t) +
		kp_size(request->messages->response, request->version,
		    &measured));
}

void
fetch_answer(struct fetch *fetch)
{
	struct request *request = fetch->request;
	struct kp_fetch_response *response = request_response_new(request);
	struct fetch_session_result *results = results_of(fetch);
	bool *answered = arena_xcalloc(&request->arena,
	    (size_t)fetch->parts_count, sizeof(*answered));
	enum kp_error error;

	if (fetch_quota_counts(fetch) &&
	    !affordable(fetch, results, answered, response)) {
		request_reply(request, response);
		return;
	}
	error = fetch_sessions_answer(request->server->fetch_sessions,
	    &fetch->session, results, clock_monotonic_ms(),
	    &response->session_id, answered);
	response->error_code = (int16_t)error;
	if (error == KP_NONE)
		parts_fill(fetch, answered, response);
	request_reply(request, response);
}

/* --- Errors of all of it ----------------------------------------------- */

static void
topic_fail(struct request *request, const struct kp_fetch_request_topic *topic,
    enum kp_error error, struct kp_fetch_response_topic *answer)
{
	int32_t count = MAX(topic->partitions_count, 0);

	answer->topic = topic->topic;
	answer->partitions = kp_array(
	    &request->arena, &kp_fetch_response_partition_struct, count);
	assert(answer->partitions != NULL);
	answer->partitions_count = count;
	for (int32_t i = 0; i < count; i++) {
		struct kp_fetch_response_partition *part =
		    &answer->partitions[i];

		part->partition_index = topic->partitions[i].partition;
		part->error_code = (int16_t)error;
		part->high_watermark = -1;
		part->last_stable_offset = -1;
		part->log_start_offset = -1;
		part->preferred_read_replica = -1;
		part->records.bytes = slice_of("", 0);
	}
}

void
fetch_answer_error(struct request *request, enum kp_error error)
{
	const struct kp_fetch_request *body = request->body;
	struct kp_fetch_response *response = request_response_new(request);
	int32_t count = MAX(body->topics_count, 0);

	response->error_code = (int16_t)error;
	if (request->version < FETCH_VERSION_TOPIC_IDS) {
		response->responses = kp_array(
		    &request->arena, &kp_fetch_response_topic_struct, count);
		assert(response->responses != NULL);
		response->responses_count = count;
		for (int32_t i = 0; i < count; i++)
			topic_fail(request, &body->topics[i], error,
			    &response->responses[i]);
	}
	request_reply(request, response);
}
