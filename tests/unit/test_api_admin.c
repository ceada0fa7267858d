/*
 * The APIs that ask for and change metadata, over connections, at several
 * versions: ApiVersions, Metadata, DescribeCluster, DescribeTopicPartitions,
 * CreateTopics, DeleteTopics, CreatePartitions, DescribeConfigs,
 * IncrementalAlterConfigs, ListConfigResources, ElectLeaders,
 * DescribeQuorum.
 */
#include "unit/api_rig.h"

#include <errno.h>
#include <stdio.h>

#include "api/api.h"
#include "broker/quotas.h"
#include "base/log.h"
#include "meta/configs.h"
#include "net/listener.h"
#include "net/loop_group.h"
#include "net/network.h"
#include "unit/meta_rig.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/create_partitions.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/describe_cluster.h"
#include "wire/generated/describe_configs.h"
#include "wire/generated/describe_quorum.h"
#include "wire/generated/describe_topic_partitions.h"
#include "wire/generated/elect_leaders.h"
#include "wire/generated/incremental_alter_configs.h"
#include "wire/generated/list_config_resources.h"
#include "wire/generated/metadata.h"
#include "wire/generated/metadata_feature_level_record.h"
#include "wire/generated/metadata_partition_change_record.h"
#include "wire/generated/metadata_register_broker_record.h"

/* A broker without logs: metadata, a controller, and the network. */
struct setting {
	struct meta_rig meta;
	struct api_rig net;
	struct api_client client;
};

static void
start_network(struct setting *s)
{
	struct network_settings settings;
	struct listener_settings listening;
	const struct quotas_settings quotas = { { 11, 1000 }, { 11, 1000 } };
	struct server *server = &s->net.server;

	s->net.settings.node_id = META_RIG_NODE;
	s->net.settings.auto_create_topics = true;
	s->net.settings.request_partitions_max = 2000;
	server->connections.frame = api_dispatch;
	server->settings = &s->net.settings;
	server->image = s->meta.image;
	server->configs = s->meta.configs;
	server->controller = s->meta.controller;
	server->quotas = quotas_new(&quotas);
	network_defaults(&settings);
	listener_defaults(&listening);
	listening.name = "PLAINTEXT";
	listening.host = "127.0.0.1";
	listening.node_id = META_RIG_NODE;
	s->net.loops = loop_group_new(1);
	assert_non_null(s->net.loops);
	s->net.network =
	    network_new(s->net.loops, &settings, &server->connections);
	assert_int_equal(loop_group_start(s->net.loops), 0);
	s->net.listener = listener_new(s->net.network, &listening);
	assert_non_null(s->net.listener);
}

/* Registered with where it listens, as a broker that serves is. */
static void
register_listener(struct setting *s, int32_t id, const char *listener,
    bool fenced)
{
	struct kp_register_broker_record_end_point end_point = {
		.name = slice_str(listener),
		.host = slice_str("broker.example"),
		.port = (uint16_t)(1000 + id),
	};
	struct kp_register_broker_record record;

	kp_defaults(&kp_register_broker_record, &record);
	record.broker_id = id;
	record.broker_epoch = 4;
	record.fenced = fenced;
	record.end_points = &end_point;
	record.end_points_count = 1;
	record.log_dirs = &s->meta.directory_id;
	record.log_dirs_count = 1;
	assert_int_equal(meta_rig_emit(&s->meta,
			     METADATA_RECORD_REGISTER_BROKER, &record),
	    KP_NONE);
}

static int
setup(void **state)
{
	struct setting *s = xcalloc(1, sizeof(*s));

	meta_rig_init(&s->meta);
	meta_rig_config(&s->meta, "num.partitions", "2");
	meta_rig_start(&s->meta);
	register_listener(s, META_RIG_NODE, "PLAINTEXT", false);
	start_network(s);
	api_client_init(&s->client, &s->net);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct setting *s = *state;

	api_client_fini(&s->client);
	assert_int_equal(network_stop(s->net.network, 1000), 0);
	controller_stop(s->meta.controller);
	loop_group_stop(s->net.loops);
	network_free(s->net.network);
	quotas_free(s->net.server.quotas);
	loop_group_free(s->net.loops);
	meta_rig_fini(&s->meta);
	free(s);
	return 0;
}

/* --- ApiVersions --------------------------------------------------------- */

static struct kp_api_versions_response *
api_versions(struct setting *s, int16_t version, const char *software)
{
	const struct kp_api_versions_request body = {
		.client_software_name = slice_str(software),
		.client_software_version = slice_str("1.0"),
	};

	return api_client_call(&s->client, KP_API_VERSIONS_KEY, version,
	    &body);
}

static void
all_rows_are_advertised(void **state)
{
	struct setting *s = *state;
	size_t count;
	const struct api *const *rows = api_table(&count);

	for (int16_t version = 0; version <= 4; version++) {
		const struct kp_api_versions_response *r =
		    api_versions(s, version, "test");

		assert_int_equal(r->error_code, KP_NONE);
		assert_int_equal(r->api_keys_count, count);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(r->api_keys[i].api_key,
			    rows[i]->request->key);
			assert_int_equal(r->api_keys[i].max_version,
			    api_version_max(rows[i]));
		}
	}
}

static void
features_are_those_that_are_served(void **state)
{
	struct setting *s = *state;
	const struct kp_api_versions_response *r;
	bool metadata = false, kraft = false, elr = false;

	r = api_versions(s, 3, "test");
	for (int32_t i = 0; i < r->supported_features_count; i++)
		assert_true(r->supported_features[i].min_version > 0);
	for (int32_t i = 0; i < r->finalized_features_count; i++) {
		const struct kp_api_versions_response_finalized_feature *f =
		    &r->finalized_features[i];

		assert_int_equal(f->min_version_level, f->max_version_level);
		elr |= slice_equal_str(
			   f->name, "eligible.leader.replicas.version") &&
		    f->max_version_level == 1;
		metadata |= slice_equal_str(f->name, "metadata.version") &&
		    f->max_version_level == 30;
		kraft |= slice_equal_str(f->name, "kraft.version") &&
		    f->max_version_level == 1;
	}
	assert_true(metadata && kraft && elr);
	assert_int_equal(r->finalized_features_epoch,
	    image_offset(s->meta.image));
}

static void
strange_software_is_refused(void **state)
{
	static const char *const names[] = { "", "a-", "-a", "1 ", "a_b" };
	struct setting *s = *state;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const struct kp_api_versions_response *r =
		    api_versions(s, 3, names[i]);

		assert_int_equal(r->error_code, KP_INVALID_REQUEST);
		assert_int_equal(r->api_keys_count, 0);
	}
	assert_int_equal(api_versions(s, 4, "a-b.c")->error_code, KP_NONE);
	assert_int_equal(api_versions(s, 2, "")->error_code, KP_NONE);
}

/* --- Metadata ------------------------------------------------------------ */

static const struct kp_metadata_response *
metadata(struct setting *s, int16_t version, const char *const *names,
    int32_t count, bool create)
{
	struct kp_metadata_request_topic topics[4] = { 0 };
	struct kp_metadata_request body;

	kp_defaults(&kp_metadata_request, &body);
	for (int32_t i = 0; i < count; i++)
		topics[i].name = slice_str(names[i]);
	body.topics = topics;
	body.topics_count = count;
	body.allow_auto_topic_creation = create;
	return api_client_call(&s->client, KP_METADATA_KEY, version, &body);
}

static void
topics_are_told_at_all_versions(void **state)
{
	static const char *const names[] = { "t", "missing", "t" };
	struct setting *s = *state;

	meta_rig_topic(&s->meta, "t", 3);
	for (int16_t version = 4; version <= 13; version++) {
		const struct kp_metadata_response *r =
		    metadata(s, version, names, 3, false);

		assert_int_equal(r->brokers_count, 1);
		assert_int_equal(r->brokers[0].node_id, META_RIG_NODE);
		assert_int_equal(r->brokers[0].port, 1001);
		assert_true(
		    slice_equal_str(r->brokers[0].host, "broker.example"));
		assert_int_equal(r->controller_id, META_RIG_NODE);
		/* Asked twice, answered once. */
		assert_int_equal(r->topics_count, 2);
		assert_int_equal(r->topics[0].error_code, KP_NONE);
		assert_int_equal(r->topics[0].partitions_count, 3);
		assert_int_equal(r->topics[0].partitions[2].leader_id,
		    META_RIG_NODE);
		assert_int_equal(r->topics[0].partitions[2].isr_nodes_count,
		    1);
		assert_int_equal(uuid_is_zero(r->topics[0].topic_id),
		    version < 10);
		assert_int_equal(r->topics[1].error_code,
		    KP_UNKNOWN_TOPIC_OR_PARTITION);
		assert_int_equal(r->topics[1].topic_authorized_operations,
		    INT32_MIN);
		assert_int_equal(r->error_code, KP_NONE);
	}
}

static void
all_topics_are_asked_for_with_null(void **state)
{
	struct setting *s = *state;

	meta_rig_topic(&s->meta, "a", 1);
	meta_rig_topic(&s->meta, "b", 1);
	assert_int_equal(metadata(s, 0, NULL, 0, true)->topics_count, 2);
	for (int16_t version = 1; version <= 13; version++) {
		assert_int_equal(
		    metadata(s, version, NULL, -1, true)->topics_count, 2);
		assert_int_equal(
		    metadata(s, version, NULL, 0, true)->topics_count, 0);
	}
}

static void
topics_are_found_by_id(void **state)
{
	struct setting *s = *state;
	struct kp_metadata_request_topic topics[4] = { 0 };
	const struct kp_metadata_response *r;
	struct kp_metadata_request body;

	meta_rig_topic(&s->meta, "t", 1);
	kp_defaults(&kp_metadata_request, &body);
	body.topics = topics;
	body.topics_count = 4;
	topics[0].topic_id = meta_rig_find(&s->meta, "t")->id;
	topics[1].topic_id.bytes[7] = 7;
	/* With ids around, names count for nothing. */
	topics[2].name = slice_str("t");
	topics[3].topic_id = topics[0].topic_id;
	r = api_client_call(&s->client, KP_METADATA_KEY, 12, &body);
	assert_int_equal(r->topics_count, 2);
	assert_true(slice_equal_str(r->topics[0].name, "t"));
	assert_int_equal(r->topics[1].error_code, KP_UNKNOWN_TOPIC_ID);
	assert_true(slice_is_null(r->topics[1].name));
	/* Before version 12 nobody may ask so. */
	topics[0].name = topics[1].name = topics[3].name = slice_str("x");
	r = api_client_call(&s->client, KP_METADATA_KEY, 11, &body);
	assert_int_equal(r->topics_count, 4);
	assert_int_equal(r->brokers_count, 0);
	assert_int_equal(r->controller_id, -1);
	assert_int_equal(r->topics[2].error_code, KP_INVALID_REQUEST);
}

static void
missing_topics_are_created_in_the_same_answer(void **state)
{
	static const char *const names[] = { "new", "bad name", "new" };
	struct setting *s = *state;
	const struct kp_metadata_response *r;

	r = metadata(s, 9, names, 1, false);
	assert_int_equal(r->topics[0].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_null(meta_rig_find(&s->meta, "new"));
	r = metadata(s, 9, names, 3, true);
	assert_int_equal(r->topics_count, 2);
	assert_int_equal(r->topics[0].error_code, KP_NONE);
	assert_int_equal(r->topics[0].partitions_count, 2);
	assert_int_equal(r->topics[1].error_code,
	    KP_INVALID_TOPIC_EXCEPTION);
	s->net.settings.auto_create_topics = false;
	r = metadata(s, 9, (const char *const[]){ "other" }, 1, true);
	assert_int_equal(r->topics[0].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	s->net.settings.auto_create_topics = true;
	/* Whoever speaks an old version always creates. */
	r = metadata(s, 1, (const char *const[]){ "old" }, 1, false);
	assert_int_equal(r->topics[0].error_code, KP_NONE);
}

static void
a_topic_that_cannot_be_made_stays_missing(void **state)
{
	static const char *const names[] = { "a_b" };
	struct setting *s = *state;
	const struct kp_metadata_response *r;

	meta_rig_topic(&s->meta, "a.b", 1);
	r = metadata(s, 9, names, 1, true);
	assert_int_equal(r->topics[0].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	disk_fault_fail(&s->meta.fault, DISK_PWRITE, ".log", 0, ENOSPC);
	r = metadata(s, 9, (const char *const[]){ "full" }, 1, true);
	assert_int_equal(disk_fault_clear(&s->meta.fault), 1);
	assert_int_equal(r->topics[0].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
}

static void
leaders_without_our_listener_are_not_named(void **state)
{
	static const char *const names[] = { "t" };
	struct setting *s = *state;
	const struct kp_metadata_response *r;

	meta_rig_topic(&s->meta, "t", 1);
	register_listener(s, META_RIG_NODE, "OTHER", false);
	r = metadata(s, 6, names, 1, false);
	assert_int_equal(r->brokers_count, 0);
	assert_int_equal(r->topics[0].partitions[0].error_code,
	    KP_LISTENER_NOT_FOUND);
	assert_int_equal(r->topics[0].partitions[0].leader_id, -1);
	assert_int_equal(r->topics[0].partitions[0].offline_replicas_count,
	    1);
	r = metadata(s, 5, names, 1, false);
	assert_int_equal(r->topics[0].partitions[0].error_code,
	    KP_LEADER_NOT_AVAILABLE);
	register_listener(s, META_RIG_NODE, "PLAINTEXT", true);
	r = metadata(s, 6, names, 1, false);
	assert_int_equal(r->topics[0].partitions[0].error_code,
	    KP_LEADER_NOT_AVAILABLE);
	r = metadata(s, 0, names, 1, false);
	assert_int_equal(r->topics[0].partitions[0].replica_nodes_count, 0);
}

static void
operations_are_told_who_asks(void **state)
{
	struct setting *s = *state;
	struct kp_metadata_request body;
	struct kp_metadata_request_topic topic = { .name = slice_str("t") };
	const struct kp_metadata_response *r;

	meta_rig_topic(&s->meta, "t", 1);
	kp_defaults(&kp_metadata_request, &body);
	body.topics = &topic;
	body.topics_count = 1;
	body.include_cluster_authorized_operations = true;
	body.include_topic_authorized_operations = true;
	r = api_client_call(&s->client, KP_METADATA_KEY, 8, &body);
	assert_int_equal(r->cluster_authorized_operations, 8096);
	assert_int_equal(r->topics[0].topic_authorized_operations, 3576);
}

/* --- DescribeCluster, DescribeTopicPartitions ---------------------------- */

static void
the_cluster_is_described(void **state)
{
	struct setting *s = *state;
	struct kp_describe_cluster_request body;
	const struct kp_describe_cluster_response *r;

	register_listener(s, 2, "PLAINTEXT", true);
	kp_defaults(&kp_describe_cluster_request, &body);
	r = api_client_call(&s->client, KP_DESCRIBE_CLUSTER_KEY, 2, &body);
	assert_int_equal(r->brokers_count, 1);
	assert_int_equal(r->controller_id, META_RIG_NODE);
	body.include_fenced_brokers = true;
	r = api_client_call(&s->client, KP_DESCRIBE_CLUSTER_KEY, 2, &body);
	assert_int_equal(r->brokers_count, 2);
	body.include_fenced_brokers = false;
	body.endpoint_type = 2;
	r = api_client_call(&s->client, KP_DESCRIBE_CLUSTER_KEY, 1, &body);
	assert_int_equal(r->error_code, KP_MISMATCHED_ENDPOINT_TYPE);
	body.endpoint_type = 3;
	r = api_client_call(&s->client, KP_DESCRIBE_CLUSTER_KEY, 1, &body);
	assert_int_equal(r->error_code, KP_UNSUPPORTED_ENDPOINT_TYPE);
	assert_int_equal(r->controller_id, -1);
}

static const struct kp_describe_topic_partitions_response *
describe_partitions(struct setting *s, const char *cursor, int32_t partition,
    int32_t limit, const char *name)
{
	struct kp_describe_topic_partitions_request_cursor at = {
		.topic_name = slice_str(cursor),
		.partition_index = partition,
	};
	struct kp_describe_topic_partitions_request_topic topic = {
		.name = slice_str(name),
	};
	struct kp_describe_topic_partitions_request body;

	kp_defaults(&kp_describe_topic_partitions_request, &body);
	body.topics = &topic;
	body.topics_count = name != NULL;
	body.response_partition_limit = limit;
	body.cursor = cursor == NULL ? NULL : &at;
	return api_client_call(&s->client, KP_DESCRIBE_TOPIC_PARTITIONS_KEY,
	    0, &body);
}

static void
topics_are_described_in_pieces(void **state)
{
	struct setting *s = *state;
	const struct kp_describe_topic_partitions_response *r;

	meta_rig_topic(&s->meta, "b", 3);
	meta_rig_topic(&s->meta, "a", 2);
	r = describe_partitions(s, NULL, 0, 100, NULL);
	assert_int_equal(r->topics_count, 2);
	assert_true(slice_equal_str(r->topics[0].name, "a"));
	assert_null(r->next_cursor);
	r = describe_partitions(s, NULL, 0, 2, NULL);
	assert_int_equal(r->topics_count, 1);
	assert_true(slice_equal_str(r->next_cursor->topic_name, "b"));
	assert_int_equal(r->next_cursor->partition_index, 0);
	r = describe_partitions(s, "b", 0, 2, NULL);
	assert_int_equal(r->topics[0].partitions_count, 2);
	assert_int_equal(r->next_cursor->partition_index, 2);
	r = describe_partitions(s, "b", 2, 2, NULL);
	assert_int_equal(r->topics[0].partitions_count, 1);
	assert_int_equal(r->topics[0].partitions[0].partition_index, 2);
	assert_null(r->next_cursor);
	r = describe_partitions(s, "b", 99, 2, NULL);
	assert_int_equal(r->topics[0].partitions_count, 0);
	r = describe_partitions(s, NULL, 0, -5, NULL);
	assert_int_equal(r->topics[0].partitions_count, 1);
	r = describe_partitions(s, "b", 0, 2, "a");
	assert_int_equal(r->topics[0].error_code, KP_INVALID_REQUEST);
	r = describe_partitions(s, "a", -1, 2, "a");
	assert_int_equal(r->topics[0].error_code, KP_INVALID_REQUEST);
	r = describe_partitions(s, NULL, 0, 2, "nope");
	assert_int_equal(r->topics[0].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(r->topics[0].topic_authorized_operations, 3576);
}

/* --- Topics -------------------------------------------------------------- */

static const struct kp_create_topics_response *
create(struct setting *s, int16_t version, const char *name)
{
	struct kp_create_topics_request_topic topic;
	struct kp_create_topics_request body;

	kp_defaults(&kp_create_topics_request, &body);
	memset(&topic, 0, sizeof(topic));
	topic.name = slice_str(name);
	topic.num_partitions = 1;
	topic.replication_factor = 1;
	body.topics = &topic;
	body.topics_count = 1;
	return api_client_call(&s->client, KP_CREATE_TOPICS_KEY, version,
	    &body);
}

static void
topics_are_created_and_deleted_at_all_versions(void **state)
{
	struct setting *s = *state;

	for (int16_t version = 2; version <= 7; version++) {
		const struct kp_create_topics_response *r =
		    create(s, version, "t");

		assert_int_equal(r->topics[0].error_code, KP_NONE);
		assert_int_equal(r->topics[0].configs_count,
		    version < 5 ? 0 : 33);
		assert_int_equal(uuid_is_zero(r->topics[0].topic_id),
		    version < 7);
		assert_int_equal(create(s, version, "t")->topics[0].error_code,
		    KP_TOPIC_ALREADY_EXISTS);
		meta_rig_delete(&s->meta, "t");
	}
	for (int16_t version = 1; version <= 6; version++) {
		struct slice name = slice_str("t");
		struct kp_delete_topics_request_topic topic = { .name = name };
		struct kp_delete_topics_request body;
		const struct kp_delete_topics_response *r;

		create(s, 7, "t");
		kp_defaults(&kp_delete_topics_request, &body);
		body.timeout_ms = 1000;
		body.topics = &topic;
		body.topics_count = version >= 6;
		body.topic_names = &name;
		body.topic_names_count = version < 6;
		for (int i = 0; i < 2; i++) {
			r = api_client_call(&s->client, KP_DELETE_TOPICS_KEY,
			    version, &body);
			assert_int_equal(r->responses_count, 1);
			assert_int_equal(r->responses[0].error_code,
			    i == 0 ? KP_NONE : KP_UNKNOWN_TOPIC_OR_PARTITION);
		}
	}
}

static void
a_full_disk_is_told_entry_by_entry(void **state)
{
	struct setting *s = *state;
	struct kp_create_partitions_request_topic topic = {
		.name = slice_str("t"),
		.count = 5,
		.assignments_count = -1,
	};
	struct kp_create_partitions_request body = { .topics = &topic,
		.topics_count = 1,
		.timeout_ms = 1000 };
	const struct kp_create_partitions_response *r;

	create(s, 7, "t");
	disk_fault_fail_all(&s->meta.fault, DISK_PWRITE, ".log", 0, ENOSPC);
	assert_int_equal(create(s, 7, "u")->topics[0].error_code,
	    KP_KAFKA_STORAGE_ERROR);
	r = api_client_call(&s->client, KP_CREATE_PARTITIONS_KEY, 3, &body);
	assert_int_equal(r->results[0].error_code, KP_KAFKA_STORAGE_ERROR);
	assert_true(disk_fault_clear(&s->meta.fault) >= 2);
	r = api_client_call(&s->client, KP_CREATE_PARTITIONS_KEY, 3, &body);
	assert_int_equal(r->results[0].error_code, KP_NONE);
	/* And after the controller's stop somebody still answers. */
	controller_stop(s->meta.controller);
	assert_int_equal(create(s, 7, "v")->topics[0].error_code,
	    KP_NOT_CONTROLLER);
}

/* --- Configurations ------------------------------------------------------ */

static const struct kp_describe_configs_response *
describe(struct setting *s, int16_t version, int8_t type, const char *name,
    const char *key)
{
	struct slice keys[] = { slice_str(key) };
	struct kp_describe_configs_request_resource resource = {
		.resource_type = type,
		.resource_name = slice_str(name),
		.configuration_keys = keys,
		.configuration_keys_count = key == NULL ? -1 : 1,
	};
	const struct kp_describe_configs_request body = {
		.resources = &resource,
		.resources_count = 1,
		.include_synonyms = true,
	};

	return api_client_call(&s->client, KP_DESCRIBE_CONFIGS_KEY, version,
	    &body);
}

static void
configs_are_described_at_all_versions(void **state)
{
	struct setting *s = *state;

	meta_rig_topic(&s->meta, "t", 1);
	meta_rig_topic_config(&s->meta, "t", "retention.ms", "5");
	for (int16_t version = 1; version <= 4; version++) {
		const struct kp_describe_configs_response *r =
		    describe(s, version, IMAGE_CONFIG_TOPIC, "t",
			"retention.ms");
		const struct kp_describe_configs_response_config *config =
		    r->results[0].configs;

		assert_int_equal(r->results[0].error_code, KP_NONE);
		assert_int_equal(r->results[0].configs_count, 1);
		assert_true(slice_equal_str(config->value, "5"));
		assert_int_equal(config->config_source, 1);
		assert_int_equal(config->synonyms_count, 1);
		assert_int_equal(config->config_type, version < 3 ? 0 : 5);
		assert_int_equal(describe(s, version, IMAGE_CONFIG_TOPIC, "t",
				     NULL)
				     ->results[0]
				     .configs_count,
		    33);
	}
}

static void
resources_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		int8_t type;
		const char *name;
		enum kp_error error;
	} cases[] = {
		{ IMAGE_CONFIG_TOPIC, "nope",
		    KP_UNKNOWN_TOPIC_OR_PARTITION },
		{ IMAGE_CONFIG_TOPIC, "a/b", KP_INVALID_TOPIC_EXCEPTION },
		{ IMAGE_CONFIG_BROKER, "2", KP_INVALID_REQUEST },
		{ IMAGE_CONFIG_BROKER, "one", KP_INVALID_REQUEST },
		{ IMAGE_CONFIG_BROKER_LOGGER, "", KP_INVALID_REQUEST },
		{ IMAGE_CONFIG_GROUP, "", KP_INVALID_REQUEST },
		{ IMAGE_CONFIG_CLIENT_METRICS, "", KP_INVALID_REQUEST },
		{ IMAGE_CONFIG_BROKER, "1", KP_NONE },
		{ IMAGE_CONFIG_BROKER, "", KP_NONE },
		{ IMAGE_CONFIG_BROKER_LOGGER, "1", KP_NONE },
		{ IMAGE_CONFIG_GROUP, "any", KP_NONE },
		{ 99, "x", KP_INVALID_REQUEST },
	};
	struct setting *s = *state;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct kp_describe_configs_response *r = describe(s, 4,
		    cases[i].type, cases[i].name, NULL);

		assert_int_equal(r->results[0].error_code, cases[i].error);
		assert_false(slice_is_null(r->results[0].error_message));
		assert_int_equal(r->results[0].resource_type, cases[i].type);
	}
}

static void
a_short_request_for_too_much_is_dropped(void **state)
{
	struct setting *s = *state;
	const int32_t count = 30000;
	struct kp_describe_configs_request body = {
		.resources_count = count,
		.include_synonyms = true,
	};

	body.resources = xcalloc((size_t)count, sizeof(*body.resources));
	for (int32_t i = 0; i < count; i++) {
		body.resources[i].resource_type = IMAGE_CONFIG_BROKER;
		body.resources[i].resource_name = slice_str("1");
		body.resources[i].configuration_keys_count = -1;
	}
	api_client_send(&s->client, KP_DESCRIBE_CONFIGS_KEY, 4, &body);
	api_client_expect_closed(&s->client);
	free(body.resources);
	/* Others are served as before. */
	api_client_fini(&s->client);
	api_client_init(&s->client, &s->net);
	assert_int_equal(
	    describe(s, 4, IMAGE_CONFIG_BROKER, "1", NULL)
		->results[0]
		.error_code,
	    KP_NONE);
}

/* Keys that nobody knows are as many as somebody has stored. */
static void
answers_are_sized_before_they_are_made(void **state)
{
	struct setting *s = *state;
	struct kp_describe_configs_request_resource resources[2] = {
		{ .resource_type = IMAGE_CONFIG_BROKER,
		    .resource_name = slice_str("1"),
		    .configuration_keys_count = -1 },
	};
	const struct kp_describe_configs_request body = {
		.resources = resources,
		.resources_count = 2,
		.include_synonyms = true,
	};
	char name[16];

	for (int i = 0; i < 240000; i++) {
		snprintf(name, sizeof(name), "x%07d", i);
		config_set_put(s->meta.file, slice_str(name),
		    slice_str("1"));
	}
	resources[1] = resources[0];
	api_client_send(&s->client, KP_DESCRIBE_CONFIGS_KEY, 4, &body);
	api_client_expect_closed(&s->client);
}

static void
loggers_and_stored_configs_go_together(void **state)
{
	struct setting *s = *state;
	struct kp_incremental_alter_configs_request_config level = {
		.name = slice_str("root"),
		.value = slice_str("ERROR"),
	}, retention = {
		.name = slice_str("retention.ms"),
		.value = slice_str("9"),
	};
	struct kp_incremental_alter_configs_request_resource resources[] = {
		{ IMAGE_CONFIG_BROKER_LOGGER, slice_str("1"), &level, 1 },
		{ IMAGE_CONFIG_TOPIC, slice_str("t"), &retention, 1 },
		{ IMAGE_CONFIG_BROKER_LOGGER, slice_str("1"), &level, 1 },
	};
	struct kp_incremental_alter_configs_request body = {
		.resources = resources,
		.resources_count = 2,
	};
	const struct kp_incremental_alter_configs_response *r;

	meta_rig_topic(&s->meta, "t", 1);
	for (int16_t version = 0; version <= 1; version++) {
		r = api_client_call(&s->client,
		    KP_INCREMENTAL_ALTER_CONFIGS_KEY, version, &body);
		assert_int_equal(r->responses_count, 2);
		for (int i = 0; i < 2; i++)
			assert_int_equal(r->responses[i].error_code, KP_NONE);
	}
	assert_int_equal(log_level(), LOG_ERROR);
	log_set_level(LOG_FATAL);
	/* A logger twice: neither, and the topic all the same. */
	body.resources_count = 3;
	r = api_client_call(&s->client, KP_INCREMENTAL_ALTER_CONFIGS_KEY, 1,
	    &body);
	assert_int_equal(r->responses_count, 3);
	assert_int_equal(r->responses[0].error_code, KP_NONE);
	assert_int_equal(r->responses[1].error_code, KP_INVALID_REQUEST);
	assert_int_equal(r->responses[2].error_code, KP_INVALID_REQUEST);
	assert_int_equal(log_level(), LOG_FATAL);
	level.value = slice_str("LOUD");
	body.resources_count = 1;
	r = api_client_call(&s->client, KP_INCREMENTAL_ALTER_CONFIGS_KEY, 1,
	    &body);
	assert_int_equal(r->responses[0].error_code, KP_INVALID_CONFIG);
}

/* --- ListConfigResources -------------------------------------------------- */

/* "type name, …" of what is listed, or the error's name. */
static const char *
config_resources(struct setting *s, int16_t version, const int8_t *types,
    int32_t count)
{
	const struct kp_list_config_resources_request body = {
		.resource_types = (int8_t *)(uintptr_t)types,
		.resource_types_count = count,
	};
	const struct kp_list_config_resources_response *r = api_client_call(
	    &s->client, KP_LIST_CONFIG_RESOURCES_KEY, version, &body);
	static char text[1000];
	int len = 0;

	if (r->error_code != KP_NONE)
		return kp_error_name(r->error_code);
	text[0] = '\0';
	for (int32_t i = 0; i < r->config_resources_count; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    "%s%d %.*s", i > 0 ? ", " : "",
		    r->config_resources[i].resource_type,
		    SLICE_ARG(r->config_resources[i].resource_name));
	return text;
}

static void
set_config(struct setting *s, int8_t type, const char *name, const char *key,
    const char *value)
{
	struct kp_incremental_alter_configs_request_config config = {
		.name = slice_str(key),
		.value = slice_str(value),
	};
	struct kp_incremental_alter_configs_request_resource resource = {
		type, slice_str(name), &config, 1,
	};
	const struct kp_incremental_alter_configs_request body = {
		.resources = &resource,
		.resources_count = 1,
	};
	const struct kp_incremental_alter_configs_response *r =
	    api_client_call(&s->client, KP_INCREMENTAL_ALTER_CONFIGS_KEY, 1,
		&body);

	assert_int_equal(r->responses[0].error_code, KP_NONE);
}

static void
resources_with_configs_are_listed(void **state)
{
	static const int8_t topics_and_brokers[] = { 2, 4, 4 };
	static const int8_t unknown[] = { 2, 3 };
	static const int8_t negative[] = { -128 };
	struct setting *s = *state;

	meta_rig_topic(&s->meta, "t", 1);
	set_config(s, 32, "readers", "consumer.session.timeout.ms", "50000");
	set_config(s, 16, "metrics", "interval.ms", "1000");
	assert_string_equal(config_resources(s, 1, NULL, 0),
	    "32 readers, 16 metrics, 8 1, 4 1, 2 t");
	assert_string_equal(
	    config_resources(s, 1, topics_and_brokers, 3), "4 1, 2 t");
	assert_string_equal(
	    config_resources(s, 1, unknown, 2), "UNSUPPORTED_VERSION");
	assert_string_equal(
	    config_resources(s, 1, negative, 1), "UNSUPPORTED_VERSION");
	/* Version 0 knows nothing but metrics. */
	assert_string_equal(config_resources(s, 0, NULL, 0), "16 metrics");
}

/* --- ElectLeaders --------------------------------------------------------- */

/* "topic: partition error, …; …", or the error's name in front. */
static const char *
elections(struct setting *s, int16_t version, int8_t type, const char *topic,
    int32_t partition)
{
	struct kp_elect_leaders_request_topic_partition one = {
		.topic = slice_str(topic),
		.partitions = &partition,
		.partitions_count = 1,
	};
	const struct kp_elect_leaders_request body = {
		.election_type = type,
		.topic_partitions = topic == NULL ? NULL : &one,
		.topic_partitions_count = topic == NULL ? -1 : 1,
		.timeout_ms = 60000,
	};
	const struct kp_elect_leaders_response *r = api_client_call(
	    &s->client, KP_ELECT_LEADERS_KEY, version, &body);
	static char text[1000];
	int len = r->error_code == KP_NONE ?
	    0 :
	    snprintf(text, sizeof(text), "%s ", kp_error_name(r->error_code));

	text[len] = '\0';
	for (int32_t i = 0; i < r->replica_election_results_count; i++) {
		const struct kp_elect_leaders_response_topic *entry =
		    &r->replica_election_results[i];

		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    "%.*s:", SLICE_ARG(entry->topic));
		for (int32_t j = 0; j < entry->partition_result_count; j++)
			len += snprintf(text + len,
			    sizeof(text) - (size_t)len, " %d %s",
			    entry->partition_result[j].partition_id,
			    kp_error_name(
				entry->partition_result[j].error_code));
	}
	return text;
}

/* Another broker, which is gone, was the partition's last in sync. */
static void
leave_to_another(struct setting *s, const char *topic, int32_t partition)
{
	int32_t another = 2;
	struct kp_partition_change_record change;

	kp_defaults(&kp_partition_change_record, &change);
	change.topic_id = meta_rig_find(&s->meta, topic)->id;
	change.partition_id = partition;
	change.isr = &another;
	change.isr_count = 1;
	change.leader = -1;
	assert_int_equal(meta_rig_emit(&s->meta,
			     METADATA_RECORD_PARTITION_CHANGE, &change),
	    KP_NONE);
}

static void
leaders_are_elected(void **state)
{
	struct setting *s = *state;
	const struct partition_image *partition;

	meta_rig_topic(&s->meta, "t", 2);
	for (int16_t version = 0; version <= 2; version++)
		assert_string_equal(elections(s, version, 0, "t", 1),
		    "t: 1 ELECTION_NOT_NEEDED");
	assert_string_equal(
	    elections(s, 2, 1, "t", 0), "t: 0 ELECTION_NOT_NEEDED");
	assert_string_equal(elections(s, 2, 0, "t", 2),
	    "t: 2 UNKNOWN_TOPIC_OR_PARTITION");
	assert_string_equal(elections(s, 2, 0, "u", 0),
	    "u: 0 UNKNOWN_TOPIC_OR_PARTITION");
	assert_string_equal(elections(s, 2, 2, "t", 0),
	    "INVALID_REQUEST t: 0 INVALID_REQUEST");
	/* Of all partitions those are told that need one. */
	assert_string_equal(elections(s, 2, 0, NULL, 0), "t:");
	leave_to_another(s, "t", 1);
	assert_string_equal(elections(s, 2, 0, NULL, 0),
	    "t: 1 PREFERRED_LEADER_NOT_AVAILABLE");
	assert_string_equal(elections(s, 2, 1, NULL, 0), "t: 1 NONE");
	partition =
	    topic_image_partition(meta_rig_find(&s->meta, "t"), 1);
	assert_int_equal(partition->leader, META_RIG_NODE);
	assert_int_equal(partition->isr.count, 1);
	assert_int_equal(partition->isr.ids[0], META_RIG_NODE);
}

static void
nobody_who_is_gone_is_elected(void **state)
{
	struct setting *s = *state;

	meta_rig_topic(&s->meta, "t", 1);
	leave_to_another(s, "t", 0);
	register_listener(s, META_RIG_NODE, "PLAINTEXT", true);
	assert_string_equal(elections(s, 2, 1, "t", 0),
	    "t: 0 ELIGIBLE_LEADERS_NOT_AVAILABLE");
}

/* --- DescribeQuorum ------------------------------------------------------- */

static void
the_quorum_is_this_node(void **state)
{
	struct setting *s = *state;
	struct kp_describe_quorum_request_partition partitions[] = {
		{ 0 }, { 1 },
	};
	struct kp_describe_quorum_request_topic topics[] = {
		{ slice_str("__cluster_metadata"), partitions, 2 },
		{ slice_str("t"), partitions, 1 },
	};
	const struct kp_describe_quorum_request body = { topics, 2 };

	for (int16_t version = 0; version <= 2; version++) {
		const struct kp_describe_quorum_response *r = api_client_call(
		    &s->client, KP_DESCRIBE_QUORUM_KEY, version, &body);
		const struct kp_describe_quorum_response_partition *p;

		assert_int_equal(r->error_code, KP_NONE);
		assert_int_equal(r->topics_count, 2);
		p = r->topics[0].partitions;
		assert_int_equal(p[0].error_code, KP_NONE);
		assert_int_equal(p[0].leader_id, META_RIG_NODE);
		assert_int_equal(
		    p[0].leader_epoch, metadata_log_epoch(s->meta.log));
		assert_int_equal(
		    p[0].high_watermark, image_offset(s->meta.image) + 1);
		assert_int_equal(p[0].current_voters_count, 1);
		assert_int_equal(
		    p[0].current_voters[0].replica_id, META_RIG_NODE);
		assert_int_equal(p[0].current_voters[0].log_end_offset,
		    p[0].high_watermark);
		assert_int_equal(p[0].observers_count, 0);
		assert_int_equal(
		    p[1].error_code, KP_UNKNOWN_TOPIC_OR_PARTITION);
		assert_int_equal(r->topics[1].partitions[0].error_code,
		    KP_UNKNOWN_TOPIC_OR_PARTITION);
		assert_int_equal(r->nodes_count, version >= 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(all_rows_are_advertised),
		TEST(features_are_those_that_are_served),
		TEST(strange_software_is_refused),
		TEST(topics_are_told_at_all_versions),
		TEST(all_topics_are_asked_for_with_null),
		TEST(topics_are_found_by_id),
		TEST(missing_topics_are_created_in_the_same_answer),
		TEST(a_topic_that_cannot_be_made_stays_missing),
		TEST(leaders_without_our_listener_are_not_named),
		TEST(operations_are_told_who_asks),
		TEST(the_cluster_is_described),
		TEST(topics_are_described_in_pieces),
		TEST(topics_are_created_and_deleted_at_all_versions),
		TEST(a_full_disk_is_told_entry_by_entry),
		TEST(configs_are_described_at_all_versions),
		TEST(resources_that_make_no_sense_are_refused),
		TEST(a_short_request_for_too_much_is_dropped),
		TEST(answers_are_sized_before_they_are_made),
		TEST(loggers_and_stored_configs_go_together),
		TEST(resources_with_configs_are_listed),
		TEST(leaders_are_elected),
		TEST(nobody_who_is_gone_is_elected),
		TEST(the_quorum_is_this_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
