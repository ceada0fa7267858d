#include "cli/configuration.h"

#include <stdio.h>

#include "auth/principal_rules.h"
#include "cli/access_control.h"
#include "cli/cluster_role.h"
#include "cli/environment.h"
#include "cli/sasl_config.h"
#include "cli/static_config.h"
#include "cli/tls_config.h"
#include "meta/config_keys.h"
#include "meta/configs.h"

#define DEFAULT_NODE_ID 1

/* --- who we are ---------------------------------------------------------- */

/* *id stays as it is where the key is not set. */
static int
read_id(const struct properties *properties, const char *key, int64_t *id)
{
	const char *text = properties_get(properties, key);

	if (text == NULL)
		return 0;
	if (config_key_int64(slice_str(text), id) == 0 && *id >= 0 &&
	    *id <= INT32_MAX)
		return 0;
	fprintf(stderr, "klamm: %s: \"%s\" is no node's id\n", key, text);
	return -1;
}

/*
 * node.id and broker.id, which older files have, are the same; who sets one
 * gets the other, too.
 */
static int
read_node_id(struct properties *properties, int32_t *id)
{
	int64_t node = -1, broker = -1;
	char text[24];

	if (read_id(properties, "node.id", &node) != 0 ||
	    read_id(properties, "broker.id", &broker) != 0)
		return -1;
	if (node >= 0 && broker >= 0 && node != broker) {
		fprintf(stderr,
		    "klamm: node.id is %lld, but broker.id is %lld\n",
		    (long long)node, (long long)broker);
		return -1;
	}
	if (node < 0)
		node = broker < 0 ? DEFAULT_NODE_ID : broker;
	snprintf(text, sizeof(text), "%lld", (long long)node);
	properties_set(properties, "node.id", text);
	properties_set(properties, "broker.id", text);
	*id = (int32_t)node;
	return 0;
}

/* --- who clients are ------------------------------------------------------ */

static int
read_sasl(struct configuration *configuration, char **environ)
{
	const struct listener_addresses *listeners = &configuration->listeners;
	struct jaas_login login;
	int result = 0;

	jaas_login_init(&login, environ, &configuration->arena);
	configuration->sasl = arena_xcalloc(&configuration->arena,
	    listeners->count, sizeof(*configuration->sasl));
	for (size_t i = 0; i < listeners->count && result == 0; i++)
		if (security_has_sasl(listeners->items[i].protocol))
			result = sasl_config_read(&configuration->sasl[i],
			    &configuration->properties,
			    listeners->items[i].name, &login,
			    &configuration->arena);
	jaas_login_fini(&login);
	return result;
}

static int
open_tls(struct configuration *configuration, size_t i)
{
	const struct listener_address *listener =
	    &configuration->listeners.items[i];
	struct tls_config *config = &configuration->tls_configs[i];

	if (tls_config_read(config, &configuration->properties,
		listener->name, security_has_sasl(listener->protocol),
		&configuration->arena) != 0)
		return -1;
	configuration->rules[i] = tls_config_rules(&configuration->properties,
	    listener->name, &configuration->arena);
	if (configuration->rules[i] == NULL)
		return -1;
	configuration->tls[i] = tls_config_open(config, listener->name);
	return configuration->tls[i] == NULL ? -1 : 0;
}

/* The stores are read now: what is wrong with them is said before a start. */
static int
read_tls(struct configuration *configuration)
{
	const struct listener_addresses *listeners = &configuration->listeners;

	configuration->rules = arena_xcalloc(&configuration->arena,
	    listeners->count, sizeof(*configuration->rules));
	configuration->tls_configs = arena_xcalloc(&configuration->arena,
	    listeners->count, sizeof(*configuration->tls_configs));
	configuration->tls = arena_xcalloc(&configuration->arena,
	    listeners->count, sizeof(*configuration->tls));
	tls_stores_init(&configuration->stores, listeners,
	    configuration->tls_configs, configuration->tls);
	for (size_t i = 0; i < listeners->count; i++)
		if (security_has_tls(listeners->items[i].protocol) &&
		    open_tls(configuration, i) != 0)
			return -1;
	return 0;
}

/* --- every key ----------------------------------------------------------- */

static const struct config_set *
config_set_of(const struct properties *properties)
{
	struct config_set *set = config_set_new();

	for (size_t i = 0; i < properties->count; i++)
		config_set_put(set, slice_str(properties->items[i].key),
		    slice_str(properties->items[i].value));
	return set;
}

/* Where faults are looked up. */
struct sources {
	const struct properties *properties;
	char **environ;
};

/* Environment variables are named: their writer never wrote the key. */
static void
warn_unknown(const struct sources *sources, const char *key)
{
	char *variable = environment_variable(sources->environ, key,
	    properties_get(sources->properties, key));

	if (variable != NULL)
		fprintf(stderr, "klamm: %s: nobody knows the key %s, it is "
		    "ignored\n",
		    variable, key);
	else
		fprintf(stderr, "klamm: %s: nobody knows this key, it is "
		    "ignored\n", key);
	free(variable);
}

static void
print_fault(void *context, struct slice name, struct slice message)
{
	char *key;

	if (message.data != NULL) {
		fprintf(stderr, "klamm: %.*s\n", SLICE_ARG(message));
		return;
	}
	key = slice_dup(name);
	warn_unknown(context, key);
	free(key);
}

static int
check_keys(const struct config_set *set, const struct properties *properties,
    char **environ)
{
	struct sources sources = { properties, environ };

	return configs_check_file(set, print_fault, &sources) ? 0 : -1;
}

/* --- the whole ----------------------------------------------------------- */

int
configuration_load(struct configuration *configuration,
    const struct serve_options *options, char **environ)
{
	struct properties *properties = &configuration->properties;

	memset(configuration, 0, sizeof(*configuration));
	properties_init(properties);
	arena_init(&configuration->arena, SIZE_MAX);
	if (static_config_load(properties, options, environ) != 0 ||
	    access_control_check(properties) != 0 ||
	    read_node_id(properties, &configuration->node_id) != 0 ||
	    cluster_role_check(properties, configuration->node_id) != 0 ||
	    data_directories_read(&configuration->directories, properties) !=
		0 ||
	    listener_addresses_parse(&configuration->listeners, properties) !=
		0 ||
	    read_sasl(configuration, environ) != 0 ||
	    read_tls(configuration) != 0)
		return -1;
	configuration->set = config_set_of(properties);
	return check_keys(configuration->set, properties, environ);
}

void
configuration_reload(struct configuration *configuration)
{
	tls_stores_reload(&configuration->stores);
}

static void
close_tls(struct configuration *configuration)
{
	if (configuration->tls == NULL)
		return;
	for (size_t i = 0; i < configuration->listeners.count; i++) {
		tls_context_free(configuration->tls[i]);
		tls_config_fini(&configuration->tls_configs[i]);
		principal_rules_free(configuration->rules[i]);
	}
	tls_stores_fini(&configuration->stores);
}

void
configuration_fini(struct configuration *configuration)
{
	close_tls(configuration);
	config_set_unref(configuration->set);
	listener_addresses_fini(&configuration->listeners);
	data_directories_fini(&configuration->directories);
	arena_reset(&configuration->arena);
	properties_fini(&configuration->properties);
}
