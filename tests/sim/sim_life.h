/*
 * A life of what is simulated, and what decides it: the seed, the faults, the
 * steps that it takes.  A life has faults that its seed chooses; a cut is a
 * short one with a single fault at a given operation of the disk.
 */
#ifndef SIM_SIM_LIFE_H
#define SIM_SIM_LIFE_H

#include "base/rng.h"
#include "sim/sim_disk.h"

struct sim;

/* Which life is lived. */
struct sim_life {
	const char *program;
	uint64_t seed;
	enum sim_fault fault;	/* SIM_FAULT_NONE: a life; else a cut, */
	uint64_t at;		/* at this operation */
};

static inline bool
sim_life_is_cut(const struct sim_life *life)
{
	return life->fault != SIM_FAULT_NONE;
}

static inline bool
sim_chance(struct rng *rng, unsigned percent)
{
	return rng_below(rng, 100) < percent;
}

/* The disk works again; only a cut that has not come yet still comes. */
void sim_life_mend(const struct sim_life *life, struct sim_disk *disk);

/* A fault of any kind is to come, in a life. */
void sim_life_fault(const struct sim_life *life, struct sim_disk *disk,
    struct rng *rng);

/*
 * What a start meets that has failed attempt times: after the power cut of a
 * cut, for a share of them, another one, an operation later with each start,
 * until one is through; in a life perhaps something.
 */
void sim_life_plan_start(const struct sim_life *life, struct sim_disk *disk,
    struct rng *rng, uint64_t attempt);

/* What can happen next; more often where it weighs more. */
struct sim_step {
	const char *name;
	unsigned weight;
	void (*run)(struct sim *sim);
};

/* One of count steps. */
const struct sim_step *sim_step_pick(
    const struct sim_step *steps, size_t count, struct rng *rng);

#endif
