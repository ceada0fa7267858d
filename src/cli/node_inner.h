/*
 * What a node consists of, for its own files: node.c, how it is put together,
 * started and stopped; node_directories.c, what becomes of log directories and
 * of the partitions in them; node_logins.c, how clients of its listeners say
 * who they are; node_registration.c, how it joins the cluster.
 */
#ifndef CLI_NODE_INNER_H
#define CLI_NODE_INNER_H

#include <stdatomic.h>

#include "api/api.h"
#include "api/session.h"
#include "base/rng.h"
#include "broker/partition.h"
#include "cli/node.h"
#include "cli/reconfigure.h"
#include "coord/share_keeper.h"
#include "meta/configs.h"
#include "meta/format.h"
#include "store/log_manager.h"

struct node {
	const struct listener_addresses *addresses;
	struct rng rng;
	struct image *image;
	struct configs *configs;
	const struct data_directories *directories;
	const struct storage_voter *voter;
	struct format_result format;
	struct log_dir *metadata_dir;	/* where it is not one of log.dirs */
	struct disk *disk;
	struct flusher *flusher;
	struct log_manager *logs;
	struct metadata_log *metadata_log;
	struct authorizer *authorizer;	/* NULL: all is allowed */
	struct quotas *quotas;
	struct scram_users *scram_users;
	struct audit *audit;
	struct delegation_tokens *tokens;
	struct delegation_token_sweeper *token_sweeper;
	struct sasl_settings *sasl;	/* of the addresses */
	struct oauth_settings *oauth;	/* theirs, where they have some */
	struct session_settings *sessions;	/* of the addresses */
	struct tls_context *const *tls;		/* of the addresses */
	struct tls_stores *stores;		/* theirs */
	struct controller *controller;
	struct partition_context partition_context;
	struct partition_manager *partitions;
	struct directory_assigner *assigner;
	struct producer_ids *producer_ids;
	struct fetch_sessions *fetch_sessions;
	struct group_coordinator *groups;
	struct txn_coordinator *txns;
	struct share_coordinator *shares;
	struct share_keeper share_keeper;
	struct share_partitions *share_partitions;
	struct share_sessions *share_sessions;
	struct worker_pool *cold_reads;
	struct loop_group *loops;
	struct network *network;
	struct listener **listeners;
	size_t listeners_count;
	struct api_settings api_settings;
	struct reconfigure reconfigure;
	struct server server;
	bool loops_run;
	bool loaded;			/* the partitions' logs are */
	bool started;
	atomic_bool joined;		/* the broker is registered */
};

/* --- node_directories.c --------------------------------------------------- */

/* What the log manager asks the node and tells it. */
void node_log_hooks(struct node *node, struct log_manager_hooks *hooks);

/* The broker is registered: tell what failed while that was under way. */
void node_tell_early_failures(struct node *node);

/* --- node_logins.c -------------------------------------------------------- */

/*
 * The listeners' settings with the users that stand in the metadata, and with
 * keys, which may have to be fetched.  -1 where they cannot be had, logged.
 */
int node_open_logins(
    struct node *node, const struct node_settings *settings) WARN_UNUSED;
void node_close_logins(struct node *node);

/* --- node_registration.c -------------------------------------------------- */

/* Register the broker, and have it unfenced; -1, logged. */
int node_join(struct node *node) WARN_UNUSED;

/* The epoch of our last registration, also where this start made none. */
int64_t node_last_epoch(const struct node *node);

#endif
