/*
 * Frames and connections, byte by byte: what client libraries never send, and
 * what the broker answers to it or that it closes the connection without an
 * answer, as Apache Kafka does.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "auth/acl.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/error.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/describe_acls.h"
#include "wire/generated/fetch.h"
#include "wire/generated/incremental_alter_configs.h"
#include "wire/generated/list_offsets.h"
#include "wire/generated/metadata.h"
#include "wire/generated/produce.h"

static struct broker_process broker;

static int
start_broker(void **state UNUSED)
{
	broker_process_start(&broker, "--dev", NULL);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

/* The broker still serves others, whatever one client has sent. */
static void
expect_alive(void)
{
	const struct kp_api_versions_response *response;
	struct raw_client client;

	raw_client_init(&client, &broker);
	response = raw_client_call(&client, KP_API_VERSIONS_KEY, 0, NULL);
	assert_int_equal(response->error_code, KP_NONE);
	raw_client_fini(&client);
}

/* These bytes, on a connection of their own, get no answer but its end. */
static void
expect_close_after(const void *bytes, size_t len)
{
	struct raw_client client;

	raw_client_init(&client, &broker);
	raw_client_send(&client, bytes, len);
	raw_client_expect_close(&client);
	raw_client_fini(&client);
}

#define EXPECT_CLOSE_AFTER(...)                            \
	expect_close_after((const uint8_t[]){ __VA_ARGS__ }, \
	    sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* --- Sizes ---------------------------------------------------------------- */

static void
test_impossible_sizes_close(void **state UNUSED)
{
	EXPECT_CLOSE_AFTER(0xff, 0xff, 0xff, 0xff);
	EXPECT_CLOSE_AFTER(0x80, 0, 0, 0);
	EXPECT_CLOSE_AFTER(0x7f, 0xff, 0xff, 0xff);
	/* One more than socket.request.max.bytes. */
	EXPECT_CLOSE_AFTER(0x06, 0x40, 0x00, 0x01);
	expect_alive();
}

static void
test_frames_without_a_header_close(void **state UNUSED)
{
	EXPECT_CLOSE_AFTER(0, 0, 0, 0);
	EXPECT_CLOSE_AFTER(0, 0, 0, 1, 0);
	EXPECT_CLOSE_AFTER(0, 0, 0, 3, 0, 18, 0);
	/* Key and version, but neither correlation id nor client id. */
	EXPECT_CLOSE_AFTER(0, 0, 0, 4, 0, 18, 0, 0);
	EXPECT_CLOSE_AFTER(0, 0, 0, 8, 0, 18, 0, 0, 0, 0, 0, 1);
	/* A client id longer than the frame. */
	EXPECT_CLOSE_AFTER(0, 0, 0, 11, 0, 18, 0, 0, 0, 0, 0, 1, 0, 5, 'x');
	expect_alive();
}

/* What other protocols begin with looks like a huge frame. */
static void
test_other_protocols_close(void **state UNUSED)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

	expect_close_after(http, sizeof(http) - 1);
	EXPECT_CLOSE_AFTER(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3);
	expect_alive();
}

static void
test_the_limit_is_inclusive(void **state UNUSED)
{
	enum { LIMIT = 1000 };
	uint8_t frame[4 + LIMIT] = { 0, 0, LIMIT >> 8, LIMIT & 0xff, 0, 18 };
	struct broker_process small;
	struct raw_client client;

	broker_process_start(&small, "--override",
	    "socket.request.max.bytes=1000", NULL);
	raw_client_init(&client, &small);
	/* What is behind the body of ApiVersions 0 is ignored. */
	raw_client_send(&client, frame, sizeof(frame));
	(void)raw_client_response(&client, KP_API_VERSIONS_KEY, 0, 0);
	be32_put(frame, LIMIT + 1);
	raw_client_send(&client, frame, 4);
	raw_client_expect_close(&client);
	raw_client_fini(&client);
	broker_process_fini(&small);
}

/* --- Keys and versions --------------------------------------------------- */

/* A header without a body: enough to see whether key and version are served. */
static void
expect_close_for(int16_t key, int16_t version)
{
	uint8_t frame[] = { 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff };

	be16_put(frame + 4, (uint16_t)key);
	be16_put(frame + 6, (uint16_t)version);
	expect_close_after(frame, sizeof(frame));
}

static void
test_unknown_keys_close(void **state UNUSED)
{
	static const int16_t keys[] = {
		-1, INT16_MIN, INT16_MAX, 93, 1000,
		/* Removed with ZooKeeper. */
		4, 5, 6, 7,
		/* Between controllers, and from brokers to them. */
		52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82,
	};

	for (size_t i = 0; i < COUNT_OF(keys); i++)
		expect_close_for(keys[i], 0);
	expect_alive();
}

static const struct kp_api_versions_response *
api_versions(struct raw_client *client)
{
	const struct kp_api_versions_response *response = raw_client_call(
	    client, KP_API_VERSIONS_KEY, 4, &(struct kp_api_versions_request){
		.client_software_name = slice_str("raw"),
		.client_software_version = slice_str("1"),
	});

	assert_int_equal(response->error_code, KP_NONE);
	return response;
}

static void
test_versions_out_of_range_close(void **state UNUSED)
{
	const struct kp_api_versions_response *response;
	struct raw_client client;

	raw_client_init(&client, &broker);
	response = api_versions(&client);
	for (int32_t i = 0; i < response->api_keys_count; i++) {
		const struct kp_api_versions_response_api_key *api =
		    &response->api_keys[i];

		if (api->api_key == KP_API_VERSIONS_KEY)
			continue;
		expect_close_for(api->api_key,
		    (int16_t)(api->min_version - 1));
		expect_close_for(api->api_key,
		    (int16_t)(api->max_version + 1));
		expect_close_for(api->api_key, INT16_MIN);
		expect_close_for(api->api_key, INT16_MAX);
	}
	raw_client_fini(&client);
	expect_alive();
}

/* Old clients look for version 0 of Produce, but nobody serves it. */
static void
test_produce_is_advertised_from_zero(void **state UNUSED)
{
	struct raw_client client;

	raw_client_init(&client, &broker);
	assert_int_equal(api_versions(&client)->api_keys[0].api_key,
	    KP_PRODUCE_KEY);
	assert_int_equal(api_versions(&client)->api_keys[0].min_version, 0);
	raw_client_fini(&client);
	for (int16_t version = 0; version < 3; version++)
		expect_close_for(KP_PRODUCE_KEY, version);
}

/* A body of defaults, but one that is answered at all. */
static const void *
modest_body(struct raw_client *client, int16_t key)
{
	struct kp_produce_request *produce;
	struct kp_describe_acls_request *describe;

	switch (key) {
	case KP_PRODUCE_KEY:
		produce = arena_xcalloc(&client->arena, 1, sizeof(*produce));
		produce->transactional_id = SLICE_NULL;
		produce->acks = 1;
		return produce;
	case KP_DESCRIBE_ACLS_KEY:
		describe = arena_xcalloc(&client->arena, 1, sizeof(*describe));
		describe->resource_type_filter = ACL_RESOURCE_ANY;
		describe->pattern_type_filter = ACL_PATTERN_ANY;
		describe->operation = ACL_OPERATION_ANY;
		describe->permission_type = ACL_PERMISSION_ANY;
		return describe;
	default:
		return NULL;
	}
}

/* Whatever is advertised is served, at each version, in that version. */
static void
test_all_that_is_advertised_answers(void **state UNUSED)
{
	const struct kp_api_versions_response *response;
	struct raw_client client;
	int answers = 0;

	raw_client_init(&client, &broker);
	response = api_versions(&client);
	assert_true(response->api_keys_count > 10);
	for (int32_t i = 0; i < response->api_keys_count; i++) {
		const struct kp_api_versions_response_api_key *api =
		    &response->api_keys[i];
		int16_t version = api->api_key == KP_PRODUCE_KEY ?
		    3 :
		    api->min_version;

		for (; version <= api->max_version; version++, answers++)
			(void)raw_client_call(&client, api->api_key, version,
			    modest_body(&client, api->api_key));
	}
	assert_true(answers > 50);
	raw_client_fini(&client);
}

/* --- ApiVersions --------------------------------------------------------- */

static void
check_supported_features(const struct kp_api_versions_response *response,
    int16_t version)
{
	bool metadata_version = false;

	for (int32_t i = 0; i < response->supported_features_count; i++) {
		const struct kp_api_versions_response_supported_feature *f =
		    &response->supported_features[i];

		metadata_version |=
		    slice_equal_str(f->name, "metadata.version");
		/* Clients of version 3 cannot read a level of 0. */
		assert_true(version > 3 || f->min_version > 0);
	}
	assert_int_equal(metadata_version, version >= 3);
}

static void
check_finalized_features(const struct kp_api_versions_response *response,
    int16_t version)
{
	bool metadata_version = false;

	for (int32_t i = 0; i < response->finalized_features_count; i++) {
		const struct kp_api_versions_response_finalized_feature *f =
		    &response->finalized_features[i];

		metadata_version |=
		    slice_equal_str(f->name, "metadata.version");
		assert_true(f->max_version_level > 0);
		assert_int_equal(f->min_version_level, f->max_version_level);
	}
	assert_int_equal(metadata_version, version >= 3);
	if (version >= 3)
		assert_true(response->finalized_features_epoch >= 0);
}

static void
test_api_versions_of_each_version(void **state UNUSED)
{
	struct raw_client client;
	int32_t count;

	raw_client_init(&client, &broker);
	count = api_versions(&client)->api_keys_count;
	for (int16_t version = 0; version <= 4; version++) {
		const struct kp_api_versions_response *response =
		    raw_client_call(&client, KP_API_VERSIONS_KEY, version,
			&(struct kp_api_versions_request){
			    .client_software_name = slice_str("raw"),
			    .client_software_version = slice_str("1.0-x") });

		assert_int_equal(response->error_code, KP_NONE);
		assert_int_equal(response->api_keys_count, count);
		assert_int_equal(response->throttle_time_ms, 0);
		assert_false(response->zk_migration_ready);
		for (int32_t i = 1; i < count; i++)
			assert_true(response->api_keys[i - 1].api_key <
			    response->api_keys[i].api_key);
		check_supported_features(response, version);
		check_finalized_features(response, version);
	}
	raw_client_fini(&client);
}

/* A client that is newer than the broker learns what to ask for (KIP-511). */
static void
test_api_versions_falls_back(void **state UNUSED)
{
	static const int16_t versions[] = { 5, 127, INT16_MAX, -1, INT16_MIN };
	static const uint8_t answer[] = { 0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18,
		0, 0, 0, 4 };
	/* Of a later version nothing behind the header is known. */
	uint8_t frame[] = { 0, 0, 0, 13, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff,
		0, 0xc0, 0xff };
	struct raw_client client;

	raw_client_init(&client, &broker);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct slice frame_received;

		be16_put(frame + 6, (uint16_t)versions[i]);
		raw_client_send(&client, frame, sizeof(frame));
		frame_received = raw_client_receive(&client);
		assert_int_equal(frame_received.len, sizeof(answer));
		assert_memory_equal(frame_received.data, answer,
		    sizeof(answer));
	}
	(void)api_versions(&client);
	raw_client_fini(&client);
}

static void
check_software(struct raw_client *client, const char *name,
    const char *software_version, bool valid)
{
	const struct kp_api_versions_request request = {
		.client_software_name = slice_str(name),
		.client_software_version = slice_str(software_version),
	};

	for (int16_t version = 3; version <= 4; version++) {
		const struct kp_api_versions_response *response =
		    raw_client_call(client, KP_API_VERSIONS_KEY, version,
			&request);

		assert_int_equal(response->error_code,
		    valid ? KP_NONE : KP_INVALID_REQUEST);
		assert_int_equal(response->api_keys_count > 0, valid);
	}
}

static void
test_client_software(void **state UNUSED)
{
	static const char *const good[] = { "a", "librdkafka", "a-b.c", "0",
		"apache-kafka-java", "4.3.1" };
	static const char *const bad[] = { "", "a-", "-a", ".", "1 ", "a_b",
		"a\nb", "caf\xc3\xa9" };
	struct raw_client client;

	raw_client_init(&client, &broker);
	for (size_t i = 0; i < COUNT_OF(good); i++)
		check_software(&client, good[i], good[i], true);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		check_software(&client, bad[i], "1", false);
		check_software(&client, "a", bad[i], false);
	}
	/* The connection has stayed open, and is good for more. */
	(void)api_versions(&client);
	raw_client_fini(&client);
}

/* --- Bodies -------------------------------------------------------------- */

static void
test_bodies_that_do_not_parse_close(void **state UNUSED)
{
	/* Metadata 1: more topics than bytes. */
	EXPECT_CLOSE_AFTER(0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff,
	    0x7f, 0xff, 0xff, 0xff);
	/* A topic whose name is longer than the frame, and one cut off. */
	EXPECT_CLOSE_AFTER(0, 0, 0, 17, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0,
	    0, 0, 1, 0, 9, 'x');
	EXPECT_CLOSE_AFTER(0, 0, 0, 15, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0,
	    0, 0, 1, 0);
	/* A name that is null where none may be. */
	EXPECT_CLOSE_AFTER(0, 0, 0, 16, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0,
	    0, 0, 1, 0xff, 0xff);
	/* Metadata 9: no tagged fields behind the header, then none behind. */
	EXPECT_CLOSE_AFTER(0, 0, 0, 10, 0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff);
	EXPECT_CLOSE_AFTER(0, 0, 0, 15, 0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0,
	    1, 0, 0, 0);
	/* A length of six bytes. */
	EXPECT_CLOSE_AFTER(0, 0, 0, 17, 0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
	expect_alive();
}

static void
test_unknown_tagged_fields_are_skipped(void **state UNUSED)
{
	/* Metadata 9 of no topics, with tag 99 in header and body. */
	static const uint8_t frame[] = { 0, 0, 0, 24, 0, 3, 0, 9, 0, 0, 0, 5,
		0, 1, 'c', 1, 99, 2, 0xaa, 0xbb, 1, 0, 0, 0, 1, 99, 1,
		0xcc };
	const struct kp_metadata_response *response;
	struct raw_client client;

	raw_client_init(&client, &broker);
	raw_client_send(&client, frame, sizeof(frame));
	response = raw_client_response(&client, KP_METADATA_KEY, 9, 5);
	assert_int_equal(response->brokers_count, 1);
	assert_int_equal(response->brokers[0].port, broker.port);
	raw_client_fini(&client);
}

static void
test_bytes_behind_the_body_are_ignored(void **state UNUSED)
{
	static const uint8_t frame[] = { 0, 0, 0, 17, 0, 3, 0, 1, 0, 0, 0, 5,
		0xff, 0xff, 0, 0, 0, 0, 1, 2, 3 };
	struct raw_client client;

	raw_client_init(&client, &broker);
	raw_client_send(&client, frame, sizeof(frame));
	(void)raw_client_response(&client, KP_METADATA_KEY, 1, 5);
	(void)api_versions(&client);
	raw_client_fini(&client);
}

static void
test_null_client_id(void **state UNUSED)
{
	/*
	 * Header 1, then header 2 with Metadata 9 of all topics.  Every
	 * negative length is null's.
	 */
	static const uint8_t old[] = { 0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 5,
		0xff, 0xfe };
	static const uint8_t flexible[] = { 0, 0, 0, 16, 0, 3, 0, 9, 0, 0, 0,
		6, 0xff, 0xff, 0, 0, 0, 0, 0, 0 };
	struct raw_client client;

	raw_client_init(&client, &broker);
	raw_client_send(&client, old, sizeof(old));
	(void)raw_client_response(&client, KP_API_VERSIONS_KEY, 0, 5);
	raw_client_send(&client, flexible, sizeof(flexible));
	(void)raw_client_response(&client, KP_METADATA_KEY, 9, 6);
	raw_client_fini(&client);
}

/* In compact encoding longer strings could be said, but are not allowed. */
static void
test_strings_have_a_limit(void **state UNUSED)
{
	enum { LIMIT = 32767 };
	char *name = xmalloc(LIMIT + 2);
	uint8_t head[] = { 0, 0, 0, 0, 0, 18, 0, 3, 0, 0, 0, 5, 0xff, 0xff, 0 };
	struct kp_api_versions_request request = {
		.client_software_version = slice_str("1"),
	};
	const struct kp_api_versions_response *response;
	struct raw_client client;
	uint8_t len[VARINT_LEN_MAX];
	size_t len_len = uvarint_put(len, LIMIT + 2);

	memset(name, 'n', LIMIT + 1);
	request.client_software_name = slice_of(name, LIMIT);
	raw_client_init(&client, &broker);
	response = raw_client_call(&client, KP_API_VERSIONS_KEY, 3, &request);
	assert_int_equal(response->error_code, KP_NONE);

	be32_put(head,
	    (uint32_t)(sizeof(head) - 4 + len_len + LIMIT + 1 + 3));
	raw_client_send(&client, head, sizeof(head));
	raw_client_send(&client, len, len_len);
	raw_client_send(&client, name, LIMIT + 1);
	raw_client_send(&client, "\2" "1\0", 3);
	raw_client_expect_close(&client);
	raw_client_fini(&client);
	free(name);
}

/* --- Pieces and pipelines ------------------------------------------------ */

static void
test_frames_in_pieces(void **state UNUSED)
{
	struct raw_client client;
	struct slice frame;

	raw_client_init(&client, &broker);
	frame = raw_client_frame(&client, KP_API_VERSIONS_KEY, 0, 1, NULL);
	for (size_t i = 0; i < frame.len; i++)
		raw_client_send(&client, frame.data + i, 1);
	(void)raw_client_response(&client, KP_API_VERSIONS_KEY, 0, 1);
	raw_client_fini(&client);
}

/* One and a half frames, then the other half, wherever the cut is. */
static void
test_frames_cut_anywhere(void **state UNUSED)
{
	struct raw_client client;
	struct slice one;
	uint8_t *two;

	raw_client_init(&client, &broker);
	one = raw_client_frame(&client, KP_METADATA_KEY, 9, 1, NULL);
	two = arena_xalloc(&client.arena, 2 * one.len);
	memcpy(two, one.data, one.len);
	memcpy(two + one.len, one.data, one.len);
	for (size_t cut = 1; cut < one.len; cut++) {
		raw_client_send(&client, two, one.len + cut);
		(void)raw_client_response(&client, KP_METADATA_KEY, 9, 1);
		raw_client_send(&client, two + one.len + cut, one.len - cut);
		(void)raw_client_response(&client, KP_METADATA_KEY, 9, 1);
	}
	raw_client_fini(&client);
}

/* The end of a connection in the middle of a frame is nothing special. */
static void
test_clients_that_leave_in_a_frame(void **state UNUSED)
{
	for (size_t len = 1; len < 12; len++) {
		static const uint8_t begin[12] = { 0, 0, 0, 40, 0, 3, 0, 9 };
		struct raw_client client;

		raw_client_init(&client, &broker);
		raw_client_send(&client, begin, len);
		raw_client_fini(&client);
	}
	expect_alive();
}

/* A Fetch that waits for data which does not come. */
static const struct kp_fetch_request *
long_poll(struct raw_client *client, const char *topic_name, int32_t wait_ms)
{
	struct kp_fetch_request_partition *partition =
	    arena_xcalloc(&client->arena, 1, sizeof(*partition));
	struct kp_fetch_request_topic *topic =
	    arena_xcalloc(&client->arena, 1, sizeof(*topic));
	struct kp_fetch_request *request =
	    arena_xcalloc(&client->arena, 1, sizeof(*request));

	partition->current_leader_epoch = -1;
	partition->log_start_offset = -1;
	partition->partition_max_bytes = 1 << 20;
	topic->topic = slice_str(topic_name);
	topic->partitions = partition;
	topic->partitions_count = 1;
	request->replica_id = -1;
	request->max_wait_ms = wait_ms;
	request->min_bytes = 1;
	request->max_bytes = 1 << 20;
	request->session_epoch = -1;
	request->rack_id = slice_str("");
	request->topics = topic;
	request->topics_count = 1;
	return request;
}

static void
test_replies_come_in_order(void **state UNUSED)
{
	enum { ROUNDS = 100, WAIT_MS = 100, FETCH_VERSION = 11 };
	const struct kp_fetch_response *response;
	struct raw_client client;
	int32_t id = 0;
	int64_t begin;

	raw_client_init(&client, &broker);
	raw_topic_create(&client, "order", 1);
	begin = clock_monotonic_ms();
	raw_client_request(&client, KP_FETCH_KEY, FETCH_VERSION, id++,
	    long_poll(&client, "order", WAIT_MS));
	for (int i = 0; i < ROUNDS; i++) {
		raw_client_request(&client, KP_API_VERSIONS_KEY, 0, id++, NULL);
		raw_client_request(&client, KP_METADATA_KEY, 9, id++, NULL);
	}
	/* The wait holds back what was asked for later. */
	response = raw_client_response(&client, KP_FETCH_KEY, FETCH_VERSION, 0);
	assert_true(clock_monotonic_ms() - begin >= WAIT_MS);
	assert_int_equal(response->responses[0].partitions[0].error_code, 0);
	id = 1;
	for (int i = 0; i < ROUNDS; i++) {
		(void)raw_client_response(&client, KP_API_VERSIONS_KEY, 0,
		    id++);
		(void)raw_client_response(&client, KP_METADATA_KEY, 9, id++);
	}
	raw_client_fini(&client);
}

static void
test_acks_0_is_silent(void **state UNUSED)
{
	struct raw_client client;

	raw_client_init(&client, &broker);
	raw_topic_create(&client, "silent", 1);
	for (int i = 0; i < 3; i++)
		raw_client_request(&client, KP_PRODUCE_KEY,
		    RAW_TOPIC_PRODUCE_VERSION, i,
		    raw_topic_produce(&client, "silent", 0, slice_str("x")));
	/* The next answer is already that of the next request. */
	assert_int_equal(raw_topic_end(&client, "silent"), 3);
	raw_client_fini(&client);
}

static void
test_acks_0_that_fails_closes(void **state UNUSED)
{
	struct raw_client client;

	raw_client_init(&client, &broker);
	raw_client_request(&client, KP_PRODUCE_KEY, RAW_TOPIC_PRODUCE_VERSION,
	    1, raw_topic_produce(&client, "nowhere", 0, slice_str("x")));
	raw_client_expect_close(&client);
	raw_client_fini(&client);
	expect_alive();
}

/* --- Connections --------------------------------------------------------- */

static void
test_idle_connections_are_closed(void **state UNUSED)
{
	enum { IDLE_MS = 300 };
	struct broker_process impatient;
	struct raw_client client;
	int64_t begin;

	broker_process_start(&impatient, "--override",
	    "connections.max.idle.ms=300", NULL);
	raw_client_init(&client, &impatient);
	(void)api_versions(&client);
	begin = clock_monotonic_ms();
	raw_client_expect_close(&client);
	assert_true(clock_monotonic_ms() - begin >= IDLE_MS * 9 / 10);
	raw_client_fini(&client);
	broker_process_fini(&impatient);
}

static void
test_connections_of_one_address_have_a_limit(void **state UNUSED)
{
	struct raw_client clients[3];
	struct broker_process narrow;

	broker_process_start(&narrow, "--override",
	    "max.connections.per.ip=2", NULL);
	for (size_t i = 0; i < 2; i++) {
		raw_client_init(&clients[i], &narrow);
		(void)api_versions(&clients[i]);
	}
	raw_client_init(&clients[2], &narrow);
	raw_client_expect_close(&clients[2]);
	assert_true(broker_process_logged(&narrow, "Rejected connection from"));
	(void)api_versions(&clients[0]);
	for (size_t i = 0; i < 3; i++)
		raw_client_fini(&clients[i]);
	broker_process_fini(&narrow);
}

static void
set_cluster_config(struct raw_client *client, const char *key,
    const char *value)
{
	struct kp_incremental_alter_configs_request_config config = {
		.name = slice_str(key),
		.value = slice_str(value),
	};
	struct kp_incremental_alter_configs_request_resource resource = {
		.resource_type = 4,
		.resource_name = slice_str(""),
		.configs = &config,
		.configs_count = 1,
	};
	const struct kp_incremental_alter_configs_request body = {
		.resources = &resource,
		.resources_count = 1,
	};
	const struct kp_incremental_alter_configs_response *response =
	    raw_client_call(client, KP_INCREMENTAL_ALTER_CONFIGS_KEY, 1,
		&body);

	assert_int_equal(response->responses[0].error_code, KP_NONE);
}

static void
expect_a_second_connection(const struct broker_process *narrow, bool served)
{
	struct raw_client client;

	raw_client_init(&client, narrow);
	if (served)
		(void)api_versions(&client);
	else
		raw_client_expect_close(&client);
	raw_client_fini(&client);
}

/* What can be changed while the broker runs is in force with the answer. */
static void
test_limits_change_while_it_runs(void **state UNUSED)
{
	struct raw_client client;
	struct broker_process narrow;

	broker_process_start(&narrow, "--override",
	    "max.connections.per.ip=1", NULL);
	raw_client_init(&client, &narrow);
	(void)api_versions(&client);
	expect_a_second_connection(&narrow, false);
	set_cluster_config(&client, "max.connections.per.ip", "2");
	expect_a_second_connection(&narrow, true);
	set_cluster_config(&client, "max.connections.per.ip.overrides",
	    "127.0.0.1:1");
	raw_client_fini(&client);
	broker_process_stop(&narrow);
	broker_process_restart(&narrow);
	raw_client_init(&client, &narrow);
	(void)api_versions(&client);
	expect_a_second_connection(&narrow, false);
	raw_client_fini(&client);
	broker_process_fini(&narrow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_impossible_sizes_close),
		cmocka_unit_test(test_frames_without_a_header_close),
		cmocka_unit_test(test_other_protocols_close),
		cmocka_unit_test(test_the_limit_is_inclusive),
		cmocka_unit_test(test_unknown_keys_close),
		cmocka_unit_test(test_versions_out_of_range_close),
		cmocka_unit_test(test_produce_is_advertised_from_zero),
		cmocka_unit_test(test_all_that_is_advertised_answers),
		cmocka_unit_test(test_api_versions_of_each_version),
		cmocka_unit_test(test_api_versions_falls_back),
		cmocka_unit_test(test_client_software),
		cmocka_unit_test(test_bodies_that_do_not_parse_close),
		cmocka_unit_test(test_unknown_tagged_fields_are_skipped),
		cmocka_unit_test(test_bytes_behind_the_body_are_ignored),
		cmocka_unit_test(test_null_client_id),
		cmocka_unit_test(test_strings_have_a_limit),
		cmocka_unit_test(test_frames_in_pieces),
		cmocka_unit_test(test_frames_cut_anywhere),
		cmocka_unit_test(test_clients_that_leave_in_a_frame),
		cmocka_unit_test(test_replies_come_in_order),
		cmocka_unit_test(test_acks_0_is_silent),
		cmocka_unit_test(test_acks_0_that_fails_closes),
		cmocka_unit_test(test_idle_connections_are_closed),
		cmocka_unit_test(test_connections_of_one_address_have_a_limit),
		cmocka_unit_test(test_limits_change_while_it_runs),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
