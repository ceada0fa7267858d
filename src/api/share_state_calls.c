#include "api/share_state_calls.h"

#include "api/coordinated.h"

struct share_state_calls *
share_state_calls_new(struct request *request,
    enum share_state_operation operation, struct slice group_id,
    int32_t topics_count, void (*answer)(struct request *request))
{
	struct share_state_calls *calls =
	    arena_xcalloc(&request->arena, 1, sizeof(*calls));

	calls->request = request;
	calls->operation = operation;
	calls->group_id = group_id;
	calls->answer = answer;
	calls->topics_room = MAX(topics_count, 0);
	calls->topics = arena_xcalloc(&request->arena,
	    (size_t)calls->topics_room, sizeof(*calls->topics));
	request->state = calls;
	return calls;
}

void
share_state_calls_topic(struct share_state_calls *calls, struct uuid topic_id,
    int32_t partitions_count)
{
	struct share_state_calls_topic *topic;

	assert(calls->topics_count < calls->topics_room);
	topic = &calls->topics[calls->topics_count++];
	topic->topic_id = topic_id;
	topic->room = MAX(partitions_count, 0);
	topic->calls = arena_xcalloc(&calls->request->arena,
	    (size_t)topic->room, sizeof(*topic->calls));
}

struct share_state_call *
share_state_calls_add(struct share_state_calls *calls, int32_t partition)
{
	struct share_state_calls_topic *topic =
	    &calls->topics[calls->topics_count - 1];
	struct share_state_call *call;

	assert(topic->count < topic->room);
	call = &topic->calls[topic->count++];
	calls->count++;
	*call = (struct share_state_call){
		.operation = calls->operation,
		.key = { calls->group_id, topic->topic_id, partition },
		.arena = &calls->request->arena,
		.node_id = calls->request->node_id,
		.state_epoch = SHARE_STATE_UNKNOWN,
		.leader_epoch = SHARE_STATE_UNKNOWN,
		.start_offset = SHARE_STATE_UNKNOWN,
		.delivery_complete_count = SHARE_STATE_UNKNOWN,
	};
	return call;
}

/* Is there something to be asked, and for each of the topics? */
static bool
complete(const struct share_state_calls *calls)
{
	bool all = calls->group_id.len > 0;

	for (int32_t i = 0; i < calls->topics_count; i++)
		all = all && calls->topics[i].count > 0;
	return all;
}

void
share_state_calls_run(struct share_state_calls *calls)
{
	struct request *request = calls->request;
	struct coordinated *all;

	if (calls->count > SHARE_STATE_CALLS_MAX) {
		request_close(request, "too many share partitions");
		return;
	}
	if (!complete(calls))
		calls->topics_count = 0;
	all = coordinated_new(request, calls->answer);
	for (int32_t i = 0; i < calls->topics_count; i++) {
		struct share_state_calls_topic *topic = &calls->topics[i];

		for (int32_t j = 0; j < topic->count; j++) {
			coordinated_join(all, &topic->calls[j].call);
			share_coordinator_ask(
			    request->server->shares, &topic->calls[j]);
		}
	}
	coordinated_wait(all);
}

void
share_state_calls_fail(struct share_state_calls *calls, enum kp_error error)
{
	for (int32_t i = 0; i < calls->topics_count; i++)
		for (int32_t j = 0; j < calls->topics[i].count; j++) {
			struct share_state_call *call =
			    &calls->topics[i].calls[j];

			call->call.error = error;
			call->message = kp_error_message(error);
		}
	calls->answer(calls->request);
}

struct slice
share_state_calls_message(const struct share_state_calls *calls,
    const struct share_state_call *call)
{
	static const char *const what[] = {
		[SHARE_STATE_INITIALIZE] = "initialize share group state",
		[SHARE_STATE_READ] = "read share group state",
		[SHARE_STATE_READ_SUMMARY] = "read share group state summary",
		[SHARE_STATE_WRITE] = "write share group state",
		[SHARE_STATE_DELETE] = "delete share group state",
	};

	if (call->call.error == KP_NONE)
		return SLICE_NULL;
	if (call->message != NULL)
		return slice_str(call->message);
	return arena_printf(&calls->request->arena, "Unable to %s: %s",
	    what[calls->operation], kp_error_message(call->call.error));
}
