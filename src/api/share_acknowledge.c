/*
 * ShareAcknowledge, versions 1-2: a member of a share group tells what became
 * of records that it had acquired (KIP-932).
 */
#include "api/api.h"
#include "api/share_acks.h"
#include "broker/share_group_config.h"
#include "wire/generated/share_acknowledge.h"

static void
fail_share_acknowledge(struct request *request, enum kp_error error)
{
	struct kp_share_acknowledge_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->error_message = slice_str(kp_error_message(error));
	request_reply(request, response);
}

/* --- The answer -------------------------------------------------------- */

static void
part_fill(struct request *request, const struct share_acks_part *part,
    struct kp_share_acknowledge_response_partition *told,
    struct partitions_leaders *leaders)
{
	told->partition_index = part->index;
	told->error_code = (int16_t)part->error;
	if (part->error != KP_NONE)
		told->error_message =
		    slice_str(kp_error_message(part->error));
	if (part->error != KP_NOT_LEADER_OR_FOLLOWER &&
	    part->error != KP_FENCED_LEADER_EPOCH)
		return;
	told->current_leader.leader_id = part->leader.id;
	told->current_leader.leader_epoch = part->leader.epoch;
	partitions_leader_add(request, leaders, part->leader.id);
}

static void
endpoints_fill(struct request *request,
    const struct partitions_leaders *leaders,
    struct kp_share_acknowledge_response *response)
{
	struct kp_share_acknowledge_response_node_endpoint *endpoints =
	    arena_xcalloc(&request->arena, (size_t)leaders->count,
		sizeof(*endpoints));

	for (int32_t i = 0; i < leaders->count; i++)
		endpoints[i] =
		    (struct kp_share_acknowledge_response_node_endpoint){
			    .node_id = leaders->endpoints[i].node_id,
			    .host = leaders->endpoints[i].host,
			    .port = leaders->endpoints[i].port,
			    .rack = leaders->endpoints[i].rack,
		    };
	response->node_endpoints = endpoints;
	response->node_endpoints_count = leaders->count;
}

/* Partitions of a topic stand together, as they do in the request. */
static void
parts_fill(const struct share_acks *acks,
    struct kp_share_acknowledge_response *response)
{
	struct arena *arena = &acks->request->arena;
	struct partitions_leaders leaders = { 0 };
	struct kp_share_acknowledge_response_partition *next = kp_array(arena,
	    &kp_share_acknowledge_response_partition_struct, acks->count);
	struct kp_share_acknowledge_response_topic *topic = NULL;

	response->responses = kp_array(
	    arena, &kp_share_acknowledge_response_topic_struct, acks->count);
	response->responses_count = 0;
	assert(next != NULL && response->responses != NULL);
	for (int32_t i = 0; i < acks->count; i++) {
		const struct share_acks_part *part = &acks->parts[i];

		if (topic == NULL ||
		    !uuid_equal(topic->topic_id, part->topic_id)) {
			topic =
			    &response->responses[response->responses_count++];
			topic->topic_id = part->topic_id;
			topic->partitions = next;
			topic->partitions_count = 0;
		}
		topic->partitions_count++;
		part_fill(acks->request, part, next++, &leaders);
	}
	endpoints_fill(acks->request, &leaders, response);
}

static void
answer(struct request *request)
{
	const struct kp_share_acknowledge_request *body = request->body;
	struct kp_share_acknowledge_response *response =
	    request_response_new(request);
	const struct server *server = request->server;
	struct share_group_config config;

	if (body->share_session_epoch == SHARE_SESSION_EPOCH_FINAL)
		share_sessions_close(server->share_sessions, body->group_id,
		    body->member_id, share_partitions_session_ended,
		    server->share_partitions);
	share_group_config_read(
	    &config, server->image, server->configs, body->group_id);
	response->acquisition_lock_timeout_ms = config.limits.lock_ms;
	parts_fill(request->state, response);
	request_reply(request, response);
}

/* --- The request ------------------------------------------------------- */

static size_t
parts_total(const struct kp_share_acknowledge_request *body)
{
	size_t total = 0;

	for (int32_t i = 0; i < body->topics_count; i++)
		total += (size_t)MAX(body->topics[i].partitions_count, 0);
	return total;
}

static void
part_take(struct share_acks *acks, struct uuid topic_id,
    const struct kp_share_acknowledge_request_partition *part)
{
	share_acks_part(acks, topic_id, part->partition_index,
	    part->acknowledgement_batches_count);
	for (int32_t i = 0; i < part->acknowledgement_batches_count; i++)
		share_acks_batch(acks,
		    part->acknowledgement_batches[i].first_offset,
		    part->acknowledgement_batches[i].last_offset,
		    part->acknowledgement_batches[i].acknowledge_types,
		    part->acknowledgement_batches[i].acknowledge_types_count);
}

static void
parts_take(
    struct share_acks *acks, const struct kp_share_acknowledge_request *body)
{
	for (int32_t i = 0; i < body->topics_count; i++)
		for (int32_t j = 0; j < body->topics[i].partitions_count; j++)
			part_take(acks, body->topics[i].topic_id,
			    &body->topics[i].partitions[j]);
}

static enum kp_error
session_advance(struct request *request)
{
	const struct kp_share_acknowledge_request *body = request->body;
	const struct share_session_request session = {
		.group_id = body->group_id,
		.member_id = body->member_id,
		.epoch = body->share_session_epoch,
	};

	return share_sessions_acknowledge(
	    request->server->share_sessions, &session);
}

static void
handle_share_acknowledge(struct request *request)
{
	const struct kp_share_acknowledge_request *body = request->body;
	size_t total = parts_total(body);
	struct share_acks *acks;
	enum kp_error error;

	if (total > PARTITIONS_MAX) {
		request_close(request, "a request of too many partitions");
		return;
	}
	error = share_acks_check(request, body->group_id, body->member_id);
	if (error == KP_NONE)
		error = session_advance(request);
	if (error != KP_NONE) {
		request_fail(request, error);
		return;
	}
	acks = share_acks_new(
	    request, body->group_id, body->member_id, total, answer);
	request->state = acks;
	parts_take(acks, body);
	request_park(request, NULL);
	share_acks_run(acks,
	    request->version >= 2 ? SHARE_PARTITION_RENEW :
				    SHARE_PARTITION_REJECT,
	    body->is_renew_ack);
}

const struct api api_share_acknowledge =
    API_ROW(share_acknowledge, API_ENTRIES, .fail = fail_share_acknowledge);
