/*
 * Transport: how the bytes of a connection come and go.  A seam: plain TCP is
 * one, TLS another, a simulator's pipe a third; the connection's state
 * machine is the same for all.
 *
 * Everything is non-blocking.  A transport belongs to one connection and is
 * used on its loop only.
 */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include <sys/uio.h>

#include "base/base.h"

struct transport;
struct x509_st;

/* What a call says instead of a number of bytes. */
enum transport_result {
	/* Later: when the descriptor is ready as `wants` says. */
	TRANSPORT_AGAIN = -1,
	/* Never again: end of stream or an error, errno tells (0: the end). */
	TRANSPORT_CLOSED = -2,
	/* sendfile only: the file cannot be read, errno; 0: too short. */
	TRANSPORT_BAD_FILE = -3,
};

enum transport_wants { TRANSPORT_READABLE, TRANSPORT_WRITABLE };

struct transport_ops {
	/*
	 * Take the next step of the opening handshake: 0 when it is complete,
	 * else TRANSPORT_AGAIN or TRANSPORT_CLOSED.  NULL where there is
	 * none.  Not called again once it was complete.
	 */
	int (*handshake)(struct transport *transport);
	/*
	 * Fill the buffers as far as possible.  Above 0; fewer bytes than
	 * there was room for means that no more are there at the moment, so
	 * the caller need not ask again; but where they come in units, there
	 * may be more when less room is left than for the longest of these.
	 */
	ssize_t (*readv)(struct transport *transport, const struct iovec *iov,
	    int count);
	size_t unit_len_max;	/* 0 where each byte comes for itself */
	/*
	 * Send as much as is possible, above 0; fewer bytes than asked mean
	 * that no more can be sent until the descriptor is writable.  With
	 * more, other bytes follow at once and a packet that is not full may
	 * be held back for them.
	 */
	ssize_t (*writev)(struct transport *transport, const struct iovec *iov,
	    int count, bool more);
	/* The same from a file.  NULL where it is not faster than reading. */
	ssize_t (*sendfile)(struct transport *transport, int fd,
	    int64_t position, size_t len, bool more);
	/* Say good-bye where that needs no waiting, and close descriptors. */
	void (*close)(struct transport *transport);
	/*
	 * The certificate that the client has shown in the handshake, which
	 * was found good; the transport's own, or NULL where it has shown
	 * none.  NULL where clients never do.
	 */
	struct x509_st *(*certificate)(const struct transport *transport);
};

struct transport {
	const struct transport_ops *ops;
	int fd;			/* what to wait on */
	enum transport_wants wants;	/* after TRANSPORT_AGAIN */
	/*
	 * Bytes are held back inside, for which the descriptor will not
	 * become readable: read again without waiting.
	 */
	bool pending;
	/*
	 * Why the handshake has failed, beyond what errno says; a text that
	 * stays, or NULL.
	 */
	const char *reason;
	void *state;		/* the transport's own */
	/* Where its calls are timed: how long they took since it was asked. */
	bool timed;
	int64_t spent_us;
};

/* The operations of the same names, timed where that is wanted. */
ssize_t transport_readv(
    struct transport *transport, const struct iovec *iov, int count);
ssize_t transport_writev(struct transport *transport, const struct iovec *iov,
    int count, bool more);
ssize_t transport_sendfile(struct transport *transport, int fd,
    int64_t position, size_t len, bool more);

/*
 * Make *transport from a connected, non-blocking descriptor, which it owns
 * from then on; -1 where the connection has to be given up, then the
 * descriptor is still the caller's.  context is the listener's.
 */
typedef int (*transport_open_fn)(struct transport *transport, int fd,
    void *context);

#endif
