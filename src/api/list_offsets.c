/*
 * ListOffsets, versions 1-11: the offset of a time, or of a special place.
 *
 * Lookups by time read files, so a request with one is carried out by the
 * pool.  There is no tiered storage: its special places are nowhere.
 */
#include "api/api.h"
#include "api/partition_index.h"
#include "api/partitions.h"
#include "base/task.h"
#include "base/worker.h"
#include "wire/generated/list_offsets.h"

#define VERSION_OFFSET_NOT_AVAILABLE 5

#define REPLICA_CONSUMER (-1)
#define REPLICA_DEBUGGING (-2)

/* The special places, -1 and below, and the first version of each. */
static const int16_t special_versions[] = { 1, 1, 7, 8, 9, 11 };

#define TIMESTAMP_LARGEST (-3)

struct listing {
	struct request *request;
	const struct kp_list_offsets_request *body;
	struct kp_list_offsets_response *response;
	struct partition_index index;
	struct task task;
};

/* --- One partition ----------------------------------------------------- */

static bool
timestamp_served(int64_t timestamp, int16_t version)
{
	int64_t special = -(timestamp + 1);

	if (timestamp >= 0)
		return true;
	return timestamp >= -(int64_t)COUNT_OF(special_versions) &&
	    version >= special_versions[special];
}

static enum partition_isolation
isolation_of(const struct kp_list_offsets_request *body)
{
	if (body->replica_id != REPLICA_CONSUMER)
		return PARTITION_READ_ALL;
	return body->isolation_level == 0 ? PARTITION_READ_UNCOMMITTED :
					    PARTITION_READ_COMMITTED;
}

static enum kp_error
find_offset(const struct listing *listing, struct partition *partition,
    const struct kp_list_offsets_request_partition *wanted,
    struct partition_offset *found)
{
	struct partition_lookup lookup = {
		.node_id = listing->request->node_id,
		.leader_only = listing->body->replica_id != REPLICA_DEBUGGING,
		.current_leader_epoch = wanted->current_leader_epoch,
		.isolation = isolation_of(listing->body),
		.timestamp = wanted->timestamp,
	};
	enum kp_error error;

	if (!timestamp_served(wanted->timestamp, listing->request->version))
		return KP_UNSUPPORTED_VERSION;
	error = partition_find_offset(partition, &lookup, found);
	if (error == KP_OFFSET_NOT_AVAILABLE &&
	    listing->request->version < VERSION_OFFSET_NOT_AVAILABLE)
		return KP_LEADER_NOT_AVAILABLE;
	return error;
}

static void
partition_list(const struct listing *listing, struct slice topic,
    const struct kp_list_offsets_request_partition *wanted,
    struct kp_list_offsets_response_partition *answer)
{
	struct partitions_key key = { .topic = topic,
		.index = wanted->partition_index };
	struct partition_offset offset = { -1, -1, -1 };
	struct partitions_found found;
	enum kp_error error;

	error = partitions_find(listing->request, &key, ACL_DESCRIBE, &found);
	if (error == KP_NONE)
		error = find_offset(listing, found.partition, wanted, &offset);
	partition_unref(found.partition);
	answer->error_code = (int16_t)error;
	answer->offset = error == KP_NONE ? offset.offset : -1;
	answer->timestamp = error == KP_NONE ? offset.timestamp : -1;
	answer->leader_epoch = error == KP_NONE ? offset.leader_epoch : -1;
}

/* --- The whole --------------------------------------------------------- */

/*
 * A partition that comes twice is answered once, with an error: true, where
 * before is what stands for it already.
 */
static bool
duplicate_refuse(struct listing *listing, uint32_t topic, int32_t index,
    struct kp_list_offsets_response_partition *part)
{
	struct kp_list_offsets_response_partition *before =
	    partition_index_set(&listing->index, topic, index, part);

	if (before == NULL)
		return false;
	partition_index_set(&listing->index, topic, index, before);
	before->error_code = KP_INVALID_REQUEST;
	before->timestamp = -1;
	before->offset = -1;
	before->leader_epoch = -1;
	return true;
}

static void
topic_list(struct listing *listing,
    const struct kp_list_offsets_request_topic *topic,
    struct kp_list_offsets_response_topic *answer)
{
	int32_t count = MAX(topic->partitions_count, 0);
	uint32_t number = partition_index_topic(&listing->index, topic->name);

	answer->name = topic->name;
	answer->partitions = kp_array(&listing->request->arena,
	    &kp_list_offsets_response_partition_struct, count);
	assert(answer->partitions != NULL);
	for (int32_t i = 0; i < count; i++) {
		const struct kp_list_offsets_request_partition *wanted =
		    &topic->partitions[i];
		struct kp_list_offsets_response_partition *part =
		    &answer->partitions[answer->partitions_count];

		if (duplicate_refuse(
			listing, number, wanted->partition_index, part))
			continue;
		answer->partitions_count++;
		part->partition_index = wanted->partition_index;
		partition_list(listing, topic->name, wanted, part);
	}
}

static void
topics_list(struct listing *listing)
{
	const struct kp_list_offsets_request *body = listing->body;
	struct kp_list_offsets_response *response = listing->response;
	int32_t count = MAX(body->topics_count, 0);

	response->topics = kp_array(&listing->request->arena,
	    &kp_list_offsets_response_topic_struct, count);
	assert(response->topics != NULL);
	response->topics_count = count;
	partition_index_init(&listing->index, &listing->request->arena);
	for (int32_t i = 0; i < count; i++)
		topic_list(listing, &body->topics[i], &response->topics[i]);
	partition_index_fini(&listing->index);
}

static void
listing_answer(struct request *request)
{
	struct listing *listing = request->state;

	request_reply(request, listing->response);
}

/* On the pool. */
static void
on_pool(struct task *task)
{
	struct listing *listing = CONTAINER_OF(task, struct listing, task);

	topics_list(listing);
	request_post(listing->request, listing_answer);
}

static bool
reads_files(const struct kp_list_offsets_request_topic *topic)
{
	for (int32_t i = 0; i < topic->partitions_count; i++)
		if (topic->partitions[i].timestamp >= 0 ||
		    topic->partitions[i].timestamp == TIMESTAMP_LARGEST)
			return true;
	return false;
}

static bool
needs_pool(const struct kp_list_offsets_request *body)
{
	for (int32_t i = 0; i < body->topics_count; i++)
		if (reads_files(&body->topics[i]))
			return true;
	return false;
}

static int64_t
partitions_total(const struct kp_list_offsets_request *body)
{
	int64_t total = 0;

	for (int32_t i = 0; i < body->topics_count; i++)
		total += MAX(body->topics[i].partitions_count, 0);
	return total;
}

static void
handle_list_offsets(struct request *request)
{
	struct listing *listing =
	    arena_xcalloc(&request->arena, 1, sizeof(*listing));

	if (partitions_total(request->body) > PARTITIONS_MAX) {
		request_close(request, "a lookup of too many partitions");
		return;
	}
	listing->request = request;
	listing->body = request->body;
	listing->response = request_response_new(request);
	listing->task.run = on_pool;
	request->state = listing;
	if (needs_pool(listing->body)) {
		worker_pool_post(request->server->cold_reads, &listing->task);
		return;
	}
	topics_list(listing);
	listing_answer(request);
}

const struct api api_list_offsets = API_ROW(list_offsets, API_ENTRIES);
