/*
 * Opening a log as a start of the broker does, and leaving it as its end, or
 * the end of the power, does.
 */
#include "sim/log_sim.h"

#include "store/disk.h"
#include "store/fd_cache.h"
#include "store/log_clean.h"

static struct uuid
topic_id(void)
{
	return (struct uuid){ { 1, 2, 3 } };
}

void
sim_synced(struct sim *sim, int64_t offset)
{
	sim->model.durable = offset;
	sim->model.created = true;
}

void
sim_high_watermark_set(struct sim *sim, int64_t offset)
{
	log_lock(sim->log);
	log_high_watermark_set(sim->log, offset);
	log_unlock(sim->log);
}

/* --- Leaving -------------------------------------------------------------- */

/* Let go of the log without a stop, as the end of the process does. */
static void
leave(struct sim *sim)
{
	bool off = sim->disk.off;

	log_free(sim->log);
	sim->log = NULL;
	if (sim->files != NULL)
		fd_cache_free(sim->files);
	sim->files = NULL;
	sim_life_mend(&sim->life, &sim->disk);
	if (off || sim_chance(&sim->rng, 60))
		sim_disk_crash(&sim->disk);
	else
		sim_disk_kill(&sim->disk);
}

/* --- Opening -------------------------------------------------------------- */

static void
describe_open(struct sim *sim, struct log_open *open)
{
	sim->files = fd_cache_new(&sim->disk.disk, 4);
	*open = (struct log_open){
		.disk = &sim->disk.disk,
		.files = sim->files,
		.path = SIM_LOG_PATH,
		.settings = sim->settings,
		.recovery_point = sim->model.saved_recovery_point,
		.log_start_offset = sim->model.saved_start,
		.clean = sim->model.clean,
		.now_ms = sim->now_ms,
	};
	sim->model.clean = false;
}

/*
 * Nothing of it was durable: make it, as for a new topic.  What is left of it
 * is nobody's.
 */
static void
create(struct sim *sim, const struct log_open *open)
{
	struct model *model = &sim->model;

	log_free(sim->log);
	sim->log = NULL;
	if (disk_remove_dir(&sim->disk.disk, SIM_LOG_PATH) == 0)
		sim->log = log_create(open, topic_id());
	model->log.count = 0;
	model->start = model->start_max = model->start_cleaned = 0;
	model->end = model->durable = 0;
	model->tried.count = model->done.count = 0;
}

static bool
is_ours(const struct sim *sim)
{
	return sim->log != NULL &&
	    uuid_equal(log_topic_id(sim->log), topic_id());
}

/* Open it once; false where the disk got in the way. */
static bool
try_open(struct sim *sim)
{
	struct log_open open;

	describe_open(sim, &open);
	sim->log = log_open(&open);
	if (!sim->model.created && !sim->disk.struck && !is_ours(sim))
		create(sim, &open);
	if (is_ours(sim) && !sim->disk.off) {
		sim_life_mend(&sim->life, &sim->disk);
		return true;
	}
	CHECK(sim->disk.struck);
	return false;
}

/*
 * Let something fail in this attempt to open it.  In a life that was cut by
 * the power, now and then, each start is cut one operation later than the one
 * before, until one is through.
 */
static void
plan_fault(struct sim *sim, uint64_t attempt)
{
	static const enum sim_fault faults[] = { SIM_FAULT_POWER,
		SIM_FAULT_POWER, SIM_FAULT_EIO, SIM_FAULT_FULL,
		SIM_FAULT_EMFILE };

	if (sim_life_is_cut(&sim->life)) {
		if (attempt > 0 && sim->life.fault == SIM_FAULT_POWER &&
		    sim->life.at % 8 == sim->life.seed % 8)
			sim_disk_fail(
			    &sim->disk, SIM_FAULT_POWER, attempt - 1);
	} else if (attempt < 3 && sim_chance(&sim->rng, 30)) {
		uint64_t at = rng_below(&sim->rng, 60);
		uint64_t fault = rng_below(&sim->rng, COUNT_OF(faults));

		sim_disk_fail(&sim->disk, faults[fault], at);
	}
}

static void
start_from(struct sim *sim, uint64_t attempt)
{
	for (;; attempt++) {
		plan_fault(sim, attempt);
		if (try_open(sim))
			break;
		leave(sim);
	}
	sim_check_started(sim);
	sim->epoch++;
	log_lock(sim->log);
	log_leader_epoch_begin(sim->log, sim->epoch);
	log_clean_offset_set(sim->log, sim->model.saved_clean_offset);
	log_unlock(sim->log);
}

void
sim_start(struct sim *sim)
{
	start_from(sim, 0);
}

void
sim_restart(struct sim *sim)
{
	bool cut = sim->disk.struck && sim_life_is_cut(&sim->life);

	leave(sim);
	start_from(sim, cut ? 1 : 0);
}
