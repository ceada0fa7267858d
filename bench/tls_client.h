/*
 * A client over TLS 1.3, and the least that a server of it has to do.  All
 * speak the same cipher suite and resume nothing; the client trusts everybody,
 * since what is measured is the server.
 *
 * What goes wrong ends the program with one line.
 */
#ifndef BENCH_TLS_CLIENT_H
#define BENCH_TLS_CLIENT_H

#include <openssl/ssl.h>

#include "bench/frames.h"

/* A blocking connection whose handshake is over; tls_client_close is due. */
SSL *tls_client_connect(const struct broker *broker);

/* Say good-bye, wait for the broker's, and close; blocking. */
void tls_client_close(SSL *ssl);

/* As read and write: -1 with EAGAIN, 0 from read at the end. */
ssize_t tls_client_read(SSL *ssl, void *to, size_t len);
ssize_t tls_client_write(SSL *ssl, const void *from, size_t len);

/*
 * Open and close connections for seconds, so many at a time, each in a
 * process of its own, and print what one costs the broker, whose process is
 * pid.
 */
void probe_handshakes(const struct broker *broker, int connections,
    double seconds, const char *tag, long pid);

/* Connections that have each talked once and rest, as probe_idle. */
void probe_idle_tls(const struct broker *broker, int connections, long pid);

/*
 * A server that does what a connection of probe_handshakes needs and nothing
 * else, one after the other: OpenSSL's own part, and the kernel's.  Key and
 * certificate are in a file in PEM; the port is printed.  Does not return.
 */
__attribute__((noreturn)) void tls_floor_serve(const char *certificate);

#endif
