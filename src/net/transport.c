#include "net/transport.h"

#include "base/clock.h"

static int64_t
begin(const struct transport *transport)
{
	return transport->timed ? clock_monotonic_us() : 0;
}

static void
end(struct transport *transport, int64_t begun_us)
{
	if (transport->timed)
		transport->spent_us += clock_monotonic_us() - begun_us;
}

ssize_t
transport_readv(
    struct transport *transport, const struct iovec *iov, int count)
{
	int64_t begun_us = begin(transport);
	ssize_t n = transport->ops->readv(transport, iov, count);

	end(transport, begun_us);
	return n;
}

ssize_t
transport_writev(struct transport *transport, const struct iovec *iov,
    int count, bool more)
{
	int64_t begun_us = begin(transport);
	ssize_t n = transport->ops->writev(transport, iov, count, more);

	end(transport, begun_us);
	return n;
}

ssize_t
transport_sendfile(struct transport *transport, int fd, int64_t position,
    size_t len, bool more)
{
	int64_t begun_us = begin(transport);
	ssize_t n =
	    transport->ops->sendfile(transport, fd, position, len, more);

	end(transport, begun_us);
	return n;
}
