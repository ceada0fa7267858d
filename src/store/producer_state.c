#include "base/base.h"
#include "store/producer_state.h"

int32_t
producer_sequence_add(int32_t sequence, int32_t delta)
{
	assert(sequence >= 0 && delta >= 0);
	return (int32_t)(((uint32_t)sequence + (uint32_t)delta) & INT32_MAX);
}

void
producer_state_init(struct producer_state *state)
{
	*state = (struct producer_state){ 0 };
}

void
producer_state_clear(struct producer_state *state)
{
	for (size_t i = 0; i < state->count; i++)
		free(state->producers[i]);
	state->count = 0;
}

void
producer_state_fini(struct producer_state *state)
{
	producer_state_clear(state);
	free(state->producers);
	producer_state_init(state);
}

/* --- the table ----------------------------------------------------------- */

/* Where id is, or where it would have to be inserted. */
static size_t
position_of(const struct producer_state *state, int64_t id)
{
	size_t low = 0, high = state->count;

	/* Ids are handed out ascending: most new ones go to the end. */
	if (high > 0 && state->producers[high - 1]->id < id)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (state->producers[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct producer *
producer_at(const struct producer_state *state, size_t position, int64_t id)
{
	if (position == state->count || state->producers[position]->id != id)
		return NULL;
	return state->producers[position];
}

const struct producer *
producer_state_find(const struct producer_state *state, int64_t producer_id)
{
	return producer_at(state, position_of(state, producer_id), producer_id);
}

static struct producer *
producer_new(int64_t id)
{
	struct producer *producer = xcalloc(1, sizeof(*producer));

	producer->id = id;
	producer->epoch = -1;
	producer->last_timestamp_ms = -1;
	producer->txn_first_offset = -1;
	producer->coordinator_epoch = -1;
	return producer;
}

/* Put producer at position, with room made for it. */
static void
producer_insert(
    struct producer_state *state, size_t position, struct producer *producer)
{
	if (state->count == state->capacity) {
		state->capacity = MAX(1, state->capacity * 2);
		state->producers = xrealloc(state->producers,
		    state->capacity * sizeof(*state->producers));
	}
	memmove(state->producers + position + 1, state->producers + position,
	    (state->count - position) * sizeof(*state->producers));
	state->producers[position] = producer;
	state->count++;
}

/* The producer, made where there is none. */
static struct producer *
producer_obtain(struct producer_state *state, int64_t id)
{
	size_t position = position_of(state, id);
	struct producer *producer = producer_at(state, position, id);

	assert(id >= 0);
	if (producer == NULL) {
		producer = producer_new(id);
		producer_insert(state, position, producer);
	}
	return producer;
}

/* --- checks -------------------------------------------------------------- */

static int32_t
batch_first_sequence(const struct producer_batch *batch)
{
	return (int32_t)(((uint32_t)batch->last_sequence -
			     (uint32_t)batch->offset_delta) &
	    INT32_MAX);
}

/* The batch that append repeats, or NULL. */
static const struct producer_batch *
batch_repeated(
    const struct producer *producer, const struct producer_append *append)
{
	/* Without a sequence nothing can be told to be the same. */
	if (producer->epoch != append->producer_epoch ||
	    append->base_sequence < 0)
		return NULL;
	for (size_t i = 0; i < producer->batch_count; i++) {
		const struct producer_batch *batch = &producer->batches[i];

		if (batch->last_sequence == append->last_sequence &&
		    batch_first_sequence(batch) == append->base_sequence)
			return batch;
	}
	return NULL;
}

/* The sequence that must come next, or -1 where any may. */
static int32_t
sequence_expected(
    const struct producer *producer, const struct producer_append *append)
{
	int32_t last;

	/* Of a producer known without an epoch nothing can be expected. */
	if (producer->epoch < 0)
		return -1;
	if (producer->epoch != append->producer_epoch ||
	    producer->batch_count == 0)
		return 0;
	last = producer->batches[producer->batch_count - 1].last_sequence;
	return last < 0 ? 0 : producer_sequence_add(last, 1);
}

enum kp_error
producer_state_check(const struct producer_state *state,
    const struct producer_append *append,
    const struct producer_batch **duplicate)
{
	const struct producer *producer =
	    producer_state_find(state, append->producer_id);
	int32_t expected;

	*duplicate = NULL;
	/* Any first sequence will do: what was before may have expired. */
	if (producer == NULL)
		return KP_NONE;
	*duplicate = batch_repeated(producer, append);
	if (*duplicate != NULL)
		return KP_NONE;
	if (append->producer_epoch < producer->epoch)
		return KP_INVALID_PRODUCER_EPOCH;
	expected = sequence_expected(producer, append);
	if (expected >= 0 && append->base_sequence != expected)
		return KP_OUT_OF_ORDER_SEQUENCE_NUMBER;
	if (producer->txn_first_offset >= 0 && !append->transactional)
		return KP_INVALID_TXN_STATE;
	return KP_NONE;
}

/* An epoch that is used up cannot be told apart by a higher one. */
static bool
marker_epoch_valid(const struct producer *producer,
    const struct producer_marker *marker, bool epoch_each)
{
	if (!epoch_each || marker->producer_epoch != producer->epoch)
		return marker->producer_epoch >= producer->epoch;
	return producer->txn_first_offset < 0 ||
	    marker->producer_epoch == INT16_MAX;
}

enum kp_error
producer_state_check_marker(const struct producer_state *state,
    const struct producer_marker *marker, bool epoch_each)
{
	const struct producer *producer =
	    producer_state_find(state, marker->producer_id);

	if (producer == NULL)
		return KP_NONE;
	if (!marker_epoch_valid(producer, marker, epoch_each))
		return KP_INVALID_PRODUCER_EPOCH;
	return marker->coordinator_epoch < producer->coordinator_epoch ?
	    KP_TRANSACTION_COORDINATOR_FENCED :
	    KP_NONE;
}

/* --- updates ------------------------------------------------------------- */

/* A new epoch forgets the batches of the one before. */
static void
epoch_set(struct producer *producer, int16_t epoch)
{
	if (producer->epoch != epoch)
		producer->batch_count = 0;
	producer->epoch = epoch;
}

static void
batch_push(struct producer *producer, struct producer_batch batch)
{
	if (producer->batch_count == PRODUCER_BATCHES_MAX) {
		memmove(producer->batches, producer->batches + 1,
		    (PRODUCER_BATCHES_MAX - 1) * sizeof(batch));
		producer->batch_count--;
	}
	producer->batches[producer->batch_count++] = batch;
}

void
producer_state_update(
    struct producer_state *state, const struct producer_append *append)
{
	struct producer *producer = producer_obtain(state, append->producer_id);

	epoch_set(producer, append->producer_epoch);
	batch_push(producer,
	    (struct producer_batch){
		.last_offset = append->last_offset,
		.timestamp_ms = append->max_timestamp_ms,
		.last_sequence = append->last_sequence,
		.offset_delta =
		    (int32_t)(append->last_offset - append->base_offset),
	    });
	producer->last_timestamp_ms = append->max_timestamp_ms;
	if (append->transactional && producer->txn_first_offset < 0)
		producer->txn_first_offset = append->base_offset;
}

void
producer_state_update_marker(
    struct producer_state *state, const struct producer_marker *marker)
{
	struct producer *producer = producer_obtain(state, marker->producer_id);

	epoch_set(producer, marker->producer_epoch);
	producer->coordinator_epoch = marker->coordinator_epoch;
	producer->last_timestamp_ms = marker->timestamp_ms;
	producer->txn_first_offset = -1;
}

/* --- expiry -------------------------------------------------------------- */

/* Long overflows are the file's fault, never ours: subtract with care. */
static bool
is_expired(
    const struct producer *producer, int64_t now_ms, int64_t expiration_ms)
{
	int64_t age_ms;

	if (producer->txn_first_offset >= 0)
		return false;
	if (__builtin_sub_overflow(
		now_ms, producer->last_timestamp_ms, &age_ms))
		return producer->last_timestamp_ms < 0;
	return age_ms >= expiration_ms;
}

size_t
producer_state_expire(
    struct producer_state *state, int64_t now_ms, int64_t expiration_ms)
{
	size_t kept = 0, expired;

	for (size_t i = 0; i < state->count; i++) {
		if (is_expired(state->producers[i], now_ms, expiration_ms))
			free(state->producers[i]);
		else
			state->producers[kept++] = state->producers[i];
	}
	expired = state->count - kept;
	state->count = kept;
	return expired;
}

/* --- snapshots ----------------------------------------------------------- */

void
producer_state_restore(
    struct producer_state *state, const struct producer *producer)
{
	*producer_obtain(state, producer->id) = *producer;
}
