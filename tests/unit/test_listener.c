/*
 * Listeners: limits, descriptors that run out, options of sockets, and the
 * whole network with loops in threads, from the first client to the last.
 */
#include "unit/unit.h"

#include "unit/net_rig.h"

#include <netinet/tcp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/thread.h"
#include "net/connection_inner.h"

#include "net/listener.c"

static struct log_limit *lines;

static int
setup(void **state UNUSED)
{
	signal(SIGPIPE, SIG_IGN);
	rig_init();
	return 0;
}

static int
teardown(void **state UNUSED)
{
	rig_stop();
	log_limit_free(lines);
	lines = NULL;
	return 0;
}

static void
address_limit_turns_away_at_once(void **state UNUSED)
{
	static const struct network_ip_limit limits[] = {
		{ "10.0.0.1", 100 }, { "127.0.0.1", 2 } };
	struct network_counters counters;
	int first, second, third;

	rig.settings.connections_per_ip_max = 5;
	rig.settings.ip_limits = limits;
	rig.settings.ip_limits_count = COUNT_OF(limits);
	rig_start();
	first = client_open();
	second = client_open();
	third = client_connect(listener_settings(rig.listener)->port);
	client_expect_closed(third);
	close(third);
	close(first);
	RIG_UNTIL(rig.freed == 1);
	third = client_open();
	client_send_frame(third, 'e', 3);
	client_expect_frame(third, 'e', 3);
	network_counters(rig.network, &counters);
	assert_int_equal(counters.accepted, 3);
	assert_int_equal(counters.rejected, 1);
	assert_int_equal(counters.connections, 2);
	close(second);
	close(third);
}

/* Who comes again and again does not fill the log. */
static void
lines_of_the_refused_are_limited(void **state UNUSED)
{
	int output = memfd_create("log", MFD_CLOEXEC), client;
	char text[1 << 12] = { 0 };
	const char *first;

	assert_true(output >= 0);
	lines = log_limit_new(3600000, LOG_INFO, "net");
	rig.settings.connections_per_ip_max = 1;
	rig.settings.lines = lines;
	rig_start();
	client = client_open();
	log_set_output(output);
	for (int i = 0; i < 10; i++) {
		int other =
		    client_connect(listener_settings(rig.listener)->port);

		client_expect_closed(other);
		close(other);
	}
	close(client);
	RIG_UNTIL(rig.freed == 1);
	for (int i = 0; i < 10; i++) {
		client = client_open();
		client_send(client, "\xff\xff\xff\xff", 4);
		client_expect_closed(client);
		close(client);
		RIG_UNTIL(rig.freed == 2 + i);
	}
	log_set_output(STDOUT_FILENO);
	assert_true(pread(output, text, sizeof(text) - 1, 0) > 0);
	close(output);
	first = strstr(text, "Rejected connection from /127.0.0.1");
	assert_non_null(first);
	assert_null(strstr(first + 1, "Rejected connection"));
	first = strstr(text, "invalid frame of -1 bytes");
	assert_non_null(first);
	assert_null(strstr(first + 1, "invalid frame of"));
}

/* The others wait in the backlog until somebody goes. */
static void
total_limit_waits_for_a_free_slot(void **state UNUSED)
{
	int clients[4];
	uint16_t port;

	rig.settings.connections_max = 2;
	rig_start();
	port = listener_settings(rig.listener)->port;
	for (int i = 0; i < 4; i++)
		clients[i] = client_connect(port);
	RIG_UNTIL(rig.opened == 2);
	rig_step();
	assert_int_equal(rig.opened, 2);
	client_expect_nothing(clients[2]);
	close(clients[0]);
	RIG_UNTIL(rig.opened == 3);
	rig_step();
	assert_int_equal(rig.opened, 3);
	client_send_frame(clients[2], 'e', 1);
	client_expect_frame(clients[2], 'e', 1);
	close(clients[1]);
	RIG_UNTIL(rig.opened == 4);
	close(clients[2]);
	close(clients[3]);
}

/* Those who wait are let in, and those who are there may stay. */
static void
limits_change_while_it_runs(void **state UNUSED)
{
	static const struct network_ip_limit limits[] = {
		{ "::1%nowhere", 0 }, { "localhost", 2 } };
	struct network_settings settings;
	int clients[3];
	uint16_t port;

	rig.settings.connections_max = 1;
	rig_start();
	port = listener_settings(rig.listener)->port;
	clients[0] = client_connect(port);
	clients[1] = client_connect(port);
	RIG_UNTIL(rig.opened == 1);
	client_expect_nothing(clients[1]);
	settings = rig.settings;
	settings.connections_max = 3;
	settings.connections_per_ip_max = 1;
	settings.ip_limits = limits;
	settings.ip_limits_count = COUNT_OF(limits);
	network_set_limits(rig.network, &settings);
	RIG_UNTIL(rig.opened == 2);
	clients[2] = client_connect(port);
	client_expect_closed(clients[2]);
	settings.ip_limits_count = 0;
	network_set_limits(rig.network, &settings);
	client_send_frame(clients[1], 'e', 1);
	client_expect_frame(clients[1], 'e', 1);
	for (size_t i = 0; i < COUNT_OF(clients); i++)
		close(clients[i]);
}

/* One of the listener apart comes in, and the least active other one goes. */
static void
excess_is_closed(void **state UNUSED)
{
	struct network_settings fewer;
	struct listener_settings settings;
	struct listener *apart;
	int clients[3], inner[4];
	uint16_t port;

	rig.settings.connections_max = 3;
	rig_start();
	fewer = rig.settings;
	settings = rig.listening;
	settings.apart = true;
	apart = listener_new(rig.network, &settings);
	assert_non_null(apart);
	port = listener_settings(apart)->port;
	for (size_t i = 0; i < COUNT_OF(clients); i++)
		clients[i] = client_open();
	client_send_frame(clients[0], 'e', 1);
	client_expect_frame(clients[0], 'e', 1);
	inner[0] = client_connect(port);
	client_expect_closed(clients[1]);
	client_send_frame(clients[2], 'e', 1);
	client_expect_frame(clients[2], 'e', 1);
	client_send_frame(clients[0], 'e', 1);
	client_expect_frame(clients[0], 'e', 1);
	/* A lower limit. */
	fewer.connections_max = 2;
	network_set_limits(rig.network, &fewer);
	client_expect_closed(clients[2]);
	client_send_frame(clients[0], 'e', 1);
	client_expect_frame(clients[0], 'e', 1);
	/* However many there are, its own stay. */
	for (size_t i = 1; i < COUNT_OF(inner); i++)
		inner[i] = client_connect(port);
	client_expect_closed(clients[0]);
	for (size_t i = 0; i < COUNT_OF(inner); i++) {
		client_send_frame(inner[i], 'e', 1);
		client_expect_frame(inner[i], 'e', 1);
		close(inner[i]);
	}
	for (size_t i = 0; i < COUNT_OF(clients); i++)
		close(clients[i]);
}

static void
listener_has_a_limit_of_its_own(void **state UNUSED)
{
	struct listener_settings settings;
	struct listener *other;
	int first, second, third;

	rig.listening.connections_max = 1;
	rig_start();
	settings = rig.listening;
	other = listener_new(rig.network, &settings);
	assert_non_null(other);
	first = client_open();
	second = client_connect(listener_settings(rig.listener)->port);
	third = client_connect(listener_settings(other)->port);
	RIG_UNTIL(rig.opened == 2);
	rig_step();
	assert_int_equal(rig.opened, 2);
	client_expect_nothing(second);
	close(first);
	RIG_UNTIL(rig.opened == 3);
	close(second);
	close(third);
}

/* Let the loop sleep until the client has been closed. */
static void
client_expect_closed_waiting(int fd)
{
	uint8_t byte;
	ssize_t n;

	while ((n = client_receive(fd, &byte, 1)) == 0)
		loop_step(rig.loop, true);
	assert_int_equal(n, -1);
}

/* No spinning, the client is told, and afterwards all is well. */
static void
running_out_of_descriptors_is_survived(void **state UNUSED)
{
	struct rlimit before, now;
	int first, second, highest;
	uint64_t passes;
	uint16_t port;

	rig_start();
	port = listener_settings(rig.listener)->port;
	first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	second = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(first >= 0 && second >= 0);
	/* All numbers up to the highest in use, then a limit right there. */
	highest = dup(first);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = (rlim_t)highest + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(dup(first), -1);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(client_connect_fd(first, port), 0);
	client_expect_closed(first);
	/* One waits until the next try, without keeping us busy. */
	assert_int_equal(client_connect_fd(second, port), 0);
	passes = counter_get(&loop_counters(rig.loop)->passes);
	client_expect_closed_waiting(second);
	passes = counter_get(&loop_counters(rig.loop)->passes) - passes;
	assert_true(passes < 20);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(rig.opened, 0);
	close(first);
	close(second);
	close(highest);
	first = client_open();
	client_send_frame(first, 'e', 1);
	client_expect_frame(first, 'e', 1);
	close(first);
}

static int
option_of(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

static void
accepted_sockets_inherit_their_options(void **state UNUSED)
{
	int client, fd;

	rig.listening.send_buffer_bytes = 30000;
	rig.listening.receive_buffer_bytes = 40000;
	rig_start();
	client = client_open();
	fd = rig.connection->transport.fd;
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	/* Linux doubles what it was asked for. */
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_SNDBUF), 60000);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_RCVBUF), 80000);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(client);
}

static void
address_in_use_is_refused(void **state UNUSED)
{
	struct listener_settings settings;

	rig_start();
	settings = rig.listening;
	settings.port = listener_settings(rig.listener)->port;
	assert_null(listener_new(rig.network, &settings));
	settings.host = "not a name";
	assert_null(listener_new(rig.network, &settings));
}

/* Without a host: both families, and an IPv4 client is shown as one. */
static void
no_host_means_all_addresses(void **state UNUSED)
{
	int fd;

	rig.listening.host = NULL;
	rig_start();
	assert_true(listener_settings(rig.listener)->port > 0);
	assert_int_equal(listener_settings(rig.listener)->advertised_port,
	    listener_settings(rig.listener)->port);
	fd = client_open();
	assert_string_equal(connection_peer_host(rig.connection), "127.0.0.1");
	close(fd);
}

/* --- The whole in threads ------------------------------------------------ */

#define CLIENTS 8
#define ROUNDS 300

static atomic_int echoes;

/* Completes each exchange from another loop's task, as a flusher would. */
static void
threaded_release(struct exchange *exchange)
{
	struct job *job = CONTAINER_OF(exchange, struct job, exchange);

	atomic_fetch_add(&echoes, 1);
	arena_reset(&job->arena);
	free(job->frame);
	free(job);
}

struct detour {
	struct task there;
	struct task back;
	struct job *job;
	struct loop *home;
};

static void
run_back(struct task *task)
{
	struct detour *detour = CONTAINER_OF(task, struct detour, back);

	job_echo(detour->job);
	free(detour);
}

static void
run_there(struct task *task)
{
	struct detour *detour = CONTAINER_OF(task, struct detour, there);

	loop_post(detour->home, &detour->back);
}

static struct loop_group *threaded_loops;

static void
threaded_frame(struct connection_handler *handler UNUSED,
    struct connection *connection, struct slice frame)
{
	struct job *job = job_new(frame);
	struct detour *detour = xcalloc(1, sizeof(*detour));

	job->exchange.cancel = NULL;
	job->exchange.release = threaded_release;
	exchange_begin(connection, &job->exchange);
	detour->there.run = run_there;
	detour->back.run = run_back;
	detour->job = job;
	detour->home = connection_loop(connection);
	loop_post(loop_group_get(threaded_loops,
	    (loop_index(detour->home) + 1) %
	    loop_group_count(threaded_loops)), &detour->there);
}

static uint16_t threaded_port;

static void
read_fully(int fd, uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, data, len, 0);

		assert(n > 0);
		data += n;
		len -= (size_t)n;
	}
}

/* Pipelines of several frames each, checked byte by byte. */
static void *
run_client(void *argument)
{
	size_t seed = (size_t)(uintptr_t)argument;
	uint8_t out[4 * 1000], in[4 * 1000];
	int fd = client_connect(threaded_port);

	assert(fd >= 0);
	for (size_t round = 0; round < ROUNDS; round++) {
		size_t len = 0;

		for (int i = 0; i < 4; i++) {
			size_t frame = 1 + (seed * 131 + round * 17) % 900;

			be32_put(out + len, (uint32_t)frame);
			memset(out + len + 4, (int)(seed + round), frame);
			len += 4 + frame;
		}
		assert(send(fd, out, len, MSG_NOSIGNAL) == (ssize_t)len);
		read_fully(fd, in, len);
		assert(memcmp(out, in, len) == 0);
	}
	/* Some leave in the middle of a frame or with replies under way. */
	if (seed % 2 == 0)
		assert(send(fd, out, 700, MSG_NOSIGNAL) == 700);
	close(fd);
	return NULL;
}

static void
serves_many_clients_on_many_loops(void **state UNUSED)
{
	struct connection_handler handler = { .frame = threaded_frame };
	struct network_settings settings;
	struct listener_settings listening;
	struct network_counters counters;
	struct network *network;
	pthread_t clients[CLIENTS];
	struct listener *listener;

	atomic_store(&echoes, 0);
	network_defaults(&settings);
	listener_defaults(&listening);
	listening.name = "TEST";
	listening.host = "localhost";
	threaded_loops = loop_group_new(3);
	assert_non_null(threaded_loops);
	network = network_new(threaded_loops, &settings, &handler);
	assert_int_equal(loop_group_start(threaded_loops), 0);
	listener = listener_new(network, &listening);
	assert_non_null(listener);
	threaded_port = listener_settings(listener)->port;
	for (size_t i = 0; i < CLIENTS; i++)
		assert_int_equal(thread_start(&clients[i], "client",
		    run_client, (void *)(uintptr_t)i), 0);
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	assert_int_equal(network_stop(network, 1000), 0);
	network_counters(network, &counters);
	assert_int_equal(counters.accepted, CLIENTS);
	assert_int_equal(counters.closed, CLIENTS);
	assert_int_equal(counters.connections, 0);
	assert_int_equal(counters.memory_bytes, 0);
	assert_true(counters.frames >= CLIENTS * ROUNDS * 4);
	assert_int_equal(atomic_load(&echoes), counters.frames);
	loop_group_stop(threaded_loops);
	network_free(network);
	loop_group_free(threaded_loops);
}

#define SLOW_CLIENTS 300
#define SLOW_DEADLINE_MS 700

/* Announce 100 MB, send a little, and see how long that is put up with. */
static void
start_slow_clients(int fds[SLOW_CLIENTS])
{
	static uint8_t begin[1000] = { 0x06, 0x40, 0, 0 };

	for (int i = 0; i < SLOW_CLIENTS; i++) {
		fds[i] = client_connect(threaded_port);
		assert_true(fds[i] >= 0);
		client_send(fds[i], begin, sizeof(begin));
	}
}

/*
 * They are closed at the deadline, and until then they hold the memory of what
 * they have sent and nobody up.
 */
static void
slow_clients_are_closed_at_the_deadline(void **state UNUSED)
{
	struct connection_handler handler = { .frame = threaded_frame };
	struct network_settings settings;
	struct listener_settings listening;
	struct network_counters counters;
	static int fds[SLOW_CLIENTS];
	struct listener *listener;
	struct network *network;
	int64_t start;
	uint8_t byte;

	network_defaults(&settings);
	listener_defaults(&listening);
	settings.partial_frame_ms_max = SLOW_DEADLINE_MS;
	listening.name = "TEST";
	listening.host = "127.0.0.1";
	threaded_loops = loop_group_new(2);
	assert_non_null(threaded_loops);
	network = network_new(threaded_loops, &settings, &handler);
	assert_int_equal(loop_group_start(threaded_loops), 0);
	listener = listener_new(network, &listening);
	assert_non_null(listener);
	threaded_port = listener_settings(listener)->port;
	start = rig_real_ms();
	start_slow_clients(fds);
	/* Others are served meanwhile, and leave nothing behind. */
	(void)run_client((void *)(uintptr_t)1);
	do
		network_counters(network, &counters);
	while (counters.frames < ROUNDS * 4);
	assert_true(counters.memory_bytes <= SLOW_CLIENTS * 2000);
	for (int i = 0; i < SLOW_CLIENTS; i++) {
		assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
		close(fds[i]);
	}
	assert_true(rig_real_ms() - start >= SLOW_DEADLINE_MS);
	assert_int_equal(network_stop(network, 1000), 0);
	network_counters(network, &counters);
	assert_int_equal(counters.deadline_closed, SLOW_CLIENTS);
	assert_int_equal(counters.memory_bytes, 0);
	loop_group_stop(threaded_loops);
	network_free(network);
	loop_group_free(threaded_loops);
}

static struct exchange *held;
static atomic_bool is_held;

static void
hold_frame(struct connection_handler *handler UNUSED,
    struct connection *connection, struct slice frame)
{
	struct job *job = job_new(frame);

	job->exchange.cancel = NULL;
	job->exchange.release = threaded_release;
	exchange_begin(connection, &job->exchange);
	held = &job->exchange;
	atomic_store(&is_held, true);
}

static struct network *stopping;
static int stop_result;

static void *
run_network_stop(void *argument UNUSED)
{
	stop_result = network_stop(stopping, 20000);
	return NULL;
}

static void
run_held(struct task *task UNUSED)
{
	job_echo(CONTAINER_OF(held, struct job, exchange));
}

/* Accepting ends at once, what is pending is still answered. */
static void
stop_lets_pending_replies_leave(void **state UNUSED)
{
	struct connection_handler handler = { .frame = hold_frame };
	struct task task = { .run = run_held };
	struct network_settings settings;
	struct listener_settings listening;
	struct listener *listener;
	uint8_t frame[] = { 0, 0, 0, 1, 'p' }, back[sizeof(frame)];
	pthread_t thread;
	int fd, idle;

	network_defaults(&settings);
	listener_defaults(&listening);
	listening.name = "TEST";
	listening.host = "127.0.0.1";
	threaded_loops = loop_group_new(2);
	assert_non_null(threaded_loops);
	stopping = network_new(threaded_loops, &settings, &handler);
	assert_int_equal(loop_group_start(threaded_loops), 0);
	listener = listener_new(stopping, &listening);
	assert_non_null(listener);
	fd = client_connect(listener_settings(listener)->port);
	idle = client_connect(listener_settings(listener)->port);
	assert_true(fd >= 0 && idle >= 0);
	client_send(fd, frame, sizeof(frame));
	while (!atomic_load(&is_held))
		sched_yield();
	assert_int_equal(thread_start(&thread, "stop", run_network_stop, NULL),
	    0);
	/* The one without a request is closed, and no other gets in. */
	assert_int_equal(recv(idle, back, 1, 0), 0);
	assert_int_equal(client_connect(listener_settings(listener)->port),
	    -1);
	loop_post(connection_loop(held->connection), &task);
	read_fully(fd, back, sizeof(back));
	assert_memory_equal(back, frame, sizeof(frame));
	assert_int_equal(recv(fd, back, 1, 0), 0);
	pthread_join(thread, NULL);
	assert_int_equal(stop_result, 0);
	close(fd);
	close(idle);
	loop_group_stop(threaded_loops);
	network_free(stopping);
	loop_group_free(threaded_loops);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(address_limit_turns_away_at_once),
		TEST(lines_of_the_refused_are_limited),
		TEST(total_limit_waits_for_a_free_slot),
		TEST(limits_change_while_it_runs),
		TEST(excess_is_closed),
		TEST(listener_has_a_limit_of_its_own),
		TEST(running_out_of_descriptors_is_survived),
		TEST(accepted_sockets_inherit_their_options),
		TEST(address_in_use_is_refused),
		TEST(no_host_means_all_addresses),
		cmocka_unit_test(serves_many_clients_on_many_loops),
		cmocka_unit_test(slow_clients_are_closed_at_the_deadline),
		cmocka_unit_test(stop_lets_pending_replies_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
