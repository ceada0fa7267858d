/*
 * One life of a log on a simulated disk: what the files of test_log_sim share.
 *
 * log_sim_start.c opens and leaves it, log_sim_steps.c does what can be done
 * to it, log_sim_check.c compares it with the model.
 */
#ifndef SIM_LOG_SIM_H
#define SIM_LOG_SIM_H

#include "sim/log_model.h"
#include "sim/sim_program.h"
#include "store/log.h"

#define SIM_LOG_PATH "/topic-0"
#define SIM_PRODUCERS 3

struct producer_model {
	int32_t next_sequence;
	int64_t txn_first_offset;	/* -1: none is open */
};

struct sim {
	struct sim_life life;
	struct rng rng;
	struct sim_disk disk;
	struct fd_cache *files;
	struct log *log;		/* NULL while it is not open */
	struct log_settings settings;
	struct model model;
	struct producer_model producers[SIM_PRODUCERS];
	int32_t epoch;
	int64_t now_ms;
	bool records_deleted;
};

/* --- log_sim_start.c ----------------------------------------------------- */

/* Open the log, perhaps through several crashes, and check it. */
void sim_start(struct sim *sim);

/* Let go of it without a stop, as a crash does, and start again. */
void sim_restart(struct sim *sim);

/* Everything up to here is on the medium. */
void sim_synced(struct sim *sim, int64_t offset);

void sim_high_watermark_set(struct sim *sim, int64_t offset);

/* --- log_sim_steps.c ------------------------------------------------------ */

/* Something, picked at random. */
void sim_step(struct sim *sim);

/* --- log_sim_check.c ------------------------------------------------------ */

/* After a start: what is there becomes what the model has. */
void sim_check_started(struct sim *sim);

/* While it runs: all that the model has is there, or may be gone. */
void sim_check_running(struct sim *sim);

/* After a round of compaction: nothing is there that it had to take. */
void sim_check_cleaned(struct sim *sim);

/* Who has which sequence and transaction, by the batches. */
void sim_producers_recount(struct sim *sim);

#endif
