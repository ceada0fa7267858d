/*
 * Reconfigure: brokers' keys that Kafka can change while it runs, handed to
 * the modules that were told of them at the start.
 *
 * Topics' settings are not among them: the partition manager resolves those.
 */
#ifndef CLI_RECONFIGURE_H
#define CLI_RECONFIGURE_H

#include <stddef.h>

struct configs;
struct connection_rates;
struct delta;
struct group_coordinator;
struct listener;
struct log_manager;
struct network;
struct share_coordinator;
struct tls_stores;
struct txn_coordinator;

/* Borrowed, and there as long as deltas come. */
struct reconfigure {
	const struct configs *configs;
	struct network *network;
	struct connection_rates *rates;
	struct listener *const *listeners; /* none before they are bound */
	size_t listeners_count;
	struct group_coordinator *groups;
	struct txn_coordinator *txns;
	struct share_coordinator *shares;
	struct log_manager *logs;
	struct tls_stores *stores;
};

/* Limits of connections, at the start and when they change. */
void reconfigure_connections(const struct reconfigure *to);

/* A controller_subscriber_fn, with context a struct reconfigure. */
void reconfigure_apply(void *context, const struct delta *delta);

#endif
