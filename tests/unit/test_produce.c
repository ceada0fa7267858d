/* Produce, over real connections. */
#include "unit/api_rig.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/batch.h"
#include "wire/batch_builder.h"
#include "wire/generated/produce.h"

#define KEY KP_PRODUCE_KEY

struct setting {
	struct api_rig rig;
	struct api_client client;
	struct uuid id;
	struct buf batch; /* of one record */
	/* A request for one partition, to be changed. */
	struct kp_produce_request body;
	struct kp_produce_request_topic topic;
	struct kp_produce_request_partition partition;
};

static void
batch_make(struct buf *out, int count, int64_t producer_id, bool transactional)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;

	if (producer_id >= 0) {
		options.producer_id = producer_id;
		options.producer_epoch = 0;
		options.base_sequence = 0;
		options.transactional = transactional;
	}
	batch_builder_init(&builder, &options, out);
	for (int i = 0; i < count; i++)
		assert_int_equal(batch_builder_add(&builder, clock_wall_ms(),
				     SLICE_NULL, slice_str("value")),
		    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
}

static int
setup(void **state, bool acked)
{
	struct setting *setting = xcalloc(1, sizeof(*setting));

	log_set_level(LOG_ERROR);
	api_rig_init(&setting->rig, acked);
	setting->id = api_rig_topic(&setting->rig, "topic", 3);
	api_client_init(&setting->client, &setting->rig);
	buf_init(&setting->batch, 1 << 20);
	batch_make(&setting->batch, 1, -1, false);
	kp_defaults(&kp_produce_request, &setting->body);
	setting->body.acks = -1;
	setting->body.timeout_ms = 30000;
	setting->body.topic_data = &setting->topic;
	setting->body.topic_data_count = 1;
	setting->topic.name = slice_str("topic");
	setting->topic.topic_id = setting->id;
	setting->topic.partition_data = &setting->partition;
	setting->topic.partition_data_count = 1;
	setting->partition.records.bytes = buf_slice(&setting->batch);
	*state = setting;
	return 0;
}

static int
setup_os(void **state)
{
	return setup(state, false);
}

static int
setup_acked(void **state)
{
	return setup(state, true);
}

static int
teardown(void **state)
{
	struct setting *setting = *state;

	api_client_fini(&setting->client);
	api_rig_fini(&setting->rig);
	buf_fini(&setting->batch);
	free(setting);
	return 0;
}

static const struct kp_produce_response_partition *
produce_at(struct setting *setting, int16_t version)
{
	struct kp_produce_response *response =
	    api_client_call(&setting->client, KEY, version, &setting->body);

	assert_int_equal(response->responses_count, 1);
	assert_int_equal(response->responses[0].partition_responses_count, 1);
	return response->responses[0].partition_responses;
}

static void
every_version(void **state)
{
	struct setting *setting = *state;

	for (int16_t version = 3; version <= 13; version++) {
		const struct kp_produce_response_partition *answer =
		    produce_at(setting, version);

		assert_int_equal(answer->error_code, KP_NONE);
		assert_int_equal(answer->base_offset, version - 3);
		assert_int_equal(answer->log_append_time_ms, -1);
		assert_int_equal(
		    answer->log_start_offset, version < 5 ? -1 : 0);
	}
}

static void
errors_of_partitions(void **state)
{
	struct setting *setting = *state;
	struct buf two;

	setting->partition.index = 7;
	assert_int_equal(
	    produce_at(setting, 9)->error_code, KP_UNKNOWN_TOPIC_OR_PARTITION);
	setting->partition.index = -1;
	assert_int_equal(
	    produce_at(setting, 9)->error_code, KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(produce_at(setting, 9)->base_offset, -1);
	setting->partition.index = 0;
	setting->topic.name = slice_str("nothing");
	assert_int_equal(
	    produce_at(setting, 9)->error_code, KP_UNKNOWN_TOPIC_OR_PARTITION);
	setting->topic.name = slice_str("topic");
	setting->body.acks = 2;
	assert_int_equal(
	    produce_at(setting, 9)->error_code, KP_INVALID_REQUIRED_ACKS);
	setting->body.acks = -1;

	setting->partition.records.bytes = SLICE_NULL;
	assert_int_equal(produce_at(setting, 9)->error_code, KP_INVALID_RECORD);
	buf_init(&two, 1 << 20);
	batch_make(&two, 1, -1, false);
	batch_make(&two, 1, -1, false);
	setting->partition.records.bytes = buf_slice(&two);
	assert_int_equal(produce_at(setting, 9)->error_code, KP_INVALID_RECORD);
	assert_int_equal(produce_at(setting, 9)->log_start_offset, -1);
	/* A flipped bit in the records. */
	setting->partition.records.bytes = slice_of(two.data, two.len / 2);
	two.data[BATCH_HEADER_LEN + 3] ^= 1;
	assert_int_equal(
	    produce_at(setting, 9)->error_code, KP_CORRUPT_MESSAGE);
	buf_fini(&two);
}

static void
topic_ids_from_13(void **state)
{
	struct setting *setting = *state;
	struct kp_produce_response *response;

	setting->topic.topic_id = UUID_ZERO;
	assert_int_equal(
	    produce_at(setting, 13)->error_code, KP_UNKNOWN_TOPIC_ID);
	setting->topic.topic_id = (struct uuid){ { 1, 2, 3 } };
	response = api_client_call(&setting->client, KEY, 13, &setting->body);
	assert_int_equal(
	    response->responses[0].partition_responses[0].error_code,
	    KP_UNKNOWN_TOPIC_ID);
	assert_true(uuid_equal(
	    response->responses[0].topic_id, setting->topic.topic_id));
	setting->topic.topic_id = setting->id;
	setting->partition.index = 3;
	assert_int_equal(
	    produce_at(setting, 13)->error_code, KP_UNKNOWN_TOPIC_OR_PARTITION);
}

static void
internal_topics_are_refused(void **state)
{
	struct setting *setting = *state;

	api_rig_topic(&setting->rig, "__consumer_offsets", 1);
	setting->topic.name = slice_str("__consumer_offsets");
	assert_int_equal(
	    produce_at(setting, 9)->error_code, KP_INVALID_TOPIC_EXCEPTION);
	setting->client.client_id = "__admin_client";
	assert_int_equal(produce_at(setting, 9)->error_code, KP_NONE);
}

static void
transactional_batches_need_an_id_and_one_producer(void **state)
{
	struct setting *setting = *state;
	struct kp_produce_request_partition partitions[2];
	const struct kp_produce_response *response;
	struct buf batch, other;

	buf_init(&batch, 1 << 20);
	buf_init(&other, 1 << 20);
	batch_make(&batch, 1, 5, true);
	batch_make(&other, 1, 6, true);
	setting->partition.records.bytes = buf_slice(&batch);
	assert_int_equal(produce_at(setting, 9)->error_code,
	    KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	setting->body.transactional_id = slice_str("t");
	partitions[0] = partitions[1] = setting->partition;
	partitions[1].index = 1;
	partitions[1].records.bytes = buf_slice(&other);
	setting->topic.partition_data = partitions;
	setting->topic.partition_data_count = 2;
	response = api_client_call(
	    &setting->client, KP_PRODUCE_KEY, 9, &setting->body);
	for (int i = 0; i < 2; i++) {
		const struct kp_produce_response_partition *partition =
		    &response->responses[0].partition_responses[i];

		assert_int_equal(
		    partition->error_code, KP_INVALID_PRODUCER_ID_MAPPING);
		assert_false(slice_is_null(partition->error_message));
	}
	buf_fini(&batch);
	buf_fini(&other);
}

/* The same partition twice: the last one counts, and is answered once. */
static void
duplicates_answer_once(void **state)
{
	struct setting *setting = *state;
	struct kp_produce_request_partition twice[3];
	struct kp_produce_response *response;
	struct buf five;

	buf_init(&five, 1 << 20);
	batch_make(&five, 5, -1, false);
	twice[0] = setting->partition;
	twice[1] = setting->partition;
	twice[1].index = 1;
	twice[2] = setting->partition;
	twice[2].records.bytes = buf_slice(&five);
	setting->topic.partition_data = twice;
	setting->topic.partition_data_count = 3;
	response = api_client_call(&setting->client, KEY, 9, &setting->body);
	assert_int_equal(response->responses[0].partition_responses_count, 2);
	assert_int_equal(
	    response->responses[0].partition_responses[0].index, 1);
	assert_int_equal(
	    response->responses[0].partition_responses[1].index, 0);
	setting->topic.partition_data = &setting->partition;
	setting->topic.partition_data_count = 1;
	assert_int_equal(produce_at(setting, 9)->base_offset, 5);
	buf_fini(&five);
}

static void
no_topics_no_answers(void **state)
{
	struct setting *setting = *state;
	struct kp_produce_response *response;

	setting->body.topic_data_count = 0;
	response = api_client_call(&setting->client, KEY, 9, &setting->body);
	assert_int_equal(response->responses_count, 0);
}

static void
acks_0_answers_nothing(void **state)
{
	struct setting *setting = *state;

	setting->body.acks = 0;
	api_client_send(&setting->client, KEY, 9, &setting->body);
	api_client_send(&setting->client, KEY, 9, &setting->body);
	setting->body.acks = 1;
	/* The first answer on the wire is this one's. */
	assert_int_equal(produce_at(setting, 9)->base_offset, 2);
	setting->body.acks = 0;
	setting->partition.index = 99;
	api_client_send(&setting->client, KEY, 9, &setting->body);
	api_client_expect_closed(&setting->client);
}

static void
idempotent_repeats(void **state)
{
	struct setting *setting = *state;
	struct buf batch;

	buf_init(&batch, 1 << 20);
	batch_make(&batch, 2, 77, false);
	setting->partition.records.bytes = buf_slice(&batch);
	assert_int_equal(produce_at(setting, 9)->base_offset, 0);
	assert_int_equal(produce_at(setting, 9)->base_offset, 0);
	assert_int_equal(produce_at(setting, 9)->error_code, KP_NONE);
	buf_fini(&batch);
}

/* The first hundred of a partition, ten thousand of a request. */
static void
record_errors_are_not_all_listed(void **state)
{
	enum { COUNT = 102, RECORDS = 150 };
	struct setting *setting = *state;
	struct kp_produce_request_partition partitions[COUNT];
	struct kp_produce_response *response;
	struct buf batch;

	api_rig_topic(&setting->rig, "many", COUNT);
	api_rig_config(&setting->rig, "many", "cleanup.policy", "compact");
	buf_init(&batch, 1 << 20);
	batch_make(&batch, RECORDS, -1, false);
	for (int32_t i = 0; i < COUNT; i++)
		partitions[i] = (struct kp_produce_request_partition){
			.index = i, .records.bytes = buf_slice(&batch)
		};
	setting->topic.name = slice_str("many");
	setting->topic.partition_data = partitions;
	setting->topic.partition_data_count = COUNT;
	response = api_client_call(&setting->client, KEY, 9, &setting->body);
	for (int32_t i = 0; i < COUNT; i++) {
		const struct kp_produce_response_partition *answer =
		    &response->responses[0].partition_responses[i];

		assert_int_equal(answer->error_code, KP_INVALID_RECORD);
		assert_int_equal(
		    answer->record_errors_count, i < 100 ? 100 : 0);
	}
	buf_fini(&batch);
}

static void
record_errors_are_listed(void **state)
{
	struct setting *setting = *state;
	const struct kp_produce_response_partition *answer;

	api_rig_config(&setting->rig, "topic", "cleanup.policy", "compact");
	answer = produce_at(setting, 9);
	assert_int_equal(answer->error_code, KP_INVALID_RECORD);
	assert_int_equal(answer->log_start_offset, 0);
	assert_int_equal(answer->record_errors_count, 1);
	assert_int_equal(answer->record_errors[0].batch_index, 0);
	assert_false(
	    slice_is_null(answer->record_errors[0].batch_index_error_message));
	assert_false(slice_is_null(answer->error_message));
}

static void
no_more_replicas_are_asked_for_than_there_are(void **state)
{
	struct setting *setting = *state;

	api_rig_config(&setting->rig, "topic", "min.insync.replicas", "2");
	setting->body.acks = -1;
	assert_int_equal(produce_at(setting, 9)->error_code, KP_NONE);
}

/* --- acks=-1 and what is durable --------------------------------------- */

static void
acks_all_waits_for_the_sync(void **state)
{
	struct setting *setting = *state;
	struct kp_produce_response *response;

	api_rig_hold(&setting->rig, true);
	setting->body.acks = 1;
	assert_int_equal(produce_at(setting, 9)->base_offset, 0);
	setting->body.acks = -1;
	api_client_send(&setting->client, KEY, 9, &setting->body);
	assert_true(api_client_quiet(&setting->client, 50));
	api_rig_hold(&setting->rig, false);
	response = api_client_receive(&setting->client, KEY, 9);
	assert_int_equal(
	    response->responses[0].partition_responses[0].base_offset, 1);
	assert_true(slice_equal_str(response->responses[0].name, "topic"));
}

static void
acks_1_waits_where_messages_are_to_be_flushed(void **state)
{
	struct setting *setting = *state;
	struct kp_produce_response *response;

	api_rig_config(&setting->rig, "topic", "flush.messages", "2");
	api_rig_hold(&setting->rig, true);
	setting->body.acks = 1;
	assert_int_equal(produce_at(setting, 9)->base_offset, 0);
	api_client_send(&setting->client, KEY, 9, &setting->body);
	assert_true(api_client_quiet(&setting->client, 50));
	api_rig_hold(&setting->rig, false);
	response = api_client_receive(&setting->client, KEY, 9);
	assert_int_equal(
	    response->responses[0].partition_responses[0].base_offset, 1);
}

static void
waiting_ends_by_timeout(void **state)
{
	struct setting *setting = *state;
	const struct kp_produce_response_partition *answer;

	api_rig_hold(&setting->rig, true);
	setting->body.timeout_ms = 30;
	answer = produce_at(setting, 9);
	assert_int_equal(answer->error_code, KP_REQUEST_TIMED_OUT);
	assert_int_equal(answer->base_offset, -1);
	/* It stays in the log. */
	api_rig_hold(&setting->rig, false);
	setting->body.timeout_ms = 30000;
	assert_int_equal(produce_at(setting, 9)->base_offset, 1);
}

static void
waiting_ends_by_deletion(void **state)
{
	struct setting *setting = *state;
	struct kp_produce_response *response;
	struct partition *partition =
	    api_rig_partition(&setting->rig, "topic", 0);

	api_rig_hold(&setting->rig, true);
	api_client_send(&setting->client, KEY, 9, &setting->body);
	while (partition_log_end_offset(partition) == 0)
		assert_true(api_client_quiet(&setting->client, 1));
	partition_delete(partition);
	response = api_client_receive(&setting->client, KEY, 9);
	assert_int_equal(
	    response->responses[0].partition_responses[0].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	partition_unref(partition);
}

static void
clients_may_leave_while_waiting(void **state)
{
	struct setting *setting = *state;
	struct partition *partition =
	    api_rig_partition(&setting->rig, "topic", 0);
	struct api_client other;

	api_rig_hold(&setting->rig, true);
	api_client_init(&other, &setting->rig);
	api_client_send(&other, KEY, 9, &setting->body);
	while (partition_log_end_offset(partition) == 0)
		assert_true(api_client_quiet(&setting->client, 1));
	api_client_fini(&other);
	api_client_send(&setting->client, KEY, 9, &setting->body);
	assert_true(api_client_quiet(&setting->client, 30));
	api_rig_hold(&setting->rig, false);
	api_client_receive(&setting->client, KEY, 9);
	assert_int_equal(partition_high_watermark(partition), 2);
	partition_unref(partition);
}

#define TEST_OS(f) cmocka_unit_test_setup_teardown(f, setup_os, teardown)
#define TEST_ACKED(f) cmocka_unit_test_setup_teardown(f, setup_acked, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OS(every_version),
		TEST_OS(errors_of_partitions),
		TEST_OS(topic_ids_from_13),
		TEST_OS(internal_topics_are_refused),
		TEST_OS(transactional_batches_need_an_id_and_one_producer),
		TEST_OS(duplicates_answer_once),
		TEST_OS(no_topics_no_answers),
		TEST_OS(acks_0_answers_nothing),
		TEST_OS(idempotent_repeats),
		TEST_OS(record_errors_are_listed),
		TEST_OS(record_errors_are_not_all_listed),
		TEST_OS(no_more_replicas_are_asked_for_than_there_are),
		TEST_ACKED(every_version),
		TEST_ACKED(acks_all_waits_for_the_sync),
		TEST_ACKED(acks_1_waits_where_messages_are_to_be_flushed),
		TEST_OS(acks_1_waits_where_messages_are_to_be_flushed),
		TEST_ACKED(waiting_ends_by_timeout),
		TEST_ACKED(waiting_ends_by_deletion),
		TEST_ACKED(clients_may_leave_while_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
