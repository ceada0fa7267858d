#include "faults/ledger.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "faults/reader.h"
#include "unit/unit.h"
#include "wire/error.h"
#include "wire/generated/list_offsets.h"

#define LIST_OFFSETS_VERSION 4

/* A value begins with where it belongs, so that a failure explains itself. */
#define VALUE_HEAD 16

#define POLL_US 1000

/* The end of a partition that has no log while the disk is full. */
#define UNKNOWN (-1)

void
ledger_init(struct ledger *ledger, uint64_t seed, int32_t partitions_count)
{
	/* A busy topic whose segments roll, and two wide ones. */
	const struct ledger_topic topics[LEDGER_TOPICS] = {
		{ .name = "hot", .partitions_count = partitions_count / 64 + 3,
		    .value_max = LEDGER_VALUE_MAX },
		{ .name = "wide", .partitions_count = partitions_count / 2,
		    .value_max = 200 },
		{ .name = "other", .value_max = 600 },
	};

	memset(ledger, 0, sizeof(*ledger));
	ledger->seed = seed;
	memcpy(ledger->topics, topics, sizeof(topics));
	ledger->topics[2].partitions_count = partitions_count -
	    topics[0].partitions_count - topics[1].partitions_count;
	for (int32_t i = 0; i < LEDGER_TOPICS; i++) {
		struct ledger_topic *topic = &ledger->topics[i];

		assert(topic->partitions_count > 0);
		topic->index = i;
		topic->partitions =
		    xcalloc((size_t)topic->partitions_count,
			sizeof(*topic->partitions));
	}
}

void
ledger_fini(struct ledger *ledger)
{
	for (int32_t i = 0; i < LEDGER_TOPICS; i++)
		free(ledger->topics[i].partitions);
}

void
ledger_create_topics(const struct ledger *ledger, struct raw_client *client)
{
	for (int32_t i = 0; i < LEDGER_TOPICS; i++)
		raw_topic_create(client, ledger->topics[i].name,
		    ledger->topics[i].partitions_count);
}

struct slice
ledger_value(const struct ledger *ledger, const struct ledger_topic *topic,
    int32_t partition, int64_t offset, uint8_t *buffer)
{
	uint64_t place = (uint64_t)topic->index << 56 |
	    (uint64_t)partition << 40 | (uint64_t)offset;
	struct rng rng;
	size_t len;

	rng_init(&rng, ledger->seed ^ place * UINT64_C(0x9e3779b97f4a7c15));
	len = VALUE_HEAD + rng_below(&rng, topic->value_max - VALUE_HEAD + 1);
	be32_put(buffer, (uint32_t)topic->index);
	be32_put(buffer + 4, (uint32_t)partition);
	be64_put(buffer + 8, (uint64_t)offset);
	rng_bytes(&rng, buffer + VALUE_HEAD, len - VALUE_HEAD);
	return slice_of(buffer, len);
}

void
ledger_check(const struct ledger *ledger, const struct ledger_topic *topic,
    int32_t partition, int64_t offset, struct slice value)
{
	uint8_t buffer[LEDGER_VALUE_MAX];
	struct slice expected =
	    ledger_value(ledger, topic, partition, offset, buffer);

	if (slice_equal(value, expected))
		return;
	if (value.len < VALUE_HEAD)
		fail_msg("%s-%d, offset %lld: a value of %zu bytes",
		    topic->name, partition, (long long)offset, value.len);
	fail_msg("%s-%d, offset %lld: %zu bytes that say they are of topic "
	    "%u, partition %u, offset %llu",
	    topic->name, partition, (long long)offset, value.len,
	    be32_get(value.data), be32_get(value.data + 4),
	    (unsigned long long)be64_get(value.data + 8));
}

/* --- After a fault ------------------------------------------------------- */

static const struct kp_list_offsets_response *
list_ends(struct raw_client *client, const struct ledger_topic *topic)
{
	struct kp_list_offsets_request_topic asked = {
		.name = slice_str(topic->name),
		.partitions = arena_xcalloc(&client->arena,
		    (size_t)topic->partitions_count,
		    sizeof(*asked.partitions)),
		.partitions_count = topic->partitions_count,
	};
	struct kp_list_offsets_request request = {
		.replica_id = -1,
		.topics = &asked,
		.topics_count = 1,
	};

	for (int32_t i = 0; i < topic->partitions_count; i++) {
		asked.partitions[i].partition_index = i;
		asked.partitions[i].current_leader_epoch = -1;
		asked.partitions[i].timestamp = -1;
	}
	return raw_client_call(client, KP_LIST_OFFSETS_KEY,
	    LIST_OFFSETS_VERSION, &request);
}

/* False where some end is not told yet: what a crash left is not durable. */
static bool
find_ends(struct raw_client *client, const struct ledger_topic *topic,
    int64_t *ends, bool disk_full)
{
	const struct kp_list_offsets_response *response =
	    list_ends(client, topic);

	assert_int_equal(response->topics_count, 1);
	assert_int_equal(response->topics[0].partitions_count,
	    topic->partitions_count);
	for (int32_t i = 0; i < topic->partitions_count; i++) {
		const struct kp_list_offsets_response_partition *partition =
		    &response->topics[0].partitions[i];

		assert_int_equal(partition->partition_index, i);
		if (partition->error_code == KP_LEADER_NOT_AVAILABLE)
			return false;
		ends[i] = UNKNOWN;
		if (partition->error_code == KP_KAFKA_STORAGE_ERROR &&
		    disk_full)
			continue;
		if (partition->error_code != KP_NONE)
			fail_msg("%s-%d: where it ends: %s", topic->name, i,
			    kp_error_name(partition->error_code));
		ends[i] = partition->offset;
	}
	return true;
}

static void
hold_to(struct ledger_topic *topic, int32_t index, int64_t end)
{
	struct ledger_partition *partition = &topic->partitions[index];

	if (end < partition->acked)
		fail_msg("%s-%d ends at %lld, and %lld were acknowledged",
		    topic->name, index, (long long)end,
		    (long long)partition->acked);
	if (end < partition->seen)
		fail_msg("%s-%d ends at %lld, and was seen to %lld",
		    topic->name, index, (long long)end,
		    (long long)partition->seen);
	if (end > partition->sent)
		fail_msg("%s-%d ends at %lld, and only %lld were sent",
		    topic->name, index, (long long)end,
		    (long long)partition->sent);
	partition->seen = end;
}

static bool
all_read(const int64_t *offsets, const int64_t *ends, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (offsets[i] < ends[i])
			return false;
	return true;
}

static int64_t
audit_topic(struct ledger *ledger, struct ledger_topic *topic,
    struct raw_client *client, int64_t *from, bool disk_full)
{
	int32_t count = topic->partitions_count;
	int64_t *ends = xcalloc((size_t)count, sizeof(*ends));
	int64_t records = 0;

	while (!find_ends(client, topic, ends, disk_full)) {
		arena_reset(&client->arena);
		usleep(POLL_US);
	}
	for (int32_t i = 0; i < count; i++) {
		if (ends[i] == UNKNOWN)
			continue;
		hold_to(topic, i, ends[i]);
		records += ends[i] - from[i];
	}
	while (!all_read(from, ends, count))
		if (!reader_fetch(ledger, topic, client, 0, count, from,
			NULL))
			fail_msg("the broker closed the connection");
	free(ends);
	return records;
}

int64_t
ledger_audit(struct ledger *ledger, struct raw_client *client,
    int64_t *from[LEDGER_TOPICS], bool disk_full)
{
	int64_t records = 0;

	for (int32_t i = 0; i < LEDGER_TOPICS; i++)
		records += audit_topic(ledger, &ledger->topics[i], client,
		    from[i], disk_full);
	return records;
}
