/*
 * Transactions, with kills and pauses of their clients and of the broker.
 *
 *	transactions [--seconds N] [--seed S] [--port N]
 *
 * Some transactional producers, each a process of its own, write records and
 * offsets of groups (txn_client.h), a read_committed reader follows, and in the
 * end the history must be one that transactions allow (txn_view.h): nothing
 * lost, duplicated, reordered, torn, or seen although it was aborted; and the
 * reader that followed saw what one sees that begins afterwards.  With --port
 * it is a broker of somebody else's, and only clients are harmed.  Ends with 0
 * where all of that was so, and one line of figures.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "e2e/kafka_client.h"
#include "faults/txn_client.h"
#include "faults/txn_reader.h"
#include "faults/victim.h"
#include "unit/unit.h"

#define DEADLINE_MS 120000
#define POLL_US 1000

/* A time without faults, between two of them. */
#define QUIET_US_MAX 1000000

/* Some pauses outlast the timeout of a transaction. */
#define CLIENT_PAUSE_US_MAX 5000000
#define BROKER_PAUSE_US_MAX 2000000

struct transactions {
	int seconds;
	uint64_t seed;
	int port;			/* of somebody else's broker, or 0 */

	const char *program;
	struct rng rng;
	struct victim victim;
	struct broker_process *broker;
	struct txn_history *history;
	int history_fd;
	pid_t clients[TXN_PRODUCERS];	/* those that go on */
	int faults;
};

/* --- Clients ------------------------------------------------------------- */

static pid_t
start_client(struct transactions *run, int32_t producer)
{
	char *arguments[] = {
		xstrdup(run->program),
		xasprintf("--client=%d", producer),
		xasprintf("--history=%d", run->history_fd),
		xasprintf("--port=%d", run->broker->port),
		xasprintf("--seed=%llu",
		    (unsigned long long)rng_next(&run->rng)),
		NULL,
	};
	pid_t parent = getpid();
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGABRT, SIG_DFL);
		if (getppid() == parent)
			execv("/proc/self/exe", arguments);
		_exit(127);
	}
	for (size_t i = 0; arguments[i] != NULL; i++)
		free(arguments[i]);
	return pid;
}

static void
kill_client(pid_t pid)
{
	int status;

	/* It may have failed before. */
	if (waitpid(pid, &status, WNOHANG) == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("a client has failed");
}

static void
expect_clients(const struct transactions *run)
{
	for (int32_t i = 0; i < TXN_PRODUCERS; i++)
		if (waitpid(run->clients[i], NULL, WNOHANG) != 0)
			fail_msg("a client has failed");
}

static void
await_end(pid_t pid)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (clock_monotonic_ms() > deadline)
			fail_msg("a client does not end");
		usleep(POLL_US);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("a client has failed");
}

/*
 * All end; and those that were killed have left transactions, which those that
 * come after them end.
 */
static void
stop_clients(struct transactions *run)
{
	atomic_store(&run->history->stop, true);
	for (int32_t i = 0; i < TXN_PRODUCERS; i++)
		await_end(run->clients[i]);
	for (int32_t i = 0; i < TXN_PRODUCERS; i++)
		await_end(start_client(run, i));
}

/* --- Faults -------------------------------------------------------------- */

static void
sleep_below(struct transactions *run, uint64_t us)
{
	usleep((useconds_t)rng_below(&run->rng, us));
}

static void
replace_client(struct transactions *run, int32_t producer)
{
	kill_client(run->clients[producer]);
	sleep_below(run, QUIET_US_MAX / 4);
	run->clients[producer] = start_client(run, producer);
}

static void
pause_process(struct transactions *run, pid_t pid, uint64_t us_max)
{
	kill(pid, SIGSTOP);
	sleep_below(run, us_max);
	kill(pid, SIGCONT);
}

/* While one sleeps another one takes its id; then they fight for it. */
static void
fence_client(struct transactions *run, int32_t producer)
{
	pid_t old = run->clients[producer];

	kill(old, SIGSTOP);
	run->clients[producer] = start_client(run, producer);
	sleep_below(run, CLIENT_PAUSE_US_MAX / 2);
	kill(old, SIGCONT);
	sleep_below(run, QUIET_US_MAX);
	kill_client(old);
}

static void
harm_client(struct transactions *run)
{
	int32_t producer = (int32_t)rng_below(&run->rng, TXN_PRODUCERS);

	switch (rng_below(&run->rng, 3)) {
	case 0:
		replace_client(run, producer);
		break;
	case 1:
		pause_process(run, run->clients[producer],
		    CLIENT_PAUSE_US_MAX);
		break;
	default:
		fence_client(run, producer);
		break;
	}
}

static void
harm_broker(struct transactions *run)
{
	switch (rng_below(&run->rng, 3)) {
	case 0:
		broker_process_kill(run->broker);
		broker_process_restart(run->broker);
		break;
	case 1:
		broker_process_stop(run->broker);
		broker_process_restart(run->broker);
		break;
	default:
		pause_process(run, run->broker->pid, BROKER_PAUSE_US_MAX);
		break;
	}
}

static void
await_commits(struct transactions *run)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	int64_t goal = atomic_load(&run->history->committed) + 1 +
	    (int64_t)rng_below(&run->rng, 50);

	while (atomic_load(&run->history->committed) < goal) {
		expect_clients(run);
		if (clock_monotonic_ms() > deadline)
			fail_msg("no transactions are committed any more");
		usleep(POLL_US);
	}
}

static void
harm(struct transactions *run)
{
	int64_t end = clock_monotonic_ms() + 1000 * (int64_t)run->seconds;

	while (clock_monotonic_ms() < end) {
		await_commits(run);
		sleep_below(run, QUIET_US_MAX);
		if (run->port != 0 || rng_below(&run->rng, 2) == 0)
			harm_client(run);
		else
			harm_broker(run);
		run->faults++;
	}
	await_commits(run);
}

/* --- A run --------------------------------------------------------------- */

static void
start_broker(struct transactions *run)
{
	struct victim *victim = &run->victim;

	run->broker = &victim->broker;
	if (run->port != 0) {
		run->broker->port = run->port;
	} else {
		victim_init(victim, NULL);
		victim_set(victim, "offsets.topic.num.partitions", "3");
		victim_set(victim, "transaction.state.log.num.partitions",
		    "3");
		victim_set(victim,
		    "transaction.abort.timed.out.transaction.cleanup."
		    "interval.ms",
		    "200");
		victim_set(victim, "log.segment.bytes", "1048576");
		broker_process_restart(run->broker);
	}
	kafka_client_create_topic(
	    run->broker, TXN_TOPIC, TXN_PARTITIONS, KAFKA_DEFAULTS);
}

static void
expect_fine(char *what)
{
	if (what != NULL)
		fail_msg("%s", what);
}

static size_t
check(struct transactions *run, struct txn_reader *follower)
{
	int64_t committed[TXN_PRODUCERS];
	struct txn_reader reader;
	size_t count;

	txn_reader_start(&reader, run->broker);
	txn_reader_finish(&reader);
	txn_reader_finish(follower);
	for (int32_t i = 0; i < TXN_PRODUCERS; i++)
		committed[i] = txn_reader_committed(run->broker, i);
	expect_fine(txn_view_check(&reader.view, run->history, committed));
	expect_fine(txn_view_differ(&reader.view, &follower->view));
	count = txn_view_count(&reader.view);
	txn_reader_fini(&reader);
	return count;
}

static void
live(struct transactions *run)
{
	struct txn_reader follower;
	size_t count;

	rng_init(&run->rng, run->seed);
	run->history = txn_history_new(&run->history_fd);
	start_broker(run);
	for (int32_t i = 0; i < TXN_PRODUCERS; i++)
		run->clients[i] = start_client(run, i);
	txn_reader_start(&follower, run->broker);
	harm(run);
	stop_clients(run);
	count = check(run, &follower);
	txn_reader_fini(&follower);
	if (run->port == 0)
		victim_fini(&run->victim);
	printf("%d faults: %lld transactions committed, %lld aborted, %zu "
	       "records seen, no anomaly\n",
	    run->faults, (long long)atomic_load(&run->history->committed),
	    (long long)atomic_load(&run->history->aborted), count);
}

/* --- The command --------------------------------------------------------- */

__attribute__((noreturn)) static void
usage(void)
{
	fprintf(stderr,
	    "transactions [--seconds N] [--seed S] [--port N]\n");
	exit(2);
}

static void
be_client(const struct transactions *run, int32_t producer)
{
	struct broker_process broker = { .port = run->port };

	setenv("CMOCKA_TEST_ABORT", "1", 1);
	txn_client_run(
	    &broker, txn_history_map(run->history_fd), producer, run->seed);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "port", required_argument, NULL, 'p' },
		/* What a run starts its clients with. */
		{ "client", required_argument, NULL, 'c' },
		{ "history", required_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct transactions run = {
		.seconds = 60,
		.seed = (uint64_t)clock_wall_ms(),
		.program = argv[0],
	};
	int32_t client = -1;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option == 'n')
			run.seconds = (int)strtol(optarg, NULL, 10);
		else if (option == 's')
			run.seed = strtoull(optarg, NULL, 10);
		else if (option == 'p')
			run.port = (int)strtol(optarg, NULL, 10);
		else if (option == 'c')
			client = (int32_t)strtol(optarg, NULL, 10);
		else if (option == 'h')
			run.history_fd = (int)strtol(optarg, NULL, 10);
		else
			usage();
	if (optind < argc || run.seconds <= 0)
		usage();
	if (client >= 0)
		be_client(&run, client);
	else
		live(&run);
	return 0;
}
