/*
 * TLS over a stream socket as a transport: the server's side, by OpenSSL.
 *
 * Bytes are made into records of 16 KiB where there are as many, also those of
 * several pieces together.  A connection that waits for a request holds none of
 * OpenSSL's buffers.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "net/transport.h"

/*
 * A transport_open_fn; its context is the listener's struct tls_context.  -1
 * where there is no memory for OpenSSL.
 */
int tls_open(struct transport *transport, int fd, void *context);

#endif
