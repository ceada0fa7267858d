/*
 * AlterPartitionReassignments, versions 0-1.
 *
 * A cluster of one has one broker to put a replica on: a partition may be
 * asked to stay where it is, which kafka-reassign-partitions.sh does with
 * those that move between log directories, and no more.
 */
#include "api/api.h"
#include "api/partitions.h"
#include "meta/image.h"
#include "wire/generated/alter_partition_reassignments.h"

/* Are these the replicas that there are, in any order? */
static bool
stays(struct partition_image_ids now, const int32_t *wanted, int32_t count)
{
	for (int32_t i = 0; i < count; i++) {
		if (!partition_image_ids_contain(now, wanted[i]))
			return false;
		for (int32_t j = 0; j < i; j++)
			if (wanted[j] == wanted[i])
				return false;
	}
	return count == now.count;
}

static enum kp_error
judge(const struct request *request, struct slice name,
    const struct kp_alter_partition_reassignments_request_partition *wanted,
    struct slice *message)
{
	const struct topic_image *topic =
	    image_topic(request->server->image, name);
	const struct partition_image *partition = topic == NULL ?
	    NULL :
	    topic_image_partition(topic, wanted->partition_index);

	*message = SLICE_NULL;
	if (partition == NULL) {
		*message = slice_str("Unable to find a topic ID, or that "
				     "partition of the topic.");
		return KP_UNKNOWN_TOPIC_OR_PARTITION;
	}
	if (wanted->replicas_count < 0 && partition->adding.count == 0 &&
	    partition->removing.count == 0)
		return KP_NO_REASSIGNMENT_IN_PROGRESS;
	if (wanted->replicas_count >= 0 &&
	    stays(partition->replicas, wanted->replicas,
		wanted->replicas_count))
		return KP_NONE;
	*message = slice_str("There is no other broker that could have a "
			     "replica.");
	return KP_INVALID_REPLICA_ASSIGNMENT;
}

/* Fill in all entries: with error, or with what is right for each. */
static void
fill(struct request *request, enum kp_error error,
    struct kp_alter_partition_reassignments_response *response)
{
	const struct kp_alter_partition_reassignments_request *body =
	    request->body;
	size_t count = (size_t)MAX(body->topics_count, 0);

	response->responses = arena_xcalloc(
	    &request->arena, count, sizeof(*response->responses));
	response->responses_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		const struct kp_alter_partition_reassignments_request_topic
		    *topic = &body->topics[i];
		struct kp_alter_partition_reassignments_response_topic *entry =
		    &response->responses[i];

		entry->name = topic->name;
		entry->partitions_count = MAX(topic->partitions_count, 0);
		entry->partitions = arena_xcalloc(&request->arena,
		    (size_t)entry->partitions_count,
		    sizeof(*entry->partitions));
		for (int32_t j = 0; j < entry->partitions_count; j++) {
			struct slice message = SLICE_NULL;
			enum kp_error own = error != KP_NONE ?
			    error :
			    judge(request, topic->name, &topic->partitions[j],
				&message);

			entry->partitions[j].partition_index =
			    topic->partitions[j].partition_index;
			entry->partitions[j].error_code = (int16_t)own;
			entry->partitions[j].error_message = message;
		}
	}
}

static int64_t
partitions_total(
    const struct kp_alter_partition_reassignments_request *body)
{
	int64_t total = 0;

	for (int32_t i = 0; i < body->topics_count; i++)
		total += MAX(body->topics[i].partitions_count, 0);
	return total;
}

static void
answer(struct request *request, enum kp_error error)
{
	const struct kp_alter_partition_reassignments_request *body =
	    request->body;
	struct kp_alter_partition_reassignments_response *response =
	    request_response_new(request);
	struct image *image = request->server->image;

	if (partitions_total(body) > PARTITIONS_MAX) {
		request_close(request, "reassignments of too many partitions");
		return;
	}
	response->allow_replication_factor_change =
	    body->allow_replication_factor_change;
	response->error_code = (int16_t)error;
	image_read_lock(image);
	fill(request, error, response);
	image_read_unlock(image);
	request_reply(request, response);
}

static void
handle_alter_partition_reassignments(struct request *request)
{
	answer(request, KP_NONE);
}

const struct api api_alter_partition_reassignments = API_ROW(
    alter_partition_reassignments, API_CLUSTER(ACL_ALTER),
    .flags = API_CHANGES, .fail = answer);
