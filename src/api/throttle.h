/*
 * Throttle: what a request costs its client, and the silence that follows.
 *
 * The answer leaves at once and says in throttle_time_ms for how long the
 * connection is not listened to afterwards (KIP-219); of several reasons the
 * one that asks for the longest silence counts.
 *
 * Thread: the connection's loop.
 */
#ifndef API_THROTTLE_H
#define API_THROTTLE_H

#include "api/request.h"
#include "broker/quotas.h"

/* Whom the request is charged to; names are borrowed from it. */
struct client_quotas_client throttle_client(const struct request *request);

/* The quotas of a key where there are some, else NULL: nothing to charge. */
static inline struct client_quotas *
throttle_quotas(const struct request *request, enum client_quota_key key)
{
	return quotas_of(request->server->quotas, key);
}

/* The connection has to be silent so long after the answer; 0: it has not. */
void throttle_add(struct request *request, int64_t throttle_ms);

/* Charge the bytes of an answer with records, which is given in any case. */
void throttle_records(struct request *request, const void *body);

/*
 * Before the answer: charge the time that the request took its handler so far,
 * once, unless its API is exempt.  throttle_add is done.
 */
void throttle_time(struct request *request);

/*
 * After the answer has left: charge the time that its connection took the loop
 * since the one before.  Nothing comes of it but what it does to the next one
 * (recordNetworkThreadTime of Kafka).
 */
void throttle_network_time(struct request *request);

/*
 * At the answer, a struct kp_<api>_response: throttle_time, say in it for how
 * long, and be silent.
 */
void throttle_answer(struct request *request, void *body);

/* Has throttle_answer anything to do? */
static inline bool
throttle_needed(const struct request *request)
{
	return request->throttle_ms != 0 ||
	    quotas_any(request->server->quotas);
}

/* Be silent from now on already, while the answer is still to come. */
void throttle_begin(struct request *request);

#endif
