/*
 * Certificates that change while clients work: SIGHUP has the broker read its
 * stores again, and so does AlterConfigs, which can name others.
 */
#include "unit/unit.h"

#include "unit/certificates.h"
#include "unit/temp_dir.h"

#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"

#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#define TOPIC "t"
#define ROUNDS 5
#define RECORDS 2000 /* a round */

/* Connections until the broker is believed not to have read its stores. */
#define ATTEMPTS_MAX 20000

static struct broker_process broker;
static struct certificate authority;
static char *directory, *keystore, *keystore_pem, *authority_pem;
static SSL_CTX *ssl_ctx;

/* --- The broker's certificate --------------------------------------------- */

/* Replaced whole, as those do who renew certificates. */
static void
put_certificate(const struct certificate *certificate)
{
	char *path = xasprintf("%s.new", keystore_pem);

	certificate_write(certificate, path);
	assert_int_equal(rename(path, keystore_pem), 0);
	free(path);
}

static void
reload(void)
{
	assert_int_equal(kill(broker.pid, SIGHUP), 0);
}

static int
set_up(void **state UNUSED)
{
	struct certificate own;

	authority = certificate_new("authority", NULL);
	own = certificate_new("broker", &authority);
	directory = temp_dir_make();
	keystore_pem = xasprintf("%s/broker.pem", directory);
	authority_pem = xasprintf("%s/authority.pem", directory);
	certificate_write(&authority, authority_pem);
	put_certificate(&own);
	certificate_free(&own);
	keystore = xasprintf("ssl.keystore.location=%s", keystore_pem);
	broker_process_start(&broker, "--override",
	    "listeners=SSL://127.0.0.1:0", "--override",
	    "ssl.keystore.type=PEM", "--override", keystore, NULL);
	ssl_ctx = SSL_CTX_new(TLS_client_method());
	return ssl_ctx == NULL ? -1 : 0;
}

static int
tear_down(void **state UNUSED)
{
	broker_process_fini(&broker);
	SSL_CTX_free(ssl_ctx);
	certificate_free(&authority);
	temp_dir_remove(directory);
	free(keystore);
	free(keystore_pem);
	free(authority_pem);
	return 0;
}

/* --- Connections ---------------------------------------------------------- */

static SSL *
open_connection(void)
{
	const struct timeval deadline = { .tv_sec = 60 };
	int fd = broker_process_connect(&broker);
	SSL *ssl = SSL_new(ssl_ctx);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline,
			     sizeof(deadline)),
	    0);
	assert_int_equal(SSL_set_fd(ssl, fd), 1);
	assert_int_equal(SSL_connect(ssl), 1);
	return ssl;
}

static void
close_connection(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_free(ssl);
	close(fd);
}

static bool
shows(const SSL *ssl, const struct certificate *certificate)
{
	X509 *peer = SSL_get1_peer_certificate(ssl);
	bool same = X509_cmp(peer, certificate->x509) == 0;

	X509_free(peer);
	return same;
}

static bool
new_connection_shows(const struct certificate *certificate)
{
	SSL *ssl = open_connection();
	bool same = shows(ssl, certificate);

	close_connection(ssl);
	return same;
}

static void
await_certificate(const struct certificate *certificate)
{
	for (int i = 0; i < ATTEMPTS_MAX; i++)
		if (new_connection_shows(certificate))
			return;
	fail_msg("new connections see another certificate");
}

/* ApiVersions v0, and as much of the answer as says whose it is. */
static void
expect_answer(SSL *ssl)
{
	static const uint8_t request[] = { 0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0,
		7, 0xff, 0xff };
	uint8_t answer[4096];
	int len = 0;

	assert_int_equal(
	    SSL_write(ssl, request, sizeof(request)), sizeof(request));
	while (len < 8) {
		int n = SSL_read(ssl, answer + len, (int)sizeof(answer) - len);

		assert_true(n > 0);
		len += n;
	}
	assert_int_equal(answer[7], 7);
}

/* --- Alterations ---------------------------------------------------------- */

#define LOCATION "listener.name.ssl.ssl.keystore.location"

/* The answer's code. */
static rd_kafka_resp_err_t
error_of(rd_kafka_event_t *event)
{
	const rd_kafka_ConfigResource_t **results;
	size_t count;

	assert_non_null(event);
	assert_int_equal(
	    rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
	results = rd_kafka_AlterConfigs_result_resources(
	    rd_kafka_event_AlterConfigs_result(event), &count);
	assert_int_equal(count, 1);
	return rd_kafka_ConfigResource_error(results[0]);
}

/* Give the broker a location of its own; NULL: none. */
static rd_kafka_resp_err_t
alter(const char *location)
{
	rd_kafka_t *client = kafka_client_new(&broker, RD_KAFKA_PRODUCER,
	    KAFKA_SETTINGS("security.protocol", "ssl", "ssl.ca.location",
		authority_pem));
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	rd_kafka_ConfigResource_t *resource =
	    rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, "1");
	rd_kafka_resp_err_t error;
	rd_kafka_event_t *event;

	if (location != NULL)
		assert_int_equal(rd_kafka_ConfigResource_set_config(resource,
				     LOCATION, location),
		    RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_AlterConfigs(client, &resource, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, 60000);
	error = error_of(event);
	rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(client);
	return error;
}

/* --- Tests ---------------------------------------------------------------- */

static void
send_some(struct kafka_producer *producer, int count)
{
	for (int i = 0; i < count; i++)
		kafka_producer_send(
		    producer, TOPIC, 0, slice_str("k"), slice_str("v"));
}

static void
certificates_rotate_under_load(void **state UNUSED)
{
	SSL *old = open_connection();
	struct kafka_producer producer;

	kafka_producer_init(&producer, &broker,
	    KAFKA_SETTINGS("security.protocol", "ssl", "ssl.ca.location",
		authority_pem, "linger.ms", "0", "batch.num.messages", "10"));
	for (int round = 0; round < ROUNDS; round++) {
		struct certificate next = certificate_new("broker", &authority);

		send_some(&producer, RECORDS / 2);
		put_certificate(&next);
		reload();
		send_some(&producer, RECORDS / 2);
		await_certificate(&next);
		expect_answer(old);
		certificate_free(&next);
	}
	kafka_producer_flush_ok(&producer);
	assert_int_equal(producer.count, ROUNDS * RECORDS);
	for (size_t i = 0; i < producer.count; i++)
		assert_int_equal(producer.deliveries[i].offset, i);
	kafka_producer_fini(&producer);
	close_connection(old);
}

static void
await_line(const char *text)
{
	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		if (broker_process_logged(&broker, text))
			return;
		/* Meanwhile it serves. */
		close_connection(open_connection());
	}
	fail_msg("the broker does not say: %s", text);
}

static void
bad_stores_change_nothing(void **state UNUSED)
{
	struct certificate good = certificate_new("broker", &authority);
	struct certificate other = certificate_new("other", &authority);

	put_certificate(&good);
	reload();
	await_certificate(&good);
	put_certificate(&other);
	reload();
	await_line("listener SSL goes on with the stores it has: Keystore "
		   "DistinguishedName does not match: existing={DN=CN=broker}, "
		   "new={DN=CN=other}");
	assert_int_equal(truncate(keystore_pem, 0), 0);
	reload();
	await_line("No matching PRIVATE KEY entries in PEM file");
	assert_int_equal(unlink(keystore_pem), 0);
	reload();
	await_line("No such file or directory");
	assert_true(new_connection_shows(&good));
	/* And it takes the next one that will do. */
	certificate_free(&good);
	good = certificate_new("broker", &authority);
	put_certificate(&good);
	reload();
	await_certificate(&good);
	certificate_free(&good);
	certificate_free(&other);
}

/* The answer says that new connections have it: nothing is waited for. */
static void
alterations_rotate_under_load(void **state UNUSED)
{
	char *other_pem = xasprintf("%s/other.pem", directory);
	SSL *old = open_connection();
	struct kafka_producer producer;

	kafka_producer_init(&producer, &broker,
	    KAFKA_SETTINGS("security.protocol", "ssl", "ssl.ca.location",
		authority_pem, "linger.ms", "0", "batch.num.messages", "10"));
	for (int round = 0; round < ROUNDS; round++) {
		struct certificate next = certificate_new("broker", &authority);

		send_some(&producer, RECORDS / 2);
		/* The first round names it, others name it again. */
		certificate_write(&next, other_pem);
		reload();
		assert_int_equal(
		    alter(other_pem), RD_KAFKA_RESP_ERR_NO_ERROR);
		assert_true(new_connection_shows(&next));
		send_some(&producer, RECORDS / 2);
		expect_answer(old);
		certificate_free(&next);
	}
	kafka_producer_flush_ok(&producer);
	assert_int_equal(producer.count, ROUNDS * RECORDS);
	kafka_producer_fini(&producer);
	close_connection(old);
	free(other_pem);
}

static void
alterations_outlive_the_process(void **state UNUSED)
{
	struct certificate file = certificate_new("broker", &authority);
	struct certificate other = certificate_new("broker", &authority);
	struct certificate stranger = certificate_new("other", &authority);
	char *other_pem = xasprintf("%s/other.pem", directory);

	put_certificate(&file);
	certificate_write(&other, other_pem);
	assert_int_equal(alter(other_pem), RD_KAFKA_RESP_ERR_NO_ERROR);
	/* What is refused changes nothing, also not for the next start. */
	assert_int_equal(
	    alter("/nowhere"), RD_KAFKA_RESP_ERR_INVALID_REQUEST);
	certificate_write(&stranger, other_pem);
	assert_int_equal(
	    alter(other_pem), RD_KAFKA_RESP_ERR_INVALID_REQUEST);
	assert_true(new_connection_shows(&other));
	certificate_write(&other, other_pem);
	broker_process_stop(&broker);
	broker_process_restart(&broker);
	assert_true(new_connection_shows(&other));
	/* Without it the file's counts, as at a start where it is gone. */
	assert_int_equal(unlink(other_pem), 0);
	broker_process_stop(&broker);
	broker_process_restart(&broker);
	assert_true(new_connection_shows(&file));
	certificate_write(&other, other_pem);
	assert_int_equal(alter(other_pem), RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_true(new_connection_shows(&other));
	assert_int_equal(alter(NULL), RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_true(new_connection_shows(&file));
	free(other_pem);
	certificate_free(&file);
	certificate_free(&other);
	certificate_free(&stranger);
}

/* A start reads them, whatever has come in their place, as Kafka's does. */
static void
stores_of_the_file_are_needed_by_a_start(void **state UNUSED)
{
	struct certificate file = certificate_new("broker", &authority);
	struct certificate other = certificate_new("broker", &authority);
	char *other_pem = xasprintf("%s/other.pem", directory);

	put_certificate(&file);
	certificate_write(&other, other_pem);
	assert_int_equal(alter(other_pem), RD_KAFKA_RESP_ERR_NO_ERROR);
	broker_process_stop(&broker);
	assert_int_equal(unlink(keystore_pem), 0);
	broker_process_launch(&broker);
	assert_int_equal(WEXITSTATUS(broker_process_wait(&broker)), 1);
	assert_true(broker_process_logged(&broker, keystore_pem));
	put_certificate(&file);
	broker_process_restart(&broker);
	assert_true(new_connection_shows(&other));
	assert_int_equal(alter(NULL), RD_KAFKA_RESP_ERR_NO_ERROR);
	free(other_pem);
	certificate_free(&file);
	certificate_free(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_rotate_under_load),
		cmocka_unit_test(bad_stores_change_nothing),
		cmocka_unit_test(alterations_rotate_under_load),
		cmocka_unit_test(alterations_outlive_the_process),
		cmocka_unit_test(stores_of_the_file_are_needed_by_a_start),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
