/*
 * TLS over a pair of sockets against a client of OpenSSL's own: bytes in any
 * pieces, clients that do not read, handshakes that come to nothing.
 */
#include "unit/unit.h"

#include "unit/certificates.h"

#include "base/rng.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "net/tls.c"
#include "net/tls_context.c"
#include "net/tls_wire.c"

/* What is not there after so many steps does not come. */
#define STEPS_MAX 100000

static struct certificate authority, broker, alice;

/* A client and the transport that it talks to. */
struct pair {
	struct tls_context *context;
	struct transport server;
	SSL_CTX *client_ctx;
	SSL *client;
	int fd;			/* the client's */
};

/* --- Both ends ----------------------------------------------------------- */

static struct tls_material
material_of(const struct certificate *certificate, STACK_OF(X509) *trusted)
{
	return (struct tls_material){
		.key = certificate->key,
		.certificate = certificate->x509,
		.trusted = trusted,
	};
}

static STACK_OF(X509) *
stack_of(X509 *x509)
{
	STACK_OF(X509) *stack = sk_X509_new_null();

	assert_int_equal(sk_X509_push(stack, x509), 1);
	return stack;
}

static struct tls_context *
context_new(enum tls_client_auth auth, const struct certificate *certificate)
{
	STACK_OF(X509) *trusted = stack_of(authority.x509);
	struct tls_material material = material_of(certificate, trusted);
	struct tls_settings settings = {
		.material = &material,
		.version_min = TLS1_2_VERSION,
		.version_max = TLS1_3_VERSION,
		.client_auth = auth,
	};
	struct tls_context *context;
	const char *reason = NULL;

	context = tls_context_new(&settings, &reason);
	assert_non_null(context);
	sk_X509_free(trusted);
	return context;
}

static SSL_CTX *
client_ctx_new(const struct certificate *certificate)
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_client_method());

	assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl_ctx),
	    authority.x509), 1);
	SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (certificate == NULL)
		return ssl_ctx;
	assert_int_equal(SSL_CTX_use_certificate(ssl_ctx,
	    certificate->x509), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ssl_ctx, certificate->key), 1);
	return ssl_ctx;
}

static void
connect_again(struct pair *pair)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(tls_open(&pair->server, fds[0], pair->context), 0);
	pair->fd = fds[1];
	pair->client = SSL_new(pair->client_ctx);
	assert_int_equal(SSL_set_fd(pair->client, pair->fd), 1);
	SSL_set_connect_state(pair->client);
}

static void
pair_init(struct pair *pair, enum tls_client_auth auth,
    const struct certificate *certificate)
{
	pair->context = context_new(auth, &broker);
	pair->client_ctx = client_ctx_new(certificate);
	connect_again(pair);
}

static void
disconnect(struct pair *pair)
{
	if (pair->server.fd >= 0)
		pair->server.ops->close(&pair->server);
	/* An end that it had no part in would end its session, too. */
	SSL_set_shutdown(pair->client,
	    SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(pair->client);
	close(pair->fd);
}

static void
pair_fini(struct pair *pair)
{
	disconnect(pair);
	SSL_CTX_free(pair->client_ctx);
	tls_context_free(pair->context);
}

static bool
is_ready(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return poll(&pollfd, 1, 0) == 1;
}

/* Would the connection take a step now? */
static bool
is_due(const struct transport *transport)
{
	return is_ready(transport->fd, transport->wants == TRANSPORT_WRITABLE ?
	    POLLOUT : POLLIN);
}

/* Both sides until the server's is over: its result. */
static int
shake_hands(struct pair *pair)
{
	int result = pair->server.ops->handshake(&pair->server);

	for (int i = 0; i < STEPS_MAX && result == TRANSPORT_AGAIN; i++) {
		ERR_clear_error();
		(void)SSL_do_handshake(pair->client);
		if (is_due(&pair->server))
			result = pair->server.ops->handshake(&pair->server);
	}
	ERR_clear_error();
	return result;
}

static void
expect_established(struct pair *pair)
{
	assert_int_equal(shake_hands(pair), 0);
	for (int i = 0; i < 10 && SSL_do_handshake(pair->client) != 1; i++)
		ERR_clear_error();
	assert_int_equal(SSL_is_init_finished(pair->client), 1);
}

/* --- The server's side of bytes ------------------------------------------ */

static ssize_t
server_read(struct pair *pair, void *data, size_t len)
{
	struct iovec iov = { data, len };

	return pair->server.ops->readv(&pair->server, &iov, 1);
}

/* As a connection reads: when there is a reason to. */
static ssize_t
server_read_due(struct pair *pair, void *data, size_t len)
{
	if (!pair->server.pending && !is_ready(pair->server.fd, POLLIN))
		return TRANSPORT_AGAIN;
	return server_read(pair, data, len);
}

static void
client_write(struct pair *pair, const void *data, size_t len)
{
	size_t n;

	assert_int_equal(SSL_write_ex(pair->client, data, len, &n), 1);
	assert_int_equal(n, len);
}

static void
expect_echo(struct pair *pair)
{
	struct iovec iov[2] = { { (char[]){ "pi" }, 2 }, { (char[]){ "ng" },
	    2 } };
	char data[8] = { 0 };
	size_t n;

	client_write(pair, "ping", 4);
	assert_int_equal(server_read_due(pair, data, sizeof(data)), 4);
	assert_memory_equal(data, "ping", 4);
	assert_false(pair->server.pending);
	assert_int_equal(pair->server.ops->writev(&pair->server, iov, 2,
	    false), 4);
	assert_int_equal(SSL_read_ex(pair->client, data, sizeof(data), &n), 1);
	assert_int_equal(n, 4);
	assert_memory_equal(data, "ping", 4);
}

/* --- Handshakes ----------------------------------------------------------- */

static void
both_versions_are_spoken(void **state UNUSED)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct pair pair;

		pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
		SSL_set_max_proto_version(pair.client, versions[i]);
		expect_established(&pair);
		assert_int_equal(SSL_version(pair.client), versions[i]);
		assert_null(pair.server.ops->certificate(&pair.server));
		expect_echo(&pair);
		pair_fini(&pair);
	}
}

static void
older_versions_are_not(void **state UNUSED)
{
	struct pair pair;

	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	SSL_set_security_level(pair.client, 0);
	SSL_set_min_proto_version(pair.client, TLS1_1_VERSION);
	SSL_set_max_proto_version(pair.client, TLS1_1_VERSION);
	assert_int_equal(SSL_set_cipher_list(pair.client,
	    "DEFAULT@SECLEVEL=0"), 1);
	assert_int_equal(shake_hands(&pair), TRANSPORT_CLOSED);
	assert_string_equal(pair.server.reason, "unsupported protocol");
	/* The client is told. */
	ERR_clear_error();
	assert_int_equal(SSL_do_handshake(pair.client), -1);
	assert_int_equal(ERR_GET_REASON(ERR_get_error()),
	    SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
	pair_fini(&pair);
}

/* Give the server the client's bytes one by one; *result is the server's. */
static void
trickle(struct pair *pair, BIO *from, int *result)
{
	uint8_t byte;

	while (BIO_read(from, &byte, 1) == 1) {
		assert_int_equal(send(pair->fd, &byte, 1, 0), 1);
		if (*result == TRANSPORT_AGAIN)
			*result = pair->server.ops->handshake(&pair->server);
	}
}

static void
handshakes_come_byte_by_byte(void **state UNUSED)
{
	BIO *to_server = BIO_new(BIO_s_mem()), *to_client = BIO_new(
	    BIO_s_mem());
	int result = TRANSPORT_AGAIN;
	uint8_t data[16384];
	struct pair pair;
	ssize_t n;

	BIO_set_mem_eof_return(to_client, -1);
	pair_init(&pair, TLS_CLIENT_AUTH_REQUIRED, &alice);
	SSL_set_bio(pair.client, to_client, to_server);
	for (int i = 0; i < 10 && result == TRANSPORT_AGAIN; i++) {
		(void)SSL_do_handshake(pair.client);
		trickle(&pair, to_server, &result);
		n = recv(pair.fd, data, sizeof(data), 0);
		if (n > 0)
			BIO_write(to_client, data, (int)n);
	}
	assert_int_equal(result, 0);
	assert_non_null(pair.server.ops->certificate(&pair.server));
	pair_fini(&pair);
}

/* What comes with the end of the handshake is not lost. */
static void
bytes_right_behind_the_handshake_are_pending(void **state UNUSED)
{
	struct pair pair;
	uint8_t data[8];

	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	assert_int_equal(pair.server.ops->handshake(&pair.server),
	    TRANSPORT_AGAIN);
	assert_int_equal(SSL_do_handshake(pair.client), -1);
	assert_int_equal(pair.server.ops->handshake(&pair.server),
	    TRANSPORT_AGAIN);
	assert_int_equal(SSL_do_handshake(pair.client), 1);
	client_write(&pair, "early", 5);
	assert_int_equal(pair.server.ops->handshake(&pair.server), 0);
	assert_true(pair.server.pending);
	assert_int_equal(server_read(&pair, data, sizeof(data)), 5);
	assert_false(pair.server.pending);
	pair_fini(&pair);
}

static void
garbage_is_no_handshake(void **state UNUSED)
{
	static const char *const garbage[] = { "GET / HTTP/1.0\r\n\r\n",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		"\x16\x03\x01\x7f\xff\x01zzzzzzzzzzz" };

	for (size_t i = 0; i < COUNT_OF(garbage); i++) {
		struct pair pair;

		pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
		assert_int_equal(send(pair.fd, garbage[i], strlen(garbage[i]),
		    0), strlen(garbage[i]));
		assert_int_equal(pair.server.ops->handshake(&pair.server),
		    TRANSPORT_CLOSED);
		assert_int_equal(errno, EPROTO);
		assert_non_null(pair.server.reason);
		assert_int_equal(ERR_peek_error(), 0);
		pair_fini(&pair);
	}
}

static void
a_client_may_leave_in_the_handshake(void **state UNUSED)
{
	static const char hello[] = { 0x16, 3, 1, 0, 100, 1, 0 };
	struct pair pair;

	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	assert_int_equal(send(pair.fd, hello, sizeof(hello), 0),
	    sizeof(hello));
	assert_int_equal(pair.server.ops->handshake(&pair.server),
	    TRANSPORT_AGAIN);
	assert_int_equal(pair.server.wants, TRANSPORT_READABLE);
	shutdown(pair.fd, SHUT_WR);
	assert_int_equal(pair.server.ops->handshake(&pair.server),
	    TRANSPORT_CLOSED);
	assert_int_equal(errno, 0);
	assert_null(pair.server.reason);
	pair_fini(&pair);
}

/* --- Certificates of clients ---------------------------------------------- */

static void
expect_client_refused(enum tls_client_auth auth,
    const struct certificate *certificate, const char *reason)
{
	struct pair pair;

	pair_init(&pair, auth, certificate);
	assert_int_equal(shake_hands(&pair), TRANSPORT_CLOSED);
	assert_string_equal(pair.server.reason, reason);
	pair_fini(&pair);
}

static void
clients_show_certificates(void **state UNUSED)
{
	struct certificate other = certificate_new("other", NULL);
	struct certificate stranger = certificate_new("alice", &other);
	struct certificate old =
	    certificate_for_days("old", &authority, -9, -1);
	struct pair pair;

	pair_init(&pair, TLS_CLIENT_AUTH_REQUIRED, &alice);
	expect_established(&pair);
	assert_int_equal(X509_cmp(pair.server.ops->certificate(&pair.server),
	    alice.x509), 0);
	pair_fini(&pair);
	pair_init(&pair, TLS_CLIENT_AUTH_REQUESTED, NULL);
	expect_established(&pair);
	assert_null(pair.server.ops->certificate(&pair.server));
	pair_fini(&pair);

	expect_client_refused(TLS_CLIENT_AUTH_REQUIRED, NULL,
	    "peer did not return a certificate");
	expect_client_refused(TLS_CLIENT_AUTH_REQUESTED, &stranger,
	    "unable to get local issuer certificate");
	expect_client_refused(TLS_CLIENT_AUTH_REQUIRED, &old,
	    "certificate has expired");
	certificate_free(&old);
	certificate_free(&stranger);
	certificate_free(&other);
}

/* --- Bytes ---------------------------------------------------------------- */

/*
 * Random writes of the client, random buffers of the server, which reads only
 * when the socket is readable or it says that something is pending.
 */
static void
bytes_come_as_they_were_sent(void **state UNUSED)
{
	enum { LEN = 2 * 1024 * 1024 };
	uint8_t *data = xmalloc(LEN), *got = xmalloc(LEN);
	size_t sent = 0, received = 0;
	struct pair pair;
	struct rng rng;

	rng_init(&rng, 5);
	rng_bytes(&rng, data, LEN);
	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	expect_established(&pair);
	for (int i = 0; i < STEPS_MAX && received < LEN; i++) {
		size_t len = 1 + rng_below(&rng, (uint64_t)1
		    << rng_below(&rng, 19));
		struct iovec iov[2];
		ssize_t result = TRANSPORT_AGAIN;
		size_t n;

		if (sent < LEN && rng_below(&rng, 2) == 0 &&
		    SSL_write_ex(pair.client, data + sent,
		    MIN(len, LEN - sent), &n) == 1)
			sent += n;
		len = MIN(len, LEN - received);
		n = rng_below(&rng, len);
		iov[0] = (struct iovec){ got + received, n };
		iov[1] = (struct iovec){ got + received + n, len - n };
		if (pair.server.pending || is_ready(pair.server.fd, POLLIN))
			result = pair.server.ops->readv(&pair.server, iov, 2);
		assert_true(result > 0 || result == TRANSPORT_AGAIN);
		if (result > 0)
			received += (size_t)result;
	}
	assert_int_equal(received, LEN);
	assert_memory_equal(got, data, LEN);
	assert_false(pair.server.pending);
	free(data);
	free(got);
	pair_fini(&pair);
}

/* What a read may leave of its room although there is more. */
static void
reads_end_with_a_record(void **state UNUSED)
{
	enum { LEN = 10000, ROOM = 32768 };
	static uint8_t data[ROOM];
	size_t unit_len_max;
	struct pair pair;
	ssize_t n;

	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	expect_established(&pair);
	unit_len_max = pair.server.ops->unit_len_max;
	for (int i = 0; i < 8; i++)
		client_write(&pair, data, LEN);
	for (size_t left = 8 * LEN; left > ROOM; left -= (size_t)n) {
		n = server_read_due(&pair, data, ROOM);
		assert_in_range(n, ROOM - unit_len_max, ROOM - 1);
	}
	pair_fini(&pair);
}

/* One go of an outbox: what is left, cut into random pieces. */
static ssize_t
write_in_pieces(struct pair *pair, struct rng *rng, const uint8_t *data,
    size_t len)
{
	struct iovec iov[64];
	size_t at = 0;
	int count = 0;

	while (at < len && count < 64) {
		size_t n = 1 + rng_below(rng, (uint64_t)1
		    << rng_below(rng, 17));

		n = MIN(n, len - at);
		iov[count++] =
		    (struct iovec){ (void *)(uintptr_t)(data + at), n };
		at += n;
	}
	/* The pieces change, but what was given once is given again. */
	if (count == 64)
		iov[63].iov_len += len - at;
	return pair->server.ops->writev(&pair->server, iov, count, false);
}

static void
a_client_that_does_not_read_holds_little(void **state UNUSED)
{
	enum { LEN = 3 * 1024 * 1024 };
	uint8_t *data = xmalloc(LEN), *got = xmalloc(LEN);
	size_t sent = 0, received = 0, n;
	const struct tls *tls;
	struct pair pair;
	ssize_t result;
	struct rng rng;

	rng_init(&rng, 6);
	rng_bytes(&rng, data, LEN);
	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	expect_established(&pair);
	tls = pair.server.state;
	while ((result = write_in_pieces(&pair, &rng, data + sent,
	    LEN - sent)) > 0)
		sent += (size_t)result;
	assert_int_equal(result, TRANSPORT_AGAIN);
	assert_int_equal(pair.server.wants, TRANSPORT_WRITABLE);
	assert_true(sent < LEN / 2);
	assert_true(tls->wire.out_cap <= TLS_WIRE_UNSENT_LEN_MAX);
	for (int i = 0; i < STEPS_MAX && received < LEN; i++) {
		if (SSL_read_ex(pair.client, got + received,
		    MIN(1 + rng_below(&rng, 100000), LEN - received),
		    &n) == 1)
			received += n;
		if (sent == LEN || !is_ready(pair.server.fd, POLLOUT))
			continue;
		result = write_in_pieces(&pair, &rng, data + sent, LEN - sent);
		assert_true(result > 0 || result == TRANSPORT_AGAIN);
		if (result > 0)
			sent += (size_t)result;
	}
	assert_int_equal(sent, LEN);
	assert_int_equal(received, LEN);
	assert_memory_equal(got, data, LEN);
	assert_int_equal(tls->ahead, 0);
	assert_null(tls->wire.out);
	free(data);
	free(got);
	pair_fini(&pair);
}

/* Nor one that has keys changed all the time and reads no answer. */
static void
new_keys_are_not_made_without_bound(void **state UNUSED)
{
	const struct tls *tls;
	ssize_t result = TRANSPORT_AGAIN;
	struct pair pair;
	uint8_t byte;

	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	expect_established(&pair);
	tls = pair.server.state;
	for (int i = 0; i < 20000 && result == TRANSPORT_AGAIN; i++) {
		ERR_clear_error();
		if (SSL_get_key_update_type(pair.client) ==
		    SSL_KEY_UPDATE_NONE)
			(void)SSL_key_update(pair.client,
			    SSL_KEY_UPDATE_REQUESTED);
		(void)SSL_do_handshake(pair.client);
		result = server_read_due(&pair, &byte, 1);
		assert_true(tls->wire.out_cap <= TLS_WIRE_UNSENT_LEN_MAX);
	}
	pair_fini(&pair);
}

/* --- Ends ----------------------------------------------------------------- */

static void
both_sides_say_goodbye(void **state UNUSED)
{
	struct pair pair;
	uint8_t data[8];
	size_t n;

	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	expect_established(&pair);
	pair.server.ops->close(&pair.server);
	assert_int_equal(SSL_read_ex(pair.client, data, 1, &n), 0);
	assert_int_equal(SSL_get_error(pair.client, 0),
	    SSL_ERROR_ZERO_RETURN);
	disconnect(&pair);

	/* What comes before the end is read first, then the end is seen. */
	connect_again(&pair);
	expect_established(&pair);
	client_write(&pair, "last", 4);
	assert_int_equal(SSL_shutdown(pair.client), 0);
	assert_int_equal(server_read_due(&pair, data, sizeof(data)), 4);
	assert_int_equal(server_read_due(&pair, data, sizeof(data)),
	    TRANSPORT_CLOSED);
	assert_int_equal(errno, 0);
	pair_fini(&pair);
}

static void
an_end_without_goodbye_is_one(void **state UNUSED)
{
	struct pair pair;
	uint8_t data[8];

	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	expect_established(&pair);
	client_write(&pair, "last", 4);
	shutdown(pair.fd, SHUT_WR);
	assert_int_equal(server_read_due(&pair, data, sizeof(data)), 4);
	assert_int_equal(server_read_due(&pair, data, sizeof(data)),
	    TRANSPORT_CLOSED);
	assert_int_equal(errno, 0);
	pair_fini(&pair);
}

static void
a_forged_record_ends_it(void **state UNUSED)
{
	static const uint8_t forged[] = { 0x17, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6,
		7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 };
	struct iovec iov = { (char[]){ "x" }, 1 };
	struct pair pair;
	uint8_t data[8];

	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	expect_established(&pair);
	client_write(&pair, "good", 4);
	assert_int_equal(send(pair.fd, forged, sizeof(forged), 0),
	    sizeof(forged));
	assert_int_equal(server_read_due(&pair, data, sizeof(data)), 4);
	assert_int_equal(server_read_due(&pair, data, sizeof(data)),
	    TRANSPORT_CLOSED);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(pair.server.ops->writev(&pair.server, &iov, 1,
	    false), TRANSPORT_CLOSED);
	pair_fini(&pair);
}

static void
nothing_is_negotiated_anew(void **state UNUSED)
{
	struct pair pair;
	uint8_t byte;

	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
	expect_established(&pair);
	assert_int_equal(SSL_renegotiate(pair.client), 1);
	(void)SSL_do_handshake(pair.client);
	(void)server_read_due(&pair, &byte, 1);
	ERR_clear_error();
	assert_int_equal(SSL_do_handshake(pair.client), -1);
	assert_int_equal(ERR_GET_REASON(ERR_get_error()),
	    SSL_R_NO_RENEGOTIATION);
	pair_fini(&pair);
}

/* --- Sessions and new certificates ---------------------------------------- */

/* Connect with the session that the client's last connection was given. */
static void
resume(struct pair *pair, SSL_SESSION *session)
{
	disconnect(pair);
	connect_again(pair);
	assert_int_equal(SSL_set_session(pair->client, session), 1);
	expect_established(pair);
}

static void
sessions_are_resumed_with_their_certificate(void **state UNUSED)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		SSL_SESSION *session;
		struct pair pair;

		pair_init(&pair, TLS_CLIENT_AUTH_REQUIRED, &alice);
		SSL_CTX_set_max_proto_version(pair.client_ctx, versions[i]);
		disconnect(&pair);
		connect_again(&pair);
		expect_established(&pair);
		/* The ticket comes with the first bytes. */
		expect_echo(&pair);
		session = SSL_get1_session(pair.client);
		resume(&pair, session);
		assert_int_equal(SSL_session_reused(pair.client), 1);
		assert_int_equal(X509_cmp(alice.x509,
		    pair.server.ops->certificate(&pair.server)), 0);
		expect_echo(&pair);
		SSL_SESSION_free(session);
		pair_fini(&pair);
	}
}

static void
certificates_are_replaced_under_connections(void **state UNUSED)
{
	struct certificate fresh = certificate_new("fresh", &authority);
	struct tls_material material = material_of(&fresh, NULL);
	struct tls_settings settings = {
		.material = &material,
		.version_min = TLS1_2_VERSION,
		.version_max = TLS1_3_VERSION,
	};
	const char *reason = NULL;
	SSL_SESSION *session;
	struct pair pair;

	pair_init(&pair, TLS_CLIENT_AUTH_NONE, NULL);
	expect_established(&pair);
	assert_int_equal(tls_context_replace(pair.context, &settings,
	    &reason), 0);
	expect_echo(&pair);
	session = SSL_get1_session(pair.client);
	resume(&pair, session);
	assert_int_equal(SSL_session_reused(pair.client), 0);
	assert_int_equal(X509_cmp(SSL_get0_peer_certificate(pair.client),
	    fresh.x509), 0);
	/* A key that does not fit changes nothing. */
	material.key = alice.key;
	assert_int_equal(tls_context_replace(pair.context, &settings,
	    &reason), -1);
	assert_non_null(reason);
	disconnect(&pair);
	connect_again(&pair);
	expect_established(&pair);
	expect_echo(&pair);
	SSL_SESSION_free(session);
	pair_fini(&pair);
	certificate_free(&fresh);
}

static int
set_up(void **state UNUSED)
{
	signal(SIGPIPE, SIG_IGN);
	authority = certificate_new("authority", NULL);
	broker = certificate_new("broker", &authority);
	alice = certificate_new("alice", &authority);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	certificate_free(&authority);
	certificate_free(&broker);
	certificate_free(&alice);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_versions_are_spoken),
		cmocka_unit_test(older_versions_are_not),
		cmocka_unit_test(handshakes_come_byte_by_byte),
		cmocka_unit_test(
		    bytes_right_behind_the_handshake_are_pending),
		cmocka_unit_test(garbage_is_no_handshake),
		cmocka_unit_test(a_client_may_leave_in_the_handshake),
		cmocka_unit_test(clients_show_certificates),
		cmocka_unit_test(bytes_come_as_they_were_sent),
		cmocka_unit_test(reads_end_with_a_record),
		cmocka_unit_test(a_client_that_does_not_read_holds_little),
		cmocka_unit_test(new_keys_are_not_made_without_bound),
		cmocka_unit_test(both_sides_say_goodbye),
		cmocka_unit_test(an_end_without_goodbye_is_one),
		cmocka_unit_test(a_forged_record_ends_it),
		cmocka_unit_test(nothing_is_negotiated_anew),
		cmocka_unit_test(sessions_are_resumed_with_their_certificate),
		cmocka_unit_test(certificates_are_replaced_under_connections),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
