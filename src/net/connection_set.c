#include "base/base.h"
#include "base/machine.h"
#include "net/connection.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/loop_group.h"
#include "net/network.h"
#include "net/network_inner.h"

/*
 * A loop that is this busy, measured so many times in a row, has connections
 * to spare for one that is less busy than that.
 */
#define HOT_BUSY 700
#define HOT_MEASUREMENTS 2
#define COOL_BUSY 350

/* More requests than this are rarely under way on a loop. */
#define SPARES_MAX 64

static struct connection *
first_connection(struct connection_set *set)
{
	if (list_empty(&set->connections))
		return NULL;
	return LIST_ENTRY(set->connections.head.next, struct connection,
	    node);
}

/* When the first connection will have been idle for too long. */
static int64_t
idle_left_ms(struct connection_set *set, const struct connection *first)
{
	return first->active_ms + set->settings->idle_ms_max -
	    loop_now_ms(set->loop);
}

void
connection_set_watch_idle(struct connection_set *set)
{
	const struct connection *first = first_connection(set);

	if (first == NULL || set->settings->idle_ms_max < 0 ||
	    timer_running(&set->idle_timer))
		return;
	timer_start(set->loop, &set->idle_timer, idle_left_ms(set, first));
}

/* One at most: the timer starts anew for the next. */
static void
on_idle_timer(struct timer *timer)
{
	struct connection_set *set =
	    CONTAINER_OF(timer, struct connection_set, idle_timer);
	struct connection *first = first_connection(set);

	if (first != NULL && idle_left_ms(set, first) <= 0) {
		counter_add(&set->counters.idle_closed, 1);
		connection_abort(first, "it was idle for too long");
	}
	connection_set_watch_idle(set);
}

bool
connection_set_close_oldest(struct connection_set *set)
{
	struct connection *connection;

	LIST_FOR_EACH_SAFE (node, &set->connections) {
		connection = LIST_ENTRY(node, struct connection, node);
		if (connection_listener(connection)->apart)
			continue;
		connection_abort(connection, "max.connections is exceeded");
		return true;
	}
	return false;
}

/* --- Relief -------------------------------------------------------------- */

/* Connections that had something to do of late; what they cost is unknown. */
static int
active_count(struct connection_set *set)
{
	int64_t since_ms = loop_now_ms(set->loop) - LOOP_MEASURE_MS;
	struct list_node *head = &set->connections.head;
	int count = 0;

	for (struct list_node *node = head->prev; node != head;
	     node = node->prev, count++)
		if (LIST_ENTRY(node, struct connection, node)->active_ms <
		    since_ms)
			break;
	return count;
}

/* May another loop take over some of what this one does? */
static bool
relief_is_due(struct connection_set *set)
{
	const struct loop_group *loops = network_loops(set->network);

	if (loop_busy(set->loop) < HOT_BUSY) {
		set->hot = 0;
		return false;
	}
	return ++set->hot >= HOT_MEASUREMENTS &&
	    loop_busy(loop_group_idlest(loops)) < COOL_BUSY &&
	    machine_runnable() < machine_processors();
}

static void
judge(struct connection_set *set)
{
	int active;

	set->measurement = loop_measurements(set->loop);
	set->leaving = 0;
	if (!relief_is_due(set))
		return;
	active = active_count(set);
	/* One alone would be as much work there. */
	if (active >= 2)
		set->leaving = MAX(active / 4, 1);
	set->hot = 0;
}

struct connection_set *
connection_set_relief(struct connection_set *set)
{
	struct loop *idlest;

	if (set->measurement != loop_measurements(set->loop))
		judge(set);
	if (set->leaving == 0)
		return NULL;
	set->leaving--;
	idlest = loop_group_idlest(network_loops(set->network));
	return idlest == set->loop ? NULL : network_set(set->network, idlest);
}

struct connection_set *
connection_set_for_known(struct connection_set *set)
{
	struct loop *loop = loop_group_pick(network_loops(set->network));

	return loop == set->loop ? NULL : network_set(set->network, loop);
}

/* --- Life ---------------------------------------------------------------- */

void
connection_set_init(struct connection_set *set, struct network *network,
    struct loop *loop)
{
	*set = (struct connection_set){
		.network = network,
		.settings = network_settings_of(network),
		.handler = network_handler(network),
		.budget = network_budget(network),
		.loop = loop,
	};
	/* Not cleared: pages that no read has reached cost nothing. */
	set->scratch = xmalloc(CONNECTION_SET_SCRATCH_LEN);
	set->tools = (struct outbox_tools){
		.bounce = xmalloc(OUTBOX_SENDFILE_LEN_MIN),
		.bounce_len = OUTBOX_SENDFILE_LEN_MIN,
		.counters = &set->counters.out,
	};
	spares_init(&set->spares, CONNECTION_SPARE_LEN, SPARES_MAX);
	list_init(&set->connections);
	connection_turns_init(&set->turns);
	timer_init(&set->idle_timer, on_idle_timer);
}

void
connection_set_fini(struct connection_set *set)
{
	assert(list_empty(&set->connections));
	timer_stop(&set->idle_timer);
	spares_fini(&set->spares);
	free(set->tools.bounce);
	free(set->scratch);
	set->tools.bounce = set->scratch = NULL;
}

void
connection_set_drain(struct connection_set *set)
{
	set->draining = true;
	LIST_FOR_EACH_SAFE (node, &set->connections)
		connection_close(LIST_ENTRY(node, struct connection, node),
		    "the server stops");
}

void
connection_set_abort(struct connection_set *set)
{
	struct connection *first;

	set->draining = true;
	while ((first = first_connection(set)) != NULL)
		connection_abort(first, "the server stops");
}
