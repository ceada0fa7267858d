/*
 * Batches and offsets in transactions, as partition leaders take them: a guard
 * is asked for, the coordinator is, and then the batch is appended, with
 * whatever happens in between (api/produce.c, api/txn_offset_commit.c).
 *
 * What is accepted must be in a transaction that somebody will end.
 */
#include "sim/txn_sim.h"

#include "store/verification.h"
#include "wire/batch_builder.h"

/* --- What the model knows of a log -------------------------------------- */

struct sim_entry *
sim_log_push(struct sim_log *log, int64_t offset)
{
	struct sim_entry *entry;

	if (log->count == log->capacity) {
		log->capacity = 2 * log->capacity + 64;
		log->entries = xrealloc(
		    log->entries, log->capacity * sizeof(*log->entries));
	}
	entry = &log->entries[log->count++];
	*entry = (struct sim_entry){
		.offset = offset,
		.producer_id = -1,
		.serial = TXN_MODEL_NO_SERIAL,
		.marker = -1,
	};
	return entry;
}

void
sim_log_cut(struct sim_log *log, int64_t end)
{
	while (log->count > 0 && log->entries[log->count - 1].offset >= end)
		log->count--;
	for (size_t i = 0; i < log->count; i++)
		if (log->entries[i].marker >= end) {
			log->entries[i].marker = -1;
			log->entries[i].committed = false;
		}
}

/* The transactional id that has the producer id now. */
static const struct sim_txn *
owner_of(const struct sim *sim, int64_t producer_id)
{
	for (int i = 0; i < SIM_TXNS; i++)
		if (sim->models[i].now.known &&
		    sim->models[i].now.producer_id == producer_id)
			return &sim->models[i];
	return NULL;
}

/* Nothing is marked before the outcome is certain, nor otherwise than it is. */
void
sim_log_marked(struct sim_log *log, const struct control_record_marker *marker,
    int64_t offset)
{
	struct sim *sim = log->sim;
	const struct sim_txn *txn = owner_of(sim, marker->producer_id);

	CHECK(txn != NULL && txn_model_is_ending(&txn->now));
	CHECK(marker->producer_epoch == txn->now.epoch);
	CHECK(marker->commit == (txn->now.state == TXN_PREPARE_COMMIT));
	CHECK(txn->history[txn->count - 1].offset <
	    sim_log_flushed(sim, SIM_LOG_TXNS));
	for (size_t i = 0; i < log->count; i++) {
		struct sim_entry *entry = &log->entries[i];

		if (entry->marker >= 0 || entry->serial < 0 ||
		    entry->producer_id != marker->producer_id)
			continue;
		CHECK(entry->serial == txn->now.serial);
		entry->marker = offset;
		entry->committed = marker->commit;
	}
}

/* A batch was accepted: of which transaction is it? */
static struct sim_entry *
accept_entry(struct sim_op *op, int64_t offset)
{
	struct sim *sim = op->sim;
	const struct sim_txn *txn = owner_of(sim, op->producer_id);
	struct sim_entry *entry = sim_log_push(&sim->logs[op->log], offset);

	CHECK(txn != NULL && txn->now.serial >= 0);
	CHECK(txn->now.state == TXN_ONGOING || txn_model_is_ending(&txn->now));
	CHECK((txn->now.logs & 1u << op->log) != 0);
	CHECK(txn->now.state != TXN_ONGOING || txn->now.epoch == op->epoch);
	entry->serial = txn->now.serial;
	entry->producer_id = op->producer_id;
	return entry;
}

/* --- A batch ------------------------------------------------------------ */

static void
build(const struct sim_op *op, struct buf *bytes)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;

	if (op->producer_id >= 0) {
		options.producer_id = op->producer_id;
		options.producer_epoch = op->epoch;
		options.base_sequence = op->sequence;
		options.transactional = true;
	}
	batch_builder_init(&builder, &options, bytes);
	CHECK(batch_builder_add(&builder, clock_wall_ms(), SLICE_NULL,
		  slice_str("value")) == 0);
	CHECK(batch_builder_finish(&builder) == 0);
}

static enum kp_error
batch_append(struct sim_op *op, struct log_append *append)
{
	struct sim_log *log = &op->sim->logs[op->log];
	enum kp_error error;
	struct buf bytes;

	buf_init(&bytes, 1000);
	build(op, &bytes);
	*append = (struct log_append){
		.data = bytes.data,
		.len = bytes.len,
		.leader_epoch = op->sim->epoch,
		.origin = LOG_CLIENT,
		.now_ms = clock_wall_ms(),
		.guarded = true,
		.guard = op->guard,
	};
	log_lock(log->log);
	error = log_append(log->log, append);
	log_unlock(log->log);
	buf_fini(&bytes);
	return error;
}

static void
finish(struct sim_op *op, enum kp_error error)
{
	op->error = error;
	op->over = true;
}

static void
send(struct sim_op *op)
{
	struct log_append append;
	enum kp_error error = batch_append(op, &append);

	if (error == KP_NONE && !append.duplicate)
		(void)accept_entry(op, append.base_offset);
	op->offset = append.base_offset;
	finish(op, error);
}

/* --- Offsets ------------------------------------------------------------ */

static void
on_committed(struct shard_call *call)
{
	struct sim_op *op = call->context;

	CHECK(op->committing && !op->over);
	op->sim->calls_open--;
	finish(op, call->error != KP_NONE ? call->error : op->target.error);
}

static void
commit_fill(struct sim_op *op, int64_t value)
{
	op->target.offset = value;
	op->target.leader_epoch = -1;
	op->target.metadata = slice_str("");
	op->topic = (struct group_topic){
		.name = slice_str("source"),
		.known = true,
		.offsets = &op->target,
		.offsets_count = 1,
	};
	op->commit = (struct group_commit){
		.group_id = slice_str(SIM_GROUP),
		.generation_id = -1,
		.member_id = slice_str(""),
		.instance_id = SLICE_NULL,
		.retention_ms = -1,
		.topics = &op->topic,
		.topics_count = 1,
	};
	op->group_call = (struct group_call){
		.call = { .done = on_committed, .context = op },
		.version = 5,
		.principal = PRINCIPAL_ANONYMOUS,
	};
}

static void
commit(struct sim_op *op)
{
	struct sim *sim = op->sim;
	struct sim_log *log = &sim->logs[SIM_LOG_OFFSETS];
	int64_t end = sim_log_end(sim, SIM_LOG_OFFSETS);
	int64_t value = (int64_t)rng_below(&sim->rng, 1000000);
	struct sim_entry *entry;

	commit_fill(op, value);
	if (op->producer_id >= 0) {
		op->transaction = (struct shard_transaction){
			op->producer_id, op->epoch, true, op->guard };
		op->commit.transaction = &op->transaction;
	}
	op->target.partition = (int32_t)rng_below(&sim->rng, SIM_TARGETS);
	op->committing = true;
	sim->calls_open++;
	group_shard_commit(&sim->groups, &op->group_call, &op->commit);
	if (sim_log_end(sim, SIM_LOG_OFFSETS) == end)
		return;
	entry = op->producer_id >= 0 ? accept_entry(op, end) :
				       sim_log_push(log, end);
	entry->target = op->target.partition;
	entry->value = value;
}

/* --- Both --------------------------------------------------------------- */

/* False: it ends here. */
static bool
verify(struct sim_op *op)
{
	struct sim_log *log = &op->sim->logs[op->log];
	const struct verification_start start = {
		.producer_id = op->producer_id,
		.producer_epoch = op->epoch,
		.base_sequence = op->kind == SIM_OP_SEND ? op->sequence : -1,
		.supports_epoch_bump = op->adds,
		.now_ms = clock_wall_ms(),
	};
	enum kp_error error;

	log_lock(log->log);
	error = log_verify(log->log, &start, &op->guard);
	log_unlock(log->log);
	if (error != KP_NONE)
		finish(op, error);
	return error == KP_NONE;
}

static void
ask(struct sim_op *op)
{
	const struct sim_log *log = &op->sim->logs[op->log];

	op->parts[0] = (struct txn_partition){ slice_str(log->topic),
		log->index, KP_NONE };
	memset(&op->add, 0, sizeof(op->add));
	op->add = (struct txn_add){
		.call.version = 5,
		.producer_id = op->producer_id,
		.producer_epoch = op->epoch,
		.client_version = 2,
		.verify_only = !op->adds,
		.partitions = op->parts,
		.count = 1,
	};
	op->asked = true;
	sim_op_ask(op);
}

/* The answer is there. */
static void
take_answer(struct sim_op *op)
{
	enum kp_error error;

	sim_op_judge(op);
	op->asked = false;
	error = op->error != KP_NONE ? op->error : op->parts[0].error;
	if (error == KP_PRODUCER_FENCED)
		error = KP_INVALID_PRODUCER_EPOCH;
	if (error != KP_NONE)
		finish(op, error);
	else
		op->accepted_guard = op->guard;
}

void
sim_op_produce(struct sim_op *op)
{
	if (op->over || op->committing || (op->asked && !op->done))
		return;
	if (op->asked)
		take_answer(op);
	if (op->over)
		return;
	/* Between the answer and what it is for, anything may happen. */
	if (op->interrupted) {
		finish(op, KP_NETWORK_EXCEPTION);
		return;
	}
	if (sim_chance(&op->sim->rng, 20) || (!op->ready && !verify(op)))
		return;
	if (!op->ready && op->guard != VERIFICATION_NONE &&
	    op->guard != op->accepted_guard)
		ask(op);
	else if (!op->ready && sim_chance(&op->sim->rng, 30))
		op->ready = true;
	else if (op->kind == SIM_OP_SEND)
		send(op);
	else
		commit(op);
}

/* --- Outside of transactions -------------------------------------------- */

void
sim_produce_plain(struct sim *sim)
{
	struct sim_op *op = sim_op_new(sim, SIM_OP_SEND, 0);
	struct log_append append;

	op->producer_id = -1;
	op->log = (int)rng_below(&sim->rng, SIM_PARTITIONS);
	CHECK(batch_append(op, &append) == KP_NONE);
	(void)sim_log_push(&sim->logs[op->log], append.base_offset);
	op->over = true;
	sim_op_free(op);
}

void
sim_commit_plain(struct sim *sim)
{
	struct sim_op *op = sim_op_new(sim, SIM_OP_OFFSETS, 0);

	op->producer_id = -1;
	op->log = SIM_LOG_OFFSETS;
	list_append(&sim->strays, &op->node);
	commit(op);
}
