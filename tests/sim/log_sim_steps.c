/*
 * What is done to a log.
 */
#include "sim/log_sim.h"

#include "base/buf.h"
#include "base/log.h"
#include "store/log_clean.h"
#include "wire/batch_builder.h"
#include "wire/control_record.h"

#include <inttypes.h>

#define KEYS 6

/* --- Appending ------------------------------------------------------------ */

/* The bytes were appended, or may have been. */
static void
note_append(struct sim *sim, enum kp_error error, const struct buf *bytes)
{
	struct model_batch batch;

	CHECK(model_batch_read(&batch, buf_slice(bytes)));
	CHECK(error != KP_NONE || batch.base_offset == sim->model.end);
	batch.last_offset += sim->model.end - batch.base_offset;
	batch.base_offset = sim->model.end;
	batch.epoch = sim->epoch;
	if (error != KP_NONE) {
		model_list_push(&sim->model.lost, &batch);
		return;
	}
	model_list_push(&sim->model.log, &batch);
	sim->model.end = batch.last_offset + 1;
	sim_producers_recount(sim);
}

static void
append_bytes(struct sim *sim, struct buf *bytes, enum log_origin origin)
{
	struct log_append append = {
		.data = bytes->data,
		.len = bytes->len,
		.leader_epoch = sim->epoch,
		.origin = origin,
		.now_ms = sim->now_ms,
	};
	int64_t end = log_end_offset(sim->log);
	enum kp_error error;

	log_lock(sim->log);
	error = log_append(sim->log, &append);
	log_unlock(sim->log);
	/* DeleteRecords lets a restart forget producers, as Kafka does. */
	CHECK(error == KP_NONE || sim->disk.struck ||
		(error == KP_OUT_OF_ORDER_SEQUENCE_NUMBER &&
		    sim->records_deleted));
	if (error == KP_NONE)
		CHECK(!append.duplicate && append.base_offset == end);
	else
		CHECK(log_end_offset(sim->log) == end);
	note_append(sim, error, bytes);
	buf_fini(bytes);
}

static void
add_record(struct sim *sim, struct batch_builder *builder, int64_t time_ms)
{
	size_t len = rng_below(&sim->rng,
	    sim_life_is_cut(&sim->life)	    ? 60 :
		sim_chance(&sim->rng, 5) ? 400 :
				     120);
	uint8_t key = (uint8_t)rng_below(&sim->rng, KEYS);
	bool keyed = sim_chance(&sim->rng, 95);
	bool tombstone = keyed && sim_chance(&sim->rng, 15);
	uint8_t value[400];

	rng_bytes(&sim->rng, value, len);
	CHECK(batch_builder_add(builder, time_ms,
		       keyed ? slice_of(&key, 1) : SLICE_NULL,
		       tombstone ? SLICE_NULL : slice_of(value, len)) == 0);
}

static void
pick_producer(struct sim *sim, struct batch_options *options)
{
	int64_t id = (int64_t)rng_below(&sim->rng, SIM_PRODUCERS);
	const struct producer_model *producer = &sim->producers[id];

	options->producer_id = id;
	options->producer_epoch = 0;
	options->base_sequence = producer->next_sequence;
	options->transactional =
	    producer->txn_first_offset >= 0 || sim_chance(&sim->rng, 30);
}

static void
step_append(struct sim *sim)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	int count = 1 + (int)rng_below(&sim->rng, MODEL_RECORDS);
	struct batch_builder builder;
	struct buf bytes;

	if (sim_chance(&sim->rng, 60))
		pick_producer(sim, &options);
	if (sim_chance(&sim->rng, 20))
		options.codec = COMPRESSION_LZ4;
	buf_init(&bytes, 1 << 20);
	batch_builder_init(&builder, &options, &bytes);
	for (int i = 0; i < count; i++)
		add_record(sim, &builder, sim->now_ms + i);
	CHECK(batch_builder_finish(&builder) == 0);
	append_bytes(sim, &bytes, LOG_CLIENT);
}

static void
step_end_txn(struct sim *sim)
{
	struct control_record_marker marker = {
		.producer_id = (int64_t)rng_below(&sim->rng, SIM_PRODUCERS),
		.commit = sim_chance(&sim->rng, 50),
		.coordinator_epoch = 1,
	};
	struct buf bytes;

	buf_init(&bytes, 1 << 10);
	CHECK(control_record_marker_append(&marker, 0, 0, sim->now_ms,
		       &bytes) == 0);
	append_bytes(sim, &bytes, LOG_COORDINATOR);
}

/* --- Durability ----------------------------------------------------------- */

static void
step_flush(struct sim *sim)
{
	int64_t end = log_end_offset(sim->log);

	if (log_flush_all(sim->log) != 0) {
		CHECK(sim->disk.struck);
		return;
	}
	CHECK(log_flushed_offset(sim->log) == end);
	sim_synced(sim, end);
	sim_high_watermark_set(sim, end);
}

static void
step_checkpoint(struct sim *sim)
{
	int64_t recovery_point;

	if (log_checkpoint(sim->log, &recovery_point) != 0) {
		CHECK(sim->disk.struck);
		return;
	}
	CHECK(recovery_point <= sim->model.durable);
	sim->model.saved_recovery_point = recovery_point;
	sim->model.saved_start = log_start_offset(sim->log);
	sim->model.saved_clean_offset = log_clean_offset(sim->log);
}

static void
step_roll(struct sim *sim)
{
	int result;

	log_lock(sim->log);
	result = log_roll(sim->log, sim->now_ms);
	log_unlock(sim->log);
	CHECK(result == 0 || sim->disk.struck);
}

static void
step_stop(struct sim *sim)
{
	struct model *model = &sim->model;
	int64_t end = log_end_offset(sim->log);
	int64_t log_start = log_start_offset(sim->log);
	int64_t clean = log_clean_offset(sim->log);
	int result = log_close(sim->log);

	sim->log = NULL;
	CHECK(result == 0 || sim->disk.struck);
	if (result == 0) {
		sim_synced(sim, end);
		model->saved_recovery_point = end;
		model->saved_start = log_start;
		model->saved_clean_offset = clean;
		model->clean = true;
	}
	sim_restart(sim);
}

/* --- Taking away ---------------------------------------------------------- */

static void
step_retain(struct sim *sim)
{
	int result = log_retain(sim->log, sim->now_ms);

	CHECK(result >= 0 || sim->disk.struck);
	CHECK(
	    log_start_offset(sim->log) <= log_high_watermark(sim->log) ||
		log_start_offset(sim->log) == sim->model.start);
	model_start_set(&sim->model, log_start_offset(sim->log));
}

static void
step_delete_records(struct sim *sim)
{
	int64_t high_watermark = log_high_watermark(sim->log);
	int64_t start = log_start_offset(sim->log);
	enum kp_error error;

	if (high_watermark <= start)
		return;
	log_lock(sim->log);
	error = log_delete_records(sim->log,
	    start +
		(int64_t)rng_below(
		    &sim->rng, (uint64_t)(high_watermark - start + 1)));
	log_unlock(sim->log);
	CHECK(error == KP_NONE);
	sim->records_deleted = true;
	model_start_set(&sim->model, log_start_offset(sim->log));
}

/*
 * The first batch that is not below the high watermark, from which on a
 * follower cuts; -1: there is none.
 */
static int64_t
pick_cut(const struct sim *sim)
{
	const struct model_list *log = &sim->model.log;
	int64_t high_watermark = log_high_watermark(sim->log);

	for (size_t i = 0; i < log->count; i++)
		if (log->batches[i].base_offset >= high_watermark)
			return log->batches[i].base_offset;
	return -1;
}

static void
step_truncate(struct sim *sim)
{
	struct model *model = &sim->model;
	int64_t offset = pick_cut(sim);
	int result;

	/* See check_order: what was cut off may come back behind a gap. */
	if (offset < 0 || sim->settings.cleanup_compact)
		return;
	/* As Kafka: the checkpoints first. */
	model->saved_recovery_point = MIN(model->saved_recovery_point, offset);
	model->saved_clean_offset = MIN(model->saved_clean_offset, offset);
	model->durable = MIN(model->durable, offset);
	model_lose(model, offset);
	model->end = offset;
	result = log_truncate_to(sim->log, offset, sim->now_ms);
	CHECK(result == 0 || sim->disk.struck);
	if (result != 0) {
		CHECK(log_is_offline(sim->log));
		return;
	}
	model_forget(model, offset);
	sim_producers_recount(sim);
	log_lock(sim->log);
	log_leader_epoch_begin(sim->log, ++sim->epoch);
	log_unlock(sim->log);
}

static void
step_tidy(struct sim *sim)
{
	(void)log_tidy(sim->log, INT64_MAX - 1);
}

/* --- Compaction ----------------------------------------------------------- */

/* A round may be asked to end. */
static bool
pace(void *context, size_t bytes UNUSED)
{
	int *left = context;

	return (*left)-- > 0;
}

/* What the round that begins may do at the most. */
static struct model_round
describe_round(const struct sim *sim)
{
	struct model_round round = {
		.closed = log_active_base_offset(sim->log),
		.now_ms = sim->now_ms,
	};

	round.bound = MIN(log_last_stable_offset(sim->log), round.closed);
	return round;
}

/*
 * Is there an abort that a crash may lose?  A round takes its data all the
 * same: the coordinator will say it again, but the model does not know that.
 */
static bool
has_passing_abort(const struct sim *sim)
{
	const struct model_list *log = &sim->model.log;

	for (size_t i = log->count; i-- > 0;) {
		if (log->batches[i].base_offset < sim->model.durable)
			return false;
		if (log->batches[i].control && !log->batches[i].commit)
			return true;
	}
	return false;
}

static void
step_clean(struct sim *sim)
{
	int pieces = sim_chance(&sim->rng, 20) ? (int)rng_below(&sim->rng, 20) :
					   INT_MAX;
	const struct log_clean_round round = {
		.memory_max = sim_chance(&sim->rng, 30) ? 100 : 1 << 12,
		.map_load_factor = 0.9,
		.buffer_len = sim_chance(&sim->rng, 50) ? 200 : 4096,
		.now_ms = sim->now_ms,
		.pace = pace,
		.context = &pieces,
	};
	struct model_round tried = describe_round(sim);
	struct log_clean_stats stats;
	enum log_clean_result result;

	if (!sim->settings.cleanup_compact || has_passing_abort(sim))
		return;
	sim->model.start_cleaned =
	    MAX(sim->model.start_cleaned, sim->model.start);
	model_round_add(&sim->model.tried, &tried);
	result = log_clean(sim->log, &round, &stats);
	log_debug("sim", "the round's result is %d", (int)result);
	/*
	 * What a restart forgets after DeleteRecords may be an abort, and then
	 * compaction keeps off.
	 */
	CHECK(result == LOG_CLEAN_DONE || result == LOG_CLEAN_STOPPED ||
	    sim->disk.struck ||
	    (result == LOG_CLEAN_FAILED && sim->records_deleted));
	if (result != LOG_CLEAN_DONE)
		return;
	tried.bound = tried.closed = log_clean_offset(sim->log);
	model_round_add(&sim->model.done, &tried);
	if (!sim->disk.struck)
		sim_check_cleaned(sim);
}

/* --- The rest ------------------------------------------------------------- */

/*
 * A topic that was not compacted is, from now on.  (Not back: what is missing
 * in it would be taken for damage where no record next to it shows why.)
 */
static void
step_settings(struct sim *sim)
{
	sim->settings.cleanup_compact = true;
	log_lock(sim->log);
	log_settings_change(sim->log, &sim->settings);
	log_unlock(sim->log);
}

static void
step_look(struct sim *sim)
{
	if (!sim->disk.struck)
		sim_check_running(sim);
}

static void
step_time(struct sim *sim)
{
	sim->now_ms += (int64_t)rng_below(&sim->rng, 100000);
}

static void
step_fault(struct sim *sim)
{
	sim_life_fault(&sim->life, &sim->disk, &sim->rng);
}

static const struct sim_step steps[] = {
	{ "append", 60, step_append },
	{ "end_txn", 10, step_end_txn },
	{ "flush", 14, step_flush },
	{ "checkpoint", 6, step_checkpoint },
	{ "roll", 5, step_roll },
	{ "retain", 4, step_retain },
	{ "delete_records", 2, step_delete_records },
	{ "truncate", 2, step_truncate },
	{ "clean", 10, step_clean },
	{ "settings", 1, step_settings },
	{ "tidy", 3, step_tidy },
	{ "look", 3, step_look },
	{ "stop", 2, step_stop },
	{ "restart", 2, sim_restart },
	{ "time", 4, step_time },
	{ "fault", 4, step_fault },
};

/* A lack of space or of descriptors takes nothing offline but a truncation. */
static bool
may_be_offline(const struct sim *sim, const struct sim_step *step)
{
	return step->run == step_truncate || sim->disk.off ||
	    sim->disk.fault == SIM_FAULT_EIO;
}

void
sim_step(struct sim *sim)
{
	const struct sim_step *step =
	    sim_step_pick(steps, COUNT_OF(steps), &sim->rng);

	log_debug("sim", "%s at %" PRId64, step->name,
	    log_end_offset(sim->log));
	step->run(sim);
	if (log_is_offline(sim->log)) {
		CHECK(sim->disk.struck && may_be_offline(sim, step));
		sim_restart(sim);
	} else if (sim->disk.off) {
		sim_restart(sim);
	} else if (sim->disk.struck &&
	    (!sim_disk_lasts(&sim->disk) || sim_chance(&sim->rng, 30))) {
		(void)sim_disk_heal(&sim->disk);
	}
}
