/*
 * InitProducerId, versions 0-5: a new producer id for an idempotent producer,
 * or the producer behind a transactional id with its next epoch.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "meta/producer_ids.h"
#include "wire/generated/init_producer_id.h"

struct initiation {
	struct request *request;
	struct producer_ids_waiter waiter;
};

static void
answer(struct request *request, enum kp_error error, int64_t producer_id,
    int16_t producer_epoch)
{
	struct kp_init_producer_id_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->producer_id = error == KP_NONE ? producer_id : -1;
	response->producer_epoch = error == KP_NONE ? producer_epoch : -1;
	request_reply(request, response);
}

static void
init_fail(struct request *request, enum kp_error error)
{
	answer(request, error, -1, -1);
}

/* --- An idempotent producer ---------------------------------------------- */

static void
on_loop(struct request *request)
{
	const struct initiation *initiation = request->state;

	answer(request, initiation->waiter.error, initiation->waiter.id, 0);
}

/* On the controller's thread. */
static void
on_ready(struct producer_ids_waiter *waiter)
{
	struct initiation *initiation =
	    CONTAINER_OF(waiter, struct initiation, waiter);

	request_post(initiation->request, on_loop);
}

static void
init_idempotent(struct request *request)
{
	struct initiation *initiation =
	    arena_xcalloc(&request->arena, 1, sizeof(*initiation));

	initiation->request = request;
	initiation->waiter.ready = on_ready;
	request->state = initiation;
	if (producer_ids_next(
		request->server->producer_ids, &initiation->waiter))
		answer(request, KP_NONE, initiation->waiter.id, 0);
}

/* --- A transactional one -------------------------------------------------- */

static void
on_begun(struct request *request)
{
	const struct txn_begin *begin = request->state;

	answer(request, begin->call.call.error, begin->producer_id,
	    begin->producer_epoch);
}

static void
init_transactional(struct request *request)
{
	const struct kp_init_producer_id_request *body = request->body;
	struct txn_begin *begin =
	    arena_xcalloc(&request->arena, 1, sizeof(*begin));
	struct coordinated *all = coordinated_new(request, on_begun);

	coordinated_join_txn(all, &begin->call, body->transactional_id);
	begin->timeout_ms = body->transaction_timeout_ms;
	begin->producer_id = body->producer_id;
	begin->producer_epoch = body->producer_epoch;
	request->state = begin;
	txn_coordinator_begin(request->server->txns, begin);
	coordinated_wait(all);
}

/* --- The request --------------------------------------------------------- */

static enum kp_error
authorize(const struct request *request,
    const struct kp_init_producer_id_request *body)
{
	if (slice_is_null(body->transactional_id))
		return request_sees(request, ACL_IDEMPOTENT_WRITE,
			   ACL_RESOURCE_CLUSTER, ACL_CLUSTER_NAME) ||
			request_allows_some(
			    request, ACL_WRITE, ACL_RESOURCE_TOPIC) ?
		    KP_NONE :
		    KP_CLUSTER_AUTHORIZATION_FAILED;
	return coordinated_txn_allowed(
		   request, ACL_WRITE, body->transactional_id) ?
	    KP_NONE :
	    KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

static enum kp_error
refuse(const struct request *request,
    const struct kp_init_producer_id_request *body)
{
	enum kp_error error = authorize(request, body);

	if (error != KP_NONE)
		return error;
	if ((body->producer_id == -1) != (body->producer_epoch == -1))
		return KP_INVALID_REQUEST;
	return !slice_is_null(body->transactional_id) &&
		body->transactional_id.len == 0 ?
	    KP_INVALID_REQUEST :
	    KP_NONE;
}

static void
handle_init_producer_id(struct request *request)
{
	const struct kp_init_producer_id_request *body = request->body;
	enum kp_error error = refuse(request, body);

	if (error != KP_NONE)
		init_fail(request, error);
	else if (slice_is_null(body->transactional_id))
		init_idempotent(request);
	else
		init_transactional(request);
}

const struct api api_init_producer_id =
    API_ROW(init_producer_id, API_ENTRIES, .fail = init_fail);
