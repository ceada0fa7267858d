/*
 * Committed offsets: commit, fetch, delete, expire, and replay.
 *
 * An offset that was committed inside a transaction waits in the transaction
 * until its marker comes (KIP-98); then the one with the higher position in
 * the log wins.
 */
#include "base/bytes.h"
#include "base/clock.h"
#include "coord/group.h"
#include "coord/java_hash.h"
#include "meta/topic_image.h"
#include "wire/codec.h"
#include "wire/generated/group_offset_commit.h"

/* What Kafka 4.3 writes, and for commits that bring a retention time. */
#define VALUE_VERSION 4
#define VALUE_VERSION_EXPIRY 1

/* A partition's offset, as the map's value; its key stands in front. */
struct group_offset_entry {
	struct slice key;		/* owned: partition, topic */
	struct slice topic;		/* in key */
	int32_t partition;
	int64_t record_offset;		/* of the record that says so */
	int64_t offset;
	int32_t leader_epoch;
	struct slice metadata;		/* owned */
	int64_t commit_ms;
	int64_t expire_ms;		/* -1: by the retention time */
	struct uuid topic_id;
};

/* What one producer's open transaction will do to the group's offsets. */
struct group_transaction {
	struct group *group;
	struct group_producer *producer;
	struct list_node node;		/* in producer->transactions */
	struct map offsets;		/* struct group_offset_entry */
};

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

static struct group_offset_entry *
entry_find(const struct map *map, struct slice topic, int32_t partition)
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
	struct group_offset_entry *old = entry_find(map, topic, partition);

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

static bool
pending_in_transaction(const struct group *group, struct slice topic,
    int32_t partition)
{
	const struct group_transaction *transaction;

	for (size_t at = 0; (transaction = map_next(&group->transactions,
				 &at)) != NULL;)
		if (entry_find(&transaction->offsets, topic, partition) !=
		    NULL)
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
	entry = entry_find(map, key->topic, key->partition);
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

/* --- Committing ---------------------------------------------------------- */

static void
touch(struct group *group, struct slice member_id)
{
	struct group_member *member = group_member_find(group, member_id);

	if (member != NULL && (group->state == GROUP_STABLE ||
		group->state == GROUP_PREPARING))
		group_member_touch(member);
}

static enum kp_error
check_commit(const struct group *group, const struct group_commit *commit)
{
	struct group_member *member;
	enum kp_error error;

	if (commit->generation_id < 0 && group->state == GROUP_EMPTY)
		return KP_NONE;
	if (commit->generation_id < 0 && commit->member_id.len == 0 &&
	    slice_is_null(commit->instance_id))
		return commit->transaction != NULL ? KP_NONE :
						     KP_UNKNOWN_MEMBER_ID;
	error = group_check_member(group, commit->member_id,
	    commit->instance_id, &member);
	if (error != KP_NONE)
		return error;
	if (commit->generation_id != group->generation)
		return KP_ILLEGAL_GENERATION;
	return group->state == GROUP_COMPLETING && commit->transaction == NULL ?
	    KP_REBALANCE_IN_PROGRESS :
	    KP_NONE;
}

/* From this version on a group that is not there has a name of its own. */
#define VERSION_GROUP_NOT_FOUND 9

static enum kp_error
find_for_commit(struct group_shard *shard, const struct group_call *call,
    const struct group_commit *commit, struct group **group)
{
	*group = group_find(shard, commit->group_id);
	if (*group != NULL && (*group)->kind != NULL)
		return (*group)->kind->commits ?
		    (*group)->kind->check_commit(
			*group, commit, call->version) :
		    KP_GROUP_ID_NOT_FOUND;
	if (*group != NULL)
		return check_commit(*group, commit);
	if (commit->generation_id < 0)
		return KP_NONE;	/* the record will make it */
	return call->version >= VERSION_GROUP_NOT_FOUND &&
		commit->transaction == NULL ?
	    KP_GROUP_ID_NOT_FOUND :
	    KP_ILLEGAL_GENERATION;
}

/* The client's time is any number, but for -1. */
static int64_t
expire_timestamp(int64_t now_ms, int64_t retention_ms)
{
	if (retention_ms > INT64_MAX - now_ms)
		return INT64_MAX;
	return MAX(now_ms + retention_ms, 0);
}

static void
emit_offset(struct group_shard *shard, const struct group_commit *commit,
    const struct group_topic *topic, const struct group_offset *offset,
    int64_t now_ms)
{
	const struct kp_offset_commit_key key = {
		.group = commit->group_id,
		.topic = topic->name,
		.partition = offset->partition,
	};
	bool expires = commit->retention_ms != -1;
	struct kp_offset_commit_value value;

	kp_defaults(&kp_offset_commit_value, &value);
	value.offset = offset->offset;
	value.leader_epoch = offset->leader_epoch;
	value.metadata = slice_is_null(offset->metadata) ? slice_str("") :
							   offset->metadata;
	value.commit_timestamp = now_ms;
	value.topic_id = topic->id;
	if (expires)
		value.expire_timestamp =
		    expire_timestamp(now_ms, commit->retention_ms);
	shard_emit(&shard->shard, &kp_offset_commit_key, &key,
	    &kp_offset_commit_value, &value,
	    expires ? VALUE_VERSION_EXPIRY : VALUE_VERSION);
}

static void
emit_all(struct group_shard *shard, struct group_commit *commit)
{
	size_t most = (size_t)shard->settings->metadata_max;
	int64_t now_ms = clock_wall_ms();

	for (int32_t t = 0; t < commit->topics_count; t++) {
		struct group_topic *topic = &commit->topics[t];

		for (int32_t i = 0; i < topic->offsets_count; i++) {
			struct group_offset *offset = &topic->offsets[i];

			if (offset->error != KP_NONE)
				continue;
			if (java_hash_utf16_len(offset->metadata) > most)
				offset->error = KP_OFFSET_METADATA_TOO_LARGE;
			else
				emit_offset(shard, commit, topic, offset,
				    now_ms);
		}
	}
}

void
group_shard_commit(struct group_shard *shard, struct group_call *call,
    struct group_commit *commit)
{
	enum kp_error error;
	struct group *group;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	error = find_for_commit(shard, call, commit, &group);
	if (error == KP_NONE) {
		if (group != NULL && commit->transaction == NULL)
			touch(group, commit->member_id);
		emit_all(shard, commit);
		error = commit->transaction == NULL ?
		    shard_append(&shard->shard) :
		    shard_append_transactional(
			&shard->shard, commit->transaction);
	}
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}

void
group_shard_end_transaction(struct group_shard *shard, struct shard_call *call,
    const struct group_marker *marker)
{
	enum kp_error error;

	if (!shard_begin(&shard->shard, call))
		return;
	error = shard_append_marker(
	    &shard->shard, &marker->marker, marker->transaction_version);
	shard_reply(&shard->shard, call, error);
	shard_leave(&shard->shard);
}

/* --- Fetching ------------------------------------------------------------ */

static bool
ids_differ(struct uuid a, struct uuid b)
{
	return !uuid_is_zero(a) && !uuid_is_zero(b) && !uuid_equal(a, b);
}

static void
fill_none(struct group_offset *offset)
{
	offset->offset = -1;
	offset->leader_epoch = -1;
	offset->metadata = slice_str("");
}

/* *last becomes the last record that the answer tells of. */
static void
fill_offset(const struct group *group, const struct group_fetch *fetch,
    const struct group_topic *topic, struct group_offset *offset,
    struct arena *arena, int64_t *last)
{
	const struct group_offset_entry *entry = group == NULL ?
	    NULL :
	    entry_find(&group->offsets, topic->name, offset->partition);

	fill_none(offset);
	if (fetch->require_stable && group != NULL &&
	    pending_in_transaction(group, topic->name, offset->partition)) {
		offset->error = KP_UNSTABLE_OFFSET_COMMIT;
		return;
	}
	if (entry == NULL || ids_differ(entry->topic_id, topic->id))
		return;
	/* A short request can ask for the same offset again and again. */
	if (arena_left(arena) <=
	    GROUP_FETCH_SPARE_BYTES + entry->metadata.len) {
		offset->error = KP_UNKNOWN_SERVER_ERROR;
		return;
	}
	offset->offset = entry->offset;
	offset->leader_epoch = entry->leader_epoch;
	offset->metadata = arena_copy(arena, entry->metadata);
	*last = MAX(*last, entry->record_offset);
}

/* Make room in the topic for one more, by doubling. */
static struct group_offset *
add_offset(struct group_topic *topic, struct arena *arena)
{
	size_t count = (size_t)topic->offsets_count;
	struct group_offset *offsets;

	if ((count & (count - 1)) == 0) {
		offsets = arena_xcalloc(arena, MAX(count * 2, 1),
		    sizeof(*offsets));
		if (count > 0)
			memcpy(offsets, topic->offsets,
			    count * sizeof(*offsets));
		topic->offsets = offsets;
	}
	topic->offsets_count++;
	return &topic->offsets[count];
}

/* The entry's topic, added where it was not listed yet. */
static struct group_topic *
listed_topic(struct group_fetch *fetch, struct map *listed,
    const struct group_offset_entry *entry, struct arena *arena)
{
	struct group_topic *topic = map_get(listed, entry->topic);

	if (topic != NULL)
		return topic;
	topic = &fetch->topics[fetch->topics_count++];
	topic->name = arena_copy(arena, entry->topic);
	topic->id = entry->topic_id;
	map_set(listed, topic->name, topic);
	return topic;
}

/* All that the group has committed, topic by topic. */
static void
list_all(const struct group *group, struct group_fetch *fetch,
    struct arena *arena)
{
	const struct group_offset_entry *entry;
	struct map listed;

	fetch->topics_count = 0;
	fetch->topics = arena_xcalloc(arena,
	    group == NULL ? 0 : group->offsets.count,
	    sizeof(*fetch->topics));
	if (group == NULL)
		return;
	map_init(&listed);
	for (size_t at = 0; (entry = map_next(&group->offsets, &at)) !=
	     NULL;)
		add_offset(listed_topic(fetch, &listed, entry, arena), arena)
		    ->partition = entry->partition;
	map_fini(&listed);
}

/* What an offset takes in a list of all and in the answer, with its topic. */
#define LISTED_OFFSET_BYTES 640

static bool
list_fits(const struct group *group, const struct arena *arena)
{
	return group == NULL ||
	    group->offsets.count < (arena_left(arena) -
		MIN(arena_left(arena), GROUP_FETCH_SPARE_BYTES)) /
		LISTED_OFFSET_BYTES;
}

static enum kp_error
check_fetch(const struct group *group, const struct group_fetch *fetch,
    const struct arena *arena)
{
	if (fetch->all && !list_fits(group, arena))
		return KP_UNKNOWN_SERVER_ERROR;
	return group == NULL || group->kind == NULL || !group->kind->commits ?
	    KP_NONE :
	    group->kind->check_fetch(group, fetch);
}

/*
 * Who does not ask for stable offsets waits for nothing but what it is told,
 * as administrators do while others' commits wait for the disk.
 */
static void
reply_fetch(struct group_shard *shard, struct group_call *call,
    const struct group_fetch *fetch, int64_t last)
{
	if (!fetch->require_stable && last < shard->shard.committed_offset)
		shard_reply_at_once(&shard->shard, &call->call, KP_NONE);
	else
		shard_reply(&shard->shard, &call->call, KP_NONE);
}

void
group_shard_fetch(struct group_shard *shard, struct group_call *call,
    struct group_fetch *fetch)
{
	enum kp_error error;
	const struct group *group;
	int64_t last = -1;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	group = group_find(shard, fetch->group_id);
	error = check_fetch(group, fetch, call->arena);
	if (error != KP_NONE) {
		shard_reply(&shard->shard, &call->call, error);
		shard_leave(&shard->shard);
		return;
	}
	if (fetch->all)
		list_all(group, fetch, call->arena);
	for (int32_t t = 0; t < fetch->topics_count; t++) {
		struct group_topic *topic = &fetch->topics[t];

		for (int32_t i = 0; i < topic->offsets_count; i++)
			if (topic->offsets[i].error == KP_NONE)
				fill_offset(group, fetch, topic,
				    &topic->offsets[i], call->arena, &last);
	}
	reply_fetch(shard, call, fetch, last);
	shard_leave(&shard->shard);
}

/* --- Deleting ------------------------------------------------------------ */

static void
emit_tombstone(struct group *group, struct slice topic, int32_t partition)
{
	const struct kp_offset_commit_key key = {
		.group = group->id,
		.topic = topic,
		.partition = partition,
	};

	shard_emit(&group->shard->shard, &kp_offset_commit_key, &key, NULL,
	    NULL, 0);
}

/* Which of a group's offsets a clean-up ends. */
typedef bool (*offset_ends_fn)(const struct group *group,
    const struct group_offset_entry *entry, const void *context);

/* False where there are more than are emitted at once. */
static bool
emit_ends_of(struct group *group, const struct map *map, offset_ends_fn ends,
    const void *context)
{
	const struct group_offset_entry *entry;

	for (size_t at = 0; (entry = map_next(map, &at)) != NULL;) {
		if (!ends(group, entry, context))
			continue;
		if (shard_emitted_much(&group->shard->shard))
			return false;
		emit_tombstone(group, entry->topic, entry->partition);
	}
	return true;
}

/* The same of those in transactions, too. */
static bool
emit_ends(struct group *group, offset_ends_fn ends, const void *context)
{
	const struct group_transaction *transaction;

	if (!emit_ends_of(group, &group->offsets, ends, context))
		return false;
	for (size_t at = 0; (transaction = map_next(&group->transactions,
				 &at)) != NULL;)
		if (!emit_ends_of(group, &transaction->offsets, ends, context))
			return false;
	return true;
}

static bool
always(const struct group *group UNUSED,
    const struct group_offset_entry *entry UNUSED, const void *context UNUSED)
{
	return true;
}

bool
group_emit_offset_tombstones(struct group *group)
{
	return emit_ends(group, always, NULL);
}

static bool
has_offset(const struct group *group, struct slice topic, int32_t partition)
{
	return entry_find(&group->offsets, topic, partition) != NULL ||
	    pending_in_transaction(group, topic, partition);
}

static void
delete_topic(struct group *group,
    const struct group_subscription *subscription, struct group_topic *topic)
{
	enum kp_error error = KP_NONE;

	if (topic->known && group_subscription_has(subscription, topic->name))
		error = KP_GROUP_SUBSCRIBED_TO_TOPIC;
	for (int32_t i = 0; i < topic->offsets_count; i++) {
		struct group_offset *offset = &topic->offsets[i];

		if (offset->error != KP_NONE)
			continue;
		offset->error = error;
		if (error == KP_NONE &&
		    has_offset(group, topic->name, offset->partition))
			emit_tombstone(group, topic->name,
			    offset->partition);
	}
}

static enum kp_error
delete_topics(struct group *group, struct group_topic *topics,
    int32_t topics_count)
{
	struct group_subscription subscription;

	group_subscription_init(&subscription, group);
	for (int32_t i = 0; i < topics_count; i++)
		delete_topic(group, &subscription, &topics[i]);
	group_subscription_fini(&subscription);
	return shard_append(&group->shard->shard);
}

static enum kp_error
check_delete_offsets(const struct group *group, struct slice group_id)
{
	if (group_id.len == 0)
		return KP_INVALID_GROUP_ID;
	if (group == NULL || (group->kind != NULL && !group->kind->commits))
		return KP_GROUP_ID_NOT_FOUND;
	if (!list_empty(&group->members) &&
	    !slice_equal_str(group->protocol_type, "consumer"))
		return KP_NON_EMPTY_GROUP;
	return KP_NONE;
}

void
group_shard_delete_offsets(struct group_shard *shard, struct group_call *call,
    struct slice group_id, struct group_topic *topics, int32_t topics_count)
{
	enum kp_error error;
	struct group *group;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	group = group_find(shard, group_id);
	error = check_delete_offsets(group, group_id);
	if (error == KP_NONE)
		error = delete_topics(group, topics, topics_count);
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}

static bool
dropped(const struct group *group UNUSED,
    const struct group_offset_entry *entry, const void *context)
{
	const struct group_dropped *topics = context;

	return uuid_is_zero(entry->topic_id) ?
	    map_get(&topics->names, entry->topic) != NULL :
	    map_get(&topics->ids, MAP_KEY(entry->topic_id)) != NULL;
}

bool
group_emit_dropped(struct group *group, const struct group_dropped *topics)
{
	return emit_ends(group, dropped, topics);
}

/* --- Expiring ------------------------------------------------------------ */

/* From when on does the offset's time count?  -1: it does not. */
static int64_t
expiry_base_ms(const struct group *group,
    const struct group_subscription *subscription,
    const struct group_offset_entry *entry)
{
	if (group->kind != NULL)
		return group_subscription_has(subscription, entry->topic) ?
		    -1 :
		    entry->commit_ms;
	if (slice_is_null(group->protocol_type))
		return entry->commit_ms;
	if (group->state == GROUP_EMPTY)
		return group->state_since_ms >= 0 ? group->state_since_ms :
						    entry->commit_ms;
	if (group->state == GROUP_STABLE &&
	    slice_equal_str(group->protocol_type, "consumer") &&
	    !group_subscription_has(subscription, entry->topic))
		return entry->commit_ms;
	return -1;
}

struct expiry {
	int64_t now_ms;
	struct group_subscription subscription;
};

static bool
expired(const struct group *group, const struct group_offset_entry *entry,
    const void *context)
{
	const struct expiry *expiry = context;
	int64_t base_ms =
	    expiry_base_ms(group, &expiry->subscription, entry);

	if (base_ms < 0 ||
	    pending_in_transaction(group, entry->topic, entry->partition))
		return false;
	if (entry->expire_ms >= 0)
		return expiry->now_ms >= entry->expire_ms;
	return expiry->now_ms - base_ms >=
	    group->shard->settings->retention_ms;
}

/* Nobody is in it, nothing waits to be, and it is nothing without offsets. */
static bool
deserted(const struct group *group)
{
	return group_is_deserted(group) && group->transactions.count == 0 &&
	    (group->kind == NULL || group->kind->commits);
}

bool
group_expire(struct group *group, int64_t now_ms)
{
	int32_t emitted = group->shard->shard.emitted_count;
	struct expiry expiry = { .now_ms = now_ms };
	bool all;

	group_subscription_init(&expiry.subscription, group);
	all = emit_ends_of(group, &group->offsets, expired, &expiry);
	group_subscription_fini(&expiry.subscription);
	emitted = group->shard->shard.emitted_count - emitted;
	if (all && deserted(group) &&
	    (size_t)emitted == group->offsets.count)
		group_emit_tombstone(group);
	return all;
}
