/*
 * HTTP GET: a small document from a server of HTTP or HTTPS, at once.
 *
 * One request on a connection of its own; the calling thread waits, so this is
 * for threads that may block.  Time and length have limits, redirections are
 * not followed, nothing is cached, and no proxy is asked.
 *
 * With HTTPS the server's certificate must be good for the name in the URL;
 * TLS 1.2 or later.
 */
#ifndef NET_HTTP_GET_H
#define NET_HTTP_GET_H

#include "base/base.h"
#include "base/buf.h"

struct x509_store_st;

/* The parts of a URL; they are borrowed from its text. */
struct http_url {
	bool tls;
	struct slice host; /* without the brackets of IPv6 */
	struct slice port; /* "443" */
	struct slice path; /* with the query; "" is "/" */
};

/*
 * Take "http://host:port/path?query" or "https://..." apart; names of users
 * are refused.  -1 with *reason (static) where it is none.
 */
int http_url_parse(struct slice text, struct http_url *url,
    const char **reason) WARN_UNUSED;

struct http_get {
	struct http_url url;
	int64_t timeout_ms;	       /* for all of it */
	struct x509_store_st *trusted; /* NULL: the system's */
	int stop_fd; /* readable: give up; -1: nobody stops it */
};

/*
 * Append the document to body, which is empty and whose maximum limits it.  -1
 * with *reason in a buffer of the caller's where it cannot be had.
 */
int http_get(const struct http_get *get, struct buf *body, char *reason,
    size_t reason_len) WARN_UNUSED;

#endif
