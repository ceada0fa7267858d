/*
 * Records of __transaction_state: what a transactional id was after a
 * transition (TransactionLog of Kafka).
 */
#include "base/bytes.h"
#include "base/clock.h"
#include "coord/txn.h"
#include "coord/txn_shard.h"
#include "wire/codec.h"
#include "wire/generated/transaction_transaction_log.h"

/* With transaction.version 1 and above; before there was version 0. */
#define VALUE_VERSION 1

/* --- Writing ------------------------------------------------------------- */

static struct kp_transaction_log_value_topic *
list_topics(const struct txn_partitions *set)
{
	struct kp_transaction_log_value_topic *topics =
	    xcalloc((size_t)set->count + 1, sizeof(*topics));

	for (int32_t i = 0; i < set->count; i++) {
		topics[i].topic = set->topics[i].name;
		topics[i].partition_ids = set->topics[i].indexes;
		topics[i].partition_ids_count = set->topics[i].count;
	}
	return topics;
}

static void
fill_value(const struct txn_values *values, const struct txn_partitions *set,
    struct kp_transaction_log_value *value)
{
	kp_defaults(&kp_transaction_log_value, value);
	value->producer_id = values->producer_id;
	value->previous_producer_id = values->previous_producer_id;
	value->next_producer_id = values->next_producer_id;
	value->producer_epoch = values->producer_epoch;
	value->transaction_timeout_ms = values->timeout_ms;
	value->transaction_status = (int8_t)values->state;
	value->transaction_last_update_timestamp_ms = values->update_ms;
	value->transaction_start_timestamp_ms = values->start_ms;
	value->client_transaction_version = values->client_version;
	value->transaction_partitions_count =
	    values->state == TXN_EMPTY ? -1 : set->count;
}

static void
emit(struct txn *txn, const struct txn_values *values,
    const struct txn_partitions *set)
{
	const struct kp_transaction_log_key key = {
		.transactional_id = txn->id,
	};
	int version = atomic_load(&txn->shard->environment->version);
	struct kp_transaction_log_value value;

	fill_value(values, set, &value);
	value.transaction_partitions = list_topics(set);
	shard_emit_applied(&txn->shard->shard, &kp_transaction_log_key, &key,
	    &kp_transaction_log_value, &value,
	    version >= 1 ? VALUE_VERSION : 0);
	free(value.transaction_partitions);
}

enum kp_error
txn_write(
    struct txn *txn, struct txn_values *next, struct txn_partitions *partitions)
{
	enum kp_error error;

	next->previous_producer_id = txn->values.producer_id >= 0 ?
	    txn->values.producer_id :
	    next->producer_id;
	next->update_ms = clock_wall_ms();
	emit(txn, next, partitions != NULL ? partitions : &txn->partitions);
	error = shard_append(&txn->shard->shard);
	if (error == KP_NONE)
		txn_become(txn, next, partitions);
	return error;
}

void
txn_emit_tombstone(struct txn *txn)
{
	const struct kp_transaction_log_key key = {
		.transactional_id = txn->id,
	};

	shard_emit(
	    &txn->shard->shard, &kp_transaction_log_key, &key, NULL, NULL, 0);
}

/* --- Replaying ----------------------------------------------------------- */

static int
decode_value(struct slice bytes, struct arena *arena,
    struct kp_transaction_log_value *value)
{
	int version;

	if (bytes.len < sizeof(int16_t))
		return -1;
	version = (int16_t)be16_get(bytes.data);
	return kp_decode(&kp_transaction_log_value, version,
	    slice_of(bytes.data + 2, bytes.len - 2), arena, value);
}

static void
take_partitions(
    const struct kp_transaction_log_value *value, struct txn_partitions *set)
{
	txn_partitions_init(set);
	for (int32_t i = 0; i < value->transaction_partitions_count; i++) {
		const struct kp_transaction_log_value_topic *topic =
		    &value->transaction_partitions[i];

		for (int32_t j = 0; j < topic->partition_ids_count; j++)
			txn_partitions_add(
			    set, topic->topic, topic->partition_ids[j]);
	}
}

static void
replay_value(struct txn_shard *shard, struct slice id,
    const struct kp_transaction_log_value *value)
{
	const struct txn_values values = {
		.producer_id = value->producer_id,
		.previous_producer_id = value->previous_producer_id,
		.next_producer_id = value->next_producer_id,
		.producer_epoch = value->producer_epoch,
		.last_producer_epoch = -1,
		.client_version = value->client_transaction_version,
		.timeout_ms = value->transaction_timeout_ms,
		.state = (enum txn_state)value->transaction_status,
		.start_ms = value->transaction_start_timestamp_ms,
		.update_ms = value->transaction_last_update_timestamp_ms,
	};
	struct txn *txn = txn_find(shard, id);
	struct txn_partitions set;

	if (txn == NULL) {
		txn = txn_new(shard, id);
		txn_insert(txn);
	}
	take_partitions(value, &set);
	txn_become(txn, &values, &set);
	txn_partitions_fini(&set);
}

static void
replay_tombstone(struct txn_shard *shard, struct slice id)
{
	struct txn *txn = txn_find(shard, id);

	if (txn != NULL)
		txn_free(txn);
}

/* States that only exist in memory are none that a record may have. */
static bool
status_known(int8_t status)
{
	return status >= TXN_EMPTY && status <= TXN_COMPLETE_ABORT;
}

int
txn_replay(struct txn_shard *shard, const struct shard_record *record)
{
	struct kp_transaction_log_value value = { .producer_id = -1 };
	struct kp_transaction_log_key key;
	struct arena arena;
	int result;

	arena_init(&arena, 65536 + 64 * record->value.len);
	result =
	    kp_decode(&kp_transaction_log_key, 0, record->key, &arena, &key);
	if (result == 0 && !slice_is_null(record->value)) {
		result = decode_value(record->value, &arena, &value);
		if (result == 0 && !status_known(value.transaction_status))
			result = -1;
	}
	if (result == 0 && slice_is_null(record->value))
		replay_tombstone(shard, key.transactional_id);
	else if (result == 0)
		replay_value(shard, key.transactional_id, &value);
	arena_reset(&arena);
	return result;
}
