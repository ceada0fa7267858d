#include "cli/serve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/properties.h"
#include "cli/cluster_role.h"
#include "cli/data_directories.h"
#include "cli/listener_addresses.h"
#include "cli/node.h"
#include "cli/serve_options.h"
#include "cli/static_config.h"
#include "meta/configs.h"

extern char **environ;

/* --- configuration ------------------------------------------------------- */

static const struct config_set *
config_set_of(const struct properties *properties)
{
	struct config_set *set = config_set_new();

	for (size_t i = 0; i < properties->count; i++)
		config_set_put(set, slice_str(properties->items[i].key),
		    slice_str(properties->items[i].value));
	return set;
}

/*
 * Nobody who asks for access control may get a broker without it: keys of
 * security that are not served yet are refused.
 */
static int
check_served(const struct properties *properties)
{
	const char *authorizer =
	    properties_get(properties, "authorizer.class.name");

	if (authorizer == NULL || *authorizer == '\0')
		return 0;
	fprintf(stderr,
	    "klamm: authorizer.class.name: authorization is not supported "
	    "yet\n");
	return -1;
}

/* Everything that the configuration says, checked. */
struct configuration {
	struct properties properties;
	struct listener_addresses listeners;
	struct data_directories directories;
	const struct config_set *set;
	int32_t node_id;
};

/* node.id and broker.id, which older files have, must be the same. */
static int
read_node_id(const struct properties *properties, int32_t *id)
{
	const char *node = properties_get(properties, "node.id");
	const char *broker = properties_get(properties, "broker.id");
	int64_t value;

	assert(node != NULL && broker != NULL);
	if (strcmp(node, broker) != 0) {
		fprintf(stderr,
		    "klamm: node.id is %s, but broker.id is %s\n", node,
		    broker);
		return -1;
	}
	if (config_key_int64(slice_str(node), &value) != 0 || value < 0 ||
	    value > INT32_MAX) {
		fprintf(stderr, "klamm: node.id: %s is no node's id\n", node);
		return -1;
	}
	*id = (int32_t)value;
	return 0;
}

static int
configuration_load(struct configuration *configuration,
    const struct serve_options *options)
{
	memset(configuration, 0, sizeof(*configuration));
	properties_init(&configuration->properties);
	if (static_config_load(&configuration->properties, options, environ) !=
		0 ||
	    check_served(&configuration->properties) != 0 ||
	    read_node_id(&configuration->properties,
		&configuration->node_id) != 0 ||
	    cluster_role_check(&configuration->properties,
		configuration->node_id) != 0 ||
	    data_directories_read(&configuration->directories,
		&configuration->properties) != 0 ||
	    listener_addresses_parse(&configuration->listeners,
		&configuration->properties) != 0)
		return -1;
	configuration->set = config_set_of(&configuration->properties);
	return configs_check_file(configuration->set) ? 0 : -1;
}

static void
configuration_fini(struct configuration *configuration)
{
	config_set_unref(configuration->set);
	listener_addresses_fini(&configuration->listeners);
	data_directories_fini(&configuration->directories);
	properties_fini(&configuration->properties);
}

/* What Kafka's image and others take; an empty one counts as none. */
static const char *
wanted_cluster_id(void)
{
	static const char *const names[] = { "CLUSTER_ID", "KAFKA_CLUSTER_ID",
		"KAFKA_KRAFT_CLUSTER_ID" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *id = getenv(names[i]);

		if (id != NULL && *id != '\0')
			return id;
	}
	return NULL;
}

/* --- readiness ----------------------------------------------------------- */

/* Written whole and renamed, so that whoever waits for it reads it whole. */
static int
write_port_file(const char *path, int port)
{
	char *temporary = xasprintf("%s.tmp", path);
	FILE *file = fopen(temporary, "we");
	int result = -1;

	if (file != NULL) {
		fprintf(file, "%d\n", port);
		if (fclose(file) == 0 && rename(temporary, path) == 0)
			result = 0;
	}
	if (result != 0)
		log_error("klamm", "--port-file %s: %s", path,
		    strerror(errno));
	free(temporary);
	return result;
}

/* Container test libraries wait for these two lines. */
static void
announce(const struct node *node)
{
	log_info("kafka.server.BrokerLifecycleManager",
	    "[BrokerLifecycleManager id=%d] The broker has been unfenced. "
	    "Transitioning from RECOVERY to RUNNING.",
	    node_id(node));
	log_info("kafka.server.KafkaRaftServer",
	    "[KafkaRaftServer nodeId=%d] Kafka Server started",
	    node_id(node));
}

/* --- signals ------------------------------------------------------------- */

static void
block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* SIGHUP has nothing to reload yet; it must not end the broker. */
static void
await_stop(const sigset_t *set)
{
	int number;

	for (;;) {
		if (sigwait(set, &number) != 0 || number == SIGHUP)
			continue;
		log_info("klamm", "stopping: %s", strsignal(number));
		return;
	}
}

/* From here on another signal ends the process at once. */
static void
allow_quick_stop(const sigset_t *set)
{
	pthread_sigmask(SIG_UNBLOCK, set, NULL);
}

/* --- the whole ----------------------------------------------------------- */

static int
run(const struct serve_options *options,
    const struct configuration *configuration)
{
	const struct node_settings settings = {
		.file = configuration->set,
		.addresses = &configuration->listeners,
		.directories = &configuration->directories,
		.id = configuration->node_id,
		.cluster_id = wanted_cluster_id(),
	};
	int result = EXIT_FAILED;
	struct node *node;
	sigset_t signals;

	block_signals(&signals);
	node = node_new(&settings);
	if (node == NULL)
		return EXIT_FAILED;
	if (node_start(node) == 0) {
		announce(node);
		if (options->port_file == NULL ||
		    write_port_file(options->port_file, node_port(node)) ==
			0) {
			await_stop(&signals);
			result = EXIT_OK;
		}
	}
	allow_quick_stop(&signals);
	if (node_stop(node) != 0)
		result = EXIT_FAILED;
	if (result == EXIT_OK)
		log_info("klamm", "stopped");
	return result;
}

int
serve(int argc, char **argv)
{
	struct configuration configuration;
	struct serve_options options;
	int result = EXIT_FAILED;

	if (serve_options_parse(&options, argc, argv) != 0) {
		serve_options_fini(&options);
		return EXIT_USAGE;
	}
	if (options.help) {
		fputs(serve_options_help(), stdout);
		serve_options_fini(&options);
		return EXIT_OK;
	}
	log_set_format(options.log_format);
	if (configuration_load(&configuration, &options) == 0)
		result = options.check_config ?
		    EXIT_OK :
		    run(&options, &configuration);
	configuration_fini(&configuration);
	serve_options_fini(&options);
	return result;
}
