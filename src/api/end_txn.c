/*
 * EndTxn, versions 0-5: commit or abort a transaction.  From version 5 on the
 * answer has the producer of the next one (KIP-890).
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/end_txn.h"

/* From this version on each transaction has an epoch of its own. */
#define VERSION_EPOCH_EACH 5

static void
answer(struct request *request)
{
	const struct txn_end *end = request->state;
	enum kp_error error = end->call.call.error;
	struct kp_end_txn_response *response = request_response_new(request);

	response->error_code = (int16_t)error;
	response->producer_id = error == KP_NONE ? end->producer_id : -1;
	response->producer_epoch = error == KP_NONE ? end->producer_epoch : -1;
	request_reply(request, response);
}

static enum kp_error
refuse(const struct request *request)
{
	const struct kp_end_txn_request *body = request->body;

	if (!coordinated_txn_allowed(
		request, ACL_WRITE, body->transactional_id))
		return KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	return body->transactional_id.len == 0 ? KP_INVALID_REQUEST : KP_NONE;
}

static void
handle_end_txn(struct request *request)
{
	const struct kp_end_txn_request *body = request->body;
	enum kp_error error = refuse(request);
	struct txn_end *end = arena_xcalloc(&request->arena, 1, sizeof(*end));
	struct coordinated *all;

	end->call.call.error = error;
	request->state = end;
	if (error != KP_NONE) {
		answer(request);
		return;
	}
	all = coordinated_new(request, answer);
	coordinated_join_txn(all, &end->call, body->transactional_id);
	end->producer_id = body->producer_id;
	end->producer_epoch = body->producer_epoch;
	end->commit = body->committed;
	end->client_version =
	    request->version >= VERSION_EPOCH_EACH ? TXN_VERSION_EPOCH_EACH : 0;
	txn_coordinator_end(request->server->txns, end);
	coordinated_wait(all);
}

const struct api api_end_txn = API_ROW(end_txn, API_ENTRIES);
