/*
 * Offsets as the log has them: replay, and what transactions will do to them.
 *
 * An offset that was committed inside a transaction waits in the transaction
 * until its marker comes (KIP-98); then the one with the higher position in
 * the log wins.
 */
#include "base/bytes.h"
#include "coord/group_offsets_inner.h"
#include "meta/topic_image.h"
#include "wire/codec.h"
#include "wire/generated/group_offset_commit.h"

/* Where in the shard a producer's open transaction has offsets. */
struct group_producer {
	int64_t id;
	struct list transactions;	/* not empty */
};

/* --- Entries ------------------------------------------------------------- */

#define KEY_PREFIX_LEN sizeof(uint32_t)

static void
entry_free(struct group_offset_entry *entry)
{
	free((void *)(uintptr_t)entry->key.data);
	free((void *)(uintptr_t)entry->metadata.data);
	free(entry);
}

/* The key, at a place for KEY_PREFIX_LEN + topic.len. */
static struct slice
write_key(uint8_t *key, struct slice topic, int32_t partition)
{
	be32_put(key, (uint32_t)partition);
	if (topic.len > 0)
		memcpy(key + KEY_PREFIX_LEN, topic.data, topic.len);
	return slice_of(key, KEY_PREFIX_LEN + topic.len);
}

struct group_offset_entry *
group_offset_find(const struct map *map, struct slice topic, int32_t partition)
{
	uint8_t usual[KEY_PREFIX_LEN + TOPIC_IMAGE_NAME_LEN_MAX];
	size_t len = KEY_PREFIX_LEN + topic.len;
	/* No topic has so long a name, but what clients ask for may. */
	uint8_t *key = len <= sizeof(usual) ? usual : xmalloc(len);
	struct group_offset_entry *entry =
	    map_get(map, write_key(key, topic, partition));

	if (key != usual)
		free(key);
	return entry;
}

static void
entry_put(struct map *map, struct group_offset_entry *entry)
{
	struct group_offset_entry *old = map_set(map, entry->key, entry);

	if (old != NULL)
		entry_free(old);
}

static void
entry_drop(struct map *map, struct slice topic, int32_t partition)
{
	struct group_offset_entry *old =
	    group_offset_find(map, topic, partition);

	if (old == NULL)
		return;
	map_remove(map, old->key);
	entry_free(old);
}

static struct group_offset_entry *
entry_new(struct slice topic, int32_t partition)
{
	struct group_offset_entry *entry = xcalloc(1, sizeof(*entry));

	entry->key = write_key(
	    xmalloc(KEY_PREFIX_LEN + topic.len), topic, partition);
	entry->topic = slice_of(entry->key.data + KEY_PREFIX_LEN, topic.len);
	entry->partition = partition;
	return entry;
}

static void
entries_free(struct map *map)
{
	struct group_offset_entry *entry;

	for (size_t at = 0; (entry = map_next(map, &at)) != NULL;)
		entry_free(entry);
	map_fini(map);
}

/* --- Transactions -------------------------------------------------------- */

static struct group_producer *
producer_of(struct group_shard *shard, int64_t id)
{
	struct group_producer *producer =
	    map_get(&shard->producers, MAP_KEY(id));

	if (producer != NULL)
		return producer;
	producer = xcalloc(1, sizeof(*producer));
	producer->id = id;
	list_init(&producer->transactions);
	map_set(&shard->producers, MAP_KEY(producer->id), producer);
	return producer;
}

static struct group_transaction *
transaction_of(struct group *group, int64_t producer_id)
{
	struct group_transaction *transaction =
	    map_get(&group->transactions, MAP_KEY(producer_id));

	if (transaction != NULL)
		return transaction;
	transaction = xcalloc(1, sizeof(*transaction));
	transaction->group = group;
	transaction->producer = producer_of(group->shard, producer_id);
	list_append(&transaction->producer->transactions, &transaction->node);
	map_init(&transaction->offsets);
	map_set(&group->transactions, MAP_KEY(transaction->producer->id),
	    transaction);
	return transaction;
}

/* Out of its group; the producer goes with its last one. */
static void
transaction_free(struct group_transaction *transaction)
{
	struct group_producer *producer = transaction->producer;
	struct group *group = transaction->group;

	map_remove(&group->transactions, MAP_KEY(producer->id));
	list_remove(&transaction->node);
	if (list_empty(&producer->transactions)) {
		map_remove(&group->shard->producers, MAP_KEY(producer->id));
		free(producer);
	}
	entries_free(&transaction->offsets);
	free(transaction);
}

void
group_drop_transactions(struct group *group)
{
	struct group_transaction *transaction;

	for (size_t at = 0; (transaction = map_next(&group->transactions,
				 &at)) != NULL;)
		transaction_free(transaction);
}

void
group_offsets_free(struct group *group)
{
	entries_free(&group->offsets);
	group_drop_transactions(group);
	map_fini(&group->transactions);
}

bool
group_offset_pending(const struct group *group, struct slice topic,
    int32_t partition)
{
	const struct group_transaction *transaction;

	for (size_t at = 0; (transaction = map_next(&group->transactions,
				 &at)) != NULL;)
		if (group_offset_find(&transaction->offsets, topic,
			partition) != NULL)
			return true;
	return false;
}

/* --- Replaying ----------------------------------------------------------- */

/* entry, which is the map's then, where the log has nothing newer. */
static void
apply(struct group *group, struct group_offset_entry *entry)
{
	const struct group_offset_entry *old =
	    map_get(&group->offsets, entry->key);

	if (old != NULL && old->record_offset > entry->record_offset)
		entry_free(entry);
	else
		entry_put(&group->offsets, entry);
}

static int
decode_value(struct slice bytes, struct arena *arena,
    struct kp_offset_commit_value *value)
{
	int version;

	if (bytes.len < sizeof(int16_t))
		return -1;
	version = (int16_t)be16_get(bytes.data);
	return kp_decode(&kp_offset_commit_value, version,
	    slice_of(bytes.data + 2, bytes.len - 2), arena, value);
}

/* The entry is what the record says; metadata is mostly what it was. */
static void
entry_set(struct group_offset_entry *entry, const struct shard_record *record,
    const struct kp_offset_commit_value *value)
{
	entry->record_offset = record->offset;
	entry->offset = value->offset;
	entry->leader_epoch = value->leader_epoch;
	entry->commit_ms = value->commit_timestamp;
	entry->expire_ms = value->expire_timestamp;
	entry->topic_id = value->topic_id;
	if (!slice_equal(entry->metadata, value->metadata) ||
	    slice_is_null(entry->metadata))
		group_own(&entry->metadata, value->metadata);
}

/* A tombstone ends what transactions wanted, too. */
static void
drop(struct group *group, const struct kp_offset_commit_key *key)
{
	struct group_transaction *transaction;

	entry_drop(&group->offsets, key->topic, key->partition);
	for (size_t at = 0; (transaction = map_next(&group->transactions,
				 &at)) != NULL;)
		entry_drop(&transaction->offsets, key->topic, key->partition);
}

/* Of all records this is the latest, so nothing in the map is newer. */
static void
replay(struct group_shard *shard, const struct shard_record *record,
    const struct kp_offset_commit_key *key,
    const struct kp_offset_commit_value *value)
{
	struct group *group = group_find(shard, key->group);
	struct group_offset_entry *entry;
	struct map *map;

	if (group == NULL && slice_is_null(record->value))
		return;
	if (group == NULL)
		group = group_create(shard, key->group);
	if (slice_is_null(record->value)) {
		drop(group, key);
		return;
	}
	map = record->producer_id >= 0 ?
	    &transaction_of(group, record->producer_id)->offsets :
	    &group->offsets;
	entry = group_offset_find(map, key->topic, key->partition);
	if (entry == NULL) {
		entry = entry_new(key->topic, key->partition);
		map_set(map, entry->key, entry);
	}
	entry_set(entry, record, value);
}

int
group_replay_offset(struct group_shard *shard,
    const struct shard_record *record)
{
	struct kp_offset_commit_value value = { .offset = -1 };
	struct kp_offset_commit_key key;
	struct arena arena;
	int result;

	arena_init(&arena, 65536 + 16 * record->value.len);
	result = kp_decode(&kp_offset_commit_key, 0, record->key, &arena,
	    &key);
	if (result == 0 && !slice_is_null(record->value))
		result = decode_value(record->value, &arena, &value);
	if (result == 0)
		replay(shard, record, &key, &value);
	arena_reset(&arena);
	return result;
}

static void
transaction_apply(struct group_transaction *transaction)
{
	struct group_offset_entry *entry;

	for (size_t at = 0; (entry = map_next(&transaction->offsets, &at)) !=
	     NULL;) {
		map_remove(&transaction->offsets, entry->key);
		apply(transaction->group, entry);
	}
}

void
group_replay_end(struct group_shard *shard, int64_t producer_id,
    bool committed)
{
	struct group_producer *producer;
	struct group_transaction *transaction;

	while ((producer = map_get(&shard->producers,
		    MAP_KEY(producer_id))) != NULL) {
		transaction = LIST_ENTRY(producer->transactions.head.next,
		    struct group_transaction, node);
		if (committed)
			transaction_apply(transaction);
		transaction_free(transaction);
	}
}
