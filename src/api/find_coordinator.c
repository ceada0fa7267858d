/*
 * FindCoordinator, versions 0-6: who looks after groups and transactional ids;
 * from version 4 on for several at once.
 *
 * The first call makes __consumer_offsets, __transaction_state or
 * __share_group_state, and is answered when its coordinators serve, where Kafka
 * answers COORDINATOR_NOT_AVAILABLE until then.
 */
#include "api/api.h"
#include "api/brokers.h"
#include "api/partitions.h"
#include "coord/group_coordinator.h"
#include "coord/share_coordinator.h"
#include "coord/txn_coordinator.h"
#include "wire/generated/find_coordinator.h"

#define VERSION_BATCH 4
#define VERSION_SHARE 6

enum key_type { KEY_GROUP, KEY_TRANSACTION, KEY_SHARE };

/* More keys in one request are refused by closing the connection. */
#define KEYS_MAX 100000

/* An answer that is being made. */
struct finding {
	struct request *request;
	enum kp_error prepared; /* what became of the topic */
	struct partitions_leaders leaders;
};

/* A request that waits for the topic. */
struct state {
	struct request *request;
	enum kp_error error;
};

/* --- Answers ------------------------------------------------------------- */

static void
fill_error(const struct request *request, enum kp_error error,
    struct kp_find_coordinator_response_coordinator *entry)
{
	entry->error_code = (int16_t)error;
	entry->error_message = slice_str(kp_error_message(error));
	if (error == KP_NONE)
		entry->error_message =
		    slice_str(request->version < VERSION_BATCH ? "NONE" : "");
}

static void
fill_unknown(
    struct slice key, struct kp_find_coordinator_response_coordinator *entry)
{
	entry->key = key;
	entry->node_id = -1;
	entry->host = slice_str("");
	entry->port = -1;
}

/* The broker that leads the partition, or -1.  Image locked. */
static int32_t
leader_of(const struct request *request, const char *name, int32_t index)
{
	const struct topic_image *topic =
	    image_topic(request->server->image, slice_str(name));
	const struct partition_image *partition =
	    topic == NULL ? NULL : topic_image_partition(topic, index);

	if (partition == NULL || !brokers_alive(request, partition->leader))
		return -1;
	return partition->leader;
}

/* The leader of a partition of a coordinators' topic. */
static enum kp_error
find_leader(struct finding *finding, const char *topic, int32_t index,
    struct kp_find_coordinator_response_coordinator *entry)
{
	struct request *request = finding->request;
	const struct partitions_endpoint *endpoint;
	int32_t leader;

	if (finding->prepared != KP_NONE)
		return KP_COORDINATOR_NOT_AVAILABLE;
	image_read_lock(request->server->image);
	leader = leader_of(request, topic, index);
	image_read_unlock(request->server->image);
	endpoint = partitions_leader_add(request, &finding->leaders, leader);
	if (endpoint == NULL)
		return KP_COORDINATOR_NOT_AVAILABLE;
	entry->node_id = leader;
	entry->host = endpoint->host;
	entry->port = endpoint->port;
	return KP_NONE;
}

/* "group:topic id:partition" (SharePartitionKey of Kafka). */
static bool
share_key_valid(struct slice key)
{
	const uint8_t *end = key.data + key.len;
	const uint8_t *first = memchr(key.data, ':', key.len);
	const uint8_t *second;
	struct uuid id;

	if (first == NULL || first == key.data)
		return false;
	second = memchr(first + 1, ':', (size_t)(end - first - 1));
	if (second == NULL || second + 1 == end ||
	    uuid_parse(
		slice_of(first + 1, (size_t)(second - first - 1)), &id) != 0)
		return false;
	for (const uint8_t *digit = second + 1; digit < end; digit++)
		if (*digit < '0' || *digit > '9')
			return false;
	return true;
}

/* May the request ask for the coordinator of the key? */
static bool
may_find(const struct request *request, int8_t key_type, struct slice key)
{
	switch (key_type) {
	case KEY_GROUP:
		return request_allows(
		    request, ACL_DESCRIBE, ACL_RESOURCE_GROUP, key);
	case KEY_TRANSACTION:
		return request_allows(
		    request, ACL_DESCRIBE, ACL_RESOURCE_TRANSACTIONAL_ID, key);
	default:
		return request_allows(request, ACL_CLUSTER_ACTION,
		    ACL_RESOURCE_CLUSTER, ACL_CLUSTER_NAME);
	}
}

/* Does anybody coordinate such keys? */
static bool
type_known(const struct request *request, int8_t key_type)
{
	return key_type == KEY_GROUP || key_type == KEY_TRANSACTION ||
	    (key_type == KEY_SHARE && request->version >= VERSION_SHARE);
}

static bool
key_valid(int8_t key_type, struct slice key)
{
	return key_type != KEY_SHARE || share_key_valid(key);
}

static enum kp_error
refused(int8_t key_type)
{
	switch (key_type) {
	case KEY_GROUP:
		return KP_GROUP_AUTHORIZATION_FAILED;
	case KEY_TRANSACTION:
		return KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	default:
		return KP_CLUSTER_AUTHORIZATION_FAILED;
	}
}

static enum kp_error
find(struct finding *finding, struct slice key,
    struct kp_find_coordinator_response_coordinator *entry)
{
	struct request *request = finding->request;
	const struct server *server = request->server;
	const struct kp_find_coordinator_request *body = request->body;

	if (!type_known(request, body->key_type))
		return KP_INVALID_REQUEST;
	if (!may_find(request, body->key_type, key))
		return refused(body->key_type);
	if (!key_valid(body->key_type, key))
		return KP_INVALID_REQUEST;
	switch (body->key_type) {
	case KEY_GROUP:
		return find_leader(finding, GROUP_COORDINATOR_TOPIC,
		    group_coordinator_partition(server->groups, key), entry);
	case KEY_TRANSACTION:
		return find_leader(finding, TXN_COORDINATOR_TOPIC,
		    txn_coordinator_partition(server->txns, key), entry);
	default:
		return find_leader(finding, SHARE_COORDINATOR_TOPIC,
		    share_coordinator_partition(server->shares, key), entry);
	}
}

static void
fill(struct finding *finding, struct slice key,
    struct kp_find_coordinator_response_coordinator *entry)
{
	fill_unknown(key, entry);
	fill_error(finding->request, find(finding, key, entry), entry);
}

static void
reply_one(struct finding *finding)
{
	struct request *request = finding->request;
	const struct kp_find_coordinator_request *body = request->body;
	struct kp_find_coordinator_response *response =
	    request_response_new(request);
	struct kp_find_coordinator_response_coordinator entry;

	fill(finding, body->key, &entry);
	response->error_code = entry.error_code;
	response->error_message = entry.error_message;
	response->node_id = entry.node_id;
	response->host = entry.host;
	response->port = entry.port;
	request_reply(request, response);
}

static void
reply(struct request *request, enum kp_error prepared)
{
	const struct kp_find_coordinator_request *body = request->body;
	struct finding finding = { .request = request, .prepared = prepared };
	struct kp_find_coordinator_response *response;
	size_t count = (size_t)MAX(body->coordinator_keys_count, 0);

	if (request->version < VERSION_BATCH) {
		reply_one(&finding);
		return;
	}
	response = request_response_new(request);
	response->coordinators = arena_xcalloc(
	    &request->arena, count, sizeof(*response->coordinators));
	response->coordinators_count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		fill(&finding, body->coordinator_keys[i],
		    &response->coordinators[i]);
	request_reply(request, response);
}

/* --- The topic ----------------------------------------------------------- */

static void
answer(struct request *request)
{
	const struct state *state = request->state;

	reply(request, state->error);
}

/* On any thread. */
static void
ready(void *context, enum kp_error error)
{
	struct state *state = context;

	state->error = error;
	request_post(state->request, answer);
}

/* Is there a key whose coordinator the request may ask for? */
static bool
wants_topic(const struct request *request)
{
	const struct kp_find_coordinator_request *body = request->body;
	const struct slice *keys = body->coordinator_keys;
	int32_t count = body->coordinator_keys_count;

	if (!type_known(request, body->key_type))
		return false;
	if (request->version < VERSION_BATCH) {
		keys = &body->key;
		count = 1;
	}
	for (int32_t i = 0; i < count; i++)
		if (key_valid(body->key_type, keys[i]) &&
		    may_find(request, body->key_type, keys[i]))
			return true;
	return false;
}

static void
handle_find_coordinator(struct request *request)
{
	const struct kp_find_coordinator_request *body = request->body;
	const struct server *server = request->server;
	struct state *state;

	if (body->coordinator_keys_count > KEYS_MAX) {
		request_close(request, "a lookup of too many coordinators");
		return;
	}
	if (!wants_topic(request)) {
		reply(request, KP_NONE);
		return;
	}
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	state->request = request;
	request->state = state;
	if (body->key_type == KEY_GROUP)
		group_coordinator_prepare(server->groups, ready, state);
	else if (body->key_type == KEY_TRANSACTION)
		txn_coordinator_prepare(server->txns, ready, state);
	else
		share_coordinator_prepare(server->shares, ready, state);
}

const struct api api_find_coordinator = API_ROW(find_coordinator, API_ENTRIES);
