/*
 * Program: klamm run with any arguments, for tests of the command line.
 *
 * Every function fails the test when a deadline passes.  One thread.
 */
#ifndef E2E_PROGRAM_H
#define E2E_PROGRAM_H

#include "base/base.h"

struct program {
	pid_t pid;		/* 0 once it has ended */
	int out;		/* files that hold what it has written */
	int err;
};

/* A list of arguments for program_start. */
#define PROGRAM_ARGUMENTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/*
 * Run klamm in the directory, NULL for this one, with arguments up to a NULL.
 * It sees the environment of the test.
 */
void program_start(struct program *program, const char *directory,
    const char *const *arguments);

/* Its exit code, or 128 and the signal that has ended it. */
int program_wait(struct program *program);

/* What it has written to standard output or error so far; on the heap. */
char *program_out(const struct program *program);
char *program_err(const struct program *program);

/* Return once its standard output contains text. */
void program_await(const struct program *program, const char *text);

/* Kill it where it still runs, and forget what it has written. */
void program_fini(struct program *program);

/* How often part is in text. */
size_t program_count(const char *text, const char *part);

#endif
