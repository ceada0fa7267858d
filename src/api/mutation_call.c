#include "api/mutation_call.h"

#include "base/clock.h"

static void
begin(struct mutation_quota *quota)
{
	struct mutation_call *call =
	    CONTAINER_OF(quota, struct mutation_call, quota);
	struct client_quotas_client client = throttle_client(call->request);

	if (call->spent > 0)
		client_quotas_unspend(
		    call->quotas, &client, call->spent, clock_monotonic_ms());
	call->spent = 0;
	call->throttle_ms = 0;
}

/* The last one that was throttled counts, as in Kafka. */
static bool
spend(struct mutation_quota *quota, int64_t partitions)
{
	struct mutation_call *call =
	    CONTAINER_OF(quota, struct mutation_call, quota);
	struct client_quotas_client client = throttle_client(call->request);
	int64_t now_ms = clock_monotonic_ms(), throttle_ms;

	if (client_quotas_spend(call->quotas, &client, (double)partitions,
		call->strict, now_ms, &throttle_ms))
		call->spent += (double)partitions;
	if (throttle_ms > 0) {
		call->throttle_ms = throttle_ms;
		call->throttled_at_ms = now_ms;
	}
	return throttle_ms == 0 || !call->strict;
}

void
mutation_call_init(
    struct mutation_call *call, struct request *request, bool strict)
{
	*call = (struct mutation_call){
		.quota = { .begin = begin, .spend = spend },
		.request = request,
		.quotas = throttle_quotas(
		    request, CLIENT_QUOTA_CONTROLLER_MUTATION_RATE),
		.strict = strict,
	};
}

struct mutation_quota *
mutation_call_quota(struct mutation_call *call)
{
	return call->quotas == NULL ? NULL : &call->quota;
}

void
mutation_call_throttle(struct mutation_call *call)
{
	int64_t passed_ms = clock_monotonic_ms() - call->throttled_at_ms;

	if (call->throttle_ms > 0)
		throttle_add(
		    call->request, MAX(call->throttle_ms - passed_ms, 0));
}
