/*
 * A network for tests: one loop that the test steps itself, a listener on a
 * free port, a handler that does what a frame's first byte says, and clients.
 *
 * A test that steps the loop itself is free of races but for one: the kernel
 * may take its time between two sockets, so tests wait with RIG_UNTIL for what
 * has to come.
 *
 *	e	echo the frame at once
 *	p	park: the test completes it by rig_complete
 *	x	the same, but exclusively
 *	n	no reply
 *	m	echo, then mute the connection for as many ms as the next byte
 *	c	close the connection
 *	a	abort the connection
 *	f	answer with the file, 'len' at 'position' (two int32 behind)
 */
#ifndef UNIT_NET_RIG_H
#define UNIT_NET_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/list.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/loop_group.h"
#include "net/network.h"

/* An exchange of the handler's. */
struct job {
	struct exchange exchange;
	struct arena arena;
	struct list_node node;	/* rig.parked while it is pending */
	uint8_t *frame;		/* a copy with its size */
	size_t len;
	bool cancelled;
};

struct rig {
	struct connection_handler handler;
	struct network_settings settings;
	struct listener_settings listening;
	struct loop_group *loops;
	struct loop *loop;
	struct network *network;
	struct listener *listener;
	struct list parked;
	int loop_count;
	int file_fd;
	struct connection *connection;	/* the last that was opened */
	/* What has happened. */
	int opened, freed, frames, begun, cancelled, released;
	bool complete_when_cancelled;
	size_t frame_len_max;	/* of what has come */
};

static struct rig rig;

static void
job_cancel(struct exchange *exchange)
{
	struct job *job = CONTAINER_OF(exchange, struct job, exchange);

	assert_false(job->cancelled);
	job->cancelled = true;
	rig.cancelled++;
	if (!rig.complete_when_cancelled)
		return;
	list_remove(&job->node);
	exchange_complete(exchange, true);
}

static void
job_release(struct exchange *exchange)
{
	struct job *job = CONTAINER_OF(exchange, struct job, exchange);

	assert_false(list_node_linked(&job->node));
	rig.released++;
	arena_reset(&job->arena);
	free(job->frame);
	free(job);
}

static struct job *
job_new(struct slice frame)
{
	struct job *job = xcalloc(1, sizeof(*job));

	arena_init(&job->arena, (size_t)1 << 30);
	output_init(&job->exchange.output, &job->arena);
	job->exchange.cancel = job_cancel;
	job->exchange.release = job_release;
	job->len = 4 + frame.len;
	job->frame = xmalloc(job->len);
	be32_put(job->frame, (uint32_t)frame.len);
	memcpy(job->frame + 4, frame.data, frame.len);
	return job;
}

static void
job_echo(struct job *job)
{
	int result = output_bytes(&job->exchange.output, job->frame, job->len);

	assert_int_equal(result, 0);
	exchange_complete(&job->exchange, true);
}

/* size, len bytes of the file, then one byte 'z'. */
static void
job_file(struct job *job)
{
	struct output *output = &job->exchange.output;
	uint32_t len = be32_get(job->frame + 5);
	uint32_t position = be32_get(job->frame + 9);

	be32_put(job->frame, len + 1);
	assert_int_equal(output_bytes(output, job->frame, 4), 0);
	assert_int_equal(output_file(output, rig.file_fd, position, len), 0);
	assert_int_equal(output_bytes(output, "z", 1), 0);
	exchange_complete(&job->exchange, true);
}

static void
on_frame(struct connection_handler *handler, struct connection *connection,
    struct slice frame)
{
	uint8_t what = frame.len > 0 ? frame.data[0] : 'c';
	struct job *job;

	assert_ptr_equal(handler, &rig.handler);
	rig.frames++;
	rig.frame_len_max = MAX(rig.frame_len_max, frame.len);
	if (what == 'c') {
		connection_close(connection, "the frame says so");
		return;
	}
	job = job_new(frame);
	job->exchange.exclusive = what == 'x';
	exchange_begin(connection, &job->exchange);
	rig.begun++;
	/* The memory is ours during the call. */
	memset((uint8_t *)(uintptr_t)frame.data, 0xee, frame.len);
	switch (what) {
	case 'p':
	case 'x':
		list_append(&rig.parked, &job->node);
		break;
	case 'n':
		exchange_complete(&job->exchange, false);
		break;
	case 'a':
		exchange_complete(&job->exchange, false);
		connection_abort(connection, "the frame says so");
		break;
	case 'f':
		job_file(job);
		break;
	case 'm':
		connection_mute(connection, job->frame[5]);
		job_echo(job);
		break;
	default:
		job_echo(job);
	}
}

static void
on_opened(struct connection_handler *handler UNUSED,
    struct connection *connection)
{
	rig.opened++;
	rig.connection = connection;
	connection_set_session(connection, &rig);
}

static void
on_freed(struct connection_handler *handler UNUSED,
    struct connection *connection)
{
	rig.freed++;
	assert_ptr_equal(connection_session(connection), &rig);
	if (rig.connection == connection)
		rig.connection = NULL;
}

/* Defaults that a test may change between rig_init and rig_start. */
static void
rig_init(void)
{
	rig = (struct rig){ .file_fd = -1, .loop_count = 1 };
	rig.handler = (struct connection_handler){
		.opened = on_opened,
		.frame = on_frame,
		.freed = on_freed,
	};
	list_init(&rig.parked);
	network_defaults(&rig.settings);
	listener_defaults(&rig.listening);
	rig.listening.name = "TEST";
	rig.listening.host = "127.0.0.1";
	rig.listening.node_id = 7;
}

static void
rig_step(void)
{
	for (int i = 0; i < 8 * rig.loop_count; i++)
		loop_step(loop_group_get(rig.loops, i % rig.loop_count),
		    false);
}

/* Step the loop until the condition holds; it fails after ten seconds. */
#define RIG_UNTIL(condition)                                              \
	do {                                                              \
		int64_t end = rig_real_ms() + 10000;                      \
		while (!(condition)) {                                    \
			if (rig_real_ms() > end)                          \
				fail_msg("in vain: %s", #condition);      \
			rig_step();                                       \
		}                                                         \
	} while (0)

/* The system's clock, whatever the test has installed. */
UNUSED static int64_t
rig_real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
rig_start(void)
{
	rig.loops = loop_group_new(rig.loop_count);
	assert_non_null(rig.loops);
	rig.loop = loop_group_get(rig.loops, 0);
	rig.network =
	    network_new(rig.loops, &rig.settings, &rig.handler);
	rig.listener = listener_new(rig.network, &rig.listening);
	assert_non_null(rig.listener);
	rig_step();
}

/* Complete the oldest parked exchange. */
UNUSED static void
rig_complete(bool reply)
{
	struct list_node *node = list_pop(&rig.parked);
	struct job *job;

	assert_non_null(node);
	job = LIST_ENTRY(node, struct job, node);
	if (!reply) {
		exchange_complete(&job->exchange, false);
		return;
	}
	job_echo(job);
}

struct completion {
	struct task task;
	bool reply;
};

static void
run_completion(struct task *task)
{
	rig_complete(CONTAINER_OF(task, struct completion, task)->reply);
}

/* The same on the loop, which is where it belongs. */
UNUSED static void
rig_complete_on(struct loop *loop, bool reply)
{
	struct completion completion = {
		.task.run = run_completion,
		.reply = reply,
	};

	loop_post(loop, &completion.task);
	rig_step();
}

UNUSED static void
rig_complete_on_loop(bool reply)
{
	rig_complete_on(rig.loop, reply);
}

/* Everything that was begun has been released, once. */
UNUSED static void
rig_assert_released(void)
{
	assert_int_equal(rig.released, rig.begun);
	assert_int_equal(rig.freed, rig.opened);
}

static int
client_connect_fd(int fd, uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

/* A connected socket, or -1. */
static int
client_connect(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (client_connect_fd(fd, port) == 0)
		return fd;
	close(fd);
	return -1;
}

UNUSED static int
client_open(void)
{
	int fd = client_connect(listener_settings(rig.listener)->port);
	int opened;

	assert_true(fd >= 0);
	opened = rig.opened;
	RIG_UNTIL(rig.opened > opened);
	return fd;
}

UNUSED static void
client_send(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

/* A frame that begins with what and has len bytes, 'what' all of them. */
UNUSED static void
client_send_frame(int fd, char what, size_t len)
{
	uint8_t *data = xmalloc(4 + len);

	be32_put(data, (uint32_t)len);
	memset(data + 4, what, len);
	client_send(fd, data, 4 + len);
	free(data);
}

/*
 * What has arrived: the number of bytes, 0 where there is nothing, -1 where
 * the server has closed.
 */
UNUSED static ssize_t
client_receive(int fd, void *data, size_t len)
{
	ssize_t n = recv(fd, data, len, MSG_DONTWAIT);

	if (n > 0)
		return n;
	if (n < 0 && errno == EAGAIN)
		return 0;
	return -1;
}

/* Stepping the loop, receive exactly len bytes. */
UNUSED static void
client_expect_bytes(int fd, uint8_t *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = 0;

		RIG_UNTIL((n = client_receive(fd, data + done, len - done)) !=
		    0);
		assert_true(n > 0);
		done += (size_t)n;
	}
}

/* Receive the echo of client_send_frame(fd, what, len). */
UNUSED static void
client_expect_frame(int fd, char what, size_t len)
{
	uint8_t *data = xmalloc(4 + len);

	client_expect_bytes(fd, data, 4 + len);
	assert_int_equal(be32_get(data), len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(data[4 + i], what);
	free(data);
}

UNUSED static void
client_expect_nothing(int fd)
{
	uint8_t byte;

	rig_step();
	assert_int_equal(client_receive(fd, &byte, 1), 0);
}

UNUSED static void
client_expect_closed(int fd)
{
	uint8_t byte;
	ssize_t n = 0;

	RIG_UNTIL((n = client_receive(fd, &byte, 1)) != 0);
	assert_int_equal(n, -1);
}

/* network_stop waits for a loop that runs, so let it. */
UNUSED static void
rig_stop(void)
{
	assert_int_equal(loop_group_start(rig.loops), 0);
	assert_int_equal(network_stop(rig.network, 1000), 0);
	loop_group_stop(rig.loops);
	network_free(rig.network);
	loop_group_free(rig.loops);
	rig_assert_released();
}

#endif
