/*
 * Server: what a request handler can reach.  It is a table of the services
 * that main put together, nothing more; every service has its own header.
 *
 * Everything here is set before the first connection is accepted and stays
 * as it is until the last one is gone.
 */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "base/base.h"
#include "net/connection.h"

struct audit;
struct authorizer;
struct configs;
struct controller;
struct delegation_tokens;
struct fetch_sessions;
struct group_coordinator;
struct image;
struct log_manager;
struct partition_manager;
struct producer_ids;
struct quotas;
struct scram_users;
struct share_coordinator;
struct share_partitions;
struct share_sessions;
struct txn_coordinator;
struct worker_pool;
struct api_settings;

struct server {
	struct connection_handler connections;	/* how net calls us */
	const struct api_settings *settings;
	struct authorizer *authorizer;		/* NULL: all is allowed */
	struct scram_users *scram_users;
	struct audit *audit;			/* NULL: writes all */
	struct delegation_tokens *tokens;
	struct image *image;
	const struct configs *configs;
	struct controller *controller;
	struct log_manager *logs;
	struct partition_manager *partitions;
	struct producer_ids *producer_ids;
	struct quotas *quotas;
	struct worker_pool *cold_reads;
	struct fetch_sessions *fetch_sessions;
	struct group_coordinator *groups;
	struct txn_coordinator *txns;
	struct share_coordinator *shares;
	struct share_partitions *share_partitions;
	struct share_sessions *share_sessions;
};

/* Settings that handlers themselves need, Kafka's keys in the comments. */
struct api_settings {
	bool auto_create_topics;	/* auto.create.topics.enable */
	int32_t fetch_bytes_max;	/* fetch.max.bytes */
	int32_t request_partitions_max; /* max.request.partition.size.limit */
	int32_t node_id;		/* node.id */
	int32_t request_bytes_max;	/* socket.request.max.bytes */
	int32_t sasl_bytes_max;		/* sasl.server.max.receive.size */
	/* connection.failed.authentication.delay.ms */
	int32_t failed_authentication_delay_ms;
	/* add.partitions.to.txn.retry.backoff.ms and .max.ms */
	int32_t add_partitions_backoff_ms;
	int32_t add_partitions_backoff_max_ms;
};

#endif
