#include "coord/consumer_record.h"

#include "wire/generated/group_consumer_group_current_member_assignment.h"
#include "wire/generated/group_consumer_group_member_metadata.h"
#include "wire/generated/group_consumer_group_metadata.h"
#include "wire/generated/group_consumer_group_partition_metadata.h"
#include "wire/generated/group_consumer_group_regular_expression.h"
#include "wire/generated/group_consumer_group_target_assignment_member.h"
#include "wire/generated/group_consumer_group_target_assignment_metadata.h"

/* The generated names of nested structs are longer than a line. */
#define CLASSIC_VALUE \
	kp_consumer_group_member_metadata_value_classic_member_metadata
#define CURRENT_TOPIC \
	kp_consumer_group_current_member_assignment_value_topic_partition
#define TARGET_TOPIC \
	kp_consumer_group_target_assignment_member_value_topic_partition

/* All values have version 0 only. */
#define VALUE_VERSION 0

/* --- Of groups ----------------------------------------------------------- */

void
consumer_emit_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t metadata_hash)
{
	const struct kp_consumer_group_metadata_key key = { group_id };
	const struct kp_consumer_group_metadata_value value = {
		.epoch = epoch,
		.metadata_hash = metadata_hash,
	};

	shard_emit(&shard->shard, &kp_consumer_group_metadata_key, &key,
	    &kp_consumer_group_metadata_value, &value, VALUE_VERSION);
}

void
consumer_emit_old_metadata_end(struct group_shard *shard, struct slice group_id)
{
	const struct kp_consumer_group_partition_metadata_key key = {
		group_id
	};

	shard_emit(&shard->shard, &kp_consumer_group_partition_metadata_key,
	    &key, NULL, NULL, 0);
}

void
consumer_emit_target_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t now_ms)
{
	const struct kp_consumer_group_target_assignment_metadata_key key = {
		group_id
	};
	struct kp_consumer_group_target_assignment_metadata_value value = { 0 };

	value.assignment_epoch = epoch;
	value.assignment_timestamp = now_ms;
	shard_emit(&shard->shard,
	    &kp_consumer_group_target_assignment_metadata_key, &key,
	    &kp_consumer_group_target_assignment_metadata_value, &value,
	    VALUE_VERSION);
}

/* --- Of members ---------------------------------------------------------- */

static const struct CLASSIC_VALUE *
classic_value(const struct consumer_classic *classic, struct arena *arena)
{
	struct CLASSIC_VALUE *value;
	size_t count;

	if (classic == NULL)
		return NULL;
	count = (size_t)classic->protocols_count;
	value = arena_xcalloc(arena, 1, sizeof(*value));
	value->session_timeout_ms = classic->session_timeout_ms;
	value->supported_protocols =
	    arena_xcalloc(arena, count, sizeof(*value->supported_protocols));
	value->supported_protocols_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		value->supported_protocols[i].name = classic->protocols[i].name;
		value->supported_protocols[i].metadata =
		    classic->protocols[i].metadata;
	}
	return value;
}

void
consumer_emit_member(struct group_shard *shard, struct slice group_id,
    const struct consumer_member *member)
{
	const struct kp_consumer_group_member_metadata_key key = { group_id,
		member->id };
	struct arena arena;
	struct kp_consumer_group_member_metadata_value value = {
		.instance_id = member->instance_id,
		.rack_id = member->rack_id,
		.client_id = member->client_id,
		.client_host = member->client_host,
		.subscribed_topic_names = member->topics.names,
		.subscribed_topic_names_count = member->topics.count,
		.subscribed_topic_regex = member->regex,
		.rebalance_timeout_ms = member->rebalance_timeout_ms,
		.server_assignor = member->server_assignor,
	};

	arena_init(&arena, SIZE_MAX);
	value.classic_member_metadata = classic_value(member->classic, &arena);
	shard_emit(&shard->shard, &kp_consumer_group_member_metadata_key, &key,
	    &kp_consumer_group_member_metadata_value, &value, VALUE_VERSION);
	arena_reset(&arena);
}

void
consumer_emit_member_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id)
{
	const struct kp_consumer_group_member_metadata_key key = { group_id,
		member_id };

	shard_emit(&shard->shard, &kp_consumer_group_member_metadata_key, &key,
	    NULL, NULL, 0);
}

static int32_t *
partition_numbers(const struct consumer_partition *partitions, int32_t count,
    struct arena *arena)
{
	int32_t *numbers =
	    arena_xcalloc(arena, (size_t)count, sizeof(*numbers));

	for (int32_t i = 0; i < count; i++)
		numbers[i] = partitions[i].partition;
	return numbers;
}

void
consumer_emit_target(struct group_shard *shard, struct slice group_id,
    struct slice member_id, const struct consumer_assignment *set)
{
	const struct kp_consumer_group_target_assignment_member_key key = {
		group_id, member_id
	};
	struct kp_consumer_group_target_assignment_member_value value = { 0 };
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	value.topic_partitions = arena_xcalloc(
	    &arena, (size_t)set->count, sizeof(*value.topic_partitions));
	for (int32_t i = 0, run; i < set->count; i += run) {
		struct TARGET_TOPIC *topic =
		    &value.topic_partitions[value.topic_partitions_count++];

		run = consumer_assignment_run(set, i);
		topic->topic_id = set->partitions[i].topic_id;
		topic->partitions =
		    partition_numbers(&set->partitions[i], run, &arena);
		topic->partitions_count = run;
	}
	shard_emit(&shard->shard,
	    &kp_consumer_group_target_assignment_member_key, &key,
	    &kp_consumer_group_target_assignment_member_value, &value,
	    VALUE_VERSION);
	arena_reset(&arena);
}

void
consumer_emit_target_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id)
{
	const struct kp_consumer_group_target_assignment_member_key key = {
		group_id, member_id
	};

	shard_emit(&shard->shard,
	    &kp_consumer_group_target_assignment_member_key, &key, NULL, NULL,
	    0);
}

/* The topics of an assignment with epochs; *count of them. */
static struct CURRENT_TOPIC *
current_topics(
    const struct consumer_assignment *set, struct arena *arena, int32_t *count)
{
	struct CURRENT_TOPIC *topics =
	    arena_xcalloc(arena, (size_t)set->count, sizeof(*topics));

	*count = 0;
	for (int32_t i = 0, run; i < set->count; i += run) {
		struct CURRENT_TOPIC *topic = &topics[(*count)++];

		run = consumer_assignment_run(set, i);
		topic->topic_id = set->partitions[i].topic_id;
		topic->partitions =
		    partition_numbers(&set->partitions[i], run, arena);
		topic->partitions_count = run;
		topic->assignment_epochs = arena_xcalloc(
		    arena, (size_t)run, sizeof(*topic->assignment_epochs));
		topic->assignment_epochs_count = run;
		for (int32_t p = 0; p < run; p++)
			topic->assignment_epochs[p] =
			    set->partitions[i + p].epoch;
	}
	return topics;
}

void
consumer_emit_current(struct group_shard *shard, struct slice group_id,
    const struct consumer_member *member)
{
	const struct kp_consumer_group_current_member_assignment_key key = {
		group_id, member->id
	};
	struct kp_consumer_group_current_member_assignment_value value = {
		.member_epoch = member->epoch,
		.previous_member_epoch = member->previous_epoch,
		.state = (int8_t)member->state,
	};
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	value.assigned_partitions = current_topics(
	    &member->assigned, &arena, &value.assigned_partitions_count);
	value.partitions_pending_revocation = current_topics(&member->revoking,
	    &arena, &value.partitions_pending_revocation_count);
	shard_emit(&shard->shard,
	    &kp_consumer_group_current_member_assignment_key, &key,
	    &kp_consumer_group_current_member_assignment_value, &value,
	    VALUE_VERSION);
	arena_reset(&arena);
}

void
consumer_emit_current_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id)
{
	const struct kp_consumer_group_current_member_assignment_key key = {
		group_id, member_id
	};

	shard_emit(&shard->shard,
	    &kp_consumer_group_current_member_assignment_key, &key, NULL, NULL,
	    0);
}

/* --- Of regular expressions ---------------------------------------------- */

void
consumer_emit_regex(struct group_shard *shard, struct slice group_id,
    struct slice text, const struct consumer_names *topics, uint64_t version,
    int64_t now_ms)
{
	const struct kp_consumer_group_regular_expression_key key = { group_id,
		text };
	const struct kp_consumer_group_regular_expression_value value = {
		.topics = topics->names,
		.topics_count = topics->count,
		.version = (int64_t)version,
		.timestamp = now_ms,
	};

	shard_emit(&shard->shard, &kp_consumer_group_regular_expression_key,
	    &key, &kp_consumer_group_regular_expression_value, &value,
	    VALUE_VERSION);
}

void
consumer_emit_regex_end(
    struct group_shard *shard, struct slice group_id, struct slice text)
{
	const struct kp_consumer_group_regular_expression_key key = { group_id,
		text };

	shard_emit(&shard->shard, &kp_consumer_group_regular_expression_key,
	    &key, NULL, NULL, 0);
}

/* --- Ends ---------------------------------------------------------------- */

static void
emit_target_epoch_end(struct group_shard *shard, struct slice group_id)
{
	const struct kp_consumer_group_target_assignment_metadata_key key = {
		group_id
	};

	shard_emit(&shard->shard,
	    &kp_consumer_group_target_assignment_metadata_key, &key, NULL, NULL,
	    0);
}

static void
emit_regex_ends(struct consumer_group *consumer)
{
	const struct consumer_regex *regex;

	for (size_t at = 0;
	    (regex = map_next(&consumer->regexes, &at)) != NULL;)
		if (regex->resolved)
			consumer_emit_regex_end(
			    consumer->shard, consumer->group->id, regex->text);
}

static void
emit_epoch_end(struct group_shard *shard, struct slice group_id)
{
	const struct kp_consumer_group_metadata_key key = { group_id };

	shard_emit(&shard->shard, &kp_consumer_group_metadata_key, &key, NULL,
	    NULL, 0);
}

/* The ids of all members, and one after that. */
static struct slice *
member_ids(const struct consumer_group *consumer,
    const struct consumer_member *replaced, struct slice replaced_by)
{
	struct slice *ids =
	    xcalloc((size_t)consumer_group_count(consumer) + 1, sizeof(*ids));
	int32_t count = 0;

	LIST_FOR_EACH (node, &consumer->members) {
		const struct consumer_member *member =
		    LIST_ENTRY(node, struct consumer_member, node);

		ids[count++] = member == replaced ? replaced_by : member->id;
	}
	return ids;
}

/* Kafka removes members before regular expressions, and the group last. */
void
consumer_emit_end(struct consumer_group *consumer,
    const struct consumer_member *replaced, struct slice replaced_by)
{
	struct group_shard *shard = consumer->shard;
	struct slice group_id = consumer->group->id;
	int32_t count = consumer_group_count(consumer);
	struct slice *ids = member_ids(consumer, replaced, replaced_by);

	for (int32_t i = 0; i < count; i++)
		consumer_emit_current_end(shard, group_id, ids[i]);
	for (int32_t i = 0; i < count; i++)
		consumer_emit_target_end(shard, group_id, ids[i]);
	emit_target_epoch_end(shard, group_id);
	for (int32_t i = 0; i < count; i++)
		consumer_emit_member_end(shard, group_id, ids[i]);
	free(ids);
	emit_regex_ends(consumer);
	consumer_emit_old_metadata_end(shard, group_id);
	emit_epoch_end(shard, group_id);
}
