/*
 * HTTP response: what a server of HTTP/1.0 or 1.1 (RFC 9112) says to a client
 * that asks once and closes.
 *
 * The head is limited to HTTP_HEAD_LEN_MAX; the body to the buffer that it
 * goes to.  Informational responses are none that is expected.
 */
#ifndef NET_HTTP_RESPONSE_H
#define NET_HTTP_RESPONSE_H

#include "base/base.h"
#include "base/buf.h"

#define HTTP_HEAD_LEN_MAX 16384

enum http_progress {
	HTTP_MORE, /* the response is not whole yet */
	HTTP_DONE,
	HTTP_BAD, /* nor will it be: no HTTP, or too long */
};

/*
 * Look at all that came so far; ended where nothing will follow.  At HTTP_DONE
 * *status is the code, and body, which was empty, has the body, that of a code
 * other than 200 left out.
 */
enum http_progress http_response_parse(struct slice bytes, bool ended,
    int *status, struct buf *body) WARN_UNUSED;

#endif
