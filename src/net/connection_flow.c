#include "base/base.h"
#include "base/budget.h"
#include "net/connection.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/loop.h"
#include "net/network.h"
#include "net/network_inner.h"

/* How long a connection waits that lacks memory. */
#define RETRY_MS 50

bool
connection_may_handle(const struct connection *c)
{
	const struct network_settings *settings = c->set->settings;

	return !c->gone && !c->closing && !c->muted && !c->handshaking &&
	    !c->blocked && c->exclusives == 0 &&
	    c->outbox.count < settings->in_flight_max &&
	    c->outbox.len <= settings->output_len_max;
}

bool
connection_may_read(const struct connection *c)
{
	return connection_may_handle(c) && !c->starved && !c->stalled;
}

void
connection_starve(struct connection *c)
{
	counter_add(&c->set->counters.budget_waits, 1);
	c->starved = true;
	timer_stop(&c->deadline);
	timer_start(c->set->loop, &c->retry, RETRY_MS);
}

bool
connection_overspent(const struct connection *c)
{
	return budget_overspent(c->set->budget) &&
	    !(c->favoured && c->outbox.count == 0);
}

static bool
favour_take(struct connection *c)
{
	if (!c->favoured && connection_may_handle(c))
		c->favoured = network_favour_take(c->set->network);
	return c->favoured;
}

void
connection_favour_end(struct connection *c)
{
	if (!c->favoured ||
	    (!c->gone && (inbox_len(&c->inbox) > 0 || c->outbox.count > 0)))
		return;
	c->favoured = false;
	network_favour_give(c->set->network);
}

static bool
takes_from_strangers(const struct connection *c)
{
	return c->inbox.budget != c->set->budget;
}

/*
 * May a starved connection go on?  All that hold a part of a frame could wait
 * for each other, so one of them is favoured.  Strangers need no favour: what
 * they hold comes free when they have not logged in in time.
 */
static bool
may_go_on(struct connection *c)
{
	if (inbox_len(&c->inbox) == 0)
		return !connection_overspent(c);
	return budget_left(c->inbox.budget) > 0 ||
	    (!takes_from_strangers(c) && favour_take(c));
}

/* Has it a partial frame whose time has stood still? */
static bool
awaits_rest(const struct connection *c)
{
	return inbox_len(&c->inbox) > 0 && !timer_running(&c->deadline);
}

void
connection_resume(struct connection *c)
{
	connection_favour_end(c);
	if (c->handling || !connection_may_handle(c))
		return;
	if (c->stalled || !c->reading || c->transport.pending ||
	    awaits_rest(c))
		loop_defer(c->set->loop, &c->resume);
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

static void
on_unmute(struct timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, unmute);

	c->muted = false;
	connection_resume(c);
}

void
connection_mute(struct connection *c, int64_t delay_ms)
{
	int64_t end_ms = loop_now_ms(c->set->loop) + delay_ms;

	if (c->gone || delay_ms <= 0 ||
	    (timer_running(&c->unmute) && c->unmute.expiry_ms >= end_ms))
		return;
	c->muted = true;
	connection_stop_frame_deadline(c);
	timer_start(c->set->loop, &c->unmute, delay_ms);
}

void
connection_flow_init(struct connection *c)
{
	timer_init(&c->retry, on_retry);
	timer_init(&c->unmute, on_unmute);
}
