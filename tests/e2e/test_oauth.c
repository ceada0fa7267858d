/*
 * Clients with bearer tokens: librdkafka with tokens of its own and with those
 * of an issuer whose keys are on a server, which change; sessions that end with
 * their tokens, by plain frames.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"
#include "e2e/raw_client.h"
#include "unit/http_server.h"
#include "unit/token_issuer.h"
#include "wire/error.h"
#include "wire/generated/metadata.h"
#include "wire/generated/sasl_authenticate.h"
#include "wire/generated/sasl_handshake.h"

#include <time.h>

#define PREFIX "listener.name.sasl_plaintext."
#define MODULE                                          \
	"org.apache.kafka.common.security.oauthbearer." \
	"OAuthBearerLoginModule required"
#define HANDLER                                                          \
	PREFIX "oauthbearer.sasl.server.callback.handler.class="         \
	       "org.apache.kafka.common.security.oauthbearer." \
	       "OAuthBearerValidatorCallbackHandler"

#define INVALID "{\"status\":\"invalid_token\"}"

/* Long enough for a test, and short enough to be waited for. */
#define SESSION_S 3

#define call(client, NAME, name, version, request)             \
	((const struct kp_##name##_response *)raw_client_call( \
	    client, KP_##NAME##_KEY, (int16_t)(version), request))

struct world {
	struct broker_process broker;
	struct http_server *server;
	struct token_key *key;
	struct token_key *next;
	char *url;
};

/* --- Brokers -------------------------------------------------------------- */

static void
start(struct broker_process *broker, const char *const *overrides)
{
	broker_process_init(broker);
	for (; *overrides != NULL; overrides++) {
		broker_process_argument(broker, "--override");
		broker_process_argument(broker, *overrides);
	}
	broker_process_restart(broker);
}

#define COMMON                                                     \
	"listeners=SASL_PLAINTEXT://127.0.0.1:0",                  \
	    PREFIX "sasl.enabled.mechanisms=OAUTHBEARER",          \
	    "connection.failed.authentication.delay.ms=1"

static int
start_signed(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	char *keys;

	world->server = http_server_new();
	world->key = token_key_new("RS256", "first", 0);
	world->next = token_key_new("ES256", "second", 0);
	keys = token_key_set(world->key, NULL);
	http_server_serve(world->server, keys);
	free(keys);
	world->url = xasprintf(
	    "sasl.oauthbearer.jwks.endpoint.url=http://localhost:%d/keys",
	    http_server_port(world->server));
	start(&world->broker,
	    (const char *const[]){ COMMON, HANDLER, world->url,
		PREFIX "oauthbearer.sasl.jaas.config=" MODULE ";",
		PREFIX "sasl.oauthbearer.expected.audience=us",
		PREFIX "oauthbearer.sasl.oauthbearer.expected.issuer=them",
		NULL });
	*state = world;
	return 0;
}

static int
start_unsecured(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	start(&world->broker,
	    (const char *const[]){ COMMON,
		PREFIX "oauthbearer.sasl.jaas.config=" MODULE
		       " unsecuredValidatorRequiredScope=\"read\";",
		NULL });
	*state = world;
	return 0;
}

static int
stop(void **state)
{
	struct world *world = *state;

	broker_process_fini(&world->broker);
	if (world->server != NULL)
		http_server_free(world->server);
	token_key_free(world->key);
	token_key_free(world->next);
	free(world->url);
	free(world);
	return 0;
}

/* --- Tokens --------------------------------------------------------------- */

/* For so many seconds from now. */
static char *
token_for(const struct token_key *key, const char *name, int64_t seconds)
{
	int64_t now = clock_wall_ms() / 1000;
	char *claims = xasprintf(
	    "{\"sub\":\"%s\",\"aud\":\"us\",\"iss\":\"them\",\"iat\":%lld,"
	    "\"exp\":%lld}",
	    name, (long long)now, (long long)(now + seconds));
	char *token = token_of(key, claims);

	free(claims);
	return token;
}

/* --- By plain frames ------------------------------------------------------ */

static void
shake_hands(struct raw_client *client)
{
	const struct kp_sasl_handshake_request request = {
		.mechanism = slice_str("OAUTHBEARER"),
	};

	assert_int_equal(
	    call(client, SASL_HANDSHAKE, sasl_handshake, 1, &request)
		->error_code,
	    KP_NONE);
}

static const struct kp_sasl_authenticate_response *
authenticate(struct raw_client *client, struct slice bytes)
{
	const struct kp_sasl_authenticate_request request = {
		.auth_bytes = bytes,
	};

	return call(client, SASL_AUTHENTICATE, sasl_authenticate, 2, &request);
}

static const struct kp_sasl_authenticate_response *
show_token(struct raw_client *client, char *token)
{
	struct slice message = arena_printf(&client->arena,
	    "n,,\x01" "auth=Bearer %s\x01\x01", token);

	free(token);
	return authenticate(client, message);
}

/* The lifetime of the session that the token gives. */
static int64_t
log_in(struct raw_client *client, char *token)
{
	const struct kp_sasl_authenticate_response *response;

	shake_hands(client);
	response = show_token(client, token);
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->auth_bytes.len, 0);
	return response->session_lifetime_ms;
}

static bool
is_let_in(struct world *world, char *token)
{
	const struct kp_sasl_authenticate_response *response;
	struct raw_client client;
	bool in;

	raw_client_init(&client, &world->broker);
	shake_hands(&client);
	response = show_token(&client, token);
	assert_int_equal(response->error_code, KP_NONE);
	in = response->auth_bytes.len == 0;
	raw_client_fini(&client);
	return in;
}

static void
expect_served(struct raw_client *client)
{
	const struct kp_metadata_request request = { .topics_count = 0 };

	assert_int_equal(
	    call(client, METADATA, metadata, 12, &request)->brokers_count, 1);
}

static void
a_refusal_is_told_in_two_steps(void **state)
{
	struct world *world = *state;
	const struct kp_sasl_authenticate_response *response;
	struct raw_client client;

	raw_client_init(&client, &world->broker);
	shake_hands(&client);
	response = show_token(&client, token_for(world->next, "alice", 600));
	assert_int_equal(response->error_code, KP_NONE);
	assert_true(slice_equal_str(response->auth_bytes, INVALID));
	assert_int_equal(response->session_lifetime_ms, 0);
	response = authenticate(&client, slice_str("\x01"));
	assert_int_equal(response->error_code, KP_SASL_AUTHENTICATION_FAILED);
	assert_true(slice_equal_str(response->error_message, INVALID));
	raw_client_expect_close(&client);
	raw_client_fini(&client);
	assert_true(broker_process_logged(
	    &world->broker, "failed authentication (there is no key for it)"));
}

/* Until the token of a session is over. */
static void
outlive(int64_t lifetime_ms)
{
	struct timespec time = {
		.tv_sec = (lifetime_ms + 1) / 1000,
		.tv_nsec = (lifetime_ms + 1) % 1000 * 1000000,
	};

	assert_int_equal(nanosleep(&time, NULL), 0);
}

static void
a_session_ends_with_its_token(void **state)
{
	struct world *world = *state;
	struct raw_client client;
	int64_t lifetime_ms;

	raw_client_init(&client, &world->broker);
	lifetime_ms =
	    log_in(&client, token_for(world->key, "alice", SESSION_S));
	assert_true(lifetime_ms > 0 && lifetime_ms <= SESSION_S * 1000);
	outlive(lifetime_ms);
	raw_client_request(&client, KP_METADATA_KEY, 12, 1, NULL);
	raw_client_expect_close(&client);
	raw_client_fini(&client);
}

static void
another_token_makes_a_session_longer(void **state)
{
	struct world *world = *state;
	struct raw_client client;
	int64_t lifetime_ms;

	raw_client_init(&client, &world->broker);
	lifetime_ms =
	    log_in(&client, token_for(world->key, "alice", SESSION_S));
	outlive(lifetime_ms);
	lifetime_ms = log_in(&client, token_for(world->key, "alice", 600));
	assert_true(lifetime_ms > SESSION_S * 1000);
	expect_served(&client);
	raw_client_fini(&client);
}

static void
another_token_is_of_the_same_client(void **state)
{
	struct world *world = *state;
	const struct kp_sasl_authenticate_response *response;
	struct raw_client client;

	raw_client_init(&client, &world->broker);
	log_in(&client, token_for(world->key, "alice", 600));
	shake_hands(&client);
	response = show_token(&client, token_for(world->key, "bob", 600));
	assert_int_equal(response->error_code, KP_SASL_AUTHENTICATION_FAILED);
	assert_true(slice_equal_str(response->error_message,
	    "Cannot change principals during re-authentication from "
	    "User.alice: User.bob"));
	raw_client_expect_close(&client);
	raw_client_fini(&client);
}

/* Within the skew it is good, but for nothing (OA11). */
static void
a_token_that_has_just_expired_lets_in_for_no_time(void **state)
{
	struct world *world = *state;
	struct raw_client client;

	raw_client_init(&client, &world->broker);
	assert_int_equal(
	    log_in(&client, token_for(world->key, "alice", 0)), 0);
	raw_client_request(&client, KP_METADATA_KEY, 12, 1, NULL);
	raw_client_expect_close(&client);
	raw_client_fini(&client);
}

/* --- librdkafka ----------------------------------------------------------- */

struct login {
	const struct token_key *key;
	int64_t seconds;
	int tokens; /* that were asked for */
	bool refused;
};

static void
on_refresh(rd_kafka_t *client, const char *config UNUSED, void *context)
{
	struct login *login = context;
	char *token = token_for(login->key, "alice", login->seconds);
	char error[256];

	login->tokens++;
	assert_int_equal(rd_kafka_oauthbearer_set_token(client, token,
			     clock_wall_ms() + login->seconds * 1000, "alice",
			     NULL, 0, error, sizeof(error)),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	free(token);
}

static void
on_error(rd_kafka_t *client UNUSED, int error, const char *reason UNUSED,
    void *context)
{
	struct login *login = context;

	if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION)
		login->refused = true;
}

static rd_kafka_t *
client_of(struct world *world, struct login *login, const char *const *more)
{
	rd_kafka_conf_t *conf = kafka_client_conf(&world->broker,
	    KAFKA_SETTINGS("security.protocol", "SASL_PLAINTEXT",
		"sasl.mechanisms", "OAUTHBEARER", "log_level", "0"));

	kafka_client_set(conf, more);
	rd_kafka_conf_set_error_cb(conf, on_error);
	if (login->key != NULL)
		rd_kafka_conf_set_oauthbearer_token_refresh_cb(
		    conf, on_refresh);
	rd_kafka_conf_set_opaque(conf, login);
	return kafka_client_of(conf, RD_KAFKA_PRODUCER);
}

/* Ask until it knows; does it get an answer? */
static bool
is_served(rd_kafka_t *client, struct login *login)
{
	const struct rd_kafka_metadata *metadata = NULL;

	login->refused = false;
	while (metadata == NULL && !login->refused) {
		rd_kafka_poll(client, 0);
		if (rd_kafka_metadata(client, 0, NULL, &metadata, 500) !=
		    RD_KAFKA_RESP_ERR_NO_ERROR)
			metadata = NULL;
	}
	if (metadata == NULL)
		return false;
	rd_kafka_metadata_destroy(metadata);
	return true;
}

static void
librdkafka_gets_in_with_a_token(void **state)
{
	struct world *world = *state;
	struct login login = { .key = world->key, .seconds = 600 };
	rd_kafka_t *client = client_of(world, &login, KAFKA_DEFAULTS);

	assert_true(is_served(client, &login));
	rd_kafka_destroy(client);
	login.key = world->next;
	client = client_of(world, &login, KAFKA_DEFAULTS);
	assert_false(is_served(client, &login));
	rd_kafka_destroy(client);
}

/* It shows new tokens before the sessions of the old ones end. */
static void
librdkafka_outlives_its_tokens(void **state)
{
	struct world *world = *state;
	struct login login = { .key = world->key, .seconds = SESSION_S };
	rd_kafka_t *client = client_of(world, &login, KAFKA_DEFAULTS);

	while (login.tokens < 3)
		assert_true(is_served(client, &login));
	assert_true(is_served(client, &login));
	rd_kafka_destroy(client);
}

/* Last, because nothing is as before then. */
static void
keys_change_while_the_broker_runs(void **state)
{
	struct world *world = *state;
	char *keys = token_key_set(world->next, NULL);

	assert_true(is_let_in(world, token_for(world->key, "alice", 600)));
	http_server_serve(world->server, keys);
	free(keys);
	/*
	 * A key that nobody has named yet: the other tests have named the
	 * next one, which therefore is not asked for again so soon.
	 */
	assert_false(is_let_in(world,
	    token_sign(world->next, "ES256",
		"{\"alg\":\"ES256\",\"kid\":\"unheard\"}", "{}")));
	while (!is_let_in(world, token_for(world->next, "alice", 600)))
		continue;
	assert_false(is_let_in(world, token_for(world->key, "alice", 600)));
}

static void
librdkafka_gets_in_with_tokens_of_its_own(void **state)
{
	struct world *world = *state;
	struct login login = { .key = NULL };
	rd_kafka_t *client = client_of(world, &login,
	    KAFKA_SETTINGS("enable.sasl.oauthbearer.unsecure.jwt", "true",
		"sasl.oauthbearer.config", "principal=alice scope=read"));

	assert_true(is_served(client, &login));
	rd_kafka_destroy(client);
	client = client_of(world, &login,
	    KAFKA_SETTINGS("enable.sasl.oauthbearer.unsecure.jwt", "true",
		"sasl.oauthbearer.config", "principal=alice scope=write"));
	assert_false(is_served(client, &login));
	rd_kafka_destroy(client);
	assert_true(broker_process_logged(
	    &world->broker, "failed authentication (it lacks a required "
			    "scope)"));
}

int
main(void)
{
	const struct CMUnitTest with_signatures[] = {
		cmocka_unit_test(a_refusal_is_told_in_two_steps),
		cmocka_unit_test(a_session_ends_with_its_token),
		cmocka_unit_test(another_token_makes_a_session_longer),
		cmocka_unit_test(another_token_is_of_the_same_client),
		cmocka_unit_test(
		    a_token_that_has_just_expired_lets_in_for_no_time),
		cmocka_unit_test(librdkafka_gets_in_with_a_token),
		cmocka_unit_test(librdkafka_outlives_its_tokens),
		cmocka_unit_test(keys_change_while_the_broker_runs),
	};
	const struct CMUnitTest without[] = {
		cmocka_unit_test(librdkafka_gets_in_with_tokens_of_its_own),
	};

	return cmocka_run_group_tests(with_signatures, start_signed, stop) +
	    cmocka_run_group_tests(without, start_unsecured, stop);
}
