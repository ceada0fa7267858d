/*
 * GroupMetadata records: a classic group as it was at its last generation.
 */
#include "base/bytes.h"
#include "base/clock.h"
#include "coord/group.h"
#include "wire/codec.h"
#include "wire/generated/group_group_metadata.h"

/* What Kafka 4.3 writes; later versions are flexible. */
#define VALUE_VERSION 3

static void
fill_member(const struct group_member *member,
    struct kp_group_metadata_value_member *out)
{
	out->member_id = member->id;
	out->group_instance_id = member->instance_id;
	out->client_id = member->client_id;
	out->client_host = member->client_host;
	out->rebalance_timeout = member->rebalance_timeout_ms;
	out->session_timeout = member->session_timeout_ms;
	out->subscription = group_member_metadata(member);
	out->assignment = member->assignment;
}

static void
fill_value(const struct group *group, struct kp_group_metadata_value *value)
{
	kp_defaults(&kp_group_metadata_value, value);
	value->protocol_type = slice_is_null(group->protocol_type) ?
	    slice_str("") :
	    group->protocol_type;
	value->generation = group->generation;
	value->protocol = group->protocol;
	value->leader =
	    group->leader == NULL ? SLICE_NULL : group->leader->id;
	value->current_state_timestamp = group->state_since_ms;
}

void
group_emit_value(struct group_shard *shard, struct slice group_id,
    const struct kp_group_metadata_value *value)
{
	const struct kp_group_metadata_key key = { .group = group_id };

	shard_emit(&shard->shard, &kp_group_metadata_key, &key,
	    &kp_group_metadata_value, value, VALUE_VERSION);
}

/* The state is the group's own already, so the record is not replayed. */
void
group_emit(struct group *group)
{
	const struct kp_group_metadata_key key = { .group = group->id };
	struct kp_group_metadata_value_member *members;
	struct kp_group_metadata_value value;

	members = xcalloc((size_t)group_member_count(group),
	    sizeof(*members));
	fill_value(group, &value);
	value.members = members;
	LIST_FOR_EACH (node, &group->members)
		fill_member(LIST_ENTRY(node, struct group_member, node),
		    &members[value.members_count++]);
	shard_emit_applied(&group->shard->shard, &kp_group_metadata_key, &key,
	    &kp_group_metadata_value, &value, VALUE_VERSION);
	free(members);
}

void
group_emit_tombstone(struct group *group)
{
	const struct kp_group_metadata_key key = { .group = group->id };

	if (group->kind != NULL)
		group->kind->emit_end(group);
	else
		shard_emit(&group->shard->shard, &kp_group_metadata_key, &key,
		    NULL, NULL, 0);
}

/* --- Replaying ----------------------------------------------------------- */

/* A member knows the one protocol that the generation had. */
static void
replay_member(struct group *group,
    const struct kp_group_metadata_value_member *in)
{
	const struct group_member_new new = {
		.id = in->member_id,
		.instance_id = in->group_instance_id,
		.client_id = in->client_id,
		.client_host = in->client_host,
		.session_timeout_ms = in->session_timeout,
		.rebalance_timeout_ms = in->rebalance_timeout >= 0 ?
		    in->rebalance_timeout :
		    in->session_timeout,
	};
	const struct group_protocol protocol = {
		.name = slice_is_null(group->protocol) ? slice_str("") :
							 group->protocol,
		.metadata = in->subscription,
	};
	const struct group_offer offer = { &protocol, 1 };
	struct group_member *member = group_member_add(group, &new);

	group_member_assign(member, in->assignment);
	group_member_set_protocols(member, &offer);
}

static void
drop_members(struct group *group)
{
	struct list_node *node;

	while ((node = group->members.head.next) != &group->members.head)
		group_member_remove(
		    LIST_ENTRY(node, struct group_member, node));
}

static void
replay_value(struct group *group, const struct kp_group_metadata_value *value)
{
	drop_members(group);
	group->generation = value->generation;
	group->state_since_ms = value->current_state_timestamp;
	group_own(&group->protocol_type,
	    value->protocol_type.len == 0 ? SLICE_NULL :
					    value->protocol_type);
	group_own(&group->protocol, value->protocol);
	for (int32_t i = 0; i < value->members_count; i++)
		if (group_member_find(group, value->members[i].member_id) ==
		    NULL)
			replay_member(group, &value->members[i]);
	if (!slice_is_null(value->leader) &&
	    group_member_find(group, value->leader) != NULL)
		group->leader = group_member_find(group, value->leader);
	group->state =
	    list_empty(&group->members) ? GROUP_EMPTY : GROUP_STABLE;
}

/* Offsets may still stand there; they go with tombstones of their own. */
static void
replay_tombstone(struct group *group)
{
	/* A group that has become one of a kind ended before as this one. */
	if (group == NULL || group->kind != NULL)
		return;
	group_stop_timers(group);
	if (group->offsets.count == 0 && group->transactions.count == 0) {
		group_free(group);
		return;
	}
	drop_members(group);
	group->state = GROUP_EMPTY;
	group->generation = 0;
	group->downgraded = false;
	group_own(&group->protocol_type, SLICE_NULL);
	group_own(&group->protocol, SLICE_NULL);
}

/*
 * A consumer group that becomes a classic one ends with the record in front,
 * at the epoch that is the generation, and its members are to rebalance:
 * nothing has said so far who of them gets what those had who have left.
 */
static bool
downgrades(const struct group_shard *shard, const struct shard_record *record,
    const struct group *group)
{
	return record->offset == shard->ended_offset + 1 &&
	    slice_equal(group->id, shard->ended_id) &&
	    group->generation == shard->ended_epoch &&
	    !list_empty(&group->members);
}

int
group_replay_metadata(struct group_shard *shard,
    const struct shard_record *record)
{
	struct kp_group_metadata_value value;
	struct kp_group_metadata_key key;
	struct arena arena;
	int version, result;

	arena_init(&arena, 65536 + 64 * record->value.len);
	result = kp_decode(&kp_group_metadata_key, 0, record->key, &arena,
	    &key);
	if (result == 0 && slice_is_null(record->value)) {
		replay_tombstone(group_find(shard, key.group));
	} else if (result == 0) {
		result = -1;
		if (record->value.len >= sizeof(int16_t)) {
			version = (int16_t)be16_get(record->value.data);
			result = kp_decode(&kp_group_metadata_value, version,
			    slice_of(record->value.data + 2,
				record->value.len - 2),
			    &arena, &value);
		}
		if (result == 0) {
			struct group *group = group_find(shard, key.group);

			if (group != NULL && group->kind != NULL) {
				group_end_kind(group);
				group = group_find(shard, key.group);
			}
			if (group == NULL)
				group = group_create(shard, key.group);
			replay_value(group, &value);
			group->downgraded = downgrades(shard, record, group);
		}
	}
	arena_reset(&arena);
	return result;
}
