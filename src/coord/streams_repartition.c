#include "coord/streams_configuring.h"

/* As many as the widest topic that is read; 0: none of them is known yet. */
static int32_t
widest_source(
    const struct streams_configuring *c,
    const struct streams_topology_part *part)
{
	int32_t widest = 0;

	for (int32_t i = 0; i < part->repartition_source_topics_count; i++)
		widest = MAX(widest,
		    streams_decided(c,
			part->repartition_source_topics[i].name));
	for (int32_t i = 0; i < part->source_topics_count; i++)
		widest = MAX(widest,
		    streams_existing(c, part->source_topics[i]));
	return widest;
}

static void
decide_fixed(struct streams_configuring *c)
{
	for (int32_t i = 0; i < c->topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &c->topology->subtopologies[i];

		for (int32_t t = 0; t < part->repartition_source_topics_count;
		    t++) {
			const struct streams_topology_topic *topic =
			    &part->repartition_source_topics[t];

			if (topic->partitions != 0)
				streams_decide(c, topic->name,
				    topic->partitions);
		}
	}
}

/* One round over all that write; how many were decided, and are not yet. */
static void
decide_sinks(struct streams_configuring *c, int32_t *progress, int32_t *open)
{
	*progress = *open = 0;
	for (int32_t i = 0; i < c->topology->subtopologies_count; i++) {
		const struct streams_topology_part *part =
		    &c->topology->subtopologies[i];

		int32_t widest = widest_source(c, part);

		for (int32_t t = 0; t < part->repartition_sink_topics_count;
		    t++) {
			struct slice sink = part->repartition_sink_topics[t];

			if (streams_decided(c, sink) != 0)
				continue;
			if (widest > 0)
				streams_decide(c, sink, widest);
			*(widest > 0 ? progress : open) += 1;
		}
	}
}

enum kp_error
streams_decide_repartition(struct streams_configuring *c)
{
	int32_t progress, open;

	decide_fixed(c);
	do {
		decide_sinks(c, &progress, &open);
		if (progress == 0 && open > 0)
			return streams_invalid(c,
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
			if (streams_decided(c,
				part->repartition_source_topics[t].name) == 0)
				return streams_invalid(c,
				    slice_str("Failed to compute number of "
					      "partitions for all repartition "
					      "topics, because a repartition "
					      "source topic is never used as a "
					      "sink topic."));
	}
	return KP_NONE;
}
