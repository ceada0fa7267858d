#include "coord/streams_group.h"
#include "wire/generated/streams_group_describe.h"

/* The generated names of nested structs are longer than a line. */
#define OUT_GROUP kp_streams_group_describe_response_group
#define OUT_TOPOLOGY kp_streams_group_describe_response_topology
#define OUT_PART kp_streams_group_describe_response_subtopology
#define OUT_TOPIC kp_streams_group_describe_response_topic_info
#define OUT_PAIR kp_streams_group_describe_response_key_value
#define OUT_MEMBER kp_streams_group_describe_response_member
#define OUT_TASKS kp_streams_group_describe_response_task_ids
#define OUT_ASSIGNMENT kp_streams_group_describe_response_assignment

/* What a task takes in an answer, in either assignment. */
#define ANSWER_TASK_BYTES 64

/* --- The topology -------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
	return slice_compare(
	    *(const struct slice *)a, *(const struct slice *)b);
}

/* By name; Kafka makes a set of those of a configured topology. */
static struct slice *
sorted_names(struct arena *arena, const struct slice *names, int32_t count,
    bool distinct, int32_t *out_count)
{
	struct slice *out = arena_xcalloc(arena, (size_t)count, sizeof(*out));
	int32_t kept = 0;

	for (int32_t i = 0; i < count; i++)
		out[i] = arena_copy(arena, names[i]);
	if (count > 0)
		qsort(out, (size_t)count, sizeof(*out), compare_names);
	for (int32_t i = 0; i < count; i++)
		if (!distinct || i == 0 || !slice_equal(out[i], out[i - 1]))
			out[kept++] = out[i];
	*out_count = kept;
	return out;
}

static void
fill_topic(struct arena *arena, const struct streams_topology_topic *topic,
    int32_t partitions, struct OUT_TOPIC *out)
{
	size_t count = (size_t)topic->topic_configs_count;

	out->name = arena_copy(arena, topic->name);
	out->partitions = partitions;
	out->replication_factor = topic->replication_factor;
	out->topic_configs =
	    arena_xcalloc(arena, count, sizeof(*out->topic_configs));
	out->topic_configs_count = topic->topic_configs_count;
	for (size_t i = 0; i < count; i++) {
		out->topic_configs[i].key =
		    arena_copy(arena, topic->topic_configs[i].key);
		out->topic_configs[i].value =
		    arena_copy(arena, topic->topic_configs[i].value);
	}
}

static int
compare_topics(const void *a, const void *b)
{
	const struct OUT_TOPIC *x = a, *y = b;

	return slice_compare(x->name, y->name);
}

/* partitions: one for each topic, or NULL: as they were said. */
static struct OUT_TOPIC *
topics_of(struct arena *arena, const struct streams_topology_topic *topics,
    int32_t count, const int32_t *partitions)
{
	struct OUT_TOPIC *out =
	    arena_xcalloc(arena, (size_t)count, sizeof(*out));

	for (int32_t i = 0; i < count; i++)
		fill_topic(arena, &topics[i],
		    partitions == NULL ? topics[i].partitions : partitions[i],
		    &out[i]);
	if (count > 0)
		qsort(out, (size_t)count, sizeof(*out), compare_topics);
	return out;
}

static void
fill_part(struct arena *arena, const struct streams_topology_part *said,
    const struct streams_subtopology *part, struct OUT_PART *out)
{
	bool configured = part != NULL;

	out->subtopology_id = arena_copy(arena, said->subtopology_id);
	out->source_topics = sorted_names(arena, said->source_topics,
	    said->source_topics_count, configured, &out->source_topics_count);
	out->repartition_sink_topics = sorted_names(arena,
	    said->repartition_sink_topics, said->repartition_sink_topics_count,
	    configured, &out->repartition_sink_topics_count);
	out->state_changelog_topics = topics_of(arena,
	    said->state_changelog_topics, said->state_changelog_topics_count,
	    configured ? part->changelog_partitions : NULL);
	out->state_changelog_topics_count = said->state_changelog_topics_count;
	out->repartition_source_topics =
	    topics_of(arena, said->repartition_source_topics,
		said->repartition_source_topics_count,
		configured ? part->repartition_partitions : NULL);
	out->repartition_source_topics_count =
	    said->repartition_source_topics_count;
}

static int
compare_parts(const void *a, const void *b)
{
	const struct OUT_PART *x = a, *y = b;

	return slice_compare(x->subtopology_id, y->subtopology_id);
}

static const struct OUT_TOPOLOGY *
topology_of(const struct streams_group *streams, struct arena *arena)
{
	const struct streams_topology *topology = streams->topology;
	const struct streams_configured *configured = streams->configured;
	struct OUT_TOPOLOGY *out = arena_xcalloc(arena, 1, sizeof(*out));
	size_t count = (size_t)topology->subtopologies_count;

	if (configured != NULL && configured->status != STREAMS_READY)
		configured = NULL;
	out->epoch = topology->epoch;
	out->subtopologies =
	    arena_xcalloc(arena, count, sizeof(*out->subtopologies));
	out->subtopologies_count = topology->subtopologies_count;
	for (size_t i = 0; i < count; i++) {
		const struct streams_topology_part *said =
		    &topology->subtopologies[i];

		fill_part(arena, said,
		    configured == NULL ? NULL :
					 streams_configured_find(
					     configured, said->subtopology_id),
		    &out->subtopologies[i]);
	}
	if (count > 0)
		qsort(out->subtopologies, count, sizeof(*out->subtopologies),
		    compare_parts);
	return out;
}

/* --- Members ------------------------------------------------------------- */

static struct OUT_TASKS *
tasks_of(struct arena *arena, const struct streams_tasks *set, int32_t *count)
{
	struct OUT_TASKS *parts =
	    arena_xcalloc(arena, (size_t)set->count, sizeof(*parts));

	*count = 0;
	for (int32_t i = 0, run; i < set->count; i += run) {
		run = streams_tasks_run(set, i);
		parts[*count].subtopology_id =
		    arena_copy(arena, set->tasks[i].subtopology);
		parts[*count].partitions =
		    streams_tasks_partitions(arena, set, i, run);
		parts[(*count)++].partitions_count = run;
	}
	return parts;
}

static void
fill_assignment(struct arena *arena,
    const struct streams_assignment *assignment, struct OUT_ASSIGNMENT *out)
{
	const struct streams_tasks *kinds = assignment->kinds;

	out->active_tasks =
	    tasks_of(arena, &kinds[STREAMS_ACTIVE], &out->active_tasks_count);
	out->standby_tasks =
	    tasks_of(arena, &kinds[STREAMS_STANDBY], &out->standby_tasks_count);
	out->warmup_tasks =
	    tasks_of(arena, &kinds[STREAMS_WARMUP], &out->warmup_tasks_count);
}

static void
fill_endpoint(struct arena *arena, const struct streams_member *member,
    struct OUT_MEMBER *out)
{
	struct kp_streams_group_describe_response_endpoint *endpoint;

	if (slice_is_null(member->endpoint_host))
		return;
	endpoint = arena_xcalloc(arena, 1, sizeof(*endpoint));
	endpoint->host = arena_copy(arena, member->endpoint_host);
	endpoint->port = member->endpoint_port;
	out->user_endpoint = endpoint;
}

static void
fill_member(struct arena *arena, const struct streams_member *member,
    struct OUT_MEMBER *out)
{
	struct streams_assignment target =
	    streams_member_target(member->streams, member->id);

	out->member_id = arena_copy(arena, member->id);
	out->member_epoch = member->epoch;
	out->instance_id = arena_copy(arena, member->instance_id);
	out->rack_id = arena_copy(arena, member->rack_id);
	out->client_id = arena_copy(arena, member->client_id);
	out->client_host = arena_copy(arena, member->client_host);
	out->topology_epoch = member->topology_epoch;
	out->process_id = arena_copy(arena, member->process_id);
	fill_endpoint(arena, member, out);
	out->client_tags = arena_xcalloc(
	    arena, (size_t)member->tags.count, sizeof(*out->client_tags));
	out->client_tags_count = member->tags.count;
	for (int32_t i = 0; i < member->tags.count; i++) {
		out->client_tags[i].key =
		    arena_copy(arena, member->tags.pairs[i].key);
		out->client_tags[i].value =
		    arena_copy(arena, member->tags.pairs[i].value);
	}
	fill_assignment(arena, &member->assigned, &out->assignment);
	fill_assignment(arena, &target, &out->target_assignment);
}

/* --- All of it ----------------------------------------------------------- */

/*
 * One request may ask for the same group again and again.  An answer's topology
 * takes less than twice what the group's own does.
 */
static bool
fits(const struct streams_group *streams, const struct arena *arena)
{
	size_t bytes =
	    GROUP_ANSWER_SPARE_BYTES + streams->bytes + streams->topology_bytes;
	const struct streams_target *target;

	for (size_t at = 0;
	    (target = map_next(&streams->targets, &at)) != NULL;)
		bytes += ANSWER_TASK_BYTES *
		    (size_t)streams_assignment_count(&target->assignment);
	return bytes < arena_left(arena);
}

bool
streams_group_describe(
    struct streams_group *streams, struct arena *arena, struct OUT_GROUP *out)
{
	if (streams->topology == NULL || !fits(streams, arena))
		return false;
	out->group_state = slice_str(streams_group_state(streams));
	out->group_epoch = streams->epoch;
	out->assignment_epoch = streams->target_epoch;
	out->topology = topology_of(streams, arena);
	out->members = arena_xcalloc(
	    arena, (size_t)streams_group_count(streams), sizeof(*out->members));
	LIST_FOR_EACH (node, &streams->members)
		fill_member(arena,
		    LIST_ENTRY(node, struct streams_member, node),
		    &out->members[out->members_count++]);
	return true;
}
