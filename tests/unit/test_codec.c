/* What the golden messages do not show: hostile input, limits, defaults. */
#include "unit/unit.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/describe_topic_partitions.h"
#include "wire/generated/fetch.h"
#include "wire/generated/group_consumer_group_member_metadata.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/metadata.h"
#include "wire/generated/request_header.h"
#include "wire/generated/response_header.h"
#include "wire/generated/sasl_authenticate.h"
#include "wire/json.h"
#include "wire/output.h"

static struct arena arena;

static int
setup(void **state UNUSED)
{
	arena_init(&arena, 16 << 20);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	arena_reset(&arena);
	return 0;
}

/* The message as one piece of memory. */
static struct slice
encoded(const struct kp_message *m, int version, const void *body)
{
	struct output out;

	output_init(&out, &arena);
	assert_int_equal(kp_encode(m, version, body, &out), 0);
	assert_int_equal(out.count, 1);
	assert_int_equal(out.len, kp_size(m, version, body));
	return slice_of(out.pieces[0].data, out.len);
}

static void
assert_bytes(struct slice s, const char *hex)
{
	assert_int_equal(s.len * 2, strlen(hex));
	for (size_t i = 0; i < s.len; i++) {
		char text[3];

		snprintf(text, sizeof(text), "%02x", s.data[i]);
		assert_memory_equal(text, hex + 2 * i, 2);
	}
}

/* --- Decoding ------------------------------------------------------------ */

/* Metadata 9 begins with the compact array of topics, each a name and tags. */
static int
decode_metadata(const uint8_t *data, size_t len)
{
	struct kp_metadata_request body;

	return kp_decode(&kp_metadata_request, 9, slice_of(data, len), &arena,
	    &body);
}

static void
test_count_beyond_the_bytes(void **state UNUSED)
{
	/* 2^31 - 2 topics; then three, though six bytes hold only two. */
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0 };
	static const uint8_t three[] = { 4, 1, 0, 1, 0, 0, 0 };
	static const uint8_t negative[] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 0 };

	assert_int_equal(decode_metadata(huge, sizeof(huge)), -1);
	assert_int_equal(arena.size_bytes, 0);
	assert_int_equal(decode_metadata(three, sizeof(three)), -1);
	assert_int_equal(decode_metadata(negative, sizeof(negative)), -1);
}

static void
test_varint_too_long(void **state UNUSED)
{
	static const uint8_t bytes[] = { 0x81, 0x80, 0x80, 0x80, 0x80, 0, 0 };

	assert_int_equal(decode_metadata(bytes, sizeof(bytes)), -1);
}

static struct slice
sample_fetch_request(int version)
{
	struct kp_fetch_request body;
	static int32_t partitions[] = { 1, 2 };

	kp_defaults(&kp_fetch_request, &body);
	body.cluster_id = SLICE_LITERAL("cluster");
	body.replica_state.replica_id = 7;
	body.topics = kp_array(&arena, &kp_fetch_request_topic_struct, 2);
	body.topics_count = 2;
	body.topics[1].topic = SLICE_LITERAL("t");
	body.topics[1].partitions = kp_array(&arena,
	    &kp_fetch_request_partition_struct, 1);
	body.topics[1].partitions_count = 1;
	body.forgotten_topics_data = kp_array(&arena,
	    &kp_fetch_request_forgotten_topic_struct, 1);
	body.forgotten_topics_data_count = 1;
	body.forgotten_topics_data[0].partitions = partitions;
	body.forgotten_topics_data[0].partitions_count = 2;
	return encoded(&kp_fetch_request, version, &body);
}

static void
test_every_truncation_fails(void **state UNUSED)
{
	struct kp_fetch_request body;

	for (int version = 4; version <= 18; version++) {
		struct slice whole = sample_fetch_request(version);

		for (size_t len = 0; len < whole.len; len++)
			assert_int_equal(kp_decode(&kp_fetch_request, version,
			    slice_of(whole.data, len), &arena, &body), -1);
		assert_int_equal(kp_decode(&kp_fetch_request, version, whole,
		    &arena, &body), 0);
		assert_int_equal(body.topics_count, 2);
	}
}

static void
test_bytes_left_over(void **state UNUSED)
{
	struct slice s = sample_fetch_request(12);
	struct kp_fetch_request body;
	uint8_t *longer = arena_xalloc(&arena, s.len + 1);
	size_t used = 0;

	memcpy(longer, s.data, s.len);
	longer[s.len] = 0;
	assert_int_equal(kp_decode(&kp_fetch_request, 12,
	    slice_of(longer, s.len + 1), &arena, &body), -1);
	assert_int_equal(kp_decode_prefix(&kp_fetch_request, 12,
	    slice_of(longer, s.len + 1), &arena, &body, &used), 0);
	assert_int_equal(used, s.len);
}

static void
test_version_out_of_range(void **state UNUSED)
{
	struct slice s = sample_fetch_request(18);
	struct kp_fetch_request body;

	assert_int_equal(kp_decode(&kp_fetch_request, 3, s, &arena, &body),
	    -1);
	assert_int_equal(kp_decode(&kp_fetch_request, 19, s, &arena, &body),
	    -1);
}

static void
test_arena_cap(void **state UNUSED)
{
	struct slice s = sample_fetch_request(12);
	struct kp_fetch_request body;
	struct arena small;

	arena_init(&small, 64);
	assert_int_equal(kp_decode(&kp_fetch_request, 12, s, &small, &body),
	    -1);
	arena_reset(&small);
}

/* The header's client id, behind key, version and correlation id. */
static int
decode_client_id(const uint8_t *tail, size_t len, struct slice *client_id)
{
	uint8_t bytes[16] = { 0, 18, 0, 0, 0, 0, 0, 1 };
	struct kp_request_header header;
	size_t used;

	memcpy(bytes + 8, tail, len);
	if (kp_decode_request_header(slice_of(bytes, 8 + len), &arena, &header,
	    &used) != 0)
		return -1;
	*client_id = header.client_id;
	return 0;
}

static void
test_null_strings(void **state UNUSED)
{
	static const uint8_t null[] = { 0xff, 0xff };
	static const uint8_t below[] = { 0x80, 0 };
	static const uint8_t empty[] = { 0, 0 };
	static const uint8_t heartbeat[] = { 0xff, 0xff, 0, 0, 0, 1, 0, 0 };
	struct kp_heartbeat_request body;
	struct slice s = SLICE_LITERAL("x");

	assert_int_equal(decode_client_id(null, 2, &s), 0);
	assert_true(slice_is_null(s));
	s = SLICE_LITERAL("x");
	assert_int_equal(decode_client_id(below, 2, &s), 0);
	assert_true(slice_is_null(s));
	assert_int_equal(decode_client_id(empty, 2, &s), 0);
	assert_false(slice_is_null(s));
	assert_int_equal(s.len, 0);
	/* A group id must not be null. */
	assert_int_equal(kp_decode(&kp_heartbeat_request, 0,
	    slice_of(heartbeat, sizeof(heartbeat)), &arena, &body), -1);
}

/* A Heartbeat 4 whose group id has len bytes. */
static int
decode_group_id(size_t len)
{
	uint8_t *bytes = arena_xcalloc(&arena, 1, len + 16);
	struct kp_heartbeat_request body;
	size_t used = uvarint_put(bytes, (uint32_t)len + 1) + len;

	/* Generation, an empty member id, a null instance id, no tags. */
	used += 4;
	bytes[used] = 1;
	return kp_decode(&kp_heartbeat_request, 4, slice_of(bytes, used + 3),
	    &arena, &body);
}

static void
test_string_limit(void **state UNUSED)
{
	assert_int_equal(decode_group_id(0), 0);
	assert_int_equal(decode_group_id(32767), 0);
	assert_int_equal(decode_group_id(32768), -1);
}

/* A response header 1 with count unknown tags of size bytes each. */
static int
decode_tags(uint32_t count, uint32_t size)
{
	uint8_t *bytes = arena_xcalloc(&arena, 1,
	    16 + (size_t)count * (size + 8));
	struct kp_response_header header;
	uint8_t *p = bytes + 4;

	p += uvarint_put(p, count);
	for (uint32_t i = 0; i < count; i++) {
		p += uvarint_put(p, 100 + i);
		p += uvarint_put(p, size);
		p += size;
	}
	return kp_decode(&kp_response_header, 1,
	    slice_of(bytes, (size_t)(p - bytes)), &arena, &header);
}

static void
test_unknown_tags(void **state UNUSED)
{
	assert_int_equal(decode_tags(64, 3), 0);
	assert_int_equal(decode_tags(65, 3), -1);
	assert_int_equal(decode_tags(1, 65536), 0);
	assert_int_equal(decode_tags(1, 65537), -1);
}

/* Fetch 15 has its replica's id and epoch in tag 1, at the very end. */
static void
test_known_tag_of_wrong_size(void **state UNUSED)
{
	struct kp_fetch_request body;
	struct slice s;
	uint8_t *bytes;

	kp_defaults(&kp_fetch_request, &body);
	body.replica_state.replica_id = 7;
	s = encoded(&kp_fetch_request, 15, &body);
	bytes = arena_xcalloc(&arena, 1, s.len + 1);
	memcpy(bytes, s.data, s.len);
	assert_int_equal(bytes[s.len - 14], 13);
	assert_int_equal(kp_decode(&kp_fetch_request, 15,
	    slice_of(bytes, s.len), &arena, &body), 0);
	assert_int_equal(body.replica_state.replica_id, 7);
	bytes[s.len - 14] = 12;
	assert_int_equal(kp_decode(&kp_fetch_request, 15,
	    slice_of(bytes, s.len), &arena, &body), -1);
	bytes[s.len - 14] = 14;
	assert_int_equal(kp_decode(&kp_fetch_request, 15,
	    slice_of(bytes, s.len + 1), &arena, &body), -1);
}

/* --- Defaults and encoding ---------------------------------------------- */

static void
test_defaults(void **state UNUSED)
{
	struct kp_fetch_request_partition *partitions;
	struct kp_fetch_request request;
	struct kp_metadata_request metadata;
	struct kp_fetch_response response;

	memset(&request, 0xaa, sizeof(request));
	kp_defaults(&kp_fetch_request, &request);
	assert_true(slice_is_null(request.cluster_id));
	assert_int_equal(request.replica_id, -1);
	assert_int_equal(request.replica_state.replica_epoch, -1);
	assert_int_equal(request.max_bytes, INT32_MAX);
	assert_int_equal(request.topics_count, 0);
	assert_false(slice_is_null(request.rack_id));
	kp_defaults(&kp_metadata_request, &metadata);
	assert_int_equal(metadata.topics_count, 0);
	assert_true(metadata.allow_auto_topic_creation);
	kp_defaults(&kp_fetch_response, &response);
	assert_int_equal(response.node_endpoints_count, 0);
	partitions = kp_array(&arena, &kp_fetch_request_partition_struct, 2);
	assert_int_equal(partitions[1].high_watermark, INT64_MAX);
	assert_int_equal(partitions[1].current_leader_epoch, -1);
	assert_null(kp_array(&arena, &kp_fetch_request_partition_struct, -1));
}

/* What a version cannot say is left out or written as empty. */
static void
test_null_where_it_is_not_allowed(void **state UNUSED)
{
	struct kp_heartbeat_request body;
	struct kp_metadata_request metadata;

	memset(&body, 0, sizeof(body));
	assert_bytes(encoded(&kp_heartbeat_request, 0, &body),
	    "0000" "00000000" "0000");
	assert_bytes(encoded(&kp_heartbeat_request, 4, &body),
	    "01" "00000000" "01" "00" "00");
	kp_defaults(&kp_metadata_request, &metadata);
	metadata.topics_count = -1;
	assert_bytes(encoded(&kp_metadata_request, 0, &metadata), "00000000");
	assert_bytes(encoded(&kp_metadata_request, 1, &metadata), "ffffffff");
}

static void
test_long_text_is_cut(void **state UNUSED)
{
	static uint8_t text[40000];
	struct kp_sasl_authenticate_response body;
	struct slice s;

	kp_defaults(&kp_sasl_authenticate_response, &body);
	body.error_message = slice_of(text, sizeof(text));
	s = encoded(&kp_sasl_authenticate_response, 0, &body);
	assert_int_equal(s.len, 2 + 2 + 32767 + 4);
	assert_int_equal(be16_get(s.data + 2), 32767);
}

static void
test_tagged_struct(void **state UNUSED)
{
	struct kp_fetch_response_partition p;
	struct kp_fetch_response_topic topic;
	struct kp_fetch_response body;
	size_t without;

	kp_defaults(&kp_fetch_response, &body);
	kp_defaults_struct(&kp_fetch_response_topic_struct, &topic);
	kp_defaults_struct(&kp_fetch_response_partition_struct, &p);
	body.responses = &topic;
	body.responses_count = 1;
	topic.partitions = &p;
	topic.partitions_count = 1;
	without = kp_size(&kp_fetch_response, 12, &body);
	p.diverging_epoch.epoch = 3;
	/* Tag, size, epoch, end offset, no tags inside. */
	assert_int_equal(kp_size(&kp_fetch_response, 12, &body),
	    without + 1 + 1 + 4 + 8 + 1);
}

static void
test_nullable_structs(void **state UNUSED)
{
	struct kp_describe_topic_partitions_request_cursor cursor;
	struct kp_describe_topic_partitions_request body;
	struct kp_consumer_group_member_metadata_value value;
	size_t without;

	kp_defaults(&kp_describe_topic_partitions_request, &body);
	assert_null(body.cursor);
	without = kp_size(&kp_describe_topic_partitions_request, 0, &body);
	kp_defaults_struct(&kp_describe_topic_partitions_request_cursor_struct,
	    &cursor);
	body.cursor = &cursor;
	assert_int_equal(kp_size(&kp_describe_topic_partitions_request, 0,
	    &body), without + 1 + 4 + 1);
	/* Here the default is a struct, and null has to be said. */
	kp_defaults(&kp_consumer_group_member_metadata_value, &value);
	assert_non_null(value.classic_member_metadata);
	without = kp_size(&kp_consumer_group_member_metadata_value, 0, &value);
	value.classic_member_metadata = NULL;
	assert_int_equal(kp_size(&kp_consumer_group_member_metadata_value, 0,
	    &value), without + 3);
}

static void
test_extents(void **state UNUSED)
{
	static const struct kp_extent extents[] = {
		{ 5, 100, 50 }, { 5, 150, 10 }, { 6, 0, 40 },
	};
	struct kp_fetch_response_partition p;
	struct kp_fetch_response_topic topic;
	struct kp_fetch_response body;
	struct output out;

	kp_defaults(&kp_fetch_response, &body);
	kp_defaults_struct(&kp_fetch_response_topic_struct, &topic);
	kp_defaults_struct(&kp_fetch_response_partition_struct, &p);
	body.responses = &topic;
	body.responses_count = 1;
	topic.partitions = &p;
	topic.partitions_count = 1;
	p.records.extents = extents;
	p.records.extents_count = 3;
	p.records.len = 100;
	output_init(&out, &arena);
	assert_int_equal(kp_encode_response(kp_api_find(KP_FETCH_KEY), 12, 9,
	    &body, &out), 0);
	/* Neighbouring extents are joined; the tags come last. */
	assert_int_equal(out.count, 4);
	assert_int_equal(out.pieces[1].fd, 5);
	assert_int_equal(out.pieces[1].position, 100);
	assert_int_equal(out.pieces[1].len, 60);
	assert_int_equal(out.pieces[2].fd, 6);
	assert_int_equal(out.pieces[2].len, 40);
	assert_int_equal(out.pieces[3].len, 3);
	assert_int_equal(be32_get(out.pieces[0].data), out.len - 4);
	assert_int_equal(be32_get(out.pieces[0].data + 4), 9);
	assert_int_equal(out.len,
	    4 + 5 + kp_size(&kp_fetch_response, 12, &body));
	/* The compact length in front of the records. */
	assert_int_equal(out.pieces[0].data[out.pieces[0].len - 1], 101);
}

static void
test_encode_beyond_the_cap(void **state UNUSED)
{
	struct kp_sasl_authenticate_request body = {
		.auth_bytes = SLICE_LITERAL("0123456789012345678901234567890")
	};
	struct arena small;
	struct output out;

	arena_init(&small, 16);
	output_init(&out, &small);
	assert_int_equal(kp_encode(&kp_sasl_authenticate_request, 0, &body,
	    &out), -1);
	arena_reset(&small);
}

/*
 * An answer of any length is whole, with or without room for a guess at it, and
 * takes no more memory than it has bytes.
 */
static void
test_lengths_around_the_guess(void **state UNUSED)
{
	static uint8_t text[600];
	struct kp_sasl_authenticate_request body;
	struct output out;
	struct arena own;

	kp_defaults(&kp_sasl_authenticate_request, &body);
	for (size_t len = 480; len < 540; len++) {
		for (size_t i = 0; i < len; i++)
			text[i] = (uint8_t)(len + i);
		body.auth_bytes = slice_of(text, len);
		arena_init(&own, (len + 4 + 15) / 16 * 16 + 128);
		output_init(&out, &own);
		assert_int_equal(kp_encode(&kp_sasl_authenticate_request, 0,
		    &body, &out), 0);
		assert_int_equal(out.count, 1);
		assert_int_equal(out.len, len + 4);
		assert_int_equal(be32_get(out.pieces[0].data), len);
		assert_memory_equal(out.pieces[0].data + 4, text, len);
		arena_reset(&own);

		arena_init(&own, 100000);
		output_init(&out, &own);
		assert_int_equal(kp_encode(&kp_sasl_authenticate_request, 0,
		    &body, &out), 0);
		assert_memory_equal(out.pieces[0].data + 4, text, len);
		assert_true(own.size_bytes <= len + 4 + 15 + 16 + 128);
		arena_reset(&own);
	}
}

/*
 * What goes into a record is the same bytes behind its prefix, of any length,
 * where there is room for them, and takes no more memory.
 */
static void
test_prefixed(void **state UNUSED)
{
	static uint8_t text[600];
	struct kp_sasl_authenticate_request body;
	struct arena own;
	struct slice plain, prefixed;

	kp_defaults(&kp_sasl_authenticate_request, &body);
	for (size_t len = 0; len < sizeof(text); len += len < 480 ? 97 : 1) {
		body.auth_bytes = slice_of(text, len);
		memset(text, (int)len, len);
		plain = encoded(&kp_sasl_authenticate_request, 0, &body);
		arena_init(&own, (2 + plain.len + 15) / 16 * 16);
		prefixed = kp_encode_prefixed(
		    &own, -2, &kp_sasl_authenticate_request, 0, &body);
		assert_int_equal(prefixed.len, 2 + plain.len);
		assert_int_equal(be16_get(prefixed.data), 0xfffe);
		assert_memory_equal(prefixed.data + 2, plain.data, plain.len);
		arena_reset(&own);

		arena_init(&own, (2 + plain.len) / 16 * 16);
		if (own.size_bytes_max < 2 + plain.len)
			assert_true(slice_is_null(kp_encode_prefixed(&own, -2,
			    &kp_sasl_authenticate_request, 0, &body)));
		arena_reset(&own);
	}
}

/* --- Frames and tables --------------------------------------------------- */

static void
test_request_frame(void **state UNUSED)
{
	const struct kp_api *api = kp_api_find(KP_API_VERSIONS_KEY);
	struct kp_api_versions_request body;
	struct kp_request_header header;
	struct output out;
	struct slice frame;
	size_t used;

	kp_defaults(api->request, &body);
	output_init(&out, &arena);
	assert_int_equal(kp_encode_request(api, 3, 77, slice_str("me"), &body,
	    &out), 0);
	assert_int_equal(out.count, 1);
	frame = slice_of(out.pieces[0].data, out.len);
	assert_bytes(frame, "00000010" "0012" "0003" "0000004d"
	    "0002" "6d65" "00" "01" "01" "00");
	frame = slice_of(frame.data + 4, frame.len - 4);
	assert_int_equal(kp_decode_request_header(frame, &arena, &header,
	    &used), 0);
	assert_int_equal(used, 13);
	assert_int_equal(header.correlation_id, 77);
	assert_true(slice_equal_str(header.client_id, "me"));
}

static void
test_request_header_of_no_api(void **state UNUSED)
{
	static const uint8_t keys[][2] = {
		{ 0, 4 }, { 0, 7 }, { 0, 93 }, { 0xff, 0xff }, { 0x7f, 0xff },
	};
	uint8_t bytes[10] = { 0 };
	struct kp_request_header header;
	size_t used;

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		memcpy(bytes, keys[i], 2);
		assert_int_equal(kp_decode_request_header(slice_of(bytes, 10),
		    &arena, &header, &used), -1);
	}
	memset(bytes, 0, 2);
	assert_int_equal(kp_decode_request_header(slice_of(bytes, 10), &arena,
	    &header, &used), 0);
	assert_int_equal(kp_decode_request_header(slice_of(bytes, 3), &arena,
	    &header, &used), -1);
}

static void
test_header_versions(void **state UNUSED)
{
	const struct kp_api *fetch = kp_api_find(KP_FETCH_KEY);
	const struct kp_api *versions = kp_api_find(KP_API_VERSIONS_KEY);

	assert_int_equal(kp_request_header_version(fetch, 11), 1);
	assert_int_equal(kp_request_header_version(fetch, 12), 2);
	assert_int_equal(kp_response_header_version(fetch, 11), 0);
	assert_int_equal(kp_response_header_version(fetch, 12), 1);
	assert_int_equal(kp_request_header_version(versions, 100), 2);
	assert_int_equal(kp_response_header_version(versions, 4), 0);
}

static void
test_tables(void **state UNUSED)
{
	const struct kp_record *record;

	assert_string_equal(kp_api_find(KP_FETCH_KEY)->name, "Fetch");
	assert_int_equal(kp_api_find(22)->version_max_stable, 5);
	assert_int_equal(kp_api_find(22)->request->version_max, 6);
	for (int key = 0; key <= kp_api_key_max; key++) {
		const struct kp_api *api = kp_api_find(key);

		if (api == NULL)
			continue;
		assert_int_equal(api->request->key, key);
		assert_int_equal(api->response->key, key);
		assert_int_equal(api->request->flexible_min,
		    api->response->flexible_min);
	}
	record = kp_record_find(KP_LOG_GROUP, 5);
	assert_ptr_equal(record->value,
	    &kp_consumer_group_member_metadata_value);
	assert_string_equal(record->key->name,
	    "ConsumerGroupMemberMetadataKey");
	record = kp_record_find(KP_LOG_METADATA, 2);
	assert_null(record->key);
	assert_string_equal(record->value->name, "TopicRecord");
	assert_null(kp_record_find(KP_LOG_METADATA, 13));
	assert_null(kp_message_find("StopReplicaRequest"));
}

static void
test_errors(void **state UNUSED)
{
	assert_string_equal(kp_error_name(KP_NONE), "NONE");
	assert_string_equal(kp_error_name(-1), "UNKNOWN_SERVER_ERROR");
	assert_string_equal(kp_error_name(KP_ERROR_MAX),
	    "SHARE_SESSION_LIMIT_REACHED");
	assert_string_equal(kp_error_name(KP_ERROR_MAX + 1),
	    "UNKNOWN_SERVER_ERROR");
	assert_true(kp_error_is_retriable(KP_NOT_LEADER_OR_FOLLOWER));
	assert_true(kp_error_is_retriable(KP_NOT_COORDINATOR));
	assert_false(kp_error_is_retriable(KP_INVALID_RECORD));
	assert_false(kp_error_is_retriable(KP_NONE));
	for (int code = -1; code <= KP_ERROR_MAX; code++) {
		assert_non_null(kp_error_name(code));
		assert_true(strlen(kp_error_message(code)) > 0);
	}
}

/* --- JSON ---------------------------------------------------------------- */

static int
read_heartbeat(const char *text, const char **where)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);
	struct kp_heartbeat_request body;
	int result;

	assert_non_null(json);
	result = kp_json_read(&kp_heartbeat_request, 0, json, &arena, &body,
	    where);
	json_decref(json);
	return result;
}

static void
test_json_read_errors(void **state UNUSED)
{
	const char *where = NULL;

	assert_int_equal(read_heartbeat("{\"groupId\":\"g\","
	    "\"generationId\":1,\"memberId\":\"m\",\"other\":1}", &where), 0);
	assert_int_equal(read_heartbeat("{\"groupId\":\"g\","
	    "\"generationId\":2147483648,\"memberId\":\"m\"}", &where), -1);
	assert_string_equal(where, "generationId");
	assert_int_equal(read_heartbeat("{\"groupId\":null,"
	    "\"generationId\":1,\"memberId\":\"m\"}", &where), -1);
	assert_string_equal(where, "groupId");
	assert_int_equal(read_heartbeat("{\"groupId\":\"g\","
	    "\"generationId\":1}", &where), -1);
	assert_string_equal(where, "memberId");
	assert_int_equal(read_heartbeat("[]", &where), -1);
}

static void
test_json_of_bad_utf8(void **state UNUSED)
{
	struct kp_heartbeat_request body;
	char *text;

	kp_defaults(&kp_heartbeat_request, &body);
	body.group_id = SLICE_LITERAL("a\xff\xc3-");
	text = kp_json_dump(&kp_heartbeat_request, 0, &body);
	assert_string_equal(text, "{\"groupId\":\"a?\?-\","
	    "\"generationId\":0,\"memberId\":\"\"}");
	free(text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_count_beyond_the_bytes),
		CASE(test_varint_too_long),
		CASE(test_every_truncation_fails),
		CASE(test_bytes_left_over),
		CASE(test_version_out_of_range),
		CASE(test_arena_cap),
		CASE(test_null_strings),
		CASE(test_string_limit),
		CASE(test_unknown_tags),
		CASE(test_known_tag_of_wrong_size),
		CASE(test_defaults),
		CASE(test_null_where_it_is_not_allowed),
		CASE(test_long_text_is_cut),
		CASE(test_tagged_struct),
		CASE(test_nullable_structs),
		CASE(test_extents),
		CASE(test_encode_beyond_the_cap),
		CASE(test_lengths_around_the_guess),
		CASE(test_prefixed),
		CASE(test_request_frame),
		CASE(test_request_header_of_no_api),
		CASE(test_header_versions),
		CASE(test_tables),
		CASE(test_errors),
		CASE(test_json_read_errors),
		CASE(test_json_of_bad_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
