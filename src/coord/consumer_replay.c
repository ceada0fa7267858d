#include "coord/consumer_record.h"
#include "coord/group_replay.h"
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

/* --- Groups -------------------------------------------------------------- */

static struct consumer_group *
find(const struct group_replay *r, struct slice group_id)
{
	struct group *group = group_find(r->shard, group_id);

	return group == NULL ? NULL : group->consumer;
}

/* A group that was there with offsets only, or as another kind, becomes one. */
static struct consumer_group *
get(const struct group_replay *r, struct slice group_id)
{
	struct group *group = group_find(r->shard, group_id);

	if (group == NULL)
		group = group_create(r->shard, group_id);
	group_become_consumer(group);
	return group->consumer;
}

static void
end(struct group_replay *r, struct slice group_id, int32_t epoch)
{
	group_end_kind(group_find(r->shard, group_id));
	group_own(&r->shard->ended_id, group_id);
	r->shard->ended_epoch = epoch;
	r->shard->ended_offset = r->offset;
}

static int
replay_group(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_consumer_group_metadata_key *key = keys;
	const struct kp_consumer_group_metadata_value *value = values;
	struct consumer_group *consumer;

	if (r->tombstone) {
		consumer = find(r, key->group_id);
		if (consumer != NULL)
			end(r, key->group_id, consumer->epoch);
		return 0;
	}
	consumer = get(r, key->group_id);
	consumer->epoch = value->epoch;
	consumer->metadata_hash = value->metadata_hash;
	return 0;
}

static int
replay_old_metadata(
    struct group_replay *r, const void *keys, const void *values UNUSED)
{
	const struct kp_consumer_group_partition_metadata_key *key = keys;
	struct consumer_group *consumer =
	    r->tombstone ? find(r, key->group_id) : get(r, key->group_id);

	if (consumer != NULL)
		consumer->old_metadata = !r->tombstone;
	return 0;
}

static int
replay_target_epoch(
    struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_consumer_group_target_assignment_metadata_key *key =
	    keys;
	const struct kp_consumer_group_target_assignment_metadata_value *value =
	    values;
	struct consumer_group *consumer =
	    r->tombstone ? find(r, key->group_id) : get(r, key->group_id);

	if (consumer == NULL)
		return 0;
	consumer->target_epoch = r->tombstone ? -1 : value->assignment_epoch;
	consumer->target_ms = r->tombstone ? 0 : value->assignment_timestamp;
	return 0;
}

/* --- Members ------------------------------------------------------------- */

static struct consumer_classic *
classic_of(struct group_replay *r,
    const struct kp_consumer_group_member_metadata_value *value)
{
	const struct CLASSIC_VALUE *in = value->classic_member_metadata;
	struct consumer_classic *classic;

	if (in == NULL)
		return NULL;
	classic = arena_xcalloc(&r->arena, 1, sizeof(*classic));
	classic->session_timeout_ms = in->session_timeout_ms;
	classic->protocols_count = MAX(in->supported_protocols_count, 0);
	classic->protocols = arena_xcalloc(&r->arena,
	    (size_t)classic->protocols_count, sizeof(*classic->protocols));
	for (int32_t i = 0; i < classic->protocols_count; i++) {
		classic->protocols[i].name = in->supported_protocols[i].name;
		classic->protocols[i].metadata =
		    in->supported_protocols[i].metadata;
	}
	return classic;
}

static int
replay_member(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_consumer_group_member_metadata_key *key = keys;
	const struct kp_consumer_group_member_metadata_value *value = values;
	struct consumer_group *consumer;
	struct consumer_member said, *member;

	if (r->tombstone) {
		consumer = find(r, key->group_id);
		member = consumer == NULL ?
		    NULL :
		    consumer_member_find(consumer, key->member_id);
		if (member != NULL)
			consumer_member_remove(member);
		return 0;
	}
	said = (struct consumer_member){
		.instance_id = value->instance_id,
		.rack_id = value->rack_id,
		.client_id = value->client_id,
		.client_host = value->client_host,
		.server_assignor = value->server_assignor,
		.regex = slice_is_null(value->subscribed_topic_regex) ?
		    slice_str("") :
		    value->subscribed_topic_regex,
		.topics = { value->subscribed_topic_names,
		    MAX(value->subscribed_topic_names_count, 0) },
		.rebalance_timeout_ms = value->rebalance_timeout_ms,
		.classic = classic_of(r, value),
	};
	consumer_names_sort(&said.topics);
	consumer_member_describe(
	    consumer_member_get(get(r, key->group_id), key->member_id), &said);
	return 0;
}

/* --- Assignments --------------------------------------------------------- */

static int
replay_target(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_consumer_group_target_assignment_member_key *key = keys;
	const struct kp_consumer_group_target_assignment_member_value *value =
	    values;
	struct consumer_group *consumer;
	struct consumer_assignment set;
	int32_t count = 0;

	if (r->tombstone) {
		consumer = find(r, key->group_id);
		if (consumer != NULL)
			consumer_target_remove(consumer, key->member_id);
		return 0;
	}
	for (int32_t t = 0; t < value->topic_partitions_count; t++)
		count += MAX(value->topic_partitions[t].partitions_count, 0);
	set = consumer_assignment_new(&r->arena, count);
	for (int32_t t = 0; t < value->topic_partitions_count; t++)
		for (int32_t i = 0;
		    i < value->topic_partitions[t].partitions_count; i++)
			consumer_assignment_add(&set,
			    value->topic_partitions[t].topic_id,
			    value->topic_partitions[t].partitions[i], 0);
	consumer_assignment_sort(&set);
	consumer_target_set(get(r, key->group_id), key->member_id, set);
	return 0;
}

/* Partitions without epochs were assigned at the member's. */
static int
current_set(struct group_replay *r, const struct CURRENT_TOPIC *topics,
    int32_t topics_count, int32_t member_epoch, struct consumer_assignment *set)
{
	int32_t count = 0;

	for (int32_t t = 0; t < topics_count; t++)
		count += MAX(topics[t].partitions_count, 0);
	*set = consumer_assignment_new(&r->arena, count);
	for (int32_t t = 0; t < topics_count; t++) {
		bool epochs = topics[t].assignment_epochs_count > 0;

		if (epochs &&
		    topics[t].assignment_epochs_count !=
			topics[t].partitions_count)
			return -1;
		for (int32_t i = 0; i < topics[t].partitions_count; i++)
			consumer_assignment_add(set, topics[t].topic_id,
			    topics[t].partitions[i],
			    epochs ? topics[t].assignment_epochs[i] :
				     member_epoch);
	}
	consumer_assignment_sort(set);
	return 0;
}

static enum consumer_state
state_of(int8_t state)
{
	switch (state) {
	case CONSUMER_STABLE:
	case CONSUMER_UNREVOKED:
	case CONSUMER_UNRELEASED:
		return (enum consumer_state)state;
	default:
		return CONSUMER_UNKNOWN;
	}
}

/* A member that has left has no assignment, and no epoch. */
static int
replay_current_end(
    struct group_replay *r, struct slice group_id, struct slice member_id)
{
	const struct consumer_member nothing = {
		.epoch = CONSUMER_EPOCH_LEAVE,
		.previous_epoch = CONSUMER_EPOCH_LEAVE,
	};
	struct consumer_group *consumer = find(r, group_id);
	struct consumer_member *member =
	    consumer == NULL ? NULL : consumer_member_find(consumer, member_id);

	if (member != NULL)
		consumer_member_assign(member, &nothing);
	return 0;
}

static int
replay_current(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_consumer_group_current_member_assignment_key *key =
	    keys;
	const struct kp_consumer_group_current_member_assignment_value *value =
	    values;
	struct consumer_member given = { 0 };

	if (r->tombstone)
		return replay_current_end(r, key->group_id, key->member_id);
	given.epoch = value->member_epoch;
	given.previous_epoch = value->previous_member_epoch;
	given.state = state_of(value->state);
	if (current_set(r, value->assigned_partitions,
		value->assigned_partitions_count, value->member_epoch,
		&given.assigned) != 0 ||
	    current_set(r, value->partitions_pending_revocation,
		value->partitions_pending_revocation_count, value->member_epoch,
		&given.revoking) != 0)
		return -1;
	consumer_member_assign(
	    consumer_member_get(get(r, key->group_id), key->member_id), &given);
	return 0;
}

/* --- Regular expressions ------------------------------------------------- */

static int
replay_regex(struct group_replay *r, const void *keys, const void *values)
{
	const struct kp_consumer_group_regular_expression_key *key = keys;
	const struct kp_consumer_group_regular_expression_value *value = values;
	struct consumer_names names;

	if (r->tombstone) {
		struct consumer_group *consumer = find(r, key->group_id);

		if (consumer != NULL)
			consumer_regex_forget(
			    consumer, key->regular_expression);
		return 0;
	}
	names = (struct consumer_names){ value->topics,
		MAX(value->topics_count, 0) };
	consumer_names_sort(&names);
	consumer_regex_resolve(
	    get(r, key->group_id), key->regular_expression, names);
	return 0;
}

/* --- Records ------------------------------------------------------------- */

static const struct group_record records[] = {
	{ &kp_consumer_group_metadata_key, &kp_consumer_group_metadata_value,
	    replay_group },
	{ &kp_consumer_group_partition_metadata_key,
	    &kp_consumer_group_partition_metadata_value, replay_old_metadata },
	{ &kp_consumer_group_member_metadata_key,
	    &kp_consumer_group_member_metadata_value, replay_member },
	{ &kp_consumer_group_target_assignment_metadata_key,
	    &kp_consumer_group_target_assignment_metadata_value,
	    replay_target_epoch },
	{ &kp_consumer_group_target_assignment_member_key,
	    &kp_consumer_group_target_assignment_member_value, replay_target },
	{ &kp_consumer_group_current_member_assignment_key,
	    &kp_consumer_group_current_member_assignment_value,
	    replay_current },
	{ &kp_consumer_group_regular_expression_key,
	    &kp_consumer_group_regular_expression_value, replay_regex },
};

bool
consumer_record_type(int16_t type)
{
	return group_record_find(records, COUNT_OF(records), type) != NULL;
}

int
consumer_record_replay(
    struct group_shard *shard, const struct shard_record *record)
{
	const struct group_record *of =
	    group_record_find(records, COUNT_OF(records), record->type);

	return group_record_replay(of, shard, record);
}
