/*
 * Reconfigure: brokers' keys that Kafka can change while it runs, handed to
 * the modules that were told of them at the start.
 *
 * Topics' settings are not among them: the partition manager resolves those.
 */
#ifndef CLI_RECONFIGURE_H
#define CLI_RECONFIGURE_H

struct configs;
struct delta;
struct group_coordinator;
struct log_manager;
struct network;
struct share_coordinator;
struct txn_coordinator;

/* Borrowed, and there as long as deltas come. */
struct reconfigure {
	const struct configs *configs;
	struct network *network;
	struct group_coordinator *groups;
	struct txn_coordinator *txns;
	struct share_coordinator *shares;
	struct log_manager *logs;
};

/* A controller_subscriber_fn, with context a struct reconfigure. */
void reconfigure_apply(void *context, const struct delta *delta);

#endif
