#include "coord/share_group.h"

/* --- Topics --------------------------------------------------------------- */

static void
topic_count(struct share_group *share, struct slice name, int32_t by)
{
	struct consumer_topic *topic = map_get(&share->topics, name);

	if (topic == NULL) {
		topic = xcalloc(1, sizeof(*topic));
		group_own(&topic->name, name);
		map_set(&share->topics, topic->name, topic);
	}
	topic->by_name += by;
	assert(topic->by_name >= 0);
	if (topic->by_name > 0)
		return;
	map_remove(&share->topics, topic->name);
	group_own(&topic->name, SLICE_NULL);
	free(topic);
}

static void
topics_count(
    struct share_group *share, const struct consumer_names *names, int32_t by)
{
	for (int32_t i = 0; i < names->count; i++)
		topic_count(share, names->names[i], by);
}

/* --- What members hold ---------------------------------------------------- */

/*
 * What a member and a partition take beside what the client has sent:
 * the partition twice, since it has it as a target as well.
 */
#define MEMBER_BYTES 1024
#define PARTITION_BYTES 256

size_t
share_member_bytes(const struct share_member *member)
{
	return MEMBER_BYTES + member->id.len + member->rack_id.len +
	    member->client_id.len + member->client_host.len +
	    consumer_names_bytes(&member->topics) +
	    PARTITION_BYTES * (size_t)member->assigned.count;
}

static void
weigh(struct share_member *member, size_t bytes)
{
	struct share_group *share = member->share;
	struct budget *memory = share->group->shard->memory;

	budget_give(memory, member->bytes);
	budget_force(memory, bytes);
	share->bytes += bytes - member->bytes;
	member->bytes = bytes;
}

/* --- Members -------------------------------------------------------------- */

struct share_member *
share_member_find(const struct share_group *share, struct slice id)
{
	return map_get(&share->members_by_id, id);
}

struct share_member *
share_member_get(struct share_group *share, struct slice id)
{
	struct share_member *member = share_member_find(share, id);

	if (member != NULL)
		return member;
	member = xcalloc(1, sizeof(*member));
	member->share = share;
	member->previous_epoch = SHARE_EPOCH_LEAVE;
	group_own(&member->id, id);
	group_own(&member->client_id, slice_str(""));
	group_own(&member->client_host, slice_str(""));
	list_append(&share->members, &member->node);
	map_set(&share->members_by_id, member->id, member);
	weigh(member, share_member_bytes(member));
	return member;
}

void
share_member_describe(
    struct share_member *member, const struct share_member *said)
{
	topics_count(member->share, &said->topics, 1);
	topics_count(member->share, &member->topics, -1);
	group_own(&member->rack_id, said->rack_id);
	group_own(&member->client_id, said->client_id);
	group_own(&member->client_host, said->client_host);
	consumer_names_own(&member->topics, said->topics);
	weigh(member, share_member_bytes(member));
}

void
share_member_assign(
    struct share_member *member, const struct share_member *given)
{
	consumer_assignment_own(&member->assigned, given->assigned);
	member->epoch = given->epoch;
	member->previous_epoch = given->previous_epoch;
	weigh(member, share_member_bytes(member));
}

void
share_member_remove(struct share_member *member)
{
	struct share_group *share = member->share;
	const struct share_member nothing = { 0 };

	shard_timer_stop(&share->group->shard->shard, &member->session);
	share_member_assign(member, &nothing);
	share_member_describe(member, &nothing);
	weigh(member, 0);
	list_remove(&member->node);
	map_remove(&share->members_by_id, member->id);
	group_own(&member->id, SLICE_NULL);
	free(member);
}

/* --- Targets -------------------------------------------------------------- */

struct consumer_assignment
share_member_target(const struct share_group *share, struct slice id)
{
	const struct consumer_target *target = map_get(&share->targets, id);

	return target == NULL ? (struct consumer_assignment){ 0 } :
				target->assignment;
}

void
share_target_set(struct share_group *share, struct slice member_id,
    struct consumer_assignment assignment)
{
	struct consumer_target *target = map_get(&share->targets, member_id);

	if (target == NULL) {
		target = xcalloc(1, sizeof(*target));
		group_own(&target->member_id, member_id);
		map_set(&share->targets, target->member_id, target);
	}
	consumer_assignment_own(&target->assignment, assignment);
}

void
share_target_remove(struct share_group *share, struct slice member_id)
{
	struct consumer_target *target = map_get(&share->targets, member_id);

	if (target == NULL)
		return;
	map_remove(&share->targets, target->member_id);
	group_own(&target->member_id, SLICE_NULL);
	consumer_assignment_own(
	    &target->assignment, (struct consumer_assignment){ 0 });
	free(target);
}

/* --- The group ------------------------------------------------------------ */

struct share_group *
share_group_new(struct group *group)
{
	struct share_group *share = xcalloc(1, sizeof(*share));

	share->group = group;
	share->epoch = SHARE_EPOCH_FIRST;
	share->target_epoch = SHARE_EPOCH_FIRST;
	share->refresh = true;
	list_init(&share->members);
	map_init(&share->members_by_id);
	map_init(&share->targets);
	map_init(&share->topics);
	return share;
}

void
share_group_free(struct share_group *share)
{
	const struct share_partitions nothing = { .initializing = { NULL, 0 } };
	struct consumer_target *target;

	while (!list_empty(&share->members))
		share_member_remove(LIST_ENTRY(
		    share->members.head.next, struct share_member, node));
	for (size_t at = 0; (target = map_next(&share->targets, &at)) != NULL;)
		share_target_remove(share, target->member_id);
	share_group_set_partitions(share, &nothing);
	assert(share->topics.count == 0 && share->bytes == 0);
	map_fini(&share->members_by_id);
	map_fini(&share->targets);
	map_fini(&share->topics);
	free(share);
}

const char *
share_group_state(const struct share_group *share)
{
	return list_empty(&share->members) ? "Empty" : "Stable";
}

struct group_timing
share_group_timing(struct share_group *share)
{
	struct group_image *image = share->group->shard->common->image;
	uint64_t version = group_image_timing_version(image);

	if (share->timing_version != version) {
		share->timing =
		    group_image_share_timing(image, share->group->id);
		share->timing_version = version;
	}
	return share->timing;
}

void
share_group_set_partitions(
    struct share_group *share, const struct share_partitions *partitions)
{
	struct share_partitions *owned = &share->partitions;

	consumer_assignment_own(&owned->initializing, partitions->initializing);
	consumer_assignment_own(&owned->initialized, partitions->initialized);
	consumer_assignment_own(&owned->deleting, partitions->deleting);
}
