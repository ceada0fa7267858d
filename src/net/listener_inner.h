/*
 * What net's own files ask of a listener.
 */
#ifndef NET_LISTENER_INNER_H
#define NET_LISTENER_INNER_H

#include <netinet/in.h>

#include "base/base.h"

struct listener;
struct transport;
struct sockaddr_storage;

/* Its transport over an accepted socket: see transport_open_fn. */
int listener_transport(const struct listener *listener,
    struct transport *transport, int fd) WARN_UNUSED;

/* One of its connections was closed.  Any thread. */
void listener_connection_closed(struct listener *listener);

/* The number of connections fell below a limit.  Any thread. */
void listener_wake(struct listener *listener);

/*
 * Begin to stop accepting; network_listener_stopped says when it is done.  Any
 * thread, once.
 */
void listener_stop(struct listener *listener);

/* Free one that was stopped and whose connections are gone. */
void listener_free(struct listener *listener);

/* The address of this end of a socket; all zero where there is none. */
void listener_local_address(int fd, struct sockaddr_storage *address);

#endif
