/*
 * Connection set: the connections of one loop and what they share: the
 * scratch buffer, the order of their activity, the counters.
 *
 * For net's own files.  Loop-local but for what says otherwise.
 */
#ifndef NET_CONNECTION_SET_H
#define NET_CONNECTION_SET_H

#include "base/base.h"
#include "base/counter.h"
#include "base/list.h"
#include "base/spares.h"
#include "base/task.h"
#include "net/outbox.h"
#include "net/timer.h"

struct connection_handler;
struct network;
struct network_settings;

/* Bytes that one read may bring, and that small parts of files share. */
#define CONNECTION_SET_SCRATCH_LEN ((size_t)256 * 1024)

/* What a loop's connections have done; any thread may read it. */
struct connection_counters {
	struct counter closed;
	struct counter idle_closed;
	struct counter deadline_closed;
	struct counter bad_frames;
	struct counter frames;
	struct counter reads;
	struct counter read_bytes;
	struct counter parks;
	struct counter parked_bytes;
	struct counter pauses;
	struct counter budget_waits;
	struct counter moves;		/* to another loop */
	struct outbox_counters out;
};

/* How much of a loop those may take who have yet to log in. */
struct connection_turns {
	struct list waiting;		/* who is not read before his turn */
	struct task task;
	uint64_t pass;			/* of the loop, that spent_us is of */
	int64_t spent_us;
	int64_t begun_us;		/* of the turn under way, else 0 */
	uint64_t frames_before;		/* the set's, when it began */
};

struct connection_set {
	/* immutable */
	struct network *network;
	const struct network_settings *settings;
	struct connection_handler *handler;
	struct budget *budget;
	struct loop *loop;
	/*
	 * The bounce is not the scratch: replies may have to leave while
	 * frames lie there.
	 */
	struct outbox_tools tools;

	/* loop-local */
	uint8_t *scratch;
	struct spares spares;		/* for requests */
	struct list connections;	/* the least recently active first */
	struct connection_turns turns;
	struct timer idle_timer;	/* for the first of them */
	int32_t next_index;		/* for the ids of connections */
	bool draining;
	unsigned int measurement;	/* the loop's that was judged last */
	int hot;			/* how many in a row were too high */
	int leaving;			/* connections that are to move */

	struct connection_counters counters;
};

/* network and what it points to outlive the set. */
void connection_set_init(struct connection_set *set, struct network *network,
    struct loop *loop);
/* All connections are gone. */
void connection_set_fini(struct connection_set *set);

/* Close all connections gracefully, and those that come later. */
void connection_set_drain(struct connection_set *set);
/* Close all connections at once. */
void connection_set_abort(struct connection_set *set);

/*
 * Where a connection should move that is at rest now, or NULL: to another
 * loop, when this one is busy, that one is not, and a processor is free for
 * it.  Counts it as gone.
 */
struct connection_set *connection_set_relief(struct connection_set *set);

/*
 * Where a connection belongs whose client has become known, or NULL: it is
 * there.
 */
struct connection_set *connection_set_for_known(struct connection_set *set);

/*
 * Close the connection that was idle for longest, but none of a listener that
 * is apart; false where there is none.
 */
bool connection_set_close_oldest(struct connection_set *set) WARN_UNUSED;

/* See to it that the first connection is closed when it has been idle. */
void connection_set_watch_idle(struct connection_set *set);

#endif
