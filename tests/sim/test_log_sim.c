/*
 * Logs under power cuts, kills and failing disks.
 *
 * Each seed is one life of a log: appends of all kinds, flushes, rolls,
 * retention, compaction, truncation, orderly stops, power cuts and kills, also
 * while a log is opened, and now and then an operation of the disk that fails.
 * A model remembers what was appended.  After each start the log must have
 * everything that a flush had covered, then at most what was appended behind
 * it, without a gap, bit for bit at its offset, but for what compaction may
 * have taken; producers, open and aborted transactions and leader epochs must
 * be those of the batches.
 *
 * sim_program.h says how to run it.
 */
#include "sim/log_sim.h"

#include "store/fd_cache.h"

#define STEPS_MAX 250
#define CUT_STEPS 25

static void
pick_settings(struct sim *sim)
{
	static const int32_t sizes[] = { 2000, 6000, 30000 };
	struct log_settings *settings = &sim->settings;
	size_t size = rng_below(&sim->rng, COUNT_OF(sizes));

	log_settings_init(settings);
	settings->segment_bytes =
	    sim_life_is_cut(&sim->life) ? 600 : sizes[size];
	settings->index_interval_bytes = sim_chance(&sim->rng, 50) ? 100 : 4096;
	settings->file_delete_delay_ms = sim_chance(&sim->rng, 50) ? 0 : 60000;
	settings->producer_id_expiration_ms = INT64_MAX / 4;
	settings->retention_bytes = sim_chance(&sim->rng, 50) ?
	    -1 :
	    (int64_t)rng_below(&sim->rng, 20000);
	settings->retention_ms = sim_chance(&sim->rng, 50) ? -1 : 200000;
	settings->cleanup_compact = sim_chance(&sim->rng, 60);
	settings->cleanup_delete =
	    !settings->cleanup_compact || sim_chance(&sim->rng, 40);
	settings->delete_retention_ms = sim_chance(&sim->rng, 50) ? 0 : 100000;
	settings->min_compaction_lag_ms = sim_chance(&sim->rng, 70) ? 0 : 50000;
	sim->model.delete_retention_ms = settings->delete_retention_ms;
	sim->model.min_lag_ms = settings->min_compaction_lag_ms;
}

static bool
live(const struct sim_life *life)
{
	struct sim sim = { .life = *life, .now_ms = 1800000000000 };
	uint64_t count = CUT_STEPS;
	bool struck;

	rng_init(&sim.rng, life->seed);
	sim_disk_init(&sim.disk, &sim.rng);
	model_init(&sim.model);
	pick_settings(&sim);
	if (sim_life_is_cut(&sim.life))
		sim_disk_fail(&sim.disk, life->fault, life->at);
	else
		count = 1 + rng_below(&sim.rng, STEPS_MAX);
	sim_start(&sim);
	for (uint64_t i = 0; i < count; i++)
		sim_step(&sim);
	struck = sim.disk.struck_ever;
	sim_restart(&sim);
	log_free(sim.log);
	fd_cache_free(sim.files);
	sim_disk_fini(&sim.disk);
	model_fini(&sim.model);
	return struck;
}

int
main(int argc, char **argv)
{
	static const struct sim_program program = {
		.name = "tests/sim/test_log_sim",
		.live = live,
		.lives = 200,
		.cuts = 8,
	};

	return sim_program_main(&program, argc, argv);
}
