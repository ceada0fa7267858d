#include "coord/consumer_group.h"
#include "meta/topic_image.h"
#include "wire/generated/consumer_group_describe.h"

/* MemberType of ConsumerGroupDescribe. */
#define TYPE_CLASSIC 0
#define TYPE_CONSUMER 1

/* What a partition takes in an answer, in either assignment. */
#define ANSWER_PARTITION_BYTES 128

/* Topics that are not there any more are left out. */
static void
fill_assignment(struct group_image *image,
    const struct consumer_assignment *set, struct arena *arena,
    struct kp_consumer_group_describe_response_assignment *out)
{
	struct kp_consumer_group_describe_response_topic_partition *topic;

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

static struct slice *
copy_names(const struct consumer_names *names, struct arena *arena)
{
	struct slice *copies =
	    arena_xcalloc(arena, (size_t)names->count, sizeof(*copies));

	for (int32_t i = 0; i < names->count; i++)
		copies[i] = arena_copy(arena, names->names[i]);
	return copies;
}

static void
fill_member(const struct consumer_member *member, struct arena *arena,
    struct kp_consumer_group_describe_response_member *out)
{
	const struct consumer_group *consumer = member->consumer;
	struct group_image *image = consumer->shard->common->image;
	struct consumer_assignment owned = consumer_assignment_plus(
	    arena, &member->assigned, &member->revoking);
	struct consumer_assignment target =
	    consumer_member_target(consumer, member->id);

	out->member_id = arena_copy(arena, member->id);
	out->instance_id = arena_copy(arena, member->instance_id);
	out->rack_id = arena_copy(arena, member->rack_id);
	out->member_epoch = member->epoch;
	out->client_id = arena_copy(arena, member->client_id);
	out->client_host = arena_copy(arena, member->client_host);
	out->subscribed_topic_names = copy_names(&member->topics, arena);
	out->subscribed_topic_names_count = member->topics.count;
	out->subscribed_topic_regex = arena_copy(arena, member->regex);
	fill_assignment(image, &owned, arena, &out->assignment);
	fill_assignment(image, &target, arena, &out->target_assignment);
	out->member_type =
	    member->classic != NULL ? TYPE_CLASSIC : TYPE_CONSUMER;
}

/* One request may ask for the same group again and again. */
static bool
fits(const struct consumer_group *consumer, const struct arena *arena)
{
	size_t bytes = GROUP_ANSWER_SPARE_BYTES + consumer->bytes;
	const struct consumer_target *target;

	for (size_t at = 0;
	    (target = map_next(&consumer->targets, &at)) != NULL;)
		bytes +=
		    ANSWER_PARTITION_BYTES * (size_t)target->assignment.count;
	return bytes < arena_left(arena);
}

bool
consumer_group_describe(struct consumer_group *consumer, struct arena *arena,
    struct kp_consumer_group_describe_response_group *out)
{
	const struct consumer_settings *settings =
	    &consumer->shard->settings->consumer;

	if (!fits(consumer, arena))
		return false;
	out->group_state = slice_str(consumer_group_state(consumer));
	out->group_epoch = consumer->epoch;
	out->assignment_epoch = consumer->target_epoch;
	out->assignor_name = slice_str(consumer_assignor_name(
	    consumer_group_assignor(consumer, settings, NULL, NULL)));
	out->members = arena_xcalloc(arena,
	    (size_t)consumer_group_count(consumer), sizeof(*out->members));
	LIST_FOR_EACH (node, &consumer->members)
		fill_member(LIST_ENTRY(node, struct consumer_member, node),
		    arena, &out->members[out->members_count++]);
	return true;
}
