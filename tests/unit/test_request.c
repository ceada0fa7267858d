/* What a request may cost, and what becomes of one that costs too much. */
#include "unit/unit.h"

#include "unit/api_rig.h"
#include "unit/net_rig.h"

#include "api/api.h"
#include "base/budget.h"
#include "base/log.h"
#include "broker/quotas.h"
#include "wire/codec.h"
#include "wire/generated/fetch.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/list_offsets.h"

#define NAME_LEN KP_STRING_LEN_MAX
#define PARTITIONS 20000

/* --- The arena ----------------------------------------------------------- */

static struct server server;

/* A Fetch whose answer takes more than its arena has. */
static void
overdraw(struct connection_handler *handler UNUSED,
    struct connection *connection, struct slice frame UNUSED)
{
	void *session = connection_session(connection);
	struct request *request;

	/* It is none of the layer that makes requests. */
	connection_set_session(connection, NULL);
	request =
	    request_new(&server, api_find(KP_FETCH_KEY), 12, connection, 1000);
	connection_set_session(connection, session);
	exchange_begin(connection, &request->exchange);
	arena_xalloc(&request->arena, 100000);
	assert_true(budget_left(connection_budget(connection)) <
	    rig.settings.memory_max - 90000);
	request_reply(request, request_response_new(request));
}

static void
overdrawn_requests_close_the_connection(void **state UNUSED)
{
	const struct quotas_settings window = { { 11, 1000 }, { 11, 1000 } };
	struct budget *budget;
	int fd;

	server.quotas = quotas_new(&window);
	rig_init();
	rig.handler.frame = overdraw;
	rig_start();
	fd = client_open();
	budget = connection_budget(rig.connection);
	client_send_frame(fd, 'e', 10);
	client_expect_closed(fd);
	assert_int_equal(budget_left(budget), rig.settings.memory_max);
	close(fd);
	rig_stop();
	quotas_free(server.quotas);
}

/* --- Over the wire ------------------------------------------------------- */

struct setting {
	struct api_rig rig;
	struct api_client client;
	char *name;		/* longer than any topic's */
};

static int
setup(void **state)
{
	struct setting *setting = xcalloc(1, sizeof(*setting));

	log_set_level(LOG_ERROR);
	api_rig_init(&setting->rig, false);
	api_client_init(&setting->client, &setting->rig);
	setting->name = xcalloc(1, NAME_LEN + 1);
	memset(setting->name, 'n', NAME_LEN);
	*state = setting;
	return 0;
}

static int
teardown(void **state)
{
	struct setting *setting = *state;

	api_client_fini(&setting->client);
	api_rig_fini(&setting->rig);
	free(setting->name);
	free(setting);
	return 0;
}

/* 655 MB, if every partition had a copy of the name. */
static void
long_names_cost_nothing_a_partition(void **state)
{
	struct setting *setting = *state;
	struct kp_list_offsets_request_topic topic = {
		.name = slice_of(setting->name, NAME_LEN),
		.partitions_count = PARTITIONS,
	};
	struct kp_list_offsets_request body;
	struct kp_list_offsets_response *response;

	kp_defaults(&kp_list_offsets_request, &body);
	body.topics = &topic;
	body.topics_count = 1;
	topic.partitions = xcalloc(PARTITIONS, sizeof(*topic.partitions));
	for (int32_t i = 0; i < PARTITIONS; i++)
		topic.partitions[i].partition_index = i;
	response =
	    api_client_call(&setting->client, KP_LIST_OFFSETS_KEY, 7, &body);
	assert_int_equal(response->topics[0].partitions_count, PARTITIONS);
	for (int32_t i = 0; i < PARTITIONS; i++)
		assert_int_equal(response->topics[0].partitions[i].error_code,
		    KP_UNKNOWN_TOPIC_OR_PARTITION);
	free(topic.partitions);
}

static void
a_topic_listed_twice_is_one(void **state)
{
	struct setting *setting = *state;
	struct kp_list_offsets_request_partition partition = {
		.partition_index = 0, .timestamp = -1,
		.current_leader_epoch = -1,
	};
	struct kp_list_offsets_request_topic topics[3];
	struct kp_list_offsets_request body;
	struct kp_list_offsets_response *response;

	api_rig_topic(&setting->rig, "a", 1);
	api_rig_topic(&setting->rig, "b", 1);
	for (int i = 0; i < 3; i++)
		topics[i] = (struct kp_list_offsets_request_topic){
			.name = slice_str(i == 1 ? "b" : "a"),
			.partitions = &partition,
			.partitions_count = 1,
		};
	kp_defaults(&kp_list_offsets_request, &body);
	body.topics = topics;
	body.topics_count = 3;
	response =
	    api_client_call(&setting->client, KP_LIST_OFFSETS_KEY, 7, &body);
	assert_int_equal(
	    response->topics[0].partitions[0].error_code, KP_INVALID_REQUEST);
	assert_int_equal(response->topics[1].partitions[0].error_code, KP_NONE);
	assert_int_equal(response->topics[2].partitions_count, 0);
}

static void
coordinators_are_found_for_so_many(void **state)
{
	enum { KEYS = 100001 };
	struct setting *setting = *state;
	struct kp_find_coordinator_request body;
	struct kp_find_coordinator_response *response;

	kp_defaults(&kp_find_coordinator_request, &body);
	body.key_type = 2;
	body.coordinator_keys =
	    xcalloc(KEYS, sizeof(*body.coordinator_keys));
	for (int32_t i = 0; i < KEYS; i++)
		body.coordinator_keys[i] = slice_str("group");
	body.coordinator_keys_count = KEYS - 1;
	response = api_client_call(
	    &setting->client, KP_FIND_COORDINATOR_KEY, 5, &body);
	assert_int_equal(response->coordinators_count, KEYS - 1);
	body.coordinator_keys_count = KEYS;
	api_client_send(&setting->client, KP_FIND_COORDINATOR_KEY, 5, &body);
	api_client_expect_closed(&setting->client);
	free(body.coordinator_keys);
}

/* --- Parked requests ----------------------------------------------------- */

static uint64_t
memory_of(struct setting *setting)
{
	struct network_counters counters;

	network_counters(setting->rig.network, &counters);
	return counters.memory_bytes;
}

static uint64_t
frames_of(struct setting *setting)
{
	struct network_counters counters;

	network_counters(setting->rig.network, &counters);
	return counters.frames;
}

/* Wait for the condition; it fails after ten seconds. */
#define UNTIL(condition)                                             \
	do {                                                         \
		int64_t end = rig_real_ms() + 10000;                 \
		while (!(condition)) {                               \
			if (rig_real_ms() > end)                     \
				fail_msg("in vain: %s", #condition); \
			sched_yield();                               \
		}                                                    \
	} while (0)

/* Send the fetch with so many bytes behind it, which mean nothing. */
static void
send_padded(struct api_client *client, const struct kp_fetch_request *body,
    size_t padding)
{
	uint8_t *frame;
	struct output output;
	size_t len;

	arena_reset(&client->arena);
	output_init(&output, &client->arena);
	assert_int_equal(kp_encode_request(kp_api_find(KP_FETCH_KEY), 12, 1,
	    slice_str("test"), body, &output), 0);
	assert_int_equal(output.count, 1);
	len = output.len + padding;
	frame = xcalloc(1, len);
	memcpy(frame, output.pieces[0].data, output.len);
	be32_put(frame, (uint32_t)(len - 4));
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(client->fd, frame + sent, len - sent,
		    MSG_NOSIGNAL);

		assert_true(n > 0);
		sent += (size_t)n;
	}
	free(frame);
}

/* What waits is counted, and bytes behind the body do not wait with it. */
static void
parked_requests_count_as_memory(void **state)
{
	enum { WANTED = 5000, PADDING = 20 << 20 };
	struct setting *setting = *state;
	struct api_client padded;
	struct kp_fetch_request_topic topic = {
		.topic = slice_str("topic"),
		.partitions_count = WANTED,
	};
	struct kp_fetch_request body;

	api_rig_topic(&setting->rig, "topic", 1);
	topic.partitions = xcalloc(WANTED, sizeof(*topic.partitions));
	for (int32_t i = 0; i < WANTED; i++) {
		kp_defaults_struct(&kp_fetch_request_partition_struct,
		    &topic.partitions[i]);
		topic.partitions[i].partition = i;
		topic.partitions[i].partition_max_bytes = 1000;
	}
	kp_defaults(&kp_fetch_request, &body);
	body.topics = &topic;
	body.topics_count = 1;
	body.session_epoch = -1;
	body.min_bytes = 1000;
	body.max_wait_ms = 1000000;
	send_padded(&setting->client, &body, 0);
	UNTIL(memory_of(setting) >= WANTED * sizeof(*topic.partitions));
	api_client_init(&padded, &setting->rig);
	send_padded(&padded, &body, PADDING);
	UNTIL(frames_of(setting) == 2);
	UNTIL(memory_of(setting) >= 2 * WANTED * sizeof(*topic.partitions) &&
	    memory_of(setting) < PADDING);
	api_client_fini(&padded);
	close(setting->client.fd);
	UNTIL(memory_of(setting) == 0);
	setting->client.fd = -1;
	free(topic.partitions);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overdrawn_requests_close_the_connection),
		TEST(long_names_cost_nothing_a_partition),
		TEST(a_topic_listed_twice_is_one),
		TEST(coordinators_are_found_for_so_many),
		TEST(parked_requests_count_as_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
