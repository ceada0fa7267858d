/*
 * Node: a whole broker, put together from the layers, started and stopped in
 * the one order that works.
 *
 * Start: directories are locked and checked, the metadata log is replayed,
 * partition logs are opened, a new epoch begins, the broker registers, is
 * unfenced and leads its partitions, groups are loaded; only then are
 * connections accepted.
 *
 * Stop: no new requests, pending answers leave, the broker is fenced in the
 * metadata log, logs are synced and closed, and last of all the marks of a
 * clean shutdown are written.
 *
 * Called on the main thread only.
 */
#ifndef CLI_NODE_H
#define CLI_NODE_H

#include "base/base.h"
#include "cli/data_directories.h"
#include "cli/listener_addresses.h"

struct config_set;
struct node;
struct principal_rules;
struct sasl_settings;
struct tls_context;
struct storage_voter;
struct tls_stores;

/* What a node is made of; all of it outlives the node. */
struct node_settings {
	const struct config_set *file;	/* the static configuration */
	const struct listener_addresses *addresses;
	const struct sasl_settings *sasl;	/* of the addresses */
	struct tls_context *const *tls;		/* of them; NULL: no TLS */
	struct principal_rules *const *rules;	/* the same */
	struct tls_stores *stores;		/* of them all */
	const struct data_directories *directories;
	const struct storage_voter *voter;	/* the controller's listener */
	int32_t id;			/* node.id */
	/* NULL: the directory's, or a random one where that is empty. */
	const char *cluster_id;
};

/*
 * Everything is checked and opened, nothing is served yet.  NULL after a line
 * that says why it cannot be.
 */
struct node *node_new(const struct node_settings *settings);

/* Serve.  -1 after a line that says why not; node_stop is still due. */
int node_start(struct node *node) WARN_UNUSED;

/* The port of the first listener, once node_start has succeeded. */
int node_port(const struct node *node);

int32_t node_id(const struct node *node);

/*
 * The orderly stop.  -1 where something could not be left clean, which was
 * logged.  Frees the node.
 */
int node_stop(struct node *node) WARN_UNUSED;

#endif
