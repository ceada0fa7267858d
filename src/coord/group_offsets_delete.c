/*
 * How offsets end: deleted, with their topics, with their group, or expired.
 */
#include "coord/group_offsets_inner.h"
#include "wire/generated/group_offset_commit.h"

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
	return group_offset_find(&group->offsets, topic, partition) != NULL ||
	    group_offset_pending(group, topic, partition);
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
	    group_offset_pending(group, entry->topic, entry->partition))
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
