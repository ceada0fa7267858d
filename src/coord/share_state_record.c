/*
 * Records of __share_group_state: snapshots of share partitions' states, and
 * updates (ShareCoordinatorRecordHelpers of Kafka).
 */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/slice.h"
#include "coord/share_state_shard.h"
#include "wire/codec.h"
#include "wire/generated/share_share_snapshot.h"
#include "wire/generated/share_share_update.h"

#define VALUE_VERSION 0

SHARE_STATE_BATCH_LIKE(struct kp_share_snapshot_value_state_batche);
SHARE_STATE_BATCH_LIKE(struct kp_share_update_value_state_batche);

/* --- Keys ---------------------------------------------------------------- */

struct slice
share_state_key_text(const struct share_state_key *key, struct arena *arena)
{
	char id[UUID_TEXT_LEN + 1];
	struct slice rest;
	uint8_t *text;

	uuid_format(key->topic_id, id);
	rest = arena_printf(arena, ":%s:%d", id, key->partition);
	/* A group's id may have any bytes, also a NUL. */
	text = arena_xalloc(arena, key->group_id.len + rest.len);
	memcpy(text, key->group_id.data, key->group_id.len);
	memcpy(text + key->group_id.len, rest.data, rest.len);
	return slice_of(text, key->group_id.len + rest.len);
}

struct share_state *
share_state_find(const struct share_state_shard *shard, struct slice text)
{
	return map_get(&shard->states, text);
}

/* --- Writing ------------------------------------------------------------- */

void
share_state_emit_snapshot(struct share_state_shard *shard,
    const struct share_state_key *key, const struct share_state_values *values,
    const struct share_state_batches *batches)
{
	const struct kp_share_snapshot_key record_key = {
		.group_id = key->group_id,
		.topic_id = key->topic_id,
		.partition = key->partition,
	};
	const struct kp_share_snapshot_value value = {
		.snapshot_epoch = values->snapshot_epoch,
		.state_epoch = values->state_epoch,
		.leader_epoch = values->leader_epoch,
		.start_offset = values->start_offset,
		.delivery_complete_count = values->delivery_complete_count,
		.create_timestamp = values->create_ms,
		.write_timestamp = values->write_ms,
		.state_batches = (void *)batches->items,
		.state_batches_count = batches->count,
	};

	shard_emit(&shard->shard, &kp_share_snapshot_key, &record_key,
	    &kp_share_snapshot_value, &value, VALUE_VERSION);
}

void
share_state_emit_update(struct share_state_shard *shard,
    const struct share_state_key *key, const struct share_state_values *values,
    const struct share_state_batches *batches)
{
	const struct kp_share_update_key record_key = {
		.group_id = key->group_id,
		.topic_id = key->topic_id,
		.partition = key->partition,
	};
	const struct kp_share_update_value value = {
		.snapshot_epoch = values->snapshot_epoch,
		.leader_epoch = values->leader_epoch,
		.start_offset = values->start_offset,
		.delivery_complete_count = values->delivery_complete_count,
		.state_batches = (void *)batches->items,
		.state_batches_count = batches->count,
	};

	shard_emit(&shard->shard, &kp_share_update_key, &record_key,
	    &kp_share_update_value, &value, VALUE_VERSION);
}

void
share_state_emit_tombstone(const struct share_state *state)
{
	const struct kp_share_snapshot_key key = {
		.group_id = state->key.group_id,
		.topic_id = state->key.topic_id,
		.partition = state->key.partition,
	};

	shard_emit(&state->shard->shard, &kp_share_snapshot_key, &key, NULL,
	    NULL, 0);
}

/* --- States -------------------------------------------------------------- */

static struct share_state *
state_new(struct share_state_shard *shard, const struct share_state_key *key,
    struct slice text)
{
	struct share_state *state = xcalloc(1, sizeof(*state));

	state->shard = shard;
	state->text = slice_of(slice_dup(text), text.len);
	state->key = *key;
	state->key.group_id = slice_of(state->text.data, key->group_id.len);
	state->values.start_offset = SHARE_STATE_UNKNOWN;
	state->state_epoch_max = INT32_MIN;
	state->leader_epoch_max = INT32_MIN;
	state->snapshot_offset = -1;
	map_set(&shard->states, state->text, state);
	list_append(&shard->list, &state->node);
	return state;
}

void
share_state_free(struct share_state *state)
{
	map_remove(&state->shard->states, state->text);
	list_remove(&state->node);
	budget_give(&state->shard->environment->memory, state->bytes);
	free(state->batches.items);
	free((void *)(uintptr_t)state->text.data);
	free(state);
}

/* Take from the budget what it holds now. */
static void
weigh(struct share_state *state)
{
	struct budget *memory = &state->shard->environment->memory;
	size_t bytes = sizeof(*state) + state->text.len +
	    (size_t)state->batches.count * sizeof(*state->batches.items);

	if (bytes > state->bytes)
		budget_force(memory, bytes - state->bytes);
	else
		budget_give(memory, state->bytes - bytes);
	state->bytes = bytes;
}

/* --- Replaying ----------------------------------------------------------- */

static int
decode_value(const struct kp_message *message, struct slice bytes,
    struct arena *arena, void *value)
{
	int version;

	if (bytes.len < sizeof(int16_t))
		return -1;
	version = (int16_t)be16_get(bytes.data);
	return kp_decode(message, version,
	    slice_of(bytes.data + 2, bytes.len - 2), arena, value);
}

static bool
all_valid(const struct share_state_batch *batches, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (!share_state_batch_valid(&batches[i]))
			return false;
	return true;
}

/* The state of the key, which is made where there is none. */
static struct share_state *
state_of(struct share_state_shard *shard, const struct share_state_key *key,
    struct arena *arena)
{
	struct slice text = share_state_key_text(key, arena);
	struct share_state *state = share_state_find(shard, text);

	return state != NULL ? state : state_new(shard, key, text);
}

/* Nothing in the log before the state's last snapshot is needed for it. */
static void
move(struct share_state *state, int64_t snapshot_offset)
{
	state->snapshot_offset = snapshot_offset;
	list_remove(&state->node);
	list_append(&state->shard->list, &state->node);
}

static void
replay_tombstone(struct share_state_shard *shard,
    const struct share_state_key *key, int64_t offset, struct arena *arena)
{
	struct share_state *state =
	    share_state_find(shard, share_state_key_text(key, arena));

	if (state != NULL)
		share_state_free(state);
	shard->tombstone_offset = offset;
}

/* A snapshot counts as it is: nothing is combined. */
static void
take_snapshot(struct share_state *state,
    const struct kp_share_snapshot_value *value)
{
	size_t size =
	    (size_t)value->state_batches_count * sizeof(*state->batches.items);

	state->values = (struct share_state_values){
		.snapshot_epoch = value->snapshot_epoch,
		.state_epoch = value->state_epoch,
		.leader_epoch = value->leader_epoch,
		.delivery_complete_count = value->delivery_complete_count,
		.start_offset = value->start_offset,
		.create_ms = value->create_timestamp,
		.write_ms = value->write_timestamp,
	};
	state->leader_epoch_max =
	    MAX(state->leader_epoch_max, value->leader_epoch);
	state->state_epoch_max =
	    MAX(state->state_epoch_max, value->state_epoch);
	if (state->updates_count >=
	    state->shard->environment->settings->updates_per_snapshot)
		state->updates_count = 0;
	state->batches.items = xrealloc(state->batches.items, size + 1);
	if (size > 0)
		memcpy(state->batches.items, value->state_batches, size);
	state->batches.count = value->state_batches_count;
	weigh(state);
}

static int
replay_snapshot(struct share_state_shard *shard,
    const struct shard_record *record, struct arena *arena)
{
	struct kp_share_snapshot_value value;
	struct kp_share_snapshot_key record_key;
	struct share_state_key key;
	struct share_state *state;

	if (kp_decode(&kp_share_snapshot_key, 0, record->key, arena,
		&record_key) != 0)
		return -1;
	key = (struct share_state_key){ record_key.group_id,
		record_key.topic_id, record_key.partition };
	if (slice_is_null(record->value)) {
		replay_tombstone(shard, &key, record->offset, arena);
		return 0;
	}
	if (decode_value(&kp_share_snapshot_value, record->value, arena,
		&value) != 0 ||
	    !all_valid((const void *)value.state_batches,
		value.state_batches_count))
		return -1;
	state = state_of(shard, &key, arena);
	take_snapshot(state, &value);
	move(state, record->offset);
	return 0;
}

/* One that comes before any snapshot is all there is of the state. */
static void
take_update(
    struct share_state *state, const struct kp_share_update_value *value)
{
	struct share_state_values *values = &state->values;
	struct share_state_batches all;

	if (value->start_offset != SHARE_STATE_UNKNOWN)
		values->start_offset = value->start_offset;
	if (value->leader_epoch != SHARE_STATE_UNKNOWN)
		values->leader_epoch = value->leader_epoch;
	values->delivery_complete_count = value->delivery_complete_count;
	state->leader_epoch_max =
	    MAX(state->leader_epoch_max, value->leader_epoch);
	state->updates_count++;
	all = share_state_batches_combine(&state->batches,
	    (const void *)value->state_batches, value->state_batches_count,
	    values->start_offset);
	free(state->batches.items);
	state->batches = all;
	weigh(state);
}

static int
replay_update(struct share_state_shard *shard,
    const struct shard_record *record, struct arena *arena)
{
	struct kp_share_update_value value;
	struct kp_share_update_key record_key;
	struct share_state_key key;
	struct share_state *state;

	if (kp_decode(&kp_share_update_key, 0, record->key, arena,
		&record_key) != 0 ||
	    decode_value(
		&kp_share_update_value, record->value, arena, &value) != 0 ||
	    !all_valid((const void *)value.state_batches,
		value.state_batches_count))
		return -1;
	key = (struct share_state_key){ record_key.group_id,
		record_key.topic_id, record_key.partition };
	state = state_of(shard, &key, arena);
	if (state->updates_count == 0 && state->snapshot_offset < 0) {
		state->values.snapshot_epoch = value.snapshot_epoch;
		move(state, record->offset);
	}
	take_update(state, &value);
	return 0;
}

int
share_state_replay(
    struct share_state_shard *shard, const struct shard_record *record)
{
	struct arena arena;
	int result = 0;

	arena_init(
	    &arena, 65536 + 64 * (record->key.len + record->value.len));
	if (record->type == KP_SHARE_SNAPSHOT_TYPE)
		result = replay_snapshot(shard, record, &arena);
	else if (record->type == KP_SHARE_UPDATE_TYPE)
		result = replay_update(shard, record, &arena);
	arena_reset(&arena);
	return result;
}
