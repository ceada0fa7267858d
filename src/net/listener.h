/*
 * Listener: a bound address whose connections are handed to the loops.
 *
 * It accepts on one loop and gives each connection to one that has room.  When
 * descriptors run out it gives up a spare one to accept and close, so that
 * clients see an end and the loop does not spin; while a limit on the number of
 * connections is reached it does not accept at all.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/base.h"
#include "net/transport.h"

struct listener;
struct network;

struct listener_settings {
	const char *name;		/* "PLAINTEXT", as in listeners */
	const char *host;		/* NULL or "": all addresses */
	uint16_t port;			/* 0: any that is free */
	int32_t node_id;		/* whose listener it is */
	const char *advertised_host;
	uint16_t advertised_port;	/* 0: the port that was bound */
	int backlog;			/* socket.listen.backlog.size */
	int send_buffer_bytes;		/* socket.send.buffer.bytes, -1: none */
	int receive_buffer_bytes;	/* socket.receive.buffer.bytes */
	int32_t connections_max;	/* max.connections of this listener */
	/*
	 * max.connections of all is not its: where its connections exceed that,
	 * others are closed.
	 */
	bool apart;
	bool deferred;			/* accepts after listener_accept */
	/* Clients shake hands or log in first: they begin as strangers. */
	bool of_strangers;
	const void *handler_context;	/* the connection handler's own */
	transport_open_fn transport;	/* NULL: tcp_open */
	void *transport_context;
};

/* Kafka's defaults; name, host and port stay to be set. */
void listener_defaults(struct listener_settings *settings);

/*
 * Bind, and accept from now on unless it is deferred.  The network's loops
 * run.  settings and their texts are copied.  NULL where the address cannot
 * be had; one line in the log says why.  It belongs to the network.
 */
struct listener *listener_new(struct network *network,
    const struct listener_settings *settings) WARN_UNUSED;

/*
 * Begin to accept on a deferred listener, once.  Clients that came before
 * have been waiting in the system's queue.
 */
void listener_accept(struct listener *listener);

/* From now on so many connections; who is there may stay.  Any thread. */
void listener_set_connections_max(struct listener *listener, int32_t max);

/* The settings with the ports that were bound filled in. */
const struct listener_settings *listener_settings(
    const struct listener *listener);

#endif
