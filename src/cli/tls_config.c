#include "cli/tls_config.h"

#include <ctype.h>
#include <stdio.h>

#include "auth/principal_rules.h"
#include "base/log.h"
#include "base/slice.h"
#include "cli/whole_file.h"
#include "net/tls_ciphers.h"

#define CLIENT_AUTH_KEY "ssl.client.auth"
#define PROTOCOL_KEY "ssl.protocol"
#define PROTOCOLS_KEY "ssl.enabled.protocols"
#define SUITES_KEY "ssl.cipher.suites"

#define LOGGER "klamm"

struct reader {
	struct tls_config *config;
	const struct properties *properties;
	const char *listener;
	const char *prefix; /* "listener.name.ssl." */
	bool sasl;
	struct arena *arena;
};

static const char *
prefix_of(const char *listener, struct arena *arena)
{
	struct slice text = arena_printf(arena, "listener.name.%s.", listener);
	char *prefix = arena_xalloc(arena, text.len + 1);

	for (size_t i = 0; i < text.len; i++)
		prefix[i] = (char)tolower(text.data[i]);
	prefix[text.len] = '\0';
	return prefix;
}

/* The value of the listener's key, which is *name then, or NULL. */
static const char *
lookup_own(const struct reader *reader, const char *key, const char **name)
{
	size_t len = strlen(reader->prefix) + strlen(key) + 1;
	char *own = arena_xalloc(reader->arena, len);

	snprintf(own, len, "%s%s", reader->prefix, key);
	*name = own;
	return properties_get(reader->properties, own);
}

/* That, or the broker's. */
static const char *
lookup(const struct reader *reader, const char *key, const char **name)
{
	const char *value = lookup_own(reader, key, name);

	if (value != NULL)
		return value;
	*name = key;
	return properties_get(reader->properties, key);
}

static int
refuse(const char *key, struct slice value, const char *what)
{
	fprintf(stderr, "klamm: %s: %.*s %s\n", key, SLICE_ARG(value), what);
	return -1;
}

/* --- Versions ------------------------------------------------------------- */

/* What Java has names for; its security properties forbid the old ones. */
static const struct {
	const char *name;
	int version; /* 0: not spoken any more */
} protocols[] = {
	{ "TLSv1.3", TLS1_3_VERSION },
	{ "TLSv1.2", TLS1_2_VERSION },
	{ "TLSv1.1", 0 },
	{ "TLSv1", 0 },
	{ "SSLv3", 0 },
	{ "SSLv2Hello", 0 },
};

static int
add_protocol(struct tls_settings *settings, const char *key, struct slice word)
{
	for (size_t i = 0; i < COUNT_OF(protocols); i++) {
		int version = protocols[i].version;

		if (!slice_equal_str(word, protocols[i].name))
			continue;
		if (version == 0) {
			(void)refuse(key, word, "is not spoken any more");
			return 0;
		}
		if (settings->version_min == 0 ||
		    version < settings->version_min)
			settings->version_min = version;
		settings->version_max = MAX(settings->version_max, version);
		return 0;
	}
	return refuse(key, word, "is no protocol");
}

static int
read_protocols(const struct reader *reader)
{
	struct tls_settings *settings = &reader->config->settings;
	const char *key;
	const char *value = lookup(reader, PROTOCOLS_KEY, &key);
	struct slice list, word;

	list = slice_str(value == NULL ? "TLSv1.2,TLSv1.3" : value);
	while (slice_next_word(&list, &word))
		if (add_protocol(settings, key, word) != 0)
			return -1;
	if (settings->version_max != 0)
		return 0;
	return refuse(key, slice_str(value),
	    "has none of TLSv1.2 and TLSv1.3");
}

/* A version that none of the suites is of cannot be spoken. */
static int
limit_versions(struct tls_settings *settings)
{
	if (*settings->ciphers == '\0')
		settings->version_min = TLS1_3_VERSION;
	if (*settings->cipher_suites == '\0')
		settings->version_max = TLS1_2_VERSION;
	return settings->version_min <= settings->version_max ? 0 : -1;
}

static int
read_suites(const struct reader *reader)
{
	struct tls_settings *settings = &reader->config->settings;
	const char *key;
	const char *value = lookup(reader, SUITES_KEY, &key);
	struct slice list = slice_str(value == NULL ? "" : value), first;
	struct tls_ciphers ciphers;

	if (!slice_next_word(&list, &first))
		return 0;
	list = slice_str(value);
	if (tls_ciphers_read(list, reader->arena, &ciphers, &first) != 0)
		return refuse(key, first, "is no cipher suite that is served");
	settings->ciphers = ciphers.ciphers;
	settings->cipher_suites = ciphers.cipher_suites;
	if (limit_versions(settings) == 0)
		return 0;
	return refuse(key, list, "has no suite for " PROTOCOLS_KEY);
}

/*
 * The name of a kind of SSLContext.  What is spoken is said by
 * ssl.enabled.protocols alone, as with Kafka.
 */
static int
check_protocol(const struct reader *reader)
{
	static const char *const known[] = { "TLSv1.3", "TLSv1.2", "TLSv1.1",
		"TLSv1", "TLS", "SSL", "SSLv3", "SSLv2" };
	const char *key;
	const char *value = lookup(reader, PROTOCOL_KEY, &key);

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (value == NULL || strcmp(value, known[i]) == 0)
			return 0;
	return refuse(key, slice_str(value), "is no protocol");
}

/* --- Clients -------------------------------------------------------------- */

/*
 * A listener with SASL knows its clients by their logins.  Whoever sets the
 * key for the broker may believe that certificates are asked for there, too.
 */
static void
warn_of_client_auth(const struct reader *reader, const char *own)
{
	const char *value =
	    properties_get(reader->properties, CLIENT_AUTH_KEY);

	if (value != NULL && strcasecmp(value, "none") != 0)
		fprintf(stderr,
		    "klamm: %s: %s does not count for listener %s, which has "
		    "SASL: %s does\n",
		    CLIENT_AUTH_KEY, value, reader->listener, own);
}

static int
read_client_auth(const struct reader *reader)
{
	static const char *const names[] = {
		[TLS_CLIENT_AUTH_NONE] = "none",
		[TLS_CLIENT_AUTH_REQUESTED] = "requested",
		[TLS_CLIENT_AUTH_REQUIRED] = "required",
	};
	enum tls_client_auth *auth = &reader->config->settings.client_auth;
	const char *key;
	const char *value = reader->sasl ?
	    lookup_own(reader, CLIENT_AUTH_KEY, &key) :
	    lookup(reader, CLIENT_AUTH_KEY, &key);

	*auth = TLS_CLIENT_AUTH_NONE;
	if (value == NULL && reader->sasl)
		warn_of_client_auth(reader, key);
	if (value == NULL)
		return 0;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strcmp(value, names[i]) == 0) {
			*auth = (enum tls_client_auth)i;
			return 0;
		}
	return refuse(key, slice_str(value),
	    "is none of none, requested, required");
}

/* --- What is Java's ------------------------------------------------------- */

/* Classes and providers that would have to be loaded. */
static int
check_plugins(const struct reader *reader)
{
	static const char *const keys[] = { "ssl.engine.factory.class",
		"ssl.provider" };

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		const char *key;
		const char *value = lookup(reader, keys[i], &key);

		if (value != NULL && *value != '\0')
			return refuse(
			    key, slice_str(value), "is not supported");
	}
	return 0;
}

static int
check_algorithm(const struct reader *reader, const char *name)
{
	static const char *const known[] = { "SunX509", "NewSunX509", "PKIX",
		"X509", "X.509" };
	const char *key;
	const char *value = lookup(reader, name, &key);

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (value == NULL || strcasecmp(value, known[i]) == 0)
			return 0;
	return refuse(key, slice_str(value), "is not supported");
}

/* --- Replacement ---------------------------------------------------------- */

static int
read_bool(const struct reader *reader, const char *name, bool *value)
{
	const char *key;
	const char *text = lookup(reader, name, &key);

	*value = text != NULL && strcasecmp(text, "true") == 0;
	if (text == NULL || *value || strcasecmp(text, "false") == 0)
		return 0;
	return refuse(key, slice_str(text), "is neither true nor false");
}

static int
read_rules(const struct reader *reader)
{
	struct tls_replacement_rules *rules = &reader->config->rules;

	if (read_bool(reader, "ssl.allow.dn.changes",
		&rules->dn_may_change) != 0)
		return -1;
	return read_bool(
	    reader, "ssl.allow.san.changes", &rules->san_may_change);
}

/* --- Stores --------------------------------------------------------------- */

static void
read_stores(const struct reader *reader)
{
	struct tls_store_settings *stores = &reader->config->stores;
	const struct {
		const char *key;
		const char **value;
	} rows[] = {
		{ "ssl.keystore.type", &stores->keystore_type },
		{ "ssl.keystore.location", &stores->keystore_location },
		{ "ssl.keystore.password", &stores->keystore_password },
		{ "ssl.keystore.key", &stores->keystore_key },
		{ "ssl.keystore.certificate.chain",
		    &stores->keystore_certificate_chain },
		{ "ssl.key.password", &stores->key_password },
		{ "ssl.truststore.type", &stores->truststore_type },
		{ "ssl.truststore.location", &stores->truststore_location },
		{ "ssl.truststore.password", &stores->truststore_password },
		{ "ssl.truststore.certificates",
		    &stores->truststore_certificates },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *key;

		*rows[i].value = lookup(reader, rows[i].key, &key);
	}
}

/* --- The whole ------------------------------------------------------------ */

int
tls_config_read(struct tls_config *config, const struct properties *properties,
    const char *listener, bool sasl, struct arena *arena)
{
	const struct reader reader = {
		.config = config,
		.properties = properties,
		.listener = listener,
		.prefix = prefix_of(listener, arena),
		.sasl = sasl,
		.arena = arena,
	};

	memset(config, 0, sizeof(*config));
	read_stores(&reader);
	if (read_protocols(&reader) != 0 || read_suites(&reader) != 0 ||
	    check_protocol(&reader) != 0 || read_client_auth(&reader) != 0 ||
	    read_rules(&reader) != 0 || check_plugins(&reader) != 0 ||
	    check_algorithm(&reader, "ssl.keymanager.algorithm") != 0 ||
	    check_algorithm(&reader, "ssl.trustmanager.algorithm") != 0)
		return -1;
	return 0;
}

struct principal_rules *
tls_config_rules(const struct properties *properties, const char *listener,
    struct arena *arena)
{
	const struct reader reader = {
		.properties = properties,
		.prefix = prefix_of(listener, arena),
		.arena = arena,
	};
	struct principal_rules *rules;
	const char *key;
	const char *value =
	    lookup(&reader, "ssl.principal.mapping.rules", &key);
	char *error;

	rules = principal_rules_new(
	    value == NULL ? SLICE_NULL : slice_str(value), &error);
	if (rules == NULL) {
		fprintf(stderr, "klamm: %s: %s\n", key, error);
		free(error);
	}
	return rules;
}

static int
read_material(const struct tls_config *config, struct tls_material *material,
    char **error)
{
	const struct tls_files files = { .read = whole_file_read };

	if (tls_material_read(material, &config->stores, &files, error) != 0)
		return -1;
	if (material->key != NULL)
		return 0;
	*error = xstrdup("no key store: ssl.keystore.location or "
			 "ssl.keystore.key has to be set");
	tls_material_fini(material);
	return -1;
}

struct tls_context *
tls_config_open(struct tls_config *config, const char *listener)
{
	struct tls_settings settings = config->settings;
	struct tls_context *context;
	const char *reason;
	char *error;

	if (read_material(config, &config->material, &error) != 0) {
		fprintf(stderr, "klamm: listener %s: %s\n", listener, error);
		free(error);
		return NULL;
	}
	settings.material = &config->material;
	context = tls_context_new(&settings, &reason);
	if (context == NULL)
		fprintf(stderr, "klamm: listener %s: %s\n", listener, reason);
	return context;
}

/* The new material goes to *then: 0, or -1 with *error. */
static int
replace(const struct tls_config *config, struct tls_context *context,
    struct tls_material *then, char **error)
{
	struct tls_settings settings = config->settings;
	const char *reason;

	if (read_material(config, then, error) != 0)
		return -1;
	settings.material = then;
	if (tls_replacement_check(
		&config->material, then, &config->rules, error) != 0)
		return -1;
	if (tls_context_replace(context, &settings, &reason) == 0)
		return 0;
	*error = xstrdup(reason);
	return -1;
}

void
tls_config_reload(struct tls_config *config, struct tls_context *context,
    const char *listener)
{
	struct tls_material then = { .key = NULL };
	char *error;

	if (replace(config, context, &then, &error) != 0) {
		log_error(LOGGER,
		    "listener %s goes on with the stores it has: %s", listener,
		    error);
		free(error);
		tls_material_fini(&then);
		return;
	}
	tls_material_fini(&config->material);
	config->material = then;
	log_info(LOGGER, "listener %s has read its stores again", listener);
}

void
tls_config_fini(struct tls_config *config)
{
	tls_material_fini(&config->material);
}
