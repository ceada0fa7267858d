/*
 * What `klamm NAME` runs.  Each command's file ends in its row; main.c has the
 * table of them.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/base.h"

struct command {
	const char *name;
	const char *summary;	/* a line of klamm --help */
	/*
	 * argv[0] is klamm, which getopt's complaints begin with.  Returns
	 * the exit code (exit_code.h).
	 */
	int (*run)(int argc, char **argv);
};

extern const struct command serve_command;
extern const struct command dump_log_command;
extern const struct command storage_command;

#endif
