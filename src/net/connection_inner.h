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
	int64_t active_ms;		/* the last read or write */
	struct inbox inbox;
	struct outbox outbox;
	size_t frame_len_max;
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

/*
 * Make a connection of an accepted socket, on the loop of the set.  The
 * network has counted it, and the descriptor belongs to it, also where it
 * comes to nothing.
 */
void connection_open(struct connection_set *set,
    const struct connection_origin *origin);

/*
 * Go on with what had to stop, at the end of this pass.  Whatever may let a
 * connection handle frames or read again calls this.
 */
void connection_resume(struct connection *connection);

#endif
