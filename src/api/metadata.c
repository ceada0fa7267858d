/*
 * Metadata, versions 0-13: brokers, and topics with their leaders.
 *
 * A topic that is missing and may be created is created before the answer, so
 * the first answer has its leaders; Kafka answers UNKNOWN_TOPIC_OR_PARTITION
 * first and creates in the background.
 */
#include "api/api.h"
#include "api/mutation_call.h"
#include "api/brokers.h"
#include "base/tally.h"
#include "coord/group_coordinator.h"
#include "meta/controller.h"
#include "meta/image.h"
#include "meta/topic_ops.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/metadata.h"

#define OPERATIONS_NOT_ASKED INT32_MIN

/* The first versions that ask by topic id, and where ids go first. */
#define VERSION_TOPIC_IDS 10
#define VERSION_IDS_FIRST 12

#define OFFSETS_TOPIC "__consumer_offsets"

/* A request that waits for its topics to be created. */
struct creation {
	struct request *request;
	struct create_topics_op op;
	struct mutation_call mutation;
	struct kp_create_topics_request body;
	bool offsets_topic;
};

static const struct kp_metadata_request *
body_of(const struct request *request)
{
	return request->body;
}

static bool
asks_all(const struct request *request)
{
	const struct kp_metadata_request *body = body_of(request);

	return request->version == 0 ? body->topics_count == 0 :
				       body->topics_count < 0;
}

static bool
asks_by_id(const struct request *request)
{
	const struct kp_metadata_request *body = body_of(request);

	for (int32_t i = 0; i < body->topics_count; i++)
		if (!uuid_is_zero(body->topics[i].topic_id))
			return true;
	return false;
}

/* A name is needed below version 12, and an id may not be there yet. */
static bool
entries_valid(const struct request *request)
{
	const struct kp_metadata_request *body = body_of(request);

	if (request->version >= VERSION_IDS_FIRST)
		return true;
	for (int32_t i = 0; i < body->topics_count; i++)
		if (slice_is_null(body->topics[i].name) ||
		    !uuid_is_zero(body->topics[i].topic_id))
			return false;
	return true;
}

static bool
may_describe(const struct request *request, struct slice name)
{
	return request_allows(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC, name);
}

static bool
may_create(const struct request *request, struct slice name)
{
	return request_allows(request, ACL_CREATE, ACL_RESOURCE_CLUSTER,
		   ACL_CLUSTER_NAME) ||
	    request_allows(request, ACL_CREATE, ACL_RESOURCE_TOPIC, name);
}

/* Would the request have name created if it is missing? */
static bool
request_creates(const struct request *request, struct slice name)
{
	return body_of(request)->allow_auto_topic_creation &&
	    request->server->settings->auto_create_topics &&
	    !slice_is_null(name) && topic_image_name_valid(name, NULL);
}

/* --- brokers ------------------------------------------------------------- */

static void
fill_brokers(struct request *request, struct kp_metadata_response *response)
{
	struct image *image = request->server->image;
	struct kp_metadata_response_broker *entry;
	const struct broker_image *broker;

	entry = response->brokers = arena_xcalloc(&request->arena,
	    image_brokers_count(image), sizeof(*entry));
	for (size_t at = 0; (broker = image_broker_next(image, &at)) != NULL;) {
		const struct kp_register_broker_record_end_point *endpoint =
		    brokers_endpoint(request, broker);

		if (broker->fenced || endpoint == NULL)
			continue;
		entry->node_id = broker->id;
		entry->host = endpoint->host;
		entry->port = endpoint->port;
		entry->rack = broker->record.rack;
		entry++;
	}
	response->brokers_count = (int32_t)(entry - response->brokers);
}

static void
fill_cluster(struct request *request, struct kp_metadata_response *response)
{
	fill_brokers(request, response);
	response->cluster_id = image_cluster_id(request->server->image);
	response->controller_id = brokers_any_alive(request);
	if (body_of(request)->include_cluster_authorized_operations)
		response->cluster_authorized_operations =
		    request_operations(request, ACL_RESOURCE_CLUSTER,
			ACL_CLUSTER_NAME);
}

/* --- topics -------------------------------------------------------------- */

static enum kp_error
leader_error(const struct request *request,
    const struct partition_image *partition)
{
	const struct broker_image *leader;

	if (brokers_alive(request, partition->leader))
		return KP_NONE;
	leader = image_broker(request->server->image, partition->leader);
	if (request->version >= 6 && leader != NULL && !leader->fenced)
		return KP_LISTENER_NOT_FOUND;
	return KP_LEADER_NOT_AVAILABLE;
}

static int32_t *
borrowed_ids(struct partition_image_ids ids, int32_t *count)
{
	*count = ids.count;
	return (int32_t *)(uintptr_t)ids.ids;
}

/* Version 0 shows brokers that are alive, and says when it left some out. */
static int32_t *
alive_ids(struct request *request, struct partition_image_ids ids,
    int32_t *count, enum kp_error *error)
{
	int32_t *alive = arena_xcalloc(&request->arena, (size_t)ids.count,
	    sizeof(*alive));

	*count = 0;
	for (int32_t i = 0; i < ids.count; i++)
		if (brokers_alive(request, ids.ids[i]))
			alive[(*count)++] = ids.ids[i];
		else
			*error = KP_REPLICA_NOT_AVAILABLE;
	return alive;
}

static void
fill_partition(struct request *request,
    const struct partition_image *partition, int32_t index,
    struct kp_metadata_response_partition *entry)
{
	enum kp_error error = leader_error(request, partition), replicas = 0;

	entry->partition_index = index;
	entry->leader_epoch = partition->leader_epoch;
	entry->leader_id = error == KP_NONE ? partition->leader : -1;
	if (request->version == 0) {
		entry->replica_nodes = alive_ids(request, partition->replicas,
		    &entry->replica_nodes_count, &replicas);
		entry->isr_nodes = alive_ids(request, partition->isr,
		    &entry->isr_nodes_count, &replicas);
	} else {
		entry->replica_nodes = borrowed_ids(partition->replicas,
		    &entry->replica_nodes_count);
		entry->isr_nodes =
		    borrowed_ids(partition->isr, &entry->isr_nodes_count);
	}
	entry->error_code = (int16_t)(error != KP_NONE ? error : replicas);
	entry->offline_replicas = brokers_offline(request, partition,
	    &entry->offline_replicas_count);
}

static void
fill_operations(struct request *request, struct slice name,
    struct kp_metadata_response_topic *entry)
{
	entry->topic_authorized_operations =
	    body_of(request)->include_topic_authorized_operations ?
	    request_operations(request, ACL_RESOURCE_TOPIC, name) :
	    OPERATIONS_NOT_ASKED;
}

static void
fill_topic(struct request *request, const struct topic_image *topic,
    struct kp_metadata_response_topic *entry)
{
	entry->name = topic->name;
	entry->topic_id = topic->id;
	entry->is_internal = topic->internal;
	fill_operations(request, topic->name, entry);
	entry->partitions = arena_xcalloc(&request->arena,
	    (size_t)topic->partitions_count, sizeof(*entry->partitions));
	entry->partitions_count = topic->partitions_count;
	for (int32_t i = 0; i < topic->partitions_count; i++)
		fill_partition(request, topic->partitions[i], i,
		    &entry->partitions[i]);
}

static void
fill_by_id(struct request *request, struct uuid id,
    struct kp_metadata_response_topic *entry)
{
	const struct topic_image *topic =
	    image_topic_by_id(request->server->image, id);

	entry->topic_id = id;
	entry->topic_authorized_operations = OPERATIONS_NOT_ASKED;
	if (topic == NULL)
		entry->error_code = KP_UNKNOWN_TOPIC_ID;
	else if (!may_describe(request, topic->name))
		entry->error_code = KP_TOPIC_AUTHORIZATION_FAILED;
	else
		fill_topic(request, topic, entry);
}

/* The error of a name that there is no topic for. */
static enum kp_error
missing_error(const struct request *request, struct slice name)
{
	if (!topic_image_name_valid(name, NULL))
		return KP_INVALID_TOPIC_EXCEPTION;
	if (request_creates(request, name) && !may_create(request, name))
		return KP_TOPIC_AUTHORIZATION_FAILED;
	return KP_UNKNOWN_TOPIC_OR_PARTITION;
}

static void
fill_by_name(struct request *request, struct slice name,
    struct kp_metadata_response_topic *entry)
{
	const struct topic_image *topic;

	entry->name = name;
	entry->topic_authorized_operations = OPERATIONS_NOT_ASKED;
	if (slice_is_null(name)) {
		entry->error_code = KP_INVALID_REQUEST;
	} else if (!may_describe(request, name)) {
		entry->error_code = KP_TOPIC_AUTHORIZATION_FAILED;
	} else if ((topic = image_topic(request->server->image, name)) !=
	    NULL) {
		fill_topic(request, topic, entry);
	} else {
		entry->is_internal = topic_image_name_internal(name);
		entry->error_code = (int16_t)missing_error(request, name);
		fill_operations(request, name, entry);
	}
}

static void
fill_all(struct request *request, struct kp_metadata_response *response)
{
	struct image *image = request->server->image;
	struct kp_metadata_response_topic *entry;
	const struct topic_image *topic;

	entry = response->topics = arena_xcalloc(&request->arena,
	    image_topics_count(image), sizeof(*entry));
	for (size_t at = 0; (topic = image_topic_next(image, &at)) != NULL;)
		if (request_sees(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC,
			topic->name))
			fill_topic(request, topic, entry++);
	response->topics_count = (int32_t)(entry - response->topics);
}

/* The topic that an entry asks for; null where it counts for nothing. */
static struct slice
entry_key(const struct kp_metadata_request_topic *topic, bool by_id)
{
	if (!by_id)
		return topic->name;
	return uuid_is_zero(topic->topic_id) ? SLICE_NULL :
					       MAP_KEY(topic->topic_id);
}

/*
 * What is asked for twice is answered once.  Where there are ids, entries by
 * name count for nothing.
 */
static void
fill_named(struct request *request, struct kp_metadata_response *response)
{
	const struct kp_metadata_request *body = body_of(request);
	bool by_id = asks_by_id(request);
	struct kp_metadata_response_topic *entry;
	struct tally seen;

	tally_init(&seen);
	entry = response->topics = arena_xcalloc(&request->arena,
	    (size_t)body->topics_count, sizeof(*entry));
	for (int32_t i = 0; i < body->topics_count; i++) {
		const struct kp_metadata_request_topic *topic =
		    &body->topics[i];
		struct slice key = entry_key(topic, by_id);

		if (slice_is_null(key) ? by_id : tally_add(&seen, key) > 1)
			continue;
		if (by_id)
			fill_by_id(request, topic->topic_id, entry++);
		else
			fill_by_name(request, topic->name, entry++);
	}
	response->topics_count = (int32_t)(entry - response->topics);
	tally_fini(&seen);
}

/* --- the answer ---------------------------------------------------------- */

static void
answer(struct request *request)
{
	struct kp_metadata_response *response = request_response_new(request);
	struct image *image = request->server->image;

	image_read_lock(image);
	fill_cluster(request, response);
	if (asks_all(request))
		fill_all(request, response);
	else
		fill_named(request, response);
	request_reply(request, response);
	image_read_unlock(image);
}

/* The whole request is at fault: each topic carries the error. */
static void
fail_metadata(struct request *request, enum kp_error error)
{
	const struct kp_metadata_request *body = body_of(request);
	struct kp_metadata_response *response = request_response_new(request);
	size_t count = (size_t)MAX(body->topics_count, 0);

	response->error_code = (int16_t)error;
	response->topics = arena_xcalloc(&request->arena, count,
	    sizeof(*response->topics));
	response->topics_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		struct kp_metadata_response_topic *entry =
		    &response->topics[i];

		entry->error_code = (int16_t)error;
		entry->name = body->topics[i].name;
		if (slice_is_null(entry->name) &&
		    request->version < VERSION_IDS_FIRST)
			entry->name = slice_str("");
		entry->topic_id = body->topics[i].topic_id;
		entry->topic_authorized_operations = OPERATIONS_NOT_ASKED;
	}
	request_reply(request, response);
}

/* --- creation ------------------------------------------------------------ */

/* On the controller's thread; the topics serve now, or never will. */
static void
created(struct controller_op *op)
{
	struct creation *creation =
	    CONTAINER_OF(op, struct creation, op.op);

	request_post(creation->request, answer);
}

static void
offsets_topic_ready(void *context, enum kp_error error UNUSED)
{
	struct creation *creation = context;

	if (creation->body.topics_count > 0)
		controller_submit(creation->request->server->controller,
		    &creation->op.op);
	else
		request_post(creation->request, answer);
}

static bool
missing(const struct request *request, struct slice name)
{
	return request_creates(request, name) && may_describe(request, name) &&
	    may_create(request, name) &&
	    image_topic(request->server->image, name) == NULL;
}

static void
add_topic(struct creation *creation, struct slice name)
{
	struct kp_create_topics_request_topic *topic =
	    &creation->body.topics[creation->body.topics_count++];

	topic->name = name;
	topic->num_partitions = -1;
	topic->replication_factor = -1;
}

/*
 * What is missing and may be created.  The group coordinator makes its own
 * topic; other internal ones come into being when their services need them.
 */
static void
find_missing(struct creation *creation)
{
	struct request *request = creation->request;
	const struct kp_metadata_request *body = body_of(request);
	struct tally seen;

	tally_init(&seen);
	for (int32_t i = 0; i < body->topics_count; i++) {
		struct slice name = body->topics[i].name;

		if (!missing(request, name) || tally_add(&seen, name) > 1)
			continue;
		if (slice_equal_str(name, OFFSETS_TOPIC))
			creation->offsets_topic = true;
		else if (!topic_image_name_internal(name))
			add_topic(creation, name);
	}
	tally_fini(&seen);
}

/* Create what is missing; false where nothing is. */
static bool
create(struct request *request)
{
	const struct kp_metadata_request *body = body_of(request);
	struct creation *creation;

	if (asks_all(request) || asks_by_id(request) ||
	    body->topics_count <= 0)
		return false;
	creation = arena_xcalloc(&request->arena, 1, sizeof(*creation));
	creation->request = request;
	kp_defaults(&kp_create_topics_request, &creation->body);
	creation->body.topics = arena_xcalloc(&request->arena,
	    (size_t)body->topics_count, sizeof(*creation->body.topics));
	creation->body.topics_count = 0;
	image_read_lock(request->server->image);
	find_missing(creation);
	image_read_unlock(request->server->image);
	if (creation->body.topics_count == 0 && !creation->offsets_topic)
		return false;
	create_topics_op_init(&creation->op);
	creation->op.request = &creation->body;
	creation->op.arena = &request->arena;
	creation->op.op.done = created;
	mutation_call_init(&creation->mutation, request, true);
	creation->op.quota = mutation_call_quota(&creation->mutation);
	if (creation->offsets_topic)
		group_coordinator_prepare(request->server->groups,
		    offsets_topic_ready, creation);
	else
		controller_submit(request->server->controller,
		    &creation->op.op);
	return true;
}

static void
handle_metadata(struct request *request)
{
	if (!entries_valid(request))
		request_fail(request, KP_INVALID_REQUEST);
	else if (!create(request))
		answer(request);
}

const struct api api_metadata = API_ROW(metadata, API_ENTRIES,
    .fail = fail_metadata);
