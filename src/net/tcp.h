/*
 * Plain TCP (or any stream socket) as a transport.
 */
#ifndef NET_TCP_H
#define NET_TCP_H

#include "net/transport.h"

/* A transport_open_fn that cannot fail; it has no context. */
int tcp_open(struct transport *transport, int fd, void *context);

#endif
