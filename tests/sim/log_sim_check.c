/*
 * Reading a log back, and comparing it with the model.
 */
#include "sim/log_sim.h"

#include "base/log.h"
#include "sim/sim_aborted.h"
#include "store/disk.h"
#include "wire/batch.h"

#include <inttypes.h>

/* --- Reading -------------------------------------------------------------- */

/*
 * The batch that stands at an offset must be one that was appended there, or
 * what compaction left of it: below what was synced the one of the model,
 * above it perhaps one that was refused.
 */
static struct model_batch
recognize(struct sim *sim, struct slice bytes, bool lost_too)
{
	struct model *model = &sim->model;
	const struct model_batch *appended;
	struct model_batch found;

	CHECK(model_batch_read(&found, bytes));
	appended = model_list_find(&model->log, &found);
	if (appended == NULL && lost_too &&
	    found.base_offset >= model->durable)
		appended = model_list_find(&model->lost, &found);
	CHECK(appended != NULL);
	/* What is missing below is judged later, by the model's rounds. */
	CHECK(
	    found.base_offset < model->durable || appended->transactional ||
		appended->kept == found.kept);
	return found;
}

static uint8_t *
read_range(struct sim *sim, struct log_read *read)
{
	uint8_t *data;

	log_lock(sim->log);
	CHECK(log_read(sim->log, read) == KP_NONE);
	log_unlock(sim->log);
	if (read->unresolved)
		CHECK(log_read_resolve(read) == KP_NONE);
	if (read->len == 0)
		return NULL;
	data = xmalloc(read->len);
	CHECK(
	    disk_pread(&sim->disk.disk, read->fd, data, read->len,
		read->position) == (ssize_t)read->len);
	return data;
}

/* Read all batches into list. */
static void
read_all(struct sim *sim, bool lost_too, struct model_list *list)
{
	static const size_t sizes[] = { 1, 700, 1 << 20 };
	struct log_read read = {
		.offset = log_start_offset(sim->log),
		.upper_bound = INT64_MAX,
		.max_bytes = sizes[rng_below(&sim->rng, COUNT_OF(sizes))],
		.min_one_batch = true,
	};
	uint8_t *data;

	while ((data = read_range(sim, &read)) != NULL) {
		struct slice left = slice_of(data, read.len);
		struct batch batch;

		while (batch_read(left, &batch) == 0) {
			struct model_batch found = recognize(sim,
			    slice_of(left.data, batch.size_bytes), lost_too);

			CHECK(batch.last_offset >= read.offset);
			model_list_push(list, &found);
			read.offset = batch.last_offset + 1;
			left.data += batch.size_bytes;
			left.len -= batch.size_bytes;
		}
		free(data);
		log_read_release(&read);
	}
	/* See check_order; what is behind may be an empty segment. */
	CHECK(read.offset == log_end_offset(sim->log) ||
	    sim->settings.cleanup_compact);
}

/*
 * In order, and without a gap where nothing can have been compacted.  Where
 * the topic is compacted a start cannot tell a segment whose end the power cut
 * took from one that was compacted, and keeps what is behind it.
 */
static void
check_order(struct sim *sim, const struct model_list *list)
{
	int64_t durable = sim->model.durable;
	int64_t next = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct model_batch *batch = &list->batches[i];

		if (batch->base_offset >= durable)
			next = MAX(next, durable);
		CHECK(batch->base_offset >= next);
		CHECK(
		    batch->base_offset == next ||
			batch->base_offset < durable ||
			sim->settings.cleanup_compact);
		next = batch->last_offset + 1;
	}
}

/* An offset in the middle leads to the batch that has it. */
static void
check_look_up(struct sim *sim, const struct model_list *list)
{
	const struct model_batch *wanted;
	struct log_read read = {
		.upper_bound = INT64_MAX,
		.max_bytes = 1,
		.min_one_batch = true,
	};
	struct batch batch;
	uint8_t *data;

	if (list->count == 0)
		return;
	wanted = &list->batches[rng_below(&sim->rng, list->count)];
	read.offset = wanted->base_offset +
	    (int64_t)rng_below(&sim->rng,
		(uint64_t)(wanted->last_offset - wanted->base_offset + 1));
	read.offset = MAX(read.offset, log_start_offset(sim->log));
	data = read_range(sim, &read);
	CHECK(data != NULL);
	CHECK(batch_read(slice_of(data, read.len), &batch) == 0);
	CHECK(batch.base_offset == wanted->base_offset);
	free(data);
	log_read_release(&read);
}

/* --- What compaction took ------------------------------------------------- */

static const struct model_batch *
find_base(const struct model_list *list, int64_t base_offset)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->batches[middle].base_offset < base_offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == list->count ||
	    list->batches[low].base_offset != base_offset)
		return NULL;
	return &list->batches[low];
}

/* Which records are there of the batch at this index of the model's log? */
static unsigned
kept_of(const struct sim *sim, const struct model_list *found, size_t at)
{
	const struct model_batch *batch =
	    find_base(found, sim->model.log.batches[at].base_offset);

	return batch == NULL ? 0 : batch->kept;
}

/* All that is missing at the log's start or behind it has a reason. */
static void
check_missing(struct sim *sim, const struct model_list *found)
{
	const struct model *model = &sim->model;
	int64_t start = log_start_offset(sim->log);

	for (size_t i = 0; i < model->log.count; i++) {
		const struct model_batch *batch = &model->log.batches[i];
		unsigned gone = batch->kept & ~kept_of(sim, found, i);

		if (batch->base_offset >= model->end)
			break;
		for (int j = 0; j < MODEL_RECORDS; j++) {
			if ((gone & 1U << j) == 0 ||
			    batch->base_offset + j < start)
				continue;
			if (model_may_be_gone(model, i, j))
				continue;
			model_dump(model);
			log_debug("sim", "%" PRId64 " is gone",
			    batch->base_offset + j);
			CHECK(!"a record is gone");
		}
	}
}

/* --- What follows from the batches --------------------------------------- */

void
sim_producers_recount(struct sim *sim)
{
	const struct model_list *log = &sim->model.log;

	for (int i = 0; i < SIM_PRODUCERS; i++)
		sim->producers[i] = (struct producer_model){ 0, -1 };
	for (size_t i = 0; i < log->count; i++) {
		const struct model_batch *batch = &log->batches[i];
		struct producer_model *producer;

		if (batch->producer_id < 0)
			continue;
		producer = &sim->producers[batch->producer_id];
		if (batch->control)
			producer->txn_first_offset = -1;
		else
			producer->next_sequence = batch->last_sequence + 1;
		if (batch->transactional && !batch->control &&
		    producer->txn_first_offset < 0)
			producer->txn_first_offset = batch->base_offset;
	}
}

static void
check_producers(struct sim *sim, int64_t start)
{
	const struct model_list *log = &sim->model.log;
	bool known[SIM_PRODUCERS] = { false };

	for (size_t i = 0; i < log->count; i++) {
		const struct model_batch *batch = &log->batches[i];

		if (batch->producer_id >= 0 && !batch->control &&
		    batch->base_offset >= start)
			known[batch->producer_id] = true;
	}
	for (int64_t id = 0; id < SIM_PRODUCERS; id++) {
		const struct producer_model *model = &sim->producers[id];
		const struct producer *producer =
		    producer_state_find(log_producers(sim->log), id);

		if (!known[id])
			continue;
		CHECK(producer != NULL && producer->batch_count > 0);
		if (producer->batches[producer->batch_count - 1]
			.last_sequence != model->next_sequence - 1) {
			model_dump(&sim->model);
			log_debug("sim",
			    "producer %" PRId64 " is at sequence %d, not %d",
			    id, model->next_sequence,
			    producer->batches[producer->batch_count - 1]
				.last_sequence);
			CHECK(!"a producer's sequence is lost");
		}
		if (model->txn_first_offset >= start)
			CHECK(
			    producer->txn_first_offset ==
				model->txn_first_offset);
		else if (model->txn_first_offset < 0)
			CHECK(producer->txn_first_offset < 0);
	}
}

static void
check_epochs(struct sim *sim, const struct model_list *list)
{
	const struct leader_epochs *epochs = log_leader_epochs(sim->log);

	/* Records that had gone, and came back, have epochs that went. */
	for (size_t i = 0; i < list->count; i++) {
		const struct model_batch *batch = &list->batches[i];

		CHECK(batch->base_offset < sim->model.start_max ||
		    leader_epochs_at(epochs, batch->last_offset) ==
			batch->epoch);
	}
}

/* Is a committed reader told what it must not see of this batch? */
static void
check_visible(
    struct sim *sim, const struct batch *batch, const struct txn_index *aborted)
{
	const struct model_list *log = &sim->model.log;

	for (size_t i = 0; i < log->count; i++) {
		const struct model_batch *model = &log->batches[i];

		if (model->base_offset == batch->base_offset &&
		    model->transactional && !model->control &&
		    batch->record_count > 0)
			CHECK(
			    sim_aborted_has(aborted, model->producer_id,
				model->base_offset) ==
				model_was_aborted(&sim->model, i));
	}
}

static void
check_aborted(struct sim *sim, int64_t offset)
{
	struct log_read read = {
		.offset = offset,
		.upper_bound = log_last_stable_offset(sim->log),
		.max_bytes = 1 + (size_t)rng_below(&sim->rng, 3000),
		.min_one_batch = true,
	};
	struct txn_index aborted;
	uint8_t *data = read_range(sim, &read);
	struct slice left = slice_of(data, read.len);
	struct batch batch;

	txn_index_init(&aborted);
	CHECK(log_read_aborted(&read, &aborted) == KP_NONE);
	while (left.len > 0 && batch_read(left, &batch) == 0) {
		check_visible(sim, &batch, &aborted);
		left.data += batch.size_bytes;
		left.len -= batch.size_bytes;
	}
	free(data);
	log_read_release(&read);
	txn_index_fini(&aborted);
}

/* Transactions that retention has cut are not known any more. */
static bool
some_txn_was_cut(const struct sim *sim, int64_t start)
{
	const struct model_list *log = &sim->model.log;

	for (size_t i = 0; i < log->count; i++)
		if (log->batches[i].transactional &&
		    log->batches[i].base_offset < start)
			return true;
	return false;
}

/* Below it all transactions have a marker that is below the high watermark. */
static int64_t
last_stable_offset(const struct sim *sim)
{
	const struct model_list *log = &sim->model.log;
	int64_t high_watermark = log_high_watermark(sim->log);

	for (size_t i = 0; i < log->count; i++) {
		const struct model_batch *batch = &log->batches[i];
		const struct model_batch *marker =
		    model_marker_of(&sim->model, i);

		if (batch->transactional && !batch->control &&
		    (marker == NULL || marker->base_offset >= high_watermark))
			return MIN(high_watermark, batch->base_offset);
	}
	return high_watermark;
}

static void
check_transactions(struct sim *sim)
{
	int64_t start = log_start_offset(sim->log);
	int64_t stable = last_stable_offset(sim);

	if (some_txn_was_cut(sim, MAX(start, sim->model.start_cleaned)))
		return;
	if (log_last_stable_offset(sim->log) != stable)
		model_dump(&sim->model);
	CHECK(log_last_stable_offset(sim->log) == stable);
	if (stable > start)
		check_aborted(sim,
		    start +
			(int64_t)rng_below(
			    &sim->rng, (uint64_t)(stable - start)));
}

/* --- After a start -------------------------------------------------------- */

/* What was found behind what is durable is what the log has from now on. */
static void
adopt(struct sim *sim, const struct model_list *found)
{
	struct model *model = &sim->model;

	model_lose(model, model->durable);
	for (size_t i = 0; i < found->count; i++)
		if (found->batches[i].base_offset >= model->durable)
			model_list_push(&model->log, &found->batches[i]);
	model_start_set(model, log_start_offset(sim->log));
	model->end = log_end_offset(sim->log);
}

void
sim_check_started(struct sim *sim)
{
	struct model *model = &sim->model;
	struct model_list found = { 0 };

	sim->disk.quiet = true;
	CHECK(log_damage_count(sim->log) == 0);
	CHECK(log_start_offset(sim->log) >= model->saved_start);
	CHECK(log_start_offset(sim->log) <= model->start);
	CHECK(log_end_offset(sim->log) >= model->durable);
	read_all(sim, true, &found);
	check_order(sim, &found);
	check_look_up(sim, &found);
	check_epochs(sim, &found);
	adopt(sim, &found);
	check_missing(sim, &found);
	sim_producers_recount(sim);
	check_producers(sim,
	    MAX(log_start_offset(sim->log), model->start_cleaned));
	/* As with klamm.flush=acked. */
	sim_high_watermark_set(
	    sim, MAX(model->durable, log_start_offset(sim->log)));
	check_transactions(sim);
	sim->disk.quiet = false;
	free(found.batches);
}

/* --- While it runs -------------------------------------------------------- */

void
sim_check_running(struct sim *sim)
{
	struct model_list found = { 0 };

	sim->disk.quiet = true;
	CHECK(log_start_offset(sim->log) == sim->model.start);
	CHECK(log_end_offset(sim->log) == sim->model.end);
	read_all(sim, false, &found);
	check_order(sim, &found);
	check_look_up(sim, &found);
	check_missing(sim, &found);
	check_producers(sim, sim->model.start_max);
	check_transactions(sim);
	sim->disk.quiet = false;
	free(found.batches);
}

void
sim_check_cleaned(struct sim *sim)
{
	const struct model *model = &sim->model;
	int64_t start = MAX(model->start, model->start_cleaned);
	struct model_list found = { 0 };

	sim->disk.quiet = true;
	read_all(sim, false, &found);
	for (size_t i = 0; i < model->log.count; i++) {
		const struct model_batch *batch = &model->log.batches[i];
		unsigned kept = kept_of(sim, &found, i);

		for (int j = 0; j < MODEL_RECORDS; j++) {
			if ((kept & 1U << j) == 0 ||
			    batch->base_offset + j < start ||
			    !model_must_be_gone(model, i, j))
				continue;
			model_dump(model);
			log_debug("sim", "%" PRId64 " is still there",
			    batch->base_offset + j);
			CHECK(!"a record was not compacted");
		}
	}
	sim->disk.quiet = false;
	free(found.batches);
}
