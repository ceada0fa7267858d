#include "sim/sim_program.h"

#include "base/log.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* What the handler says: it has no arguments of its own. */
static const struct sim_life *living;

/* Also an assertion of what is tested has a seed that repeats it. */
static void
say_how_to_repeat(int number UNUSED)
{
	if (living->fault == SIM_FAULT_NONE)
		dprintf(STDERR_FILENO, "repeat: %s lives 1 %" PRIu64 "\n",
		    living->program, living->seed);
	else
		dprintf(STDERR_FILENO,
		    "repeat: %s cut %" PRIu64 " %d %" PRIu64 "\n",
		    living->program, living->seed, (int)living->fault,
		    living->at);
}

void
sim_give_up(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static bool
live(const struct sim_program *program, const struct sim_life *life)
{
	living = life;
	return program->live(life);
}

static void
lives(const struct sim_program *program, uint64_t count, uint64_t first)
{
	struct sim_life life = { .program = program->name };

	for (uint64_t i = 0; i < count; i++) {
		life.seed = first + i;
		(void)live(program, &life);
	}
	printf("%" PRIu64 " lives\n", count);
}

static void
cuts(const struct sim_program *program, uint64_t count, uint64_t first)
{
	struct sim_life life = { .program = program->name };
	uint64_t total = 0;

	for (uint64_t i = 0; i < count; i++) {
		life.seed = first + i;
		for (int fault = SIM_FAULT_NONE + 1; fault < SIM_FAULTS;
		     fault++) {
			life.fault = (enum sim_fault)fault;
			life.at = 0;
			while (live(program, &life))
				life.at++;
			total += life.at;
		}
	}
	printf("%" PRIu64 " lives with %" PRIu64 " cuts\n", count, total);
}

static uint64_t
number(int argc, char **argv, int at, uint64_t fallback)
{
	return argc > at ? strtoull(argv[at], NULL, 10) : fallback;
}

int
sim_program_main(const struct sim_program *program, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t count = number(argc, argv, 2, 1);
	uint64_t first = number(argc, argv, 3, 1);
	struct sim_life life = {
		.program = program->name,
		.seed = count,
		.fault = (enum sim_fault)first,
		.at = number(argc, argv, 4, 0),
	};

	signal(SIGABRT, say_how_to_repeat);
	/* Failures are the point here; what is repeated alone tells. */
	log_set_level(argc > 2 && count == 1 ? LOG_DEBUG : LOG_FATAL);
	if (argc == 1) {
		lives(program, program->lives, 1);
		cuts(program, program->cuts, 1);
	} else if (strcmp(what, "lives") == 0) {
		lives(program, count, first);
	} else if (strcmp(what, "cuts") == 0) {
		log_set_level(LOG_FATAL);
		cuts(program, count, first);
	} else if (strcmp(what, "cut") == 0 && argc == 5 &&
	    life.fault < SIM_FAULTS) {
		log_set_level(LOG_DEBUG);
		printf("the fault came: %d\n", live(program, &life));
	} else {
		fprintf(stderr,
		    "usage: %s [lives COUNT [FIRST] | cuts COUNT [FIRST] | "
		    "cut SEED FAULT AT]\n",
		    program->name);
		return 2;
	}
	return 0;
}
