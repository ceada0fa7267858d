#include "e2e/broker_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* A broker under a sanitizer on a busy machine is slow, but not that slow. */
#define START_DEADLINE_MS 60000
#define POLL_US 2000

#define ARGUMENT_LEN 512

__attribute__((noreturn, format(printf, 2, 3))) static void
die(const struct broker_process *broker, const char *format, ...)
{
	char command[160];
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nthe broker's last lines:\n");
	snprintf(command, sizeof(command), "tail -60 %s/out >&2",
	    broker->directory);
	if (system(command) != 0)
		fprintf(stderr, "(none)\n");
	if (broker->pid > 0) {
		kill(broker->pid, SIGKILL);
		waitpid(broker->pid, NULL, 0);
	}
	abort();
}

static void
path_of(const struct broker_process *broker, const char *name, char *path,
    size_t size)
{
	int n = snprintf(path, size, "%s/%s", broker->directory, name);

	assert(n > 0 && (size_t)n < size);
}

const char *
broker_process_binary(void)
{
	const char *path = getenv("KLAMM");

	return path == NULL ? BUILDDIR "/klamm" : path;
}

/*
 * An argument "listeners=X://host:0,..." with the port that the broker had
 * before, where its clients look for it.
 */
static const char *
with_port(const struct broker_process *broker, const char *argument,
    char *buffer, size_t buffer_size)
{
	const char *port = strstr(argument, ":0");

	if (broker->port == 0 || port == NULL ||
	    strncmp(argument, "listeners=", strlen("listeners=")) != 0 ||
	    (port[2] != '\0' && port[2] != ','))
		return argument;
	snprintf(buffer, buffer_size, "%.*s:%d%s", (int)(port - argument),
	    argument, broker->port, port + 2);
	return buffer;
}

static void
exec_broker(const struct broker_process *broker)
{
	char listeners[ARGUMENT_LEN];
	char data[96], port_file[96], output[96], port[16];
	const char *argv[BROKER_ARGUMENTS_MAX + 12];
	size_t n = 0;
	int fd;

	path_of(broker, "data", data, sizeof(data));
	path_of(broker, "port", port_file, sizeof(port_file));
	path_of(broker, "out", output, sizeof(output));
	snprintf(port, sizeof(port), "%d", broker->port);
	argv[n++] = "klamm";
	argv[n++] = "serve";
	argv[n++] = "--data-dir";
	argv[n++] = data;
	argv[n++] = "--port";
	argv[n++] = port;
	argv[n++] = "--port-file";
	argv[n++] = port_file;
	for (size_t i = 0; i < broker->arguments_count; i++)
		argv[n++] = with_port(broker, broker->arguments[i], listeners,
		    sizeof(listeners));
	argv[n] = NULL;
	/* A test that dies takes its broker with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(126);
	execv(broker_process_binary(), (char *const *)(uintptr_t)argv);
	_exit(127);
}

static bool
read_port(struct broker_process *broker)
{
	char path[96];
	FILE *file;
	bool ok;

	path_of(broker, "port", path, sizeof(path));
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	ok = fscanf(file, "%d", &broker->port) == 1;
	fclose(file);
	return ok;
}

/* The port file appears when the broker serves. */
static void
await_ready(struct broker_process *broker)
{
	int64_t deadline = clock_monotonic_ms() + START_DEADLINE_MS;
	int status;

	while (!read_port(broker)) {
		if (waitpid(broker->pid, &status, WNOHANG) == broker->pid) {
			broker->pid = 0;
			die(broker, "the broker ended with status %d", status);
		}
		if (clock_monotonic_ms() > deadline)
			die(broker, "the broker did not get ready");
		usleep(POLL_US);
	}
}

void
broker_process_launch(struct broker_process *broker)
{
	char path[96];

	assert(broker->pid == 0);
	path_of(broker, "port", path, sizeof(path));
	unlink(path);
	broker->pid = fork();
	if (broker->pid == 0)
		exec_broker(broker);
	if (broker->pid < 0)
		die(broker, "fork: %s", strerror(errno));
}

void
broker_process_restart(struct broker_process *broker)
{
	broker_process_launch(broker);
	await_ready(broker);
}

void
broker_process_init(struct broker_process *broker)
{
	memset(broker, 0, sizeof(*broker));
	strcpy(broker->directory, "/tmp/klamm-e2e-XXXXXX");
	if (mkdtemp(broker->directory) == NULL)
		die(broker, "mkdtemp: %s", strerror(errno));
}

void
broker_process_argument(struct broker_process *broker, const char *argument)
{
	assert(broker->arguments_count < BROKER_ARGUMENTS_MAX);
	broker->arguments[broker->arguments_count++] = argument;
}

void
broker_process_start(struct broker_process *broker, ...)
{
	const char *argument;
	va_list args;

	broker_process_init(broker);
	va_start(args, broker);
	while ((argument = va_arg(args, const char *)) != NULL)
		broker_process_argument(broker, argument);
	va_end(args);
	broker_process_restart(broker);
}

int
broker_process_wait(struct broker_process *broker)
{
	int status;

	while (waitpid(broker->pid, &status, 0) < 0)
		if (errno != EINTR)
			die(broker, "waitpid: %s", strerror(errno));
	broker->pid = 0;
	return status;
}

void
broker_process_kill(struct broker_process *broker)
{
	kill(broker->pid, SIGKILL);
	(void)broker_process_wait(broker);
}

void
broker_process_stop(struct broker_process *broker)
{
	int status;

	kill(broker->pid, SIGTERM);
	status = broker_process_wait(broker);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die(broker, "after SIGTERM the broker ended with status %d",
		    status);
}

static int
remove_entry(const char *path, const struct stat *st UNUSED, int type UNUSED,
    struct FTW *ftw UNUSED)
{
	return remove(path);
}

void
broker_process_fini(struct broker_process *broker)
{
	if (broker->pid > 0)
		broker_process_stop(broker);
	if (nftw(broker->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS) !=
	    0)
		die(broker, "cannot remove %s", broker->directory);
}

void
broker_process_address(const struct broker_process *broker, char address[32])
{
	snprintf(address, 32, "127.0.0.1:%d", broker->port);
}

int
broker_process_try_connect(const struct broker_process *broker)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)broker->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) !=
		0) {
		close(fd);
		return -1;
	}
	return fd;
}

int
broker_process_connect(const struct broker_process *broker)
{
	int fd = broker_process_try_connect(broker);

	if (fd < 0)
		die(broker, "connect: %s", strerror(errno));
	return fd;
}

bool
broker_process_logged(const struct broker_process *broker, const char *text)
{
	char path[96], line[8192];
	bool found = false;
	FILE *file;

	path_of(broker, "out", path, sizeof(path));
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = strstr(line, text) != NULL;
	fclose(file);
	return found;
}

size_t
broker_process_memory(const struct broker_process *broker, const char *row)
{
	char path[64], line[256];
	size_t kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)broker->pid);
	file = fopen(path, "re");
	if (file == NULL)
		die(broker, "the broker is gone: %s", strerror(errno));
	while (kib == 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, row, strlen(row)) == 0)
			kib = strtoul(line + strlen(row), NULL, 10);
	fclose(file);
	if (kib == 0)
		die(broker, "%s has no %s", path, row);
	return kib * 1024;
}

/* The shadows of a sanitizer take terabytes of addresses. */
bool
broker_process_memory_tells(const struct broker_process *broker)
{
	return broker_process_memory(broker, "VmSize:") >> 40 == 0;
}
