#include "cli/settings.h"

#include "base/descriptors.h"
#include "base/slice.h"

#define MINUTE_MS (60 * 1000)

static int32_t
int32_of(const struct configs *configs, const char *key)
{
	int64_t value = configs_broker_int64(configs, key);

	return (int32_t)MAX(INT32_MIN, MIN(INT32_MAX, value));
}

bool
settings_flush_acked(const struct configs *configs)
{
	return slice_equal_str(configs_broker(configs, "klamm.flush"),
	    "acked");
}

void
settings_api(const struct configs *configs, struct api_settings *settings)
{
	settings->auto_create_topics =
	    configs_broker_bool(configs, "auto.create.topics.enable");
	settings->fetch_bytes_max = int32_of(configs, "fetch.max.bytes");
	settings->request_partitions_max =
	    int32_of(configs, "max.request.partition.size.limit");
	settings->node_id = configs->node_id;
	settings->request_bytes_max =
	    int32_of(configs, "socket.request.max.bytes");
	settings->sasl_bytes_max =
	    int32_of(configs, "sasl.server.max.receive.size");
	settings->failed_authentication_delay_ms =
	    int32_of(configs, "connection.failed.authentication.delay.ms");
	settings->add_partitions_backoff_ms =
	    int32_of(configs, "add.partitions.to.txn.retry.backoff.ms");
	settings->add_partitions_backoff_max_ms =
	    MIN(int32_of(configs, "request.timeout.ms"),
		int32_of(configs,
		    "add.partitions.to.txn.retry.backoff.max.ms"));
}

void
settings_delegation_tokens(
    const struct configs *configs, struct delegation_token_settings *settings)
{
	settings->secret = slice_trim(
	    configs_broker(configs, "delegation.token.secret.key"));
	settings->max_lifetime_ms =
	    configs_broker_int64(configs, "delegation.token.max.lifetime.ms");
	settings->expiry_time_ms =
	    configs_broker_int64(configs, "delegation.token.expiry.time.ms");
	settings->expiry_check_interval_ms = configs_broker_int64(
	    configs, "delegation.token.expiry.check.interval.ms");
}

/* The assignors by name, or by the name of Kafka's class. */
static void
add_assignor(struct consumer_settings *settings, struct slice name)
{
	static const struct {
		const char *names[2];
		enum consumer_assignor assignor;
	} known[] = {
		{ { "uniform",
		      "org.apache.kafka.coordinator.group.assignor."
		      "UniformAssignor" },
		    CONSUMER_ASSIGNOR_UNIFORM },
		{ { "range",
		      "org.apache.kafka.coordinator.group.assignor."
		      "RangeAssignor" },
		    CONSUMER_ASSIGNOR_RANGE },
	};

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if ((slice_equal_str(name, known[i].names[0]) ||
			slice_equal_str(name, known[i].names[1])) &&
		    settings->assignors_count < CONSUMER_ASSIGNORS_COUNT)
			settings->assignors[settings->assignors_count++] =
			    known[i].assignor;
}

/* Without one that we have, uniform is it. */
static void
settings_assignors(
    const struct configs *configs, struct consumer_settings *settings)
{
	struct slice list = configs_broker(configs, "group.consumer.assignors");
	struct slice name;

	settings->assignors_count = 0;
	while (slice_next_word(&list, &name))
		add_assignor(settings, name);
	if (settings->assignors_count == 0)
		add_assignor(settings, slice_str("uniform"));
}

/* Kafka takes the policy's name in any case. */
static void
settings_migration(
    const struct configs *configs, struct consumer_settings *settings)
{
	struct slice policy =
	    configs_broker(configs, "group.consumer.migration.policy");
	bool both = slice_equal_nocase(policy, "bidirectional");

	settings->upgrades = both || slice_equal_nocase(policy, "upgrade");
	settings->downgrades = both || slice_equal_nocase(policy, "downgrade");
}

static void
settings_consumer(
    const struct configs *configs, struct consumer_settings *settings)
{
	settings->session_timeout_ms =
	    int32_of(configs, "group.consumer.session.timeout.ms");
	settings->session_timeout_min_ms =
	    int32_of(configs, "group.consumer.min.session.timeout.ms");
	settings->session_timeout_max_ms =
	    int32_of(configs, "group.consumer.max.session.timeout.ms");
	settings->heartbeat_interval_ms =
	    int32_of(configs, "group.consumer.heartbeat.interval.ms");
	settings->heartbeat_interval_min_ms =
	    int32_of(configs, "group.consumer.min.heartbeat.interval.ms");
	settings->heartbeat_interval_max_ms =
	    int32_of(configs, "group.consumer.max.heartbeat.interval.ms");
	settings->assignment_interval_ms =
	    int32_of(configs, "group.consumer.assignment.interval.ms");
	settings->assignment_interval_min_ms =
	    int32_of(configs, "group.consumer.min.assignment.interval.ms");
	settings->assignment_interval_max_ms =
	    int32_of(configs, "group.consumer.max.assignment.interval.ms");
	settings->regex_refresh_ms =
	    int32_of(configs, "group.consumer.regex.refresh.interval.ms");
	settings->members_max = int32_of(configs, "group.consumer.max.size");
	settings->enabled = slice_list_has(
	    configs_broker(configs, "group.coordinator.rebalance.protocols"),
	    slice_str("consumer"));
	settings_assignors(configs, settings);
	settings_migration(configs, settings);
}

static void
settings_streams(
    const struct configs *configs, struct streams_settings *settings)
{
	settings->session_timeout_ms =
	    int32_of(configs, "group.streams.session.timeout.ms");
	settings->session_timeout_min_ms =
	    int32_of(configs, "group.streams.min.session.timeout.ms");
	settings->session_timeout_max_ms =
	    int32_of(configs, "group.streams.max.session.timeout.ms");
	settings->heartbeat_interval_ms =
	    int32_of(configs, "group.streams.heartbeat.interval.ms");
	settings->heartbeat_interval_min_ms =
	    int32_of(configs, "group.streams.min.heartbeat.interval.ms");
	settings->heartbeat_interval_max_ms =
	    int32_of(configs, "group.streams.max.heartbeat.interval.ms");
	settings->assignment_interval_ms =
	    int32_of(configs, "group.streams.assignment.interval.ms");
	settings->assignment_interval_min_ms =
	    int32_of(configs, "group.streams.min.assignment.interval.ms");
	settings->assignment_interval_max_ms =
	    int32_of(configs, "group.streams.max.assignment.interval.ms");
	settings->rebalance_delay_ms =
	    int32_of(configs, "group.streams.initial.rebalance.delay.ms");
	settings->standby_replicas =
	    int32_of(configs, "group.streams.num.standby.replicas");
	settings->standby_replicas_max =
	    int32_of(configs, "group.streams.max.standby.replicas");
	settings->members_max = int32_of(configs, "group.streams.max.size");
	settings->enabled = slice_list_has(
	    configs_broker(configs, "group.coordinator.rebalance.protocols"),
	    slice_str("streams"));
}

static void
settings_share_group(
    const struct configs *configs, struct share_group_settings *settings)
{
	settings->session_timeout_ms =
	    int32_of(configs, "group.share.session.timeout.ms");
	settings->session_timeout_min_ms =
	    int32_of(configs, "group.share.min.session.timeout.ms");
	settings->session_timeout_max_ms =
	    int32_of(configs, "group.share.max.session.timeout.ms");
	settings->heartbeat_interval_ms =
	    int32_of(configs, "group.share.heartbeat.interval.ms");
	settings->heartbeat_interval_min_ms =
	    int32_of(configs, "group.share.min.heartbeat.interval.ms");
	settings->heartbeat_interval_max_ms =
	    int32_of(configs, "group.share.max.heartbeat.interval.ms");
	settings->assignment_interval_ms =
	    int32_of(configs, "group.share.assignment.interval.ms");
	settings->assignment_interval_min_ms =
	    int32_of(configs, "group.share.min.assignment.interval.ms");
	settings->assignment_interval_max_ms =
	    int32_of(configs, "group.share.max.assignment.interval.ms");
	settings->initialize_retry_ms =
	    int32_of(configs, "group.share.initialize.retry.interval.ms");
	settings->members_max = int32_of(configs, "group.share.max.size");
}

void
settings_group(const struct configs *configs, struct group_settings *settings)
{
	settings->session_timeout_min_ms =
	    int32_of(configs, "group.min.session.timeout.ms");
	settings->session_timeout_max_ms =
	    int32_of(configs, "group.max.session.timeout.ms");
	settings->rebalance_delay_ms =
	    int32_of(configs, "group.initial.rebalance.delay.ms");
	settings->members_max = int32_of(configs, "group.max.size");
	settings->metadata_max =
	    int32_of(configs, "offset.metadata.max.bytes");
	settings->load_bytes = int32_of(configs, "offsets.load.buffer.size");
	settings->retention_ms = MINUTE_MS *
	    configs_broker_int64(configs, "offsets.retention.minutes");
	settings->retention_check_ms = configs_broker_int64(configs,
	    "offsets.retention.check.interval.ms");
	settings->commit_timeout_ms =
	    int32_of(configs, "offsets.commit.timeout.ms");
	settings->topic_partitions =
	    int32_of(configs, "offsets.topic.num.partitions");
	settings->topic_replication_factor = (int16_t)int32_of(configs,
	    "offsets.topic.replication.factor");
	settings->topic_segment_bytes =
	    int32_of(configs, "offsets.topic.segment.bytes");
	settings->topic_compression =
	    int32_of(configs, "offsets.topic.compression.codec");
	settings->batch_bytes_max = int32_of(configs, "message.max.bytes");
	settings_consumer(configs, &settings->consumer);
	settings_streams(configs, &settings->streams);
	settings_share_group(configs, &settings->share);
}

void
settings_txn(const struct configs *configs, struct txn_settings *settings)
{
	settings->timeout_max_ms =
	    int32_of(configs, "transaction.max.timeout.ms");
	settings->timeout_check_ms = int32_of(configs,
	    "transaction.abort.timed.out.transaction.cleanup.interval.ms");
	settings->expiration_ms =
	    int32_of(configs, "transactional.id.expiration.ms");
	settings->expiration_check_ms = int32_of(configs,
	    "transaction.remove.expired.transaction.cleanup.interval.ms");
	settings->load_bytes =
	    int32_of(configs, "transaction.state.log.load.buffer.size");
	settings->commit_timeout_ms = int32_of(configs, "request.timeout.ms");
	settings->topic_partitions =
	    int32_of(configs, "transaction.state.log.num.partitions");
	settings->topic_replication_factor = (int16_t)int32_of(configs,
	    "transaction.state.log.replication.factor");
	settings->topic_segment_bytes =
	    int32_of(configs, "transaction.state.log.segment.bytes");
	settings->topic_min_isr =
	    int32_of(configs, "transaction.state.log.min.isr");
	settings->batch_bytes_max = int32_of(configs, "message.max.bytes");
	settings->verifies = configs_broker_bool(configs,
	    "transaction.partition.verification.enable");
}

void
settings_share(const struct configs *configs, struct share_settings *settings)
{
	settings->updates_per_snapshot = int32_of(configs,
	    "share.coordinator.snapshot.update.records.per.snapshot");
	settings->cold_interval_ms = int32_of(configs,
	    "share.coordinator.cold.partition.snapshot.interval.ms");
	settings->prune_interval_ms = int32_of(configs,
	    "share.coordinator.state.topic.prune.interval.ms");
	settings->load_bytes =
	    int32_of(configs, "share.coordinator.load.buffer.size");
	settings->commit_timeout_ms =
	    int32_of(configs, "share.coordinator.write.timeout.ms");
	settings->topic_partitions =
	    int32_of(configs, "share.coordinator.state.topic.num.partitions");
	settings->topic_replication_factor = (int16_t)int32_of(configs,
	    "share.coordinator.state.topic.replication.factor");
	settings->topic_segment_bytes =
	    int32_of(configs, "share.coordinator.state.topic.segment.bytes");
	settings->topic_min_isr =
	    int32_of(configs, "share.coordinator.state.topic.min.isr");
	settings->topic_compression = int32_of(configs,
	    "share.coordinator.state.topic.compression.codec");
	settings->batch_bytes_max = int32_of(configs, "message.max.bytes");
}

static void
set_window(const struct configs *configs, const char *count,
    const char *seconds, struct rate_window_size *window)
{
	window->count = int32_of(configs, count);
	window->length_ms = (int64_t)int32_of(configs, seconds) * 1000;
}

void
settings_quotas(const struct configs *configs, struct quotas_settings *settings)
{
	set_window(configs, "quota.window.num", "quota.window.size.seconds",
	    &settings->window);
	set_window(configs, "controller.quota.window.num",
	    "controller.quota.window.size.seconds",
	    &settings->controller_window);
}

/* Clients get the descriptors that the store leaves, and no more. */
static int32_t
connections_max(const struct configs *configs)
{
	return (int32_t)MIN(
	    (size_t)MAX(0, int32_of(configs, "max.connections")),
	    descriptors_share());
}

/* What is no override was refused when it was set, or is nobody's. */
static void
add_ip_limit(struct network_settings *settings,
    struct network_ip_limit *limit, struct slice item, struct arena *arena)
{
	struct slice host;
	int64_t max;

	if (config_key_pair(item, &host, &max) != 0)
		return;
	limit->host =
	    (const char *)arena_printf(arena, "%.*s", SLICE_ARG(host)).data;
	limit->connections_max = (int32_t)MAX(0, MIN(INT32_MAX, max));
	settings->ip_limits_count++;
}

static void
set_ip_limits(struct network_settings *settings, struct slice list,
    struct arena *arena)
{
	struct slice words = list, item;
	struct network_ip_limit *limits;
	size_t count = 0;

	while (slice_next_word(&words, &item))
		count++;
	limits = arena_xcalloc(arena, count, sizeof(*limits));
	settings->ip_limits = limits;
	while (slice_next_word(&list, &item))
		add_ip_limit(settings, &limits[settings->ip_limits_count],
		    item, arena);
}

void
settings_network(const struct configs *configs,
    struct network_settings *settings, struct arena *arena)
{
	int64_t memory_max =
	    configs_broker_int64(configs, "queued.max.request.bytes");

	network_defaults(settings);
	if (memory_max > 0)
		settings->memory_max = (size_t)memory_max;
	settings->frame_len_max = (size_t)configs_broker_int64(configs,
	    "socket.request.max.bytes");
	settings->idle_ms_max =
	    configs_broker_int64(configs, "connections.max.idle.ms");
	settings->partial_frame_ms_max =
	    int32_of(configs, "klamm.frame.timeout.ms");
	settings->handshake_ms_max =
	    int32_of(configs, "klamm.login.timeout.ms");
	settings->connections_max = connections_max(configs);
	settings->connections_per_ip_max =
	    int32_of(configs, "max.connections.per.ip");
	set_ip_limits(settings,
	    configs_broker(configs, "max.connections.per.ip.overrides"),
	    arena);
}

/* By its name, or by that of the protocol that they would speak. */
static bool
is_between_brokers(const struct configs *configs, const char *name)
{
	struct slice own =
	    configs_broker(configs, "inter.broker.listener.name");

	if (slice_is_null(own) || own.len == 0)
		own = configs_broker(
		    configs, "security.inter.broker.protocol");
	return slice_equal_nocase(own, name);
}

int32_t
settings_connection_rate(const struct configs *configs, const char *listener)
{
	static const char key[] = "max.connection.creation.rate";

	return listener == NULL ?
	    int32_of(configs, key) :
	    (int32_t)configs_listener_int64(configs, listener, key);
}

void
settings_listener(const struct configs *configs, const char *name,
    struct listener_settings *settings)
{
	listener_defaults(settings);
	settings->name = name;
	settings->connections_max = (int32_t)configs_listener_int64(
	    configs, name, "max.connections");
	settings->apart = is_between_brokers(configs, name);
	settings->backlog = int32_of(configs, "socket.listen.backlog.size");
	settings->send_buffer_bytes =
	    int32_of(configs, "socket.send.buffer.bytes");
	settings->receive_buffer_bytes =
	    int32_of(configs, "socket.receive.buffer.bytes");
	settings->node_id = configs->node_id;
}

void
settings_cleaner(const struct configs *configs,
    struct cleaner_settings *settings)
{
	settings->enabled = configs_broker_bool(configs, "log.cleaner.enable");
	settings->thread_count = int32_of(configs, "log.cleaner.threads");
	settings->memory_bytes =
	    configs_broker_int64(configs, "log.cleaner.dedupe.buffer.size");
	settings->map_load_factor = configs_broker_double(configs,
	    "log.cleaner.io.buffer.load.factor");
	settings->buffer_bytes =
	    int32_of(configs, "log.cleaner.io.buffer.size");
	settings->bytes_per_second_max = configs_broker_double(configs,
	    "log.cleaner.io.max.bytes.per.second");
	settings->backoff_ms =
	    configs_broker_int64(configs, "log.cleaner.backoff.ms");
}

void
settings_log_manager(const struct configs *configs,
    struct log_manager_settings *settings)
{
	log_manager_settings_init(settings);
	settings->node_id = configs->node_id;
	settings->recovery_thread_count =
	    int32_of(configs, "num.recovery.threads.per.data.dir");
	settings->retention_initial_ms =
	    configs_broker_int64(configs, "log.initial.task.delay.ms");
	settings->retention_interval_ms =
	    configs_broker_int64(configs, "log.retention.check.interval.ms");
	settings->recovery_point_interval_ms = configs_broker_int64(configs,
	    "log.flush.offset.checkpoint.interval.ms");
	settings->log_start_interval_ms = configs_broker_int64(configs,
	    "log.flush.start.offset.checkpoint.interval.ms");
	settings->high_watermark_interval_ms = configs_broker_int64(configs,
	    "replica.high.watermark.checkpoint.interval.ms");
	settings->delete_delay_ms =
	    configs_broker_int64(configs, "log.segment.delete.delay.ms");
	settings->producer_check_interval_ms = configs_broker_int64(configs,
	    "producer.id.expiration.check.interval.ms");
	settings->flush_check_interval_ms = configs_broker_int64(configs,
	    "log.flush.scheduler.interval.ms");
	settings_cleaner(configs, &settings->cleaner);
}

void
settings_metadata_log(const struct configs *configs,
    struct metadata_log_settings *settings)
{
	metadata_log_settings_init(settings);
	settings->node_id = configs->node_id;
	settings->sync = settings_flush_acked(configs);
	settings->segment_bytes =
	    configs_broker_int64(configs, "metadata.log.segment.bytes");
	settings->segment_ms =
	    configs_broker_int64(configs, "metadata.log.segment.ms");
	settings->snapshot_bytes = configs_broker_int64(configs,
	    "metadata.log.max.record.bytes.between.snapshots");
	settings->snapshot_interval_ms = configs_broker_int64(configs,
	    "metadata.log.max.snapshot.interval.ms");
	settings->retention_bytes =
	    configs_broker_int64(configs, "metadata.max.retention.bytes");
	settings->retention_ms =
	    configs_broker_int64(configs, "metadata.max.retention.ms");
}
