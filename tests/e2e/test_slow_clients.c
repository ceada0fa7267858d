/*
 * Clients that do not read, do not finish what they began to send, or say
 * nothing at all: each costs the broker little, and the others nothing.
 *
 *	test_slow_clients [COUNT]
 *
 * So many ask for large answers and do not read them, and so many do not get
 * to logging in; make check has few.
 */
#include "unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_login.h"
#include "e2e/raw_topic.h"
#include "wire/error.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/fetch.h"
#include "wire/generated/produce.h"

/* No more is accepted when nothing was for so long. */
#define BLOCKED_MS 300

#define MIB ((size_t)1024 * 1024)

/* What one costs at most that has asked for many large answers. */
#define DEAF_BYTES_MAX (MIB / 4)

/* And one that has asked for many small ones. */
#define DEAF_REQUESTS_BYTES_MAX ((size_t)96 * 1024)

static struct broker_process broker;
static size_t deaf_count = 8;
static size_t stranger_count = 100;

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

static void
expect_growth_below(
    const struct broker_process *process, size_t before, size_t limit)
{
	size_t now = broker_process_memory(process, "VmRSS:");

	if (broker_process_memory_tells(process) && now > before &&
	    now - before > limit)
		fail_msg("the broker has grown by %zu KiB, more than %zu",
		    (now - before) / 1024, limit / 1024);
}

/* Someone else is served meanwhile. */
static void
expect_service(void)
{
	struct raw_client client;

	raw_client_init(&client, &broker);
	(void)raw_client_call(&client, KP_API_VERSIONS_KEY, 0, NULL);
	raw_client_fini(&client);
}

/* --- Clients that do not read -------------------------------------------- */

/* Send part of a frame; 0 where the broker takes no more. */
static size_t
send_some(struct raw_client *client, struct slice frame, size_t sent)
{
	struct pollfd pollfd = { .fd = client->fd, .events = POLLOUT };
	ssize_t n;

	if (poll(&pollfd, 1, BLOCKED_MS) != 1)
		return 0;
	n = send(client->fd, frame.data + sent, frame.len - sent,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		fail_msg("send: %s", strerror(errno));
	return n < 0 ? 0 : (size_t)n;
}

struct asked {
	size_t whole;		/* frames that were sent */
	size_t partial;		/* bytes of one more */
};

/*
 * Send the same request again and again, read nothing, until no more is
 * accepted: far before limit bytes.
 */
static struct asked
ask_for_ever(struct raw_client *client, struct slice frame, size_t limit)
{
	size_t sent = 0, n;

	while ((n = send_some(client, frame, sent % frame.len)) > 0) {
		sent += n;
		if (sent > limit)
			fail_msg("the broker goes on reading");
	}
	return (struct asked){ sent / frame.len, sent % frame.len };
}

/* The frame, over and over. */
static struct slice
many_of(struct slice frame, size_t count)
{
	uint8_t *all = xmalloc(count * frame.len);

	for (size_t i = 0; i < count; i++)
		memcpy(all + i * frame.len, frame.data, frame.len);
	return slice_of(all, count * frame.len);
}

/*
 * Many requests with short answers.  The kernel's buffers on both sides hold
 * some MiB, the broker adds to that what one read of it has brought, which was
 * more once: all that each of the last 64 requests had needed.
 */
static void
test_requests_of_the_deaf_are_bounded(void **state UNUSED)
{
	enum { CLIENTS = 16, AT_ONCE = 100 };
	struct raw_client *clients = xcalloc(CLIENTS, sizeof(*clients));
	size_t before = broker_process_memory(&broker, "VmRSS:");
	struct slice frames;

	for (size_t i = 0; i < CLIENTS; i++) {
		raw_client_init(&clients[i], &broker);
		frames = many_of(raw_client_frame(&clients[i],
				     KP_API_VERSIONS_KEY, 0, 1, NULL),
		    AT_ONCE);
		(void)ask_for_ever(&clients[i], frames, 32 * MIB);
		free((void *)(uintptr_t)frames.data);
	}
	expect_growth_below(&broker, before, CLIENTS * DEAF_REQUESTS_BYTES_MAX);
	expect_service();
	for (size_t i = 0; i < CLIENTS; i++)
		raw_client_fini(&clients[i]);
	free(clients);
}

static struct slice
fetch_frame(struct raw_client *client, const char *name)
{
	struct kp_fetch_request_partition partition = {
		.current_leader_epoch = -1,
		.log_start_offset = -1,
		.partition_max_bytes = (int32_t)MIB,
	};
	struct kp_fetch_request_topic topic = {
		.topic = slice_str(name),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_fetch_request request = {
		.replica_id = -1,
		.max_bytes = (int32_t)MIB,
		.session_epoch = -1,
		.topics = &topic,
		.topics_count = 1,
		.rack_id = slice_str(""),
	};

	return raw_client_frame(client, KP_FETCH_KEY, 11, 1, &request);
}

#define VALUE_LEN 900000

static void
fill_topic(const char *name)
{
	uint8_t *value = xmalloc(VALUE_LEN);
	struct raw_client client;

	memset(value, 'v', VALUE_LEN);
	raw_client_init(&client, &broker);
	raw_topic_create(&client, name, 1);
	(void)raw_client_call(&client, KP_PRODUCE_KEY,
	    RAW_TOPIC_PRODUCE_VERSION,
	    raw_topic_produce(&client, name, 1, slice_of(value, VALUE_LEN)));
	raw_client_fini(&client);
	free(value);
}

/*
 * Few requests, with answers of nearly a MiB.  Whoever begins to read in the
 * end gets each of them.
 */
static void
test_answers_to_the_deaf_are_bounded(void **state UNUSED)
{
	struct raw_client *clients = xcalloc(deaf_count, sizeof(*clients));
	struct asked asked = { 0, 0 };
	size_t before;

	fill_topic("large");
	before = broker_process_memory(&broker, "VmRSS:");
	for (size_t i = 0; i < deaf_count; i++) {
		raw_client_init(&clients[i], &broker);
		asked = ask_for_ever(&clients[i],
		    fetch_frame(&clients[i], "large"), 32 * MIB);
		assert_true(asked.whole > 0);
	}
	expect_growth_below(
	    &broker, before, 8 * MIB + deaf_count * DEAF_BYTES_MAX);
	expect_service();
	for (size_t i = 0; i < deaf_count - 1; i++)
		raw_client_fini(&clients[i]);
	/* Of the last one's tens of thousands, a fair number will do. */
	for (size_t i = 0; i < MIN(asked.whole, 200); i++)
		assert_true(raw_client_receive(&clients[deaf_count - 1]).len >
		    VALUE_LEN);
	raw_client_fini(&clients[deaf_count - 1]);
	free(clients);
}

/* --- Clients that do not finish ------------------------------------------ */

/* A frame of 100 MB is announced, but memory comes with its bytes only. */
static void
test_announced_bytes_cost_nothing(void **state UNUSED)
{
	enum { CLIENTS = 50, ANNOUNCED = 100 * 1000 * 1000, SENT = 1024 };
	uint8_t begin[SENT] = { 0, 0, 0, 0, 0, 3, 0, 1 };
	struct raw_client clients[CLIENTS];
	size_t before = broker_process_memory(&broker, "VmRSS:");

	be32_put(begin, ANNOUNCED);
	for (size_t i = 0; i < CLIENTS; i++) {
		raw_client_init(&clients[i], &broker);
		raw_client_send(&clients[i], begin, sizeof(begin));
	}
	expect_service();
	expect_growth_below(&broker, before, 8 * MIB);
	for (size_t i = 0; i < CLIENTS; i++)
		raw_client_fini(&clients[i]);
}

/*
 * Large frames before the login, which never end: all of them together cost
 * 16 MiB, and what a read brings of each.  Others log in meanwhile.
 */
static void
test_strangers_cost_little(void **state UNUSED)
{
	enum { FRAME = 500000, SENT = 400000 };
	struct raw_client *clients = xcalloc(stranger_count, sizeof(*clients));
	struct raw_client client;
	struct broker_process other;
	uint8_t *begin = xcalloc(1, SENT);
	size_t before;

	raw_login_broker(&other);
	broker_process_restart(&other);
	before = broker_process_memory(&other, "VmRSS:");
	be32_put(begin, FRAME);
	be16_put(begin + 4, KP_API_VERSIONS_KEY);
	for (size_t i = 0; i < stranger_count; i++) {
		raw_client_init(&clients[i], &other);
		(void)send(clients[i].fd, begin, SENT,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	raw_client_init(&client, &other);
	assert_int_equal(
	    raw_login(&client, "bob", "bob-secret"), KP_NONE);
	raw_client_fini(&client);
	expect_growth_below(&other, before,
	    24 * MIB + stranger_count * (size_t)16384);
	for (size_t i = 0; i < stranger_count; i++)
		raw_client_fini(&clients[i]);
	broker_process_fini(&other);
	free(begin);
	free(clients);
}

/* Bytes that come one by one hold nobody else up. */
static void
test_trickling_clients_hold_nobody_up(void **state UNUSED)
{
	enum { CLIENTS = 20 };
	struct raw_client clients[CLIENTS];
	struct slice frame = SLICE_NULL;

	for (size_t i = 0; i < CLIENTS; i++) {
		raw_client_init(&clients[i], &broker);
		frame = raw_client_frame(&clients[0], KP_API_VERSIONS_KEY, 0,
		    1, NULL);
	}
	for (size_t byte = 0; byte < frame.len; byte++) {
		for (size_t i = 0; i < CLIENTS; i++)
			raw_client_send(&clients[i], frame.data + byte, 1);
		expect_service();
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		(void)raw_client_response(&clients[i], KP_API_VERSIONS_KEY, 0,
		    1);
		raw_client_fini(&clients[i]);
	}
}

/* --- Clients that say nothing -------------------------------------------- */

static void
test_idle_clients_are_cheap(void **state UNUSED)
{
	enum { CLIENTS = 500 };
	struct raw_client *clients = xcalloc(CLIENTS, sizeof(*clients));
	size_t before = broker_process_memory(&broker, "VmRSS:");

	for (size_t i = 0; i < CLIENTS; i++) {
		raw_client_init(&clients[i], &broker);
		(void)raw_client_call(&clients[i], KP_API_VERSIONS_KEY, 0,
		    NULL);
	}
	expect_growth_below(&broker, before, CLIENTS * 8192);
	for (size_t i = 0; i < CLIENTS; i++)
		raw_client_fini(&clients[i]);
	free(clients);
	expect_service();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_of_the_deaf_are_bounded),
		cmocka_unit_test(test_answers_to_the_deaf_are_bounded),
		cmocka_unit_test(test_announced_bytes_cost_nothing),
		cmocka_unit_test(test_strangers_cost_little),
		cmocka_unit_test(test_trickling_clients_hold_nobody_up),
		cmocka_unit_test(test_idle_clients_are_cheap),
	};

	if (argc == 2)
		deaf_count = stranger_count =
		    MAX(strtoul(argv[1], NULL, 10), 1);
	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
