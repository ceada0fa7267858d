#include "cli/sasl_config.h"

#include <ctype.h>
#include <stdio.h>

#include "auth/jaas.h"
#include "base/slice.h"
#include "meta/config_keys.h"

#define MECHANISMS_KEY "sasl.enabled.mechanisms"
#define JAAS_KEY "sasl.jaas.config"
#define REAUTH_KEY "connections.max.reauth.ms"
#define HANDLER_KEY "sasl.server.callback.handler.class"

#define PLAIN_MODULE "org.apache.kafka.common.security.plain.PlainLoginModule"
#define SCRAM_MODULE "org.apache.kafka.common.security.scram.ScramLoginModule"

/* An option of PlainLoginModule that is a user. */
#define USER_OPTION "user_"

struct reader {
	struct sasl_settings *settings;
	const struct properties *properties;
	const char *listener;
	struct jaas_login *login;
	const char *prefix; /* "listener.name.sasl_plaintext." */
	struct arena *arena;
};

static char *
lower(struct arena *arena, const char *text)
{
	size_t len = strlen(text);
	char *copy = arena_xalloc(arena, len + 1);

	for (size_t i = 0; i <= len; i++)
		copy[i] = (char)tolower((unsigned char)text[i]);
	return copy;
}

static const char *
text_of(struct arena *arena, const char *a, const char *b, const char *c)
{
	size_t len = strlen(a) + strlen(b) + strlen(c) + 1;
	char *text = arena_xalloc(arena, len);

	snprintf(text, len, "%s%s%s", a, b, c);
	return text;
}

/*
 * The value of key for a mechanism ("plain.", "": for all): that of the
 * listener, or else that of the broker.  *name is the key that has it, or the
 * first that could.
 */
static const char *
lookup(const struct reader *reader, const char *mechanism, const char *key,
    const char **name)
{
	const char *value;

	*name = text_of(reader->arena, reader->prefix, mechanism, key);
	value = properties_get(reader->properties, *name);
	if (value != NULL)
		return value;
	value = properties_get(
	    reader->properties, text_of(reader->arena, "", mechanism, key));
	if (value != NULL)
		*name = text_of(reader->arena, "", mechanism, key);
	return value;
}

static int
refuse(const char *key, const char *what)
{
	fprintf(stderr, "klamm: %s: %s\n", key, what);
	return -1;
}

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
	const char *value = lookup(reader, "", MECHANISMS_KEY, &key);
	struct slice list, word;
	bool any = false;

	if (value == NULL)
		return refuse(key,
		    "has to be set for this listener: the default, GSSAPI, "
		    "is not supported");
	list = slice_str(value);
	while (slice_next_word(&list, &word)) {
		any = true;
		if (enable(reader, key, word) != 0)
			return -1;
	}
	return any ? 0 : refuse(key, "names no mechanism");
}

/* --- Users ---------------------------------------------------------------- */

static struct sasl_user *
find_user(struct sasl_user *users, size_t count, struct slice name)
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
read_users(const struct reader *reader, const struct jaas_entry *entry)
{
	struct sasl_settings *settings = reader->settings;
	struct sasl_user *users = arena_xcalloc(reader->arena,
	    settings->users_count + entry->options_count, sizeof(*users));
	size_t len = strlen(USER_OPTION), count = settings->users_count;
	size_t before = count;

	if (count > 0)
		memcpy(users, settings->users, count * sizeof(*users));
	for (size_t i = 0; i < entry->options_count; i++) {
		struct slice name = entry->options[i].name;
		struct sasl_user *user;

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
	settings->users = users;
	settings->users_count = count;
}

static const char *
module_of(enum sasl_mechanism mechanism)
{
	return mechanism == SASL_PLAIN ? PLAIN_MODULE : SCRAM_MODULE;
}

/* A module that we cannot be is not left out in silence. */
static int
check_section(const struct reader *reader, const struct jaas_section *section)
{
	for (size_t i = 0; i < section->entries_count; i++) {
		struct slice module = section->entries[i].module;

		if (slice_equal_str(module, PLAIN_MODULE) ||
		    slice_equal_str(module, SCRAM_MODULE))
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
read_section(const struct reader *reader, enum sasl_mechanism mechanism,
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
		if (mechanism == SASL_PLAIN)
			read_users(reader, &section->entries[i]);
	}
	if (found)
		return 0;
	fprintf(stderr, "klamm: %s: %.*s: has no login module for %s\n",
	    reader->login->path, SLICE_ARG(section->name),
	    sasl_mechanism_name(mechanism));
	return -1;
}

static int
read_module(const struct reader *reader, enum sasl_mechanism mechanism,
    const char *prefix)
{
	const char *key =
	    text_of(reader->arena, reader->prefix, prefix, JAAS_KEY);
	const char *value = properties_get(reader->properties, key);
	struct jaas_entry entry;
	const char *reason;

	if (value == NULL)
		return read_section(reader, mechanism, key);
	if (jaas_parse(slice_str(value), reader->arena, &entry, &reason) != 0)
		return refuse(key, reason);
	if (!slice_equal_str(entry.module, module_of(mechanism))) {
		fprintf(stderr, "klamm: %s: the login module has to be %s\n",
		    key, module_of(mechanism));
		return -1;
	}
	if (mechanism == SASL_PLAIN)
		read_users(reader, &entry);
	return 0;
}

/* --- A mechanism ---------------------------------------------------------- */

static int
read_reauth(const struct reader *reader, enum sasl_mechanism mechanism,
    const char *prefix)
{
	const char *key;
	const char *value = lookup(reader, prefix, REAUTH_KEY, &key);
	int64_t limit_ms;

	if (value == NULL)
		value = lookup(reader, "", REAUTH_KEY, &key);
	if (value == NULL)
		return 0;
	if (config_key_int64(slice_str(value), &limit_ms) != 0)
		return refuse(key, "is no number");
	reader->settings->reauth_ms[mechanism] = MAX(limit_ms, 0);
	return 0;
}

static int
read_mechanism(const struct reader *reader, enum sasl_mechanism mechanism)
{
	const char *prefix = text_of(reader->arena,
	    lower(reader->arena, sasl_mechanism_name(mechanism)), ".", "");
	const char *key;

	if (lookup(reader, prefix, HANDLER_KEY, &key) != NULL)
		return refuse(key, "other handlers are not supported");
	if (read_module(reader, mechanism, prefix) != 0)
		return -1;
	return read_reauth(reader, mechanism, prefix);
}

int
sasl_config_read(struct sasl_settings *settings,
    const struct properties *properties, const char *listener,
    struct jaas_login *login, struct arena *arena)
{
	const struct reader reader = {
		.settings = settings,
		.properties = properties,
		.listener = listener,
		.login = login,
		.prefix = text_of(
		    arena, "listener.name.", lower(arena, listener), "."),
		.arena = arena,
	};

	memset(settings, 0, sizeof(*settings));
	if (read_mechanisms(&reader) != 0)
		return -1;
	for (int i = 0; i < SASL_MECHANISMS_COUNT; i++)
		if (settings->enabled[i] &&
		    read_mechanism(&reader, (enum sasl_mechanism)i) != 0)
			return -1;
	return 0;
}
