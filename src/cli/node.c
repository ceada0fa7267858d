#include "cli/node.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "api/api.h"
#include "api/audit.h"
#include "api/session.h"
#include "auth/authorizer.h"
#include "auth/delegation_token_sweeper.h"
#include "auth/delegation_tokens.h"
#include "auth/jwk_source.h"
#include "auth/oauth.h"
#include "auth/scram_users.h"
#include "base/bytes.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/rng.h"
#include "base/worker.h"
#include "broker/directory_assigner.h"
#include "broker/fetch_session.h"
#include "broker/partition.h"
#include "broker/partition_manager.h"
#include "broker/quotas.h"
#include "broker/share_partitions.h"
#include "broker/share_session.h"
#include "cli/access_control.h"
#include "cli/reconfigure.h"
#include "cli/settings.h"
#include "coord/coordinator.h"
#include "coord/group_coordinator.h"
#include "coord/share_coordinator.h"
#include "coord/share_keeper.h"
#include "coord/txn_coordinator.h"
#include "meta/broker_ops.h"
#include "meta/controller.h"
#include "meta/directory_ops.h"
#include "meta/format.h"
#include "meta/producer_ids.h"
#include "net/loop_group.h"
#include "net/tls.h"
#include "store/disk_posix.h"
#include "store/flusher.h"
#include "store/log.h"
#include "store/log_dir.h"
#include "wire/generated/metadata_register_broker_record.h"

#define LOGGER "klamm"

/* How long replies may take to leave at a stop. */
#define DRAIN_MS 500

#define COLD_READ_THREADS 4

struct node {
	const struct listener_addresses *addresses;
	struct rng rng;
	struct image *image;
	struct configs *configs;
	const struct data_directories *directories;
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
		.failed = metadata_failed,
	};

	if (lock_metadata_dir(node, at) != 0)
		return -1;
	settings_metadata_log(node->configs, &settings);
	settings.disk = node->disk;
	settings.log_dir = node->directories->paths[at];
	settings.directory_id = node->format.directory_ids[at];
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

/* --- log directories ----------------------------------------------------- */

static void
failure_told(struct controller_op *op)
{
	if (op->error != KP_NONE)
		log_error(LOGGER, "the metadata cannot say which log "
		    "directory has failed: %s", kp_error_name(op->error));
	free(CONTAINER_OF(op, struct directory_fail_op, op));
}

static void
tell_failure(struct node *node, struct uuid directory_id)
{
	struct directory_fail_op *op = xmalloc(sizeof(*op));

	directory_fail_op_init(op);
	op->broker_id = node->configs->node_id;
	op->directory = directory_id;
	op->op.done = failure_told;
	controller_submit(node->controller, &op->op);
}

/* What failed while the registration was under way. */
static void
tell_early_failures(struct node *node)
{
	atomic_store(&node->joined, true);
	for (size_t i = 0; i < log_manager_directory_count(node->logs); i++) {
		struct log_manager_directory directory =
		    log_manager_directory(node->logs, i);

		if (directory.offline)
			tell_failure(node, directory.id);
	}
}

/*
 * Without a log directory there is nothing left to serve from, and without
 * the metadata's nothing that changes.
 */
static void
directory_failed(void *context, const char *path, struct uuid directory_id,
    size_t remaining)
{
	struct node *node = context;
	const struct data_directories *all = node->directories;

	if (remaining == 0) {
		log_write(LOG_FATAL, LOGGER,
		    "the last log directory, %s, has failed: the broker ends",
		    path);
		_exit(EXIT_FAILURE);
	}
	if (strcmp(path, all->paths[all->metadata]) == 0) {
		log_write(LOG_FATAL, LOGGER, "the log directory %s, which has "
		    "the metadata, has failed: the broker ends", path);
		_exit(EXIT_FAILURE);
	}
	if (atomic_load(&node->joined))
		tell_failure(node, directory_id);
}

static bool
partition_wanted(void *context, struct slice topic, int32_t partition,
    struct uuid *topic_id, struct log_settings *settings)
{
	struct node *node = context;

	return partition_manager_wants(node->partitions, topic, partition,
	    topic_id, settings);
}

static struct uuid
partition_assigned(void *context, struct slice topic, int32_t partition)
{
	struct node *node = context;

	return partition_manager_assigned(node->partitions, topic, partition);
}

static void
partition_moved(void *context, struct uuid topic_id, int32_t partition,
    struct uuid directory_id)
{
	struct node *node = context;

	directory_assigner_moved(
	    node->assigner, topic_id, partition, directory_id);
}

/* To make the partitions that could not be made. */
struct retry {
	struct controller_op op;
	struct node *node;
};

/* Who follows their topics follows them, too, now that they are there. */
static void
retry_run(struct controller_op *op, struct controller *controller)
{
	struct retry *retry = CONTAINER_OF(op, struct retry, op);
	size_t count;
	struct uuid *topics =
	    partition_manager_lacking(retry->node->partitions, &count);

	if (count > 0)
		controller_show(controller, topics, count);
	free(topics);
}

static void
retry_done(struct controller_op *op)
{
	free(CONTAINER_OF(op, struct retry, op));
}

static void
retry_partitions(void *context)
{
	struct retry *retry = xmalloc(sizeof(*retry));

	*retry = (struct retry){ { .run = retry_run, .done = retry_done },
		context };
	controller_submit(retry->node->controller, &retry->op);
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
	const struct log_manager_hooks hooks = {
		.context = node,
		.wanted = partition_wanted,
		.assigned = partition_assigned,
		.moved = partition_moved,
		.directory_failed = directory_failed,
		.retry = retry_partitions,
	};
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
	arena_init(&arena, SIZE_MAX);
	settings_network(node->configs, &settings, &arena);
	settings.gate = connection_rates_gate(
	    quotas_connections(node->quotas));
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
	node->audit = audit_new(configs_broker_int64(
	    node->configs, "klamm.audit.interval.ms"));
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

/* The settings of one listener with its keys, which may have to be fetched. */
static int
open_keys(struct node *node, struct sasl_settings *sasl,
    struct oauth_settings *oauth)
{
	if (sasl->oauth == NULL)
		return 0;
	*oauth = *sasl->oauth;
	sasl->oauth = oauth;
	if (oauth->source == NULL)
		return 0;
	oauth->keys = jwk_source_open(oauth->source, node->disk);
	return oauth->keys == NULL ? -1 : 0;
}

/* The listeners' settings with the users that stand in the metadata. */
static int
open_logins(struct node *node, const struct node_settings *settings)
{
	size_t count = node->addresses->count;
	struct delegation_token_settings tokens;

	node->scram_users = scram_users_new();
	settings_delegation_tokens(node->configs, &tokens);
	node->tokens = delegation_tokens_new(&tokens);
	node->sasl = xcalloc(count, sizeof(*node->sasl));
	node->oauth = xcalloc(count, sizeof(*node->oauth));
	node->sessions = xcalloc(count, sizeof(*node->sessions));
	for (size_t i = 0; i < count; i++) {
		node->sasl[i] = settings->sasl[i];
		node->sasl[i].scram_users = node->scram_users;
		node->sasl[i].tokens = node->tokens;
		node->sessions[i].sasl =
		    security_has_sasl(node->addresses->items[i].protocol) ?
		    &node->sasl[i] :
		    NULL;
		node->sessions[i].rules = settings->rules[i];
		if (open_keys(node, &node->sasl[i], &node->oauth[i]) != 0)
			return -1;
	}
	node->tls = settings->tls;
	return 0;
}

static void
close_logins(struct node *node)
{
	for (size_t i = 0;
	     node->oauth != NULL && i < node->addresses->count; i++)
		jwk_source_close(node->oauth[i].keys);
	free(node->oauth);
	free(node->sessions);
	free(node->sasl);
	scram_users_free(node->scram_users);
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
	node->disk = disk_posix();
	rng_init_random(&node->rng);
	node->image = image_new();
	node->configs =
	    configs_new(node->image, settings->id, settings->file);
	node->authorizer = access_control_authorizer(settings->file);
	open_quotas(node);
	if (open_logins(node, settings) != 0 ||
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

static void
fill_end_points(struct node *node, struct kp_register_broker_record *record,
    struct arena *arena)
{
	record->end_points_count = (int32_t)node->listeners_count;
	record->end_points = arena_xcalloc(arena, node->listeners_count,
	    sizeof(*record->end_points));
	for (size_t i = 0; i < node->listeners_count; i++) {
		const struct listener_settings *settings =
		    listener_settings(node->listeners[i]);

		record->end_points[i].name = slice_str(settings->name);
		record->end_points[i].host =
		    slice_str(settings->advertised_host);
		record->end_points[i].port = settings->advertised_port;
		record->end_points[i].security_protocol =
		    (int16_t)node->addresses->items[i].protocol;
	}
}

static void
fill_features(struct kp_register_broker_record *record, struct arena *arena)
{
	size_t count;
	const struct broker_ops_feature *features =
	    broker_ops_features(&count);

	record->features_count = (int32_t)count;
	record->features =
	    arena_xcalloc(arena, count, sizeof(*record->features));
	for (size_t i = 0; i < count; i++) {
		record->features[i].name = slice_str(features[i].name);
		record->features[i].min_supported_version = features[i].min;
		record->features[i].max_supported_version = features[i].max;
	}
}

static int
compare_ids(const void *a, const void *b)
{
	/* As Kafka's Uuid: two signed numbers. */
	for (const uint8_t *left = a, *right = b, *end = left + 16;
	     left < end; left += 8, right += 8) {
		int64_t l = (int64_t)be64_get(left);
		int64_t r = (int64_t)be64_get(right);

		if (l != r)
			return l < r ? -1 : 1;
	}
	return 0;
}

/* Those that work, in the order of their ids. */
static void
fill_log_dirs(const struct node *node,
    struct kp_register_broker_record *record, struct arena *arena)
{
	size_t count = log_manager_directory_count(node->logs);

	record->log_dirs =
	    arena_xcalloc(arena, count, sizeof(*record->log_dirs));
	record->log_dirs_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct log_manager_directory directory =
		    log_manager_directory(node->logs, i);

		if (!directory.offline)
			record->log_dirs[record->log_dirs_count++] =
			    directory.id;
	}
	qsort(record->log_dirs, (size_t)record->log_dirs_count,
	    sizeof(*record->log_dirs), compare_ids);
}

static enum kp_error
register_broker(struct node *node)
{
	struct register_broker_op op;
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	register_broker_op_init(&op);
	kp_defaults(&kp_register_broker_record, &op.record);
	op.record.broker_id = node->configs->node_id;
	rng_bytes(&node->rng, &op.record.incarnation_id,
	    sizeof(op.record.incarnation_id));
	op.record.rack = configs_broker(node->configs, "broker.rack");
	fill_log_dirs(node, &op.record, &arena);
	fill_end_points(node, &op.record, &arena);
	fill_features(&op.record, &arena);
	controller_call(node->controller, &op.op);
	arena_reset(&arena);
	return op.op.error;
}

static void
note_loss(void *context, struct log *log)
{
	bool *lost = context;

	*lost |= log_lost_data(log);
}

/* The epoch of our last registration, also where this start made none. */
static int64_t
last_broker_epoch(const struct node *node)
{
	const struct broker_image *broker =
	    image_broker(node->image, node->configs->node_id);

	return broker == NULL ? -1 : broker->record.broker_epoch;
}

/*
 * Was the last stop orderly, and that of the broker whom the metadata knows?
 * Directories that are older, from a backup, may lack records (KIP-966).
 */
static bool
was_clean(const struct node *node)
{
	return log_manager_was_clean(node->logs) &&
	    log_manager_previous_broker_epoch(node->logs) ==
	    last_broker_epoch(node);
}

static enum kp_error
unfence_broker(struct node *node, bool clean)
{
	struct unfence_broker_op op;

	unfence_broker_op_init(&op);
	op.broker_id = node->configs->node_id;
	/* Recovery may cut off a tail whatever the last stop said. */
	op.unclean = !clean;
	log_manager_each(node->logs, note_loss, &op.unclean);
	controller_call(node->controller, &op.op);
	return op.op.error;
}

static int
join_cluster(struct node *node)
{
	bool clean = was_clean(node);
	enum kp_error error = register_broker(node);

	if (error == KP_NONE)
		error = unfence_broker(node, clean);
	if (error == KP_NONE)
		return 0;
	log_error(LOGGER, "the broker cannot register: %s",
	    kp_error_name(error));
	return -1;
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
	if (join_cluster(node) != 0)
		return -1;
	tell_early_failures(node);
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
		    log_manager_stop(node->logs, last_broker_epoch(node));
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
	close_logins(node);
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
