#include "coord/streams_topology.h"

#include "base/map.h"
#include "coord/java_hash.h"
#include "wire/codec.h"
#include "wire/generated/streams_group_heartbeat.h"
#include "wire/output.h"

#define VALUE_VERSION 0

#define SAID_TOPIC kp_streams_group_heartbeat_request_topic_info

/* --- Copies -------------------------------------------------------------- */

static struct slice
encoded(
    const struct kp_streams_group_topology_value *value, struct arena *arena)
{
	size_t len =
	    kp_size(&kp_streams_group_topology_value, VALUE_VERSION, value);
	struct output out;
	int result;

	output_init(&out, arena);
	result = kp_encode(
	    &kp_streams_group_topology_value, VALUE_VERSION, value, &out);
	assert(result == 0 && out.count == 1 && out.len == len);
	return slice_of(out.pieces[0].data, len);
}

static int
compare_ids(const void *a, const void *b)
{
	const struct streams_topology_part *x = a, *y = b;

	return slice_compare(x->subtopology_id, y->subtopology_id);
}

/* Its bytes with the subtopologies by id; false: an id is there twice. */
static bool
sort_bytes(struct streams_topology *topology,
    const struct kp_streams_group_topology_value *value)
{
	struct kp_streams_group_topology_value sorted = *value;
	size_t count = (size_t)MAX(value->subtopologies_count, 0);

	sorted.subtopologies = arena_xcalloc(
	    &topology->arena, count, sizeof(*sorted.subtopologies));
	if (count > 0) {
		memcpy(sorted.subtopologies, value->subtopologies,
		    count * sizeof(*sorted.subtopologies));
		qsort(sorted.subtopologies, count,
		    sizeof(*sorted.subtopologies), compare_ids);
	}
	for (size_t i = 1; i < count; i++)
		if (compare_ids(&sorted.subtopologies[i - 1],
			&sorted.subtopologies[i]) == 0)
			return false;
	topology->sorted = encoded(&sorted, &topology->arena);
	return true;
}

/* Decoded once more, from bytes that are its own. */
static void
take_copy(struct streams_topology *topology,
    const struct kp_streams_group_topology_value *value)
{
	struct arena *arena = &topology->arena;
	struct kp_streams_group_topology_value copy;
	struct slice *ids;
	const int32_t *order;
	int32_t count;
	int result = kp_decode(&kp_streams_group_topology_value, VALUE_VERSION,
	    encoded(value, arena), arena, &copy);

	assert(result == 0);
	count = copy.subtopologies_count;
	ids = arena_xcalloc(arena, (size_t)count, sizeof(*ids));
	for (int32_t i = 0; i < count; i++)
		ids[i] = copy.subtopologies[i].subtopology_id;
	order = java_hash_order(arena, ids, count,
	    java_hash_buckets(JAVA_HASH_BUCKETS_DEFAULT, count));
	topology->epoch = copy.epoch;
	topology->subtopologies = arena_xcalloc(
	    arena, (size_t)count, sizeof(*topology->subtopologies));
	topology->subtopologies_count = count;
	for (int32_t i = 0; i < count; i++)
		topology->subtopologies[i] = copy.subtopologies[order[i]];
}

struct streams_topology *
streams_topology_new(const struct kp_streams_group_topology_value *value)
{
	struct streams_topology *topology = xcalloc(1, sizeof(*topology));

	arena_init(&topology->arena, SIZE_MAX);
	if (!sort_bytes(topology, value)) {
		streams_topology_free(topology);
		return NULL;
	}
	take_copy(topology, value);
	return topology;
}

void
streams_topology_free(struct streams_topology *topology)
{
	if (topology == NULL)
		return;
	arena_reset(&topology->arena);
	free(topology);
}

/* --- From a request ------------------------------------------------------ */

static struct streams_topology_topic *
topics_said(const struct SAID_TOPIC *said, int32_t count, struct arena *arena)
{
	struct streams_topology_topic *topics =
	    arena_xcalloc(arena, (size_t)MAX(count, 0), sizeof(*topics));

	for (int32_t i = 0; i < count; i++) {
		int32_t configs = MAX(said[i].topic_configs_count, 0);

		topics[i].name = said[i].name;
		topics[i].partitions = said[i].partitions;
		topics[i].replication_factor = said[i].replication_factor;
		topics[i].topic_configs = arena_xcalloc(
		    arena, (size_t)configs, sizeof(*topics[i].topic_configs));
		topics[i].topic_configs_count = configs;
		for (int32_t c = 0; c < configs; c++) {
			topics[i].topic_configs[c].key =
			    said[i].topic_configs[c].key;
			topics[i].topic_configs[c].value =
			    said[i].topic_configs[c].value;
		}
	}
	return topics;
}

static void
groups_said(const struct kp_streams_group_heartbeat_request_subtopology *said,
    struct streams_topology_part *part, struct arena *arena)
{
	int32_t count = MAX(said->copartition_groups_count, 0);

	part->copartition_groups = arena_xcalloc(
	    arena, (size_t)count, sizeof(*part->copartition_groups));
	part->copartition_groups_count = count;
	for (int32_t i = 0; i < count; i++) {
		struct kp_streams_group_topology_value_copartition_group *to =
		    &part->copartition_groups[i];
		const struct
		    kp_streams_group_heartbeat_request_copartition_group *from =
			&said->copartition_groups[i];

		to->source_topics = from->source_topics;
		to->source_topics_count = from->source_topics_count;
		to->source_topic_regex = from->source_topic_regex;
		to->source_topic_regex_count = from->source_topic_regex_count;
		to->repartition_source_topics = from->repartition_source_topics;
		to->repartition_source_topics_count =
		    from->repartition_source_topics_count;
	}
}

static void
part_said(const struct kp_streams_group_heartbeat_request_subtopology *said,
    struct streams_topology_part *part, struct arena *arena)
{
	part->subtopology_id = said->subtopology_id;
	part->source_topics = said->source_topics;
	part->source_topics_count = said->source_topics_count;
	part->source_topic_regex = said->source_topic_regex;
	part->source_topic_regex_count = said->source_topic_regex_count;
	part->repartition_sink_topics = said->repartition_sink_topics;
	part->repartition_sink_topics_count =
	    said->repartition_sink_topics_count;
	part->state_changelog_topics = topics_said(said->state_changelog_topics,
	    said->state_changelog_topics_count, arena);
	part->state_changelog_topics_count = said->state_changelog_topics_count;
	part->repartition_source_topics =
	    topics_said(said->repartition_source_topics,
		said->repartition_source_topics_count, arena);
	part->repartition_source_topics_count =
	    said->repartition_source_topics_count;
	groups_said(said, part, arena);
}

struct kp_streams_group_topology_value
streams_topology_said(
    const struct kp_streams_group_heartbeat_request_topology *said,
    struct arena *arena)
{
	int32_t count = MAX(said->subtopologies_count, 0);
	struct kp_streams_group_topology_value value = {
		.epoch = said->epoch,
		.subtopologies_count = count,
	};

	value.subtopologies =
	    arena_xcalloc(arena, (size_t)count, sizeof(*value.subtopologies));
	for (int32_t i = 0; i < count; i++)
		part_said(
		    &said->subtopologies[i], &value.subtopologies[i], arena);
	return value;
}

/* --- Questions ----------------------------------------------------------- */

bool
streams_topology_equal(
    const struct streams_topology *a, const struct streams_topology *b)
{
	return slice_equal(a->sorted, b->sorted);
}

size_t
streams_topology_bytes(const struct streams_topology *topology)
{
	return sizeof(*topology) + topology->arena.size_bytes;
}

static bool
reads(const struct streams_topology_part *part, struct slice topic)
{
	for (int32_t i = 0; i < part->source_topics_count; i++)
		if (slice_equal(part->source_topics[i], topic))
			return true;
	for (int32_t i = 0; i < part->repartition_source_topics_count; i++)
		if (slice_equal(part->repartition_source_topics[i].name, topic))
			return true;
	return false;
}

/* Where several do, it is the last one that counts. */
const struct streams_topology_part *
streams_topology_reader(
    const struct streams_topology *topology, struct slice topic)
{
	for (int32_t i = topology->subtopologies_count - 1; i >= 0; i--)
		if (reads(&topology->subtopologies[i], topic))
			return &topology->subtopologies[i];
	return NULL;
}

struct names {
	struct slice *names;
	int32_t count;
	struct map seen;
};

static void
add_name(struct names *names, struct slice *name)
{
	if (map_get(&names->seen, *name) != NULL)
		return;
	names->names[names->count++] = *name;
	map_set(&names->seen, *name, name);
}

static void
add_topics(
    struct names *names, struct streams_topology_topic *topics, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		add_name(names, &topics[i].name);
}

static size_t
most_names(const struct streams_topology *topology)
{
	size_t count = 0;

	for (int32_t i = 0; i < topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &topology->subtopologies[i];

		count += (size_t)part->source_topics_count +
		    (size_t)part->repartition_source_topics_count +
		    (size_t)part->state_changelog_topics_count;
	}
	return count;
}

struct slice *
streams_topology_required(const struct streams_topology *topology,
    struct arena *arena, int32_t *count)
{
	struct names names = { 0 };
	struct slice *sorted;
	const int32_t *order;

	names.names =
	    arena_xcalloc(arena, most_names(topology), sizeof(*names.names));
	map_init(&names.seen);
	for (int32_t i = 0; i < topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &topology->subtopologies[i];

		for (int32_t t = 0; t < part->source_topics_count; t++)
			add_name(&names, &part->source_topics[t]);
		add_topics(&names, part->repartition_source_topics,
		    part->repartition_source_topics_count);
		add_topics(&names, part->state_changelog_topics,
		    part->state_changelog_topics_count);
	}
	map_fini(&names.seen);
	order = java_hash_order(arena, names.names, names.count,
	    java_hash_buckets(JAVA_HASH_BUCKETS_DEFAULT, names.count));
	sorted = arena_xcalloc(arena, (size_t)names.count, sizeof(*sorted));
	for (int32_t i = 0; i < names.count; i++)
		sorted[i] = names.names[order[i]];
	*count = names.count;
	return sorted;
}
