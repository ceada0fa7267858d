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
begin(struct connection_set *set)
{
	set->turns.begun_us = clock_monotonic_us();
	set->turns.frames_before = counter_get(&set->counters.frames);
}

/* In the next pass, unless run_turns is yet to come in this one. */
static void
post_turns(struct connection_set *set)
{
	if (!list_node_linked(&set->turns.task.node))
		loop_post(set->loop, &set->turns.task);
}

static void
wait_for_turn(struct connection *c)
{
	connection_stop_reading(c);
	if (!list_node_linked(&c->turn))
		list_append(&c->set->turns.waiting, &c->turn);
	post_turns(c->set);
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
	begin(c->set);
	return true;
}

/* Each turn handles a frame, so that everybody gets on. */
bool
connection_turn_goes_on(struct connection *c)
{
	const struct connection_turns *turns = &c->set->turns;

	if (turns->begun_us == 0 || !has_yet_to_be_known(c) ||
	    counter_get(&c->set->counters.frames) == turns->frames_before ||
	    turns->spent_us + clock_monotonic_us() - turns->begun_us < PASS_US)
		return true;
	wait_for_turn(c);
	return false;
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

		begin(set);
		connection_start_reading(c);
		if (c->stalled)
			connection_go_on(c);
		if (!c->gone)
			connection_ready(c);
		connection_turn_end(c);
	}
	if (!list_empty(&turns->waiting))
		post_turns(set);
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
