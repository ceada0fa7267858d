/*
 * Connection: a client's socket, from its first frame to its last reply.
 *
 * It reads frames (int32 size, then so many bytes), hands each complete one
 * to the handler, and sends the replies of the exchanges in the order in
 * which they were begun.  It belongs to one loop, and everything here is
 * called on that loop; the accessors may also be called by a thread that works
 * for a pending exchange of it.  When its loop has too much to do it may move
 * to another one, but never while an exchange is pending.
 *
 * Bytes are read into the loop's scratch buffer and frames are handled there;
 * only what is left over, a partial frame or frames that have to wait, moves
 * to memory of the connection's own, which grows only as bytes arrive and is
 * freed when they have been handled.  A read brings about as much as can be
 * handled at once: little at first, more where frames are large, little again
 * where they are many.
 *
 * No frame is handled while
 *	- in_flight_max exchanges have not left, or an exclusive one is pending,
 *	- replies wait that the client's socket does not take, or more than
 *	  output_len_max bytes of them are ready,
 *	- the connection is muted,
 *	- requests and replies take far more memory than they all may have,
 * and then nothing is read either: the client's bytes stay in the socket.
 *
 * Frame-level rules: spec of Kafka's SocketServer, NetworkReceive, Selector.
 */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include "base/base.h"
#include "net/exchange.h"

struct budget;
struct spares;
struct connection;
struct listener_settings;
struct loop;
struct x509_st;

/*
 * What a connection does with what comes in.  One for all connections, called
 * on their loops, so its functions run on several threads at once.
 */
struct connection_handler {
	/* A connection was accepted.  NULL: nothing to do. */
	void (*opened)(struct connection_handler *handler,
	    struct connection *connection);
	/*
	 * The transport's handshake is complete: no frame has come yet, and
	 * none comes where this closes the connection.  NULL: nothing to do.
	 */
	void (*shaken)(struct connection_handler *handler,
	    struct connection *connection);
	/*
	 * It has failed, for a reason that is valid during the call; the
	 * connection is closed next.  NULL: nothing to do.
	 */
	void (*unshaken)(struct connection_handler *handler,
	    struct connection *connection, const char *reason);
	/*
	 * A complete frame without its four bytes of size.  The memory is
	 * mutable and valid only during the call.  It begins an exchange,
	 * or closes the connection.  An empty frame is passed on as well.
	 */
	void (*frame)(struct connection_handler *handler,
	    struct connection *connection, struct slice frame);
	/*
	 * The connection is closed and no exchange refers to it any more: free
	 * the session, which is NULL where opened was never called.  NULL:
	 * nothing to do.
	 */
	void (*freed)(struct connection_handler *handler,
	    struct connection *connection);
};

/*
 * No more is read.  Replies to the requests before still leave, then the
 * socket is closed.  reason goes to the debug log.
 */
void connection_close(struct connection *connection, const char *reason);

/*
 * Close the socket at once.  Pending exchanges are cancelled, replies that
 * have not left are dropped.
 */
void connection_abort(struct connection *connection, const char *reason);

/*
 * The client has to log in: called in opened.  Where connection_logged_in is
 * not called within klamm.login.timeout.ms, the handshake of the transport
 * included, the connection is closed.  Until then its partial frames are out
 * of a small budget of their own, so that strangers, however many there are
 * and however large a frame they begin, take nothing away from clients; and a
 * pass of the loop does only a little for all of them together, the others are
 * read later, each in its turn.
 */
void connection_expect_login(struct connection *connection);
void connection_logged_in(struct connection *connection);

/*
 * Handle no further frame for so many milliseconds: how quotas throttle
 * (KIP-219).  The reply under way still leaves.  A second call can only make
 * it longer.
 */
void connection_mute(struct connection *connection, int64_t delay_ms);

/*
 * From now on, or no longer, count the time that reading from the connection
 * and writing to it takes the loop: the system's calls, and TLS.  It is taken
 * in microseconds, once.
 */
void connection_time(struct connection *connection, bool timed);
bool connection_is_timed(const struct connection *connection);
int64_t connection_take_time_us(struct connection *connection);

/*
 * The largest frame from now on, in bytes without the size: smaller than
 * socket.request.max.bytes until a client is known.
 */
void connection_set_frame_len_max(struct connection *connection, size_t len);

struct loop *connection_loop(const struct connection *connection);

/* The listener that accepted it: name, advertised address, node. */
const struct listener_settings *connection_listener(
    const struct connection *connection);
const char *connection_listener_name(const struct connection *connection);
int32_t connection_node_id(const struct connection *connection);

/*
 * The certificate that the client has shown and that was found good, NULL
 * where there is none.  Borrowed, until the connection is closed.
 */
struct x509_st *connection_certificate(const struct connection *connection);

/* The peer's address as text without its port: "127.0.0.1". */
const char *connection_peer_host(const struct connection *connection);
uint16_t connection_peer_port(const struct connection *connection);

/* local:port-remote:port-index, how logs and metrics call it. */
const char *connection_id(const struct connection *connection);

/* What the handler keeps with it: set in opened, freed in freed. */
void *connection_session(const struct connection *connection);
void connection_set_session(struct connection *connection, void *session);

/* The budget of memory for requests that all connections share. */
struct budget *connection_budget(const struct connection *connection);

/*
 * Blocks of CONNECTION_SPARE_LEN bytes for the requests of the loop's
 * connections.  Loop-local; one that is taken is given back while its
 * exchange, or the connection, is still there.
 */
#define CONNECTION_SPARE_LEN ((size_t)4096)
struct spares *connection_spares(const struct connection *connection);

#endif
