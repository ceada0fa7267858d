/*
 * Batches that are small and decompress to much more than they may: where the
 * broker has to look into them they are refused, and cost it what they may
 * and no more, however many there are.
 *
 *	test_bombs [COUNT]
 *
 * COUNT of each codec go to each topic; make check has few.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/batch_builder.h"
#include "wire/error.h"
#include "wire/generated/produce.h"

#define MIB ((size_t)1024 * 1024)
/* Beyond what a batch may decompress to, at best 16 times its size. */
#define BOMB_BYTES (80 * MIB)
/* Snappy makes a twentieth of zeros at best. */
#define MESSAGE_BYTES_MAX "8388608"
#define MEMORY_MAX (256 * MIB)

static struct broker_process broker;
static size_t count = 4;

static int
start_broker(void **state UNUSED)
{
	broker_process_start(&broker, "--dev", NULL);
	kafka_client_create_topic(&broker, "compacted", 1,
	    KAFKA_SETTINGS("cleanup.policy", "compact", "max.message.bytes",
		MESSAGE_BYTES_MAX));
	kafka_client_create_topic(&broker, "recoded", 1,
	    KAFKA_SETTINGS("compression.type", "uncompressed",
		"max.message.bytes", MESSAGE_BYTES_MAX));
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

/* A record of zeros. */
static void
make_bomb(enum compression codec, struct buf *out)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	uint8_t *zeros = xcalloc(1, BOMB_BYTES);
	struct batch_builder builder;

	buf_init(out, 2 * BOMB_BYTES);
	options.codec = codec;
	batch_builder_init(&builder, &options, out);
	assert_int_equal(batch_builder_add(&builder, clock_wall_ms(),
			     slice_str("key"), slice_of(zeros, BOMB_BYTES)),
	    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	assert_true(out->len * 16 < BOMB_BYTES);
	free(zeros);
}

static int16_t
send_bomb(struct slice bomb, const char *name)
{
	struct kp_produce_request_partition partition = {
		.records = { .bytes = bomb, .len = bomb.len },
	};
	struct kp_produce_request_topic topic = {
		.name = slice_str(name),
		.partition_data = &partition,
		.partition_data_count = 1,
	};
	const struct kp_produce_request request = {
		.acks = -1,
		.timeout_ms = 30000,
		.topic_data = &topic,
		.topic_data_count = 1,
	};
	const struct kp_produce_response *response;
	struct raw_client client;
	int16_t error;

	raw_client_init(&client, &broker);
	response = raw_client_call(
	    &client, KP_PRODUCE_KEY, RAW_TOPIC_PRODUCE_VERSION, &request);
	error = response->responses[0].partition_responses[0].error_code;
	raw_client_fini(&client);
	return error;
}

static void
expect_refused(const char *topic)
{
	struct raw_client client;

	for (int codec = 1; codec < COMPRESSION_COUNT; codec++) {
		struct buf bomb;

		make_bomb((enum compression)codec, &bomb);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(send_bomb(buf_slice(&bomb), topic),
			    KP_MESSAGE_TOO_LARGE);
		buf_fini(&bomb);
	}
	raw_client_init(&client, &broker);
	assert_int_equal(raw_topic_end(&client, topic), 0);
	raw_client_fini(&client);
	if (broker_process_memory_tells(&broker))
		assert_in_range(broker_process_memory(&broker, "VmHWM:"), 1,
		    MEMORY_MAX);
}

static void
a_compacted_topic_refuses_them(void **state UNUSED)
{
	expect_refused("compacted");
}

static void
a_topic_with_another_codec_refuses_them(void **state UNUSED)
{
	expect_refused("recoded");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_compacted_topic_refuses_them),
		cmocka_unit_test(a_topic_with_another_codec_refuses_them),
	};

	if (argc == 2)
		count = strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
