#include "api/throttle.h"

#include "api/api.h"
#include "base/clock.h"
#include "wire/codec.h"

/* 100 is one thread all the time: so much are a second's microseconds. */
#define PERCENT_PER_US (100.0 / 1e6)

/* The name in "User:alice". */
static struct slice
user_of(const struct principal *principal)
{
	const struct slice name = principal->name;
	const uint8_t *colon = memchr(name.data, ':', name.len);
	size_t skipped;

	if (colon == NULL)
		return name;
	skipped = (size_t)(colon + 1 - name.data);
	return slice_of(colon + 1, name.len - skipped);
}

struct client_quotas_client
throttle_client(const struct request *request)
{
	return (struct client_quotas_client){
		.user = user_of(&request->principal),
		.client_id = request->client_id,
	};
}

void
throttle_add(struct request *request, int64_t throttle_ms)
{
	request->throttle_ms = MAX(
	    request->throttle_ms, (int32_t)MIN(throttle_ms, INT32_MAX));
}

void
throttle_records(struct request *request, const void *body)
{
	struct client_quotas *quotas =
	    throttle_quotas(request, CLIENT_QUOTA_CONSUMER_BYTE_RATE);
	struct client_quotas_client client;

	if (quotas == NULL)
		return;
	client = throttle_client(request);
	/* Kafka counts the four bytes of its size. */
	throttle_add(request,
	    client_quotas_take(quotas, &client,
		(double)(sizeof(int32_t) +
		    kp_size(request->messages->response, request->version,
			body)),
		clock_monotonic_ms()));
}

static bool
is_free(const struct request *request)
{
	return request->time_free ||
	    (request->api->flags & API_UNTHROTTLED) != 0;
}

void
throttle_time(struct request *request)
{
	struct client_quotas *quotas =
	    throttle_quotas(request, CLIENT_QUOTA_REQUEST_PERCENTAGE);
	struct client_quotas_client client;
	int64_t time_us, throttle_ms;

	if (quotas == NULL || request->time_charged || is_free(request))
		return;
	request->time_charged = true;
	time_us = request->handled_us > 0 ?
	    request->handled_us :
	    clock_monotonic_us() - request->received_us;
	client = throttle_client(request);
	throttle_ms = client_quotas_take(quotas, &client,
	    (double)time_us * PERCENT_PER_US, clock_monotonic_ms());
	throttle_add(request,
	    MIN(throttle_ms,
		quotas_request_throttle_ms_max(request->server->quotas)));
}

void
throttle_network_time(struct request *request)
{
	struct client_quotas *quotas =
	    throttle_quotas(request, CLIENT_QUOTA_REQUEST_PERCENTAGE);
	struct connection *connection = request->exchange.connection;
	int64_t time_us = connection_take_time_us(connection);
	struct client_quotas_client client;

	if (quotas == NULL)
		connection_time(connection, false);
	if (quotas == NULL || time_us == 0 || is_free(request))
		return;
	client = throttle_client(request);
	client_quotas_note(quotas, &client, (double)time_us * PERCENT_PER_US,
	    clock_monotonic_ms());
}

/* The answer's own field, or NULL where it has none. */
static int32_t *
throttle_field(const struct request *request, void *body)
{
	const struct kp_struct *type = request->messages->response->body;

	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kp_field *field = &type->fields[i];

		if (field->kind == KP_INT32 &&
		    strcmp(field->name, "throttleTimeMs") == 0)
			return (int32_t *)(void *)((char *)body +
			    field->offset);
	}
	return NULL;
}

void
throttle_begin(struct request *request)
{
	if (request->throttle_ms > 0)
		connection_mute(
		    request->exchange.connection, request->throttle_ms);
}

void
throttle_answer(struct request *request, void *body)
{
	int32_t *field;

	throttle_time(request);
	if (request->throttle_ms == 0)
		return;
	field = throttle_field(request, body);
	if (field != NULL)
		*field = request->throttle_ms;
	throttle_begin(request);
}
