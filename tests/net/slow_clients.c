/*
 * Clients that are slow on purpose, against any broker:
 *
 *	slow_clients MODE HOST PORT COUNT SECONDS
 *
 *	idle		connect and say nothing
 *	announce	announce a frame of 100 MB, send 1 KiB of it, stop
 *	trickle		the same, then a byte a second
 *	deaf		send ApiVersions requests for ever, read nothing
 *
 * Each second it prints how many are still connected and how many bytes they
 * have sent.  It ends when none is left or the time is over.  COUNT is
 * limited by the number of descriptors (ulimit -n).  Run by hand; the unit
 * tests hold the same in the small.
 */
#include "base/base.h"
#include "base/bytes.h"
#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANNOUNCED_LEN (100 * 1024 * 1024)
#define BEGIN_LEN 1024

enum mode { MODE_IDLE, MODE_ANNOUNCE, MODE_TRICKLE, MODE_DEAF, MODE_COUNT };

static const char *const mode_names[MODE_COUNT] = {
	[MODE_IDLE] = "idle",
	[MODE_ANNOUNCE] = "announce",
	[MODE_TRICKLE] = "trickle",
	[MODE_DEAF] = "deaf",
};

/* ApiVersions version 0, correlation id 1, null client id. */
static const uint8_t api_versions[] = { 0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1,
	0xff, 0xff };

static uint64_t sent_bytes;

static int
parse_mode(const char *name)
{
	for (int i = 0; i < MODE_COUNT; i++)
		if (strcmp(mode_names[i], name) == 0)
			return i;
	return -1;
}

static int
connect_to(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

/* Send what goes out at once; false where the connection is gone. */
static bool
push(int fd, const void *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		sent_bytes += (uint64_t)n;
	return n >= 0 || errno == EAGAIN;
}

static bool
begin(int fd, enum mode mode)
{
	uint8_t data[BEGIN_LEN] = { 0 };

	if (mode != MODE_ANNOUNCE && mode != MODE_TRICKLE)
		return true;
	be32_put(data, ANNOUNCED_LEN);
	return push(fd, data, sizeof(data));
}

/* Requests without an end; *at is where the last one was cut. */
static bool
push_requests(int fd, size_t *at)
{
	for (int i = 0; i < 10000; i++) {
		ssize_t n = send(fd, api_versions + *at,
		    sizeof(api_versions) - *at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN;
		sent_bytes += (uint64_t)n;
		*at = (*at + (size_t)n) % sizeof(api_versions);
	}
	return true;
}

/* Has the peer closed?  What it has sent is left where it is. */
static bool
is_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 &&
	    (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static bool
keep_on(int fd, enum mode mode, size_t *at)
{
	switch (mode) {
	case MODE_TRICKLE:
		return push(fd, "", 1) && !is_closed(fd);
	case MODE_DEAF:
		return push_requests(fd, at) && !is_closed(fd);
	default:
		return !is_closed(fd);
	}
}

static size_t
round_over(int *fds, size_t *positions, size_t count, enum mode mode)
{
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		if (fds[i] < 0)
			continue;
		if (keep_on(fds[i], mode, &positions[i])) {
			open++;
			continue;
		}
		close(fds[i]);
		fds[i] = -1;
	}
	return open;
}

static void
run(const struct addrinfo *address, enum mode mode, size_t count,
    int64_t seconds)
{
	int *fds = xcalloc(count, sizeof(*fds));
	size_t *positions = xcalloc(count, sizeof(*positions));
	int64_t start = clock_monotonic_ms(), now;
	size_t open;

	for (size_t i = 0; i < count; i++) {
		fds[i] = connect_to(address);
		(void)begin(fds[i], mode);
	}
	do {
		open = round_over(fds, positions, count, mode);
		now = clock_monotonic_ms();
		printf("%5.1f s: %zu of %zu connected, %llu bytes sent\n",
		    (double)(now - start) / 1000, open, count,
		    (unsigned long long)sent_bytes);
		fflush(stdout);
		sleep(1);
	} while (open > 0 && now - start < seconds * 1000);
	free(fds);
	free(positions);
}

int
main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *address;
	int mode;

	mode = argc == 6 ? parse_mode(argv[1]) : -1;
	if (mode < 0) {
		fprintf(stderr, "usage: %s idle|announce|trickle|deaf HOST "
		    "PORT COUNT SECONDS\n", argv[0]);
		return 2;
	}
	if (getaddrinfo(argv[2], argv[3], &hints, &address) != 0) {
		fprintf(stderr, "no such address: %s:%s\n", argv[2], argv[3]);
		return 1;
	}
	run(address, (enum mode)mode, strtoul(argv[4], NULL, 10),
	    strtol(argv[5], NULL, 10));
	freeaddrinfo(address);
	return 0;
}
