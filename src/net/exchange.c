#include "base/base.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/exchange.h"
#include "net/loop.h"

void
exchange_begin(struct connection *c, struct exchange *exchange)
{
	assert(c->handling && !c->gone && exchange->release != NULL);
	exchange->connection = c;
	exchange->state = EXCHANGE_PENDING;
	outbox_push(&c->outbox, exchange);
	c->exclusives += exchange->exclusive;
}

void
exchange_set_exclusive(struct exchange *exchange, bool exclusive)
{
	struct connection *c = exchange->connection;

	assert(exchange->state == EXCHANGE_PENDING);
	assert(loop_current() == c->set->loop);
	c->exclusives += exclusive;
	c->exclusives -= exchange->exclusive;
	exchange->exclusive = exclusive;
	if (!exclusive && !c->gone)
		connection_resume(c);
}

void
exchange_complete(struct exchange *exchange, bool reply)
{
	struct connection *c = exchange->connection;

	assert(exchange->state == EXCHANGE_PENDING);
	assert(loop_current() == c->set->loop);
	c->exclusives -= exchange->exclusive;
	if (reply && !c->gone) {
		outbox_ready(&c->outbox, exchange);
	} else {
		exchange->state = EXCHANGE_NO_REPLY;
		outbox_remove(&c->outbox, exchange);
		exchange->release(exchange);
	}
	if (c->gone) {
		if (c->outbox.count == 0)
			loop_defer(c->set->loop, &c->end);
		return;
	}
	if (outbox_can_send(&c->outbox) || c->closing)
		loop_defer_last(c->set->loop, &c->flush);
	connection_resume(c);
}
