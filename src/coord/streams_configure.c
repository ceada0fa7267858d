#include "coord/streams_configure.h"

#include "base/map.h"
#include "coord/streams_configuring.h"

/* --- Sources ------------------------------------------------------------- */

static bool
sources_exist(struct streams_configuring *c)
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
			if (streams_existing(c, part->source_topics[t]) == 0)
				missing[count++] = part->source_topics[t];
	}
	if (count == 0)
		return true;
	streams_sort_names(missing, &count);
	streams_wrong(c, STREAMS_MISSING_SOURCE_TOPICS,
	    arena_printf(c->arena, "Source topics %.*s are missing.",
		SLICE_ARG(streams_summary(c->arena, missing, count))));
	return false;
}

/* --- Subtopologies ------------------------------------------------------- */

/* As many tasks as the widest topic that it reads has partitions. */
static int32_t
tasks_of(const struct streams_configuring *c,
    const struct streams_topology_part *part)
{
	int32_t count = 0;

	for (int32_t i = 0; i < part->source_topics_count; i++)
		count = MAX(count,
		    streams_partitions(c, part->source_topics[i]));
	for (int32_t i = 0; i < part->repartition_source_topics_count; i++)
		count = MAX(count,
		    streams_partitions(c,
			part->repartition_source_topics[i].name));
	return count;
}

static enum kp_error
decide_changelogs(struct streams_configuring *c)
{
	for (int32_t i = 0; i < c->topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &c->topology->subtopologies[i];

		if (part->source_topics_count +
			part->repartition_source_topics_count ==
		    0)
			return streams_invalid(c,
			    arena_printf(c->arena,
				"No source topics found for subtopology %.*s",
				SLICE_ARG(part->subtopology_id)));
		for (int32_t t = 0; t < part->state_changelog_topics_count; t++)
			streams_decide(c, part->state_changelog_topics[t].name,
			    tasks_of(c, part));
	}
	return KP_NONE;
}

static bool
any_twice(struct slice *names, int32_t count)
{
	int32_t kept = count;

	streams_sort_names(names, &kept);
	return kept < count;
}

static bool
topics_twice(struct streams_configuring *c,
    const struct streams_topology_topic *topics,
    int32_t count)
{
	struct slice *names =
	    arena_xcalloc(c->arena, (size_t)count, sizeof(*names));

	for (int32_t i = 0; i < count; i++)
		names[i] = topics[i].name;
	return any_twice(names, count);
}

static bool
configs_twice(struct streams_configuring *c,
    const struct streams_topology_topic *topic)
{
	struct slice *names = arena_xcalloc(
	    c->arena, (size_t)topic->topic_configs_count, sizeof(*names));

	for (int32_t i = 0; i < topic->topic_configs_count; i++)
		names[i] = topic->topic_configs[i].key;
	return any_twice(names, topic->topic_configs_count);
}

/* NULL where a topic, or a setting of one, is there twice. */
static int32_t *
internal_partitions(struct streams_configuring *c,
    const struct streams_topology_topic *topics, int32_t count)
{
	int32_t *partitions =
	    arena_xcalloc(&c->out->arena, (size_t)count, sizeof(*partitions));

	if (topics_twice(c, topics, count))
		return NULL;
	for (int32_t i = 0; i < count; i++) {
		partitions[i] = topics[i].partitions != 0 ?
		    topics[i].partitions :
		    streams_decided(c, topics[i].name);
		if (partitions[i] < 1 || configs_twice(c, &topics[i]))
			return NULL;
	}
	return partitions;
}

static bool
configure_part(struct streams_configuring *c,
    const struct streams_topology_part *part,
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
configure_parts(struct streams_configuring *c)
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

/* --- All of it ----------------------------------------------------------- */

static enum kp_error
configure(struct streams_configuring *c)
{
	enum kp_error error;

	if (!streams_indexes_valid(c))
		return KP_UNKNOWN_SERVER_ERROR;
	if (!sources_exist(c))
		return KP_NONE;
	error = streams_decide_repartition(c);
	if (error != KP_NONE)
		return error;
	streams_note_repartitions(c);
	if (!streams_copartition(c))
		return KP_NONE;
	error = decide_changelogs(c);
	if (error == KP_NONE)
		error = configure_parts(c);
	if (error == KP_NONE)
		streams_find_missing(c);
	return error;
}

enum kp_error
streams_configure(const struct streams_topology *topology,
    const struct streams_topics *topics, struct arena *arena,
    struct slice *message, struct streams_configured **out)
{
	struct arena scratch;
	struct streams_configuring c = {
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
