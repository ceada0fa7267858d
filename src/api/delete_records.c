/*
 * DeleteRecords, versions 0-2: move the start of partitions forward.
 *
 * With one replica it is done when it is answered, so timeout_ms has no
 * meaning yet.
 */
#include "api/api.h"
#include "api/partitions.h"
#include "wire/generated/delete_records.h"

static enum kp_error
records_delete(const struct request *request, struct partition *partition,
    int64_t offset, int64_t *low_watermark)
{
	*low_watermark = -1;
	if (partition_is_internal(partition))
		return KP_INVALID_TOPIC_EXCEPTION;
	return partition_delete_records(
	    partition, request->node_id, offset, low_watermark);
}

static void
partition_answer(const struct request *request, struct slice topic,
    const struct kp_delete_records_request_partition *wanted,
    struct kp_delete_records_response_partition *answer)
{
	struct partitions_key key = { .topic = topic,
		.index = wanted->partition_index };
	struct partitions_found found;
	int64_t low_watermark = -1;
	enum kp_error error;

	error = partitions_find(request, &key, ACL_DELETE, &found);
	if (error == KP_NONE)
		error = records_delete(
		    request, found.partition, wanted->offset, &low_watermark);
	partition_unref(found.partition);
	answer->partition_index = wanted->partition_index;
	answer->low_watermark = low_watermark;
	answer->error_code = (int16_t)error;
}

static void
topic_answer(struct request *request,
    const struct kp_delete_records_request_topic *topic,
    struct kp_delete_records_response_topic *answer)
{
	int32_t count = MAX(topic->partitions_count, 0);

	answer->name = topic->name;
	answer->partitions = kp_array(&request->arena,
	    &kp_delete_records_response_partition_struct, count);
	assert(answer->partitions != NULL);
	answer->partitions_count = count;
	for (int32_t i = 0; i < count; i++)
		partition_answer(request, topic->name, &topic->partitions[i],
		    &answer->partitions[i]);
}

static int64_t
partitions_total(const struct kp_delete_records_request *body)
{
	int64_t total = 0;

	for (int32_t i = 0; i < body->topics_count; i++)
		total += MAX(body->topics[i].partitions_count, 0);
	return total;
}

static void
handle_delete_records(struct request *request)
{
	const struct kp_delete_records_request *body = request->body;
	struct kp_delete_records_response *response =
	    request_response_new(request);
	int32_t count = MAX(body->topics_count, 0);

	if (partitions_total(body) > PARTITIONS_MAX) {
		request_close(request, "a deletion in too many partitions");
		return;
	}
	response->topics = kp_array(
	    &request->arena, &kp_delete_records_response_topic_struct, count);
	assert(response->topics != NULL);
	response->topics_count = count;
	for (int32_t i = 0; i < count; i++)
		topic_answer(request, &body->topics[i], &response->topics[i]);
	request_reply(request, response);
}

const struct api api_delete_records = API_ROW(delete_records, API_ENTRIES,
    .flags = API_CHANGES);
