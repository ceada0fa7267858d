/*
 * ListPartitionReassignments, version 0.
 *
 * A cluster of one begins none; what another broker began before us is shown.
 */
#include "api/api.h"
#include "api/partitions.h"
#include "meta/image.h"
#include "wire/generated/list_partition_reassignments.h"

static bool
is_under_way(const struct partition_image *partition)
{
	return partition->adding.count > 0 || partition->removing.count > 0;
}

static int32_t *
borrowed_ids(struct partition_image_ids ids, int32_t *count)
{
	*count = ids.count;
	return (int32_t *)(uintptr_t)ids.ids;
}

/* Show the partition, if it moves, in entry, which has room. */
static void
add_partition(struct kp_list_partition_reassignments_response_topic *entry,
    const struct topic_image *topic, int32_t index)
{
	const struct partition_image *partition =
	    topic_image_partition(topic, index);
	struct kp_list_partition_reassignments_response_partition *shown;

	if (partition == NULL || !is_under_way(partition))
		return;
	shown = &entry->partitions[entry->partitions_count++];
	shown->partition_index = index;
	shown->replicas =
	    borrowed_ids(partition->replicas, &shown->replicas_count);
	shown->adding_replicas =
	    borrowed_ids(partition->adding, &shown->adding_replicas_count);
	shown->removing_replicas = borrowed_ids(
	    partition->removing, &shown->removing_replicas_count);
}

/* Those of indexes, or all; a topic without any is not shown. */
static void
add_topic(struct request *request,
    struct kp_list_partition_reassignments_response *response,
    const struct topic_image *topic, const int32_t *indexes, int32_t count)
{
	struct kp_list_partition_reassignments_response_topic *entry =
	    &response->topics[response->topics_count];

	if (topic == NULL)
		return;
	if (indexes == NULL)
		count = topic->partitions_count;
	*entry = (struct kp_list_partition_reassignments_response_topic){
		.name = topic->name,
		.partitions = arena_xcalloc(&request->arena, (size_t)count,
		    sizeof(*entry->partitions)),
	};
	for (int32_t i = 0; i < count; i++)
		add_partition(entry, topic, indexes == NULL ? i : indexes[i]);
	response->topics_count += entry->partitions_count > 0;
}

static void
fill(struct request *request,
    struct kp_list_partition_reassignments_response *response)
{
	const struct kp_list_partition_reassignments_request *body =
	    request->body;
	struct image *image = request->server->image;
	const struct topic_image *topic;
	size_t count = body->topics_count < 0 ? image_topics_count(image) :
						(size_t)body->topics_count;

	response->topics = arena_xcalloc(
	    &request->arena, count, sizeof(*response->topics));
	for (int32_t i = 0; i < body->topics_count; i++)
		add_topic(request, response,
		    image_topic(image, body->topics[i].name),
		    body->topics[i].partition_indexes,
		    body->topics[i].partition_indexes_count);
	if (body->topics_count >= 0)
		return;
	for (size_t at = 0; (topic = image_topic_next(image, &at)) != NULL;)
		add_topic(request, response, topic, NULL, 0);
}

static int64_t
partitions_total(
    const struct kp_list_partition_reassignments_request *body)
{
	int64_t total = 0;

	for (int32_t i = 0; i < body->topics_count; i++)
		total += MAX(body->topics[i].partition_indexes_count, 0);
	return total;
}

static void
handle_list_partition_reassignments(struct request *request)
{
	struct kp_list_partition_reassignments_response *response =
	    request_response_new(request);
	struct image *image = request->server->image;

	if (partitions_total(request->body) > PARTITIONS_MAX) {
		request_close(request, "a listing of too many partitions");
		return;
	}
	image_read_lock(image);
	fill(request, response);
	request_reply(request, response);
	image_read_unlock(image);
}

const struct api api_list_partition_reassignments = API_ROW(
    list_partition_reassignments, API_CLUSTER(ACL_DESCRIBE));
