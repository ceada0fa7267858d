/*
 * Several log directories: where partitions go, what is told of them, what
 * becomes of the others when one fails.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <time.h>

#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "unit/temp_dir.h"
#include "wire/error.h"
#include "wire/generated/alter_partition_reassignments.h"
#include "wire/generated/alter_replica_log_dirs.h"
#include "wire/generated/describe_log_dirs.h"
#include "wire/generated/fetch.h"
#include "wire/generated/list_offsets.h"
#include "wire/generated/list_partition_reassignments.h"
#include "wire/generated/metadata.h"
#include "wire/generated/produce.h"

#define DIRECTORIES 3

struct rig {
	struct broker_process broker;
	struct raw_client client;
	char *root;
	char *paths[DIRECTORIES];
	char *option; /* log.dirs=… */
};

static int
setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	rig->root = temp_dir_make();
	for (int i = 0; i < DIRECTORIES; i++)
		rig->paths[i] = xasprintf("%s/%c", rig->root, 'a' + i);
	rig->option = xasprintf("log.dirs=%s,%s,%s", rig->paths[0],
	    rig->paths[1], rig->paths[2]);
	broker_process_start(&rig->broker, "--override", rig->option,
	    "--override",
	    "replica.high.watermark.checkpoint.interval.ms=20", NULL);
	raw_client_init(&rig->client, &rig->broker);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	raw_client_fini(&rig->client);
	broker_process_fini(&rig->broker);
	for (int i = 0; i < DIRECTORIES; i++)
		free(rig->paths[i]);
	free(rig->option);
	temp_dir_remove(rig->root);
	free(rig);
	return 0;
}

/* --- describing ---------------------------------------------------------- */

static const struct kp_describe_log_dirs_response *
describe(struct rig *rig, int16_t version,
    const struct kp_describe_log_dirs_request *body)
{
	const struct kp_describe_log_dirs_response *response =
	    raw_client_call(
		&rig->client, KP_DESCRIBE_LOG_DIRS_KEY, version, body);

	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->results_count, DIRECTORIES);
	return response;
}

static const struct kp_describe_log_dirs_response *
describe_all(struct rig *rig)
{
	const struct kp_describe_log_dirs_request all = {
		.topics_count = -1,
	};

	return describe(rig, 5, &all);
}

static const struct kp_describe_log_dirs_response_topic *
find_topic(
    const struct kp_describe_log_dirs_response_result *result, const char *name)
{
	for (int32_t i = 0; i < result->topics_count; i++)
		if (slice_equal_str(result->topics[i].name, name))
			return &result->topics[i];
	return NULL;
}

/* --- tests --------------------------------------------------------------- */

static void
directories_are_described_at_all_versions(void **state)
{
	struct rig *rig = *state;
	int32_t second = 1;
	struct kp_describe_log_dirs_request_topic topic = {
		.topic = slice_str("some"),
		.partitions = &second,
		.partitions_count = 1,
	};
	struct kp_describe_log_dirs_request body = { .topics = &topic };
	struct kafka_producer producer;

	kafka_client_create_topic(&rig->broker, "some", 3, KAFKA_DEFAULTS);
	kafka_producer_init(&producer, &rig->broker, KAFKA_DEFAULTS);
	kafka_producer_send(
	    &producer, "some", 1, slice_str("key"), slice_str("value"));
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
	for (int16_t version = 1; version <= 5; version++) {
		const struct kp_describe_log_dirs_response *response;
		int32_t found = 0;

		body.topics_count = 0;
		response = describe(rig, version, &body);
		for (int i = 0; i < DIRECTORIES; i++) {
			assert_true(slice_equal_str(
			    response->results[i].log_dir, rig->paths[i]));
			assert_int_equal(
			    response->results[i].error_code, KP_NONE);
			assert_int_equal(response->results[i].topics_count, 0);
		}
		body.topics_count = 1;
		response = describe(rig, version, &body);
		for (int i = 0; i < DIRECTORIES; i++) {
			const struct kp_describe_log_dirs_response_result
			    *result = &response->results[i];
			const struct kp_describe_log_dirs_response_topic *some =
			    find_topic(result, "some");

			assert_true(version < 4 ?
				result->total_bytes == -1 :
				result->total_bytes > 0 &&
				    result->usable_bytes > 0 &&
				    result->usable_bytes <=
					result->total_bytes);
			assert_false(result->is_cordoned);
			if (some == NULL)
				continue;
			found += some->partitions_count;
			assert_int_equal(
			    some->partitions[0].partition_index, 1);
			assert_true(some->partitions[0].partition_size > 60);
			assert_int_equal(some->partitions[0].offset_lag, 0);
			assert_false(some->partitions[0].is_future_key);
		}
		assert_int_equal(found, 1);
	}
}

/* Each new partition goes where the fewest are. */
static void
partitions_spread_evenly(void **state)
{
	struct rig *rig = *state;
	const struct kp_describe_log_dirs_response *response;

	kafka_client_create_topic(&rig->broker, "one", 7, KAFKA_DEFAULTS);
	kafka_client_create_topic(&rig->broker, "two", 2, KAFKA_DEFAULTS);
	response = describe_all(rig);
	for (int i = 0; i < DIRECTORIES; i++) {
		const struct kp_describe_log_dirs_response_topic *one =
		    find_topic(&response->results[i], "one");
		const struct kp_describe_log_dirs_response_topic *two =
		    find_topic(&response->results[i], "two");

		assert_non_null(one);
		assert_int_equal(one->partitions_count +
			(two == NULL ? 0 : two->partitions_count),
		    3);
	}
}

/* --- a directory fails --------------------------------------------------- */

/* What ListOffsets answers for the end of a partition. */
static enum kp_error
end_offset(struct rig *rig, int32_t partition, int64_t *offset)
{
	struct kp_list_offsets_request_partition asked = {
		.partition_index = partition,
		.current_leader_epoch = -1,
		.timestamp = -1,
	};
	struct kp_list_offsets_request_topic topic = {
		.name = slice_str("some"),
		.partitions = &asked,
		.partitions_count = 1,
	};
	const struct kp_list_offsets_request body = { .replica_id = -1,
		.topics = &topic,
		.topics_count = 1 };
	const struct kp_list_offsets_response *response = raw_client_call(
	    &rig->client, KP_LIST_OFFSETS_KEY, 4, &body);
	const struct kp_list_offsets_response_partition *found =
	    &response->topics[0].partitions[0];

	*offset = found->offset;
	return found->error_code;
}

static enum kp_error
produce(struct rig *rig, int32_t partition)
{
	struct kp_produce_request *request =
	    (struct kp_produce_request *)(uintptr_t)raw_topic_produce(
		&rig->client, "some", -1, slice_str("value"));
	const struct kp_produce_response *response;

	request->topic_data[0].partition_data[0].index = partition;
	response = raw_client_call(&rig->client, KP_PRODUCE_KEY,
	    RAW_TOPIC_PRODUCE_VERSION, request);
	return response->responses[0].partition_responses[0].error_code;
}

static enum kp_error
fetch(struct rig *rig, int32_t partition)
{
	struct kp_fetch_request_partition asked = {
		.partition = partition,
		.current_leader_epoch = -1,
		.last_fetched_epoch = -1,
		.partition_max_bytes = 1000,
	};
	struct kp_fetch_request_topic topic = {
		.topic = slice_str("some"),
		.partitions = &asked,
		.partitions_count = 1,
	};
	const struct kp_fetch_request body = {
		.replica_id = -1,
		.max_bytes = 1000,
		.session_epoch = -1,
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_fetch_response *response =
	    raw_client_call(&rig->client, KP_FETCH_KEY, 12, &body);

	return response->responses[0].partitions[0].error_code;
}

static const struct kp_metadata_response_partition *
metadata_of(struct rig *rig, int32_t partition)
{
	struct kp_metadata_request_topic topic = { .name = slice_str("some") };
	const struct kp_metadata_request body = { .topics = &topic,
		.topics_count = 1 };
	const struct kp_metadata_response *response =
	    raw_client_call(&rig->client, KP_METADATA_KEY, 9, &body);
	const struct kp_metadata_response_topic *found = &response->topics[0];

	for (int32_t i = 0; i < found->partitions_count; i++)
		if (found->partitions[i].partition_index == partition)
			return &found->partitions[i];
	return NULL;
}

/* The number of the directory that has a partition, or -1. */
static int
directory_of(struct rig *rig, int32_t partition)
{
	const struct kp_describe_log_dirs_response *response =
	    describe_all(rig);

	for (int i = 0; i < DIRECTORIES; i++) {
		const struct kp_describe_log_dirs_response_topic *some =
		    find_topic(&response->results[i], "some");

		for (int32_t j = 0;
		     some != NULL && j < some->partitions_count; j++)
			if (some->partitions[j].partition_index == partition &&
			    !some->partitions[j].is_future_key)
				return i;
	}
	return -1;
}

/* The partition is nowhere, or as good as ever. */
static void
check_partition(struct rig *rig, int32_t partition, bool online)
{
	const struct kp_metadata_response_partition *told =
	    metadata_of(rig, partition);
	enum kp_error error = online ? KP_NONE : KP_KAFKA_STORAGE_ERROR;
	int64_t end;

	assert_non_null(told);
	assert_int_equal(told->leader_id, online ? 1 : -1);
	assert_int_equal(told->error_code,
	    online ? KP_NONE : KP_LEADER_NOT_AVAILABLE);
	assert_int_equal(told->offline_replicas_count, !online);
	assert_int_equal(produce(rig, partition), error);
	assert_int_equal(fetch(rig, partition), error);
	assert_int_equal(end_offset(rig, partition, &end), error);
}

static void
await_offline(struct rig *rig, int number)
{
	struct timespec pause = { .tv_nsec = 5000000 };

	while (describe_all(rig)->results[number].error_code == KP_NONE)
		nanosleep(&pause, NULL);
	/* The metadata follows; its answer tells when. */
	for (int32_t i = 0; i < DIRECTORIES;)
		if (metadata_of(rig, i)->leader_id < 0)
			return;
		else if (++i == DIRECTORIES)
			i = 0;
}

static void
reconnect(struct rig *rig)
{
	raw_client_fini(&rig->client);
	broker_process_restart(&rig->broker);
	raw_client_init(&rig->client, &rig->broker);
}

/* A directory without the metadata goes; the others serve; it comes back. */
static void
one_directory_fails_and_the_others_serve(void **state)
{
	struct rig *rig = *state;
	char *aside = xasprintf("%s/aside", rig->root);
	const struct kp_describe_log_dirs_response *response;
	int homes[DIRECTORIES];
	int64_t end;

	raw_topic_create(&rig->client, "some", DIRECTORIES);
	for (int32_t i = 0; i < DIRECTORIES; i++) {
		homes[i] = directory_of(rig, i);
		check_partition(rig, i, true);
	}
	assert_int_equal(rename(rig->paths[1], aside), 0);
	await_offline(rig, 1);
	for (int32_t i = 0; i < DIRECTORIES; i++)
		check_partition(rig, i, homes[i] != 1);
	response = describe_all(rig);
	assert_int_equal(
	    response->results[1].error_code, KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(response->results[1].topics_count, 0);
	assert_int_equal(response->results[1].total_bytes, -1);
	/* What is new goes to the others. */
	raw_topic_create(&rig->client, "new", 4);
	response = describe_all(rig);
	assert_int_equal(
	    find_topic(&response->results[0], "new")->partitions_count, 2);
	assert_int_equal(
	    find_topic(&response->results[2], "new")->partitions_count, 2);
	broker_process_kill(&rig->broker);
	assert_int_equal(rename(aside, rig->paths[1]), 0);
	reconnect(rig);
	for (int32_t i = 0; i < DIRECTORIES; i++) {
		assert_int_equal(directory_of(rig, i), homes[i]);
		check_partition(rig, i, true);
		assert_int_equal(end_offset(rig, i, &end), KP_NONE);
		assert_int_equal(end, homes[i] == 1 ? 2 : 3);
	}
	free(aside);
}

/*
 * A directory that is no directory at the start, and one that is empty because
 * its disk is not mounted: what was in there waits, and is not made anew.
 */
static void
a_start_without_a_directory_serves_the_others(void **state)
{
	struct rig *rig = *state;
	char *aside = xasprintf("%s/aside", rig->root);
	int homes[DIRECTORIES];
	int64_t end;

	raw_topic_create(&rig->client, "some", DIRECTORIES);
	for (int32_t i = 0; i < DIRECTORIES; i++) {
		homes[i] = directory_of(rig, i);
		check_partition(rig, i, true);
	}
	for (int empty = 0; empty < 2; empty++) {
		broker_process_kill(&rig->broker);
		assert_int_equal(rename(rig->paths[1], aside), 0);
		temp_dir_put(rig->root, "b", empty ? NULL : "no directory");
		reconnect(rig);
		for (int32_t i = 0; i < DIRECTORIES; i++)
			check_partition(rig, i, homes[i] != 1);
		assert_int_equal(describe_all(rig)->results[1].error_code,
		    empty ? KP_NONE : KP_KAFKA_STORAGE_ERROR);
		broker_process_kill(&rig->broker);
		temp_dir_remove(xstrdup(rig->paths[1]));
		assert_int_equal(rename(aside, rig->paths[1]), 0);
		reconnect(rig);
		for (int32_t i = 0; i < DIRECTORIES; i++) {
			assert_int_equal(directory_of(rig, i), homes[i]);
			check_partition(rig, i, true);
		}
	}
	for (int32_t i = 0; i < DIRECTORIES; i++) {
		assert_int_equal(end_offset(rig, i, &end), KP_NONE);
		assert_int_equal(end, homes[i] == 1 ? 3 : 5);
	}
	free(aside);
}

static void
the_broker_ends_with_its_metadata(void **state)
{
	struct rig *rig = *state;
	char *aside = xasprintf("%s/aside", rig->root);

	assert_int_equal(rename(rig->paths[0], aside), 0);
	assert_int_not_equal(broker_process_wait(&rig->broker), 0);
	assert_true(broker_process_logged(&rig->broker,
	    "which has the metadata, has failed: the broker ends"));
	free(aside);
}

/* --- moving -------------------------------------------------------------- */

static enum kp_error
move_topic(struct rig *rig, const char *name, int32_t partition,
    const char *path)
{
	struct kp_alter_replica_log_dirs_request_topic topic = {
		.name = slice_str(name),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_alter_replica_log_dirs_request_dir dir = {
		.path = slice_str(path),
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_alter_replica_log_dirs_request body = { .dirs = &dir,
		.dirs_count = 1 };
	const struct kp_alter_replica_log_dirs_response *response =
	    raw_client_call(
		&rig->client, KP_ALTER_REPLICA_LOG_DIRS_KEY, 2, &body);

	assert_int_equal(response->results_count, 1);
	assert_int_equal(response->results[0].partitions_count, 1);
	assert_int_equal(
	    response->results[0].partitions[0].partition_index, partition);
	return response->results[0].partitions[0].error_code;
}

static void
await_directory(struct rig *rig, int32_t partition, int number)
{
	struct timespec pause = { .tv_nsec = 5000000 };

	while (directory_of(rig, partition) != number)
		nanosleep(&pause, NULL);
}

struct reader {
	uint64_t count;
	bool in_order;
};

/* Values are numbers, in order and without a gap. */
static void
see_number(const rd_kafka_message_t *record, void *context)
{
	struct reader *reader = context;
	uint64_t number = 0;

	if (record->len == sizeof(number))
		memcpy(&number, record->payload, sizeof(number));
	reader->in_order &= number == reader->count;
	reader->count++;
}

static void
expect_numbers(struct rig *rig, uint64_t count)
{
	struct reader reader = { .in_order = true };

	kafka_read(&rig->broker, "some", 0, see_number, &reader);
	assert_true(reader.in_order);
	assert_int_equal(reader.count, count);
}

static void
send_numbers(struct kafka_producer *producer, uint64_t *next, uint64_t count)
{
	for (uint64_t end = *next + count; *next < end; ++*next)
		kafka_producer_send(producer, "some", 0, SLICE_NULL,
		    slice_of(next, sizeof(*next)));
}

/*
 * Round and round with a producer that never stops: nothing is lost, twice
 * there, or out of order, and no delivery fails.
 */
static void
a_partition_moves_while_it_is_written(void **state)
{
	struct rig *rig = *state;
	const char *const configs[] = { "segment.bytes", "1048576", NULL };
	struct kafka_producer producer;
	uint64_t next = 0;
	int home;

	kafka_client_create_topic(&rig->broker, "some", 1, configs);
	home = directory_of(rig, 0);
	kafka_producer_init(&producer, &rig->broker,
	    KAFKA_SETTINGS("linger.ms", "1", "retries", "0", "acks", "all"));
	send_numbers(&producer, &next, 100000);
	kafka_producer_flush_ok(&producer);
	for (int i = 1; i <= 6; i++) {
		int to = (home + i) % DIRECTORIES;

		assert_int_equal(
		    move_topic(rig, "some", 0, rig->paths[to]), KP_NONE);
		while (directory_of(rig, 0) != to)
			send_numbers(&producer, &next, 500);
	}
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
	expect_numbers(rig, next);
	broker_process_kill(&rig->broker);
	reconnect(rig);
	assert_int_equal(directory_of(rig, 0), home);
	expect_numbers(rig, next);
	broker_process_stop(&rig->broker);
	reconnect(rig);
	expect_numbers(rig, next);
}

/* Killed at any moment of a move, it is whole, and the move goes on. */
static void
a_move_survives_kills(void **state)
{
	struct rig *rig = *state;
	struct kafka_producer producer;
	uint64_t next = 0;

	raw_topic_create(&rig->client, "some", 1);
	kafka_producer_init(&producer, &rig->broker, KAFKA_DEFAULTS);
	send_numbers(&producer, &next, 200000);
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
	for (int i = 0; i < 12; i++) {
		int to = (directory_of(rig, 0) + 1) % DIRECTORIES;
		struct timespec pause = { .tv_nsec = i * 3000000L };

		assert_int_equal(
		    move_topic(rig, "some", 0, rig->paths[to]), KP_NONE);
		nanosleep(&pause, NULL);
		broker_process_kill(&rig->broker);
		reconnect(rig);
		expect_numbers(rig, next);
		await_directory(rig, 0, to);
		expect_numbers(rig, next);
	}
}

static void
moves_that_cannot_be_are_refused(void **state)
{
	struct rig *rig = *state;
	char *nowhere = xasprintf("%s/d", rig->root);
	char name[250];
	int home;

	raw_topic_create(&rig->client, "some", 1);
	home = directory_of(rig, 0);
	assert_int_equal(
	    move_topic(rig, "some", 0, nowhere), KP_LOG_DIR_NOT_FOUND);
	assert_int_equal(move_topic(rig, "some", 1, rig->paths[0]),
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(move_topic(rig, "other", 0, rig->paths[0]),
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(
	    move_topic(rig, "some", 0, rig->paths[home]), KP_NONE);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(move_topic(rig, name, 0, rig->paths[0]),
	    KP_INVALID_TOPIC_EXCEPTION);
	free(nowhere);
}

/* Asked for before there is such a partition: it is made there. */
static void
a_new_partition_goes_where_it_was_asked_for(void **state)
{
	struct rig *rig = *state;

	for (int32_t i = 0; i < 4; i++)
		assert_int_equal(move_topic(rig, "some", i, rig->paths[2]),
		    KP_UNKNOWN_TOPIC_OR_PARTITION);
	raw_topic_create(&rig->client, "some", 4);
	for (int32_t i = 0; i < 4; i++)
		assert_int_equal(directory_of(rig, i), 2);
}

/* --- reassignments, which kafka-reassign-partitions.sh asks for, too ------ */

static enum kp_error
reassign(struct rig *rig, const char *name, int32_t *replicas, int32_t count)
{
	struct kp_alter_partition_reassignments_request_partition partition = {
		.replicas = replicas,
		.replicas_count = count,
	};
	struct kp_alter_partition_reassignments_request_topic topic = {
		.name = slice_str(name),
		.partitions = &partition,
		.partitions_count = 1,
	};
	const struct kp_alter_partition_reassignments_request body = {
		.timeout_ms = 1000,
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_alter_partition_reassignments_response *response =
	    raw_client_call(&rig->client,
		KP_ALTER_PARTITION_REASSIGNMENTS_KEY, 1, &body);

	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->responses_count, 1);
	assert_int_equal(response->responses[0].partitions_count, 1);
	return response->responses[0].partitions[0].error_code;
}

static void
a_replica_stays_on_its_broker(void **state)
{
	struct rig *rig = *state;
	const struct kp_list_partition_reassignments_request all = {
		.topics_count = -1,
	};
	const struct kp_list_partition_reassignments_response *list;
	int32_t own[] = { 1 }, other[] = { 2 }, twice[] = { 1, 1 };

	raw_topic_create(&rig->client, "some", 1);
	assert_int_equal(reassign(rig, "some", own, 1), KP_NONE);
	assert_int_equal(
	    reassign(rig, "some", other, 1), KP_INVALID_REPLICA_ASSIGNMENT);
	assert_int_equal(
	    reassign(rig, "some", twice, 2), KP_INVALID_REPLICA_ASSIGNMENT);
	assert_int_equal(
	    reassign(rig, "some", own, 0), KP_INVALID_REPLICA_ASSIGNMENT);
	assert_int_equal(reassign(rig, "some", NULL, -1),
	    KP_NO_REASSIGNMENT_IN_PROGRESS);
	assert_int_equal(
	    reassign(rig, "no", own, 1), KP_UNKNOWN_TOPIC_OR_PARTITION);
	list = raw_client_call(
	    &rig->client, KP_LIST_PARTITION_REASSIGNMENTS_KEY, 0, &all);
	assert_int_equal(list->error_code, KP_NONE);
	assert_int_equal(list->topics_count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(directories_are_described_at_all_versions),
		TEST(partitions_spread_evenly),
		TEST(one_directory_fails_and_the_others_serve),
		TEST(a_start_without_a_directory_serves_the_others),
		TEST(the_broker_ends_with_its_metadata),
		TEST(a_partition_moves_while_it_is_written),
		TEST(a_move_survives_kills),
		TEST(moves_that_cannot_be_are_refused),
		TEST(a_new_partition_goes_where_it_was_asked_for),
		TEST(a_replica_stays_on_its_broker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
