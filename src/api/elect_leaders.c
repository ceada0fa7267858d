/*
 * ElectLeaders, versions 0-2: elections that somebody asks for.
 *
 * In a cluster of one there is something to elect where another broker was
 * before us: an unclean election makes us lead what we have a replica of, but
 * were not in sync with.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "api/partitions.h"
#include "meta/elect_leaders_op.h"
#include "wire/error.h"

struct call {
	struct admin_call admin;
	struct elect_leaders_op op;
};

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.op)->admin);
}

/* The partitions that are named, all of them with the error. */
static void
fill_failed(struct request *request, enum kp_error error,
    struct kp_elect_leaders_response *response)
{
	const struct kp_elect_leaders_request *body = request->body;
	size_t count = (size_t)MAX(body->topic_partitions_count, 0);

	response->replica_election_results = arena_xcalloc(&request->arena,
	    count, sizeof(*response->replica_election_results));
	response->replica_election_results_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		const struct kp_elect_leaders_request_topic_partition *topic =
		    &body->topic_partitions[i];
		struct kp_elect_leaders_response_topic *entry =
		    &response->replica_election_results[i];

		entry->topic = topic->topic;
		entry->partition_result_count = MAX(topic->partitions_count, 0);
		entry->partition_result = arena_xcalloc(&request->arena,
		    (size_t)entry->partition_result_count,
		    sizeof(*entry->partition_result));
		for (int32_t j = 0; j < entry->partition_result_count; j++) {
			entry->partition_result[j].partition_id =
			    topic->partitions[j];
			entry->partition_result[j].error_code = (int16_t)error;
			entry->partition_result[j].error_message =
			    slice_str(kp_error_message(error));
		}
	}
}

static void
fail_elect_leaders(struct request *request, enum kp_error error)
{
	struct kp_elect_leaders_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	fill_failed(request, error, response);
	request_reply(request, response);
}

static int64_t
partitions_total(const struct kp_elect_leaders_request *body)
{
	int64_t total = 0;

	for (int32_t i = 0; i < body->topic_partitions_count; i++)
		total += MAX(body->topic_partitions[i].partitions_count, 0);
	return total;
}

static bool
type_known(int8_t type)
{
	return type == ELECT_LEADERS_PREFERRED ||
	    type == ELECT_LEADERS_UNCLEAN;
}

static void
handle_elect_leaders(struct request *request)
{
	const struct kp_elect_leaders_request *body = request->body;
	struct call *call;

	if (partitions_total(body) > PARTITIONS_MAX) {
		request_close(request, "elections of too many partitions");
		return;
	}
	if (!type_known(body->election_type)) {
		fail_elect_leaders(request, KP_INVALID_REQUEST);
		return;
	}
	call = arena_xcalloc(&request->arena, 1, sizeof(*call));
	admin_call_init(&call->admin, request);
	elect_leaders_op_init(&call->op);
	call->op.request = body;
	call->op.arena = &request->arena;
	call->op.op.done = done;
	admin_call_submit(&call->admin, &call->op.op, &call->op.response);
}

const struct api api_elect_leaders = API_ROW(elect_leaders,
    API_CLUSTER(ACL_ALTER),
    .flags = API_CHANGES, .fail = fail_elect_leaders);
