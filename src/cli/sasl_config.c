#include "cli/sasl_config.h"

#include <stdio.h>

#include "auth/jaas.h"
#include "auth/plain_users.h"
#include "base/slice.h"
#include "cli/listener_keys.h"
#include "cli/oauth_config.h"
#include "meta/config_keys.h"

#define MECHANISMS_KEY "sasl.enabled.mechanisms"
#define JAAS_KEY "sasl.jaas.config"
#define REAUTH_KEY "connections.max.reauth.ms"
#define HANDLER_KEY "sasl.server.callback.handler.class"

#define MODULES "org.apache.kafka.common.security."

/* An option of PlainLoginModule that is a user. */
#define USER_OPTION "user_"

struct reader {
	struct sasl_settings *settings;
	struct plain_user *users; /* of PLAIN, so far */
	size_t users_count;
	const char *listener;
	struct jaas_login *login;
	struct listener_keys keys;
};

/* --- Mechanisms ----------------------------------------------------------- */

static int
enable(const struct reader *reader, const char *key, struct slice word)
{
	enum sasl_mechanism mechanism;

	if (sasl_mechanism_find(word, &mechanism) != 0) {
		fprintf(stderr, "klamm: %s: %.*s is not supported\n", key,
		    SLICE_ARG(word));
		return -1;
	}
	reader->settings->enabled[mechanism] = true;
	return 0;
}

/* Kafka's default is GSSAPI, which is not to be had here. */
static int
read_mechanisms(const struct reader *reader)
{
	const char *key;
	const char *value =
	    listener_keys_get(&reader->keys, "", MECHANISMS_KEY, &key);
	struct slice list, word;
	bool any = false;

	if (value == NULL)
		return listener_keys_refuse(key,
		    "has to be set for this listener: the default, GSSAPI, "
		    "is not supported");
	list = slice_str(value);
	while (slice_next_word(&list, &word)) {
		any = true;
		if (enable(reader, key, word) != 0)
			return -1;
	}
	return any ? 0 : listener_keys_refuse(key, "names no mechanism");
}

/* --- Users ---------------------------------------------------------------- */

static struct plain_user *
find_user(struct plain_user *users, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(users[i].name, name))
			return &users[i];
	return NULL;
}

/*
 * Add the users of a module; those that one before has stay.  Of a name that
 * comes twice in it the last password counts.
 */
static void
read_users(struct reader *reader, const struct jaas_entry *entry)
{
	size_t len = strlen(USER_OPTION), count = reader->users_count;
	struct plain_user *users = arena_xcalloc(reader->keys.arena,
	    count + entry->options_count, sizeof(*users));
	size_t before = count;

	if (count > 0)
		memcpy(users, reader->users, count * sizeof(*users));
	for (size_t i = 0; i < entry->options_count; i++) {
		struct slice name = entry->options[i].name;
		struct plain_user *user;

		if (name.len <= len || memcmp(name.data, USER_OPTION, len) != 0)
			continue;
		name = slice_of(name.data + len, name.len - len);
		user = find_user(users, count, name);
		if (user == NULL) {
			user = &users[count++];
			user->name = name;
		} else if (user < users + before) {
			continue;
		}
		user->password = entry->options[i].value;
	}
	reader->users = users;
	reader->users_count = count;
}

static const char *
module_of(enum sasl_mechanism mechanism)
{
	switch (mechanism) {
	case SASL_PLAIN:
		return MODULES "plain.PlainLoginModule";
	case SASL_SCRAM_SHA_256:
	case SASL_SCRAM_SHA_512:
		return MODULES "scram.ScramLoginModule";
	case SASL_OAUTHBEARER:
		return MODULES "oauthbearer.OAuthBearerLoginModule";
	}
	return NULL;
}

static bool
module_known(struct slice module)
{
	for (int i = 0; i < SASL_MECHANISMS_COUNT; i++)
		if (slice_equal_str(
			module, module_of((enum sasl_mechanism)i)))
			return true;
	return false;
}

/* What the module's entry says of the mechanism. */
static int
read_entry(struct reader *reader, enum sasl_mechanism mechanism,
    const struct jaas_entry *entry)
{
	if (mechanism == SASL_PLAIN)
		read_users(reader, entry);
	if (mechanism != SASL_OAUTHBEARER)
		return 0;
	reader->settings->oauth = oauth_config_read(&reader->keys, entry);
	return reader->settings->oauth == NULL ? -1 : 0;
}

/* A module that we cannot be is not left out in silence. */
static int
check_section(const struct reader *reader, const struct jaas_section *section)
{
	for (size_t i = 0; i < section->entries_count; i++) {
		struct slice module = section->entries[i].module;

		if (module_known(module))
			continue;
		fprintf(stderr,
		    "klamm: %s: %.*s: the login module %.*s is not "
		    "supported\n",
		    reader->login->path, SLICE_ARG(section->name),
		    SLICE_ARG(module));
		return -1;
	}
	return 0;
}

/* The modules are those of a file's section. */
static int
read_section(struct reader *reader, enum sasl_mechanism mechanism,
    const char *key)
{
	const struct jaas_section *section =
	    jaas_login_find(reader->login, reader->listener, key);
	bool found = false;

	if (section == NULL || check_section(reader, section) != 0)
		return -1;
	for (size_t i = 0; i < section->entries_count; i++) {
		if (!slice_equal_str(
			section->entries[i].module, module_of(mechanism)))
			continue;
		found = true;
		if (read_entry(reader, mechanism, &section->entries[i]) != 0)
			return -1;
	}
	if (found)
		return 0;
	fprintf(stderr, "klamm: %s: %.*s: has no login module for %s\n",
	    reader->login->path, SLICE_ARG(section->name),
	    sasl_mechanism_name(mechanism));
	return -1;
}

static int
read_module(struct reader *reader, enum sasl_mechanism mechanism,
    const char *prefix)
{
	const struct listener_keys *keys = &reader->keys;
	const char *key =
	    listener_keys_text(keys, keys->prefix, prefix, JAAS_KEY);
	const char *value = properties_get(keys->properties, key);
	struct jaas_entry entry;
	const char *reason;

	if (value == NULL)
		return read_section(reader, mechanism, key);
	if (jaas_parse(slice_str(value), keys->arena, &entry, &reason) != 0)
		return listener_keys_refuse(key, reason);
	if (!slice_equal_str(entry.module, module_of(mechanism))) {
		fprintf(stderr, "klamm: %s: the login module has to be %s\n",
		    key, module_of(mechanism));
		return -1;
	}
	return read_entry(reader, mechanism, &entry);
}

/* --- A mechanism ---------------------------------------------------------- */

static int
read_reauth(const struct reader *reader, enum sasl_mechanism mechanism,
    const char *prefix)
{
	const char *key;
	const char *value = listener_keys_get_any(
	    &reader->keys, prefix, REAUTH_KEY, &key);
	int64_t limit_ms;

	if (value == NULL)
		return 0;
	if (config_key_int64(slice_str(value), &limit_ms) != 0)
		return listener_keys_refuse(key, "is no number");
	reader->settings->reauth_ms[mechanism] = MAX(limit_ms, 0);
	return 0;
}

/* Only OAUTHBEARER has a choice of them. */
static int
check_handler(const struct reader *reader, const char *prefix)
{
	const char *key;

	return listener_keys_get(&reader->keys, prefix, HANDLER_KEY, &key) ==
		NULL ?
	    0 :
	    listener_keys_refuse(key, "other handlers are not supported");
}

static int
read_mechanism(struct reader *reader, enum sasl_mechanism mechanism)
{
	const struct listener_keys *keys = &reader->keys;
	const char *prefix = listener_keys_text(keys,
	    listener_keys_lower(keys, sasl_mechanism_name(mechanism)), ".",
	    "");

	if (mechanism != SASL_OAUTHBEARER &&
	    check_handler(reader, prefix) != 0)
		return -1;
	if (read_module(reader, mechanism, prefix) != 0)
		return -1;
	return read_reauth(reader, mechanism, prefix);
}

int
sasl_config_read(struct sasl_settings *settings,
    const struct properties *properties, const char *listener,
    struct jaas_login *login, struct arena *arena)
{
	struct reader reader = {
		.settings = settings,
		.listener = listener,
		.login = login,
	};

	listener_keys_init(&reader.keys, properties, listener, arena);
	memset(settings, 0, sizeof(*settings));
	if (read_mechanisms(&reader) != 0)
		return -1;
	for (int i = 0; i < SASL_MECHANISMS_COUNT; i++)
		if (settings->enabled[i] &&
		    read_mechanism(&reader, (enum sasl_mechanism)i) != 0)
			return -1;
	settings->plain_users =
	    plain_users_new(arena, reader.users, reader.users_count);
	return 0;
}
