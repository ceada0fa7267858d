#include "base/base.h"
#include "base/budget.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "net/connection.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/frame.h"
#include "net/loop.h"
#include "net/network.h"

#include <errno.h>
#include <sys/uio.h>

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
		connection_send(c);
	if (!connection_may_handle(c))
		return false;
	if (!connection_overspent(c))
		return connection_turn_goes_on(c);
	connection_starve(c);
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
		connection_starve(c);
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

/* After frames have been handled: what holds from now on. */
static void
settle(struct connection *c)
{
	if (c->gone)
		return;
	if (c->closing)
		inbox_clear(&c->inbox);
	connection_favour_end(c);
	if (c->starved && inbox_len(&c->inbox) == 0 &&
	    !connection_overspent(c)) {
		c->starved = false;
		timer_stop(&c->retry);
	}
	if (inbox_len(&c->inbox) == 0 || !connection_may_read(c))
		timer_stop(&c->deadline);
	else if (!timer_running(&c->deadline))
		connection_start_frame_deadline(c);
	if (c->transport.pending && connection_may_read(c))
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
		connection_update_writing(c);
		return;
	}
	connection_abort(c, errno == 0 || errno == ECONNRESET ?
	    "the client closed it" : "it cannot be read");
}

/*
 * A read with so many frames has been taken in; full: there was more than it
 * could bring.  More frames than may be under way at once gain nothing from a
 * longer read, and of a client that takes no replies they would lie in the
 * inbox.
 */
static void
adapt_reads(struct connection *c, uint64_t frames, bool full)
{
	if (c->stalled || frames > c->set->settings->in_flight_max)
		c->read_len_max =
		    MAX(c->read_len_max / 2, CONNECTION_POOR_READ_LEN);
	else if (full)
		c->read_len_max =
		    MIN(2 * c->read_len_max, CONNECTION_SET_SCRATCH_LEN);
}

/*
 * Has a read brought all that it could, where it has put len bytes into room
 * for so many?  Of what comes in units it may have left room for one; but a
 * few bytes are no sign of more.  A read that was made short, for want of
 * memory, is no sign either.
 */
static bool
is_full(const struct connection *c, size_t len, size_t room)
{
	return room >= c->read_len_max && len >= room / 2 &&
	    room - len <= c->transport.ops->unit_len_max;
}

void
connection_receive(struct connection *c)
{
	struct connection_set *set = c->set;
	struct iovec iov[2];
	size_t into_inbox;
	uint64_t frames;
	bool full;
	ssize_t n;

	if (connection_overspent(c)) {
		connection_starve(c);
		connection_stop_reading(c);
		return;
	}
	iov[0].iov_base =
	    inbox_spare(&c->inbox, partial_total(c), &iov[0].iov_len);
	iov[1].iov_base = set->scratch;
	iov[1].iov_len =
	    budget_left(c->inbox.budget) > CONNECTION_SET_SCRATCH_LEN
	    ? c->read_len_max : CONNECTION_POOR_READ_LEN;
	c->read_wants_write = false;
	counter_add(&set->counters.reads, 1);
	/* An inbox without room is left out of the vector. */
	n = iov[0].iov_len > 0
	    ? transport_readv(&c->transport, iov, 2)
	    : transport_readv(&c->transport, iov + 1, 1);
	if (n <= 0) {
		read_failed(c, n);
		return;
	}
	counter_add(&set->counters.read_bytes, (uint64_t)n);
	c->received += (uint64_t)n;
	connection_touch(c);
	into_inbox = MIN((size_t)n, iov[0].iov_len);
	inbox_added(&c->inbox, into_inbox);
	full = is_full(c, (size_t)n - into_inbox, iov[1].iov_len);
	frames = counter_get(&set->counters.frames);
	take_in(c, set->scratch, (size_t)n - into_inbox);
	adapt_reads(c, counter_get(&set->counters.frames) - frames, full);
	settle(c);
}

void
connection_go_on(struct connection *c)
{
	if (c->stalled && connection_may_handle(c)) {
		handle_inbox(c);
		if (c->gone)
			return;
		inbox_shrink(&c->inbox, partial_total(c));
	}
	settle(c);
	if (c->gone || !connection_may_read(c))
		return;
	connection_start_reading(c);
	if (c->transport.pending)
		connection_receive(c);
}

static void
run_resume(struct task *task)
{
	struct connection *c = CONTAINER_OF(task, struct connection, resume);

	if ((c->stalled || c->transport.pending) && !connection_turn_begin(c))
		return;
	connection_go_on(c);
	connection_turn_end(c);
}

void
connection_receive_init(struct connection *c)
{
	c->resume.run = run_resume;
}
