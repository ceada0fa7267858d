/*
 * A client of plain frames, for tests of what client libraries never send.
 *
 * Every function fails the test when a deadline passes or the broker does
 * what the function's comment rules out.
 */
#ifndef E2E_RAW_CLIENT_H
#define E2E_RAW_CLIENT_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"

struct broker_process;

struct raw_client {
	int fd;
	struct arena arena;		/* of requests and responses */
	struct buf frame;		/* what came last */
};

/* Connected to the broker. */
void raw_client_init(struct raw_client *client,
    const struct broker_process *broker);
void raw_client_fini(struct raw_client *client);

/* Send the bytes, all of them. */
void raw_client_send(struct raw_client *client, const void *data, size_t len);

/*
 * A request as a frame with its size, in the client's arena.  body is a
 * struct kp_<api>_request; NULL is one of defaults.
 */
struct slice raw_client_frame(struct raw_client *client, int16_t key,
    int16_t version, int32_t correlation_id, const void *body);

/* raw_client_frame, sent. */
void raw_client_request(struct raw_client *client, int16_t key,
    int16_t version, int32_t correlation_id, const void *body);

/*
 * The next frame from the broker, without its size; valid until the next
 * call.
 */
struct slice raw_client_receive(struct raw_client *client);

/*
 * Receive the response to a request of this key, version and correlation id.
 * The result is a struct kp_<api>_response in the client's arena; its strings
 * are valid until the next call.
 */
const void *raw_client_response(struct raw_client *client, int16_t key,
    int16_t version, int32_t correlation_id);

/* Request and response. */
const void *raw_client_call(struct raw_client *client, int16_t key,
    int16_t version, const void *body);

/*
 * The same for a broker that may end at any moment: false, or NULL, where the
 * connection could not be made or ended before all was there.  Nothing is to
 * be freed after a raw_client_try_init that was false.
 */
bool raw_client_try_init(struct raw_client *client,
    const struct broker_process *broker) WARN_UNUSED;
bool raw_client_try_send(struct raw_client *client, const void *data,
    size_t len) WARN_UNUSED;
const void *raw_client_try_response(struct raw_client *client, int16_t key,
    int16_t version, int32_t correlation_id) WARN_UNUSED;
const void *raw_client_try_call(struct raw_client *client, int16_t key,
    int16_t version, const void *body) WARN_UNUSED;

/* The broker closes the connection and sends nothing before it does. */
void raw_client_expect_close(struct raw_client *client);

#endif
