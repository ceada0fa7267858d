/*
 * AlterUserScramCredentials, version 0: passwords of users, salted by who sends
 * them.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "auth/alter_scram_op.h"
#include "base/tally.h"

struct call {
	struct admin_call admin;
	struct alter_scram_op op;
};

static void
add_failed(struct request *request, struct tally *users, struct slice user,
    enum kp_error error,
    struct kp_alter_user_scram_credentials_response *response)
{
	struct kp_alter_user_scram_credentials_response_result *result;

	if (tally_add(users, user) > 1)
		return;
	result = &response->results[response->results_count++];
	result->user = user;
	result->error_code = (int16_t)error;
	result->error_message =
	    arena_copy(&request->arena, slice_str(kp_error_message(error)));
}

/* Each user has the error, once. */
static void
fail_alter_user_scram_credentials(struct request *request, enum kp_error error)
{
	const struct kp_alter_user_scram_credentials_request *body =
	    request->body;
	struct kp_alter_user_scram_credentials_response *response =
	    request_response_new(request);
	size_t count = (size_t)MAX(body->deletions_count, 0) +
	    (size_t)MAX(body->upsertions_count, 0);
	struct tally users;

	response->results =
	    arena_xcalloc(&request->arena, count, sizeof(*response->results));
	tally_init(&users);
	for (int32_t i = 0; i < body->deletions_count; i++)
		add_failed(
		    request, &users, body->deletions[i].name, error, response);
	for (int32_t i = 0; i < body->upsertions_count; i++)
		add_failed(
		    request, &users, body->upsertions[i].name, error, response);
	tally_fini(&users);
	request_reply(request, response);
}

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.op)->admin);
}

static void
handle_alter_user_scram_credentials(struct request *request)
{
	struct call *call = arena_xcalloc(&request->arena, 1, sizeof(*call));

	admin_call_init(&call->admin, request);
	alter_scram_op_init(&call->op);
	call->op.request = request->body;
	call->op.arena = &request->arena;
	call->op.op.done = done;
	admin_call_submit(&call->admin, &call->op.op, &call->op.response);
}

const struct api api_alter_user_scram_credentials =
    API_ROW(alter_user_scram_credentials, API_CLUSTER(ACL_ALTER),
    .flags = API_CHANGES,
	.fail = fail_alter_user_scram_credentials);
