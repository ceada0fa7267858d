/*
 * Connections over real sockets: frames in pieces, replies in order, limits,
 * deadlines, and what becomes of exchanges when a connection dies.
 */
#include "unit/unit.h"

#include "unit/net_rig.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/rng.h"

#include "net/connection.c"
#include "net/tcp.c"

static int64_t fake_us;

static int64_t
read_fake_us(void *context UNUSED)
{
	return fake_us;
}

static int64_t
read_fake_ms(void *context UNUSED)
{
	return fake_us / 1000;
}

static const struct clock_source fake_clock = {
	.wall_ms = read_fake_ms,
	.monotonic_us = read_fake_us,
};

static int
setup(void **state UNUSED)
{
	signal(SIGPIPE, SIG_IGN);
	fake_us = 1000000;
	clock_install(&fake_clock);
	rig_init();
	return 0;
}

static int
teardown(void **state UNUSED)
{
	/* network_stop waits by the system's clock. */
	clock_install(NULL);
	rig_stop();
	return 0;
}

static int
open_file(size_t len)
{
	char name[] = "/tmp/klamm-test-XXXXXX";
	int fd = mkstemp(name);
	uint8_t byte;

	assert_true(fd >= 0);
	unlink(name);
	for (size_t i = 0; i < len; i++) {
		byte = (uint8_t)(i * 7 + i / 251);
		assert_int_equal(write(fd, &byte, 1), 1);
	}
	return fd;
}

static void
pass_ms(int64_t ms)
{
	fake_us += ms * 1000;
	rig_step();
}

static void
frames_byte_by_byte(void **state UNUSED)
{
	uint8_t data[] = { 0, 0, 0, 3, 'e', 'f', 'g', 0, 0, 0, 1, 'e' };
	uint8_t back[sizeof(data)];
	int fd;

	rig_start();
	fd = client_open();
	for (size_t i = 0; i < sizeof(data); i++) {
		client_send(fd, data + i, 1);
		rig_step();
	}
	client_expect_bytes(fd, back, sizeof(back));
	assert_memory_equal(back, data, sizeof(data));
	assert_int_equal(rig.frames, 2);
	/* Nothing is held by a connection that waits for a request. */
	assert_null(rig.connection->inbox.data);
	assert_int_equal(budget_left(rig.connection->set->budget),
	    rig.settings.memory_max);
	close(fd);
}

/*
 * Frames of all sizes, about stream_len bytes, cut anywhere, come out as they
 * went in.
 */
static void
expect_echo_of_cut_frames(int fd, size_t stream_len)
{
	enum { FRAME_LEN_MAX = 400000 };
	uint8_t *data = xmalloc(stream_len + FRAME_LEN_MAX);
	uint8_t *back = xmalloc(stream_len + FRAME_LEN_MAX);
	size_t len = 0, sent = 0, got = 0;
	struct rng rng;

	rng_init(&rng, 11);
	while (len < stream_len) {
		size_t frame = 1 + rng_below(&rng, (uint64_t)1
		    << rng_below(&rng, 19));

		be32_put(data + len, (uint32_t)frame);
		rng_bytes(&rng, data + len + 4, frame);
		data[len + 4] = 'e';
		len += 4 + frame;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (got < len) {
		size_t step = 1 + rng_below(&rng, 200000);
		ssize_t n = send(fd, data + sent, MIN(step, len - sent),
		    MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		loop_step(rig.loop, false);
		n = client_receive(fd, back + got, len - got);
		assert_true(n >= 0);
		got += (size_t)n;
	}
	assert_memory_equal(back, data, len);
	assert_null(rig.connection->inbox.data);
	free(data);
	free(back);
}

static void
frames_cut_anywhere(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	expect_echo_of_cut_frames(fd, 3000000);
	close(fd);
}

static void
pipelined_replies_leave_in_order(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	client_send_frame(fd, 'e', 10);
	client_send_frame(fd, 'p', 20);
	client_send_frame(fd, 'e', 30);
	client_send_frame(fd, 'p', 40);
	client_send_frame(fd, 'n', 50);
	client_send_frame(fd, 'e', 60);
	RIG_UNTIL(rig.frames == 6);
	client_expect_frame(fd, 'e', 10);
	client_expect_nothing(fd);
	rig_complete_on_loop(true);
	client_expect_frame(fd, 'p', 20);
	client_expect_frame(fd, 'e', 30);
	client_expect_nothing(fd);
	/* One without a reply does not hold up the others. */
	rig_complete_on_loop(false);
	client_expect_frame(fd, 'e', 60);
	close(fd);
}

static void
exclusive_request_holds_back_the_next(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	client_send_frame(fd, 'e', 1);
	client_send_frame(fd, 'x', 2);
	client_send_frame(fd, 'e', 3);
	client_send_frame(fd, 'x', 4);
	client_send_frame(fd, 'e', 5);
	client_expect_frame(fd, 'e', 1);
	RIG_UNTIL(rig.frames == 2);
	client_expect_nothing(fd);
	assert_int_equal(rig.frames, 2);
	rig_complete_on_loop(true);
	client_expect_frame(fd, 'x', 2);
	client_expect_frame(fd, 'e', 3);
	RIG_UNTIL(rig.frames == 4);
	rig_complete_on_loop(true);
	client_expect_frame(fd, 'x', 4);
	client_expect_frame(fd, 'e', 5);
	/* It goes on as well where the exclusive one has no reply. */
	client_send(fd, "\0\0\0\1x\0\0\0\1e", 10);
	RIG_UNTIL(rig.frames == 6);
	rig_complete_on_loop(false);
	client_expect_frame(fd, 'e', 1);
	close(fd);
}

/* What had to wait gives its memory back as it is handled. */
static void
parked_frames_shrink_to_the_partial_one(void **state UNUSED)
{
	static uint8_t data[5 + 30 * 1004 + 3] = { 0, 0, 0, 1, 'x' };
	int fd;

	for (size_t at = 5; at + 3 < sizeof(data); at += 1004) {
		be32_put(data + at, 1000);
		memset(data + at + 4, 'e', 1000);
	}
	rig_start();
	fd = client_open();
	/* In one piece, so that one read brings all of it. */
	rig.connection->read_len_max = CONNECTION_SET_SCRATCH_LEN;
	client_send(fd, data, sizeof(data));
	RIG_UNTIL(rig.frames == 1);
	rig_step();
	assert_int_equal(inbox_len(&rig.connection->inbox), 30 * 1004 + 3);
	rig_complete_on_loop(true);
	client_expect_frame(fd, 'x', 1);
	for (int i = 0; i < 30; i++)
		client_expect_frame(fd, 'e', 1000);
	assert_int_equal(inbox_len(&rig.connection->inbox), 3);
	assert_true(rig.connection->inbox.cap <= 512);
	client_send(fd, "\1e", 2);
	client_expect_frame(fd, 'e', 1);
	close(fd);
}

static void
no_more_than_in_flight_max_are_handled(void **state UNUSED)
{
	int fd;

	rig.settings.in_flight_max = 3;
	rig_start();
	fd = client_open();
	for (int i = 0; i < 10; i++)
		client_send_frame(fd, 'p', 100);
	RIG_UNTIL(rig.frames == 3);
	rig_step();
	assert_int_equal(rig.frames, 3);
	for (int i = 0; i < 10; i++) {
		rig_complete_on_loop(true);
		client_expect_frame(fd, 'p', 100);
		RIG_UNTIL(rig.frames == MIN(i + 4, 10));
	}
	close(fd);
}

/* Small requests that are answered at once are not held up by the limit. */
static void
ready_replies_make_room_in_the_same_pass(void **state UNUSED)
{
	static uint8_t data[100 * 104];
	int fd;

	for (size_t at = 0; at < sizeof(data); at += 104) {
		be32_put(data + at, 100);
		memset(data + at + 4, 'e', 100);
	}
	rig.settings.in_flight_max = 3;
	rig_start();
	fd = client_open();
	client_send(fd, data, sizeof(data));
	for (int i = 0; i < 100; i++)
		client_expect_frame(fd, 'e', 100);
	assert_int_equal(counter_get(&rig.connection->set->counters.parks), 0);
	close(fd);
}

/* As if its loop had found out that it has too much to do. */
static void
ask_to_move(void)
{
	struct connection_set *set = rig.connection->set;

	set->measurement = loop_measurements(set->loop);
	set->leaving = 1;
}

/* A connection on the second of two loops. */
static int
open_on_second(void)
{
	int fd;

	loop_load_add(rig.loop, 64);
	fd = client_open();
	loop_load_add(rig.loop, -64);
	assert_int_equal(loop_index(connection_loop(rig.connection)), 1);
	return fd;
}

static void
connection_moves_when_it_is_at_rest(void **state UNUSED)
{
	int fd;

	rig.loop_count = 2;
	rig_start();
	fd = open_on_second();
	client_send_frame(fd, 'p', 100);
	RIG_UNTIL(rig.frames == 1);
	ask_to_move();
	client_send_frame(fd, 'e', 10);
	RIG_UNTIL(rig.frames == 2);
	/* Not with a request that is pending. */
	assert_int_equal(loop_index(connection_loop(rig.connection)), 1);
	rig_complete_on(loop_group_get(rig.loops, 1), true);
	client_expect_frame(fd, 'p', 100);
	client_expect_frame(fd, 'e', 10);
	assert_int_equal(loop_index(connection_loop(rig.connection)), 0);
	assert_int_equal(loop_load(loop_group_get(rig.loops, 0)), 1);
	assert_int_equal(loop_load(loop_group_get(rig.loops, 1)), 0);
	for (int i = 0; i < 30; i++) {
		client_send_frame(fd, 'e', 1000);
		client_expect_frame(fd, 'e', 1000);
	}
	close(fd);
}

static int
loop_of(const struct connection *c)
{
	return loop_index(connection_loop(c));
}

/*
 * Strangers are on the last loop, and leave it when they are known and stay:
 * not those who log in and go.
 */
static void
known_clients_leave_the_loop_of_strangers(void **state UNUSED)
{
	int fd, other;

	rig.loop_count = 2;
	rig.listening.of_strangers = true;
	rig_start();
	fd = client_open();
	connection_expect_login(rig.connection);
	assert_int_equal(loop_of(rig.connection), 1);
	for (int i = 0; i < 3; i++) {
		client_send_frame(fd, 'e', 10);
		client_expect_frame(fd, 'e', 10);
		assert_int_equal(loop_of(rig.connection), 1);
	}
	/* The answer to the last token. */
	client_send_frame(fd, 'p', 10);
	RIG_UNTIL(rig.frames == 4);
	connection_logged_in(rig.connection);
	rig_complete_on(loop_group_get(rig.loops, 1), true);
	client_expect_frame(fd, 'p', 10);
	assert_int_equal(loop_of(rig.connection), 1);
	client_send_frame(fd, 'e', 20);
	client_expect_frame(fd, 'e', 20);
	assert_int_equal(loop_of(rig.connection), 0);
	assert_int_equal(loop_load(loop_group_get(rig.loops, 0)), 1);
	assert_int_equal(loop_load(loop_group_get(rig.loops, 1)), 0);
	client_send_frame(fd, 'e', 30);
	client_expect_frame(fd, 'e', 30);
	assert_int_equal(loop_of(rig.connection), 0);
	other = client_open();
	assert_int_equal(loop_of(rig.connection), 1);
	close(other);
	close(fd);
}

/* The loops drain while it is between them. */
static void
connection_that_moves_is_closed_at_the_stop(void **state UNUSED)
{
	int fd;

	rig.loop_count = 2;
	rig_start();
	fd = open_on_second();
	ask_to_move();
	client_send_frame(fd, 'e', 10);
	while (rig.connection->set->leaving > 0 &&
	    loop_index(connection_loop(rig.connection)) == 1)
		loop_step(loop_group_get(rig.loops, 1), false);
	assert_false(list_node_linked(&rig.connection->node));
	connection_set_drain(rig.connection->set);
	RIG_UNTIL(rig.freed == 1);
	close(fd);
}

/*
 * Whoever sends requests and never reads has its replies bounded, and its
 * requests wait in its own socket.
 */
static void
client_that_never_reads_is_bounded(void **state UNUSED)
{
	size_t bound, backlog;
	struct connection *c;
	int fd, before, sent = 0;

	rig.settings.output_len_max = 100000;
	rig_start();
	fd = client_open();
	c = rig.connection;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (int quiet = 0; quiet < 20;) {
		static uint8_t data[4 + 50000] = { 0, 0, 50000 >> 8,
			50000 & 0xff, 'e' };
		ssize_t n = send(fd, data, sizeof(data), MSG_NOSIGNAL);

		quiet = n > 0 ? 0 : quiet + 1;
		sent += n == (ssize_t)sizeof(data);
		rig_step();
		/* The rest of one that was cut is never sent. */
		if (n > 0 && n < (ssize_t)sizeof(data))
			break;
	}
	before = rig.frames;
	rig_step();
	assert_int_equal(rig.frames, before);
	backlog = c->outbox.len;
	bound = rig.settings.output_len_max + 50004;
	assert_true(backlog > 0 && backlog <= bound);
	assert_true(inbox_len(&c->inbox) <= CONNECTION_SET_SCRATCH_LEN);
	assert_false(c->reading);
	/* When it reads after all, everything goes on. */
	assert_true(before < sent);
	for (int i = 0; i < sent; i++) {
		static uint8_t back[4 + 50000];

		client_expect_bytes(fd, back, sizeof(back));
		assert_int_equal(be32_get(back), 50000);
	}
	RIG_UNTIL(c->reading);
	close(fd);
}

/*
 * Replies that are ready and may not leave, because one in front of them is
 * pending, are bounded too.
 */
static void
replies_behind_a_pending_one_are_bounded(void **state UNUSED)
{
	enum { LEN = 50000, COUNT = 10, READY = 3 };
	struct connection *c;
	int fd;

	rig.settings.output_len_max = 2 * LEN + LEN / 2;
	rig_start();
	fd = client_open();
	c = rig.connection;
	client_send_frame(fd, 'p', 10);
	for (int i = 0; i < COUNT; i++) {
		client_send_frame(fd, 'e', LEN);
		rig_step();
	}
	client_expect_nothing(fd);
	assert_int_equal(rig.frames, 1 + READY);
	assert_int_equal(c->outbox.len, READY * (4 + LEN));
	assert_false(c->blocked || c->reading);
	rig_complete_on_loop(true);
	client_expect_frame(fd, 'p', 10);
	for (int i = 0; i < COUNT; i++)
		client_expect_frame(fd, 'e', LEN);
	assert_int_equal(c->outbox.len, 0);
	close(fd);
}

/* Send len bytes as the broker takes them in. */
static void
push_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *data = bytes;

	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
		rig_step();
	}
	rig_step();
}

/*
 * Once his socket is full nothing more is carried out for him, and what was is
 * no more than its bytes.
 */
static void
replies_that_are_not_read_take_little(void **state UNUSED)
{
	enum { LEN = 1000, COUNT = 64 };
	static uint8_t frames[COUNT][4 + LEN];
	int64_t end_ms = rig_real_ms() + 10000;
	struct network_counters counters;
	struct connection *c;
	size_t sent = 0;
	int fd, before;

	for (int i = 0; i < COUNT; i++) {
		be32_put(frames[i], LEN);
		frames[i][4] = 'e';
	}
	rig_start();
	fd = client_open();
	c = rig.connection;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (int quiet = 0; quiet < 20 || !c->blocked; quiet++) {
		ssize_t n = send(fd, &frames[0][0] + sent,
		    sizeof(frames) - sent, MSG_NOSIGNAL);

		if (n > 0) {
			sent = (sent + (size_t)n) % sizeof(frames);
			quiet = 0;
		}
		assert_true(rig_real_ms() < end_ms);
		rig_step();
	}
	rig_step();
	before = rig.frames;
	assert_true(c->blocked && !c->reading);
	assert_true(before > COUNT);
	assert_int_equal(rig.released, before);
	assert_in_range(c->outbox.count, 1, 2);
	/* Not one more, whatever happens to the connection. */
	connection_resume(c);
	rig_step();
	assert_int_equal(rig.frames, before);
	close(fd);
	RIG_UNTIL(rig.freed == 1);
	network_counters(rig.network, &counters);
	assert_int_equal(counters.memory_bytes, 0);
}

/* A read brings more where that saves further reads, and only there. */
static void
reads_grow_with_the_frames(void **state UNUSED)
{
	enum { LARGE_LEN = 50000, SMALL_LEN = 60 };
	static uint8_t large[8][4 + LARGE_LEN], small[4096][4 + SMALL_LEN];
	struct connection *c;
	int fd;

	rig_start();
	fd = client_open();
	c = rig.connection;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_int_equal(c->read_len_max, CONNECTION_FIRST_READ_LEN);
	for (size_t i = 0; i < COUNT_OF(large); i++) {
		be32_put(large[i], LARGE_LEN);
		large[i][4] = 'n';
	}
	for (size_t i = 0; i < COUNT_OF(small); i++) {
		be32_put(small[i], SMALL_LEN);
		small[i][4] = 'n';
	}
	push_all(fd, large, sizeof(large));
	assert_int_equal(rig.frames, COUNT_OF(large));
	assert_true(c->read_len_max > CONNECTION_FIRST_READ_LEN);
	push_all(fd, small, sizeof(small));
	assert_int_equal(rig.frames, COUNT_OF(large) + COUNT_OF(small));
	assert_int_equal(c->read_len_max, CONNECTION_POOR_READ_LEN);
	close(fd);
}

/* What a read may bring where memory is short tells nothing of the client. */
static void
poor_reads_do_not_grow(void **state UNUSED)
{
	enum { LEN = 508, COUNT = 1024, MAX = 1000000 };
	static uint8_t frames[COUNT][4 + LEN];
	struct budget *budget;
	struct connection *c;
	int fd;

	/* They do not cross the end of a read, so none takes memory. */
	assert_int_equal(CONNECTION_POOR_READ_LEN % sizeof(frames[0]), 0);
	for (size_t i = 0; i < COUNT; i++) {
		be32_put(frames[i], LEN);
		frames[i][4] = 'n';
	}
	rig.settings.memory_max = MAX;
	rig_start();
	fd = client_open();
	c = rig.connection;
	budget = connection_budget(c);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_true(budget_take(budget, MAX - 1000));
	push_all(fd, frames, sizeof(frames));
	RIG_UNTIL(rig.frames == COUNT);
	assert_int_equal(c->read_len_max, CONNECTION_FIRST_READ_LEN);
	budget_give(budget, MAX - 1000);
	close(fd);
}

static void
bad_sizes_close(void **state UNUSED)
{
	static const uint32_t sizes[] = { 0xffffffff, 0x80000000, 0x7fffffff,
		1001, 0x47455420 };

	rig.settings.frame_len_max = 1000;
	rig_start();
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		uint8_t size[4];
		int fd = client_open();

		/* What came before is answered. */
		client_send_frame(fd, 'e', 1000);
		be32_put(size, sizes[i]);
		client_send(fd, size, 4);
		client_expect_frame(fd, 'e', 1000);
		client_expect_closed(fd);
		close(fd);
	}
	assert_int_equal(rig.frames, COUNT_OF(sizes));
}

static void
empty_frame_is_the_handlers_to_judge(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	client_send(fd, "\0\0\0\0", 4);
	client_expect_closed(fd);
	assert_int_equal(rig.frames, 1);
	close(fd);
}

static void
announced_size_is_not_allocated(void **state UNUSED)
{
	uint8_t begin[1000] = { 0x06, 0x40, 0, 0, 'e' };
	int fd;

	rig_start();
	fd = client_open();
	client_send(fd, begin, sizeof(begin));
	RIG_UNTIL(inbox_len(&rig.connection->inbox) == sizeof(begin));
	assert_true(rig.connection->inbox.cap <= 2 * sizeof(begin));
	for (int i = 1; i < 100; i++) {
		client_send(fd, begin, sizeof(begin));
		RIG_UNTIL(inbox_len(&rig.connection->inbox) ==
		    (size_t)(i + 1) * sizeof(begin));
		assert_true(rig.connection->inbox.cap <=
		    2 * (size_t)(i + 1) * sizeof(begin));
	}
	close(fd);
}

static void
large_frame_is_handled_whole(void **state UNUSED)
{
	enum { LEN = 20 * 1024 * 1024 };
	uint8_t *data = xcalloc(1, LEN + 4);
	size_t sent = 0;
	int fd;

	rig_start();
	fd = client_open();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	be32_put(data, LEN);
	data[4] = 'n';
	while (sent < LEN + 4) {
		ssize_t n = send(fd, data + sent, LEN + 4 - sent,
		    MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		loop_step(rig.loop, false);
	}
	RIG_UNTIL(rig.frames == 1);
	assert_int_equal(rig.frame_len_max, LEN);
	assert_null(rig.connection->inbox.data);
	free(data);
	close(fd);
}

static void
partial_frame_has_a_deadline(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	pass_ms(100000);
	client_send(fd, "\0\0", 2);
	RIG_UNTIL(inbox_len(&rig.connection->inbox) == 2);
	pass_ms(29000);
	/* A byte now and then does not help. */
	client_send(fd, "\0", 1);
	RIG_UNTIL(inbox_len(&rig.connection->inbox) == 3);
	pass_ms(900);
	client_expect_nothing(fd);
	pass_ms(200);
	client_expect_closed(fd);
	close(fd);
}

/* Slow clients are waited for, as long as they get on. */
static void
a_frame_that_grows_has_time(void **state UNUSED)
{
	enum { LEN = 200000, STEP = 20000 };
	uint8_t *data = xcalloc(1, LEN + 4);
	size_t sent = 4 + LEN % STEP;
	int fd;

	rig_start();
	fd = client_open();
	be32_put(data, LEN);
	data[4] = 'e';
	client_send(fd, data, sent);
	while (sent < LEN + 4) {
		RIG_UNTIL(inbox_len(&rig.connection->inbox) == sent);
		pass_ms(9000);
		client_send(fd, data + sent, STEP);
		sent += STEP;
	}
	client_expect_bytes(fd, data, LEN + 4);
	/* The next one stops in the middle. */
	client_send(fd, data, 40000);
	RIG_UNTIL(inbox_len(&rig.connection->inbox) == 40000);
	pass_ms(29000);
	client_send(fd, data, 40000);
	RIG_UNTIL(inbox_len(&rig.connection->inbox) == 80000);
	pass_ms(29000);
	client_expect_nothing(fd);
	client_send(fd, data, 1000);
	RIG_UNTIL(inbox_len(&rig.connection->inbox) == 81000);
	pass_ms(30001);
	client_expect_closed(fd);
	free(data);
	close(fd);
}

/* Each frame has its own deadline, however long the stream goes on. */
static void
deadline_starts_with_the_frame(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	client_send(fd, "\0\0\0", 3);
	RIG_UNTIL(inbox_len(&rig.connection->inbox) == 3);
	for (int i = 0; i < 5; i++) {
		pass_ms(20000);
		client_send(fd, "\1e\0\0\0", 5);
		client_expect_frame(fd, 'e', 1);
	}
	pass_ms(30001);
	client_expect_closed(fd);
	close(fd);
}

/* Frames that wait because of us are not held against the client. */
static void
no_deadline_while_we_do_not_read(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	client_send(fd, "\0\0\0\1x\0\0\0", 8);
	RIG_UNTIL(rig.frames == 1);
	pass_ms(60000);
	rig_complete_on_loop(true);
	client_expect_frame(fd, 'x', 1);
	client_send(fd, "\1e", 2);
	client_expect_frame(fd, 'e', 1);
	close(fd);
}

/* Nor is it while the client takes no reply, which is why we do not read. */
static void
no_deadline_while_replies_are_blocked(void **state UNUSED)
{
	enum { LEN = 32 * 1024 * 1024 };
	uint8_t requests[] = { 0, 0, 0, 9, 'f', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0 };
	uint8_t *back = xmalloc(4 + LEN + 1);
	int fd;

	rig.file_fd = open_file(0);
	assert_int_equal(ftruncate(rig.file_fd, LEN), 0);
	rig.settings.output_len_max = 2 * LEN;
	rig_start();
	fd = client_open();
	be32_put(requests + 5, LEN);
	client_send(fd, requests, sizeof(requests));
	RIG_UNTIL(rig.connection->blocked);
	assert_int_equal(inbox_len(&rig.connection->inbox), 3);
	/* It could still be read when the reply was begun. */
	assert_true(rig.connection->reading);
	pass_ms(60000);
	client_expect_bytes(fd, back, 4 + LEN + 1);
	pass_ms(29000);
	client_send(fd, "\1e", 2);
	client_expect_frame(fd, 'e', 1);
	free(back);
	close(rig.file_fd);
	close(fd);
}

/* When we go on, the frame has its time, even where nothing comes any more. */
static void
deadline_goes_on_when_we_read_again(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	client_send(fd, "\0\0\0\1x\0\0\0", 8);
	RIG_UNTIL(rig.frames == 1);
	pass_ms(60000);
	rig_complete_on_loop(true);
	client_expect_frame(fd, 'x', 1);
	pass_ms(29000);
	client_expect_nothing(fd);
	pass_ms(1001);
	client_expect_closed(fd);
	close(fd);
}

/* Who is muted in the middle of a frame has the time that he was muted. */
static void
mute_takes_no_time_from_a_frame(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	client_send(fd, "\0\0\0", 3);
	RIG_UNTIL(inbox_len(&rig.connection->inbox) == 3);
	pass_ms(29000);
	connection_mute(rig.connection, 50000);
	pass_ms(50001);
	pass_ms(29000);
	client_expect_nothing(fd);
	pass_ms(1001);
	client_expect_closed(fd);
	close(fd);
}

/* One a turn, the oldest first, whatever is pending. */
static void
idle_connections_are_closed_one_a_pass(void **state UNUSED)
{
	int first, second, third;
	int64_t idle;

	rig.settings.idle_ms_max = 10000;
	rig_start();
	first = client_open();
	second = client_open();
	third = client_open();
	client_send_frame(third, 'p', 1);
	RIG_UNTIL(rig.frames == 1);
	pass_ms(5000);
	/* The first becomes the youngest. */
	client_send_frame(first, 'e', 1);
	client_expect_frame(first, 'e', 1);
	idle = (int64_t)counter_get(
	    &rig.connection->set->counters.idle_closed);
	assert_int_equal(idle, 0);
	fake_us += 6000 * 1000;
	loop_step(rig.loop, false);
	assert_int_equal(rig.freed, 1);
	client_expect_closed(second);
	pass_ms(1);
	client_expect_closed(third);
	assert_int_equal(rig.cancelled, 1);
	client_expect_nothing(first);
	rig_complete_on_loop(true);
	pass_ms(10000);
	client_expect_closed(first);
	close(first);
	close(second);
	close(third);
}

/* Reading alone keeps it from being idle, and so does writing. */
static void
reads_and_writes_are_activity(void **state UNUSED)
{
	int fd;

	rig.settings.idle_ms_max = 10000;
	rig_start();
	fd = client_open();
	for (int i = 1; i <= 3; i++) {
		pass_ms(6000);
		client_send_frame(fd, 'n', 1);
		RIG_UNTIL(rig.frames == i);
	}
	for (int i = 0; i < 3; i++)
		client_send_frame(fd, 'p', 1);
	RIG_UNTIL(rig.frames == 6);
	for (int i = 0; i < 3; i++) {
		pass_ms(6000);
		rig_complete_on_loop(true);
		client_expect_frame(fd, 'p', 1);
	}
	pass_ms(9000);
	client_expect_nothing(fd);
	pass_ms(1001);
	client_expect_closed(fd);
	close(fd);
}

/* The reply leaves, the next request waits (KIP-219). */
static void
mute_delays_the_next_request(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	/* 'm' is 109, so for 109 ms. */
	client_send_frame(fd, 'm', 2);
	client_send_frame(fd, 'e', 3);
	client_expect_frame(fd, 'm', 2);
	pass_ms(108);
	client_expect_nothing(fd);
	assert_int_equal(rig.frames, 1);
	pass_ms(2);
	client_expect_frame(fd, 'e', 3);
	close(fd);
}

static void
dying_connection_cancels_and_releases_once(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	client_send_frame(fd, 'p', 10);
	client_send_frame(fd, 'e', 10);
	client_send_frame(fd, 'p', 10);
	RIG_UNTIL(rig.frames == 3);
	close(fd);
	RIG_UNTIL(rig.cancelled == 2);
	assert_int_equal(rig.released, 1);
	assert_int_equal(rig.freed, 0);
	rig_complete_on_loop(true);
	assert_int_equal(rig.released, 2);
	assert_int_equal(rig.freed, 0);
	rig_complete_on_loop(false);
	assert_int_equal(rig.released, 3);
	assert_int_equal(rig.freed, 1);
}

static void
cancel_may_complete_at_once(void **state UNUSED)
{
	int fd;

	rig.complete_when_cancelled = true;
	rig_start();
	fd = client_open();
	client_send_frame(fd, 'p', 10);
	client_send_frame(fd, 'e', 10);
	client_send_frame(fd, 'p', 10);
	RIG_UNTIL(rig.frames == 3);
	close(fd);
	RIG_UNTIL(rig.freed == 1);
	assert_int_equal(rig.cancelled, 2);
	assert_int_equal(rig.released, 3);
}

static void
close_lets_earlier_replies_leave(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	client_send_frame(fd, 'p', 10);
	client_send_frame(fd, 'c', 1);
	client_send_frame(fd, 'e', 10);
	RIG_UNTIL(rig.frames == 2);
	client_expect_nothing(fd);
	rig_complete_on_loop(true);
	client_expect_frame(fd, 'p', 10);
	client_expect_closed(fd);
	/* What came behind was not handled. */
	assert_int_equal(rig.frames, 2);
	assert_int_equal(rig.cancelled, 0);
	close(fd);
}

static void
abort_inside_the_handler_ends_it(void **state UNUSED)
{
	uint8_t *data = xcalloc(1, 4 + 600000 + 5);
	size_t sent = 0, len = 4 + 600000 + 5;
	int fd;

	rig_start();
	/* The frame is in the scratch buffer. */
	fd = client_open();
	client_send_frame(fd, 'a', 10);
	client_expect_closed(fd);
	close(fd);
	/* The frame is in the inbox, and more stands behind it. */
	fd = client_open();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	be32_put(data, 600000);
	data[4] = 'a';
	while (sent < len && rig.freed < 2) {
		ssize_t n = send(fd, data + sent, len - sent, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		rig_step();
	}
	RIG_UNTIL(rig.freed == 2);
	assert_int_equal(rig.frames, 2);
	free(data);
	close(fd);
}

/* Nothing begins while requests and replies take far too much memory. */
static void
nothing_begins_while_memory_is_overspent(void **state UNUSED)
{
	enum { MAX = 1000000, FORCED = MAX + MAX / 4 + 1 };
	struct budget *budget;
	int first, second;

	rig.settings.memory_max = MAX;
	rig_start();
	first = client_open();
	budget = connection_budget(rig.connection);
	second = client_open();
	client_send(first, "\0\0\0\1x\0\0\0\1e", 10);
	RIG_UNTIL(rig.frames == 1);
	budget_force(budget, FORCED);
	client_send_frame(second, 'e', 10);
	rig_complete_on_loop(true);
	client_expect_frame(first, 'x', 1);
	for (int i = 0; i < 100; i++)
		pass_ms(10);
	/* What lies in its inbox is done at last, by the favoured one. */
	client_expect_frame(first, 'e', 1);
	client_expect_nothing(second);
	assert_int_equal(rig.frames, 2);
	budget_give(budget, FORCED);
	for (int i = 0; i < 10; i++)
		pass_ms(10);
	client_expect_frame(second, 'e', 10);
	assert_int_equal(atomic_load(&budget->used), 0);
	close(first);
	close(second);
}

/* Partial frames have all the memory: they are completed one by one. */
static void
partial_frames_do_not_wait_for_each_other(void **state UNUSED)
{
	enum { CLIENTS = 4, LEN = 900000, MAX = 1000000 };
	uint8_t *data = xcalloc(1, LEN + 4);
	size_t sent[CLIENTS] = { 0 };
	int fds[CLIENTS];
	struct budget *budget;

	rig.settings.memory_max = MAX;
	rig_start();
	be32_put(data, LEN);
	data[4] = 'n';
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = client_open();
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
	}
	budget = connection_budget(rig.connection);
	/* Less than the deadline of a frame, whoever has to wait. */
	for (int step = 0; step < 2500; step++) {
		for (int i = 0; i < CLIENTS; i++) {
			size_t len = MIN(LEN + 4 - sent[i], 100000);
			ssize_t n = send(fds[i], data + sent[i], len,
			    MSG_NOSIGNAL);

			sent[i] += n > 0 ? (size_t)n : 0;
		}
		pass_ms(10);
		assert_true(atomic_load(&budget->used) <= MAX + LEN + 4 +
		    CLIENTS * CONNECTION_POOR_READ_LEN);
	}
	assert_int_equal(rig.frames, CLIENTS);
	assert_int_equal(atomic_load(&budget->used), 0);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	free(data);
}

/* While the budget is used up, small requests go on and large ones wait. */
static void
memory_budget_is_kept(void **state UNUSED)
{
	enum { LEN = 400000 };
	uint8_t *data = xcalloc(1, LEN + 4);
	int large, small;
	size_t sent = 0;
	struct budget *budget;

	rig.settings.memory_max = 1000000;
	rig_start();
	large = client_open();
	budget = connection_budget(rig.connection);
	assert_true(budget_take(budget, 999000));
	small = client_open();
	fcntl(large, F_SETFL, O_NONBLOCK);
	be32_put(data, LEN);
	data[4] = 'n';
	for (int i = 0; i < 100; i++) {
		ssize_t n = send(large, data + sent, LEN + 4 - sent,
		    MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		rig_step();
		assert_true(atomic_load(&budget->used) <=
		    rig.settings.memory_max + CONNECTION_POOR_READ_LEN);
	}
	assert_int_equal(rig.frames, 0);
	client_send_frame(small, 'e', 2000);
	client_expect_frame(small, 'e', 2000);
	budget_give(budget, 999000);
	while (rig.frames < 2) {
		ssize_t n = send(large, data + sent, LEN + 4 - sent,
		    MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		pass_ms(10);
	}
	assert_int_equal(rig.frame_len_max, LEN);
	assert_int_equal(atomic_load(&budget->used), 0);
	free(data);
	close(large);
	close(small);
}

/* Send of a frame what its client's socket takes. */
static void
send_part(int fd, const uint8_t *frame, size_t *sent, size_t len)
{
	ssize_t n = send(fd, frame + *sent, len - *sent,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	*sent += n > 0 ? (size_t)n : 0;
}

/*
 * Who has yet to log in has little memory for partial frames, all of them
 * together, and takes none from the others.
 */
static void
strangers_share_little_memory(void **state UNUSED)
{
	enum { CLIENTS = 20, LEN = 400000, MAX = 1000000 };
	uint8_t *data = xcalloc(1, LEN + 4);
	size_t sent[CLIENTS] = { 0 }, held = 0;
	struct connection *first = NULL;
	struct budget *budget, *strangers;
	int fds[CLIENTS], small;

	rig.settings.strangers_memory_max = MAX;
	rig_start();
	be32_put(data, LEN);
	data[4] = 'n';
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = client_open();
		connection_expect_login(rig.connection);
		first = i == 0 ? rig.connection : first;
	}
	budget = connection_budget(first);
	strangers = network_strangers_budget(rig.network);
	for (int step = 0; step < 100; step++) {
		for (int i = 0; i < CLIENTS; i++)
			send_part(fds[i], data, &sent[i], LEN);
		pass_ms(10);
		held = atomic_load(&strangers->used);
		assert_true(held <= MAX + CLIENTS * CONNECTION_POOR_READ_LEN);
		assert_int_equal(atomic_load(&budget->used), 0);
	}
	assert_true(held >= MAX / 2);
	/* One more of them who is modest. */
	small = client_open();
	connection_expect_login(rig.connection);
	client_send_frame(small, 'e', 2000);
	client_expect_frame(small, 'e', 2000);
	/* A client that is known. */
	connection_logged_in(first);
	assert_true(atomic_load(&budget->used) >= inbox_len(&first->inbox));
	assert_true(atomic_load(&strangers->used) < held);
	for (int step = 0; step < 100 && rig.frames < 2; step++) {
		send_part(fds[0], data, &sent[0], LEN + 4);
		pass_ms(10);
	}
	assert_int_equal(rig.frames, 2);
	assert_int_equal(atomic_load(&budget->used), 0);
	/* The others have to go. */
	pass_ms(rig.settings.handshake_ms_max);
	RIG_UNTIL(rig.freed == CLIENTS);
	assert_int_equal(atomic_load(&strangers->used), 0);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	close(small);
	free(data);
}

/* --- Strangers take turns ------------------------------------------------- */

/* As many as fit in what a pass has for them: 200 us, or a bit more. */
#define TURNS_A_PASS 2

static int slow_frames;

/* Frames of two bytes are those of a login: each takes 150 us. */
static void
on_slow_frame(struct connection_handler *handler,
    struct connection *connection, struct slice frame)
{
	if (frame.len == 2) {
		fake_us += 150;
		slow_frames++;
	}
	on_frame(handler, connection, frame);
}

/* The kernel has brought what was sent to the other end. */
static void
await_arrival(int end)
{
	struct pollfd pollfd = { .fd = end, .events = POLLIN };

	assert_int_equal(poll(&pollfd, 1, 10000), 1);
}

/* Clients that have yet to log in, each of which has sent a frame. */
static void
open_strangers(int *fds, int count)
{
	for (int i = 0; i < count; i++) {
		fds[i] = client_open();
		connection_expect_login(rig.connection);
	}
	slow_frames = 0;
	for (int i = 0; i < count; i++)
		client_send_frame(fds[i], 'e', 2);
}

/*
 * However many of them have come at once, a pass reads few, so that a client
 * who is known waits for few; and each of them has its turn.
 */
static void
strangers_take_turns(void **state UNUSED)
{
	enum { STRANGERS = 20 };
	int fds[STRANGERS], known, known_end;

	rig.handler.frame = on_slow_frame;
	rig_start();
	known = client_open();
	known_end = rig.connection->transport.fd;
	open_strangers(fds, STRANGERS);
	for (int before = 0; slow_frames < STRANGERS; before = slow_frames) {
		int frames = rig.frames;

		client_send_frame(known, 'e', 100);
		await_arrival(known_end);
		while (rig.frames - frames == slow_frames - before) {
			int pass = slow_frames;

			loop_step(rig.loop, false);
			assert_true(slow_frames - pass <= TURNS_A_PASS);
		}
		assert_true(slow_frames - before <= TURNS_A_PASS);
		client_expect_frame(known, 'e', 100);
	}
	for (int i = 0; i < STRANGERS; i++) {
		client_expect_frame(fds[i], 'e', 2);
		close(fds[i]);
	}
	close(known);
}

/* Who has had his turn is behind those who wait: nobody waits for ever. */
static void
everybody_has_his_turn(void **state UNUSED)
{
	enum { STRANGERS = 9, ROUNDS = 5 };
	int fds[STRANGERS], done[STRANGERS] = { 0 }, least = 0;
	int64_t end_ms = rig_real_ms() + 10000;
	uint8_t reply[6];

	rig.handler.frame = on_slow_frame;
	rig_start();
	open_strangers(fds, STRANGERS);
	while (least < ROUNDS) {
		loop_step(rig.loop, false);
		least = ROUNDS;
		for (int i = 0; i < STRANGERS; i++) {
			if (client_receive(fds[i], reply, 6) == 6) {
				done[i]++;
				client_send_frame(fds[i], 'e', 2);
			}
			least = MIN(least, done[i]);
		}
		assert_true(rig_real_ms() < end_ms);
	}
	for (int i = 0; i < STRANGERS; i++)
		close(fds[i]);
}

/* They may go, become known, or be closed while they wait. */
static void
strangers_need_not_wait_for_their_turn(void **state UNUSED)
{
	enum { STRANGERS = 12 };
	int fds[STRANGERS];

	rig.handler.frame = on_slow_frame;
	rig_start();
	open_strangers(fds, STRANGERS);
	while (slow_frames == 0)
		loop_step(rig.loop, false);
	assert_true(slow_frames <= TURNS_A_PASS);
	connection_logged_in(rig.connection);
	for (int i = 0; i < STRANGERS / 2; i++)
		close(fds[i]);
	client_expect_frame(fds[STRANGERS - 1], 'e', 2);
	client_send_frame(fds[STRANGERS - 1], 'e', 1);
	client_expect_frame(fds[STRANGERS - 1], 'e', 1);
	RIG_UNTIL(rig.freed == STRANGERS / 2);
	for (int i = 0; i < 3; i++)
		client_send_frame(fds[STRANGERS - 2 - i], 'e', 2);
	for (int i = STRANGERS / 2; i < STRANGERS - 1; i++)
		client_expect_frame(fds[i], 'e', 2);
	pass_ms(rig.settings.handshake_ms_max + 1000);
	RIG_UNTIL(rig.freed == STRANGERS - 1);
	for (int i = STRANGERS / 2; i < STRANGERS; i++)
		close(fds[i]);
}

/* Until count slow frames have been handled, each pass handles few of them. */
static void
expect_few_a_pass(int count)
{
	int64_t end_ms = rig_real_ms() + 10000;

	while (slow_frames < count) {
		int before = slow_frames;

		loop_step(rig.loop, false);
		assert_true(slow_frames - before <= TURNS_A_PASS);
		assert_true(rig_real_ms() < end_ms);
	}
}

/* Frames of a login, in one piece behind len other bytes. */
static void
send_slow_frames(int fd, const void *first, size_t len, int count)
{
	static const uint8_t slow[6] = { 0, 0, 0, 2, 'e', 'e' };
	uint8_t data[512];

	memcpy(data, first, len);
	for (int i = 0; i < count; i++, len += sizeof(slow))
		memcpy(data + len, slow, sizeof(slow));
	client_send(fd, data, len);
}

/* However many frames a stranger sends at once, his turn has an end. */
static void
a_turn_has_an_end(void **state UNUSED)
{
	enum { FRAMES = 50 };
	int fd, other;

	rig.handler.frame = on_slow_frame;
	rig_start();
	fd = client_open();
	connection_expect_login(rig.connection);
	other = client_open();
	connection_expect_login(rig.connection);
	slow_frames = 0;
	send_slow_frames(fd, "", 0, FRAMES);
	send_slow_frames(other, "", 0, 1);
	expect_few_a_pass(FRAMES / 2);
	/* Who has sent less is not behind all of them. */
	client_expect_frame(other, 'e', 2);
	expect_few_a_pass(FRAMES + 1);
	for (int i = 0; i < FRAMES; i++)
		client_expect_frame(fd, 'e', 2);
	/* What is behind them is read. */
	client_send_frame(fd, 'e', 3);
	client_expect_frame(fd, 'e', 3);
	close(other);
	close(fd);
}

/* Each takes more than a turn has. */
static void
on_very_slow_frame(struct connection_handler *handler,
    struct connection *connection, struct slice frame)
{
	fake_us += 250;
	on_frame(handler, connection, frame);
}

/* Wherever a turn ends, everything is handled. */
static void
frames_cut_by_turns(void **state UNUSED)
{
	int fd;

	rig.handler.frame = on_very_slow_frame;
	rig_start();
	fd = client_open();
	connection_expect_login(rig.connection);
	expect_echo_of_cut_frames(fd, 3000000);
	close(fd);
}

/* Frames that had to wait for another one are handled in turns, too. */
static void
frames_that_waited_take_turns(void **state UNUSED)
{
	enum { FRAMES = 20 };
	struct completion completion = { .task.run = run_completion,
		.reply = true };
	int fd;

	rig.handler.frame = on_slow_frame;
	rig_start();
	fd = client_open();
	connection_expect_login(rig.connection);
	slow_frames = 0;
	send_slow_frames(fd, "\0\0\0\1x", 5, FRAMES);
	RIG_UNTIL(rig.frames == 1);
	loop_post(rig.loop, &completion.task);
	expect_few_a_pass(FRAMES);
	client_expect_frame(fd, 'x', 1);
	for (int i = 0; i < FRAMES; i++)
		client_expect_frame(fd, 'e', 2);
	close(fd);
}

static void
frame_limit_can_be_smaller_for_a_while(void **state UNUSED)
{
	int fd;

	rig_start();
	fd = client_open();
	connection_set_frame_len_max(rig.connection, 100);
	client_send_frame(fd, 'e', 100);
	client_expect_frame(fd, 'e', 100);
	client_send_frame(fd, 'e', 101);
	client_expect_closed(fd);
	close(fd);
}

/* A request on a quiet connection: one read, one write, no more. */
static void
request_costs_one_read_and_one_write(void **state UNUSED)
{
	struct connection_counters *counters;
	uint64_t reads, writes;
	int fd;

	rig_start();
	fd = client_open();
	counters = &rig.connection->set->counters;
	reads = counter_get(&counters->reads);
	writes = counter_get(&counters->out.writes);
	for (int i = 0; i < 100; i++) {
		client_send_frame(fd, 'e', 1000);
		client_expect_frame(fd, 'e', 1000);
	}
	assert_int_equal(counter_get(&counters->reads) - reads, 100);
	assert_int_equal(counter_get(&counters->out.writes) - writes, 100);
	assert_int_equal(counter_get(&counters->pauses), 0);
	close(fd);
}

/* Replies that get ready in one pass leave together. */
static void
one_write_a_pass(void **state UNUSED)
{
	struct connection_counters *counters;
	uint64_t writes;
	int fd;

	rig_start();
	fd = client_open();
	counters = &rig.connection->set->counters;
	for (int i = 0; i < 30; i++)
		client_send_frame(fd, 'p', 100);
	RIG_UNTIL(rig.frames == 30);
	writes = counter_get(&counters->out.writes);
	for (int i = 0; i < 30; i++) {
		static struct completion completions[30];

		completions[i].task = (struct task){ .run = run_completion };
		completions[i].reply = true;
		loop_post(rig.loop, &completions[i].task);
	}
	for (int i = 0; i < 30; i++)
		client_expect_frame(fd, 'p', 100);
	assert_int_equal(counter_get(&counters->out.writes) - writes, 1);
	close(fd);
}

static void
send_file_request(int fd, uint32_t position, uint32_t len)
{
	uint8_t data[13] = { 0, 0, 0, 9, 'f' };

	be32_put(data + 5, len);
	be32_put(data + 9, position);
	client_send(fd, data, sizeof(data));
}

static void
expect_file(int fd, uint32_t position, uint32_t len)
{
	uint8_t *data = xmalloc(4 + len + 1);

	client_expect_bytes(fd, data, 4 + len + 1);
	assert_int_equal(be32_get(data), len + 1);
	for (uint32_t i = 0; i < len; i++) {
		size_t at = position + i;

		assert_int_equal(data[4 + i], (uint8_t)(at * 7 + at / 251));
	}
	assert_int_equal(data[4 + len], 'z');
	free(data);
}

/* Small parts are copied and joined, large ones go by sendfile. */
static void
files_are_sent(void **state UNUSED)
{
	struct connection_counters *counters;
	int fd;

	rig.file_fd = open_file(1000000);
	rig_start();
	fd = client_open();
	counters = &rig.connection->set->counters;
	send_file_request(fd, 5, 1000);
	send_file_request(fd, 100000, 20000);
	expect_file(fd, 5, 1000);
	expect_file(fd, 100000, 20000);
	assert_int_equal(counter_get(&counters->out.sendfiles), 0);
	assert_int_equal(counter_get(&counters->out.preads), 2);
	send_file_request(fd, 1, 999999);
	client_send_frame(fd, 'e', 5);
	send_file_request(fd, 77, 200000);
	expect_file(fd, 1, 999999);
	client_expect_frame(fd, 'e', 5);
	expect_file(fd, 77, 200000);
	assert_true(counter_get(&counters->out.sendfiles) >= 2);
	assert_int_equal(counter_get(&counters->out.sendfile_bytes), 1199999);
	assert_int_equal(counter_get(&counters->out.preads), 2);
	close(rig.file_fd);
	close(fd);
}

/* Files are read for replies while other requests lie in the scratch. */
static void
files_sent_between_requests_do_not_disturb_them(void **state UNUSED)
{
	uint8_t requests[60 * 13];
	int fd;

	rig.file_fd = open_file(100000);
	rig.settings.in_flight_max = 2;
	rig_start();
	fd = client_open();
	for (uint32_t i = 0; i < 60; i++) {
		uint8_t *data = requests + (size_t)i * 13;

		be32_put(data, 9);
		data[4] = 'f';
		be32_put(data + 5, 1000 + i);
		be32_put(data + 9, i * 100);
	}
	client_send(fd, requests, sizeof(requests));
	for (uint32_t i = 0; i < 60; i++)
		expect_file(fd, i * 100, 1000 + i);
	close(rig.file_fd);
	close(fd);
}

static void
file_that_is_too_short_closes(void **state UNUSED)
{
	int fd;

	rig.file_fd = open_file(1000);
	rig_start();
	for (uint32_t len = 2000; len < 400000; len += 300000) {
		uint8_t data[1100];
		ssize_t n = 0;

		fd = client_open();
		send_file_request(fd, 0, len);
		while (n >= 0)
			RIG_UNTIL((n = client_receive(fd, data,
			    sizeof(data))) != 0);
		close(fd);
	}
	close(rig.file_fd);
}

static void
accessors_tell_where_it_comes_from(void **state UNUSED)
{
	struct sockaddr_in own;
	socklen_t len = sizeof(own);
	char *id;
	int fd;

	rig_start();
	fd = client_open();
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
	id = xasprintf("127.0.0.1:%u-127.0.0.1:%u-0-0",
	    listener_settings(rig.listener)->port, ntohs(own.sin_port));
	assert_string_equal(connection_id(rig.connection), id);
	assert_string_equal(connection_peer_host(rig.connection), "127.0.0.1");
	assert_int_equal(connection_peer_port(rig.connection),
	    ntohs(own.sin_port));
	assert_int_equal(connection_node_id(rig.connection), 7);
	assert_string_equal(connection_listener_name(rig.connection), "TEST");
	assert_ptr_equal(connection_loop(rig.connection), rig.loop);
	free(id);
	close(fd);
}

/* --- Another transport --------------------------------------------------- */

/*
 * What TLS does to a connection, without cryptography: a handshake (the client
 * says 'H', the server answers 'S'), bytes that are held back inside while the
 * descriptor is quiet, no sendfile.
 */
struct odd {
	uint8_t held[4096];
	size_t begin, end;
};

static int
odd_handshake(struct transport *transport)
{
	uint8_t byte;
	ssize_t n = read(transport->fd, &byte, 1);

	transport->wants = TRANSPORT_READABLE;
	if (n < 0 && errno == EAGAIN)
		return TRANSPORT_AGAIN;
	if (n != 1 || byte != 'H' || write(transport->fd, "S", 1) != 1)
		return TRANSPORT_CLOSED;
	return 0;
}

static ssize_t
odd_readv(struct transport *transport, const struct iovec *iov, int count)
{
	struct odd *odd = transport->state;
	size_t len;

	if (odd->begin == odd->end) {
		struct iovec held = { odd->held, sizeof(odd->held) };
		ssize_t n = tcp_ops.readv(transport, &held, 1);

		if (n <= 0)
			return n;
		odd->begin = 0;
		odd->end = (size_t)n;
	}
	assert_true(count > 0 && iov[0].iov_len > 0);
	len = MIN(MIN(odd->end - odd->begin, iov[0].iov_len), 7);
	memcpy(iov[0].iov_base, odd->held + odd->begin, len);
	odd->begin += len;
	transport->pending = odd->begin < odd->end;
	return (ssize_t)len;
}

static ssize_t
odd_writev(struct transport *transport, const struct iovec *iov, int count,
    bool more)
{
	return tcp_ops.writev(transport, iov, count, more);
}

static void
odd_close(struct transport *transport)
{
	free(transport->state);
	tcp_ops.close(transport);
}

static const struct transport_ops odd_ops = {
	.handshake = odd_handshake,
	.readv = odd_readv,
	.writev = odd_writev,
	.close = odd_close,
};

static int
odd_open(struct transport *transport, int fd, void *context)
{
	assert_ptr_equal(context, &rig);
	*transport = (struct transport){
		.ops = &odd_ops,
		.fd = fd,
		.state = xcalloc(1, sizeof(struct odd)),
	};
	return 0;
}

static void
start_odd(void)
{
	rig.listening.transport = odd_open;
	rig.listening.transport_context = &rig;
	rig_start();
}

static void
other_transports_work_the_same(void **state UNUSED)
{
	uint8_t byte;
	int fd;

	rig.file_fd = open_file(100000);
	start_odd();
	fd = client_open();
	client_expect_nothing(fd);
	client_send(fd, "H", 1);
	client_expect_bytes(fd, &byte, 1);
	assert_int_equal(byte, 'S');
	client_send_frame(fd, 'e', 1000);
	client_send_frame(fd, 'x', 30);
	client_send_frame(fd, 'm', 20);
	client_send_frame(fd, 'e', 10);
	client_expect_frame(fd, 'e', 1000);
	RIG_UNTIL(rig.frames == 2);
	client_expect_nothing(fd);
	rig_complete_on_loop(true);
	client_expect_frame(fd, 'x', 30);
	client_expect_frame(fd, 'm', 20);
	client_expect_nothing(fd);
	pass_ms(200);
	client_expect_frame(fd, 'e', 10);
	send_file_request(fd, 3, 90000);
	expect_file(fd, 3, 90000);
	close(rig.file_fd);
	close(fd);
}

/* What a transport holds back is read in turns as well. */
static void
bytes_held_back_take_turns(void **state UNUSED)
{
	enum { STRANGERS = 10, FRAMES = 3 };
	int fds[STRANGERS];
	uint8_t byte;

	rig.handler.frame = on_slow_frame;
	start_odd();
	for (int i = 0; i < STRANGERS; i++) {
		fds[i] = client_open();
		connection_expect_login(rig.connection);
		client_send(fds[i], "H", 1);
		client_expect_bytes(fds[i], &byte, 1);
	}
	slow_frames = 0;
	for (int i = 0; i < STRANGERS; i++)
		send_slow_frames(fds[i], "", 0, FRAMES);
	expect_few_a_pass(STRANGERS * FRAMES);
	for (int i = 0; i < STRANGERS; i++) {
		for (int j = 0; j < FRAMES; j++)
			client_expect_frame(fds[i], 'e', 2);
		close(fds[i]);
	}
}

static void
frames_cut_by_turns_and_held_back(void **state UNUSED)
{
	uint8_t byte;
	int fd;

	rig.handler.frame = on_very_slow_frame;
	start_odd();
	fd = client_open();
	connection_expect_login(rig.connection);
	client_send(fd, "H", 1);
	client_expect_bytes(fd, &byte, 1);
	expect_echo_of_cut_frames(fd, 200000);
	close(fd);
}

static int shy_steps;

/* A handshake of five steps, each of which waits for it to be writable. */
static int
shy_handshake(struct transport *transport)
{
	struct odd *odd = transport->state;

	fake_us += 150;
	shy_steps++;
	transport->wants = TRANSPORT_WRITABLE;
	return ++odd->end < 5 ? TRANSPORT_AGAIN : 0;
}

static int
shy_open(struct transport *transport, int fd, void *context)
{
	static struct transport_ops shy_ops;
	int result = odd_open(transport, fd, context);

	shy_ops = tcp_ops;
	shy_ops.handshake = shy_handshake;
	shy_ops.close = odd_close;
	transport->ops = &shy_ops;
	return result;
}

static void
writable_strangers_take_turns(void **state UNUSED)
{
	enum { STRANGERS = 10 };
	int fds[STRANGERS];

	rig.listening.transport = shy_open;
	rig.listening.transport_context = &rig;
	rig_start();
	shy_steps = 0;
	for (int i = 0; i < STRANGERS; i++)
		fds[i] = client_connect(
		    listener_settings(rig.listener)->port);
	for (int i = 0; i < 1000 && shy_steps < 5 * STRANGERS; i++) {
		int before = shy_steps;

		loop_step(rig.loop, false);
		assert_true(shy_steps - before <= TURNS_A_PASS);
	}
	assert_int_equal(shy_steps, 5 * STRANGERS);
	for (int i = 0; i < STRANGERS; i++) {
		client_send_frame(fds[i], 'e', 10);
		client_expect_frame(fds[i], 'e', 10);
		close(fds[i]);
	}
}

static void
handshake_may_fail_or_take_too_long(void **state UNUSED)
{
	int fd;

	start_odd();
	fd = client_open();
	client_send(fd, "X", 1);
	client_expect_closed(fd);
	close(fd);
	fd = client_open();
	pass_ms(9000);
	client_expect_nothing(fd);
	pass_ms(1100);
	client_expect_closed(fd);
	close(fd);
	assert_int_equal(rig.frames, 0);
}

/* A transport whose calls take time: reads 3 microseconds, writes 5. */
static ssize_t
slow_readv(struct transport *transport, const struct iovec *iov, int count)
{
	fake_us += 3;
	return tcp_ops.readv(transport, iov, count);
}

static ssize_t
slow_writev(struct transport *transport, const struct iovec *iov, int count,
    bool more)
{
	fake_us += 5;
	return tcp_ops.writev(transport, iov, count, more);
}

static ssize_t
slow_sendfile(struct transport *transport, int fd, int64_t position,
    size_t len, bool more)
{
	fake_us += 7;
	return tcp_ops.sendfile(transport, fd, position, len, more);
}

static int
slow_open(struct transport *transport, int fd, void *context UNUSED)
{
	static struct transport_ops slow_ops;

	slow_ops = tcp_ops;
	slow_ops.readv = slow_readv;
	slow_ops.writev = slow_writev;
	slow_ops.sendfile = slow_sendfile;
	*transport = (struct transport){ .ops = &slow_ops, .fd = fd };
	return 0;
}

/* As TLS does where a client makes its records so long. */
#define UNIT_LEN ((size_t)10000)

static ssize_t
unit_readv(struct transport *transport, const struct iovec *iov, int count)
{
	struct iovec first = { iov->iov_base, MIN(iov->iov_len, UNIT_LEN) };

	assert_true(count > 0);
	return tcp_ops.readv(transport, &first, 1);
}

static int
unit_open(struct transport *transport, int fd, void *context UNUSED)
{
	static struct transport_ops unit_ops;

	unit_ops = tcp_ops;
	unit_ops.readv = unit_readv;
	unit_ops.unit_len_max = CONNECTION_FIRST_READ_LEN;
	*transport = (struct transport){ .ops = &unit_ops, .fd = fd };
	return 0;
}

/* Such a read ends with a unit, long before there is no room. */
static void
reads_grow_where_bytes_come_in_units(void **state UNUSED)
{
	static uint8_t frame[4 + 50000] = { 0, 0, 50000 >> 8, 50000 & 0xff,
		'n' };
	int fd;

	rig.listening.transport = unit_open;
	rig_start();
	fd = client_open();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	client_send_frame(fd, 'n', 1000);
	RIG_UNTIL(rig.frames == 1);
	assert_int_equal(rig.connection->read_len_max,
	    CONNECTION_FIRST_READ_LEN);
	push_all(fd, frame, sizeof(frame));
	RIG_UNTIL(rig.frames == 2);
	/* One unit is less than half of that. */
	assert_int_equal(rig.connection->read_len_max,
	    2 * CONNECTION_FIRST_READ_LEN);
	close(fd);
}

static void
time_of_reads_and_writes_is_counted_on_demand(void **state UNUSED)
{
	int fd;

	rig.file_fd = open_file(1000000);
	rig.listening.transport = slow_open;
	rig_start();
	fd = client_open();
	client_send_frame(fd, 'e', 10);
	client_expect_frame(fd, 'e', 10);
	assert_false(connection_is_timed(rig.connection));
	assert_int_equal(connection_take_time_us(rig.connection), 0);
	connection_time(rig.connection, true);
	client_send_frame(fd, 'e', 10);
	client_expect_frame(fd, 'e', 10);
	connection_time(rig.connection, true);
	assert_int_equal(connection_take_time_us(rig.connection), 8);
	assert_int_equal(connection_take_time_us(rig.connection), 0);
	/* What is around the file is written, it itself sent. */
	send_file_request(fd, 3, 900000);
	expect_file(fd, 3, 900000);
	assert_true(
	    connection_take_time_us(rig.connection) >= 3 + 5 + 7 + 5);
	client_send_frame(fd, 'e', 10);
	client_expect_frame(fd, 'e', 10);
	connection_time(rig.connection, false);
	assert_int_equal(connection_take_time_us(rig.connection), 0);
	close(rig.file_fd);
	close(fd);
}

static void
idle_connection_is_small(void **state UNUSED)
{
	/* Two events of libevent's (128 bytes), its map entry, the id. */
	assert_true(sizeof(struct connection) + 1024 <= 6 * 1024);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_byte_by_byte),
		TEST(frames_cut_anywhere),
		TEST(pipelined_replies_leave_in_order),
		TEST(exclusive_request_holds_back_the_next),
		TEST(parked_frames_shrink_to_the_partial_one),
		TEST(no_more_than_in_flight_max_are_handled),
		TEST(ready_replies_make_room_in_the_same_pass),
		TEST(connection_moves_when_it_is_at_rest),
		TEST(known_clients_leave_the_loop_of_strangers),
		TEST(connection_that_moves_is_closed_at_the_stop),
		TEST(client_that_never_reads_is_bounded),
		TEST(replies_that_are_not_read_take_little),
		TEST(replies_behind_a_pending_one_are_bounded),
		TEST(reads_grow_with_the_frames),
		TEST(poor_reads_do_not_grow),
		TEST(bad_sizes_close),
		TEST(empty_frame_is_the_handlers_to_judge),
		TEST(announced_size_is_not_allocated),
		TEST(large_frame_is_handled_whole),
		TEST(partial_frame_has_a_deadline),
		TEST(a_frame_that_grows_has_time),
		TEST(deadline_starts_with_the_frame),
		TEST(no_deadline_while_we_do_not_read),
		TEST(no_deadline_while_replies_are_blocked),
		TEST(deadline_goes_on_when_we_read_again),
		TEST(mute_takes_no_time_from_a_frame),
		TEST(idle_connections_are_closed_one_a_pass),
		TEST(reads_and_writes_are_activity),
		TEST(mute_delays_the_next_request),
		TEST(dying_connection_cancels_and_releases_once),
		TEST(cancel_may_complete_at_once),
		TEST(close_lets_earlier_replies_leave),
		TEST(abort_inside_the_handler_ends_it),
		TEST(nothing_begins_while_memory_is_overspent),
		TEST(partial_frames_do_not_wait_for_each_other),
		TEST(memory_budget_is_kept),
		TEST(strangers_share_little_memory),
		TEST(strangers_take_turns),
		TEST(everybody_has_his_turn),
		TEST(strangers_need_not_wait_for_their_turn),
		TEST(a_turn_has_an_end),
		TEST(frames_cut_by_turns),
		TEST(frames_that_waited_take_turns),
		TEST(frame_limit_can_be_smaller_for_a_while),
		TEST(request_costs_one_read_and_one_write),
		TEST(one_write_a_pass),
		TEST(files_are_sent),
		TEST(files_sent_between_requests_do_not_disturb_them),
		TEST(file_that_is_too_short_closes),
		TEST(accessors_tell_where_it_comes_from),
		TEST(other_transports_work_the_same),
		TEST(reads_grow_where_bytes_come_in_units),
		TEST(bytes_held_back_take_turns),
		TEST(frames_cut_by_turns_and_held_back),
		TEST(writable_strangers_take_turns),
		TEST(handshake_may_fail_or_take_too_long),
		TEST(time_of_reads_and_writes_is_counted_on_demand),
		cmocka_unit_test(idle_connection_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
