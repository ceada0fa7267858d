#include "coord/streams_configuring.h"

/* A topic that is read by a subtopology, and written by one. */
struct repartition {
	struct slice name;
	bool fixed; /* how many partitions it has is said */
};

/* Topics with the same keys, which have to be in the same partitions. */
struct copartition {
	struct slice *topics; /* sorted, each once */
	int32_t count;
};

static const struct repartition *
repartition_of(const struct streams_configuring *c, struct slice name)
{
	return map_get(&c->repartition, name);
}

static void
note_repartition(
    struct streams_configuring *c, const struct streams_topology_topic *topic)
{
	struct repartition *noted = map_get(&c->repartition, topic->name);
	int32_t partitions;

	if (noted == NULL) {
		noted = arena_xcalloc(c->arena, 1, sizeof(*noted));
		noted->name = topic->name;
		map_set(&c->repartition, noted->name, noted);
	}
	if (topic->partitions == 0)
		return;
	noted->fixed = true;
	partitions = streams_partitions(c, topic->name);
	if (c->any_fixed && partitions != c->fixed_count)
		partitions = 0;
	c->any_fixed = true;
	c->fixed_count = partitions;
}

void
streams_note_repartitions(struct streams_configuring *c)
{
	for (int32_t i = 0; i < c->topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &c->topology->subtopologies[i];

		for (int32_t t = 0; t < part->repartition_source_topics_count;
		    t++)
			note_repartition(
			    c, &part->repartition_source_topics[t]);
	}
}

static bool
index_valid(int16_t index, int32_t count)
{
	return index >= 0 && index < count;
}

/* The group's topics by name; false where it has an index of none. */
static bool
copartition_of(struct streams_configuring *c,
    const struct streams_topology_part *part,
    const struct kp_streams_group_topology_value_copartition_group *said,
    struct copartition *group)
{
	group->topics = arena_xcalloc(c->arena,
	    (size_t)MAX(said->source_topics_count, 0) +
		(size_t)MAX(said->repartition_source_topics_count, 0),
	    sizeof(*group->topics));
	group->count = 0;
	for (int32_t i = 0; i < said->source_topics_count; i++) {
		if (!index_valid(
			said->source_topics[i], part->source_topics_count))
			return false;
		group->topics[group->count++] =
		    part->source_topics[said->source_topics[i]];
	}
	for (int32_t i = 0; i < said->repartition_source_topics_count; i++) {
		int16_t index = said->repartition_source_topics[i];

		if (!index_valid(index, part->repartition_source_topics_count))
			return false;
		group->topics[group->count++] =
		    part->repartition_source_topics[index].name;
	}
	streams_sort_names(group->topics, &group->count);
	return true;
}

/* "Following topics ... [{a=1, b=2}]", of those that are, or are not. */
static void
wrong_counts(
    struct streams_configuring *c, const struct copartition *group,
    bool repartition)
{
	struct slice list = slice_str("");

	for (int32_t i = 0; i < group->count; i++) {
		struct slice name = group->topics[i];

		if ((repartition_of(c, name) != NULL) == repartition)
			list = arena_printf(c->arena, "%.*s%s%.*s=%d",
			    SLICE_ARG(list), list.len == 0 ? "" : ", ",
			    SLICE_ARG(name), streams_partitions(c, name));
	}
	streams_wrong(c, STREAMS_INCORRECTLY_PARTITIONED_TOPICS,
	    arena_printf(c->arena,
		"Following topics do not have the same number of partitions: "
		"[{%.*s}]",
		SLICE_ARG(list)));
}

static int32_t
most_partitions(const struct streams_configuring *c,
    const struct copartition *group)
{
	int32_t most = 0;

	for (int32_t i = 0; i < group->count; i++)
		most = MAX(most, streams_partitions(c, group->topics[i]));
	return most;
}

/* What those of the group have that are not the application's; 0: several. */
static int32_t
same_partitions(const struct streams_configuring *c,
    const struct copartition *group)
{
	int32_t same = 0;

	for (int32_t i = 0; i < group->count; i++) {
		int32_t partitions;

		if (repartition_of(c, group->topics[i]) != NULL)
			continue;
		partitions = streams_partitions(c, group->topics[i]);
		if (same != 0 && partitions != same)
			return 0;
		same = partitions;
	}
	return same;
}

/*
 * 0: they cannot agree, and what is wrong has been said.  Where some
 * repartition topics are fixed, all of those have to agree, be they in the
 * group or not: so it is in Kafka.
 */
static int32_t
agree(struct streams_configuring *c, const struct copartition *group)
{
	int32_t partitions;
	bool all = true;

	for (int32_t i = 0; i < group->count; i++)
		all &= repartition_of(c, group->topics[i]) != NULL;
	if (all && !c->any_fixed)
		return most_partitions(c, group);
	partitions = all ? c->fixed_count : same_partitions(c, group);
	if (partitions == 0)
		wrong_counts(c, group, all);
	return partitions;
}

static bool
fits(struct streams_configuring *c, struct slice name, int32_t wanted)
{
	const struct repartition *topic = repartition_of(c, name);

	if (topic == NULL || !topic->fixed ||
	    streams_partitions(c, name) == wanted)
		return true;
	streams_wrong(c, STREAMS_INCORRECTLY_PARTITIONED_TOPICS,
	    arena_printf(c->arena,
		"Number of partitions [%d] of repartition topic [%.*s] doesn't "
		"match number of partitions [%d] of the source topic.",
		streams_partitions(c, name), SLICE_ARG(name), wanted));
	return false;
}

static bool
enforce(struct streams_configuring *c, const struct copartition *group)
{
	int32_t wanted = group->count == 0 ? 0 : agree(c, group);

	if (wanted == 0)
		return group->count == 0;
	for (int32_t i = 0; i < group->count; i++)
		if (!fits(c, group->topics[i], wanted))
			return false;
	for (int32_t i = 0; i < group->count; i++)
		if (repartition_of(c, group->topics[i]) != NULL)
			streams_decide(c, group->topics[i], wanted);
	return true;
}

bool
streams_indexes_valid(struct streams_configuring *c)
{
	struct copartition group;

	for (int32_t i = 0; i < c->topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &c->topology->subtopologies[i];

		for (int32_t g = 0; g < part->copartition_groups_count; g++)
			if (!copartition_of(
				c, part, &part->copartition_groups[g], &group))
				return false;
	}
	return true;
}

bool
streams_copartition(struct streams_configuring *c)
{
	struct copartition group;

	for (int32_t i = 0; i < c->topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &c->topology->subtopologies[i];

		for (int32_t g = 0; g < part->copartition_groups_count; g++)
			if (copartition_of(c, part,
				&part->copartition_groups[g], &group) &&
			    !enforce(c, &group))
				return false;
	}
	return true;
}
