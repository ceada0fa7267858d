/*
 * Configured topology: a streams topology next to the topics that there are
 * (InternalTopicManager of Kafka).
 *
 * How many partitions the topics have that the application makes itself
 * follows from those that it reads: a repartition topic gets as many as the
 * widest topic read by the subtopology that writes it, topics that are joined
 * have to agree, and changelogs have as many as their subtopology has tasks.
 */
#ifndef COORD_STREAMS_CONFIGURE_H
#define COORD_STREAMS_CONFIGURE_H

#include "coord/streams_topology.h"
#include "wire/error.h"

/* StreamsGroupHeartbeatResponse.Status of Kafka. */
enum streams_status {
	STREAMS_READY = -1, /* none of them */
	STREAMS_STALE_TOPOLOGY = 0,
	STREAMS_MISSING_SOURCE_TOPICS = 1,
	STREAMS_INCORRECTLY_PARTITIONED_TOPICS = 2,
	STREAMS_MISSING_INTERNAL_TOPICS = 3,
	STREAMS_SHUTDOWN_APPLICATION = 4,
	STREAMS_ASSIGNMENT_DELAYED = 5,
};

/* A topic of the application's own that is missing. */
struct streams_missing {
	const struct streams_topology_topic *topic;
	int32_t partitions;
};

struct streams_subtopology {
	const struct streams_topology_part *said;
	int32_t tasks_count;
	int32_t *repartition_partitions; /* one for each of the said topics */
	int32_t *changelog_partitions;
};

struct streams_configured {
	enum streams_status status; /* what is wrong with it, or READY */
	struct slice detail;        /* about that */
	/* by id; none where the status is 1 or 2 */
	struct streams_subtopology *subtopologies;
	int32_t subtopologies_count;
	struct streams_missing *missing; /* what makes the status 3 */
	int32_t missing_count;
	/* private */
	struct arena arena; /* all of it */
};

/* How many partitions has the topic?  0: there is none. */
struct streams_topics {
	int32_t (*partitions)(
	    const struct streams_topics *topics, struct slice name);
};

/*
 * Configure the topology, which is borrowed; *out is for
 * streams_configured_free.  STREAMS_INVALID_TOPOLOGY where no topics could
 * make it one, with *message in arena; UNKNOWN_SERVER_ERROR where it
 * contradicts itself, as in Kafka.
 */
enum kp_error streams_configure(const struct streams_topology *topology,
    const struct streams_topics *topics, struct arena *arena,
    struct slice *message, struct streams_configured **out) WARN_UNUSED;
void streams_configured_free(struct streams_configured *configured);

/* The subtopology, or NULL. */
const struct streams_subtopology *streams_configured_find(
    const struct streams_configured *configured, struct slice id);

#endif
