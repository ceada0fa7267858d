#include "api/admin_call.h"

/* meta's codes are Kafka's, as are auth's. */
static bool
allowed(const struct access *access, enum access_operation operation,
    enum access_resource resource, struct slice name)
{
	const struct admin_call *call =
	    CONTAINER_OF_CONST(access, struct admin_call, access);

	return request_allows(call->request, (enum acl_operation)operation,
	    (enum acl_resource_type)resource, name);
}

static void
answer(struct request *request)
{
	const struct admin_call *call = request->state;

	if (call->mutation != NULL)
		mutation_call_throttle(call->mutation);
	if (call->op->error != KP_NONE)
		request_fail(request, call->op->error);
	else
		request_reply(request, call->response);
}

void
admin_call_init(struct admin_call *call, struct request *request)
{
	call->access.allowed = allowed;
	call->request = request;
	request->state = call;
}

void
admin_call_submit(struct admin_call *call, struct controller_op *op,
    void *response)
{
	call->op = op;
	call->response = response;
	controller_submit(call->request->server->controller, op);
}

void
admin_call_done(struct admin_call *call)
{
	request_post(call->request, answer);
}
