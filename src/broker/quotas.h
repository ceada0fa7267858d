/*
 * Quotas: all that clients may take, kept as the metadata has it.
 *
 * Thread: any, but for quotas_apply.
 */
#ifndef BROKER_QUOTAS_H
#define BROKER_QUOTAS_H

#include <stdatomic.h>

#include "broker/client_quotas.h"
#include "broker/connection_rates.h"

struct delta;

struct quotas_settings {
	/* quota.window.num, quota.window.size.seconds */
	struct rate_window_size window;
	/* controller.quota.window.num, controller.quota.window.size.seconds */
	struct rate_window_size controller_window;
};

/* Looked at for each request, so it is no secret. */
struct quotas {
	/* atomic: the keys that there are quotas of, as bits */
	atomic_uint limited;

	/* immutable; for quotas.c */
	struct quotas_settings settings;
	struct client_quotas *of[CLIENT_QUOTA_CONTROLLER_MUTATION_RATE + 1];
	struct connection_rates *connections;
};

struct quotas *quotas_new(const struct quotas_settings *settings);
void quotas_free(struct quotas *quotas);

/*
 * Take over what has changed: a subscriber of the controller.  It may block
 * where a quota is of the name of a host, which is looked up.
 */
void quotas_apply(void *quotas, const struct delta *delta);

/*
 * Those of a key that is not about addresses; NULL where there are none, so
 * that nobody has to be asked.
 */
static inline struct client_quotas *
quotas_of(const struct quotas *quotas, enum client_quota_key key)
{
	unsigned limited =
	    atomic_load_explicit(&quotas->limited, memory_order_relaxed);

	return (limited >> key & 1) != 0 ? quotas->of[key] : NULL;
}

/* Is there any of those? */
static inline bool
quotas_any(const struct quotas *quotas)
{
	return atomic_load_explicit(
		   &quotas->limited, memory_order_relaxed) != 0;
}

/* Those of addresses, of the broker and its listeners. */
struct connection_rates *quotas_connections(const struct quotas *quotas);

/* The longest silence for time that requests took, in milliseconds. */
int64_t quotas_request_throttle_ms_max(const struct quotas *quotas);

#endif
