/*
 * TLS wire: the socket's side of a TLS connection.  OpenSSL reads and writes
 * records through a BIO that ends here, so that how often and how much is
 * received and sent is ours to say.
 *
 * Receiving happens into memory of the caller's that is there during a call
 * of the transport only; what OpenSSL has not taken by its end is kept, as a
 * rule nothing.  Records to be sent are gathered until they are flushed.
 *
 * Belongs to one transport, and is used on its loop only.
 */
#ifndef NET_TLS_WIRE_H
#define NET_TLS_WIRE_H

#include <openssl/bio.h>

#include "base/base.h"

/* What may be received at once. */
#define TLS_WIRE_RECEIVE_LEN ((size_t)64 * 1024)

/* The longest record, with what TLS adds to 16 KiB. */
#define TLS_WIRE_RECORD_LEN ((size_t)16 * 1024 + 512)

/* Records that were made and have not left. */
#define TLS_WIRE_UNSENT_LEN_MAX (4 * TLS_WIRE_RECORD_LEN)

struct tls_wire {
	int fd;			/* the transport's */
	bool ended;		/* nothing can be received or sent any more */
	int error;		/* why: errno, 0 at the end of the stream */

	/* What has been received and OpenSSL has not taken. */
	const uint8_t *in;
	size_t in_len;
	uint8_t *held;		/* where in points to between two calls */
	uint8_t *buffer;	/* the caller's, during a call */
	size_t receive_len;	/* as much may be received */
	bool dry;		/* the socket has no more for this call */

	/* What OpenSSL has made and has not been sent. */
	uint8_t *out;		/* NULL where there is none */
	size_t out_begin;
	size_t out_end;
	size_t out_cap;
};

void tls_wire_init(struct tls_wire *wire, int fd);
void tls_wire_fini(struct tls_wire *wire);

/*
 * A call of the transport begins, with a buffer of TLS_WIRE_RECEIVE_LEN bytes
 * that is valid until it ends.
 */
void tls_wire_begin(struct tls_wire *wire, uint8_t *buffer);
void tls_wire_end(struct tls_wire *wire);

/* OpenSSL may now ask the socket, for len bytes at the most; 0: it may not. */
void tls_wire_allow(struct tls_wire *wire, size_t len);

/*
 * Make room for records of len bytes, at most TLS_WIRE_UNSENT_LEN_MAX; false
 * where there is too much that has not been sent.
 */
bool tls_wire_reserve(struct tls_wire *wire, size_t len) WARN_UNUSED;

static inline size_t
tls_wire_unsent(const struct tls_wire *wire)
{
	return wire->out_end - wire->out_begin;
}

/*
 * Send what has been made; with more, other bytes follow at once.  0, or
 * TRANSPORT_AGAIN where the socket does not take all of it now, or
 * TRANSPORT_CLOSED with errno.
 */
int tls_wire_flush(struct tls_wire *wire, bool more) WARN_UNUSED;

/*
 * The method of a BIO whose data is a struct tls_wire; NULL where there is no
 * memory.  It outlives its BIOs.
 */
BIO_METHOD *tls_wire_method_new(void) WARN_UNUSED;

#endif
