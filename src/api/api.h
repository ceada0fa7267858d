/*
 * The APIs that are served: one row each, found by Kafka's api key.
 *
 * A row names the messages, the handler, what authorizes the call, and flags.
 * Each src/api/<name>.c ends in its row, made with API_ROW, which takes the
 * authorization as an argument of its own: a row without one does not
 * compile.  ApiVersions advertises exactly the rows of api_table.
 */
#ifndef API_API_H
#define API_API_H

#include "api/request.h"
#include "wire/message.h"

struct budget;

/*
 * Who decides that a call is allowed (the matrix of Kafka's AclAuthorizer
 * checks):
 *
 *   API_OPEN               needs no permission
 *   API_CLUSTER(operation) the dispatcher asks for operation on the cluster
 *                          and answers CLUSTER_AUTHORIZATION_FAILED itself
 *   API_ENTRIES            the handler asks for each entry of the request,
 *                          because each has its own answer
 */
enum api_authorization_kind {
	API_AUTHORIZATION_OPEN = 1,
	API_AUTHORIZATION_CLUSTER,
	API_AUTHORIZATION_ENTRIES,
};

struct api_authorization {
	enum api_authorization_kind kind;
	enum acl_operation operation;
};

#define API_OPEN { API_AUTHORIZATION_OPEN, (enum acl_operation)0 }
#define API_CLUSTER(operation) { API_AUTHORIZATION_CLUSTER, operation }
#define API_ENTRIES { API_AUTHORIZATION_ENTRIES, (enum acl_operation)0 }

enum {
	/* The body's slices point into the frame (see api/request.h). */
	API_BORROWS_FRAME = 1 << 0,
	/*
	 * Versions below the lowest that is served are advertised as well,
	 * from 0 on, because old clients look for them (KAFKA-18659).
	 */
	API_ADVERTISED_FROM_ZERO = 1 << 1,
	/*
	 * Later requests of the connection need not wait until this one is
	 * answered: for Produce and Fetch, which keep their order themselves.
	 */
	API_PIPELINED = 1 << 2,
	/* What it changes, and for whom, is written to the log (audit.h). */
	API_CHANGES = 1 << 3,
	/* A broker's call, whose time is not charged to it as a client. */
	API_UNTHROTTLED = 1 << 4,
};

struct api {
	const struct kp_message *request;
	void (*handle)(struct request *request);
	struct api_authorization authorization;
	unsigned flags;
	/* The API's shape of an error for all of the request; may be NULL. */
	void (*fail)(struct request *request, enum kp_error error);
	/*
	 * Answer a version that is not served, without a body; NULL closes
	 * the connection, as Kafka does for all but ApiVersions.
	 */
	void (*refuse_version)(struct request *request);
};

/*
 * const struct api api_heartbeat = API_ROW(heartbeat, API_ENTRIES);
 * with more fields behind: API_ROW(produce, API_ENTRIES, .flags = …).
 * The handler is the static function handle_<name>.
 */
#define API_ROW(name, authorized, ...)                                     \
	{                                                           \
		.request = &kp_##name##_request,                    \
		.handle = handle_##name, .authorization = authorized, \
		__VA_ARGS__                                         \
	}

/*
 * What the decoded body of a frame of so many bytes may take in memory: twelve
 * times the frame while less than half of budget, that of all requests, is in
 * use, else four times; or 1 MiB where that is more, and 16 MiB at the most.
 * Who needs more is refused as one that does not parse: next to nothing is in
 * its many elements, at the latter not even names of some length.
 */
size_t api_body_bytes_max(size_t frame_len, const struct budget *budget);

/* The row of key, or NULL where that API is not served. */
const struct api *api_find(int16_t key);

/* All rows in the order of their keys, as ApiVersions lists them. */
const struct api *const *api_table(size_t *count);

/* The versions of a row that are served: stable ones only. */
int16_t api_version_min(const struct api *api);
int16_t api_version_max(const struct api *api);

/* The connection is gone, with all that was kept for it: net's callback. */
void api_disconnected(struct connection_handler *handler,
    struct connection *connection);

/*
 * A complete frame (without its four length bytes) has come in on connection.
 * net's callback; the frame is mutable and gone on return.
 */
void api_dispatch(struct connection_handler *handler,
    struct connection *connection, struct slice frame);

#endif
