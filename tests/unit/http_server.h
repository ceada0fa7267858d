/*
 * A server of HTTP on the loopback, for what fetches from one: it answers
 * every request with the bytes that it was given last.
 *
 * Every function fails the test where the system does not do its part.
 */
#ifndef UNIT_HTTP_SERVER_H
#define UNIT_HTTP_SERVER_H

#include <openssl/types.h>

#include "base/base.h"

struct http_server;

/* One that answers with nothing: it closes. */
struct http_server *http_server_new(void);

/* The same over TLS, with a certificate and its key, the caller's. */
struct http_server *http_server_new_tls(X509 *certificate, EVP_PKEY *key);
void http_server_free(struct http_server *server);

int http_server_port(const struct http_server *server);

/* The bytes of the responses from now on. */
void http_server_respond(struct http_server *server, const char *response);

/* The same for a document, with its head. */
void http_server_serve(struct http_server *server, const char *document);

/* Requests are read and not answered, until there is a response again. */
void http_server_stall(struct http_server *server);

/* Wait until count requests have come, counted from the beginning. */
void http_server_await(struct http_server *server, int count);
int http_server_count(struct http_server *server);

#endif
