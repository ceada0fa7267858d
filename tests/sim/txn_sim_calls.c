/*
 * Calls of the coordinator, each with what the model says that it must come
 * to, and the model's own history, which a restart cuts where the log was cut.
 */
#include "sim/txn_sim.h"

#include "wire/batch.h"

/* --- The models' history ------------------------------------------------ */

static struct sim_txn *
txn_of(struct sim *sim, struct slice id)
{
	for (int i = 0; i < SIM_TXNS; i++)
		if (slice_equal_str(id, sim->models[i].id))
			return &sim->models[i];
	CHECK(!"there is such a transactional id");
	return NULL;
}

static void
decide(struct sim *sim, const struct txn_model *model, int64_t offset)
{
	struct sim_serial *serial;

	if (!txn_model_is_ending(model) ||
	    model->serial == TXN_MODEL_NO_SERIAL)
		return;
	serial = &sim->serials[model->serial];
	CHECK(serial->outcome == SIM_UNDECIDED);
	serial->outcome =
	    model->state == TXN_PREPARE_COMMIT ? SIM_COMMIT : SIM_ABORT;
	serial->decided_at = offset;
}

/* The record of it was appended just now. */
static void
become(struct sim *sim, struct sim_txn *txn, const struct txn_model *model)
{
	CHECK(txn->noted >= 0 && txn->noted_end == !model->known);
	if (txn->count == txn->capacity) {
		txn->capacity = 2 * txn->capacity + 16;
		txn->history = xrealloc(
		    txn->history, txn->capacity * sizeof(*txn->history));
	}
	/* A producer's epochs never go back. */
	CHECK(!model->known || !txn->now.known ||
	    model->producer_id > txn->now.producer_id ||
	    (model->producer_id == txn->now.producer_id &&
		model->epoch >= txn->now.epoch));
	decide(sim, model, txn->noted);
	txn->history[txn->count++] = (struct sim_was){ txn->noted, *model };
	txn->now = *model;
	txn->noted = -1;
}

void
sim_models_reload(struct sim *sim, int64_t end)
{
	for (int i = 0; i < SIM_TXNS; i++) {
		struct sim_txn *txn = &sim->models[i];

		while (txn->count > 0 &&
		    txn->history[txn->count - 1].offset >= end)
			txn->count--;
		txn->now = (struct txn_model){ 0 };
		if (txn->count > 0)
			txn->now = txn->history[txn->count - 1].model;
		/* That is in memory only, as with old records this is. */
		txn->now.last_epoch = -1;
		if (atomic_load(&sim->environment.version) == 0)
			txn->now.previous_id = -1;
	}
	for (int i = 0; i < sim->serials_count; i++)
		if (sim->serials[i].decided_at >= end)
			sim->serials[i].outcome = SIM_UNDECIDED;
}

void
sim_model_aged(struct sim *sim, struct sim_txn *txn, int16_t epoch)
{
	struct txn_model next = txn->now;

	next.epoch = epoch;
	next.previous_id = next.producer_id;
	next.update_ms = clock_wall_ms();
	become(sim, txn, &next);
}

/* --- What the shard does by itself -------------------------------------- */

static unsigned
logs_of(struct sim *sim, const struct txn_partitions *set)
{
	unsigned logs = 0;

	for (int32_t i = 0; i < set->count; i++)
		for (int32_t j = 0; j < set->topics[i].count; j++)
			logs |= 1u << (sim_log_find(sim, set->topics[i].name,
					   set->topics[i].indexes[j]) -
				    sim->logs);
	return logs;
}

/* Does each of its logs have the marker, below the high watermark? */
static void
check_marked(struct sim *sim, const struct txn_model *model)
{
	for (int i = 0; i < SIM_LOGS_TRANSACTIONAL; i++) {
		const struct sim_log *log = &sim->logs[i];
		const struct producer *producer;

		if ((model->logs & 1u << i) == 0)
			continue;
		producer = producer_state_find(
		    log_producers(log->log), model->producer_id);
		/* It may have been forgotten since. */
		CHECK(producer == NULL ||
		    (producer->txn_first_offset < 0 &&
			producer->epoch == model->epoch));
		for (size_t j = 0; j < log->count; j++)
			CHECK(log->entries[j].serial != model->serial ||
			    (log->entries[j].marker >= 0 &&
				log->entries[j].marker <
				    log_high_watermark(log->log)));
	}
}

static void
follow_end(struct sim *sim, struct sim_txn *txn)
{
	const struct txn_model *now = &txn->now;
	struct txn_model none = { 0 };

	if (!txn->noted_end) {
		/* All that happens by itself is the last step. */
		struct txn_model next = txn_model_completed(
		    now, clock_wall_ms());

		CHECK(txn_model_is_ending(now));
		CHECK(now->serial < 0 ||
		    sim->serials[now->serial].decided_at <
			sim->logs[SIM_LOG_TXNS].flushed_max);
		check_marked(sim, now);
		become(sim, txn, &next);
		return;
	}
	CHECK(now->known && now->state != TXN_ONGOING &&
	    !txn_model_is_ending(now));
	CHECK(now->update_ms <=
	    clock_wall_ms() - sim->settings.expiration_ms);
	become(sim, txn, &none);
}

static void
compare(struct sim *sim, const struct sim_txn *model)
{
	const struct txn_model *now = &model->now;
	const struct txn *txn = txn_find(&sim->txns, slice_str(model->id));
	const struct txn_values *values;

	CHECK(now->known == (txn != NULL));
	if (txn == NULL)
		return;
	values = &txn->values;
	CHECK(values->state == now->state);
	CHECK(values->producer_id == now->producer_id);
	CHECK(values->previous_producer_id == now->previous_id);
	CHECK(values->next_producer_id == now->next_id);
	CHECK(values->producer_epoch == now->epoch);
	CHECK(values->last_producer_epoch == now->last_epoch);
	CHECK(values->client_version == now->version);
	CHECK(values->timeout_ms == now->timeout_ms);
	CHECK(values->start_ms == now->start_ms);
	CHECK(values->update_ms == now->update_ms);
	CHECK(txn_model_is_ending(now) ||
	    logs_of(sim, &txn->partitions) == now->logs);
}

void
sim_models_follow(struct sim *sim)
{
	if (sim->txns.shard.state != SHARD_ACTIVE)
		return;
	for (int i = 0; i < SIM_TXNS; i++) {
		if (sim->models[i].noted >= 0)
			follow_end(sim, &sim->models[i]);
		compare(sim, &sim->models[i]);
	}
}

/* --- Asking ------------------------------------------------------------- */

static struct sim_op *
op_of(const struct txn_call *call)
{
	return call->run == txn_shard_abort ? NULL : call->call.context;
}

static int
new_serial(struct sim *sim, const struct sim_txn *txn)
{
	if (sim->serials_count == sim->serials_capacity) {
		sim->serials_capacity = 2 * sim->serials_capacity + 64;
		sim->serials = xrealloc(sim->serials,
		    (size_t)sim->serials_capacity * sizeof(*sim->serials));
	}
	sim->serials[sim->serials_count] = (struct sim_serial){
		.txn = (int)(txn - sim->models),
		.decided_at = -1,
	};
	return sim->serials_count++;
}

static unsigned
logs_asked(struct sim *sim, const struct txn_add *add)
{
	unsigned logs = 0;

	for (int32_t i = 0; i < add->count; i++)
		logs |= 1u << (sim_log_find(sim, add->partitions[i].topic,
				   add->partitions[i].index) -
			    sim->logs);
	return logs;
}

static struct txn_model_ask
ask_of(struct sim *sim, struct sim_txn *txn, struct txn_call *call)
{
	struct txn_model_ask ask = {
		.api_version = call->version,
		.fresh_id = call->fresh_id,
		.level = (int16_t)atomic_load(&sim->environment.version),
		.now_ms = clock_wall_ms(),
	};

	if (call->run == txn_shard_begin) {
		const struct txn_begin *begin =
		    CONTAINER_OF(call, struct txn_begin, call);

		ask.call = TXN_MODEL_BEGIN;
		ask.producer_id = begin->producer_id;
		ask.epoch = begin->producer_epoch;
		ask.timeout_ms = begin->timeout_ms;
	} else if (call->run == txn_shard_add) {
		const struct txn_add *add =
		    CONTAINER_OF(call, struct txn_add, call);

		ask.call = add->verify_only ? TXN_MODEL_VERIFY : TXN_MODEL_ADD;
		ask.producer_id = add->producer_id;
		ask.epoch = add->producer_epoch;
		ask.version = add->client_version;
		ask.logs = logs_asked(sim, add);
		ask.serial = new_serial(sim, txn);
	} else {
		const struct txn_end *end =
		    CONTAINER_OF(call, struct txn_end, call);

		ask.call = call->run == txn_shard_end ? TXN_MODEL_END :
							TXN_MODEL_ABORT;
		ask.producer_id = end->producer_id;
		ask.epoch = end->producer_epoch;
		ask.version = end->client_version;
		ask.commit = end->commit;
	}
	return ask;
}

static enum kp_error
injected_answer(enum kp_error error)
{
	return error == KP_NOT_ENOUGH_REPLICAS ? KP_COORDINATOR_NOT_AVAILABLE :
						 KP_NOT_COORDINATOR;
}

/* A transaction is aborted in its time only. */
static void
check_timeout(const struct sim_txn *txn, bool writes)
{
	if (writes)
		CHECK(clock_wall_ms() - txn->now.timeout_ms >
		    txn->now.start_ms);
}

/* The call was made; true: it wants an id. */
static bool
call_run(struct sim *sim, struct txn_shard *shard, struct txn_call *call)
{
	struct sim_txn *txn = txn_of(sim, call->transactional_id);
	struct txn_model_ask ask = ask_of(sim, txn, call);
	struct txn_model_verdict verdict = { .producer_id = -1 };
	struct sim_op *op = op_of(call);
	enum shard_state state = shard->shard.state;
	bool ran;

	if (state == SHARD_ACTIVE)
		verdict = txn_model_judge(&txn->now, &ask);
	else
		verdict.error = state == SHARD_LOADING ?
		    KP_COORDINATOR_LOAD_IN_PROGRESS :
		    KP_NOT_COORDINATOR;
	if (op == NULL)
		check_timeout(txn, verdict.writes);
	sim->injected = KP_NONE;
	if (op != NULL)
		op->verdict = verdict;
	ran = call->run(shard, call);
	CHECK(ran == !verdict.wants_id);
	if (!ran)
		return true;
	if (sim->injected != KP_NONE) {
		CHECK(verdict.writes);
		verdict.error = injected_answer(sim->injected);
		sim->injected = KP_NONE;
		if (op != NULL)
			op->verdict = verdict;
	} else if (verdict.writes) {
		become(sim, txn, &verdict.next);
	}
	sim_models_follow(sim);
	return false;
}

static void
call_go(struct sim *sim, struct txn_shard *shard, struct txn_call *call)
{
	struct sim_op *op = op_of(call);

	if (!call_run(sim, shard, call))
		return;
	CHECK(call->fresh_id < 0);
	if (sim_chance(&sim->rng, 30)) {
		if (sim->waiting_count == sim->waiting_capacity) {
			sim->waiting_capacity = 2 * sim->waiting_capacity + 8;
			sim->waiting = xrealloc(sim->waiting,
			    sim->waiting_capacity * sizeof(*sim->waiting));
		}
		sim->waiting[sim->waiting_count++] = call;
	} else if (!sim->settling && sim_chance(&sim->rng, 10)) {
		if (op != NULL)
			op->verdict.error = KP_COORDINATOR_LOAD_IN_PROGRESS;
		call->call.error = KP_COORDINATOR_LOAD_IN_PROGRESS;
		call->call.done(&call->call);
	} else {
		call->fresh_id = sim->ids_given++;
		CHECK(!call_run(sim, shard, call));
	}
}

void
sim_run_call(struct txn_environment *environment, struct txn_shard *shard,
    struct txn_call *call)
{
	call_go(CONTAINER_OF(environment, struct sim, environment), shard,
	    call);
}

void
sim_ids_step(struct sim *sim)
{
	struct txn_call *call;

	if (sim->waiting_count == 0)
		return;
	call = sim->waiting[0];
	sim->waiting_count--;
	memmove(sim->waiting, sim->waiting + 1,
	    sim->waiting_count * sizeof(*sim->waiting));
	call->fresh_id = sim->ids_given++;
	CHECK(!call_run(sim, &sim->txns, call));
}

void
sim_ids_drain(struct sim *sim)
{
	while (sim->waiting_count > 0)
		sim_ids_step(sim);
}

/* --- Operations --------------------------------------------------------- */

static void
on_done(struct shard_call *call)
{
	struct sim_op *op = call->context;

	CHECK(!op->done);
	op->done = true;
	op->sim->calls_open--;
}

struct sim_op *
sim_op_new(struct sim *sim, enum sim_op_kind kind, int txn)
{
	struct sim_op *op = xcalloc(1, sizeof(*op));

	op->sim = sim;
	op->kind = kind;
	op->txn = txn;
	op->guard = op->accepted_guard = 0;
	return op;
}

void
sim_op_free(struct sim_op *op)
{
	CHECK(op == NULL || op->done || op->over);
	free(op);
}

void
sim_op_ask(struct sim_op *op)
{
	static bool (*const runs[])(
	    struct txn_shard *shard, struct txn_call *call) = {
		[SIM_OP_BEGIN] = txn_shard_begin,
		[SIM_OP_ADD] = txn_shard_add,
		[SIM_OP_END] = txn_shard_end,
		[SIM_OP_SEND] = txn_shard_add,
		[SIM_OP_OFFSETS] = txn_shard_add,
	};
	struct sim *sim = op->sim;

	op->done = false;
	op->call.call.done = on_done;
	op->call.call.context = op;
	op->call.transactional_id = slice_str(sim->models[op->txn].id);
	op->call.run = runs[op->kind];
	op->call.fresh_id = -1;
	sim->calls_open++;
	call_go(sim, &sim->txns, &op->call);
}

static void
judge_success(const struct sim_op *op)
{
	const struct txn_model_verdict *verdict = &op->verdict;

	if (op->kind == SIM_OP_BEGIN) {
		CHECK(op->begin.producer_id == verdict->producer_id);
		CHECK(op->begin.producer_epoch == verdict->epoch);
	} else if (op->kind == SIM_OP_END && op->end.client_version >= 2) {
		CHECK(op->end.producer_id == verdict->producer_id);
		CHECK(op->end.producer_epoch == verdict->epoch);
	} else if (op->call.run == txn_shard_add && op->add.verify_only) {
		for (int32_t i = 0; i < op->add.count; i++) {
			const struct sim_log *log = sim_log_find(op->sim,
			    op->parts[i].topic, op->parts[i].index);
			unsigned bit = 1u << (log - op->sim->logs);

			CHECK(op->parts[i].error ==
			    ((verdict->missing & bit) != 0 ?
				    KP_TRANSACTION_ABORTABLE :
				    KP_NONE));
		}
	}
}

void
sim_op_judge(struct sim_op *op)
{
	enum kp_error error = op->call.call.error;

	CHECK(op->done);
	op->error = error;
	/* The record may not have been committed in time, or at all. */
	if (op->verdict.error == KP_NONE &&
	    (error == KP_NOT_COORDINATOR ||
		error == KP_COORDINATOR_NOT_AVAILABLE))
		return;
	CHECK(error == op->verdict.error);
	if (error == KP_NONE)
		judge_success(op);
}
