/*
 * AddOffsetsToTxn, versions 0-4: the partition of __consumer_offsets that has
 * a group's offsets joins a transaction.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/add_offsets_to_txn.h"

struct state {
	struct txn_add add;
	struct txn_partition partition;
};

static void
answer(struct request *request)
{
	const struct state *state = request->state;

	request_fail(request, state->add.call.call.error);
}

static enum kp_error
refuse(const struct request *request)
{
	const struct kp_add_offsets_to_txn_request *body = request->body;

	if (!coordinated_txn_allowed(
		request, ACL_WRITE, body->transactional_id))
		return KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (!coordinated_allowed(request, ACL_READ, body->group_id))
		return KP_GROUP_AUTHORIZATION_FAILED;
	return body->transactional_id.len == 0 ? KP_INVALID_REQUEST : KP_NONE;
}

static void
handle_add_offsets_to_txn(struct request *request)
{
	const struct kp_add_offsets_to_txn_request *body = request->body;
	enum kp_error error = refuse(request);
	struct coordinated *all;
	struct state *state;

	if (error != KP_NONE) {
		request_fail(request, error);
		return;
	}
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	state->partition.topic = slice_str(GROUP_COORDINATOR_TOPIC);
	state->partition.index = group_coordinator_partition(
	    request->server->groups, body->group_id);
	state->add.producer_id = body->producer_id;
	state->add.producer_epoch = body->producer_epoch;
	state->add.partitions = &state->partition;
	state->add.count = 1;
	request->state = state;
	all = coordinated_new(request, answer);
	coordinated_join_txn(all, &state->add.call, body->transactional_id);
	txn_coordinator_add(request->server->txns, &state->add);
	coordinated_wait(all);
}

const struct api api_add_offsets_to_txn =
    API_ROW(add_offsets_to_txn, API_ENTRIES);
