/*
 * What net's own files ask of the network.
 */
#ifndef NET_NETWORK_INNER_H
#define NET_NETWORK_INNER_H

#include "base/base.h"

struct admission;
struct budget;
struct connection_handler;
struct connection_set;
struct listener;
struct loop;
struct loop_group;
struct network;
struct network_settings;

const struct network_settings *network_settings_of(
    const struct network *network);
struct connection_handler *network_handler(const struct network *network);
struct budget *network_budget(struct network *network);
/* Of clients that have yet to log in. */
struct budget *network_strangers_budget(struct network *network);
struct admission *network_admission(const struct network *network);
struct loop_group *network_loops(const struct network *network);

/* The connections of a loop. */
struct connection_set *network_set(const struct network *network,
    const struct loop *loop);

/*
 * One connection may go on while there is no memory left, so that at least
 * its frame is completed and what it holds comes free.  True for the caller
 * who may from now on, until he gives the favour back.  Any thread.
 */
bool network_favour_take(struct network *network) WARN_UNUSED;
void network_favour_give(struct network *network);

/* Whose network_free will free listener; any thread, while none accepts. */
void network_adopt(struct network *network, struct listener *listener);

/* The loop that the next listener accepts on. */
struct loop *network_listener_loop(struct network *network);

/*
 * The life of a connection, for limits and for network_stop: it was accepted
 * and admitted; its socket is closed; its memory is freed.  Any thread.
 */
void network_connection_accepted(struct network *network);
void network_connection_closed(struct network *network, const char *host);
void network_connection_freed(struct network *network);

/*
 * Where there are more connections than max.connections, close those that were
 * idle for longest, soon; one loop after the other closes its own, as Kafka's
 * processors do (Processor.closeExcessConnections).  Any thread.
 */
void network_close_excess(struct network *network);

/* A connection was turned away.  Any thread. */
void network_connection_rejected(struct network *network);

/* A listener accepts no more.  Its loop. */
void network_listener_stopped(struct network *network);

#endif
