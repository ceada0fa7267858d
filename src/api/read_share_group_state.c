/*
 * ReadShareGroupState, version 0: the states of share partitions, for
 * their leader, whose epoch is made known (KIP-932).
 */
#include "api/api.h"
#include "api/share_state_calls.h"
#include "wire/generated/read_share_group_state.h"

SHARE_STATE_BATCH_LIKE(struct kp_read_share_group_state_response_state_batche);

static void
fill(const struct share_state_calls *calls, const struct share_state_call *call,
    struct kp_read_share_group_state_response_partition *told)
{
	told->partition = call->key.partition;
	told->error_code = (int16_t)call->call.error;
	told->error_message = share_state_calls_message(calls, call);
	if (call->call.error != KP_NONE)
		return;
	told->state_epoch = call->state_epoch;
	told->start_offset = call->start_offset;
	told->state_batches = (void *)(uintptr_t)call->batches;
	told->state_batches_count = call->batches_count;
}

static void
fill_topic(struct request *request, const struct share_state_calls_topic *topic,
    struct kp_read_share_group_state_response_topic *told)
{
	const struct share_state_calls *calls = request->state;

	told->topic_id = topic->topic_id;
	told->partitions_count = topic->count;
	told->partitions = arena_xcalloc(&request->arena,
	    (size_t)topic->count, sizeof(*told->partitions));
	for (int32_t i = 0; i < told->partitions_count; i++)
		fill(calls, &topic->calls[i], &told->partitions[i]);
}

static void
answer(struct request *request)
{
	const struct share_state_calls *calls = request->state;
	struct kp_read_share_group_state_response *response =
	    request_response_new(request);

	response->results_count = calls->topics_count;
	response->results = arena_xcalloc(&request->arena,
	    (size_t)calls->topics_count, sizeof(*response->results));
	for (int32_t i = 0; i < calls->topics_count; i++)
		fill_topic(
		    request, &calls->topics[i], &response->results[i]);
	request_reply(request, response);
}

static void
take_topic(struct share_state_calls *calls,
    const struct kp_read_share_group_state_request_topic *topic)
{
	share_state_calls_topic(
	    calls, topic->topic_id, topic->partitions_count);
	for (int32_t i = 0; i < topic->partitions_count; i++) {
		const struct kp_read_share_group_state_request_partition *asked =
		    &topic->partitions[i];
		struct share_state_call *call =
		    share_state_calls_add(calls, asked->partition);

		call->leader_epoch = asked->leader_epoch;
	}
}

static struct share_state_calls *
take(struct request *request)
{
	const struct kp_read_share_group_state_request *body = request->body;
	struct share_state_calls *calls = share_state_calls_new(request,
	    SHARE_STATE_READ, body->group_id, body->topics_count, answer);

	for (int32_t i = 0; i < body->topics_count; i++)
		take_topic(calls, &body->topics[i]);
	return calls;
}

static void
handle_read_share_group_state(struct request *request)
{
	share_state_calls_run(take(request));
}

static void
fail_read_share_group_state(struct request *request, enum kp_error error)
{
	share_state_calls_fail(take(request), error);
}

const struct api api_read_share_group_state =
    API_ROW(read_share_group_state, API_CLUSTER(ACL_CLUSTER_ACTION),
	.fail = fail_read_share_group_state);
