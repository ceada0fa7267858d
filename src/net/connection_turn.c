#include "base/base.h"
#include "base/clock.h"
#include "net/connection.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/loop.h"

/*
 * What a pass may do for strangers: about six steps of a login.  One that
 * takes longer, as an RSA signature does, is done all the same.
 */
#define PASS_US 200

static bool
has_yet_to_be_known(const struct connection *c)
{
	return c->handshaking || timer_running(&c->login);
}

/* Has this pass time for one more? */
static bool
pass_has_time(struct connection_turns *turns, const struct loop *loop)
{
	uint64_t pass = counter_get(&loop_counters(loop)->passes);

	if (turns->pass != pass) {
		turns->pass = pass;
		turns->spent_us = 0;
	}
	return turns->spent_us < PASS_US;
}

static void
wait_for_turn(struct connection *c)
{
	struct connection_turns *turns = &c->set->turns;

	connection_stop_reading(c);
	if (!list_node_linked(&c->turn))
		list_append(&turns->waiting, &c->turn);
	if (!list_node_linked(&turns->task.node))
		loop_post(c->set->loop, &turns->task);
}

bool
connection_turn_begin(struct connection *c)
{
	struct connection_turns *turns = &c->set->turns;

	if (!has_yet_to_be_known(c))
		return true;
	if (!list_empty(&turns->waiting) ||
	    !pass_has_time(turns, c->set->loop)) {
		wait_for_turn(c);
		return false;
	}
	turns->begun_us = clock_monotonic_us();
	return true;
}

void
connection_turn_end(struct connection *c)
{
	struct connection_turns *turns = &c->set->turns;

	if (turns->begun_us == 0)
		return;
	/* What it costs to answer is part of what it costs to ask. */
	connection_flush(c);
	turns->spent_us += clock_monotonic_us() - turns->begun_us;
	turns->begun_us = 0;
}

/* After the events of the pass, so after those of clients that are known. */
static void
run_turns(struct task *task)
{
	struct connection_turns *turns =
	    CONTAINER_OF(task, struct connection_turns, task);
	struct connection_set *set =
	    CONTAINER_OF(turns, struct connection_set, turns);

	while (!list_empty(&turns->waiting) &&
	    pass_has_time(turns, set->loop)) {
		struct connection *c = LIST_ENTRY(
		    list_pop(&turns->waiting), struct connection, turn);

		turns->begun_us = clock_monotonic_us();
		connection_start_reading(c);
		connection_ready(c);
		connection_turn_end(c);
	}
	if (!list_empty(&turns->waiting))
		loop_post(set->loop, &turns->task);
}

void
connection_turn_leave(struct connection *c)
{
	if (list_node_linked(&c->turn))
		list_remove(&c->turn);
}

void
connection_turns_init(struct connection_turns *turns)
{
	list_init(&turns->waiting);
	turns->task.run = run_turns;
}
