/*
 * `klamm serve`: the broker as a process, from its arguments to its exit code:
 * 0 after an orderly stop by SIGTERM or SIGINT, 1 where it could not start or
 * not stop cleanly, 2 for arguments that are not understood.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/confinement.h"
#include "cli/environment.h"
#include "cli/exit_code.h"
#include "cli/node.h"
#include "cli/serve_options.h"
#include "cli/storage_voter.h"
#include "meta/config_keys.h"
#include "net/service_manager.h"

extern char **environ;

/* --- the port file ------------------------------------------------------- */

static int
port_file_failed(const char *path)
{
	log_error("klamm", "--port-file %s: %s", path, strerror(errno));
	return -1;
}

/* That of an earlier run would be taken for ours. */
static int
remove_port_file(const char *path)
{
	if (path == NULL || unlink(path) == 0 || errno == ENOENT)
		return 0;
	return port_file_failed(path);
}

/* Written whole and renamed, so that whoever waits for it reads it whole. */
static int
write_port_file(const char *path, int port)
{
	char *temporary;
	FILE *file;
	int result = -1;

	if (path == NULL)
		return 0;
	temporary = xasprintf("%s.tmp", path);
	file = fopen(temporary, "we");
	if (file != NULL) {
		fprintf(file, "%d\n", port);
		if (fclose(file) == 0 && rename(temporary, path) == 0)
			result = 0;
	}
	if (result != 0)
		port_file_failed(path);
	free(temporary);
	return result;
}

/* --- signals ------------------------------------------------------------- */

/*
 * SIGTERM and SIGINT ask for a stop.  While we serve they are blocked and
 * waited for; before and after that they end the process at once, because a
 * start can be long and has nothing to lose, and who asks a second time cannot
 * wait.  SIGHUP asks to read files again, is blocked throughout and waited for
 * while we serve: one that comes earlier is found then.
 */

/*
 * As the signal would by itself, but also as the first process of a container,
 * which the kernel spares.
 */
static void
end_at_once(int number)
{
	raise(number);		/* SA_RESETHAND: with its default action */
	_exit(128 + number);
}

static void
stop_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
}

static void
set_up_signals(void)
{
	struct sigaction end = { .sa_handler = end_at_once,
		.sa_flags = (int)(SA_RESETHAND | SA_NODEFER) };
	sigset_t hangup;

	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &hangup, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void
hold_stop_signals(void)
{
	sigset_t set;

	stop_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void
release_stop_signals(void)
{
	sigset_t set;

	stop_signals(&set);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static bool
stop_is_asked_for(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGTERM) == 1 ||
	    sigismember(&pending, SIGINT) == 1;
}

static void
await_stop(struct configuration *configuration)
{
	sigset_t set;
	int number;

	stop_signals(&set);
	sigaddset(&set, SIGHUP);
	for (;;) {
		if (sigwait(&set, &number) != 0)
			continue;
		if (number != SIGHUP)
			break;
		configuration_reload(configuration);
	}
	log_info("klamm", "stopping: %s", strsignal(number));
}

/* --- the whole ----------------------------------------------------------- */

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
	service_manager_notify("READY=1");
}

/* From the start to the request to stop; -1 where it does not get there. */
static int
start_and_serve(struct node *node, const struct serve_options *options,
    struct configuration *configuration)
{
	if (node_start(node) != 0 ||
	    write_port_file(options->port_file, node_port(node)) != 0)
		return -1;
	if (!stop_is_asked_for())
		announce(node);
	await_stop(configuration);
	return 0;
}

/* klamm.core.dumps */
static bool
may_dump(const struct config_set *set)
{
	bool flag;

	return config_key_bool(config_set_get(set,
				   slice_str("klamm.core.dumps")),
		   &flag) == 0 &&
	    flag;
}

static int
run_voter(const struct serve_options *options,
    struct configuration *configuration, const struct storage_voter *voter)
{
	const struct node_settings settings = {
		.voter = voter,
		.file = configuration->set,
		.addresses = &configuration->listeners,
		.sasl = configuration->sasl,
		.tls = configuration->tls,
		.rules = configuration->rules,
		.stores = &configuration->stores,
		.directories = &configuration->directories,
		.id = configuration->node_id,
		.cluster_id = environment_cluster_id(),
	};
	struct node *node;
	int result;

	confinement_memory(may_dump(configuration->set));
	set_up_signals();
	if (remove_port_file(options->port_file) != 0)
		return EXIT_FAILED;
	node = node_new(&settings);
	if (node == NULL)
		return EXIT_FAILED;
	hold_stop_signals();
	result = start_and_serve(node, options, configuration);
	service_manager_notify("STOPPING=1");
	release_stop_signals();
	if (node_stop(node) != 0)
		result = -1;
	if (result != 0)
		return EXIT_FAILED;
	log_info("klamm", "stopped");
	return EXIT_OK;
}

static int
run(const struct serve_options *options, struct configuration *configuration)
{
	struct storage_voter voter;
	int result;

	storage_voter_configured(&voter, &configuration->properties);
	result = run_voter(options, configuration, &voter);
	storage_voter_fini(&voter);
	return result;
}

static int
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
	confinement_files();
	confinement_memory(false);
	if (configuration_load(&configuration, &options, environ) == 0)
		result = options.check_config ?
		    EXIT_OK :
		    run(&options, &configuration);
	configuration_fini(&configuration);
	serve_options_fini(&options);
	return result;
}

const struct command serve_command = {
	.name = "serve",
	.summary = "run a broker",
	.run = serve,
};
