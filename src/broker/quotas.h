/*
 * Quotas: all that clients may take, kept as the metadata has it.
 *
 * Thread: any, but for quotas_apply.
 */
#ifndef BROKER_QUOTAS_H
#define BROKER_QUOTAS_H

#include "broker/client_quotas.h"
#include "broker/connection_rates.h"

struct delta;
struct quotas;

struct quotas_settings {
	/* quota.window.num, quota.window.size.seconds */
	struct rate_window_size window;
	/* controller.quota.window.num, controller.quota.window.size.seconds */
	struct rate_window_size controller_window;
};

struct quotas *quotas_new(const struct quotas_settings *settings);
void quotas_free(struct quotas *quotas);

/*
 * Take over what has changed: a subscriber of the controller.  It may block
 * where a quota is of the name of a host, which is looked up.
 */
void quotas_apply(void *quotas, const struct delta *delta);

/* Those of a key that is not about addresses. */
struct client_quotas *quotas_of(const struct quotas *quotas,
    enum client_quota_key key);

/* Those of addresses, of the broker and its listeners. */
struct connection_rates *quotas_connections(const struct quotas *quotas);

/* The longest silence for time that requests took, in milliseconds. */
int64_t quotas_request_throttle_ms_max(const struct quotas *quotas);

#endif
