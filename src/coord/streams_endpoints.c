/* Who answers queries of what (EndpointToPartitionsManager of Kafka). */
#include "coord/streams_heartbeat.h"
#include "meta/topic_image.h"
#include "wire/generated/streams_group_heartbeat.h"

#define ENDPOINT kp_streams_group_heartbeat_response_endpoint_partitions
#define PARTITIONS kp_streams_group_heartbeat_response_topic_partition

struct filling {
	struct group_image *image;
	const struct streams_configured *configured;
	struct arena *arena;
};

/*
 * A topic may be narrower than its subtopology; then, as in Kafka, as many of
 * the first tasks count as it has partitions.
 */
static void
add_topic(const struct filling *f, struct slice name,
    const struct streams_tasks *set, int32_t at, int32_t run,
    struct PARTITIONS *out, int32_t *count)
{
	const struct topic_image *topic = group_image_topic(f->image, name);

	if (topic == NULL)
		return;
	out[*count].topic = arena_copy(f->arena, name);
	out[*count].partitions_count = MIN(run, topic->partitions_count);
	out[*count].partitions = streams_tasks_partitions(
	    f->arena, set, at, out[*count].partitions_count);
	(*count)++;
	topic_image_unref(topic);
}

static size_t
topics_most(const struct filling *f, const struct streams_tasks *set)
{
	size_t count = 0;

	for (int32_t i = 0; i < set->count; i += streams_tasks_run(set, i)) {
		const struct streams_subtopology *part =
		    streams_configured_find(
			f->configured, set->tasks[i].subtopology);

		if (part != NULL)
			count += (size_t)part->said->source_topics_count +
			    (size_t)part->said->repartition_source_topics_count;
	}
	return count;
}

static struct PARTITIONS *
partitions_of(
    const struct filling *f, const struct streams_tasks *set, int32_t *count)
{
	struct PARTITIONS *out =
	    arena_xcalloc(f->arena, topics_most(f, set), sizeof(*out));

	*count = 0;
	for (int32_t i = 0, run; i < set->count; i += run) {
		const struct streams_subtopology *part =
		    streams_configured_find(
			f->configured, set->tasks[i].subtopology);

		run = streams_tasks_run(set, i);
		if (part == NULL)
			continue;
		for (int32_t t = 0; t < part->said->source_topics_count; t++)
			add_topic(f, part->said->source_topics[t], set, i, run,
			    out, count);
		for (int32_t t = 0;
		    t < part->said->repartition_source_topics_count; t++)
			add_topic(f,
			    part->said->repartition_source_topics[t].name, set,
			    i, run, out, count);
	}
	return out;
}

static void
fill_member(const struct filling *f, const struct streams_member *member,
    struct ENDPOINT *out)
{
	const struct streams_tasks *kinds = member->assigned.kinds;

	out->user_endpoint.host = arena_copy(f->arena, member->endpoint_host);
	out->user_endpoint.port = member->endpoint_port;
	out->active_partitions = partitions_of(
	    f, &kinds[STREAMS_ACTIVE], &out->active_partitions_count);
	out->standby_partitions = partitions_of(
	    f, &kinds[STREAMS_STANDBY], &out->standby_partitions_count);
}

/* Members and their tasks may be many: what does not fit is left out. */
void
streams_endpoints(const struct streams_group *streams,
    const struct streams_configured *configured, struct arena *arena,
    struct kp_streams_group_heartbeat_response *response)
{
	const struct filling f = {
		.image = streams->group->shard->common->image,
		.configured = configured,
		.arena = arena,
	};
	int32_t count = 0;

	response->partitions_by_user_endpoint =
	    arena_xcalloc(arena, (size_t)streams_group_count(streams),
		sizeof(*response->partitions_by_user_endpoint));
	LIST_FOR_EACH (node, &streams->members) {
		const struct streams_member *member =
		    LIST_ENTRY(node, struct streams_member, node);

		if (slice_is_null(member->endpoint_host))
			continue;
		if (arena_left(arena) <= GROUP_ANSWER_SPARE_BYTES)
			break;
		fill_member(
		    &f, member, &response->partitions_by_user_endpoint[count]);
		count++;
	}
	response->partitions_by_user_endpoint_count = count;
}
