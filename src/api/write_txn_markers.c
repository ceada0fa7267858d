/*
 * WriteTxnMarkers, versions 1-2: markers that end transactions, from their
 * coordinator, or from an administrator who ends one that hangs (KIP-664).
 * Version 2 says what the transaction stands for (KIP-1228).
 */
#include "api/api.h"
#include "api/partitions.h"
#include "base/map.h"
#include "coord/txn_mark.h"
#include "wire/generated/write_txn_markers.h"

struct state {
	struct request *request;
	struct kp_write_txn_markers_response *response;
	struct txn_mark *marks;
	struct kp_write_txn_markers_response_partition **answers;
	int32_t count;
	struct map producers; /* their answers, by id */
	int32_t pending;      /* marks, and the handler */
};

/* --- Answers ------------------------------------------------------------- */

static void
release(struct state *state)
{
	if (--state->pending == 0)
		request_reply(state->request, state->response);
}

static void
settle(struct state *state, const struct txn_mark *mark)
{
	state->answers[mark - state->marks]->error_code = (int16_t)mark->error;
}

static void
on_marked(struct txn_mark *mark)
{
	struct state *state = mark->context;

	settle(state, mark);
	release(state);
}

/* --- One partition ------------------------------------------------------- */

static void
take_partition(struct state *state,
    const struct kp_write_txn_markers_request_marker *asked, struct slice topic,
    int32_t index, struct kp_write_txn_markers_response_partition *answer)
{
	struct request *request = state->request;
	struct txn_mark *mark = &state->marks[state->count];

	answer->partition_index = index;
	state->answers[state->count++] = answer;
	*mark = (struct txn_mark){
		.partitions = request->server->partitions,
		.groups = request->server->groups,
		.loop = request_loop(request),
		.node_id = request->node_id,
		.topic = topic,
		.index = index,
		.marker = { asked->producer_id, asked->producer_epoch,
		    asked->transaction_result, asked->coordinator_epoch },
		.transaction_version = asked->transaction_version,
		.done = on_marked,
		.context = state,
	};
}

/* --- One producer: its markers are answered together ---------------------- */

static struct kp_write_txn_markers_response_marker *
answer_of(struct state *state, const int64_t *producer_id)
{
	struct kp_write_txn_markers_response *response = state->response;
	struct kp_write_txn_markers_response_marker *marker =
	    map_get(&state->producers, MAP_KEY(*producer_id));

	if (marker != NULL)
		return marker;
	marker = &response->markers[response->markers_count++];
	marker->producer_id = *producer_id;
	map_set(&state->producers, MAP_KEY(marker->producer_id), marker);
	return marker;
}

/* Room for count more topics behind those that the answer has. */
static void
topics_reserve(struct request *request,
    struct kp_write_txn_markers_response_marker *answer, int32_t count)
{
	size_t had = (size_t)answer->topics_count;
	struct kp_write_txn_markers_response_topic *topics = arena_xcalloc(
	    &request->arena, had + (size_t)count, sizeof(*topics));

	if (had > 0)
		memcpy(topics, answer->topics, had * sizeof(*topics));
	answer->topics = topics;
}

static void
take_topics(struct state *state,
    const struct kp_write_txn_markers_request_marker *asked)
{
	struct request *request = state->request;
	struct kp_write_txn_markers_response_marker *answer =
	    answer_of(state, &asked->producer_id);
	int32_t count = MAX(asked->topics_count, 0);

	topics_reserve(request, answer, count);
	for (int32_t i = 0; i < count; i++) {
		const struct kp_write_txn_markers_request_topic *topic =
		    &asked->topics[i];
		struct kp_write_txn_markers_response_topic *told =
		    &answer->topics[answer->topics_count++];
		int32_t partitions = MAX(topic->partition_indexes_count, 0);

		told->name = topic->name;
		told->partitions = arena_xcalloc(&request->arena,
		    (size_t)partitions, sizeof(*told->partitions));
		told->partitions_count = partitions;
		for (int32_t j = 0; j < partitions; j++)
			take_partition(state, asked, topic->name,
			    topic->partition_indexes[j], &told->partitions[j]);
	}
}

/* --- The request --------------------------------------------------------- */

static int64_t
count_partitions(const struct kp_write_txn_markers_request *body)
{
	int64_t count = 0;

	for (int32_t i = 0; i < body->markers_count; i++)
		for (int32_t j = 0; j < body->markers[i].topics_count; j++)
			count += MAX(
			    body->markers[i].topics[j].partition_indexes_count,
			    0);
	return count;
}

static bool
allowed(const struct request *request)
{
	return request_allows(request, ACL_ALTER, ACL_RESOURCE_CLUSTER,
		   ACL_CLUSTER_NAME) ||
	    request_allows(request, ACL_CLUSTER_ACTION, ACL_RESOURCE_CLUSTER,
		ACL_CLUSTER_NAME);
}

/* The marks of the request, and room for their answers. */
static struct state *
take(struct request *request)
{
	const struct kp_write_txn_markers_request *body = request->body;
	struct arena *arena = &request->arena;
	size_t count = (size_t)count_partitions(body);
	struct state *state = arena_xcalloc(arena, 1, sizeof(*state));

	state->request = request;
	state->response = request_response_new(request);
	state->response->markers =
	    arena_xcalloc(arena, (size_t)MAX(body->markers_count, 0),
		sizeof(*state->response->markers));
	state->marks = arena_xcalloc(arena, count, sizeof(*state->marks));
	state->answers =
	    (void *)arena_xcalloc(arena, count, sizeof(*state->answers));
	map_init(&state->producers);
	for (int32_t i = 0; i < body->markers_count; i++)
		take_topics(state, &body->markers[i]);
	map_fini(&state->producers);
	return state;
}

static void
begin(struct state *state)
{
	state->pending = 1;
	for (int32_t i = 0; i < state->count; i++) {
		if (txn_mark_begin(&state->marks[i]))
			settle(state, &state->marks[i]);
		else
			state->pending++;
	}
	release(state);
}

static void
handle_write_txn_markers(struct request *request)
{
	const struct kp_write_txn_markers_request *body = request->body;

	if (count_partitions(body) > PARTITIONS_MAX)
		request_close(request, "markers for too many partitions");
	else if (!allowed(request))
		request_fail(request, KP_CLUSTER_AUTHORIZATION_FAILED);
	else
		begin(take(request));
}

/* Every partition has the error. */
static void
fail_write_txn_markers(struct request *request, enum kp_error error)
{
	struct state *state = take(request);

	for (int32_t i = 0; i < state->count; i++)
		state->answers[i]->error_code = (int16_t)error;
	request_reply(request, state->response);
}

const struct api api_write_txn_markers =
    API_ROW(write_txn_markers, API_ENTRIES, .fail = fail_write_txn_markers,
	.flags = API_UNTHROTTLED);
