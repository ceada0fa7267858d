/*
 * What a client may send to a listener with TLS: a byte that says how far a
 * client of OpenSSL's comes first, then pieces, a byte of length in front of
 * each, as they arrive, then the end.
 */
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fuzz/input.h"
#include "net/tls.h"
#include "net/tls_context.h"
#include "net/tls_material.h"
#include "net/transport.h"

/* What takes more steps than this hangs. */
#define STEPS_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum prologue {
	PROLOGUE_NONE,
	PROLOGUE_HELLO,
	PROLOGUE_HANDSHAKE,
	PROLOGUE_HANDSHAKE_1_2,
	PROLOGUES_COUNT,
};

/* Both ends of a connection. */
struct talk {
	struct transport server;
	int fd;			/* the client's */
	bool shaken;
	bool closed;
};

/* --- The listener --------------------------------------------------------- */

static X509 *
sign_own(EVP_PKEY *key)
{
	X509 *x509 = X509_new();

	assert(x509 != NULL && X509_set_pubkey(x509, key) == 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), 0);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	assert(X509_sign(x509, key, EVP_sha256()) > 0);
	return x509;
}

/* Clients may show a certificate, so that theirs is read, too. */
static struct tls_context *
listener_context(void)
{
	static struct tls_context *context;
	EVP_PKEY *key;
	X509 *x509;
	const char *reason;

	if (context != NULL)
		return context;
	key = EVP_EC_gen("P-256");
	x509 = sign_own(key);
	context = tls_context_new(
	    &(struct tls_settings){
		.material = &(struct tls_material){
		    .key = key, .certificate = x509 },
		.version_min = TLS1_2_VERSION,
		.version_max = TLS1_3_VERSION,
		.client_auth = TLS_CLIENT_AUTH_REQUESTED,
	    },
	    &reason);
	assert(context != NULL);
	X509_free(x509);
	EVP_PKEY_free(key);
	return context;
}

/* --- The server's turn ---------------------------------------------------- */

/* One call; is there more to do at once? */
static bool
take_step(struct talk *talk)
{
	struct transport *server = &talk->server;
	uint8_t first[7], second[100 * 1000];
	const struct iovec iov[] = { { first, sizeof(first) },
		{ second, sizeof(second) } };
	ssize_t result;

	errno = 0;
	result = talk->shaken ? server->ops->readv(server, iov, 2) :
				server->ops->handshake(server);
	assert(result != 0 || !talk->shaken);
	assert(result == TRANSPORT_AGAIN || result == TRANSPORT_CLOSED ||
	    (result >= 0 &&
		(size_t)result <= sizeof(first) + sizeof(second)));
	talk->closed = result == TRANSPORT_CLOSED;
	talk->shaken = talk->shaken || result == 0;
	if (result == 0)
		return true;
	return result > 0 || (result == TRANSPORT_AGAIN && server->pending);
}

static bool
is_readable(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

/* As long as it can go on; what it says is thrown away. */
static void
serve(struct talk *talk)
{
	uint8_t answer[4096];
	int steps = 0;

	while (!talk->closed &&
	    (take_step(talk) || is_readable(talk->server.fd))) {
		while (recv(talk->fd, answer, sizeof(answer), MSG_DONTWAIT) >
		    0)
			;
		assert(++steps < STEPS_MAX);
	}
}

/* --- The client's --------------------------------------------------------- */

static void
begin(struct talk *talk, enum prologue prologue)
{
	SSL_CTX *context;
	SSL *client;

	if (prologue == PROLOGUE_NONE)
		return;
	context = SSL_CTX_new(TLS_client_method());
	if (prologue == PROLOGUE_HANDSHAKE_1_2)
		assert(SSL_CTX_set_max_proto_version(
			   context, TLS1_2_VERSION) == 1);
	client = SSL_new(context);
	assert(SSL_set_fd(client, talk->fd) == 1);
	SSL_set_connect_state(client);
	while (SSL_do_handshake(client) != 1 && prologue != PROLOGUE_HELLO)
		while (take_step(talk) && !talk->shaken)
			;
	ERR_clear_error();
	SSL_free(client);
	SSL_CTX_free(context);
}

static void
send_pieces(struct talk *talk, struct slice input)
{
	while (input.len > 0 && !talk->closed) {
		struct slice piece;

		piece = fuzz_take(&input, 1);
		piece = fuzz_take(&input, piece.data[0] + 1u);
		if (send(talk->fd, piece.data, piece.len,
			MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			assert(errno == EAGAIN || errno == EPIPE);
		serve(talk);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk talk = { .fd = -1 };
	int fds[2];

	if (size == 0)
		return 0;
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		   0, fds) == 0);
	assert(tls_open(&talk.server, fds[0], listener_context()) == 0);
	talk.fd = fds[1];
	begin(&talk, (enum prologue)(data[0] % PROLOGUES_COUNT));
	send_pieces(&talk, slice_of(data + 1, size - 1));
	assert(shutdown(talk.fd, SHUT_WR) == 0);
	serve(&talk);
	/* After the end nothing is waited for. */
	assert(talk.closed);
	talk.server.ops->close(&talk.server);
	close(talk.fd);
	return 0;
}
