#include "base/base.h"
#include "net/tcp.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t
again_or_closed(struct transport *transport, enum transport_wants wants)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
		transport->wants = wants;
		return TRANSPORT_AGAIN;
	}
	return TRANSPORT_CLOSED;
}

static ssize_t
tcp_readv(struct transport *transport, const struct iovec *iov, int count)
{
	/* A vector costs the kernel more, and mostly there is one. */
	ssize_t n = count == 1
	    ? recv(transport->fd, iov->iov_base, iov->iov_len, 0)
	    : readv(transport->fd, iov, count);

	if (n > 0)
		return n;
	if (n < 0)
		return again_or_closed(transport, TRANSPORT_READABLE);
	errno = 0;
	return TRANSPORT_CLOSED;
}

static ssize_t
tcp_writev(struct transport *transport, const struct iovec *iov, int count,
    bool more)
{
	struct msghdr message = { .msg_iovlen = (size_t)count };
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
	ssize_t n;

	/* sendmsg does not write to the vector. */
	message.msg_iov = (struct iovec *)(uintptr_t)iov;
	n = count == 1
	    ? send(transport->fd, iov->iov_base, iov->iov_len, flags)
	    : sendmsg(transport->fd, &message, flags);
	if (n > 0)
		return n;
	return again_or_closed(transport, TRANSPORT_WRITABLE);
}

static ssize_t
tcp_sendfile(struct transport *transport, int fd, int64_t position, size_t len,
    bool more UNUSED)
{
	off_t at = (off_t)position;
	ssize_t n = sendfile(transport->fd, fd, &at, len);

	if (n > 0)
		return n;
	if (n == 0)
		errno = 0;
	if (n == 0 || errno == EIO || errno == EBADF || errno == EINVAL)
		return TRANSPORT_BAD_FILE;
	return again_or_closed(transport, TRANSPORT_WRITABLE);
}

static void
tcp_close(struct transport *transport)
{
	close(transport->fd);
	transport->fd = -1;
}

static const struct transport_ops tcp_ops = {
	.readv = tcp_readv,
	.writev = tcp_writev,
	.sendfile = tcp_sendfile,
	.close = tcp_close,
};

int
tcp_open(struct transport *transport, int fd, void *context UNUSED)
{
	*transport = (struct transport){ .ops = &tcp_ops, .fd = fd };
	return 0;
}
