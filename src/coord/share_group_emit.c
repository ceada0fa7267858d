#include "coord/share_group_record.h"

#include "meta/topic_image.h"
#include "wire/generated/group_share_group_current_member_assignment.h"
#include "wire/generated/group_share_group_member_metadata.h"
#include "wire/generated/group_share_group_metadata.h"
#include "wire/generated/group_share_group_state_partition_metadata.h"
#include "wire/generated/group_share_group_target_assignment_member.h"
#include "wire/generated/group_share_group_target_assignment_metadata.h"

/* All values have version 0 only. */
#define VALUE_VERSION 0

/* What Kafka calls topics that it does not find. */
#define UNKNOWN_NAME "<UNKNOWN>"

/* --- Of groups ------------------------------------------------------------ */

void
share_emit_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t metadata_hash)
{
	const struct kp_share_group_metadata_key key = { group_id };
	const struct kp_share_group_metadata_value value = {
		.epoch = epoch,
		.metadata_hash = metadata_hash,
	};

	shard_emit(&shard->shard, &kp_share_group_metadata_key, &key,
	    &kp_share_group_metadata_value, &value, VALUE_VERSION);
}

void
share_emit_target_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t now_ms)
{
	const struct kp_share_group_target_assignment_metadata_key key = {
		group_id
	};
	const struct kp_share_group_target_assignment_metadata_value value = {
		.assignment_epoch = epoch,
		.assignment_timestamp = now_ms,
	};

	shard_emit(&shard->shard,
	    &kp_share_group_target_assignment_metadata_key, &key,
	    &kp_share_group_target_assignment_metadata_value, &value,
	    VALUE_VERSION);
}

/* --- Of members ----------------------------------------------------------- */

void
share_emit_member(struct group_shard *shard, struct slice group_id,
    const struct share_member *member)
{
	const struct kp_share_group_member_metadata_key key = { group_id,
		member->id };
	const struct kp_share_group_member_metadata_value value = {
		.rack_id = member->rack_id,
		.client_id = member->client_id,
		.client_host = member->client_host,
		.subscribed_topic_names = member->topics.names,
		.subscribed_topic_names_count = member->topics.count,
	};

	shard_emit(&shard->shard, &kp_share_group_member_metadata_key, &key,
	    &kp_share_group_member_metadata_value, &value, VALUE_VERSION);
}

void
share_emit_member_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id)
{
	const struct kp_share_group_member_metadata_key key = { group_id,
		member_id };

	shard_emit(&shard->shard, &kp_share_group_member_metadata_key, &key,
	    NULL, NULL, 0);
}

static int32_t *
partition_numbers(
    const struct consumer_assignment *set, int32_t at, int32_t count,
    struct arena *arena)
{
	int32_t *numbers =
	    arena_xcalloc(arena, (size_t)count, sizeof(*numbers));

	for (int32_t i = 0; i < count; i++)
		numbers[i] = set->partitions[at + i].partition;
	return numbers;
}

/*
 * Fill an array of topics, whose type the records and fields differ in, but not
 * in the names of what is in it.
 */
#define FILL_TOPICS(topics, topics_count, set, arena)                         \
	do {                                                                  \
		(topics) = arena_xcalloc(                                     \
		    (arena), (size_t)(set)->count, sizeof(*(topics)));        \
		for (int32_t i_ = 0, run_; i_ < (set)->count; i_ += run_) {   \
			run_ = consumer_assignment_run((set), i_);            \
			(topics)[topics_count].topic_id =                     \
			    (set)->partitions[i_].topic_id;                   \
			(topics)[topics_count].partitions =                   \
			    partition_numbers((set), i_, run_, (arena));      \
			(topics)[topics_count].partitions_count = run_;       \
			(topics_count)++;                                     \
		}                                                             \
	} while (0)

void
share_emit_target(struct group_shard *shard, struct slice group_id,
    struct slice member_id, const struct consumer_assignment *set)
{
	const struct kp_share_group_target_assignment_member_key key = {
		group_id, member_id
	};
	struct kp_share_group_target_assignment_member_value value = { 0 };
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	FILL_TOPICS(value.topic_partitions, value.topic_partitions_count, set,
	    &arena);
	shard_emit(&shard->shard, &kp_share_group_target_assignment_member_key,
	    &key, &kp_share_group_target_assignment_member_value, &value,
	    VALUE_VERSION);
	arena_reset(&arena);
}

void
share_emit_target_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id)
{
	const struct kp_share_group_target_assignment_member_key key = {
		group_id, member_id
	};

	shard_emit(&shard->shard, &kp_share_group_target_assignment_member_key,
	    &key, NULL, NULL, 0);
}

/* The state is always the same: a member has nothing to give up. */
void
share_emit_current(struct group_shard *shard, struct slice group_id,
    const struct share_member *member)
{
	const struct kp_share_group_current_member_assignment_key key = {
		group_id, member->id
	};
	struct kp_share_group_current_member_assignment_value value = {
		.member_epoch = member->epoch,
		.previous_member_epoch = member->previous_epoch,
		.state = CONSUMER_STABLE,
	};
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	FILL_TOPICS(value.assigned_partitions, value.assigned_partitions_count,
	    &member->assigned, &arena);
	shard_emit(&shard->shard,
	    &kp_share_group_current_member_assignment_key, &key,
	    &kp_share_group_current_member_assignment_value, &value,
	    VALUE_VERSION);
	arena_reset(&arena);
}

void
share_emit_current_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id)
{
	const struct kp_share_group_current_member_assignment_key key = {
		group_id, member_id
	};

	shard_emit(&shard->shard,
	    &kp_share_group_current_member_assignment_key, &key, NULL, NULL,
	    0);
}

/* --- Of partitions -------------------------------------------------------- */

static struct slice
name_of(struct group_shard *shard, struct uuid topic_id, struct arena *arena)
{
	const struct topic_image *topic =
	    group_image_topic_by_id(shard->common->image, topic_id);
	struct slice name;

	if (topic == NULL)
		return slice_str(UNKNOWN_NAME);
	name = arena_copy(arena, topic->name);
	topic_image_unref(topic);
	return name;
}

static struct kp_share_group_state_partition_metadata_value_topic *
named_topics(struct group_shard *shard, const struct consumer_assignment *set,
    struct arena *arena, int32_t *count)
{
	struct kp_share_group_state_partition_metadata_value_topic *topics;

	*count = 0;
	FILL_TOPICS(topics, *count, set, arena);
	for (int32_t i = 0; i < *count; i++)
		topics[i].topic_name =
		    name_of(shard, topics[i].topic_id, arena);
	return topics;
}

void
share_emit_partitions(struct group_shard *shard, struct slice group_id,
    const struct share_partitions *partitions)
{
	const struct kp_share_group_state_partition_metadata_key key = {
		group_id
	};
	const struct consumer_assignment *deleting = &partitions->deleting;
	struct kp_share_group_state_partition_metadata_value value = { 0 };
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	value.initializing_topics = named_topics(shard,
	    &partitions->initializing, &arena,
	    &value.initializing_topics_count);
	value.initialized_topics = named_topics(shard,
	    &partitions->initialized, &arena, &value.initialized_topics_count);
	value.deleting_topics = arena_xcalloc(&arena, (size_t)deleting->count,
	    sizeof(*value.deleting_topics));
	value.deleting_topics_count = deleting->count;
	for (int32_t i = 0; i < deleting->count; i++) {
		struct uuid id = deleting->partitions[i].topic_id;

		value.deleting_topics[i].topic_id = id;
		value.deleting_topics[i].topic_name =
		    name_of(shard, id, &arena);
	}
	shard_emit(&shard->shard, &kp_share_group_state_partition_metadata_key,
	    &key, &kp_share_group_state_partition_metadata_value, &value,
	    VALUE_VERSION);
	arena_reset(&arena);
}

/* --- Ends ----------------------------------------------------------------- */

static void
emit_group_ends(struct group_shard *shard, struct slice group_id)
{
	const struct kp_share_group_state_partition_metadata_key partitions = {
		group_id
	};
	const struct kp_share_group_metadata_key group = { group_id };

	shard_emit(&shard->shard, &kp_share_group_state_partition_metadata_key,
	    &partitions, NULL, NULL, 0);
	shard_emit(&shard->shard, &kp_share_group_metadata_key, &group, NULL,
	    NULL, 0);
}

/* In the order of Kafka's: members first, and the group last. */
void
share_emit_end(const struct share_group *share)
{
	struct group_shard *shard = share->group->shard;
	struct slice group_id = share->group->id;
	const struct kp_share_group_target_assignment_metadata_key target = {
		group_id
	};
	const struct consumer_target *of;

	LIST_FOR_EACH (node, &share->members)
		share_emit_current_end(shard, group_id,
		    LIST_ENTRY(node, struct share_member, node)->id);
	for (size_t at = 0; (of = map_next(&share->targets, &at)) != NULL;)
		share_emit_target_end(shard, group_id, of->member_id);
	shard_emit(&shard->shard,
	    &kp_share_group_target_assignment_metadata_key, &target, NULL,
	    NULL, 0);
	LIST_FOR_EACH (node, &share->members)
		share_emit_member_end(shard, group_id,
		    LIST_ENTRY(node, struct share_member, node)->id);
	emit_group_ends(shard, group_id);
}
