#include "base/base.h"
#include "base/budget.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "net/connection.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/frame.h"
#include "net/host.h"
#include "net/listener.h"
#include "net/listener_inner.h"
#include "net/loop.h"
#include "net/network.h"
#include "net/network_inner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a read may bring while the memory budget is used up. */
#define POOR_READ_LEN ((size_t)4096)

/* How long a connection waits that lacks memory. */
#define RETRY_MS 50

/* --- What may happen ----------------------------------------------------- */

/* May a frame be handled now? */
static bool
may_handle(const struct connection *c)
{
	const struct network_settings *settings = c->set->settings;

	return !c->gone && !c->closing && !c->muted && !c->handshaking &&
	    c->exclusives == 0 && c->outbox.count < settings->in_flight_max &&
	    c->outbox.len <= settings->output_len_max;
}

static bool
may_read(const struct connection *c)
{
	return may_handle(c) && !c->starved && !c->stalled;
}

static void
touch(struct connection *c)
{
	c->active_ms = loop_now_ms(c->set->loop);
	list_remove(&c->node);
	list_append(&c->set->connections, &c->node);
}

static void
start_reading(struct connection *c)
{
	if (!c->reading && event_add(c->read_event, NULL) == 0)
		c->reading = true;
}

static void
stop_reading(struct connection *c)
{
	if (!c->reading)
		return;
	event_del(c->read_event);
	c->reading = false;
	counter_add(&c->set->counters.pauses, 1);
}

/* Watch for writability as long as somebody waits for it. */
static void
update_writing(struct connection *c)
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

static void
free_events(struct connection *c)
{
	if (c->read_event != NULL)
		event_free(c->read_event);
	if (c->write_event != NULL)
		event_free(c->write_event);
	c->read_event = c->write_event = NULL;
}

/* --- Memory -------------------------------------------------------------- */

/* Wait until there may be memory again. */
static void
starve(struct connection *c)
{
	counter_add(&c->set->counters.budget_waits, 1);
	c->starved = true;
	timer_stop(&c->deadline);
	timer_start(c->set->loop, &c->retry, RETRY_MS);
}

/*
 * Is so much in use that no request may begin?  Whoever is favoured has one
 * at a time.
 */
static bool
overspent(const struct connection *c)
{
	return budget_overspent(c->set->budget) &&
	    !(c->favoured && c->outbox.count == 0);
}

static bool
favour_take(struct connection *c)
{
	if (!c->favoured && may_handle(c))
		c->favoured = network_favour_take(c->set->network);
	return c->favoured;
}

/* It holds no memory any more: it is another one's turn. */
static void
favour_end(struct connection *c)
{
	if (!c->favoured ||
	    (!c->gone && (inbox_len(&c->inbox) > 0 || c->outbox.count > 0)))
		return;
	c->favoured = false;
	network_favour_give(c->set->network);
}

/*
 * May a starved connection go on?  All that hold a part of a frame could wait
 * for each other, so one of them is favoured.
 */
static bool
may_go_on(struct connection *c)
{
	if (inbox_len(&c->inbox) == 0)
		return !overspent(c);
	return budget_left(c->set->budget) > 0 || favour_take(c);
}

void
connection_resume(struct connection *c)
{
	favour_end(c);
	if (c->handling || !may_handle(c))
		return;
	if (c->stalled || !c->reading || c->transport.pending)
		loop_defer(c->set->loop, &c->resume);
}

/* --- Sending ------------------------------------------------------------- */

static void
send_blocked(struct connection *c)
{
	c->blocked = true;
	if (c->transport.wants == TRANSPORT_READABLE) {
		c->write_wants_read = true;
		start_reading(c);
	}
}

/* Send what is ready.  The connection may be gone afterwards. */
static void
send_replies(struct connection *c)
{
	enum outbox_result result;
	bool progress;

	if (c->gone || c->blocked || c->handshaking)
		return;
	result = outbox_send(&c->outbox, &c->transport, &c->set->tools,
	    &progress);
	if (progress)
		touch(c);
	switch (result) {
	case OUTBOX_DONE:
		break;
	case OUTBOX_MORE:
		loop_defer_last(c->set->loop, &c->flush);
		break;
	case OUTBOX_BLOCKED:
		send_blocked(c);
		break;
	case OUTBOX_CLOSED:
		connection_abort(c, "the client does not take replies");
		return;
	case OUTBOX_BAD_FILE:
		log_error("net", "[%s] cannot read what is to be sent: %s",
		    c->id, errno == 0 ? "file too short" : strerror(errno));
		connection_abort(c, "a file cannot be read");
		return;
	}
	update_writing(c);
}

/* --- Moving to another loop ---------------------------------------------- */

/* Nothing is under way, neither here nor with whom handles its requests. */
static bool
at_rest(const struct connection *c)
{
	return c->outbox.count == 0 && inbox_len(&c->inbox) == 0 &&
	    may_read(c) && c->reading && !c->handling && !c->writing &&
	    !c->blocked && !c->read_wants_write && !c->write_wants_read &&
	    !c->transport.pending && !timer_running(&c->deadline) &&
	    !timer_running(&c->login) &&
	    !timer_running(&c->unmute) && !timer_running(&c->retry) &&
	    !list_node_linked(&c->resume.node) &&
	    !list_node_linked(&c->flush.node);
}

/* Move it where there is less to do, where that is asked for. */
static void
relieve(struct connection *c)
{
	struct connection_set *to = connection_set_relief(c->set);

	if (to == NULL)
		return;
	free_events(c);
	c->reading = false;
	list_remove(&c->node);
	loop_load_add(c->set->loop, -1);
	counter_add(&c->set->counters.moves, 1);
	c->set = to;
	loop_load_add(to->loop, 1);
	loop_post(to->loop, &c->arrive);
}

/* --- The end of a pass ---------------------------------------------------- */

static void
run_flush(struct task *task)
{
	struct connection *c = CONTAINER_OF(task, struct connection, flush);

	send_replies(c);
	if (c->gone)
		return;
	if (c->closing && c->outbox.count == 0) {
		connection_abort(c, c->close_reason);
		return;
	}
	connection_resume(c);
	if (at_rest(c))
		relieve(c);
}

/* --- Frames -------------------------------------------------------------- */

static void
reject_frame(struct connection *c, const uint8_t *data)
{
	counter_add(&c->set->counters.bad_frames, 1);
	if (log_limit_admits(c->set->settings->lines, "invalid frame",
		slice_str(c->origin.host)))
		log_info("net", "[%s] invalid frame of %d bytes, the maximum "
		    "is %zu", c->id, (int32_t)be32_get(data),
		    c->frame_len_max);
	connection_close(c, "an invalid frame");
}

/*
 * May the next frame be handled?  Where too many replies wait to be sent, they
 * are sent first.
 */
static bool
make_room(struct connection *c)
{
	const struct network_settings *settings = c->set->settings;

	if ((c->outbox.count >= settings->in_flight_max ||
		c->outbox.len > settings->output_len_max) &&
	    outbox_can_send(&c->outbox))
		send_replies(c);
	if (!may_handle(c))
		return false;
	if (!overspent(c))
		return true;
	starve(c);
	return false;
}

static void
handle_frame(struct connection *c, const uint8_t *data, size_t total)
{
	struct connection_handler *handler = c->set->handler;

	counter_add(&c->set->counters.frames, 1);
	c->handling = true;
	handler->frame(handler, c, slice_of(data + FRAME_SIZE_LEN,
	    total - FRAME_SIZE_LEN));
	c->handling = false;
}

/* Put bytes into the inbox, which is to hold wanted of them. */
static void
park(struct connection *c, const uint8_t *data, size_t len, size_t wanted)
{
	counter_add(&c->set->counters.parks, 1);
	counter_add(&c->set->counters.parked_bytes, len);
	if (!inbox_append(&c->inbox, data, len, wanted) && !c->favoured)
		starve(c);
}

/* What the inbox, which is not empty, begins with. */
static enum frame_state
inbox_state(const struct connection *c, size_t *total)
{
	return frame_parse(inbox_data(&c->inbox), inbox_len(&c->inbox),
	    c->frame_len_max, total);
}

/*
 * Give a partial frame in the inbox what it lacks, out of len bytes at data;
 * how many it took.
 */
static size_t
fill_inbox(struct connection *c, const uint8_t *data, size_t len)
{
	size_t taken = 0, total, step;

	while (taken < len && inbox_len(&c->inbox) > 0 &&
	    inbox_state(c, &total) == FRAME_PARTIAL) {
		step = MAX(total, FRAME_SIZE_LEN) - inbox_len(&c->inbox);
		step = MIN(step, len - taken);
		park(c, data + taken, step, total > 0 ? total : SIZE_MAX);
		taken += step;
	}
	return taken;
}

/* Handle the frames in the inbox that are complete. */
static void
handle_inbox(struct connection *c)
{
	size_t total;

	c->stalled = false;
	while (!c->gone && !c->closing && inbox_len(&c->inbox) > 0) {
		enum frame_state state = inbox_state(c, &total);

		if (state == FRAME_PARTIAL)
			return;
		if (state == FRAME_BAD) {
			reject_frame(c, inbox_data(&c->inbox));
			return;
		}
		timer_stop(&c->deadline);
		if (!make_room(c)) {
			c->stalled = true;
			return;
		}
		handle_frame(c, inbox_data(&c->inbox), total);
		inbox_consume(&c->inbox, total);
	}
}

/*
 * Handle frames where they are, in the scratch buffer; the bytes of those that
 * were handled.  *wanted is how many bytes the rest is going to have.
 */
static size_t
handle_in_place(struct connection *c, const uint8_t *data, size_t len,
    size_t *wanted)
{
	size_t done = 0, total;

	*wanted = len;
	while (!c->gone && !c->closing && done < len) {
		enum frame_state state = frame_parse(data + done, len - done,
		    c->frame_len_max, &total);

		if (state == FRAME_PARTIAL) {
			*wanted = total > 0 ? total : SIZE_MAX;
			break;
		}
		if (state == FRAME_BAD) {
			reject_frame(c, data + done);
			break;
		}
		if (!make_room(c)) {
			c->stalled = true;
			break;
		}
		handle_frame(c, data + done, total);
		done += total;
	}
	return done;
}

/* Take in len bytes of the scratch buffer. */
static void
take_in(struct connection *c, const uint8_t *data, size_t len)
{
	size_t done = fill_inbox(c, data, len), wanted;

	handle_inbox(c);
	data += done;
	len -= done;
	wanted = inbox_len(&c->inbox) + len;
	if (!c->stalled) {
		done = handle_in_place(c, data, len, &wanted);
		data += done;
		len -= done;
	}
	if (!c->gone && !c->closing && len > 0)
		park(c, data, len, wanted);
}

/* A partial frame has so long from now on to be complete, or to grow. */
static void
frame_deadline_start(struct connection *c)
{
	c->received_before = c->received;
	timer_start(c->set->loop, &c->deadline,
	    c->set->settings->partial_frame_ms_max);
}

/* Has a partial frame grown as fast as may be asked of a slow client? */
static bool
frame_grows(const struct connection *c)
{
	return c->received - c->received_before >=
	    (uint64_t)c->set->settings->partial_frame_ms_max;
}

/* After frames have been handled: what holds from now on. */
static void
settle(struct connection *c)
{
	if (c->gone)
		return;
	if (c->closing)
		inbox_clear(&c->inbox);
	favour_end(c);
	if (c->starved && inbox_len(&c->inbox) == 0 && !overspent(c)) {
		c->starved = false;
		timer_stop(&c->retry);
	}
	if (inbox_len(&c->inbox) == 0 || !may_handle(c) || c->starved)
		timer_stop(&c->deadline);
	else if (!timer_running(&c->deadline))
		frame_deadline_start(c);
	if (c->transport.pending && may_read(c))
		loop_defer_last(c->set->loop, &c->resume);
}

/* --- Receiving ----------------------------------------------------------- */

/* The whole of the partial frame in the inbox, 0 where it is not known. */
static size_t
partial_total(const struct connection *c)
{
	size_t total;

	if (inbox_len(&c->inbox) == 0 ||
	    inbox_state(c, &total) != FRAME_PARTIAL)
		return 0;
	return total;
}

static void
read_failed(struct connection *c, ssize_t result)
{
	if (result == TRANSPORT_AGAIN) {
		c->read_wants_write = c->transport.wants == TRANSPORT_WRITABLE;
		update_writing(c);
		return;
	}
	connection_abort(c, errno == 0 || errno == ECONNRESET ?
	    "the client closed it" : "it cannot be read");
}

/*
 * One read, which completes a partial frame where it lies and brings the rest
 * into the scratch buffer.
 */
static void
receive(struct connection *c)
{
	struct connection_set *set = c->set;
	struct iovec iov[2];
	size_t into_inbox;
	ssize_t n;

	if (overspent(c)) {
		starve(c);
		stop_reading(c);
		return;
	}
	iov[0].iov_base =
	    inbox_spare(&c->inbox, partial_total(c), &iov[0].iov_len);
	iov[1].iov_base = set->scratch;
	iov[1].iov_len = budget_left(set->budget) > CONNECTION_SET_SCRATCH_LEN
	    ? CONNECTION_SET_SCRATCH_LEN : POOR_READ_LEN;
	c->read_wants_write = false;
	counter_add(&set->counters.reads, 1);
	/* An inbox without room is left out of the vector. */
	n = iov[0].iov_len > 0
	    ? c->transport.ops->readv(&c->transport, iov, 2)
	    : c->transport.ops->readv(&c->transport, iov + 1, 1);
	if (n <= 0) {
		read_failed(c, n);
		return;
	}
	counter_add(&set->counters.read_bytes, (uint64_t)n);
	c->received += (uint64_t)n;
	touch(c);
	into_inbox = MIN((size_t)n, iov[0].iov_len);
	inbox_added(&c->inbox, into_inbox);
	take_in(c, set->scratch, (size_t)n - into_inbox);
	settle(c);
}

static void
run_resume(struct task *task)
{
	struct connection *c = CONTAINER_OF(task, struct connection, resume);

	if (c->stalled && may_handle(c)) {
		handle_inbox(c);
		if (c->gone)
			return;
		inbox_shrink(&c->inbox, partial_total(c));
	}
	settle(c);
	if (c->gone || !may_read(c))
		return;
	start_reading(c);
	if (c->transport.pending)
		receive(c);
}

/* --- Events -------------------------------------------------------------- */

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
	update_writing(c);
	if (c->handshaking)
		return false;
	timer_stop(&c->deadline);
	touch(c);
	if (handler->shaken != NULL)
		handler->shaken(handler, c);
	return !c->gone;
}

static void
on_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *argument)
{
	struct connection *c = argument;

	loop_enter(c->set->loop);
	if (c->handshaking && !shake_hands(c))
		return;
	if (c->write_wants_read) {
		c->write_wants_read = c->blocked = false;
		loop_defer_last(c->set->loop, &c->flush);
	}
	/* Only now, because by now most pauses are over without a call. */
	if (!may_read(c))
		stop_reading(c);
	else
		receive(c);
}

static void
on_writable(evutil_socket_t fd UNUSED, short what UNUSED, void *argument)
{
	struct connection *c = argument;

	loop_enter(c->set->loop);
	if (c->handshaking && !shake_hands(c))
		return;
	if (!c->write_wants_read)
		c->blocked = false;
	if (c->read_wants_write && may_read(c))
		receive(c);
	if (!c->gone)
		loop_defer_last(c->set->loop, &c->flush);
}

static void
on_deadline(struct timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection,
	    deadline);

	if (!c->handshaking && frame_grows(c)) {
		frame_deadline_start(c);
		return;
	}
	counter_add(&c->set->counters.deadline_closed, 1);
	connection_abort(c, c->handshaking ?
	    "the handshake took too long" : "a frame took too long");
}

static void
on_login(struct timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, login);

	counter_add(&c->set->counters.deadline_closed, 1);
	connection_abort(c, "the login took too long");
}

static void
on_unmute(struct timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, unmute);

	c->muted = false;
	connection_resume(c);
}

/* There may be memory again; if not, the next read finds out. */
static void
on_retry(struct timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, retry);

	if (!may_go_on(c)) {
		timer_start(c->set->loop, &c->retry, RETRY_MS);
		return;
	}
	c->starved = false;
	connection_resume(c);
}

/* --- Life ---------------------------------------------------------------- */

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

/* Make the transport's events on its loop; -1 where that cannot be done. */
static int
watch_transport(struct connection *c)
{
	struct event_base *base = loop_base(c->set->loop);

	c->read_event = event_new(base, c->transport.fd,
	    EV_READ | EV_PERSIST, on_readable, c);
	c->write_event = event_new(base, c->transport.fd,
	    EV_WRITE | EV_PERSIST, on_writable, c);
	if (c->read_event == NULL || c->write_event == NULL)
		return -1;
	start_reading(c);
	return c->reading ? 0 : -1;
}

/* On the loop that it goes on with. */
static void
run_arrive(struct task *task)
{
	struct connection *c = CONTAINER_OF(task, struct connection, arrive);

	c->active_ms = loop_now_ms(c->set->loop);
	list_append(&c->set->connections, &c->node);
	if (watch_transport(c) != 0) {
		connection_abort(c, "it cannot be watched");
		return;
	}
	if (c->set->draining)
		connection_close(c, "the server stops");
	connection_set_watch_idle(c->set);
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

static struct connection *
connection_new(struct connection_set *set,
    const struct connection_origin *origin)
{
	struct connection *c = xcalloc(1, sizeof(*c));

	c->set = set;
	c->origin = *origin;
	c->id = make_id(set, origin);
	inbox_init(&c->inbox, set->budget);
	outbox_init(&c->outbox);
	c->frame_len_max = set->settings->frame_len_max;
	timer_init(&c->deadline, on_deadline);
	timer_init(&c->login, on_login);
	timer_init(&c->unmute, on_unmute);
	timer_init(&c->retry, on_retry);
	c->flush.run = run_flush;
	c->resume.run = run_resume;
	c->end.run = run_end;
	c->arrive.run = run_arrive;
	c->active_ms = loop_now_ms(set->loop);
	list_append(&set->connections, &c->node);
	return c;
}

static int
open_transport(struct connection *c)
{
	int fd = c->origin.fd;

	if (listener_transport(c->origin.listener, &c->transport, fd) == 0)
		return watch_transport(c);
	close(fd);
	return -1;
}

static void
start_handshake(struct connection *c)
{
	if (c->transport.ops->handshake == NULL)
		return;
	c->handshaking = true;
	timer_start(c->set->loop, &c->deadline,
	    c->set->settings->handshake_ms_max);
	(void)shake_hands(c);
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
		start_handshake(c);
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
	favour_end(c);
	loop_undefer(&c->flush);
	loop_undefer(&c->resume);
	free_events(c);
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
	stop_reading(c);
	if (c->outbox.count == 0)
		connection_abort(c, reason);
}

void
connection_expect_login(struct connection *c)
{
	timer_start(c->set->loop, &c->login,
	    c->set->settings->handshake_ms_max);
}

void
connection_logged_in(struct connection *c)
{
	timer_stop(&c->login);
}

void
connection_mute(struct connection *c, int64_t delay_ms)
{
	int64_t end_ms = loop_now_ms(c->set->loop) + delay_ms;

	if (c->gone || delay_ms <= 0 ||
	    (timer_running(&c->unmute) && c->unmute.expiry_ms >= end_ms))
		return;
	c->muted = true;
	timer_start(c->set->loop, &c->unmute, delay_ms);
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
