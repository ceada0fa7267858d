#include "net/http_get.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/slice.h"
#include "net/http_response.h"

#define READ_LEN 16384

/* Of a name in the DNS, and of a path that makes sense. */
#define HOST_LEN_MAX 253
#define PATH_LEN_MAX 4096

/* What an HTTP head may add to the body, chunks' sizes included. */
#define OVERHEAD_LEN_MAX (2 * HTTP_HEAD_LEN_MAX)

struct client {
	const struct http_get *get;
	int64_t deadline_ms;
	int fd;
	SSL_CTX *context;
	SSL *ssl; /* NULL: plain */
	char *host;
	char *reason;
	size_t reason_len;
};

/* --- URLs ----------------------------------------------------------------- */

static bool
take_scheme(struct slice *text, bool *tls)
{
	static const struct {
		const char *scheme;
		bool tls;
	} schemes[] = { { "http://", false }, { "https://", true } };

	for (size_t i = 0; i < COUNT_OF(schemes); i++) {
		size_t len = strlen(schemes[i].scheme);

		if (text->len < len ||
		    !slice_equal_nocase(
			slice_of(text->data, len), schemes[i].scheme))
			continue;
		*text = slice_of(text->data + len, text->len - len);
		*tls = schemes[i].tls;
		return true;
	}
	return false;
}

static bool
port_valid(struct slice port)
{
	unsigned int number = 0;

	for (size_t i = 0; i < port.len && port.len <= 5; i++) {
		if (port.data[i] < '0' || port.data[i] > '9')
			return false;
		number = number * 10 + port.data[i] - '0';
	}
	return port.len > 0 && port.len <= 5 && number > 0 && number <= 65535;
}

/* "host", "host:port" or "[::1]:port". */
static bool
parse_authority(struct slice text, struct http_url *url)
{
	const uint8_t *end = text.data + text.len, *after, *colon;

	if (text.len > 0 && text.data[0] == '[') {
		after = memchr(text.data, ']', text.len);
		if (after == NULL)
			return false;
		url->host = slice_of(
		    text.data + 1, (size_t)(after - text.data) - 1);
		after++;
	} else {
		colon = text.len == 0 ? NULL :
					memchr(text.data, ':', text.len);
		after = colon == NULL ? end : colon;
		url->host = slice_of(text.data, (size_t)(after - text.data));
	}
	url->port = slice_str(url->tls ? "443" : "80");
	if (after < end) {
		if (*after != ':')
			return false;
		url->port = slice_of(after + 1, (size_t)(end - after) - 1);
	}
	return url->host.len > 0 && url->host.len <= HOST_LEN_MAX &&
	    port_valid(url->port);
}

/* Nothing in it may end a line of the request. */
static bool
is_printable(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	return true;
}

int
http_url_parse(struct slice text, struct http_url *url, const char **reason)
{
	size_t len = 0;
	const uint8_t *fragment;

	*reason = "it is not of http:// or https://";
	if (!take_scheme(&text, &url->tls))
		return -1;
	*reason = "it has characters that a URL has not";
	if (!is_printable(text))
		return -1;
	fragment = text.len == 0 ? NULL : memchr(text.data, '#', text.len);
	if (fragment != NULL)
		text.len = (size_t)(fragment - text.data);
	while (len < text.len && text.data[len] != '/' && text.data[len] != '?')
		len++;
	*reason = "it names no host and port";
	if ((len > 0 && memchr(text.data, '@', len) != NULL) ||
	    !parse_authority(slice_of(text.data, len), url))
		return -1;
	url->path = slice_of(text.data + len, text.len - len);
	*reason = "it is too long";
	if (url->path.len > PATH_LEN_MAX)
		return -1;
	*reason = NULL;
	return 0;
}

/* --- Waiting -------------------------------------------------------------- */

static int
fail(struct client *client, const char *what, const char *why)
{
	snprintf(client->reason, client->reason_len, "%s%s%s", what,
	    why == NULL ? "" : ": ", why == NULL ? "" : why);
	return -1;
}

/* Until the socket is ready for events. */
static int
await(struct client *client, short events)
{
	struct pollfd fds[2] = {
		{ .fd = client->fd, .events = events },
		{ .fd = client->get->stop_fd, .events = POLLIN },
	};
	int64_t left_ms = client->deadline_ms - clock_monotonic_ms();
	int ready;

	if (left_ms <= 0)
		return fail(client, "it took too long", NULL);
	ready = poll(fds, 2, (int)MIN(left_ms, (int64_t)INT32_MAX));
	if (ready < 0 && errno != EINTR)
		return fail(client, "poll", strerror(errno));
	if (ready > 0 && fds[1].revents != 0)
		return fail(client, "it was given up", NULL);
	return 0;
}

/* --- Connecting ----------------------------------------------------------- */

static int
connect_address(struct client *client, const struct addrinfo *address)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct pollfd poll_fd;

	client->fd = socket(address->ai_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return fail(client, "socket", strerror(errno));
	if (connect(client->fd, address->ai_addr, address->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return fail(client, "connect", strerror(errno));
	do {
		poll_fd = (struct pollfd){ client->fd, POLLOUT, 0 };
		if (await(client, POLLOUT) != 0)
			return -1;
	} while (poll(&poll_fd, 1, 0) == 0);
	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	return error == 0 ? 0 : fail(client, "connect", strerror(error));
}

/* The first of the host's addresses that answers. */
static int
connect_host(struct client *client)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *addresses, *address;
	char *port = slice_dup(client->get->url.port);
	int result = getaddrinfo(client->host, port, &hints, &addresses);

	free(port);
	if (result != 0)
		return fail(client, client->host, gai_strerror(result));
	result = -1;
	for (address = addresses; address != NULL && result != 0;
	     address = address->ai_next) {
		result = connect_address(client, address);
		if (result != 0 && client->fd >= 0) {
			close(client->fd);
			client->fd = -1;
		}
	}
	freeaddrinfo(addresses);
	return result;
}

/* --- TLS ------------------------------------------------------------------ */

static int
fail_tls(struct client *client)
{
	long verified = SSL_get_verify_result(client->ssl);
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	if (verified != X509_V_OK)
		why = X509_verify_cert_error_string(verified);
	return fail(client, "TLS", why == NULL ? "it was cut off" : why);
}

/* What an operation of OpenSSL waits for; -1 where it has failed. */
static int
await_tls(struct client *client, int result)
{
	switch (SSL_get_error(client->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return await(client, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return await(client, POLLOUT);
	default:
		return fail_tls(client);
	}
}

/* A name, or an address, that the certificate must be of. */
static bool
expect_host(struct client *client)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(client->ssl);

	return X509_VERIFY_PARAM_set1_ip_asc(param, client->host) == 1 ||
	    (SSL_set1_host(client->ssl, client->host) == 1 &&
		SSL_set_tlsext_host_name(client->ssl, client->host) == 1);
}

static bool
set_up_tls(struct client *client)
{
	client->context = SSL_CTX_new(TLS_client_method());
	if (client->context == NULL)
		return false;
	if (client->get->trusted != NULL)
		SSL_CTX_set1_cert_store(client->context, client->get->trusted);
	else if (SSL_CTX_set_default_verify_paths(client->context) != 1)
		return false;
	SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
	client->ssl = SSL_new(client->context);
	return client->ssl != NULL &&
	    SSL_set_min_proto_version(client->ssl, TLS1_2_VERSION) == 1 &&
	    expect_host(client) && SSL_set_fd(client->ssl, client->fd) == 1;
}

static int
shake_hands(struct client *client)
{
	int result;

	ERR_clear_error();
	if (!set_up_tls(client))
		return fail(client, "TLS cannot be set up", NULL);
	while ((result = SSL_connect(client->ssl)) != 1)
		if (await_tls(client, result) != 0)
			return -1;
	return 0;
}

/* --- Bytes ---------------------------------------------------------------- */

static int
send_some(struct client *client, struct slice *text)
{
	ssize_t sent;

	if (client->ssl != NULL)
		sent = SSL_write(client->ssl, text->data, (int)text->len);
	else
		sent = send(client->fd, text->data, text->len, MSG_NOSIGNAL);
	if (sent > 0) {
		*text = slice_of(
		    text->data + sent, text->len - (size_t)sent);
		return 0;
	}
	if (client->ssl != NULL)
		return await_tls(client, (int)sent);
	return errno == EAGAIN || errno == EINTR ?
	    await(client, POLLOUT) :
	    fail(client, "send", strerror(errno));
}

static int
send_request(struct client *client)
{
	const struct http_url *url = &client->get->url;
	bool is_ipv6 = strchr(client->host, ':') != NULL;
	char *request = xasprintf("GET %s%.*s HTTP/1.1\r\n"
				  "Host: %s%s%s:%.*s\r\n"
				  "Accept: */*\r\n"
				  "Cache-Control: no-cache\r\n"
				  "User-Agent: klamm\r\n"
				  "Connection: close\r\n"
				  "\r\n",
	    url->path.len > 0 && url->path.data[0] == '/' ? "" : "/",
	    SLICE_ARG(url->path), is_ipv6 ? "[" : "", client->host,
	    is_ipv6 ? "]" : "", SLICE_ARG(url->port));
	struct slice left = slice_str(request);
	int result = 0;

	while (left.len > 0 && result == 0)
		result = send_some(client, &left);
	free(request);
	return result;
}

/* More of the response; *ended where there is none. */
static int
receive_some(struct client *client, struct buf *in, bool *ended)
{
	uint8_t *room = buf_reserve(in, READ_LEN);
	ssize_t len;

	if (room == NULL)
		return fail(client, "it is too long", NULL);
	if (client->ssl != NULL) {
		len = SSL_read(client->ssl, room, READ_LEN);
		*ended = len <= 0 &&
		    SSL_get_error(client->ssl, (int)len) ==
			SSL_ERROR_ZERO_RETURN;
	} else {
		len = recv(client->fd, room, READ_LEN, 0);
		*ended = len == 0;
	}
	if (len > 0)
		in->len += (size_t)len;
	if (len > 0 || *ended)
		return 0;
	if (client->ssl != NULL)
		return await_tls(client, (int)len);
	return errno == EAGAIN || errno == EINTR ?
	    await(client, POLLIN) :
	    fail(client, "recv", strerror(errno));
}

static int
check_status(struct client *client, int status)
{
	char text[16];

	if (status == 200)
		return 0;
	snprintf(text, sizeof(text), "%d", status);
	return fail(client, "it has answered with status", text);
}

static int
receive_response(struct client *client, struct buf *body)
{
	enum http_progress progress = HTTP_MORE;
	bool ended = false;
	int status = 0;
	struct buf in;

	buf_init(&in, body->len_max + OVERHEAD_LEN_MAX);
	while (progress == HTTP_MORE) {
		if (receive_some(client, &in, &ended) != 0)
			break;
		progress =
		    http_response_parse(buf_slice(&in), ended, &status, body);
	}
	buf_fini(&in);
	if (progress == HTTP_MORE)
		return -1;
	return progress == HTTP_DONE ?
	    check_status(client, status) :
	    fail(client, "it has answered with what is no HTTP or too long",
		NULL);
}

int
http_get(const struct http_get *get, struct buf *body, char *reason,
    size_t reason_len)
{
	struct client client = {
		.get = get,
		.deadline_ms = clock_monotonic_ms() + get->timeout_ms,
		.fd = -1,
		.host = slice_dup(get->url.host),
		.reason = reason,
		.reason_len = reason_len,
	};
	int result = connect_host(&client);

	if (result == 0 && get->url.tls)
		result = shake_hands(&client);
	if (result == 0)
		result = send_request(&client);
	if (result == 0)
		result = receive_response(&client, body);
	SSL_free(client.ssl);
	SSL_CTX_free(client.context);
	if (client.fd >= 0)
		close(client.fd);
	free(client.host);
	return result;
}
