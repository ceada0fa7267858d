#include "e2e/raw_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "e2e/broker_process.h"
#include "unit/unit.h"
#include "wire/codec.h"
#include "wire/output.h"

/* Long enough for a broker under a sanitizer on a busy machine. */
#define DEADLINE_MS 30000

#define ARENA_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define FRAME_BYTES_MAX ((size_t)128 * 1024 * 1024)

/* What raw_client_call sends; anything that the broker has to repeat. */
#define CALL_CORRELATION_ID 0x4b6c616d

bool
raw_client_try_init(struct raw_client *client,
    const struct broker_process *broker)
{
	int yes = 1;

	client->fd = broker_process_try_connect(broker);
	if (client->fd < 0)
		return false;
	assert_int_equal(setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes,
			     sizeof(yes)),
	    0);
	arena_init(&client->arena, ARENA_BYTES_MAX);
	buf_init(&client->frame, FRAME_BYTES_MAX);
	return true;
}

void
raw_client_init(struct raw_client *client, const struct broker_process *broker)
{
	if (!raw_client_try_init(client, broker))
		fail_msg("connect: %s", strerror(errno));
}

void
raw_client_fini(struct raw_client *client)
{
	close(client->fd);
	arena_reset(&client->arena);
	buf_fini(&client->frame);
}

bool
raw_client_try_send(struct raw_client *client, const void *data, size_t len)
{
	const uint8_t *next = data;

	while (len > 0) {
		ssize_t n = send(client->fd, next, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		next += n;
		len -= (size_t)n;
	}
	return true;
}

void
raw_client_send(struct raw_client *client, const void *data, size_t len)
{
	if (!raw_client_try_send(client, data, len))
		fail_msg("send: %s", strerror(errno));
}

struct slice
raw_client_frame(struct raw_client *client, int16_t key, int16_t version,
    int32_t correlation_id, const void *body)
{
	const struct kp_api *api = kp_api_find(key);
	struct output out;
	uint8_t *bytes;
	size_t used = 0;

	assert_non_null(api);
	if (body == NULL) {
		void *defaults = arena_xalloc(&client->arena,
		    api->request->body->size);

		kp_defaults(api->request, defaults);
		body = defaults;
	}
	output_init(&out, &client->arena);
	assert_int_equal(kp_encode_request(api, version, correlation_id,
			     slice_str("raw"), body, &out),
	    0);
	bytes = arena_xalloc(&client->arena, out.len);
	for (int32_t i = 0; i < out.count; i++) {
		memcpy(bytes + used, out.pieces[i].data, out.pieces[i].len);
		used += out.pieces[i].len;
	}
	return slice_of(bytes, used);
}

void
raw_client_request(struct raw_client *client, int16_t key, int16_t version,
    int32_t correlation_id, const void *body)
{
	struct slice frame = raw_client_frame(client, key, version,
	    correlation_id, body);

	raw_client_send(client, frame.data, frame.len);
}

/* Up to len bytes, or 0 at the connection's end, however it comes. */
static size_t
receive_some(struct raw_client *client, uint8_t *data, size_t len)
{
	struct pollfd pollfd = { .fd = client->fd, .events = POLLIN };
	ssize_t n;

	if (poll(&pollfd, 1, DEADLINE_MS) != 1)
		fail_msg("the broker neither answers nor closes");
	n = recv(client->fd, data, len, 0);
	if (n < 0 && errno != ECONNRESET)
		fail_msg("recv: %s", strerror(errno));
	return n < 0 ? 0 : (size_t)n;
}

/* False at the connection's end. */
static bool
receive_all(struct raw_client *client, uint8_t *data, size_t len)
{
	while (len > 0) {
		size_t n = receive_some(client, data, len);

		if (n == 0)
			return false;
		data += n;
		len -= n;
	}
	return true;
}

/* The next frame, or null at the connection's end. */
static struct slice
receive_frame(struct raw_client *client)
{
	uint8_t size[4], *data;
	uint32_t len;

	if (!receive_all(client, size, sizeof(size)))
		return SLICE_NULL;
	len = be32_get(size);
	buf_clear(&client->frame);
	data = buf_reserve(&client->frame, MAX(len, 1));
	assert_non_null(data);
	if (!receive_all(client, data, len))
		return SLICE_NULL;
	client->frame.len = len;
	return buf_slice(&client->frame);
}

struct slice
raw_client_receive(struct raw_client *client)
{
	struct slice frame = receive_frame(client);

	if (frame.data == NULL)
		fail_msg("the broker closed the connection");
	return frame;
}

static const void *
decode_response(struct raw_client *client, int16_t key, int16_t version,
    int32_t correlation_id, struct slice frame)
{
	const struct kp_api *api = kp_api_find(key);
	void *body =
	    arena_xalloc(&client->arena, api->response->body->size);
	size_t header_len = 4;

	assert_true(frame.len >= header_len);
	assert_int_equal((int32_t)be32_get(frame.data), correlation_id);
	if (kp_response_header_version(api, version) > 0) {
		assert_true(frame.len > header_len);
		assert_int_equal(frame.data[header_len], 0);
		header_len++;
	}
	frame.data += header_len;
	frame.len -= header_len;
	assert_int_equal(kp_decode(api->response, version, frame,
			     &client->arena, body),
	    0);
	return body;
}

const void *
raw_client_response(struct raw_client *client, int16_t key, int16_t version,
    int32_t correlation_id)
{
	return decode_response(client, key, version, correlation_id,
	    raw_client_receive(client));
}

const void *
raw_client_try_response(struct raw_client *client, int16_t key,
    int16_t version, int32_t correlation_id)
{
	struct slice frame = receive_frame(client);

	if (frame.data == NULL)
		return NULL;
	return decode_response(client, key, version, correlation_id, frame);
}

const void *
raw_client_try_call(struct raw_client *client, int16_t key, int16_t version,
    const void *body)
{
	struct slice frame = raw_client_frame(client, key, version,
	    CALL_CORRELATION_ID, body);

	if (!raw_client_try_send(client, frame.data, frame.len))
		return NULL;
	return raw_client_try_response(client, key, version,
	    CALL_CORRELATION_ID);
}

const void *
raw_client_call(struct raw_client *client, int16_t key, int16_t version,
    const void *body)
{
	raw_client_request(client, key, version, CALL_CORRELATION_ID, body);
	return raw_client_response(client, key, version, CALL_CORRELATION_ID);
}

void
raw_client_expect_close(struct raw_client *client)
{
	uint8_t byte;

	if (receive_some(client, &byte, 1) != 0)
		fail_msg("an answer where the connection should be closed");
}
