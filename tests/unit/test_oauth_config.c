/*
 * Which tokens let clients of a listener in: keys of the broker, the listener
 * and the mechanism, options of the login module, and what is refused.
 */
#include "unit/unit.h"

#include "auth/jwk_source.h"
#include "auth/oauth.h"
#include "cli/jaas_login.h"
#include "cli/sasl_config.h"
#include "net/tls_material.h"

#define LISTENER "listener.name.outside."
#define MECHANISM LISTENER "oauthbearer."
#define PACKAGE "org.apache.kafka.common.security.oauthbearer."
#define MODULE PACKAGE "OAuthBearerLoginModule required"
#define OAUTH "sasl.oauthbearer."

/* What every signed listener has. */
#define SIGNED                                                             \
	{ MECHANISM "sasl.server.callback.handler.class",                  \
		PACKAGE "OAuthBearerValidatorCallbackHandler" },           \
	    { OAUTH "jwks.endpoint.url", "file:/keys" }

struct pair {
	const char *key;
	const char *value;
};

static struct {
	struct properties properties;
	struct arena arena;
	struct jaas_login login;
	struct sasl_settings settings;
} world;

static int
set_up(void **state UNUSED)
{
	properties_init(&world.properties);
	arena_init(&world.arena, SIZE_MAX);
	jaas_login_init(&world.login, (char *[]){ NULL }, &world.arena);
	properties_set(
	    &world.properties, "sasl.enabled.mechanisms", "OAUTHBEARER");
	properties_set(&world.properties, MECHANISM "sasl.jaas.config",
	    MODULE ";");
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	jaas_login_fini(&world.login);
	properties_fini(&world.properties);
	arena_reset(&world.arena);
	return 0;
}

/* NULL where they are refused. */
static const struct oauth_settings *
read_pairs(const struct pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		properties_set(
		    &world.properties, pairs[i].key, pairs[i].value);
	return sasl_config_read(&world.settings, &world.properties, "OUTSIDE",
		   &world.login, &world.arena) == 0 ?
	    world.settings.oauth :
	    NULL;
}

#define READ(...)                                              \
	read_pairs((const struct pair[]){ __VA_ARGS__ },       \
	    sizeof((const struct pair[]){ __VA_ARGS__ }) /     \
		sizeof(struct pair))

static void
without_a_handler_tokens_have_no_signatures(void **state UNUSED)
{
	const struct oauth_settings *oauth = READ({ "node.id", "1" });

	assert_non_null(oauth);
	assert_true(world.settings.enabled[SASL_OAUTHBEARER]);
	assert_null(oauth->source);
	assert_string_equal(oauth->principal_claim, "sub");
	assert_string_equal(oauth->scope_claim, "scope");
	assert_int_equal(oauth->skew_ms, 0);
	assert_int_equal(oauth->required_scopes_count, 0);
}

static void
the_module_has_options(void **state UNUSED)
{
	const struct oauth_settings *oauth = READ({
	    MECHANISM "sasl.jaas.config",
	    MODULE " unsecuredValidatorPrincipalClaimName=\" user \""
		   " unsecuredValidatorScopeClaimName=\"rights\""
		   " unsecuredValidatorRequiredScope=\" a  b!\""
		   " unsecuredValidatorAllowableClockSkewMs=\"5000\""
		   " unsecuredLoginStringClaim_sub=\"broker\";" });

	assert_non_null(oauth);
	assert_string_equal(oauth->principal_claim, "user");
	assert_string_equal(oauth->scope_claim, "rights");
	assert_int_equal(oauth->skew_ms, 5000);
	assert_int_equal(oauth->required_scopes_count, 2);
	assert_true(slice_equal_str(oauth->required_scopes[0], "a"));
	assert_true(slice_equal_str(oauth->required_scopes[1], "b!"));
}

static void
signatures_have_kafkas_defaults(void **state UNUSED)
{
	const struct oauth_settings *oauth = READ(SIGNED);

	assert_non_null(oauth);
	assert_string_equal(oauth->source->url, "file:/keys");
	assert_null(oauth->source->stores);
	assert_int_equal(oauth->source->refresh_ms, 3600000);
	assert_int_equal(oauth->source->backoff_ms, 100);
	assert_int_equal(oauth->source->backoff_max_ms, 10000);
	assert_int_equal(oauth->skew_ms, 30000);
	assert_string_equal(oauth->principal_claim, "sub");
	assert_string_equal(oauth->scope_claim, "scope");
	assert_int_equal(oauth->audiences_count, 0);
	assert_true(slice_is_null(oauth->issuer));
}

/* The mechanism's keys, then those of the listener, then the broker's. */
static void
the_nearest_key_counts(void **state UNUSED)
{
	const struct oauth_settings *oauth = READ(SIGNED,
	    { MECHANISM OAUTH "expected.audience", "us, we" },
	    { LISTENER OAUTH "expected.audience", "you" },
	    { OAUTH "expected.audience", "they" },
	    { LISTENER OAUTH "expected.issuer", " them " },
	    { OAUTH "expected.issuer", "they" },
	    { OAUTH "clock.skew.seconds", "5" },
	    { OAUTH "sub.claim.name", "azp" },
	    { LISTENER OAUTH "scope.claim.name", "scp" },
	    { MECHANISM OAUTH "jwks.endpoint.url", "https://a/keys" },
	    { LISTENER OAUTH "jwks.endpoint.refresh.ms", "7" },
	    { OAUTH "jwks.endpoint.retry.backoff.ms", "8" },
	    { OAUTH "jwks.endpoint.retry.backoff.max.ms", "9" },
	    { OAUTH "jwt.validator.class", PACKAGE "BrokerJwtValidator" });

	assert_non_null(oauth);
	assert_int_equal(oauth->audiences_count, 2);
	assert_true(slice_equal_str(oauth->audiences[0], "us"));
	assert_true(slice_equal_str(oauth->audiences[1], "we"));
	assert_true(slice_equal_str(oauth->issuer, "them"));
	assert_int_equal(oauth->skew_ms, 5000);
	assert_string_equal(oauth->principal_claim, "azp");
	assert_string_equal(oauth->scope_claim, "scp");
	assert_string_equal(oauth->source->url, "https://a/keys");
	assert_int_equal(oauth->source->refresh_ms, 7);
	assert_int_equal(oauth->source->backoff_ms, 8);
	assert_int_equal(oauth->source->backoff_max_ms, 9);
}

static void
an_endpoint_is_trusted_as_the_module_says(void **state UNUSED)
{
	const struct oauth_settings *oauth = READ(SIGNED,
	    { MECHANISM "sasl.jaas.config",
		MODULE " ssl.truststore.type=\"PKCS12\""
		       " ssl.truststore.location=\"/a\""
		       " ssl.truststore.password=\"secret\";" });
	const struct tls_store_settings *stores;

	assert_non_null(oauth);
	stores = oauth->source->stores;
	assert_string_equal(stores->truststore_type, "PKCS12");
	assert_string_equal(stores->truststore_location, "/a");
	assert_string_equal(stores->truststore_password, "secret");
	assert_null(stores->truststore_certificates);
}

static void
what_is_not_served_is_refused(void **state)
{
	static const struct pair wrong[] = {
		{ OAUTH "jwks.endpoint.url", "" },
		{ OAUTH "jwks.endpoint.url", "ftp://a/" },
		{ LISTENER OAUTH "jwks.endpoint.url", "http://u@a/" },
		{ OAUTH "jwks.endpoint.refresh.ms", "0" },
		{ OAUTH "jwks.endpoint.refresh.ms", "x" },
		{ OAUTH "jwks.endpoint.retry.backoff.ms", "-1" },
		{ OAUTH "jwks.endpoint.retry.backoff.max.ms", "99" },
		{ OAUTH "clock.skew.seconds", "-1" },
		{ OAUTH "clock.skew.seconds", "1.5" },
		{ OAUTH "sub.claim.name", " " },
		{ MECHANISM OAUTH "scope.claim.name", "" },
		{ OAUTH "jwt.validator.class", "com.example.Mine" },
		{ OAUTH "jwt.retriever.class", "com.example.Mine" },
		{ OAUTH "token.endpoint.url", "https://a/token" },
		{ LISTENER OAUTH "assertion.file", "/a" },
		{ OAUTH "assertion.private.key.passphrase", "secret" },
		{ OAUTH "client.credentials.client.secret", "secret" },
		{ MECHANISM OAUTH "scope", "a" },
		{ MECHANISM "sasl.server.callback.handler.class", "Mine" },
		{ MECHANISM "sasl.jaas.config", "Mine required;" },
		{ MECHANISM "sasl.jaas.config",
		    MODULE " ssl.keystore.location=\"/a\";" },
	};

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		assert_non_null(READ(SIGNED));
		if (read_pairs(&wrong[i], 1) != NULL)
			fail_msg("taken: %s=%s", wrong[i].key, wrong[i].value);
		tear_down(state);
		set_up(state);
	}
}

static void
options_that_make_no_sense_are_refused(void **state UNUSED)
{
	static const char *const wrong[] = {
		"unsecuredValidatorAllowableClockSkewMs=\"-1\"",
		"unsecuredValidatorAllowableClockSkewMs=\"x\"",
		"unsecuredValidatorRequiredScope=\"a\\\"b\"",
	};

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		char *line = xasprintf(MODULE " %s;", wrong[i]);

		assert_null(READ({ MECHANISM "sasl.jaas.config", line }));
		free(line);
	}
}

static void
a_handler_needs_a_place_of_keys(void **state UNUSED)
{
	assert_null(READ({ MECHANISM "sasl.server.callback.handler.class",
	    PACKAGE "OAuthBearerValidatorCallbackHandler" }));
}

int
main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		EACH(without_a_handler_tokens_have_no_signatures),
		EACH(the_module_has_options),
		EACH(signatures_have_kafkas_defaults),
		EACH(the_nearest_key_counts),
		EACH(an_endpoint_is_trusted_as_the_module_says),
		EACH(what_is_not_served_is_refused),
		EACH(options_that_make_no_sense_are_refused),
		EACH(a_handler_needs_a_place_of_keys),
	};
#undef EACH

	return cmocka_run_group_tests(tests, NULL, NULL);
}
