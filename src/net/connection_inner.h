/*
 * What a connection consists of, for net's own files.
 */
#ifndef NET_CONNECTION_INNER_H
#define NET_CONNECTION_INNER_H

#include <netinet/in.h>

#include "base/base.h"
#include "base/list.h"
#include "base/task.h"
#include "net/inbox.h"
#include "net/outbox.h"
#include "net/timer.h"
#include "net/transport.h"

struct connection_set;
struct connection_turns;
struct event;
struct listener;

/* Where a socket comes from. */
struct connection_origin {
	struct listener *listener;
	int fd;			/* connected and non-blocking */
	char host[INET6_ADDRSTRLEN];
	uint16_t port;
};

struct connection {
	/* changes while it moves: nothing is under way then */
	struct connection_set *set;

	/* immutable */
	struct connection_origin origin;	/* but for fd, which is gone */
	char *id;

	/* loop-local */
	struct transport transport;
	struct event *read_event;
	struct event *write_event;
	struct list_node node;		/* set's, by activity */
	struct list_node turn;		/* set's turns.waiting */
	int64_t active_ms;		/* the last read or write */
	struct inbox inbox;
	struct outbox outbox;
	size_t frame_len_max;
	size_t read_len_max;		/* into the scratch buffer */
	size_t exclusives;		/* pending exclusive exchanges */
	struct timer deadline;		/* of a partial frame or a handshake */
	uint64_t received;		/* bytes, ever */
	uint64_t received_before;	/* when the deadline was set */
	struct timer login;		/* until the client is known */
	struct timer unmute;
	struct timer retry;		/* after a lack of memory */
	struct task flush;
	struct task resume;
	struct task end;
	struct task arrive;
	void *session;
	const char *close_reason;

	bool visiting;		/* a loop that is not picked for the known */
	bool greeted;		/* it is known: the next time it moves */
	bool handshaking;
	bool muted;
	bool starved;		/* the budget did not have what it needs */
	bool favoured;		/* it goes on all the same */
	bool stalled;		/* frames wait in the inbox */
	bool handling;		/* the handler's frame runs */
	bool reading;		/* read_event is added */
	bool writing;		/* write_event is added */
	bool blocked;		/* replies wait for the transport */
	bool read_wants_write;	/* reading waits for it to be writable */
	bool write_wants_read;	/* and writing for it to be readable */
	bool closing;		/* when all replies have left */
	bool gone;		/* the socket is closed */
};

/* What a read may bring while the memory budget is used up. */
#define CONNECTION_POOR_READ_LEN ((size_t)4096)

/* What the first read of a connection may bring. */
#define CONNECTION_FIRST_READ_LEN ((size_t)16 * 1024)

/* --- connection.c -------------------------------------------------------- */

/*
 * Make a connection of an accepted socket, on the loop of the set.  The
 * network has counted it, and the descriptor belongs to it, also where it
 * comes to nothing.
 */
void connection_open(struct connection_set *set,
    const struct connection_origin *origin);

/* It was active now: the last of its set to be idle. */
void connection_touch(struct connection *connection);

/* --- connection_flow.c: what it has to wait for -------------------------- */

void connection_flow_init(struct connection *connection);

/* May a frame be handled now? */
bool connection_may_handle(const struct connection *connection) WARN_UNUSED;
bool connection_may_read(const struct connection *connection) WARN_UNUSED;

/*
 * Go on with what had to stop, at the end of this pass.  Whatever may let a
 * connection handle frames or read again calls this.
 */
void connection_resume(struct connection *connection);

/*
 * Is so much memory in use that no request may begin?  Whoever is favoured
 * has one at a time.
 */
bool connection_overspent(const struct connection *connection) WARN_UNUSED;

/* Wait until there may be memory again. */
void connection_starve(struct connection *connection);

/* If it holds no memory any more, it is another one's turn to be favoured. */
void connection_favour_end(struct connection *connection);

/* --- connection_events.c: its socket, and the handshake ------------------ */

void connection_events_init(struct connection *connection);

/* Make the transport's events on its loop; -1 where that cannot be done. */
int connection_watch(struct connection *connection) WARN_UNUSED;
void connection_unwatch(struct connection *connection);

void connection_start_reading(struct connection *connection);
void connection_stop_reading(struct connection *connection);
/* Its socket is readable: go on with whatever waits for that. */
void connection_ready(struct connection *connection);
/* Watch for writability as long as somebody waits for it. */
void connection_update_writing(struct connection *connection);

/* Nothing where the transport has none. */
void connection_start_handshake(struct connection *connection);

/*
 * A partial frame has so long from now on to be complete, or to grow.  Its time
 * stands still while we do not read; connection_resume starts it again.
 */
void connection_start_frame_deadline(struct connection *connection);
void connection_stop_frame_deadline(struct connection *connection);

/* --- connection_receive.c: reading, and handling frames ------------------ */

void connection_receive_init(struct connection *connection);

/*
 * One read, which completes a partial frame where it lies and brings the rest
 * into the scratch buffer; what is complete is handled.  The connection may be
 * gone afterwards.
 */
void connection_receive(struct connection *connection);

/*
 * Handle frames that had to wait, and read again if nothing hinders that.  It
 * may be gone afterwards.
 */
void connection_go_on(struct connection *connection);

/* --- connection_send.c: replies ------------------------------------------ */

void connection_send_init(struct connection *connection);

/* Send what is ready.  The connection may be gone afterwards. */
void connection_send(struct connection *connection);

/*
 * Do now what the end of the pass would have done for its replies.  It may be
 * gone afterwards, or another loop's.
 */
void connection_flush(struct connection *connection);

/* --- connection_turn.c: strangers take turns ----------------------------- */

void connection_turns_init(struct connection_turns *turns);

/*
 * May the connection, which has something to do, be served now?  Always where
 * its client is known.  Where he has yet to log in, or to complete a handshake,
 * only for as long as the pass has time for strangers: those who find none are
 * served later, in the order in which they came, a few in each pass behind the
 * events of clients that are known.  Where it may, its turn ends with
 * connection_turn_end, after which it may be another loop's.
 */
bool connection_turn_begin(struct connection *connection) WARN_UNUSED;
void connection_turn_end(struct connection *connection);

/*
 * Before each of its frames: is there time for this one in its turn?  If not,
 * it waits for the next.
 */
bool connection_turn_goes_on(struct connection *connection) WARN_UNUSED;

/* It waits for its turn no longer. */
void connection_turn_leave(struct connection *connection);

/* --- connection_move.c: from one loop to another ------------------------- */

void connection_move_init(struct connection *connection);

/*
 * If nothing is under way, move it where there is less to do, if that is asked
 * for, or from where strangers are to where those are who are known.
 */
void connection_relieve(struct connection *connection);

#endif
