#include "e2e/raw_topic.h"

#include <unistd.h>

#include "base/clock.h"
#include "e2e/raw_client.h"
#include "unit/unit.h"
#include "wire/batch_builder.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/errors.h"
#include "wire/generated/list_offsets.h"
#include "wire/generated/produce.h"

#define CREATE_TOPICS_VERSION 5
#define LIST_OFFSETS_VERSION 4
#define TIMEOUT_MS 30000

void
raw_topic_create(struct raw_client *client, const char *name,
    int32_t partitions)
{
	struct kp_create_topics_request_topic topic = {
		.name = slice_str(name),
		.num_partitions = partitions,
		.replication_factor = 1,
	};
	struct kp_create_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = TIMEOUT_MS,
	};
	const struct kp_create_topics_response *response =
	    raw_client_call(client, KP_CREATE_TOPICS_KEY,
		CREATE_TOPICS_VERSION, &request);

	assert_int_equal(response->topics_count, 1);
	assert_int_equal(response->topics[0].error_code, 0);
}

static struct slice
batch_of(struct raw_client *client, struct slice value)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	struct slice batch;
	struct buf out;

	buf_init(&out, value.len + 1024);
	batch_builder_init(&builder, &options, &out);
	assert_int_equal(batch_builder_add(&builder, clock_wall_ms(),
			     SLICE_NULL, value),
	    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	batch = arena_copy(&client->arena, buf_slice(&out));
	buf_fini(&out);
	return batch;
}

const struct kp_produce_request *
raw_topic_produce(struct raw_client *client, const char *name, int16_t acks,
    struct slice value)
{
	struct arena *arena = &client->arena;
	struct kp_produce_request_partition *partition =
	    arena_xcalloc(arena, 1, sizeof(*partition));
	struct kp_produce_request_topic *topic =
	    arena_xcalloc(arena, 1, sizeof(*topic));
	struct kp_produce_request *request =
	    arena_xcalloc(arena, 1, sizeof(*request));

	partition->records.bytes = batch_of(client, value);
	partition->records.len = partition->records.bytes.len;
	topic->name = arena_copy(arena, slice_str(name));
	topic->partition_data = partition;
	topic->partition_data_count = 1;
	request->acks = acks;
	request->timeout_ms = TIMEOUT_MS;
	request->topic_data = topic;
	request->topic_data_count = 1;
	return request;
}

enum kp_error
raw_topic_try_end(struct raw_client *client, const char *name, int64_t *end)
{
	struct kp_list_offsets_request_partition partition = {
		.current_leader_epoch = -1,
		.timestamp = -1,
	};
	struct kp_list_offsets_request_topic topic = {
		.name = slice_str(name),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_list_offsets_request request = {
		.replica_id = -1,
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_list_offsets_response *response = raw_client_call(
	    client, KP_LIST_OFFSETS_KEY, LIST_OFFSETS_VERSION, &request);

	assert_int_equal(response->topics_count, 1);
	assert_int_equal(response->topics[0].partitions_count, 1);
	*end = response->topics[0].partitions[0].offset;
	return (enum kp_error)response->topics[0].partitions[0].error_code;
}

int64_t
raw_topic_end(struct raw_client *client, const char *name)
{
	enum kp_error error;
	int64_t end;

	/* What a crash left is told once it is durable, not before. */
	while ((error = raw_topic_try_end(client, name, &end)) ==
	    KP_LEADER_NOT_AVAILABLE)
		usleep(1000);
	assert_int_equal(error, KP_NONE);
	return end;
}
