/*
 * What a request costs in net alone: a server that answers each frame with
 * its first bytes, in a process of its own, and clients that keep some frames
 * under way on some connections.
 *
 *	bench_echo CONNECTIONS IN_FLIGHT FRAME_BYTES SECONDS
 *
 * prints the server's CPU time and system calls per request and per GB.  It is
 * run by hand; make check does not need it.
 */
#include "base/base.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/loop_group.h"
#include "net/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPLY_LEN 40

struct job {
	struct exchange exchange;
	struct arena arena;
	uint8_t reply[4 + REPLY_LEN];
};

struct client {
	int fd;
	size_t unsent;		/* bytes of requests */
	size_t unread;		/* bytes of replies */
};

static void
job_release(struct exchange *exchange)
{
	struct job *job = CONTAINER_OF(exchange, struct job, exchange);

	arena_reset(&job->arena);
	free(job);
}

static void
on_frame(struct connection_handler *handler UNUSED,
    struct connection *connection, struct slice frame)
{
	struct job *job = xcalloc(1, sizeof(*job));

	arena_init(&job->arena, 4096);
	output_init(&job->exchange.output, &job->arena);
	job->exchange.release = job_release;
	exchange_begin(connection, &job->exchange);
	be32_put(job->reply, REPLY_LEN);
	memcpy(job->reply + 4, frame.data, MIN(frame.len, REPLY_LEN));
	if (output_bytes(&job->exchange.output, job->reply,
		sizeof(job->reply)) != 0)
		abort();
	exchange_complete(&job->exchange, true);
}

/* --- The server ---------------------------------------------------------- */

static void
report(const struct network *network, const struct rusage *usage)
{
	struct network_counters c;
	double us = (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) *
	    1e6 + (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
	double frames;

	network_counters(network, &c);
	frames = c.frames > 0 ? (double)c.frames : 1;
	printf("%.0f requests, %.2f us CPU each, %.3f s per GB\n", frames,
	    us / frames, us * 1000 / (double)(c.read_bytes + 1));
	printf("per request: %.3f waits, %.3f reads, %.3f writes, "
	    "%.3f parked\n", (double)c.passes / frames,
	    (double)c.reads / frames, (double)c.writes / frames,
	    (double)c.parks / frames);
	printf("RSS %ld KiB\n", usage->ru_maxrss);
}

static void
serve(int port_fd, int end_fd)
{
	struct connection_handler handler = { .frame = on_frame };
	struct network_settings settings;
	struct listener_settings listening;
	struct loop_group *loops = loop_group_new(1);
	struct listener *listener;
	struct network *network;
	struct rusage usage;
	char byte;

	network_defaults(&settings);
	listener_defaults(&listening);
	listening.name = "BENCH";
	listening.host = "127.0.0.1";
	if (loops == NULL || loop_group_start(loops) != 0)
		exit(1);
	network = network_new(loops, &settings, &handler);
	listener = listener_new(network, &listening);
	if (listener == NULL || write(port_fd,
		&listener_settings(listener)->port, sizeof(uint16_t)) < 0)
		exit(1);
	while (read(end_fd, &byte, 1) < 0 && errno == EINTR)
		;
	getrusage(RUSAGE_SELF, &usage);
	report(network, &usage);
	exit(network_stop(network, 1000) == 0 ? 0 : 1);
}

/* --- The clients --------------------------------------------------------- */

static uint8_t *request;
static size_t request_len;

/* The next byte to send, as requests follow each other without gaps. */
static void
push(struct client *client)
{
	while (client->unsent > 0) {
		size_t at = request_len - 1 - (client->unsent - 1) %
		    request_len;
		ssize_t n = send(client->fd, request + at, request_len - at,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n <= 0)
			return;
		client->unsent -= (size_t)n;
	}
}

static void
pull(struct client *client)
{
	static uint8_t data[65536];
	ssize_t n = recv(client->fd, data, sizeof(data), MSG_DONTWAIT);
	size_t done;

	if (n <= 0)
		return;
	client->unread += (size_t)n;
	done = client->unread / (4 + REPLY_LEN);
	client->unread %= 4 + REPLY_LEN;
	client->unsent += done * request_len;
}

static int
client_connect(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static void
drive(uint16_t port, size_t count, size_t in_flight, int64_t seconds)
{
	struct client *clients = xcalloc(count, sizeof(*clients));
	struct pollfd *polls = xcalloc(count, sizeof(*polls));
	int64_t end = clock_monotonic_ms() + seconds * 1000;

	for (size_t i = 0; i < count; i++) {
		clients[i].fd = polls[i].fd = client_connect(port);
		clients[i].unsent = in_flight * request_len;
	}
	while (clock_monotonic_ms() < end) {
		for (size_t i = 0; i < count; i++) {
			push(&clients[i]);
			polls[i].events = POLLIN |
			    (clients[i].unsent > 0 ? POLLOUT : 0);
		}
		if (poll(polls, (nfds_t)count, 100) <= 0)
			continue;
		for (size_t i = 0; i < count; i++)
			if (polls[i].revents & POLLIN)
				pull(&clients[i]);
	}
	free(clients);
	free(polls);
}

int
main(int argc, char **argv)
{
	int port_pipe[2], end_pipe[2], status;
	uint16_t port;
	pid_t pid;

	if (argc != 5 || pipe(port_pipe) != 0 || pipe(end_pipe) != 0) {
		fprintf(stderr, "usage: %s CONNECTIONS IN_FLIGHT FRAME_BYTES "
		    "SECONDS\n", argv[0]);
		return 2;
	}
	request_len = 4 + strtoul(argv[3], NULL, 10);
	request = xcalloc(1, request_len);
	be32_put(request, (uint32_t)(request_len - 4));
	pid = fork();
	if (pid == 0) {
		close(end_pipe[1]);
		serve(port_pipe[1], end_pipe[0]);
	}
	if (read(port_pipe[0], &port, sizeof(port)) != sizeof(port))
		return 1;
	drive(port, strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10),
	    strtol(argv[4], NULL, 10));
	close(end_pipe[1]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
