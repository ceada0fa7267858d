#include "base/base.h"
#include "net/connection.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/loop.h"

/* Nothing is under way, neither here nor with whom handles its requests. */
static bool
at_rest(const struct connection *c)
{
	return c->outbox.count == 0 && inbox_len(&c->inbox) == 0 &&
	    connection_may_read(c) && c->reading && !c->handling &&
	    !c->writing && !c->blocked && !c->read_wants_write &&
	    !c->write_wants_read && !c->transport.pending &&
	    !timer_running(&c->deadline) && !timer_running(&c->login) &&
	    !timer_running(&c->unmute) && !timer_running(&c->retry) &&
	    !list_node_linked(&c->turn) &&
	    !list_node_linked(&c->resume.node) &&
	    !list_node_linked(&c->flush.node);
}

static void
move(struct connection *c, struct connection_set *to)
{
	connection_unwatch(c);
	c->reading = false;
	list_remove(&c->node);
	loop_load_add(c->set->loop, -1);
	counter_add(&c->set->counters.moves, 1);
	c->set = to;
	loop_load_add(to->loop, 1);
	loop_post(to->loop, &c->arrive);
}

/*
 * Whoever has become known leaves the strangers' loop, but not at once: only
 * when he has asked for something else.
 */
void
connection_relieve(struct connection *c)
{
	struct connection_set *to;

	if (!at_rest(c))
		return;
	if (c->visiting && c->greeted) {
		c->visiting = false;
		to = connection_set_for_known(c->set);
	} else {
		c->greeted = true;
		to = connection_set_relief(c->set);
	}
	if (to != NULL)
		move(c, to);
}

/* On the loop that it goes on with. */
static void
run_arrive(struct task *task)
{
	struct connection *c = CONTAINER_OF(task, struct connection, arrive);

	c->active_ms = loop_now_ms(c->set->loop);
	list_append(&c->set->connections, &c->node);
	if (connection_watch(c) != 0) {
		connection_abort(c, "it cannot be watched");
		return;
	}
	if (c->set->draining)
		connection_close(c, "the server stops");
	connection_set_watch_idle(c->set);
}

void
connection_move_init(struct connection *c)
{
	c->arrive.run = run_arrive;
}
