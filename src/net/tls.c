#include "base/base.h"
#include "net/tls.h"
#include "net/tls_context.h"
#include "net/tls_wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

/* The bytes of a record, before TLS adds its own. */
#define PLAIN_LEN ((size_t)16 * 1024)

struct tls {
	SSL *ssl;
	struct tls_wire wire;
	/*
	 * Bytes that were made into records which have not left: the caller
	 * is not told of them before they have, and gives them once more.
	 */
	size_t ahead;
	bool shaken;		/* OpenSSL's part of the handshake is over */
	bool broken;		/* OpenSSL takes no more calls */
};

/* --- Results ------------------------------------------------------------- */

static int
wait_for(struct transport *transport, enum transport_wants wants)
{
	transport->wants = wants;
	return TRANSPORT_AGAIN;
}

/* Why the handshake has failed, or NULL; a text that stays. */
static const char *
reason_of(const struct tls *tls)
{
	long verified = SSL_get_verify_result(tls->ssl);

	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	return ERR_reason_error_string(ERR_peek_error());
}

/* What a call of OpenSSL that has not worked comes to. */
static int
result_of(struct transport *transport, int result)
{
	struct tls *tls = transport->state;

	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(transport, TRANSPORT_READABLE);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(transport, TRANSPORT_WRITABLE);
	case SSL_ERROR_ZERO_RETURN:
		errno = 0;
		return TRANSPORT_CLOSED;
	default:
		break;
	}
	transport->reason = reason_of(tls);
	tls->broken = true;
	ERR_clear_error();
	errno = tls->wire.ended ? tls->wire.error : EPROTO;
	return TRANSPORT_CLOSED;
}

/*
 * Send what OpenSSL has said by itself: its part of a handshake, alerts, new
 * keys.
 */
static int
send_own(struct transport *transport)
{
	struct tls *tls = transport->state;
	int result = tls_wire_flush(&tls->wire, false);

	if (result == TRANSPORT_AGAIN)
		transport->wants = TRANSPORT_WRITABLE;
	return result;
}

/* OpenSSL keeps its buffers while there is a part of a record in them. */
static void
free_buffers(const struct tls *tls)
{
	if (SSL_has_pending(tls->ssl) == 0)
		(void)SSL_free_buffers(tls->ssl);
}

/* The end of a call that reads: what is kept until the next one. */
static void
settle(struct transport *transport)
{
	struct tls *tls = transport->state;

	tls_wire_end(&tls->wire);
	/* An end that came behind bytes is for the next call. */
	transport->pending = tls->wire.in_len > 0 || tls->broken ||
	    SSL_pending(tls->ssl) > 0 ||
	    (SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
	if (tls->shaken)
		free_buffers(tls);
}

/* --- The handshake ------------------------------------------------------- */

static int
step(struct transport *transport)
{
	struct tls *tls = transport->state;
	int result, sent, error;

	ERR_clear_error();
	result = SSL_do_handshake(tls->ssl);
	tls->shaken = result == 1;
	result = tls->shaken ? 0 : result_of(transport, result);
	error = errno;
	/* An alert, too; whether it arrives is up to the socket. */
	sent = send_own(transport);
	if (result != TRANSPORT_CLOSED)
		return sent != 0 ? sent : result;
	errno = error;
	return TRANSPORT_CLOSED;
}

static int
tls_handshake(struct transport *transport)
{
	uint8_t buffer[TLS_WIRE_RECEIVE_LEN];
	struct tls *tls = transport->state;
	int result = send_own(transport);

	if (result != 0 || tls->shaken)
		return result;
	tls_wire_begin(&tls->wire, buffer);
	tls_wire_allow(&tls->wire, sizeof(buffer));
	result = step(transport);
	settle(transport);
	return result;
}

/* --- Reading ------------------------------------------------------------- */

/*
 * How much may be received while there is room for so many bytes: no more
 * than they are decrypted to, so that nothing has to be kept, but a whole
 * record where there is nothing else to return.
 */
static size_t
receivable(size_t room, bool first)
{
	if (room >= TLS_WIRE_RECORD_LEN)
		return room;
	return first ? TLS_WIRE_RECORD_LEN : 0;
}

/* Decrypt len bytes at most; how many, or a transport_result. */
static ssize_t
decrypt(struct transport *transport, uint8_t *data, size_t len)
{
	struct tls *tls = transport->state;
	size_t n;
	int result = SSL_read_ex(tls->ssl, data, len, &n);

	return result == 1 ? (ssize_t)n : result_of(transport, result);
}

/*
 * Fill the buffers.  What comes before an end or an error is returned first;
 * the next call comes to the same end.
 */
static ssize_t
fill(struct transport *transport, const struct iovec *iov, int count)
{
	struct tls *tls = transport->state;
	size_t room = 0, done = 0;

	for (int i = 0; i < count; i++)
		room += iov[i].iov_len;
	for (int i = 0; i < count; i++) {
		size_t at = 0;

		while (at < iov[i].iov_len) {
			ssize_t n;

			tls_wire_allow(&tls->wire,
			    receivable(room - done, done == 0));
			n = decrypt(transport, (uint8_t *)iov[i].iov_base + at,
			    iov[i].iov_len - at);
			if (n < 0)
				return done > 0 ? (ssize_t)done : n;
			at += (size_t)n;
			done += (size_t)n;
		}
	}
	return (ssize_t)done;
}

static ssize_t
tls_readv(struct transport *transport, const struct iovec *iov, int count)
{
	uint8_t buffer[TLS_WIRE_RECEIVE_LEN];
	struct tls *tls = transport->state;
	ssize_t result;

	if (tls->broken) {
		errno = EPROTO;
		return TRANSPORT_CLOSED;
	}
	ERR_clear_error();
	tls_wire_begin(&tls->wire, buffer);
	result = fill(transport, iov, count);
	settle(transport);
	if (tls->ahead == 0 && send_own(transport) == TRANSPORT_CLOSED &&
	    result == TRANSPORT_AGAIN)
		result = TRANSPORT_CLOSED;
	return result;
}

/* --- Writing ------------------------------------------------------------- */

/* Where writing stands in what the caller has given. */
struct plain {
	const struct iovec *iov;
	int count;
	size_t at;		/* in the first */
	uint8_t record[PLAIN_LEN];
};

static void
plain_skip(struct plain *plain, size_t len)
{
	plain->at += len;
	while (plain->count > 0 && plain->at >= plain->iov->iov_len) {
		plain->at -= plain->iov->iov_len;
		plain->iov++;
		plain->count--;
	}
}

/*
 * The bytes of the next record: where they are, when there are enough in one
 * piece, else copied together.
 */
static struct slice
next_record(struct plain *plain)
{
	size_t at = plain->at, len = 0;

	if (plain->iov->iov_len - at >= PLAIN_LEN || plain->count == 1)
		return slice_of((uint8_t *)plain->iov->iov_base + at,
		    MIN(PLAIN_LEN, plain->iov->iov_len - at));
	for (int i = 0; i < plain->count && len < PLAIN_LEN; i++) {
		size_t n = MIN(plain->iov[i].iov_len - at, PLAIN_LEN - len);

		memcpy(plain->record + len,
		    (uint8_t *)plain->iov[i].iov_base + at, n);
		len += n;
		at = 0;
	}
	return slice_of(plain->record, len);
}

/* Room for what has been left to do, or for as much as is sent at once. */
static bool
make_room(struct tls *tls, size_t left)
{
	size_t records = (left + PLAIN_LEN - 1) / PLAIN_LEN;

	if (records == 1)
		return tls_wire_reserve(&tls->wire,
		    left + TLS_WIRE_RECORD_LEN - PLAIN_LEN);
	return tls_wire_reserve(&tls->wire,
	    MIN(records * TLS_WIRE_RECORD_LEN,
		TLS_WIRE_UNSENT_LEN_MAX - tls_wire_unsent(&tls->wire)));
}

static ssize_t
encrypt(struct transport *transport, struct plain *plain)
{
	struct tls *tls = transport->state;
	struct slice record = next_record(plain);
	size_t n;
	int result = SSL_write_ex(tls->ssl, record.data, record.len, &n);

	if (result != 1)
		return result_of(transport, result);
	plain_skip(plain, n);
	return (ssize_t)n;
}

/*
 * Make records of the bytes and send them, len of them in all, until the
 * socket takes no more.  *sent is how many have left for certain.
 */
static int
send_records(struct transport *transport, struct plain *plain, size_t len,
    bool more, size_t *sent)
{
	struct tls *tls = transport->state;
	size_t done = *sent;
	int result = 0;

	while (result == 0 && done < len) {
		ssize_t n = TRANSPORT_AGAIN;

		if (make_room(tls, len - done))
			n = encrypt(transport, plain);
		if (n == TRANSPORT_CLOSED)
			return TRANSPORT_CLOSED;
		/* It waits for the client, not for the socket. */
		if (n < 0 && tls_wire_unsent(&tls->wire) == 0)
			return TRANSPORT_AGAIN;
		if (n > 0)
			done += (size_t)n;
		if (n > 0 && done < len &&
		    tls_wire_unsent(&tls->wire) + TLS_WIRE_RECORD_LEN <=
			TLS_WIRE_UNSENT_LEN_MAX)
			continue;
		result = tls_wire_flush(&tls->wire, more || done < len);
		if (result == 0)
			*sent = done;
		else
			transport->wants = TRANSPORT_WRITABLE;
	}
	tls->ahead = done - *sent;
	return result;
}

static ssize_t
tls_writev(struct transport *transport, const struct iovec *iov, int count,
    bool more)
{
	struct tls *tls = transport->state;
	struct plain plain;
	size_t len = 0, sent;
	int result;

	if (tls->broken) {
		errno = EPROTO;
		return TRANSPORT_CLOSED;
	}
	result = send_own(transport);
	if (result != 0)
		return result;
	for (int i = 0; i < count; i++)
		len += iov[i].iov_len;
	plain.iov = iov;
	plain.count = count;
	plain.at = 0;
	sent = MIN(tls->ahead, len);
	tls->ahead -= sent;
	plain_skip(&plain, sent);
	ERR_clear_error();
	result = send_records(transport, &plain, len, more, &sent);
	free_buffers(tls);
	if (result == TRANSPORT_CLOSED)
		return TRANSPORT_CLOSED;
	return sent > 0 ? (ssize_t)sent : TRANSPORT_AGAIN;
}

/* --- Life ---------------------------------------------------------------- */

/* Good-bye, where it may be said and the socket takes it. */
static void
say_goodbye(struct tls *tls)
{
	ERR_clear_error();
	if (!tls->shaken || tls->broken || tls->wire.ended ||
	    tls_wire_unsent(&tls->wire) > 0)
		return;
	if (SSL_shutdown(tls->ssl) < 0 ||
	    tls_wire_flush(&tls->wire, false) != 0)
		ERR_clear_error();
}

static void
tls_close(struct transport *transport)
{
	struct tls *tls = transport->state;

	say_goodbye(tls);
	SSL_free(tls->ssl);
	tls_wire_fini(&tls->wire);
	free(tls);
	transport->state = NULL;
	close(transport->fd);
	transport->fd = -1;
}

static X509 *
tls_certificate(const struct transport *transport)
{
	const struct tls *tls = transport->state;

	return SSL_get0_peer_certificate(tls->ssl);
}

static const struct transport_ops tls_ops = {
	.handshake = tls_handshake,
	.readv = tls_readv,
	.unit_len_max = PLAIN_LEN,
	.writev = tls_writev,
	.close = tls_close,
	.certificate = tls_certificate,
};

int
tls_open(struct transport *transport, int fd, void *context)
{
	struct tls *tls = xcalloc(1, sizeof(*tls));

	tls_wire_init(&tls->wire, fd);
	tls->ssl = tls_context_connect(context, &tls->wire);
	if (tls->ssl == NULL) {
		ERR_clear_error();
		free(tls);
		return -1;
	}
	*transport = (struct transport){
		.ops = &tls_ops,
		.fd = fd,
		.state = tls,
	};
	return 0;
}
