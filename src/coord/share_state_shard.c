#include "coord/share_state_shard.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"

static struct share_state_shard *
of(struct shard *shard)
{
	return CONTAINER_OF(shard, struct share_state_shard, shard);
}

/* --- Calls --------------------------------------------------------------- */

#define NEGATIVE_PARTITION "The partition id cannot be a negative number."
#define UNINITIALIZED_READ \
	"Read operation on uninitialized share partition not allowed."
#define UNINITIALIZED_WRITE \
	"Write operation on uninitialized share partition not allowed."
#define IMPOSSIBLE_BATCHES "The state batches are not possible."

static enum kp_error
refusal(struct share_state_call *call, enum kp_error error, const char *message)
{
	call->message = message != NULL ? message : kp_error_message(error);
	return error;
}

static enum kp_error
check_leader_epoch(
    struct share_state_call *call, const struct share_state *state)
{
	return call->leader_epoch != SHARE_STATE_UNKNOWN &&
		state->leader_epoch_max > call->leader_epoch ?
	    refusal(call, KP_FENCED_LEADER_EPOCH, NULL) :
	    KP_NONE;
}

static enum kp_error
check_state_epoch(
    struct share_state_call *call, const struct share_state *state)
{
	return call->state_epoch != SHARE_STATE_UNKNOWN &&
		state->state_epoch_max > call->state_epoch ?
	    refusal(call, KP_FENCED_STATE_EPOCH, NULL) :
	    KP_NONE;
}

static enum kp_error
check_topic(struct share_state_call *call)
{
	return call->known ?
	    KP_NONE :
	    refusal(call, KP_UNKNOWN_TOPIC_OR_PARTITION, NULL);
}

/* Kafka takes any batches, but a partition's leader makes no such ones. */
static enum kp_error
check_batches(struct share_state_call *call, const struct share_state *state)
{
	bool possible = call->batches_count <=
	    SHARE_STATE_BATCHES_MAX - state->batches.count;

	for (int32_t i = 0; possible && i < call->batches_count; i++)
		possible = share_state_batch_valid(&call->batches[i]);
	return possible ? KP_NONE :
			  refusal(call, KP_INVALID_REQUEST, IMPOSSIBLE_BATCHES);
}

static enum kp_error
initialize(struct share_state_shard *shard, struct share_state_call *call,
    const struct share_state *state)
{
	static const struct share_state_batches none = { NULL, 0 };
	int64_t now_ms = clock_wall_ms();
	const struct share_state_values values = {
		.snapshot_epoch =
		    state != NULL ? state->values.snapshot_epoch + 1 : 0,
		.state_epoch = call->state_epoch,
		.delivery_complete_count =
		    call->start_offset == SHARE_STATE_UNKNOWN ?
		    SHARE_STATE_UNKNOWN :
		    0,
		.start_offset = call->start_offset,
		.create_ms = now_ms,
		.write_ms = now_ms,
	};
	enum kp_error error =
	    state != NULL ? check_state_epoch(call, state) : KP_NONE;

	if (error == KP_NONE)
		error = check_topic(call);
	if (error == KP_NONE && state == NULL &&
	    budget_left(&shard->environment->memory) == 0)
		error = refusal(call, KP_COORDINATOR_NOT_AVAILABLE, NULL);
	if (error != KP_NONE)
		return error;
	share_state_emit_snapshot(shard, &call->key, &values, &none);
	return shard_append(&shard->shard);
}

/*
 * Write down what has changed, or, after so many updates, all of it.  A change
 * of another leader epoch than its own is no change of the epoch.
 */
static enum kp_error
write_change(const struct share_state *state,
    const struct share_state_values *change,
    const struct share_state_batches *batches)
{
	struct share_state_shard *shard = state->shard;
	struct share_state_values values = *change;
	struct share_state_batches all;

	values.snapshot_epoch = state->values.snapshot_epoch;
	if (state->updates_count <
	    shard->environment->settings->updates_per_snapshot) {
		all = share_state_batches_combine(
		    &(struct share_state_batches){ NULL, 0 }, batches->items,
		    batches->count, values.start_offset);
		share_state_emit_update(shard, &state->key, &values, &all);
	} else {
		values.snapshot_epoch++;
		values.state_epoch = state->values.state_epoch;
		if (values.start_offset == SHARE_STATE_UNKNOWN)
			values.start_offset = state->values.start_offset;
		values.create_ms = values.write_ms = clock_wall_ms();
		all = share_state_batches_combine(&state->batches,
		    batches->items, batches->count, values.start_offset);
		share_state_emit_snapshot(shard, &state->key, &values, &all);
	}
	free(all.items);
	return shard_append(&shard->shard);
}

static enum kp_error
write_state(struct share_state_call *call, const struct share_state *state)
{
	const struct share_state_batches batches = {
		(void *)(uintptr_t)call->batches,
		call->batches_count,
	};
	struct share_state_values change;
	enum kp_error error;

	if (state == NULL)
		return refusal(call, KP_INVALID_REQUEST, UNINITIALIZED_WRITE);
	error = check_leader_epoch(call, state);
	if (error == KP_NONE)
		error = check_state_epoch(call, state);
	if (error == KP_NONE)
		error = check_topic(call);
	if (error == KP_NONE)
		error = check_batches(call, state);
	if (error != KP_NONE)
		return error;
	change = (struct share_state_values){
		.leader_epoch = state->values.leader_epoch,
		.delivery_complete_count = call->delivery_complete_count,
		.start_offset = call->start_offset,
	};
	return write_change(state, &change, &batches);
}

/* One request can ask for the same state again and again. */
static enum kp_error
tell(struct share_state_call *call, const struct share_state *state)
{
	size_t size =
	    (size_t)state->batches.count * sizeof(*state->batches.items);
	struct share_state_batch *batches = arena_alloc(call->arena, size + 1);

	if (batches == NULL)
		return KP_UNKNOWN_SERVER_ERROR;
	if (size > 0)
		memcpy(batches, state->batches.items, size);
	call->state_epoch = state->values.state_epoch;
	call->start_offset = state->values.start_offset;
	call->delivery_complete_count = state->values.delivery_complete_count;
	call->batches = batches;
	call->batches_count = state->batches.count;
	return KP_NONE;
}

/* A leader that is not known yet is written down: those before are fenced. */
static enum kp_error
read_state(struct share_state_call *call, const struct share_state *state)
{
	static const struct share_state_batches none = { NULL, 0 };
	int32_t leader_epoch = call->leader_epoch;
	struct share_state_values change;
	enum kp_error error;

	if (state == NULL)
		return refusal(call, KP_INVALID_REQUEST, UNINITIALIZED_READ);
	error = check_leader_epoch(call, state);
	if (error == KP_NONE)
		error = check_topic(call);
	if (error == KP_NONE)
		error = tell(call, state);
	if (error != KP_NONE || leader_epoch == SHARE_STATE_UNKNOWN ||
	    leader_epoch == state->leader_epoch_max)
		return error;
	change = state->values;
	change.leader_epoch = leader_epoch;
	return write_change(state, &change, &none);
}

static enum kp_error
read_summary(struct share_state_call *call, const struct share_state *state)
{
	enum kp_error error = check_topic(call);

	if (error != KP_NONE)
		return error;
	call->state_epoch = state != NULL ? state->values.state_epoch : 0;
	call->leader_epoch = state != NULL ? state->values.leader_epoch : 0;
	call->start_offset = state != NULL ? state->values.start_offset :
					     SHARE_STATE_UNKNOWN;
	call->delivery_complete_count = state != NULL ?
	    state->values.delivery_complete_count :
	    SHARE_STATE_UNKNOWN;
	return KP_NONE;
}

static enum kp_error
delete_state(struct share_state_call *call, const struct share_state *state)
{
	enum kp_error error = check_topic(call);

	if (error != KP_NONE || state == NULL)
		return error;
	share_state_emit_tombstone(state);
	return shard_append(&state->shard->shard);
}

static enum kp_error
run(struct share_state_shard *shard, struct share_state_call *call)
{
	const struct share_state *state = share_state_find(shard, call->text);

	if (call->key.partition < 0)
		return refusal(call, KP_INVALID_REQUEST, NEGATIVE_PARTITION);
	switch (call->operation) {
	case SHARE_STATE_INITIALIZE:
		return initialize(shard, call, state);
	case SHARE_STATE_READ:
		return read_state(call, state);
	case SHARE_STATE_READ_SUMMARY:
		return read_summary(call, state);
	case SHARE_STATE_WRITE:
		return write_state(call, state);
	case SHARE_STATE_DELETE:
		return delete_state(call, state);
	}
	assert(!"an operation");
	return KP_UNKNOWN_SERVER_ERROR;
}

bool
share_state_shard_run(
    struct share_state_shard *shard, struct share_state_call *call)
{

	call->message = NULL;
	if (!shard_begin(&shard->shard, &call->call))
		return true;
	if (call->deletions != atomic_load(&shard->environment->deletions)) {
		shard_leave(&shard->shard);
		return false;
	}
	shard_reply(&shard->shard, &call->call, run(shard, call));
	shard_leave(&shard->shard);
	return true;
}

/* --- Topics that were deleted -------------------------------------------- */

/* Some of them; false when there is no more to do.  Locked. */
static bool
drop_some(struct share_state_shard *shard, const struct map *topic_ids)
{
	bool more = false;

	LIST_FOR_EACH (node, &shard->list) {
		struct share_state *state =
		    LIST_ENTRY(node, struct share_state, node);

		if (map_get(topic_ids, MAP_KEY(state->key.topic_id)) == NULL)
			continue;
		more = shard_emitted_much(&shard->shard);
		if (more)
			break;
		share_state_emit_tombstone(state);
	}
	return shard_append_bulk(&shard->shard) == KP_NONE && more;
}

void
share_state_shard_drop_topics(
    struct share_state_shard *shard, const struct map *topic_ids)
{
	bool more = true;

	while (more && shard_enter(&shard->shard) == KP_NONE) {
		more = drop_some(shard, topic_ids);
		shard_leave(&shard->shard);
	}
}

/* --- The log's beginning ------------------------------------------------- */

/* What is below it tells of nothing any more; -1 where it is not known. */
static int64_t
redundant_offset(const struct share_state_shard *shard)
{
	if (list_empty(&shard->list))
		return shard->tombstone_offset;
	return LIST_ENTRY(shard->list.head.next, struct share_state, node)
	    ->snapshot_offset;
}

static void
prune_ready(struct shard_wait *wait, struct shard *base, enum kp_error error)
{
	struct share_state_shard *shard =
	    CONTAINER_OF(wait, struct share_state_shard, prune_wait);

	if (error != KP_NONE)
		return;
	error = base->host->delete_records(base->host, shard->prune_offset);
	if (error == KP_NONE)
		shard->pruned_offset = shard->prune_offset;
	else
		log_warn("coord", "Cannot delete the records of %s-%d up to "
		    "offset %lld: %s",
		    base->kind->topic, base->partition,
		    (long long)shard->prune_offset, kp_error_name(error));
}

static void
prune_fired(struct shard_timer *timer, struct shard *base)
{
	struct share_state_shard *shard = of(base);
	int64_t offset = redundant_offset(shard);

	if (offset > 0 && offset != shard->pruned_offset &&
	    !list_node_linked(&shard->prune_wait.node)) {
		shard->prune_offset = offset;
		shard_await(base, &shard->prune_wait);
	}
	shard_timer_start(
	    base, timer, shard->environment->settings->prune_interval_ms);
}

/* --- States that are not written to -------------------------------------- */

/* Has the state been written anew for its age? */
static bool
is_cold(const struct share_state *state)
{
	return state->values.create_ms != state->values.write_ms;
}

static bool
all_cold(const struct share_state_shard *shard)
{
	LIST_FOR_EACH (node, &shard->list)
		if (!is_cold(LIST_ENTRY(node, struct share_state, node)))
			return false;
	return true;
}

static void
emit_anew(const struct share_state *state, int64_t now_ms)
{
	struct share_state_values values = state->values;

	values.snapshot_epoch++;
	values.write_ms = now_ms;
	share_state_emit_snapshot(
	    state->shard, &state->key, &values, &state->batches);
}

/* Write those that are due; false where some are left for later. */
static bool
write_anew(struct share_state_shard *shard)
{
	int64_t now_ms = clock_wall_ms();
	int64_t due_ms =
	    now_ms - shard->environment->settings->cold_interval_ms;
	bool all = true;

	LIST_FOR_EACH (node, &shard->list) {
		const struct share_state *state =
		    LIST_ENTRY(node, struct share_state, node);

		if (state->values.write_ms > due_ms)
			continue;
		all = !shard_emitted_much(&shard->shard);
		if (!all)
			break;
		emit_anew(state, now_ms);
	}
	/* What could not be written is tried again at its next time. */
	return shard_append_bulk(&shard->shard) != KP_NONE || all;
}

static void
cold_fired(struct shard_timer *timer, struct shard *base)
{
	struct share_state_shard *shard = of(base);
	bool done = all_cold(shard) || write_anew(shard);

	shard_timer_start(base, timer,
	    done ? shard->environment->settings->cold_interval_ms : 0);
}

/* --- Loading and unloading ----------------------------------------------- */

static int
replay(struct shard *base, const struct shard_record *record)
{
	return share_state_replay(of(base), record);
}

/* Nobody writes to this topic inside of a transaction. */
static void
replay_end(struct shard *shard UNUSED, int64_t producer_id UNUSED,
    bool committed UNUSED)
{
}

static void
loaded(struct shard *base)
{
	struct share_state_shard *shard = of(base);
	const struct share_settings *settings = shard->environment->settings;

	shard_timer_start(base, &shard->prune, settings->prune_interval_ms);
	shard_timer_start(base, &shard->cold, settings->cold_interval_ms);
}

static void
unloaded(struct shard *base, enum kp_error error UNUSED)
{
	struct share_state_shard *shard = of(base);

	shard_timer_stop(base, &shard->prune);
	shard_timer_stop(base, &shard->cold);
	while (!list_empty(&shard->list))
		share_state_free(LIST_ENTRY(
		    shard->list.head.next, struct share_state, node));
	shard->tombstone_offset = -1;
	shard->pruned_offset = -1;
}

static const struct shard_kind share_state_kind = {
	.topic = "__share_group_state",
	.replay = replay,
	.replay_end = replay_end,
	.loaded = loaded,
	.unloaded = unloaded,
	.answer_for = shard_runtime_answer,
};

void
share_state_shard_init(struct share_state_shard *shard,
    struct share_state_environment *environment,
    const struct shard_settings *settings, struct shard_host *host,
    int32_t partition)
{
	memset(shard, 0, sizeof(*shard));
	shard->environment = environment;
	map_init(&shard->states);
	list_init(&shard->list);
	shard->tombstone_offset = -1;
	shard->pruned_offset = -1;
	shard->prune.fired = prune_fired;
	shard->prune_wait.ready = prune_ready;
	shard->cold.fired = cold_fired;
	shard_init(
	    &shard->shard, &share_state_kind, settings, host, partition);
}

void
share_state_shard_fini(struct share_state_shard *shard)
{
	assert(shard->states.count == 0 && list_empty(&shard->list));
	map_fini(&shard->states);
	shard_fini(&shard->shard);
}
