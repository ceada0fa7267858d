/*
 * Request: one frame from a client, from its header to the last byte of its
 * reply.
 *
 * A request is made by api_dispatch on the loop of its connection, handed to
 * the handler of its API, and freed when the reply has left or the connection
 * is gone.  Everything it needs lives in its arena, which counts against the
 * memory that all requests share.  The handler calls exactly one of
 * request_reply, request_reply_none, request_fail and request_close, now or
 * later, always on the connection's loop; a handler that ends up on another
 * thread comes back with request_post.
 *
 * The decoded body's slices live as long as the request, but for APIs with
 * API_BORROWS_FRAME: theirs point into the frame, which is gone when the
 * handler returns.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "api/server.h"
#include "auth/authorizer.h"
#include "base/arena.h"
#include "base/base.h"
#include "net/connection.h"
#include "wire/error.h"

struct api;

struct request {
	/* immutable after dispatch */
	struct server *server;
	const struct api *api;
	const struct kp_api *messages;
	struct principal principal;
	struct slice client_id;		/* never null; "" where it was */
	int64_t received_us;		/* monotonic */
	size_t body_len;		/* bytes of the body in the frame */
	int32_t correlation_id;
	int32_t node_id;		/* the node that its listener is */
	int16_t version;
	void *body;			/* struct kp_<api>_request */
	struct spares *spares;		/* where its memory came from */

	/* loop-local */
	struct arena arena;		/* frees all of this with it */
	void *state;			/* the handler's own, while parked */
	void (*cancelled)(struct request *request);
	void (*released)(struct request *request);
	void (*posted)(struct request *request);
	bool *gone;			/* to be told when it is freed */
	int64_t handled_us;		/* in its handler; 0: still there */
	int32_t throttle_ms;		/* see api/throttle.h */
	bool time_charged;
	bool time_free;			/* of no quota */
	struct exchange exchange;
};

/*
 * A request of version for api that came in on connection; its arena may grow
 * to arena_bytes_max.  For api_dispatch, which decodes and begins it.
 */
struct request *request_new(struct server *server, const struct api *api,
    int16_t version, struct connection *connection, size_t arena_bytes_max);

/* Free a request that was not begun. */
void request_abandon(struct request *request);

/*
 * Answer with body, a struct kp_<api>_response for the request's API, encoded
 * at the request's version, and with the time for which the client is
 * throttled (api/throttle.h).  The body may be freed on return; file extents in
 * it must stay readable until released is called.  Where the arena is
 * overdrawn, or the answer does not fit, the connection is closed instead.
 */
void request_reply(struct request *request, void *body);

/* End the request without an answer (Produce with acks 0). */
void request_reply_none(struct request *request);

/*
 * Answer with error in the API's own shape: the row's fail function, or the
 * top-level error_code of an otherwise default response.  An API that has
 * neither closes the connection.
 */
void request_fail(struct request *request, enum kp_error error);

/* Drop the connection without an answer; reason goes to the debug log. */
void request_close(struct request *request, const char *reason);

/*
 * Call run on the loop of the request's connection.  Any thread; one post may
 * be under way at a time.
 */
void request_post(struct request *request,
    void (*run)(struct request *request));

/*
 * A parked request: cancelled is called on the loop when its connection dies
 * before it was answered.  It unlinks what would wake the request and answers
 * at once (the answer goes nowhere), or leaves that to whoever wakes it.
 * released is called just before the request is freed.  Both may be NULL.
 */
void request_park(struct request *request,
    void (*cancelled)(struct request *request));

/* The loop that the request's connection belongs to. */
struct loop *request_loop(const struct request *request);

/*
 * May the request's principal do operation on the resource?  Where not, the
 * log says so; the second is for those who ask to leave out what may not be
 * seen, or have another permission to ask for.  Any thread.
 */
bool request_allows(const struct request *request,
    enum acl_operation operation, enum acl_resource_type type,
    struct slice name);
bool request_sees(const struct request *request,
    enum acl_operation operation, enum acl_resource_type type,
    struct slice name);

/* May it on some resource of the type, whichever it is? */
bool request_allows_some(const struct request *request,
    enum acl_operation operation, enum acl_resource_type type);

/*
 * The operations on the resource that are allowed to the request's principal,
 * as "authorized operations" fields carry them.
 */
int32_t request_operations(const struct request *request,
    enum acl_resource_type type, struct slice name);

/* Everything at its default: struct kp_<api>_response in the arena. */
void *request_response_new(struct request *request);

#endif
