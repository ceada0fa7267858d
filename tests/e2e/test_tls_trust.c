/*
 * Whom a listener trusts changes while it serves: by SIGHUP, by AlterConfigs
 * that name a file or bring certificates along.  Those who were trusted before
 * are not let in any more, and keep the connections that they have.
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

#define STORE(key) "listener.name.ssl.ssl." key

/* Connections until the broker is believed not to have read its stores. */
#define ATTEMPTS_MAX 20000

struct world {
	struct broker_process broker;
	struct certificate old_authority, new_authority;
	struct certificate own, alice, bob; /* alice is of the old one */
	char *directory;
	char *own_pem, *old_pem, *new_pem, *trust_pem;
	char *settings[8];
};

/* --- Certificates and brokers --------------------------------------------- */

static char *
pem_file(
    const struct world *world, const struct certificate *what, const char *name)
{
	char *path = xasprintf("%s/%s", world->directory, name);

	certificate_write(what, path);
	return path;
}

/* A certificate, or else its key, as a text. */
static char *
pem_text(const struct certificate *certificate, bool key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long len;

	assert_int_equal(key ?
		PEM_write_bio_PKCS8PrivateKey(
		    bio, certificate->key, NULL, NULL, 0, NULL, NULL) :
		PEM_write_bio_X509(bio, certificate->x509),
	    1);
	len = BIO_get_mem_data(bio, &data);
	text = xasprintf("%.*s", (int)len, data);
	BIO_free(bio);
	return text;
}

static struct world *
world_new(void)
{
	struct world *world = xcalloc(1, sizeof(*world));

	world->old_authority = certificate_new("old", NULL);
	world->new_authority = certificate_new("new", NULL);
	world->own = certificate_new("broker", &world->old_authority);
	world->alice = certificate_new("alice", &world->old_authority);
	world->bob = certificate_new("bob", &world->new_authority);
	world->directory = temp_dir_make();
	world->own_pem = pem_file(world, &world->own, "own.pem");
	world->old_pem = pem_file(world, &world->old_authority, "old.pem");
	world->new_pem = pem_file(world, &world->new_authority, "new.pem");
	world->trust_pem = pem_file(world, &world->old_authority, "trust.pem");
	return world;
}

/* settings are keys and values in turn, owned by the world from now on. */
static void
start(struct world *world, size_t count)
{
	static const char *const common[] = {
		"listeners=SSL://127.0.0.1:0",
		"ssl.client.auth=requested",
		"ssl.keystore.type=PEM",
		"ssl.truststore.type=PEM",
	};

	broker_process_init(&world->broker);
	for (size_t i = 0; i < COUNT_OF(common); i++) {
		broker_process_argument(&world->broker, "--override");
		broker_process_argument(&world->broker, common[i]);
	}
	for (size_t i = 0; i < count; i++) {
		broker_process_argument(&world->broker, "--override");
		broker_process_argument(&world->broker, world->settings[i]);
	}
	broker_process_restart(&world->broker);
}

static int
start_with_files(void **state)
{
	struct world *world = world_new();

	world->settings[0] =
	    xasprintf("ssl.keystore.location=%s", world->own_pem);
	world->settings[1] =
	    xasprintf("ssl.truststore.location=%s", world->trust_pem);
	start(world, 2);
	*state = world;
	return 0;
}

static char *
setting_of(const char *key, const struct certificate *certificate, bool is_key)
{
	char *text = pem_text(certificate, is_key);
	char *setting = xasprintf("%s=%s", key, text);

	free(text);
	return setting;
}

static int
start_with_texts(void **state)
{
	struct world *world = world_new();

	world->settings[0] =
	    setting_of("ssl.keystore.key", &world->own, true);
	world->settings[1] =
	    setting_of("ssl.keystore.certificate.chain", &world->own, false);
	world->settings[2] = setting_of(
	    "ssl.truststore.certificates", &world->old_authority, false);
	start(world, 3);
	*state = world;
	return 0;
}

static int
stop(void **state)
{
	struct world *world = *state;

	broker_process_fini(&world->broker);
	certificate_free(&world->old_authority);
	certificate_free(&world->new_authority);
	certificate_free(&world->own);
	certificate_free(&world->alice);
	certificate_free(&world->bob);
	temp_dir_remove(world->directory);
	free(world->own_pem);
	free(world->old_pem);
	free(world->new_pem);
	free(world->trust_pem);
	for (size_t i = 0; i < COUNT_OF(world->settings); i++)
		free(world->settings[i]);
	free(world);
	return 0;
}

/* --- Connections ---------------------------------------------------------- */

/* With the client's certificate; what the broker makes of it comes later. */
static SSL *
open_connection(struct world *world, const struct certificate *client)
{
	const struct timeval deadline = { .tv_sec = 60 };
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_client_method());
	int fd = broker_process_connect(&world->broker);
	SSL *ssl;

	assert_int_equal(SSL_CTX_use_certificate(ssl_ctx, client->x509), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ssl_ctx, client->key), 1);
	ssl = SSL_new(ssl_ctx);
	SSL_CTX_free(ssl_ctx);
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

/* Is ApiVersions v0 answered? */
static bool
is_answered(SSL *ssl)
{
	static const uint8_t request[] = { 0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0,
		7, 0xff, 0xff };
	uint8_t answer[4096];
	int len = 0;

	if (SSL_write(ssl, request, sizeof(request)) != sizeof(request))
		return false;
	while (len < 8) {
		int n = SSL_read(ssl, answer + len, (int)sizeof(answer) - len);

		if (n <= 0)
			return false;
		len += n;
	}
	return answer[7] == 7;
}

static bool
is_let_in(struct world *world, const struct certificate *client)
{
	SSL *ssl = open_connection(world, client);
	bool answered = is_answered(ssl);

	close_connection(ssl);
	return answered;
}

static void
await(struct world *world, const struct certificate *client)
{
	for (int i = 0; i < ATTEMPTS_MAX; i++)
		if (is_let_in(world, client))
			return;
	fail_msg("the client is not let in");
}

/* --- Alterations ---------------------------------------------------------- */

/* Configs of the broker, names and values in turn; they are all it has. */
static rd_kafka_resp_err_t
alter(struct world *world, const char *const *configs)
{
	/* By a client without a certificate, who is nobody. */
	rd_kafka_t *client = kafka_client_new(&world->broker,
	    RD_KAFKA_PRODUCER,
	    KAFKA_SETTINGS("security.protocol", "ssl", "ssl.ca.location",
		world->old_pem));
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	rd_kafka_ConfigResource_t *resource =
	    rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, "1");
	const rd_kafka_ConfigResource_t **results;
	rd_kafka_resp_err_t error;
	rd_kafka_event_t *event;
	size_t count;

	for (; *configs != NULL; configs += 2)
		assert_int_equal(rd_kafka_ConfigResource_set_config(resource,
				     configs[0], configs[1]),
		    RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_AlterConfigs(client, &resource, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, 60000);
	assert_non_null(event);
	results = rd_kafka_AlterConfigs_result_resources(
	    rd_kafka_event_AlterConfigs_result(event), &count);
	assert_int_equal(count, 1);
	error = rd_kafka_ConfigResource_error(results[0]);
	rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(client);
	return error;
}

#define CONFIGS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NO_CONFIGS ((const char *const[]){ NULL })

/* --- Tests ---------------------------------------------------------------- */

static void
expect_old(struct world *world)
{
	assert_true(is_let_in(world, &world->alice));
	assert_false(is_let_in(world, &world->bob));
}

static void
expect_new(struct world *world)
{
	assert_true(is_let_in(world, &world->bob));
	assert_false(is_let_in(world, &world->alice));
}

static void
reload_with(struct world *world, const struct certificate *authority)
{
	char *path = xasprintf("%s.new", world->trust_pem);

	certificate_write(authority, path);
	assert_int_equal(rename(path, world->trust_pem), 0);
	free(path);
	assert_int_equal(kill(world->broker.pid, SIGHUP), 0);
}

static void
files_are_read_again(void **state)
{
	struct world *world = *state;
	SSL *before = open_connection(world, &world->alice);

	assert_true(is_answered(before));
	expect_old(world);
	reload_with(world, &world->new_authority);
	await(world, &world->bob);
	expect_new(world);
	assert_true(is_answered(before));
	close_connection(before);
	reload_with(world, &world->old_authority);
	await(world, &world->alice);
	expect_old(world);
}

static void
alterations_name_files(void **state)
{
	struct world *world = *state;
	SSL *before = open_connection(world, &world->alice);

	assert_true(is_answered(before));
	assert_int_equal(
	    alter(world,
		CONFIGS(STORE("truststore.location"), world->new_pem)),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	expect_new(world);
	assert_true(is_answered(before));
	close_connection(before);
	/* What it cannot go on with changes nothing. */
	assert_int_equal(
	    alter(world, CONFIGS(STORE("truststore.location"), "/nowhere")),
	    RD_KAFKA_RESP_ERR_INVALID_REQUEST);
	assert_int_equal(
	    alter(world, CONFIGS(STORE("truststore.location"), "/dev/null")),
	    RD_KAFKA_RESP_ERR_INVALID_REQUEST);
	expect_new(world);
	broker_process_kill(&world->broker);
	broker_process_restart(&world->broker);
	expect_new(world);
	assert_int_equal(
	    alter(world, NO_CONFIGS), RD_KAFKA_RESP_ERR_NO_ERROR);
	expect_old(world);
}

static void
alterations_bring_certificates(void **state)
{
	struct world *world = *state;
	char *trusted = pem_text(&world->new_authority, false);

	expect_old(world);
	assert_int_equal(
	    alter(world,
		CONFIGS(STORE("truststore.certificates"), trusted)),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	expect_new(world);
	trusted[strlen(trusted) / 2] = '!';
	assert_int_equal(
	    alter(world,
		CONFIGS(STORE("truststore.certificates"), trusted)),
	    RD_KAFKA_RESP_ERR_INVALID_REQUEST);
	/* Not beside a file. */
	assert_int_equal(
	    alter(world,
		CONFIGS(STORE("truststore.location"), world->old_pem)),
	    RD_KAFKA_RESP_ERR_INVALID_REQUEST);
	expect_new(world);
	assert_int_equal(
	    alter(world, NO_CONFIGS), RD_KAFKA_RESP_ERR_NO_ERROR);
	expect_old(world);
	free(trusted);
}

static bool
shows(struct world *world, const struct certificate *certificate)
{
	SSL *ssl = open_connection(world, &world->alice);
	X509 *peer = SSL_get1_peer_certificate(ssl);
	bool same = X509_cmp(peer, certificate->x509) == 0;

	X509_free(peer);
	close_connection(ssl);
	return same;
}

static void
alterations_bring_keys(void **state)
{
	struct world *world = *state;
	struct certificate next =
	    certificate_new("broker", &world->old_authority);
	char *key = pem_text(&next, true);
	char *chain = pem_text(&next, false);

	/* A key that does not fit the certificate that is there. */
	assert_int_equal(alter(world, CONFIGS(STORE("keystore.key"), key)),
	    RD_KAFKA_RESP_ERR_INVALID_REQUEST);
	assert_true(shows(world, &world->own));
	assert_int_equal(
	    alter(world,
		CONFIGS(STORE("keystore.key"), key,
		    STORE("keystore.certificate.chain"), chain)),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_true(shows(world, &next));
	broker_process_kill(&world->broker);
	broker_process_restart(&world->broker);
	assert_true(shows(world, &next));
	assert_int_equal(
	    alter(world, NO_CONFIGS), RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_true(shows(world, &world->own));
	certificate_free(&next);
	free(key);
	free(chain);
}

int
main(void)
{
	const struct CMUnitTest with_files[] = {
		cmocka_unit_test(files_are_read_again),
		cmocka_unit_test(alterations_name_files),
	};
	const struct CMUnitTest with_texts[] = {
		cmocka_unit_test(alterations_bring_certificates),
		cmocka_unit_test(alterations_bring_keys),
	};

	return cmocka_run_group_tests(with_files, start_with_files, stop) +
	    cmocka_run_group_tests(with_texts, start_with_texts, stop);
}
