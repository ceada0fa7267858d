/*
 * Exit codes of the program, whatever the command.
 */
#ifndef CLI_EXIT_CODE_H
#define CLI_EXIT_CODE_H

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

#endif
