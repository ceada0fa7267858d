/*
 * The real binary as a child process, for tests from the outside.
 *
 * Every function fails the test by abort with a line on standard error when
 * the broker does not do what it should: a test cannot go on without it.
 */
#ifndef E2E_BROKER_PROCESS_H
#define E2E_BROKER_PROCESS_H

#include "base/base.h"

#define BROKER_ARGUMENTS_MAX 32

struct broker_process {
	pid_t pid;			/* 0 while it is not running */
	int port;
	char directory[64];		/* temporary; holds data, port, log */
	const char *arguments[BROKER_ARGUMENTS_MAX];
	size_t arguments_count;
};

/* The binary under test: what $KLAMM names, else that of this build. */
const char *broker_process_binary(void);

/*
 * Start a broker on a free port with a data directory of its own.  Extra
 * arguments of `klamm serve` follow, the last one is NULL.  Returns when the
 * broker serves.
 */
void broker_process_start(struct broker_process *broker, ...)
    __attribute__((sentinel));

/*
 * The same in steps: make the directory, add arguments, which stay the
 * caller's; broker_process_restart starts it.
 */
void broker_process_init(struct broker_process *broker);
void broker_process_argument(struct broker_process *broker,
    const char *argument);

/* Start it again on the same data directory and port. */
void broker_process_restart(struct broker_process *broker);

/* The same, but return before it serves. */
void broker_process_launch(struct broker_process *broker);

/* SIGKILL, and wait for its end. */
void broker_process_kill(struct broker_process *broker);

/* SIGTERM; the broker must exit with 0. */
void broker_process_stop(struct broker_process *broker);

/* Stop it where it runs, and remove its directory. */
void broker_process_fini(struct broker_process *broker);

/* "127.0.0.1:port" in a buffer of the broker's own; valid until fini. */
void broker_process_address(const struct broker_process *broker,
    char address[32]);

/* A connected TCP socket to the broker; the caller closes it. */
int broker_process_connect(const struct broker_process *broker);

/* The same, or -1 with errno where the broker does not listen. */
int broker_process_try_connect(const struct broker_process *broker);

/* Wait for its end, however it comes; the result is waitpid's status. */
int broker_process_wait(struct broker_process *broker);

/*
 * Bytes of the broker's memory: a row of /proc's status such as "VmRSS:", what
 * is resident, or "VmHWM:", the most that ever was.
 */
size_t broker_process_memory(const struct broker_process *broker,
    const char *row);

/*
 * Does that say anything?  Not of a broker with a sanitizer, which keeps what
 * was freed, and shadows of it.
 */
bool broker_process_memory_tells(const struct broker_process *broker);

/* True where the broker's output has a line that contains text. */
bool broker_process_logged(const struct broker_process *broker,
    const char *text);

#endif
