/*
 * Mutation call: what the controller's quota is asked for a request, and how
 * long its client is throttled for it.
 *
 *     mutation_call_init(&call->mutation, request, strict);
 *     call->op.quota = mutation_call_quota(&call->mutation);
 *     …
 *     mutation_call_throttle(&call->mutation);	before the answer
 *
 * strict: changes are refused while the client is in debt; else they are made,
 * and only the silence follows (KIP-599).
 */
#ifndef API_MUTATION_CALL_H
#define API_MUTATION_CALL_H

#include "api/throttle.h"
#include "meta/mutation_quota.h"

struct mutation_call {
	struct mutation_quota quota;
	struct request *request;
	struct client_quotas *quotas; /* NULL: there are none */
	bool strict;

	/* The operation's, until it is done. */
	double spent;
	int64_t throttle_ms;
	int64_t throttled_at_ms;
};

void mutation_call_init(
    struct mutation_call *call, struct request *request, bool strict);

/* For the operation; NULL where nobody counts. */
struct mutation_quota *mutation_call_quota(struct mutation_call *call);

/* The operation is done; on the connection's loop, before the answer. */
void mutation_call_throttle(struct mutation_call *call);

#endif
