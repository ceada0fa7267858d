#include "coord/txn_shard.h"

#include "base/clock.h"
#include "coord/txn_ending.h"
#include "wire/generated/transaction_transaction_log.h"

/* So many transactional ids are looked at under one lock. */
#define PIECE_COUNT_MAX 20000

static struct txn_shard *
of(struct shard *shard)
{
	return CONTAINER_OF(shard, struct txn_shard, shard);
}

static int
replay(struct shard *shard, const struct shard_record *record)
{
	return record->type == KP_TRANSACTION_LOG_TYPE ?
	    txn_replay(of(shard), record) :
	    0;
}

/* Nobody writes to this topic inside of a transaction. */
static void
replay_end(struct shard *shard UNUSED, int64_t producer_id UNUSED,
    bool committed UNUSED)
{
}

/* --- Timeouts ------------------------------------------------------------ */

/* A transaction that has taken too long; it owns itself. */
struct timeout {
	struct txn_end end;
	struct txn_shard *shard;
};

static struct timeout *
timeout_of(struct shard_call *call)
{
	return CONTAINER_OF(call, struct timeout, end.call.call);
}

static void
timeout_free(struct shard_call *call)
{
	struct timeout *timeout = timeout_of(call);

	free((void *)(uintptr_t)timeout->end.call.transactional_id.data);
	free(timeout);
}

/* No lock is held any more. */
static void
timeout_run(struct shard_call *call)
{
	struct timeout *timeout = timeout_of(call);
	struct txn_environment *environment = timeout->shard->environment;

	call->done = timeout_free;
	if (call->error != KP_NONE)
		timeout_free(call);
	else
		environment->run(
		    environment, timeout->shard, &timeout->end.call);
}

static void
timeout_begin(struct txn *txn)
{
	struct timeout *timeout = xcalloc(1, sizeof(*timeout));
	struct txn_call *call = &timeout->end.call;

	timeout->shard = txn->shard;
	timeout->end.producer_id = txn->values.producer_id;
	timeout->end.producer_epoch = txn->values.producer_epoch;
	call->transactional_id = slice_of(slice_dup(txn->id), txn->id.len);
	call->run = txn_shard_abort;
	call->fresh_id = -1;
	call->call.done = timeout_run;
	shard_reply(&txn->shard->shard, &call->call, KP_NONE);
}

static bool
timed_out(const struct txn *txn, int64_t now_ms)
{
	const struct txn_values *values = &txn->values;

	return values->timeout_ms != TXN_TIMEOUT_NEVER &&
	    now_ms - values->timeout_ms > values->start_ms;
}

static void
timeouts_fired(struct shard_timer *timer, struct shard *base)
{
	struct txn_shard *shard = of(base);
	int64_t now_ms = clock_wall_ms();

	LIST_FOR_EACH (node, &shard->ongoing) {
		struct txn *txn = LIST_ENTRY(node, struct txn, ongoing);

		if (timed_out(txn, now_ms))
			timeout_begin(txn);
	}
	if (!list_empty(&shard->ongoing))
		shard_timer_start(base, timer,
		    shard->environment->settings->timeout_check_ms);
}

/* While it loads nobody knows yet what is Ongoing in the end. */
void
txn_shard_watch_timeouts(struct txn_shard *shard)
{
	if (shard->shard.state == SHARD_ACTIVE &&
	    !shard_timer_running(&shard->timeouts))
		shard_timer_start(&shard->shard, &shard->timeouts,
		    shard->environment->settings->timeout_check_ms);
}

/* --- Expiry -------------------------------------------------------------- */

static struct txn *
next_of(const struct txn *txn)
{
	struct list_node *next = txn->node.next;

	return next == &txn->shard->list.head ?
	    NULL :
	    LIST_ENTRY(next, struct txn, node);
}

static bool
expired(const struct txn *txn, int64_t now_ms)
{
	return txn_is_idle(txn) &&
	    txn->values.update_ms <=
	    now_ms - txn->shard->environment->settings->expiration_ms;
}

/*
 * Look at some.  The first that is left for later stays where it is: those
 * that are emitted are all before it, and go when they are appended.
 */
static void
expire_some(struct txn_shard *shard)
{
	int64_t now_ms = clock_wall_ms();
	struct txn *txn = shard->expiry_next;

	for (int count = 0; txn != NULL && count < PIECE_COUNT_MAX &&
	    !shard_emitted_much(&shard->shard);
	    count++) {
		if (expired(txn, now_ms))
			txn_emit_tombstone(txn);
		txn = next_of(txn);
	}
	shard->expiry_next = txn;
	/* What could not be written down is tried again at the next check. */
	if (shard_append_bulk(&shard->shard) != KP_NONE)
		shard->expiry_next = NULL;
}

static void
expiry_fired(struct shard_timer *timer, struct shard *base)
{
	struct txn_shard *shard = of(base);

	if (shard->expiry_next == NULL && !list_empty(&shard->list))
		shard->expiry_next =
		    LIST_ENTRY(shard->list.head.next, struct txn, node);
	expire_some(shard);
	shard_timer_start(base, timer,
	    shard->expiry_next != NULL ?
		0 :
		shard->environment->settings->expiration_check_ms);
}

/* --- Loading and unloading ----------------------------------------------- */

static void
loaded(struct shard *base)
{
	struct txn_shard *shard = of(base);

	LIST_FOR_EACH (node, &shard->list) {
		struct txn *txn = LIST_ENTRY(node, struct txn, node);

		if (txn_is_ending(txn))
			txn_ending_begin(txn);
	}
	if (!list_empty(&shard->ongoing))
		txn_shard_watch_timeouts(shard);
	shard_timer_start(base, &shard->expiry,
	    shard->environment->settings->expiration_check_ms);
}

static void
unloaded(struct shard *base, enum kp_error error UNUSED)
{
	struct txn_shard *shard = of(base);

	shard_timer_stop(base, &shard->timeouts);
	shard_timer_stop(base, &shard->expiry);
	while (!list_empty(&shard->list))
		txn_free(LIST_ENTRY(shard->list.head.next, struct txn, node));
	shard->expiry_next = NULL;
	shard->life++;
}

/* TransactionStateManager.appendTransactionToLog of Kafka. */
static enum kp_error
log_error_answer(enum kp_error error)
{
	switch (error) {
	case KP_UNKNOWN_TOPIC_OR_PARTITION:
	case KP_NOT_ENOUGH_REPLICAS:
	case KP_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
	case KP_REQUEST_TIMED_OUT:
		return KP_COORDINATOR_NOT_AVAILABLE;
	case KP_NOT_LEADER_OR_FOLLOWER:
	case KP_KAFKA_STORAGE_ERROR:
		return KP_NOT_COORDINATOR;
	case KP_MESSAGE_TOO_LARGE:
	case KP_RECORD_LIST_TOO_LARGE:
		return KP_UNKNOWN_SERVER_ERROR;
	default:
		return error;
	}
}

static const struct shard_kind txn_kind = {
	.topic = "__transaction_state",
	.replay = replay,
	.replay_end = replay_end,
	.loaded = loaded,
	.unloaded = unloaded,
	.answer_for = log_error_answer,
};

void
txn_shard_init(struct txn_shard *shard, struct txn_environment *environment,
    const struct shard_settings *settings, struct shard_host *host,
    int32_t partition)
{
	memset(shard, 0, sizeof(*shard));
	shard->environment = environment;
	map_init(&shard->txns);
	list_init(&shard->list);
	list_init(&shard->ongoing);
	atomic_init(&shard->users, 1);
	shard->timeouts.fired = timeouts_fired;
	shard->expiry.fired = expiry_fired;
	shard_init(&shard->shard, &txn_kind, settings, host, partition);
}

void
txn_shard_release(struct txn_shard *shard)
{
	if (atomic_fetch_sub(&shard->users, 1) == 1)
		shard->environment->idle(shard->environment, shard);
}

void
txn_shard_fini(struct txn_shard *shard)
{
	assert(shard->txns.count == 0 && list_empty(&shard->list));
	map_fini(&shard->txns);
	shard_fini(&shard->shard);
}
