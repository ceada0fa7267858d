/*
 * What the programs of the simulation share: their arguments, and the line
 * that repeats what failed.
 *
 *	PROGRAM				what `make check` runs
 *	PROGRAM lives COUNT [FIRST]	seeds FIRST to FIRST + COUNT - 1
 *	PROGRAM cuts COUNT [FIRST]	the same, with a fault at each operation
 *	PROGRAM cut SEED FAULT AT	one of those
 *
 * A fault at each operation is one of each kind in turn; sim_life.h says what
 * lives and cuts are.
 */
#ifndef SIM_SIM_PROGRAM_H
#define SIM_SIM_PROGRAM_H

#include "base/base.h"
#include "sim/sim_life.h"

struct sim_program {
	const char *name;	/* its path, as tests/sim/NAME */

	/* A life or a cut: did the cut's fault come? */
	bool (*live)(const struct sim_life *life);

	/* How many seeds without arguments. */
	uint64_t lives;
	uint64_t cuts;
};

int sim_program_main(const struct sim_program *program, int argc, char **argv);

/* Say what failed, and how to repeat it. */
void sim_give_up(const char *file, int line, const char *what)
    __attribute__((noreturn));

#define CHECK(condition) \
	((condition) ? (void)0 : sim_give_up(__FILE__, __LINE__, #condition))

#endif
