/*
 * Groups of both protocols under members that join, leave, fall silent, change
 * their minds and come back as somebody else, while topics come, grow and go,
 * appends fail, and the broker restarts, also without what was not committed.
 *
 * Whatever happens:
 *
 *  - in one generation of the classic group a partition belongs to one member;
 *  - of a consumer group, also one that is made from a classic group and back
 *    while members of both protocols are in it, no two members work on a
 *    partition at the same time, counting from when one is told to begin to
 *    when it says that it stopped;
 *  - epochs never go back;
 *  - an offset is what was committed last, before and after a restart;
 *  - a restart finds the groups as they were;
 *  - each call is answered, and in the end all partitions are shared out.
 *
 * sim_program.h says how to run it.
 */
#include "sim/group_sim.h"

#include "base/log.h"
#include "wire/batch.h"

#include <stdio.h>

#define STEPS_MAX 800

void
sim_call_init(struct sim *sim, struct group_call *call, int16_t version,
    void (*done)(struct shard_call *call))
{
	*call = (struct group_call){
		.call = { .done = done },
		.arena = &sim->world.arena,
		.version = version,
		.principal = PRINCIPAL_ANONYMOUS,
		.client_id = slice_str("client"),
		.client_host = slice_str("/127.0.0.1"),
	};
	sim->calls_open++;
}

/* --- What happens ------------------------------------------------------- */

static void
step_pass(struct sim *sim)
{
	world_pass(&sim->world, (int64_t)rng_below(&sim->rng, 1500));
}

static void
step_pass_long(struct sim *sim)
{
	world_pass(&sim->world, (int64_t)rng_below(&sim->rng, 50000));
}

static void
step_hold(struct sim *sim)
{
	sim->world.log.holds_back = true;
}

static void
step_commit(struct sim *sim)
{
	world_commit(&sim->world);
}

/* The next append fails, if one comes soon. */
static void
step_fail(struct sim *sim)
{
	sim->world.log.append_error = sim_chance(&sim->rng, 50) ?
	    KP_KAFKA_STORAGE_ERROR :
	    KP_NOT_ENOUGH_REPLICAS;
}

static void
step_mend(struct sim *sim)
{
	sim->world.log.append_error = KP_NONE;
}

static void
step_offsets(struct sim *sim)
{
	static const char *const groups[] = { SIM_CLASSIC_GROUP,
		SIM_CONSUMER_GROUP, SIM_MIXED_GROUP };

	/* Nobody's commit is for groups without members. */
	(void)sim_offsets_commit(sim,
	    groups[rng_below(&sim->rng, COUNT_OF(groups))],
	    "", "", -1);
}

static void
step_topic(struct sim *sim)
{
	struct sim_topic *topic =
	    &sim->topics[rng_below(&sim->rng, SIM_TOPICS)];

	if (topic->partitions > 0 && sim_chance(&sim->rng, 25)) {
		world_drop_topic(&sim->world, topic->name);
		topic->partitions = 0;
		topic->id = (struct uuid){ 0 };
	} else if (topic->partitions < SIM_PARTITIONS_MAX) {
		topic->id = world_topic(
		    &sim->world, topic->name, ++topic->partitions);
	}
}

/* --- Restarts ----------------------------------------------------------- */

static void
restarted(struct sim *sim)
{
	sim_classic_collect(sim);
	sim_consumer_collect(sim);
	sim_mixed_collect(sim);
	sim_classic_interrupt(sim);
	sim_consumer_interrupt(sim);
	sim_mixed_interrupt(sim);
	/* A generation that was not synced is not in the log. */
	sim->mixed_epoch = 0;
}

/* A classic group that was rebalancing is what it was before. */
static void
check_same(struct slice before, struct slice after)
{
	if (before.len == after.len)
		CHECK(slice_equal(before, after));
	else
		CHECK(before.len < after.len &&
		    memcmp(before.data, after.data, before.len) == 0);
}

/* Everything that was appended is found again. */
static void
step_restart(struct sim *sim)
{
	struct slice before, mixed;

	world_commit(&sim->world);
	sim_classic_collect(sim);
	sim_consumer_collect(sim);
	sim_mixed_collect(sim);
	world_commit(&sim->world);
	before = sim_state(sim);
	mixed = sim_state_mixed(sim);
	world_unload(&sim->world);
	restarted(sim);
	world_load(&sim->world);
	check_same(before, sim_state(sim));
	check_same(mixed, sim_state_mixed(sim));
}

/* What was not committed is lost with the power. */
static void
log_cut(struct shard_log *log)
{
	struct batch batch;
	size_t at = 0;

	while (batch_read(slice_of(log->bytes.data + at, log->bytes.len - at),
		   &batch) == 0 &&
	    batch.last_offset < log->high_watermark)
		at += batch.size_bytes;
	log->bytes.len = at;
	log->end_offset = log->high_watermark;
}

static void
step_crash(struct sim *sim)
{
	world_unload(&sim->world);
	log_cut(&sim->world.log);
	restarted(sim);
	sim_offsets_cut(sim, sim->world.log.end_offset);
	sim->consumer_epoch = 0;
	world_load(&sim->world);
}

static void
step(struct sim *sim)
{
	static const struct sim_step steps[] = {
		{ "classic", 350, sim_classic_step },
		{ "consumer", 350, sim_consumer_step },
		{ "mixed", 350, sim_mixed_step },
		{ "pass", 200, step_pass },
		{ "pass long", 4, step_pass_long },
		{ "hold", 20, step_hold },
		{ "commit", 60, step_commit },
		{ "fail", 6, step_fail },
		{ "mend", 60, step_mend },
		{ "offsets", 10, step_offsets },
		{ "check offsets", 15, sim_offsets_check },
		{ "topic", 8, step_topic },
		{ "restart", 8, step_restart },
		{ "crash", 8, step_crash },
	};
	const struct sim_step *picked =
	    sim_step_pick(steps, COUNT_OF(steps), &sim->rng);

	log_debug("sim", "%s", picked->name);
	picked->run(sim);
	sim_classic_collect(sim);
	sim_consumer_collect(sim);
	sim_mixed_collect(sim);
	sim_classic_check(sim);
	sim_consumer_check(sim);
	sim_mixed_check(sim);
}

/* --- A life ------------------------------------------------------------- */

static void
begin(struct sim *sim)
{
	static const char *const names[SIM_TOPICS] = { "a", "b", "c" };

	world_init(&sim->world);
	if (sim_chance(&sim->rng, 30))
		sim->world.settings.rebalance_delay_ms = 3000;
	for (int i = 0; i < SIM_TOPICS; i++) {
		struct sim_topic *topic = &sim->topics[i];

		snprintf(topic->name, sizeof(topic->name), "%s", names[i]);
		topic->partitions = 1 + (int32_t)rng_below(&sim->rng, 4);
		topic->id = world_topic(
		    &sim->world, topic->name, topic->partitions);
	}
	sim_classic_init(sim);
	sim_consumer_init(sim);
	sim_mixed_init(sim);
}

/* Both groups come to rest, and then nobody is heard of any more. */
static void
end(struct sim *sim)
{
	sim->settling = true;
	sim->world.log.append_error = KP_NONE;
	world_commit(&sim->world);
	sim_classic_collect(sim);
	sim_consumer_collect(sim);
	sim_mixed_collect(sim);
	sim_mixed_settle(sim);
	sim_consumer_settle(sim);
	sim_classic_settle(sim);
	sim_offsets_check(sim);
	step_restart(sim);
	sim_offsets_check(sim);
	world_pass(&sim->world, 3600 * 1000);
	CHECK(sim->calls_open == 0);
}

static bool
live(const struct sim_life *life)
{
	struct sim *sim = xcalloc(1, sizeof(*sim));
	uint64_t count;

	sim->life = *life;
	rng_init(&sim->rng, life->seed);
	begin(sim);
	count = 1 + rng_below(&sim->rng, STEPS_MAX);
	for (uint64_t i = 0; i < count; i++)
		step(sim);
	end(sim);
	log_debug("sim", "%d assignments were taken", sim->shared);
	world_fini(&sim->world);
	free(sim->commits);
	free(sim);
	return false;
}

int
main(int argc, char **argv)
{
	static const struct sim_program program = {
		.name = "tests/sim/test_group_sim",
		.live = live,
		.lives = 200,
	};

	return sim_program_main(&program, argc, argv);
}
