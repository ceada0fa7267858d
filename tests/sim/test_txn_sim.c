/*
 * Transactions under fencing, timeouts, expiry, markers that are held back or
 * fail, appends that fail, elections, kills and power cuts.
 *
 * Each seed is one life of a broker with three transactional ids and two
 * producers for each, some with an epoch for each transaction and some of the
 * older kind, and with requests that come late or from nobody.  Whatever
 * happens:
 *
 *  - the coordinator answers each call, and as a model says that it must;
 *  - its state is the model's after every step, and after every start;
 *  - no marker is written before the outcome is durable, nor another outcome
 *    than that, and nothing is complete before all markers are committed;
 *  - a producer's epochs never go back, nor does a last stable offset;
 *  - a reader of committed records sees each transaction whole or not at all,
 *    and offsets are there when their transaction is committed, and only then;
 *  - in the end nothing is left open.
 *
 * sim_program.h says how to run it.
 */
#include "sim/txn_sim.h"

#include "base/log.h"

#define STEPS_MAX 2000
#define DAY_MS 86400000

/* --- What happens ------------------------------------------------------- */

static void
step_flush(struct sim *sim)
{
	int log = (int)rng_below(&sim->rng, SIM_LOGS);

	for (int i = 0; i < SIM_LOGS &&
	    sim_log_end(sim, log) == sim_log_flushed(sim, log);
	    i++)
		log = (log + 1) % SIM_LOGS;
	sim_flush(sim, log);
}

static void
step_loop(struct sim *sim)
{
	(void)sim_loop_step(sim);
}

static void
step_pass(struct sim *sim)
{
	sim_pass(sim, (int64_t)rng_below(&sim->rng, 100));
}

static void
step_pass_long(struct sim *sim)
{
	sim_pass(sim, (int64_t)rng_below(&sim->rng, 30000));
}

static void
step_pass_days(struct sim *sim)
{
	sim_pass(sim, (int64_t)rng_below(&sim->rng, (uint64_t)10 * DAY_MS));
	/* No marker is under way for that long. */
	if (!sim_loop_is_idle(sim))
		return;
	for (int i = 0; i < SIM_PARTITIONS; i++) {
		log_lock(sim->logs[i].log);
		log_producers_expire(sim->logs[i].log, clock_wall_ms());
		log_unlock(sim->logs[i].log);
	}
}

static void
step_check(struct sim *sim)
{
	sim_check_log(sim, (int)rng_below(&sim->rng, SIM_PARTITIONS));
}

/* A producer that has had many transactions: its epochs are running out. */
static void
step_age(struct sim *sim)
{
	struct sim_txn *model =
	    &sim->models[rng_below(&sim->rng, SIM_TXNS)];
	struct txn *txn;
	struct txn_values next;

	if (shard_enter(&sim->txns.shard) != KP_NONE)
		return;
	txn = txn_find(&sim->txns, slice_str(model->id));
	if (txn != NULL && txn_is_idle(txn) &&
	    txn->values.producer_epoch < TXN_EPOCH_EXHAUSTED - 3) {
		next = txn->values;
		next.producer_epoch = (int16_t)(TXN_EPOCH_EXHAUSTED -
		    (int)rng_below(&sim->rng, 4));
		if (txn_write(txn, &next, NULL) == KP_NONE)
			sim_model_aged(sim, model, next.producer_epoch);
	}
	shard_leave(&sim->txns.shard);
}

static void
step(struct sim *sim)
{
	static const struct sim_step steps[] = {
		{ "client", 500, sim_client_step },
		{ "stray", 12, sim_stray_step },
		{ "strays go on", 60, sim_strays_go_on },
		{ "flush", 250, step_flush },
		{ "loop", 250, step_loop },
		{ "pass", 60, step_pass },
		{ "pass long", 4, step_pass_long },
		{ "pass days", 1, step_pass_days },
		{ "ids", 30, sim_ids_step },
		{ "plain batch", 10, sim_produce_plain },
		{ "plain offsets", 10, sim_commit_plain },
		{ "check", 20, step_check },
		{ "check offsets", 15, sim_check_offsets },
		{ "age", 2, step_age },
		{ "crash", 3, sim_broker_crash },
		{ "election", 3, sim_broker_reelect },
	};
	const struct sim_step *picked =
	    sim_step_pick(steps, COUNT_OF(steps), &sim->rng);

	log_debug("sim", "%s", picked->name);
	picked->run(sim);
}

/* --- A life ------------------------------------------------------------- */

/* Until everybody is answered and all that was begun has ended. */
static void
settle(struct sim *sim)
{
	sim->settling = true;
	for (int i = 0; i < 40; i++) {
		for (int j = 0; j < SIM_LOGS; j++)
			sim_flush(sim, j);
		while (sim_loop_step(sim))
			;
		sim_ids_drain(sim);
		for (int j = 0; j < SIM_CLIENTS; j++)
			sim_client_go_on(sim, &sim->clients[j]);
		sim_strays_go_on(sim);
		sim_pass(sim, 3000);
	}
	CHECK(!sim_clients_wait(sim));
}

/* Another instance begins. */
static void
fence(struct sim *sim, int txn)
{
	struct sim_client client = {
		.txn = txn,
		.begin_version = 5,
		.producer_id = -1,
		.renew = true,
	};

	sim_client_act(sim, &client);
	while (client.op != NULL) {
		sim_flush(sim, SIM_LOG_TXNS);
		sim_ids_drain(sim);
		sim_client_go_on(sim, &client);
	}
}

/* One that never times out waits for its producer, or for another one. */
static void
end_endless(struct sim *sim)
{
	for (int i = 0; i < SIM_TXNS; i++) {
		const struct txn_model *now = &sim->models[i].now;

		if (!now->known || now->state != TXN_ONGOING)
			continue;
		CHECK(now->timeout_ms == TXN_TIMEOUT_NEVER);
		fence(sim, i);
		CHECK(now->state != TXN_ONGOING);
	}
	settle(sim);
}

static bool
live(const struct sim_life *life)
{
	struct sim *sim = xcalloc(1, sizeof(*sim));
	uint64_t count;

	sim->life = *life;
	rng_init(&sim->rng, life->seed);
	sim_clients_init(sim);
	sim_broker_init(sim);
	count = 1 + rng_below(&sim->rng, STEPS_MAX);
	for (uint64_t i = 0; i < count; i++)
		step(sim);
	settle(sim);
	end_endless(sim);
	sim_check_settled(sim);
	log_debug("sim", "%d transactions were committed", sim->commits);
	sim_broker_fini(sim);
	for (int i = 0; i < SIM_TXNS; i++)
		free(sim->models[i].history);
	free(sim->serials);
	free(sim->waiting);
	free(sim);
	return false;
}

int
main(int argc, char **argv)
{
	static const struct sim_program program = {
		.name = "tests/sim/test_txn_sim",
		.live = live,
		.lives = 200,
	};

	return sim_program_main(&program, argc, argv);
}
