#include "coord/share_group.h"
#include "meta/topic_image.h"
#include "wire/generated/share_group_describe.h"

/* What a partition takes in an answer. */
#define ANSWER_PARTITION_BYTES 128

/* Topics that are not there any more are left out. */
static void
fill_assignment(struct group_image *image,
    const struct consumer_assignment *set, struct arena *arena,
    struct kp_share_group_describe_response_assignment *out)
{
	struct kp_share_group_describe_response_topic_partition *topic;

	topic = out->topic_partitions = arena_xcalloc(
	    arena, (size_t)set->count, sizeof(*out->topic_partitions));
	for (int32_t i = 0, run; i < set->count; i += run) {
		const struct topic_image *known =
		    group_image_topic_by_id(image, set->partitions[i].topic_id);

		run = consumer_assignment_run(set, i);
		if (known == NULL)
			continue;
		topic->topic_id = known->id;
		topic->topic_name = arena_copy(arena, known->name);
		topic_image_unref(known);
		topic->partitions = arena_xcalloc(
		    arena, (size_t)run, sizeof(*topic->partitions));
		topic->partitions_count = run;
		for (int32_t p = 0; p < run; p++)
			topic->partitions[p] = set->partitions[i + p].partition;
		topic++;
	}
	out->topic_partitions_count = (int32_t)(topic - out->topic_partitions);
}

static void
fill_member(const struct share_member *member, struct arena *arena,
    struct kp_share_group_describe_response_member *out)
{
	struct group_image *image =
	    member->share->group->shard->common->image;
	size_t count = (size_t)member->topics.count;

	out->member_id = arena_copy(arena, member->id);
	out->rack_id = arena_copy(arena, member->rack_id);
	out->member_epoch = member->epoch;
	out->client_id = arena_copy(arena, member->client_id);
	out->client_host = arena_copy(arena, member->client_host);
	out->subscribed_topic_names = arena_xcalloc(
	    arena, count, sizeof(*out->subscribed_topic_names));
	out->subscribed_topic_names_count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		out->subscribed_topic_names[i] =
		    arena_copy(arena, member->topics.names[i]);
	fill_assignment(image, &member->assigned, arena, &out->assignment);
}

/* One request may ask for the same group again and again. */
static bool
fits(const struct share_group *share, const struct arena *arena)
{
	size_t bytes = GROUP_ANSWER_SPARE_BYTES + share->bytes;

	LIST_FOR_EACH (node, &share->members)
		bytes += ANSWER_PARTITION_BYTES *
		    (size_t)LIST_ENTRY(node, struct share_member, node)
			->assigned.count;
	return bytes < arena_left(arena);
}

bool
share_group_describe(const struct share_group *share, struct arena *arena,
    struct kp_share_group_describe_response_group *out)
{
	if (!fits(share, arena))
		return false;
	out->group_state = slice_str(share_group_state(share));
	out->group_epoch = share->epoch;
	out->assignment_epoch = share->target_epoch;
	out->assignor_name = slice_str(SHARE_ASSIGNOR_NAME);
	out->members = arena_xcalloc(arena, (size_t)share_group_count(share),
	    sizeof(*out->members));
	LIST_FOR_EACH (node, &share->members)
		fill_member(LIST_ENTRY(node, struct share_member, node), arena,
		    &out->members[out->members_count++]);
	return true;
}
