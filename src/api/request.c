#include "api/request.h"

#include "api/api.h"
#include "api/audit.h"
#include "api/session.h"
#include "api/throttle.h"
#include "base/clock.h"
#include "base/spares.h"
#include "net/loop.h"
#include "wire/codec.h"

/* A request and what it needs at first are one piece of memory. */
struct block {
	struct request request;
	_Alignas(max_align_t) uint8_t bytes[];
};

static struct request *
request_of(struct exchange *exchange)
{
	return CONTAINER_OF(exchange, struct request, exchange);
}

static void
cancel(struct exchange *exchange)
{
	struct request *request = request_of(exchange);

	if (request->cancelled != NULL)
		request->cancelled(request);
}

static void
release(struct exchange *exchange)
{
	struct request *request = request_of(exchange);

	if (request->released != NULL)
		request->released(request);
	if (connection_is_timed(exchange->connection))
		throttle_network_time(request);
	request_abandon(request);
}

struct request *
request_new(struct server *server, const struct api *api, int16_t version,
    struct connection *connection, size_t arena_bytes_max)
{
	struct spares *spares = connection_spares(connection);
	struct block *block = spares_take(spares);
	struct request *request = &block->request;

	*request = (struct request){ .spares = spares };
	request->server = server;
	request->api = api;
	request->messages = kp_api_find(api->request->key);
	request->version = version;
	request->principal = session_principal(connection);
	request->node_id = connection_node_id(connection);
	request->received_us = clock_monotonic_us();
	arena_init(&request->arena, arena_bytes_max);
	arena_lend(&request->arena, block->bytes,
	    CONNECTION_SPARE_LEN - sizeof(*block));
	arena_charge(&request->arena, connection_budget(connection));
	output_init(&request->exchange.output, &request->arena);
	request->exchange.cancel = cancel;
	request->exchange.release = release;
	return request;
}

void
request_abandon(struct request *request)
{
	if (request->gone != NULL)
		*request->gone = true;
	arena_reset(&request->arena);
	spares_give(request->spares,
	    CONTAINER_OF(request, struct block, request));
}

void
request_reply(struct request *request, void *body)
{
	request->cancelled = NULL;
	if ((request->api->flags & API_CHANGES) != 0)
		audit_change(request, body);
	if (throttle_needed(request))
		throttle_answer(request, body);
	if (arena_overdrawn(&request->arena))
		request_close(request, "a request that takes too much memory");
	else if (kp_encode_response(request->messages, request->version,
		request->correlation_id, body, &request->exchange.output) != 0)
		request_close(request, "a reply that is too large");
	else
		exchange_complete(&request->exchange, true);
}

void
request_reply_none(struct request *request)
{
	request->cancelled = NULL;
	if (request->throttle_ms != 0)
		throttle_begin(request);
	exchange_complete(&request->exchange, false);
}

void
request_close(struct request *request, const char *reason)
{
	struct connection *connection = request->exchange.connection;

	request->cancelled = NULL;
	/* Closing first: completing may free the connection. */
	connection_close(connection, reason);
	exchange_complete(&request->exchange, false);
}

void *
request_response_new(struct request *request)
{
	const struct kp_message *message = request->messages->response;
	void *body = arena_xalloc(&request->arena, message->body->size);

	kp_defaults(message, body);
	return body;
}

/* The response's own error code, or NULL where it has none at the top. */
static int16_t *
top_level_error(const struct request *request, void *body)
{
	const struct kp_struct *type = request->messages->response->body;

	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kp_field *field = &type->fields[i];

		if (field->kind == KP_INT16 &&
		    strcmp(field->name, "errorCode") == 0 &&
		    kp_field_present(field, request->version))
			return (int16_t *)(void *)((char *)body +
			    field->offset);
	}
	return NULL;
}

void
request_fail(struct request *request, enum kp_error error)
{
	int16_t *code;
	void *body;

	if (request->api->fail != NULL) {
		request->api->fail(request, error);
		return;
	}
	body = request_response_new(request);
	code = top_level_error(request, body);
	if (code == NULL) {
		request_close(request, "an error that has no answer");
		return;
	}
	*code = (int16_t)error;
	request_reply(request, body);
}

static void
run_posted(struct task *task)
{
	struct exchange *exchange = CONTAINER_OF(task, struct exchange, task);
	struct request *request = request_of(exchange);

	request->posted(request);
}

void
request_post(struct request *request, void (*run)(struct request *request))
{
	request->posted = run;
	request->exchange.task.run = run_posted;
	loop_post(request_loop(request), &request->exchange.task);
}

void
request_park(struct request *request,
    void (*cancelled)(struct request *request))
{
	request->cancelled = cancelled;
}

struct loop *
request_loop(const struct request *request)
{
	return connection_loop(request->exchange.connection);
}

bool
request_allows(const struct request *request, enum acl_operation operation,
    enum acl_resource_type type, struct slice name)
{
	enum authorizer_rule rule;
	bool allowed = authorizer_decides(request->server->authorizer,
	    &request->principal, operation, type, name, &rule);

	if (rule != AUTHORIZER_RULE_NONE)
		audit_decision(request, operation, type, name, allowed, rule);
	return allowed;
}

bool
request_sees(const struct request *request, enum acl_operation operation,
    enum acl_resource_type type, struct slice name)
{
	return authorizer_allows(request->server->authorizer,
	    &request->principal, operation, type, name);
}

bool
request_allows_some(const struct request *request,
    enum acl_operation operation, enum acl_resource_type type)
{
	bool allowed = authorizer_allows_some(request->server->authorizer,
	    &request->principal, operation, type);

	if (!allowed)
		audit_decision(request, operation, type, slice_str("*"),
		    false, AUTHORIZER_RULE_DEFAULT);
	return allowed;
}

int32_t
request_operations(const struct request *request, enum acl_resource_type type,
    struct slice name)
{
	return authorizer_operations(request->server->authorizer,
	    &request->principal, type, name);
}
