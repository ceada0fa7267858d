#include "api/fetch.h"
#include "api/throttle.h"
#include "base/clock.h"

/* Followers are not clients. */
static struct client_quotas *
byte_quotas(const struct fetch *fetch)
{
	return fetch->replica_id >= 0 ?
	    NULL :
	    throttle_quotas(fetch->request, CLIENT_QUOTA_CONSUMER_BYTE_RATE);
}

bool
fetch_quota_counts(const struct fetch *fetch)
{
	return fetch->replica_id < 0 &&
	    (byte_quotas(fetch) != NULL ||
		throttle_quotas(fetch->request,
		    CLIENT_QUOTA_REQUEST_PERCENTAGE) != NULL);
}

void
fetch_quota_limit(struct fetch *fetch)
{
	struct client_quotas *quotas = byte_quotas(fetch);
	struct client_quotas_client client;
	double most;

	/* A follower's time is not charged either. */
	if (fetch->replica_id >= 0)
		fetch->request->time_free = true;
	if (quotas == NULL)
		return;
	client = throttle_client(fetch->request);
	most = client_quotas_window_max(quotas, &client, clock_monotonic_ms());
	if (most < (double)fetch->bytes_max)
		fetch->bytes_max = (int64_t)most;
}

/*
 * Of a client that is not throttled yet: how long it is for this.  The first
 * batch is read whole, and where it alone is more than the quota ever lets
 * pass it is given all the same, and paid for; Kafka gives such a consumer
 * nothing for ever.
 */
static int64_t
charge_bytes(struct fetch *fetch, size_t len, bool *give)
{
	struct client_quotas *quotas = byte_quotas(fetch);
	struct client_quotas_client client;
	int64_t now_ms, throttle_ms;
	bool debt;

	if (quotas == NULL)
		return 0;
	now_ms = clock_monotonic_ms();
	client = throttle_client(fetch->request);
	debt = client_quotas_look(quotas, &client, now_ms) > 0;
	throttle_ms =
	    client_quotas_take(quotas, &client, (double)len, now_ms);
	*give = *give &&
	    (throttle_ms == 0 ||
		(!debt &&
		    (double)len >
			client_quotas_window_max(quotas, &client, now_ms)));
	if (!*give)
		client_quotas_note(quotas, &client, -(double)len, now_ms);
	return throttle_ms;
}

bool
fetch_quota_charge(struct fetch *fetch, size_t len)
{
	struct request *request = fetch->request;
	bool give;

	throttle_time(request);
	give = request->throttle_ms == 0;
	throttle_add(request, charge_bytes(fetch, len, &give));
	return !give;
}
