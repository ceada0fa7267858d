/*
 * Keys of an issuer that are on a server with TLS: the broker believes it by
 * what the login module says, or by what the system trusts.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "unit/certificates.h"
#include "unit/http_server.h"
#include "unit/temp_dir.h"
#include "unit/token_issuer.h"
#include "wire/error.h"
#include "wire/generated/sasl_authenticate.h"
#include "wire/generated/sasl_handshake.h"

#define PREFIX "listener.name.sasl_plaintext."
#define PACKAGE "org.apache.kafka.common.security.oauthbearer."
#define JAAS \
	PREFIX "oauthbearer.sasl.jaas.config=" PACKAGE \
	       "OAuthBearerLoginModule required"

#define call(client, NAME, name, version, request)             \
	((const struct kp_##name##_response *)raw_client_call( \
	    client, KP_##NAME##_KEY, (int16_t)(version), request))

static struct certificate authority;
static struct http_server *server;
static struct token_key *key;
static char *directory, *authority_pem, *url;

static int
set_up(void **state UNUSED)
{
	struct certificate own;
	char *keys;

	authority = certificate_new("authority", NULL);
	own = certificate_new("issuer", &authority);
	directory = temp_dir_make();
	authority_pem = xasprintf("%s/authority.pem", directory);
	certificate_write(&authority, authority_pem);
	server = http_server_new_tls(own.x509, own.key);
	certificate_free(&own);
	key = token_key_new("ES256", "first", 0);
	keys = token_key_set(key, NULL);
	http_server_serve(server, keys);
	free(keys);
	url = xasprintf(
	    "sasl.oauthbearer.jwks.endpoint.url=https://localhost:%d/keys",
	    http_server_port(server));
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	http_server_free(server);
	token_key_free(key);
	certificate_free(&authority);
	temp_dir_remove(directory);
	free(authority_pem);
	free(url);
	return 0;
}

/* --- Brokers and tokens --------------------------------------------------- */

static void
configure(struct broker_process *broker, const char *jaas)
{
	const char *const settings[] = {
		"listeners=SASL_PLAINTEXT://127.0.0.1:0",
		PREFIX "sasl.enabled.mechanisms=OAUTHBEARER",
		PREFIX "oauthbearer.sasl.server.callback.handler.class="
			PACKAGE "OAuthBearerValidatorCallbackHandler",
		"sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms=100",
		url,
		jaas,
	};

	broker_process_init(broker);
	for (size_t i = 0; i < COUNT_OF(settings); i++) {
		broker_process_argument(broker, "--override");
		broker_process_argument(broker, settings[i]);
	}
}

static void
expect_refusal(const char *jaas, const char *line)
{
	struct broker_process broker;

	configure(&broker, jaas);
	broker_process_launch(&broker);
	assert_int_equal(WEXITSTATUS(broker_process_wait(&broker)), 1);
	assert_true(broker_process_logged(&broker, line));
	broker_process_fini(&broker);
}

static char *
token(void)
{
	long long now = (long long)(clock_wall_ms() / 1000);
	char *claims = xasprintf("{\"sub\":\"alice\",\"iat\":%lld,"
				 "\"exp\":%lld}",
	    now, now + 600);
	char *text = token_of(key, claims);

	free(claims);
	return text;
}

static void
expect_login(const struct broker_process *broker)
{
	const struct kp_sasl_handshake_request shake = {
		.mechanism = slice_str("OAUTHBEARER"),
	};
	const struct kp_sasl_authenticate_response *response;
	struct kp_sasl_authenticate_request request = { .auth_bytes =
							    SLICE_NULL };
	struct raw_client client;
	char *text = token();

	raw_client_init(&client, broker);
	assert_int_equal(
	    call(&client, SASL_HANDSHAKE, sasl_handshake, 1, &shake)
		->error_code,
	    KP_NONE);
	request.auth_bytes = arena_printf(&client.arena,
	    "n,,\x01" "auth=Bearer %s\x01\x01", text);
	response = call(&client, SASL_AUTHENTICATE, sasl_authenticate, 2,
	    &request);
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->auth_bytes.len, 0);
	raw_client_fini(&client);
	free(text);
}

static void
expect_service(const char *jaas)
{
	struct broker_process broker;

	configure(&broker, jaas);
	broker_process_restart(&broker);
	expect_login(&broker);
	broker_process_fini(&broker);
}

/* --- Tests ---------------------------------------------------------------- */

static void
the_login_module_names_a_trust_store(void **state UNUSED)
{
	char *jaas = xasprintf(JAAS " ssl.truststore.type=\"PEM\" "
				    "ssl.truststore.location=\"%s\";",
	    authority_pem);

	expect_service(jaas);
	free(jaas);
}

static void
the_system_trusts_what_its_variable_names(void **state UNUSED)
{
	assert_int_equal(setenv("SSL_CERT_FILE", authority_pem, 1), 0);
	expect_service(JAAS ";");
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
}

static void
nobody_else_is_believed(void **state UNUSED)
{
	int count = http_server_count(server);

	expect_refusal(JAAS ";",
	    "cannot be fetched: TLS: unable to get local issuer certificate");
	assert_int_equal(http_server_count(server), count);
}

static void
a_trust_store_that_is_none_is_refused(void **state UNUSED)
{
	expect_refusal(JAAS " ssl.truststore.type=\"PEM\" "
			    "ssl.truststore.location=\"/nowhere\";",
	    "ssl.truststore.location: Failed to load SSL truststore "
	    "/nowhere of type PEM: No such file or directory");
	expect_refusal(JAAS " ssl.truststore.type=\"PEM\" "
			    "ssl.truststore.location=\"/dev/null\";",
	    "truststore /dev/null: At least one certificate expected");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_login_module_names_a_trust_store),
		cmocka_unit_test(the_system_trusts_what_its_variable_names),
		cmocka_unit_test(nobody_else_is_believed),
		cmocka_unit_test(a_trust_store_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
