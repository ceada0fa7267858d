#include "api/api.h"

#include "api/audit.h"
#include "api/session.h"
#include "api/share_acks.h"
#include "api/throttle.h"

#include "base/budget.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/codec.h"
#include "wire/generated/request_header.h"

#define LOGGER "api"

/* Every frame begins with an api key and a version. */
#define KEY_AND_VERSION_LEN 4

#define MIB ((size_t)1024 * 1024)
/*
 * Structs in memory are larger than their bytes on the wire: the first is
 * enough for names of some length, the second for names of one letter.
 */
#define BODY_PER_FRAME_BYTE 4
#define BODY_PER_FRAME_BYTE_MAX 12
/* No matter how much larger they are in a small request. */
#define BODY_BYTES_FREE MIB
/* But no more than this, so that the reply to all of them has room, too. */
#define BODY_BYTES_MAX (16 * MIB)
/* The header, and what else a request is. */
#define ARENA_BASE_BYTES ((size_t)64 * 1024)
/* What the reply may add to what the request has taken. */
#define ARENA_REPLY_BYTES (256 * 1024 * 1024)
/* Bytes behind the body, which Kafka ignores, that are not worth a copy. */
#define SURPLUS_BYTES_MAX 1024

extern const struct api api_add_offsets_to_txn;
extern const struct api api_add_partitions_to_txn;
extern const struct api api_alter_client_quotas;
extern const struct api api_alter_configs;
extern const struct api api_alter_partition_reassignments;
extern const struct api api_alter_replica_log_dirs;
extern const struct api api_alter_share_group_offsets;
extern const struct api api_alter_user_scram_credentials;
extern const struct api api_api_versions;
extern const struct api api_consumer_group_describe;
extern const struct api api_consumer_group_heartbeat;
extern const struct api api_create_acls;
extern const struct api api_create_delegation_token;
extern const struct api api_create_partitions;
extern const struct api api_create_topics;
extern const struct api api_delete_acls;
extern const struct api api_delete_groups;
extern const struct api api_delete_records;
extern const struct api api_delete_share_group_offsets;
extern const struct api api_delete_share_group_state;
extern const struct api api_delete_topics;
extern const struct api api_describe_acls;
extern const struct api api_describe_client_quotas;
extern const struct api api_describe_cluster;
extern const struct api api_describe_configs;
extern const struct api api_describe_delegation_token;
extern const struct api api_describe_groups;
extern const struct api api_describe_log_dirs;
extern const struct api api_describe_producers;
extern const struct api api_describe_quorum;
extern const struct api api_describe_share_group_offsets;
extern const struct api api_describe_topic_partitions;
extern const struct api api_describe_transactions;
extern const struct api api_describe_user_scram_credentials;
extern const struct api api_elect_leaders;
extern const struct api api_end_txn;
extern const struct api api_expire_delegation_token;
extern const struct api api_fetch;
extern const struct api api_find_coordinator;
extern const struct api api_heartbeat;
extern const struct api api_incremental_alter_configs;
extern const struct api api_init_producer_id;
extern const struct api api_initialize_share_group_state;
extern const struct api api_join_group;
extern const struct api api_leave_group;
extern const struct api api_list_config_resources;
extern const struct api api_list_groups;
extern const struct api api_list_offsets;
extern const struct api api_list_partition_reassignments;
extern const struct api api_list_transactions;
extern const struct api api_metadata;
extern const struct api api_offset_commit;
extern const struct api api_offset_delete;
extern const struct api api_offset_fetch;
extern const struct api api_offset_for_leader_epoch;
extern const struct api api_produce;
extern const struct api api_read_share_group_state;
extern const struct api api_read_share_group_state_summary;
extern const struct api api_renew_delegation_token;
extern const struct api api_sasl_authenticate;
extern const struct api api_sasl_handshake;
extern const struct api api_share_acknowledge;
extern const struct api api_share_fetch;
extern const struct api api_share_group_describe;
extern const struct api api_share_group_heartbeat;
extern const struct api api_streams_group_describe;
extern const struct api api_streams_group_heartbeat;
extern const struct api api_sync_group;
extern const struct api api_txn_offset_commit;
extern const struct api api_update_features;
extern const struct api api_write_share_group_state;
extern const struct api api_write_txn_markers;

/* In the order of their keys. */
static const struct api *const rows[] = {
	&api_produce,
	&api_fetch,
	&api_list_offsets,
	&api_metadata,
	&api_offset_commit,
	&api_offset_fetch,
	&api_find_coordinator,
	&api_join_group,
	&api_heartbeat,
	&api_leave_group,
	&api_sync_group,
	&api_describe_groups,
	&api_list_groups,
	&api_sasl_handshake,
	&api_api_versions,
	&api_create_topics,
	&api_delete_topics,
	&api_delete_records,
	&api_init_producer_id,
	&api_offset_for_leader_epoch,
	&api_add_partitions_to_txn,
	&api_add_offsets_to_txn,
	&api_end_txn,
	&api_write_txn_markers,
	&api_txn_offset_commit,
	&api_describe_acls,
	&api_create_acls,
	&api_delete_acls,
	&api_describe_configs,
	&api_alter_configs,
	&api_alter_replica_log_dirs,
	&api_describe_log_dirs,
	&api_sasl_authenticate,
	&api_create_partitions,
	&api_create_delegation_token,
	&api_renew_delegation_token,
	&api_expire_delegation_token,
	&api_describe_delegation_token,
	&api_delete_groups,
	&api_elect_leaders,
	&api_incremental_alter_configs,
	&api_alter_partition_reassignments,
	&api_list_partition_reassignments,
	&api_offset_delete,
	&api_describe_client_quotas,
	&api_alter_client_quotas,
	&api_describe_user_scram_credentials,
	&api_alter_user_scram_credentials,
	&api_describe_quorum,
	&api_update_features,
	&api_describe_cluster,
	&api_describe_producers,
	&api_describe_transactions,
	&api_list_transactions,
	&api_consumer_group_heartbeat,
	&api_consumer_group_describe,
	&api_list_config_resources,
	&api_describe_topic_partitions,
	&api_share_group_heartbeat,
	&api_share_group_describe,
	&api_share_fetch,
	&api_share_acknowledge,
	&api_initialize_share_group_state,
	&api_read_share_group_state,
	&api_write_share_group_state,
	&api_delete_share_group_state,
	&api_read_share_group_state_summary,
	&api_streams_group_heartbeat,
	&api_streams_group_describe,
	&api_describe_share_group_offsets,
	&api_alter_share_group_offsets,
	&api_delete_share_group_offsets,
};

const struct api *const *
api_table(size_t *count)
{
	*count = COUNT_OF(rows);
	return rows;
}

const struct api *
api_find(int16_t key)
{
	size_t low = 0, high = COUNT_OF(rows);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (rows[middle]->request->key == key)
			return rows[middle];
		if (rows[middle]->request->key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

size_t
api_body_bytes_max(size_t frame_len, const struct budget *budget)
{
	size_t per_byte = budget_left(budget) > budget->max / 2 ?
	    BODY_PER_FRAME_BYTE_MAX :
	    BODY_PER_FRAME_BYTE;

	return MIN(MAX(per_byte * frame_len, BODY_BYTES_FREE), BODY_BYTES_MAX);
}

/* All that a request may take until it is decoded. */
static size_t
arena_bytes_max(
    const struct api *api, size_t frame_len, const struct budget *budget)
{
	size_t copied = (api->flags & API_BORROWS_FRAME) != 0 ? 0 : frame_len;

	return ARENA_BASE_BYTES + copied +
	    api_body_bytes_max(frame_len, budget);
}

int16_t
api_version_min(const struct api *api)
{
	return api->request->version_min;
}

int16_t
api_version_max(const struct api *api)
{
	return kp_api_find(api->request->key)->version_max_stable;
}

static bool
version_served(const struct api *api, int16_t version)
{
	return version >= api_version_min(api) &&
	    version <= api_version_max(api);
}

/*
 * Read header and body from frame; what the request keeps it owns.  *used is
 * how many of the frame's bytes they are.
 */
static int
decode(struct request *request, struct slice frame, bool with_body,
    size_t *used)
{
	bool borrows = (request->api->flags & API_BORROWS_FRAME) != 0;
	struct kp_request_header header;
	size_t header_len, body_len;

	if (!borrows)
		frame = arena_copy(&request->arena, frame);
	if (kp_decode_request_header(
		frame, &request->arena, &header, &header_len) != 0)
		return -1;
	request->correlation_id = header.correlation_id;
	request->client_id = slice_is_null(header.client_id) ?
	    slice_str("") :
	    header.client_id;
	if (borrows)
		request->client_id =
		    arena_copy(&request->arena, request->client_id);
	*used = header_len;
	if (!with_body)
		return 0;
	frame.data += header_len;
	frame.len -= header_len;
	request->body = arena_alloc(&request->arena,
	    request->messages->request->body->size);
	if (request->body == NULL ||
	    kp_decode_prefix(request->messages->request, request->version,
		frame, &request->arena, request->body, &body_len) != 0)
		return -1;
	request->body_len = body_len;
	*used = header_len + body_len;
	return 0;
}

/* Whoever sends more than he says does not make us keep it. */
static int
decode_lean(struct request *request, struct slice frame, bool with_body)
{
	size_t used;

	if (decode(request, frame, with_body, &used) != 0)
		return -1;
	if (frame.len - used <= SURPLUS_BYTES_MAX)
		return 0;
	arena_reset(&request->arena);
	return decode(request, slice_of(frame.data, used), with_body, &used);
}

static bool
authorized(const struct request *request)
{
	const struct api_authorization *needs = &request->api->authorization;

	switch (needs->kind) {
	case API_AUTHORIZATION_OPEN:
	case API_AUTHORIZATION_ENTRIES:
		return true;
	case API_AUTHORIZATION_CLUSTER:
		return request_allows(request, needs->operation,
		    ACL_RESOURCE_CLUSTER, ACL_CLUSTER_NAME);
	}
	return false;
}

static void
handle(struct request *request)
{
	if (!session_allows(request)) {
		connection_close(request->exchange.connection,
		    "a request during the authentication");
		request_fail(request, KP_ILLEGAL_SASL_STATE);
	} else if (!authorized(request))
		request_fail(request, KP_CLUSTER_AUTHORIZATION_FAILED);
	else
		request->api->handle(request);
}

/* The same; the time that it took is the request's, where it is charged. */
static void
handle_timed(struct request *request)
{
	bool gone = false;

	connection_time(request->exchange.connection, true);
	request->gone = &gone;
	handle(request);
	if (gone)
		return;
	request->gone = NULL;
	request->handled_us = clock_monotonic_us() - request->received_us;
}

void
api_disconnected(
    struct connection_handler *handler, struct connection *connection)
{
	share_acks_disconnected(handler, connection);
	session_freed(handler, connection);
}

/* -1, which no API has, where the frame is too short for one. */
static int16_t
key_of(struct slice frame)
{
	return frame.len < KEY_AND_VERSION_LEN ? -1 :
						 (int16_t)be16_get(frame.data);
}

void
api_dispatch(struct connection_handler *handler, struct connection *connection,
    struct slice frame)
{
	struct server *server =
	    CONTAINER_OF(handler, struct server, connections);
	const struct api *api;
	struct request *request;
	int16_t version;
	bool served;

	if (!session_admits(connection, key_of(frame), frame))
		return;
	if (frame.len < KEY_AND_VERSION_LEN) {
		connection_close(connection, "a frame too short for a header");
		return;
	}
	api = api_find((int16_t)be16_get(frame.data));
	version = (int16_t)be16_get(frame.data + 2);
	served = api != NULL && version_served(api, version);
	if (api == NULL || (!served && api->refuse_version == NULL)) {
		log_debug(LOGGER, "%s: key %d version %d is not served",
		    connection_id(connection), (int16_t)be16_get(frame.data),
		    version);
		connection_close(connection, "an API that is not served");
		return;
	}
	request = request_new(server, api, version, connection,
	    arena_bytes_max(api, frame.len, connection_budget(connection)));
	if (decode_lean(request, frame, served) != 0) {
		audit_invalid_request(request, connection, frame.len);
		request_abandon(request);
		connection_close(connection, "a request that does not parse");
		return;
	}
	request->arena.size_bytes_max =
	    request->arena.size_bytes + ARENA_REPLY_BYTES;
	request->exchange.exclusive = (api->flags & API_PIPELINED) == 0;
	exchange_begin(connection, &request->exchange);
	if (!served)
		api->refuse_version(request);
	else if (throttle_quotas(request, CLIENT_QUOTA_REQUEST_PERCENTAGE) ==
	    NULL)
		handle(request);
	else
		handle_timed(request);
}
