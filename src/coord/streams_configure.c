#include "coord/streams_configure.h"

#include "base/map.h"
#include "coord/java_hash.h"

/* How many partitions a topic of the application shall have. */
struct decided {
	struct slice name;
	int32_t partitions;
};

struct configuring {
	const struct streams_topology *topology;
	const struct streams_topics *topics;
	struct arena *arena; /* scratch */
	struct slice message;
	struct streams_configured *out;
	struct map decided;     /* struct decided, by name */
	struct map repartition; /* struct repartition, by name */
	bool any_fixed;         /* of the repartition topics */
	int32_t fixed_count;    /* partitions that they have; 0: they differ */
};

/* A topic that is read by a subtopology, and written by one. */
struct repartition {
	struct slice name;
	bool fixed; /* how many partitions it has is said */
};

/* --- Partitions ---------------------------------------------------------- */

static void
decide(struct configuring *c, struct slice name, int32_t partitions)
{
	struct decided *decided = map_get(&c->decided, name);

	if (decided == NULL) {
		decided = arena_xcalloc(c->arena, 1, sizeof(*decided));
		decided->name = name;
		map_set(&c->decided, decided->name, decided);
	}
	decided->partitions = partitions;
}

/* 0: not decided yet. */
static int32_t
decided_of(const struct configuring *c, struct slice name)
{
	const struct decided *decided = map_get(&c->decided, name);

	return decided == NULL ? 0 : decided->partitions;
}

static int32_t
existing(const struct configuring *c, struct slice name)
{
	return c->topics->partitions(c->topics, name);
}

/* What is there counts before what was decided. */
static int32_t
partitions_of(const struct configuring *c, struct slice name)
{
	int32_t partitions = existing(c, name);

	return partitions > 0 ? partitions : decided_of(c, name);
}

/* --- What is wrong ------------------------------------------------------- */

static void
wrong(struct configuring *c, enum streams_status status, struct slice detail)
{
	c->out->status = status;
	c->out->detail = arena_copy(&c->out->arena, detail);
}

static enum kp_error
invalid(struct configuring *c, struct slice message)
{
	c->message = message;
	return KP_STREAMS_INVALID_TOPOLOGY;
}

#define NAMES_SHOWN_MAX 3

/* The first of them, and how many more there are. */
static struct slice
summary(struct arena *arena, const struct slice *names, int32_t count)
{
	struct slice text = slice_str("");

	for (int32_t i = 0; i < MIN(count, NAMES_SHOWN_MAX); i++)
		text = arena_printf(arena, "%.*s%s%.*s", SLICE_ARG(text),
		    i == 0 ? "" : ", ", SLICE_ARG(names[i]));
	if (count > NAMES_SHOWN_MAX)
		text = arena_printf(arena, "%.*s and %d additional topics",
		    SLICE_ARG(text), count - NAMES_SHOWN_MAX);
	return text;
}

static int
compare_names(const void *a, const void *b)
{
	return slice_compare(
	    *(const struct slice *)a, *(const struct slice *)b);
}

/* Sort them; of what is there twice one is kept. */
static void
sort_names(struct slice *names, int32_t *count)
{
	int32_t kept = 0;

	if (*count == 0)
		return;
	qsort(names, (size_t)*count, sizeof(*names), compare_names);
	for (int32_t i = 1; i < *count; i++)
		if (!slice_equal(names[kept], names[i]))
			names[++kept] = names[i];
	*count = kept + 1;
}

/* --- Sources ------------------------------------------------------------- */

static bool
sources_exist(struct configuring *c)
{
	const struct streams_topology *topology = c->topology;
	struct slice *missing;
	int32_t count = 0;

	for (int32_t i = 0; i < topology->subtopologies_count; i++)
		count += topology->subtopologies[i].source_topics_count;
	missing = arena_xcalloc(c->arena, (size_t)count, sizeof(*missing));
	count = 0;
	for (int32_t i = 0; i < topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &topology->subtopologies[i];

		for (int32_t t = 0; t < part->source_topics_count; t++)
			if (existing(c, part->source_topics[t]) == 0)
				missing[count++] = part->source_topics[t];
	}
	if (count == 0)
		return true;
	sort_names(missing, &count);
	wrong(c, STREAMS_MISSING_SOURCE_TOPICS,
	    arena_printf(c->arena, "Source topics %.*s are missing.",
		SLICE_ARG(summary(c->arena, missing, count))));
	return false;
}

/* --- Repartition topics (RepartitionTopics of Kafka) --------------------- */

/* As many as the widest topic that is read; 0: none of them is known yet. */
static int32_t
widest_source(
    const struct configuring *c, const struct streams_topology_part *part)
{
	int32_t widest = 0;

	for (int32_t i = 0; i < part->repartition_source_topics_count; i++)
		widest = MAX(widest,
		    decided_of(c, part->repartition_source_topics[i].name));
	for (int32_t i = 0; i < part->source_topics_count; i++)
		widest = MAX(widest, existing(c, part->source_topics[i]));
	return widest;
}

static void
decide_fixed(struct configuring *c)
{
	for (int32_t i = 0; i < c->topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &c->topology->subtopologies[i];

		for (int32_t t = 0; t < part->repartition_source_topics_count;
		    t++) {
			const struct streams_topology_topic *topic =
			    &part->repartition_source_topics[t];

			if (topic->partitions != 0)
				decide(c, topic->name, topic->partitions);
		}
	}
}

/* One round over all that write; how many were decided, and are not yet. */
static void
decide_sinks(struct configuring *c, int32_t *progress, int32_t *open)
{
	*progress = *open = 0;
	for (int32_t i = 0; i < c->topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &c->topology->subtopologies[i];

		int32_t widest = widest_source(c, part);

		for (int32_t t = 0; t < part->repartition_sink_topics_count;
		    t++) {
			struct slice sink = part->repartition_sink_topics[t];

			if (decided_of(c, sink) != 0)
				continue;
			if (widest > 0)
				decide(c, sink, widest);
			*(widest > 0 ? progress : open) += 1;
		}
	}
}

static enum kp_error
decide_repartition(struct configuring *c)
{
	int32_t progress, open;

	decide_fixed(c);
	do {
		decide_sinks(c, &progress, &open);
		if (progress == 0 && open > 0)
			return invalid(c,
			    slice_str("Failed to compute number of partitions "
				      "for "
				      "all repartition topics. There may be "
				      "loops in "
				      "the topology that cannot be resolved."));
	} while (open > 0);
	for (int32_t i = 0; i < c->topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &c->topology->subtopologies[i];

		for (int32_t t = 0; t < part->repartition_source_topics_count;
		    t++)
			if (decided_of(c,
				part->repartition_source_topics[t].name) == 0)
				return invalid(c,
				    slice_str("Failed to compute number of "
					      "partitions for all repartition "
					      "topics, because a repartition "
					      "source topic is never used as a "
					      "sink topic."));
	}
	return KP_NONE;
}

/* --- Copartitioning (CopartitionedTopicsEnforcer of Kafka) --------------- */

/* Topics with the same keys, which have to be in the same partitions. */
struct copartition {
	struct slice *topics; /* sorted, each once */
	int32_t count;
};

static const struct repartition *
repartition_of(const struct configuring *c, struct slice name)
{
	return map_get(&c->repartition, name);
}

static void
note_repartition(
    struct configuring *c, const struct streams_topology_topic *topic)
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
	partitions = partitions_of(c, topic->name);
	if (c->any_fixed && partitions != c->fixed_count)
		partitions = 0;
	c->any_fixed = true;
	c->fixed_count = partitions;
}

static void
note_repartitions(struct configuring *c)
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
copartition_of(struct configuring *c, const struct streams_topology_part *part,
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
	sort_names(group->topics, &group->count);
	return true;
}

/* "Following topics ... [{a=1, b=2}]", of those that are, or are not. */
static void
wrong_counts(
    struct configuring *c, const struct copartition *group, bool repartition)
{
	struct slice list = slice_str("");

	for (int32_t i = 0; i < group->count; i++) {
		struct slice name = group->topics[i];

		if ((repartition_of(c, name) != NULL) == repartition)
			list = arena_printf(c->arena, "%.*s%s%.*s=%d",
			    SLICE_ARG(list), list.len == 0 ? "" : ", ",
			    SLICE_ARG(name), partitions_of(c, name));
	}
	wrong(c, STREAMS_INCORRECTLY_PARTITIONED_TOPICS,
	    arena_printf(c->arena,
		"Following topics do not have the same number of partitions: "
		"[{%.*s}]",
		SLICE_ARG(list)));
}

static int32_t
most_partitions(const struct configuring *c, const struct copartition *group)
{
	int32_t most = 0;

	for (int32_t i = 0; i < group->count; i++)
		most = MAX(most, partitions_of(c, group->topics[i]));
	return most;
}

/* What those of the group have that are not the application's; 0: several. */
static int32_t
same_partitions(const struct configuring *c, const struct copartition *group)
{
	int32_t same = 0;

	for (int32_t i = 0; i < group->count; i++) {
		int32_t partitions;

		if (repartition_of(c, group->topics[i]) != NULL)
			continue;
		partitions = partitions_of(c, group->topics[i]);
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
agree(struct configuring *c, const struct copartition *group)
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
fits(struct configuring *c, struct slice name, int32_t wanted)
{
	const struct repartition *topic = repartition_of(c, name);

	if (topic == NULL || !topic->fixed || partitions_of(c, name) == wanted)
		return true;
	wrong(c, STREAMS_INCORRECTLY_PARTITIONED_TOPICS,
	    arena_printf(c->arena,
		"Number of partitions [%d] of repartition topic [%.*s] doesn't "
		"match number of partitions [%d] of the source topic.",
		partitions_of(c, name), SLICE_ARG(name), wanted));
	return false;
}

static bool
enforce(struct configuring *c, const struct copartition *group)
{
	int32_t wanted = group->count == 0 ? 0 : agree(c, group);

	if (wanted == 0)
		return group->count == 0;
	for (int32_t i = 0; i < group->count; i++)
		if (!fits(c, group->topics[i], wanted))
			return false;
	for (int32_t i = 0; i < group->count; i++)
		if (repartition_of(c, group->topics[i]) != NULL)
			decide(c, group->topics[i], wanted);
	return true;
}

/* All indexes are looked at before anything else is. */
static bool
indexes_valid(struct configuring *c)
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

static bool
enforce_all(struct configuring *c)
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

/* --- Subtopologies ------------------------------------------------------- */

/* As many tasks as the widest topic that it reads has partitions. */
static int32_t
tasks_of(const struct configuring *c, const struct streams_topology_part *part)
{
	int32_t count = 0;

	for (int32_t i = 0; i < part->source_topics_count; i++)
		count = MAX(count, partitions_of(c, part->source_topics[i]));
	for (int32_t i = 0; i < part->repartition_source_topics_count; i++)
		count = MAX(count,
		    partitions_of(c, part->repartition_source_topics[i].name));
	return count;
}

static enum kp_error
decide_changelogs(struct configuring *c)
{
	for (int32_t i = 0; i < c->topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &c->topology->subtopologies[i];

		if (part->source_topics_count +
			part->repartition_source_topics_count ==
		    0)
			return invalid(c,
			    arena_printf(c->arena,
				"No source topics found for subtopology %.*s",
				SLICE_ARG(part->subtopology_id)));
		for (int32_t t = 0; t < part->state_changelog_topics_count; t++)
			decide(c, part->state_changelog_topics[t].name,
			    tasks_of(c, part));
	}
	return KP_NONE;
}

static bool
any_twice(struct slice *names, int32_t count)
{
	int32_t kept = count;

	sort_names(names, &kept);
	return kept < count;
}

static bool
topics_twice(struct configuring *c, const struct streams_topology_topic *topics,
    int32_t count)
{
	struct slice *names =
	    arena_xcalloc(c->arena, (size_t)count, sizeof(*names));

	for (int32_t i = 0; i < count; i++)
		names[i] = topics[i].name;
	return any_twice(names, count);
}

static bool
configs_twice(struct configuring *c, const struct streams_topology_topic *topic)
{
	struct slice *names = arena_xcalloc(
	    c->arena, (size_t)topic->topic_configs_count, sizeof(*names));

	for (int32_t i = 0; i < topic->topic_configs_count; i++)
		names[i] = topic->topic_configs[i].key;
	return any_twice(names, topic->topic_configs_count);
}

/* NULL where a topic, or a setting of one, is there twice. */
static int32_t *
internal_partitions(struct configuring *c,
    const struct streams_topology_topic *topics, int32_t count)
{
	int32_t *partitions =
	    arena_xcalloc(&c->out->arena, (size_t)count, sizeof(*partitions));

	if (topics_twice(c, topics, count))
		return NULL;
	for (int32_t i = 0; i < count; i++) {
		partitions[i] = topics[i].partitions != 0 ?
		    topics[i].partitions :
		    decided_of(c, topics[i].name);
		if (partitions[i] < 1 || configs_twice(c, &topics[i]))
			return NULL;
	}
	return partitions;
}

static bool
configure_part(struct configuring *c, const struct streams_topology_part *part,
    struct streams_subtopology *out)
{
	out->said = part;
	out->tasks_count = tasks_of(c, part);
	out->repartition_partitions =
	    internal_partitions(c, part->repartition_source_topics,
		part->repartition_source_topics_count);
	out->changelog_partitions = internal_partitions(c,
	    part->state_changelog_topics, part->state_changelog_topics_count);
	return out->tasks_count > 0 && out->repartition_partitions != NULL &&
	    out->changelog_partitions != NULL;
}

static int
compare_parts(const void *a, const void *b)
{
	const struct streams_subtopology *x = a, *y = b;

	return slice_compare(x->said->subtopology_id, y->said->subtopology_id);
}

static enum kp_error
configure_parts(struct configuring *c)
{
	struct streams_configured *out = c->out;
	size_t count = (size_t)c->topology->subtopologies_count;

	out->subtopologies =
	    arena_xcalloc(&out->arena, count, sizeof(*out->subtopologies));
	for (size_t i = 0; i < count; i++)
		if (!configure_part(c, &c->topology->subtopologies[i],
			&out->subtopologies[i]))
			return KP_UNKNOWN_SERVER_ERROR;
	out->subtopologies_count = (int32_t)count;
	if (count > 0)
		qsort(out->subtopologies, count, sizeof(*out->subtopologies),
		    compare_parts);
	return KP_NONE;
}

/* --- Internal topics ----------------------------------------------------- */

struct wanted {
	struct streams_missing missing;
	bool exists;
};

/* All internal topics, in the order in which Kafka's map gets them. */
struct wants {
	struct map by_name; /* struct wanted */
	struct slice *names;
	int32_t count;
};

static void
want(struct configuring *c, struct wants *wants,
    const struct streams_topology_topic *topic, int32_t partitions)
{
	struct wanted *wanted = map_get(&wants->by_name, topic->name);

	if (wanted == NULL) {
		wanted = arena_xcalloc(c->arena, 1, sizeof(*wanted));
		wants->names[wants->count++] = topic->name;
		map_set(&wants->by_name, topic->name, wanted);
	}
	wanted->missing.topic = topic;
	wanted->missing.partitions = partitions;
}

/* A subtopology's topics come in the order of a map, too. */
static void
want_each(struct configuring *c, struct wants *wants,
    const struct streams_topology_topic *topics, int32_t count,
    const int32_t *partitions)
{
	struct slice *names =
	    arena_xcalloc(c->arena, (size_t)count, sizeof(*names));
	const int32_t *order;

	for (int32_t i = 0; i < count; i++)
		names[i] = topics[i].name;
	order = java_hash_order(c->arena, names, count,
	    java_hash_buckets(JAVA_HASH_BUCKETS_DEFAULT, count));
	for (int32_t i = 0; i < count; i++)
		want(c, wants, &topics[order[i]], partitions[order[i]]);
}

static void
want_all(struct configuring *c, struct wants *wants)
{
	const struct streams_configured *out = c->out;
	size_t most = 0;

	for (int32_t i = 0; i < out->subtopologies_count; i++)
		most += (size_t)out->subtopologies[i]
			    .said->repartition_source_topics_count +
		    (size_t)out->subtopologies[i]
			.said->state_changelog_topics_count;
	wants->names = arena_xcalloc(c->arena, most, sizeof(*wants->names));
	for (int32_t i = 0; i < out->subtopologies_count; i++) {
		const struct streams_subtopology *part = &out->subtopologies[i];

		want_each(c, wants, part->said->repartition_source_topics,
		    part->said->repartition_source_topics_count,
		    part->repartition_partitions);
		want_each(c, wants, part->said->state_changelog_topics,
		    part->said->state_changelog_topics_count,
		    part->changelog_partitions);
	}
}

/* Those that exist have what they should; false: one has not. */
static bool
existing_fit(struct configuring *c, const struct map *wanted)
{
	int32_t count;
	const struct slice *names =
	    streams_topology_required(c->topology, c->arena, &count);

	for (int32_t i = 0; i < count; i++) {
		struct wanted *topic = map_get(wanted, names[i]);
		int32_t partitions = existing(c, names[i]);

		if (topic == NULL || partitions == 0)
			continue;
		topic->exists = true;
		if (partitions == topic->missing.partitions)
			continue;
		wrong(c, STREAMS_INCORRECTLY_PARTITIONED_TOPICS,
		    arena_printf(c->arena,
			"Existing topic %.*s has different number of "
			"partitions: expected %d, found %d",
			SLICE_ARG(names[i]), topic->missing.partitions,
			partitions));
		return false;
	}
	return true;
}

static void
list_missing(struct configuring *c, const struct wants *wants)
{
	struct streams_configured *out = c->out;
	size_t most = (size_t)wants->count;
	struct slice *names = arena_xcalloc(c->arena, most, sizeof(*names));
	const int32_t *order =
	    java_hash_order(c->arena, wants->names, wants->count,
		java_hash_buckets(JAVA_HASH_BUCKETS_DEFAULT, wants->count));

	out->missing = arena_xcalloc(&out->arena, most, sizeof(*out->missing));
	for (int32_t i = 0; i < wants->count; i++) {
		const struct wanted *wanted =
		    map_get(&wants->by_name, wants->names[order[i]]);

		if (wanted->exists)
			continue;
		names[out->missing_count] = wanted->missing.topic->name;
		out->missing[out->missing_count++] = wanted->missing;
	}
	if (out->missing_count > 0)
		wrong(c, STREAMS_MISSING_INTERNAL_TOPICS,
		    arena_printf(c->arena, "Internal topics are missing: %.*s",
			SLICE_ARG(
			    summary(c->arena, names, out->missing_count))));
}

static void
find_missing(struct configuring *c)
{
	struct wants wants = { 0 };

	map_init(&wants.by_name);
	want_all(c, &wants);
	if (existing_fit(c, &wants.by_name))
		list_missing(c, &wants);
	else
		c->out->subtopologies_count = 0;
	map_fini(&wants.by_name);
}

/* --- All of it ----------------------------------------------------------- */

static enum kp_error
configure(struct configuring *c)
{
	enum kp_error error;

	if (!indexes_valid(c))
		return KP_UNKNOWN_SERVER_ERROR;
	if (!sources_exist(c))
		return KP_NONE;
	error = decide_repartition(c);
	if (error != KP_NONE)
		return error;
	note_repartitions(c);
	if (!enforce_all(c))
		return KP_NONE;
	error = decide_changelogs(c);
	if (error == KP_NONE)
		error = configure_parts(c);
	if (error == KP_NONE)
		find_missing(c);
	return error;
}

enum kp_error
streams_configure(const struct streams_topology *topology,
    const struct streams_topics *topics, struct arena *arena,
    struct slice *message, struct streams_configured **out)
{
	struct arena scratch;
	struct configuring c = {
		.topology = topology,
		.topics = topics,
		.arena = &scratch,
		.message = SLICE_NULL,
		.out = xcalloc(1, sizeof(*c.out)),
	};
	enum kp_error error;

	c.out->status = STREAMS_READY;
	arena_init(&scratch, SIZE_MAX);
	arena_init(&c.out->arena, SIZE_MAX);
	map_init(&c.decided);
	map_init(&c.repartition);
	error = configure(&c);
	*message = arena_copy(arena, c.message);
	map_fini(&c.decided);
	map_fini(&c.repartition);
	arena_reset(&scratch);
	if (error != KP_NONE) {
		streams_configured_free(c.out);
		c.out = NULL;
	}
	*out = c.out;
	return error;
}

void
streams_configured_free(struct streams_configured *configured)
{
	if (configured == NULL)
		return;
	arena_reset(&configured->arena);
	free(configured);
}

const struct streams_subtopology *
streams_configured_find(
    const struct streams_configured *configured, struct slice id)
{
	const struct streams_topology_part part = { .subtopology_id = id };
	const struct streams_subtopology key = { .said = &part };

	return configured->subtopologies_count == 0 ?
	    NULL :
	    bsearch(&key, configured->subtopologies,
		(size_t)configured->subtopologies_count, sizeof(key),
		compare_parts);
}
