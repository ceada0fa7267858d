/*
 * More clients than there are descriptors: those who are served already do
 * not notice, and no record is lost for it.
 */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/error.h"
#include "wire/generated/produce.h"

/* What this process and the broker may have open, each. */
#define DESCRIPTORS 256

/* Of those, what this process needs besides its connections. */
#define OWN 12

/* Connections that nobody waits for: the broker may leave some unaccepted. */
static size_t
connect_many(const struct broker_process *broker, int *fds, size_t count)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)broker->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	for (size_t i = 0; i < count; i++) {
		fds[i] = socket(AF_INET,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
		(void)!connect(fds[i], (struct sockaddr *)&address,
		    sizeof(address));
	}
	return count;
}

static void
produce(struct raw_client *client, const char *topic)
{
	const struct kp_produce_response *response =
	    raw_client_call(client, KP_PRODUCE_KEY, RAW_TOPIC_PRODUCE_VERSION,
		raw_topic_produce(client, topic, -1, slice_str("value")));

	assert_int_equal(response->responses[0].partition_responses[0]
			     .error_code,
	    KP_NONE);
}

static void
test_clients_do_not_take_the_descriptors_of_the_store(void **state UNUSED)
{
	struct broker_process broker;
	struct raw_client client;
	int fds[DESCRIPTORS];
	size_t count;

	broker_process_start(&broker, "--override",
	    "replica.high.watermark.checkpoint.interval.ms=1", NULL);
	raw_client_init(&client, &broker);
	raw_topic_create(&client, "first", 1);
	raw_topic_create(&client, "second", 1);
	produce(&client, "first");
	count = connect_many(&broker, fds, DESCRIPTORS - OWN);
	/* The first sync of a log opens files and directories. */
	produce(&client, "second");
	for (int i = 0; i < 20; i++)
		produce(&client, "first");
	assert_int_equal(raw_topic_end(&client, "second"), 1);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	raw_client_fini(&client);
	broker_process_stop(&broker);
	broker_process_fini(&broker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_clients_do_not_take_the_descriptors_of_the_store),
	};
	const struct rlimit limit = { DESCRIPTORS, DESCRIPTORS };

	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
