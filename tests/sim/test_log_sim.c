/*
 * Logs under power cuts, kills and failing disks.
 *
 *	test_log_sim [COUNT [FIRST]]	seeds FIRST to FIRST + COUNT - 1
 *
 * Each seed is one life of a log: appends of all kinds, flushes, rolls,
 * retention, truncation, orderly stops, power cuts and kills, also while a
 * log is opened, and now and then an operation of the disk that fails.  A
 * model remembers what was appended.  After each start the log must have
 * everything that a flush had covered, then at most what was appended behind
 * it, without a gap, bit for bit at its offset; producers, open transactions
 * and leader epochs must be those of the batches.
 *
 * A seed that fails prints the command that repeats it.
 */
#include "sim/sim_disk.h"

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "store/fd_cache.h"
#include "store/log.h"
#include "store/txn_index.h"
#include "wire/batch_builder.h"
#include "wire/control_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define PATH "/topic-0"
#define SEEDS_DEFAULT 200
#define STEPS_MAX 250
#define PRODUCERS 3

/* --- The model ----------------------------------------------------------- */

struct model_batch {
	int64_t base_offset;
	int64_t last_offset;
	int32_t epoch;		/* the leader's */
	uint32_t crc;		/* of all bytes as they are in the log */
	int64_t producer_id;	/* -1: none */
	int32_t last_sequence;
	bool transactional;
	bool control;
	bool commit;
};

struct model_list {
	struct model_batch *batches;
	size_t count;
	size_t capacity;
};

struct model {
	/* What the log has, offsets without a gap; also what retention took. */
	struct model_list log;
	/*
	 * What was refused, or lost in a crash: as long as nothing was synced
	 * in its place it may come back.
	 */
	struct model_list lost;
	int64_t start;		/* the log's, as last seen */
	int64_t start_max;	/* the highest that it ever had */
	int64_t end;
	int64_t durable;	/* everything below survives */

	/* The checkpoint files, which are durable. */
	int64_t saved_recovery_point;
	int64_t saved_start;
	bool created;		/* the log's files are durable */
	bool clean;		/* the mark of an orderly stop is there */
};

struct producer_model {
	int32_t next_sequence;
	int64_t txn_first_offset;	/* -1: none is open */
};

struct sim {
	uint64_t seed;
	struct rng rng;
	struct sim_disk disk;
	struct fd_cache *files;
	struct log *log;		/* NULL while it is not open */
	struct log_settings settings;
	struct model model;
	struct producer_model producers[PRODUCERS];
	int32_t epoch;
	int64_t now_ms;
	bool records_deleted;
};

static void
give_up(const struct sim *sim, int line, const char *what)
{
	fprintf(stderr,
	    "%s:%d: %s\nrepeat: tests/sim/test_log_sim 1 %" PRIu64 "\n",
	    __FILE__, line, what, sim->seed);
	abort();
}

/* A check that says how to come back. */
#define CHECK(sim, condition) \
	((condition) ? (void)0 : give_up(sim, __LINE__, #condition))

static void
model_start_set(struct model *model, int64_t start)
{
	model->start = start;
	model->start_max = MAX(model->start_max, start);
}

static bool
chance(struct sim *sim, unsigned percent)
{
	return rng_below(&sim->rng, 100) < percent;
}

static void
list_push(struct model_list *list, const struct model_batch *batch)
{
	if (list->count == list->capacity) {
		list->capacity = MAX(64, 2 * list->capacity);
		list->batches = xrealloc(
		    list->batches, list->capacity * sizeof(*list->batches));
	}
	list->batches[list->count++] = *batch;
}

static const struct model_batch *
list_find(const struct model_list *list, int64_t base_offset, uint32_t crc)
{
	for (size_t i = list->count; i-- > 0;)
		if (list->batches[i].base_offset == base_offset &&
		    list->batches[i].crc == crc)
			return &list->batches[i];
	return NULL;
}

/* Everything up to here is on the medium. */
static void
model_synced(struct model *model, int64_t offset)
{
	model->durable = offset;
	model->created = true;
}

/* Who has which sequence and transaction, by the batches. */
static void
producers_recount(struct sim *sim)
{
	const struct model_list *log = &sim->model.log;

	for (int i = 0; i < PRODUCERS; i++)
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
high_watermark_set(struct sim *sim, int64_t offset)
{
	log_lock(sim->log);
	log_high_watermark_set(sim->log, offset);
	log_unlock(sim->log);
}

/* --- Reading back -------------------------------------------------------- */

/*
 * The batch that stands at an offset must have been appended there: below what
 * was synced the one of the model, above it perhaps one that was refused.
 */
static const struct model_batch *
recognize(struct sim *sim, const struct batch *batch, struct slice bytes)
{
	struct model *model = &sim->model;
	uint32_t crc = crc32c(0, bytes.data, bytes.len);
	const struct model_batch *found =
	    list_find(&model->log, batch->base_offset, crc);

	if (found == NULL && batch->base_offset >= model->durable)
		found = list_find(&model->lost, batch->base_offset, crc);
	CHECK(sim, found != NULL);
	CHECK(sim, found->last_offset == batch->last_offset);
	CHECK(sim, batch_crc_valid(bytes));
	return found;
}

static uint8_t *
read_range(struct sim *sim, struct log_read *read)
{
	uint8_t *data;

	log_lock(sim->log);
	CHECK(sim, log_read(sim->log, read) == KP_NONE);
	log_unlock(sim->log);
	if (read->unresolved)
		CHECK(sim, log_read_resolve(read) == KP_NONE);
	if (read->len == 0)
		return NULL;
	data = xmalloc(read->len);
	CHECK(sim,
	    disk_pread(&sim->disk.disk, read->fd, data, read->len,
		read->position) == (ssize_t)read->len);
	return data;
}

/* Read all batches into list. */
static void
read_all(struct sim *sim, size_t max_bytes, struct model_list *list)
{
	struct log_read read = {
		.offset = log_start_offset(sim->log),
		.upper_bound = INT64_MAX,
		.max_bytes = max_bytes,
		.min_one_batch = true,
	};
	uint8_t *data;

	while ((data = read_range(sim, &read)) != NULL) {
		struct slice left = slice_of(data, read.len);
		struct batch batch;

		while (batch_read(left, &batch) == 0) {
			struct slice bytes =
			    slice_of(left.data, batch.size_bytes);

			CHECK(sim, batch.last_offset >= read.offset);
			list_push(list, recognize(sim, &batch, bytes));
			read.offset = batch.last_offset + 1;
			left.data += batch.size_bytes;
			left.len -= batch.size_bytes;
		}
		free(data);
		log_read_release(&read);
	}
	CHECK(sim, read.offset == log_end_offset(sim->log));
}

/* Without a gap from where the model's log begins. */
static void
check_order(struct sim *sim, const struct model_list *list)
{
	for (size_t i = 1; i < list->count; i++) {
		const struct model_batch *batch = &list->batches[i];
		int64_t expected = list->batches[i - 1].last_offset + 1;

		CHECK(sim, batch->base_offset >= expected);
		CHECK(sim, batch->base_offset == expected ||
			       batch->base_offset <= sim->model.start);
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
	CHECK(sim, data != NULL);
	CHECK(sim, batch_read(slice_of(data, read.len), &batch) == 0);
	CHECK(sim, batch.base_offset == wanted->base_offset);
	free(data);
	log_read_release(&read);
}

/* --- What follows from the batches --------------------------------------- */

static void
check_producers(struct sim *sim, int64_t start)
{
	const struct model_list *log = &sim->model.log;
	bool known[PRODUCERS] = { false };

	for (size_t i = 0; i < log->count; i++) {
		const struct model_batch *batch = &log->batches[i];

		if (batch->producer_id >= 0 && !batch->control &&
		    batch->base_offset >= start)
			known[batch->producer_id] = true;
	}
	for (int64_t id = 0; id < PRODUCERS; id++) {
		const struct producer_model *model = &sim->producers[id];
		const struct producer *producer =
		    producer_state_find(log_producers(sim->log), id);

		if (!known[id])
			continue;
		CHECK(sim, producer != NULL && producer->batch_count > 0);
		CHECK(sim,
		    producer->batches[producer->batch_count - 1]
			    .last_sequence == model->next_sequence - 1);
		if (model->txn_first_offset >= start)
			CHECK(sim,
			    producer->txn_first_offset ==
				model->txn_first_offset);
		else if (model->txn_first_offset < 0)
			CHECK(sim, producer->txn_first_offset < 0);
	}
}

static void
check_epochs(struct sim *sim, const struct model_list *list)
{
	const struct leader_epochs *epochs = log_leader_epochs(sim->log);

	/* Records that had gone, and came back, have epochs that went. */
	for (size_t i = 0; i < list->count; i++)
		CHECK(sim,
		    list->batches[i].base_offset < sim->model.start_max ||
			leader_epochs_at(
			    epochs, list->batches[i].last_offset) ==
			    list->batches[i].epoch);
}

/* Did its marker say that the transaction of this batch was aborted? */
static bool
was_aborted(const struct model_list *log, size_t at)
{
	for (size_t i = at; i < log->count; i++)
		if (log->batches[i].control &&
		    log->batches[i].producer_id == log->batches[at].producer_id)
			return !log->batches[i].commit;
	return false;
}

static bool
is_listed(const struct txn_index *aborted, const struct model_batch *batch)
{
	for (size_t i = 0; i < aborted->count; i++) {
		const struct txn_index_entry *entry = &aborted->entries[i];

		if (entry->producer_id == batch->producer_id &&
		    entry->first_offset <= batch->base_offset &&
		    entry->last_offset > batch->base_offset)
			return true;
	}
	return false;
}

/* What a read of a committed reader is told. */
static void
check_aborted(struct sim *sim, int64_t offset)
{
	const struct model_list *log = &sim->model.log;
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
	CHECK(sim, log_read_aborted(&read, &aborted) == KP_NONE);
	while (left.len > 0 && batch_read(left, &batch) == 0) {
		for (size_t i = 0; i < log->count; i++) {
			const struct model_batch *model = &log->batches[i];

			if (model->base_offset == batch.base_offset &&
			    model->transactional && !model->control)
				CHECK(sim,
				    is_listed(&aborted, model) ==
					was_aborted(log, i));
		}
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

static void
check_transactions(struct sim *sim)
{
	int64_t start = log_start_offset(sim->log);
	int64_t stable = log_end_offset(sim->log);

	for (int i = 0; i < PRODUCERS; i++)
		if (sim->producers[i].txn_first_offset >= 0)
			stable =
			    MIN(stable, sim->producers[i].txn_first_offset);
	if (some_txn_was_cut(sim, start))
		return;
	high_watermark_set(sim, log_end_offset(sim->log));
	CHECK(sim, log_last_stable_offset(sim->log) == stable);
	if (stable > start)
		check_aborted(sim,
		    start +
			(int64_t)rng_below(
			    &sim->rng, (uint64_t)(stable - start)));
}

/* --- After a start ------------------------------------------------------- */

/* What was found is what the log has from now on. */
static void
model_adopt(struct sim *sim, const struct model_list *found)
{
	struct model *model = &sim->model;
	int64_t first = found->count > 0 ? found->batches[0].base_offset :
					   log_end_offset(sim->log);

	for (size_t i = 0; i < model->log.count; i++)
		if (model->log.batches[i].base_offset >= first)
			list_push(&model->lost, &model->log.batches[i]);
	while (model->log.count > 0 &&
	    model->log.batches[model->log.count - 1].base_offset >= first)
		model->log.count--;
	for (size_t i = 0; i < found->count; i++)
		list_push(&model->log, &found->batches[i]);
	model_start_set(model, log_start_offset(sim->log));
	model->end = log_end_offset(sim->log);
}

static void
check_log(struct sim *sim)
{
	static const size_t sizes[] = { 1, 700, 1 << 20 };
	struct model *model = &sim->model;
	struct model_list found = { 0 };

	CHECK(sim, log_damage_count(sim->log) == 0);
	CHECK(sim, log_start_offset(sim->log) >= model->saved_start);
	CHECK(sim, log_start_offset(sim->log) <= model->start);
	CHECK(sim, log_end_offset(sim->log) >= model->durable);
	read_all(sim, sizes[rng_below(&sim->rng, COUNT_OF(sizes))], &found);
	check_order(sim, &found);
	check_look_up(sim, &found);
	check_epochs(sim, &found);
	model_adopt(sim, &found);
	producers_recount(sim);
	check_producers(sim, log_start_offset(sim->log));
	check_transactions(sim);
	/* As with klamm.flush=acked. */
	high_watermark_set(
	    sim, MAX(model->durable, log_start_offset(sim->log)));
	free(found.batches);
}

/* --- Starting ------------------------------------------------------------ */

static struct uuid
topic_id(void)
{
	return (struct uuid){ { 1, 2, 3 } };
}

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
	(void)sim_disk_heal(&sim->disk);
	if (off || chance(sim, 60))
		sim_disk_crash(&sim->disk);
	else
		sim_disk_kill(&sim->disk);
}

static void
describe_open(struct sim *sim, struct log_open *open)
{
	sim->files = fd_cache_new(&sim->disk.disk, 4);
	*open = (struct log_open){
		.disk = &sim->disk.disk,
		.files = sim->files,
		.path = PATH,
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
	CHECK(sim, disk_remove_dir(&sim->disk.disk, PATH) == 0);
	sim->log = log_create(open, topic_id());
	while (model->log.count > 0)
		model->log.count--;
	model->start = model->start_max = model->end = model->durable = 0;
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
	if (!sim->model.created && !sim->disk.struck && !is_ours(sim)) {
		(void)sim_disk_heal(&sim->disk);
		create(sim, &open);
	}
	if (is_ours(sim) && !sim->disk.off) {
		(void)sim_disk_heal(&sim->disk);
		return true;
	}
	CHECK(sim, sim->disk.struck);
	return false;
}

/* Start again, perhaps through several crashes. */
static void
start(struct sim *sim)
{
	for (int attempt = 0;; attempt++) {
		if (attempt < 3 && chance(sim, 30))
			sim_disk_fail(&sim->disk,
			    chance(sim, 70) ? SIM_FAULT_POWER : SIM_FAULT_EIO,
			    rng_below(&sim->rng, 60));
		if (try_open(sim))
			break;
		leave(sim);
	}
	check_log(sim);
	sim->epoch++;
	log_lock(sim->log);
	log_leader_epoch_begin(sim->log, sim->epoch);
	log_unlock(sim->log);
}

static void
restart(struct sim *sim)
{
	leave(sim);
	start(sim);
}

/* --- Steps --------------------------------------------------------------- */

/* The bytes were appended, or may have been. */
static void
note_append(struct sim *sim, enum kp_error error, const struct buf *bytes,
    struct model_batch *batch)
{
	struct batch header;

	CHECK(sim, batch_read(buf_slice(bytes), &header) == 0);
	batch->base_offset = sim->model.end;
	batch->last_offset = sim->model.end + header.last_offset_delta;
	batch->epoch = sim->epoch;
	batch->crc = crc32c(0, bytes->data, bytes->len);
	if (error != KP_NONE) {
		list_push(&sim->model.lost, batch);
		return;
	}
	CHECK(sim, header.base_offset == batch->base_offset);
	list_push(&sim->model.log, batch);
	sim->model.end = batch->last_offset + 1;
	producers_recount(sim);
}

static void
append_bytes(struct sim *sim, struct buf *bytes, enum log_origin origin,
    struct model_batch *batch)
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
	CHECK(sim, error == KP_NONE || sim->disk.struck ||
		(error == KP_OUT_OF_ORDER_SEQUENCE_NUMBER &&
		    sim->records_deleted));
	if (error == KP_NONE)
		CHECK(sim, !append.duplicate && append.base_offset == end);
	else
		CHECK(sim, log_end_offset(sim->log) == end);
	note_append(sim, error, bytes, batch);
	buf_fini(bytes);
}

static void
step_append(struct sim *sim)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct model_batch batch = { .producer_id = -1 };
	int count = 1 + (int)rng_below(&sim->rng, 4);
	size_t len = rng_below(&sim->rng, chance(sim, 5) ? 400 : 120);
	uint8_t value[400];
	struct batch_builder builder;
	struct buf bytes;

	rng_bytes(&sim->rng, value, len);
	if (chance(sim, 60)) {
		int64_t id = (int64_t)rng_below(&sim->rng, PRODUCERS);
		const struct producer_model *producer = &sim->producers[id];

		batch.producer_id = options.producer_id = id;
		options.producer_epoch = 0;
		options.base_sequence = producer->next_sequence;
		batch.last_sequence = producer->next_sequence + count - 1;
		batch.transactional = options.transactional =
		    producer->txn_first_offset >= 0 || chance(sim, 30);
	}
	buf_init(&bytes, 1 << 20);
	batch_builder_init(&builder, &options, &bytes);
	for (int i = 0; i < count; i++)
		CHECK(sim, batch_builder_add(&builder, sim->now_ms + i,
			       SLICE_NULL, slice_of(value, len)) == 0);
	CHECK(sim, batch_builder_finish(&builder) == 0);
	append_bytes(sim, &bytes, LOG_CLIENT, &batch);
}

static void
step_end_txn(struct sim *sim)
{
	int64_t id = (int64_t)rng_below(&sim->rng, PRODUCERS);
	struct model_batch batch = {
		.producer_id = id,
		.transactional = true,
		.control = true,
		.commit = chance(sim, 50),
	};
	struct control_record_marker marker = {
		.producer_id = id,
		.commit = batch.commit,
		.coordinator_epoch = 1,
	};
	struct buf bytes;

	buf_init(&bytes, 1 << 10);
	CHECK(sim, control_record_marker_append(&marker, 0, 0, sim->now_ms,
		       &bytes) == 0);
	append_bytes(sim, &bytes, LOG_COORDINATOR, &batch);
}

static void
step_flush(struct sim *sim)
{
	int64_t end = log_end_offset(sim->log);

	if (log_flush_all(sim->log) != 0) {
		CHECK(sim, sim->disk.struck);
		return;
	}
	CHECK(sim, log_flushed_offset(sim->log) == end);
	model_synced(&sim->model, end);
	high_watermark_set(sim, end);
}

static void
step_checkpoint(struct sim *sim)
{
	int64_t recovery_point;

	if (log_checkpoint(sim->log, &recovery_point) != 0) {
		CHECK(sim, sim->disk.struck);
		return;
	}
	CHECK(sim, recovery_point <= sim->model.durable);
	sim->model.saved_recovery_point = recovery_point;
	sim->model.saved_start = log_start_offset(sim->log);
}

static void
step_roll(struct sim *sim)
{
	int result;

	log_lock(sim->log);
	result = log_roll(sim->log, sim->now_ms);
	log_unlock(sim->log);
	CHECK(sim, result == 0 || sim->disk.struck);
}

static void
step_retain(struct sim *sim)
{
	int result = log_retain(sim->log, sim->now_ms);

	CHECK(sim, result >= 0 || sim->disk.struck);
	CHECK(sim,
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
	CHECK(sim, error == KP_NONE);
	sim->records_deleted = true;
	model_start_set(&sim->model, log_start_offset(sim->log));
}

static void
step_tidy(struct sim *sim)
{
	(void)log_tidy(sim->log, sim->now_ms);
}

static void
step_stop(struct sim *sim)
{
	struct model *model = &sim->model;
	int64_t end = log_end_offset(sim->log);
	int64_t log_start = log_start_offset(sim->log);
	int result = log_close(sim->log);

	sim->log = NULL;
	CHECK(sim, result == 0 || sim->disk.struck);
	if (result == 0) {
		model_synced(model, end);
		model->saved_recovery_point = end;
		model->saved_start = log_start;
		model->clean = true;
	}
	restart(sim);
}

static void
step_time(struct sim *sim)
{
	sim->now_ms += (int64_t)rng_below(&sim->rng, 100000);
}

static void
step_fault(struct sim *sim)
{
	static const enum sim_fault faults[] = { SIM_FAULT_EIO,
		SIM_FAULT_ENOSPC, SIM_FAULT_EINTR, SIM_FAULT_SHORT,
		SIM_FAULT_POWER };

	(void)sim_disk_heal(&sim->disk);
	sim_disk_fail(&sim->disk,
	    faults[rng_below(&sim->rng, COUNT_OF(faults))],
	    rng_below(&sim->rng, 40));
}

static const struct {
	const char *name;
	unsigned weight;
	void (*run)(struct sim *sim);
} steps[] = {
	{ "append", 60, step_append },
	{ "end_txn", 10, step_end_txn },
	{ "flush", 12, step_flush },
	{ "checkpoint", 6, step_checkpoint },
	{ "roll", 3, step_roll },
	{ "retain", 4, step_retain },
	{ "delete_records", 2, step_delete_records },
	{ "tidy", 3, step_tidy },
	{ "stop", 2, step_stop },
	{ "restart", 2, restart },
	{ "time", 4, step_time },
	{ "fault", 4, step_fault },
};

static void
step(struct sim *sim)
{
	uint64_t total = 0, pick;
	size_t i = 0;

	for (size_t j = 0; j < COUNT_OF(steps); j++)
		total += steps[j].weight;
	pick = rng_below(&sim->rng, total);
	for (; pick >= steps[i].weight; i++)
		pick -= steps[i].weight;
	log_debug("sim", "%s at %" PRId64, steps[i].name,
	    log_end_offset(sim->log));
	steps[i].run(sim);
	if (log_is_offline(sim->log) || sim->disk.off)
		restart(sim);
}

/* --- A life -------------------------------------------------------------- */

static void
pick_settings(struct sim *sim)
{
	static const int32_t sizes[] = { 2000, 6000, 30000 };
	struct log_settings *settings = &sim->settings;

	log_settings_init(settings);
	settings->segment_bytes = sizes[rng_below(&sim->rng, COUNT_OF(sizes))];
	settings->index_interval_bytes =
	    chance(sim, 50) ? 100 : 4096;
	settings->file_delete_delay_ms = chance(sim, 50) ? 0 : 60000;
	settings->producer_id_expiration_ms = INT64_MAX / 4;
	settings->retention_bytes =
	    chance(sim, 50) ? -1 : (int64_t)rng_below(&sim->rng, 20000);
	settings->retention_ms = chance(sim, 50) ? -1 : 200000;
}

static void
live(uint64_t seed)
{
	struct sim sim = { .seed = seed, .now_ms = 1800000000000 };
	uint64_t count;

	rng_init(&sim.rng, seed);
	sim_disk_init(&sim.disk, &sim.rng);
	pick_settings(&sim);
	start(&sim);
	count = 1 + rng_below(&sim.rng, STEPS_MAX);
	for (uint64_t i = 0; i < count; i++)
		step(&sim);
	restart(&sim);
	log_free(sim.log);
	fd_cache_free(sim.files);
	sim_disk_fini(&sim.disk);
	free(sim.model.log.batches);
	free(sim.model.lost.batches);
}

int
main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : SEEDS_DEFAULT;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

	/* Failures are the point here; a seed that is repeated alone tells. */
	log_set_level(count == 1 ? LOG_DEBUG : LOG_FATAL);
	for (uint64_t i = 0; i < count; i++)
		live(first + i);
	printf("%" PRIu64 " lives\n", count);
	return 0;
}
