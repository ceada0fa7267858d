#include "cli/node_inner.h"

#include <errno.h>
#include <unistd.h>

#include "api/audit.h"
#include "auth/authorizer.h"
#include "auth/delegation_token_sweeper.h"
#include "auth/delegation_tokens.h"
#include "auth/scram_users.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/worker.h"
#include "broker/directory_assigner.h"
#include "broker/fetch_session.h"
#include "broker/partition_manager.h"
#include "broker/quotas.h"
#include "broker/share_partitions.h"
#include "broker/share_session.h"
#include "cli/access_control.h"
#include "cli/settings.h"
#include "cli/storage_voter.h"
#include "cli/tls_stores.h"
#include "coord/coordinator.h"
#include "coord/group_coordinator.h"
#include "coord/share_coordinator.h"
#include "coord/txn_coordinator.h"
#include "meta/controller.h"
#include "meta/producer_ids.h"
#include "net/loop_group.h"
#include "net/tls.h"
#include "store/disk_posix.h"
#include "store/flusher.h"
#include "store/log.h"
#include "store/log_dir.h"

#define LOGGER "klamm"

/* How long replies may take to leave at a stop. */
#define DRAIN_MS 500

#define COLD_READ_THREADS 4

/* --- opening ------------------------------------------------------------- */

static int
open_directories(struct node *node, const char *cluster_id)
{
	const struct format_settings settings = {
		.disk = node->disk,
		.dirs = (const char *const *)node->directories->paths,
		.dirs_count = node->directories->count,
		.metadata_dir = node->directories->metadata,
		.node_id = node->configs->node_id,
		.cluster_id = cluster_id,
		.rng = &node->rng,
		.controller_listener = "CONTROLLER",
		.controller_host = "localhost",
		.controller_port = 9093,
		.tolerant = true,
	};

	return format_ensure(&settings, &node->format);
}

/* The directory of the metadata must work. */
static int
check_metadata_dir(const struct node *node)
{
	size_t at = node->directories->metadata;

	if (at >= node->directories->logs_count ||
	    !log_manager_directory(node->logs, at).offline)
		return 0;
	log_error(LOGGER, "%s, which has the metadata, cannot be used",
	    node->directories->paths[at]);
	return -1;
}

static int
open_log_manager(struct node *node)
{
	struct log_manager_settings settings;

	settings_log_manager(node->configs, &settings);
	settings.disk = node->disk;
	settings.flusher = node->flusher;
	settings.directories = (const char *const *)node->directories->paths;
	settings.directory_count = node->directories->logs_count;
	settings.unusable = node->format.left_out;
	node->logs = log_manager_new(&settings);
	return node->logs == NULL ? -1 : check_metadata_dir(node);
}

/* The log manager locks the others. */
static int
lock_metadata_dir(struct node *node, size_t at)
{
	if (at < node->directories->logs_count)
		return 0;
	node->metadata_dir = log_dir_open(node->disk,
	    node->directories->paths[at], node->format.directory_ids[at]);
	return node->metadata_dir == NULL ? -1 : 0;
}

static void
unlock_metadata_dir(struct node *node)
{
	if (node->metadata_dir == NULL)
		return;
	log_dir_unlock(node->metadata_dir);
	log_dir_free(node->metadata_dir);
}

/*
 * Kafka halts, too: what is left could serve what there is, but would answer
 * every change with an error, for ever.
 */
static void
metadata_failed(void *context UNUSED)
{
	log_write(LOG_FATAL, LOGGER,
	    "the metadata log has failed: the broker ends");
	_exit(EXIT_FAILURE);
}

static int
open_metadata(struct node *node)
{
	size_t at = node->directories->metadata;
	struct metadata_log_settings settings;
	struct controller_settings controller = {
		.image = node->image,
		.configs = node->configs,
		.node_id = node->configs->node_id,
		.seed = rng_next(&node->rng),
		.stores = &node->stores->hooks,
		.failed = metadata_failed,
	};

	if (lock_metadata_dir(node, at) != 0)
		return -1;
	settings_metadata_log(node->configs, &settings);
	settings.disk = node->disk;
	settings.log_dir = node->directories->paths[at];
	settings.directory_id = node->format.directory_ids[at];
	settings.controller_listener = node->voter->listener;
	settings.controller_host = node->voter->host;
	settings.controller_port = node->voter->port;
	node->metadata_log = metadata_log_open(&settings);
	if (node->metadata_log == NULL)
		return -1;
	image_set_cluster_id(node->image, slice_str(node->format.cluster_id));
	controller.log = node->metadata_log;
	node->controller = controller_new(&controller);
	if (controller_load(node->controller) != 0)
		return -1;
	/* With no metadata all partitions would be strays. */
	return metadata_log_empty(node->metadata_log) ?
	    log_manager_check_empty(node->logs) :
	    0;
}

static int
open_partitions(struct node *node)
{
	int32_t id = node->configs->node_id;
	const struct partition_manager_settings settings = {
		.image = node->image,
		.configs = node->configs,
		.context = &node->partition_context,
		.nodes = &id,
		.nodes_count = 1,
	};
	struct log_manager_hooks hooks;
	struct log_manager_settings logs;

	node->partition_context = (struct partition_context){
		.flusher = node->flusher,
		.flush_acked = settings_flush_acked(node->configs),
		.logs = node->logs,
	};
	node->partitions = partition_manager_new(&settings);
	node->assigner = directory_assigner_new(
	    node->controller, node->logs, node->configs->node_id);
	/* The log manager was there before the metadata was. */
	settings_log_manager(node->configs, &logs);
	log_manager_configure(node->logs, &logs);
	node_log_hooks(node, &hooks);
	if (log_manager_load(node->logs, &hooks) != 0)
		return -1;
	node->loaded = true;
	return 0;
}

static void
tell_limit(const struct node *node, const struct network_settings *settings)
{
	if (configs_broker_int64(node->configs, "max.connections") <=
	    settings->connections_max)
		return;
	log_info(LOGGER, "%zu open files are allowed (ulimit -n), which is "
	    "enough for %d connections",
	    descriptors_max(), settings->connections_max);
}

static int
open_loops(struct node *node)
{
	struct network_settings settings;
	struct arena arena;

	node->loops = loop_group_new(machine_processors_usable());
	if (node->loops == NULL) {
		log_error(LOGGER, "cannot make event loops: %s",
		    strerror(errno));
		return -1;
	}
	node->audit = audit_new(configs_broker_int64(
	    node->configs, "klamm.audit.interval.ms"));
	arena_init(&arena, SIZE_MAX);
	settings_network(node->configs, &settings, &arena);
	settings.gate = connection_rates_gate(
	    quotas_connections(node->quotas));
	settings.lines = audit_network_lines(node->audit);
	tell_limit(node, &settings);
	node->network = network_new(node->loops, &settings,
	    &node->server.connections);
	arena_reset(&arena);
	if (loop_group_start(node->loops) != 0) {
		log_error(LOGGER, "cannot start event loops: %s",
		    strerror(errno));
		return -1;
	}
	node->loops_run = true;
	return 0;
}

/* What shares the records of partitions among the members of groups. */
static void
open_shares(struct node *node)
{
	const struct share_partitions_settings settings = {
		.persister = &node->share_keeper.persister,
		.image = node->image,
		.configs = node->configs,
		.pool = node->cold_reads,
	};

	share_keeper_init(&node->share_keeper, node->shares);
	node->share_partitions = share_partitions_new(&settings);
	node->share_sessions =
	    share_sessions_new((int32_t)configs_broker_int64(
		node->configs, "group.share.max.share.sessions"));
}

static void
open_services(struct node *node)
{
	struct group_settings group_settings;
	struct txn_settings txn_settings;
	struct share_settings share_settings;
	const struct coordinator_services services = {
		.image = node->image,
		.controller = node->controller,
		.partitions = node->partitions,
		.loops = node->loops,
		.authorizer = node->authorizer,
		.nodes = &node->configs->node_id,
		.nodes_count = 1,
	};

	settings_group(node->configs, &group_settings);
	settings_txn(node->configs, &txn_settings);
	settings_share(node->configs, &share_settings);
	settings_api(node->configs, &node->api_settings);
	node->groups = group_coordinator_new(&group_settings, &services);
	node->producer_ids =
	    producer_ids_new(node->controller, node->configs->node_id);
	node->txns = txn_coordinator_new(
	    &txn_settings, &services, node->producer_ids, node->groups);
	node->shares = share_coordinator_new(&share_settings, &services);
	group_coordinator_set_shares(node->groups, node->shares);
	node->fetch_sessions = fetch_sessions_new(
	    (int32_t)configs_broker_int64(node->configs,
		"max.incremental.fetch.session.cache.slots"),
	    rng_next(&node->rng));
	audit_start(node->audit, loop_group_get(node->loops, 0));
	node->cold_reads = worker_pool_new("cold-read", COLD_READ_THREADS);
	open_shares(node);
	node->token_sweeper = delegation_token_sweeper_new(
	    node->tokens, node->controller, loop_group_get(node->loops, 0));
	node->reconfigure = (struct reconfigure){
		.configs = node->configs,
		.network = node->network,
		.rates = quotas_connections(node->quotas),
		.groups = node->groups,
		.txns = node->txns,
		.shares = node->shares,
		.logs = node->logs,
		.stores = node->stores,
	};
	node->server = (struct server){
		.connections = { .opened = session_opened,
		    .shaken = session_shaken,
		    .unshaken = session_unshaken,
		    .frame = api_dispatch,
		    .freed = api_disconnected },
		.settings = &node->api_settings,
		.image = node->image,
		.configs = node->configs,
		.authorizer = node->authorizer,
		.scram_users = node->scram_users,
		.audit = node->audit,
		.tokens = node->tokens,
		.controller = node->controller,
		.logs = node->logs,
		.partitions = node->partitions,
		.producer_ids = node->producer_ids,
		.quotas = node->quotas,
		.fetch_sessions = node->fetch_sessions,
		.groups = node->groups,
		.txns = node->txns,
		.shares = node->shares,
		.share_partitions = node->share_partitions,
		.share_sessions = node->share_sessions,
		.cold_reads = node->cold_reads,
	};
}

/* What could not be opened has said why. */
static struct node *
give_up(struct node *node)
{
	if (node_stop(node) != 0)
		log_debug(LOGGER, "not all could be left clean");
	return NULL;
}

static void
open_quotas(struct node *node)
{
	struct quotas_settings settings;

	settings_quotas(node->configs, &settings);
	node->quotas = quotas_new(&settings);
}

struct node *
node_new(const struct node_settings *settings)
{
	struct node *node = xcalloc(1, sizeof(*node));

	descriptors_raise();
	node->addresses = settings->addresses;
	node->directories = settings->directories;
	node->voter = settings->voter;
	node->stores = settings->stores;
	node->disk = disk_posix();
	rng_init_random(&node->rng);
	node->image = image_new();
	node->configs =
	    configs_new(node->image, settings->id, settings->file);
	node->authorizer = access_control_authorizer(settings->file);
	open_quotas(node);
	if (node_open_logins(node, settings) != 0 ||
	    open_directories(node, settings->cluster_id) != 0)
		return give_up(node);
	node->flusher = flusher_new();
	if (open_log_manager(node) != 0 || open_metadata(node) != 0 ||
	    open_partitions(node) != 0 || open_loops(node) != 0)
		return give_up(node);
	open_services(node);
	return node;
}

/* --- starting ------------------------------------------------------------ */

static int
bind_listeners(struct node *node)
{
	struct listener_settings settings;

	node->listeners =
	    xcalloc(node->addresses->count, sizeof(*node->listeners));
	for (size_t i = 0; i < node->addresses->count; i++) {
		const struct listener_address *address =
		    &node->addresses->items[i];

		settings_listener(node->configs, address->name, &settings);
		settings.apart &= node->addresses->count > 1;
		settings.deferred = true;
		settings.host = address->host;
		settings.handler_context = &node->sessions[i];
		settings.of_strangers = node->sessions[i].sasl != NULL ||
		    node->tls[i] != NULL;
		if (node->tls[i] != NULL) {
			settings.transport = tls_open;
			settings.transport_context = node->tls[i];
		}
		settings.port = (uint16_t)address->port;
		settings.advertised_host = address->advertised_host;
		settings.advertised_port = (uint16_t)address->advertised_port;
		node->listeners[i] = listener_new(node->network, &settings);
		if (node->listeners[i] == NULL)
			return -1;
		node->listeners_count++;
	}
	node->reconfigure.listeners = node->listeners;
	node->reconfigure.listeners_count = node->listeners_count;
	reconfigure_connections(&node->reconfigure);
	return 0;
}

int
node_start(struct node *node)
{
	if (bind_listeners(node) != 0)
		return -1;
	if (node->authorizer != NULL)
		controller_subscribe(
		    node->controller, authorizer_apply, node->authorizer);
	controller_subscribe(
	    node->controller, scram_users_apply, node->scram_users);
	controller_subscribe(
	    node->controller, delegation_tokens_apply, node->tokens);
	controller_subscribe(node->controller, quotas_apply, node->quotas);
	controller_subscribe(node->controller, partition_manager_apply,
	    node->partitions);
	controller_subscribe(
	    node->controller, directory_assigner_apply, node->assigner);
	controller_subscribe(
	    node->controller, group_coordinator_apply, node->groups);
	controller_subscribe(
	    node->controller, txn_coordinator_apply, node->txns);
	controller_subscribe(
	    node->controller, share_coordinator_apply, node->shares);
	controller_subscribe(node->controller, share_partitions_apply,
	    node->share_partitions);
	controller_subscribe(
	    node->controller, reconfigure_apply, &node->reconfigure);
	if (controller_start(node->controller) != 0)
		return -1;
	directory_assigner_start(node->assigner);
	if (node_join(node) != 0)
		return -1;
	node_tell_early_failures(node);
	node->started = true;
	delegation_token_sweeper_start(node->token_sweeper);
	group_coordinator_start(node->groups);
	txn_coordinator_start(node->txns);
	share_coordinator_start(node->shares);
	log_manager_start(node->logs);
	for (size_t i = 0; i < node->listeners_count; i++)
		listener_accept(node->listeners[i]);
	return 0;
}

int
node_port(const struct node *node)
{
	assert(node->listeners_count > 0);
	return listener_settings(node->listeners[0])->port;
}

int32_t
node_id(const struct node *node)
{
	return node->configs->node_id;
}

/* --- stopping ------------------------------------------------------------ */

static void
stop_serving(struct node *node)
{
	if (node->groups != NULL)
		group_coordinator_stop(node->groups);
	if (node->txns != NULL)
		txn_coordinator_stop(node->txns);
	if (node->shares != NULL)
		share_coordinator_stop(node->shares);
	if (node->network != NULL && node->loops_run &&
	    network_stop(node->network, DRAIN_MS) != 0)
		log_warn(LOGGER, "some requests were not answered");
	if (node->controller != NULL)
		controller_stop(node->controller);
	worker_pool_stop_free(node->cold_reads);
	if (node->loops_run)
		loop_group_stop(node->loops);
}

/*
 * A start that fails before anything is served leaves a clean directory as
 * clean as it was.
 */
static bool
stays_clean(const struct node *node)
{
	return node->started ||
	    (node->loaded && log_manager_was_clean(node->logs));
}

/*
 * Logs are closed last: everything above may still hold some.  The flusher
 * outlives them, because a log is taken from its hands before it is freed.
 */
static int
stop_storing(struct node *node)
{
	int result = 0;

	/* It asks for partitions. */
	if (node->logs != NULL)
		log_manager_background_stop(node->logs);
	partition_manager_free(node->partitions);
	/* Before the lock of its directory is given up. */
	metadata_log_close(node->metadata_log);
	if (node->logs != NULL && stays_clean(node))
		result =
		    log_manager_stop(node->logs, node_last_epoch(node));
	log_manager_free(node->logs);
	flusher_free(node->flusher);
	unlock_metadata_dir(node);
	return result;
}

int
node_stop(struct node *node)
{
	int result;

	stop_serving(node);
	share_coordinator_free(node->shares);
	share_partitions_free(node->share_partitions);
	txn_coordinator_free(node->txns);
	group_coordinator_free(node->groups);
	producer_ids_free(node->producer_ids);
	fetch_sessions_free(node->fetch_sessions);
	share_sessions_free(node->share_sessions);
	network_free(node->network);
	result = stop_storing(node);
	/* A move that ended, or a directory, may have reported until then. */
	controller_free(node->controller);
	authorizer_free(node->authorizer);
	delegation_token_sweeper_free(node->token_sweeper);
	delegation_tokens_free(node->tokens);
	node_close_logins(node);
	quotas_free(node->quotas);
	directory_assigner_free(node->assigner);
	/* The flusher may still have been waking a loop until it was joined. */
	loop_group_free(node->loops);
	audit_free(node->audit);
	format_result_fini(&node->format);
	configs_free(node->configs);
	image_free(node->image);
	free(node->listeners);
	free(node);
	return result;
}
