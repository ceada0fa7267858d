#include "faults/churn.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "unit/unit.h"
#include "wire/batch_reader.h"
#include "wire/error.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/fetch.h"
#include "wire/generated/metadata.h"
#include "wire/generated/produce.h"

#define CREATE_TOPICS_VERSION 7
#define DELETE_TOPICS_VERSION 5
#define METADATA_VERSION 12
#define FETCH_VERSION 12
#define TIMEOUT_MS 30000
#define PARTITIONS 3
#define DEADLINE_MS 60000
#define POLL_US 1000

void
churn_init(struct churn *churn, const struct broker_process *broker)
{
	memset(churn, 0, sizeof(*churn));
	churn->broker = broker;
	for (int i = 0; i < CHURN_TOPICS; i++)
		snprintf(churn->topics[i].name, sizeof(churn->topics[i].name),
		    "churn-%d", i);
}

/* What the record of a topic's present life says. */
static struct slice
record_value(const struct churn_topic *topic, struct raw_client *client)
{
	return arena_printf(&client->arena, "%s, life %u", topic->name,
	    topic->serial);
}

/* --- Changes ------------------------------------------------------------- */

/* False for an error that clients retry; others fail the test. */
static bool
went_well(const struct churn_topic *topic, const char *what, int16_t error)
{
	if (error != KP_NONE && !kp_error_is_retriable(error))
		fail_msg("%s, %s: %s", topic->name, what,
		    kp_error_name(error));
	return error == KP_NONE;
}

static bool
create(struct churn_topic *topic, struct raw_client *client,
    const atomic_bool *stop)
{
	struct kp_create_topics_request_topic asked = {
		.name = slice_str(topic->name),
		.num_partitions = PARTITIONS,
		.replication_factor = 1,
	};
	struct kp_create_topics_request request = {
		.topics = &asked,
		.topics_count = 1,
		.timeout_ms = TIMEOUT_MS,
	};
	const struct kp_create_topics_response *response;

	topic->serial++;
	topic->id = UUID_ZERO;
	topic->record_sent = topic->record_acked = false;
	topic->state = CHURN_CREATING;
	response = raw_client_try_call(client, KP_CREATE_TOPICS_KEY,
	    CREATE_TOPICS_VERSION, &request);
	if (response == NULL || atomic_load(stop))
		return false;
	assert_int_equal(response->topics_count, 1);
	if (!went_well(topic, "creating", response->topics[0].error_code))
		return false;
	topic->id = response->topics[0].topic_id;
	topic->state = CHURN_PRESENT;
	return true;
}

static bool
write_record(struct churn_topic *topic, struct raw_client *client,
    const atomic_bool *stop)
{
	const struct kp_produce_request *request = raw_topic_produce(client,
	    topic->name, -1, record_value(topic, client));
	const struct kp_produce_response *response;

	topic->record_sent = true;
	response = raw_client_try_call(client, KP_PRODUCE_KEY,
	    RAW_TOPIC_PRODUCE_VERSION, request);
	if (response == NULL || atomic_load(stop))
		return false;
	topic->record_acked = went_well(topic, "writing",
	    response->responses[0].partition_responses[0].error_code);
	return topic->record_acked;
}

static bool
delete(struct churn_topic *topic, struct raw_client *client,
    const atomic_bool *stop)
{
	struct slice names[] = { slice_str(topic->name) };
	struct kp_delete_topics_request request = {
		.topic_names = names,
		.topic_names_count = 1,
		.timeout_ms = TIMEOUT_MS,
	};
	const struct kp_delete_topics_response *response;

	topic->state = CHURN_DELETING;
	response = raw_client_try_call(client, KP_DELETE_TOPICS_KEY,
	    DELETE_TOPICS_VERSION, &request);
	if (response == NULL || atomic_load(stop))
		return false;
	assert_int_equal(response->responses_count, 1);
	if (!went_well(topic, "deleting", response->responses[0].error_code))
		return false;
	topic->state = CHURN_ABSENT;
	return true;
}

/* What is in doubt rests until churn_audit has found out. */
static bool
change_some(struct churn *churn, struct raw_client *client,
    const atomic_bool *stop)
{
	struct churn_topic *topic = &churn->topics[churn->next];
	bool done = true;

	arena_reset(&client->arena);
	churn->next = (churn->next + 1) % CHURN_TOPICS;
	if (topic->state == CHURN_ABSENT)
		done = create(topic, client, stop) &&
		    write_record(topic, client, stop);
	else if (topic->state == CHURN_PRESENT)
		done = delete(topic, client, stop);
	if (done)
		atomic_fetch_add(&churn->changes, 1);
	return done;
}

void
churn_run(struct churn *churn, const atomic_bool *stop)
{
	struct raw_client client;

	if (!raw_client_try_init(&client, churn->broker))
		return;
	while (!atomic_load(stop) && change_some(churn, &client, stop))
		;
	raw_client_fini(&client);
}

/* --- After a fault ------------------------------------------------------- */

static const struct kp_metadata_response_topic *
find(struct raw_client *client, const char *name)
{
	struct kp_metadata_request_topic topic = { .name = slice_str(name) };
	struct kp_metadata_request request = {
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_metadata_response *response = raw_client_call(client,
	    KP_METADATA_KEY, METADATA_VERSION, &request);

	assert_int_equal(response->topics_count, 1);
	return response->topics[0].error_code ==
		KP_UNKNOWN_TOPIC_OR_PARTITION ?
	    NULL :
	    &response->topics[0];
}

static void
check_record(const struct churn_topic *topic, struct raw_client *client)
{
	struct kp_fetch_request_topic asked = {
		.topic = slice_str(topic->name),
		.partitions = kp_array(&client->arena,
		    &kp_fetch_request_partition_struct, 1),
		.partitions_count = 1,
	};
	const struct kp_fetch_response *response;
	struct kp_fetch_request request;
	struct batch_reader reader;
	struct record record;
	struct buf scratch;

	asked.partitions[0].partition_max_bytes = 65536;
	kp_defaults(&kp_fetch_request, &request);
	request.session_epoch = -1;
	request.max_bytes = 65536;
	request.topics = &asked;
	request.topics_count = 1;
	response = raw_client_call(client, KP_FETCH_KEY, FETCH_VERSION,
	    &request);
	assert_int_equal(response->responses_count, 1);
	assert_int_equal(response->responses[0].partitions[0].error_code,
	    KP_NONE);
	buf_init(&scratch, 65536);
	assert_int_equal(batch_reader_open(&reader,
			     response->responses[0].partitions[0].records
				 .bytes,
			     &scratch),
	    KP_NONE);
	assert_true(batch_reader_next(&reader, &record));
	if (!slice_equal(record.value, record_value(topic, client)))
		fail_msg("%s has a record of another life: %.*s", topic->name,
		    (int)record.value.len, (const char *)record.value.data);
	buf_fini(&scratch);
}

/* The end of partition 0, or -1 where the disk had no room for its log. */
static int64_t
find_end(const struct churn_topic *topic, struct raw_client *client,
    bool disk_full)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	enum kp_error error;
	int64_t end;

	for (;; usleep(POLL_US)) {
		error = raw_topic_try_end(client, topic->name, &end);
		if (error == KP_NONE)
			return end;
		if (error == KP_KAFKA_STORAGE_ERROR && disk_full)
			return -1;
		if (!kp_error_is_retriable(error) ||
		    clock_monotonic_ms() > deadline)
			fail_msg("%s: where it ends: %s", topic->name,
			    kp_error_name(error));
	}
}

static void
audit_records(struct churn_topic *topic, struct raw_client *client,
    bool disk_full)
{
	int64_t end = find_end(topic, client, disk_full);

	if (end < 0 && !topic->record_acked)
		return;
	if (end < topic->record_acked || end > topic->record_sent)
		fail_msg("%s ends at %lld; its record was %s", topic->name,
		    (long long)end,
		    topic->record_acked	   ? "acknowledged" :
			topic->record_sent ? "sent" :
					     "not sent");
	topic->record_acked = topic->record_sent = end > 0;
	if (end > 0)
		check_record(topic, client);
}

static void
audit_topic(struct churn_topic *topic, struct raw_client *client,
    bool disk_full)
{
	const struct kp_metadata_response_topic *found =
	    find(client, topic->name);

	if (found == NULL && topic->state == CHURN_PRESENT)
		fail_msg("%s is gone", topic->name);
	if (found != NULL && topic->state == CHURN_ABSENT)
		fail_msg("%s is there and was deleted", topic->name);
	topic->state = found == NULL ? CHURN_ABSENT : CHURN_PRESENT;
	if (found == NULL)
		return;
	assert_int_equal(found->error_code, KP_NONE);
	assert_int_equal(found->partitions_count, PARTITIONS);
	if (!uuid_is_zero(topic->id) && !uuid_equal(topic->id, found->topic_id))
		fail_msg("%s has another id", topic->name);
	topic->id = found->topic_id;
	audit_records(topic, client, disk_full);
}

void
churn_audit(struct churn *churn, struct raw_client *client, bool disk_full)
{
	for (int i = 0; i < CHURN_TOPICS; i++) {
		arena_reset(&client->arena);
		audit_topic(&churn->topics[i], client, disk_full);
	}
}
