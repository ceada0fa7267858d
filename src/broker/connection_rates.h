/*
 * Connection rates: how many connections a second the broker, a listener and
 * an address may make (the rates of ConnectionQuotas in Kafka).
 *
 * Too many for the broker or a listener make the listener wait; too many from
 * an address are refused, and do not count then.  No wait is longer than a
 * window.  The listener between brokers, where it is not the only one, does not
 * wait for the others.
 *
 * Of an address what it did is forgotten when it was quiet for
 * CONNECTION_RATES_IDLE_MS, or when there are CONNECTION_RATES_ADDRESSES_MAX,
 * the one that was quiet for longest.
 *
 * Thread: any.  The lock is a leaf.
 */
#ifndef BROKER_CONNECTION_RATES_H
#define BROKER_CONNECTION_RATES_H

#include "base/base.h"
#include "broker/rate_window.h"
#include "net/accept_gate.h"

#define CONNECTION_RATES_IDLE_MS ((int64_t)3600 * 1000)
#define CONNECTION_RATES_ADDRESSES_MAX 16384

struct connection_rates;

/* Rates over windows of the given size; nothing is limited yet. */
struct connection_rates *connection_rates_new(
    const struct rate_window_size *size);
void connection_rates_free(struct connection_rates *rates);

/* For the network, as long as the rates are there. */
struct accept_gate *connection_rates_gate(struct connection_rates *rates);

/* max.connection.creation.rate; INT32_MAX: none. */
void connection_rates_set_broker(struct connection_rates *rates,
    int32_t limit);

/* The same of a listener; apart: it does not count for the broker. */
void connection_rates_set_listener(struct connection_rates *rates,
    const char *listener, int32_t limit, bool apart);

/*
 * connection_creation_rate of an address as connections have it, or null of
 * all that have none of their own; INFINITY: none.
 */
void connection_rates_set_address(struct connection_rates *rates,
    struct slice address, double limit);

/* The addresses that are remembered. */
size_t connection_rates_addresses(struct connection_rates *rates);

#endif
