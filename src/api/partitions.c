#include "api/partitions.h"

#include "api/brokers.h"
#include "broker/partition_manager.h"
#include "meta/image.h"
#include "meta/topic_image.h"

/* --- Finding ----------------------------------------------------------- */

static bool
allowed(const struct request *request, enum acl_operation operation,
    struct slice topic)
{
	return operation == PARTITIONS_OPEN ||
	    request_allows(request, operation, ACL_RESOURCE_TOPIC, topic);
}

static struct partition *
find(const struct request *request, const struct partitions_key *key)
{
	struct partition_manager *manager = request->server->partitions;

	return key->by_id ?
	    partition_manager_find_by_id(manager, key->topic_id, key->index) :
	    partition_manager_find(manager, key->topic, key->index);
}

/* No topic has a name that long, however often it is asked for. */
static bool
name_too_long(const struct partitions_key *key)
{
	return !key->by_id && key->topic.len > TOPIC_IMAGE_NAME_LEN_MAX;
}

/* The partition is not here: what does the metadata say?  Image locked. */
static enum kp_error
explain(const struct request *request, const struct partitions_key *key,
    enum acl_operation operation, struct partitions_found *found)
{
	const struct image *image = request->server->image;
	const struct topic_image *topic = key->by_id ?
	    image_topic_by_id(image, key->topic_id) :
	    image_topic(image, key->topic);
	const struct partition_image *partition;

	if (topic == NULL && key->by_id)
		return KP_UNKNOWN_TOPIC_ID;
	if (!allowed(
		request, operation, topic != NULL ? topic->name : key->topic))
		return KP_TOPIC_AUTHORIZATION_FAILED;
	partition =
	    topic == NULL ? NULL : topic_image_partition(topic, key->index);
	if (partition == NULL)
		return KP_UNKNOWN_TOPIC_OR_PARTITION;
	found->leader = (struct partition_leader){ partition->leader,
		partition->leader_epoch };
	return partition_image_ids_contain(
		   partition->replicas, request->node_id) ?
	    KP_KAFKA_STORAGE_ERROR :
	    KP_NOT_LEADER_OR_FOLLOWER;
}

enum kp_error
partitions_find(const struct request *request, const struct partitions_key *key,
    enum acl_operation operation, struct partitions_found *found)
{
	struct partition *partition;
	enum kp_error error;

	*found = (struct partitions_found){ .leader = { -1, -1 } };
	if (name_too_long(key))
		return allowed(request, operation, key->topic) ?
		    KP_UNKNOWN_TOPIC_OR_PARTITION :
		    KP_TOPIC_AUTHORIZATION_FAILED;
	partition = find(request, key);
	if (partition == NULL) {
		image_read_lock(request->server->image);
		error = explain(request, key, operation, found);
		image_read_unlock(request->server->image);
		return error;
	}
	if (!allowed(request, operation, partition_topic(partition))) {
		partition_unref(partition);
		return KP_TOPIC_AUTHORIZATION_FAILED;
	}
	found->partition = partition;
	return KP_NONE;
}

/* --- Leaders ----------------------------------------------------------- */

static const struct partitions_endpoint *
leaders_find(const struct partitions_leaders *leaders, int32_t id)
{
	for (int32_t i = 0; i < leaders->count; i++)
		if (leaders->endpoints[i].node_id == id)
			return &leaders->endpoints[i];
	return NULL;
}

static struct partitions_endpoint *
leaders_grow(struct arena *arena, struct partitions_leaders *leaders)
{
	struct partitions_endpoint *grown;

	if (leaders->count == leaders->capacity) {
		leaders->capacity = MAX(4, 2 * leaders->capacity);
		grown = arena_xcalloc(
		    arena, (size_t)leaders->capacity, sizeof(*grown));
		if (leaders->count > 0)
			memcpy(grown, leaders->endpoints,
			    (size_t)leaders->count * sizeof(*grown));
		leaders->endpoints = grown;
	}
	return &leaders->endpoints[leaders->count++];
}

static void
leaders_append(struct request *request, struct partitions_leaders *leaders,
    const struct broker_image *broker)
{
	const struct kp_register_broker_record_end_point *at;

	at = broker == NULL ? NULL : brokers_endpoint(request, broker);
	if (at == NULL)
		return;
	*leaders_grow(&request->arena, leaders) = (struct partitions_endpoint){
		.node_id = broker->id,
		.host = arena_copy(&request->arena, at->host),
		.port = at->port,
		.rack = arena_copy(&request->arena, broker->record.rack),
	};
}

const struct partitions_endpoint *
partitions_leader_add(
    struct request *request, struct partitions_leaders *leaders, int32_t id)
{
	struct image *image = request->server->image;
	const struct partitions_endpoint *known = leaders_find(leaders, id);

	if (id < 0 || known != NULL)
		return known;
	image_read_lock(image);
	leaders_append(request, leaders, image_broker(image, id));
	image_read_unlock(image);
	return leaders_find(leaders, id);
}
