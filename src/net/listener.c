#include "base/base.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/task.h"
#include "net/accept_gate.h"
#include "net/admission.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/host.h"
#include "net/listener.h"
#include "net/listener_inner.h"
#include "net/loop.h"
#include "net/loop_group.h"
#include "net/network.h"
#include "net/network_inner.h"
#include "net/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections in one go, before the loop turns to others. */
#define ACCEPT_COUNT_MAX 16

/* How long it does not accept when the system cannot. */
#define RETRY_MS 100

/* Sockets that are kept unheard at a time; those behind are closed at once. */
#define REFUSED_MAX 256

struct listener {
	/* immutable */
	struct listener_settings settings;
	struct network *network;
	struct loop *loop;

	/* loop-local */
	int fd;
	int spare_fd;			/* given up when there are no others */
	struct event *event;
	struct timer retry;
	bool accepting;			/* event is added */
	bool stopped;
	bool exhausted;			/* said that descriptors ran out */
	int held_fd;			/* accepted, and has to wait; or -1 */
	struct sockaddr_storage held_peer;
	struct list refused;		/* struct refusal */
	int refused_count;

	/* of the thread that starts and stops it, then the loop's */
	struct task start;
	struct task stop;

	/* atomic */
	atomic_int open;		/* its connections */
	atomic_int connections_max;
	atomic_bool waiting;		/* for one of them to close */
	struct task wake;		/* posted by who clears waiting */
};

/* A socket that is kept, unheard, until it is closed. */
struct refusal {
	struct list_node node;
	struct listener *listener;
	int fd;
	struct timer timer;
};

/* A socket on its way to its loop. */
struct handover {
	struct task task;
	struct connection_set *set;
	struct connection_origin origin;
};

void
listener_defaults(struct listener_settings *settings)
{
	*settings = (struct listener_settings){
		.backlog = 50,
		.send_buffer_bytes = 102400,
		.receive_buffer_bytes = 102400,
		.connections_max = INT32_MAX,
	};
}

/* --- Addresses ----------------------------------------------------------- */

void
listener_local_address(int fd, struct sockaddr_storage *address)
{
	socklen_t len = sizeof(*address);

	memset(address, 0, sizeof(*address));
	if (getsockname(fd, (struct sockaddr *)address, &len) != 0)
		memset(address, 0, sizeof(*address));
}

/* --- Accepting ----------------------------------------------------------- */

static void
start_accepting(struct listener *listener)
{
	if (!listener->accepting && !listener->stopped &&
	    event_add(listener->event, NULL) == 0)
		listener->accepting = true;
}

static void
stop_accepting(struct listener *listener)
{
	if (listener->accepting)
		event_del(listener->event);
	listener->accepting = false;
}

static bool
is_full(struct listener *listener)
{
	return atomic_load(&listener->open) >=
	    atomic_load(&listener->connections_max) ||
	    (!listener->settings.apart &&
		admission_full(network_admission(listener->network)));
}

/*
 * Stop while a limit is reached; true where it is.  It says that it waits
 * before it looks a last time, so whoever closes a connection either is seen
 * here or sees that it has to wake us.
 */
static bool
wait_while_full(struct listener *listener)
{
	if (!is_full(listener))
		return false;
	atomic_store(&listener->waiting, true);
	if (!is_full(listener) && atomic_exchange(&listener->waiting, false))
		return false;
	stop_accepting(listener);
	return true;
}


void
listener_wake(struct listener *listener)
{
	if (atomic_load(&listener->waiting) && !is_full(listener) &&
	    atomic_exchange(&listener->waiting, false))
		loop_post(listener->loop, &listener->wake);
}

static void
run_handover(struct task *task)
{
	struct handover *handover = CONTAINER_OF(task, struct handover, task);

	connection_open(handover->set, &handover->origin);
	free(handover);
}

static void
hand_over(struct listener *listener, const struct connection_origin *origin)
{
	const struct loop_group *loops = network_loops(listener->network);
	struct loop *loop = listener->settings.of_strangers ?
	    loop_group_pick_for_stranger(loops) :
	    loop_group_pick(loops);
	struct handover *handover = xcalloc(1, sizeof(*handover));

	loop_load_add(loop, 1);
	atomic_fetch_add(&listener->open, 1);
	network_connection_accepted(listener->network);
	handover->task.run = run_handover;
	handover->set = network_set(listener->network, loop);
	handover->origin = *origin;
	loop_post(loop, &handover->task);
}

/* --- Refusing ------------------------------------------------------------ */

static void
refusal_end(struct refusal *refusal)
{
	timer_stop(&refusal->timer);
	list_remove(&refusal->node);
	refusal->listener->refused_count--;
	close(refusal->fd);
	free(refusal);
}

static void
on_refused(struct timer *timer)
{
	refusal_end(CONTAINER_OF(timer, struct refusal, timer));
}

/* Whoever comes too often is kept waiting before he is told. */
static void
refuse_later(struct listener *listener, int fd, int64_t delay_ms)
{
	struct refusal *refusal;

	network_connection_rejected(listener->network);
	if (listener->refused_count >= REFUSED_MAX) {
		close(fd);
		return;
	}
	refusal = xcalloc(1, sizeof(*refusal));
	refusal->listener = listener;
	refusal->fd = fd;
	timer_init(&refusal->timer, on_refused);
	list_append(&listener->refused, &refusal->node);
	listener->refused_count++;
	timer_start(listener->loop, &refusal->timer, delay_ms);
}

static void
refuse_full(struct listener *listener, const struct connection_origin *origin)
{
	network_connection_rejected(listener->network);
	if (log_limit_admits(network_settings_of(listener->network)->lines,
		"rejected connection", slice_str(origin->host)))
		log_info("net", "Rejected connection from /%s: it already has "
		    "the maximum of %d connections", origin->host,
		    admission_limit(network_admission(listener->network),
			origin->host));
	close(origin->fd);
}

static struct accept_gate *
gate_of(const struct listener *listener)
{
	return network_settings_of(listener->network)->gate;
}

static void
admit(struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
	struct admission *admission = network_admission(listener->network);
	struct connection_origin origin = { .listener = listener, .fd = fd };
	struct accept_gate *gate = gate_of(listener);
	int64_t delay_ms = 0;

	host_format(peer, origin.host, &origin.port);
	if (gate != NULL)
		delay_ms =
		    gate->refuse(gate, listener->settings.name, origin.host);
	if (delay_ms > 0)
		refuse_later(listener, fd, delay_ms);
	else if (admission_enter(admission, origin.host) == ADMISSION_GRANTED)
		hand_over(listener, &origin);
	else
		refuse_full(listener, &origin);
}

/* --- Waiting ------------------------------------------------------------- */

/* True where the socket has to wait, and all behind it. */
static bool
hold(struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
	struct accept_gate *gate = gate_of(listener);
	int64_t delay_ms =
	    gate == NULL ? 0 : gate->pace(gate, listener->settings.name);

	if (delay_ms <= 0)
		return false;
	listener->held_fd = fd;
	listener->held_peer = *peer;
	stop_accepting(listener);
	timer_start(listener->loop, &listener->retry, delay_ms);
	return true;
}

/* Go on, first with the one that had to wait. */
static void
go_on(struct listener *listener)
{
	int fd = listener->held_fd;

	if (listener->stopped || wait_while_full(listener))
		return;
	listener->held_fd = -1;
	if (fd >= 0)
		admit(listener, fd, &listener->held_peer);
	start_accepting(listener);
}

static void
run_wake(struct task *task)
{
	struct listener *listener = CONTAINER_OF(task, struct listener, wake);

	if (!timer_running(&listener->retry))
		go_on(listener);
}

static void
on_retry(struct timer *timer)
{
	go_on(CONTAINER_OF(timer, struct listener, retry));
}

/*
 * There are no descriptors left: take the client with the spare one and close
 * it, so that it is told and does not keep us busy.
 */
static void
turn_away(struct listener *listener)
{
	int fd;

	if (!listener->exhausted)
		log_warn("net", "No file descriptors are left; connections "
		    "are closed as they come");
	listener->exhausted = true;
	if (listener->spare_fd >= 0)
		close(listener->spare_fd);
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		network_connection_rejected(listener->network);
	}
	listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	stop_accepting(listener);
	timer_start(listener->loop, &listener->retry, RETRY_MS);
}

/* accept failed; is it worth trying again at once? */
static bool
accept_failed(struct listener *listener)
{
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
		turn_away(listener);
		return false;
	case ENOBUFS:
	case ENOMEM:
		stop_accepting(listener);
		timer_start(listener->loop, &listener->retry, RETRY_MS);
		return false;
	default:
		/* The error was that connection's: a reset, a network. */
		return true;
	}
}

static void
on_connection(evutil_socket_t fd, short what UNUSED, void *argument)
{
	struct listener *listener = argument;

	loop_enter(listener->loop);
	for (int i = 0; i < ACCEPT_COUNT_MAX; i++) {
		struct sockaddr_storage peer = { 0 };
		socklen_t len = sizeof(peer);
		int accepted;

		if (wait_while_full(listener))
			return;
		accepted = accept4(fd, (struct sockaddr *)&peer, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (accepted < 0) {
			if (!accept_failed(listener))
				return;
			continue;
		}
		listener->exhausted = false;
		if (hold(listener, accepted, &peer))
			return;
		admit(listener, accepted, &peer);
	}
}

/* --- Binding ------------------------------------------------------------- */

static int
set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

/*
 * Accepted sockets inherit these, so they need no calls of their own.  A
 * buffer that cannot be had as asked for is no reason not to serve.
 */
static int
set_options(int fd, const struct listener_settings *settings, int family)
{
	if (settings->send_buffer_bytes >= 0)
		(void)set_option(fd, SOL_SOCKET, SO_SNDBUF,
		    settings->send_buffer_bytes);
	if (settings->receive_buffer_bytes >= 0)
		(void)set_option(fd, SOL_SOCKET, SO_RCVBUF,
		    settings->receive_buffer_bytes);
	if (family == AF_INET6 &&
	    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) != 0)
		return -1;
	if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0 ||
	    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) != 0 ||
	    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) != 0)
		return -1;
	return 0;
}

/* A listening socket, or -1 with errno. */
static int
bind_to(const struct addrinfo *address,
    const struct listener_settings *settings)
{
	int fd = socket(address->ai_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -1;
	if (set_options(fd, settings, address->ai_family) == 0 &&
	    bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
	    listen(fd, settings->backlog) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/*
 * The first address of a family that can be bound; -1 where there is none,
 * *error says why.
 */
static int
bind_first(const struct addrinfo *addresses, int family,
    const struct listener_settings *settings, int *error)
{
	for (const struct addrinfo *a = addresses; a != NULL; a = a->ai_next) {
		int fd;

		if (a->ai_family != family)
			continue;
		fd = bind_to(a, settings);
		if (fd >= 0)
			return fd;
		*error = errno;
	}
	return -1;
}

/*
 * A name means its IPv4 address if it has one, as in Java.  All addresses
 * means those of IPv6, which take IPv4 too, unless the system has no IPv6.
 */
static int
open_socket(const struct listener_settings *settings)
{
	bool all = settings->host == NULL || settings->host[0] == '\0';
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	const char *host = all ? "*" : settings->host;
	struct addrinfo *addresses;
	int error = EADDRNOTAVAIL, fd, result;
	char port[8];

	(void)snprintf(port, sizeof(port), "%u", settings->port);
	result = getaddrinfo(all ? NULL : host, port, &hints, &addresses);
	if (result != 0) {
		log_error("net", "Cannot listen on %s:%s: %s", host, port,
		    gai_strerror(result));
		return -1;
	}
	fd = bind_first(addresses, all ? AF_INET6 : AF_INET, settings, &error);
	if (fd < 0 && (!all || error == EAFNOSUPPORT ||
	    error == EADDRNOTAVAIL))
		fd = bind_first(addresses, all ? AF_INET : AF_INET6, settings,
		    &error);
	freeaddrinfo(addresses);
	if (fd < 0)
		log_error("net", "Cannot listen on %s:%s: %s", host, port,
		    strerror(error));
	return fd;
}

/* --- Life ---------------------------------------------------------------- */

static const char *
copy_text(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

static void
copy_settings(struct listener *listener,
    const struct listener_settings *settings)
{
	struct listener_settings *own = &listener->settings;
	char host[INET6_ADDRSTRLEN];
	struct sockaddr_storage local;

	*own = *settings;
	own->name = copy_text(settings->name);
	own->host = copy_text(settings->host);
	own->advertised_host = copy_text(settings->advertised_host);
	if (own->transport == NULL)
		own->transport = tcp_open;
	listener_local_address(listener->fd, &local);
	host_format(&local, host, &own->port);
	if (own->advertised_port == 0)
		own->advertised_port = own->port;
}

static void
run_start(struct task *task)
{
	start_accepting(CONTAINER_OF(task, struct listener, start));
}

static void
run_stop(struct task *task)
{
	struct listener *listener = CONTAINER_OF(task, struct listener, stop);

	stop_accepting(listener);
	listener->stopped = true;
	timer_stop(&listener->retry);
	event_free(listener->event);
	listener->event = NULL;
	close(listener->fd);
	if (listener->spare_fd >= 0)
		close(listener->spare_fd);
	if (listener->held_fd >= 0)
		close(listener->held_fd);
	listener->fd = listener->spare_fd = listener->held_fd = -1;
	while (!list_empty(&listener->refused))
		refusal_end(LIST_ENTRY(
		    listener->refused.head.next, struct refusal, node));
	network_listener_stopped(listener->network);
}

/* The listener's event is made here and added on its loop. */
static struct event *
make_event(struct listener *listener)
{
	return event_new(loop_base(listener->loop), listener->fd,
	    EV_READ | EV_PERSIST, on_connection, listener);
}

struct listener *
listener_new(struct network *network, const struct listener_settings *settings)
{
	struct listener *listener;
	int fd = open_socket(settings);

	if (fd < 0)
		return NULL;
	listener = xcalloc(1, sizeof(*listener));
	listener->fd = fd;
	listener->network = network;
	listener->loop = network_listener_loop(network);
	listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	atomic_store(&listener->connections_max, settings->connections_max);
	listener->held_fd = -1;
	list_init(&listener->refused);
	listener->event = make_event(listener);
	assert(listener->event != NULL);
	copy_settings(listener, settings);
	timer_init(&listener->retry, on_retry);
	listener->start.run = run_start;
	listener->stop.run = run_stop;
	listener->wake.run = run_wake;
	network_adopt(network, listener);
	if (!settings->deferred)
		listener_accept(listener);
	return listener;
}

void
listener_accept(struct listener *listener)
{
	loop_post(listener->loop, &listener->start);
}

void
listener_stop(struct listener *listener)
{
	loop_post(listener->loop, &listener->stop);
}

void
listener_free(struct listener *listener)
{
	assert(atomic_load(&listener->open) == 0);
	free((char *)(uintptr_t)listener->settings.name);
	free((char *)(uintptr_t)listener->settings.host);
	free((char *)(uintptr_t)listener->settings.advertised_host);
	free(listener);
}

int
listener_transport(const struct listener *listener,
    struct transport *transport, int fd)
{
	return listener->settings.transport(transport, fd,
	    listener->settings.transport_context);
}

void
listener_connection_closed(struct listener *listener)
{
	int before = atomic_fetch_sub(&listener->open, 1);

	assert(before > 0);
}

void
listener_set_connections_max(struct listener *listener, int32_t max)
{
	atomic_store(&listener->connections_max, max);
	listener_wake(listener);
}

const struct listener_settings *
listener_settings(const struct listener *listener)
{
	return &listener->settings;
}
