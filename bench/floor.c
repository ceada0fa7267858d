/*
 * The floor: the cheapest server that does what a broker has to do with the
 * kernel, and nothing else, so that it is known what kernel and wire cost.
 *
 *	floor DIRECTORY PORT
 *
 * One thread on epoll.  It reads Produce 7 frames of one partition, writes the
 * batch behind what the partition's file holds and answers; it answers Fetch
 * 11 with sendfile, or a copy where that is cheaper, and holds a fetch at the
 * end until more arrives.  No checksums, no record is looked at, no request is
 * checked, topics are not distinguished; it trusts its peer and is no broker.
 * Port 0 takes a free one; the port is printed.
 */
#include "base/bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define PARTITIONS 64
#define INPUT_LEN (4 << 20)
#define SEND_BUFFER (100 << 10)
#define BATCH_OFFSET_DELTA 23
#define BATCH_LEN_MIN 61
#define FETCH_HEAD_LEN 70
/* Below this, two copies cost less than sendfile. */
#define SENDFILE_LEN_MIN (128 << 10)

/* Where a batch begins in its file. */
struct place {
	int64_t offset;
	int64_t position;
};

struct peer;

struct partition {
	int fd;
	int64_t next_offset, end;
	struct place *places;
	size_t count, capacity;
	struct peer *waiting; /* a list of fetches at the end */
};

struct peer {
	int fd;
	uint8_t *part; /* of a frame, or NULL */
	size_t part_len;
	/* A fetch that waits for records. */
	struct peer *next;
	int64_t offset;
	uint32_t correlation_id, max_bytes;
	/* An answer that the socket did not take in one go. */
	struct partition *sending;
	int64_t position;
	size_t unsent;
};

static struct partition partitions[PARTITIONS];
static uint8_t *input;
static int epoll;

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* --- Replies ------------------------------------------------------------- */

static void
send_all(struct peer *peer, const void *data, size_t len, int flags)
{
	if (send(peer->fd, data, len, flags | MSG_NOSIGNAL) != (ssize_t)len)
		fail("send");
}

static void
watch(struct peer *peer, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = peer };

	if (epoll_ctl(epoll, EPOLL_CTL_MOD, peer->fd, &event) != 0)
		fail("epoll_ctl");
}

/* Send on; the peer is not read before all has left. */
static void
send_records(struct peer *peer)
{
	while (peer->unsent > 0) {
		off_t position = (off_t)peer->position;
		ssize_t len = sendfile(
		    peer->fd, peer->sending->fd, &position, peer->unsent);

		if (len < 0 && errno == EAGAIN) {
			watch(peer, EPOLLOUT);
			return;
		}
		if (len <= 0)
			fail("sendfile");
		peer->position += len;
		peer->unsent -= (size_t)len;
	}
}

static void
answer_produce(struct peer *peer, uint32_t correlation_id, const uint8_t *topic,
    size_t topic_len, uint32_t index, int64_t offset)
{
	uint8_t reply[512], *p = reply;

	be32_put(p, (uint32_t)(4 + 4 + topic_len + 4 + 4 + 2 + 8 + 8 + 8 + 4));
	be32_put(p + 4, correlation_id);
	be32_put(p + 8, 1);
	memcpy(p + 12, topic, topic_len);
	p += 12 + topic_len;
	be32_put(p, 1);
	be32_put(p + 4, index);
	be16_put(p + 8, 0);
	be64_put(p + 10, (uint64_t)offset);
	be64_put(p + 18, UINT64_MAX);
	be64_put(p + 26, 0);
	be32_put(p + 34, 0);
	send_all(peer, reply, (size_t)(p + 38 - reply), 0);
}

static const struct place *
find_place(const struct partition *partition, int64_t offset)
{
	size_t low = 0, high = partition->count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (partition->places[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return &partition->places[low];
}

/* All in one go; the socket has room, since the peer waits for it. */
static void
send_copy(struct peer *peer, const struct partition *partition,
    int64_t position, const uint8_t *head, size_t len)
{
	static uint8_t answer[FETCH_HEAD_LEN + SENDFILE_LEN_MIN];

	memcpy(answer, head, FETCH_HEAD_LEN);
	if (pread(partition->fd, answer + FETCH_HEAD_LEN, len,
		(off_t)position) != (ssize_t)len)
		fail("pread");
	send_all(peer, answer, FETCH_HEAD_LEN + len, 0);
}

static void
answer_fetch(struct peer *peer, struct partition *partition)
{
	const struct place *place = find_place(partition, peer->offset);
	size_t len = (size_t)MIN(
	    partition->end - place->position, (int64_t)peer->max_bytes);
	uint8_t reply[FETCH_HEAD_LEN] = { 0 }, *p = reply;

	be32_put(p, (uint32_t)(FETCH_HEAD_LEN - 4 + len));
	be32_put(p + 4, peer->correlation_id);
	be32_put(p + 18, 1); /* a topic without a name */
	be32_put(p + 24, 1);
	be64_put(p + 34, (uint64_t)partition->next_offset);
	be64_put(p + 42, (uint64_t)partition->next_offset);
	be32_put(p + 58, 0);
	be32_put(p + 62, UINT32_MAX);
	be32_put(p + 66, (uint32_t)len);
	if (len < SENDFILE_LEN_MIN) {
		send_copy(peer, partition, place->position, reply, len);
		return;
	}
	send_all(peer, reply, FETCH_HEAD_LEN, MSG_MORE);
	peer->sending = partition;
	peer->position = place->position;
	peer->unsent = len;
	send_records(peer);
}

/* --- Requests ------------------------------------------------------------ */

static void
append(struct partition *partition, uint8_t *batch, size_t len)
{
	be64_put(batch, (uint64_t)partition->next_offset);
	if (partition->count == partition->capacity) {
		partition->capacity = partition->capacity * 2 + 1024;
		partition->places = xrealloc(partition->places,
		    partition->capacity * sizeof(*partition->places));
	}
	partition->places[partition->count++] =
	    (struct place){ partition->next_offset, partition->end };
	if (pwrite(partition->fd, batch, len, (off_t)partition->end) !=
	    (ssize_t)len)
		fail("pwrite");
	partition->end += (int64_t)len;
	partition->next_offset += 1 + be32_get(batch + BATCH_OFFSET_DELTA);
}

static void
wake(struct partition *partition)
{
	struct peer *peer = partition->waiting, *next;

	partition->waiting = NULL;
	for (; peer != NULL; peer = next) {
		next = peer->next;
		answer_fetch(peer, partition);
	}
}

/* p is behind the client's id; transaction, acks and timeout come first. */
static void
produce(struct peer *peer, uint32_t correlation_id, uint8_t *p)
{
	const uint8_t *topic = p + 12;
	size_t topic_len = 2 + (size_t)be16_get(topic);
	uint32_t index;
	struct partition *partition;
	int64_t offset;

	p += 12 + topic_len + 4;
	index = be32_get(p) % PARTITIONS;
	partition = &partitions[index];
	offset = partition->next_offset;
	if (be32_get(p + 4) < BATCH_LEN_MIN || topic_len > 256)
		exit(1);
	append(partition, p + 8, be32_get(p + 4));
	answer_produce(peer, correlation_id, topic, topic_len, index, offset);
	wake(partition);
}

static void
fetch(struct peer *peer, uint32_t correlation_id, const uint8_t *p)
{
	struct partition *partition;

	p += 4 + 4 + 4 + 4 + 1 + 4 + 4 + 4;
	p += 2 + be16_get(p) + 4;
	partition = &partitions[be32_get(p) % PARTITIONS];
	peer->correlation_id = correlation_id;
	peer->offset = (int64_t)be64_get(p + 8);
	peer->max_bytes = be32_get(p + 24);
	if (peer->offset < partition->next_offset) {
		answer_fetch(peer, partition);
		return;
	}
	peer->next = partition->waiting;
	partition->waiting = peer;
}

static void
handle_frame(struct peer *peer, uint8_t *frame)
{
	uint8_t *body = frame + 10 + be16_get(frame + 8);

	if (be16_get(frame) == 0)
		produce(peer, be32_get(frame + 4), body);
	else
		fetch(peer, be32_get(frame + 4), body);
}

/* --- Connections --------------------------------------------------------- */

/* Keep what is not yet a whole frame. */
static void
keep(struct peer *peer, const uint8_t *data, size_t len)
{
	if (len > 0) {
		peer->part = xmalloc(len);
		memcpy(peer->part, data, len);
	}
	peer->part_len = len;
}

static void
drop(struct peer *peer)
{
	struct peer **at;

	for (size_t i = 0; i < PARTITIONS; i++)
		for (at = &partitions[i].waiting; *at != NULL;)
			if (*at == peer)
				*at = peer->next;
			else
				at = &(*at)->next;
	close(peer->fd);
	free(peer->part);
	free(peer);
}

static void
readable(struct peer *peer)
{
	size_t len = peer->part_len, at = 0;
	ssize_t got;

	if (len > 0)
		memcpy(input, peer->part, len);
	got = read(peer->fd, input + len, INPUT_LEN - len);
	if (got <= 0) {
		drop(peer);
		return;
	}
	free(peer->part);
	peer->part = NULL;
	len += (size_t)got;
	while (len - at >= 4 && len - at - 4 >= be32_get(input + at)) {
		size_t size = be32_get(input + at);

		handle_frame(peer, input + at + 4);
		at += 4 + size;
	}
	keep(peer, input + at, len - at);
}

static void
accept_peer(int listening)
{
	int on = 1, size = SEND_BUFFER;
	struct peer *peer = xcalloc(1, sizeof(*peer));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };

	peer->fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer->fd < 0)
		fail("accept");
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &event) != 0)
		fail("epoll_ctl");
}

static void
serve(int listening)
{
	struct epoll_event events[64];

	for (;;) {
		int count = epoll_wait(epoll, events, COUNT_OF(events), -1);

		for (int i = 0; i < count; i++) {
			struct peer *peer = events[i].data.ptr;

			if (peer == NULL)
				accept_peer(listening);
			else if (peer->unsent > 0) {
				send_records(peer);
				if (peer->unsent == 0)
					watch(peer, EPOLLIN);
			} else
				readable(peer);
		}
	}
}

static int
listen_at(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, len) != 0 ||
	    listen(fd, 1024) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		fail("listen");
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void
open_partitions(const char *directory)
{
	char path[512];

	for (int i = 0; i < PARTITIONS; i++) {
		snprintf(path, sizeof(path), "%s/%d", directory, i);
		partitions[i].fd =
		    open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (partitions[i].fd < 0)
			fail(path);
	}
}

int
main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN };
	int listening;

	if (argc != 3) {
		fprintf(stderr, "usage: floor DIRECTORY PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	open_partitions(argv[1]);
	input = xmalloc(INPUT_LEN);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	listening = listen_at((uint16_t)strtoul(argv[2], NULL, 10));
	if (epoll < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event) != 0)
		fail("epoll");
	serve(listening);
	return 0;
}
