#include "bench/frames.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "wire/batch.h"
#include "wire/batch_builder.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/fetch.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/list_offsets.h"
#include "wire/generated/metadata.h"
#include "wire/generated/produce.h"
#include "wire/output.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_BYTES_MAX (256u << 20)
#define WAIT_S 120
/* What follows the offset in a Fetch frame of version 11. */
#define FETCH_TAIL_LEN (8 + 8 + 4 + 4 + 2)

void
die(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* --- Encoding ------------------------------------------------------------ */

void
frame_encode(struct buf *out, int key, int version, const void *body)
{
	struct arena arena;
	struct output output;

	arena_init(&arena, FRAME_BYTES_MAX);
	output_init(&output, &arena);
	if (kp_encode_request(kp_api_find(key), version, 0,
		SLICE_LITERAL("replay"), body, &output) != 0)
		die("a request does not fit");
	buf_init(out, FRAME_BYTES_MAX);
	for (int32_t i = 0; i < output.count; i++)
		if (buf_append(
			out, output.pieces[i].data, output.pieces[i].len) != 0)
			die("a request does not fit");
	arena_reset(&arena);
}

/* Half noise, half the same letter: what logs and JSON compress to. */
static uint8_t *
make_value(size_t len)
{
	static uint64_t state = 0x9e3779b97f4a7c15;
	uint8_t *value = xmalloc(len + 1);

	memset(value, 'k', len);
	for (size_t i = 0; i < len; i += 2) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		value[i] = (uint8_t)(state >> 56);
	}
	return value;
}

static void
build_batch(struct buf *out, struct load *load)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	uint8_t *value = make_value(load->record_bytes);
	struct slice bytes = slice_of(value, load->record_bytes);
	struct batch_builder builder;
	int64_t now = clock_wall_ms();
	int count = 0;

	options.codec = load->codec;
	batch_builder_init(&builder, &options, out);
	do {
		if (batch_builder_add(&builder, now, SLICE_NULL, bytes) != 0)
			die("the batch does not fit");
		count++;
	} while (load->batch_bytes > 0 ?
		batch_builder_size_bytes(&builder) + load->record_bytes + 12 <=
		    load->batch_bytes :
		count < load->records);
	load->records = count;
	if (batch_builder_finish(&builder) != 0)
		die("the batch does not fit");
	free(value);
}

size_t
frame_produce(struct buf *out, struct load *load, int partition)
{
	struct kp_produce_request_partition data = { .index = partition };
	struct kp_produce_request_topic topic = { .name =
						      slice_str(load->topic),
		.partition_data = &data,
		.partition_data_count = 1 };
	struct kp_produce_request body = { .acks = load->acks,
		.timeout_ms = 30000,
		.topic_data = &topic,
		.topic_data_count = 1 };
	struct buf batch;
	size_t size;

	buf_init(&batch, FRAME_BYTES_MAX);
	build_batch(&batch, load);
	data.records.bytes = buf_slice(&batch);
	frame_encode(out, KP_PRODUCE_KEY, 7, &body);
	size = batch.len;
	buf_fini(&batch);
	return size;
}

void
frame_fetch(
    struct buf *out, const struct load *load, int partition, int32_t max_bytes)
{
	struct kp_fetch_request_partition data = { .partition = partition,
		.current_leader_epoch = -1,
		.log_start_offset = -1,
		.partition_max_bytes = max_bytes };
	struct kp_fetch_request_topic topic = { .topic = slice_str(load->topic),
		.partitions = &data,
		.partitions_count = 1 };
	struct kp_fetch_request body = { .replica_id = -1,
		.max_wait_ms = 500,
		.min_bytes = 1,
		.max_bytes = max_bytes,
		.session_epoch = -1,
		.topics = &topic,
		.topics_count = 1,
		.rack_id = SLICE_LITERAL("") };

	frame_encode(out, KP_FETCH_KEY, 11, &body);
}

void
frame_fetch_from(struct buf *frame, int64_t offset)
{
	be64_put(frame->data + frame->len - FETCH_TAIL_LEN, (uint64_t)offset);
}

/* --- Answers at fixed places --------------------------------------------- */

/* Take len bytes from the answer, which has them. */
static const uint8_t *
take(struct slice *answer, size_t len)
{
	const uint8_t *data = answer->data;

	if (answer->len < len)
		die("an answer is cut off");
	answer->data += len;
	answer->len -= len;
	return data;
}

/* Behind the one topic's name and the count of its one partition. */
static void
enter_topic(struct slice *answer)
{
	if (be32_get(take(answer, 4)) != 1)
		die("an answer has not one topic");
	take(answer, be16_get(take(answer, 2)));
	if (be32_get(take(answer, 4)) != 1)
		die("an answer has not one partition");
}

int
frame_produce_error(struct slice answer)
{
	take(&answer, 4);
	enter_topic(&answer);
	take(&answer, 4);
	return (int16_t)be16_get(take(&answer, 2));
}

void
frame_fetched(struct slice answer, struct fetched *fetched)
{
	int32_t count;

	memset(fetched, 0, sizeof(*fetched));
	take(&answer, 4 + 4);
	fetched->error = (int16_t)be16_get(take(&answer, 2));
	if (fetched->error != 0)
		return;
	take(&answer, 4);
	enter_topic(&answer);
	take(&answer, 4);
	fetched->error = (int16_t)be16_get(take(&answer, 2));
	fetched->high_watermark = (int64_t)be64_get(take(&answer, 8));
	take(&answer, 8 + 8);
	count = (int32_t)be32_get(take(&answer, 4));
	take(&answer, count > 0 ? (size_t)count * 16 : 0);
	take(&answer, 4);
	count = (int32_t)be32_get(take(&answer, 4));
	fetched->records.len = count > 0 ? (size_t)count : 0;
	fetched->records.data = take(&answer, fetched->records.len);
}

/* --- Asking and waiting -------------------------------------------------- */

int
broker_connect(const struct broker *broker)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(broker->port) };
	struct timeval wait = { .tv_sec = WAIT_S };
	int fd, on = 1;

	if (inet_pton(AF_INET, broker->host, &address.sin_addr) != 1)
		die("%s: not an IPv4 address", broker->host);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

int
broker_must_connect(const struct broker *broker)
{
	int fd = broker_connect(broker);

	if (fd < 0)
		die("%s:%u: %s", broker->host, broker->port, strerror(errno));
	return fd;
}

static bool
receive(int fd, void *to, size_t len)
{
	return recv(fd, to, len, MSG_WAITALL) == (ssize_t)len;
}

/* Send the request; the answer behind its correlation id, in *answer. */
static bool
ask(int fd, struct buf *request, struct buf *answer)
{
	uint8_t len[4];
	uint8_t *to;

	buf_clear(answer);
	if (send(fd, request->data, request->len, MSG_NOSIGNAL) !=
		(ssize_t)request->len ||
	    !receive(fd, len, sizeof(len)))
		return false;
	to = buf_reserve(answer, be32_get(len));
	if (to == NULL || be32_get(len) < 4)
		die("an answer says it has %u bytes", be32_get(len));
	answer->len = be32_get(len);
	return receive(fd, to, answer->len);
}

void
frame_decode(int key, int version, struct slice answer, void *response,
    struct arena *arena)
{
	const struct kp_api *api = kp_api_find(key);

	take(&answer, kp_response_header_version(api, version) > 0 ? 5 : 4);
	if (kp_decode(api->response, version, arena_copy(arena, answer), arena,
		response) != 0)
		die("%s: the answer cannot be read", api->name);
}

bool
broker_call(int fd, int key, int version, const void *request, void *response,
    struct arena *arena)
{
	struct buf frame, answer;
	bool alive;

	frame_encode(&frame, key, version, request);
	buf_init(&answer, FRAME_BYTES_MAX);
	alive = ask(fd, &frame, &answer);
	buf_fini(&frame);
	if (alive)
		frame_decode(
		    key, version, buf_slice(&answer), response, arena);
	buf_fini(&answer);
	return alive;
}

int
broker_create_topic(int fd, const struct load *load)
{
	struct kp_create_topics_request_topic topic = { .name = slice_str(
							    load->topic),
		.num_partitions = load->partitions,
		.replication_factor = 1 };
	struct kp_create_topics_request request = {
		.topics = &topic, .topics_count = 1, .timeout_ms = 60000
	};
	struct kp_create_topics_response response;
	struct arena arena;
	int error = -1;

	arena_init(&arena, FRAME_BYTES_MAX);
	if (broker_call(fd, KP_CREATE_TOPICS_KEY, 4, &request, &response, &arena))
		error = response.topics_count == 1 ?
		    response.topics[0].error_code :
		    KP_UNKNOWN_SERVER_ERROR;
	arena_reset(&arena);
	return error;
}

int
broker_delete_topic(int fd, const struct load *load)
{
	struct slice name = slice_str(load->topic);
	struct kp_delete_topics_request request = { .topic_names = &name,
		.topic_names_count = 1,
		.timeout_ms = 60000 };
	struct kp_delete_topics_response response;
	struct arena arena;
	int error = -1;

	arena_init(&arena, FRAME_BYTES_MAX);
	if (broker_call(fd, KP_DELETE_TOPICS_KEY, 3, &request, &response, &arena))
		error = response.responses_count == 1 ?
		    response.responses[0].error_code :
		    KP_UNKNOWN_SERVER_ERROR;
	arena_reset(&arena);
	return error;
}

int
broker_leaders(int fd, const struct load *load)
{
	struct kp_metadata_request_topic topic = { .name =
						       slice_str(load->topic) };
	struct kp_metadata_request request = { .topics = &topic,
		.topics_count = 1 };
	struct kp_metadata_response response;
	struct arena arena;
	int leaders = -1;

	arena_init(&arena, FRAME_BYTES_MAX);
	if (broker_call(fd, KP_METADATA_KEY, 4, &request, &response, &arena)) {
		leaders = 0;
		for (int32_t t = 0; t < response.topics_count; t++)
			for (int32_t p = 0;
			     p < response.topics[t].partitions_count; p++)
				leaders += response.topics[t]
					       .partitions[p]
					       .leader_id >= 0;
	}
	arena_reset(&arena);
	return leaders;
}

int
broker_produce(int fd, const struct load *load, int partition)
{
	struct load one = { .topic = load->topic,
		.record_bytes = 8,
		.records = 1,
		.acks = load->acks };
	struct buf frame, answer;
	int error = -1;

	frame_produce(&frame, &one, partition);
	buf_init(&answer, FRAME_BYTES_MAX);
	if (ask(fd, &frame, &answer))
		error = frame_produce_error(buf_slice(&answer));
	buf_fini(&frame);
	buf_fini(&answer);
	return error;
}

int64_t
broker_end_offset(int fd, const struct load *load, int partition)
{
	struct kp_list_offsets_request_partition data = { .partition_index =
							      partition,
		.current_leader_epoch = -1,
		.timestamp = -1 };
	struct kp_list_offsets_request_topic topic = { .name = slice_str(
							   load->topic),
		.partitions = &data,
		.partitions_count = 1 };
	struct kp_list_offsets_request request = {
		.replica_id = -1, .topics = &topic, .topics_count = 1
	};
	struct kp_list_offsets_response response;
	struct arena arena;
	int64_t offset;

	arena_init(&arena, FRAME_BYTES_MAX);
	if (!broker_call(fd, KP_LIST_OFFSETS_KEY, 2, &request, &response, &arena) ||
	    response.topics_count != 1 ||
	    response.topics[0].partitions_count != 1 ||
	    response.topics[0].partitions[0].error_code != 0)
		die("%s-%d: no end offset", load->topic, partition);
	offset = response.topics[0].partitions[0].offset;
	arena_reset(&arena);
	return offset;
}

void
broker_find_coordinator(int fd, const char *key, int8_t key_type)
{
	const struct kp_find_coordinator_request request = {
		.key = slice_str(key), .key_type = key_type
	};
	int64_t until_ms = clock_monotonic_ms() + WAIT_S * 1000;
	struct kp_find_coordinator_response response;
	struct arena arena;

	do {
		arena_init(&arena, FRAME_BYTES_MAX);
		if (!broker_call(fd, KP_FIND_COORDINATOR_KEY, 1, &request,
			&response, &arena))
			die("the connection broke");
		arena_reset(&arena);
	} while (response.error_code != KP_NONE &&
	    clock_monotonic_ms() < until_ms);
	if (response.error_code != KP_NONE)
		die("%s: no coordinator: error %d", key, response.error_code);
}

bool
coordinator_comes(int error)
{
	return error == KP_COORDINATOR_LOAD_IN_PROGRESS ||
	    error == KP_COORDINATOR_NOT_AVAILABLE || error == KP_NOT_COORDINATOR;
}

void
broker_greet(int fd)
{
	struct kp_api_versions_request request;
	struct kp_api_versions_response response;
	struct arena arena;

	arena_init(&arena, FRAME_BYTES_MAX);
	kp_defaults(&kp_api_versions_request, &request);
	if (!broker_call(fd, KP_API_VERSIONS_KEY, 0, &request, &response, &arena))
		die("the broker closed the connection");
	arena_reset(&arena);
}
