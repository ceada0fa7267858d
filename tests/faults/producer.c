#include "faults/producer.h"

#include "base/clock.h"
#include "e2e/raw_client.h"
#include "unit/unit.h"
#include "wire/batch_builder.h"
#include "wire/error.h"
#include "wire/generated/init_producer_id.h"
#include "wire/generated/produce.h"

/* The last version that names topics. */
#define PRODUCE_VERSION 12
#define INIT_PRODUCER_ID_VERSION 4
#define TIMEOUT_MS 30000
#define RECORDS_MAX 8
#define BATCH_LEN_MAX ((size_t)1024 * 1024)

void
producer_init(struct producer *producer,
    const struct producer_settings *settings)
{
	memset(producer, 0, sizeof(*producer));
	assert(settings->in_flight <= PRODUCER_IN_FLIGHT_MAX);
	producer->settings = *settings;
	producer->id = -1;
	rng_init(&producer->rng,
	    settings->ledger->seed + (uint64_t)settings->share);
	for (int32_t i = 0; i < LEDGER_TOPICS; i++)
		producer->next_partition[i] = settings->share;
}

void
producer_fini(struct producer *producer)
{
	for (int32_t i = 0; i < producer->requests_count; i++)
		free(producer->requests[i].frame);
}

/* --- Requests ------------------------------------------------------------ */

static struct slice
encode_batch(struct producer *producer, const struct ledger_topic *topic,
    const struct producer_batch *batch, struct arena *arena)
{
	const struct ledger *ledger = producer->settings.ledger;
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	uint8_t value[LEDGER_VALUE_MAX];
	struct batch_builder builder;
	struct slice bytes;
	struct buf out;

	options.codec = (enum compression)(batch->base % 5);
	options.producer_id = producer->id;
	options.producer_epoch = producer->epoch;
	options.base_sequence = (int32_t)batch->base;
	buf_init(&out, BATCH_LEN_MAX);
	batch_builder_init(&builder, &options, &out);
	for (int32_t i = 0; i < batch->count; i++)
		assert_int_equal(batch_builder_add(&builder, clock_wall_ms(),
				     SLICE_NULL,
				     ledger_value(ledger, topic,
					 batch->partition, batch->base + i,
					 value)),
		    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	bytes = arena_copy(arena, buf_slice(&out));
	buf_fini(&out);
	return bytes;
}

/* The next of this producer's partitions in the topic, all in turn. */
static int32_t
take_partition(struct producer *producer, const struct ledger_topic *topic)
{
	int32_t *next = &producer->next_partition[topic->index];
	int32_t partition = *next;

	*next += producer->settings.shares;
	if (*next >= topic->partitions_count)
		*next = producer->settings.share;
	return partition;
}

/* How many partitions of the topic are this producer's. */
static int32_t
share_of(const struct producer *producer, const struct ledger_topic *topic)
{
	const struct producer_settings *settings = &producer->settings;

	return (topic->partitions_count - settings->share +
		   settings->shares - 1) /
	    settings->shares;
}

static void
choose_batches(struct producer *producer, struct producer_request *request)
{
	struct ledger_topic *topic =
	    &producer->settings.ledger->topics[producer->next_topic];

	producer->next_topic = (producer->next_topic + 1) % LEDGER_TOPICS;
	request->topic = topic;
	request->batches_count =
	    MIN(share_of(producer, topic), PRODUCER_BATCHES_MAX);
	for (int32_t i = 0; i < request->batches_count; i++) {
		struct producer_batch *batch = &request->batches[i];
		struct ledger_partition *partition;

		batch->partition = take_partition(producer, topic);
		partition = &topic->partitions[batch->partition];
		batch->base = partition->sent;
		batch->count =
		    1 + (int32_t)rng_below(&producer->rng, RECORDS_MAX);
		partition->sent += batch->count;
	}
}

static struct slice
encode_request(struct producer *producer,
    const struct producer_request *request, struct raw_client *client)
{
	struct kp_produce_request_topic topic = {
		.name = slice_str(request->topic->name),
		.partition_data_count = request->batches_count,
	};
	struct kp_produce_request body = {
		.acks = -1,
		.timeout_ms = TIMEOUT_MS,
		.topic_data = &topic,
		.topic_data_count = 1,
	};

	topic.partition_data =
	    arena_xcalloc(&client->arena, (size_t)request->batches_count,
		sizeof(*topic.partition_data));
	for (int32_t i = 0; i < request->batches_count; i++) {
		struct kp_produce_request_partition *partition =
		    &topic.partition_data[i];

		partition->index = request->batches[i].partition;
		partition->records.bytes = encode_batch(producer,
		    request->topic, &request->batches[i], &client->arena);
		partition->records.len = partition->records.bytes.len;
	}
	return raw_client_frame(client, KP_PRODUCE_KEY, PRODUCE_VERSION,
	    request->id, &body);
}

static struct producer_request *
make_request(struct producer *producer, struct raw_client *client)
{
	struct producer_request *request =
	    &producer->requests[producer->requests_count++];
	struct slice frame;

	request->id = ++producer->next_request;
	choose_batches(producer, request);
	frame = encode_request(producer, request, client);
	request->frame = xmalloc(frame.len);
	memcpy(request->frame, frame.data, frame.len);
	request->frame_len = frame.len;
	return request;
}

/* --- Answers ------------------------------------------------------------- */

/* False where the batch has to be sent again. */
static bool
take_answer(struct producer *producer, const struct ledger_topic *topic,
    const struct producer_batch *batch,
    const struct kp_produce_response_partition *answer)
{
	struct ledger_partition *partition =
	    &topic->partitions[batch->partition];

	assert_int_equal(answer->index, batch->partition);
	if (kp_error_is_retriable(answer->error_code)) {
		atomic_store(&producer->refused, answer->error_code);
		atomic_fetch_add(&producer->refusals, 1);
		return false;
	}
	if (answer->error_code != KP_NONE)
		fail_msg("%s-%d, records from %lld on: %s", topic->name,
		    batch->partition, (long long)batch->base,
		    kp_error_name(answer->error_code));
	if (answer->base_offset != batch->base)
		fail_msg("%s-%d, records from %lld on: acknowledged at %lld",
		    topic->name, batch->partition, (long long)batch->base,
		    (long long)answer->base_offset);
	if (batch->base + batch->count > partition->acked) {
		partition->acked = batch->base + batch->count;
		atomic_fetch_add(&producer->settings.ledger->acked_records,
		    batch->count);
	}
	return true;
}

static void
drop_oldest(struct producer *producer)
{
	free(producer->requests[0].frame);
	producer->requests_count--;
	memmove(producer->requests, producer->requests + 1,
	    (size_t)producer->requests_count * sizeof(*producer->requests));
}

/* False where the connection ended or something has to be sent again. */
static bool
receive_oldest(struct producer *producer, struct raw_client *client,
    const atomic_bool *stop)
{
	const struct producer_request *request = &producer->requests[0];
	const struct kp_produce_response *response =
	    raw_client_try_response(client, KP_PRODUCE_KEY, PRODUCE_VERSION,
		request->id);
	bool all = true;

	if (response == NULL || atomic_load(stop))
		return false;
	assert_int_equal(response->responses_count, 1);
	assert_int_equal(response->responses[0].partition_responses_count,
	    request->batches_count);
	for (int32_t i = 0; i < request->batches_count; i++)
		all &= take_answer(producer, request->topic,
		    &request->batches[i],
		    &response->responses[0].partition_responses[i]);
	if (all) {
		drop_oldest(producer);
		atomic_fetch_add(&producer->answered, 1);
	}
	return all;
}

/* --- Connections --------------------------------------------------------- */

static bool
find_id(struct producer *producer, struct raw_client *client)
{
	struct kp_init_producer_id_request request = {
		.transaction_timeout_ms = TIMEOUT_MS,
		.producer_id = -1,
		.producer_epoch = -1,
	};
	const struct kp_init_producer_id_response *response;

	if (producer->id >= 0)
		return true;
	response = raw_client_try_call(client, KP_INIT_PRODUCER_ID_KEY,
	    INIT_PRODUCER_ID_VERSION, &request);
	if (response == NULL || kp_error_is_retriable(response->error_code))
		return false;
	assert_int_equal(response->error_code, KP_NONE);
	producer->id = response->producer_id;
	producer->epoch = response->producer_epoch;
	return true;
}

static bool
send_again(struct producer *producer, struct raw_client *client)
{
	for (int32_t i = 0; i < producer->requests_count; i++)
		if (!raw_client_try_send(client, producer->requests[i].frame,
			producer->requests[i].frame_len))
			return false;
	return true;
}

static bool
fill(struct producer *producer, struct raw_client *client)
{
	while (producer->requests_count < producer->settings.in_flight) {
		const struct producer_request *request =
		    make_request(producer, client);

		if (!raw_client_try_send(client, request->frame,
			request->frame_len))
			return false;
	}
	return true;
}

static bool
go_on(struct producer *producer, struct raw_client *client,
    const atomic_bool *stop)
{
	arena_reset(&client->arena);
	return fill(producer, client) &&
	    receive_oldest(producer, client, stop);
}

void
producer_run(struct producer *producer, const atomic_bool *stop)
{
	struct raw_client client;

	if (!raw_client_try_init(&client, producer->settings.broker))
		return;
	if (find_id(producer, &client) && send_again(producer, &client))
		while (go_on(producer, &client, stop))
			;
	raw_client_fini(&client);
}
