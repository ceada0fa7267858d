/*
 * Clients over TLS: librdkafka with and without certificates, good ones and
 * others, logins over TLS, and clients that take a port for another kind.
 */
#include "unit/unit.h"

#include "unit/certificates.h"
#include "unit/temp_dir.h"

#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"
#include "e2e/raw_client.h"

#include "auth/scram.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/alter_user_scram_credentials.h"

#include <sys/socket.h>

#define TOPIC "t"
#define DEADLINE_MS 60000

static struct broker_process broker;

/* Where the certificates are, and settings that name them. */
static char *directory;
static char *keystore, *truststore, *authority_pem, *alice_pem, *stranger_pem,
    *old_pem;

static char *
path_of(const char *name)
{
	return xasprintf("%s/%s", directory, name);
}

static char *
write_certificate(const struct certificate *certificate, const char *name)
{
	char *path = path_of(name);

	certificate_write(certificate, path);
	return path;
}

static int
make_certificates(void **state UNUSED)
{
	struct certificate authority = certificate_new("authority", NULL);
	struct certificate other = certificate_new("other", NULL);
	struct certificate own = certificate_new("broker", &authority);
	struct certificate alice = certificate_new("alice", &authority);
	struct certificate stranger = certificate_new("alice", &other);
	struct certificate old =
	    certificate_for_days("alice", &authority, -9, -1);
	char *broker_pem;

	directory = temp_dir_make();
	authority_pem = write_certificate(&authority, "authority.pem");
	broker_pem = write_certificate(&own, "broker.pem");
	alice_pem = write_certificate(&alice, "alice.pem");
	stranger_pem = write_certificate(&stranger, "stranger.pem");
	old_pem = write_certificate(&old, "old.pem");
	keystore = xasprintf("ssl.keystore.location=%s", broker_pem);
	truststore = xasprintf("ssl.truststore.location=%s", authority_pem);
	free(broker_pem);
	certificate_free(&authority);
	certificate_free(&other);
	certificate_free(&own);
	certificate_free(&alice);
	certificate_free(&stranger);
	certificate_free(&old);
	return 0;
}

static int
remove_certificates(void **state UNUSED)
{
	temp_dir_remove(directory);
	free(keystore);
	free(truststore);
	free(authority_pem);
	free(alice_pem);
	free(stranger_pem);
	free(old_pem);
	return 0;
}

/* --- Clients -------------------------------------------------------------- */

/* The certificate is also where its key is. */
#define WITH_CERTIFICATE(pem)                                              \
	KAFKA_SETTINGS("security.protocol", "ssl", "ssl.ca.location",      \
	    authority_pem, "ssl.certificate.location", pem,                \
	    "ssl.key.location", pem)
#define WITHOUT_CERTIFICATE                                                \
	KAFKA_SETTINGS("security.protocol", "ssl", "ssl.ca.location",      \
	    authority_pem)
#define WITH_PASSWORD(mechanism, password)                                 \
	KAFKA_SETTINGS("security.protocol", "sasl_ssl", "ssl.ca.location", \
	    authority_pem, "sasl.mechanism", mechanism, "sasl.username",   \
	    "bob", "sasl.password", password)

static rd_kafka_resp_err_t
write_one(const char *const *settings)
{
	struct kafka_producer producer;
	rd_kafka_resp_err_t error;

	kafka_producer_init(&producer, &broker, settings);
	kafka_producer_send(
	    &producer, TOPIC, 0, slice_str("k"), slice_str("v"));
	kafka_producer_flush(&producer);
	error = producer.deliveries[0].error;
	kafka_producer_fini(&producer);
	return error;
}

static void
note_error(
    rd_kafka_t *client UNUSED, int error, const char *why UNUSED, void *seen)
{
	rd_kafka_resp_err_t *first = seen;

	if (*first == RD_KAFKA_RESP_ERR_NO_ERROR)
		*first = error;
}

/* What the client hears first when it cannot connect. */
static rd_kafka_resp_err_t
first_error(const char *const *settings)
{
	rd_kafka_conf_t *conf = kafka_client_conf(&broker, settings);
	rd_kafka_resp_err_t seen = RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_t *client;

	rd_kafka_conf_set_opaque(conf, &seen);
	rd_kafka_conf_set_error_cb(conf, note_error);
	client = kafka_client_of(conf, RD_KAFKA_PRODUCER);
	for (int waited = 0; seen == RD_KAFKA_RESP_ERR_NO_ERROR; waited += 50)
		if (rd_kafka_poll(client, 50) == 0 && waited > DEADLINE_MS)
			fail_msg("the client hears of no error");
	rd_kafka_destroy(client);
	return seen;
}

/* The client may hear of it before it is logged. */
static void
expect_logged(const char *text)
{
	for (int waited = 0; !broker_process_logged(&broker, text);
	     waited += 10) {
		if (waited > DEADLINE_MS)
			fail_msg("the log has no \"%s\"", text);
		usleep(10 * 1000);
	}
}

/* Versions of librdkafka tell an alert in different ways. */
static void
expect_bad_handshake(const char *const *settings, const char *reason)
{
	rd_kafka_resp_err_t error = first_error(settings);
	char *line = xasprintf(
	    "failed authentication (SSL handshake failed: %s)", reason);

	assert_true(error == RD_KAFKA_RESP_ERR__SSL ||
	    error == RD_KAFKA_RESP_ERR__TRANSPORT);
	expect_logged(line);
	free(line);
}

/* --- A listener with SSL -------------------------------------------------- */

static int
start_ssl(void **state UNUSED)
{
	broker_process_start(&broker, "--override",
	    "listeners=SSL://127.0.0.1:0", "--override",
	    "ssl.keystore.type=PEM", "--override", keystore, "--override",
	    "ssl.truststore.type=PEM", "--override", truststore, "--override",
	    "listener.name.ssl.ssl.client.auth=requested", "--override",
	    "authorizer.class.name="
	    "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
	    "--override", "super.users=User:CN=alice", "--override",
	    "klamm.audit.interval.ms=0", NULL);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

static void
a_certificate_says_who_it_is(void **state UNUSED)
{
	assert_int_equal(write_one(WITH_CERTIFICATE(alice_pem)),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_int_equal(write_one(WITHOUT_CERTIFICATE),
	    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
}

static void
others_do_not_get_in(void **state UNUSED)
{
	expect_bad_handshake(WITH_CERTIFICATE(stranger_pem),
	    "unable to get local issuer certificate");
	expect_bad_handshake(
	    WITH_CERTIFICATE(old_pem), "certificate has expired");
}

static rd_kafka_t *
reader_new(const char *const *settings)
{
	rd_kafka_topic_partition_list_t *partitions =
	    rd_kafka_topic_partition_list_new(1);
	rd_kafka_conf_t *conf = kafka_client_conf(&broker, settings);
	rd_kafka_t *client;

	kafka_client_set(conf, KAFKA_SETTINGS("group.id", "g"));
	client = kafka_client_of(conf, RD_KAFKA_CONSUMER);
	rd_kafka_topic_partition_list_add(partitions, "big", 0)->offset = 0;
	assert_int_equal(rd_kafka_assign(client, partitions),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_topic_partition_list_destroy(partitions);
	return client;
}

/* Batches of many records of TLS, both ways. */
static void
much_comes_back_as_it_went(void **state UNUSED)
{
	enum { COUNT = 200, LEN = 100 * 1000 };
	const char *const *settings = WITH_CERTIFICATE(alice_pem);
	struct kafka_producer producer;
	rd_kafka_t *reader;
	uint8_t *value = xmalloc(LEN);
	int count = 0;

	kafka_producer_init(&producer, &broker, settings);
	for (int i = 0; i < COUNT; i++) {
		memset(value, i, LEN);
		kafka_producer_send(&producer, "big", 0, slice_str("k"),
		    slice_of(value, LEN));
	}
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
	reader = reader_new(settings);
	while (count < COUNT) {
		rd_kafka_message_t *message =
		    rd_kafka_consumer_poll(reader, DEADLINE_MS);

		assert_non_null(message);
		assert_int_equal(message->err, RD_KAFKA_RESP_ERR_NO_ERROR);
		assert_int_equal(message->len, LEN);
		memset(value, count++, LEN);
		assert_memory_equal(message->payload, value, LEN);
		rd_kafka_message_destroy(message);
	}
	rd_kafka_consumer_close(reader);
	rd_kafka_destroy(reader);
	free(value);
}

/* Everything until the broker closes; an alert, or nothing. */
static void
expect_close(const void *hello, size_t len)
{
	int fd = broker_process_connect(&broker);
	uint8_t data[256];
	size_t got = 0;
	ssize_t n;

	assert_int_equal(send(fd, hello, len, MSG_NOSIGNAL), len);
	while ((n = recv(fd, data, sizeof(data), 0)) > 0)
		got += (size_t)n;
	assert_true(got < sizeof(data));
	close(fd);
}

/* ApiVersions in plain bytes. */
static void
plain_clients_are_closed(void **state UNUSED)
{
	static const uint8_t request[] = { 0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0,
		1, 0xff, 0xff };

	expect_close(request, sizeof(request));
	expect_logged("SSL handshake failed: wrong version number");
	assert_int_equal(write_one(WITH_CERTIFICATE(alice_pem)),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* --- A listener that wants certificates ----------------------------------- */

static int
start_required(void **state UNUSED)
{
	broker_process_start(&broker, "--override",
	    "listeners=OWN://127.0.0.1:0", "--override",
	    "listener.security.protocol.map=OWN:SSL", "--override",
	    "ssl.keystore.type=PEM", "--override", keystore, "--override",
	    "ssl.truststore.type=PEM", "--override", truststore, "--override",
	    "ssl.client.auth=required", NULL);
	return 0;
}

static void
certificates_are_required(void **state UNUSED)
{
	assert_int_equal(write_one(WITH_CERTIFICATE(alice_pem)),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	expect_bad_handshake(
	    WITHOUT_CERTIFICATE, "peer did not return a certificate");
}

/* --- Stores that Java and OpenSSL have made ------------------------------- */

#define STORES SRCDIR "/tests/unit/tls/"
#define STORE(kind, type, file)                                            \
	"--override", "ssl." kind "store.type=" type, "--override",        \
	    "ssl." kind "store.location=" STORES file, "--override",       \
	    "ssl." kind "store.password=secret"

/* A client that trusts who signed the broker's. */
static void
expect_served(void)
{
	assert_int_equal(
	    write_one(KAFKA_SETTINGS("security.protocol", "ssl",
		"ssl.ca.location", STORES "ca.pem",
		"ssl.endpoint.identification.algorithm", "none")),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	broker_process_fini(&broker);
}

static void
stores_of_java_are_served(void **state UNUSED)
{
	broker_process_start(&broker, "--override",
	    "listeners=SSL://127.0.0.1:0",
	    STORE("key", "PKCS12", "keytool.p12"),
	    STORE("trust", "PKCS12", "trust.p12"), NULL);
	expect_served();
	broker_process_start(&broker, "--override",
	    "listeners=SSL://127.0.0.1:0", STORE("key", "JKS", "keytool.jks"),
	    "--override", "ssl.key.password=another",
	    STORE("trust", "JKS", "trust.jks"), NULL);
	expect_served();
}

/* --- Names out of certificates -------------------------------------------- */

/* Alice has no name where no rule is for her. */
static void
who_has_no_name_does_not_get_in(void **state UNUSED)
{
	broker_process_start(&broker, "--override",
	    "listeners=SSL://127.0.0.1:0", "--override",
	    "ssl.keystore.type=PEM", "--override", keystore, "--override",
	    "ssl.truststore.type=PEM", "--override", truststore, "--override",
	    "ssl.client.auth=required", "--override",
	    "ssl.principal.mapping.rules=RULE:^CN=bob$/bob/", NULL);
	assert_int_not_equal(first_error(WITH_CERTIFICATE(alice_pem)),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	expect_logged("failed authentication");
	broker_process_fini(&broker);
}

/* --- Logins over TLS ------------------------------------------------------ */

/* Bob's password for SCRAM, while there is another way in. */
static void
set_scram_password(struct slice password)
{
	uint8_t salted[SCRAM_KEY_LEN_MAX];
	struct kp_alter_user_scram_credentials_request_upsertion upsertion = {
		.name = slice_str("bob"),
		.mechanism = SCRAM_SHA_256,
		.iterations = 4096,
		.salt = slice_str("salt"),
		.salted_password =
		    slice_of(salted, scram_key_len(SCRAM_SHA_256)),
	};
	const struct kp_alter_user_scram_credentials_request request = {
		.upsertions = &upsertion,
		.upsertions_count = 1,
	};
	const struct kp_alter_user_scram_credentials_response *response;
	struct raw_client client;

	assert_int_equal(scram_salt(SCRAM_SHA_256, password, upsertion.salt,
			     4096, salted),
	    0);
	raw_client_init(&client, &broker);
	response = raw_client_call(
	    &client, KP_ALTER_USER_SCRAM_CREDENTIALS_KEY, 0, &request);
	assert_int_equal(response->results_count, 1);
	assert_int_equal(response->results[0].error_code, KP_NONE);
	raw_client_fini(&client);
}

static int
start_sasl(void **state UNUSED)
{
	const char *const overrides[] = { "listeners=SASL_SSL://127.0.0.1:0",
		"ssl.keystore.type=PEM", keystore,
		/* It does not count here. */
		"ssl.client.auth=required",
		"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256",
		"listener.name.sasl_ssl.plain.sasl.jaas.config="
		"org.apache.kafka.common.security.plain.PlainLoginModule "
		"required user_bob=\"bob's\";",
		"listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config="
		"org.apache.kafka.common.security.scram.ScramLoginModule "
		"required;",
		"authorizer.class.name="
		"org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users=User:bob" };

	broker_process_start(&broker, NULL);
	set_scram_password(slice_str("other"));
	broker_process_stop(&broker);
	for (size_t i = 0; i < COUNT_OF(overrides); i++) {
		broker_process_argument(&broker, "--override");
		broker_process_argument(&broker, overrides[i]);
	}
	broker_process_restart(&broker);
	return 0;
}

static void
passwords_go_over_tls(void **state UNUSED)
{
	assert_int_equal(write_one(WITH_PASSWORD("PLAIN", "bob's")),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_int_equal(
	    write_one(WITH_PASSWORD("SCRAM-SHA-256", "other")),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	expect_logged(
	    "ssl.client.auth: required does not count for listener SASL_SSL");
	assert_int_equal(first_error(WITH_PASSWORD("PLAIN", "wrong")),
	    RD_KAFKA_RESP_ERR__AUTHENTICATION);
	assert_int_equal(first_error(WITH_PASSWORD("SCRAM-SHA-256", "bob's")),
	    RD_KAFKA_RESP_ERR__AUTHENTICATION);
}

/* --- A listener without TLS ----------------------------------------------- */

static int
start_plain(void **state UNUSED)
{
	broker_process_start(&broker, NULL);
	return 0;
}

static void
tls_clients_are_closed(void **state UNUSED)
{
	/* The beginning of a ClientHello is the size of a huge frame. */
	static const uint8_t hello[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3,
		3 };

	expect_close(hello, sizeof(hello));
}

int
main(void)
{
	const struct CMUnitTest ssl[] = {
		cmocka_unit_test(a_certificate_says_who_it_is),
		cmocka_unit_test(others_do_not_get_in),
		cmocka_unit_test(much_comes_back_as_it_went),
		cmocka_unit_test(plain_clients_are_closed),
	};
	const struct CMUnitTest required[] = {
		cmocka_unit_test(certificates_are_required),
	};
	const struct CMUnitTest sasl[] = {
		cmocka_unit_test(passwords_go_over_tls),
	};
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(tls_clients_are_closed),
	};
	const struct CMUnitTest others[] = {
		cmocka_unit_test(stores_of_java_are_served),
		cmocka_unit_test(who_has_no_name_does_not_get_in),
	};
	int failed;

	make_certificates(NULL);
	failed = cmocka_run_group_tests(ssl, start_ssl, stop_broker);
	failed += cmocka_run_group_tests(required, start_required, stop_broker);
	failed += cmocka_run_group_tests(sasl, start_sasl, stop_broker);
	failed += cmocka_run_group_tests(plain, start_plain, stop_broker);
	failed += cmocka_run_group_tests(others, NULL, NULL);
	remove_certificates(NULL);
	return failed;
}
