#include "unit/api_rig.h"

#include "api/api.h"
#include "base/bytes.h"
#include "base/worker.h"
#include "broker/fetch_session.h"
#include "broker/partition_manager.h"
#include "broker/quotas.h"
#include "meta/configs.h"
#include "meta/delta.h"
#include "meta/image.h"
#include "meta/metadata_record.h"
#include "net/listener.h"
#include "net/loop_group.h"
#include "net/network.h"
#include "store/disk_posix.h"
#include "store/flusher.h"
#include "store/meta_properties.h"
#include "unit/temp_dir.h"
#include "wire/codec.h"
#include "wire/generated/metadata_config_record.h"
#include "wire/generated/metadata_partition_record.h"
#include "wire/generated/metadata_remove_topic_record.h"
#include "wire/generated/metadata_topic_record.h"
#include "wire/output.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

/* --- The broker -------------------------------------------------------- */

static void
hold_sync(void *context, enum disk_operation operation, const char *path)
{
	struct api_rig *rig = context;

	if ((operation != DISK_FDATASYNC && operation != DISK_SYNCFS) ||
	    path == NULL)
		return;
	pthread_mutex_lock(&rig->mutex);
	while (rig->held)
		pthread_cond_wait(&rig->changed, &rig->mutex);
	pthread_mutex_unlock(&rig->mutex);
}

void
api_rig_hold(struct api_rig *rig, bool held)
{
	pthread_mutex_lock(&rig->mutex);
	rig->held = held;
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->mutex);
}

static void
directory_make(struct api_rig *rig)
{
	struct meta_properties meta;

	rig->directory = temp_dir_make();
	meta_properties_init(&meta);
	meta.version = 1;
	meta.node_id = RIG_NODE;
	meta.cluster_id = xstrdup("rig");
	rig->assigned = (struct uuid){ { 0x77, 1 } };
	meta.directory_id = rig->assigned;
	assert_int_equal(
	    meta_properties_write(&meta, disk_posix(), rig->directory), 0);
	meta_properties_fini(&meta);
}

static void
store_start(struct api_rig *rig)
{
	const char *directories[] = { rig->directory };
	struct log_manager_settings settings;

	disk_fault_init(&rig->fault, disk_posix());
	rig->fault.hook = hold_sync;
	rig->fault.hook_context = rig;
	rig->context.flusher = flusher_new();
	assert_non_null(rig->context.flusher);
	log_manager_settings_init(&settings);
	settings.disk = &rig->fault.disk;
	settings.flusher = rig->context.flusher;
	settings.directories = directories;
	settings.directory_count = 1;
	settings.node_id = RIG_NODE;
	rig->logs = log_manager_new(&settings);
	assert_non_null(rig->logs);
	rig->context.logs = rig->logs;
}

static void
partitions_start(struct api_rig *rig)
{
	static const int32_t nodes[] = { RIG_NODE };
	struct partition_manager_settings settings = {
		.image = rig->image,
		.configs = rig->server.configs,
		.context = &rig->context,
		.nodes = nodes,
		.nodes_count = 1,
	};
	struct log_manager_hooks hooks = { .wanted = partition_manager_wants };

	rig->server.partitions = partition_manager_new(&settings);
	hooks.context = rig->server.partitions;
	assert_int_equal(log_manager_load(rig->logs, &hooks), 0);
}

static void
network_start(struct api_rig *rig)
{
	struct network_settings settings;
	struct listener_settings listening;

	network_defaults(&settings);
	listener_defaults(&listening);
	listening.name = "PLAINTEXT";
	listening.host = "127.0.0.1";
	listening.node_id = RIG_NODE;
	rig->server.connections.frame = api_dispatch;
	rig->loops = loop_group_new(2);
	assert_non_null(rig->loops);
	rig->network =
	    network_new(rig->loops, &settings, &rig->server.connections);
	assert_int_equal(loop_group_start(rig->loops), 0);
	rig->listener = listener_new(rig->network, &listening);
	assert_non_null(rig->listener);
}

void
api_rig_init(struct api_rig *rig, bool acked)
{
	const struct quotas_settings quotas = { { 11, 1000 }, { 11, 1000 } };

	*rig = (struct api_rig){ .context.flush_acked = acked };
	pthread_mutex_init(&rig->mutex, NULL);
	pthread_cond_init(&rig->changed, NULL);
	directory_make(rig);
	store_start(rig);
	rig->image = image_new();
	rig->settings.fetch_bytes_max = 57671680;
	rig->settings.node_id = RIG_NODE;
	rig->server.settings = &rig->settings;
	rig->server.image = rig->image;
	rig->server.configs = configs_new(rig->image, RIG_NODE, NULL);
	rig->server.fetch_sessions = fetch_sessions_new(1000, 7);
	rig->server.quotas = quotas_new(&quotas);
	rig->server.cold_reads = worker_pool_new("cold", 2);
	partitions_start(rig);
	network_start(rig);
}

void
api_rig_fini(struct api_rig *rig)
{
	api_rig_hold(rig, false);
	assert_int_equal(network_stop(rig->network, 1000), 0);
	worker_pool_stop_free(rig->server.cold_reads);
	loop_group_stop(rig->loops);
	network_free(rig->network);
	partition_manager_free(rig->server.partitions);
	fetch_sessions_free(rig->server.fetch_sessions);
	quotas_free(rig->server.quotas);
	assert_int_equal(log_manager_stop(rig->logs, 1), 0);
	log_manager_free(rig->logs);
	flusher_free(rig->context.flusher);
	loop_group_free(rig->loops);
	configs_free((struct configs *)(uintptr_t)rig->server.configs);
	image_free(rig->image);
	disk_fault_fini(&rig->fault);
	temp_dir_remove(rig->directory);
}

/* --- Metadata ---------------------------------------------------------- */

static void
delta_add(struct api_rig *rig, struct delta *delta,
    enum metadata_record_type type, const void *body)
{
	struct metadata_record record = { .type = type, .body = body };

	delta->offset = rig->metadata_offset++;
	assert_int_equal(delta_replay(delta, &record), 0);
}

static void
delta_finish(struct api_rig *rig, struct delta *delta)
{
	assert_int_equal(delta_check(delta), 0);
	image_apply(rig->image, delta);
	quotas_apply(rig->server.quotas, delta);
	partition_manager_apply(rig->server.partitions, delta);
	if (rig->subscriber != NULL)
		rig->subscriber(rig->subscriber_context, delta);
	delta_free(delta);
}

static void
partition_add(
    struct api_rig *rig, struct delta *delta, struct uuid topic, int32_t index)
{
	int32_t replicas[] = { RIG_NODE };
	struct kp_partition_record partition;

	kp_defaults(&kp_partition_record, &partition);
	partition.partition_id = index;
	partition.topic_id = topic;
	partition.replicas = partition.isr = replicas;
	partition.replicas_count = partition.isr_count = 1;
	partition.directories = &rig->assigned;
	partition.directories_count = 1;
	partition.leader = RIG_NODE;
	partition.leader_epoch = 0;
	partition.partition_epoch = 0;
	delta_add(rig, delta, METADATA_RECORD_PARTITION, &partition);
}

struct uuid
api_rig_topic(struct api_rig *rig, const char *name, int32_t partitions)
{
	struct delta *delta = delta_new(rig->image);
	struct kp_topic_record topic = { .name = slice_str(name),
		.topic_id = { { 0xaa, (uint8_t)(rig->metadata_offset >> 8),
		    (uint8_t)rig->metadata_offset } } };

	delta_add(rig, delta, METADATA_RECORD_TOPIC, &topic);
	for (int32_t i = 0; i < partitions; i++)
		partition_add(rig, delta, topic.topic_id, i);
	delta_finish(rig, delta);
	return topic.topic_id;
}

void
api_rig_grow(struct api_rig *rig, struct uuid topic, int32_t from, int32_t to)
{
	struct delta *delta = delta_new(rig->image);

	for (int32_t i = from; i < to; i++)
		partition_add(rig, delta, topic, i);
	delta_finish(rig, delta);
}

void
api_rig_config(
    struct api_rig *rig, const char *topic, const char *key, const char *value)
{
	struct delta *delta = delta_new(rig->image);
	struct kp_config_record record = {
		.resource_type = topic == NULL ? IMAGE_CONFIG_BROKER :
						 IMAGE_CONFIG_TOPIC,
		.resource_name = slice_str(topic == NULL ? "" : topic),
		.name = slice_str(key),
		.value = slice_str(value),
	};

	delta_add(rig, delta, METADATA_RECORD_CONFIG, &record);
	delta_finish(rig, delta);
}

void
api_rig_delete(struct api_rig *rig, struct uuid topic)
{
	struct delta *delta = delta_new(rig->image);
	struct kp_remove_topic_record record = { .topic_id = topic };

	delta_add(rig, delta, METADATA_RECORD_REMOVE_TOPIC, &record);
	delta_finish(rig, delta);
}

struct partition *
api_rig_partition(struct api_rig *rig, const char *topic, int32_t index)
{
	struct partition *partition = partition_manager_find(
	    rig->server.partitions, slice_str(topic), index);

	assert_non_null(partition);
	return partition;
}

/* --- Clients ----------------------------------------------------------- */

void
api_client_init(struct api_client *client, const struct api_rig *rig)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(listener_settings(rig->listener)->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	*client = (struct api_client){ .client_id = "test" };
	arena_init(&client->arena, (size_t)1 << 28);
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(client->fd >= 0);
	assert_int_equal(
	    connect(client->fd, (struct sockaddr *)&address, sizeof(address)),
	    0);
}

void
api_client_fini(struct api_client *client)
{
	close(client->fd);
	arena_reset(&client->arena);
}

static void
send_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		data += n;
		len -= (size_t)n;
	}
}

static void
receive_all(int fd, uint8_t *data, size_t len)
{
	while (len > 0) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&wait, 1, 20000), 1);
		n = recv(fd, data, len, 0);
		assert_true(n > 0);
		data += n;
		len -= (size_t)n;
	}
}

void
api_client_send(
    struct api_client *client, int16_t key, int16_t version, const void *body)
{
	struct output output;

	arena_reset(&client->arena);
	output_init(&output, &client->arena);
	assert_int_equal(kp_encode_request(kp_api_find(key), version,
			     ++client->correlation_id,
			     slice_str(client->client_id), body, &output),
	    0);
	for (int32_t i = 0; i < output.count; i++)
		send_all(
		    client->fd, output.pieces[i].data, output.pieces[i].len);
}

void *
api_client_receive(struct api_client *client, int16_t key, int16_t version)
{
	const struct kp_api *api = kp_api_find(key);
	int header = kp_response_header_version(api, version);
	uint8_t size[4];
	uint8_t *frame;
	size_t len, skip = header > 0 ? 5 : 4;
	void *body;

	receive_all(client->fd, size, sizeof(size));
	len = be32_get(size);
	assert_true(len >= skip);
	frame = arena_xalloc(&client->arena, len);
	receive_all(client->fd, frame, len);
	assert_int_equal(be32_get(frame), client->correlation_id);
	body = arena_xalloc(&client->arena, api->response->body->size);
	assert_int_equal(
	    kp_decode(api->response, version,
		slice_of(frame + skip, len - skip), &client->arena, body),
	    0);
	return body;
}

void *
api_client_call(
    struct api_client *client, int16_t key, int16_t version, const void *body)
{
	api_client_send(client, key, version, body);
	return api_client_receive(client, key, version);
}

void
api_client_expect_closed(struct api_client *client)
{
	struct pollfd wait = { .fd = client->fd, .events = POLLIN };
	uint8_t byte;

	assert_int_equal(poll(&wait, 1, 20000), 1);
	assert_true(recv(client->fd, &byte, 1, 0) <= 0);
}

bool
api_client_quiet(struct api_client *client, int ms)
{
	struct pollfd wait = { .fd = client->fd, .events = POLLIN };

	return poll(&wait, 1, ms) == 0;
}
