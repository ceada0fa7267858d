#include "sim/txn_model.h"

/* The last epoch that a client may have. */
#define EPOCH_LAST 32766

bool
txn_model_is_ending(const struct txn_model *model)
{
	return model->known &&
	    (model->state == TXN_PREPARE_COMMIT ||
		model->state == TXN_PREPARE_ABORT);
}

static bool
is_ongoing(const struct txn_model *model)
{
	return model->state == TXN_ONGOING;
}

/* Every transition sets these two. */
static void
write(struct txn_model_verdict *verdict, const struct txn_model *model,
    const struct txn_model_ask *ask)
{
	verdict->writes = true;
	verdict->next.previous_id =
	    model->known ? model->producer_id : verdict->next.producer_id;
	verdict->next.update_ms = ask->now_ms;
}

static enum kp_error
fenced(const struct txn_model_ask *ask)
{
	int16_t since = ask->call == TXN_MODEL_BEGIN ? 4 : 2;

	return ask->api_version >= since ? KP_PRODUCER_FENCED :
					   KP_INVALID_PRODUCER_EPOCH;
}

/* --- Outcomes ----------------------------------------------------------- */

/* With an epoch for each transaction the outcome has the next one already. */
static void
prepare(struct txn_model_verdict *verdict, const struct txn_model *model,
    const struct txn_model_ask *ask, bool commit, int16_t version)
{
	struct txn_model *next = &verdict->next;

	if (version >= 2 && model->epoch >= EPOCH_LAST && ask->fresh_id < 0) {
		verdict->wants_id = true;
		return;
	}
	*next = *model;
	next->state = commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT;
	next->version = version;
	if (version >= 2) {
		next->last_epoch = model->epoch;
		next->next_id = model->epoch >= EPOCH_LAST ? ask->fresh_id : -1;
		next->epoch = MIN(model->epoch, EPOCH_LAST) + 1;
	}
	if (!is_ongoing(model)) {
		next->start_ms = ask->now_ms;
		next->serial = TXN_MODEL_NO_SERIAL;
	}
	verdict->producer_id =
	    next->next_id >= 0 ? next->next_id : next->producer_id;
	verdict->epoch = next->next_id >= 0 ? 0 : next->epoch;
	write(verdict, model, ask);
}

static void
fence(struct txn_model_verdict *verdict, const struct txn_model *model,
    const struct txn_model_ask *ask)
{
	prepare(verdict, model, ask, false, ask->level);
	if (ask->level >= 2)
		return;
	verdict->next.epoch = MIN(model->epoch, EPOCH_LAST) + 1;
	verdict->next.last_epoch = -1;
}

struct txn_model
txn_model_completed(const struct txn_model *model, int64_t now_ms)
{
	struct txn_model next = *model;

	next.state = model->state == TXN_PREPARE_COMMIT ? TXN_COMPLETE_COMMIT :
							  TXN_COMPLETE_ABORT;
	next.logs = 0;
	next.previous_id = model->producer_id;
	next.update_ms = now_ms;
	if (model->next_id >= 0) {
		next.producer_id = model->next_id;
		next.next_id = -1;
		next.epoch = 0;
	}
	return next;
}

/* --- InitProducerId ----------------------------------------------------- */

static struct txn_model
created(const struct txn_model_ask *ask)
{
	return (struct txn_model){
		.known = true,
		.producer_id = ask->fresh_id,
		.next_id = -1,
		.last_epoch = -1,
		.timeout_ms = ask->timeout_ms,
		.state = TXN_EMPTY,
		.start_ms = -1,
		.serial = TXN_MODEL_NO_SERIAL,
	};
}

/* One without a transaction gets the next epoch, or another producer id. */
static void
renew(struct txn_model_verdict *verdict, const struct txn_model *model,
    const struct txn_model_ask *ask)
{
	struct txn_model *next = &verdict->next;
	bool expects = ask->producer_id >= 0;
	bool current = !expects || ask->epoch == model->epoch;
	bool before = expects && model->last_epoch >= 0 &&
	    ask->epoch == model->last_epoch;

	if (!current && !before) {
		verdict->error = fenced(ask);
		return;
	}
	if (current && model->epoch >= EPOCH_LAST && ask->fresh_id < 0) {
		verdict->wants_id = true;
		return;
	}
	*next = *model;
	next->state = TXN_EMPTY;
	next->logs = 0;
	next->start_ms = -1;
	next->timeout_ms = ask->timeout_ms;
	next->serial = TXN_MODEL_NO_SERIAL;
	if (current) {
		next->last_epoch = expects ? model->epoch : -1;
		if (model->epoch >= EPOCH_LAST)
			next->producer_id = ask->fresh_id;
		next->epoch = model->epoch >= EPOCH_LAST ? 0 : model->epoch + 1;
	}
	write(verdict, model, ask);
}

static void
judge_begin(struct txn_model_verdict *verdict, const struct txn_model *model,
    const struct txn_model_ask *ask)
{
	if (!model->known) {
		verdict->wants_id = ask->fresh_id < 0;
		verdict->next = created(ask);
		if (!verdict->wants_id)
			write(verdict, model, ask);
	} else if (txn_model_is_ending(model)) {
		verdict->error = KP_CONCURRENT_TRANSACTIONS;
	} else if (ask->producer_id >= 0 &&
	    ask->producer_id != model->producer_id &&
	    !(ask->producer_id == model->previous_id &&
		ask->epoch >= EPOCH_LAST)) {
		verdict->error = fenced(ask);
	} else if (is_ongoing(model)) {
		fence(verdict, model, ask);
		verdict->error = KP_CONCURRENT_TRANSACTIONS;
	} else {
		renew(verdict, model, ask);
	}
	if (verdict->error == KP_NONE) {
		verdict->producer_id = verdict->next.producer_id;
		verdict->epoch = verdict->next.epoch;
	}
}

/* --- AddPartitionsToTxn ------------------------------------------------- */

static enum kp_error
check_add(const struct txn_model *model, const struct txn_model_ask *ask)
{
	if (!model->known)
		return KP_INVALID_PRODUCER_ID_MAPPING;
	if (ask->call == TXN_MODEL_ADD && txn_model_is_ending(model))
		return KP_CONCURRENT_TRANSACTIONS;
	if (ask->producer_id != model->producer_id)
		return KP_INVALID_PRODUCER_ID_MAPPING;
	if (ask->epoch != model->epoch)
		return fenced(ask);
	if (txn_model_is_ending(model))
		return KP_CONCURRENT_TRANSACTIONS;
	return ask->call == TXN_MODEL_ADD && ask->version >= 2 &&
		ask->level == 0 ?
	    KP_UNSUPPORTED_VERSION :
	    KP_NONE;
}

static void
judge_add(struct txn_model_verdict *verdict, const struct txn_model *model,
    const struct txn_model_ask *ask)
{
	struct txn_model *next = &verdict->next;

	verdict->error = check_add(model, ask);
	if (verdict->error != KP_NONE)
		return;
	if (ask->call == TXN_MODEL_VERIFY) {
		verdict->missing = ask->logs & ~model->logs;
		return;
	}
	if (is_ongoing(model) && (ask->logs & ~model->logs) == 0)
		return;
	*next = *model;
	next->state = TXN_ONGOING;
	next->version = ask->version;
	next->logs |= ask->logs;
	if (!is_ongoing(model)) {
		next->start_ms = ask->now_ms;
		next->serial = ask->serial;
	}
	write(verdict, model, ask);
}

/* --- EndTxn ------------------------------------------------------------- */

/* Was that decided before? */
static bool
was_decided(const struct txn_model *model, bool commit)
{
	return model->state ==
	    (commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT);
}

static void
judge_end_lasting(struct txn_model_verdict *verdict,
    const struct txn_model *model, const struct txn_model_ask *ask)
{
	verdict->producer_id = ask->producer_id;
	verdict->epoch = ask->epoch;
	if (ask->producer_id != model->producer_id)
		verdict->error = KP_INVALID_PRODUCER_ID_MAPPING;
	else if (ask->epoch != model->epoch)
		verdict->error = fenced(ask);
	else if (txn_model_is_ending(model))
		verdict->error = KP_CONCURRENT_TRANSACTIONS;
	else if (is_ongoing(model))
		prepare(verdict, model, ask, ask->commit, ask->version);
	else if (!was_decided(model, ask->commit))
		verdict->error = KP_INVALID_TXN_STATE;
}

static void
judge_end_each(struct txn_model_verdict *verdict, const struct txn_model *model,
    const struct txn_model_ask *ask)
{
	bool complete = model->state == TXN_COMPLETE_COMMIT ||
	    model->state == TXN_COMPLETE_ABORT;
	bool overflowed = ask->producer_id == model->previous_id &&
	    ask->epoch == EPOCH_LAST && model->epoch == 0;
	bool again =
	    complete && (model->epoch == ask->epoch + 1 || overflowed);

	verdict->producer_id = model->producer_id;
	verdict->epoch = model->epoch;
	if (txn_model_is_ending(model))
		verdict->error = KP_CONCURRENT_TRANSACTIONS;
	else if (ask->producer_id != model->producer_id && !overflowed)
		verdict->error = KP_INVALID_PRODUCER_ID_MAPPING;
	else if (ask->epoch != model->epoch && !again)
		verdict->error = fenced(ask);
	else if (ask->level == 0)
		verdict->error = KP_UNSUPPORTED_VERSION;
	else if (is_ongoing(model))
		prepare(verdict, model, ask, ask->commit, ask->version);
	else if (again && was_decided(model, ask->commit))
		verdict->error = KP_NONE;
	else if (again || ask->commit)
		verdict->error = KP_INVALID_TXN_STATE;
	else
		prepare(verdict, model, ask, false, ask->version);
}

/* One that has taken too long, if it is still there. */
static void
judge_abort(struct txn_model_verdict *verdict, const struct txn_model *model,
    const struct txn_model_ask *ask)
{
	if (model->known && is_ongoing(model) &&
	    model->producer_id == ask->producer_id &&
	    model->epoch == ask->epoch)
		fence(verdict, model, ask);
}

struct txn_model_verdict
txn_model_judge(const struct txn_model *model, const struct txn_model_ask *ask)
{
	struct txn_model_verdict verdict = { .producer_id = -1, .epoch = -1 };

	if (ask->call == TXN_MODEL_BEGIN)
		judge_begin(&verdict, model, ask);
	else if (ask->call == TXN_MODEL_ADD || ask->call == TXN_MODEL_VERIFY)
		judge_add(&verdict, model, ask);
	else if (ask->call == TXN_MODEL_ABORT)
		judge_abort(&verdict, model, ask);
	else if (!model->known)
		verdict.error = KP_INVALID_PRODUCER_ID_MAPPING;
	else if (ask->version >= 2)
		judge_end_each(&verdict, model, ask);
	else
		judge_end_lasting(&verdict, model, ask);
	return verdict;
}
