/*
 * Several log directories: where partitions go, what is told of them, what
 * becomes of the others when one fails.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"
#include "e2e/raw_client.h"
#include "unit/temp_dir.h"
#include "wire/error.h"
#include "wire/generated/describe_log_dirs.h"

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

/* --- describing ----------------------------------------------------------- */

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

/* --- tests ---------------------------------------------------------------- */

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(directories_are_described_at_all_versions),
		TEST(partitions_spread_evenly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
