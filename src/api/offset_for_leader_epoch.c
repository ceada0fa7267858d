/*
 * OffsetForLeaderEpoch, versions 2-4: where an epoch of a partition's
 * leadership ended.
 */
#include "api/api.h"
#include "api/partitions.h"
#include "wire/generated/offset_for_leader_epoch.h"

static void
partition_answer(const struct request *request, struct slice topic,
    enum acl_operation operation,
    const struct kp_offset_for_leader_epoch_request_partition *wanted,
    struct kp_offset_for_leader_epoch_response_partition *answer)
{
	struct partitions_key key = { .topic = topic,
		.index = wanted->partition };
	struct leader_epoch_end end = { -1, -1 };
	struct partitions_found found;
	enum kp_error error;

	error = partitions_find(request, &key, operation, &found);
	if (error == KP_NONE)
		error = partition_find_epoch_end(found.partition,
		    request->node_id, wanted->current_leader_epoch,
		    wanted->leader_epoch, &end);
	partition_unref(found.partition);
	answer->error_code = (int16_t)error;
	answer->partition = wanted->partition;
	answer->leader_epoch = end.epoch;
	answer->end_offset = end.end_offset;
}

static void
topic_answer(struct request *request, enum acl_operation operation,
    const struct kp_offset_for_leader_epoch_request_topic *topic,
    struct kp_offset_for_leader_epoch_response_topic *answer)
{
	int32_t count = MAX(topic->partitions_count, 0);

	answer->topic = topic->topic;
	answer->partitions = kp_array(&request->arena,
	    &kp_offset_for_leader_epoch_response_partition_struct, count);
	assert(answer->partitions != NULL);
	answer->partitions_count = count;
	for (int32_t i = 0; i < count; i++)
		partition_answer(request, topic->topic, operation,
		    &topic->partitions[i], &answer->partitions[i]);
}

static int64_t
partitions_total(const struct kp_offset_for_leader_epoch_request *body)
{
	int64_t total = 0;

	for (int32_t i = 0; i < body->topics_count; i++)
		total += MAX(body->topics[i].partitions_count, 0);
	return total;
}

/* Brokers may ask for everything, others where they may describe. */
static enum acl_operation
operation_of(const struct request *request)
{
	return request_sees(request, ACL_CLUSTER_ACTION, ACL_RESOURCE_CLUSTER,
		   ACL_CLUSTER_NAME) ?
	    PARTITIONS_OPEN :
	    ACL_DESCRIBE;
}

static void
handle_offset_for_leader_epoch(struct request *request)
{
	const struct kp_offset_for_leader_epoch_request *body = request->body;
	struct kp_offset_for_leader_epoch_response *response =
	    request_response_new(request);
	enum acl_operation operation = operation_of(request);
	int32_t count = MAX(body->topics_count, 0);

	if (partitions_total(body) > PARTITIONS_MAX) {
		request_close(request, "a lookup of too many partitions");
		return;
	}
	response->topics = kp_array(&request->arena,
	    &kp_offset_for_leader_epoch_response_topic_struct, count);
	assert(response->topics != NULL);
	response->topics_count = count;
	for (int32_t i = 0; i < count; i++)
		topic_answer(
		    request, operation, &body->topics[i], &response->topics[i]);
	request_reply(request, response);
}

const struct api api_offset_for_leader_epoch =
    API_ROW(offset_for_leader_epoch, API_ENTRIES);
