#include "sim/sim_life.h"

/* So many starts of a cut are cut, too. */
#define STARTS_CUT_MAX 200

void
sim_life_mend(const struct sim_life *life, struct sim_disk *disk)
{
	if (!sim_life_is_cut(life) || disk->struck_ever)
		(void)sim_disk_heal(disk);
}

void
sim_life_fault(
    const struct sim_life *life, struct sim_disk *disk, struct rng *rng)
{
	uint64_t at, fault;

	if (sim_life_is_cut(life))
		return;
	at = rng_below(rng, 60);
	fault = 1 + rng_below(rng, SIM_FAULTS - 1);
	(void)sim_disk_heal(disk);
	sim_disk_fail(disk, (enum sim_fault)fault, at);
}

void
sim_life_plan_start(const struct sim_life *life, struct sim_disk *disk,
    struct rng *rng, uint64_t attempt)
{
	if (sim_life_is_cut(life)) {
		if (attempt > 0 && attempt <= STARTS_CUT_MAX &&
		    life->fault == SIM_FAULT_POWER &&
		    life->at % 4 == life->seed % 4)
			sim_disk_fail(disk, SIM_FAULT_POWER, attempt - 1);
	} else if (attempt < 3 && sim_chance(rng, 30)) {
		uint64_t at = rng_below(rng, 80);
		bool power = sim_chance(rng, 70);

		sim_disk_fail(
		    disk, power ? SIM_FAULT_POWER : SIM_FAULT_EIO, at);
	}
}

const struct sim_step *
sim_step_pick(const struct sim_step *steps, size_t count, struct rng *rng)
{
	uint64_t total = 0, pick;

	for (size_t i = 0; i < count; i++)
		total += steps[i].weight;
	pick = rng_below(rng, total);
	for (; pick >= steps->weight; steps++)
		pick -= steps->weight;
	return steps;
}
