#include "cli/serve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/configuration.h"
#include "cli/environment.h"
#include "cli/exit_code.h"
#include "cli/node.h"
#include "cli/serve_options.h"

extern char **environ;

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
		.cluster_id = environment_cluster_id(),
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
	if (configuration_load(&configuration, &options, environ) == 0)
		result = options.check_config ?
		    EXIT_OK :
		    run(&options, &configuration);
	configuration_fini(&configuration);
	serve_options_fini(&options);
	return result;
}
