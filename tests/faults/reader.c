#include "faults/reader.h"

#include "e2e/raw_client.h"
#include "faults/ledger.h"
#include "unit/unit.h"
#include "wire/batch_reader.h"
#include "wire/error.h"
#include "wire/generated/fetch.h"

/* The last version that names topics. */
#define FETCH_VERSION 12
#define FETCH_BYTES_MAX (8 * 1024 * 1024)
#define PARTITION_BYTES_MAX (256 * 1024)
#define WAIT_MS 5

/* Partitions in a fetch of the reader. */
#define FETCH_PARTITIONS 100

#define BATCH_BYTES_MAX ((size_t)16 * 1024 * 1024)

void
reader_init(struct reader *reader, const struct broker_process *broker,
    struct ledger *ledger)
{
	memset(reader, 0, sizeof(*reader));
	reader->broker = broker;
	reader->ledger = ledger;
	reader->offsets = xcalloc(LEDGER_TOPICS, sizeof(*reader->offsets));
	for (int32_t i = 0; i < LEDGER_TOPICS; i++)
		reader->offsets[i] =
		    xcalloc((size_t)ledger->topics[i].partitions_count,
			sizeof(**reader->offsets));
}

void
reader_fini(struct reader *reader)
{
	for (int32_t i = 0; i < LEDGER_TOPICS; i++)
		free(reader->offsets[i]);
	free(reader->offsets);
}

/* --- Fetching ------------------------------------------------------------ */

static const struct kp_fetch_response *
fetch(struct raw_client *client, const struct ledger_topic *topic,
    int32_t begin, int32_t count, const int64_t *offsets)
{
	struct kp_fetch_request_topic asked = {
		.topic = slice_str(topic->name),
		.partitions_count = count,
	};
	struct kp_fetch_request request;

	kp_defaults(&kp_fetch_request, &request);
	request.max_wait_ms = WAIT_MS;
	request.min_bytes = 1;
	request.max_bytes = FETCH_BYTES_MAX;
	request.session_epoch = -1;
	request.topics = &asked;
	request.topics_count = 1;
	asked.partitions = kp_array(&client->arena,
	    &kp_fetch_request_partition_struct, count);
	for (int32_t i = 0; i < count; i++) {
		asked.partitions[i].partition = begin + i;
		asked.partitions[i].fetch_offset = offsets[begin + i];
		asked.partitions[i].partition_max_bytes = PARTITION_BYTES_MAX;
	}
	return raw_client_try_call(client, KP_FETCH_KEY, FETCH_VERSION,
	    &request);
}

/* Check the records of a batch from *offset on, which moves behind them. */
static void
check_batch(const struct ledger *ledger, const struct ledger_topic *topic,
    int32_t index, struct slice bytes, struct buf *scratch, int64_t *offset)
{
	struct batch_reader reader;
	struct record record;

	if (batch_reader_open(&reader, bytes, scratch) != KP_NONE)
		fail_msg("%s-%d, offset %lld: a batch that cannot be read",
		    topic->name, index, (long long)*offset);
	while (batch_reader_next(&reader, &record)) {
		if (record.offset < *offset)
			continue;
		if (record.offset > *offset)
			fail_msg("%s-%d: offset %lld follows %lld",
			    topic->name, index, (long long)record.offset,
			    (long long)*offset - 1);
		ledger_check(ledger, topic, index, record.offset,
		    record.value);
		*offset = record.offset + 1;
	}
	assert_int_equal(reader.error, KP_NONE);
}

/* The last batch of an answer may be cut. */
static void
check_batches(const struct ledger *ledger, const struct ledger_topic *topic,
    int32_t index, struct slice bytes, int64_t *offset)
{
	struct buf scratch;
	struct batch batch;

	buf_init(&scratch, BATCH_BYTES_MAX);
	while (batch_read(bytes, &batch) == 0) {
		check_batch(ledger, topic, index,
		    slice_of(bytes.data, batch.size_bytes), &scratch, offset);
		bytes.data += batch.size_bytes;
		bytes.len -= batch.size_bytes;
	}
	buf_fini(&scratch);
}

static void
take_partition(struct ledger *ledger, struct ledger_topic *topic,
    const struct kp_fetch_response_partition *answer, int64_t *offsets)
{
	int32_t index = answer->partition_index;
	struct ledger_partition *partition = &topic->partitions[index];

	if (answer->error_code != KP_NONE) {
		if (!kp_error_is_retriable(answer->error_code) ||
		    answer->error_code == KP_UNKNOWN_TOPIC_OR_PARTITION)
			fail_msg("%s-%d, fetch at %lld: %s", topic->name,
			    index, (long long)offsets[index],
			    kp_error_name(answer->error_code));
		return;
	}
	if (answer->records.bytes.data != NULL)
		check_batches(ledger, topic, index, answer->records.bytes,
		    &offsets[index]);
	if (offsets[index] > answer->high_watermark)
		fail_msg("%s-%d: offset %lld came above high watermark %lld",
		    topic->name, index, (long long)offsets[index] - 1,
		    (long long)answer->high_watermark);
	partition->seen = MAX(partition->seen, answer->high_watermark);
}

bool
reader_fetch(struct ledger *ledger, struct ledger_topic *topic,
    struct raw_client *client, int32_t begin, int32_t count,
    int64_t *offsets, const atomic_bool *stop)
{
	const struct kp_fetch_response *response;

	arena_reset(&client->arena);
	response = fetch(client, topic, begin, count, offsets);
	if (response == NULL || (stop != NULL && atomic_load(stop)))
		return false;
	assert_int_equal(response->error_code, KP_NONE);
	for (int32_t i = 0; i < response->responses_count; i++)
		for (int32_t j = 0;
		     j < response->responses[i].partitions_count; j++)
			take_partition(ledger, topic,
			    &response->responses[i].partitions[j], offsets);
	return true;
}

/* --- The reader ---------------------------------------------------------- */

static bool
read_some(struct reader *reader, struct raw_client *client,
    const atomic_bool *stop)
{
	struct ledger_topic *topic =
	    &reader->ledger->topics[reader->next_topic];
	int32_t begin = reader->next_partition;
	int32_t count =
	    MIN(FETCH_PARTITIONS, topic->partitions_count - begin);

	reader->next_partition += count;
	if (reader->next_partition == topic->partitions_count) {
		reader->next_partition = 0;
		reader->next_topic = (reader->next_topic + 1) % LEDGER_TOPICS;
	}
	return reader_fetch(reader->ledger, topic, client, begin, count,
	    reader->offsets[topic->index], stop);
}

void
reader_run(struct reader *reader, const atomic_bool *stop)
{
	struct raw_client client;

	if (!raw_client_try_init(&client, reader->broker))
		return;
	while (read_some(reader, &client, stop))
		;
	raw_client_fini(&client);
}
