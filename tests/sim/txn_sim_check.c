/*
 * What readers see: committed records, all of them, and no others.
 */
#include "sim/txn_sim.h"

#include "sim/sim_aborted.h"
#include "store/disk.h"
#include "wire/batch.h"

/* --- A partition -------------------------------------------------------- */

struct reader {
	struct sim *sim;
	const struct sim_log *log;
	size_t at;		/* of the entries */
};

/* Must a reader of committed records have the entry? */
static bool
wanted(struct sim *sim, const struct sim_entry *entry)
{
	const struct sim_serial *serial;

	if (entry->serial == TXN_MODEL_NO_SERIAL)
		return true;
	serial = &sim->serials[entry->serial];
	/* What is below the last stable offset is decided for good. */
	CHECK(serial->outcome != SIM_UNDECIDED);
	CHECK(serial->decided_at < sim->logs[SIM_LOG_TXNS].flushed_max);
	return serial->outcome == SIM_COMMIT;
}

static void
check_batch(struct reader *reader, const struct batch *batch,
    const struct txn_index *aborted)
{
	const struct sim_entry *entry;

	if (batch_is_control(batch))
		return;
	CHECK(reader->at < reader->log->count);
	entry = &reader->log->entries[reader->at++];
	CHECK(batch->base_offset == entry->offset);
	CHECK(batch->producer_id == entry->producer_id);
	CHECK((batch_is_transactional(batch) &&
		  sim_aborted_has(aborted, batch->producer_id,
		      batch->base_offset)) != wanted(reader->sim, entry));
}

/* False: there is no more. */
static bool
read_piece(struct reader *reader, struct log_read *read)
{
	struct sim *sim = reader->sim;
	struct txn_index aborted;
	struct slice left;
	struct batch batch;
	uint8_t *data;

	log_lock(reader->log->log);
	CHECK(log_read(reader->log->log, read) == KP_NONE);
	log_unlock(reader->log->log);
	if (read->unresolved)
		CHECK(log_read_resolve(read) == KP_NONE);
	if (read->len == 0)
		return false;
	data = xmalloc(read->len);
	CHECK(disk_pread(&sim->disk.disk, read->fd, data, read->len,
		  read->position) == (ssize_t)read->len);
	txn_index_init(&aborted);
	CHECK(log_read_aborted(read, &aborted) == KP_NONE);
	left = slice_of(data, read->len);
	while (batch_read(left, &batch) == 0) {
		check_batch(reader, &batch, &aborted);
		read->offset = batch.last_offset + 1;
		left.data += batch.size_bytes;
		left.len -= batch.size_bytes;
	}
	free(data);
	log_read_release(read);
	txn_index_fini(&aborted);
	return true;
}

void
sim_check_log(struct sim *sim, int log)
{
	struct reader reader = { .sim = sim, .log = &sim->logs[log] };
	struct log_read read = {
		.upper_bound = log_last_stable_offset(sim->logs[log].log),
		.max_bytes = 1 + (size_t)rng_below(&sim->rng, 3000),
		.min_one_batch = true,
	};

	while (read.offset < read.upper_bound && read_piece(&reader, &read))
		;
	CHECK(reader.at == reader.log->count ||
	    reader.log->entries[reader.at].offset >= read.upper_bound);
}

/* --- Offsets ------------------------------------------------------------ */

/* What was committed last, by its place in the log; NULL: nothing. */
static const struct sim_entry *
committed(const struct sim_log *log, int target, bool *unstable)
{
	const struct sim_entry *found = NULL;

	*unstable = false;
	for (size_t i = 0; i < log->count; i++) {
		const struct sim_entry *entry = &log->entries[i];

		if (entry->target != target)
			continue;
		if (entry->serial == TXN_MODEL_NO_SERIAL || entry->committed)
			found = entry;
		*unstable |= entry->serial != TXN_MODEL_NO_SERIAL &&
		    entry->marker < 0;
	}
	return found;
}

static void
on_fetched(struct shard_call *call)
{
	*(bool *)call->context = true;
}

static void
check_target(struct sim *sim, const struct group_offset *offset, bool stable)
{
	bool unstable;
	const struct sim_entry *entry = committed(
	    &sim->logs[SIM_LOG_OFFSETS], offset->partition, &unstable);

	if (stable && unstable) {
		CHECK(offset->error == KP_UNSTABLE_OFFSET_COMMIT);
		CHECK(offset->offset == -1);
		return;
	}
	CHECK(offset->error == KP_NONE);
	CHECK(offset->offset == (entry == NULL ? -1 : entry->value));
}

void
sim_check_offsets(struct sim *sim)
{
	struct group_offset offsets[SIM_TARGETS] = { 0 };
	struct group_topic topic = {
		.name = slice_str("source"),
		.offsets = offsets,
		.offsets_count = SIM_TARGETS,
	};
	struct group_fetch fetch = {
		.group_id = slice_str(SIM_GROUP),
		.member_id = SLICE_NULL,
		.member_epoch = -1,
		.require_stable = sim_chance(&sim->rng, 50),
		.topics = &topic,
		.topics_count = 1,
	};
	bool done = false;
	struct arena arena;
	struct group_call call = {
		.call = { .done = on_fetched, .context = &done },
		.arena = &arena,
		.version = 8,
		.principal = PRINCIPAL_ANONYMOUS,
	};

	/* So that the answer need not wait. */
	sim_flush(sim, SIM_LOG_OFFSETS);
	arena_init(&arena, SIZE_MAX);
	for (int i = 0; i < SIM_TARGETS; i++)
		offsets[i].partition = i;
	group_shard_fetch(&sim->groups, &call, &fetch);
	CHECK(done && call.call.error == KP_NONE);
	for (int i = 0; i < SIM_TARGETS; i++)
		check_target(sim, &offsets[i], fetch.require_stable);
	arena_reset(&arena);
}

/* --- The end ------------------------------------------------------------ */

/* Each transaction is whole in the log, and decided, or never was. */
static void
check_log_settled(struct sim *sim, const struct sim_log *log)
{
	CHECK(log_last_stable_offset(log->log) == log_end_offset(log->log));
	for (size_t i = 0; i < log->count; i++) {
		const struct sim_entry *entry = &log->entries[i];

		if (entry->serial == TXN_MODEL_NO_SERIAL)
			continue;
		CHECK(entry->marker > entry->offset);
		CHECK(entry->committed ==
		    (sim->serials[entry->serial].outcome == SIM_COMMIT));
	}
}

void
sim_check_settled(struct sim *sim)
{
	CHECK(sim->calls_open == 0);
	for (int i = 0; i < SIM_TXNS; i++) {
		const struct txn_model *now = &sim->models[i].now;

		CHECK(!now->known || now->state == TXN_EMPTY ||
		    now->state == TXN_COMPLETE_COMMIT ||
		    now->state == TXN_COMPLETE_ABORT);
	}
	for (int i = 0; i < SIM_LOGS_TRANSACTIONAL; i++) {
		check_log_settled(sim, &sim->logs[i]);
		if (i < SIM_PARTITIONS)
			sim_check_log(sim, i);
	}
	sim_check_offsets(sim);
}
