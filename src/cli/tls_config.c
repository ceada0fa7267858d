#include "cli/tls_config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include "auth/principal_rules.h"
#include "base/log.h"
#include "base/slice.h"
#include "cli/listener_keys.h"
#include "cli/whole_file.h"
#include "meta/config_set.h"
#include "net/tls_ciphers.h"

#define CLIENT_AUTH_KEY "ssl.client.auth"
#define PROTOCOL_KEY "ssl.protocol"
#define PROTOCOLS_KEY "ssl.enabled.protocols"
#define SUITES_KEY "ssl.cipher.suites"

#define LOGGER "klamm"

struct reader {
	struct tls_config *config;
	struct listener_keys keys;
	const char *listener;
	bool sasl;
};

/* The value of the listener's key, which is *name then, or NULL. */
static const char *
lookup_own(const struct reader *reader, const char *key, const char **name)
{
	*name = listener_keys_text(
	    &reader->keys, reader->keys.prefix, key, "");
	return properties_get(reader->keys.properties, *name);
}

/* That, or the broker's. */
static const char *
lookup(const struct reader *reader, const char *key, const char **name)
{
	const char *value = listener_keys_get(&reader->keys, "", key, name);

	if (value == NULL)
		*name = key;
	return value;
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
	if (tls_ciphers_read(list, reader->keys.arena, &ciphers, &first) != 0)
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
	    properties_get(reader->keys.properties, CLIENT_AUTH_KEY);

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

static const struct {
	const char *key;
	size_t offset; /* in struct tls_store_settings */
} store_keys[] = {
#define STORE_KEY(key, member) \
	{ key, offsetof(struct tls_store_settings, member) }
	STORE_KEY("ssl.keystore.type", keystore_type),
	STORE_KEY("ssl.keystore.location", keystore_location),
	STORE_KEY("ssl.keystore.password", keystore_password),
	STORE_KEY("ssl.keystore.key", keystore_key),
	STORE_KEY("ssl.keystore.certificate.chain",
	    keystore_certificate_chain),
	STORE_KEY("ssl.key.password", key_password),
	STORE_KEY("ssl.truststore.type", truststore_type),
	STORE_KEY("ssl.truststore.location", truststore_location),
	STORE_KEY("ssl.truststore.password", truststore_password),
	STORE_KEY("ssl.truststore.certificates", truststore_certificates),
#undef STORE_KEY
};

static void
set_store_key(struct tls_store_settings *stores, size_t i, const char *value)
{
	memcpy((char *)stores + store_keys[i].offset, &value, sizeof(value));
}

static void
read_stores(const struct reader *reader)
{
	for (size_t i = 0; i < COUNT_OF(store_keys); i++) {
		const char *key;

		set_store_key(&reader->config->fixed, i,
		    lookup(reader, store_keys[i].key, &key));
	}
	reader->config->stores = reader->config->fixed;
}

/* Blanks around a value do not count (ConfigDef.parseType of Kafka). */
static const char *
text_of(struct slice value, struct arena *arena)
{
	char *text;

	value = slice_trim(value);
	text = arena_xcalloc(arena, value.len + 1, 1);
	if (value.len > 0)
		memcpy(text, value.data, value.len);
	return text;
}

/* What own says, with texts in arena, or else the properties. */
static void
merge_stores(const struct tls_config *config, const char *listener,
    const struct config_set *own, struct arena *arena,
    struct tls_store_settings *stores)
{
	struct listener_keys keys;

	listener_keys_init(&keys, NULL, listener, arena);
	*stores = config->fixed;
	for (size_t i = 0; i < COUNT_OF(store_keys); i++) {
		struct slice value = config_set_get(own,
		    slice_str(listener_keys_text(
			&keys, keys.prefix, store_keys[i].key, "")));

		if (!slice_is_null(value))
			set_store_key(stores, i, text_of(value, arena));
	}
}

/* --- The whole ------------------------------------------------------------ */

int
tls_config_read(struct tls_config *config, const struct properties *properties,
    const char *listener, bool sasl, struct arena *arena)
{
	struct reader reader = {
		.config = config,
		.listener = listener,
		.sasl = sasl,
	};

	listener_keys_init(&reader.keys, properties, listener, arena);
	memset(config, 0, sizeof(*config));
	arena_init(&config->texts, SIZE_MAX);
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
	struct reader reader = { .listener = listener };
	struct principal_rules *rules;
	const char *key, *value;
	char *error;

	listener_keys_init(&reader.keys, properties, listener, arena);
	value = lookup(&reader, "ssl.principal.mapping.rules", &key);
	rules = principal_rules_new(
	    value == NULL ? SLICE_NULL : slice_str(value), &error);
	if (rules == NULL) {
		fprintf(stderr, "klamm: %s: %s\n", key, error);
		free(error);
	}
	return rules;
}

/* Who waits for a pipe waits for somebody who may never come. */
static uint8_t *
read_regular(void *context, const char *path, size_t len_max, size_t *len)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return NULL;
	if (S_ISREG(status.st_mode))
		return whole_file_read(context, path, len_max, len);
	errno = EINVAL;
	return NULL;
}

static int
read_material(const struct tls_store_settings *stores,
    const struct tls_files *files, struct tls_material *material,
    char **error)
{
	if (tls_material_read(material, stores, files, error) != 0)
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
	const struct tls_files files = { .read = whole_file_read };
	struct tls_settings settings = config->settings;
	struct tls_context *context;
	const char *reason;
	char *error;

	if (read_material(&config->stores, &files, &config->material,
		&error) != 0) {
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

/* --- Replacement of stores ------------------------------------------------ */

/* What may follow what is in use, into *then, the caller's: 0, or *error. */
static int
read_next(const struct tls_config *config,
    const struct tls_store_settings *stores, struct tls_material *then,
    char **error)
{
	const struct tls_files files = { .read = read_regular };

	if (read_material(stores, &files, then, error) != 0)
		return -1;
	return tls_replacement_check(
	    &config->material, then, &config->rules, error);
}

/* *then becomes the config's and is zeroed, or *error says why not. */
static int
replace(struct tls_config *config, struct tls_context *context,
    struct tls_material *then, char **error)
{
	struct tls_settings settings = config->settings;
	const char *reason;

	settings.material = then;
	if (tls_context_replace(context, &settings, &reason) != 0) {
		*error = xstrdup(reason);
		return -1;
	}
	tls_material_fini(&config->material);
	config->material = *then;
	memset(then, 0, sizeof(*then));
	return 0;
}

/* 1 where the stores hold what is in use, if that is to be left alone. */
static int
renew(struct tls_config *config, struct tls_context *context, bool always,
    char **error)
{
	struct tls_material then = { .key = NULL };
	int result;

	result = read_next(config, &config->stores, &then, error);
	if (result == 0 && !always &&
	    tls_material_equal(&config->material, &then))
		result = 1;
	else if (result == 0)
		result = replace(config, context, &then, error);
	tls_material_fini(&then);
	return result;
}

static void
renew_and_tell(struct tls_config *config, struct tls_context *context,
    const char *listener, bool always)
{
	char *error;
	int result = renew(config, context, always, &error);

	if (result == 0)
		log_info(LOGGER, "listener %s has read its stores again",
		    listener);
	if (result >= 0)
		return;
	log_error(LOGGER, "listener %s goes on with the stores it has: %s",
	    listener, error);
	free(error);
}

void
tls_config_reload(struct tls_config *config, struct tls_context *context,
    const char *listener)
{
	renew_and_tell(config, context, listener, true);
}

void
tls_config_apply(struct tls_config *config, struct tls_context *context,
    const char *listener, const struct config_set *own)
{
	struct arena texts;

	arena_init(&texts, SIZE_MAX);
	merge_stores(config, listener, own, &texts, &config->stores);
	arena_reset(&config->texts);
	config->texts = texts;
	renew_and_tell(config, context, listener, false);
}

/* Would OpenSSL take it? */
static int
try_context(const struct tls_config *config,
    const struct tls_material *material, char **error)
{
	struct tls_settings settings = config->settings;
	struct tls_context *context;
	const char *reason;

	settings.material = material;
	context = tls_context_new(&settings, &reason);
	if (context == NULL) {
		*error = xstrdup(reason);
		return -1;
	}
	tls_context_free(context);
	return 0;
}

int
tls_config_check(const struct tls_config *config, const char *listener,
    const struct config_set *own, char **error)
{
	struct tls_material then = { .key = NULL };
	struct tls_store_settings stores;
	struct arena texts;
	int result;

	arena_init(&texts, SIZE_MAX);
	merge_stores(config, listener, own, &texts, &stores);
	result = read_next(config, &stores, &then, error);
	if (result == 0)
		result = try_context(config, &then, error);
	tls_material_fini(&then);
	arena_reset(&texts);
	return result;
}

void
tls_config_fini(struct tls_config *config)
{
	tls_material_fini(&config->material);
	arena_reset(&config->texts);
}
