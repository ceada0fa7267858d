#include "bench/probes.h"

#include "base/clock.h"
#include "bench/cost.h"
#include "wire/error.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long anything here may take. */
#define PATIENCE_US (120 * 1000000ll)

static void
nap(int64_t us)
{
	struct timespec time = { .tv_sec = us / 1000000,
		.tv_nsec = us % 1000000 * 1000 };

	while (nanosleep(&time, &time) != 0 && errno == EINTR)
		;
}

static double
ms_since(int64_t begin_us)
{
	return (double)(clock_monotonic_us() - begin_us) / 1e3;
}

/* --- Connections at rest ------------------------------------------------- */

void
probe_idle(
    const struct broker *broker, int connections, double seconds, long pid)
{
	int *fds = xcalloc((size_t)connections, sizeof(*fds));
	double each = connections > 0 ? connections : 1;
	struct cost before, open, begin, end;

	cost_read(&before, pid);
	for (int i = 0; i < connections; i++) {
		fds[i] = broker_must_connect(broker);
		broker_greet(fds[i]);
	}
	cost_read(&open, pid);
	nap(2000000);
	cost_read(&begin, pid);
	nap((int64_t)(seconds * 1e6));
	cost_read(&end, pid);
	printf("{\"mode\":\"idle\",\"connections\":%d,\"rss_kb\":%ld,"
	       "\"rss_kb_each\":%.2f,\"open_cpu_us_each\":%.1f,"
	       "\"idle_cpu_percent\":%.3f,\"wakeups_per_s\":%.2f,"
	       "\"threads\":%ld}\n",
	    connections, before.rss_kb,
	    (double)(begin.rss_kb - before.rss_kb) / each,
	    (open.cpu_s - before.cpu_s) * 1e6 / each,
	    (end.threads_cpu_s - begin.threads_cpu_s) * 100 / seconds,
	    (double)(end.switches - begin.switches) / seconds, end.threads);
	for (int i = 0; i < connections; i++)
		close(fds[i]);
	free(fds);
}

/* --- Many partitions ----------------------------------------------------- */

static bool
passing(int error)
{
	return error == KP_UNKNOWN_TOPIC_OR_PARTITION ||
	    error == KP_LEADER_NOT_AVAILABLE ||
	    error == KP_NOT_LEADER_OR_FOLLOWER ||
	    error == KP_BROKER_NOT_AVAILABLE || error == KP_NOT_CONTROLLER ||
	    error == KP_REPLICA_NOT_AVAILABLE || error == KP_REQUEST_TIMED_OUT;
}

static void
wait_acknowledged(
    int fd, const struct load *load, int partition, int64_t begin_us)
{
	int error;

	while ((error = broker_produce(fd, load, partition)) != 0) {
		if (!passing(error) ||
		    clock_monotonic_us() - begin_us > PATIENCE_US)
			die("%s-%d: error %d", load->topic, partition, error);
		nap(1000);
	}
}

void
probe_partitions(const struct broker *broker, const struct load *load, long pid)
{
	int fd = broker_must_connect(broker), error;
	struct cost before, after;
	double answered_ms;
	int64_t begin_us;

	broker_greet(fd);
	cost_read(&before, pid);
	begin_us = clock_monotonic_us();
	error = broker_create_topic(fd, load);
	if (error != 0)
		die("%s: error %d", load->topic, error);
	answered_ms = ms_since(begin_us);
	for (int i = 0; i < load->partitions; i++)
		wait_acknowledged(fd, load, i, begin_us);
	printf("{\"mode\":\"partitions\",\"partitions\":%d,"
	       "\"answered_ms\":%.1f,\"acknowledged_ms\":%.1f",
	    load->partitions, answered_ms, ms_since(begin_us));
	cost_read(&after, pid);
	printf(",\"cpu_s\":%.2f,\"rss_kb_each\":%.2f}\n",
	    after.cpu_s - before.cpu_s,
	    (double)(after.rss_kb - before.rss_kb) / load->partitions);
	close(fd);
}

/* --- From exec to the first acknowledged record -------------------------- */

/* One attempt; *first_us is set when a connection first came about. */
static bool
acknowledged(
    const struct broker *broker, const struct load *load, int64_t *first_us)
{
	int fd = broker_connect(broker), error;

	if (fd < 0)
		return false;
	if (*first_us == 0)
		*first_us = clock_monotonic_us();
	error = broker_create_topic(fd, load);
	if (error == 0 || error == KP_TOPIC_ALREADY_EXISTS)
		error = broker_produce(fd, load, 0);
	close(fd);
	if (error > 0 && !passing(error))
		die("%s: error %d", load->topic, error);
	return error == 0;
}

void
probe_start(
    const struct broker *broker, const struct load *load, char **command)
{
	int64_t begin_us = clock_monotonic_us(), first_us = 0;
	double done_ms;
	struct cost cost;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(command[0], command);
		die("%s: %s", command[0], strerror(errno));
	}
	while (!acknowledged(broker, load, &first_us)) {
		if (clock_monotonic_us() - begin_us > PATIENCE_US ||
		    waitpid(pid, NULL, WNOHANG) != 0)
			die("%s: serves nothing", command[0]);
		nap(100);
	}
	done_ms = ms_since(begin_us);
	cost_read(&cost, pid);
	printf("{\"mode\":\"start\",\"connected_ms\":%.1f,"
	       "\"acknowledged_ms\":%.1f,\"cpu_s\":%.3f,\"rss_kb\":%ld}\n",
	    (double)(first_us - begin_us) / 1e3, done_ms, cost.threads_cpu_s,
	    cost.rss_kb);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}
