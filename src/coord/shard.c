#include "coord/shard.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/batch_builder.h"
#include "wire/codec.h"

/* What one operation may emit before it appends, and what is much of it. */
#define EMITTED_BYTES_MAX ((size_t)256 << 20)
#define EMITTED_BYTES_MUCH ((size_t)4 << 20)

struct emitted {
	struct list_node node;
	struct shard_record record;
	struct slice key; /* with the type, as in the log */
	bool applied;
};

static void wait_timer_fired(struct shard_timer *timer, struct shard *shard);

void
shard_init(struct shard *shard, const struct shard_kind *kind,
    const struct shard_settings *settings, struct shard_host *host,
    int32_t partition)
{
	memset(shard, 0, sizeof(*shard));
	shard->kind = kind;
	shard->settings = settings;
	shard->host = host;
	shard->partition = partition;
	pthread_mutex_init(&shard->mutex, NULL);
	shard->state = SHARD_INITIAL;
	shard->epoch = -1;
	list_init(&shard->waits);
	list_init(&shard->finished);
	shard_timers_init(&shard->timers);
	shard->wait_timer.fired = wait_timer_fired;
	shard->wake_ms = INT64_MAX;
	shard->watch_offset = -1;
	list_init(&shard->emitted);
	arena_init(&shard->emitted_arena, EMITTED_BYTES_MAX);
}

void
shard_fini(struct shard *shard)
{
	assert(shard->state != SHARD_ACTIVE && shard->state != SHARD_LOADING);
	assert(list_empty(&shard->waits) && list_empty(&shard->finished));
	shard_timers_fini(&shard->timers);
	arena_reset(&shard->emitted_arena);
	pthread_mutex_destroy(&shard->mutex);
}

/* --- Waiting and answering ----------------------------------------------- */

static struct shard_wait *
wait_first(const struct shard *shard)
{
	if (list_empty(&shard->waits))
		return NULL;
	return LIST_ENTRY(shard->waits.head.next, struct shard_wait, node);
}

static void
wait_end(struct shard *shard, struct shard_wait *wait, enum kp_error error)
{
	list_remove(&wait->node);
	wait->ready(wait, shard, error);
}

static void
waits_release(struct shard *shard)
{
	struct shard_wait *wait;

	while ((wait = wait_first(shard)) != NULL &&
	    wait->offset <= shard->committed_offset)
		wait_end(shard, wait, KP_NONE);
}

static void
waits_fail(struct shard *shard, enum kp_error error)
{
	struct shard_wait *wait;

	while ((wait = wait_first(shard)) != NULL)
		wait_end(shard, wait, error);
}

/* The commit of the first waits has taken too long. */
static void
wait_timer_fired(struct shard_timer *timer, struct shard *shard)
{
	int64_t now_ms = clock_monotonic_ms();
	struct shard_wait *wait;

	while (
	    (wait = wait_first(shard)) != NULL && wait->deadline_ms <= now_ms)
		wait_end(
		    shard, wait, shard->kind->answer_for(KP_REQUEST_TIMED_OUT));
	if (wait != NULL)
		shard_timers_set(&shard->timers, timer, wait->deadline_ms);
}

void
shard_await(struct shard *shard, struct shard_wait *wait)
{
	wait->offset = shard->end_offset;
	wait->deadline_ms =
	    clock_monotonic_ms() + shard->settings->commit_timeout_ms;
	list_append(&shard->waits, &wait->node);
	if (wait->offset > shard->committed_offset &&
	    !shard_timer_running(&shard->wait_timer))
		shard_timers_set(
		    &shard->timers, &shard->wait_timer, wait->deadline_ms);
}

static void
call_ready(struct shard_wait *wait, struct shard *shard, enum kp_error error)
{
	struct shard_call *call = CONTAINER_OF(wait, struct shard_call, wait);

	call->error = error;
	list_append(&shard->finished, &wait->node);
}

void
shard_reply_at_once(
    struct shard *shard, struct shard_call *call, enum kp_error error)
{
	call_ready(&call->wait, shard, error);
}

void
shard_reply(struct shard *shard, struct shard_call *call, enum kp_error error)
{
	if (error != KP_NONE || shard->end_offset <= shard->committed_offset) {
		shard_reply_at_once(shard, call, error);
		return;
	}
	call->wait.ready = call_ready;
	shard_await(shard, &call->wait);
}

void
shard_reply_heartbeat(struct shard *shard, struct shard_call *call,
    enum kp_error error, bool told, int64_t end_offset)
{
	if (!told && shard->end_offset == end_offset)
		shard_reply_at_once(shard, call, error);
	else
		shard_reply(shard, call, error);
}

/* --- Entering and leaving ------------------------------------------------ */

enum kp_error
shard_enter(struct shard *shard)
{
	enum shard_state state;

	pthread_mutex_lock(&shard->mutex);
	state = shard->state;
	if (state == SHARD_ACTIVE)
		return KP_NONE;
	pthread_mutex_unlock(&shard->mutex);
	return state == SHARD_LOADING ? KP_COORDINATOR_LOAD_IN_PROGRESS :
					KP_NOT_COORDINATOR;
}

bool
shard_begin(struct shard *shard, struct shard_call *call)
{
	enum kp_error error = shard_enter(shard);

	if (error == KP_NONE)
		return true;
	call->error = error;
	call->done(call);
	return false;
}

/* What the host has to be asked for, decided under the lock. */
struct farewell {
	struct list finished;
	int64_t watch_offset;
	bool wake;
};

static void
farewell_prepare(struct shard *shard, struct farewell *farewell)
{
	int64_t next_ms = shard_timers_next_ms(&shard->timers);
	struct shard_wait *wait = wait_first(shard);

	list_init(&farewell->finished);
	list_splice(&farewell->finished, &shard->finished);
	farewell->watch_offset = -1;
	if (wait != NULL && shard->watch_offset < 0)
		farewell->watch_offset = shard->watch_offset = wait->offset;
	farewell->wake = next_ms < shard->wake_ms;
	if (farewell->wake)
		shard->wake_ms = next_ms;
}

static void
calls_finish(struct list *finished)
{
	struct list_node *node;

	while ((node = list_pop(finished)) != NULL) {
		struct shard_wait *wait =
		    LIST_ENTRY(node, struct shard_wait, node);
		struct shard_call *call =
		    CONTAINER_OF(wait, struct shard_call, wait);

		call->done(call);
	}
}

void
shard_leave(struct shard *shard)
{
	struct shard_host *host = shard->host;
	struct farewell farewell;

	assert(list_empty(&shard->emitted));
	waits_release(shard);
	farewell_prepare(shard, &farewell);
	pthread_mutex_unlock(&shard->mutex);

	if (farewell.watch_offset >= 0)
		host->watch(host, farewell.watch_offset);
	if (farewell.wake)
		host->wake(host);
	calls_finish(&farewell.finished);
}

/* --- Answers for the log's errors ---------------------------------------- */

enum kp_error
shard_runtime_answer(enum kp_error error)
{
	switch (error) {
	case KP_UNKNOWN_TOPIC_OR_PARTITION:
	case KP_NOT_ENOUGH_REPLICAS:
	case KP_REQUEST_TIMED_OUT:
		return KP_COORDINATOR_NOT_AVAILABLE;
	case KP_NOT_LEADER_OR_FOLLOWER:
	case KP_KAFKA_STORAGE_ERROR:
		return KP_NOT_COORDINATOR;
	case KP_MESSAGE_TOO_LARGE:
	case KP_RECORD_LIST_TOO_LARGE:
	case KP_INVALID_FETCH_SIZE:
		return KP_UNKNOWN_SERVER_ERROR;
	case KP_NETWORK_EXCEPTION:
		return KP_COORDINATOR_LOAD_IN_PROGRESS;
	default:
		return error;
	}
}

/* --- Writing ------------------------------------------------------------- */

static void
emit(struct shard *shard, const struct kp_message *key_message, const void *key,
    const struct kp_message *value_message, const void *value,
    int16_t value_version, bool applied)
{
	struct arena *arena = &shard->emitted_arena;
	struct emitted *emitted = arena_calloc(arena, 1, sizeof(*emitted));

	shard->emitted_failed = true;
	if (emitted == NULL)
		return;
	emitted->key =
	    kp_encode_prefixed(arena, key_message->key, key_message, 0, key);
	if (value != NULL)
		emitted->record.value = kp_encode_prefixed(
		    arena, value_version, value_message, value_version, value);
	if (slice_is_null(emitted->key) ||
	    (value != NULL && slice_is_null(emitted->record.value)))
		return;
	emitted->record.type = key_message->key;
	emitted->record.key =
	    slice_of(emitted->key.data + 2, emitted->key.len - 2);
	emitted->applied = applied;
	list_append(&shard->emitted, &emitted->node);
	shard->emitted_count++;
	shard->emitted_failed = false;
}

void
shard_emit(struct shard *shard, const struct kp_message *key_message,
    const void *key, const struct kp_message *value_message, const void *value,
    int16_t value_version)
{
	if (!shard->emitted_failed)
		emit(shard, key_message, key, value_message, value,
		    value_version, false);
}

void
shard_emit_applied(struct shard *shard, const struct kp_message *key_message,
    const void *key, const struct kp_message *value_message, const void *value,
    int16_t value_version)
{
	if (!shard->emitted_failed)
		emit(shard, key_message, key, value_message, value,
		    value_version, true);
}

bool
shard_emitted_much(const struct shard *shard)
{
	return shard->emitted_arena.size_bytes >= EMITTED_BYTES_MUCH;
}

void
shard_discard(struct shard *shard)
{
	list_init(&shard->emitted);
	arena_reset(&shard->emitted_arena);
	shard->emitted_count = 0;
	shard->emitted_failed = false;
}

/* Records outside of transactions. */
static const struct shard_transaction no_transaction = {
	.producer_id = BATCH_NO_PRODUCER,
	.producer_epoch = BATCH_NO_EPOCH,
};

/*
 * Build a batch from the first of what was emitted, as much as fits.  The
 * number of records in it, which is 0 where not even one fits.
 */
static int32_t
batch_build(struct shard *shard, const struct shard_transaction *transaction,
    struct buf *out)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	int64_t now_ms = clock_wall_ms();
	struct batch_builder builder;

	options.codec = (enum compression)shard->settings->compression;
	options.base_sequence = 0; /* as Kafka's coordinators have it */
	options.producer_id = transaction->producer_id;
	options.producer_epoch = transaction->producer_epoch;
	options.transactional = transaction->producer_id >= 0;
	batch_builder_init(&builder, &options, out);
	LIST_FOR_EACH (node, &shard->emitted) {
		struct emitted *e = LIST_ENTRY(node, struct emitted, node);

		if (batch_builder_add(
			&builder, now_ms, e->key, e->record.value) != 0)
			break;
	}
	if (builder.record_count == 0) {
		batch_builder_cancel(&builder);
		return 0;
	}
	return batch_builder_finish(&builder) == 0 ? builder.record_count : 0;
}

/* The first count of what was emitted are in the log, from base_offset on. */
static void
emitted_replay(struct shard *shard, const struct shard_transaction *transaction,
    int32_t count, int64_t base_offset)
{
	for (int32_t i = 0; i < count; i++) {
		struct emitted *e =
		    LIST_ENTRY(list_pop(&shard->emitted), struct emitted, node);

		shard->emitted_count--;
		e->record.offset = base_offset + i;
		e->record.producer_id = transaction->producer_id;
		e->record.producer_epoch = transaction->producer_epoch;
		if (!e->applied && shard->kind->replay(shard, &e->record) != 0)
			assert(!"a record of our own is malformed");
	}
}

static void
committed_update(struct shard *shard)
{
	int64_t high_watermark = shard->host->high_watermark(shard->host);

	shard->committed_offset = MAX(shard->committed_offset, high_watermark);
}

/* Append and replay one batch of at least count_min of what was emitted. */
static enum kp_error
batch_append(struct shard *shard, const struct shard_transaction *transaction,
    int32_t count_min)
{
	struct shard_host *host = shard->host;
	enum kp_error error = KP_MESSAGE_TOO_LARGE;
	struct shard_append batch;
	struct buf out;
	int32_t count;

	buf_init(&out, (size_t)shard->settings->batch_bytes_max);
	count = batch_build(shard, transaction, &out);
	batch = (struct shard_append){
		.data = out.data,
		.len = out.len,
		.guarded = transaction->guarded,
		.guard = transaction->guard,
	};
	if (count >= count_min)
		error = host->append(host, &batch);
	if (error == KP_NONE) {
		assert(batch.end_offset >= shard->end_offset + count);
		shard->end_offset = batch.end_offset;
		emitted_replay(
		    shard, transaction, count, batch.end_offset - count);
		committed_update(shard);
	}
	buf_fini(&out);
	return error;
}

static enum kp_error
append(
    struct shard *shard, const struct shard_transaction *transaction, bool bulk)
{
	enum kp_error error = KP_NONE;

	if (shard->emitted_failed)
		error = KP_MESSAGE_TOO_LARGE;
	while (error == KP_NONE && shard->emitted_count != 0)
		error = batch_append(
		    shard, transaction, bulk ? 1 : shard->emitted_count);
	shard_discard(shard);
	return error == KP_NONE ? KP_NONE : shard->kind->answer_for(error);
}

enum kp_error
shard_append(struct shard *shard)
{
	return append(shard, &no_transaction, false);
}

enum kp_error
shard_append_bulk(struct shard *shard)
{
	return append(shard, &no_transaction, true);
}

enum kp_error
shard_append_transactional(
    struct shard *shard, const struct shard_transaction *transaction)
{
	assert(transaction->producer_id >= 0);
	return append(shard, transaction, false);
}

/* A batch with one marker takes 78 bytes. */
#define MARKER_BYTES_MAX 128

enum kp_error
shard_append_marker(struct shard *shard,
    const struct control_record_marker *marker, int16_t transaction_version)
{
	struct shard_append batch = { .transaction_version =
					  transaction_version };
	enum kp_error error;
	struct buf out;
	int built;

	assert(list_empty(&shard->emitted));
	buf_init(&out, MARKER_BYTES_MAX);
	built = control_record_marker_append(
	    marker, 0, BATCH_NO_EPOCH, clock_wall_ms(), &out);
	assert(built == 0);
	batch.data = out.data;
	batch.len = out.len;
	error = shard->host->append(shard->host, &batch);
	buf_fini(&out);
	if (error != KP_NONE)
		return shard->kind->answer_for(error);
	shard->end_offset = batch.end_offset;
	shard->kind->replay_end(shard, marker->producer_id, marker->commit);
	committed_update(shard);
	return KP_NONE;
}

/* --- Timers -------------------------------------------------------------- */

void
shard_timer_start(
    struct shard *shard, struct shard_timer *timer, int64_t delay_ms)
{
	shard_timers_set(
	    &shard->timers, timer, clock_monotonic_ms() + MAX(delay_ms, 1));
}

void
shard_timer_stop(struct shard *shard, struct shard_timer *timer)
{
	shard_timers_remove(&shard->timers, timer);
}

int64_t
shard_tick(struct shard *shard)
{
	struct shard_timer *timer;
	int64_t now_ms = clock_monotonic_ms(), next_ms;

	pthread_mutex_lock(&shard->mutex);
	while ((timer = shard_timers_take(&shard->timers, now_ms)) != NULL)
		timer->fired(timer, shard);
	next_ms = shard_timers_next_ms(&shard->timers);
	shard->wake_ms = next_ms;
	shard_leave(shard);
	return next_ms;
}

/* --- Leadership and commits ---------------------------------------------- */

/* Drop everything, with an answer for those who wait.  Lock held. */
static void
unload(struct shard *shard, enum shard_state state, enum kp_error error)
{
	bool loaded =
	    shard->state == SHARD_ACTIVE || shard->state == SHARD_LOADING;

	shard->state = state;
	if (!loaded)
		return;
	waits_fail(shard, error);
	shard->kind->unloaded(shard, error);
	shard_discard(shard);
	shard_timers_remove(&shard->timers, &shard->wait_timer);
	assert(shard_timers_next_ms(&shard->timers) == INT64_MAX);
}

/* A load that is under way ends here, and with it what it has replayed. */
bool
shard_elect(struct shard *shard, int32_t epoch)
{
	bool elected;

	pthread_mutex_lock(&shard->mutex);
	elected = shard->state != SHARD_ACTIVE &&
	    (shard->state != SHARD_LOADING || epoch > shard->epoch);
	if (elected)
		unload(shard, SHARD_LOADING, KP_NOT_COORDINATOR);
	shard->epoch = MAX(shard->epoch, epoch);
	shard_leave(shard);
	return elected;
}

void
shard_resign(struct shard *shard)
{
	pthread_mutex_lock(&shard->mutex);
	unload(shard, SHARD_CLOSED, KP_NOT_COORDINATOR);
	shard_leave(shard);
}

void
shard_advance(struct shard *shard, enum kp_error error)
{
	pthread_mutex_lock(&shard->mutex);
	shard->watch_offset = -1;
	if (shard->state == SHARD_ACTIVE) {
		if (error == KP_NONE)
			committed_update(shard);
		else
			unload(shard, SHARD_FAILED,
			    shard->kind->answer_for(error));
	}
	shard_leave(shard);
}
