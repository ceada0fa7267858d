/*
 * DescribeProducers, version 0: the producers that partitions know, to find
 * transactions that hang (KIP-664).
 */
#include "api/api.h"
#include "api/partitions.h"
#include "wire/generated/describe_producers.h"

static void
fill_producer(const struct producer *producer,
    struct kp_describe_producers_response_active_producer *told)
{
	told->producer_id = producer->id;
	told->producer_epoch = producer->epoch;
	told->last_sequence = producer->batch_count == 0 ?
	    -1 :
	    producer->batches[producer->batch_count - 1].last_sequence;
	told->last_timestamp = producer->last_timestamp_ms;
	told->coordinator_epoch = producer->coordinator_epoch;
	told->current_txn_start_offset = producer->txn_first_offset;
}

static void
fill_producers(struct request *request, const struct partition_producers *found,
    struct kp_describe_producers_response_partition *told)
{
	told->active_producers = arena_xcalloc(
	    &request->arena, found->count, sizeof(*told->active_producers));
	told->active_producers_count = (int32_t)found->count;
	for (size_t i = 0; i < found->count; i++)
		fill_producer(&found->producers[i], &told->active_producers[i]);
}

static enum kp_error
describe(struct request *request, struct slice topic, int32_t index,
    struct kp_describe_producers_response_partition *told)
{
	const struct partitions_key key = { .topic = topic, .index = index };
	struct partitions_found found;
	struct partition_producers producers;
	enum kp_error error;

	error = partitions_find(request, &key, ACL_READ, &found);
	if (error != KP_NONE)
		return error;
	error = partition_describe_producers(
	    found.partition, request->node_id, &request->arena, &producers);
	partition_unref(found.partition);
	if (error == KP_NONE)
		fill_producers(request, &producers, told);
	return error;
}

static void
describe_topic(struct request *request,
    const struct kp_describe_producers_request_topic *asked,
    struct kp_describe_producers_response_topic *told)
{
	size_t count = (size_t)MAX(asked->partition_indexes_count, 0);

	told->name = asked->name;
	told->partitions_count = (int32_t)count;
	told->partitions = kp_array(&request->arena,
	    &kp_describe_producers_response_partition_struct, (int32_t)count);
	for (size_t i = 0; i < count && !arena_overdrawn(&request->arena);
	    i++) {
		struct kp_describe_producers_response_partition *partition =
		    &told->partitions[i];
		enum kp_error error;

		partition->partition_index = asked->partition_indexes[i];
		error = describe(request, asked->name,
		    partition->partition_index, partition);
		partition->error_code = (int16_t)error;
		if (error != KP_NONE)
			partition->error_message =
			    slice_str(kp_error_message(error));
	}
}

static void
handle_describe_producers(struct request *request)
{
	const struct kp_describe_producers_request *body = request->body;
	struct kp_describe_producers_response *response =
	    request_response_new(request);
	size_t count = (size_t)MAX(body->topics_count, 0);

	response->topics =
	    arena_xcalloc(&request->arena, count, sizeof(*response->topics));
	response->topics_count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		describe_topic(request, &body->topics[i], &response->topics[i]);
	request_reply(request, response);
}

const struct api api_describe_producers =
    API_ROW(describe_producers, API_ENTRIES);
