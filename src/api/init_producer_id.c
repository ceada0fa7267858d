/*
 * InitProducerId, versions 0-5: a new producer id for an idempotent producer.
 *
 * Left out are transactional ids, which are refused with UNSUPPORTED_VERSION
 * so that a client gives up at once.
 */
#include "api/api.h"
#include "meta/producer_ids.h"
#include "wire/generated/init_producer_id.h"

struct initiation {
	struct request *request;
	struct producer_ids_waiter waiter;
};

static void
answer(struct request *request, enum kp_error error, int64_t producer_id)
{
	struct kp_init_producer_id_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->producer_id = error == KP_NONE ? producer_id : -1;
	response->producer_epoch = error == KP_NONE ? 0 : -1;
	request_reply(request, response);
}

static void
init_fail(struct request *request, enum kp_error error)
{
	answer(request, error, -1);
}

static void
on_loop(struct request *request)
{
	const struct initiation *initiation = request->state;

	answer(request, initiation->waiter.error, initiation->waiter.id);
}

/* On the controller's thread. */
static void
on_ready(struct producer_ids_waiter *waiter)
{
	struct initiation *initiation =
	    CONTAINER_OF(waiter, struct initiation, waiter);

	request_post(initiation->request, on_loop);
}

static enum kp_error
authorize(const struct request *request,
    const struct kp_init_producer_id_request *body)
{
	if (slice_is_null(body->transactional_id))
		return request_allows(request, ACL_IDEMPOTENT_WRITE,
			   ACL_RESOURCE_CLUSTER, ACL_CLUSTER_NAME) ?
		    KP_NONE :
		    KP_CLUSTER_AUTHORIZATION_FAILED;
	return request_allows(request, ACL_WRITE, ACL_RESOURCE_TRANSACTIONAL_ID,
		   body->transactional_id) ?
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
	if (slice_is_null(body->transactional_id))
		return KP_NONE;
	return body->transactional_id.len == 0 ? KP_INVALID_REQUEST :
						 KP_UNSUPPORTED_VERSION;
}

static void
handle_init_producer_id(struct request *request)
{
	enum kp_error error = refuse(request, request->body);
	struct initiation *initiation;

	if (error != KP_NONE) {
		answer(request, error, -1);
		return;
	}
	initiation = arena_xcalloc(&request->arena, 1, sizeof(*initiation));
	initiation->request = request;
	initiation->waiter.ready = on_ready;
	request->state = initiation;
	if (producer_ids_next(
		request->server->producer_ids, &initiation->waiter))
		answer(request, KP_NONE, initiation->waiter.id);
}

const struct api api_init_producer_id =
    API_ROW(init_producer_id, API_ENTRIES, .fail = init_fail);
