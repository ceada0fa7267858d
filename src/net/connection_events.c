#include "base/base.h"
#include "net/connection.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/loop.h"
#include "net/network.h"

#include <errno.h>
#include <event2/event.h>

/* --- The deadline of a frame or a handshake ------------------------------ */

void
connection_start_frame_deadline(struct connection *c)
{
	c->received_before = c->received;
	timer_start(c->set->loop, &c->deadline,
	    c->set->settings->partial_frame_ms_max);
}

void
connection_stop_frame_deadline(struct connection *c)
{
	if (!c->handshaking)
		timer_stop(&c->deadline);
}

/* Has a partial frame grown as fast as may be asked of a slow client? */
static bool
frame_grows(const struct connection *c)
{
	return c->received - c->received_before >=
	    (uint64_t)c->set->settings->partial_frame_ms_max;
}

static void
on_deadline(struct timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection,
	    deadline);

	/* What lets us read again starts it again. */
	if (!c->handshaking && !connection_may_read(c))
		return;
	if (!c->handshaking && frame_grows(c)) {
		connection_start_frame_deadline(c);
		return;
	}
	counter_add(&c->set->counters.deadline_closed, 1);
	connection_abort(c, c->handshaking ?
	    "the handshake took too long" : "a frame took too long");
}

/* --- The handshake ------------------------------------------------------- */

/* Who only comes to see whether somebody listens has not failed. */
static void
handshake_failed(struct connection *c)
{
	struct connection_handler *handler = c->set->handler;
	const char *reason = c->transport.reason;

	if (reason == NULL && errno != 0)
		reason = strerror(errno);
	if (reason != NULL && handler->unshaken != NULL)
		handler->unshaken(handler, c, reason);
	connection_abort(c, "the handshake failed");
}

/* One step of the handshake; true when it is complete. */
static bool
shake_hands(struct connection *c)
{
	struct connection_handler *handler = c->set->handler;
	int result = c->transport.ops->handshake(&c->transport);

	if (result == TRANSPORT_CLOSED) {
		handshake_failed(c);
		return false;
	}
	c->handshaking = result != 0;
	connection_update_writing(c);
	if (c->handshaking)
		return false;
	timer_stop(&c->deadline);
	connection_touch(c);
	if (handler->shaken != NULL)
		handler->shaken(handler, c);
	return !c->gone;
}

void
connection_start_handshake(struct connection *c)
{
	if (c->transport.ops->handshake == NULL)
		return;
	c->handshaking = true;
	timer_start(c->set->loop, &c->deadline,
	    c->set->settings->handshake_ms_max);
	if (!connection_turn_begin(c))
		return;
	(void)shake_hands(c);
	connection_turn_end(c);
}

/* --- The socket ---------------------------------------------------------- */

void
connection_start_reading(struct connection *c)
{
	if (!c->reading && event_add(c->read_event, NULL) == 0)
		c->reading = true;
}

void
connection_stop_reading(struct connection *c)
{
	if (!c->reading)
		return;
	event_del(c->read_event);
	c->reading = false;
	counter_add(&c->set->counters.pauses, 1);
}

void
connection_update_writing(struct connection *c)
{
	bool wanted = (c->blocked && !c->write_wants_read) ||
	    c->read_wants_write ||
	    (c->handshaking && c->transport.wants == TRANSPORT_WRITABLE);

	if (wanted && !c->writing && event_add(c->write_event, NULL) == 0)
		c->writing = true;
	if (!wanted && c->writing) {
		event_del(c->write_event);
		c->writing = false;
	}
}

void
connection_ready(struct connection *c)
{
	if (c->handshaking && !shake_hands(c))
		return;
	if (c->write_wants_read) {
		c->write_wants_read = c->blocked = false;
		loop_defer_last(c->set->loop, &c->flush);
	}
	/* Only now, because by now most pauses are over without a call. */
	if (!connection_may_read(c))
		connection_stop_reading(c);
	else
		connection_receive(c);
}

static void
on_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *argument)
{
	struct connection *c = argument;

	loop_enter(c->set->loop);
	if (!connection_turn_begin(c))
		return;
	connection_ready(c);
	connection_turn_end(c);
}

static void
on_writable(evutil_socket_t fd UNUSED, short what UNUSED, void *argument)
{
	struct connection *c = argument;

	loop_enter(c->set->loop);
	if (!c->write_wants_read)
		c->blocked = false;
	if (!c->handshaking)
		loop_defer_last(c->set->loop, &c->flush);
	if (!c->handshaking && !(c->read_wants_write && connection_may_read(c)))
		return;
	if (!connection_turn_begin(c))
		return;
	if (!c->handshaking)
		connection_receive(c);
	else if (shake_hands(c))
		loop_defer_last(c->set->loop, &c->flush);
	connection_turn_end(c);
}

int
connection_watch(struct connection *c)
{
	struct event_base *base = loop_base(c->set->loop);

	c->read_event = event_new(base, c->transport.fd,
	    EV_READ | EV_PERSIST, on_readable, c);
	c->write_event = event_new(base, c->transport.fd,
	    EV_WRITE | EV_PERSIST, on_writable, c);
	if (c->read_event == NULL || c->write_event == NULL)
		return -1;
	connection_start_reading(c);
	return c->reading ? 0 : -1;
}

void
connection_unwatch(struct connection *c)
{
	if (c->read_event != NULL)
		event_free(c->read_event);
	if (c->write_event != NULL)
		event_free(c->write_event);
	c->read_event = c->write_event = NULL;
}

void
connection_events_init(struct connection *c)
{
	timer_init(&c->deadline, on_deadline);
}
