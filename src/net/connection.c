#include "base/base.h"
#include "base/log.h"
#include "net/connection.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/host.h"
#include "net/listener.h"
#include "net/listener_inner.h"
#include "net/loop.h"
#include "net/network.h"
#include "net/network_inner.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

/* Everything is over: no exchange refers to it. */
static void
run_end(struct task *task)
{
	struct connection *c = CONTAINER_OF(task, struct connection, end);
	struct connection_handler *handler = c->set->handler;
	struct network *network = c->set->network;

	assert(c->gone && c->outbox.count == 0);
	if (handler->freed != NULL)
		handler->freed(handler, c);
	inbox_clear(&c->inbox);
	free(c->id);
	free(c);
	network_connection_freed(network);
}

void
connection_touch(struct connection *c)
{
	c->active_ms = loop_now_ms(c->set->loop);
	list_remove(&c->node);
	list_append(&c->set->connections, &c->node);
}

static char *
make_id(struct connection_set *set, const struct connection_origin *origin)
{
	struct sockaddr_storage local;
	char host[INET6_ADDRSTRLEN];
	uint16_t port;

	listener_local_address(origin->fd, &local);
	host_format(&local, host, &port);
	return xasprintf("%s:%u-%s:%u-%d-%d", host, port, origin->host,
	    origin->port, loop_index(set->loop), set->next_index++);
}

static void
on_login(struct timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, login);

	counter_add(&c->set->counters.deadline_closed, 1);
	connection_abort(c, "the login took too long");
}

static struct connection *
connection_new(struct connection_set *set,
    const struct connection_origin *origin)
{
	struct connection *c = xcalloc(1, sizeof(*c));

	c->set = set;
	c->origin = *origin;
	c->visiting = connection_listener(c)->of_strangers;
	c->id = make_id(set, origin);
	inbox_init(&c->inbox, set->budget);
	outbox_init(&c->outbox);
	c->frame_len_max = set->settings->frame_len_max;
	c->read_len_max = CONNECTION_FIRST_READ_LEN;
	connection_events_init(c);
	connection_receive_init(c);
	connection_send_init(c);
	connection_flow_init(c);
	connection_move_init(c);
	timer_init(&c->login, on_login);
	c->end.run = run_end;
	c->active_ms = loop_now_ms(set->loop);
	list_append(&set->connections, &c->node);
	return c;
}

static int
open_transport(struct connection *c)
{
	int fd = c->origin.fd;

	if (listener_transport(c->origin.listener, &c->transport, fd) == 0)
		return connection_watch(c);
	close(fd);
	return -1;
}

void
connection_open(struct connection_set *set,
    const struct connection_origin *origin)
{
	struct connection *c = connection_new(set, origin);

	if (open_transport(c) != 0) {
		connection_abort(c, "it cannot be watched");
		return;
	}
	if (set->handler->opened != NULL)
		set->handler->opened(set->handler, c);
	if (!c->gone)
		connection_start_handshake(c);
	if (set->draining)
		connection_close(c, "the server stops");
	connection_set_watch_idle(set);
	network_close_excess(set->network);
}

static void
close_socket(struct connection *c)
{
	timer_stop(&c->deadline);
	timer_stop(&c->login);
	timer_stop(&c->unmute);
	timer_stop(&c->retry);
	connection_favour_end(c);
	connection_turn_leave(c);
	loop_undefer(&c->flush);
	loop_undefer(&c->resume);
	connection_unwatch(c);
	if (c->transport.ops != NULL)
		c->transport.ops->close(&c->transport);
}

/* Drop replies that are ready and tell the others that they may give up. */
static void
drop_exchanges(struct connection *c)
{
	struct list_node *node;
	struct list all;

	list_init(&all);
	list_splice(&all, &c->outbox.exchanges);
	while ((node = list_pop(&all)) != NULL) {
		struct exchange *exchange =
		    LIST_ENTRY(node, struct exchange, node);

		list_append(&c->outbox.exchanges, node);
		if (exchange->state == EXCHANGE_READY) {
			outbox_remove(&c->outbox, exchange);
			exchange->release(exchange);
		} else if (exchange->cancel != NULL) {
			exchange->cancel(exchange);
		}
	}
}

void
connection_abort(struct connection *c, const char *reason)
{
	if (c->gone)
		return;
	c->gone = true;
	log_debug("net", "[%s] closed: %s", c->id, reason);
	close_socket(c);
	list_remove(&c->node);
	counter_add(&c->set->counters.closed, 1);
	loop_load_add(c->set->loop, -1);
	listener_connection_closed(c->origin.listener);
	network_connection_closed(c->set->network, c->origin.host);
	drop_exchanges(c);
	/* Later, because we may be inside its handler or its frames. */
	if (c->outbox.count == 0)
		loop_defer(c->set->loop, &c->end);
}

void
connection_close(struct connection *c, const char *reason)
{
	if (c->gone || c->closing)
		return;
	c->closing = true;
	c->close_reason = reason;
	timer_stop(&c->deadline);
	connection_stop_reading(c);
	if (c->outbox.count == 0)
		connection_abort(c, reason);
}

void
connection_expect_login(struct connection *c)
{
	inbox_set_budget(&c->inbox,
	    network_strangers_budget(c->set->network));
	timer_start(c->set->loop, &c->login,
	    c->set->settings->handshake_ms_max);
}

void
connection_logged_in(struct connection *c)
{
	inbox_set_budget(&c->inbox, c->set->budget);
	timer_stop(&c->login);
}

void
connection_set_frame_len_max(struct connection *c, size_t len)
{
	c->frame_len_max = len;
}

/* --- Accessors ----------------------------------------------------------- */

struct loop *
connection_loop(const struct connection *c)
{
	return c->set->loop;
}

const struct listener_settings *
connection_listener(const struct connection *c)
{
	return listener_settings(c->origin.listener);
}

const char *
connection_listener_name(const struct connection *c)
{
	return connection_listener(c)->name;
}

int32_t
connection_node_id(const struct connection *c)
{
	return connection_listener(c)->node_id;
}

void
connection_time(struct connection *c, bool timed)
{
	if (c->transport.timed == timed)
		return;
	c->transport.timed = timed;
	c->transport.spent_us = 0;
}

bool
connection_is_timed(const struct connection *c)
{
	return c->transport.timed;
}

int64_t
connection_take_time_us(struct connection *c)
{
	int64_t spent_us = c->transport.spent_us;

	c->transport.spent_us = 0;
	return spent_us;
}

struct x509_st *
connection_certificate(const struct connection *c)
{
	if (c->gone || c->transport.ops->certificate == NULL)
		return NULL;
	return c->transport.ops->certificate(&c->transport);
}

const char *
connection_peer_host(const struct connection *c)
{
	return c->origin.host;
}

uint16_t
connection_peer_port(const struct connection *c)
{
	return c->origin.port;
}

const char *
connection_id(const struct connection *c)
{
	return c->id;
}

void *
connection_session(const struct connection *c)
{
	return c->session;
}

void
connection_set_session(struct connection *c, void *session)
{
	c->session = session;
}

struct spares *
connection_spares(const struct connection *c)
{
	return &c->set->spares;
}

struct budget *
connection_budget(const struct connection *c)
{
	return c->set->budget;
}
