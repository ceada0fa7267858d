#include "coord/streams_configuring.h"

#include "coord/java_hash.h"

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
want(struct streams_configuring *c, struct wants *wants,
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
want_each(struct streams_configuring *c, struct wants *wants,
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
want_all(struct streams_configuring *c, struct wants *wants)
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
existing_fit(struct streams_configuring *c, const struct map *wanted)
{
	int32_t count;
	const struct slice *names =
	    streams_topology_required(c->topology, c->arena, &count);

	for (int32_t i = 0; i < count; i++) {
		struct wanted *topic = map_get(wanted, names[i]);
		int32_t partitions = streams_existing(c, names[i]);

		if (topic == NULL || partitions == 0)
			continue;
		topic->exists = true;
		if (partitions == topic->missing.partitions)
			continue;
		streams_wrong(c, STREAMS_INCORRECTLY_PARTITIONED_TOPICS,
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
list_missing(struct streams_configuring *c, const struct wants *wants)
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
		streams_wrong(c, STREAMS_MISSING_INTERNAL_TOPICS,
		    arena_printf(c->arena, "Internal topics are missing: %.*s",
			SLICE_ARG(
			    streams_summary(c->arena, names,
				out->missing_count))));
}

void
streams_find_missing(struct streams_configuring *c)
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
