#include "base/base.h"
#include "net/tls_wire.h"
#include "net/transport.h"

#include <errno.h>
#include <sys/socket.h>

/* Memory for records is had in steps of this. */
#define OUT_STEP ((size_t)512)

void
tls_wire_init(struct tls_wire *wire, int fd)
{
	*wire = (struct tls_wire){ .fd = fd };
}

static void
free_out(struct tls_wire *wire)
{
	free(wire->out);
	wire->out = NULL;
	wire->out_begin = wire->out_end = wire->out_cap = 0;
}

void
tls_wire_fini(struct tls_wire *wire)
{
	free(wire->held);
	free_out(wire);
	wire->held = NULL;
	wire->in = NULL;
	wire->in_len = 0;
}

/* --- Receiving ----------------------------------------------------------- */

void
tls_wire_begin(struct tls_wire *wire, uint8_t *buffer)
{
	assert(wire->buffer == NULL);
	wire->buffer = buffer;
	wire->receive_len = 0;
	wire->dry = false;
}

void
tls_wire_end(struct tls_wire *wire)
{
	uint8_t *held = NULL;

	if (wire->in_len > 0) {
		held = xmalloc(wire->in_len);
		memcpy(held, wire->in, wire->in_len);
	}
	free(wire->held);
	wire->held = held;
	wire->in = held;
	wire->buffer = NULL;
}

void
tls_wire_allow(struct tls_wire *wire, size_t len)
{
	wire->receive_len = MIN(len, TLS_WIRE_RECEIVE_LEN);
}

static void
end_of(struct tls_wire *wire, int error)
{
	wire->ended = true;
	wire->error = error;
}

/* Ask the socket; false where there is nothing, for now or for ever. */
static bool
receive(struct tls_wire *wire)
{
	size_t len = wire->receive_len;
	ssize_t n;

	if (wire->ended || wire->dry || len == 0)
		return false;
	n = recv(wire->fd, wire->buffer, len, 0);
	/* The next call finds out what else there is. */
	wire->dry = n < (ssize_t)len;
	if (n > 0) {
		wire->in = wire->buffer;
		wire->in_len = (size_t)n;
		return true;
	}
	if (n == 0)
		end_of(wire, 0);
	else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		end_of(wire, errno);
	return false;
}

static int
read_bio(BIO *bio, char *data, size_t len, size_t *done)
{
	struct tls_wire *wire = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (wire->in_len == 0 && !receive(wire)) {
		if (!wire->ended)
			BIO_set_retry_read(bio);
		return 0;
	}
	*done = MIN(len, wire->in_len);
	memcpy(data, wire->in, *done);
	wire->in += *done;
	wire->in_len -= *done;
	return 1;
}

/* --- Sending ------------------------------------------------------------- */

bool
tls_wire_reserve(struct tls_wire *wire, size_t len)
{
	size_t unsent = tls_wire_unsent(wire);

	if (wire->out_cap - wire->out_end >= len)
		return true;
	if (unsent + len > TLS_WIRE_UNSENT_LEN_MAX)
		return false;
	if (wire->out_begin > 0)
		memmove(wire->out, wire->out + wire->out_begin, unsent);
	wire->out_begin = 0;
	wire->out_end = unsent;
	if (wire->out_cap - unsent < len) {
		wire->out_cap = MIN(TLS_WIRE_UNSENT_LEN_MAX,
		    (unsent + len + OUT_STEP - 1) / OUT_STEP * OUT_STEP);
		wire->out = xrealloc(wire->out, wire->out_cap);
	}
	return true;
}

int
tls_wire_flush(struct tls_wire *wire, bool more)
{
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
	ssize_t n;

	if (tls_wire_unsent(wire) == 0)
		return 0;
	n = send(wire->fd, wire->out + wire->out_begin, tls_wire_unsent(wire),
	    flags);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ||
		    errno == EINTR ? TRANSPORT_AGAIN : TRANSPORT_CLOSED;
	wire->out_begin += (size_t)n;
	if (tls_wire_unsent(wire) > 0)
		return TRANSPORT_AGAIN;
	free_out(wire);
	return 0;
}

/* What does not fit waits until the socket has taken some. */
static int
write_bio(BIO *bio, const char *data, size_t len, size_t *done)
{
	struct tls_wire *wire = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (len > TLS_WIRE_UNSENT_LEN_MAX || wire->ended)
		return 0;
	if (!tls_wire_reserve(wire, len) &&
	    tls_wire_flush(wire, true) == TRANSPORT_CLOSED) {
		end_of(wire, errno);
		return 0;
	}
	if (!tls_wire_reserve(wire, len)) {
		BIO_set_retry_write(bio);
		return 0;
	}
	memcpy(wire->out + wire->out_end, data, len);
	wire->out_end += len;
	*done = len;
	return 1;
}

/* --- The BIO ------------------------------------------------------------- */

static long
control_bio(BIO *bio, int command, long number UNUSED, void *pointer UNUSED)
{
	const struct tls_wire *wire = BIO_get_data(bio);

	switch (command) {
	case BIO_CTRL_FLUSH:
		/* The transport sends when OpenSSL is done. */
		return 1;
	case BIO_CTRL_EOF:
		return wire->ended;
	default:
		return 0;
	}
}

BIO_METHOD *
tls_wire_method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tls_wire");

	if (method == NULL)
		return NULL;
	if (BIO_meth_set_read_ex(method, read_bio) == 1 &&
	    BIO_meth_set_write_ex(method, write_bio) == 1 &&
	    BIO_meth_set_ctrl(method, control_bio) == 1)
		return method;
	BIO_meth_free(method);
	return NULL;
}
