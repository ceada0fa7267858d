/*
 * UpdateFeatures, versions 0-2: levels of features are raised or lowered, and
 * take effect at once (KIP-584, KIP-1022).  The field allow_downgrade of
 * version 0 means nothing, as in Kafka.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "meta/update_features_op.h"
#include "wire/error.h"

/* More features in one request are refused by closing the connection. */
#define FEATURES_MAX 1000

struct call {
	struct admin_call admin;
	struct update_features_op op;
};

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.op)->admin);
}

static void
handle_update_features(struct request *request)
{
	const struct kp_update_features_request *body = request->body;
	struct call *call;

	if (body->feature_updates_count > FEATURES_MAX) {
		request_close(request, "an update of too many features");
		return;
	}
	call = arena_xcalloc(&request->arena, 1, sizeof(*call));
	admin_call_init(&call->admin, request);
	update_features_op_init(&call->op);
	call->op.request = body;
	call->op.version = request->version;
	call->op.node_id = request->node_id;
	call->op.arena = &request->arena;
	call->op.op.done = done;
	admin_call_submit(&call->admin, &call->op.op, &call->op.response);
}

static void
fail_update_features(struct request *request, enum kp_error error)
{
	struct kp_update_features_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->error_message = slice_str(kp_error_message(error));
	request_reply(request, response);
}

const struct api api_update_features = API_ROW(update_features,
    API_CLUSTER(ACL_ALTER),
    .flags = API_CHANGES, .fail = fail_update_features);
