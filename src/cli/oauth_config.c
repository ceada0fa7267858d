#include "cli/oauth_config.h"

#include <stdio.h>

#include "auth/jwk_source.h"
#include "base/log.h"
#include "base/slice.h"
#include "meta/config_keys.h"
#include "net/tls_material.h"

#define MECHANISM "oauthbearer."
#define HANDLER_KEY "sasl.server.callback.handler.class"
#define OAUTH "sasl.oauthbearer."
#define PACKAGE "org.apache.kafka.common.security.oauthbearer."

#define OPTION "unsecuredValidator"

/* --- Values --------------------------------------------------------------- */

/* A checked value, trimmed; null where there is none, or only blanks. */
static int
read_value(const struct listener_keys *keys, const char *key,
    const char **name, struct slice *value)
{
	const struct config_key *known =
	    config_key_find(CONFIG_TABLE_BROKER, slice_str(key));
	const char *text = listener_keys_get_any(keys, MECHANISM, key, name);
	struct slice message;

	assert(known != NULL);
	*value = slice_str(text != NULL ? text : known->default_value);
	if (!config_key_check(known, *value, keys->arena, &message)) {
		fprintf(stderr, "klamm: %s: %.*s\n", *name,
		    SLICE_ARG(message));
		return -1;
	}
	*value = slice_trim(*value);
	if (value->len == 0)
		*value = SLICE_NULL;
	return 0;
}

static int
read_text(
    const struct listener_keys *keys, const char *key, const char **text)
{
	const char *name;
	struct slice value;

	if (read_value(keys, key, &name, &value) != 0)
		return -1;
	*text = slice_is_null(value) ?
	    NULL :
	    (const char *)arena_printf(keys->arena, "%.*s", SLICE_ARG(value))
		.data;
	return 0;
}

/* The name of a claim, which may not be missing. */
static int
read_claim(
    const struct listener_keys *keys, const char *key, const char **text)
{
	if (read_text(keys, key, text) != 0)
		return -1;
	return *text != NULL ? 0 :
			       listener_keys_refuse(key, "has to name a claim");
}

static int
read_number(const struct listener_keys *keys, const char *key, int64_t min,
    int64_t *number)
{
	const char *name;
	struct slice value;

	if (read_value(keys, key, &name, &value) != 0)
		return -1;
	if (config_key_int64(value, number) == 0 && *number >= min &&
	    *number <= INT32_MAX * (int64_t)1000)
		return 0;
	fprintf(stderr, "klamm: %s: has to be a number, %lld at least\n", name,
	    (long long)min);
	return -1;
}

/* Parts of a list, which sep parts, without those that are empty. */
static size_t
words_of(struct slice list, char sep, struct arena *arena,
    const struct slice **words)
{
	struct slice *all = arena_xcalloc(arena, list.len + 1, sizeof(*all));
	size_t count = 0, begin = 0;

	for (size_t i = 0; i <= list.len; i++) {
		struct slice word;

		if (i < list.len && list.data[i] != (uint8_t)sep)
			continue;
		word = slice_trim(slice_of(list.data + begin, i - begin));
		begin = i + 1;
		if (word.len > 0)
			all[count++] = word;
	}
	*words = all;
	return count;
}

/* --- What is not served --------------------------------------------------- */

/* Keys of a broker that gets tokens itself. */
static int
refuse_login(const struct listener_keys *keys)
{
	static const char *const names[] = {
		OAUTH "assertion.algorithm",
		OAUTH "assertion.claim.aud",
		OAUTH "assertion.claim.exp.seconds",
		OAUTH "assertion.claim.iss",
		OAUTH "assertion.claim.jti.include",
		OAUTH "assertion.claim.nbf.seconds",
		OAUTH "assertion.claim.sub",
		OAUTH "assertion.file",
		OAUTH "assertion.private.key.file",
		OAUTH "assertion.private.key.passphrase",
		OAUTH "assertion.template.file",
		OAUTH "client.credentials.client.id",
		OAUTH "client.credentials.client.secret",
		OAUTH "jwt.retriever.class",
		OAUTH "scope",
		OAUTH "token.endpoint.url",
	};
	const char *name;

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (listener_keys_get_any(keys, MECHANISM, names[i], &name) !=
		    NULL)
			return listener_keys_refuse(name,
			    "this broker gets no tokens: it logs in nowhere");
	return 0;
}

static int
check_validator(const struct listener_keys *keys)
{
	const char *name;
	const char *class = listener_keys_get_any(
	    keys, MECHANISM, OAUTH "jwt.validator.class", &name);

	if (class == NULL ||
	    strcmp(class, PACKAGE "DefaultJwtValidator") == 0 ||
	    strcmp(class, PACKAGE "BrokerJwtValidator") == 0)
		return 0;
	return listener_keys_refuse(
	    name, "other validators are not supported");
}

/* --- Without signatures --------------------------------------------------- */

static const char *
option_of(const struct listener_keys *keys, const struct jaas_entry *entry,
    const char *name, const char *default_value)
{
	struct slice value = slice_trim(jaas_option(entry, name));

	return value.len == 0 ?
	    default_value :
	    (const char *)arena_printf(keys->arena, "%.*s", SLICE_ARG(value))
		.data;
}

static int
read_scopes(const struct listener_keys *keys, const struct jaas_entry *entry,
    struct oauth_settings *settings)
{
	struct slice list =
	    slice_trim(jaas_option(entry, OPTION "RequiredScope"));

	settings->required_scopes_count =
	    words_of(list, ' ', keys->arena, &settings->required_scopes);
	for (size_t i = 0; i < settings->required_scopes_count; i++)
		if (!oauth_scope_valid(settings->required_scopes[i]))
			return listener_keys_refuse(OPTION "RequiredScope",
			    "a scope has a character that scopes have not");
	return 0;
}

static int
read_unsecured(const struct listener_keys *keys,
    const struct jaas_entry *entry, struct oauth_settings *settings)
{
	const char *skew =
	    option_of(keys, entry, OPTION "AllowableClockSkewMs", "0");

	settings->principal_claim =
	    option_of(keys, entry, OPTION "PrincipalClaimName", "sub");
	settings->scope_claim =
	    option_of(keys, entry, OPTION "ScopeClaimName", "scope");
	if (config_key_int64(slice_str(skew), &settings->skew_ms) != 0 ||
	    settings->skew_ms < 0 || settings->skew_ms > INT32_MAX)
		return listener_keys_refuse(OPTION "AllowableClockSkewMs",
		    "is no number of milliseconds");
	if (read_scopes(keys, entry, settings) != 0)
		return -1;
	log_warn("auth", "%soauthbearer." HANDLER_KEY " is not set: clients "
	    "are who they say they are, for their tokens have no signatures",
	    keys->prefix);
	return 0;
}

/* --- With signatures ------------------------------------------------------ */

static int
read_url(const struct listener_keys *keys, struct jwk_source_settings *source)
{
	const char *key = OAUTH "jwks.endpoint.url", *reason;

	if (read_text(keys, key, &source->url) != 0)
		return -1;
	if (source->url == NULL)
		return listener_keys_refuse(key,
		    "has to be set: the signatures of tokens are verified "
		    "with the keys that are there");
	if (jwk_source_url_check(source->url, &reason) != 0)
		return listener_keys_refuse(key, reason);
	return 0;
}

static int
read_source(const struct listener_keys *keys,
    struct jwk_source_settings *source)
{
	if (read_url(keys, source) != 0 ||
	    read_number(keys, OAUTH "jwks.endpoint.refresh.ms", 1,
		&source->refresh_ms) != 0 ||
	    read_number(keys, OAUTH "jwks.endpoint.retry.backoff.ms", 0,
		&source->backoff_ms) != 0)
		return -1;
	/* Kafka finds that out when it is to try again. */
	return read_number(keys, OAUTH "jwks.endpoint.retry.backoff.max.ms",
	    source->backoff_ms, &source->backoff_max_ms);
}

/* NULL where it is no option that names whom to trust. */
static const char **
trust_option(struct tls_store_settings *stores, struct slice name)
{
	if (slice_equal_str(name, "ssl.truststore.type"))
		return &stores->truststore_type;
	if (slice_equal_str(name, "ssl.truststore.location"))
		return &stores->truststore_location;
	if (slice_equal_str(name, "ssl.truststore.password"))
		return &stores->truststore_password;
	if (slice_equal_str(name, "ssl.truststore.certificates"))
		return &stores->truststore_certificates;
	return NULL;
}

/* Of how the endpoint is spoken to it can be said whom https: trusts. */
static int
read_trust(const struct listener_keys *keys, const struct jaas_entry *entry,
    struct jwk_source_settings *source)
{
	struct tls_store_settings *stores =
	    arena_xcalloc(keys->arena, 1, sizeof(*stores));

	for (size_t i = 0; i < entry->options_count; i++) {
		const struct jaas_option *option = &entry->options[i];
		const char **text = trust_option(stores, option->name);

		if (text != NULL)
			*text = (const char *)arena_printf(keys->arena, "%.*s",
			    SLICE_ARG(option->value)).data;
		else if (option->name.len >= 4 &&
		    memcmp(option->name.data, "ssl.", 4) == 0)
			return listener_keys_refuse("sasl.jaas.config",
			    "of options ssl.* only ssl.truststore.* are "
			    "supported");
	}
	if (stores->truststore_location != NULL ||
	    stores->truststore_password != NULL ||
	    stores->truststore_certificates != NULL)
		source->stores = stores;
	return 0;
}

static int
read_audiences(
    const struct listener_keys *keys, struct oauth_settings *settings)
{
	const char *name;
	struct slice list;

	if (read_value(keys, OAUTH "expected.audience", &name, &list) != 0)
		return -1;
	settings->audiences_count =
	    words_of(list, ',', keys->arena, &settings->audiences);
	if (settings->audiences_count == 0)
		log_warn("auth", "%s is not set: tokens for others, which do "
		    "not say whom they are for, are accepted", name);
	return 0;
}

static int
read_issuer(
    const struct listener_keys *keys, struct oauth_settings *settings)
{
	const char *name;

	if (read_value(keys, OAUTH "expected.issuer", &name,
		&settings->issuer) != 0)
		return -1;
	if (slice_is_null(settings->issuer))
		log_warn("auth",
		    "%s is not set: tokens of any issuer are accepted", name);
	return 0;
}

static int
read_signed(const struct listener_keys *keys, const struct jaas_entry *entry,
    struct oauth_settings *settings)
{
	struct jwk_source_settings *source =
	    arena_xcalloc(keys->arena, 1, sizeof(*source));
	int64_t skew_s;

	settings->source = source;
	if (check_validator(keys) != 0 || read_source(keys, source) != 0 ||
	    read_trust(keys, entry, source) != 0 ||
	    read_number(keys, OAUTH "clock.skew.seconds", 0, &skew_s) != 0)
		return -1;
	settings->skew_ms = 1000 * skew_s;
	if (read_claim(keys, OAUTH "sub.claim.name",
		&settings->principal_claim) != 0 ||
	    read_claim(keys, OAUTH "scope.claim.name",
		&settings->scope_claim) != 0)
		return -1;
	return read_audiences(keys, settings) != 0 ||
		read_issuer(keys, settings) != 0 ?
	    -1 :
	    0;
}

/* --- The whole ------------------------------------------------------------ */

const struct oauth_settings *
oauth_config_read(
    const struct listener_keys *keys, const struct jaas_entry *entry)
{
	struct oauth_settings *settings =
	    arena_xcalloc(keys->arena, 1, sizeof(*settings));
	const char *name;
	const char *class =
	    listener_keys_get(keys, MECHANISM, HANDLER_KEY, &name);
	int result = refuse_login(keys);

	if (result != 0)
		return NULL;
	if (class == NULL)
		result = read_unsecured(keys, entry, settings);
	else if (strcmp(class, OAUTH_VALIDATOR_CLASS) == 0)
		result = read_signed(keys, entry, settings);
	else
		result = listener_keys_refuse(
		    name, "other handlers are not supported");
	return result == 0 ? settings : NULL;
}
